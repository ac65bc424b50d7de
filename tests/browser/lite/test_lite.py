"""Every notebook of the book runs in the reader's browser, and shows there what it shows elsewhere."""

import csv
import importlib.util
import json
import os
import re
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[3]
BOOK = Path(os.environ.get("PGTLAB_BOOK", ROOT / "_build" / "html")).resolve()
SUBPATH = "course/book"  # below the root of the server, as in conftest.py
FIRST_CELL = """\
import sys

if sys.platform == "emscripten":
    import piplite

    await piplite.install("pgtlab[symbolic,widgets]")
"""


RAW = re.compile(r"^(:::|```)|\{(prf:|exercise|solution|dropdown|admonition)", re.MULTILINE)


sys.path.append(str(ROOT / "tools"))  # where tools find one another


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


form = load(ROOT / "tools" / "notebooks.py")
lite_tool = load(ROOT / "tools" / "lite.py")
policy_tool = load(ROOT / "tools" / "policy.py")
button = load(ROOT / "book" / "_ext" / "inbrowser.py")
MEASURED = "book/visitation.ipynb"


def shown(cell):
    """The texts that a cell shows, by kind."""
    texts = []
    for output in form.merged_streams(cell["outputs"]):
        if output["output_type"] == "error":
            texts.append(("error", f"{output['ename']}: {output['evalue']}"))
        elif output["output_type"] == "stream":
            texts.append((output["name"], "".join(output["text"])))
        else:
            texts += [
                (kind, "".join(text))
                for kind, text in sorted(form.kept_data(output["data"]).items())
                if kind in ("text/plain", "text/latex", "text/markdown", "text/html")
            ]
    return texts


def test_a_chapter_shows_what_it_shows_elsewhere(notebook, chapter, record_time):
    begun = time.monotonic()
    opened = notebook(chapter)
    cells = opened.run_all()
    record_time(f"{chapter}, seconds from the click to the last cell", round(time.monotonic() - begun, 1))
    stored = nbformat.read(BOOK / "_sources" / chapter, nbformat.NO_CONVERT).cells
    assert [cell["id"] for cell in cells] == [cell["id"] for cell in stored]
    code = [
        (i, run, kept)
        for i, (run, kept) in enumerate(zip(cells, stored, strict=True))
        if kept.cell_type == "code"
    ]
    assert [i for i, run, _ in code if run["execution_count"] is None] == []
    differing = {i: (shown(run), shown(kept)) for i, run, kept in code if shown(run) != shown(kept)}
    assert differing == {}
    prose = opened.page.locator(".jp-MarkdownCell").all_inner_texts()
    assert len(prose) == len(cells) - len(code)
    assert [text for text in prose if RAW.search(text)] == []
    assert opened.outside == []
    assert opened.errors == []


ANSWER = {"grade": False, "grade_id": "double", "locked": False, "schema_version": 3, "solution": True}
SMALL = nbformat.v4.new_notebook(
    cells=[
        nbformat.v4.new_markdown_cell("# A small notebook", id="title"),
        nbformat.v4.new_code_cell(FIRST_CELL, id="first"),
        nbformat.v4.new_code_cell(
            "import matplotlib.pyplot as plt\n"
            "from pgtlab.widgets import explore\n"
            "def draw(slope):\n"
            "    'A line.'\n"
            "    figure, axes = plt.subplots(figsize=(4, 3))\n"
            "    axes.plot([0, slope])\n"
            "    return figure\n"
            "explore(draw, slope=(0.0, 2.0, 5))",
            id="slider",
        ),
        nbformat.v4.new_code_cell(
            "def double(x):\n    raise NotImplementedError",
            id="answer",
            metadata={"nbgrader": ANSWER, "tags": ["kept"]},
        ),
        nbformat.v4.new_code_cell("print('twice 21 is', double(21))", id="check"),
    ],
    metadata=form.NOTEBOOK_METADATA,
)


@pytest.fixture(scope="session")
def small_site(build_lite, serve_lite, pyodide, tmp_path_factory):
    """A site of one small notebook, under its policy, with the Pyodide that has the sources."""
    root = tmp_path_factory.mktemp("small")
    nbformat.write(SMALL, root / "small.ipynb")
    folder = build_lite(root / "site", pyodide, root, root / "small.ipynb")
    return serve_lite(folder, policy_tool.for_notebooks(folder / SUBPATH, str(pyodide)))


def test_a_slider_redraws(notebook, small_site):
    opened = notebook("small.ipynb", site=small_site)
    opened.run_all()
    page = opened.page
    figure = page.locator(".jp-OutputArea [role=img]")
    assert figure.get_attribute("aria-label") == "A line. Shown at slope = 1."
    before = figure.inner_html()
    slider = page.locator(".noUi-target")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    slider.click(position={"x": 0.8 * box["width"], "y": box["height"] / 2})
    page.wait_for_selector('.jp-OutputArea [aria-label="A line. Shown at slope = 1.6."]', timeout=60_000)
    assert figure.inner_html() != before
    assert opened.errors == []
    assert opened.outside == []


def test_an_answer_is_written_checked_and_downloaded(notebook, small_site, tmp_path):
    opened = notebook("small.ipynb", site=small_site)
    cells = {cell["id"]: cell for cell in opened.run_all()}
    assert shown(cells["check"]) == [("error", "<class 'NotImplementedError'>: ")]
    opened.write("answer", "def double(x):\n    return 2 * x")
    cells = {cell["id"]: cell for cell in opened.run_all()}
    assert shown(cells["check"]) == [("stdout", "twice 21 is 42\n")]
    target = opened.download(tmp_path)
    assert target.name == "small.ipynb"
    taken = nbformat.read(target, nbformat.NO_CONVERT)
    nbformat.validate(taken)
    assert [cell["id"] for cell in taken.cells] == [cell["id"] for cell in SMALL.cells]
    answer, original = taken.cells[3], SMALL.cells[3]
    assert answer.source == "def double(x):\n    return 2 * x"
    assert {key: answer.metadata[key] for key in original.metadata} == original.metadata
    # The copy in this browser is what a reader who comes back sees; without it, the version of the book.
    page = opened.page
    page.reload()
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady")
    assert "".join(page.evaluate(SOURCE_OF_ANSWER)) == answer.source
    page.evaluate("() => jupyterapp.serviceManager.contents.delete('small.ipynb')")
    assert "".join(page.evaluate(SOURCE_OF_ANSWER)) == original.source


SOURCE_OF_ANSWER = """async () => {
  const file = await jupyterapp.serviceManager.contents.get("small.ipynb", { content: true });
  return file.content.cells[3].source;
}"""
STATUS = "#pgt-status"


def refuse(pattern):
    return lambda page: page.context.route(pattern, lambda route: route.abort())


@pytest.mark.parametrize("file", ["pyodide.js", "python_stdlib.zip", "numpy-*.whl"])
def test_what_cannot_be_fetched_is_said(notebook, small_site, file):
    opened = notebook("small.ipynb", site=small_site, prepare=refuse(f"**/static/pyodide/{file}"))
    status = opened.page.locator(f"{STATUS}[data-state=failed]")
    status.wait_for(timeout=60_000)
    opened.page.wait_for_timeout(5000)  # no "ready" comes after it
    assert status.count() == 1
    assert status.get_attribute("role") == "alert"
    assert "Python did not start" in status.inner_text()
    assert "load the page again" in status.inner_text()


@pytest.mark.parametrize("answer", [lambda route: None, lambda route: route.abort()], ids=["none", "refused"])
def test_silence_is_said_too(notebook, small_site, answer):
    """Without its core Pyodide waits and raises nothing."""

    def prepare(page):
        page.clock.install()
        page.context.route("**/static/pyodide/pyodide.asm.wasm", answer)

    page = notebook("small.ipynb", site=small_site, prepare=prepare).page
    page.wait_for_selector(f"{STATUS}[data-state=starting]")
    page.wait_for_timeout(5000)  # for what the kernel still says
    page.clock.fast_forward(31_000)
    assert "has not come further for 30 seconds" in page.locator(f"{STATUS}[data-state=slow]").inner_text()


def test_a_browser_that_blocks_storage_is_named_as_the_reason(small_site, browser, whole_chromium, tmp_path):
    blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}  # the setting for all site data
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(blocked), encoding="utf-8")
    context = browser.browser_type.launch_persistent_context(tmp_path, **whole_chromium)
    page = context.new_page()
    page.goto(small_site.notebook("small.ipynb"))
    status = page.locator(f"{STATUS}[data-state=failed]")
    status.wait_for(timeout=60_000)
    page.wait_for_timeout(5000)  # for what the page still says
    assert "Allow cookies and site data for this address" in status.inner_text()
    assert "firewall" not in status.inner_text()
    context.close()


def test_progress_is_said_and_goes_away(notebook, small_site):
    page = notebook("small.ipynb", site=small_site).page
    page.wait_for_selector(f"{STATUS}[data-state=starting]", timeout=10_000)
    page.wait_for_selector(f"{STATUS}[data-state=ready]", timeout=120_000)
    page.wait_for_selector(STATUS, state="hidden", timeout=20_000)


def test_seconds_and_megabytes_to_the_first_result(notebook, lite, browser, chromium, record_time, tmp_path):
    """From the click to the end of the first cell, in a browser that is closed and opened again."""
    measured = {}
    for visit in ("first visit", "second visit"):
        context = browser.browser_type.launch_persistent_context(tmp_path, **chromium)
        before = lite.sent.total()
        begun = time.monotonic()
        opened = notebook(MEASURED, context=context)
        assert opened.run_first() == 1
        seconds = time.monotonic() - begun
        measured[visit] = (lite.sent.total() - before) / 1e6
        record_time(f"{visit} of {MEASURED}", f"{seconds:.1f} s, {measured[visit]:.1f} MB")
        context.close()
    assert measured["first visit"] < 60
    assert measured["second visit"] < 5
    # What the page of a chapter tells its reader, give or take a quarter.
    assert abs(measured["first visit"] / button.MEGABYTES - 1) < 0.25


def test_the_server_names_the_types(lite):
    for path, kind in {
        "static/pyodide/pyodide.asm.wasm": "application/wasm",
        "static/pyodide/pyodide.js": "text/javascript",
        "notebooks/index.html": "text/html",
        "pypi/all.json": "application/json",
    }.items():
        with urllib.request.urlopen(f"{lite.address}/{path}") as answer:
            assert answer.headers.get_content_type() == kind


def test_the_built_book_asks_only_where_its_setting_says(visit, book):
    if not lite_tool.configured().startswith("http"):
        pytest.skip("this book hands out Python itself")
    page = visit(BOOK, f"lite/notebooks/index.html?path={MEASURED}", settle=False)
    page.page.wait_for_selector(f"{STATUS}[data-state=failed]", timeout=60_000)
    assert set(page.outside) == {lite_tool.configured()}


def test_links_to_other_pages_open_them_in_the_book(visit, book):
    page = visit(BOOK, f"lite/notebooks/index.html?path={MEASURED}", settle=False).page
    links = page.locator(".jp-Notebook a[href*='/lite/files/']")
    page.locator(".jp-Notebook a[href$='/sec-errata-8']").wait_for(timeout=60_000)
    found = set()
    for link in links.all():
        with page.expect_popup() as opened:
            link.click()
        opened.value.wait_for_load_state()
        path, _, place = opened.value.url.partition("#")
        found.add(path.rpartition("/")[2])
        assert (BOOK / "book" / path.rpartition("/")[2]).is_file(), opened.value.url
        assert not place or opened.value.locator(f"[id='{place}']").count() == 1, opened.value.url
        opened.value.close()
    assert {"errata.html", "conditions.html"} <= found


def solved(chosen):
    """The instructor's answers in code to the questions of a problem set, by the ids of their cells."""
    asked = {
        cell["id"]
        for cell in chosen.release["cells"]
        if cell["cell_type"] == "code" and cell["metadata"].get("nbgrader", {}).get("solution")
    }
    lines = {cell["id"]: "".join(cell["source"]).split("\n") for cell in chosen.notebook["cells"]}
    return {each: "\n".join(line for line in lines[each] if " SOLUTION" not in line) for each in asked}


def test_a_problem_set_is_solved_checked_downloaded_and_graded(notebook, problem_set, tmp_path, capsys):
    pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make grading` installs it")
    from pgtgrade.__main__ import main
    from pgtgrade.problem_sets import problem_set as find

    source = ROOT / "book" / "exercises"
    name = Path(problem_set).stem
    chosen = find(name, source)
    answers = solved(chosen)
    assert answers

    opened = notebook(problem_set)
    for each, answer in answers.items():
        opened.write(each, answer)
    cells = opened.run_all()
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [text for cell in code for kind, text in shown(cell) if kind in ("error", "stderr")] == []
    # A cell whose hidden tests were taken away is empty, and has nothing to run.
    assert [each["id"] for each in code if each["execution_count"] is None and "".join(each["source"])] == []

    (tmp_path / "downloads").mkdir()
    taken = nbformat.read(opened.download(tmp_path / "downloads"), nbformat.NO_CONVERT)
    nbformat.validate(taken)
    given = nbformat.read(BOOK / "_sources" / problem_set, nbformat.NO_CONVERT)
    for cell, original in zip(taken.cells, given.cells, strict=True):
        assert (cell.id, cell.source) == (original.id, answers.get(original.id, original.source))
        assert {key: cell.metadata[key] for key in original.metadata} == original.metadata
    assert opened.outside == []

    options = ["--source", str(source), "--course", str(tmp_path / "course"), "--out", str(tmp_path / "csv")]
    assert main(["grade", name, str(tmp_path / "downloads"), *options]) == 0, capsys.readouterr()
    with open(tmp_path / "csv", encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    for question in chosen.questions:
        if not question.by_hand:
            assert (question.name, row[question.name]) == (question.name, f"{question.points:g}")
