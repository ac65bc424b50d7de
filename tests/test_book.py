"""The form of notebooks and pages, the tools that keep it, and what the project's files say of each other."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
import warnings
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from numpy.testing import assert_allclose
from sphinx.errors import ExtensionError

import pgtlab

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sys.path.append(str(BOOK / "_ext"))  # Sphinx finds the book's own extensions there, and so they one another
form = load(ROOT / "tools" / "notebooks.py")
extension = load(BOOK / "_ext" / "pgtbook.py")

NOTEBOOKS = form.notebooks()
PAGES = sorted(path for path in BOOK.rglob("*.md") if ".ipynb_checkpoints" not in path.parts)
HIDDEN = {"remove-cell", "remove-input", "hide-cell", "hide-input", "check", "try-check"}

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path):
    """The cells of a notebook, each with the place at which to look for it."""
    return [(f"{path.name}, cell {i}", cell) for i, cell in enumerate(nbformat.read(path, 4).cells)]


def code_cells(path):
    return [(where, cell) for where, cell in cells(path) if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def printed(cell):
    """The texts that a cell shows."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        for kind, data in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield data


# --- notebooks -------------------------------------------------------------------------------------------


def test_there_is_a_chapter():
    assert BOOK / "visitation.ipynb" in NOTEBOOKS


@each_notebook
def test_notebook_is_stored_in_normal_form(path):
    assert form.faults(path) == []


@each_notebook
def test_first_code_cell_is_hidden_and_near_the_top(path):
    index, first = next((i, cell) for i, (_, cell) in enumerate(cells(path)) if cell.cell_type == "code")
    assert index <= 1
    assert tags(first) & {"remove-cell", "hide-cell"}


IN_A_BROWSER = """\
import sys

if sys.platform == "emscripten":  # in a browser: from the book's own site
    import piplite

    await piplite.install("pgtlab[symbolic,widgets]")
"""


@each_notebook
def test_first_code_cell_fetches_pgtlab_in_a_browser(path):
    where, first = code_cells(path)[0]
    a_set = "nbgrader" in first.metadata  # which needs nothing but NumPy
    wanted = IN_A_BROWSER.replace("[symbolic,widgets]", "") if a_set else IN_A_BROWSER
    assert f"{first.source}\n".startswith(wanted), f"{where} must begin with:\n\n{wanted}"
    # A cell that awaits runs in a context of its own: what it sets, NumPy's way of printing say, is lost.
    assert "set_printoptions" not in first.source, f"{where}: set this in the next cell"


@each_notebook
def test_prose_comes_before_code(path):
    shown = [(where, cell) for where, cell in cells(path) if "remove-cell" not in tags(cell)]
    run = 0
    for (_, before), (where, cell) in pairwise(shown):
        if cell.cell_type != "code" or "hide-cell" in tags(cell):
            continue
        run = run + 1 if before.cell_type == "code" else 1
        assert run <= 2, f"{where}: a third code cell without a sentence in between"
        if before.cell_type == "markdown":
            last = before.source.strip().splitlines()[-1]
            assert not last.startswith("#"), f"{where}: a heading, then code; say what to expect"


def shown_lines(cell):
    """The lines of code that a reader sees, and how many there may be."""
    source, part = cell.source, cell.metadata.get("nbgrader", {})
    if part.get("solution"):  # without what it is handed out with, and the marks that are cut out
        return len(re.search(r"BEGIN SOLUTION\n(.*?)\n *### END", source, re.DOTALL)[1].splitlines()), 16
    if part.get("grade_id", "").startswith("check-"):  # the mistakes that it knows take a line or three each
        return len(source.splitlines()), 60
    return len(source.splitlines()), 24 if "audit" in tags(cell) else 12  # a check is a line that unfolds


@each_notebook
def test_cells_are_short(path):
    for where, cell in code_cells(path):
        lines, most = shown_lines(cell)
        assert lines <= most or tags(cell) & HIDDEN, f"{where}: {lines} visible lines; at most {most}"


BANNED_CODE = {
    r"^\s*[!%]": "a magic or a shell command",
    r"\bget_ipython\b": "a magic",
    r"np\.random\.(?!default_rng|Generator|SeedSequence)": "the global generator of NumPy",
    r"\bimport \*": "a star import",
    r"\bset_title\(|\bsuptitle\(|\bplt\.title\(": "a title, where the caption should say it",
    r"\bsubplots_adjust\(|\bplt\.(figure|subplots)\(": "margins of its own; plots.canvas has the book's",
    r"color=\"#|[\"']#[0-9a-f]{6}[\"']": "a colour of its own; C0 to C7 are those of the book",
    r"\b(interact|interactive|interactive_output)\(|\bwidgets\.Output\b": "a widget that stalls the build",
}


@each_notebook
def test_code_uses_nothing_banned(path):
    for where, cell in code_cells(path):
        for pattern, meaning in BANNED_CODE.items():
            found = re.search(pattern, cell.source, re.MULTILINE)
            assert not found, f"{where}: {meaning}: {found[0]!r}"


@each_notebook
def test_code_escapes_nothing_by_chance(path):
    for where, cell in code_cells(path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # which newer versions of Python show to the reader
            try:
                compile(cell.source, where, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            except (SyntaxError, Warning) as error:
                pytest.fail(f"{where}: {error}")


def significant_digits(number):
    mantissa = re.split("[eE]", number)[0]
    return len(mantissa.replace(".", "").lstrip("0"))


@pytest.mark.parametrize(
    ("number", "digits"), [("0.00123", 3), ("12.3456", 6), ("1.5e-10", 2), ("3.14159265", 9), ("0.50000", 5)]
)
def test_significant_digits(number, digits):
    assert significant_digits(number) == digits


@each_notebook
def test_outputs_are_the_same_on_every_processor(path):
    for where, cell in code_cells(path):
        for text in printed(cell):
            for number in re.findall(r"\d+\.\d*(?:[eE][+-]?\d+)?", text):
                digits = significant_digits(number)
                assert digits <= 6, f"{where}: {number} has {digits} digits; the last depend on the processor"
            address = re.search(r"\bat 0x[0-9a-f]+", text)
            assert not address, f"{where}: shows an object's address; assign it, as in `_ = ax.plot(...)`"


def figures(path):
    """Each code cell that shows a figure or a widget."""
    for where, cell in code_cells(path):
        drawn = any("<Figure size" in text for text in printed(cell))
        explored = re.search(r"^(?!\s*(def|from|import)\b).*\bexplore\(", cell.source, re.MULTILINE)
        if (drawn or explored) and not tags(cell) & {"remove-cell", "remove-output"}:
            yield where, cell


@each_notebook
def test_figures_have_label_and_caption(path):
    for where, cell in figures(path):
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        assert figure.get("name", "").startswith("fig-"), f"{where}: mystnb.figure.name must start with fig-"
        assert figure.get("caption", "").strip().endswith("."), f"{where}: the caption is not a sentence"


def test_figure_labels_are_unique():
    names = [cell.metadata.mystnb.figure.name for path in NOTEBOOKS for _, cell in figures(path)]
    assert len(names) == len(set(names))


# --- prose -----------------------------------------------------------------------------------------------


def prose(path):
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for _, cell in cells(path) if cell.cell_type == "markdown")


each_page = pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: path.stem)


@each_page
def test_prose_takes_nothing_for_granted(path):
    text = prose(path)
    assert "obviously" not in text.lower()


@each_page
def test_a_note_in_the_margin_covers_nothing_where_a_notebook_is_opened(path):
    # JupyterLab gives what these directives make no height, and draws the next paragraph over it.
    found = re.search(r"^[`:]{3,}\{(margin|aside|sidebar)\}", prose(path), re.MULTILINE)
    assert not found, f"{path.name}: {found[0]}: take a note with `:class: margin`"


# KaTeX, which draws the mathematics of a notebook in the browser, makes two things of a function's name, and
# so malformed MathML where the name alone is a sub- or superscript; a name in roman letters is one thing.
NAMES = "arg|cos|deg|det|dim|exp|gcd|inf|ker|lim|liminf|limsup|ln|log|max|min|Pr|sin|sup|tan|operatorname"


@pytest.mark.parametrize(
    ("tex", "lone"),
    [
        (r"r_{\max}", True),
        (r"r_\max", True),
        (r"x^{ \operatorname{KL} }", True),
        (r"r_{\mathrm{max}}", False),
        (r"\max_a Q", False),
        (r"\arg\max_{a}", False),
        (r"e^{\log x}", False),
        (r"\pi_\theta^\top", False),
        (r"x_{\maximal}", False),
    ],
)
def test_a_lone_name_as_an_index_is_seen(tex, lone):
    assert bool(lone_names(tex)) == lone


def lone_names(text):
    """The functions' names that are alone in a sub- or superscript."""
    name = rf"\\(?:{NAMES})(?![a-zA-Z])(?:\s*\{{[^{{}}]*\}})?"
    return re.findall(rf"[_^]\s*(?:\{{\s*{name}\s*\}}|{name})", text)


@each_page
def test_no_function_name_is_alone_in_an_index(path):
    assert lone_names(prose(path)) == [], r"write \mathrm{max}, in roman letters"


@each_page
def test_pages_load_nothing_from_elsewhere(path):
    text = prose(path)
    asset = re.search(r"<(script|iframe|link|img)\b[^>]*https?:|!\[[^\]]*\]\(https?:|@import", text)
    assert not asset, asset[0]


@each_page
def test_pages_start_with_one_title(path):
    text = prose(path)
    outside_code = re.sub(r"^(`{3,}|~{3,}).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# ", outside_code, re.MULTILINE)) == 1


INDEX = re.compile(r"^```\{index\}(.*?)^```", re.MULTILINE | re.DOTALL)
DEFINED = re.compile(r"(?<=[\w,;$)][ \n])\*\*([^*]*[^*.])\*\*")  # in bold, in the middle of a sentence


def definitions(text):
    """The terms that a page defines; whole clauses in bold are emphasis."""
    return [term for term in DEFINED.findall(text) if len(term.split()) <= 4 and "$" not in term]


def unindexed(text):
    """The terms that a page defines without their words, or words that begin alike, in its index entries."""
    entries = re.findall(r"\w+", " ".join(INDEX.findall(text)).lower())

    def named(word):
        return word in {"a", "of", "one", "the", "to"} or any(e.startswith(word[:5]) for e in entries)

    return [
        term
        for term in definitions(text)
        if not all(named(word.removesuffix("s")) for word in re.findall(r"\w+", term.lower()))
    ]


def test_an_unindexed_definition_is_seen():
    text = "```{index} ! Fisher information\n```\n\nThe **Fisher information** is its\n**mass** a step."
    assert definitions(text) == ["Fisher information", "mass"]
    assert unindexed(text) == ["mass"]


@each_page
def test_what_a_page_defines_is_in_the_index(path):
    assert unindexed(prose(path)) == [], "name each in an {index} of its section, with ! before it"


def test_every_page_is_in_the_toc():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    listed = {ROOT / file for file in [toc["root"], *chapters]}
    assert listed == {path.with_suffix("") for path in [*PAGES, *NOTEBOOKS]}


# --- tools/notebooks.py ----------------------------------------------------------------------------------


def notebook_with(*outputs, source="1 + 1", count=7):
    cell = nbformat.v4.new_code_cell(source, execution_count=count, outputs=list(outputs))
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title"), cell])


def figure_output():
    data = {"text/plain": "<Figure size 640x480 with 1 Axes>", "image/png": "iVBORw0KGgo="}
    return nbformat.v4.new_output("display_data", data, metadata={"image/png": {"width": 640}})


def test_normal_form_drops_images_and_counts_from_one():
    text = nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=7)
    stored = form.normal_form(notebook_with(figure_output(), text))
    cell = stored["cells"][1]
    assert cell["execution_count"] == 1
    assert cell["outputs"][0]["data"] == {"text/plain": "<Figure size 640x480 with 1 Axes>"}
    assert cell["outputs"][0]["metadata"] == {}
    assert cell["outputs"][1]["execution_count"] == 1


def test_normal_form_keeps_the_text_of_a_check_or_a_proof_and_any_other_page():
    text = "a  1\nb  1\nagree within 1e-10"
    fold = f'<details class="pgt-check"><summary>a and b agree</summary><pre>{text}</pre></details>'
    table = "<table><tr><td>1</td></tr></table>"
    outputs = [
        nbformat.v4.new_output("display_data", {"text/plain": text, "text/html": page})
        for page in (fold, '<div class="pgt-proof tex2jax_process">', table)
    ]
    stored = form.normal_form(notebook_with(*outputs))["cells"][1]["outputs"]
    assert [output["data"] for output in stored] == [
        {"text/plain": text},
        {"text/plain": text},
        {"text/plain": text, "text/html": table},
    ]


def test_normal_form_joins_pieces_of_a_stream():
    pieces = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("left\n", "right\n")]
    (output,) = form.normal_form(notebook_with(*pieces))["cells"][1]["outputs"]
    assert output["text"] == "left\nright\n"


def test_normal_form_is_stable_and_keeps_what_the_book_reads(tmp_path):
    notebook = notebook_with(figure_output())
    kept = {"tags": ["hide-input"], "mystnb": {"figure": {"name": "fig-a"}}}
    notebook.cells[1].metadata.update(kept, collapsed=True)
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    notebook.metadata["pgtgrade"] = {"set": "ps1", "switched_off": []}
    path = tmp_path / "a.ipynb"
    nbformat.write(notebook, path)
    assert form.main(["--no-run", str(path)]) == 0
    once = path.read_bytes()
    assert form.main(["--no-run", str(path)]) == 0
    assert path.read_bytes() == once
    assert form.faults(path) == []
    stored = nbformat.read(path, 4)
    assert stored.cells[1].metadata == kept
    assert stored.cells[1].id == notebook.cells[1].id
    assert stored.metadata["pgtgrade"] == {"set": "ps1", "switched_off": []}
    assert set(stored.metadata) == {"kernelspec", "language_info", "pgtgrade"}


def test_normal_form_makes_up_nothing_about_a_set():
    assert set(form.normal_form(notebook_with())["metadata"]) == {"kernelspec", "language_info"}


def test_normal_form_gives_each_cell_an_id_of_its_own():
    notebook = notebook_with()
    notebook.cells[1]["id"] = notebook.cells[0]["id"]
    first, second = (cell["id"] for cell in form.normal_form(notebook)["cells"])
    assert first == notebook.cells[0]["id"]
    assert second not in {"", first}
    assert second == form.normal_form(notebook)["cells"][1]["id"]


@pytest.mark.parametrize(
    ("notebook", "fault"),
    [
        (notebook_with(figure_output(), count=1), "cell 1 stores image/png"),
        (notebook_with(count=None), "cell 1 has not been run"),
        (notebook_with(count=3), "cell 1 has the count 3, not 1"),
        (
            notebook_with(nbformat.v4.new_output("stream", name="stderr", text="UserWarning: hm\n"), count=1),
            "cell 1 writes to stderr: UserWarning: hm",
        ),
        (
            notebook_with(nbformat.v4.new_output("error", ename="NameError", evalue="no x"), count=1),
            "cell 1 ends in NameError: no x",
        ),
        (notebook_with(count=1), "is laid out otherwise than `make notebooks` would"),
    ],
    ids=["image", "not-run", "count", "stderr", "error", "layout"],
)
def test_check_names_the_fault(notebook, fault, tmp_path, capsys):
    path = tmp_path / "a.ipynb"
    nbformat.write(notebook, path)
    assert form.main(["--check", str(path)]) == 1
    assert f"{path}: {fault}\n" in capsys.readouterr().err


def test_what_is_no_notebook_is_named(tmp_path, capsys):
    path = tmp_path / "a.ipynb"
    path.write_text("no notebook", encoding="utf-8")
    assert form.main(["--check", str(path)]) == 1
    assert f"{path}: not a notebook that can be read" in capsys.readouterr().err


def test_failing_notebook_is_named_and_left_as_it_was(tmp_path):
    path = tmp_path / "a.ipynb"
    nbformat.write(notebook_with(source="x = 1\nx + y", count=None), path)
    before = path.read_bytes()
    command = [sys.executable, ROOT / "tools" / "notebooks.py", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert f"{path}: cell 1 failed:\n\nx = 1\nx + y\n" in done.stderr
    assert "NameError: name 'y' is not defined" in done.stderr
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.ipynb"]


# --- book/_ext/pgtbook.py --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "parts"),
    [
        ("x = 1", ["x = 1"]),
        (r"Q(s, a; w) = \phi(s, a) \cdot w", ["Q(s, a; w) ={}", r" \phi(s, a) \cdot w"]),
        (
            r"V = 1 / (1 - \gamma (1 - \varepsilon)) \le 10",
            [r"V = 1 / (1 - \gamma (1 - \varepsilon)) \le 10"],
        ),
        (r"\sum_{k=0}^n (a = b, c = d, e = f, g = h)", [r"\sum_{k=0}^n (a = b, c = d, e = f, g = h)"]),
        (r"f(a + b) \le f(a) + f(b) = 2 c", [r"f(a + b) \le {}", "f(a) + f(b) = 2 c"]),
        (
            r"\displaystyle \int_A f(x) \, dx = \int_B g(x, y) \, dx",
            [r"\displaystyle \int_A f(x) \, dx ={}", r"\displaystyle \int_B g(x, y) \, dx"],
        ),
        (
            r"\displaystyle \int_A f(x) \, dx \le J(\theta) + \sum_s h(s)",
            [r"\displaystyle \int_A f(x) \, dx \le {}", r"\displaystyle J(\theta) + \sum_s h(s)"],
        ),
    ],
    ids=["short", "one", "stumps", "inside", "first", "display", "display, letter"],
)
def test_a_long_formula_breaks_behind_its_outer_relations(formula, parts):
    assert extension.breakable_parts(formula) == parts


def test_the_numbers_of_equations_tell_the_page():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert extension.page_mark(toc, "book/problem") == "0"
    assert extension.page_mark(toc, "book/theorem") == "3"
    assert extension.page_mark(toc, "book/average") == "A"
    marks = [extension.page_mark(toc, page) for page in WITH_EQUATIONS]
    assert len(marks) == len(set(marks))  # no number means two equations
    numbered = {"eq-8-5": ("8", "5"), "eq-L-3": ("L", "3"), "eq-tilted": None, "eq-grpo-1": None}
    for label, number in numbered.items():
        found = extension.SLIDE_EQUATION.fullmatch(label)
        assert (found and found.groups()) == number
    assert [extension.lettered(n) for n in (1, 26, 27, 52, 53)] == ["a", "z", "aa", "az", "ba"]


# The pages that have equations of their own, beside those of the slides.
WITH_EQUATIONS = [
    path.relative_to(ROOT).with_suffix("").as_posix()
    for path in [*PAGES, *NOTEBOOKS]
    if re.search(r"^\$\$ \(eq-[a-z]", prose(path), re.MULTILINE)
]


def test_a_formula_keeps_its_full_stop():
    formula = r'<span class="math notranslate nohighlight">\(p &lt; 1\)</span>'
    context = {"body": f"<p>Let {formula}. Then {formula} or {formula}), say.</p>"}
    extension.mend_body(None, "page", "page.html", context, None)
    kept = [f'<span class="unbroken">{formula}{mark}</span>' for mark in (".", "),")]
    assert context["body"] == f"<p>Let {kept[0]} Then {formula} or {kept[1]} say.</p>"


def test_digest_follows_the_files_of_the_package(tmp_path):
    (tmp_path / "widgets").mkdir()
    module = tmp_path / "widgets" / "explore.js"
    module.write_text("1", encoding="utf-8")
    before = extension.digest(tmp_path)
    (tmp_path / "notes.txt").write_text("no part of what pgtlab does", encoding="utf-8")
    assert extension.digest(tmp_path) == before
    module.write_text("2", encoding="utf-8")
    assert extension.digest(tmp_path) != before


def test_a_missing_package_is_named_with_its_remedy():
    with pytest.raises(ExtensionError, match=r"no_such_package is not installed .*: run `pip install -e \.`"):
        extension.package_folder("no_such_package", "pip install -e .")


# --- what the files say of one another -------------------------------------------------------------------

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_commands_named_are_targets_of_make(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ *|; |true |\" )make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert named <= targets()


def test_readme_has_the_two_commands_and_the_three_plain_lines():
    assert re.search(r"^    make book .*\n    make test ", README, re.MULTILINE)
    plain = [
        "python3 -m venv .venv",
        ".venv/bin/python -m pip install -r requirements.txt -e .",
        ".venv/bin/jupyter-book build .",
    ]
    assert "\n".join("    " + line for line in plain) + "\n" in README


def test_readme_example_runs(capsys):
    (example,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    exact, ledger = capsys.readouterr().out.split("formula", 1)
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", exact)]
    mean, error = numbers[-2:]
    assert numbers[:-2] == pytest.approx([0.5] * 6 + [-12] + [-12, -10, -6] + [6, 4, 2] + [2], abs=1e-9)
    assert abs(mean - 2) < 5 * error < 1
    assert ledger.count("agree 1e-") >= 44
    assert re.search(r"^(\d+) of \1 hold$", ledger, re.MULTILINE)


def test_the_lines_for_gymnasium_run_and_its_lake_is_climbed_as_the_page_says():
    gymnasium = pytest.importorskip("gymnasium")
    (lines,) = [
        block
        for block in re.findall(r"^```python\n(.*?)^```", prose(BOOK / "own.ipynb"), re.MULTILINE | re.DOTALL)
        if "gymnasium" in block
    ]
    names = {"gymnasium": gymnasium, "pgtlab": pgtlab}
    exec(compile(lines, "own.ipynb", "exec"), names)
    policy = pgtlab.SoftmaxPolicy.tabular(np.zeros((16, 4)))
    rule, ends = pgtlab.NaturalGradientAscent(), {}
    for size in (1, 100):
        run = pgtlab.ascend(names["mdp"], policy, rule=rule, step_size=size, n_steps=30)
        ends[size] = run.returns[-1]
    # 0.54 is to be had: the best policy gets to the goal in nearly 3 of 4 episodes, and takes its time.
    assert ends[1] < 0.1
    assert ends[100] > 0.5


def test_example_of_how_to_use_the_book_runs_and_prints_what_it_says(capsys):
    page = (BOOK / "use.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(compile(example, "use.md", "exec"), {})
    (shown,) = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)

    def numbers(text):
        found = [re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", row) for row in text.splitlines()]
        return [[float(number) for number in row] for row in found]

    printed = numbers(capsys.readouterr().out)
    visits, theorem, differences = printed
    assert_allclose(np.concatenate(numbers(shown)), np.concatenate(printed), rtol=0, atol=1e-8)
    # rho_0 = 1 + .95 (.55 rho_0 + .5 rho_1) and rho_1 = .95 * .45 rho_0
    rho_0 = 1 / (1 - 0.95 * (0.55 + 0.5 * 0.95 * 0.45))
    assert visits == pytest.approx([rho_0, 0.95 * 0.45 * rho_0], abs=1e-6)
    assert theorem == pytest.approx(differences, abs=1e-6)
    assert any(theorem)


def test_the_hill_of_the_first_page_is_that_of_the_corridor():
    drawing = (BOOK / "_figures" / "walk.html").read_text(encoding="utf-8")
    (points,) = re.findall(r'<polyline points="([^"]+)"', drawing)
    for x, y in (map(float, point.split(",")) for point in points.split()):
        p = (x - 56) / 440
        steps = -pgtlab.expected_return(*pgtlab.gallery.short_corridor(p))
        # Coordinates are rounded to a tenth; the hill is steep at its ends.
        slope = abs(pgtlab.policy_gradient(*pgtlab.gallery.short_corridor(p))[0]) / (p * (1 - p))
        assert abs(10 + 3.4 * steps - y) <= 0.051 + 3.4 * slope * 0.051 / 440


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == PROJECT["version"]
    # What is "(in preparation)" has no version yet.
    assert re.search(r"^## (\S+)$", changes, re.MULTILINE)[1] == PROJECT["version"]


def test_place_of_publication_is_one_setting():
    placeholder = "OWNER" + "/pgtlab"
    files = [*ROOT.glob("*.*"), *BOOK.rglob("*.*"), *(ROOT / "pgtlab").rglob("*.*")]
    kinds = {".bib", ".cff", ".css", ".html", ".ipynb", ".js", ".md", ".py", ".toml", ".txt", ".yml"}
    texts = {path.name: path.read_text(encoding="utf-8") for path in files if path.suffix in kinds}
    assert [name for name, text in texts.items() if placeholder in text] in ([], ["_config.yml"])


def pins(file):
    found = {}
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("#"):
            continue
        pin = re.fullmatch(r"([a-z0-9-]+)==(\S+)( ; .+)?", line)
        assert pin, f"{file}: not a pin: {line!r}"
        found[pin[1]] = pin[2]
    return found


@pytest.mark.parametrize(
    ("file", "extra"),
    [("requirements.txt", "book"), ("requirements-pdf.txt", "pdf"), ("requirements-test.txt", "test")],
)
def test_pins_cover_what_pyproject_names(file, extra):
    required = [re.match(r"[\w-]+", line)[0] for line in PROJECT["optional-dependencies"][extra]]
    assert set(required) - {"pgtlab"} <= set(pins(file))


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-pdf.txt"])
def test_pins_of_files_agree(file):
    others, test = pins(file), pins("requirements-test.txt")
    assert {name: version for name, version in test.items() if name in others} == {
        name: others[name] for name in test if name in others
    }


def test_the_recipe_for_publishing_builds_and_uploads_the_book():
    recipe = yaml.safe_load((ROOT / "publishing" / "github-pages.yml").read_text(encoding="utf-8"))
    steps = recipe["jobs"]["publish"]["steps"]
    *commands, check = (step["run"] for step in steps if "run" in step)
    assert [re.match(r"make ([a-z-]+)", command)[1] for command in commands] == ["book", "pdf"]
    assert {"book", "pdf"} <= targets()
    python, tool, option = check.split()
    assert python == ".venv/bin/python"
    assert f"    python {tool} {option} " in (ROOT / tool).read_text(encoding="utf-8")
    assert [step["with"]["path"] for step in steps if "upload" in step.get("uses", "")] == ["_build/html"]
