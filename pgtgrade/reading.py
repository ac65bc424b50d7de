"""Owns the reading of a notebook's file within a bound of memory: its outputs are passed over, not kept."""

from __future__ import annotations

import re

#: Bytes of a notebook that are kept, and bytes of a file that are looked at.
LARGEST, LOOKED_AT = 20 << 20, 1 << 30

#: What is passed over, by its depth and key: the outputs of a cell, and the state of widgets.
_PASSED_OVER = {(3, b"outputs"): b"[]", (2, b"widgets"): b"{}"}

_OUTSIDE, _INSIDE = re.compile(rb'["{}\[\]:,]'), re.compile(rb'["\\]')


def read_notebook(path, most=None):
    """Return the bytes of a notebook, without its outputs if they make it large; None if it is too large.

    Parameters
    ----------
    path : path
    most : int, optional
        Bytes that are kept, `LARGEST` by default.

    Returns
    -------
    bytes or None
    """
    most = LARGEST if most is None else most
    with open(path, "rb") as file:
        data = file.read(most + 1)
        if len(data) <= most:
            return data
        file.seek(0)
        return _stripped(file, most)


def _stripped(file, most):
    """Return what a file holds beside the outputs of its cells, None if that is too much.

    It is read in pieces, each looked through for what opens and closes; a long string is one step.
    """
    kept, depth, seen = bytearray(), 0, 0
    quoted = escaped = has_colon = False
    text, key = None, b""  # of the string that is being read, and of the last one
    passing = None  # the depth at which what is passed over began
    while piece := file.read(1 << 20):
        seen += len(piece)
        if seen > LOOKED_AT:
            return None
        at, begun, copied = int(escaped), 0, 0
        escaped = False
        while found := (_INSIDE if quoted else _OUTSIDE).search(piece, at):
            mark, at = found[0], found.end()
            if quoted and mark == b"\\":
                escaped = at == len(piece)
                at += 1
            elif quoted:
                quoted = False
                key = b"" if text is None else text + piece[begun : at - 1]
            elif mark == b'"':
                quoted, has_colon, begun = True, False, at
                text = b"" if passing is None else None
            elif mark == b":":
                has_colon = True
            elif mark in b"{[":
                instead = _PASSED_OVER.get((depth, key)) if has_colon and passing is None else None
                if instead:
                    kept += piece[copied : at - 1] + instead
                    passing = depth
                depth, has_colon = depth + 1, False
            elif mark in b"}]":
                depth, has_colon = depth - 1, False
                if passing == depth:
                    passing, copied = None, at
            else:
                has_colon = False
        if quoted and text is not None:
            text += piece[begun : begun + 64]
        if passing is None:
            kept += piece[copied:]
        if len(kept) > most:
            return None
    return bytes(kept)
