"""Owns what is read from nbgrader's gradebook: SQL alone, for nbgrader takes seconds to load."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass

from pgtgrade.problem_sets import kind


@dataclass(frozen=True)
class Score:
    """What the gradebook says of one question of one student.

    Attributes
    ----------
    automatic, manual, extra : float or None
        Points by the hidden tests, by a person in their place, and beside either.
    changed : bool
        Whether the answer changed after a person had given points.
    comment : str
    """

    automatic: float | None = None
    manual: float | None = None
    extra: float | None = None
    changed: bool = False
    comment: str = ""

    @property
    def points(self):
        """What counts, None if nobody has graded it yet."""
        given = self.automatic if self.manual is None else self.manual
        return None if given is None else given + (self.extra or 0.0)

    @property
    def is_by_hand(self):
        """Whether a person gave anything."""
        return self.manual is not None or bool(self.extra) or bool(self.comment)


@dataclass(frozen=True)
class Cells:
    """The cells of a set as the gradebook holds them.

    Attributes
    ----------
    graded : dict of str to (float, str)
        Points and type of each cell that carries points, by its grade_id.
    solutions : set of str
    sources : dict of str to (str, bool, str)
        Type, whether it is locked, and text of each cell.
    """

    graded: dict
    solutions: set
    sources: dict

    def hold(self, other):
        """Say whether all of other cells is in these, and no other cell carries points."""
        return (
            self.graded == other.graded
            and self.solutions >= other.solutions
            and self.sources.items() >= other.sources.items()
        )


def cells_of(problem_set):
    """Return the cells of a set as the gradebook should hold them."""
    points = {each.cell: each.points for each in problem_set.questions}
    solutions = {name for name, cell in problem_set.cells.items() if kind(cell).get("solution")}
    types = {name: cell["cell_type"] for name, cell in problem_set.cells.items()}
    return Cells(
        {name: (points[name], types[name]) for name in types if name in points},
        solutions,
        {
            name: (types[name], name not in solutions, cell["source"])
            for name, cell in problem_set.cells.items()
        },
    )


def cells_in(path, set_name):
    """Return the cells of a set that a gradebook holds, None if the set is not entered in it."""
    with closing(sqlite3.connect(path)) as book:
        if not book.execute("SELECT 1 FROM sqlite_master WHERE name = 'source_cell'").fetchone():
            return None
        found = book.execute(
            "SELECT notebook.id FROM notebook JOIN assignment ON assignment.id = notebook.assignment_id"
            " WHERE notebook.name = ? AND assignment.name = ?",
            (set_name, set_name),
        ).fetchone()
        if not found:
            return None
        graded = book.execute(
            "SELECT name, max_score, cell_type FROM grade_cells JOIN base_cell USING (id)"
            " WHERE notebook_id = ?",
            found,
        )
        graded = {name: tuple(rest) for name, *rest in graded}
        solutions = book.execute(
            "SELECT name FROM solution_cells JOIN base_cell USING (id) WHERE notebook_id = ?", found
        )
        solutions = {name for (name,) in solutions}
        sources = book.execute(
            "SELECT name, cell_type, locked, source FROM source_cell WHERE notebook_id = ?", found
        )
        sources = {name: (type_, bool(locked), text) for name, type_, locked, text in sources}
        return Cells(graded, solutions, sources)


def scores_in(path, problem_set):
    """Return the score of every question in a gradebook.

    Parameters
    ----------
    path : path
    problem_set : ProblemSet

    Returns
    -------
    dict of str to dict of str to Score
        By the key of the student and the name of the question.
    """
    names = {each.cell: each.name for each in problem_set.questions}
    answers = {each.answer: each.name for each in problem_set.questions if each.answer}
    found, theirs = {}, (problem_set.name, problem_set.name)
    with closing(sqlite3.connect(path)) as book:
        comments = {
            (key, answers.get(cell)): comment or ""
            for key, cell, comment in book.execute(
                f"SELECT student_id, base_cell.name, coalesce(manual_comment, auto_comment) {_OF_A_SET}"
                " JOIN comment ON comment.notebook_id = submitted_notebook.id"
                " JOIN base_cell ON base_cell.id = comment.cell_id"
                f" {_WHICH}",
                theirs,
            )
        }
        for key, cell, automatic, manual, extra, waits in book.execute(
            "SELECT student_id, base_cell.name, auto_score, manual_score, extra_credit, needs_manual_grade"
            f" {_OF_A_SET}"
            " LEFT JOIN grade ON grade.notebook_id = submitted_notebook.id"
            " LEFT JOIN base_cell ON base_cell.id = grade.cell_id"
            f" {_WHICH}",
            theirs,
        ):
            scores = found.setdefault(key, {})
            if cell is not None:
                changed = manual is not None and bool(waits)
                comment = comments.get((key, names[cell]), "")
                scores[names[cell]] = Score(automatic, manual, extra, changed, comment)
    return found


#: From where the submissions of a set come, and which they are.
_OF_A_SET = (
    "FROM submitted_notebook"
    " JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id"
    " JOIN assignment ON assignment.id = submitted_assignment.assignment_id"
    " JOIN notebook ON notebook.id = submitted_notebook.notebook_id"
)
_WHICH = "WHERE notebook.name = ? AND assignment.name = ? ORDER BY submitted_notebook.rowid, base_cell.rowid"
