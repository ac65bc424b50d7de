"""Owns the ledger: all formulas by label, their checks on a problem, and the table of the verdicts."""

from __future__ import annotations

import textwrap

from pgtlab.slides import points_on_critics, points_on_values, s07_s08, s09_s15, s17_s21, s22_s23
from pgtlab.slides.formula import routes

_TOPICS = (s07_s08, s09_s15, s17_s21, s22_s23, points_on_critics, points_on_values)


def _number(formula):
    """Return the number of a point, and 0 for a formula of the slides."""
    return int(formula.id.removeprefix("point ")) if formula.id.startswith("point") else 0


#: Every formula by its label, in the order of the slides; then the points that these leave out.
FORMULAS = {
    formula.id: formula
    for formula in sorted((each for topic in _TOPICS for each in topic.FORMULAS), key=_number)
}

#: Widths of the columns of the table: label, both routes, verdict.
_WIDTHS = (8, 26, 26, 12)


def check(id, mdp, policy):
    """Check one formula on one problem.

    Parameters
    ----------
    id : str
        A label, such as ``"9.1"`` or ``"point 4"``.
    mdp : FiniteMDP or LinearQuadraticMDP
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
    if id not in FORMULAS:
        raise KeyError(f"there is no formula {id!r}; expected one of {', '.join(FORMULAS)}")
    return FORMULAS[id].check(mdp, policy)


def check_all(mdp, policy):
    """Check every formula that applies to a problem.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
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
    >>> len(results) == len(FORMULAS), all(each.agrees for each in results)
    (True, True)
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
