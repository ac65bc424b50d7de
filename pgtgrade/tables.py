"""Owns the tables that go to people: the rows of grades, and CSV files that a spreadsheet opens safely."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field

from pgtgrade.names import Names
from pgtgrade.results import BY_HAND, GRADED, NO_SUBMISSION, NOT_GRADED, key_of
from pgtgrade.rules import Late, Rules


@dataclass
class Row:
    """What is said of one student.

    Attributes
    ----------
    student, status : str
    points : dict of str to (float or None)
        By the name of the question; None is a blank.
    notes : list of str
    late : Late
    """

    student: str
    status: str
    points: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    late: Late = field(default_factory=Late)

    @property
    def total(self):
        """The sum less what lateness costs, None as long as one question is blank."""
        known = bool(self.points) and None not in self.points.values()
        return sum(self.points.values()) * (1 - self.late.share) if known else None


def rows(problem_set, results, scores, roster=(), rules=None, lines=None, remarks=None):
    """Return a row for each student with a result and for each on the roster.

    Parameters
    ----------
    problem_set : ProblemSet
    results : dict of str to Result
    scores : dict of str to dict of str to Score
        From the gradebook.
    roster : iterable of str
    rules : Rules, optional
    lines : dict of str to dict, optional
        What the roster says of each.
    remarks : dict of str to list of str, optional
        What else there is to say of a student, by key.

    Returns
    -------
    list of Row
    """
    roster, found, rules, lines = list(roster), {}, rules or Rules(), lines or {}
    listed, lines = Names({each: each for each in roster}), Names(lines)
    for key, result in results.items():
        notes = list(result.notes)
        if roster and result.student not in listed:
            notes.insert(0, "not on the roster")
        if result.status == NOT_GRADED:
            found[result.student] = Row(result.student, NOT_GRADED, notes=[result.reason, *notes])
            continue
        theirs = scores.get(key, {})
        points = {}
        for question in problem_set.questions:
            score = theirs.get(question.name)
            points[question.name] = score.points if score else result.points.get(question.name)
            if score and score.changed:
                notes.append(f"{question.name} changed since it was graded by hand")
            overruled = score and not question.by_hand and score.manual is not None
            if overruled:
                notes.append(f"{question.name}: {score.automatic:g} by the tests, {score.manual:g} by hand")
        notes += (remarks or {}).get(key, [])
        status = BY_HAND if None in points.values() else GRADED
        late = rules.late(result.student, result, lines.find(result.student))
        notes += [late.note] if late.note else []
        found[result.student] = Row(result.student, status, points, notes, late)
    there = {listed.find(each) for each in found}
    for student in roster:
        if student not in there:
            found[student] = Row(student, NO_SUBMISSION)
    return sorted(found.values(), key=lambda row: (row.student.casefold(), row.student))


def grades_csv(problem_set, table):
    """Return the rows as the text of a CSV file."""
    names = [each.name for each in problem_set.questions]
    lines = [["student", "status", "total", "max", *names, "notes"]]
    for row in table:
        points = [_number(row.points.get(name)) for name in names]
        total = [_number(row.total), _number(problem_set.points)]
        lines.append([row.student, row.status, *total, *points, "; ".join(row.notes)])
    return csv_text(lines)


def _number(points):
    return "" if points is None else f"{points:g}"


#: What a spreadsheet takes for the beginning of a formula, also in full width, where a cell begins: at its
#: beginning, and after what parts cells in another locale. An apostrophe that stands there gets one more.
_BEGINS = r"(^|[;\t\r\n])(\s*)"
_FORMULA = re.compile(_BEGINS + "(?='*[=+@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
                      "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}-]\\s*\\S)")  # fmt: skip
_GUARDED = re.compile(_FORMULA.pattern.replace("(?='*", "'(?='*"))
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def csv_text(lines):
    """Return lines of cells as CSV; no cell is one that a spreadsheet takes for a formula, in any locale."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([[guarded(cell) for cell in line] for line in lines])
    return text.getvalue()


def guarded(cell):
    """Return a cell with an apostrophe before what a spreadsheet would take for a formula.

    >>> guarded("=1+1"), guarded("Ada"), guarded("Ada;=1+1;")
    ("'=1+1", 'Ada', "Ada;'=1+1;")
    """
    text = str(cell)
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1\2'", text)


def unguarded(text):
    """Return a cell as it was before `guarded`.

    >>> unguarded(guarded("'=1+1;\N{FULLWIDTH EQUALS SIGN}2"))
    "'=1+1;\N{FULLWIDTH EQUALS SIGN}2"
    """
    return _GUARDED.sub(r"\1\2", text)


def read_text(path):
    """Return the text of a table, in UTF-8 or in what spreadsheets call Unicode text, which is UTF-16.

    Raises
    ------
    ValueError
        If it is neither; the message names the file.
    """
    data = path.read_bytes()
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: no text in UTF-8 or UTF-16; save it as CSV UTF-8") from None


def read_csv(text):
    """Return the lines of a CSV file that a spreadsheet may have saved, each with its number.

    Parameters
    ----------
    text : str
        With commas, semicolons or tabs between the cells: the first line tells.

    Returns
    -------
    list of (int, list of str)
        Lines without any content are left out.
    """
    head = text.lstrip("\ufeff").split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
    lines = []
    for line in reader:
        if any(cell.strip() for cell in line):
            lines.append((reader.line_num, [cell.strip() for cell in line]))
    return lines


def keys(students, roster=None):
    """Return the key of each student by every way in which a table may name them.

    Parameters
    ----------
    students : iterable of str
    roster : Roster, optional
        What else students are called: numbers, logins, addresses.

    Returns
    -------
    Names
    """
    found = {}
    for student in students:
        found.setdefault(key_of(student), key_of(student))
        found.setdefault(guarded(student), key_of(student))
        person = roster and roster.find(student)
        for each in person.also if person else ():
            # what two people are called by means neither
            if roster.find(each) == person:
                found.setdefault(each, key_of(student))
    return Names(found | {student: key_of(student) for student in students})
