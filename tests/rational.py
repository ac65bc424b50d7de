"""Third routes: each quantity of a small problem in rational arithmetic, with no rounding at all.

The numbers are those that are stored, taken as fractions. A row of probabilities that rounding made miss its
total is filled up where it counts least: by staying, and by the likeliest action.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def solve(matrix, right):
    """Return x with matrix x = right, by Gauss and Jordan's elimination."""
    rows = [[Fraction(each) for each in row] + [Fraction(b)] for row, b in zip(matrix, right, strict=True)]
    n = len(rows)
    for i in range(n):
        pivot = next(j for j in range(i, n) if rows[j][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [each / rows[i][i] for each in rows[i]]
        for j in range(n):
            if j != i and rows[j][i]:
                rows[j] = [x - rows[j][i] * y for x, y in zip(rows[j], rows[i], strict=True)]
    return [row[-1] for row in rows]


class Exact:
    """A finite problem under action probabilities (S, A), in fractions."""

    def __init__(self, mdp, probs):
        self.S, self.A = S, A = mdp.reward.shape
        self.discount = Fraction(mdp.discount)
        self.initial = [Fraction(each) for each in mdp.initial]
        self.R = [[Fraction(each) for each in row] for row in mdp.reward]
        self.P = [[[Fraction(each) for each in row] for row in rows] for rows in mdp.transition]
        self.pi = [[Fraction(each) for each in row] for row in probs]
        for s in range(S):
            likeliest = int(np.argmax(probs[s]))
            self.pi[s][likeliest] += 1 - sum(self.pi[s])
            for a in range(A):
                self.P[s][a][s] += 1 - Fraction(mdp.ending[s, a]) - sum(self.P[s][a])
        self.step = [
            [sum(self.pi[s][a] * self.P[s][a][p] for a in range(A)) for p in range(S)] for s in range(S)
        ]
        self.earned = [sum(self.pi[s][a] * self.R[s][a] for a in range(A)) for s in range(S)]

    def matrix(self):
        """Return I - gamma P."""
        return [[(s == p) - self.discount * self.step[s][p] for p in range(self.S)] for s in range(self.S)]

    def values(self):
        """Return V."""
        return solve(self.matrix(), self.earned)

    def visits(self):
        """Return rho."""
        return solve(zip(*self.matrix(), strict=True), self.initial)

    def advantages(self):
        """Return A."""
        V = self.values()
        return self._backed_up(self.discount, V, V)

    def gradient_in_logits(self):
        """Return rho pi A, the gradient of a tabular softmax."""
        return self._weighted(self.visits(), self.advantages())

    def stationary(self):
        """Return d: d P = d, with one of the equations replaced by the sum."""
        rows = [[(s == p) - self.step[s][p] for s in range(self.S)] for p in range(self.S)]
        return solve([*rows[:-1], [1] * self.S], [0] * (self.S - 1) + [1])

    def average(self):
        """Return eta."""
        return sum(d * r for d, r in zip(self.stationary(), self.earned, strict=True))

    def differential_values(self):
        """Return h: one of its equations follows from the others, and is replaced by d h = 0."""
        rows = [[(s == p) - self.step[s][p] for p in range(self.S)] for s in range(self.S)]
        d, eta = self.stationary(), self.average()
        # The equations weighted by d sum to 0: the one of the likeliest state may go.
        out = max(range(self.S), key=d.__getitem__)
        right = [r - eta for r in self.earned]
        rows[out], right[out] = d, Fraction(0)
        return solve(rows, right)

    def differential_advantages(self):
        """Return Q_h - h."""
        h, eta = self.differential_values(), self.average()
        return self._backed_up(1, h, [x + eta for x in h])

    def average_gradient_in_logits(self):
        """Return d pi (Q_h - h)."""
        return self._weighted(self.stationary(), self.differential_advantages())

    def _backed_up(self, discount, values, less):
        return [
            [
                self.R[s][a]
                + discount * sum(x * v for x, v in zip(self.P[s][a], values, strict=True))
                - less[s]
                for a in range(self.A)
            ]
            for s in range(self.S)
        ]

    def _weighted(self, states, pairs):
        return [[states[s] * self.pi[s][a] * pairs[s][a] for a in range(self.A)] for s in range(self.S)]


def floats(values):
    """Return nested lists of fractions as an array."""
    return np.array(values, dtype=object).astype(float)
