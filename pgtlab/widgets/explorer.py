"""Owns the object that `explore` returns: a figure with sliders."""

from __future__ import annotations

import itertools
import math
from functools import cached_property

from pgtlab.widgets.frames import svg_frame
from pgtlab.widgets.sliders import name_of


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

    def __init__(self, draw, sliders, label, identity):
        self._draw = draw
        self.sliders = sliders
        self.label = label
        self.identity = identity

    def __repr__(self):
        return f"explore({name_of(self._draw)}: {', '.join(slider.argument for slider in self.sliders)})"

    @cached_property
    def start(self):
        """The initial values by argument."""
        return {slider.argument: slider.values[slider.start] for slider in self.sliders}

    @property
    def n_frames(self):
        """The number of frames of the grid."""
        return math.prod(map(len, self.sliders))

    def grid(self):
        """The values of every frame; those of the last slider change fastest."""
        arguments = [slider.argument for slider in self.sliders]
        return [
            dict(zip(arguments, values, strict=True))
            for values in itertools.product(*(slider.values for slider in self.sliders))
        ]

    def svg(self, **values):
        """Draw one frame afresh; a value that is not given is the initial one."""
        unknown = [argument for argument in values if argument not in self.start]
        if unknown:
            raise ValueError(
                f"{self!r} has no slider {unknown[0]!r}; its sliders are {', '.join(self.start)}"
            )
        return svg_frame(self._draw, {**self.start, **values}, self.identity)

    def frames(self):
        """Draw every frame of the grid afresh, in the order of `grid`."""
        return [self.svg(**values) for values in self.grid()]

    def values_text(self, values):
        """The values of the sliders in one line, as the reader sees them."""
        return ", ".join(f"{slider.name} = {slider.text(values[slider.argument])}" for slider in self.sliders)
