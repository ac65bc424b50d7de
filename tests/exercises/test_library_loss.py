"""The loss of problem set 6: what its derivation says of it holds, and what it is mended to is climbed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import pgtlab
from pgtgrade import source as sources
from tests.exercises.problem_sets import problem_sets

PS6 = next(each for each in problem_sets() if each.name == "ps6")


@pytest.fixture(scope="module")
def given():
    """What the set hands out, and its own answers."""
    source, names = sources.read(PS6.notebook), {"__name__": "__main__"}
    for name in source.order:
        code = {**source.given, **source.solutions}.get(name)
        if code is not None:
            sources.run(name, code, names)
    return names


def one_token(given, p, q, beta, G):
    """Mean step of the loss along the log-odds of the right one of two answers, of one token each."""
    tree = np.zeros((2, 1), int), np.array([[0], [1]]), np.ones((2, 1))
    now, home = (np.log([[x, 1 - x]]) for x in (p, q))
    step = given["audited"](given["library_loss"])(now, home, tree, np.array([1.0, 0.0]), beta, G)
    assert_allclose(step.sum(), 0, atol=1e-9)
    return step[0, 0]  # the log-odds move by as much as the first logit


def claimed(p, q, beta, G):
    l = np.log(p / (1 - p)) - np.log(q / (1 - q))
    return (G - 1) / G * (p * (1 - p) * (1 - beta * l) + beta * (p - q))


@pytest.mark.parametrize(("p", "q", "beta", "G"), [(0.5, 0.5, 1, 2), (0.1, 0.6, 0.3, 3), (0.9, 0.2, 2.0, 4)])
def test_the_mean_step_of_one_token_is_what_the_derivation_says(given, p, q, beta, G):
    assert_allclose(one_token(given, p, q, beta, G), claimed(p, q, beta, G), rtol=0, atol=1e-7)


def test_the_step_turns_where_the_derivation_says(given):
    # q = 1/2, beta = 1: down below 0.1505, up above, also at the optimum sigma(1) = 0.731 and close to 1.
    assert one_token(given, 0.145, 0.5, 1.0, 2) < 0 < one_token(given, 0.155, 0.5, 1.0, 2)
    assert one_token(given, 1 / (1 + np.exp(-1)), 0.5, 1.0, 2) > 0.1
    assert one_token(given, 0.999, 0.5, 1.0, 2) > 0.2


def jacobian(field, at, h=1e-3):
    ends = h * np.eye(at.size).reshape(-1, *at.shape)
    return np.array([(field(at + e) - field(at - e)).ravel() / (2 * h) for e in ends]).T


def test_by_length_the_step_twists_as_question_4_says(given):
    tree, rewards, logits = given["stump"], given["stump_rewards"], given["stump_logits"]
    step, G = given["audited"](given["library_loss"]), 3
    D = jacobian(lambda theta: step(theta, given["stump_ref"], tree, rewards, 0.0, G), logits)
    twist = given["twist"](logits, *tree, rewards)
    assert abs(twist).max() > 0.04
    assert_allclose(D - D.T, (G - 1) / G * twist, rtol=0, atol=1e-6)


def test_the_audit_of_the_book_sees_both(given):
    found = pgtlab.audit(given["library_loss"], group_size=2)
    assert found.objective is None
    assert not found.is_gradient
    found = pgtlab.audit(given["mended"], group_size=2)
    assert found.objective == "mean reward and KL(policy | reference)"
    assert_allclose(found.factors, np.tile([1, -0.1], (len(found.factors), 1)), rtol=0, atol=1e-6)
    assert found.is_gradient
