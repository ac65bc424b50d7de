"""Owns what a class did as a whole: of each question how many are right, what went wrong, points and time."""

from __future__ import annotations

import json
import re
import statistics
from collections import Counter
from dataclasses import dataclass, field

from pgtgrade.figures import bar, histogram
from pgtgrade.pages import escape, page
from pgtgrade.problem_sets import grade_id
from pgtgrade.results import GRADED, NO_SUBMISSION, NOT_GRADED
from pgtgrade.source import read
from pgtgrade.tables import csv_text

HEAD = [
    "question", "title", "max", "submissions", "right", "partly", "none", "waiting", "mean", "median seconds",
    "most seconds",
]  # fmt: skip
CAUSES = ["question", "students", "what went wrong"]


@dataclass
class OfQuestion:
    """What a class did with one question.

    Attributes
    ----------
    question : Question
    points : list of float
        Of those who have points in it.
    waiting : int
        How many wait for a person.
    causes : Counter
        How often the checks said what, of those who lost points.
    times : list of float
        Seconds of the hidden test.
    """

    question: object
    points: list = field(default_factory=list)
    waiting: int = 0
    causes: Counter = field(default_factory=Counter)
    times: list = field(default_factory=list)

    @property
    def right(self):
        """How many have all points."""
        return sum(each >= self.question.points for each in self.points)

    @property
    def none(self):
        """How many have no point."""
        return sum(each <= 0 for each in self.points)

    @property
    def partly(self):
        """How many have some."""
        return len(self.points) - self.right - self.none

    @property
    def mean(self):
        """The mean of the points, None without any."""
        return statistics.fmean(self.points) if self.points else None


def by_question(problem_set, results, scores, course):
    """Return what a class did with each question.

    Parameters
    ----------
    problem_set : ProblemSet
    results : dict of str to Result
    scores : dict of str to dict of str to Score
    course : Course
    """
    place = read(problem_set.notebook).place
    checks = {each.name: place(each.cell) for each in problem_set.questions if not each.by_hand}
    found = [OfQuestion(each) for each in problem_set.questions]
    for key, result in results.items():
        if result.status != GRADED:
            continue
        shown = _shown_by_checks(course.autograded(problem_set.name, key))
        for each in found:
            name = each.question.name
            score = scores.get(key, {}).get(name)
            points = score.points if score else result.points.get(name)
            if points is None:
                each.waiting += 1
                continue
            each.points.append(points)
            said = result.messages.get(name)
            # what a person gave in its place makes the test's word obsolete
            if said and points < each.question.points and not (score and score.manual is not None):
                # the visible check of the question mostly knows more than its hidden test may tell
                visible = shown.get(checks.get(name))
                each.causes.update(causes(visible or said))
            if name in result.times:
                each.times.append(result.times[name])
    return found


def _shown_by_checks(path):
    """Return what the visible checks said in a notebook as it was run, by the names of their cells."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except OSError:
        return {}
    said = {}
    for cell in cells:
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error" and output.get("ename") == "_WrongAnswer":
                said[grade_id(cell)] = str(output.get("evalue", ""))[:2_000]
    return said


def causes(said):
    """Return the likely causes that a hidden test names, without names and numbers of one submission.

    >>> causes("half: entry [1] is 2, which is not right. Likely cause: x is doubled")
    ['x is doubled']
    >>> causes("half: expected an answer, got IndexError. Likely cause: line 4 of the cell or file, `x[t]`")
    ['raises IndexError']
    """
    if "not written yet" in said:
        return ["not written yet"]
    raised = re.search(r"expected an answer, got (\w+(?:Error|Exception|Iteration))(?:: ([^\n.]*))?", said)
    if raised:
        own = re.match(r"no cell defines|no end within", raised[2] or "")
        return [_IN_WORDS[own[0]] if own else f"raises {raised[1]}"]
    likely = re.findall(r"Likely cause: ([^\n]+?)\.?(?=$|\n)", said)
    if likely:
        return list(dict.fromkeys(likely))
    return [re.sub(r"\d[\d.e+-]*", "#", said.splitlines()[0])[:120]]


#: What the grader itself says of a call, as a cause.
_IN_WORDS = {"no cell defines": "no cell defines it", "no end within": "no end within its time"}


def statistics_csv(found):
    """Return a line for each question as the text of a CSV file."""
    lines = [HEAD]
    for each in found:
        question = each.question
        lines.append(
            [
                question.name, question.title, f"{question.points:g}", len(each.points) + each.waiting,
                each.right, each.partly, each.none, each.waiting, _number(each.mean),
                _number(statistics.median(each.times) if each.times else None),
                _number(max(each.times, default=None)),
            ]
        )  # fmt: skip
    return csv_text(lines)


def causes_csv(found):
    """Return a line for each thing that went wrong, the most frequent of a question first."""
    lines = [
        [each.question.name, count, words] for each in found for words, count in each.causes.most_common()
    ]
    return csv_text([CAUSES, *lines])


def statistics_html(problem_set, found, table):
    """Return the page, on which nobody is named.

    Parameters
    ----------
    problem_set : ProblemSet
    found : list of OfQuestion
    table : list of Row
    """
    title = f"{problem_set.title}: how the class did"
    parts = [f"<h1>{escape(title)}</h1>", _in_short(problem_set, table), *_totals(problem_set, table)]
    parts += ["<h2>The questions</h2>", _key(), *(_question(each) for each in found)]
    parts.append(
        '<p class="quiet">Time is what the hidden test took with the student’s function: the median, and the '
        "longest. Of a question that you graded yourself in place of its test, no cause is counted.</p>"
    )
    return page(title, "\n".join(parts))


def _in_short(problem_set, table):
    statuses = Counter(row.status for row in table)
    handed_in = len(table) - statuses[NO_SUBMISSION]
    said = f"{handed_in} submissions"
    for status, words in ((NOT_GRADED, "could not be graded"), (NO_SUBMISSION, "handed in nothing")):
        said += f"; {statuses[status]} {words}" if statuses[status] else ""
    return (
        f"<p>{said}. The set has {problem_set.points:g} points. No name is on this page.</p>"
        f'<p class="note">{FOR_LECTURERS}</p>'
    )


#: Stands on the page, for it says of every question what its hidden test looks for.
FOR_LECTURERS = (
    "For lecturers only: what went wrong tells what the hidden tests look for. Students get the pages of "
    "pgtgrade feedback, on which nothing of this is."
)


def _totals(problem_set, table):
    """Return the histogram of what has been earned so far."""
    earned = [
        sum(points or 0 for points in row.points.values()) * (1 - row.late.share)
        for row in table
        if row.points
    ]
    if not earned:
        return []
    waiting = sum(None in row.points.values() for row in table)
    top = round(problem_set.points)
    width = max(1, -(-(top + 1) // 24))
    bins = [0] * (top // width + 1)
    for each in earned:
        bins[min(int(each) // width, len(bins) - 1)] += 1
    names = [
        f"{width * k}" if width == 1 else f"{width * k}-{width * k + width - 1}" for k in range(len(bins))
    ]
    said = (
        f"The mean is {_number(statistics.fmean(earned))}, the median {_number(statistics.median(earned))}."
    )
    said += f" In {waiting} of them a derivation still waits for you." if waiting else ""
    figure = histogram(list(zip(names, bins, strict=True)), "points, rounded down", "", said)
    return [f"<figure>{figure}<figcaption>How many earned how much so far. {said}</figcaption></figure>"]


#: The colours, what they are of an `OfQuestion`, and what they say.
_PARTS = (
    ("right", "right", "with all points"),
    ("part", "partly", "with some"),
    ("none", "none", "with none"),
    ("open", "waiting", "not graded yet"),
)


def _key():
    keys = "".join(
        f'<svg class="key" aria-hidden="true"><rect class="{kind}" width="100%" height="100%"/></svg>{words}'
        for kind, _, words in _PARTS
    )
    return f"<p>{keys}</p>"


def _question(each):
    whole = len(each.points) + each.waiting
    said = ", ".join(f"{getattr(each, name)} {words}" for _, name, words in _PARTS if getattr(each, name))
    drawn = bar([(kind, getattr(each, name)) for kind, name, _ in _PARTS], whole, said)
    mean = "" if each.mean is None else f"; mean {_number(each.mean)} of {each.question.points:g} points"
    time = ""
    if each.times:
        middle, most = statistics.median(each.times), max(each.times)
        time = f"; {_number(middle)} s, at most {_number(most)} s"
    parts = [
        f'<h3 class="text">{escape(each.question.title)}</h3>{drawn}',
        f'<p class="quiet">{said or "nobody"}{mean}{time}</p>',
    ]
    if each.causes:
        most = max(each.causes.values())
        lines = "".join(
            f'<tr><td class="number">{count}</td><td class="narrow">'
            f"{bar([('none', count)], most, f'{count} students')}</td><td>{escape(words)}</td></tr>"
            for words, count in each.causes.most_common(6)
        )
        head = '<tr><th colspan="2">how many</th><th>what went wrong, as the checks say</th></tr>'
        parts.append(f"<table>{head}{lines}</table>")
    return f"<article>{''.join(parts)}</article>"


def _number(value):
    return "" if value is None else f"{value:.3g}"
