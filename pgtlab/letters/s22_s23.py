"""Owns the proofs of S22 and S23: Fisher information, natural gradient, and the last page's algorithm."""

from __future__ import annotations

import sympy as sp

from pgtlab.letters.alphabet import column, combined, in_motion, table
from pgtlab.letters.finite import over_actions, path_mean, problem
from pgtlab.letters.gaussian import linear_quadratic, log_normal
from pgtlab.letters.policies import any_policy, softmax
from pgtlab.letters.proof import Line
from pgtlab.letters.s07_s08 import where_after
from pgtlab.letters.s17_s21 import Critic, gradient_in


def lines_22_1():
    critic = Critic()
    with_scores = sp.Matrix(
        [critic.over_visits(score.multiply_elementwise(critic.values(critic.w))) for score in critic.scores]
    )
    yield Line(
        "dpi = pi SC and Q_w = SC^T w",
        critic.slope(critic.values(critic.w)),
        with_scores,
        r"\slope Q_w = \all \SC \, (\SC^\top «w»)",
    )
    w = critic.solve(critic.correlation(critic.Q))
    here = with_scores.subs(dict(zip(critic.w, w, strict=True)))
    yield Line(
        "at the w of (17.2) the left side is the gradient, by (17.3)",
        critic.slope(critic.Q),
        here,
        r"\slope Q = \all \SC \, (\SC^\top «w»)",
    )


def lines_22_2():
    critic = Critic()
    inside, outside = sp.zeros(2, 1), sp.zeros(2, 2)
    for s in range(critic.n_states):
        for a in range(2):
            SC, weight = sp.Matrix([score[s, a] for score in critic.scores]), critic.rho[s] * critic.pi[s, a]
            inside += weight * SC * (SC.T * critic.w)
            outside += weight * SC * SC.T
    yield Line(
        "SC (SC^T w) is (SC SC^T) w, and w does not depend on s and a",
        inside,
        outside * critic.w,
        r"\all \SC \, (\SC^\top «w») = \Big(\all \SC \, \SC^\top\Big) «w»",
    )


def lines_22_3():
    critic = Critic()
    yield Line(
        "sum rho dpi Q_w is FIM w",
        critic.slope(critic.values(critic.w)),
        critic.fisher * critic.w,
        r"\slope Q_w = \FIM \, «w»",
    )
    logs, theta = critic.pi.applyfunc(sp.log), critic.policy.parameters
    curved = sp.Matrix(2, 2, lambda k, l: -critic.over_visits(logs.diff(theta[k]).diff(theta[l])))
    yield Line(
        "FIM is also minus the mean second derivative of log pi",
        critic.fisher,
        curved,
        r"\FIM = -\all \frac{\partial^2 \log \pi}{\partial \theta^2}",
    )
    lq = linear_quadratic()
    products = sp.Matrix(2, 2, lambda k, l: lq.policy_mean(lq.scores[k] * lq.scores[l]))
    yield Line(
        "Gaussian policy: the integrals of SC SC^T",
        products,
        sp.diag(lq.state**2 / lq.std**2, 2),
        r"\int \pi \, \SC \, \SC^\top du = \mathrm{diag}(x^2 / \sigma^2, \, 2)",
    )
    summed = products.applyfunc(lq.visit_sum)
    closed = sp.diag(lq.second_moment / lq.std**2, 2 / (1 - lq.discount))
    yield Line(
        "linear-quadratic: summed over the visits",
        summed,
        closed,
        r"\FIM = \mathrm{diag}\big(\Sigma / \sigma^2, \, 2 / (1 - \gamma)\big)",
    )


def lines_23_1():
    yield from _lines_divergence()
    F = sp.Matrix(2, 2, sp.symbols("F_00 F_01 F_01 F_11"))
    n, d = column("n"), column("d")
    g = F * n
    gap = (n.T * F * n)[0] * (d.T * F * d)[0] - g.dot(d) ** 2
    square = F.det() * (n[0] * d[1] - n[1] * d[0]) ** 2
    reason = (
        "g = F n: of all d with the length d^T F d of n, none climbs faster; the gap is det F times a square"
    )
    yield Line(
        reason, gap, square, r"(n^\top F n)(d^\top F d) - (g \cdot d)^2 = \det F \, (n_0 d_1 - n_1 d_0)^2"
    )
    T = sp.Matrix(2, 2, sp.symbols("T_00 T_01 T_10 T_11"))
    in_others = (T.T * F * T).adjugate() * (T.T * g) / (T.T * F * T).det()
    yield Line(
        "in other parameters, theta = T eta, it is the same direction",
        T * in_others,
        n,
        r"T \, (T^\top F T)^{-1} \, T^\top g = n",
    )


def _lines_divergence():
    """Yield that the divergence of two policies is the Fisher information to second order."""
    critic = Critic()
    theta, still = critic.policy.parameters, table("kept", n_states=critic.n_states)
    nats = critic.pi.applyfunc(lambda each: -sp.log(each))
    divergence = critic.rho.dot(over_actions(still, nats))
    here = dict(zip(still, critic.pi, strict=True))
    slope = gradient_in(theta, divergence).subs(here)
    yield Line(
        "the divergence KL(pi, pi') has slope 0 at pi' = pi",
        slope,
        sp.zeros(2, 1),
        r"\pd{}{\theta'} \sum_s \rho \, \mathrm{KL}(\pi, \pi') \Big|_{\theta' = \theta} = 0",
    )
    curvature = sp.Matrix(2, 2, lambda k, l: divergence.diff(theta[k]).diff(theta[l]).subs(here))
    yield Line(
        "and FIM for its second derivative",
        curvature,
        critic.fisher,
        r"\frac{\partial^2}{\partial \theta'^2} \sum_s \rho \, \mathrm{KL}(\pi, \pi') \Big|_{\theta'"
        r" = \theta} = \FIM",
    )
    lq = linear_quadratic()
    x, k, sigma = lq.state, lq.gain, lq.std
    k_2, sigma_2 = sp.Symbol("k'", real=True), sp.Symbol("sigma'", positive=True)
    nats = lq.policy_mean(lq.log_density - log_normal(lq.action, k_2 * x, sigma_2**2))
    closed = sp.log(sigma_2 / sigma) + (sigma**2 + (k - k_2) ** 2 * x**2) / (2 * sigma_2**2) - sp.S.Half
    yield Line(
        "Gaussian policy: the integral",
        nats,
        sp.expand_log(closed),
        r"\mathrm{KL}(\pi, \pi')"
        r" = \log \frac{{\sigma'}}{\sigma} + \frac{\sigma^2 + (k - k')^2 x^2}{2 {\sigma'}^2} - \frac{1}{2}",
    )
    h, t = sp.symbols("h t", real=True)
    near = nats.subs({k_2: k + h, sigma_2: sigma * sp.exp(t)})
    second = sp.Matrix(2, 2, lambda i, j: near.diff((h, t)[i]).diff((h, t)[j]).subs({h: 0, t: 0}))
    yield Line(
        "and its second derivative in k and log sigma",
        second,
        sp.diag(x**2 / sigma**2, 2),
        r"\frac{\partial^2 \mathrm{KL}}{\partial (k, \log \sigma)^2} = \mathrm{diag}(x^2 / \sigma^2, \, 2)",
    )


def lines_23_2():
    critic = Critic()
    w = critic.solve(critic.correlation(critic.Q))
    yield Line(
        "FIM w is the gradient, at the w of (17.2)",
        critic.fisher * w,
        critic.slope(critic.Q),
        r"\FIM \, «w» = \slope Q",
    )
    solved = critic.solve(critic.slope(critic.values(critic.w)))
    yield Line("and FIM^-1 of the gradient (17.3) is w", solved, critic.w, r"\FIM^{-1} \slope Q_w = «w»")
    lq = linear_quadratic()
    gamma, a, b, k, r, P, sigma = (
        lq.discount,
        lq.drift,
        lq.control,
        lq.gain,
        lq.action_cost,
        lq.curvature,
        lq.std,
    )
    natural = natural_of(lq, lq.action_values)
    in_k = -2 * sigma**2 * ((r + gamma * b**2 * P) * k + gamma * a * b * P)
    yield Line(
        "linear-quadratic: the natural step of the gain",
        natural[0],
        in_k,
        r"\nat_k J = -2 \sigma^2 \big((r + \gamma b^2 P) k + \gamma a b P\big)",
    )
    yield Line(
        "and of log sigma",
        natural[1],
        -(sigma**2) * (r + gamma * b**2 * P),
        r"\nat_{\log \sigma} J = -\sigma^2 (r + \gamma b^2 P)",
    )


def natural_of(lq, f):
    """Return FIM^-1 of the integral of rho pi SC f for the linear-quadratic problem; FIM is diagonal."""
    return sp.Matrix(
        [
            lq.visit_sum(lq.policy_mean(score * f)) / lq.visit_sum(lq.policy_mean(score**2))
            for score in lq.scores
        ]
    )


def lines_23_3():
    mdp, _ = in_motion()
    pi, R, gamma = mdp.policy, mdp.reward, mdp.discount
    score, w = any_policy().scores[0], sp.Symbol("w")

    def following(steps, t):
        return score[steps[t + 1]] if t + 1 < len(steps) else sp.S.Zero

    def updates(steps, n):
        return sum(
            gamma**t * (score[x] * w - R[x] - gamma * following(steps, t) * w) * score[x]
            for t, x in enumerate(steps[:n])
        )

    bootstrap = path_mean(mdp, 2, lambda steps: following(steps, 0) * score[steps[0]])
    yield Line(
        "whatever SC_t is, SC_(t+1) is 0 on average: the bootstrap term goes",
        bootstrap,
        sp.S.Zero,
        r"E[\SC_1 \, \SC_0] = 0",
    )
    mean = over_actions(pi, (score * w - R).multiply_elementwise(score))
    for n in (1, 2):
        visits = sum((gamma**t * where_after(mdp, t) for t in range(n)), sp.zeros(1, 2))
        along = path_mean(mdp, n + 1, lambda steps, n=n: updates(steps, n))
        reason = (
            f"the mean update of {n} step{'s'[: n > 1]}, over all paths, knows the immediate reward alone"
        )
        yield Line(
            reason,
            along,
            visits.dot(mean),
            r"E\Big[\sum_{t<n} \gamma^t \, (\SC_t w - r_t - \gamma \, \SC_{t+1} w) \SC_t\Big]"
            r" = \sum_{t<n} \gamma^t \sum_s (p_0^\top P^t)_s \sum_a \pi \, (\SC \, w - R^a_s) \SC",
        )
    critic = Critic()
    R = problem(critic.n_states).reward
    mean = critic.correlation(critic.values(critic.w) - R)
    fixed = critic.solve(critic.correlation(R))
    yield Line(
        "all steps: it is FIM (w - FIM^-1 sum rho pi SC R)",
        mean,
        critic.fisher * (critic.w - fixed),
        r"\all (\SC \cdot w - R^a_s) \SC = \FIM \, (w - \bar w), \qquad \FIM \, \bar w = \all \SC \, R^a_s",
    )
    yield Line(
        "so it rests where FIM w is sum rho dpi R",
        critic.fisher * fixed,
        critic.slope(R),
        r"\FIM \, \bar w = \slope R^a_s",
    )
    lq = linear_quadratic()
    myopic = natural_of(lq, lq.reward)
    r, k, sigma = lq.action_cost, lq.gain, lq.std
    yield Line(
        "linear-quadratic: where it rests",
        myopic,
        sp.Matrix([-2 * r * k * sigma**2, -r * sigma**2]),
        r"\bar w = (-2 r k \sigma^2, \, -r \sigma^2)",
    )


def lines_23_4():
    critic = Critic()
    logs = critic.pi.applyfunc(sp.log)
    moved = combined(critic.w, [logs.diff(each) for each in critic.policy.parameters])
    yield Line(
        "along w, log pi changes at the rate Q_w",
        moved,
        critic.values(critic.w),
        r"\sum_i w_i \, \pd{\log \pi}{\theta_i} = Q_w",
    )
    climb = critic.slope(critic.values(critic.w)).dot(critic.w)
    squares = critic.over_visits(critic.values(critic.w).applyfunc(lambda each: each**2))
    yield Line(
        "and J at the rate w^T FIM w, a sum of squares: never downhill",
        climb,
        squares,
        r"\d{J} \cdot w = \all Q_w^2",
    )
    policy, alpha = softmax(), sp.Symbol("alpha")
    w = sp.symbols("w_00 w_01 w_10 w_11")
    step = {theta: theta + alpha * each for theta, each in zip(policy.parameters, w, strict=True)}
    after = policy.probs.subs(step, simultaneous=True)
    tilted = sp.Matrix(2, 2, lambda s, a: policy.probs[s, a] * sp.exp(alpha * w[2 * s + a]))
    shares = sp.Matrix(2, 2, lambda s, a: tilted[s, a] / sum(tilted[s, :]))
    yield Line(
        "tabular softmax: the new policy is proportional to pi exp(alpha w)",
        after,
        shares,
        r"\pi_{\theta + \alpha w}(s,a)"
        r" = \frac{\pi(s,a) \, e^{\alpha w_{s,a}}}{\sum_b \pi(s,b) \, e^{\alpha w_{s,b}}}",
    )
