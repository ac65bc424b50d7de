"""Owns a submission as it runs: its cells from the top down, its functions, and what happens when it dies."""

from __future__ import annotations

import time

from pgtgrade.judging import NotGraded, readable
from pgtgrade.needed import CHECKS
from pgtgrade.outputs import Outputs
from pgtgrade.process import Ended, Process
from pgtgrade.walls import SLACK

#: Output of a submission that is kept, in that of a cell.
WHOLE = 20


class Student:
    """The cells of a submission, and a process in which they have run.

    Parameters
    ----------
    cells : sequence of str
        The code of the cells; "" for one that is not to be run.
    limits : Limits
    isolation : Isolation
    needs : sequence of str
        Rooms of pgtlab that it finds.
    process : Process, optional
        A fresh one that has been started already.

    Attributes
    ----------
    outputs : list of list
        Of each cell.
    notes : list of str
    """

    def __init__(self, cells, *, limits, isolation, needs=CHECKS, process=None):
        self._cells, self._limits, self._isolation, self._needs = cells, limits, isolation, needs
        self._process, self._deadline = process, time.monotonic() + SLACK * limits.total_seconds
        self._used = 0.0
        self._left_out, self._banned, self._restarts = set(), {}, 0
        self._until, self._done = len(cells), 0
        self.outputs, self.notes = [[] for _ in cells], []

    def run(self, until=None):
        """Run the cells; each that ends the process is left out and the rest are run again.

        Parameters
        ----------
        until : int, optional
            The number of cells to run, counted from the top; those that have been run are not run again.

        Raises
        ------
        NotGraded
            If that happens too often or takes too long.
        """
        self._until = len(self._cells) if until is None else until
        while True:
            index = self._run_through()
            if index is None:
                return
            self._restart()

    def call(self, name, arguments):
        """Call a function of the submission.

        Parameters
        ----------
        name : str
        arguments : bytes
            As `pgtgrade.runner.calls.call` takes them.

        Returns
        -------
        (dict, bytes)
            The message that it makes. It is not to be trusted.

        Raises
        ------
        RuntimeError
            If the process ended, at this call or at one of this function before.
        """
        __tracebackhide__ = True
        if name in self._banned:
            raise readable(RuntimeError(self._banned[name]))
        if self._process is None:
            self.run(self._until)
        self._in_time()
        try:
            return self._process.ask({"call": name}, arguments, outputs=Outputs(0))
        except Ended as error:
            # It costs this function's questions; the others get a process of their own.
            self._banned[name] = str(error)
            self.notes.append(f"when {name} was called, {error}")
            self._restart()
            raise readable(RuntimeError(str(error))) from None

    def afresh(self):
        """Return the same submission in a process of its own, within the time that is left."""
        other = Student(self._cells, limits=self._limits, isolation=self._isolation, needs=self._needs)
        other._deadline, other._left_out = self._deadline, set(self._left_out)
        other._used = self._used + (self._process.used if self._process else 0.0)
        return other

    def close(self):
        """End the process."""
        if self._process is not None:
            self._used += self._process.used
            self._process.close()
            self._process = None

    def _run_through(self):
        """Run the cells in order and return the index of the one that ended the process, None if none did."""
        if self._process is None:
            self._process, self._done = Process(self._isolation, self._limits, self._needs), 0
        try:
            self._process.ready()
        except Ended as error:
            raise NotGraded(f"the student's process could not be started: {error}") from None
        number, room = 0, WHOLE * self._limits.output
        for index, code in list(enumerate(self._cells))[self._done : self._until]:
            self._done = index + 1
            if not code.strip() or index in self._left_out:
                continue
            number += 1
            self._in_time()
            outputs = Outputs(min(self._limits.output, room))
            try:
                head, _ = self._process.ask({"cell": code, "index": index}, outputs=outputs, count=number)
            except Ended as error:
                self._left_out.add(index)
                self.notes.append(f"cell {index + 1} is left out: {error}")
                outputs.add(_shown(str(error)))
                self.outputs[index] = outputs.cut()
                return index
            if head.get("done") == "TimeUp" or _is_late(head.get("raised")):
                seconds = self._limits.cell_seconds
                # by the clock, which also runs while it sleeps
                seconds *= SLACK if head.get("after") == SLACK * seconds else 1
                outputs.add(_shown(f"interrupted after {seconds:g} s"))
                note = f"cell {index + 1} was interrupted after {seconds:g} s"
                self.notes += [note] if note not in self.notes else []
            self.outputs[index] = outputs.cut()
            room = max(room - len(str(self.outputs[index])), 0)
        return None

    def _restart(self):
        self.close()
        self._restarts += 1
        if self._restarts > self._limits.restarts:
            raise NotGraded(f"its process ended {self._restarts} times: {'; '.join(self.notes)}")

    def _in_time(self):
        used = self._used + (self._process.used if self._process else 0.0)
        most = self._limits.total_seconds
        for seconds, is_over in ((most, used > most), (SLACK * most, time.monotonic() > self._deadline)):
            if is_over:
                raise NotGraded(f"it took more than {seconds:g} s: {'; '.join(self.notes)}")


def _is_late(raised):
    return type(raised) is dict and raised.get("type") == "TimeoutError"


def _shown(text):
    return {"output_type": "stream", "name": "stderr", "text": f"[{text}]\n"}
