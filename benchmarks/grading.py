"""A good submission of problem set 1, examined in isolation, and a class of them through the whole command.

The base is what two processes of their own cost: one that imports NumPy and pgtlab, as each judge did before
it was forked from a process that has, while one imports IPython beside them, as the student's does. The
class has 60 students, with `--large` 300; a few are also graded by nbgrader's own autograder, which isolates
nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import harness
from benchmarks.harness import Case

SOURCE = Path(__file__).parents[1] / "book" / "exercises" / "ps1" / "ps1.ipynb"

CLASS, LARGE_CLASS, FEW = 60, 300, 5

#: Seconds a submission, with two at a time on two cores.
AIM = 0.4

#: After how many submissions the memory of the command is looked at.
LOOKS = (50, 150, 300)


def good(source):
    """Return the students' version with the instructor's solutions in it: a submission with all points."""
    from pgtgrade import released

    notebook = released(source)
    for cell, solved in zip(notebook["cells"], source["cells"], strict=True):
        kind = cell["metadata"].get("nbgrader", {})
        if kind.get("solution") and not kind.get("grade"):
            cell["source"] = solved["source"]
    return notebook


def two_processes():
    """Start what a judge and a student's process start with, side by side, and wait for both."""
    codes = ("import numpy, pgtlab", "import numpy, pgtlab, IPython.core.interactiveshell")
    started = [subprocess.Popen([sys.executable, "-c", code]) for code in codes]
    if any(process.wait() for process in started):
        raise RuntimeError("a process of the base fails")


def main(options):
    """Check that the submission is good, measure it, and grade a class once."""
    from pgtgrade.examination import Limits, examine
    from pgtgrade.isolation import IsolationError, isolated, probe

    try:
        isolation = isolated()
        probe(isolation, Limits())
    except IsolationError as error:
        print(f"\ngrading is left out: {error}")
        return []
    source = json.loads(SOURCE.read_text(encoding="utf-8"))
    cells = good(source)["cells"]

    def examined(*extra):
        handed = [*cells, *extra]
        found = examine(handed, source, limits=Limits(), isolation=isolation, secret="a secret")
        if found.status != "graded" or any(message for _, message in found.hidden.values()):
            raise AssertionError(f"a good submission is not found to be good: {found}")
        return found

    spent = processor_seconds(examined)
    cases = [
        Case("two processes and their imports", two_processes),
        Case("one submission of problem set 1", examined, aim=("at most", 3.0)),
    ]
    measured = harness.measure("A submission, graded in isolation", cases, rounds=options.rounds)
    measured["processor_seconds"] = spent
    print("  processor time: " + ", ".join(f"{name} {took:.2f} s" for name, took in spent.items()))
    return [measured, *_classes(LARGE_CLASS if options.large else CLASS, isolation)]


def processor_seconds(examined, times=4):
    """Return what the processes of a submission take; of the student's, until the hidden tests begin.

    The judge's own start, once for each of those at a time, is told beside what each submission costs.
    """
    from pgtgrade import judges

    code = "import os\nprint(sum(os.times()[:2]))"
    last = {"cell_type": "code", "metadata": {}, "source": code, "outputs": [], "execution_count": None}
    student = []

    def judged(count):
        judges.dismiss()  # so that what it took is counted
        before = _seconds_of_children()
        for _ in range(count):
            student.append(float(examined(last).outputs[-1][0]["text"]))
        judges.dismiss()
        return _seconds_of_children() - before

    first, all_ = judged(1), judged(1 + times)
    judge = (all_ - first) / times
    return {
        "start": round(first - judge, 3),
        "judge": round(judge, 3),
        "student": round(statistics.median(student), 3),
    }


def _classes(size, isolation):
    try:
        import nbgrader  # noqa: F401 - the gradebook needs it
    except ImportError:
        print("\nthe class is left out: nbgrader is not installed (`make grading`)")
        return []
    with tempfile.TemporaryDirectory() as folder:
        found = a_class(size, isolation, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        found["nbgrader_seconds"] = by_nbgrader(FEW, Path(folder))
    print(f"\nA class of {size}, two at a time ({harness.load()})")
    print(f"  {found['seconds']:.3g} s a submission; aim: at most {AIM:g} s")
    own = found["processor_seconds_of_the_command"]
    print(f"  processor time of the command itself: {own:.2g} s a submission")
    memory = ", ".join(f"{count}: {each} MB" for count, each in found["memory_MB"].items())
    print(f"  memory of the command after so many submissions: {memory}")
    print(f"  nbgrader's autograder on {FEW}, one at a time: {found['nbgrader_seconds']:.3g} s a submission")
    return [found]


def a_class(size, isolation, folder):
    """Grade copies of a good submission through the whole command and return seconds and memory."""
    from pgtgrade.examination import Limits, examine
    from pgtgrade.grading import grade
    from pgtgrade.problem_sets import problem_set
    from pgtgrade.results import Course

    chosen = problem_set("ps1", SOURCE.parents[1])
    text, downloads = json.dumps(good(chosen.notebook)), folder / "downloads"
    downloads.mkdir()
    for k in range(size):
        (downloads / f"student{k:03}.ipynb").write_text(text, encoding="utf-8")
    done, memory = [], {}

    def counted(*arguments, **named):
        found = examine(*arguments, **named)
        done.append(found.status)
        if len(done) in LOOKS or len(done) == size:
            memory[len(done)] = _memory()
        return found

    start, own = time.perf_counter(), time.process_time()
    batch = grade(
        chosen,
        downloads,
        Course(folder / "course"),
        examine=counted,
        limits=Limits(),
        isolation=isolation,
        secret="a secret",
        jobs=2,
    )
    took, own = time.perf_counter() - start, time.process_time() - own
    if len(batch.examined) != size:
        raise AssertionError(f"{len(batch.examined)} of {size} are graded: {batch.not_graded}")
    found = {"class": size, "jobs": 2, "seconds": took / size, "memory_MB": memory}
    return {**found, "processor_seconds_of_the_command": round(own / size, 3)}


def by_nbgrader(size, folder):
    """Grade copies of a good submission by nbgrader's own autograder and return the seconds of each."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    # It starts a program that is installed beside this Python.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    source = json.loads(SOURCE.read_text(encoding="utf-8"))
    (folder / "source" / "ps1").mkdir(parents=True)
    (folder / "source" / "ps1" / "ps1.ipynb").write_text(json.dumps(source), encoding="utf-8")
    config = Config()
    config.CourseDirectory.root = str(folder)
    config.NbGrader.logfile = ""
    api = NbGraderAPI(config=config)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        _succeeds(api.generate_assignment("ps1"))
        made = folder / "release" / "ps1" / "ps1.ipynb"
        notebook, solved = json.loads(made.read_text(encoding="utf-8")), good(source)
        for cell, its in zip(notebook["cells"], solved["cells"], strict=True):
            cell["source"] = its["source"]
        for k in range(size):
            place = folder / "submitted" / f"student{k}" / "ps1"
            place.mkdir(parents=True)
            (place / "ps1.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        start = time.perf_counter()
        for k in range(size):
            _succeeds(api.autograde("ps1", f"student{k}"))
        return (time.perf_counter() - start) / size


def _succeeds(result):
    if not result["success"]:
        raise RuntimeError(f"nbgrader fails: {result.get('error') or result.get('log')}")


def _seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory():
    """Return the memory that this process holds, in MB; None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))
