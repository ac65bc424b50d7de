"""What readers write on a page: the editor of its cells, and exercises that are tried in the chapter.

An exercise is a code cell tagged `try`, which holds what a reader begins with, and right below it one tagged
`try-check`. On the page the check is folded up, without what it says while there is no answer; it runs
behind the reader's own.
"""

import nbformat
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

FOLDED = {"code_prompt_show": "Show the check", "code_prompt_hide": "Hide the check"}


def tags(cell) -> list[str]:
    return cell["metadata"].get("tags", [])


def fold_checks(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fold the checks of a notebook, and see that each stands below its exercise."""
    if not app.env.doc2path(docname).endswith(".ipynb"):
        return
    notebook = nbformat.reads(source[0], as_version=4)
    before, changed = None, False
    for cell in [cell for cell in notebook["cells"] if cell["cell_type"] == "code"] + [None]:
        tried, checks = (
            before is not None and "try" in tags(before),
            cell is not None and "try-check" in tags(cell),
        )
        if tried != checks:
            wrong = before if tried else cell
            raise ExtensionError(
                f"{docname}, cell {wrong.get('id')}: expected a cell tagged `try` "
                "and below it one tagged `try-check`"
            )
        if checks:
            cell["metadata"]["tags"] = [*tags(cell), "hide-input", "remove-output"]
            cell["metadata"]["mystnb"], changed = FOLDED, True
            if "raise NotImplementedError" not in before["source"]:  # numbers need less room than a function
                before["metadata"]["tags"] = [*tags(before), "try-numbers"]
        before = cell
    if changed:
        source[0] = nbformat.writes(notebook)


def setup(app: Sphinx) -> dict:
    app.connect("source-read", fold_checks)
    app.add_js_file("live/editing.js", loading_method="defer")
    app.add_css_file("live/editing.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
