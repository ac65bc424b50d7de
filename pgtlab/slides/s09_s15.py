"""Owns the formulas of S9 to S15: the policy gradient theorem and the lines of its proof."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pgtlab.exact.gradients import policy_gradient
from pgtlab.exact.values import action_values, expected_return, state_values
from pgtlab.exact.visits import transition_probabilities
from pgtlab.mdp import FiniteMDP
from pgtlab.slides.formula import DIFFERENCES, Formula, along
from pgtlab.slides.routes import product, total
from pgtlab.slides.s07_s08 import kernel


def room_V(R):
    """Return V of `evaluation` as a function of places."""
    return R.function(state_values(R.mdp, R.policy))


def room_Q(R):
    """Return Q of `evaluation` as a function of places."""
    return R.function(action_values(R.mdp, R.policy))


def gradient_of_values(R):
    """Return the function of the state dV/dtheta, by the theorem for episodes that start there."""
    if isinstance(R.mdp, FiniteMDP):
        table = np.full((R.mdp.n_states, len(R.policy.parameters)), np.nan)
        for s in R.states:
            at_s = replace(R.mdp, initial=np.eye(R.mdp.n_states)[s])
            table[s] = policy_gradient(at_s, R.policy)
        return R.function(table)
    # V is a square and a constant, and so are its derivatives.
    at = [replace(R.mdp, initial_mean=x, initial_std=0.0) for x in (0.0, 1.0)]
    constant, sum_of_both = (policy_gradient(each, R.policy) for each in at)
    return lambda s: constant + s[..., None] ** 2 * (sum_of_both - constant)


def law_after_one_step(R):
    """Return nodes and weights of s_1, from `transition_probabilities`."""
    nodes, weights = R.start
    if isinstance(R.mdp, FiniteMDP):
        return nodes, weights @ kernel(R, 1)
    law = transition_probabilities(R.mdp, R.policy, 1)
    std = np.hypot(law.drift * R.mdp.initial_std, law.std)
    # The nodes of the start are its mean and multiples of its std; these are the same for s_1.
    return law.drift * R.mdp.initial_mean + std * R.standard_nodes, weights


def slope_here(R, Q):
    """The function of the state, integral of (d pi) Q."""
    return R.over_actions(product(Q, R.score))


def later(R):
    """Return the integral of p_0, pi and dQ, with dQ by differences."""
    return R.over_start(R.over_actions(R.slope_of_Q))


def _unrolled(R, last):
    """Return two terms of the gradient, and the rest as dV at time 2, discounted by `last`."""
    here = slope_here(R, room_Q(R))
    return R.over_start(here) + R.discount * R.at(1, here) + last * R.at(2, R.slope_of_V)


def _one_step_later(R, at_next):
    """Return V from each state, and J as one reward and then `at_next`, a function of the state."""
    first = R.over_start(R.over_actions(R.reward))
    return at_next(R.states), first + R.discount * R.over_start(R.after(at_next, 1))


def _reward_slope(R):
    """Return the derivative of the policy's mean reward in the state of each pair."""
    return R.over_actions(product(R.reward, R.slope_of_log))(R.pairs[0])


FORMULAS = [
    Formula(
        id="9.1",
        slide="S9",
        title="the policy gradient theorem",
        kind="identity",
        statement=r"""\frac{\partial J}{\partial \theta} = \int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q^\pi(s, a) \, da \, ds""",
        left_route="differences of J, itself a sum over time",
        right_route="the theorem, by linear solves",
        left=along(lambda R: R.slope_of_return),
        right=policy_gradient,
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="rho normalised",
        mistaken=along(lambda R: policy_gradient(R.mdp, R.policy) / R.mass),
    ),
    Formula(
        id="9.2",
        slide="S9",
        title="what one samples: the score times Q, at each step of a path",
        kind="algorithm",
        statement=r"""\frac{\partial J}{\partial \theta} = \sum_t \gamma^t \,
E\Big[ \frac{\partial \log \pi(s_t, a_t; \theta)}{\partial \theta} \, Q^\pi(s_t, a_t) \Big]""",
        left_route="the theorem, by linear solves",
        right_route="law of each step's state, step by step",
        left=policy_gradient,
        right=along(lambda R: R.over_time(slope_here(R, R.Q))),
        sizes=("gradient",),
        mutation="gamma^t dropped",
        mistaken=along(lambda R: R.by_time(slope_here(R, R.Q)).sum(0)),
    ),
    Formula(
        id="10.1",
        slide="S10",
        title="the objective from the start state's values",
        kind="identity",
        statement=r"""J = \int_S p_0(s_0) V^\pi(s_0) \, ds_0
= \int_S p_0(s_0) \int_A \pi(s_0, a_0; \theta) \, Q^\pi(s_0, a_0) \, da_0 \, ds_0""",
        left_route="one linear solve",
        right_route="sums over time from each state and pair",
        left=lambda mdp, policy: np.repeat(expected_return(mdp, policy), 2),
        right=along(lambda R: [R.over_start(R.V), R.over_start(R.over_actions(R.Q))]),
        sizes=("return",),
        mutation="rho in place of p_0",
        mistaken=along(lambda R: [R.over_visits(R.V), R.over_visits(R.over_actions(R.Q))]),
    ),
    Formula(
        id="10.2",
        slide="S10",
        title="the product rule",
        kind="identity",
        statement=r"""\frac{\partial J}{\partial \theta}
= \int_S p_0 \int_A \frac{\partial \pi}{\partial \theta} Q^\pi
+ \int_S p_0 \int_A \pi \frac{\partial Q^\pi}{\partial \theta}""",
        left_route="the theorem, by linear solves",
        right_route="two integrals, dQ by differences",
        left=policy_gradient,
        right=along(lambda R: R.over_start(slope_here(R, R.Q)) + later(R)),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="Q held fixed: the second term left out",
        mistaken=along(lambda R: R.over_start(slope_here(R, R.Q))),
    ),
    Formula(
        id="11.1",
        slide="S11",
        title="Bellman's equation for one step",
        kind="identity",
        statement=r"""Q^\pi(s_0, a_0) = R^{a_0}_{s_0}
+ \int_S \gamma P^{a_0}_{s_0,s_1} V^\pi(s_1) \, ds_1""",
        left_route="sum over time from each pair",
        right_route="one step, then V by a linear solve",
        left=along(lambda R: R.Q(*R.pairs)),
        right=along(lambda R: R.backed_up(room_V(R))(*R.pairs)),
        sizes=("return",),
        mutation="the value of the state left, not of the next one",
        mistaken=along(lambda R: R.reward(*R.pairs) + R.discount * R.V(R.pairs[0])),
    ),
    Formula(
        id="11.2",
        slide="S11",
        title="the reward of a given action does not depend on the policy",
        kind="identity",
        statement=r"""\frac{\partial R^{a_0}_{s_0}}{\partial \theta}
= \frac{\partial}{\partial \theta} \Big( Q^\pi(s_0, a_0)
- \int_S \gamma P^{a_0}_{s_0,s_1} V^\pi(s_1) \, ds_1 \Big) = 0""",
        left_route="differences of Q less what follows",
        right_route="zero",
        left=along(lambda R: R.slope_of_Q(*R.pairs) - R.discount * R.over_next(R.slope_of_V)(*R.pairs)),
        right=along(lambda R: np.zeros((len(R.pairs[0]), len(R.policy.parameters)))),
        sizes=("slope",),
        within=DIFFERENCES,
        mutation="the derivative of the policy's mean reward",
        mistaken=along(_reward_slope),
    ),
    Formula(
        id="12.1",
        slide="S12",
        title="the derivative goes inside",
        kind="identity",
        statement=r"""\int_S p_0 \int_A \pi \frac{\partial Q^\pi(s_0, a_0)}{\partial \theta}
= \int_S p_0 \int_A \pi \int_S \gamma P^{a_0}_{s_0,s_1}
\frac{\partial V^\pi(s_1)}{\partial \theta} \, ds_1 \, da_0 \, ds_0""",
        left_route="dQ by differences",
        right_route="dV by the theorem, from each next state",
        left=along(later),
        right=along(lambda R: R.discount * R.over_start(R.over_actions(R.over_next(gradient_of_values(R))))),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="gamma of the step dropped",
        mistaken=along(lambda R: R.over_start(R.over_actions(R.over_next(gradient_of_values(R))))),
    ),
    Formula(
        id="12.2",
        slide="S12",
        title="the order of the integrals is changed",
        kind="identity",
        statement=r"""\int_S p_0 \int_A \pi \int_S \gamma P \frac{\partial V^\pi(s_1)}{\partial \theta}
= \int_S \Big( \int_S \gamma p_0 \int_A \pi P^{a_0}_{s_0,s_1} \, da_0 \, ds_0 \Big)
\frac{\partial V^\pi(s_1)}{\partial \theta} \, ds_1""",
        left_route="nested integrals, dV by differences",
        right_route="law of s_1, dV by the theorem",
        left=along(lambda R: R.discount * R.over_start(R.over_actions(R.over_next(R.slope_of_V)))),
        right=along(lambda R: R.discount * _at_next(R)),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="the law of s_0 in place of that of s_1",
        mistaken=along(lambda R: R.discount * R.over_start(gradient_of_values(R))),
    ),
    Formula(
        id="13.1",
        slide="S13",
        title="the one-step probability",
        kind="identity",
        statement=r"""\int_A \pi(s_0, a_0; \theta) \, P^{a_0}_{s_0,s_1} \, da_0 = p(s_0 \to s_1, 1, \pi)""",
        left_route="the chain's matrix, or closed form",
        right_route="integral over the actions",
        left=along(lambda R: kernel(R, 1)),
        right=along(lambda R: R.over_actions(R.over_next(R.probe))(R.everywhere[0])),
        sizes=("one",),
        mutation="the likeliest action in place of the mean over all",
        mistaken=along(lambda R: R.over_next(R.probe)(R.everywhere[0], R.likeliest(R.everywhere[0]))),
    ),
    Formula(
        id="13.2",
        slide="S13",
        title="the same object, one step later",
        kind="identity",
        statement=r"""V^\pi(s_1) = \int_A \pi(s_1, a_1; \theta) \, Q^\pi(s_1, a_1) \, da_1""",
        left_route="one linear solve",
        right_route="mean over actions of sums over time",
        left=along(lambda R: (room_V(R)(R.states), expected_return(R.mdp, R.policy))),
        right=along(lambda R: _one_step_later(R, R.over_actions(R.Q))),
        sizes=("return", "return"),
        mutation="the likeliest action in place of the mean over all",
        mistaken=along(lambda R: _one_step_later(R, lambda s: R.Q(s, R.likeliest(s)))),
    ),
    Formula(
        id="14.1",
        slide="S14",
        title="split and expanded once more",
        kind="identity",
        statement=r"""\frac{\partial J}{\partial \theta}
= \sum_{t=0}^{1} \gamma^t \int_S \int_S p_0 \, p(s_0 \to s_t, t, \pi)
\int_A \frac{\partial \pi}{\partial \theta} Q^\pi
+ \gamma^2 \int_S \int_S p_0 \, p(s_0 \to s_2, 2, \pi) \frac{\partial V^\pi(s_2)}{\partial \theta}""",
        left_route="the theorem, by linear solves",
        right_route="two terms, the rest by differences",
        left=policy_gradient,
        right=along(lambda R: _unrolled(R, R.discount**2)),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="gamma in place of gamma^2 on the rest",
        mistaken=along(lambda R: _unrolled(R, R.discount)),
    ),
    Formula(
        id="14.2",
        slide="S14",
        title="the gradient as a sum over time",
        kind="identity",
        statement=r"""\frac{\partial J}{\partial \theta}
= \sum_{t \ge 0} \int_S \int_S \gamma^t p_0 \, p(s_0 \to s_t, t, \pi)
\int_A \frac{\partial \pi(s_t, a_t; \theta)}{\partial \theta} Q^\pi(s_t, a_t)""",
        left_route="differences of J",
        right_route="law of each step's state, Q by a solve",
        left=along(lambda R: R.slope_of_return),
        right=along(lambda R: R.over_time(slope_here(R, room_Q(R)))),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="the sum begins at t = 1",
        mistaken=along(
            lambda R: R.over_time(slope_here(R, room_Q(R))) - R.over_start(slope_here(R, room_Q(R)))
        ),
    ),
    Formula(
        id="15.1",
        slide="S15",
        title="the sum over time goes inside",
        kind="identity",
        statement=r"""\sum_t \int_S \int_S \gamma^t p_0 \, p(s_0 \to s, t, \pi)
\int_A \frac{\partial \pi}{\partial \theta} Q^\pi
= \int_S \Big( \int_S \sum_t \gamma^t p_0 \, p(s_0 \to s, t, \pi) \Big)
\int_A \frac{\partial \pi}{\partial \theta} Q^\pi""",
        left_route="places first, then time; Q by a solve",
        right_route="time first, then places; Q by a sum",
        left=along(lambda R: R.over_time(slope_here(R, room_Q(R)))),
        right=along(lambda R: R.over_visits(slope_here(R, R.Q))),
        sizes=("gradient",),
        mutation="the inner integral taken at s_0",
        mistaken=along(lambda R: R.mass * R.over_start(slope_here(R, R.Q))),
    ),
    Formula(
        id="15.2",
        slide="S15",
        title="which is the theorem",
        kind="identity",
        statement=r"""\frac{\partial J}{\partial \theta} = \int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q^\pi(s, a) \, da \, ds \quad \text{(9.1)}""",
        left_route="the theorem, by linear solves",
        right_route="sums over time, d pi by differences",
        left=policy_gradient,
        right=along(lambda R: R.over_visits(R.over_actions(product(R.Q, R.slope_of_log)))),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="d pi weighted by pi once more",
        mistaken=along(
            lambda R: R.over_visits(
                R.over_actions(product(lambda s, a: R.prob(s, a) * R.Q(s, a), R.slope_of_log))
            )
        ),
    ),
]


def _at_next(R):
    nodes, weights = law_after_one_step(R)
    return total(weights, gradient_of_values(R)(nodes))
