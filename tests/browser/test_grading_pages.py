"""On the pages of the grader the text of one student never touches another's, whatever of TeX is in it."""

import pytest

pytest.importorskip("nbconvert", reason="nbconvert is not installed: `make grading`")

from pgtgrade import formulas, pages

#: Every command of MathJax' TeX that defines something, or reaches out of its formula.
HOSTILE = r"""
$\def\sum{S}\def\pi#1{P#1}$ $\renewcommand{\frac}[2]{#2/#1}$ $\newcommand{\mine}{\alpha+\beta}$ $\gdef\rho{R}$
$\let\theta=\int$ $\let\mathbb=\mathrm$ $\global\def\mu{M}$ $\edef\nu{N}$ $\xdef\eta{H}$
$\newenvironment{matrix}{X}{Y}$ $\renewenvironment{pmatrix}{X}{Y}$ $\DeclareMathOperator{\log}{LOG}$
$\DeclareMathOperator*{\max}{MAX}$ $\providecommand{\exp}{EXP}$ $\definecolor{red}{rgb}{0,1,0}$
$\mathchardef\gamma=1$ $\DeclareRobustCommand{\delta}{D}$ $\DeclarePairedDelimiter{\abs}{(}{)}$
$\newtagform{x}{[}{]}\usetagform{x}$ $\tagform{x}$ $\Newextarrow{\xgets}{1,2}{3}$ $\setcounter{equation}{7}$

$$\label{eq:1}\tag{7} x$$ $$\begin{equation}\label{eq:2}\tag{9} x\end{equation}$$ $\ref{eq:9}$

$\require{html}$ $\require{action}$ $\unicode[position:fixed]{65}$ $\href{javascript:alert(1)}{x}$
$\style{position:fixed;inset:0}{x}$ $\class{page}{x}$ $\cssId{victim}{x}$ $\data{x=1}{x}$ $\texttip{x}{y}$
$\toggle{x}{y}\endtoggle$ $\bbox[position:fixed]{x}$ $\mmlToken{mi}[href="javascript:alert(1)"]{x}$
$\mmlToken{mi}[id="victim" class="page" style="position:fixed;inset:0"]{x}$ $\rule{5000em}{5000em}$
$\raise-5000em{x}$ $\llap{\rule{500em}{1em}}$ $\hspace{-500em} x$ $\kern-999em x$
$\vcenter{\rule{1em}{9999em}}$
"""
HONEST = r"""
$\sum_i \frac{1}{2} \pi \theta \rho \mu \nu \eta \gamma \delta \mathbb{E} \log x \max \exp$
$\begin{matrix}a\end{matrix}$ $\begin{pmatrix}b\end{pmatrix}$ $\color{red}{y}$ $\mine$
$$\label{eq:1}\tag{1} y$$ $$\begin{equation}\label{eq:2} z\end{equation}$$ $\ref{eq:1}$
"""


def article(author, text):
    return f'<article id="{author}">{pages.rendered(text, author=author)}</article>'


@pytest.fixture(scope="module")
def drawn(browser, tmp_path_factory):
    """Return what is drawn of the honest text before, after and without the hostile one."""
    folder = tmp_path_factory.mktemp("pages")
    bodies = {
        "apart": article("cleo", HONEST),
        "together": article("ada", HONEST) + article("ben", HOSTILE) + article("cleo", HONEST),
    }
    found = {}
    for name, body in bodies.items():
        title = '<h2 class="text">The sum $\\sum_i \\frac{1}{2}$</h2>'
        (folder / f"{name}.html").write_text(pages.page("t", title + body), encoding="utf-8")
        page, errors = browser.new_page(), []
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        page.on("console", lambda said, errors=errors: errors.append(said.text))
        page.on(
            "request", lambda each, errors=errors: errors.append(each.url) if "http" in each.url else None
        )
        page.goto((folder / f"{name}.html").as_uri())
        page.wait_for_function("document.documentElement.dataset.typeset")
        found[name] = page, errors
    yield found
    for page, _ in found.values():
        page.close()


def look(drawn, name, selector):
    """Return the drawing below a selector, as its HTML."""
    page, _ = drawn[name]
    return page.eval_on_selector_all(f"{selector} mjx-container", "all => all.map(each => each.outerHTML)")


def test_what_one_student_defines_no_other_sees(drawn):
    alone = look(drawn, "apart", "#cleo")
    assert len(alone) == 8
    assert look(drawn, "together", "#ada") == alone
    assert look(drawn, "together", "#cleo") == alone
    assert look(drawn, "together", "h2") == look(drawn, "apart", "h2")
    # but the author sees it
    assert "\\mine" not in "".join(look(drawn, "together", "#ben"))


def test_nothing_reaches_out_of_a_formula(drawn):
    page, errors = drawn["together"]
    assert errors == []
    inside = "mjx-container"
    assert page.locator(f"{inside} [href], {inside} [id], {inside} a, {inside} script").count() == 0
    assert page.locator(f"{inside} [class], {inside} [data-of]").count() == 0
    fixed = "all => all.filter(each => getComputedStyle(each).position === 'fixed').length"
    assert page.eval_on_selector_all("*", fixed) == 0
    boxes = {name: page.locator(name).bounding_box() for name in ("#ada", "#ben", "#cleo")}
    assert boxes["#ben"]["height"] < 2_500
    size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert size[0] <= page.viewport_size["width"]
    assert size[1] < boxes["#cleo"]["y"] + boxes["#cleo"]["height"] + 100
    # what is drawn outside of its box is cut off there: a neighbour's formulas can be clicked
    for name in ("#ada", "#cleo"):
        page.locator(name).scroll_into_view_if_needed()
        box = page.locator(f"{name} mjx-container").first.bounding_box()
        there = "([x, y]) => document.elementFromPoint(x, y).closest('article').id"
        assert page.evaluate(there, [box["x"] + 5, box["y"] + 5]) == name[1:]


#: A formula and what a reader has to see of it, where MathML alone would show less.
SHOWN = {
    r"\mathbb{E} \mathcal{L} \mathbf{x} \boldsymbol{\theta} \mathfrak{g} \mathtt{1} \mathcal{A} \mathbb{Q}": (
        "\U0001d53c\u2112\U0001d431\U0001d73d\U0001d524\U0001d7f7\U0001d49c\u211a"
    ),
    r"\mathit{ah} x \mathrm{d} \nabla": "\U0001d44e\u210exd\u2207",
    r"\begin{align} a &= bcdef \tag{7} \\ xyz &= u \end{align}": "a=bcdef(7)xyz=u",
}


@pytest.fixture(scope="module")
def shown(browser, tmp_path_factory):
    """Return a page with these formulas, and one where nothing can be unpacked."""
    path = tmp_path_factory.mktemp("shown") / "page.html"
    texts = [f"$$\n{each}\n$$" if "align" not in each else each for each in SHOWN]
    texts += [r"$\cancel{x}$ $\boxed{x}$ $\undefined$"]
    body = "".join(f"<article>{pages.rendered(each, author='ada')}</article>" for each in texts)
    path.write_text(pages.page("t", body), encoding="utf-8")
    page, old = browser.new_page(), browser.new_page()
    old.add_init_script("delete window.DecompressionStream")
    for each in (page, old):
        each.goto(path.as_uri())
    page.wait_for_function("document.documentElement.dataset.typeset")
    yield page, old, path
    page.close()
    old.close()


def test_a_formula_shows_all_of_what_it_says(shown):
    page, _, _ = shown
    texts = page.eval_on_selector_all("math", "all => all.map(each => each.textContent.replace(/\\s/g, ''))")
    assert texts[: len(SHOWN)] == list(SHOWN.values())
    assert texts[-1] == "\\undefined"
    # a column has its side: both signs of equality stand below each other, with nothing between the columns
    box = """(all, sign) => all.filter(each => each.textContent === sign)
      .map(each => each.getBoundingClientRect())"""
    first, second = page.eval_on_selector_all("math mo", box, "=")
    assert first["x"] == pytest.approx(second["x"], abs=0.5)
    a, z = (page.eval_on_selector_all("math mi", box, each)[-1] for each in "az")
    assert a["right"] == pytest.approx(z["right"], abs=2)
    assert 0 <= first["x"] - z["right"] < 12
    assert "gradient" in page.locator("[data-lines]").first.evaluate(
        "each => getComputedStyle(each).background"
    )
    assert (
        page.locator("[data-lines]").last.evaluate("each => getComputedStyle(each).borderTopWidth") == "1px"
    )


def test_a_page_is_light_and_whole(shown):
    """An LMS attaches single files: it was 2.3 MB."""
    _, old, path = shown
    assert path.stat().st_size < 180_000
    assert "http" not in formulas.scripts()[0].replace("http://www.w3.org", "")
    # where a browser cannot unpack it the formulas are there as they were written
    assert "\\mathbb{E}" in old.locator("article").first.inner_text()
