"""Owns the proof of a problem set before it is given out: its own answers pass, and slips in them fall."""

from __future__ import annotations

import ast
import copy
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pgtgrade import source as sources
from pgtgrade.here import examine_here, visible_here
from pgtgrade.judging import NotGraded

#: For whom the instances are drawn on which the set's own answers are tried.
STUDENTS = "", "one", "another"


def faults(problem_set):
    """Return what is wrong with a problem set, a sentence each.

    Parameters
    ----------
    problem_set : ProblemSet

    Returns
    -------
    list of str
        Empty if each question has an answer, a visible check and a hidden test; each hidden check says what
        the cause may be; the set's own answers pass all of it, for several students; and pgtlab has the rooms
        that the set needs.
    """
    notebook, found = problem_set.notebook, []
    try:
        source = sources.read(notebook)
        for name, code in {**source.given, **source.solutions, **source.checks}.items():
            sources.parsed(name, code)
        found += _lacking(problem_set, source)
        found += [f"{name}: {said}" for name, said in visible_here({}, notebook).items() if said]
        for student in STUDENTS:
            earned = examine_here({}, notebook, student=student)
            found += [f"{name}: {said}" for name, (_, said) in earned.items() if said]
    except (sources.SourceError, NotGraded) as error:
        found.append(str(error))
    return list(dict.fromkeys(found))


def _lacking(problem_set, source):
    found = []
    for question in problem_set.questions:
        if question.by_hand:
            continue
        if question.answer not in source.solutions:
            found.append(f"{question.cell}: no answer cell is called {question.name}")
        if source.place(question.cell) == question.cell:
            found.append(f"{question.cell}: no visible check stands between the answer and it")
        for node in ast.walk(sources.parsed(question.cell, source.hidden[question.cell][0])):
            named = [each.arg for each in getattr(node, "keywords", ())]
            if (
                ast.unparse(getattr(node, "func", ast.Constant(0))).endswith("answer")
                and "cause" not in named
            ):
                found.append(f"{question.cell}, line {node.lineno}: the check has no cause")
    return found


def slips(code):
    """Return the classic slips in a solution.

    Parameters
    ----------
    code : str
        Of the answer cell.

    Returns
    -------
    list of (str, str)
        In words, and the cell with it: a sign, a product for a quotient, a transpose or a discount forgotten.

    Examples
    --------
    >>> for words, code in slips("def f(P, gamma):\\n    return 1 - gamma * P.T"):
    ...     print(words, "|", code.splitlines()[-1].strip())
    line 2: + for - | return 1 + gamma * P.T
    line 2: / for * | return 1 - gamma / P.T
    line 2: gamma forgotten | return 1 - 1.0 * P.T
    line 2: not transposed | return 1 - gamma * P
    """
    tree = ast.parse(code)
    places = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp | ast.Name | ast.Attribute)]
    found = []
    for place in sorted(places, key=lambda node: (node.lineno, node.col_offset, -node.end_col_offset)):
        for words, change in _CHANGES:
            # The same node of a copy, found by its number.
            other = copy.deepcopy(tree)
            twin = list(ast.walk(other))[list(ast.walk(tree)).index(place)]
            made = change(twin)
            if made is not None:
                changed = ast.unparse(_Put(twin, made).visit(other))
                found.append((f"line {place.lineno}: {words}", changed))
    return found


class _Put(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else super().generic_visit(node)


def _operator(old, new):
    def change(node):
        if isinstance(node, ast.BinOp) and isinstance(node.op, old):
            return ast.BinOp(node.left, new(), node.right)
        return None

    return change


def _forgotten(node):
    is_discount = isinstance(node, ast.Name) and node.id == "gamma" and isinstance(node.ctx, ast.Load)
    return ast.Constant(1.0) if is_discount else None


_CHANGES = [
    ("- for +", _operator(ast.Add, ast.Sub)),
    ("+ for -", _operator(ast.Sub, ast.Add)),
    ("/ for *", _operator(ast.Mult, ast.Div)),
    ("* for /", _operator(ast.Div, ast.Mult)),
    ("gamma forgotten", _forgotten),
    (
        "not transposed",
        lambda node: node.value if isinstance(node, ast.Attribute) and node.attr == "T" else None,
    ),
]


@dataclass
class Slips:
    """What becomes of the classic slips.

    Attributes
    ----------
    fallen : int
        How many the hidden tests see.
    late : list of str
        Those among them that no visible check sees.
    silent : list of str
        Those for which the hidden test does not say why.
    unseen : list of str
        Those that nothing sees: they change nothing, or show that a case is missing.
    """

    fallen: int = 0
    late: list = field(default_factory=list)
    silent: list = field(default_factory=list)
    unseen: list = field(default_factory=list)


def slipped(problem_set):
    """Return what becomes of the classic slips in each answer.

    Parameters
    ----------
    problem_set : ProblemSet
        Without faults.

    Returns
    -------
    Slips
    """
    source, found = sources.read(problem_set.notebook), Slips()
    for question in problem_set.questions:
        if question.by_hand:
            continue
        check = source.place(question.cell)
        for words, code in slips(source.solutions[question.answer]):
            answer, words = {question.answer: code}, f"{question.name}, {words}"
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                seen = visible_here(answer, problem_set.notebook, [check])[check]
                said = examine_here(answer, problem_set.notebook, [question.cell])[question.cell][1]
            found.fallen += said is not None
            if said is None and seen is None:
                found.unseen.append(words)
            elif seen is None and "Likely cause" not in said:
                found.silent.append(f"{words}: {said}")
            elif seen is None:
                found.late.append(words)
    return found


def published(folder):
    """Say whether the book that a folder of sets belongs to is built with their solutions.

    Parameters
    ----------
    folder : path
        The folder of the sets, below that of the book's `_config.yml`.
    """
    return (
        re.search(r"^\s*problem_set_solutions:\s*[\"']?dropdown\b", _settings(folder), re.MULTILINE)
        is not None
    )


def site_of(folder):
    """Return the address of the published book that a folder of sets belongs to, "" if none is set."""
    found = re.search(r"^\s*baseurl:\s*[\"']?(https?://[^\s\"'#]+)", _settings(folder), re.MULTILINE)
    return found[1] if found else ""


def _settings(folder):
    """Return the text of the `_config.yml` of the book above a folder, "" if there is none."""
    for above in Path(folder).resolve().parents:
        config = above / "_config.yml"
        if config.is_file():
            return config.read_text(encoding="utf-8")
    return ""
