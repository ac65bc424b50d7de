"""The form for a page without a kernel: all frames packed in the page, native inputs, one short script."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import cached_property
from importlib.resources import files

from pgtlab.widgets.explorer import Explorer
from pgtlab.widgets.frames import png_frame, svg_frame
from pgtlab.widgets.packing import count_pieces, pack

MOST_PACKED = 200_000


class StaticExplorer(Explorer):
    """A figure with sliders that carries all its frames, and one that answers the question about it."""

    def __init__(
        self,
        draw,
        sliders,
        label,
        identity,
        answer=None,
    ):
        super().__init__(draw, sliders, label, identity)
        self.answer = {**self.start, **answer} if answer else None
        if self.answer and self.answer not in self.grid():
            raise ValueError(
                f"{self!r} has no frame for answer={dict(answer)}; expected values that its sliders take"
            )
        frames = self.frames()
        self._check_sizes(frames)
        self.packed = pack(frames)
        self._check_weight(frames)
        self._start_svg = frames[self.grid().index(self.start)]
        self._png = base64.b64encode(png_frame(draw, self.start, identity)).decode()

    def _repr_mimebundle_(self, **_):
        return {"text/html": self.html, "image/png": self._png, "text/plain": repr(self)}

    def _check_sizes(self, frames):
        first = _size(frames[0])
        for values, frame in zip(self.grid(), frames, strict=True):
            if _size(frame) != first:
                raise ValueError(
                    f"{self!r} draws {first} pt at {self.values_text(self.grid()[0])} "
                    f"but {_size(frame)} pt at {self.values_text(values)}; "
                    "expected one size: give every frame the same figsize"
                )

    def _check_weight(self, frames):
        if len(self.packed) <= MOST_PACKED:
            return
        pieces, moving = count_pieces(frames)
        sizes = " x ".join(f"{len(slider)} ({slider.argument})" for slider in self.sliders)
        raise ValueError(
            f"the packed frames of {self!r} weigh {len(self.packed) / 1000:.0f} kB; expected at most "
            f"{MOST_PACKED / 1000:.0f} kB. {sizes} = {len(frames)} frames of {pieces} tags and path points, "
            f"{moving} of which change: reduce n, draw curves with fewer points, or let fewer artists move"
        )

    @cached_property
    def html(self):
        """The figure, its controls, its frames and its script, as a part of a page."""
        shown = self.values_text(self.start)
        state = {
            "label": self.label,
            "names": [slider.name for slider in self.sliders],
            "texts": [slider.texts for slider in self.sliders],
            "packed": self.packed,
        }
        return "\n".join(
            [
                f'<div class="pgt-explore" id="{self.identity}">',
                f"<style>{_resource('explore.css')}</style>",
                f'<div class="pgt-explore-figure" role="img" aria-label="{figure_label(self.label, shown)}">'
                f"{self._start_svg}</div>",
                *self._answering_frame(),
                f'<p class="pgt-explore-values">Shown at <span>{html.escape(shown)}</span>.</p>',
                '<p class="pgt-explore-note">The sliders of this figure need JavaScript.</p>',
                '<div class="pgt-explore-controls" hidden>',
                *(self._control(slider) for slider in self.sliders),
                "</div>",
                f'<script type="application/json">{_json(state)}</script>',
                f"<script>{_resource('explore.js')}</script>",
                "</div>",
            ]
        )

    def _answering_frame(self):
        if self.answer is None:
            return []
        shown = self.values_text(self.answer)
        frame = svg_frame(self._draw, self.answer, f"{self.identity}-answer")
        return [
            f'<div class="pgt-explore-answer"><div role="img" aria-label="{figure_label(self.label, shown)}">'
            f"{frame}</div><p>And at <span>{html.escape(shown)}</span>.</p></div>"
        ]

    def _control(self, slider):
        key = f"{self.identity}-{slider.argument}"
        name, text = html.escape(slider.name), html.escape(slider.texts[slider.start])
        if slider.kind == "choice":
            options = "".join(
                f'<option value="{i}"{" selected" if i == slider.start else ""}>{html.escape(text)}</option>'
                for i, text in enumerate(slider.texts)
            )
            return (
                f'<label for="{key}">{name}</label><select id="{key}" autocomplete="off">{options}</select>'
            )
        return (
            f'<label for="{key}">{name}</label>'
            f'<input type="range" id="{key}" min="0" max="{len(slider) - 1}" step="1" '
            f'value="{slider.start}" aria-valuetext="{text}" autocomplete="off">'
            f'<output for="{key}" aria-live="off">{text}</output>'
        )


def figure_label(label, shown):
    """The description of a figure at given values, escaped; the page's script writes the same."""
    return html.escape(f"{label.rstrip('.')}. Shown at {shown}.")


def _size(svg):
    width, height = re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups()
    return f"{width} x {height}"


def _json(state):
    # "<" cannot end the script element, nor open a comment in it, when it is written as an escape
    return json.dumps(state, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _resource(name):
    text = files("pgtlab.widgets").joinpath(name).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))
