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
    "stacked csr": stacked,
    "stacked coo matrix": lambda P: sparse.coo_matrix(stacked(P)),
    "list of csr": listed,
    "tuple of csc matrices": lambda P: tuple(listed(P, sparse.csc_matrix)),
    "list of coo": lambda P: listed(P, sparse.coo_array),
}


@pytest.mark.parametrize("form", SPARSE_FORMS.values(), ids=SPARSE_FORMS)
@given(problem=problems())
def test_every_sparse_form_holds_the_same_as_the_dense_one(form, problem):
    dense, policy = problem
    mdp = FiniteMDP(form(dense.transition), dense.reward, dense.initial, dense.discount)
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
    mdp = FiniteMDP([twice], [[0.0]], [1.0], 0.5)
    assert_array_equal(mdp.transition.data, [1.0])


# --- what is refused -------------------------------------------------------------------------------

NAN, INF = np.nan, np.inf
BAD = {
    "NaN in transition": (
        {"transition": [[[0, 1], [0.5, 0.5]], [[NAN, 0], [0, 0]]]},
        "transition[1, 0, 0] is nan; expected a finite number",
    ),
    "NaN in reward": ({"reward": [[1, 2], [3, NAN]]}, "reward[1, 1] is nan; expected a finite number"),
    "infinite reward": ({"reward": [[1, -INF], [3, 4]]}, "reward[0, 1] is -inf; expected a finite number"),
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
    "sparse: number of matrices": (
        {"transition": [sparse.csr_array((2, 2))]},
        "transition has 1 matrices; expected 2, one for each action",
    ),
    "sparse: shape of a matrix": (
        {"transition": [sparse.csr_array((2, 2)), sparse.csr_array((2, 3))]},
        "transition[1] has shape (2, 3); expected (2, 2) to go with reward of shape (2, 2)",
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
        ({"discount": None}, "discount must be a number, got None"),
    ],
)
def test_bad_types_are_type_errors(changes, words):
    with pytest.raises(TypeError) as error:
        small(**changes)
    assert str(error.value).startswith(words)


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
