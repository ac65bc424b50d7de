"""The checks on what callers pass in: what they let through, and the words of every error."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal

from pgtlab import _validate
from tests.problems import exactly

finite = st.floats(allow_nan=False, allow_infinity=False)


# --- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.array(2.0), True + True])
def test_a_number_of_any_make_becomes_a_float(value):
    result = _validate.number("x", value)
    assert type(result) is float
    assert result == 2.0


@pytest.mark.parametrize(
    ("value", "kind"),
    [("two", "str"), ("2", "str"), (None, "None"), ([1, 2], "list"), ([1, [2]], "list"), (1j, "complex")],
)
def test_what_is_no_number_is_a_type_error_that_says_what_it_is(value, kind):
    with pytest.raises(TypeError, match=f"^x must be a number, got {kind}$"):
        _validate.number("x", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_must_be_finite(value):
    with pytest.raises(ValueError, match=f"^x is {value}; expected a finite number$"):
        _validate.number("x", value)


def test_at_least_zero_lets_zero_through_and_nothing_below():
    assert _validate.at_least_zero("x", 0) == 0.0
    with pytest.raises(ValueError, match=r"^x is -1e-300; expected a number of at least 0$"):
        _validate.at_least_zero("x", -1e-300)


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_a_discount_may_be_anything_from_0_to_1(value):
    assert _validate.discount(value) == value


@pytest.mark.parametrize("value", [-0.1, 1.0001])
def test_a_discount_outside_0_to_1_is_refused(value):
    with pytest.raises(ValueError, match=rf"^discount is {value:g}; expected a number in \[0, 1\]$"):
        _validate.discount(value)


def test_a_count_is_an_int_of_at_least_its_minimum():
    assert _validate.count("n", np.int64(3)) == 3
    assert _validate.count("n", 1, minimum=1) == 1
    assert _validate.count("n", 0) == 0
    with pytest.raises(ValueError, match=r"^n is 0; expected an integer of at least 1$"):
        _validate.count("n", 0, minimum=1)
    with pytest.raises(ValueError, match=r"^n is -1; expected an integer of at least 0$"):
        _validate.count("n", -1)


@pytest.mark.parametrize(("value", "kind"), [(3.0, "float"), ("3", "str"), (None, "None")])
def test_a_count_that_is_no_integer_is_a_type_error(value, kind):
    with pytest.raises(TypeError, match=f"^n must be an integer, got {kind}$"):
        _validate.count("n", value)


# --- arrays ----------------------------------------------------------------------------------------


@given(arrays(np.float64, array_shapes(max_dims=4, max_side=4), elements=finite))
def test_an_array_is_a_read_only_copy(values):
    result = _validate.array("x", values, "(...,)")
    assert_array_equal(result, values)
    assert result.dtype == np.float64
    assert not result.flags.writeable
    assert not np.shares_memory(result, values)


def test_an_array_of_integers_becomes_floats():
    assert _validate.array("x", [[1, 2]], "(A, B)").dtype == np.float64


@pytest.mark.parametrize(("shape", "axes"), [((2,), "(S, A)"), ((2, 2, 2), "(S, A)"), ((), "(..., K)")])
def test_a_wrong_number_of_axes_is_named_with_the_shape_expected(shape, axes):
    with pytest.raises(ValueError, match=exactly(f"x has shape {shape}; expected {axes}")):
        _validate.array("x", np.zeros(shape), axes)


def test_one_letter_has_one_size():
    with pytest.raises(
        ValueError, match=r"^x has shape \(2, 3, 4\); expected \(S, A, S\), each letter of one"
    ):
        _validate.array("x", np.zeros((2, 3, 4)), "(S, A, S)")


@pytest.mark.parametrize(("shape", "axes"), [((0, 3), "(S, A)"), ((0, 3), "(..., K)"), ((3, 0), "(..., K)")])
def test_no_axis_may_be_empty(shape, axes):
    with pytest.raises(ValueError, match=exactly(f"x has shape {shape}; expected {axes} with no empty axis")):
        _validate.array("x", np.zeros(shape), axes)


def test_fractions_and_wider_types_are_numbers():
    assert_array_equal(_validate.array("x", [Fraction(1, 4), Decimal("0.5")], "(S,)"), [0.25, 0.5])
    assert_array_equal(_validate.array("x", np.array([0.5], np.longdouble), "(S,)"), [0.5])
    with pytest.raises(ValueError, match=r"^x\[0\] is inf; expected a finite number$"):
        _validate.array("x", np.array([10], np.longdouble) ** 400, "(S,)")


def test_leading_axes_are_free():
    assert _validate.array("x", np.zeros((4, 2, 3)), "(..., K)").shape == (4, 2, 3)
    assert _validate.array("x", np.zeros(3), "(..., K)").shape == (3,)
    assert _validate.array("x", 1.0, "(...,)").shape == ()


@pytest.mark.parametrize("value", [[[1, 2], [3]], ["a"], None, [1j], object()])
def test_what_is_no_array_of_numbers_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"^x must be an array of numbers of shape \(S,\): "):
        _validate.array("x", value, "(S,)")


@given(
    arrays(np.float64, array_shapes(max_dims=3, max_side=3), elements=st.floats(-1, 1)),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.data(),
)
def test_the_first_entry_that_is_not_finite_is_named(values, bad, data):
    at = tuple(data.draw(st.integers(0, size - 1)) for size in values.shape)
    values[at] = bad
    with pytest.raises(
        ValueError, match=exactly(f"x[{', '.join(map(str, at))}] is {bad}; expected a finite number")
    ):
        _validate.finite("x", values)


def test_two_infinities_do_not_cancel():
    with pytest.raises(ValueError, match=r"^x\[1\] is inf"):
        _validate.finite("x", np.array([0.0, np.inf, -np.inf]))


def test_finite_numbers_whose_sum_overflows_are_still_finite():
    _validate.finite("x", np.full(3, 1e308))


def test_a_shape_is_compared_with_the_reason_why():
    _validate.shape("x", np.zeros((2, 3)), (2, 3), "to fit")
    with pytest.raises(ValueError, match=r"^x has shape \(3, 2\); expected \(2, 3\) to fit$"):
        _validate.shape("x", np.zeros((3, 2)), (2, 3), "to fit")


# --- probabilities ---------------------------------------------------------------------------------


def test_a_negative_probability_is_named():
    _validate.not_negative("p", np.zeros(2))
    _validate.not_negative("p", np.zeros(0))
    with pytest.raises(ValueError, match=r"^p\[1, 0\] is -0\.25; expected a probability of at least 0$"):
        _validate.not_negative("p", np.array([[0.0, 1.0], [-0.25, -1.0]]))


@pytest.mark.parametrize("total", [0.9, 1.1, 1 + 2e-10, 1 - 2e-10])
def test_a_distribution_sums_to_1(total):
    with pytest.raises(ValueError, match=f"^p sums to {total:.12g}; expected 1 within 1e-10$"):
        _validate.distribution("p", np.array([0.5, total - 0.5]))


def test_a_distribution_may_be_rounded_and_may_not_be_negative():
    rounded = _validate.distribution("p", np.array([0.5, 0.5 + 0.9e-10]))
    assert abs(rounded.sum() - 1) < 3e-16
    assert not rounded.flags.writeable
    with pytest.raises(ValueError, match=r"^p\[0\] is -0\.5"):
        _validate.distribution("p", np.array([-0.5, 1.5]))


def test_the_rest_of_a_row_is_what_it_misses_of_1():
    rest = _validate.endings("p", np.array([[0.0, 0.25], [1.0, 1 - 0.9e-10]]))
    assert_array_equal(rest, [[1.0, 0.75], [0.0, 0.0]])
    assert_array_equal(_validate.endings("p", np.array([1 + 0.9e-10])), [0.0])
    # Three thirds of ten digits.
    assert_array_equal(_validate.endings("p", np.array([3 * 0.3333333333]), smallest=0.002), [0.0])
    assert _validate.endings("p", np.array([1 - 3e-10]))[0] > 0
    assert_array_equal(_validate.endings("p", np.array([1 + 0.9e-6, 1 - 0.9e-6]), within=1e-6), [0.0, 0.0])


def test_a_row_above_1_is_named():
    with pytest.raises(ValueError, match=r"^p\[1, 0, :\] sums to 1\.1; expected at most 1 within 1e-10$"):
        _validate.endings("p", np.array([[1.0, 1.0], [1.1, 2.0]]))
    with pytest.raises(
        ValueError, match=r"^p\[0, :\] sums to 1\.0000000002; .*\. If this is 1, rounded, divide"
    ):
        _validate.endings("p", np.array([1 + 2e-10]))


@pytest.mark.parametrize("rest", [2e-10, 1e-4, 0.0019999])
def test_a_rest_below_the_smallest_that_is_meant_is_asked_about(rest):
    totals = np.array([1.0, 1 - rest])
    assert_array_equal(_validate.endings("p", totals), [0.0, 1 - totals[1]])
    assert_array_equal(_validate.endings("p", totals, smallest=rest), [0.0, 1 - totals[1]])
    with pytest.raises(
        ValueError, match=r"^p\[1, :\] sums to .*; expected 1 within 1e-10, or at most 0\.998\."
    ):
        _validate.endings("p", totals, smallest=0.002)


@pytest.mark.parametrize(
    ("value", "within"),
    [
        (np.ones(2), 1e-10),
        ([1, 0], 1e-10),
        (np.ones(2, np.longdouble), 1e-10),
        # 8 units in the last place of 1: 2^-20 and 2^-7.
        (np.ones(2, np.float32), 2**-20),
        ([np.float32(1)], 2**-20),
        (np.ones(2, np.float16), 2**-7),
    ],
)
def test_what_is_a_rounding_depends_on_the_type(value, within):
    assert _validate.rounding(value) == within


@pytest.mark.parametrize("value", [1e-99, 0.499])
def test_a_chance_is_above_0_and_below_a_half(value):
    assert _validate.chance("x", value) == value


@pytest.mark.parametrize(("value", "words"), [(0, "0"), (-1, "-1"), (1e-300, "1e-300"), (0.5, "0.5")])
def test_no_chance_is_0_or_a_half(value, words):
    with pytest.raises(ValueError, match=rf"^x is {words}; expected a number above 1e-100 and below 0\.5$"):
        _validate.chance("x", value)


@pytest.mark.parametrize(
    ("value", "words"),
    [(1.0, "1"), (0.1, "0.1"), (1.0000001, "1.0000001"), (1 - 1e-9, "0.999999999"), (1e20, "1e+20")],
)
def test_a_float_is_shown_with_the_digits_that_tell_it_apart(value, words):
    assert _validate.shown(value) == words


# --- indices, types --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 2, [0, 2], np.zeros((2, 2), dtype=np.uint8)])
def test_indices_in_range_pass(value):
    assert_array_equal(_validate.indices("state", value, 3), value)


def test_no_index_at_all_passes():
    assert _validate.indices("state", np.zeros(0, dtype=int), 3).shape == (0,)


@pytest.mark.parametrize(
    ("value", "words"), [(3, r"state is 3"), (-1, r"state is -1"), ([[0, 1], [1, 3]], r"state\[1, 1\] is 3")]
)
def test_an_index_out_of_range_is_named(value, words):
    with pytest.raises(ValueError, match=f"^{words}; expected an integer from 0 to 2$"):
        _validate.indices("state", value, 3)


@pytest.mark.parametrize(("value", "dtype"), [(1.0, "float64"), ([True], "bool")])
def test_an_index_that_is_no_integer_is_a_type_error(value, dtype):
    words = f"^state must be an integer or an array of integers, got dtype {dtype}$"
    with pytest.raises(TypeError, match=words):
        _validate.indices("state", value, 3)


def test_a_generator_is_not_a_seed():
    _validate.generator(np.random.default_rng(0))
    words = r"^rng must be a numpy\.random\.Generator, got int; write rng=np\.random\.default_rng\(seed\)$"
    with pytest.raises(TypeError, match=words):
        _validate.generator(1)
    with pytest.raises(TypeError, match="got RandomState"):
        _validate.generator(np.random.RandomState(0))


def test_an_instance_of_another_class_is_named():
    _validate.instance("x", 1.0, float)
    with pytest.raises(TypeError, match=r"^x must be a float, got None$"):
        _validate.instance("x", None, float)


def test_subscripts_read_as_python_writes_them():
    assert _validate.subscript((1, 0, 2)) == "[1, 0, 2]"
    assert _validate.subscript(()) == ""
    assert _validate.first(np.zeros(3, dtype=bool)) is None
    assert _validate.first(np.array([[False, False], [True, True]])) == (1, 0)


@pytest.mark.parametrize(
    ("scalar", "words"),
    [
        (np.timedelta64(1, "D"), "time spans"),
        (np.datetime64("2020-01-01"), "dates"),
        (np.complex128(1.0), "complex numbers"),
    ],
)
def test_a_scalar_among_objects_is_what_its_own_type_says(scalar, words):
    with pytest.raises(TypeError, match=exactly(f"x must be made of numbers: got {words}")):
        _validate.numbers("x", np.array([Fraction(1, 2), scalar], dtype=object))
    assert_array_equal(_validate.numbers("x", np.array([Fraction(1, 2), np.int8(3)], object)), [0.5, 3.0])
