"""Owns the lecturer's commands: `pgtgrade`, or `python -m pgtgrade`."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path

from pgtgrade.instances import VARIABLE
from pgtgrade.problem_sets import SOURCES, problem_set
from pgtgrade.results import BY_HAND, GRADED, NO_SUBMISSION, NOT_GRADED, Course, write

DONE, SOME_NOT_GRADED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments=None):
    """Run a command and return its exit code: 1 if a submission was not graded, 2 if it cannot be run."""
    options = _parser().parse_args(arguments)
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

    chosen, course = _opened(options)
    found = proving.faults(chosen)
    if found:
        raise ValueError(f"{chosen.name} is not given out as it is:\n" + "\n".join(found))
    if proving.published(options.source):
        print(
            "WARNING: the book is built with the solutions of the sets (problem_set_solutions: dropdown in\n"
            "_config.yml). Whoever pastes them earns all points.",
            file=sys.stderr,
        )
    course.make()
    path = course.release(chosen.name)
    write(path, json.dumps(chosen.release, ensure_ascii=False, indent=1) + "\n")
    print(f"{path}: {len(chosen.questions)} questions, {chosen.points:g} points. Hand this file out.")
    return DONE


def check(options):
    """Prove a set before it is given out."""
    from pgtgrade import proving

    chosen, _ = _opened(options)
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

    chosen, course = _opened(options)
    folder = Path(options.downloads)
    if not folder.exists():
        raise ValueError(f"{folder}: no such folder; expected the one with the downloads, or their archive")
    inside = [course.folder, *course.own]
    if folder.resolve() in [each.resolve() for each in inside]:
        raise ValueError(f"{folder} is the grader's own; expected the folder with the downloads")
    roster, attempts = _roster(options, course), options.attempts or read_rules(course, chosen.name).attempts
    secret = _secret(options)
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
        hidden += [options.secret_file] if options.secret_file else []
        way = isolation.isolated(hidden=hidden)
        isolation.probe(way, limits)
    if secret is None:
        print(
            f"No secret ({VARIABLE} or --secret-file): the hidden instances are those that anybody can draw.",
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
        _write_table(chosen, course, roster, options.out)
        print(f"\nThe table so far: {_out(course, chosen, options.out)}", file=sys.stderr)
        raise
    if not (batch.examined or batch.kept or batch.not_graded):
        raise ValueError(f"{folder}: no submission in it; expected STUDENT.ipynb files, or STUDENT/ folders")
    if batch.ignored:
        print(f"Not submissions, and ignored: {', '.join(map(_shown, batch.ignored))}")
    if batch.kept:
        print(f"{len(batch.kept)} graded before and unchanged (--again examines them once more).")
    if course.is_open_to_others:
        print(
            f"{course.folder} can be read by every user of this machine: chmod o= {course.folder}",
            file=sys.stderr,
        )
    table = _write_table(chosen, course, roster, options.out)
    _say(table, batch.not_graded, _out(course, chosen, options.out))
    return SOME_NOT_GRADED if batch.not_graded else DONE


def export(options):
    """Write the table of grades, and the one that a learning platform imports."""
    from pgtgrade.platforms import import_csv

    chosen, course = _opened(options)
    roster = _roster(options, course)
    table = _write_table(chosen, course, roster, options.out)
    reasons = {row.student: row.notes[0] for row in table if row.status == NOT_GRADED}
    _say(table, reasons, _out(course, chosen, options.out))
    text = import_csv(roster, chosen, table, options.assignment)
    if text:
        path = course.folder / f"for-{roster.kind.lower()}-{chosen.name}.csv"
        write(path, text)
        count = sum(row.total is not None for row in table if row.student in roster.names)
        print(f"{path}: {count} totals, for {roster.kind} to import. Who has none yet is left out.")
    return DONE


def derivations(options):
    """Write the page and the table for grading by hand, or read the table."""
    from pgtgrade import by_hand
    from pgtgrade import derivations as rooms
    from pgtgrade.gradebook import gradebook
    from pgtgrade.tables import read_text

    chosen, course = _opened(options)
    results = _results(chosen, course)
    if not rooms.by_hand(chosen):
        raise ValueError(f"{chosen.name} has no question that is graded by hand")
    folder = course.folder / "derivations"
    table, sheet = folder / f"{chosen.name}.csv", folder / f"{chosen.name}.html"
    with gradebook(course, chosen) as book:
        if options.restore:
            book.restore(by_hand.read_copy(Path(options.restore), chosen, results))
            print(f"What was given by hand is what {options.restore} says.")
            return DONE
        if options.read:
            read = _table_to_read(options.read, folder, table)
            try:
                entries, faults = rooms.read_points(read_text(read), chosen, results, course)
            except ValueError as error:
                said = str(error).removeprefix(f"{read}: ")
                raise ValueError(f"{read}: nothing of it was stored: {said}") from None
            book.give(entries)
            given = sum(points is not None for _, _, points, _ in entries)
            print(f"{read}: points in {given} lines are in the gradebook.")
            print(f"pgtgrade export {chosen.name} writes the table of grades with them.")
            for fault in faults:
                print(f"NOT STORED  {fault}", file=sys.stderr)
            return SOME_NOT_GRADED if faults else DONE
        scores = book.scores()
        called = rooms.to_grade(results, course, options.anonymous)
        text = rooms.derivations_csv(chosen, called, scores)
        if table.exists() and not options.overwrite:
            _refuse_to_lose(table, text, lambda old: rooms.read_points(old, chosen, results, course))
        write(sheet, rooms.derivations_html(chosen, called, scores, course, str(table)))
        write(table, "\ufeff" + text)
    graded = sum(
        scores[key][each.name].points is not None for each in rooms.by_hand(chosen) for key in called
    )
    print(f"{sheet}: {len(called)} submissions; derivations graded: {graded}.")
    print(f"{table}: fill in the points, then: pgtgrade derivations {chosen.name} --read")
    return DONE


def feedback(options):
    """Write a page for each student."""
    from pgtgrade.feedback import feedback_html
    from pgtgrade.gradebook import gradebook
    from pgtgrade.platforms import feedback_zip
    from pgtgrade.rules import read_rules
    from pgtgrade.tables import csv_text

    chosen, course = _opened(options)
    results = _results(chosen, course)
    folder, open_ = course.folder / "feedback" / chosen.name, 0
    with gradebook(course, chosen) as book:
        scores = book.scores()
    lines, left, handed = [["student", "file"]], [], []
    rules, roster = read_rules(course, chosen.name), _roster(options, course)
    for key, result in results.items():
        # nobody who knows a classmate's name can compute the address of the page
        file = f"{course.salted('feedback', chosen.name, key)[:32]}.html"
        (folder / f"{key}.html").unlink(missing_ok=True)
        if result.status == GRADED:
            person = roster.find(result.student)
            late = rules.late(result.student, result, person.line if person else None)
            write(folder / file, feedback_html(chosen, result, scores[key], course, late))
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
    if open_:
        print(f"{open_} of them say of a derivation: not graded yet.")
    if left:
        print(f"No page for what was not graded: {', '.join(map(_shown, left))}")
    return DONE


# --- what they share -------------------------------------------------------------------------------


def _opened(options):
    return problem_set(options.set, options.source), Course(Path(options.course))


def _results(chosen, course):
    results = course.results(chosen.name)
    if not results:
        raise ValueError(
            f"{course.folder}: no results of {chosen.name}; run pgtgrade grade {chosen.name} first, or name "
            "the folder of the course with --course"
        )
    return results


def _table_to_read(named, folder, table):
    """Return the table that is meant: the course's own, or a file, which may also lie beside it."""
    if named is True:
        return table
    path = Path(named)
    return folder / path if not path.exists() and (folder / path).exists() else path


def _refuse_to_lose(table, text, entries):
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


def _secret(options):
    """Return the lecturer's secret; an empty one is none."""
    if options.secret_file is None:
        return os.environ.get(VARIABLE) or None
    secret = Path(options.secret_file).read_text(encoding="utf-8").strip()
    if not secret:
        raise ValueError(f"{options.secret_file} is empty; expected the secret, a line of any text")
    return secret


def _roster(options, course):
    """Return the roster, an empty one if there is none."""
    from pgtgrade.roster import Roster, read_roster

    path = Path(options.roster) if options.roster else course.folder / "roster.csv"
    return read_roster(path) if options.roster or path.exists() else Roster()


def _out(course, chosen, out):
    return Path(out) if out else course.folder / f"grades-{chosen.name}.csv"


def _write_table(chosen, course, roster, out):
    from pgtgrade.gradebook import gradebook
    from pgtgrade.names import Names
    from pgtgrade.rules import read_rules
    from pgtgrade.tables import grades_csv, rows

    with gradebook(course, chosen) as book:
        rules = read_rules(course, chosen.name)
        lines = {each.name: each.line for each in roster.people}
        table = rows(chosen, course.results(chosen.name), book.scores(), roster.names, rules, lines)
    write(_out(course, chosen, out), "\ufeff" + grades_csv(chosen, table))
    there = Names({row.student: True for row in table})
    unknown = [each for each in rules.named if each not in there]
    if unknown:
        print(f"course.toml names, and nobody is called: {', '.join(map(_shown, unknown))}", file=sys.stderr)
    return table


def _say(table, not_graded, path):
    """Print who was not graded and why, and the sum of it."""
    for student, reason in not_graded.items():
        print(f"NOT GRADED  {_shown(student)}: {reason}")
    statuses = [row.status for row in table]
    counted = [f"{statuses.count(each)} {each}" for each in (GRADED, BY_HAND, NOT_GRADED, NO_SUBMISSION)]
    print(
        f"{len(table)} rows: {', '.join(each for each in counted if not each.startswith('0 '))}. See {path}"
    )


def _shown(name):
    return "".join(each if each.isprintable() else "?" for each in name)


# --- the options -----------------------------------------------------------------------------------


def _parser():
    parser = argparse.ArgumentParser(
        prog="pgtgrade",
        description="Release, grade and hand back the problem sets of the book.",
        epilog="The page `For lecturers` of the book says more.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(run, words):
        each = commands.add_parser(run.__name__, help=words, description=words[0].upper() + words[1:] + ".")
        each.add_argument("set", help="the problem set, such as ps1")
        each.add_argument(
            "--course", default="course", help="the folder of the course (default: %(default)s)"
        )
        each.add_argument(
            "--source", default=str(SOURCES), help="the folder of the problem sets (default: %(default)s)"
        )
        each.set_defaults(run=run)
        return each

    def with_table(each):
        each.add_argument("--roster", help="who should hand in, a name a line (default: COURSE/roster.csv)")
        each.add_argument("--out", help="where the grades go (default: COURSE/grades-SET.csv)")

    command(release, "write the students' version of a set")
    command(check, "prove a set: its own answers pass, slips in them fall, and are told why")
    each = command(grade, "grade a folder of downloads")
    each.add_argument(
        "downloads",
        help="a folder of STUDENT.ipynb files or STUDENT/ folders, or what Canvas or Moodle hands out",
    )
    with_table(each)
    each.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, help="at a time (default: %(default)s)"
    )
    each.add_argument(
        "--seconds", type=_seconds, default=30.0, help="for a cell or a call (default: %(default)g)"
    )
    each.add_argument("--total", type=_seconds, default=180.0, help="for a submission (default: %(default)g)")
    each.add_argument("--memory", type=_bytes, default="2G", help="for a submission (default: %(default)s)")
    each.add_argument("--secret-file", help=f"a file with the secret (default: the variable {VARIABLE})")
    each.add_argument(
        "--attempts", choices=("last", "best"), help="which of several notebooks of a student counts"
    )
    each.add_argument("--again", action="store_true", help="examine what was examined before, too")
    each.add_argument(
        "--unsafe-without-isolation",
        action="store_true",
        help="run submitted code with all rights that you have",
    )
    each = command(derivations, "write the page and the table for grading by hand, or read the table")
    each.add_argument(
        "--read",
        metavar="FILE",
        nargs="?",
        const=True,
        help="take the points from this table (default: COURSE/derivations/SET.csv)",
    )
    each.add_argument(
        "--restore", metavar="FILE", help="make what was given by hand what this copy in COURSE/by-hand says"
    )
    each.add_argument("--anonymous", action="store_true", help="numbers in place of names")
    each.add_argument("--overwrite", action="store_true", help="write over a table that was not read")
    command(feedback, "write a page for each student").add_argument(
        "--roster", help="who takes the course (default: COURSE/roster.csv)"
    )
    each = command(export, "write the table of grades, and one for Canvas or Moodle if the roster is theirs")
    with_table(each)
    each.add_argument("--assignment", help="what Canvas calls the set: its title, or its number")
    return parser


def _count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number from 1 on")
    return int(text)


def _seconds(text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}; expected seconds, more than 0")
    return seconds


def _bytes(text):
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r}; expected bytes, such as 2G or 800M")
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]]


if __name__ == "__main__":
    sys.exit(main())
