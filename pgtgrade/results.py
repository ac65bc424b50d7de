"""Owns the course folder: where things are, and one file a submission with what was found.

A result is written in one step once its submission is through: a batch that is broken off loses nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import platform
import re
import secrets
import sqlite3
import stat
import unicodedata
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pgtgrade.names import normal

GRADED, BY_HAND, NOT_GRADED, NO_SUBMISSION = "graded", "by hand", "NOT GRADED", "no submission"


@dataclass
class Result:
    """What was found of a submission: all that is not in the gradebook.

    Attributes
    ----------
    student : str
        As the file or folder was named.
    status : str
        GRADED or NOT_GRADED.
    reason : str or None
        Why it is not graded.
    notes : list of str
        What the lecturer should know.
    points : dict of str to (float or None)
        By the name of the question; None where a person has to grade.
    messages : dict of str to (str or None)
        What the hidden check of a question said.
    answers : dict of str to str
        A digest of what the student wrote, by the name of the question.
    seconds : float
    times : dict of str to float
        The seconds of each hidden test, by the name of the question.
    fingerprint : str
        Of everything that the points depend on.
    late : bool
        Whether the learning platform marked it so.
    handle : str or None
        How the platform names what goes back to the student.
    file_time : float or None
        When the file was written, in seconds since 1970.
    """

    student: str
    status: str
    reason: str | None = None
    notes: list = field(default_factory=list)
    points: dict = field(default_factory=dict)
    messages: dict = field(default_factory=dict)
    answers: dict = field(default_factory=dict)
    seconds: float = 0.0
    times: dict = field(default_factory=dict)
    fingerprint: str = ""
    late: bool = False
    handle: str | None = None
    file_time: float | None = None


@dataclass(frozen=True)
class Course:
    """A folder of nbgrader's layout, with the results beside."""

    folder: Path

    @property
    def gradebook(self):
        """The file of nbgrader's gradebook."""
        return self.folder / "gradebook.db"

    def make(self):
        """Make the folder if there is none: it holds solutions and grades, so nobody else may look in."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)

    @property
    def is_open_to_others(self):
        """Whether every user of this machine can read the folder."""
        return os.name == "posix" and bool(self.folder.stat().st_mode & stat.S_IRWXO)

    @contextmanager
    def locked(self):
        """Keep every other command off the course.

        The lock is SQLite's on an empty file: it ends with the process, on every system.

        Raises
        ------
        RuntimeError
            If another command is at work, or the folder cannot be written.
        """
        self.make()
        try:
            lock = sqlite3.connect(self.folder / ".lock", timeout=0, isolation_level=None)
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise RuntimeError(
                    f"{self.folder}: another pgtgrade is at work in this course; wait until it has ended (a "
                    "grading takes minutes). Nothing was read or changed."
                ) from None
            raise RuntimeError(
                f"{self.folder} cannot be written ({error}); expected a folder of yours"
            ) from None
        with closing(lock):
            yield

    def salted(self, *parts):
        """Return a digest that nobody can compute who cannot read the course: for names that others see."""
        path = self.folder / ".salt"
        try:
            salt = path.read_bytes()
        except FileNotFoundError:
            self.make()
            salt = secrets.token_hex(32).encode()
            path.touch(mode=0o600)
            path.write_bytes(salt)
        return hmac.new(salt, "\0".join(parts).encode(), "sha256").hexdigest()

    def source(self, set_name):
        """Return where the source goes, for nbgrader."""
        return self.folder / "source" / set_name / f"{set_name}.ipynb"

    def release(self, set_name):
        """Return where the students' version goes."""
        return self.folder / "release" / set_name / f"{set_name}.ipynb"

    def autograded(self, set_name, key):
        """Return where the notebook of a student goes, as it was run."""
        return self.folder / "autograded" / key / set_name / f"{set_name}.ipynb"

    @property
    def own(self):
        """The folders in it that the grader fills."""
        names = ("autograded", "by-hand", "derivations", "feedback", "release", "results", "source")
        return [self.folder / each for each in names]

    def result(self, set_name, key):
        """Return where the result of a student goes."""
        return self.folder / "results" / set_name / f"{key}.json"

    def results_of(self, set_name):
        """Return the files with results of a set."""
        return sorted((self.folder / "results" / set_name).glob("*.json"))

    def results(self, set_name):
        """Return the results of a set by the key of the student, in the order of their names."""
        found = {}
        for path in self.results_of(set_name):
            found[path.stem] = self.load(set_name, path.stem)
        return dict(sorted(found.items(), key=lambda item: item[1].student.casefold()))

    def load(self, set_name, key):
        """Return the result of a student, None if there is none that can be read."""
        path = self.result(set_name, key)
        try:
            return Result(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}; expected a result: delete the file and grade again") from None

    def save(self, set_name, result):
        """Write the result of a student."""
        text = json.dumps(dataclasses.asdict(result), ensure_ascii=False, indent=1)
        write(self.result(set_name, key_of(result.student)), text)


def key_of(student):
    """Return the name of a student in paths and in the gradebook: plain letters and a digest.

    However the name is written, it is the same: what is compared is its normal form.

    >>> key_of("Åsa Öberg"), key_of(" A\N{COMBINING RING ABOVE}sa  Öberg")
    ('asa-oberg-e4d50b32', 'asa-oberg-e4d50b32')
    """
    student = normal(student)
    plain = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:32].rstrip("-") or "student"
    return f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:8]}"


def write(path, text):
    """Write a text file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def digest_of(text):
    """Return a digest of what a student wrote."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]


def fingerprint(data, problem_set, secret, limits, isolated):
    """Return a digest of everything that the points of a submission depend on."""
    import numpy

    parts = [
        hashlib.sha256(data).hexdigest(),
        problem_set.digest,
        _digest_of_code(),
        hashlib.sha256((secret or "").encode()).hexdigest(),
        json.dumps(dataclasses.asdict(limits), sort_keys=True),
        str(isolated),
        platform.python_version(),
        numpy.__version__,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest_of_code():
    """Return a digest of pgtlab and of this package as they are on the disk."""
    import pgtlab

    digest = hashlib.sha256()
    for folder in (Path(pgtlab.__file__).parent, Path(__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
