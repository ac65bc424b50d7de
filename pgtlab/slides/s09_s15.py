"""Owns the formulas of S9 to S15: the policy gradient theorem and the lines of its proof."""

from __future__ import annotations

import numpy as np

from pgtlab.exact.gradients import policy_gradient
from pgtlab.exact.values import action_values, expected_return, state_values
from pgtlab.slides.formula import DIFFERENCES, stated
from pgtlab.slides.routes import product, total


def room_V(R):
    """Return V of `evaluation` as a function of places."""
    return R.function(state_values(R.mdp, R.policy))


def room_Q(R):
    """Return Q of `evaluation` as a function of places."""
    return R.function(action_values(R.mdp, R.policy))


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


def _at_next(R):
    nodes, weights = R.rooms.after_one_step
    return total(weights, R.rooms.gradient_of_values(nodes))


def left_9_1(R):
    """differences of J, itself a sum over time"""
    return R.slope_of_return


def right_9_1(R):
    """the theorem, by linear solves"""
    return policy_gradient(R.mdp, R.policy)


def mistaken_9_1(R):
    """rho normalised"""
    return policy_gradient(R.mdp, R.policy) / R.mass


formula_9_1 = stated(
    "9.1",
    "the policy gradient theorem",
    r"""\frac{\partial J}{\partial \theta} = \int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q^\pi(s, a) \, da \, ds""",
    (left_9_1, right_9_1, mistaken_9_1),
    within=DIFFERENCES,
)


def left_9_2(R):
    """the theorem, by linear solves"""
    return policy_gradient(R.mdp, R.policy)


def right_9_2(R):
    """law of each step's state, step by step"""
    return R.over_time(slope_here(R, R.Q))


def mistaken_9_2(R):
    """gamma^t dropped"""
    return R.by_time(slope_here(R, R.Q)).sum(0)


formula_9_2 = stated(
    "9.2",
    "what one samples: the score times Q, at each step of a path",
    r"""\frac{\partial J}{\partial \theta} = \sum_t \gamma^t \,
E\Big[ \frac{\partial \log \pi(s_t, a_t; \theta)}{\partial \theta} \, Q^\pi(s_t, a_t) \Big]""",
    (left_9_2, right_9_2, mistaken_9_2),
    kind="algorithm",
)


def left_10_1(R):
    """one linear solve"""
    return np.repeat(expected_return(R.mdp, R.policy), 2)


def right_10_1(R):
    """sums over time from each state and pair"""
    return [R.over_start(R.V), R.over_start(R.over_actions(R.Q))]


def mistaken_10_1(R):
    """rho in place of p_0"""
    return [R.over_visits(R.V), R.over_visits(R.over_actions(R.Q))]


formula_10_1 = stated(
    "10.1",
    "the objective from the start state's values",
    r"""J = \int_S p_0(s_0) V^\pi(s_0) \, ds_0
= \int_S p_0(s_0) \int_A \pi(s_0, a_0; \theta) \, Q^\pi(s_0, a_0) \, da_0 \, ds_0""",
    (left_10_1, right_10_1, mistaken_10_1),
    sizes=("return",),
)


def left_10_2(R):
    """the theorem, by linear solves"""
    return policy_gradient(R.mdp, R.policy)


def right_10_2(R):
    """two integrals, dQ by differences"""
    return R.over_start(slope_here(R, R.Q)) + later(R)


def mistaken_10_2(R):
    """Q held fixed: the second term left out"""
    return R.over_start(slope_here(R, R.Q))


formula_10_2 = stated(
    "10.2",
    "the product rule",
    r"""\frac{\partial J}{\partial \theta}
= \int_S p_0 \int_A \frac{\partial \pi}{\partial \theta} Q^\pi
+ \int_S p_0 \int_A \pi \frac{\partial Q^\pi}{\partial \theta}""",
    (left_10_2, right_10_2, mistaken_10_2),
    within=DIFFERENCES,
)


def left_11_1(R):
    """sum over time from each pair"""
    return R.Q(*R.pairs)


def right_11_1(R):
    """one step, then V by a linear solve"""
    return R.backed_up(room_V(R))(*R.pairs)


def mistaken_11_1(R):
    """the value of the state left, not of the next one"""
    return R.reward(*R.pairs) + R.discount * R.V(R.pairs[0])


formula_11_1 = stated(
    "11.1",
    "Bellman's equation for one step",
    r"""Q^\pi(s_0, a_0) = R^{a_0}_{s_0}
+ \int_S \gamma P^{a_0}_{s_0,s_1} V^\pi(s_1) \, ds_1""",
    (left_11_1, right_11_1, mistaken_11_1),
    sizes=("return",),
)


def left_11_2(R):
    """differences of Q less what follows"""
    return R.slope_of_Q(*R.pairs) - R.discount * R.over_next(R.slope_of_V)(*R.pairs)


def right_11_2(R):
    """zero"""
    return np.zeros((len(R.pairs[0]), len(R.policy.parameters)))


def mistaken_11_2(R):
    """the derivative of the policy's mean reward"""
    return R.over_actions(product(R.reward, R.slope_of_log))(R.pairs[0])


formula_11_2 = stated(
    "11.2",
    "the reward of a given action does not depend on the policy",
    r"""\frac{\partial R^{a_0}_{s_0}}{\partial \theta}
= \frac{\partial}{\partial \theta} \Big( Q^\pi(s_0, a_0)
- \int_S \gamma P^{a_0}_{s_0,s_1} V^\pi(s_1) \, ds_1 \Big) = 0""",
    (left_11_2, right_11_2, mistaken_11_2),
    sizes=("slope",),
    within=DIFFERENCES,
)


def left_12_1(R):
    """dQ by differences"""
    return later(R)


def right_12_1(R):
    """dV by the theorem, from each next state"""
    return R.discount * R.over_start(R.over_actions(R.over_next(R.rooms.gradient_of_values)))


def mistaken_12_1(R):
    """gamma of the step dropped"""
    return R.over_start(R.over_actions(R.over_next(R.rooms.gradient_of_values)))


formula_12_1 = stated(
    "12.1",
    "the derivative goes inside",
    r"""\int_S p_0 \int_A \pi \frac{\partial Q^\pi(s_0, a_0)}{\partial \theta}
= \int_S p_0 \int_A \pi \int_S \gamma P^{a_0}_{s_0,s_1}
\frac{\partial V^\pi(s_1)}{\partial \theta} \, ds_1 \, da_0 \, ds_0""",
    (left_12_1, right_12_1, mistaken_12_1),
    within=DIFFERENCES,
)


def left_12_2(R):
    """nested integrals, dV by differences"""
    return R.discount * R.over_start(R.over_actions(R.over_next(R.slope_of_V)))


def right_12_2(R):
    """law of s_1, dV by the theorem"""
    return R.discount * _at_next(R)


def mistaken_12_2(R):
    """the law of s_0 in place of that of s_1"""
    return R.discount * R.over_start(R.rooms.gradient_of_values)


formula_12_2 = stated(
    "12.2",
    "the order of the integrals is changed",
    r"""\int_S p_0 \int_A \pi \int_S \gamma P \frac{\partial V^\pi(s_1)}{\partial \theta}
= \int_S \Big( \int_S \gamma p_0 \int_A \pi P^{a_0}_{s_0,s_1} \, da_0 \, ds_0 \Big)
\frac{\partial V^\pi(s_1)}{\partial \theta} \, ds_1""",
    (left_12_2, right_12_2, mistaken_12_2),
    within=DIFFERENCES,
)


def left_13_1(R):
    """the chain's matrix, or closed form"""
    return R.rooms.kernel(1)


def right_13_1(R):
    """integral over the actions"""
    return R.over_actions(R.over_next(R.probe))(R.everywhere[0])


def mistaken_13_1(R):
    """the likeliest action in place of the mean over all"""
    return R.over_next(R.probe)(R.everywhere[0], R.likeliest(R.everywhere[0]))


formula_13_1 = stated(
    "13.1",
    "the one-step probability",
    r"""\int_A \pi(s_0, a_0; \theta) \, P^{a_0}_{s_0,s_1} \, da_0 = p(s_0 \to s_1, 1, \pi)""",
    (left_13_1, right_13_1, mistaken_13_1),
    sizes=("one",),
)


def left_13_2(R):
    """one linear solve"""
    return (room_V(R)(R.states), expected_return(R.mdp, R.policy))


def right_13_2(R):
    """mean over actions of sums over time"""
    return _one_step_later(R, R.over_actions(R.Q))


def mistaken_13_2(R):
    """the likeliest action in place of the mean over all"""
    return _one_step_later(R, lambda s: R.Q(s, R.likeliest(s)))


formula_13_2 = stated(
    "13.2",
    "the same object, one step later",
    r"""V^\pi(s_1) = \int_A \pi(s_1, a_1; \theta) \, Q^\pi(s_1, a_1) \, da_1""",
    (left_13_2, right_13_2, mistaken_13_2),
    sizes=("return", "return"),
)


def left_14_1(R):
    """the theorem, by linear solves"""
    return policy_gradient(R.mdp, R.policy)


def right_14_1(R):
    """two terms, the rest by differences"""
    return _unrolled(R, R.discount**2)


def mistaken_14_1(R):
    """gamma in place of gamma^2 on the rest"""
    return _unrolled(R, R.discount)


formula_14_1 = stated(
    "14.1",
    "split and expanded once more",
    r"""\frac{\partial J}{\partial \theta}
= \sum_{t=0}^{1} \gamma^t \int_S \int_S p_0 \, p(s_0 \to s_t, t, \pi)
\int_A \frac{\partial \pi}{\partial \theta} Q^\pi
+ \gamma^2 \int_S \int_S p_0 \, p(s_0 \to s_2, 2, \pi) \frac{\partial V^\pi(s_2)}{\partial \theta}""",
    (left_14_1, right_14_1, mistaken_14_1),
    within=DIFFERENCES,
)


def left_14_2(R):
    """differences of J"""
    return R.slope_of_return


def right_14_2(R):
    """law of each step's state, Q by a solve"""
    return R.over_time(slope_here(R, room_Q(R)))


def mistaken_14_2(R):
    """the sum begins at t = 1"""
    return R.over_time(slope_here(R, room_Q(R))) - R.over_start(slope_here(R, room_Q(R)))


formula_14_2 = stated(
    "14.2",
    "the gradient as a sum over time",
    r"""\frac{\partial J}{\partial \theta}
= \sum_{t \ge 0} \int_S \int_S \gamma^t p_0 \, p(s_0 \to s_t, t, \pi)
\int_A \frac{\partial \pi(s_t, a_t; \theta)}{\partial \theta} Q^\pi(s_t, a_t)""",
    (left_14_2, right_14_2, mistaken_14_2),
    within=DIFFERENCES,
)


def left_15_1(R):
    """places first, then time; Q by a solve"""
    return R.over_time(slope_here(R, room_Q(R)))


def right_15_1(R):
    """time first, then places; Q by a sum"""
    return R.over_visits(slope_here(R, R.Q))


def mistaken_15_1(R):
    """the inner integral taken at s_0"""
    return R.mass * R.over_start(slope_here(R, R.Q))


formula_15_1 = stated(
    "15.1",
    "the sum over time goes inside",
    r"""\sum_t \int_S \int_S \gamma^t p_0 \, p(s_0 \to s, t, \pi)
\int_A \frac{\partial \pi}{\partial \theta} Q^\pi
= \int_S \Big( \int_S \sum_t \gamma^t p_0 \, p(s_0 \to s, t, \pi) \Big)
\int_A \frac{\partial \pi}{\partial \theta} Q^\pi""",
    (left_15_1, right_15_1, mistaken_15_1),
)


def left_15_2(R):
    """the theorem, by linear solves"""
    return policy_gradient(R.mdp, R.policy)


def right_15_2(R):
    """sums over time, d pi by differences"""
    return R.over_visits(R.over_actions(product(R.Q, R.slope_of_log)))


def mistaken_15_2(R):
    """d pi weighted by pi once more"""
    return R.over_visits(R.over_actions(product(lambda s, a: R.prob(s, a) * R.Q(s, a), R.slope_of_log)))


formula_15_2 = stated(
    "15.2",
    "which is the theorem",
    r"""\frac{\partial J}{\partial \theta} = \int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q^\pi(s, a) \, da \, ds \quad \text{(9.1)}""",
    (left_15_2, right_15_2, mistaken_15_2),
    within=DIFFERENCES,
)
