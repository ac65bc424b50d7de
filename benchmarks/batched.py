"""Many policies of one small problem: one call on the batch, against a Python loop over its policies."""

from __future__ import annotations

import numpy as np

import pgtlab
import pgtlab.gallery
from benchmarks import harness
from benchmarks.exact import DISCOUNT, by_two_solves
from benchmarks.harness import Case

STATES = 5
POLICIES = 1000


def in_a_loop(quantity, mdp, policy, thetas):
    """One policy at a time."""
    return np.array([quantity(mdp, policy.with_parameters(theta)) for theta in thetas])


def in_one_call(quantity, mdp, policy, thetas):
    """All policies at once."""
    return quantity(mdp, policy.with_parameters(thetas))


def by_hand(quantity, mdp, policy, thetas):
    """One policy at a time in plain NumPy, without pgtlab's checks."""
    return np.array([HANDMADE[quantity](mdp, theta.reshape(STATES, -1)) for theta in thetas])


def gradient_by_hand(mdp, theta):
    """The gradient for one tabular policy by two solves."""
    return by_two_solves(mdp.transition, mdp.reward, mdp.initial, theta)[-1]


def return_by_hand(mdp, theta):
    """The expected return of one tabular policy by one solve."""
    weight = np.exp(theta)
    pi = weight / weight.sum(1, keepdims=True)
    P = np.einsum("sa,sap->sp", pi, mdp.transition)
    return mdp.initial @ np.linalg.solve(np.eye(STATES) - DISCOUNT * P, (pi * mdp.reward).sum(1))


HANDMADE = {pgtlab.policy_gradient: gradient_by_hand, pgtlab.expected_return: return_by_hand}


def table(quantity, A, rounds, rng):
    """Check the values of one quantity, then measure."""
    mdp, policy = pgtlab.gallery.garnet(STATES, A, 3, discount=DISCOUNT, rng=rng)
    thetas = rng.standard_normal((POLICIES, STATES * A))

    def fresh():
        # A new object, so that no chain is remembered.
        again = pgtlab.FiniteMDP(mdp.transition, mdp.reward, mdp.initial, mdp.discount)
        return quantity, again, policy, thetas

    expected = by_hand(*fresh())
    harness.agree(quantity.__name__, in_one_call(*fresh()), expected)
    harness.agree(quantity.__name__, in_a_loop(*fresh()), expected)
    return harness.measure(
        f"{quantity.__name__}: {POLICIES} policies, S={STATES}, A={A}",
        [
            Case("one call", in_one_call, fresh),
            Case("loop over pgtlab", in_a_loop, fresh, aim=("at least", 8)),
            Case("loop over plain NumPy", by_hand, fresh),
        ],
        rounds=rounds,
    )


def main(options):
    """Measure two quantities for 2, 3 and 4 actions."""
    rng = np.random.default_rng(2)
    quantities = (pgtlab.policy_gradient, pgtlab.expected_return)
    return [table(quantity, A, options.rounds, rng) for quantity in quantities for A in (2, 3, 4)]
