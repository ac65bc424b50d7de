"""Owns the linear critics' features: tables over states or pairs, or functions on the real line."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.mdp import LinearQuadraticMDP

#: The word for a feature of its own for each state, or for each state and action.
TABULAR = "tabular"

#: Nodes of the quadrature over a Gaussian action: exact for polynomials of degree up to 15.
_NODES = 8


def kept(name, features, axes):
    """Return features as they came if they are a function or the word "tabular", else as an array."""
    if callable(features):
        return features
    if isinstance(features, str):
        if features != TABULAR:
            raise ValueError(f"{name} is {features!r}; expected {TABULAR!r}, an array {axes} or a function")
        return features
    return _validate.array(name, features, axes)


def on_states(name, features, mdp):
    """Return the features of states for this problem."""
    if isinstance(mdp, LinearQuadraticMDP):
        return _FunctionFeatures(name, features, 1)
    return _TableFeatures(name, features, (mdp.n_states,))


def on_pairs(name, features, mdp):
    """Return the features of states and actions for this problem."""
    if isinstance(mdp, LinearQuadraticMDP):
        return _FunctionFeatures(name, features, 2)
    return _TableFeatures(name, features, mdp.reward.shape)


class _TableFeatures:
    """Features of finitely many states, or states and actions."""

    def __init__(self, name, features, cells):
        self._cells = cells
        if callable(features):
            raise TypeError(f"{name} is a function; expected {TABULAR!r} or an array for a finite problem")
        self._matrix = None
        if not isinstance(features, str):
            _validate.shape(name, features[..., 0], cells, "and an axis of features, for this mdp")
            self._matrix = features.reshape(-1, features.shape[-1])

    def start(self):
        """Return weights of 0, shape (L,)."""
        return np.zeros(np.prod(self._cells) if self._matrix is None else self._matrix.shape[1])

    def values(self, weights):
        """Return phi . w as a table."""
        flat = weights if self._matrix is None else self._matrix @ weights
        return flat.reshape(self._cells)

    def at(self, cell):
        """Return phi of one state, shape (L,)."""
        if self._matrix is None:
            unit = self.start()
            unit[cell] = 1.0
            return unit
        return self._matrix[cell]

    def total(self, paths, factors):
        """Return the sum over steps (T, N) of factor times phi, shape (L,)."""
        numbers = paths.states[:-1] if len(self._cells) == 1 else paths.pairs
        # First by cell; the last entry is for what is over.
        n_cells = int(np.prod(self._cells))
        by_cell = np.bincount(numbers.ravel(), factors.ravel(), n_cells + 1)[:n_cells]
        return by_cell if self._matrix is None else by_cell @ self._matrix

    @staticmethod
    def mean_over_actions(policy, values):
        """Return sum_a pi(s, a) Q(s, a) as a table."""
        return np.vecdot(policy.probs(), values)


class _FunctionFeatures:
    """Features of a state x, or of x and u, on the real line."""

    def __init__(self, name, function, n_variables):
        variables = "xu"[:n_variables]
        if not callable(function):
            raise TypeError(
                f"{name} is no function; expected one of {' and '.join(variables)} that returns (..., L), "
                "for a linear-quadratic problem"
            )
        self._call = f"{name}({', '.join(variables)})"
        self._function, self._n_variables = function, n_variables

    def start(self):
        """Return weights of 0, shape (L,)."""
        return np.zeros(self._phi(*np.zeros((self._n_variables, 1))).shape[-1])

    def values(self, weights):
        """Return phi . w as a function."""
        return lambda *variables: self._phi(*variables) @ weights

    def at(self, state):
        """Return phi of one state, shape (L,)."""
        return self._phi(np.array([state]))[0]

    def total(self, paths, factors):
        """Return the sum over steps (T, N) of factor times phi, shape (L,)."""
        where = (paths.states[:-1], paths.actions)[: self._n_variables]
        return np.einsum("tn,tnk->k", factors, self._phi(*where))

    @staticmethod
    def mean_over_actions(policy, values):
        """Return the mean of Q(x, u) over u ~ N(k x, s^2) as a function of x."""
        from numpy.polynomial.hermite_e import hermegauss

        nodes, weights = hermegauss(_NODES)
        weights = weights / weights.sum()

        def mean(x):
            # u = k x + s z with z at the nodes
            u = policy.gain * x[..., None] + policy.std * nodes
            return values(np.broadcast_to(x[..., None], u.shape), u) @ weights

        return mean

    def _phi(self, *variables):
        found = np.asarray(self._function(*variables), dtype=np.float64)
        if found.ndim != variables[0].ndim + 1 or found.shape[:-1] != variables[0].shape:
            raise ValueError(
                f"{self._call} has shape {found.shape} at arguments of shape {variables[0].shape}; "
                f"expected {(*variables[0].shape, 'L')}"
            )
        return found
