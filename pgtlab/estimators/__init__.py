"""Owns the sampled gradients, each with its standard error and its exact mean."""

from pgtlab.estimators.baselines import best_baseline, fitted_values
from pgtlab.estimators.estimate import Estimate, estimate_gradient, reinforce, return_estimate
from pgtlab.estimators.signals import (
    GAE,
    ActionValues,
    Advantages,
    NStepReturn,
    ReturnToGo,
    Signal,
    TDErrors,
    WholeReturn,
)

__all__ = [
    "GAE",
    "ActionValues",
    "Advantages",
    "Estimate",
    "NStepReturn",
    "ReturnToGo",
    "Signal",
    "TDErrors",
    "WholeReturn",
    "best_baseline",
    "estimate_gradient",
    "fitted_values",
    "reinforce",
    "return_estimate",
]
