"""The page of a problem set: what a reader gets of the one source, and what nobody gets."""

import copy
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.errors import ConfigError

sys.path.append(str(Path(__file__).parents[1] / "book" / "_ext"))
import exercisepage

SECRET = "half_of_what_was_hidden"


def graded(cell, **kind):
    cell["metadata"]["nbgrader"] = {
        "schema_version": 3,
        "grade": False,
        "solution": False,
        "locked": True,
    } | kind
    return cell


def tagged(cell, *tags):
    cell["metadata"]["tags"] = list(tags)
    return cell


@pytest.fixture
def source():
    solved = "def half(x):\n    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION"
    hidden = f"### BEGIN HIDDEN TESTS\n{SECRET} = half(8)\n### END HIDDEN TESTS"
    derived = "### BEGIN SOLUTION\n:::{note}\nBy the definition. (2 points)\n:::\n### END SOLUTION"
    notebook = new_notebook(
        cells=[
            graded(new_markdown_cell("# Halves"), grade_id="intro"),
            tagged(graded(new_code_cell("import math"), grade_id="setup"), "given"),
            graded(new_code_cell(solved), grade_id="half", solution=True, locked=False),
            graded(new_code_cell("print(half(2))"), grade_id="check-half"),
            tagged(graded(new_code_cell(hidden), grade_id="test-half", grade=True, points=3), "remove-cell"),
            graded(
                new_markdown_cell(derived),
                grade_id="derive",
                grade=True,
                solution=True,
                locked=False,
                points=2,
            ),
        ]
    )
    return notebook


def test_solutions_stand_in_dropdowns_below_the_question(source):
    before = copy.deepcopy(source)
    intro, setup, stub, folded, check, asked, derivation = exercisepage.page(source, "dropdown").cells
    assert source == before
    assert [intro.source, setup.source] == ["# Halves", "import math"]
    assert stub.source == "def half(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    assert stub.metadata.tags == ["skip-execution"]
    assert folded.source == "def half(x):\n    return x / 2"
    assert folded.metadata.tags == ["hide-input"]
    assert check.source == "print(half(2))"
    assert check.metadata.tags == ["hide-input"]
    assert check.metadata.mystnb.code_prompt_show == "Show the checks"
    assert asked.source == "YOUR ANSWER HERE"
    assert derivation.source.startswith("::::{dropdown} Show the solution")
    assert "\n:::{note}\nBy the definition. (2 points)\n:::\n" in derivation.source
    assert derivation.source.endswith("\n::::")


def test_solutions_left_out_leave_nothing_that_could_not_run(source):
    intro, setup, stub, check, asked = exercisepage.page(source, "left out").cells
    assert intro.cell_type == asked.cell_type == "markdown"
    assert setup.metadata.tags == ["given"]
    assert stub.metadata.tags == ["skip-execution"]
    assert check.metadata.tags == ["hide-input", "skip-execution"]


@pytest.mark.parametrize("solutions", exercisepage.CHOICES)
def test_hidden_tests_are_on_no_page_and_a_page_is_no_longer_graded(source, solutions):
    text = nbformat.writes(exercisepage.page(source, solutions))
    assert SECRET not in text
    assert "nbgrader" not in text
    assert "BEGIN" not in text
    assert ("return x / 2" in text) == (solutions == "dropdown")
    identities = [cell.id for cell in nbformat.reads(text, 4).cells]
    assert len(identities) == len(set(identities))


def test_what_is_handed_out_has_neither_solutions_nor_hidden_tests(source):
    text = exercisepage.handed_out(nbformat.writes(source))
    assert SECRET not in text
    assert "return x / 2" not in text
    assert "By the definition" not in text
    kept = [cell.metadata.nbgrader.grade_id for cell in nbformat.reads(text, 4).cells]
    assert kept == ["intro", "setup", "half", "check-half", "test-half", "derive"]
    # where the book knows its address, a cell above them installs pgtlab on Colab
    first, *rest = nbformat.reads(
        exercisepage.handed_out(nbformat.writes(source), "https://example.org/book"), 4
    ).cells
    assert "%pip install --quiet https://example.org/book/lite/pypi/pgtlab-" in first.source
    assert [cell.metadata.nbgrader.grade_id for cell in rest] == kept
    plain = nbformat.writes(new_notebook(cells=[new_code_cell("1 + 1")]))
    assert exercisepage.handed_out(plain) == plain


def app_for(path, solutions="dropdown"):
    return SimpleNamespace(
        env=SimpleNamespace(doc2path=lambda name: str(path)),
        config=SimpleNamespace(problem_set_solutions=solutions),
    )


def test_the_link_to_the_students_version_stands_below_the_title(source):
    text = [nbformat.writes(source)]
    exercisepage.make_page(app_for("ps1.ipynb"), "book/exercises/ps1/ps1", text)
    link = nbformat.reads(text[0], 4).cells[1].source
    assert 'href="../../../_sources/book/exercises/ps1/ps1.ipynb"' in link


def test_other_pages_stay_as_they_are():
    for name, text in (("a.ipynb", nbformat.writes(new_notebook())), ("a.md", "# A page")):
        holder = [text]
        exercisepage.make_page(app_for(name), "a", holder)
        assert holder == [text]


def test_the_setting_has_two_values():
    for choice in exercisepage.CHOICES:
        exercisepage.check(None, SimpleNamespace(problem_set_solutions=choice))
    with pytest.raises(
        ConfigError, match="problem_set_solutions is 'yes'; expected one of dropdown, left out"
    ):
        exercisepage.check(None, SimpleNamespace(problem_set_solutions="yes"))
