"""Owns the proofs of the points on values and their derivatives that the slides leave out or get wrong."""

from __future__ import annotations

import itertools

import sympy as sp

from pgtlab.letters.alphabet import summed, table
from pgtlab.letters.finite import (
    chain,
    expected_return,
    problem,
    values,
    visitation,
)
from pgtlab.letters.gaussian import linear_quadratic, normal
from pgtlab.letters.named import lines_short_corridor
from pgtlab.letters.policies import softmax
from pgtlab.letters.proof import Line


def lines_point_6():
    x = sp.Symbol("x")
    t = sp.Symbol("t", integer=True, nonnegative=True)
    series, by_terms = summed(x**t, t, x), summed(t * x ** (t - 1), t, x)
    yield Line(
        "one state, |x| = gamma p < 1: the series may be differentiated term by term",
        series.diff(x),
        by_terms,
        r"\pd{}{x} \sum_t x^t = \sum_t t \, x^{t-1}",
    )
    P, _, _, _ = chain()
    never_ends = {P[s, 1]: 1 - P[s, 0] for s in range(2)}
    yield Line(
        "gamma = 1 and nothing ends: I - P has no inverse",
        (sp.eye(2) - P).det().subs(never_ends),
        sp.S.Zero,
        r"\det(I - P) = 0",
    )
    lq = linear_quadratic()
    cost = lq.state_cost + lq.action_cost * lq.gain**2
    by_series = cost * series.subs(x, lq.discount * lq.closed_loop**2)
    yield Line(
        "linear-quadratic, gamma c^2 < 1: P is the sum of (gamma c^2)^t (q + r k^2)",
        lq.curvature,
        by_series,
        r"P = \sum_t (\gamma c^2)^t \, (q + r k^2)",
    )
    H_xx, H_xu, H_uu = sp.symbols("H_xx H_xu H_uu", real=True)
    Q = H_xx * lq.state**2 + 2 * H_xu * lq.state * lq.action + H_uu * lq.action**2
    outside, inside = lq.policy_mean(Q).diff(lq.gain), lq.policy_mean(lq.scores[0] * Q)
    yield Line(
        "Gaussian policy, quadratic Q: d/dk goes into the integral",
        outside,
        inside,
        r"\pd{}{k} \int \pi(x,u) \, Q(x,u) \, du = \int \pd{\pi(x,u)}{k} \, Q(x,u) \, du",
    )
    yield from _lines_places_that_only_neighbours_reach()
    yield from _lines_bound_outside_the_integral()


def _lines_places_that_only_neighbours_reach():
    # Two states pay 1 and -1 for each stay; to enter and to leave them has probabilities of order t^2.
    t = sp.Symbol("t", real=True)
    enter, leave = sp.Matrix([t**2 * (2 + t) / 8, t**2 / 4]), t**2 / 2
    J = enter.dot(sp.Matrix([1, -1])) * (1 - leave) / leave
    yield Line(
        "gamma = 1, two states that are reached only for t other than 0: J",
        J,
        t / 4 * (1 - t**2 / 2),
        r"J(t) = \frac{t}{4} \Big(1 - \frac{t^2}{2}\Big)",
    )
    quarter = sp.Matrix([sp.Rational(1, 4), 0, 0])
    slopes = [sp.cancel(J).diff(t).subs(t, 0), *enter.diff(t).subs(t, 0)]
    yield Line(
        "so dJ = 1/4 at t = 0, where the start has no dpi other than 0",
        sp.Matrix(slopes),
        quarter,
        r"J'(0) = \frac{1}{4}, \qquad p_0'(0) = 0",
    )


def _lines_bound_outside_the_integral():
    # One step, reward 1 for actions a > 0; t > 0 adds a bump on [t, 2 t] to the density 1/2 of these.
    t, a = sp.Symbol("t", positive=True), sp.Symbol("a", positive=True)
    bump = 8 * (a / t - 1) ** 2 * (2 - a / t) ** 2
    J = sp.Rational(1, 2) + sp.integrate(sp.expand(bump), (a, t, 2 * t))
    yield Line(
        "a bump that grows with t: dJ = 4/15 for all t",
        J.diff(t),
        sp.Rational(4, 15),
        r"J'(t) = \frac{4}{15}",
    )
    top, rate = 3 * t / 2, sp.expand(bump.diff(t))
    size = sp.integrate(rate, (a, top, 2 * t)) - sp.integrate(rate, (a, t, top))
    yield Line(
        "for each action dpi = 0 at t = 0; else the integral of |dpi| is 3",
        2 * size,
        sp.Integer(3),
        r"\int \Big|\pd{\pi}{t}\Big| \, da = 3",
    )


def lines_point_7():
    mdp = problem()
    share = mdp.policy[0, 0]
    M = sp.eye(2) - mdp.discount * mdp.mixed_transition
    above, below = mdp.initial.dot(M.adjugate() * mdp.mixed_reward), M.det()
    yield Line(
        "J is a fraction",
        expected_return(mdp),
        above / below,
        r"J = \frac{p_0^\top \, \mathrm{adj}(I - \gamma P) \, r}{\det(I - \gamma P)}",
    )
    curved = sp.Matrix([above.diff(share, 2), below.diff(share, 2)])
    yield Line(
        "both parts of it are linear in pi(0, 0)",
        curved,
        sp.zeros(2, 1),
        r"\frac{\partial^2}{\partial \pi_{00}^2} \, p_0^\top \mathrm{adj}(I - \gamma P) \, r"
        r" = \frac{\partial^2}{\partial \pi_{00}^2} \det(I - \gamma P) = 0",
    )
    slope = above.diff(share) * below - above * below.diff(share)
    yield Line(
        "so dJ/dpi(0, 0) has one sign from 0 to 1: the best is at an end",
        slope.diff(share),
        sp.S.Zero,
        r"\pd{}{\pi_{00}} \Big(\det(I - \gamma P)^2 \, \pd{J}{\pi_{00}}\Big) = 0",
    )
    yield from itertools.islice(lines_short_corridor(), 3)
    theta = sp.Symbol("theta", real=True)
    slope = softmax([[[1], [0]]]).derivatives[0][0].subs(sp.Symbol("theta_0"), theta)
    yield Line(
        "a plateau: dpi of a softmax far out",
        sp.limit(slope, theta, sp.oo),
        sp.S.Zero,
        r"\lim_{\theta \to \infty} \d{\pi} = 0",
    )


def lines_point_8():
    P, r, p0, gamma = chain()
    V = values(P, r, gamma)
    J = p0.dot(V)
    shifted = p0.dot(P * V)
    yield Line(
        "rewards read one step late give (J - E[r_0]) / gamma",
        shifted,
        (J - p0.dot(r)) / gamma,
        r"E\Big[\sum_t \gamma^t r_{t+1}\Big] = \frac{J - E[r_0]}{\gamma}",
    )
    x = sp.Symbol("x", real=True)
    narrow = normal(x, 0, 1 / (8 * sp.pi))
    yield Line(
        "a density is no probability: here it is 2",
        narrow.subs(x, 0),
        sp.Integer(2),
        r"N\Big(0; 0, \frac{1}{8 \pi}\Big) = 2",
    )
    yield Line(
        "and yet its integral is 1",
        sp.integrate(narrow, (x, -sp.oo, sp.oo)),
        sp.S.One,
        r"\int N\Big(x; 0, \frac{1}{8 \pi}\Big) \, dx = 1",
    )


def lines_point_9():
    P, _, p0, gamma = chain()
    other = sp.Matrix(2, 2, sp.symbols("P'_00 P'_01 P'_10 P'_11"))
    moved = visitation(other, p0, gamma) - visitation(P, p0, gamma)
    source = gamma * (other - P).T * visitation(P, p0, gamma)
    yield Line(
        "rho' - rho is what visits bring at once, and then under pi'",
        moved,
        visitation(other, source, gamma),
        r"\rho' - \rho = \sum_t (\gamma P'^\top)^t \, \gamma (P' - P)^\top \rho",
    )
    mdp, policy = problem(), table("pi'")
    after = mdp.transition[0].multiply_elementwise(sp.Matrix.hstack(policy[:, 0], policy[:, 0]))
    after += mdp.transition[1].multiply_elementwise(sp.Matrix.hstack(policy[:, 1], policy[:, 1]))
    by_actions = sp.Matrix(
        2, 2, lambda s, p: sum((policy[s, a] - mdp.policy[s, a]) * mdp.transition[a][s, p] for a in range(2))
    )
    yield Line(
        "P' - P is the sum of (pi' - pi) P^a",
        after - mdp.mixed_transition,
        by_actions,
        r"P' - P = \sum_a (\pi' - \pi)(s,a) \, P^a_{s,s'}",
    )
    never_ends = {P[s, 1]: 1 - P[s, 0] for s in range(2)}
    grown = sum(visitation(P, p0, gamma)).subs(never_ends)
    yield Line(
        "and a source grows by 1 / (1 - gamma), twice: gamma / (1 - gamma)^2",
        grown,
        sum(p0) / (1 - gamma),
        r"\sum_s \Big(\sum_t (\gamma P^\top)^t p_0\Big)_s = \frac{1}{1 - \gamma} \sum_s p_0(s)",
    )
