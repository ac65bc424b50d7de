"""Owns the pictures that several pages share; each draws on an Axes that it is given."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.gallery import cells


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
