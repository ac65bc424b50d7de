"""The critics on paths: exact fits to all the paths, learning loops, statistics, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pgtlab import FiniteMDP, SoftmaxPolicy
from pgtlab.critics import (
    LSTDQ,
    TD,
    CorrectedEpisodicNAC,
    EpisodicNAC,
    Learner,
    LiteralUpdate,
    MonteCarlo,
    ValueAndScore,
)
from pgtlab.gallery import linear_quadratic, now_or_later, one_knob
from pgtlab.rollouts import FinitePaths, GeometricHorizon, rollout
from tests import routes
from tests.problems import TablePolicy, exactly, random_problem, seeds

COARSE = np.array([[1.0, 0.3], [1.0, -0.4], [1.0, 0.9]])

CRITICS = [
    MonteCarlo(),
    LiteralUpdate(),
    TD(0.4),
    TD(1.0),
    ValueAndScore(),
    ValueAndScore(COARSE),
    LSTDQ(0.0),
    LSTDQ(0.4, COARSE),
    LSTDQ(1.0, COARSE),
    EpisodicNAC(),
    CorrectedEpisodicNAC(),
]

#: Those that also learn step by step.
LEARNERS = [critic for critic in CRITICS if isinstance(critic, Learner)]

#: Those of both that say nothing of how many states there are, and so fit every problem.
OF_ANY_PROBLEM = [critic for critic in CRITICS if getattr(critic, "state_features", None) is None]
LEARNERS_OF_ANY_PROBLEM = [critic for critic in OF_ANY_PROBLEM if isinstance(critic, Learner)]


def name_of(critic):
    features = getattr(critic, "state_features", None)
    return f"{type(critic).__name__}{getattr(critic, 'lam', '')}{'' if features is None else ' coarse'}"


# --- all the paths of a problem, each as often as it is probable -------------------------------------


def in_quarters(seed, discount, features="linear"):
    """Return a problem that moves to higher states only, with probabilities that are multiples of 1/4.

    A path has at most 3 steps, so its probability is a multiple of 2^-10.
    """
    rng = np.random.default_rng(seed)
    transition = np.zeros((3, 2, 3))
    transition[0, :, 1], transition[0, :, 2] = [0.25, 0.5], [0.5, 0.25]
    transition[1, :, 2] = [0.75, 0.25]
    mdp = FiniteMDP(transition, rng.normal(size=(3, 2)), [0.75, 0.25, 0.0], discount)
    phi = rng.normal(size=(3, 2, 2))
    if features == "redundant":
        phi = np.concatenate([phi, phi.sum(-1, keepdims=True)], axis=-1)
    # Preferences of 0: both actions have the probability 1/2, without rounding.
    return mdp, SoftmaxPolicy(phi, np.zeros(phi.shape[-1]))


def record(mdp, policy, episodes, horizon=None):
    """Return the record of episodes: lists of (state, action), and the state each was cut off in, or None."""
    S, A = mdp.reward.shape
    T = max(len(path) for path, _ in episodes)
    states = np.full((T + 1, len(episodes)), S, dtype=np.int32)
    pairs = np.full((T, len(episodes)), S * A, dtype=np.int32)
    for n, (path, last) in enumerate(episodes):
        for t, (s, a) in enumerate(path):
            states[t, n], pairs[t, n] = s, s * A + a
        if last is not None:
            states[len(path), n] = last
    return FinitePaths(mdp, policy, horizon, states, pairs)


def all_episodes(mdp, policy, lengths=((9, 1.0),)):
    """Return every path, cut off at each of the lengths, as often in 4096 episodes as it is probable."""
    episodes = []
    for probability, path in routes.paths(mdp, policy.probs()):
        for length, share in lengths:
            count = probability * share * 4096
            assert count == round(count)
            cut = path[:length], path[length][0] if length < len(path) else None
            episodes += [cut] * round(count)
    assert len(episodes) == 4096
    return episodes


@pytest.mark.parametrize("features", ["linear", "redundant"])
@pytest.mark.parametrize("discount", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("critic", CRITICS, ids=name_of)
def test_a_fit_to_all_the_paths_is_the_fixed_point(critic, discount, features):
    mdp, policy = in_quarters(1, discount, features)
    paths = record(mdp, policy, all_episodes(mdp, policy))
    expected = critic.fixed_point(mdp, policy)
    assert_allclose(critic.fit(paths), expected, rtol=1e-8, atol=1e-9)
    # And the literal update would not pass for a remedy.
    if discount == 0.9 and not isinstance(critic, LiteralUpdate):
        assert np.abs(LiteralUpdate().fit(paths) - expected).max() > 1e-2


@pytest.mark.parametrize("discount", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("critic", CRITICS, ids=name_of)
def test_a_random_horizon_leaves_the_fixed_point_where_it_is(critic, discount):
    # Pr(H = 1) = 1/2, Pr(H = 2) = 1/4, and the rest is as good as no horizon: no path has more than 3 steps.
    mdp, policy = in_quarters(2, discount)
    episodes = all_episodes(mdp, policy, lengths=((1, 0.5), (2, 0.25), (3, 0.25)))
    paths = record(mdp, policy, episodes, GeometricHorizon(0.5))
    assert_allclose(paths.weights, (discount / 0.5) ** np.arange(3))
    if isinstance(critic, EpisodicNAC):
        with pytest.raises(ValueError, match="^paths have a random horizon; expected paths to the end"):
            critic.fit(paths)
        return
    assert_allclose(critic.fit(paths), critic.fixed_point(mdp, policy), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("critic", CRITICS, ids=name_of)
def test_a_fixed_horizon_cuts_off_what_comes_later_and_nothing_else(critic):
    # After two steps what the third would pay is missing, and so are its visits. The critics with a value for
    # each state and lambda = 0 miss the visits only: the value of the last state stands for what is to come,
    # and every state has steps made from it, so that all values are right.
    mdp, policy = in_quarters(3, 0.9)
    paths = record(mdp, policy, all_episodes(mdp, policy, lengths=((2, 1.0),)), 2)
    F = g = 0.0
    score = policy.scores()
    for probability, path in routes.paths(mdp, policy.probs()):
        for t, (s, a) in enumerate(path[:2]):
            F = F + probability * 0.9**t * np.outer(score[s, a], score[s, a])
            later = sum(0.9**j * mdp.reward[path[j]] for j in range(t, min(2, len(path))))
            if isinstance(critic, LiteralUpdate):
                later = 0.9**t * mdp.reward[s, a]
            if isinstance(critic, TD):
                later = sum(
                    0.9**t * (0.9 * critic.lam) ** (j - t) * mdp.reward[path[j]]
                    for j in range(t, min(2, len(path)))
                )
            g = g + probability * later * score[s, a]
    if isinstance(critic, MonteCarlo | LiteralUpdate | TD | CorrectedEpisodicNAC):
        assert_allclose(critic.fit(paths), np.linalg.solve(F, g), rtol=1e-9)
    if isinstance(critic, LSTDQ | ValueAndScore) and critic.state_features is None:
        Q = routes.action_values(mdp, policy.probs())
        g = sum(
            probability * 0.9**t * score[s, a] * Q[s, a]
            for probability, path in routes.paths(mdp, policy.probs())
            for t, (s, a) in enumerate(path[:2])
        )
        assert_allclose(critic.fit(paths), np.linalg.solve(F, g), rtol=1e-9)


@given(seeds, st.sampled_from([0.5, 0.9, 1.0]))
@settings(max_examples=25)
def test_on_its_own_paths_the_monte_carlo_critic_is_reinforce(seed, discount):
    # Point 5: sum_t gamma^t SC_t (SC_t . w) over the paths is sum_t gamma^t SC_t G_t, number for number.
    rng = np.random.default_rng(seed)
    mdp, policy = random_problem(rng, discount=discount, features="redundant")
    paths = rollout(mdp, policy, n_episodes=50, horizon=12, rng=rng)
    w = MonteCarlo().fit(paths)
    with_critic = reinforce = 0.0
    for n in range(50):
        for t in range(paths.lengths[n]):
            SC = policy.score(paths.states[t, n], paths.actions[t, n])
            G = sum(discount ** (j - t) * paths.rewards[j, n] for j in range(t, paths.lengths[n]))
            with_critic = with_critic + discount**t * SC * (SC @ w)
            reinforce = reinforce + discount**t * SC * G
    assert_allclose(with_critic, reinforce, rtol=1e-7, atol=1e-7 * (1 + np.abs(w).max()))


# --- learning step by step ---------------------------------------------------------------------------


def loop(critic, paths, alphas, start, phi=None):
    """Return the weights after each episode of the slides' loop, written as it is read."""
    gamma, K = paths.mdp.discount, paths.policy.parameters.shape[-1]
    w, lam = np.array(start, dtype=float), getattr(critic, "lam", 0.0)
    v = np.zeros(0 if phi is None else phi.shape[1])
    history = [w]
    for n, alpha in enumerate(alphas):
        T, z = int(paths.lengths[n]), np.zeros(K)
        r = paths.rewards[:, n]
        SC = [paths.policy.score(paths.states[t, n], paths.actions[t, n]) for t in range(T)]
        SC.append(np.zeros(K))  # after the end, or where no action was drawn
        for t in range(T):
            if isinstance(critic, MonteCarlo):
                G = sum(gamma ** (j - t) * r[j] for j in range(t, T))
                w = w + alpha * gamma**t * (G - SC[t] @ w) * SC[t]
            elif phi is None:
                delta = r[t] + gamma * SC[t + 1] @ w - SC[t] @ w
                z = gamma * lam * z + gamma**t * SC[t]
                w = w + alpha * delta * z
            else:
                here = phi[paths.states[t, n]]
                there = np.append(phi, 0 * phi[:1], axis=0)[paths.states[t + 1, n]]
                delta = r[t] + gamma * (there @ v + SC[t + 1] @ w) - here @ v - SC[t] @ w
                v, w = v + alpha * gamma**t * delta * here, w + alpha * gamma**t * delta * SC[t]
        history.append(w)
    return np.array(history)


@pytest.mark.parametrize("horizon", [4, 40])
@pytest.mark.parametrize("critic", LEARNERS, ids=name_of)
def test_learning_one_episode_at_a_time_is_the_slides_loop(critic, horizon):
    rng = np.random.default_rng(4)
    mdp, policy = random_problem(rng, n_states=3, features="linear", discount=0.9)
    paths = rollout(mdp, policy, n_episodes=30, horizon=horizon, rng=rng)
    phi = None
    if isinstance(critic, ValueAndScore):
        phi = np.eye(3) if critic.state_features is None else critic.state_features
    found = critic.learn(paths, 0.1)
    assert_allclose(found, loop(critic, paths, [0.1] * 30, [0.0, 0.0], phi), rtol=1e-10, atol=1e-12)
    # With steps of one's own, and another start.
    alphas, start = 1 / (5 + np.arange(30)), [0.3, -0.7]
    found = critic.learn(paths, alphas, start)
    assert_allclose(found, loop(critic, paths, alphas, start, phi), rtol=1e-10, atol=1e-12)
    assert found.shape == (31, 2)


@pytest.mark.parametrize("critic", LEARNERS, ids=name_of)
def test_a_batch_of_episodes_takes_each_step_together(critic):
    rng = np.random.default_rng(5)
    mdp, policy = random_problem(rng, n_states=3, features="linear", discount=0.9)
    paths = rollout(mdp, policy, n_episodes=10, horizon=5, rng=rng)
    # Twice the same episode is a mean of two equal updates: the same as once.
    columns = np.repeat(np.arange(10), 2)
    twice = FinitePaths(mdp, policy, 5, paths.states[:, columns], paths.pairs[:, columns])
    assert_allclose(critic.learn(twice, 0.2, batch_size=2), critic.learn(paths, 0.2), rtol=1e-12, atol=1e-14)
    # All together: a step of size 1e-7 is the mean of the single steps but for terms of its square.
    together = critic.learn(paths, 1e-7, batch_size=10)[-1]
    single = np.mean(
        [
            critic.learn(FinitePaths(mdp, policy, 5, paths.states[:, [n]], paths.pairs[:, [n]]), 1e-7)[-1]
            for n in range(10)
        ],
        axis=0,
    )
    assert_allclose(together, single, rtol=1e-5)
    # The last batch may be smaller.
    assert critic.learn(paths, 0.1, batch_size=4).shape == (4, 2)


def test_learning_finds_the_limit_of_its_own_update_and_no_other():
    # K2 with the steps 4 / n: after n episodes w is the plain mean of y / SC, with SC = 1/2 for later and
    # -1/2 for now, and y the target of step 0 (step 1 has the score 0). That is bounded, so by Hoeffding's
    # inequality w is near its limit but for a chance of 1e-6. The limits of two critics are at least 4.5
    # apart and the two bounds together are less: taken for one another they are found out as surely.
    mdp, policy = now_or_later()
    n = 20_000
    paths = rollout(mdp, policy, n_episodes=n, rng=np.random.default_rng(6))
    limits = {LiteralUpdate(): -1.0, TD(0.5): 3.5, MonteCarlo(): 8.0}
    bounds = {
        critic: routes.hoeffding(2 * (limit + 1) + 2, n)  # from -2 for now to 2 (limit + 1) for later
        for critic, limit in limits.items()
    }
    for critic, limit in limits.items():
        w = critic.learn(paths, 4 / (1 + np.arange(n)))[-1, 0]
        assert abs(w - limit) < bounds[critic]
        assert critic.fixed_point(mdp, policy)[0] == pytest.approx(limit, rel=1e-12)
        for other, elsewhere in limits.items():
            if other is not critic:
                assert abs(w - elsewhere) > bounds[other]
                assert bounds[critic] + bounds[other] < 4.5


@pytest.mark.parametrize("critic", LEARNERS_OF_ANY_PROBLEM, ids=name_of)
def test_a_run_that_diverges_stops_with_what_it_has(critic):
    mdp, policy = now_or_later()
    paths = rollout(mdp, policy, n_episodes=1000, rng=np.random.default_rng(7))
    with pytest.warns(
        RuntimeWarning, match="^the weights overflow in batch [0-9]+ of 1000 at step_size 1000:"
    ):
        found = critic.learn(paths, 1000.0)
    # The factor of an episode is about 1 - 1000 / 4: 1e308 is reached after some 130.
    assert 50 < len(found) < 400
    assert np.isfinite(found).all()
    assert np.abs(found[-1]).max() > 1e100


# --- statistics --------------------------------------------------------------------------------------

#: Standard errors of a mean over 64 or more independent fits that chance exceeds less than once in 1e6.
TAIL = 6.0


def mean_of_fits(critic, make, n_fits, rng):
    """Return the mean of independent fits and its standard error."""
    fits = np.array([critic.fit(make(each)) for each in rng.spawn(n_fits)])
    return fits.mean(0), fits.std(0, ddof=1) / math.sqrt(n_fits)


@pytest.mark.parametrize("critic", CRITICS, ids=name_of)
def test_fits_to_sampled_paths_scatter_round_the_fixed_point(critic):
    # False alarm below 1e-6: |t| > 6 with 127 degrees of freedom has probability 2e-8. A fit is a ratio of
    # means over 1000 episodes: its own bias, of the order 1/1000, is small against the standard error here.
    # Power: the literal limit is at least 11 standard errors from every other, missed with less than 1e-6.
    mdp, policy = in_quarters(8, 0.9)
    policy = policy.with_parameters([0.4, -0.6])

    def make(rng):
        return rollout(mdp, policy, n_episodes=1000, rng=rng)

    mean, error = mean_of_fits(critic, make, 128, np.random.default_rng(9))
    exact = critic.fixed_point(mdp, policy)
    assert (np.abs(mean - exact) < TAIL * error).all()
    if not isinstance(critic, LiteralUpdate):
        assert (np.abs(mean - LiteralUpdate().fixed_point(mdp, policy)) > TAIL * error).any()


def test_the_published_episodic_critic_has_the_other_sign():
    # K9 at c = 1.15: -0.018421 against +0.037845. Each is taken for the other with a chance below 1e-6.
    mdp, policy = one_knob(1.15)

    def make(rng):
        return rollout(mdp, policy, n_episodes=4000, rng=rng)

    found = {}
    for critic in (EpisodicNAC(), CorrectedEpisodicNAC()):
        found[critic] = mean_of_fits(critic, make, 64, np.random.default_rng(10))
    for critic, (mean, error) in found.items():
        assert abs(mean - critic.fixed_point(mdp, policy)) < TAIL * error
        for other in found:
            if other is not critic:
                assert abs(mean - other.fixed_point(mdp, policy)) > TAIL * error


@pytest.mark.parametrize("horizon", [30, GeometricHorizon(0.8)], ids=["fixed", "random"])
@pytest.mark.parametrize("critic", OF_ANY_PROBLEM, ids=name_of)
def test_fits_to_linear_quadratic_paths(critic, horizon):
    # gamma = 0.5, so that 30 steps leave 1e-9 out; a random horizon, nothing. In the gain the literal limit
    # is positive and every remedy's negative. The error rates are those of the test above.
    mdp, policy = linear_quadratic(gain=-0.3, log_std=-0.5, discount=0.5)
    if isinstance(critic, EpisodicNAC):
        # It takes no random horizon.
        horizon = 30

    def make(rng):
        return rollout(mdp, policy, n_episodes=1500, horizon=horizon, rng=rng)

    mean, error = mean_of_fits(critic, make, 64, np.random.default_rng(11))
    exact = critic.fixed_point(mdp, policy)
    assert (np.abs(mean - exact) < TAIL * error).all()
    if not isinstance(critic, LiteralUpdate):
        assert (np.abs(mean - LiteralUpdate().fixed_point(mdp, policy)) > TAIL * error).any()


def test_a_function_gives_the_state_features_of_linear_quadratic_paths():
    mdp, policy = linear_quadratic(gain=-0.5, log_std=-0.5)
    paths = rollout(mdp, policy, n_episodes=200, horizon=GeometricHorizon(0.9), rng=np.random.default_rng(12))

    def squares(x):
        return np.stack([x**2, np.ones_like(x)], axis=-1)

    for given_, default in ((ValueAndScore(squares), ValueAndScore()), (LSTDQ(0.5, squares), LSTDQ(0.5))):
        assert_allclose(given_.fit(paths), default.fit(paths), rtol=1e-12)
    assert_allclose(ValueAndScore(squares).learn(paths, 0.01), ValueAndScore().learn(paths, 0.01), rtol=1e-12)

    # By hand on these paths: sum_t w_t x_t (x_t - ...)^T with the state that follows at gamma w_t.
    matrix = right = 0.0
    for n in range(200):
        trace = 0.0
        for t in range(paths.lengths[n]):
            x, u, after = paths.states[t, n], paths.actions[t, n], paths.states[t + 1, n]
            here = np.append([x**2, 1.0], policy.score(x, u))
            trace = 0.5 * trace + here
            matrix = matrix + np.outer(trace, here - 0.9 * np.array([after**2, 1.0, 0.0, 0.0]))
            right = right + trace * paths.rewards[t, n]
    assert_allclose(paths.weights, 1.0)
    assert_allclose(LSTDQ(0.5).fit(paths), np.linalg.solve(matrix, right)[2:], rtol=1e-7)


# --- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("critic", CRITICS, ids=name_of)
def test_what_is_no_record_of_paths_is_refused(critic):
    words = exactly("paths must be what rollout returns, got list")
    with pytest.raises(TypeError, match=words):
        critic.fit([1, 2])
    if hasattr(critic, "learn"):
        with pytest.raises(TypeError, match=words):
            critic.learn([1, 2], 0.1)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"step_size": 0.0}, ValueError, "step_size is 0; expected a number above 0"),
        ({"step_size": [0.1] * 4 + [-1.0]}, ValueError, "step_size[4] is -1; expected a number above 0"),
        ({"step_size": np.nan}, ValueError, "step_size is nan; expected a finite number"),
        ({"step_size": np.inf}, ValueError, "step_size is inf; expected a finite number"),
        (
            {"step_size": [0.1, 0.2]},
            ValueError,
            "step_size has shape (2,); expected a number, or (5,) with one for each batch",
        ),
        (
            {"step_size": 0.1, "batch_size": 0},
            ValueError,
            "batch_size is 0; expected an integer of at least 1",
        ),
        ({"step_size": 0.1, "batch_size": 1.5}, TypeError, "batch_size must be an integer, got float"),
        (
            {"step_size": 0.1, "start": [1.0, 2.0]},
            ValueError,
            "start has shape (2,); expected (..., 1), one for each parameter of the policy",
        ),
        ({"step_size": 0.1, "start": [[1.0]]}, ValueError, "start has shape (1, 1); expected (1,)"),
        ({"step_size": 0.1, "start": [np.inf]}, ValueError, "start[0] is inf; expected a finite number"),
    ],
)
@pytest.mark.parametrize("critic", LEARNERS_OF_ANY_PROBLEM, ids=name_of)
def test_settings_out_of_range_are_refused(critic, given, kind, words):
    paths = rollout(*now_or_later(), n_episodes=5, rng=np.random.default_rng(13))
    with pytest.raises(kind, match=exactly(words)):
        critic.learn(paths, **given)


def test_state_features_that_do_not_fit_the_paths_are_refused():
    paths = rollout(*now_or_later(), n_episodes=5, rng=np.random.default_rng(14))
    words = exactly("state_features has shape (3, 2); expected (2, M), a row of features for each state")
    with pytest.raises(ValueError, match=words):
        LSTDQ(0.5, COARSE).fit(paths)
    with pytest.raises(TypeError, match="^state_features is a function; expected 'tabular' or an array"):
        ValueAndScore(np.cos).learn(paths, 0.1)
    paths = rollout(*linear_quadratic(), n_episodes=5, horizon=4, rng=np.random.default_rng(15))
    with pytest.raises(TypeError, match="^state_features is an array; expected a function of x that returns"):
        ValueAndScore(COARSE).fit(paths)
    words = (
        "state_features(x) has shape (5,); expected (5,), as its arguments have it, and an axis of features"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        LSTDQ(0.5, np.cos).fit(paths)


def test_the_word_for_a_feature_for_each_state_is_the_same_as_none_at_all():
    paths = rollout(*in_quarters(8, 0.9), n_episodes=20, rng=np.random.default_rng(15))
    for make in (ValueAndScore, lambda *features: LSTDQ(0.4, *features)):
        assert_allclose(make("tabular").fit(paths), make().fit(paths), rtol=1e-12)
    assert_allclose(ValueAndScore("tabular").learn(paths, 0.1), ValueAndScore().learn(paths, 0.1), rtol=1e-12)
    # One number for each state by hand, too.
    assert_allclose(LSTDQ(0.4, np.eye(3)).fit(paths), LSTDQ(0.4).fit(paths), rtol=1e-9)


# --- what weighs next to nothing -------------------------------------------------------------------------


def late(discount, features):
    """Return paths whose second step weighs `discount`: in state 1 action 0 pays 3, and nothing else pays."""
    transition = np.zeros((2, 2, 2))
    transition[0, :, 1] = 1.0
    mdp = FiniteMDP(transition, [[0.0, 0.0], [3.0, 0.0]], [1.0, 0.0], discount)
    policy = SoftmaxPolicy(features, np.zeros(np.shape(features)[-1]))
    paths = rollout(mdp, policy, n_episodes=1000, rng=np.random.default_rng(5))
    return paths, (paths.actions[1] == 0).mean()


def action_0(in_state_0, in_state_1):
    """Return features (2, 2, K) of action 0 in both states; those of action 1 are 0."""
    features = np.zeros((2, 2, len(in_state_0)))
    features[:, 0] = in_state_0, in_state_1
    return features


# In state 0 nothing is to be gained: the part of w that it sees is 0. In state 1 the score is half the
# feature or minus that: the third vector is w for a slope of 1 along it.
APART = [([1.0, 0.0], [0.0, 1.0], [0.0, 1.0]), ([1.0, 0.0], [1.0, 1.0], [0.0, 1.0])]
ACROSS = ([1.0, 1.0], [1.0, -1.0], [0.5, -0.5])
BY_STEPS = [MonteCarlo(), TD(0.5), LSTDQ(0.5), ValueAndScore()]
# In the sum of the scores of an episode (1, 1) and 1e-20 (1, -1) cannot be told from (1, 1).
BY_EPISODES = [EpisodicNAC(), CorrectedEpisodicNAC()]
LATE = [(critic, each) for critic in BY_STEPS for each in [*APART, ACROSS]]
LATE += [(critic, each) for critic in BY_EPISODES for each in APART]


@pytest.mark.parametrize("discount", [1e-20, 1e-100, 1e-300])
@pytest.mark.parametrize(("critic", "features"), LATE, ids=lambda each: type(each).__name__)
def test_a_state_that_weighs_next_to_nothing_counts_like_any_other(critic, features, discount):
    in_state_0, in_state_1, take = features
    paths, share = late(discount, action_0(in_state_0, in_state_1))
    # With a value or a constant beside the score the line goes through both points, (1/2, 3) and (-1/2, 0).
    # Without one it goes through 0: share (3 - w/2)^2 + (1 - share) (w/2)^2 is least at w = 6 share.
    slope = 6 * share if isinstance(critic, MonteCarlo | TD) else 3.0
    assert_allclose(critic.fit(paths), slope * np.array(take), rtol=1e-12, atol=1e-12)
    assert_allclose(critic.fixed_point(paths.mdp, paths.policy), 3 * np.array(take), rtol=1e-12, atol=1e-12)


def test_a_state_that_nobody_is_in_for_all_that_floats_tell_takes_no_part():
    # 1e-310 is below what keeps its digits: the weight of least norm is 0, as for a state that is not seen.
    paths, _ = late(1e-310, action_0([1.0, 0.0], [0.0, 1.0]))
    assert_allclose(MonteCarlo().fit(paths), [0.0, 0.0], atol=1e-12)
    paths, _ = late(1e-310, action_0([0.0], [1.0]))
    assert_allclose(MonteCarlo().fit(paths), [0.0], atol=0)


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_what_all_actions_have_in_common_changes_no_fit(offset):
    # The score is the same: what is common to the features of a state drops out.
    features = action_0([1.0, 0.0], [0.0, 1.0])
    paths, share = late(0.5, features + offset)
    assert_allclose(MonteCarlo().fit(paths)[1], 6 * share, rtol=1e-6)


def test_scores_of_ones_own_are_told_to_their_rounding_and_no_further():
    # Two of the scores of an action of probability near 1 differ in sign alone, but for rounding: that is no
    # direction of the parameters of its own.
    mdp, _ = now_or_later()
    softmax = SoftmaxPolicy.tabular([[7.0, 0.0], [0.0, 0.0]])
    p = softmax.probs()[0, 0]
    scores = np.zeros((2, 2, 4))
    scores[0, :, :2] = [[1 - p, p - 1], [-p, p]]
    scores[1, :, 2:] = [[0.5, -0.5], [-0.5, 0.5]]

    class Own(TablePolicy):
        def scores(self):
            return scores

    own = Own(softmax.probs())
    own.parameters = np.zeros(4)
    paths = rollout(mdp, softmax, n_episodes=2000, rng=np.random.default_rng(0))
    mine = rollout(mdp, own, n_episodes=2000, rng=np.random.default_rng(0))
    assert_allclose(MonteCarlo().fit(mine), MonteCarlo().fit(paths), rtol=1e-8, atol=1e-9)
