"""Owns the walls round the student's process: what it sees and what it may use."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pgtlab
from pgtgrade import runner
from pgtgrade.needed import CHECKS, rooms


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes
    ----------
    cell_seconds : float
        Of a processor, for a cell and for a call of a function; two more, and its process is killed.
    total_seconds : float
        Of a processor, for the whole examination.
    memory : int
        Bytes of a process, and of all processes of a submission together.
    processes : int
        Processes and threads at a time.
    output : int
        Characters of output that are kept of a cell.
    restarts : int
        How often the cells are run again without the one that killed the process.
    """

    cell_seconds: float = 30.0
    total_seconds: float = 180.0
    memory: int = 2 << 30
    processes: int = 32
    output: int = 200_000
    restarts: int = 10


#: By the clock a submission may take so many times its seconds of a processor: others may run beside it. It
#: is what ends a cell that sleeps.
SLACK = 20


class IsolationError(RuntimeError):
    """Isolation is not to be had, or the probe found it broken; the message says what to do."""


@dataclass(frozen=True)
class Isolation:
    """How the student's process is kept apart.

    Attributes
    ----------
    command : str or None
        The path of bubblewrap; None runs the process without isolation.
    hidden : tuple of str
        Files and folders that must stay invisible even if they lie below what is shown.
    """

    command: str | None
    hidden: tuple = ()


#: What else there is, where isolation is not to be had.
WITHOUT = "; with --unsafe-without-isolation submitted code runs with all the rights that you have"

#: Bytes of a file, of /tmp and of /dev/shm.
SPACE = 64 << 20

#: What of the system is shown: programs, libraries, and how to find them. Links are kept as links.
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "fonts")

#: Where pgtlab and the runner are shown.
INSIDE = "/grader"

#: What of the environment there is. One thread for each matrix product, as in the book.
VARIABLES = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "USER": "student",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "agg",
    "IPYTHONDIR": "/tmp/.ipython",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def isolated(hidden=()):
    """Return the isolation of this machine; raise IsolationError where there is none.

    Parameters
    ----------
    hidden : iterable of path
        The folder of the source, the course folder, the downloads.
    """
    if sys.platform != "linux":
        raise IsolationError(f"isolation needs Linux and bubblewrap, and this is {sys.platform}{WITHOUT}")
    program = shutil.which("bwrap")
    if program is None:
        raise IsolationError(
            f"isolation needs bubblewrap: on Debian and Ubuntu, apt-get install bubblewrap{WITHOUT}"
        )
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    version = tuple(map(int, re.findall(r"\d+", said)[:2]))
    if version < (0, 8):
        raise IsolationError(f"isolation needs bubblewrap 0.8 or newer, and this is {said.strip()}{WITHOUT}")
    return Isolation(program, tuple(str(Path(each).resolve()) for each in hidden))


def unsafe():
    """Return no isolation at all: submitted code sees and may do whatever the user may."""
    return Isolation(command=None)


def environment(isolation):
    """Return the environment of the student's process, of which nothing is the lecturer's."""
    return dict(VARIABLES) if isolation.command else {**VARIABLES, "PATH": os.environ.get("PATH", os.defpath)}


def command_line(isolation, request, reply, refused=None, needs=CHECKS):
    """Return the command line of the student's process.

    Parameters
    ----------
    isolation : Isolation
    request, reply : int
        Descriptors of its pipes.
    refused : int, optional
        Descriptor of a pipe with the filter of `pgtgrade.syscalls`.
    needs : sequence of str
        Rooms of pgtlab that it finds.

    Returns
    -------
    list of str
    """
    package, ours = Path(pgtlab.__file__).resolve().parent, Path(runner.__file__).resolve().parent
    if isolation.command is None:
        first = f"from pgtgrade.needed import reduce; reduce({list(needs)!r}); "
        return [sys.executable, "-I", "-c", _start((package.parent, ours.parent), request, reply, first)]
    # What leads to them must be open to a user without rights; bubblewrap would make it root's alone.
    leading = {str(each) for root in (*roots(), "/etc/x", f"{INSIDE}/x") for each in Path(root).parents}
    # /tmp comes first: this Python may lie below it.
    shown = ["--size", str(SPACE), "--perms", "1777", "--tmpfs", "/tmp"]
    shown += [each for path in sorted(leading - {"/", "/tmp"}) for each in ("--perms", "755", "--dir", path)]
    shown += [each for root in roots() for each in ("--ro-bind", root, root)]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            shown += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            shown += ["--ro-bind", str(path), str(path)]
    for name in SETTINGS:
        shown += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for hidden in (*isolation.hidden, *_ours()):
        if any(Path(hidden).is_relative_to(root) for root in roots()):
            shown += ["--tmpfs", hidden] if Path(hidden).is_dir() else ["--ro-bind", "/dev/null", hidden]
    shown += ["--ro-bind", str(ours), f"{INSIDE}/{ours.name}"]
    # Of pgtlab there is what the set needs: nothing that is imported afresh brings back the rest.
    shown += ["--perms", "755", "--dir", f"{INSIDE}/pgtlab"]
    for path, name in (
        (ours / "thin.py", "__init__.py"),
        *((each, each.name) for each in rooms(needs).values()),
    ):
        shown += ["--ro-bind", str(path), f"{INSIDE}/pgtlab/{name}"]
    return [
        isolation.command,
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *_rights(),
        *(("--seccomp", str(refused)) if refused is not None else ()),
        *("--die-with-parent", "--new-session", "--hostname", "grader"),
        *shown,
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", str(SPACE), "--perms", "1777", "--tmpfs", "/dev/shm"),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"),
        *(sys.executable, "-I", "-c", _start((INSIDE,), request, reply)),
    ]


def sealed(line):
    """Return a command line that shows nothing of the lecturer's, and the options that it leaves out.

    Who is inside can read the command line of the first process, which is bubblewrap's: it reads its options
    from a pipe instead.

    Parameters
    ----------
    line : list of str
        From `command_line`, in isolation.

    Returns
    -------
    callable, bytes
        The first takes the descriptor of the pipe and returns the line, the second is what the pipe gives.
    """
    at = line.index(sys.executable)
    options = b"".join(os.fsencode(each) + b"\0" for each in line[1:at])
    return lambda pipe: [line[0], "--args", str(pipe), *line[at:]], options


def _ours():
    """Return the folders of pgtlab and of this package, and any other copies on the way of imports."""
    package, ours = (Path(each.__file__).resolve().parents[1] for each in (pgtlab, runner))
    parents = [package, ours.parent, *(Path(each).resolve() for each in sys.path if each)]
    found = (parent / name for parent in parents for name in ("pgtlab", "pgtgrade"))
    return sorted({str(each) for each in found if each.is_dir()})


def roots():
    """Return the folders that are shown whole: the system's programs, and this Python with its packages."""
    found = [Path("/usr")]
    for prefix in (sys.base_prefix, sys.prefix):
        for path in (Path(prefix), Path(prefix).resolve()):
            if not any(path.is_relative_to(root) for root in found):
                found.append(path)
    return list(map(str, found))


def _rights():
    """Return how the process loses its rights: as root, by taking the id of a user who has none."""
    if os.geteuid() == 0:
        return ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return ["--unshare-user", "--disable-userns"]


def user(isolation):
    """Return the id that the student's process takes if it starts as root; another one for each judge."""
    if isolation.command is None or os.geteuid() != 0:
        return None
    return 50_000 + os.getpid() % 10_000


def _start(folders, request, reply, first=""):
    path = [str(each) for each in folders]
    name = "runner.main" if path == [INSIDE] else "pgtgrade.runner.main"
    return f"import sys; sys.path[:0] = {path!r}; {first}from {name} import main; main({request}, {reply})"


def end(process):
    """Kill a process that `command` describes, with all that it has started.

    bubblewrap takes its whole world with it. Without isolation, what has left the group stays.
    """
    for kill in (process.kill, lambda: os.killpg(process.pid, signal.SIGKILL)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill()
    process.wait()
