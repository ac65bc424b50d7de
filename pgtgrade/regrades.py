"""Owns requests to look at a question again: who asked, what was decided, points before and after.

A file to which lines are added and nothing else: what was asked and decided stays readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pgtgrade.results import write
from pgtgrade.tables import csv_text, read_csv, read_text, unguarded

HEAD = ["number", "when", "student", "question", "what", "words", "before", "after", "by"]
ASKED, DECIDED = "asked", "decided"


@dataclass(frozen=True)
class Event:
    """A line of the history.

    Attributes
    ----------
    number : int
        Of the request.
    when : str
    student, question : str
    what : str
        ASKED or DECIDED.
    words : str
        Of the student, or the reason of the decision.
    before, after : float or None
        The points, when it was decided.
    by : str
        Who entered it.
    """

    number: int
    when: str
    student: str
    question: str
    what: str
    words: str
    before: float | None = None
    after: float | None = None
    by: str = ""


def path_of(course, set_name):
    """Return the file with the history."""
    return course.folder / "regrades" / f"{set_name}.csv"


def history(course, set_name):
    """Return all that was asked and decided, in the order in which it was."""
    path = path_of(course, set_name)
    if not path.exists():
        return []
    lines = read_csv(read_text(path))
    if not lines or lines[0][1] != HEAD:
        raise ValueError(f"{path}: expected the columns {', '.join(HEAD)}")
    found = []
    for number, line in lines[1:]:
        try:
            first, when, student, question, what, words, before, after, by = map(unguarded, line)
            points = [float(each) if each else None for each in (before, after)]
            found.append(Event(int(first), when, student, question, what, words, *points, by))
        except ValueError:
            raise ValueError(f"{path}, line {number}: expected a line as it was written") from None
    return found


def add(course, set_name, event):
    """Add a line to the history."""
    lines = [
        [
            each.number, each.when, each.student, each.question, each.what, each.words,
            *("" if value is None else f"{value:g}" for value in (each.before, each.after)), each.by,
        ]
        for each in [*history(course, set_name), event]
    ]  # fmt: skip
    write(path_of(course, set_name), "\ufeff" + csv_text([HEAD, *lines]))


def now():
    """Return the time as the history writes it."""
    return datetime.now().isoformat(sep=" ", timespec="minutes")


def still_open(events):
    """Return the requests that are not decided yet, by their numbers."""
    decided = {each.number for each in events if each.what == DECIDED}
    return {each.number: each for each in events if each.what == ASKED and each.number not in decided}
