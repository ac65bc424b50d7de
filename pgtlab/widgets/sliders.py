"""What a reader may choose: the sliders of a figure, their grids and the texts of their values."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

MOST_SLIDERS = 2
MOST_FRAMES = 225

_FORMS = (
    "expected (low, high, n) for a linear grid, (low, high, n, 'log') for a logarithmic one, "
    "or a list of values"
)


@dataclass(frozen=True)
class Slider:
    """One slider: an argument of the drawing function and the grid of values it takes.

    Parameters
    ----------
    argument : str
        Name of the argument of the drawing function.
    name : str
        Name that the reader sees.
    kind : {"integer", "linear", "log", "list", "choice"}
        An evenly spaced grid of integers or of floats, a logarithmic grid, a list of numbers in the order
        given, or a choice among texts.
    values : tuple
        The grid, as the drawing function receives it.
    texts : tuple of str
        The grid, as the reader sees it.
    digits : int
        Significant digits that tell all grid values apart, at least 3.
    start : int
        Index of the initial value.
    """

    argument: str
    name: str
    kind: str
    values: tuple
    texts: tuple[str, ...]
    digits: int
    start: int

    def __len__(self):
        return len(self.values)

    def text(self, value):
        """A value of the slider, on the grid or off it, as the reader sees it."""
        return number_text(value, self.digits) if _is_number(value) else str(value)


def number_text(value, digits=3):
    """A number in at most `digits` significant digits, with a true minus sign and no idle zeros.

    Examples
    --------
    >>> number_text(0.30000000000000004), number_text(12), number_text(1234.5), number_text(-0.05)
    ('0.3', '12', '1234', '−0.05')
    >>> number_text(0.00001)
    '1e−5'
    """
    if isinstance(value, Integral):
        return str(int(value)).replace("-", "−")
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if -4 <= size < 6:
        text = f"{value:.{max(0, digits - 1 - size)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def sliders_of(
    draw,
    ranges,
    start,
    names,
):
    """Check the ranges of `explore` against the drawing function and make its sliders."""
    call = f"explore({name_of(draw)})"
    if not ranges:
        raise ValueError(f"{call} got no range; write one for each argument, as in discount=(0.0, 0.95, 20)")
    _check_arguments(draw, ranges, call)
    if len(ranges) > MOST_SLIDERS:
        raise ValueError(
            f"{call} got {len(ranges)} sliders ({', '.join(ranges)}); expected at most {MOST_SLIDERS}: "
            "fix the others inside the drawing function"
        )
    for given, what in ((start, "start"), (names, "names")):
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(
                f"{call}: {what} must be a dictionary keyed by slider, got {type(given).__name__}"
            )
        unknown = [key for key in given or () if key not in ranges]
        if unknown:
            raise ValueError(
                f"{call}: {what} names {unknown[0]!r}, which is no slider; "
                f"the sliders are {', '.join(ranges)}"
            )
    sliders = tuple(
        _slider(argument, spec, start or {}, names or {}, call) for argument, spec in ranges.items()
    )
    frames = math.prod(map(len, sliders))
    if frames > MOST_FRAMES:
        largest = max(sliders, key=len)
        sizes = " x ".join(f"{len(slider)} ({slider.argument})" for slider in sliders)
        allowed = MOST_FRAMES * len(largest) // frames
        raise ValueError(
            f"{call} has {sizes} = {frames} frames; expected at most {MOST_FRAMES}: "
            f"reduce the n of {largest.argument} to {allowed}"
        )
    return sliders


def name_of(draw):
    """The name of the drawing function in errors and texts."""
    name = getattr(draw, "__name__", None) or type(draw).__name__
    return "lambda" if name == "<lambda>" else name


def _check_arguments(draw, ranges, call):
    parameters = inspect.signature(draw).parameters.values()
    by_name = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY and p.default is p.empty]
    if positional:
        raise TypeError(f"{call}: argument {positional[0]!r} is positional-only; sliders pass values by name")
    known = [p.name for p in by_name]
    for argument in ranges:
        if argument not in known and not takes_any:
            raise ValueError(
                f"{call} got a range for {argument!r}, which {name_of(draw)} does not take; "
                f"its arguments are {', '.join(known) or 'none'}"
            )
    for p in by_name:
        if p.default is p.empty and p.name not in ranges:
            raise ValueError(
                f"{call} got no range for {p.name!r}, an argument of {name_of(draw)} without a default"
            )


def _slider(argument, spec, start, names, call):
    where = f"{call}: {argument}"
    kind, values = _grid(spec, where)
    digits = 3
    texts = tuple(_text(v, digits) for v in values)
    while kind != "choice" and len(set(texts)) < len(values) and digits < 17:
        digits += 1
        texts = tuple(_text(v, digits) for v in values)
    if len(set(texts)) < len(values):
        raise ValueError(f"{where} holds the same value twice: {', '.join(texts)}")
    name = names.get(argument, argument.replace("_", " "))
    if not isinstance(name, str) or not name.strip():
        raise TypeError(f"{call}: names[{argument!r}] must be a text that is not empty, got {name!r}")
    at = len(values) // 2
    if argument in start:
        at = _nearest(start[argument], kind, values, f"{call}: start[{argument!r}]")
    return Slider(argument, name, kind, values, texts, digits, at)


def _grid(spec, where):
    if isinstance(spec, tuple) and not all(isinstance(entry, str) for entry in spec):
        return _range(spec, where)
    if isinstance(spec, np.ndarray):
        if spec.ndim != 1:
            raise ValueError(f"{where} has shape {spec.shape}; expected a list of values, shape (n,)")
        spec = spec.tolist()
    if isinstance(spec, tuple) or not isinstance(spec, Sequence) or isinstance(spec, str | bytes):
        raise TypeError(f"{where} is {spec!r}; {_FORMS}")
    values = tuple(v.item() if isinstance(v, np.generic) else v for v in spec)
    if len(values) < 2:
        raise ValueError(f"{where} holds {len(values)} value(s); expected at least 2")
    if all(map(_is_number, values)):
        for i, v in enumerate(values):
            if not math.isfinite(v):
                raise ValueError(f"{where}[{i}] is {v}; expected a finite number")
        return "list", values
    for i, v in enumerate(values):
        if not isinstance(v, str | bool):
            raise TypeError(f"{where}[{i}] is {v!r}; expected all numbers, or all texts or truth values")
    return "choice", values


def _range(spec, where):
    logarithmic = len(spec) == 4 and spec[3] == "log"
    if not (len(spec) == 3 or logarithmic) or not all(map(_is_number, spec[:3])):
        raise TypeError(f"{where} is {spec!r}; {_FORMS}")
    low, high, n = (v.item() if isinstance(v, np.generic) else v for v in spec[:3])
    if not isinstance(n, Integral) or n < 2:
        raise ValueError(f"{where} has n = {n!r} grid values; expected an integer of at least 2")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{where} runs from {low!r} to {high!r}; expected finite ends with low < high")
    if logarithmic:
        if low <= 0:
            raise ValueError(f"{where} runs from {low!r} on a logarithmic grid; expected low > 0")
        middle = np.geomspace(low, high, n)[1:-1].tolist()
        return "log", (float(low), *middle, float(high))
    if isinstance(low, Integral) and isinstance(high, Integral) and (high - low) % (n - 1) == 0:
        return "integer", tuple(range(low, high + 1, (high - low) // (n - 1)))
    # 0.9 and not 0.8999999999999999: what the reader sees is what draw gets
    middle = [float(f"{v:.12g}") for v in np.linspace(low, high, n)[1:-1]]
    return "linear", (float(low), *middle, float(high))


def _nearest(value, kind, values, where):
    if kind == "choice":
        if value not in values:
            raise ValueError(f"{where} is {value!r}; expected one of {', '.join(map(repr, values))}")
        return values.index(value)
    if not _is_number(value):
        raise TypeError(f"{where} must be a number, got {value!r}")
    low, high = min(values), max(values)
    if not low <= value <= high:
        raise ValueError(f"{where} is {value!r}; expected a number between {low!r} and {high!r}")
    return min(range(len(values)), key=lambda i: abs(values[i] - value))


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _text(value, digits):
    return number_text(value, digits) if _is_number(value) else str(value)
