"""The formulas of the chapter on language models as executable statements, on trees of many shapes."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pgtlab import SoftmaxPolicy
from pgtlab.gallery import two_states
from pgtlab.language import TokenTree, difficulty_weight
from pgtlab.slides import FORMULAS, check, check_all, ledger
from pgtlab.slides.formula import routes as second_routes
from pgtlab.slides.l01_l10 import weight_by_counts
from pgtlab.slides.specimen import specimen, spoken
from tests.problems import TablePolicy, exactly, seeds

LETTERED = [id for id in FORMULAS if id.startswith("L.")]

#: What is about pass rates, and so about rewards 0 and 1.
PASS_RATES = ["L.5", "L.6", "L.7", "L.8"]


def some_tree(rng, tokens, length, end, n_questions, *, passed=True):
    """Return a tree with rewards at random, and a policy whose prefixes share features or have their own."""
    n = TokenTree(tokens, length, [lambda answer: 0.0], end=end).n_answers
    rewards = rng.normal(size=(n_questions, n))
    if passed:
        # Each question has an answer that is right and one that is wrong.
        rewards = (rewards > 0) * 1.0
        rewards[:, 0], rewards[:, -1] = 0.0, 1.0
    tree = TokenTree(tokens, length, rewards, end=end, weights=rng.dirichlet(np.ones(n_questions)))
    S, A = tree.n_states, tree.n_tokens
    if rng.random() < 0.5:
        return tree, SoftmaxPolicy.tabular(rng.normal(size=(S, A)))
    return tree, SoftmaxPolicy(rng.normal(size=(S, A, 3)), 0.5 * rng.normal(size=3))


def disagreeing(results):
    return [str(each) for each in results if not each.agrees]


# --- they hold, and see mistakes ---------------------------------------------------------------------


@settings(max_examples=12)
@given(
    seeds,
    st.sampled_from([("a.", 1), ("a.", 3), ("ab.", 2)]),
    st.booleans(),
    st.integers(1, 2),
    st.booleans(),
)
def test_all_hold_on_every_tree(seed, size, ended, n_questions, passed):
    end = "." if ended else None
    tree, policy = some_tree(np.random.default_rng(seed), *size, end, n_questions, passed=passed)
    results = check_all(tree, policy)
    assert [each.id for each in results] == [id for id in LETTERED if passed or id not in PASS_RATES]
    assert disagreeing(results) == []


def test_all_hold_on_the_tree_of_the_chapter_s_size():
    """Three tokens and length 4: 31 answers."""
    tree, policy = some_tree(np.random.default_rng(5), "ab.", 4, ".", 1)
    policy = SoftmaxPolicy(np.random.default_rng(6).normal(size=(tree.n_states, 3, 2)), [0.5, -0.4])
    assert disagreeing(check_all(tree, policy)) == []


@pytest.mark.parametrize("id", LETTERED)
@pytest.mark.parametrize("seed", range(2))
def test_the_mistake_is_caught_on_random_trees(id, seed):
    rng = np.random.default_rng(seed)
    tree, _ = some_tree(rng, "ab.", 2, ".", 2)
    policy = SoftmaxPolicy.tabular(rng.normal(size=(tree.n_states, 3)))
    assert FORMULAS[id].check_mistake(tree, policy).residual >= 100 * FORMULAS[id].within


def test_the_ledger_takes_them_in():
    lines = ledger(check_all(*spoken())).splitlines()
    assert lines[-1] == "18 of 18 hold"
    assert max(map(len, lines)) <= 76


def test_a_policy_that_never_moves_holds_all_but_the_last():
    tree, policy = spoken()
    still = TablePolicy(policy.probs())
    results = check_all(tree, still)
    assert [each.id for each in results] == LETTERED[:-1]
    assert disagreeing(results) == []


# --- numbers by hand -----------------------------------------------------------------------------------


def one_token(odds):
    """One question with answers of one token, x right and y wrong, and log-odds of x."""
    tree = TokenTree("xy", 1, [[1.0, 0.0]])
    return tree, SoftmaxPolicy([[[1.0], [0.0]]], [odds])


def test_the_weight_of_a_pass_rate_of_a_half_in_groups_of_four():
    # c_4(1/2) = sqrt 3 - (2 sqrt 3 - 3) / 4 = (2 sqrt 3 + 3) / 4, and dp = 1/4 for each unit of the log-odds.
    tree, policy = one_token(0.0)
    assert disagreeing(check_all(tree, policy)) == []
    result = check("L.5", tree, policy)
    assert_allclose(result.left[0], [(2 * math.sqrt(3) + 3) / 16], rtol=1e-12)
    assert_allclose(weight_by_counts(np.array([0.5]), 4), [(2 * math.sqrt(3) + 3) / 4], rtol=1e-12)


def test_one_token_against_a_reference_by_hand():
    # p = 1/2, and the reference has the odds e^0.3: q = 1 / (1 + e^-0.3).
    tree, policy = one_token(0.0)
    q = 1 / (1 + math.exp(-0.3))
    KL, back = -0.5 * math.log(4 * q * (1 - q)), 0.5 - q
    assert_allclose(check("L.11", tree, policy).left[0], [KL], rtol=1e-12)
    # d KL / d odds = p (1 - p) (l_x - l_y) = -0.3 / 4, and the other way p - q.
    result = check("L.12", tree, policy)
    assert_allclose([each[0] for each in result.left], [0.0, -0.3 / 4, back], atol=1e-12)
    assert_allclose([each[0] for each in check("L.13", tree, policy).left], [-0.3 / 4, -0.3 / 4 - back])
    chi2 = 0.25 / (q * (1 - q)) - 1
    assert_allclose(check("L.17", tree, policy).left[0], [chi2 - KL], rtol=1e-12)


def test_the_letters_say_what_the_numbers_say():
    letters = pytest.importorskip("pgtlab.letters.answers")
    p = sp.Symbol("p")
    for G in (2, 3, 4, 8):
        found = float(letters.spread_weight(G, p).subs(p, sp.Rational(3, 10)))
        assert_allclose(found, difficulty_weight(0.3, G), rtol=1e-12)
        assert_allclose(found, weight_by_counts(np.array([0.3]), G)[0], rtol=1e-12)


# --- refusals ------------------------------------------------------------------------------------------


def test_each_kind_of_problem_has_its_own_formulas():
    (tree, policy), others = spoken(), specimen()
    assert [each.id for each in check_all(tree, policy)] == LETTERED
    assert not any(each.id in LETTERED for each in check_all(*others))
    message = "(9.1) does not apply: it is about a decision process; `to_mdp` of a token tree makes one"
    with pytest.raises(ValueError, match=exactly(message)):
        check("9.1", tree, policy)
    message = "(L.2) does not apply: it is about a token tree and what models say"
    with pytest.raises(ValueError, match=exactly(message)):
        check("L.2", *others)
    assert disagreeing(check_all(tree.to_mdp(), policy)) == []


def test_a_formula_about_pass_rates_says_what_it_misses():
    tree, policy = spoken()
    for rewards, words in (
        (tree.rewards * 2, "rewards are not 0 and 1; expected those, or there is no pass rate"),
        (
            0 * tree.rewards,
            "all answers to a question are worth the same; expected right ones and wrong ones",
        ),
    ):
        for id in PASS_RATES:
            assert FORMULAS[id].obstacle(replace(tree, rewards=rewards), policy) == words
    flat = replace(tree, rewards=0 * tree.rewards)
    assert FORMULAS["L.18"].obstacle(flat, policy).startswith("no parameter changes the mean reward")


def refused(tree, policy, message):
    with pytest.raises(ValueError, match=message):
        second_routes(tree, policy)


def test_where_sums_over_answers_have_no_digits_the_tree_is_refused():
    tree, policy = spoken()
    refused(
        TokenTree("abcd", 4, [lambda answer: 0.0]),
        SoftmaxPolicy.tabular(np.zeros((85, 4))),
        "^the tree has 256 ans",
    )
    seldom = np.zeros((tree.n_states, 3))
    seldom[0, 0] = -25.0
    refused(
        tree, SoftmaxPolicy.tabular(seldom), r"^the answer 'a [ab.]' to question 0 has the probability \d"
    )
    steep = SoftmaxPolicy(1e3 * np.asarray(policy.features), 1e-3 * np.asarray(policy.parameters))
    refused(tree, steep, "^a score is ")
    refused(tree, policy.with_parameters(np.zeros((2, 4))), re.escape("policy is a batch of shape (2,)"))
    refused(tree, two_states()[1], "^policy.probs")
    with pytest.raises(TypeError, match="^policy must be a FinitePolicy, got int"):
        second_routes(tree, 3)
