"""`explore` and the object it returns."""

from __future__ import annotations

import inspect
import itertools
import math
import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from pgtlab.widgets.frames import svg_frame
from pgtlab.widgets.sliders import Slider, name_of, sliders_of

_count = itertools.count(1)


def explore(
    draw: Callable,
    /,
    *,
    label: str | None = None,
    start: Mapping[str, Any] | None = None,
    answer: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
    **ranges: Any,
) -> Explorer:
    """Put sliders under a figure: one for each argument of a function that draws it.

    With a live kernel each move redraws in Python. When the environment variable `PGTLAB_EXPLORE` is
    `static`, as in the book build, every frame of the grid is drawn at once and the page carries them all;
    when it is `page`, what runs the cell draws the sliders, as the pages of the book do.

    Parameters
    ----------
    draw : callable
        Called as ``draw(**values)``; returns a new matplotlib Figure, the same size each time. Wide figures
        shrink on a phone, and their text with them: let `figsize` be at most 4.8 inches wide.
    label : str, optional
        What the figure shows, for those who cannot see it; the first line of the docstring of `draw` if not
        given.
    start : mapping, optional
        Initial values by argument; the nearest grid value is taken. The middle of the grid if not given.
    answer : mapping, optional
        Values by argument of a second frame, the one that answers the question about the figure. A page
        without scripts shows it under the first, paper beside it. A value that is not given is the initial
        one.
    names : mapping, optional
        Names of the sliders by argument, plain text such as ``{"discount": "discount γ"}``; the argument with
        spaces for underscores if not given.
    **ranges
        One for each argument of `draw` (those with a default may be left out): ``(low, high, n)`` for n
        evenly spaced values, integers when ends and steps are; ``(low, high, n, "log")`` for n values with
        a constant ratio; or a list of numbers or of texts. At most 2 arguments and 225 combinations.
        Arguments of `draw` may not be called label, start, answer or names.

    Returns
    -------
    Explorer
        Displays itself as the last expression of a cell.

    Raises
    ------
    ValueError
        If a range or a start value makes no sense, there are too many sliders or frames, or the packed frames
        weigh more than 200 kB.
    TypeError
        If `draw` returns something else than a Figure, or a range has an unknown form.
    RuntimeError
        If `draw` raises; the message names the values of the sliders.

    Notes
    -----
    The book build draws each frame once (20 to 60 ms for a small figure).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> def draw_powers(discount):
    ...     "The weights of the first 30 rewards."
    ...     figure = Figure(figsize=(4.8, 3))
    ...     _ = figure.subplots().plot([discount**t for t in range(30)])
    ...     return figure
    >>> powers = explore(draw_powers, discount=(0.0, 0.95, 20), start={"discount": 0.9})
    >>> powers
    explore(draw_powers: discount)
    >>> powers.start
    {'discount': 0.9}
    """
    mode = os.environ.get("PGTLAB_EXPLORE", "")
    if mode not in ("", "live", "static", "page"):
        raise ValueError(f"PGTLAB_EXPLORE is {mode!r}; expected 'static', 'live', 'page' or nothing")
    if not callable(draw):
        raise TypeError(f"explore(draw, ...): draw must be a function, got {type(draw).__name__}")
    sliders = sliders_of(draw, ranges, start, names)
    label = _label(draw, label)
    identity = f"pgt-{re.sub('[^A-Za-z0-9]+', '-', name_of(draw)).strip('-')}-{next(_count)}"
    if mode == "page":
        return Explorer(draw, sliders, label, identity)
    if mode == "static":
        from pgtlab.widgets.static import StaticExplorer

        return StaticExplorer(draw, sliders, label, identity, answer)
    from pgtlab.widgets.live import LiveExplorer

    return LiveExplorer(draw, sliders, label, identity)


class Explorer:
    """A figure with sliders. Made by `explore`; how it displays depends on the mode.

    Attributes
    ----------
    sliders : tuple of Slider
        In the order of the ranges.
    label : str
        What the figure shows, in words.
    identity : str
        The id of the figure in a page.
    """

    def __init__(self, draw: Callable, sliders: tuple[Slider, ...], label: str, identity: str) -> None:
        self._draw = draw
        self.sliders = sliders
        self.label = label
        self.identity = identity

    def __repr__(self) -> str:
        return f"explore({name_of(self._draw)}: {', '.join(slider.argument for slider in self.sliders)})"

    @cached_property
    def start(self) -> dict[str, Any]:
        """The initial values by argument."""
        return {slider.argument: slider.values[slider.start] for slider in self.sliders}

    @property
    def n_frames(self) -> int:
        """The number of frames of the grid."""
        return math.prod(map(len, self.sliders))

    def grid(self) -> list[dict[str, Any]]:
        """The values of every frame; those of the last slider change fastest."""
        arguments = [slider.argument for slider in self.sliders]
        return [
            dict(zip(arguments, values, strict=True))
            for values in itertools.product(*(slider.values for slider in self.sliders))
        ]

    def svg(self, **values: Any) -> str:
        """Draw one frame afresh; a value that is not given is the initial one."""
        unknown = [argument for argument in values if argument not in self.start]
        if unknown:
            raise ValueError(
                f"{self!r} has no slider {unknown[0]!r}; its sliders are {', '.join(self.start)}"
            )
        return svg_frame(self._draw, {**self.start, **values}, self.identity)

    def frames(self) -> list[str]:
        """Draw every frame of the grid afresh, in the order of `grid`."""
        return [self.svg(**values) for values in self.grid()]

    def values_text(self, values: Mapping[str, Any]) -> str:
        """The values of the sliders in one line, as the reader sees them."""
        return ", ".join(f"{slider.name} = {slider.text(values[slider.argument])}" for slider in self.sliders)


def _label(draw: Callable, label: str | None) -> str:
    if label is not None and not isinstance(label, str):
        raise TypeError(f"explore({name_of(draw)}): label must be a text, got {type(label).__name__}")
    text = label if label is not None else (inspect.getdoc(draw) or "").partition("\n")[0]
    if not text.strip():
        raise ValueError(
            f"explore({name_of(draw)}) has no description of the figure; give label=... or a docstring to "
            f"{name_of(draw)}: those who cannot see the figure read its first line"
        )
    return text.strip()
