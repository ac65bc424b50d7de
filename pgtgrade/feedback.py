"""Owns what students get back: a page each, with points, what the hidden checks say, and comments.

Not nbgrader's page: that one shows 0 for a derivation that nobody has read yet, and would run what a student
printed as HTML.
"""

from __future__ import annotations

import json
import re

from pgtgrade.pages import escape, page, rendered
from pgtgrade.problem_sets import grade_id, source
from pgtgrade.results import key_of

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: Characters of one output that are shown.
_LONGEST = 5000


def feedback_html(problem_set, result, score, course):
    """Return the page of one student.

    Parameters
    ----------
    problem_set : ProblemSet
    result : Result
    score : dict of str to Score
        By the name of the question.
    course : Course
    """
    path = course.autograded(problem_set.name, key_of(result.student))
    notebook = json.loads(path.read_text(encoding="utf-8"))
    points = {name: each.points for name, each in score.items()}
    questions = {each.cell: each for each in problem_set.questions}
    total = sum(each or 0 for each in points.values())
    open_ = [each for each in problem_set.questions if points.get(each.name) is None]
    so_far = f"{total:g} of {problem_set.points:g} points" + (" so far" if open_ else "")
    parts = [
        f"<h1>{escape(problem_set.title)}</h1>",
        f"<p>{escape(result.student)}: <strong>{so_far}</strong></p>",
        _overview(problem_set, result, score),
        "<h2>Your notebook</h2>",
    ]
    for cell in notebook["cells"]:
        question = questions.get(grade_id(cell))
        if question and not question.by_hand:
            parts.append(_verdict(question, points.get(question.name), result.messages.get(question.name)))
        elif cell["cell_type"] == "code":
            parts.append(_code(cell))
        elif source(cell).strip():
            parts.append(rendered(source(cell), cell.get("attachments")))
        if question and question.by_hand:
            parts.append(_verdict(question, points.get(question.name), score[question.name].comment))
    return page(f"{problem_set.title}: {result.student}", "\n".join(parts), alone=True)


def _points(question, points):
    if points is None:
        return "not graded yet"
    return f"{points:g} of {question.points:g}"


def _overview(problem_set, result, score):
    lines = []
    for question in problem_set.questions:
        each = score[question.name]
        said = each.comment if question.by_hand else result.messages.get(question.name)
        lines.append(
            f"<tr><td>{escape(question.title)}</td>"
            f'<td class="number">{_points(question, each.points)}</td><td>{escape(said or "")}</td></tr>'
        )
    head = "<tr><th>Question</th><th>Points</th><th>What the check or your grader says</th></tr>"
    return f'<div class="wide"><table>{head}{"".join(lines)}</table></div>'


def _verdict(question, points, said):
    kind = "quiet" if points is None else "good" if points == question.points else "bad"
    text = f"<p>{escape(said)}</p>" if said else ""
    return (
        f'<article><div class="head"><h3>{escape(question.title)}</h3>'
        f'<span class="{kind}">{_points(question, points)}</span></div>{text}</article>'
    )


def _code(cell):
    parts = [f"<pre>{escape(source(cell))}</pre>"] if source(cell).strip() else []
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
    return "\n".join(parts)


def _plain(text):
    text = _COLOURS.sub("", text)
    return escape(text if len(text) <= _LONGEST else text[:_LONGEST] + " ... cut here")
