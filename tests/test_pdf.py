"""What is said where no PDF can be printed, and the link to one from the first page of the book."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("pdf", ROOT / "tools" / "pdf.py")
pdf = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pdf)


@pytest.fixture
def built(tmp_path):
    """A built book of one page."""
    (tmp_path / "book").mkdir()
    (tmp_path / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=book/intro.html" />')
    (tmp_path / "book" / "intro.html").write_text(
        "<article><h1>Title</h1>\n<section><p>First.</p>\n<p>Last.</p>\n</section>\n</article><p>Foot.</p>"
    )
    return tmp_path


def test_without_a_book_it_says_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match=rf"there is no book in {tmp_path}: run `make book` first"):
        pdf.main([str(tmp_path)])


def test_without_a_browser_it_says_what_to_install(built, monkeypatch):
    monkeypatch.setenv("PATH", str(built))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(SystemExit, match="no browser to print with: none of chromium.* apt-get install"):
        pdf.main([str(built)])
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    with pytest.raises(SystemExit, match="CHROMIUM=no-such-browser is no command"):
        pdf.main([str(built)])


def test_the_first_page_links_the_pdf_once_at_its_end(built):
    first = built / "book" / "intro.html"
    before = first.read_text()
    for sheets in (9, 321):
        pdf.link(built, b"%PDF-" + bytes(2_600_000), sheets)
    text = first.read_text()
    (line,) = re.findall(r'<p class="pgt-pdf">.*</p>\n', text)
    assert "(321 pages, 3 MB)" in line
    assert text.replace(line, "") == before
    assert f"<p>Last.</p>\n{line}</section>" in text
    (address,) = re.findall(r'href="([^"]+)"', line)
    assert (first.parent / address).resolve() == built / pdf.NAME
    assert (built / pdf.NAME).read_bytes().startswith(b"%PDF-")


def test_every_page_of_the_book_is_printed_or_left_out_for_a_reason():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    left_out = [name for name in re.findall(r"file: (\S+)", toc) if pdf.LEFT_OUT.match(name)]
    assert {re.sub(r"\d|_.*", "", name.rpartition("/")[2]) for name in left_out} == {
        "problem",  # problem_sets
        "ps",
        "lecturers",
        "api",
        "publish",
    }
