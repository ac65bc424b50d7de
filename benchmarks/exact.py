"""Exact V, Q, rho and the gradient on dense problems, against the least work that they need.

The least work is one LU factorisation of an (S, S) matrix and two passes over the (S, A, S)
transitions: one to mix them into the matrix, one for the action values.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from unittest import mock

import numpy as np
from scipy.linalg.lapack import dgetrf

import pgtlab
from benchmarks import harness
from benchmarks.harness import Case

ACTIONS = 4
DISCOUNT = 0.95

#: Number of states, runs a round, aim for the ratio.
SIZES = ((1000, 1, ("at most", 1.4)), (100, 10, ("at most", 2.0)), (10, 50, None))


def through_pgtlab(mdp, policy):
    """V, Q, rho and the gradient through the public functions."""
    return (
        pgtlab.state_values(mdp, policy),
        pgtlab.action_values(mdp, policy),
        pgtlab.state_visitation(mdp, policy),
        pgtlab.policy_gradient(mdp, policy),
    )


def by_two_solves(transition, reward, initial, theta):
    """The same four as one writes them down from the slides, with a solve for each system."""
    weight = np.exp(theta)
    pi = weight / weight.sum(1, keepdims=True)
    P = np.einsum("sa,sap->sp", pi, transition)
    matrix = np.eye(len(P)) - DISCOUNT * P
    V = np.linalg.solve(matrix, (pi * reward).sum(1))
    Q = reward + DISCOUNT * np.einsum("sap,p->sa", transition, V)
    rho = np.linalg.solve(matrix.T, initial)
    return V, Q, rho, (rho[:, None] * pi * (Q - V[:, None])).ravel()


def least_work(matrix, transition, pi, v):
    """One factorisation in place and two passes over the transitions, each as fast as NumPy has it."""
    dgetrf(matrix.T, overwrite_a=1)
    (pi[:, None, :] @ transition)[:, 0]
    transition.reshape(-1, len(v)) @ v


def without_scipy():
    """Return a context in which pgtlab finds no LAPACK through SciPy."""
    return mock.patch.dict(sys.modules, {"scipy.linalg.lapack": None})


def problem(S, A, rng):
    """Return random arrays: every state leads to every state."""
    transition = rng.random((S, A, S))
    transition /= transition.sum(-1, keepdims=True)
    return transition, rng.standard_normal((S, A)), np.full(S, 1 / S), rng.standard_normal((S, A))


def table(S, number, aim, rounds, rng):
    """Check the values at one size, then measure."""
    transition, reward, initial, theta = problem(S, ACTIONS, rng)

    def fresh():
        mdp = pgtlab.FiniteMDP(transition, reward, initial, DISCOUNT)
        return mdp, pgtlab.SoftmaxPolicy.tabular(theta)

    def copies():
        mdp, policy = fresh()
        P = (policy.probs()[:, None, :] @ transition)[:, 0]
        return np.eye(S) - DISCOUNT * P, mdp.transition, policy.probs(), np.ones(S)

    def arrays():
        # A copy, so that every case finds the transitions in the same state of the caches.
        return transition.copy(), reward, initial, theta

    names, naive = ("V", "Q", "rho", "gradient"), by_two_solves(transition, reward, initial, theta)
    for setting in (nullcontext, without_scipy):
        with setting():
            for name, ours, expected in zip(names, through_pgtlab(*fresh()), naive, strict=True):
                harness.agree(f"{name} at S={S}", ours, expected)

    return harness.measure(
        f"V, Q, rho, gradient: S={S}, A={ACTIONS}, dense",
        [
            Case("dgetrf and two passes over P", least_work, copies),
            Case("pgtlab", through_pgtlab, fresh, aim=aim),
            Case("pgtlab without SciPy", through_pgtlab, fresh, setting=without_scipy),
            Case("two solves and einsum", by_two_solves, arrays),
            Case("FiniteMDP(...) alone", partial(pgtlab.FiniteMDP, transition, reward, initial, DISCOUNT)),
        ],
        rounds=rounds,
        number=number,
    )


def main(options):
    """Measure at each size."""
    rng = np.random.default_rng(1)
    return [table(S, number, aim, options.rounds, rng) for S, number, aim in SIZES]
