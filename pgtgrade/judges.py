"""Owns the processes that judge: one that has imported all is kept, and a judge is forked from it each time.

To import what the judging needs and to compile the source takes longer than to judge. The process that is
kept knows the source and nothing else: a submission, its student's name and the secret are read by the fork
alone, and end with it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading

import numpy as np

from pgtgrade.instances import VARIABLE
from pgtgrade.runner import messages

#: Whether a process may go on as two. Elsewhere than on Linux libraries of the system do not survive that,
#: and each judge is started afresh.
FORKS = sys.platform == "linux"

#: prctl's request for a signal at the death of the parent.
PR_SET_PDEATHSIG = 1

#: The processes that wait for a job.
_idle, _lock = [], threading.Lock()


def ask(code, source, job, seconds):
    """Have a job done by a judge, and return what it found, or None and what is known of its end.

    Parameters
    ----------
    code : str
        What the process runs: in the end `serve`.
    source : dict
        The instructor's notebook.
    job : dict
        What else the judge is told.
    seconds : float
        After which it is killed.

    Returns
    -------
    (dict or None, str or None)
    """
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    kept = _taken(code, environment)
    try:
        found, trouble = kept.ask(source, job, seconds)
    except BaseException:
        kept.close()
        raise
    if trouble is None and FORKS:
        _idle.append(kept)
    else:
        kept.close()
    return found, trouble


def _taken(code, environment):
    """Return a process that waits, or a new one; those that were started otherwise are ended."""
    with _lock:
        while _idle:
            kept = _idle.pop()
            if kept.fits(code, environment):
                return kept
            kept.close()
    return _Kept(code, environment)


@atexit.register
def dismiss():
    """End the processes that wait for a job."""
    with _lock:
        while _idle:
            _idle.pop().close()


class _Kept:
    """A process of which judges are forked, from outside."""

    def __init__(self, code, environment):
        self._started = code, environment
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - `close` does
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )

    def fits(self, *started):
        """Say whether it lives, and was started in this way."""
        return started == self._started and self._process.poll() is None

    def ask(self, source, job, seconds):
        """Return what a judge found, or None and what is known of its end."""
        # It writes where this file stands, so that what earlier judges said is gone.
        self._errors.seek(0)
        self._errors.truncate()
        overdue = threading.Event()
        timer = threading.Timer(seconds, lambda: (overdue.set(), self._process.kill()))
        timer.start()
        found = b""
        try:
            with contextlib.suppress(BrokenPipeError):
                # The pipe stays open: its end tells the judge that nobody waits any more.
                messages.send(self._process.stdin.fileno(), {"source": source, "forks": FORKS})
                messages.send(self._process.stdin.fileno(), job)
                found = self._process.stdout.readline()
            if not found.endswith(b"\n"):  # no word, or half of one
                self._process.wait()
        finally:
            timer.cancel()
        if found.endswith(b"\n"):
            return json.loads(found), None
        if overdue.is_set():
            return None, f"no word within {seconds:g} s"
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(self._errors.tell() - 2_000, 0))
        said = self._errors.read().decode(errors="replace").strip()
        return None, said.splitlines()[-1] if said else f"it ended with code {self._process.returncode}"

    def close(self):
        """End it, and with it the judge that it waits for."""
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            file.close()


def serve(prepare, judge):
    """Be the process that is kept: for each job fork a judge, and end as it does if it does not end well.

    Parameters
    ----------
    prepare : callable
        Takes a source that is new, and does what serves every submission.
    judge : callable
        Takes a job and the source, and returns what is found.
    """
    # What a test prints goes nowhere, and what it starts cannot write into the answer.
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    known = None
    while (message := messages.receive(0)) is not None:
        source, forks = message[0]["source"], message[0]["forks"]
        if not forks:
            _judge(judge, source, answers, b"\n")
        if source != known:
            prepare(source)
            known = source
            gc.freeze()  # the memory that is shared stays so
        kept = os.getpid()
        judging = os.fork()
        if not judging:
            _end_with(kept)
            _judge(judge, source, answers)
        code = os.waitstatus_to_exitcode(os.waitpid(judging, 0)[1])
        if code < 0:
            with contextlib.suppress(OSError):  # not of every signal can it be said
                signal.signal(-code, signal.SIG_DFL)
            os.kill(kept, -code)
        if code:
            os._exit(code)
        os.write(answers, b"\n")


def _judge(judge, source, answers, end=b""):
    """Read a job, judge, write what was found, and end."""
    job, _ = messages.receive(0)
    threading.Thread(target=_end_when_nobody_waits, daemon=True).start()
    with open(answers, "wb") as file:
        file.write(json.dumps(judge(job, source)).encode() + end)
    os._exit(0)


def _end_with(parent):
    """See to it that this process, which was forked, ends with its parent, and draws numbers of its own."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    np.random.seed()  # noqa: NPY002 - a test that draws from it would draw the same for everybody


def _end_when_nobody_waits():
    os.read(0, 1)
    os._exit(1)
