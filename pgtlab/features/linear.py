"""Owns the features of critics that are linear in their weights: on states, and on states and actions."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from pgtlab import _validate
from pgtlab.features.given import TABULAR
from pgtlab.mdp import LinearQuadraticMDP

#: Nodes of the quadrature over a Gaussian action: exact for polynomials of degree up to 15.
_NODES = 8


def of_states(mdp, name, features):
    """Return features of states for this problem; left out, some that span V."""
    return _for(mdp, name, features, 1)


def of_pairs(mdp, name, features):
    """Return features of states and actions for this problem; left out, some that span Q."""
    return _for(mdp, name, features, 2)


def _for(mdp, name, features, n_variables):
    if isinstance(mdp, LinearQuadraticMDP):
        return _of_functions(name, features, n_variables)
    return _of_tables(name, features, mdp.reward.shape[:n_variables])


# --- finitely many states and actions ----------------------------------------------------------------


def _of_tables(name, features, cells):
    letter, cell = (("M", "state"), ("L", "state and action"))[len(cells) - 1]
    expected = f"({', '.join(map(str, cells))}, {letter})"
    if callable(features):
        raise TypeError(
            f"{name} is a function; expected {TABULAR!r} or an array of shape {expected} for a finite problem"
        )
    if features is None or isinstance(features, str):
        return TabularFeatures(cells)
    if features.shape[:-1] != cells:
        raise ValueError(
            f"{name} has shape {features.shape}; expected {expected}, a row of features for each {cell}"
        )
    return TableFeatures(cells, features.reshape(-1, features.shape[-1]))


class TabularFeatures:
    """A feature of its own for each cell of a table, of states or of states and actions."""

    #: Whether they span every V, or every Q, of the problem.
    is_complete = True

    def __init__(self, cells):
        self._cells, self.size = cells, math.prod(cells)

    def values(self, weights):
        """Return phi . w as a table."""
        return weights.reshape(self._cells)

    def at(self, states):
        """Return phi of states, shape (..., L); 0 after the end."""
        return (np.asarray(states)[..., None] == np.arange(self.size)).astype(np.float64)

    def total(self, paths, factors):
        """Return the sum over steps (T, N) of factor times phi, shape (L,)."""
        numbers = paths.states[:-1] if len(self._cells) == 1 else paths.pairs
        # The last entry is for what is over.
        return np.bincount(numbers.ravel(), factors.ravel(), self.size + 1)[: self.size]

    @staticmethod
    def mean_over_actions(policy, values):
        """Return sum_a pi(s, a) Q(s, a) as a table."""
        return np.vecdot(policy.probs(), values)


class TableFeatures(TabularFeatures):
    """A row of features for each cell of a table."""

    is_complete = False

    def __init__(self, cells, matrix):
        self.matrix, self.size, self._each = matrix, matrix.shape[1], TabularFeatures(cells)

    def values(self, weights):
        return self._each.values(self.matrix @ weights)

    def at(self, states):
        return self._rows[states]

    @cached_property
    def _rows(self):
        # One more, for what is over.
        return np.append(self.matrix, np.zeros((1, self.size)), axis=0)

    def total(self, paths, factors):
        # First by cell
        return self._each.total(paths, factors) @ self.matrix


# --- the real line -----------------------------------------------------------------------------------


def squares(x):
    """Return x^2 and 1, shape (..., 2), which span V."""
    return np.stack([x**2, np.ones_like(x)], axis=-1)


def squares_of_both(x, u):
    """Return x^2, x u, u^2 and 1, shape (..., 4), which span Q."""
    return np.stack([x**2, x * u, u**2, np.ones_like(x)], axis=-1)


def _of_functions(name, features, n_variables):
    variables = ("x", "u")[:n_variables]
    if features is None:
        complete = (squares, squares_of_both)[n_variables - 1]
        return FunctionFeatures(name, complete, variables, is_complete=True)
    if not callable(features):
        got = repr(features) if isinstance(features, str) else "an array"
        raise TypeError(
            f"{name} is {got}; expected a function of {' and '.join(variables)} that returns "
            f"(..., {'ML'[n_variables - 1]}), for a linear-quadratic problem, which has no table"
        )
    return FunctionFeatures(name, features, variables)


class FunctionFeatures:
    """Features that a function of x, or of x and u, returns."""

    def __init__(self, name, function, variables, is_complete=False):
        self._call, self._function = f"{name}({', '.join(variables)})", function
        self._n_variables, self.is_complete = len(variables), is_complete

    @cached_property
    def size(self):
        """Number of features L."""
        return self.at(*np.zeros((self._n_variables, 1))).shape[-1]

    def values(self, weights):
        """Return phi . w as a function."""
        return lambda *variables: self.at(*variables) @ weights

    def at(self, *variables):
        """Return phi of states, or of states and actions, shape (..., L)."""
        # A function may count on arrays: a number is handed over as an array of one.
        points = [np.atleast_1d(each) for each in variables]
        found, shape = self._function(*points), points[0].shape
        if not self.is_complete:
            found = self._checked(found, shape)
        return found if np.ndim(variables[0]) else found[0]

    def _checked(self, found, shape):
        """Return what a caller's function returned as numbers, a row for each of its arguments."""
        found = _validate.numbers(self._call, found)
        if found.ndim != len(shape) + 1 or found.shape[:-1] != shape:
            raise ValueError(
                f"{self._call} has shape {found.shape}; expected {shape}, as its arguments have it, and an "
                "axis of features"
            )
        _validate.finite(f"{self._call} at ", found)
        return found

    def total(self, paths, factors):
        """Return the sum over steps (T, N) of factor times phi, shape (L,)."""
        points = (paths.states[:-1], paths.actions)[: self._n_variables]
        return np.einsum("tn,tnk->k", factors, self.at(*points))

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
