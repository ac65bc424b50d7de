"""Owns what is kept in nbgrader's gradebook: automatic points, points and comments given by hand.

The only room that needs nbgrader, and it loads it to write only: `stored` reads. Its format, its gradebook
and its formgrader serve us well; its autograder does not: it would put solutions, hidden tests and the
gradebook itself within reach of submitted code.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import sys
import warnings
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pgtgrade import by_hand
from pgtgrade.results import GRADED, key_of
from pgtgrade.stored import cells_in, cells_of, scores_in


class Gradebook:
    """The gradebook of a course, open for one problem set."""

    def __init__(self, path, problem_set):
        self._path, self._set, self._book = path, problem_set, None
        self._names = {each.cell: each.name for each in problem_set.questions}
        stored = cells_in(path, problem_set.name)
        if stored is None or not stored.hold(cells_of(problem_set)):
            self._set_up()

    @contextmanager
    def _writing(self):
        """Yield nbgrader's gradebook, which is opened when something is to be written first."""
        with _quiet():
            from nbgrader import api
            from sqlalchemy.exc import DatabaseError

            try:
                if self._book is None:
                    self._book = api.Gradebook(f"sqlite:///{self._path.resolve()}")
                yield self._book
            except DatabaseError as error:
                raise RuntimeError(f"{self._path}: {error.orig}; is another program using it?") from None

    def close(self):
        """End what was opened."""
        if self._book is not None:
            self._book.close()

    def _set_up(self):
        """Enter the set and its cells; refuse to change the questions of a set that has submissions."""
        with self._writing() as book:
            from nbgrader import api

            name, wanted = self._set.name, cells_of(self._set)
            try:
                stored = book.find_notebook(name, name)
            except api.MissingEntry:
                stored = None
            if stored and (old := {each.name for each in stored.grade_cells}) != set(wanted.graded):
                if stored.submissions:
                    differ = ", ".join(sorted(old ^ set(wanted.graded)))
                    raise ValueError(
                        f"the gradebook has other questions of {name}, which differ in {differ}; grade the "
                        "changed set into a new --course"
                    )
                book.remove_notebook(name, name)
                stored = None
            if stored is None:
                book.update_or_create_assignment(name)
                stored = book.add_notebook(name, name, kernelspec=json.dumps({"name": "python3"}))
            # one transaction for all cells: nbgrader's own functions write to the disk for each
            known = {(type(each), each.name): each for each in (*stored._base_cells, *stored.source_cells)}

            def enter(entry, cell_id, **values):
                found = known.get((entry, cell_id)) or entry(name=cell_id, notebook=stored)
                for key, value in values.items():
                    if getattr(found, key) != value:
                        setattr(found, key, value)
                book.db.add(found)

            for cell_id, (cell_type, locked, source) in wanted.sources.items():
                if cell_id in wanted.graded:
                    enter(api.GradeCell, cell_id, max_score=wanted.graded[cell_id][0], cell_type=cell_type)
                if cell_id in wanted.solutions:
                    enter(api.SolutionCell, cell_id)
                enter(api.SourceCell, cell_id, cell_type=cell_type, locked=locked, source=source)
            book.db.commit()

    def scores(self):
        """Return the score of every question, by the key of the student and the name of the question."""
        return scores_in(self._path, self._set)

    def record(self, result, before=None):
        """Enter the automatic points of a student; what a person gave stays.

        Parameters
        ----------
        result : Result
        before : Result or None
            The result that this one replaces: an answer that has changed since is marked to be looked at.
        """
        with self._writing() as book:
            notebook = self._notebook(book, key_of(result.student), result.student)
            for grade in notebook.grades:
                question = self._names[grade.name]
                grade.auto_score = result.points[question]
                if grade.manual_score is None:
                    grade.needs_manual_grade = grade.auto_score is None
                elif before and before.answers.get(question) != result.answers.get(question):
                    grade.needs_manual_grade = True
            book.db.commit()

    def _notebook(self, book, key, student):
        """Return the entry of a student's notebook; made if there is none."""
        from nbgrader.api import MissingEntry, Student

        name = self._set.name
        try:
            submission = book.find_submission(name, key)
        except MissingEntry:
            if book.db.get(Student, key) is None:
                book.db.add(Student(id=key, last_name=_shown(student)))
            submission = book.add_submission(name, key)
        (notebook,) = (each for each in submission.notebooks if each.name == name)
        return notebook

    def restore(self, entries, only=None):
        """Make what was given by hand what a copy says; what it does not name is taken back.

        Parameters
        ----------
        entries : list of (str, str, float or None, float or None, bool, str)
            From `pgtgrade.by_hand.read_copy`: key of the student, name of the question, points, extra points,
            whether the answer changed since, comment.
        only : set of str, optional
            Keys of the students whose entries are touched; without it, all.
        """
        with self._writing() as book:
            name = self._set.name
            questions = {each.cell: each for each in self._set.questions}
            theirs = {}
            for key, question, *values in entries:
                if only is None or key in only:
                    theirs.setdefault(key, {})[question] = values
            for key in theirs:
                self._notebook(book, key, key)
            for submission in book.notebook_submissions(name, name):
                key = submission.student.id
                if only is not None and key not in only:
                    continue
                comments = {each.name: each for each in submission.comments}
                for grade in submission.grades:
                    question = questions[grade.name]
                    points, extra, changed, comment = theirs.get(key, {}).get(
                        question.name, (None, None, False, "")
                    )
                    grade.manual_score, grade.extra_credit = points, extra
                    grade.needs_manual_grade = changed if points is not None else grade.auto_score is None
                    if question.answer in comments:
                        comments[question.answer].manual_comment = comment or None
            book.db.commit()

    def give(self, entries, keep_marks=False):
        """Enter points and comments that a person gave, all of them or none.

        Parameters
        ----------
        entries : list of (str, str, float or None, str)
            Key of the student, name of the question, points (None leaves them as they are), comment.
        keep_marks : bool
            Whether an answer that changed since it was read stays marked: nobody has read it again.
        """
        with self._writing() as book:
            name = self._set.name
            cells = {each.name: each for each in self._set.questions}
            try:
                for key, question, points, comment in entries:
                    grade = book.find_grade(cells[question].cell, name, name, key)
                    # a table that comes back holds the automatic points, too: they are not by hand
                    as_it_was = grade.manual_score is None and grade.auto_score == points
                    if points is not None and not as_it_was:
                        grade.manual_score = points
                        grade.needs_manual_grade = keep_marks and grade.needs_manual_grade
                    note = book.find_comment(cells[question].answer, name, name, key)
                    note.manual_comment = comment or None
                book.db.commit()
            except BaseException:
                book.db.rollback()
                raise


@contextmanager
def gradebook(course, problem_set):
    """Open the gradebook of a course; made if there is none.

    Raises
    ------
    ModuleNotFoundError
        If nbgrader is not installed; the message says how to.
    ValueError
        If the gradebook holds other questions of the set.
    RuntimeError
        If the file cannot be used.
    """
    if importlib.util.find_spec("nbgrader") is None:
        raise ModuleNotFoundError(
            "No module named 'nbgrader': the gradebook is nbgrader's; install it with `make grading` or "
            "pip install 'pgtlab[grading]'"
        )
    path = course.gradebook
    with course.locked():
        try:
            if not path.exists() or not path.stat().st_size:
                _begin(path)
        except sqlite3.DatabaseError as error:
            raise RuntimeError(f"{path}: {error}; expected a file that can be written") from None
        try:
            with closing(Gradebook(path, problem_set)) as opened:
                _enter_again(opened, course, problem_set)
                yield opened
                students = {key: each.student for key, each in _readable(course, problem_set.name).items()}
                by_hand.keep(course, problem_set.name, opened.scores(), students)
        except sqlite3.DatabaseError as error:
            raise RuntimeError(f"{path}: {error}; is another program using it?") from None


def _enter_again(opened, course, problem_set):
    """Enter what was found and given before, but is not in the gradebook: the file was lost."""
    there, names = set(opened.scores()), {each.name for each in problem_set.questions}
    results = _readable(course, problem_set.name)
    lost = [
        each
        for key, each in results.items()
        if each.status == GRADED and key not in there and set(each.points) == names
    ]
    for each in lost:
        opened.record(each)
    copies, given = by_hand.copies(course, problem_set.name), []
    if copies:
        given = by_hand.read_copy(copies[-1], problem_set, results)
        given = [each for each in given if each[0] not in there]
        if given:
            opened.restore(given, {each[0] for each in given})
    if lost or given:
        source = f", those given by hand ({len(given)}) from {copies[-1]}" if given else ""
        print(
            f"{course.gradebook} lacked {len(lost) or 'no'} graded submissions of {problem_set.name}: their "
            f"points are entered again{source}.",
            file=sys.stderr,
        )


def _readable(course, set_name):
    """Return the results that can be read; what cannot is told where it matters."""
    found = {}
    for path in (course.folder / "results" / set_name).glob("*.json"):
        with suppress(ValueError):
            found[path.stem] = course.load(set_name, path.stem)
    return found


def _begin(path):
    """Make an empty gradebook that says of which version of nbgrader's it is.

    nbgrader itself runs the command `alembic` to find out, which takes seconds, and fails unless the folder
    of this Python is on the PATH.
    """
    import nbgrader
    from alembic.script import ScriptDirectory

    head = ScriptDirectory(str(Path(nbgrader.__file__).parent / "alembic")).get_current_head()
    with closing(sqlite3.connect(path)) as book, book:
        book.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        book.execute("INSERT INTO alembic_version (version_num) VALUES (?)", [head])


def _shown(student):
    """Return a name that `nbgrader export` can write into a CSV file that it does not quote."""
    plain = "".join(each if each.isprintable() and each not in ',;"' else " " for each in student)
    return plain.strip().lstrip("=+-@ ")[:120] or "student"


@contextmanager
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
