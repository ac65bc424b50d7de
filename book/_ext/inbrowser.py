"""Every notebook in the reader's browser: a button on its page, and the site to which the button leads.

The setting `pyodide` in `_config.yml` says from where a reader's browser fetches Python: the address of a
pyodide.js, or a folder with a distribution of Pyodide, which then becomes part of the site.
"""

import html
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlparse

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
import lite

logger = logging.getLogger(__name__)

# As `make test-lite` measures them on two cores, from a server on the same machine: megabytes of a first
# visit, more where SciPy is imported, and seconds to the first result. Python's own start takes most of
# these, while the page draws the notebook; they stay when the browser has everything.
MEGABYTES, SCIPY, SECONDS = 58, 20, 15
BUTTON = """
<div class="pgt-run">
<a class="pgt-run-button" href="{url}" target="_blank" rel="noopener">Open it as a notebook</a>
<details>
<summary>What happens then</summary>
<p><em>Run</em>, in the corner of each piece of code, runs it here in the page. The first press fetches
Python from {source}, up to 30 MB the first time and next to nothing later. What a cell needs runs first, by
itself.</p>
<p>The link opens this page as a notebook in a new tab, for which your browser fetches about {size} MB the
first time. Python then takes about {seconds} seconds to start, on a slow machine more; the bar at the foot
says how far it is. What you change there is kept in this browser, on this device, until you clear its data
for this site. <em>File → Download</em> in the notebook takes it out.</p>
<p>Nothing is installed, and what you compute stays on your machine.</p>
</details>
</div>
<p class="pgt-run-file" hidden>You are reading this from a file. Read it from a web server, and its code runs
in the page: <code>make serve</code> in the folder of the book starts one.</p>
"""


def installed() -> bool:
    return all(importlib.util.find_spec(name) for name in ("jupyterlite_core", "jupyterlite_pyodide_kernel"))


def notebooks(app: Sphinx) -> list[str]:
    """The pages that are notebooks."""
    return sorted(name for name in app.env.found_docs if app.env.doc2path(name).endswith(".ipynb"))


def add_button(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    if pagename not in notebooks(app) or not installed():
        return
    notebook = Path(app.env.doc2path(pagename))
    address = urlparse(app.config.pyodide)
    url = context["pathto"]("lite/notebooks/index.html", resource=True) + f"?path={quote(pagename)}.ipynb"
    button = BUTTON.format(
        url=html.escape(url),
        source=html.escape(address.netloc) or "this site",
        size=MEGABYTES
        + SCIPY * bool(re.search(r"(from|import) scipy", notebook.read_text(encoding="utf-8"))),
        seconds=SECONDS,
    )
    context["body"] = re.sub("</h1>", lambda found: found[0] + button, context["body"], count=1)


def build_site(app: Sphinx, exception: Exception | None) -> None:
    """Build the site from the notebooks that the pages hand out, and say where in the book a name leads."""
    if exception or app.builder.format != "html":
        return
    if not installed():
        logger.warning("no notebook will run in the browser: JupyterLite is not installed; %s", lite.REMEDY)
        return
    out = Path(app.outdir)
    handed_out = [out / "_sources" / f"{name}.ipynb" for name in notebooks(app)]
    command = [sys.executable, Path(app.srcdir, "tools", "lite.py"), "--root", out / "_sources"]
    command += ["--output", out / "lite", "--pyodide", app.config.pyodide, *handed_out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExtensionError(f"the site for the browser could not be built: {done.stderr.strip()}")
    labels = app.env.get_domain("std").anonlabels.items()
    places = {
        name: app.builder.get_target_uri(page) + f"#{anchor}" for name, (page, anchor) in labels if anchor
    }
    (out / "lite" / "notebooks" / "places.json").write_text(json.dumps(places), encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.add_config_value("pyodide", "", "html", [str])
    app.connect("html-page-context", add_button)
    app.connect("build-finished", build_site)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
