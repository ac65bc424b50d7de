"""The problem sets as their tests see them: the source notebook, and answers to its questions."""

from __future__ import annotations

import ast
import importlib
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

from pgtgrade.here import examine_here, visible_here

FOLDER = Path(__file__).resolve().parents[2] / "book" / "exercises"


@dataclass(frozen=True)
class Answer:
    """A right or wrong answer to a question, as a student might write it.

    Attributes
    ----------
    question : str
        The grade_id of the answer's cell.
    kind : str
        "right" or "wrong".
    mistake : str
        What is wrong with it, or how it differs from the instructor's.
    code : str
        The whole cell.
    says : str
        Words with which the visible checks name the cause; empty if they do not see the mistake.
    earns : float
        Points for the parts that are right all the same.
    breaks : tuple of str
        The questions whose points it loses: its own, unless something else is said.
    """

    question: str
    kind: str
    mistake: str
    code: str
    says: str = ""
    earns: float = 0
    breaks: tuple[str, ...] | None = None

    def __post_init__(self):
        if self.kind not in {"right", "wrong"} or (self.kind == "right" and (self.says or self.breaks)):
            raise ValueError(f"{self.question}, {self.mistake}: a right answer breaks nothing")
        if self.breaks is None:
            object.__setattr__(self, "breaks", (self.question,) if self.kind == "wrong" else ())

    @property
    def visible(self):
        """Whether the visible checks see the mistake."""
        return bool(self.says)


def wrong(question, code, *changes, breaks=None):
    """Yield wrong answers, each a right one with a slip: (mistake, old text, new text, what is said).

    A fifth entry is what its right parts earn.
    """
    for mistake, old, new, says, *earns in changes:
        if old not in code:
            raise ValueError(f"{question}, {mistake}: {old!r} does not stand in the right answer")
        yield Answer(question, "wrong", mistake, code.replace(old, new), says, *earns, breaks=breaks)


class ProblemSet:
    """A source notebook, its cells by grade_id."""

    def __init__(self, path):
        self.path, self.name = path, path.stem
        self.notebook = nbformat.read(path, 4)
        self.cells = {cell.metadata.nbgrader.grade_id: cell for cell in self.notebook.cells}
        if len(self.cells) != len(self.notebook.cells):
            raise ValueError(f"{path.name}: two cells have the same grade_id")

    @property
    def questions(self):
        """Points of each coding question, by the grade_id of its answer."""
        return {
            name.removeprefix("test-"): cell.metadata.nbgrader.points
            for name, cell in self.cells.items()
            if name.startswith("test-")
        }

    @property
    def derivations(self):
        """Points of what is graded by hand, by its grade_id."""
        return {
            name: cell.metadata.nbgrader.points
            for name, cell in self.cells.items()
            if name.startswith("derive-")
        }

    def solution(self, question):
        """The instructor's answer to a question."""
        return self.cells[question].source

    def look(self, question, code):
        """Return what the visible checks of a question say of an answer, None if they find no fault."""
        with quiet():
            return visible_here({question: code}, self.notebook)[f"check-{question}"]

    def judge(self, answers):
        """Return the points of each coding question, and what its hidden test says, None if all is right."""
        with quiet():
            found = examine_here(answers, self.notebook)
        return {name.removeprefix("test-"): result for name, result in found.items()}


@contextmanager
def quiet():
    """Let NumPy warn as it does in a notebook, where a warning is no error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def problem_sets():
    """Return every set there is."""
    return [ProblemSet(path) for path in sorted(FOLDER.glob("ps?/ps?.ipynb"))]


def bank(problem_set):
    """Return the answers to a set."""
    return importlib.import_module(f"tests.exercises.bank_{problem_set.name}").BANK


def functions(source):
    """Return the names of the functions that a cell defines."""
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def assigned(source):
    """Return the names that a cell leaves behind, but for what it imports and for `_`."""
    nodes, names = [ast.parse(source)], functions(source)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.comprehension):
            nodes += ast.iter_child_nodes(node)
    return names - {"_"}


def names_in(source):
    """Return every name that a cell uses."""
    nodes = list(ast.walk(ast.parse(source)))
    plain = {node.id for node in nodes if isinstance(node, ast.Name)}
    return plain | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
