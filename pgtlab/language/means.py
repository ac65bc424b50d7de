"""Owns the mean of an update: over all groups that could be drawn, and estimated from some that were."""

from __future__ import annotations

import itertools
import math

import numpy as np

from pgtlab import _validate
from pgtlab.estimators import Estimate
from pgtlab.language.tree import checked, push, token_log_probs
from pgtlab.language.updates import Update

#: Groups that are weighed at a time.
_AT_ONCE = 2**15

#: Groups that are enumerated at all.
_MOST_GROUPS = 2**21

#: Groups on which it is seen whether the order of the answers matters.
_PROBES = 4

#: Batches of groups, between which the standard error is measured.
_BATCHES = 256


def mean_update(tree, policy, update, *, group_size=2, old=None, reference=None, again="question"):
    r"""Exact mean of an update, over every group of G answers that could be drawn.

    .. math:: \sum_q w_q \, \mathbb E \Big[ \sum_{i,t} W_{i,t} \, S_{i,t} \;\Big|\; y_1, \dots, y_G
        \sim \pi_{\text{old}}(\cdot \mid q) \Big]

    Parameters
    ----------
    tree : TokenTree
    policy : FinitePolicy
        The policy that learns, whose scores are taken.
    update : Update
        W, such as `GroupUpdate`.
    group_size : int
        G, at least 1.
    old : FinitePolicy, optional
        The policy that answers; `policy` itself if it is left out.
    reference : FinitePolicy, optional
        The reference; `policy` itself if it is left out.
    again : str
        What is drawn when the update does not keep a group: another ``"question"``, as programs do, or other
        answers to the same question, ``"answers"``.

    Returns
    -------
    ndarray, shape (K,)
        The direction in which the parameters are moved on average, per unit of step size.

    Raises
    ------
    ValueError
        If a policy does not fit the tree, there are too many groups to enumerate, no group is ever kept, or
        the update returns the wrong shape or a number that is not finite.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact but for rounding. Where the order of the answers does not matter, which is tried out, each
    multiset of G answers is weighed once, with its multinomial probability: 46,376 for 31 answers and G =
    4, where there are 923,521 groups in order.

    References
    ----------
    L.3 to L.18 of the book.

    Examples
    --------
    The group mean has (G - 1)/G times the gradient as its mean, here 2/3 of it (L.4).

    >>> from pgtlab import SoftmaxPolicy
    >>> from pgtlab.language import GroupUpdate, TokenTree, answer_gradient, group_mean
    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> coin = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    >>> found = mean_update(tree, coin, GroupUpdate(group_mean), group_size=3)
    >>> found / answer_gradient(tree, coin)[0]
    array([ 0.66666667, -0.66666667,  0.        ,  0.        ])
    """
    weights, kept = mean_weights(tree, policy, update, group_size=group_size, old=old, reference=reference)
    if again == "question":
        # The law of a question and its group, given that the group is kept.
        return push(tree, policy, tree.weights[:, None, None] * weights) / _some(tree.weights @ kept)
    if again != "answers":
        raise ValueError(f"again is {again!r}; expected 'question' or 'answers'")
    share = tree.weights / _some(kept)
    return push(tree, policy, share[:, None, None] * weights)


def _some(kept):
    if np.any(kept == 0):
        raise ValueError("no group is ever kept; expected rewards that differ with positive probability")
    return kept


def mean_weights(tree, policy, update, *, group_size=2, old=None, reference=None):
    r"""Exact mean of what multiplies the score of each token of each answer.

    Parameters
    ----------
    tree : TokenTree
    policy : FinitePolicy
    update : Update
    group_size : int
    old, reference : FinitePolicy, optional
        As for `mean_update`.

    Returns
    -------
    weights : ndarray, shape (Q, N, L)
        Summed over the groups that are kept. The update's mean is the sum of these times the scores.
    kept : ndarray, shape (Q,)
        The probability that a group is kept.

    Raises
    ------
    ValueError, TypeError
        As for `mean_update`.

    Examples
    --------
    REINFORCE weighs each token by the probability of its answer times the reward.

    >>> from pgtlab import SoftmaxPolicy
    >>> from pgtlab.language import GroupUpdate, TokenTree, raw
    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> coin = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    >>> mean_weights(tree, coin, GroupUpdate(raw))[0]
    array([[[0.25, 0.25],
            [0.25, 0.25],
            [0.  , 0.  ]]])
    """
    G, law = _law(tree, policy, update, group_size, old, reference)
    Q, N, L = tree.n_questions, tree.n_answers, tree.length
    weights, kept, cells = np.zeros((Q, N * L)), np.zeros(Q), np.arange(L)
    for q in range(Q):
        seen = [each[q] for each in law]
        probs = np.exp(seen[1].sum(-1))
        groups, ways = _groups(N, G, _order_matters(tree, update, seen, q, G))
        for lo in range(0, len(groups), _AT_ONCE):
            group = groups[lo : lo + _AT_ONCE]
            chance = ways[lo : lo + _AT_ONCE] * probs[group].prod(-1)
            rewards = tree.rewards[q][group]
            W = _weighed(tree, update, seen, group, rewards)
            chance = chance * update.keeps(rewards)
            kept[q] += chance.sum()
            where = (group[..., None] * L + cells).ravel()
            weights[q] += np.bincount(where, (chance[:, None, None] * W).ravel(), N * L)
    return weights.reshape(Q, N, L), kept


def _law(tree, policy, update, group_size, old, reference):
    """Return G, and the log-probabilities (Q, N, L) of the tokens: learning, old, reference."""
    checked(tree, policy)
    _validate.instance("update", update, Update)
    found = [policy if each is None else each for each in (policy, old, reference)]
    return _validate.count("group_size", group_size, 1), [token_log_probs(tree, each) for each in found]


def _weighed(tree, update, seen, group, rewards):
    """Return the weights (..., G, L) of groups of answers, after a look at them."""
    W = np.asarray(update.weights(*(each[group] for each in seen), rewards, tree.mask[group]))
    wanted = (*group.shape, tree.length)
    if W.shape != wanted:
        raise ValueError(f"the update returned weights of shape {W.shape}; expected {wanted}")
    bad = _validate.first(~np.isfinite(W))
    if bad is not None:
        answers = [" ".join(map(str, tree.answers[n])) for n in group[bad[:-2]].ravel()]
        raise ValueError(
            f"the update weighs token {bad[-1]} of answer {bad[-2]} by {W[bad]} in the group {answers} "
            f"with rewards {rewards[bad[:-2]].ravel().tolist()}; expected a finite number"
        )
    return W


def _groups(N, G, ordered):
    """Return groups of G of N answers, (M, G), and in how many orders each comes, (M,)."""
    number = N**G if ordered else math.comb(N + G - 1, G)
    if number > _MOST_GROUPS:
        raise ValueError(
            f"{number} groups of {G} of {N} answers are too many to enumerate; expected at most "
            f"{_MOST_GROUPS}: a smaller group or tree, or mean_advantages, which counts rewards"
        )
    if ordered:
        return np.indices((N,) * G).reshape(G, -1).T, np.ones(number)
    flat = itertools.chain.from_iterable(itertools.combinations_with_replacement(range(N), G))
    groups = np.fromiter(flat, int, number * G).reshape(number, G)
    return groups, _orders(groups)


def _orders(groups):
    """Return G! over the factorials of how often each member comes, for sorted rows (M, G)."""
    ways, run = np.ones(len(groups)), np.ones(len(groups))
    for i in range(1, groups.shape[1]):
        run = np.where(groups[:, i] == groups[:, i - 1], run + 1, 1.0)
        ways *= (i + 1) / run
    return ways


def _order_matters(tree, update, seen, q, G):
    """Whether the weights change other than in order when a group is turned round, or two change places."""
    if G == 1:
        return False
    N = tree.n_answers
    group = (np.arange(_PROBES)[:, None] * (3 + np.arange(G)) + np.arange(G) ** 2) % N
    first = _weighed(tree, update, seen, group, tree.rewards[q][group])
    for order in (np.roll(np.arange(G), 1), np.r_[1, 0, 2:G]):
        turned = group[:, order]
        second = _weighed(tree, update, seen, turned, tree.rewards[q][turned])
        if np.abs(second - first[:, order]).max() > 1e-9 * (1 + np.abs(first).max()):
            return True
    return False


def mean_advantages(rewards, probs, advantage, group_size):
    r"""Exact mean of an advantage, given the reward of the answer, by counts of the rewards of the others.

    Parameters
    ----------
    rewards : array_like, shape (C,)
        The values that a reward can take.
    probs : array_like, shape (C,)
        Their probabilities; they sum to 1.
    advantage : callable
        From rewards (..., G) to advantages (..., G); it must not depend on the order of the others.
    group_size : int
        G, at least 1.

    Returns
    -------
    ndarray, shape (C,)
        :math:`\mathbb E[A_i \mid r_i]` for each value. The mean update is the gradient of
        :math:`\sum_y P(y) f(r(y))` with these f held fixed.

    Raises
    ------
    ValueError
        If shapes do not fit, `probs` is no distribution, or there are too many counts.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    There are :math:`\binom{G + C - 2}{C - 1}` counts, whatever the number of answers: 64 for right and
    wrong and G = 64.

    Examples
    --------
    Over the mean of two, a right answer has the advantage 1/2 if the other is wrong.

    >>> from pgtlab.language import group_mean
    >>> mean_advantages([1.0, 0.0], [0.25, 0.75], group_mean, 2)
    array([ 0.375, -0.125])
    """
    rewards = _validate.array("rewards", rewards, "(C,)")
    probs = _validate.array("probs", probs, "(C,)")
    _validate.shape("probs", probs, rewards.shape, "a probability for each reward")
    probs = _validate.distribution("probs", probs)
    G, C = _validate.count("group_size", group_size, 1), len(rewards)
    others, ways = _groups(C, G - 1, False) if G > 1 else (np.zeros((1, 0), int), np.ones(1))
    chance = ways * probs[others].prod(-1)
    given = [np.column_stack([np.full(len(others), value), rewards[others]]) for value in rewards]
    return np.array([chance @ advantage(each)[:, 0] for each in given])


def difficulty_weight(pass_rate, group_size, ddof=0):
    r"""Factor by which dividing by the standard deviation multiplies the gradient of a pass rate (L.5).

    .. math:: c_G(p) = \frac{1}{p (1 - p)} \sum_{k=0}^{G} \binom Gk p^k (1 - p)^{G-k}
        \sqrt{\tfrac kG \big( 1 - \tfrac kG \big)}

    Parameters
    ----------
    pass_rate : array_like, shape (...)
        p in [0, 1]; at 0 and 1 the limit is given.
    group_size : int
        G, at least 2.
    ddof : int
        0 or 1: the standard deviation divides by G - ddof.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If p is outside [0, 1] or G below 2.

    Notes
    -----
    :math:`c_2 = 1` and :math:`c_3 = \sqrt 2` for every p. :math:`c_G \le \sqrt{G - 1}`, with equality at 0
    and 1, and :math:`c_G(p) \to 1 / \sqrt{p (1 - p)}` for a fixed p as G grows.

    Examples
    --------
    >>> difficulty_weight([0.0, 0.01, 0.5], 2)
    array([1., 1., 1.])
    >>> difficulty_weight([0.0, 0.01, 0.5], 16).round(4)
    array([3.873 , 3.733 , 1.9341])
    """
    p = _validate.array("pass_rate", np.atleast_1d(pass_rate), "(...,)")
    outside = _validate.first((p < 0) | (p > 1))
    if outside is not None:
        raise ValueError(
            f"pass_rate{_validate.subscript(outside)} is {p[outside]:g}; expected a number in [0, 1]"
        )
    G = _validate.count("group_size", group_size, 2)
    k = np.arange(1, G)
    # The terms k = 0 and G are 0, so that p (1 - p) divides out, and both ends are no limit to be taken.
    log_binomial = [math.lgamma(G + 1) - math.lgamma(j + 1) - math.lgamma(G - j + 1) for j in k]
    spread = np.sqrt(k / G * (1 - k / G))
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = _log_power(p[..., None], k - 1) + _log_power(1 - p[..., None], G - k - 1)
    found = (np.exp(np.array(log_binomial) + powers) * spread).sum(-1) * math.sqrt((G - ddof) / G)
    return found.reshape(np.shape(pass_rate))


def _log_power(base, exponent):
    return np.where(exponent == 0, 0.0, exponent * np.log(base))


def sampled_update(tree, policy, update, *, group_size=2, n_groups, old=None, reference=None, rng):
    r"""Estimate the mean of an update from groups that are drawn.

    Parameters
    ----------
    tree : TokenTree
    policy : FinitePolicy
    update : Update
    group_size : int
        G, at least 1.
    n_groups : int
        Number of groups, at least 2; with an update that filters, the number that is drawn.
    old, reference : FinitePolicy, optional
        As for `mean_update`.
    rng : numpy.random.Generator

    Returns
    -------
    Estimate
        Mean and standard error of shape (K,), over batches of groups. ``n_episodes`` counts the groups that
        were kept. Its mean is `mean_update` with ``again="question"``, exactly if nothing is filtered.

    Raises
    ------
    ValueError, TypeError
        As for `mean_update`; and if every group was dropped.

    Examples
    --------
    >>> from pgtlab import SoftmaxPolicy
    >>> from pgtlab.language import GroupUpdate, TokenTree, leave_one_out, mean_update
    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> coin = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    >>> rloo, rng = GroupUpdate(leave_one_out), np.random.default_rng(1)
    >>> found = sampled_update(tree, coin, rloo, group_size=4, n_groups=2000, rng=rng)
    >>> off = found.mean - mean_update(tree, coin, rloo, group_size=4)
    >>> bool((np.abs(off) <= 5 * found.standard_error + 1e-12).all())
    True
    """
    G, law = _law(tree, policy, update, group_size, old, reference)
    n = _validate.count("n_groups", n_groups, 2)
    _validate.generator(rng)
    Q, N, L = tree.n_questions, tree.n_answers, tree.length
    # The place of a uniform in the running sum of the probabilities is the answer.
    below = np.exp(law[1].sum(-1)).cumsum(-1)
    questions = np.sort(rng.choice(Q, size=n, p=tree.weights))
    B = min(n, _BATCHES)
    batch = rng.permutation(n) % B
    sums, kept = np.zeros((B, Q, N * L)), np.zeros(B)
    for q in range(Q):
        mine = batch[questions == q]
        group = np.searchsorted(below[q] / below[q, -1], rng.random((len(mine), G)), side="right")
        rewards = tree.rewards[q][group]
        W = _weighed(tree, update, [each[q] for each in law], group, rewards)
        keeps = update.keeps(rewards)
        np.add.at(kept, mine, keeps)
        where = ((mine[:, None] * N + group)[..., None] * L + np.arange(L)).ravel()
        sums[:, q] = np.bincount(where, (W * keeps[:, None, None]).ravel(), B * N * L).reshape(B, N * L)
    if not kept.any():
        raise ValueError("every group was dropped; expected rewards that differ, or more groups")
    totals = push(tree, policy, sums.reshape(B, Q, N, L))
    mean = totals.sum(0) / kept.sum()
    # A ratio of sums: its error is that of the numerator less the mean times the denominator.
    off = totals - kept[:, None] * mean
    error = np.sqrt((off**2).sum(0) * B / (B - 1)) / kept.sum()
    return Estimate(mean, error, int(kept.sum()), B - 1)
