"""Each chapter can be projected as slides: its headings, statements, formulas and figures, which play.

The page itself is shown one slide at a time (`_static/present.js`), so no second file can differ from it.
"""

import re

from sphinx.application import Sphinx

CHAPTER = re.compile(r"\d+ · ")


def chapters(app: Sphinx) -> set[str]:
    """The pages that the table of contents numbers as chapters."""
    toctrees = app.env.tocs[app.config.root_doc].findall(lambda node: node.tagname == "toctree")
    entries = [entry for toctree in toctrees for entry in toctree["entries"]]
    return {page for title, page in entries if title and CHAPTER.match(title)}


def add_script(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    if doctree is not None and pagename in chapters(app):
        app.add_js_file("present.js", loading_method="defer")
        app.add_css_file("present.css", media="screen")


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
