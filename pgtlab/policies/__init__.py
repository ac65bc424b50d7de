"""Owns the policies: what is done in each state, and how that moves with the parameters."""

from pgtlab.policies.finite import FinitePolicy, SoftmaxPolicy
from pgtlab.policies.linear_gaussian import LinearGaussianPolicy

__all__ = ["FinitePolicy", "LinearGaussianPolicy", "SoftmaxPolicy"]
