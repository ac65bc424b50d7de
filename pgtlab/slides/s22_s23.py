"""Owns the formulas of S22 and S23: Fisher information, the natural gradient, and the algorithm for it."""

from __future__ import annotations

import numpy as np

from pgtlab.critics import LiteralUpdate
from pgtlab.exact.fisher import fisher_information, natural_policy_gradient
from pgtlab.exact.gradients import policy_gradient
from pgtlab.gallery import now_or_later
from pgtlab.slides.formula import DIFFERENCES, Formula, along
from pgtlab.slides.routes import product
from pgtlab.slides.s09_s15 import slope_here
from pgtlab.slides.s17_s21 import best_weights, off_centre


def expected_literal_update(R, w):
    """Return the mean of (SC_t.w - r_t - gamma SC_{t+1}.w) SC_t, over visits."""

    onward = R.over_next(R.tabulated(R.over_actions(lambda s, a: R.score(s, a) @ w)))

    def miss(s, a):
        return R.score(s, a) @ w - R.reward(s, a) - R.discount * onward(s, a)

    return R.over_visits(slope_here(R, miss))


def _at_rest(R):
    """Return the mean update at the exact fixed point, and what of that no update could have made."""
    w = LiteralUpdate().fixed_point(R.mdp, R.policy)
    return expected_literal_update(R, w), R.unseen @ w


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


def _ridge(R):
    """Return the natural gradient with a thousandth of its largest entry added to the Fisher information."""
    F = R.fisher
    ridge = max(1e-3 * np.abs(F).max(), np.finfo(float).tiny)
    return np.linalg.solve(F + ridge * np.eye(len(F)), R.slope_of_return)


FORMULAS = [
    Formula(
        id="22.1",
        slide="S22",
        title="the gradient with a compatible linear critic",
        kind="identity",
        statement=r"""\nabla_\theta J = \int_S \rho^\pi(s) \int_A \pi(s, a; \theta) \,
\mathrm{SC}(s, a; \theta) \, \mathrm{SC}(s, a; \theta)^\top w \, da \, ds""",
        left_route="differences of J",
        right_route="the integral, with exact w",
        left=along(lambda R: R.slope_of_return),
        right=along(lambda R: _times_own(R, R.score)),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="features less those of the first action, not centred",
        mistaken=along(lambda R: _times_own(R, off_centre(R))),
    ),
    Formula(
        id="22.2",
        slide="S22",
        title="as a mean over visits times w",
        kind="identity",
        statement=r"""\nabla_\theta J
= E_{s \sim \rho^\pi, a \sim \pi}
\big[ \mathrm{SC}(s, a; \theta) \, \mathrm{SC}(s, a; \theta)^\top \big] \cdot w""",
        left_route="the theorem, by linear solves",
        right_route="a matrix by a sum over time, times w",
        left=policy_gradient,
        right=along(lambda R: R.over_time(R.over_actions(R.outer)) @ best_weights(R)),
        sizes=("gradient",),
        mutation="the mean taken under normalised rho",
        mistaken=along(lambda R: R.fisher @ best_weights(R) / R.mass),
    ),
    Formula(
        id="22.3",
        slide="S22",
        title="that mean is the Fisher information",
        kind="identity",
        statement=r"""\nabla_\theta J = \mathrm{FIM}_{\rho^\pi}(\theta) \cdot w, \qquad
\mathrm{FIM} = E[\mathrm{SC} \, \mathrm{SC}^\top]
= -E\Big[ \frac{\partial^2 \log \pi}{\partial \theta^2} \Big]""",
        left_route="Fisher information by linear solves",
        right_route="differences of the score and of J",
        left=along(
            lambda R: (
                fisher_information(R.mdp, R.policy),
                fisher_information(R.mdp, R.policy) @ best_weights(R),
            )
        ),
        right=along(lambda R: (-R.over_visits(R.over_actions(R.slope_of_score)), R.slope_of_return)),
        sizes=("fisher", "gradient"),
        within=DIFFERENCES,
        mutation="features less those of the first action, not centred",
        mistaken=along(lambda R: (R.over_visits(R.over_actions(_outer(off_centre(R)))), None)),
    ),
    Formula(
        id="23.1",
        slide="S23",
        title="the natural gradient is defined by the Fisher information",
        kind="definition",
        statement=r"""\nabla_\theta J
= \mathrm{FIM}_{\rho^\pi}(\theta) \cdot \nabla^{\mathrm{nat}}_\theta J""",
        left_route="differences of J",
        right_route="both by linear solves",
        left=along(lambda R: R.slope_of_return),
        right=lambda mdp, policy: fisher_information(mdp, policy) @ natural_policy_gradient(mdp, policy),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="Fisher information normalised, the gradient not",
        mistaken=along(
            lambda R: fisher_information(R.mdp, R.policy) @ natural_policy_gradient(R.mdp, R.policy) / R.mass
        ),
    ),
    Formula(
        id="23.2",
        slide="S23",
        title="so the natural gradient is w",
        kind="identity",
        statement=r"\nabla^{\mathrm{nat}}_\theta J = w",
        left_route="from gradient and Fisher information",
        right_route="least squares on sums over time",
        left=natural_policy_gradient,
        right=along(lambda R: R.fit(R.Q)),
        sizes=("weights",),
        within=DIFFERENCES,
        mutation="a ridge added to the Fisher information",
        mistaken=along(_ridge),
    ),
    Formula(
        id="23.3",
        slide="S23",
        title="the critic's update, and where it comes to rest",
        kind="algorithm",
        statement=r"""w \leftarrow w - \alpha \, \gamma^t \big( \mathrm{SC}_t \cdot w - r_t
- \gamma \, \mathrm{SC}_{t+1} \cdot w \big) \mathrm{SC}_t""",
        left_route="mean update at the exact fixed point",
        right_route="zero",
        left=along(_at_rest),
        right=along(lambda R: (0.0 * best_weights(R), 0.0 * best_weights(R))),
        sizes=("gradient", "weights"),
        within=DIFFERENCES,
        mutation="taken to rest at the natural gradient",
        mistaken=along(
            lambda R: (-expected_literal_update(R, natural_policy_gradient(R.mdp, R.policy)), None)
        ),
        shows_on=now_or_later,
    ),
    Formula(
        id="23.4",
        slide="S23",
        title="theta moves along w, and J rises",
        kind="algorithm",
        statement=r"""\theta \leftarrow \theta + \alpha w, \qquad
\frac{d}{d\alpha} J(\theta + \alpha w) = w^\top \mathrm{FIM} \, w \ge 0""",
        left_route="differences of J along w",
        right_route="length of w by Fisher",
        left=along(lambda R: R.slope_along(_along_weights(R), lambda moved: moved.over_start(moved.V))),
        right=along(lambda R: _along_weights(R) @ fisher_information(R.mdp, R.policy) @ best_weights(R)),
        sizes=("gradient",),
        within=DIFFERENCES,
        mutation="w subtracted, like the critic's own update",
        mistaken=along(
            lambda R: _along_weights(R, -1.0) @ fisher_information(R.mdp, R.policy) @ best_weights(R)
        ),
    ),
]
