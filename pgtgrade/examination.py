"""Owns the examination of one submission: what its cells print, and how many points its answers earn.

Three processes: this one, which asks for a judge and reads what it found; the judge, which has the source
and the secret, and takes data from the third; and the student's, in isolation, which runs the
submission. A judge is forked for each submission, so that nothing of one is left for the next.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import asdict, dataclass, field

from pgtgrade import judges
from pgtgrade import source as sources
from pgtgrade.here import examine_here, visible_here
from pgtgrade.instances import VARIABLE
from pgtgrade.isolation import Isolation, Limits
from pgtgrade.judging import NotGraded, clean, judge, rehearse
from pgtgrade.process import GRACE, START, Process
from pgtgrade.student import Student
from pgtgrade.walls import SLACK

__all__ = ["Examination", "Limits", "examine", "examine_here", "visible_here"]

#: What runs in the process of which judges are forked.
JUDGE = "from pgtgrade.examination import main; main()"

#: Bytes of memory that a judge may use, whatever a submission returns.
JUDGE_MEMORY = 4 << 30


@dataclass(frozen=True)
class Examination:
    """What was found: plain data, ready for JSON by `dataclasses.asdict`.

    Attributes
    ----------
    status : str
        "graded" or "not graded".
    reason : str or None
        Why it is not graded, in a sentence.
    outputs : list
        Of each cell that was handed in, the list of its outputs in the notebook format.
    hidden : dict
        Of each hidden-test cell, by grade_id, its points and what its check says, None if all is right.
        Empty if it is not graded.
    notes : list of str
        What the lecturer should know, a sentence each.
    seconds : float
        How long it took.
    times : dict of str to float
        The seconds of each hidden test, by grade_id.
    """

    status: str
    reason: str | None
    outputs: list
    hidden: dict
    notes: list
    seconds: float
    times: dict = field(default_factory=dict)


def examine(cells, source, *, limits, isolation, secret, student=""):
    """Run the cells of a submission in isolation and judge its functions by the hidden tests of the source.

    Parameters
    ----------
    cells : list of dict
        Of the submission, notebook format 4, locked cells as they were released.
    source : dict
        The instructor's notebook, with solutions and hidden tests.
    limits : Limits
    isolation : Isolation
        From `pgtgrade.isolation`: how the student's process is kept apart.
    secret : str or None
        The lecturer's; it goes to the judge alone.
    student : str
        For whom the hidden instances are drawn.

    Returns
    -------
    Examination
        Whatever the submission does; it never raises on account of one.
    """
    start = time.monotonic()
    job = {
        "names": [each["metadata"].get("nbgrader", {}).get("grade_id") for each in cells],
        "student": student,
        "cells": ["".join(each["source"]) if each["cell_type"] == "code" else "" for each in cells],
        "limits": asdict(limits),
        "isolation": asdict(isolation),
        "secret": secret,
    }
    most = SLACK * (limits.total_seconds + limits.cell_seconds)
    found, trouble = judges.ask(JUDGE, source, job, most + START + 2 * GRACE)
    if found is None:
        reason = f"the judge ended without a verdict: {clean(trouble)}"
        found = {"status": "not graded", "reason": reason, "outputs": [], "hidden": {}, "notes": []}
    found["hidden"] = {name: tuple(each) for name, each in found["hidden"].items()}
    found["outputs"] = found["outputs"] or [[] for _ in cells]
    return Examination(**found, seconds=round(time.monotonic() - start, 3))


def main():
    """Be the process of which judges are forked."""
    judges.serve(_prepare, _judge)


def _prepare(source):
    """Judge the source's own answers: that imports and compiles what judging others needs."""
    # What is wrong with it is found again by each judge, and told.
    with contextlib.suppress(sources.SourceError, NotGraded):
        rehearse(sources.read(source))


def _judge(job, source):
    """Be the judge: examine, and return what was found."""
    limits, isolation = Limits(**job["limits"]), Isolation(**job["isolation"])
    try:
        source = sources.read(source)
        # It starts while this process goes on.
        process = Process(isolation, limits, source.needs)
        _limit_memory()
        if job["secret"]:
            os.environ[VARIABLE] = job["secret"]
        return _examine(job, source, limits, isolation, process)
    except sources.SourceError as error:
        reason = clean(str(error))
        return {"status": "not graded", "reason": reason, "outputs": [], "hidden": {}, "notes": []}


def _examine(job, source, limits, isolation, process):
    cells, names, name = job["cells"], job["names"], job["student"]

    first = Student(cells, limits=limits, isolation=isolation, needs=source.needs, process=process)
    notes, hidden, times, status, reason = [], {}, {}, "graded", None
    try:
        first.run()
        hidden = judge(source, first.call, cells, student=name, times=times)
        first.close()
        found = _as_they_stood(job, source, hidden, first)
        hidden |= found
        notes += [
            f"{each} is right as it stood after its check, and not any more at the end" for each in found
        ]
    except NotGraded as error:
        hidden, status, reason = {}, "not graded", clean(str(error))
    finally:
        first.close()
    notes += _copies(cells, names, source) + _afresh(cells, source)
    return {
        "status": status,
        "reason": reason,
        "outputs": first.outputs,
        "hidden": hidden,
        "times": times,
        "notes": list(map(clean, first.notes + notes)),
    }


def _as_they_stood(job, source, hidden, first):
    """Return what earns more if each question is judged as it stood after its check.

    A cell of one's own may rebind a name for a try. This is a second run, of which no output is shown: a
    function that keeps what it was called with has no cell after it that could tell.
    """
    places = {}
    for test, (_, said) in hidden.items():
        place = source.place(test)
        hopeless = said is None or re.search("not written yet|no end within|its process", said)
        if not hopeless and place in job["names"]:
            places[test] = job["names"].index(place)
    if not places:
        return {}
    found, again = {}, first.afresh()
    try:
        for test, place in sorted(places.items(), key=lambda item: item[1]):
            again.run(place + 1)
            found |= judge(source, again.call, job["cells"], student=job["student"], questions=[test])
    except NotGraded:
        pass  # what was found at the end stands
    finally:
        again.close()
    return {test: each for test, each in found.items() if each[0] > hidden[test][0]}


def _copies(cells, names, source):
    """Return a note for the answers whose code is the instructor's own."""
    copied = [
        name
        for name, solution in source.solutions.items()
        if name in names and sources.is_copied(cells[names.index(name)], solution)
    ]
    return [f"the book's solution, but for names and layout: {', '.join(copied)}"] if copied else []


#: What brings modules back that were imported before, or ways round an import.
AFRESH = re.compile(r"\b(sys\.modules|importlib|__import__|subprocess)\b")


def _afresh(cells, source):
    """Return a note for the cells that reach for what is not there when the set is graded."""
    rest = "|".join(map(re.escape, source.needs))
    asks = re.compile(rf"^\s*(?:from|import)\s+pgtlab\.(?!(?:{rest})\b)", re.MULTILINE)
    found = [
        str(index + 1)
        for index, code in enumerate(cells)
        if asks.search(code) or ("pgtlab" in code and AFRESH.search(code))
    ]
    return (
        [f"reaches for more of pgtlab than there is: {', '.join(f'cell {each}' for each in found)}"]
        if found
        else []
    )


def _limit_memory():
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = JUDGE_MEMORY if hard == resource.RLIM_INFINITY else min(JUDGE_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
