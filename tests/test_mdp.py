"""The problems: what they keep, what they compute, and what they refuse."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from gymnasium.envs.toy_text import CliffWalkingEnv, FrozenLakeEnv, TaxiEnv
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from pgtlab import FiniteMDP, LinearQuadraticMDP, state_values
from pgtlab.quadratic import Quadratic
from tests import routes
from tests.problems import TablePolicy, exactly, garden, problems, random_problem

# Two states, two actions; row (1, 0) ends with probability 0.25, row (1, 1) always.
P = [[[0.0, 1.0], [0.5, 0.5]], [[0.75, 0.0], [0.0, 0.0]]]
R = [[1.0, 2.0], [3.0, 4.0]]
START = [0.25, 0.75]


def small(**changes):
    parts = {"transition": P, "reward": R, "initial": START, "discount": 0.9} | changes
    return FiniteMDP(**parts)


def stacked(transition):
    return sparse.csr_array(np.reshape(transition, (-1, np.shape(transition)[-1])))


def listed(transition, kind=sparse.csr_array):
    return [kind(np.asarray(transition)[:, a]) for a in range(np.shape(transition)[1])]


# --- what is kept ----------------------------------------------------------------------------------


def test_the_problem_knows_its_sizes_and_says_them():
    mdp = small()
    assert (mdp.n_states, mdp.n_actions, mdp.is_sparse) == (2, 2, False)
    assert repr(mdp) == "FiniteMDP(n_states=2, n_actions=2, discount=0.9)"
    assert repr(small(transition=stacked(P))) == "FiniteMDP(n_states=2, n_actions=2, discount=0.9, sparse)"


def test_what_a_row_misses_of_1_is_the_probability_of_ending():
    assert_array_equal(small().ending, [[0.0, 0.0], [0.25, 1.0]])


def test_a_row_that_was_rounded_does_not_end():
    P = [[[1 / 3] * 3]] * 3
    P[0] = [[0.1, 0.2, 0.7 - 5e-11]]
    assert_array_equal(FiniteMDP(P, np.zeros((3, 1)), [1, 0, 0], 1).ending, np.zeros((3, 1)))


@pytest.mark.parametrize("name", ["transition", "reward", "initial", "ending"])
def test_the_arrays_are_read_only(name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(small(), name)[...] = 0.0


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda mdp: pickle.loads(pickle.dumps(mdp))])
@pytest.mark.parametrize("transition", [np.array(P), stacked(P)], ids=["dense", "sparse"])
def test_copies_and_pickles_stay_equal_and_read_only(again, transition):
    mdp = small(transition=transition)
    other = again(mdp)
    assert other.is_sparse == mdp.is_sparse
    assert_array_equal(other.next_values(np.array([1.0, 2.0])), mdp.next_values(np.array([1.0, 2.0])))
    assert_array_equal(other.ending, mdp.ending)
    assert other.discount == mdp.discount
    part = other.transition.data if other.is_sparse else other.transition
    assert not part.flags.writeable
    assert not other.reward.flags.writeable


def test_later_changes_of_the_callers_arrays_do_not_matter():
    parts = [np.array(P), np.array(R), np.array(START)]
    mdp = FiniteMDP(*parts, 0.9)
    for part in parts:
        part[...] = 0.5
    assert_array_equal(mdp.transition, P)
    assert_array_equal(mdp.reward, R)
    assert_array_equal(mdp.initial, START)


def test_later_changes_of_the_callers_sparse_matrix_do_not_matter():
    matrix = stacked(P)
    mdp = small(transition=matrix)
    matrix.data[...] = 0.5
    assert_array_equal(mdp.transition.toarray(), np.reshape(P, (4, 2)))
    for part in (mdp.transition.data, mdp.transition.indices, mdp.transition.indptr):
        assert not part.flags.writeable


def test_the_problem_is_frozen_and_compares_by_identity():
    mdp = small()
    with pytest.raises(dataclasses.FrozenInstanceError):
        mdp.discount = 0.5
    assert mdp == mdp
    assert mdp != small()
    assert hash(mdp) != hash(small())


def test_replace_makes_another_problem_with_its_own_ending():
    other = dataclasses.replace(small(), transition=np.zeros((2, 2, 2)), discount=1)
    assert other.discount == 1.0
    assert_array_equal(other.ending, np.ones((2, 2)))
    assert_array_equal(other.reward, R)


# --- what is computed ------------------------------------------------------------------------------


def test_next_values_by_hand():
    # (0, 0): v(1); (0, 1): (v(0) + v(1)) / 2; (1, 0): 0.75 v(0); (1, 1): the end, 0.
    assert_allclose(small().next_values(np.array([4.0, 8.0])), [[8.0, 6.0], [3.0, 0.0]], rtol=1e-15)


def test_mixed_transition_by_hand():
    # State 0: 0.2 (0, 1) + 0.8 (0.5, 0.5); state 1: 0.4 (0.75, 0).
    mixed = small().mixed_transition(np.array([[0.2, 0.8], [0.4, 0.6]]))
    assert_allclose(mixed, [[0.4, 0.6], [0.3, 0.0]], rtol=1e-15)


@given(problems())
def test_next_values_and_mixed_transition_equal_their_sums(problem):
    mdp, policy = problem
    v = np.linspace(-1, 2, mdp.n_states)
    expected = [[sum(p * x for p, x in zip(row, v, strict=True)) for row in rows] for rows in mdp.transition]
    assert_allclose(mdp.next_values(v), expected, rtol=1e-12, atol=1e-14)
    expected, _ = routes.mixed(mdp, policy.probs())
    assert_allclose(mdp.mixed_transition(policy.probs()), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("batch", [(1,), (3,), (2, 3)])
def test_batches_of_values_and_of_probabilities_equal_a_loop(batch):
    rng = np.random.default_rng(1)
    mdp, policy = random_problem(rng, batch=batch)
    probs, v = policy.probs(), rng.normal(size=(*batch, 4))
    values, mixed = mdp.next_values(v), mdp.mixed_transition(probs)
    assert values.shape == (*batch, 4, 3)
    assert mixed.shape == (*batch, 4, 4)
    for n in np.ndindex(batch):
        assert_allclose(values[n], mdp.next_values(v[n]), rtol=1e-13, atol=1e-15)
        assert_allclose(mixed[n], mdp.mixed_transition(probs[n]), rtol=1e-13, atol=1e-15)


# --- sparse transitions ----------------------------------------------------------------------------


SPARSE_FORMS = {
    "stacked csr": (FiniteMDP, stacked),
    "stacked coo matrix": (FiniteMDP, lambda P: sparse.coo_matrix(stacked(P))),
    "list of csr": (FiniteMDP.from_matrices, listed),
    "tuple of csc matrices": (FiniteMDP.from_matrices, lambda P: tuple(listed(P, sparse.csc_matrix))),
    "list of coo": (FiniteMDP.from_matrices, lambda P: listed(P, sparse.coo_array)),
}


@pytest.mark.parametrize(("make", "form"), SPARSE_FORMS.values(), ids=SPARSE_FORMS)
@given(problem=problems())
def test_every_sparse_form_holds_the_same_as_the_dense_one(make, form, problem):
    dense, policy = problem
    mdp = make(form(dense.transition), dense.reward, dense.initial, dense.discount)
    S, A = dense.reward.shape
    assert mdp.is_sparse
    assert mdp.transition.shape == (S * A, S)
    assert_array_equal(mdp.transition.toarray().reshape(S, A, S), dense.transition)
    assert_allclose(mdp.ending, dense.ending, rtol=0, atol=1e-15)
    v = np.linspace(-1, 2, S)
    assert_allclose(mdp.next_values(v), dense.next_values(v), rtol=1e-13, atol=1e-15)
    probs = policy.probs()
    mixed = mdp.mixed_transition(probs)
    assert_allclose(mixed.toarray(), dense.mixed_transition(probs), rtol=1e-13, atol=1e-15)


def test_batches_of_values_go_with_sparse_transitions():
    v = np.arange(6.0).reshape(3, 2)
    values = small(transition=stacked(P)).next_values(v)
    assert_allclose(values, small().next_values(v), rtol=1e-15)


def test_a_probability_written_in_two_parts_is_added_up():
    # COO format may name one entry twice.
    twice = sparse.coo_array(([0.5, 0.5], ([0, 0], [0, 0])), shape=(1, 1))
    mdp = FiniteMDP.from_matrices([twice], [[0.0]], [1.0], 0.5)
    assert_array_equal(mdp.transition.data, [1.0])


# --- what is refused -------------------------------------------------------------------------------

NAN, INF = np.nan, np.inf
BAD = {
    "NaN in transition": (
        {"transition": [[[0, 1], [0.5, 0.5]], [[NAN, 0], [0, 0]]]},
        "transition[1, 0, 0] is nan; expected a finite number",
    ),
    "NaN in reward": ({"reward": [[1, 2], [3, NAN]]}, "reward[1, 1] is nan; expected a finite number"),
    "infinite reward": ({"reward": [[1, INF], [3, 4]]}, "reward[0, 1] is inf; expected a finite number"),
    "reward of an action that is not allowed": (
        {"reward": [[1, -INF], [3, 4]]},
        "reward[0, 1] is -inf; expected a finite number. An action that is not allowed in a state repeats "
        "the row and the reward of one that is",
    ),
    "masked reward": (
        {"reward": np.ma.array(R, mask=[[0, 0], [1, 0]])},
        "reward[1, 0] is masked; expected a number",
    ),
    "masks in a list": (
        {"transition": [np.array(P[0]), np.ma.array(P[1], mask=[[0, 0], [0, 1]])]},
        "transition[1, 1, 1] is masked; expected a number",
    ),
    "row rounded to three digits": (
        {"transition": [[[0, 1], [0.333, 0.666]], [[0, 0], [1, 0]]]},
        "transition[0, 1, :] sums to 0.999; expected 1 within 1e-10, or at most 0.998. If this is 1, "
        "rounded, divide the row by its sum; if the episode ends with probability 0.001, write "
        "smallest_ending=0.001",
    ),
    "row of another tool below 1": (
        {"transition": [[[0, 1], [0, 1]], [[0.333333, 0.666666], [1, 0]]]},
        "transition[1, 0, :] sums to 0.999999; expected 1 within 1e-10, or at most 0.998. If this is 1, "
        "rounded, divide the row by its sum; if the episode ends with probability 1e-06, write "
        "smallest_ending=1e-06",
    ),
    "row of another tool above 1": (
        {"transition": [[[0, 1], [0, 1]], [[0.333334, 0.666667], [1, 0]]]},
        "transition[1, 0, :] sums to 1.000001; expected at most 1 within 1e-10. If this is 1, rounded, "
        "divide the row by its sum",
    ),
    "row of float32 beyond its rounding": (
        # 1 - 2^-17
        {"transition": np.array([[[0, 1], [0, 1]], [[0.5, 0.5 - 2**-17], [1, 0]]], np.float32)},
        "transition[1, 0, :] sums to 0.999992370605; expected 1 within 9.5e-07, or at most 0.998. If this is "
        "1, rounded, divide the row by its sum; if the episode ends with probability 7.6e-06, write "
        "smallest_ending=1e-06",
    ),
    "smallest ending": ({"smallest_ending": 2}, "smallest_ending is 2; expected a number in [0, 1]"),
    "NaN in initial": ({"initial": [NAN, 1]}, "initial[0] is nan; expected a finite number"),
    "negative probability": (
        {"transition": [[[0, 1], [-0.5, 1.5]], [[0.75, 0], [0, 0]]]},
        "transition[0, 1, 0] is -0.5; expected a probability of at least 0",
    ),
    "row above 1": (
        {"transition": [[[0, 1], [0.5, 0.5]], [[0.75, 0.35], [0, 0]]]},
        "transition[1, 0, :] sums to 1.1; expected at most 1 within 1e-10",
    ),
    "start above 1": ({"initial": [0.5, 0.75]}, "initial sums to 1.25; expected 1 within 1e-10"),
    "start below 1": ({"initial": [0.5, 0.25]}, "initial sums to 0.75; expected 1 within 1e-10"),
    "negative start": ({"initial": [-0.5, 1.5]}, "initial[0] is -0.5; expected a probability of at least 0"),
    "flat transition": ({"transition": [[0, 1]]}, "transition has shape (1, 2); expected (S, A, S)"),
    "transition not square": (
        {"transition": np.zeros((2, 2, 3))},
        "transition has shape (2, 2, 3); expected (S, A, S), each letter of one size",
    ),
    "a matrix for each action": (
        {"transition": np.zeros((3, 2, 2)), "reward": np.zeros((2, 3))},
        "transition has shape (3, 2, 2); expected (S, A, S), each letter of one size. (A, S, S), a matrix "
        "for each action, goes into FiniteMDP.from_matrices",
    ),
    "actions first": (
        {"transition": np.zeros((3, 2, 3)), "reward": np.zeros((2, 3)), "initial": [1, 0]},
        "transition has shape (3, 2, 3); expected (2, 3, 2) to go with reward of shape (2, 3)",
    ),
    "reward of one axis": ({"reward": [1, 2]}, "reward has shape (2,); expected (S, A)"),
    "reward of the next state": (
        {"reward": np.zeros((2, 2, 2))},
        "reward has shape (2, 2, 2); expected (S, A). A reward that depends on the next state enters by "
        "its mean, (transition * reward).sum(-1)",
    ),
    "no state": ({"reward": np.zeros((0, 2))}, "reward has shape (0, 2); expected (S, A) with no empty axis"),
    "start of another size": (
        {"initial": [1, 0, 0]},
        "initial has shape (3,); expected (2,) to go with reward of shape (2, 2)",
    ),
    "discount above 1": ({"discount": 1.1}, "discount is 1.1; expected a number in [0, 1]"),
    "discount just above 1": (
        {"discount": 1.0000001},
        "discount is 1.0000001; expected a number in [0, 1]",
    ),
    "discount of 401 digits": (
        {"discount": 10**400},
        "discount is too large for a float; expected a finite number",
    ),
    "negative discount": ({"discount": -0.1}, "discount is -0.1; expected a number in [0, 1]"),
    "discount NaN": ({"discount": NAN}, "discount is nan; expected a finite number"),
    "sparse: NaN": (
        {"transition": sparse.csr_array(np.array([[0, 1], [0.5, NAN], [1, 0], [1, 0]]))},
        "transition.data[2] is nan; expected a finite number",
    ),
    "sparse: negative": (
        {"transition": sparse.csr_array(np.array([[0, 1], [1.5, -0.5], [1, 0], [1, 0]]))},
        "transition.data[2] is -0.5; expected a probability of at least 0",
    ),
    "sparse: row above 1": (
        {"transition": sparse.csr_array(np.array([[0, 1], [0, 1], [0, 1], [0.5, 0.6]]))},
        "transition[1, 1, :] sums to 1.1; expected at most 1 within 1e-10",
    ),
    "sparse: shape": (
        {"transition": sparse.csr_array((2, 2))},
        "transition has shape (2, 2); expected (4, 2) (S*A, S) to go with reward of shape (2, 2)",
    ),
}


@pytest.mark.parametrize(("changes", "words"), BAD.values(), ids=BAD)
def test_bad_values_are_refused_with_place_value_and_expectation(changes, words):
    with pytest.raises(ValueError, match=exactly(words)):
        small(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reward": [["a", "b"]]}, "reward must be an array of numbers of shape (S, A): "),
        ({"reward": [[1, 2], [3]]}, "reward must be an array of numbers of shape (S, A): "),
        ({"transition": {}}, "transition must be an array of numbers of shape (S, A, S): "),
        ({"discount": "high"}, "discount must be a number, got str"),
        ({"discount": "0.9"}, "discount must be a number, got str"),
        ({"discount": b"0.9"}, "discount must be a number, got bytes"),
        ({"discount": None}, "discount must be a number, got None"),
        ({"discount": np.complex64(0.5)}, "discount must be a number, got complex64"),
        ({"discount": np.array([0.9])}, "discount must be a number, got ndarray"),
        ({"discount": np.ma.masked}, "discount must be a number, got MaskedConstant"),
        (
            {"reward": [["1", "2"], ["3", "4"]]},
            "reward must be an array of numbers of shape (S, A): got text",
        ),
        (
            {"reward": np.array([["1", 2], [3, 4]], dtype=object)},
            "reward must be an array of numbers of shape (S, A): got text",
        ),
        ({"reward": [[1, None], [3, 4]]}, "reward must be an array of numbers of shape (S, A): got None"),
        ({"reward": np.array(R) + 0j}, "reward must be an array of numbers of shape (S, A): got complex num"),
        (
            {"initial": np.array([0, 1], "datetime64[D]")},
            "initial must be an array of numbers of shape (S,): got dates",
        ),
        (
            {"transition": np.array(P).astype("timedelta64[s]")},
            "transition must be an array of numbers of shape (S, A, S): got time spans",
        ),
        (
            {"transition": sparse.csr_array(np.eye(4, 2) + 0j)},
            "transition must be made of numbers, got complex128",
        ),
        (
            {"transition": listed(P)},
            "transition is a list of sparse matrices; expected one of shape (S*A, S). A list of matrices "
            "(S, S), one for each action, goes into FiniteMDP.from_matrices",
        ),
    ],
)
def test_bad_types_are_type_errors(changes, words):
    with pytest.raises(TypeError) as error:
        small(**changes)
    assert str(error.value).startswith(words)


def test_a_number_too_large_for_a_float_is_a_value_error():
    with pytest.raises(
        ValueError, match=r"^reward must be an array of numbers of shape \(S, A\): int too large"
    ):
        small(reward=[[1, 10**400], [3, 4]])


def test_a_mask_that_hides_nothing_is_no_matter():
    assert_array_equal(small(reward=np.ma.array(R, mask=False)).reward, R)


# --- a rounding of 1 -------------------------------------------------------------------------------


def test_float32_rows_are_1_and_do_not_end():
    # 0.9 and 0.1 in float32 sum to 1 - 2.2e-8: at discount 1 that would be an end after 45 million steps.
    rows = np.array([[[0.9, 0.1]], [[0.1, 0.9]]], np.float32)
    assert 1e-8 < 1 - rows[0, 0].astype(float).sum() < 3e-8
    mdp = FiniteMDP(rows, [[-1.0], [-1.0]], [1, 0], 1)
    assert_array_equal(mdp.ending, [[0.0], [0.0]])
    assert_allclose(mdp.transition.sum(-1), 1, rtol=0, atol=3e-16)
    only = TablePolicy(np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"^discount is 1 and the episode need not end"):
        state_values(mdp, only)
    # At discount 0.99 each step costs 1: -1 / (1 - 0.99).
    costly = dataclasses.replace(mdp, discount=0.99)
    assert_allclose(state_values(costly, only), [-100, -100], rtol=1e-12, atol=0)


@pytest.mark.parametrize(("dtype", "of_1000"), [(np.float32, 1000), (np.float16, 1000)])
def test_random_rows_of_a_narrow_type_are_all_taken_as_1(dtype, of_1000):
    # Half of them sum to more than 1 and half to less, all within 8 units in the last place.
    rows = np.random.default_rng(0).random((of_1000, 2, 1, 2)).astype(dtype)
    rows /= rows.sum(-1, keepdims=True)
    totals = rows.astype(float).sum(-1)
    assert (totals > 1).any()
    assert (totals < 1).any()
    for each in rows:
        mdp = FiniteMDP(each, [[1.0], [1.0]], np.array([0.1, 0.9], dtype), 1)
        assert not mdp.ending.any()
        assert_allclose(mdp.transition.sum(-1), 1, rtol=0, atol=3e-16)
        assert_allclose(mdp.initial.sum(), 1, rtol=0, atol=3e-16)
        assert_allclose(mdp.transition, each, rtol=8 * np.finfo(dtype).eps, atol=0)


def test_sparse_rows_of_float32_are_taken_as_1_too():
    rows = np.array([[[0.9, 0.1]], [[0.1, 0.9]]], np.float32)
    mdp = FiniteMDP(stacked(rows), [[1.0], [1.0]], [1, 0], 0.99)
    assert mdp.is_sparse
    assert not mdp.transition.data.flags.writeable
    dense = FiniteMDP(rows, [[1.0], [1.0]], [1, 0], 1).transition[:, 0]
    assert_allclose(mdp.transition.toarray(), dense, rtol=4e-16, atol=0)
    assert_allclose(state_values(mdp, TablePolicy(np.ones((2, 1)))), [100, 100], rtol=1e-12, atol=0)


def test_rows_that_are_1_to_the_last_digit_are_kept_as_they_came():
    # 0.1 + 0.2 + 0.7 is 1 - 1.1e-16 in float64.
    rows = [[[0.1, 0.2, 0.7]]] * 3
    assert_array_equal(FiniteMDP(rows, np.zeros((3, 1)), [1, 0, 0], 1).transition, rows)


def test_a_small_end_that_is_meant_is_written_so_and_kept():
    # The end once in 10,000 steps, each of which pays 1: 10,000 on average.
    mdp = FiniteMDP([[[0.9999]]], [[1.0]], [1.0], 1, smallest_ending=1e-4)
    assert_allclose(mdp.ending, [[1e-4]], rtol=1e-12, atol=0)
    for same in (mdp, dataclasses.replace(mdp, reward=[[1.0]]), pickle.loads(pickle.dumps(mdp))):
        assert_allclose(state_values(same, TablePolicy(np.ones((1, 1)))), [1e4], rtol=1e-11, atol=0)


def test_three_times_a_third_is_asked_about_at_any_discount():
    rows = [[[0.333] * 3]] * 3
    for discount in (1, 0.99):
        with pytest.raises(ValueError, match=r"^transition\[0, 0, :\] sums to 0\.999; expected 1 within"):
            FiniteMDP(rows, np.ones((3, 1)), [1, 0, 0], discount)
    # The remedy of the message: 1 / (1 - 0.99).
    rows = np.array(rows) / np.sum(rows, axis=-1, keepdims=True)
    mdp = FiniteMDP(rows, np.ones((3, 1)), [1, 0, 0], 0.99)
    assert_allclose(state_values(mdp, TablePolicy(np.ones((3, 1)))), [100] * 3, rtol=1e-12, atol=0)


def test_the_discount_is_shown_with_all_its_digits():
    assert repr(small(discount=1 - 1e-9)) == "FiniteMDP(n_states=2, n_actions=2, discount=0.999999999)"


# --- a matrix for each action ----------------------------------------------------------------------

# One matrix an action, and the policy that takes action 1 in state 0 and action 0 in state 1. Then
# V(0) = 10 + 0.9 V(1) and V(1) = -1 + 0.9 (0.8 V(0) + 0.2 V(1)), so (1 - 0.18 - 0.648) V(1) = -1 + 7.2.
STAY, LEAVE = [[0.5, 0.5], [0.8, 0.2]], [[0.0, 1.0], [0.1, 0.9]]
PAY = [[5.0, 10.0], [-1.0, 2.0]]
CROSSED = TablePolicy(np.array([[0.0, 1.0], [1.0, 0.0]]))


@pytest.mark.parametrize(
    "matrices",
    [
        [STAY, LEAVE],
        np.array([STAY, LEAVE]),
        np.array([STAY, LEAVE], np.float32),
        [sparse.csr_array(STAY), sparse.csr_array(LEAVE)],
    ],
    ids=["list", "array", "float32", "sparse"],
)
def test_matrices_of_other_toolboxes_have_a_constructor_of_their_own(matrices):
    mdp = FiniteMDP.from_matrices(matrices, PAY, [1, 0], 0.9)
    rtol = 1e-6 if getattr(matrices, "dtype", None) == np.float32 else 1e-12
    assert_allclose(state_values(mdp, CROSSED), [10 + 0.9 * 6.2 / 0.172, 6.2 / 0.172], rtol=rtol, atol=0)


def test_the_same_list_is_another_problem_as_a_row_for_each_state():
    # State 0 goes by (0.8, 0.2), and state 1 stays, where each step costs 1: V(1) = -1 / 0.1, and
    # (1 - 0.72) V(0) = 10 + 0.18 V(1).
    mdp = FiniteMDP([STAY, LEAVE], PAY, [1, 0], 0.9)
    assert_allclose(state_values(mdp, CROSSED), [8.2 / 0.28, -10], rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("matrices", "words"),
    [
        (
            np.zeros((3, 2, 3)),
            "matrices has shape (3, 2, 3); expected (A, S, S), each letter of one size. (S, A, S), a row for "
            "each state, goes into FiniteMDP(...)",
        ),
        (np.zeros((3, 3)), "matrices has shape (3, 3); expected (A, S, S)"),
        ([], "matrices has shape (0,); expected (A, S, S)"),
        (
            [sparse.csr_array((2, 2))],
            "there are 1 matrices, one for each action, but reward has shape (2, 2); expected (S, 1)",
        ),
        (
            [sparse.csr_array((2, 2)), sparse.csr_array((2, 3))],
            "matrices[1] has shape (2, 3); expected (2, 2) to go with reward of shape (2, 2)",
        ),
    ],
)
def test_matrices_that_do_not_fit_are_refused(matrices, words):
    with pytest.raises(ValueError, match=exactly(words)):
        FiniteMDP.from_matrices(matrices, R, START, 0.9)


# --- tables of Gymnasium ---------------------------------------------------------------------------


def test_a_table_by_hand():
    # From 0: half the time stay and earn 1, else end and earn 5. Two ways to the same state add up.
    table = {
        0: {
            0: [(0.5, 0, 1.0, False), (0.5, 1, 5.0, True)],
            1: [(0.25, 1, 2.0, False), (0.75, 1, 6.0, False)],
        },
        1: {0: [(1.0, 1, 0.0, True)], 1: [(1.0, 0, -1, 0)]},
    }
    mdp = FiniteMDP.from_gymnasium(table, [1, 0], 0.5)
    assert_array_equal(mdp.transition, [[[0.5, 0], [0, 1]], [[0, 0], [1, 0]]])
    assert_array_equal(mdp.reward, [[3.0, 5.0], [0.0, -1.0]])
    assert_array_equal(mdp.ending, [[0.5, 0], [1, 0]])
    assert_array_equal(mdp.initial, [1, 0])
    assert mdp.discount == 0.5


def optimal_values(table, discount):
    """Return the best values by value iteration over the table itself, and the best actions."""
    S, A = len(table), len(table[0])
    rows = [(s * A + a, *o) for s in range(S) for a in range(A) for o in table[s][a]]
    at, probability, following, pay, terminated = (np.array(column) for column in zip(*rows, strict=True))
    V = np.zeros(S)
    for _ in range(2000):
        gain = probability * (pay + discount * np.where(terminated, 0.0, V[following.astype(int)]))
        Q = np.bincount(at, weights=gain, minlength=S * A).reshape(S, A)
        if np.abs(Q.max(-1) - V).max() < 1e-13:
            return V, Q.argmax(-1)
        V = Q.max(-1)
    raise ArithmeticError("value iteration does not converge")


@pytest.mark.parametrize(
    ("environment", "discount"), [(FrozenLakeEnv, 0.99), (CliffWalkingEnv, 1.0), (TaxiEnv, 0.95)]
)
def test_the_best_policy_of_a_gymnasium_table_has_the_values_of_value_iteration(environment, discount):
    env = environment()
    mdp = FiniteMDP.from_gymnasium(env.P, env.initial_state_distrib, discount)
    V, best = optimal_values(env.P, discount)
    greedy = np.eye(mdp.n_actions)[best]
    assert_allclose(state_values(mdp, TablePolicy(greedy)), V, rtol=1e-9, atol=1e-9)
    if environment is CliffWalkingEnv:
        # Up, eleven to the right, down: 13 steps at -1.
        assert_allclose(V @ env.initial_state_distrib, -13, rtol=1e-12)


def table_with(outcome=(1.0, 0, 0.0, False), **changes):
    table = {0: {0: [outcome], 1: [outcome]}, 1: {0: [outcome], 1: [outcome]}}
    return table | changes.get("states", {})


NUMBERING = "table must number its states 0 to 1 and the actions of each 0 to 1; "
OUTCOME = "expected (probability, next state from 0 to 1, reward, terminated)"
TOTAL = (
    "the probabilities of table[0][0] sum to {}; expected 1 within 1e-10. "
    "What ends the episode is an outcome too, marked as terminated"
)
BAD_TABLES = {
    "a state is missing": (
        {0: {a: [(1.0, 0, 0.0, True)] for a in (0, 1)}, 2: {0: [], 1: []}},
        NUMBERING + "state 1 is missing",
    ),
    "an action is missing": (table_with(states={1: {0: []}}), NUMBERING + "state 1 has actions [0]"),
    "actions from 1": (table_with(states={1: {1: [], 2: []}}), NUMBERING + "state 1 has actions [1, 2]"),
    "states from 1": (
        {1: {0: []}},
        "table must number its states 0 to 0; state 0 is missing",
    ),
    "three entries": (table_with((1.0, 0, 0.0)), f"table[0][0] has the outcome (1.0, 0, 0.0); {OUTCOME}"),
    "no tuple": (table_with(1.0), f"table[0][0] has the outcome 1.0; {OUTCOME}"),
    "next state too high": (
        table_with((1.0, 2, 0.0, False)),
        f"table[0][0] has the outcome (1.0, 2, 0.0, False); {OUTCOME}",
    ),
    "next state negative": (
        table_with((1.0, -1, 0.0, False)),
        f"table[0][0] has the outcome (1.0, -1, 0.0, False); {OUTCOME}",
    ),
    "next state no integer": (
        table_with((1.0, 0.5, 0.0, False)),
        f"table[0][0] has the outcome (1.0, 0.5, 0.0, False); {OUTCOME}",
    ),
    "probability above 1": (table_with((1.5, 0, 0.0, False)), TOTAL.format(1.5)),
    "an outcome is missing": (table_with((0.25, 0, 0.0, False)), TOTAL.format(0.25)),
}


@pytest.mark.parametrize(("table", "words"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables_are_refused_with_the_place(table, words):
    with pytest.raises(ValueError, match=exactly(words)):
        FiniteMDP.from_gymnasium(table, [1, 0], 0.9)


def test_the_environment_is_no_table():
    words = "table must be a dict such as env.unwrapped.P of a Gymnasium toy environment, got FrozenLakeEnv"
    with pytest.raises(TypeError, match=exactly(words)):
        FiniteMDP.from_gymnasium(FrozenLakeEnv(), [1.0, 0.0], 0.9)


# --- the garden of the sparse tests ----------------------------------------------------------------


def test_a_sparse_gridworld_has_rows_that_sum_to_1_or_end_at_the_goal():
    mdp = garden(3, slip=0.2)
    assert mdp.is_sparse
    # Cell 5 is above the goal: "down" enters it with 0.8, slips sideways to 4 or against the edge.
    assert_allclose(mdp.transition.toarray()[5 * 4 + 2], [0, 0, 0, 0, 0.1, 0.1, 0, 0, 0], atol=1e-15)
    assert_allclose(mdp.ending[5, 2], 0.8, rtol=1e-14)
    assert_array_equal(mdp.ending[8], np.ones(4))


# --- the linear-quadratic problem ------------------------------------------------------------------

NUMBERS = {
    "drift": -0.9,
    "control": -0.5,
    "state_cost": 1,
    "action_cost": 0,
    "noise_std": 0,
    "initial_mean": -2,
    "initial_std": 0,
    "discount": 0.9,
}


def test_the_linear_quadratic_problem_keeps_floats_and_is_frozen():
    mdp = LinearQuadraticMDP(**NUMBERS)
    assert dataclasses.asdict(mdp) == {name: float(value) for name, value in NUMBERS.items()}
    assert all(type(value) is float for value in dataclasses.astuple(mdp))
    with pytest.raises(dataclasses.FrozenInstanceError):
        mdp.drift = 1.0
    assert dataclasses.replace(mdp, drift=0.5).drift == 0.5
    assert pickle.loads(pickle.dumps(mdp)) == mdp


@pytest.mark.parametrize("name", ["state_cost", "action_cost", "noise_std", "initial_std", "discount"])
def test_costs_and_deviations_are_not_negative(name):
    with pytest.raises(ValueError, match=f"^{name} is -1; expected a number of at least 0$"):
        LinearQuadraticMDP(**(NUMBERS | {name: -1}))


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_of_the_linear_quadratic_problem_is_checked(name):
    with pytest.raises(ValueError, match=f"^{name} is nan; expected a finite number$"):
        LinearQuadraticMDP(**(NUMBERS | {name: NAN}))
    with pytest.raises(TypeError, match=f"^{name} must be a number, got list$"):
        LinearQuadraticMDP(**(NUMBERS | {name: [0.5, 0.5]}))


def test_the_linear_quadratic_problem_has_a_discount_below_1():
    with pytest.raises(ValueError, match=r"^discount is 1; expected below 1: with noise in every step"):
        LinearQuadraticMDP(**(NUMBERS | {"discount": 1}))
    with pytest.raises(ValueError, match=r"^discount is 1\.5; expected a number in \[0, 1\]$"):
        LinearQuadraticMDP(**(NUMBERS | {"discount": 1.5}))


# --- one step at a time ----------------------------------------------------------------------------


@pytest.mark.parametrize("thin", [False, True], ids=["dense", "sparse"])
def test_a_step_is_drawn_by_its_probabilities(thin):
    # From state 0: to 0 with 1/2, to 1 with 1/4, and an end with 1/4. From state 1 always to 0.
    transition = np.array([[[0.5, 0.25]], [[1.0, 0.0]]])
    rows = sparse.csr_array(transition.reshape(2, 2)) if thin else transition
    mdp = FiniteMDP(rows, [[3.0], [7.0]], [0.25, 0.75], 0.9)
    rng, n = np.random.default_rng(2), 4000
    starts = [mdp.draw_start(rng=rng) for _ in range(n)]
    steps = [mdp.draw_step(0, 0, rng=rng) for _ in range(n)]
    assert {reward for reward, _ in steps} == {3.0}
    counts = [starts.count(1), *([next_state for _, next_state in steps].count(s) for s in (0, 1, None))]
    for count, p in zip(counts, (0.75, 0.5, 0.25, 0.25), strict=True):
        # Five standard deviations of a binomial count: less than 1e-6 of false alarm each.
        assert abs(count - n * p) <= 5 * np.sqrt(n * p * (1 - p))
    assert mdp.draw_step(1, 0, rng=rng) == (7.0, 0)
    assert_array_equal(mdp.next_law(0, 0), [0.5, 0.25])


def test_a_step_on_the_line_by_hand():
    numbers = {"drift": 2.0, "control": 3.0, "state_cost": 5.0, "action_cost": 7.0, "noise_std": 0.0}
    mdp = LinearQuadraticMDP(**numbers, initial_mean=1.5, initial_std=0.0, discount=0.9)
    rng = np.random.default_rng(3)
    assert mdp.draw_start(rng=rng) == 1.5
    # -(5 * 1.5^2 + 7 * 0.5^2) = -13, and 2 * 1.5 - 3 * 0.5 = 1.5
    assert mdp.draw_step(1.5, -0.5, rng=rng) == (-13.0, 1.5)
    assert mdp.reward(1.5, -0.5) == -13.0


def test_next_values_on_the_line_are_the_mean_over_the_noise():
    mdp = LinearQuadraticMDP(0.5, 2.0, 1.0, 1.0, 0.3, 0.0, 1.0, 0.9)
    v = Quadratic(np.array([[-2.0]]), np.array(0.7))
    # E v(x') = -2 ((x / 2 + 2 u)^2 + 0.09) + 0.7
    assert_allclose(mdp.next_values(v)(3.0, -1.0), -2 * ((1.5 - 2.0) ** 2 + 0.09) + 0.7, rtol=1e-12)
    expected = mdp.reward(3.0, -1.0) + 0.9 * mdp.next_values(v)(3.0, -1.0) - v(3.0)
    assert_allclose(mdp.td_errors(v)(3.0, -1.0), expected, rtol=1e-12)
    # The start is N(0, 1): E v(x_0) = -2 + 0.7.
    assert_allclose(mdp.start_mean(v), -1.3, rtol=1e-12)
