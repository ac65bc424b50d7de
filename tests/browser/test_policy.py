"""The book as a server hands it out that states the content security policy of `tools/policy.py`."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))
import policy as tool  # noqa: E402


@pytest.fixture
def under(visit, book):
    """Open a page under a policy: under(policy, path)."""

    def opened(policy, path):
        seen = visit(book, "404", settle=False)  # only to have a page that asks and is answered
        seen.errors.clear()
        seen.failed.clear()

        def answer(route):
            response = route.fetch()
            route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})

        seen.page.route(f"{seen.origin}/**", answer)
        seen.page.goto(f"{seen.origin}/{path}", wait_until="load")
        seen.page.wait_for_load_state("networkidle")
        return seen

    return opened


def test_a_chapter_works_under_the_policy(book, under):
    seen = under(tool.for_pages(book), "book/visitation.html")
    page = seen.page
    page.evaluate("MathJax.startup.promise")
    written = page.locator("article .math").count()
    assert page.locator("article .math mjx-container svg").count() >= written > 100
    slider = page.locator(".pgt-explore-ready input[type=range]").first
    figure = page.locator(".pgt-explore-ready").first.locator(".pgt-explore-figure")
    before = figure.inner_html()
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.pgt-explore-ready .pgt-explore-figure').innerHTML !== before",
        arg=before,
    )
    mode = page.evaluate("document.documentElement.dataset.mode")
    page.locator(".theme-switch-button").first.click()
    assert page.evaluate("document.documentElement.dataset.mode") != mode
    page.evaluate("() => { window.print = () => { window.printed = true; } }")
    page.locator(".btn-download-pdf-button").evaluate("button => button.click()")
    assert page.evaluate("window.printed")
    assert seen.errors == []
    assert seen.failed == []


def test_the_search_and_the_ledger_work_under_the_policy(book, under):
    seen = under(tool.for_pages(book), "search.html?q=advantage")
    seen.page.locator("#search-results li p.context").first.wait_for()
    assert seen.errors == []
    seen = under(tool.for_pages(book), "book/ledger.html")
    seen.page.get_by_label("Show only").fill("no such formula")
    assert seen.page.locator("#ledger-filter [role=status]").inner_text().startswith("0 of ")
    assert seen.errors == []


def test_without_the_sums_a_script_that_is_refused_is_seen(book, under):
    bare = tool.header(script=[], connect=[])
    seen = under(bare, "book/notation.html")
    assert any("Content Security Policy" in error for error in seen.errors)
