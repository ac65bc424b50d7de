"""Owns what the source of a problem set says: its questions, their points, its cells by name."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pgtgrade.release import released
from pgtgrade.source import SourceError, parsed

#: Where the sources are looked for, below the current folder.
SOURCES = Path("book/exercises")


@dataclass(frozen=True)
class Question:
    """One column of the grades.

    Attributes
    ----------
    cell : str
        The grade_id of the cell that carries the points.
    name : str
        The same without "test-".
    answer : str or None
        The grade_id of the cell in which students answer.
    title : str
        The heading above it.
    points : float
    by_hand : bool
        Whether a person grades it.
    """

    cell: str
    name: str
    answer: str | None
    title: str
    points: float
    by_hand: bool


@dataclass(frozen=True, eq=False)
class ProblemSet:
    """A source notebook and what it says; make one with `problem_set`."""

    name: str
    notebook: dict
    digest: str

    @cached_property
    def release(self):
        """The students' version."""
        return released(self.notebook)

    @cached_property
    def cells(self):
        """The cells of the students' version that have a grade_id, by it, in order."""
        found = ((grade_id(cell), cell) for cell in self.release["cells"])
        return {name: cell for name, cell in found if name}

    @cached_property
    def functions(self):
        """Of each solution cell the names of the functions that it defines, by grade_id."""
        found = {}
        for cell in self.notebook["cells"]:
            if kind(cell).get("solution") and cell["cell_type"] == "code":
                body = parsed(grade_id(cell), source(cell)).body
                found[grade_id(cell)] = {each.name for each in body if isinstance(each, ast.FunctionDef)}
        return found

    @cached_property
    def questions(self):
        """What earns points, in order."""
        found, title = [], ""
        for cell in self.notebook["cells"]:
            if cell["cell_type"] == "markdown" and not kind(cell).get("solution"):
                headings = re.findall(r"^#+ +(.+)$", source(cell), flags=re.MULTILINE)
                title = headings[-1].strip() if headings else title
            if kind(cell).get("grade"):
                name, by_hand = grade_id(cell), bool(kind(cell).get("solution"))
                short = name.removeprefix("test-")
                answer = name if by_hand else short if short in self.cells else None
                points = float(kind(cell)["points"])
                found.append(Question(name, short, answer, title or short, points, by_hand))
        return found

    @property
    def title(self):
        """What the set is called."""
        return self.notebook["metadata"].get("pgtgrade", {}).get("title", self.name)

    @property
    def heading(self):
        """What stands above the set, "" if nothing does."""
        first = source(self.notebook["cells"][0])
        return (re.findall(r"^# +(.+)$", first, flags=re.MULTILINE) or [""])[0].strip()

    @property
    def points(self):
        """The points of all questions together."""
        return sum(each.points for each in self.questions)


def problem_set(name, folder=SOURCES):
    """Return a problem set by its name.

    Parameters
    ----------
    name : str
        Such as "ps1".
    folder : path
        Where its folder is: the source is `ps1/ps1.ipynb` below it.

    Raises
    ------
    ValueError
        If there is no such set, or it is none that can be graded.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
        raise ValueError(f"{name!r} is no name of a problem set; expected one such as ps1")
    path = Path(folder) / name / f"{name}.ipynb"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path}: {error.strerror}; expected the source of {name} there: go to the folder of the book, "
            "or name the folder of the problem sets with --source"
        ) from None
    try:
        found = ProblemSet(name, json.loads(data), hashlib.sha256(data).hexdigest())
        lacking = [
            grade_id(cell) or f"cell {index}"
            for index, cell in enumerate(found.notebook["cells"])
            if kind(cell).get("grade") and not (grade_id(cell) and float(kind(cell).get("points", 0)) > 0)
        ]
        if lacking:
            raise ValueError(f"{', '.join(lacking)}: expected a grade_id and points above 0")
        if not found.questions:
            raise ValueError("no cell earns points; expected nbgrader's grade: true in some")
        names = [each.name for each in found.questions]
        twice = sorted({each for each in names if names.count(each) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: two questions of one name; expected one each")
        _ = found.functions
    except (ValueError, KeyError, TypeError, SourceError) as error:
        reason = f"no notebook: {error!r}" if isinstance(error, KeyError | TypeError) else error
        raise ValueError(f"{path}: {reason}") from None
    return found


def kind(cell):
    """Return what nbgrader's metadata say of a cell, {} where they say nothing."""
    return cell["metadata"].get("nbgrader", {})


def grade_id(cell):
    """Return the name of a cell of a set, None for others."""
    return kind(cell).get("grade_id")


def source(cell):
    """Return the text of a cell, which a file may hold as a list of lines."""
    return "".join(cell["source"])
