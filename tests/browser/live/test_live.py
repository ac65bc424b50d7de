"""Every cell runs in its page and shows there what the book shows; and whatever a reader does is answered."""

import gzip
import os
import sys
import time
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[3]
BOOK = Path(os.environ.get("PGTLAB_BOOK", ROOT / "_build" / "html")).resolve()
SECONDS = 500
sys.path.append(str(ROOT / "tools"))
import policy as policy_tool  # noqa: E402

RUN = """async ([ids, afresh]) => {
  const shown = {};
  for (const id of ids) {
    if (afresh) await pgtLive.startAfresh();
    const cell = pgtLive.cell(id), { ok, error } = await pgtLive.run(cell);
    shown[id] = ok ? cell.record : [["error", JSON.stringify(error)]];
  }
  return shown;
}"""
ONE = """async ([i, source]) => {
  const cell = pgtLive.cells[i];
  if (source !== null) { cell.code.textContent = cell.source = source; pgtLive.touch(cell); }
  const { ok, error } = await pgtLive.run(cell);
  return { ok, error, note: cell.note.innerText, shown: cell.shown?.innerText, state: cell.state };
}"""
SMALL = "errata"  # a page that needs NumPy only


def run(page, number, source=None):
    return page.evaluate(ONE, [number, source])


def stored(name):
    """What the notebook's cells show in text, by their ids, in the order of the page."""
    texts = {}
    for cell in nbformat.read(BOOK / "_sources" / "book" / f"{name}.ipynb", nbformat.NO_CONVERT).cells:
        if cell.cell_type != "code" or "remove-cell" in cell.metadata.get("tags", []):
            continue
        shown = texts[cell.id] = []
        for output in cell.outputs:
            if output.output_type != "stream":
                shown.append(["text/plain", "".join(output.data["text/plain"])])
            elif shown and shown[-1][0] == output.name:
                shown[-1][1] += "".join(output.text)
            else:
                shown.append([output.name, "".join(output.text)])
    return texts


def differing(expected, got):
    return {id: (got[id], texts) for id, texts in expected.items() if got[id] != texts}


def test_a_page_shows_what_is_stored(live, live_page):
    page = live(live_page)
    page.set_default_timeout(1000 * SECONDS)
    expected = stored(live_page)
    assert page.evaluate("pgtLive.cells.map(cell => cell.id)") == list(expected)
    assert differing(expected, page.evaluate(RUN, [list(expected), False])) == {}
    assert page.outside == []
    assert page.errors == []


@pytest.mark.parametrize("name", ["problem", SMALL])
def test_a_cell_alone_shows_it_too(live, name):
    page = live(name)
    page.set_default_timeout(1000 * SECONDS)
    expected = stored(name)
    # the last cells first: each must find by itself what it needs
    assert differing(expected, page.evaluate(RUN, [list(expected)[::-1], name == SMALL])) == {}


def test_nothing_is_fetched_before_a_press_and_one_worker_after_it(live, live_site):
    before = live_site.sent.copy()
    page = live(SMALL)
    page.wait_for_timeout(500)
    fetched = {path.rpartition("/")[2] for path in live_site.sent - before}
    assert fetched & {"session.js", "worker.js", "output.js", "pyodide.js", "names.py"} == set()
    assert page.workers == []
    run(page, 1)
    run(page, 2)
    assert len(page.workers) == 1
    page.goto("about:blank")
    assert page.workers == []


def test_what_a_page_weighs_that_is_only_read():
    here = BOOK / "_static" / "live"
    parts = [path.name for pattern in ("page.*", "editing.*") for path in here.glob(pattern)]
    assert sum(len(gzip.compress((here / part).read_bytes())) for part in parts) <= 25_000


# --- the reader ---


def test_the_result_takes_the_place_of_the_books_and_gives_it_back(live):
    page = live(SMALL)
    cell = page.locator("div.cell[id]").nth(1)
    book = cell.locator("> .cell_output").inner_text()
    answer = run(page, 1, "print('mine')")
    assert (answer["shown"].strip(), answer["state"]) == ("mine", "done")
    assert "Your result" in answer["note"]
    assert cell.locator("> .cell_output:visible").count() == 1
    cell.get_by_role("button", name="Show the book’s output").click()
    assert cell.locator("> .cell_output").inner_text() == book


def test_a_covered_cell_that_runs_shows_its_result_and_the_books(live):
    page = live("climbing")
    covered = "cell => cell.element.querySelector(':scope > .pgt-covered')"
    number, id = page.evaluate(f"[pgtLive.cells.findIndex({covered}), pgtLive.cells.find({covered}).id]")
    cell = page.locator(f"#cell-{id}")
    assert cell.locator("> .cell_output:visible").count() == 0
    answer = run(page, number)
    assert answer["state"] == "done"
    assert cell.locator("> .cell_output:visible").all_inner_texts() == [answer["shown"]]
    cell.get_by_role("button", name="Show the book’s output").click()
    assert cell.locator("> .cell_output:visible").inner_text().strip() == answer["shown"].strip()
    assert page.locator(".pgt-covered").count() > 0  # the others still are
    assert not page.locator("#reason-1").is_visible()


def test_a_cell_is_run_by_the_keyboard(live):
    page = live(SMALL)
    button = page.get_by_role("button", name="Run cell 2 of")
    assert page.evaluate("b => getComputedStyle(b.parentElement).opacity", button.element_handle()) == "0"
    button.focus()
    page.wait_for_function(
        "b => getComputedStyle(b.parentElement).opacity === '1'", arg=button.element_handle()
    )
    page.keyboard.press("Enter")
    page.locator("div.cell[data-live=done]").wait_for()


def test_an_error_shows_its_line_and_the_cell_that_has_it(live):
    page = live(SMALL)
    answer = run(page, 1, "x = 1\nx + undefined_name")
    assert answer["error"]["line"] == 2
    assert "NameError: name 'undefined_name' is not defined" in answer["shown"]
    assert "Line 2: x + undefined_name" in answer["shown"]
    assert "pgtlive" not in answer["shown"]
    run(page, 1, "there = 1 / 0")
    answer = run(page, 2, "there")
    assert answer["error"]["cell"] == page.evaluate("pgtLive.cells[1].id")
    assert "A cell that this one needs ended with an error: cell 2" in answer["note"]


def test_what_was_computed_from_an_older_source_is_marked(live):
    page = live(SMALL)
    run(page, 1, "here = 1")
    run(page, 2, "here")
    states = "[pgtLive.cells[1].state, pgtLive.cells[2].state]"
    page.evaluate("() => { pgtLive.cells[1].source = 'here = 2'; pgtLive.touch(pgtLive.cells[1]); }")
    assert page.evaluate(states) == ["stale", "stale"]
    page.evaluate("() => { pgtLive.cells[1].source = 'here = 1'; pgtLive.touch(pgtLive.cells[1]); }")
    assert page.evaluate(states) == ["done", "done"]


def test_an_endless_loop_is_stopped_and_python_comes_back(live):
    page = live(SMALL)
    run(page, 1, "kept = 7")
    page.evaluate(
        "() => { pgtLive.cells[2].source = 'while True:\\n    pass'; pgtLive.run(pgtLive.cells[2]); }"
    )
    cell = page.locator("div.cell[data-live=running]")
    cell.wait_for()
    cell.get_by_role("button", name="Stop").click()
    page.locator("div.cell[data-live=stopped]").wait_for(timeout=5000)
    assert run(page, 3, "kept")["shown"].strip() == "7"
    end = time.monotonic() + 10  # one that was busy when it was ended lives on for a moment
    while len(page.workers) > 1 and time.monotonic() < end:
        page.wait_for_timeout(50)
    assert len(page.workers) == 1


def test_of_a_million_lines_the_newest_stay(live):
    shown = run(live(SMALL), 1, "for i in range(1_000_000):\n    print(i)")["shown"]
    assert shown.rstrip().endswith("999999")
    assert len(shown) < 110_000
    first = int(shown.split("\n\n")[1].split("\n")[0].strip() or shown.split()[-20])
    assert f"The first {first:,} lines are left out" in shown


def test_a_python_that_ends_itself_is_told_and_another_comes(live):
    page = live(SMALL)
    answer = run(page, 1, "import os\nos._exit(1)")
    assert answer["state"] == "failed"
    assert "Python has stopped: the code has ended it" in answer["note"]
    assert run(page, 1, "print('back')")["shown"].strip() == "back"
    # So does one whose machinery breaks between two cells.
    page.workers[0].evaluate("() => { Promise.reject(new Error('broken')); }")
    assert "Python has stopped" in run(page, 2, "print('lost')")["note"]
    assert run(page, 2, "print('again')")["shown"].strip() == "again"
    assert len(page.workers) == 1


OUTSIDE = "https://outside.example"
#: What would act on the page if it could; one word of it is to be read all the same.
ACTING = rf"""
<style>h1 {{ display: none }} h1::before {{ content: url({OUTSIDE}/1) }}</style><base href="{OUTSIDE}">
<link rel="stylesheet" href="{OUTSIDE}/2"><meta http-equiv="refresh" content="0; {OUTSIDE}/3">
<form action="{OUTSIDE}/4"><input name="typed" value="secret"><button>send</button></form>
<button id="alone" form="search" formaction="{OUTSIDE}/5">send</button>
<img src="{OUTSIDE}/6" srcset="{OUTSIDE}/7 2x" onerror="document.title = 'acted'">
<p style="background: url({OUTSIDE}/8)">a</p><p style="background: u\\72l({OUTSIDE}/9)">b</p>
<p style="position: fixed; inset: 0">c</p><table background="{OUTSIDE}/10"><tr><td>d</td></tr></table>
<video src="{OUTSIDE}/11" poster="{OUTSIDE}/12"></video><iframe src="{OUTSIDE}/13"></iframe>
<svg><image href="{OUTSIDE}/14"/><rect width="9" height="9" mask="url({OUTSIDE}/15#m)" fill="url(#there)"/>
<a id="turned" href="#top"><set attributeName="href" to="javascript:document.title = 'acted'"/></a></svg>
<a id="runs" href="java&#10;script:document.title = 'acted'">f</a><script>document.title = 'acted'</script>
<p id="stays" style="color: red">the words stay</p>
"""
SHOWING = "class Acting:\n    def _repr_html_(self):\n        return '''{}'''\nActing()"
ACTS = "script, style, link, meta, base, form, iframe, set, [form], [formaction], [onerror], [background]"
PLACES = """[...document.querySelectorAll('.pgt-live-output *')].every(
  each => ['static', 'relative'].includes(getComputedStyle(each).position))"""


def test_what_a_cell_shows_is_seen_and_does_not_act(live):
    page = live(SMALL)
    title, address = page.title(), page.url
    assert run(page, 1, SHOWING.format(ACTING))["state"] == "done"
    shown = page.locator(".pgt-live-output")
    assert "the words stay" in shown.inner_text()
    assert shown.locator("#stays").get_attribute("style") == "color: red"
    assert shown.locator("rect").get_attribute("fill") == "url(#there)"
    assert shown.locator(ACTS).count() == 0
    assert page.evaluate(PLACES)
    for pressed in ("#alone", "#runs", "#turned"):
        shown.locator(pressed).dispatch_event("click")
    page.wait_for_timeout(300)
    assert page.locator("article h1").first.is_visible()
    assert (page.title(), page.url.partition("#")[0], page.outside) == (title, address, [])
    assert page.errors == []


def test_memory_without_end_is_answered(live):
    answer = run(live(SMALL), 1, "x = []\nwhile True:\n    x.append(bytearray(10**8))")
    assert answer["error"]["name"] == "MemoryError"
    assert "two gigabytes" in answer["shown"]


def test_without_a_network_the_cell_says_what_helps(live):
    page = live(SMALL)
    page.context.set_offline(True)
    assert "offline" in run(page, 1)["note"]
    page.context.set_offline(False)
    assert run(page, 1)["state"] == "done"
    kept = run(page, 3, "import time\nnow = time.perf_counter()\nprint(now)")["shown"]
    page.context.set_offline(True)  # Python is here, and what it needs more is not
    answer = run(page, 2, "import sympy")
    assert (answer["state"], "Python is still here" in answer["note"]) == ("failed", True)
    assert run(page, 1, "print('alive')")["shown"].strip() == "alive"
    page.context.set_offline(False)
    assert run(page, 2)["state"] == "done"
    # It is the same Python: what it had computed is there.
    assert run(page, 4, "print(now)")["shown"].strip() == kept.strip()


@pytest.mark.parametrize("file", ["pyodide.js", "pyodide.asm.wasm", "python_stdlib.zip", "numpy-*.whl"])
def test_a_file_that_is_refused_is_said(live, file):
    page = live(SMALL)
    page.context.route(f"**/static/pyodide/{file}", lambda route: route.abort())
    answer = run(page, 1)
    assert "Python could not be fetched" in answer["note"]
    assert answer["state"] == "failed"


def test_pages_beside_one_another_and_a_page_that_comes_back(live):
    page = live(SMALL)
    others = [live(SMALL, context=page.context) for _ in range(2)]
    for number, each in enumerate([page, *others]):
        assert run(each, 1, f"print({number})")["shown"].strip() == str(number)
    page.goto(page.url.replace(SMALL, "notation"))
    page.go_back()
    page.wait_for_function("() => window.pgtLive")
    assert run(page, 1, "print('again')")["shown"].strip() == "again"


def test_a_page_that_is_a_file_says_what_helps(visit, book):
    page = visit(book, f"book/{SMALL}.html", by="file").page
    page.evaluate("pgtLive.run(pgtLive.cells[1])")
    assert "put the book on a server" in page.locator(".pgt-live-note:visible").inner_text()


def test_run_all_runs_all_and_start_afresh_gives_the_book_back(live):
    page = live(SMALL)
    page.get_by_role("button", name="Run all").click()
    count = page.evaluate("pgtLive.cells.length")
    page.wait_for_function("n => document.querySelectorAll('[data-live=done]').length === n", arg=count)
    page.get_by_role("button", name="Start afresh").click()
    page.wait_for_function("n => document.querySelectorAll('[data-live=book]').length === n", arg=count)
    assert page.locator(".pgt-live-output").count() == 0


def test_a_figure_stays_packed_until_its_code_changes_and_then_asks_python(live):
    page = live("problem")
    number, source = page.evaluate(
        "(i => [i, pgtLive.cells[i].source])(pgtLive.cells.findIndex(c => /explore\\(/.test(c.source)"
        " && /np\\.|range|\\(/.test(c.source)))"
    )
    assert "The figure is the book’s" in run(page, number)["note"]
    assert page.locator(".pgt-explore-live").count() == 0
    run(page, number, "# mine\n" + source)
    figure = page.locator(".pgt-explore-live [role=img]")
    before = figure.get_attribute("aria-label"), figure.inner_html()
    slider = page.locator(".pgt-explore-live input").first
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "was => document.querySelector('.pgt-explore-live [role=img]').ariaLabel !== was", arg=before[0]
    )
    assert figure.inner_html() != before[1]
    assert page.locator(".pgt-explore-live figure, .pgt-explore-live").count() == 1


def test_code_behind_a_cell_is_run_and_not_shown(live):
    page = live(SMALL)
    code = "[pgtLive.cells[1], 'here += 1\\nprint(here)']"
    page.evaluate("() => { pgtLive.cells[1].source = 'here = 1'; }")
    answer = page.evaluate(f"pgtLive.evaluate(...{code})")
    assert (answer["ok"], answer["text"]) == (True, "2\n")
    assert page.evaluate(f"pgtLive.evaluate(...{code})")["text"] == "2\n"
    assert page.locator(".pgt-live-output").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_a_page_that_has_run(live, axe_violations, theme):
    page = live(SMALL, color_scheme=theme)
    run(page, 1)
    run(page, 2, "print(1)\nx = 1 / 0")
    run(page, 3, "import sys\nprint('no', file=sys.stderr)\n[1, 2]")
    page.evaluate("() => { pgtLive.cells[1].source = '1'; pgtLive.touch(pgtLive.cells[1]); }")
    assert axe_violations(page) == []


def test_it_works_under_the_policies(live):
    policies = policy_tool.for_pages(BOOK), policy_tool.for_cells("pyodide")
    page = live(SMALL)
    seen = []

    def answer(route):
        response = route.fetch()
        given = policies["/_static/live/" in route.request.url]
        seen.append(given)
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": given})

    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.context.route("**/book/**/*.html", answer)
    page.context.route("**/_static/live/**", answer)
    page.reload()
    assert run(page, 1)["state"] == "done"
    assert set(seen) == set(policies)
    assert page.errors == []
