"""Owns the judging: hidden tests run here, and each call of a student's function is made elsewhere."""

from __future__ import annotations

import builtins
import linecache
import os
import pickle
import re
import time

import numpy as np

from pgtgrade import source as sources
from pgtgrade.instances import VARIABLE, instances_of
from pgtgrade.parts import earned, judged
from pgtgrade.runner.calls import call as call_here
from pgtgrade.runner.encoding import Malformed, decode

#: Characters of a message that are kept.
MOST_TEXT = 2_000


class NotGraded(BaseException):
    """Say why a submission cannot be graded; no check may take it for a wrong answer."""


#: Draws of an instance on which the instructor's own answer is tried.
MOST_DRAWS = 5


def judge(source, call, cells=(), *, student="", questions=None, times=None):
    """Run every hidden test, with the student's functions in the place of the instructor's.

    Parameters
    ----------
    source : Source
    call : callable
        Takes a name and pickled arguments; returns the message that `pgtgrade.runner.calls.call` makes.
    cells : sequence of str
        The code of the submission's cells, for the line in which an error arose.
    student : str
        For whom the instances are drawn. One on which the instructor's own answer fails is drawn afresh.
    questions : collection of str, optional
        The grade_ids of the hidden tests to run: all unless told otherwise.
    times : dict of str to float, optional
        Filled with the seconds that each test took, by its grade_id.

    Returns
    -------
    dict of str to (float, str or None)
        By grade_id, the points and what the check says. It tells no number that was computed.

    Raises
    ------
    NotGraded
        If the source itself fails, or `call` raises it.
    """
    given, hidden = _given(source), {}
    for name, (code, points) in source.hidden.items():
        if questions is not None and name not in questions:
            continue
        with instances_of(student, _sound_draw(source, name, given, student)):
            start = time.monotonic()
            share, said = _run(source, name, code, given, call, cells)
        if times is not None:
            times[name] = round(time.monotonic() - start, 3)
        hidden[name] = (points * share, said)
    return hidden


def rehearse(source):
    """Run every hidden test with the instructor's functions; raise NotGraded if one fails.

    Parameters
    ----------
    source : Source
    """
    given = _given(source)
    for name in source.hidden:
        _sound_draw(source, name, given, "")


def _given(source):
    """Return the names that the given cells define."""
    given = {"__name__": "__main__"}
    for name, code in source.given.items():
        try:
            sources.run(name, code, given)
        except Exception as error:
            raise NotGraded(f"the source fails in cell {name}: {words(error)}") from error
    return given


def _run(source, name, code, given, call, cells=()):
    """Run a hidden test and return the share of its points, and what it says, None if all is right."""
    # Each finds what is given, and nothing that another has left.
    namespace = {**given, **{each: proxy(each, call, cells) for each in source.names}}
    with judged() as parts:
        try:
            sources.run(name, code, namespace)
        except sources.SourceError as error:
            raise NotGraded(str(error)) from error
        except Exception as error:
            return 0.0, words(error)
    wrong = [f"{each.words}: {words(each.error)}" for each in parts.values() if each.error is not None]
    if not wrong:
        return 1.0, None
    right = len(parts) - len(wrong)
    return earned(parts), "\n".join([f"{right} of {len(parts)} parts are right.", *wrong])


#: The draws that were found to be sound, by all that they depend on.
_sound = {}


def _sound_draw(source, name, given, student):
    """Return the number of the first draw on which the instructor's own answer passes a hidden test."""
    about = source.problem_set, name, *source.given.values(), *source.solutions.values()
    key = hash((*about, source.hidden[name][0], os.environ.get(VARIABLE), student))
    if key not in _sound:
        solved = dict(given)
        for each, code in source.solutions.items():
            try:
                sources.run(each, code, solved)
            except Exception as error:
                raise NotGraded(f"the source fails in cell {each}: {words(error)}") from error
        for attempt in range(MOST_DRAWS):
            with instances_of(student, attempt):
                _, said = _run(source, name, source.hidden[name][0], given, _solver(solved))
            if said is None:
                _sound[key] = attempt
                break
        else:
            raise NotGraded(f"the source's own answer fails in {name}: {said}")
    return _sound[key]


def _solver(solved):
    return lambda function, arguments: call_here(function, solved, arguments, {})


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
            _raise(name, head["raised"], cells)
        try:
            value, written = _answer(head, blob)
        except Malformed:  # what is wrong with it is the student's text, and may hold numbers
            raise TypeError("no answer came back, but a message that is none") from None
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


def _raise(function, told, cells):
    """Raise here what was raised in the student's process, so that a traceback ends in the student's line."""
    __tracebackhide__ = True
    told = told if type(told) is dict else {}
    name, text, line = told.get("type"), told.get("text"), told.get("line")
    name = name if type(name) is str and name in KNOWN else "Exception"
    error = readable(_exception(name, _passed_on(function, text if type(text) is str else "")))
    if not _is_line(line, cells):
        raise error
    index, number = line
    code, file = cells[index], f"<submission, cell {index}>"
    linecache.cache[file] = len(code), None, code.splitlines(keepends=True), file
    exec(compile("\n" * (number - 1) + "raise error", file, "exec"), {"error": error})


#: The exceptions that are passed on by their names; a name of the student's own could tell anything.
KNOWN = {
    name
    for name, each in vars(builtins).items()
    if isinstance(each, type) and issubclass(each, Exception) and not issubclass(each, Warning)
} | {"LinAlgError"}

#: What Python, and we ourselves, say of a call, and what of that is passed on.
SAID = {
    r"(no cell defines {})": r"\1",
    r"(no end within \d{1,4}(\.\d)? s)": r"\1",
    r"({} returns (set|frozenset|function|generator|type|module|object|bytes)); .*": r"\1; expected numbers",
    r"{} returns .*": r"{} returns what is no answer; expected numbers or arrays, or lists of those",
    r"{}\(\) (missing|takes|got) .*": r"{}() takes other arguments than it is given",
    r"pgtlab's \w+ is not there when this set is graded.*": (
        r"of pgtlab it calls what is not there when this set is graded"
    ),
}


def readable(error):
    """Return an exception whose text a student may read, even of a case that is not seen."""
    error.passed_on = True
    return error


def _passed_on(function, text):
    """Return what is passed on of the text of an exception: nothing that could hold a hidden instance."""
    for pattern, said in SAID.items():
        found = re.fullmatch(pattern.replace("{}", re.escape(function)), text, re.DOTALL)
        if found:
            return found.expand(said.replace("{}", function))
    return ""


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


def words(error, hidden=True):
    """Return what a student is told of an exception in a check."""
    # Of an answer's own numbers a hidden test tells nothing: they may be those of the instance.
    text = clean((hidden and getattr(error, "unseen", None)) or str(error))[:MOST_TEXT]
    if isinstance(error, AssertionError):
        return text or "a check fails"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def clean(text, keep=""):
    """Return a text that can be stored and shown: without control characters and halves of characters."""
    return _UNCLEAN.sub(lambda found: found[0] if found[0] in keep else "\ufffd", text)


#: What ends a string, moves a cursor or cannot be encoded; not tabs and new lines.
_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
