"""Which tests run first after a change: those with the fewest imports between them and what changed."""

from math import inf
from types import SimpleNamespace

import pytest

from tests import reach

TESTS = reach.ROOT / "tests"
PACKAGE = reach.ROOT / "pgtlab"


def passed(path, changed=()):
    """What a test file passed with, were the files `changed` other than they are."""
    return reach.state(path) | {file.relative_to(reach.ROOT).as_posix(): "another" for file in changed}


def test_a_file_reaches_what_it_imports_and_what_that_imports():
    steps = reach.reached(TESTS / "test_exact_stationary.py")
    assert steps[TESTS / "test_exact_stationary.py"] == 0
    assert steps[PACKAGE / "exact" / "stationary.py"] == 1
    assert steps[PACKAGE / "exact" / "finite_chain.py"] >= 2
    assert PACKAGE / "letters" / "proof.py" not in reach.reached(TESTS / "test_validate.py")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("pgtlab.policy_gradient", "pgtlab/exact/gradients.py"),
        ("pgtlab.rollout", "pgtlab/rollouts/sampling.py"),
        ("pgtlab.gallery.two_states", "pgtlab/gallery.py"),
        ("tests.problems.exactly", "tests/problems.py"),
        ("pgtlab", "pgtlab/__init__.py"),
        ("numpy.linalg", None),
    ],
)
def test_a_name_leads_to_its_file(name, file):
    assert reach.home(name) == (file and reach.ROOT / file)


def test_the_nearest_change_counts():
    tests, rooms = (
        TESTS / "test_exact_stationary.py",
        [PACKAGE / "exact" / "stationary.py", PACKAGE / "exact" / "finite_chain.py"],
    )
    assert reach.nearness(tests, passed(tests, rooms)) == 1
    assert 1 < reach.nearness(tests, passed(tests, rooms[1:])) < inf
    assert reach.nearness(tests, passed(tests, [tests])) == 0


def test_what_cannot_be_reached_is_no_reason_to_run_first():
    validate = TESTS / "test_validate.py"
    assert reach.nearness(validate, passed(validate, [PACKAGE / "letters" / "proof.py"])) == inf
    assert reach.nearness(validate, passed(validate)) == inf
    assert reach.nearness(validate, None) == inf


def test_after_a_change_its_tests_run_first():
    names = ["test_validate.py", "test_exact_gradients.py", "test_exact_stationary.py"]
    items = [SimpleNamespace(path=TESTS / name) for name in [*names, "data.ipynb"]]
    passed_with = {
        f"tests/{name}": passed(TESTS / name, [PACKAGE / "exact" / "stationary.py"]) for name in names
    }
    for known in (passed_with, {}):  # where nothing is known, all stay where they are
        reach.sort(items, known)
        assert [item.path.name for item in items] == [names[2], *names[:2], "data.ipynb"]
