"""Sampling and the checks of policies at the edge: the law of what is drawn, and sums that are exact."""

from __future__ import annotations

import math
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from pgtlab import (
    GeometricHorizon,
    ReturnToGo,
    SoftmaxPolicy,
    estimate_gradient,
    fitted_values,
    reinforce,
    return_estimate,
    rollout,
)
from pgtlab.checks import agree, consistent, sound_policy, sound_sampling
from tests.extremes import problems
from tests.extremes.functions import largest

N, T = 10, 4

by_name = {row.name: row for row in problems.FINITE + problems.LINEAR_QUADRATIC}


def drawn(row, n=N):
    return rollout(row.mdp, row.policy, n_episodes=n, horizon=T, rng=np.random.default_rng(7))


def sums(row, paths):
    """Return, by exact arithmetic on the paths drawn, the mean return, gradient and fitted values."""
    e = row.exact
    with mpmath.workdps(e.digits):
        S = len(e.r)
        J, gradient, earned, seen = mpf(0), 0 * e.scores[0, 0], [mpf(0)] * S, [mpf(0)] * S
        for n in range(paths.n_episodes):
            to_go = mpf(0)
            for t in reversed(range(paths.n_steps)):
                if not paths.alive[t, n]:
                    continue
                s, a = paths.states[t, n], paths.actions[t, n]
                weight = e.gamma**t
                to_go = e.R[s, a] + e.gamma * to_go
                gradient = gradient + weight * to_go * e.scores[s, a]
                earned[s] += weight * to_go
                seen[s] += weight
            J += to_go
        fitted = [x / y if y else mpf(0) for x, y in zip(earned, seen, strict=True)]
        return J / paths.n_episodes, gradient / paths.n_episodes, fitted


def assert_near(found, right, size):
    for x, truth in zip(np.ravel(found), np.ravel(right), strict=True):
        assert abs(mpf(float(x)) - truth) <= mpf(1e-10) * size + mpf(2) ** -1022, (found, right)


@pytest.mark.parametrize("row", problems.FINITE, ids=str)
def test_paths_go_where_they_can_and_their_sums_are_exact(row):
    paths, e = drawn(row), row.exact
    s, a, following = (each[paths.alive] for each in (paths.states[:-1], paths.actions, paths.states[1:]))
    ways = np.concatenate([e.P > 0, (e.ending > 0)[..., None]], axis=-1)
    assert ways[s, a, following].all()
    # Below 1e-12 no uniform of so few draws falls.
    assert (e.pi > 1e-12)[s, a].all()
    J, gradient, fitted = sums(row, paths)
    size = T * largest(e.R)
    assert_near(return_estimate(paths).mean, J, size)
    assert_near(fitted_values(paths), fitted, size)
    found = estimate_gradient(paths, ReturnToGo())
    assert_near(found.mean, gradient, size * T * largest(e.scores))
    again = reinforce(row.mdp, row.policy, n_episodes=N, horizon=T, rng=np.random.default_rng(7))
    np.testing.assert_array_equal(again.mean, found.mean)
    assert np.isfinite(found.standard_error).all()


@pytest.mark.parametrize(
    ("name", "actions"),
    # To the last bit: the second-best action has a probability of e^-800.
    [("logits 800, best", [1, 0, 0, 0]), ("log odds 800, one knob", [0, 0, 0, 0]), ("lottery 800", [2])],
)
def test_a_deterministic_policy_has_one_path(name, actions):
    paths = drawn(by_name[name], n=1000)
    assert (paths.actions == np.array(actions)[:, None]).all()
    assert return_estimate(paths).standard_error == 0


def test_a_geometric_horizon_at_both_ends():
    # P(H = 1) = 1 - q: of a thousand lengths none is above 1 but for a chance of 1e-9 at q = 1e-12.
    rng = np.random.default_rng(1)
    assert (GeometricHorizon(1e-12).sample(1000, rng=rng) == 1).all()
    # 1 / (1 - q) = 1e12 steps on average; all below 1e4 with a chance of 1e-8 each.
    lengths = GeometricHorizon(1 - 1e-12).sample(1000, rng=rng)
    assert lengths.min() >= 1e4
    assert 0.5e12 < lengths.mean() < 2e12


# A step of 1e-4 in a parameter of features of 1e8 is one of 1e4 in the preferences.
@pytest.mark.parametrize("row", [row for row in problems.FINITE if "1e8" not in row.name], ids=str)
def test_a_softmax_is_sound_at_the_edge(row, capsys):
    sound_policy(row.policy)
    sound_sampling(row.policy, n_draws=200, rng=np.random.default_rng(3))
    assert "probabilities" in capsys.readouterr().out


@pytest.mark.parametrize("log_std", [-20.0, -5.0, 20.0])
def test_a_gaussian_is_sound_at_the_edge(log_std, capsys):
    policy = by_name["plain"].policy.with_parameters([-0.5, log_std])
    sound_policy(policy, states=[0.0, 1.5])
    sound_sampling(policy, states=[0.0, 1.5], n_draws=200, rng=np.random.default_rng(3))
    assert "scores" in capsys.readouterr().out


def test_agreement_of_numbers_at_the_ends_of_the_floats(capsys):
    agree(left=[1e150, -1e-300, np.inf, np.nan], right=[1e150, 0.0, np.inf, np.nan])
    assert "agree" in capsys.readouterr().out
    for wrong in (1e150 * (1 + 1e-12), -np.inf, np.nan):
        with pytest.raises(AssertionError, match="but"):
            agree(left=1e150, right=wrong)


def estimate(mean, error):
    return SimpleNamespace(mean=mean, standard_error=error, degrees_of_freedom=100)


@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
def test_an_estimate_without_spread_is_right_or_not(size, capsys):
    consistent(estimate=estimate(size, 0.0), exact=size * (1 + 1e-15))
    assert "exact" in capsys.readouterr().out
    with pytest.raises(AssertionError):
        consistent(estimate=estimate(size, 0.0), exact=1.1 * size)
    with pytest.raises(AssertionError):
        consistent(estimate=estimate(math.nan, size), exact=size)


def test_tiny_and_huge_parameters_make_a_policy_or_an_error():
    # e^-1e300 is 0, and so is its logarithm's share of the others: log pi = -1e300.
    policy = SoftmaxPolicy.tabular([[1e300, 0.0]])
    np.testing.assert_array_equal(policy.probs(), [[1.0, 0.0]])
    np.testing.assert_array_equal(policy.log_prob(0, np.array([0, 1])), [0.0, -1e300])
    np.testing.assert_array_equal(SoftmaxPolicy.tabular([[5e-324, 0.0]]).probs(), [[0.5, 0.5]])
    with pytest.raises(ValueError, match="finite"):
        SoftmaxPolicy.tabular([[math.inf, 0.0]])
