"""Ascent: what each rule's direction is, by a second route, and that a run's record loses nothing.

A statistical test gives a false alarm with probability FALSE_ALARM at most, shared among what it compares.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import pickle
import time
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import bdtr, bdtrc, stdtrit

from pgtlab import (
    FiniteMDP,
    GeometricHorizon,
    LinearGaussianPolicy,
    LinearQuadraticMDP,
    SoftmaxPolicy,
    expected_return,
    fisher_information,
    natural_policy_gradient,
    policy_gradient,
    rollout,
)
from pgtlab.ascent import (
    AdvantageActorCritic,
    AscentRule,
    EligibilityTraces,
    ExactNaturalActorCritic,
    GradientAscent,
    HoldFixed,
    IncrementalNaturalActorCritic,
    NaturalActorCritic,
    NaturalGradientAscent,
    QActorCritic,
    Reinforce,
    ReinforceWithBaseline,
    Run,
    TDErrorActorCritic,
    ascend,
    climb,
)
from pgtlab.ascent import run as run_room
from pgtlab.critics import LiteralUpdate, MonteCarlo
from pgtlab.estimators import GAE, ReturnToGo, TDErrors
from pgtlab.gallery import linear_quadratic, now_or_later, one_knob, short_corridor, two_states
from tests import routes
from tests.problems import exactly, garden, problems, random_linear_quadratic, random_policy, random_problem


def assert_mean(values, expected):
    """Hold the mean of independent rows (n, K) against what it should be, by Student's t."""
    n, K = values.shape
    error = values.std(0, ddof=1) / math.sqrt(n)
    bound = -stdtrit(n - 1, routes.FALSE_ALARM / 2 / K)
    assert (np.abs(values.mean(0) - expected) <= bound * error).all(), (values.mean(0), expected, error)


def plateau_run(n_steps=5, **changes):
    return ascend(*two_states(), rule=GradientAscent(), step_size=1.0, n_steps=n_steps, **changes)


def sampled_run(rng, n_steps=3):
    return ascend(*now_or_later(), rule=Reinforce(n_episodes=10), step_size=0.1, n_steps=n_steps, rng=rng)


# --- exact rules -----------------------------------------------------------------------------------


@given(problems(discounts=(0.5, 0.9)), st.sampled_from([GradientAscent(), NaturalGradientAscent()]))
@settings(max_examples=30)
def test_a_run_steps_along_the_direction_and_records_j_and_the_gradient(problem, rule):
    mdp, policy = problem
    run = ascend(mdp, policy, rule=rule, step_size=0.3, n_steps=4)
    assert_array_equal(run.parameters[0], policy.parameters)
    for before, after in zip(run.parameters[:-1], run.parameters[1:], strict=True):
        here = policy.with_parameters(before)
        gradient = policy_gradient(mdp, here)
        # The natural gradient by a pseudo-inverse, on the tolerance of the singular values squared.
        natural = np.linalg.pinv(fisher_information(mdp, here), rcond=1e-10) @ gradient
        expected = gradient if rule == GradientAscent() else natural
        assert_allclose(after - before, 0.3 * expected, rtol=1e-6, atol=1e-8)
    for J, norm, theta in zip(run.returns, run.gradient_norms, run.parameters, strict=True):
        here = policy.with_parameters(theta)
        assert_allclose(J, mdp.initial @ routes.values(mdp, here.probs()), rtol=1e-9, atol=1e-12)
        assert_allclose(norm, math.hypot(*policy_gradient(mdp, here)), rtol=1e-12, atol=0)


def test_the_natural_gradient_walks_now_or_later_at_constant_speed():
    # K2: the natural gradient is 8 everywhere, so theta = 8 alpha n and J = 1 + 8 sigmoid(theta).
    run = ascend(*now_or_later(), rule=NaturalGradientAscent(), step_size=0.05, n_steps=6)
    theta = 0.4 * np.arange(7)
    assert_allclose(run.parameters[:, 0], theta, rtol=1e-12)
    p = 1 / (1 + np.exp(-theta))
    assert_allclose(run.returns, 1 + 8 * p, rtol=1e-12)
    assert_allclose(run.gradient_norms, 8 * p * (1 - p), rtol=1e-11)


def test_one_natural_step_of_the_right_size_is_policy_iteration():
    # K3 with a = b = q = r = 1: -2 s^2 [(1 + g P) k + g P] times 1 / (2 s^2 (1 + g P)) leads to
    # k' = -g P / (1 + g P), the best gain against V of the policy before.
    k, s, g = -0.2, math.exp(-1.0), 0.9
    P = (1 + k**2) / (1 - g * (1 + k) ** 2)
    rule = HoldFixed(NaturalGradientAscent(), held=(1,))
    size = 1 / (2 * s**2 * (1 + g * P))
    run = ascend(*linear_quadratic(k), rule=rule, step_size=size, n_steps=1)
    assert_allclose(run.parameters[1], [-g * P / (1 + g * P), -1.0], rtol=1e-12)


def test_what_is_held_is_held_in_the_direction_and_not_in_the_memory():
    class Remembers(AscentRule):
        def _direction(self, mdp, policy, memory, *, rng):
            gradient = policy_gradient(mdp, policy)
            return gradient, gradient

    mdp, policy = linear_quadratic()
    found, memory = HoldFixed(Remembers(), held=(1,)).direction(mdp, policy, rng=None)
    assert_array_equal(found, [policy_gradient(mdp, policy)[0], 0.0])
    assert_array_equal(memory, policy_gradient(mdp, policy))


def test_the_noise_of_the_policy_shrinks_if_it_is_free_to():
    # K3: in log s the natural gradient is -s^2 (r + gamma b^2 P), below 0 everywhere: the best s is 0.
    run = ascend(*linear_quadratic(), rule=NaturalGradientAscent(), step_size=0.2, n_steps=50)
    assert (np.diff(run.parameters[:, 1]) < 0).all()
    held = ascend(*linear_quadratic(), rule=HoldFixed(GradientAscent(), held=(1,)), step_size=0.01, n_steps=5)
    assert_array_equal(held.parameters[:, 1], -1.0)


def test_ten_thousand_exact_steps_share_one_chain_each(monkeypatch):
    # One factorisation a step: gradient, J and the norm of the gradient ask for the same chain.
    made = []
    original = climb.chain.__globals__["FiniteChain"]

    class Counted(original):
        def __init__(self, *args):
            made.append(1)
            super().__init__(*args)

    monkeypatch.setitem(climb.chain.__globals__, "FiniteChain", Counted)
    plateau_run(n_steps=50)
    assert len(made) == 51


def test_a_readers_own_rule_carries_its_memory():
    class Momentum(AscentRule):
        def _direction(self, mdp, policy, memory, *, rng):
            velocity = policy_gradient(mdp, policy) + (0.0 if memory is None else 0.5 * memory)
            return velocity, velocity

    mdp, policy = now_or_later()
    run = ascend(mdp, policy, rule=Momentum(), step_size=0.1, n_steps=2)
    # The gradient is 8 p (1 - p): 2, then at theta = 0.2.
    p = 1 / (1 + math.exp(-0.2))
    assert_allclose(run.parameters[:, 0], [0, 0.2, 0.2 + 0.1 * (8 * p * (1 - p) + 1)], rtol=1e-12)
    assert run.rule == {"name": "Momentum"}


# --- sampled rules ---------------------------------------------------------------------------------


def directions(rule, mdp, policy, n, seed=0):
    """Return n independent first directions, (n, K)."""
    rng = np.random.default_rng(seed)
    return np.array([rule.direction(mdp, policy, rng=rng)[0] for _ in range(n)])


class MovedInside(Reinforce):
    """M9: theta moves after each step of a path whose later actions were drawn before; steps of size 4."""

    def _direction(self, mdp, policy, memory, *, rng):
        paths = self._paths(mdp, policy, rng=rng)
        each, theta = np.arange(paths.n_episodes), np.tile(policy.parameters, (paths.n_episodes, 1))
        # All episodes of K9 have two steps.
        for t in range(2):
            to_go = paths.weights[t:] @ paths.rewards[t:]
            scores = policy.with_parameters(theta).score(paths.states[t], paths.actions[t])[each, each]
            theta = theta + 4.0 * to_go[:, None] * scores
        return (theta.mean(0) - policy.parameters) / 4.0, None


def moved_inside_bias(c, alpha=4.0, gamma=0.9):
    """Return E[direction] - gradient of `MovedInside` on K9 at p = 1/2, by hand."""
    # First theta_1 = alpha G_0 SC_0 with G_0 = 1{a_0 = 0} - gamma c 1{a_1 = 0} and SC_0 = +-1/2. Then the
    # score of a_1 = 0, which costs c, is 1 - sigmoid(theta_1), where 1/2 was due:
    # bias = -gamma c E[1{a_1 = 0} (1/2 - sigmoid(theta_1))]
    after_first = [(1 - gamma * c) / 2, gamma * c / 2]  # G_0 SC_0 for a_0 = 0 and 1, given a_1 = 0
    return -gamma * c * sum(0.25 * (0.5 - 1 / (1 + math.exp(-alpha * x))) for x in after_first)


def test_reinforce_follows_the_gradient_and_moving_inside_the_episode_does_not():
    mdp, policy = one_knob(0.5)
    gradient = policy_gradient(mdp, policy)
    assert_allclose(gradient, [(1 - 0.45) / 4], rtol=1e-12)
    assert_mean(directions(Reinforce(n_episodes=100), mdp, policy, 200), gradient)
    bias, found = moved_inside_bias(0.5), directions(MovedInside(n_episodes=100), mdp, policy, 100)
    assert_mean(found, gradient + bias)
    # An alarm takes 5.3 standard errors of 100 batches; the bias is 10 of them, so it is missed once in 1e5.
    assert bias > 10 * found.std() / math.sqrt(100)
    with pytest.raises(AssertionError):
        assert_mean(found, gradient)


def test_a_baseline_of_the_batch_before_leaves_the_mean_and_takes_variance():
    mdp, policy = short_corridor(0.4)
    rule, rng = ReinforceWithBaseline(n_episodes=50), np.random.default_rng(1)
    memory, found = None, []
    for _ in range(200):
        direction, memory = rule.direction(mdp, policy, memory, rng=rng)
        found.append(direction)
    found = np.array(found[1:])
    assert_mean(found, policy_gradient(mdp, policy))
    plain = directions(Reinforce(n_episodes=50), mdp, policy, 200)
    # Without it the variance is several times as large; Fisher's F at 1e-6 for 200 and 199 is below 2.
    assert plain.var() > 2 * found.var()


def test_the_baseline_is_that_of_the_batch_before():
    # K9: G_0 = r_0 + 0.9 r_1 and G_1 = r_1, with the scores 1/2 and -1/2 of actions 0 and 1.
    mdp, policy = one_knob(0.5)
    b = np.array([0.3, -0.2])
    rule = ReinforceWithBaseline(n_episodes=2)
    found, memory = rule.direction(mdp, policy, b, rng=np.random.default_rng(18))
    paths = rollout(mdp, policy, n_episodes=2, rng=np.random.default_rng(18))
    first, second = paths.actions
    r_0, r_1 = 1.0 * (first == 0), -0.5 * (second == 0)
    each = (0.5 - first) * (r_0 + 0.9 * r_1 - b[0]) + 0.9 * (0.5 - second) * (r_1 - b[1])
    assert_allclose(found, [each.mean()], rtol=1e-12, atol=1e-15)
    assert_allclose(memory, [(r_0 + 0.9 * r_1).mean(), r_1.mean()], rtol=1e-12)


def by_loops(rule, mdp, policy, paths, Q, V):
    """Return the direction of an actor-critic and the sums of its TD errors by state and pair, by loops."""
    S, A = mdp.reward.shape
    probs, scores, gamma = policy.probs(), policy.scores(), mdp.discount
    total, by_pair, by_state = 0.0, np.zeros((S, A)), np.zeros(S)
    for n in range(paths.n_episodes):
        for t in range(int(paths.lengths[n])):
            s, a, p = paths.states[t, n], paths.actions[t, n], paths.states[t + 1, n]
            w, r = paths.weights[t], mdp.reward[s, a]
            next_q = 0.0 if p == S else sum(probs[p, b] * Q[p, b] for b in range(A))
            delta_v = r + gamma * (0.0 if p == S else V[p]) - V[s]
            by_pair[s, a] += w * (r + gamma * next_q - Q[s, a])
            by_state[s] += w * delta_v
            factor = {
                QActorCritic: Q[s, a],
                AdvantageActorCritic: Q[s, a] - V[s],
                TDErrorActorCritic: delta_v,
            }[type(rule)]
            total = total + w * factor * scores[s, a]
    N = paths.n_episodes
    return total / N, by_pair / N, by_state / N


@pytest.mark.parametrize("horizon", [None, 3, GeometricHorizon(0.8)])
@pytest.mark.parametrize("tabular", [True, False])
def test_the_actor_critics_are_what_their_formulas_say(horizon, tabular):
    rng = np.random.default_rng(5)
    mdp, policy = random_problem(rng, discount=1.0 if horizon is None else 0.9, features="linear")
    S, A = mdp.reward.shape
    phi = np.eye(S * A).reshape(S, A, S * A) if tabular else rng.normal(size=(S, A, 2))
    psi = np.eye(S) if tabular else rng.normal(size=(S, 2))
    w, v = rng.normal(size=phi.shape[-1]), rng.normal(size=psi.shape[-1])
    common = {"critic_step_size": 0.3, "n_episodes": 40, "horizon": horizon}
    pairs = {"pair_features": "tabular" if tabular else phi}
    states = {"state_features": "tabular" if tabular else psi}
    rules = [
        (QActorCritic(**pairs, **common), w),
        (AdvantageActorCritic(**pairs, **states, **common), (w, v)),
        (TDErrorActorCritic(**states, **common), v),
    ]
    paths = rollout(mdp, policy, n_episodes=40, horizon=horizon, rng=np.random.default_rng(6))
    for rule, memory in rules:
        found, after = rule.direction(mdp, policy, memory, rng=np.random.default_rng(6))
        expected, by_pair, by_state = by_loops(rule, mdp, policy, paths, phi @ w, psi @ v)
        assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
        new_w = w + 0.3 * np.einsum("sa,sak->k", by_pair, phi)
        new_v = v + 0.3 * by_state @ psi
        after = after if isinstance(after, tuple) else (after,)
        news = {QActorCritic: (new_w,), AdvantageActorCritic: (new_w, new_v), TDErrorActorCritic: (new_v,)}
        for one, other in zip(after, news[type(rule)], strict=True):
            assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_the_critics_start_at_zero():
    mdp, policy = random_problem(np.random.default_rng(2), discount=1.0)
    common = {"critic_step_size": 0.3, "n_episodes": 40}
    rng = np.random.default_rng(3)
    found, _ = QActorCritic(pair_features="tabular", **common).direction(mdp, policy, rng=rng)
    assert_array_equal(found, 0.0)
    rule = AdvantageActorCritic(pair_features="tabular", state_features="tabular", **common)
    assert_array_equal(rule.direction(mdp, policy, rng=rng)[0], 0.0)
    # With V = 0 the TD error is the reward.
    rule, again = TDErrorActorCritic(state_features="tabular", **common), np.random.default_rng(4)
    found, _ = rule.direction(mdp, policy, rng=np.random.default_rng(4))
    paths = rollout(mdp, policy, n_episodes=40, rng=again)
    by_pair = np.bincount(paths.pairs.ravel(), minlength=13)[:12].reshape(4, 3) * mdp.reward / 40
    assert_allclose(found, policy.score_sum(by_pair), rtol=1e-12, atol=1e-14)


def quadratics(x, u):
    """Return features of (x, u) that span Q, and one more."""
    return np.stack([x**2, x * u, u**2, np.ones_like(x), x**3 * u], axis=-1)


def squares(x):
    return np.stack([x**2, np.ones_like(x)], axis=-1)


def test_the_actor_critics_are_what_their_formulas_say_on_the_real_line():
    rng = np.random.default_rng(7)
    mdp, policy = random_linear_quadratic(rng)
    w, v = rng.normal(size=5), rng.normal(size=2)
    common = {"critic_step_size": 0.01, "n_episodes": 30, "horizon": 6}
    paths = rollout(mdp, policy, n_episodes=30, horizon=6, rng=np.random.default_rng(8))
    x, u = paths.states, paths.actions
    weight = paths.weights[:, None]
    Q = quadratics(x[:-1], u) @ w
    k, s = float(policy.gain), float(policy.std)
    # Moments of u = k x + s z, for the mean of Q at the next state.
    y = x[1:]
    moments = [y**2, k * y**2, k**2 * y**2 + s**2, np.ones_like(y), k * y**4]
    next_q = sum(each * one for each, one in zip(w, moments, strict=True))
    errors = {
        "Q": weight * (paths.rewards + mdp.discount * next_q - Q),
        "V": weight * (paths.rewards + mdp.discount * squares(y) @ v - squares(x[:-1]) @ v),
    }
    new_w = w + 0.01 * np.einsum("tn,tnk->k", errors["Q"], quadratics(x[:-1], u)) / 30
    new_v = v + 0.01 * np.einsum("tn,tnk->k", errors["V"], squares(x[:-1])) / 30
    score = policy.score(x[:-1], u)
    factors = [weight * Q, weight * (Q - squares(x[:-1]) @ v), errors["V"]]
    rules = [
        (QActorCritic(pair_features=quadratics, **common), w, (new_w,)),
        (
            AdvantageActorCritic(pair_features=quadratics, state_features=squares, **common),
            (w, v),
            (new_w, new_v),
        ),
        (TDErrorActorCritic(state_features=squares, **common), v, (new_v,)),
    ]
    for (rule, memory, expected), factor in zip(rules, factors, strict=True):
        found, after = rule.direction(mdp, policy, memory, rng=np.random.default_rng(8))
        assert_allclose(found, np.einsum("tn,tnk->k", factor, score) / 30, rtol=1e-9, atol=1e-10)
        for one, other in zip(after if isinstance(after, tuple) else (after,), expected, strict=True):
            assert_allclose(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("problem", [now_or_later, linear_quadratic])
def test_features_that_are_left_out_span_the_values(problem):
    # A table has one for each cell; on the real line they are the squares, and 1.
    def both_squares(x, u):
        return np.stack([x**2, x * u, u**2, np.ones_like(x)], axis=-1)

    finite = problem is now_or_later
    states, pairs = ("tabular", "tabular") if finite else (squares, both_squares)
    common = {"critic_step_size": 0.01, "n_episodes": 30, "horizon": 6}
    both = {"pair_features": pairs, "state_features": states}
    for kind in (QActorCritic, AdvantageActorCritic, TDErrorActorCritic, IncrementalNaturalActorCritic):
        given = {name: each for name, each in both.items() if name in kind.__dataclass_fields__}
        runs = [
            ascend(*problem(), rule=rule, step_size=1e-3, n_steps=5, rng=np.random.default_rng(9))
            for rule in (kind(**common), kind(**given, **common))
        ]
        assert_allclose(runs[0].parameters, runs[1].parameters, rtol=1e-12)
    rules = [traces(0.5, 6, critic_step_size=0.1, state_features=each) for each in (None, states)]
    runs = [
        ascend(*problem(), rule=rule, step_size=1e-3, n_steps=20, rng=np.random.default_rng(9))
        for rule in rules
    ]
    assert_allclose(runs[0].parameters, runs[1].parameters, rtol=1e-12)


def test_a_critic_that_cannot_tell_states_apart_turns_the_corridor_round():
    # With one constant feature the fixed point weighted with rho is V = J everywhere, as the mass that rho
    # loses in a step is 1: sum_s rho(s) (r(s) + gamma P V - V) = J - v. On K1 the reward is constant, so what
    # is left of the direction is the end: rho(2) p (1 - p) (0 - J), towards p = 1 also beyond the best p.
    for p in (0.3, 0.58, 0.9):
        mdp, policy = short_corridor(p)
        J = expected_return(mdp, policy)
        rho = routes.visits(mdp, policy.probs())
        found = TDErrors(np.full(3, J)).expectation(mdp, policy)
        assert_allclose(found, [-rho[2] * p * (1 - p) * J], rtol=1e-9)
    rule = TDErrorActorCritic(state_features=np.ones((3, 1)), critic_step_size=0.1, n_episodes=100)
    run = ascend(*short_corridor(0.5858), rule=rule, step_size=0.02, n_steps=40, rng=np.random.default_rng(0))
    # Each step raises theta by about 0.02 * 2 * 0.24 * 11.7 = 0.1; its standard error is a tenth of that.
    assert run.parameters[-1, 0] > 2
    assert run.returns[-1] < 1.5 * run.returns[0]


def test_the_natural_actor_critics_take_the_weights_of_their_critic():
    mdp, policy = now_or_later(0.3)
    exact = ExactNaturalActorCritic(LiteralUpdate())
    # The immediate reward is 1 - p: over the Fisher information p (1 - p) its slope is -1.
    assert_allclose(exact.direction(mdp, policy, rng=None)[0], [-1.0], rtol=1e-12)
    rule = NaturalActorCritic(critic=MonteCarlo(), n_episodes=50)
    found, memory = rule.direction(mdp, policy, rng=np.random.default_rng(9))
    paths = rollout(mdp, policy, n_episodes=50, rng=np.random.default_rng(9))
    assert_array_equal(found, MonteCarlo().fit(paths))
    assert memory is None


# --- eligibility traces ----------------------------------------------------------------------------


def traces(lam, horizon=None, kind=EligibilityTraces, **changes):
    """Return a rule whose critic stands still, as far as numbers of size 1 can tell."""
    changes = {"lam_critic": 0.0, "critic_step_size": 1e-300, "state_features": "tabular", **changes}
    return kind(lam_actor=lam, horizon=horizon, **changes)


def episode_sums(rule, mdp, policy, n_episodes, v, seed=0):
    """Return the sum of the directions over each of n episodes, with theta and v held still."""
    rng, sums = np.random.default_rng(seed), np.zeros((n_episodes, policy.parameters.size))
    _, memory = rule.direction(mdp, policy, rng=rng)
    memory = dataclasses.replace(memory, v=v, walk=None)
    for n in range(n_episodes):
        for _ in range(1000):
            direction, memory = rule.direction(mdp, policy, memory, rng=rng)
            sums[n] += direction
            if memory.walk is None:
                break
        else:
            pytest.fail("an episode does not end")
    return sums


@pytest.mark.parametrize(
    ("horizon", "lam"), [(None, 1.0), (None, 0.5), (3, 0.7), (GeometricHorizon(0.8), 0.7)]
)
def test_over_an_episode_the_traces_add_up_to_gae(horizon, lam):
    rng = np.random.default_rng(11)
    mdp, policy = random_problem(rng, discount=1.0 if horizon is None else 0.9, features="linear")
    V = rng.normal(size=4)
    sums = episode_sums(traces(lam, horizon), mdp, policy, 1500, V)
    assert_mean(sums, GAE(V, lam).expectation(mdp, policy, horizon))


def test_over_an_episode_the_traces_add_up_to_gae_on_the_real_line():
    mdp, policy = linear_quadratic(-0.6)
    rule = traces(1.0, 5, state_features=squares)
    sums = episode_sums(rule, mdp, policy, 1500, np.zeros(2))
    # With V = 0 and lambda = 1 that is the return to go.
    assert_mean(sums, ReturnToGo().expectation(mdp, policy, 5))


class Forgetful(EligibilityTraces):
    """M4: the trace starts anew at each step."""

    def _direction(self, mdp, policy, memory, *, rng):
        if memory is not None and memory.walk is not None:
            blank = dataclasses.replace(memory.walk, actor_trace=np.zeros(1))
            memory = dataclasses.replace(memory, walk=blank)
        return super()._direction(mdp, policy, memory, rng=rng)


def test_traces_that_start_anew_each_step_are_caught():
    # K2 at p = 1/2 with V = 0. "Now": 1 * (-1/2). "Later": 0 in the first step; in the second 10, times the
    # trace 0.9 * 1/2 of the first, which whoever starts anew has lost. The gradient is (4.5 - 0.5) / 2 = 2;
    # without the trace it is -1/4, a bias of -2.25 and of the other sign.
    mdp, policy = now_or_later()
    good, bad = (
        episode_sums(traces(1.0, kind=kind), mdp, policy, 300, np.zeros(2))
        for kind in (EligibilityTraces, Forgetful)
    )
    assert set(good[:, 0].round(12)) == {-0.5, 4.5}
    assert set(bad[:, 0].round(12)) == {-0.5, 0.0}
    assert_mean(good, policy_gradient(mdp, policy))
    assert_mean(bad, policy_gradient(mdp, policy) - 2.25)
    # 300 episodes tell 2 from -0.25 by 2.25 / (2.5 / sqrt 300) = 15 standard errors, and 5 are needed.
    with pytest.raises(AssertionError):
        assert_mean(bad, policy_gradient(mdp, policy))


def test_the_critic_of_the_traces_learns_online():
    # K9 has two steps. Step by step: delta_0 = r_0 + 0.9 v_1 - v_0, y_0 = e_0; delta_1 = r_1 - v_1 with the v
    # that was just moved, y_1 = 0.9 lambda e_0 + e_1.
    mdp, policy = one_knob(0.5)
    rule = traces(1.0, lam_critic=0.5, critic_step_size=0.2)
    rng = np.random.default_rng(12)
    memory, v = None, np.zeros(2)
    for _ in range(20):
        before = v
        d, memory = rule.direction(mdp, policy, memory, rng=rng)
        # SC = +1/2 for action 0, which pays 1.
        z_0 = memory.walk.actor_trace[0]
        delta = float(z_0 > 0) + 0.9 * before[1] - before[0]
        assert_allclose(d, [delta * z_0], rtol=1e-12, atol=1e-14)
        v = before + 0.2 * delta * np.array([1.0, 0.0])
        assert_allclose(memory.v, v, rtol=1e-12, atol=1e-14)
        first = v
        d, memory = rule.direction(mdp, policy, memory, rng=rng)
        options = []
        for r, score in ((-0.5, 0.5), (0.0, -0.5)):
            delta = r - first[1]
            options.append((delta * 0.9 * (z_0 + score), first + 0.2 * delta * np.array([0.45, 1.0])))
        match = [new for along, new in options if abs(along - d[0]) < 1e-12 and np.allclose(new, memory.v)]
        assert len(match) == 1
        v = match[0]
        assert memory.walk is None


@pytest.mark.parametrize("horizon", [None, 3, GeometricHorizon(0.9)])
def test_the_traces_are_what_their_formulas_say(horizon):
    # K4: a move from state to state tells the action, 0 where one stays, 1 where one switches; no episode
    # ends by itself, so only the last step of an episode does not tell.
    mdp, policy = two_states(stay_first=0.4, stay_second=0.7)
    rule = traces(0.7, horizon, lam_critic=0.6, critic_step_size=0.05)
    rng, gamma = np.random.default_rng(16), 0.9
    continuation = 0.9 if isinstance(horizon, GeometricHorizon) else 1.0
    stay = np.array([0.4, 0.7])
    _, memory = rule.direction(mdp, policy, rng=rng)
    memory = dataclasses.replace(memory, v=np.array([3.0, -2.0]), walk=None)
    lengths, t, n_told = [], 0, 0
    while len(lengths) < 40:
        if t == 0:
            s, z, y = 0, np.zeros(2), np.zeros(2)
        v = memory.v
        d, memory = rule.direction(mdp, policy, memory, rng=rng)
        t += 1
        if memory.walk is None or (horizon is None and t == 30):
            memory = dataclasses.replace(memory, walk=None)
            lengths.append(t)
            t = 0
            continue
        n_told += 1
        assert t < 1000, "an episode does not end"
        p = memory.walk.state
        score = np.zeros(2)
        score[s] = 1 - stay[s] if p == s else -stay[s]
        weight = (gamma / continuation) ** (t - 1)
        z = gamma / continuation * 0.7 * z + weight * score
        y = gamma / continuation * 0.6 * y + np.eye(2)[s]
        delta = (p == s) * (1.0, 2.0)[s] + gamma * v[p] - v[s]
        assert_allclose(d, delta * z, rtol=1e-10, atol=1e-13)
        assert_allclose(memory.v, v + 0.05 * delta * y, rtol=1e-12)
        s = p
    assert n_told >= 40
    if isinstance(horizon, int):
        assert set(lengths) == {3}
    if isinstance(horizon, GeometricHorizon):
        # The sum of 40 geometric lengths is at most m if there are at least 40 stops in m steps.
        total, stops = sum(lengths), 40
        assert bdtrc(stops - 1, total, 0.1) > routes.FALSE_ALARM / 2
        assert bdtr(stops, total, 0.1) > routes.FALSE_ALARM / 2
        # With 0.1 and 0.9 exchanged the total would be near 44, where the chance of 40 stops is 1e-32.
        assert bdtrc(stops - 1, 60, 0.1) < routes.FALSE_ALARM


def test_the_steps_of_the_traces_on_the_real_line_have_the_moments_of_the_problem():
    mdp, _ = linear_quadratic(-0.5)
    policy = LinearGaussianPolicy(-0.5, -1.0)
    rule, rng = traces(0.0, 2, state_features=squares), np.random.default_rng(17)
    starts, nexts = np.empty(2000), np.empty(2000)
    for n in range(2000):
        # What the critic's trace holds after the first step is x_0^2 and 1; the state is x_1.
        _, memory = rule.direction(mdp, policy, rng=rng)
        starts[n], nexts[n] = memory.walk.critic_trace[0], memory.walk.state
    # x_0 ~ N(1, 0.5^2): E x_0^2 = 1.25. x_1 = x_0 / 2 + e^-1 z + 0.5 e: mean 1/2 and
    # E x_1^2 = 1.25 / 4 + e^-2 + 0.25. Without either noise that would be 0.25 or 0.14 less, and its standard
    # error is sqrt(2 * 0.7^2 / 2000) = 0.022.
    second = 1.25 / 4 + math.exp(-2) + 0.25
    assert_mean(np.stack([starts, nexts, nexts**2], axis=1), np.array([1.25, 0.5, second]))


def test_the_traces_are_the_same_for_sparse_transitions():
    sparse = garden(3)
    dense = FiniteMDP(sparse.transition.toarray().reshape(9, 4, 9), sparse.reward, sparse.initial, 0.99)
    policy = random_policy(np.random.default_rng(0), 9, 4)
    rule = EligibilityTraces(lam_actor=0.9, lam_critic=0.9, state_features="tabular", critic_step_size=0.1)
    one, other = (
        ascend(mdp, policy, rule=rule, step_size=0.1, n_steps=60, rng=np.random.default_rng(13))
        for mdp in (sparse, dense)
    )
    assert_allclose(one.parameters, other.parameters, rtol=1e-9, atol=1e-12)
    assert np.abs(one.parameters[-1] - one.parameters[0]).max() > 0.01


def test_the_traces_take_linear_features_of_states():
    mdp, policy = random_problem(np.random.default_rng(14), discount=1.0)
    tabular, linear = (
        ascend(
            mdp,
            policy,
            rule=traces(0.8, lam_critic=0.6, critic_step_size=0.1, state_features=features),
            step_size=0.05,
            n_steps=40,
            rng=np.random.default_rng(15),
        )
        for features in ("tabular", np.eye(4))
    )
    assert_allclose(tabular.parameters, linear.parameters, rtol=1e-12)


# --- bad input -------------------------------------------------------------------------------------


GOOD = {"rule": GradientAscent(), "step_size": 0.1, "n_steps": 3}


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"step_size": math.nan}, ValueError, "step_size is nan; expected a finite number"),
        ({"step_size": math.inf}, ValueError, "step_size is inf; expected a finite number"),
        ({"step_size": 0.0}, ValueError, "step_size is 0; expected a number above 0"),
        ({"step_size": -1}, ValueError, "step_size is -1; expected a number above 0"),
        ({"step_size": "1e-"}, TypeError, "step_size must be a number, got str"),
        ({"n_steps": -1}, ValueError, "n_steps is -1; expected an integer of at least 0"),
        # 8 bytes for each of two parameters in each row, in units of 2^30.
        (
            {"n_steps": 10**15},
            ValueError,
            "1000000000000000 steps of 2 parameters would take 1.49e+07 GiB; expected at most 16 GiB",
        ),
        ({"n_steps": 2.5}, TypeError, "n_steps must be an integer, got float"),
        ({"rule": "gradient"}, TypeError, "rule must be an AscentRule, such as GradientAscent(), got str"),
        (
            {"rule": GradientAscent},
            TypeError,
            "rule must be an AscentRule, such as GradientAscent(), got the class GradientAscent",
        ),
        (
            {"rule": Reinforce(n_episodes=5)},
            TypeError,
            "rng must be a numpy.random.Generator, got None; write rng=np.random.default_rng(seed)",
        ),
        (
            {"rule": Reinforce(n_episodes=5), "rng": 7},
            TypeError,
            "rng must be a numpy.random.Generator, got int; write rng=np.random.default_rng(seed)",
        ),
        (
            {"rng": 7},
            TypeError,
            "rng must be a numpy.random.Generator, got int; write rng=np.random.default_rng(seed)",
        ),
    ],
)
def test_what_ascend_is_given_must_make_sense(changes, kind, words):
    with pytest.raises(kind, match=exactly(words)):
        ascend(*two_states(), **{**GOOD, **changes})


def test_policy_and_problem_must_go_together():
    mdp, policy = two_states()
    with pytest.raises(ValueError, match=exactly("policy is a batch of shape (3,); expected one policy")):
        ascend(mdp, policy.with_parameters(np.zeros((3, 2))), **GOOD)
    with pytest.raises(ValueError, match="^policy is for 3 states and 2 actions; expected 2 states"):
        ascend(mdp, short_corridor()[1], **GOOD)
    with pytest.raises(TypeError, match="^policy must be a FinitePolicy, got LinearGaussianPolicy$"):
        ascend(mdp, LinearGaussianPolicy(0.0, 0.0), **GOOD)
    with pytest.raises(TypeError, match="^mdp must be a FiniteMDP or a LinearQuadraticMDP, got str$"):
        ascend("mdp", policy, **GOOD)


def test_j_must_exist_at_the_start():
    with pytest.raises(ValueError, match=r"^gain is 0\.5: the closed loop has drift"):
        ascend(*linear_quadratic(0.5), **GOOD)


def both(**changes):
    return {"critic_step_size": 0.1, "n_episodes": 5, **changes}


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (
            lambda: Reinforce(n_episodes=0),
            ValueError,
            "n_episodes is 0; expected an integer of at least 1",
        ),
        (lambda: Reinforce(n_episodes="5"), TypeError, "n_episodes must be an integer, got str"),
        (
            lambda: Reinforce(n_episodes=5, horizon=0),
            ValueError,
            "horizon is 0; expected an integer of at least 1",
        ),
        (
            lambda: TDErrorActorCritic(state_features="tabular", **both(critic_step_size=0.0)),
            ValueError,
            "critic_step_size is 0; expected a number above 0",
        ),
        (
            lambda: TDErrorActorCritic(state_features="onehot", **both()),
            ValueError,
            "state_features is 'onehot'; expected 'tabular', an array (S, M) or a function",
        ),
        (
            lambda: QActorCritic(pair_features=np.ones(3), **both()),
            ValueError,
            "pair_features has shape (3,); expected (S, A, L)",
        ),
        (
            lambda: traces(1.5),
            ValueError,
            "lam_actor is 1.5; expected a number in [0, 1]",
        ),
        (
            lambda: traces(1.0, lam_critic=-0.1),
            ValueError,
            "lam_critic is -0.1; expected a number in [0, 1]",
        ),
        (
            lambda: traces(1.0, critic_step_size=-1.0),
            ValueError,
            "critic_step_size is -1; expected a number above 0",
        ),
        (
            lambda: NaturalActorCritic(critic="td", n_episodes=5),
            TypeError,
            "critic must have a method fit, as MonteCarlo() has, got str",
        ),
        (
            lambda: NaturalActorCritic(critic=MonteCarlo, n_episodes=5),
            TypeError,
            "critic must have a method fit, as MonteCarlo() has, got the class MonteCarlo",
        ),
        (
            lambda: ExactNaturalActorCritic(7),
            TypeError,
            "critic must have a method fixed_point, as MonteCarlo() has, got int",
        ),
        (
            lambda: HoldFixed("rule", (0,)),
            TypeError,
            "rule must be an AscentRule, such as GradientAscent(), got str",
        ),
        (
            lambda: HoldFixed(GradientAscent(), 0),
            TypeError,
            "held must be a sequence of places, such as (0,), got 0",
        ),
        (
            lambda: HoldFixed(GradientAscent(), (-1,)),
            ValueError,
            "held[0] is -1; expected an integer of at least 0",
        ),
        (
            lambda: HoldFixed(GradientAscent(), (1, 1)),
            ValueError,
            "held is (1, 1); expected each place once",
        ),
    ],
)
def test_the_settings_of_a_rule_must_make_sense(make, kind, words):
    with pytest.raises(kind, match=exactly(words)):
        make()


@pytest.mark.parametrize(
    ("rule", "problem", "kind", "words"),
    [
        (
            HoldFixed(GradientAscent(), (2,)),
            two_states,
            ValueError,
            "held is (2,); expected places from 0 to 1",
        ),
        (
            TDErrorActorCritic(state_features=np.ones((3, 1)), **both()),
            now_or_later,
            ValueError,
            "state_features has shape (3, 1); expected (2, M), a row of features for each state",
        ),
        (
            QActorCritic(pair_features=np.ones((2, 3, 1)), **both()),
            now_or_later,
            ValueError,
            "pair_features has shape (2, 3, 1); expected (2, 2, L), a row of features for each state and "
            "action",
        ),
        (
            TDErrorActorCritic(state_features=squares, **both()),
            now_or_later,
            TypeError,
            "state_features is a function; expected 'tabular' or an array of shape (2, M) for a finite "
            "problem",
        ),
        (
            TDErrorActorCritic(state_features="tabular", **both(horizon=5)),
            linear_quadratic,
            TypeError,
            "state_features is 'tabular'; expected a function of x that returns (..., M), "
            "for a linear-quadratic problem, which has no table",
        ),
        (
            QActorCritic(pair_features=lambda x, u: x, **both(horizon=5)),
            linear_quadratic,
            ValueError,
            "pair_features(x, u) has shape (1,); expected (1,), as its arguments have it, and an axis of "
            "features",
        ),
        (
            QActorCritic(pair_features=lambda x, u: np.full((*x.shape, 2), np.inf), **both(horizon=5)),
            linear_quadratic,
            ValueError,
            "pair_features(x, u) at [0, 0] is inf; expected a finite number",
        ),
    ],
)
def test_a_rule_must_fit_the_problem(rule, problem, kind, words):
    # Nothing is done yet, so nothing can be lost: an error, not a run that stopped.
    with pytest.raises(kind, match=exactly(words)):
        ascend(*problem(), rule=rule, step_size=0.1, n_steps=3, rng=np.random.default_rng(0))


def test_a_direction_must_have_the_shape_of_the_parameters():
    class Wide(AscentRule):
        def _direction(self, mdp, policy, memory, *, rng):
            return np.zeros(3), memory

    words = "direction of Wide has shape (3,); expected (2,) as parameters"
    with pytest.raises(ValueError, match=exactly(words)):
        ascend(*two_states(), rule=Wide(), step_size=0.1, n_steps=1)


# --- runs that end before their time ----------------------------------------------------------------


def test_a_gain_that_leaves_the_stable_region_stops_the_run():
    # K3: a step of 1 along the gradient is far too long; J exists only while gamma c^2 < 1.
    with pytest.warns(
        RuntimeWarning, match=r"^diverged after \d+ of 50 steps, the next of which fails: gain is"
    ):
        run = ascend(*linear_quadratic(), rule=GradientAscent(), step_size=1.0, n_steps=50)
    done = len(run.returns) - 1
    assert done < 50
    assert run.stopped.startswith(f"diverged after {done} of 50 steps, the next of which fails: gain is")
    assert run.parameters.shape == (done + 1, 2)
    assert np.isfinite(run.returns).all()
    assert repr(run).endswith(", stopped)")
    # The next step is where J stops to exist.
    last = linear_quadratic()[1].with_parameters(run.parameters[-1])
    gain = run.parameters[-1, 0] + policy_gradient(linear_quadratic()[0], last)[0]
    assert 0.9 * (1 + gain) ** 2 >= 1


def test_parameters_that_overflow_stop_the_run():
    class Doubling(AscentRule):
        def _direction(self, mdp, policy, memory, *, rng):
            return np.full(2, 1e300) * policy.parameters**2, memory

    words = (
        "diverged after 0 of 9 steps, the next of which fails: parameters[0] is inf; expected a finite number"
    )
    mdp, policy = two_states()
    start = policy.with_parameters([1e10, 1.0])
    with pytest.warns(RuntimeWarning, match=exactly(f"{words}. The run holds what was done")):
        run = ascend(mdp, start, rule=Doubling(), step_size=1.0, n_steps=9)
    assert run.stopped == words
    assert_array_equal(run.parameters, [[1e10, 1.0]])


class Onward(AscentRule):
    """Steps of one length and direction."""

    def __init__(self, *direction):
        self.step = np.array(direction)

    def _direction(self, mdp, policy, memory, *, rng):
        return self.step, memory


def stopped_after(start, rule, n_done, words):
    words = f"diverged after {n_done} of 9 steps, the next of which fails: {words}"
    with pytest.warns(RuntimeWarning, match=exactly(f"{words}. The run holds what was done")):
        return ascend(*start, rule=rule, step_size=1.0, n_steps=9)


def test_a_std_that_leaves_the_numbers_stops_the_run():
    words = "log_std is 199; expected at most 170 in size, or its powers are beyond the numbers of a computer"
    run = stopped_after(linear_quadratic(), Onward(0.0, 100.0), 1, words)
    assert_allclose(run.parameters[:, 1], [-1.0, 99.0])


def test_a_return_that_overflows_stops_the_run():
    # P = q / (1 - gamma c^2) is 1e150 / 2e-13 near the edge, and x_0^2 is 1e150.
    mdp = replace(linear_quadratic()[0], state_cost=1e150, initial_mean=1e75)
    edge = 0.9**-0.5 * (1 - 1e-13) - 1.0
    run = stopped_after(
        (mdp, LinearGaussianPolicy(0.0, -1.0)), Onward(edge, 0.0), 0, "J is -inf; expected a finite number"
    )
    assert run.parameters.shape == (1, 2)


def test_a_corridor_without_end_stops_the_run():
    # With log odds of 400 a way to the left, and so the end, has the probability e^-400; with 800 it is 0.
    class Right(AscentRule):
        def _direction(self, mdp, policy, memory, *, rng):
            return np.array([400.0]), memory

    with pytest.warns(
        RuntimeWarning, match="^diverged after 1 of 5 steps, the next of which fails: discount is"
    ):
        run = ascend(*short_corridor(), rule=Right(), step_size=1.0, n_steps=5)
    assert len(run.returns) == 2


class FailsLater(AscentRule):
    """Uphill until it meets an error."""

    def __init__(self, error, after):
        self.error, self.after = error, after

    def _direction(self, mdp, policy, memory, *, rng):
        memory = memory or 0
        if memory == self.after:
            raise self.error
        return policy_gradient(mdp, policy), memory + 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no such luck"), "no direction after 2 of 7 steps: no such luck"),
        (OverflowError("too large"), "no direction after 2 of 7 steps: too large"),
        (KeyboardInterrupt(), "interrupted after 2 of 7 steps"),
    ],
)
def test_a_run_that_is_stopped_keeps_what_it_has(error, words):
    with pytest.warns(RuntimeWarning, match=exactly(f"{words}. The run holds what was done")) as caught:
        run = ascend(*two_states(), rule=FailsLater(error, 2), step_size=1.0, n_steps=7)
    assert caught[0].filename == __file__
    whole = plateau_run(n_steps=2)
    assert run.stopped == words
    for name in ("parameters", "returns", "gradient_norms"):
        assert_array_equal(getattr(run, name), getattr(whole, name))


def test_an_error_at_the_first_step_is_an_error():
    with pytest.raises(ValueError, match="^no such luck$"):
        ascend(*two_states(), rule=FailsLater(ValueError("no such luck"), 0), step_size=1.0, n_steps=7)
    # And a mistake of the programme is one at any step.
    with pytest.raises(TypeError, match="^a slip$"):
        ascend(*two_states(), rule=FailsLater(TypeError("a slip"), 2), step_size=1.0, n_steps=7)


def test_a_bar_shows_how_far_it_is(monkeypatch):
    seen = []
    monkeypatch.setattr(climb, "progress", lambda steps, total, unit: seen.append((total, unit)) or steps)
    plateau_run(n_steps=4)
    assert seen == [(4, "steps")]


# --- the record ------------------------------------------------------------------------------------


def assert_equal(one, other):
    """Hold two runs equal, bit for bit."""
    for each in dataclasses.fields(Run):
        left, right = getattr(one, each.name), getattr(other, each.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype == np.float64
            assert left.shape == right.shape
            assert left.tobytes() == right.tobytes()
            assert not right.flags.writeable
        else:
            assert left == right
            assert type(left) is type(right)


def test_no_step_leaves_the_start():
    run = plateau_run(n_steps=0)
    assert run.parameters.shape == (1, 2)
    assert_allclose(run.returns, [expected_return(*two_states())], rtol=1e-15)


def test_a_run_says_what_it_was_made_with():
    rule = HoldFixed(
        TDErrorActorCritic(
            state_features=np.array([[0.1], [0.2]]),
            critic_step_size=0.5,
            n_episodes=4,
            horizon=GeometricHorizon(0.5),
        ),
        held=(),
    )
    run = ascend(*now_or_later(), rule=rule, step_size=1, n_steps=1, rng=np.random.default_rng(0))
    assert run.rule == {
        "name": "HoldFixed",
        "rule": {
            "name": "TDErrorActorCritic",
            "n_episodes": 4,
            "horizon": {"name": "GeometricHorizon", "continuation": 0.5},
            "critic_step_size": 0.5,
            "state_features": [[0.1], [0.2]],
        },
        "held": [],
    }
    assert (run.step_size, run.n_steps, run.stopped) == (1.0, 1, None)
    assert run.problem == (
        "FiniteMDP(n_states=2, n_actions=2, discount=0.9), "
        "SoftmaxPolicy(n_states=2, n_actions=2, n_parameters=1)"
    )
    assert plateau_run().generator_state is None


def test_settings_are_plain_data_whatever_they_were():
    class Thing:
        pass

    assert run_room.plain({1: (np.float64(0.5), np.int32(2), True, None, "x")}) == {
        "1": [0.5, 2, True, None, "x"]
    }
    assert run_room.plain(squares) == "squares"
    assert run_room.plain(Thing()) == "Thing"


def test_a_policy_without_words_is_named_by_its_class():
    from pgtlab import FinitePolicy

    class Coin(FinitePolicy):
        def __init__(self, parameters):
            self.parameters = np.array(parameters)

        def probs(self):
            p = 1 / (1 + np.exp(-self.parameters[0]))
            return np.tile([p, 1 - p], (2, 1))

        def scores(self):
            p = self.probs()[0, 0]
            return np.tile([[1 - p], [-p]], (2, 1, 1))

        def with_parameters(self, parameters):
            return Coin(parameters)

    run = ascend(one_knob(0.5)[0], Coin([0.0]), rule=GradientAscent(), step_size=1.0, n_steps=2)
    assert run.problem.endswith(", Coin")
    same = ascend(*one_knob(0.5), rule=GradientAscent(), step_size=1.0, n_steps=2)
    assert_allclose(run.parameters, same.parameters, rtol=1e-12)
    # Parameters that are not finite are seen in the probabilities, where a policy does not look itself.
    nowhere = FailsLater(ValueError(), -1)
    nowhere._direction = lambda *_, **__: (np.array([math.nan]), None)
    with pytest.warns(RuntimeWarning, match=r"^diverged after 0 of 2 steps, .*: policy\.probs\(\)\[0\] is"):
        ascend(one_knob(0.5)[0], Coin([0.0]), rule=nowhere, step_size=1.0, n_steps=2)


BIT_GENERATORS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("bits", BIT_GENERATORS)
def test_a_run_is_saved_and_loaded_and_repeated_bit_for_bit(tmp_path, bits):
    rng = np.random.Generator(bits(5))
    rng.random(3)
    run = sampled_run(rng)
    run.save(tmp_path / "run.npz")
    loaded = Run.load(tmp_path / "run.npz")
    assert_equal(run, loaded)
    assert_equal(run, sampled_run(loaded.generator()))
    assert [each.name for each in tmp_path.iterdir()] == ["run.npz"]


def test_exact_and_stopped_runs_are_saved_without_loss(tmp_path):
    path = str(tmp_path / "no ending")
    with pytest.warns(RuntimeWarning):
        stopped = ascend(*two_states(), rule=FailsLater(ValueError("'ü'"), 2), step_size=1.0, n_steps=7)
    for run in (stopped, plateau_run()):
        # Into the same file: the old one gives way to the new.
        run.save(path)
        assert_equal(run, Run.load(path))


def test_a_run_survives_pickling():
    run = sampled_run(np.random.default_rng(1))
    assert_equal(run, pickle.loads(pickle.dumps(run)))


def test_a_run_that_drew_nothing_has_no_generator():
    words = "this run drew no random numbers; expected one of a rule that draws"
    with pytest.raises(ValueError, match=exactly(words)):
        plateau_run().generator()
    odd = dataclasses.replace(plateau_run(), generator_state={"bit_generator": "default_rng"})
    words = "bit generator is 'default_rng'; expected one of MT19937, PCG64, PCG64DXSM, Philox, SFC64"
    with pytest.raises(ValueError, match=exactly(words)):
        odd.generator()


def test_the_arrays_of_a_run_go_together():
    run = plateau_run(n_steps=2)
    with pytest.raises(
        ValueError, match=exactly("returns has shape (2,); expected (3,) to go with parameters")
    ):
        dataclasses.replace(run, returns=run.returns[:-1])
    with pytest.raises(ValueError, match=exactly("gradient_norms[1] is nan; expected a finite number")):
        dataclasses.replace(run, gradient_norms=[1.0, math.nan, 1.0])


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    plateau_run().save(path)
    whole = path.read_bytes()
    for size in [0, 1, 2, 4, *range(10, len(whole) - 1, 97), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="is cut short, damaged or no NumPy archive") as error:
            Run.load(path)
        assert str(error.value).startswith(str(path))
        assert str(error.value).endswith("expected what Run.save writes")


def test_a_changed_byte_of_an_array_is_seen(tmp_path):
    path = tmp_path / "run.npz"
    run = plateau_run()
    run.save(path)
    whole = bytearray(path.read_bytes())
    at = whole.index(run.returns.tobytes())
    whole[at] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="is cut short, damaged or no NumPy archive"):
        Run.load(path)


def saved_settings(**changes):
    """What `save` writes as settings, but for the changes."""
    names = ("rule", "step_size", "n_steps", "problem", "generator_state", "stopped")
    run = plateau_run()
    return {"settings": np.array(json.dumps({name: getattr(run, name) for name in names} | changes))}


def archive(path, **changes):
    """Write what `save` writes, but for the changes; None leaves a part out."""
    run = plateau_run()
    run.save(path)
    with np.load(path) as old:
        parts = {**old, **changes}
    np.savez(path, **{name: part for name, part in parts.items() if part is not None})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": None}, "is a NumPy file but holds no run; expected what Run.save writes"),
        ({"format": np.array("1")}, "is a NumPy file but holds no run; expected what Run.save writes"),
        (
            {"format": np.array(2)},
            "is a run of format 2; expected format 1, which this version of pgtlab reads",
        ),
        ({"returns": None}, "holds a run with a part missing or changed ('returns')"),
        ({"settings": None}, "holds a run with a part missing or changed ('settings')"),
        ({"settings": np.array("{")}, "holds a run with a part missing or changed (Expecting property name"),
        ({"settings": np.array("[]")}, "holds a run with a part missing or changed (list indices must be"),
        (
            {"settings": np.array("[" * 10**5)},
            "holds a run with a part missing or changed (maximum recursion",
        ),
        (
            {"returns": np.array(["1.0"] * 4)},
            "holds a run with a part missing or changed (returns must be an array of numbers of ",
        ),
        (
            saved_settings(rule=None),
            "holds a run with a part missing or changed (rule must be a dict, got NoneType)",
        ),
        (
            saved_settings(rule={}),
            "holds a run with a part missing or changed (rule is {}; expected its name in 'name')",
        ),
        (
            saved_settings(problem=5),
            "holds a run with a part missing or changed (problem must be a str, got int)",
        ),
        (
            saved_settings(stopped=5),
            "holds a run with a part missing or changed (stopped must be a str or None, got int)",
        ),
        (
            saved_settings(generator_state="PCG64"),
            "holds a run with a part missing or changed (generator_state must be a dict or None, got str)",
        ),
        (
            saved_settings(step_size="0.1"),
            "holds a run with a part missing or changed (step_size must be a number, got s",
        ),
        (
            saved_settings(n_steps="10"),
            "holds a run with a part missing or changed (n_steps must be an integer, got str)",
        ),
        ({"settings": np.array("{}")}, "holds a run with a part missing or changed ('rule')"),
        ({"returns": np.zeros(2)}, "holds a run with a part missing or changed (returns has shape (2,)"),
    ],
)
def test_another_version_or_something_else_is_refused(tmp_path, changes, words):
    path = tmp_path / "run.npz"
    archive(path, **changes)
    with pytest.raises(ValueError) as error:
        Run.load(path)
    assert str(error.value).startswith(f"{path} {words}")


def test_what_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    path.write_text("theta = 1\n")
    with pytest.raises(ValueError, match="is cut short, damaged or no NumPy archive"):
        Run.load(path)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="is cut short, damaged or no NumPy archive"):
        Run.load(path)
    # A pickle is not opened: it could run anything. Nobody is told how it could be.
    path.write_bytes(pickle.dumps(plateau_run()))
    with pytest.raises(
        ValueError, match=r"is cut short, damaged or no NumPy archive \(File is not a zip file\)"
    ):
        Run.load(path)
    archive(path, returns=np.array([{}, 1], dtype=object))
    words = (
        r"is cut short, damaged or no NumPy archive \(an array of Python objects\); expected what Run\.save"
    )
    with pytest.raises(ValueError, match=words):
        Run.load(path)
    with pytest.raises(FileNotFoundError):
        Run.load(tmp_path / "nowhere.npz")


def test_a_file_with_more_bytes_inside_than_it_has_is_refused(tmp_path):
    # Two entries of the table of contents that lead to the same bytes.
    path = tmp_path / "run.npz"
    np.savez(path, format=np.array(1), returns=np.zeros(1000))
    with zipfile.ZipFile(path, "a") as archive:
        twin = copy.copy(archive.getinfo("returns.npy"))
        twin.filename = "again0.npy"
        archive.filelist.append(twin)
        archive._didModify = True
    words = r"is cut short, damaged or no NumPy archive \(its parts are larger than the file\)"
    with pytest.raises(ValueError, match=words):
        Run.load(path)


def test_a_compressed_part_is_not_read_whatever_size_it_names(tmp_path):
    path = tmp_path / "run.npz"
    np.savez_compressed(path, returns=np.zeros(10**6))
    data = bytearray(path.read_bytes())
    # The size in the table of contents: 10 bytes in place of 8 million.
    at = data.rfind(b"PK\x01\x02") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"\(its parts are compressed\)"):
            Run.load(path)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_a_record_has_no_more_rows_than_its_steps_make(tmp_path):
    run = ascend(*two_states(), rule=GradientAscent(), step_size=0.1, n_steps=3)
    with pytest.raises(ValueError, match=exactly("n_steps is 2; expected an integer of at least 3")):
        replace(run, n_steps=2)


def test_a_file_that_would_grow_when_it_is_read_is_not_read(tmp_path):
    path = tmp_path / "run.npz"
    np.savez_compressed(path, format=np.array(1), returns=np.zeros(10**6))
    assert path.stat().st_size < 10**5
    words = r"is cut short, damaged or no NumPy archive \(its parts are compressed\)"
    with pytest.raises(ValueError, match=words):
        Run.load(path)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        # A header cut short, as many numbers as no file holds, and another version of the format.
        (
            b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': (10**15,)}",
            "EOF: reading array header",
        ),
        (
            b"\x93NUMPY\x01\x00\x46\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}".ljust(69)
            + b"\n",
            "buffer is smaller than requested size",
        ),
        (b"\x93NUMPY\x02\x00\x10\x00\x00\x00", "an array in another version of NumPy's format"),
    ],
)
def test_an_array_that_claims_more_than_it_holds_takes_no_memory(tmp_path, header, words):
    path = tmp_path / "run.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("returns.npy", header)
    with pytest.raises(ValueError, match=f"is cut short, damaged or no NumPy archive \\(.*{words}"):
        Run.load(path)


def test_a_path_is_no_number():
    # 5 would be the descriptor of an open file.
    for call in (Run.load, plateau_run().save):
        with pytest.raises(TypeError, match=exactly("path must be a str or a path, got int")):
            call(5)


def test_what_a_killed_save_left_behind_is_removed_an_hour_later(tmp_path):
    path = tmp_path / "run[1].npz"
    old, young, other = (
        tmp_path / f".{name}.part"
        for name in ("run[1].npz.0123abcd", "run[1].npz.4567abcd", "run1.npz.89abcdef")
    )
    for part in (old, young, other):
        part.write_bytes(b"half")
    for part, age in ((old, 4000), (young, 3000), (other, 4000)):
        os.utime(part, (time.time() - age,) * 2)
    plateau_run().save(path)
    assert sorted(tmp_path.iterdir()) == sorted([young, other, path])


@pytest.mark.parametrize("state", [{}, 5, {"state": "x", "inc": 1}])
def test_a_state_that_is_none_is_refused(state):
    broken = {"bit_generator": "PCG64", "state": state, "has_uint32": 0, "uinteger": 0}
    run = dataclasses.replace(plateau_run(), generator_state=broken)
    with pytest.raises(ValueError, match=r"^generator_state is no state of PCG64: "):
        run.generator()


@pytest.mark.parametrize("rule", [Reinforce, ReinforceWithBaseline])
def test_a_direction_needs_no_error_bar(rule):
    # One episode of `one_knob` at theta = 0: scores x0, x1 = +-1/2, rewards r0 = (x0 > 0), r1 = -c (x1 > 0),
    # and the direction x0 (r0 + 0.9 r1) + x1 0.9 r1.
    mdp, policy = one_knob(2.0)
    x = np.array([0.5, -0.5])
    paths = rollout(mdp, policy, n_episodes=1, rng=np.random.default_rng(3))
    first, second = paths.actions[:, 0]
    pay, cost = float(first == 0), -0.9 * 2.0 * float(second == 0)
    found, _ = rule(n_episodes=1).direction(mdp, policy, rng=np.random.default_rng(3))
    assert_allclose(found, [x[first] * (pay + cost) + x[second] * cost], rtol=1e-13)
    run = ascend(mdp, policy, rule=rule(n_episodes=1), step_size=0.1, n_steps=3, rng=np.random.default_rng(3))
    assert_allclose(run.parameters[1], 0.1 * found, rtol=1e-13)


def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    plateau_run(n_steps=1).save(path)
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(run_room.np, "savez", full)
    with pytest.raises(OSError, match="^no space left on device$"):
        plateau_run(n_steps=2).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        plateau_run().save(tmp_path / "no folder" / "run.npz")


def test_the_file_is_the_documented_archive(tmp_path):
    # Whoever has NumPy alone can read it.
    path = tmp_path / "run.npz"
    run = sampled_run(np.random.default_rng(2))
    run.save(path)
    with np.load(path, allow_pickle=False) as content:
        assert sorted(content.files) == ["format", "gradient_norms", "parameters", "returns", "settings"]
        assert content["format"] == 1
        stored = json.loads(str(content["settings"]))
    assert stored["rule"] == {"name": "Reinforce", "n_episodes": 10, "horizon": None}
    assert stored["generator_state"]["bit_generator"] == "PCG64"


def test_natural_and_exact_directions_agree_with_their_rooms():
    mdp = LinearQuadraticMDP(0.9, 0.5, 1.0, 0.3, 0.2, 1.0, 0.5, 0.9)
    policy = LinearGaussianPolicy(-0.2, -0.5)
    for rule, quantity in (
        (GradientAscent(), policy_gradient),
        (NaturalGradientAscent(), natural_policy_gradient),
    ):
        run = ascend(mdp, policy, rule=rule, step_size=0.01, n_steps=1)
        assert_allclose(run.parameters[1] - run.parameters[0], 0.01 * quantity(mdp, policy), rtol=1e-9)
    softmax = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    assert GradientAscent().direction(two_states()[0], softmax, rng=None)[0].shape == (4,)
