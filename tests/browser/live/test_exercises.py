"""Exercises that are tried on the page, as a reader does: Python in the browser, each on its page anew."""

import re
import textwrap

import pytest

from tests.test_chapter_exercises import EXERCISES, WRONG, right


def tried(page, exercise, answer):
    """Write an answer into the cell, run it, and return what the check says, in one line."""
    check = page.locator(f"#cell-{exercise.removesuffix('-try')}-check .pgt-live-output")
    if check.count():
        check.evaluate("each => { each.dataset.old = true; }")
    page.locator(f"#cell-{exercise} .pgt-edit").click()
    page.locator(f"#cell-{exercise} textarea").wait_for()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(answer)
    page.keyboard.press("Shift+Enter")
    fresh = page.locator(f"#cell-{exercise.removesuffix('-try')}-check .pgt-live-output:not([data-old])")
    fresh.get_by_text(re.compile(r"Right\.|Not right yet\.")).wait_for()
    return re.sub(r"\s+", " ", fresh.inner_text())


# One of each form: a function, one that draws, numbers, a check of two steps. All run without a browser, too.
FORMS = ("avg-difference-try", "count-visits-try", "by-hand-walk-try", "conservative-try")


@pytest.mark.parametrize("exercise", FORMS)
def test_an_answer_is_told_whether_it_is_right(live, exercise):
    page = live(EXERCISES[exercise][0].stem)
    wrong = [(words, textwrap.dedent(answer)) for words, answer in WRONG[exercise].items() if answer][:2]
    for words, answer in wrong:
        said = tried(page, exercise, answer)
        assert words in said
        assert "Not right yet." in said
    assert tried(page, exercise, right(exercise)[0]).rstrip().endswith("Right.")
    assert page.errors == page.outside == []


def test_a_solution_runs_while_the_answer_is_no_python(live):
    page = live("own")
    page.locator("#cell-own-floor-try .pgt-edit").click()
    page.locator("#cell-own-floor-try textarea").wait_for()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("def floor_score(:")
    assert page.evaluate("pgtLive.run(pgtLive.cell('b7f00af9'))")["ok"]
