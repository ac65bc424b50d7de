"""The values of a policy: V, Q, A and J, by hand and by second routes."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from pgtlab import (
    FiniteMDP,
    LinearGaussianPolicy,
    LinearQuadraticMDP,
    SoftmaxPolicy,
    action_values,
    advantages,
    expected_return,
    state_values,
    state_visitation,
)
from pgtlab.exact.values import Quadratic
from pgtlab.gallery import linear_quadratic, now_or_later, short_corridor, two_states
from tests import routes
from tests.problems import (
    BATCHES,
    TablePolicy,
    exactly,
    garden,
    layered_problem,
    linear_quadratic_problems,
    problems,
    random_linear_quadratic,
    random_problem,
    seeds,
)

# --- closed forms ----------------------------------------------------------------------------------


def test_the_short_corridor_has_the_values_of_the_textbook():
    # K1 at p = 1/2: V0 = -1 + V1/2 + V0/2, V1 = -1 + V0/2 + V2/2, V2 = -1 + V1/2.
    mdp, policy = short_corridor(0.5)
    assert_allclose(state_values(mdp, policy), [-12, -10, -6], rtol=1e-13)
    assert_allclose(action_values(mdp, policy), [[-11, -13], [-13, -7], [-1, -11]], rtol=1e-13)
    assert_allclose(advantages(mdp, policy), [[1, -1], [-3, 3], [5, -5]], rtol=1e-12)
    assert_allclose(expected_return(mdp, policy), -12, rtol=1e-13)


@pytest.mark.parametrize("p", [0.1, 0.5, 2 - math.sqrt(2), 0.9])
def test_the_short_corridor_has_its_return_for_every_p(p):
    assert_allclose(expected_return(*short_corridor(p)), -2 * (2 - p) / (p * (1 - p)), rtol=1e-12)


@pytest.mark.parametrize("p", [0.25, 0.5, 0.999])
def test_now_or_later_by_hand(p):
    # K2: J = 9 p + (1 - p); Q = (0.9 * 10, 1) in state 0 and 10 in state 1.
    mdp, policy = now_or_later(p)
    assert_allclose(expected_return(mdp, policy), 1 + 8 * p, rtol=1e-13)
    assert_allclose(action_values(mdp, policy), [[9, 1], [10, 10]], rtol=1e-13)


def test_two_states_by_hand():
    # K4 with both probabilities of staying 1/2: V0 = 1/2 + 0.45 (V0 + V1), V1 = 1 + 0.45 (V0 + V1),
    # so V0 + V1 = 1.5 + 0.9 (V0 + V1) = 15, and V = (7.25, 7.75).
    mdp, policy = two_states(0.5, 0.5)
    assert_allclose(state_values(mdp, policy), [7.25, 7.75], rtol=1e-12)
    assert_allclose(expected_return(mdp, policy), 7.25, rtol=1e-12)


def test_the_values_are_per_state_and_the_return_is_weighted_by_the_start():
    mdp, policy = two_states(0.5, 0.5, initial=(0.2, 0.8))
    assert_allclose(expected_return(mdp, policy), 0.2 * 7.25 + 0.8 * 7.75, rtol=1e-12)


def test_discount_0_leaves_the_first_reward():
    mdp, policy = random_problem(np.random.default_rng(0), discount=0.0)
    assert_allclose(action_values(mdp, policy), mdp.reward, rtol=1e-15)
    assert_allclose(state_values(mdp, policy), (policy.probs() * mdp.reward).sum(-1), rtol=1e-14)


# --- two routes ------------------------------------------------------------------------------------


def agrees(result, expected, known):
    """Compare where the values exist, and ask for NaN elsewhere."""
    assert_allclose(result[known], expected[known], rtol=1e-9, atol=1e-10)
    assert np.isnan(result[~known]).all()


@given(problems())
def test_values_equal_the_truncated_sums_of_what_is_earned(problem):
    mdp, policy = problem
    probs = policy.probs()
    # At discount 1 the states that the start does not reach go round for ever here.
    known = np.ones(mdp.n_states, dtype=bool)
    if mdp.discount == 1:
        known[:] = False
        known[routes.reachable(mdp, probs)] = True
        # States that the start happens not to reach may end all the same.
        known |= ~np.isnan(state_values(mdp, policy))
    inside = np.flatnonzero(known)
    part = FiniteMDP(
        mdp.transition[np.ix_(inside, range(mdp.n_actions), inside)],
        mdp.reward[inside],
        mdp.initial[inside],
        mdp.discount,
    )
    V, Q = np.full(mdp.n_states, np.nan), np.full(probs.shape, np.nan)
    V[inside], Q[inside] = routes.values(part, probs[inside]), routes.action_values(part, probs[inside])
    agrees(state_values(mdp, policy), V, known)
    agrees(action_values(mdp, policy), Q, known)
    agrees(advantages(mdp, policy), Q - V[:, None], known)
    assert_allclose(expected_return(mdp, policy), mdp.initial[inside] @ V[inside], rtol=1e-9, atol=1e-10)


@given(seeds)
def test_values_equal_the_sum_over_all_paths(seed):
    mdp, policy = layered_problem(np.random.default_rng(seed))
    probs = policy.probs()

    def mean_return(state=None):
        return math.fsum(p * routes.path_return(mdp, path) for p, path in routes.paths(mdp, probs, state))

    assert_allclose(math.fsum(p for p, _ in routes.paths(mdp, probs)), 1, rtol=1e-12)
    assert_allclose(expected_return(mdp, policy), mean_return(), rtol=1e-11, atol=1e-12)
    V = [mean_return(s) for s in range(mdp.n_states)]
    assert_allclose(state_values(mdp, policy), V, rtol=1e-11, atol=1e-12)


@given(problems(discounts=(0.0, 0.5, 0.99)))
def test_the_three_forms_of_the_return_agree(problem):
    # (8.4) and (10.1): J = p0 . V = rho . r_pi = sum p0 pi Q.
    mdp, policy = problem
    J = expected_return(mdp, policy)
    rho, Q = routes.visits(mdp, policy.probs()), action_values(mdp, policy)
    assert_allclose(J, np.einsum("s,sa,sa->", rho, policy.probs(), mdp.reward), rtol=1e-9, atol=1e-10)
    assert_allclose(J, np.einsum("s,sa,sa->", mdp.initial, policy.probs(), Q), rtol=1e-9, atol=1e-10)


@given(problems(discounts=(0.0, 0.5, 0.99)))
def test_the_mean_advantage_is_zero_in_every_state(problem):
    mdp, policy = problem
    mean = (policy.probs() * advantages(mdp, policy)).sum(-1)
    assert_allclose(mean, np.zeros(mdp.n_states), rtol=0, atol=1e-9)


def test_simulated_returns_have_the_mean_j_and_would_not_if_rewards_came_late():
    mdp, policy = random_problem(np.random.default_rng(1), discount=0.5)
    mdp = FiniteMDP(mdp.transition, 1 + 0.2 * np.tanh(mdp.reward), mdp.initial, 0.5)
    n, horizon = 4000, 12
    states, actions = routes.simulate(mdp, policy.probs(), n, horizon, np.random.default_rng(2))
    earned = np.where(states >= 0, mdp.reward[states, actions], 0.0)
    mean = (earned * 0.5 ** np.arange(horizon)).sum(1).mean()
    # A return lies between 0 and 1.2 * 2, and what the horizon cuts off is at most 2.4 * 0.5^12: a false
    # alarm has a chance of 1e-6.
    bound = routes.hoeffding(2.4, n) + 2.4 * 0.5**horizon
    J = expected_return(mdp, policy)
    assert_allclose(mean, J, rtol=0, atol=bound)
    # M5: with each reward a step late the mean would be J / 2. That is beyond twice the bound, so that the
    # mistake would go unseen with a chance of 1e-6 at most.
    assert 2 * bound < J / 2


# --- batches, sparse, NumPy alone ------------------------------------------------------------------

QUANTITIES = [state_values, action_values, advantages, expected_return]


@given(problems(batches=BATCHES))
def test_a_batch_equals_a_loop(problem):
    mdp, policy = problem
    batch = policy.parameters.shape[:-1]
    for quantity in QUANTITIES:
        result = np.asarray(quantity(mdp, policy))
        assert result.shape[: len(batch)] == batch
        for n in np.ndindex(batch):
            one = quantity(mdp, policy.with_parameters(policy.parameters[n]))
            assert_allclose(result[n], one, rtol=1e-9, atol=1e-10)


@given(problems())
def test_sparse_transitions_give_the_values_of_dense_ones(problem):
    mdp, policy = problem
    rows = sparse.csr_array(mdp.transition.reshape(-1, mdp.n_states))
    thin = FiniteMDP(rows, mdp.reward, mdp.initial, mdp.discount)
    for quantity in QUANTITIES:
        assert_allclose(quantity(thin, policy), quantity(mdp, policy), rtol=1e-9, atol=1e-10)


def test_a_large_sparse_grid_has_the_values_of_repeated_backups():
    mdp = garden(40, discount=0.9)
    policy = SoftmaxPolicy.tabular(np.random.default_rng(3).normal(size=(1600, 4)))
    P = [mdp.transition[a::4] for a in range(4)]
    V = np.zeros(1600)
    for _ in range(300):
        V = sum(policy.probs()[:, a] * (mdp.reward[:, a] + 0.9 * (P[a] @ V)) for a in range(4))
    assert_allclose(state_values(mdp, policy), V, rtol=1e-8, atol=1e-12)


def test_a_single_return_is_a_float():
    mdp, policy = random_problem(np.random.default_rng(4))
    assert type(expected_return(mdp, policy)) is float
    assert type(expected_return(*random_linear_quadratic(np.random.default_rng(4)))) is float


# --- discount 1 ------------------------------------------------------------------------------------

# State 0 ends or goes to 1, state 1 ends. State 2 goes round for ever or leads to 0: no start reaches it.
LOOP = FiniteMDP(
    [[[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]], [[0, 0, 1], [0.5, 0, 0.5]]],
    [[1, 2], [3, 3], [1, 1]],
    [1, 0, 0],
    1.0,
)


def test_at_discount_1_states_out_of_reach_that_need_not_end_have_no_value():
    # V1 = 3, V0 = (1 + 3) / 2 + 2 / 2 = 3. State 2 always stays.
    policy = TablePolicy(np.array([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]]))
    assert_array_equal(state_values(LOOP, policy), [3, 3, np.nan])
    assert_array_equal(action_values(LOOP, policy), [[4, 2], [3, 3], [np.nan, np.nan]])
    assert_array_equal(advantages(LOOP, policy), [[1, -1], [0, 0], [np.nan, np.nan]])
    assert expected_return(LOOP, policy) == 3.0


def test_at_discount_1_an_untaken_action_into_a_loop_has_no_value():
    # Two states: "stop" ends, "enter" leads to the state that goes round for ever.
    mdp = FiniteMDP([[[0, 0], [0, 1]], [[0, 1], [0, 1]]], [[5, 1], [1, 1]], [1, 0], 1.0)
    stop = TablePolicy(np.array([[1.0, 0.0], [0.5, 0.5]]))
    assert_array_equal(state_values(mdp, stop), [5, np.nan])
    assert_array_equal(action_values(mdp, stop), [[5, np.nan], [np.nan, np.nan]])
    assert_array_equal(advantages(mdp, stop), [[0, np.nan], [np.nan, np.nan]])


def test_at_discount_1_a_state_out_of_reach_that_ends_has_a_value():
    # As above, but state 2 leads to 0 half of the time: V2 = 1 + V0/2 + V2/2 = 2 + 3.
    policy = TablePolicy(np.array([[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]))
    assert_allclose(state_values(LOOP, policy), [3, 3, 5], rtol=1e-14)


# --- linear-quadratic ------------------------------------------------------------------------------


def lq_values(mdp, policy, x, n_steps=600):
    """Return V(x) as the sum over time of the mean cost, from the recursion of mean and variance."""
    k, s = float(policy.gain), math.exp(float(policy.log_std))
    mean, variance, weight, total = x, 0.0, 1.0, 0.0
    for _ in range(n_steps):
        square = mean**2 + variance
        total -= weight * (mdp.state_cost * square + mdp.action_cost * (k**2 * square + s**2))
        c = mdp.drift + mdp.control * k
        mean, variance = c * mean, c**2 * variance + (mdp.control * s) ** 2 + mdp.noise_std**2
        weight *= mdp.discount
    return total


def test_the_linear_quadratic_values_by_hand():
    # K3 with a = b = q = r = 1, k = -1, so c = 0; s = 1, se = 0, gamma = 1/2: P = 2 and
    # d = (r s^2 + gamma P b^2 s^2) / (1 - gamma) = (1 + 1) / 0.5 = 4.
    mdp = LinearQuadraticMDP(1, 1, 1, 1, 0, 3, 2, 0.5)
    policy = LinearGaussianPolicy(-1.0, 0.0)
    V, Q, A = (quantity(mdp, policy) for quantity in (state_values, action_values, advantages))
    assert V(0.0) == -4.0
    assert V(3.0) == -2 * 9 - 4
    # Q(x, u) = -x^2 - u^2 + (-2 (x + u)^2 - 4) / 2.
    assert_allclose(Q(3.0, 1.0), -9 - 1 - 16 - 2, rtol=1e-14)
    assert_allclose(A(3.0, 1.0), -28 + 22, rtol=1e-14)
    assert_allclose(expected_return(mdp, policy), -2 * (9 + 4) - 4, rtol=1e-14)


@given(linear_quadratic_problems())
def test_linear_quadratic_values_equal_the_sums_over_time(problem):
    mdp, policy = problem
    V = state_values(mdp, policy)
    for x in (0.0, 1.0, -2.5):
        assert_allclose(V(x), lq_values(mdp, policy, x), rtol=1e-10, atol=1e-12)
    J = routes.gauss(lambda x: lq_values(mdp, policy, x), mdp.initial_mean, mdp.initial_std)
    assert_allclose(expected_return(mdp, policy), J, rtol=1e-10)


@given(linear_quadratic_problems())
def test_linear_quadratic_values_solve_the_bellman_equations_as_integrals(problem):
    mdp, policy = problem
    V, Q, A = (quantity(mdp, policy) for quantity in (state_values, action_values, advantages))
    k, s = float(policy.gain), math.exp(float(policy.log_std))
    for x in (0.0, 1.0, -2.5):
        for u in (0.0, 2.0, -0.5):
            # (11.1): an integral over the next state.
            following = routes.gauss(V, mdp.drift * x + mdp.control * u, mdp.noise_std)
            expected = -(mdp.state_cost * x**2) - mdp.action_cost * u**2 + mdp.discount * following
            assert_allclose(Q(x, u), expected, rtol=1e-11, atol=1e-12)
            assert_allclose(A(x, u), Q(x, u) - V(x), rtol=1e-11, atol=1e-11)
        # (10.1): an integral over the action.
        assert_allclose(routes.gauss(lambda u, x=x: Q(x, u), k * x, s), V(x), rtol=1e-11, atol=1e-12)
        mean_advantage = routes.gauss(lambda u, x=x: A(x, u), k * x, s)
        assert_allclose(mean_advantage, 0, rtol=0, atol=1e-11 * abs(V(x)))


@pytest.mark.parametrize("batch", BATCHES)
def test_a_batch_of_linear_quadratic_values_equals_a_loop(batch):
    mdp, policy = random_linear_quadratic(np.random.default_rng(5), batch=batch)
    x, u = np.random.default_rng(6).normal(size=(2, 4))
    assert np.shape(expected_return(mdp, policy)) == batch
    assert state_values(mdp, policy)(x).shape == (*batch, 4)
    for n in np.ndindex(batch):
        one = policy.with_parameters(policy.parameters[n])
        for quantity, at in ((state_values, (x,)), (action_values, (x, u)), (advantages, (x, u))):
            assert_allclose(quantity(mdp, policy)(*at)[n], quantity(mdp, one)(*at), rtol=1e-12, atol=1e-13)
        assert_allclose(np.asarray(expected_return(mdp, policy))[n], expected_return(mdp, one), rtol=1e-13)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_gain_without_a_return_is_refused(quantity):
    mdp, _ = random_linear_quadratic(np.random.default_rng(7), discount=0.9)
    policy = LinearGaussianPolicy((1.2 - mdp.drift) / mdp.control, 0.0)
    with pytest.raises(ValueError, match="expected below 1, or the expected return does not exist"):
        quantity(mdp, policy)


# --- quadratics ------------------------------------------------------------------------------------


def test_a_quadratic_can_be_called_with_numbers_and_arrays():
    f = Quadratic(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array(5.0))
    # x^2 + (2 + 3) x y + 4 y^2 + 5
    assert f(1.0, 10.0) == 1 + 50 + 400 + 5
    assert type(f(1.0, 10.0)) is float
    assert_array_equal(f([0.0, 1.0], 1.0), [9, 15])
    assert f(np.zeros((2, 1)), np.zeros(3)).shape == (2, 3)


def test_a_batch_of_quadratics_has_its_axes_first():
    f = Quadratic(np.array([1.0, 2.0])[:, None, None], np.array([0.0, 10.0]))
    assert_array_equal(f([1.0, 2.0, 3.0]), [[1, 4, 9], [12, 18, 28]])


def test_a_quadratic_takes_as_many_variables_as_it_has():
    one, two = Quadratic(np.ones((1, 1)), np.array(0.0)), Quadratic(np.ones((2, 2)), np.array(0.0))
    with pytest.raises(TypeError, match=exactly("this function takes 1 variable, got 2")):
        one(1.0, 2.0)
    with pytest.raises(TypeError, match=exactly("this function takes 2 variables, got 1")):
        two(1.0)


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_what_is_no_problem_is_a_type_error(quantity):
    with pytest.raises(TypeError, match=exactly("mdp must be a FiniteMDP or a LinearQuadraticMDP, got str")):
        quantity("problem", SoftmaxPolicy.tabular([[0.0]]))


def test_visits_and_values_are_dual():
    # p0 . V = rho . r for any reward: the two systems have one matrix.
    mdp, policy = random_problem(np.random.default_rng(8))
    r = (policy.probs() * mdp.reward).sum(-1)
    assert_allclose(state_visitation(mdp, policy) @ r, expected_return(mdp, policy), rtol=1e-12)


def test_linear_quadratic_advantages_keep_their_digits_near_discount_1():
    # V is about -1e12. A is Q less its mean over u: of u^2 that is k^2 x^2 + s^2. With a = b = q = r = 1 at
    # k = -1/2 and s = 1, P = (5/4) / (1 - gamma / 4).
    mdp, policy = linear_quadratic(gain=-0.5, log_std=0.0)
    mdp = dataclasses.replace(mdp, discount=1 - 1e-12)
    gamma = Fraction(mdp.discount)
    P = Fraction(5, 4) / (1 - gamma / 4)
    Q_uu, Q_xu = -(1 + gamma * P), -gamma * P
    for x, u in ((0.0, 0.0), (2.0, -1.0), (-1.0, 3.0)):
        mean = Fraction(-x / 2)
        x, u = Fraction(x), Fraction(u)
        expected = Q_uu * (u**2 - mean**2 - 1) + 2 * Q_xu * x * (u - mean)
        assert_allclose(advantages(mdp, policy)(float(x), float(u)), float(expected), rtol=1e-14)
