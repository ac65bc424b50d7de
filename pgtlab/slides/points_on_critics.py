"""Owns the points on critics, samples and Fisher information that the slides leave out or get wrong."""

from __future__ import annotations

import numpy as np

from pgtlab.critics import (
    TD,
    CorrectedEpisodicNAC,
    MonteCarlo,
    compatible_gradient,
    compatible_weights,
)
from pgtlab.estimators import ActionValues, ReturnToGo
from pgtlab.exact.fisher import fisher_information, natural_policy_gradient
from pgtlab.exact.values import action_values
from pgtlab.gallery import now_or_later, one_knob
from pgtlab.policies import SoftmaxPolicy
from pgtlab.slides.formula import DIFFERENCES, finite_only, stated
from pgtlab.slides.routes import UNSEEN
from pgtlab.slides.s17_s21 import best_weights
from pgtlab.slides.specimen import specimen

#: The lambdas at which TD(lambda) is compared.
_LAMBDAS = (0.0, 0.5, 1.0)

_ONE_STATE = "what a trace remembers is no function of the last state and action; a table of pairs is needed"


# --- point 1: what the critic of (23.3) learns -----------------------------------------------------


def _visited_scores(R):
    """Return the table of rho pi SC, (S, A, K)."""
    s = R.visits[0][:, None]
    a, share = R.actions(R.visits[0])
    return (R.visits[1][:, None] * share)[..., None] * R.score(s, a)


def _bootstrapped(R):
    """Return the table of SC less gamma times the mean of the next score, (S, A, K)."""
    s, a = R.visits[0][:, None], R.actions(R.visits[0])[0]
    return R.score(s, a) - R.discount * R.over_next(R.over_actions(R.score))(s, a)


def _trace_equations(R, share):
    """Return matrix and right-hand side of the mean TD update, of which `share` is left after each step."""
    # The mean of z_t by pair, summed over t: each score weighs gamma^t when it comes, and share^n n steps on.
    traces = R.traced(_visited_scores(R), share)
    matrix = np.einsum("sak,sal->kl", traces, _bootstrapped(R))
    return matrix, np.einsum("sak,sa->k", traces, R.mdp.reward)


def _traced_rewards(R, power=1):
    """Return E[sum of trace times reward] for each lambda, with gamma to a power in the trace."""
    rewards = [_trace_equations(R, R.discount**power * lam)[1] for lam in _LAMBDAS]
    return np.array(rewards), np.tile(R.slope_of_return, (2, 1))


# --- points 2 and 3: singular Fisher information, and its mass -------------------------------------


def _other_minimiser(R):
    """Return the best weights moved as far as (17.2) does not see."""
    return best_weights(R) + R.size("weights") * R.unseen.sum(0)


def _tabular_specimen():
    mdp, _ = specimen()
    return mdp, SoftmaxPolicy.tabular([[0.3, -0.2], [0.0, 0.5], [-0.4, 0.1]])


def _length(R):
    """Return the expected discounted number of steps."""
    return R.over_time(lambda s: np.ones(s.shape))


# --- point 4: gamma^t ------------------------------------------------------------------------------


def _scores_times_returns(R, laws):
    """Return E[sum_t (weight of t) SC_t G_t], where `laws` (S,) is the weighted sum of the laws of s_t."""
    a, share = R.actions(np.arange(len(laws)))
    scores = (laws[:, None] * share)[..., None] * R.score(np.arange(len(laws))[:, None], a)
    # Each score meets the reward of n steps on, discounted gamma^n.
    return np.einsum("sak,sa->k", R.traced(scores, R.discount), R.mdp.reward)


def _laws(R, discount):
    return R.discount ** (np.arange(len(R.laws)) * discount) @ R.laws


# --- point 5: a critic fitted on the same paths ----------------------------------------------------


def _paths_and_returns(R):
    """Return scores (2, N, K), returns to go (2, N), and how often each of all paths of two steps comes."""
    s, a, _ = R.paths(2)
    SC = np.array([R.score(s[t], a[t]) for t in (0, 1)])
    r = np.array([R.reward(s[t], a[t]) for t in (0, 1)])
    to_go = np.array([r[0] + R.discount * r[1], r[1]])
    # Any set of paths will do; this one has every path once, twice or three times.
    counts = 1.0 + np.arange(s.shape[1]) % 3
    return SC, to_go, np.tile(counts / counts.sum(), (2, 1))


def _powers(R):
    return R.discount ** np.arange(2)[:, None]


def _reinforce(R):
    SC, to_go, counts = _paths_and_returns(R)
    return np.einsum("tn,tnk->k", _powers(R) * counts * to_go, SC)


def _with_fitted_critic(R, powers):
    """Return (20.1) with the critic fitted on the same paths; step t counts `powers[t]` in the fit."""
    SC, to_go, counts = _paths_and_returns(R)
    root = np.sqrt(powers * counts)
    X, y = (root[..., None] * SC).reshape(-1, SC.shape[-1]), (root * to_go).ravel()
    w = np.linalg.lstsq(X, y, rcond=UNSEEN)[0]
    return np.einsum("tn,tnk->k", _powers(R) * counts * (SC @ w), SC)


def _with_exact_values(R):
    """Return the mean of (20.1) with Q itself, which is no compatible critic."""
    return ActionValues(action_values(R.mdp, R.policy)).expectation(R.mdp, R.policy)


# --- point 10: a fixed part of the critic ----------------------------------------------------------


def _fit_beside_reward(R):
    return R.fit(lambda s, a: R.Q(s, a) - R.reward(s, a))


def left_point_1(R):
    """exact fixed points of TD(lambda), remedies"""
    mdp, policy = R.mdp, R.policy
    sides = [_trace_equations(R, R.discount * lam)[0] @ TD(lam).fixed_point(mdp, policy) for lam in _LAMBDAS]
    remedies = [each.fixed_point(mdp, policy) for each in (MonteCarlo(), CorrectedEpisodicNAC())]
    return np.array(sides), np.array([R.fisher @ w for w in remedies])


def right_point_1(R):
    """mean trace times reward; differences of J"""
    return _traced_rewards(R)


def mistaken_point_1(R):
    """gamma^t on the update in place of the trace"""
    return (_traced_rewards(R, power=2)[0], None)


formula_point_1 = stated(
    "point 1",
    "what the critic's update learns, and what mends it",
    r"""w_\lambda = \mathrm{FIM}^+ \,
E_{\rho, \pi}\big[ \mathrm{SC} \, Q^{(\gamma \lambda)} \big], \qquad
z_t = \gamma \lambda z_{t-1} + \gamma^t \mathrm{SC}_t""",
    (left_point_1, right_point_1, mistaken_point_1),
    kind="algorithm",
    sizes=("gradient", "gradient"),
    within=DIFFERENCES,
    obstacle=finite_only(_ONE_STATE),
    shows_on=now_or_later,
    slide="S23",
)


def left_point_2(R):
    """another minimiser; natural gradient unseen"""
    return (
        compatible_gradient(R.mdp, R.policy, _other_minimiser(R)),
        R.unseen @ natural_policy_gradient(R.mdp, R.policy),
    )


def right_point_2(R):
    """differences of J; zero"""
    return (R.slope_of_return, 0.0 * best_weights(R))


def mistaken_point_2(R):
    """any minimiser taken for the natural gradient"""
    return (None, -R.unseen @ _other_minimiser(R))


formula_point_2 = stated(
    "point 2",
    "where the Fisher information is singular",
    r"""\mathrm{FIM} \, n = 0 \;\Rightarrow\;
\int_S \rho^\pi \int_A \frac{\partial \pi}{\partial \theta}
\, \mathrm{SC} \cdot (w + n) = \frac{\partial J}{\partial \theta}, \qquad
n \cdot \nabla^{\mathrm{nat}}_\theta J = 0""",
    (left_point_2, right_point_2, mistaken_point_2),
    kind="condition",
    sizes=("gradient", "weights"),
    within=DIFFERENCES,
    shows_on=_tabular_specimen,
    slide="S22",
)


def left_point_3(R):
    """mass and Fisher by linear solves"""
    natural = natural_policy_gradient(R.mdp, R.policy)
    mass = R.rooms.mass
    return mass, fisher_information(R.mdp, R.policy) @ natural / mass


def right_point_3(R):
    """steps by a sum; differences of J"""
    return (_length(R), R.slope_of_return / _length(R))


def mistaken_point_3(R):
    """Fisher information normalised, the gradient not"""
    return (None, R.slope_of_return)


formula_point_3 = stated(
    "point 3",
    "rho has a mass, which cancels if it is divided out of both",
    r"""\int_S \rho^\pi = \sum_t \gamma^t \Pr(\text{not ended by } t), \qquad
\frac{\nabla_\theta J}{\int \rho^\pi} = \frac{\mathrm{FIM}}{\int \rho^\pi} \nabla^{\mathrm{nat}}_\theta J""",
    (left_point_3, right_point_3, mistaken_point_3),
    sizes=("visits", "gradient"),
    within=DIFFERENCES,
    slide="S22",
)


def left_point_4(R):
    """exact mean of REINFORCE; differences of J"""
    return (ReturnToGo().expectation(R.mdp, R.policy), R.slope_of_return)


def right_point_4(R):
    """scores carried along to later rewards"""
    return (_scores_times_returns(R, _laws(R, 1)),) * 2


def mistaken_point_4(R):
    """gamma^t dropped"""
    return (_scores_times_returns(R, _laws(R, 0)), None)


formula_point_4 = stated(
    "point 4",
    "gamma^t belongs to the score",
    r"""\frac{\partial J}{\partial \theta} = E\Big[
\sum_t \gamma^t \, \mathrm{SC}_t \, G_t \Big], \qquad G_t = \sum_{t' \ge t} \gamma^{t'-t} r_{t'}""",
    (left_point_4, right_point_4, mistaken_point_4),
    kind="algorithm",
    sizes=("gradient", "gradient"),
    within=DIFFERENCES,
    obstacle=finite_only(_ONE_STATE),
    shows_on=one_knob,
    slide="S20",
)


def left_point_5(R):
    """scores times returns; mean with exact Q"""
    return (_reinforce(R), _with_exact_values(R))


def right_point_5(R):
    """scores times fitted critic; differences of J"""
    return (_with_fitted_critic(R, _powers(R)), R.slope_of_return)


def mistaken_point_5(R):
    """fitted without gamma^t"""
    return (_with_fitted_critic(R, 1.0), None)


formula_point_5 = stated(
    "point 5",
    "a critic fitted on the same paths gains nothing; the exact Q needs no compatibility",
    r"""\sum_{n, t} \gamma^t \mathrm{SC}_t \, (\mathrm{SC}_t \cdot \hat w)
= \sum_{n, t} \gamma^t \mathrm{SC}_t \, G_t, \qquad
\hat w = \arg\min_w \sum_{n, t} \gamma^t (G_t - \mathrm{SC}_t \cdot w)^2""",
    (left_point_5, right_point_5, mistaken_point_5),
    kind="algorithm",
    sizes=("gradient", "gradient"),
    within=DIFFERENCES,
    slide="S20",
)


def left_point_10(R):
    """exact fits beside two offsets"""
    mdp, policy = R.mdp, R.policy
    weights = [compatible_weights(mdp, policy, offset=b) for b in R.rooms.offsets]
    gradients = [
        compatible_gradient(mdp, policy, w, offset=b) for w, b in zip(weights, R.rooms.offsets, strict=True)
    ]
    return np.array(gradients), weights[1]


def right_point_10(R):
    """differences of J; fit without offset"""
    return (np.tile(R.slope_of_return, (2, 1)), R.fit(R.Q))


def mistaken_point_10(R):
    """w beside an offset that depends on the action"""
    return (None, _fit_beside_reward(R))


formula_point_10 = stated(
    "point 10",
    "a fixed part of the critic does no harm to the gradient, but to w",
    r"""\frac{\partial J}{\partial \theta}
= \int_S \rho^\pi \int_A \frac{\partial \pi}{\partial \theta}
\big( \mathrm{SC} \cdot w_b + b(s, a) \big), \quad
w_b = \nabla^{\mathrm{nat}}_\theta J \;\text{ if } b \text{ depends on } s \text{ alone}""",
    (left_point_10, right_point_10, mistaken_point_10),
    kind="condition",
    sizes=("gradient", "weights"),
    within=DIFFERENCES,
    slide="S21",
)
