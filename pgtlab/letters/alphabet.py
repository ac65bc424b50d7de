"""Owns the letters that the proofs have in common, and what is done with them again and again."""

from __future__ import annotations

import sympy as sp

from pgtlab.letters.finite import problem
from pgtlab.letters.policies import any_policy


def in_motion():
    """Return a problem with every entry a symbol, under a policy that moves with one parameter, and that."""
    policy = any_policy()
    return problem().with_policy(policy), policy.parameters[0]


def table(name, *variables, n_states=2):
    """Return a matrix (S, 2) of symbols, or of functions of the variables."""
    make = (lambda each: sp.Function(each)(*variables)) if variables else sp.Symbol
    return sp.Matrix(n_states, 2, lambda s, a: make(f"{name}_{s}{a}"))


def column(name, *variables, length=2):
    """Return a column of symbols, or of functions of the variables."""
    make = (lambda each: sp.Function(each)(*variables)) if variables else sp.Symbol
    return sp.Matrix([make(f"{name}_{i}") for i in range(length)])


def combined(weights, matrices):
    """Return the sum of weight times matrix."""
    first, *others = (weight * each for weight, each in zip(weights, matrices, strict=True))
    return sum(others, first)


def summed(term, n, ratio):
    """Return the sum of a term over n = 0, 1, 2, ... that converges where a ratio is less than 1 in size."""
    total, where = sp.summation(term, (n, 0, sp.oo)).args[0]
    if where != (sp.Abs(ratio) < 1):
        raise ArithmeticError(f"SymPy sums {term} where {where}; expected it where {sp.Abs(ratio) < 1}")
    return total
