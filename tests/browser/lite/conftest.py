"""The notebooks of the book in a real browser, with a Pyodide of this machine and no network.

The site is made from what the pages of the built book hand out, and lies on a path below the root of its
server, as on a project page. The Pyodide comes from PGTLAB_PYODIDE, or from .venv/pyodide, where
`make test-lite` puts it. By default readers get Pyodide compiled; so do these tests, but for the small site.
"""

import fcntl
import functools
import hashlib
import http.server
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BOOK = Path(os.environ.get("PGTLAB_BOOK", ROOT / "_build" / "html")).resolve()
PYODIDE = Path(os.environ.get("PGTLAB_PYODIDE", ROOT / ".venv" / "pyodide")).resolve()
SUBPATH = "course/book"
SECONDS = 500  # within which a notebook must have run, on a slow and busy machine

# As Pyodide's own compiled distribution: each source in a wheel or in the standard library gives way to its
# bytecode. Only the Python in Pyodide writes the bytecode that it reads.
COMPILE = """
import importlib._bootstrap_external, io, zipfile

def compiled(data):
    made = io.BytesIO()
    old = zipfile.ZipFile(io.BytesIO(data.to_py()))
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            name, content = info.filename, old.read(info)
            if name.endswith(".py"):
                try:
                    code = compile(content, name, "exec", dont_inherit=True)
                except SyntaxError:  # a template, not a module
                    pass
                else:
                    name += "c"
                    content = importlib._bootstrap_external._code_to_hash_pyc(code, bytes(8), False)
            new.writestr(name, content)
    return made.getvalue()
compiled
"""
COMPILE_ALL = """async ([source, names]) => {
  const pyodide = await loadPyodide();
  const compiled = pyodide.runPython(source);
  for (const name of names) {
    const data = new Uint8Array(await (await fetch(name)).arrayBuffer());
    await fetch(name, { method: "PUT", body: compiled(data).toJs() });
  }
}"""

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


def missing(reason):
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason} (CI=true: this is a failure, not a skip)")
    pytest.skip(reason)


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


class CountingHandler(http.server.SimpleHTTPRequestHandler):
    """What `make serve` runs; counts the bytes of each file that it sends, and may state a policy."""

    def copyfile(self, source, outputfile):
        self.sent[self.path.partition("?")[0]] += os.fstat(source.fileno()).st_size
        super().copyfile(source, outputfile)

    def end_headers(self):
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *args):
        pass


@dataclass
class Served:
    """A site on this machine: its folder, its address, and the bytes that were fetched, by path."""

    folder: Path
    origin: str
    sent: Counter

    @property
    def address(self):
        return f"{self.origin}/{SUBPATH}/lite"

    def notebook(self, path):
        return f"{self.address}/notebooks/index.html?path={path}"


def compile_pyodide(browser, folder):
    """Let Pyodide compile itself: each archive in `folder` gives way to one with bytecode for sources."""
    names = [path.name for path in sorted(folder.iterdir()) if path.suffix in (".whl", ".zip")]

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_PUT(self):
            name = self.path.strip("/")
            (made / name).write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    with (
        tempfile.TemporaryDirectory(dir=folder.parent) as temporary,
        http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
        ) as server,
    ):
        made = Path(temporary)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/pyodide-lock.json")
        page.add_script_tag(url="/pyodide.js")
        page.evaluate(COMPILE_ALL, [COMPILE, names])
        page.close()
        server.shutdown()
        for name in names:
            os.replace(made / name, folder / name)
    lock_file = folder / "pyodide-lock.json"
    lock = json.loads(lock_file.read_text(encoding="utf-8"))
    for package in lock["packages"].values():
        package["sha256"] = hashlib.sha256((folder / package["file_name"]).read_bytes()).hexdigest()
    lock_file.write_text(json.dumps(lock), encoding="utf-8")


@pytest.fixture(scope="session")
def pyodide():
    if not (PYODIDE / "pyodide.js").is_file():
        missing(f"there is no Pyodide in {PYODIDE}: `make test-lite` puts it there")
    return PYODIDE


@pytest.fixture(scope="session")
def compiled_pyodide(browser, pyodide):
    """What the notebooks need of it, compiled: made once, by the first process that tests, and kept."""
    folder = pyodide.with_name(f"{pyodide.name}-compiled")
    with open(pyodide.with_name(f"{pyodide.name}-lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists() and folder.stat().st_mtime < pyodide.stat().st_mtime:
            shutil.rmtree(folder)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=pyodide.parent) as temporary:
                made = Path(temporary, "pyodide")
                runpy.run_path(str(ROOT / "tools" / "lite.py"))["copy_pyodide"](pyodide, made)
                compile_pyodide(browser, made)
                made.rename(folder)
    return folder


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
def serve_lite():
    servers = []

    def start(folder, policy=None):
        sent = Counter()
        handler = type("Handler", (CountingHandler,), {"sent": sent, "policy": policy})
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return Served(folder, f"http://127.0.0.1:{server.server_port}", sent)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


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
