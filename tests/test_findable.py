"""What search engines, catalogues and shared links are told about each page, and where the pages are."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from docutils import nodes
from sphinx.testing.util import SphinxTestApp

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book" / "_ext"))
import findable  # noqa: E402

CITATION = """\
cff-version: 1.2.0
title: "A book, & more"
authors:
  - family-names: Noether
    given-names: Emmy
  - name: the others
date-released: 2026-03-04
"""
FIRST = """\
First page
==========

It says what :math:`\\rho^\\pi` is, "with care". Then it goes on.

.. toctree::

   second
"""
SECOND = """\
Second page
===========

For :math:`\\frac{1}{2}` there is no plain text. A sentence about :math:`V(s; \\theta)` there is.
"""


class Told(HTMLParser):
    """The tags of a page: [(name, content), ...], and its canonical address."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.canonical = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "meta" and "content" in given:
            self.tags.append((given.get("name") or given["property"], given["content"]))
        if tag == "link" and given.get("rel") == "canonical":
            self.canonical.append(given["href"])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds a book of two pages: built(address), the folder of its pages."""
    made = {}

    def build(address):
        if address not in made:
            source = tmp_path_factory.mktemp("source")
            (source / "conf.py").write_text(
                f"extensions = ['findable']\nhtml_title = 'A book'\nhtml_baseurl = {address!r}\n"
            )
            (source / "CITATION.cff").write_text(CITATION, encoding="utf-8")
            (source / "index.rst").write_text(FIRST, encoding="utf-8")
            (source / "second.rst").write_text(SECOND, encoding="utf-8")
            app = SphinxTestApp("html", srcdir=source, builddir=source / "_build")
            try:
                app.build()
                assert app.warning.getvalue() == ""
                made[address] = Path(app.outdir)
            finally:
                app.cleanup()
        return made[address]

    return build


def told(folder, page):
    return Told((folder / page).read_text(encoding="utf-8"))


def test_the_first_page_stands_for_the_book(built):
    described = "It says what ρ^π is, “with care”. Then it goes on."
    expected = [
        ("description", described),
        ("og:type", "website"),
        ("og:site_name", "A book"),
        ("og:title", "First page"),
        ("og:description", described),
        ("citation_title", "A book, & more"),
        ("citation_author", "Noether, Emmy"),
        ("citation_author", "the others"),
        ("citation_publication_date", "2026/03/04"),
        ("citation_language", "en"),
    ]
    assert [tag for tag in told(built(""), "index.html").tags if tag[0] != "viewport"] == expected


def test_a_further_page_stands_in_the_book(built):
    tags = told(built(""), "second.html").tags
    assert ("description", "A sentence about V(s; θ) there is.") in tags
    assert ("og:type", "article") in tags
    assert ("citation_title", "Second page") in tags
    assert ("citation_inbook_title", "A book, & more") in tags


def test_a_book_that_knows_no_address_names_none(built):
    folder = built("")
    assert not (folder / "sitemap.xml").exists()
    for page in ("index.html", "second.html"):
        assert told(folder, page).canonical == []
        assert [tag for tag in told(folder, page).tags if tag[0].endswith("url")] == []


def test_a_sitemap_of_an_earlier_build_does_not_stay(tmp_path):
    class App:
        outdir = tmp_path
        builder = SimpleNamespace(format="html")
        config = SimpleNamespace(html_baseurl="")

    (tmp_path / "sitemap.xml").touch()
    findable.write_sitemap(App, None)
    assert not (tmp_path / "sitemap.xml").exists()


@pytest.mark.parametrize("address", ["https://example.org/a&b/", "https://example.org/a&b"])
def test_a_book_that_knows_its_address_names_those_of_its_pages(built, address):
    folder = built(address)
    pages = [f"https://example.org/a&b/{page}.html" for page in ("index", "second")]
    for page in pages:
        found = told(folder, page.rpartition("/")[2])
        assert found.canonical == [page]
        for name in ("og:url", "citation_public_url", "citation_fulltext_html_url"):
            assert (name, page) in found.tags
    sitemap = ElementTree.parse(folder / "sitemap.xml").getroot()
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    assert sitemap.tag == f"{space}urlset"
    assert [each.text for each in sitemap.iter(f"{space}loc")] == pages


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\rho^\pi", "ρ^π"),
        (r"Q(s, a; w)", "Q(s, a; w)"),
        (r"\Delta \theta_{k}\,x", "Δθ_kx"),
        (r"\frac 1 2", None),
        (r"\sum_s x", None),
    ],
)
def test_a_formula_in_plain_text(tex, text):
    assert findable.plain(tex) == text


def test_a_description_has_whole_sentences_and_an_end():
    sentence = "A sentence of e.g. forty-eight characters, more or less."
    paragraph = nodes.paragraph("", " ".join([sentence] * 9))
    found = findable.description(nodes.section("", paragraph))
    assert found == " ".join([sentence] * 4)
    assert len(found) <= findable.MOST < len(found) + 1 + len(sentence)
    assert findable.description(nodes.section("")) == ""


def test_the_citation_of_the_book_is_whole():
    class App:
        srcdir = ROOT

    found = findable.citation(App)
    assert found["title"]
    assert all(found["authors"])
    assert re.fullmatch(r"\d{4}/\d{2}/\d{2}", found["date"])
