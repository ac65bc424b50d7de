"""Owns the drawing of hidden instances from the lecturer's secret."""

import hashlib
import os
from contextlib import contextmanager

#: The environment variable that holds the secret, and what stands for it where there is none.
VARIABLE, PUBLIC = "PGTGRADE_SECRET", "no secret: these instances are public"


#: For whom instances are drawn, and how often before: those were no good.
_whose = "", 0


@contextmanager
def instances_of(student="", attempt=0):
    """Let the instances be those of a student for a while.

    Parameters
    ----------
    student : str
        A name; "" for the instances of nobody in particular.
    attempt : int
        How many draws are passed over.
    """
    global _whose
    before, _whose = _whose, (student, attempt)
    try:
        yield
    finally:
        _whose = before


def drawn(problem_set, question):
    """Return the generator from which the hidden instances of a question are drawn.

    The repository is public, and so is every line of the hidden tests. What a student cannot know beforehand
    is the secret, and so the instance. While a submission is graded its student's name is drawn from too, so
    that what one of them sees of an instance serves nobody else.

    Parameters
    ----------
    problem_set, question : str
        Such as "ps1" and "step-matrix": each question has a stream of its own.

    Returns
    -------
    numpy.random.Generator
        The same for the same secret, afresh at each call.

    Examples
    --------
    >>> drawn("ps1", "visits").random() == drawn("ps1", "visits").random()
    True
    >>> drawn("ps1", "visits").random() == drawn("ps1", "step-matrix").random()
    False
    """
    import numpy as np

    secret = os.environ.get(VARIABLE) or PUBLIC
    text = f"{secret}\0{problem_set}\0{question}"
    if _whose != ("", 0):
        text += "\0{}\0{}".format(*_whose)
    return np.random.default_rng(np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.uint32))
