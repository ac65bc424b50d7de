"""Owns the finite Markov chain with rewards, and the solutions of its two linear systems."""

from __future__ import annotations

import sys
from functools import cached_property
from importlib import import_module

import numpy as np

from pgtlab import _validate

#: At discount 1, an expected episode length beyond which double precision keeps too few digits.
_LONGEST_EPISODE = 1e12


class FiniteChain:
    r"""Markov chain with rewards that a finite MDP becomes under fixed action probabilities.

    Parameters
    ----------
    mdp : FiniteMDP
    probs : ndarray, shape (S, A) or (..., S, A)
        Action probabilities.

    Attributes
    ----------
    transition : ndarray, shape (..., S, S), or CSR array of shape (S, S)
        :math:`P_\pi(s, s') = \sum_a \pi(s, a) P^a_{s,s'}`, (13.1).
    reward : ndarray, shape (..., S)
        :math:`r_\pi(s) = \sum_a \pi(s, a) R^a_s`.
    ends : ndarray of bool, shape (..., S)
        The states from which values exist: all of them when the discount is below 1; at discount 1
        those from which the episode is sure to end.
    all_end : bool
        Whether values exist from every state.

    Raises
    ------
    ValueError
        If `probs` does not fit the MDP or is no distribution in some state; if the discount is 1 and a
        state that the start reaches need not lead to an end; for a batch of policies on sparse transitions.

    Notes
    -----
    Dense and single: one LU factorisation by LAPACK through SciPy, where SciPy is installed, else a solve
    with NumPy for each right-hand side. A batch: stacked solves with NumPy. Sparse: SuperLU.
    Cost S^3 / 1.5 operations dense; the result has a relative error of about 1e-16 / (1 - discount).

    Examples
    --------
    Each step earns 1/2 and ends the episode with probability 1/2: with discount 1/2 the value is
    1/2 + 1/4 of itself.

    >>> from pgtlab import FiniteMDP
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> process = FiniteChain(mdp, np.array([[0.5, 0.5]]))
    >>> process.solve(process.reward).round(6)
    array([0.666667])
    """

    def __init__(self, mdp, probs):
        _check(mdp, probs)
        self.mdp = mdp
        # A reader's own policy may hand out an array that it later writes to.
        self.probs = _validate.read_only(probs.copy()) if probs.flags.writeable else probs
        self.reward = _validate.read_only(np.vecdot(self.probs, mdp.reward))

    def serves(self, mdp, probs):
        """Whether this is the chain of `mdp` under the action probabilities `probs`.

        Parameters
        ----------
        mdp : FiniteMDP
        probs : ndarray, shape (..., S, A)

        Returns
        -------
        bool
        """
        return mdp is self.mdp and (probs is self.probs or np.array_equal(probs, self.probs))

    @property
    def transition(self):
        return self.mdp.mixed_transition(self.probs)

    @cached_property
    def ends(self):
        if self.mdp.discount < 1:
            return np.ones(self.reward.shape, dtype=bool)
        support = self.probs > 0
        if support.ndim == 2:
            return _sure_ends(self.mdp, support)
        # Which states end depends on which actions are possible, not on how probable they are.
        flat, which = np.unique(support.reshape(-1, *support.shape[-2:]), axis=0, return_inverse=True)
        ends = np.array([_sure_ends(self.mdp, each) for each in flat])
        return ends[which].reshape(self.reward.shape)

    @cached_property
    def all_end(self):
        return self.mdp.discount < 1 or bool(self.ends.all())

    def solve(self, right):
        r"""Solve :math:`(I - \gamma P_\pi) x = b`: what is earned, discounted, from each state on.

        Parameters
        ----------
        right : ndarray, shape (..., S)
            b, earned at each visit.

        Returns
        -------
        ndarray, shape (..., S)
            NaN in the states outside `ends`, where the sum of what is earned need not exist.

        Notes
        -----
        The solution for `reward` is remembered: V, Q, A, J and the gradient all ask for it.
        """
        return self._values.copy() if right is self.reward else self._solution(right)

    def solve_transposed(self, right):
        r"""Solve :math:`(I - \gamma P_\pi)^T x = b`: discounted visits to each state.

        Parameters
        ----------
        right : ndarray, shape (S,)
            b, where the visits start; 0 outside `ends`.

        Returns
        -------
        ndarray, shape (..., S)
            0 in the states outside `ends`: the start does not reach them.

        Notes
        -----
        The solution for ``mdp.initial`` is remembered.
        """
        return self._visits.copy() if right is self.mdp.initial else self._factors.solve_transposed(right)

    @cached_property
    def _values(self):
        return self._solution(self.reward)

    @cached_property
    def _visits(self):
        return self._factors.solve_transposed(self.mdp.initial)

    def _solution(self, right):
        if self.all_end:
            return self._factors.solve(right)
        # The states of `ends` lead to one another only: their equations stand alone.
        return np.where(self.ends, self._factors.solve(right), np.nan)

    @cached_property
    def _factors(self):
        if self.mdp.is_sparse:
            factors = _SparseLU(self.transition, self.mdp.discount, self.ends)
        else:
            # -gamma P_pi, in one pass
            matrix = self.mdp.mixed_transition(-self.mdp.discount * self.probs)
            if not self.all_end:
                # States outside `ends` stand apart, each with the equation x = 0.
                matrix *= self.ends[..., None]
            diagonal = np.einsum("...ss->...s", matrix)  # a view
            diagonal += 1.0
            factors = _StackedSolve(matrix) if matrix.ndim > 2 else _dense(matrix)
        if self.mdp.discount == 1:
            _check_lifetimes(factors, self.ends)
        return factors


_scipy_absent = False


def lapack():
    """Return `scipy.linalg.lapack`; raise ImportError without SciPy.

    That SciPy is absent is remembered: to search for it anew before each solution takes longer than a small
    solution. In a browser, gradient ascent on a few states took twenty times as long with the search.
    """
    global _scipy_absent
    if _scipy_absent and "scipy" not in sys.modules:
        raise ImportError("SciPy was not found before")
    try:
        return import_module("scipy.linalg.lapack")
    except ModuleNotFoundError as error:
        _scipy_absent = error.name in ("scipy", None)  # a browser's Python gives no name
        raise


class _DenseLU:
    """One LU factorisation of a matrix, through LAPACK."""

    def __init__(self, matrix):
        routines = lapack()
        # The rows of C order are the columns of Fortran order: the transpose is factorised, without a copy.
        self._lu, self._pivots, self._zero_pivot = routines.dgetrf(matrix.T, overwrite_a=1)
        self._dgetrs = routines.dgetrs

    def solve(self, right):
        return self._solve(right, 1)

    def solve_transposed(self, right):
        return self._solve(right, 0)

    def _solve(self, right, transposed):
        if self._zero_pivot:
            raise np.linalg.LinAlgError("singular matrix")
        return self._dgetrs(self._lu, self._pivots, right, trans=transposed)[0]


class _StackedSolve:
    """Solutions with a matrix, or a stack of them, by NumPy alone."""

    def __init__(self, matrix):
        self._matrix = matrix

    def solve(self, right):
        return np.linalg.solve(self._matrix, right[..., None])[..., 0]

    def solve_transposed(self, right):
        return np.linalg.solve(np.swapaxes(self._matrix, -1, -2), right[..., None])[..., 0]


class _SparseLU:
    """One sparse LU factorisation of I - discount * transition, through SuperLU."""

    def __init__(self, transition, discount, ends):
        from scipy.sparse import diags_array, eye_array
        from scipy.sparse.linalg import splu

        if not ends.all():
            transition = diags_array(ends.astype(float)) @ transition
        matrix = eye_array(transition.shape[0]) - discount * transition
        # Rows are diagonally dominant, so the diagonal is a good pivot; then the order may be chosen for
        # little fill-in, and for a symmetric pattern, which most transition graphs nearly have.
        try:
            self._lu = splu(
                matrix.tocsc(),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError:
            # Exactly singular: an error of the solutions, as with LAPACK.
            self._lu = None

    def solve(self, right):
        return self._solve(right, "N")

    def solve_transposed(self, right):
        return self._solve(right, "T")

    def _solve(self, right, transposed):
        if self._lu is None:
            raise np.linalg.LinAlgError("singular matrix")
        return self._lu.solve(right, trans=transposed)


def _dense(matrix):
    try:
        return _DenseLU(matrix)
    except ImportError:
        return _StackedSolve(matrix)


def _check(mdp, probs):
    S, A = mdp.reward.shape
    if probs.ndim < 2:
        raise ValueError(f"policy.probs() has shape {probs.shape}; expected (..., S, A) = (..., {S}, {A})")
    if probs.shape[-2:] != (S, A):
        raise ValueError(
            f"policy is for {probs.shape[-2]} states and {probs.shape[-1]} actions; "
            f"expected {S} states and {A} actions, as in mdp"
        )
    if mdp.is_sparse and probs.ndim > 2:
        raise ValueError(
            f"policy is a batch of shape {probs.shape[:-2]}; "
            "expected one policy at a time with sparse transitions"
        )
    missing = np.abs(probs @ np.ones(A) - 1)
    # Also false for NaN.
    if not (probs.min() >= 0 and missing.max() <= _validate.ROUNDING):
        wrong = ~((probs >= 0).all(-1) & (missing <= _validate.ROUNDING))
        at = _validate.first(wrong)
        digits = f". Compute them in float64, not in {probs.dtype}" if probs.dtype.itemsize < 8 else ""
        raise ValueError(
            f"policy.probs(){_validate.subscript(at)} is {probs[at]}; "
            f"expected probabilities of at least 0 that sum to 1 within {_validate.ROUNDING:g}{digits}"
        )


def _sure_ends(mdp, support):
    """Return, at discount 1, the states from which the episode is sure to end; raise if the start is not."""
    sources, targets, can_end = _ways_to_end(mdp, support)
    stuck = _first_stuck(mdp, sources, targets, can_end)
    if stuck is not None:
        raise ValueError(
            f"discount is 1 and the episode need not end: the start reaches state {stuck}, from which "
            "this policy leads to no end; expected an end with certainty. Give an absorbing state rows of "
            "total 0 to end the episode there, or take a discount below 1"
        )
    # A state is sure to end unless it leads to one that cannot.
    return ~reached(targets, sources, ~can_end)


def endless_state(mdp, support):
    """Return a state that the start reaches and from which the policy leads to no end, or None.

    `support` (S, A) says which actions are possible.
    """
    return _first_stuck(mdp, *_ways_to_end(mdp, support))


def _ways_to_end(mdp, support):
    """Return the edges of the chain, from `sources` to `targets`, and the states that can end."""
    # An edge s -> p is there if some action that the policy may take leads from s to p.
    sources, targets = mdp.mixed_transition(support.astype(float)).nonzero()
    can_end = reached(targets, sources, ((mdp.ending > 0) & support).any(-1))
    return sources, targets, can_end


def _first_stuck(mdp, sources, targets, can_end):
    stuck = np.flatnonzero(reached(sources, targets, mdp.initial > 0) & ~can_end)
    return int(stuck[0]) if stuck.size else None


def reached(sources, targets, start):
    """Return the states that can be reached from `start` (bool, (S,)) along the edges, itself included."""
    order = np.argsort(sources, kind="stable")
    targets = targets[order]
    begin = np.searchsorted(sources[order], np.arange(len(start) + 1))
    found, front = start.copy(), np.flatnonzero(start)
    while front.size:
        degree = begin[front + 1] - begin[front]
        # The edges of the front, one run after the other.
        skipped = begin[front] - np.cumsum(degree) + degree
        near = targets[np.repeat(skipped, degree) + np.arange(degree.sum())]
        front = np.unique(near[~found[near]])
        found[front] = True
    return found


def _check_lifetimes(factors, ends):
    """Raise ValueError where, at discount 1, the expected number of steps to the end is out of range."""
    try:
        steps = factors.solve(ends.astype(float))
        # Without rounding errors every state of `ends` has at least one step to go. NaN is not below either.
        sound = steps.max() < _LONGEST_EPISODE and steps[ends].min() > 0.5
    except np.linalg.LinAlgError:
        sound = False
    if not sound:
        raise ValueError(
            f"discount is 1 and the expected number of steps to the end exceeds {_LONGEST_EPISODE:g}: "
            "values lose all their digits. Expected a policy under which the episode ends sooner, or a "
            "discount below 1"
        )
