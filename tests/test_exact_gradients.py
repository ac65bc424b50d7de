"""The gradient: the theorem against hand, paths, differences, integrals and the performance difference."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from pgtlab import (
    FiniteMDP,
    GeometricHorizon,
    LinearGaussianPolicy,
    MonteCarlo,
    ReturnToGo,
    SoftmaxPolicy,
    action_values,
    advantages,
    estimate_gradient,
    expected_return,
    policy_gradient,
    policy_gradient_by_differences,
    reinforce,
    return_estimate,
    rollout,
    state_values,
    state_visitation,
)
from pgtlab.gallery import linear_quadratic, now_or_later, one_knob, short_corridor, two_states
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
    random_policy,
    random_problem,
    seeds,
)

# --- closed forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.2, 0.5, 2 - math.sqrt(2)])
def test_the_short_corridor_has_the_slope_of_its_formula(p):
    # K1: J = -2 (2 - p) / (p - p^2), so dJ/dp = (2 (p - p^2) + 2 (2 - p)(1 - 2p)) / (p - p^2)^2, and
    # dp/dtheta = p - p^2.
    slope = (2 * (p - p**2) + 2 * (2 - p) * (1 - 2 * p)) / (p - p**2)
    assert_allclose(policy_gradient(*short_corridor(p)), [slope], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_now_or_later_has_the_slope_8_p_1_minus_p(p):
    assert_allclose(policy_gradient(*now_or_later(p)), [8 * p * (1 - p)], rtol=1e-12)


def test_two_states_by_hand():
    # K4 at p = q = 1/2, start (1, 0): V = (7.25, 7.75), Q0 = (1 + 0.9 V0, 0.9 V1), Q1 = (2 + 0.9 V1, 0.9 V0),
    # and each step leads to either state with 1/2: rho = (1 + 0.45 * 10, 0.45 * 10). Each slope is
    # rho(s) p (1 - p) (Q(s, stay) - Q(s, switch)): 5.5 / 4 * 0.55 and 4.5 / 4 * 2.45.
    assert_allclose(policy_gradient(*two_states(0.5, 0.5)), [0.75625, 2.75625], rtol=1e-12)


@pytest.mark.parametrize("c", [0.5, 1.05, 1.15])
def test_the_aliased_knob_by_hand_and_with_its_famous_mistake(c):
    # K9: (1 - 0.9 c) / 4 at theta = 0. With gamma^t dropped (M3) it is (1 - c) / 4.
    mdp, policy = one_knob(c)
    gradient = policy_gradient(mdp, policy)
    assert_allclose(gradient, [(1 - 0.9 * c) / 4], rtol=1e-12)
    undiscounted = FiniteMDP(mdp.transition, mdp.reward, mdp.initial, 1.0)
    visits = routes.visits(undiscounted, policy.probs())
    wrong = np.einsum("s,sa,sak,sa->k", visits, policy.probs(), policy.scores(), action_values(mdp, policy))
    assert_allclose(wrong, [(1 - c) / 4], rtol=1e-12)
    assert abs(gradient - wrong)[0] > 0.01


def test_discount_0_leaves_the_slope_of_the_first_reward():
    mdp, policy = random_problem(np.random.default_rng(0), discount=0.0, features="linear")
    expected = np.einsum("s,sa,sak,sa->k", mdp.initial, policy.probs(), policy.scores(), mdp.reward)
    assert_allclose(policy_gradient(mdp, policy), expected, rtol=1e-12, atol=1e-14)


def test_the_linear_quadratic_gradient_is_the_formula_of_k3():
    mdp, policy = random_linear_quadratic(np.random.default_rng(1))
    k, s = float(policy.gain), math.exp(float(policy.log_std))
    a, b, q, r, gamma = mdp.drift, mdp.control, mdp.state_cost, mdp.action_cost, mdp.discount
    w = b**2 * s**2 + mdp.noise_std**2
    decay = 1 - gamma * (a + b * k) ** 2
    P = (q + r * k**2) / decay
    Sigma = (mdp.initial_mean**2 + mdp.initial_std**2 + gamma * w / (1 - gamma)) / decay
    expected = [
        -2 * ((r + gamma * b**2 * P) * k + gamma * a * b * P) * Sigma,
        -2 * s**2 * (r + gamma * b**2 * P) / (1 - gamma),
    ]
    assert_allclose(policy_gradient(mdp, policy), expected, rtol=1e-12)


def test_the_gain_of_the_riccati_equation_has_slope_0():
    # K3 with all coefficients 1 and gamma = 0.9: P = 1 + 0.9 P / (1 + 0.9 P), so 0.9 P^2 - 0.8 P - 1 = 0, and
    # k = -0.9 P / (1 + 0.9 P).
    P = (0.8 + math.sqrt(0.64 + 3.6)) / 1.8
    k = -0.9 * P / (1 + 0.9 * P)
    assert_allclose([P, k], [1.5884033490, -0.5884033490], rtol=1e-9)
    assert_allclose(policy_gradient(*linear_quadratic(gain=k))[0], 0, rtol=0, atol=1e-12)
    assert policy_gradient(*linear_quadratic(gain=k - 0.01))[0] > 0.01
    assert policy_gradient(*linear_quadratic(gain=k + 0.01))[0] < -0.01


# --- two routes ------------------------------------------------------------------------------------


@given(problems(), seeds)
def test_the_theorem_gives_the_slope_along_a_random_direction(problem, seed):
    mdp, policy = problem
    direction = np.random.default_rng(seed).normal(size=policy.parameters.shape)
    direction /= np.linalg.norm(direction)

    def J(theta):
        return expected_return(mdp, policy.with_parameters(theta))

    gradient = policy_gradient(mdp, policy)
    # Rounding: 1e-16 / (1 - discount) of J, divided by the step of 1e-4.
    assert_allclose(
        gradient @ direction, routes.differences(J, policy.parameters, direction), rtol=1e-6, atol=1e-7
    )
    assert_allclose(gradient, policy_gradient_by_differences(mdp, policy), rtol=1e-6, atol=1e-7)


@given(seeds)
def test_the_theorem_gives_the_mean_over_paths_of_score_times_return(seed):
    # dJ = E[(sum_t score_t)(sum_t gamma^t r_t)], from the probability of a path alone.
    mdp, policy = layered_problem(np.random.default_rng(seed))
    scores, expected = policy.scores(), np.zeros(2)
    for probability, path in routes.paths(mdp, policy.probs()):
        score = sum(scores[s, a] for s, a in path)
        expected += probability * score * routes.path_return(mdp, path)
    assert_allclose(policy_gradient(mdp, policy), expected, rtol=1e-10, atol=1e-12)


@given(problems(discounts=(0.0, 0.5, 0.99)))
def test_the_theorem_by_its_sums(problem):
    # (9.1) from the routes' own rho and Q, with d pi / d theta = pi (phi - mean phi) by loops.
    mdp, policy = problem
    probs, phi = policy.probs(), policy.features
    rho, Q = routes.visits(mdp, probs), routes.action_values(mdp, probs)
    S, A, K = phi.shape
    expected = np.zeros(K)
    for s in range(S):
        mean = sum(probs[s, a] * phi[s, a] for a in range(A))
        for a in range(A):
            expected += rho[s] * probs[s, a] * (phi[s, a] - mean) * Q[s, a]
    assert_allclose(policy_gradient(mdp, policy), expected, rtol=1e-8, atol=1e-9)


@given(problems(discounts=(0.0, 0.5, 0.99)), seeds)
def test_the_performance_difference_lemma_holds_for_any_two_policies(problem, seed):
    # K6: J(pi') - J(pi) = sum_s rho'(s) sum_a pi'(a | s) A(s, a), the rho of the one, the A of the other.
    mdp, policy = problem
    other = random_policy(np.random.default_rng(seed), mdp.n_states, mdp.n_actions)
    rho, A = state_visitation(mdp, other), advantages(mdp, policy)
    expected = np.einsum("s,sa,sa->", rho, other.probs(), A)
    difference = expected_return(mdp, other) - expected_return(mdp, policy)
    assert_allclose(difference, expected, rtol=1e-8, atol=1e-9)


@given(problems(), seeds)
def test_a_state_function_added_to_q_changes_nothing(problem, seed):
    # (20.3): rewards r(s, a) + f(s) - gamma E f(s') shift Q by f(s) and leave the gradient.
    mdp, policy = problem
    f = np.random.default_rng(seed).normal(size=mdp.n_states)
    shaped = FiniteMDP(
        mdp.transition,
        mdp.reward + f[:, None] - mdp.discount * (mdp.transition * f).sum(-1),
        mdp.initial,
        mdp.discount,
    )
    assert_allclose(policy_gradient(shaped, policy), policy_gradient(mdp, policy), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_mistakes_that_people_make_are_caught(seed):
    mdp, policy = random_problem(np.random.default_rng(seed), features="linear")
    probs, phi, scores = policy.probs(), policy.features, policy.scores()
    rho, Q = state_visitation(mdp, policy), action_values(mdp, policy)
    P, _ = routes.mixed(mdp, probs)
    right = np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q)
    assert_allclose(policy_gradient(mdp, policy), right, rtol=1e-11, atol=1e-12)
    untransposed = np.linalg.solve(np.eye(4) - mdp.discount * P, mdp.initial)
    wrong = {
        "M11, the transpose forgotten": np.einsum("s,sa,sak,sa->k", untransposed, probs, scores, Q),
        "M12, the score not centred": np.einsum("s,sa,sak,sa->k", rho, probs, phi, Q),
        "rho normalised": right / rho.sum(),
        "no pi": np.einsum("s,sak,sa->k", rho, scores, Q),
        "M10, a baseline of the action": np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q - Q.mean(0)),
        "R in place of Q": np.einsum("s,sa,sak,sa->k", rho, probs, scores, mdp.reward),
    }
    differences = policy_gradient_by_differences(mdp, policy)
    for name, gradient in wrong.items():
        assert np.abs(gradient - differences).max() > 1e-3, name


# --- linear-quadratic: integrals -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_theorem_as_a_double_integral(seed):
    # (9.1): the derivative of the density of the action is taken by differences, rho and Q are pgtlab's.
    mdp, policy = random_linear_quadratic(np.random.default_rng(seed))
    rho, Q = state_visitation(mdp, policy), action_values(mdp, policy)
    # Every term of rho has std 0.1 at least and 2 at most; the action's is between 0.2 and 1.4.
    x = np.linspace(-20, 20, 2001)
    z = np.linspace(-10, 10, 201)
    u = policy.gain * x[:, None] + policy.std * z
    integrals = []
    for direction in np.eye(2):
        slope = routes.differences(
            lambda theta: policy.with_parameters(theta).density(x[:, None], u),
            policy.parameters,
            direction,
            1e-3,
        )
        inner = np.trapezoid(slope * Q(x[:, None], u), u, axis=1)
        integrals.append(np.trapezoid(rho.density(x) * inner, x))
    gradient = policy_gradient(mdp, policy)
    assert_allclose(integrals, gradient, rtol=1e-7, atol=1e-7 * np.abs(gradient).max())
    assert_allclose(policy_gradient_by_differences(mdp, policy), gradient, rtol=1e-8, atol=1e-8)


@given(linear_quadratic_problems())
def test_the_linear_quadratic_gradient_equals_differences(problem):
    mdp, policy = problem
    gradient = policy_gradient(mdp, policy)
    scale = np.abs(gradient).max()
    assert_allclose(policy_gradient_by_differences(mdp, policy), gradient, rtol=1e-6, atol=1e-6 * scale)


# --- batches, sparse, NumPy alone, readers' own policies -------------------------------------------


@given(problems(batches=BATCHES))
def test_a_batch_equals_a_loop(problem):
    mdp, policy = problem
    batch = policy.parameters.shape[:-1]
    gradient = policy_gradient(mdp, policy)
    differences = policy_gradient_by_differences(mdp, policy)
    assert gradient.shape == differences.shape == policy.parameters.shape
    for n in np.ndindex(batch):
        one = policy.with_parameters(policy.parameters[n])
        assert_allclose(gradient[n], policy_gradient(mdp, one), rtol=1e-8, atol=1e-10)
        assert_allclose(differences[n], policy_gradient_by_differences(mdp, one), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("batch", BATCHES)
def test_a_batch_of_linear_quadratic_gradients_equals_a_loop(batch):
    mdp, policy = random_linear_quadratic(np.random.default_rng(2), batch=batch)
    gradient, differences = policy_gradient(mdp, policy), policy_gradient_by_differences(mdp, policy)
    assert gradient.shape == differences.shape == (*batch, 2)
    for n in np.ndindex(batch):
        one = policy.with_parameters(policy.parameters[n])
        assert_allclose(gradient[n], policy_gradient(mdp, one), rtol=1e-13)
        assert_allclose(differences[n], policy_gradient_by_differences(mdp, one), rtol=1e-10)


@given(problems())
def test_sparse_transitions_and_numpy_alone_give_the_same_gradient(problem):
    mdp, policy = problem
    gradient = policy_gradient(mdp, policy)
    rows = sparse.csr_array(mdp.transition.reshape(-1, mdp.n_states))
    thin = FiniteMDP(rows, mdp.reward, mdp.initial, mdp.discount)
    assert_allclose(policy_gradient(thin, policy), gradient, rtol=1e-8, atol=1e-10)
    again = FiniteMDP(mdp.transition, mdp.reward, mdp.initial, mdp.discount)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(sys.modules, "scipy.linalg.lapack", None)
        assert_allclose(policy_gradient(again, policy), gradient, rtol=1e-8, atol=1e-10)


def test_a_large_sparse_grid_has_the_slope_of_its_return():
    mdp = garden(40, discount=0.95)
    rng = np.random.default_rng(3)
    policy = SoftmaxPolicy.tabular(rng.normal(size=(1600, 4)))
    direction = rng.normal(size=6400)

    def J(theta):
        return expected_return(mdp, policy.with_parameters(theta))

    slope = routes.differences(J, policy.parameters, direction, 1e-3)
    assert_allclose(policy_gradient(mdp, policy) @ direction, slope, rtol=1e-6, atol=1e-12)


class Bernoulli(TablePolicy):
    """A reader's own policy: action 0 with probability theta itself, the same in each of three states."""

    def __init__(self, theta):
        super().__init__(np.tile([theta[0], 1 - theta[0]], (3, 1)))
        self.parameters = np.array(theta)

    def scores(self):
        p = self.parameters[0]
        return np.tile([[1 / p], [-1 / (1 - p)]], (3, 1, 1))

    def with_parameters(self, parameters):
        return Bernoulli(parameters)


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_a_readers_own_policy_needs_probs_scores_and_with_parameters_only(p):
    # K1 in p itself, without the factor dp/dtheta.
    mdp, _ = short_corridor()
    slope = (2 * (p - p**2) + 2 * (2 - p) * (1 - 2 * p)) / (p - p**2) ** 2
    policy = Bernoulli([p])
    assert_allclose(policy_gradient(mdp, policy), [slope], rtol=1e-11, atol=1e-11)
    assert_allclose(policy_gradient_by_differences(mdp, policy), [slope], rtol=1e-8, atol=1e-8)


# --- discount 1 ------------------------------------------------------------------------------------


def test_at_discount_1_states_out_of_reach_do_not_spoil_the_gradient():
    # Like the short corridor, with a fourth state that goes round for ever, and no way to it.
    corridor, policy = short_corridor(0.3)
    transition = np.zeros((4, 2, 4))
    transition[:3, :, :3] = corridor.transition
    transition[3, :, 3] = 1.0
    mdp = FiniteMDP(transition, np.full((4, 2), -1.0), [1, 0, 0, 0], 1.0)
    wider = SoftmaxPolicy(np.array([[[1.0], [0.0]]] * 4), policy.parameters)
    assert np.isnan(state_values(mdp, wider)[3])
    assert_allclose(policy_gradient(mdp, wider), policy_gradient(corridor, policy), rtol=1e-12)
    assert_allclose(policy_gradient_by_differences(mdp, wider), policy_gradient(mdp, wider), rtol=1e-7)


UNDERFLOWS = "^discount is 1 and .* reaches state 1 by actions whose probability is above 0 but underflows, "


def untaken(action, state, target):
    """Return the error for an action of probability 0 that leads to where the end is not sure."""
    return exactly(
        f"discount is 1 and action {action} in state {state}, which has probability 0 here, may lead to "
        f"state {target}, from which the end is not sure: the return of policies nearby may have another "
        "slope than the theorem says. Expected an end with certainty from every state that the start reaches "
        "by any actions. If no parameters ever give the action a probability, give it the row of another "
        "action; or take a discount below 1"
    )


@pytest.mark.parametrize("sparse_form", [False, True])
def test_at_discount_1_an_untaken_action_into_a_loop_is_refused_and_the_remedy_is_one(sparse_form):
    # In state 0 one may stop for 5, stop for 1, or enter state 1 for ever, with probabilities 1/2, 1/2 and 0:
    # the return is 3, and with p = 1/2 the slope would be p (1 - p) (5 - 1) = 1, but not if policies nearby
    # enter. The softmax of these probabilities enters with exp(-1000): its return does not exist.
    transition = np.array([[[0, 0], [0, 0], [0, 1]], [[0, 1]] * 3])

    def problem():
        rows = sparse.csr_array(transition.reshape(6, 2)) if sparse_form else transition
        return FiniteMDP(rows, [[5, 1, 1]] * 2, [1, 0], 1.0)

    policy = SoftmaxPolicy.tabular([[0.0, 0.0, -1000.0], [0.0, 0.0, 0.0]])
    rounded = TablePolicy(policy.probs())
    assert_array_equal(action_values(problem(), rounded)[0], [5, 1, np.nan])
    assert expected_return(problem(), rounded) == 3
    with pytest.raises(ValueError, match=untaken(2, 0, 1)):
        policy_gradient(problem(), rounded)
    with pytest.raises(ValueError, match=UNDERFLOWS):
        policy_gradient(problem(), policy)
    # With the row of another action what is never taken counts 0, and state 1 is out of reach.
    transition[0, 2] = transition[0, 1]
    assert_allclose(policy_gradient(problem(), policy), [1, -1, 0, 0, 0, 0], rtol=1e-12)


class Fork(TablePolicy):
    """From state 0 to the end, to 1 with t^2 (2 + t) / 8, to 2 with t^2 / 4; these are left with t^2 / 2."""

    def __init__(self, theta):
        t = theta[0]
        up, down, out = t**2 * (2 + t) / 8, t**2 / 4, t**2 / 2
        super().__init__(np.array([[1 - up - down, up, down], [out, 1 - out, 0], [out, 1 - out, 0]]))
        self.parameters = np.array(theta)

    def scores(self):
        # d pi / pi, and 0 where pi and d pi are 0
        t = self.parameters[0]
        up, down, out = (4 * t + 3 * t**2) / 8, t / 2, t
        slopes = np.array([[-up - down, up, down], [out, -out, 0], [out, -out, 0]])
        probs = self.probs()
        return np.divide(slopes, probs, where=probs > 0, out=np.zeros((3, 3)))[..., None]

    def with_parameters(self, parameters):
        return Fork(parameters)


def fork():
    """Return the problem of `Fork`: 1 and 2 pay +1 and -1 for each stay."""
    transition = np.zeros((3, 3, 3))
    transition[0, 1, 1] = transition[0, 2, 2] = 1.0
    transition[1, 1:, 1] = transition[2, 1:, 2] = 1.0
    return FiniteMDP(transition, [[0, 0, 0], [0, 1, 1], [0, -1, -1]], [1, 0, 0], 1.0)


@pytest.mark.parametrize("t", [0.5, -0.3, 0.01])
def test_a_fork_whose_branches_last_long_has_its_slope_where_it_is_taken(t):
    # The stays number (1 - x) / x with x = t^2 / 2, and q1 - q2 = t^3 / 8: J(t) = (t / 4) (1 - t^2 / 2).
    mdp = fork()
    assert_allclose(expected_return(mdp, Fork([t])), t / 4 * (1 - t**2 / 2), rtol=1e-10)
    assert_allclose(policy_gradient(mdp, Fork([t])), [1 / 4 - 3 / 8 * t**2], rtol=1e-9)


def test_a_fork_that_is_taken_nearby_only_is_refused_where_the_theorem_would_say_0():
    # At t = 0 the start reaches state 0 only, each d pi / d t is 0, and yet J'(0) = 1/4.
    mdp, at_0 = fork(), Fork([0.0])
    assert expected_return(mdp, at_0) == 0
    assert_array_equal(action_values(mdp, at_0)[0], [0, np.nan, np.nan])
    assert_allclose(policy_gradient_by_differences(mdp, at_0, step=1e-2), [1 / 4], rtol=1e-8)
    with pytest.raises(ValueError, match=untaken(1, 0, 1)):
        policy_gradient(mdp, at_0)


def test_estimates_are_refused_with_it_but_for_a_number_of_steps():
    # The return of T steps is a finite sum, and its slope at t = 0 is what the scores say: 0, as both forks
    # begin with t^2.
    mdp, at_0, rng = fork(), Fork([0.0]), np.random.default_rng(0)
    paths = rollout(mdp, at_0, n_episodes=5, rng=rng)
    for ask in (
        lambda: ReturnToGo().expectation(mdp, at_0),
        lambda: estimate_gradient(paths, ReturnToGo()),
        lambda: reinforce(mdp, at_0, n_episodes=5, horizon=GeometricHorizon(0.5), rng=rng),
        lambda: MonteCarlo().fit(paths),
        lambda: MonteCarlo().learn(paths, 0.1),
    ):
        with pytest.raises(ValueError, match=untaken(1, 0, 1)):
            ask()
    assert_array_equal(reinforce(mdp, at_0, n_episodes=5, horizon=4, rng=rng).mean, [0.0])
    assert_array_equal(ReturnToGo().expectation(mdp, at_0, 4), [0.0])
    assert return_estimate(paths).mean == 0


def test_a_way_by_two_untaken_actions_is_refused_too():
    # 0 ends or, with probability 0, goes to 1; 1 ends or, with probability 0, goes to 2; 2 stays for ever.
    transition = np.zeros((3, 2, 3))
    transition[0, 1, 1] = transition[1, 1, 2] = transition[2, :, 2] = 1.0
    mdp = FiniteMDP(transition, np.ones((3, 2)), [1, 0, 0], 1.0)
    stays_away = TablePolicy(np.array([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]]))
    with pytest.raises(ValueError, match=untaken(1, 1, 2)):
        policy_gradient(mdp, stays_away)
    # One policy of a batch is enough.
    fine = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    batch = TablePolicy(np.array([stays_away.table, stays_away.table]))
    with pytest.raises(ValueError, match=untaken(1, 1, 2)):
        policy_gradient(mdp, batch)
    # Where nothing leads from 0 to 1 the rest does not matter.
    transition[0, 1, 1] = 0.0
    mdp = FiniteMDP(transition, np.ones((3, 2)), [1, 0, 0], 1.0)
    for table in (stays_away.table, fine, batch.table):
        assert_array_equal(policy_gradient(mdp, TablePolicy(table)), np.zeros((*table.shape[:-2], 1)))


def test_an_action_that_never_has_a_probability_counts_0_whatever_its_value():
    # Below discount 1 every Q exists; with probability 0 it has no say, here in state 0 for 1e300.
    transition = np.zeros((1, 3, 1))
    mdp = FiniteMDP(transition, [[1.0, 0.0, 1e300]], [1.0], 0.9)
    policy = SoftmaxPolicy.tabular([[0.0, 0.0, -1e4]])
    assert_allclose(policy_gradient(mdp, policy), [0.25, -0.25, 0.0], rtol=1e-14)


def test_the_gradient_of_a_policy_that_is_all_but_sure():
    # J = 1 + 8 p: the slope is 8 p (1 - p) in the log odds, for the action that is taken and the other.
    mdp, _ = now_or_later()
    for x in (30.0, 37.0, 40.0, 700.0):
        policy = SoftmaxPolicy.tabular([[0.0, x], [0.0, 0.0]])
        rare = math.exp(-x) / (1 + math.exp(-x)) ** 2
        later, now = 8 * rare, -8 * rare
        gradient = policy_gradient(mdp, policy)[:2]
        assert_allclose(np.sort(gradient), [now, later], rtol=1e-12)


# --- differences -----------------------------------------------------------------------------------


def test_the_differences_miss_by_h_to_the_fourth_over_30_times_the_fifth_derivative():
    # J = 1 + 8 sigmoid(theta), and sigmoid = 1/2 + x/4 - x^3/48 + x^5/480 - ...: the slope at 0 is 2, and so
    # is the fifth derivative. The next term is smaller by h^2.
    mdp, policy = now_or_later(0.5)
    for h in (0.2, 0.1):
        error = 2 - policy_gradient_by_differences(mdp, policy, step=h)[0]
        assert_allclose(error, 2 * h**4 / 30, rtol=h**2)
    # With the default step neither truncation nor rounding counts.
    assert_allclose(policy_gradient_by_differences(mdp, policy), [2], rtol=1e-11)


@pytest.mark.parametrize(("step", "words"), [(0.0, "step is 0; "), (-1e-3, "step is -0.001; ")])
def test_a_step_is_above_0(step, words):
    with pytest.raises(ValueError, match=exactly(words + "expected a number above 0")):
        policy_gradient_by_differences(*short_corridor(), step=step)


def test_a_step_is_a_finite_number():
    with pytest.raises(ValueError, match=exactly("step is nan; expected a finite number")):
        policy_gradient_by_differences(*short_corridor(), step=np.nan)
    with pytest.raises(TypeError, match=exactly("step must be a number, got str")):
        policy_gradient_by_differences(*short_corridor(), step="small")


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", [policy_gradient, policy_gradient_by_differences])
def test_what_does_not_go_together_is_refused(gradient):
    mdp, policy = short_corridor()
    with pytest.raises(
        TypeError, match=exactly("mdp must be a FiniteMDP or a LinearQuadraticMDP, got NoneType")
    ):
        gradient(None, policy)
    with pytest.raises(TypeError, match=exactly("policy must be a FinitePolicy, got None")):
        gradient(mdp, None)
    with pytest.raises(TypeError, match=exactly("policy must be a FinitePolicy, got LinearGaussianPolicy")):
        gradient(mdp, LinearGaussianPolicy(0.0, 0.0))
    with pytest.raises(ValueError, match="policy is for 2 states and 2 actions; expected 3 states and 2"):
        gradient(mdp, now_or_later()[1])


@pytest.mark.parametrize("gradient", [policy_gradient, policy_gradient_by_differences])
def test_a_gain_without_a_return_has_no_gradient(gradient):
    mdp, _ = linear_quadratic()
    with pytest.raises(ValueError, match="expected below 1, or the expected return does not exist"):
        gradient(mdp, LinearGaussianPolicy(0.2, 0.0))
