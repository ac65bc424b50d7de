"""Owns where functions of states, and of states and actions, are defined: in cells, or on the real line.

There values that a caller hands in are looked up along paths, and features make a critic that is linear in
its weights.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from pgtlab import _validate
from pgtlab.features.given import TABULAR
from pgtlab.mdp import LinearQuadraticMDP

#: Nodes of the quadrature over a Gaussian action: exact for polynomials of degree up to 15.
_NODES = 8


def states(mdp):
    """Return the domain of functions of the state."""
    return RealLine(1) if isinstance(mdp, LinearQuadraticMDP) else Cells((mdp.n_states,))


def pairs(mdp):
    """Return the domain of functions of state and action."""
    return RealLine(2) if isinstance(mdp, LinearQuadraticMDP) else Cells(mdp.reward.shape)


class Cells:
    """Finitely many states, or states and actions: a function is a table."""

    def __init__(self, shape):
        self.shape = shape

    def table(self, name, values):
        """Return `values`; raise unless they are an array with an entry for each cell."""
        if callable(values):
            raise TypeError(
                f"{name} is a function; expected an array of shape {self.shape} for a finite problem"
            )
        _validate.shape(name, values, self.shape, "as in mdp")
        return values

    def along(self, name, values, paths):
        """Return values along paths, (T + 1, N) of states or (T, N) of pairs; 0 after the end."""
        # One entry more, for what is over.
        found = np.append(self.table(name, values).ravel(), 0.0).take(self.numbers(paths))
        if np.isnan(values).any():
            _validate.finite(f"{name} along the paths, at time and episode ", found)
        return found

    def numbers(self, paths):
        """Return the number of the cell at each time of paths; one beyond the last where there is none."""
        return paths.states if len(self.shape) == 1 else paths.pairs

    def features(self, name, features):
        """Return the features as a linear map; left out, a feature for each cell."""
        L, per = ("M", "state") if len(self.shape) == 1 else ("L", "state and action")
        expected = f"({', '.join(map(str, self.shape))}, {L})"
        if callable(features):
            raise TypeError(
                f"{name} is a function; expected {TABULAR!r} or an array of shape {expected} for a finite "
                "problem"
            )
        if features is None or isinstance(features, str):
            return TabularFeatures(self)
        if features.shape[:-1] != self.shape:
            raise ValueError(
                f"{name} has shape {features.shape}; expected {expected}, a row of features for each {per}"
            )
        return TableFeatures(self, features.reshape(-1, features.shape[-1]))


class TabularFeatures:
    """A feature of its own for each cell."""

    #: Whether they span every V, or every Q, of the problem.
    is_complete = True

    def __init__(self, cells):
        self._cells = cells
        self.size = math.prod(cells.shape)

    def values(self, weights):
        """Return phi . w as a table."""
        return weights.reshape(self._cells.shape)

    def at(self, states):
        """Return phi of states, shape (..., L); 0 after the end."""
        return (np.asarray(states)[..., None] == np.arange(self.size)).astype(np.float64)

    def total(self, paths, factors):
        """Return the sum over steps (T, N) of factor times phi, shape (L,)."""
        # The last entry is for what is over.
        numbers = self._cells.numbers(paths)[: paths.n_steps]
        return np.bincount(numbers.ravel(), factors.ravel(), self.size + 1)[: self.size]

    @staticmethod
    def mean_over_actions(policy, values):
        """Return sum_a pi(s, a) Q(s, a) as a table."""
        return np.vecdot(policy.probs(), values)


class TableFeatures(TabularFeatures):
    """A row of features for each cell."""

    is_complete = False

    def __init__(self, cells, matrix):
        self.matrix, self.size, self._in_cells = matrix, matrix.shape[1], TabularFeatures(cells)

    def values(self, weights):
        return self._in_cells.values(self.matrix @ weights)

    def at(self, states):
        # The number after the last is that of the end.
        return (
            self.matrix.take(states, axis=0, mode="clip") * (np.asarray(states) < len(self.matrix))[..., None]
        )

    def total(self, paths, factors):
        # First by cell
        return self._in_cells.total(paths, factors) @ self.matrix


class RealLine:
    """A state x, or x and an action u, on the real line: a function is a function of these."""

    def __init__(self, n_variables):
        self.n_variables = n_variables
        self.variables = ("x", "u")[:n_variables]

    def along(self, name, function, paths):
        """Return values along paths, (T + 1, N) of states or (T, N) of pairs."""
        if not callable(function):
            raise TypeError(
                f"{name} is an array; expected a function of {' and '.join(self.variables)} "
                "for a linear-quadratic problem"
            )
        call, points = f"{name}({', '.join(self.variables)})", self.points(paths)
        found = _validate.numbers(call, function(*points))
        _validate.shape(call, found, points[0].shape, "as the paths have it")
        _validate.finite(f"{call} along the paths, at time and episode ", found)
        return found

    def points(self, paths):
        """Return the states (T + 1, N), or the states and actions (T, N), of paths."""
        return (paths.states,) if self.n_variables == 1 else (paths.states[:-1], paths.actions)

    def features(self, name, features):
        """Return the features as a linear map; left out, what spans V or Q: the squares, and 1."""
        call, is_complete = f"{name}({', '.join(self.variables)})", features is None
        if is_complete:
            features = squares if self.n_variables == 1 else squares_of_both
        if not callable(features):
            got = repr(features) if isinstance(features, str) else "an array"
            raise TypeError(
                f"{name} is {got}; expected a function of {' and '.join(self.variables)} that returns "
                f"(..., {'ML'[self.n_variables - 1]}), for a linear-quadratic problem, which has no table"
            )
        return FunctionFeatures(self, call, features, is_complete)


class FunctionFeatures:
    """Features that a function returns, on the real line."""

    def __init__(self, line, call, function, is_complete):
        self._line, self._call, self._function, self.is_complete = line, call, function, is_complete

    @cached_property
    def size(self):
        """Number of features L."""
        return self.at(*np.zeros((self._line.n_variables, 1))).shape[-1]

    def values(self, weights):
        """Return phi . w as a function."""
        return lambda *variables: self.at(*variables) @ weights

    def at(self, *variables):
        """Return phi of states, or of states and actions, shape (..., L)."""
        shape = np.shape(variables[0])
        # A function may count on arrays: one number is handed over as an array of one.
        found = _validate.numbers(self._call, self._function(*map(np.atleast_1d, variables)))
        expected = shape or (1,)
        if found.shape[:-1] != expected or found.ndim != len(expected) + 1:
            letter = "ML"[len(variables) - 1]
            raise ValueError(
                f"{self._call} has shape {found.shape} at arguments of shape {expected}; "
                f"expected ({', '.join(map(str, expected))}, {letter})"
            )
        _validate.finite(f"{self._call} at ", found)
        return found if shape else found[0]

    def total(self, paths, factors):
        """Return the sum over steps (T, N) of factor times phi, shape (L,)."""
        points = (each[: paths.n_steps] for each in self._line.points(paths))
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


def squares(x):
    """Return x^2 and 1, shape (..., 2), which span V."""
    return np.stack([x**2, np.ones_like(x)], axis=-1)


def squares_of_both(x, u):
    """Return x^2, x u, u^2 and 1, shape (..., 4), which span Q."""
    return np.stack([x**2, x * u, u**2, np.ones_like(x)], axis=-1)
