"""Owns the check of an exercise in a chapter, where the answer may be missing and the notebook goes on."""

from __future__ import annotations

import contextlib
import textwrap

from pgtlab.checks.agreement import _LINE


@contextlib.contextmanager
def attempt():
    """Run the check of an exercise, and print what it finds in the place of an error.

    A chapter holds its exercises unsolved. With this round a check the notebook runs through all the same,
    and a reader is told what is missing or wrong; so is one who gave the answer another name.

    Raises
    ------
    Exception
        If the check itself cannot be run: whatever is raised that is no AssertionError.

    Examples
    --------
    >>> from pgtlab.checks import answer
    >>> def twice(x):
    ...     raise NotImplementedError()
    >>> with attempt():
    ...     answer(twice, 3.0, known=6.0)
    Not right yet. twice: not written yet. Put your code in the place of `raise
    NotImplementedError()`
    >>> def twice(x):
    ...     return 2 * x
    >>> with attempt():
    ...     answer(twice, 3.0, known=6.0)
    twice: one number
    twice: right where the answer is known
    Right.
    """
    try:
        yield
    except NameError as missing:  # of the check: one in a reader's function is told by `answer` itself
        said = f"{missing.name}: expected an answer of this name in the cell above, got none"
        print(textwrap.fill(f"Not right yet. {said}", _LINE))
    except AssertionError as wrong:
        print(textwrap.fill(f"Not right yet. {wrong}", _LINE))
    else:
        print("Right.")
