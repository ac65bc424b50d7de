"""Owns the named problems with letters and the proofs of what is said of them; and two further theorems."""

from __future__ import annotations

import sympy as sp

from pgtlab.letters.alphabet import column
from pgtlab.letters.finite import (
    SymbolicProblem,
    action_values,
    chain,
    expected_return,
    next_values,
    over_actions,
    policy_gradient,
    problem,
    state_values,
    state_visitation,
    values,
    visitation,
)
from pgtlab.letters.gaussian import linear_quadratic
from pgtlab.letters.policies import any_policy, softmax
from pgtlab.letters.proof import Line, proofs
from pgtlab.letters.s07_s08 import where_after


def visits(mdp, n, discount):
    """Return the expected visits of the first n steps, a visit at t counted discount^t, as a row."""
    return sum((discount**t * where_after(mdp, t) for t in range(n)), sp.zeros(1, mdp.n_states))


def score_mean(where, mdp, score, f):
    """Return the sum over the visits of pi SC f, for one parameter."""
    return where.dot(over_actions(mdp.policy, score.multiply_elementwise(f)))


def short_corridor(p):
    """Return the short corridor where "right" has probability p in all three states."""
    right = sp.Matrix([[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    left = sp.Matrix([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    policy = sp.Matrix([[p, 1 - p]] * 3)
    return SymbolicProblem((right, left), -sp.ones(3, 2), policy, sp.Matrix([1, 0, 0]), sp.S.One)


def now_or_later():
    """Return policy and problem: later pays L in the next state, now pays N and ends."""
    early, late = sp.symbols("N L")
    policy = softmax([[[1], [0]], [[0], [0]]])
    transition = (sp.Matrix([[0, 1], [0, 0]]), sp.zeros(2, 2))
    reward = sp.Matrix([[0, early], [late, late]])
    return policy, SymbolicProblem(transition, reward, policy.probs, sp.Matrix([1, 0]), sp.Symbol("gamma"))


def one_knob():
    """Return policy and problem: one knob for two states in turn, 1 and then -c, or nothing."""
    policy = softmax([[[1], [0]], [[1], [0]]])
    onward = sp.Matrix([[0, 1], [0, 0]])
    reward = sp.Matrix([[1, 0], [-sp.Symbol("c"), 0]])
    return policy, SymbolicProblem(
        (onward, onward), reward, policy.probs, sp.Matrix([1, 0]), sp.Symbol("gamma")
    )


def two_states(p, q):
    """Return the two states, of which one is left with probability 1 - p and the other with 1 - q."""
    stay, switch = sp.eye(2), sp.Matrix([[0, 1], [1, 0]])
    policy = sp.Matrix([[p, 1 - p], [q, 1 - q]])
    reward = sp.Matrix([[1, 0], [2, 0]])
    return SymbolicProblem((stay, switch), reward, policy, sp.Matrix([1, 0]), sp.Symbol("gamma"))


def lines_short_corridor():
    """Yield what is known of the short corridor."""
    p, half = sp.Symbol("p"), sp.Rational(1, 2)
    J, best = expected_return(short_corridor(p)), 2 - sp.sqrt(2)
    yield Line("J for any p", J, -2 * (2 - p) / (p * (1 - p)), r"J = -\frac{2 (2 - p)}{p (1 - p)}")
    yield Line(
        "its slope is 0 at p = 2 - sqrt 2, between 0 and 1",
        J.diff(p).subs(p, best),
        sp.S.Zero,
        r"\pd{J}{p} \Big|_{p = 2 - \sqrt{2}} = 0",
    )
    yield Line("and J there", J.subs(p, best), -(6 + 4 * sp.sqrt(2)), r"J(2 - \sqrt{2}) = -(6 + 4 \sqrt{2})")
    fair = short_corridor(half)
    yield Line("p = 1/2: V", state_values(fair), sp.Matrix([-12, -10, -6]), r"V = (-12, -10, -6)")
    yield Line("p = 1/2: rho", state_visitation(fair), sp.Matrix([6, 4, 2]), r"\rho = (6, 4, 2)")
    yield Line(
        "p = 1/2: Q",
        action_values(fair),
        sp.Matrix([[-11, -13], [-13, -7], [-1, -11]]),
        r"Q = \begin{pmatrix} -11 & -13 \\ -13 & -7 \\ -1 & -11 \end{pmatrix}",
    )
    policy = softmax([[[1], [0]]] * 3)
    slope = policy_gradient(fair, policy)[0].subs(policy.parameters[0], 0)
    yield Line("and the gradient in the log odds", slope, sp.Integer(2), r"\d{J} = 2")


def lines_now_or_later():
    """Yield the gradients of now or later."""
    policy, mdp = now_or_later()
    rho, (score,) = state_visitation(mdp), policy.scores
    early, late = mdp.reward[0, 1], mdp.reward[1, 0]
    fisher = score_mean(rho, mdp, score, score)
    natural = policy_gradient(mdp, policy)[0] / fisher
    yield Line(
        "now or later: the natural gradient", natural, mdp.discount * late - early, r"\nat  J = \gamma L - N"
    )
    yield Line(
        "where the literal update rests",
        score_mean(rho, mdp, score, mdp.reward) / fisher,
        -early,
        r"\bar w = -N",
    )


def lines_one_knob():
    """Yield the gradients of one knob, and what they turn into without gamma^t."""
    policy, mdp = one_knob()
    c, gamma, (score,), theta = sp.Symbol("c"), mdp.discount, policy.scores, policy.parameters[0]
    slope, Q = policy.derivatives[0][0, 0], action_values(mdp)
    true = expected_return(mdp).diff(theta)
    yield Line(
        "one knob: the gradient", true, slope * (1 - gamma * c), r"\d{J} = \d{\pi_{00}} \, (1 - \gamma c)"
    )
    without = score_mean(visits(mdp, 2, sp.S.One), mdp, score, Q)
    yield Line(
        "one knob: what it is without gamma^t",
        without,
        slope * (1 - c),
        r"\sum_t E[\SC_t \, Q(s_t,a_t)] = \d{\pi_{00}} \, (1 - c)",
    )
    fisher = score_mean(visits(mdp, 2, gamma), mdp, score, score)
    yield Line(
        "one knob: the natural gradient",
        true / fisher,
        (1 - gamma * c) / (1 + gamma),
        r"\nat  J = \frac{1 - \gamma c}{1 + \gamma}",
    )
    squared = visits(mdp, 2, gamma**2)
    published = score_mean(squared, mdp, score, Q) / score_mean(squared, mdp, score, score)
    yield Line(
        "one knob: the episodic one as published",
        published,
        (1 - gamma**2 * c) / (1 + gamma**2),
        r"w = \frac{1 - \gamma^2 c}{1 + \gamma^2}",
    )


def _lines_two_states():
    p, q = sp.symbols("p q")
    mdp = two_states(p, q)
    J, gamma = expected_return(mdp), mdp.discount
    above = p * (1 - gamma * q) + 2 * gamma * q * (1 - p)
    below = (1 - gamma * p) * (1 - gamma * q) - gamma**2 * (1 - p) * (1 - q)
    yield Line(
        "J for any p and q",
        J,
        above / below,
        r"J = \frac{p (1 - \gamma q) + 2 \gamma q (1 - p)}"
        r"{(1 - \gamma p)(1 - \gamma q) - \gamma^2 (1 - p)(1 - q)}",
    )
    yield Line(
        "the best: leave the first state, stay in the second",
        J.subs({p: 0, q: 1}),
        2 * gamma / (1 - gamma),
        r"J(0, 1) = \frac{2 \gamma}{1 - \gamma}",
    )
    # In the log odds of staying, dp = p (1 - p) and SC = (1 - p, -p), so FIM_ss = rho(s) p (1 - p).
    rho, Q, stay = state_visitation(mdp), action_values(mdp), sp.Matrix([p, q])
    chance = stay.applyfunc(lambda each: each * (1 - each))
    slope = chance.multiply_elementwise(sp.Matrix([J.diff(each) for each in (p, q)]))
    better = Q[:, 0] - Q[:, 1]
    flat = sp.Matrix([rho[s] * chance[s] * better[s] for s in range(2)])
    yield Line(
        "the gradient has the factors rho p (1 - p), hence the plateau",
        slope,
        flat,
        r"\pd{J}{\theta_s} = \rho(s) \, p_s (1 - p_s) \, \big(Q(s, \text{stay}) - Q(s, \text{switch})\big)",
    )
    natural = sp.Matrix([slope[s] / (rho[s] * chance[s]) for s in range(2)])
    yield Line(
        "the natural gradient has not: Q of staying, less Q of switching",
        natural,
        better,
        r"\nat_s J = Q(s, \text{stay}) - Q(s, \text{switch})",
    )


def _lines_linear_quadratic():
    lq = linear_quadratic()
    gamma, a, b, k, q, r = lq.discount, lq.drift, lq.control, lq.gain, lq.state_cost, lq.action_cost
    P, X = lq.curvature, sp.Symbol("P", positive=True)
    # The best gain, and below its Riccati equation, for a P that is any number.
    at = -gamma * a * b * X / (r + gamma * b**2 * X)
    steep = -2 * ((r + gamma * b**2 * P) * k + gamma * a * b * P) * lq.second_moment
    yield Line(
        "dJ/dk",
        lq.expected_return.diff(k),
        steep,
        r"\pd{J}{k} = -2 \big((r + \gamma b^2 P) k + \gamma a b P\big) \, \Sigma",
    )
    yield Line(
        "is 0 where k = -gamma a b P / (r + gamma b^2 P)",
        (r + gamma * b**2 * X) * at + gamma * a * b * X,
        sp.S.Zero,
        r"(r + \gamma b^2 P) \, k^* + \gamma a b P = 0",
    )
    # P = q + r k^2 + gamma c^2 P
    riccati = q + gamma * a**2 * X - (gamma * a * b * X) ** 2 / (r + gamma * b**2 * X)
    yield Line(
        "and with it P solves the Riccati equation",
        q + r * at**2 + gamma * (a + b * at) ** 2 * X,
        riccati,
        r"q + r {k^*}^2 + \gamma (a + b k^*)^2 P"
        r" = q + \gamma a^2 P - \frac{(\gamma a b P)^2}{r + \gamma b^2 P}",
    )
    cross = lq.policy_mean(lq.scores[0] * lq.scores[1])
    yield Line(
        "k and log sigma do not meet in the Fisher information",
        cross,
        sp.S.Zero,
        r"\int \pi \, \SC_k \, \SC_{\log \sigma} \, du = 0",
    )
    # The deterministic policy gradient, INT rho(x) dQ/du x dx at u = k x, is the limit for sigma -> 0.
    climb = (lq.action_values.diff(lq.action)).subs(lq.action, k * lq.state) * lq.state
    deterministic = lq.visit_sum(climb)
    yield Line(
        "the slope of Q along the mean action gives the same gradient",
        deterministic,
        steep,
        r"\int \rho(x) \, \pd{Q(x,u)}{u} \Big|_{u = k x} x \, dx = \pd{J}{k}",
    )
    step = k - 2 * ((r + gamma * b**2 * P) * k + gamma * a * b * P) / (2 * (r + gamma * b**2 * P))
    greedy = -gamma * a * b * P / (r + gamma * b**2 * P)
    yield Line(
        "one natural step of the right size is one step of policy iteration",
        step,
        greedy,
        r"k + \frac{\nat_k J}{2 \sigma^2 (r + \gamma b^2 P)} = -\frac{\gamma a b P}{r + \gamma b^2 P}",
    )


def _lines_performance_difference():
    P, r, p0, gamma = chain()
    V = column("V")
    gained = visitation(P, p0, gamma).dot(r + gamma * P * V - V)
    yield Line(
        "whatever V is: J' - p_0 . V is rho' . (r' + gamma P' V - V)",
        p0.dot(values(P, r, gamma) - V),
        gained,
        r"p_0^\top (V' - V) = {\rho'}^\top (r' + \gamma P' V - V)",
    )
    mdp = problem()
    backed_up = mdp.mixed_reward + mdp.discount * mdp.mixed_transition * V - V
    A = action_values(mdp, V) - sp.Matrix.hstack(V, V)
    yield Line(
        "with the V of pi the bracket is sum_a pi' A",
        backed_up,
        over_actions(mdp.policy, A),
        r"r' + \gamma P' V - V = \sum_a \pi'(s,a) \, A(s,a)",
    )


def _lines_average_reward():
    # Two states that are never left for good: what an action does not keep it sends to the other.
    policy = any_policy()
    mdp, theta = problem().with_policy(policy), policy.parameters[0]
    closed = {each[s, 1]: 1 - each[s, 0] for each in mdp.transition for s in range(2)}
    transition = tuple(each.subs(closed) for each in mdp.transition)
    mdp = SymbolicProblem(transition, mdp.reward, mdp.policy, mdp.initial, mdp.discount)
    P, r, one = mdp.mixed_transition, mdp.mixed_reward, sp.ones(2, 1)
    leave = P[0, 1] + P[1, 0]
    mu = sp.Matrix([P[1, 0], P[0, 1]]) / leave
    yield Line("the stationary distribution stays as it is", P.T * mu, mu, r"P^\top \mu = \mu")
    eta = mu.dot(r)
    # V up to a constant: one number, how much better the first state is.
    h = sp.Matrix([(r[0] - r[1]) / leave, 0])
    yield Line("differential values: h = r - eta + P h", h, r - eta * one + P * h, r"h = r - \eta + P h")
    dpi, Q = mdp.policy.diff(theta), mdp.reward + next_values(mdp, h)
    yield Line(
        "d eta is sum mu sum dpi Q, with no d mu",
        eta.diff(theta),
        mu.dot(over_actions(dpi, Q)),
        r"\d{\eta} = \sum_s \mu(s) \sum_a \d{\pi(s,a)} \, Q(s,a)",
    )
    discounted = (1 - mdp.discount) * visitation(P, mdp.initial, mdp.discount)
    share = discounted.applyfunc(lambda each: sp.cancel(each).subs(mdp.discount, 1))
    yield Line(
        "mu is what (1 - gamma) rho becomes at gamma = 1",
        share,
        mu,
        r"\lim_{\gamma \to 1} (1 - \gamma) \, \rho = \mu",
    )


#: Proofs of what is known of the problems of `gallery`, by their names.
GALLERY_PROOFS = proofs(
    {
        "linear_quadratic": _lines_linear_quadratic,
        "now_or_later": lines_now_or_later,
        "one_knob": lines_one_knob,
        "short_corridor": lines_short_corridor,
        "two_states": _lines_two_states,
    }
)

#: Proofs of theorems that the slides do not have, by name.
FURTHER_PROOFS = proofs(
    {
        "average reward": _lines_average_reward,
        "performance difference": _lines_performance_difference,
    }
)
