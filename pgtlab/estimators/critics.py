"""Owns how values that a caller passes in are kept and read: tables, or functions on the real line."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.rollouts.paths import Paths


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
    return paths.of_states(name, values)


def on_pairs(name, values, paths):
    """Return action values along paths, shape (T, N)."""
    return paths.of_pairs(name, values)
