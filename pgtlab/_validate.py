"""Owns the checks on what callers pass in, and the words of every error that follows."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

#: Probabilities that miss their sum by at most this much are taken to be rounded: in float64, and in narrower
#: types by at most 8 units in the last place of 1, which is 9.5e-7 in float32 and 7.8e-3 in float16.
ROUNDING = 1e-10

#: Bytes of the largest array that is made.
_MOST_BYTES = 2**34


def number(name, value):
    """Return `value` as a finite float; a text or a complex number is none."""
    try:
        result = _floats(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {_kind(value)}") from None
    except OverflowError:
        raise ValueError(f"{name} is too large for a float; expected a finite number") from None
    if result.ndim:
        raise TypeError(f"{name} must be a number, got {_kind(value)}")
    if not math.isfinite(result):
        raise ValueError(f"{name} is {result}; expected a finite number")
    return float(result)


def at_least_zero(name, value):
    """Return `value` as a finite float that is not negative."""
    result = number(name, value)
    if result < 0:
        raise ValueError(f"{name} is {shown(result)}; expected a number of at least 0")
    return result


def in_unit_interval(name, value, kind="number"):
    """Return `value` as a float in [0, 1]; in words it is a `kind`."""
    result = number(name, value)
    if not 0 <= result <= 1:
        raise ValueError(f"{name} is {shown(result)}; expected a {kind} in [0, 1]")
    return result


def chance(name, value):
    """Return `value` as the chance of an error, a float below 1/2, and so far above 0 that it can be met."""
    result = number(name, value)
    if not 1e-100 < result < 0.5:
        raise ValueError(f"{name} is {shown(result)}; expected a number above 1e-100 and below 0.5")
    return result


def discount(value):
    """Return `value` as a discount, a float in [0, 1]."""
    return in_unit_interval("discount", value)


def count(name, value, minimum=0, maximum=None):
    """Return `value` as an int of at least `minimum`, and at most `maximum` if there is one."""
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {_kind(value)}") from None
    if result < minimum:
        raise ValueError(f"{name} is {result}; expected an integer of at least {minimum}")
    if maximum is not None and result > maximum:
        raise ValueError(f"{name} is {result}; expected an integer of at most {maximum}")
    return result


def room(words, n_bytes):
    """Raise ValueError before an array is made that no memory holds; `words` say what would take it."""
    if n_bytes > _MOST_BYTES:
        raise ValueError(
            f"{words} would take {n_bytes / 2**30:.3g} GiB; expected at most {_MOST_BYTES >> 30} GiB"
        )


def array(name, value, axes):
    """Return a read-only float64 copy of `value`, whose axes are named by the string `axes`.

    `axes` is a shape in words, such as ``"(S, A, S)"``; ``"(..., K)"`` allows leading axes. A letter
    that comes twice must have one size. Every entry must be finite, every axis at least 1 long.
    """
    result = numbers(name, value, f"an array of numbers of shape {axes}")
    letters, leading = _letters(axes)
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


@functools.cache
def _letters(axes):
    """Return the letters of a shape in words, and whether leading axes are allowed."""
    letters = axes.strip("()").replace(" ", "").strip(",").split(",")
    return (letters[1:], True) if letters[0] == "..." else (letters, False)


def finite(name, values):
    """Raise ValueError at the first entry of `values` that is NaN or infinite."""
    found = np.isfinite(values)
    if not found.all():
        at = first(~found)
        raise ValueError(f"{name}{subscript(at)} is {values[at]}; expected a finite number")


def at_most(name, values, largest):
    """Raise ValueError at the first entry of `values` whose size is above `largest`."""
    if np.abs(values).max() > largest:
        at = first(np.abs(values) > largest)
        raise ValueError(
            f"{name}{subscript(at)} is {values[at]:g}; expected at most {largest:g} in size, or its powers "
            "are beyond the numbers of a computer"
        )


def shape(name, values, expected, because):
    """Raise ValueError unless `values` has the shape `expected`; `because` says whose shape that is."""
    if values.shape != expected:
        raise ValueError(f"{name} has shape {values.shape}; expected {expected} {because}")


def not_negative(name, values):
    """Raise ValueError at the first probability in `values` that is below zero."""
    if values.size and values.min() < 0:
        at = first(values < 0)
        raise ValueError(f"{name}{subscript(at)} is {values[at]:g}; expected a probability of at least 0")


def rounding(value):
    """Return by how much a sum of probabilities may miss 1, by the type in which they came."""
    dtype = getattr(value, "dtype", None)
    if not isinstance(dtype, np.dtype):
        dtype = np.asarray(value).dtype
    return max(ROUNDING, 8 * float(np.finfo(dtype).eps)) if dtype.kind == "f" else ROUNDING


def distribution(name, values, within=ROUNDING):
    """Return `values` divided by their sum, which is 1 but for rounding; raise ValueError for any other."""
    not_negative(name, values)
    total = values.sum()
    if abs(total - 1) > within:
        raise ValueError(f"{name} sums to {total:.12g}; expected 1 within {within:.2g}")
    return read_only(values / total) if was_rounded(total, values.size) else values


def endings(name, totals, within=ROUNDING, smallest=0.0):
    """Return the probability that row totals (..., ) leave over, 0 where that is rounding.

    Between rounding and `smallest` it cannot be told whether a row was rounded or is meant to end.
    """
    rest = 1.0 - totals
    within *= 1 + 1e-6  # itself included: 1 - 0.9999999999 is a little more than 1e-10
    meant = "If this is 1, rounded, divide the row by its sum"
    at = first(rest < -within)
    if at is not None:
        advice = f". {meant}" if totals[at] < 1.01 else ""
        raise ValueError(
            f"{name}{subscript((*at, ':'))} sums to {totals[at]:.12g}; "
            f"expected at most 1 within {within:.2g}{advice}"
        )
    at = first((within < rest) & (rest < smallest - within))
    if at is not None:
        # The power of ten below it, or the rest itself if it is one but for rounding.
        below = 10.0 ** math.floor(math.log10(rest[at]) + 1e-6)
        raise ValueError(
            f"{name}{subscript((*at, ':'))} sums to {totals[at]:.12g}; expected 1 within {within:.2g}, or at "
            f"most {1 - smallest:.12g}. {meant}; if the episode ends with probability {rest[at]:.2g}, write "
            f"smallest_ending={below:g}"
        )
    return np.where(rest <= within, 0.0, rest)


def was_rounded(totals, n):
    """Return where a sum of n probabilities misses 1 by more than float64 rounds it."""
    return np.abs(totals - 1) > n * np.finfo(np.float64).eps


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


def shown(value):
    """Return a float as it is written: all the digits that tell it from its neighbours, and no more."""
    return repr(float(value)).removesuffix(".0")


def numbers(name, value, expected="made of numbers"):
    """Return `value` as a new float64 array; raise where NumPy would drop or guess something in silence."""
    at = _masked(value)
    if at is not None:
        raise ValueError(f"{name}{subscript(at)} is masked; expected a number")
    try:
        return _floats(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be {expected}: {error}") from None
    except OverflowError as error:
        raise ValueError(f"{name} must be {expected}: {error}") from None


#: What NumPy would turn into floats, by the kind of its dtype.
_NO_NUMBERS = {
    "U": "text",
    "S": "text",
    "c": "complex numbers",
    "M": "dates",
    "m": "time spans",
    "V": "records",
}


def _floats(value):
    result = np.array(value)
    if type(value) is np.ndarray and result.dtype == np.float64:
        return result
    kind = result.dtype.kind
    if kind == "O":
        # Such as fractions. NumPy would read None as NaN, and a text as the number it spells.
        for each in result.flat:
            if each is None or isinstance(each, str | bytes):
                raise TypeError("got None" if each is None else "got text")
            # A scalar of NumPy's keeps its own type among others.
            if isinstance(each, np.generic) and each.dtype.kind in _NO_NUMBERS:
                raise TypeError(f"got {_NO_NUMBERS[each.dtype.kind]}")
    elif kind in _NO_NUMBERS or np.ma.is_masked(value):
        raise TypeError(f"got {_NO_NUMBERS.get(kind, 'a masked number')}")
    # A wider type may hold what is infinite here.
    with np.errstate(over="ignore"):
        return result.astype(np.float64, copy=False)


def _masked(value):
    """Return the place of a masked entry, or None; NumPy drops the masks of a list of arrays, too."""
    if np.ma.isMaskedArray(value):
        return first(np.ma.getmaskarray(value))
    if isinstance(value, list | tuple):
        for i, each in enumerate(value):
            at = _masked(each)
            if at is not None:
                return (i, *at)
    return None


def _kind(value):
    return "None" if value is None else type(value).__name__
