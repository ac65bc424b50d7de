"""The process of which judges are forked: nothing of one submission is in it for the next."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pgtgrade import judges
from pgtgrade.walls import Limits
from tests.grading import small
from tests.grading.submissions import FULL, examined
from tests.grading.test_attacks import left, wait_for

pytestmark = pytest.mark.skipif(not judges.FORKS, reason="here each judge is a process of its own")

#: A hidden test that does to its judge what half(1) says: 0.5 is right, and the source's own answer.
ACTS = """\
import os, sys
said = half(np.ones(1))[0]
if said == 3: os._exit(3)
if said == 9: os.kill(os.getpid(), 9)
if said == 4: raise KeyboardInterrupt("gone")
if said == 5: print("a word", file=sys.stderr)
if said == 6: os.write(1, b"{}\\n")
if said == 7: raise AssertionError(f"{np.random.random()}")
"""


def times(factor):
    return f"def half(x):\n    return {factor} * x"


@pytest.fixture(autouse=True)
def afresh():
    """Begin and end without a process that waits."""
    judges.dismiss()
    yield
    judges.dismiss()


def kept():
    """Return the id of the one process that waits for a job."""
    (one,) = judges._idle
    return one._process.pid


def memory(pid):
    """Return all that a process has in its memory."""
    found = []
    try:
        with open(f"/proc/{pid}/mem", "rb", 0) as file:
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                span, rights, *_ = line.split()
                start, end = (int(each, 16) for each in span.split("-"))
                if rights.startswith("rw"):
                    file.seek(start)
                    found.append(file.read(end - start))
    except PermissionError:
        pytest.skip("the system shows no memory")
    return b"".join(found)


def test_what_a_judge_keeps_is_gone_with_it():
    keeps = """\
import pgtgrade
seen = pgtgrade.__dict__.setdefault("seen", [])
assert all(each == 0.5 for each in seen), "a leak"
seen.append(half(np.ones(1))[0])
"""
    source = small.with_sources(small.source(), test_half=keeps)
    assert examined(source=source, half=times(7), check_half="").hidden == FULL
    pid = kept()
    assert examined(source=source).hidden == FULL
    # another source, for which the same process gets ready
    other = small.with_sources(small.source(), test_half="assert half(2.0) == 1, 'the other'")
    found = examined(source=other, half=times(7))
    assert found.hidden["test-half"] == (0, "the other")
    assert kept() == pid


def test_the_process_that_is_kept_never_has_a_submission_or_the_secret():
    words = {name: f"{name}-{os.urandom(8).hex()}" for name in ("secret", "student", "code", "source")}
    source = small.with_sources(small.source(), test_half=f"assert half(2.0) == 1, '{words['source']}'")
    found = examined(
        f"print('{words['code']}')", source=source, secret=words["secret"], student=words["student"]
    )
    assert found.hidden == FULL
    there = memory(kept())
    assert [name for name, word in words.items() if word.encode() in there] == ["source"]


def test_a_judge_that_dies_is_told_and_the_next_is_another():
    source = small.with_sources(small.source(), test_half=ACTS)

    def reason(factor):
        found = examined(source=source, half=times(factor), check_half="")
        assert found.status == "graded" or found.hidden == {}
        return found.reason

    # What an earlier judge of the same process said is not taken for the last word of this one.
    assert reason(5) is None
    dies = "the judge ended without a verdict: "
    assert reason(3) == f"{dies}it ended with code 3"
    assert judges._idle == []
    assert reason(9) == f"{dies}it ended with code -9"
    assert reason(4) == f"{dies}KeyboardInterrupt: gone"
    assert examined(source=source).hidden == FULL


def test_what_a_test_writes_or_draws_by_chance_changes_no_other_answer():
    source = small.with_sources(small.source(), test_half=ACTS)
    assert examined(source=source, half=times(6), check_half="").hidden == FULL
    first, second = (examined(source=source, half=times(7)).hidden["test-half"][1] for _ in range(2))
    assert first != second


def test_a_judge_that_takes_too_long_is_gone_with_what_it_started(monkeypatch):
    assert examined().hidden == FULL
    pid, token = kept(), f"token{os.getpid()}"
    # by the clock: 20 times 1 s for the whole and the cell, 4 s of grace, and START
    monkeypatch.setattr("pgtgrade.examination.START", -41.0)
    limits = Limits(cell_seconds=1.0, total_seconds=1.0)
    found = examined(f"!sh -c 'sleep 60; echo {token}'", limits=limits)
    assert found.reason == "the judge ended without a verdict: no word within 3 s"
    assert not os.path.exists(f"/proc/{pid}")
    wait_for(lambda: left(f"echo {token}") == [])


def test_without_a_fork_all_is_the_same_and_nothing_is_kept(monkeypatch):
    codes = ("print('here')", "1 / 0")
    forked = examined(*codes, half=times(3))
    monkeypatch.setattr(judges, "FORKS", False)
    judges.dismiss()
    alone = examined(*codes, half=times(3))
    assert judges._idle == []
    for name in ("status", "reason", "outputs", "hidden", "notes"):
        assert getattr(alone, name) == getattr(forked, name)
    assert alone.hidden["test-half"][0] == 0
