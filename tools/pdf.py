"""Print the built book as one PDF, and link it from its first page.

    python tools/pdf.py                       the book in _build/html
    python tools/pdf.py FOLDER                a built book elsewhere
    python tools/pdf.py --only problem        some pages alone, named as their files are

Chromium sets every page as it would print it. The articles then stand one below the other in one page, which
Chromium prints: the first time to learn on which sheet everything stands, and again with these numbers.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "_build" / "html"
OUT = ROOT / "_build" / "pdf"
NAME = "policy-gradient-theorem.pdf"
BROWSERS = (
    "chromium-headless-shell",  # no window of its own to draw
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")

#: Pages that are of use at a computer only.
LEFT_OUT = re.compile(r"book/(exercises/|lecturers|publish|api)")
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
WHY = (
    "Left out are the problem sets and the notes for lecturers, which are worked on at a computer, the "
    "reference of the package, and how the book is published. The pages of the book have all of these, and "
    "the code of the figures and the numbers behind each check."
)
#: The scripts of a page that are run: those that set its formulas, and that fold its checks as on paper.
SCRIPTS = re.compile(r"/_static/(mathjax/|fold\.js)")
SHEET = {"width": 642, "height": 906}  # what A4 leaves inside the margins of pdf.css, in CSS pixels
PATIENCE = 300_000  # milliseconds that a page may take: the machine may be busy
PASSES = 4


class PdfError(Exception):
    """There is no PDF to print; the message says why."""


# --- what the book is ------------------------------------------------------------------------------------


def find_browser() -> str:
    """The Chromium of this machine."""
    named = os.environ.get("CHROMIUM")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sought = f"CHROMIUM={named} is no command" if named else f"none of {', '.join(BROWSERS)} is installed"
        raise PdfError(f"no browser to print with: {sought} (Debian and Ubuntu: apt-get install chromium)")
    return found


def first_page(folder: Path) -> Path:
    """The page to which the root of a built book leads."""
    root = folder / "index.html"
    if not root.is_file():
        raise PdfError(f"there is no book in {folder}: run `make book` first")
    leads = re.search(r'url=([^"]+\.html)"', root.read_text(encoding="utf-8"))
    return folder / (leads[1] if leads else "index.html")


def edition() -> tuple[str, datetime]:
    """Version of the book, and the day of the commit from which it was built, or else of the version."""
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    try:
        command = ["git", "-C", str(ROOT), "log", "-1", "--format=%cI"]
        told_by_git = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        day = datetime.fromisoformat(told_by_git.strip())
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        day = datetime.combine(told["date-released"], datetime.min.time(), UTC)
    return told["version"], day


# --- one page of all -------------------------------------------------------------------------------------


def part(name: str, title: str, inner: str) -> tuple[str, str]:
    """A part of the book, which begins a sheet, and the rule that puts its title over each of its sheets."""
    words = title.replace("\\", "\\\\").replace('"', '\\"')
    rule = f'@page sheet-{name} {{ @top-right {{ content: "{words}" }} }}\n'
    return (
        f'<section class="pdf-chapter pdf-{name}" id="{name}" style="page: sheet-{name}">{inner}</section>',
        rule,
    )


def title_page(about: dict, formula: str) -> str:
    """Title, authors, edition and licences, with the formula of the first page."""
    version, day = edition()
    words = {key: html.escape(about[key]) for key in ("title", "subtitle", "address")}
    online = f"<br>With figures that move and cells that run: {words['address']}" if words["address"] else ""
    return f"""<section class="pdf-title"><h1 id="title">{words["title"]}</h1>
<p class="pdf-subtitle">{words["subtitle"]}</p>
<div class="pdf-formula math">{formula}</div>
<p>{html.escape(", ".join(about["authors"]))}</p>
<p>Version {html.escape(version)}, {day.day} {day:%B %Y}</p>
<p class="pdf-small">Text and figures under <a href="{LICENCE}">CC BY 4.0</a>, code under the MIT License.
{online}</p>
</section>"""


def contents(chapters: list[dict]) -> str:
    """The table of contents, its numbers still open."""

    def line(kind, place, words):
        return f'<a class="pdf-of-{kind}" href="#{html.escape(place)}"><span>{words}</span></a>'

    lines, part_of = [], ""
    for each in chapters:
        if each["part"] != part_of:
            part_of = each["part"]
            lines.append(f'<p class="pdf-part">{html.escape(part_of)}</p>')
        lines.append(line("chapter", each["name"], each["heading"]))
        lines += [line("section", section["id"], section["html"]) for section in each["sections"]]
    return "\n".join(lines) + f'<p class="pdf-small">{WHY}</p>'


def visit(browser, address: str):
    """Open a page as it is laid out for paper, all its formulas set."""
    context = browser.new_context(viewport=SHEET, color_scheme="light")
    context.set_default_timeout(PATIENCE)

    def route(asked_for):
        asked_for.continue_() if SCRIPTS.search(asked_for.request.url) else asked_for.abort()

    context.route(re.compile(r"\.(js|woff2?)(\?|$)"), route)
    context.add_init_script("try { localStorage.mode = localStorage.theme = 'light' } catch (error) {}")
    page = context.new_page()
    page.goto(address, wait_until="load")
    page.evaluate("async () => { await window.MathJax?.startup?.promise }")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    return page


def asked(page, what: str, *given):
    return page.evaluate(f"given => ({SCRIPT.strip()}).{what}(given)", *given)


def chosen(listed: list[dict], base: str, only: list[str] | None) -> list[dict]:
    """The pages to print, with a name each: all that paper has use for, or the first and those in `only`."""
    chapters = []
    for each in listed:
        place = each["path"].removeprefix(base)
        name = place.rpartition("/")[2].removesuffix(".html")
        if not LEFT_OUT.match(place) and (only is None or not chapters or name in only):
            chapters.append({**each, "name": name})
    if unknown := set(only or ()) - {each["name"] for each in chapters}:
        raise PdfError(f"the book has no page {', '.join(sorted(unknown))} to print")
    return chapters


def at_the_end(name: str, inner: str, sections: list[dict]) -> dict:
    """A chapter that no page of the book has."""
    title = name.capitalize()
    chapter = {"part": "At the end", "name": name, "title": title, "heading": title, "sections": sections}
    return chapter | {"html": f"<h1>{title}</h1>{inner}"}


def solutions(chapters: list[dict]) -> dict:
    """The solutions of all chapters as one."""
    inner, sections = "", []
    for each in chapters:
        if each["solutions"]:
            place = f"solutions.{each['name']}"
            sections.append({"id": place, "html": each["heading"]})
            inner += f'<section id="{place}"><h2>{each["heading"]}</h2>{"".join(each["solutions"])}</section>'
    return at_the_end("solutions", inner, sections)


def whole(browser, folder: Path, only: list[str] | None = None) -> tuple[str, dict]:
    """The book as one page of HTML, and what its head says about it."""
    base = folder.resolve().as_uri() + "/"
    page = visit(browser, first_page(folder.resolve()).as_uri())
    about, listed, formula = (asked(page, what) for what in ("about", "contents", "formula"))
    chapters = chosen(listed, base, only)
    pages = {each["path"]: each["name"] for each in chapters}
    for each in chapters:
        if each["path"] != page.url:
            page.context.close()
            page = visit(browser, each["path"])
        given = {"name": each["name"], "title": each["title"], "pages": pages, "published": about["address"]}
        each |= asked(page, "gather", given)
    page.context.close()
    page = visit(browser, base + "genindex.html")
    entries = asked(page, "index", {"pages": pages})
    page.context.close()

    styles = dict.fromkeys(
        tuple(each) for each in sum((each["styles"] for each in chapters), about["styles"])
    )
    mathematics = chapters[0]["mathStyle"]
    if any(each["solutions"] for each in chapters):
        chapters.append(solutions(chapters))
    if entries:
        chapters.append(at_the_end("index", f"<ul>{entries}</ul>", []))
    first = {"name": "contents", "title": "Contents", "html": f"<h1>Contents</h1>{contents(chapters)}"}
    parts, rules = zip(
        *(part(each["name"], each["title"], each["html"]) for each in [first, *chapters]), strict=True
    )
    links = "".join(
        f'<link rel="stylesheet" href="{html.escape(address)}" media="{media}">' for address, media in styles
    )
    text = f"""<!DOCTYPE html>
<html lang="en-GB" data-theme="light" data-mode="light">
<head><meta charset="utf-8"><title>{html.escape(about["title"])}</title>{links}
<style>{mathematics}{STYLE}{"".join(rules)}</style></head>
<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container">
<article class="bd-article">
{title_page(about, formula)}
{"".join(parts)}
</article></div></div></main></body></html>"""
    return text, about


# --- print -----------------------------------------------------------------------------------------------

# Writes the sheet of its place to each link, and returns the places of which none is known.
NUMBER = """numbers => [...document.querySelectorAll("a[href^='#']")].map(link => {
  const place = decodeURIComponent(link.getAttribute("href").slice(1));
  link.dataset.page = numbers[place] ?? "000";
  link.dataset.digits = link.dataset.page.length;
  return place in numbers ? null : place;
}).filter(place => place)"""


def sheets(pdf: bytes) -> dict[str, int]:
    """The sheet of each place that a link names."""
    from pypdf import PdfReader

    reader = PdfReader(BytesIO(pdf))
    places = reader.named_destinations
    return {name.lstrip("/"): reader.get_destination_page_number(place) + 1 for name, place in places.items()}


def printed(browser, address: str) -> bytes:
    """Print until every number is that of the sheet on which it was found.

    Each print is the first of a page that was opened for it: Chromium lays out a second one otherwise.
    """
    numbers = {}
    for n in range(PASSES):
        page = visit(browser, address)
        if faults := {kind: found for kind, found in asked(page, "faults").items() if found}:
            raise PdfError(f"the pages do not fit together: {faults}")
        unknown = page.evaluate(NUMBER, numbers)
        if n and unknown:
            raise PdfError(f"links lead to places that are on no sheet: {', '.join(unknown)}")
        pdf = page.pdf(prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
        page.context.close()
        before, numbers = numbers, sheets(pdf)
        if before == numbers:
            return pdf
    moved = [place for place in numbers if numbers[place] != before.get(place)]
    raise PdfError(f"after {PASSES} prints these places still moved to other sheets: {', '.join(moved)}")


def described(pdf: bytes, about: dict) -> bytes:
    """The PDF with its authors, its date, and its outline open."""
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=BytesIO(pdf))
    _, day = edition()
    when = f"D:{day.astimezone(UTC):%Y%m%d%H%M%S}Z"
    writer.add_metadata(
        {
            "/Author": ", ".join(about["authors"]),
            "/Subject": about["subtitle"],
            "/CreationDate": when,
            "/ModDate": when,
        }
    )
    writer.page_mode = "/UseOutlines"
    stored = BytesIO()
    writer.write(stored)
    return stored.getvalue()


def book_pdf(browser, folder: Path, only: list[str] | None = None) -> bytes:
    """The built book in `folder` as one PDF."""
    text, about = whole(browser, folder, only)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "book.html")
        file.write_text(text, encoding="utf-8")
        return described(printed(browser, file.as_uri()), about)


# --- publish ---------------------------------------------------------------------------------------------


def link(folder: Path, pdf: bytes, sheets: int) -> None:
    """Put the PDF beside the pages of a built book, and a link to it at the end of the first."""
    (folder / NAME).write_bytes(pdf)
    first = first_page(folder)
    up = "../" * (len(first.relative_to(folder).parts) - 1)
    words = f'To read it on paper or offline: the whole book as <a href="{up}{NAME}">one PDF</a>'
    line = f'<p class="pgt-pdf">{words} ({sheets} pages, {len(pdf) / 1e6:.0f} MB).</p>'
    text = re.sub(r'<p class="pgt-pdf">.*?</p>\n', "", first.read_text(encoding="utf-8"))
    before, last, after = text.partition("</article>")
    place = before.rindex("</p>") + len("</p>\n")
    first.write_text(before[:place] + line + "\n" + before[place:] + last + after, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "folder", nargs="?", type=Path, default=BOOK, help="a built book (default: _build/html)"
    )
    parser.add_argument("--only", nargs="+", metavar="PAGE", help="print these pages alone, and link nothing")
    parser.add_argument(
        "--output", type=Path, default=OUT / NAME, help=f"the file (default: _build/pdf/{NAME})"
    )
    given = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        first_page(given.folder)
        path = find_browser()
        try:
            from playwright.sync_api import sync_playwright
            from pypdf import PdfReader
        except ModuleNotFoundError as error:
            raise PdfError(
                f"{error.name} is not installed: run `make pdf`, or pip install -r requirements-pdf.txt"
            ) from error
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
            pdf = book_pdf(browser, given.folder, given.only)
            browser.close()
    except PdfError as error:
        sys.exit(f"{error}")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_bytes(pdf)
    number = len(PdfReader(BytesIO(pdf)).pages)
    if not given.only:
        link(given.folder, pdf, number)
    print(f"{given.output}: {number} pages, {len(pdf) / 1e6:.1f} MB, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
