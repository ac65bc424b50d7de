"""The incremental natural actor-critic: its update, where its critic settles, and why that must be fast."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgtlab.ascent import HoldFixed, IncrementalNaturalActorCritic, ascend
from pgtlab.gallery import linear_quadratic, now_or_later
from pgtlab.rollouts import GeometricHorizon, rollout
from tests.problems import exactly, random_problem


def rule(**changes):
    return IncrementalNaturalActorCritic(
        **{"state_features": "tabular", "critic_step_size": 0.3, "n_episodes": 40} | changes
    )


def squares(x):
    return np.stack([x**2, np.ones_like(x)], axis=-1)


def by_loops(mdp, policy, paths, psi, v, w):
    """Return the means over episodes of sum gamma^t (delta - SC.w) SC and sum gamma^t delta psi, by loops."""
    scores, of_w, of_v = policy.scores(), 0.0, 0.0
    for n in range(paths.n_episodes):
        for t in range(int(paths.lengths[n])):
            s, a, p = paths.states[t, n], paths.actions[t, n], paths.states[t + 1, n]
            V_next = 0.0 if p == len(psi) else psi[p] @ v
            delta = mdp.reward[s, a] + mdp.discount * V_next - psi[s] @ v
            of_w = of_w + paths.weights[t] * (delta - scores[s, a] @ w) * scores[s, a]
            of_v = of_v + paths.weights[t] * delta * psi[s]
    return of_w / paths.n_episodes, of_v / paths.n_episodes


@pytest.mark.parametrize("horizon", [None, 3, GeometricHorizon(0.8)])
@pytest.mark.parametrize("tabular", [True, False])
def test_a_step_is_what_the_formula_says(horizon, tabular):
    rng = np.random.default_rng(5)
    mdp, policy = random_problem(rng, discount=1.0 if horizon is None else 0.9, features="linear")
    S, K = len(mdp.initial), policy.parameters.size
    psi = np.eye(S) if tabular else rng.normal(size=(S, 2))
    v, w = rng.normal(size=psi.shape[1]), rng.normal(size=K)
    one = rule(state_features="tabular" if tabular else psi, horizon=horizon, slowing=6.0)
    found, memory = one.direction(mdp, policy, (2, v, w), rng=np.random.default_rng(6))
    paths = rollout(mdp, policy, n_episodes=40, horizon=horizon, rng=np.random.default_rng(6))
    of_w, of_v = by_loops(mdp, policy, paths, psi, v, w)
    # After 2 steps of 6 the policy's are shorter by 1 + 1/3, the critic's by its power of 2/3.
    beta = 0.3 * 0.75 ** (2 / 3)
    assert_allclose(found, (w + beta * of_w) * 0.75, rtol=1e-9, atol=1e-11)
    assert memory[0] == 3
    assert_allclose(memory[1], v + beta * of_v, rtol=1e-9, atol=1e-11)
    assert_allclose(memory[2], w + beta * of_w, rtol=1e-9, atol=1e-11)


def test_it_starts_at_zero_and_keeps_its_pace_unless_it_is_told_to_slow_down():
    mdp, policy = now_or_later()
    found, (n, v, w) = rule().direction(mdp, policy, rng=np.random.default_rng(1))
    # From v = w = 0 only rewards count: those of "now", of score -1/2, by the share that took it; and 10 for
    # the rest, at t = 1.
    paths = rollout(mdp, policy, n_episodes=40, rng=np.random.default_rng(1))
    share = (paths.actions[0] == 1).mean()
    assert n == 1
    assert_allclose(found, [0.3 * share * -0.5], rtol=1e-12)
    assert_array_equal(found, w)
    assert_allclose(v, [0.3 * share, 0.3 * (1 - share) * 0.9 * 10], rtol=1e-12)
    # Later on, steps are as long as ever.
    late = rule().direction(mdp, policy, (1000, 0 * v, 0 * w), rng=np.random.default_rng(1))
    assert_array_equal(late[0], found)


@pytest.mark.parametrize(
    ("features", "settles_at"),
    [
        # gamma 10 for later, less 1 for now.
        ("tabular", 8.0),
        # One constant for both states, visited 1 and 0.45 times, which earn 1/2 + 0.45 10 = 5 in all:
        # 1.45 v = 5 + 0.45 v, so v = 5, and later looks worth 0.9 5, less 1 for now.
        (np.ones((2, 1)), 3.5),
    ],
)
def test_while_the_policy_stands_still_the_critic_settles_where_v_and_scores_do(features, settles_at):
    mdp, policy = now_or_later()
    one, memory, rng = rule(state_features=features, slowing=20.0), None, np.random.default_rng(2)
    for _ in range(400):
        _, memory = one.direction(mdp, policy, memory, rng=rng)
    assert_allclose(memory[2], [settles_at], atol=0.5)


def test_a_policy_that_outruns_its_critic_goes_the_wrong_way():
    """Before v knows of the 10, "now" is all that pays; slow steps wait for v, fast ones do not."""
    mdp, policy = now_or_later()
    ends = [
        ascend(mdp, policy, rule=rule(), step_size=size, n_steps=n, rng=np.random.default_rng(3)).returns
        for size, n in ((0.05, 60), (20.0, 6))
    ]
    assert ends[0][-1] > 8.5
    assert ends[1][-1] < 1.5


def test_the_gain_of_a_linear_quadratic_problem_is_found():
    # x^2 and 1 span V. The best gain solves k = -g P / (1 + g P), P = 1 + g P / (1 + g P).
    P = 0.0
    for _ in range(200):
        P = 1 + 0.9 * P / (1 + 0.9 * P)
    inner = rule(state_features=squares, critic_step_size=0.005, n_episodes=50, horizon=40)
    run = ascend(
        *linear_quadratic(-0.4),
        rule=HoldFixed(inner, held=(1,)),
        step_size=0.05,
        n_steps=150,
        rng=np.random.default_rng(4),
    )
    assert_allclose(run.parameters[-1, 0], -0.9 * P / (1 + 0.9 * P), atol=0.08)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"slowing": 0.0}, ValueError, "slowing is 0; expected a number above 0"),
        ({"slowing": "slow"}, TypeError, "slowing must be a number, got str"),
        ({"critic_step_size": 0.0}, ValueError, "critic_step_size is 0; expected a number above 0"),
        ({"n_episodes": 0}, ValueError, "n_episodes is 0; expected an integer of at least 1"),
        (
            {"state_features": "onehot"},
            ValueError,
            "state_features is 'onehot'; expected 'tabular', an array (S, M) or a function",
        ),
    ],
)
def test_its_settings_must_make_sense(changes, kind, words):
    with pytest.raises(kind, match=exactly(words)):
        rule(**changes)


def test_a_batch_may_be_a_single_episode():
    run = ascend(
        *now_or_later(), rule=rule(n_episodes=1), step_size=0.1, n_steps=2, rng=np.random.default_rng(5)
    )
    assert len(run.returns) == 3
    assert run.stopped is None
