"""The check of an exercise in a chapter: what it finds is printed, and the notebook goes on."""

import pytest

from pgtlab import checks


def triple(x):
    return 3 * x


def test_a_right_answer_is_said_to_be_right(capsys):
    with checks.attempt():
        checks.answer(triple, 2.0, known=6.0)
    assert capsys.readouterr().out.splitlines()[-1] == "Right."


def test_a_wrong_answer_is_printed_with_its_cause(capsys):
    with checks.attempt():
        checks.answer(triple, 2.0, known=4.0, mistakes={"thrice in place of twice": 6.0})
    printed = " ".join(capsys.readouterr().out.split())
    assert printed == (
        "triple: one number Not right yet. triple: the answer is 6, which is not right within 1e-08. "
        "Likely cause: thrice in place of twice"
    )


def test_a_check_that_cannot_run_is_an_error():
    with pytest.raises(TypeError, match="^slope_of and at go together"), checks.attempt():
        checks.answer(triple, 2.0, slope_of=triple)


def test_an_answer_without_its_name_is_told(capsys):
    with checks.attempt():
        checks.entered(J=J_of_nobody, known=6.0)  # noqa: F821
    printed = " ".join(capsys.readouterr().out.split())
    assert printed == (
        "Not right yet. J_of_nobody: expected an answer of this name in the cell above, got none"
    )
