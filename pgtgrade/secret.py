"""Owns the lecturer's secret: where it is read from, and that a course keeps to one.

Of the secret itself the course keeps a digest only, which nobody can compute who cannot read the course.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pgtgrade.instances import VARIABLE
from pgtgrade.results import write
from pgtgrade.rules import read_toml

#: Where a secret may be named, in the order in which they count.
PLACES = f"--secret-file, {VARIABLE}, or secret_file in course.toml"


def secret_of(course, named=None):
    """Return the secret, None if there is none, and the file in which it stands, if it stands in one.

    Parameters
    ----------
    course : Course
    named : path, optional
        The file that the command names; else the variable counts, and then the rules of the course.

    Returns
    -------
    (str or None, Path or None)

    Raises
    ------
    ValueError
        If the file is empty.
    """
    ours = read_toml(course).get("secret_file")
    if named is None and os.environ.get(VARIABLE):
        return os.environ[VARIABLE], None
    if named is None and ours is None:
        return None, None
    # what the course names lies beside its rules, if it is no whole path
    path = course.folder / Path(ours).expanduser() if named is None else Path(named).expanduser()
    secret = path.read_text(encoding="utf-8").strip()
    if not secret:
        raise ValueError(f"{path} is empty; expected the secret, a line of any text")
    return secret, path


def keep_to_one(course, set_name, secret, again=False):
    """Remember which secret a set is graded with, and refuse another one.

    Another secret means other hidden instances: all would be graded afresh without a word.

    Parameters
    ----------
    course : Course
    set_name : str
    secret : str or None
    again : bool
        Whether all is to be graded afresh.

    Raises
    ------
    ValueError
        If what was graded before, in this set or else in the last one, was with another secret or with none.
    """
    path, digest = course.folder / ".secrets", course.salted("secret", secret or "")
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    # what has no results holds nobody to anything
    graded = {name: each for name, each in kept.items() if course.results_of(name)}
    about = set_name if set_name in graded else next(reversed(graded), None)
    if about and graded[about] != digest and not again:
        without = graded[about] == course.salted("secret", "")
        was = "without a secret" if without else "with another secret" if secret else "with a secret"
        now = "now there is one" if without else "this is not it" if secret else "now there is none"
        raise ValueError(
            f"{course.folder}: {about} was graded {was}, and {now}; name the same as before ({PLACES}), or "
            "grade all afresh on other hidden instances with --again"
        )
    kept.pop(set_name, None)
    write(path, json.dumps({**kept, set_name: digest}))
