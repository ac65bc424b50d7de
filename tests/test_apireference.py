"""The reference of pgtlab as Sphinx makes it: what is inherited, one list of attributes, whole sentences."""

import importlib
import sys
from pathlib import Path

import pytest
from sphinx.testing.util import SphinxTestApp

EXTENSIONS = Path(__file__).resolve().parents[1] / "book" / "_ext"

MODULE = '''
"""A room with one of each kind."""

from dataclasses import dataclass

__all__ = ["WIDTH", "Box", "size"]

WIDTH = 3
"""In centimetres: what a box has if nobody says otherwise."""


class Thing:
    """What has a weight."""

    def weight(self):
        """Weight, in grams."""

    def moved(self):
        """The same, in another place."""


@dataclass(frozen=True)
class Box(Thing):
    """A box.

    Parameters
    ----------
    width : int
        In centimetres.

    Attributes
    ----------
    width : int
        In centimetres, and
        never 0.
    label : str
        What is written on it.

    Notes
    -----
    It has no lid.
    """

    width: int
    label: str = ""

    def weight(self):
        return 7


def size(thing):
    """The size of a thing.

    Parameters
    ----------
    thing : array_like, shape (S,)
        Or a box.
    """
'''


@pytest.fixture
def reference(tmp_path, monkeypatch):
    """Builds the page of a small module and returns its text as a reader sees it."""

    def built(prepare=lambda extension: None):
        source = tmp_path / "source"
        source.mkdir()
        (source / "a_room.py").write_text(MODULE, encoding="utf-8")
        (source / "conf.py").write_text('extensions = ["apireference"]\n', encoding="utf-8")
        (source / "index.rst").write_text("Room\n====\n\n.. automodule:: a_room\n", encoding="utf-8")
        monkeypatch.syspath_prepend(source)
        monkeypatch.syspath_prepend(EXTENSIONS)
        for name in ("a_room", "apireference"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        prepare(importlib.import_module("apireference"))
        app = SphinxTestApp("text", srcdir=source, builddir=tmp_path / "built")
        try:
            app.build()
            assert app.warning.getvalue() == ""
            return (Path(app.outdir) / "index.txt").read_text(encoding="utf-8")
        finally:
            app.cleanup()
            for name in ("a_room", "apireference"):
                sys.modules.pop(name, None)

    return built


def test_what_a_class_shares_with_others_is_shown_with_it(reference):
    page = reference()
    # `Thing` is not on the page: its methods are said with the class that has them, written anew or not.
    assert "Thing" not in page.replace("Bases: Thing", "")
    for words in ("weight()", "Weight, in grams.", "moved()", "The same, in another place."):
        assert page.count(words) == 1


def test_attributes_are_one_list_with_types_and_whole_descriptions(reference):
    page = reference()
    lines = " ".join(page.split())
    assert page.count("Attributes:") == 1
    assert "**width** (*int*) -- In centimetres, and never 0." in lines
    assert "**label** (*str*) -- What is written on it." in lines
    assert "It has no lid." in lines
    assert "ivar" not in page
    assert "vartype" not in page


def test_a_comment_on_a_constant_keeps_its_first_words(reference):
    assert "In centimetres: what a box has if nobody says otherwise." in " ".join(reference().split())


def test_a_type_is_a_phrase_and_no_reference(reference):
    assert "**thing** (*array_like, shape (S,)*) -- Or a box." in " ".join(reference().split())


@pytest.mark.parametrize(
    ("handler", "lost"),
    [
        ("list_attributes", "Attributes:"),
        ("whole_sentences", "In centimetres: what a box has if nobody says otherwise."),
    ],
)
def test_a_handler_that_does_nothing_is_seen(reference, monkeypatch, handler, lost):
    page = reference(lambda extension: monkeypatch.setattr(extension, handler, lambda *args: None))
    assert lost not in " ".join(page.split())
