"""A Pyodide of this machine, compiled, and a server for a site that uses it: for the tests that run cells.

The Pyodide comes from PGTLAB_PYODIDE, or from .venv/pyodide, where `make test-lite` puts it.
"""

import fcntl
import functools
import hashlib
import http.server
import json
import os
import runpy
import shutil
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYODIDE = Path(os.environ.get("PGTLAB_PYODIDE", ROOT / ".venv" / "pyodide")).resolve()
SUBPATH = "course/book"  # below the root of the server, as on a project page

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


def missing(reason):
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason} (CI=true: this is a failure, not a skip)")
    pytest.skip(reason)


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
