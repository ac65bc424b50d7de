"""Sampled paths: each draw has the probability it should have, and the record says what happened.

A statistical test gives a false alarm with probability FALSE_ALARM at most, shared among what it compares.
"""

import io
import math
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import chdtri, ndtri

import pgtlab
from pgtlab import (
    FiniteMDP,
    GeometricHorizon,
    LinearGaussianPolicy,
    LinearQuadraticMDP,
    SoftmaxPolicy,
    rollout,
)
from pgtlab import _progress as progress_room
from pgtlab.rollouts import sampling
from pgtlab.rollouts.alias import AliasTables
from tests import routes
from tests.problems import TablePolicy, exactly, garden, random_linear_quadratic, random_problem


def assert_mean(values, expected, *, comparisons=1, axis=-1):
    """Hold the mean of independent values against what it should be, within its own standard error."""
    error = values.std(axis, ddof=1) / math.sqrt(values.shape[axis])
    z = -ndtri(routes.FALSE_ALARM / 2 / comparisons)
    assert_allclose((values.mean(axis) - expected) / error, 0, rtol=0, atol=z)


def excess(counts, probs):
    """Return Pearson's statistic, summed over rows, over its critical value: above 1 is an alarm."""
    n = counts.sum(-1, keepdims=True)
    used = (probs > 0) & (n > 0)
    statistic = ((counts - n * probs)[used] ** 2 / (n * probs)[used]).sum()
    degrees = used.sum() - (used.any(-1)).sum()
    return statistic / chdtri(degrees, routes.FALSE_ALARM)


# --- alias tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("K", [1, 2, 3, 7, 40])
def test_an_alias_table_gives_each_outcome_its_share_of_the_unit_interval(K):
    """On a grid of M uniforms a share is off by at most the two ends of each of K columns."""
    rng, M = np.random.default_rng(K), 20_000
    probs = rng.dirichlet(np.full(K, 0.3), size=5)
    probs[0] = 1 / K
    probs[1] = np.eye(K)[0]
    outcomes = rng.permuted(np.tile(np.arange(K), (5, 1)), axis=1) + 100
    table = AliasTables(probs, outcomes)
    for row in range(5):
        drawn = table.draw(np.full(M, row, dtype=np.int32), (np.arange(M) + 0.5) / M)
        share = np.array([(drawn == outcome).mean() for outcome in outcomes[row]])
        assert_allclose(share, probs[row], rtol=0, atol=2 * K / M)


def test_an_outcome_of_probability_zero_is_never_drawn():
    """Not even by the smallest and the largest uniform of a column."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        K = int(rng.integers(2, 9))
        probs = rng.dirichlet(np.ones(K)) * (rng.random(K) < 0.5)
        if not probs.any():
            continue
        table = AliasTables((probs / probs.sum())[None], np.arange(K)[None])
        ends = np.concatenate([np.arange(K) / K, np.nextafter((np.arange(K) + 1) / K, 0)])
        assert (probs[table.draw(np.zeros(2 * K, dtype=np.int32), ends)] > 0).all()


def test_rows_that_miss_their_sum_by_rounding_are_scaled():
    table = AliasTables(np.array([[0.5, 0.5 - 1e-11]]), np.array([[0, 1]]))
    assert table.draw(np.zeros(2, dtype=np.int32), np.array([0.0, 1 - 2**-53])).tolist() in ([0, 1], [1, 0])


def test_one_draw_is_what_many_draws_would_be():
    rng = np.random.default_rng(3)
    for K in (1, 2, 3, 7):
        table = AliasTables(
            rng.dirichlet(np.full(K, 0.3), size=4), rng.permuted(np.tile(np.arange(K), (4, 1)))
        )
        grid = np.arange(K * 8) / (K * 8)
        ends = np.concatenate([grid, np.nextafter(grid[1:], 0), [1 - 2**-53], rng.random(50)])
        for row in range(4):
            together = table.draw(np.full(ends.size, row, dtype=np.int32), ends.copy())
            assert [table.draw_one(row, float(each)) for each in ends] == together.tolist()


# --- finite problems -------------------------------------------------------------------------------


@pytest.mark.parametrize("features", ["tabular", "aliased"])
@pytest.mark.parametrize("discount", [0.9, 1.0])
def test_every_start_action_and_next_state_is_drawn_with_its_probability(features, discount):
    rng = np.random.default_rng(1)
    mdp, policy = random_problem(rng, n_states=5, discount=discount, features=features)
    S, A = mdp.reward.shape
    paths = rollout(mdp, policy, n_episodes=20_000, horizon=8, rng=rng)
    starts = np.bincount(paths.states[0], minlength=S)
    made = paths.alive
    s, a, after = paths.states[:-1][made], paths.actions[made], paths.states[1:][made]
    actions = np.bincount(s * A + a, minlength=S * A).reshape(S, A)
    onwards = np.bincount((s * A + a) * (S + 1) + after, minlength=S * A * (S + 1)).reshape(S * A, S + 1)
    world = np.concatenate([mdp.transition, mdp.ending[..., None]], axis=-1).reshape(S * A, S + 1)
    assert excess(starts, mdp.initial) < 1
    assert excess(actions, policy.probs()) < 1
    assert excess(onwards, world) < 1
    assert not onwards[world == 0].any()
    # What the test would see: actions all alike, and the next states of another action.
    assert excess(actions, np.full((S, A), 1 / A)) > 5
    assert excess(onwards[:, :S], np.roll(world, 1, axis=0)[:, :S] + 1e-3) > 5


def test_where_the_paths_are_at_each_time():
    """The share of the paths in a state at time t is p0 P^t, also long after the first have ended."""
    rng = np.random.default_rng(2)
    mdp, policy = random_problem(rng, discount=0.8)
    P, _ = routes.mixed(mdp, policy.probs())
    paths = rollout(mdp, policy, n_episodes=30_000, horizon=10, rng=rng)
    for t in range(paths.n_steps + 1):
        at = mdp.initial @ np.linalg.matrix_power(P, t)
        there = np.stack([paths.states[t] == s for s in range(4)]).astype(float)
        assert_allclose(there.mean(1), at, rtol=0, atol=routes.hoeffding(1, 30_000 / 1.5))


def test_the_record_is_consistent():
    rng = np.random.default_rng(3)
    mdp, policy = random_problem(rng, n_states=6, discount=0.9)
    S, A = mdp.reward.shape
    paths = rollout(mdp, policy, n_episodes=1000, horizon=20, rng=rng)
    T, N = paths.n_steps, paths.n_episodes
    assert (T, N) == (paths.pairs.shape) == paths.actions.shape == paths.rewards.shape
    assert paths.states.shape == (T + 1, N)
    s, a, made = paths.states[:-1], paths.actions, paths.alive
    assert_array_equal(made, s < S)
    assert_array_equal(paths.pairs[made], s[made] * A + a[made])
    assert (paths.pairs[~made] == S * A).all()
    assert (a[~made] == A).all()
    assert_array_equal(paths.rewards[made], mdp.reward[s[made], a[made]])
    assert not paths.rewards[~made].any()
    assert_array_equal(paths.lengths, made.sum(0))
    # Once ended, always ended; and the longest path fills the table.
    assert (np.diff(made.astype(int), axis=0) <= 0).all()
    assert paths.lengths.max() == T
    by_hand = [sum(0.9**t * paths.rewards[t, n] for t in range(T)) for n in range(N)]
    assert_allclose(paths.returns, by_hand, rtol=1e-12, atol=1e-14)
    for array in (paths.states, paths.pairs, paths.rewards, paths.weights):
        assert not array.flags.writeable
    assert repr(paths) == f"FinitePaths(n_episodes=1000, n_steps={T})"


def test_followed_to_the_end_the_returns_average_to_J():
    mdp, policy = pgtlab.gallery.short_corridor()
    paths = rollout(mdp, policy, n_episodes=20_000, rng=np.random.default_rng(4))
    assert not paths.alive[-1].all()
    assert (paths.states[-1] == 3).all()
    # Every step costs 1.
    assert_array_equal(paths.returns, -paths.lengths)
    assert_mean(paths.returns, -12.0)


def test_a_path_can_be_longer_than_any_table_made_for_it():
    """With probability 0.999 of going on, the longest of 50 paths has some 4,500 steps."""
    mdp = FiniteMDP([[[0.999]]], [[1.0]], [1.0], 1.0, smallest_ending=0.001)
    policy = SoftmaxPolicy.tabular([[0.0]])
    paths = rollout(mdp, policy, n_episodes=50, rng=np.random.default_rng(5))
    assert paths.n_steps > 1000
    assert_array_equal(paths.returns, paths.lengths)


@pytest.mark.parametrize("horizon", [None, 1, 40, GeometricHorizon(0.9)])
@pytest.mark.parametrize("n_episodes", [1, 3, 30])
def test_the_few_paths_left_are_drawn_as_among_many(n_episodes, horizon, monkeypatch):
    """They are walked with plain numbers; here once more with the arrays of many."""
    mdp, policy = random_problem(np.random.default_rng(16), discount=1.0)

    def drawn():
        rng = np.random.default_rng(15)
        paths = rollout(mdp, policy, n_episodes=n_episodes, horizon=horizon, rng=rng)
        return paths.states.tolist(), paths.pairs.tolist(), paths.lengths.tolist(), rng.random()

    assert sampling._FEW >= 3
    plainly = drawn()
    monkeypatch.setattr(sampling, "_FEW", 0)
    assert drawn() == plainly


def test_a_horizon_cuts_off_and_keeps_the_state_after_the_last_step():
    mdp = FiniteMDP([[[0.0, 1.0]], [[1.0, 0.0]]], [[1.0], [2.0]], [1.0, 0.0], 0.5)
    policy = SoftmaxPolicy.tabular([[0.0], [0.0]])
    paths = rollout(mdp, policy, n_episodes=2, horizon=3, rng=np.random.default_rng(6))
    assert_array_equal(paths.states[:, 0], [0, 1, 0, 1])
    assert_allclose(paths.returns, 1 + 0.5 * 2 + 0.25 * 1)


def test_a_horizon_of_one_and_discount_zero():
    mdp, policy = random_problem(np.random.default_rng(7), discount=0.0)
    paths = rollout(mdp, policy, n_episodes=10, horizon=1, rng=np.random.default_rng(8))
    assert paths.weights.tolist() == [1.0]
    assert_array_equal(paths.returns, paths.rewards[0])


@pytest.mark.parametrize("continuation", [0.8, 0.9, 0.95])
def test_a_random_horizon_has_no_truncation_bias(continuation):
    """With any continuation; while the same rewards at weights gamma^t alone would miss, and be caught."""
    rng = np.random.default_rng(9)
    mdp, policy = pgtlab.gallery.garnet(6, 2, 3, discount=0.9, rng=rng)
    mdp = FiniteMDP(mdp.transition, mdp.reward + 2, mdp.initial, 0.9)
    paths = rollout(mdp, policy, n_episodes=20_000, horizon=GeometricHorizon(continuation), rng=rng)
    J = routes.values(mdp, policy.probs()) @ mdp.initial
    assert_mean(paths.returns, J)
    assert_mean(paths.lengths, 1 / (1 - continuation))
    naive = (0.9 ** np.arange(paths.n_steps)) @ paths.rewards
    error = naive.std() / math.sqrt(20_000)
    assert J - naive.mean() > 20 * error


def test_a_random_horizon_at_continuation_discount_weighs_each_step_once():
    mdp, policy = random_problem(np.random.default_rng(10), discount=0.7)
    paths = rollout(mdp, policy, n_episodes=50, horizon=GeometricHorizon(0.7), rng=np.random.default_rng(11))
    assert_array_equal(paths.weights, np.ones(paths.n_steps))
    # The state after the last step is there, unless the episode ended; then nothing.
    for n, length in enumerate(paths.lengths):
        assert (paths.states[:length, n] < 4).all()
        assert (paths.states[length + 1 :, n] == 4).all()


def test_sparse_transitions_are_drawn_from_like_dense_ones():
    rng = np.random.default_rng(12)
    mdp = garden(3, discount=0.9)
    policy = SoftmaxPolicy.tabular(rng.normal(size=(9, 4)))
    paths = rollout(mdp, policy, n_episodes=20_000, horizon=12, rng=rng)
    made = paths.alive
    rows = paths.pairs[made] * 10 + paths.states[1:][made]
    onwards = np.bincount(rows, minlength=360).reshape(36, 10)
    world = np.concatenate([mdp.transition.toarray(), mdp.ending.reshape(36, 1)], axis=1)
    assert excess(onwards, world) < 1
    assert not onwards[world == 0].any()


def test_a_policy_that_never_takes_an_action():
    """Probability 0 is possible in a reader's own policy."""
    mdp, _ = pgtlab.gallery.short_corridor()
    paths = rollout(
        mdp,
        TablePolicy(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])),
        n_episodes=5,
        rng=np.random.default_rng(13),
    )
    assert_array_equal(paths.states[:, 0], [0, 1, 2, 3])


def test_equal_generators_give_equal_paths_and_others_do_not():
    mdp, policy = random_problem(np.random.default_rng(14))
    first, again, other = (
        rollout(mdp, policy, n_episodes=9000, horizon=5, rng=np.random.default_rng(k)) for k in (1, 1, 2)
    )
    assert_array_equal(first.pairs, again.pairs)
    assert (first.pairs != other.pairs).any()
    # Batches do not repeat one another.
    assert (first.pairs[:, :800] != first.pairs[:, 8192:8992]).any()


# --- the linear-quadratic problem ------------------------------------------------------------------


def test_linear_quadratic_paths_follow_the_recursion():
    """Without noise in the system each next state is a x + b u, and the actions have the policy's moments."""
    mdp = LinearQuadraticMDP(0.9, 0.5, 1.0, 2.0, 0.0, 1.0, 0.3, 0.9)
    policy = LinearGaussianPolicy(-0.4, -0.5)
    paths = rollout(mdp, policy, n_episodes=20_000, horizon=6, rng=np.random.default_rng(15))
    x, u = paths.states[:-1], paths.actions
    assert_allclose(paths.states[1:], 0.9 * x + 0.5 * u, rtol=0, atol=1e-14)
    assert_allclose(paths.rewards, -(x**2 + 2 * u**2), rtol=1e-14)
    assert_array_equal(paths.lengths, np.full(20_000, 6))
    z = (u + 0.4 * x) / math.exp(-0.5)
    assert_mean(z, 0, comparisons=12)
    assert_mean(z**2, 1, comparisons=12)
    assert_mean(paths.states[0], 1.0)
    assert_mean((paths.states[0] - 1) ** 2, 0.09)
    # Moments alone do not see heavy tails: within one standard deviation lie 68 % of a normal distribution.
    within = np.mean(abs(paths.states[0] - 1) < 0.3)
    assert_allclose(within, math.erf(math.sqrt(0.5)), rtol=0, atol=routes.hoeffding(1, 20_000))
    assert_mean(z * x, 0, comparisons=12)


def test_linear_quadratic_moments_at_each_time():
    rng = np.random.default_rng(16)
    mdp, policy = random_linear_quadratic(rng)
    paths = rollout(mdp, policy, n_episodes=20_000, horizon=8, rng=rng)
    c = mdp.drift + mdp.control * policy.gain
    mean, second = mdp.initial_mean, mdp.initial_mean**2 + mdp.initial_std**2
    for t in range(9):
        assert_mean(paths.states[t], mean, comparisons=18)
        assert_mean(paths.states[t] ** 2, second, comparisons=18)
        mean, second = c * mean, c**2 * second + (mdp.control * policy.std) ** 2 + mdp.noise_std**2


def test_linear_quadratic_returns_under_a_random_horizon_average_to_J():
    rng = np.random.default_rng(17)
    mdp, policy = pgtlab.gallery.linear_quadratic(gain=-0.6)
    paths = rollout(mdp, policy, n_episodes=40_000, horizon=GeometricHorizon(0.9), rng=rng)
    assert_mean(paths.returns, pgtlab.expected_return(mdp, policy))
    assert not paths.rewards[~paths.alive].any()
    assert not paths.actions[~paths.alive].any()
    assert repr(paths) == f"LinearQuadraticPaths(n_episodes=40000, n_steps={paths.n_steps})"


# --- long runs -------------------------------------------------------------------------------------


def stopped(after):
    """Return a stand-in for `progress` that is interrupted after so many batches."""

    def steps(batches, total, unit):
        for number, batch in enumerate(batches):
            if number == after:
                raise KeyboardInterrupt
            yield batch

    return steps


@pytest.mark.parametrize("kind", ["finite", "linear-quadratic"])
def test_interrupted_it_returns_what_is_done(kind, monkeypatch):
    if kind == "finite":
        mdp, policy = random_problem(np.random.default_rng(18))
    else:
        mdp, policy = pgtlab.gallery.linear_quadratic()
    whole = rollout(mdp, policy, n_episodes=20_000, horizon=4, rng=np.random.default_rng(19))
    monkeypatch.setattr(sampling, "progress", stopped(after=1))
    message = exactly("interrupted after 8192 of 20000 episodes; the paths hold those")
    with pytest.warns(RuntimeWarning, match=message):
        part = rollout(mdp, policy, n_episodes=20_000, horizon=4, rng=np.random.default_rng(19))
    assert part.n_episodes == 8192
    assert_array_equal(part.states, whole.states[: part.n_steps + 1, :8192])
    assert_array_equal(part.actions, whole.actions[: part.n_steps, :8192])


def test_interrupted_before_anything_is_done_it_stops(monkeypatch):
    monkeypatch.setattr(sampling, "progress", stopped(after=0))
    mdp, policy = random_problem(np.random.default_rng(20))
    with pytest.raises(KeyboardInterrupt):
        rollout(mdp, policy, n_episodes=10, horizon=4, rng=np.random.default_rng(21))


class Terminal(io.StringIO):
    """What a bar takes for a terminal."""

    def isatty(self):
        return True


def test_a_bar_shows_on_a_terminal_only(monkeypatch):
    monkeypatch.setattr(progress_room, "_PATIENCE", 0.0)
    for screen in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", screen)
        assert list(progress_room.progress(range(3), 3, "runs")) == [0, 1, 2]
        assert ("3/3" in screen.getvalue() or "0/3" in screen.getvalue()) == isinstance(screen, Terminal)


def test_no_bar_without_tqdm_and_none_for_what_is_done_soon(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert list(progress_room.progress(range(3), 3, "runs")) == [0, 1, 2]
    assert screen.getvalue() == ""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    steps = range(3)
    assert progress_room.progress(steps, 3, "runs") is steps


# --- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_episodes": 0}, ValueError, "n_episodes is 0; expected an integer of at least 1"),
        ({"n_episodes": 2.5}, TypeError, "n_episodes must be an integer, got float"),
        ({"horizon": 0}, ValueError, "horizon is 0; expected an integer of at least 1"),
        (
            {"horizon": "long"},
            TypeError,
            "horizon must be an integer, a GeometricHorizon, or None to follow each episode to its end; "
            "got str",
        ),
        (
            {"rng": 0},
            TypeError,
            "rng must be a numpy.random.Generator, got int; write rng=np.random.default_rng(seed)",
        ),
        (
            {"policy": SoftmaxPolicy.tabular(np.zeros((2, 2)))},
            ValueError,
            "policy is for 2 states and 2 actions; expected 4 states and 3 actions, as in mdp",
        ),
        (
            {"policy": SoftmaxPolicy.tabular(np.zeros((5, 4, 3)))},
            ValueError,
            "policy is a batch of shape (5,); expected one policy",
        ),
        (
            {"mdp": "corridor"},
            TypeError,
            "mdp must be a FiniteMDP or a LinearQuadraticMDP, got str",
        ),
    ],
)
def test_bad_input(changes, error, message):
    mdp, policy = random_problem(np.random.default_rng(22))
    given = {"mdp": mdp, "policy": policy, "n_episodes": 3, "horizon": 4, "rng": np.random.default_rng(0)}
    given |= changes
    with pytest.raises(error, match=exactly(message)):
        rollout(given.pop("mdp"), given.pop("policy"), **given)


def test_a_missing_generator_is_named():
    mdp, policy = random_problem(np.random.default_rng(22))
    with pytest.raises(TypeError, match="rng"):
        rollout(mdp, policy, n_episodes=3, horizon=4)


def test_without_a_horizon_the_end_must_be_certain():
    mdp = FiniteMDP([[[0.0, 1.0]], [[0.0, 1.0]]], [[1.0], [2.0]], [1.0, 0.0], 0.5)
    policy = SoftmaxPolicy.tabular([[0.0], [0.0]])
    message = (
        "horizon is missing and the episode need not end: the start reaches state 0, from which this policy "
        "leads to no end. Give one, such as horizon=100 or horizon=GeometricHorizon(0.99)"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        rollout(mdp, policy, n_episodes=3, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("n_episodes", "horizon", "words"),
    [
        # 8 bytes each, in units of 2^30: 8e15 / 2^30.
        (10**15, 4, "a number for each of 1000000000000000 episodes would take 7.45e+06 GiB"),
        (
            10**15,
            GeometricHorizon(0.9),
            "a number for each of 1000000000000000 episodes would take 7.45e+06 GiB",
        ),
        # One more row of states than steps, 4 bytes each.
        (10**6, 10**9, "1000000001 steps of 1000000 episodes would take 3.73e+06 GiB"),
    ],
)
def test_paths_that_no_memory_holds_are_refused_before_any_is_taken(n_episodes, horizon, words):
    mdp = FiniteMDP([[[1.0]]], [[1.0]], [1.0], 0.9)
    with pytest.raises(ValueError, match=exactly(f"{words}; expected at most 16 GiB")):
        rollout(
            mdp,
            SoftmaxPolicy.tabular([[0.0]]),
            n_episodes=n_episodes,
            horizon=horizon,
            rng=np.random.default_rng(0),
        )


def test_an_episode_that_practically_never_ends_has_a_ceiling(monkeypatch):
    # The end has the probability 1e-9: a billion steps on average.
    monkeypatch.setattr("pgtlab.rollouts.sampling._MOST_STEPS", 500)
    mdp = FiniteMDP([[[1 - 1e-9]]], [[1.0]], [1.0], 0.9, smallest_ending=1e-9)
    policy = SoftmaxPolicy.tabular([[0.0]])
    words = (
        "horizon is missing and an episode has made 500 steps without an end, which this policy reaches too "
        "rarely. Give one, such as horizon=1000 or horizon=GeometricHorizon(0.999)"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        rollout(mdp, policy, n_episodes=2, rng=np.random.default_rng(0))
    assert rollout(mdp, policy, n_episodes=2, horizon=600, rng=np.random.default_rng(0)).n_steps == 600


def test_linear_quadratic_bad_input():
    mdp, policy = pgtlab.gallery.linear_quadratic()
    rng = np.random.default_rng(0)
    message = (
        "horizon is missing, and episodes of this problem never end. Give one, such as horizon=100 or "
        "horizon=GeometricHorizon(0.9)"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        rollout(mdp, policy, n_episodes=3, rng=rng)
    batch = LinearGaussianPolicy([-0.1, -0.2], 0.0)
    with pytest.raises(ValueError, match=exactly("policy is a batch of shape (2,); expected one policy")):
        rollout(mdp, batch, n_episodes=3, horizon=5, rng=rng)
    with pytest.raises(TypeError, match="policy must be a LinearGaussianPolicy"):
        rollout(mdp, SoftmaxPolicy.tabular([[0.0]]), n_episodes=3, horizon=5, rng=rng)


@pytest.mark.parametrize("continuation", [0.0, 1.0, -0.5])
def test_a_continuation_is_a_probability_inside(continuation):
    message = f"continuation is {continuation:g}; expected a number above 0 and below 1"
    with pytest.raises(ValueError, match=exactly(message)):
        GeometricHorizon(continuation)


def test_nothing_is_written_and_nothing_warned_of(capsys):
    mdp, policy = random_problem(np.random.default_rng(23))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rollout(mdp, policy, n_episodes=20_000, horizon=30, rng=np.random.default_rng(24))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("on_the_line", [False, True])
def test_the_scores_of_a_step_are_the_policys_and_0_after_the_end(on_the_line):
    rng = np.random.default_rng(40)
    mdp, policy = random_linear_quadratic(rng) if on_the_line else random_problem(rng)
    paths = rollout(mdp, policy, n_episodes=20, horizon=GeometricHorizon(0.7), rng=rng)
    assert not paths.alive.all()
    for t in range(paths.n_steps):
        scores = paths.scores_at(t, slice(5, 20))
        for n, score in enumerate(scores, 5):
            made = paths.alive[t, n]
            expected = policy.score(paths.states[t, n], paths.actions[t, n]) if made else 0 * score
            assert_allclose(score, expected, rtol=1e-12, atol=1e-14)
