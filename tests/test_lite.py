"""The tool that builds the site in which the notebooks run in the reader's browser."""

import base64
import functools
import hashlib
import http.server
import importlib.util
import json
import os
import subprocess
import sys
import threading
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lite = load(ROOT / "tools" / "lite.py")


def test_a_staged_notebook_loses_its_outputs_and_nothing_else(tmp_path):
    kept = {"nbgrader": {"grade_id": "a", "locked": True}, "tags": ["hide-input"]}
    output = nbformat.v4.new_output("stream", name="stdout", text="2\n")
    cell = nbformat.v4.new_code_cell("print(2)", metadata=kept, outputs=[output], execution_count=3)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A"), cell])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    source = tmp_path / "root" / "book" / "a.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(notebook, source)
    lite.stage_notebooks([source], tmp_path / "root", tmp_path / "stage")
    staged = nbformat.read(tmp_path / "stage" / "book" / "a.ipynb", nbformat.NO_CONVERT)
    cell.update(outputs=[], execution_count=None)
    assert staged == notebook


@pytest.mark.parametrize("name", lite.WHEELS)
def test_a_wheel_lists_its_files_and_is_the_same_each_time(name, tmp_path):
    lite.write_wheel(name, tmp_path / "once")
    lite.write_wheel(name, tmp_path / "again")
    (once,), (again,) = (list((tmp_path / folder).iterdir()) for folder in ("once", "again"))
    assert once.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(once) as wheel:
        (record,) = (inside for inside in wheel.namelist() if inside.endswith(".dist-info/RECORD"))
        lines = [line.rsplit(",", 2) for line in wheel.read(record).decode().splitlines()]
        assert sorted(inside for inside, _, _ in lines) == sorted(wheel.namelist())
        for inside, digest, size in lines:
            data = wheel.read(inside)
            if inside == record:
                assert (digest, size) == ("", "")
                continue
            assert int(size) == len(data)
            expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert digest == f"sha256={expected}"


def test_the_wheel_of_pgtlab_is_the_whole_package_and_can_be_imported(tmp_path):
    lite.write_wheel("pgtlab", tmp_path)
    (wheel,) = tmp_path.iterdir()
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "pgtlab").rglob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        assert files <= set(archive.namelist())
    code = "import pgtlab, pgtlab.widgets.static as s; print(pgtlab.__file__); s._resource('explore.js')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(wheel)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(wheel))


def test_a_missing_package_is_named_with_its_remedy(tmp_path):
    with pytest.raises(
        lite.LiteError, match="no-such-package is not installed: run `pip install -r requirements.txt -e .`"
    ):
        lite.write_wheel("no-such-package", tmp_path)


CORE = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip")


@pytest.fixture
def pyodide(tmp_path, monkeypatch):
    """A folder laid out as a distribution of Pyodide, with a package that no notebook needs."""
    stated = {name: hashlib.sha256(name.encode()).hexdigest() for name in CORE[:3]}
    monkeypatch.setattr(lite, "SUMS", {"0.27.7": stated})
    folder = tmp_path / "pyodide"
    folder.mkdir()
    names = [*lite.PRELOADED, *lite.LATER, "extra", "stack-data"]
    packages = {
        name: {
            "file_name": f"{name}.whl",
            "depends": [],
            "sha256": hashlib.sha256(f"{name}.whl".encode()).hexdigest(),
        }
        for name in names
    }
    packages["ipython"]["depends"] = ["stack_data"]
    lock = {"info": {"version": "0.27.7"}, "packages": packages}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    for name in (*CORE, *(package["file_name"] for package in packages.values())):
        (folder / name).write_text(name, encoding="utf-8")
    with zipfile.ZipFile(folder / "python_stdlib.zip", "w") as archive:
        archive.writestr("this.py", "# what Python's library holds")
    return folder


def test_a_copy_of_pyodide_holds_what_is_needed_and_no_more(pyodide, tmp_path):
    lite.copy_pyodide(pyodide, tmp_path / "copy")
    lock = json.loads((tmp_path / "copy" / "pyodide-lock.json").read_text(encoding="utf-8"))
    assert set(lock["packages"]) == {*lite.PRELOADED, *lite.LATER, "stack-data"}
    wheels = {f"{name}.whl" for name in lock["packages"]}
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {*CORE, *wheels, "pyodide-lock.json"}


def test_what_is_wrong_with_a_copy_of_pyodide_is_said(pyodide, tmp_path):
    def message():
        with pytest.raises(lite.LiteError) as caught:
            lite.copy_pyodide(pyodide, tmp_path / "copy")
        return str(caught.value).removeprefix(str(pyodide))

    lock_file = pyodide / "pyodide-lock.json"
    lock = json.loads(lock_file.read_text(encoding="utf-8"))
    lock_file.write_text(json.dumps({**lock, "info": {"version": "0.28.1"}}), encoding="utf-8")
    assert message() == " is Pyodide 0.28.1; expected 0.27.x"
    packages = {name: package for name, package in lock["packages"].items() if name != "sympy"}
    lock_file.write_text(json.dumps({**lock, "packages": packages}), encoding="utf-8")
    assert message() == " lacks the package sympy; expected the full distribution of Pyodide"
    lock_file.write_text(json.dumps(lock), encoding="utf-8")
    (pyodide / "pyodide.asm.wasm").unlink()
    assert message() == " lacks pyodide.asm.wasm; expected the full distribution of Pyodide"
    lock_file.unlink()
    assert message() == " holds no pyodide-lock.json; expected the unpacked distribution of Pyodide"


@pytest.fixture
def address(pyodide):
    """The address of the pyodide.js of that distribution, on a server of this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(pyodide))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/pyodide.js"
        server.shutdown()


def test_what_is_fetched_is_what_would_be_copied(pyodide, address, tmp_path, capsys):
    lite.copy_pyodide(pyodide, tmp_path / "copy")
    assert lite.main(["--pyodide", address, "--fetch", str(tmp_path / "new" / "fetched")]) == 0
    said = capsys.readouterr().out
    assert "sympy.whl: 0.0 MB" in said
    assert "python_stdlib.zip: no sum of it is stated for Pyodide 0.27.7, so it is taken as it is" in said
    assert said.count("no sum") == 1
    copied, fetched = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("copy", "new/fetched")
    )
    assert fetched == copied
    assert os.listdir(tmp_path / "new") == ["fetched"]


def test_a_fetch_that_fails_says_why_and_leaves_nothing(pyodide, address, tmp_path, capsys):
    folder = tmp_path / "new" / "fetched"

    def message(address, folder=folder):
        assert lite.main(["--pyodide", address, "--fetch", str(folder)]) == 1
        assert not (tmp_path / "new").exists() or not os.listdir(tmp_path / "new")
        return capsys.readouterr().err.strip()

    source = address.rpartition("/")[0]
    assert message("pyodide").endswith(
        "'pyodide' is no address to fetch from; expected one of a pyodide.js (--pyodide)"
    )
    assert message(f"{source}/elsewhere/pyodide.js").endswith(
        f"{source}/elsewhere/pyodide-lock.json could not be fetched: HTTP Error 404: File not found"
    )
    (pyodide / "sympy.whl").write_text("broken off", encoding="utf-8")
    assert message(address).endswith(
        f"{source}/sympy.whl is not what its lock file says: another sha256; try again"
    )
    library = pyodide / "python_stdlib.zip"
    changed = library.read_bytes().replace(b"what Python", b"what python")
    for broken in (changed, changed[:-9]):
        library.write_bytes(broken)
        assert message(address).endswith(f"{source}/python_stdlib.zip is no whole archive; try again")
    for name in CORE[:3]:
        (pyodide / name).write_text("another", encoding="utf-8")
        assert message(address).endswith(
            f"{source}/{name} is not that of Pyodide 0.27.7 on npm: another sha256; try again"
        )
        (pyodide / name).write_text(name, encoding="utf-8")
    (pyodide / "pyodide-lock.json").write_text("<html>", encoding="utf-8")
    assert f"{source}/pyodide-lock.json is no lock file of Pyodide: " in message(address)


def test_an_answer_that_breaks_off_is_said(pyodide, tmp_path, capsys):
    class Breaking(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Breaking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/pyodide.js"
        assert lite.main(["--pyodide", address, "--fetch", str(tmp_path / "fetched")]) == 1
        server.shutdown()
    assert "pyodide-lock.json could not be fetched: IncompleteRead" in capsys.readouterr().err


def test_an_address_that_does_not_answer_is_found_before_a_reader_finds_it(pyodide, address, capsys):
    assert lite.main(["--pyodide", address, "--check"]) == 0
    said = capsys.readouterr().out
    assert said.endswith(
        f"answers, and lists the {len(CORE) + len(lite.PRELOADED) + 2} files that the notebooks need\n"
    )
    assert lite.main(["--pyodide", "a folder", "--check"]) == 0
    (pyodide / "pyodide.js").unlink()
    assert lite.main(["--pyodide", address, "--check"]) == 1
    assert f"{address} could not be fetched: HTTP Error 404" in capsys.readouterr().err
    (pyodide / "pyodide.js").touch()
    (pyodide / "pyodide-lock.json").write_text('{"info": {"version": "0.28.1"}}', encoding="utf-8")
    assert lite.main(["--pyodide", address, "--check"]) == 1
    assert "is Pyodide 0.28.1; expected 0.27.x" in capsys.readouterr().err


def test_a_folder_that_is_there_is_not_fetched_into(address, pyodide, tmp_path, capsys):
    (tmp_path / "kept").write_text("mine", encoding="utf-8")
    assert lite.main(["--pyodide", address, "--fetch", str(tmp_path / "kept")]) == 1
    assert "kept is there already; name a new folder, or remove it" in capsys.readouterr().err
    assert (tmp_path / "kept").read_text(encoding="utf-8") == "mine"


def test_the_setting_is_an_address_or_a_folder(pyodide, tmp_path):
    address = "https://example.org/pyodide.js"
    assert lite.kernel_settings(address, tmp_path / "a")["pyodideUrl"] == address
    settings = lite.kernel_settings(str(pyodide), tmp_path / "b")
    assert "pyodideUrl" not in settings  # the build finds the copy by its place
    assert settings["disablePyPIFallback"]
    assert (tmp_path / "b" / "static" / "pyodide" / "pyodide.js").is_file()


def test_without_a_notebook_there_is_no_site(tmp_path, capsys):
    assert lite.main(["--root", str(tmp_path), "--output", str(tmp_path / "lite")]) == 1
    assert f"there is no notebook in {tmp_path}: run `make book`, or name some" in capsys.readouterr().err
    assert not (tmp_path / "lite").exists()


def test_the_wheel_of_pgtlab_has_all_that_the_package_has():
    """Its Python, and the data that `pyproject.toml` names: without them a figure fails in a browser only."""
    packed = {Path(name) for name in lite.package_files(metadata.distribution("pgtlab"))}
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = data["tool"]["setuptools"]["package-data"]["pgtlab"]
    files = {path for pattern in ["**/*.py", *patterns] for path in (ROOT / "pgtlab").glob(pattern)}
    assert packed == {path.relative_to(ROOT) for path in files}
