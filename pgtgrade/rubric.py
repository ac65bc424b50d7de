"""Owns the items of a rubric: what points are given for, kept in one file and used again."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pgtgrade.problem_sets import grade_id, source
from pgtgrade.results import write
from pgtgrade.tables import csv_text, read_csv, read_text, unguarded

HEAD = ["question", "item", "points", "text"]

#: A line of the rubric that a set brings along: `- 1 point: the reason`.
_BULLET = re.compile(r"^- (\d+(?:\.\d+)?|[Hh]alf an?) points?:\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Item:
    """What points are given or taken for.

    Attributes
    ----------
    name : str
        What one writes into a table for it.
    points : float
        Less than 0 if they are taken.
    text : str
        What the student reads.
    """

    name: str
    points: float
    text: str


def path_of(course, problem_set):
    """Return the file with the items."""
    return course.folder / "rubric" / f"{problem_set.name}.csv"


def read_rubric(course, problem_set):
    """Return the items of each question that a person grades, by its name and theirs.

    As long as there is no file, they are those of the set.

    Raises
    ------
    ValueError
        If the file cannot be understood; the message says in which line.
    """
    path = path_of(course, problem_set)
    if not path.exists():
        return _of_set(problem_set)
    names = [each.name for each in problem_set.questions]
    found = {each.name: {} for each in problem_set.questions if each.by_hand}
    lines = read_csv(read_text(path))
    if not lines or [each.lower() for each in lines[0][1][: len(HEAD)]] != HEAD:
        raise ValueError(f"{path}, line 1: expected the columns {', '.join(HEAD)}")
    for number, line in lines[1:]:
        question, name, points, text = (unguarded(each) for each in (line + [""] * 4)[:4])
        try:
            item = Item(name, float(points.replace(",", ".")), text)
        except ValueError:
            raise ValueError(f"{path}, line {number}: {points!r} are no points") from None
        if question not in names:
            raise ValueError(
                f"{path}, line {number}: no question {question!r}; expected one of {', '.join(names)}"
            )
        if not re.fullmatch(r"[^\s,;]+", name):
            raise ValueError(f"{path}, line {number}: {name!r} is no name of an item; expected one word")
        if name in found.setdefault(question, {}):
            raise ValueError(f"{path}, line {number}: {question} has an item {name} already")
        found[question][name] = item
    return found


def keep_rubric(course, problem_set):
    """Write the file of items if there is none."""
    if not path_of(course, problem_set).exists():
        items = _of_set(problem_set)
        lines = [
            [question, item.name, f"{item.points:g}", item.text]
            for question, those in items.items()
            for item in those.values()
        ]
        write(path_of(course, problem_set), "\ufeff" + csv_text([HEAD, *lines]))


def _of_set(problem_set):
    """Return the items that stand in the rubrics of a set, numbered."""
    found = {}
    for question in problem_set.questions:
        if not question.by_hand:
            continue
        (text,) = (source(cell) for cell in problem_set.notebook["cells"] if grade_id(cell) == question.cell)
        items = [
            Item(str(number), 0.5 if points.lower().startswith("half") else float(points), words)
            for number, (points, words) in enumerate(_BULLET.findall(text), start=1)
        ]
        found[question.name] = {item.name: item for item in items}
    return found
