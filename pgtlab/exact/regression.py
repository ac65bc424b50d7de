r"""Owns the solutions of least squares whose weights may differ by hundreds of powers of ten."""

from __future__ import annotations

import numpy as np

from pgtlab.exact.contrasts import contrasts, visited
from pgtlab.exact.linear_systems import lapack

#: Singular values of the scores below this share of the largest one count as zero.
RANK_TOLERANCE = 1e-12

#: Below this share a singular value is what rounding leaves of a 0; between the two nobody can tell.
_ZERO = 1e-14

#: Condition number of the normal equations, in the 1-norm, up to which they are solved.
WELL_CONDITIONED = 1e8

#: Entries of an equation below this share of its largest are taken for what rounding left of a 0.
_ROUNDING = 1e-13

#: Share of the targets by which equations of unknown weight may disagree.
_AGREEMENT = 1e-8


class Directions:
    r"""Directions of the parameters that some equation sees, whatever its weight.

    Parameters
    ----------
    rows : ndarray, shape (n, K)
    shortest : float
        Rows below this share of the largest entry of each column are not drawn out to length 1: what they
        tell may be rounding.

    Attributes
    ----------
    basis : ndarray, shape (K, r)
        Of full column rank; with the directions that are not seen it spans everything.
    unseen : ndarray, shape (K - r, K)
        An orthonormal basis of the null space of `rows`.

    Notes
    -----
    How often a state is visited says nothing on what can be seen there: the rank is that of the rows without
    their weights, each column and then each row divided by its largest entry.
    """

    def __init__(self, rows, shortest=0.0):
        K = rows.shape[-1]
        unit = np.abs(rows).max(0, initial=0.0)
        unit = np.where(unit > 0, unit, 1.0)
        scaled = rows / unit
        length = np.abs(scaled).max(1, initial=0.0)[:, None]
        told, length = length > _ROUNDING, np.maximum(length, shortest)
        scaled = np.divide(scaled, length, where=told, out=np.zeros_like(scaled))
        # The rows and the triangle of their QR factorisation have the same right singular vectors.
        _, singular, Vt = np.linalg.svd(np.linalg.qr(scaled, mode="r"), full_matrices=True)
        share = singular / singular.max(initial=np.finfo(float).tiny)
        doubtful = share[(share > _ZERO) & (share <= RANK_TOLERANCE)]
        if doubtful.size:
            raise ValueError(
                f"a direction of the parameters changes scores {doubtful[0]:.2g} times as much as another, "
                "and rounding leaves open whether at all; expected features of which none is nearly a "
                f"combination of the others (a share above {RANK_TOLERANCE:g}), or one that is so exactly "
                f"(below {_ZERO:g})"
            )
        rank = int((share > RANK_TOLERANCE).sum())
        # scaled z = 0  <=>  rows (z / unit) = 0
        self.basis = (Vt[:rank].T if rank < K else np.eye(K)) / unit[:, None]
        self.unseen = np.linalg.qr(Vt[rank:].T / unit[:, None])[0].T

    def least(self, w):
        """Return w without its part in the directions that are not seen."""
        return w - (w @ self.unseen.T) @ self.unseen

    def solved(self, rows, right, log_weights, size=None):
        r"""Return :math:`X^\top W (U w - b) = 0` as a square system, each equation in its own units.

        Parameters
        ----------
        rows : ndarray, shape (n, K)
            X, by which the directions were found.
        right : ndarray, shape (n, K + 1)
            U with b beside it.
        log_weights : ndarray, shape (n,)
        size : ndarray, shape (n,), optional
            As for `triangular`.

        Returns
        -------
        matrix : ndarray, shape (r, r)
        right : ndarray, shape (r,)
        back : ndarray, shape (K, r)
            Takes a solution to the parameters.
        """
        right = np.concatenate([right[:, :-1] @ self.basis, right[:, -1:]], axis=1)
        # X sqrt(W) = Q R: the equations are Q^T sqrt(W) (U z - b) = 0, each in units of its own weight.
        _, equations, _ = triangular(rows @ self.basis, right, log_weights, size)
        # An equation without any unknown is left as it is.
        largest = np.abs(equations[:, :-1]).max(1, initial=0.0, keepdims=True)
        equations = equations / np.where(largest > 0, largest, 1.0)
        unit = np.abs(equations[:, :-1]).max(0, initial=0.0)
        unit = np.where(unit > 0, unit, 1.0)
        return equations[:, :-1] / unit, equations[:, -1], self.basis / unit


def least_squares_on_score(mdp, policy, rho, values, *, squared):
    r"""Return the w of least norm that minimises :math:`\sum \rho \pi \, (f - \mathrm{SC} \cdot w)^2`.

    Parameters
    ----------
    mdp : FiniteMDP
    policy : FinitePolicy
    rho : ndarray, shape (..., S)
        Visits, which need not be those of `mdp`.
    values : ndarray, shape (..., S, A)
        f; where the policy never is, it may be NaN.
    squared : bool
        Whether by the normal equations where the weights are of the same order, or by singular values. Where
        they are not, it is row by row.

    Returns
    -------
    ndarray, shape (..., K)

    Raises
    ------
    ValueError
        If the solution hangs on visits below 1e-300.
    """
    if policy.is_tabular:
        # The score of (s, a) is e_sa - sum_b pi(s, b) e_sb: w = f solves the least squares problem, and so
        # does f plus any function of the state. The norm is least if w sums to 0 over the actions.
        here = visited(mdp, policy, rho)[..., None]
        f = np.where(here, values, 0.0)
        w = f - f.mean(-1, keepdims=True)
        return w.reshape(*w.shape[:-2], -1)
    return _least_norm(contrasts(mdp, policy, rho, values), squared)


def _least_norm(equations, squared):
    *batch, n, K = equations.rows.shape
    w = np.zeros((*batch, K))
    todo = np.ones(batch, bool)
    if squared and batch and n:
        w, todo = _stacked(equations)
    for at in np.ndindex(*batch):
        if todo[at] and equations.seen[at].any():
            each = (equations.rows[at], equations.targets[at], equations.log_weights[at], equations.seen[at])
            w[at] = _one(*each, squared)
    return w


def _one(rows, targets, logs, seen, squared):
    if squared:
        root = _root_weights(logs)
        w = _by_cholesky(root[:, None] * rows, root * targets)
        if w is not None:
            return w
    rows, targets, logs = rows[seen], targets[seen], logs[seen]
    directions = Directions(rows)
    reduced = rows @ directions.basis
    # Actions that have the same score ask for nothing, however heavy they are.
    asks = reduced.any(1)
    if not asks.any():
        return np.zeros(rows.shape[1])
    reduced, targets, logs = reduced[asks], targets[asks], logs[asks]
    root = _root_weights(logs)
    X, y = root[:, None] * reduced, root * targets
    z = _by_cholesky(X, y) if squared else _by_singular_values(X, y)
    if z is None:
        z = row_by_row(reduced, targets, logs)
    return directions.least(directions.basis @ z)


def _root_weights(logs):
    """Return the roots of the weights, of which the largest is 1."""
    largest = logs.max(-1, keepdims=True)
    return np.exp((logs - np.where(np.isfinite(largest), largest, 0.0)) / 2)


def _stacked(equations):
    """Return the solutions of those of a stack whose normal equations will do, and which are still to do."""
    root = _root_weights(equations.log_weights)
    X, y = root[..., None] * equations.rows, root * equations.targets
    with np.errstate(over="ignore", invalid="ignore"):
        F = np.swapaxes(X, -1, -2) @ X
    good = np.linalg.cond(F, 1) <= WELL_CONDITIONED
    w = np.zeros((*X.shape[:-2], X.shape[-1]))
    if good.any():
        w[good] = _refined(X[good], y[good], lambda right: np.linalg.solve(F[good], right[..., None])[..., 0])
    return w, ~good


def _by_cholesky(X, y):
    """Return the solution by the normal equations, or None where they are not well-conditioned."""
    with np.errstate(over="ignore", invalid="ignore"):
        F = X.T @ X
        norm = np.abs(F).sum(0).max()
    try:
        routines = lapack()
    except ImportError:
        if not np.linalg.cond(F, 1) <= WELL_CONDITIONED:
            return None
        return _refined(X, y, lambda right: np.linalg.solve(F, right))
    # F is symmetric, so F.T is F in Fortran order: nothing is copied.
    factor, failed = routines.dpotrf(F.T, clean=0, overwrite_a=1)
    if failed or routines.dpocon(factor, norm)[0] * WELL_CONDITIONED < 1:
        return None
    return _refined(X, y, lambda right: routines.dpotrs(factor, right)[0])


def _by_singular_values(X, y):
    """Return the solution by singular values, or None where those are as far apart as the weights."""
    w, _, rank, _ = np.linalg.lstsq(X, y, rcond=WELL_CONDITIONED**-0.5)
    return w if rank == X.shape[1] else None


def _refined(X, y, solve):
    """Return the solution of X^T X w = X^T y by `solve`, improved once on the residual of X w = y."""
    w = solve(_rows_times(y, X))
    residual = y - (X @ w[..., None])[..., 0]
    return w + solve(_rows_times(residual, X))


def _rows_times(row, matrix):
    """Return the product of a row vector (..., n) and a matrix (..., n, m)."""
    return (row[..., None, :] @ matrix)[..., 0, :]


def row_by_row(rows, targets, log_weights):
    """Return the weighted least squares solution (r,) of rows (n, r) of full column rank.

    Raise ValueError where it hangs on weights that are unknown, of logarithm minus infinity.
    """
    triangle, right, order = triangular(rows, targets[:, None], log_weights)
    z = np.empty(len(order))
    for j in reversed(range(len(order))):
        at = order[j + 1 :]
        z[order[j]] = (right[j, 0] - triangle[j, at] @ z[at]) / triangle[j, order[j]]
    return z


def triangular(rows, right, log_weights, size=None):
    r"""Bring weighted equations into triangular form, each in units of its own weight.

    Parameters
    ----------
    rows : ndarray, shape (n, r)
        Of full column rank.
    right : ndarray, shape (n, m)
        What goes with each row.
    log_weights : ndarray, shape (n,)
        Minus infinity: below all others, by an unknown factor.
    size : ndarray, shape (n,), optional
        What the rounding of each row is a share of; its own largest entry without.

    Returns
    -------
    triangle : ndarray, shape (r, r)
        Row j is 0 in the columns ``order[:j]``.
    right : ndarray, shape (r, m)
    order : ndarray of int, shape (r,)

    Raises
    ------
    ValueError
        If equations of unknown weight contradict one another.

    Notes
    -----
    Householder's reflections, of which each takes the heaviest entry that is left as its pivot, on rows that
    are not multiplied by their weights: with the roots g of the weights in units of the pivot's, the
    reflection :math:`g_i x_i \leftarrow g_i x_i - \beta v_i (v \cdot g x)` and :math:`v_i = g_i u_i` is
    :math:`x_i \leftarrow x_i - \beta u_i (v \cdot g x)`. So a light row keeps its digits beside a heavy one,
    however light, and what is left of a row that heavier ones determine is a 0 that can be told.

    References
    ----------
    A. J. Cox and N. J. Higham, "Stability of Householder QR factorization for weighted least squares
    problems", 1998.
    """
    n, r = rows.shape
    unknown = np.isneginf(log_weights)
    half = np.where(unknown, -1e300, log_weights) / 2
    table = np.concatenate([rows, right], axis=1)
    size = np.abs(rows).max(1) if size is None else size
    left, order, pending = np.ones(r, bool), [], np.ones(n, bool)
    disputed, scale = None, 0.0
    result = np.empty((r, table.shape[1]))
    for j in range(r):
        entries = np.where(left & pending[:, None], np.abs(table[:, :r]), 0.0)
        if not entries.any():
            raise ValueError(
                "what the equations tell apart is lost in rounding; expected features of which none is "
                "nearly a combination of the others"
            )
        with np.errstate(divide="ignore"):
            p = int(np.argmax(np.log(entries.max(1)) + half))
        q = int(entries[p].argmax())
        if unknown[p] and disputed is None:
            disputed = pending & (entries.max(1) > 0)
            scale = np.abs(table[disputed, r:]).max(initial=0.0)
        u = np.where(pending, table[:, q], 0.0)
        # A row that is heavier than the pivot's has next to nothing in this column.
        g = np.exp(np.clip(half - half[p], -700.0, 200.0))
        v = g * u
        length = np.copysign(np.sqrt(v @ v), v[p])
        v[p] = u[p] = v[p] + length
        s = (v @ (g[:, None] * table)) * (2 / (v @ v))
        table -= u[:, None] * s
        small = np.abs(table[:, :r]) <= _ROUNDING * size[:, None]
        table[:, :r][small] = 0.0
        result[j] = table[p]
        left[q], pending[p] = False, False
        order.append(q)
    # What is left of the equations of unknown weight is what they disagree by.
    contested = np.zeros(n, bool) if disputed is None else disputed & pending
    if np.abs(table[contested, r:]).max(initial=0.0) > _AGREEMENT * scale:
        raise ValueError(
            "the least squares hang on states that are visited less than 1e-300 times: by how much less one "
            "than the other is lost in double precision, and they ask for different weights. Expected a "
            "policy or a start that visits them more often, or a parameter for each state and action "
            "(SoftmaxPolicy.tabular), for which visits do not count"
        )
    return result[:, :r], result[:, r:], np.array(order)
