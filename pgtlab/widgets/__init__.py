"""This room owns `explore`: sliders over a function that draws a matplotlib figure.

In the book build the page carries every frame of the sliders' grid and answers without a kernel; with a
live kernel the same call gives ipywidgets sliders that redraw in Python.
"""

from pgtlab.widgets.choice import explore
from pgtlab.widgets.explorer import Explorer

__all__ = ["Explorer", "explore"]
