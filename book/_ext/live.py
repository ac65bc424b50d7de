"""Every code cell runs in the page: what a page says to `_static/live/page.js`, and which wheel it runs.

Each code cell gets the id of its notebook's cell, and the page the settings: from where Python comes, where
the wheel of pgtlab is, and which packages each cell will need, so that they are fetched while Python starts.
"""

import hashlib
import json
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

import inbrowser

FILES = Path(__file__).resolve().parents[1] / "_static" / "live"
sys.path.append(str(FILES))
import lite  # noqa: E402
from pgtlive import names  # noqa: E402
from pgtlive.page import Page  # noqa: E402

#: Packages of Pyodide beside NumPy that the cells of the book import.
PACKAGES = ("matplotlib", "scipy", "sympy")
HEAD = """
<div class="pgt-live" hidden>
<script type="application/json">{settings}</script>
</div>
"""


def version() -> str:
    """A mark of the files that a press fetches: browsers keep them, and a new build has others."""
    total = hashlib.sha256()
    for path in sorted([*FILES.glob("*.js"), *FILES.glob("*.css"), *FILES.glob("pgtlive/*.py")]):
        total.update(path.read_bytes())
    return total.hexdigest()[:8]


def keep_cells(app: Sphinx, docname: str, source: list[str]) -> None:
    """Keep the cells of a notebook: what Sphinx makes of them has their number only."""
    if app.env.doc2path(docname).endswith(".ipynb"):
        app.env.temp_data["live_cells"] = json.loads(source[0])["cells"]


def name_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Let the code cells of a page have the ids of their notebook, and the page what they need."""
    cells = app.env.temp_data.pop("live_cells", None)
    if cells is None:
        return
    shown = []
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code" and "id" in (cell := cells[node["cell_index"]]):
            node["ids"].append(f"cell-{cell['id']}")
            shown.append(names.read(cell["id"], "".join(cell["source"])))
    doctree["live_packages"] = packages(Page(shown))


def packages(page: Page) -> dict[str, list[str]]:
    """What each cell needs beside NumPy, by its id; cells that need no more are left out."""
    found = {}
    for cell in page.cells:
        modules = {name.partition(".")[0] for name in page.modules(cell)}
        if needed := sorted(modules & set(PACKAGES)):
            found[cell.id] = needed
    return found


def add_settings(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    if doctree is None or pagename not in inbrowser.notebooks(app) or not inbrowser.installed():
        return
    pyodide = app.config.pyodide
    if not lite.is_address(pyodide):
        pyodide = context["pathto"]("lite/static/pyodide/pyodide.js", resource=True)
    settings = {
        "pyodide": pyodide,
        "wheel": context["pathto"](f"lite/pypi/{lite.wheel('pgtlab')}", resource=True),
        "version": version(),
        "packages": doctree.get("live_packages", {}),
    }
    head = HEAD.format(settings=json.dumps(settings, separators=(",", ":")).replace("<", "\\u003c"))
    context["body"] = context["body"].replace("</h1>", f"</h1>{head}", 1)
    app.add_js_file("live/page.js", loading_method="defer")
    app.add_css_file("live/page.css")


def setup(app: Sphinx) -> dict:
    app.connect("source-read", keep_cells, priority=900)  # after the page of a problem set was made
    app.connect("doctree-read", name_cells)
    app.connect("html-page-context", add_settings)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
