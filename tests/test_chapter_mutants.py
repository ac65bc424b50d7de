"""The tool that changes what a chapter uses: what it sees, and what it makes of its list of survivors."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import pgtlab
from pgtlab import checks, gallery

TOOL = Path(__file__).resolve().parents[1] / "tools" / "chapter_mutants.py"

CELLS = [
    "import pgtlab\nfrom IPython.display import display\nfrom pgtlab import checks, gallery",
    # At P(later) = 1/2 the return is 1/2 (1) + 1/2 (0.9)(10) = 5.
    "checks.agree(J=pgtlab.expected_return(*gallery.now_or_later(0.5)), by_hand=5.0)",
    "rho = pgtlab.state_visitation(*gallery.now_or_later(0.5))\nprint(rho.shape)",
    "print(pgtlab.advantages(*gallery.now_or_later(0.5))[0, 0].round(4))",
    "def twice(x):\n    return 2.0 * x\n\n\nchecks.agree(twice=twice(3.0), by_hand=6.0)",
    # From a room that is loaded when it is first asked for: half of the time is spent in each state.
    "d = pgtlab.stationary_distribution(*gallery.two_states(0.5, 0.5))\nchecks.agree(d=d, even=[0.5, 0.5])",
    "def half(x):\n    return x / 2\n\n\ndisplay(half(3.0))",
]

SURVIVORS = """
[[survivors]]
reason = "nothing is said of the visits"
changes = [
    "tiny, exact.visits.state_visitation: result *",
    "tiny, gallery.now_or_later: result[1].features *",
]

[[survivors]]
reason = "written for the test"
changes = ["tiny, twice: result sign"]
"""


#: Changes of code, too.
CODE = ["--every", "1", "--only", "twice: "]


@pytest.fixture
def notebook(tmp_path):
    """A notebook with a check of J, none of rho, and a number that is printed only."""
    cells = []
    for source in CELLS:
        cell = nbformat.v4.new_code_cell(source)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            given = {"pgtlab": pgtlab, "checks": checks, "gallery": gallery}
            exec(source, given | {"display": lambda _: None})
        if printed.getvalue():
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue())]
        cells.append(cell)
    path = tmp_path / "tiny.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def run(notebook, survivors, *options):
    known = notebook.with_name("survivors.toml")
    known.write_text(survivors)
    command = [sys.executable, TOOL, notebook, "--verbose", "--survivors", known, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_each_change_ends_as_it_must_and_the_list_is_held_to_it(notebook):
    done = run(notebook, SURVIVORS.replace("result *", "result sign"), "--only", ": result", *CODE)
    said = done.stdout.splitlines()
    assert "check (4): tiny, twice: 2.0 * x  ->  2.0 / x  in  return 2.0 * x" in said
    assert "check (1): tiny, exact.values.expected_return: result x 1.001" in said
    assert "output (3): tiny, exact.values.advantages: result sign" in said
    assert "survives: tiny, exact.visits.state_visitation: result sign" in said
    assert "check (4): tiny, twice: result x 1.001" in said
    assert "check (5): tiny, exact.stationary.stationary_distribution: result x 1.001" in said
    assert "output (6): tiny, half: result x 1.001" in said
    refused = next(line for line in said if line.endswith("now_or_later: result[0].transition x 1.001"))
    assert refused.startswith("error (1, ValueError: transition[")
    missing = [line for line in said if "does not say why" in line]
    assert "survives, and survivors.toml does not say why: " in missing[0]
    assert [line.split("why: ")[1] for line in missing if "state_visitation" in line] == [
        "tiny, exact.visits.state_visitation: result x 1.001",
        "tiny, exact.visits.state_visitation: result first entry moved",
    ]
    assert "listed in survivors.toml, but does not survive: tiny, twice: result sign" in said
    assert done.returncode == 1


def test_lines_on_code_are_held_to_a_run_that_changes_code(monkeypatch):
    monkeypatch.syspath_prepend(TOOL.parent)
    from chapter_mutants import compare

    known = [{"changes": ["tiny, twice: result *", "tiny, twice: 2.0  ->  *", "other, f: result *"]}]
    ends = [("tiny, twice: result sign", "check"), ("tiny, twice: 2.0 * x  ->  2.0 / x", "check")]
    results, code = (compare(ends, known, {"tiny"}, code)[1] for code in (False, True))
    assert (results, code) == (
        ["tiny, twice: result *"],
        ["tiny, twice: result *", "tiny, twice: 2.0  ->  *"],
    )


def test_all_is_well_when_the_list_is_right(notebook):
    right = SURVIVORS.split('[[survivors]]\nreason = "written')[0]
    done = run(notebook, right, "--only", "exact.visits.state_visitation: result")
    assert (done.returncode, "why" in done.stdout, done.stderr) == (0, False, "")


def test_outputs_that_are_not_those_stored_are_refused(notebook):
    stored = notebook.read_text()
    notebook.write_text(stored.replace("by hand  5", "by hand  6"))
    done = run(notebook, "survivors = []")
    assert "tiny.ipynb: cell 1 prints something else than is stored" in done.stdout + done.stderr
    assert done.returncode != 0
