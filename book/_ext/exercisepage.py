"""The page of a problem set, made from its one source: questions, visible checks, and solutions in dropdowns.

The setting `problem_set_solutions` in `_config.yml` says whether the solutions are on the page: "dropdown" or
"left out". Hidden tests never are.
"""

import copy
import re
from pathlib import Path

import nbformat
from pgtgrade.release import released, with_install
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

CHOICES = ("dropdown", "left out")
MARKERS = re.compile(r"^.*### (?:BEGIN|END) SOLUTION.*\n?", re.MULTILINE)
LINK = '<p><a class="pgt-download" href="{url}" download>Download the student notebook</a></p>'


def handed_out(text: str, site: str = "") -> str:
    """Return the text of a notebook that may be downloaded: never one with solutions or hidden tests.

    The first cell of a set installs pgtlab on Colab, where the book knows its own address.
    """
    notebook = nbformat.reads(text, as_version=4)
    if not is_set(notebook):
        return text
    given = released(notebook)
    return nbformat.writes(with_install(given, site) if site else given) + "\n"


def is_set(notebook) -> bool:
    return any("nbgrader" in cell["metadata"] for cell in notebook["cells"])


def page(notebook, solutions: str):
    """Return a problem set as a notebook that may be shown and run."""
    shown = solutions == "dropdown"
    cells = []
    for cell, given in zip(notebook["cells"], released(notebook)["cells"], strict=True):
        kind = cell["metadata"].get("nbgrader", {})
        given["metadata"].pop("nbgrader", None)
        if kind.get("solution"):
            cells.append(tagged(given, "skip-execution"))
            if shown:
                cells.append(solution(cell))
        elif cell["cell_type"] == "markdown" or "given" in cell["metadata"].get("tags", []):
            cells.append(given)
        elif not kind.get("grade"):
            cells.append(closed(given, "checks"))
            if not shown:
                tagged(given, "skip-execution")  # there is nothing that the checks could look at
    return nbformat.from_dict({**notebook, "cells": cells})


def tagged(cell, *tags):
    cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), *tags]
    return cell


def closed(cell, what):
    """Return a code cell folded up, with the name of what it holds."""
    cell["metadata"]["mystnb"] = {
        "code_prompt_show": f"Show the {what}",
        "code_prompt_hide": f"Hide the {what}",
    }
    return tagged(cell, "hide-input")


def solution(cell):
    """Return the cell that holds a solution, folded up."""
    folded = copy.deepcopy(cell)
    folded["id"] = f"{cell.get('id', 'cell')}-solution"
    del folded["metadata"]["nbgrader"]
    folded["source"] = MARKERS.sub("", cell["source"]).rstrip("\n")
    if cell["cell_type"] == "code":
        folded["outputs"], folded["execution_count"] = [], None
        return closed(folded, "solution")
    longest = max(map(len, re.findall(r"^:{3,}", folded["source"], re.MULTILINE)), default=2)
    fence = ":" * (longest + 1)
    folded["source"] = (
        f"{fence}{{dropdown}} Show the solution and how it is marked\n{folded['source']}\n{fence}"
    )
    return folded


def make_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the page of a set in the place of its source, with a link to its students' version."""
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".ipynb":
        return
    notebook = nbformat.reads(source[0], as_version=4)
    if is_set(notebook):
        shown = page(notebook, app.config.problem_set_solutions)
        url = "../" * docname.count("/") + f"_sources/{docname}.ipynb"
        shown["cells"].insert(1, nbformat.v4.new_markdown_cell(LINK.format(url=url), id="download"))
        source[0] = nbformat.writes(shown)


def check(app: Sphinx, config: Config) -> None:
    if config.problem_set_solutions not in CHOICES:
        raise ConfigError(
            f"problem_set_solutions is {config.problem_set_solutions!r}; expected one of {', '.join(CHOICES)}"
        )


def setup(app: Sphinx) -> dict:
    app.add_config_value("problem_set_solutions", "left out", "env", [str])
    app.connect("config-inited", check)
    app.connect("source-read", make_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
