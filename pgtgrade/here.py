"""Owns the judging of one's own answers in one process, for the tests of the problem sets."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

from pgtgrade import source as sources
from pgtgrade.judging import judge, words
from pgtgrade.needed import only
from pgtgrade.runner.calls import call


def examine_here(answers, notebook, questions=None, student=""):
    """Judge answers in this process, without isolation or limits: for answers of one's own only.

    Parameters
    ----------
    answers : dict of str to str
        Code that takes the place of the instructor's solution, by the grade_id of the solution cell.
    notebook : dict
        The instructor's.
    questions : collection of str, optional
        The grade_ids of the hidden tests to run: all unless told otherwise.
    student : str
        For whom the hidden instances are drawn.

    Returns
    -------
    dict of str to (float, str or None)
        Points of each hidden-test cell, by its grade_id, and what its check says, None if all is right.
    """
    source = sources.read(notebook)
    namespace = _student(answers, source)

    def asked(name, arguments):
        with only(source.needs):
            return call(name, namespace, arguments, {})

    with redirect_stdout(io.StringIO()):
        return judge(source, asked, student=student, questions=questions)


def visible_here(answers, notebook, names=None):
    """Run the visible checks on answers in this process: for answers of one's own only.

    Parameters
    ----------
    answers : dict of str to str
        As for `examine_here`.
    notebook : dict
        The instructor's.
    names : collection of str, optional
        The grade_ids of the checks to run: all unless told otherwise.

    Returns
    -------
    dict of str to (str or None)
        What each check cell says, by its grade_id, None if all is right.
    """
    source, said = sources.read(notebook), {}
    namespace = _student(answers, source)
    with only(source.needs), redirect_stdout(io.StringIO()):
        for name, code in source.checks.items():
            if names is not None and name not in names:
                continue
            said[name] = _run(name, code, namespace)
    return said


def _student(answers, source):
    """Return the namespace after the given cells and the answers."""
    unknown = sorted(set(answers) - set(source.solutions))
    if unknown:
        known = ", ".join(source.solutions)
        raise ValueError(f"no solution cell is called {unknown[0]}; expected one of {known}")
    namespace = {"__name__": "__main__"}
    cells = {**source.given, **source.solutions, **answers}
    with only(source.needs), redirect_stdout(io.StringIO()):
        for name in source.order:
            if name in cells:
                _run(name, cells[name], namespace)
    return namespace


def _run(name, code, namespace):
    try:
        sources.run(name, code, namespace)
    except Exception as error:
        return words(error, hidden=False)
    return None
