"""Sampled gradients by their statistics: what stays within its error, and what is seen to be wrong.

All tests fail by chance once in a million runs.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import chdtri

from pgtlab import (
    FiniteMDP,
    expected_return,
    policy_gradient,
    state_values,
)
from pgtlab.estimators import (
    GAE,
    ActionValues,
    Advantages,
    ReturnToGo,
    TDErrors,
    WholeReturn,
    estimate_gradient,
    return_estimate,
)
from pgtlab.gallery import linear_quadratic, one_knob
from pgtlab.rollouts import GeometricHorizon, rollout
from tests import routes
from tests.enumeration import SEEN, all_paths, gathered, moments, off, score_sums, truncated_return
from tests.problems import random_problem
from tests.signals import by_definition, some_signals


@pytest.mark.parametrize("horizon", [None, 4, GeometricHorizon(0.9), GeometricHorizon(0.8)])
def test_samples_stay_within_their_error_of_the_exact_mean(horizon):
    rng = np.random.default_rng(18)
    mdp, policy = random_problem(rng, discount=0.9, branching=2, features="linear")
    if horizon is None:
        mdp = FiniteMDP(0.8 * mdp.transition, mdp.reward, mdp.initial, mdp.discount)
    paths = rollout(mdp, policy, n_episodes=40_000, horizon=horizon, rng=rng)
    for kind, signal in some_signals(rng, mdp).items():
        assert off(estimate_gradient(paths, signal), signal.expectation(mdp, policy, horizon)) < 1, kind
    J = expected_return(mdp, policy) if horizon != 4 else truncated_return(mdp, policy, 4)
    assert off(return_estimate(paths), J) < 1


@pytest.mark.parametrize("horizon", [4, GeometricHorizon(0.7)])
def test_linear_quadratic_samples_stay_within_their_error_of_the_exact_mean(horizon):
    # K3 with a closed loop of drift 0.7: gamma^2 c^4 = 0.19 < 0.7, so the variance is finite.
    rng = np.random.default_rng(19)
    mdp, policy = linear_quadratic()
    paths = rollout(mdp, policy, n_episodes=40_000, horizon=horizon, rng=rng)
    for kind, signal in some_signals(rng, mdp).items():
        assert off(estimate_gradient(paths, signal), signal.expectation(mdp, policy, horizon)) < 1, kind


WRONG_VALUES = {
    "action values": lambda mdp, policy: ActionValues(mdp.reward),
    "advantages": lambda mdp, policy: Advantages(mdp.reward),
    "TD errors": lambda mdp, policy: TDErrors(np.zeros(mdp.n_states)),
    "GAE": lambda mdp, policy: GAE(np.zeros(mdp.n_states), 0.5),
}


@pytest.mark.parametrize("kind", WRONG_VALUES)
def test_wrong_values_are_seen_in_a_sample(kind):
    # Values that see the next reward, or not far beyond, give another gradient. The number of episodes makes
    # the exact bias SEEN exact standard errors: that a sample misses it has a chance of 1e-6.
    mdp, policy = one_knob(cost=-3.0)
    mdp = replace(
        mdp, initial=np.array([0.5, 0.5]), transition=mdp.transition * [[[1.0], [0.2]], [[1.0], [1.0]]]
    )
    signal, right = WRONG_VALUES[kind](mdp, policy), ReturnToGo()
    chances, paths = gathered(mdp, policy, all_paths(mdp, policy.probs(), 2), None)
    mean, deviation = moments(chances, score_sums(paths, by_definition(signal, paths)))
    gradient = policy_gradient(mdp, policy)
    N = math.ceil((SEEN * deviation / (mean - gradient)).item() ** 2)
    sampled = rollout(mdp, policy, n_episodes=max(N, 1000), rng=np.random.default_rng(20))
    found = estimate_gradient(sampled, signal)
    assert off(found, mean) < 1
    assert off(found, gradient) > 1
    assert off(estimate_gradient(sampled, right), gradient) < 1


def test_the_error_of_the_mean_covers_as_often_as_it_says():
    # 600 estimates of 300 episodes: each deviation, in exact standard errors, is about standard normal, and
    # the sum of their squares chi-square. The squared errors reported are on average the exact one, and each
    # has the variance 2 / (G - 1) + kurtosis / N, in units of its square.
    mdp, policy = one_knob(cost=-1.0)
    chances, paths = gathered(mdp, policy, all_paths(mdp, policy.probs(), 2), None)
    factors = by_definition(WholeReturn(), paths)
    sums = score_sums(paths, factors)
    mean, deviation = moments(chances, sums)
    kurtosis = (chances @ ((sums - mean) / deviation) ** 4).item() - 3
    rng, N, runs = np.random.default_rng(21), 300, 600
    found = [
        estimate_gradient(rollout(mdp, policy, n_episodes=N, rng=rng), WholeReturn()) for _ in range(runs)
    ]
    exact = (deviation**2).item() / N
    squares = sum(((each.mean - mean) ** 2).item() / exact for each in found)
    assert chdtri(runs, 1 - routes.FALSE_ALARM / 2) < squares < chdtri(runs, routes.FALSE_ALARM / 2)
    reported = np.mean([each.standard_error**2 for each in found])
    allowed = 4.9 * math.sqrt((2 / 255 + kurtosis / N) / runs)
    assert abs(reported / exact - 1) < allowed
    # Whoever takes the steps of a path for independent draws adds the variances of SC_0 G and SC_1 G and
    # forgets their covariance. With h = -0.9 as below these are ((1 - h) / 2)^2 / 4 + h^2 / 16 and the same
    # with 1 in place of h^2: together 0.564 where the sum has 0.677. The gap is more than twice what is
    # allowed, so that the error is missed less often than once in a million.
    score = policy.scores()[..., 0]
    terms = np.array([score[paths.states[t], paths.actions[t]] * factors[t] for t in range(2)])
    independent = sum((chances @ (term - chances @ term) ** 2) for term in terms) / N
    assert_allclose(N * independent, 2 * 0.95**2 / 4 + (0.81 + 1) / 16, rtol=1e-12)
    assert abs(reported / independent - 1) > allowed
    assert abs(exact / independent - 1) > 2 * allowed * exact / independent


@pytest.mark.parametrize("cost", [-1.0, -3.0])
def test_whole_return_return_to_go_and_best_baseline_in_this_order(cost):
    # K9 at theta = 0. With scores x = +-1/2, h = gamma c and D = (1 - h) / 2, the sums over a path are, up to
    # a constant, D x0 + D x1 + (1 - h) x0 x1 for the whole return, D x0 - h x1 / 2 - h x0 x1 for the return
    # to go, and -h x0 x1 with the best baseline, here V. The three products are uncorrelated, with variances
    # 1/4, 1/4 and 1/16.
    mdp, policy = one_knob(cost)
    h = 0.9 * cost
    expected = [3 * (1 - h) ** 2 / 16, ((1 - h) ** 2 + 2 * h**2) / 16, h**2 / 16]
    assert expected == sorted(expected, reverse=True)
    chances, paths = gathered(mdp, policy, all_paths(mdp, policy.probs(), 2), None)
    signals = [WholeReturn(), ReturnToGo(), ReturnToGo(state_values(mdp, policy))]
    for signal, variance in zip(signals, expected, strict=True):
        _, deviation = moments(chances, score_sums(paths, by_definition(signal, paths)))
        assert_allclose(deviation**2, [variance], rtol=1e-12)
    N = 20_000
    sampled = rollout(mdp, policy, n_episodes=N, rng=np.random.default_rng(22))
    for signal, variance in zip(signals, expected, strict=True):
        found = estimate_gradient(sampled, signal).standard_error ** 2 * N / variance
        # 255 degrees of freedom, bounds of chi-square; the ratios of the variances are beyond them.
        assert chdtri(255, 1 - 5e-7) / 255 < found < chdtri(255, 5e-7) / 255
