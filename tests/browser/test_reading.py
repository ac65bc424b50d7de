"""A chapter as it is read: how long it is, how checks fold, and predictions that are played."""

import pytest

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
