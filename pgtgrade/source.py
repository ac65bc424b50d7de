"""Owns what the instructor's notebook says: its given cells, the names it asks for, and its hidden tests."""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from inspect import CO_COROUTINE

from pgtgrade.needed import CHECKS, rooms


class SourceError(Exception):
    """Say what is wrong with the instructor's notebook, and in which cell."""


@dataclass(frozen=True)
class Source:
    """A problem set as the grader needs it.

    Attributes
    ----------
    problem_set : str
        Such as "ps1".
    needs : tuple of str
        The rooms of pgtlab that a submission finds when it is graded.
    given : dict of str to str
        The cells that the judge runs first, by grade_id.
    solutions : dict of str to str
        The instructor's code, by grade_id.
    checks : dict of str to str
        The visible checks, by grade_id.
    hidden : dict of str to (str, float)
        The hidden tests and their points, by grade_id.
    order : tuple of str
        The grade_ids of all code cells, from the top down.
    """

    problem_set: str
    needs: tuple
    given: dict
    solutions: dict
    checks: dict
    hidden: dict
    order: tuple

    def place(self, test):
        """Return the grade_id of the last visible check before a hidden test, or of the test itself."""
        for name in reversed(self.order[: self.order.index(test)]):
            if name in self.checks:
                return name
            if name in self.solutions:
                break
        return test

    @cached_property
    def names(self):
        """The functions that the student writes: what a solution defines at its top level."""
        return [
            node.name
            for name, code in self.solutions.items()
            for node in parsed(name, code).body
            if isinstance(node, ast.FunctionDef)
        ]


def read(notebook):
    """Return what a notebook in nbgrader's format says.

    Parameters
    ----------
    notebook : dict
        The source of a problem set, notebook format 4.

    Returns
    -------
    Source
    """
    given, solutions, checks, hidden, order = {}, {}, {}, {}, []
    for index, cell in enumerate(notebook["cells"]):
        kind = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] != "code":
            continue
        name, code = kind.get("grade_id") or f"cell {index}", "".join(cell["source"])
        order.append(name)
        if "given" in cell["metadata"].get("tags", ()):
            given[name] = code
        elif kind.get("grade") and not kind.get("solution"):
            hidden[name] = code, float(kind["points"])
        elif kind.get("solution"):
            solutions[name] = code
        else:
            checks[name] = code
    about = notebook["metadata"].get("pgtgrade", {})
    return Source(about.get("set", ""), _needs(about), given, solutions, checks, hidden, tuple(order))


def _needs(about):
    if "switched_off" in about:
        raise SourceError(
            "the metadata have switched_off; expected, in its place, needs: the rooms of pgtlab that a "
            "submission finds, such as checks"
        )
    needs = tuple(about.get("needs", CHECKS))
    try:
        rooms(needs)
    except ValueError as error:
        raise SourceError(f"the metadata: {error}") from None
    return needs


def parsed(name, code):
    """Return the syntax tree of a cell, in which `await` may stand at the top level."""
    try:
        return compile(code, f"<{name}>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError as error:
        raise SourceError(f"the source, cell {name}: {error}") from None


@lru_cache(maxsize=256)  # a lecturer's cells run once for every student
def compiled(name, code):
    """Return the code object of a cell."""
    return compile(parsed(name, code), f"<{name}>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def run(name, code, namespace):
    """Run a cell in a namespace; what it awaits must be there at once."""
    ready = compiled(name, code)
    result = eval(ready, namespace)
    if ready.co_flags & CO_COROUTINE:
        try:
            result.send(None)
        except StopIteration:
            return
        raise SourceError(f"the source, cell {name}: it waits for something that takes time")


def unreadable(code):
    """Return why Python cannot read a student's cell, None if it can.

    Parameters
    ----------
    code : str
        Lines for the notebook alone, `%matplotlib inline` and its kind, are passed over.

    Examples
    --------
    >>> unreadable("x = 3\\ny = x \N{EN DASH} 1")
    "line 2: '\N{EN DASH}' (U+2013) is not Python: opened in a word processor?"
    >>> unreadable("def half(x)")
    "line 1: expected ':'"
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(re.sub(r"(?m)^[%!?].*", "pass", code))
    except SyntaxError as error:
        found = re.match(r"invalid .*\(?U\+([0-9A-F]+)\)?$", error.msg)
        if error.lineno is None:
            return "it cannot be read"
        if not found:
            return f"line {error.lineno}: {error.msg}"
        sign = chr(int(found[1], 16))
        shown = repr(sign) if sign.isprintable() else unicodedata.name(sign, "a sign").lower()
        return f"line {error.lineno}: {shown} (U+{found[1]}) is not Python: opened in a word processor?"
    except (ValueError, RecursionError, MemoryError):
        return "it cannot be read"
    return None


#: Statements of a function from which on the same code is no coincidence.
LONG = 3


def is_copied(code, solution):
    """Say whether the code of an answer is that of a solution, but for names, comments and layout.

    Parameters
    ----------
    code, solution : str

    Returns
    -------
    bool
        False for a solution of fewer than three statements: that is written twice by chance.

    Examples
    --------
    >>> solution = "def f(x):\\n    y = x + 1\\n    z = y * y\\n    return z  # squared"
    >>> is_copied("def f(a):\\n    b = (a + 1)\\n    c = b * b\\n    return c", solution)
    True
    >>> is_copied("def f(a):\\n    b = (a + 2)\\n    c = b * b\\n    return c", solution)
    False
    """
    try:
        mine, theirs = _plain(code), _plain(solution)
    except (SyntaxError, ValueError, RecursionError):
        return False
    statements = sum(isinstance(node, ast.stmt) for node in ast.walk(theirs))
    return statements > LONG and ast.dump(mine) == ast.dump(theirs)


def _plain(code):
    """Return the syntax tree of a cell with names in the order of their appearance, without docstrings."""
    tree, names = ast.parse(code), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    for node in ast.walk(tree):
        for field in ("id", "arg", "name"):
            if isinstance(getattr(node, field, None), str):
                setattr(node, field, names.setdefault(getattr(node, field), f"name{len(names)}"))
    return tree
