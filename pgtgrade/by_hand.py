"""Owns the copies of what a person gave: a new file at each change, from which all of it can be restored.

The gradebook is one file in a format of nbgrader's, and it gets lost. These are tables that anybody can read.
"""

from __future__ import annotations

from pgtgrade.names import Names
from pgtgrade.results import key_of, write
from pgtgrade.tables import csv_text, read_csv, read_text, unguarded

HEAD = ["student", "question", "points", "extra", "changed", "comment"]


def copies(course, set_name):
    """Return the files of a set, the oldest first."""
    return sorted((course.folder / "by-hand").glob(f"{set_name}-[0-9][0-9][0-9][0-9].csv"))


def keep(course, set_name, scores, students):
    """Write a new copy if what was given by hand is not what the last copy says.

    Parameters
    ----------
    course : Course
    set_name : str
    scores : dict of str to dict of str to Score
        By the key of the student and the name of the question.
    students : dict of str to str
        Names by key.
    """
    lines = [
        [students.get(key, key), question, *_written(score)]
        for key, theirs in sorted(scores.items())
        for question, score in theirs.items()
        if score.is_by_hand
    ]
    text, old = csv_text([HEAD, *lines]), copies(course, set_name)
    if not (lines or old) or (old and read_text(old[-1]) == text):
        return
    number = int(old[-1].stem[-4:]) + 1 if old else 1
    write(course.folder / "by-hand" / f"{set_name}-{number:04}.csv", "\ufeff" + text)


def _written(score):
    numbers = ["" if each is None else repr(each) for each in (score.manual, score.extra)]
    return [*numbers, "yes" if score.changed else "", score.comment]


def read_copy(path, problem_set, keys):
    """Return what a copy says, as `Gradebook.restore` takes it.

    Parameters
    ----------
    path : path
    problem_set : ProblemSet
    keys : iterable of str
        Of the students that there are; a copy may name them by their keys.

    Raises
    ------
    ValueError
        If it is no such copy.
    """
    lines, found, known = read_csv(read_text(path)), [], Names({each: each for each in keys})
    questions = {each.name for each in problem_set.questions}
    if not lines or lines[0][1] != HEAD:
        raise ValueError(
            f"{path}: expected the columns {', '.join(HEAD)}, as the copies in by-hand have them"
        )
    for number, line in lines[1:]:
        try:
            student, question, manual, extra, changed, comment = (unguarded(each) for each in line)
            numbers = [float(each) if each else None for each in (manual, extra)]
        except ValueError:
            raise ValueError(f"{path}, line {number}: expected a line as it was written") from None
        if question in questions:
            key = known.find(student) or key_of(student)
            found.append((key, question, *numbers, changed == "yes", comment))
    return found
