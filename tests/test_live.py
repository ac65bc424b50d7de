"""Cells that run in the page: what each needs, what running one gives. In a browser: tests/browser/live."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "book" / "_static" / "live"))
from pgtlive import cells as runner  # noqa: E402
from pgtlive import names, shown  # noqa: E402
from pgtlive.page import Page  # noqa: E402


@pytest.fixture(autouse=True)
def main_stays(monkeypatch):
    """A page's cells run as `__main__`; after each test that is the tests' own again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def page(*sources, aside=()):
    """A page of cells that are called 0, 1, 2, ..."""
    return Page(names.read(str(i), source, str(i) in aside) for i, source in enumerate(sources))


def needs(*sources, of=-1):
    """The numbers of the cells that the last one needs, or that of number `of`."""
    made = page(*sources)
    return [int(cell.id) for cell in made.order(made.cells[of])]


# --- what a cell needs ---


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("print(x)", [0]),
        ("x = 1\nprint(x)", []),
        ("print(z)", [0, 1, 2]),
        ("[y for y in range(3)]", []),
        ("[y for _ in range(3)]", [0, 1]),
        ("{x: y for x in [1]}", [0, 1]),
        ("lambda y: y + x", [0]),
        ("def f(x, *y, **z):\n    return x, y, z", []),
        ("def f(a=y):\n    return a", [0, 1]),
        ("def f():\n    x = 1\n    return x", []),
        ("def f():\n    return x", []),
        ("def f():\n    return x\nf()", [0]),
        ("class C:\n    x = 1\n    def f(self):\n        return x\nC()", [0]),
        ("class C:\n    x = 1\n    y = x", []),
        ("for x in [1]:\n    pass\nprint(x)", []),
        ("for x in a:\n    pass\nprint(x)", [0]),
        ("if a:\n    x = 1\nprint(x)", [0]),
        ("if a:\n    x = 1\nelse:\n    x = 2\nprint(x)", []),
        ("try:\n    x = 1\nexcept E:\n    pass\nprint(x)", [0]),
        ("with a as x:\n    print(x)", []),
        ("x += 1", [0]),
        ("x[0] = 1", [0]),
        ("del x", [0]),
        ("(x := 1)\nprint(x)", []),
        ("match a:\n    case [x, *y]:\n        print(x, y)", []),
        ("f'{x}'", [0]),
        ("def f():\n    global x\n    x = 1", []),
        ("@x\ndef f(): pass", [0]),
        ("%matplotlib inline\nprint(x)", [0]),
    ],
)
def test_names_are_found_as_python_finds_them(last, expected):
    assert needs("x = 1", "y = x", "z = y + x", last) == expected


def test_the_last_binding_above_counts():
    assert needs("x = 1", "x = 2", "print(x)", "x = 3") == []
    assert needs("x = 1", "x = 2", "print(x)", "x = 3", of=2) == [1]
    assert needs("x = 1", "x = x + 1", "print(x)") == [0, 1]


@pytest.mark.parametrize(
    "change",
    [
        "x.append(1)",
        "x[0] = 1",
        "x[0][1] = 1",
        "x.a = 1",
        "x += [1]",
        "del x[0]",
        "last = x.pop()",
        "np.fill_diagonal(x, 0)",
        "np.add(1, 2, out=x)",
        "shuffle(x)",
        "next(x)",
        "def f():\n    x.append(1)\nf()",
        "for _ in range(2):\n    x.append(1)",
        "x[0], y = 1, 2",
    ],
)
def test_what_changes_an_object_is_needed(change):
    assert needs("import numpy as np\nx = []", change, "print(x)") == [0, 1]


@pytest.mark.parametrize(
    "reading", ["print(x)", "y = x.sum()", "y = np.sort(x)", "np.save(path, x)", "len(x)"]
)
def test_what_only_reads_is_not(reading):
    assert needs("x = []", "import numpy as np", reading, "print(x)") == [0]


def test_a_generator_of_random_numbers_is_changed_by_every_use():
    assert needs("rng = default_rng(0)", "a = f(rng=rng)", "b = rng.random()", "c = rng.random()") == [
        0,
        1,
        2,
    ]
    assert needs("g = np.random.default_rng(0)", "a = f(g)", "g.random()") == [0, 1]
    assert needs("rng = 1", "def f(rng):\n    return rng.random()", "f") == [1]


def test_what_a_function_reads_is_that_of_the_place_where_it_is_called():
    sources = ["a = 1", "def f():\n    return a", "a = 2", "f()"]
    assert needs(*sources) == [1, 2]
    assert needs(*sources, of=1) == []
    # an object carries the functions with which it was made
    sources = ["def f():\n    return k", "c = [f]", "k = 2", "c[0]()"]
    assert needs(*sources) == [0, 1, 2]


def test_a_function_that_changes_something_does_so_in_the_cell_that_calls_it():
    assert needs("x = []", "def f():\n    x.append(1)", "f()", "print(x)") == [0, 1, 2]
    assert needs("x = []", "def f():\n    x.append(1)", "def g():\n    f()", "g()", "print(x)") == [
        0,
        1,
        2,
        3,
    ]


def test_imports_are_needed_without_the_cell_in_which_they_stand():
    made = page("import numpy as np\nimport sympy as sp\nslow = f()", "np.ones(3)", "slow + np.ones(3)")
    assert [cell.id for cell in made.order(made["1"])] == []
    assert "sympy" not in made.modules(made["1"])
    assert made.modules(made["2"]) == {"numpy"}
    assert "sympy" in made.modules(made["0"])


def test_a_setting_holds_for_all_cells_below():
    assert needs("import numpy as np\nnp.set_printoptions(precision=4)", "x = 1", "print(2)") == [0]
    assert needs("import matplotlib as m\nm.rcParams['a'] = 1", "print(2)") == [0]
    assert needs("x.set_title('a')", "print(2)") == []


def test_a_cell_aside_is_seen_by_no_other():
    made = page("x = 1", "x = 2", "print(x)", aside={"1"})
    assert [cell.id for cell in made.order(made["2"])] == ["0"]


def test_a_star_may_bind_anything():
    assert needs("from numpy import *", "ones(3)") == [0]


def test_a_key_changes_with_every_source_and_with_no_other():
    before = page("a = 1", "b = 2", "c = a")
    after = page("a = 1", "b = 3", "c = a")
    other = page("a = 2", "b = 2", "c = a")
    assert before.key(before["2"]) == after.key(after["2"])
    assert before.key(before["2"]) != other.key(other["2"])


def test_what_is_no_python_binds_nothing():
    made = page("x = (", "print(x)")
    assert made["0"].error is not None
    assert made.order(made["1"]) == []


# --- running ---


class Run:
    """A page whose cells run here; `shows(i)` runs one with what it needs, and gives what it showed."""

    def __init__(self, *sources):
        self.events = []
        self.notebook = runner.Notebook(lambda kind, **what: self.events.append((kind, what)))
        self.write(*sources)

    def write(self, *sources, aside=()):
        self.notebook.read(
            [{"id": str(i), "source": source, "aside": i in aside} for i, source in enumerate(sources)]
        )

    def run(self, number):
        self.ran = self.notebook.plan(str(number))["order"]
        for id in self.ran:
            self.events.clear()
            answer = asyncio.run(self.notebook.run(id, id == self.ran[-1]))
            if not answer["ok"]:
                break
        return answer

    def shows(self, number):
        answer = self.run(number)
        assert answer["ok"], answer["error"]
        return "".join(
            what["text"] if kind == "stream" else what["data"]["text/plain"] for kind, what in self.events
        )


def test_cells_run_each_once_and_again_when_a_source_changes():
    page = Run("a = 1", "b = a + 1", "a + b")
    assert page.shows(2) == "3"
    assert page.ran == ["0", "1", "2"]
    assert page.shows(2) == "3"
    assert page.ran == ["2"]
    page.write("a = 5", "b = a + 1", "a + b")
    assert page.shows(2) == "11"
    assert page.ran == ["0", "1", "2"]


def test_a_cell_gives_the_same_again_and_leaves_those_above_alone():
    page = Run("x = [1]", "x.append(2)\nx", "x.append(3)\nx", "x")
    assert page.shows(3) == "[1, 2, 3]"
    assert page.shows(1) == "[1, 2]"
    assert page.shows(1) == "[1, 2]"
    assert page.shows(3) == "[1, 2, 3]"
    assert page.ran == ["3"]


def test_what_was_one_object_stays_one():
    page = Run("x = []\ny = x", "x.append(1)\ny.append(2)\nx")
    assert page.shows(1) == "[1, 2]"


def test_a_name_that_is_bound_twice_is_what_it_is_at_the_place():
    page = Run("a = 1", "def f():\n    return a", "f()", "a = 2", "f()")
    assert page.shows(4) == "2"
    assert page.shows(2) == "1"


def test_a_name_that_no_cell_above_binds_is_not_there():
    page = Run("late", "late = 1")
    page.run(1)
    error = page.run(0)["error"]
    assert (error["name"], error["line"]) == ("NameError", 1)
    assert "A cell further down binds late" in error["hint"]


def test_what_is_here_already_is_not_fetched(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    page = Run("import not_here.part\nfrom IPython.display import display", "display(not_here)")
    assert page.notebook.plan("1")["modules"] == ["not_here.part"]


def test_code_behind_a_cell_sees_it_and_is_seen_by_none():
    page = Run("x = 1", "y = x + 1", "y")
    page.run(1)
    hidden = page.notebook.behind("1", "y = y + 10\nprint(y)")
    assert page.notebook.plan(hidden)["order"] == [hidden]
    asyncio.run(page.notebook.run(hidden))
    assert page.events[-1][1]["text"] == "12\n"
    assert page.shows(2) == "2"


def test_settings_for_printing_stay():
    np = pytest.importorskip("numpy")
    page = Run(
        "import numpy as np\nnp.set_printoptions(precision=2)", "import numpy as np\nnp.array([1 / 3])"
    )
    assert page.shows(1) == "array([0.33])"
    assert np.get_printoptions()["precision"] == 8


def test_a_cell_may_await():
    assert Run("import asyncio", "await asyncio.sleep(0, 7)").shows(1) == "7"


def test_a_semicolon_hides_the_value():
    assert Run("x = 1\nx;").shows(0) == ""
    assert Run("(1 +\n 2) ; # three").shows(0) == ""
    assert Run("'a;'").shows(0) == "'a;'"


def test_an_error_says_the_line_and_nothing_of_the_machinery():
    page = Run("def f(x):\n    return 1 / x", "y = 1\nf(\n    0\n)")
    error = page.run(1)["error"]
    assert (error["name"], error["message"], error["line"]) == ("ZeroDivisionError", "division by zero", 2)
    assert error["frames"] == [
        {"cell": "1", "line": 2, "code": "f("},
        {"cell": "0", "line": 2, "code": "return 1 / x"},
    ]


def test_an_error_in_a_cell_above_is_that_cells():
    page = Run("x = 1 / 0", "x")
    answer = page.run(1)
    assert (answer["cell"], answer["ok"]) == ("0", False)


@pytest.mark.parametrize(
    ("source", "name", "line"),
    [
        ("x = 1\nx = (", "SyntaxError", 2),
        ("if True:\nx = 1", "IndentationError", 2),
        ("raise SystemExit(3)", "SystemExit", 1),
        ("%timeit 1", "SyntaxError", 1),
        ("1\nreturn 2", "SyntaxError", 2),
        ("def f():\n    f()\n\nf()", "RecursionError", 4),
        ("x = 1\ninput()", "EOFError", 2),
        ("import no_such_package", "ModuleNotFoundError", 1),
    ],
)
def test_errors_of_all_kinds_have_their_line(source, name, line):
    answer = Run(source).run(0)
    assert (answer["error"]["name"], answer["error"]["frames"][0]["line"]) == (name, line)
    assert answer["missing"] == ("no_such_package" if "import" in source else None)


def test_an_error_takes_away_what_the_cell_had_bound():
    page = Run("x = 1", "x")
    assert page.shows(1) == "1"
    page.write("x = 1 / 0", "x")
    assert page.run(1)["cell"] == "0"


def test_a_warning_names_the_line_of_the_cell():
    page = Run("import warnings\nwarnings.simplefilter('always')\nwarnings.warn('too large')")
    assert page.run(0)["ok"]
    assert ("stream", {"name": "stderr", "text": "line 3: UserWarning: too large\n", "cut": 0}) in page.events


# --- what is shown ---


def test_what_is_printed_and_what_is_shown_keep_their_order():
    page = Run("import sys\nprint(1)\nprint(2, file=sys.stderr)\nprint(3)\ndisplay(4)\nprint(5)\n6")
    assert page.shows(0) == "1\n2\n3\n45\n6"


def test_of_a_million_lines_the_newest_are_kept():
    events = []
    with shown.streams(lambda kind, **what: events.append(what)):
        for i in range(50_000):
            print(i)
    assert sum(len(each["text"]) for each in events[-1:]) <= shown.MOST
    assert events[-1]["text"].endswith("49999\n")
    lines = sum(each["text"].count("\n") + each["cut"] for each in events)
    assert lines == 50_000


def test_a_value_is_written_as_ipython_writes_it():
    pretty = pytest.importorskip("IPython.lib.pretty").pretty
    for value in (
        [1, 0, 3],
        [(i, "right") for i in range(13)],
        {"a": list(range(40)), "b": (1,) * 40, "c": {}},
        tuple("abcdefgh" * 3 for _ in range(9)),
        {f"name {i}" for i in range(20)},
        [[[i] * 30 for i in range(3)]],
        (["x" * 90],),
        "a" * 200,
    ):
        assert shown.pretty(value) == pretty(value)


class Rich:
    def _repr_html_(self):
        return "<b>rich</b>"

    def _repr_latex_(self):
        return "$x$"

    def _repr_png_(self):
        return b"\x89PNG"

    def _repr_svg_(self):
        return None

    def __repr__(self):
        return "Rich()"


def test_a_value_is_shown_in_each_form_that_it_has():
    assert shown.bundle(Rich()) == {
        "text/html": "<b>rich</b>",
        "text/latex": "$x$",
        "image/png": "iVBORw==",
        "text/plain": "Rich()",
    }
    assert shown.bundle(Rich)["text/plain"].endswith("Rich'>")


# --- figures, in a process of their own: the backend is chosen once ---

FIGURES = """
import asyncio, json, sys
from pgtlive import cells, shown
events = []
page = cells.Notebook(lambda kind, **what: events.append(what))
shown.ipython(page.display)
def run(*sources):
    page.read([{"id": str(i), "source": s} for i, s in enumerate(sources)])
    events.clear()
    for id in page.plan(str(len(sources) - 1))["order"]:
        answer = asyncio.run(page.run(id))
        assert answer["ok"], answer
    return [each["data"] for each in events if "data" in each]
plot = "import matplotlib.pyplot as plt\\nfig, ax = plt.subplots()\\nax.plot([1, 2])\\n"
out = {
    "open": [sorted(each) for each in run(plot)],
    "shown": len(run(plot + "plt.show()")),
    "last": len(run(plot + "fig")),
    "two": len(run(plot + plot)),
    "svg": run(plot)[-1]["image/svg+xml"][:5],
}
draw = '''
import matplotlib.pyplot as plt
from pgtlab.widgets import explore
def draw(slope):
    "A line."
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, slope * unit])
    return fig
'''
(data,) = run("unit = 1", draw + "explore(draw, slope=(0.0, 1.0, 3))")
made = data["application/vnd.pgtlab.explore+json"]
out["explore"] = [data["text/plain"], made["label"], made["sliders"][0]["values"], made["texts_now"]]
frames = [page.frame("1", {"slope": slope}) for slope in (0.25, 0.75)]
out["frames"] = [frame["texts_now"] for frame in frames] + [frames[0]["svg"] == frames[1]["svg"]]
out["error"] = page.frame("1", {"slope": None})["error"]["name"]
data = run("from pgtlab import checks\\nchecks.agree(one=[1.0], two=[1.0])")
out["check"] = [sorted(each) for each in data]
out["html"] = run("from IPython.display import HTML, display\\ndisplay(HTML('<b>x</b>'))")
print(json.dumps(out))
"""


def test_figures_and_sliders():
    pytest.importorskip("matplotlib")
    environment = {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'book' / '_static' / 'live'}",
        "MPLBACKEND": "module://pgtlive.figures",
        "PGTLAB_EXPLORE": "page",
    }
    done = subprocess.run([sys.executable, "-c", FIGURES], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    # ax.plot(...) is the last expression of the cell, so its value is shown too
    assert out["open"] == [["text/plain"], ["image/svg+xml", "text/plain"]]
    assert out["shown"] == 1
    assert out["last"] == 1
    assert out["two"] == 3
    assert out["svg"] == "<?xml"
    assert out["explore"] == ["explore(draw: slope)", "A line.", [0, 0.5, 1], ["0.5"]]
    assert out["frames"] == [["0.25"], ["0.75"], False]
    assert out["error"] == "RuntimeError"
    assert out["check"] == [["text/html", "text/plain"]]
    assert out["html"] == [{"text/html": "<b>x</b>", "text/plain": "<IPython.core.display.HTML object>"}]


# --- the book ---

NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))


def cells_of(path):
    """The cells of a notebook that stand in its page."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    shown = [cell for cell in code if "remove-cell" not in cell["metadata"].get("tags", [])]
    return Page(names.read(cell["id"], "".join(cell["source"])) for cell in shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_name_that_a_cell_of_the_book_reads_is_bound_above(path):
    made = cells_of(path)
    for cell in made.cells:
        assert cell.error is None
        found = names.BUILTINS | set(made.needs(cell)) | cell.uses.binds
        assert cell.uses.reads - found == set(), cell.id
        assert all(made.place[other.id] < made.place[cell.id] for other in made.order(cell))


def test_the_cells_of_the_book_need_few_of_those_above():
    needed = above = 0
    for path in NOTEBOOKS:
        made = cells_of(path)
        needed += sum(len(made.order(cell)) for cell in made.cells)
        above += sum(range(len(made.cells)))
    assert needed < above / 3


def test_the_build_says_which_packages_a_cell_needs():
    pytest.importorskip("sphinx")
    sys.path.append(str(ROOT / "book" / "_ext"))
    import live

    made = page(
        "import numpy as np\nimport sympy as sp\nimport matplotlib.pyplot as plt",
        "np.ones(3)",
        "fig = plt.figure()",
        "from pgtlab.widgets import explore\nexplore(f)",
        "sp.Symbol('x'), fig",
    )
    both = ["matplotlib", "sympy"]
    assert live.packages(made) == {"0": both, "2": ["matplotlib"], "3": ["matplotlib"], "4": both}
