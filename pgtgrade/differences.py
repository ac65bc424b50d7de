"""Owns the page and the table of derivations in which two readers differ."""

from __future__ import annotations

import json

from pgtgrade.derivations import HEAD, article, given_items
from pgtgrade.pages import escape, page, rendered
from pgtgrade.tables import csv_text


def differences_csv(problem_set, results, course, rubric, readings, places):
    """Return the table in which one fills in what counts; what each reader gave stands at the right."""
    names = list(dict.fromkeys(name for place in places for name in readings.of_derivation(place)))
    points, lines = {each.name: each.points for each in problem_set.questions}, [[*HEAD, *names]]
    for place in places:
        key, question = place
        theirs = readings.of_derivation(place)
        lines.append(
            [results[key].student, question, "", "", f"{points[question]:g}", ""]
            + [_in_short(theirs.get(name), rubric.get(question, {})) for name in names]
        )
    return csv_text(lines)


def _in_short(reading, items):
    if reading is None:
        return ""
    said = f"{reading.total(items):g}"
    return f"{said} (items {' '.join(reading.items)})" if reading.items else said


def differences_html(problem_set, results, course, rubric, readings, places):
    """Return the page: each derivation, and below it what each reader gave and said."""
    title = f"{problem_set.title}: where readers differ"
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{len(places)} derivations.</p>"]
    questions = {each.name: each for each in problem_set.questions}
    for place in places:
        key, question = place
        path = course.autograded(problem_set.name, key)
        notebook, items = json.loads(path.read_text(encoding="utf-8")), rubric.get(question, {})
        sides = "".join(
            f"<div><h3>{escape(name)}: {reading.total(items):g} of {questions[question].points:g}</h3>"
            f"{given_items(reading, items)}{rendered(reading.comment) if reading.comment else ''}</div>"
            for name, reading in readings.of_derivation(place).items()
        )
        more = f'<div class="beside">{sides}</div>'
        text = article(results[key].student, notebook, questions[question], None, problem_set, more, "")
        parts.append(f'<h2 class="text">{escape(questions[question].title)}</h2>{text}')
    return page(title, "\n".join(parts), "page wide")
