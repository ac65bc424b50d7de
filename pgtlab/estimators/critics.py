"""Owns how values that a caller passes in are kept and read: tables, or functions on the real line."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.exact.values import Quadratic
from pgtlab.rollouts.paths import FinitePaths, Paths


def checked(paths):
    """Raise TypeError unless `paths` is what `rollout` returns."""
    if not isinstance(paths, Paths):
        raise TypeError(f"paths must be what rollout returns, got {type(paths).__name__}")


def kept(name, values, axes):
    """Return values as they came if they are a function, else as a read-only array with `axes`.

    NaN stands for no value: it may be there, but may not be read.
    """
    if callable(values):
        return values
    table = _validate.numbers(name, values, f"an array of numbers of shape {axes}")
    _validate.array(name, np.where(np.isnan(table), 0.0, table), axes)
    return _validate.read_only(table)


def on_states(name, values, paths):
    """Return state values along paths, shape (T + 1, N); 0 after the end."""
    if isinstance(paths, FinitePaths):
        return _looked_up(name, table(name, values, (paths.mdp.n_states,)), paths.states)
    return _computed(name, values, paths.states)


def on_pairs(name, values, paths):
    """Return action values along paths, shape (T, N)."""
    if isinstance(paths, FinitePaths):
        return _looked_up(name, table(name, values, paths.mdp.reward.shape), paths.pairs)
    return _computed(name, values, paths.states[:-1], paths.actions)


def table(name, values, shape):
    """Return `values`, for a finite problem; raise unless they are an array of this shape."""
    if callable(values):
        raise TypeError(f"{name} is a function; expected an array of shape {shape} for a finite problem")
    _validate.shape(name, values, shape, "as in mdp")
    return values


def matrix(name, values, n):
    """Return the matrix (n, n) of a quadratic function; raise for anything else."""
    _validate.instance(name, values, Quadratic)
    _validate.shape(f"{name}.matrix", values.matrix, (n, n), "for a linear-quadratic problem")
    return values.matrix


def _looked_up(name, values, numbers):
    # One entry more, for what is over.
    found = np.append(values.ravel(), 0.0).take(numbers)
    if np.isnan(values).any():
        _validate.finite(f"{name} along the paths, at time and episode ", found)
    return found


def _computed(name, function, *points):
    variables = ("x", "u")[: len(points)]
    if not callable(function):
        raise TypeError(
            f"{name} is an array; expected a function of {' and '.join(variables)} "
            "for a linear-quadratic problem"
        )
    call = f"{name}({', '.join(variables)})"
    found = _validate.numbers(call, function(*points))
    _validate.shape(call, found, points[0].shape, "as the paths have it")
    _validate.finite(f"{call} along the paths, at time and episode ", found)
    return found
