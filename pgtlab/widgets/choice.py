"""Owns `explore`, and with it the choice of how a figure with sliders is shown."""

from __future__ import annotations

import inspect
import itertools
import os
import re

from pgtlab.widgets.explorer import Explorer
from pgtlab.widgets.live import LiveExplorer
from pgtlab.widgets.sliders import name_of, sliders_of
from pgtlab.widgets.static import StaticExplorer

_count = itertools.count(1)


def explore(
    draw,
    /,
    *,
    label=None,
    start=None,
    answer=None,
    names=None,
    **ranges,
):
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
        return StaticExplorer(draw, sliders, label, identity, answer)
    return LiveExplorer(draw, sliders, label, identity)


def _label(draw, label):
    if label is not None and not isinstance(label, str):
        raise TypeError(f"explore({name_of(draw)}): label must be a text, got {type(label).__name__}")
    text = label if label is not None else (inspect.getdoc(draw) or "").partition("\n")[0]
    if not text.strip():
        raise ValueError(
            f"explore({name_of(draw)}) has no description of the figure; give label=... or a docstring to "
            f"{name_of(draw)}: those who cannot see the figure read its first line"
        )
    return text.strip()
