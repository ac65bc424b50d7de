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
    failed : bool
        Whether it is a check that was meant to fail, and did.
    """

    def __init__(self, line, text, *, failed=False):
        self._line, self._text, self._failed = line, text, failed

    def __repr__(self):
        return self._text

    def _repr_html_(self):
        line, text = html.escape(self._line), html.escape(self._text)
        kind = "pgt-check pgt-caught" if self._failed else "pgt-check"
        return f'<details class="{kind}"><summary>{line}</summary><pre>{text}</pre></details>'


def show(line, text, *, failed=False):
    """Display a fold where there is a notebook to display it, and print the whole text elsewhere."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(text)
        return
    from IPython.display import display

    display(Fold(line, text, failed=failed))


def listed(words):
    """Return words as a list in a sentence: a, b and c."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
