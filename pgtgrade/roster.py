"""Owns the list of who takes the course: as a learning platform exports it, or as a person writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pgtgrade.names import Names, folded, normal
from pgtgrade.tables import read_csv, read_text, unguarded

CANVAS, MOODLE, PLAIN = "Canvas", "Moodle", "plain"

#: By which columns a file may name a person, beside the name: what platforms and people call them.
_NAMED_BY = (
    "id",
    "identifier",
    "sis user id",
    "sis login id",
    "email address",
    "id number",
    "username",
    "email",
)


@dataclass(frozen=True)
class Person:
    """Somebody on the roster: the name in all tables, and the line as it came."""

    name: str
    line: dict

    @property
    def also(self):
        """What else the list calls the person by: numbers, logins, addresses."""
        return [self.line[head] for head in (*_NAMED_BY, "full name") if self.line.get(head)]


@dataclass(frozen=True)
class Roster:
    """The people, by their names and by whatever else the list says of them.

    Attributes
    ----------
    kind : str
        CANVAS, MOODLE or PLAIN.
    heads : list of str
        The columns as they were written.
    people : list of Person
    """

    kind: str = PLAIN
    heads: list = field(default_factory=list)
    people: list = field(default_factory=list)

    @property
    def names(self):
        """The names in order."""
        return [each.name for each in self.people]

    def find(self, name="", number=None):
        """Return the one person with a number of the platform's or of a name, None if there is not just one.

        Parameters
        ----------
        name : str
            A name, or what else the list calls a person by: a login, an address.
        number : str, optional
            It decides, if there is one and the list has numbers.
        """
        if number is not None:
            by_number = [each for each in self.people if _number(each.line) == number]
            if len(by_number) == 1:
                return by_number[0]
        found = Names({each.name: each for each in self.people}).find(name)
        if found or not name:
            return found
        called = [each for each in self.people if folded(name) in map(folded, each.also)]
        return called[0] if len(called) == 1 else None

    def called(self, name):
        """Return the name in all tables of whom a name, a number or a login means; else what was written."""
        person = self.find(name)
        return person.name if person else name


def _number(line):
    """Return the number by which a platform names a person in the files that it hands out."""
    if "identifier" in line:
        return "".join(re.findall(r"\d+$", line["identifier"])) or None
    return line.get("id") or None


def read_roster(path):
    """Read a roster.

    Parameters
    ----------
    path : path
        Canvas' export of its gradebook; Moodle's worksheet for grading, or its list of participants; or a
        table with a column `student` (and `id`, if there are numbers), or just a name a line.

    Returns
    -------
    Roster

    Raises
    ------
    ValueError
        If no column has names.
    """
    lines = [[unguarded(each) for each in line] for _, line in read_csv(read_text(path))]
    written = lines[0] if lines else []
    heads = [normal(each).casefold() for each in written]
    if {"student", "id", "section"} <= set(heads):
        kind, name = CANVAS, _the("student")
    elif "identifier" in heads:
        kind, name = MOODLE, lambda line: line.get("full name") or line["identifier"]
    elif {"first name", "last name"} <= set(heads) or {"first name", "surname"} <= set(heads):
        kind = MOODLE
        name = lambda line: f"{line['first name']} {line.get('last name') or line.get('surname')}"  # noqa: E731
    elif "student" in heads:
        kind, name = PLAIN, _the("student")
    elif len(heads) <= 1:
        kind, heads, written, name = PLAIN, ["student"], [], _the("student")
    else:
        raise ValueError(
            f"{path}: no column student; expected one with the names of the files, or a list as Canvas or "
            "Moodle exports it"
        )
    kept = []
    for line in lines[1:] if written else lines:
        cells = dict(zip(heads, line + [""] * len(heads), strict=False))
        who = normal(name(cells))
        # among the people Canvas writes the points that there are, and a student for trying things out
        aside = kind == CANVAS and (not cells["id"] or who in ("Points Possible", "Student, Test"))
        if who and not aside:
            kept.append((who, cells))
    people, called = [], [folded(who) for who, _ in kept]
    for who, cells in kept:
        number = _number(cells)
        if called.count(folded(who)) > 1 and number:
            who = f"{who} ({number})"
        if who not in [each.name for each in people]:
            people.append(Person(who, cells))
    return Roster(kind, written, people)


def _the(head):
    return lambda line: line[head]
