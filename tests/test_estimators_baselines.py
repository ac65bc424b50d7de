"""Baselines: the best one by its minimum, the fitted one by loops, and what a fit on the same paths does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgtlab import (
    FiniteMDP,
    LinearGaussianPolicy,
    SoftmaxPolicy,
    action_values,
    policy_gradient,
    state_values,
)
from pgtlab.estimators import ReturnToGo, best_baseline, estimate_gradient, fitted_values
from pgtlab.exact.values import Quadratic
from pgtlab.gallery import linear_quadratic, now_or_later, one_knob, short_corridor
from pgtlab.rollouts import GeometricHorizon, rollout
from tests import routes
from tests.enumeration import all_paths, gathered, gaussian_paths, moments, off, score_sums
from tests.problems import (
    FEATURES,
    TablePolicy,
    exactly,
    layered_problem,
    problems,
    random_linear_quadratic,
    random_problem,
    seeds,
)

# --- the best one (K7) -----------------------------------------------------------------------------


@given(problems())
def test_it_is_the_ratio_of_k7(problem):
    mdp, policy = problem
    probs, scores = policy.probs(), policy.scores()
    V, Q = state_values(mdp, policy), action_values(mdp, policy)
    S, A = mdp.reward.shape
    expected = np.empty(S)
    for s in range(S):
        square = [sum(each**2 for each in scores[s, a]) for a in range(A)]
        below = sum(probs[s, a] * square[a] for a in range(A))
        above = sum(probs[s, a] * square[a] * Q[s, a] for a in range(A))
        # With one action all scores are 0, and with redundant features some may be rounding.
        expected[s] = above / below if below > 1e-12 else V[s]
    assert_allclose(best_baseline(mdp, policy), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("features", FEATURES)
def test_no_other_baseline_gives_one_step_less_variance(features):
    rng = np.random.default_rng(0)
    mdp, policy = random_problem(rng, features=features)
    probs, scores, Q = policy.probs(), policy.scores(), action_values(mdp, policy)

    def variance(b):
        # Trace of the covariance of SC (Q - b) in each state; the mean does not depend on b.
        second = np.einsum("sa,sak->s", probs, (scores * (Q - b[:, None])[..., None]) ** 2)
        return second - (np.einsum("sa,sak,sa->sk", probs, scores, Q) ** 2).sum(-1)

    best = best_baseline(mdp, policy)
    for shift in (0.1, -0.1, 1.0):
        # A parabola in the shift, with E |SC|^2 in front.
        rise = shift**2 * np.einsum("sa,sak->s", probs, scores**2)
        assert_allclose(variance(best + shift) - variance(best), rise, rtol=1e-9, atol=1e-12)
    assert (variance(state_values(mdp, policy)) - variance(best) > 1e-4).any()


@given(seeds)
def test_it_beats_the_values_where_every_path_has_one_step(seed):
    # Then the sum over a path is one step, and its variance is that of K7.
    rng = np.random.default_rng(seed)
    mdp, policy = layered_problem(rng, n_states=3, features="tabular")
    mdp = FiniteMDP(0 * mdp.transition, mdp.reward, mdp.initial, mdp.discount)
    chances, paths = gathered(mdp, policy, all_paths(mdp, policy.probs(), 1), None)

    def total_variance(baseline):
        _, deviation = moments(chances, score_sums(paths, ReturnToGo(baseline).weights(paths)))
        return (deviation**2).sum()

    best = total_variance(best_baseline(mdp, policy))
    for other in (state_values(mdp, policy), np.zeros(3), best_baseline(mdp, policy) + 0.1):
        assert best <= total_variance(other) + 1e-12


def test_for_one_step_by_hand():
    # p = 4/5 for what pays 1, else 0. Scores 1/5 and -4/5: b = (4/5 / 25) / (4/5 / 25 + 16/125) = 1/5, and
    # the estimates SC (r - b) are 4/25 in both cases: no variance is left. With V = 4/5 they are 1/25 and
    # 16/25.
    mdp = FiniteMDP([[[0.0], [0.0]]], [[1.0, 0.0]], [1.0], 0.9)
    policy = SoftmaxPolicy([[[1.0], [0.0]]], [math.log(4)])
    assert_allclose(best_baseline(mdp, policy), [0.2], rtol=1e-12)
    paths = rollout(mdp, policy, n_episodes=100, rng=np.random.default_rng(1))
    found = estimate_gradient(paths, ReturnToGo(best_baseline(mdp, policy)))
    assert_allclose(found.mean, [4 / 25], rtol=1e-12)
    assert_allclose(found.standard_error, [0.0], rtol=0, atol=1e-14)
    assert estimate_gradient(paths, ReturnToGo(state_values(mdp, policy))).standard_error > 0.01


def test_where_scores_are_0_it_is_the_value():
    # K2: nothing that is learnt changes state 1, where V = 10.
    mdp, policy = now_or_later()
    assert_allclose(best_baseline(mdp, policy), [5.0, 10.0], rtol=1e-12)


def test_where_there_is_no_value_there_is_no_baseline():
    mdp = FiniteMDP([[[0.0, 0.0]], [[0.0, 1.0]]], [[1.0], [1.0]], [1.0, 0.0], 1.0)
    assert_array_equal(best_baseline(mdp, SoftmaxPolicy.tabular([[0.0], [0.0]])), [1.0, np.nan])


def test_what_is_never_done_has_no_say():
    # The second action leads to state 1, from which no episode ends, and is never taken. So it has no Q, the
    # first action is all that is done, and the baseline is its value.
    mdp = FiniteMDP([[[0.0, 0.0], [0.0, 1.0]], [[0.0, 1.0]] * 2], np.ones((2, 2)), [1.0, 0.0], 1.0)
    policy = TablePolicy(np.array([[1.0, 0.0]] * 2))
    assert np.isnan(action_values(mdp, policy)[0, 1])
    assert_array_equal(best_baseline(mdp, policy), [1.0, np.nan])


@given(seeds)
def test_on_the_real_line_it_is_the_ratio_of_two_integrals(seed):
    mdp, policy = random_linear_quadratic(np.random.default_rng(seed))
    Q, b = action_values(mdp, policy), best_baseline(mdp, policy)
    for x in (-1.3, 0.0, 0.4):
        mean, std = float(policy.gain) * x, float(policy.std)

        def square(u, x=x):
            return (policy.score(x, u) ** 2).sum()

        above = routes.gauss(lambda u, x=x: square(u) * Q(x, u), mean, std)
        assert_allclose(b(x), above / routes.gauss(square, mean, std), rtol=1e-9)
    assert_allclose(b(np.array([0.0, 0.4])), [b(0.0), b(0.4)], rtol=1e-14)
    assert isinstance(b(0.4), float)


def test_on_the_real_line_no_other_baseline_gives_one_step_less_variance():
    mdp, policy = linear_quadratic()
    best, V = best_baseline(mdp, policy), state_values(mdp, policy)
    masses, paths = gaussian_paths(mdp, policy, 1, n_nodes=20)

    def variance(baseline):
        # One step, with what comes later at its mean: SC (Q(x, u) - b(x)).
        Q = action_values(mdp, policy)(paths.states[0], paths.actions[0])
        score = policy.score(paths.states[0], paths.actions[0])
        return (masses @ (score * (Q - baseline(paths.states[0]))[:, None]) ** 2).sum()

    assert variance(best) < variance(V)
    for shift in (0.05, -0.05):
        assert variance(best) < variance(lambda x, shift=shift: best(x) + shift)


def test_a_batch_has_no_one_baseline():
    mdp, policy = random_problem(np.random.default_rng(2), batch=(3,))
    with pytest.raises(ValueError, match=exactly("policy is a batch of shape (3,); expected one policy")):
        best_baseline(mdp, policy)
    line, _ = linear_quadratic()
    with pytest.raises(ValueError, match=exactly("policy is a batch of shape (2,); expected one policy")):
        best_baseline(line, LinearGaussianPolicy([-0.3, -0.4], 0.0))
    with pytest.raises(TypeError, match=r"^mdp must be a FiniteMDP or a LinearQuadraticMDP, got int$"):
        best_baseline(7, policy)


# --- fitted ones -----------------------------------------------------------------------------------


@given(seeds, st.sampled_from([3, GeometricHorizon(0.6)]), st.sampled_from([0.0, 0.8]))
def test_the_fit_is_the_weighted_mean_over_all_visits(seed, horizon, gamma):
    rng = np.random.default_rng(seed)
    mdp, policy = random_problem(rng, discount=gamma)
    paths = rollout(mdp, policy, n_episodes=5, horizon=horizon, rng=rng)
    above, below = np.zeros(4), np.zeros(4)
    for n in range(5):
        for t in np.flatnonzero(paths.alive[:, n]):
            # A visit at time t counts w_t, and what follows is seen from there: w_{t'} / w_t.
            s, w = paths.states[t, n], paths.weights
            onward = range(t, paths.n_steps)
            above[s] += sum(w[i] * paths.rewards[i, n] for i in onward)
            below[s] += w[t]
    expected = [up / down if down > 0 else 0.0 for up, down in zip(above, below, strict=True)]
    assert_allclose(fitted_values(paths), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("horizon", [4, GeometricHorizon(0.8)])
def test_the_linear_quadratic_fit_is_a_least_squares_problem(horizon):
    rng = np.random.default_rng(3)
    mdp, policy = random_linear_quadratic(rng)
    paths = rollout(mdp, policy, n_episodes=30, horizon=horizon, rng=rng)
    rows, targets = [], []
    for n in range(30):
        for t in np.flatnonzero(paths.alive[:, n]):
            w = paths.weights
            G = sum(w[i] / w[t] * paths.rewards[i, n] for i in range(t, paths.n_steps))
            rows.append(math.sqrt(w[t]) * np.array([paths.states[t, n] ** 2, 1.0]))
            targets.append(math.sqrt(w[t]) * G)
    (p, d), *_ = np.linalg.lstsq(np.array(rows), np.array(targets))
    found = fitted_values(paths)
    assert isinstance(found, Quadratic)
    assert_allclose([found.matrix.item(), found.constant], [p, d], rtol=1e-8)


def test_a_fit_to_one_point_is_level():
    # Every path starts in 0.5 and is one step long: the slope of V cannot be seen.
    mdp, policy = random_linear_quadratic(np.random.default_rng(4))
    paths = rollout(mdp, policy, n_episodes=9, horizon=1, rng=np.random.default_rng(5))
    still = type(paths)(mdp, policy, 1, np.full((2, 9), 0.5), paths.actions, paths.alive)
    found = fitted_values(still)
    assert found.matrix.item() == 0
    assert_allclose(found(0.5), still.rewards.mean(), rtol=1e-12)


def test_the_fit_tends_to_the_values():
    # Each has a standard error of about 1 % of its state's value; the fit of the values is within 6 %.
    mdp, policy = short_corridor()
    paths = rollout(mdp, policy, n_episodes=40_000, rng=np.random.default_rng(6))
    assert_allclose(fitted_values(paths), [-12.0, -10.0, -6.0], rtol=0.06)
    mdp, policy = linear_quadratic()
    paths = rollout(
        mdp, policy, n_episodes=20_000, horizon=GeometricHorizon(0.9), rng=np.random.default_rng(7)
    )
    V, found = state_values(mdp, policy), fitted_values(paths)
    assert_allclose(found.matrix, V.matrix, rtol=0.06)
    assert_allclose(found.constant, V.constant, rtol=0.06)


def test_a_baseline_fitted_on_the_same_paths_biases():
    # One state, one step, N = 2 episodes: the mean of r_n - (r_1 + r_2) / 2 against the score keeps
    # 1 - 1/N = 1/2 of the gradient, by the independence of episodes. p = 1/2: gradient 1/4, and 1/8 is left.
    mdp = FiniteMDP([[[0.0], [0.0]]], [[1.0, 0.0]], [1.0], 0.9)
    policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    mean = 0.0
    for first in (0, 1):
        for second in (0, 1):
            pairs = np.array([[first, second]], dtype=np.int32)
            paths = rollout(mdp, policy, n_episodes=2, rng=np.random.default_rng(8))
            paths = type(paths)(mdp, policy, None, paths.states, pairs)
            mean += estimate_gradient(paths, ReturnToGo(fitted_values(paths))).mean.item() / 4
    assert_allclose(policy_gradient(mdp, policy), [1 / 4], rtol=1e-12)
    assert_allclose(mean, 1 / 8, rtol=1e-12)


def test_a_baseline_fitted_on_other_paths_does_not():
    rng = np.random.default_rng(9)
    mdp, policy = one_knob(cost=-1.0)
    other = rollout(mdp, policy, n_episodes=20, rng=rng)
    signal = ReturnToGo(fitted_values(other))
    chances, paths = gathered(mdp, policy, all_paths(mdp, policy.probs(), 2), None)
    assert_allclose(
        chances @ score_sums(paths, signal.weights(paths)), policy_gradient(mdp, policy), rtol=1e-12
    )
    sampled = rollout(mdp, policy, n_episodes=20_000, rng=rng)
    assert off(estimate_gradient(sampled, signal), policy_gradient(mdp, policy)) < 1
