"""A chapter as it is read: how long it is, how checks fold, and predictions that are played."""

import pytest

from tests.browser.conftest import DESKTOP, PHONE

CHAPTERS = ("climbing", "visitation", "theorem")
MOST_SCREENS, MOST_WITH_EXERCISES, MOST_LINES = 25, 27, 60

# How high the article is, in screens, up to its exercises and in all, and how many lines of output lie open.
# A check's line is none of them.
LENGTH = """() => {
  const open = pre => pre.checkVisibility() && !pre.closest("details.pgt-check");
  const lines = [...document.querySelectorAll("article div.cell_output pre")].filter(open)
    .map(pre => pre.innerText.trimEnd().split("\\n").length);
  const article = document.querySelector("article").getBoundingClientRect();
  const exercises = document.querySelector("article section#exercises").getBoundingClientRect();
  return [(exercises.top - article.top) / 900, article.height / 900, lines.reduce((sum, n) => sum + n, 0)];
}"""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_read_in_an_hour(book, visit, chapter):
    text, whole, lines = visit(book, f"book/{chapter}.html").page.evaluate(LENGTH)
    assert lines <= MOST_LINES
    assert text <= MOST_SCREENS
    assert whole <= MOST_WITH_EXERCISES


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_check_is_one_line_that_unfolds(book, visit, chapter):
    page = visit(book, f"book/{chapter}.html").page
    folds = page.locator("article details.pgt-check")
    assert folds.count() > 5
    fold = page.locator("article details.pgt-check:not(details *):not(:has(.pgt-proof)):visible").first
    numbers = fold.locator("pre").last
    assert not numbers.is_visible()
    fold.locator("> summary").focus()
    page.keyboard.press("Enter")
    assert numbers.is_visible()
    assert "within" in numbers.inner_text()


def test_a_prediction_is_played_with_the_keyboard(book, visit):
    page = visit(book, "book/climbing.html").page
    question = page.locator("#prediction-1")
    reason = page.locator("#reason-1")
    printed = page.locator(".pgt-covered")
    assert not reason.is_visible()
    covered = printed.count()
    assert covered > 0
    question.locator("input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    assert not reason.is_visible()  # an arrow moves the choice and tells nothing
    page.keyboard.press("Enter")
    assert reason.is_visible()
    assert printed.count() < covered
    assert "It is another one." in question.get_by_role("status").inner_text()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "status"
    kept = page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie]")
    assert {key for key in kept if key} <= {"mode", "theme"}  # of the page's theme; nothing of the prediction


# What lies between each question and the place of its reason, and would tell: the words and pictures of
# cells, apart from their code, from formulas, from a figure to play with and its caption, and from what the
# page adds to cells. `all` leaves out what lies in folds, and `seen` what cannot be seen.
TELLING = """() => {
  const behind = (a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING;
  const added = [".cell_input", "details.hide", ".pgt-covered-note", ".pgt-live-note", ".math", ".headerlink",
    "button", "script", "style"].join();
  const folded = box => {
    const fold = box.closest("details");
    return fold && (!fold.querySelector(":scope > summary").contains(box) || folded(fold.parentElement));
  };
  return [...document.querySelectorAll(".pgt-predict")].map(question => {
    const n = question.id.split("-").pop(), all = [], seen = [];
    const place = document.querySelector(`.pgt-reason-place[data-of="${n}"]`);
    for (const cell of document.querySelectorAll("article div.cell")) {
      if (!behind(question, cell) || !behind(cell, place)) continue;
      const parts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
      for (let part = parts.nextNode(); part; part = parts.nextNode()) {
        const text = part.nodeType === Node.TEXT_NODE, box = text ? part.parentElement : part;
        if (text ? !part.data.trim() : !part.matches("img, svg, canvas")) continue;
        if (box.closest(added)) continue;
        const answer = box.closest(".pgt-explore-answer");
        const caption = box.closest("figcaption")?.parentElement;
        if (!answer && (box.closest(".pgt-explore") || caption?.querySelector(".pgt-explore"))) continue;
        const what = text ? part.data.trim() : `<${part.localName}>`;
        if (!answer && !folded(box)) all.push(what);
        if (box.checkVisibility({ visibilityProperty: true })) seen.push(what);
      }
    }
    return { n, all, seen };
  });
}"""


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_tells_before_a_choice_and_all_can_be_read_after_it(book, visit, prediction_page, size):
    page = visit(book, prediction_page, size=size).page
    asked = page.evaluate(TELLING)
    assert asked
    assert [each["seen"] for each in asked] == [[] for _ in asked]
    for each in asked:
        question = page.locator(f"#prediction-{each['n']}")
        assert not page.locator(f"#reason-{each['n']}").is_visible()
        if (choices := question.locator("input[type=radio]")).count():
            choices.first.check()
        question.get_by_role("button").click()
        assert page.locator(f"#reason-{each['n']}").is_visible()
    told = page.evaluate(TELLING)
    assert [each["seen"] for each in told] == [each["all"] for each in asked]
    assert page.locator(".pgt-covered, .pgt-covered-note").count() == 0


def test_the_predictions_of_a_page_cover_checks_outputs_and_figures(book, visit):
    page = visit(book, "book/climbing.html").page
    covered = page.locator(".pgt-covered")
    for kind in (":is(details.pgt-check-cell)", ":has(img)", ":not(details):not(:has(img))"):
        assert page.locator(f".pgt-covered{kind}").count() > 0, kind
    assert covered.count() == page.locator(".pgt-covered-note").count()


def test_a_cell_that_the_reader_runs_is_covered_no_more(book, visit):
    page = visit(book, "book/climbing.html").page
    first = page.locator("article div.cell").filter(has=page.locator(".pgt-covered")).first
    cell = page.locator(f"#{first.get_attribute('id')}")
    others = page.locator(".pgt-covered").count() - cell.locator(".pgt-covered").count()
    state = """(element, state) => element.dispatchEvent(
      new CustomEvent("pgt-live:state", { bubbles: true, detail: { cell: { element, state } } }))"""
    for state_, covered in (("running", 1), ("failed", 1), ("done", 0)):
        cell.evaluate(state, state_)
        assert cell.locator(".pgt-covered, .pgt-covered-note").count() == 2 * covered, state_
    assert cell.locator(".cell_output").is_visible()
    assert page.locator(".pgt-covered").count() == others
    assert not page.locator("#reason-1").is_visible()


@pytest.mark.on("paper", pages="prediction_page")
def test_on_paper_nothing_is_covered(seen):
    for each in seen.page.evaluate(TELLING):
        assert [what for what in each["all"] if what not in each["seen"]] == []
    assert seen.page.locator(".pgt-reason").count() > 0
    assert all(reason.is_visible() for reason in seen.page.locator(".pgt-reason").all())
    assert not any(note.is_visible() for note in seen.page.locator(".pgt-covered-note").all())


def test_the_browsers_search_and_a_link_open_a_reason(book, visit):
    page = visit(book, "book/climbing.html").page
    assert page.locator("#reason-1").get_attribute("hidden") == "until-found"
    page.evaluate("location.hash = 'reason-1'")
    page.wait_for_function("document.getElementById('reason-1').checkVisibility()")


def test_without_scripts_nothing_is_covered_and_reasons_stand_at_the_end(book, browser, serve):
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{serve(book)}/book/climbing.html")
        assert page.locator(".pgt-predict-where").first.is_visible()
        assert page.locator("#reason-1").is_visible()
        assert page.locator("#prediction-1 li").count() == 3
        assert page.locator(".pgt-explore-answer").first.is_visible()
    finally:
        context.close()


@pytest.mark.on("paper", pages="explore_page")
def test_on_paper_the_answering_frame_stands_beside_the_first(seen):
    for root in seen.page.locator(".pgt-explore:has(> .pgt-explore-answer)").all():
        start, answer = (
            root.locator(f".pgt-explore-{part} svg").first.bounding_box() for part in ("figure", "answer")
        )
        assert abs(start["y"] - answer["y"]) < 2
        assert start["x"] + start["width"] <= answer["x"] + 1
