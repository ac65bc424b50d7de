"""Owns what the commands share: what they open, where their tables go, and how a sum is printed."""

from __future__ import annotations

import sys
from pathlib import Path

from pgtgrade.problem_sets import problem_set
from pgtgrade.results import BY_HAND, GRADED, NO_SUBMISSION, NOT_GRADED, Course, key_of, write


def opened(options):
    """Return the problem set and the course that are named."""
    return problem_set(options.set, options.source), Course(Path(options.course))


def results(chosen, course):
    """Return what was found so far, at least one result."""
    found = course.results(chosen.name)
    if not found:
        raise ValueError(
            f"{course.folder}: no results of {chosen.name}; run pgtgrade grade {chosen.name} first, or name "
            "the folder of the course with --course"
        )
    return found


def table_to_read(named, folder, table):
    """Return the table that is meant: the course's own, or a file, which may also lie beside it."""
    if named is True:
        return table
    path = Path(named)
    return folder / path if not path.exists() and (folder / path).exists() else path


def refuse_to_lose(table, text, entries):
    """Refuse to write over a table with points that are not in the gradebook yet."""
    from pgtgrade.tables import read_text

    try:
        (old, faults), (new, _) = entries(read_text(table)), entries(text)
        lost = bool(set(old) - set(new) or faults)
    except ValueError:
        lost = True
    if lost:
        raise ValueError(
            f"{table} holds entries that have not been read; read them with --read {table}, or write over "
            "them with --overwrite"
        )


def roster(options, course):
    """Return the roster, an empty one if there is none."""
    from pgtgrade.roster import Roster, read_roster

    named = getattr(options, "roster", None)
    path = Path(named) if named else course.folder / "roster.csv"
    return read_roster(path) if named or path.exists() else Roster()


def follow_rubric(chosen, course, found, book):
    """Let the points follow the rubric where it was changed, and say what that did."""
    from pgtgrade.readings import follow, keep_readings, read_readings
    from pgtgrade.rubric import path_of, read_rubric

    readings = read_readings(course, chosen.name)
    if not readings.readers:
        return
    before = dict(readings.given)
    changed, left = follow(readings, read_rubric(course, chosen), book, chosen)
    if readings.given != before:
        keep_readings(course, chosen.name, readings)
    if changed:
        print(f"{path_of(course, chosen)}: points of {len(changed)} derivations changed with the rubric.")
    for key, question in left:
        who = shown(found[key].student) if key in found else key
        print(f"{who}, {question}: points were given in another way since, and stay.", file=sys.stderr)


def remarks(chosen, course):
    """Return what is still open about a student, by key: readers who differ, a request that waits."""
    from pgtgrade.readings import read_readings
    from pgtgrade.regrades import history, still_open
    from pgtgrade.rubric import read_rubric

    said, readings = {}, read_readings(course, chosen.name)
    if readings.others:
        rubric = read_rubric(course, chosen)
        for place in readings.differences(rubric):
            totals = [each.total(rubric.get(place[1], {})) for each in readings.of_derivation(place).values()]
            words = " and ".join(f"{each:g}" for each in totals)
            said.setdefault(place[0], []).append(f"{place[1]}: read as {words}, not settled")
    for each in still_open(history(course, chosen.name)).values():
        words = f"regrade {each.number} of {each.question} is not decided"
        said.setdefault(key_of(each.student), []).append(words)
    return said


def table_path(course, chosen, named):
    """Return where the table of grades goes."""
    return Path(named) if named else course.folder / f"grades-{chosen.name}.csv"


def count(number, thing):
    """Return so many of a thing in words.

    >>> count(1, "pair"), count(2, "pair")
    ('1 pair', '2 pairs')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def say_older(chosen, course):
    """Say which files that are there were written before the points that were stored just now."""
    name, feedback = chosen.name, course.folder / "feedback"
    files = [
        (table_path(course, chosen, None), "export"),
        *((course.folder / f"for-{each}-{name}.csv", "export") for each in ("canvas", "moodle")),
        (feedback / name, "feedback"),
        (feedback / f"{name}-for-the-platform.zip", "feedback"),
    ]
    there = [f"{path} (pgtgrade {command} {name})" for path, command in files if path.exists()]
    if there:
        print(f"Older than the points now: {', '.join(there)}.")


def points(number):
    """Return points as they are printed."""
    return "none" if number is None else f"{number:g}"


def write_table(chosen, course, roster, named):
    """Write the table of grades and return its rows."""
    from pgtgrade.tables import grades_csv

    table, _ = table_and_scores(chosen, course, roster)
    write(table_path(course, chosen, named), "\ufeff" + grades_csv(chosen, table))
    return table


def say_not_applied(chosen, course, roster, table):
    """Say which dates of course.toml are nobody's, and return whose they should have been."""
    from pgtgrade.names import Names, meant
    from pgtgrade.rules import read_rules

    names = [row.student for row in table]
    there = Names(dict.fromkeys(names, True))
    left = [each for each in read_rules(course, chosen.name, roster.called).named if each not in there]
    for each in left:
        said = shown(f"{each}, and nobody is called so{meant(each, names)}")
        print(f"NOT APPLIED  course.toml names {said}", file=sys.stderr)
    return left


def table_and_scores(chosen, course, roster):
    """Return the rows of the table of grades, and the scores that they are made of."""
    from pgtgrade.gradebook import gradebook
    from pgtgrade.rules import read_rules
    from pgtgrade.tables import rows

    with gradebook(course, chosen) as book:
        found = course.results(chosen.name)
        follow_rubric(chosen, course, found, book)
        lines, scores = {each.name: each.line for each in roster.people}, book.scores()
        rules, said = read_rules(course, chosen.name, roster.called), remarks(chosen, course)
    return rows(chosen, found, scores, roster.names, rules, lines, said), scores


def say(table, not_graded, path):
    """Print who was not graded and why, and the sum of it."""
    for student, reason in not_graded.items():
        print(f"NOT GRADED  {shown(student)}: {reason}")
    statuses = [row.status for row in table]
    counted = [f"{statuses.count(each)} {each}" for each in (GRADED, BY_HAND, NOT_GRADED, NO_SUBMISSION)]
    print(
        f"{len(table)} rows: {', '.join(each for each in counted if not each.startswith('0 '))}. See {path}"
    )


def shown(name):
    """Return a name that cannot move the cursor of a terminal."""
    return "".join(each if each.isprintable() else "?" for each in name)
