"""The long run: stationary distribution, average reward and its gradient, each by two routes."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose
from scipy import sparse

from pgtlab import (
    FiniteMDP,
    LinearGaussianPolicy,
    SoftmaxPolicy,
    action_values,
    average_reward,
    average_reward_gradient,
    differential_action_values,
    differential_values,
    expected_return,
    policy_gradient,
    state_values,
    stationary_distribution,
)
from pgtlab.gallery import garnet, linear_quadratic, two_states
from tests.extremes.exact import Given, floats
from tests.problems import BATCHES, TablePolicy, exactly, random_policy, seeds

QUANTITIES = [
    stationary_distribution,
    average_reward,
    differential_values,
    differential_action_values,
    average_reward_gradient,
]


def endless(rng, *, n_states=5, n_actions=3, features="tabular", batch=()):
    """Return a random problem in which no episode ends, and a policy."""
    mdp, _ = garnet(n_states, n_actions, n_states, discount=0.9, rng=rng)
    return mdp, random_policy(rng, n_states, n_actions, features, batch)


def slope(quantity, mdp, policy, direction, h=1e-4):
    """Return the derivative of a quantity along a direction of the parameters, by differences."""

    def at(step):
        return quantity(mdp, policy.with_parameters(policy.parameters + step * direction))

    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


# --- closed forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("stay_first", "stay_second"), [(0.8, 0.1), (0.5, 0.5), (0.3, 0.99)])
def test_two_states_balance_the_ways_there_and_back(stay_first, stay_second):
    # d_0 (1 - p) = d_1 (1 - q); staying pays 1 and 2.
    mdp, policy = two_states(stay_first, stay_second)
    d = np.array([1 - stay_second, 1 - stay_first]) / (2 - stay_first - stay_second)
    assert_allclose(stationary_distribution(mdp, policy), d, rtol=1e-13)
    assert_allclose(average_reward(mdp, policy), d[0] * stay_first + 2 * d[1] * stay_second, rtol=1e-13)


def test_a_periodic_chain_has_a_share_of_time():
    ring = FiniteMDP(np.roll(np.eye(3), 1, axis=1)[:, None, :], [[3.0], [0.0], [0.0]], [1.0, 0.0, 0.0], 0.9)
    only = TablePolicy(np.ones((3, 1)))
    assert_allclose(stationary_distribution(ring, only), [1 / 3] * 3, rtol=1e-14)
    # h_0 = 3 - 1 + h_1, h_1 = -1 + h_2, h_2 = -1 + h_0, and they sum to 0.
    assert_allclose(differential_values(ring, only), [1.0, -1.0, 0.0], atol=1e-14)


def test_states_that_are_left_for_good_have_no_share_even_if_they_come_first():
    transition = np.zeros((3, 1, 3))
    transition[0, 0, 1] = transition[1, 0, 2] = transition[2, 0, 1] = 1.0
    mdp = FiniteMDP(transition, [[5.0], [1.0], [2.0]], [1.0, 0.0, 0.0], 0.9)
    only = TablePolicy(np.ones((3, 1)))
    assert_allclose(stationary_distribution(mdp, only), [0.0, 0.5, 0.5], atol=1e-15)
    assert_allclose(average_reward(mdp, only), 1.5, rtol=1e-15)


@pytest.mark.parametrize("gain", [-0.3, -1.0, -1.9])
def test_the_linear_quadratic_long_run_by_its_moments(gain):
    # a = b = q = r = 1: v = (s^2 + 0.25) / (1 - (1 + k)^2), and a step costs (1 + k^2) v + s^2.
    mdp, policy = linear_quadratic(gain=gain, log_std=-0.5)
    v = (math.exp(-1) + 0.25) / (1 - (1 + gain) ** 2)
    assert_allclose(stationary_distribution(mdp, policy), v, rtol=1e-12)
    assert_allclose(average_reward(mdp, policy), -((1 + gain**2) * v + math.exp(-1)), rtol=1e-12)


# --- second routes ---------------------------------------------------------------------------------


@given(seeds)
def test_the_distribution_is_what_many_steps_lead_to(seed):
    mdp, policy = endless(np.random.default_rng(seed))
    d = stationary_distribution(mdp, policy)
    P = np.einsum("sa,sap->sp", policy.probs(), mdp.transition)
    far = np.linalg.matrix_power(P, 2**14)
    assert_allclose(far, np.tile(d, (5, 1)), atol=1e-9)
    assert d.sum() == pytest.approx(1.0, abs=1e-12)


@given(seeds)
def test_differential_values_solve_their_equation_and_have_mean_zero(seed):
    mdp, policy = endless(np.random.default_rng(seed))
    h, d, eta = (f(mdp, policy) for f in (differential_values, stationary_distribution, average_reward))
    P = np.einsum("sa,sap->sp", policy.probs(), mdp.transition)
    r = np.einsum("sa,sa->s", policy.probs(), mdp.reward)
    assert_allclose(h, r - eta + P @ h, atol=1e-10)
    assert d @ h == pytest.approx(0.0, abs=1e-10)
    Q = differential_action_values(mdp, policy)
    assert_allclose((policy.probs() * Q).sum(-1), h, atol=1e-10)
    assert_allclose(Q, mdp.reward - eta + np.einsum("sap,p->sa", mdp.transition, h), atol=1e-10)


@given(seeds)
def test_the_discounted_quantities_come_close_as_the_discount_goes_to_one(seed):
    rng = np.random.default_rng(seed)
    mdp, policy = endless(rng)
    nearly = dataclasses.replace(mdp, discount=1 - 1e-6)
    eta = average_reward(mdp, policy)
    scale = 1 + np.abs(differential_values(mdp, policy)).max()
    assert_allclose(1e-6 * expected_return(nearly, policy), eta, atol=1e-5 * scale)
    assert_allclose(
        state_values(nearly, policy) - eta / 1e-6, differential_values(mdp, policy), atol=1e-3 * scale**2
    )
    assert_allclose(
        1e-6 * policy_gradient(nearly, policy),
        average_reward_gradient(mdp, policy),
        atol=1e-4 * scale**2,
    )


@given(seeds)
@pytest.mark.parametrize("features", ["tabular", "linear", "aliased", "redundant"])
def test_the_gradient_is_the_slope_of_the_average_reward(features, seed):
    rng = np.random.default_rng(seed)
    mdp, policy = endless(rng, features=features)
    direction = rng.normal(size=policy.parameters.shape)
    by_theorem = average_reward_gradient(mdp, policy) @ direction
    assert_allclose(by_theorem, slope(average_reward, mdp, policy, direction), rtol=1e-6, atol=1e-8)


def test_the_discounted_gradient_would_be_caught():
    mdp, policy = endless(np.random.default_rng(1))
    direction = np.random.default_rng(2).normal(size=policy.parameters.shape)
    mistaken = (1 - mdp.discount) * policy_gradient(mdp, policy) @ direction
    assert abs(mistaken - slope(average_reward, mdp, policy, direction)) > 1e-3


@pytest.mark.parametrize("log_std", [-1.0, 0.3])
@pytest.mark.parametrize("gain", [-0.3, -1.4])
def test_the_linear_quadratic_gradient_and_values_by_second_routes(gain, log_std):
    mdp, policy = linear_quadratic(gain=gain, log_std=log_std)
    slopes = [slope(average_reward, mdp, policy, direction) for direction in np.eye(2)]
    assert_allclose(average_reward_gradient(mdp, policy), slopes, rtol=1e-8, atol=1e-8)
    # Bellman's equation for h, with the mean over the next state by its two moments.
    h, Q = differential_values(mdp, policy), differential_action_values(mdp, policy)
    x = np.array([-1.0, 0.0, 2.0])
    mean_h = h.constant + h.matrix[0, 0] * ((1 + gain) ** 2 * x**2 + math.exp(2 * log_std) + 0.25)
    cost = (1 + gain**2) * x**2 + math.exp(2 * log_std)
    assert_allclose(h(x), -cost - average_reward(mdp, policy) + mean_h, rtol=1e-12, atol=1e-12)
    # The limit of the discounted action values, up to a constant.
    discounted = action_values(dataclasses.replace(mdp, discount=1 - 1e-7), policy)
    u = np.array([0.5, -1.0, 0.0])
    differences = [values - values[0] for values in (discounted(x, u), Q(x, u))]
    assert_allclose(*differences, atol=1e-4)


# --- chains that almost fall apart -----------------------------------------------------------------


def rarely(e):
    """Return two states that are left with e and 2 e, to within rounding of the log odds."""
    _, policy = two_states()
    odds = [math.log1p(-e) - math.log(e), math.log1p(-2 * e) - math.log(2 * e)]
    return two_states()[0], policy.with_parameters(odds)


@pytest.mark.parametrize("e", [1e-3, 1e-14, 1e-16, 1e-17, 1e-100, 1e-300])
def test_two_states_that_are_hardly_left(e):
    # The shares are 2/3 and 1/3; staying pays 1 and 2: eta = (2 (1 - e) + 2 (1 - 2 e)) / 3 = 4/3 - 2 e.
    mdp, policy = rarely(e)
    exact = Given(mdp, policy.probs())
    # The log odds of 1e-300 are 690, rounded at 1e-13.
    assert_allclose(stationary_distribution(mdp, policy), [2 / 3, 1 / 3], rtol=2e-13)
    assert_allclose(average_reward(mdp, policy), 4 / 3 - 2 * e, rtol=1e-13)
    assert_allclose(average_reward(mdp, policy), float(exact.eta), rtol=1e-15)
    assert_allclose(differential_values(mdp, policy), floats(exact.h), rtol=1e-14)
    # d eta / d log odds = d_0 e (Q(0, stay) - Q(0, switch)): with h1 - h0 = (eta - 1) / e + 1, for e to 0,
    # -d_0 (eta - 1) = -2/9 and d_1 (2 - eta) = 2/9.
    slopes = floats(exact.long_run_gradient_in_logits)[:, 0]
    assert_allclose(average_reward_gradient(mdp, policy), slopes, rtol=1e-12)
    if e < 1e-9:
        assert_allclose(slopes, [-2 / 9, 2 / 9], rtol=1e-8)


def test_what_is_too_rare_for_double_precision_is_refused():
    words = (
        "the chain falls apart: it leaves state 1 with a probability of 2e-305 a step, and others as rarely; "
        "expected at least 1e-300, as smaller probabilities are lost to rounding"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        average_reward(*rarely(1e-305))


@pytest.mark.parametrize("spread", [1, 40, 300])
@pytest.mark.parametrize("seed", range(4))
def test_the_long_run_to_many_digits(seed, spread):
    rng = np.random.default_rng([seed, spread])
    S, A = rng.integers(1, 5), rng.integers(1, 4)
    transition = np.exp(rng.uniform(-spread, 0, size=(S, A, S))) * (rng.random((S, A, S)) < 0.8)
    transition[:, :, 0] += 1e-6
    transition /= transition.sum(-1, keepdims=True)
    mdp = FiniteMDP(transition, rng.normal(size=(S, A)), np.eye(S)[0], 0.9)
    policy = SoftmaxPolicy.tabular(rng.normal(size=(S, A)) * 10)
    exact, R = Given(mdp, policy.probs()), np.abs(mdp.reward).max()
    assert_allclose(stationary_distribution(mdp, policy), floats(exact.stationary), rtol=1e-13)
    assert_allclose(average_reward(mdp, policy), float(exact.eta), rtol=0, atol=1e-14 * R)
    h, slopes = floats(exact.h), floats(exact.long_run_gradient_in_logits)
    assert_allclose(differential_values(mdp, policy), h, rtol=0, atol=1e-12 * (R + np.abs(h).max()))
    assert_allclose(
        average_reward_gradient(mdp, policy), slopes.ravel(), rtol=0, atol=1e-12 * (R + np.abs(slopes).max())
    )


def test_a_birth_and_death_chain_over_600_powers_of_ten():
    # Up with 1e-30, down with 1/2: each share is 2e-30 of the one before, and the last is 0 in floats.
    S = 21
    P = np.diag(np.full(S - 1, 1e-30), 1) + np.diag(np.full(S - 1, 0.5), -1)
    P += np.diag(1 - P.sum(-1))
    mdp = FiniteMDP(P[:, None, :], np.eye(S)[:, [0]], np.eye(S)[0], 0.9)
    d = stationary_distribution(mdp, TablePolicy(np.ones((S, 1))))
    expected = [float(Fraction(2, 10**30) ** n) for n in range(S)]
    assert_allclose(d, expected, rtol=1e-13, atol=1e-320)
    assert d[10] > 0


def pairs(e, reward):
    """Return two pairs of states that change places, left for the other pair with probability e."""
    transition = np.zeros((4, 1, 4))
    for s, mate in enumerate([1, 0, 3, 2]):
        transition[s, 0, mate], transition[s, 0, (s + 2) % 4] = 1 - e, e
    return FiniteMDP(transition, np.array(reward)[:, None], np.eye(4)[0], 0.9), TablePolicy(np.ones((4, 1)))


def test_values_that_cancel_are_refused_and_the_average_is_not():
    # All pay the same, so that h is 0: the difference of sums of 1e17.
    mdp, policy = pairs(1e-17, [1.1] * 4)
    assert_allclose(average_reward(mdp, policy), 1.1, rtol=1e-15)
    words = r"^the differential value of a state is .*, from sums of size .* that cancel: fewer than 8 digits"
    with pytest.raises(ValueError, match=words):
        differential_values(mdp, policy)
    # At 1e-6 there are digits enough.
    mdp, policy = pairs(1e-6, [1.1] * 4)
    assert_allclose(differential_values(mdp, policy), np.zeros(4), atol=1e-7)


def test_a_gradient_whose_digits_are_lost_is_refused():
    # The pairs pay differently: h differs by 1e17 between them, and by 1 or so within.
    mdp, policy = pairs(1e-17, [1.0, 2.0, 5.0, 7.0])
    assert_allclose(average_reward(mdp, policy), 3.75, rtol=1e-15)
    h = differential_values(mdp, policy)
    assert_allclose(h, floats(Given(mdp, policy.probs()).h), rtol=1e-12)
    words = r"^the differential advantage of an action is .*, from sums of size .* that cancel: fewer than 8"
    for quantity in (average_reward_gradient, differential_action_values):
        with pytest.raises(ValueError, match=words):
            quantity(mdp, policy)


@pytest.mark.parametrize("scale", [1e-300, 1e-10, 1e10, 1e300])
def test_rewards_of_any_size(scale):
    mdp, policy = two_states(0.5, 0.3)
    other = dataclasses.replace(mdp, reward=mdp.reward * scale)
    for quantity in (average_reward, differential_values, average_reward_gradient):
        assert_allclose(quantity(other, policy) / scale, quantity(mdp, policy), rtol=1e-13)


def test_rewards_that_leave_double_precision_have_an_average_and_no_values():
    mdp, policy = pairs(1e-10, [1e300, 2e300, 5e300, 7e300])
    assert_allclose(average_reward(mdp, policy), 3.75e300, rtol=1e-14)
    with pytest.raises(ValueError, match=r"^values reach 1e\+306 or more, from rewards of up to 7e\+300: "):
        differential_values(mdp, policy)


def test_a_closed_loop_close_to_the_edge():
    # a = b = 1 and k = -1e-15: c = 1 - 1e-15 is rounded, 1 - c^2 = -k (2 + k) is not.
    mdp, policy = linear_quadratic(gain=-1e-15, log_std=0.0)
    k = Fraction(-1e-15)
    v = Fraction(5, 4) / (-k * (2 + k))
    assert_allclose(stationary_distribution(mdp, policy), float(v), rtol=1e-14)
    assert_allclose(average_reward(mdp, policy), -float((1 + k * k) * v + 1), rtol=1e-14)


# --- batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("batch", BATCHES[1:])
def test_a_batch_is_a_loop(batch, quantity):
    mdp, policies = endless(np.random.default_rng(9), batch=batch)
    whole = quantity(mdp, policies)
    for at in np.ndindex(batch):
        one = policies.with_parameters(policies.parameters[at])
        assert_allclose(whole[at], quantity(mdp, one), rtol=1e-10, atol=1e-12)


def test_a_batch_of_linear_policies_is_a_loop():
    mdp, _ = linear_quadratic()
    policies = LinearGaussianPolicy([[-0.3, -1.2]], [[0.0], [-1.0]])
    for at in np.ndindex(2, 2):
        one = LinearGaussianPolicy(policies.gain[at], policies.log_std[at])
        for quantity in (stationary_distribution, average_reward, average_reward_gradient):
            assert_allclose(quantity(mdp, policies)[at], quantity(mdp, one), rtol=1e-12)
        h, Q = differential_values(mdp, policies), differential_action_values(mdp, policies)
        assert_allclose(h(0.7)[at], differential_values(mdp, one)(0.7), rtol=1e-12)
        assert_allclose(Q(0.7, 0.1)[at], differential_action_values(mdp, one)(0.7, 0.1), rtol=1e-12)


# --- what has no long run --------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_an_episode_that_may_end_is_refused(quantity):
    mdp = FiniteMDP([[[0.0, 1.0]], [[0.5, 0.25]]], [[0.0], [0.0]], [1.0, 0.0], 0.9)
    words = (
        "an episode may end in state 1, with probability 0.25; expected transitions whose rows sum to 1: "
        "the average reward is that of a process that goes on for ever"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        quantity(mdp, TablePolicy(np.ones((2, 1))))


def test_two_closed_classes_are_refused():
    mdp = FiniteMDP(np.eye(3)[:, None, :], [[0.0]] * 3, [0.5, 0.5, 0.0], 0.9)
    words = (
        "the long run depends on the start: state 0 is in a closed class that state 1 never reaches; "
        "expected one closed class of states"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        stationary_distribution(mdp, TablePolicy(np.ones((3, 1))))


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_class_that_actions_of_probability_0_lead_to_is_refused(quantity):
    # The policy stays in state 0; but a policy nearby would move to state 1, and stay there.
    mdp = FiniteMDP([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0]] * 2], [[1.0, 1.0], [5.0, 5.0]], [1, 0], 0.9)
    words = (
        "the long run depends on the start: state 0 is in a closed class that state 1 never reaches; "
        "expected one closed class of states"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        quantity(mdp, TablePolicy(np.array([[1.0, 0.0], [0.5, 0.5]])))


def test_what_no_actions_lead_to_does_not_matter():
    # 0 and 1 change places. 2 stays for ever; 3 leads to 0 or 2; 4 to 0; 5 to an end, 6 to 0 or, with
    # probability 0, to 2. The start is 0.
    transition = np.zeros((7, 2, 7))
    for s, (first, second) in enumerate([(1, 1), (0, 0), (2, 2), (0, 2), (0, 0), (5, 5), (0, 2)]):
        transition[s, 0, first] = transition[s, 1, second] = 1.0
    transition[5] *= 0.5
    reward = np.tile([[1.0], [3.0], [100.0], [10.0], [10.0], [10.0], [10.0]], 2)
    mdp = FiniteMDP(transition, reward, np.eye(7)[0], 0.9)
    table = np.full((7, 2), 0.5)
    table[6] = [1.0, 0.0]
    # eta = 2; h0 = 1 - 2 + h1, and h0 + h1 = 0; from 4 one earns 10, and comes to 0.
    h = [-0.5, 0.5, np.nan, np.nan, 7.5, np.nan, 7.5]
    policy = TablePolicy(table)
    assert_allclose(stationary_distribution(mdp, policy), [0.5, 0.5, 0, 0, 0, 0, 0], rtol=1e-15)
    assert_allclose(average_reward(mdp, policy), 2.0, rtol=1e-15)
    assert_allclose(differential_values(mdp, policy), h, rtol=1e-14)
    Q = np.tile(np.array(h)[:, None], 2)
    Q[6, 1] = np.nan
    assert_allclose(differential_action_values(mdp, policy), Q, rtol=1e-14)
    assert_allclose(average_reward_gradient(mdp, policy), [0.0], atol=1e-15)
    # And for a softmax that never doubts.
    softmax = SoftmaxPolicy.tabular(np.zeros((7, 2)))
    assert_allclose(average_reward_gradient(mdp, softmax), np.zeros(14), atol=1e-15)


def test_an_end_by_an_action_of_probability_0_is_refused():
    mdp = FiniteMDP([[[1.0], [0.25]]], [[1.0, 2.0]], [1.0], 0.9)
    words = (
        "an episode may end in state 0, with probability 0.75, by an action of probability 0; expected "
        "transitions whose rows sum to 1: the average reward is that of a process that goes on for ever"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        average_reward(mdp, TablePolicy(np.array([[1.0, 0.0]])))


def test_one_policy_of_a_batch_with_two_closed_classes_is_refused():
    stay, switch = np.eye(2), np.eye(2)[::-1]
    mdp = FiniteMDP(np.stack([stay, switch], axis=1), np.zeros((2, 2)), [1.0, 0.0], 0.9)
    # At -2000 the probability of switching underflows to 0.
    policies = SoftmaxPolicy.tabular([[[0.0, 0.0], [0.0, 0.0]], [[0.0, -2000.0], [0.0, -2000.0]]])
    with pytest.raises(ValueError, match="the long run depends on the start"):
        stationary_distribution(mdp, policies)


def test_sparse_transitions_are_refused():
    mdp = FiniteMDP(sparse.csr_array(np.eye(2)[::-1]), [[0.0], [0.0]], [1.0, 0.0], 0.9)
    words = "transitions are sparse; expected a dense array (S, A, S) for the average reward"
    with pytest.raises(ValueError, match=exactly(words)):
        average_reward(mdp, TablePolicy(np.ones((2, 1))))


@pytest.mark.parametrize("gain", [0.0, 0.02, -2.0])
def test_a_closed_loop_that_is_not_stable_has_no_long_run(gain):
    # With gamma = 0.9 the discounted return of these gains exists.
    mdp, policy = linear_quadratic(gain=gain)
    assert math.isfinite(expected_return(mdp, policy))
    words = (
        f"gain is {gain:g}: the closed loop has drift a + b k = {1 + gain:g}; "
        "expected one between -1 and 1, or the state has no long run"
    )
    for quantity in QUANTITIES:
        with pytest.raises(ValueError, match=exactly(words)):
            quantity(mdp, policy)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_what_is_no_problem_is_refused(quantity):
    with pytest.raises(TypeError, match=exactly("mdp must be a FiniteMDP or a LinearQuadraticMDP, got int")):
        quantity(3, None)


def test_the_discount_plays_no_part():
    # One state, which is never left: the average is p = P(first action), and dp/dtheta = p (1 - p) = 3/16.
    policy = SoftmaxPolicy.tabular([[np.log(3.0), 0.0]])
    for discount in (0.0, 0.9, 1.0):
        mdp = FiniteMDP([[[1.0], [1.0]]], [[1.0, 0.0]], [1.0], discount)
        assert_allclose(average_reward(mdp, policy), 0.75, rtol=1e-15)
        assert_allclose(average_reward_gradient(mdp, policy), [3 / 16, -3 / 16], rtol=1e-14)
        assert_allclose(differential_action_values(mdp, policy), [[0.25, -0.75]], rtol=1e-14)
