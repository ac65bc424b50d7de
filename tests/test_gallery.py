"""The named problems: their tables, their known answers, and what their makers refuse."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgtlab import FiniteMDP, SoftmaxPolicy, expected_return, policy_gradient, state_values, state_visitation
from pgtlab.gallery import (
    MOVES,
    ROOM,
    cells,
    garnet,
    gridworld,
    linear_quadratic,
    now_or_later,
    one_knob,
    short_corridor,
    two_states,
    wind_turbine,
)
from tests.problems import TablePolicy, exactly, garden, seeds


def optimal_values(mdp, n_sweeps=3000):
    """Return the best values by value iteration."""
    V = np.zeros(mdp.n_states)
    for _ in range(n_sweeps):
        V = (mdp.reward + mdp.discount * np.einsum("sap,p->sa", mdp.transition, V)).max(-1)
    return V


# --- small problems --------------------------------------------------------------------------------


def test_the_best_of_the_short_corridor_is_stochastic():
    # K1: J is highest at p = 2 - sqrt 2, where it is -(6 + 4 sqrt 2); there the slope is 0.
    best = 2 - math.sqrt(2)
    mdp, policy = short_corridor(best)
    assert_allclose(expected_return(mdp, policy), -(6 + 4 * math.sqrt(2)), rtol=1e-12)
    assert_allclose(policy_gradient(mdp, policy), [0], rtol=0, atol=1e-10)
    others = expected_return(mdp, policy.with_parameters(np.linspace(-4, 4, 101)[:, None]))
    assert others.max() < -(6 + 4 * math.sqrt(2)) + 1e-12
    # Epsilon-greedy with epsilon = 0.1, as the textbook has it: p = 0.95 and p = 0.05.
    assert_allclose(expected_return(*short_corridor(0.95)), -44.2105, rtol=1e-6)
    assert_allclose(expected_return(*short_corridor(0.05)), -82.1053, rtol=1e-6)


def test_the_corridor_is_aliased_and_reversed_in_the_middle():
    mdp, policy = short_corridor(0.3)
    assert_allclose(policy.probs(), [[0.3, 0.7]] * 3, rtol=1e-14)
    assert_array_equal(mdp.transition[:, 0], [[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    assert_array_equal(mdp.transition[:, 1], [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert_array_equal(mdp.reward, np.full((3, 2), -1))
    assert mdp.discount == 1


@pytest.mark.parametrize(("cost", "p"), [(1.05, 0.5), (0.2, 0.3)])
def test_one_knob_pays_first_and_costs_later(cost, p):
    # K9: J = p (1 - 0.9 c), and with dp/dtheta = p (1 - p) its slope.
    mdp, policy = one_knob(cost, p)
    assert_allclose(expected_return(mdp, policy), p * (1 - 0.9 * cost), rtol=1e-13)
    assert_allclose(policy_gradient(mdp, policy), [p * (1 - p) * (1 - 0.9 * cost)], rtol=1e-12)
    assert_allclose(state_visitation(mdp, policy), [1.0, 0.9], rtol=1e-15)


def test_now_or_later_pays_10_later():
    mdp, policy = now_or_later(0.3)
    assert_allclose(policy.probs(), [[0.3, 0.7], [0.5, 0.5]], rtol=1e-14)
    # K2: 9 at best, 1 at worst.
    assert_allclose(optimal_values(mdp), [9, 10], rtol=1e-14)
    assert_allclose(expected_return(mdp, policy.with_parameters([-50.0])), 1, rtol=1e-12)
    assert_allclose(expected_return(mdp, policy.with_parameters([50.0])), 9, rtol=1e-12)


def test_two_states_have_the_plateau_of_their_source():
    mdp, policy = two_states()
    assert_allclose(policy.probs(), [[0.8, 0.2], [0.1, 0.9]], rtol=1e-14)
    # K4: with p, q the probabilities of staying, V0 = p + 0.9 (p V0 + (1-p) V1) and
    # V1 = 2 q + 0.9 (q V1 + (1-q) V0).
    V = np.linalg.solve([[1 - 0.72, -0.18], [-0.81, 1 - 0.09]], [0.8, 0.2])
    assert_allclose(state_values(mdp, policy), V, rtol=1e-12)
    assert_allclose(V[0], 7.009, rtol=1e-4)
    assert_allclose(optimal_values(mdp), [18, 20], rtol=1e-10)


def test_a_turbine_is_worth_most_if_it_is_serviced_from_wear_3_on():
    mdp, policy = wind_turbine()
    # V_n of wear n as a_n + b_n V_0, from V_3 = -15 + .95 V_0 back to V_0.
    g, a, b = Fraction(95, 100), Fraction(-15), Fraction(95, 100)
    for pays, breaks in [(6, Fraction(4, 100)), (9, Fraction(1, 100)), (10, Fraction(0))]:
        holds = g * (1 - breaks)
        rest = 1 - holds * Fraction(6, 10)
        a = (pays + holds * Fraction(4, 10) * a) / rest
        b = (g * breaks + holds * Fraction(4, 10) * b) / rest
    best = float(a / (1 - b))
    assert_allclose(best, 127.45, rtol=1e-4)
    assert_allclose(optimal_values(mdp)[0], best, rtol=1e-12)
    # The policy that comes with it finds the way there: from wear 3 on, nearly for sure.
    assert_allclose(expected_return(mdp, policy.with_parameters([-30.0, 60.0])), best, rtol=1e-10)
    assert_allclose(expected_return(mdp, policy.with_parameters([50.0, 0.0])), -300, rtol=1e-10)


def test_a_turbine_wears_breaks_and_is_made_as_new():
    mdp, policy = wind_turbine(0.5, -0.25)
    assert_allclose(mdp.transition.sum(axis=2), np.ones((5, 2)), rtol=1e-14)
    assert_array_equal(mdp.transition[:, 0], np.eye(5)[[0] * 5])
    assert_allclose(mdp.transition[2, 1], [0.04, 0, 0.96 * 0.6, 0.96 * 0.4, 0], rtol=1e-14)
    assert_allclose(mdp.transition[4, 1], [0.3, 0, 0, 0, 0.7], rtol=1e-14)
    assert_allclose(mdp.reward[:, 1], [10, 9, 6, -2, -20], rtol=1e-14)
    odds = 0.5 - 0.25 * (np.arange(5) - 2)
    assert_allclose(policy.probs()[:, 0], 1 / (1 + np.exp(-odds)), rtol=1e-14)


def test_two_states_take_their_start():
    mdp, _ = two_states(initial=(0.8, 0.2))
    assert_array_equal(mdp.initial, [0.8, 0.2])


@pytest.mark.parametrize("p", [0.0, 1.0, 1.5, -0.1])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (short_corridor, "probability_right"),
        (now_or_later, "probability_later"),
        (one_knob, "probability_first"),
        (two_states, "stay_first"),
        (two_states, "stay_second"),
    ],
)
def test_a_softmax_has_no_probability_0_or_1(make, name, p):
    with pytest.raises(ValueError, match=rf"^{name} is {p:g}; expected a probability above 0 and below 1$"):
        make(**{name: p})


# --- gridworld -------------------------------------------------------------------------------------

# State numbers of the map: 0 1 2 / 3 # 4, start in 0, goal in 4.
MAP = ["S..", ".#G"]


def test_the_cells_are_numbered_row_by_row():
    assert cells(MAP) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)]
    assert len(cells()) == len("".join(ROOM).replace("#", ""))


def test_a_step_slips_to_both_sides_and_stops_at_walls():
    mdp, policy = gridworld(MAP, slip=0.2, discount=0.9, step_reward=-1.0, goal_reward=5.0)
    up, right, down, left = range(4)
    # From 1, between the edge and the wall: up stays, slips left and right.
    assert_allclose(mdp.transition[1, up], [0.1, 0.8, 0.1, 0, 0], rtol=1e-14)
    assert_allclose(mdp.transition[1, down], [0.1, 0.8, 0.1, 0, 0], rtol=1e-14)
    assert_allclose(mdp.transition[1, right], [0, 0.2, 0.8, 0, 0], rtol=1e-14)
    assert_allclose(mdp.transition[0, left], [0.9, 0, 0, 0.1, 0], rtol=1e-14)
    # From 2 down into the goal: 0.8 end, left 1, right against the edge.
    assert_allclose(mdp.transition[2, down], [0, 0.1, 0.1, 0, 0], rtol=1e-14)
    assert_allclose(mdp.reward[2, down], 0.8 * 5 - 0.2, rtol=1e-14)
    assert_allclose(mdp.ending[2], [0, 0.1, 0.8, 0.1], rtol=1e-13, atol=1e-16)
    assert_allclose(mdp.reward[0], [-1] * 4, rtol=1e-14)
    # Nothing happens in the goal any more.
    assert_array_equal(mdp.transition[4], np.zeros((4, 5)))
    assert_array_equal(mdp.reward[4], np.zeros(4))
    assert_array_equal(mdp.initial, [1, 0, 0, 0, 0])
    assert_array_equal(policy.probs(), np.full((5, 4), 0.25))
    assert mdp.discount == 0.9


def test_the_defaults_are_a_small_slip_and_a_reward_at_the_goal():
    mdp, _ = gridworld(["S.G"])
    assert_allclose(mdp.transition[0, 1], [0.1, 0.9, 0], rtol=1e-14)
    assert_allclose(mdp.reward[:, 1], [0, 0.9, 0], rtol=1e-14)
    assert mdp.discount == 0.95


def test_the_start_is_uniform_over_its_cells():
    assert_array_equal(gridworld(["SS", "G."])[0].initial, [0.5, 0.5, 0, 0])


def test_without_slip_the_best_value_is_the_discount_to_the_shortest_way():
    mdp, _ = gridworld(slip=0.0, discount=0.9)
    where = cells()
    goal = where.index(next((i, j) for i, j in where if ROOM[i][j] == "G"))
    # Breadth first, from the goal.
    distance, front = {goal: 0}, [goal]
    while front:
        s = front.pop(0)
        for down, right in MOVES:
            cell = (where[s][0] + down, where[s][1] + right)
            if cell in where and where.index(cell) not in distance:
                distance[where.index(cell)] = distance[s] + 1
                front.append(where.index(cell))
    expected = [0.9 ** (distance[s] - 1) if s != goal else 0.0 for s in range(len(where))]
    assert_allclose(optimal_values(mdp), expected, rtol=1e-12)


@pytest.mark.parametrize("slip", [0.0, 0.3, 1.0])
def test_every_row_of_a_gridworld_sums_to_1_or_enters_the_goal(slip):
    mdp, _ = gridworld(slip=slip)
    enters = mdp.reward  # The goal pays 1 and all else nothing.
    assert_allclose((mdp.transition.sum(-1) + enters)[:-1], 1, rtol=1e-13)
    assert_allclose(mdp.ending[:-1], enters[:-1], rtol=1e-12, atol=1e-15)


def test_the_room_is_solved_at_discount_1_by_the_uniform_policy():
    mdp, policy = gridworld(discount=1.0)
    # Every episode reaches the goal in the end, and earns 1.
    assert_allclose(expected_return(mdp, policy), 1, rtol=1e-10)


def test_a_large_gridworld_is_sparse_and_equal_to_one_made_otherwise():
    layout = ["S" + "." * 39, *["." * 40] * 38, "." * 39 + "G"]
    mdp, policy = gridworld(layout, slip=0.2, discount=0.9)
    other = garden(40, slip=0.2, discount=0.9)
    assert mdp.is_sparse
    assert abs(mdp.transition - other.transition).max() < 1e-15
    assert_allclose(mdp.reward, other.reward, rtol=1e-14, atol=1e-16)
    assert_array_equal(mdp.initial, other.initial)
    assert_array_equal(policy.probs(), np.full((1600, 4), 0.25))


def test_a_gridworld_is_the_same_sparse_and_dense(monkeypatch):
    dense, _ = gridworld(slip=0.3, step_reward=-0.5)
    assert not dense.is_sparse
    monkeypatch.setattr("pgtlab.gallery._MOST_DENSE_STATES", dense.n_states - 1)
    thin, _ = gridworld(slip=0.3, step_reward=-0.5)
    assert thin.is_sparse
    assert_allclose(thin.transition.toarray().reshape(dense.transition.shape), dense.transition, rtol=1e-15)
    assert_array_equal(thin.reward, dense.reward)


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("SG", "layout must be rows of one length, such as ['S.', '#G'], got 'SG'"),
        ([], "layout must be rows of one length, such as ['S.', '#G'], got []"),
        (["SG", "."], "layout must be rows of one length, such as ['S.', '#G'], got ['SG', '.']"),
        (["Sx", ".y"], "layout has 'x'; expected only '#', '.', 'S' and 'G'"),
        ([".G"], "layout has no start; expected at least one 'S'"),
    ],
)
@pytest.mark.parametrize("make", [gridworld, cells])
def test_a_layout_is_rows_of_known_characters_with_a_start(make, layout, words):
    with pytest.raises(ValueError, match=exactly(words)):
        make(layout)


def test_a_slip_is_a_probability():
    with pytest.raises(ValueError, match=exactly("slip is 1.5; expected a probability in [0, 1]")):
        gridworld(slip=1.5)
    with pytest.raises(ValueError, match=exactly("slip is -0.5; expected a probability in [0, 1]")):
        gridworld(slip=-0.5)


def test_numbers_of_a_gridworld_are_checked():
    with pytest.raises(ValueError, match=exactly("discount is 2; expected a number in [0, 1]")):
        gridworld(discount=2)
    with pytest.raises(ValueError, match=r"^reward\[0, 0\] is nan"):
        gridworld(step_reward=np.nan)


# --- Garnet ----------------------------------------------------------------------------------------


@given(seeds, st.integers(1, 8), st.integers(1, 3), st.data())
def test_a_garnet_problem_has_its_branching_and_its_end(seed, n_states, n_actions, data):
    branching = data.draw(st.integers(1, n_states))
    end = data.draw(st.sampled_from([0.0, 0.25, 1.0]))
    mdp, policy = garnet(
        n_states, n_actions, branching, end_probability=end, discount=0.8, rng=np.random.default_rng(seed)
    )
    assert mdp.transition.shape == (n_states, n_actions, n_states)
    assert_allclose(mdp.transition.sum(-1), 1 - end, rtol=1e-12, atol=1e-15)
    if end < 1:
        # A share of the interval can be below any bound, but hardly 0.
        assert ((mdp.transition > 0).sum(-1) == branching).all()
    assert_array_equal(mdp.initial, np.full(n_states, 1 / n_states))
    assert_array_equal(policy.probs(), np.full((n_states, n_actions), 1 / n_actions))
    assert mdp.discount == 0.8


def test_one_seed_makes_one_garnet_problem():
    first, _ = garnet(5, 2, 3, rng=np.random.default_rng(1))
    second, _ = garnet(5, 2, 3, rng=np.random.default_rng(1))
    third, _ = garnet(5, 2, 3, rng=np.random.default_rng(2))
    assert_array_equal(first.transition, second.transition)
    assert_array_equal(first.reward, second.reward)
    assert np.abs(first.transition - third.transition).max() > 0.1
    assert np.abs(first.reward - third.reward).max() > 0.1


def test_garnet_draws_targets_and_rewards_as_promised():
    n = 100
    mdp, _ = garnet(n, 10, 3, rng=np.random.default_rng(3))
    # 1000 standard normals: mean within 5 / sqrt(1000), variance within 5.5 sqrt(2 / 1000), but for 1e-6.
    assert abs(mdp.reward.mean()) < 5 / math.sqrt(1000)
    assert abs(mdp.reward.var() - 1) < 5.5 * math.sqrt(2 / 1000)
    # Each of the 3000 targets is a state with probability 1/100, so a count is at least as concentrated as a
    # Poisson number of mean 30: by Chernoff's bound one of 100 is above 70 with a chance below 1e-6, and
    # below 3 with one of 1e-8.
    counts = (mdp.transition > 0).sum((0, 1))
    assert 2 < counts.min() <= counts.max() < 71
    # The shares of three are uniform on the triangle, with mean 1/3 and variance 1/18.
    shares = mdp.transition[mdp.transition > 0]
    assert_allclose(shares.var(), 1 / 18, rtol=0.15)


R = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("arguments", "changes", "error", "words"),
    [
        ((0, 2, 1), {}, ValueError, "n_states is 0; expected an integer of at least 1"),
        ((3, 0, 1), {}, ValueError, "n_actions is 0; expected an integer of at least 1"),
        ((3, 2, 0), {}, ValueError, "branching is 0; expected an integer of at least 1"),
        ((3, 2, 4), {}, ValueError, "branching is 4; expected at most n_states = 3"),
        ((3, 2, 1.0), {}, TypeError, "branching must be an integer, got float"),
        (
            (3, 2, 1),
            {"end_probability": 1.5},
            ValueError,
            "end_probability is 1.5; expected a probability in [0, 1]",
        ),
        (
            (3, 2, 1),
            {"end_probability": -1},
            ValueError,
            "end_probability is -1; expected a probability in [0, 1]",
        ),
        # 8 bytes for each of 10^12 pairs of states, in units of 2^30.
        (
            (10**6, 1, 1),
            {},
            ValueError,
            "transitions between 1000000 states under 1 actions would take 7.45e+03 GiB; expected at most 16 "
            "GiB",
        ),
        ((3, 2, 1), {"discount": -1}, ValueError, "discount is -1; expected a number in [0, 1]"),
        (
            (3, 2, 1),
            {"rng": 0},
            TypeError,
            "rng must be a numpy.random.Generator, got int; write rng=np.random.default_rng(seed)",
        ),
    ],
)
def test_bad_garnet_numbers_are_refused(arguments, changes, error, words):
    with pytest.raises(error, match=exactly(words)):
        garnet(*arguments, **({"rng": R} | changes))


def test_garnet_asks_for_a_generator():
    with pytest.raises(TypeError, match="rng"):
        garnet(3, 2, 1)


# --- linear-quadratic ------------------------------------------------------------------------------


def test_the_linear_quadratic_problem_has_the_values_of_its_description():
    mdp, policy = linear_quadratic(gain=-0.5, log_std=0.0, discount=0.8)
    # K3: c = 1/2, P = 1.25 / (1 - 0.8 / 4) = 1.5625, E x_0^2 = 1.25, w = 1 + 0.25, s^2 = 1.
    P = 1.25 / (1 - 0.8 * 0.25)
    J = -(P * 1.25 + (1 + 0.8 * P * 1.25) / 0.2)
    assert_allclose(expected_return(mdp, policy), J, rtol=1e-13)
    assert (float(policy.gain), float(policy.log_std)) == (-0.5, 0.0)


def test_the_defaults_of_the_linear_quadratic_problem_are_as_documented():
    mdp, policy = linear_quadratic()
    assert mdp.discount == 0.9
    assert_array_equal(policy.parameters, [-0.3, -1.0])
    assert linear_quadratic(discount=0.5)[0].discount == 0.5


# --- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [short_corridor, now_or_later, two_states, gridworld])
def test_a_finite_problem_comes_with_a_policy_that_fits(make):
    mdp, policy = make()
    assert isinstance(mdp, FiniteMDP)
    assert isinstance(policy, SoftmaxPolicy)
    assert policy.probs().shape == mdp.reward.shape
    assert policy_gradient(mdp, policy).shape == policy.parameters.shape


def test_a_policy_that_never_reaches_the_goal_is_refused_at_discount_1():
    # "Up" for ever, without slip, in the upper left corner.
    mdp, _ = gridworld(slip=0.0, discount=1.0)
    up = TablePolicy(np.tile([1.0, 0, 0, 0], (mdp.n_states, 1)))
    with pytest.raises(ValueError, match="the episode need not end: the start reaches state 0"):
        state_visitation(mdp, up)
