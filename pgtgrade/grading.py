"""Owns a batch: every submission of a folder is examined once, and each has a row whatever happens to it."""

from __future__ import annotations

import concurrent.futures
import copy
import itertools
import json
import re
import traceback
from dataclasses import dataclass, field

from pgtgrade.gradebook import gradebook
from pgtgrade.problem_sets import grade_id
from pgtgrade.results import GRADED, NOT_GRADED, Result, digest_of, fingerprint, key_of, write
from pgtgrade.submissions import find, prepare
from pgtlab._progress import progress


@dataclass
class Batch:
    """What a run did: the names of the students by what became of them, and what was in the way."""

    examined: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    not_graded: dict = field(default_factory=dict)
    ignored: list = field(default_factory=list)


def grade(problem_set, folder, course, *, examine, limits, isolation, secret=None, jobs=1, again=False):
    """Grade the submissions of a folder.

    Parameters
    ----------
    problem_set : ProblemSet
    folder : path
        The downloads.
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

    Returns
    -------
    Batch
    """
    submissions, ignored = find(folder, problem_set.name)
    batch = Batch(ignored=ignored)
    isolated = isolation.command is not None

    def work(submission):
        """Return a result, the notebook as it was run if there is one, and the result before it."""
        try:
            before = course.load(problem_set.name, key_of(submission.student))
        except ValueError:  # it is written afresh
            before = None
        result = Result(submission.student, NOT_GRADED, notes=list(submission.notes))
        result.answers = dict(before.answers) if before else {}
        try:
            data = submission.read()
            if data is None:
                result.reason = submission.fault
                return result, None, before
            mark = fingerprint(data, problem_set, secret, limits, isolated)
            known = before and before.status == GRADED and key_of(submission.student) in entered
            if known and before.fingerprint == mark and not again:
                return before, None, before
            prepared = prepare(data, problem_set)
            result.notes += prepared.notes
            if prepared.fault:
                result.reason = prepared.fault
                return result, None, before
            found = examine(
                copy.deepcopy(prepared.cells),
                problem_set.notebook,
                limits=limits,
                isolation=isolation,
                secret=secret,
                student=key_of(submission.student),
            )
            result.seconds = round(found.seconds, 2)
            result.notes += [_named(note, prepared.cells) for note in found.notes]
            if found.status != GRADED:
                result.reason = found.reason
                return result, None, before
            result.fingerprint = mark
            _give_points(result, prepared, found, problem_set)
            if not isolated:
                result.notes.append("run without isolation")
            return result, _as_run(prepared, found, result, problem_set), before
        except Exception as error:  # a fault of the grader is no reason to stop a class
            result.status = NOT_GRADED
            said = " ".join(str(error).split())[:200]
            result.reason = f"the grader itself failed: {type(error).__name__}: {said}"
            result.messages["traceback"] = traceback.format_exc()
            return result, None, before

    with gradebook(course, problem_set) as book:
        # nbgrader's formgrader lists the sets whose sources it finds in the course. It gets no submissions:
        # there is a button that would run them with all rights.
        write(course.source(problem_set.name), json.dumps(problem_set.notebook, ensure_ascii=False, indent=1))
        entered = set(book.scores())
        for result, notebook, before in progress(
            _in_turn(work, submissions, jobs), len(submissions), "submissions"
        ):
            if result is before:
                batch.kept.append(result.student)
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


def _in_turn(work, submissions, jobs):
    """Yield the results as they are finished, with no more under way than `jobs`: memory stays flat."""
    waiting = iter(submissions)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        under_way = {pool.submit(work, each) for each in itertools.islice(waiting, jobs)}
        while under_way:
            done, under_way = concurrent.futures.wait(
                under_way, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for each in done:
                yield each.result()
                under_way |= {pool.submit(work, more) for more in itertools.islice(waiting, 1)}


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
        elif name in prepared.released and not prepared.own_text:
            result.points[name], result.messages[name] = 0.0, "left as it was released"
            result.notes.append(f"{name} was left as released")
        else:
            result.points[name] = None
            if answer is None or name in prepared.released:
                result.notes.append(f"{name} is not in its cell: see whether it stands elsewhere")
    result.status = GRADED


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
