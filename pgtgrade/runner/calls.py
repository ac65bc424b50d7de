"""Owns the call of a student's function: arguments in, and out what it returns or raises."""

from __future__ import annotations

import pickle
import traceback

import numpy as np

from .encoding import Refused, encode

#: Characters of a message that are kept.
MOST_TEXT = 2_000


def call(name, namespace, arguments, cells):
    """Call a function and put in a message what comes of it.

    Parameters
    ----------
    name : str
        Of the function.
    namespace : dict
        In which the cells have run.
    arguments : bytes
        The pickle of positional and named arguments, and of which arrays among them may not be written into.
    cells : dict of str to (int, int)
        The index of the cell and the empty lines at its top, by the file name in its code.

    Returns
    -------
    (dict, bytes)
        With "value", and under "written" the arrays among the arguments that were written into; or "raised".
    """
    try:
        function = namespace[name]
    except KeyError:
        return {"raised": {"type": "NameError", "text": f"no cell defines {name}"}}, b""
    positional, named, protected = pickle.loads(arguments)
    handed = {**dict(enumerate(positional)), **named}
    for key in protected:
        handed[key].flags.writeable = False
    before = {key: each.copy() for key, each in handed.items() if _is_open(each)}
    try:
        value = function(*positional, **named)
        written = {str(key): handed[key] for key, each in before.items() if not _same(handed[key], each)}
        tree, blob = encode([value, written])
    except Refused as error:
        return {"raised": {"type": "TypeError", "text": f"{name} returns {error}"}}, b""
    except KeyboardInterrupt as error:
        if type(error) is not KeyboardInterrupt:
            raise  # the time is up
        return {"raised": raised(error, cells)}, b""
    except (Exception, SystemExit) as error:
        return {"raised": raised(error, cells)}, b""
    return {"value": tree}, blob


def raised(error, cells):
    """Return what a message says of an exception.

    Parameters
    ----------
    error : BaseException
    cells : dict of str to (int, int)
        The index of the cell and the empty lines at its top, by the file name in its code.

    Returns
    -------
    dict
        Type and text, and the innermost line in a cell, counted from 1.
    """
    try:
        text = str(error)[:MOST_TEXT]
    except Exception:
        text = "(its message cannot be shown)"
    where = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename in cells:
            index, above = cells[frame.f_code.co_filename]
            where.append([index, line + above])
    return {"type": type(error).__name__[:100], "text": text, "line": where[-1] if where else None}


def _is_open(value):
    return isinstance(value, np.ndarray) and value.flags.writeable and value.dtype.kind in "biufc"


def _same(array, before):
    return array.shape == before.shape and array.tobytes() == before.tobytes()
