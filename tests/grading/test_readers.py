"""Items of a rubric that are used again, and two readers who may differ."""

import csv
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make grading`")

from pgtgrade.gradebook import gradebook
from pgtgrade.readings import FIRST, Reading, read_readings
from pgtgrade.results import key_of
from pgtgrade.rubric import read_rubric
from tests.grading.test_batch import RIGHT, Class
from tests.grading.test_class import command

#: What the set itself has no bullets for.
RUBRIC = """\
question,item,points,text
derive-why,sum,1,the sum of $\\gamma^n$
derive-why,limit,1,the limit
derive-why,gap,-0.5,a reason is missing
"""


@pytest.fixture
def class_(tmp_path):
    class_ = Class(tmp_path)
    for name in ("ada", "ben", "cleo"):
        class_.hand_in(name, **{**RIGHT, "derive_why": f"Because, says {name}."})
    class_.grade()
    (class_.course.folder / "rubric").mkdir()
    (class_.course.folder / "rubric" / "small.csv").write_text(RUBRIC)
    return class_


def table(class_, name="small"):
    return class_.course.folder / "derivations" / f"{name}.csv"


def fill_in(class_, name="small", **given):
    """Fill in items and points, each as (items, points, comment)."""
    with open(table(class_, name), encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        if line["student"] in given:
            line["items"], line["points"], line["comment"] = given[line["student"]]
    with open(table(class_, name), "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def points(class_):
    with gradebook(class_.course, class_.set) as book:
        return {key.split("-")[0]: each["derive-why"].points for key, each in book.scores().items()}


def rubric(class_, old, new):
    path = class_.course.folder / "rubric" / "small.csv"
    path.write_text(path.read_text().replace(old, new))


def test_items_are_summed_counted_and_shown(class_, capsys):
    assert command(class_, "derivations") == 0
    fill_in(class_, ada=("sum, limit", "", ""), ben=("sum;gap", "", "Why?"), cleo=("gap", "1", ""))
    assert command(class_, "derivations", "--read") == 0
    # 1 + 1; 1 - 0.5; 1 beside an item of -0.5
    assert points(class_) == {"ada": 2, "ben": 0.5, "cleo": 0.5}
    assert command(class_, "derivations") == 0
    page = table(class_).with_suffix(".html").read_text()
    row = '<td>gap</td><td class="number">-0.5</td>'
    assert row in page
    assert page[page.index(row) :].split('<td class="number">')[2].startswith("2<")
    # what was read comes out as it went in
    before = table(class_).read_text()
    assert command(class_, "derivations") == 0
    assert table(class_).read_text() == before
    assert '"ben","derive-why","sum gap","","2","Why?"' in before
    assert command(class_, "feedback") == 0
    index = (class_.course.folder / "feedback" / "small" / "index.csv").read_text(encoding="utf-8-sig")
    (file,) = (line.split(",")[1].strip('"') for line in index.splitlines() if line.startswith('"ben"'))
    text = (class_.course.folder / "feedback" / "small" / file).read_text()
    assert "-0.5: " in text
    assert "a reason is missing" in text
    assert "the limit" not in text


def test_points_change_for_all_in_one_place_but_not_what_was_given_otherwise(class_, capsys):
    command(class_, "derivations")
    fill_in(class_, ada=("sum", "", "So."), ben=("sum limit", "", ""), cleo=("", "2", ""))
    command(class_, "derivations", "--read")
    command(class_, "regrade", "--student", "ben", "--question", "derive-why", "--asked", "x")
    command(class_, "regrade", "--decide", "1", "--points", "1.5", "--because", "y")
    rubric(class_, "sum,1,", "sum,0.25,")
    capsys.readouterr()
    assert command(class_, "export") == 0
    said = capsys.readouterr()
    assert points(class_) == {"ada": 0.25, "ben": 1.5, "cleo": 2}
    assert "points of 1 derivations changed with the rubric" in said.out
    assert "ben, derive-why: points were given in another way since, and stay" in said.err
    with gradebook(class_.course, class_.set) as book:
        assert book.scores()[key_of("ada")]["derive-why"].comment == "So."
    # told once
    assert command(class_, "export") == 0
    assert "stay" not in capsys.readouterr().err


def test_what_is_no_item_is_told_with_its_line(class_, capsys):
    command(class_, "derivations")
    fill_in(class_, ada=("sum none", "", ""), ben=("sum", "2", ""), cleo=("limit", "", ""))
    assert command(class_, "derivations", "--read") == 1
    said = capsys.readouterr().err
    assert "line 2: no item 'none' of derive-why; expected some of sum, limit, gap" in said
    assert "line 3: items sum and '2' for ben; expected points from 0 to 2" in said
    assert points(class_) == {"ada": None, "ben": None, "cleo": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("derive-why,sum,1,again", "line 5: derive-why has an item sum already"),
        ("derive-why,a b,1,x", "line 5: 'a b' is no name of an item"),
        ("nil,a,1,x", "line 5: no question 'nil'"),
        ("derive-why,a,much,x", "line 5: 'much' are no points"),
    ],
)
def test_a_rubric_that_cannot_be_read_says_where(class_, capsys, line, message):
    rubric(class_, RUBRIC, RUBRIC + line + "\n")
    assert command(class_, "derivations") == 2
    assert message in capsys.readouterr().err


def test_the_items_of_the_book_are_those_of_its_rubrics():
    from pgtgrade.problem_sets import problem_set
    from pgtgrade.results import Course

    for name in ("ps1", "ps2", "ps3", "ps4", "ps5", "ps6"):
        chosen = problem_set(name)
        for question in chosen.questions:
            if question.by_hand:
                items = read_rubric(Course(Path("nowhere")), chosen)[question.name]
                assert sum(each.points for each in items.values()) == question.points, name


def test_a_second_reader_sees_no_points_and_changes_none(class_, capsys):
    command(class_, "derivations")
    fill_in(class_, ada=("sum", "", "Almost."), ben=("sum limit", "", ""))
    command(class_, "derivations", "--read")
    assert command(class_, "derivations", "--reader", "eva") == 0
    text = table(class_, "small-eva").with_suffix(".html").read_text()
    assert "Almost" not in text + table(class_, "small-eva").read_text()
    assert "not graded yet" in text
    fill_in(
        class_, "small-eva", ada=("sum limit", "", "Fine."), ben=("limit sum", "", ""), cleo=("", "1", "")
    )
    capsys.readouterr()
    assert command(class_, "derivations", "--reader", "eva", "--read") == 0
    assert "Read by two or more: 2; they differ in 1 that are not settled." in capsys.readouterr().out
    assert points(class_) == {"ada": 1, "ben": 2, "cleo": None}
    page = table(class_, "small-differences").with_suffix(".html").read_text()
    for part in ("first: 1 of 2", "eva: 2 of 2", "Almost.", "Fine.", "Because, says ada."):
        assert part in page
    assert "says ben" not in page
    assert command(class_, "export") == 0
    assert (
        "derive-why: read as 1 and 2, not settled" in (class_.course.folder / "grades-small.csv").read_text()
    )


def test_differences_are_settled_until_somebody_reads_otherwise(class_, capsys):
    command(class_, "derivations")
    fill_in(class_, ada=("sum", "", "Almost."))
    command(class_, "derivations", "--read")
    command(class_, "derivations", "--reader", "eva")
    fill_in(class_, "small-eva", ada=("sum limit", "", ""))
    command(class_, "derivations", "--reader", "eva", "--read")
    fill_in(class_, "small-differences", ada=("sum limit gap", "", "We agreed."))
    assert command(class_, "derivations", "--settle") == 0
    assert points(class_)["ada"] == 1.5
    assert not table(class_, "small-differences").exists()
    # the first table, written and read again, undoes nothing
    command(class_, "derivations")
    command(class_, "derivations", "--read")
    assert points(class_)["ada"] == 1.5
    # the rubric changes: what was agreed on follows
    rubric(class_, "gap,-0.5,", "gap,-1,")
    command(class_, "derivations")
    assert points(class_)["ada"] == 1
    # the first reader thinks again: that is open once more
    fill_in(class_, ada=("", "0", ""))
    capsys.readouterr()
    command(class_, "derivations", "--read")
    assert "they differ in 1" in capsys.readouterr().out
    assert points(class_)["ada"] == 0


@pytest.mark.parametrize("name", ["first", "settled", "differences", "a b", "../x"])
def test_a_second_reader_needs_a_name_of_ones_own(class_, capsys, name):
    assert command(class_, "derivations", "--reader", name) == 2
    assert "is no name of a second reader" in capsys.readouterr().err


def test_what_is_settled_needs_a_difference(class_, capsys):
    assert command(class_, "derivations", "--settle") == 2
    assert "there is one as long as two readers differ" in capsys.readouterr().err
    assert command(class_, "derivations", "--settle", "--reader", "eva") == 2


def test_readings_come_back_as_they_were_kept(class_):
    command(class_, "derivations")
    fill_in(class_, ada=("sum gap", "0.5", "ünï"))
    command(class_, "derivations", "--read")
    found = read_readings(class_.course, "small")
    assert found.of(FIRST) == {(key_of("ada"), "derive-why"): Reading(("sum", "gap"), 0.5, "ünï")}
    path = class_.course.folder / "readings" / "small.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match="expected the file as it was written"):
        read_readings(class_.course, "small")
