"""Owns the quadratic functions of a state, or of a state and an action, on the real line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Quadratic"]


@dataclass(frozen=True, eq=False)
class Quadratic:
    r"""Quadratic function :math:`f(z) = z^\top H z + c` of one or two real variables.

    Sums, differences and multiples of such functions are written as they are for arrays.

    Parameters
    ----------
    matrix : ndarray, shape (..., n, n)
        H, symmetric.
    constant : ndarray, shape (...)
        c.

    Examples
    --------
    >>> f = Quadratic(np.array([[1.0, 0.5], [0.5, 0.0]]), np.array(2.0))
    >>> f(3.0, 1.0)
    14.0
    >>> (f - 0.5 * f)(3.0, 1.0)
    7.0
    """

    matrix: np.ndarray
    constant: np.ndarray

    #: NumPy leaves the product with a number to `__rmul__`.
    __array_ufunc__ = None

    def __call__(self, *variables):
        """Value of the function.

        Parameters
        ----------
        *variables : float or ndarray
            The state, or state and action; shapes that broadcast to (N,).

        Returns
        -------
        float, or ndarray of shape (..., N)
        """
        n = self.matrix.shape[-1]
        if len(variables) != n:
            raise TypeError(f"this function takes {n} variable{'s'[: n > 1]}, got {len(variables)}")
        z = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in variables))
        total = spread(self.constant, z[0].ndim)
        for i in range(n):
            for j in range(n):
                total = total + spread(self.matrix[..., i, j], z[0].ndim) * z[i] * z[j]
        return scalar(total)

    def __add__(self, other):
        return Quadratic(self.matrix + other.matrix, self.constant + other.constant)

    def __sub__(self, other):
        return Quadratic(self.matrix - other.matrix, self.constant - other.constant)

    def __mul__(self, factor):
        return Quadratic(spread(factor, 2) * self.matrix, factor * self.constant)

    __rmul__ = __mul__

    def of_pairs(self):
        """Return a function of the state x as one of state and action (x, u), on which u has no bearing."""
        matrix = np.zeros((*self.matrix.shape[:-2], 2, 2))
        matrix[..., 0, 0] = self.matrix[..., 0, 0]
        return Quadratic(matrix, self.constant)


def spread(batch, n_axes):
    """Return `batch` (...) with `n_axes` new last axes, to meet arrays of points (N,) as (..., N)."""
    return np.reshape(batch, np.shape(batch) + (1,) * n_axes)


def scalar(values):
    """Return a number as a float, and an array as it is."""
    return values if np.ndim(values) else float(values)
