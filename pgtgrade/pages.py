"""Owns what the pages for people are made of: text of strangers as safe HTML, and the sheet it stands on.

No script, picture or link of a submission reaches a reader: HTML in it is shown as text, and the page's own
policy forbids what it does not bring along.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache

from pgtgrade import formulas
from pgtgrade.pictures import settled

#: Characters of an author's texts in one place that are typeset; what is longer is shown as it was written.
MOST = 20_000

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --quiet: #595959; --note: #8a4b00;
  --good: #1b6b2f; --wrong: #b3261e; --line: #c8c8c8; --shade: #f5f5f5; --mark: #ffe39a;
  --right-bar: #2e7d4f; --part-bar: #d9a514; --none-bar: #b3423a; --open-bar: #a0a0a0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #161616; --quiet: #b0b0b0;
  --note: #f0b866; --good: #7fd197; --wrong: #ff8a80; --line: #4a4a4a; --shade: #242424; --mark: #5c4a12;
  --right-bar: #58b57f; --part-bar: #e0b84a; --none-bar: #d9756d; --open-bar: #7a7a7a; } }
body { margin: 0 auto; max-width: 46rem; padding: 1rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
body.wide { max-width: 72rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin: 0; }
.text h1, .text h2, .text h3 { font-size: 1.05rem; margin: 1rem 0 .5rem; }
pre { background: var(--shade); padding: .6rem .8rem; overflow-x: auto;
  font: .875rem/1.45 ui-monospace, monospace; }
pre.out { background: none; border-left: 3px solid var(--line); margin-left: 0; }
pre.wrong { background: none; border-left: 3px solid var(--wrong); white-space: pre-wrap; }
pre.folded { white-space: pre-wrap; margin: 0; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.narrow { width: 20%; min-width: 3rem; } td.narrow .bar { margin-top: .35rem; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
article { border: 1px solid var(--line); border-radius: .4rem; padding: .8rem 1rem; margin: 1rem 0; }
.head { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; }
table { margin: 1rem 0; }
.quiet { color: var(--quiet); } .note { color: var(--note); } .good { color: var(--good); }
a { color: inherit; } mark { color: inherit; background: var(--mark); }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; }
.items div.text, .items p { display: inline; contain: none; }
figure { margin: 1rem 0; } figcaption { color: var(--quiet); }
img, svg { max-width: 100%; }
img { background: #fff; }
div.text { overflow: auto; max-height: 120rem; contain: content; }
.bar { display: block; width: 100%; height: .9rem; } svg.figure { display: block; width: 34rem; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; } .axis { stroke: var(--line); }
.right { fill: var(--right-bar); } .part { fill: var(--part-bar); }
.none { fill: var(--none-bar); } .open { fill: var(--open-bar); }
.key { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 .8rem; }
.beside { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .5rem; }
@media (max-width: 40rem) { .beside { grid-template-columns: minmax(0, 1fr); } }
"""


def page(title, body, kind="page"):
    """Return a whole page, which needs nothing beside it, nor the network: MathJax is inside.

    Parameters
    ----------
    title : str
        Text, not HTML.
    body : str
        HTML; what stands in elements of the class `text` may hold formulas.
    kind : str
        "page", or "page wide" for what stands side by side.
    """
    head, scripts = "", []
    if re.search(r"\$|\\[(\[]|\\begin", re.sub(r"<pre.*?</pre>", "", body, flags=re.DOTALL)):
        head, scripts = formulas.scripts()
    sources = [_hash(each) for each in scripts] or ["'none'"]
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {' '.join(sources)}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n{head}</head>\n"
        f'<body class="{kind}">\n{body}\n</body>\n</html>\n'
    )


def escape(text):
    """Return text as HTML that shows it."""
    return html.escape(str(text))


def rendered(markdown, attachments=None, author=""):
    """Return Markdown of a stranger as HTML; HTML in it shows as text.

    Parameters
    ----------
    markdown : str
    attachments : dict of str to dict, optional
        Pictures of the cell. One that is not among them is announced.
    author : str, optional
        Whose it is: what one author defines in TeX holds in all texts of this author, and in no other.
    """
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    markdown, attachments, lost = settled(markdown, attachments)
    said = f'<p class="note">Not in the notebook: {escape(", ".join(lost))}</p>' if lost else ""
    if len(markdown) > MOST:
        said += f'<p class="note">{len(markdown)} characters: shown as they were written.</p>'
        return f'<div class="text">{said}<pre>{escape(markdown)}</pre></div>'
    renderer = IPythonRenderer(
        escape=True, allow_harmful_protocols=False, exclude_anchor_links=True, attachments=attachments
    )
    try:
        text = MarkdownWithMath(renderer=renderer).render(markdown)
    except Exception:  # a picture that is not there, or nesting without end: the text itself is what counts
        text = f"<pre>{escape(markdown)}</pre>"
    # an address that leads to a file beside the notebook leads nowhere here
    text = re.sub(r'<a href="(?!https?://|mailto:)[^"]*"[^>]*>(.*?)</a>', r"\1", text, flags=re.DOTALL)
    return f'<div class="text" data-of="{escape(author)}">{said}{text}</div>'


def all_rendered(cells, author):
    """Return the HTML of several cells of one author; beyond `MOST` characters they are not typeset."""
    parts, left = [], MOST
    for cell in cells:
        text = "".join(cell["source"])
        if len(text) <= left:
            parts.append(rendered(text, cell.get("attachments"), author))
            left -= len(text)
        else:
            parts.append(f'<div class="text"><pre>{escape(text)}</pre></div>')
    return "".join(parts)


@cache
def _hash(script):
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
