"""Owns the examination of one submission: what its cells print, and how many points its answers earn.

Three processes: this one, which starts a judge and reads what it found; the judge, which has the instructor's
notebook and the secret, and takes data from the third; and the student's, in isolation, which runs the
submission. A judge is started for each submission, so that nothing of one is left for the next.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass

from pgtgrade import source as sources
from pgtgrade.here import examine_here, visible_here
from pgtgrade.instances import VARIABLE
from pgtgrade.isolation import Isolation, Limits
from pgtgrade.judging import NotGraded, clean, judge
from pgtgrade.process import GRACE, START, Process
from pgtgrade.student import Student

__all__ = ["Examination", "Limits", "examine", "examine_here", "visible_here"]

#: What a judge runs.
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
    """

    status: str
    reason: str | None
    outputs: list
    hidden: dict
    notes: list
    seconds: float


def examine(cells, source, *, limits, isolation, secret):
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

    Returns
    -------
    Examination
        Whatever the submission does; it never raises on account of one.
    """
    start = time.monotonic()
    job = {
        "cells": ["".join(each["source"]) if each["cell_type"] == "code" else "" for each in cells],
        "source": source,
        "limits": asdict(limits),
        "isolation": asdict(isolation),
        "secret": secret,
    }
    found, trouble = _ask_a_judge(job, limits.total_seconds + limits.cell_seconds + START + 2 * GRACE)
    if found is None:
        reason = f"the judge ended without a verdict: {trouble}"
        found = {"status": "not graded", "reason": reason, "outputs": [], "hidden": {}, "notes": []}
    found["hidden"] = {name: tuple(each) for name, each in found["hidden"].items()}
    found["outputs"] = found["outputs"] or [[] for _ in cells]
    return Examination(**found, seconds=round(time.monotonic() - start, 3))


def _ask_a_judge(job, seconds):
    """Return what a judge found, or None and what is known of its end."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", JUDGE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**environment, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        overdue = threading.Event()
        timer = threading.Timer(seconds, lambda: (overdue.set(), process.kill()))
        timer.start()
        try:
            # The pipe stays open: its end tells the judge that nobody waits any more.
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
            found = process.stdout.read()
            process.wait()
        except BrokenPipeError:
            found = b""
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        errors.seek(0, os.SEEK_END)
        errors.seek(max(errors.tell() - 2_000, 0))
        said = errors.read().decode(errors="replace").strip()
    try:
        return json.loads(found), None
    except ValueError:
        pass  # no word, or half of one
    if overdue.is_set():
        return None, f"no word within {seconds:g} s"
    return None, clean(said.splitlines()[-1]) if said else f"it ended with code {process.returncode}"


def main():
    """Be the judge: read a job, examine, write what was found."""
    job = json.loads(sys.stdin.buffer.readline())
    found, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 - it lasts as long as the process
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    limits, isolation = Limits(**job["limits"]), Isolation(**job["isolation"])
    try:
        source = sources.read(job["source"])
        # It starts while this process imports what the judging needs.
        process = Process(isolation, limits, source.needs)
        _limit_memory()
        if job["secret"]:
            os.environ[VARIABLE] = job["secret"]
        result = _examine(job["cells"], source, limits, isolation, process)
    except sources.SourceError as error:
        reason = clean(str(error))
        result = {"status": "not graded", "reason": reason, "outputs": [], "hidden": {}, "notes": []}
    found.write(json.dumps(result))
    found.flush()
    os._exit(0)


def _examine(cells, source, limits, isolation, process):
    student = Student(cells, limits=limits, isolation=isolation, needs=source.needs, process=process)
    try:
        student.run()
        hidden, status, reason = judge(source, student.call, cells), "graded", None
    except NotGraded as error:
        hidden, status, reason = {}, "not graded", clean(str(error))
    finally:
        student.close()
    return {
        "status": status,
        "reason": reason,
        "outputs": student.outputs,
        "hidden": hidden,
        "notes": list(map(clean, student.notes)),
    }


def _end_with_the_parent():
    sys.stdin.buffer.read()
    os._exit(1)


def _limit_memory():
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = JUDGE_MEMORY if hard == resource.RLIM_INFINITY else min(JUDGE_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
