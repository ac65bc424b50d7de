"""Owns how a check shows itself: in a notebook one line that unfolds its numbers, elsewhere all of them."""

from __future__ import annotations

import html
import sys


class Fold:
    """A line to read, and behind it the text that it sums up.

    Parameters
    ----------
    line : str
        What stands on the page.
    text : str
        What unfolds; the whole of it, so that it may stand without the line.
    """

    def __init__(self, line, text):
        self._line, self._text = line, text

    def __repr__(self):
        return self._text

    def _repr_html_(self):
        line, text = html.escape(self._line), html.escape(self._text)
        return f'<details class="pgt-check"><summary>{line}</summary><pre>{text}</pre></details>'


def show(line, text):
    """Display a fold where there is a notebook to display it, and print the whole text elsewhere."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(text)
        return
    from IPython.display import display

    display(Fold(line, text))


def listed(words):
    """Return words as a list in a sentence: a, b and c."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
