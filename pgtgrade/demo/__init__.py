"""Owns the demonstration: a made-up class of 30, and all that a lecturer does with what it handed in."""

from __future__ import annotations

import contextlib
import csv
import io
import textwrap
import time
from pathlib import Path

from pgtgrade.demo.answers import DERIVATIONS
from pgtgrade.demo.people import CLASS, FIRST, roster, rules, write_downloads
from pgtgrade.problem_sets import problem_set
from pgtgrade.results import Course, write

#: Which set the class was given.
SET = "ps1"


def run(options, main):
    """Make up the class in a new folder, grade it, and say at each step what was done and what to open.

    Parameters
    ----------
    options : Namespace
        Of the command line: `folder`, `source`, `jobs`.
    main : callable
        Runs one command of pgtgrade, as a lecturer types it.

    Returns
    -------
    int
        0 if every step did what it says.
    """
    start, chosen = time.monotonic(), problem_set(SET, options.source)
    missing = lacking()
    if missing:
        raise RuntimeError("the demonstration needs what is not here:\n" + "\n".join(missing))
    folder = Path(options.folder)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is there already; delete it, or name another one with --folder")
    tour = _Tour(folder, chosen, options, main)
    for step in (tour.collect, tour.grade, tour.look, tour.read, tour.second, tour.regrade, tour.hand_back):
        step()
    print(f"\nDone in {time.monotonic() - start:.0f} s. All of it is in {folder}.")
    print("The page `For lecturers` of the book goes through the same steps.")
    return 0


def lacking():
    """Return what the demonstration needs and is not here, a sentence each."""
    from importlib.util import find_spec

    from pgtgrade import isolation

    found = []
    for name in ("nbgrader", "IPython", "nbconvert", "sphinx-mathjax-offline"):
        if find_spec(name) is None:
            found.append(f"- the package {name}: `make grading` installs it")
    try:
        isolation.isolated()
    except isolation.IsolationError as error:
        found.append(f"- isolation of submitted code: {error}")
    return found


class _Tour:
    """The steps, in the order in which a lecturer takes them."""

    def __init__(self, folder, chosen, options, main):
        self.folder, self.set, self.options, self.main = folder, chosen, options, main
        self.course, self.archive, self.secret = (
            folder / "course",
            folder / "submissions.zip",
            folder / "secret",
        )
        self.number = 0

    # --- the steps ---

    def collect(self):
        """Make up what a lecturer has at the beginning."""
        self.say(
            "A class that never was",
            f"{len(CLASS)} people take the course. The roster is what Canvas exports, the archive what it "
            "hands out: late ones, a second attempt, a zip in the zip, a PDF, odd names.",
        )
        Course(self.course).make()
        write(self.course / "roster.csv", roster(self.set))
        write(self.course / "course.toml", rules(self.set))
        write(self.secret, "the secret of a class that never was\n")
        write_downloads(self.archive, self.set)
        self.open(self.course / "roster.csv", self.course / "course.toml", self.archive)

    def grade(self):
        """Grade the archive."""
        self.say(
            "Grade",
            "Each notebook runs in isolation, and hidden tests call its functions. One of them never "
            "ends, and is stopped; here a cell may take 3 seconds, else 30.",
        )
        self.command(
            "grade", SET, self.archive, "--secret-file", self.secret, "--seconds", "3",
            "--jobs", self.options.jobs, right=(0, 1),
        )  # fmt: skip
        self.open(self.course / f"grades-{SET}.csv")

    def look(self):
        """Look at the class as a whole, and at those who are alike."""
        self.say(
            "Look at the class", "How many were right, and what went wrong how often, question by question."
        )
        self.command("statistics", SET)
        self.open(self.course / "statistics" / f"{SET}.html")
        self.say(
            "Who wrote alike", "Two of the class worked together, and one of them changed all the names."
        )
        self.command("similar", SET)
        self.open(self.course / "similar" / f"{SET}.html")

    def read(self):
        """Read the derivations, with the items of the rubric."""
        self.say(
            "Read the derivations",
            "A page to read, and a table in which you write items of the rubric, or points. The items are "
            "those of the set; two more are added here: `why` takes half a point, `rho` a whole one.",
        )
        self.command("derivations", SET)
        self.add_items()
        table = self.course / "derivations" / f"{SET}.csv"
        self.fill_in(table, 1)
        self.command("derivations", SET, "--read")
        self.open(self.course / "derivations" / f"{SET}.html", table, self.course / "rubric" / f"{SET}.csv")
        self.say(
            "Change your mind", "`why` shall cost a quarter of a point only: for everybody, in one place."
        )
        path = self.course / "rubric" / f"{SET}.csv"
        write(path, path.read_text(encoding="utf-8").replace('"-0.5"', '"-0.25"'))
        self.command("derivations", SET)

    def second(self):
        """Let a second reader read, too, and settle what differs."""
        self.say("A second reader", "Ben reads the same, without seeing your points.")
        self.command("derivations", SET, "--reader", "ben")
        self.fill_in(self.course / "derivations" / f"{SET}-ben.csv", 2)
        self.command("derivations", SET, "--reader", "ben", "--read")
        table = self.course / "derivations" / f"{SET}-differences.csv"
        self.settle(table)
        self.command("derivations", SET, "--settle")
        self.open(table.with_suffix(".html"), table)

    def regrade(self):
        """Take a request to look at something again."""
        who = "Grigoryan, Anahit"
        self.say("Look again", f"{who} asks for it: her formula is right, only the list is not.")
        self.command(
            "regrade", SET, "--student", who, "--question", "by-time", "--asked",
            "The formula is right. I only forgot that an empty list has no entry 1.",
        )  # fmt: skip
        self.command(
            "regrade", SET, "--decide", "1", "--points", "1", "--because",
            "You are right about the formula. The first term is missing, too: 1 of 2 points.",
        )  # fmt: skip
        self.open(self.course / "regrades" / f"{SET}.csv")

    def hand_back(self):
        """Write the feedback and the tables."""
        self.say("Hand back", "A page for each, and an archive that Canvas attaches to the submissions.")
        self.command("feedback", SET)
        index = self.course / "feedback" / SET / "index.csv"
        with open(index, encoding="utf-8-sig", newline="") as file:
            files = {line["student"]: line["file"] for line in csv.DictReader(file)}
        self.open(
            index.with_name(files["Grigoryan, Anahit"]),
            index,
            self.course / "feedback" / f"{SET}-for-the-platform.zip",
        )
        self.say("Import the grades", "The table of grades, and one in the columns that Canvas imports.")
        self.command("export", SET)
        self.open(self.course / f"for-canvas-{SET}.csv", self.course / f"grades-{SET}.csv")

    # --- how they are told ---

    def say(self, title, words):
        """Print a heading, and what is done next."""
        self.number += 1
        print(f"\n{self.number}. {title}\n{'-' * (len(title) + len(str(self.number)) + 2)}")
        print(textwrap.fill(words, 96))

    def command(self, name, *rest, right=(0,)):
        """Run a command and show it with what it says."""
        line = [name, *map(str, rest), "--source", str(self.options.source), "--course", str(self.course)]
        typed = " ".join(
            f'"{each}"' if " " in each else each for each in [*line[: len(rest) + 1], *line[-2:]]
        )
        print(f"\n  $ pgtgrade {typed}")
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = self.main(line)
        print(textwrap.indent(said.getvalue().rstrip(), "  "))
        if code not in right:
            raise RuntimeError(f"the demonstration stops: `pgtgrade {typed}` ended with code {code}")

    def open(self, *paths):
        """Say which files to look at."""
        print()
        for path in paths:
            print(f"  LOOK AT  {path}")

    # --- what the made-up lecturer writes ---

    def add_items(self):
        """Add items to the rubric."""
        path = self.course / "rubric" / f"{SET}.csv"
        (question,) = (each.name for each in self.set.questions if each.by_hand)
        lines = [f'"{question}","why","-0.5","nothing says why the inverse exists"']
        lines += [f'"{question}","rho","-1","these are the visits of the old policy"']
        write(path, path.read_text(encoding="utf-8") + "\n".join(lines) + "\n")

    def fill_in(self, path, reader):
        """Fill in a table as one of two readers would."""
        theirs = _derivations()
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        for line in lines:
            written = theirs.get(line["student"])
            if written and not line["points"]:
                line["items"], line["comment"] = written[reader], written[3] if reader == 1 else ""
        _write_lines(path, lines)

    def settle(self, path):
        """Fill in what counts: here what the first reader said."""
        theirs = _derivations()
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        for line in lines[2:]:  # two are left, for you to look at
            line["items"], line["comment"] = theirs[line["student"]][1], "Two of us have read this."
        _write_lines(path, lines)


def _derivations():
    """Return what is written about each derivation, by the name in the tables."""
    names = [each.name for each in CLASS]
    return {
        f"{each.name} ({number})" if names.count(each.name) > 1 else each.name: DERIVATIONS[each.derivation]
        for number, each in enumerate(CLASS, start=FIRST)
        if each.derivation
    }


def _write_lines(path, lines):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    write(path, "\ufeff" + text.getvalue())
