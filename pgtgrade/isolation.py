"""Owns the isolation of the student's process: what it sees, what it may use, and the proof of it."""

from __future__ import annotations

from dataclasses import dataclass


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


def isolated(hidden=()):
    """Return the isolation of this machine; raise IsolationError where there is none.

    Parameters
    ----------
    hidden : iterable of path
        The folder of the source, the course folder, the downloads.
    """
    raise NotImplementedError


def unsafe():
    """Return no isolation at all: submitted code sees and may do whatever the user may."""
    return Isolation(command=None)


def probe(isolation, limits):
    """Run a process in isolation that tries to break out; raise IsolationError with all that it reached.

    It looks for everything in `isolation.hidden` and for the home folder, connects to a listener of this
    process, writes outside /tmp.
    """
    raise NotImplementedError
