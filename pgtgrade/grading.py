"""Owns a batch: every submission of a folder is examined once, and each has a row whatever happens to it."""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import itertools
import json
import re
import tempfile
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from pgtgrade.downloads import find
from pgtgrade.gradebook import gradebook
from pgtgrade.problem_sets import grade_id
from pgtgrade.results import GRADED, NOT_GRADED, Result, digest_of, fingerprint, key_of, write
from pgtgrade.source import unreadable
from pgtgrade.submissions import prepare
from pgtlab._progress import progress


@dataclass
class Batch:
    """What a run did: the names of the students by what became of them, and what was in the way."""

    examined: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    not_graded: dict = field(default_factory=dict)
    ignored: list = field(default_factory=list)


def grade(
    problem_set,
    folder,
    course,
    *,
    examine,
    limits,
    isolation,
    secret=None,
    jobs=1,
    again=False,
    roster=None,
    attempts=None,
):
    """Grade the submissions of a folder.

    Parameters
    ----------
    problem_set : ProblemSet
    folder : path
        The downloads: a folder or an archive.
    course : Course
    examine : callable
        `pgtgrade.examination.examine`.
    limits : Limits
    isolation : Isolation
    secret : str or None
    jobs : int
        Submissions at a time.
    again : bool
        Whether to examine what has been examined before.
    roster : Roster, optional
    attempts : str, optional
        Which of several notebooks of a student counts, "last" or "best".

    Returns
    -------
    Batch
    """
    with gradebook(course, problem_set) as book, tempfile.TemporaryDirectory() as unpacked:
        # nbgrader's formgrader lists the sets whose sources it finds in the course. It gets no submissions:
        # there is a button that would run them with all rights.
        write(course.source(problem_set.name), json.dumps(problem_set.notebook, ensure_ascii=False, indent=1))
        submissions, ignored = find(
            folder,
            problem_set.name,
            unpacked=Path(unpacked),
            roster=roster,
            attempts=attempts,
            leave_out=[course.folder],
        )
        batch, entered = Batch(ignored=ignored), set(book.scores())
        work = _Worker(
            problem_set, course, entered, examine, limits, isolation, secret, again, attempts == "best"
        )
        # What ran out of time may have been robbed of it by what ran beside it: it is run again, alone.
        crowded = jobs > 1 and len(submissions) > 1
        turns = _in_turn(work if crowded else work.alone, submissions, jobs, work.alone)
        for result, notebook, before in progress(turns, len(submissions), "submissions"):
            if notebook is None and result.status == GRADED:
                batch.kept.append(result.student)
                if result != before:
                    course.save(problem_set.name, result)
                continue
            if result.status == GRADED:
                where = course.autograded(problem_set.name, key_of(result.student))
                write(where, json.dumps(notebook, ensure_ascii=False, indent=1))
                book.record(result, before)
                batch.examined.append(result.student)
            else:
                batch.not_graded[result.student] = result.reason
            course.save(problem_set.name, result)
    return batch


class OutOfTime(Exception):
    """Say that a submission ran out of time while others ran beside it."""


@dataclass
class _Worker:
    """What turns a submission into a result, the notebook as it was run, and the result before it.

    The notebook is None if nothing was run: because it cannot be, or was before and has not changed.
    """

    problem_set: object
    course: object
    entered: set
    examine: object
    limits: object
    isolation: object
    secret: str | None
    again: bool
    best: bool

    def __call__(self, submission, alone=False):
        try:
            before = self.course.load(self.problem_set.name, key_of(submission.student))
        except ValueError:  # it is written afresh
            before = None
        result = Result(submission.student, NOT_GRADED, late=submission.late, handle=submission.handle)
        result.answers = dict(before.answers) if before else {}
        try:
            notebook = self._work(submission, result, before, alone)
        except OutOfTime:
            raise
        except Exception as error:  # a fault of the grader is no reason to stop a class
            result.status, notebook = NOT_GRADED, None
            said = " ".join(str(error).split())[:200]
            result.reason = f"the grader itself failed: {type(error).__name__}: {said}"
            result.messages["traceback"] = traceback.format_exc()
        if notebook is _KEPT:
            told = {"late": result.late, "handle": result.handle, "file_time": result.file_time}
            return dataclasses.replace(before, **told), None, before
        return result, notebook, before

    def alone(self, submission):
        """Do the same while nothing runs beside it."""
        return self(submission, alone=True)

    def _work(self, submission, result, before, alone):
        chosen = self._chosen(submission, result)
        if not chosen:
            return None
        isolated = self.isolation.command is not None
        data = b"\0".join(each for each, _ in chosen)
        mark = fingerprint(data, self.problem_set, self.secret, self.limits, isolated)
        known = before and before.status == GRADED and key_of(submission.student) in self.entered
        if known and before.fingerprint == mark and not self.again:
            return _KEPT
        found = []
        for _, prepared in chosen:
            cells = copy.deepcopy(prepared.cells)
            examination = self.examine(
                cells,
                self.problem_set.notebook,
                limits=self.limits,
                isolation=self.isolation,
                secret=self.secret,
                student=key_of(submission.student),
            )
            found.append((examination, prepared))
        ran_out = any(_ran_out(each) for each, _ in found)
        if ran_out and not alone:
            raise OutOfTime
        # of those that earn most, the last
        examination, prepared = max(reversed(found), key=lambda each: _earned(each[0]))
        result.seconds = round(sum(each.seconds for each, _ in found), 2)
        result.notes += prepared.notes + [_named(note, prepared.cells) for note in examination.notes]
        if examination.status != GRADED:
            result.reason = examination.reason
            return None
        # a verdict that is one of time is not remembered: the next run looks again
        result.fingerprint = "" if ran_out else mark
        _give_points(result, prepared, examination, self.problem_set)
        if not isolated:
            result.notes.append("run without isolation")
        return _as_run(prepared, examination, result, self.problem_set)

    def _chosen(self, submission, result):
        """Return the notebooks that are to be examined, as data and prepared; without one, say why."""
        read = dict.fromkeys(data for path in submission.paths if (data := submission.read(path)) is not None)
        prepared = [(data, prepare(data, self.problem_set, submission.photos)) for data in read]
        fit = [each for each in prepared if not each[1].fault]
        result.notes = list(submission.notes)
        result.file_time = submission.time
        if not fit or (submission.fault and len(fit) > 1):
            last = prepared[-1][1] if prepared else None
            result.reason = submission.fault or last.fault
            result.notes += [] if submission.fault else last.notes
            return []
        if len(submission.paths) > 1:
            which = "the best counts" if self.best else "the last counts"
            which = "one is of this set" if len(fit) == 1 < len(read) else which
            which = "all are the same" if len(read) == 1 else which
            names = ", ".join(submission.names)
            result.notes.append(f"{len(submission.paths)} notebooks, of which {which}: {names}")
        return fit if self.best else fit[-1:]


#: Stands for a notebook that was run before.
_KEPT = object()


def _ran_out(examination):
    """Say whether anything of a submission ended because of time."""
    said = [examination.reason or "", *examination.notes]
    said += [message or "" for _, message in examination.hidden.values()]
    return any(
        re.search(r"interrupted after|no end within|it took more than|no word within", each) for each in said
    )


def _earned(examination):
    return sum(points for points, _ in examination.hidden.values()) if examination.status == GRADED else -1


def _in_turn(work, submissions, jobs, alone=None):
    """Yield the results as they are finished, with no more under way than `jobs`: memory stays flat.

    What raises OutOfTime is done at the end, one at a time, by `alone`.
    """
    waiting, late = iter(submissions), []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        under_way = {pool.submit(work, each): each for each in itertools.islice(waiting, jobs)}
        while under_way:
            done, _ = concurrent.futures.wait(under_way, return_when=concurrent.futures.FIRST_COMPLETED)
            for each in done:
                submission = under_way.pop(each)
                try:
                    yield each.result()
                except OutOfTime:
                    late.append(submission)
                under_way |= {pool.submit(work, more): more for more in itertools.islice(waiting, 1)}
    yield from map(alone, late)


def _named(note, cells):
    """Return a note of the examination, which counts the cells from 1, with the name of the cell."""

    def name(match):
        index = int(match[1]) - 1
        return f"cell {grade_id(cells[index]) or match[1]}" if index < len(cells) else match[0]

    return re.sub(r"\bcell (\d+)\b", name, note)


def _give_points(result, prepared, found, problem_set):
    """Fill in the points of each question, or leave them to a person."""
    missing = [
        each.cell for each in problem_set.questions if not each.by_hand and each.cell not in found.hidden
    ]
    if missing:
        raise ValueError(f"no points came back for {', '.join(missing)}")
    for question in problem_set.questions:
        name, answer = question.name, prepared.answers[question.name]
        result.answers[name] = digest_of(answer or "")
        if not question.by_hand:
            result.points[name], result.messages[name] = found.hidden[question.cell]
            _say_unreadable(result, name, answer or "")
            if question.cell in found.times:
                result.times[name] = found.times[question.cell]
        elif name in prepared.released and not prepared.own_text:
            result.points[name], result.messages[name] = 0.0, "left as it was released"
            result.notes.append(f"{name} was left as released")
        else:
            result.points[name] = None
            if answer is None or name in prepared.released:
                result.notes.append(f"{name} is not in its cell: see whether it stands elsewhere")
    result.status = GRADED


def _say_unreadable(result, name, answer):
    """Say of a cell that Python cannot read why, in the place of what followed from it."""
    followed = r"NameError: no cell defines \w+[^\n]*"
    message = result.messages[name] or ""
    fault = re.search(followed, message) and unreadable(answer)
    if fault:
        because = f"SyntaxError. Likely cause: {fault}"
        result.messages[name] = re.sub(followed, lambda _: because, message)
        result.notes.append(f"{name} is no Python, {fault}")


def _as_run(prepared, found, result, problem_set):
    """Return the student's notebook with what came out, and what the hidden checks say in their cells."""
    names = {each.cell: each for each in problem_set.questions if not each.by_hand}
    cells = copy.deepcopy(prepared.cells)
    for index, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        cell["outputs"], cell["execution_count"] = list(found.outputs[index]), index + 1
        if grade_id(cell) in names:
            question = names[grade_id(cell)]
            points = f"{result.points[question.name]:g} of {question.points:g} points"
            message = result.messages[question.name]
            text = f"{points}\n{message}\n" if message else f"{points}\n"
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
