"""The exact gradients, scores and Fisher information against automatic differentiation by JAX.

JAX knows no theorem: it is given J as a sum over time, and the chain rule does the rest.
"""

from __future__ import annotations

import os
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss
from numpy.testing import assert_allclose

from pgtlab import (
    FiniteMDP,
    FinitePolicy,
    action_values,
    average_reward,
    average_reward_gradient,
    expected_return,
    fisher_information,
    policy_gradient,
    state_visitation,
)
from pgtlab.gallery import one_knob
from tests import routes
from tests.problems import (
    BATCHES,
    FEATURES,
    random_linear_quadratic,
    random_policy,
    random_problem,
    seeds,
)

os.environ.setdefault("JAX_PLATFORMS", "cpu")
jax = pytest.importorskip("jax", reason="JAX is not installed: nothing to hold the gradients against")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

#: Steps that the sum over time has: 0.99 to this power is far below rounding.
STEPS = 2**13

#: Every size is compiled once, and only one of them with every kind of features.
SIZES = [(5, 3, kind) for kind in FEATURES] + [(1, 2, "tabular"), (3, 2, "linear")]


def close(ours, theirs):
    """Hold each entry to 1e-10 of the largest one, as entries may cancel; what all cancels, to 1e-12."""
    assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10 * np.abs(theirs).max() + 1e-12)


# --- the definitions, in JAX -----------------------------------------------------------------------


def softmax(theta, features):
    """Return the probabilities (S, A)."""
    weight = jnp.exp(features @ theta)
    return weight / weight.sum(1, keepdims=True)


def network(theta, features):
    """Return the probabilities (S, A) of a policy that is not linear in anything."""
    return softmax(jnp.tanh(theta) + theta[::-1] ** 3, jnp.tanh(features))


def sum_over_time(matrix):
    """Return 1 + M + M^2 + ... + M^(STEPS - 1)."""
    # The sum of 2n powers is (1 + M^n) times the sum of n powers.
    total, power = jnp.eye(len(matrix)), matrix
    for _ in range(STEPS.bit_length() - 1):
        total, power = total + power @ total, power @ power
    return total


def visits(theta, probs, features, transition, initial, discount):
    """Return rho(s) = sum_t gamma^t Pr(s_t = s)."""
    P = jnp.einsum("sa,sap->sp", probs(theta, features), transition)
    return initial @ sum_over_time(discount * P)


@partial(jax.jit, static_argnums=1)
@partial(jax.value_and_grad)
def discounted(theta, probs, features, transition, reward, initial, discount):
    """Return J and its gradient: what each visit earns, over all times."""
    rho = visits(theta, probs, features, transition, initial, discount)
    return rho @ (probs(theta, features) * reward).sum(1)


@jax.jit
@jax.value_and_grad
def in_the_long_run(theta, features, transition, reward, initial):
    """Return E r_t for a late t, and its gradient."""
    pi = softmax(theta, features)
    P = jnp.einsum("sa,sap->sp", pi, transition)
    for _ in range(10):
        P = P @ P
    return initial @ P @ (pi * reward).sum(1)


@partial(jax.jit, static_argnums=1)
@jax.jacfwd
def scores(theta, probs, features):
    """Return d log pi / d theta, shape (S, A, K)."""
    return jnp.log(probs(theta, features))


@jax.jit
def divergence_curvature(theta, features, transition, initial, discount):
    """Return the second derivatives of KL(pi, pi') in the parameters of pi', where the two are equal."""
    pi = softmax(theta, features)
    rho = visits(theta, softmax, features, transition, initial, discount)

    def divergence(other):
        return (rho[:, None] * pi * jnp.log(pi / softmax(other, features))).sum()

    return jax.hessian(divergence)(theta)


def moments(theta, system):
    """Return E x_t and E x_t^2 for t = 0, 1, ..., STEPS - 1 of the linear-quadratic problem."""
    a, b, _, _, noise, mean, std = system

    def step(now, _):
        first, second = now
        c = a + b * theta[0]
        return (c * first, c**2 * second + b**2 * jnp.exp(2 * theta[1]) + noise**2), now

    return jax.lax.scan(step, (mean, mean**2 + std**2), length=STEPS)[1]


def rewards(theta, system):
    """Return E r_t for t = 0, 1, ..., STEPS - 1: -(q x^2 + r (k^2 x^2 + s^2)) on average."""
    _, _, q, r, *_ = system
    return -((q + r * theta[0] ** 2) * moments(theta, system)[1] + r * jnp.exp(2 * theta[1]))


@jax.jit
@jax.value_and_grad
def discounted_lq(theta, system, discount):
    """Return J and its gradient."""
    return discount ** jnp.arange(STEPS) @ rewards(theta, system)


@jax.jit
@jax.value_and_grad
def in_the_long_run_lq(theta, system):
    """Return E r_t for a late t, and its gradient."""
    return rewards(theta, system)[-1]


def log_density(theta, x, u):
    """Return log N(u; k x, s^2)."""
    z = (u - theta[0] * x) / jnp.exp(theta[1])
    return -(z**2) / 2 - theta[1] - jnp.log(2 * jnp.pi) / 2


@jax.jit
def divergence_curvature_lq(theta, system, discount):
    """Return what `divergence_curvature` does: a sum over times, with integrals over states and actions."""
    first, second = moments(theta, system)
    # The logarithms are polynomials of degree 2, so few nodes make the integrals exact.
    nodes, weights = hermegauss(3)
    weights = jnp.asarray(weights / weights.sum())
    x = first[:, None, None] + jnp.sqrt(second - first**2)[:, None, None] * nodes[:, None]
    u = theta[0] * x + jnp.exp(theta[1]) * nodes

    def divergence(other):
        ratio = log_density(theta, x, u) - log_density(other, x, u)
        return discount ** jnp.arange(STEPS) @ jnp.einsum("tij,i,j->t", ratio, weights, weights)

    return jax.hessian(divergence)(theta)


@jax.jit
@partial(jax.vmap, in_axes=(None, 0, 0))
@jax.jacfwd
def scores_lq(theta, x, u):
    """Return d log pi / d theta at points (N,), shape (N, 2)."""
    return log_density(theta, x, u)


# --- finite problems -------------------------------------------------------------------------------


@st.composite
def finite_problems(draw):
    """Draw a problem of one of few sizes, and its arrays as the functions above take them."""
    S, A, kind = draw(st.sampled_from(SIZES))
    return random_problem(
        np.random.default_rng(draw(seeds)),
        n_states=S,
        n_actions=A,
        branching=draw(st.integers(1, S)),
        discount=draw(st.sampled_from([0.0, 0.5, 0.99, 1.0])),
        n_shut=draw(st.integers(0, S - 1)),
        features=kind,
    )


def arrays(mdp):
    return mdp.transition, mdp.reward, mdp.initial, mdp.discount


@given(finite_problems())
def test_the_policy_gradient_theorem_agrees_with_the_chain_rule(problem):
    mdp, policy = problem
    J, gradient = discounted(policy.parameters, softmax, policy.features, *arrays(mdp))
    close(expected_return(mdp, policy), J)
    close(policy_gradient(mdp, policy), gradient)


@given(finite_problems())
def test_the_fisher_information_is_the_curvature_of_the_divergence(problem):
    mdp, policy = problem
    transition, _, initial, discount = arrays(mdp)
    curvature = divergence_curvature(policy.parameters, policy.features, transition, initial, discount)
    close(fisher_information(mdp, policy), curvature)


@given(finite_problems())
def test_the_scores_are_the_derivatives_of_the_logarithms(problem):
    _, policy = problem
    close(policy.scores(), scores(policy.parameters, softmax, policy.features))


@pytest.mark.parametrize("batch", BATCHES[1:])
def test_a_batch_has_the_gradient_of_each_of_its_policies(batch):
    mdp, policy = random_problem(
        np.random.default_rng(11), n_states=5, n_actions=3, discount=0.99, n_shut=1, batch=batch
    )
    ours = policy_gradient(mdp, policy)
    for at in np.ndindex(batch):
        _, gradient = discounted(policy.parameters[at], softmax, policy.features, *arrays(mdp))
        close(ours[at], gradient)


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize("seed", range(8))
def test_the_gradient_of_the_average_reward_agrees(kind, seed):
    rng = np.random.default_rng(seed)
    # Every row leads to every state, so that the start is soon forgotten.
    transition, reward = rng.dirichlet(np.ones(5), size=(5, 3)), rng.normal(size=(5, 3))
    mdp = FiniteMDP(transition, reward, rng.dirichlet(np.ones(5)), 0.9)
    policy = random_policy(rng, 5, 3, kind)
    eta, gradient = in_the_long_run(
        policy.parameters, policy.features, mdp.transition, mdp.reward, mdp.initial
    )
    close(average_reward(mdp, policy), eta)
    close(average_reward_gradient(mdp, policy), gradient)


class NetworkPolicy(FinitePolicy):
    """What a reader may bring: probabilities from anywhere, scores by automatic differentiation."""

    def __init__(self, features, parameters):
        self.features, self.parameters = features, np.array(parameters)

    def probs(self):
        return np.array(network(self.parameters, self.features))

    def scores(self):
        return np.array(scores(self.parameters, network, self.features))

    def with_parameters(self, parameters):
        return NetworkPolicy(self.features, parameters)


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99, 1.0])
def test_a_readers_policy_with_scores_from_jax_is_served_too(discount):
    mdp, policy = random_problem(
        np.random.default_rng(12), n_states=5, n_actions=3, discount=discount, n_shut=2, features="linear"
    )
    policy = NetworkPolicy(policy.features, policy.parameters)
    _, gradient = discounted(policy.parameters, network, policy.features, *arrays(mdp))
    close(policy_gradient(mdp, policy), gradient)


# --- the linear-quadratic problem ------------------------------------------------------------------


def numbers(mdp):
    """Return the numbers of a linear-quadratic problem, without its discount."""
    return (
        mdp.drift,
        mdp.control,
        mdp.state_cost,
        mdp.action_cost,
        mdp.noise_std,
        mdp.initial_mean,
        mdp.initial_std,
    )


linear_quadratic = given(seeds, st.sampled_from([0.0, 0.5, 0.99]))


@linear_quadratic
def test_the_linear_quadratic_gradient_agrees_with_the_chain_rule(seed, discount):
    mdp, policy = random_linear_quadratic(np.random.default_rng(seed), discount=discount)
    J, gradient = discounted_lq(policy.parameters, numbers(mdp), discount)
    close(expected_return(mdp, policy), J)
    close(policy_gradient(mdp, policy), gradient)


@linear_quadratic
def test_the_linear_quadratic_fisher_information_is_the_curvature_of_the_divergence(seed, discount):
    mdp, policy = random_linear_quadratic(np.random.default_rng(seed), discount=discount)
    curvature = divergence_curvature_lq(policy.parameters, numbers(mdp), discount)
    close(fisher_information(mdp, policy), curvature)


@given(seeds)
def test_the_gradient_of_the_linear_quadratic_average_reward_agrees(seed):
    mdp, policy = random_linear_quadratic(np.random.default_rng(seed))
    eta, gradient = in_the_long_run_lq(policy.parameters, numbers(mdp))
    close(average_reward(mdp, policy), eta)
    close(average_reward_gradient(mdp, policy), gradient)


def test_the_scores_of_the_gaussian_are_the_derivatives_of_its_logarithm():
    rng = np.random.default_rng(13)
    _, policy = random_linear_quadratic(rng)
    x, u = rng.normal(size=(2, 50))
    close(policy.score(x, u), scores_lq(policy.parameters, x, u))
    close(policy.log_prob(x, u), log_density(policy.parameters, x, u))


# --- what would be wrong is seen -------------------------------------------------------------------


def without_gamma_t(mdp, policy):
    """The states weighted by how often they are visited, not discounted: M3."""
    undiscounted = FiniteMDP(mdp.transition, mdp.reward, mdp.initial, 1.0)
    return state_visitation(undiscounted, policy)


def without_transpose(mdp, policy):
    """The equation of V taken for that of rho: M11."""
    P, _ = routes.mixed(mdp, policy.probs())
    return np.linalg.solve(np.eye(len(P)) - mdp.discount * P, mdp.initial)


def normalised(mdp, policy):
    """The distribution taken for the measure."""
    rho = state_visitation(mdp, policy)
    return rho / rho.sum()


@pytest.mark.parametrize("mistake", [without_gamma_t, without_transpose, normalised])
def test_a_wrong_gradient_misses_by_far(mistake):
    rng = np.random.default_rng(14)
    transition = 0.9 * rng.dirichlet(np.ones(5), size=(5, 3))
    mdp = FiniteMDP(transition, rng.normal(size=(5, 3)), np.eye(5)[0], 0.5)
    policy = random_policy(rng, 5, 3, "linear")
    _, gradient = discounted(policy.parameters, softmax, policy.features, *arrays(mdp))

    def theorem(rho):
        return policy.score_sum(rho[:, None] * policy.probs() * action_values(mdp, policy))

    close(theorem(state_visitation(mdp, policy)), gradient)
    assert np.linalg.norm(theorem(mistake(mdp, policy)) - gradient) > 0.05 * np.linalg.norm(gradient)


def test_the_sign_that_gamma_t_turns_is_seen():
    # K9 at c = 1.05: .01375, and -.0125 with gamma^t dropped.
    mdp, policy = one_knob(1.05)
    _, gradient = discounted(policy.parameters, softmax, policy.features, *arrays(mdp))
    close(gradient, [(1 - 0.9 * 1.05) / 4])
    dropped = policy.score_sum(
        without_gamma_t(mdp, policy)[:, None] * policy.probs() * action_values(mdp, policy)
    )
    close(dropped, [(1 - 1.05) / 4])


@pytest.mark.parametrize("mistake", ["normalised", "not centred"])
def test_a_wrong_fisher_information_misses_by_far(mistake):
    mdp, policy = random_problem(
        np.random.default_rng(15), n_states=5, n_actions=3, discount=0.5, features="linear"
    )
    transition, _, initial, discount = arrays(mdp)
    curvature = divergence_curvature(policy.parameters, policy.features, transition, initial, discount)
    rho, directions = state_visitation(mdp, policy), policy.scores()
    if mistake == "normalised":
        rho = rho / rho.sum()
    else:
        directions = policy.features
    wrong = np.einsum("s,sa,sak,sal->kl", rho, policy.probs(), directions, directions)
    assert np.linalg.norm(wrong - curvature) > 0.05 * np.linalg.norm(curvature)
