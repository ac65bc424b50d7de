"""Every code cell runs in the page: what a page says to `_static/live/page.js`, and the wheel that it runs.

Each code cell gets the id of its notebook's cell, and the page the settings: from where Python comes, where the
wheel of pgtlab is, and which packages each cell will need, so that they are fetched while Python starts.
"""

import json
from pathlib import Path
from urllib.parse import urlparse

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

import inbrowser

logger = logging.getLogger(__name__)
HEAD = """
<div class="pgt-live" hidden>
<script type="application/json">{settings}</script>
</div>
"""


def keep_ids(app: Sphinx, docname: str, source: list[str]) -> None:
    """Keep the ids of a notebook's cells: what Sphinx makes of them has their number only."""
    if app.env.doc2path(docname).endswith(".ipynb"):
        app.env.temp_data["live_ids"] = [cell.get("id") for cell in json.loads(source[0])["cells"]]


def name_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Let the code cells of a page have the ids of their notebook."""
    ids = app.env.temp_data.pop("live_ids", None)
    if ids is None:
        return
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code" and ids[node["cell_index"]]:
            node["ids"].append(f"cell-{ids[node['cell_index']]}")


def add_settings(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    if pagename not in inbrowser.notebooks(app) or not inbrowser.installed():
        return
    address = app.config.pyodide
    if not urlparse(address).scheme:
        address = context["pathto"]("lite/static/pyodide/pyodide.js", resource=True)
    settings = {
        "pyodide": address,
        "wheel": context["pathto"](f"lite/pypi/{inbrowser.wheel('pgtlab')}", resource=True),
    }
    head = HEAD.format(settings=json.dumps(settings).replace("<", "\\u003c"))
    context["body"] = context["body"].replace("</h1>", f"</h1>{head}", 1)


def setup(app: Sphinx) -> dict:
    app.connect("source-read", keep_ids, priority=900)  # after the page of a problem set was made
    app.connect("doctree-read", name_cells)
    app.connect("html-page-context", add_settings)
    app.add_js_file("live/page.js", loading_method="defer")
    app.add_css_file("live/page.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
