"""The students' version holds no solution and no hidden test, and is the one that nbgrader makes."""

import json
import re

import pytest

from pgtgrade import released
from pgtgrade.gradebook import gradebook
from pgtgrade.results import Course
from tests.grading import small


def source_of(text, kind, cell_type="code"):
    cell = {"cell_type": cell_type, "metadata": {"nbgrader": kind}, "source": text}
    return released({"cells": [cell], "metadata": {}})["cells"][0]["source"]


def test_no_solution_and_no_hidden_test_is_left():
    text = json.dumps(released(small.source()))
    assert json.dumps(small.source()).count("x / 2") == 3
    assert text.count("x / 2") == 1  # in the question alone
    for secret in ("SOLUTION", "HIDDEN", "drawn", "rho.sum", "Rubric", "np.sum"):
        assert secret in json.dumps(small.source())
        assert secret not in text


def test_the_source_is_left_as_it_is():
    source = small.source()
    released(source)
    assert source == small.source()


def test_what_was_run_is_forgotten():
    source = small.source()
    small.cell(source, "setup").update(execution_count=3, outputs=[{"output_type": "stream"}])
    cell = small.cell(released(source), "setup")
    assert cell["outputs"] == []
    assert cell["execution_count"] is None


def test_a_solution_without_a_region_is_replaced_whole():
    assert source_of("x = 1", {"solution": True}) == "# YOUR CODE HERE\nraise NotImplementedError()"
    assert source_of("It is.", {"solution": True}, "markdown") == "YOUR ANSWER HERE"


def test_a_file_that_holds_its_sources_as_lines():
    assert source_of(["a\n", "b"], {"locked": True}) == "a\nb"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            "### BEGIN SOLUTION",
            {"solution": True, "grade_id": "a"},
            "cell 0 (a): BEGIN SOLUTION; expected END SOLUTION after it",
        ),
        ("### END SOLUTION", {"solution": True}, "cell 0: END SOLUTION; expected BEGIN SOLUTION before it"),
        (
            "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION",
            {"solution": True},
            "cell 0: BEGIN SOLUTION inside another; expected END SOLUTION before it",
        ),
        (
            "### BEGIN SOLUTION\n### END SOLUTION",
            {"locked": True},
            "cell 0: BEGIN SOLUTION; expected it in cells with nbgrader's solution: true only",
        ),
        (
            "### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS",
            {"solution": True},
            "cell 0: BEGIN HIDDEN TESTS; expected it in cells with nbgrader's grade: true only",
        ),
        (
            "### BEGIN HIDDEN TESTS",
            {"grade": True},
            "cell 0: BEGIN HIDDEN TESTS; expected END HIDDEN TESTS after it",
        ),
    ],
)
def test_a_source_that_could_give_a_solution_away_is_refused(text, kind, message):
    if "\n### END HIDDEN" in text:  # a solution cell without a region would lose them anyway
        text = "### BEGIN SOLUTION\n### END SOLUTION\n" + text
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        source_of(text, kind)


def test_two_cells_of_one_name_are_refused():
    source = small.source()
    small.cell(source, "mass")["metadata"]["nbgrader"]["grade_id"] = "half"
    message = "^cell 7 \\(half\\): the grade_id is taken by a cell above; expected one of its own$"
    with pytest.raises(ValueError, match=message):
        released(source)


def plain(cell):
    """Return a cell without what is said to differ: the id, and the checksum with the type beside it."""
    cell = json.loads(json.dumps(cell))
    cell.pop("id", None)
    for key in ("checksum", "cell_type"):
        cell["metadata"].get("nbgrader", {}).pop(key, None)
    return cell


def nbgraders_release(source, folder):
    """Return what nbgrader itself makes of a source."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    path = folder / "source" / "small" / "small.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(small.text(source), encoding="utf-8")
    config = Config()
    config.CourseDirectory.root = str(folder)
    result = NbGraderAPI(config=config).generate_assignment("small")
    assert result["success"], result
    return json.loads((folder / "release" / "small" / "small.ipynb").read_text(encoding="utf-8"))


@pytest.mark.filterwarnings("ignore")  # nbgrader's own
def test_the_release_is_nbgraders_cell_by_cell(tmp_path):
    pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make grading`")
    with gradebook(Course(tmp_path), small.stored(tmp_path / "sets")):
        pass  # it would run a command to make one
    theirs = nbgraders_release(small.source(), tmp_path)
    ours = json.loads(small.text(released(small.source())))
    for mine, other in zip(ours["cells"], theirs["cells"], strict=True):
        assert plain(mine) == plain(other)
    assert ours["metadata"] == theirs["metadata"]
