"""What the pages weigh, and how many figures there are to play with."""

import gzip
import json
import math
import re

import pytest

CHAPTERS = ("climbing", "visitation", "theorem", "compatible", "natural")
MOST_FRAMES = 2_000  # in the whole book: a build draws each
HEAVIEST = {"figure": 200_000, "figures of a page": 300_000, "page, gzipped": 400_000}  # bytes

FIGURE = re.compile(
    r'<div class="pgt-explore" id="([^"]+)">.*?<script type="application/json">(.*?)</script>', re.DOTALL
)


def figures(path):
    """The explore figures of a page: by name, how many frames they have and how many bytes they weigh."""
    found = {}
    for name, state in FIGURE.findall(path.read_text("utf-8")):
        texts = json.loads(state)["texts"]
        found[name] = math.prod(map(len, texts)), len(state.encode())
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_three_figures_to_play_with(book, chapter):
    assert len(figures(book / "book" / f"{chapter}.html")) >= 3


def test_the_book_has_not_too_many_frames(book):
    frames = {path.stem: sum(n for n, _ in figures(path).values()) for path in book.rglob("*.html")}
    assert 0 < sum(frames.values()) <= MOST_FRAMES, frames


def test_a_page_is_light(book, book_page):
    weights = {name: weight for name, (_, weight) in figures(book / book_page).items()}
    assert all(weight <= HEAVIEST["figure"] for weight in weights.values()), weights
    assert sum(weights.values()) <= HEAVIEST["figures of a page"], weights
    html = (book / book_page).read_bytes()
    assert html.count(b'class="pgt-explore"') == len(weights)
    assert len(gzip.compress(html, mtime=0)) <= HEAVIEST["page, gzipped"]
