"""Owns the lecturer's commands: `pgtgrade`, or `python -m pgtgrade`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pgtgrade import desk
from pgtgrade.looking import regrade, similar, statistics
from pgtgrade.options import parser
from pgtgrade.readers import derivations
from pgtgrade.results import GRADED, NOT_GRADED, key_of, write

DONE, SOME_NOT_GRADED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments=None):
    """Run a command and return its exit code: 1 if a submission was not graded, 2 if it cannot be run."""
    options = parser(COMMANDS).parse_args(arguments)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("\nInterrupted. What was graded is kept: the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"pgtgrade: {where}{error.strerror or error}", file=sys.stderr)
        return USAGE
    except (ValueError, ModuleNotFoundError, RuntimeError) as error:
        print(f"pgtgrade: {error}", file=sys.stderr)
        return USAGE


# --- the commands ----------------------------------------------------------------------------------


def release(options):
    """Write the students' version."""
    from pgtgrade import proving
    from pgtgrade.release import with_install

    chosen, course = desk.opened(options)
    found = proving.faults(chosen)
    if found:
        raise ValueError(f"{chosen.name} is not given out as it is:\n" + "\n".join(found))
    if proving.published(options.source):
        print(
            "WARNING: the book is built with the solutions of the sets (problem_set_solutions: dropdown in\n"
            "_config.yml). Whoever pastes them earns all points.",
            file=sys.stderr,
        )
    site, notebook = options.site or proving.site_of(options.source), chosen.release
    if site:
        notebook = with_install(notebook, site)
    else:
        print(
            "On Colab it lacks pgtlab: name the address of your book with --site, or as html: baseurl in\n"
            "_config.yml, and its first cell installs it.",
            file=sys.stderr,
        )
    course.make()
    path = course.release(chosen.name)
    write(path, json.dumps(notebook, ensure_ascii=False, indent=1) + "\n")
    print(f"{path}: {len(chosen.questions)} questions, {chosen.points:g} points. Hand this file out.")
    return DONE


def check(options):
    """Prove a set before it is given out."""
    from pgtgrade import proving

    chosen, _ = desk.opened(options)
    found = proving.faults(chosen)
    for each in found:
        print(f"FAULT  {each}")
    if found:
        return SOME_NOT_GRADED
    slips = proving.slipped(chosen)
    for words, those in (
        ("FAULT: the hidden test does not say why", slips.silent),
        ("seen by the hidden test alone", slips.late),
        ("seen by nothing: it changes nothing, or a case is missing", slips.unseen),
    ):
        for each in those:
            print(f"{each} ({words})")
    print(f"{chosen.name}: its own answers pass, and {slips.fallen} slips in them fall.")
    return SOME_NOT_GRADED if slips.silent else DONE


def grade(options):
    """Grade a folder of downloads."""
    from pgtgrade import grading, isolation
    from pgtgrade.examination import Limits, examine
    from pgtgrade.rules import read_rules
    from pgtgrade.secret import PLACES, keep_to_one, secret_of

    chosen, course = desk.opened(options)
    folder = Path(options.downloads)
    if not folder.exists():
        raise ValueError(f"{folder}: no such folder; expected the one with the downloads, or their archive")
    inside = [course.folder, *course.own]
    if folder.resolve() in [each.resolve() for each in inside]:
        raise ValueError(f"{folder} is the grader's own; expected the folder with the downloads")
    roster, attempts = (
        desk.roster(options, course),
        options.attempts or read_rules(course, chosen.name).attempts,
    )
    secret, secret_file = secret_of(course, options.secret_file)
    limits = Limits(cell_seconds=options.seconds, total_seconds=options.total, memory=options.memory)
    if options.unsafe_without_isolation:
        way = isolation.unsafe()
        print(
            "WARNING: without isolation submitted code can read the solutions, change files and grades, and\n"
            "use the network, as you can. Every row says so.",
            file=sys.stderr,
        )
    else:
        hidden = [options.source, course.folder, folder]
        hidden += [secret_file] if secret_file else []
        way = isolation.isolated(hidden=hidden)
        isolation.probe(way, limits)
    keep_to_one(course, chosen.name, secret, options.again)
    if secret is None:
        print(
            f"No secret ({PLACES}): the hidden instances are those that anybody can draw.",
            file=sys.stderr,
        )
    try:
        batch = grading.grade(
            chosen,
            folder,
            course,
            examine=examine,
            limits=limits,
            isolation=way,
            secret=secret,
            jobs=options.jobs,
            again=options.again,
            roster=roster,
            attempts=attempts,
        )
    except KeyboardInterrupt:
        desk.write_table(chosen, course, roster, options.out)
        print(f"\nThe table so far: {desk.table_path(course, chosen, options.out)}", file=sys.stderr)
        raise
    if not (batch.examined or batch.kept or batch.not_graded):
        raise ValueError(f"{folder}: no submission in it; expected STUDENT.ipynb files, or STUDENT/ folders")
    if batch.ignored:
        print(f"Not submissions, and ignored: {', '.join(map(desk.shown, batch.ignored))}")
    if batch.kept:
        print(f"{len(batch.kept)} graded before and unchanged (--again examines them once more).")
    if course.is_open_to_others:
        print(
            f"{course.folder} can be read by every user of this machine: chmod o= {course.folder}",
            file=sys.stderr,
        )
    table = desk.write_table(chosen, course, roster, options.out)
    desk.say(table, batch.not_graded, desk.table_path(course, chosen, options.out))
    left = desk.say_not_applied(chosen, course, roster, table)
    return SOME_NOT_GRADED if batch.not_graded or left else DONE


def export(options):
    """Write the table of grades, and the one that a learning platform imports."""
    from pgtgrade.names import Names
    from pgtgrade.platforms import import_csv

    chosen, course = desk.opened(options)
    roster = desk.roster(options, course)
    table = desk.write_table(chosen, course, roster, options.out)
    reasons = {row.student: row.notes[0] for row in table if row.status == NOT_GRADED}
    desk.say(table, reasons, desk.table_path(course, chosen, options.out))
    text, column = import_csv(roster, chosen, table, options.assignment)
    if text:
        path = course.folder / f"for-{roster.kind.lower()}-{chosen.name}.csv"
        write(path, text)
        listed = Names({each: each for each in roster.names})
        count = sum(row.total is not None for row in table if row.student in listed)
        print(
            f"{path}: {desk.count(count, 'total')}, for {roster.kind} to import, in the column {column!r}. "
            "Who has none yet is left out."
        )
    return SOME_NOT_GRADED if desk.say_not_applied(chosen, course, roster, table) else DONE


def demo(options):
    """Make up a class, and do with it all that a lecturer does."""
    from pgtgrade.demo import run

    return run(options, main)


def feedback(options):
    """Write a page for each student."""
    from pgtgrade.derivations import given_items, shown_readings
    from pgtgrade.feedback import feedback_html
    from pgtgrade.gradebook import gradebook
    from pgtgrade.platforms import feedback_zip
    from pgtgrade.readings import read_readings
    from pgtgrade.regrades import history
    from pgtgrade.rubric import read_rubric
    from pgtgrade.rules import read_rules
    from pgtgrade.tables import csv_text

    chosen, course = desk.opened(options)
    desk.results(chosen, course)  # refused before the lock makes a folder of a mistyped name
    folder, open_ = course.folder / "feedback" / chosen.name, 0
    with gradebook(course, chosen) as book:
        results = desk.results(chosen, course)
        desk.follow_rubric(chosen, course, results, book)
        scores = book.scores()
    rubric, readings = read_rubric(course, chosen), read_readings(course, chosen.name)
    asked, shown = history(course, chosen.name), shown_readings(readings, scores)
    lines, left, handed = [["student", "file"]], [], []
    roster = desk.roster(options, course)
    rules = read_rules(course, chosen.name, roster.called)
    for key, result in results.items():
        # nobody who knows a classmate's name can compute the address of the page
        file = f"{course.salted('feedback', chosen.name, key)[:32]}.html"
        (folder / f"{key}.html").unlink(missing_ok=True)
        if result.status == GRADED:
            person = roster.find(result.student)
            late = rules.late(result.student, result, person.line if person else None)
            given = {
                question: given_items(reading, rubric.get(question, {}))
                for (student, question), reading in shown.items()
                if student == key
            }
            theirs = [each for each in asked if key_of(each.student) == key]
            write(folder / file, feedback_html(chosen, result, scores[key], course, late, given, theirs))
            handed.append((result.handle, folder / file))
            lines.append([result.student, file])
            open_ += any(each.points is None for each in scores[key].values())
        else:
            (folder / file).unlink(missing_ok=True)
            left.append(result.student)
    write(folder / "index.csv", "\ufeff" + csv_text(lines))
    print(f"{folder}: {len(lines) - 1} pages; index.csv says whose is which.")
    archive = folder.with_name(f"{chosen.name}-for-the-platform.zip")
    count = feedback_zip(archive, ((handle, path.read_text(encoding="utf-8")) for handle, path in handed))
    if count:
        print(f"{archive}: {count} of them under the names by which the learning platform attaches them.")
    waiting = desk.remarks(chosen, course)
    if waiting:
        print(f"Not settled or decided: something of {desk.count(len(waiting), 'student')}; see the rows.")
    if open_:
        print(f"{open_} of them say of a derivation: not graded yet.")
    if left:
        print(f"No page for what was not graded: {', '.join(map(desk.shown, left))}")
    return DONE


COMMANDS = {
    each.__name__: each
    for each in (
        release, check, grade, derivations, feedback, export, statistics, similar, regrade, demo,
    )
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
