"""Results that the book cites, each on random problems by a second route: constants, limits, identities."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pgtlab import (
    LSTDQ,
    GradientAscent,
    SoftmaxPolicy,
    ascend,
    expected_return,
    fisher_information,
    gallery,
    kl_divergence,
    natural_policy_gradient,
    policy_gradient,
)
from tests.problems import layered_problem


def hessian(mdp, policy, h=1e-4):
    """Return the second derivatives of J, by central differences of the exact gradient."""
    steps = np.stack([1.0, -1.0])[:, None, None] * h * np.eye(policy.parameters.size)
    ahead, behind = policy_gradient(mdp, policy.with_parameters(policy.parameters + steps))
    return (ahead - behind) / (2 * h)


# --- the step size -----------------------------------------------------------------------------------


def test_second_derivatives_are_means_over_paths():
    """E[r_t (S_t S_t^T + H_t)]: S_t is the score of the path, H_t minus its features' covariances."""
    mdp, policy = layered_problem(np.random.default_rng(0), n_states=3, discount=0.7)
    p, scores, features = policy.probs(), policy.scores(), policy.features
    apart = features - np.einsum("sa,sak->sk", p, features)[:, None]
    curved = -np.einsum("sa,sak,sal->skl", p, apart, apart)
    total = np.zeros((policy.parameters.size,) * 2)

    def walk(s, chance, weight, S_t, H_t):
        for a in range(mdp.n_actions):
            made, bent = S_t + scores[s, a], H_t + curved[s]
            total[:] += chance * p[s, a] * weight * mdp.reward[s, a] * (np.outer(made, made) + bent)
            for following in np.flatnonzero(mdp.transition[s, a]):
                on = mdp.transition[s, a, following]
                walk(following, chance * p[s, a] * on, weight * 0.7, made, bent)

    for s in np.flatnonzero(mdp.initial):
        walk(s, mdp.initial[s], 1.0, 0.0, 0.0)
    assert_allclose(hessian(mdp, policy), total, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_no_curvature_exceeds_the_bound_and_its_step_never_goes_down(seed):
    rng = np.random.default_rng(seed)
    mdp, _ = gallery.garnet(4, 3, 2, discount=0.8, rng=rng)
    # G^2 = 1 - 1/3 and F = 1/2 for a tabular softmax of three actions.
    L = abs(mdp.reward).max() * (1 - 1 / 3 + 1 / 2) / 0.2**2
    for size in (0.0, 1.0, 3.0):
        policy = SoftmaxPolicy.tabular(size * rng.standard_normal((4, 3)))
        assert np.linalg.norm(hessian(mdp, policy), 2) <= L
    run = ascend(mdp, policy, rule=GradientAscent(), step_size=1 / L, n_steps=200)
    rises, squares = np.diff(run.returns), run.gradient_norms[:-1] ** 2
    assert (rises >= squares / (2 * L) - 1e-12).all()
    best = abs(mdp.reward).max() / 0.2
    assert (np.minimum.accumulate(squares) <= 2 * L * (best - run.returns[0]) / np.arange(1, 201)).all()


def test_the_covariance_of_a_softmax_is_at_most_one_half():
    # max over unit vectors of the variance of u_a under p is that of the extreme p = (1/2, 1/2, 0 ...).
    for p in (*np.random.default_rng(1).dirichlet(np.ones(4), 50), np.array([0.5, 0.5, 0.0, 0.0])):
        covariance = np.diag(p) - np.outer(p, p)
        assert np.linalg.norm(covariance, 2) <= 0.5 + 1e-12
        assert np.trace(covariance) <= 0.75 + 1e-12


# --- the Fisher information of paths -------------------------------------------------------------------


def test_the_divergence_of_paths_is_that_of_the_policies_at_every_visit():
    """At gamma = 1, exactly and not for small steps only; its second order is the Fisher information."""
    rng = np.random.default_rng(2)
    mdp, _ = gallery.one_knob()
    mdp = replace(mdp, discount=1.0)
    here = SoftmaxPolicy(rng.standard_normal((2, 2, 2)), [0.3, -0.4])
    there = here.with_parameters([0.9, 0.5])
    of_paths, fisher = 0.0, np.zeros((2, 2))
    for a in range(2):
        for b in range(2):
            chance, other = (each.probs()[0, a] * each.probs()[1, b] for each in (here, there))
            of_paths += chance * math.log(chance / other)
            score = here.scores()[0, a] + here.scores()[1, b]
            fisher += chance * np.outer(score, score)
    assert_allclose(kl_divergence(mdp, here, there), of_paths, rtol=1e-12)
    assert_allclose(fisher_information(mdp, here), fisher, rtol=1e-12)


# --- natural actor-critics -----------------------------------------------------------------------------


def lstd_on_one_knob(cost, lam, weight, fading):
    """Return v_0, v_1 and w of LSTD-Q(lambda) with a feature for each state, over the four paths."""
    half, gamma = Fraction(1, 2), Fraction(9, 10)
    left, right = [[Fraction(0)] * 3 for _ in range(3)], [Fraction(0)] * 3
    for first in (1, 0):
        for second in (1, 0):
            x = [[1, 0, first - half], [0, 1, second - half]]
            after = [[0, 1, 0], [0, 0, 0]]
            pays, z = [Fraction(first), -cost * second], [Fraction(0)] * 3
            for t in (0, 1):
                z = [fading * lam * old + weight**t * new for old, new in zip(z, x[t], strict=True)]
                for i in range(3):
                    right[i] += z[i] * pays[t]
                    for j in range(3):
                        left[i][j] += z[i] * (x[t][j] - gamma * after[t][j])
    for i in range(3):  # elimination
        for j in range(3):
            if j != i:
                factor = left[j][i] / left[i][i]
                left[j] = [u - factor * v for u, v in zip(left[j], left[i], strict=True)]
                right[j] -= factor * right[i]
    return [right[i] / left[i][i] for i in range(3)]


@pytest.mark.parametrize("lam", [Fraction(0), Fraction(1, 2), Fraction(1)])
def test_lstdq_as_published_misses_the_natural_gradient_whatever_lambda(lam):
    cost, gamma = Fraction(21, 20), Fraction(9, 10)
    natural = (1 - gamma * cost) / (1 + gamma)
    V = [(1 - gamma * cost) / 2, -cost / 2]
    assert (1 - cost) / 2 == Fraction(-1, 40) < 0 < natural
    for fading in (gamma, Fraction(1)):
        assert lstd_on_one_knob(cost, lam, Fraction(1), fading) == [*V, (1 - cost) / 2]
    assert lstd_on_one_knob(cost, lam, gamma, gamma) == [*V, natural]
    problem = gallery.one_knob(1.05)
    assert_allclose(natural_policy_gradient(*problem), [float(natural)], rtol=1e-12)
    assert_allclose(LSTDQ(float(lam)).fixed_point(*problem), [float(natural)], rtol=1e-12)


def test_if_states_share_a_parameter_the_natural_gradient_is_a_mean_over_visits():
    mdp, _ = gallery.two_states()
    policy = SoftmaxPolicy([[[1.0], [0.0]], [[1.0], [0.0]]], [4.0])
    p = 1 / (1 + math.exp(-4.0))
    P = np.array([[p, 1 - p], [1 - p, p]])
    V = np.linalg.solve(np.eye(2) - 0.9 * P, [p, 2 * p])
    rho = np.linalg.solve(np.eye(2) - 0.9 * P.T, [1.0, 0.0])
    gains = np.array([1 + 0.9 * (V[0] - V[1]), 2 + 0.9 * (V[1] - V[0])])
    assert_allclose(natural_policy_gradient(mdp, policy), [rho @ gains / rho.sum()], rtol=1e-10)
    assert gains[0] < 0 < gains[1]


def test_the_first_step_of_policy_iteration_is_not_yet_quadratic():
    """From k = -0.1 the error after a step is 0.763 of the square of the one before; the limit is 0.437."""
    gamma, k, errors = 0.9, -0.1, []
    P = ((2 * gamma - 1) + math.sqrt((2 * gamma - 1) ** 2 + 4 * gamma)) / (2 * gamma)
    best = -gamma * P / (1 + gamma * P)
    for _ in range(3):
        errors.append(abs(k - best))
        curvature = (1 + k**2) / (1 - gamma * (1 + k) ** 2)
        mdp, policy = gallery.linear_quadratic(k)
        size = 1 / (2 * policy.std**2 * (1 + gamma * curvature))
        k = float(k + size * natural_policy_gradient(mdp, policy)[0])
    ratios = np.array(errors[1:]) / np.array(errors[:-1]) ** 2
    assert_allclose(ratios[0], 0.763, atol=5e-4)
    assert ratios[0] > 0.5 > ratios[1]
    assert expected_return(*gallery.linear_quadratic(k)) > expected_return(*gallery.linear_quadratic(-0.1))
