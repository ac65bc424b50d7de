"""What a cell shows: what it prints, as it prints it; figures; and values in forms that a page can show."""

from __future__ import annotations

import base64
import contextlib
import io
import sys
import time
import types
import warnings
from collections.abc import Callable

WIDTH = 79  # of a line, where IPython breaks a list
MOST = 100_000  # characters that a page keeps of what a cell prints: the newest
EVERY = 0.1  # seconds between two reports of what was printed
METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "text/latex": "_repr_latex_",
}


# --- what is printed ---


class Stream(io.TextIOBase):
    """Standard output or error of a cell, reported now and then; of too much the newest is kept."""

    encoding = "utf-8"

    def __init__(self, name: str, emit: Callable) -> None:
        self.name = name
        self.emit = emit
        self.parts: list[str] = []
        self.size = 0
        self.cut = 0
        self.sent = time.monotonic()
        self.other: Stream | None = None  # the other of the two, whose text goes out before

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.other is not None and self.other.parts:
            self.other.flush()
        self.parts.append(text)
        self.size += len(text)
        if self.size > 2 * MOST:
            self.shorten()
        if time.monotonic() - self.sent > EVERY:
            self.flush()
        return len(text)

    def shorten(self) -> None:
        text = "".join(self.parts)
        kept = text[-MOST:]
        kept = kept[kept.find("\n") + 1 :] if "\n" in kept else kept
        self.cut += text.count("\n") - kept.count("\n")
        self.parts, self.size = [kept], len(kept)

    def flush(self) -> None:
        if self.size > MOST:
            self.shorten()
        if self.parts:
            self.emit("stream", name=self.name, text="".join(self.parts), cut=self.cut)
        self.parts, self.size, self.cut = [], 0, 0
        self.sent = time.monotonic()


class Quiet(io.StringIO):
    """Standard input: nobody is there to type."""

    def readline(self, *_) -> str:
        raise EOFError("nothing to read")


@contextlib.contextmanager
def streams(emit: Callable):
    """Let what is printed go to `emit`, and warnings without the machinery's lines."""
    out, err, back = Stream("stdout", emit), Stream("stderr", emit), sys.stdin
    out.other, err.other = err, out

    def warn(message, category, filename, lineno, file=None, line=None):
        place = f"line {lineno}: " if filename.startswith("<cell ") else ""
        err.write(f"{place}{category.__name__}: {message}\n")

    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        shows, warnings.showwarning = warnings.showwarning, warn
        sys.stdin = Quiet()
        try:
            yield
        finally:
            sys.stdin, warnings.showwarning = back, shows
            out.flush()
            err.flush()


# --- values ---


def bundle(value: object) -> dict[str, str]:
    """A value in each form that it has, by type; images other than SVG in base64."""
    found = {}
    with contextlib.suppress(Exception):
        given = getattr(value, "_repr_mimebundle_", None)
        if given is not None and not isinstance(value, type):
            made = given()
            found.update(made[0] if isinstance(made, tuple) else made or {})
    if (figure := as_figure(value)) is not None:
        found["image/svg+xml"] = svg_of(figure)
    if (explored := explorer(value)) is not None:
        found["application/vnd.pgtlab.explore+json"] = controls(explored)
    if not isinstance(value, type):
        for kind, method in METHODS.items():
            if kind in found or not hasattr(value, method):
                continue
            try:
                made = getattr(value, method)()
            except NotImplementedError:
                continue
            if made is not None:
                found[kind] = made[0] if isinstance(made, tuple) else made
    if "text/plain" not in found:
        found["text/plain"] = pretty(value)
    return {kind: text(each) for kind, each in found.items()}


def text(value: object) -> object:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


BRACKETS = {list: "[]", tuple: "()", set: "{}"}


def pretty(value: object, width: int = WIDTH) -> str:
    """The text of a value as IPython writes it: a list that is too long for a line has an entry a line."""
    plain = repr(value)
    kind = type(value)
    if (len(plain) <= width and "\n" not in plain) or kind not in (*BRACKETS, dict) or not value:
        return plain
    if kind is dict:
        opening, closing, parts = "{", "}", []
        for key, each in value.items():
            start = f"{pretty(key, width - 1)}: "
            parts.append(start + pretty(each, width - 2 - len(start)))
    else:
        opening, closing = BRACKETS[kind]
        if kind is set:
            with contextlib.suppress(TypeError):
                value = sorted(value)
        parts = [pretty(each, width - 2) for each in value]
    if len(parts) > 1000:
        parts = [*parts[:1000], "..."]
    comma = "," if kind is tuple and len(parts) == 1 else ""
    return opening + ",\n ".join(_indented(part, 1) for part in parts) + comma + closing


def _indented(lines: str, by: int) -> str:
    return lines.replace("\n", "\n" + " " * by)


# --- figures ---

display: Callable | None = None  # where plt.show() puts figures


def as_figure(value: object):
    figure = sys.modules.get("matplotlib.figure")
    return value if figure is not None and isinstance(value, figure.Figure) else None


def svg_of(figure) -> str:
    """A figure as the build of the book draws it."""
    file = io.StringIO()
    figure.savefig(
        file,
        format="svg",
        bbox_inches="tight",
        facecolor=figure.get_facecolor(),
        edgecolor=figure.get_edgecolor(),
    )
    plt = sys.modules.get("matplotlib.pyplot")
    if plt is not None:
        plt.close(figure)
    return file.getvalue()


def figures(display: Callable) -> None:
    """Show the figures that are open, as the end of a cell and `plt.show()` do."""
    plt = sys.modules.get("matplotlib.pyplot")
    if plt is not None and hasattr(plt, "get_fignums"):
        for number in plt.get_fignums():
            display(plt.figure(number))


def close_figures() -> None:
    plt = sys.modules.get("matplotlib.pyplot")
    if plt is not None and hasattr(plt, "close"):
        plt.close("all")


# --- figures with sliders ---


def explorer(value: object):
    """The value, where it is what `explore` gives."""
    made = sys.modules.get("pgtlab.widgets.explorer")
    return value if made is not None and isinstance(value, made.Explorer) else None


def controls(figure) -> dict:
    """What the page needs to put sliders under a figure, and the figure at their first values."""
    from importlib.resources import files

    if not figure.identity.startswith("live-"):  # the book's stands in the page too
        figure.identity = f"live-{figure.identity}"
    return {
        "label": figure.label,
        "identity": figure.identity,
        "sliders": [
            {
                "argument": slider.argument,
                "name": slider.name,
                "kind": slider.kind,
                "values": list(slider.values),
                "texts": list(slider.texts),
                "start": slider.start,
            }
            for slider in figure.sliders
        ],
        "css": files("pgtlab.widgets").joinpath("explore.css").read_text(encoding="utf-8"),
        **frame(figure, figure.start),
    }


def frame(figure, values: dict) -> dict:
    """One frame, and the values as the reader sees them."""
    return {
        "svg": figure.svg(**values),
        "texts_now": [slider.text(values[slider.argument]) for slider in figure.sliders],
    }


# --- IPython.display, for what imports it ---


class Shown:
    """A text of one kind, as IPython's HTML, Markdown and the rest are."""

    kind = "text/plain"

    def __init__(self, data: object = None, **_) -> None:
        self.data = data

    def _repr_mimebundle_(self, **_) -> dict:
        name = type(self).__name__
        return {self.kind: self.data, "text/plain": f"<IPython.core.display.{name} object>"}


class Shell:
    """What `get_ipython()` gives: something, since there is a place to display in."""

    def __init__(self) -> None:
        self.events = types.SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None)


SHELL = Shell()


def ipython(display: Callable) -> None:
    """Put a small IPython.display in the place of IPython, which no page needs otherwise."""
    kinds = {
        "HTML": "text/html",
        "Markdown": "text/markdown",
        "Latex": "text/latex",
        "Math": "text/latex",
        "SVG": "image/svg+xml",
    }
    module = types.ModuleType("IPython.display")
    for name, kind in kinds.items():
        setattr(module, name, type(name, (Shown,), {"kind": kind}))

    def math(self, **_):
        return {
            "text/latex": f"$\\displaystyle {self.data}$",
            "text/plain": "<IPython.core.display.Math object>",
        }

    module.Math._repr_mimebundle_ = math
    module.display = display
    module.clear_output = lambda wait=False: display.__self__.emit("clear")
    package = types.ModuleType("IPython")
    package.display, package.get_ipython, package.__path__ = module, lambda: SHELL, []
    # matplotlib asks for these three, and finds that there is nothing to do
    package.version_info = (8, 24)
    core, tools = types.ModuleType("IPython.core"), types.ModuleType("IPython.core.pylabtools")
    core.__path__, tools.backend2gui = [], {}
    sys.modules |= {
        "IPython": package,
        "IPython.display": module,
        "IPython.core": core,
        "IPython.core.pylabtools": tools,
    }
