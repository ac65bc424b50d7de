"""Owns the formulas L.1 to L.10 of the chapter on language models: answers, groups of them, and divisors."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from pgtlab.exact.gradients import policy_gradient
from pgtlab.exact.visits import state_visitation
from pgtlab.language import (
    GroupUpdate,
    answer_gradient,
    answer_probs,
    difficulty_weight,
    group_mean,
    leave_one_out,
    standardised,
)
from pgtlab.slides.formula import DIFFERENCES, stated, unless
from pgtlab.slides.specimen import spoken

#: A formula of this chapter is put to token trees, and its mistake shows on one.
on_a_tree = partial(stated, about="token tree", slide="chapter 6", shows_on=spoken)

#: Answers in a group, where more than one number is tried.
_SIZES = (2, 3)

#: And where nothing but the weight of a question is asked for.
_LARGE = (2, 3, 4, 8, 64)


def weight_by_counts(p, G):
    """Return c_G(p) as its definition has it: the mean of the standard deviation, over p (1 - p)."""
    k = np.arange(G + 1)
    ways = np.array([float(math.comb(G, j)) for j in k])
    chance = ways * p[:, None] ** k * (1 - p[:, None]) ** (G - k)
    return chance @ np.sqrt(k / G * (1 - k / G)) / (p * (1 - p))


def _right_or_wrong(R):
    if not np.isin(R.rewards, (0.0, 1.0)).all():
        return "rewards are not 0 and 1; expected those, or there is no pass rate"
    if (R.rewards.max(-1) == R.rewards.min(-1)).any():
        return "all answers to a question are worth the same; expected right ones and wrong ones"
    return ""


def _by_question(R, weight):
    """Return the mean over questions of a weight (Q,) times the derivative of the pass rate."""
    return (R.tree.weights * weight) @ R.slope_of_passed


def left_L_1(R):
    """tables of the package; visits by a linear solve"""
    return answer_probs(R.tree, R.policy), state_visitation(R.tree.to_mdp(), R.policy)


def _heard(R, P):
    """Return how often each prefix is said: the probability of the answers that begin with it."""
    begins = [[a[: len(s)] == s and len(a) > len(s) for a in R.tree.answers] for s in R.tree.prefixes]
    return (R.tree.weights[:, None] * (P @ np.array(begins, float).T)).ravel()


def right_L_1(R):
    """product along each answer; sums of those"""
    return R.P, _heard(R, R.P)


def mistaken_L_1(R):
    """the token that ends an answer left out of the product"""
    last = R.lengths - 1
    short = np.exp(R.log_tokens.sum(-1) - R.log_tokens[:, np.arange(len(last)), last])
    return short, None


formula_L_1 = on_a_tree(
    "L.1",
    "a language model is a policy on a tree",
    r"""P(y) = \prod_{t=1}^{|y|} \pi(y_t \mid y_{<t}; \theta), \qquad
\rho^\pi(s) = \sum_{y \text{ begins with } s} P(y)""",
    (left_L_1, right_L_1, mistaken_L_1),
    kind="definition",
    sizes=("one", "one"),
)


def left_L_2(R):
    """differences of J; the theorem on the tree"""
    return R.slope_of_reward, policy_gradient(R.tree.to_mdp(), R.policy)


def right_L_2(R):
    """sum over answers; by scores and by differences"""
    return answer_gradient(R.tree, R.policy), R.over_scores(R.rewards)


def mistaken_L_2(R):
    """the score of the first token only"""
    return R.mean(R.rewards[..., None] * R.token_scores[:, :, 0]), None


formula_L_2 = on_a_tree(
    "L.2",
    "the gradient of a model's expected reward",
    r"\frac{\partial}{\partial \theta} \sum_y P(y) \, r(y) = \mathbb E \big[ r(y) \, S(y) \big]",
    (left_L_2, right_L_2, mistaken_L_2),
    sizes=("gradient", "gradient"),
    within=DIFFERENCES,
)


def _from_groups(R, advantage, **options):
    """Return the exact mean of an update from groups of two and of three."""
    return np.array([R.rooms.step(GroupUpdate(advantage, **options), G) for G in _SIZES])


def left_L_3(R):
    """all groups of two and of three, weighed"""
    return _from_groups(R, leave_one_out)


def right_L_3(R):
    """differences of the mean reward"""
    return np.array([R.slope_of_reward for _ in _SIZES])


def mistaken_L_3(R):
    """the answer's own reward kept in the baseline"""
    return np.array([(1 - 1 / G) * R.slope_of_reward for G in _SIZES])


formula_L_3 = on_a_tree(
    "L.3",
    "leave-one-out is unbiased",
    r"""\mathbb E \Big[ \frac1G \sum_{i=1}^G A_i \, S(y_i) \Big] = \frac{\partial J}{\partial \theta}, \qquad
A_i = r_i - \frac{1}{G-1} \sum_{j \ne i} r_j""",
    (left_L_3, right_L_3, mistaken_L_3),
    kind="algorithm",
    within=DIFFERENCES,
)


def left_L_4(R):
    """all groups of two and of three, weighed"""
    return _from_groups(R, group_mean)


def right_L_4(R):
    """differences of the mean reward, times (G - 1) / G"""
    return np.array([(G - 1) / G * R.slope_of_reward for G in _SIZES])


def mistaken_L_4(R):
    """taken for unbiased"""
    return np.array([R.slope_of_reward for _ in _SIZES])


formula_L_4 = on_a_tree(
    "L.4",
    "the mean of the group is short by 1/G",
    r"""\mathbb E \Big[ \frac1G \sum_i (r_i - \bar r) \, S(y_i) \Big]
= \frac{G-1}{G} \, \frac{\partial J}{\partial \theta}""",
    (left_L_4, right_L_4, mistaken_L_4),
    kind="algorithm",
    within=DIFFERENCES,
)


def left_L_5(R):
    """all groups of four, weighed"""
    return R.rooms.step(GroupUpdate(standardised), 4)


def right_L_5(R):
    """c_4 by counts, times differences of pass rates"""
    return _by_question(R, weight_by_counts(R.passed, 4))


def mistaken_L_5(R):
    """the weight of large groups, 1 / sqrt(p (1 - p))"""
    return _by_question(R, (R.passed * (1 - R.passed)) ** -0.5)


formula_L_5 = on_a_tree(
    "L.5",
    "what dividing by the standard deviation does",
    r"""\mathbb E \Big[ \frac1G \sum_i \frac{r_i - \bar r}{\mathrm{std}} \, S(y_i) \Big]
= c_G(p) \, \frac{\partial p}{\partial \theta}, \qquad
c_G(p) = \frac{1}{p (1 - p)} \sum_{k=0}^{G} \binom Gk p^k (1 - p)^{G-k}
\sqrt{\tfrac kG \big( 1 - \tfrac kG \big)}""",
    (left_L_5, right_L_5, mistaken_L_5),
    kind="algorithm",
    sizes=("push",),
    within=DIFFERENCES,
    obstacle=unless(_right_or_wrong),
)


def _first_three(p):
    """Return c_2, c_3 and c_4 in closed form, (3, Q)."""
    return np.array([1 + 0 * p, math.sqrt(2) + 0 * p, math.sqrt(3) - (2 * math.sqrt(3) - 3) * p * (1 - p)])


def left_L_6(R):
    """sums over counts; all groups of two and three"""
    return np.array([difficulty_weight(R.passed, G) for G in (2, 3, 4)]), _from_groups(R, standardised)


def right_L_6(R):
    """closed forms; differences of the mean reward"""
    return _first_three(R.passed), np.array([math.sqrt(G - 1) * R.slope_of_reward for G in _SIZES])


def mistaken_L_6(R):
    """harder questions thought to weigh more, in groups of any size"""
    weight = (R.passed * (1 - R.passed)) ** -0.5
    return np.array([weight] * 3), np.array([_by_question(R, weight)] * len(_SIZES))


formula_L_6 = on_a_tree(
    "L.6",
    "two or three answers do not tell hard questions from easy ones",
    r"""c_2(p) = 1, \quad c_3(p) = \sqrt 2, \quad
c_4(p) = \sqrt 3 - (2 \sqrt 3 - 3) \, p (1 - p)""",
    (left_L_6, right_L_6, mistaken_L_6),
    sizes=("one", "push"),
    within=DIFFERENCES,
    obstacle=unless(_right_or_wrong),
)


def left_L_7(R):
    """c_G by the formula that holds at the ends too"""
    c = np.array([difficulty_weight(R.passed, G) for G in _LARGE])
    spread = np.sqrt(R.passed * (1 - R.passed))
    # 1 - (1 + 1/(p (1 - p))) / (2 G) <= c_G sqrt(p (1 - p)) <= 1
    least = 1 - (1 + spread**-2) / (2 * np.array(_LARGE)[:, None])
    return c, c * spread, least


def right_L_7(R):
    """the bounds; c_G by counts"""
    spread = np.sqrt(R.passed * (1 - R.passed))
    ones = np.ones((len(_LARGE), len(R.passed)))
    by_counts = np.array([weight_by_counts(R.passed, G) for G in _LARGE])
    return np.sqrt(np.array(_LARGE) - 1.0)[:, None] * ones, ones, by_counts * spread


def mistaken_L_7(R):
    """the weight at p = 1/2 taken for the largest"""
    half = np.array([weight_by_counts(np.array([0.5]), G) for G in _LARGE])
    return half * np.ones(len(R.passed)), None, None


formula_L_7 = on_a_tree(
    "L.7",
    "the weight of a question is bounded, and its limit is that of the arcsine",
    r"""c_G(p) \le \sqrt{G - 1}, \qquad
1 - \frac{1 + 1 / p (1 - p)}{2 G} \le c_G(p) \sqrt{p (1 - p)} \le 1, \qquad
\frac{d}{dp} \, 2 \arcsin \sqrt p = \frac{1}{\sqrt{p (1 - p)}}""",
    (left_L_7, right_L_7, mistaken_L_7),
    kind="bound",
    sizes=("one", "one", "one"),
    obstacle=unless(_right_or_wrong),
)


def left_L_8(R):
    """all groups that are kept, weighed"""
    again = [R.rooms.step(GroupUpdate(standardised, filtered=True), G, again="answers") for G in (2, 4)]
    return (*again, R.rooms.step(GroupUpdate(standardised, filtered=True), 2, again="question"))


def _kept(R, G):
    """Return the chance that a group has right answers and wrong ones, (Q,)."""
    return 1 - R.passed**G - (1 - R.passed) ** G


def right_L_8(R):
    """differences of log-odds; c_G by counts over the share kept"""
    log_odds = R.slope(lambda moved: R.tree.weights @ np.log(moved.passed / (1 - moved.passed)))
    once_more = _by_question(R, weight_by_counts(R.passed, 4) / _kept(R, 4))
    return log_odds / 2, once_more, R.slope_of_reward / (R.tree.weights @ _kept(R, 2))


def mistaken_L_8(R):
    """nothing made of the groups that are dropped"""
    return R.slope_of_reward, _by_question(R, weight_by_counts(R.passed, 4)), R.slope_of_reward


formula_L_8 = on_a_tree(
    "L.8",
    "groups without a spread dropped, and others drawn",
    r"""\mathbb E \big[ \text{step} \mid \text{answers drawn again} \big]
= \frac{c_G(p)}{1 - p^G - (1 - p)^G} \, \frac{\partial p}{\partial \theta}, \qquad
\frac{c_2(p)}{1 - p^2 - (1 - p)^2} \, \frac{\partial p}{\partial \theta}
= \frac12 \frac{\partial}{\partial \theta} \log \frac{p}{1 - p}""",
    (left_L_8, right_L_8, mistaken_L_8),
    kind="algorithm",
    sizes=("push", "push", "push"),
    within=DIFFERENCES,
    obstacle=unless(_right_or_wrong),
)


def slope_with_frozen_baseline(R):
    """Return the derivative of E[(r - b) / |y|] with b held fixed at the mean reward of each question."""
    worth = (R.rewards - R.passed[:, None]) / R.lengths
    return R.slope(lambda moved: moved.mean(worth))


def left_L_9(R):
    """all groups of two and of three, weighed"""
    return _from_groups(R, leave_one_out, average="answer")


def right_L_9(R):
    """differences, the baseline held fixed"""
    return np.array([slope_with_frozen_baseline(R) for _ in _SIZES])


def mistaken_L_9(R):
    """the baseline thought to drop out"""
    return np.array([R.slope(lambda moved: moved.mean(R.rewards / R.lengths)) for _ in _SIZES])


formula_L_9 = on_a_tree(
    "L.9",
    "one over the length freezes the baseline inside",
    r"""\mathbb E \Big[ \frac1G \sum_i \frac{A_i}{|y_i|} S(y_i) \Big]
= \sum_y P(y) \, \frac{r(y) - J}{|y|} \, S(y)
= \frac{\partial}{\partial \theta} \, \mathbb E \Big[ \frac{r - b}{|y|} \Big]_{b = J \text{ held fixed}}""",
    (left_L_9, right_L_9, mistaken_L_9),
    kind="algorithm",
    within=DIFFERENCES,
)


def left_L_10(R):
    """all groups of two, weighed"""
    return tuple(R.rooms.step(GroupUpdate(leave_one_out, each), 2) for each in ("constant", "token"))


def _pairs(R, share):
    """Return the mean over pairs y, y' of (r - r') S(y) times a share (N, N)."""
    off = (R.rewards[:, :, None] - R.rewards[:, None, :]) * share
    return R.over_scores(np.einsum("qm,qnm->qn", R.P, off))


def right_L_10(R):
    """differences over the most tokens; sums over pairs"""
    n = R.lengths
    return R.slope_of_reward / R.tree.length, _pairs(R, 2 / (n[:, None] + n))


def mistaken_L_10(R):
    """an answer's own length for that of the group"""
    return None, _pairs(R, 1 / R.lengths[:, None])


formula_L_10 = on_a_tree(
    "L.10",
    "divided by a constant, or by all tokens of the group",
    r"""\mathbb E \Big[ \frac{1}{G L} \sum_i A_i S(y_i) \Big] = \frac1L \frac{\partial J}{\partial \theta},
\qquad \mathbb E \Big[ \frac{A_1 S(y_1) + A_2 S(y_2)}{|y_1| + |y_2|} \Big]
= \sum_{y, y'} P(y) P(y') \, \frac{2 (r - r') \, S(y)}{|y| + |y'|}""",
    (left_L_10, right_L_10, mistaken_L_10),
    kind="algorithm",
    sizes=("gradient", "gradient"),
    within=DIFFERENCES,
)
