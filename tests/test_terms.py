"""The order of the chapters: no term is used before the chapter that defines it, by the index of the book."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
INDEX = re.compile(r"^```\{index\}(.*?)^```", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"^(```.*|:[a-z]+:.*)$", re.MULTILINE)  # of directives

# Words that are terms later and plain English before.
PLAIN = {("advantage", "climbing"), ("gain", "climbing"), ("plateau", "climbing")}

# Terms that the text once used without a word of explanation, each with the chapter that gives it.
MISSED = {
    "off-policy": "problem",
    "softmax score": "climbing",
    "stationary point": "climbing",
    "gain": "visitation",
    "closed loop": "visitation",
    "baseline": "compatible",
    "bootstrapping": "compatible",
    "least-squares temporal differences": "compatible",
}


def chapters():
    """The text of the first page and of each chapter, in the order of the table of contents."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    texts = {"the first page": (ROOT / contents["root"]).with_suffix(".md").read_text(encoding="utf-8")}
    for chapter in contents["parts"][0]["chapters"]:
        path = (ROOT / chapter["file"]).with_suffix(".ipynb")
        cells = nbformat.read(path, 4).cells
        texts[path.stem] = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return texts


def defined(texts):
    """Each term that an index entry marks as defined, with the first chapter that does so."""
    found = {}
    for chapter, text in texts.items():
        for entry in re.split(r"[,\n]", " ".join(INDEX.findall(text))):
            mark, _, term = entry.strip().partition("! ")
            if not mark and term and ";" not in term:
                found.setdefault(term.strip(), chapter)
    return found


def too_early(texts):
    """Where a term stands before its chapter, in a paragraph that does not point ahead to one."""
    order = list(texts)
    for term, home in defined(texts).items():
        word = re.compile(rf"\b{re.escape(term)}s?\b", re.IGNORECASE)
        # The first page says in plain words what the chapters then define.
        for chapter in order[1 : order.index(home)]:
            for paragraph in OPTIONS.sub("", INDEX.sub("", texts[chapter])).split("\n\n"):
                points_ahead = re.search(r"\]\(|\{ref\}|\{eq\}|\b[Cc]hapters? \d|next chapter", paragraph)
                if word.search(paragraph) and not points_ahead and (term, chapter) not in PLAIN:
                    yield f"{term} is defined in {home}, and used in {chapter}: {paragraph[:100]!r}"


def test_no_term_is_used_before_it_is_defined():
    assert list(too_early(chapters())) == []


@pytest.mark.parametrize(("term", "home"), MISSED.items())
def test_a_term_that_was_missed_is_defined(term, home):
    texts = chapters()
    assert defined(texts)[term] == home
    assert re.search(rf"\*\*(\w+ )?{term}", texts[home]), "in bold, where it is explained"


@pytest.mark.parametrize(
    ("early", "seen"),
    [
        ("A critic errs.", True),
        ("Critics err.", True),
        ("A critic errs; [chapter 4](compatible.ipynb) says how.", False),
        ("Criticism is welcome.", False),
    ],
)
def test_a_term_that_comes_too_early_is_seen(early, seen):
    texts = {
        "page": "A critic on the first page.",
        "first": early,
        "second": "```{index} ! critic, other, ! deep; entry\n```\n\nThe **critic** is ...",
    }
    assert defined(texts) == {"critic": "second"}
    assert len(list(too_early(texts))) == seen
