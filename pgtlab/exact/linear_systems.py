"""Owns the factorisations of a finite chain's one matrix: by LAPACK, by NumPy alone, and sparse."""

from __future__ import annotations

import sys
from importlib import import_module

import numpy as np

from pgtlab.exact.elimination import SMALLEST_RATE, Elimination, Eliminations

#: Expected (discounted) steps to the end up to which a factorisation keeps eleven digits, and eight.
_LONG, _LONGEST = 1e5, 1e8

#: Sparse transitions of at most so many states are made dense where the end is farther off than `_LONG`.
_FEW_STATES = 1000


def factors(process):
    r"""Return what solves with :math:`I - \gamma P_\pi` of a finite chain, and with its transpose."""
    mdp = process.mdp
    near_1 = 1 - mdp.discount < 1 / _LONG
    if mdp.is_sparse:
        # gamma P_pi
        rates = process.transition * mdp.discount
        if not process.all_end:
            rates = rates.multiply(process.ends[:, None]).tocsr()
        found = _SparseLU(rates)
    else:
        # -gamma P_pi, in one pass
        matrix = mdp.mixed_transition(-mdp.discount * process.probs)
        if not process.all_end:
            matrix *= process.ends[..., None]
        rates = -matrix if near_1 else None
        # I - gamma P_pi: one more in every (S + 1)-th entry
        matrix.reshape(*matrix.shape[:-2], -1)[..., :: mdp.n_states + 1] += 1.0
        found = _StackedSolve(matrix) if matrix.ndim > 2 else _dense(matrix)
    if not near_1:
        return found
    steps = _longest(found, process.ends)
    if steps <= _LONG:
        return found
    if mdp.is_sparse and mdp.n_states > _FEW_STATES:
        if steps <= _LONGEST:
            return found
        raise ValueError(_too_long(_LONGEST))
    rates = rates.toarray() if mdp.is_sparse else rates
    found = (Eliminations if rates.ndim > 2 else Elimination)(rates, process.stops)
    if not _longest(found, process.ends) <= 1 / SMALLEST_RATE:
        raise ValueError(_too_long(1 / SMALLEST_RATE))
    return found


def eliminates(found):
    """Whether the systems are solved by elimination, as the end is far off."""
    return isinstance(found, Elimination | Eliminations)


_LAPACK, _scipy_absent = "scipy.linalg.lapack", False


def lapack():
    """Return `scipy.linalg.lapack`; raise ImportError without SciPy.

    That SciPy is absent is remembered: to search for it anew before each solution takes longer than a small
    solution. In a browser, gradient ascent on a few states took twenty times as long with the search.
    """
    global _scipy_absent
    if sys.modules.get(_LAPACK) is not None:
        return sys.modules[_LAPACK]
    if _scipy_absent and "scipy" not in sys.modules:
        raise ImportError("SciPy was not found before")
    try:
        return import_module(_LAPACK)
    except ModuleNotFoundError as error:
        _scipy_absent = error.name in ("scipy", None)  # a browser's Python gives no name
        raise


class _DenseLU:
    """One LU factorisation of a matrix, through LAPACK: half the time of `scipy.linalg.lu_factor`."""

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
    """One sparse LU factorisation of I - rates, through SuperLU."""

    def __init__(self, rates):
        from scipy.sparse import eye_array
        from scipy.sparse.linalg import splu

        matrix = eye_array(rates.shape[0]) - rates
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


def _longest(factors, ends):
    """Return the largest expected number of (discounted) steps to the end; infinite if out of range."""
    try:
        steps = factors.solve(ends.astype(float))
    except np.linalg.LinAlgError:
        return np.inf
    # Without rounding errors every state of `ends` has at least one step to go.
    return steps.max() if steps[ends].min() > 0.5 else np.inf


def _too_long(limit):
    return (
        f"the expected number of steps to the end, discounted, exceeds {limit:g}: values lose their digits. "
        "Expected a policy under which the episode ends sooner, or a smaller discount"
    )
