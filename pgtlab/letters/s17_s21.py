"""Owns the proofs of S17 to S21: compatible critics, the sampled gradient, and baselines."""

from __future__ import annotations

import sympy as sp

from pgtlab.letters.alphabet import column, combined, in_motion, table
from pgtlab.letters.finite import (
    chain,
    over_actions,
    path_mean,
    policy_gradient,
    state_values,
    visitation,
)
from pgtlab.letters.gaussian import linear_quadratic
from pgtlab.letters.policies import any_policy, softmax
from pgtlab.letters.proof import Line
from pgtlab.letters.s07_s08 import where_after


class Critic:
    """Compatible critic SC.w of a policy that moves with two parameters, under any visits rho and any Q.

    With three states of two actions the advantage has three degrees of freedom and the critic two, so that
    in general it is not exact, and the weights of the fit matter.
    """

    n_states = 3

    def __init__(self):
        self.policy = any_policy(2, n_states=self.n_states)
        self.pi, self.dpi, self.scores = self.policy.probs, self.policy.derivatives, self.policy.scores
        self.rho, self.w = column("rho", length=self.n_states), column("w")
        self.Q = table("Q", n_states=self.n_states)

    def values(self, w):
        """Return Q(s, a; w) = SC(s, a) . w, shape (S, A)."""
        return combined(w, self.scores)

    def over_visits(self, f):
        """Return the sum of rho(s) pi(s, a) f(s, a)."""
        return self.rho.dot(over_actions(self.pi, f))

    def correlation(self, f):
        """Return the sum of rho pi SC f, one entry a parameter."""
        return sp.Matrix([self.over_visits(score.multiply_elementwise(f)) for score in self.scores])

    def slope(self, f):
        """Return the sum of rho dpi f, one entry a parameter."""
        return sp.Matrix([self.rho.dot(over_actions(dpi, f)) for dpi in self.dpi])

    def error(self, values):
        """Return eps, the weighted square of Q - values."""
        return self.over_visits((self.Q - values).applyfunc(lambda each: each**2))

    @property
    def fisher(self):
        """The sum of rho pi SC SC^T, shape (2, 2)."""
        return sp.Matrix.hstack(*[self.correlation(score) for score in self.scores])

    def solve(self, g):
        """Return FIM^-1 g, by Cramer's rule."""
        a, b, c, d = self.fisher
        det = a * d - b * c
        return sp.Matrix([(d * g[0] - b * g[1]) / det, (a * g[1] - c * g[0]) / det])


def gradient_in(w, f):
    """Return the derivatives of f in the entries of w, as a column."""
    return sp.Matrix([sp.diff(f, each) for each in w])


def lines_17_1():
    critic = Critic()
    logs = critic.pi.applyfunc(sp.log)
    for k, (w, theta) in enumerate(zip(critic.w, critic.policy.parameters, strict=True)):
        Q_w = critic.values(critic.w)
        yield Line(
            f"SC.w meets the condition in w_{k}",
            Q_w.diff(w),
            logs.diff(theta),
            r"\pd{}{w_k} \SC(s,a) \cdot w = \pd{\log \pi(s,a)}{\theta_k}",
        )
    lq = linear_quadratic()
    w = column("w")
    Q_w = w[0] * lq.scores[0] + w[1] * lq.scores[1]
    in_theta = sp.Matrix([lq.log_density.diff(lq.gain), lq.std * lq.log_density.diff(lq.std)])
    yield Line(
        "and so it does for the Gaussian policy",
        gradient_in(w, Q_w),
        in_theta,
        r"\pd{}{w} \SC(x,u) \cdot w = \d{\log \pi(x,u)}",
    )


def lines_17_2():
    critic = Critic()
    slope = -2 * (critic.correlation(critic.Q) - critic.fisher * critic.w)
    error = critic.error(critic.values(critic.w))
    yield Line(
        "the derivative of eps in w",
        gradient_in(critic.w, error),
        slope,
        r"\pd{\varepsilon}{w} = -2 \Big(\all \SC \, Q - \FIM \, w\Big)",
    )
    h = column("h")
    further = critic.error(critic.values(critic.w + h)) - error
    squares = critic.over_visits(critic.values(h).applyfunc(lambda each: each**2))
    reason = "a step h from any w changes eps by its slope and a sum of squares"
    yield Line(
        reason,
        further,
        h.dot(slope) + squares,
        r"\varepsilon(w + h) - \varepsilon(w) = h \cdot \pd{\varepsilon}{w} + \all (\SC \cdot h)^2",
    )
    w = critic.solve(critic.correlation(critic.Q))
    reason = "the slope is 0 at w = FIM^-1 sum rho pi SC Q, which is therefore the least"
    yield Line(reason, critic.fisher * w, critic.correlation(critic.Q), r"\FIM \, w = \all \SC \, Q")


def lines_17_3():
    critic = Critic()
    yield Line(
        "sum rho dpi Q_w is FIM w, at any w",
        critic.slope(critic.values(critic.w)),
        critic.fisher * critic.w,
        r"\slope «Q_w» = \FIM \, w",
    )
    w = critic.solve(critic.correlation(critic.Q))
    yield Line(
        "which at the w of (17.2) is sum rho dpi Q",
        critic.fisher * w,
        critic.slope(critic.Q),
        r"\FIM \, w = \slope «Q»",
    )
    yield _gradient_is("and that is dJ, for rho and Q of the policy")


def _gradient_is(reason):
    mdp, theta = in_motion()
    dJ = mdp.initial.dot(state_values(mdp).diff(theta))
    return Line(
        reason,
        dJ,
        policy_gradient(mdp, any_policy())[0],
        r"\d{J} = \sum_s \rho(s) \sum_a \d{\pi(s,a)} \, Q(s,a)",
    )


def lines_18_1():
    critic = Critic()
    Q_w = table("Q_w", *critic.w, n_states=critic.n_states)
    for k, w in enumerate(critic.w):
        left = critic.error(Q_w).diff(w)
        right = -2 * critic.over_visits((critic.Q - Q_w).multiply_elementwise(Q_w.diff(w)))
        yield Line(
            f"the derivative of eps in w_{k}, whatever Q_w is",
            left,
            right,
            r"\pd{\varepsilon}{w_k} = -2 \all (Q - «Q_w») \, \pd{Q_w}{w_k}",
        )


def lines_18_2():
    critic = Critic()
    Q_w = critic.values(critic.w)
    rest = critic.Q - Q_w
    left = [critic.over_visits(rest.multiply_elementwise(Q_w.diff(w))) for w in critic.w]
    yield Line(
        "dQ_w/dw is the score",
        sp.Matrix(left),
        critic.correlation(rest),
        r"\all (Q - «Q_w») \, \pd{Q_w}{w} = \all (Q - «Q_w») \SC",
    )
    stationary = gradient_in(critic.w, critic.error(Q_w))
    yield Line(
        "so this is what vanishes where eps is least",
        stationary,
        -2 * critic.correlation(rest),
        r"\pd{\varepsilon}{w} = -2 \all (Q - «Q_w») \SC",
    )


def lines_18_3():
    critic = Critic()
    Q_w = critic.values(critic.w)
    split = critic.correlation(critic.Q) - critic.correlation(Q_w)
    yield Line(
        "the difference is taken apart",
        critic.correlation(critic.Q - Q_w),
        split,
        r"\all (Q - «Q_w») \SC = \all Q \, \SC - \all «Q_w» \SC",
    )
    yield Line(
        "its second part is FIM w",
        critic.correlation(Q_w),
        critic.fisher * critic.w,
        r"\all «Q_w» \SC = \FIM \, w",
    )
    w = critic.solve(critic.correlation(critic.Q))
    yield Line(
        "so the two are equal at the w of (17.2)",
        critic.fisher * w,
        critic.correlation(critic.Q),
        r"\FIM \, w = \all \SC \, Q",
    )


def lines_19_1():
    critic = Critic()
    for k, (score, dpi) in enumerate(zip(critic.scores, critic.dpi, strict=True)):
        yield Line(
            f"dpi = pi dlog pi, parameter {k}",
            critic.pi.multiply_elementwise(score),
            dpi,
            r"\pi \, \pd{\log \pi}{\theta_k} = \pd{\pi}{\theta_k}",
        )
    yield Line(
        "so sum rho pi SC Q is sum rho dpi Q",
        critic.correlation(critic.Q),
        critic.slope(critic.Q),
        r"\all \SC \, «Q» = \slope «Q»",
    )
    yield _gradient_is("which is dJ, by (9.1)")


def lines_19_2():
    critic = Critic()
    Q_w = critic.values(critic.w)
    yield Line(
        "the same for Q_w, at any w",
        critic.correlation(Q_w),
        critic.slope(Q_w),
        r"\all \SC \, «Q_w» = \slope «Q_w»",
    )
    w = critic.solve(critic.correlation(critic.Q))
    yield Line(
        "Q.E.D.: at the w of (17.2)",
        critic.slope(critic.values(w)),
        critic.slope(critic.Q),
        r"\slope «Q_w» = \slope Q",
    )


def lines_20_1():
    mdp, _ = in_motion()
    score, gamma, w = any_policy().scores[0], mdp.discount, sp.Symbol("w")
    Q_w = score * w
    P, g = mdp.mixed_transition, over_actions(mdp.policy, score.multiply_elementwise(Q_w))
    for n in (1, 2, 3):
        sampled = path_mean(
            mdp, n, lambda steps: sum(gamma**t * score[x] * Q_w[x] for t, x in enumerate(steps))
        )
        visits = sum((gamma**t * where_after(mdp, t) for t in range(n)), sp.zeros(1, 2))
        reason = f"the mean over all paths of {n} step{'s'[: n > 1]} is the truncated gradient"
        yield Line(
            reason,
            sampled,
            visits.dot(g),
            r"E\Big[\sum_{t<n} \gamma^t \SC_t \, Q_w(s_t,a_t)\Big]"
            r" = \sum_{t<n} \gamma^t \sum_s (p_0^\top P^t)_s \sum_a \pi \, \SC \, Q_w",
        )
    # What an action contributes on average, g(s), may be anything here.
    P, _, p0, gamma = chain()
    rho, g = visitation(P, p0, gamma), column("g")
    for n in (1, 2):
        head = sum((gamma**t * (p0.T * P**t * g)[0] for t in range(n)), sp.S.Zero)
        left_out = gamma**n * ((P.T) ** n * rho).dot(g)
        yield Line(
            f"n = {n} terms, and what a horizon of {n} leaves out",
            rho.dot(g),
            head + left_out,
            r"\rho^\top g = \sum_{t<n} \gamma^t \, p_0^\top P^t g + \gamma^n \rho^\top P^n g",
        )


def lines_20_2():
    critic = Critic()
    pi, score, Q = critic.pi[0, :], critic.scores[0][0, :], critic.Q[0, :]
    b = sp.Symbol("b")

    def mean(f):
        return sum(pi[a] * f(a) for a in range(2))

    yield Line(
        "a baseline changes no mean",
        mean(lambda a: score[a] * (Q[a] - b)),
        mean(lambda a: score[a] * Q[a]),
        r"\sum_a \pi \, \SC \, (Q - b) = \sum_a \pi \, \SC \, Q",
    )
    best = mean(lambda a: score[a] ** 2 * Q[a]) / mean(lambda a: score[a] ** 2)
    square, square_at_best = (mean(lambda a, b=b: score[a] ** 2 * (Q[a] - b) ** 2) for b in (b, best))
    excess = mean(lambda a: score[a] ** 2) * (b - best) ** 2
    yield Line(
        "the mean square is least at b* = E[SC^2 Q] / E[SC^2]",
        square,
        square_at_best + excess,
        r"E[\SC^2 (Q - b)^2] = E[\SC^2 (Q - b^*)^2] + E[\SC^2] (b - b^*)^2",
    )
    with_b, without = (mean(lambda a, b=b: score[a] ** 2 * (Q[a] - b) ** 2) for b in (b, sp.S.Zero))
    drop = mean(lambda a: score[a] ** 2) * b * (2 * best - b)
    yield Line(
        "so b lowers the variance exactly if b (2 b* - b) > 0",
        without - with_b,
        drop,
        r"E[\SC^2 Q^2] - E[\SC^2 (Q - b)^2] = E[\SC^2] \, b \, (2 b^* - b)",
    )
    V, apart = mean(lambda a: Q[a]), (2 * pi[0] - 1) * (Q[1] - Q[0])
    yield Line(
        "with two actions, b* is V if they are equally likely, and else is apart",
        best - V,
        apart,
        r"b^* - V = (2 \pi_0 - 1) (Q_1 - Q_0)",
    )
    left = [score[a] * (Q[a] - best) for a in range(2)]
    yield Line(
        "with b* and two actions, no variance is left",
        left[0],
        left[1],
        r"\SC_0 \, (Q_0 - b^*) = \SC_1 \, (Q_1 - b^*)",
    )


def lines_20_3():
    mdp, theta = in_motion()
    pi, dpi, rho, v = mdp.policy, mdp.policy.diff(theta), column("rho"), column("v")
    state_alone = sp.Matrix.hstack(v, v)
    sums = over_actions(pi, sp.ones(2, 2))
    yield Line("the probabilities sum to 1", sums, sp.ones(2, 1), r"\sum_a \pi(s,a) = 1")
    inside = rho.dot(over_actions(dpi, state_alone))
    yield Line(
        "what depends on s alone leaves the sum over a",
        inside,
        sum(rho[s] * v[s] * sums[s].diff(theta) for s in (0, 1)),
        r"\sum_s \rho \sum_a \d{\pi} \, v(s) = \sum_s \rho \, v(s) \, \d{} \sum_a \pi",
    )
    yield Line("and the derivative of 1 is 0", inside, sp.S.Zero, r"\sum_s \rho \sum_a \d{\pi} \, v(s) = 0")
    score, gamma = any_policy().scores[0], mdp.discount
    for n in (1, 2):
        along = path_mean(
            mdp, n, lambda steps: sum(gamma**t * score[x] * v[x[0]] for t, x in enumerate(steps))
        )
        yield Line(
            f"over all paths of {n} step{'s'[: n > 1]}",
            along,
            sp.S.Zero,
            r"E\Big[\sum_{t<n} \gamma^t \SC_t \, v(s_t)\Big] = 0",
        )
    lq = linear_quadratic()
    f = sp.Function("v")(lq.state)
    means = sp.Matrix([lq.policy_mean(each * f) for each in lq.scores])
    yield Line(
        "Gaussian policy: the integrals", means, sp.zeros(2, 1), r"\int \pi(x,u) \SC(x,u) \, v(x) \, du = 0"
    )


def lines_21_1():
    critic = Critic()
    logs = critic.pi.applyfunc(sp.log)
    by_logs = combined(critic.w, [logs.diff(each) for each in critic.policy.parameters])
    yield Line(
        "linear in the score: sum_i w_i dlog pi / dtheta_i",
        critic.values(critic.w),
        by_logs,
        r"\SC \cdot w = \sum_i w_i \, \pd{\log \pi}{\theta_i}",
    )
    t = sp.Symbol("t")
    yield Line(
        "nothing but linear: t w gives t times as much",
        critic.values(t * critic.w),
        t * by_logs,
        r"\SC \cdot (t \, w) = t \, \SC \cdot w",
    )
    policy, w = softmax(), table("w")
    mean = over_actions(policy.probs, w)
    centred = sp.Matrix(2, 2, lambda s, a: w[s, a] - mean[s])
    yield Line(
        "tabular softmax: SC.w is w minus its mean in the state",
        combined(w, policy.scores),
        centred,
        r"\SC(s,a) \cdot w = w_{s,a} - \sum_b \pi(s,b) \, w_{s,b}",
    )


def lines_21_2():
    critic = Critic()
    mean, nothing = over_actions(critic.pi, critic.values(critic.w)), sp.zeros(critic.n_states, 1)
    yield Line("the mean of SC.w under pi", mean, nothing, r"\sum_a \pi(s,a) \SC(s,a) \cdot w = 0")
    sums = over_actions(critic.pi, sp.ones(*critic.pi.shape))
    by_sums = combined(critic.w, [sums.diff(each) for each in critic.policy.parameters])
    yield Line(
        "is the sum of w_i d(1)/dtheta_i",
        mean,
        by_sums,
        r"\sum_a \pi \, \SC \cdot w = \sum_i w_i \, \pd{}{\theta_i} \sum_a \pi",
    )
    V = over_actions(critic.pi, critic.Q)
    A = critic.Q - sp.Matrix.hstack(V, V)
    reason = "so Q and A have the same w: it approximates the advantage"
    yield Line(reason, critic.correlation(critic.Q), critic.correlation(A), r"\all \SC \, Q = \all \SC \, A")
    lq = linear_quadratic()
    means = sp.Matrix([lq.policy_mean(each) for each in lq.scores])
    yield Line("Gaussian policy: the mean score", means, sp.zeros(2, 1), r"\int \pi(x,u) \SC(x,u) \, du = 0")
