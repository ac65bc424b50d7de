"""Many frames in little room: each distinct piece of SVG once, and for each frame its pieces' numbers."""

from __future__ import annotations

import base64
import itertools
import json
import re
import zlib

_JOINT = re.compile(r"(?<=>)(?=<)|(?<=\n)")


def pack(frames):
    """Pack SVG frames into one text of letters, digits, `+`, `/` and `=`.

    A frame is cut into pieces, one a tag or a line of a path. Frames of one figure differ in few of them, so
    the pieces stand in a table: position by position, and at each position frame by frame, which puts like
    beside like for the compression. A position with the same piece in every frame is one number; any other
    is a list with the number of the first frame's piece and then the steps from frame to frame.
    """
    cut = [_JOINT.split(frame) for frame in frames]
    number = {}
    columns = []
    for column in itertools.zip_longest(*cut, fillvalue=""):
        numbers = [number.setdefault(piece, len(number)) for piece in column]
        steps = [b - a for a, b in itertools.pairwise(numbers)]
        columns.append([numbers[0], *steps] if any(steps) else numbers[0])
    table = {"pieces": list(number), "columns": columns}
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpack(packed, n_frames):
    """The SVG frames of a packed text; the page's script does the same."""
    table = json.loads(zlib.decompress(base64.b64decode(packed)))
    columns = [
        list(itertools.accumulate(column)) if isinstance(column, list) else [column] * n_frames
        for column in table["columns"]
    ]
    return ["".join(table["pieces"][column[k]] for column in columns) for k in range(n_frames)]


def count_pieces(frames):
    """How many pieces the longest frame has, and how many of them differ between frames."""
    cut = [_JOINT.split(frame) for frame in frames]
    columns = list(itertools.zip_longest(*cut, fillvalue=""))
    return len(columns), sum(len(set(column)) > 1 for column in columns)
