"""Owns the formulas L.11 to L.18 of the chapter on language models: distances, ratios, and the audit."""

from __future__ import annotations

import numpy as np

from pgtlab.exact.visits import state_visitation
from pgtlab.language import GroupUpdate, KLUpdate, answer_probs, audit, leave_one_out, standardised
from pgtlab.language.updates import ESTIMATORS
from pgtlab.slides.formula import DIFFERENCES, unless
from pgtlab.slides.l01_l10 import on_a_tree, slope_with_frozen_baseline
from pgtlab.slides.tree_routes import chi2, kl, kl_back

#: Share of its size below which a gradient counts as 0.
_FLAT = 1e-7


def _divergence(R, of):
    """Return the mean over questions of a divergence from the reference."""
    return R.tree.weights @ of(R.P, R.reference.P).sum(-1)


def _mean_of(R, k):
    """Return the mean of an estimator of the package, under its answers' probabilities."""
    return R.tree.weights @ (answer_probs(R.tree, R.policy) * ESTIMATORS[k][0](R.answer_l)).sum(-1)


def _downhill(R, *update, **options):
    """Return the direction in which a distance grows on average: minus the mean step."""
    which = {"old": options.pop("old")} if "old" in options else {}
    return -R.rooms.step(KLUpdate(*update, **options), **which)


def _by_prefixes(R):
    """Return KL(policy | reference) as the sum over prefixes of visits times the KL of the next token."""
    probs, other = R.policy.probs(), R.reference.policy.probs()
    return state_visitation(R.tree.to_mdp(), R.policy) @ kl(probs, other).sum(-1)


def left_L_11(R):
    """means of the estimators over answers; least k_3"""
    least = float(ESTIMATORS["k3"][0](R.answer_l).min())
    return _mean_of(R, "k1"), _mean_of(R, "k3"), _mean_of(R, "k2"), min(least, 0.0)


def right_L_11(R):
    """visits times KL of the next token; sums; zero"""
    return _by_prefixes(R), _by_prefixes(R), R.mean(R.answer_l**2) / 2, 0.0


def mistaken_L_11(R):
    """the divergence the other way"""
    back = _divergence(R, kl_back)
    return back, back, None, None


formula_L_11 = on_a_tree(
    "L.11",
    "three estimators of a divergence",
    r"""k_1 = l, \quad k_2 = \tfrac12 l^2, \quad k_3 = e^{-l} - 1 + l \ge 0, \qquad
\mathbb E \, k_1 = \mathbb E \, k_3 = \mathrm{KL}(\pi \mid \pi_{\text{ref}})
= \sum_s \rho^\pi(s) \, \mathrm{KL}_s""",
    (left_L_11, right_L_11, mistaken_L_11),
    kind="definition",
    sizes=("one", "one", "one", "one"),
)


def left_L_12(R):
    """exact means of the three as losses"""
    return tuple(_downhill(R, k) for k in ("k1", "k2", "k3"))


def right_L_12(R):
    """zero, and differences of both divergences"""
    there = R.slope_of(kl)
    return 0 * there, there, R.slope_of(kl_back)


def mistaken_L_12(R):
    """taken for the gradient of their mean"""
    return (R.slope_of(kl),) * 3


formula_L_12 = on_a_tree(
    "L.12",
    "what an estimator of the divergence pulls to, as a loss",
    r"""\mathbb E \, \nabla k_1 = 0, \quad
\mathbb E \, \nabla k_2 = \nabla \mathrm{KL}(\pi \mid \pi_{\text{ref}}), \quad
\mathbb E \, \nabla k_3 = \nabla \mathrm{KL}(\pi_{\text{ref}} \mid \pi)""",
    (left_L_12, right_L_12, mistaken_L_12),
    sizes=("distance", "distance", "distance"),
    within=DIFFERENCES,
)


def left_L_13(R):
    """exact means of two of them in the reward"""
    return tuple(_downhill(R, k, where="reward") for k in ("k1", "k3"))


def right_L_13(R):
    """differences of both divergences"""
    there, back = R.slope_of(kl), R.slope_of(kl_back)
    return there, there - back


def mistaken_L_13(R):
    """one unbiased number thought as good as another"""
    return None, R.slope_of(kl)


formula_L_13 = on_a_tree(
    "L.13",
    "what an estimator of the divergence pulls to, in the reward",
    r"""\mathbb E [k_1 S] = \nabla \mathrm{KL}(\pi \mid \pi_{\text{ref}}), \quad
\mathbb E [k_3 S] = \nabla \mathrm{KL}(\pi \mid \pi_{\text{ref}})
- \nabla \mathrm{KL}(\pi_{\text{ref}} \mid \pi)""",
    (left_L_13, right_L_13, mistaken_L_13),
    sizes=("distance", "distance"),
    within=DIFFERENCES,
)


def left_L_14(R):
    """exact means over answers of an old policy"""
    return tuple(
        _downhill(R, "k3", ratio="answer", detached=detached, old=R.old.policy) for detached in (False, True)
    )


def right_L_14(R):
    """differences of both divergences"""
    return R.slope_of(kl), R.slope_of(kl_back)


def mistaken_L_14(R):
    """differentiated through the ratio or not, all the same"""
    return None, R.slope_of(kl)


formula_L_14 = on_a_tree(
    "L.14",
    "the ratio of whole answers mends k3, if it is differentiated",
    r"""u = \frac{P}{P_{\text{old}}}, \qquad
\mathbb E_{\text{old}} \, \nabla (u \, k_3) = \nabla \mathrm{KL}(\pi \mid \pi_{\text{ref}}), \qquad
\mathbb E_{\text{old}} \, u \, \nabla k_3 = \nabla \mathrm{KL}(\pi_{\text{ref}} \mid \pi)""",
    (left_L_14, right_L_14, mistaken_L_14),
    sizes=("distance", "distance"),
    within=DIFFERENCES,
)


def left_L_15(R):
    """exact means, token by token"""
    return _downhill(R, "k1", "token", "reward"), _downhill(R, "k2", "token")


def _with_visits_held(R):
    """Return the derivative of the sum of visits times KL of the next token, with the visits held fixed."""
    visits, other = state_visitation(R.tree.to_mdp(), R.policy), R.reference.policy.probs()
    return R.slope(lambda moved: visits @ kl(moved.policy.probs(), other).sum(-1))


def right_L_15(R):
    """differences; the visits free and held fixed"""
    return R.slope_of(kl), _with_visits_held(R)


def mistaken_L_15(R):
    """visits that move taken for visits held fixed"""
    return None, R.slope_of(kl)


formula_L_15 = on_a_tree(
    "L.15",
    "token by token the visits are held fixed",
    r"""\mathbb E \Big[ \sum_t \Big( \sum_{u \ge t} l_u \Big) S_t \Big]
= \nabla \mathrm{KL}(\pi \mid \pi_{\text{ref}}), \qquad
\mathbb E \Big[ \sum_t l_t \, S_t \Big] = \sum_s \rho^\pi(s) \, \nabla \mathrm{KL}_s""",
    (left_L_15, right_L_15, mistaken_L_15),
    sizes=("distance", "distance"),
    within=DIFFERENCES,
)


def left_L_16(R):
    """all groups of three, with the ratio of whole answers"""
    return R.rooms.step(GroupUpdate(leave_one_out, ratio="answer"), 3)


def right_L_16(R):
    """differences, the baseline held fixed"""
    return slope_with_frozen_baseline(R)


def mistaken_L_16(R):
    """the root of the ratio forgotten"""
    return R.slope_of_reward


formula_L_16 = on_a_tree(
    "L.16",
    "the ratio of whole answers brings one over the length back",
    r"""u_i = \Big( \frac{P(y_i)}{P_{\text{old}}(y_i)} \Big)^{1 / |y_i|}, \qquad
\mathbb E \Big[ \frac1G \sum_i A_i \, \nabla u_i \Big]_{\text{old} = \pi}
= \sum_y P(y) \, \frac{r(y) - J}{|y|} \, S(y)""",
    (left_L_16, right_L_16, mistaken_L_16),
    kind="algorithm",
    within=DIFFERENCES,
)


def left_L_17(R):
    """means of the estimator over answers, and as a loss"""
    return _mean_of(R, "k3 upside down"), _downhill(R, "k3 upside down")


def right_L_17(R):
    """sums; differences of half of chi2"""
    return _divergence(R, chi2) - _divergence(R, kl), R.slope_of(chi2) / 2


def mistaken_L_17(R):
    """taken for k_3"""
    return _divergence(R, kl), R.slope_of(kl_back)


formula_L_17 = on_a_tree(
    "L.17",
    "k3 with the ratio upside down",
    r"""\mathbb E \big[ e^l - 1 - l \big]
= \chi^2(\pi \mid \pi_{\text{ref}}) - \mathrm{KL}(\pi \mid \pi_{\text{ref}}), \qquad
\mathbb E \, \nabla \big( e^l - 1 - l \big) = \tfrac12 \nabla \chi^2(\pi \mid \pi_{\text{ref}})""",
    (left_L_17, right_L_17, mistaken_L_17),
    sizes=("one", "distance"),
    within=DIFFERENCES,
)


def _climbable(R):
    if np.linalg.norm(R.slope_of_reward) <= _FLAT * R.mean(np.abs(R.rewards)):
        return "no parameter changes the mean reward; expected a gradient that is not 0"
    return ""


def _grpo_of_two(R):
    """Return the mean step of GRPO from two answers: the sign of r - r', over the length, times the score."""
    better = np.sign(R.rewards[:, :, None] - R.rewards[:, None, :])
    return R.over_scores(np.einsum("qm,qnm->qn", R.P, better) / R.lengths)


def left_L_18(R):
    """both slopes, as the audit of GRPO tells them"""
    found = audit(GroupUpdate(standardised, "answer"), tree=R.tree, group_size=2, policies=[R.policy])
    return np.array(found.slopes)


def _lengths_and_half_angle(R):
    g, d = R.slope_of_reward, _grpo_of_two(R)
    a, b = np.linalg.norm(g), np.linalg.norm(d)
    return a, b, np.linalg.norm(g / a - d / b) / 2


def right_L_18(R):
    """lengths times the sine of half the angle"""
    a, b, sine = _lengths_and_half_angle(R)
    return np.array([a, -b]) * sine


def mistaken_L_18(R):
    """lengths times the cosine of the angle: a cosine near 1 thought to protect"""
    a, b, sine = _lengths_and_half_angle(R)
    return np.array([a, b]) * (1 - 2 * sine**2)


formula_L_18 = on_a_tree(
    "L.18",
    "a step that is not parallel to the gradient goes the wrong way along some knob",
    r"""v = \frac{g}{|g|} - \frac{d}{|d|}, \qquad
g \cdot \frac{v}{|v|} = |g| \sin \frac{\varphi}{2}, \qquad
d \cdot \frac{v}{|v|} = -|d| \sin \frac{\varphi}{2}, \qquad
\cos \varphi = \frac{g \cdot d}{|g| \, |d|}""",
    (left_L_18, right_L_18, mistaken_L_18),
    kind="algorithm",
    sizes=("push",),
    within=DIFFERENCES,
    obstacle=unless(_climbable),
)
