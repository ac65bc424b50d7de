"""Second routes: each quantity from its definition, sharing no code with pgtlab."""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

#: Chance that a statistical test fails although all is right.
FALSE_ALARM = 1e-6


def mixed(mdp, probs):
    """Return P_pi and r_pi, entry by entry."""
    S, A = np.shape(mdp.reward)
    P, r = np.zeros((S, S)), np.zeros(S)
    for s in range(S):
        for a in range(A):
            r[s] += probs[s, a] * mdp.reward[s, a]
            for p in range(S):
                P[s, p] += probs[s, a] * mdp.transition[s, a, p]
    return P, r


def series(first, step, discount):
    """Return first + discount step(first) + discount^2 step(step(first)) + ..., down to rounding."""
    total, term = np.zeros_like(first), first
    for _ in range(100_000):
        total = total + term
        term = discount * step(term)
        if np.abs(term).max() < 1e-16:
            return total
    raise ArithmeticError("the series does not converge")


def values(mdp, probs):
    """Return V as the sum of what is earned in each step."""
    P, r = mixed(mdp, probs)
    return series(r, lambda term: P @ term, mdp.discount)


def action_values(mdp, probs):
    """Return Q: an action once, then the policy."""
    S, A = np.shape(mdp.reward)
    V = values(mdp, probs)
    Q = np.zeros((S, A))
    for s in range(S):
        for a in range(A):
            Q[s, a] = mdp.reward[s, a]
            for p in range(S):
                Q[s, a] += mdp.discount * mdp.transition[s, a, p] * V[p]
    return Q


def visits(mdp, probs):
    """Return rho as the sum of the discounted state distributions of each step."""
    P, _ = mixed(mdp, probs)
    return series(np.array(mdp.initial), lambda term: term @ P, mdp.discount)


def reachable(mdp, probs):
    """Return the states that some path from the start visits."""
    P, _ = mixed(mdp, probs)
    found = {int(s) for s in np.flatnonzero(mdp.initial)}
    front = list(found)
    while front:
        s = front.pop()
        for p in range(len(P)):
            if P[s, p] > 0 and p not in found:
                found.add(p)
                front.append(p)
    return sorted(found)


def paths(mdp, probs, state=None):
    """Yield every (probability, [(state, action), ...]) of a problem with finitely many paths."""

    def onwards(probability, before, s):
        for a in range(mdp.reward.shape[1]):
            path, here = [*before, (s, a)], probability * probs[s, a]
            ending = 1 - math.fsum(mdp.transition[s, a])
            if ending > 1e-12:
                yield here * ending, path
            for p in np.flatnonzero(mdp.transition[s, a]):
                yield from onwards(here * mdp.transition[s, a, p], path, int(p))

    start = mdp.initial if state is None else np.eye(len(mdp.initial))[state]
    for s in np.flatnonzero(start):
        yield from onwards(start[s], [], int(s))


def path_return(mdp, path):
    """Return what a path earns, discounted."""
    return sum(mdp.discount**t * mdp.reward[s, a] for t, (s, a) in enumerate(path))


def simulate(mdp, probs, n_episodes, horizon, rng):
    """Return states and actions, (n_episodes, horizon) each, with state -1 after the end."""
    S, A = mdp.reward.shape
    states = np.full((n_episodes, horizon), -1)
    actions = np.zeros((n_episodes, horizon), dtype=int)
    for n in range(n_episodes):
        s = rng.choice(S, p=mdp.initial)
        for t in range(horizon):
            a = rng.choice(A, p=probs[s])
            states[n, t], actions[n, t] = s, a
            row = mdp.transition[s, a]
            s = rng.choice(S + 1, p=np.append(row, max(0.0, 1 - row.sum())))
            if s == S:
                break
    return states, actions


def hoeffding(width, n):
    """Return how far a mean of n draws from an interval may be off, but for a chance of FALSE_ALARM."""
    return width * math.sqrt(math.log(2 / FALSE_ALARM) / (2 * n))


def gauss(f, mean, std, n_nodes=12):
    """Return E f(mean + std z), z standard normal; exact for polynomials of degree up to 2 n_nodes - 1."""
    nodes, weights = hermegauss(n_nodes)
    return sum(w * f(mean + std * z) for z, w in zip(nodes, weights, strict=True)) / math.sqrt(2 * math.pi)


def normal(x, mean, std):
    """Return the density of N(mean, std^2)."""
    return np.exp(-(((x - mean) / std) ** 2) / 2) / (std * math.sqrt(2 * math.pi))


def differences(f, theta, direction, step=1e-4):
    """Return the slope of f at theta along a direction, by differences of fourth order."""
    near = f(theta + step * direction) - f(theta - step * direction)
    far = f(theta + 2 * step * direction) - f(theta - 2 * step * direction)
    return (8 * near - far) / (12 * step)


def action_values_at(mdp, probs, discount):
    """Return Q at another discount, entry by entry; 0 in the states that the start does not reach."""
    inside = reachable(mdp, probs)
    S, A = np.shape(mdp.reward)
    P, r = mixed(mdp, probs)
    V, Q = np.zeros(S), np.zeros((S, A))
    V[inside] = series(r[inside], lambda term: P[np.ix_(inside, inside)] @ term, discount)
    for s in inside:
        for a in range(A):
            Q[s, a] = mdp.reward[s, a] + discount * sum(mdp.transition[s, a, p] * V[p] for p in range(S))
    return Q


def score_equations(mdp, policy, values, rho=None):
    """Return E[SC SC^T] and E[SC f] as sums over states and actions, with the weights rho pi."""
    probs, scores = policy.probs(), policy.scores()
    rho = visits(mdp, probs) if rho is None else rho
    S, A, K = scores.shape
    F, g = np.zeros((K, K)), np.zeros(K)
    for s in range(S):
        for a in range(A):
            if rho[s] * probs[s, a] > 0:
                F += rho[s] * probs[s, a] * np.outer(scores[s, a], scores[s, a])
                g += rho[s] * probs[s, a] * scores[s, a] * values[s, a]
    return F, g


def assert_least_solution(F, g, w, rtol=1e-8):
    """Assert that F w = g for a symmetric matrix F, and that no shorter w does it."""
    scale = 1 + np.abs(F).max() * np.abs(w).max() + np.abs(g).max()
    np.testing.assert_allclose(F @ w, g, rtol=0, atol=rtol * scale)
    eigenvalues, vectors = np.linalg.eigh(F)
    unseen = vectors[:, eigenvalues < 1e-9 * max(eigenvalues.max(), 1e-300)]
    np.testing.assert_allclose(unseen.T @ w, 0.0, atol=1e-6 * (1 + np.abs(w).max()))
