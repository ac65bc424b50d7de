"""What `checks.answer` and `checks.sampled_answer` say, step by step, and that each step can fail."""

import re
from fractions import Fraction

import numpy as np
import pytest

from pgtlab import checks

NAN = np.nan
RHO = np.array([6.0, 4.0, 2.0])  # visits of the short corridor at p = 1/2, by hand: known-answer of chapter 2


def rho(*_):
    return RHO.copy()


def returning(value):
    def visits(*_):
        return value

    return visits


def message(function, *arguments, **expected):
    with pytest.raises(AssertionError) as caught:
        checks.answer(function, *arguments, **expected)
    return str(caught.value)


def test_a_right_answer_is_told_step_by_step(capsys):
    checks.answer(
        rho,
        shape=(3,),
        axes="one entry a state",
        structure={"no visit is negative": lambda r: r >= 0},
        known=RHO,
    )
    assert capsys.readouterr().out.splitlines() == [
        "rho: shape (3,), one entry a state",
        "rho: no visit is negative",
        "rho: right where the answer is known",
    ]


def test_a_function_not_yet_written_is_no_error_of_another_kind():
    def visits():
        raise NotImplementedError()

    assert message(visits) == (
        "visits: not written yet. Put your code in the place of `raise NotImplementedError()`"
    )


def test_nothing_returned():
    assert message(returning(None)) == (
        "visits: expected an answer, got None. Likely cause: the function has no `return`"
    )


def test_an_error_is_shown_with_its_line():
    def visits(P):
        return np.linalg.solve(P, np.ones(3))

    text = message(visits, np.zeros((3, 3)), shape=(3,))
    assert text.startswith(
        "visits: expected an answer, got LinAlgError: Singular matrix. Likely cause: line "
    )
    assert text.endswith("of the cell or file, `return np.linalg.solve(P, np.ones(3))`")


@pytest.mark.parametrize(
    ("value", "shape", "said"),
    [
        (np.ones((3, 2)), (3,), "a sum or a mean over an axis is missing"),
        (12.0, (3,), "a sum runs over an axis too many, or over the wrong one"),
        (np.ones((2, 3)), (3, 2), "two axes are swapped"),
        (np.ones(2), (3,), "an entry too few, or a sum over the wrong axis"),
        (np.ones((3, 5)), (3, 4), "an entry too many, or a sum over the wrong axis"),
        (np.ones((3, 2)), (4, 3), "a sum runs over the wrong axis, or a size is fixed in the code"),
        ([[1.0], [1.0, 2.0]], (2, 1), "something other than the result is given, rows of different"),
        (
            np.array([1.0, np.nan, 2.0]),
            (3,),
            "a division by 0, the logarithm of 0, or an exponential that is too large",
        ),
        ("12", (), "something other than the result is given"),
        (
            np.ones(3) + 1j,
            (3,),
            "something other than the result is given, rows of different lengths, or com",
        ),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), (2,), "something other than the result is given"),
    ],
)
def test_shapes_and_numbers_have_their_causes(value, shape, said):
    assert f"Likely cause: {said}" in message(returning(value), shape=shape)


def test_fractions_are_numbers(capsys):
    checks.answer(returning([Fraction(1, 2), 1]), shape=(2,), known=[0.5, 1])
    assert capsys.readouterr().out.endswith("right where the answer is known\n")


def test_structure_comes_before_the_known_case_and_has_a_cause_of_its_own():
    bad = {"each row sums to 1": (lambda P: np.isclose(P.sum(axis=1), 1), "the sum runs over states")}
    text = message(returning([[1.0, 1.0]]), shape=(1, 2), structure=bad, known=[[0.5, 0.5]], cause="general")
    assert text == (
        "visits: it should be that each row sums to 1; got [[1., 1.]]. Likely cause: the sum runs over states"
    )
    good = {"each row sums to 1": lambda P: np.isclose(P.sum(axis=1), 1)}
    assert message(returning([[1.0, 1.0]]), shape=(1, 2), structure=good, cause="general").endswith("general")


def test_the_right_answer_is_not_shown():
    text = message(returning([6.0, 7.5, 2.0]), shape=(3,), known=RHO)
    assert text == (
        "visits: entry [1] is 7.5, which is not right within 1e-08. "
        "Likely cause: the formula; work out this entry by hand"
    )
    assert not re.search(r"\b4\b", text)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([5.0, 3.0, 1.0], "the last step is missing"),
        (-RHO, "the sign"),
        (0.1 * RHO, "a factor: all entries are 0.1 times what they should be"),
        (RHO + 1, "the author's general cause"),
    ],
)
def test_mistakes_are_recognised(value, said):
    mistakes = {"something else": [0.0, 0.0, 0.0], "the last step is missing": [5.0, 3.0, 1.0]}
    text = message(
        returning(value), shape=(3,), known=RHO, mistakes=mistakes, cause="the author's general cause"
    )
    assert text.endswith(f"Likely cause: {said}")


def test_a_mistake_of_another_shape_is_recognised():
    mistakes = {"the mass, not the visits": 12.0, "another": [1.0]}
    assert message(returning(12.0), shape=(3,), known=RHO, mistakes=mistakes) == (
        "visits: expected shape (3,), got one number. Likely cause: the mass, not the visits"
    )
    assert message(returning(11.0), shape=(3,), known=RHO, mistakes=mistakes).endswith("over the wrong one")


def test_what_is_zero_up_to_rounding_is_shown_as_zero():
    for value in (1e-17, -0.0):
        assert "entry [0] is 0, which" in message(returning([value, 4.0, 2.0]), shape=(3,), known=RHO)


def test_a_transposed_matrix_is_recognised():
    P = np.array([[0.2, 0.8], [0.5, 0.5]])
    assert message(returning(P.T), shape=(2, 2), known=P).endswith(
        "Likely cause: rows and columns are swapped"
    )


def test_where_all_is_zero_no_factor_is_named():
    assert message(returning([0.0, 0.0]), shape=(2,), known=[0.0, 1.0]).endswith(
        "work out this entry by hand"
    )
    assert message(returning([1.0, 0.0]), shape=(2,), known=[0.0, 0.0]).endswith(
        "work out this entry by hand"
    )


def test_single_precision_is_named_as_such():
    # 1/3 has 24 binary digits in single precision: it is off by a third of 2^-25, 1e-8.
    third = np.array([1 / 3, 2 / 3, 1.0])
    assert np.abs(third - third.astype(np.float32)).max() > 5e-9
    said = message(returning(third.astype(np.float32)), shape=(3,), known=third)
    assert "expected double precision (float64), got float32, of about 6 digits" in said
    said = message(returning([np.float16(1)]), shape=(1,), known=[1.0])
    assert "got float16" in said
    said = message(returning(third.astype(np.float32).astype(float)), shape=(3,), known=third, within=1e-10)
    assert "Likely cause: single precision, of about 7 digits; work in float64" in said
    # Far from the right answer it is something else, whatever the digits.
    said = message(returning(np.array([0.25, 0.5, 0.75])), shape=(3,), known=third)
    assert "single precision" not in said


def test_an_answer_that_is_close_shows_more_digits_and_no_factor():
    near = RHO * (1 + 1e-7 / 3)
    said = message(returning(near), shape=(3,), known=RHO)
    assert "entry [0] is 6.0000002, which is not right within 1e-08 (about 7 digits are)" in said
    assert "Likely cause: its accuracy: a sum that stops early" in said
    # Nearly orthogonal to the right answer: the factor would be -1e-5.
    said = message(returning([2e-5, -1e-5, -1e-4]), shape=(3,), known=RHO, within=1e-3)
    assert "times what they should be" not in said


def test_of_a_case_that_is_not_seen_no_number_is_told():
    wrong = {
        "known": (
            {"known": RHO},
            "visits: not right in a case that you do not see. Likely cause: the",
        ),
        "structure": (
            {"structure": {"it sums to 3": lambda r: r.sum() == 3}},
            "visits: it should be that it sums",
        ),
    }
    for expected, said in wrong.values():
        with pytest.raises(AssertionError) as caught:
            checks.answer(returning(RHO + 0.8125), shape=(3,), **expected)
        assert ".8125" in str(caught.value)
        assert caught.value.unseen.startswith(said)
        assert "8125" not in caught.value.unseen
    with pytest.raises(AssertionError) as caught:
        checks.sampled_answer(
            returning(RHO[0] + 0.8125), mean=6.0, n_samples=3, cause="a weight", rng=np.random.default_rng(0)
        )
    assert caught.value.unseen == (
        "visits: not right on average in a case that you do not see. Likely cause: a weight"
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        # the factor is 1 - gamma, and so tells gamma
        (0.1 * RHO, "not right {}. Likely cause: a factor: all entries are the same multiple of what they"),
        (RHO * (1 + 1e-7 / 3), "not right (the first digits are) {}. Likely cause: its accuracy"),
        (RHO.astype(np.float32), "expected double precision, got less. Likely cause: the dtype of an array"),
        (-RHO, "not right {}. Likely cause: the sign"),
        (RHO[:2], "expected one for each state, got something else {}. Likely cause: an entry too few"),
        (RHO[:, None], "expected one for each state, got something else {}. Likely cause: a sum or a mean"),
        ([1.0, np.inf, 2.0], "expected finite numbers, got others {}. Likely cause: a division by zero"),
        ([[1.0], 2.0, 3.0], "expected numbers, got list. Likely cause: something other than the result"),
        (RHO + 1, "not right {}. Likely cause: the formula"),
    ],
)
def test_whatever_is_wrong_in_a_case_that_is_not_seen_no_digit_is_told(value, told):
    with pytest.raises(AssertionError) as caught:
        checks.answer(returning(value), shape=(3,), known=RHO, axes="one for each state")
    assert caught.value.unseen.startswith(f"visits: {told.format('in a case that you do not see')}")
    assert not re.search(r"\d", caught.value.unseen)
    with pytest.raises(AssertionError) as caught:
        checks.answer(returning(np.float32(1 / 3).astype(float)), known=1 / 3, within=1e-10)
    assert caught.value.unseen.endswith("Likely cause: single precision; work in double")
    with pytest.raises(AssertionError) as caught:
        checks.answer(returning([1.0]), shape=(3,), known=RHO)
    assert caught.value.unseen.startswith("visits: expected another shape, got something else in a case")


def test_of_an_error_only_what_was_passed_on_is_told_in_a_case_that_is_not_seen():
    def sized():
        return np.ones(2) @ np.ones(24)

    def told():
        error = TimeoutError("no end within 5 s")
        error.passed_on = True
        raise error

    with pytest.raises(AssertionError, match="size 24") as caught:
        checks.answer(sized, known=1.0)
    assert caught.value.unseen.startswith("sized: expected an answer, got ValueError. Likely cause: line ")
    with pytest.raises(AssertionError, match="no end within 5 s") as caught:
        checks.answer(told, known=1.0)
    assert "got TimeoutError: no end within 5 s" in caught.value.unseen


def test_an_error_without_a_text_leaves_no_colon():
    def visits():
        raise ValueError

    said = message(visits, known=1.0)
    assert said.startswith("visits: expected an answer, got ValueError. Likely cause: line ")


def test_arguments_are_handed_over_as_copies():
    def visits(P):
        P[:] = 0.0
        return P.sum()

    P = np.ones((2, 2))
    checks.answer(visits, P, known=0.0)
    assert P.sum() == 4.0


def test_slopes_are_differences():
    at = np.array([0.3, -1.0])

    def gradient(theta):
        return np.array([np.cos(theta[0]), 2 * theta[1]])

    def objective(theta):
        return np.sin(theta[0]) + theta[1] ** 2

    checks.answer(gradient, at, shape=(2,), slope_of=objective, at=at)
    wrong = returning(gradient(at) * 1.00001)
    assert "not right within 2e-06" in message(wrong, shape=(2,), slope_of=objective, at=at)


def coin(p, rng):
    return float(rng.random() < p)


def test_a_sampled_answer_is_right_on_average(capsys):
    checks.sampled_answer(coin, 0.3, mean=0.3, rng=np.random.default_rng(1))
    assert capsys.readouterr().out == "coin: right on average over 400 samples\n"


def test_a_biased_sampler_is_caught_and_its_mistake_recognised():
    with pytest.raises(AssertionError, match=r"Likely cause: p and 1 - p are swapped$") as caught:
        checks.sampled_answer(
            coin, 0.3, mean=0.7, mistakes={"p and 1 - p are swapped": 0.3}, rng=np.random.default_rng(1)
        )
    assert str(caught.value).startswith("coin: the mean of 400 samples of the answer is 0.")
    with pytest.raises(AssertionError, match="a weight or a time index"):
        checks.sampled_answer(coin, 0.3, mean=0.6, rng=np.random.default_rng(1))


def test_a_sampler_without_chance_must_be_exact():
    checks.sampled_answer(lambda rng: 1.0, mean=1.0, n_samples=2, rng=np.random.default_rng(1))
    with pytest.raises(AssertionError, match="standard error 0"):
        checks.sampled_answer(lambda rng: 1.0, mean=1.1, n_samples=2, rng=np.random.default_rng(1))


def test_a_notebook_shows_the_sentence_alone():
    with pytest.raises(AssertionError) as caught:
        checks.answer(returning(None))
    shown = caught.value._render_traceback_()
    assert " ".join(shown) == f"Not right yet. {caught.value}"
    assert max(map(len, shown)) <= 76


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: checks.answer(3), "function must be a function, got int"),
        (lambda: checks.answer(rho, shape=(3,), known=[1.0]), r"known has shape \(1,\); expected \(3,\)"),
        (lambda: checks.answer(rho, shape=(3,), slope_of=sum), "slope_of and at go together"),
        (lambda: checks.answer(rho, shape=(3,), slope_of=sum, at=[1.0]), r"at has shape \(1,\); expected"),
        (lambda: checks.sampled_answer(coin, 0.3, mean=0.3, rng=1), "rng must be a numpy.random.Generator"),
        (
            lambda: checks.sampled_answer(coin, 0.3, mean=0.3, n_samples=1, rng=np.random.default_rng(1)),
            "n_samples is 1; expected an integer of at least 2",
        ),
        (
            lambda: checks.sampled_answer(
                coin, 0.3, mean=0.3, n_samples=10**15, rng=np.random.default_rng(1)
            ),
            "n_samples is 1000000000000000; expected an integer of at most 1000000",
        ),
        # What could not fail:
        (
            lambda: checks.answer(rho, shape=(3,), known=[6, NAN, 2]),
            r"^known\[1\] is nan; expected a finite number$",
        ),
        (lambda: checks.answer(rho, shape=(3,), known=np.inf), r"^known has shape \(\); expected \(3,\)"),
        (
            lambda: checks.answer(rho, shape=(3,), known=RHO, within=NAN),
            "^within is nan; expected a finite number$",
        ),
        (
            lambda: checks.answer(rho, shape=(3,), known=RHO, within=np.inf),
            "^within is inf; expected a finite num",
        ),
        (
            lambda: checks.answer(rho, shape=(3,), known=RHO, within=-1),
            "^within is -1; expected a number of at le",
        ),
        (
            lambda: checks.answer(returning([1.0]), shape=(1,), slope_of=lambda x: NAN, at=[1.0]),
            r"^the slope of slope_of at \[0\] is nan; expected a finite number$",
        ),
        (
            lambda: checks.answer(returning([1.0]), shape=(1,), slope_of=sum, at=[NAN]),
            r"^at\[0\] is nan; expected",
        ),
        (
            lambda: checks.sampled_answer(coin, 0.3, mean=NAN, rng=np.random.default_rng(1)),
            "^mean is nan; expected a finite number$",
        ),
        (
            lambda: checks.sampled_answer(coin, 0.3, mean=0.3, false_alarm=-1, rng=np.random.default_rng(1)),
            r"^false_alarm is -1; expected a number above 1e-100 and below 0\.5$",
        ),
        (
            lambda: checks.sampled_answer(coin, 0.3, mean=0.3, false_alarm=NAN, rng=np.random.default_rng(1)),
            "^false_alarm is nan; expected a finite number$",
        ),
    ],
)
def test_a_check_called_wrongly_says_so(call, error):
    with pytest.raises((TypeError, ValueError), match=error):
        call()


# --- numbers that are written down ---


def told(value, **expected):
    with pytest.raises(checks.WrongAnswer) as caught:
        checks.entered(J=value, **expected)
    return str(caught.value)


@pytest.mark.parametrize("value", [-2 / 3, -0.667, Fraction(-2, 3), np.array(-0.6666)])
def test_three_digits_of_a_number_are_enough(value, capsys):
    checks.entered(J=value, known=-2 / 3)
    assert capsys.readouterr().out == "J: right\n"


def test_with_a_bound_of_ones_own_fewer_digits_are():
    checks.entered(J=0.019, known=3 / 160, within=1e-3)
    assert "not right within 0.0001" in told(0.019, known=3 / 160, within=1e-4)
    assert "not right to three digits" in told(0.019, known=3 / 160)
    with pytest.raises(ValueError, match="within"):
        checks.entered(J=0.0, known=0.0, within=-1.0)


@pytest.mark.parametrize("value", [..., [...], [1.0, ...], ([1.0], (2.0, ...))])
def test_what_is_not_written_yet_is_told(value):
    assert told(value, known=[1.0, 2.0]) == "J: not written yet. Put your answer in the place of `...`"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "expected an answer, got None. Likely cause: what `print` gives"),
        ([1.0, None], "expected numbers of shape (2,), got list"),
        ("1, 2", "expected numbers of shape (2,), got str"),
        (rho, "expected numbers of shape (2,), got function"),
        ([1.0, NAN], "expected finite numbers, got nan at [1]"),
        (1.0, "expected shape (2,), got one number"),
        ([[1.0, 2.0]], "expected shape (2,), got shape (1, 2)"),
        ([1.0, 2.1], "entry [1] is 2.1, which is not right to three digits"),
        ([-1.0, -2.0], "Likely cause: the sign"),
        ([2.0, 4.0], "Likely cause: a factor: all entries are 2 times"),
        ([2.0, 1.0], "Likely cause: the order"),
        ([1.0], "Likely cause: one of two"),
    ],
)
def test_what_is_no_right_answer_is_told(value, words):
    assert words in told(value, known=[1.0, 2.0], mistakes={"the order": [2.0, 1.0], "one of two": [1.0]})


def test_no_message_on_numbers_shows_the_right_ones():
    assert "0.0583" not in told(0.0, known=11.66)  # three digits of it


def test_one_answer_by_its_name_is_checked_against_numbers():
    with pytest.raises(TypeError, match="^entered takes one answer by its name, got 2; write"):
        checks.entered(J=1.0, V=2.0, known=1.0)
    with pytest.raises(ValueError, match="^known"):
        checks.entered(J=1.0, known=NAN)
