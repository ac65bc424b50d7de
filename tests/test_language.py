"""The room of language models: a tree of tokens, updates, and their exact means, each by a second route."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from numpy.testing import assert_allclose

import pgtlab
from pgtlab import SoftmaxPolicy, checks
from pgtlab.language import (
    DiscountedUpdate,
    GroupUpdate,
    KLUpdate,
    PreferenceUpdate,
    TokenTree,
    Update,
    answer_gradient,
    answer_probs,
    best_of,
    difficulty_weight,
    expected_reward,
    group_mean,
    leave_one_out,
    mean_advantages,
    mean_update,
    mean_weights,
    raw,
    sampled_update,
    standardised,
    token_log_probs,
    token_scores,
)

EXACT = {"rtol": 1e-10, "atol": 1e-12}
BY_DIFFERENCES = {"rtol": 1e-6, "atol": 1e-8}


def right_if_a_first(answer):
    return answer[0] == "a"


def one_b(answer):
    return answer.count("b") == 1


def tree_of(length=3, end=".", rewards=(right_if_a_first, one_b), weights=(0.25, 0.75)):
    return TokenTree("ab.", length, list(rewards), end=end, weights=list(weights)[: len(rewards)])


def tabular(tree, seed=1, size=1.0):
    rng = np.random.default_rng(seed)
    return SoftmaxPolicy.tabular(size * rng.normal(size=(tree.n_states, tree.n_tokens)))


def shared(tree, seed=1, n=3):
    """A policy with fewer parameters than states: all prefixes of all questions share them."""
    rng = np.random.default_rng(seed)
    return SoftmaxPolicy(rng.normal(size=(tree.n_states, tree.n_tokens, n)), rng.normal(size=n))


def slope(f, policy, h=1e-5):
    """Gradient of a function of the policy by central differences."""
    theta = policy.parameters
    ends = [[f(policy.with_parameters(theta + sign * h * e)) for sign in (1, -1)] for e in np.eye(theta.size)]
    return np.array([(up - down) / (2 * h) for up, down in ends])


def log_probs(tree, policy):
    return token_log_probs(tree, policy).sum(-1)


def by_hand(tree, policy, update, G, old=None, reference=None):
    """Mean of an update by a plain loop over ordered groups and the scores of the tokens."""
    parts = [token_log_probs(tree, each or policy) for each in (policy, old, reference)]
    P, S = np.exp(parts[1].sum(-1)), token_scores(tree, policy)
    total = np.zeros(S.shape[-1])
    for q in range(tree.n_questions):
        for group in itertools.product(range(tree.n_answers), repeat=G):
            at = list(group)
            W = update.weights(*(each[q, at] for each in parts), tree.rewards[q, at], tree.mask[at])
            total += tree.weights[q] * P[q, at].prod() * np.einsum("gl,glk->k", W, S[q, at])
    return total


# --- the tree -----------------------------------------------------------------------------------------


def test_the_tree_of_three_tokens_and_length_four_has_31_answers_and_15_prefixes():
    # 1 + 2 + 4 + 8 prefixes; each of the first three ones ends by one token, the last by three: 7 + 8 * 3.
    tree = tree_of(4)
    assert (tree.n_answers, tree.n_prefixes, tree.n_states) == (31, 15, 30)
    assert len(set(tree.answers)) == 31
    assert all(answer[-1] == "." or len(answer) == 4 for answer in tree.answers)
    assert all("." not in answer[:-1] for answer in tree.answers)


def test_without_an_end_all_answers_have_all_lengths():
    tree = TokenTree("xy", 3, [lambda answer: 1.0])
    assert tree.n_answers == 8
    assert (tree.lengths == 3).all()
    assert tree.rewards.tolist() == [[1.0] * 8]
    assert tree.weights.tolist() == [1.0]


def test_probabilities_are_products_along_the_tree():
    tree = tree_of(2)
    policy = tabular(tree)
    pi = policy.probs()
    at = tree.answers.index(("b", "a"))
    prefix = tree.prefixes.index(("b",))
    for q, first in enumerate((0, tree.n_prefixes)):
        expected = pi[first, 1] * pi[first + prefix, 0]
        assert_allclose(answer_probs(tree, policy)[q, at], expected, **EXACT)
    assert_allclose(answer_probs(tree, policy).sum(-1), 1.0, **EXACT)


@pytest.mark.parametrize("end", [".", None])
@pytest.mark.parametrize("make", [tabular, shared])
def test_the_gradient_is_that_of_the_decision_process(make, end):
    """L.1 and L.2: over answers, by visits and values, and by differences."""
    tree = tree_of(3, end)
    policy, mdp = make(tree), tree.to_mdp()
    found = answer_gradient(tree, policy)
    assert_allclose(pgtlab.policy_gradient(mdp, policy), found, **EXACT)
    assert_allclose(
        pgtlab.expected_return(mdp, policy), tree.weights @ expected_reward(tree, policy), **EXACT
    )
    assert_allclose(slope(lambda p: tree.weights @ expected_reward(tree, p), policy), found, **BY_DIFFERENCES)
    by_scores = np.einsum(
        "q,qn,qnlk->k", tree.weights, answer_probs(tree, policy) * tree.rewards, token_scores(tree, policy)
    )
    assert_allclose(by_scores, found, **EXACT)
    assert np.linalg.norm(found) > 0.01


def test_visits_of_a_prefix_are_its_probability():
    tree = tree_of(3)
    policy = tabular(tree)
    rho = pgtlab.state_visitation(tree.to_mdp(), policy).reshape(2, -1)
    P = answer_probs(tree, policy)
    for i, prefix in enumerate(tree.prefixes):
        through = [answer[: len(prefix)] == prefix and len(answer) > len(prefix) for answer in tree.answers]
        assert_allclose(rho[:, i], tree.weights * P[:, through].sum(-1), **EXACT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", 2, [one_b]), r"^tokens is \('a',\); expected at least 2 tokens, each another$"),
        (("aa", 2, [one_b]), r"^tokens is \('a', 'a'\); expected at least 2 tokens, each another$"),
        (("ab", 2, [one_b], "."), r"^end is '\.'; expected one of the tokens \('a', 'b'\), or None$"),
        (("ab", 20, [one_b]), r"^the tree has more than 4096 answers; expected fewer tokens or length$"),
        (
            ("ab", 2, [[1.0, 0.0]]),
            r"^rewards has shape \(1, 2\); expected \(1, 4\) for the answers of the tree$",
        ),
        (("ab", 0, [one_b]), r"^length is 0; expected an integer of at least 1$"),
        (("ab", 1, [one_b], None, [0.5, 0.5]), r"^weights has shape \(2,\); expected \(1,\) to go with"),
    ],
)
def test_a_tree_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TokenTree(*arguments)


@pytest.mark.parametrize("rewards", [one_b, [], "ab"])
def test_rewards_come_in_a_list(rewards):
    with pytest.raises(
        TypeError, match=r"^rewards must be a list with a function or an array for each question$"
    ):
        TokenTree("ab", 2, rewards)


def test_a_policy_of_another_shape_is_refused():
    tree = tree_of(2)
    with pytest.raises(
        ValueError, match=r"^policy\.probs\(\) has shape \(2, 3\); expected \(6, 3\): a state for"
    ):
        answer_probs(tree, SoftmaxPolicy.tabular(np.zeros((2, 3))))
    with pytest.raises(TypeError, match="tree must be a TokenTree"):
        answer_probs("tree", tabular(tree))


# --- means over groups ---------------------------------------------------------------------------------


class ByOrder(Update):
    """An update that only looks at the first answer: the order of the answers matters."""

    def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
        weights = np.zeros(mask.shape)
        weights[..., 0, :] = rewards[..., 1:].sum(-1)[..., None] * mask[..., 0, :]
        return weights


UPDATES = {
    "raw": GroupUpdate(raw),
    "token mean": GroupUpdate(standardised, "token"),
    "by length, clipped": GroupUpdate(leave_one_out, "answer", clip=(0.2, 0.3)),
    "GSPO": GroupUpdate(standardised, ratio="answer", clip=(0.1, 0.2)),
    "best of 2": GroupUpdate(best_of(2)),
    "order": ByOrder(),
    "k3": KLUpdate("k3", "token", ratio="token"),
    "discounted": DiscountedUpdate(0.7, 0.2),
}


@pytest.mark.parametrize("name", UPDATES)
def test_the_mean_is_that_of_a_loop_over_all_groups(name):
    tree = tree_of(2)
    policy, old, reference = (tabular(tree, seed) for seed in (1, 2, 3))
    update = UPDATES[name]
    found = mean_update(tree, policy, update, group_size=2, old=old, reference=reference)
    assert_allclose(found, by_hand(tree, policy, update, 2, old, reference), **EXACT)
    assert np.linalg.norm(found) > 1e-3


def test_multisets_are_weighed_as_often_as_they_come():
    """Three answers of a group of three in all orders, with an advantage that sees them all."""
    tree = tree_of(2, rewards=(right_if_a_first,), weights=(1.0,))
    policy = tabular(tree)
    update = GroupUpdate(standardised, "token")
    assert_allclose(
        mean_update(tree, policy, update, group_size=3), by_hand(tree, policy, update, 3), **EXACT
    )


@pytest.mark.parametrize("name", [name for name in UPDATES if name != "order"])
def test_sampled_groups_agree_with_the_exact_mean(name):
    """Both error rates of `consistent` are 1e-6; an estimate beside it must be told apart."""
    tree = tree_of(2)
    policy, old, reference = (tabular(tree, seed) for seed in (1, 2, 3))
    seen = {"group_size": 2, "old": old, "reference": reference}
    found = sampled_update(tree, policy, UPDATES[name], n_groups=40_000, rng=np.random.default_rng(5), **seen)
    exact = mean_update(tree, policy, UPDATES[name], **seen)
    checks.consistent(estimate=found, exact=exact)
    with checks.caught():
        checks.consistent(estimate=found, exact=1.3 * exact)


def test_what_is_dropped_is_replaced_by_another_question_or_by_other_answers():
    """Dynamic sampling: the weights between questions depend on what is drawn again."""
    tree = tree_of(2, rewards=(right_if_a_first, lambda answer: answer == ("b", "b")))
    policy = tabular(tree)
    kept_all, filtered = (GroupUpdate(standardised, filtered=each) for each in (False, True))
    p, G = expected_reward(tree, policy), 3
    mixed = 1 - p**G - (1 - p) ** G
    assert_allclose(mean_weights(tree, policy, filtered, group_size=G)[1], mixed, **EXACT)
    plain = mean_update(tree, policy, kept_all, group_size=G)
    other_question = mean_update(tree, policy, filtered, group_size=G)
    assert_allclose(other_question, plain / (tree.weights @ mixed), **EXACT)
    gradients = [
        answer_gradient(tree, policy, tree.rewards * np.eye(2)[q][:, None]) / tree.weights[q] for q in (0, 1)
    ]
    wanted = sum(w * math.sqrt(2) / m * g for w, m, g in zip(tree.weights, mixed, gradients, strict=True))
    again = mean_update(tree, policy, filtered, group_size=G, again="answers")
    assert_allclose(again, wanted, **EXACT)
    found = sampled_update(
        tree, policy, filtered, group_size=G, n_groups=40_000, rng=np.random.default_rng(3)
    )
    checks.consistent(estimate=found, exact=other_question)
    with checks.caught():
        checks.consistent(estimate=found, exact=again)


def test_what_cannot_be_averaged_is_refused():
    tree = tree_of(2, rewards=(lambda answer: 1.0,), weights=(1.0,))
    policy = tabular(tree)
    filtered = GroupUpdate(standardised, filtered=True)
    for again in ("question", "answers"):
        with pytest.raises(ValueError, match="^no group is ever kept"):
            mean_update(tree, policy, filtered, again=again)
    with pytest.raises(ValueError, match="^every group was dropped"):
        sampled_update(tree, policy, filtered, n_groups=5, rng=np.random.default_rng(1))
    with pytest.raises(ValueError, match="^again is 'never'; expected 'question' or 'answers'$"):
        mean_update(tree, policy, GroupUpdate(raw), again="never")
    with pytest.raises(ValueError, match=r"^\d+ groups of 16 of 7 answers are too many"):
        mean_update(tree, policy, ByOrder(), group_size=16)
    with pytest.raises(TypeError, match="update must be a"):
        mean_update(tree, policy, raw)


def test_weights_of_the_wrong_shape_or_not_finite_are_refused():
    class Flat(Update):
        def weights(self, *seen):
            return seen[3]

    class Divided(Update):
        def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
            with np.errstate(divide="ignore", invalid="ignore"):
                return mask * (group_mean(rewards) / rewards.std(-1, keepdims=True))[..., None]

    tree = tree_of(2)
    with pytest.raises(
        ValueError, match=r"^the update returned weights of shape \(4, 2\); expected \(4, 2, 2\)$"
    ):
        mean_update(tree, tabular(tree), Flat())
    message = (
        r"^the update weighs token 0 of answer \d by nan in the group \['.*'\] with rewards \[.*\]; expected"
    )
    with pytest.raises(ValueError, match=message):
        mean_update(tree, tabular(tree), Divided())


# --- group estimators ----------------------------------------------------------------------------------


def random_rewards(seed=4):
    rng = np.random.default_rng(seed)
    return TokenTree("ab.", 2, rng.normal(size=(2, 7)), end=".")


@pytest.mark.parametrize("G", [2, 3, 4])
def test_leave_one_out_is_unbiased_and_the_group_mean_is_short(G):
    """L.3 and L.4, for any rewards."""
    tree = random_rewards()
    policy = shared(tree)
    goal = answer_gradient(tree, policy)
    assert_allclose(mean_update(tree, policy, GroupUpdate(leave_one_out), group_size=G), goal, **EXACT)
    short = mean_update(tree, policy, GroupUpdate(group_mean), group_size=G)
    assert_allclose(short, (G - 1) / G * goal, **EXACT)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("G", [2, 3, 4])
def test_dividing_by_the_standard_deviation_weighs_questions_by_c(G, ddof):
    """L.5: by enumeration of answers, of 0/1 rewards, and by the formula."""
    tree = tree_of(2)
    policy = tabular(tree)
    update = GroupUpdate(lambda r: standardised(r, ddof))
    p = expected_reward(tree, policy)
    c = difficulty_weight(p, G, ddof)
    gradient = answer_gradient(tree, policy, c[:, None] * tree.rewards)
    assert_allclose(mean_update(tree, policy, update, group_size=G), gradient, **EXACT)
    for each, factor in zip(p, c, strict=True):
        a = mean_advantages([1.0, 0.0], [each, 1 - each], lambda r: standardised(r, ddof), G)
        assert_allclose(a[0] - a[1], factor, **EXACT)


def test_c_by_hand():
    """L.6 with letters and L.7: ends, limit and bound."""
    p = sp.Symbol("p")
    for G, wanted in [(2, 1), (3, sp.sqrt(2)), (4, sp.sqrt(3) - (2 * sp.sqrt(3) - 3) * p * (1 - p))]:
        terms = [
            sp.binomial(G, k) * p**k * (1 - p) ** (G - k) * sp.sqrt(sp.Rational(k * (G - k), G * G))
            for k in range(G + 1)
        ]
        assert sp.simplify(sp.cancel(sum(terms) / (p * (1 - p))) - wanted) == 0
        assert_allclose(difficulty_weight(0.3, G), float(sp.sympify(wanted).subs(p, 0.3)), **EXACT)
    grid = np.linspace(0, 1, 101)
    for G in (2, 3, 5, 16, 64):
        c = difficulty_weight(grid, G)
        assert_allclose(c[[0, -1]], math.sqrt(G - 1), **EXACT)
        assert (c <= math.sqrt(G - 1) * (1 + 1e-12)).all()
    assert abs(difficulty_weight(0.3, 4000) * math.sqrt(0.21) - 1) < 1e-3
    assert_allclose(difficulty_weight(0.3, 8, 1), difficulty_weight(0.3, 8) * math.sqrt(7 / 8), **EXACT)
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"^pass_rate\[0\] is .*; expected a number in \[0, 1\]$"):
            difficulty_weight(wrong, 2)


def test_one_question_with_rewards_0_1_100_goes_the_wrong_way():
    """Trap 2 by counts, against a sum over multinomial counts in fractions for G = 2."""
    rewards, probs = [0.0, 1.0, 100.0], [0.1, 0.8, 0.1]
    moved = np.array([-0.09, 0.099, -0.009])
    assert moved @ rewards < -0.8
    slopes = {G: moved @ mean_advantages(rewards, probs, standardised, G) for G in (2, 8, 16, 24, 32)}
    # With two, the larger of two different rewards has the advantage 1 and the smaller -1.
    P, d = [Fraction(1, 10), Fraction(8, 10), Fraction(1, 10)], [Fraction(n, 1000) for n in (-90, 99, -9)]
    two = sum(d[i] * (sum(P[:i]) - sum(P[i + 1 :])) for i in range(3))
    assert_allclose(slopes[2], float(two), **EXACT)
    assert min(slopes[2], slopes[8], slopes[16]) > 0 > max(slopes[24], slopes[32])


def test_by_length_the_baseline_is_frozen():
    """L.9: the mean is the gradient of E[(r - b)/|y|] with b held at J; of GSPO too (L.16)."""
    tree = random_rewards()
    policy = tabular(tree)
    J = expected_reward(tree, policy)
    goal = answer_gradient(tree, policy, (tree.rewards - J[:, None]) / tree.lengths)
    assert_allclose(
        mean_update(tree, policy, GroupUpdate(leave_one_out, "answer"), group_size=3), goal, **EXACT
    )
    assert_allclose(
        mean_update(tree, policy, GroupUpdate(leave_one_out, ratio="answer"), group_size=3), goal, **EXACT
    )

    def surrogate(p):
        return tree.weights @ (answer_probs(tree, p) * (tree.rewards - J[:, None]) / tree.lengths).sum(-1)

    assert_allclose(slope(surrogate, policy), goal, **BY_DIFFERENCES)
    assert np.linalg.norm(goal - answer_gradient(tree, policy)) > 0.05


def test_the_first_token_decides_and_the_later_ones_have_no_gradient():
    """Trap 3: by answer and by token the later tokens are pushed, with a constant divisor they are not."""
    tree = TokenTree("ab.", 4, [right_if_a_first], end=".")
    policy = SoftmaxPolicy.tabular(np.zeros((15, 3)))
    pushed = {}
    for average in ("constant", "answer", "token"):
        found = mean_update(tree, policy, GroupUpdate(leave_one_out, average))
        pushed[average] = np.linalg.norm(found[3:])
    assert pushed["constant"] < 1e-15
    assert min(pushed["answer"], pushed["token"]) > 0.01
    # By hand for 1/|y|: from the prefix "a" the end has length 2, with P(a.) = 1/9 and the advantage 2/3. The
    # longer answers from there have lengths 3 (2 of 27) and 4 (12 of 81): E[(r - J)/|y| ; end or not].
    end, on = Fraction(1, 9) / 2, Fraction(2, 27) / 3 + Fraction(12, 81) / 4
    by_hand = Fraction(2, 3) * (end - (end + on) / 3)
    found = mean_update(tree, policy, GroupUpdate(leave_one_out, "answer"))
    at = 3 * tree.prefixes.index(("a",)) + 2
    assert_allclose(found[at], float(by_hand), **EXACT)


def test_clipping_stops_the_pull_on_one_side():
    """Per token: A > 0 pulls up to 1 + high, A < 0 down to 1 - low; by hand."""
    update = GroupUpdate(raw, clip=(0.2, 0.3))
    log_u = np.log([[1.25, 1.35, 0.7], [1.25, 1.35, 0.7]])
    zeros, mask = np.zeros((2, 3)), np.ones((2, 3))
    weights = update.weights(log_u, zeros, zeros, np.array([1.0, -1.0]), mask)
    assert_allclose(weights, [[0.625, 0, 0.35], [-0.625, -0.675, 0]], **EXACT)
    loose = GroupUpdate(raw).weights(log_u, zeros, zeros, np.array([1.0, -1.0]), mask)
    assert_allclose(loose[1], [-0.625, -0.675, -0.35], **EXACT)


def test_the_best_of_k_is_climbed():
    """pass@k and E max: by enumeration of groups against differences of the order statistic."""
    for tree in (tree_of(2), random_rewards()):
        policy = tabular(tree)

        def best(p, k, tree=tree):
            total = 0.0
            for q, P in enumerate(answer_probs(tree, p)):
                for group in itertools.product(range(tree.n_answers), repeat=k):
                    total += tree.weights[q] * P[list(group)].prod() * tree.rewards[q, list(group)].max()
            return total

        goal = slope(lambda p, best=best: best(p, 2), policy)
        for G in (2, 3):
            found = mean_update(tree, policy, GroupUpdate(best_of(2)), group_size=G)
            assert_allclose(found, goal, **BY_DIFFERENCES)
    p = expected_reward(tree_of(2), tabular(tree_of(2)))
    weighted = answer_gradient(
        tree_of(2), tabular(tree_of(2)), 3 * (1 - p[:, None]) ** 2 * tree_of(2).rewards
    )
    found = mean_update(tree_of(2), tabular(tree_of(2)), GroupUpdate(best_of(3)), group_size=4)
    assert_allclose(found, weighted, **EXACT)
    with pytest.raises(ValueError, match="^k is 3 but a group has 2 answers; expected at most as many$"):
        best_of(3)(np.zeros(2))


def test_with_its_power_a_discount_is_climbed_and_without_it_is_not():
    tree = tree_of(2)
    policy = tabular(tree)
    goal = answer_gradient(tree, policy, 0.7 ** (tree.lengths - 1) * tree.rewards)
    for baseline in (0.0, 0.4):
        found = mean_update(tree, policy, DiscountedUpdate(0.7, baseline), group_size=1)
        assert_allclose(found, goal, **EXACT)
    without = mean_update(tree, policy, DiscountedUpdate(0.7, with_power=False), group_size=1)
    assert np.linalg.norm(without - goal) > 0.01


def test_words_that_nobody_knows_are_refused():
    with pytest.raises(
        ValueError, match="^average is 'mean'; expected one of 'sum', 'constant', 'answer', 'token'$"
    ):
        GroupUpdate(average="mean")
    with pytest.raises(ValueError, match="^ratio is 'token'; expected one of None, 'answer'$"):
        KLUpdate("k1", ratio="token")
    with pytest.raises(ValueError, match="^ratio is 'answer'; expected one of None$"):
        KLUpdate("k1", where="reward", ratio="answer")
    with pytest.raises(ValueError, match="^a group of 1 answer has no others"):
        leave_one_out(np.ones(1))


# --- distance from a reference --------------------------------------------------------------------------


def kl(tree, policy, reference):
    l = log_probs(tree, policy) - log_probs(tree, reference)
    return tree.weights @ (answer_probs(tree, policy) * l).sum(-1)


def chi2(tree, policy, reference):
    P, R = answer_probs(tree, policy), answer_probs(tree, reference)
    return tree.weights @ ((P**2 / R).sum(-1) - 1)


@pytest.fixture(scope="module")
def near():
    tree = tree_of(2)
    policy, reference = tabular(tree, 1), tabular(tree, 2)
    there = slope(lambda p: kl(tree, p, reference), policy)
    back = slope(lambda p: kl(tree, reference, p), policy)
    return tree, policy, reference, there, back


@pytest.mark.parametrize(
    ("update", "there", "back"),
    [
        (KLUpdate("k1"), 0, 0),  # L.12
        (KLUpdate("k2"), 1, 0),
        (KLUpdate("k3"), 0, 1),
        (KLUpdate("k1", where="reward"), 1, 0),  # L.13
        (KLUpdate("k1", "token", where="reward"), 1, 0),  # L.15, the whole gradient
        (KLUpdate("k3", where="reward"), 1, -1),
        (KLUpdate("k3", ratio="answer"), 1, 0),  # L.14
        (KLUpdate("k3", ratio="answer", detached=True), 0, 1),
        (KLUpdate("k1", ratio="answer"), 1, 0),
        (KLUpdate("k3", "token", ratio="answer"), 1, 0),
    ],
)
def test_what_an_estimator_of_the_divergence_climbs_down(near, update, there, back):
    tree, policy, reference, gradient, backward = near
    for old in (policy, tabular(tree, 3)) if update.ratio else (policy,):
        found = mean_update(tree, policy, update, group_size=1, old=old, reference=reference)
        assert_allclose(found, -(there * gradient + back * backward), **BY_DIFFERENCES)


def test_upside_down_k3_climbs_down_half_of_chi2(near):
    """L.17, its mean and its gradient."""
    tree, policy, reference, gradient, _ = near
    found = mean_update(tree, policy, KLUpdate("k3 upside down"), group_size=1, reference=reference)
    assert_allclose(found, -slope(lambda p: chi2(tree, p, reference), policy) / 2, **BY_DIFFERENCES)
    l = log_probs(tree, policy) - log_probs(tree, reference)
    mean = tree.weights @ (answer_probs(tree, policy) * (np.expm1(l) - l)).sum(-1)
    assert_allclose(mean, chi2(tree, policy, reference) - kl(tree, policy, reference), **EXACT)
    assert np.linalg.norm(found + gradient) > 0.1


@pytest.mark.parametrize("update", [KLUpdate("k2", "token"), KLUpdate("k3", "token", ratio="token")])
def test_token_by_token_the_visits_are_held_fixed(near, update):
    """L.15: the derivative of the next token's KL at the prefixes that are visited now."""
    tree, policy, reference, gradient, _ = near
    rho = pgtlab.state_visitation(tree.to_mdp(), policy)

    def held(p):
        return rho @ (p.probs() * (p.log_probs() - reference.log_probs())).sum(-1)

    found = mean_update(tree, policy, update, group_size=1, reference=reference)
    assert_allclose(found, -slope(held, policy), **BY_DIFFERENCES)
    assert np.linalg.norm(found + gradient) > 0.01


def test_two_tokens_on_which_the_token_level_goes_the_wrong_way():
    """Trap 5, by hand: after x the reference disagrees, after y it agrees."""
    tree = TokenTree("xy", 2, [lambda answer: 0.0])
    policy = SoftmaxPolicy.tabular(np.log([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5]]))
    reference = SoftmaxPolicy.tabular(np.log([[0.6, 0.4], [0.1, 0.9], [0.5, 0.5]]))
    after_x = 0.9 * math.log(9) + 0.1 * math.log(1 / 9)
    # With s the log-odds of x at the root, d pi(x) / ds = 1/4.
    first = (math.log(0.5 / 0.6) - math.log(0.5 / 0.4)) / 4
    knob = np.array([0.5, -0.5, 0, 0, 0, 0])
    token = mean_update(
        tree, policy, KLUpdate("k3", "token", ratio="token"), group_size=1, reference=reference
    )
    whole = mean_update(tree, policy, KLUpdate("k1", where="reward"), group_size=1, reference=reference)
    assert_allclose(-token @ knob, first, **EXACT)
    assert_allclose(-whole @ knob, first + after_x / 4, **EXACT)
    assert -token @ knob < -0.1 < 0.3 < -whole @ knob


def test_k3_in_the_reward_kills_a_token():
    """Trap 4: one state; the mean is opposite to the gradient, and following it ends at log 2.5."""
    tree = TokenTree("xyz", 1, [lambda answer: 0.0])
    policy = SoftmaxPolicy.tabular(np.log([[0.05, 0.475, 0.475]]))
    reference = SoftmaxPolicy.tabular(np.log([[0.6, 0.2, 0.2]]))
    seen = {"group_size": 1, "reference": reference}
    wrong = mean_update(tree, policy, KLUpdate("k3", where="reward"), **seen)
    true = mean_update(tree, policy, KLUpdate("k1", where="reward"), **seen)
    assert_allclose(wrong @ true / np.linalg.norm(wrong) / np.linalg.norm(true), -1, **EXACT)
    for _ in range(200):
        step = mean_update(tree, policy, KLUpdate("k3", where="reward"), **seen)
        policy = policy.with_parameters(policy.parameters + 0.3 * step)
    # With (0, 1/2, 1/2) the divergence is log(1/2 / 0.2).
    assert abs(kl(tree, policy, reference) - math.log(2.5)) < 0.01


def test_preferences_rest_at_the_optimum_of_reward_less_distance():
    """DPO: pi* ~ ref exp(r / beta) is best for J - beta KL, and the loss has no slope there."""
    tree, beta = random_rewards(), 0.5
    reference = tabular(tree, 2)
    best = tilted(tree, reference, beta)
    R = answer_probs(tree, reference)
    wanted = R * np.exp(tree.rewards / beta)
    assert_allclose(answer_probs(tree, best), wanted / wanted.sum(-1, keepdims=True), **EXACT)

    def J(p):
        return tree.weights @ expected_reward(tree, p) - beta * kl(tree, p, reference)

    assert_allclose(slope(J, best), 0.0, atol=1e-8)
    update = PreferenceUpdate(beta)
    at_rest = mean_update(tree, best, update, old=reference, reference=reference)
    assert_allclose(at_rest, 0.0, atol=1e-12)
    policy = tabular(tree, 3)
    found = mean_update(tree, policy, update, old=reference, reference=reference)

    def loss(p):
        l = beta * (log_probs(tree, p) - log_probs(tree, reference))
        total = 0.0
        for q, w in enumerate(tree.weights):
            gap, favour = l[q][:, None] - l[q], tree.rewards[q][:, None] - tree.rewards[q]
            prefers = 1 / (1 + np.exp(-favour))
            total += w * (R[q][:, None] * R[q] * prefers * np.log1p(np.exp(-gap))).sum()
        # Both orders of a pair are in the sum, each with what the judge says of the first.
        return 2 * total

    assert_allclose(found, -slope(loss, policy), **BY_DIFFERENCES)
    with pytest.raises(ValueError, match="^a preference is between 2 answers, got groups of 3$"):
        mean_update(tree, policy, update, group_size=3)


def tilted(tree, reference, beta):
    """The policy with P ~ ref exp(r / beta), token by token: by the sums below each prefix."""
    R = answer_probs(tree, reference) * np.exp(tree.rewards / beta)
    below = np.zeros((tree.n_questions, tree.n_prefixes * tree.n_tokens))
    seen = tree.mask > 0
    for q in range(tree.n_questions):
        np.add.at(below[q], tree.pairs[seen], np.repeat(R[q][:, None], tree.length, 1)[seen])
    return SoftmaxPolicy.tabular(np.log(below.reshape(tree.n_states, tree.n_tokens)))
