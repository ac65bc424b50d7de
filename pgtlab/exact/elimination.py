"""Owns the elimination of states without subtractions: nothing cancels, however long the chain goes on.

A chain that moves from i to j at the rate :math:`q_{ij}` and stops at the rate :math:`k_i` has the matrix
:math:`M = \\mathrm{diag}(k_i + \\sum_j q_{ij}) - q`. Written like that, by what leaves a state, and not by
one minus what stays, each number of the elimination is a sum of products of positive ones.
"""

from __future__ import annotations

import numpy as np

#: A rate below this is too near to where double precision ends: smaller ones beside it may have been lost.
SMALLEST_RATE = 1e-300


class Elimination:
    r"""Factors of :math:`M = \mathrm{diag}(k_i + \sum_{j \ne i} q_{ij}) - q`, to solve with it.

    States are taken out one after the other. The chain that is only watched in the others goes from i to j
    directly, or by way of the state n that is taken out:

    .. math:: q_{ij} + q_{in} \, q_{nj} / s_n, \qquad s_n = k_n + \sum_{j \ne n} q_{nj}

    Parameters
    ----------
    rates : ndarray, shape (S, S)
        q, at least 0; the diagonal is not looked at.
    stops : ndarray, shape (S,)
        k, at least 0. All 0 for a chain that goes on for ever.

    Attributes
    ----------
    last : int
        The state that is taken out last. The chain comes there again and again.

    Raises
    ------
    ValueError
        If several states are left and none of them is left at a rate of at least 1e-300.

    Notes
    -----
    The state that is left fastest is taken out first, so that no quotient exceeds 1. Relative errors grow
    with S, not with :math:`1/k`. Cost S^3 / 3 multiplications, in S steps of NumPy: slower than LAPACK.

    References
    ----------
    W. K. Grassmann, M. I. Taksar and D. P. Heyman, "Regenerative analysis and steady state distributions for
    Markov chains", 1985. C. A. O'Cinneide, "Entrywise perturbation theory and error analysis for Markov
    chains", 1993.

    Examples
    --------
    State 0 is left for 1 at the rate 1e-17, and 1 for 0 at twice that: two thirds of the time are spent in 0.

    >>> Elimination(np.array([[0.0, 1e-17], [2e-17, 0.0]]), np.zeros(2)).stationary().round(6)
    array([0.666667, 0.333333])
    """

    def __init__(self, rates, stops):
        q, k = rates.copy(), stops.copy()
        S = len(k)
        np.fill_diagonal(q, 0.0)
        self._order, self._leaving = np.arange(S), np.empty(S)
        for n in range(S - 1, 0, -1):
            leaving = k[: n + 1] + q[: n + 1, : n + 1].sum(1)
            fastest = leaving.argmax()
            if not leaving[fastest] >= SMALLEST_RATE:
                raise ValueError(
                    f"the chain falls apart: it leaves state {self._order[fastest]} with a probability of "
                    f"{leaving[fastest]:.3g} a step, and others as rarely; expected at least "
                    f"{SMALLEST_RATE:g}, as smaller probabilities are lost to rounding"
                )
            for each in (q, q.T, k, self._order):
                each[[fastest, n]] = each[[n, fastest]]
            self._leaving[n] = leaving[fastest]
            # From i to n for each unit that leaves n; kept in the column of n.
            q[:n, n] /= self._leaving[n]
            q[:n, :n] += np.multiply.outer(q[:n, n], q[n, :n])
            q.ravel()[: n * S : S + 1] = 0.0
            k[:n] += q[:n, n] * k[n]
        self._leaving[0] = k[0]
        self._q = q

    @property
    def last(self):
        return self._order[0]

    def solve(self, right):
        r"""Solve :math:`M x = b`: what is earned from each state on, if b is earned in each unit of time.

        Parameters
        ----------
        right : ndarray, shape (S,)

        Returns
        -------
        ndarray, shape (S,)
        """
        return self._solution(right, lambda b: b / self._leaving[0])

    def solve_up_to_last(self, right):
        r"""Solve :math:`M x = b` in all states but `last`, where x is 0: what is earned before it is reached.

        Parameters
        ----------
        right : ndarray, shape (S,)

        Returns
        -------
        ndarray, shape (S,)
        """
        return self._solution(right, lambda b: 0.0)

    @np.errstate(over="ignore", invalid="ignore")
    def _solution(self, right, of_last):
        q, x = self._q, right[self._order]
        for n in range(len(x) - 1, 0, -1):
            x[:n] += q[:n, n] * x[n]
        x[0] = of_last(x[0])
        for n in range(1, len(x)):
            x[n] = (x[n] + q[n, :n] @ x[:n]) / self._leaving[n]
        return self._in_order(x)

    def solve_transposed(self, right):
        r"""Solve :math:`M^T x = b`: time in each state, if b enters.

        Parameters
        ----------
        right : ndarray, shape (S,)

        Returns
        -------
        ndarray, shape (S,)
        """
        q, x = self._q, right[self._order]
        for n in range(len(x) - 1, -1, -1):
            x[n] /= self._leaving[n]
            x[:n] += q[n, :n] * x[n]
        return self._in_order(self._spread(x))

    def stationary(self):
        r"""Distribution d with :math:`M^T d = 0` when nothing stops.

        Returns
        -------
        ndarray, shape (S,)
            Each entry has a relative error of about 1e-16 S.
        """
        x = np.zeros(len(self._order))
        x[0] = 1.0
        x = self._in_order(self._spread(x))
        return x / x.sum()

    def _spread(self, x):
        for n in range(1, len(x)):
            x[n] += self._q[:n, n] @ x[:n]
        return x

    def _in_order(self, x):
        result = np.empty_like(x)
        result[self._order] = x
        return result


class Eliminations:
    """The same for a stack of chains, one after the other."""

    def __init__(self, rates, stops):
        S = stops.shape[-1]
        self._batch = stops.shape[:-1]
        chains = zip(rates.reshape(-1, S, S), stops.reshape(-1, S), strict=True)
        self._each = [Elimination(*one) for one in chains]

    @property
    def last(self):
        return np.reshape([one.last for one in self._each], self._batch)

    def solve(self, right):
        return self._stacked("solve", right)

    def solve_up_to_last(self, right):
        return self._stacked("solve_up_to_last", right)

    def solve_transposed(self, right):
        return self._stacked("solve_transposed", right)

    def _stacked(self, name, right):
        S = right.shape[-1]
        flat = np.broadcast_to(right, (*self._batch, S)).reshape(-1, S)
        results = [getattr(one, name)(each) for one, each in zip(self._each, flat, strict=True)]
        return np.reshape(results, (*self._batch, S))
