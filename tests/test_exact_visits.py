"""Where a policy goes: t-step probabilities and rho, by hand and by second routes."""

from __future__ import annotations

import dataclasses
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from pgtlab import (
    FiniteMDP,
    LinearGaussianPolicy,
    LinearQuadraticMDP,
    SoftmaxPolicy,
    chain,
    state_visitation,
    state_visitation_distribution,
    transition_probabilities,
)
from pgtlab.gallery import gridworld, linear_quadratic, now_or_later, short_corridor
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


def as_sparse(mdp):
    """Return the same problem with sparse transitions."""
    rows = sparse.csr_array(mdp.transition.reshape(-1, mdp.n_states))
    return FiniteMDP(rows, mdp.reward, mdp.initial, mdp.discount)


# --- t steps ---------------------------------------------------------------------------------------


def test_no_step_leads_nowhere_and_one_step_is_the_mixed_transition():
    # K1 at p = 1/4: state 0 stays with 3/4; 1 is reversed; 2 ends with 1/4.
    mdp, policy = short_corridor(0.25)
    assert_array_equal(transition_probabilities(mdp, policy, 0), np.eye(3))
    expected = [[0.75, 0.25, 0], [0.25, 0, 0.75], [0, 0.75, 0]]
    assert_allclose(transition_probabilities(mdp, policy, 1), expected, rtol=1e-14, atol=1e-16)


@given(problems(), st.integers(0, 5))
def test_t_steps_are_t_times_one_step(problem, t):
    mdp, policy = problem
    P, _ = routes.mixed(mdp, policy.probs())
    expected = np.eye(mdp.n_states)
    for _ in range(t):
        expected = [
            [math.fsum(row[k] * P[k, j] for k in range(len(P))) for j in range(len(P))] for row in expected
        ]
    result = transition_probabilities(mdp, policy, t)
    assert_allclose(result, expected, rtol=1e-11, atol=1e-14)
    thin = transition_probabilities(as_sparse(mdp), policy, t)
    assert sparse.issparse(thin)
    assert_allclose(thin.toarray(), expected, rtol=1e-11, atol=1e-14)


@given(seeds)
def test_t_steps_have_the_probabilities_of_the_paths(seed):
    mdp, policy = layered_problem(np.random.default_rng(seed))
    paths = [(s, list(routes.paths(mdp, policy.probs(), s))) for s in range(mdp.n_states)]
    for t in range(4):
        expected = np.zeros((mdp.n_states, mdp.n_states))
        for s, of_s in paths:
            for probability, path in of_s:
                if t < len(path):
                    expected[s, path[t][0]] += probability
        assert_allclose(transition_probabilities(mdp, policy, t), expected, rtol=1e-11, atol=1e-13)


def test_t_steps_exist_at_discount_1_even_where_nothing_ends():
    mdp = FiniteMDP([[[0.0, 1.0]], [[1.0, 0.0]]], [[1], [1]], [1, 0], 1.0)
    only = TablePolicy(np.ones((2, 1)))
    assert_array_equal(transition_probabilities(mdp, only, 3), [[0, 1], [1, 0]])


@pytest.mark.parametrize("problem", [random_problem, random_linear_quadratic])
def test_the_number_of_steps_is_an_integer_of_at_least_0(problem):
    mdp, policy = problem(np.random.default_rng(0))
    with pytest.raises(ValueError, match=exactly("t is -1; expected an integer of at least 0")):
        transition_probabilities(mdp, policy, -1)
    with pytest.raises(TypeError, match=exactly("t must be an integer, got float")):
        transition_probabilities(mdp, policy, 2.0)


# --- rho: closed forms -----------------------------------------------------------------------------


def test_the_short_corridor_is_visited_6_4_and_2_times():
    # K1 at p = 1/2, transposed: rho0 = 1 + rho0/2 + rho1/2, rho1 = rho0/2 + rho2/2, rho2 = rho1/2.
    mdp, policy = short_corridor(0.5)
    assert_allclose(state_visitation(mdp, policy), [6, 4, 2], rtol=1e-13)
    assert_allclose(state_visitation_distribution(mdp, policy), [1 / 2, 1 / 3, 1 / 6], rtol=1e-13)


def test_now_or_later_visits_the_second_state_with_discounted_probability():
    # K2: rho = (1, 0.9 p).
    assert_allclose(state_visitation(*now_or_later(0.3)), [1, 0.27], rtol=1e-13)


def test_the_mass_is_the_discounted_length_of_an_episode():
    mdp, policy = random_problem(np.random.default_rng(1), discount=0.8)
    # What a reward of 1 in each step earns.
    steps = FiniteMDP(mdp.transition, np.ones((4, 3)), mdp.initial, 0.8)
    mass = mdp.initial @ routes.values(steps, policy.probs())
    assert mass < 5
    assert_allclose(state_visitation(mdp, policy).sum(), mass, rtol=1e-12)


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99])
def test_the_mass_is_1_over_1_minus_discount_when_nothing_ends(discount):
    mdp = FiniteMDP(np.full((3, 2, 3), 1 / 3), np.zeros((3, 2)), [0, 1, 0], discount)
    rho = state_visitation(mdp, SoftmaxPolicy.tabular(np.zeros((3, 2))))
    assert_allclose(rho.sum(), 1 / (1 - discount), rtol=1e-12)


def test_discount_0_visits_the_start_only():
    mdp, policy = random_problem(np.random.default_rng(2), discount=0.0)
    assert_array_equal(state_visitation(mdp, policy), mdp.initial)


# --- rho: two routes -------------------------------------------------------------------------------


@given(problems())
def test_rho_equals_the_truncated_sum_over_time(problem):
    mdp, policy = problem
    expected = routes.visits(mdp, policy.probs())
    rho = state_visitation(mdp, policy)
    assert_allclose(rho, expected, rtol=1e-9, atol=1e-10)
    share = state_visitation_distribution(mdp, policy)
    assert_allclose(share, expected / expected.sum(), rtol=1e-9, atol=1e-10)
    # Out of reach is exactly 0 at discount 1, where values there need not exist.
    if mdp.discount == 1:
        outside = np.setdiff1d(np.arange(mdp.n_states), routes.reachable(mdp, policy.probs()))
        assert_array_equal(rho[outside], 0)


@given(problems(discounts=(0.0, 0.5, 0.99)))
def test_rho_solves_the_transposed_bellman_equation(problem):
    mdp, policy = problem
    P, _ = routes.mixed(mdp, policy.probs())
    rho = state_visitation(mdp, policy)
    for p in range(mdp.n_states):
        entering = math.fsum(rho[s] * P[s, p] for s in range(mdp.n_states))
        assert_allclose(rho[p], mdp.initial[p] + mdp.discount * entering, rtol=1e-10, atol=1e-11)


@given(seeds)
def test_rho_counts_the_visits_of_all_paths(seed):
    mdp, policy = layered_problem(np.random.default_rng(seed))
    expected = np.zeros(mdp.n_states)
    for probability, path in routes.paths(mdp, policy.probs()):
        for t, (s, _) in enumerate(path):
            expected[s] += probability * mdp.discount**t
    assert_allclose(state_visitation(mdp, policy), expected, rtol=1e-11, atol=1e-13)


def test_rho_is_the_sum_of_the_t_step_probabilities():
    # (8.5) with the room's own p(s -> s', t, pi), by hand for 400 terms: 0.9^400 < 1e-18.
    mdp, policy = gridworld(discount=0.9)
    total = sum(0.9**t * mdp.initial @ transition_probabilities(mdp, policy, t) for t in range(400))
    assert_allclose(state_visitation(mdp, policy), total, rtol=1e-11, atol=1e-14)


def test_a_forgotten_transpose_and_a_second_normalisation_are_caught():
    # M11 and M8: each is off by far more than the tolerance of the tests above.
    mdp, policy = random_problem(np.random.default_rng(3), discount=0.9)
    P, _ = routes.mixed(mdp, policy.probs())
    rho = state_visitation(mdp, policy)
    untransposed = np.linalg.solve(np.eye(4) - 0.9 * P, mdp.initial)
    assert np.abs(untransposed - rho).max() > 0.01
    assert np.abs((1 - 0.9) * rho - state_visitation_distribution(mdp, policy)).max() > 0.01


def test_simulated_visits_have_the_mean_rho_and_undiscounted_ones_do_not():
    mdp, policy = random_problem(np.random.default_rng(4), discount=0.5)
    n, horizon = 4000, 12
    states, _ = routes.simulate(mdp, policy.probs(), n, horizon, np.random.default_rng(5))
    here = states[..., None] == np.arange(4)
    mean = (here * 0.5 ** np.arange(horizon)[:, None]).sum(1).mean(0)
    # The discounted visits of a path lie between 0 and 2; four states share the false alarm of 1e-6.
    bound = routes.hoeffding(2.0, n / 1.1) + 2 * 0.5**horizon
    rho = state_visitation(mdp, policy)
    assert_allclose(mean, rho, rtol=0, atol=bound)
    # M3: without the discount the counts are beyond twice the bound.
    assert np.abs(here.sum(1).mean(0) - rho).max() > 2 * bound


# --- rho: batches, sparse, NumPy alone -------------------------------------------------------------


@given(problems(batches=BATCHES))
def test_a_batch_equals_a_loop(problem):
    mdp, policy = problem
    batch = policy.parameters.shape[:-1]
    results = [
        state_visitation(mdp, policy),
        state_visitation_distribution(mdp, policy),
        transition_probabilities(mdp, policy, 3),
    ]
    for n in np.ndindex(batch):
        one = policy.with_parameters(policy.parameters[n])
        assert_allclose(results[0][n], state_visitation(mdp, one), rtol=1e-9, atol=1e-11)
        assert_allclose(results[1][n], state_visitation_distribution(mdp, one), rtol=1e-9, atol=1e-11)
        assert_allclose(results[2][n], transition_probabilities(mdp, one, 3), rtol=1e-12, atol=1e-14)
    assert [each.shape[: len(batch)] for each in results] == [batch] * 3


@given(problems())
def test_sparse_transitions_and_numpy_alone_give_the_same_rho(problem):
    mdp, policy = problem
    rho = state_visitation(mdp, policy)
    assert_allclose(state_visitation(as_sparse(mdp), policy), rho, rtol=1e-9, atol=1e-11)
    again = FiniteMDP(mdp.transition, mdp.reward, mdp.initial, mdp.discount)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(sys.modules, "scipy.linalg.lapack", None)
        assert_allclose(state_visitation(again, policy), rho, rtol=1e-9, atol=1e-11)


def test_a_large_sparse_grid_has_the_rho_of_repeated_steps():
    mdp = garden(40, discount=0.9)
    policy = SoftmaxPolicy.tabular(np.random.default_rng(6).normal(size=(1600, 4)))
    P = [mdp.transition[a::4].T.tocsr() for a in range(4)]
    total = term = np.array(mdp.initial)
    for _ in range(300):
        term = 0.9 * sum(P[a] @ (policy.probs()[:, a] * term) for a in range(4))
        total = total + term
    rho = state_visitation(mdp, policy)
    assert_allclose(rho, total, rtol=1e-8, atol=1e-13)
    assert_allclose(state_visitation_distribution(mdp, policy), total / total.sum(), rtol=1e-8, atol=1e-13)


# --- linear-quadratic: the kernel ------------------------------------------------------------------


def grid(mean, std, n=2401):
    """Return points far beyond where a Gaussian has died out: the trapezoidal rule is exact to rounding."""
    return np.linspace(mean - 12 * std, mean + 12 * std, n)


@given(linear_quadratic_problems())
def test_one_step_of_the_kernel_is_an_integral_over_the_action(problem):
    # (13.1) as an integral: pi(x, u) times the density of a x + b u + e at y.
    mdp, policy = problem
    k, s = float(policy.gain), math.exp(float(policy.log_std))
    kernel = transition_probabilities(mdp, policy, 1)
    for x, y in ((0.0, 0.3), (1.5, -0.2)):
        # Fine enough for whichever of the two Gaussians in u is the narrower one.
        u = np.linspace(k * x - 12 * s, k * x + 12 * s, 20_001)
        following = routes.normal(y, mdp.drift * x + mdp.control * u, mdp.noise_std)
        expected = np.trapezoid(routes.normal(u, k * x, s) * following, u)
        assert_allclose(kernel.density(x, y), expected, rtol=1e-9, atol=1e-14)


@given(linear_quadratic_problems(), st.integers(1, 4), st.integers(1, 4))
def test_the_kernels_satisfy_chapman_and_kolmogorov(problem, t, u):
    mdp, policy = problem
    first, second, both = (transition_probabilities(mdp, policy, n) for n in (t, u, t + u))
    x, z = 0.7, -0.4
    # The integrand is a Gaussian in y; this grid is fine enough for any of these problems.
    y = np.linspace(-30, 30, 30_001)
    expected = np.trapezoid(first.density(x, y) * second.density(y, z), y)
    assert_allclose(both.density(x, z), expected, rtol=1e-8, atol=1e-12)


@given(linear_quadratic_problems(), st.integers(1, 6))
def test_the_kernel_has_the_mean_and_variance_of_its_recursion(problem, t):
    mdp, policy = problem
    c = mdp.drift + mdp.control * float(policy.gain)
    w = (mdp.control * math.exp(float(policy.log_std))) ** 2 + mdp.noise_std**2
    mean, variance = 1.5, 0.0
    for _ in range(t):
        mean, variance = c * mean, c**2 * variance + w
    kernel = transition_probabilities(mdp, policy, t)
    assert_allclose(kernel.drift * 1.5, mean, rtol=1e-11, atol=1e-14)
    assert_allclose(kernel.std**2, variance, rtol=1e-11)
    assert_allclose(kernel.density(1.5, 0.2), routes.normal(0.2, mean, math.sqrt(variance)), rtol=1e-10)


def test_no_step_of_the_kernel_has_no_density():
    kernel = transition_probabilities(*random_linear_quadratic(np.random.default_rng(7)), 0)
    assert (kernel.drift, kernel.std) == (1.0, 0.0)
    words = "the state has std 0 after this many steps; expected a std above 0, as a density needs"
    with pytest.raises(ValueError, match=exactly(words)):
        kernel.density(1.0, 1.0)


def test_the_kernel_exists_even_where_the_return_does_not():
    mdp, _ = random_linear_quadratic(np.random.default_rng(8))
    kernel = transition_probabilities(mdp, LinearGaussianPolicy((2 - mdp.drift) / mdp.control, 0.0), 3)
    assert_allclose(kernel.drift, 8.0, rtol=1e-12)


# --- linear-quadratic: rho -------------------------------------------------------------------------


def test_the_gaussian_measure_by_hand():
    # c = 0: from the first step on N(0, w), with w = s^2 + se^2 = 1 + 3. gamma = 1/2.
    mdp = LinearQuadraticMDP(1, 1, 1, 1, math.sqrt(3), 2, 0.5, 0.5)
    policy = LinearGaussianPolicy(-1.0, 0.0)
    rho, share = state_visitation(mdp, policy), state_visitation_distribution(mdp, policy)
    assert (rho.mass, share.mass) == (2.0, 1.0)
    # E x_0^2 = 4.25, then 4 with total weight 1/2 + 1/4 + ... = 1.
    assert_allclose(rho.second_moment, 8.25, rtol=1e-14)
    assert_allclose(share.second_moment, 4.125, rtol=1e-14)
    assert type(rho.second_moment) is float
    x = np.array([-1.0, 0.0, 2.0])
    expected = routes.normal(x, 2, 0.5) + routes.normal(x, 0, 2)
    assert_allclose(rho.density(x), expected, rtol=1e-11)
    assert_allclose(share.density(x), expected / 2, rtol=1e-11)


@given(linear_quadratic_problems())
def test_the_density_integrates_to_mass_and_second_moment(problem):
    mdp, policy = problem
    for measure in (state_visitation(mdp, policy), state_visitation_distribution(mdp, policy)):
        # The narrowest term has the std of the start or of the noise, at least 0.1.
        x = np.linspace(-40, 40, 8001)
        density = measure.density(x)
        assert_allclose(np.trapezoid(density, x), measure.mass, rtol=1e-10)
        assert_allclose(np.trapezoid(x**2 * density, x), measure.second_moment, rtol=1e-9)
    assert_allclose(state_visitation(mdp, policy).mass, 1 / (1 - mdp.discount), rtol=1e-14)
    assert state_visitation_distribution(mdp, policy).mass == 1.0


@given(linear_quadratic_problems())
def test_the_density_is_the_sum_over_time_of_the_kernels_on_the_start(problem):
    # (8.5) as an integral over the start and a sum over t.
    mdp, policy = problem
    x0 = grid(mdp.initial_mean, mdp.initial_std)
    start = routes.normal(x0, mdp.initial_mean, mdp.initial_std)
    x = 0.4
    total, n_terms = routes.normal(x, mdp.initial_mean, mdp.initial_std), 1
    while mdp.discount**n_terms > 1e-13:
        kernel = transition_probabilities(mdp, policy, n_terms)
        total += mdp.discount**n_terms * np.trapezoid(start * kernel.density(x0, x), x0)
        n_terms += 1
    assert_allclose(state_visitation(mdp, policy).density(x), total, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("batch", BATCHES)
def test_a_batch_of_gaussian_measures_and_kernels_equals_a_loop(batch):
    mdp, policy = random_linear_quadratic(np.random.default_rng(9), batch=batch)
    x, y = np.random.default_rng(10).normal(size=(2, 4))
    rho, kernel = state_visitation(mdp, policy), transition_probabilities(mdp, policy, 3)
    assert rho.density(x).shape == kernel.density(x, y).shape == (*batch, 4)
    assert np.shape(rho.second_moment) == np.shape(kernel.std) == batch
    for n in np.ndindex(batch):
        one = policy.with_parameters(policy.parameters[n])
        assert_allclose(rho.density(x)[n], state_visitation(mdp, one).density(x), rtol=1e-12)
        moment = state_visitation(mdp, one).second_moment
        assert_allclose(np.asarray(rho.second_moment)[n], moment, rtol=1e-13)
        expected = transition_probabilities(mdp, one, 3).density(x, y)
        assert_allclose(kernel.density(x, y)[n], expected, rtol=1e-12)


def test_points_of_state_and_next_state_broadcast():
    kernel = transition_probabilities(*random_linear_quadratic(np.random.default_rng(11)), 2)
    table = kernel.density(np.zeros((3, 1)), np.arange(2.0))
    assert table.shape == (3, 2)
    assert_allclose(table[1, 1], kernel.density(0.0, 1.0), rtol=1e-14)


def test_a_start_in_one_point_has_moments_and_no_density():
    mdp = LinearQuadraticMDP(1, 1, 1, 1, 0.5, 2, 0, 0.5)
    rho = state_visitation(mdp, LinearGaussianPolicy(-1.0, 0.0))
    # 4 at the start, then w = 1.25 with total weight 1.
    assert_allclose(rho.second_moment, 5.25, rtol=1e-14)
    words = "the state has std 0 at the start; expected a std above 0, as a density needs"
    with pytest.raises(ValueError, match=exactly(words)):
        rho.density(1.0)


def test_a_state_that_is_driven_into_one_point_has_no_density():
    # No noise, no control, and a drift of 0: every state but the first is 0.
    mdp = LinearQuadraticMDP(0, 0, 1, 1, 0, 2, 1, 0.5)
    rho = state_visitation(mdp, LinearGaussianPolicy(-1.0, 0.0))
    with pytest.raises(ValueError, match=r"^the state has std 0 after the start; expected a std above 0"):
        rho.density(1.0)


@pytest.mark.parametrize("quantity", [state_visitation, state_visitation_distribution])
def test_what_is_no_problem_is_a_type_error(quantity):
    with pytest.raises(TypeError, match=exactly("mdp must be a FiniteMDP or a LinearQuadraticMDP, got list")):
        quantity([], SoftmaxPolicy.tabular([[0.0]]))
    with pytest.raises(TypeError, match=r"^mdp must be a FiniteMDP or a LinearQuadraticMDP, got None"):
        transition_probabilities(None, SoftmaxPolicy.tabular([[0.0]]), 1)


def test_a_density_that_is_a_sum_of_too_many_terms_is_refused():
    mdp, policy = linear_quadratic(gain=-0.5)
    rho = state_visitation(dataclasses.replace(mdp, discount=1 - 1e-6), policy)
    words = (
        "discount is 0.999999: the density has more than 1e+06 terms, one a step; expected a smaller "
        "discount. `second_moment` needs no such sum"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        rho.density(0.0)
    # E x_0^2 = 1 + 1/4; later steps add w: (E x_0^2 + gamma w / (1 - gamma)) / (1 - gamma / 4).
    w = float(chain(mdp, policy).noise_variance)
    assert_allclose(rho.second_moment, (1.25 + (1 - 1e-6) * w / 1e-6) / (1 - (1 - 1e-6) / 4), rtol=1e-9)
