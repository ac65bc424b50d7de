"""Owns the student's process from outside: requests to it, limits on it, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import subprocess
import time
from pathlib import Path

from pgtgrade import syscalls, walls
from pgtgrade.judging import NotGraded
from pgtgrade.needed import CHECKS
from pgtgrade.outputs import Outputs
from pgtgrade.runner import messages
from pgtgrade.runner.encoding import MOST_BYTES
from pgtgrade.walls import SLACK

#: Seconds from the interrupt to the kill; for the start; between two looks at the memory.
GRACE, START, LOOK = 2.0, 60.0, 0.25

#: Files that a submission may have at a time: an empty one is 1 kB of memory that no limit counts.
FILES = 20_000

#: Processes beside those that a submission may start: bubblewrap's two and its own.
SPARE = 8


class Ended(Exception):
    """Say how the process ended, or why it was ended: "its process ..."."""


class Process:
    """A student's process, fresh, with nothing run in it.

    Parameters
    ----------
    isolation : Isolation
    limits : Limits
    needs : sequence of str
        Rooms of pgtlab that it finds.
    """

    def __init__(self, isolation, limits, needs=CHECKS):
        self._limits = limits
        request, self._requests = os.pipe()
        self._replies, reply = os.pipe()
        out, err = os.pipe(), os.pipe()
        self._streams = {out[0]: "stdout", err[0]: "stderr"}
        refused = _pipe_with(syscalls.program()) if isolation.command else None
        theirs = [each for each in (request, reply, refused) if each is not None]
        line = walls.command_line(isolation, *theirs, needs=needs)
        if isolation.command:
            shown, options = walls.sealed(line)
            theirs.append(_pipe_with(options))
            line = shown(theirs[-1])
        self._process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=out[1],
            stderr=err[1],
            pass_fds=theirs,
            env=walls.environment(isolation),
            cwd="/",
            start_new_session=True,
        )
        for descriptor in (*theirs, out[1], err[1]):
            os.close(descriptor)
        self._open = {self._requests, self._replies, *self._streams}
        for descriptor in self._open:
            os.set_blocking(descriptor, False)
        self._buffer = bytearray()
        self._start = {
            "limits": {
                "memory": limits.memory,
                "processes": limits.processes,
                "file_size": walls.SPACE,
                "cpu_seconds": limits.total_seconds,
                "user": walls.user(isolation),
            },
            "serve": {"output": limits.output},
        }
        self._is_ready = False
        # Seconds of a processor that it has taken, and when it is looked at again.
        self.used, self._look = 0.0, 0.0

    def ready(self):
        """Wait until it can be asked; raise Ended if that never comes."""
        if not self._is_ready:
            outputs = Outputs(2_000)
            try:
                head, _ = self._ask(self._start, b"", START, START, outputs)
            except Ended as error:
                said = "".join(each.get("text", "") for each in outputs.list).strip()
                raise Ended(f"{error}: {said.splitlines()[-1]}" if said else str(error)) from None
            if head != {"ready": True}:
                raise Ended("its process does not start as it should")
            self._is_ready = True

    def ask(self, head, blob=b"", *, outputs, count=None):
        """Send a request and wait for its reply; raise Ended if none comes.

        Parameters
        ----------
        head : dict
            With "cell" or "call".
        blob : bytes
        outputs : Outputs
            Where its outputs go.
        count : int, optional
            The number of the cell.

        Returns
        -------
        (dict, bytes)
            From a process that is not trusted.
        """
        self.ready()
        seconds = self._limits.cell_seconds
        wall = SLACK * seconds
        return self._ask({**head, "seconds": seconds, "wall": wall}, blob, seconds, wall, outputs, count)

    def close(self):
        """End the process with all that it has started."""
        walls.end(self._process)
        while self._open:
            os.close(self._open.pop())

    def _ask(self, head, blob, seconds, wall, outputs, count=None):
        number = secrets.token_hex(8)
        rest = memoryview(messages.packed({**head, "number": number}, blob))
        end, before = time.monotonic() + wall + GRACE, self.used
        while True:
            writes = [self._requests] if rest else []
            readable, writable, _ = select.select([self._replies, *self._streams], writes, [], LOOK)
            now = time.monotonic()
            if now > self._look:
                self._look_at_what_it_uses()
                self._look = now + LOOK
            self._drain(readable, outputs)
            if writable:
                try:
                    rest = rest[os.write(self._requests, rest[: 1 << 16]) :]
                except BrokenPipeError:
                    self._has_ended(outputs)
            if self._replies in readable:
                if not self._read():
                    self._has_ended(outputs)
                while (message := self._message()) is not None:
                    if "output" in message[0]:
                        outputs.add(message[0]["output"], count)
                    elif message[0].pop("to", None) == number:
                        self._drain(self._streams, outputs)
                        return message
                    # What answers nothing that was asked is of no account.
            for most, is_over in ((seconds, self.used > before + seconds + GRACE), (wall, now > end)):
                if is_over:
                    raise Ended(f"its process was killed: no end within {most:g} s, nor at an interrupt")

    def _read(self):
        try:
            chunk = os.read(self._replies, 1 << 20)
        except BlockingIOError:
            return True
        self._buffer += chunk
        return bool(chunk)

    def _message(self):
        """Return the next message that is whole, or None."""
        size = messages.LENGTHS.size
        if len(self._buffer) < size:
            return None
        head, blob = messages.LENGTHS.unpack(self._buffer[:size])
        if head > messages.MOST_HEAD or blob > MOST_BYTES:
            raise Ended("its process sent what is no message")
        if len(self._buffer) < size + head + blob:
            return None
        text, content = bytes(self._buffer[size : size + head]), bytes(self._buffer[size + head :][:blob])
        del self._buffer[: size + head + blob]
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if type(message) is not dict:
            raise Ended("its process sent what is no message")
        return message, content

    def _drain(self, readable, outputs):
        """Take what is written below Python, by the descriptor, and keep what there is room for."""
        for descriptor, name in list(self._streams.items()):
            for _ in range(16 if descriptor in readable else 0):
                try:
                    chunk = os.read(descriptor, 1 << 16)
                except BlockingIOError:
                    break
                if not chunk:
                    del self._streams[descriptor]
                    break
                text = chunk.decode(errors="replace")
                outputs.add({"output_type": "stream", "name": name, "text": text})

    def _look_at_what_it_uses(self):
        if is_scarce():
            raise NotGraded("the machine has hardly any memory left: grade it again, with fewer jobs")
        family, used, seconds = resident(self._process.pid)
        # what has ended and was not waited for is not counted any more
        self.used = max(self.used, seconds)
        count, files = len(family), files_of(family)
        if used > self._limits.memory:
            most = self._limits.memory >> 20
            raise Ended(f"its processes were killed: out of memory, more than {most} MB together")
        # The kernel counts them too, but not on every system.
        if count > self._limits.processes + SPARE:
            raise Ended(f"its processes were killed: more than {self._limits.processes}")
        if files > FILES:
            raise Ended(f"its processes were killed: they had made more than {FILES} files")

    def _has_ended(self, outputs):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        self._drain(self._streams, outputs)  # its last words may have come after the look that missed them
        code = self._process.returncode
        if code is None:
            raise Ended("its process closed the way back")
        if not self._is_ready:  # nothing of the student's has run: the number is ours
            raise Ended(f"its process ended with code {code}")
        raise Ended(f"its process {ending(code)}")


def ending(code):
    """Return how a student's process ended, in words that are fixed: a number would carry out what it saw.

    >>> ending(3), ending(0), ending(-11), ending(139)
    ('ended by itself', 'ended by itself', 'crashed', 'crashed')
    """
    # Of what is killed by a signal, a shell and bubblewrap say 128 and its number.
    number = -code if code < 0 else code - 128 if code > 128 else None
    if number is None:
        return "ended by itself"
    return _ENDINGS.get(number, "crashed")


#: What the signals mean that are no crash.
_ENDINGS = {
    signal.SIGXCPU: "ran out of time",
    signal.SIGKILL: "was killed: out of time or memory, or by itself",
}


def _pipe_with(content):
    """Return the end of a pipe from which a short content can be read, None for None."""
    if content is None:
        return None
    end, start = os.pipe()
    with open(start, "wb") as file:
        file.write(content)
    return end


def is_scarce():
    """Say whether less than a twentieth of the machine's memory can be had, on Linux."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return False
    kilobytes = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
    return 20 * kilobytes.get("MemAvailable", kilobytes["MemTotal"]) < kilobytes["MemTotal"]


def resident(pid):
    """Return a process and its descendants, their bytes in memory, and their seconds of a processor.

    Without /proc there are none, 0 and 0.
    """
    children, pages, ticks = {}, {}, {}
    with contextlib.suppress(FileNotFoundError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/stat", errors="replace") as file:
                    # After the name, which may hold anything: the state, the parent, from the 12th on
                    # the ticks, its own and those of whom it waited for, as user and as system, and as
                    # 22nd the resident pages.
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            one = int(name)
            pages[one], ticks[one] = int(fields[21]), sum(map(int, fields[11:15]))
            children.setdefault(int(fields[1]), []).append(one)
    family, rest = [], [pid]
    while rest:
        one = rest.pop()
        family += [one] if one in pages else []
        rest += children.get(one, ())
    bytes_ = sum(pages[each] for each in family) * os.sysconf("SC_PAGE_SIZE")
    return family, bytes_, sum(ticks[each] for each in family) / os.sysconf("SC_CLK_TCK")


def files_of(family):
    """Return how many files there are in the folders that only these processes see; 0 if one cannot look."""
    most = 0
    for pid in family:
        try:
            root = f"/proc/{pid}/root"
            if os.path.samestat(os.stat(root), os.stat("/")):
                continue
            there = [os.statvfs(f"{root}/{each}") for each in ("tmp", "dev/shm")]
        except OSError:
            continue
        most = max(most, sum(each.f_files - each.f_ffree for each in there))
    return most
