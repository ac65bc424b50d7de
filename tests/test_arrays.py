"""The functions on plain arrays: by loops in fractions, by hand, and against the estimators that use them."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgtlab import action_values, chain, state_values, state_visitation
from pgtlab.arrays import (
    discounted_returns,
    discounted_visits,
    gae,
    importance_ratios,
    lambda_returns,
    td_errors,
)
from pgtlab.estimators import GAE, NStepReturn, ReturnToGo, TDErrors
from pgtlab.gallery import now_or_later
from pgtlab.rollouts import rollout
from tests import routes
from tests.problems import exactly, layered_problem, random_problem, seeds

# --- by loops, in fractions --------------------------------------------------------------------------


def eighths(rng, shape):
    """Return numbers that floats hold without rounding."""
    return rng.integers(-40, 41, size=shape) / 8


def record(seed, shape):
    """Return rewards, values, next values, and where episodes ended and were cut off, now and then both."""
    rng = np.random.default_rng(seed)
    rewards, values, following = (eighths(rng, shape) for _ in range(3))
    terminated, truncated = rng.random(shape) < 0.3, rng.random(shape) < 0.3
    # While an episode goes on the next state is that of the next row.
    following[:-1] = np.where(terminated | truncated, following, np.roll(values, -1, axis=0))[:-1]
    return rewards, values, following, terminated, truncated


def one_column(rewards, values, following, terminated, truncated, gamma, lam):
    """Return the four quantities of one column as their definitions read, forwards, in fractions."""
    r, V, W = ([Fraction(float(each)) for each in column] for column in (rewards, values, following))
    T, found = len(r), {"returns": [], "errors": [], "advantages": [], "lambda": []}
    delta = [r[t] + gamma * (0 if terminated[t] else W[t]) - V[t] for t in range(T)]
    for t in range(T):
        # The last step of the episode that t is in, or of what is known of it
        end = next((j for j in range(t, T) if terminated[j] or truncated[j]), T - 1)
        found["returns"].append(sum(gamma ** (j - t) * r[j] for j in range(t, end + 1)))
        found["errors"].append(delta[t])
        found["advantages"].append(sum((gamma * lam) ** (j - t) * delta[j] for j in range(t, end + 1)))
        # The mixture of the returns of n steps: (1 - lam) lam^(n-1) each, and the rest for the longest one.
        total = Fraction(0)
        for j in range(t, end + 1):
            n_step = sum(gamma ** (i - t) * r[i] for i in range(t, j + 1))
            n_step += gamma ** (j + 1 - t) * (0 if terminated[j] else W[j])
            total += n_step * (lam ** (j - t) * (1 - lam) if j < end else lam ** (j - t))
        found["lambda"].append(total)
    return {name: [float(each) for each in column] for name, column in found.items()}


@given(seeds, st.sampled_from([(6,), (5, 3), (4, 2, 2), (1, 2)]), st.sampled_from([0.0, 0.75, 1.0]))
@settings(max_examples=40)
def test_each_is_what_its_definition_reads(seed, shape, lam):
    rewards, values, following, terminated, truncated = record(seed, shape)
    gamma, stops = 0.875, {"terminated": terminated, "truncated": truncated}
    found = {
        "returns": discounted_returns(rewards, gamma, ends=terminated | truncated),
        "errors": td_errors(rewards, values, following, gamma, terminated=terminated),
        "advantages": gae(rewards, values, following, gamma, lam, **stops),
        "lambda": lambda_returns(rewards, following, gamma, lam, **stops),
    }
    for at in np.ndindex(shape[1:]):
        column = (slice(None), *at)
        arrays = [each[column] for each in (rewards, values, following, terminated, truncated)]
        expected = one_column(*arrays, Fraction(7, 8), Fraction(lam))
        for name, each in found.items():
            assert each.shape == shape
            assert_allclose(each[column], expected[name], rtol=1e-12, atol=1e-12, err_msg=name)
    # Advantages are returns less values.
    assert_allclose(found["lambda"] - values, found["advantages"], rtol=1e-12, atol=1e-12)


def test_where_an_episode_is_cut_off_the_value_stands_for_the_rest_and_at_its_end_nothing():
    # Every step pays 1, for ever: with the discount 0.9 that is worth 10, from wherever one is.
    ones, ten = np.ones((4, 3)), np.full((4, 3), 10.0)
    cut, end = np.zeros((4, 3), dtype=bool), np.zeros((4, 3), dtype=bool)
    cut[1, 0] = end[1, 1] = cut[1, 2] = end[1, 2] = True
    for lam in (0.0, 0.5, 1.0):
        found = lambda_returns(ones, ten, 0.9, lam, terminated=end, truncated=cut)
        # Cut off, it makes no difference that the record breaks off.
        assert_allclose(found[:, 0], 10.0, rtol=1e-14)
        # Before an end there is 1 to come, and before that 1 + 0.9 (10 (1 - lam) + lam). An end that was cut
        # off too is an end.
        for column in (1, 2):
            assert_allclose(found[:, column], [1 + 0.9 * (10 * (1 - lam) + lam), 1.0, 10.0, 10.0], rtol=1e-14)
        assert_allclose(gae(ones, ten, ten, 0.9, lam, truncated=cut), 0.0, atol=1e-14)
    # Without values what is cut off is missing: 1.9 and 1, twice.
    assert_allclose(discounted_returns(ones, 0.9, ends=cut)[:, 0], [1.9, 1.0, 1.9, 1.0], rtol=1e-14)


# --- against the estimators --------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [None, 5])
def test_the_signals_are_these_functions_times_the_discount(horizon):
    rng = np.random.default_rng(1)
    mdp, policy = layered_problem(rng)
    paths = rollout(mdp, policy, n_episodes=30, horizon=horizon, rng=rng)
    V, weight = rng.normal(size=mdp.n_states), 0.9 ** np.arange(paths.n_steps)[:, None]
    along = np.append(V, 0.0)[paths.states]
    arrays = paths.rewards, along[:-1], along[1:]
    pairs = [
        (ReturnToGo(), discounted_returns(paths.rewards, 0.9)),
        (ReturnToGo(V), discounted_returns(paths.rewards, 0.9) - along[:-1]),
        (TDErrors(V), td_errors(*arrays, 0.9)),
        (GAE(V, 0.7), gae(*arrays, 0.9, 0.7)),
        (GAE(V, 0.7), lambda_returns(paths.rewards, along[1:], 0.9, 0.7) - along[:-1]),
        (NStepReturn(V, 1), td_errors(*arrays, 0.9)),
        (NStepReturn(V, 1000), gae(*arrays, 0.9, 1.0)),
    ]
    for signal, expected in pairs:
        found = signal.weights(paths)
        assert_allclose(found, np.where(paths.alive, weight * expected, 0.0), rtol=1e-11, atol=1e-12)


def test_the_return_of_two_steps_is_what_textbooks_write():
    rng = np.random.default_rng(2)
    mdp, policy = random_problem(rng, discount=0.9)
    paths = rollout(mdp, policy, n_episodes=20, horizon=6, rng=rng)
    V = rng.normal(size=mdp.n_states)
    v, r = np.append(V, 0.0)[paths.states], paths.rewards
    # r_t + gamma r_{t+1} + gamma^2 V(s_{t+2}) - V(s_t), and at the last step one reward only.
    found = NStepReturn(V, 2).weights(paths) / 0.9 ** np.arange(6)[:, None]
    expected = r[:-1] + 0.9 * r[1:] + 0.81 * v[2:] - v[:-2]
    assert_allclose(found[:-1], np.where(paths.alive[:-1], expected, 0.0), rtol=1e-11, atol=1e-12)
    assert_allclose(
        found[-1], np.where(paths.alive[-1], r[-1] + 0.9 * v[6] - v[5], 0.0), rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize("n", [1, 2, 5, 300])
def test_the_mean_of_the_return_of_n_steps_is_that_of_its_formula(n):
    # It is off by gamma^(n-1) P_pi^(n-1) (V - V^pi), seen one step on; with V^pi it is off by nothing.
    rng = np.random.default_rng(3)
    mdp, policy = random_problem(rng, discount=0.9, features="linear")
    V, right = rng.normal(size=mdp.n_states), state_values(mdp, policy)
    probs, rho = policy.probs(), state_visitation(mdp, policy)
    P = np.einsum("sa,sap->sp", probs, mdp.transition)
    off = 0.9 ** (n - 1) * np.linalg.matrix_power(P, n - 1) @ (V - right)
    Q = action_values(mdp, policy) + 0.9 * mdp.transition @ off
    expected = np.einsum("s,sa,sak,sa->k", rho, probs, policy.scores(), Q)
    assert_allclose(NStepReturn(V, n).expectation(mdp, policy), expected, rtol=1e-9, atol=1e-10)
    exact = routes.score_equations(mdp, policy, action_values(mdp, policy))[1]
    assert_allclose(NStepReturn(right, n).expectation(mdp, policy), exact, rtol=1e-8, atol=1e-9)


# --- ratios ------------------------------------------------------------------------------------------


def test_ratios_are_products_from_the_start_of_each_episode():
    ours = [Fraction(1, 2), Fraction(1, 4), Fraction(3, 4), Fraction(1, 8), Fraction(1)]
    other = [Fraction(1, 4), Fraction(3, 4), Fraction(1, 4), Fraction(1, 2), Fraction(1, 5)]
    ends = [False, True, False, False, False]
    found = importance_ratios(np.log(np.array(ours, float)), np.log(np.array(other, float)), ends=ends)
    ratio = [a / b for a, b in zip(ours, other, strict=True)]
    expected = [ratio[0], ratio[0] * ratio[1], ratio[2], ratio[2] * ratio[3], ratio[2] * ratio[3] * ratio[4]]
    assert_allclose(found, [float(each) for each in expected], rtol=1e-12)
    # What the policy never does, and what comes after it, counts 0.
    assert_array_equal(importance_ratios([0.0, -np.inf, 0.0], [0.0, 0.0, 0.0]), [1.0, 0.0, 0.0])


def test_ratios_turn_the_mean_under_one_policy_into_that_under_another():
    # Over all paths of two coins in three steps: the reward of a step is 2 for heads in it, and 1 for each
    # heads before. Each path counts as b makes it, and its rewards times the ratio have the means of pi.
    pi, b = 0.7, 0.4
    means = np.zeros((2, 3))
    for flips in itertools.product([True, False], repeat=3):
        heads = np.array(flips)
        rewards = 2.0 * heads + np.concatenate([[0], heads[:-1].cumsum()])
        ours, other = (np.where(heads, p, 1 - p) for p in (pi, b))
        ratios = importance_ratios(np.log(ours), np.log(other))
        means += other.prod() * rewards * ratios, ours.prod() * rewards
    assert_allclose(means[0], means[1], rtol=1e-12)


# --- visits ------------------------------------------------------------------------------------------


@given(seeds, st.sampled_from([0.0, 0.5, 0.9]))
@settings(max_examples=20)
def test_visits_are_the_sum_over_time(seed, discount):
    mdp, policy = random_problem(np.random.default_rng(seed), discount=discount)
    P = chain(mdp, policy).transition
    found = discounted_visits(P, mdp.initial, discount)
    total, term = 0.0, mdp.initial
    # 0.9^600 is 4e-28.
    for _ in range(600):
        total, term = total + term, discount * (term @ P)
    assert_allclose(found, total, rtol=1e-10, atol=1e-13)
    assert_allclose(found, state_visitation(mdp, policy), rtol=1e-12, atol=1e-14)


def test_visits_without_discount_in_fractions():
    # rho_0 = 1 + rho_1 / 4 and rho_1 = rho_0 / 2: 8/7 and 4/7.
    found = discounted_visits([[0.0, 0.5], [0.25, 0.0]], [1.0, 0.0], 1.0)
    assert_allclose(found, [float(Fraction(8, 7)), float(Fraction(4, 7))], rtol=1e-14)


# --- what comes in -----------------------------------------------------------------------------------


def test_single_precision_is_taken_up_and_double_comes_back():
    tenth = np.float32(0.1)
    found = discounted_returns(np.array([tenth, tenth]), 0.5)
    assert found.dtype == np.float64
    # As it stands, 0.100000001490116..., and not as if it had been 0.1.
    assert_array_equal(found, [1.5 * float(tenth), float(tenth)])
    assert gae(*[np.full(3, tenth)] * 3, 0.9, 0.9).dtype == np.float64
    assert lambda_returns([1, 2], [0, 0], 1, 1).tolist() == [3.0, 2.0]


def test_what_comes_in_is_left_as_it_is():
    rewards, values, following, terminated, truncated = arrays = record(4, (5, 2))
    before = [each.copy() for each in arrays]
    discounted_returns(rewards, 0.5, ends=terminated)
    stops = {"terminated": terminated, "truncated": truncated}
    gae(rewards, values, following, 0.5, 0.5, **stops)
    lambda_returns(rewards, following, 0.5, 0.5, **stops)
    for each, was in zip(arrays, before, strict=True):
        assert_array_equal(each, was)


r, flag = np.ones((3, 2)), np.zeros((3, 2), dtype=bool)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (
            lambda: discounted_returns(1.0, 0.5),
            ValueError,
            "rewards has shape (); expected (T, ...) with no empty axis, time first",
        ),
        (
            lambda: discounted_returns([], 0.5),
            ValueError,
            "rewards has shape (0,); expected (T, ...) with no empty axis, time first",
        ),
        (
            lambda: discounted_returns([1.0, np.nan], 0.5),
            ValueError,
            "rewards[1] is nan; expected a finite number",
        ),
        (lambda: discounted_returns(r, 1.5), ValueError, "discount is 1.5; expected a number in [0, 1]"),
        (
            lambda: discounted_returns("r", 0.5),
            TypeError,
            "rewards must be an array of numbers, time first: got text",
        ),
        (
            lambda: discounted_returns(r, 0.5, ends=flag[:2]),
            ValueError,
            "ends has shape (2, 2); expected (3, 2) with one for each step",
        ),
        (
            lambda: discounted_returns(r, 0.5, ends=0.0 * r),
            TypeError,
            "ends must be made of True and False, got dtype float64",
        ),
        (lambda: td_errors(r, r[0], r, 0.5), ValueError, "values has shape (2,); expected (3, 2) as rewards"),
        (
            lambda: td_errors(r, np.ones((4, 2)), r, 0.5),
            ValueError,
            "values has shape (4, 2); expected (3, 2) as rewards",
        ),
        (
            lambda: gae(r, r, r.T, 0.5, 0.5),
            ValueError,
            "next_values has shape (2, 3); expected (3, 2) as rewards",
        ),
        (lambda: gae(r, r, r, 0.5, -0.1), ValueError, "lam is -0.1; expected a number in [0, 1]"),
        (
            lambda: gae(r, r, r, 0.5, 0.5, truncated=[1, 0]),
            TypeError,
            "truncated must be made of True and False, got dtype int64",
        ),
        (
            lambda: lambda_returns(r, r, 0.5, 0.5, terminated=flag[0]),
            ValueError,
            "terminated has shape (2,); expected (3, 2) with one for each step",
        ),
        (
            lambda: importance_ratios(0.0, 0.0),
            ValueError,
            "log_probs has shape (); expected (T, ...), time first",
        ),
        (
            lambda: importance_ratios([0.0], [0.0, 0.0]),
            ValueError,
            "behaviour_log_probs has shape (2,); expected (1,) as log_probs",
        ),
        (
            lambda: importance_ratios([np.inf], [0.0]),
            ValueError,
            "log_probs[0] is inf; expected a finite number",
        ),
        (
            lambda: importance_ratios([0.0], [-np.inf]),
            ValueError,
            "behaviour_log_probs[0] is -inf; expected a finite number",
        ),
        (
            lambda: importance_ratios([0.0] * 2, [-400.0] * 2),
            ValueError,
            "the importance ratio at time and episode [1] is inf; expected a finite number",
        ),
        (
            lambda: discounted_visits(np.ones((2, 3)), [1.0], 0.5),
            ValueError,
            "P has shape (2, 3); expected (S, S), each letter of one size",
        ),
        (
            lambda: discounted_visits([[0.6, 0.5], [0, 1]], [1.0, 0.0], 0.5),
            ValueError,
            "P[0, :] sums to 1.1; expected at most 1 within 1e-10",
        ),
        (
            lambda: discounted_visits([[0.6, -0.5], [0, 1]], [1.0, 0.0], 0.5),
            ValueError,
            "P[0, 1] is -0.5; expected a probability of at least 0",
        ),
        (
            lambda: discounted_visits([[0.5]], [1.0, 0.0], 0.5),
            ValueError,
            "initial has shape (2,); expected (1,) as P has states",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(call, kind, words):
    with pytest.raises(kind, match=exactly(words)):
        call()


def test_sums_beyond_the_numbers_of_a_computer_are_refused():
    for call, name in (
        (lambda: discounted_returns([1e308, 1e308], 1.0), "return"),
        (lambda: lambda_returns([1e308, 1e308], [0.0, 0.0], 1.0, 1.0), "return"),
        (lambda: gae([1e308, 1e308], [0.0, 0.0], [0.0, 0.0], 1.0, 1.0), "advantage"),
    ):
        words = f"the {name} at time and episode [0] is inf; expected a finite number"
        with pytest.raises(ValueError, match=exactly(words)):
            call()
    # Next to nothing is no reason: 1e-300 of the discount.
    assert_array_equal(discounted_returns([1.0, 1e300], 1e-300), [2.0, 1e300])
    assert_array_equal(discounted_visits([[0.0, 1.0], [0.0, 1.0]], [1.0, 0.0], 1e-300), [1.0, 1e-300])


def test_visits_that_have_no_sum_are_refused():
    with pytest.raises(ValueError, match="^discount is 1"):
        discounted_visits([[1.0]], [1.0], 1.0)


def test_the_functions_are_offered_by_the_package():
    mdp, policy = now_or_later()
    paths = rollout(mdp, policy, n_episodes=10, rng=np.random.default_rng(5))
    # 10 after "later", 0.9 of it at the start; 1 for "now".
    assert set(discounted_returns(paths.rewards, mdp.discount)[0]) <= {9.0, 1.0}
