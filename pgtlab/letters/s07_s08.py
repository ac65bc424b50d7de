"""Owns the proofs of S7 and S8: the return, the values, and the visitation measure."""

from __future__ import annotations

import itertools

import sympy as sp

from pgtlab.letters.finite import action_values, chain, over_actions, path_mean, problem, values, visitation
from pgtlab.letters.gaussian import gaussian_step_ratio
from pgtlab.letters.proof import Line


def return_by_paths(mdp, n):
    """Return the expected return of the first n steps, from whole paths."""
    return path_mean(
        mdp, n, lambda steps: sum(mdp.discount**t * mdp.reward[step] for t, step in enumerate(steps))
    )


def _reward_by_paths(mdp, t):
    """Return the expected reward at time t, from the paths that last that long."""
    return path_mean(mdp, t + 1, lambda steps: mdp.reward[steps[t]] if len(steps) > t else sp.S.Zero)


def where_after(mdp, t):
    """Return the distribution of the state at time t, as a row, from all sequences of states and actions."""
    S, A = range(mdp.n_states), range(mdp.n_actions)
    row = sp.zeros(1, mdp.n_states)
    for states in itertools.product(S, repeat=t + 1):
        for actions in itertools.product(A, repeat=t):
            weight = mdp.initial[states[0]]
            for s, a, p in zip(states[:-1], actions, states[1:], strict=True):
                weight *= mdp.policy[s, a] * mdp.transition[a][s, p]
            row[states[-1]] += weight
    return row


def lines_7_1():
    mdp = problem()
    P, r, p0 = mdp.mixed_transition, mdp.mixed_reward, mdp.initial
    for n in (1, 2, 3):
        total = sum((mdp.discount**t * (p0.T * P**t * r)[0] for t in range(n)), sp.S.Zero)
        yield Line(
            f"the first {n} rewards, over all paths",
            return_by_paths(mdp, n),
            total,
            r"E\Big[\sum_{t<n} \gamma^t r_t\Big] = \sum_{t<n} \gamma^t \, p_0^\top P^t r",
        )


def lines_7_2():
    P, r, _, gamma = chain()
    V = values(P, r, gamma)
    yield Line("one step, then the value of where it leads", V, r + gamma * P * V, r"V = r + \gamma P «V»")
    for n in (1, 2, 3):
        head = sum(((gamma * P) ** t * r for t in range(n)), sp.zeros(P.rows, 1))
        yield Line(
            f"n = {n} rewards and the value of the rest",
            V,
            head + (gamma * P) ** n * V,
            r"V = \sum_{t<n} (\gamma P)^t r + (\gamma P)^n «V»",
        )


def lines_7_3():
    mdp = problem()
    # V as two symbols: the equality must hold whatever V is on the right-hand side of Bellman's equation.
    V = sp.Matrix(sp.symbols("V_0 V_1"))
    Q = action_values(mdp, V)
    mean = over_actions(mdp.policy, Q)
    right = mdp.mixed_reward + mdp.discount * mdp.mixed_transition * V
    yield Line(
        "the mean of Q over the actions is Bellman's right-hand side",
        mean,
        right,
        r"\sum_a \pi(s,a) Q(s,a) = \sum_a \pi(s,a) R^a_s + \gamma \sum_{s'} P_{s,s'} V(s')",
    )


def lines_7_4():
    mdp = problem()
    Q = sp.Matrix(2, 2, sp.symbols("Q_00 Q_01 Q_10 Q_11"))
    V = over_actions(mdp.policy, Q)
    A = sp.Matrix(2, 2, lambda s, a: Q[s, a] - V[s])
    mean = over_actions(mdp.policy, A)
    yield Line("the mean of A over the actions is 0", mean, sp.zeros(2, 1), r"\sum_a \pi(s,a) A(s,a) = 0")


def lines_7_5():
    mdp = problem()
    P = mdp.mixed_transition
    for t in (0, 1, 2):
        yield Line(
            f"over all ways of {t} steps, the power P^{t}",
            where_after(mdp, t),
            mdp.initial.T * P**t,
            r"\sum_{s_0} p_0(s_0) \, p(s_0 \to s, t, \pi) = (p_0^\top P^t)_s",
        )
    free = chain()[0]
    yield Line("two steps and one are one step and two", free**2 * free, free * free**2, r"P^2 P = P P^2")
    yield Line(
        "one Gaussian step from a Gaussian, as a ratio of densities",
        gaussian_step_ratio(),
        sp.S.One,
        r"\int N(x; m, v) \, N(y; c x, w) \, dx \Big/ N(y; c m, c^2 v + w) = 1",
    )


def lines_8_1():
    mdp = problem()
    n = 3
    by_time = sum((mdp.discount**t * _reward_by_paths(mdp, t) for t in range(n)), sp.S.Zero)
    yield Line(
        f"n = {n}: the mean of a sum is the sum of the means",
        return_by_paths(mdp, n),
        by_time,
        r"E\Big[\sum_{t<n} \gamma^t r_t\Big] = \sum_{t<n} \gamma^t E[r_t]",
    )


def lines_8_2():
    mdp = problem()
    P, r, p0 = mdp.mixed_transition, mdp.mixed_reward, mdp.initial
    for t in (0, 1, 2):
        by_place = (p0.T * P**t * r)[0]
        yield Line(
            f"E[r_{t}], sorted by where the path is at t = {t}",
            _reward_by_paths(mdp, t),
            by_place,
            r"E[r_t] = \sum_s (p_0^\top P^t)_s \sum_a \pi(s,a) R^a_s",
        )


def lines_8_3():
    P, r, p0, gamma = chain()
    for n in (1, 2, 3):
        outside = sum((gamma**t * (p0.T * P**t * r)[0] for t in range(n)), sp.S.Zero)
        inside = sum((gamma**t * P.T**t * p0 for t in range(n)), sp.zeros(P.rows, 1))
        yield Line(
            f"{n} terms: the sum over t goes inside the sum over s",
            outside,
            inside.dot(r),
            r"\sum_{t<n} \gamma^t \sum_s (p_0^\top P^t)_s \, r(s)"
            r" = \sum_s \Big(\sum_{t<n} \gamma^t (p_0^\top P^t)_s\Big) r(s)",
        )


def lines_8_4():
    P, r, p0, gamma = chain()
    left = p0.dot(values(P, r, gamma))
    yield Line(
        "all terms: p0 . V is rho . r",
        left,
        visitation(P, p0, gamma).dot(r),
        r"\sum_s p_0(s) V(s) = \sum_s \rho(s) \, r(s)",
    )


def lines_8_5():
    P, _, p0, gamma = chain()
    rho = visitation(P, p0, gamma)
    yield Line(
        "a visit is a start or comes from a visit",
        rho,
        p0 + gamma * P.T * rho,
        r"\rho = p_0 + \gamma P^\top «\rho»",
    )
    for n in (1, 2, 3):
        head = sum((gamma**t * P.T**t * p0 for t in range(n)), sp.zeros(P.rows, 1))
        yield Line(
            f"n = {n} terms and the remainder",
            rho,
            head + gamma**n * P.T**n * rho,
            r"\rho = \sum_{t<n} (\gamma P^\top)^t p_0 + (\gamma P^\top)^n «\rho»",
        )
    never_ends = {P[s, 1]: 1 - P[s, 0] for s in range(2)} | {p0[1]: 1 - p0[0]}
    yield Line(
        "its mass, when nothing ends",
        sum(rho.subs(never_ends)),
        1 / (1 - gamma),
        r"\sum_s \rho(s) = \frac{1}{1 - \gamma}",
    )
