"""Proving a set before it is given out: what is wrong with it is said, and slips in its answers fall."""

from __future__ import annotations

import pytest

from pgtgrade.__main__ import main
from pgtgrade.problem_sets import ProblemSet
from pgtgrade.proving import Slips, faults, published, slipped, slips
from tests.grading import small


def proved(**sources):
    return faults(ProblemSet("small", small.with_sources(small.source(), **sources), ""))


def test_a_sound_set_has_no_faults():
    assert proved() == []


WITHOUT = """\
### BEGIN HIDDEN TESTS
checks.answer(half, np.ones(3), shape=(3,), known=[0.5] * 3)
### END HIDDEN TESTS"""


@pytest.mark.parametrize(
    ("cell", "code", "said"),
    [
        ("half", small.HALF.replace("x / 2", "x / 3"), "check-half: half: entry [0] is 0.666667"),
        ("half", small.HALF.replace("x / 2", "1 + 0 * x"), "the source's own answer fails in test-half"),
        ("test_half", WITHOUT, "test-half, line 2: the check has no cause"),
        ("setup", "import nump", "the source fails in cell setup: ModuleNotFoundError"),
        ("half", "def half(x", "the source, cell half: "),
    ],
)
def test_each_fault_is_named(cell, code, said):
    found = proved(**{cell: code})
    assert [each for each in found if each.startswith(said)], found


def test_a_need_and_a_question_without_a_check_are_faults():
    source = small.source()
    source["metadata"]["pgtgrade"]["needs"] = ["chekcs"]
    assert faults(ProblemSet("small", source, "")) == [
        "the metadata: the set needs 'chekcs', which is no room of pgtlab; expected such as checks"
    ]
    source = small.source()
    source["cells"].remove(small.cell(source, "check-mass"))
    assert faults(ProblemSet("small", source, "")) == [
        "test-mass: no visible check stands between the answer and it"
    ]


def test_slips_fall_and_those_that_nothing_sees_are_named():
    assert [words for words, _ in slips("def f(x):\n    return x * 2 + 1")] == [
        "line 2: - for +",
        "line 2: / for *",
    ]
    source = small.with_sources(small.source(), half=small.HALF.replace("x / 2", "x / 2 + 0"))
    assert slipped(ProblemSet("small", source, "")) == Slips(1, [], [], ["half, line 4: - for +"])


def test_a_slip_that_falls_without_a_word_is_named():
    # Seen by the hidden test alone, which does not say why.
    hidden = "### BEGIN HIDDEN TESTS\nassert half(3.0) == 1.5, 'no'\n### END HIDDEN TESTS"
    source = small.with_sources(
        small.source(),
        half=small.HALF.replace("x / 2", "x / 2 * 1 - (x - 2) * 0.0 + 0"),
        check_half="checks.answer(half, np.array([0.0]), shape=(1,), known=[0.0])",
        test_half=hidden,
    )
    found = slipped(ProblemSet("small", source, ""))
    assert found.fallen >= 1
    assert "half, line 4: * for /: no" in found.silent


def test_release_refuses_a_set_that_is_not_sound_and_warns_while_solutions_are_published(tmp_path, capsys):
    small.stored(tmp_path / "book" / "exercises")
    options = ["--source", str(tmp_path / "book" / "exercises"), "--course", str(tmp_path / "course")]
    assert main(["release", "small", *options]) == 0
    assert "WARNING" not in capsys.readouterr().err
    for setting, warned in [("left out", False), ("dropdown   # folded", True)]:
        (tmp_path / "_config.yml").write_text(f"sphinx:\n  config:\n    problem_set_solutions: {setting}\n")
        assert published(tmp_path / "book" / "exercises") is warned
        assert main(["release", "small", *options]) == 0
        assert ("WARNING: the book is built with the solutions" in capsys.readouterr().err) is warned
    assert main(["check", "small", *options]) == 0
    assert capsys.readouterr().out == "small: its own answers pass, and 1 slips in them fall.\n"
    path = tmp_path / "book" / "exercises" / "small" / "small.ipynb"
    path.write_text(small.text(small.with_sources(small.source(), half=small.HALF.replace("x / 2", "x"))))
    assert main(["release", "small", *options]) == 2
    assert "small is not given out as it is:\ncheck-half: half: " in capsys.readouterr().err
    assert main(["check", "small", *options]) == 1
    assert capsys.readouterr().out.startswith("FAULT  check-half: half: ")
