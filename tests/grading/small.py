"""A small problem set for the tests: two questions and a derivation, 6 points."""

import copy

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from pgtgrade.problem_sets import problem_set

SETUP = """\
import numpy as np

from pgtlab import checks"""

HALF = '''\
def half(x):
    """Return half of x."""
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION'''

MASS = '''\
def mass(rho):
    """Return the sum of the visits rho (S,)."""
    ### BEGIN SOLUTION
    return np.sum(rho)
    ### END SOLUTION'''

TEST_HALF = """\
### BEGIN HIDDEN TESTS
from pgtgrade import drawn

x = drawn("small", "half").random(3)
checks.answer(half, x, shape=(3,), known=x / 2, mistakes={"x is doubled": 2 * x}, cause="2")
### END HIDDEN TESTS"""

TEST_MASS = """\
### BEGIN HIDDEN TESTS
from pgtgrade import drawn

rho = drawn("small", "mass").random(5)
checks.answer(mass, rho, known=rho.sum(), cause="a mean in place of a sum")
### END HIDDEN TESTS"""

DERIVE = """\
### BEGIN SOLUTION
The distances are $\\gamma^n$ times the first, since $T$ halves $x < y$ at $\\gamma = 1/2$.

Rubric: 1 point for the sum, 1 point for the limit.
### END SOLUTION"""


def _marked(cell, name, locked=True, grade=False, solution=False, points=None, tag=None):
    kind = {"grade_id": name, "grade": grade, "locked": locked, "solution": solution, "schema_version": 3}
    cell["metadata"] = {"nbgrader": kind | ({"points": points} if grade else {})}
    cell["metadata"] |= {"tags": [tag]} if tag else {}
    cell["id"] = name
    return cell


def source():
    """Return the source of the set, with its solutions and hidden tests, run by nobody yet."""
    cells = [
        _marked(new_markdown_cell("# A small set\n\nTwo questions and a derivation, 6 points."), "intro"),
        _marked(new_code_cell(SETUP), "setup", tag="given"),
        _marked(new_markdown_cell("## 1. Half (1 point)\n\n`half(x)` returns $x / 2$."), "q-half"),
        _marked(new_code_cell(HALF), "half", locked=False, solution=True),
        _marked(new_code_cell("checks.answer(half, np.array([2.0]), shape=(1,), known=[1.0])"), "check-half"),
        _marked(new_code_cell(TEST_HALF), "test-half", grade=True, points=1, tag="remove-cell"),
        _marked(new_markdown_cell("## 2. Mass (3 points)\n\n`mass(rho)` returns the sum."), "q-mass"),
        _marked(new_code_cell(MASS), "mass", locked=False, solution=True),
        _marked(new_code_cell("checks.answer(mass, np.array([1.0, 2.0]), known=3.0)"), "check-mass"),
        _marked(new_code_cell(TEST_MASS), "test-mass", grade=True, points=3, tag="remove-cell"),
        _marked(new_markdown_cell("## 3. Why (2 points)\n\nWhy do the distances shrink?"), "q-why"),
        _marked(new_markdown_cell(DERIVE), "derive-why", locked=False, grade=True, solution=True, points=2),
    ]
    about = {"set": "small", "title": "A small set", "needs": ["checks"]}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "pgtgrade": about})


def cell(notebook, name):
    """Return the cell of a notebook that has this id."""
    (found,) = [each for each in notebook["cells"] if each.get("id") == name]
    return found


def with_sources(notebook, **sources):
    """Return a copy of a notebook in which the cells of these ids (- written as _) have other sources."""
    notebook = copy.deepcopy(notebook)
    for name, text in sources.items():
        cell(notebook, name.replace("_", "-"))["source"] = text
    return notebook


def text(notebook):
    """Return a notebook as the text of its file."""
    return nbformat.writes(nbformat.from_dict(notebook))


def stored(folder):
    """Write the source below a folder and return the problem set."""
    path = folder / "small" / "small.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(text(source()), encoding="utf-8")
    return problem_set("small", folder)
