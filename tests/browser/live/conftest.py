"""The built book with a Pyodide of this machine, on a path below the root of its server, and no network."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))
from with_pyodide import SUBPATH, missing

ROOT = Path(__file__).parents[3]
BOOK = Path(os.environ.get("PGTLAB_BOOK", ROOT / "_build" / "html")).resolve()
SETTINGS = re.compile(r'(<div class="pgt-live" hidden>\n<script type="application/json">)(.*?)(</script>)')
SECONDS = 500  # within which a page must have run, on a slow and busy machine


def live_pages():
    """The pages of the built book whose cells run, but for problem sets, whose answers are missing."""
    pages = sorted(BOOK.glob("book/*.html"))
    return [page.stem for page in pages if 'class="pgt-live"' in page.read_text(encoding="utf-8")]


def pytest_generate_tests(metafunc):
    if "live_page" in metafunc.fixturenames:
        metafunc.parametrize("live_page", live_pages() or ["(no book)"])


@pytest.fixture(scope="session")
def live_site(serve_lite, compiled_pyodide, tmp_path_factory):
    """The book, but for the address of Python: as a copy with `pyodide: pyodide` in _config.yml would be."""
    if not live_pages():
        missing("there is no book in _build/html whose cells run: run `make book` first")
    folder = tmp_path_factory.mktemp("live")
    site = folder / SUBPATH
    shutil.copytree(BOOK, site, copy_function=os.symlink)
    shutil.rmtree(site / "lite" / "static", ignore_errors=True)
    (site / "lite" / "static").mkdir(parents=True)
    (site / "lite" / "static" / "pyodide").symlink_to(compiled_pyodide)
    for page in site.glob("book/**/*.html"):
        text = page.read_text(encoding="utf-8")
        if found := SETTINGS.search(text):
            up = "../" * len(page.relative_to(site).parts[:-1])
            given = {**json.loads(found[2]), "pyodide": f"{up}lite/static/pyodide/pyodide.js"}
            page.unlink()
            page.write_text(text.replace(found[0], found[1] + json.dumps(given) + found[3]), encoding="utf-8")
    return serve_lite(folder)


@pytest.fixture
def live(browser, live_site):
    """Open a page whose cells run: live("theorem"), in a browser that has seen nothing before."""
    contexts = []

    def opened(name, context=None, **options):
        if context is None:
            context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.outside, page.errors = [], []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        context.on(
            "request",
            lambda each: (
                None
                if each.url.startswith((live_site.origin, "data:", "blob:"))
                else page.outside.append(each.url)
            ),
        )
        page.goto(f"{live_site.origin}/{SUBPATH}/book/{name}.html")
        return page

    yield opened
    for context in contexts:
        context.close()
