"""The demonstration: its made-up class, and the steps a lecturer takes with it."""

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make grading`")

from pgtgrade import demo, isolation
from pgtgrade.__main__ import main
from pgtgrade.demo import people
from pgtgrade.demo.answers import DERIVATIONS, ODD, RIGHT, SLIPS
from pgtgrade.downloads import find
from pgtgrade.here import examine_here
from pgtgrade.problem_sets import problem_set
from pgtgrade.roster import read_roster

SETS = Path(__file__).resolve().parents[2] / "book" / "exercises"


@pytest.fixture(scope="module")
def ps1():
    return problem_set("ps1", SETS)


def fallen(ps1, answers, *names):
    tests = [f"test-{name}" for name in names]
    found = examine_here(answers, ps1.notebook, tests)
    return {name.removeprefix("test-") for name, (_, said) in found.items() if said}


@pytest.mark.parametrize("style", range(3))
@pytest.mark.filterwarnings("ignore")
def test_every_style_is_right(ps1, style):
    answers = {name: styles[style] for name, styles in RIGHT.items()}
    assert fallen(ps1, answers, *RIGHT) == set()


@pytest.mark.filterwarnings("ignore")
def test_every_slip_falls(ps1):
    for words, (name, style, old, new) in SLIPS.items():
        assert old in RIGHT[name][style], words
        answers = {each: styles[0] for each, styles in RIGHT.items()}
        answers[name] = RIGHT[name][style].replace(old, new)
        assert fallen(ps1, answers, name) == {name}, words


def test_the_class_hands_in_what_a_class_hands_in(ps1, tmp_path):
    (tmp_path / "roster.csv").write_text(people.roster(ps1), encoding="utf-8")
    people.write_downloads(tmp_path / "a.zip", ps1)
    roster = read_roster(tmp_path / "roster.csv")
    assert len(roster.people) == len(people.CLASS) == 30
    (tmp_path / "out").mkdir()
    found, ignored = find(tmp_path / "a.zip", "ps1", unpacked=tmp_path / "out", roster=roster)
    by_name = {each.student: each for each in found}
    assert ignored == []
    assert set(roster.names) - set(by_name) == {"Yılmaz, Deniz", "Zhou, Li"}
    assert set(by_name) <= set(roster.names)
    assert [name for name, each in by_name.items() if each.fault] == ["Wójcik, Hanna"]
    assert [name for name, each in by_name.items() if len(each.paths) > 1] == ["Castillo Núñez, María José"]
    assert sum(each.late for each in found) == 3
    # everything that is made up is used by somebody
    used = {wrong for each in people.CLASS for wrong in each.wrong}
    assert used == {*SLIPS, *ODD}
    assert {each.derivation for each in people.CLASS} == {*DERIVATIONS, ""}


def test_who_worked_together_has_other_names(ps1):
    one, other = (each for each in people.CLASS if each.how.startswith("together"))
    mine, theirs = (people._answers(0, each, ps1)["small-step"] for each in (one, other))
    assert re.findall(r"\W", mine) == re.findall(r"\W", theirs)
    assert not {"measures", "chain", "distance"} & set(re.findall(r"\w+", theirs))


def test_what_is_missing_is_said_plainly(ps1, tmp_path, monkeypatch, capsys):
    def nowhere(*_):
        raise isolation.IsolationError("no bubblewrap here")

    monkeypatch.setattr(isolation, "isolated", nowhere)
    assert main(["demo", "--source", str(SETS), "--folder", str(tmp_path / "new")]) == 2
    assert "needs what is not here:\n- isolation of submitted code: no bubblewrap" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "lacking", list)
    (tmp_path / "mine").write_text("x")
    assert main(["demo", "--source", str(SETS), "--folder", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


@pytest.mark.skipif(not (shutil.which("bwrap") or os.environ.get("CI")), reason="bubblewrap is not installed")
def test_it_goes_through_with_a_few_of_them(tmp_path, monkeypatch, capsys):
    names = ("Grigoryan", "O'Brien", "Pereira", "Wójcik", "Zhou")
    few = tuple(each for each in people.CLASS if each.name.split(",")[0] in names)
    monkeypatch.setattr(people, "CLASS", few)
    monkeypatch.setattr(demo, "CLASS", few)
    folder = tmp_path / "demo"
    assert main(["demo", "--source", str(SETS), "--folder", str(folder), "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert "5 rows: 3 graded, 1 NOT GRADED, 1 no submission" in said
    assert "1 pair of 3 submissions is suspiciously alike" in said
    assert "Older than the points now" in said
    assert said.count("  $ pgtgrade ") == said.count(f"--course {folder / 'course'}")
    assert "by-time, decided (0 before, 1 after)" in said
    shown = [Path(each) for each in re.findall(r"LOOK AT  (.+)", said)]
    assert len(shown) > 15
    assert [each for each in shown if not each.exists()] == []
    with zipfile.ZipFile(folder / "course" / "feedback" / "ps1-for-the-platform.zip") as archive:
        assert len(archive.namelist()) == 3
