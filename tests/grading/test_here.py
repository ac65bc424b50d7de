"""Judging one's own answers in one process: points, messages, and what goes back and forth."""

from __future__ import annotations

import pytest

from pgtgrade.examination import examine_here, visible_here
from tests.grading import small


def test_the_instructors_solutions_get_all_points():
    assert examine_here({}, small.source()) == {"test-half": (1.0, None), "test-mass": (3.0, None)}
    assert visible_here({}, small.source()) == {"check-half": None, "check-mass": None}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "def half(x):\n    return 2 * x",
            "half: not right in a case that you do not see. Likely cause: x is doubled",
        ),
        ("def half(x):\n    pass", "half: expected an answer, got None"),
        ("def half(x):\n    raise KeyError('x')", "half: expected an answer, got KeyError$"),
        ("def half(x):\n    return {1, 2}", "half: expected an answer, got TypeError: half returns set"),
        ("def half(x):\n    return x.astype(str)", "half: expected numbers, got list"),
        ("def half(x):\n    return half", "half returns function; expected numbers"),
        ("def half(x, y):\n    return x / 2", "TypeError: half.. takes other arguments than it is given"),
        ("half = 3", "half: expected an answer, got TypeError$"),
        ("def halve(x):\n    return x / 2", "got NameError: no cell defines half"),
        ("def half(x)\n    return x / 2", "got NameError: no cell defines half"),
        (
            "from pgtlab import state_visitation\nhalf = state_visitation",
            "of pgtlab it calls what is not there when this set is graded",
        ),
    ],
)
def test_a_wrong_answer_costs_its_own_question(code, said):
    points = examine_here({"half": code}, small.source())
    assert points["test-half"][0] == 0
    assert points["test-mass"] == (3.0, None)
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(points["test-half"][1])


def test_a_hard_coded_answer_passes_what_is_visible_alone():
    answers = {"mass": "def mass(rho):\n    return 3.0"}
    assert visible_here(answers, small.source()) == {"check-half": None, "check-mass": None}
    assert examine_here(answers, small.source())["test-mass"][0] == 0


def test_what_is_not_there_is_there_again_afterwards():
    import pgtlab

    def place():
        return (
            pgtlab.state_visitation,
            pgtlab.exact.state_visitation,
            pgtlab.exact.visits.state_visitation,
        )

    before = place()
    answers = {"half": "import pgtlab\nout = pgtlab.state_visitation\ndef half(x):\n    out()"}
    points, said = examine_here(answers, small.source())["test-half"]
    assert (points, "is not there when this set is graded" in said) == (0.0, True)
    assert place() == before


def in_one(code, hidden):
    """Return what a hidden test says of an answer to the first question."""
    notebook = small.with_sources(small.source(), test_half=hidden)
    return examine_here({"half": code}, notebook)["test-half"]


def test_a_function_that_writes_into_its_argument_is_seen_to_do_so():
    writes = "def half(x):\n    x /= 2\n    return x"
    looks = "x = np.ones(3)\nassert (half({}) == 0.5).all()\nassert (x == 1).all(), 'x has changed'"
    assert in_one(writes, looks.format("x")) == (0.0, "x has changed")
    assert in_one(writes, looks.format("x=x")) == (0.0, "x has changed")
    assert in_one(writes, looks.format("x.copy()")) == (1.0, None)
    assert in_one("def half(x):\n    return x / 2", looks.format("x")) == (1.0, None)


def test_a_protected_array_stays_protected():
    protected = "x = np.ones(3)\nx.flags.writeable = False\nhalf(x)"
    points, said = in_one("def half(x):\n    x /= 2\n    return x", protected)
    assert (points, said) == (0.0, "ValueError")


def test_a_function_that_calls_for_more_than_is_there_ends_only_itself():
    points, said = in_one("import sys\ndef half(x):\n    sys.exit(3)", "half(1.0)")
    assert (points, said) == (0.0, "Exception")


def test_an_unknown_question_is_refused():
    with pytest.raises(ValueError) as error:
        examine_here({"haf": ""}, small.source())
    assert str(error.value) == "no solution cell is called haf; expected one of half, mass"
