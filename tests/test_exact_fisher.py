"""The geometry of policies: Fisher information, divergence, natural gradient, each by two routes."""

from __future__ import annotations

import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from numpy.polynomial.hermite_e import hermegauss
from numpy.testing import assert_allclose

from pgtlab import (
    FiniteMDP,
    LinearGaussianPolicy,
    LinearQuadraticMDP,
    SoftmaxPolicy,
    advantages,
    fisher_information,
    kl_divergence,
    natural_policy_gradient,
    policy_gradient,
    state_visitation,
)
from pgtlab.gallery import linear_quadratic, now_or_later, one_knob, two_states
from tests import routes
from tests.problems import (
    BATCHES,
    TablePolicy,
    exactly,
    linear_quadratic_problems,
    problems,
    random_linear_quadratic,
    random_problem,
    seeds,
)


def by_definition(mdp, policy):
    """Return the Fisher information as the sum over states and actions of (22.1)."""
    rho, probs, scores = routes.visits(mdp, policy.probs()), policy.probs(), policy.scores()
    S, A, K = scores.shape
    total = np.zeros((K, K))
    for s in range(S):
        for a in range(A):
            total += rho[s] * probs[s, a] * np.outer(scores[s, a], scores[s, a])
    return total


# --- closed forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_now_or_later_has_the_natural_gradient_eight_everywhere(p):
    # K2: J = 1 + 8 p with dp/dtheta = p (1 - p), and the Fisher information is p (1 - p), from state 0 alone.
    mdp, policy = now_or_later(p)
    assert_allclose(fisher_information(mdp, policy), [[p * (1 - p)]], rtol=1e-13)
    assert_allclose(natural_policy_gradient(mdp, policy), [8.0], rtol=1e-12)


@pytest.mark.parametrize("cost", [0.5, 1.05, 1.15])
def test_one_knob_weighs_the_second_visit_with_the_discount(cost):
    # K9: (1 - 0.9 c) / 1.9; at c = 1.15 that is -0.018421, of the other sign than with the discount dropped.
    natural = natural_policy_gradient(*one_knob(cost))
    assert_allclose(natural, [(1 - 0.9 * cost) / 1.9], rtol=1e-11)


@pytest.mark.parametrize("gain", [-0.9, -0.3, 0.02])
def test_the_linear_quadratic_closed_forms(gain):
    # K3 with a = b = q = r = 1: natural step -2 s^2 [(r + gamma b^2 P) k + gamma a b P] for the gain and
    # -s^2 (r + gamma b^2 P) for log s, with P = (1 + k^2) / (1 - gamma (1 + k)^2).
    mdp, policy = linear_quadratic(gain=gain, log_std=-0.4)
    P = (1 + gain**2) / (1 - 0.9 * (1 + gain) ** 2)
    variance = math.exp(-0.8)
    expected = [-2 * variance * ((1 + 0.9 * P) * gain + 0.9 * P), -variance * (1 + 0.9 * P)]
    assert_allclose(natural_policy_gradient(mdp, policy), expected, rtol=1e-11)


def test_the_natural_gradient_crosses_the_plateau_that_the_gradient_does_not():
    # K4: state 1 is visited seldom, so the gradient there is small; its natural gradient is an advantage.
    mdp, policy = two_states()
    gradient, natural = policy_gradient(mdp, policy), natural_policy_gradient(mdp, policy)
    A = advantages(mdp, policy)
    # The score of staying is 1 - p and of switching -p, so the natural gradient is the difference of both.
    assert_allclose(natural, A[:, 0] - A[:, 1], rtol=1e-11)
    rho, probs = state_visitation(mdp, policy), policy.probs()
    assert_allclose(gradient, rho * probs[:, 0] * probs[:, 1] * natural, rtol=1e-11)


@pytest.mark.parametrize("cost", [0.5, 1.15])
def test_a_normalised_fisher_information_beside_a_gradient_that_is_not_is_caught_by_length(cost):
    # M8 on K9: the mass of rho is 1 + 0.9, so the natural gradient comes out 1.9 times too long: 1 - 0.9 c.
    mdp, policy = one_knob(cost)
    mass = state_visitation(mdp, policy).sum()
    mistaken = policy_gradient(mdp, policy) / (fisher_information(mdp, policy) / mass)[0]
    assert_allclose(mistaken, [1 - 0.9 * cost], rtol=1e-11)
    natural = natural_policy_gradient(mdp, policy)
    assert np.sign(mistaken) == np.sign(natural)
    assert_allclose(mistaken / natural, [1.9], rtol=1e-11)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_features_in_the_place_of_scores_are_caught(p):
    # M12 on K2: the feature of "later" is 1, its score 1 - p. With the feature FIM is p and the gradient 9 p,
    # so the natural gradient is 9, the value of later, where 8 is what it is better by.
    mdp, policy = now_or_later(p)
    weights = (state_visitation(mdp, policy)[:, None] * policy.probs())[..., None]
    values = np.array([[9.0, 1.0], [10.0, 10.0]])[..., None]

    def natural(rows):
        return (weights * rows * values).sum() / (weights * rows**2).sum()

    assert natural(policy.features) == pytest.approx(9.0, rel=1e-12)
    assert natural(policy.scores()) == pytest.approx(8.0, rel=1e-12)
    assert natural_policy_gradient(mdp, policy)[0] == pytest.approx(8.0, rel=1e-12)


# --- second routes ---------------------------------------------------------------------------------


@given(problems())
def test_the_fisher_information_is_the_sum_of_its_definition(problem):
    mdp, policy = problem
    assert_allclose(fisher_information(mdp, policy), by_definition(mdp, policy), rtol=1e-9, atol=1e-9)


@given(problems())
def test_the_natural_gradient_solves_its_equation_with_the_least_norm(problem):
    mdp, policy = problem
    F, natural, gradient = (
        by_definition(mdp, policy),
        natural_policy_gradient(mdp, policy),
        policy_gradient(mdp, policy),
    )
    scale = 1 + np.abs(F).max() * np.abs(natural).max()
    assert_allclose(F @ natural, gradient, rtol=0, atol=1e-9 * scale)
    # Least norm: nothing of it lies in a direction that the Fisher information does not see.
    eigenvalues, vectors = np.linalg.eigh(F)
    unseen = vectors[:, eigenvalues < 1e-9 * max(eigenvalues.max(), 1e-300)]
    assert_allclose(unseen.T @ natural, 0.0, atol=1e-6 * (1 + np.abs(natural).max()))


def test_every_solution_is_the_least_one_plus_what_the_fisher_information_does_not_see():
    mdp, policy = random_problem(np.random.default_rng(5), features="redundant")
    F, natural = fisher_information(mdp, policy), natural_policy_gradient(mdp, policy)
    # Features 0 and 1 add up to feature 2, and feature 3 is 0.
    unseen = np.array([1.0, 1.0, -1.0, 0.0])
    assert_allclose(F @ (natural + 3 * unseen), policy_gradient(mdp, policy), rtol=1e-10, atol=1e-10)
    assert np.linalg.norm(natural) < np.linalg.norm(natural + 0.01 * unseen)
    assert natural[3] == pytest.approx(0.0, abs=1e-12)


@given(seeds)
def test_a_tabular_policy_has_the_advantage_minus_its_plain_mean(seed):
    mdp, policy = random_problem(np.random.default_rng(seed), n_shut=1)
    A = advantages(mdp, policy)
    expected = A - A.mean(-1, keepdims=True)
    expected[-1] = 0.0  # never visited
    assert_allclose(natural_policy_gradient(mdp, policy), expected.ravel(), rtol=1e-10, atol=1e-10)
    # The same by singular values, with the same features written out.
    S, A_ = policy.probs().shape
    written_out = SoftmaxPolicy(np.eye(S * A_).reshape(S, A_, S * A_), policy.parameters)
    assert not written_out.is_tabular
    assert_allclose(natural_policy_gradient(mdp, written_out), expected.ravel(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("features", ["tabular", "linear", "aliased"])
def test_the_divergence_of_a_small_step_is_half_the_squared_length_by_fisher(features):
    rng = np.random.default_rng(8)
    mdp, policy = random_problem(rng, features=features)
    F = fisher_information(mdp, policy)
    direction = rng.normal(size=policy.parameters.shape)

    def divergence(step):
        return kl_divergence(mdp, policy, policy.with_parameters(policy.parameters + step * direction))

    # The mean over both signs takes out the third order: what is left is of fourth order.
    h = 1e-3
    assert_allclose((divergence(h) + divergence(-h)) / h**2, direction @ F @ direction, rtol=1e-5)


@given(problems(discounts=(0.5, 0.99)))
def test_the_divergence_is_the_sum_of_its_definition_and_never_negative(problem):
    mdp, policy = problem
    other = policy.with_parameters(policy.parameters + 0.3)
    rho, p, q = routes.visits(mdp, policy.probs()), policy.probs(), other.probs()
    expected = sum(
        rho[s] * p[s, a] * math.log(p[s, a] / q[s, a]) for s in range(len(p)) for a in range(p.shape[1])
    )
    assert_allclose(kl_divergence(mdp, policy, other), expected, rtol=1e-9, atol=1e-9)
    assert kl_divergence(mdp, policy, other) >= -1e-12
    assert kl_divergence(mdp, policy, policy) == 0.0


@given(linear_quadratic_problems())
def test_the_linear_quadratic_quantities_are_their_integrals(problem):
    mdp, policy = problem
    rho = state_visitation(mdp, policy)
    z, weight = hermegauss(12)
    weight = weight / weight.sum()
    # Both integrands are quadratic in x, so two points with the mass and the second moment of rho do.
    other = policy.with_parameters(policy.parameters + np.array([0.1, -0.2]))
    spread = math.sqrt(rho.second_moment / rho.mass)
    F, divergence = np.zeros((2, 2)), 0.0
    for x in (-spread, spread):
        u = policy.gain * x + policy.std * z
        scores = policy.score(x, u)
        F += rho.mass / 2 * np.einsum("n,nk,nl->kl", weight, scores, scores)
        divergence += rho.mass / 2 * weight @ (policy.log_prob(x, u) - other.log_prob(x, u))
    assert_allclose(fisher_information(mdp, policy), F, rtol=1e-9, atol=1e-9)
    assert_allclose(kl_divergence(mdp, policy, other), divergence, rtol=1e-8, atol=1e-9)
    expected = np.linalg.solve(F, policy_gradient(mdp, policy))
    assert_allclose(natural_policy_gradient(mdp, policy), expected, rtol=1e-7, atol=1e-9)


# --- ill-conditioned Fisher information ------------------------------------------------------------

#: How far the third feature is from the sum of the first two. The condition number of the Fisher information
#: is about the inverse square: the Cholesky factor serves the first three, the singular values the others.
GAPS = [1e-1, 1e-2, 1e-3, 3e-5, 1e-6, 1e-8, 1e-10]


def without_scipy(monkeypatch):
    """Make every import of SciPy's LAPACK fail, as where SciPy is not installed."""
    monkeypatch.setitem(sys.modules, "scipy.linalg.lapack", None)


def nearly_redundant(seed, gap, batch=(), **kwargs):
    """Return a problem and a policy with three features that are linearly dependent but for `gap`."""
    rng = np.random.default_rng(seed)
    mdp, _ = random_problem(rng, **kwargs)
    two = rng.normal(size=(4, 3, 2))
    third = two.sum(-1, keepdims=True) + gap * rng.normal(size=(4, 3, 1))
    return mdp, SoftmaxPolicy(np.concatenate([two, third], axis=-1), rng.normal(size=(*batch, 3)))


def in_rationals(X, y):
    """Return the least squares solution of X w = y without any rounding, by elimination on fractions."""
    X, y = [[Fraction(each) for each in row] for row in X.tolist()], [Fraction(each) for each in y.tolist()]
    K = len(X[0])
    rows = [
        [sum(row[k] * row[l] for row in X) for l in range(K)]
        + [sum(row[k] * target for row, target in zip(X, y, strict=True))]
        for k in range(K)
    ]
    for k in range(K):
        rows[k] = [each / rows[k][k] for each in rows[k]]
        for l in range(K):
            if l != k:
                rows[l] = [a - rows[l][k] * b for a, b in zip(rows[l], rows[k], strict=True)]
    return np.array([float(row[K]) for row in rows])


def rounding_of_least_squares(X, y, w):
    """Return the relative change of w if X and y are rounded (Wedin; Higham, section 20.1)."""
    singular = np.linalg.svd(X, compute_uv=False)
    condition, residual = singular[0] / singular[-1], np.linalg.norm(y - X @ w)
    return 2.2e-16 * (condition + condition**2 * residual / (singular[0] * np.linalg.norm(w)))


@pytest.mark.parametrize("setting", ["SciPy", "NumPy alone", "stack"])
@pytest.mark.parametrize("gap", GAPS)
def test_the_natural_gradient_is_as_accurate_as_rounding_allows(gap, setting, monkeypatch):
    if setting == "NumPy alone":
        without_scipy(monkeypatch)
    for seed in range(3):
        mdp, policy = nearly_redundant(seed, gap)
        weights = state_visitation(mdp, policy)[:, None] * policy.probs()
        X = (np.sqrt(weights)[..., None] * policy.scores()).reshape(-1, 3)
        y = (np.sqrt(weights) * advantages(mdp, policy)).ravel()
        exact = in_rationals(X, y)
        allowed = 4 * rounding_of_least_squares(X, y, exact)

        def error(w, exact=exact):
            return np.linalg.norm(w - exact) / np.linalg.norm(exact)

        if setting == "stack":
            policy = policy.with_parameters([policy.parameters])
        natural = natural_policy_gradient(mdp, policy)
        assert error(natural.reshape(3)) < allowed
        # The normal equations alone, or with a ridge, would not do.
        if gap in (3e-5, 1e-6):
            F, gradient = X.T @ X, X.T @ y
            assert error(np.linalg.solve(F, gradient)) > 20 * allowed
            ridge = 1e-10 * np.trace(F) / 3 * np.eye(3)
            assert error(np.linalg.solve(F + ridge, gradient)) > 20 * allowed


@pytest.mark.parametrize("alone", [False, True])
def test_a_stack_of_well_and_ill_conditioned_policies_is_a_loop(alone, monkeypatch):
    if alone:
        without_scipy(monkeypatch)
    mdp, policies = nearly_redundant(11, 1e-2, batch=(3,), n_shut=1)
    theta = policies.parameters.copy()
    # The second policy takes one action more often: its Fisher information is nearly 0 in one direction.
    theta[1] *= 5.0
    policies = policies.with_parameters(theta)
    condition = np.linalg.cond(fisher_information(mdp, policies), 1)
    assert (condition <= 1e8).tolist() == [True, False, True]
    natural = natural_policy_gradient(mdp, policies)
    for each, w in zip(theta, natural, strict=True):
        one = policies.with_parameters(each)
        X = np.sqrt(state_visitation(mdp, one)[:, None] * one.probs())[..., None] * one.scores()
        y = np.sqrt(state_visitation(mdp, one)[:, None] * one.probs()) * advantages(mdp, one)
        expected = np.linalg.lstsq(X.reshape(-1, 3), y.ravel(), rcond=1e-12)[0]
        assert_allclose(w, expected, rtol=1e-6, atol=1e-9)
        assert_allclose(natural_policy_gradient(mdp, one), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("alone", [False, True])
def test_many_features_of_full_rank_and_one_too_many(alone, monkeypatch):
    if alone:
        without_scipy(monkeypatch)
    rng = np.random.default_rng(12)
    mdp, _ = random_problem(rng, n_states=20, n_actions=4, n_shut=2)
    features, theta = rng.normal(size=(20, 4, 30)), 0.3 * rng.normal(size=31)
    policy = SoftmaxPolicy(features, theta[:30])
    natural, F = natural_policy_gradient(mdp, policy), fisher_information(mdp, policy)
    assert np.linalg.cond(F, 1) < 1e8
    assert_allclose(natural, np.linalg.solve(F, policy_gradient(mdp, policy)), rtol=1e-8, atol=1e-10)
    # With the last feature twice, each of the two takes half of its weight: the least norm. Preferences are
    # as before if theta is split between them.
    twice = np.concatenate([features, features[..., -1:]], axis=-1)
    split = np.append(theta[:29], [theta[29] - 1.0, 1.0])
    expected = np.append(natural[:29], [natural[29] / 2] * 2)
    assert_allclose(
        natural_policy_gradient(mdp, SoftmaxPolicy(twice, split)), expected, rtol=1e-8, atol=1e-10
    )


class Kept(SoftmaxPolicy):
    """Policy of a reader that hands out the same array of scores each time."""

    def scores(self):
        if "_kept" not in self.__dict__:
            object.__setattr__(self, "_kept", super().scores())
        return self._kept


def test_the_scores_that_a_policy_keeps_are_not_written_to():
    mdp, policy = random_problem(np.random.default_rng(13), features="linear")
    kept = Kept(policy.features, policy.parameters)
    before = kept.scores().copy()
    assert_allclose(natural_policy_gradient(mdp, kept), natural_policy_gradient(mdp, policy), rtol=1e-13)
    assert_allclose(fisher_information(mdp, kept), fisher_information(mdp, policy), rtol=1e-13)
    np.testing.assert_array_equal(kept.scores(), before)


def test_a_state_that_is_zero_for_ever_gives_the_gain_no_say():
    # Start in 0 and discount 0: no state but 0 counts. In log s the natural gradient is -s^2 r, here r = 2.
    mdp = LinearQuadraticMDP(1.0, 1.0, 1.0, 2.0, 0.5, initial_mean=0.0, initial_std=0.0, discount=0.0)
    policy = LinearGaussianPolicy(-0.5, math.log(0.3))
    assert_allclose(natural_policy_gradient(mdp, policy), [0.0, -0.18], rtol=1e-13)


# --- batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", BATCHES[1:])
@pytest.mark.parametrize("features", ["tabular", "redundant"])
def test_a_batch_is_a_loop(batch, features):
    mdp, policies = random_problem(np.random.default_rng(3), features=features, batch=batch)
    F, natural = fisher_information(mdp, policies), natural_policy_gradient(mdp, policies)
    divergence = kl_divergence(mdp, policies, policies.with_parameters(policies.parameters + 0.1))
    assert F.shape[:-2] == natural.shape[:-1] == divergence.shape == batch
    for at in np.ndindex(batch):
        one = policies.with_parameters(policies.parameters[at])
        shifted = policies.with_parameters(policies.parameters[at] + 0.1)
        assert_allclose(F[at], fisher_information(mdp, one), rtol=1e-11, atol=1e-11)
        assert_allclose(natural[at], natural_policy_gradient(mdp, one), rtol=1e-9, atol=1e-9)
        assert_allclose(divergence[at], kl_divergence(mdp, one, shifted), rtol=1e-9, atol=1e-12)


def test_a_batch_of_linear_policies_is_a_loop():
    mdp, policies = random_linear_quadratic(np.random.default_rng(4), batch=(2, 3))
    F, natural = fisher_information(mdp, policies), natural_policy_gradient(mdp, policies)
    other = LinearGaussianPolicy(0.1, -0.5)
    for at in np.ndindex(2, 3):
        one = LinearGaussianPolicy(policies.gain[at], policies.log_std[at])
        assert_allclose(F[at], fisher_information(mdp, one), rtol=1e-13)
        assert_allclose(natural[at], natural_policy_gradient(mdp, one), rtol=1e-12)
        assert_allclose(kl_divergence(mdp, policies, other)[at], kl_divergence(mdp, one, other), rtol=1e-13)


# --- edges and errors ------------------------------------------------------------------------------


def test_a_policy_without_a_seen_direction_has_the_natural_gradient_zero():
    mdp, _ = random_problem(np.random.default_rng(6))
    blind = TablePolicy(np.full((4, 3), 1 / 3))
    assert_allclose(natural_policy_gradient(mdp, blind), [0.0], atol=0)


def test_at_discount_one_what_the_start_does_not_reach_has_no_say():
    mdp, policy = random_problem(np.random.default_rng(7), discount=1.0, n_shut=1, features="linear")
    assert_allclose(
        fisher_information(mdp, policy) @ natural_policy_gradient(mdp, policy),
        policy_gradient(mdp, policy),
        rtol=1e-10,
        atol=1e-10,
    )


def test_the_divergence_from_a_policy_that_never_does_it_is_infinite():
    mdp = FiniteMDP(np.zeros((1, 2, 1)), [[1.0, 0.0]], [1.0], 0.9)
    fair, sure = TablePolicy(np.array([[0.5, 0.5]])), TablePolicy(np.array([[1.0, 0.0]]))
    assert kl_divergence(mdp, fair, sure) == math.inf
    assert kl_divergence(mdp, sure, fair) == pytest.approx(math.log(2), rel=1e-15)


@pytest.mark.parametrize("quantity", [fisher_information, natural_policy_gradient])
def test_what_is_no_problem_is_refused(quantity):
    with pytest.raises(TypeError, match=exactly("mdp must be a FiniteMDP or a LinearQuadraticMDP, got int")):
        quantity(3, None)
    with pytest.raises(TypeError, match=exactly("mdp must be a FiniteMDP or a LinearQuadraticMDP, got int")):
        kl_divergence(3, None, None)


def test_policies_of_another_kind_are_refused():
    mdp, policy = linear_quadratic()
    with pytest.raises(TypeError, match=exactly("other must be a LinearGaussianPolicy, got int")):
        kl_divergence(mdp, policy, 3)
    finite, tabular = random_problem(np.random.default_rng(0))
    with pytest.raises(ValueError, match="policy is for 2 states and 2 actions"):
        kl_divergence(finite, tabular, SoftmaxPolicy.tabular(np.zeros((2, 2))))
