"""Owns grading by hand: a page to read the derivations on, and the table in which points come back."""

from __future__ import annotations

import json
import math
import re

from pgtgrade.names import meant
from pgtgrade.pages import all_rendered, escape, page, rendered
from pgtgrade.problem_sets import grade_id, kind, source
from pgtgrade.readings import FIRST, SETTLED, Reading, Readings
from pgtgrade.results import GRADED
from pgtgrade.stored import Score
from pgtgrade.tables import csv_text, keys, read_csv, unguarded

HEAD = ["student", "question", "items", "points", "out of", "comment"]


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


def derivations_csv(problem_set, called, scores, shown=None):
    """Return the table to fill in, with what has been given so far.

    Parameters
    ----------
    problem_set : ProblemSet
    called : dict of str to str
        From `to_grade`.
    scores : dict of str to dict of str to Score
    shown : dict of (str, str) to Reading, optional
        What a reader found, where it is not only points.
    """
    lines = [HEAD]
    for question in by_hand(problem_set):
        for key, name in called.items():
            reading = (shown or {}).get((key, question.name)) or _reading(scores, key, question)
            points = "" if reading.points is None else f"{reading.points:g}"
            items = " ".join(reading.items)
            lines.append([name, question.name, items, points, f"{question.points:g}", reading.comment])
    return csv_text(lines)


def _reading(scores, key, question):
    score = scores.get(key, {}).get(question.name)
    return Reading((), score.points, score.comment) if score else Reading()


def shown_to_first(readings, scores):
    """Return what the first reader found, where it is still what counts, or was overruled by a settlement."""
    places = readings.of(FIRST)
    return {
        place: places[place]
        for place in places
        if readings.is_settled(place) or _is_given(readings, scores, place)
    }


def shown_readings(readings, scores):
    """Return the readings that count, by the key of the student and the name of the question."""
    places = {*readings.of(FIRST), *readings.of(SETTLED)}
    counting = {place: readings.counts(place) for place in places if _is_given(readings, scores, place)}
    return {place: reading for place, reading in counting.items() if reading}


def _is_given(readings, scores, place):
    """Say whether the points of the gradebook are those that came from here."""
    score = scores.get(place[0], {}).get(place[1])
    return score is not None and score.manual is not None and score.manual == readings.given.get(place)


def by_hand(problem_set):
    """Return the questions that a person grades."""
    return [each for each in problem_set.questions if each.by_hand]


def derivations_html(problem_set, called, scores, course, table, rubric=None, readings=None, reader=FIRST):
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
    rubric : dict of str to dict of str to Item, optional
    readings : Readings, optional
    reader : str
        For whom the page is: another reader than the first does not see what the first one gave.
    """
    title = f"{problem_set.title}: derivations"
    rubric, readings = rubric or {}, readings or Readings()
    first = reader == FIRST
    command = f"pgtgrade derivations {problem_set.name} --read" + ("" if first else f" --reader {reader}")
    scores = scores if first else _scores_of(readings.of(reader), rubric)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{len(called)} submissions. Fill in items or points in <code>{escape(table)}</code>, then run "
        f"<code>{escape(command)}</code>.</p>",
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
            _rubric(rubric.get(question.name, {}), readings.used(question.name) if first else {}),
        ]
        items = rubric.get(question.name, {})
        for key, name in called.items():
            score, place = scores.get(key, {}).get(question.name), (key, question.name)
            given = readings.counts(place) if first else readings.of(reader).get(place)
            more = given_items(given, items)
            parts.append(article(name, notebooks[key], question, score, problem_set, more))
    return page(title, "\n".join(parts))


def _scores_of(found, rubric):
    """Return what another reader found, as the page takes it."""
    scores = {}
    for (key, question), reading in found.items():
        total = reading.total(rubric.get(question, {}))
        scores.setdefault(key, {})[question] = Score(manual=total, comment=reading.comment)
    return scores


def _rubric(items, used):
    """Return the items of a question with what they are worth and how often they were used."""
    if not items:
        return ""
    lines = "".join(
        f'<tr><td>{escape(item.name)}</td><td class="number">{item.points:+g}</td>'
        f'<td>{rendered(item.text)}</td><td class="number">{used.get(item.name, 0)}</td></tr>'
        for item in items.values()
    )
    head = "<tr><th>item</th><th>points</th><th>for what</th><th>used</th></tr>"
    return f"<table>{head}{lines}</table>"


def given_items(reading, items):
    """Return the items that a reading gives, as HTML."""
    found = [items[each] for each in reading.items if each in items] if reading else []
    lines = "".join(f"<li>{item.points:+g}: {rendered(item.text)}</li>" for item in found)
    return f'<ul class="items">{lines}</ul>' if lines else ""


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


def article(name, notebook, question, score, problem_set, more="", state=None):
    """Return what one student wrote, and what was given for it."""
    cell = next((each for each in notebook["cells"] if grade_id(each) == question.answer), None)
    points = score.points if score else None
    state = (
        state
        if state is not None
        else (
            '<span class="quiet">not graded yet</span>'
            if points is None
            else f'<span class="good">{points:g} of {question.points:g}</span>'
        )
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
    parts.append(more)
    if score and score.comment:
        parts.append(f"<p><strong>Comment</strong></p>{rendered(score.comment)}")
    return f"<article>{''.join(parts)}</article>"


def read_points(text, problem_set, results, course, rubric=None):
    """Return the points that a filled-in table gives, as `Gradebook.give` takes them, and its faults.

    The parameters are those of `read_table`.
    """
    found, faults = read_table(text, problem_set, results, course, rubric)
    return entries_of(found, rubric or {}, problem_set), faults


def entries_of(found, rubric, problem_set):
    """Return readings as `Gradebook.give` takes them."""
    most, entries = {each.name: each.points for each in problem_set.questions}, []
    for (key, question), reading in found.items():
        total = reading.total(rubric.get(question, {}))
        total = None if total is None else min(total, most[question])
        entries.append((key, question, total, reading.comment))
    return entries


def read_table(text, problem_set, results, course, rubric=None, roster=None):
    """Return what a filled-in table says, and what of it cannot be stored: each line stands for itself.

    Parameters
    ----------
    text : str
        The CSV file; a spreadsheet may have saved it with semicolons and decimal commas. A line may be of any
        question: points of a question of code take the place of those by its hidden test.
    problem_set : ProblemSet
    results : dict of str to Result
    course : Course
    rubric : dict of str to dict of str to Item, optional
    roster : Roster, optional
        Which other names students have.

    Returns
    -------
    dict of (str, str) to Reading, list of str
        By the key of the student and the name of the question; and a sentence for each line that cannot be
        stored.

    Raises
    ------
    ValueError
        If a column is missing: then no line can be read.
    """
    graded = [each.student for each in results.values() if each.status == GRADED]
    students = keys(graded, roster)
    numbers = {number_of(key, course): key for key, each in results.items() if each.status == GRADED}
    questions = {each.name: each for each in problem_set.questions}
    lines = read_csv(text)
    heads = [each.lower() for each in lines[0][1]] if lines else []
    absent = [each for each in ("student", "question", "points") if each not in heads]
    if absent:
        raise ValueError(
            f"line 1: no column {', '.join(absent)}; expected {', '.join(HEAD)}, as the table was written"
        )
    rubric, faults, entries, seen = rubric or {}, [], {}, {}
    for number, line in lines[1:]:
        cells = dict(zip(heads, line + [""] * len(heads), strict=False))
        name = unguarded(cells["student"])
        key = numbers.get(name) or students.find(name) or students.find(cells["student"])
        question = questions.get(unguarded(cells["question"]))
        comment = unguarded(cells.get("comment", ""))
        points = _points(cells["points"])
        items = tuple(dict.fromkeys(re.findall(r"[^\s,;]+", unguarded(cells.get("items", "")))))
        if key is None:
            faults.append(f"line {number}: no graded submission of {cells['student']!r}{meant(name, graded)}")
        elif question is None:
            known = ", ".join(questions)
            faults.append(f"line {number}: no question {cells['question']!r}; expected one of {known}")
        elif unknown := [each for each in items if each not in rubric.get(question.name, {})]:
            known = ", ".join(rubric.get(question.name, {})) or "none: it has no rubric"
            faults.append(
                f"line {number}: no item {unknown[0]!r} of {question.name}; expected some of {known}"
            )
        elif not _is_within(Reading(items, points), rubric.get(question.name, {}), question.points):
            faults.append(
                f"line {number}: {_said(items, cells['points'])} for {cells['student']}; "
                f"expected points from 0 to {question.points:g}"
            )
        elif (key, question.name) in seen:
            first = seen[key, question.name]
            faults.append(
                f"line {number}: {cells['student']} has {question.name} in line {first} already, which counts"
            )
        else:
            seen[key, question.name] = number
            if points is not None or items or comment:
                entries[key, question.name] = Reading(items, points, comment)
    return entries, faults


def _is_within(reading, items, most):
    """Say whether a reading gives points that there are; items alone stop at 0 and at the most."""
    if reading.points is None:
        return True
    total = reading.points + sum(items[each].points for each in reading.items)
    return 0 <= total <= most


def _said(items, points):
    return f"{points!r}" if not items else f"items {' '.join(items)} and {points!r}"


def _points(text):
    """Return points as they are written, None for a blank, nan for what is no number."""
    try:
        return float(text.replace(",", ".")) if text else None
    except ValueError:
        return math.nan
