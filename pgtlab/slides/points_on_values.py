"""Owns the points on values and their derivatives that the slides leave out or get wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pgtlab.critics import compatible_values
from pgtlab.exact.gradients import policy_gradient
from pgtlab.exact.values import action_values, expected_return
from pgtlab.exact.visits import state_visitation
from pgtlab.gallery import now_or_later
from pgtlab.mdp import FiniteMDP
from pgtlab.policies import LinearGaussianPolicy, SoftmaxPolicy
from pgtlab.slides.formula import DIFFERENCES, Formula, along
from pgtlab.slides.routes import MOST_TERMS
from pgtlab.slides.s09_s15 import later, slope_here
from pgtlab.slides.s17_s21 import best_weights
from pgtlab.slides.specimen import leak

#: Numbers of terms after which the sum over time is cut.
_CUTS = (1, 2, 3, 5)


# --- point 6: the derivative of a sum without end --------------------------------------------------


def _slopes_of_cut_returns(R):
    """Return the derivative of the return of n steps for some n, by differences; and of all steps."""
    cut = [R.slope(lambda moved, n=n: moved.over_start(moved.values_to_go(n))) for n in _CUTS]
    return np.array(cut), policy_gradient(R.mdp, R.policy)


def _sums_of_slopes(R, values):
    """Return for each n the sum of the first n terms, where `values(m)` is V of m steps to go."""
    totals = []
    for n in _CUTS:
        terms = [R.discount**t * R.at(t, slope_here(R, R.backed_up(values(n - t - 1)))) for t in range(n)]
        totals.append(np.sum(terms, axis=0))
    return np.array(totals)


# --- point 7: the best policy is deterministic -----------------------------------------------------


def _optimal_values(R):
    """Return the best V as a table by value iteration, or its curvature by the Riccati recursion."""
    mdp = R.mdp
    if isinstance(mdp, FiniteMDP):
        return _repeated(lambda V: (mdp.reward + mdp.discount * mdp.next_values(V)).max(-1), R)

    def one_step_earlier(P):
        # The best of q x^2 + r u^2 + gamma P (a x + b u)^2 over u = k x.
        k = _best_gain(mdp, P)
        return mdp.state_cost + mdp.action_cost * k**2 + mdp.discount * P * (mdp.drift + mdp.control * k) ** 2

    return _repeated(one_step_earlier, R)


def _repeated(step, R):
    """Return where a step leads from nothing, once it changes no more than the last digits."""
    values = _nothing(R)
    for _ in range(MOST_TERMS):
        before, values = values, step(values)
        if np.abs(values - before).max() <= 1e-14 * np.abs(values).max():
            return values
    raise ValueError(f"the best values are not reached in {MOST_TERMS} steps; expected a smaller discount")


def _nothing(R):
    return np.zeros(R.mdp.n_states) if isinstance(R.mdp, FiniteMDP) else np.float64(0.0)


def _best_gain(mdp, P):
    """Return the gain that is best for one step, when what follows costs P x^2."""
    denominator = mdp.action_cost + mdp.discount * mdp.control**2 * P
    return -mdp.discount * mdp.drift * mdp.control * P / denominator if denominator else 0.0


def _greedy(R, onward):
    """Return the deterministic policy that is best for one step, when `onward` follows."""
    mdp = R.mdp
    if isinstance(mdp, FiniteMDP):
        best = (mdp.reward + mdp.discount * mdp.next_values(onward)).argmax(-1)
        # The exponential of such a difference is 0: one action is taken, and no other.
        return SoftmaxPolicy.tabular(1e4 * np.eye(mdp.n_actions)[best])
    # Noise of one part in 10^17: none, in double precision.
    return LinearGaussianPolicy(_best_gain(mdp, onward), -40.0)


def _optimum(R):
    """Return the optimal return from the start, and 0."""
    best = _optimal_values(R)
    if isinstance(R.mdp, FiniteMDP):
        return R.mdp.initial @ best, 0.0
    mdp = R.mdp
    start = mdp.initial_mean**2 + mdp.initial_std**2
    return -best * (start + mdp.discount * mdp.noise_std**2 / (1 - mdp.discount)), 0.0


def _deterministic_and_this(R):
    """Return what the greedy deterministic policy earns, and by how much this policy earns more."""
    best = expected_return(R.mdp, _greedy(R, _optimal_values(R)))
    return best, max(0.0, expected_return(R.mdp, R.policy) - best)


def _short_sighted(R):
    return expected_return(R.mdp, _greedy(R, _nothing(R))), None


def _discounted(mdp, policy):
    if mdp.discount == 1:
        return "discount is 1; expected below 1, or a deterministic policy need not come to an end"
    return ""


# --- point 8: slips --------------------------------------------------------------------------------


def _slips(R):
    """Return what the displays with the slips are meant to say, by the rooms."""
    first_step = replace(R.mdp, discount=0.0)
    here = R.over_start(slope_here(R, R.function(action_values(R.mdp, R.policy))))
    w = best_weights(R)
    return (
        policy_gradient(R.mdp, R.policy) - here,
        expected_return(first_step, R.policy),
        R.function(compatible_values(R.policy, w))(*R.pairs),
        expected_return(R.mdp, R.policy),
    )


def _as_meant(R):
    w, scores = best_weights(R), R.slope_of_log(*R.pairs)
    return (
        later(R),
        R.over_start(R.over_actions(R.reward)),
        sum(w[k] * scores[:, k] for k in range(len(w))),
        R.over_time(R.over_actions(R.reward)),
    )


def _as_written(R):
    """Return the displays with a for a_0 read as the first action, n for k, and r_{t+1} for r_t."""
    w, scores = best_weights(R), R.slope_of_log(*R.pairs)
    return (
        R.over_start(lambda s: R.slope_of_Q(s, R.first(s))),
        R.over_start(lambda s: R.reward(s, R.first(s))),
        sum((w[k] * scores[:, k] for k in range(len(w) - 1)), 0.0 * scores[:, 0]),
        R.over_time(R.after(R.over_actions(R.reward), 1)),
    )


# --- point 9: a small change --------------------------------------------------------------------------


def _other(R):
    """Return another policy of the same class."""
    theta = np.asarray(R.policy.parameters)
    return R.policy.with_parameters(theta + 0.3 * np.cos(np.arange(len(theta))))


def _moved_visits(R):
    before, after = state_visitation(R.mdp, R.policy), state_visitation(R.mdp, _other(R))
    return np.abs(after - before).sum()


def _moved_policy(R, power=2):
    """Return gamma / (1 - gamma)^power times the largest change of the policy in a state."""
    change = np.abs(_other(R).probs() - R.policy.probs()).sum(-1).max()
    return R.discount / (1 - R.discount) ** power * change


def _countable_and_discounted(mdp, policy):
    if not isinstance(mdp, FiniteMDP):
        return "states are uncountable; the same bound holds with integrals, which have no closed form here"
    return _discounted(mdp, policy)


FORMULAS = [
    Formula(
        id="point 6",
        slide="S12",
        title="the derivative of a sum over time, cut and whole",
        kind="identity",
        statement=r"""\frac{\partial}{\partial \theta} \sum_{t < n} \gamma^t E[r_t]
= \sum_{t < n} \gamma^t E\big[ \mathrm{SC}_t \, Q_{n-t}(s_t, a_t) \big]
\;\longrightarrow\; \frac{\partial J}{\partial \theta} \quad (n \to \infty)""",
        left_route="differences of cut sums; the theorem",
        right_route="sum of the terms' slopes; all of them",
        left=along(_slopes_of_cut_returns),
        right=along(lambda R: (_sums_of_slopes(R, R.values_to_go), R.over_time(slope_here(R, R.Q)))),
        sizes=("gradient", "gradient"),
        within=DIFFERENCES,
        mutation="the theorem's own sum cut at n, with Q of all steps",
        mistaken=along(lambda R: (_sums_of_slopes(R, lambda m: R.V), None)),
    ),
    Formula(
        id="point 7",
        slide="S5",
        title="a deterministic policy is best, unless states are aliased",
        kind="condition",
        statement=r"""\max_\pi J(\pi) = J(\pi^*), \quad
\pi^*(s) \in \arg\max_a \big( R^a_s + \gamma \textstyle\int P^a_{s,s'} V^*(s') \, ds' \big), \qquad
J(\pi_\theta) \le J(\pi^*) \qquad (\gamma < 1)""",
        left_route="return of the greedy policy by a solve",
        right_route="value iteration",
        left=along(_deterministic_and_this),
        right=along(_optimum),
        sizes=("return", "return"),
        mutation="greedy for the immediate reward",
        mistaken=along(_short_sighted),
        obstacle=_discounted,
        shows_on=now_or_later,
    ),
    Formula(
        id="point 8",
        slide="S11",
        title="slips of the pen, each read as it is meant",
        kind="identity",
        statement=r"""\frac{\partial J}{\partial \theta}
- \int p_0 \int \frac{\partial \pi}{\partial \theta} Q^\pi
= \int_S p_0(s_0) \int_A \pi(s_0, a_0) \frac{\partial Q^\pi(s_0, a_0)}{\partial \theta}, \quad
E[r_0] = \int p_0 \int \pi R^{a_0}_{s_0}, \quad
Q(\cdot\,; w) = \sum_{i=1}^{k} w_i \frac{\partial \log \pi}{\partial \theta_i}, \quad
J = \sum_t \gamma^t E[r_t]""",
        left_route="by the rooms' exact functions",
        right_route="as meant, by sums and differences",
        left=along(_slips),
        right=along(_as_meant),
        sizes=("gradient", "return", "return", "return"),
        within=DIFFERENCES,
        mutation="as written: a for a_0, n for k, r_(t+1) for r_t",
        mistaken=along(_as_written),
    ),
    Formula(
        id="point 9",
        slide="S5",
        title="a small change of the policy is a small change of where it goes",
        kind="bound",
        statement=r"""\lVert \rho^{\pi'} - \rho^\pi \rVert_1
\le \frac{\gamma}{(1 - \gamma)^2} \, \max_s \lVert \pi'(\cdot \mid s) - \pi(\cdot \mid s) \rVert_1""",
        left_route="both measures by linear solves",
        right_route="change of the policy, state by state",
        left=along(_moved_visits),
        right=along(_moved_policy),
        sizes=("visits",),
        mutation="1 - gamma once only",
        mistaken=along(lambda R: _moved_policy(R, power=1)),
        obstacle=_countable_and_discounted,
        shows_on=leak,
    ),
]
