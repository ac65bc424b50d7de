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
from pgtgrade.submissions import text_of

DONE, SOME_NOT_GRADED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments=None):
    """Run a command and return its exit code: 1 if a submission was not graded, 2 if it cannot be run."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("\nInterrupted. What was graded is kept: the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, ModuleNotFoundError, RuntimeError) as error:
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

    chosen, course = _opened(options)
    folder = Path(options.downloads)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected the one with the downloads")
    roster = _roster(options, course)
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
    )
    if not (batch.examined or batch.kept or batch.not_graded):
        raise ValueError(f"{folder}: no submission in it; expected STUDENT.ipynb files, or STUDENT/ folders")
    if batch.ignored:
        print(f"Not submissions, and ignored: {', '.join(map(_shown, batch.ignored))}")
    if batch.kept:
        print(f"{len(batch.kept)} graded before and unchanged (--again examines them once more).")
    table = _write_table(chosen, course, roster, options.out)
    _say(table, batch.not_graded, _out(course, chosen, options.out))
    return SOME_NOT_GRADED if batch.not_graded else DONE


def export(options):
    """Write the table of grades."""
    chosen, course = _opened(options)
    table = _write_table(chosen, course, _roster(options, course), options.out)
    reasons = {row.student: row.notes[0] for row in table if row.status == NOT_GRADED}
    _say(table, reasons, _out(course, chosen, options.out))
    return DONE


def derivations(options):
    """Write the page and the table for grading by hand, or read the table."""
    from pgtgrade import derivations as rooms
    from pgtgrade.gradebook import gradebook

    chosen, course = _opened(options)
    results = _results(chosen, course)
    if not rooms.by_hand(chosen):
        raise ValueError(f"{chosen.name} has no question that is graded by hand")
    folder = course.folder / "derivations"
    with gradebook(course, chosen) as book:
        if options.read:
            entries = _read(options.read, lambda text: rooms.read_points(text, chosen, results))
            book.give(entries)
            given = sum(points is not None for _, _, points, _ in entries)
            print(f"{options.read}: points for {given} derivations are in the gradebook.")
            print(f"pgtgrade export {chosen.name} writes the table of grades with them.")
            return DONE
        scores = _scores(book, results)
        called = rooms.to_grade(chosen, results, options.anonymous)
        table, sheet = folder / f"{chosen.name}.csv", folder / f"{chosen.name}.html"
        text = rooms.derivations_csv(chosen, called, scores)
        if table.exists() and not options.overwrite:
            _refuse_to_lose(table, text, lambda old: rooms.read_points(old, chosen, results))
        write(sheet, rooms.derivations_html(chosen, called, scores, course, table.name))
        write(table, "\ufeff" + text)
    graded = sum(
        scores[key][each.name].points is not None for each in rooms.by_hand(chosen) for key in called
    )
    print(f"{sheet}: {len(called)} submissions; derivations graded: {graded}.")
    print(f"{table}: fill in the points, then: pgtgrade derivations {chosen.name} --read {table}")
    return DONE


def feedback(options):
    """Write a page for each student."""
    from pgtgrade.feedback import feedback_html
    from pgtgrade.gradebook import gradebook
    from pgtgrade.tables import csv_text

    chosen, course = _opened(options)
    results = _results(chosen, course)
    folder, open_ = course.folder / "feedback" / chosen.name, 0
    with gradebook(course, chosen) as book:
        scores = _scores(book, results)
    lines, left = [["student", "file"]], []
    for key, result in results.items():
        if result.status == GRADED:
            write(folder / f"{key}.html", feedback_html(chosen, result, scores[key], course))
            lines.append([result.student, f"{key}.html"])
            open_ += any(each.points is None for each in scores[key].values())
        else:
            (folder / f"{key}.html").unlink(missing_ok=True)
            left.append(result.student)
    write(folder / "index.csv", "\ufeff" + csv_text(lines))
    print(f"{folder}: {len(lines) - 1} pages; index.csv says whose is which.")
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


def _scores(book, results):
    """Return the scores in the gradebook, which should have one for each graded submission."""
    scores = book.scores()
    absent = [each.student for key, each in results.items() if each.status == GRADED and key not in scores]
    if absent:
        raise ValueError(
            f"the gradebook lacks {', '.join(map(_shown, absent))}; run pgtgrade grade again: it enters them"
        )
    return scores


def _read(path, use):
    """Return what `use` makes of a text file; its faults name the file."""
    try:
        return use(Path(path).read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: no text in UTF-8; save it as CSV UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{path}: nothing of it was stored:\n{error}") from None


def _refuse_to_lose(table, text, entries):
    """Refuse to write over a table with points that are not in the gradebook yet."""
    try:
        old = table.read_text(encoding="utf-8-sig")
        lost = set(entries(old)) - set(entries(text))
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
    """Return the names on the roster: a column `student`, or one name a line."""
    from pgtgrade.tables import read_csv

    path = Path(options.roster) if options.roster else course.folder / "roster.csv"
    if not options.roster and not path.exists():
        return []
    lines = [line for _, line in read_csv(path.read_text(encoding="utf-8-sig"))]
    heads = [each.lower() for each in lines[0]] if lines else []
    if "student" in heads:
        column, lines = heads.index("student"), lines[1:]
    elif len(heads) == 1:
        column = 0
    else:
        raise ValueError(f"{path}: no column student; expected one with the names of the files")
    return list(dict.fromkeys(text_of(line[column]) for line in lines if len(line) > column and line[column]))


def _out(course, chosen, out):
    return Path(out) if out else course.folder / f"grades-{chosen.name}.csv"


def _write_table(chosen, course, roster, out):
    from pgtgrade.gradebook import gradebook
    from pgtgrade.tables import grades_csv, rows

    with gradebook(course, chosen) as book:
        table = rows(chosen, course.results(chosen.name), book.scores(), roster)
    write(_out(course, chosen, out), "\ufeff" + grades_csv(chosen, table))
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
        "downloads", help="a folder of STUDENT.ipynb files, or of STUDENT/ folders with one each"
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
    each.add_argument("--again", action="store_true", help="examine what was examined before, too")
    each.add_argument(
        "--unsafe-without-isolation",
        action="store_true",
        help="run submitted code with all rights that you have",
    )
    each = command(derivations, "write the page and the table for grading by hand, or read the table")
    each.add_argument("--read", metavar="FILE", help="take the points from this table")
    each.add_argument("--anonymous", action="store_true", help="numbers in place of names")
    each.add_argument("--overwrite", action="store_true", help="write over a table that was not read")
    command(feedback, "write a page for each student")
    with_table(command(export, "write the table of grades"))
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
