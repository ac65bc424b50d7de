"""The fixed point of each critic: closed forms, the chain of states and actions, and all the paths."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pgtlab import (
    FiniteMDP,
    LinearGaussianPolicy,
    advantages,
    fisher_information,
    natural_policy_gradient,
    policy_gradient,
    state_values,
    state_visitation,
)
from pgtlab.critics import (
    LSTDQ,
    TD,
    CorrectedEpisodicNAC,
    EpisodicNAC,
    LiteralUpdate,
    MonteCarlo,
    ValueAndScore,
    compatibility_error,
    compatible_gradient,
    compatible_values,
    compatible_weights,
)
from pgtlab.gallery import linear_quadratic, now_or_later, one_knob, short_corridor, two_states
from tests import routes
from tests.problems import (
    BATCHES,
    exactly,
    layered_problem,
    problems,
    random_linear_quadratic,
    random_problem,
    seeds,
)

#: The critics whose fixed point is the natural gradient on every problem.
REMEDIES = [
    MonteCarlo(),
    TD(1.0),
    ValueAndScore(),
    LSTDQ(0.0),
    LSTDQ(0.4),
    LSTDQ(1.0),
    CorrectedEpisodicNAC(),
]


def name_of(critic):
    return f"{type(critic).__name__}{getattr(critic, 'lam', '')}"


# --- fixed points: closed forms ----------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_literal_update_learns_the_worst_policy_of_now_or_later(p):
    # K2 and M7: now pays 1, later nothing at once. TD(lambda): later is worth 0.9 lambda 10.
    mdp, policy = now_or_later(p)
    assert_allclose(LiteralUpdate().fixed_point(mdp, policy), [-1.0], rtol=1e-12)
    for lam in (0.0, 0.25, 1.0):
        assert_allclose(TD(lam).fixed_point(mdp, policy), [9 * lam - 1], rtol=1e-12, atol=1e-12)
    for critic in REMEDIES:
        assert_allclose(critic.fixed_point(mdp, policy), [8.0], rtol=1e-12)


@pytest.mark.parametrize("cost", [0.5, 1.05, 1.15])
def test_the_published_episodic_critic_counts_visits_twice(cost):
    # K9: (1 - 0.81 c) / 1.81 in the place of (1 - 0.9 c) / 1.9.
    mdp, policy = one_knob(cost)
    assert_allclose(EpisodicNAC().fixed_point(mdp, policy), [(1 - 0.81 * cost) / 1.81], rtol=1e-11)
    natural = (1 - 0.9 * cost) / 1.9
    for critic in REMEDIES:
        assert_allclose(critic.fixed_point(mdp, policy), [natural], rtol=1e-10)
    # The rewards depend on the action alone, and what follows does not: even the literal update is right.
    assert_allclose(LiteralUpdate().fixed_point(mdp, policy), [natural], rtol=1e-11)
    if cost == 1.15:
        assert natural == pytest.approx(-0.018421, abs=1e-6)
        assert EpisodicNAC().fixed_point(mdp, policy)[0] == pytest.approx(0.037845, abs=1e-6)


def test_the_short_corridor_has_the_discount_one():
    # K1 at p = 1/2: every step costs the same, so the immediate reward tells nothing; dJ/dtheta = 2 over
    # FIM = 12 / 4, 12 visits with p (1 - p) each.
    mdp, policy = short_corridor()
    assert_allclose(LiteralUpdate().fixed_point(mdp, policy), [0.0], atol=1e-12)
    for critic in [*REMEDIES, EpisodicNAC()]:
        assert_allclose(critic.fixed_point(mdp, policy), [2 / 3], rtol=1e-10)


def test_the_two_states_forget_what_comes_later():
    # K4: staying pays 1 or 2 at once, and switching nothing, whatever there is to gain by it.
    mdp, policy = two_states()
    assert_allclose(LiteralUpdate().fixed_point(mdp, policy), [1.0, 2.0], rtol=1e-11)
    assert natural_policy_gradient(mdp, policy)[0] == pytest.approx(
        (advantages(mdp, policy)[0] @ [1, -1]).item(), rel=1e-10
    )


@pytest.mark.parametrize("gain", [-0.9, -0.3, 0.02])
@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
def test_the_linear_quadratic_closed_forms(gain, lam):
    # K3 with a = b = q = r = 1 and gamma = 0.9: in the gain -2 s^2 [(1 + beta P) k + beta P], and
    # -s^2 (1 + beta P) in log s, where beta = 0.9 lambda and P is the curvature at that discount.
    mdp, policy = linear_quadratic(gain=gain, log_std=-0.4)
    beta, variance = 0.9 * lam, math.exp(-0.8)
    P = (1 + gain**2) / (1 - beta * (1 + gain) ** 2)
    expected = [-2 * variance * ((1 + beta * P) * gain + beta * P), -variance * (1 + beta * P)]
    assert_allclose(TD(lam).fixed_point(mdp, policy), expected, rtol=1e-11)
    if lam == 0:
        assert_allclose(
            LiteralUpdate().fixed_point(mdp, policy), [-2 * gain * variance, -variance], rtol=1e-13
        )
    if lam == 1:
        for critic in [*REMEDIES, EpisodicNAC()]:
            assert_allclose(critic.fixed_point(mdp, policy), expected, rtol=1e-11)
        assert_allclose(compatible_weights(mdp, policy), expected, rtol=1e-11)
    for critic in (ValueAndScore(), LSTDQ(lam)):
        assert_allclose(critic.bias(mdp, policy), [0.0, 0.0], atol=0)
        assert critic.state_values(mdp, policy)(1.7) == pytest.approx(state_values(mdp, policy)(1.7))


# --- fixed points: by the chain of states and actions ------------------------------------------------


def by_pairs(mdp, policy, lam, phi=None, next_scores=True):
    """Return the weights of the scores at the fixed point with a trace, on the chain of all pairs.

    x = (phi, SC) or the scores alone; the sum over t of E[z_t (x_t - gamma x_{t+1})^T] as one matrix.
    """
    probs, scores = policy.probs(), policy.scores()
    S, A, K = scores.shape
    inside = [s * A + a for s in routes.reachable(mdp, probs) for a in range(A)]
    rho = routes.visits(mdp, probs)
    D = np.array([rho[s] * probs[s, a] for s in range(S) for a in range(A)])[inside]
    step = np.zeros((S * A, S * A))
    for s in range(S):
        for a in range(A):
            for p in range(S):
                for b in range(A):
                    step[s * A + a, p * A + b] = mdp.transition[s, a, p] * probs[p, b]
    step = step[np.ix_(inside, inside)]
    x = scores.reshape(S * A, K)
    after = x if next_scores else np.zeros_like(x)
    if phi is not None:
        x = np.concatenate([np.repeat(phi, A, axis=0), x], axis=1)
        after = np.concatenate([np.repeat(phi, A, axis=0), after], axis=1)
    x, after, reward = x[inside], after[inside], mdp.reward.ravel()[inside]
    # sum_j gamma^j x_j sum_{t >= j} (gamma lambda)^(t-j) f_t, so the resolvent at gamma lambda.
    later = np.linalg.solve(
        np.eye(len(inside)) - mdp.discount * lam * step,
        np.concatenate([x - mdp.discount * step @ after, reward[:, None]], axis=1),
    )
    equations = (x * D[:, None]).T @ later
    return np.linalg.lstsq(equations[:, :-1], equations[:, -1], rcond=1e-11)[0][-K:]


lambdas = st.sampled_from([0.0, 0.3, 0.9, 1.0])


@given(problems(), lambdas)
@settings(max_examples=60)
def test_td_has_the_fixed_point_of_its_chain(problem, lam):
    mdp, policy = problem
    w = TD(lam).fixed_point(mdp, policy)
    Q = routes.action_values_at(mdp, policy.probs(), mdp.discount * lam)
    routes.assert_least_solution(*routes.score_equations(mdp, policy, Q), w)
    assert_allclose(w, by_pairs(mdp, policy, lam), rtol=1e-5, atol=1e-6 * (1 + np.abs(w).max()))
    if lam == 0:
        assert_allclose(LiteralUpdate().fixed_point(mdp, policy), w, rtol=1e-12, atol=1e-12)


@given(problems(), lambdas, seeds)
@settings(max_examples=60)
def test_the_critics_with_state_values_have_the_fixed_point_of_their_chain(problem, lam, seed):
    mdp, policy = problem
    phi = np.random.default_rng(seed).normal(size=(mdp.n_states, 2))
    # With few states and the discount 1 the equations for v may be close to singular.
    assume(mdp.n_states > 2)
    gradient, F = policy_gradient(mdp, policy), fisher_information(mdp, policy)
    for critic, at, next_scores in ((LSTDQ(lam, phi), lam, False), (ValueAndScore(phi), 0.0, True)):
        w, bias = critic.fixed_point(mdp, policy), critic.bias(mdp, policy)
        scale = 1 + np.abs(w).max() + np.abs(critic.state_values(mdp, policy)).max()
        visits = 1 + state_visitation(mdp, policy).max()
        assert_allclose(w, by_pairs(mdp, policy, at, phi, next_scores), rtol=1e-4, atol=1e-5 * scale)
        # The bias is what it says, and 0 for lambda = 1.
        assert_allclose(F @ w - gradient, bias, rtol=1e-6, atol=1e-7 * scale * visits)
        if at == 1:
            assert_allclose(bias, 0.0, atol=1e-7 * scale * visits)


@given(problems(), lambdas)
def test_with_values_in_the_span_of_the_state_features_there_is_no_bias(problem, lam):
    mdp, policy = problem
    natural = natural_policy_gradient(mdp, policy)
    V = np.nan_to_num(state_values(mdp, policy))[:, None]
    tolerance = {"rtol": 1e-5, "atol": 1e-6 * (1 + np.abs(natural).max())}
    for critic in (ValueAndScore(), LSTDQ(lam), ValueAndScore(V), LSTDQ(lam, V)):
        assert_allclose(critic.fixed_point(mdp, policy), natural, **tolerance)
        assert_allclose(critic.bias(mdp, policy), 0.0, atol=1e-6 * (1 + np.abs(V).max()) ** 2)
    visited = state_visitation(mdp, policy) > 0
    values = np.where(visited, ValueAndScore(V).state_values(mdp, policy), 0.0)
    assert_allclose(values, np.where(visited, V[:, 0], 0.0), rtol=1e-6, atol=1e-6)


@given(problems())
def test_the_episodic_critic_is_natural_at_the_square_of_the_discount(problem):
    mdp, policy = problem
    w = EpisodicNAC().fixed_point(mdp, policy)
    squared = routes.visits(replace(mdp, discount=mdp.discount**2), policy.probs())
    Q = routes.action_values_at(mdp, policy.probs(), mdp.discount)
    routes.assert_least_solution(*routes.score_equations(mdp, policy, Q, squared), w)
    natural = natural_policy_gradient(mdp, policy)
    if mdp.discount in (0, 1):
        assert_allclose(w, natural, rtol=1e-6, atol=1e-7 * (1 + np.abs(w).max()))
    if policy.is_tabular:
        # The advantage is in the span of the score.
        seen = np.repeat(squared > 0, mdp.n_actions)
        assert_allclose(w[seen], natural[seen], rtol=1e-6, atol=1e-7 * (1 + np.abs(w).max()))


# --- fixed points: by all the paths ------------------------------------------------------------------


def zero_update(mdp, policy, equations):
    """Return the least solution of E[matrix] theta = E[right], expectations over all paths."""
    matrix = right = 0.0
    for probability, path in routes.paths(mdp, policy.probs()):
        one_matrix, one_right = equations(path)
        matrix, right = matrix + probability * one_matrix, right + probability * one_right
    return np.linalg.lstsq(matrix, right, rcond=1e-11)[0]


def trace_equations(mdp, policy, lam, features, next_features, *, on_update=False):
    """Return the equations of one path: the sum of z_t (x_t - gamma x_{t+1})^T, and of z_t r_t.

    `on_update` makes the mistake of putting gamma^t on the update in the place of the trace.
    """
    gamma = mdp.discount

    def equations(path):
        z, matrix, right = 0.0, 0.0, 0.0
        for t, (s, a) in enumerate(path):
            x = features(s, a)
            later = next_features(*path[t + 1]) if t + 1 < len(path) else 0.0 * x
            z = gamma * lam * z + (1.0 if on_update else gamma**t) * x
            weight = gamma**t if on_update else 1.0
            matrix = matrix + weight * np.outer(z, x - gamma * later)
            right = right + weight * z * mdp.reward[s, a]
        return matrix, right

    return equations


@pytest.fixture(params=[0.0, 0.5, 0.9, 1.0], ids=lambda gamma: f"discount {gamma}")
def layered(request):
    features = {0.0: "linear", 0.5: "redundant", 0.9: "linear", 1.0: "tabular"}[request.param]
    return layered_problem(np.random.default_rng(10), discount=request.param, features=features)


@pytest.mark.parametrize("lam", [0.0, 0.6, 1.0])
def test_the_fixed_point_of_td_is_where_its_update_vanishes_on_all_paths(layered, lam):
    mdp, policy = layered
    score = policy.scores()
    equations = trace_equations(mdp, policy, lam, lambda s, a: score[s, a], lambda s, a: score[s, a])
    expected = zero_update(mdp, policy, equations)
    assert_allclose(TD(lam).fixed_point(mdp, policy), expected, rtol=1e-7, atol=1e-8)
    if lam == 0:
        assert_allclose(LiteralUpdate().fixed_point(mdp, policy), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("lam", [0.3, 1.0])
def test_the_discount_on_the_update_in_the_place_of_the_trace_has_another_limit(lam):
    # The second trap: Q at gamma^2 lambda. Not even lambda = 1 then gives the natural gradient.
    mdp, policy = layered_problem(np.random.default_rng(11), discount=0.9)
    score = policy.scores()

    def row(s, a):
        return score[s, a]

    mistaken = zero_update(mdp, policy, trace_equations(mdp, policy, lam, row, row, on_update=True))
    F, g = routes.score_equations(mdp, policy, routes.action_values_at(mdp, policy.probs(), 0.81 * lam))
    assert_allclose(F @ mistaken, g, rtol=1e-9, atol=1e-10)
    # The right update passes where this one does not.
    right = TD(lam).fixed_point(mdp, policy)
    F, g = routes.score_equations(mdp, policy, routes.action_values_at(mdp, policy.probs(), 0.9 * lam))
    assert_allclose(F @ right, g, rtol=1e-9, atol=1e-10)
    assert np.abs(F @ mistaken - g).max() > 1e-4
    # By hand on "now or later": 0.81 lambda 10 - 1 in the place of 0.9 lambda 10 - 1.
    mdp, policy = now_or_later()
    score = policy.scores()
    mistaken = zero_update(mdp, policy, trace_equations(mdp, policy, lam, row, row, on_update=True))
    assert_allclose(mistaken, [8.1 * lam - 1], rtol=1e-12)


@pytest.mark.parametrize("lam", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("kind", ["one for each state", "one for all", "random"])
def test_the_critics_with_state_values_solve_their_equations_on_all_paths(layered, lam, kind):
    mdp, policy = layered
    random = np.random.default_rng(12).normal(size=(4, 2))
    phi = {"one for each state": None, "one for all": np.ones((4, 1)), "random": random}[kind]
    table, score = np.eye(4) if phi is None else phi, policy.scores()

    def joint(s, a):
        return np.append(table[s], score[s, a])

    def of_state(s, a):
        return np.append(table[s], 0 * score[s, a])

    K = score.shape[-1]
    expected = zero_update(mdp, policy, trace_equations(mdp, policy, lam, joint, of_state))[-K:]
    assert_allclose(LSTDQ(lam, phi).fixed_point(mdp, policy), expected, rtol=1e-6, atol=1e-7)
    if lam == 0:
        expected = zero_update(mdp, policy, trace_equations(mdp, policy, 0.0, joint, joint))[-K:]
        assert_allclose(ValueAndScore(phi).fixed_point(mdp, policy), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("critic", [MonteCarlo(), EpisodicNAC(), CorrectedEpisodicNAC()], ids=name_of)
def test_the_regressions_have_their_limit_on_all_paths(layered, critic):
    mdp, policy = layered
    score, gamma = policy.scores(), mdp.discount

    def equations(path):
        SC = np.array([score[s, a] for s, a in path])
        weight = gamma ** np.arange(len(path))
        earned = weight * [mdp.reward[s, a] for s, a in path]
        if isinstance(critic, MonteCarlo):
            # The derivative of sum_t gamma^t (G_t - SC_t . w)^2
            to_go = [earned[t:].sum() / weight[t] if weight[t] else 0.0 for t in range(len(path))]
            return (SC * weight[:, None]).T @ SC, SC.T @ (weight * to_go)
        regressors = np.append(weight @ SC, 1.0)
        instruments = np.append(SC.sum(0), 1.0) if isinstance(critic, CorrectedEpisodicNAC) else regressors
        return np.outer(instruments, regressors), instruments * earned.sum()

    expected = zero_update(mdp, policy, equations)[: score.shape[-1]]
    assert_allclose(critic.fixed_point(mdp, policy), expected, rtol=1e-7, atol=1e-8)


def test_one_constant_for_all_states_is_a_bias_that_is_known_beforehand():
    # "Now or later" at p = 1/2: E[phi (phi - gamma phi')] = (1 + 0.45) - 0.45 = 1 and E[phi r] = 0.5 + 4.5,
    # so v = 5, and later is worth 0.9 * 5 against 1 now: w = 3.5. E[SC gamma P (V_v - V)] = 1/4 (4.5 - 9).
    mdp, policy = now_or_later()
    coarse = ValueAndScore([[1.0], [1.0]])
    assert_allclose(coarse.state_values(mdp, policy), [5.0, 5.0], rtol=1e-12)
    assert_allclose(coarse.fixed_point(mdp, policy), [3.5], rtol=1e-12)
    assert_allclose(coarse.bias(mdp, policy), [-1.125], rtol=1e-12)


# --- batches and errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [batch for batch in BATCHES if batch])
def test_a_batch_is_a_loop(batch):
    mdp, policies = random_problem(np.random.default_rng(13), features="redundant", batch=batch, n_shut=1)
    phi = np.random.default_rng(14).normal(size=(4, 2))
    offset = np.random.default_rng(15).normal(size=(4, 3))
    critics = [*REMEDIES, LiteralUpdate(), TD(0.5), EpisodicNAC(), ValueAndScore(phi), LSTDQ(0.5, phi)]
    quantities = [critic.fixed_point for critic in critics]
    quantities += [critic.bias for critic in critics[-2:]] + [critic.state_values for critic in critics[-2:]]
    quantities += [
        compatible_weights,
        lambda mdp, policy: compatible_weights(mdp, policy, offset=offset),
        lambda mdp, policy: compatible_gradient(mdp, policy, np.ones(4), offset=offset),
        lambda mdp, policy: compatibility_error(mdp, policy, np.ones(4)),
        lambda mdp, policy: compatible_values(policy, np.ones(4)),
    ]
    for quantity in quantities:
        together = quantity(mdp, policies)
        for at in np.ndindex(batch):
            one = quantity(mdp, policies.with_parameters(policies.parameters[at]))
            assert_allclose(together[at], one, rtol=1e-8, atol=1e-9)


def test_a_batch_of_linear_policies_is_a_loop():
    mdp, policies = random_linear_quadratic(np.random.default_rng(16), batch=(2, 3))
    w = np.random.default_rng(17).normal(size=(2, 3, 2))
    critics = [*REMEDIES, LiteralUpdate(), TD(0.5), EpisodicNAC()]
    found = {critic: critic.fixed_point(mdp, policies) for critic in critics}
    loss, gradient = compatibility_error(mdp, policies, w), compatible_gradient(mdp, policies, w)
    shared = compatible_values(policies, w[0, 0])(0.3, -0.2)
    for at in np.ndindex(2, 3):
        one = LinearGaussianPolicy(policies.gain[at], policies.log_std[at])
        for critic in critics:
            assert_allclose(found[critic][at], critic.fixed_point(mdp, one), rtol=1e-12)
        assert loss[at] == pytest.approx(compatibility_error(mdp, one, w[at]), rel=1e-12)
        assert_allclose(gradient[at], compatible_gradient(mdp, one, w[at]), rtol=1e-12)
        assert shared[at] == pytest.approx(compatible_values(one, w[0, 0])(0.3, -0.2), rel=1e-12)


def test_sparse_transitions_give_the_same():
    sparse = pytest.importorskip("scipy.sparse")
    mdp, policy = random_problem(np.random.default_rng(18), features="linear")
    thin = FiniteMDP(sparse.csr_array(mdp.transition.reshape(-1, 4)), mdp.reward, mdp.initial, mdp.discount)
    phi = np.random.default_rng(19).normal(size=(4, 2))
    for critic in (MonteCarlo(), TD(0.5), EpisodicNAC(), LSTDQ(0.5, phi), ValueAndScore(phi)):
        assert_allclose(critic.fixed_point(thin, policy), critic.fixed_point(mdp, policy), rtol=1e-9)


@pytest.mark.parametrize("make", [TD, LSTDQ])
def test_lambda_is_a_number_between_0_and_1(make):
    with pytest.raises(ValueError, match=exactly("lam is 1.5; expected a number in [0, 1]")):
        make(1.5)
    with pytest.raises(ValueError, match=exactly("lam is -0.1; expected a number in [0, 1]")):
        make(-0.1)
    with pytest.raises(TypeError, match=exactly("lam must be a number, got None")):
        make(None)


def test_state_features_of_the_wrong_kind_are_refused():
    mdp, policy = random_problem(np.random.default_rng(23))
    with pytest.raises(ValueError, match=exactly("state_features has shape (4,); expected (S, M)")):
        ValueAndScore(np.zeros(4))
    with pytest.raises(
        ValueError,
        match=exactly("state_features has shape (3, 2); expected (4, M), a row of features for each state"),
    ):
        LSTDQ(0.5, np.ones((3, 2))).fixed_point(mdp, policy)
    # At lambda = 1 the features have no say, and still have to fit.
    with pytest.raises(ValueError, match=r"^state_features has shape \(3, 2\)"):
        LSTDQ(1.0, np.ones((3, 2))).fixed_point(mdp, policy)
    words = (
        "state_features is a function; expected 'tabular' or an array of shape (4, M) for a finite problem"
    )
    for use in (ValueAndScore(np.cos).bias, LSTDQ(1.0, np.cos).fixed_point):
        with pytest.raises(TypeError, match=exactly(words)):
            use(mdp, policy)
    words = "state_features is 'onehot'; expected 'tabular', an array (S, M) or a function"
    for make in (ValueAndScore, lambda features: LSTDQ(0.5, features)):
        with pytest.raises(ValueError, match=exactly(words)):
            make("onehot")
    mdp, policy = linear_quadratic()
    for use in (ValueAndScore(np.cos).fixed_point, LSTDQ(0.5, np.cos).bias, LSTDQ(0.5, np.cos).state_values):
        with pytest.raises(ValueError, match="^state_features is a function; for the linear-quad"):
            use(mdp, policy)
    # A word for a table is none for the real line.
    for features, got in (("tabular", "'tabular'"), (np.ones((4, 1)), "an array")):
        words = (
            f"state_features is {got}; expected a function of x that returns (..., M), for a "
            "linear-quadratic problem, which has no table"
        )
        for use in (ValueAndScore(features).fixed_point, LSTDQ(0.5, features).bias):
            with pytest.raises(TypeError, match=exactly(words)):
                use(mdp, policy)


def test_the_word_for_a_feature_for_each_state_is_the_same_as_none_at_all():
    mdp, policy = random_problem(np.random.default_rng(24))
    for one, other in ((ValueAndScore("tabular"), ValueAndScore()), (LSTDQ(0.3, "tabular"), LSTDQ(0.3))):
        assert_allclose(one.fixed_point(mdp, policy), other.fixed_point(mdp, policy), rtol=1e-12)
        assert_allclose(one.state_values(mdp, policy), state_values(mdp, policy), rtol=1e-12)
        assert_allclose(one.bias(mdp, policy), 0.0, atol=0)


def test_the_critics_are_frozen():
    for critic in (TD(0.5), LSTDQ(0.5), ValueAndScore(np.ones((2, 1)))):
        with pytest.raises(AttributeError):
            critic.lam = 0.3
    with pytest.raises(ValueError, match="read-only"):
        ValueAndScore(np.ones((2, 1))).state_features[0] = 3.0


def test_what_is_no_problem_is_refused():
    critics = [*REMEDIES, LiteralUpdate(), EpisodicNAC()]
    uses = [critic.fixed_point for critic in critics]
    uses += [ValueAndScore().bias, LSTDQ(0.5).bias, ValueAndScore().state_values, LSTDQ(0.5).state_values]
    for use in uses:
        with pytest.raises(
            TypeError, match=exactly("mdp must be a FiniteMDP or a LinearQuadraticMDP, got int")
        ):
            use(3, None)
