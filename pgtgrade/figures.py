"""Owns the figures on the pages for people: SVG in the colours of the page, light or dark."""

from __future__ import annotations

from pgtgrade.pages import escape

#: Of a histogram: its width and height, and the room below and beside it for words.
WIDE, HIGH, BELOW, BESIDE = 420, 190, 42, 34


def bar(parts, whole, words):
    """Return a bar of several colours, as wide as what it stands in.

    Parameters
    ----------
    parts : list of (str, float)
        The class of each colour, `right`, `part`, `none` or `open`, and how much.
    whole : float
        How much the full width is.
    words : str
        What the bar says, for who cannot see it.

    Examples
    --------
    >>> bar([("right", 1), ("none", 3)], 4, "1 right, 3 wrong").count("<rect")
    2
    """
    at, drawn = 0.0, []
    for kind, amount in parts:
        width = 100 * amount / whole if whole else 0.0
        if width:
            drawn.append(f'<rect class="{kind}" x="{at:.4g}" width="{width:.4g}" height="10"/>')
        at += width
    return (
        f'<svg class="bar" role="img" aria-label="{escape(words)}" viewBox="0 0 100 10" '
        f'preserveAspectRatio="none">{"".join(drawn)}</svg>'
    )


def histogram(counts, across, up, words):
    """Return a histogram.

    Parameters
    ----------
    counts : list of (str, int)
        What stands below each column, and how high it is.
    across, up : str
        What the axes are.
    words : str
        What the figure says, for who cannot see it.
    """
    most = max((count for _, count in counts), default=0) or 1
    step = max(1, -(-most // 5))
    top = step * -(-most // step)
    width, height = (WIDE - BESIDE) / max(len(counts), 1), HIGH - BELOW - 12
    parts = []
    for mark in range(0, top + 1, step):
        y = 12 + height * (1 - mark / top)
        parts.append(f'<line class="axis" x1="{BESIDE}" x2="{WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{BESIDE - 6}" y="{y + 4:.1f}" text-anchor="end">{mark}</text>')
    every = -(-len(counts) // 11)
    for index, (name, count) in enumerate(counts):
        x, tall = BESIDE + index * width, height * count / top
        parts.append(
            f'<rect class="right" x="{x + 0.1 * width:.1f}" y="{12 + height - tall:.1f}" '
            f'width="{0.8 * width:.1f}" height="{tall:.1f}"/>'
        )
        if index % every == 0:
            middle = x + width / 2
            parts.append(
                f'<text x="{middle:.1f}" y="{HIGH - BELOW + 16}" text-anchor="middle">{escape(name)}</text>'
            )
    parts.append(
        f'<text x="{(WIDE + BESIDE) / 2}" y="{HIGH - 6}" text-anchor="middle">{escape(across)}</text>'
    )
    parts.append(f'<text x="{BESIDE - 6}" y="10" text-anchor="end">{escape(up)}</text>')
    return (
        f'<svg class="figure" role="img" aria-label="{escape(words)}" viewBox="0 0 {WIDE} {HIGH}">'
        f"{''.join(parts)}</svg>"
    )
