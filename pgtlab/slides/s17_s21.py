"""Owns the formulas of S17 to S21: compatible critics, their theorem and its proof, and what one samples."""

from __future__ import annotations

import numpy as np

from pgtlab.critics import compatible_gradient, compatible_values, compatible_weights
from pgtlab.estimators import ActionValues, Advantages
from pgtlab.exact.fisher import fisher_information
from pgtlab.exact.gradients import policy_gradient
from pgtlab.exact.values import Quadratic, advantages
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP
from pgtlab.slides.formula import DIFFERENCES, Formula, along
from pgtlab.slides.routes import product
from pgtlab.slides.s09_s15 import room_Q, slope_here

#: Largest discount * |drift|^3 at which a sum over time of the cube of the state has the digits asked for.
_CUBE = 0.98


def critic(R, w):
    """Return the critic of `compatible` with weights w, as a function of places."""
    return R.function(compatible_values(R.policy, w))


def best_weights(R):
    """Return the weights of the compatible critic, from `compatible`."""
    return compatible_weights(R.mdp, R.policy)


def unweighted_fit(R):
    """Return the weights that a fit gives which counts each visited state once."""
    return R.fit(R.Q, weights=(R.visits[1] > 0).astype(float))


def off_centre(R):
    """Return the score less that of the first action, in place of centred features."""
    return lambda s, a: R.score(s, a) - R.score(s, R.first(s))


def error_exists(mdp, policy):
    """Return why the mean squared error of a critic is infinite, if it is."""
    if isinstance(mdp, LinearQuadraticMDP):
        drift = mdp.drift + mdp.control * float(np.asarray(policy.gain))
        if mdp.discount * drift**4 >= 1:
            return (
                f"discount * drift^4 is {mdp.discount * drift**4:g}; expected below 1, or the mean squared "
                "error of every critic is infinite"
            )
    return ""


def cube_exists(mdp, policy):
    """Return why the mean of |x|^3 is infinite, or nearly so, if it is."""
    if isinstance(mdp, LinearQuadraticMDP):
        share = mdp.discount * abs(mdp.drift + mdp.control * float(np.asarray(policy.gain))) ** 3
        if share > _CUBE:
            return (
                f"discount * |drift|^3 is {share:g}; expected at most {_CUBE:g}, or the error of a critic "
                "times its slope has no mean, or one that no sum over time comes to"
            )
    return ""


def _slope_in_weights(R, w):
    """Return the derivative of the critic in its weights, at each pair, by differences."""
    step = max(1.0, np.abs(w).max())

    def columns(s, a):
        directions = step * np.eye(len(w))
        return np.stack(
            [(critic(R, w + d)(s, a) - critic(R, w - d)(s, a)) / (2 * step) for d in directions], axis=-1
        )

    return columns


def _error_around(R, w):
    """Return by how much the error rises a step to either side of w, for each parameter."""
    steps = R.size("weights") * np.vstack([np.eye(len(w)), -np.eye(len(w))])
    return np.array([R.error(w + step) - R.error(w) for step in steps])


def _missed(R, w, Q):
    """Return Q less the critic with weights w, as a function of the pair."""
    return lambda s, a: Q(s, a) - R.score(s, a) @ w


def _two_weights(R):
    """Return the best weights, and some others."""
    w = best_weights(R)
    return w, w + R.size("weights")


def _stationarity(R, Q):
    """Return the integral of (Q - Q_w) SC at the best weights and at others."""
    return tuple(R.over_time(slope_here(R, _missed(R, w, Q))) for w in _two_weights(R))


def _slope_of_error(R):
    """Return 0, and minus half the slope of the error at other weights, by differences."""
    w = _two_weights(R)[1]
    rise = _error_around(R, w).reshape(2, -1)
    step = R.size("weights")
    slope = (rise[0] - rise[1]) / (2 * step) if step else np.zeros(len(w))
    return np.zeros(len(w)), -0.5 * slope


def _missed_times(R, slope):
    """Return the integral of (Q - Q_w) times a slope, at the best weights and at others."""
    return tuple(R.over_visits(R.over_actions(product(_missed(R, w, R.Q), slope))) for w in _two_weights(R))


def _next_score(R):
    """Return the mean of the critic times the score of the next action in the present state."""
    Q = critic(R, best_weights(R))

    def mistaken(s, a):
        following, weights = R.followers(s, a)
        action, share = R.actions(following)
        here = np.broadcast_to(s[..., None, None], action.shape)
        scores = R.score(here, action)
        return (weights[..., None] * (share[..., None] * scores).sum(-2)).sum(-2)

    return R.over_visits(R.over_actions(product(Q, mistaken)))


def _poor_values(R):
    """Return some function of the state, as an estimate of V: what the policy earns in one step."""
    if isinstance(R.mdp, FiniteMDP):
        return R.function((R.policy.probs() * R.mdp.reward).sum(-1))
    curvature = R.mdp.state_cost + R.mdp.action_cost * np.asarray(R.policy.gain) ** 2
    return Quadratic(-np.reshape(curvature, (1, 1)), np.array(0.0))


def _advantage_estimate(R):
    """Return A(s, a; w, v) in the form that `estimators` takes."""
    Q = compatible_values(R.policy, best_weights(R))
    if isinstance(R.mdp, FiniteMDP):
        return Q - _poor_values(R)(np.arange(R.mdp.n_states))[:, None]
    v = _poor_values(R)
    return Quadratic(Q.matrix + np.diag([-v.matrix[0, 0], 0.0]), Q.constant - v.constant)


def _baseline_of_next(R):
    """Return the gradient when the value of the next state is taken off."""
    Q, v = critic(R, best_weights(R)), R.over_next(_poor_values(R))
    return R.over_visits(slope_here(R, lambda s, a: Q(s, a) - v(s, a)))


def _sum_of_parts(R, score):
    """Return sum_i w_i (score)_i at the pairs."""
    w = best_weights(R)
    columns = np.moveaxis(score(*R.pairs), -1, 0)
    return sum(each * column for each, column in zip(w, columns, strict=True))


def _slope_of_one(R):
    """Return sum_i w_i d/dtheta_i of the policy's total probability in each state, by differences."""
    w = best_weights(R)
    # The integral of d pi is that of pi d log pi.
    return R.over_actions(R.slope_of_log)(R.states) @ w


def _critic_and_advantage(R, f):
    """Return the mean of f over the actions in each state, and the integral of f SC."""
    return R.over_actions(f)(R.states), R.over_visits(slope_here(R, f))


FORMULAS = [
    Formula(
        id="17.1",
        slide="S17",
        title="the critic is compatible with the policy",
        kind="condition",
        statement=r"""\frac{\partial Q(s, a; w)}{\partial w}
= \frac{\partial \log \pi(s, a; \theta)}{\partial \theta}""",
        left_route="differences of the critic in w",
        right_route="differences of log pi in theta",
        left=along(lambda R: _slope_in_weights(R, best_weights(R))(*R.pairs)),
        right=along(lambda R: R.slope_of_log(*R.pairs)),
        sizes=("score",),
        within=DIFFERENCES,
        mutation="features less those of the first action, not centred",
        mistaken=along(lambda R: off_centre(R)(*R.pairs)),
    ),
    Formula(
        id="17.2",
        slide="S17",
        title="the critic's weights minimise the mean squared error",
        kind="condition",
        statement=r"""w = \arg\min \epsilon, \quad \epsilon(w) = \int_S \rho^\pi(s) \int_A \pi(s, a; \theta)
\big( Q^\pi(s, a) - Q(s, a; w) \big)^2 \, da \, ds""",
        left_route="rise of the error to either side of w",
        right_route="the error's curvature, by Fisher",
        left=along(lambda R: _error_around(R, best_weights(R))),
        right=along(
            lambda R: R.size("weights") ** 2 * np.tile(np.diag(fisher_information(R.mdp, R.policy)), 2)
        ),
        sizes=("square",),
        mutation="fitted with every state counted once, rho left out",
        mistaken=along(lambda R: _error_around(R, unweighted_fit(R))),
        obstacle=error_exists,
    ),
    Formula(
        id="17.3",
        slide="S17",
        title="the compatible critic gives the exact gradient",
        kind="identity",
        statement=r"""\frac{\partial J}{\partial \theta} = \int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q(s, a; w) \, da \, ds""",
        left_route="the theorem with Q, by linear solves",
        right_route="critic fitted to sums over time",
        left=policy_gradient,
        right=along(lambda R: R.over_visits(slope_here(R, lambda s, a: R.score(s, a) @ R.fit(R.Q)))),
        sizes=("gradient",),
        mutation="critic fitted with every state counted once",
        mistaken=along(
            lambda R: R.over_visits(slope_here(R, lambda s, a: R.score(s, a) @ unweighted_fit(R)))
        ),
    ),
    Formula(
        id="18.1",
        slide="S18",
        title="at the minimum the error is stationary",
        kind="identity",
        statement=r"""-\frac12 \frac{\partial \epsilon}{\partial w} = \int_S \rho^\pi \int_A \pi \,
\big( Q^\pi - Q(\cdot\,; w) \big) \frac{\partial Q(\cdot\,; w)}{\partial w} = 0""",
        left_route="the integral, Q by a solve; also beside w",
        right_route="zero; differences of the error",
        left=along(lambda R: _stationarity(R, room_Q(R))),
        right=along(_slope_of_error),
        sizes=("gradient", "gradient"),
        mutation="the immediate reward in place of Q",
        mistaken=along(lambda R: _stationarity(R, R.reward)),
        obstacle=error_exists,
    ),
    Formula(
        id="18.2",
        slide="S18",
        title="(17.1) put in",
        kind="identity",
        statement=r"""\int_S \rho^\pi \int_A \pi \, \big( Q^\pi - Q(\cdot\,; w) \big)
\frac{\partial Q(\cdot\,; w)}{\partial w} = \int_S \rho^\pi \int_A \pi \, \big( Q^\pi - Q(\cdot\,; w) \big)
\frac{\partial \log \pi}{\partial \theta} = 0""",
        left_route="differences of the critic in w",
        right_route="differences of log pi; also beside w",
        left=along(lambda R: _missed_times(R, _slope_in_weights(R, best_weights(R)))),
        right=along(lambda R: (0.0 * best_weights(R), _missed_times(R, R.slope_of_log)[1])),
        sizes=("gradient", "gradient"),
        within=DIFFERENCES,
        mutation="features less those of the first action, not centred",
        mistaken=along(lambda R: _missed_times(R, off_centre(R))),
        obstacle=cube_exists,
    ),
    Formula(
        id="18.3",
        slide="S18",
        title="so Q and its critic weigh the score alike",
        kind="identity",
        statement=r"""\int_S \rho^\pi \int_A \pi \, Q^\pi \, \frac{\partial \log \pi}{\partial \theta}
= \int_S \rho^\pi \int_A \pi \, Q(\cdot\,; w) \, \frac{\partial \log \pi}{\partial \theta}""",
        left_route="Q by sums over time",
        right_route="the critic in closed form",
        left=along(lambda R: R.over_time(slope_here(R, R.Q))),
        right=along(lambda R: compatible_gradient(R.mdp, R.policy, best_weights(R))),
        sizes=("gradient",),
        mutation="critic fitted to the immediate reward",
        mistaken=along(lambda R: compatible_gradient(R.mdp, R.policy, R.fit(R.reward))),
    ),
    Formula(
        id="19.1",
        slide="S19",
        title="the left side is the gradient, as d pi = pi d log pi",
        kind="identity",
        statement=r"""\int_S \rho^\pi \int_A \pi \, Q^\pi \, \frac{\partial \log \pi}{\partial \theta}
= \frac{\partial J}{\partial \theta}, \qquad
\pi \, \frac{\partial \log \pi}{\partial \theta} = \frac{\partial \pi}{\partial \theta}""",
        left_route="sums over time; pi times score",
        right_route="differences of J and of pi",
        left=along(
            lambda R: (R.over_visits(slope_here(R, R.Q)), product(R.prob, R.score)(*R.pairs)),
        ),
        right=along(lambda R: (R.slope_of_return, R.slope_of_prob(*R.pairs))),
        sizes=("gradient", "score"),
        within=DIFFERENCES,
        mutation="d log pi in place of d pi",
        mistaken=along(lambda R: (None, R.slope_of_log(*R.pairs))),
    ),
    Formula(
        id="19.2",
        slide="S19",
        title="hence the critic may stand for Q",
        kind="identity",
        statement=r"""\frac{\partial J}{\partial \theta} = \int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q(s, a; w) \, da \, ds \quad \text{(17.3)}""",
        left_route="differences of J",
        right_route="exact critic, d pi by differences",
        left=along(lambda R: R.slope_of_return),
        right=along(
            lambda R: R.over_visits(R.over_actions(product(critic(R, best_weights(R)), R.slope_of_log)))
        ),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="rho normalised",
        mistaken=along(
            lambda R: R.over_visits(R.over_actions(product(critic(R, best_weights(R)), R.score))) / R.mass
        ),
    ),
    Formula(
        id="20.1",
        slide="S20",
        title="the sampled gradient is unbiased",
        kind="algorithm",
        statement=r"""E\Big[ \sum_t \gamma^t \,
\frac{\partial \log \pi(s_t, a_t; \theta)}{\partial \theta} \, Q(s_t, a_t; w) \Big]
= \frac{\partial J}{\partial \theta}""",
        left_route="exact mean of the estimator",
        right_route="differences of J",
        left=along(
            lambda R: ActionValues(compatible_values(R.policy, best_weights(R))).expectation(R.mdp, R.policy)
        ),
        right=along(lambda R: R.slope_of_return),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="score of the next action at the present state",
        mistaken=along(_next_score),
    ),
    Formula(
        id="20.2",
        slide="S20",
        title="with the advantage in place of Q it still is",
        kind="algorithm",
        statement=r"""E\Big[ \sum_t \gamma^t \, \frac{\partial \log \pi(s_t, a_t; \theta)}{\partial \theta} \,
A(s_t, a_t; w, v) \Big] = \frac{\partial J}{\partial \theta}, \quad A(s, a; w, v) = Q(s, a; w) - V(s; v)""",
        left_route="exact mean of the estimator, poor V",
        right_route="differences of J",
        left=along(lambda R: Advantages(_advantage_estimate(R)).expectation(R.mdp, R.policy)),
        right=along(lambda R: R.slope_of_return),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="the next state's value taken off, which depends on the action",
        mistaken=along(_baseline_of_next),
    ),
    Formula(
        id="20.3",
        slide="S20",
        title="a function of the state adds no bias",
        kind="identity",
        statement=r"""\int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} V(s; v) \, da \, ds
= \int_S \rho^\pi(s) V(s; v) \frac{\partial}{\partial \theta} \Big( \int_A \pi \, da \Big) ds = 0""",
        left_route="the integral, d pi by differences",
        right_route="zero",
        left=along(
            lambda R: R.over_visits(
                R.over_actions(product(lambda s, a: _poor_values(R)(s) + 0.0 * a, R.slope_of_log))
            )
        ),
        right=along(lambda R: np.zeros(len(R.policy.parameters))),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="a baseline that depends on the action: V of the next state",
        mistaken=along(lambda R: R.over_visits(slope_here(R, R.over_next(_poor_values(R))))),
    ),
    Formula(
        id="21.1",
        slide="S21",
        title="a critic that is linear in the score",
        kind="definition",
        statement=r"""Q(s, a; w) = \sum_i \phi_i(s, a) \, w_i
= \sum_i \frac{\partial \log \pi(s, a; \theta)}{\partial \theta_i} \, w_i""",
        left_route="the critic in closed form",
        right_route="a sum, score by differences",
        left=along(lambda R: critic(R, best_weights(R))(*R.pairs)),
        right=along(lambda R: _sum_of_parts(R, R.slope_of_log)),
        sizes=("return",),
        within=DIFFERENCES,
        mutation="features less those of the first action, not centred",
        mistaken=along(lambda R: _sum_of_parts(R, off_centre(R))),
    ),
    Formula(
        id="21.2",
        slide="S21",
        title="it has mean zero, and so approximates the advantage",
        kind="identity",
        statement=r"""\int_A \pi(s, a; \theta) \, Q(s, a; w) \, da
= \sum_i w_i \frac{\partial}{\partial \theta_i} \int_A \pi(s, a; \theta) \, da = 0""",
        left_route="mean of the critic; its part along SC",
        right_route="differences; the advantage along SC",
        left=along(lambda R: _critic_and_advantage(R, critic(R, best_weights(R)))),
        right=along(
            lambda R: (
                _slope_of_one(R),
                R.over_time(slope_here(R, R.function(advantages(R.mdp, R.policy)))),
            )
        ),
        sizes=("return", "gradient"),
        within=DIFFERENCES,
        mutation="features less those of the first action, not centred",
        mistaken=along(
            lambda R: (R.over_actions(lambda s, a: off_centre(R)(s, a) @ best_weights(R))(R.states), None)
        ),
    ),
]
