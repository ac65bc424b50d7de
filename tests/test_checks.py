"""`checks`: what passes, what does not, and the words in which it is said."""

import numpy as np
import pytest

from pgtlab import checks


def test_sides_that_agree_are_printed_with_the_bound(capsys):
    checks.agree(by_hand=1.0, by_solving=1.0 + 1e-12, within=1e-10)
    assert capsys.readouterr().out == "by hand     1\nby solving  1\nagree within 1e-10\n"


def test_a_difference_is_reported_with_place_values_and_cause():
    with pytest.raises(AssertionError) as failure:
        checks.agree(left=[[1.0, 2.0]], right=[[1.0, 2.5]], cause="a transpose")
    assert str(failure.value) == (
        "left[0, 1] is 2 but right[0, 1] is 2.5: they differ by 0.5, more than 1e-10. "
        "Likely cause: a transpose"
    )


@pytest.mark.parametrize("gap", [1.01e-10, -1.01e-10, np.nan, np.inf, -np.inf])
def test_anything_beyond_the_bound_fails(gap):
    with pytest.raises(AssertionError, match=r"^left is 0 but right is"):
        checks.agree(left=0.0, right=gap, within=1e-10)


def test_the_bound_itself_passes(capsys):
    checks.agree(left=0.0, right=0.5, within=0.5)
    assert "agree within 0.5" in capsys.readouterr().out


def test_the_third_side_is_compared_too():
    with pytest.raises(AssertionError, match="a is 1 but c is 2"):
        checks.agree(a=1.0, b=1.0, c=2.0)


def test_the_largest_difference_is_the_one_that_is_reported():
    with pytest.raises(AssertionError, match=r"^a\[2\] is 0 but b\[2\] is -3: they differ by 3, more than"):
        checks.agree(a=[0.0, 0.0, 0.0], b=[0.0, 1.0, -3.0])


def test_shapes_must_be_the_same():
    with pytest.raises(AssertionError, match=r"a has shape \(2,\) but b has shape \(2, 1\)"):
        checks.agree(a=[1.0, 1.0], b=[[1.0], [1.0]])


def test_nan_agrees_with_nan_and_infinity_with_infinity(capsys):
    checks.agree(a=[np.nan, np.inf], b=[np.nan, np.inf])
    assert "agree" in capsys.readouterr().out


def test_rounding_errors_and_the_sign_of_zero_do_not_show(capsys):
    checks.agree(a=[-1e-17, 0.1 + 0.2], b=[1e-17, 0.3])
    assert capsys.readouterr().out == "a  [0, 0.3]\nb  [0, 0.3]\nagree within 1e-10\n"


def test_a_coarse_bound_still_shows_the_digits_it_rests_on(capsys):
    checks.agree(played=-12.36, exact=-12.0, within=1.0786)
    assert capsys.readouterr().out == "played  -12.4\nexact   -12\nagree within 1.08\n"


@pytest.mark.parametrize("within", [0.0, -1.0])
def test_a_bound_must_be_above_zero(within):
    with pytest.raises(ValueError, match="within is .*; expected a number above 0"):
        checks.agree(a=1.0, b=1.0, within=within)


def test_one_side_is_no_claim():
    with pytest.raises(ValueError, match="agree takes two sides or more, got 1"):
        checks.agree(a=1.0)


def test_a_check_that_must_fail_is_caught_and_printed(capsys):
    with checks.caught():
        checks.agree(a=1.0, b=2.0)
    assert capsys.readouterr().out == "caught: a is 1 but b is 2: they differ by 1, more than 1e-10\n"


def test_a_check_that_should_have_failed_but_passed_is_an_error():
    with pytest.raises(AssertionError, match="the check passed; expected it to fail"), checks.caught():
        checks.agree(a=1.0, b=1.0)


def test_other_errors_are_not_caught():
    with pytest.raises(ZeroDivisionError), checks.caught():
        raise ZeroDivisionError
