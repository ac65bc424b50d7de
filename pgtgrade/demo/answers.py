"""Owns what the made-up students wrote: right answers in several styles, classic slips, and derivations."""

from __future__ import annotations

#: Right answers to problem set 1, three styles of each.
RIGHT = {
    "greedy": (
        """\
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * P @ V
    best = Q >= Q.max(axis=1, keepdims=True) - 1e-9
    return best / best.sum(axis=1, keepdims=True)
""",
        """\
def greedy_improvement(P, R, gamma, V):
    S, A, _ = P.shape
    table = np.zeros((S, A))
    for s in range(S):
        q = [R[s, a] + gamma * np.dot(P[s, a], V) for a in range(A)]
        winners = [a for a in range(A) if max(q) - q[a] < 1e-9]
        for a in winners:
            table[s, a] = 1 / len(winners)
    return table
""",
        """\
def greedy_improvement(P, R, gamma, V):
    worth = R + gamma * np.einsum("sap,p->sa", P, V)
    tie = np.isclose(worth, worth.max(axis=1)[:, None], rtol=0, atol=1e-9)
    return tie.astype(float) / tie.sum(axis=1)[:, None]
""",
    ),
    "step-matrix": (
        """\
def step_matrix(P, probs, t):
    P_pi = (probs[:, :, None] * P).sum(axis=1)
    return np.linalg.matrix_power(P_pi, t)
""",
        """\
def step_matrix(P, probs, t):
    P_pi = np.einsum("sap,sa->sp", P, probs)
    result = np.eye(len(P))
    for _ in range(t):
        result = result @ P_pi
    return result
""",
        """\
def step_matrix(P, probs, t):
    S = len(P)
    one_step = np.array([[probs[s] @ P[s, :, p] for p in range(S)] for s in range(S)])
    return np.linalg.matrix_power(one_step, t)
""",
    ),
    "visits": (
        """\
def visits(P_pi, p0, gamma):
    S = len(p0)
    return np.linalg.solve(np.eye(S) - gamma * P_pi.T, p0)
""",
        """\
def visits(P_pi, p0, gamma):
    A = np.identity(P_pi.shape[0]) - gamma * P_pi
    return np.linalg.solve(A.T, p0)
""",
        """\
def visits(P_pi, p0, gamma):
    return p0 @ np.linalg.inv(np.eye(len(p0)) - gamma * P_pi)
""",
    ),
    "by-time": (
        """\
def by_time(P_pi, r_pi, p0, gamma, T):
    p = p0
    out = []
    for t in range(T):
        out.append(gamma**t * (p @ r_pi))
        p = p @ P_pi
    return np.array(out)
""",
        """\
def by_time(P_pi, r_pi, p0, gamma, T):
    powers = [np.linalg.matrix_power(P_pi, t) for t in range(T)]
    return np.array([gamma**t * p0 @ M @ r_pi for t, M in enumerate(powers)])
""",
        """\
def by_time(P_pi, r_pi, p0, gamma, T):
    terms = np.zeros(T)
    weight, where = 1.0, np.array(p0, dtype=float)
    for t in range(T):
        terms[t] = weight * np.sum(where * r_pi)
        weight *= gamma
        where = P_pi.T @ where
    return terms
""",
    ),
    "by-place": (
        """\
def by_place(P_pi, r_pi, p0, gamma):
    S = len(p0)
    rho = np.linalg.solve(np.eye(S) - gamma * P_pi.T, p0)
    return rho * r_pi
""",
        """\
def by_place(P_pi, r_pi, p0, gamma):
    return visits(P_pi, p0, gamma) * r_pi
""",
        """\
def by_place(P_pi, r_pi, p0, gamma):
    rho = p0 @ np.linalg.inv(np.eye(len(p0)) - gamma * P_pi)
    return np.array([rho[s] * r_pi[s] for s in range(len(p0))])
""",
    ),
    "small-step": (
        """\
def small_step(P, p0, gamma, probs, probs_new):
    rho = visits(step_matrix(P, probs, 1), p0, gamma)
    rho_new = visits(step_matrix(P, probs_new, 1), p0, gamma)
    delta = np.abs(probs_new - probs).sum(axis=1).max()
    return np.array([np.abs(rho_new - rho).sum(), gamma / (1 - gamma) ** 2 * delta])
""",
        """\
def small_step(P, p0, gamma, probs, probs_new):
    def occupancy(pi):
        P_pi = np.einsum("sa,sap->sp", pi, P)
        return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0)

    moved = np.linalg.norm(occupancy(probs_new) - occupancy(probs), 1)
    delta = max(np.abs(probs_new[s] - probs[s]).sum() for s in range(len(p0)))
    return moved, gamma * delta / (1 - gamma) ** 2
""",
        """\
def small_step(P, p0, gamma, probs, probs_new):
    both = [visits(step_matrix(P, pi, 1), p0, gamma) for pi in (probs, probs_new)]
    change = sum(abs(both[1] - both[0]))
    delta = np.max(np.sum(np.abs(probs - probs_new), axis=1))
    return [change, delta * gamma / (1 - gamma) ** 2]
""",
    ),
    "casino": (
        """\
def casino(n, p, q):
    P, win = np.zeros((n - 1, n - 1)), np.zeros(n - 1)
    for i in range(1, n):
        for k, w in ((1, 1 - q), (min(i, n - i), q)):
            if i + k == n:
                win[i - 1] += w * p
            else:
                P[i - 1, i + k - 1] += w * p
            if i - k > 0:
                P[i - 1, i - k - 1] += w * (1 - p)
    A = np.eye(n - 1) - P
    return np.column_stack([np.linalg.solve(A, win), np.linalg.solve(A, np.ones(n - 1))])
""",
        """\
def casino(n, p, q):
    # all coins from 0 to n, and then the two ends are cut off
    full = np.zeros((n + 1, n + 1))
    for coins in range(1, n):
        bold = min(coins, n - coins)
        full[coins, coins + 1] += (1 - q) * p
        full[coins, coins - 1] += (1 - q) * (1 - p)
        full[coins, coins + bold] += q * p
        full[coins, coins - bold] += q * (1 - p)
    inside, home = full[1:n, 1:n], full[1:n, n]
    return np.linalg.inv(np.eye(n - 1) - inside) @ np.stack([home, np.ones(n - 1)], axis=1)
""",
        """\
def casino(n, p, q):
    M = np.eye(n - 1)
    rhs = np.ones((n - 1, 2))
    rhs[:, 0] = 0
    def toss(i, stake, chance):
        up, down = i + stake, i - stake
        if up < n:
            M[i - 1, up - 1] -= chance * p
        else:
            rhs[i - 1, 0] += chance * p
        if down > 0:
            M[i - 1, down - 1] -= chance * (1 - p)
    for i in range(1, n):
        toss(i, 1, 1 - q)
        toss(i, min(i, n - i), q)
    return np.linalg.solve(M, rhs)
""",
    ),
}

#: Slips: the question, the style, what stands there, and what was written.
SLIPS = {
    "no discount": ("greedy", 0, "gamma * P @ V", "P @ V"),
    "one takes all": ("greedy", 1, "winners = [a for a in range(A) if max(q) - q[a] < 1e-9]",
                      "winners = [q.index(max(q))]"),
    "loose ties": ("greedy", 2, "rtol=0, atol=1e-9", "atol=1e-3"),
    "a step too many": ("step-matrix", 1, "range(t)", "range(t + 1)"),
    "entrywise": ("step-matrix", 0, "np.linalg.matrix_power(P_pi, t)", "P_pi**t"),
    "not transposed": ("visits", 0, "P_pi.T", "P_pi"),
    "normalised": ("visits", 2, "return p0", "return (1 - gamma) * p0"),
    "normalised, too": ("visits", 0, "return np", "return (1 - gamma) * np"),
    "late": ("by-time", 0, "gamma**t", "gamma ** (t + 1)"),
    "undiscounted": ("by-time", 1, "gamma**t * ", ""),
    "by start": ("by-place", 0, "return rho * r_pi",
                 "return p0 * np.linalg.solve(np.eye(S) - gamma * P_pi, r_pi)"),
    "total": ("by-place", 2, "return np.array([", "return sum(["),
    "half": ("small-step", 1, "gamma * delta", "gamma * 0.5 * delta"),
    "one factor": ("small-step", 0, "/ (1 - gamma) ** 2", "/ (1 - gamma)"),
    "one factor, too": ("small-step", 2, "/ (1 - gamma) ** 2", "/ (1 - gamma)"),
    "swapped": ("casino", 0, "((1, 1 - q), (min(i, n - i), q))", "((1, q), (min(i, n - i), 1 - q))"),
    "too bold": ("casino", 1, "bold = min(coins, n - coins)", "bold = coins"),
    "no tosses": ("casino", 2, "rhs = np.ones((n - 1, 2))", "rhs = np.zeros((n - 1, 2))"),
}  # fmt: skip

#: Code that is wrong in another way than by a slip.
ODD = {
    "a loop": """\
def casino(n, p, q):
    value = np.zeros((n - 1, 2))
    while abs(value).max() < 1:  # until it has converged
        value = value * p
    return value
""",
    "an exception": """\
def by_time(P_pi, r_pi, p0, gamma, T):
    terms = []
    for t in range(1, T):
        terms[t] = gamma**t * p0 @ np.linalg.matrix_power(P_pi, t) @ r_pi
    return terms
""",
    "a name that is not there": """\
def small_step(P, p0, gamma, probs, probs_new):
    change = np.abs(rho_new - rho).sum()
    return change, gamma / (1 - gamma) ** 2
""",
    "a syntax error": """\
def by_place(P_pi, r_pi, p0, gamma)
    return visits(P_pi, p0, gamma) * r_pi
""",
    "prints": """\
def step_matrix(P, probs, t):
    print(np.einsum("sap,sa->sp", P, probs))
""",
}

#: Two who wrote alike: the second one changed the names, a number's place and the layout.
TOGETHER = {
    "greedy": """\
def greedy_improvement(P, R, gamma, V):
    policy = np.zeros_like(R)
    for state, rewards in enumerate(R):
        lookahead = rewards + gamma * P[state].dot(V)
        gap = lookahead.max() - lookahead
        mask = np.where(gap < 1e-9, 1.0, 0.0)
        policy[state] = np.divide(mask, np.count_nonzero(mask))
    return policy
""",
    "by-time": """\
def by_time(P_pi, r_pi, p0, gamma, T):
    history = np.empty((T, len(p0)))
    current = p0.copy()
    for step in range(T):
        history[step] = np.power(gamma, step) * current
        current = np.tensordot(current, P_pi, axes=([0], [0]))
    return history.dot(r_pi)
""",
    "small-step": """\
def small_step(P, p0, gamma, probs, probs_new):
    measures = []
    for table in (probs, probs_new):
        chain = np.zeros((len(p0), len(p0)))
        for state in range(len(p0)):
            chain[state] = table[state].dot(P[state])
        measures.append(np.linalg.lstsq(np.eye(len(p0)) - gamma * chain.T, p0, rcond=None)[0])
    distance = np.abs(np.subtract(*measures)).sum()
    largest = np.abs(np.subtract(probs, probs_new)).sum(axis=-1).max()
    return distance, gamma * largest / np.square(1 - gamma)
""",
}
RENAMED = (
    ("policy", "tbl"), ("lookahead", "qs"), ("gap", "dd"), ("mask", "m1"), ("history", "arr"),
    ("current", "now"), ("measures", "lst"), ("table", "which"), ("chain", "mat"), ("distance", "first"),
    ("largest", "second"), ("state", "k"), ("step in", "j in"), ("[step]", "[j]"),
    ("gamma, step", "gamma, j"),
)  # fmt: skip

#: Derivations, with the items of the rubric that a first and a second reader give for them.
DERIVATIONS = {
    "good": (
        """\
Let $g(s) = \\sum_a \\pi'(s,a) A^\\pi(s,a)$. Since $A^\\pi = Q^\\pi - V^\\pi$ and the probabilities
sum to 1,
$g = r_{\\pi'} + \\gamma P_{\\pi'} V^\\pi - V^\\pi$. Bellman for $\\pi'$ says $V^{\\pi'} = r_{\\pi'} +
\\gamma P_{\\pi'} V^{\\pi'}$, so

$$V^{\\pi'} - V^\\pi = g + \\gamma P_{\\pi'}(V^{\\pi'} - V^\\pi) = (I - \\gamma P_{\\pi'})^{-1} g .$$

For $\\gamma < 1$ the inverse exists, as no row sums to more than 1. With $p_0^\\top (I - \\gamma
P_{\\pi'})^{-1} = (\\rho^{\\pi'})^\\top$
the claim follows. For the argmax $g \\ge 0$, a maximum is no less than a mean, and a sum of terms
that are not negative
is 0 only if each is: $g(s) = 0$ where $\\rho^{\\pi'}(s) > 0$.
""",
        "1 2 3 4", "1 2 3 4", "",
    ),
    "unrolled": (
        """\
I write $V^\\pi(s) = \\sum_a \\pi'(s,a)(Q^\\pi(s,a) - A^\\pi(s,a))$ and put it into itself again and
again:

$$V^\\pi(s_0) = \\mathbb E_{\\pi'}\\Big[\\sum_{t<n} \\gamma^t (r_t - A^\\pi(s_t, a_t)) + \\gamma^n
V^\\pi(s_n)\\Big].$$

The last term goes to 0 since $\\gamma < 1$ and $V^\\pi$ is bounded. So $J(\\pi) = J(\\pi') -
\\sum_s \\rho^{\\pi'}(s) \\sum_a \\pi'(s,a) A^\\pi(s,a)$.
""",
        "1 2 3", "1 2 3", "The second part is missing: what follows if both are equally good?",
    ),
    "no reason": (
        """\
$V^{\\pi'} - V^\\pi = (I - \\gamma P_{\\pi'})^{-1} g$ with
$g = r_{\\pi'} + \\gamma P_{\\pi'} V^\\pi - V^\\pi$. Multiply by $p_0$, this is $\\rho^{\\pi'}$.
Since $g \\ge 0$ the rest is clear.
""",
        "1 2 3 why", "1 2 3", "Why does the inverse exist? And why is $g \\ge 0$?",
    ),
    "old visits": (
        """\
We know $J(\\pi) = \\sum_s \\rho^\\pi(s) r_\\pi(s)$. Then $J(\\pi') - J(\\pi) = \\sum_s
\\rho^\\pi(s) \\sum_a \\pi'(s,a) A^\\pi(s,a)$,
because the advantage says how much better the action $a$ is than the policy.
""",
        "1 rho", "1", "The visits have to be those of the new policy: this is the first-order approximation.",
    ),
    "macros": (
        """\
\\newcommand{\\V}{V^{\\pi}} \\def\\P{P_{\\pi'}}
$$\\V_{new} - \\V = g + \\gamma \\P (\\V_{new} - \\V) \\label{eq:1}$$
so the difference is $(I - \\gamma \\P)^{-1} g$. By (1) and $\\rho = (I - \\gamma \\P^\\top)^{-1}
p_0$ we are done.
""",
        "2 3", "1 2 3", "",
    ),
}  # fmt: skip
