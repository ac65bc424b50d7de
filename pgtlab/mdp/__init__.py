"""Owns the problems: what the world does, and what it pays, whatever the policy."""

from pgtlab.mdp.finite import FiniteMDP
from pgtlab.mdp.linear_quadratic import LinearQuadraticMDP
from pgtlab.mdp.problem import not_a_problem as not_a_problem

__all__ = ["FiniteMDP", "LinearQuadraticMDP"]
