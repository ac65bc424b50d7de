"""Owns the alias method: draws from many discrete distributions, each in the time of one."""

from __future__ import annotations

import numpy as np


class AliasTables:
    r"""Tables from which a draw costs one uniform, one comparison and two look-ups, however long they are.

    Each of the n distributions over K outcomes is cut into K columns of equal mass. A column holds at most
    two outcomes: its own below a cut, its alias above. A uniform number times K chooses the column with its
    integer part and the outcome with its fraction.

    Parameters
    ----------
    probs : ndarray, shape (n, K)
        Rows that sum to 1. An outcome of probability 0 is never drawn.
    outcomes : ndarray of int, shape (n, K)
        What the columns stand for.

    Notes
    -----
    Built in K steps, each of which fills one column in all rows.

    References
    ----------
    A. J. Walker, "An efficient method for generating discrete random variables with general distributions",
    *ACM Transactions on Mathematical Software* 3, 1977.
    """

    def __init__(self, probs, outcomes):
        n, K = probs.shape
        self.n_columns = K
        order = np.argsort(probs, axis=1, kind="stable")
        weight = np.take_along_axis(probs, order, 1)
        weight *= K / weight.sum(1, keepdims=True)
        outcomes = np.take_along_axis(outcomes, order, 1)
        rows = np.arange(n)
        cut, alias = np.ones((n, K)), np.broadcast_to(np.arange(K), (n, K)).copy()
        # In ascending order the light outcomes, of weight up to 1, come first; the heavy ones fill their
        # columns up. `rest` is what the heavy outcome at hand still has to give.
        light = np.zeros(n, dtype=np.intp)
        heavy = np.minimum((weight <= 1).sum(1), K - 1)
        first_heavy, rest = heavy.copy(), weight[rows, heavy]
        for _ in range(K - 1):
            gives = (rest > 1) & (light < first_heavy)
            # A heavy outcome fills up the column of a light one; or, grown light itself, is filled up by the
            # next heavy one. Where neither is left the column keeps its own outcome whole.
            moves = ~gives & (heavy < K - 1)
            column = np.where(gives, light, heavy)
            filler = np.where(gives, heavy, np.minimum(heavy + 1, K - 1))
            own = np.where(gives, weight[rows, light], rest)
            acts = gives | moves
            r = rows[acts]
            cut[r, column[acts]], alias[r, column[acts]] = own[acts], filler[acts]
            rest = np.where(gives, rest + own - 1, np.where(moves, weight[rows, filler] + rest - 1, rest))
            light += gives
            heavy += moves
        self._cut = cut.ravel()
        # Side by side for each column: its alias, its own outcome.
        pairs = np.stack([np.take_along_axis(outcomes, alias, 1), outcomes], axis=-1)
        self._outcome = pairs.astype(np.int32).ravel()

    def draw(self, row, uniform):
        """Return an outcome of each of the rows.

        Parameters
        ----------
        row : ndarray of int, shape (N,)
        uniform : ndarray, shape (N,)
            Uniform numbers in [0, 1); overwritten.

        Returns
        -------
        ndarray of int32, shape (N,)
        """
        # The fraction is taken before the row is added: in a sum of large numbers it would be rounded.
        uniform *= self.n_columns
        column = uniform.astype(np.int32)
        uniform -= column
        column += row * np.int32(self.n_columns)
        below = uniform < self._cut[column]
        column *= 2
        column += below
        return self._outcome[column]

    def draw_one(self, row, uniform):
        """Return what `draw` returns for one row, an int, without arrays, which cost ten times as much."""
        uniform *= self.n_columns
        column = int(uniform)
        uniform -= column
        column += row * self.n_columns
        return self._outcome.item(2 * column + (uniform < self._cut.item(column)))
