"""Owns what students get back: a page each, with points, what the hidden checks say, and comments.

Not nbgrader's page: that one shows 0 for a derivation that nobody has read yet, and would run what a student
printed as HTML.
"""

from __future__ import annotations

import json
import re

from pgtgrade.pages import escape, page, rendered
from pgtgrade.problem_sets import grade_id, kind, source
from pgtgrade.regrades import ASKED
from pgtgrade.results import key_of

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: Lines of one output that are shown, and characters of a line.
_LINES, _WIDE = 30, 500


def feedback_html(problem_set, result, score, course, late=None, given=None, asked=()):
    """Return the page of one student.

    Parameters
    ----------
    problem_set : ProblemSet
    result : Result
    score : dict of str to Score
        By the name of the question.
    course : Course
    late : Late, optional
    given : dict of str to str, optional
        By the name of the question the items of the rubric, as HTML.
    asked : iterable of Event
        What the student asked to be looked at again, and what was decided.
    """
    said = _Said(score, result, given or {}, list(asked))
    path = course.autograded(problem_set.name, key_of(result.student))
    notebook = json.loads(path.read_text(encoding="utf-8"))
    questions = {each.cell: each for each in problem_set.questions}
    share = late.share if late else 0.0
    total = sum(each.points or 0 for each in score.values()) * (1 - share)
    total = f"{total:g} of {problem_set.points:g} points"
    total += " so far" if any(each.points is None for each in score.values()) else ""
    total += f" ({late.note})" if share else ""
    table = "".join(
        f'<tr><td class="text">{escape(each.title)}</td><td class="number">{_points(each, score)}</td></tr>'
        for each in problem_set.questions
    )
    parts = [
        f"<h1>{escape(problem_set.title)}</h1>",
        f"<p>{escape(result.student)}: <strong>{total}</strong></p>",
        f"<table><tr><th>Question</th><th>Points</th></tr>{table}</table>",
    ]
    # What stands above the cell that carries the points belongs to its question.
    above = []
    for cell in notebook["cells"]:
        question = questions.get(grade_id(cell))
        if question is None or question.by_hand:
            above += _shown(cell)
        if question:
            parts += [said.of(question), *above]
            above = []
    given = {grade_id(cell) for cell in notebook["cells"]}
    parts += [said.of(each) for each in problem_set.questions if each.cell not in given]
    return page(f"{problem_set.title}: {result.student}", "\n".join([*parts, *above]))


def _points(question, score):
    points = score[question.name].points
    return "not graded yet" if points is None else f"{points:g} of {question.points:g}"


class _Said:
    """What is said of the questions of a student."""

    def __init__(self, score, result, given, asked):
        self.score, self.result, self.given, self.asked = score, result, given, asked

    def of(self, question):
        """Return the points of a question with what the hidden check and the grader say."""
        points, comment = self.score[question.name].points, self.score[question.name].comment
        colour = "quiet" if points is None else "good" if points >= question.points else "note"
        said = self.result.messages.get(question.name)
        parts = [
            f'<h2 class="text">{escape(question.title)}</h2>',
            f'<p class="{colour}">{_points(question, self.score)}</p>',
            "<p>{}</p>".format(escape(said).replace("\n", "<br>")) if said else "",
            self.given.get(question.name, ""),
            rendered(comment) if comment else "",
        ]
        return "".join([*parts, *(_event(each) for each in self.asked if each.question == question.name)])


def _event(each):
    """Return what was asked or decided when somebody asked to look at a question again."""
    day, words = escape(each.when.split(" ")[0]), rendered(each.words)
    if each.what == ASKED:
        return f'<p class="quiet">{day}: you asked to look at it again.</p>{words}'
    same = each.before == each.after
    points = "the points stay" if same else f"{_number(each.before)} points became {_number(each.after)}"
    return f"<p><strong>{day}, decided: {points}.</strong></p>{words}"


def _number(points):
    return "no" if points is None else f"{points:g}"


def _shown(cell):
    """Return what the student wrote in a cell, and what came out of any."""
    theirs = kind(cell).get("solution") or not kind(cell)
    if cell["cell_type"] == "code":
        return _code(cell, theirs)
    if not theirs or not source(cell).strip():
        return []
    return [rendered(source(cell), cell.get("attachments"), author="student")]


def _code(cell, theirs):
    parts = [f"<pre>{escape(source(cell))}</pre>"] if theirs and source(cell).strip() else []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if output["output_type"] == "error":
            text = "\n".join(output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"])
            parts.append(f'<pre class="wrong">{_plain(text)}</pre>')
        elif output["output_type"] == "stream":
            parts.append(f'<pre class="out">{_plain("".join(output["text"]))}</pre>')
        elif isinstance(data.get("image/png"), str):
            picture = "".join(data["image/png"].split())
            parts.append(f'<img alt="a figure" src="data:image/png;base64,{escape(picture)}">')
        elif "text/plain" in data:
            parts.append(f'<pre class="out">{_plain("".join(data["text/plain"]))}</pre>')
    return parts


def _plain(text):
    lines = [each[:_WIDE] for each in _COLOURS.sub("", text).splitlines()]
    if len(lines) > _LINES:
        half = _LINES // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} lines left out ..."]
    return escape("\n".join(lines))
