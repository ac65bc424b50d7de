"""The built book in a real browser: pages over http and as files, a Chromium, and what it reports.

A page is visited once for each way in which a reader may come to it, and every question that only looks
is asked on that visit: a test takes `seen` and names its visits: `@pytest.mark.on("desktop", "phone")`. What
moves, presses or changes something opens a page of its own, by `visit`.

Nothing here reaches the network: a request that is not for the book is recorded and refused. Without a book
or a browser the tests are skipped and say why; with CI=true that is a failure.
"""

import functools
import http.server
import importlib.util
import json
import os
import random
import re
import shutil
import statistics
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

sys.path.append(str(Path(__file__).parent))
from with_pyodide import compiled_pyodide, pyodide, serve_lite  # noqa: F401

from tools.pdf import BROWSERS

ROOT = Path(__file__).parents[2]
BOOK = Path(os.environ.get("PGTLAB_BOOK", ROOT / "_build" / "html")).resolve()
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
DESKTOP, PHONE = (1280, 900), (390, 844)
PAPER = (680, 1002)  # what A4 leaves inside the margins of print.css, in CSS pixels

# How a page may be visited.
VISITS = {
    "desktop": {"size": DESKTOP, "theme": "light"},
    "desktop, dark": {"size": DESKTOP, "theme": "dark"},
    "phone": {"size": PHONE, "theme": "light"},
    "phone, dark": {"size": PHONE, "theme": "dark"},
    "file": {"by": "file"},
    "paper": {"size": PAPER, "media": "print"},
}
SAMPLES = "figures.html"  # the page of samples, which stands beside those of the book


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "on(*visits, pages=..., samples=False): the visits on which `seen` is asked"
    )


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


class PageScheduling(LoadScopeScheduling):
    """Gives all tests that share a visit to a page to one process."""

    def _split_scope(self, nodeid):
        found = re.search(r"\[(\S+\.html(?: \(.+\))?)\]$", nodeid)
        return found[1] if found else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getoption("dist") == "loadscope":
        return PageScheduling(config, log)


def reader_pages():
    """Every page that a reader meets, by its path in the book; the redirect at the root has its own test."""
    pages = sorted(path.relative_to(BOOK) for path in BOOK.rglob("*.html"))
    return [
        page.as_posix()
        for page in pages
        if page.parts[0] not in ("_static", "_sources", "lite", "index.html")
    ]


@functools.cache
def pages_with(text):
    return [page for page in reader_pages() if text in (BOOK / page).read_text("utf-8")]


# The pages that a test may ask for, each kind by its name.
PAGES = {
    "book_page": reader_pages,
    "text_page": lambda: [page for page in reader_pages() if page.startswith("book/")],
    "explore_page": lambda: pages_with('class="pgt-explore"'),
    "proof_page": lambda: pages_with('class="pgt-proof '),
    "prediction_page": lambda: pages_with('class="pgt-predict '),
}


def pytest_generate_tests(metafunc):
    for kind, pages in PAGES.items():
        if kind in metafunc.fixturenames:
            metafunc.parametrize(kind, pages() or [f"(no {kind})"], scope="session")
    if "seen" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("on")
        pages = PAGES[mark.kwargs.get("pages", "book_page")]() or ["(no book)"]
        asked = [
            (page, visit)
            for page in [SAMPLES] * mark.kwargs.get("samples", False) + pages
            for visit in mark.args
        ]
        names = [f"{page} ({visit})" for page, visit in asked]
        metafunc.parametrize("seen", asked, ids=names, indirect=True, scope="session")


def missing(reason):
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason} (CI=true: this is a failure, not a skip)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def book():
    if not (BOOK / "index.html").exists():
        missing("there is no book in _build/html: run `make book` first")
    return BOOK


@pytest.fixture(scope="session")
def chromium():
    """How to start the browser of this machine."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        missing(f"no browser: none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)")
    return {"executable_path": executable, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def whole_chromium(chromium):
    """How to start a browser that reads its settings, as the one without windows does not."""
    executable = next(filter(None, map(shutil.which, BROWSERS[1:])), None)
    if executable is None:
        missing(f"none of {', '.join(BROWSERS[1:])} is installed, and {BROWSERS[0]} reads no settings")
    return chromium | {"executable_path": executable}


@pytest.fixture(scope="session")
def browser(chromium):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright: see requirements-test.txt")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(**chromium)
        yield started
        started.close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def serve():
    """Serve a folder on this machine and return its address."""
    servers = {}

    def start(folder):
        if folder not in servers:
            handler = functools.partial(QuietHandler, directory=str(folder))
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            servers[folder] = server, thread
        return f"http://127.0.0.1:{servers[folder][0].server_port}"

    yield start
    for server, thread in servers.values():
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Visit:
    """A page as the browser opened it, and everything that it reported on the way."""

    page: object
    origin: str
    name: str
    errors: list = field(default_factory=list)
    outside: list = field(default_factory=list)
    failed: list = field(default_factory=list)


@pytest.fixture(scope="session")
def open_page(browser, serve):
    """Open a page: open_page(folder, path, by="http" or "file", size=..., theme="light" or "dark", ...).

    `before` are scripts that run before those of the page; `settle=False` does not wait for mathematics.
    """

    def opened(
        folder, path, *, by="http", size=DESKTOP, theme="light", media=None, before=(), settle=True, **options
    ):
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=theme, **options
        )
        origin = serve(folder) if by == "http" else folder.as_uri()
        made = Visit(context.new_page(), origin, path)
        context.add_init_script(
            f"try {{ localStorage.mode = localStorage.theme = '{theme}' }} catch (error) {{}}"
        )
        for script in before:
            context.add_init_script(script)

        def route(request_route):
            url = request_route.request.url
            if url.startswith((origin, "data:", "blob:")):
                request_route.continue_()
            else:
                made.outside.append(url)
                request_route.abort()

        context.route("**/*", route)
        page = made.page
        page.on("pageerror", lambda error: made.errors.append(f"page error: {error}"))
        page.on("console", lambda m: made.errors.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("requestfailed", lambda r: made.failed.append(r.url))
        page.on("response", lambda r: made.failed.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.goto(f"{origin}/{path}", wait_until="load")
        if settle and options.get("java_script_enabled", True):
            page.evaluate("async () => { if (window.MathJax?.startup) await MathJax.startup.promise; }")
        if media:
            page.emulate_media(media=media)
        return made

    return opened


@pytest.fixture
def visit(open_page):
    """Open a page as `open_page` does, for one test alone."""
    made = []

    def opened(*where, **how):
        made.append(open_page(*where, **how))
        return made[-1]

    yield opened
    for each in made:
        each.page.context.close()


visited = set()


@pytest.fixture(scope="session")
def seen(request, open_page, book):
    """A page on one visit, which all tests share that only look."""
    path, how = request.param
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.param not in visited, f"{path} is visited twice: run with --dist loadscope"
    visited.add(request.param)
    folder = request.getfixturevalue("samples")[0] if path == SAMPLES else book
    made = open_page(folder, path, **VISITS[how])
    made.page.wait_for_timeout(300)  # what scripts fetch after loading
    yield made
    made.page.context.close()


# The same question is asked once: of the words of one kind in a piece of code the longest keeps its colour,
# since axe does not judge single letters, and formulas lose their strokes, which have neither text nor name,
# and the tags within what is read aloud. Returns what puts the page back.
ONCE = """() => {
  const shown = { ".highlight": block => {
    const copy = block.cloneNode(true);  // changed before it is in the page, where each change is styled
    const words = [...copy.querySelectorAll("span[class]")].filter(word => !word.firstElementChild);
    const longest = {};
    for (const word of [...words].sort((a, b) => a.textContent.length - b.textContent.length))
      longest[word.className] = word;
    for (const word of words) if (longest[word.className] !== word) word.replaceWith(...word.childNodes);
    return copy.childNodes;
  }, "mjx-container > svg": () => [], "mjx-assistive-mml > math": math => [math.textContent] };
  const blocks = Object.entries(shown).flatMap(([kind, less]) =>
    [...document.querySelectorAll(kind)].map(block => {
      const now = less(block), kept = block.cloneNode(false);
      kept.append(...block.childNodes);
      block.append(...now);
      return [block, kept];
    }));
  return () => blocks.forEach(([block, kept]) => block.replaceChildren(...kept.childNodes));
}"""


# One element for each kind of text, by its colour, size, weight and shadow and all that lies behind it, and
# one link for each kind of link in a kind of text. The contrast of the others is the same, and asking for it
# is what takes longest.
KINDS = """() => {
  const behind = new Map([[null, ""]]);
  const ground = element => {
    if (!behind.has(element)) {
      const { backgroundColor, backgroundImage, opacity, position } = getComputedStyle(element);
      const own = [backgroundColor, backgroundImage, opacity, position].join();
      const plain = own === "rgba(0, 0, 0, 0),none,1,static";
      behind.set(element, ground(element.parentElement) + (plain ? "" : own));
    }
    return behind.get(element);
  };
  const text = element => {
    const { color, fontSize, fontWeight, textShadow } = getComputedStyle(element);
    return [color, fontSize, fontWeight, textShadow, ground(element)].join();
  };
  const kinds = new Map();
  const add = (kind, element) => kinds.has(kind) || kinds.set(kind, element);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let each = texts.nextNode(); each; each = texts.nextNode()) {
    const element = each.parentElement;
    if (each.data.trim().length > 1 && element.getClientRects().length) add(text(element), element);
  }
  for (const link of document.links) {
    if (!link.getClientRects().length) continue;
    // What marks it off from the words round it: a line below, a border, another font.
    const { textDecorationLine, borderBottom, fontStyle, fontFamily } = getComputedStyle(link);
    const around = link.parentElement.closest("p, li, td, dd, dt, div, article, nav, footer");
    const beside = [...around.childNodes].some(each => !each.contains(link) && each.textContent.trim());
    const own = [text(link), textDecorationLine, borderBottom, fontStyle, fontFamily, beside];
    const parts = [...link.children].map(each => getComputedStyle(each).textDecorationLine);
    add(["link", ...own, ...parts, text(around), getComputedStyle(around).display].join(), link);
  }
  return [...new Set(kinds.values())];
}"""


# Each node with the number of the piece of code in which it lies, -1 for none.
AXE = """async ([once, kinds, colours]) => {
  const restore = eval(once);
  const options = { resultTypes: ["violations"], elementRef: true };
  const ofColour = ["color-contrast", "link-in-text-block"];
  const rules = { "label-content-name-mismatch": { enabled: true } };
  const violations = [];
  const ask = async (context, more) => {
    violations.push(...(await axe.run(context, { ...options, ...more })).violations);
  };
  if (kinds) {
    const include = eval(kinds);
    for (const rule of ofColour) rules[rule] = { enabled: false };
    await ask({ include }, { runOnly: ofColour });
    if (!colours) await ask(document, { rules });
  } else await ask(document, { rules });
  const blocks = [...document.querySelectorAll(".highlight")];
  for (const node of violations.flatMap(each => each.nodes)) {
    node.block = blocks.indexOf(node.element.closest(".highlight"));
    delete node.element;
    for (const check of [...node.any, ...node.all, ...node.none])
      for (const related of check.relatedNodes) delete related.element;
  }
  restore();
  return violations;
}"""


@pytest.fixture(scope="session")
def axe_violations():
    """What axe-core finds in a page, with the one rule about names that it calls experimental.

    With `colours` only its two rules about colours are asked: where another theme alone is new.
    """
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None:
        missing("axe-core is not here: install requirements-test.txt")
    source = (Path(spec.origin).parent / "axe.min.js").read_text("utf-8")

    def violations(page, once=True, colours=False):
        page.evaluate(source)
        asked = [f"({ONCE})()", f"({KINDS})()"] if once else ["() => null", ""]
        return page.evaluate(AXE, [*asked, colours])

    return violations


@pytest.fixture
def rng():
    return random.Random(8)


redraws = {}


@pytest.fixture
def record_redraws(record_property):
    """Keep the times of redraws, in milliseconds, for the summary and for _build/redraw-times.json."""

    def record(figure, times):
        summary = {
            "moves": len(times),
            "median": round(statistics.median(times), 2),
            "p95": round(statistics.quantiles(times, n=20)[-1], 2),
            "max": round(max(times), 2),
        }
        record_property("redraws", (figure, summary))

    return record


def pytest_runtest_logreport(report):
    if report.when == "call":  # reports come from every process that tests
        redraws.update(times for name, times in report.user_properties if name == "redraws")


def pytest_terminal_summary(terminalreporter):
    if not redraws:
        return
    terminalreporter.section("redraws: milliseconds of script and layout a move")
    for figure, times in sorted(redraws.items()):
        terminalreporter.line(
            f"{figure}: median {times['median']}, 95th percentile {times['p95']}, max {times['max']} "
            f"({times['moves']} moves)"
        )
    (BOOK.parent / "redraw-times.json").write_text(json.dumps(redraws, indent=2) + "\n", encoding="utf-8")
