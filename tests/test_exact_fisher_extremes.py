"""Natural gradient, critics and divergence where probabilities, visits or the discount are extreme.

The expected values are derived by hand, or in arithmetic of many digits that knows nothing of the package.
"""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from pgtlab import (
    FiniteMDP,
    FinitePolicy,
    LinearGaussianPolicy,
    LinearQuadraticMDP,
    SoftmaxPolicy,
    fisher_information,
    kl_divergence,
    natural_policy_gradient,
)
from pgtlab.critics import (
    LSTDQ,
    TD,
    CorrectedEpisodicNAC,
    EpisodicNAC,
    LiteralUpdate,
    MonteCarlo,
    ValueAndScore,
    compatible_weights,
    minimisers,
)
from pgtlab.exact.regression import row_by_row
from pgtlab.gallery import linear_quadratic, now_or_later, two_states
from tests.problems import TablePolicy, exactly

#: All that has the natural gradient as its value, whatever the problem.
NATURAL = [
    natural_policy_gradient,
    compatible_weights,
    lambda mdp, policy: minimisers(mdp, policy)[0],
    *(each.fixed_point for each in (MonteCarlo(), CorrectedEpisodicNAC(), ValueAndScore(), LSTDQ(0.3))),
]


def assert_natural(mdp, policy, expected, **tolerance):
    for quantity in NATURAL:
        assert_allclose(quantity(mdp, policy), expected, **{"rtol": 1e-12, "atol": 1e-12, **tolerance})


# --- by hand -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("logit", [35.0, 37.0, 700.0, 746.0, 1000.0])
def test_who_is_all_but_sure_to_stay_still_learns_the_difference_of_both_actions(logit):
    # R9, with q = 1/2 in the second state and stay = 1 - e, e below 1e-15: V0 = 1 / 0.1 = 10 up to rounding,
    # V1 = 1 + 0.45 V1 + 0.45 V0 = 10. The score of staying less that of switching is 1, so the weights are
    # (1 + 9) - 9 = 1 and (2 + 9) - 9 = 2.
    mdp, policy = two_states()
    assert_natural(mdp, policy.with_parameters([logit, 0.0]), [1.0, 2.0], rtol=1e-11)
    # The immediate reward alone: 1 - 0 and 2 - 0.
    found = LiteralUpdate().fixed_point(mdp, policy.with_parameters([logit, 0.0]))
    assert_allclose(found, [1.0, 2.0], rtol=1e-12)
    # A parameter for each action: half of it up, half of it down. R9 had -1e18 here.
    tabular = SoftmaxPolicy.tabular([[logit, 0.0], [0.0, 0.0]])
    assert_natural(mdp, tabular, [0.5, -0.5, 1.0, -1.0], rtol=1e-11)


@pytest.mark.parametrize("p", [1e-300, 1e-15, 1 - 1e-15])
def test_later_is_better_by_eight_however_sure_it_is(p):
    assert_natural(*now_or_later(p), [8.0])


LEVELS = [0.0, 30.0, 50.0, 700.0, 746.0, 1000.0]


@pytest.mark.parametrize("L", LEVELS)
def test_the_least_norm_does_not_hang_on_how_probable_the_actions_are(L):
    # C2: one state, every action ends. With a preference for each action w is (5, 1, 0) up to a constant, and
    # the one whose sum is 0 is the least: (3, -1, -2).
    mdp = FiniteMDP(np.zeros((1, 3, 1)), [[5.0, 1.0, 0.0]], [1.0], 0.9)
    theta = np.array([-L, -0.9 * L, 0.0])
    assert_natural(mdp, SoftmaxPolicy(np.eye(3)[None], theta), [3.0, -1.0, -2.0])
    assert_natural(mdp, SoftmaxPolicy.tabular(theta[None]), [3.0, -1.0, -2.0])
    # Without the preference that is superfluous the solution is unique.
    assert_natural(mdp, SoftmaxPolicy(np.eye(3)[None, :, :2], theta[:2]), [5.0, 1.0])
    # In other units, column by column: w scales with the inverse.
    units = np.array([1e-20, 1e15])
    scaled = SoftmaxPolicy(np.eye(3)[None, :, :2] * units, theta[:2] / units)
    assert_natural(mdp, scaled, np.array([5.0, 1.0]) / units)
    _, flat = minimisers(mdp, SoftmaxPolicy(np.eye(3)[None], theta))
    assert_allclose(np.abs(flat), np.full((1, 3), 3**-0.5), rtol=1e-12)


@pytest.mark.parametrize("share", [1e-10, 1e-100, 1e-290, 0.0])
@pytest.mark.parametrize("tabular", [False, True])
def test_a_state_that_is_hardly_visited_is_seen_as_well_as_another(share, tabular):
    # C16: the second state, where one action pays 3 and both end the episode, is visited 0.9 `share` times.
    transition = np.zeros((2, 2, 2))
    transition[0, :, 1] = share
    mdp = FiniteMDP(transition, [[0.0, 0.0], [3.0, 0.0]], [1.0, 0.0], 0.9)
    if tabular:
        policy, expected = SoftmaxPolicy.tabular(np.zeros((2, 2))), np.array([0.0, 0.0, 1.5, -1.5])
    else:
        policy, expected = SoftmaxPolicy([[[0.0], [0.0]], [[1.0], [0.0]]], [0.0]), np.array([3.0])
    # Where no action leads, nothing can be learned.
    assert_natural(mdp, policy, expected * (share > 0))


def two_rare_states(first=3.0, second=3.0, rare=-800.0):
    """Return a problem whose action 1 and 2 in the start, of preference `rare`, lead to two other states."""
    # There action 0 pays `first` or `second`, action 1 and 2 pay 0, and all end the episode.
    transition = np.zeros((3, 3, 3))
    transition[0, 1, 1] = transition[0, 2, 2] = 1.0
    mdp = FiniteMDP(transition, [[0.0] * 3, [first, 0.0, 0.0], [second, 0.0, 0.0]], np.eye(3)[0], 0.9)
    features = np.zeros((3, 3, 2))
    features[0, 1:, 0] = features[1:, 0, 1] = 1.0
    return mdp, SoftmaxPolicy(features, [rare, 0.0])


def test_states_that_underflow_are_heard_where_they_agree_and_refused_where_they_do_not():
    # Both states say that the second parameter is worth 3: whatever their visits, w is 3. Then the rest of
    # the start is worth 0.9 * 3 / 3 = 0.9.
    mdp, policy = two_rare_states()
    assert_natural(mdp, policy, [0.9, 3.0])
    assert fisher_information(mdp, policy)[1, 1] == 0.0
    # With 3 and 6 the weights are the visits. They are equal, and w is 4.5, as long as they can be told.
    mdp, policy = two_rare_states(second=6.0, rare=-600.0)
    assert_natural(mdp, policy, [1.35, 4.5])
    mdp, policy = two_rare_states(second=6.0)
    for quantity in NATURAL:
        with pytest.raises(ValueError, match="^the least squares hang on states that are visited less than"):
            quantity(mdp, policy)
    # A state that is visited often settles the matter: then the others have no say.
    often = replace(mdp, initial=[0.5, 0.5, 0.0])
    assert_natural(often, policy, [0.9 * (1.0 + 2.0) / 2, 3.0])


def test_rows_without_full_rank_are_refused():
    with pytest.raises(ValueError, match=r"^what the equations tell apart is lost in rounding; expected"):
        row_by_row(np.ones((2, 2)), np.ones(2), np.zeros(2))


def test_the_fisher_information_keeps_the_rarest_action():
    # Three likely actions with the same feature, whose mean is not that number in floating point, and one of
    # probability e^-400 = 1e-174: F is p (1 - p) times the square of the difference, 1/4.
    mdp = FiniteMDP(np.zeros((1, 4, 1)), [[1.0, 1.0, 1.0, 2.0]], [1.0], 0.9)
    policy = SoftmaxPolicy([[[0.3], [0.3], [0.3], [0.8]]], [-800.0])
    p = math.exp(-400.0) / 3
    assert_allclose(fisher_information(mdp, policy), [[p / 4]], rtol=1e-12)
    assert_natural(mdp, policy, [2.0])


# --- in many digits ----------------------------------------------------------------------------------


def weights_in_many_digits(
    mdp, features, theta, value_discount=None, visit_discount=None, state_features=None, lam=0.0
):
    """Return FIM^-1 E[SC Q] by its definition, with Q and visits at discounts of their own.

    With state features x instead the weights of LSTD-Q(lam), whose V_v = x v solves E[x (U v - V)] = 0.
    """
    mp.mp.dps = 1000
    S, A = mdp.reward.shape
    K = features.shape[-1]
    number = np.vectorize(lambda x: mp.mpf(float(x)), otypes=[object])
    phi, R, P, end = (number(each) for each in (features, mdp.reward, mdp.transition, mdp.ending))
    # A row's total is 1 less the chance of the end, up to rounding, which is put on staying.
    for s in range(S):
        P[s, :, s] += 1 - end[s] - P[s].sum(-1)
    weight = np.vectorize(mp.exp, otypes=[object])(phi @ number(theta))
    pi = weight / weight.sum(-1, keepdims=True)

    def system(discount):
        gamma = mp.mpf(mdp.discount if discount is None else discount)
        return gamma, np.eye(S, dtype=int) - gamma * (pi[..., None] * P).sum(1)

    def solve(matrix, right):
        return np.array(list(mp.lu_solve(mp.matrix(matrix.tolist()), mp.matrix(right.tolist()))))

    gamma, matrix = system(value_discount)
    Q = R + gamma * P @ solve(matrix, (pi * R).sum(-1))
    rho = solve(system(visit_discount)[1].T, number(mdp.initial))
    if state_features is not None:
        x, beta, (_, near) = number(state_features), mp.mpf(mdp.discount * lam), system(mdp.discount * lam)
        U = np.stack([solve(near, each) for each in (matrix @ x).T], axis=-1)
        V = solve(near, (pi * R).sum(-1))
        v = solve((x * rho[:, None]).T @ U, (x * rho[:, None]).T @ V)
        Q = R + beta * P @ V + gamma * P @ (x @ v) - beta * P @ (U @ v)
    score = phi - (pi[..., None] * phi).sum(1, keepdims=True)
    pairs = (rho[:, None] * pi).ravel()
    X = score.reshape(S * A, K)
    return solve((X * pairs[:, None]).T @ X, (X * pairs[:, None]).T @ Q.ravel()).astype(float)


@pytest.mark.parametrize("seed", range(8))
def test_weights_with_shared_parameters_are_right_whatever_the_logits_and_the_visits(seed):
    rng = np.random.default_rng(seed)
    S, A, K = 3, 3, 2
    transition = rng.dirichlet(np.ones(S), size=(S, A))
    # Some actions end the episode now and then, and one state is hard to get to.
    transition *= rng.choice([1.0, 0.9], size=(S, A))[..., None]
    transition[:2, :, 2] *= 10.0 ** -rng.integers(0, 200)
    mdp = FiniteMDP(transition, rng.normal(size=(S, A)), np.eye(S)[0], rng.choice([0.5, 0.99]))
    # Whole numbers, so that states agree on some directions and contradict each other on others.
    features = rng.integers(-1, 2, size=(S, A, K)).astype(float) if seed % 2 else rng.normal(size=(S, A, K))
    theta = rng.normal(size=K)
    theta *= 10.0 ** rng.uniform(0, 2.5) / np.abs(theta).max()
    policy, tolerance = SoftmaxPolicy(features, theta), {"rtol": 1e-8, "atol": 1e-10}
    assert_natural(mdp, policy, weights_in_many_digits(mdp, features, theta), **tolerance)
    near = weights_in_many_digits(mdp, features, theta, value_discount=mdp.discount * 0.5)
    assert_allclose(TD(0.5).fixed_point(mdp, policy), near, **tolerance)
    far = weights_in_many_digits(mdp, features, theta, visit_discount=mdp.discount**2)
    assert_allclose(EpisodicNAC().fixed_point(mdp, policy), far, **tolerance)
    x, lam = rng.normal(size=(S, 1 + seed % 3)), (0.0, 0.3, 0.9)[seed % 3]
    learned = weights_in_many_digits(mdp, features, theta, state_features=x, lam=lam)
    assert_allclose(LSTDQ(lam, x).fixed_point(mdp, policy), learned, **tolerance)


@pytest.mark.parametrize("rest", [1e-6, 1e-9, 1e-12])
def test_weights_are_right_near_discount_one(rest):
    rng = np.random.default_rng(20)
    transition, features = rng.dirichlet(np.ones(3), size=(3, 3)), rng.normal(size=(3, 3, 2))
    mdp = FiniteMDP(transition, rng.normal(size=(3, 3)), np.eye(3)[0], 1 - rest)
    theta = np.array([3.0, -5.0])
    policy, exact = SoftmaxPolicy(features, theta), weights_in_many_digits(mdp, features, theta)
    assert_natural(mdp, policy, exact, rtol=1e-8)
    # V is a constant up to 1 - gamma, and so a critic that knows constants only is wrong by that which the
    # constant does not say: its fixed point is the weight of the immediate reward.
    constant = LSTDQ(0.0, np.ones((3, 1)))
    immediate = weights_in_many_digits(mdp, features, theta, value_discount=0.0)
    assert_allclose(constant.fixed_point(mdp, policy), immediate, rtol=1e-8)
    x = rng.normal(size=(3, 2))
    learned = weights_in_many_digits(mdp, features, theta, state_features=x, lam=0.5)
    assert_allclose(LSTDQ(0.5, x).fixed_point(mdp, policy), learned, rtol=1e-8)


def test_sparse_transitions_give_the_same_near_discount_one():
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(22)
    dense = FiniteMDP(rng.dirichlet(np.ones(3), size=(3, 3)), rng.normal(size=(3, 3)), np.eye(3)[0], 1 - 1e-9)
    rows = sparse.csr_array(dense.transition.reshape(9, 3))
    thin = FiniteMDP(rows, dense.reward, dense.initial, dense.discount)
    policy = SoftmaxPolicy(rng.normal(size=(3, 3, 2)), [2.0, -3.0])
    assert_natural(thin, policy, compatible_weights(dense, policy), rtol=1e-8)


# --- critics with state features -----------------------------------------------------------------------


def test_state_values_are_learned_where_the_visits_are_few():
    # One feature for each state, given as an array: V is in their span, so w is the natural gradient; the
    # second state is visited 1e-200 times as often. "Later" leads there with that chance and else pays 0.
    mdp, policy = now_or_later()
    for share in (1.0, 1e-30, 1e-200):
        rare = FiniteMDP(mdp.transition * share, [[0.0, 1.0], [10 / share, 10 / share]], [1.0, 0.0], 0.9)
        for critic in (ValueAndScore(np.eye(2)), LSTDQ(0.5, np.eye(2)), LSTDQ(0.5, np.diag([2.0, 1e-9]))):
            assert_allclose(critic.fixed_point(rare, policy), [8.0], rtol=1e-12)
            assert_allclose(critic.state_values(rare, policy), [5.0, 10 / share], rtol=1e-12)
    # No features at all say that all values are 0, and later is worth 0 against 1 now.
    assert_allclose(ValueAndScore(np.zeros((2, 1))).fixed_point(mdp, policy), [-1.0], rtol=1e-12)
    # Where the visits underflow the equations still have one solution, as many as there are features.
    unseen = SoftmaxPolicy(policy.features, [-800.0])
    assert_allclose(LSTDQ(1.0, np.eye(2)).fixed_point(mdp, unseen), [8.0], rtol=1e-12)
    assert_allclose(ValueAndScore(np.eye(2)).fixed_point(mdp, unseen), [8.0], rtol=1e-12)


def test_state_features_that_are_all_but_dependent_are_refused():
    mdp, policy = now_or_later()
    critic = ValueAndScore([[1.0, 1.0], [1.0, 1.0 + 1e-11]])
    with pytest.raises(ValueError, match="^the equations of the state values have the condition number"):
        critic.fixed_point(mdp, policy)


# --- policies of one's own ---------------------------------------------------------------------------


class Own(FinitePolicy):
    """A reader's policy: scores and probabilities as they are given."""

    def __init__(self, probs, scores):
        self._probs, self._scores = np.array(probs), np.array(scores)
        self.parameters = np.zeros(self._scores.shape[-1])

    def probs(self):
        return self._probs

    def scores(self):
        return self._scores

    def with_parameters(self, parameters):
        return self


def test_a_policy_of_ones_own_may_never_take_an_action():
    # Actions 0 and 1 with probabilities 1/4 and 3/4 and scores 3 and -1; action 2, which pays 100, is not
    # taken: w = (5 - 1) / (3 + 1).
    mdp = FiniteMDP(np.zeros((1, 3, 1)), [[5.0, 1.0, 100.0]], [1.0], 0.9)
    own = Own([[0.25, 0.75, 0.0]], [[[3.0], [-1.0], [7.0]]])
    assert_natural(mdp, own, [1.0])
    assert_allclose(own.log_probs(), [[math.log(0.25), math.log(0.75), -math.inf]], rtol=1e-15)


def test_scores_without_the_mean_0_are_refused():
    mdp = FiniteMDP(np.zeros((1, 2, 1)), [[5.0, 1.0]], [1.0], 0.9)
    words = exactly(
        "the mean of policy.scores()[0, :, 0] under the policy is 0.5; expected 0. "
        "checks.sound_policy(policy) looks for the cause"
    )
    for quantity in (*NATURAL, fisher_information):
        with pytest.raises(ValueError, match=words):
            quantity(mdp, Own([[0.5, 0.5]], [[[1.0], [0.0]]]))
        with pytest.raises(
            ValueError, match=exactly("policy.scores()[0, 0, 0] is nan; expected a finite number")
        ):
            quantity(mdp, Own([[0.5, 0.5]], [[[np.nan], [0.0]]]))


def test_a_batch_of_policies_of_ones_own_has_its_own_ways_each():
    # From the start action 1 leads to the second state, where action 0 pays 1. The second policy stays out.
    transition = np.zeros((2, 2, 2))
    transition[0, 1, 1] = 1.0
    mdp = FiniteMDP(transition, [[0.0, 0.0], [1.0, 0.0]], [1.0, 0.0], 0.9)
    probs = np.array([[[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.5, 0.5]]])
    scores = np.zeros((2, 2, 2, 1))
    scores[:, 1, :, 0] = [1.0, -1.0]
    assert_allclose(natural_policy_gradient(mdp, Own(probs, scores)), [[0.5], [0.0]], atol=1e-15)


def test_at_discount_one_an_action_that_underflows_and_need_not_end_is_refused():
    # "Go" leads to a state that is left with a chance that is 0 in double precision.
    transition = np.zeros((2, 2, 2))
    transition[0, 1, 1] = transition[1, 0, 1] = 1.0
    mdp = FiniteMDP(transition, [[1.0, 0.0], [0.0, 0.0]], [1.0, 0.0], 1.0)
    policy = SoftmaxPolicy.tabular([[800.0, 0.0], [800.0, 0.0]])
    for quantity in NATURAL:
        with pytest.raises(ValueError, match="reaches state 1 by actions whose probability .* underflows"):
            quantity(mdp, policy)


# --- divergence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("logit", [30.0, 745.0, 800.0, 1e3, 1e300])
def test_the_divergence_is_right_where_the_other_policy_underflows(logit):
    # R11: the fair policy visits the first state of two 5.5 times. With z = logit, log(1 + e^z) = z to a part
    # in 1e14 and KL = -(log 2) - (z - 2 log(1 + e^z)) / 2 = z / 2 - log 2 for each visit.
    mdp, _ = two_states()
    fair, other = SoftmaxPolicy.tabular(np.zeros((2, 2))), SoftmaxPolicy.tabular([[logit, 0.0], [0.0, 0.0]])
    assert kl_divergence(mdp, fair, other) == pytest.approx(5.5 * (logit / 2 - math.log(2)), rel=1e-12)
    # The other way round: (1 - e) log 2 at every visit of the first state, 1 / 0.1 of them.
    assert kl_divergence(mdp, other, fair) == pytest.approx(10 * math.log(2), rel=1e-9)


@pytest.mark.parametrize("step", [1e-3, 1e-7, 1e-12])
def test_the_divergence_of_two_policies_that_are_close_keeps_its_digits(step):
    # One visit: with x = +-step / 2 from p = 1/2, KL = log cosh(step / 2).
    mdp = FiniteMDP(np.zeros((1, 2, 1)), [[1.0, 0.0]], [1.0], 0.9)
    fair, near = (SoftmaxPolicy([[[1.0], [0.0]]], [x]) for x in (0.0, step))
    mp.mp.dps = 50
    exact = float(mp.log(mp.cosh(mp.mpf(step) / 2)))
    # The logarithms are rounded at 1e-16, beside a difference of step / 2.
    assert kl_divergence(mdp, fair, near) == pytest.approx(exact, rel=1e-15 / step)
    assert kl_divergence(mdp, fair, near) >= 0
    lq, policy = linear_quadratic()
    other = LinearGaussianPolicy(policy.gain, policy.log_std + step)
    # log(s'/s) + (s/s')^2 / 2 - 1/2 = step^2 - 2/3 step^3 + ..., for each of the 10 visits
    d = float(other.log_std - policy.log_std)
    exact = float(10 * (mp.mpf(d) + mp.exp(-2 * mp.mpf(d)) / 2 - mp.mpf(1) / 2))
    assert kl_divergence(lq, policy, other) == pytest.approx(exact, rel=1e-12)


def test_the_divergence_sums_what_only_one_of_two_policies_does():
    mdp = FiniteMDP(np.zeros((1, 3, 1)), [[1.0, 0.0, 0.0]], [1.0], 0.9)
    one, other = TablePolicy(np.array([[0.5, 0.5, 0.0]])), TablePolicy(np.array([[0.2, 0.2, 0.6]]))
    assert kl_divergence(mdp, one, other) == pytest.approx(math.log(2.5), rel=1e-15)
    assert kl_divergence(mdp, other, one) == math.inf
    assert kl_divergence(mdp, one, one) == 0.0


# --- the linear-quadratic problem ------------------------------------------------------------------------


def test_a_state_that_is_all_but_zero_gives_the_gain_its_say():
    # A start of std 1e-200, whose square underflows, and no noise that reaches the state: in the closed form
    # 2 s^2 (Q_xu + Q_uu k) the size of the state cancels. With P = (q + r k^2) / (1 - gamma a^2) and b = 0
    # Q_xu = 0 and Q_uu = -r.
    mdp = LinearQuadraticMDP(0.5, 0.0, 1.0, 2.0, 0.0, initial_mean=0.0, initial_std=1e-200, discount=0.9)
    policy = LinearGaussianPolicy(-0.5, math.log(0.3))
    for quantity in NATURAL:
        assert_allclose(quantity(mdp, policy), [2 * 0.09 * 2 * 0.5, -0.09 * 2], rtol=1e-12)
        still = replace(mdp, initial_std=0.0)
        assert_allclose(quantity(still, policy), [0.0, -0.18], rtol=1e-12)
    assert minimisers(mdp, policy)[1].shape == (0, 2)
