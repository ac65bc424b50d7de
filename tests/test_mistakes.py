"""The mistakes that people make, M1 to M12: each on a problem where its bias is known, and each caught.

A mistake stands beside its correct twin, and both take the same test. Exact tests run over all paths of a
problem, so that nothing is left to chance: they never fail on the right one and never pass the wrong one. In
a sampled test the number of episodes makes the bias ten standard errors, both of them exact: the right one
fails with a chance of 1e-6, and the wrong one passes with a chance below 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import chdtrc, chdtri, expit

from pgtlab import (
    action_values,
    expected_return,
    fisher_information,
    natural_policy_gradient,
    policy_gradient,
    state_visitation,
)
from pgtlab.critics import LiteralUpdate, MonteCarlo
from pgtlab.estimators import Estimate, ReturnToGo, WholeReturn, estimate_gradient
from pgtlab.gallery import now_or_later, one_knob
from pgtlab.rollouts import rollout
from tests import routes
from tests.enumeration import SEEN, all_paths, gathered, moments, off
from tests.problems import exactly

# --- estimators of one parameter: a number for each episode ----------------------------------------


def score(paths):
    """Return the score of each step, (T, N); 0 where none was made."""
    return np.append(paths.policy.scores()[..., 0].ravel(), 0.0)[paths.pairs]


def to_go(rewards, gamma):
    """Return G_t = r_t + gamma r_{t+1} + ..., (T, N)."""
    G = np.array(rewards)
    for t in reversed(range(len(G) - 1)):
        G[t] += gamma * G[t + 1]
    return G


def discounts(paths):
    """Return gamma^t, (T, 1)."""
    return paths.mdp.discount ** np.arange(paths.n_steps)[:, None]


def reinforce(paths):
    """Right: sum_t gamma^t SC_t G_t."""
    return (discounts(paths) * score(paths) * to_go(paths.rewards, paths.mdp.discount)).sum(0)


def score_of_the_next_action(paths):
    """M1: the score of the next action at the current state; the last step has no next action."""
    A = paths.mdp.n_actions
    scores = np.append(paths.policy.scores()[..., 0].ravel(), 0.0)
    mixed = np.full(paths.pairs.shape, A * paths.mdp.n_states)
    mixed[:-1] = np.where(paths.alive[1:], paths.states[:-2] * A + paths.actions[1:], mixed[:-1])
    return (discounts(paths) * scores[mixed] * to_go(paths.rewards, paths.mdp.discount)).sum(0)


def whole_return_everywhere(paths):
    """M2, the first: sum_t SC_t G_0. Unbiased, but it varies more."""
    return (score(paths) * to_go(paths.rewards, paths.mdp.discount)[0]).sum(0)


def whole_return_discounted_twice(paths):
    """M2, the second: sum_t gamma^t SC_t G_0."""
    return (discounts(paths) * score(paths) * to_go(paths.rewards, paths.mdp.discount)[0]).sum(0)


def without_discount(paths):
    """M3: sum_t SC_t G_t, gamma^t dropped."""
    return (score(paths) * to_go(paths.rewards, paths.mdp.discount)).sum(0)


def with_traces(paths):
    """Right: sum_t delta_t z_t, z_t = gamma lambda z_{t-1} + gamma^t SC_t, with V = 0 and lambda = 1."""
    total, trace = 0.0, 0.0
    for w, sc, r in zip(discounts(paths), score(paths), paths.rewards, strict=True):
        trace = paths.mdp.discount * trace + w * sc
        total = total + r * trace
    return total


def with_traces_started_anew(paths):
    """M4: the trace is set to 0 at each step."""
    total = 0.0
    for w, sc, r in zip(discounts(paths), score(paths), paths.rewards, strict=True):
        trace = 0.0
        trace = paths.mdp.discount * trace + w * sc
        total = total + r * trace
    return total


def rewards_shifted(paths):
    """M5: the return starts with the next reward, gamma r_{t+1} + gamma^2 r_{t+2} + ..."""
    G = to_go(paths.rewards, paths.mdp.discount) - paths.rewards
    return (discounts(paths) * score(paths) * G).sum(0)


def parameters_moved_at_each_step(paths):
    """M9: with step size 1 the parameter moves after each step, and the next score is taken where it is."""
    return total_move(paths, moving=True)


def parameters_moved_at_the_end(paths):
    """Right: the moves of all steps are added up, and made when the episode is over."""
    return total_move(paths, moving=False)


def total_move(paths, moving):
    phi = np.append(paths.policy.features[..., 0], np.zeros((1, 2)), axis=0)
    G, start = to_go(paths.rewards, paths.mdp.discount), paths.policy.parameters[0]
    theta = np.full(paths.n_episodes, start)
    for t in range(paths.n_steps):
        first, second = phi[paths.states[t]].T
        at = theta if moving else start
        p = expit((first - second) * at)
        chosen = np.where(paths.actions[t] == 0, first, second)
        sc = np.where(paths.alive[t], chosen - p * first - (1 - p) * second, 0.0)
        theta = theta + paths.mdp.discount**t * sc * G[t]
    return theta - start


def with_baseline_of_the_state(paths):
    """Right: the baseline is V, the mean over the actions of what each returns."""
    Q = action_values(paths.mdp, paths.policy)
    V = np.append((paths.policy.probs() * Q).sum(1), 0.0)[paths.states[:-1]]
    G = to_go(paths.rewards, paths.mdp.discount)
    return (discounts(paths) * score(paths) * (G - V)).sum(0)


def with_baseline_of_the_action(paths):
    """M10: the baseline is what the action returns on average."""
    b = np.append(action_values(paths.mdp, paths.policy).ravel(), 0.0)[paths.pairs]
    G = to_go(paths.rewards, paths.mdp.discount)
    return (discounts(paths) * score(paths) * (G - b)).sum(0)


def features_for_scores(paths):
    """M12: the features of the action, without their mean taken off."""
    phi = np.append(paths.policy.features[..., 0].ravel(), 0.0)[paths.pairs]
    return (discounts(paths) * phi * to_go(paths.rewards, paths.mdp.discount)).sum(0)


@dataclass(frozen=True)
class Mistake:
    """A mistaken estimator with its twin, on a problem where the means of both are derived."""

    wrong: Callable
    right: Callable
    problem: Callable
    mean: float
    gradient: float


# K2, p = P(later): gradient 8 p (1 - p).
# K9 at theta = 0 and cost c: scores x = +-1/2, gradient (1 - 0.9 c) / 4.
MISTAKES = {
    # K2 at p = 0.8. After "later" the action in state 1 is a coin: at state 0 its score is 0.2 or -0.8, with
    # mean -0.3, and G_0 = 9. After "now", and in state 1, no action follows.
    "M1": Mistake(
        score_of_the_next_action, reinforce, lambda: now_or_later(0.8), mean=0.8 * -0.3 * 9, gradient=1.28
    ),
    # K9 at c = 1.15. The second score meets gamma * gamma r_1 where once would do, and x_1 r_0 has mean 0.
    "M2": Mistake(
        whole_return_discounted_twice,
        reinforce,
        lambda: one_knob(1.15),
        mean=(1 - 0.81 * 1.15) / 4,
        gradient=(1 - 0.9 * 1.15) / 4,
    ),
    # K9 at c = 1.05. The second score counts whole.
    "M3": Mistake(
        without_discount,
        reinforce,
        lambda: one_knob(1.05),
        mean=(1 - 1.05) / 4,
        gradient=(1 - 0.9 * 1.05) / 4,
    ),
    # K2 at p = 1/2 with V = 0: each score meets its own reward only, in state 0 that of "now": -p (1 - p).
    "M4": Mistake(with_traces_started_anew, with_traces, now_or_later, mean=-1 / 4, gradient=2.0),
    # K2 at p = 1/2: the 1 of "now" is lost, 9 p (1 - p) is left.
    "M5": Mistake(rewards_shifted, reinforce, now_or_later, mean=9 / 4, gradient=2.0),
    # K9 at c = 1.15. After the first step theta = x_0 G_0; the second moves by gamma (1 - sigmoid(theta))
    # (-c) if a_1 = 0, else by 0. With a_1 = 0 (half of the time) x_0 G_0 is (1 - 0.9 c) / 2 or 0.9 c / 2.
    "M9": Mistake(
        parameters_moved_at_each_step,
        parameters_moved_at_the_end,
        lambda: one_knob(1.15),
        mean=1 / 4 - 0.9 * 1.15 / 4 * (2 - expit((1 - 0.9 * 1.15) / 2) - expit(0.9 * 1.15 / 2)),
        gradient=(1 - 0.9 * 1.15) / 4,
    ),
    # K9 at c = -1: what the return misses of its mean given the action has mean 0, and nothing is left.
    "M10": Mistake(
        with_baseline_of_the_action,
        with_baseline_of_the_state,
        lambda: one_knob(-1.0),
        mean=0.0,
        gradient=1.9 / 4,
    ),
    # K9 at c = 1.05: phi = x + 1/2 in both states adds (J + gamma V_1) / 2, where J = (1 - 0.9 c) / 2 and
    # V_1 = -c / 2.
    "M12": Mistake(
        features_for_scores,
        reinforce,
        lambda: one_knob(1.05),
        mean=(1 - 0.9 * 1.05) / 2 - 0.9 * 1.05 / 4,
        gradient=(1 - 0.9 * 1.05) / 4,
    ),
}


def over_all_paths(problem, estimator):
    """Return exact mean and standard deviation of an estimator."""
    mdp, policy = problem
    chances, paths = gathered(mdp, policy, all_paths(mdp, policy.probs(), 2), None)
    return moments(chances, estimator(paths))


def estimated(values):
    """Return the estimate from a number for each episode."""
    N = len(values)
    return Estimate(values.mean(), values.std(ddof=1) / math.sqrt(N), N, N - 1)


def is_exactly_the_gradient(problem, estimator):
    """Raise AssertionError unless the mean over all paths is the gradient."""
    mean, _ = over_all_paths(problem, estimator)
    assert_allclose(mean, policy_gradient(*problem)[0], rtol=1e-12, atol=1e-14)


def is_the_gradient_within_its_error(problem, estimator, n_episodes, rng):
    """Raise AssertionError unless the mean over sampled paths is the gradient within its error."""
    paths = rollout(*problem, n_episodes=n_episodes, rng=rng)
    assert off(estimated(estimator(paths)), policy_gradient(*problem)[0]) < 1


@pytest.mark.parametrize("name", MISTAKES)
def test_its_mean_is_the_one_derived(name):
    mistake = MISTAKES[name]
    assert_allclose(policy_gradient(*mistake.problem()), [mistake.gradient], rtol=1e-12)
    wrong, _ = over_all_paths(mistake.problem(), mistake.wrong)
    assert_allclose(wrong, mistake.mean, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_caught_over_all_paths(name):
    mistake = MISTAKES[name]
    is_exactly_the_gradient(mistake.problem(), mistake.right)
    with pytest.raises(AssertionError):
        is_exactly_the_gradient(mistake.problem(), mistake.wrong)


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_caught_in_a_sample(name):
    mistake, rng = MISTAKES[name], np.random.default_rng(0)
    _, deviation = over_all_paths(mistake.problem(), mistake.wrong)
    N = max(1000, math.ceil((SEEN * deviation / (mistake.mean - mistake.gradient)) ** 2))
    is_the_gradient_within_its_error(mistake.problem(), mistake.right, N, rng)
    with pytest.raises(AssertionError):
        is_the_gradient_within_its_error(mistake.problem(), mistake.wrong, N, rng)


@pytest.mark.parametrize("name", ["M1", "M2", "M3", "M4", "M9"])
def test_these_turn_the_gradient_round(name):
    assert MISTAKES[name].mean * MISTAKES[name].gradient < 0


def test_the_twins_here_are_those_of_the_library():
    mdp, policy = one_knob(1.05)
    paths = rollout(mdp, policy, n_episodes=200, rng=np.random.default_rng(1))
    for ours, signal in ((reinforce, ReturnToGo()), (whole_return_everywhere, WholeReturn())):
        found = estimate_gradient(paths, signal)
        assert_allclose(found.mean, [ours(paths).mean()], rtol=1e-12)
        assert_allclose(found.standard_error, [ours(paths).std(ddof=1) / math.sqrt(200)], rtol=1e-10)


def test_m10_the_library_takes_no_baseline_of_the_action():
    mdp, policy = one_knob()
    with pytest.raises(ValueError, match=exactly("baseline has shape (2, 2); expected (S,)")):
        ReturnToGo(action_values(mdp, policy))


# --- M2, the unbiased one --------------------------------------------------------------------------


#: Means whose variance is measured; each is taken over 100 episodes, which makes it about normal.
MEANS = 512


def has_the_variance(values, variance):
    """Raise AssertionError unless the sample variance is the one given, within what chi-square allows."""
    means = values.reshape(MEANS, -1).mean(1)
    ratio = means.var(ddof=1) * (values.size / MEANS) / variance
    assert LOW < ratio < HIGH


#: Chi-square divided by its degrees of freedom stays between these but for a chance of FALSE_ALARM.
LOW, HIGH = (chdtri(MEANS - 1, p) / (MEANS - 1) for p in (1 - routes.FALSE_ALARM / 2, routes.FALSE_ALARM / 2))


def test_m2_the_whole_return_at_every_step_is_caught_by_its_variance_only():
    # K9 at c = -1 with h = gamma c = -0.9: the variances are 3 (1 - h)^2 / 16 = 0.676875 and
    # ((1 - h)^2 + 2 h^2) / 16 = 0.326875, and their ratio is 2.07.
    problem = one_knob(-1.0)
    means, deviations = zip(
        *(over_all_paths(problem, each) for each in (whole_return_everywhere, reinforce)), strict=True
    )
    assert_allclose(means, policy_gradient(*problem)[0], rtol=1e-12)
    assert_allclose(np.square(deviations), [0.676875, 0.326875], rtol=1e-12)
    # The mistake passes if chi-square is below HIGH / 2.07: with a chance below 1e-6.
    miss = 1 - chdtrc(MEANS - 1, (MEANS - 1) * HIGH * 0.326875 / 0.676875)
    assert miss < 1e-6
    paths = rollout(*problem, n_episodes=100 * MEANS, rng=np.random.default_rng(2))
    for estimator in (whole_return_everywhere, reinforce):
        assert off(estimated(estimator(paths)), 1.9 / 4) < 1
    has_the_variance(reinforce(paths), 0.326875)
    with pytest.raises(AssertionError):
        has_the_variance(whole_return_everywhere(paths), 0.326875)


# --- M6 --------------------------------------------------------------------------------------------

BATCH = 8


def in_batches(paths, standardised):
    """Return the estimate of each batch of 8 episodes of K2: the mean of score times return."""
    G, sc = (each.reshape(-1, BATCH) for each in (paths.returns, score(paths)[0]))
    if standardised:
        spread = G.std(1, keepdims=True)
        G = np.divide(G - G.mean(1, keepdims=True), spread, where=spread > 0, out=np.zeros_like(G))
    return (sc * G).mean(1)


def test_m6_returns_standardised_in_each_batch_are_caught():
    # K2 at p = 1/2, where only the first score counts: m of N = 8 choose "later", scores 1/2 and -1/2,
    # returns 9 and 1. With q = m / N and r = sqrt(q (1 - q)) the standardised returns are (1 - q) / r and -q
    # / r, and the batch's estimate is q (1/2) (1 - q) / r + (1 - q) (1/2) q / r = r. Its mean over m,
    # binomial, is about 0.46; the gradient is 2. Times the batch's deviation, 8 r, it would be 8 E[q (1 - q)]
    # = 2 (1 - 1/N).
    mdp, policy = now_or_later()
    chance = [math.comb(BATCH, m) / 2**BATCH for m in range(BATCH + 1)]
    root = [math.sqrt(m / BATCH * (1 - m / BATCH)) for m in range(BATCH + 1)]
    mean = math.fsum(c * r for c, r in zip(chance, root, strict=True))
    assert 0.4 < mean < 0.5
    scaled = math.fsum(c * 8 * r**2 for c, r in zip(chance, root, strict=True))
    assert_allclose(scaled, 2 * (1 - 1 / BATCH), rtol=1e-12)
    # The estimate of a batch is between 0 and 1/2, and 2 is far: 1000 batches leave no chance to miss it.
    paths = rollout(mdp, policy, n_episodes=1000 * BATCH, rng=np.random.default_rng(3))
    assert off(estimated(in_batches(paths, standardised=True)), mean) < 1
    assert off(estimated(in_batches(paths, standardised=False)), policy_gradient(mdp, policy)[0]) < 1
    assert off(estimated(in_batches(paths, standardised=True)), policy_gradient(mdp, policy)[0]) > 1


# --- M7, M8, M11: mistakes in exact quantities -----------------------------------------------------


def is_the_natural_gradient(mdp, policy, w):
    """Raise AssertionError unless w is the natural gradient."""
    assert_allclose(w, natural_policy_gradient(mdp, policy), rtol=1e-10, atol=1e-12)


def test_m7_the_literal_critic_learns_the_worst_policy():
    # K2: the score is 1 - p or -p in state 0 and 0 in state 1, so E[SC_t SC_{t+1}] = 0 and the fixed point of
    # (23.3) is E[SC r] / E[SC^2] = -p (1 - p) / (p (1 - p)) = -1, whatever p; the natural gradient is 8.
    for p in (0.2, 0.5, 0.9):
        mdp, policy = now_or_later(p)
        chances, paths = gathered(mdp, policy, all_paths(mdp, policy.probs(), 2), None)
        sc, w = score(paths), discounts(paths)
        # The update is 0 on average: E sum_t gamma^t (SC_t w - r_t - gamma SC_{t+1} w) SC_t = 0.
        following = np.append(sc[1:], np.zeros((1, sc.shape[1])), axis=0)
        slope = chances @ (w * (sc - mdp.discount * following) * sc).sum(0)
        literal = chances @ (w * paths.rewards * sc).sum(0) / slope
        assert_allclose(literal, -1.0, rtol=1e-12)
        assert_allclose(LiteralUpdate().fixed_point(mdp, policy), [literal], rtol=1e-12)
        # The twin: the return in place of reward and bootstrap.
        returns = chances @ (w * to_go(paths.rewards, mdp.discount) * sc).sum(0)
        right = returns / (chances @ (w * sc**2).sum(0))
        is_the_natural_gradient(mdp, policy, [right])
        is_the_natural_gradient(mdp, policy, MonteCarlo().fixed_point(mdp, policy))
        for wrong in ([literal], LiteralUpdate().fixed_point(mdp, policy)):
            with pytest.raises(AssertionError):
                is_the_natural_gradient(mdp, policy, wrong)
    # A long way in its direction J is 1, a long way in the right one 9.
    mdp, policy = now_or_later()
    ends = [expected_return(mdp, policy.with_parameters([20 * each])) for each in (-1.0, 8.0)]
    assert_allclose(ends, [1.0, 9.0], rtol=1e-7)


def test_m8_one_normalised_and_the_other_not_is_caught_by_the_length():
    # K9: the mass of rho is 1.9, the Fisher information 1.9 / 4, the gradient (1 - 0.9 c) / 4. With FIM / 1.9
    # the step is 1 - 0.9 c in place of (1 - 0.9 c) / 1.9: of the right direction, 1.9 times as long.
    for cost in (0.5, 1.05, 1.15):
        mdp, policy = one_knob(cost)
        FIM, gradient = fisher_information(mdp, policy), policy_gradient(mdp, policy)
        mass = state_visitation(mdp, policy).sum()
        wrong = np.linalg.solve(FIM / mass, gradient)
        assert_allclose(wrong, [1 - 0.9 * cost], rtol=1e-10)
        for right in (np.linalg.solve(FIM, gradient), np.linalg.solve(FIM / mass, gradient / mass)):
            is_the_natural_gradient(mdp, policy, right)
            assert_allclose(np.sign(wrong), np.sign(right))
            assert_allclose(wrong / right, [1.9], rtol=1e-10)
        with pytest.raises(AssertionError):
            is_the_natural_gradient(mdp, policy, wrong)


def test_m11_the_transpose_forgotten_is_caught():
    # K9: from state 0 to state 1 with certainty, so rho = (1, 0.9). Without the transpose
    # x_0 = 1 + 0.9 x_1 and x_1 = 0: (1, 0). Only the first state is left of the gradient: 1/4.
    mdp, policy = one_knob(1.05)
    step = (policy.probs()[:, None, :] @ mdp.transition)[:, 0]
    matrix = np.eye(2) - mdp.discount * step

    def is_the_gradient(rho):
        weight = rho[:, None] * policy.probs() * action_values(mdp, policy)
        assert_allclose(policy.score_sum(weight), policy_gradient(mdp, policy), rtol=1e-12)
        assert_allclose(rho, state_visitation(mdp, policy), rtol=1e-12)
        return weight

    wrong, right = np.linalg.solve(matrix, mdp.initial), np.linalg.solve(matrix.T, mdp.initial)
    assert_allclose(right, [1.0, 0.9], rtol=1e-12)
    assert_allclose(wrong, [1.0, 0.0], rtol=1e-12, atol=1e-15)
    is_the_gradient(right)
    with pytest.raises(AssertionError):
        is_the_gradient(wrong)
    left = policy.score_sum(wrong[:, None] * policy.probs() * action_values(mdp, policy))
    # Q(0, .) is (1 - 0.9 c / 2, -0.9 c / 2): their difference is 1, times 1/2 * 1/2.
    assert_allclose(left, [1 / 4], rtol=1e-12)
