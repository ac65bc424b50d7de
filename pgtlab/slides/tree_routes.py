"""Owns the second routes of the token tree: answers walked through token by token, and sums over them all."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from pgtlab.slides.routes import Differences


class TreeRoutes(Differences):
    """The routes for a tree of tokens: derivatives are differences, means are sums over answers.

    Nothing here comes from `language` but the tree itself: its answers, prefixes, rewards and weights.
    """

    about = "token tree"

    def __init__(self, tree, policy):
        super().__init__(tree, policy)
        self.tree, self.rewards = tree, tree.rewards
        self.lengths = np.array([len(answer) for answer in tree.answers])

    @cached_property
    def log_tokens(self):
        """Log-probability of each token of each answer, (Q, N, L), read off prefix by prefix."""
        tree, row = self.tree, {prefix: i for i, prefix in enumerate(self.tree.prefixes)}
        with np.errstate(divide="ignore"):
            log_pi = np.log(self.policy.probs()).reshape(tree.n_questions, tree.n_prefixes, -1)
        found = np.zeros((tree.n_questions, tree.n_answers, tree.length))
        for n, answer in enumerate(tree.answers):
            for t, token in enumerate(answer):
                found[:, n, t] = log_pi[:, row[answer[:t]], tree.tokens.index(token)]
        return found

    @cached_property
    def P(self):
        """Probability of each answer, (Q, N): the product over its tokens."""
        return np.exp(self.log_tokens).prod(-1)

    @cached_property
    def token_scores(self):
        """Score of each token, (Q, N, L, K), by differences."""
        return self.slope(lambda moved: moved.log_tokens)

    @cached_property
    def S(self):
        """Score of each answer, (Q, N, K): the sum over its tokens."""
        return self.token_scores.sum(-2)

    def mean(self, f):
        """Mean over questions and answers of f, (Q, N, ...)."""
        return np.einsum("q,qn,qn...->...", self.tree.weights, self.P, f)

    def over_scores(self, f):
        """Mean of f(y) S(y), for f of shape (Q, N)."""
        return self.mean(np.asarray(f)[..., None] * self.S)

    # --- rewards -------------------------------------------------------------------------------

    @cached_property
    def passed(self):
        """Mean reward of each question, (Q,): the pass rate, if rewards are 0 and 1."""
        return (self.P * self.rewards).sum(-1)

    @cached_property
    def slope_of_reward(self):
        """Derivative of the mean reward, by differences."""
        return self.slope(lambda moved: moved.mean(self.rewards))

    @cached_property
    def slope_of_passed(self):
        """Derivative of each question's mean reward, (Q, K), by differences."""
        return self.slope(lambda moved: moved.passed)

    # --- other policies ------------------------------------------------------------------------

    @cached_property
    def reference(self):
        """The routes of another policy of the same class, as the reference."""
        return self.shifted(0.3 * np.cos(np.arange(len(self.policy.parameters))))

    @cached_property
    def old(self):
        """The routes of a third policy of that class, as the one that answered."""
        return self.shifted(0.2 * np.sin(2 + np.arange(len(self.policy.parameters))))

    @cached_property
    def token_l(self):
        """Logarithm of policy over reference, for each token, (Q, N, L)."""
        return self.log_tokens - self.reference.log_tokens

    @cached_property
    def answer_l(self):
        """The same for whole answers, (Q, N)."""
        return self.token_l.sum(-1)

    def slope_of(self, divergence):
        """Return the derivative of a divergence, of P and that of the reference, (Q, N) each."""
        return self.slope(lambda m: self.tree.weights @ divergence(m.P, self.reference.P).sum(-1))

    # --- sizes, against which a residual is measured -------------------------------------------

    def size(self, kind):
        """Return what quantities of a kind amount to on this problem."""
        length = max(1.0, np.sqrt(self.mean((self.S**2).sum(-1))))
        return {
            "one": 1.0,
            "gradient": self.mean(np.abs(self.rewards)) * length,
            "push": length,
            "distance": self.mean(1 + np.abs(self.answer_l)) * length,
        }[kind]


def kl(P, R):
    """The terms of KL(P | R)."""
    return P * np.log(P / R)


def kl_back(P, R):
    """The terms of KL(R | P)."""
    return R * np.log(R / P)


def chi2(P, R):
    """The terms of chi2(P | R)."""
    return P**2 / R - P
