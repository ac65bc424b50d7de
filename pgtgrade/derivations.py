"""Owns grading by hand: a page to read the derivations on, and the table in which points come back."""

from __future__ import annotations

import json
import math
import re

from pgtgrade.pages import all_rendered, escape, page, rendered
from pgtgrade.problem_sets import grade_id, kind, source
from pgtgrade.results import GRADED
from pgtgrade.tables import csv_text, keys, read_csv, unguarded

HEAD = ["student", "question", "points", "out of", "comment"]


def number_of(key, course):
    """Return the number that stands for a student whose name is not shown."""
    return "no. " + course.salted("derivations", key)[:8]


def to_grade(results, course, anonymous=False):
    """Return the students whose derivations there are: what they are called here, by their key, in order."""
    called = {
        key: number_of(key, course) if anonymous else result.student
        for key, result in results.items()
        if result.status == GRADED
    }
    return dict(sorted(called.items(), key=lambda item: (item[1].casefold(), item[1])))


def derivations_csv(problem_set, called, scores):
    """Return the table to fill in, with what has been given so far."""
    lines = [HEAD]
    for question in by_hand(problem_set):
        for key, name in called.items():
            score = scores.get(key, {}).get(question.name)
            points = "" if score is None or score.points is None else f"{score.points:g}"
            comment = score.comment if score else ""
            lines.append([name, question.name, points, f"{question.points:g}", comment])
    return csv_text(lines)


def by_hand(problem_set):
    """Return the questions that a person grades."""
    return [each for each in problem_set.questions if each.by_hand]


def derivations_html(problem_set, called, scores, course, table):
    """Return the page on which to read.

    Parameters
    ----------
    problem_set : ProblemSet
    called : dict of str to str
        From `to_grade`.
    scores : dict of str to dict of str to Score
    course : Course
    table : str
        The name of the file to fill in.
    """
    title = f"{problem_set.title}: derivations"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{len(called)} submissions. Fill in the points in <code>{escape(table)}</code>, then run "
        f"<code>pgtgrade derivations {escape(problem_set.name)} --read</code>.</p>",
    ]
    notebooks = {
        key: json.loads(course.autograded(problem_set.name, key).read_text(encoding="utf-8"))
        for key in called
    }
    for question in by_hand(problem_set):
        graded = sum(_given(scores, key, question) is not None for key in called)
        parts += [
            f'<h2 class="text">{escape(question.title)}</h2>',
            f'<p class="quiet">{question.points:g} points; {graded} of {len(called)} graded.</p>',
            _task(problem_set, question),
            _solution(problem_set, question),
        ]
        parts += [
            _article(name, notebooks[key], question, scores.get(key, {}).get(question.name), problem_set)
            for key, name in called.items()
        ]
    return page(title, "\n".join(parts))


def _given(scores, key, question):
    score = scores.get(key, {}).get(question.name)
    return score.points if score else None


def _task(problem_set, question):
    """Return the text cell above the answer, which asks for it."""
    names = list(problem_set.cells)
    above = [problem_set.cells[each] for each in names[: names.index(question.answer)]]
    asked = next((source(cell) for cell in reversed(above) if cell["cell_type"] == "markdown"), "")
    return f"<details><summary>The question</summary>{rendered(asked)}</details>"


def _solution(problem_set, question):
    (cell,) = (each for each in problem_set.notebook["cells"] if grade_id(each) == question.answer)
    text = re.sub(r"^.*(BEGIN|END) SOLUTION.*\n?", "", source(cell), flags=re.MULTILINE)
    return f"<details open><summary>Solution and rubric</summary>{rendered(text)}</details>"


def _article(name, notebook, question, score, problem_set):
    """Return what one student wrote."""
    cell = next((each for each in notebook["cells"] if grade_id(each) == question.answer), None)
    points = score.points if score else None
    state = (
        '<span class="quiet">not graded yet</span>'
        if points is None
        else f'<span class="good">{points:g} of {question.points:g}</span>'
    )
    parts = [f'<div class="head"><h3>{escape(name)}</h3>{state}</div>']
    if score and score.changed:
        parts.append('<p class="note">The answer changed since it was graded.</p>')
    released = source(problem_set.cells[question.answer]).strip()
    if cell is None:
        parts.append('<p class="note">The answer cell is missing.</p>')
    elif source(cell).strip() == released:
        parts.append('<p class="note">The answer cell is as it was released.</p>')
    else:
        parts.append(rendered(source(cell), cell.get("attachments"), author=name))
    others = [
        each
        for each in notebook["cells"]
        if not kind(each) and each["cell_type"] != "code" and source(each).strip()
    ]
    if others:
        opened = "" if cell is not None and source(cell).strip() != released else " open"
        text = all_rendered(others, author=name)
        parts.append(f"<details{opened}><summary>Text in other cells</summary>{text}</details>")
    if score and score.comment:
        parts.append(f"<p><strong>Comment</strong></p>{rendered(score.comment)}")
    return f"<article>{''.join(parts)}</article>"


def read_points(text, problem_set, results, course):
    """Return what a filled-in table gives, and what of it cannot be stored: each line stands for itself.

    Parameters
    ----------
    text : str
        The CSV file; a spreadsheet may have saved it with semicolons and decimal commas. A line may be of any
        question: points of a question of code take the place of those by its hidden test.
    problem_set : ProblemSet
    results : dict of str to Result
    course : Course

    Returns
    -------
    list of (str, str, float or None, str), list of str
        As `Gradebook.give` takes it; and a sentence for each line that cannot be stored.

    Raises
    ------
    ValueError
        If a column is missing: then no line can be read.
    """
    graded = [each.student for each in results.values() if each.status == GRADED]
    students = keys(graded)
    numbers = {number_of(key, course): key for key, each in results.items() if each.status == GRADED}
    questions = {each.name: each for each in problem_set.questions}
    lines = read_csv(text)
    heads = [each.lower() for each in lines[0][1]] if lines else []
    absent = [each for each in ("student", "question", "points") if each not in heads]
    if absent:
        raise ValueError(
            f"line 1: no column {', '.join(absent)}; expected {', '.join(HEAD)}, as the table was written"
        )
    faults, entries, seen = [], [], {}
    for number, line in lines[1:]:
        cells = dict(zip(heads, line + [""] * len(heads), strict=False))
        name = unguarded(cells["student"])
        key = numbers.get(name) or students.find(name) or students.find(cells["student"])
        question = questions.get(unguarded(cells["question"]))
        comment = unguarded(cells.get("comment", ""))
        points = _points(cells["points"])
        if key is None:
            faults.append(f"line {number}: no graded submission of {cells['student']!r}")
        elif question is None:
            known = ", ".join(questions)
            faults.append(f"line {number}: no question {cells['question']!r}; expected one of {known}")
        elif points is not None and not 0 <= points <= question.points:
            faults.append(
                f"line {number}: {cells['points']!r} for {cells['student']}; "
                f"expected points from 0 to {question.points:g}"
            )
        elif (key, question.name) in seen:
            first = seen[key, question.name]
            faults.append(
                f"line {number}: {cells['student']} has {question.name} in line {first} already, which counts"
            )
        else:
            seen[key, question.name] = number
            if points is not None or comment:
                entries.append((key, question.name, points, comment))
    return entries, faults


def _points(text):
    """Return points as they are written, None for a blank, nan for what is no number."""
    try:
        return float(text.replace(",", ".")) if text else None
    except ValueError:
        return math.nan
