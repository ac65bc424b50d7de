"""Owns the points on values and their derivatives that the slides leave out or get wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pgtlab.critics import compatible_values
from pgtlab.exact.gradients import policy_gradient
from pgtlab.exact.values import action_values, expected_return
from pgtlab.exact.visits import state_visitation
from pgtlab.gallery import now_or_later
from pgtlab.slides.formula import DIFFERENCES, stated, unless
from pgtlab.slides.routes import MOST_TERMS
from pgtlab.slides.s09_s15 import later, slope_here
from pgtlab.slides.s17_s21 import best_weights
from pgtlab.slides.specimen import leak

#: Numbers of terms after which the sum over time is cut.
_CUTS = (1, 2, 3, 5)


# --- point 6: the derivative of a sum without end --------------------------------------------------


def _sums_of_slopes(R, values):
    """Return for each n the sum of the first n terms, where `values(m)` is V of m steps to go."""
    totals = []
    for n in _CUTS:
        terms = [R.discount**t * R.at(t, slope_here(R, R.backed_up(values(n - t - 1)))) for t in range(n)]
        totals.append(np.sum(terms, axis=0))
    return np.array(totals)


# --- point 7: the best policy is deterministic -----------------------------------------------------


def _optimal_values(R):
    """Return the best values by value iteration, once it changes no more than the last digits."""
    values = R.rooms.nothing
    for _ in range(MOST_TERMS):
        before, values = values, R.rooms.one_step_earlier(values)
        if np.abs(values - before).max() <= 1e-14 * np.abs(values).max():
            return values
    raise ValueError(f"the best values are not reached in {MOST_TERMS} steps; expected a smaller discount")


def _discounted(R):
    if R.discount == 1:
        return "discount is 1; expected below 1, or a deterministic policy need not come to an end"
    return ""


# --- point 9: a small change --------------------------------------------------------------------------


def _other(R):
    """Return another policy of the same class."""
    theta = np.asarray(R.policy.parameters)
    return R.policy.with_parameters(theta + 0.3 * np.cos(np.arange(len(theta))))


def _moved_policy(R, power=2):
    """Return gamma / (1 - gamma)^power times the largest change of the policy in a state."""
    change = np.abs(_other(R).probs() - R.policy.probs()).sum(-1).max()
    return R.discount / (1 - R.discount) ** power * change


def _countable_and_discounted(R):
    if not R.countable:
        return "states are uncountable; the same bound holds with integrals, which have no closed form here"
    return _discounted(R)


def left_point_6(R):
    """differences of cut sums; the theorem"""
    cut = [R.slope(lambda moved, n=n: moved.over_start(moved.values_to_go(n))) for n in _CUTS]
    return np.array(cut), policy_gradient(R.mdp, R.policy)


def right_point_6(R):
    """sum of the terms' slopes; all of them"""
    return (_sums_of_slopes(R, R.values_to_go), R.over_time(slope_here(R, R.Q)))


def mistaken_point_6(R):
    """the theorem's own sum cut at n, with Q of all steps"""
    return (_sums_of_slopes(R, lambda m: R.V), None)


formula_point_6 = stated(
    "point 6",
    "the derivative of a sum over time, cut and whole",
    r"""\frac{\partial}{\partial \theta} \sum_{t < n} \gamma^t E[r_t]
= \sum_{t < n} \gamma^t E\big[ \mathrm{SC}_t \, Q_{n-t}(s_t, a_t) \big]
\;\longrightarrow\; \frac{\partial J}{\partial \theta} \quad (n \to \infty)""",
    (left_point_6, right_point_6, mistaken_point_6),
    sizes=("gradient", "gradient"),
    within=DIFFERENCES,
    slide="S12",
)


def left_point_7(R):
    """return of the greedy policy by a solve"""
    best = expected_return(R.mdp, R.rooms.greedy(_optimal_values(R)))
    return best, max(0.0, expected_return(R.mdp, R.policy) - best)


def right_point_7(R):
    """value iteration"""
    return R.rooms.from_start(_optimal_values(R)), 0.0


def mistaken_point_7(R):
    """greedy for the immediate reward"""
    return expected_return(R.mdp, R.rooms.greedy(R.rooms.nothing)), None


formula_point_7 = stated(
    "point 7",
    "a deterministic policy is best, unless states are aliased",
    r"""\max_\pi J(\pi) = J(\pi^*), \quad
\pi^*(s) \in \arg\max_a \big( R^a_s + \gamma \textstyle\int P^a_{s,s'} V^*(s') \, ds' \big), \qquad
J(\pi_\theta) \le J(\pi^*) \qquad (\gamma < 1)""",
    (left_point_7, right_point_7, mistaken_point_7),
    kind="condition",
    sizes=("return", "return"),
    obstacle=unless(_discounted),
    shows_on=now_or_later,
    slide="S5",
)


def left_point_8(R):
    """by the rooms' exact functions"""
    first_step = replace(R.mdp, discount=0.0)
    here = R.over_start(slope_here(R, R.function(action_values(R.mdp, R.policy))))
    w = best_weights(R)
    return (
        policy_gradient(R.mdp, R.policy) - here,
        expected_return(first_step, R.policy),
        R.function(compatible_values(R.policy, w))(*R.pairs),
        expected_return(R.mdp, R.policy),
    )


def right_point_8(R):
    """as meant, by sums and differences"""
    w, scores = best_weights(R), R.slope_of_log(*R.pairs)
    return (
        later(R),
        R.over_start(R.over_actions(R.reward)),
        sum(w[k] * scores[:, k] for k in range(len(w))),
        R.over_time(R.over_actions(R.reward)),
    )


def mistaken_point_8(R):
    """as written: a for a_0, n for k, r_(t+1) for r_t"""
    w, scores = best_weights(R), R.slope_of_log(*R.pairs)
    return (
        R.over_start(lambda s: R.slope_of_Q(s, R.first(s))),
        R.over_start(lambda s: R.reward(s, R.first(s))),
        sum((w[k] * scores[:, k] for k in range(len(w) - 1)), 0.0 * scores[:, 0]),
        R.over_time(R.after(R.over_actions(R.reward), 1)),
    )


formula_point_8 = stated(
    "point 8",
    "slips of the pen, each read as it is meant",
    r"""\frac{\partial J}{\partial \theta}
- \int p_0 \int \frac{\partial \pi}{\partial \theta} Q^\pi
= \int_S p_0(s_0) \int_A \pi(s_0, a_0) \frac{\partial Q^\pi(s_0, a_0)}{\partial \theta}, \quad
E[r_0] = \int p_0 \int \pi R^{a_0}_{s_0}, \quad
Q(\cdot\,; w) = \sum_{i=1}^{k} w_i \frac{\partial \log \pi}{\partial \theta_i}, \quad
J = \sum_t \gamma^t E[r_t]""",
    (left_point_8, right_point_8, mistaken_point_8),
    sizes=("gradient", "return", "return", "return"),
    within=DIFFERENCES,
    slide="S11",
)


def left_point_9(R):
    """both measures by linear solves"""
    before, after = state_visitation(R.mdp, R.policy), state_visitation(R.mdp, _other(R))
    return np.abs(after - before).sum()


def right_point_9(R):
    """change of the policy, state by state"""
    return _moved_policy(R)


def mistaken_point_9(R):
    """1 - gamma once only"""
    return _moved_policy(R, power=1)


formula_point_9 = stated(
    "point 9",
    "a small change of the policy is a small change of where it goes",
    r"""\lVert \rho^{\pi'} - \rho^\pi \rVert_1
\le \frac{\gamma}{(1 - \gamma)^2} \, \max_s \lVert \pi'(\cdot \mid s) - \pi(\cdot \mid s) \rVert_1""",
    (left_point_9, right_point_9, mistaken_point_9),
    kind="bound",
    sizes=("visits",),
    obstacle=unless(_countable_and_discounted),
    shows_on=leak,
    slide="S5",
)
