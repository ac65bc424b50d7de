"""The notebooks of a build run beforehand, side by side, and afresh each time."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

EXTENSIONS = Path(__file__).parents[1] / "book" / "_ext"
sys.path.append(str(EXTENSIONS))
import kernels  # noqa: E402

CONFIGURATION = f"""
import sys
sys.path.append({str(EXTENSIONS)!r})
extensions = ["myst_nb", "beforehand"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
exclude_patterns = ["html", "jupyter_execute"]
"""
RECORD = "with open('runs.txt', 'a') as file:\n    print({name!r}, file=file)\nprint({name!r}, 6 * 7)"

PLOT = "\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"


@pytest.fixture
def project(tmp_path):
    """A project of two notebooks that record each of their runs."""
    (tmp_path / "conf.py").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "index.md").write_text("# Pages\n\n```{toctree}\none\ntwo\n```\n", encoding="utf-8")
    for name in ("one", "two"):
        write(tmp_path / f"{name}.ipynb", RECORD.format(name=name))
    return tmp_path


def write(path, source):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [new_markdown_cell("# Page"), new_code_cell(source)]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), path)


def figures(project, page):
    return re.findall(
        r'<img[^>]* src="([^"]+)"', (project / "html" / f"{page}.html").read_text(encoding="utf-8")
    )


def build(project, *options):
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-d", "doctrees", *options, ".", "html"]
    inline = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    return subprocess.run(command, cwd=project, capture_output=True, text=True, env=inline)


def runs(project):
    return sorted((project / "runs.txt").read_text(encoding="utf-8").split())


def test_each_notebook_runs_once_a_build_and_its_page_shows_what_came_out(project):
    write(project / "one.ipynb", RECORD.format(name="one") + PLOT)
    done = build(project, "-W")
    assert done.returncode == 0, done.stderr
    assert runs(project) == ["one", "two"]
    assert f"ran 2 notebooks, {kernels.side_by_side()} side by side" in done.stdout
    for name in ("one", "two"):
        assert f"{name} 42" in (project / "html" / f"{name}.html").read_text(encoding="utf-8")
    (drawn,) = figures(project, "one")
    assert drawn.endswith(".svg")
    assert (project / "html" / drawn).read_text(encoding="utf-8").count("<path") > 2
    # Nothing is left over for the next build, though no cell has changed.
    assert build(project, "-W", "-E").returncode == 0
    assert runs(project) == ["one", "one", "two", "two"]


def test_every_notebook_that_fails_is_named_with_its_cell_and_the_error(project):
    write(project / "one.ipynb", "None.lost")
    write(project / "two.ipynb", "1 / 0")
    done = build(project)
    assert done.returncode != 0
    for told in ("one.ipynb", "None.lost", "AttributeError", "two.ipynb", "1 / 0", "ZeroDivisionError"):
        assert told in done.stderr


def test_another_mode_is_left_alone(project):
    done = build(project, "-D", "nb_execution_mode=off")
    assert done.returncode == 0
    assert not (project / "runs.txt").exists()
    assert "ran 2" not in done.stdout


@pytest.mark.skipif(not kernels.SOCKETS_ARE_FILES, reason="this system has no sockets that are files")
def test_each_kernel_has_sockets_of_its_own_and_leaves_none(tmp_path):
    managers = [kernels.BlockingManager(kernel_name="python3") for _ in range(2)]
    folders = [Path(manager.ip).parent for manager in managers]
    assert len(set(folders)) == 2
    for manager, folder in zip(managers, folders, strict=True):
        assert manager.transport == "ipc"
        assert len(f"{manager.ip}-5".encode()) <= 104
        assert folder.is_dir()
        manager.cleanup_ipc_files()
        assert not folder.exists()


def test_without_such_sockets_kernels_start_one_after_the_other(monkeypatch):
    monkeypatch.setattr(kernels, "SOCKETS_ARE_FILES", False)
    assert kernels.side_by_side() == 1
    manager = kernels.AsyncManager(kernel_name="python3")
    assert (manager.transport, manager.ip) == ("tcp", "127.0.0.1")
