"""The compatible critics, exactly: least squares on Q, and the fixed point of every way to learn them."""

from __future__ import annotations

import math

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
    action_values,
    advantages,
    fisher_information,
    natural_policy_gradient,
    policy_gradient,
    state_values,
    state_visitation,
)
from pgtlab.critics import (
    compatibility_error,
    compatible_gradient,
    compatible_values,
    compatible_weights,
    minimisers,
)
from pgtlab.exact.values import Quadratic
from pgtlab.gallery import linear_quadratic, now_or_later
from tests import routes
from tests.problems import (
    TablePolicy,
    exactly,
    linear_quadratic_problems,
    problems,
    random_linear_quadratic,
    random_problem,
    seeds,
)

# --- (17.2): least squares on Q ----------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_now_or_later_has_the_weight_eight(p):
    # K2. The scores of later and now are 1 - p and -p, one apart, and the values 9 and 1 are 8 apart.
    mdp, policy = now_or_later(p)
    assert_allclose(compatible_weights(mdp, policy), [8.0], rtol=1e-12)
    assert_allclose(compatible_values(policy, [8.0]), [[8 - 8 * p, -8 * p], [0, 0]], rtol=1e-12)
    # What is left of Q is the state value: 9 p + 1 - p once, and 10 with probability p at weight 0.9.
    loss = (1 + 8 * p) ** 2 + 0.9 * p * 100
    assert compatibility_error(mdp, policy, [8.0]) == pytest.approx(loss, rel=1e-12)
    # Another w misses (8 - w)^2 p (1 - p) more.
    assert compatibility_error(mdp, policy, [5.0]) == pytest.approx(loss + 9 * p * (1 - p), rel=1e-12)


@given(problems())
def test_the_weights_are_the_natural_gradient(problem):
    # (23.2): two solvers of the same equations, and least squares on Q with the visits written out.
    mdp, policy = problem
    w = compatible_weights(mdp, policy)
    assert_allclose(w, natural_policy_gradient(mdp, policy), rtol=1e-6, atol=1e-7 * (1 + np.abs(w).max()))
    Q = routes.action_values_at(mdp, policy.probs(), mdp.discount)
    routes.assert_least_solution(*routes.score_equations(mdp, policy, Q), w)


@given(problems(), seeds)
def test_every_minimiser_has_the_same_critic_and_the_policy_gradient(problem, seed):
    mdp, policy = problem
    w, directions = minimisers(mdp, policy)
    rng = np.random.default_rng(seed)
    other = w + rng.normal(size=len(directions)) @ directions
    gradient = policy_gradient(mdp, policy)
    scale = 1e-8 * (1 + np.abs(other).max()) * (1 + state_visitation(mdp, policy).max())
    for each in (w, other):
        assert_allclose(compatible_gradient(mdp, policy, each), gradient, rtol=1e-7, atol=scale)
    visited = (state_visitation(mdp, policy) > 0)[:, None]
    difference = compatible_values(policy, other) - compatible_values(policy, w)
    assert_allclose(np.where(visited, difference, 0.0), 0.0, atol=1e-8 * (1 + np.abs(other).max()))
    assert_allclose(directions @ directions.T, np.eye(len(directions)), atol=1e-12)
    # It is a minimum, and along the directions it is flat.
    least = compatibility_error(mdp, policy, w)
    assert compatibility_error(mdp, policy, other) == pytest.approx(least, rel=1e-6, abs=1e-9)
    assert compatibility_error(mdp, policy, w + 0.1 * rng.normal(size=len(w))) >= least * (1 - 1e-9) - 1e-9


@pytest.mark.parametrize(
    ("features", "n_shut", "n_flat"),
    # Redundant: the third feature is the sum of two, the fourth is 0. Tabular: one direction for each of 4
    # states, and all 3 actions of one that is out of reach.
    [("linear", 0, 0), ("redundant", 0, 2), ("tabular", 0, 4), ("tabular", 1, 3 + 3)],
)
def test_the_number_of_flat_directions(features, n_shut, n_flat):
    mdp, policy = random_problem(np.random.default_rng(1), features=features, n_shut=n_shut)
    w, directions = minimisers(mdp, policy)
    assert directions.shape == (n_flat, len(w))
    assert_allclose(fisher_information(mdp, policy) @ directions.T, 0.0, atol=1e-12)
    assert_allclose(directions @ w, 0.0, atol=1e-10)


def test_a_policy_with_more_parameters_than_pairs_has_its_flat_directions():
    mdp = FiniteMDP(np.zeros((1, 2, 1)), [[1.0, 0.0]], [1.0], 0.9)
    features = np.random.default_rng(2).normal(size=(1, 2, 5))
    policy = SoftmaxPolicy(features, np.zeros(5))
    w, directions = minimisers(mdp, policy)
    # The score is half the difference of both features, and the weight of least norm is along it.
    along = features[0, 0] - features[0, 1]
    assert_allclose(w, along / (along @ along), rtol=1e-12)
    assert directions.shape == (4, 5)
    assert_allclose(directions @ along, 0.0, atol=1e-12)


def test_a_policy_without_a_seen_direction_is_flat_everywhere():
    mdp, _ = random_problem(np.random.default_rng(3))
    w, directions = minimisers(mdp, TablePolicy(np.full((4, 3), 1 / 3)))
    assert w == 0.0
    assert directions.shape == (1, 1)


def test_the_critic_has_mean_zero_in_every_state_and_the_score_as_its_derivative():
    # (21.2), and (17.1) by differences.
    mdp, policy = random_problem(np.random.default_rng(4), features="redundant")
    rng = np.random.default_rng(5)
    w, direction = rng.normal(size=4), rng.normal(size=4)
    values = compatible_values(policy, w)
    assert_allclose((policy.probs() * values).sum(-1), 0.0, atol=1e-14)
    slope = routes.differences(lambda each: compatible_values(policy, each), w, direction)
    assert_allclose(slope, policy.scores() @ direction, rtol=1e-8, atol=1e-10)
    # The advantage of a tabular policy lies in the span of its score: nothing of it is missed.
    mdp, tabular = random_problem(np.random.default_rng(6))
    critic = compatible_values(tabular, compatible_weights(mdp, tabular))
    assert_allclose(critic, advantages(mdp, tabular), rtol=1e-9, atol=1e-9)


class Plain(SoftmaxPolicy):
    """The same policy through the interface that a reader's own has."""

    def scores(self):
        return super().scores()


def test_a_policy_of_ones_own_has_the_same_critic():
    _, policy = random_problem(np.random.default_rng(7), features="linear", batch=(3,))
    own = Plain(policy.features, policy.parameters)
    w = np.random.default_rng(8).normal(size=(3, 2))
    assert_allclose(compatible_values(own, w), compatible_values(policy, w), rtol=1e-12)
    assert_allclose(compatible_values(own, w[0]), compatible_values(policy, w[0]), rtol=1e-12)


# --- an offset: point 10 -----------------------------------------------------------------------------


@given(problems(discounts=(0.5, 0.99)), seeds)
def test_any_offset_keeps_the_gradient_but_only_one_of_the_state_keeps_the_weights(problem, seed):
    mdp, policy = problem
    rng = np.random.default_rng(seed)
    offset = rng.normal(size=mdp.reward.shape)
    w = compatible_weights(mdp, policy, offset=offset)
    gradient = compatible_gradient(mdp, policy, w, offset=offset)
    scale = 1e-8 * (1 + np.abs(w).max()) * (1 + state_visitation(mdp, policy).max())
    assert_allclose(gradient, policy_gradient(mdp, policy), rtol=1e-7, atol=scale)
    # What the offset takes away is its own projection on the score.
    F, g = routes.score_equations(mdp, policy, offset)
    assert_allclose(F @ (natural_policy_gradient(mdp, policy) - w), g, rtol=1e-7, atol=scale)
    assert compatibility_error(mdp, policy, w, offset=offset) <= compatibility_error(
        mdp, policy, w + 0.1 * rng.normal(size=len(w)), offset=offset
    ) * (1 + 1e-9)
    of_state = np.repeat(rng.normal(size=(mdp.n_states, 1)), mdp.n_actions, axis=1)
    assert_allclose(
        compatible_weights(mdp, policy, offset=of_state),
        natural_policy_gradient(mdp, policy),
        rtol=1e-6,
        atol=1e-7 * (1 + np.abs(w).max()),
    )


def test_an_offset_that_depends_on_the_action_turns_the_weights_round():
    # b = 10 for "later" in the first state: Q - b is -1 and 1, so w = -2, while the gradient is still 2.
    mdp, policy = now_or_later()
    offset = [[10.0, 0.0], [0.0, 0.0]]
    assert_allclose(compatible_weights(mdp, policy, offset=offset), [-2.0], rtol=1e-12)
    assert_allclose(compatible_gradient(mdp, policy, [-2.0], offset=offset), [2.0], rtol=1e-12)
    assert_allclose(compatible_gradient(mdp, policy, [-2.0]), [-0.5], rtol=1e-12)


# --- the linear-quadratic problem --------------------------------------------------------------------


def over_noise(policy, rho, f):
    """Return the integral of f(x, u) over visits and actions, exact for x only to second order after z."""
    z, weight = hermegauss(12)
    weight = weight / weight.sum()
    spread = math.sqrt(rho.second_moment / rho.mass)
    return sum(
        rho.mass / 2 * np.einsum("n,n...->...", weight, f(x, policy.gain * x + policy.std * z))
        for x in (-spread, spread)
    )


@given(linear_quadratic_problems(), seeds)
def test_the_linear_quadratic_quantities_are_their_integrals(problem, seed):
    mdp, policy = problem
    rng = np.random.default_rng(seed)
    rho, Q, w = state_visitation(mdp, policy), action_values(mdp, policy), rng.normal(size=2)
    H = rng.normal(size=(2, 2))
    offset = Quadratic(H + H.T, np.array(rng.normal()))
    critic = compatible_values(policy, w)
    x, u = rng.normal(size=(2, 9))
    assert_allclose(critic(x, u), policy.score(x, u) @ w, rtol=1e-9, atol=1e-9)
    for b in (None, offset):
        taken = (lambda x, u: 0.0) if b is None else b
        best = compatible_weights(mdp, policy, offset=b)
        # Stationarity (18.1): what the critic misses is orthogonal to the score.
        left = over_noise(
            policy,
            rho,
            lambda x, u, best=best, taken=taken: (
                policy.score(x, u) * (Q(x, u) - taken(x, u) - policy.score(x, u) @ best)[:, None]
            ),
        )
        assert_allclose(left, 0.0, atol=1e-8 * (1 + np.abs(Q.matrix).max()) * (1 + rho.second_moment))
        gradient = over_noise(
            policy,
            rho,
            lambda x, u, taken=taken: policy.score(x, u) * (policy.score(x, u) @ w + taken(x, u))[:, None],
        )
        assert_allclose(compatible_gradient(mdp, policy, w, offset=b), gradient, rtol=1e-8, atol=1e-8)
        exact = compatible_gradient(mdp, policy, best, offset=b)
        assert_allclose(exact, policy_gradient(mdp, policy), rtol=1e-8, atol=1e-8)
    assert_allclose(
        compatible_weights(mdp, policy), natural_policy_gradient(mdp, policy), rtol=1e-9, atol=1e-10
    )


@pytest.mark.parametrize("with_offset", [False, True])
def test_the_linear_quadratic_loss_is_its_sum_over_time(with_offset):
    mdp, policy = random_linear_quadratic(np.random.default_rng(9), discount=0.6)
    w, Q = np.array([0.3, -0.7]), action_values(mdp, policy)
    offset = Quadratic(np.array([[0.4, 0.2], [0.2, -0.1]]), np.array(0.5)) if with_offset else None
    # x_t ~ N(mean, variance) exactly; the integrand has degree 4 in x and in z.
    c = mdp.drift + mdp.control * policy.gain
    noise = (mdp.control * policy.std) ** 2 + mdp.noise_std**2
    mean, variance, total = mdp.initial_mean, mdp.initial_std**2, 0.0
    z, weight = hermegauss(12)
    weight = weight / weight.sum()
    for t in range(90):  # 0.6^90 is 1e-20
        for x, share in zip(mean + math.sqrt(variance) * z, weight, strict=True):
            u = policy.gain * x + policy.std * z
            missed = Q(x, u) - policy.score(x, u) @ w - (offset(x, u) if with_offset else 0.0)
            total += 0.6**t * share * (weight @ missed**2)
        mean, variance = c * mean, c**2 * variance + noise
    assert compatibility_error(mdp, policy, w, offset=offset) == pytest.approx(total, rel=1e-10)


def test_the_linear_quadratic_loss_may_be_infinite_where_the_gradient_is_not():
    # gamma c^2 = 0.9 * 1.04^2 = 0.973 < 1, but gamma c^4 = 1.05: the fourth moment has no finite sum.
    mdp, policy = linear_quadratic(gain=0.04, log_std=-1.0)
    w = compatible_weights(mdp, policy)
    assert compatibility_error(mdp, policy, w) == math.inf
    assert np.isfinite(w).all()


def test_a_state_that_is_zero_for_ever_leaves_one_flat_direction():
    mdp = LinearQuadraticMDP(1.0, 1.0, 1.0, 2.0, 0.5, initial_mean=0.0, initial_std=0.0, discount=0.0)
    policy = LinearGaussianPolicy(-0.5, math.log(0.3))
    w, directions = minimisers(mdp, policy)
    assert_allclose(w, [0.0, -0.18], rtol=1e-13)
    assert directions.tolist() == [[1.0, 0.0]]
    assert minimisers(*linear_quadratic())[1].shape == (0, 2)


# --- errors ----------------------------------------------------------------------------------------


def test_weights_of_the_wrong_shape_are_refused():
    mdp, policy = random_problem(np.random.default_rng(20), features="linear")
    words = exactly("w has shape (3,); expected (..., 2), one for each parameter of the policy")
    for use in (compatible_gradient, compatibility_error):
        with pytest.raises(ValueError, match=words):
            use(mdp, policy, np.zeros(3))
    with pytest.raises(ValueError, match=words):
        compatible_values(policy, np.zeros(3))
    with pytest.raises(ValueError, match=words):
        compatible_values(LinearGaussianPolicy(-0.5, 0.0), np.zeros(3))
    with pytest.raises(ValueError, match=exactly("w[1] is nan; expected a finite number")):
        compatible_gradient(mdp, policy, [0.0, np.nan])


def test_what_does_not_go_together_is_refused():
    mdp, policy = random_problem(np.random.default_rng(21))
    no_problem = exactly("mdp must be a FiniteMDP or a LinearQuadraticMDP, got int")
    for use in (compatible_weights, minimisers):
        with pytest.raises(TypeError, match=no_problem):
            use(3, policy)
    for use in (compatible_gradient, compatibility_error):
        with pytest.raises(TypeError, match=no_problem):
            use(3, policy, np.zeros(12))
    with pytest.raises(TypeError, match=exactly("policy must be a FinitePolicy, got int")):
        compatible_values(3, [0.0])
    small = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="policy is for 2 states and 2 actions"):
        compatible_gradient(mdp, small, np.zeros(4))
    batch = policy.with_parameters(np.zeros((3, 12)))
    with pytest.raises(ValueError, match=exactly("policy is a batch of shape (3,); expected one policy")):
        minimisers(mdp, batch)


def test_offsets_of_the_wrong_kind_are_refused():
    mdp, policy = random_problem(np.random.default_rng(22))
    with pytest.raises(
        ValueError, match=exactly("offset has shape (3, 4); expected (..., S, A) = (..., 4, 3)")
    ):
        compatible_weights(mdp, policy, offset=np.zeros((3, 4)))
    mdp, policy = linear_quadratic()
    with pytest.raises(TypeError, match=exactly("offset must be a Quadratic, got float")):
        compatible_weights(mdp, policy, offset=1.0)
    with pytest.raises(
        ValueError, match=exactly("offset is a Quadratic of 1 variable; expected one of state and action")
    ):
        compatible_weights(mdp, policy, offset=state_values(mdp, policy))
