"""Owns how the book draws: its style, its canvas, and the pictures that several pages share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from pgtlab import _validate
from pgtlab.gallery import cells

#: Inches left free at the left, the right, the bottom and the top of a canvas.
_MARGINS = {
    "axes": (0.7, 0.14, 0.48, 0.1),
    "words": (1.0, 0.14, 0.48, 0.1),
    "text": (0.7, 0.14, 0.75, 0.3),
    "map": (0.12, 0.58, 0.36, 0.08),
    "bare": (0.0, 0.0, 0.0, 0.0),
}


def canvas(height=2.8, *, width=4.8, rows=1, columns=1, room="axes", close=False, **options):
    """Return a figure and its axes in the style of the book, which stays in force.

    Parameters
    ----------
    height, width : float
        Of the whole, in inches.
    rows, columns : int
        How many axes stand one below the other and side by side.
    room : {"axes", "words", "text", "map", "bare"}
        What has to find room beside the axes: numbers and names of the axes, words at the left, a line of
        text above and two below, a colour bar at the right, or nothing.
    close : bool
        Whether the axes are parts of one picture, with nothing between them.
    **options
        As for `matplotlib.pyplot.subplots`, such as ``sharex=True``.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes, or an array of them

    Raises
    ------
    ValueError
        If `room` is another word.

    Notes
    -----
    The margins are inches, not shares: they do not change from one frame to the next, as those do that are
    fitted to the numbers on the axes.

    Examples
    --------
    >>> figure, axes = canvas(2.5)
    >>> figure.get_size_inches()
    array([4.8, 2.5])
    """
    import matplotlib.pyplot as plt

    if room not in _MARGINS:
        raise ValueError(f"room is {room!r}; expected one of {', '.join(map(repr, _MARGINS))}")
    plt.rcParams.update(_style())
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), **options)
    left, right, bottom, top = _MARGINS[room]
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
    # Between axes that share a scale there are no numbers.
    below = 0.03 if close else 0.12 if options.get("sharex") else 0.45
    beside = 0.03 if close else 0.08 if options.get("sharey") else 0.3
    figure.subplots_adjust(hspace=below, wspace=beside)
    return figure, axes


@cache
def _style():
    """Return the settings of the style file."""
    from matplotlib import rc_params_from_file

    return rc_params_from_file(files("pgtlab") / "book.mplstyle", use_default_template=False)


def draw_grid(axes, layout, values, *, vmax, label="", digits=2):
    """Draw a number for each state of a gridworld as a map.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    layout : sequence of str
        The map, as for `gallery.gridworld`.
    values : array_like, shape (S,)
        At least 0; written into the cells and shown by colour from 0 to `vmax`.
    vmax : float
        Value of the darkest colour, above 0.
    label : str
        Of the colour bar; no bar if empty.
    digits : int
        Decimals of the numbers in the cells.

    Raises
    ------
    ValueError
        If `values` does not have one number for each state, or `vmax` is not above 0.
    """
    where = cells(layout)
    values = _validate.array("values", values, "(S,)")
    _validate.shape("values", values, (len(where),), "one number for each state of the layout")
    if not vmax > 0:
        raise ValueError(f"vmax is {vmax}; expected a number above 0")
    height, width = len(layout), len(layout[0])
    table = np.ma.masked_all((height, width))
    for (i, j), value in zip(where, values, strict=True):
        table[i, j] = value
        shade = "white" if value > 0.6 * vmax else "black"
        mark = layout[i][j] if layout[i][j] in "SG" else ""
        axes.text(j + 0.5, i + 0.5, f"{value:.{digits}f}", ha="center", va="center", color=shade, size=9)
        if mark:
            axes.text(j + 0.06, i + 0.08, mark, ha="left", va="top", color=shade, size=8, weight="bold")
    axes.set_facecolor("0.55")
    mesh = axes.pcolormesh(table, cmap="YlGnBu", vmin=0, vmax=vmax, edgecolors="white", linewidth=0.5)
    axes.set(aspect="equal", xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    if label:
        bar = axes.figure.colorbar(mesh, ax=axes, fraction=0.046, pad=0.04)
        bar.set_label(label)
        # Vector graphics as the map is, and no gaps between the shades.
        bar.solids.set(rasterized=False, edgecolor="face")


def draw_corridor(axes, right="", left=""):
    """Draw the short corridor: three states, the goal, and where the two actions lead.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    right, left : str
        Written at the arrows of each action, which are solid for "right" and dashed for "left".
    """
    from matplotlib.patches import Circle, FancyBboxPatch

    radius = 0.22
    for x, name in enumerate(["0", "1", "2"]):
        axes.add_patch(Circle((x, 0), radius, fc="white", ec="black", lw=1.2))
        axes.text(x, 0, name, ha="center", va="center")
    goal = {"boxstyle": "round,pad=0,rounding_size=0.08", "fc": "#d8f0d8", "ec": "black", "lw": 1.2}
    axes.add_patch(FancyBboxPatch((2.72, -radius), 0.6, 2 * radius, **goal))
    axes.text(3.02, 0, "goal", ha="center", va="center")

    look = {"arrowstyle": "->", "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    for label, style, steps in [(right, "-", [(0, 1), (1, 0), (2, 3)]), (left, "--", [(1, 2), (2, 1)])]:
        for start, stop in steps:
            # An arrow to the right passes above, one to the left below; both leave and arrive at 45 degrees.
            way, edge = stop - start, radius * 0.5**0.5
            ends = (start + way * edge, way * edge), (stop - way * edge, way * edge)
            bow = look | {"connectionstyle": "arc3,rad=-0.45", "ls": style}
            axes.annotate("", ends[1], ends[0], arrowprops=bow)
            axes.text((start + stop) / 2, 0.54 * way, label, ha="center", va="center")
    # Left of state 0 is a wall: the step ends where it began.
    loop = look | {"connectionstyle": "arc3,rad=1.5", "ls": "--"}
    axes.annotate("", (-0.16, -0.16), (-0.16, 0.16), arrowprops=loop)
    axes.text(-0.5, 0, left, ha="right", va="center")
    axes.set(xlim=(-1.0, 3.4), ylim=(-0.72, 0.72), aspect="equal")
    axes.axis("off")
