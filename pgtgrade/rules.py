"""Owns the rules of a course: when a set is due, what lateness costs, which of several notebooks counts.

They are in the file `course.toml` of the course. What is not known of a submission costs nothing and is told.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pgtgrade.names import Names

#: How a list of a platform's says when something was handed in, and how it writes a time.
SUBMITTED = ("submitted", "last modified (submission)")
_WRITTEN = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%d %B %Y, %I:%M %p", "%d/%m/%Y %H:%M")


@dataclass(frozen=True)
class Rules:
    """What holds for a set.

    Attributes
    ----------
    due : datetime or None
    percent_per_day : float
        Of the points, for each day that has begun.
    days : int or None
        After so many nothing is accepted.
    grace_minutes : float
    attempts : str or None
        "last" or "best".
    late_mark_days : int or None
        How many days late what the platform marked late counts where nobody knows the time.
    times : str or None
        "files" if the times of the files are those at which they were handed in.
    due_for, handed_in : Names
        By student: another due date, and when it was.
    """

    due: datetime | None = None
    percent_per_day: float = 0.0
    days: int | None = None
    grace_minutes: float = 0.0
    attempts: str | None = None
    late_mark_days: int | None = None
    times: str | None = None
    due_for: Names = field(default_factory=lambda: Names({}))
    handed_in: Names = field(default_factory=lambda: Names({}))
    named: tuple = ()

    def late(self, student, result, line=None):
        """Return how late a submission is.

        Parameters
        ----------
        student : str
        result : Result
        line : dict of str to str, optional
            Of the roster.

        Returns
        -------
        Late
        """
        due = self.due_for.find(student) or self.due
        if due is None:
            return Late()
        at = self.handed_in.find(student) or _of_roster(line or {})
        if at is None and self.times == "files" and result.file_time:
            at = datetime.fromtimestamp(result.file_time)
        if at is None:
            if result.late:
                return self._by_mark(student)
            # Canvas marks what is late; of others nothing is known
            is_marked = result.handle and "assignsubmission" not in result.handle
            return Late(note=None if is_marked else "when it was handed in is not known")
        over = (at - due - timedelta(minutes=self.grace_minutes)) / timedelta(days=1)
        return self._by_days(max(math.ceil(over), 0))

    def _by_mark(self, student):
        """Return how late what the platform marked is: it does not say by how much."""
        if self.late_mark_days is None:
            return Late(
                note="late, by how much is not known: nothing is taken off (course.toml, handed_in or "
                "late_mark_days)"
            )
        if self.due_for.find(student):
            # the mark may be about the date of the others
            return Late(note="marked late, but with a date of one's own: nothing is taken off")
        late = self._by_days(self.late_mark_days)
        return Late(
            late.days, late.share, f"the time is not known, taken for {late.note}" if late.days else None
        )

    def _by_days(self, days):
        if self.days is not None and days > self.days:
            return Late(days, 1.0, f"{_days(days)} late; after {_days(self.days)} nothing is accepted")
        share = min(days * self.percent_per_day / 100, 1.0)
        return Late(days, share, f"{_days(days)} late: {100 * share:g} % taken off" if days else None)


@dataclass(frozen=True)
class Late:
    """How late: days that have begun, the share of the points that is taken off, and a sentence."""

    days: int = 0
    share: float = 0.0
    note: str | None = None


def _days(days):
    return f"{days} day{'' if days == 1 else 's'}"


def _of_roster(line):
    written = next((line[each].strip() for each in SUBMITTED if line.get(each, "").strip(" -")), None)
    if written is None:
        return None
    for read in (
        datetime.fromisoformat,
        *(lambda text, form=form: datetime.strptime(text, form) for form in _WRITTEN),
    ):
        try:
            return _here(read(written))
        except ValueError:
            pass
    return None


def _here(time):
    """Return a time as the clock on the wall here shows it."""
    return time.astimezone().replace(tzinfo=None) if time.tzinfo else time


def read_toml(course):
    """Return what stands in the file of the rules: the file of the secret, and a table for each set.

    Raises
    ------
    ValueError
        If it is no such file; the message says where.
    """
    path = course.folder / "course.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    for name, value in found.items():
        kind, words = (
            (str, "a path in quotes") if name == "secret_file" else (dict, f"[{name}] and its rules")
        )
        if not isinstance(value, kind):
            raise ValueError(f"{path}: {name} is {value!r}; expected {words}")
    return found


def read_rules(course, set_name, called=str):
    """Return the rules of a set, those without any where the course has no file of them.

    Parameters
    ----------
    course : Course
    set_name : str
    called : callable
        Returns what the tables call a student whom the file names in some way.

    Raises
    ------
    ValueError
        If something in the file is not understood; the message says where.
    """
    path, found = course.folder / "course.toml", read_toml(course).get(set_name, {})

    def wrong(name, expected):
        return ValueError(f"{path}: [{set_name}] {name} is {found[name]!r}; expected {expected}")

    expected = {
        "due": (datetime, "a time such as 2026-11-20T23:59:00"),
        "percent_per_day": ((int, float), "a number from 0 to 100"),
        "days": (int, "a number of days from 0 on"),
        "grace_minutes": ((int, float), "a number of minutes from 0 on"),
        "late_mark_days": (int, "a number of days from 0 on"),
        "attempts": (str, '"last" or "best"'),
        "times": (str, '"files"'),
        "due_for": (dict, 'names and times, such as "Ada Lovelace" = 2026-11-27T23:59:00'),
        "handed_in": (dict, 'names and times, such as "Ada Lovelace" = 2026-11-27T23:59:00'),
    }
    if not isinstance(found, dict) or set(found) - set(expected):
        raise ValueError(
            f"{path}: [{set_name}] has {', '.join(sorted(set(found) - set(expected)))}; "
            f"expected some of {', '.join(expected)}, and secret_file above all sets"
        )
    values = dict(found)
    for name, value in found.items():
        kind, words = expected[name]
        times = value.values() if kind is dict and isinstance(value, dict) else ()
        bad = isinstance(value, bool) or not isinstance(value, kind)
        bad = bad or any(not isinstance(each, datetime) for each in times)
        bad = bad or (
            kind is not dict and not isinstance(value, str | datetime) and not 0 <= value < math.inf
        )
        bad = bad or (name == "percent_per_day" and value > 100)
        bad = bad or (name in ("attempts", "times") and f'"{value}"' not in words)
        if bad:
            raise wrong(name, words)
        if kind is dict:
            dates = {}
            for student, each in value.items():
                if dates.setdefault(called(student), _here(each)) != _here(each):
                    raise ValueError(f"{path}: [{set_name}] {name} has two times for {called(student)!r}")
            values[name] = Names(dates)
            values["named"] = (*values.get("named", ()), *dates)
        elif isinstance(value, datetime):
            values[name] = _here(value)
    return Rules(**values)
