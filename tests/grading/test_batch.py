"""A batch gives each submission a row, keeps what is done, and never touches what a person has given."""

import csv
import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make grading`")

from pgtgrade import by_hand, grading, isolation
from pgtgrade.__main__ import main
from pgtgrade.examination import Examination, Limits
from pgtgrade.gradebook import gradebook
from pgtgrade.here import examine_here
from pgtgrade.problem_sets import problem_set
from pgtgrade.results import GRADED, NOT_GRADED, Course, key_of
from pgtgrade.stored import Score, cells_in, cells_of, scores_in
from pgtgrade.tables import grades_csv, rows
from tests.grading import small

RIGHT = {
    "half": "def half(x):\n    return x / 2",
    "mass": "def mass(rho):\n    return rho.sum()",
    "derive_why": "Because $0 < \\gamma < 1$.",
}


def examined(cells, source, *, limits, isolation, secret, student):
    """Stand for the examination: the real judge, in this process."""
    names = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell["source"] for cell in cells}
    answers = {name: names.get(name, "") for name in ("half", "mass")}
    outputs = [[] for _ in cells]
    return Examination("graded", None, outputs, examine_here(answers, source), [], 0.1)


@dataclass
class Class:
    """A course with its downloads, as a lecturer has it."""

    folder: Path

    def __post_init__(self):
        self.set = small.stored(self.folder / "sets")
        self.downloads, self.course = self.folder / "downloads", Course(self.folder / "course")
        self.downloads.mkdir()

    def hand_in(self, student, **answers):
        text = small.text(small.with_sources(self.set.release, **answers))
        (self.downloads / f"{student}.ipynb").write_text(text, encoding="utf-8")

    def grade(self, examine=examined, **options):
        options = {"limits": Limits(), "isolation": isolation.Isolation("bwrap"), **options}
        return grading.grade(self.set, self.downloads, self.course, examine=examine, **options)

    def rows(self, roster=()):
        with gradebook(self.course, self.set) as book:
            table = rows(self.set, self.course.results("small"), book.scores(), roster)
        return {row.student: row for row in table}

    def give(self, student, points, comment="", question="derive-why"):
        with gradebook(self.course, self.set) as book:
            book.give([(key_of(student), question, points, comment)])


@pytest.fixture
def class_(tmp_path):
    return Class(tmp_path)


def points(row):
    return row.status, row.total, list(row.points.values())


def test_right_wrong_untouched(class_):
    class_.hand_in("ada", **RIGHT)
    class_.hand_in("ben", **{**RIGHT, "half": "def half(x):\n    return 2 * x"})
    class_.hand_in("cleo")
    batch = class_.grade()
    assert sorted(batch.examined) == ["ada", "ben", "cleo"]
    assert batch.not_graded == {}
    table = class_.rows()
    assert points(table["ada"]) == ("by hand", None, [1, 3, None])
    assert points(table["ben"]) == ("by hand", None, [0, 3, None])
    assert points(table["cleo"]) == (GRADED, 0, [0, 0, 0])
    assert table["ada"].notes == table["ben"].notes == []
    assert table["cleo"].notes == ["as released: nothing was filled in", "derive-why was left as released"]
    said = class_.course.load("small", key_of("ben")).messages["half"]
    assert said.endswith("Likely cause: x is doubled")


def test_what_cannot_be_graded_is_blank_and_told(class_):
    class_.hand_in("ada", **RIGHT)
    (class_.downloads / "ben.ipynb").write_text("{")
    (class_.downloads / "cleo").mkdir()

    def dies(cells, source, **options):
        return Examination("not graded", "its process was killed 6 times", [], {}, ["6 restarts"], 9.0)

    batch = class_.grade(dies)
    assert batch.not_graded == {
        "ada": "its process was killed 6 times",
        "ben": "not a notebook: it ends in the middle (line 1); it begins with '{'",
        "cleo": "no notebook in the folder",
    }
    table = class_.rows(roster=["dan"])
    assert [row.status for row in table.values()] == [NOT_GRADED] * 3 + ["no submission"]
    assert all(row.total is None and row.points == {} for row in table.values())
    assert table["ada"].notes == ["its process was killed 6 times", "not on the roster", "6 restarts"]
    # the next run tries again
    assert class_.grade().examined == ["ada"]
    assert points(class_.rows()["ada"]) == ("by hand", None, [1, 3, None])


def test_a_fault_of_the_grader_costs_one_row(class_):
    class_.hand_in("ada", **RIGHT)
    class_.hand_in("ben", **RIGHT)

    def fails(cells, source, **options):
        if not failed:
            failed.append(True)
            raise OSError("no space left")
        return examined(cells, source, **options)

    failed = []
    batch = class_.grade(fails)
    assert batch.not_graded == {"ada": "the grader itself failed: OSError: no space left"}
    assert batch.examined == ["ben"]
    assert "no space left" in class_.course.load("small", key_of("ada")).messages["traceback"]


def test_a_result_that_cannot_be_read_is_written_afresh(class_):
    class_.hand_in("ada", **RIGHT)
    class_.grade()
    class_.course.result("small", key_of("ada")).write_text('{"student": ')
    assert class_.grade().examined == ["ada"]


def test_points_that_do_not_come_back_are_a_fault(class_):
    class_.hand_in("ada", **RIGHT)

    def forgets(cells, source, **options):
        return Examination("graded", None, [[] for _ in cells], {"test-half": (1.0, None)}, [], 0.0)

    reason = "the grader itself failed: ValueError: no points came back for test-mass"
    assert class_.grade(forgets).not_graded == {"ada": reason}


# --- again -----------------------------------------------------------------------------------------


def test_what_is_done_is_not_done_again(class_):
    class_.hand_in("ada", **RIGHT)
    class_.hand_in("ben", **RIGHT)
    assert class_.grade().kept == []
    assert class_.grade().kept == ["ada", "ben"]
    assert class_.grade(again=True).examined == ["ada", "ben"]
    # anything that the points depend on
    class_.hand_in("ben", **{**RIGHT, "half": ""})
    assert class_.grade().examined == ["ben"]
    assert class_.grade(secret="x").examined == ["ada", "ben"]
    assert class_.grade(secret="x", limits=Limits(cell_seconds=1.0)).examined == ["ada", "ben"]
    assert class_.grade(secret="x", limits=Limits(cell_seconds=1.0)).kept == ["ada", "ben"]
    source = small.source()
    small.cell(source, "q-half")["source"] += " Well."
    (class_.folder / "sets" / "small" / "small.ipynb").write_text(small.text(source))
    class_.set = problem_set("small", class_.folder / "sets")
    assert class_.grade(secret="x", limits=Limits(cell_seconds=1.0)).examined == ["ada", "ben"]


def test_code_that_changed_means_again(class_, monkeypatch):
    from pgtgrade import results

    class_.hand_in("ada", **RIGHT)
    class_.grade()
    before = results._digest_of_code()
    monkeypatch.setattr(results, "_digest_of_code", lambda: before + "x")
    assert class_.grade().examined == ["ada"]


def test_a_lost_gradebook_is_filled_again(class_):
    class_.hand_in("ada", **RIGHT)
    class_.grade()
    class_.course.gradebook.unlink()
    assert class_.grade().kept == ["ada"]
    assert points(class_.rows()["ada"]) == ("by hand", None, [1, 3, None])


def test_points_by_hand_survive_a_lost_gradebook(class_, capsys):
    """A8 and G10: it was removed, or a full disk left a file of 0 bytes."""
    for student in ("ada", "ben", "cleo"):
        class_.hand_in(student, **RIGHT)
    class_.grade()
    class_.give("ada", 1.5, "The limit is missing; =1+1")
    class_.give("ben", 0.5, question="half")
    (class_.downloads / "cleo.ipynb").write_text("")
    class_.give("cleo", 2)
    class_.grade()
    before = class_.rows()
    assert [points(each) for each in before.values()] == [
        (GRADED, 5.5, [1, 3, 1.5]),
        ("by hand", None, [0.5, 3, None]),
        (NOT_GRADED, None, []),
    ]
    for lose in (Path.unlink, lambda path: path.write_bytes(b"")):
        lose(class_.course.gradebook)
        capsys.readouterr()
        assert class_.rows() == before
        assert capsys.readouterr().err == (
            f"{class_.course.gradebook} lacked 2 graded submissions of small: their points are entered "
            f"again, those given by hand (3) from {class_.course.folder / 'by-hand' / 'small-0003.csv'}.\n"
        )
    class_.hand_in("cleo", **RIGHT)
    class_.grade()
    assert points(class_.rows()["cleo"]) == (GRADED, 6, [1, 3, 2])
    with gradebook(class_.course, class_.set) as book:
        assert book.scores()[key_of("ada")]["derive-why"].comment == "The limit is missing; =1+1"


def test_what_was_given_by_hand_has_a_way_back(class_):
    """A table with wrong points was read: each state is a file, and any of them can be had again."""
    class_.hand_in("ada", **RIGHT)
    class_.hand_in("ben", **RIGHT)
    class_.grade()
    assert by_hand.copies(class_.course, "small") == []
    class_.give("ada", 2, "Well done.")
    class_.give("ada", 0)
    class_.give("ben", 1, question="mass")
    class_.give("ben", 1, question="mass")
    copies = by_hand.copies(class_.course, "small")
    assert len(copies) == 3
    keys = class_.course.results("small")
    with gradebook(class_.course, class_.set) as book:
        book.restore(by_hand.read_copy(copies[0], class_.set, keys))
        scores = book.scores()
    assert scores[key_of("ada")]["derive-why"].manual == 2
    assert scores[key_of("ada")]["derive-why"].comment == "Well done."
    assert points(class_.rows()["ben"]) == ("by hand", None, [1, 3, None])
    assert len(by_hand.copies(class_.course, "small")) == 4
    copies[0].write_text("student,points\n")
    with pytest.raises(
        ValueError, match="expected the columns student, question, points, extra, changed, comment"
    ):
        by_hand.read_copy(copies[0], class_.set, keys)
    copies[0].write_text(",".join(by_hand.HEAD) + "\nada,half,one,,,\n")
    with pytest.raises(ValueError, match="line 2: expected a line as it was written"):
        by_hand.read_copy(copies[0], class_.set, keys)


def test_one_command_at_a_time(class_):
    """A12: three graders on one course."""
    class_.hand_in("ada", **RIGHT)

    def beside(cells, source, **options):
        with pytest.raises(
            RuntimeError, match="another pgtgrade is at work in this course; wait until it has"
        ):
            class_.rows()
        return examined(cells, source, **options)

    assert class_.grade(beside).examined == ["ada"]


#: Holds the lock of a course, as a grading does, until its input ends.
HOLDS = """\
import sys
from pathlib import Path
from pgtgrade.results import Course
with Course(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("command", ["export", "statistics", "feedback", "derivations", "similar"])
def test_beside_a_grading_a_command_says_so_and_leaves_all_as_it_is(class_, command, capsys):
    class_.hand_in("ada", **RIGHT)
    class_.grade()
    where = ["--source", str(class_.folder / "sets"), "--course", str(class_.course.folder)]
    assert main(["export", "small", *where]) == 0
    before = files_of(class_.course)
    line = [sys.executable, "-c", HOLDS, class_.course.folder]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert main([command, "small", *where]) == 2
        other.stdin.close()
    said = capsys.readouterr().err
    assert "another pgtgrade is at work in this course; wait until it has ended" in said
    assert files_of(class_.course) == before
    assert main([command, "small", *where]) == 0


def files_of(course):
    """Return what is in every file of a course but the lock."""
    paths = (path for path in course.folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path): path.read_bytes() for path in paths if not path.name.startswith(".lock")}


def test_a_course_that_cannot_be_written(class_):
    """A7: it was a traceback."""
    class_.hand_in("ada", **RIGHT)
    class_.course.folder.mkdir()
    class_.course.gradebook.symlink_to(class_.folder / "gone" / "gradebook.db")
    with pytest.raises(RuntimeError, match=r"gradebook\.db: unable to open database file; expected a file"):
        class_.grade()
    (class_.course.folder / ".lock").unlink()
    (class_.course.folder / ".lock").mkdir()
    with pytest.raises(RuntimeError, match=r"course cannot be written \(unable to open database file\)"):
        class_.grade()


@pytest.mark.skipif(os.name != "posix", reason="who may read what is said in another way here")
def test_the_course_is_nobody_elses_to_read(class_):
    """A14: at the usual umask."""
    old = os.umask(0o022)
    try:
        class_.grade()
    finally:
        os.umask(old)
    assert class_.course.folder.stat().st_mode & 0o777 == 0o700
    assert not class_.course.is_open_to_others
    class_.course.folder.chmod(0o755)
    assert class_.course.is_open_to_others


def late(cells, source, **options):
    """Stand for the examination of a submission that lost its time to a neighbour."""
    outputs = [[] for _ in cells]
    note = "cell 4 was interrupted after 30 s"
    return Examination(
        "graded", None, outputs, {"test-half": (0.0, "no end"), "test-mass": (3.0, None)}, [note], 0.1
    )


def test_who_ran_out_of_time_is_run_again_alone(class_):
    """A4: a neighbour's busy processes took the time, and the zero stayed."""
    for student in ("ada", "ben", "cleo"):
        class_.hand_in(student, **RIGHT)
    seen, lock = [], threading.Lock()

    def examine(cells, source, **options):
        with lock:
            seen.append(True)
            robbed = len(seen) <= 2
        return (late if robbed else examined)(cells, source, **options)

    batch = class_.grade(examine, jobs=2)
    assert len(seen) == 5
    assert sorted(batch.examined) == ["ada", "ben", "cleo"]
    assert {points(each)[2][0] for each in class_.rows().values()} == {1}
    assert sorted(class_.grade(examine, jobs=2).kept) == ["ada", "ben", "cleo"]


def test_a_verdict_of_time_is_not_remembered(class_):
    class_.hand_in("ada", **RIGHT)
    assert class_.grade(late).examined == ["ada"]
    assert points(class_.rows()["ada"])[2][0] == 0
    assert class_.grade().examined == ["ada"]
    assert points(class_.rows()["ada"])[2][0] == 1
    assert class_.grade().kept == ["ada"]


def test_a_notebook_beside_others(class_):
    """The one of this set counts; of several, the last or the best."""
    folder = class_.downloads / "ada"
    folder.mkdir()
    wrong = {**RIGHT, "half": "def half(x):\n    return x"}
    for number, answers in enumerate([wrong, RIGHT, wrong]):
        path = folder / f"ps1 ({number}).ipynb"
        path.write_text(small.text(small.with_sources(class_.set.release, **answers, q_why=str(number))))
        os.utime(path, (number, number))
    (folder / "scratch.ipynb").write_text("{}")
    names = ", ".join([*(f"ada/ps1 ({number}).ipynb" for number in range(3)), "ada/scratch.ipynb"])
    fault = f"4 notebooks: {names}; expected one"
    assert class_.grade().not_graded == {"ada": fault}
    class_.grade(attempts="last")
    row = class_.rows()["ada"]
    assert points(row)[2][0] == 0
    assert "4 notebooks, of which the last counts: ada/ps1 (0).ipynb" in row.notes[0]
    class_.grade(attempts="best")
    assert points(class_.rows()["ada"])[2][0] == 1
    assert class_.grade(attempts="best").kept == ["ada"]
    (folder / "ps1 (0).ipynb").unlink()
    (folder / "ps1 (1).ipynb").unlink()
    class_.grade()
    row = class_.rows()["ada"]
    assert points(row)[2][0] == 0
    assert row.notes[0].startswith("2 notebooks, of which one is of this set: ")


def test_a_run_broken_off_in_the_middle_loses_nothing(class_):
    """The process is killed as it would be by the system; what was through is through."""
    for student in ("ada", "ben", "cleo"):
        class_.hand_in(student, **RIGHT)
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from pgtgrade import by_hand, grading, isolation
from pgtgrade.examination import Limits
from pgtgrade.problem_sets import problem_set
from pgtgrade.results import Course
from tests.grading.test_batch import examined

seen = []

def examine(cells, source, **options):
    seen.append(1)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return examined(cells, source, **options)

folder = Path({str(class_.folder)!r})
grading.grade(problem_set("small", folder / "sets"), folder / "downloads", Course(folder / "course"),
              examine=examine, limits=Limits(), isolation=isolation.Isolation("bwrap"))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == -9, run.stderr
    assert sorted(class_.course.results("small")) == sorted(map(key_of, ["ada", "ben"]))
    batch = class_.grade()
    assert batch.kept == ["ada", "ben"]
    assert batch.examined == ["cleo"]


def test_several_at_a_time_and_no_more(class_):
    for number in range(7):
        class_.hand_in(f"s{number}", **RIGHT)
    lock, under_way, most = threading.Lock(), [0], [0]
    together = threading.Event()

    def slow(cells, source, **options):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            if most[0] == 3:
                together.set()
        together.wait(30)  # until three are under way: a fourth would be seen
        time.sleep(0.01)
        with lock:
            under_way[0] -= 1
        return Examination(
            "graded",
            None,
            [[] for _ in cells],
            {"test-half": (1.0, None), "test-mass": (3.0, None)},
            [],
            0.0,
        )

    assert len(class_.grade(slow, jobs=3).examined) == 7
    assert most == [3]


def test_no_more_is_begun_than_is_waited_for():
    """So that who breaks it off waits for what is under way, and for nothing else."""
    begun = []
    results = grading._in_turn(begun.append, range(20), 2)
    next(results)
    results.close()
    assert begun == [0, 1]


# --- by hand ---------------------------------------------------------------------------------------


def test_points_by_hand_survive(class_):
    class_.hand_in("ada", **RIGHT)
    class_.grade()
    class_.give("ada", 1.5, "The limit is missing.")
    assert points(class_.rows()["ada"]) == (GRADED, 5.5, [1, 3, 1.5])
    class_.grade(again=True)
    assert points(class_.rows()["ada"]) == (GRADED, 5.5, [1, 3, 1.5])
    assert class_.rows()["ada"].notes == []
    # another answer to a question of code leaves the note alone
    class_.hand_in("ada", **{**RIGHT, "half": "def half(x):\n    return 0"})
    class_.grade()
    assert points(class_.rows()["ada"]) == (GRADED, 4.5, [0, 3, 1.5])
    assert class_.rows()["ada"].notes == []
    # another derivation keeps its points and says so, until somebody looks
    class_.hand_in("ada", **{**RIGHT, "derive_why": "Because."})
    class_.grade()
    assert points(class_.rows()["ada"]) == (GRADED, 5.5, [1, 3, 1.5])
    assert class_.rows()["ada"].notes == ["derive-why changed since it was graded by hand"]
    class_.grade(again=True)
    assert class_.rows()["ada"].notes == ["derive-why changed since it was graded by hand"]
    class_.give("ada", 1.0)
    assert points(class_.rows()["ada"]) == (GRADED, 5, [1, 3, 1])
    assert class_.rows()["ada"].notes == []


def test_points_by_hand_survive_a_submission_that_cannot_be_read(class_):
    class_.hand_in("ada", **RIGHT)
    class_.grade()
    class_.give("ada", 2.0)
    (class_.downloads / "ada.ipynb").write_text("")
    class_.grade()
    assert points(class_.rows()["ada"]) == (NOT_GRADED, None, [])
    class_.hand_in("ada", **{**RIGHT, "derive_why": "Because."})
    class_.grade()
    assert points(class_.rows()["ada"]) == (GRADED, 6, [1, 3, 2])
    assert class_.rows()["ada"].notes == ["derive-why changed since it was graded by hand"]


def test_a_person_may_overrule_the_tests(class_):
    class_.hand_in("ada", **{**RIGHT, "half": ""})
    class_.grade()
    class_.give("ada", 0.5, question="half")
    class_.grade(again=True)
    assert points(class_.rows()["ada"]) == ("by hand", None, [0.5, 3, None])
    assert class_.rows()["ada"].notes == ["half: 0 by the tests, 0.5 by hand"]


def test_a_derivation_that_is_not_in_its_cell_is_left_to_a_person(class_):
    answers = {name: RIGHT[name] for name in ("half", "mass")}
    notebook = small.with_sources(class_.set.release, **answers)
    notebook["cells"].append({"cell_type": "markdown", "id": "x", "metadata": {}, "source": "Because."})
    (class_.downloads / "ada.ipynb").write_text(json.dumps(notebook))
    notebook = small.with_sources(class_.set.release, **answers)
    del notebook["cells"][-1]
    (class_.downloads / "ben.ipynb").write_text(json.dumps(notebook))
    class_.hand_in("cleo", **answers)
    class_.grade()
    table = class_.rows()
    look = "derive-why is not in its cell: see whether it stands elsewhere"
    assert points(table["ada"]) == points(table["ben"]) == ("by hand", None, [1, 3, None])
    assert table["ada"].notes == [look]
    assert table["ben"].notes == ["the answer cell derive-why is missing", look]
    assert points(table["cleo"]) == (GRADED, 4, [1, 3, 0])
    assert table["cleo"].notes == ["derive-why was left as released"]


def test_the_notebook_as_it_was_run_says_what_the_checks_said(class_):
    class_.hand_in("ada", **{**RIGHT, "half": "def half(x):\n    return 2 * x"})
    class_.grade()
    text = class_.course.autograded("small", key_of("ada")).read_text()
    notebook = json.loads(text)
    (output,) = small.cell(notebook, "test-half")["outputs"]
    assert output["text"].startswith("0 of 1 points\nhalf: not right in a case")
    (output,) = small.cell(notebook, "test-mass")["outputs"]
    assert output["text"] == "3 of 3 points\n"
    assert "drawn(" not in text
    assert "BEGIN" not in text


def test_other_questions_do_not_mix(class_):
    class_.hand_in("ada", **RIGHT)
    source = small.source()
    small.cell(source, "test-mass")["metadata"]["nbgrader"]["grade_id"] = "test-weight"
    path = class_.folder / "sets" / "small" / "small.ipynb"
    original = path.read_text()
    path.write_text(small.text(source))
    class_.set = problem_set("small", class_.folder / "sets")
    with gradebook(class_.course, class_.set):
        pass
    path.write_text(original)  # nobody has handed in yet: the set may change
    class_.set = problem_set("small", class_.folder / "sets")
    class_.grade()
    path.write_text(small.text(source))
    class_.set = problem_set("small", class_.folder / "sets")
    message = "the gradebook has other questions of small, which differ in test-mass, test-weight"
    with pytest.raises(ValueError, match=message):
        class_.grade()


# --- nbgrader's own tools --------------------------------------------------------------------------


def nbgrader(course, *arguments):
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments], cwd=course.folder, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run


def test_nbgraders_export_reads_the_gradebook(class_):
    class_.hand_in("ada", **RIGHT)
    class_.hand_in('=ben, "B"', **{**RIGHT, "mass": ""})
    class_.grade()
    class_.give("ada", 2.0)
    nbgrader(class_.course, "export", "--to", "theirs.csv")
    with open(class_.course.folder / "theirs.csv", newline="") as file:
        theirs = {line["last_name"]: line for line in csv.DictReader(file)}
    assert {name: (line["score"], line["max_score"]) for name, line in theirs.items()} == {
        "ada": ("6.0", "6.0"),
        "ben   B": ("1.0", "6.0"),
    }


def test_nbgraders_formgrader_finds_what_is_to_be_graded(class_):
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    class_.hand_in("ada", **RIGHT)
    class_.grade()
    config = Config()
    config.CourseDirectory.root = str(class_.course.folder)
    api = NbGraderAPI(config=config)
    (assignment,) = api.get_assignments()
    assert (assignment["name"], assignment["max_score"]) == ("small", 6)
    (submission,) = api.get_notebook_submissions("small", "small")
    assert (submission["last_name"], submission["score"], submission["needs_manual_grade"]) == (
        "ada",
        4,
        True,
    )
    # ... and a score that it saves is one by hand
    with api.gradebook as book:
        grade = book.find_grade("derive-why", "small", "small", key_of("ada"))
        grade.manual_score, grade.needs_manual_grade = 2, False
        book.db.commit()
    assert points(class_.rows()["ada"]) == (GRADED, 6, [1, 3, 2])


def test_the_table_is_safe_in_a_spreadsheet(class_):
    """Also where a semicolon parts cells, a sign is in full width, or a name has the end of a line."""
    wide = "\N{FULLWIDTH EQUALS SIGN}1+1"
    for student in ("=1+1", "-ada", 'O\'Neil, "Q"', "李", "Ada;=1+1;", wide):
        class_.hand_in(student, **RIGHT)
    class_.grade()
    class_.give("李", 1, "so;\n=1+1")
    with gradebook(class_.course, class_.set) as book:
        scores = book.scores()
    text = grades_csv(class_.set, rows(class_.set, class_.course.results("small"), scores))
    lines = list(csv.reader(text.splitlines()))
    assert lines[0] == ["student", "status", "total", "max", "half", "mass", "derive-why", "notes"]
    names = ["'-ada", "'=1+1", "Ada;'=1+1;", 'O\'Neil, "Q"', "李", "'" + wide]
    assert [line[0] for line in lines[1:]] == names
    assert lines[1][1:] == ["by hand", "", "6", "1", "3", "", ""]
    assert all(line.startswith('"') and line.endswith('"') for line in text.splitlines())
    for delimiter in ",;\t":
        for line in csv.reader(text.splitlines(), delimiter=delimiter):
            for cell in line:
                assert not cell.strip().startswith(("=", "+", "@", "\N{FULLWIDTH EQUALS SIGN}")), cell


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_what_is_read_of_the_gradebook_is_what_nbgrader_says(class_):
    """Points by a test and by hand, extra points, comments of either kind, and a set beside."""
    from nbgrader.api import Gradebook

    for student in ("ada", "ben"):
        class_.hand_in(student, **RIGHT)
    class_.grade()
    class_.give("ada", 1.5, "so")
    with Gradebook(f"sqlite:///{class_.course.gradebook}") as book:
        grade = book.find_grade("test-half", "small", "small", key_of("ben"))
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 0, 0.5, True
        book.find_comment("derive-why", "small", "small", key_of("ben")).auto_comment = "automatic"
        book.update_or_create_assignment("other")
        other = book.add_notebook("small", "other", kernelspec="{}")
        book.add_grade_cell("test-half", "small", "other", max_score=9, cell_type="code")
        assert not other.submissions
        book.add_submission("other", key_of("ada"))
        book.db.commit()
        theirs = {
            (each.student.id, grade.name.removeprefix("test-")): (
                grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade
            )
            for each in book.notebook_submissions("small", "small")
            for grade in each.grades
        }  # fmt: skip
        comments = {
            (each.student.id, comment.name): comment.comment or ""
            for each in book.notebook_submissions("small", "small")
            for comment in each.comments
        }
    scores = scores_in(class_.course.gradebook, class_.set)
    assert {
        (key, name): (each.automatic, each.manual, each.extra, each.changed)
        for key, found in scores.items()
        for name, each in found.items()
    } == {key: (*points, points[1] is not None and waits) for key, (*points, waits) in theirs.items()}
    assert {(key, name): each.comment for key, found in scores.items() for name, each in found.items()} == {
        key: text for key, text in comments.items() if key[1] in scores[key[0]]
    }
    assert scores[key_of("ben")]["half"] == Score(1.0, 0.0, 0.5, True, "")
    assert scores[key_of("ben")]["derive-why"].comment == "automatic"
    assert scores[key_of("ada")]["derive-why"] == Score(None, 1.5, None, False, "so")
    # ... and the cells, so that a set that is entered is not entered again
    cells = cells_of(class_.set)
    stored = cells_in(class_.course.gradebook, "small")
    assert stored.hold(cells)
    assert cells_in(class_.course.gradebook, "none") is None
    for other in (
        dataclasses.replace(cells, graded={**cells.graded, "test-half": (2.0, "code")}),
        dataclasses.replace(cells, graded={"test-half": (1.0, "code")}),
        dataclasses.replace(cells, solutions={*cells.solutions, "more"}),
        dataclasses.replace(cells, sources={**cells.sources, "half": ("code", False, "other")}),
    ):
        assert not stored.hold(other)


#: Runs a command, and says what of weight it has loaded.
ASKS = """\
import sys
from pgtgrade.__main__ import main
code = main(sys.argv[1:])
print(code, *[name for name in ("nbgrader", "sqlalchemy", "nbconvert", "nbformat", "numpy", "pgtlab")
              if name in sys.modules], sep=",")
"""


@pytest.mark.parametrize("command", ["export", "statistics", "regrade", "similar"])
def test_a_small_command_loads_nothing_of_weight(class_, command):
    class_.hand_in("ada", **RIGHT)
    class_.grade()
    arguments = [command, "small", "--source", class_.folder / "sets", "--course", class_.course.folder]
    run = subprocess.run(
        [sys.executable, "-c", ASKS, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "0"


def test_a_gradebook_that_cannot_be_used(class_):
    class_.course.folder.mkdir()
    class_.course.gradebook.write_text("no database, but long enough to look like one" * 30)
    with pytest.raises(RuntimeError, match=r"gradebook\.db: file is not a database; is another program"):
        class_.grade()


def test_a_new_gradebook_says_of_which_version_it_is(class_, monkeypatch):
    from nbgrader.api import get_alembic_version

    class_.grade()
    with sqlite3.connect(class_.course.gradebook) as book:
        ((version,),) = book.execute("SELECT version_num FROM alembic_version")
    book.close()
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable), prepend=os.pathsep)
    assert version == get_alembic_version()


def test_the_grader_says_what_to_install(class_, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    with pytest.raises(
        ModuleNotFoundError, match="the gradebook is nbgrader's; install it with `make grading`"
    ):
        class_.grade()
