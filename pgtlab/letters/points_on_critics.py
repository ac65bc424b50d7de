"""Owns the proofs of the points on critics, samples and Fisher information that the slides leave out."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pgtlab.letters.alphabet import column, in_motion, table
from pgtlab.letters.finite import (
    SymbolicProblem,
    action_values,
    chain,
    next_values,
    over_actions,
    path_mean,
    policy_gradient,
    problem,
    visitation,
)
from pgtlab.letters.named import lines_now_or_later, lines_one_knob, visits
from pgtlab.letters.policies import SymbolicPolicy, any_policy, softmax
from pgtlab.letters.proof import Line
from pgtlab.letters.s07_s08 import return_by_paths, where_after
from pgtlab.letters.s17_s21 import Critic


def lines_point_1():
    mdp, _ = in_motion()
    pi, gamma, lam, w = mdp.policy, mdp.discount, sp.Symbol("lambda"), sp.Symbol("w")
    score = any_policy().scores[0]
    yield Line(
        "the mean score of a state is 0",
        over_actions(pi, score),
        sp.zeros(2, 1),
        r"\sum_a \pi(s,a) \SC(s,a) = 0",
    )
    for place, power, what, says_power in (
        ("trace", gamma * lam, "gamma", r"\gamma \lambda"),
        ("update", gamma**2 * lam, "gamma^2", r"\gamma^2 \lambda"),
    ):
        for n in (1, 2):
            along = path_mean(
                mdp, n + 1, lambda steps, n=n, place=place: _td(mdp, score, w, lam, steps, n, place)
            )
            reason = (
                f"gamma^t on the {place}, {n} step{'s'[: n > 1]} over all paths: Q at discount {what} lambda"
            )
            says = (
                r"E\Big[\sum_{t<n} \delta_t z_t\Big]"
                rf" = \sum_{{t<n}} \gamma^t E[\SC_t \, (Q^{{({says_power})}} - \SC_t w)]"
            )
            yield Line(reason, along, _td_mean(mdp, score, w, power, n), says)
    kappa = sp.Symbol("kappa")
    # The discounted sum f of the TD errors e solves f = e + kappa M f, M f(s, a) = E[f(s', a')].
    left_over = action_values(replace(mdp, discount=kappa)) - score * w
    error = mdp.reward + gamma * _onward(mdp, score) * w - score * w
    reason = "all steps: the TD errors, discounted by any kappa, come to Q at discount kappa, less SC w"
    yield Line(
        reason,
        left_over,
        error + kappa * _onward(mdp, left_over),
        r"\sum_{i \ge 0} \kappa^i E[\delta_i \mid s, a] = Q^{(\kappa)} - \SC \cdot w",
    )
    yield from lines_now_or_later()
    yield from _lines_remedies()


def _onward(mdp, f):
    """Return the mean of f(s', a') after each state and action."""
    return next_values(mdp, over_actions(mdp.policy, f))


def _td(mdp, score, w, lam, steps, n, place):
    """Return the sum of the TD(lambda) updates of the first n steps, gamma^t on the trace or the update."""
    gamma, trace, total = mdp.discount, sp.S.Zero, sp.S.Zero
    for t, x in enumerate(steps[:n]):
        on = {"trace": 1, "update": 1} | {place: gamma**t}
        trace = gamma * lam * trace + on["trace"] * score[x]
        following = score[steps[t + 1]] if t + 1 < len(steps) else sp.S.Zero
        total += on["update"] * (mdp.reward[x] + gamma * following * w - score[x] * w) * trace
    return total


def _td_mean(mdp, score, w, power, n):
    """Return the sum over t < n of gamma^t E[SC (Q - SC w)], Q at a discount over the steps that are left."""
    total, V = sp.S.Zero, sp.zeros(2, 1)
    for t in reversed(range(n)):
        Q = mdp.reward + power * next_values(mdp, V)
        V = over_actions(mdp.policy, Q)
        per_state = over_actions(mdp.policy, score.multiply_elementwise(Q - score * w))
        total += mdp.discount**t * where_after(mdp, t).dot(per_state)
    return total


def _lines_remedies():
    mdp, theta = in_motion()
    pi, gamma, w = mdp.policy, mdp.discount, sp.Symbol("w")
    score = any_policy().scores[0]
    n = 2
    fisher = visits(mdp, n, gamma).dot(over_actions(pi, score.multiply_elementwise(score)))
    slope = return_by_paths(mdp, n).diff(theta)
    targets = path_mean(
        mdp,
        n,
        lambda steps: sum(
            gamma**t * score[x] * (_to_go(mdp, steps, t) - score[x] * w) for t, x in enumerate(steps)
        ),
    )
    yield Line(
        "remedy, returns as targets, 2 steps over all paths: dJ - FIM w",
        targets,
        slope - fisher * w,
        r"E\Big[\sum_{t<n} \gamma^t \SC_t \, (G_t - \SC_t w)\Big] = \d{J_n} - \FIM \, w",
    )
    critic = Critic()
    mdp_3 = problem(critic.n_states)
    v, V = (column(name, length=critic.n_states) for name in "vV")
    error = action_values(mdp_3, v) - sp.Matrix.hstack(v, v)
    off = gamma * next_values(mdp_3, v - V)
    split = critic.correlation(action_values(mdp_3, V)) + critic.correlation(off)
    reason = "remedy, V(s;v) + SC.w with TD(0): sum rho pi SC Q, and E[SC gamma P (V_v - V)]"
    yield Line(
        reason,
        critic.correlation(error),
        split,
        r"\all \SC \, (R + \gamma P V_v - V_v) = \all \SC \, Q + \all \SC \, \gamma P (V_v - V)",
    )

    def sums(steps, discount):
        return sum(discount**t * score[x] for t, x in enumerate(steps))

    published = path_mean(mdp, n, lambda steps: sums(steps, gamma) ** 2)
    squares = visits(mdp, n, gamma**2).dot(over_actions(pi, score.multiply_elementwise(score)))
    yield Line(
        "episodic actor-critic as published: visits count gamma^(2t)",
        published,
        squares,
        r"E\Big[\Big(\sum_t \gamma^t \SC_t\Big)^2\Big] = \sum_t \gamma^{2t} E[\SC_t^2]",
    )
    corrected = path_mean(mdp, n, lambda steps: sums(steps, 1) * sums(steps, gamma))
    yield Line(
        "corrected, with the plain sum of scores as instrument: FIM",
        corrected,
        fisher,
        r"E\Big[\Big(\sum_t \SC_t\Big) \Big(\sum_t \gamma^t \SC_t\Big)\Big] = \FIM",
    )
    regressed = path_mean(mdp, n, lambda steps: sums(steps, 1) * _to_go(mdp, steps, 0))
    yield Line(
        "and dJ on the other side",
        regressed,
        slope,
        r"E\Big[\Big(\sum_t \SC_t\Big) \Big(\sum_t \gamma^t r_t\Big)\Big] = \d{J_n}",
    )


def _to_go(mdp, steps, t):
    """Return the discounted reward of a path from time t on."""
    return sum(mdp.discount ** (i - t) * mdp.reward[x] for i, x in enumerate(steps) if i >= t)


def lines_point_2():
    policy, rho, Q = softmax(), column("rho"), table("Q")
    pi, K = policy.probs, range(4)
    weights = sp.Matrix(2, 2, lambda s, a: rho[s] * pi[s, a])
    scores = sp.Matrix([list(score) for score in policy.scores])
    fisher = scores * sp.diag(*weights) * scores.T
    directions = sp.Matrix([[1, 0], [1, 0], [0, 1], [0, 1]])
    yield Line(
        "tabular softmax: to prefer all actions of a state more changes nothing",
        fisher * directions,
        sp.zeros(4, 2),
        r"\FIM \, n_s = 0, \qquad n_s = (1 \text{ for the actions of } s, \text{ else } 0)",
    )
    V = over_actions(pi, Q)
    gradient = scores * sp.diag(*weights) * sp.Matrix(list(Q))
    A = sp.Matrix([Q[k] - V[k // 2] for k in K])
    yield Line("w = A solves FIM w = grad J", fisher * A, gradient, r"\FIM \, A = \d{J}")
    least = A - sp.Matrix([(A[2 * (k // 2)] + A[2 * (k // 2) + 1]) / 2 for k in K])
    yield Line(
        "so does A minus its plain mean over the actions",
        fisher * least,
        gradient,
        r"\FIM \, \Big(A - \frac{1}{2} \sum_a A\Big) = \d{J}",
    )
    yield Line(
        "which is of least norm: nothing of it lies along those directions",
        directions.T * least,
        sp.zeros(2, 1),
        r"n_s \cdot \Big(A - \frac{1}{2} \sum_a A\Big) = 0",
    )
    w = sp.Matrix(sp.symbols("w_:4"))
    moved = w + directions * column("t")
    yield Line(
        "a w moved along them is the same critic",
        scores.T * moved,
        scores.T * w,
        r"\SC \cdot (w + t \, n_s) = \SC \cdot w",
    )


def lines_point_3():
    mdp = problem()
    for n in (1, 2, 3):
        steps_made = path_mean(mdp, n, lambda steps: sum(mdp.discount**t for t in range(len(steps))))
        reason = f"the mass of {n} step{'s'[: n > 1]} is the expected number of steps, discounted"
        yield Line(
            reason,
            visits(mdp, n, mdp.discount).dot(sp.ones(1, 2)),
            steps_made,
            r"\sum_{t<n} \gamma^t \sum_s (p_0^\top P^t)_s"
            r" = E\Big[\sum_{t<n, \text{ not ended}} \gamma^t\Big]",
        )
    P, _, p0, gamma = chain()
    rho = visitation(P, p0, gamma)
    ends = sp.Matrix([1 - sum(P[s, :]) for s in range(2)])
    # 1 = (I - gamma P) 1 / (1 - gamma) - gamma (1 - P 1) / (1 - gamma)
    whole = (sum(p0) - gamma * rho.dot(ends)) / (1 - gamma)
    yield Line(
        "all steps: 1 / (1 - gamma), less what ends early",
        sum(rho),
        whole,
        r"\sum_s \rho(s) = \frac{1 - \gamma \sum_s \rho(s) \, \Pr(\text{end} \mid s)}{1 - \gamma}",
    )
    F, g, m = sp.Matrix(2, 2, sp.symbols("F_00 F_01 F_01 F_11")), column("g"), sp.Symbol("m")
    natural = F.adjugate() * g / F.det()
    both, one = ((F / m).adjugate() * each / (F / m).det() for each in (g / m, g))
    yield Line(
        "the mass m cancels if FIM and gradient are both divided by it",
        both,
        natural,
        r"(F / m)^{-1} \, (g / m) = F^{-1} g",
    )
    yield Line("and stays as a factor if only FIM is", one, m * natural, r"(F / m)^{-1} \, g = m \, F^{-1} g")


def lines_point_4():
    mdp, theta = in_motion()
    gamma, score = mdp.discount, any_policy().scores[0]
    for n in (1, 2):
        kept = path_mean(
            mdp,
            n,
            lambda steps: sum(gamma**t * score[x] * _to_go(mdp, steps, t) for t, x in enumerate(steps)),
        )
        reason = f"with gamma^t, {n} step{'s'[: n > 1]} over all paths: the derivative of the return"
        yield Line(
            reason,
            kept,
            return_by_paths(mdp, n).diff(theta),
            r"E\Big[\sum_{t<n} \gamma^t \SC_t \, G_t\Big] = \d{J_n}",
        )
    yield from lines_one_knob()
    yield from _lines_curl()


def _lines_curl():
    """Yield that what is left without gamma^t is the gradient of nothing."""
    theta = sp.symbols("theta_:2")
    p = [sp.Function(f"pi_{s}0")(theta[s]) for s in range(2)]
    policy = SymbolicPolicy(theta, sp.Matrix([[each, 1 - each] for each in p]))
    there, gamma = sp.symbols("P^0_01 P^1_01"), sp.Symbol("gamma")
    # State 0 leads to state 1 or to the end, and state 1 to the end.
    transition = tuple(sp.Matrix([[0, each], [0, 0]]) for each in there)
    mdp = SymbolicProblem(transition, problem().reward, policy.probs, sp.Matrix([1, 0]), gamma)
    true = policy_gradient(mdp, policy)
    yield Line(
        "two knobs: mixed derivatives of a gradient agree",
        true[0].diff(theta[1]),
        true[1].diff(theta[0]),
        r"\pd{}{\theta_1} \pd{J}{\theta_0} = \pd{}{\theta_0} \pd{J}{\theta_1}",
    )
    where, Q = visits(mdp, 2, sp.S.One), action_values(mdp)
    field = [where.dot(over_actions(each, Q)) for each in policy.derivatives]
    gain = mdp.reward[1, 0] - mdp.reward[1, 1]
    apart = (1 - gamma) * (there[0] - there[1]) * gain * p[0].diff(theta[0]) * p[1].diff(theta[1])
    curl = field[1].diff(theta[0]) - field[0].diff(theta[1])
    yield Line(
        "without gamma^t they differ: it is the gradient of nothing",
        curl,
        apart,
        r"\pd{f_1}{\theta_0} - \pd{f_0}{\theta_1}"
        r" = (1 - \gamma) \, (P^0_{01} - P^1_{01}) \, (R^0_1 - R^1_1)"
        r" \, \pd{\pi_{00}}{\theta_0} \pd{\pi_{10}}{\theta_1}",
    )


def lines_point_5():
    critic = Critic()
    e = table("e", n_states=critic.n_states)
    off = critic.slope(critic.Q + e) - critic.slope(critic.Q)
    yield Line(
        "a critic that errs by e errs in the gradient by sum rho pi SC e",
        off,
        critic.correlation(e),
        r"\slope (Q + e) - \slope Q = \all \SC \, e",
    )
    weight, G = sp.symbols("gamma_:3"), sp.symbols("G_:3")
    SC = [sp.Matrix(sp.symbols(f"SC_{i}_:2")) for i in range(3)]
    fisher = sum((c * x * x.T for c, x in zip(weight, SC, strict=True)), sp.zeros(2, 2))
    reinforce = sum((c * x * g for c, x, g in zip(weight, SC, G, strict=True)), sp.zeros(2, 1))
    w = fisher.adjugate() * reinforce / fisher.det()
    sampled = sum((c * x * x.dot(w) for c, x in zip(weight, SC, strict=True)), sp.zeros(2, 1))
    yield Line(
        "w fitted to the returns of three steps: (20.1) on these steps is REINFORCE",
        sampled,
        reinforce,
        r"\sum_t \gamma^t \SC_t \, (\SC_t \cdot \hat w) = \sum_t \gamma^t \SC_t \, G_t",
    )
    # Two equally likely sets of paths, with sums F_i of SC^2 and g_i of SC G; w is fitted on one draw and
    # used on another.
    F, g = sp.symbols("F_:2"), sp.symbols("g_:2")
    mean = sum(F) / 2 * sum(g[i] / F[i] for i in range(2)) / 2
    bias = (F[0] - F[1]) * (g[1] / F[1] - g[0] / F[0]) / 4
    yield Line(
        "fitted on other paths it is biased, here by as much as F and w vary together",
        mean,
        sum(g) / 2 + bias,
        r"\frac{F_0 + F_1}{2} \cdot \frac{1}{2} \Big(\frac{g_0}{F_0} + \frac{g_1}{F_1}\Big)"
        r" = \frac{g_0 + g_1}{2} + \frac{F_0 - F_1}{4} \Big(\frac{g_1}{F_1} - \frac{g_0}{F_0}\Big)",
    )


def lines_point_10():
    critic = Critic()
    b = table("b", n_states=critic.n_states)
    logs = critic.pi.applyfunc(sp.log)
    for k, (w, theta) in enumerate(zip(critic.w, critic.policy.parameters, strict=True)):
        yield Line(
            f"SC.w + b(s, a) meets (17.1) in w_{k}",
            (critic.values(critic.w) + b).diff(w),
            logs.diff(theta),
            r"\pd{}{w_k} (\SC \cdot w + b) = \pd{\log \pi}{\theta_k}",
        )
    with_offset = critic.slope(critic.values(critic.w) + b)
    yield Line(
        "its gradient is FIM w + sum rho pi SC b",
        with_offset,
        critic.fisher * critic.w + critic.correlation(b),
        r"\slope (\SC \cdot w + b) = \FIM \, w + \all \SC \, b",
    )
    w = critic.solve(critic.correlation(critic.Q - b))
    exact = critic.fisher * w + critic.correlation(b)
    yield Line(
        "which is exact at the w that fits Q - b",
        exact,
        critic.slope(critic.Q),
        r"\FIM \, w_b + \all \SC \, b = \slope Q, \qquad \FIM \, w_b = \all \SC \, (Q - b)",
    )
    natural = critic.solve(critic.slope(critic.Q))
    yield Line(
        "but its w is off by FIM^-1 sum rho pi SC b",
        natural - w,
        critic.solve(critic.correlation(b)),
        r"w - w_b = \FIM^{-1} \all \SC \, b",
    )
    v = column("v", length=critic.n_states)
    yield Line(
        "which is 0 if b depends on s alone",
        critic.correlation(sp.Matrix.hstack(v, v)),
        sp.zeros(2, 1),
        r"\all \SC \, b(s) = 0",
    )
