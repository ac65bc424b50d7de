"""The derivations with letters: every line is proved, a wrong one is seen, the numbers agree with pgtlab."""

import numpy as np
import pytest
import sympy as sp
from numpy.testing import assert_allclose

import pgtlab
from pgtlab import symbolic
from pgtlab.symbolic import PROOFS, Line, Proof


@pytest.mark.parametrize("formula", PROOFS)
def test_every_line_of_the_proof_holds(formula, capsys):
    PROOFS[formula].check()
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(list(PROOFS[formula].lines()))
    assert all(line.startswith(f"({formula}) ") and line.endswith(": proved") for line in printed)


@pytest.mark.parametrize("formula", PROOFS)
def test_no_line_of_the_proof_is_empty(formula):
    """A line with a symbol added to its left side must not be provable any more."""
    extra = sp.Symbol("extra")
    for line in PROOFS[formula].lines():
        left = (
            line.left + extra * sp.ones(*line.left.shape)
            if hasattr(line.left, "shape")
            else line.left + extra
        )
        assert not symbolic.equal(left, line.right)


def test_a_wrong_line_is_named_with_both_sides():
    P, _, p0, gamma = symbolic.chain()
    rho = symbolic.visitation(P, p0, gamma)
    mistaken = Proof("8.5", lambda: [Line("the transpose left out", rho, p0 + gamma * P * rho)])
    with pytest.raises(AssertionError, match=r"\(8\.5\), line 1, the transpose left out: .* is not "):
        mistaken.check()


def test_the_probabilities_of_all_paths_sum_to_one():
    mdp = symbolic.problem()
    for n in (1, 2):
        assert sp.expand(sum(probability for probability, _ in symbolic.paths(mdp, n))) == 1


def test_equality_sees_shapes_and_terms_that_only_simplify_away():
    x = sp.Symbol("x")
    assert symbolic.equal(sp.sin(x) ** 2 + sp.cos(x) ** 2, 1)
    assert not symbolic.equal(sp.Matrix([x, x]), sp.Matrix([[x, x]]))


def numbers():
    """Return a random problem and the values of the symbols of `symbolic.problem` that stand for it."""
    rng = np.random.default_rng(11)
    transition = rng.dirichlet(np.ones(3), size=(2, 2))[..., :2]
    reward, initial = rng.standard_normal((2, 2)), rng.dirichlet(np.ones(2))
    policy = pgtlab.SoftmaxPolicy.tabular(rng.standard_normal((2, 2)))
    mdp = pgtlab.FiniteMDP(transition, reward, initial, 0.7)
    values = {"gamma": 0.7, "p_0": initial[0]}
    for s in range(2):
        values[f"pi_{s}0"] = policy.probs()[s, 0]
        for a in range(2):
            values[f"R^{a}_{s}"] = reward[s, a]
            values |= {f"P^{a}_{s}{p}": transition[s, a, p] for p in range(2)}
    return mdp, policy, {sp.Symbol(name): value for name, value in values.items()}


def test_values_and_visits_with_letters_are_those_of_the_numeric_rooms():
    mdp, policy, values = numbers()
    letters = symbolic.problem()
    P, r = letters.mixed_transition.subs(values), letters.mixed_reward.subs(values)
    V = np.array(symbolic.values(P, r, 0.7), dtype=float).ravel()
    rho = np.array(symbolic.visitation(P, letters.initial.subs(values), 0.7), dtype=float).ravel()
    assert_allclose(V, pgtlab.state_values(mdp, policy), rtol=1e-12, atol=1e-12)
    assert_allclose(rho, pgtlab.state_visitation(mdp, policy), rtol=1e-12, atol=1e-12)


def test_the_return_over_all_paths_is_that_of_the_numeric_chain():
    mdp, policy, values = numbers()
    letters = symbolic.problem()
    by_paths = sum(
        probability * sum(letters.discount**t * letters.reward[step] for t, step in enumerate(steps))
        for probability, steps in symbolic.paths(letters, 3)
    ).subs(values)
    process = pgtlab.chain(mdp, policy)
    where, by_chain = mdp.initial, 0.0
    for t in range(3):
        by_chain += 0.7**t * where @ process.reward
        where = where @ process.transition
    assert_allclose(float(by_paths), by_chain, rtol=1e-12)
