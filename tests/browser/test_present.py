"""A chapter as slides: each formula and figure has its slide, keys turn them, figures play."""

import re

import pytest

PAGE = "book/theorem.html"
SEEN = """() => [...document.querySelectorAll("article section > *")].filter(each => each.offsetHeight > 0
    && !each.matches("section")).map(each => each.id || each.tagName)"""


@pytest.fixture
def presented(book, visit):
    page = visit(book, PAGE).page
    page.evaluate("MathJax.startup.promise")
    page.get_by_role("button", name="Show as slides").click()
    page.wait_for_function("location.hash === '#slide-1'")
    return page


def number(page):
    return tuple(
        map(int, re.fullmatch(r"(\d+) of (\d+)", page.inner_text(".pgt-present-bar output")).groups())
    )


def test_every_formula_and_figure_of_the_text_is_on_one_slide_that_fits(presented):
    page = presented
    expected = page.evaluate(
        """() => [...document.querySelectorAll("article section > div.math, article section > .proof, " +
        "article div.cell:not(.tag_audit, .tag_hide-cell):has(.pgt-explore, figure)")]
        .filter(each => !each.closest("#exercises, #further-reading"))
        .map((each, i) => each.id ||= `unnumbered-${i}`)"""
    )
    found = []
    n = number(page)[1]
    assert n > 15
    for i in range(1, n + 1):
        assert number(page) == (i, n)
        on = page.evaluate(SEEN)
        assert len(on) >= 2, f"slide {i} shows {on}"
        assert on[0] in ("H1", "H2", "H3")
        root = "document.documentElement"
        high, wide = page.evaluate(f"[{root}.scrollHeight, {root}.scrollWidth]")
        assert high <= 1.1 * page.viewport_size["height"], f"slide {i} is {high} high"
        assert wide <= page.viewport_size["width"], f"slide {i} is {wide} wide"
        found += on
        page.keyboard.press("ArrowRight")
    assert [each for each in expected if found.count(each) != 1] == []
    assert number(page) == (n, n)  # the last stays
    page.keyboard.press("Home")
    assert number(page) == (1, n)


def test_a_figure_plays_on_its_slide_and_its_slider_keeps_the_arrow_keys(presented):
    page = presented
    slider = page.locator(".pgt-explore input[type=range]").first
    while not slider.is_visible():
        page.keyboard.press("PageDown")
    at = number(page)
    before = page.locator(".pgt-explore:visible .pgt-explore-figure").inner_html()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert number(page) == at
    assert page.locator(".pgt-explore:visible .pgt-explore-figure").inner_html() != before
    page.keyboard.press("PageDown")
    assert number(page) == (at[0] + 1, at[1])


def test_escape_leads_back_to_the_place_in_the_page_and_an_address_to_its_slide(book, visit, presented):
    page = presented
    text = page.locator("article section > p").nth(3)
    assert not text.is_visible()
    for _ in range(6):
        page.get_by_role("button", name="Next slide").click()
    address, on = page.url, page.evaluate(SEEN)
    page.keyboard.press("Escape")
    assert text.is_visible()
    assert not page.locator(".pgt-present-bar").is_visible()
    place = page.locator(f"#{next(each for each in on if not each.isupper())}").bounding_box()
    assert 0 <= place["y"] < page.viewport_size["height"]
    assert page.locator("article [style*=zoom]").count() == 0
    page.evaluate(f"location.hash = '{address.partition('#')[2]}'")
    page.wait_for_function("document.querySelector('.pgt-present-bar output').offsetHeight > 0")
    assert page.evaluate(SEEN) == on


def test_only_chapters_are_slides(book):
    offered = {path.stem for path in book.glob("book/**/*.html") if "present.js" in path.read_text("utf-8")}
    assert {"problem", "climbing", "visitation", "theorem", "compatible", "natural", "language"} == offered
