"""The book as one PDF: its first two pages, printed as `make pdf` prints them all, and read with pypdf."""

import re
from io import BytesIO

import pytest

pypdf = pytest.importorskip("pypdf", reason="pypdf: see requirements-test.txt")
from tools import pdf  # noqa: E402

pytestmark = pytest.mark.xdist_group("the book as one PDF")


@pytest.fixture(scope="session")
def stored(browser, book):
    return pdf.book_pdf(browser, book, ["problem"])


@pytest.fixture(scope="session")
def printed(stored):
    return pypdf.PdfReader(BytesIO(stored))


@pytest.fixture(scope="session")
def texts(printed):
    return [page.extract_text() for page in printed.pages]


@pytest.fixture(scope="session")
def chapters(printed):
    """The highest level of the outline: what begins on which sheet."""
    return {
        entry.title: printed.get_destination_page_number(entry)
        for entry in printed.outline
        if not isinstance(entry, list)
    }


def links(page):
    return [each.get_object() for each in page.get("/Annots", []) if each.get_object()["/Subtype"] == "/Link"]


def test_the_outline_names_what_the_book_has_in_its_order(chapters):
    title = "The Policy Gradient Theorem"
    names = [title, "Contents", "0 · Meet the problem and watch something learn", "Solutions", "Index"]
    assert [name for name in chapters if name in names] == names
    assert len(chapters) == len(names)
    begins = list(chapters.values())
    assert begins[1:] == sorted(set(begins[1:]))


def test_every_link_leads_to_a_sheet_or_out_of_the_book(printed):
    inside, outside = 0, set()
    for page in printed.pages:
        for link in links(page):
            action = link.get("/A", {})
            if action.get("/S") == "/URI":
                outside.add(action["/URI"])
            else:
                name = link["/Dest"] if "/Dest" in link else action["/D"]
                place = printed.named_destinations[
                    name if name in printed.named_destinations else name.lstrip("/")
                ]
                assert printed.get_destination_page_number(place) is not None
                inside += 1
    assert inside > 60
    assert outside
    assert [address for address in outside if not address.startswith("https://")] == []


def test_contents_name_the_sheet_on_which_each_chapter_begins(texts, chapters):
    listed = re.sub(
        r"\s+", " ", " ".join(texts[1 : chapters["0 · Meet the problem and watch something learn"]])
    )
    for name in ("0 · Meet the problem and watch something learn", "Solutions", "Index"):
        assert re.search(rf"{re.escape(name)} ?{chapters[name] + 1}\b", listed), name


def test_each_sheet_has_text_its_number_and_its_chapter(texts, chapters):
    names, begins = zip(*sorted(chapters.items(), key=lambda each: each[1]), strict=True)
    for i, text in enumerate(texts[1:], start=1):
        words = text.split()
        assert str(i + 1) in words
        assert len(words) > 15, f"sheet {i + 1} has next to nothing on it: {text!r}"
        name = names[max(k for k, begin in enumerate(begins) if begin <= i)]
        assert re.sub(r"\s", "", name) in re.sub(r"\s", "", text)


def test_no_formula_is_left_as_it_was_typed(texts):
    assert [word for text in texts for word in text.split() if re.search(r"\\[(a-z]", word)] == []


def test_solutions_stand_at_the_end_each_linked_with_its_exercise(texts, chapters):
    solved = re.compile(r"Solution to\s+Exercise \d+")
    begin = chapters["Solutions"]
    assert not any(
        map(solved.search, texts[chapters["0 · Meet the problem and watch something learn"] : begin])
    )
    found = [each for text in texts[begin:] for each in solved.findall(text)]
    asked = re.findall(r"Solution\s*\(p\.\s*(\d+)\)", " ".join(texts[:begin]))
    assert len(found) == len(asked) == 4
    assert {int(number) - 1 for number in asked} <= set(range(begin, chapters["Index"]))


def test_it_carries_its_fonts_and_says_whose_it_is(printed, stored):
    fonts = {}
    for page in printed.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            font = font.get_object()
            inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
            fonts[font.get("/BaseFont", font["/Subtype"])] = font["/Subtype"] == "/Type3" or any(
                key.startswith("/FontFile") for key in inner["/FontDescriptor"].get_object()
            )
    assert fonts
    assert all(fonts.values()), fonts
    assert printed.metadata.title == "The Policy Gradient Theorem"
    assert printed.metadata.author == "the pgtlab authors"
    assert 15 < len(printed.pages) < 40
    assert len(stored) < 3_000_000


def test_what_does_not_fit_together_would_be_seen(browser, tmp_path):
    page_file = tmp_path / "page.html"
    page_file.write_text(
        '<a href="#nowhere">x</a><p id="two"></p><p id="two"></p><span class="math">\\(x\\)</span>', "utf-8"
    )
    page = pdf.visit(browser, page_file.as_uri())
    assert pdf.asked(page, "faults") == {
        "no such place": ["nowhere"],
        "named twice": ["two"],
        "not set": ["\\(x\\)"],
    }
    page.context.close()
