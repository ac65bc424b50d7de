"""Owns the formulas of S22 and S23: Fisher information, the natural gradient, and the algorithm for it."""

from __future__ import annotations

import numpy as np

from pgtlab.critics import LiteralUpdate
from pgtlab.exact.fisher import fisher_information, natural_policy_gradient
from pgtlab.exact.gradients import policy_gradient
from pgtlab.gallery import now_or_later
from pgtlab.slides.formula import DIFFERENCES, stated
from pgtlab.slides.routes import product
from pgtlab.slides.s09_s15 import slope_here
from pgtlab.slides.s17_s21 import best_weights, off_centre


def expected_literal_update(R, w):
    """Return the mean of (SC_t.w - r_t - gamma SC_{t+1}.w) SC_t, over visits."""

    onward = R.over_next(R.tabulated(R.over_actions(lambda s, a: R.score(s, a) @ w)))

    def miss(s, a):
        return R.score(s, a) @ w - R.reward(s, a) - R.discount * onward(s, a)

    return R.over_visits(slope_here(R, miss))


def _times_own(R, score):
    """Return the integral of (score) (score . w) under rho and pi."""
    w = best_weights(R)
    return R.over_visits(R.over_actions(product(lambda s, a: score(s, a) @ w, score)))


def _outer(score):
    return lambda s, a: score(s, a)[..., :, None] * score(s, a)[..., None, :]


def _along_weights(R, sign=1.0):
    """Return a step of the parameters along the weights, of length 1 at most."""
    w = best_weights(R)
    return sign * w / max(np.linalg.norm(w), np.finfo(float).tiny)


def left_22_1(R):
    """differences of J"""
    return R.slope_of_return


def right_22_1(R):
    """the integral, with exact w"""
    return _times_own(R, R.score)


def mistaken_22_1(R):
    """features less those of the first action, not centred"""
    return _times_own(R, off_centre(R))


formula_22_1 = stated(
    "22.1",
    "the gradient with a compatible linear critic",
    r"""\nabla_\theta J = \int_S \rho^\pi(s) \int_A \pi(s, a; \theta) \,
\mathrm{SC}(s, a; \theta) \, \mathrm{SC}(s, a; \theta)^\top w \, da \, ds""",
    (left_22_1, right_22_1, mistaken_22_1),
    within=DIFFERENCES,
)


def left_22_2(R):
    """the theorem, by linear solves"""
    return policy_gradient(R.mdp, R.policy)


def right_22_2(R):
    """a matrix by a sum over time, times w"""
    return R.over_time(R.over_actions(R.outer)) @ best_weights(R)


def mistaken_22_2(R):
    """the mean taken under normalised rho"""
    return R.fisher @ best_weights(R) / R.mass


formula_22_2 = stated(
    "22.2",
    "as a mean over visits times w",
    r"""\nabla_\theta J
= E_{s \sim \rho^\pi, a \sim \pi}
\big[ \mathrm{SC}(s, a; \theta) \, \mathrm{SC}(s, a; \theta)^\top \big] \cdot w""",
    (left_22_2, right_22_2, mistaken_22_2),
)


def left_22_3(R):
    """Fisher information by linear solves"""
    return (
        fisher_information(R.mdp, R.policy),
        fisher_information(R.mdp, R.policy) @ best_weights(R),
    )


def right_22_3(R):
    """differences of the score and of J"""
    return (-R.over_visits(R.over_actions(R.slope_of_score)), R.slope_of_return)


def mistaken_22_3(R):
    """features less those of the first action, not centred"""
    return (R.over_visits(R.over_actions(_outer(off_centre(R)))), None)


formula_22_3 = stated(
    "22.3",
    "that mean is the Fisher information",
    r"""\nabla_\theta J = \mathrm{FIM}_{\rho^\pi}(\theta) \cdot w, \qquad
\mathrm{FIM} = E[\mathrm{SC} \, \mathrm{SC}^\top]
= -E\Big[ \frac{\partial^2 \log \pi}{\partial \theta^2} \Big]""",
    (left_22_3, right_22_3, mistaken_22_3),
    sizes=("fisher", "gradient"),
    within=DIFFERENCES,
)


def left_23_1(R):
    """differences of J"""
    return R.slope_of_return


def right_23_1(R):
    """both by linear solves"""
    return fisher_information(R.mdp, R.policy) @ natural_policy_gradient(R.mdp, R.policy)


def mistaken_23_1(R):
    """Fisher information normalised, the gradient not"""
    return fisher_information(R.mdp, R.policy) @ natural_policy_gradient(R.mdp, R.policy) / R.mass


formula_23_1 = stated(
    "23.1",
    "the natural gradient is defined by the Fisher information",
    r"""\nabla_\theta J
= \mathrm{FIM}_{\rho^\pi}(\theta) \cdot \nabla^{\mathrm{nat}}_\theta J""",
    (left_23_1, right_23_1, mistaken_23_1),
    kind="definition",
    within=DIFFERENCES,
)


def left_23_2(R):
    """from gradient and Fisher information"""
    return natural_policy_gradient(R.mdp, R.policy)


def right_23_2(R):
    """least squares on sums over time"""
    return R.fit(R.Q)


def mistaken_23_2(R):
    """a ridge added to the Fisher information"""
    F = R.fisher
    ridge = max(1e-3 * np.abs(F).max(), np.finfo(float).tiny)
    return np.linalg.solve(F + ridge * np.eye(len(F)), R.slope_of_return)


formula_23_2 = stated(
    "23.2",
    "so the natural gradient is w",
    r"\nabla^{\mathrm{nat}}_\theta J = w",
    (left_23_2, right_23_2, mistaken_23_2),
    sizes=("weights",),
    within=DIFFERENCES,
)


def left_23_3(R):
    """mean update at the exact fixed point"""
    w = LiteralUpdate().fixed_point(R.mdp, R.policy)
    return expected_literal_update(R, w), R.unseen @ w


def right_23_3(R):
    """zero"""
    return (0.0 * best_weights(R), 0.0 * best_weights(R))


def mistaken_23_3(R):
    """taken to rest at the natural gradient"""
    return (-expected_literal_update(R, natural_policy_gradient(R.mdp, R.policy)), None)


formula_23_3 = stated(
    "23.3",
    "the critic's update, and where it comes to rest",
    r"""w \leftarrow w - \alpha \, \gamma^t \big( \mathrm{SC}_t \cdot w - r_t
- \gamma \, \mathrm{SC}_{t+1} \cdot w \big) \mathrm{SC}_t""",
    (left_23_3, right_23_3, mistaken_23_3),
    kind="algorithm",
    sizes=("gradient", "weights"),
    within=DIFFERENCES,
    shows_on=now_or_later,
)


def left_23_4(R):
    """differences of J along w"""
    return R.slope_along(_along_weights(R), lambda moved: moved.over_start(moved.V))


def right_23_4(R):
    """length of w by Fisher"""
    return _along_weights(R) @ fisher_information(R.mdp, R.policy) @ best_weights(R)


def mistaken_23_4(R):
    """w subtracted, like the critic's own update"""
    return _along_weights(R, -1.0) @ fisher_information(R.mdp, R.policy) @ best_weights(R)


formula_23_4 = stated(
    "23.4",
    "theta moves along w, and J rises",
    r"""\theta \leftarrow \theta + \alpha w, \qquad
\frac{d}{d\alpha} J(\theta + \alpha w) = w^\top \mathrm{FIM} \, w \ge 0""",
    (left_23_4, right_23_4, mistaken_23_4),
    kind="algorithm",
    within=DIFFERENCES,
)
