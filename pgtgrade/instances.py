"""Owns the drawing of hidden instances from the lecturer's secret."""

import hashlib
import os

import numpy as np

#: The environment variable that holds the secret, and what stands for it where there is none.
VARIABLE, PUBLIC = "PGTGRADE_SECRET", "no secret: these instances are public"


def drawn(problem_set, question):
    """Return the generator from which the hidden instances of a question are drawn.

    The repository is public, and so is every line of the hidden tests. What a student cannot know beforehand
    is the secret, and so the instance.

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
    secret = os.environ.get(VARIABLE) or PUBLIC
    text = f"{secret}\0{problem_set}\0{question}"
    return np.random.default_rng(np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.uint32))
