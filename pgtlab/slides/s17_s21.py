"""Owns the formulas of S17 to S21: compatible critics, their theorem and its proof, and what one samples."""

from __future__ import annotations

import numpy as np

from pgtlab.critics import compatible_gradient, compatible_values, compatible_weights
from pgtlab.estimators import ActionValues, Advantages
from pgtlab.exact.fisher import fisher_information
from pgtlab.exact.gradients import policy_gradient
from pgtlab.exact.values import advantages
from pgtlab.slides.formula import DIFFERENCES, stated, unless
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


def error_exists(R):
    """Return why the mean squared error of a critic is infinite, if it is."""
    share = R.growth(4)
    if share < 1:
        return ""
    return (
        f"discount * drift^4 is {share:g}; expected below 1, or the mean squared error of every critic is "
        "infinite"
    )


def cube_exists(R):
    """Return why the mean of |x|^3 is infinite, or nearly so, if it is."""
    share = R.growth(3)
    if share <= _CUBE:
        return ""
    return (
        f"discount * |drift|^3 is {share:g}; expected at most {_CUBE:g}, or the error of a critic times its "
        "slope has no mean, or one that no sum over time comes to"
    )


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


def _missed_times(R, slope):
    """Return the integral of (Q - Q_w) times a slope, at the best weights and at others."""
    return tuple(R.over_visits(R.over_actions(product(_missed(R, w, R.Q), slope))) for w in _two_weights(R))


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


def left_17_1(R):
    """differences of the critic in w"""
    return _slope_in_weights(R, best_weights(R))(*R.pairs)


def right_17_1(R):
    """differences of log pi in theta"""
    return R.slope_of_log(*R.pairs)


def mistaken_17_1(R):
    """features less those of the first action, not centred"""
    return off_centre(R)(*R.pairs)


formula_17_1 = stated(
    "17.1",
    "the critic is compatible with the policy",
    r"""\frac{\partial Q(s, a; w)}{\partial w}
= \frac{\partial \log \pi(s, a; \theta)}{\partial \theta}""",
    (left_17_1, right_17_1, mistaken_17_1),
    kind="condition",
    sizes=("score",),
    within=DIFFERENCES,
)


def left_17_2(R):
    """rise of the error to either side of w"""
    return _error_around(R, best_weights(R))


def right_17_2(R):
    """the error's curvature, by Fisher"""
    return R.size("weights") ** 2 * np.tile(np.diag(fisher_information(R.mdp, R.policy)), 2)


def mistaken_17_2(R):
    """fitted with every state counted once, rho left out"""
    return _error_around(R, unweighted_fit(R))


formula_17_2 = stated(
    "17.2",
    "the critic's weights minimise the mean squared error",
    r"""w = \arg\min \epsilon, \quad \epsilon(w) = \int_S \rho^\pi(s) \int_A \pi(s, a; \theta)
\big( Q^\pi(s, a) - Q(s, a; w) \big)^2 \, da \, ds""",
    (left_17_2, right_17_2, mistaken_17_2),
    kind="condition",
    sizes=("square",),
    obstacle=unless(error_exists),
)


def left_17_3(R):
    """the theorem with Q, by linear solves"""
    return policy_gradient(R.mdp, R.policy)


def right_17_3(R):
    """critic fitted to sums over time"""
    return R.over_visits(slope_here(R, lambda s, a: R.score(s, a) @ R.fit(R.Q)))


def mistaken_17_3(R):
    """critic fitted with every state counted once"""
    return R.over_visits(slope_here(R, lambda s, a: R.score(s, a) @ unweighted_fit(R)))


formula_17_3 = stated(
    "17.3",
    "the compatible critic gives the exact gradient",
    r"""\frac{\partial J}{\partial \theta} = \int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q(s, a; w) \, da \, ds""",
    (left_17_3, right_17_3, mistaken_17_3),
)


def left_18_1(R):
    """the integral, Q by a solve; also beside w"""
    return _stationarity(R, room_Q(R))


def right_18_1(R):
    """zero; differences of the error"""
    w = _two_weights(R)[1]
    rise = _error_around(R, w).reshape(2, -1)
    step = R.size("weights")
    slope = (rise[0] - rise[1]) / (2 * step) if step else np.zeros(len(w))
    return np.zeros(len(w)), -0.5 * slope


def mistaken_18_1(R):
    """the immediate reward in place of Q"""
    return _stationarity(R, R.reward)


formula_18_1 = stated(
    "18.1",
    "at the minimum the error is stationary",
    r"""-\frac12 \frac{\partial \epsilon}{\partial w} = \int_S \rho^\pi \int_A \pi \,
\big( Q^\pi - Q(\cdot\,; w) \big) \frac{\partial Q(\cdot\,; w)}{\partial w} = 0""",
    (left_18_1, right_18_1, mistaken_18_1),
    sizes=("gradient", "gradient"),
    obstacle=unless(error_exists),
)


def left_18_2(R):
    """differences of the critic in w"""
    return _missed_times(R, _slope_in_weights(R, best_weights(R)))


def right_18_2(R):
    """differences of log pi; also beside w"""
    return (0.0 * best_weights(R), _missed_times(R, R.slope_of_log)[1])


def mistaken_18_2(R):
    """features less those of the first action, not centred"""
    return _missed_times(R, off_centre(R))


formula_18_2 = stated(
    "18.2",
    "(17.1) put in",
    r"""\int_S \rho^\pi \int_A \pi \, \big( Q^\pi - Q(\cdot\,; w) \big)
\frac{\partial Q(\cdot\,; w)}{\partial w} = \int_S \rho^\pi \int_A \pi \, \big( Q^\pi - Q(\cdot\,; w) \big)
\frac{\partial \log \pi}{\partial \theta} = 0""",
    (left_18_2, right_18_2, mistaken_18_2),
    sizes=("gradient", "gradient"),
    within=DIFFERENCES,
    obstacle=unless(cube_exists),
)


def left_18_3(R):
    """Q by sums over time"""
    return R.over_time(slope_here(R, R.Q))


def right_18_3(R):
    """the critic in closed form"""
    return compatible_gradient(R.mdp, R.policy, best_weights(R))


def mistaken_18_3(R):
    """critic fitted to the immediate reward"""
    return compatible_gradient(R.mdp, R.policy, R.fit(R.reward))


formula_18_3 = stated(
    "18.3",
    "so Q and its critic weigh the score alike",
    r"""\int_S \rho^\pi \int_A \pi \, Q^\pi \, \frac{\partial \log \pi}{\partial \theta}
= \int_S \rho^\pi \int_A \pi \, Q(\cdot\,; w) \, \frac{\partial \log \pi}{\partial \theta}""",
    (left_18_3, right_18_3, mistaken_18_3),
)


def left_19_1(R):
    """sums over time; pi times score"""
    return (R.over_visits(slope_here(R, R.Q)), product(R.prob, R.score)(*R.pairs))


def right_19_1(R):
    """differences of J and of pi"""
    return (R.slope_of_return, R.slope_of_prob(*R.pairs))


def mistaken_19_1(R):
    """d log pi in place of d pi"""
    return (None, R.slope_of_log(*R.pairs))


formula_19_1 = stated(
    "19.1",
    "the left side is the gradient, as d pi = pi d log pi",
    r"""\int_S \rho^\pi \int_A \pi \, Q^\pi \, \frac{\partial \log \pi}{\partial \theta}
= \frac{\partial J}{\partial \theta}, \qquad
\pi \, \frac{\partial \log \pi}{\partial \theta} = \frac{\partial \pi}{\partial \theta}""",
    (left_19_1, right_19_1, mistaken_19_1),
    sizes=("gradient", "score"),
    within=DIFFERENCES,
)


def left_19_2(R):
    """differences of J"""
    return R.slope_of_return


def right_19_2(R):
    """exact critic, d pi by differences"""
    return R.over_visits(R.over_actions(product(critic(R, best_weights(R)), R.slope_of_log)))


def mistaken_19_2(R):
    """rho normalised"""
    return R.over_visits(R.over_actions(product(critic(R, best_weights(R)), R.score))) / R.mass


formula_19_2 = stated(
    "19.2",
    "hence the critic may stand for Q",
    r"""\frac{\partial J}{\partial \theta} = \int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q(s, a; w) \, da \, ds \quad \text{(17.3)}""",
    (left_19_2, right_19_2, mistaken_19_2),
    within=DIFFERENCES,
)


def left_20_1(R):
    """exact mean of the estimator"""
    return ActionValues(compatible_values(R.policy, best_weights(R))).expectation(R.mdp, R.policy)


def right_20_1(R):
    """differences of J"""
    return R.slope_of_return


def mistaken_20_1(R):
    """score of the next action at the present state"""
    Q = critic(R, best_weights(R))

    def mistaken(s, a):
        following, weights = R.followers(s, a)
        action, share = R.actions(following)
        here = np.broadcast_to(s[..., None, None], action.shape)
        scores = R.score(here, action)
        return (weights[..., None] * (share[..., None] * scores).sum(-2)).sum(-2)

    return R.over_visits(R.over_actions(product(Q, mistaken)))


formula_20_1 = stated(
    "20.1",
    "the sampled gradient is unbiased",
    r"""E\Big[ \sum_t \gamma^t \,
\frac{\partial \log \pi(s_t, a_t; \theta)}{\partial \theta} \, Q(s_t, a_t; w) \Big]
= \frac{\partial J}{\partial \theta}""",
    (left_20_1, right_20_1, mistaken_20_1),
    kind="algorithm",
    within=DIFFERENCES,
)


def left_20_2(R):
    """exact mean of the estimator, poor V"""
    return Advantages(R.rooms.poor_advantages(best_weights(R))).expectation(R.mdp, R.policy)


def right_20_2(R):
    """differences of J"""
    return R.slope_of_return


def mistaken_20_2(R):
    """the next state's value taken off, which depends on the action"""
    Q, v = critic(R, best_weights(R)), R.over_next(R.rooms.poor_values)
    return R.over_visits(slope_here(R, lambda s, a: Q(s, a) - v(s, a)))


formula_20_2 = stated(
    "20.2",
    "with the advantage in place of Q it still is",
    r"""E\Big[ \sum_t \gamma^t \, \frac{\partial \log \pi(s_t, a_t; \theta)}{\partial \theta} \,
A(s_t, a_t; w, v) \Big] = \frac{\partial J}{\partial \theta}, \quad A(s, a; w, v) = Q(s, a; w) - V(s; v)""",
    (left_20_2, right_20_2, mistaken_20_2),
    kind="algorithm",
    within=DIFFERENCES,
)


def left_20_3(R):
    """the integral, d pi by differences"""
    return R.over_visits(
        R.over_actions(product(lambda s, a: R.rooms.poor_values(s) + 0.0 * a, R.slope_of_log))
    )


def right_20_3(R):
    """zero"""
    return np.zeros(len(R.policy.parameters))


def mistaken_20_3(R):
    """a baseline that depends on the action: V of the next state"""
    return R.over_visits(slope_here(R, R.over_next(R.rooms.poor_values)))


formula_20_3 = stated(
    "20.3",
    "a function of the state adds no bias",
    r"""\int_S \rho^\pi(s) \int_A
\frac{\partial \pi(s, a; \theta)}{\partial \theta} V(s; v) \, da \, ds
= \int_S \rho^\pi(s) V(s; v) \frac{\partial}{\partial \theta} \Big( \int_A \pi \, da \Big) ds = 0""",
    (left_20_3, right_20_3, mistaken_20_3),
    within=DIFFERENCES,
)


def left_21_1(R):
    """the critic in closed form"""
    return critic(R, best_weights(R))(*R.pairs)


def right_21_1(R):
    """a sum, score by differences"""
    return _sum_of_parts(R, R.slope_of_log)


def mistaken_21_1(R):
    """features less those of the first action, not centred"""
    return _sum_of_parts(R, off_centre(R))


formula_21_1 = stated(
    "21.1",
    "a critic that is linear in the score",
    r"""Q(s, a; w) = \sum_i \phi_i(s, a) \, w_i
= \sum_i \frac{\partial \log \pi(s, a; \theta)}{\partial \theta_i} \, w_i""",
    (left_21_1, right_21_1, mistaken_21_1),
    kind="definition",
    sizes=("return",),
    within=DIFFERENCES,
)


def left_21_2(R):
    """mean of the critic; its part along SC"""
    return _critic_and_advantage(R, critic(R, best_weights(R)))


def right_21_2(R):
    """differences; the advantage along SC"""
    return (
        _slope_of_one(R),
        R.over_time(slope_here(R, R.function(advantages(R.mdp, R.policy)))),
    )


def mistaken_21_2(R):
    """features less those of the first action, not centred"""
    return (R.over_actions(lambda s, a: off_centre(R)(s, a) @ best_weights(R))(R.states), None)


formula_21_2 = stated(
    "21.2",
    "it has mean zero, and so approximates the advantage",
    r"""\int_A \pi(s, a; \theta) \, Q(s, a; w) \, da
= \sum_i w_i \frac{\partial}{\partial \theta_i} \int_A \pi(s, a; \theta) \, da = 0""",
    (left_21_2, right_21_2, mistaken_21_2),
    sizes=("return", "gradient"),
    within=DIFFERENCES,
)
