"""What each method reaches on each problem: the table holds, and its numbers are derived here once more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from pgtlab import FiniteMDP, SoftmaxPolicy, advantages, expected_return, policy_gradient
from pgtlab.ascent import (
    ExactNaturalActorCritic,
    GradientAscent,
    HoldFixed,
    NaturalGradientAscent,
    Run,
    ascend,
)
from pgtlab.critics import (
    LSTDQ,
    TD,
    CorrectedEpisodicNAC,
    EpisodicNAC,
    LiteralUpdate,
    MonteCarlo,
    ValueAndScore,
)
from pgtlab.gallery import garnet, linear_quadratic, now_or_later, one_knob, short_corridor, two_states
from tests.outcomes import BEST, OUTCOMES
from tests.problems import seeds

EXACT = [outcome for outcome in OUTCOMES if not outcome.rule.draws]
SAMPLED = [outcome for outcome in OUTCOMES if outcome.rule.draws]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# --- the table -------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", EXACT, ids=repr)
def test_an_exact_run_ends_as_derived(outcome):
    run = outcome.run(rng=np.random.default_rng(0))
    assert outcome.holds(run), run
    assert run.generator_state is None


@pytest.mark.parametrize("outcome", SAMPLED, ids=repr)
def test_sampled_runs_end_as_derived_with_room_to_spare(outcome):
    """All runs hold, and 5 standard deviations of their distance from the level fit below what is allowed.

    If that distance is about normal, one further run fails with a chance of 3e-7.
    """
    # Fewer where a run takes long.
    short = outcome.problem == "now or later" and outcome.n_steps < 100
    generators = np.random.default_rng(0).spawn(20 if short else 6)
    runs = [outcome.run(rng=rng) for rng in generators]
    assert all(outcome.holds(run) for run in runs), runs
    off = np.array([abs(run.returns[-1] - outcome.level) for run in runs])
    assert off.mean() + 5 * off.std(ddof=1) <= outcome.within
    # They began elsewhere.
    assert abs(runs[0].returns[0] - outcome.level) > 2 * outcome.within


def test_the_table_has_method_by_problem():
    names = {(each.problem, each.method, each.rule.draws) for each in OUTCOMES}
    assert len(names) == len(OUTCOMES)
    for problem in ("short corridor", "now or later", "two states"):
        for method in ("GradientAscent", "NaturalGradientAscent", "ExactNaturalActorCritic(LiteralUpdate)"):
            assert (problem, method, False) in names
            assert ("linear-quadratic, std held", f"HoldFixed({method})", False) in names
    sampled = {problem for problem, _, draws in names if draws}
    assert sampled == {
        "short corridor",
        "now or later",
        "linear-quadratic, std held",
        "one knob, cost 1.15",
    }
    assert {each.expected for each in OUTCOMES} == {
        "reaches 95 % of J*",
        "learns the best policy",
        "learns the worst policy",
        "sits on the plateau",
        "ends at a derived bias",
        "does not move",
    }
    assert all(each.because for each in OUTCOMES)


def test_an_outcome_does_not_hold_for_any_run():
    best = next(each for each in OUTCOMES if each.problem == "now or later")
    worst = next(each for each in OUTCOMES if each.expected == "learns the worst policy")
    rng = np.random.default_rng(0)
    assert best.holds(best.run(rng=rng))
    assert not best.holds(worst.run(rng=rng))
    assert not worst.holds(best.run(rng=rng))
    run = best.run(rng=rng)
    stopped = Run(
        **{
            **{name: getattr(run, name) for name in Run.__dataclass_fields__},
            "stopped": "diverged after 20 of 30 steps",
        }
    )
    assert not best.holds(stopped)


def test_an_outcome_names_its_method():
    names = {each.method for each in OUTCOMES}
    assert {"Reinforce", "NaturalActorCritic(TD(0.05))", "HoldFixed(GradientAscent)"} <= names
    assert "HoldFixed(ExactNaturalActorCritic(LSTDQ(0.5)))" in names
    assert f"Outcome(short corridor, GradientAscent: {BEST})" in map(repr, OUTCOMES)


# --- the levels ------------------------------------------------------------------------------------


def levels(problem, expected):
    """Return the levels of the rows of a problem with this expectation."""
    return {each.level for each in OUTCOMES if each.problem == problem and each.expected == expected}


def highest(J, low, high):
    """Return the largest value of J on a fine grid, and where it is."""
    x = np.linspace(low, high, 200_001)
    values = J(x)
    return values.max(), x[values.argmax()]


def test_the_levels_of_the_finite_problems():
    best, where = highest(lambda p: -2 * (2 - p) / (p * (1 - p)), 0.01, 0.99)
    assert_allclose(list(levels("short corridor", "reaches 95 % of J*")), [best], rtol=1e-9)
    assert_allclose(where, 2 - math.sqrt(2), atol=1e-5)
    assert_allclose(list(levels("short corridor", "does not move")), [-82.1053], rtol=1e-6)
    # J = 1 + 8 p
    assert levels("now or later", "reaches 95 % of J*") == {9.0}
    assert levels("now or later", "learns the worst policy") == {1.0}
    # From state 0: stay for ever, or switch once and stay for ever where it pays 2.
    assert_allclose(list(levels("two states", "sits on the plateau")), [sum(0.9**t for t in range(400))])
    assert_allclose(
        list(levels("two states", "reaches 95 % of J*")), [sum(2 * 0.9**t for t in range(1, 400))]
    )
    # J = p (1 - 0.9 c)
    assert levels("one knob, cost 1.15", "learns the best policy") == {0.0}
    assert_allclose(list(levels("one knob, cost 1.15", "learns the worst policy")), [-0.035], rtol=1e-12)


def J_of_gain(k):
    """Return J of K3 with a = b = q = r = 1, by its closed form."""
    # E x_0^2 = 1 + 0.5^2, s = exp(-1) and se = 0.5
    gamma, start, variance, noise = 0.9, 1.25, math.exp(-2.0), 0.25
    P = (1 + k**2) / (1 - gamma * (1 + k) ** 2)
    return -(P * start + (variance + gamma * P * (variance + noise)) / (1 - gamma))


def best_gain(gamma):
    """Return the best gain by the Riccati recursion, P <- q + g P - (g P)^2 / (r + g P)."""
    P = 0.0
    for _ in range(200):
        P = 1 + gamma * P - (gamma * P) ** 2 / (1 + gamma * P)
    return -gamma * P / (1 + gamma * P)


def test_the_levels_of_the_linear_quadratic_problem():
    assert_allclose(best_gain(0.9), -0.5884033490, atol=1e-10)
    name = "linear-quadratic, std held"
    best, where = highest(J_of_gain, -0.9, -0.1)
    assert_allclose(where, best_gain(0.9), atol=1e-5)
    assert_allclose(list(levels(name, "reaches 95 % of J*")), [best], rtol=1e-9)
    # Myopic, and at discount gamma lambda = 0.45.
    biased = sorted(levels(name, "ends at a derived bias"))
    assert_allclose(biased, [J_of_gain(0.0), J_of_gain(best_gain(0.45))], rtol=1e-12)
    # The three are far enough apart to be told from one another.
    within = {each.within for each in OUTCOMES if each.problem == name}
    assert_allclose(list(within), [0.05 * abs(best)], rtol=1e-9)
    assert best - biased[1] > 1.5 * max(within)


# --- K1 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0.05, 0.95])
@pytest.mark.parametrize("rule", [GradientAscent(), NaturalGradientAscent()], ids=repr)
def test_the_corridor_is_climbed_from_both_sides(start, rule):
    # epsilon-greedy 0.1: -82.1053 (left) and -44.2105 (right).
    run = ascend(*short_corridor(start), rule=rule, step_size=0.05, n_steps=400)
    assert_allclose(run.returns[0], {0.05: -82.1053, 0.95: -44.2105}[start], rtol=1e-6)
    assert_allclose(sigmoid(run.parameters[-1, 0]), 2 - math.sqrt(2), rtol=1e-6)
    assert_allclose(run.returns[-1], -(6 + 4 * math.sqrt(2)), rtol=1e-9)
    assert run.gradient_norms[-1] < 1e-5


# --- K2 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", [0.0, 0.05, 1 / 9, 0.2, 1.0])
def test_td_on_score_features_turns_round_at_one_ninth(lam):
    # Q at discount gamma lambda is 0.9 lambda * 10 for later and 1 for now: w = 9 lambda - 1 at every theta.
    run = ascend(*now_or_later(), rule=ExactNaturalActorCritic(TD(lam)), step_size=0.1, n_steps=10)
    assert_allclose(run.parameters[:, 0], 0.1 * (9 * lam - 1) * np.arange(11), rtol=1e-9, atol=1e-12)
    falls = lam < 1 / 9 - 1e-9
    assert (run.returns[-1] < run.returns[0] - 0.1) == falls


def test_the_literal_update_learns_the_worst_policy_and_the_remedies_the_best():
    # The literal update walks at speed -1, the remedies at 8, up to theta = -30 and 240.
    literal = ascend(
        *now_or_later(), rule=ExactNaturalActorCritic(LiteralUpdate()), step_size=0.5, n_steps=60
    )
    assert_allclose(literal.parameters[:, 0], -0.5 * np.arange(61), rtol=1e-10)
    assert (np.diff(literal.returns) < 0).all()
    assert_allclose(literal.returns[-1], 1.0, rtol=1e-11)
    for critic in (MonteCarlo(), TD(1.0), ValueAndScore(), LSTDQ(0.5), EpisodicNAC(), CorrectedEpisodicNAC()):
        run = ascend(*now_or_later(), rule=ExactNaturalActorCritic(critic), step_size=0.05, n_steps=60)
        assert_allclose(run.parameters[:, 0], 0.4 * np.arange(61), rtol=1e-6, err_msg=repr(critic))
        assert_allclose(run.returns[-1], 9.0, rtol=1e-9)


# --- K3 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.7, 1.0])
def test_td_on_score_features_finds_the_best_gain_of_another_discount(lam):
    # The critic sees Q of the problem with discount gamma lambda, and the gain settles where that is greedy.
    rule = HoldFixed(ExactNaturalActorCritic(TD(lam)), held=(1,))
    run = ascend(*linear_quadratic(-0.2), rule=rule, step_size=1.0, n_steps=100)
    assert_allclose(run.parameters[-1, 0], best_gain(0.9 * lam), rtol=1e-8, atol=1e-8)
    assert_allclose(run.returns[-1], J_of_gain(best_gain(0.9 * lam)), rtol=1e-8)


def test_natural_steps_of_policy_iteration_converge_quadratically():
    # K3: the step 1 / (2 s^2 (r + gamma b^2 P)) is policy iteration, k' = -g P / (1 + g P) with
    # P = (1 + k^2) / (1 - g c^2), c = 1 + k. At k* dP/dk = 2 (k + g P c) / (1 - g c^2) = 0, as k* = -g P c;
    # so dk'/dk = 0, and the error is squared each time, but for a factor
    # |d2k'/dk2| / 2 = g / (1 + g P)^2 (1 + g P) / (1 - g c^2) = g / ((1 + g P) (1 - g c^2)), near 0.44.
    mdp, policy = linear_quadratic(-0.1)
    rule, errors = HoldFixed(NaturalGradientAscent(), held=(1,)), []
    for _ in range(4):
        k = policy.parameters[0]
        P = (1 + k**2) / (1 - 0.9 * (1 + k) ** 2)
        size = 1 / (2 * math.exp(-2.0) * (1 + 0.9 * P))
        run = ascend(mdp, policy, rule=rule, step_size=size, n_steps=1)
        policy = policy.with_parameters(run.parameters[-1])
        errors.append(abs(policy.parameters[0] - best_gain(0.9)))
    P = (1 + best_gain(0.9) ** 2) / (1 - 0.9 * (1 + best_gain(0.9)) ** 2)
    factor = 0.9 / ((1 + 0.9 * P) * (1 - 0.9 * (1 + best_gain(0.9)) ** 2))
    assert_allclose(errors[2] / errors[1] ** 2, factor, rtol=0.05)
    assert errors[3] < 1e-7


# --- K4: times of flow -----------------------------------------------------------------------------


def two_states_by_hand(theta, start):
    """Return J, gradient and natural gradient of K4 in the log odds of staying, from 2 by 2 systems."""
    p, q = sigmoid(theta)
    P = np.array([[p, 1 - p], [1 - q, q]])
    V = np.linalg.solve(np.eye(2) - 0.9 * P, [p, 2 * q])
    rho = np.linalg.solve(np.eye(2) - 0.9 * P.T, start)
    # A(stay) - A(switch)
    natural = np.array([1 + 0.9 * V[0] - 0.9 * V[1], 2 + 0.9 * V[1] - 0.9 * V[0]])
    return start @ V, rho * np.array([p * (1 - p), q * (1 - q)]) * natural, natural


def flow_time(start, *, natural, share=0.95):
    """Return the time at which the flow along a direction reaches a share of the best J."""
    start = np.array(start)
    goal = share * start @ [18, 20]

    def arrived(t, theta):
        return two_states_by_hand(theta, start)[0] - goal

    arrived.terminal = True
    found = solve_ivp(
        lambda t, theta: two_states_by_hand(theta, start)[2 if natural else 1],
        (0, 1e7),
        np.array([math.log(4), -math.log(9)]),
        method="LSODA",
        events=arrived,
        rtol=1e-8,
        atol=1e-8,
    )
    return found.t_events[0][0]


def arrival(mdp, policy, rule, step_size, n_steps, share=0.95):
    """Return the number of steps to a share of the best J, times their size, and the run."""
    run = ascend(mdp, policy, rule=rule, step_size=step_size, n_steps=n_steps)
    goal = share * mdp.initial @ [18, 20]
    assert run.returns[-1] >= goal
    return step_size * int(np.argmax(run.returns >= goal)), run


def test_the_plateau_costs_a_hundred_and_seventy_thousand_times_the_time():
    slow, fast = (flow_time((1.0, 0.0), natural=natural) for natural in (False, True))
    assert_allclose(slow, 5.4e5, rtol=0.01)
    assert_allclose(fast, 3.14, rtol=0.01)
    assert_allclose(slow / fast, 1.7e5, rtol=0.02)
    # Steps small against the time follow the flow: to within a step, and the error of Euler's method.
    taken, _ = arrival(*two_states(), NaturalGradientAscent(), 0.01, 400)
    assert_allclose(taken, fast, atol=0.03)
    # The gradient: stages of 10 steps, each of a size that moves theta by 0.01 at first.
    (mdp, policy), rule = two_states(), GradientAscent()
    time, on_plateau = 0.0, 0.0
    while True:
        size = 0.01 / np.linalg.norm(policy_gradient(mdp, policy))
        run = ascend(mdp, policy, rule=rule, step_size=size, n_steps=10)
        time += 10 * size
        on_plateau += 10 * size * (abs(run.returns[-1] - 10) < 0.5)
        policy = policy.with_parameters(run.parameters[-1])
        if run.returns[-1] >= 0.95 * 18:
            break
    assert_allclose(time, slow, rtol=0.02)
    # It sits at 10, the value of staying in the first state, for nearly all of that time.
    assert on_plateau > 0.9 * time


def test_the_start_distribution_decides_how_long_it_takes():
    slow, fast = (flow_time((0.8, 0.2), natural=natural) for natural in (False, True))
    assert_allclose([slow, fast], [40, 3], rtol=0.05)
    taken, _ = arrival(*two_states(initial=(0.8, 0.2)), GradientAscent(), 0.25, 200)
    assert_allclose(taken, slow, rtol=0.02)
    taken, _ = arrival(*two_states(initial=(0.8, 0.2)), NaturalGradientAscent(), 0.01, 400)
    assert_allclose(taken, fast, atol=0.03)


# --- K5: the bound of natural gradient ascent --------------------------------------------------------


def unit_rewards(mdp):
    """Return the problem with its rewards moved and scaled into [0, 1]."""
    low, high = mdp.reward.min(), mdp.reward.max()
    reward = (mdp.reward - low) / max(high - low, 1e-9)
    return FiniteMDP(mdp.transition, reward, mdp.initial, mdp.discount)


def best_return(mdp):
    """Return J* by value iteration."""
    V = np.zeros(mdp.n_states)
    for _ in range(1000):
        V = (mdp.reward + mdp.discount * np.einsum("sap,p->sa", mdp.transition, V)).max(-1)
    return mdp.initial @ V


def bounds(mdp, alpha, n_steps):
    """Return the bound of K5 on J* - J_T for T = 1, ..., in the units of (22.3)."""
    T, left = np.arange(1, n_steps + 1), 1 - mdp.discount
    return np.log(mdp.n_actions) / (alpha * left * T) + 1 / (left**2 * T)


@given(
    seeds,
    st.integers(1, 5),
    st.integers(2, 4),
    st.sampled_from([0.0, 0.5, 0.9]),
    st.sampled_from([0.0, 0.3]),
    st.floats(-2, 3),
)
@settings(max_examples=25)
def test_natural_gradient_ascent_keeps_its_bound(seed, S, A, discount, ends, log_alpha):
    rng, alpha, n_steps = np.random.default_rng(seed), 10.0**log_alpha, 25
    mdp = unit_rewards(
        garnet(S, A, int(rng.integers(1, S + 1)), discount=discount, end_probability=ends, rng=rng)[0]
    )
    policy = SoftmaxPolicy.tabular(np.zeros((S, A)))
    run = ascend(mdp, policy, rule=NaturalGradientAscent(), step_size=alpha, n_steps=n_steps)
    gap = best_return(mdp) - run.returns[1:]
    assert (gap <= bounds(mdp, alpha, n_steps) + 1e-9).all()
    # Sharper: J never falls ...
    assert (np.diff(run.returns) >= -1e-9).all()
    # ... and the new policy is proportional to pi exp(alpha A).
    for before, after in zip(run.parameters[:3], run.parameters[1:4], strict=True):
        old = policy.with_parameters(before)
        exponent = alpha * advantages(mdp, old) + np.log(np.maximum(old.probs(), 1e-300))
        weight = np.exp(exponent - exponent.max(-1, keepdims=True))
        expected = weight / weight.sum(-1, keepdims=True)
        assert_allclose(policy.with_parameters(after).probs(), expected, rtol=1e-6, atol=1e-9)


def test_the_bound_is_broken_by_the_literal_update():
    # K2, tabular, with the rewards divided by 10: J* = 0.9, and the literal update learns J = 0.1. At T = 400
    # with alpha = 1 the bound is log 2 / (0.1 * 400) + 100 / 400 = 0.27.
    mdp, _ = now_or_later()
    mdp = FiniteMDP(mdp.transition, mdp.reward / 10, mdp.initial, mdp.discount)
    policy = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    assert_allclose(best_return(mdp), 0.9, rtol=1e-12)
    kept, broken = (
        ascend(mdp, policy, rule=rule, step_size=1.0, n_steps=400)
        for rule in (NaturalGradientAscent(), ExactNaturalActorCritic(LiteralUpdate()))
    )
    bound = bounds(mdp, 1.0, 400)
    assert (0.9 - kept.returns[1:] <= bound).all()
    assert 0.9 - broken.returns[-1] > bound[-1] + 0.5


# --- K9 --------------------------------------------------------------------------------------------


def test_the_published_episodic_critic_climbs_the_wrong_way():
    # c = 1.15: (1 - 0.81 c) / 1.81 = +.037845 against (1 - 0.9 c) / 1.9 = -.018421, at every theta.
    mdp, policy = one_knob(1.15)
    speeds = {EpisodicNAC(): 0.037845, CorrectedEpisodicNAC(): -0.018421, MonteCarlo(): -0.018421}
    for critic, speed in speeds.items():
        run = ascend(mdp, policy, rule=ExactNaturalActorCritic(critic), step_size=1.0, n_steps=20)
        assert_allclose(np.diff(run.parameters[:, 0]), speed, atol=1e-6, err_msg=repr(critic))
        # J = p (1 - 0.9 c), which falls as p rises.
        assert (np.sign(np.diff(run.returns)) == -np.sign(speed)).all()
        assert_allclose(run.returns, -0.035 * sigmoid(run.parameters[:, 0]), rtol=1e-9)


def test_without_discount_the_published_critic_is_right():
    # With gamma = 1 visits weigh the same either way: w = (1 - c) / 2.
    mdp, policy = one_knob(0.6)
    mdp = FiniteMDP(mdp.transition, mdp.reward, mdp.initial, 1.0)
    for critic in (EpisodicNAC(), CorrectedEpisodicNAC()):
        assert_allclose(ExactNaturalActorCritic(critic).direction(mdp, policy, rng=None)[0], [0.2], rtol=1e-9)
    assert_allclose(expected_return(mdp, policy), 0.5 * 0.4, rtol=1e-12)
