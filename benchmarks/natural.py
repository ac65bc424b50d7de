"""The natural gradient from many features, against the one matrix product that it needs.

The least work is the Gram matrix of the weighted scores, X^T X with X = sqrt(rho pi) SC of shape (S*A, K), as
BLAS forms it (syrk, one triangle). On top of it come the scores themselves, V, Q and rho, a Cholesky factor
and its condition number. A policy with one redundant feature takes the singular values of the scores too, to
find the directions that none of them sees.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dgetrf

import pgtlab
from benchmarks import harness
from benchmarks.exact import DISCOUNT, problem, without_scipy
from benchmarks.harness import Case

FEATURES = 500

#: Numbers of states and of actions, and the aim. S*A is 4000; with 1000 states the factorisation behind V and
#: rho, which any gradient needs, takes as long as the syrk.
SIZES = ((400, 10, ("at most", 2.5)), (1000, 4, None))


def scaled_scores(mdp, policy):
    """X = sqrt(rho pi) SC as a matrix, and y = sqrt(rho pi) A."""
    weights = pgtlab.state_visitation(mdp, policy)[:, None] * policy.probs()
    X = (np.sqrt(weights)[..., None] * policy.scores()).reshape(-1, FEATURES)
    return X, (np.sqrt(weights) * pgtlab.advantages(mdp, policy)).ravel()


def by_normal_equations(mdp, policy):
    """The same from the slides: form the Fisher information and the gradient, and solve."""
    return np.linalg.solve(pgtlab.fisher_information(mdp, policy), pgtlab.policy_gradient(mdp, policy))


def table(S, A, aim, rounds, rng):
    """Check the values at one size, then measure."""
    transition, reward, initial, _ = problem(S, A, rng)
    features, theta = rng.standard_normal((S, A, FEATURES)), 0.05 * rng.standard_normal(FEATURES)
    redundant = features.copy()
    redundant[..., -1] = redundant[..., 0] + redundant[..., 1]

    def fresh(phi=features):
        # New objects, so that no chain and no probabilities are remembered.
        return pgtlab.FiniteMDP(transition, reward, initial, DISCOUNT), pgtlab.SoftmaxPolicy(phi, theta)

    X, y = scaled_scores(*fresh())
    expected = np.linalg.lstsq(X, y)[0]
    for setting in (nullcontext, without_scipy):
        with setting():
            harness.agree("natural gradient", pgtlab.natural_policy_gradient(*fresh()), expected)
    harness.agree("normal equations", by_normal_equations(*fresh()), expected)

    matrix = np.asfortranarray(np.eye(S) - DISCOUNT * transition.mean(1))
    return harness.measure(
        f"natural gradient: K={FEATURES}, S={S}, A={A}",
        [
            Case("one syrk", lambda X: dsyrk(1.0, X.T), lambda: (X,)),
            Case("one dgetrf, for V and rho", dgetrf, lambda: (matrix,)),
            Case("pgtlab", pgtlab.natural_policy_gradient, fresh, aim=aim),
            Case("pgtlab without SciPy", pgtlab.natural_policy_gradient, fresh, setting=without_scipy),
            Case("pgtlab, one feature redundant", pgtlab.natural_policy_gradient, lambda: fresh(redundant)),
            Case("FIM, gradient and a solve", by_normal_equations, fresh),
            Case("lstsq on X and y", np.linalg.lstsq, lambda: (X, y)),
        ],
        rounds=rounds,
    )


def main(options):
    """Measure at each size."""
    rng = np.random.default_rng(3)
    return [table(S, A, aim, options.rounds, rng) for S, A, aim in SIZES]
