"""The form for a live kernel: ipywidgets sliders, finer than the grid, that redraw in Python."""

from __future__ import annotations

import html
import math

from pgtlab.widgets.explorer import Explorer
from pgtlab.widgets.static import figure_label

_FINER = 10  # steps of a slider between two grid values


class LiveExplorer(Explorer):
    """A figure with sliders that a kernel redraws.

    Attributes
    ----------
    controls : dict of ipywidgets.Widget
        The sliders by argument.
    figure : ipywidgets.HTML
        The figure, or what went wrong in drawing it.
    box : ipywidgets.VBox
        Figure and sliders together.
    """

    def __init__(self, draw, sliders, label, identity):
        super().__init__(draw, sliders, label, identity)
        svg = self.svg()  # an error at the initial values belongs to the cell, not into the figure
        try:
            import ipywidgets
        except ImportError as error:
            raise ImportError(
                f'{self!r} needs ipywidgets for its sliders; write: pip install "pgtlab[widgets]"'
            ) from error

        # No Output and no interact: under nbclient cells with them stall at random.
        self.controls = {slider.argument: _control(ipywidgets, slider) for slider in sliders}
        self.figure = ipywidgets.HTML(self._figure_html(svg, self.start))
        self.box = ipywidgets.VBox([self.figure, *self.controls.values()])
        for control in self.controls.values():
            control.observe(self._redraw, names="value")

    def _repr_mimebundle_(self, **options):
        bundle = dict(self.box._repr_mimebundle_(**options) or {})
        return {**bundle, "text/plain": repr(self)}

    def _redraw(self, _=None):
        values = {argument: control.value for argument, control in self.controls.items()}
        try:
            self.figure.value = self._figure_html(self.svg(**values), values)
        except Exception as error:  # any error of the drawing function is shown where the reader looks
            self.figure.value = (
                '<pre role="alert" style="white-space: pre-wrap; color: #b00020; background: white">'
                f"{html.escape(str(error))}</pre>"
            )

    def _figure_html(self, svg, values):
        svg = svg.replace('<svg style="', '<svg style="max-width: 100%; height: auto; ', 1)
        return (
            '<div role="img" style="background: white; width: fit-content; max-width: 100%" '
            f'aria-label="{figure_label(self.label, self.values_text(values))}">{svg}</div>'
        )


def _control(ipywidgets, slider):
    value, low, high, n = slider.values[slider.start], slider.values[0], slider.values[-1], len(slider)
    wide = {
        "description": slider.name,
        "style": {"description_width": "initial"},
        "layout": ipywidgets.Layout(width="100%", max_width="30em"),
    }
    readout = f".{slider.digits}r"
    if slider.kind == "integer":
        return ipywidgets.IntSlider(value=value, min=low, max=high, step=1, **wide)
    if slider.kind == "linear":
        step = (high - low) / (n - 1) / _FINER
        return ipywidgets.FloatSlider(
            value=value, min=low, max=high, step=step, readout_format=readout, **wide
        )
    if slider.kind == "log":
        low, high = math.log10(low), math.log10(high)
        step = (high - low) / (n - 1) / _FINER
        return ipywidgets.FloatLogSlider(
            value=value, base=10, min=low, max=high, step=step, readout_format=readout, **wide
        )
    options = list(zip(slider.texts, slider.values, strict=True))
    make = ipywidgets.Dropdown if slider.kind == "choice" else ipywidgets.SelectionSlider
    return make(options=options, value=value, **wide)
