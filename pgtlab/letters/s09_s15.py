"""Owns the proof of the policy gradient theorem, S9 to S15, line by line and in the slides' order."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pgtlab.letters.alphabet import column, in_motion, summed, table
from pgtlab.letters.finite import (
    action_values,
    chain,
    expected_return,
    next_values,
    over_actions,
    path_mean,
    paths,
    policy_gradient,
    problem,
    state_values,
    state_visitation,
    values,
    visitation,
)
from pgtlab.letters.gaussian import gaussian_mean, linear_quadratic, log_normal, normal
from pgtlab.letters.policies import SymbolicPolicy, any_policy, softmax
from pgtlab.letters.proof import Line
from pgtlab.letters.s07_s08 import return_by_paths, where_after


def from_state(mdp, s):
    """Return the problem started in a state."""
    return replace(mdp, initial=sp.eye(mdp.n_states)[:, s])


def lines_9_1():
    mdp, theta = in_motion()
    rho, Q, dpi = state_visitation(mdp), action_values(mdp), mdp.policy.diff(theta)
    J = expected_return(mdp)
    right = rho.dot(over_actions(dpi, Q))
    yield Line(
        "J differentiated as it stands, for any policy that can be differentiated",
        J.diff(theta),
        right,
        r"\d{J} = \sum_s \rho(s) \sum_a \d{\pi(s,a)} \, Q(s,a)",
    )
    beyond = mdp.discount * next_values(mdp, state_values(mdp))
    by_visits = rho.diff(theta).dot(mdp.mixed_reward)
    yield Line(
        "what d rho adds to (8.4) is what Q has beyond the reward",
        by_visits,
        rho.dot(over_actions(dpi, beyond)),
        r"\sum_s \d{\rho(s)} \, r(s) = \sum_s \rho(s) \sum_a \d{\pi(s,a)} \big(Q(s,a) - R^a_s\big)",
    )
    policy = _softmax_in_first_state()
    J = expected_return(problem().with_policy(policy))
    slope = J.diff(policy.parameters[0])
    reason = "for a softmax, in the preference of state 0, whatever is done in state 1"
    yield Line(
        reason,
        slope,
        policy_gradient(problem(), policy)[0],
        r"\d{J} = \sum_s \rho(s) \sum_a \d{\pi(s,a)} \, Q(s,a)",
    )
    lq = linear_quadratic()
    in_k, in_log_s = (lq.visit_sum(lq.policy_mean(score * lq.action_values)) for score in lq.scores)
    yield Line(
        "linear-quadratic, every integral done: in the gain",
        lq.expected_return.diff(lq.gain),
        in_k,
        r"\pd{J}{k} = \int \rho(x) \int \pd{\pi(x,u)}{k} \, Q(x,u) \, du \, dx",
    )
    yield Line(
        "and in log sigma",
        lq.std * lq.expected_return.diff(lq.std),
        in_log_s,
        r"\pd{J}{\log \sigma} = \int \rho(x) \int \pd{\pi(x,u)}{\log \sigma} \, Q(x,u) \, du \, dx",
    )
    gamma, a, b, k, r, P = lq.discount, lq.drift, lq.control, lq.gain, lq.action_cost, lq.curvature
    closed = -2 * ((r + gamma * b**2 * P) * k + gamma * a * b * P) * lq.second_moment
    yield Line(
        "what the integrals for the gain come to",
        in_k,
        closed,
        r"\int \rho \int \pd{\pi}{k} \, Q \, du \, dx"
        r" = -2 \big((r + \gamma b^2 P) k + \gamma a b P\big) \int \rho \, x^2 dx",
    )


def _softmax_in_first_state():
    """Return a policy that is a softmax of one preference in state 0 and anything, held still, in state 1."""
    policy = softmax([[[1], [0]]])
    return SymbolicPolicy(policy.parameters, policy.probs.col_join(problem().policy[1, :]))


def lines_9_2():
    mdp, theta = in_motion()
    pi, dpi, Q = mdp.policy, mdp.policy.diff(theta), table("Q")
    score = any_policy().scores[0]
    yield Line(
        "the score is d log pi", score, pi.applyfunc(sp.log).diff(theta), r"\SC(s,a) = \d{\log \pi(s,a)}"
    )
    features = [[sp.symbols(f"phi_{s}{a}_:2") for a in range(2)] for s in range(2)]
    policy = softmax(features)
    for k in range(2):
        phi = sp.Matrix(2, 2, lambda s, a, k=k: features[s][a][k])
        mean = over_actions(policy.probs, phi)
        centred = sp.Matrix(2, 2, lambda s, a, phi=phi, mean=mean: phi[s, a] - mean[s])
        reason = f"softmax: the score of parameter {k} is the feature minus its mean"
        yield Line(
            reason, policy.scores[k], centred, r"\SC_k(s,a) = \phi_k(s,a) - \sum_b \pi(s,b) \, \phi_k(s,b)"
        )
    sampled = score.multiply_elementwise(Q)
    yield Line(
        "its mean over the actions is sum_a dpi Q",
        over_actions(pi, sampled),
        over_actions(dpi, Q),
        r"\sum_a \pi(s,a) \SC(s,a) \, Q(s,a) = \sum_a \d{\pi(s,a)} \, Q(s,a)",
    )
    for n in (1, 2):
        along = path_mean(mdp, n, lambda steps: sum(sampled[step] for step in steps))
        where = sum((where_after(mdp, t) for t in range(n)), sp.zeros(1, 2))
        reason = f"{n} step{'s'[: n > 1]} of all paths: a visit at t counts 1, not gamma^t"
        yield Line(
            reason,
            along,
            where.dot(over_actions(dpi, Q)),
            r"E\Big[\sum_{t<n} \SC_t \, Q(s_t,a_t)\Big]"
            r" = \sum_{t<n} \sum_s (p_0^\top P^t)_s \sum_a \d{\pi(s,a)} \, Q(s,a)",
        )
    lq = linear_quadratic()
    H_xx, H_xu, H_uu, c = sp.symbols("H_xx H_xu H_uu c", real=True)
    x, u, k = lq.state, lq.action, lq.gain
    Q = H_xx * x**2 + 2 * H_xu * x * u + H_uu * u**2 + c
    in_k, in_log_s = (lq.policy_mean(each * Q) for each in lq.scores)
    yield Line(
        "Gaussian policy and quadratic Q: the integral for the gain",
        in_k,
        2 * x**2 * (H_xu + H_uu * k),
        r"\int \pd{\pi(x,u)}{k} \, Q(x,u) \, du = 2 x^2 (H_{xu} + H_{uu} k)",
    )
    yield Line(
        "the integral for log sigma",
        in_log_s,
        2 * lq.std**2 * H_uu,
        r"\int \pd{\pi(x,u)}{\log \sigma} \, Q(x,u) \, du = 2 \sigma^2 H_{uu}",
    )


def lines_10_1():
    mdp, _ = in_motion()
    for n in (1, 2):
        V = sp.Matrix([return_by_paths(from_state(mdp, s), n) for s in range(2)])
        reason = f"the first {n} reward{'s'[: n > 1]} over all paths, sorted by where they start"
        yield Line(
            reason,
            return_by_paths(mdp, n),
            mdp.initial.dot(V),
            r"E\Big[\sum_{t<n} \gamma^t r_t\Big] = \sum_{s_0} p_0(s_0) \, V_n(s_0)",
        )
    V, Q = state_values(mdp), action_values(mdp)
    yield Line(
        "all rewards: V is the mean of Q under the policy",
        V,
        over_actions(mdp.policy, Q),
        r"V(s) = \sum_a \pi(s,a) \, Q(s,a)",
    )
    J = visitation(mdp.mixed_transition, mdp.initial, mdp.discount).dot(mdp.mixed_reward)
    yield Line(
        "the J of (8.4) is p_0 . sum_a pi Q",
        J,
        mdp.initial.dot(over_actions(mdp.policy, Q)),
        r"\sum_s \rho(s) \, r(s) = \sum_{s_0} p_0(s_0) \sum_{a_0} \pi(s_0,a_0) \, Q(s_0,a_0)",
    )


def lines_10_2():
    mdp, theta = in_motion()
    p0, pi, dpi = mdp.initial, mdp.policy, mdp.policy.diff(theta)
    Q = table("Q", theta)
    split = p0.dot(over_actions(dpi, Q)) + p0.dot(over_actions(pi, Q.diff(theta)))
    yield Line(
        "product rule, whatever Q(theta) is",
        p0.dot(over_actions(pi, Q)).diff(theta),
        split,
        r"\d{} \sum p_0 \sum \pi \, Q"
        r" = \sum_{s_0} p_0 \sum_{a_0} \d{\pi} \, Q + \sum_{s_0} p_0 \sum_{a_0} \pi \, «\d{Q}»",
    )
    by_pairs = sum(p0[s] * (pi[s, a] * Q[s, a]).diff(theta) for s in (0, 1) for a in (0, 1))
    yield Line(
        "and pair by pair",
        by_pairs,
        split,
        r"\sum_{s_0,a_0} p_0 \, \d{(\pi Q)}"
        r" = \sum_{s_0} p_0 \sum_{a_0} \d{\pi} \, Q + \sum_{s_0} p_0 \sum_{a_0} \pi \, «\d{Q}»",
    )


def lines_11_1():
    mdp = problem()
    for n in (2, 3):
        rest = sp.Matrix([return_by_paths(from_state(mdp, s), n - 1) for s in range(2)])
        # E[G | s_0, a_0] = E[G 1{a_0}| s_0] / pi(s_0, a_0)
        given = sp.Matrix(2, 2, lambda s, a, n=n: _return_given(mdp, s, a, n) / mdp.policy[s, a])
        yield Line(
            f"{n} rewards, over all paths that begin with (s_0, a_0)",
            given,
            action_values(mdp, rest),
            r"Q_n(s_0,a_0) = R^{a_0}_{s_0} + \gamma \sum_{s_1} P^{a_0}_{s_0,s_1} V_{n-1}(s_1)",
        )
    Q = action_values(mdp)
    alone = mdp.reward + mdp.discount * next_values(mdp, over_actions(mdp.policy, Q))
    yield Line(
        "all rewards: Q solves its own system of four equations",
        Q,
        alone,
        r"Q(s_0,a_0)"
        r" = R^{a_0}_{s_0} + \gamma \sum_{s_1} P^{a_0}_{s_0,s_1} \sum_{a_1} \pi(s_1,a_1) \, Q(s_1,a_1)",
    )
    lq = linear_quadratic()
    x, u, a, b, P = lq.state, lq.action, lq.drift, lq.control, lq.curvature
    constant = lq.state_values.subs(x, 0)
    closed = lq.reward + lq.discount * (constant - P * ((a * x + b * u) ** 2 + lq.noise_std**2))
    yield Line(
        "linear-quadratic: the integral over the next state",
        lq.action_values,
        closed,
        r"Q(x,u) = -(q x^2 + r u^2) + \gamma \int N(y; a x + b u, \sigma_e^2) \, V(y) \, dy",
    )


def _return_given(mdp, s, a, n):
    """Return the part of the expected return from s that comes from paths whose first action is a."""
    total = sp.S.Zero
    for probability, steps in paths(from_state(mdp, s), n):
        if steps[0] == (s, a):
            total += probability * sum(mdp.discount**t * mdp.reward[step] for t, step in enumerate(steps))
    return total


def lines_11_2():
    mdp, theta = in_motion()
    yield Line(
        "the reward of an action does not know the policy",
        mdp.reward.diff(theta),
        sp.zeros(2, 2),
        r"\d{R^{a_0}_{s_0}} = 0",
    )
    V = column("V", theta)
    dQ = action_values(mdp, V).diff(theta)
    yield Line(
        "so of dQ the derivative of the rest is left",
        dQ,
        (mdp.discount * next_values(mdp, V)).diff(theta),
        r"«\d{Q(s_0,a_0)}» = \d{} \sum_{s_1} \gamma P^{a_0}_{s_0,s_1} V(s_1)",
    )


def lines_12_1():
    mdp, theta = in_motion()
    V = column("V", theta)
    outside = (mdp.discount * next_values(mdp, V)).diff(theta)
    inside = mdp.discount * next_values(mdp, V.diff(theta))
    yield Line(
        "the derivative goes into the sum over next states",
        outside,
        inside,
        r"\d{} \sum_{s_1} \gamma P^{a_0}_{s_0,s_1} V(s_1) = \sum_{s_1} \gamma P^{a_0}_{s_0,s_1} «\d{V(s_1)}»",
    )
    dQ = action_values(mdp, V).diff(theta)
    left, right = (mdp.initial.dot(over_actions(mdp.policy, each)) for each in (dQ, inside))
    yield Line(
        "the second term of (10.2), whatever V(theta) is",
        left,
        right,
        r"\sum_{s_0} p_0 \sum_{a_0} \pi \, «\d{Q}»"
        r" = \sum_{s_0} p_0 \sum_{a_0} \pi \sum_{s_1} \gamma P^{a_0}_{s_0,s_1} «\d{V(s_1)}»",
    )
    lq = linear_quadratic()
    P, d = (sp.Function(name)(lq.gain) for name in ("P", "d"))
    V = -P * lq.next_state**2 - d
    outside, inside = lq.next_mean(V).diff(lq.gain), lq.next_mean(V.diff(lq.gain))
    yield Line(
        "linear-quadratic: the derivative goes into the integral",
        outside,
        inside,
        r"\pd{}{k} \int N(y; a x + b u, \sigma_e^2) \, V(y) \, dy"
        r" = \int N(y; a x + b u, \sigma_e^2) \, \pd{V(y)}{k} \, dy",
    )


def lines_12_2():
    mdp, _ = in_motion()
    S, A, gamma, dV = range(2), range(2), mdp.discount, column("dV")
    before = mdp.initial.dot(over_actions(mdp.policy, gamma * next_values(mdp, dV)))
    weights = [
        sum(gamma * mdp.initial[s] * mdp.policy[s, a] * mdp.transition[a][s, p] for s in S for a in A)
        for p in S
    ]
    yield Line(
        "the sum over next states goes outside",
        before,
        sum(weights[p] * dV[p] for p in S),
        r"\sum_{s_0} p_0 \sum_{a_0} \pi \sum_{s_1} \gamma P^{a_0}_{s_0,s_1} «\d{V(s_1)}»"
        r" = \sum_{s_1} \Big(\sum_{s_0} \gamma \, p_0 \sum_{a_0} \pi \, P^{a_0}_{s_0,s_1}\Big) «\d{V(s_1)}»",
    )


def lines_13_1():
    mdp = problem()
    ways = sp.Matrix([where_after(from_state(mdp, s), 1) for s in range(2)])
    summed = sp.Matrix(2, 2, lambda s, p: sum(mdp.policy[s, a] * mdp.transition[a][s, p] for a in range(2)))
    yield Line(
        "over all ways of one step from each state",
        summed,
        ways,
        r"\sum_{a_0} \pi(s_0,a_0) \, P^{a_0}_{s_0,s_1} = p(s_0 \to s_1, 1, \pi)",
    )
    lq = linear_quadratic()
    x, u, y, k, b = lq.state, lq.action, lq.next_state, lq.gain, lq.control
    joint = lq.log_density + log_normal(y, lq.drift * x + b * u, lq.noise_std**2)
    # Bayes: pi(x, u) p(y | x, u) = p(y | x) p(u | x, y), and the last integrates to 1 over u.
    share = b * lq.std**2 / lq.noise_variance
    mean = k * x + share * (y - lq.closed_loop * x)
    variance = lq.std**2 * lq.noise_std**2 / lq.noise_variance
    split = log_normal(y, lq.closed_loop * x, lq.noise_variance) + log_normal(u, mean, variance)
    yield Line(
        "Gaussian: the logarithm of pi P splits",
        joint,
        sp.expand_log(split, force=True),
        r"\log \pi(x,u) + \log p(y \mid x,u) = \log p(y \mid x) + \log p(u \mid x,y)",
    )
    m = sp.Symbol("m", real=True)
    v = sp.Symbol("v", positive=True)
    density = sp.integrate(normal(u, m, v), (u, -sp.oo, sp.oo))
    yield Line(
        "and what depends on the action integrates to 1", density, sp.S.One, r"\int p(u \mid x,y) \, du = 1"
    )


def lines_13_2():
    mdp, theta = in_motion()
    pi, dpi = mdp.policy, mdp.policy.diff(theta)
    Q = table("Q", theta)
    split = over_actions(dpi, Q) + over_actions(pi, Q.diff(theta))
    yield Line(
        "dV(s_1) splits as dV(s_0) did, whatever Q is",
        over_actions(pi, Q).diff(theta),
        split,
        r"«\d{V(s_1)}» = \sum_{a_1} \d{\pi} \, Q(s_1,a_1) + \sum_{a_1} \pi \, «\d{Q(s_1,a_1)}»",
    )
    V = column("V", theta)
    second = mdp.initial.dot(over_actions(pi, action_values(mdp, V).diff(theta)))
    next_start = mdp.discount * where_after(mdp, 1)
    yield Line(
        "the second term of (10.2) is dV(s_1), weighted",
        second,
        next_start.dot(V.diff(theta)),
        r"\sum_{s_0} p_0 \sum_{a_0} \pi \, «\d{Q}» = \sum_{s_1} \gamma \, (p_0^\top P)_{s_1} «\d{V(s_1)}»",
    )
    by_pairs = sum(
        next_start[p] * (dpi[p, a] * Q[p, a] + pi[p, a] * Q[p, a].diff(theta)) for p in (0, 1) for a in (0, 1)
    )
    yield Line(
        "which is the split of (10.2) again, one step later",
        next_start.dot(split),
        by_pairs,
        r"\sum_{s_1} \gamma \, (p_0^\top P)_{s_1} «\d{V(s_1)}»"
        r" = \sum_{s_1,a_1} \gamma \, (p_0^\top P)_{s_1} \Big(\d{\pi} \, Q + \pi \, «\d{Q}»\Big)",
    )
    lq = linear_quadratic()
    yield Line(
        "linear-quadratic: V is the integral of pi Q",
        lq.state_values,
        lq.policy_mean(lq.action_values),
        r"V(x) = \int \pi(x,u) \, Q(x,u) \, du",
    )


def lines_14_1():
    mdp, theta = in_motion()
    P, V = mdp.mixed_transition, state_values(mdp)
    g = over_actions(mdp.policy.diff(theta), action_values(mdp))
    yield Line(
        "one turn: dV = g + gamma P dV, g = sum_a dpi Q",
        V.diff(theta),
        g + mdp.discount * P * V.diff(theta),
        r"\d{V} = g + \gamma P \, «\d{V}»",
    )
    P, g, _, gamma = chain()
    # dV is what solves dV = g + gamma P dV.
    dV = values(P, g, gamma)
    for n in (1, 2, 3):
        head = sum(((gamma * P) ** t * g for t in range(n)), sp.zeros(2, 1))
        yield Line(
            f"n = {n} terms and the remainder (gamma P)^n dV",
            dV,
            head + (gamma * P) ** n * dV,
            r"\d{V} = \sum_{t<n} (\gamma P)^t g + (\gamma P)^n «\d{V}»",
        )
    # G is the sum of n terms and M the matrix (gamma P)^n, for any n, and dV any vector.
    G, M, dV = column("G"), table("M"), column("dV")
    after = (G + M * g) + (M * gamma * P) * dV
    yield Line(
        "from n to n + 1: put dV = g + gamma P dV into the remainder",
        G + M * (g + gamma * P * dV),
        after,
        r"G_n + (\gamma P)^n \Big(g + \gamma P \, \d{V}\Big) = G_{n+1} + (\gamma P)^{n+1} «\d{V}»",
    )


def lines_14_2():
    mdp, theta = in_motion()
    Q, dpi, gamma = table("Q"), mdp.policy.diff(theta), mdp.discount
    g = over_actions(dpi, Q)
    P = mdp.mixed_transition
    for n in (1, 2, 3):
        by_ways = sum((gamma**t * where_after(mdp, t).dot(g) for t in range(n)), sp.S.Zero)
        by_powers = sum((gamma**t * (mdp.initial.T * P**t * g)[0] for t in range(n)), sp.S.Zero)
        yield Line(
            f"n = {n} terms, over all ways to s_t",
            by_ways,
            by_powers,
            r"\sum_{t<n} \gamma^t \sum_{s_0,s} p_0 \, p(s_0 \to s, t, \pi) \, g(s)"
            r" = \sum_{t<n} \gamma^t \, p_0^\top P^t g",
        )
    V, g = state_values(mdp), over_actions(dpi, action_values(mdp))
    resolved = values(P, g, gamma)
    yield Line(
        "all terms: dV = (I - gamma P)^-1 g", V.diff(theta), resolved, r"\d{V} = (I - \gamma P)^{-1} g"
    )
    yield from _lines_limit()


def _lines_limit():
    """Yield how the sum over all t becomes the resolvent, for two states that one never leaves."""
    p, q, gamma = sp.symbols("p q gamma", positive=True)
    n = sp.Symbol("n", integer=True, nonnegative=True)
    P = sp.Matrix([[1 - p, p], [q, 1 - q]])
    # P = stay + shrink leave, two projections whose product is 0.
    stay, leave, shrink = (
        sp.Matrix([[q, p], [q, p]]) / (p + q),
        sp.Matrix([[p, -p], [-q, q]]) / (p + q),
        1 - p - q,
    )

    def power(t):
        return stay + shrink**t * leave

    c = sp.Symbol("c", positive=True)
    one = sp.ones(2, 1)
    reason = "two states that are never left: from n to n + 1, (gamma P)^n 1 is gamma^n 1"
    yield Line(
        reason,
        gamma * P * (gamma**n * one),
        gamma ** (n + 1) * one,
        r"\gamma P \, \gamma^n \mathbf{1} = \gamma^{n+1} \mathbf{1}",
    )
    # P has no entry below 0: (gamma P)^n dV is at most gamma^n times the largest entry of dV.
    reason = "the remainder is no larger, and gamma^n goes to 0, gamma = exp(-c) < 1"
    yield Line(reason, sp.limit(sp.exp(-c * n), n, sp.oo), sp.S.Zero, r"\lim_{n \to \infty} e^{-c n} = 0")
    yield Line("the sum of all terms: no step is P^0", power(sp.S.Zero), sp.eye(2), r"P^0 = I")
    yield Line(
        "and one step more than n is P^n P, for every n", power(n + 1), power(n) * P, r"P^{n+1} = P^n P"
    )
    ratio = sp.Symbol("lambda")
    series = summed(ratio**n, n, ratio)
    total = series.subs(ratio, gamma) * stay + series.subs(ratio, gamma * shrink) * leave
    resolvent = (sp.eye(2) - gamma * P).LUsolve(sp.eye(2))
    yield Line(
        "so the sum of (gamma P)^t over all t, where gamma < 1, is the resolvent",
        total,
        resolvent,
        r"\sum_{t \ge 0} (\gamma P)^t = (I - \gamma P)^{-1}",
    )


def lines_15_1():
    P, _, p0, gamma = chain()
    g = column("g")
    for n in (1, 2, 3):
        outside = sum((gamma**t * (p0.T * P**t * g)[0] for t in range(n)), sp.S.Zero)
        inside = sum((gamma**t * P.T**t * p0 for t in range(n)), sp.zeros(2, 1)).dot(g)
        reason = f"{n} term{'s'[: n > 1]}: g(s) = sum_a dpi Q does not depend on t"
        yield Line(
            reason,
            outside,
            inside,
            r"\sum_{t<n} \gamma^t \sum_s (p_0^\top P^t)_s \, «g(s)»"
            r" = \sum_s \Big(\sum_{t<n} \gamma^t (p_0^\top P^t)_s\Big) «g(s)»",
        )
    lq = linear_quadratic()
    x, y, c = lq.state, lq.next_state, lq.closed_loop
    onward = lq.policy_mean(lq.next_mean(y**2))
    yield Line(
        "linear-quadratic: E[x'^2] one step on",
        onward,
        c**2 * x**2 + lq.noise_variance,
        r"\int \pi(x,u) \int N(y; a x + b u, \sigma_e^2) \, y^2 \, dy \, du"
        r" = c^2 x^2 + b^2 \sigma^2 + \sigma_e^2",
    )
    Sigma, gamma = lq.second_moment, lq.discount
    start = gaussian_mean(x**2, x, lq.initial_mean, lq.initial_std**2)
    later = gamma * (c**2 * Sigma + lq.noise_variance / (1 - gamma))
    yield Line(
        "so the sum of gamma^t E[x_t^2] is a start and what comes from a visit",
        Sigma,
        start + later,
        r"\Sigma = E[x_0^2] + \gamma \Big(c^2 \Sigma + \frac{b^2 \sigma^2 + \sigma_e^2}{1 - \gamma}\Big)",
    )


def lines_15_2():
    P, _, p0, gamma = chain()
    g = column("g")
    yield Line(
        "all terms: p_0 . (I - gamma P)^-1 g is rho . g",
        p0.dot(values(P, g, gamma)),
        visitation(P, p0, gamma).dot(g),
        r"p_0^\top (I - \gamma P)^{-1} «g» = \rho^\top «g»",
    )
    mdp, theta = in_motion()
    dJ = mdp.initial.dot(state_values(mdp).diff(theta))
    right = state_visitation(mdp).dot(over_actions(mdp.policy.diff(theta), action_values(mdp)))
    yield Line(
        "Q.E.D.: dJ is the right-hand side of (9.1)",
        dJ,
        right,
        r"\d{J} = \sum_s \rho(s) \sum_a \d{\pi(s,a)} \, Q(s,a)",
    )
