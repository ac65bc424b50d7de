"""Owns the sums along time that returns and advantages are, on arrays that were looked at before."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate


def summed(terms, decay, ends=None, most=None):
    """Return the sum from each step on, each term further on times the decay once more; uses up `terms`.

    Parameters
    ----------
    terms : ndarray, shape (T, ...)
        Written over.
    decay : float
    ends : ndarray of bool, shape (T, ...), optional
        True where a sum ends.
    most : int, optional
        Terms of each sum, at most.

    Returns
    -------
    ndarray, shape (T, ...)
    """
    if most is not None:
        # With one term more in each round: x_t = (term of t) + decay x_{t+1}
        sums = terms.copy()
        for _ in range(min(most, len(terms)) - 1):
            sums[:-1] = terms[:-1] + _later(sums[1:], decay, None if ends is None else ends[:-1])
        return sums
    for t in reversed(range(len(terms) - 1)):
        # x_t = (term of t) + decay x_{t+1}
        terms[t] += _later(terms[t + 1], decay, None if ends is None else ends[t])
    return terms


def _later(sums, decay, ends):
    sums = sums if decay == 1 else decay * sums
    return sums if ends is None else np.where(ends, 0.0, sums)


def one_step_errors(rewards, values, next_values, discount):
    """Return r_t + gamma V(s_{t+1}) - V(s_t)."""
    return rewards + discount * next_values - values


def along_time(name, values):
    """Return `values` as new floats, finite, whose first axis is time."""
    found = _validate.numbers(name, values, "an array of numbers, time first")
    if not (found.ndim and found.size):
        raise ValueError(f"{name} has shape {found.shape}; expected (T, ...) with no empty axis, time first")
    _validate.finite(name, found)
    return found


def like(name, values, rewards):
    """Return `values` as floats, one for each reward."""
    found = along_time(name, values)
    _validate.shape(name, found, rewards.shape, "as rewards")
    return found


def flags(name, values, shape):
    """Return `values` as booleans of this shape; all False if there are none."""
    if values is None:
        return np.zeros(shape, dtype=bool)
    found = np.asarray(values)
    if found.dtype != bool:
        raise TypeError(f"{name} must be made of True and False, got dtype {found.dtype}")
    _validate.shape(name, found, shape, "with one for each step")
    return found
