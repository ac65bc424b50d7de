"""Owns fractions of polynomials with whole coefficients, multiplied out.

SymPy's `together` and `expand` come to the same, and take far longer. A polynomial is a dict here, and the
powers of all letters of a term are one whole number, its key: each letter has `_BITS` bits of it, so that the
key of a product is the sum of the keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import lcm

import sympy as sp
from sympy.core.function import AppliedUndef

#: Bits for the power of a letter, and the highest power that is multiplied out; products stay far below 2^32.
_BITS, _HIGHEST = 32, 1000

_ONE = {0: 1}


class NotAFractionError(ValueError):
    """An expression that is no fraction of polynomials in its letters."""


@dataclass(frozen=True)
class Fraction:
    """A polynomial over a whole number times powers of other polynomials.

    Attributes
    ----------
    above : dict
        The numerator.
    scale : int
        The whole number below.
    below : dict
        The other factors below, each a frozenset of the items of a polynomial, with their powers.
    """

    above: dict
    scale: int = 1
    below: dict = field(default_factory=dict)


class Fractions:
    """Writes expressions as fractions, in letters that they share.

    Parameters
    ----------
    letters : iterable of sympy.Expr, optional
        The letters, the first of them first in each term. With them every other root, exponential or power
        with a letter in it is refused; without them each counts as a letter: what holds for all letters in
        their place holds for them.
    """

    def __init__(self, letters=None):
        self._any = letters is None
        letters = list(letters or ())
        self._keys = {each: 1 << _BITS * i for i, each in enumerate(reversed(letters))}
        self._known = {}

    def __call__(self, expression):
        """Return an expression as a fraction.

        Raises
        ------
        NotAFractionError
            If it is none.
        ZeroDivisionError
            If it divides by what is 0 everywhere.
        """
        found = self._known.get(expression)
        if found is None:
            found = self._known[expression] = self._written(expression)
        return found

    def _written(self, expression):
        if expression.is_Rational:
            return Fraction(_constant(int(expression.p)), int(expression.q))
        if expression.is_Add:
            return _sum([self(each) for each in expression.args])
        if expression.is_Mul:
            return _product(map(self, expression.args))
        if expression.is_Pow and expression.exp.is_Integer:
            return _power(self(expression.base), int(expression.exp))
        if is_letter(expression):
            return self._letter(expression)
        if not self._any or (expression.is_number and not expression.is_finite) or expression.has(sp.Float):
            raise NotAFractionError
        if expression.is_Pow or isinstance(expression, sp.exp):
            return self._of_powers(*expression.as_base_exp())
        return self._letter(expression)

    def _of_powers(self, base, exponent):
        """Return a power as a product: one factor for each term of the exponent, without its whole number."""
        factors = []
        for each in sp.Add.make_args(sp.expand(exponent)):
            n, rest = each.as_coeff_Mul()
            if n.is_Integer:
                factors.append(_power(self._letter(base**rest) if rest != 1 else self(base), int(n)))
            else:
                factors.append(self._letter(base**each))
        return _product(factors)

    @property
    def free(self):
        """Whether each letter may have any value: no root or exponential is among them."""
        return all(map(is_letter, self._keys))

    def _letter(self, expression):
        key = self._keys.get(expression)
        if key is None:
            if not self._any:
                raise NotAFractionError
            key = self._keys[expression] = 1 << _BITS * len(self._keys)
        return Fraction({key: 1})

    def terms(self, polynomial):
        """Return the terms of a polynomial, highest powers of the first letters first.

        Returns
        -------
        list of (dict, int)
            The powers of the letters that a term has, in their order, and its coefficient.
        """
        letters = sorted(self._keys, key=self._keys.get, reverse=True)
        shift = {each: self._keys[each].bit_length() - 1 for each in letters}
        return [
            (
                {each: n for each in letters if (n := key >> shift[each] & (1 << _BITS) - 1)},
                polynomial[key],
            )
            for key in sorted(polynomial, reverse=True)
        ]


def is_letter(expression):
    """Whether an expression may have any value: a symbol, or a function not defined further."""
    return expression.is_Symbol or isinstance(expression, AppliedUndef | sp.Derivative)


def _sum(fractions):
    scale, below = common(fractions)
    above = {}
    for each in fractions:
        for key, x in lifted(each, scale, below).items():
            above[key] = above.get(key, 0) + x
    return Fraction({key: x for key, x in above.items() if x}, scale, below)


def common(fractions):
    """Return one denominator for all: the whole number, and the other factors with their powers.

    What denominators have in common is seen by comparing their factors only.
    """
    scale, below = 1, {}
    for each in fractions:
        scale = lcm(scale, each.scale)
        below |= {factor: max(below.get(factor, 0), n) for factor, n in each.below.items()}
    return scale, below


def lifted(fraction, scale, below):
    """Return the numerator that a fraction has over a denominator."""
    missing = {each: n - fraction.below.get(each, 0) for each, n in below.items()}
    return _times(_times(fraction.above, _constant(scale // fraction.scale)), _multiplied_out(missing))


def _product(fractions):
    above, scale, below = _ONE, 1, {}
    for each in fractions:
        above, scale = _times(above, each.above), scale * each.scale
        below |= {factor: below.get(factor, 0) + n for factor, n in each.below.items()}
    return Fraction(above, scale, below)


def _power(fraction, n):
    if abs(n) > _HIGHEST:
        raise NotAFractionError
    if n >= 0:
        below = {factor: n * power for factor, power in fraction.below.items()} if n else {}
        return Fraction(_to(fraction.above, n), fraction.scale**n, below)
    if not fraction.above:
        raise ZeroDivisionError
    above = _times(_multiplied_out(fraction.below), _constant(fraction.scale))
    if set(fraction.above) == {0}:
        sign = 1 if fraction.above[0] > 0 else -1
        return Fraction(_to(_times(above, _constant(sign)), -n), abs(fraction.above[0]) ** -n)
    return Fraction(_to(above, -n), 1, {frozenset(fraction.above.items()): -n})


def _constant(n):
    return {0: n} if n else {}


def _multiplied_out(factors):
    product = _ONE
    for factor, n in factors.items():
        product = _times(product, _to(dict(factor), n))
    return product


def _to(polynomial, n):
    product = _ONE
    for _ in range(n):
        product = _times(product, polynomial)
    return product


def _times(one, other):
    if one == _ONE:
        return other
    if other == _ONE:
        return one
    product = {}
    for key, x in one.items():
        for more, y in other.items():
            both = key + more
            product[both] = product.get(both, 0) + x * y
    return {key: x for key, x in product.items() if x}
