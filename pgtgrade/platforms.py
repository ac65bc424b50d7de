"""Owns what goes back to a learning platform: a table that it imports, and feedback that it attaches."""

from __future__ import annotations

import re
import zipfile
from contextlib import ExitStack

from pgtgrade.names import Names, folded
from pgtgrade.roster import CANVAS, MOODLE
from pgtgrade.tables import csv_text

#: What Canvas wants to the left of the grades.
_CANVAS = ("student", "id", "sis user id", "sis login id", "integration id", "root account", "section")


def import_csv(roster, problem_set, table, assignment=None):
    """Return the table that the platform imports from which the roster came, and its column of the set.

    Who has no total is left out: nothing that is there is written over.

    Parameters
    ----------
    roster : Roster
    problem_set : ProblemSet
    table : list of Row
    assignment : str, optional
        What Canvas calls the set; by default the roster's column of its title, its heading or its name.

    Returns
    -------
    (str, str) or (None, None)
        The table and the head of the column; None if the roster is nobody's.

    Raises
    ------
    ValueError
        If the roster has columns of assignments, and not just one of them is the set's.
    """
    totals = Names({row.student: row for row in table if row.total is not None})
    people = [(each, row) for each in roster.people if (row := totals.find(each.name))]
    if roster.kind == CANVAS:
        head = _column(roster.heads, problem_set, assignment)
        return _for_canvas(roster, problem_set, people, head), head
    if roster.kind == MOODLE:
        return _for_moodle(roster, problem_set, people), "Grade"
    return None, None


def _for_canvas(roster, problem_set, people, head):
    kept = [each for each in roster.heads if folded(each) in _CANVAS]
    lines = [[*kept, head], ["    Points Possible", *[""] * (len(kept) - 1), f"{problem_set.points:g}"]]
    lines += [
        [*(person.line[folded(each)] for each in kept), f"{round(row.total, 4):g}"] for person, row in people
    ]
    return csv_text(lines)


def _column(heads, problem_set, assignment):
    """Return the column of the set: Canvas puts its own number of it in brackets behind its title."""
    titles = {head: found for head in heads if (found := re.fullmatch(r"(.+?)\s*\((\d+)\)", head))}
    wanted = [assignment] if assignment else called(problem_set)
    fits = [
        head
        for head, found in titles.items()
        if {_plain(each) for each in (head, *found.groups())} & {_plain(each) for each in wanted}
    ]
    if len(fits) == 1:
        return fits[0]
    if titles:
        which = "more than one column" if fits else "no column"
        which += f" {assignment!r}" if assignment else f" of {problem_set.name}"
        raise ValueError(
            f"{which} in the roster; expected one of {', '.join(fits or titles)}: name it with --assignment, "
            "by its title or its number; if it is not among them, export the roster afresh"
        )
    return assignment or problem_set.title


def called(problem_set):
    """Return what the set may be called as an assignment: its heading, a half of it, its title, its name."""
    halves = problem_set.heading.split(":", 1)
    return [each for each in (problem_set.heading, *halves, problem_set.title, problem_set.name) if each]


def _plain(title):
    """Return the words of a title: neither case nor signs between them count."""
    return " ".join(re.findall(r"\w+", folded(title)))


def _for_moodle(roster, problem_set, people):
    heads = list(roster.heads)
    for needed in ("Grade", "Feedback comments"):
        if folded(needed) not in map(folded, heads):
            heads.append(needed)
    lines = [heads]
    for person, row in people:
        most = person.line.get("maximum grade", "").replace(",", ".")
        if most and float(most) != problem_set.points:
            raise ValueError(
                f"the Maximum Grade in the roster is {most}, and {problem_set.name} has "
                f"{problem_set.points:g} points; expected the same: set it in Moodle"
            )
        said = "; ".join(
            f"{each.title}: {row.points[each.name]:g} of {each.points:g}" for each in problem_set.questions
        )
        said += f"; {row.late.note}" if row.late.share else ""
        line = person.line | {"grade": f"{round(row.total, 4):g}", "feedback comments": said}
        lines.append([line.get(folded(each), "") for each in heads])
    return csv_text(lines)


def feedback_zip(path, pages):
    """Write the archive of feedback that a platform takes apart by the names in it.

    Parameters
    ----------
    path : path
    pages : iterable of (str, str)
        The handle of each submission, and its page.

    Returns
    -------
    int
        How many are in it; without any, no file is written.
    """
    count = 0
    path.unlink(missing_ok=True)
    with ExitStack() as stack:
        archive = None
        for handle, page in pages:
            if handle is None:
                continue
            archive = archive or stack.enter_context(zipfile.ZipFile(path, "w"))
            is_folder = "_assignsubmission_" in handle
            name = f"{handle}/feedback.html" if is_folder else f"{handle}_feedback.html"
            # level 1: most of a page is MathJax, which hardly gets smaller for four times the work
            info = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            archive.writestr(info, page, zipfile.ZIP_DEFLATED, compresslevel=1)
            count += 1
    return count
