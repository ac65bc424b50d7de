"""Exercises that are tried on the page: what becomes of their cells when the book is built."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.errors import ExtensionError

SPEC = importlib.util.spec_from_file_location(
    "editing", Path(__file__).parents[1] / "book" / "_ext" / "editing.py"
)
editing = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(editing)


def built(*cells):
    """The cells of a notebook as the book builds them."""
    app = SimpleNamespace(env=SimpleNamespace(doc2path=lambda name: f"{name}.ipynb"))
    source = [nbformat.writes(new_notebook(cells=list(cells)))]
    editing.fold_checks(app, "chapter", source)
    return nbformat.reads(source[0], as_version=4).cells


def cell(*tags, id, source="def f():\n    raise NotImplementedError()"):
    return new_code_cell(source, metadata={"tags": list(tags)}, id=id)


def test_a_check_is_folded_up_and_shows_nothing_yet():
    asked = new_markdown_cell("An exercise")
    _, tried, check, other = built(asked, cell("try", id="a"), cell("try-check", id="b"), cell(id="c"))
    assert tried.metadata.tags == ["try"]
    assert check.metadata.tags == ["try-check", "hide-input", "remove-output"]
    assert check.metadata.mystnb["code_prompt_show"] == "Show the check"
    assert "mystnb" not in other.metadata


def test_numbers_need_less_room_than_a_function():
    tried, _ = built(cell("try", id="a", source="J = ..."), cell("try-check", id="b"))
    assert tried.metadata.tags == ["try", "try-numbers"]


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        (["try"], "a"),
        (["try-check"], "a"),
        (["try", None, "try-check"], "a"),
        (["try", "try", "try-check"], "a"),
    ],
)
def test_an_exercise_without_its_check_stops_the_build(tags, named):
    cells = [cell(*([tag] if tag else []), id="abc"[i]) for i, tag in enumerate(tags)]
    with pytest.raises(
        ExtensionError, match=f"^chapter, cell {named}: expected a cell tagged `try` and below"
    ):
        built(*cells)


def test_other_notebooks_and_pages_stay_as_they_are():
    app = SimpleNamespace(env=SimpleNamespace(doc2path=lambda name: f"{name}.md"))
    source = ["no notebook"]
    editing.fold_checks(app, "page", source)
    assert source == ["no notebook"]
