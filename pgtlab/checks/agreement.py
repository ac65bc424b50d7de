"""Owns the comparison of two sides of a claim, and the check that must fail."""

from __future__ import annotations

import contextlib
import math
import re
import textwrap

import numpy as np

from pgtlab import _validate
from pgtlab.checks import fold

#: Characters in a printed line; a page of the book shows as many without scrolling.
_LINE = 76

#: How far two sides are apart, in the message of a check that failed: it unfolds.
_HOW_FAR = re.compile(r": they (?:differ|are)\b.*?(?=\. Likely cause: |$)", re.DOTALL)

#: Characters of a side that still stands in the one line on a page.
_SHORT = 28


def agree(*, within=1e-10, cause=None, **sides):
    """Check that two or more sides of a claim are equal, and show them.

    Parameters
    ----------
    within : float
        Largest difference allowed between any two sides, in the units of the sides.
    cause : str, optional
        A likely cause, to be said if the check fails.
    **sides : array_like
        The sides by name, all of one shape; in the output ``_`` becomes a space.

    Raises
    ------
    AssertionError
        If two sides differ by more than `within`, in shape, or by a NaN in one of them only: with the
        place, both values and the likely cause.
    ValueError
        If `within` is not above 0 or there are fewer than two sides.
    TypeError
        If a side is not made of real numbers.

    Notes
    -----
    Shown are at most 6 significant digits, and no decimals far below `within`, so that the output does not
    depend on the processor. In a notebook the check is one line that unfolds the numbers; elsewhere they are
    printed.

    Examples
    --------
    >>> agree(by_hand=[6.0, 4.0], by_solving=[6.0, 4.0 + 1e-13])
    by hand     [6, 4]
    by solving  [6, 4]
    agree within 1e-10
    """
    values = _sides(sides, within)
    first = next(iter(values))
    for name in list(values)[1:]:
        _compare(first, values[first], name, values[name], within, cause)
    decimals = max(0, math.ceil(-math.log10(within)) + 1)
    texts = written({name: np.round(value, decimals) for name, value in values.items()}, digits=6)
    verdict = f"agree within {within:.3g}"
    fold.show(_line(texts, verdict, values[first].size), f"{columns(texts)}\n{verdict}")


@contextlib.contextmanager
def caught():
    """Run a check that must fail, and show how it failed: in a notebook a line that unfolds.

    Raises
    ------
    AssertionError
        If the check passes: then it does not see the mistake it was written for.

    Examples
    --------
    >>> with caught():
    ...     agree(right=1.0, mistaken=2.0, cause="counted twice")
    caught: right is 1 but mistaken is 2: they differ by 1, more than 1e-10.
    Likely cause: counted twice
    """
    try:
        yield
    except AssertionError as error:
        message = f"caught: {error}"
        fold.show(_HOW_FAR.sub("", message), textwrap.fill(message, _LINE), failed=True)
    else:
        raise AssertionError(
            "the check passed; expected it to fail. Likely cause: on this problem the mistake does not show"
        )


def _sides(sides, within):
    if _validate.number("within", within) <= 0:
        raise ValueError(f"within is {_validate.shown(within)}; expected a number above 0")
    if len(sides) < 2:
        raise ValueError(f"agree takes two sides or more, got {len(sides)}; write agree(left=..., right=...)")
    return {name.replace("_", " "): _validate.numbers(name, value) for name, value in sides.items()}


def _compare(left_name, left, right_name, right, within, cause):
    if left.shape != right.shape:
        raise AssertionError(
            f"{left_name} has shape {left.shape} but {right_name} has shape {right.shape}{because(cause)}"
        )
    # Equal infinities agree, and so does NaN with NaN.
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    gap = np.abs(np.subtract(left, right, where=~same, out=np.zeros(left.shape)))
    wrong = ~(gap <= within)
    if wrong.any():
        at = np.unravel_index(np.argmax(np.where(np.isnan(gap), np.inf, gap)), gap.shape)
        place = _validate.subscript(at)
        raise AssertionError(
            f"{left_name}{place} is {left[at]:.6g} but {right_name}{place} is {right[at]:.6g}: "
            f"they differ by {gap[at]:.3g}, more than {within:g}{because(cause)}"
        )


def _line(texts, verdict, size):
    """Return what a reader sees of an agreement: the numbers, too, where there are few."""
    names = fold.listed(texts)
    if max(map(len, texts.values())) > _SHORT or any("\n" in text for text in texts.values()):
        return f"{names} {verdict} ({size} numbers each)"
    if len(set(texts.values())) == 1:
        return f"{names} {verdict}: {next(iter(texts.values()))}"
    return f"{fold.listed([f'{name} {text}' for name, text in texts.items()])} {verdict}"


def written(values, *, digits):
    """Return the texts of arrays by name, to so many significant digits."""
    indent = " " * (max(map(len, values)) + 2)
    return {
        name: np.array2string(
            # Adding 0 turns -0 into 0.
            value + 0.0,
            separator=", ",
            threshold=30,
            edgeitems=3,
            max_line_width=_LINE,
            prefix=indent,
            formatter={"float_kind": lambda x: f"{x:.{digits}g}"},
        )
        for name, value in values.items()
    }


def columns(texts):
    """Return texts one below the other, with their names before them."""
    width = max(map(len, texts))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in texts.items())


def because(cause):
    """Return the end of a message that names a likely cause, if there is one."""
    return f". Likely cause: {cause}" if cause else ""
