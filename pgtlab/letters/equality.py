"""Owns the test that two expressions are equal, and what it comes down to."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy.core.function import AppliedUndef

from pgtlab.letters.fractions import Fractions, NotAFractionError, common, is_letter, lifted


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
    if left.shape != right.shape:
        return False
    remainders, fractions = {}, Fractions()
    return all(_same(*pair, remainders, fractions) for pair in zip(left, right, strict=True))


def _same(left, right, remainders, fractions):
    if left == right:
        return not left.has(sp.nan, sp.zoo, sp.oo, -sp.oo)
    try:
        if _remainder(left, remainders) != _remainder(right, remainders):
            return False
    except (ValueError, ZeroDivisionError):  # no such fraction, or one of its denominators is 0 there
        pass
    try:
        one, other = _numerators(fractions(left), fractions(right))
        if one == other or fractions.free:
            return one == other
    except ZeroDivisionError:  # one side has no value anywhere
        return False
    except NotAFractionError:
        pass
    difference = left - right
    unknown = difference.atoms(AppliedUndef, sp.Derivative)
    difference = difference.xreplace({each: sp.Dummy() for each in unknown})
    return not _is_not_0_somewhere(difference) and sp.simplify(difference) == 0


def _numerators(*fractions):
    denominator = common(fractions)
    return [lifted(each, *denominator) for each in fractions]


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
    elif is_letter(expression):
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
    left, right : list of (dict, sympy.Rational)
        The terms of the numerators: the powers of their letters, and the coefficient.
    below : list of (list, int)
        The factors of the denominator, as terms too, with their powers.
    """

    left: list
    right: list
    below: list


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
    # Always in one order, so that the polynomials are written alike each time.
    unknown = sorted(whole.atoms(AppliedUndef, sp.Derivative), key=sp.default_sort_key)
    names = {f"_{i:03}": each for i, each in enumerate(unknown)}  # between capital and small letters
    named = whole.xreplace({each: sp.Symbol(name) for name, each in names.items()})
    names = {str(each): each for each in named.free_symbols} | names
    fractions = Fractions(names[each] for each in sorted(names))
    try:
        one, other = (fractions(each) for each in whole)
    except NotAFractionError:
        return None
    scale, below = common([one, other])
    left, right = (
        [(powers, sp.Rational(x, scale)) for powers, x in fractions.terms(lifted(each, scale, below))]
        for each in (one, other)
    )
    factors = [(fractions.terms(dict(each)), n) for each, n in below.items() if n]
    return Reduction(left, right, sorted(factors, key=lambda factor: (len(factor[0]), str(factor))))
