"""The commands as a lecturer runs them, on a class with every kind of odd submission, in real isolation."""

import csv
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make grading`")

from pgtgrade.__main__ import main
from pgtgrade.isolation import IsolationError
from pgtgrade.problem_sets import problem_set
from pgtgrade.results import key_of
from tests.grading import small
from tests.grading.test_batch import RIGHT

if shutil.which("bwrap") is None:
    if os.environ.get("CI"):
        raise RuntimeError("bubblewrap is not installed, and CI must not go without it")
    pytest.skip("bubblewrap is not installed", allow_module_level=True)

#: Looks for what it should not see, and says so by its answer.
SPY = """\
import glob
import os

seen = [path for kind in ("ipynb", "db") for path in glob.glob({folder!r} + "/**/*." + kind, recursive=True)]


def half(x):
    return x / 2 if not seen and "PGTGRADE_SECRET" not in os.environ else None
"""


class Desk:
    """A folder in which the commands are run."""

    def __init__(self, folder):
        self.folder = folder
        self.set = small.stored(folder / "sets")
        self.downloads, self.course = folder / "downloads", folder / "course"
        self.downloads.mkdir()

    def hand_in(self, path, **answers):
        text = small.text(small.with_sources(self.set.release, **{**RIGHT, **answers}))
        (self.downloads / path).parent.mkdir(exist_ok=True)
        (self.downloads / path).write_text(text, encoding="utf-8")

    def run(self, command, *options):
        options = [*options, "--source", self.folder / "sets", "--course", self.course]
        return main([command, "small", *map(str, options)])

    def rows(self, name="grades-small.csv"):
        with open(self.course / name, encoding="utf-8-sig", newline="") as file:
            return {line["student"]: line for line in csv.DictReader(file)}


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def brief(line):
    return " ".join(line[name] or "-" for name in ("status", "total", "half", "mass", "derive-why"))


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class of ten, graded once."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.hand_in("ada.ipynb")
    desk.hand_in("Ben Åkesson/small (1).ipynb", half="def half(x):\n    return 2 * x")
    desk.hand_in(
        "cleo.ipynb",
        **{name: small.cell(desk.set.release, name.replace("_", "-"))["source"] for name in RIGHT},
    )
    desk.hand_in("dan.ipynb", mass="import os\n\nos._exit(3)")
    desk.hand_in("=eve.ipynb", half=SPY.format(folder=str(desk.folder)))
    desk.hand_in(
        "fay.ipynb",
        half="import numpy as np\n\nnp.allclose = lambda *a, **k: True\n\n\ndef half(x):\n    return 0 * x",
    )
    desk.hand_in("gil/a.ipynb")
    desk.hand_in("gil/b.ipynb", half="def half(x):\n    return x")
    (desk.downloads / "hal.ipynb").write_text('{"cells": [')
    (desk.downloads / "readme.txt").write_text("")
    (desk.downloads / "list.csv").write_text("")
    desk.course.mkdir(mode=0o700)
    (desk.course / "roster.csv").write_text("student,mail\nada,a@x\nzoe,z@x\n", encoding="utf-8-sig")
    return desk


def test_a_class_is_graded_and_every_row_is_right(graded, capfd, monkeypatch):
    monkeypatch.setenv("PGTGRADE_SECRET", "a secret")
    assert graded.run("grade", graded.downloads, "--jobs", 2) == 1
    assert {student: brief(line) for student, line in graded.rows().items()} == {
        "'=eve": "by hand - 1 3 -",
        "ada": "by hand - 1 3 -",
        "Ben Åkesson": "by hand - 0 3 -",
        "cleo": "graded 0 0 0 0",
        "dan": "by hand - 1 0 -",
        "fay": "by hand - 0 3 -",
        "gil": "NOT GRADED - - - -",
        "hal": "NOT GRADED - - - -",
        "readme": "NOT GRADED - - - -",
        "zoe": "no submission - - - -",
    }
    assert {line["max"] for line in graded.rows().values()} == {"6"}
    notes = {student: line["notes"] for student, line in graded.rows().items()}
    assert notes["ada"] == ""
    assert notes["gil"].startswith("2 notebooks: gil/a.ipynb, gil/b.ipynb; expected one")
    assert "cell mass is left out: its process ended by itself" in notes["dan"]
    said, warned = capfd.readouterr()
    assert said.splitlines() == [
        "Not submissions, and ignored: list.csv",
        "NOT GRADED  gil: 2 notebooks: gil/a.ipynb, gil/b.ipynb; expected one",
        """NOT GRADED  hal: not a notebook: it ends in the middle (line 1); it begins with '{"cells": ['""",
        "NOT GRADED  readme: not a notebook: readme.txt; expected a file .ipynb",
        "10 rows: 1 graded, 5 by hand, 3 NOT GRADED, 1 no submission. See "
        f"{graded.course / 'grades-small.csv'}",
    ]
    assert warned == ""
    # once more: nothing is examined, the rows are the same
    before = graded.rows()
    assert graded.run("grade", graded.downloads) == 1
    assert capfd.readouterr().out.splitlines()[1] == (
        "6 graded before and unchanged (--again examines them once more)."
    )
    assert graded.rows() == before


def test_the_hidden_tests_the_solutions_and_the_secret_are_in_no_file_for_students(graded):
    files = [*graded.course.rglob("autograded/**/*"), *graded.course.rglob("results/**/*")]
    texts = [path.read_text() for path in files if path.is_file()]
    assert len(texts) == 6 + 9
    for secret in ("a secret", "drawn(", "rho.sum(), cause", "np.sum", "Rubric"):
        assert not [text for text in texts if secret in text]


def test_derivations_feedback_and_export(graded, capsys):
    assert graded.run("derivations") == 0
    table = graded.course / "derivations" / "small.csv"
    assert capsys.readouterr().out.splitlines() == [
        f"{graded.course / 'derivations' / 'small.html'}: 6 submissions; derivations graded: 1.",
        f"{graded.course / 'rubric' / 'small.csv'}: the items of the rubric; add your own.",
        f"{table}: fill in items or points, then: pgtgrade derivations small --read",
    ]
    text = table.read_text(encoding="utf-8-sig")
    text = text.replace('"', "")
    assert text.splitlines()[1:3] == ["'=eve,derive-why,,,2,", "ada,derive-why,,,2,"]
    wrong = text.replace("ada,derive-why,,,2,", "ada,derive-why,,7,2,")
    table.write_text(wrong, encoding="utf-8")
    assert graded.run("derivations", "--read", table) == 1
    said, warned = capsys.readouterr()
    assert "points in 1 line are in the gradebook" in said
    assert warned == "NOT STORED  line 3: '7' for ada; expected points from 0 to 2\n"
    table.write_text(text.replace("ada,derive-why,,,2,", "ada,derive-why,,2,2,Good."), encoding="utf-16")
    assert graded.run("derivations") == 2
    assert "holds entries that have not been read" in capsys.readouterr().err
    assert graded.run("derivations", "--read") == 0
    assert "points in 2 lines are in the gradebook" in capsys.readouterr().out
    assert graded.run("derivations", "--read", table.name) == 0
    assert graded.run("derivations", "--read", table) == 0
    (copy,) = (graded.course / "by-hand").iterdir()
    assert graded.run("derivations", "--restore", copy) == 0
    assert graded.run("derivations", "--anonymous") == 0
    assert graded.run("derivations", "--overwrite") == 0
    capsys.readouterr()

    assert graded.run("export", "--out", graded.course / "other.csv") == 0
    assert brief(graded.rows("other.csv")["ada"]) == "graded 6 1 3 2"
    assert "2 graded, 4 by hand, 3 NOT GRADED, 1 no submission" in capsys.readouterr().out

    assert graded.run("feedback") == 0
    folder = graded.course / "feedback" / "small"
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}: 6 pages; index.csv says whose is which.",
        "4 of them say of a derivation: not graded yet.",
        "No page for what was not graded: gil, hal, readme",
    ]
    with open(folder / "index.csv", encoding="utf-8-sig", newline="") as file:
        files = {line["student"]: line["file"] for line in csv.DictReader(file)}
    assert "6 of 6 points" in (folder / files["ada"]).read_text()
    # S10: who knows the name of a classmate cannot compute the address
    assert not any(key_of(student) in file or student in file for student, file in files.items())
    assert {len(file) for file in files.values()} == {len("0" * 32 + ".html")}
    assert (graded.course / ".salt").stat().st_mode & 0o077 == 0 or os.name != "posix"


# --- what is refused -------------------------------------------------------------------------------


def test_release(desk, capsys):
    assert desk.run("release") == 0
    path = desk.course / "release" / "small" / "small.ipynb"
    said, warned = capsys.readouterr()
    assert said == f"{path}: 3 questions, 6 points. Hand this file out.\n"
    assert "On Colab it lacks pgtlab: name the address of your book with --site" in warned
    assert json.loads(path.read_text()) == desk.set.release


def test_on_colab_the_first_cell_of_a_release_installs_pgtlab(desk, capsys):
    """... from the published book, of which the option knows the address, or else the book's own settings."""
    (desk.folder / "_config.yml").write_text('html:\n  baseurl: "https://example.org/book/"   # here\n')
    for options, site in ([], "https://example.org/book"), (["--site", "http://a.b"], "http://a.b"):
        assert desk.run("release", *options) == 0
        assert capsys.readouterr().err == ""
        notebook = json.loads((desk.course / "release" / "small" / "small.ipynb").read_text())
        first, *rest = notebook["cells"]
        assert rest == desk.set.release["cells"]
        wheel = f"pgtlab-{importlib.metadata.version('pgtlab')}-py3-none-any.whl"
        assert first["source"].splitlines()[-2:] == [
            'if "google.colab" in sys.modules:',
            f"    %pip install --quiet {site}/lite/pypi/{wheel}",
        ]
    # it is run as Colab stores it, without metadata, and where nothing is to be installed it does nothing
    solved = small.with_sources(notebook, **RIGHT)
    for cell in solved["cells"]:
        cell["metadata"] = {"id": cell.pop("id")}
    for student, each in [("ada", solved), ("ben", notebook)]:
        (desk.downloads / f"{student}.ipynb").write_text(json.dumps(each), encoding="utf-8")
    assert desk.run("grade", desk.downloads) == 0
    rows = desk.rows()
    assert (rows["ada"]["half"], rows["ada"]["mass"]) == ("1", "3")
    assert rows["ada"]["notes"].startswith("metadata missing, recognised all the same")
    assert "edited" not in rows["ada"]["notes"]
    assert rows["ben"]["notes"].startswith("as released: nothing was filled in")
    assert desk.run("release", "--site", "my book") == 2
    assert "the book is at 'my book'; expected its address" in capsys.readouterr().err


def test_without_isolation_nothing_runs_unless_asked(desk, capsys, monkeypatch):
    desk.hand_in("ada.ipynb")

    def none(hidden):
        raise IsolationError("isolation needs bubblewrap")

    monkeypatch.setattr("pgtgrade.isolation.isolated", none)
    assert desk.run("grade", desk.downloads) == 2
    assert capsys.readouterr().err == "pgtgrade: isolation needs bubblewrap\n"
    assert not desk.course.exists()
    assert desk.run("grade", desk.downloads, "--unsafe-without-isolation") == 0
    said = capsys.readouterr().err
    assert said.startswith("WARNING: without isolation submitted code can read the solutions")
    assert "No secret (--secret-file, PGTGRADE_SECRET, or secret_file in course.toml)" in said
    assert desk.rows()["ada"]["notes"] == "run without isolation"


def test_a_broken_isolation_is_found_before_anything_runs(desk, capsys, monkeypatch):
    desk.hand_in("ada.ipynb")
    from pgtgrade import walls

    desk.folder.chmod(0o755)  # open to the student's user, who is not this one
    roots = walls.roots()
    monkeypatch.setattr(walls, "roots", lambda: [*roots, str(desk.folder)])
    monkeypatch.setattr(
        "pgtgrade.isolation.isolated", lambda hidden: walls.Isolation(shutil.which("bwrap"), ())
    )
    monkeypatch.setattr("pgtgrade.isolation._entries", lambda isolation: [str(desk.downloads)])
    assert desk.run("grade", desk.downloads) == 2
    assert f"sees {desk.downloads}" in capsys.readouterr().err
    assert not desk.course.exists()


def test_an_interruption_keeps_what_is_done(desk, capsys, monkeypatch):
    """G11: and the table says what there is."""
    from pgtgrade import examination

    desk.hand_in("ada.ipynb")
    desk.hand_in("ben.ipynb")
    whole, seen = examination.examine, []

    def interrupted(*arguments, **options):
        seen.append(True)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr("pgtgrade.examination.examine", interrupted)
    assert desk.run("grade", desk.downloads, "--unsafe-without-isolation", "--jobs", 1) == 130
    said = capsys.readouterr().err
    assert "What was graded is kept" in said
    assert f"The table so far: {desk.course / 'grades-small.csv'}" in said
    assert {name: line["status"] for name, line in desk.rows().items()} == {"ada": "by hand"}


def test_what_cannot_be_run_is_said(desk, capsys, tmp_path):
    def fails(*arguments):
        code = desk.run(*arguments)
        assert code == 2
        return capsys.readouterr().err

    desk.course.mkdir()
    assert "is the grader's own; expected the folder with the downloads" in fails("grade", desk.course)
    (desk.folder / "course.txt").write_text("")
    assert (
        main(
            [
                "grade",
                "small",
                str(desk.downloads),
                "--source",
                str(desk.folder / "sets"),
                "--course",
                str(desk.folder / "course.txt"),
                "--unsafe-without-isolation",
            ]
        )
        == 2
    )
    assert capsys.readouterr().err.endswith("course.txt/course.toml: Not a directory\n")
    assert "no such folder; expected the one with the downloads" in fails("grade", tmp_path / "gone")
    for command in ("feedback", "derivations"):
        assert "no results of small; run pgtgrade grade small first" in fails(command)
    empty = tmp_path / "empty"
    empty.write_text("\n")
    assert "is empty; expected the secret" in fails("grade", desk.downloads, "--secret-file", empty)
    assert "no submission in it; expected STUDENT.ipynb files" in fails("grade", desk.downloads)
    roster = tmp_path / "roster"
    roster.write_text("name,mail\n")
    assert "no column student" in fails("export", "--roster", roster)
    assert "No such file" in fails("export", "--roster", tmp_path / "gone")
    assert main(["release", "ps9", "--source", str(tmp_path)]) == 2
    assert "expected the source of ps9 there" in capsys.readouterr().err


def test_results_and_the_gradebook_go_together(desk, capsys):
    desk.hand_in("ada.ipynb")
    desk.run("grade", desk.downloads, "--unsafe-without-isolation")
    (desk.course / "gradebook.db").unlink()
    assert desk.run("feedback") == 0
    assert (
        "lacked 1 graded submissions of small: their points are entered again.\n" in capsys.readouterr().err
    )
    assert brief(desk.rows()["ada"]) == "by hand - 1 3 -"
    (desk.course / "results" / "small" / f"{key_of('ada')}.json").write_text("{")
    assert desk.run("export") == 2
    assert "expected a result: delete the file and grade again" in capsys.readouterr().err
    table = desk.folder / "latin.csv"
    table.write_bytes("student,question,points\nÅsa".encode("latin-1"))
    (desk.course / "results" / "small" / f"{key_of('ada')}.json").unlink()
    desk.run("grade", desk.downloads, "--unsafe-without-isolation")
    capsys.readouterr()
    assert desk.run("derivations", "--read", table) == 2
    assert capsys.readouterr().err == (
        f"pgtgrade: {table}: nothing of it was stored: no text in UTF-8 or UTF-16; save it as CSV UTF-8\n"
    )


def test_a_roster_of_names_alone_and_a_secret_in_a_file(desk, capsys):
    desk.hand_in("ada.ipynb")
    roster, secret = desk.folder / "names.txt", desk.folder / "secret"
    roster.write_text("zoe\nada\n\nzoe\n", encoding="utf-16")
    secret.write_text("a secret\n")
    assert desk.run("grade", desk.downloads, "--roster", roster, "--secret-file", secret) == 0
    assert {name: line["status"] for name, line in desk.rows().items()} == {
        "ada": "by hand",
        "zoe": "no submission",
    }
    assert desk.rows()["ada"]["notes"] == ""
    assert capsys.readouterr().err == ""


def test_from_canvas_and_back(desk, capsys):
    desk.course.mkdir(mode=0o700)
    (desk.course / "roster.csv").write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,A small set (9)\n    Points Possible,,,,,6\n"
        '"Lovelace, Ada",12,S,ada,Tue,\n"O\'Neil, Ben",13,T,ben,Tue,3\n',
        encoding="utf-8",
    )
    (desk.course / "course.toml").write_text(
        "[small]\ndue = 2026-11-20T12:00:00\npercent_per_day = 10\n"
        '[small.handed_in]\n"Ada Lovelace" = 2026-11-20T13:00:00\n'
    )
    text = small.text(small.with_sources(desk.set.release, **{**RIGHT, "derive_why": "YOUR ANSWER HERE"}))
    with zipfile.ZipFile(desk.folder / "submissions.zip", "w") as archive:
        archive.writestr("lovelaceada_LATE_12_77_small.ipynb", text)
    options = ("--unsafe-without-isolation", "--attempts", "last")
    assert desk.run("grade", desk.folder / "submissions.zip", *options) == 0
    row = desk.rows()["Lovelace, Ada"]
    assert (row["status"], row["total"]) == ("graded", "3.6")
    assert "1 day late: 10 % taken off" in row["notes"]
    assert desk.rows()["O'Neil, Ben"]["status"] == "no submission"
    assert desk.run("export") == 0
    path = desk.course / "for-canvas-small.csv"
    said = capsys.readouterr().out
    assert f"{path}: 1 total, for Canvas to import, in the column 'A small set (9)'. Who has" in said
    with open(path, encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[2:] == [["Lovelace, Ada", "12", "S", "ada", "Tue", "3.6"]]
    assert desk.run("feedback") == 0
    path = desk.course / "feedback" / "small-for-the-platform.zip"
    assert f"{path}: 1 of them under the names" in capsys.readouterr().out
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        assert name == "lovelaceada_LATE_12_77_feedback.html"
        assert b"3.6 of 6 points (1 day late: 10 % taken off)" in archive.read(name)


def test_a_table_that_nobody_can_read_is_not_written_over(desk, capsys):
    desk.hand_in("ada.ipynb")
    desk.run("grade", desk.downloads, "--unsafe-without-isolation")
    assert desk.run("derivations") == 0
    (desk.course / "derivations" / "small.csv").write_text("my notes")
    capsys.readouterr()
    assert desk.run("derivations") == 2
    assert "or write over them with --overwrite" in capsys.readouterr().err


def test_a_set_without_derivations(desk, capsys):
    desk.hand_in("ada.ipynb")
    source = small.source()
    del source["cells"][-1]
    (desk.folder / "sets" / "small" / "small.ipynb").write_text(small.text(source))
    assert desk.run("grade", desk.downloads, "--unsafe-without-isolation") == 0
    assert desk.rows()["ada"]["total"] == "4"
    assert desk.run("derivations") == 2
    assert "small has no question that is graded by hand" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--jobs", "0", "'0'; expected a whole number from 1 on"),
        ("--seconds", "soon", "'soon'; expected seconds, more than 0"),
        ("--total", "inf", "'inf'; expected seconds, more than 0"),
        ("--memory", "2T", "'2T'; expected bytes, such as 2G or 800M"),
    ],
)
def test_options_that_make_no_sense(option, value, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["grade", "ps1", ".", option, value])
    assert message in capsys.readouterr().err


def test_the_command_is_installed_and_says_what_it_does():
    beside = Path(sys.executable).with_name("pgtgrade")
    for command in ([sys.executable, "-m", "pgtgrade"], *([[str(beside)]] if beside.exists() else [])):
        run = subprocess.run([*command, "--help"], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        for name in ("release", "grade", "derivations", "feedback", "export"):
            assert f"\n    {name}" in run.stdout


# --- the sets of the book --------------------------------------------------------------------------


SETS = Path(__file__).parents[2] / "book" / "exercises"


def instructors(chosen):
    """Return the students' version with the instructor's solutions in it."""
    notebook, solutions = json.loads(json.dumps(chosen.release)), {}
    for cell in chosen.notebook["cells"]:
        lines = "".join(cell["source"]).split("\n")
        solutions[cell["id"]] = "\n".join(line for line in lines if " SOLUTION" not in line)
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = solutions[cell["id"]]
    return notebook


@pytest.mark.parametrize("name", sorted(path.name for path in SETS.iterdir() if path.is_dir()))
def test_a_set_of_the_book_is_graded(name, tmp_path, capsys, monkeypatch):
    """The instructor's solution earns all points in isolation, with a secret, and what was released none."""
    monkeypatch.setenv("PGTGRADE_SECRET", "another secret")
    chosen = problem_set(name, SETS)
    (tmp_path / "downloads").mkdir()
    for student, notebook in [("ada", instructors(chosen)), ("ben", chosen.release)]:
        (tmp_path / "downloads" / f"{student}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    options = ["--source", str(SETS), "--course", str(tmp_path / "course"), "--out", str(tmp_path / "csv")]
    assert main(["grade", name, str(tmp_path / "downloads"), *options]) == 0, capsys.readouterr()
    with open(tmp_path / "csv", encoding="utf-8-sig", newline="") as file:
        ada, ben = csv.DictReader(file)
    assert chosen.points == 20
    for question in chosen.questions:
        earned = "" if question.by_hand else f"{question.points:g}"
        assert (question.name, ada[question.name]) == (question.name, earned)
    assert ada["status"] == "by hand"
    assert ada["notes"].startswith("the book's solution, but for names and layout: ")
    assert (ben["status"], ben["total"]) == ("graded", "0")
