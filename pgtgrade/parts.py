"""Owns partial credit: a hidden test that has parts, each of which earns its share by itself."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

from pgtgrade.source import SourceError

#: The parts of the hidden test that is being judged, None where nobody judges.
_found = None


@dataclass
class Part:
    """What became of one part.

    Attributes
    ----------
    words : str
    share : float
    error : Exception or None
        Why it earns nothing.
    """

    words: str
    share: float
    error: Exception | None = None


@contextmanager
def part(words, share=1):
    """Let what stands below earn its share of a question's points, whatever becomes of the rest.

    Where the same words stand several times, in a loop over instances, that is one part: all of them have to
    be right.

    Parameters
    ----------
    words : str
        What is tested, for the student.
    share : float
        How much it counts beside the other parts of this test.

    Examples
    --------
    >>> with judged() as found:
    ...     with part("the first half"):
    ...         assert 1 + 1 == 2
    ...     with part("the second half", share=3):
    ...         assert 1 + 1 == 3
    >>> earned(found), [each.words for each in found.values() if each.error]
    (0.25, ['the second half'])
    """
    mine = None if _found is None else _found.setdefault(words, Part(words, share))
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        if mine is None:
            raise
        mine.error = mine.error or error


def entry(function, index):
    """Return a function of the same name that returns one entry, or row, of what a function returns.

    Parameters
    ----------
    function : callable
    index : int or tuple
        As for an array.

    Examples
    --------
    >>> print(entry(sorted, 0)([3, 1, 2]))
    1
    """
    import numpy as np

    def part_of_it(*arguments):
        __tracebackhide__ = True
        return np.asarray(function(*arguments))[index]

    part_of_it.__name__ = part_of_it.__qualname__ = function.__name__
    return part_of_it


@contextmanager
def judged():
    """Collect the parts of a hidden test by their words, in place of raising what fails in them."""
    global _found
    before, _found = _found, {}
    try:
        yield _found
    finally:
        _found = before


def earned(found):
    """Return the share of a question's points that its parts earn: all if it has none."""
    whole = sum(each.share for each in found.values())
    return sum(each.share for each in found.values() if each.error is None) / whole if whole else 1.0
