"""Owns the examination of one submission: what its cells print, and how many points its answers earn."""

from __future__ import annotations

from dataclasses import dataclass

from pgtgrade.here import examine_here, visible_here

__all__ = ["Examination", "Limits", "examine", "examine_here", "visible_here"]


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes
    ----------
    cell_seconds : float
        Of a cell and of a call of a function; two more, and its process is killed.
    total_seconds : float
        Of the whole examination.
    memory : int
        Bytes of a process, and of all processes of a submission together.
    processes : int
        Processes and threads at a time.
    output : int
        Bytes of output that are kept of a cell.
    restarts : int
        How often the cells are run again without the one that killed the process.
    """

    cell_seconds: float = 30.0
    total_seconds: float = 180.0
    memory: int = 2 << 30
    processes: int = 32
    output: int = 100_000
    restarts: int = 5


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
    raise NotImplementedError
