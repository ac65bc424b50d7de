"""The walls round a student's process: the probe sees every hole, and it is said where there are no walls."""

from __future__ import annotations

import dataclasses
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from pgtgrade import isolation as room
from pgtgrade import process, syscalls, walls
from pgtgrade.isolation import IsolationError, isolated, probe, unsafe
from pgtgrade.outputs import Outputs
from pgtgrade.process import Process
from tests.grading.submissions import LIMITS, isolation

LIMITS = dataclasses.replace(LIMITS, memory=700 << 20)


@pytest.fixture
def course(tmp_path):
    """Return a folder with a gradebook in it."""
    (tmp_path / "gradebook.db").write_text("grades")
    tmp_path.chmod(0o755)
    return tmp_path


def test_the_probe_finds_nothing_to_reach(course):
    probe(isolation([course]), LIMITS)


def holed(monkeypatch, course, change):
    """Probe behind walls that a test has changed, and return what the probe says."""
    whole = walls.command_line

    def command_line(*arguments, **named):
        return change(whole(*arguments, **named))

    monkeypatch.setattr(walls, "command_line", command_line)
    with pytest.raises(IsolationError) as error:
        probe(isolation([course]), LIMITS)
    return str(error.value)


def without(*words):
    """Return a change that leaves a piece of the command line out."""

    def change(line):
        for k in range(len(line)):
            if line[k : k + len(words)] == list(words):
                return line[:k] + line[k + len(words) :]
        raise AssertionError(f"{words} is no part of {line}")

    return change


def before_python(*words):
    """Return a change that adds options at the end of bubblewrap's own."""

    def change(line):
        at = line.index(sys.executable)
        return [*line[:at], *words, *line[at:]]

    return change


def test_the_probe_sees_a_folder_that_is_shown(monkeypatch, course):
    leading = [str(each) for each in reversed(course.parents) if each not in (Path("/"), Path("/tmp"))]
    open_way = [word for each in leading for word in ("--perms", "755", "--dir", each)]
    said = holed(monkeypatch, course, before_python(*open_way, "--ro-bind", str(course), str(course)))
    assert f"sees {course}/gradebook.db" in said
    assert said.startswith("isolation is broken: a submission sees ")
    assert "--unsafe-without-isolation" in said


def test_the_probe_sees_the_network(monkeypatch, course):
    said = holed(monkeypatch, course, without("--unshare-net"))
    assert "connects to a port of this machine, connects to a socket of this machine" in said


def test_the_probe_sees_other_processes(monkeypatch, course):
    assert "sees other processes" in holed(monkeypatch, course, without("--unshare-pid"))


def test_the_probe_sees_where_it_may_write(monkeypatch, course):
    def writable(line):
        at = line.index(walls.INSIDE)
        line = without("--remount-ro", "/")(line)
        return [*line[: at - 2], "1777", *line[at - 1 :]]

    assert f"writes into {walls.INSIDE}" in holed(monkeypatch, course, writable)


def test_the_probe_sees_that_limits_are_missing(monkeypatch, course):
    def unlimited(line):
        return [
            *line[:-1],
            line[-1].replace("main(", "import runner.main as m; m.limit = lambda **_: 0; main("),
        ]

    said = holed(monkeypatch, course, unlimited)
    assert "has no limit on memory" in said
    assert ("has rights of root" in said) == (os.geteuid() == 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root makes the user namespace that forbids others")
def test_the_probe_sees_that_calls_are_not_refused(monkeypatch, course):
    monkeypatch.setattr(syscalls, "program", lambda: None)
    with pytest.raises(IsolationError, match="makes a user namespace"):
        probe(isolation([course]), LIMITS)


def test_the_command_line_of_the_first_process_shows_no_path_of_the_lecturers(course):
    """G9: `/proc/1/cmdline` named the folder of the course, of the downloads and of the book."""
    code = "import glob\nprint([open(each).read() for each in glob.glob('/proc/[0-9]*/cmdline')])"
    process, outputs = Process(isolation([course]), LIMITS), Outputs(20_000)
    try:
        process.ask({"cell": code, "index": 0}, outputs=outputs)
    finally:
        process.close()
    # Which Python runs it a student may see: sys.executable says so anyway.
    said = outputs.list[0]["text"].replace(sys.executable, "python")
    assert "--args" in said
    for path in (course, Path(walls.__file__).parents[1]):
        assert str(path) not in said


def test_without_isolation_the_probe_reaches_everything(course):
    open_to_all = dataclasses.replace(unsafe(), hidden=(str(course),))
    with pytest.raises(IsolationError) as error:
        probe(open_to_all, LIMITS)
    said = str(error.value)
    assert f"sees {course}/gradebook.db" in said
    assert "connects to a port" in said
    assert "sees other processes" in said
    assert "may take rights" in said


def test_a_folder_below_what_is_shown_is_covered():
    """A course may lie where this Python lies."""
    inside = Path(sys.prefix) / "share"
    inside.mkdir(exist_ok=True)
    line = walls.command_line(isolation([inside]), 3, 4)
    at = [k for k in range(len(line)) if line[k : k + 2] == ["--tmpfs", str(inside.resolve())]]
    assert len(at) == 1
    assert at[0] > line.index(str(Path(sys.prefix)))
    probe(isolation([inside]), LIMITS)


# --- where there is none ---------------------------------------------------------------------------


def test_without_bubblewrap_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(walls.shutil, "which", lambda name: None)
    with pytest.raises(IsolationError) as error:
        isolated()
    assert str(error.value).startswith(
        "isolation needs bubblewrap: on Debian and Ubuntu, apt-get install bubblewrap; with --unsafe-"
    )


def test_without_linux_it_says_so(monkeypatch):
    monkeypatch.setattr(walls.sys, "platform", "darwin")
    with pytest.raises(IsolationError, match="^isolation needs Linux and bubblewrap, and this is darwin; "):
        isolated()


def fake_bwrap(folder, script):
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_an_old_bubblewrap_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", fake_bwrap(tmp_path, "echo bubblewrap 0.6.1")["PATH"])
    with pytest.raises(IsolationError, match=r"needs bubblewrap 0.8 or newer, and this is bubblewrap 0.6.1;"):
        isolated()


@pytest.mark.parametrize("late", [False, True], ids=["at once", "after the look"])
def test_where_the_kernel_refuses_the_probe_says_what_bubblewrap_says(monkeypatch, tmp_path, late):
    if late:  # the end is seen before the words

        def without_words(readable, writable, exceptional, seconds, wait=select.select):
            return wait(readable[:1], writable, exceptional, seconds)

        monkeypatch.setattr(process.select, "select", without_words)
    said = "bwrap: No permissions to create a new namespace"
    script = f'[ "$1" = --version ] && echo bubblewrap 0.8.0 && exit; echo {said} >&2; exit 1'
    monkeypatch.setenv("PATH", fake_bwrap(tmp_path, script)["PATH"])
    with pytest.raises(IsolationError) as error:
        probe(isolated(), LIMITS)
    assert f"isolation cannot be had here: its process ended with code 1: {said}; with --unsafe-" in str(
        error.value
    )


# --- as another user -------------------------------------------------------------------------------

#: What an ordinary user does: the probe, and a submission.
AS_A_USER = """
import os
assert os.geteuid() != 0
from pgtgrade.isolation import probe
from tests.grading.submissions import FULL, LIMITS, examined, isolation
probe(isolation(), LIMITS)
found = examined("import os\\nos._exit(1)")
assert found.hidden == FULL and found.notes == ["cell 4 is left out: its process ended by itself"], found
print("all is well")
"""


CAN = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import pgtgrade, tests'], check=True)"


@pytest.mark.skipif(os.geteuid() != 0, reason="all tests run as an ordinary user already")
def test_an_ordinary_user_is_isolated_too():
    isolation()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": "/nonexistent"}
    # The id is another one; where this Python can be read by root alone, root in another world stands for it.
    for other in (
        ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"],
        ["unshare", "--user", "--map-user=1000", "--map-group=1000"],
    ):
        can = subprocess.run([*other, sys.executable, "-c", CAN], env=environment, cwd="/")
        if can.returncode == 0:
            break
    else:
        pytest.skip("no other user can run this Python")
    done = subprocess.run(
        [*other, sys.executable, "-c", AS_A_USER], env=environment, cwd="/", capture_output=True, text=True
    )
    assert done.stdout == "all is well\n", done.stderr


# --- calls that are refused ------------------------------------------------------------------------


def test_the_filter_knows_two_machines_and_says_when_it_knows_none():
    assert syscalls.program("x86_64") != syscalls.program("aarch64")
    assert syscalls.program("riscv64") is None
    assert len(syscalls.program("x86_64")) % 8 == 0


def test_the_numbers_of_the_filter_are_those_of_the_kernels_headers():
    """The other route: the headers of this machine, if they are there."""
    machine = os.uname().machine
    headers = [
        Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        Path("/usr/include/asm-generic/unistd.h"),
    ]
    header = headers[0] if machine == "x86_64" else headers[1]
    if not header.exists():
        pytest.skip(f"{header} is not there")
    numbers = {}
    for line in header.read_text().splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] == "#define" and words[1].startswith("__NR") and words[2].isdigit():
            numbers[words[1].removeprefix("__NR_").removeprefix("__NR3264_")] = int(words[2])
    _, clone, refused = syscalls.MACHINES[machine]
    told = {**refused, **syscalls.EVERYWHERE, "clone": clone, "clone3": syscalls.CLONE3}
    known = {name: numbers[name] for name in told if name in numbers}
    assert known == {name: told[name] for name in known}
    assert len(known) > 15


def test_the_room_offers_what_the_commands_need():
    assert room.__all__ == ["Isolation", "IsolationError", "Limits", "isolated", "probe", "unsafe"]
