"""Owns what is kept of the output of a cell: so much of it, and nothing that a browser would run."""

from __future__ import annotations

import base64
import binascii

from pgtgrade.judging import clean
from pgtgrade.runner.main import SHOWN

#: Outputs that are kept of a cell, however short.
MOST = 200


class Outputs:
    """The outputs of one cell, as they come from a process that is not trusted.

    Parameters
    ----------
    most : int
        Characters that are kept.
    """

    def __init__(self, most):
        self.list, self.is_cut, self._most, self._left = [], False, most, most

    def add(self, output, count=None):
        """Keep an output if it is one, as far as there is room.

        Parameters
        ----------
        output : object
            From JSON.
        count : int, optional
            The number of the cell.
        """
        if type(output) is not dict or len(self.list) >= MOST:
            self.is_cut |= len(self.list) >= MOST
            return
        kind = output.get("output_type")
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            self._add_text(name, self._text(output.get("text")))
        elif kind == "error":
            self._add_error(output)
        elif kind in ("display_data", "execute_result"):
            self._add_data(kind, output, count)

    def cut(self):
        """Return the outputs, and say at the end if something is missing."""
        if not self.is_cut:
            return self.list
        return [*self.list, _stream("stderr", f"[the rest is cut: a cell keeps {self._most} characters]\n")]

    def _text(self, text):
        text = clean_output(text)
        self.is_cut |= len(text) > self._left
        text = text[: self._left]
        self._left -= len(text)
        return text

    def _add_text(self, name, text):
        if self.list and self.list[-1].get("name") == name:
            self.list[-1]["text"] += text
        elif text:
            self.list.append(_stream(name, text))

    def _add_error(self, output):
        lines = output.get("traceback")
        lines = lines if type(lines) is list else []
        if self._left:
            self.list.append(
                {
                    "output_type": "error",
                    "ename": self._text(output.get("ename"))[:100],
                    "evalue": self._text(output.get("evalue")),
                    "traceback": [self._text(each) for each in lines[:200]],
                }
            )

    def _add_data(self, kind, output, count):
        data, kept = output.get("data"), {}
        for form in SHOWN if type(data) is dict else ():
            text = data.get(form)
            if type(text) is not str:
                continue
            if form == "text/plain":
                kept[form] = self._text(text)
            elif len(text) > self._left:
                self.is_cut = True
            elif _is_base64(text):
                self._left -= len(text)
                kept[form] = text
        if any(kept.values()):
            number = {"execution_count": count} if kind == "execute_result" else {}
            self.list.append({"output_type": kind, "data": kept, "metadata": {}, **number})


def clean_output(text):
    """Return a text that can be stored: what colours it stays, other control characters do not."""
    return clean(text, keep="\r\x1b") if type(text) is str else ""


def _stream(name, text):
    return {"output_type": "stream", "name": name, "text": text}


def _is_base64(text):
    try:
        base64.b64decode(text.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
