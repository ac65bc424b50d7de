"""Owns the test that two expressions are equal, and what it comes down to."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy.core.function import AppliedUndef


def equal(left, right):
    """Whether two expressions, or two matrices, are equal for all values of their symbols.

    Parameters
    ----------
    left, right : sympy.Expr or sympy.Matrix

    Returns
    -------
    bool
        True only if SymPy reduces every difference to 0.

    Notes
    -----
    Functions that are not defined further, such as :math:`\\pi(\\theta)`, and their derivatives count as
    symbols: what holds for all letters in their place holds for all functions.

    Examples
    --------
    >>> x = sp.Symbol("x")
    >>> equal((x**2 - 1) / (x - 1), x + 1), equal(x, x + 1)
    (True, False)
    """
    left, right = (sp.Matrix([side]) if not hasattr(side, "shape") else side for side in (left, right))
    return left.shape == right.shape and all(_vanishes(each) for each in left - right)


def _vanishes(difference):
    unknown = difference.atoms(AppliedUndef, sp.Derivative)
    difference = difference.xreplace({each: sp.Dummy() for each in unknown})
    try:
        if _remainder(difference, {}) != 0:
            return False
    except (ValueError, ZeroDivisionError):  # no such fraction, or one of its denominators is 0 there
        pass
    try:
        # A fraction of polynomials with rational coefficients is 0 only if nothing is left of its numerator,
        # once that is multiplied out.
        return _fraction(difference, _ring(difference))[0] == 0
    except ValueError:
        # No such fraction: there are roots, exponentials or letters in an exponent.
        numerator, _ = sp.fraction(sp.together(difference))
        expanded = sp.expand(numerator)
    return expanded == 0 or (not _is_not_0_somewhere(difference) and sp.simplify(difference) == 0)


#: A prime above all numbers that a proof writes down.
_PRIME = 2**61 - 1


def _remainder(expression, known):
    """Return the value of a fraction of polynomials at one point, modulo a prime.

    A fraction that is 0 everywhere is 0 there too, and its remainder 0: any other remainder disproves it, in
    the time that it takes to read the expression once.
    """
    if expression in known:
        return known[expression]
    if expression.is_Rational:
        value = expression.p * pow(expression.q, -1, _PRIME)
    elif expression.is_Symbol:
        value = 3 ** (len(known) + 40)
    elif expression.is_Add:
        value = sum(_remainder(each, known) for each in expression.args)
    elif expression.is_Mul:
        value = 1
        for each in expression.args:
            value = value * _remainder(each, known) % _PRIME
    elif expression.is_Pow and expression.exp.is_Integer:
        base, n = _remainder(expression.base, known), int(expression.exp)
        if base == 0 and n < 0:
            raise ZeroDivisionError
        value = pow(base, n, _PRIME)
    else:
        raise ValueError
    return known.setdefault(expression, value % _PRIME)


def _ring(expression):
    # One letter more than the expression has: SymPy makes no ring without letters.
    return sp.ring([sp.Dummy(), *sorted(expression.free_symbols, key=str)], sp.QQ)[0]


def _fraction(expression, ring):
    """Return numerator and denominator, a polynomial of the ring and the powers of some others in a dict.

    The same as `sympy.together` and `expand`, but ten times as fast: the polynomials are multiplied out on
    the way, and what the denominators have in common is seen by comparing their factors only.
    """
    if expression.is_Add:
        parts = [_fraction(each, ring) for each in expression.args]
        below = {}
        for _, factors in parts:
            below = {each: max(below.get(each, 0), factors.get(each, 0)) for each in below | factors}
        above = ring.zero
        for part, factors in parts:
            above += part * _product({each: n - factors.get(each, 0) for each, n in below.items()}, ring)
        return above, below
    if expression.is_Mul:
        above, below = ring.one, {}
        for part, factors in (_fraction(each, ring) for each in expression.args):
            above *= part
            below = {each: below.get(each, 0) + factors.get(each, 0) for each in below | factors}
        return above, below
    if expression.is_Pow and expression.exp.is_Integer:
        above, below = _fraction(expression.base, ring)
        n = int(expression.exp)
        if n > 0:
            return above**n, {each: n * power for each, power in below.items()}
        return _product(below, ring) ** -n, {above: -n}
    return ring.from_expr(expression), {}


def _product(powers, ring):
    total = ring.one
    for each, n in powers.items():
        total *= each**n
    return total


def _is_not_0_somewhere(difference):
    """Whether a point is found where the expression is a number that is not 0; quicker than `simplify`."""
    symbols = sorted(difference.free_symbols, key=str)
    if any(symbol.is_integer for symbol in symbols):
        return False
    point = {symbol: sp.Rational(i + 2, 3 * i + 11) for i, symbol in enumerate(symbols)}
    value = difference.subs(point).evalf(30)
    return bool(value.is_number and value.is_finite and abs(value) > sp.Float("1e-15"))


@dataclass(frozen=True)
class Reduction:
    r"""What the difference of two fractions comes to over one denominator, both sides multiplied out.

    Attributes
    ----------
    left, right : polynomial of a ring
        The numerators.
    below : tuple of (polynomial, int)
        The factors of the denominator with their powers.
    names : dict
        For each symbol of the ring what stands for it: a symbol, a function or a derivative.
    """

    left: object
    right: object
    below: tuple
    names: dict


def reduction(left, right):
    """Bring two expressions to one denominator and multiply them out.

    Parameters
    ----------
    left, right : sympy.Expr

    Returns
    -------
    Reduction or None
        None where an expression is no fraction of polynomials: there are roots, exponentials or letters in
        an exponent.
    """
    whole = sp.Tuple(left, right)
    unknown = sorted(whole.atoms(AppliedUndef, sp.Derivative), key=sp.default_sort_key)
    # Names in the order of what they stand for, so that the polynomials are written alike each time.
    names = {sp.Symbol(f"_{i:03}"): each for i, each in enumerate(unknown)}
    whole = whole.xreplace({each: symbol for symbol, each in names.items()})
    try:
        ring = _ring(whole)
        (above, below), (other, factors) = (_fraction(each, ring) for each in whole)
    except ValueError:
        return None
    common = {each: max(below.get(each, 0), factors.get(each, 0)) for each in below | factors}
    left, right = (
        part * _product({each: n - powers.get(each, 0) for each, n in common.items()}, ring)
        for part, powers in ((above, below), (other, factors))
    )
    return Reduction(left, right, tuple((each, n) for each, n in common.items() if n), names)
