"""Owns what the pages for people are made of: text of strangers as safe HTML, and the sheet it stands on.

No script, picture or link of a submission reaches a reader: HTML in it is shown as text, and the page's own
policy forbids what it does not bring along.
"""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.util
import re
from functools import cache
from pathlib import Path

#: Where a page that is handed out alone finds MathJax.
MATHJAX = "https://cdn.jsdelivr.net/npm/mathjax@3.2.2/es5/tex-svg.js"

_CONFIGURATION = r"""
window.MathJax = {
  tex: {inlineMath: [["$", "$"], ["\\(", "\\)"]], packages: {"[-]": ["require", "autoload"]}},
  options: {enableMenu: false, processHtmlClass: "text", ignoreHtmlClass: "plain|page"}
};
"""

_STYLE = """
body { margin: 0 auto; max-width: 46rem; padding: 1rem; color: #1b1b1b; background: #fff;
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin: 0; }
.text h1, .text h2, .text h3 { font-size: 1.05rem; margin: 1rem 0 .5rem; }
pre { background: #f5f5f5; padding: .6rem .8rem; overflow-x: auto;
  font: .875rem/1.45 ui-monospace, monospace; }
pre.out { background: none; border-left: 3px solid #c8c8c8; margin-left: 0; }
pre.wrong { background: none; border-left: 3px solid #b3261e; white-space: pre-wrap; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
article { border: 1px solid #c8c8c8; border-radius: .4rem; padding: .8rem 1rem; margin: 1rem 0; }
.head { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; }
table { margin: 1rem 0; }
.quiet { color: #595959; } .note { color: #8a4b00; } .good { color: #1b6b2f; }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; }
img, svg { max-width: 100%; } .text { overflow-x: auto; }
"""


def page(title, body, alone=False):
    """Return a whole page.

    Parameters
    ----------
    title : str
        Text, not HTML.
    body : str
        HTML; what stands in elements of the class `text` may hold formulas.
    alone : bool
        Whether it is handed out by itself: it is small then, and fetches MathJax from the network if there
        are formulas in it. Otherwise MathJax is inside.
    """
    scripts, sources = "", ["'none'"]
    if re.search(r"\$|\\[(\[]|\\begin", body):
        inside = [_CONFIGURATION] if alone else [_CONFIGURATION, _mathjax()]
        sources = [_hash(each) for each in inside] + ([MATHJAX] if alone else [])
        scripts = "".join(f"<script>{each}</script>\n" for each in inside)
        scripts += f'<script defer src="{MATHJAX}"></script>\n' if alone else ""
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {' '.join(sources)}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n{scripts}</head>\n"
        f'<body class="page">\n{body}\n</body>\n</html>\n'
    )


def escape(text):
    """Return text as HTML that shows it."""
    return html.escape(str(text))


def rendered(markdown, attachments=None):
    """Return Markdown of a stranger as HTML; HTML in it shows as text."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(
        escape=True,
        allow_harmful_protocols=False,
        exclude_anchor_links=True,
        attachments=attachments or {},
    )
    try:
        text = MarkdownWithMath(renderer=renderer).render(markdown)
    except Exception:  # a picture that is not there, or nesting without end: the text itself is what counts
        text = f"<pre>{escape(markdown)}</pre>"
    return f'<div class="text">{text}</div>'


def _hash(script):
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _mathjax():
    found = importlib.util.find_spec("sphinx-mathjax-offline")  # found without importing it, or Sphinx
    if found is None:
        raise ModuleNotFoundError(
            "No module named 'sphinx-mathjax-offline', which brings MathJax: install it with `make grading` "
            "or pip install 'pgtlab[grading]'"
        )
    path = Path(*found.submodule_search_locations, "static", "mathjax", "tex-svg.js")
    return path.read_text(encoding="utf-8").replace("</script", "<\\/script")
