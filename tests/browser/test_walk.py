"""The walk on the first page: what its buttons do, and the picture without scripts and on paper."""

import re

import pytest

PAGE = "book/intro.html"
STEP = r"Step (\d+): it went (right|left) and is at (\d) now. The return so far is \u2212(\d+)"


def says(page):
    return page.inner_text(".pgt-walk-says")


def press(page, name):
    page.get_by_role("button", name=name).click()


def test_a_walk_is_counted_step_by_step_to_the_goal(book, visit):
    page = visit(book, PAGE).page
    assert says(page) == "The walker stands at 0."
    at, steps = 0, 0
    while at != 3:
        press(page, "One step")
        steps += 1
        told = re.match(STEP, says(page))
        if told is None:
            break
        # In place 1 right leads left and left leads right.
        right = (told[2] == "right") != (at == 1)
        at = max(0, at + (1 if right else -1))
        assert told.groups()[2:] == (str(at), str(steps))
        assert int(told[1]) == steps
    assert at == 2
    ended = f"At the goal after {steps} steps: the return of this episode is \u2212{steps}. "
    assert says(page).startswith(ended)
    assert f"At p = 0.50: 1 episode, mean return \u2212{steps}.0." in says(page)


def test_a_walk_to_the_goal_arrives_by_itself(book, visit):
    page = visit(book, PAGE, reduced_motion="reduce").page
    press(page, "Walk to the goal")
    page.wait_for_function("document.querySelector('.pgt-walk-says').textContent.startsWith('At the goal')")
    assert page.locator(".pgt-dots circle").count() == 1


# The same walks each time: a small generator, linear congruential, in the place of the browser's.
SEEDED = """() => {
  let seed = 8;
  Math.random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}"""


@pytest.mark.parametrize("p", [0.3, 0.6])
def test_a_thousand_walks_take_as_many_steps_as_the_formula_says(book, visit, p):
    page = visit(book, PAGE).page
    page.evaluate(SEEDED)
    page.locator("#pgt-walk-p").fill(str(p))
    for _ in range(10):
        press(page, "Walk 100 times")
    told = re.fullmatch(rf"At p = {p:.2f}: 1000 episodes, mean return \u2212([\d.]+)\.", says(page))
    exact = 2 * (2 - p) / (p * (1 - p))
    # Seen from the goal the variance is below the square of the mean; five standard errors.
    assert abs(float(told[1]) - exact) < 5 * exact / 1000**0.5
    # The dot stands where the curve passes, as the words say.
    dot = page.locator(".pgt-dots circle")
    assert float(dot.get_attribute("cy")) == pytest.approx(10 + 3.4 * float(told[1]), abs=0.2)


def test_the_curve_is_hidden_until_it_is_asked_for(book, visit):
    page = visit(book, PAGE).page
    curve = page.locator(".pgt-truth polyline")
    assert not curve.is_visible()
    press(page, "Show the true curve")
    assert curve.is_visible()
    press(page, "Walk 100 times")
    press(page, "Hide the true curve")
    assert not curve.is_visible()
    press(page, "Clear the dots")
    assert page.locator(".pgt-dots circle").count() == 0


def test_without_scripts_the_walk_is_a_picture(book, visit):
    page = visit(book, PAGE, java_script_enabled=False).page
    assert page.locator(".pgt-corridor").is_visible()
    assert page.locator(".pgt-truth polyline").is_visible()
    assert not page.locator(".pgt-walk button").first.is_visible()


def test_on_paper_the_curve_stands_and_no_button(book, visit):
    page = visit(book, PAGE, media="print").page
    assert page.locator(".pgt-truth polyline").is_visible()
    assert not page.locator(".pgt-walk button").first.is_visible()
