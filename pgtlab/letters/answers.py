"""Owns the letters of the chapter on language models: a few answers, their scores, and groups of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import sympy as sp

#: The parameter.
THETA = sp.Symbol("theta")


def functions(names):
    """Return functions of the parameter by their names."""
    return [sp.Function(each)(THETA) for each in names.split()]


@dataclass(frozen=True)
class Answers:
    """Answers with their probabilities, which move with the parameter and sum to 1, and what they are worth.

    Attributes
    ----------
    P, r, n : tuple of expressions
        Probability, reward and number of tokens of each.
    """

    P: tuple
    r: tuple
    n: tuple

    @property
    def S(self):
        """Score of each answer."""
        return tuple(each.diff(THETA) / each for each in self.P)

    @property
    def J(self):
        """Mean reward."""
        return self.mean(self.r)

    def mean(self, values):
        """Mean of a number for each answer."""
        return sum(P * each for P, each in zip(self.P, values, strict=True))

    def over_groups(self, G, step):
        """Mean of `step(group)` over all groups of G answers in order, each a tuple of their numbers."""
        total = sp.S.Zero
        for group in itertools.product(range(len(self.P)), repeat=G):
            total += sp.prod([self.P[i] for i in group]) * step(group)
        return total


def three_answers():
    """Return three answers, with nothing known of them."""
    p, q = functions("p q")
    return Answers((p, q, 1 - p - q), sp.symbols("r_1:4"), sp.symbols("n_1:4", positive=True))


def right_and_wrong():
    """Return a right answer and a wrong one; the probability of the first is the pass rate."""
    (p,) = functions("p")
    return Answers((p, 1 - p), (sp.S.One, sp.S.Zero), (sp.S.One, sp.S.One))


def branching():
    """Return s, u and the answers ".", "a." and "aa": s is the chance of a first a, u that of a second."""
    s, u = functions("s u")
    lengths = (sp.S.One, sp.Integer(2), sp.Integer(2))
    return s, u, Answers((1 - s, s * (1 - u), s * u), sp.symbols("r_1:4"), lengths)


def leave_one_out(rewards):
    """Return the advantages over the mean of the others."""
    return [r - (sum(rewards) - r) / (len(rewards) - 1) for r in rewards]


def group_mean(rewards):
    """Return the advantages over the mean of all."""
    return [r - sum(rewards) / sp.Integer(len(rewards)) for r in rewards]


def standardised(rewards):
    """Return the advantages in standard deviations of the group, here numbers; 0 where all agree."""
    off = group_mean(rewards)
    spread = sp.sqrt(sum(each**2 for each in off) / len(rewards))
    return [each / spread if spread else sp.S.Zero for each in off]


def pushed(answers, group, advantage, divisor=lambda group, i: 1):
    """Return the mean over a group of advantage times score, each over a divisor."""
    A = advantage([answers.r[i] for i in group])
    terms = (each * answers.S[i] / divisor(group, i) for each, i in zip(A, group, strict=True))
    return sum(terms) / len(group)


def spread_weight(G, p):
    """Return c_G(p) by its definition."""
    total = sum(
        sp.binomial(G, k) * p**k * (1 - p) ** (G - k) * sp.sqrt(sp.Rational(k * (G - k), G**2))
        for k in range(1, G)
    )
    return total / (p * (1 - p))
