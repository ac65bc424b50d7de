"""Owns the policies: what is done in each state, and how that moves with the parameters."""

from pgtlab.policies.linear_gaussian import LinearGaussianPolicy
from pgtlab.policies.softmax import FinitePolicy, SoftmaxPolicy

__all__ = ["FinitePolicy", "LinearGaussianPolicy", "SoftmaxPolicy"]
