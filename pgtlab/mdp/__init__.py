"""Owns the problems: what the world does, and what it pays, whatever the policy."""

from pgtlab.mdp.finite import FiniteMDP
from pgtlab.mdp.linear_quadratic import LinearQuadraticMDP

__all__ = ["FiniteMDP", "LinearQuadraticMDP"]


def not_a_problem(value):
    """Return the TypeError for a value that is neither of the two problems."""
    return TypeError(f"mdp must be a FiniteMDP or a LinearQuadraticMDP, got {type(value).__name__}")
