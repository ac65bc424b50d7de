"""Owns the judging: hidden tests run here, and each call of a student's function is made elsewhere."""

from __future__ import annotations

import builtins
import linecache
import pickle
import re

import numpy as np

from pgtgrade import source as sources
from pgtgrade.runner.encoding import Malformed, decode

#: Characters of a message that are kept.
MOST_TEXT = 2_000


class NotGraded(BaseException):
    """Say why a submission cannot be graded; no check may take it for a wrong answer."""


def judge(source, call, cells=()):
    """Run every hidden test, with the student's functions in the place of the instructor's.

    Parameters
    ----------
    source : Source
    call : callable
        Takes a name and pickled arguments; returns the message that `pgtgrade.runner.calls.call` makes.
    cells : sequence of str
        The code of the submission's cells, for the line in which an error arose.

    Returns
    -------
    dict of str to (float, str or None)
        By grade_id, the points and what the check says.

    Raises
    ------
    NotGraded
        If the source itself fails, or `call` raises it.
    """
    given, hidden = {"__name__": "__main__"}, {}
    for name, code in source.given.items():
        try:
            sources.run(name, code, given)
        except Exception as error:
            raise NotGraded(f"the source fails in cell {name}: {words(error)}") from error
    for name, (code, points) in source.hidden.items():
        # Each hidden test finds what is given, and nothing that another has left.
        namespace = {**given, **{each: proxy(each, call, cells) for each in source.names}}
        try:
            sources.run(name, code, namespace)
        except sources.SourceError as error:
            raise NotGraded(str(error)) from error
        except Exception as error:
            hidden[name] = 0.0, words(error)
        else:
            hidden[name] = points, None
    return hidden


def proxy(name, call, cells=()):
    """Return a function that stands for the student's.

    Parameters
    ----------
    name : str
    call : callable
        As in `judge`.
    cells : sequence of str

    Returns
    -------
    callable
        It returns plain data only, writes into arrays that it was given if the student's does, and raises
        what the student's raises, at the line in the student's cell.
    """

    def standing(*positional, **named):
        __tracebackhide__ = True
        handed = {**dict(enumerate(positional)), **named}
        protected = [
            key for key, each in handed.items() if isinstance(each, np.ndarray) and not each.flags.writeable
        ]
        try:
            arguments = pickle.dumps((positional, named, protected), protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            raise NotGraded(f"a hidden test hands over to {name} what cannot be pickled: {error}") from error
        head, blob = call(name, arguments)
        if "raised" in head:
            _raise(head["raised"], cells)
        try:
            value, written = _answer(head, blob)
        except Malformed as error:
            raise TypeError(f"no answer came back, but {error}") from None
        for key, array in written.items():
            mine = handed.get(int(key) if key.isdecimal() else key)
            if _takes(mine, array):
                mine[...] = array
        return value

    standing.__name__ = standing.__qualname__ = name
    return standing


def _answer(head, blob):
    pair = decode(head.get("value"), blob)
    if type(pair) is not list or len(pair) != 2 or type(pair[1]) is not dict:
        raise Malformed("a message without an answer")
    if not all(type(key) is str and key.isascii() for key in pair[1]):
        raise Malformed("arguments without names")
    return pair


def _takes(mine, array):
    return (
        isinstance(mine, np.ndarray)
        and isinstance(array, np.ndarray | np.generic)
        and mine.flags.writeable
        and (mine.shape, mine.dtype) == (array.shape, array.dtype)
    )


def _raise(told, cells):
    """Raise here what was raised in the student's process, so that a traceback ends in the student's line."""
    __tracebackhide__ = True
    told = told if type(told) is dict else {}
    name, text, line = told.get("type"), told.get("text"), told.get("line")
    name = name[:60] if type(name) is str and name.isidentifier() else "Exception"
    error = _exception(name, clean(text) if type(text) is str else "")
    if not _is_line(line, cells):
        raise error
    index, number = line
    code, file = cells[index], f"<submission, cell {index}>"
    linecache.cache[file] = len(code), None, code.splitlines(keepends=True), file
    exec(compile("\n" * (number - 1) + "raise error", file, "exec"), {"error": error})


def _exception(name, text):
    """Return one of Python's own exceptions, or one that is like the student's by its name only."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            error = kind(text)
        except TypeError:
            error = None
        if str(error) == text:
            return error
    return type(name, (Exception,), {})(text)


def _is_line(line, cells):
    return (
        type(line) is list
        and len(line) == 2
        and all(type(each) is int for each in line)
        and 0 <= line[0] < len(cells)
        and 1 <= line[1] <= cells[line[0]].count("\n") + 1
    )


def words(error):
    """Return what a student is told of an exception in a hidden test."""
    text = clean(str(error))[:MOST_TEXT]
    if isinstance(error, AssertionError):
        return text or "a check fails"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def clean(text, keep=""):
    """Return a text that can be stored and shown: without control characters and halves of characters."""
    return _UNCLEAN.sub(lambda found: found[0] if found[0] in keep else "\ufffd", text)


#: What ends a string, moves a cursor or cannot be encoded; not tabs and new lines.
_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
