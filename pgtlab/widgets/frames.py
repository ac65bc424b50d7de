"""One frame: the drawing function's figure as an SVG text that can stand inside a web page."""

from __future__ import annotations

import io
import re
from weakref import WeakSet

from pgtlab.widgets.sliders import name_of

_FAMILIES = re.compile(r"'DejaVu Sans'(?:, *(?:'[^']*'|[A-Za-z-]+))*")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_TAG = re.compile(r"<[^<>]*>")
_seen = WeakSet()  # figures that were drawn before


def svg_frame(draw, values, identity):
    """Draw a frame and return its SVG, with ids that begin afresh for each `identity`.

    Parameters
    ----------
    draw : callable
        Returns a new matplotlib Figure.
    values : mapping
        The values of the sliders, passed to `draw` by name.
    identity : str
        Unique in the page; clip paths and markers get ids that depend on it and on their content only.
    """
    svg = drawn(draw, values, identity, lambda figure, file: figure.savefig(file, format="svg"))
    return clean_svg(svg.decode())


def png_frame(draw, values, identity, dpi=150):
    """Draw a frame and return it as PNG, for pages that cannot hold SVG."""
    metadata = {"Software": None}
    return drawn(
        draw, values, identity, lambda figure, file: figure.savefig(file, dpi=dpi, metadata=metadata)
    )


def drawn(draw, values, identity, save):
    """Call `draw` with every setting and every open figure of the caller left as it was."""
    import matplotlib
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    # The first figure of a kernel chooses the backend, which sets rcParams for good (inline: interactive).
    # Let that happen here, not inside the context, which would undo it: later cells would show no figures.
    plt.draw_if_interactive()
    open_before = set(plt.get_fignums())
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": identity,
        "svg.image_inline": True,
        "savefig.bbox": "standard",
    }
    try:
        with matplotlib.rc_context(settings):
            try:
                figure = draw(**values)
            except Exception as error:
                raise RuntimeError(f"{_call(draw, values)} raised {type(error).__name__}: {error}") from error
            if not isinstance(figure, Figure):
                raise TypeError(
                    f"{_call(draw, values)} returned {type(figure).__name__}; expected a matplotlib Figure, "
                    "as in: figure, axes = plt.subplots(); ...; return figure"
                )
            if getattr(figure, "number", None) in open_before or figure in _seen:
                raise ValueError(
                    f"{_call(draw, values)} returned a figure that stood before the call; "
                    "expected a new figure each time: make it inside the function"
                )
            _seen.add(figure)
            # a style that the drawing function sets must not change how the file is written
            matplotlib.rcParams.update(settings)
            file = io.BytesIO()
            save(figure, file)
            return file.getvalue()
    finally:
        for number in set(plt.get_fignums()) - open_before:
            plt.close(number)


def clean_svg(text):
    """Matplotlib's SVG file, made fit to stand in a page and short.

    Without prologue, metadata, comments and the ids of groups, which would stand twice in a page; the
    page-wide style rule becomes an inherited style of this SVG; links need no xlink; no white space
    between tags; numbers inside tags keep two decimals (1/100 pt), or three digits below 1.
    """
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = _TAG.sub(_clean_tag, text)
    text = re.sub(r">\s*\n\s*<", "><", text).strip()
    return text.replace("<defs></defs>", "")


def _clean_tag(match):
    tag = match[0]
    if tag.startswith("<svg"):
        tag = re.sub(r' (?:xmlns:xlink|version)="[^"]*"', "", tag)
        tag = tag.replace("<svg", '<svg style="stroke-linejoin: round; stroke-linecap: butt"', 1)
    elif tag.startswith("<g"):
        tag = re.sub(r' id="[^"]*"', "", tag)
    elif tag.startswith("<image"):
        return re.sub(r' id="[^"]*"', "", tag).replace("xlink:href=", "href=").replace("\n", "")
    tag = tag.replace("xlink:href=", "href=")
    tag = _FAMILIES.sub("'DejaVu Sans', Verdana, sans-serif", tag)
    tag = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", tag)
    tag = _LONG_NUMBER.sub(_short_number, tag)
    return re.sub(r"[ \t]*\n[ \t]*", "\n", tag).replace('\n"', '"')


def _short_number(match):
    number = float(match[0])
    short = f"{number:.2f}" if abs(number) >= 1 else f"{number:.3g}"
    if "." in short and "e" not in short:
        short = short.rstrip("0").rstrip(".")
    return "0" if short in ("-0", "0") else short


def _call(draw, values):
    return f"{name_of(draw)}({', '.join(f'{key}={value!r}' for key, value in values.items())})"
