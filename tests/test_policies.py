"""The policies: probabilities, scores, samples, batches, and what they refuse."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pgtlab import (
    FiniteMDP,
    FinitePolicy,
    LinearGaussianPolicy,
    SoftmaxPolicy,
    policy_gradient,
    reinforce,
    state_values,
)
from tests import routes
from tests.problems import BATCHES, FEATURES, exactly, random_policy, seeds

policies = st.builds(
    lambda seed, S, A, kind, batch: random_policy(np.random.default_rng(seed), S, A, kind, batch),
    seeds,
    st.integers(1, 5),
    st.integers(1, 4),
    st.sampled_from(FEATURES),
    st.sampled_from(BATCHES),
)
softmax_policies = policies.filter(lambda policy: policy.parameters.ndim == 1)


def single(policy, n):
    return policy.with_parameters(policy.parameters[n])


# --- softmax: closed forms -------------------------------------------------------------------------


def test_two_actions_with_log_odds_3_have_probabilities_3_to_1():
    policy = SoftmaxPolicy([[[1.0], [0.0]]], [math.log(3)])
    assert_allclose(policy.probs(), [[0.75, 0.25]], rtol=1e-15)
    assert_allclose(policy.logits(), [[math.log(3), 0.0]], rtol=1e-15)
    # Features minus their mean 0.75.
    assert_allclose(policy.scores(), [[[0.25], [-0.75]]], rtol=1e-15)


@given(softmax_policies)
def test_probabilities_are_exponentials_over_their_sum(policy):
    S, A, K = policy.features.shape
    for s in range(S):
        weights = [
            math.exp(math.fsum(policy.features[s, a, k] * policy.parameters[k] for k in range(K)))
            for a in range(A)
        ]
        expected = [weight / math.fsum(weights) for weight in weights]
        assert_allclose(policy.probs()[s], expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("top", [700.0, 1e5, -1e5])
def test_large_preferences_neither_overflow_nor_lose_the_logarithm(top):
    policy = SoftmaxPolicy.tabular([[top, top - 1000.0]])
    assert_array_equal(policy.probs(), [[1.0, 0.0]])
    assert_allclose(policy.log_prob(0, [0, 1]), [0.0, -1000.0], rtol=1e-12, atol=1e-12)


@given(softmax_policies)
def test_log_prob_is_the_logarithm_of_the_probability(policy):
    s, a = np.indices(policy.probs().shape)
    assert_allclose(policy.log_prob(s, a), np.log(policy.probs()), rtol=1e-10, atol=1e-12)
    # The inherited form too, which every reader's policy gets.
    assert_allclose(FinitePolicy.log_prob(policy, s, a), policy.log_prob(s, a), rtol=1e-10, atol=1e-12)


@given(softmax_policies, seeds)
def test_the_score_is_the_slope_of_log_prob_along_a_random_direction(policy, seed):
    direction = np.random.default_rng(seed).normal(size=policy.parameters.shape)
    s, a = np.indices(policy.probs().shape)

    def log_prob(theta):
        return policy.with_parameters(theta).log_prob(s, a)

    slope = routes.differences(log_prob, policy.parameters, direction)
    assert_allclose(policy.scores() @ direction, slope, rtol=1e-7, atol=1e-9)


@given(softmax_policies)
def test_the_mean_of_the_score_is_zero_and_that_of_the_features_is_not(policy):
    # M12: features that are not centred are no scores.
    mean = np.einsum("sa,sak->sk", policy.probs(), policy.scores())
    assert_allclose(mean, np.zeros_like(mean), rtol=0, atol=1e-12)
    uncentred = np.einsum("sa,sak->sk", policy.probs(), policy.features)
    assert np.abs(uncentred).max() > 1e-6


@given(policies, seeds)
def test_single_scores_and_weighted_sums_are_those_of_the_table(policy, seed):
    rng = np.random.default_rng(seed)
    scores = policy.scores()
    S, A = policy.features.shape[:2]
    s, a = rng.integers(S, size=(2, 3)), rng.integers(A, size=(2, 3))
    assert_allclose(policy.score(s, a), scores[..., s, a, :], rtol=1e-12, atol=1e-13)
    assert_allclose(policy.score(s, 0), scores[..., s, 0, :], rtol=1e-12, atol=1e-13)
    assert_allclose(policy.score(S - 1, A - 1), scores[..., S - 1, A - 1, :], rtol=1e-12, atol=1e-13)
    weights = rng.normal(size=policy.probs().shape)
    expected = sum(weights[..., s, a, None] * scores[..., s, a, :] for s in range(S) for a in range(A))
    assert_allclose(policy.score_sum(weights), expected, rtol=1e-11, atol=1e-12)
    assert_allclose(FinitePolicy.score_sum(policy, weights), expected, rtol=1e-11, atol=1e-12)
    assert_allclose(FinitePolicy.score(policy, s, a), scores[..., s, a, :], rtol=0, atol=0)


@given(policies)
def test_a_batch_of_policies_equals_a_loop(policy):
    batch = policy.parameters.shape[:-1]
    s = np.arange(policy.features.shape[0])
    for n in np.ndindex(batch):
        one = single(policy, n)
        assert_allclose(policy.logits()[n], one.logits(), rtol=1e-13, atol=1e-14)
        assert_allclose(policy.probs()[n], one.probs(), rtol=1e-13, atol=1e-14)
        assert_allclose(policy.scores()[n], one.scores(), rtol=1e-12, atol=1e-13)
        assert_allclose(policy.log_prob(s, 0)[n], one.log_prob(s, 0), rtol=1e-12, atol=1e-13)


# --- softmax: tabular ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", BATCHES)
def test_a_tabular_policy_is_the_softmax_of_unit_features(batch):
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(*batch, 3, 2))
    tabular = SoftmaxPolicy.tabular(logits)
    written_out = SoftmaxPolicy(np.eye(6).reshape(3, 2, 6), logits.reshape(*batch, 6))
    assert_array_equal(tabular.features, written_out.features)
    assert_array_equal(tabular.parameters, written_out.parameters)
    assert_array_equal(tabular.logits(), logits)
    assert_allclose(tabular.probs(), written_out.probs(), rtol=1e-14)
    weights = rng.normal(size=(*batch, 3, 2))
    assert_allclose(tabular.score_sum(weights), written_out.score_sum(weights), rtol=1e-13, atol=1e-14)


def test_a_large_tabular_policy_takes_little_memory_and_pickles_small():
    policy = SoftmaxPolicy.tabular(np.zeros((1000, 10)))
    # Written out, the features would be 10,000^2 numbers, 800 MB.
    assert len(pickle.dumps(policy)) < 100_000
    again = pickle.loads(pickle.dumps(policy))
    assert again.features.shape == (1000, 10, 10_000)
    assert again.features.strides == policy.features.strides
    assert_array_equal(again.with_parameters(policy.parameters).probs(), policy.probs())


class Own(SoftmaxPolicy):
    """A reader's policy, with a method of its own."""


class OwnGaussian(LinearGaussianPolicy):
    """The same on the line."""


class OwnProblem(FiniteMDP):
    """And a problem."""


@pytest.mark.parametrize(
    "one",
    [
        Own(np.ones((1, 2, 1)), [0.5]),
        Own.tabular([[0.0, 1.0]]),
        OwnGaussian(gain=-0.5, log_std=0.0),
        OwnProblem([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_copy_is_of_the_readers_own_class(one):
    assert type(copy.deepcopy(one)) is type(one)
    assert type(copy.copy(one)) is type(one)


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda policy: pickle.loads(pickle.dumps(policy))])
def test_copies_and_pickles_are_the_same_policy_and_read_only(kind, again):
    policy = random_policy(np.random.default_rng(3), 3, 2, kind, (2,))
    other = again(policy)
    assert_array_equal(other.features, policy.features)
    assert_array_equal(other.parameters, policy.parameters)
    assert_array_equal(other.probs(), policy.probs())
    assert not other.features.flags.writeable
    assert not other.parameters.flags.writeable


# --- softmax: what is kept -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FEATURES)
def test_policies_copy_what_they_get_and_are_read_only(kind):
    policy = random_policy(np.random.default_rng(4), 3, 2, kind)
    theta = np.array(policy.parameters)
    moved = policy.with_parameters(theta)
    theta += 1
    assert_array_equal(moved.parameters, policy.parameters)
    assert moved.features is policy.features
    for values in (moved.features, moved.parameters, moved.probs()):
        assert not values.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.parameters = theta
    assert policy != policy.with_parameters(policy.parameters)


def test_the_callers_arrays_are_copied():
    features, logits = np.ones((2, 2, 1)), np.zeros((2, 2))
    linear, tabular = SoftmaxPolicy(features, [0.0]), SoftmaxPolicy.tabular(logits)
    features[...], logits[...] = 7.0, 7.0
    assert_array_equal(linear.features, np.ones((2, 2, 1)))
    assert_array_equal(tabular.parameters, np.zeros(4))


def test_a_policy_says_its_sizes():
    policy = random_policy(np.random.default_rng(5), 3, 2, "linear")
    assert repr(policy) == "SoftmaxPolicy(n_states=3, n_actions=2, n_parameters=2)"
    batch = policy.with_parameters(np.zeros((4, 5, 2)))
    assert repr(batch) == "SoftmaxPolicy(n_states=3, n_actions=2, n_parameters=2, batch=(4, 5))"


# --- softmax: samples ------------------------------------------------------------------------------


def test_sampled_actions_have_the_probabilities_of_the_policy():
    policy = SoftmaxPolicy.tabular([[0.0, math.log(2), math.log(5)], [math.log(3), 0.0, -800.0]])
    n = 40_000
    rng = np.random.default_rng(6)
    drawn = policy.sample(np.repeat([0, 1], n), rng=rng).reshape(2, n)
    shares = (drawn[..., None] == np.arange(3)).mean(1)
    # Six means of n draws from {0, 1}. The shares differ between actions and states by more than twice the
    # bound, so that a sampler of the wrong action or state passes with a chance of 1e-6 at most.
    bound = routes.hoeffding(1.0, n)
    expected = np.array([[1 / 8, 2 / 8, 5 / 8], [3 / 4, 1 / 4, 0.0]])
    assert_allclose(shares, expected, rtol=0, atol=bound)
    assert (
        min(abs(p - q) for i, p in enumerate(expected.flat) for q in expected.flat[:i] if p != q) > 2 * bound
    )
    assert (drawn[1] < 2).all()


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 5)])
def test_samples_and_probabilities_have_the_shape_of_batch_and_states(batch, shape):
    policy = random_policy(np.random.default_rng(7), 3, 2, "linear", batch)
    states = np.zeros(shape, dtype=int)
    assert np.shape(policy.sample(states, rng=np.random.default_rng(0))) == (*batch, *shape)
    assert np.shape(policy.log_prob(states, 1)) == (*batch, *shape)
    assert policy.score(states, 1).shape == (*batch, *shape, 2)


def test_two_generators_of_one_seed_draw_the_same_actions():
    policy = random_policy(np.random.default_rng(8), 3, 4)
    states = np.arange(300) % 3
    first = policy.sample(states, rng=np.random.default_rng(9))
    assert_array_equal(policy.sample(states, rng=np.random.default_rng(9)), first)
    assert (policy.sample(states, rng=np.random.default_rng(10)) != first).any()


# --- softmax: what is refused ----------------------------------------------------------------------

PHI = np.zeros((2, 3, 4))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: SoftmaxPolicy(PHI[0], np.zeros(4)), "features has shape (3, 4); expected (S, A, K)"),
        (
            lambda: SoftmaxPolicy(PHI, np.zeros(3)),
            "parameters has shape (3,); expected (..., 4) to go with features of shape (2, 3, 4)",
        ),
        (lambda: SoftmaxPolicy(PHI, 0.0), "parameters has shape (); expected (..., K)"),
        (
            lambda: SoftmaxPolicy(PHI, np.zeros(4)).with_parameters(np.zeros((4, 2))),
            "parameters has shape (4, 2); expected (..., 4) to go with features of shape (2, 3, 4)",
        ),
        (
            lambda: SoftmaxPolicy(PHI, np.zeros((0, 4))),
            "parameters has shape (0, 4); expected (..., K) with no empty axis",
        ),
        (
            lambda: SoftmaxPolicy(PHI, [0, 0, np.nan, 0]),
            "parameters[2] is nan; expected a finite number",
        ),
        (
            lambda: SoftmaxPolicy(PHI, np.zeros(4)).with_parameters([0, np.inf, 0, 0]),
            "parameters[1] is inf; expected a finite number",
        ),
        (
            lambda: SoftmaxPolicy(PHI + np.nan, np.zeros(4)),
            "features[0, 0, 0] is nan; expected a finite number",
        ),
        (lambda: SoftmaxPolicy.tabular([0.0, 1.0]), "logits has shape (2,); expected (..., S, A)"),
        (lambda: SoftmaxPolicy.tabular([[0.0, np.nan]]), "logits[0, 1] is nan; expected a finite number"),
    ],
)
def test_bad_values_are_refused_with_place_and_expectation(build, words):
    with pytest.raises(ValueError, match=exactly(words)):
        build()


@pytest.mark.parametrize("method", ["score", "log_prob"])
def test_states_and_actions_out_of_range_are_refused(method):
    ask = getattr(SoftmaxPolicy(PHI, np.zeros(4)), method)
    with pytest.raises(ValueError, match=r"^state is 2; expected an integer from 0 to 1$"):
        ask(2, 0)
    with pytest.raises(ValueError, match=r"^action\[1\] is -1; expected an integer from 0 to 2$"):
        ask(0, [0, -1])
    with pytest.raises(TypeError, match=r"^state must be an integer or an array of integers"):
        ask(0.5, 0)


@pytest.mark.parametrize("policy", [SoftmaxPolicy(PHI, np.zeros(4)), LinearGaussianPolicy(0.0, 0.0)])
def test_sampling_takes_a_generator_and_no_seed(policy):
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator, got int; write rng="):
        policy.sample(0, rng=1)
    with pytest.raises(TypeError, match="rng"):
        policy.sample(0)


def test_sampling_in_an_unknown_state_is_refused():
    with pytest.raises(ValueError, match=r"^state is 2; expected an integer from 0 to 1$"):
        SoftmaxPolicy(PHI, np.zeros(4)).sample(2, rng=np.random.default_rng(0))


def test_a_policy_without_probabilities_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        FinitePolicy()


# --- linear-Gaussian -------------------------------------------------------------------------------


def test_the_linear_gaussian_policy_by_hand():
    # N(2 * 3, e^(2 * 0)) at u = 7: z = 1.
    policy = LinearGaussianPolicy(2.0, 0.0)
    assert_allclose(policy.density(3.0, 7.0), math.exp(-0.5) / math.sqrt(2 * math.pi), rtol=1e-14)
    assert_allclose(policy.score(3.0, 7.0), [3.0, 0.0], rtol=1e-14, atol=1e-14)
    # With std 2 and u = 10: z = 2, score (z x / std, z^2 - 1) = (3, 3).
    policy = LinearGaussianPolicy(2.0, math.log(2))
    assert_allclose(policy.std, 2.0, rtol=1e-15)
    assert_allclose(policy.score(3.0, 10.0), [3.0, 3.0], rtol=1e-14)
    assert_array_equal(policy.parameters, [2.0, math.log(2)])


@pytest.mark.parametrize(("gain", "log_std", "x"), [(0.5, -1.0, 2.0), (-2.0, 0.7, -0.3)])
def test_the_density_is_one_with_mean_and_variance_as_promised(gain, log_std, x):
    policy = LinearGaussianPolicy(gain, log_std)
    std = math.exp(log_std)
    u = np.linspace(gain * x - 12 * std, gain * x + 12 * std, 4001)
    density = policy.density(x, u)
    # The trapezoidal rule is exact to rounding for a Gaussian that has died out at both ends.
    assert_allclose(np.trapezoid(density, u), 1, rtol=1e-12)
    assert_allclose(np.trapezoid(density * u, u), gain * x, rtol=1e-11)
    assert_allclose(np.trapezoid(density * (u - gain * x) ** 2, u), std**2, rtol=1e-11)
    assert_allclose(np.log(density[1000:3001]), policy.log_prob(x, u[1000:3001]), rtol=1e-12, atol=1e-12)
    scores = policy.score(x, u)
    assert_allclose(np.trapezoid(density[:, None] * scores, u, axis=0), [0, 0], atol=1e-11)


@given(st.floats(-2, 2), st.floats(-2, 1), st.floats(-3, 3), st.floats(-3, 3), seeds)
def test_the_gaussian_score_is_the_slope_of_log_prob_along_a_random_direction(gain, log_std, x, z, seed):
    policy = LinearGaussianPolicy(gain, log_std)
    u = gain * x + z * math.exp(log_std)
    direction = np.random.default_rng(seed).normal(size=2)

    def log_prob(theta):
        return policy.with_parameters(theta).log_prob(x, u)

    slope = routes.differences(log_prob, policy.parameters, direction)
    assert_allclose(policy.score(x, u) @ direction, slope, rtol=1e-6, atol=1e-8)


def test_sampled_gaussian_actions_have_their_mean_and_spread():
    policy = LinearGaussianPolicy([0.5, -2.0], math.log(0.3))
    n = 20_000
    u = policy.sample(np.full(n, 2.0), rng=np.random.default_rng(11))
    assert u.shape == (2, n)
    z = (u - np.array([[1.0], [-4.0]])) / 0.3
    # A mean of n standard normals is beyond 5 / sqrt(n) with a chance of 6e-7; the variance, a chi-square
    # over n, beyond 5.5 sqrt(2 / n) with less than 1e-6. A std or mean that is wrong
    # by a tenth is 14 standard errors away.
    assert_allclose(z.mean(-1), 0, atol=5 / math.sqrt(n))
    assert_allclose(z.var(-1), 1, atol=5.5 * math.sqrt(2 / n))
    # The two policies of the batch draw independently.
    assert abs((z[0] * z[1]).mean()) < 5.5 / math.sqrt(n)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 5)])
def test_a_batch_of_gaussian_policies_equals_a_loop(batch, shape):
    rng = np.random.default_rng(12)
    policy = LinearGaussianPolicy(rng.normal(size=batch), rng.normal(size=batch))
    x, u = rng.normal(size=(2, *shape))
    assert policy.parameters.shape == (*batch, 2)
    assert policy.density(x, u).shape == policy.log_prob(x, u).shape == (*batch, *shape)
    assert policy.score(x, u).shape == (*batch, *shape, 2)
    assert np.shape(policy.sample(x, rng=rng)) == (*batch, *shape)
    for n in np.ndindex(batch):
        one = single(policy, n)
        assert_allclose(policy.density(x, u)[n], one.density(x, u), rtol=1e-13)
        assert_allclose(policy.score(x, u)[n], one.score(x, u), rtol=1e-13)


def test_gain_and_log_std_broadcast_and_are_read_only_copies():
    gain = np.array([[1.0], [2.0]])
    policy = LinearGaussianPolicy(gain, [0.0, 1.0, 2.0])
    gain[...] = 7.0
    assert_array_equal(policy.parameters[..., 0], [[1, 1, 1], [2, 2, 2]])
    assert_array_equal(policy.parameters[..., 1], [[0, 1, 2], [0, 1, 2]])
    for again in (policy, copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
        assert_array_equal(again.parameters, policy.parameters)
        assert not again.gain.flags.writeable
        assert not again.log_std.flags.writeable
        assert not again.parameters.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.gain = 0.0


def test_a_gaussian_policy_says_its_parameters_or_its_batch():
    assert repr(LinearGaussianPolicy(-0.5, 0.25)) == "LinearGaussianPolicy(gain=-0.5, log_std=0.25)"
    assert repr(LinearGaussianPolicy([-0.5, 0.0], 0.25)) == "LinearGaussianPolicy(batch=(2,))"


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: LinearGaussianPolicy(np.nan, 0.0), "gain is nan; expected a finite number"),
        (lambda: LinearGaussianPolicy(0.0, [0.0, np.inf]), "log_std[1] is inf; expected a finite number"),
        (
            lambda: LinearGaussianPolicy([0.0, 1.0], [0.0, 1.0, 2.0]),
            "gain has shape (2,) and log_std (3,); expected shapes that broadcast",
        ),
        (
            lambda: LinearGaussianPolicy(0.0, 0.0).with_parameters([1.0, 2.0, 3.0]),
            "parameters has shape (3,); expected (..., 2), gain and log_std",
        ),
        (
            lambda: LinearGaussianPolicy(0.0, 0.0).with_parameters([1.0, np.nan]),
            "parameters[1] is nan; expected a finite number",
        ),
    ],
)
def test_bad_gaussian_parameters_are_refused(build, words):
    with pytest.raises(ValueError, match=exactly(words)):
        build()


def test_gaussian_parameters_are_numbers():
    with pytest.raises(TypeError, match=r"^gain must be an array of numbers of shape"):
        LinearGaussianPolicy("steep", 0.0)


# --- logarithms --------------------------------------------------------------------------------------


def test_the_logarithms_of_all_probabilities_stay_where_they_underflow():
    # log sigmoid(z) = -log(1 + e^-z): for the likelier action -e^-40, for the other -40 and 0 more.
    policy = SoftmaxPolicy.tabular([[40.0, 0.0], [0.0, 2000.0], [0.0, 0.0]])
    expected = [[-math.exp(-40), -40.0], [-2000.0, 0.0], [-math.log(2)] * 2]
    assert_allclose(policy.log_probs(), expected, rtol=1e-15)
    assert_allclose(policy.log_prob([0, 1], [0, 0]), [-math.exp(-40), -2000.0], rtol=1e-15)
    batch = policy.with_parameters([policy.parameters, np.zeros(6)])
    assert_allclose(batch.log_probs(), [expected, np.full((3, 2), -math.log(2))], rtol=1e-15)


def test_preferences_that_overflow_are_refused_or_as_sure_as_can_be():
    sure = SoftmaxPolicy.tabular([[1e308, -1e308]])
    assert_allclose(sure.probs(), [[1.0, 0.0]], atol=0)
    # log pi = -2e308 is no float, and minus infinity would say that the action is never taken.
    with pytest.raises(
        ValueError, match=r"^the preference of \[state, action\] = \[0, 1\] is so far below the largest"
    ):
        sure.log_probs()
    # Nor is a sum of logarithms, which nobody asks for.
    assert SoftmaxPolicy.tabular([[0.0, -1e308, -1e308]]).log_probs().tolist() == [[0.0, -1e308, -1e308]]
    policy = SoftmaxPolicy([[[1.0], [1e10]]], [1e300])
    for use in (policy.probs, policy.log_probs):
        with pytest.raises(
            ValueError,
            match=exactly(
                "the preference of [state, action] = [0, 1] is inf; expected a finite number: features and "
                "parameters are too large"
            ),
        ):
            use()


# --- scores of a policy of one's own ---------------------------------------------------------------


class Scored(FinitePolicy):
    """Two actions in one state, with probabilities and scores as they are given."""

    def __init__(self, probs, scores):
        self.parameters, self._probs, self._scores = np.zeros(1), np.array(probs), scores

    def probs(self):
        return self._probs

    def scores(self):
        return self._scores

    def with_parameters(self, parameters):
        return self


ONE_STEP = FiniteMDP(np.zeros((1, 2, 1)), [[1.0, 0.0]], [1.0], 0.9)
EVEN = [[0.5, 0.5]]


@pytest.mark.parametrize(
    ("scores", "error", "words"),
    [
        (
            [[[0.5], [np.nan]]],
            ValueError,
            "policy.scores()[0, 1, 0] is nan; expected a finite number",
        ),
        (
            [[0.5, -0.5]],
            ValueError,
            "policy.scores() has shape (1, 2); expected (1, 2, 1) for each state and action a number for "
            "each parameter",
        ),
        # Not centred: the feature alone, whose mean is 1/2.
        (
            [[[1.0], [0.0]]],
            ValueError,
            "the mean of policy.scores()[0, :, 0] under the policy is 0.5; expected 0. "
            "checks.sound_policy(policy) looks for the cause",
        ),
        ([[["a"], ["b"]]], TypeError, "policy.scores() must be made of numbers: got text"),
    ],
)
def test_what_no_score_can_be_is_refused_by_every_gradient(scores, error, words):
    policy = Scored(EVEN, scores)
    for call in (
        lambda: policy_gradient(ONE_STEP, policy),
        lambda: reinforce(ONE_STEP, policy, n_episodes=10, rng=np.random.default_rng(0)),
    ):
        with pytest.raises(error, match=exactly(words)):
            call()


def test_of_what_is_never_done_a_score_may_be_nan():
    # d J = sum_a pi SC R = 1 * 0 * 1: there is one action, and its probability is 1 whatever the parameter.
    policy = Scored([[1.0, 0.0]], [[[0.0], [np.nan]]])
    assert_array_equal(policy_gradient(ONE_STEP, policy), [0.0])


def test_what_rounding_leaves_of_a_score_of_0_is_no_score():
    # A parameter that changes nothing: features 0.1 less their mean, 0.1 + 0.1 + 0.1 over 3, and the like.
    policy = Scored(EVEN, [[[1.4e-17], [1.4e-17]]])
    assert_allclose(policy_gradient(ONE_STEP, policy), [0.0], atol=1e-16)
    with pytest.raises(
        ValueError, match="^the mean of policy.scores\\(\\)\\[0, :, 0\\] under the policy is 1e-05"
    ):
        policy_gradient(ONE_STEP, Scored(EVEN, [[[1e-5], [1e-5]]]))


@pytest.mark.parametrize(
    ("probs", "error", "words"),
    [
        (np.array([["0.5", "0.5"]]), TypeError, " must be made of numbers: got text"),
        (np.array([[0, 1]], "m8[D]"), TypeError, " must be made of numbers: got time spans"),
        (np.array([[0.5 + 1j, 0.5 - 1j]]), TypeError, " must be made of numbers: got complex numbers"),
        (np.ma.masked_array(EVEN, [[True, False]]), ValueError, "[0, 0] is masked; expected a number"),
    ],
)
def test_what_no_probability_can_be_is_refused_where_a_problem_is_met(probs, error, words):
    class Told(Scored):
        def probs(self):
            return probs

    policy = Told(EVEN, [[[0.5], [-0.5]]])
    with pytest.raises(error, match=exactly(f"policy.probs(){words}")):
        state_values(ONE_STEP, policy)


def test_probabilities_of_ones_own_may_be_whole_numbers():
    assert_array_equal(state_values(ONE_STEP, Scored([[1, 0]], np.zeros((1, 2, 1)))), [1.0])


def test_a_single_score_of_ones_own_is_checked_like_all_of_them():
    with pytest.raises(ValueError, match=r"^policy\.scores\(\)\[0, 0, 0\] is nan"):
        Scored(EVEN, [[[np.nan], [0.0]]]).score(0, 0)


def test_scores_keep_their_digits_beside_what_all_actions_have_in_common():
    # phi = 1e8 + (1, 0, 2)/8, exactly, with even odds: the scores are (0, -1, 1)/8 but for a rounded 1/3.
    policy = SoftmaxPolicy(1e8 + np.array([[[1.0], [0.0], [2.0]]]) / 8, [0.0])
    right = np.array([[0.0], [-1.0], [1.0]]) / 8
    assert_allclose(policy.scores()[0], right, atol=1e-16)
    assert_allclose(policy.score(0, np.arange(3)), right, atol=1e-16)


class Doubled(SoftmaxPolicy):
    """Softmax with scores of its own: no shortcut through the features may stand for them."""

    def scores(self):
        return 2 * super().scores()


@pytest.mark.parametrize("kind", [SoftmaxPolicy, Doubled])
def test_slopes_and_differences_are_those_of_the_scores(kind):
    rng = np.random.default_rng(7)
    policy = kind(rng.normal(size=(3, 4, 2)), rng.normal(size=2))
    scores, w = policy.scores(), rng.normal(size=2)
    assert_allclose(policy.scores_along(w), scores @ w, rtol=1e-12, atol=1e-13)
    differences = policy.score_differences()
    assert_allclose(differences - differences[:, :1], scores - scores[:, :1], rtol=1e-12, atol=1e-13)
    assert_allclose(policy.squared_scores(), (scores**2).sum(-1), rtol=1e-12)


def test_the_slope_on_the_line_is_the_score_times_the_direction():
    policy, w = LinearGaussianPolicy(-0.4, 0.3), np.array([0.7, -1.1])
    x, u = np.array([-1.0, 0.0, 2.0]), np.array([0.5, 1.0, -3.0])
    assert_allclose(policy.scores_along(w)(x, u), policy.score(x, u) @ w, rtol=1e-12)
    assert not policy.is_tabular
