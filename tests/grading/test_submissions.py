"""Submissions are put in order, and whatever is wrong with one is a sentence."""

import copy
import json

import pytest

from pgtgrade.problem_sets import grade_id, problem_set
from pgtgrade.submissions import prepare
from tests.grading import small


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    return small.stored(tmp_path_factory.mktemp("sets"))


WORD_PROCESSOR = (
    "not a notebook: typographic quotes: it was opened in a word processor; ask for the file again"
)


def released(chosen):
    return copy.deepcopy(chosen.release)


def worked(chosen):
    """Return the released notebook with answers in it."""
    return small.with_sources(
        released(chosen), half="def half(x):\n    return x / 2", mass="def mass(rho):\n    return rho.sum()"
    )


def prepared(notebook, chosen):
    return prepare(small.text(notebook).encode(), chosen)


def names(prepared):
    return [grade_id(cell) for cell in prepared.cells]


# --- the notebook ----------------------------------------------------------------------------------


def test_a_worked_notebook_is_as_it_is(chosen):
    found = prepared(worked(chosen), chosen)
    assert found.fault is None
    assert found.notes == []
    assert names(found) == list(chosen.cells)
    assert found.answers["half"] == "def half(x):\n    return x / 2"
    assert found.released == {"derive-why"}
    assert "BEGIN" not in json.dumps(found.cells)


def test_an_untouched_notebook(chosen):
    found = prepared(released(chosen), chosen)
    assert found.notes == ["as released: nothing was filled in"]
    assert found.released == {"half", "mass", "derive-why"}


def faults(chosen):
    old = {"nbformat": 3, "metadata": {}, "worksheets": []}
    other = released(chosen)
    other["metadata"]["pgtgrade"]["set"] = "ps2"
    foreign = {**released(chosen), "metadata": {}, "cells": released(chosen)["cells"][:2]}
    return {
        b"": "an empty file",
        b" \n": "an empty file",
        b"\xff\xfe\x00": "not a notebook: no text in UTF-8",
        b"<!DOCTYPE html>": "not a notebook: Expecting value (line 1); it begins with '<!DOCTYPE html>'",
        b'{"cells": [{"source": "hal': "not a notebook: it ends in the middle (line 1); "
        """it begins with '{"cells": [{"sou'""",
        b'{"cells": [': """not a notebook: it ends in the middle (line 1); it begins with '{"cells": ['""",
        b"[" * 100_000: "not a notebook: RecursionError",
        b"7" * 10_000: "not a notebook: ValueError",
        b"[]": "not a notebook: JSON of another kind",
        '{\n "cells": [{\N{LEFT DOUBLE QUOTATION MARK}x'.encode(): WORD_PROCESSOR,
        "{\n \N{DOUBLE LOW-9 QUOTATION MARK}cells".encode(): WORD_PROCESSOR,
        '{"cells": \N{RIGHT DOUBLE QUOTATION MARK}'.encode(): WORD_PROCESSOR,
        b"{\r\n \x93cells\x94: []}": WORD_PROCESSOR,
        b'{"nbformat": 4}': "not a notebook: it has no list of cells",
        json.dumps(old).encode(): "notebook format 3; expected 4: open and save it in a newer Jupyter",
        json.dumps(other).encode(): "another set: ps2; expected small",
        json.dumps(foreign).encode(): "another notebook: no cell of this set is in it",
        b'{"nbformat": 4, "cells": []}': "another notebook: no cell of this set is in it",
    }


def test_what_is_no_notebook_of_this_set(chosen):
    for data, fault in faults(chosen).items():
        assert prepare(data, chosen).fault == fault


def test_a_byte_order_mark_and_windows_lines(chosen):
    data = small.text(worked(chosen)).replace("\\n", "\\r\\n").encode("utf-8-sig")
    assert prepare(data, chosen).notes == []


def test_locked_cells_are_put_back(chosen):
    notebook = small.with_sources(
        worked(chosen), setup="import os", check_half="print('fine')", test_half="pass", q_half="easy"
    )
    found = prepared(notebook, chosen)
    assert found.notes == ["edited, and put back as released: setup, q-half, check-half, test-half"]
    for name in ("setup", "check-half", "test-half", "q-half"):
        (cell,) = (each for each in found.cells if grade_id(each) == name)
        assert cell["source"] == chosen.cells[name]["source"]


def test_deleted_cells_come_back_in_their_place(chosen):
    notebook = worked(chosen)
    gone = {"intro", "setup", "check-half", "test-half", "q-why"}
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in gone]
    found = prepared(notebook, chosen)
    assert names(found) == list(chosen.cells)
    assert found.notes == ["deleted, and put back: intro, setup, check-half, q-why"]


def test_a_deleted_answer_is_missing_and_not_put_back(chosen):
    notebook = worked(chosen)
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in ("half", "derive-why")]
    found = prepared(notebook, chosen)
    assert names(found) == [each for each in chosen.cells if each not in ("half", "derive-why")]
    assert found.notes == ["the answer cell half is missing", "the answer cell derive-why is missing"]
    assert found.answers["half"] is None
    assert found.answers["derive-why"] is None
    assert found.released == set()


def test_stripped_metadata_are_recognised_by_id(chosen):
    notebook = worked(chosen)
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    notebook["metadata"] = {}
    found = prepared(notebook, chosen)
    assert names(found) == list(chosen.cells)
    assert found.notes == ["metadata missing, recognised all the same: intro, setup, q-half, half and 8 more"]


def test_without_metadata_and_ids_a_solution_is_known_by_its_function(chosen):
    notebook = worked(chosen)
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id")
    notebook["cells"][3]["source"] += "\n\n\ndef other():\n    pass"
    found = prepare(json.dumps(notebook).encode(), chosen)
    assert found.answers["half"].startswith("def half(x):\n    return x / 2")
    assert found.answers["mass"] == "def mass(rho):\n    return rho.sum()"
    assert found.answers["derive-why"] == "YOUR ANSWER HERE"
    assert set(chosen.cells) <= set(names(found))
    # the data and the checks come back in their place, and run before and after the answer
    order = names(found)
    assert order.index("setup") < order.index("half") < order.index("check-half") < order.index("mass")


def test_ids_as_colab_keeps_them(chosen):
    notebook = worked(chosen)
    for cell in notebook["cells"]:
        cell["metadata"] = {"id": cell.pop("id")}
    small_set = prepare(json.dumps(notebook).encode(), chosen)
    assert names(small_set) == list(chosen.cells)
    assert small_set.notes == [
        "metadata missing, recognised all the same: intro, setup, q-half, half and 8 more"
    ]


def test_without_metadata_and_ids_locked_cells_and_derivations_are_known_by_their_place_and_text(chosen):
    notebook = small.with_sources(worked(chosen), derive_why="It halves.")
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id")
        cell["source"] = (
            cell["source"].replace("\n", " \r\n") if "half(x)" not in cell["source"] else cell["source"]
        )
    found = prepare(json.dumps(notebook).encode(), chosen)
    assert [each for each in names(found) if each] == list(chosen.cells)
    assert found.answers["derive-why"] == "It halves."
    assert not [each for each in found.notes if "deleted" in each]
    assert not found.own_text


def test_an_import_that_was_added_to_a_locked_cell_runs_after_it(chosen):
    setup = chosen.cells["setup"]["source"]
    added = (
        "import math, os  # mine\nfrom scipy import linalg\n    import sys\nnp = 3\nimport os; os._exit(0)"
    )
    notebook = small.with_sources(worked(chosen), setup=f"{setup}\n{added}")
    found = prepared(notebook, chosen)
    at = names(found).index("setup")
    assert found.cells[at]["source"] == setup
    assert found.cells[at + 1]["source"] == "import math, os  # mine\nfrom scipy import linalg"
    assert found.notes == ["edited, and put back as released: setup"]


def test_of_duplicates_the_one_with_the_released_id_counts(chosen):
    notebook = worked(chosen)
    copied = copy.deepcopy(small.cell(notebook, "half"))
    copied.update(id="c0ffee", source="def half(x):\n    return 0")
    notebook["cells"].insert(3, copied)
    found = prepared(notebook, chosen)
    assert found.answers["half"] == "def half(x):\n    return x / 2"
    assert found.notes == ["half is there 2 times; the others were kept as plain cells"]
    assert len(found.cells) == len(chosen.cells) + 1
    assert len({cell["id"] for cell in found.cells}) == len(found.cells)
    assert names(found).count("half") == 1


def test_edited_points_are_of_no_use(chosen):
    notebook = worked(chosen)
    small.cell(notebook, "test-half")["metadata"]["nbgrader"]["points"] = 100
    found = prepared(notebook, chosen)
    assert found.notes == ["points or grading metadata were edited; those of the source count"]
    (cell,) = (each for each in found.cells if grade_id(each) == "test-half")
    assert cell["metadata"]["nbgrader"]["points"] == 1


def test_cells_of_the_students_own_stay_where_they_are(chosen):
    notebook = worked(chosen)
    notebook["cells"].insert(
        4, {"cell_type": "code", "id": "x", "metadata": {}, "source": "1", "outputs": []}
    )
    notebook["cells"].append({"cell_type": "markdown", "id": "y", "metadata": {}, "source": "Because."})
    found = prepare(json.dumps(notebook).encode(), chosen)
    assert [each["source"] for each in found.cells if grade_id(each) is None] == ["1", "Because."]
    assert names(found)[4] is None
    assert found.own_text


def test_cells_that_are_none_are_left_out(chosen):
    notebook = worked(chosen)
    strange = [7, {}, {"cell_type": "heading", "source": ""}, {"cell_type": "code", "source": [1]}]
    lines = ["def half(x):\n", "    return x"]
    small.cell(notebook, "half").update(metadata=None, attachments=[], source=lines)
    small.cell(notebook, "mass")["source"] += "  # \ud800"
    notebook["cells"] = [*strange, *notebook["cells"]]
    notebook["metadata"] = []
    found = prepare(json.dumps(notebook).encode(), chosen)
    assert found.fault is None
    expected = [f"cell {index} of the file cannot be read and was left out" for index in range(4)]
    assert found.notes[:4] == expected
    assert found.answers["half"] == "def half(x):\n    return x"
    assert found.answers["mass"].endswith("# ?")
    assert json.dumps(found.cells).encode()


def test_an_answer_whose_cell_is_of_another_type(chosen):
    notebook = worked(chosen)
    small.cell(notebook, "derive-why").update(cell_type="code", outputs=[], execution_count=None, source="2")
    small.cell(notebook, "half").update(cell_type="markdown")
    found = prepare(json.dumps(notebook).encode(), chosen)
    assert {grade_id(each): each["cell_type"] for each in found.cells}["half"] == "code"
    assert {grade_id(each): each["cell_type"] for each in found.cells}["derive-why"] == "markdown"
    assert found.notes == [
        "half was a markdown cell; taken as code",
        "derive-why was a code cell; taken as markdown",
    ]


def test_of_attachments_pictures_alone_are_kept(chosen):
    notebook = worked(chosen)
    bundle = {
        "a.png": {"image/png": "aGk=\n"},
        "b.svg": {"image/svg+xml": "aGk="},
        "c.png": {"image/png": '"><script>'},
        "d.png": 3,
    }
    small.cell(notebook, "derive-why").update(attachments=bundle, source="See ![](attachment:a.png)")
    found = prepare(json.dumps(notebook).encode(), chosen)
    (cell,) = (each for each in found.cells if grade_id(each) == "derive-why")
    assert cell["attachments"] == {"a.png": {"image/png": "aGk="}}


# --- the set ---------------------------------------------------------------------------------------


def test_what_a_set_says(chosen):
    assert chosen.title == "A small set"
    assert chosen.points == 6
    assert [(each.name, each.cell, each.answer, each.by_hand) for each in chosen.questions] == [
        ("half", "test-half", "half", False),
        ("mass", "test-mass", "mass", False),
        ("derive-why", "derive-why", "derive-why", True),
    ]
    assert chosen.questions[1].title == "2. Mass (3 points)"
    assert chosen.functions == {"half": {"half"}, "mass": {"mass"}}


def broken(change):
    source = small.source()
    change(source)
    return json.dumps(source)


def drop_points(source):
    small.cell(source, "test-mass")["metadata"]["nbgrader"]["points"] = 0


def drop_questions(source):
    source["cells"] = source["cells"][:4]


def name_twice(source):
    small.cell(source, "test-mass")["metadata"]["nbgrader"]["grade_id"] = "test-half"


def name_alike(source):
    small.cell(source, "half")["metadata"]["nbgrader"]["grade_id"] = "answer"
    small.cell(source, "derive-why")["metadata"]["nbgrader"]["grade_id"] = "half"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("{}", "no notebook: KeyError('cells')"),
        ("[]", "no notebook: TypeError('list indices must be integers or slices, not str')"),
        (broken(drop_points), "test-mass: expected a grade_id and points above 0"),
        (broken(drop_questions), "no cell earns points; expected nbgrader's grade: true in some"),
        (
            broken(name_twice),
            "cell 9 (test-half): the grade_id is taken by a cell above; expected one of its own",
        ),
        (broken(name_alike), "half: two questions of one name; expected one each"),
        (
            broken(lambda source: small.cell(source, "half").update(source="### BEGIN SOLUTION")),
            "cell 3 (half): BEGIN SOLUTION; expected END SOLUTION after it",
        ),
        (
            broken(lambda source: small.cell(source, "half").update(source="def f(:")),
            "the source, cell half: invalid syntax (<half>, line 1)",
        ),
    ],
)
def test_a_source_that_cannot_be_graded(tmp_path, text, message):
    (tmp_path / "ps1").mkdir()
    (tmp_path / "ps1" / "ps1.ipynb").write_text(text)
    with pytest.raises(ValueError) as raised:
        problem_set("ps1", tmp_path)
    assert str(raised.value) == f"{tmp_path / 'ps1' / 'ps1.ipynb'}: {message}"


def test_a_set_that_is_not_there(tmp_path):
    with pytest.raises(
        ValueError, match=r"ps9\.ipynb: No such file or directory; expected the source of ps9"
    ):
        problem_set("ps9", tmp_path)
    with pytest.raises(ValueError, match=r"^'\.\./x' is no name of a problem set; expected one such as ps1$"):
        problem_set("../x", tmp_path)
