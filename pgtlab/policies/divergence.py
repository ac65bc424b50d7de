"""Owns the function that every divergence between two policies near one another is made of."""

from __future__ import annotations

import numpy as np


def above_tangent(x):
    """Return e^x - 1 - x."""
    # Near 0 by its series, whose next term is x^6 / 720: below, the difference would keep few digits.
    series = x**2 / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5)))
    with np.errstate(over="ignore"):
        return np.where(np.abs(x) < 1e-3, series, np.expm1(x) - x)
