"""The notebooks of the book in a real browser, with a Pyodide of this machine and no network.

The site is made from what the pages of the built book hand out, and lies on a path below the root of its
server, as on a project page. The Pyodide comes from PGTLAB_PYODIDE, or from .venv/pyodide, where
`make test-lite` puts it. By default readers get Pyodide compiled; so do these tests, but for the small site.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))
from with_pyodide import SUBPATH, Served, missing

ROOT = Path(__file__).parents[3]
BOOK = Path(os.environ.get("PGTLAB_BOOK", ROOT / "_build" / "html")).resolve()
SECONDS = 500  # within which a notebook must have run, on a slow and busy machine

RUN_FIRST = """async () => {
  const panel = jupyterapp.shell.currentWidget;
  const cells = Array.from(panel.content.model.cells);
  panel.content.activeCellIndex = cells.findIndex(cell => cell.type === "code");
  await jupyterapp.commands.execute("notebook:run-cell");
  return panel.content.activeCell.model.executionCount;
}"""
RUN_ALL = """async seconds => {
  const cells = Array.from(jupyterapp.shell.currentWidget.content.model.cells);
  const late = new Promise((_, reject) => setTimeout(() => {
    const waiting = cells.findIndex(cell => cell.type === "code" && !cell.executionCount);
    reject(new Error(`no end after ${seconds} s; the first cell without a count is cell ${waiting}`));
  }, seconds * 1000));
  await Promise.race([late, jupyterapp.commands.execute("notebook:run-all-cells")]);
  return cells.map(cell => cell.toJSON());
}"""
INDEX = """id => Array.from(jupyterapp.shell.currentWidget.content.model.cells)
  .findIndex(cell => cell.id === id)"""
READY = """() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel
  && jupyterapp.shell.currentWidget.context.isReady && document.documentElement.dataset.pgtWarm"""


def handed_out():
    """The notebooks of the built book's pages, by their paths."""
    return sorted(path.relative_to(BOOK / "_sources").as_posix() for path in BOOK.glob("_sources/**/*.ipynb"))


def is_set(path):
    return '"nbgrader"' in (BOOK / "_sources" / path).read_text(encoding="utf-8")


def pytest_generate_tests(metafunc):
    if "chapter" in metafunc.fixturenames:
        chapters = [path for path in handed_out() if not is_set(path)]
        metafunc.parametrize("chapter", chapters or ["(no book)"])
    if "problem_set" in metafunc.fixturenames:
        metafunc.parametrize("problem_set", [path for path in handed_out() if is_set(path)])


@pytest.fixture(scope="session")
def build_lite():
    """Make a site from notebooks: build_lite(folder, pyodide, root, notebooks=all)."""

    def build(folder, pyodide, root, *paths):
        output = folder / SUBPATH / "lite"
        command = [sys.executable, ROOT / "tools" / "lite.py", "--root", root, "--output", output]
        done = subprocess.run([*command, "--pyodide", pyodide, *paths], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return folder

    return build


@pytest.fixture(scope="session")
def lite(build_lite, serve_lite, compiled_pyodide, tmp_path_factory):
    """The site of the book's own notebooks."""
    if not handed_out():
        missing("there is no book in _build/html: run `make book` first")
    folder = tmp_path_factory.mktemp("lite")
    yield serve_lite(build_lite(folder, compiled_pyodide, BOOK / "_sources"))
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Notebook:
    """A notebook open in the browser."""

    page: object
    site: Served
    outside: list = field(default_factory=list)
    errors: list = field(default_factory=list)

    def open(self, path):
        self.page.goto(self.site.notebook(path))
        self.page.wait_for_function(READY, timeout=SECONDS * 1000)

    def run_all(self):
        """Run every cell from the top and return the cells with what they show."""
        return self.page.evaluate(RUN_ALL, SECONDS)

    def run_first(self):
        """Run the first code cell and return its count."""
        return self.page.evaluate(RUN_FIRST)

    def write(self, cell_id, source):
        """Write the source of a cell anew, as a reader does who selects all of it and types."""
        index = self.page.evaluate(INDEX, cell_id)
        self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def download(self, folder):
        """Take the notebook out as the menu does, and return where it is."""
        with self.page.expect_download() as info:
            self.page.evaluate("void jupyterapp.commands.execute('docmanager:download')")
        target = folder / info.value.suggested_filename
        info.value.save_as(target)
        return target


@pytest.fixture
def notebook(browser, lite):
    """Open a notebook of the site in a browser that has seen nothing before: notebook(path, site=...)."""
    contexts = []

    def open_notebook(path, site=lite, context=None, prepare=lambda page: None):
        context = context or browser.new_context(viewport={"width": 1280, "height": 900})
        contexts.append(context)
        made = Notebook(context.new_page(), site)

        def request(each):
            if not each.url.startswith((site.origin, "data:", "blob:")):
                made.outside.append(each.url)

        context.on("request", request)
        made.page.on("pageerror", lambda error: made.errors.append(str(error)))
        prepare(made.page)
        made.open(path)
        return made

    yield open_notebook
    for context in contexts:
        context.close()


times = {}


@pytest.fixture
def record_time(record_property):
    """Keep what was measured, for the summary and for _build/lite-times.json."""
    return lambda name, value: record_property("time", (name, value))


def pytest_runtest_logreport(report):
    if report.when == "call":  # reports come from every process that tests
        times.update(value for name, value in report.user_properties if name == "time")


def pytest_terminal_summary(terminalreporter):
    if not times:
        return
    terminalreporter.section("in the browser")
    for name, value in sorted(times.items()):
        terminalreporter.line(f"{name}: {value}")
    target = ROOT / "_build" / "lite-times.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(dict(sorted(times.items())), indent=2) + "\n", encoding="utf-8")
