"""Owns the proof that isolation is on: code of ours tries to break out of it, as a submission would."""

from __future__ import annotations

import json
import secrets
import socket
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

from pgtgrade.outputs import Outputs
from pgtgrade.process import Ended, Process
from pgtgrade.walls import INSIDE, WITHOUT, Isolation, IsolationError, Limits, isolated, roots, unsafe

__all__ = ["Isolation", "IsolationError", "Limits", "isolated", "probe", "unsafe"]

#: What runs inside. It says what it reached, and that it did run: it can read its own file and write in /tmp.
ATTEMPT = """\
import ctypes, json, os, resource, socket, sys

aims = json.loads({aims!r})
reached = []


def attempt(words, act):
    try:
        if act() is not False:
            reached.append(words)
    except (OSError, ValueError):
        pass


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as own:
        own.settimeout(2)
        own.connect(address)


def write(folder):
    path = os.path.join(folder, "pgtgrade-probe")
    open(path, "x").close()
    os.unlink(path)


for path in aims["paths"]:
    attempt("sees " + path, lambda: os.path.lexists(path))
attempt("connects to a port of this machine", lambda: connect(socket.AF_INET, ("127.0.0.1", aims["port"])))
attempt("connects to a socket of this machine", lambda: connect(socket.AF_UNIX, "\\0" + aims["name"]))
for folder in aims["folders"]:
    attempt("writes into " + folder, lambda: write(folder))
attempt("sees the secret", lambda: "PGTGRADE_SECRET" in os.environ)
attempt("sees other processes", lambda: len([each for each in os.listdir("/proc") if each.isdigit()]) > 3)
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
attempt("has rights of root", lambda: os.getuid() == 0 or int(status["CapPrm"], 16) != 0)
attempt("may take rights", lambda: int(status["NoNewPrivs"]) != 1)
attempt("makes a user namespace", lambda: ctypes.CDLL(None).unshare(0x10000000) == 0)
attempt("has no limit on memory", lambda: resource.getrlimit(resource.RLIMIT_AS)[1] != aims["memory"])
write("/tmp")
print(json.dumps(reached))
"""


def probe(isolation, limits):
    """Run a process in isolation that tries to break out.

    It looks for what is in `isolation.hidden`, in the home folder and in a temporary folder, connects to
    listeners of this process, writes where nothing may be written, and asks for rights.

    Parameters
    ----------
    isolation : Isolation
    limits : Limits

    Raises
    ------
    IsolationError
        If it does not start, or with all that it reached.
    """
    with tempfile.TemporaryDirectory() as folder, _listening() as (port, name):
        canary = Path(folder, "canary")
        canary.write_text("a file outside")
        aims = {
            "paths": [str(canary), *_entries(isolation)],
            "folders": ["/", "/dev", INSIDE, f"{INSIDE}/pgtlab", "/proc/sys/kernel", *roots()],
            "port": port,
            "name": name,
            "memory": limits.memory,
        }
        outputs = Outputs(1 << 20)
        process = Process(isolation, limits)
        try:
            process.ask({"cell": ATTEMPT.format(aims=json.dumps(aims)), "index": 0}, outputs=outputs)
        except Ended as error:
            raise IsolationError(f"isolation cannot be had here: {error}{WITHOUT}") from None
        finally:
            process.close()
    said = "".join(each.get("text", "") for each in outputs.list).strip().splitlines()
    try:
        reached = json.loads(said[-1])
    except (IndexError, ValueError):
        error = next((each for each in outputs.list if each["output_type"] == "error"), {"evalue": said})
        raise IsolationError(f"isolation cannot be proved: the probe fails with {error['evalue']}") from None
    if reached:
        raise IsolationError(f"isolation is broken: a submission {', '.join(reached)}{WITHOUT}")


def _entries(isolation):
    """Return what is in the folders that must stay hidden, apart from what leads to this Python."""
    shown = [Path(each) for each in roots()]
    found = []
    homes = [Path.home()] if Path.home() != Path("/") else []
    for folder in (*map(Path, isolation.hidden), *homes):
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            entries = []
        entries = entries or [folder]
        found += [
            str(each)
            for each in entries[:200]
            if not any(root.is_relative_to(each) or _shows_on_purpose(root, each, folder) for root in shown)
        ]
    return found


def _shows_on_purpose(root, entry, folder):
    """Say whether an entry of the home folder lies in what is shown, so that the home is a part of it."""
    return entry.is_relative_to(root) and folder == Path.home()


@contextmanager
def _listening():
    """Listen on a port and on a name, and yield both; that they answer is seen beforehand."""
    name = f"pgtgrade-probe-{secrets.token_hex(8)}"
    with (
        socket.create_server(("127.0.0.1", 0)) as by_port,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as by_name,
    ):
        by_name.bind(f"\0{name}")
        by_name.listen()
        port = by_port.getsockname()[1]
        for each in (by_port, by_name):
            threading.Thread(target=_accept, args=(each,), daemon=True).start()
        for family, address in ((socket.AF_INET, ("127.0.0.1", port)), (socket.AF_UNIX, f"\0{name}")):
            with socket.socket(family, socket.SOCK_STREAM) as own:
                own.settimeout(10)
                own.connect(address)
        try:
            yield port, name
        finally:
            for each in (by_port, by_name):
                each.shutdown(socket.SHUT_RDWR)


def _accept(listener):
    try:
        while True:
            listener.accept()[0].close()
    except OSError:
        return
