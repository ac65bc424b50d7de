"""Whoever dies, nothing is left: of the student's process, the judge, and the one who waits for both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.grading.submissions import isolation
from tests.grading.test_attacks import left, wait_for

#: A submission that would run for a minute, and says so in its command line.
WAITS = """
from tests.grading.submissions import examined
print(examined("!sh -c 'sleep 60; echo {token}'"))
"""


@pytest.fixture
def waiting():
    """Return the process that waits for an examination, and a token in the command line of the submission."""
    isolation()
    token = f"token{os.getpid()}"
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS.replace("{token}", token)], stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: len(left(f"sleep 60; echo {token}")) > 1, seconds=60)
    yield process, token
    process.kill()
    process.communicate()


def judges_of(process):
    """Return the children of a process, without /proc/.../children, which not every kernel has."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return [int(each) for each in listed.stdout.split()]


def test_when_the_waiting_process_is_killed_all_is_gone(waiting):
    process, token = waiting
    (judge,) = judges_of(process)
    process.kill()
    wait_for(lambda: left(f"echo {token}") == [])
    wait_for(lambda: not os.path.exists(f"/proc/{judge}"))


def test_when_the_judge_is_killed_the_reason_is_told(waiting):
    process, token = waiting
    (judge,) = judges_of(process)
    os.kill(judge, signal.SIGKILL)
    found, _ = process.communicate(timeout=60)
    assert "status='not graded', reason='the judge ended without a verdict: it ended with code -9'" in found
    wait_for(lambda: left(f"echo {token}") == [])
