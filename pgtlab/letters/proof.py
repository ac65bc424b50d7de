"""Owns what a proof is here: lines of two expressions each that are shown to be equal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from pgtlab.letters import typeset
from pgtlab.letters.equality import equal

#: Characters in a printed line; a page of the book shows as many without scrolling.
_LINE = 76


@dataclass(frozen=True)
class Line:
    r"""One step of an argument: a reason in words, and two sides that it makes equal.

    Attributes
    ----------
    reason : str
    left, right : sympy.Expr or sympy.Matrix
    says : str
        The step as an equation in LaTeX, as one would write it on a board; without it the two sides are shown
        as they are. ``\d{V}`` is the derivative of V in theta, and what stands between « and » is the object
        that the argument carries along.
    """

    reason: str
    left: object
    right: object
    says: str = ""


@dataclass(frozen=True)
class Proof:
    """Lines that together prove a numbered formula of the slides.

    As the last line of a cell it shows itself: each line as an equation with its reason, and under it, to
    fold out, what SymPy was given, the difference of the two sides, and what that came to.

    Attributes
    ----------
    id : str
        The label of the formula, such as ``"8.4"``.
    lines : callable
        Without arguments; returns the `Line` objects one after the other.
    """

    id: str
    lines: Callable

    def check(self):
        """Prove every line; print its reason, and raise AssertionError at one that does not hold.

        Raises
        ------
        AssertionError
            With the formula, the reason and both sides.
        """
        for number, line in enumerate(self.lines(), start=1):
            print(self._proved(number, line))

    def _proved(self, number, line):
        """Return what is said of a line that holds."""
        if not equal(line.left, line.right):
            raise AssertionError(
                f"({self.id}), line {number}, {line.reason}: {line.left} is not {line.right}"
            )
        said = f"({self.id}) {number}. {line.reason}: proved"
        return textwrap.fill(said, _LINE, subsequent_indent="    ")

    def page(self, *, folds=True):
        """Prove every line and return the proof as a page, whose formulas MathJax typesets.

        Parameters
        ----------
        folds : bool
            Whether each line folds out what SymPy was given and the difference that becomes 0.

        Returns
        -------
        str
            HTML.

        Raises
        ------
        AssertionError
            As `check`.
        """
        return self._shown(folds)["text/html"]

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Prove every line and return how the proof is shown, as text and as a page."""
        return self._shown(folds=True)

    def _shown(self, folds):
        lines = list(self.lines())
        said = [self._proved(number, line) for number, line in enumerate(lines, start=1)]
        return {"text/plain": "\n".join(said), "text/html": typeset.page(self.id, lines, folds)}


def proofs(lines):
    """Return a dict of proofs from a dict of functions, by label."""
    return {id: Proof(id, each) for id, each in lines.items()}


def stated(modules):
    """Return the proofs of files in which ``lines_9_1`` yields the lines of (9.1), by label, points last."""
    found = {}
    for module in modules:
        for name, function in vars(module).items():
            label = re.fullmatch(r"lines_(\w+)_(\d+)", name)
            if label and function.__module__ == module.__name__:
                found[(" " if label[1] == "point" else ".").join(label.groups())] = function
    points = sorted((each for each in found if " " in each), key=lambda each: int(each.split()[1]))
    return proofs({id: found[id] for id in [*(each for each in found if "." in each), *points]})
