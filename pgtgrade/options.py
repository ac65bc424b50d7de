"""Owns what a lecturer can write behind `pgtgrade`: the commands and their options."""

from __future__ import annotations

import argparse
import os
import re

from pgtgrade.instances import VARIABLE
from pgtgrade.problem_sets import SOURCES


def parser(commands):
    """Return the parser of the command line.

    Parameters
    ----------
    commands : dict of str to callable
        What runs each command.
    """
    top = argparse.ArgumentParser(
        prog="pgtgrade",
        description="Release, grade and hand back the problem sets of the book.",
        epilog="The page `For lecturers` of the book says more.",
    )
    below = top.add_subparsers(required=True, metavar="command")

    def bare(name, words):
        each = below.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        each.add_argument(
            "--source", default=str(SOURCES), help="the folder of the problem sets (default: %(default)s)"
        )
        each.set_defaults(run=commands[name])
        return each

    def command(name, words):
        each = bare(name, words)
        each.add_argument("set", help="the problem set, such as ps1")
        each.add_argument(
            "--course", default="course", help="the folder of the course (default: %(default)s)"
        )
        return each

    def with_table(each):
        each.add_argument("--roster", help="who should hand in, a name a line (default: COURSE/roster.csv)")
        each.add_argument("--out", help="where the grades go (default: COURSE/grades-SET.csv)")

    each = command("release", "write the students' version of a set")
    each.add_argument(
        "--site",
        metavar="ADDRESS",
        help="of the published book, for the cell that installs pgtlab on Colab (default: html: baseurl in "
        "_config.yml)",
    )
    command("check", "prove a set: its own answers pass, slips in them fall, and are told why")
    each = command("grade", "grade a folder of downloads")
    each.add_argument(
        "downloads",
        help="a folder of STUDENT.ipynb files or STUDENT/ folders, or what Canvas or Moodle hands out",
    )
    with_table(each)
    each.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, help="at a time (default: %(default)s)"
    )
    each.add_argument(
        "--seconds",
        type=_seconds,
        default=30.0,
        help="of a processor, for a cell or a call (default: %(default)g)",
    )
    each.add_argument(
        "--total",
        type=_seconds,
        default=180.0,
        help="of a processor, for a submission (default: %(default)g)",
    )
    each.add_argument("--memory", type=_bytes, default="2G", help="for a submission (default: %(default)s)")
    each.add_argument(
        "--secret-file", help=f"a file with the secret (default: {VARIABLE}, or secret_file in course.toml)"
    )
    each.add_argument(
        "--attempts", choices=("last", "best"), help="which of several notebooks of a student counts"
    )
    each.add_argument(
        "--again",
        action="store_true",
        help="examine what was examined before, too, with another secret if there is one",
    )
    each.add_argument(
        "--unsafe-without-isolation",
        action="store_true",
        help="run submitted code with all rights that you have",
    )
    each = command("derivations", "write the page and the table for grading by hand, or read the table")
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
    each.add_argument(
        "--reader",
        metavar="NAME",
        help="a second reader, who gets a page and a table without your points",
    )
    each.add_argument(
        "--settle",
        metavar="FILE",
        nargs="?",
        const=True,
        help="take what counts where readers differ (default: COURSE/derivations/SET-differences.csv)",
    )
    each.add_argument("--overwrite", action="store_true", help="write over a table that was not read")
    command("feedback", "write a page for each student").add_argument(
        "--roster", help="who takes the course (default: COURSE/roster.csv)"
    )
    each = command(
        "export", "write the table of grades, and one for Canvas or Moodle if the roster is theirs"
    )
    with_table(each)
    each.add_argument("--assignment", help="what Canvas calls the set: its title, or its number")
    command("statistics", "write how the class did, question by question: a page with figures, and tables")
    below.choices["statistics"].add_argument(
        "--roster", help="who takes the course (default: COURSE/roster.csv)"
    )
    command("similar", "write which submissions are suspiciously alike: a hint, never a verdict")
    each = command("regrade", "enter a request to look at a question again, decide it, or list them")
    each.add_argument("--student", help="who asks")
    each.add_argument("--question", help="about what, such as visits")
    each.add_argument("--asked", metavar="WORDS", help="what the student says")
    each.add_argument("--decide", metavar="NUMBER", type=_count, help="decide the request of this number")
    each.add_argument("--points", type=float, help="what the question has then (default: what it had)")
    each.add_argument("--because", metavar="WORDS", help="the reason, which the student reads")
    each.add_argument("--by", help="who enters it")
    each = bare("demo", "make up a class of 30, grade it, and show what to open")
    each.add_argument(
        "--folder", default="pgtgrade-demo", help="where it goes, a new folder (default: %(default)s)"
    )
    each.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, help="at a time (default: %(default)s)"
    )
    return top


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
