"""Runs that go on until probabilities underflow: they hold what they reached, or say why not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pgtlab import FiniteMDP, SoftmaxPolicy
from pgtlab.ascent import (
    AscentRule,
    ExactNaturalActorCritic,
    GradientAscent,
    HoldFixed,
    NaturalGradientAscent,
    Reinforce,
    ascend,
    climb,
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
from pgtlab.gallery import now_or_later, two_states
from tests.problems import exactly, random_problem

#: Two rules whose direction is the natural gradient by its two solvers, and others by the theorem.
BOTH_SOLVERS = [NaturalGradientAscent(), ExactNaturalActorCritic(MonteCarlo())]
NATURAL = [
    *BOTH_SOLVERS,
    *(
        ExactNaturalActorCritic(critic)
        for critic in (CorrectedEpisodicNAC(), ValueAndScore(), LSTDQ(0.5), TD(1.0))
    ),
]


def critic_of(rule):
    return type(getattr(rule, "critic", rule)).__name__


def assert_never_falls(run, best):
    assert run.stopped is None
    assert run.falls.size == 0
    assert (np.diff(run.returns) >= -1e-12 * abs(best)).all()
    assert_allclose(run.returns[-1], best, rtol=1e-12)


@pytest.mark.parametrize("rule", NATURAL, ids=critic_of)
def test_an_optimum_is_kept_for_as_long_as_the_run_goes_on(rule):
    # R9: switch once and stay for ever, 0.9 * 2 / 0.1 = 18, at step 20. Q in the place of A fell to 10 at 30.
    run = ascend(
        two_states()[0], SoftmaxPolicy.tabular(np.zeros((2, 2))), rule=rule, step_size=1.0, n_steps=60
    )
    assert_never_falls(run, 18.0)
    assert run.returns[20] == pytest.approx(18.0, rel=1e-6)


def take_or_go():
    """Return C1: "take" pays 1 and ends, "go" leads to where staying pays 1 each time, worth 9 from here."""
    transition = np.zeros((2, 2, 2))
    transition[0, 1, 1] = transition[1, 1, 1] = 1.0
    return FiniteMDP(transition, [[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0], 0.9)


@pytest.mark.parametrize("step_size", [1e3, 5e3, 1e4, 1e6])
@pytest.mark.parametrize("rule", BOTH_SOLVERS, ids=critic_of)
def test_no_natural_step_is_too_long_although_going_underflows(rule, step_size):
    # At first taking is better, 1 against 0.9 * 0.5 / 0.55, and "go" falls to e^-900 after one step of 5e3.
    mdp = take_or_go()
    for policy in (
        SoftmaxPolicy.tabular(np.zeros((2, 2))),
        SoftmaxPolicy(np.eye(4).reshape(2, 2, 4), np.zeros(4)),
    ):
        assert_never_falls(ascend(mdp, policy, rule=rule, step_size=step_size, n_steps=20), 9.0)


def test_two_states_and_a_step_of_five_hundred():
    assert_never_falls(ascend(*two_states(), rule=NaturalGradientAscent(), step_size=500.0, n_steps=20), 18.0)


def cliff(discount=0.99):
    """Return CliffWalking of Sutton and Barto, example 6.6: 4 rows of 12, the cliff in the last one."""
    transition, reward = np.zeros((48, 4, 48)), np.full((48, 4), -1.0)
    for s in range(48):
        for a, (down, right) in enumerate([(-1, 0), (0, 1), (1, 0), (0, -1)]):
            row, column = min(max(s // 12 + down, 0), 3), min(max(s % 12 + right, 0), 11)
            if row == 3 and 0 < column < 11:
                reward[s, a], row, column = -100.0, 3, 0
            if (row, column) != (3, 11):
                transition[s, a, 12 * row + column] = 1.0
    return FiniteMDP(transition, reward, np.eye(48)[36], discount)


def test_the_cliff_is_walked_along_with_any_step():
    # Up, 11 to the right, down: 13 steps of -1. C1: at steps of 100 the run froze at -100, which is 1 / 0.01.
    policy = SoftmaxPolicy.tabular(np.zeros((48, 4)))
    run = ascend(cliff(), policy, rule=NaturalGradientAscent(), step_size=100.0, n_steps=200)
    assert_never_falls(run, -(1 - 0.99**13) / 0.01)


@pytest.mark.parametrize("seed", range(4))
def test_no_natural_step_lowers_j_on_random_problems(seed):
    rng = np.random.default_rng(seed)
    mdp, policy = random_problem(rng, discount=1 - 10.0 ** -(3 * seed), n_shut=seed % 2)
    for rule in BOTH_SOLVERS:
        run = ascend(mdp, policy, rule=rule, step_size=10.0 ** rng.uniform(-1, 3), n_steps=20)
        assert run.stopped is None
        assert run.falls.size == 0


# --- events of the record ----------------------------------------------------------------------------


def test_a_fall_that_cannot_be_stops_the_run(monkeypatch):
    told = iter([7.0, 9.0, 8.0])
    monkeypatch.setattr(climb, "expected_return", lambda mdp, policy: next(told))
    words = (
        "J falls after 1 of 5 steps, in the next from 9 to 8, though no natural step of a tabular policy "
        "lowers it: its digits are lost"
    )
    policy = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    with pytest.warns(RuntimeWarning, match=exactly(f"{words}. The run holds what was done")):
        run = ascend(two_states()[0], policy, rule=NaturalGradientAscent(), step_size=1.0, n_steps=5)
    assert run.stopped == words
    assert_array_equal(run.returns, [7.0, 9.0])


def test_a_step_along_the_gradient_that_is_too_long_is_in_the_record():
    # The critic of the slides goes down all the way, 1 + 8 p with p = sigmoid(-t); the record says so.
    mdp, policy = now_or_later()
    down = ExactNaturalActorCritic(LiteralUpdate())
    run = ascend(mdp, policy, rule=down, step_size=1.0, n_steps=3)
    assert_array_equal(run.falls, [0, 1, 2])
    assert repr(run).startswith("Run(ExactNaturalActorCritic, 3 steps, J from 5 to ")
    assert repr(run).endswith(", J falls in 3)")
    # Of a tabular policy too: its direction is not the natural gradient, and no theorem is hurt.
    tabular = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    assert ascend(mdp, tabular, rule=down, step_size=1.0, n_steps=3).stopped is None
    held = HoldFixed(NaturalGradientAscent(), held=(0, 1, 2))
    assert ascend(mdp, tabular, rule=held, step_size=1.0, n_steps=3).falls.size == 0
    # EpisodicNAC on a tabular policy is exact, and rises.
    rise = ExactNaturalActorCritic(EpisodicNAC())
    assert ascend(mdp, tabular, rule=rise, step_size=100.0, n_steps=3).falls.size == 0


def test_a_gradient_step_may_be_too_long_and_the_record_says_where():
    # Both states share p, so that the maximum of J lies inside, and a long step goes past it.
    transition = np.zeros((2, 2, 2))
    transition[0, 0, 1] = 1.0
    mdp = FiniteMDP(transition, [[0.0, 0.0], [0.0, 1.0]], [1.0, 0.0], 1.0)
    # J = p (1 - p) with p = sigmoid(theta), from p = 0.2: the slope is p (1 - p) (1 - 2 p) = 0.096, and a
    # step of 100 leads to theta = 8.2 and J = 3e-4.
    policy = SoftmaxPolicy([[[1.0], [0.0]], [[1.0], [0.0]]], [-np.log(4.0)])
    run = ascend(mdp, policy, rule=GradientAscent(), step_size=100.0, n_steps=1)
    assert_allclose(run.returns[0], 0.16, rtol=1e-12)
    assert run.returns[1] < 1e-3
    assert_array_equal(run.falls, [0])
    assert run.stopped is None


def test_sampled_runs_fall_without_a_word():
    mdp, policy = now_or_later()
    run = ascend(
        mdp, policy, rule=Reinforce(n_episodes=2), step_size=0.5, n_steps=30, rng=np.random.default_rng(0)
    )
    assert run.falls.size > 0
    assert "falls" not in repr(run)


def test_a_parameter_that_leaves_the_numbers_stops_the_run():
    class Far(AscentRule):
        def _direction(self, mdp, policy, memory, *, rng):
            return np.array([0.0, 3e8]), memory

    words = (
        "diverged after 0 of 4 steps, the next of which fails: parameters[1] moves from 0 to 3e+08; expected "
        "a move of at most 1e+08 in one step"
    )
    mdp, policy = two_states()
    with pytest.warns(RuntimeWarning, match=exactly(f"{words}. The run holds what was done")):
        run = ascend(mdp, policy.with_parameters([0.0, 0.0]), rule=Far(), step_size=1.0, n_steps=4)
    assert run.stopped == words
    assert_array_equal(run.parameters, [[0.0, 0.0]])
