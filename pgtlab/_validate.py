"""Owns the checks on what callers pass in, and the words of every error that follows."""

from __future__ import annotations

import math
import operator

import numpy as np

#: Probabilities that miss their sum by at most this much are taken to be rounded.
ROUNDING = 1e-10


def number(name, value):
    """Return `value` as a finite float."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {_kind(value)}") from None
    if not math.isfinite(result):
        raise ValueError(f"{name} is {result}; expected a finite number")
    return result


def at_least_zero(name, value):
    """Return `value` as a finite float that is not negative."""
    result = number(name, value)
    if result < 0:
        raise ValueError(f"{name} is {result:g}; expected a number of at least 0")
    return result


def in_unit_interval(name, value):
    """Return `value` as a float in [0, 1]."""
    result = number(name, value)
    if not 0 <= result <= 1:
        raise ValueError(f"{name} is {result:g}; expected a number in [0, 1]")
    return result


def discount(value):
    """Return `value` as a discount, a float in [0, 1]."""
    return in_unit_interval("discount", value)


def count(name, value, minimum=0):
    """Return `value` as an int of at least `minimum`."""
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {_kind(value)}") from None
    if result < minimum:
        raise ValueError(f"{name} is {result}; expected an integer of at least {minimum}")
    return result


def array(name, value, axes):
    """Return a read-only float64 copy of `value`, whose axes are named by the string `axes`.

    `axes` is a shape in words, such as ``"(S, A, S)"``; ``"(..., K)"`` allows leading axes. A letter
    that comes twice must have one size. Every entry must be finite, every axis at least 1 long.
    """
    try:
        result = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of numbers of shape {axes}: {error}") from None
    letters = axes.strip("()").replace(" ", "").strip(",").split(",")
    leading = letters[0] == "..."
    letters = letters[1:] if leading else letters
    wrong = result.ndim < len(letters) if leading else result.ndim != len(letters)
    if wrong:
        raise ValueError(f"{name} has shape {result.shape}; expected {axes}")
    sizes = {}
    if result.size == 0:
        raise ValueError(f"{name} has shape {result.shape}; expected {axes} with no empty axis")
    for letter, size in zip(letters, result.shape[result.ndim - len(letters) :], strict=True):
        if sizes.setdefault(letter, size) != size:
            raise ValueError(f"{name} has shape {result.shape}; expected {axes}, each letter of one size")
    finite(name, result)
    return read_only(result)


def finite(name, values):
    """Raise ValueError at the first entry of `values` that is NaN or infinite."""
    # The sum is finite if every entry is, save for overflow: one pass and no array of booleans.
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    if not math.isfinite(total):
        at = first(~np.isfinite(values))
        if at is not None:
            raise ValueError(f"{name}{subscript(at)} is {values[at]}; expected a finite number")


def shape(name, values, expected, because):
    """Raise ValueError unless `values` has the shape `expected`; `because` says whose shape that is."""
    if values.shape != expected:
        raise ValueError(f"{name} has shape {values.shape}; expected {expected} {because}")


def not_negative(name, values):
    """Raise ValueError at the first probability in `values` that is below zero."""
    if values.size and values.min() < 0:
        at = first(values < 0)
        raise ValueError(f"{name}{subscript(at)} is {values[at]:g}; expected a probability of at least 0")


def distribution(name, values):
    """Raise ValueError unless the entries of `values` are probabilities that sum to 1."""
    not_negative(name, values)
    total = values.sum()
    if abs(total - 1) > ROUNDING:
        raise ValueError(f"{name} sums to {total:.12g}; expected 1 within {ROUNDING:g}")


def rows(name, totals):
    """Return the probability left over by row totals (..., ), with rounding errors set to 0."""
    if totals.max() > 1 + ROUNDING:
        at = first(totals > 1 + ROUNDING)
        raise ValueError(
            f"{name}[{', '.join(map(str, at))}, :] sums to {totals[at]:.12g}; "
            f"expected at most 1 within {ROUNDING:g}"
        )
    rest = 1.0 - totals
    # A rest this small is a sum that was rounded, not an episode that ends once in 1e10 steps.
    rest[rest <= ROUNDING] = 0.0
    return read_only(rest)


def indices(name, value, size):
    """Return `value` as an array of integers in [0, size)."""
    result = np.asarray(value)
    if result.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an integer or an array of integers, got dtype {result.dtype}")
    if result.size and not 0 <= result.min() <= result.max() < size:
        at = first((result < 0) | (result >= size))
        raise ValueError(f"{name}{subscript(at)} is {result[at]}; expected an integer from 0 to {size - 1}")
    return result


def generator(rng):
    """Raise TypeError unless `rng` is a NumPy Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator, got {_kind(rng)}; write rng=np.random.default_rng(seed)"
        )


def instance(name, value, kind):
    """Raise TypeError unless `value` is an instance of `kind`."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {_kind(value)}")


def read_only(values):
    """Return `values`, write-protected."""
    values.flags.writeable = False
    return values


def first(mask):
    """Return the index of the first true entry of `mask`, or None."""
    at = np.flatnonzero(mask)
    return tuple(int(i) for i in np.unravel_index(at[0], mask.shape)) if at.size else None


def subscript(index):
    """Return an index as it is written after a name: (1, 0, 2) gives '[1, 0, 2]'."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def _kind(value):
    return "None" if value is None else type(value).__name__
