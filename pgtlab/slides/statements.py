"""Owns the ledger: all formulas by label, their checks on a problem, and the table of the verdicts."""

from __future__ import annotations

import importlib
import pkgutil
import re
import textwrap
from pathlib import Path

from pgtlab.slides.formula import Formula, routes
from pgtlab.slides.places import places


def _topics():
    """Return the files that state formulas: those of the slides, of the lettered chapters, of the points."""
    names = [each.name for each in pkgutil.iter_modules([str(Path(__file__).parent)])]
    numbered = sorted(
        (each for each in names if re.match(r"[a-z]\d", each)), key=lambda each: (each[0] != "s", each)
    )
    points = sorted(each for each in names if each.startswith("points"))
    return [importlib.import_module(f"pgtlab.slides.{each}") for each in numbered + points]


def _number(formula):
    """Return the number of a point, and 0 for a formula with a label."""
    return int(formula.id.removeprefix("point ")) if formula.id.startswith("point") else 0


_STATED = [each for topic in _topics() for each in vars(topic).values() if isinstance(each, Formula)]

#: Every formula by its label, in the order of the slides and of the chapters beyond them; then the points
#: that the slides leave out.
FORMULAS = {formula.id: formula for formula in sorted(_STATED, key=_number)}

#: Widths of the columns of the table: label, both routes, verdict.
_WIDTHS = (8, 26, 26, 12)


def check(id, mdp, policy):
    """Check one formula on one problem.

    Parameters
    ----------
    id : str
        A label, such as ``"9.1"``, ``"point 4"`` or ``"L.3"``.
    mdp : FiniteMDP, LinearQuadraticMDP or TokenTree
    policy : FinitePolicy or LinearGaussianPolicy
        One policy, no batch.

    Returns
    -------
    Check
        With both sides, the residual, and whether they agree.

    Raises
    ------
    KeyError
        If there is no formula of that label.
    ValueError
        If the formula does not apply to the problem, the policy is a batch or does not fit the problem, or
        what the formula is about does not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Examples
    --------
    >>> from pgtlab.gallery import short_corridor
    >>> print(check("10.1", *short_corridor()))
    (10.1) the left side [-12.0, -12.0] and the right side [-12.0, -12.0] agree within 1e-10
    """
    return _stated(id).check(mdp, policy)


def _stated(id):
    if id not in FORMULAS:
        raise KeyError(f"there is no formula {id!r}; expected one of {', '.join(FORMULAS)}")
    return FORMULAS[id]


def where(id):
    """Say where a formula is in the package: its two sides, its mistake, and the lines of its proof.

    Parameters
    ----------
    id : str
        A label, such as ``"9.1"``, ``"point 4"`` or ``"L.3"``.

    Returns
    -------
    dict
        For the name of each function its file and line. The last is of `letters`, in the file of the same
        name, and is missing where SymPy is not installed.

    Raises
    ------
    KeyError
        If there is no formula of that label.

    Examples
    --------
    >>> list(where("9.1"))
    ['left_9_1', 'right_9_1', 'mistaken_9_1', 'lines_9_1']
    """
    return places(_stated(id))


def check_all(mdp, policy):
    """Check every formula that applies to a problem.

    Parameters
    ----------
    mdp : FiniteMDP, LinearQuadraticMDP or TokenTree
    policy : FinitePolicy or LinearGaussianPolicy
        One policy, no batch.

    Returns
    -------
    list of Check
        In the order of `FORMULAS`.

    Raises
    ------
    ValueError, TypeError
        As `check`, but for formulas that do not apply: these are left out.

    Notes
    -----
    Less than a second for a problem of six states. The sums over time take log(1e17) / (1 - discount)
    terms. Within a few hundredths of where the return ceases to exist, such as a closed loop with
    discount * drift^2 close to 1, the difference quotients have fewer digits than the formulas ask for. A
    problem is refused where some action is taken less than 1e-8 times as often as others, a score is above
    100, or features are nearly dependent: there the second routes cannot judge the first.

    Examples
    --------
    >>> from pgtlab.gallery import two_states
    >>> results = check_all(*two_states())
    >>> len(results), all(each.agrees for each in results)
    (54, True)
    """
    # Also checks the arguments, whichever formulas apply.
    routes(mdp, policy)
    return [each.check(mdp, policy) for each in FORMULAS.values() if each.applies(mdp, policy)]


def ledger(results):
    """Table of verdicts, as text.

    Parameters
    ----------
    results : iterable of Check

    Returns
    -------
    str
        A head, a row for each result with the residual that it stays below, and a count; lines of at most
        76 characters. Where all hold, no digit depends on the processor.

    Examples
    --------
    >>> from pgtlab.gallery import now_or_later
    >>> print(ledger([check("9.1", *now_or_later()), check("23.2", *now_or_later())]))
    formula  left side                  right side                 verdict
    9.1      differences of J, itself a the theorem, by linear     agree 1e-08
             sum over time              solves
    23.2     from gradient and Fisher   least squares on sums over agree 1e-08
             information                time
    2 of 2 hold
    """
    results = list(results)
    rows = [("formula", "left side", "right side", "verdict")]
    for each in results:
        rows.append((each.id, each.formula.left_route, each.formula.right_route, each.verdict))
    lines = [line for row in rows for line in _lines(row)]
    return "\n".join([*lines, f"{sum(each.agrees for each in results)} of {len(results)} hold"])


def _lines(row):
    """Return a row as lines of text, each cell wrapped to the width of its column."""
    cells = [textwrap.wrap(cell, width) for cell, width in zip(row, _WIDTHS, strict=True)]
    for i in range(max(map(len, cells))):
        parts = [cell[i] if i < len(cell) else "" for cell in cells]
        yield " ".join(part.ljust(width) for part, width in zip(parts, _WIDTHS, strict=True)).rstrip()
