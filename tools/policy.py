"""Print the content security policies under which the built book works, for the server that hands it out.

    python tools/policy.py            for the book in _build/html
    python tools/policy.py FOLDER     for a built book elsewhere

The scripts that stand in pages themselves are named by their sums, so ask again after each build.
"""

import argparse
import base64
import hashlib
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import lite

#: Where a browser looks for packages that the site of the book does not have, when a cell asks for them.
PACKAGES = ("https://pypi.org", "https://files.pythonhosted.org")
# Scripts in other types are data, which no policy looks at.
TYPES = ("", "module", "text/javascript", "application/javascript")


class PolicyError(Exception):
    """There is no policy to print; the message says why."""


class Scripts(HTMLParser):
    """The scripts that stand in a page, in elements of their own and in attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.handlers, self._inside = [], [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        self.handlers += [value for name, value in given.items() if name.startswith("on")]
        self._inside = tag == "script" and "src" not in given and given.get("type", "").lower() in TYPES
        if self._inside:
            self.elements.append("")

    def handle_data(self, data):
        if self._inside:
            self.elements[-1] += data

    def handle_endtag(self, tag):
        self._inside = False


def sums(pages: list[Path]) -> list[str]:
    """The sources that allow the scripts in these pages."""
    found = [Scripts(page.read_text(encoding="utf-8")) for page in pages]
    handlers = {text for each in found for text in each.handlers}
    texts = handlers.union(*(each.elements for each in found))
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    named = sorted(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return ["'unsafe-hashes'"] * bool(handlers) + named  # without it a sum says nothing of an attribute


def header(**sources: list[str]) -> str:
    # MathJax and matplotlib style what they draw, and a style can fetch nothing that the others forbid.
    allowed = {
        "default-src": ["'none'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        **{f"{name}-src": ["'self'", *given] for name, given in sources.items()},
    }
    return "; ".join(" ".join([name, *given]) for name, given in sorted(allowed.items()))


def for_pages(book: Path) -> str:
    """The policy of all but `lite/` and `_static/live/`: nothing from outside, only scripts of the build."""
    pages = [page for page in sorted(book.rglob("*.html")) if page.relative_to(book).parts[0] != "lite"]
    if not pages:
        raise PolicyError(f"there is no page in {book}: run `make book`")
    return header(script=sums(pages), connect=[], worker=[])


def places(pyodide: str) -> list[str]:
    """The address from which Python comes, where it is not that of the book."""
    address = urlsplit(pyodide)
    return [f"{address.scheme}://{address.netloc}"] if lite.is_address(pyodide) else []


def for_cells(pyodide: str) -> str:
    """The policy of `_static/live/`: in the worker that runs the cells of a page, Python is compiled.

    A worker obeys the policy that comes with its own script, not that of its page.
    """
    return header(script=["'unsafe-eval'", *places(pyodide)], connect=places(pyodide))


def for_notebooks(book: Path, pyodide: str) -> str:
    """The policy of `lite/`: Python in a browser is compiled there, and comes from where the setting says."""
    pages = sorted((book / "lite").rglob("*.html"))
    outside = places(pyodide)
    return header(
        script=["'unsafe-eval'", "blob:", *outside, *sums(pages)],
        connect=["data:", "blob:", *outside, *(PACKAGES if outside else ())],
        worker=["blob:"],
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Print the policies under which the built book works.")
    parser.add_argument("book", nargs="?", type=Path, default=lite.BOOK, help="default: _build/html")
    options = parser.parse_args(arguments)
    try:
        policies = {
            "/": for_pages(options.book),
            "/_static/live/": for_cells(lite.configured()),
            "/lite/": for_notebooks(options.book, lite.configured()),
        }
    except PolicyError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    for place, policy in policies.items():
        print(f"{place}\nContent-Security-Policy: {policy}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
