"""What search engines, catalogues and messages that carry a link are told about each page.

Title, authors and date of the book come from CITATION.cff. Addresses are given only where the book knows its
own, from `html: baseurl` in `_config.yml`; Sphinx itself makes of it the canonical address of each page.
"""

import html
import re
import unicodedata
from pathlib import Path
from xml.sax.saxutils import escape

import yaml
from docutils import nodes
from sphinx.application import Sphinx

MOST = 250  # characters of a description
COMMAND = re.compile(r"\\([a-zA-Z]+)\s*|\\,|\\ |[{}]")
VIEWPORT = re.compile(r"<meta [^>]*\bname=\"viewport\"[^>]*>\s*")


def plain(tex: str) -> str | None:
    """A formula of letters in plain text, or None if it has more than letters, marks and signs."""

    def letter(found: re.Match) -> str:
        if not found[1]:
            return ""
        size = "SMALL" if found[1].islower() else "CAPITAL"
        return unicodedata.lookup(f"GREEK {size} LETTER {found[1].upper()}")

    try:
        return COMMAND.sub(letter, tex)
    except KeyError:  # another command
        return None


def sentences(paragraph: nodes.paragraph) -> list[str]:
    """The sentences of a paragraph in plain text, those without a formula that only TeX can say."""
    unsayable = "\0"
    text = "".join(
        (plain(str(leaf)) or unsayable) if isinstance(leaf.parent, nodes.math) else str(leaf)
        for leaf in paragraph.findall(nodes.Text)
    )
    ended = re.findall(r"\S.*?[.!?](?=\s+[^a-z]|$)", " ".join(text.split()))  # no end after "e.g."
    return [each for each in ended if unsayable not in each]


def description(doctree: nodes.document) -> str:
    """What a page is about: of its first paragraph the first sentence, and more as far as there is room."""
    for paragraph in doctree.findall(nodes.paragraph):
        first, *further = sentences(paragraph) or [""]
        for each in further:
            if len(first) + 1 + len(each) > MOST:
                break
            first += f" {each}"
        if first:
            return first
    return ""


def citation(app: Sphinx) -> dict:
    """How the book is cited: its title, its authors and its date."""
    told = yaml.safe_load(Path(app.srcdir, "CITATION.cff").read_text(encoding="utf-8"))
    names = [each.get("name") or f"{each['family-names']}, {each['given-names']}" for each in told["authors"]]
    return {"title": told["title"], "authors": names, "date": f"{told['date-released']:%Y/%m/%d}"}


def tags(book: dict, site: str, title: str, told: str, is_first: bool, address: str | None) -> str:
    """The tags of a page: for search engines, for what carries a link (og), for catalogues (citation)."""
    named = [("description", told)]
    shared = [
        ("og:type", "website" if is_first else "article"),
        ("og:site_name", site),
        ("og:title", title),
        ("og:description", told),
    ]
    cited = [("citation_title", book["title"] if is_first else title)]
    if not is_first:
        cited.append(("citation_inbook_title", book["title"]))
    cited += [("citation_author", name) for name in book["authors"]]
    cited += [("citation_publication_date", book["date"]), ("citation_language", "en")]
    if address:
        shared.append(("og:url", address))
        cited += [("citation_public_url", address), ("citation_fulltext_html_url", address)]
    lines = [
        f'<meta {kind}="{key}" content="{html.escape(value)}" />'
        for kind, pairs in (("name", named), ("property", shared), ("name", cited))
        for key, value in pairs
    ]
    return "".join(f"\n    {line}" for line in lines)


def add_tags(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    # The templates below this one have such a tag too; the page needs one.
    context["metatags"] = VIEWPORT.sub("", context.get("metatags", ""))
    if doctree is None:  # the search, the index
        return
    title = app.env.titles[pagename].astext()
    is_first = pagename == app.config.root_doc
    context["metatags"] += tags(
        citation(app), app.config.html_title, title, description(doctree), is_first, context.get("pageurl")
    )


def write_sitemap(app: Sphinx, exception: Exception | None) -> None:
    """List the addresses of all pages for search engines, where the book knows its own."""
    base = app.config.html_baseurl
    if exception or app.builder.format != "html":
        return
    sitemap = Path(app.outdir, "sitemap.xml")
    sitemap.unlink(missing_ok=True)  # one of an earlier build may name another address
    if not base:
        return
    pages = [f"{base.rstrip('/')}/{app.builder.get_target_uri(name)}" for name in sorted(app.env.found_docs)]
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
        *(f"<url><loc>{escape(page)}</loc></url>" for page in pages),
        "</urlset>",
        "",
    ]
    sitemap.write_text("\n".join(lines), encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", write_sitemap)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
