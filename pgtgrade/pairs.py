"""Owns the page of submissions that are suspiciously alike: the shared pieces side by side."""

from __future__ import annotations

import json
import re

from pgtgrade.pages import escape, page
from pgtgrade.problem_sets import grade_id, kind, source
from pgtgrade.results import GRADED
from pgtgrade.similarity import FEWEST, LENGTH, MANY, OF_CLASS, alike, shared_spans
from pgtgrade.tables import csv_text

HEAD = ["one", "other", "shared pieces", "share of the rarer", "where"]
#: Pairs on the page, cells of a pair, and lines around what is shared.
PAIRS, CELLS, AROUND = 20, 6, 2


def written(problem_set, results, course):
    """Return what each student wrote, by key: of each cell its name, text, and whether it is code."""
    found = {}
    for key, result in results.items():
        path = course.autograded(problem_set.name, key)
        if result.status != GRADED or not path.exists():
            continue
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[key] = {
            grade_id(cell) or f"own cell {index + 1}": (source(cell), cell["cell_type"] == "code")
            for index, cell in enumerate(cells)
            if kind(cell).get("solution") or not kind(cell)
        }
    return found


def handed_out(problem_set):
    """Return what everybody has: the cells as they were handed out, and the book's own solutions."""
    cells = [*problem_set.release["cells"], *problem_set.notebook["cells"]]
    without = re.compile(r"^.*(BEGIN|END) SOLUTION.*\n?", re.MULTILINE)
    return [(without.sub("", source(cell)), cell["cell_type"] == "code") for cell in cells]


def pairs_of(problem_set, results, course):
    """Return what students wrote, what everybody has, and the pairs that are suspiciously alike."""
    theirs, known = written(problem_set, results, course), handed_out(problem_set)
    return theirs, known, alike(theirs, known)


def pairs_csv(pairs, results):
    """Return a line for each pair as the text of a CSV file."""
    lines = [
        [
            results[pair.one].student,
            results[pair.other].student,
            pair.shared,
            f"{pair.share:.2f}",
            ", ".join(name for name, _ in pair.places),
        ]
        for pair in pairs
    ]
    return csv_text([HEAD, *lines])


def pairs_html(problem_set, results, theirs, known, pairs):
    """Return the page.

    Parameters
    ----------
    problem_set : ProblemSet
    results : dict of str to Result
    theirs, known, pairs
        From `pairs_of`.
    """
    title = f"{problem_set.title}: alike"
    most = max(MANY, int(OF_CLASS * len(theirs)))
    parts = [
        f"<h1>{escape(title)}</h1>",
        "<p><strong>This is a hint and no verdict.</strong> People who learn together write alike, and so do "
        "people who read the same page. Look at the pieces, and ask before you judge.</p>",
        f'<p class="quiet">A piece is {LENGTH} signs and words in a row, whatever the names, the numbers and '
        "the layout. What was handed out does not count, nor the book’s own solutions, nor what more than "
        f"{most} of {len(theirs)} wrote. A pair stands here if it shares {FEWEST} pieces, and at least half "
        "of those of the one who has fewer.</p>",
    ]
    if not pairs:
        parts.append("<p>There is no such pair.</p>")
    for pair in pairs[:PAIRS]:
        parts.append(_pair(pair, results, theirs, known))
    if len(pairs) > PAIRS:
        parts.append(f"<p>{len(pairs) - PAIRS} more pairs are in the table.</p>")
    return page(title, "\n".join(parts), "page wide")


def _pair(pair, results, theirs, known):
    one, other = (escape(results[key].student) for key in (pair.one, pair.other))
    parts = [
        f"<h2>{one} and {other}</h2>",
        f"<p>{pair.shared} pieces, {100 * pair.share:.0f} % of the rare ones of the one who has fewer.</p>",
    ]
    for mine, others in pair.places[:CELLS]:
        texts = theirs[pair.one][mine], theirs[pair.other][others]
        spans = shared_spans(*texts, known)
        sides = "".join(
            f'<div><p class="quiet">{who}, {escape(name)}</p>'
            f'<pre class="folded">{_marked(text, span)}</pre></div>'
            for who, name, (text, _), span in zip((one, other), (mine, others), texts, spans, strict=True)
        )
        parts.append(f'<div class="beside">{sides}</div>')
    if len(pair.places) > CELLS:
        rest = ", ".join(escape(name) for name, _ in pair.places[CELLS:])
        parts.append(f'<p class="quiet">Also in: {rest}</p>')
    return f"<section>{''.join(parts)}</section>"


def _marked(text, spans):
    """Return a text with what is shared marked; of what lies far from it, nothing but dots."""
    parts, at = [], 0
    for begin, end in spans:
        parts += [_rest(text[at:begin], at == 0, False), f"<mark>{escape(text[begin:end])}</mark>"]
        at = end
    return "".join([*parts, _rest(text[at:], at == 0, True)])


def _rest(text, first, last):
    lines = text.split("\n")
    if len(lines) <= 2 * AROUND + 2:
        return escape(text)
    head = [] if first else lines[: AROUND + 1]
    tail = [] if last else lines[-AROUND - 1 :]
    return escape("\n".join([*head, "…", *tail]))
