"""The tool that prints the content security policies of the built book."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools"))
import policy as tool  # noqa: E402

# The example of "Content Security Policy Level 3" (W3C), section 2.3.1, hash-source.
SCRIPT, SUM = "alert('Hello, world.');", "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"


@pytest.fixture
def book(tmp_path):
    """A book of two pages, and a site for its notebooks."""
    pages = {
        "index.html": f"<script>{SCRIPT}</script><script src='a.js'></script>",
        "book/a.html": f"<script type='application/json'>{{}}</script><SCRIPT type=module>{SCRIPT}</SCRIPT>",
        "lite/index.html": "<script>1 &lt; 2</script>",
    }
    for name, text in pages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def sources(policy, kind):
    """What a policy allows, by the name of a directive."""
    return {name: given for name, *given in (each.split() for each in policy.split("; "))}[kind]


def test_a_script_in_pages_is_named_once_by_its_sum(book):
    policy = tool.for_pages(book)
    assert sources(policy, "script-src") == ["'self'", SUM]
    assert sources(policy, "default-src") == ["'none'"]
    assert "http" not in policy


def test_a_script_in_an_attribute_needs_a_word_more(book):
    (book / "index.html").write_text(f'<button onclick="{SCRIPT}">Go</button>', encoding="utf-8")
    assert sources(tool.for_pages(book), "script-src") == ["'self'", "'unsafe-hashes'", SUM]


def test_notebooks_may_fetch_python_from_where_the_setting_says(book):
    own = tool.for_notebooks(book, "pyodide")
    assert "http" not in own
    assert "'unsafe-eval'" in sources(own, "script-src")
    assert SUM not in own
    policy = tool.for_notebooks(book, "https://python.example/v1/pyodide.js")
    for kind in ("script-src", "connect-src"):
        assert "https://python.example" in sources(policy, kind)


def test_the_worker_of_a_page_may_fetch_python_from_there_too(book):
    assert "http" not in tool.for_cells("pyodide")
    policy = tool.for_cells("https://python.example/v1/pyodide.js")
    for kind in ("script-src", "connect-src"):
        assert "https://python.example" in sources(policy, kind)
    assert "'unsafe-eval'" in sources(policy, "script-src")


def test_all_are_printed_each_for_its_place(book, capsys):
    assert tool.main([str(book)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [said[0], said[3], said[6]] == ["/", "/_static/live/", "/lite/"]
    assert said[1] == f"Content-Security-Policy: {tool.for_pages(book)}"


def test_a_folder_without_a_book_is_named(tmp_path, capsys):
    assert tool.main([str(tmp_path)]) == 1
    assert f"there is no page in {tmp_path}: run `make book`" in capsys.readouterr().err
