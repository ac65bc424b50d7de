"""Owns how values and features that a caller hands in are kept, and the word for one for each state."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate

#: The word for a feature of its own for each state, or for each state and action, of a finite problem.
TABULAR = "tabular"


def kept_values(name, values, axes):
    """Return values as they came if they are a function, else as a read-only array with `axes`.

    NaN stands for no value: it may be there, but may not be read.
    """
    if callable(values):
        return values
    table = _validate.numbers(name, values, f"an array of numbers of shape {axes}")
    _validate.array(name, np.where(np.isnan(table), 0.0, table), axes)
    return _validate.read_only(table)


def kept_features(name, features, axes):
    """Return features as they came if they are left out, a function or the word, else as an array."""
    if features is None or callable(features):
        return features
    if isinstance(features, str):
        if features != TABULAR:
            raise ValueError(f"{name} is {features!r}; expected {TABULAR!r}, an array {axes} or a function")
        return features
    return _validate.array(name, features, axes)
