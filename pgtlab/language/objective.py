"""Owns the objectives that an update may climb: each as a number and as a gradient, exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pgtlab.language.means import difficulty_weight
from pgtlab.language.tree import checked, push, token_log_probs


class Law:
    """What objectives are made of: probabilities, rewards, lengths and log-ratios of all answers."""

    def __init__(self, tree, policy, reference=None):
        checked(tree, policy)
        self.tree, self.policy = tree, policy
        self.log_probs = token_log_probs(tree, policy)
        other = self.log_probs if reference is None else token_log_probs(tree, reference)
        self.token_l = self.log_probs - other
        self.l = self.token_l.sum(-1)
        self.probs = np.exp(self.log_probs.sum(-1))
        self.ref_probs = np.exp(other.sum(-1))

    @cached_property
    def pass_rates(self):
        return (self.probs * self.tree.rewards).sum(-1)

    def mean(self, values):
        """Mean of a number for each answer, with the weights of the questions."""
        return float(self.tree.weights @ (self.probs * values).sum(-1))


@dataclass(frozen=True)
class Objective:
    r"""Something that an update may climb: a number for each policy, and its gradient.

    Attributes
    ----------
    name : str
    formula : str
        In TeX.
    value : callable
        From the law now, and the law whose parts are held fixed, to a float.
    weights : callable
        From the law to f, shape (Q, N), or to the weights of tokens, shape (Q, N, L): the gradient is the
        sum of probability times f times score.
    frozen : bool
        Whether a part of it is held fixed at the policy of the moment, so that no number is climbed for good.

    Examples
    --------
    Two answers to one question, of which the first is right: p (1 - p) = 1/4 is the slope of the pass rate.

    >>> from pgtlab import SoftmaxPolicy
    >>> from pgtlab.language import TokenTree
    >>> tree = TokenTree("ab", 1, [lambda answer: answer == ("a",)])
    >>> law = Law(tree, SoftmaxPolicy.tabular(np.zeros((1, 2))))
    >>> objectives(tree)[0][0].gradient(law)
    array([ 0.25, -0.25])
    """

    name: str
    formula: str
    value: Callable
    weights: Callable
    frozen: bool = False

    def gradient(self, law):
        """Exact gradient at a law, by the scores of the answers.

        Parameters
        ----------
        law : Law
            Of a tree and a policy, and of a reference for a distance.

        Returns
        -------
        ndarray, shape (K,)
        """
        tree = law.tree
        weights = np.asarray(self.weights(law))
        weights = weights if weights.ndim == 3 else weights[..., None]
        return push(
            tree, law.policy, tree.weights[:, None, None] * law.probs[..., None] * weights * tree.mask
        )


def _by_answer(name, formula, f, frozen=False):
    """Objective that is the mean of f, which depends on no parameter: f of the law at which it is frozen."""
    return Objective(name, formula, lambda law, at: law.mean(f(at)), f, frozen)


def _of_pass_rate(name, formula, value, slope):
    """Objective that is the mean over questions of a function of the pass rate."""
    return Objective(
        name,
        formula,
        lambda law, at: float(law.tree.weights @ value(law.pass_rates)),
        lambda law: slope(law.pass_rates)[:, None] * law.tree.rewards,
    )


def _lengths(law):
    return law.tree.lengths


def _off(law):
    return law.tree.rewards - law.pass_rates[:, None]


def _token_kl(law, at):
    """KL at each prefix under the visits of `at`; its derivative sees the next token only."""
    return _at_prefixes(law, at, lambda p, log_ratio: p * log_ratio)


def _token_kl_back(law, at):
    return _at_prefixes(law, at, lambda p, log_ratio: -p * np.exp(-log_ratio) * log_ratio)


def _at_prefixes(law, at, term):
    tree = law.tree
    Q, P, V = tree.n_questions, tree.n_prefixes, tree.n_tokens
    visits = np.zeros((Q, P * V))
    np.add.at(visits, (slice(None), tree.pairs), at.probs[..., None] * tree.mask)
    # Every pair of prefix and token is in some answer, so that its log-ratio can be read off there.
    log_p, log_ratio = np.zeros((Q, P * V)), np.zeros((Q, P * V))
    seen = tree.mask > 0
    log_p[:, tree.pairs[seen]] = law.log_probs[:, seen]
    log_ratio[:, tree.pairs[seen]] = law.token_l[:, seen]
    by_prefix = term(np.exp(log_p), log_ratio).reshape(Q, P, V).sum(-1)
    return float(tree.weights @ (visits.reshape(Q, P, V).sum(-1) * by_prefix).sum(-1))


def _best_of(k):
    """Mean of the largest of k rewards: v times the chance that the largest is v, F(v)^k - F(v-)^k."""

    def distribution(law):
        values = np.unique(law.tree.rewards)
        at_most = np.array([(law.probs * (law.tree.rewards <= v)).sum(-1) for v in values])
        return values, np.vstack([np.zeros(len(law.probs)), at_most])

    def value(law, at):
        values, F = distribution(law)
        return float(law.tree.weights @ (values @ (F[1:] ** k - F[:-1] ** k)))

    def weights(law):
        # By the product rule, k times the mean of the largest of r(y) and k - 1 others.
        values, F = distribution(law)
        chance = F[1:] ** (k - 1) - F[:-1] ** (k - 1)
        larger = np.maximum(law.tree.rewards[..., None], values)
        return k * np.einsum("qnv,vq->qn", larger, chance)

    name = f"pass@{k} (best of {k})"
    return Objective(name, rf"\mathbb E \max(r_1, \dots, r_{{{k}}})", value, weights)


def _length_weighted(law, at):
    return law.mean(law.tree.rewards * _lengths(law)) / law.mean(_lengths(law))


def _length_weighted_weights(law):
    mean = law.mean(_lengths(law))
    return _lengths(law) * (law.tree.rewards - _length_weighted(law, law)) / mean


def _transform(G):
    r"""Integral of c_G: a polynomial, as c_G is the sum of b_k p^(k-1) (1-p)^(G-k-1)."""
    x = np.polynomial.Polynomial([0.0, 1.0])
    spread = [math.comb(G, k) * math.sqrt(k / G * (1 - k / G)) for k in range(G + 1)]
    return sum(spread[k] * x ** (k - 1) * (1 - x) ** (G - k - 1) for k in range(1, G)).integ()


def objectives(tree, group_size=2):
    r"""Objectives with which an update is compared, those of rewards first.

    Parameters
    ----------
    tree : TokenTree
        Functions of the pass rate are listed only if its rewards are 0 and 1.
    group_size : int
        G, up to which pass@k is listed, and whose :math:`c_G` is meant.

    Returns
    -------
    rewards, distances : lists of Objective
        What is to be made large, and distances from a reference.

    Examples
    --------
    >>> from pgtlab.language import TokenTree
    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> rewards, distances = objectives(tree)
    >>> [each.name for each in rewards][:2]
    ['mean reward', 'reward per token']
    """
    rewards = [
        _by_answer("mean reward", r"\mathbb E\, r", lambda law: law.tree.rewards),
        _by_answer("reward per token", r"\mathbb E\, r/|y|", lambda law: law.tree.rewards / _lengths(law)),
        _by_answer("reward times length", r"\mathbb E\, r|y|", lambda law: law.tree.rewards * _lengths(law)),
        Objective(
            "length-weighted mean reward",
            r"\mathbb E\, r|y| \,/\, \mathbb E |y|",
            _length_weighted,
            _length_weighted_weights,
        ),
        _by_answer("length", r"\mathbb E |y|", lambda law: _lengths(law) * np.ones_like(law.probs)),
        _by_answer(
            "reward per token with the baseline frozen",
            r"\mathbb E\,(r - b)/|y|, \; b = J \text{ frozen}",
            lambda law: _off(law) / _lengths(law),
            frozen=True,
        ),
        *(_best_of(k) for k in range(2, group_size + 1)),
    ]
    if set(np.unique(tree.rewards)) <= {0.0, 1.0}:
        rewards += _of_pass_rates(group_size)
    distances = [
        Objective(
            "KL(policy | reference)",
            r"\mathrm{KL}(\pi \,|\, \pi_{\text{ref}})",
            lambda law, at: law.mean(law.l),
            lambda law: law.l,
        ),
        Objective(
            "KL(reference | policy)",
            r"\mathrm{KL}(\pi_{\text{ref}} \,|\, \pi)",
            lambda law, at: float(law.tree.weights @ (law.ref_probs * -law.l).sum(-1)),
            lambda law: -np.exp(-law.l),
        ),
        Objective(
            "half of chi2(policy | reference)",
            r"\tfrac12 \chi^2(\pi \,|\, \pi_{\text{ref}})",
            lambda law, at: (law.mean(np.exp(law.l)) - 1) / 2,
            lambda law: np.exp(law.l),
        ),
        Objective(
            "KL of the next token, visits frozen",
            r"\sum_s \rho(s) \mathrm{KL}_s(\pi \,|\, \pi_{\text{ref}}), \; \rho \text{ frozen}",
            _token_kl,
            lambda law: law.token_l,
            True,
        ),
        Objective(
            "KL of the next token the other way, visits frozen",
            r"\sum_s \rho(s) \mathrm{KL}_s(\pi_{\text{ref}} \,|\, \pi), \; \rho \text{ frozen}",
            _token_kl_back,
            lambda law: -np.expm1(-law.token_l),
            True,
        ),
    ]
    return rewards, distances


def _of_pass_rates(G):
    def c(p):
        return difficulty_weight(p, G) if G > 1 else np.ones_like(p)

    found = [
        _of_pass_rate("log of the pass rate", r"\mathbb E_q \log p_q", np.log, lambda p: 1 / p),
        _of_pass_rate(
            "log-odds of the pass rate",
            r"\mathbb E_q \log \tfrac{p_q}{1 - p_q}",
            lambda p: np.log(p) - np.log1p(-p),
            lambda p: 1 / (p * (1 - p)),
        ),
        _of_pass_rate(
            "2 arcsin of the root of the pass rate",
            r"\mathbb E_q\, 2 \arcsin \sqrt{p_q}",
            lambda p: 2 * np.arcsin(np.sqrt(p)),
            lambda p: 1 / np.sqrt(p * (1 - p)),
        ),
    ]
    if G > 3:  # below, c_G is a constant
        found += [
            _of_pass_rate(
                f"pass rate seen through c_{G}",
                rf"\mathbb E_q F_{{{G}}}(p_q), \; F' = c_{{{G}}}",
                _transform(G),
                c,
            ),
            _by_answer(
                f"reward per token with the baseline frozen, times c_{G}",
                rf"\mathbb E\, c_{{{G}}}(p_q)(r - p_q)/|y|, \; p \text{{ frozen}}",
                lambda law: c(law.pass_rates)[:, None] * _off(law) / _lengths(law),
                frozen=True,
            ),
        ]
    return found
