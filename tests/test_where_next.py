"""The formulas of the page *Where this goes next*, each against a second route, with arrays alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

S, A, GAMMA, TAU = 4, 3, 0.9, 0.3
STEP = 1e-5


@pytest.fixture(params=range(3))
def problem(request):
    """Transitions, rewards and a start, and logits of two policies."""
    rng = np.random.default_rng(request.param)
    P = rng.dirichlet(np.ones(S), size=(S, A))
    return P, rng.normal(size=(S, A)), rng.dirichlet(np.ones(S)), *rng.normal(size=(2, S, A))


def softmax(theta):
    weight = np.exp(theta - theta.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def visits(P, start, pi, discount=GAMMA):
    """The measure rho, from rho = start + discount times rho's successors."""
    return np.linalg.solve(np.eye(S) - discount * np.einsum("sa,sat->st", pi, P).T, start)


def values(P, R, pi):
    V = np.linalg.solve(np.eye(S) - GAMMA * np.einsum("sa,sat->st", pi, P), (pi * R).sum(axis=1))
    return V, R + GAMMA * P @ V


def slope(f, theta):
    """Central differences of f in every logit."""
    moved = STEP * np.eye(theta.size).reshape(-1, *theta.shape)
    return np.array([(f(theta + h) - f(theta - h)) / (2 * STEP) for h in moved]).reshape(theta.shape)


def along(weight, pi):
    """The sum over s, a of weight(s, a) times the derivative of pi(s, a) by each logit."""
    return pi * (weight - (pi * weight).sum(axis=1, keepdims=True))


def test_entropy_keeps_the_form_of_the_theorem(problem):
    P, R, start, theta, _ = problem

    def J(theta):
        pi = softmax(theta)
        return start @ values(P, R - TAU * np.log(pi), pi)[0]

    pi = softmax(theta)
    V, _ = values(P, R - TAU * np.log(pi), pi)
    Q = R + GAMMA * P @ V  # without the bonus of its own step
    rho = visits(P, start, pi)
    assert_allclose(slope(J, theta), rho[:, None] * along(Q - TAU * np.log(pi), pi), rtol=1e-6, atol=1e-8)
    # With values that do not count the bonus it is another direction.
    heuristic = rho[:, None] * along(values(P, R, pi)[1] - TAU * np.log(pi), pi)
    assert np.abs(heuristic - slope(J, theta)).max() > 1e-3


def test_the_best_policy_with_entropy_is_the_softmax_of_its_own_values(problem):
    P, R, start, theta, _ = problem
    pi = softmax(theta)
    for _ in range(400):
        V, _ = values(P, R - TAU * np.log(pi), pi)
        pi = softmax((R + GAMMA * P @ V) / TAU)
    rho = visits(P, start, pi)
    V, _ = values(P, R - TAU * np.log(pi), pi)
    Q = R + GAMMA * P @ V
    assert_allclose(rho[:, None] * along(Q - TAU * np.log(pi), pi), 0, atol=1e-10)
    other = softmax(theta)
    assert start @ V > start @ values(P, R - TAU * np.log(other), other)[0]


def test_the_ratios_of_all_steps_give_the_gradient_from_another_policy(problem):
    P, R, start, theta, logits = problem
    pi, beta = softmax(theta), softmax(logits)
    _, Q = values(P, R, pi)
    total, mass = np.zeros((S, A)), start.copy()
    for t in range(400):  # 0.9^400 is 5e-19
        # What is drawn from beta, times the product of all ratios up to this step.
        weighed = mass[:, None] * beta * (pi / beta)
        # The score of an action is 1 at its own logit, less pi at all of the state's.
        total += GAMMA**t * (weighed * Q - (weighed * Q).sum(axis=1, keepdims=True) * pi)
        mass = np.einsum("sa,sat->t", weighed, P)
    expected = slope(lambda at: start @ values(P, R, softmax(at))[0], theta)
    assert_allclose(total, expected, rtol=1e-6, atol=1e-8)


def test_what_is_left_out_off_policy_and_what_puts_it_back(problem):
    P, R, start, theta, logits = problem
    pi, beta = softmax(theta), softmax(logits)
    rho = visits(P, start, beta)
    _, Q = values(P, R, pi)
    whole = slope(lambda at: rho @ values(P, R, softmax(at))[0], theta)
    last_ratio_only = rho[:, None] * along(Q, pi)
    emphatic = visits(P, rho, pi)  # m = rho + gamma P' m
    assert_allclose(emphatic[:, None] * along(Q, pi), whole, rtol=1e-6, atol=1e-8)
    assert np.abs(last_ratio_only - whole).max() > 1e-2
    # With a row for each state, a small step along it makes the policy worse in no state.
    better, _ = values(P, R, softmax(theta + 1e-3 * last_ratio_only))
    assert (better >= values(P, R, pi)[0]).all()


def test_the_difference_of_two_policies_and_its_bound(problem):
    P, R, start, theta, logits = problem
    pi, other = softmax(theta), softmax(logits)
    V, Q = values(P, R, pi)
    advantage = Q - V[:, None]
    exact = start @ values(P, R, other)[0] - start @ V
    assert_allclose((visits(P, start, other)[:, None] * other * advantage).sum(), exact, rtol=1e-10)
    rho = visits(P, start, pi)

    def surrogate(at):
        return (rho[:, None] * softmax(at) * advantage).sum()

    gradient = rho[:, None] * along(Q, pi)
    assert_allclose(slope(surrogate, theta), gradient, rtol=1e-6, atol=1e-8)
    for share in (1.0, 0.1, 0.01):
        near = softmax(theta + share * (logits - theta))
        KL = (pi * np.log(pi / near)).sum(axis=1).max()
        penalty = 4 * GAMMA * np.abs(advantage).max() / (1 - GAMMA) ** 2 * KL
        won = start @ values(P, R, near)[0] - start @ V
        assert won >= surrogate(theta + share * (logits - theta)) - penalty


def test_a_trust_region_step_has_the_divergence_that_was_asked_for(problem):
    P, R, start, theta, _ = problem
    pi, delta = softmax(theta), 1e-6
    rho = visits(P, start, pi)
    d = rho / rho.sum()
    g = (rho[:, None] * along(values(P, R, pi)[1], pi)).ravel()
    F = np.zeros((S * A, S * A))
    for s in range(S):
        at = slice(s * A, (s + 1) * A)
        F[at, at] = d[s] * (np.diag(pi[s]) - np.outer(pi[s], pi[s]))  # the mean of score times score
    natural = np.linalg.pinv(F, rcond=1e-10) @ g
    step = np.sqrt(2 * delta / (g @ natural)) * natural
    new = softmax(theta + step.reshape(S, A))
    assert_allclose(d @ (pi * np.log(pi / new)).sum(axis=1), delta, rtol=1e-2)


def test_the_clip_of_ppo_is_below_and_touches_where_the_policies_agree(problem):
    P, R, _, theta, logits = problem
    pi = softmax(theta)
    V, Q = values(P, R, pi)
    advantage = Q - V[:, None]

    def clipped(at):
        u = softmax(at) / pi
        return (pi * np.minimum(u * advantage, np.clip(u, 0.8, 1.2) * advantage)).sum(axis=1)

    def plain(at):
        return (softmax(at) * advantage).sum(axis=1)

    assert (clipped(logits) <= plain(logits) + 1e-12).all()
    assert (clipped(logits) < plain(logits) - 1e-3).any()
    assert_allclose(clipped(theta), plain(theta), atol=1e-12)
    both = [slope(lambda at, f=f: f(at).sum(), theta) for f in (clipped, plain)]
    assert_allclose(*both, rtol=1e-6, atol=1e-8)


def test_the_gradient_of_a_deterministic_policy_in_a_linear_problem():
    # s' = a s + b u with u = k s, and the cost q s^2 + r u^2 from s0 on: all in closed form.
    a, b, q, r, k, s0 = 0.9, 0.4, 1.0, 0.5, -0.3, 1.3

    def J(k):
        return -(q + r * k * k) * s0**2 / (1 - GAMMA * (a + b * k) ** 2)

    def slope_of_Q(s, u):  # by u: of -(q s^2 + r u^2) + gamma J from a s + b u
        return -2 * r * u + 2 * GAMMA * J(k) / s0**2 * (a * s + b * u) * b

    expected = (J(k + STEP) - J(k - STEP)) / (2 * STEP)
    path, total = s0, 0.0
    for t in range(200):
        total += GAMMA**t * path * slope_of_Q(path, k * path)
        path = (a + b * k) * path
    assert total == pytest.approx(expected, rel=1e-8)
