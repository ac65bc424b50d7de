"""Every page on paper, as the browser prints it: whole, open, in black on white, with nothing cut off."""

import re

import pytest

PAPER = (680, 1002)  # what A4 leaves inside the margins of print.css, in CSS pixels


@pytest.fixture
def printed(book, visit):
    """Opens a page as it is laid out for paper, to change it there."""
    return lambda path, **options: visit(book, path, size=PAPER, media="print", **options).page


# What reaches over the edge of the paper, or out of a box that hides it or would scroll.
CUT_OFF = """() => {
  const width = document.documentElement.clientWidth;
  const name = node => `${node.tagName}.${node.className.baseVal ?? node.className}`;
  const text = node => (node.textContent || node.outerHTML).trim().replace(/\\s+/g, " ").slice(0, 100);
  const cut = [];
  for (const node of document.querySelectorAll(
      "article :is(p, li, dt, dd, pre, table, td, th, img, svg, figure, .math, mjx-container, div)")) {
    if (!node.checkVisibility() || node.closest("mjx-assistive-mml")) continue;
    const box = node.getBoundingClientRect();
    if (box.width && (box.right > width + 1 || box.left < -1))
      cut.push(`${name(node)} ${Math.round(box.left)} to ${Math.round(box.right)}: ${text(node)}`);
    const held = node.matches("pre, td, th") || getComputedStyle(node).overflowX !== "visible";
    if (held && node.scrollWidth > node.clientWidth + 1 && box.width > 1)
      cut.push(`${name(node)} holds ${node.scrollWidth} in ${node.clientWidth}: ${text(node)}`);
  }
  for (const svg of document.querySelectorAll("article mjx-container > svg")) {
    const box = svg.getBoundingClientRect(), cell = svg.closest("p, td, li, dd, div").getBoundingClientRect();
    if (box.width && box.right > cell.right + 1) cut.push(`formula: ${text(svg.parentElement)}`);
  }
  return cut;
}"""


def test_what_is_too_wide_would_be_seen(printed):
    page = printed("book/visitation.html")
    page.add_style_tag(content="pre { white-space: pre !important; font-size: 20pt !important }")
    assert any(line.startswith("PRE") for line in page.evaluate(CUT_OFF))
    page.add_style_tag(
        content="mjx-container > svg { max-width: none !important; min-width: 700px !important }"
    )
    assert any(line.startswith("formula") for line in page.evaluate(CUT_OFF))


# The texts of the article that paper does not show, but for those that mean nothing on it.
LOST = """() => {
  const needless = `script, style, noscript, button, summary, mjx-assistive-mml, a.headerlink, #ledger-filter,
    article h1, .citation > .label, .pgt-explore-controls, .pgt-explore-note, .pgt-run, .pgt-run-file,
    .pgt-walk-controls, .pgt-covered-note, svg title, .admonition.margin > .admonition-title,
    details.hide:not([open]), details.sd-dropdown:not([open]), details.pgt-check:not([open])`;
  const walker = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  const lost = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest(needless)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    const seen = parent.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!seen || !box.width || !box.height) lost.push(node.data.trim().slice(0, 100));
  }
  return lost;
}"""


BESIDE = (
    ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .prev-next-footer, .bd-footer-content"
)


@pytest.mark.on("paper", pages="text_page")
def test_a_page_prints_whole_and_alone(seen):
    page = seen.page
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(LOST) == []
    assert [node.get_attribute("class") for node in page.locator(BESIDE).all() if node.is_visible()] == []
    assert page.locator("article").bounding_box()["width"] > 0.98 * PAPER[0]
    title = page.locator("#jb-print-docs-body h1")
    if title.count():  # stands in the place of the article's
        assert title.is_visible()
        assert title.inner_text().strip() == page.locator("article h1").first.text_content().strip("# \n")
    for link in page.locator("article a.external[href^=http]").all():
        printed_address = link.evaluate("node => getComputedStyle(node, '::after').content")
        assert link.get_attribute("href") in printed_address


def test_a_closed_solution_would_be_seen(printed):
    page = printed("book/climbing.html")
    assert page.locator(".solution.toggle-hidden").count() > 0
    page.add_style_tag(content=".toggle-hidden section { opacity: 0 !important }")
    assert page.evaluate(LOST) != []


@pytest.mark.on("paper", pages="explore_page")
def test_figures_stand_whole_with_caption_and_values(seen):
    page = seen.page
    for root in page.locator(".pgt-explore").all():
        figure = root.locator("xpath=ancestor::figure")
        assert figure.evaluate("node => getComputedStyle(node).breakInside") == "avoid"
        assert 100 < figure.bounding_box()["height"] < PAPER[1]
        drawing = root.locator(".pgt-explore-figure svg").bounding_box()
        assert drawing["width"] > 200
        caption = figure.locator("figcaption").last
        assert re.match(r"Figure \d+ \S", caption.inner_text())
        assert caption.bounding_box()["y"] >= drawing["y"] + drawing["height"]
        assert re.fullmatch(r"Shown at .+ = .+\.", root.locator(".pgt-explore-values").inner_text())
        assert not root.locator(".pgt-explore-controls").is_visible()


CLOSED = """all => all.map(summary => [
  summary.getBoundingClientRect().height > 5,
  summary.innerText.trim(),
  getComputedStyle(summary, "::after").content,
])"""


# Whose code is no part of the text: a check on what the reader tries.
FOLDED = ".tag_try-check"


@pytest.mark.on("paper", pages="explore_page")
def test_code_that_stays_closed_says_so(seen):
    page = seen.page
    notes = page.eval_on_selector_all(f"details.hide:not({FOLDED} *) > summary", CLOSED)
    assert notes
    for there, asks_for_a_click, note in notes:
        assert there
        assert asks_for_a_click == ""
        assert note == '"Code left out in print: the page and its notebook have it."'
    page.eval_on_selector_all("details.hide", "all => all.forEach(node => { node.open = true })")
    assert {note for _, _, note in page.eval_on_selector_all("details.hide > summary", CLOSED)} == {"none"}
    assert page.locator("details.hide pre").first.is_visible()
    page.eval_on_selector_all("details.hide", "all => all.forEach(node => { node.open = false })")


def test_the_solution_of_a_set_stays_closed_and_says_so(printed):
    page = printed("book/exercises/ps1/ps1.html")
    closed = page.locator("details.sd-dropdown")
    assert closed.count() == 0  # solutions are left out unless asked for
    page.evaluate(
        """() => document.querySelector("article section").insertAdjacentHTML("beforeend",
        '<details class="sd-dropdown"><summary>The solution</summary><p>Rubric.</p></details>')"""
    )
    assert not page.get_by_text("Rubric.").is_visible()
    note = closed.locator("summary").evaluate("node => getComputedStyle(node, '::after').content")
    assert note == '"Left out in print: the page has it."'


def test_headings_stay_with_what_follows(printed):
    page = printed("book/theorem.html")
    breaks = page.eval_on_selector_all(
        "article :is(h2, h3), article .admonition-title",
        "all => all.map(h => getComputedStyle(h).breakAfter)",
    )
    assert set(breaks) == {"avoid"}


def test_what_is_read_in_the_dark_prints_on_white(printed):
    page = printed("book/theorem.html", theme="dark")
    colours = """() => ["color", "backgroundColor"].map(name => getComputedStyle(document.body)[name])"""
    dark = page.evaluate(colours)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    text, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in page.evaluate(colours))
    assert text < 200
    assert paper > 700
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(colours) == dark


def test_a_chapter_becomes_a_pdf_of_a_few_sheets(printed):
    pdf = printed("book/theorem.html").pdf(format="A4", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF-")
    assert 10 < len(re.findall(rb"/Type\s*/Page\b", pdf)) < 30
