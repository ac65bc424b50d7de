"""Sampled gradients without chance: factors by their formulas, means over all paths, sums by loops."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

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
    action_values,
    advantages,
    policy_gradient,
    state_values,
)
from pgtlab.estimators import (
    GAE,
    ActionValues,
    Advantages,
    ReturnToGo,
    TDErrors,
    WholeReturn,
    estimate_gradient,
    fitted_values,
    reinforce,
    return_estimate,
)
from pgtlab.estimators.expectations import mean_of_estimate
from pgtlab.gallery import linear_quadratic, one_knob, short_corridor, two_states
from pgtlab.rollouts import GeometricHorizon, rollout
from pgtlab.rollouts import paths as records
from tests import routes
from tests.enumeration import (
    all_paths,
    cut_at_random,
    gathered,
    gaussian_paths,
    record,
    score_sums,
    truncated_return,
)
from tests.problems import (
    exactly,
    garden,
    layered_problem,
    problems,
    random_linear_quadratic,
    random_problem,
    seeds,
)
from tests.signals import KINDS, by_definition, some_signals

# --- factors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("horizon", [None, 3, GeometricHorizon(0.7)])
def test_the_factors_along_paths_are_those_of_the_formula(kind, horizon):
    rng = np.random.default_rng(3)
    mdp, policy = random_problem(rng, discount=1.0 if horizon is None else 0.9)
    signal = some_signals(rng, mdp)[kind]
    paths = rollout(mdp, policy, n_episodes=40, horizon=horizon, rng=rng)
    assert_allclose(signal.weights(paths), by_definition(signal, paths), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("horizon", [3, GeometricHorizon(0.7)])
def test_the_factors_along_linear_quadratic_paths_are_those_of_the_formula(kind, horizon):
    rng = np.random.default_rng(4)
    mdp, policy = random_linear_quadratic(rng)
    signal = some_signals(rng, mdp)[kind]
    paths = rollout(mdp, policy, n_episodes=20, horizon=horizon, rng=rng)
    assert_allclose(signal.weights(paths), by_definition(signal, paths), rtol=1e-11, atol=1e-12)


# --- exact means -----------------------------------------------------------------------------------


@given(seeds, st.integers(1, 3), st.sampled_from([0.0, 0.8, 1.0]))
def test_the_mean_under_a_horizon_is_the_mean_over_all_paths(seed, T, discount):
    rng = np.random.default_rng(seed)
    mdp, policy = random_problem(
        rng, n_states=2, n_actions=2, branching=2, discount=discount, features="linear"
    )
    chances, paths = gathered(mdp, policy, all_paths(mdp, policy.probs(), T), T)
    for kind, signal in some_signals(rng, mdp).items():
        expected = chances @ score_sums(paths, by_definition(signal, paths))
        found = signal.expectation(mdp, policy, horizon=T)
        assert_allclose(found, expected, rtol=1e-9, atol=1e-11, err_msg=kind)


@given(seeds, st.sampled_from([0.0, 0.5, 0.9, 1.0]), st.sampled_from([0.3, 0.9]))
def test_a_geometric_horizon_leaves_the_mean_without_truncation(seed, discount, q):
    # Weights gamma^t / q^t, whatever q is: over all paths that start, go on, end and are cut at random.
    rng = np.random.default_rng(seed)
    mdp, policy = layered_problem(rng, n_states=3, discount=discount)
    horizon = GeometricHorizon(q)
    chances, whole = gathered(mdp, policy, all_paths(mdp, policy.probs(), 3), None)
    parts, cut = gathered(mdp, policy, cut_at_random(mdp, policy.probs(), 3, q), horizon)
    for kind, signal in some_signals(rng, mdp).items():
        expected = chances @ score_sums(whole, by_definition(signal, whole))
        also = parts @ score_sums(cut, signal.weights(cut))
        assert_allclose(also, expected, rtol=1e-9, atol=1e-11, err_msg=kind)
        for each in (None, horizon, 3, 7):
            found = signal.expectation(mdp, policy, each)
            assert_allclose(found, expected, rtol=1e-9, atol=1e-11, err_msg=kind)


@pytest.mark.parametrize("T", [1, 2])
def test_the_mean_on_the_real_line_is_the_integral_over_all_noise(T):
    rng = np.random.default_rng(5)
    mdp, policy = random_linear_quadratic(rng)
    masses, paths = gaussian_paths(mdp, policy, T)
    for kind, signal in some_signals(rng, mdp).items():
        sums = np.einsum("tnk,tn->nk", policy.score(paths.states[:-1], paths.actions), signal.weights(paths))
        expected = masses @ sums
        assert_allclose(signal.expectation(mdp, policy, T), expected, rtol=1e-9, atol=1e-10, err_msg=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_horizon_the_mean_is_the_limit_of_long_horizons(kind):
    rng = np.random.default_rng(6)
    for mdp, policy in (random_problem(rng, discount=0.9), random_linear_quadratic(rng)):
        signal = some_signals(rng, mdp)[kind]
        limit = signal.expectation(mdp, policy)
        # 0.9^400 is 5e-19.
        assert_allclose(signal.expectation(mdp, policy, 400), limit, rtol=1e-9, atol=1e-11)
        assert np.abs(signal.expectation(mdp, policy, 5) - limit).max() > 1e-3


@given(problems())
def test_with_the_right_values_every_mean_is_the_gradient(problem):
    mdp, policy = problem
    V, Q, A = state_values(mdp, policy), action_values(mdp, policy), advantages(mdp, policy)
    signals = [
        WholeReturn(),
        ReturnToGo(),
        ReturnToGo(np.ones(mdp.n_states)),
        ActionValues(Q),
        Advantages(A),
        TDErrors(V),
        GAE(V, 0.3),
        GAE(V, 1.0),
    ]
    gradient = policy_gradient(mdp, policy)
    for signal in signals:
        assert_allclose(signal.expectation(mdp, policy), gradient, rtol=1e-8, atol=1e-9, err_msg=repr(signal))


@pytest.mark.parametrize("seed", range(3))
def test_with_the_right_values_every_mean_is_the_linear_quadratic_gradient(seed):
    mdp, policy = random_linear_quadratic(np.random.default_rng(seed))
    V, Q, A = state_values(mdp, policy), action_values(mdp, policy), advantages(mdp, policy)
    signals = [
        WholeReturn(),
        ReturnToGo(abs),
        ActionValues(Q),
        Advantages(A),
        TDErrors(V),
        GAE(V, 0.3),
        GAE(V, 1),
    ]
    for signal in signals:
        assert_allclose(signal.expectation(mdp, policy), policy_gradient(mdp, policy), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("T", [1, 2, 7])
@pytest.mark.parametrize("signal", [WholeReturn(), ReturnToGo()], ids=["whole", "to go"])
def test_under_a_horizon_the_mean_is_the_slope_of_the_truncated_return(T, signal):
    rng = np.random.default_rng(7)
    # At discount 1 without an end J does not exist, but its truncated form does.
    endless, coin = two_states(0.6, 0.3)
    cases = [random_problem(rng), random_linear_quadratic(rng), (replace(endless, discount=1.0), coin)]
    for mdp, policy in cases:
        found = signal.expectation(mdp, policy, T)
        for k, direction in enumerate(np.eye(len(found))):
            slope = routes.differences(
                lambda theta, mdp=mdp, policy=policy: truncated_return(mdp, policy.with_parameters(theta), T),
                policy.parameters,
                direction,
            )
            assert_allclose(found[k], slope, rtol=1e-7, atol=1e-9)


@given(seeds, st.sampled_from([0.0, 0.4, 1.0]))
def test_the_bias_of_gae_is_the_formula_of_its_docstring(seed, lam):
    rng = np.random.default_rng(seed)
    mdp, policy = random_problem(rng, features="linear")
    V = rng.normal(size=mdp.n_states)
    probs, gamma = policy.probs(), mdp.discount
    P, _ = routes.mixed(mdp, probs)
    error = np.linalg.solve(np.eye(mdp.n_states) - gamma * lam * P, V - routes.values(mdp, probs))
    weight = routes.visits(mdp, probs)[:, None] * probs * (mdp.transition @ error)
    bias = (1 - lam) * gamma * np.einsum("sa,sak->k", weight, policy.scores())
    signals = [GAE(V, lam), TDErrors(V)] if lam == 0 else [GAE(V, lam)]
    for signal in signals:
        found = signal.expectation(mdp, policy) - policy_gradient(mdp, policy)
        assert_allclose(found, bias, rtol=1e-8, atol=1e-9)


def test_action_values_under_a_horizon_give_the_first_terms_of_14_2():
    # (14.2): sum_{t < T} gamma^t sum_s p_t(s) sum_a d pi(s, a) Q(s, a)
    rng = np.random.default_rng(8)
    mdp, policy = random_problem(rng, features="linear")
    probs, Q = policy.probs(), action_values(mdp, policy)
    P, _ = routes.mixed(mdp, probs)
    expected, here = np.zeros(2), np.array(mdp.initial)
    for t in range(3):
        expected += mdp.discount**t * np.einsum("s,sa,sak,sa->k", here, probs, policy.scores(), Q)
        here = here @ P
    assert_allclose(ActionValues(Q).expectation(mdp, policy, 3), expected, rtol=1e-11)
    # That is neither the gradient nor the slope of the truncated return.
    assert np.abs(expected - policy_gradient(mdp, policy)).max() > 1e-3
    assert np.abs(expected - ReturnToGo().expectation(mdp, policy, 3)).max() > 1e-3


@given(seeds, st.integers(1, 60), st.sampled_from([0.5, 0.9, 0.99]))
def test_the_truncation_bias_stays_within_its_bound(seed, T, gamma):
    mdp, policy = random_problem(np.random.default_rng(seed), discount=gamma, features="linear")
    bias = ReturnToGo().expectation(mdp, policy, T) - policy_gradient(mdp, policy)
    r = np.abs(mdp.reward).max()
    B = math.sqrt(np.einsum("sa,sak,sak->s", policy.probs(), policy.scores(), policy.scores()).max())
    root = math.sqrt(T + 1)
    bound = r * B * gamma**T * (root / (1 - gamma) + gamma / (2 * root * (1 - gamma) ** 2))
    assert np.linalg.norm(bias) <= bound + 1e-9


def test_sparse_transitions_give_the_same_mean():
    mdp = garden(4)
    policy = SoftmaxPolicy.tabular(np.random.default_rng(9).normal(size=mdp.reward.shape))
    dense = FiniteMDP(mdp.transition.toarray().reshape(16, 4, 16), mdp.reward, mdp.initial, mdp.discount)
    for horizon in (None, 5):
        for signal in some_signals(np.random.default_rng(10), mdp).values():
            found, expected = (signal.expectation(each, policy, horizon) for each in (mdp, dense))
            assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


# --- the estimate ----------------------------------------------------------------------------------


def naive(paths, signal, n_groups):
    """Return mean and standard error by loops over episodes and groups."""
    sums = score_sums(paths, signal.weights(paths))
    N, mean = len(sums), sums.mean(0)
    edges = [g * N // n_groups for g in range(n_groups + 1)]
    spread = 0.0
    for lo, hi in itertools.pairwise(edges):
        spread = spread + (hi - lo) * (sums[lo:hi].mean(0) - mean) ** 2
    return mean, np.sqrt(spread / ((n_groups - 1) * N))


@pytest.mark.parametrize(("n_episodes", "n_groups"), [(2, 2), (3, 3), (256, 256), (300, 256), (1000, 256)])
@pytest.mark.parametrize("features", ["tabular", "linear"])
def test_the_estimate_is_the_mean_over_episodes(n_episodes, n_groups, features):
    rng = np.random.default_rng(11)
    mdp, policy = random_problem(rng, features=features)
    paths = rollout(mdp, policy, n_episodes=n_episodes, horizon=6, rng=rng)
    for signal in (ReturnToGo(), TDErrors(rng.normal(size=4))):
        found = estimate_gradient(paths, signal)
        mean, error = naive(paths, signal, n_groups)
        assert_allclose(found.mean, mean, rtol=1e-10, atol=1e-13)
        assert_allclose(found.standard_error, error, rtol=1e-9, atol=1e-13)
        assert (found.n_episodes, found.degrees_of_freedom) == (n_episodes, n_groups - 1)


def test_few_episodes_are_groups_of_one_and_give_the_textbook_error():
    rng = np.random.default_rng(12)
    for mdp, policy in (random_problem(rng), random_linear_quadratic(rng)):
        paths = rollout(mdp, policy, n_episodes=100, horizon=5, rng=rng)
        found = estimate_gradient(paths, ReturnToGo())
        sums = score_sums(paths, ReturnToGo().weights(paths))
        assert_allclose(found.mean, sums.mean(0), rtol=1e-10, atol=1e-13)
        assert_allclose(found.standard_error, sums.std(0, ddof=1) / 10, rtol=1e-10, atol=1e-13)
        assert found.degrees_of_freedom == 99


def test_every_linear_quadratic_episode_is_a_group():
    rng = np.random.default_rng(13)
    mdp, policy = random_linear_quadratic(rng)
    found = reinforce(mdp, policy, n_episodes=700, horizon=GeometricHorizon(0.8), rng=rng)
    assert found.degrees_of_freedom == 699


@pytest.mark.parametrize("name", ["_MOST_ENTRIES", "_STEPS_AT_ONCE"])
def test_it_makes_no_difference_how_many_groups_are_counted_at_a_time(monkeypatch, name):
    rng = np.random.default_rng(14)
    mdp, policy = random_problem(rng)
    paths = rollout(mdp, policy, n_episodes=1003, horizon=6, rng=rng)
    at_once = estimate_gradient(paths, ReturnToGo())
    for few in (1, 5000):
        monkeypatch.setattr(records, name, few)
        found = estimate_gradient(paths, ReturnToGo())
        assert_allclose(found.mean, at_once.mean, rtol=1e-12)
        assert_allclose(found.standard_error, at_once.standard_error, rtol=1e-12)
        assert found.degrees_of_freedom == at_once.degrees_of_freedom


def test_a_policy_of_the_readers_own_is_estimated_like_any_other():
    class Mine(FinitePolicy):
        def __init__(self, inner):
            self.inner, self.parameters = inner, inner.parameters

        def probs(self):
            return self.inner.probs()

        def scores(self):
            return self.inner.scores()

        def with_parameters(self, parameters):
            return Mine(self.inner.with_parameters(parameters))

    mdp, policy = random_problem(np.random.default_rng(15), features="linear")
    ours, mine = (
        reinforce(mdp, each, n_episodes=500, horizon=8, rng=np.random.default_rng(16))
        for each in (policy, Mine(policy))
    )
    assert_allclose(mine.mean, ours.mean, rtol=1e-12)
    assert_allclose(mine.standard_error, ours.standard_error, rtol=1e-12)
    assert_allclose(
        ReturnToGo().expectation(mdp, Mine(policy)), policy_gradient(mdp, policy), rtol=1e-10, atol=1e-12
    )


def test_reinforce_is_a_rollout_and_its_return_to_go():
    mdp, policy = short_corridor()
    found = reinforce(mdp, policy, n_episodes=50, rng=np.random.default_rng(17))
    paths = rollout(mdp, policy, n_episodes=50, rng=np.random.default_rng(17))
    expected = estimate_gradient(paths, ReturnToGo())
    assert_array_equal(found.mean, expected.mean)
    assert_array_equal(found.standard_error, expected.standard_error)


def test_the_returns_by_hand():
    mdp, policy = one_knob(cost=1.0)
    paths = record(mdp, policy, [([(0, 0), (1, 1)], None), ([(0, 0), (1, 0)], None)], None)
    # Returns 1 and 1 - 0.9: mean 0.55, deviations +-0.45, variance 2 * 0.45^2 / 1.
    found = return_estimate(paths)
    assert_allclose([found.mean, found.standard_error], [0.55, 0.45], rtol=1e-12)
    assert (found.n_episodes, found.degrees_of_freedom) == (2, 1)
    assert isinstance(found.mean, float)
    assert isinstance(found.standard_error, float)


# --- bad input -------------------------------------------------------------------------------------


def test_values_of_a_wrong_shape_are_refused():
    mdp, policy = random_problem(np.random.default_rng(23))
    paths = rollout(mdp, policy, n_episodes=2, horizon=2, rng=np.random.default_rng(24))
    for signal, words in {
        ActionValues(np.zeros((4, 2))): "Q has shape (4, 2); expected (4, 3) as in mdp",
        Advantages(np.zeros((3, 3))): "A has shape (3, 3); expected (4, 3) as in mdp",
        TDErrors(np.zeros(5)): "V has shape (5,); expected (4,) as in mdp",
        GAE(np.zeros(5), 0.5): "V has shape (5,); expected (4,) as in mdp",
    }.items():
        with pytest.raises(ValueError, match=exactly(words)):
            signal.weights(paths)
        with pytest.raises(ValueError, match=exactly(words)):
            signal.expectation(mdp, policy)
    with pytest.raises(ValueError, match=exactly("baseline has shape (5,); expected (4,) as in mdp")):
        ReturnToGo(np.zeros(5)).weights(paths)
    with pytest.raises(ValueError, match=exactly("baseline has shape (4, 3); expected (S,)")):
        ReturnToGo(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=exactly("Q has shape (4,); expected (S, A)")):
        ActionValues(np.zeros(4))
    with pytest.raises(ValueError, match=exactly("V[1] is inf; expected a finite number")):
        TDErrors([0.0, np.inf])
    with pytest.raises(TypeError, match=r"^V must be an array of numbers of shape \(S,\): "):
        TDErrors(["much"])


@pytest.mark.parametrize("lam", [-0.1, 1.1])
def test_lambda_outside_its_range_is_refused(lam):
    with pytest.raises(ValueError, match=exactly(f"lam is {lam:g}; expected a number in [0, 1]")):
        GAE([0.0], lam)


def test_values_that_are_missing_may_not_be_read():
    # State 1 is never reached; V does not exist there.
    mdp = FiniteMDP([[[0.0, 0.0]], [[0.0, 1.0]]], [[1.0], [1.0]], [1.0, 0.0], 1.0)
    policy = SoftmaxPolicy.tabular([[0.0], [0.0]])
    V = state_values(mdp, policy)
    assert_array_equal(V, [1.0, np.nan])
    paths = rollout(mdp, policy, n_episodes=2, rng=np.random.default_rng(25))
    assert_array_equal(TDErrors(V).weights(paths), [[0.0, 0.0]])
    assert_array_equal(TDErrors(V).expectation(mdp, policy), [0.0, 0.0])
    words = "V along the paths, at time and episode [0, 0] is nan; expected a finite number"
    with pytest.raises(ValueError, match=exactly(words)):
        TDErrors(V[::-1]).weights(paths)
    words = "the signal is NaN for action 0 in state 0, which the policy reaches; expected a number"
    for horizon in (None, 1):
        with pytest.raises(ValueError, match=exactly(words)):
            TDErrors(V[::-1]).expectation(mdp, policy, horizon)
    # A next state without value counts if it can be reached.
    on = FiniteMDP([[[0.0, 1.0]], [[0.0, 0.0]]], [[1.0], [1.0]], [1.0, 0.0], 1.0)
    with pytest.raises(ValueError, match=exactly(words)):
        TDErrors([0.0, np.nan]).expectation(on, policy)


def test_functions_and_arrays_belong_to_one_problem_each():
    rng = np.random.default_rng(26)
    finite, coin = one_knob()
    line, policy = linear_quadratic()
    finite_paths = rollout(finite, coin, n_episodes=2, rng=rng)
    line_paths = rollout(line, policy, n_episodes=2, horizon=2, rng=rng)
    words = "V is a function; expected an array of shape (2,) for a finite problem"
    for call in (TDErrors(abs).weights, lambda _: TDErrors(abs).expectation(finite, coin)):
        with pytest.raises(TypeError, match=exactly(words)):
            call(finite_paths)
    words = "Q is an array; expected a function of x and u for a linear-quadratic problem"
    with pytest.raises(TypeError, match=exactly(words)):
        ActionValues(np.zeros((2, 2))).weights(line_paths)
    with pytest.raises(TypeError, match=exactly("V must be a Quadratic, got ndarray")):
        TDErrors(np.zeros(2)).expectation(line, policy)
    words = "Q.matrix has shape (1, 1); expected (2, 2) for a linear-quadratic problem"
    with pytest.raises(ValueError, match=exactly(words)):
        ActionValues(state_values(line, policy)).expectation(line, policy)
    with pytest.raises(
        ValueError, match=exactly("V(x) has shape (2,); expected (3, 2) as the paths have it")
    ):
        TDErrors(lambda x: x[0]).weights(line_paths)
    words = "V(x) along the paths, at time and episode [0, 0] is nan; expected a finite number"
    with pytest.raises(ValueError, match=exactly(words)):
        TDErrors(lambda x: x * np.nan).weights(line_paths)


def test_a_batch_of_policies_has_no_one_mean():
    mdp, policy = random_problem(np.random.default_rng(27), batch=(3,))
    with pytest.raises(ValueError, match=exactly("policy is a batch of shape (3,); expected one policy")):
        ReturnToGo().expectation(mdp, policy)
    line, _ = linear_quadratic()
    with pytest.raises(ValueError, match=exactly("policy is a batch of shape (2,); expected one policy")):
        ReturnToGo().expectation(line, LinearGaussianPolicy([-0.3, -0.4], 0.0))


def test_what_is_no_problem_no_path_and_no_signal_is_refused():
    mdp, policy = one_knob()
    words = "mdp must be a FiniteMDP or a LinearQuadraticMDP, got int"
    for signal in some_signals(np.random.default_rng(28), mdp).values():
        with pytest.raises(TypeError, match=exactly(words)):
            signal.expectation(7, policy)
    with pytest.raises(TypeError, match=exactly(words)):
        reinforce(7, policy, n_episodes=2, rng=np.random.default_rng(29))
    paths = rollout(mdp, policy, n_episodes=2, rng=np.random.default_rng(30))
    for call in (ReturnToGo().weights, return_estimate, lambda x: estimate_gradient(x, ReturnToGo())):
        with pytest.raises(TypeError, match=exactly("paths must be what rollout returns, got list")):
            call([1, 2])
    with pytest.raises(TypeError, match=exactly("paths must be what rollout returns, got list")):
        fitted_values([1, 2])
    with pytest.raises(TypeError, match=exactly("signal must be a Signal, got ABCMeta")):
        estimate_gradient(paths, ReturnToGo)
    with pytest.raises(
        TypeError, match=exactly("Q must be an array of numbers of shape (S, A): got complex numbers")
    ):
        ActionValues(mdp.reward + 0j)
    with pytest.raises(ValueError, match=exactly("baseline[1] is masked; expected a number")):
        ReturnToGo(np.ma.array([0.0, 1.0], mask=[False, True]))
    with pytest.raises(TypeError, match=exactly(words)):
        mean_of_estimate(7, policy, mdp.reward, 1.0, None)
    with pytest.raises(ValueError, match=exactly("horizon is 0; expected an integer of at least 1")):
        ReturnToGo().expectation(mdp, policy, 0)
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator, got int; "):
        reinforce(mdp, policy, n_episodes=2, rng=1)


@pytest.mark.parametrize("make", [one_knob, linear_quadratic])
def test_one_episode_has_no_standard_error(make):
    mdp, policy = make()
    paths = rollout(mdp, policy, n_episodes=1, horizon=2, rng=np.random.default_rng(31))
    words = "paths holds 1 episode; expected at least 2, or there is no standard error"
    with pytest.raises(ValueError, match=exactly(words)):
        estimate_gradient(paths, ReturnToGo())
    with pytest.raises(ValueError, match=exactly(words)):
        return_estimate(paths)
    with pytest.raises(ValueError, match=exactly("n_episodes is 1; expected an integer of at least 2")):
        reinforce(mdp, policy, n_episodes=1, horizon=2, rng=np.random.default_rng(31))


@pytest.mark.parametrize("unit", [2.0**500, 2.0**-500])
def test_huge_and_tiny_rewards_scale_the_estimate_and_its_error(unit):
    # By a power of 2, so that nothing is rounded. The third power of 1e150 is beyond the numbers.
    mdp, policy = one_knob(0.5)
    found = []
    for each in (mdp, FiniteMDP(mdp.transition, unit * mdp.reward, mdp.initial, mdp.discount)):
        paths = rollout(each, policy, n_episodes=1000, rng=np.random.default_rng(37))
        found.append((estimate_gradient(paths, ReturnToGo()), return_estimate(paths)))
    for name in ("mean", "standard_error", "event_size"):
        for plain, scaled in zip(*found, strict=True):
            assert_allclose(getattr(scaled, name), unit * getattr(plain, name), rtol=1e-12)
