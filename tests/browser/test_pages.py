"""Every page of the book: quiet, whole, readable by everyone, and in need of nothing from outside."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urljoin, urlparse

import pytest

ROOT = Path(__file__).parents[2]

PHONE = (390, 844)

# Violations of the theme that stay, by axe rule, each with the reason.
KNOWN = {}


def test_there_are_a_book_and_a_browser(book, browser):
    assert (book / "index.html").exists()
    assert browser.is_connected()


@pytest.mark.on("desktop", "file")
def test_a_page_is_quiet_and_asks_for_nothing_outside(seen):
    assert seen.errors == []
    assert seen.outside == []
    assert seen.failed == []
    hints = "link[rel~=preconnect], link[rel~=dns-prefetch], link[rel~=prefetch], link[rel~=preload]"
    urls = seen.page.eval_on_selector_all(hints, "links => links.map(link => link.href)")
    assert [url for url in urls if not url.startswith((seen.origin, "data:"))] == []


@pytest.mark.on("desktop")
def test_no_line_below_a_link_begins_or_ends_with_a_space(seen):
    words = "links => links.map(link => link.textContent).filter(text => text.trim() && text !== text.trim())"
    assert seen.page.eval_on_selector_all(".bd-article a.reference", words) == []


MATHEMATICS = r"""() => {
  const math = [...document.querySelectorAll(".math")];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, {
    acceptNode: node => node.parentElement.closest("pre, code, script, style, noscript, textarea, .pgt-later")
      ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT });
  const raw = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    if (/\\[()[\]]|\$\$|\\begin\{|\\(?:pi|rho|gamma|sum|int|theta)\b/.test(node.data)) raw.push(node.data);
  const broken = "mjx-merror, [data-mjx-error], g[data-mml-node=merror]";
  return {
    empty: math.filter(node => !node.querySelector("mjx-container svg")).map(node => node.textContent),
    errors: [...document.querySelectorAll(broken)].map(node => node.outerHTML.slice(0, 300)),
    raw,
    rendered: document.querySelectorAll("mjx-container").length,
    written: math.length,
  };
}"""


@pytest.mark.on("desktop", "file")
def test_mathematics_is_rendered(seen):
    found = seen.page.evaluate(MATHEMATICS)
    assert found["empty"] == []
    assert found["errors"] == []
    assert found["raw"] == []
    assert found["rendered"] >= found["written"]


def test_the_mathematics_of_a_fold_is_rendered_when_it_opens(proof_page, book, visit):
    page = visit(book, proof_page, theme="dark").page
    ground = "getComputedStyle(document.querySelector('.pgt-proof').parentElement).backgroundColor"
    assert page.evaluate(ground) == "rgba(0, 0, 0, 0)"  # the page's own, for which its colours are
    assert page.evaluate("document.querySelectorAll('details .pgt-later').length") > 0
    page.evaluate("for (const fold of document.querySelectorAll('article details')) fold.open = true")
    page.wait_for_function("!document.querySelector('.pgt-later')")
    page.wait_for_function("MathJax.startup.promise.then(() => true)")
    page.wait_for_function("[...document.querySelectorAll('.math')].every(each => each.querySelector('svg'))")
    found = page.evaluate(MATHEMATICS)
    assert (found["errors"], found["raw"]) == ([], [])


@pytest.mark.on("desktop", "desktop, dark", "phone", "phone, dark")
def test_axe_finds_nothing(seen, axe_violations):
    page = seen.page
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    found = [
        f"{v['id']} ({v['help']}): {node['html'][:200]} | {node['failureSummary'][:300]}"
        for v in axe_violations(page, colours=dark)
        for node in v["nodes"]
        if v["id"] not in KNOWN or page.evaluate(IN_ARTICLE, node["target"][0])
    ]
    assert found == []


@pytest.mark.parametrize("path", ["book/intro.html", "book/theorem.html", "book/language.html"])
def test_a_theme_changes_colours_only(book, visit, path):
    # So what else axe asks of a page in the light need not be asked again in the dark.
    light, dark = (visit(book, path, theme=theme).page for theme in ("light", "dark"))
    shown = """() => [...document.body.querySelectorAll("*")]
      .filter(each => !each.closest("mjx-container, script, style") && each.getClientRects().length)
      .map(each => each.tagName + " " + each.id + " " + (each.getAttribute("aria-label") || ""))"""
    for page in (light, dark):
        page.wait_for_timeout(300)
    assert light.evaluate(shown) == dark.evaluate(shown)


def test_what_is_asked_once_is_asked_and_leaves_the_page_as_it_was(book, visit, axe_violations):
    page = visit(book, "book/visitation.html").page
    before = page.inner_html("body")
    assert axe_violations(page) == []
    assert page.inner_html("body") == before


@pytest.mark.parametrize(
    "fault",
    [
        "article section:nth-of-type(2) p { background: #777 }",
        "article section p:last-of-type { opacity: 0.5 }",
        ".bd-sidebar-primary a { color: #aaa !important }",
    ],
)
def test_what_is_pale_is_found_where_each_kind_of_text_is_asked_once(book, visit, axe_violations, fault):
    page = visit(book, "book/publish.html").page
    page.add_style_tag(content=fault)
    for how in ({"once": True}, {"once": False}, {"colours": True}):
        assert {each["id"] for each in axe_violations(page, **how)} == {"color-contrast"}


def test_pale_names_are_found(book, visit, axe_violations):
    page = visit(book, "book/visitation.html").page
    page.add_style_tag(content="html[data-theme] .highlight span.n { color: #ccc !important }")
    for once in (True, False):
        (found,) = axe_violations(page, once=once)
        assert found["id"] == "color-contrast"
        assert -1 not in {node["block"] for node in found["nodes"]}


IN_ARTICLE = """target => {
  const node = typeof target === "string" && document.querySelector(target);
  return Boolean(node && node.closest("article"));
}"""


# Small phones, and the narrowest and widest of each layout that the theme and the book have.
WIDTHS = (320, 360, 577, 767, 768, 960, 992, 1100, 1199, 1200)
SIDEWAYS = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("article *")]
    .filter(node => node.getBoundingClientRect().right > width + 1)
    .map(node => node.outerHTML.slice(0, 150)).concat(["page wider than " + width]);
}"""


def sideways(page):
    """What makes a page scroll sideways, at each width at which it does; the page gets its own width back."""
    own, found = page.viewport_size, {}
    for width in WIDTHS:
        page.set_viewport_size({**own, "width": width})
        wide = page.evaluate(SIDEWAYS)
        if wide:
            found[width] = wide
    page.set_viewport_size(own)
    return found


@pytest.mark.on("phone")
def test_no_page_scrolls_sideways_at_any_width(seen):
    assert sideways(seen.page) == {}


@pytest.mark.parametrize(
    ("path", "css", "widths"),
    [
        (
            "theorem",
            ".admonition.margin { width: 33% !important; margin-right: -36% !important }",
            {992, 1100, 1199},
        ),
        ("own", "article code span.pre { white-space: nowrap !important }", {320, 360}),
        (
            "api",
            "dl.py, dl.py span.pre { overflow-wrap: normal; white-space: nowrap !important }",
            {320, 360},
        ),
    ],
)
def test_a_page_that_scrolls_sideways_would_be_seen(book, visit, path, css, widths):
    page = visit(book, f"book/{path}.html", size=PHONE).page
    page.add_style_tag(content=css)
    assert widths <= set(sideways(page))
    assert page.viewport_size["width"] == PHONE[0]


# Formulas in a sentence that reach over its edge where no box scrolls, or that shrink too much to be read.
HARD_TO_READ = """() => {
  const bad = [];
  for (const svg of document.querySelectorAll("article span.math mjx-container > svg")) {
    if (!svg.checkVisibility()) continue;
    let box = svg.closest("span.math");
    const inline = () => getComputedStyle(box).display.startsWith("inline");
    const scrolls = () => getComputedStyle(box).overflowX === "auto";
    while (inline() && !scrolls()) box = box.parentElement;
    const shown = svg.getBoundingClientRect();
    const edge = box.getBoundingClientRect().right - parseFloat(getComputedStyle(box).paddingRight);
    const text = svg.parentElement.textContent.trim().slice(0, 100);
    const held = scrolls() || svg.closest(".pst-scrollable-table-container");
    if (shown.right > edge + 1 && !held) bad.push(`cut: ${text}`);
    svg.style.maxWidth = "none";
    const share = shown.width / svg.getBoundingClientRect().width;
    svg.style.maxWidth = "";
    if (share < 0.65) bad.push(`shrunk to ${share.toFixed(2)}: ${text}`);
  }
  return bad;
}"""


@pytest.mark.on("phone")
def test_formulas_in_sentences_can_be_read_on_a_phone(seen):
    assert seen.page.evaluate(HARD_TO_READ) == []


# Displayed formulas that are wider than the column and end behind its edge. On a phone they scroll.
CUT_OFF = """() => {
  const wide = node => node.scrollWidth > node.clientWidth + 1;
  return [...document.querySelectorAll("article div.math")]
    .filter(box => box.checkVisibility() && [box, ...box.querySelectorAll("mjx-container")].some(wide))
    .map(box => box.textContent.trim().slice(0, 100));
}"""


@pytest.mark.on("desktop")
def test_no_displayed_formula_is_cut_off_at_a_desk(seen):
    assert seen.page.evaluate(CUT_OFF) == []


def test_a_formula_that_is_cut_off_would_be_seen(book, visit):
    page = visit(book, "book/natural.html").page
    page.add_style_tag(content="article div.math mjx-container { font-size: 150% !important }")
    assert page.evaluate(CUT_OFF)


@pytest.mark.parametrize(
    ("css", "word"), [("max-width: none !important", "cut"), ("max-width: 3em", "shrunk")]
)
def test_a_formula_that_is_hard_to_read_would_be_seen(book, visit, css, word):
    page = visit(book, "book/average.html", size=PHONE).page
    page.add_style_tag(content=f"span.math mjx-container > svg {{ {css} }}")
    assert any(line.startswith(word) for line in page.evaluate(HARD_TO_READ))


class Page(HTMLParser):
    """The links of a page and the places in it that a link may name."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self.links += [attributes[key] for key in ("href", "src") if attributes.get(key)]


def test_every_link_leads_somewhere(book):
    written = [
        path for path in book.rglob("*.html") if path.relative_to(book).parts[0] not in ("_static", "lite")
    ]
    pages = {path: Page(path.read_text("utf-8")) for path in written}
    assert pages
    broken = []
    for path, page in pages.items():
        for link in page.links:
            url, anchor = urldefrag(urljoin(path.as_uri(), link))
            if urlparse(url).scheme != "file":
                continue
            target = type(path)(unquote(urlparse(url).path))
            where = path.relative_to(book)
            if not target.is_file():
                broken.append(f"{where}: {link}: no such file")
            elif anchor and target in pages and unquote(anchor) not in pages[target].anchors:
                broken.append(f"{where}: {link}: no such place in the page")
    assert broken == []


def test_the_front_door_leads_to_a_page(book, visit):
    seen = visit(book, "index.html", settle=False)
    seen.page.wait_for_selector("article h1")
    assert seen.failed == []


# Where a search for a term leads first: to the page that defines it.
TERMS = {
    "advantage": "visitation",
    "agent": "problem",
    "aliasing": "climbing",
    "average reward": "average",
    "baseline": "compatible",
    "chattering": "climbing",
    "compatible": "compatible",
    "eligibility trace": "natural",
    "Fisher": "natural",
    "ledger": "ledger",
    "natural gradient": "natural",
    "performance difference": "next",
    "plateau": "natural",
    "REINFORCE": "problem",
    "return to go": "problem",
    "Riccati": "natural",
    "score": "problem",
    "short corridor": "problem",
    "log-derivative trick": "problem",
    "trajectory": "problem",
    "stationary distribution": "average",
    "TD error": "compatible",
    "visitation": "visitation",
}


@pytest.mark.parametrize("word", ["constructor", "__proto__", "no-constructor"])
def test_a_search_for_a_word_that_objects_know_finds_pages_or_none(book, visit, word):
    seen = visit(book, f"search.html?q={word}")
    seen.page.get_by_text(re.compile("Search finished|did not match")).wait_for()
    seen.page.wait_for_load_state("networkidle")
    assert seen.errors == []


COPIED = """button => {
  // What the button writes to the clipboard, which a page may not read.
  return new Promise(resolve => {
    document.addEventListener("copy", () => resolve(document.activeElement.value), { once: true });
    button.click();
  });
}"""


def copied(page, block):
    return block.locator("xpath=..").locator("button.copybtn").evaluate(COPIED)


def test_the_copy_button_leaves_prompts_and_outputs_out(book, visit):
    page = visit(book, "book/api.html").page
    blocks = page.locator("div.highlight pre:has(.gp)")
    assert blocks.count() > 20
    for block in blocks.all()[:20]:
        typed = [line for line in block.inner_text().splitlines() if line.startswith((">>>", "..."))]
        assert copied(page, block).splitlines() == [line[4:] for line in typed]
    assert page.locator("div.highlight pre:has(.go)").count() > 20  # so that there was something to leave out


def test_the_copy_button_takes_code_without_prompts_whole(book, visit):
    page = visit(book, "book/visitation.html").page
    block = page.locator("div.cell_input div.highlight pre:visible").first
    assert copied(page, block) == block.inner_text().rstrip("\n")


def test_each_page_says_once_what_it_is(book, book_page):
    tags = re.findall(r'<meta\s[^>]*\bname="(\w+)"', (book / book_page).read_text("utf-8"))
    assert tags.count("viewport") == 1
    for name in ("description", "citation_title", "citation_publication_date"):
        assert tags.count(name) == book_page.startswith("book/")  # not the search, not the index


def first_result(page, term):
    """The link to which a search leads first, once the search page has found everything."""
    page.wait_for_load_state("networkidle")  # to leave before would cut a request off
    page.goto(page.url.partition("search.html")[0] + f"search.html?q={quote(term)}")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    page.wait_for_load_state("networkidle")  # Sphinx fetches an excerpt for each result
    return page.locator("#search-results li a").first


def test_a_search_for_a_term_leads_to_the_page_that_defines_it(book, visit):
    seen = visit(book, "search.html")
    found = {}
    for term in TERMS:
        path = urlparse(first_result(seen.page, term).get_attribute("href")).path
        found[term] = path.rpartition("/")[2].removesuffix(".html")
    assert found == TERMS
    assert seen.errors == []
    assert seen.failed == []


def test_search_finds_a_word_of_the_book(book, visit):
    seen = visit(book, "search.html")
    first_result(seen.page, "visitation").click()
    seen.page.wait_for_selector("article h1")
    assert "visit" in seen.page.inner_text("article").lower()  # the index holds stems of words
    assert seen.errors == []
    assert seen.failed == []


@pytest.mark.parametrize(("number", "page"), [("8.4", "visitation"), ("23.3", "natural")])
def test_search_finds_a_formula_by_its_number(book, visit, number, page):
    seen = visit(book, f"search.html?q={number}")
    seen.page.wait_for_selector("#search-results li a", timeout=10_000)
    seen.page.wait_for_load_state("networkidle")
    seen.page.locator("#search-results li a").first.click()
    seen.page.wait_for_selector("article h1")
    assert f"/{page}.html" in seen.page.url
    assert urldefrag(seen.page.url)[1] == f"equation-eq-{number.replace('.', '-')}"
    assert seen.failed == []


def test_the_ledger_is_searched_by_label_and_by_word(book, visit):
    seen = visit(book, "book/ledger.html")
    rows = seen.page.locator(".tag_ledger tbody tr")
    shown = seen.page.locator(".tag_ledger tbody tr:visible")
    status = seen.page.locator("#ledger-filter [role=status]")
    assert rows.count() == shown.count() >= 72
    seen.page.get_by_label("Show only").focus()
    for words in ("8.4", "advantage", "gamma dropped", "no such formula"):
        seen.page.keyboard.press("Control+a")
        seen.page.keyboard.type(words)
        texts = [" ".join(text.lower().split()) for text in rows.all_text_contents()]
        found = sum(all(word in text for word in words.split()) for text in texts)
        assert shown.count() == found < rows.count()
        assert status.inner_text() == f"{found} of {rows.count()}"
        assert (found > 0) == (words != "no such formula")
    seen.page.keyboard.press("Control+a")
    seen.page.keyboard.press("Delete")
    assert shown.count() == rows.count()
    assert seen.errors == []


@pytest.mark.on("phone")
def test_no_full_stop_after_a_formula_begins_a_line(seen):
    # The mark stands beside its formula: in a line below, it would begin left of the formula's right edge.
    fallen = seen.page.evaluate(
        """() => [...document.querySelectorAll("article span.math")].filter((formula) => {
          const next = formula.nextSibling;
          if (next?.nodeType !== Node.TEXT_NODE || !/^[.,:;?!)]/.test(next.data)) return false;
          const mark = document.createRange();
          mark.setStart(next, 0);
          mark.setEnd(next, 1);
          const [a, b] = [formula, mark].map((each) => each.getBoundingClientRect());
          return b.width > 0 && b.left < a.right - 1;
        }).map((formula) => formula.parentElement.textContent.slice(-60))"""
    )
    assert fallen == []


def notebook_pages(book):
    return sorted(path.relative_to(book / "_sources") for path in book.glob("_sources/**/*.ipynb"))


def test_each_notebook_page_leads_to_its_notebook_in_the_browser(book, visit):
    assert notebook_pages(book)
    for path in notebook_pages(book):
        seen = visit(book, path.with_suffix(".html").as_posix(), settle=False)
        button = seen.page.locator("a.pgt-run-button")
        assert button.is_visible()
        assert button.evaluate("link => link.href") == (
            f"{seen.origin}/lite/notebooks/index.html?path={path.as_posix()}"
        )
        assert (book / "lite" / "files" / path).is_file()
        assert not seen.page.locator(".pgt-run-file").is_visible()


def test_a_page_that_is_a_file_says_that_its_notebook_needs_a_server(book, visit):
    page = visit(book, notebook_pages(book)[0].with_suffix(".html").as_posix(), by="file", settle=False).page
    assert not page.locator("a.pgt-run-button").is_visible()
    assert "Read it from a web server" in page.locator(".pgt-run-file").inner_text()


def test_no_extension_puts_a_file_of_its_own_in_the_place_of_ours(book):
    ours = ROOT / "book" / "_static"
    files = [path.relative_to(ours) for path in ours.rglob("*") if path.suffix in {".css", ".js", ".svg"}]
    assert len(files) > 20
    changed = [name for name in files if (book / "_static" / name).read_bytes() != (ours / name).read_bytes()]
    assert changed == []
