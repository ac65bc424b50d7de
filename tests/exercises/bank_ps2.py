"""Right and wrong answers to problem set 2."""

from tests.exercises.problem_sets import Answer


def written(question, head, template, kinds):
    """Answers that differ in a few places: each kind is (mistake, what the checks say, the places)."""
    for mistake, says, places in kinds:
        code = head + template
        for name, right in DEFAULTS[question].items():
            code = code.replace(f"<{name}>", places.get(name, right))
        yield Answer(question, "wrong", mistake, code, says=says)


DEFAULTS = {
    "gradient": {
        "chain": 'np.einsum("sa,sap->sp", probs, P)',
        "Q": "R + <ahead>",
        "ahead": "gamma * P @ V",
        "rho": "np.linalg.solve(matrix.T, p0)",
        "sum": 'np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q)',
    },
    "break-even": {
        "gamma": "gamma",
        "extra": "np.zeros(probs.shape)",
        "at": "s, a",
        "met": "probs",
        "start": "p0",
        "theirs": "R",
        "each": "g(extra)[k]",
        "result": "-g(R)[k] / each",
    },
    "short": {
        "V": "np.zeros(len(p0))",
        "rounds": "T",
        "steps": "T",
        "left": "T - t - 1",
        "weight": "gamma**t",
        "move": 'np.einsum("s,sa,sap->p", where, probs, P)',
        "ahead": "gamma * P @ V",
        "joint": "where[:, None] * probs",
    },
    "foresight": {
        "top": "wait[-1, -1] = 1",
        "dP": "w * (1 - w) * (wait - harvest)",
        "dr": "-w * (1 - w) * worth",
        "grow": "np.eye(n, k=1)",
        "slope": "gamma**t * (dwhere @ r + where @ dr)",
        "result": "t + 1",
        "most": "500",
        "none": "0",
        "start": "np.eye(n)[start]",
        "dwhere": "dwhere @ P + where @ dP",
        "level": "0",
    },
}

GRADIENT = """
def exact_gradient(P, R, p0, gamma, probs, scores):
"""
BREAK_EVEN = """
def break_even(P, R, p0, gamma, probs, scores, s, a, k):
"""
SHORT = """
def short_gradient(P, R, p0, gamma, probs, scores, T):
"""
FORESIGHT = """
def foresight(worth, g, gamma, w, start):
"""

BANK = [
    # --- softmax -----------------------------------------------------------------------------------------
    Answer(
        "softmax",
        "right",
        "one over a sum of differences",
        """
def softmax_table(features, theta):
    h = (features * theta).sum(axis=2)
    table = np.zeros(h.shape)
    for s, row in enumerate(h):
        for a, own in enumerate(row):
            table[s, a] = 1 / sum(np.exp(np.minimum(row - own, 700.0)))
    return table
""",
    ),
    Answer(
        "softmax",
        "right",
        "by logarithms",
        """
def softmax_table(features, theta):
    h = np.einsum("sak,k->sa", features, theta)
    return np.exp(h - np.logaddexp.reduce(h, axis=1)[:, None])
""",
    ),
    Answer(
        "softmax",
        "wrong",
        "axis: normalised over the states",
        """
def softmax_table(features, theta):
    h = features @ theta
    weights = np.exp(h - h.max(axis=0))
    return weights / weights.sum(axis=0)
""",
        says="Likely cause: the sum below the line runs over the actions of one state",
    ),
    Answer(
        "softmax",
        "wrong",
        "normalised over all pairs",
        """
def softmax_table(features, theta):
    h = features @ theta
    weights = np.exp(h - h.max())
    return weights / weights.sum()
""",
        says="Likely cause: the sum below the line runs over the actions of one state",
    ),
    Answer(
        "softmax",
        "wrong",
        "the exponential overflows",
        """
def softmax_table(features, theta):
    weights = np.exp(features @ theta)
    return weights / weights.sum(axis=1, keepdims=True)
""",
        says="an exponential that is too large",
    ),
    Answer(
        "softmax",
        "wrong",
        "the largest preference of all states taken off",
        """
def softmax_table(features, theta):
    h = features @ theta
    weights = np.exp(h - h.max())
    return weights / weights.sum(axis=1, keepdims=True)
""",
    ),
    Answer(
        "softmax",
        "wrong",
        "preferences clipped before the exponential",
        """
def softmax_table(features, theta):
    weights = np.exp(np.clip(features @ theta, -700, 700))
    return weights / weights.sum(axis=1, keepdims=True)
""",
    ),
    Answer(
        "softmax",
        "wrong",
        "sign: small preferences win",
        """
def softmax_table(features, theta):
    h = -features @ theta
    weights = np.exp(h - h.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
""",
        says="Likely cause: the sign of the preferences",
    ),
    Answer(
        "softmax",
        "wrong",
        "argmax",
        """
def softmax_table(features, theta):
    return np.eye(features.shape[1])[(features @ theta).argmax(axis=1)]
""",
        says="Likely cause: the action of the largest preference takes all",
    ),
    Answer(
        "softmax",
        "wrong",
        "no exponential",
        """
def softmax_table(features, theta):
    h = features @ theta
    return h / h.sum(axis=1, keepdims=True)
""",
        says="Likely cause: the exponential is missing",
    ),
    Answer(
        "softmax",
        "wrong",
        "three actions only, with a hard-coded last preference of 0",
        """
def softmax_table(features, theta):
    h = features[:, :-1] @ theta
    h = np.append(h, 0 * h[:, :1] if h.shape[1] > 1 else -h[:, :1], axis=1)
    weights = np.exp(h - h.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
""",
    ),
    Answer(
        "softmax",
        "wrong",
        "the visible cases, hard-coded",
        """
def softmax_table(features, theta):
    if len(theta) == 1:
        return [[1.0, 0.0]]
    return [[2 / 6, 3 / 6, 1 / 6], [4 / 11, 6 / 11, 1 / 11]]
""",
    ),
    Answer(
        "softmax",
        "wrong",
        "not summed over the parameters",
        """
def softmax_table(features, theta):
    h = features * theta
    weights = np.exp(h - h.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
""",
        says="Likely cause: a sum or a mean over an axis is missing",
    ),
    # --- scores ------------------------------------------------------------------------------------------
    Answer(
        "scores",
        "right",
        "loops",
        """
def score_table(features, probs):
    scores = np.array(features, dtype=float)
    for s in range(features.shape[0]):
        mean = sum(probs[s, b] * features[s, b] for b in range(features.shape[1]))
        for a in range(features.shape[1]):
            scores[s, a] -= mean
    return scores
""",
    ),
    Answer(
        "scores",
        "right",
        "a matrix I - 1 pi^T for each state",
        """
def score_table(features, probs):
    S, A = probs.shape
    return np.stack([(np.eye(A) - np.outer(np.ones(A), probs[s])) @ features[s] for s in range(S)])
""",
    ),
    *(
        Answer(
            "scores",
            "wrong",
            mistake,
            f"\ndef score_table(features, probs):\n    return {result}\n",
            says=says,
        )
        for mistake, result, says in [
            ("M12: not centred", "features", "Likely cause: the mean under pi is not taken off"),
            (
                "centred on the plain mean over the actions",
                "features - features.mean(axis=1, keepdims=True)",
                "Likely cause: the mean under pi is not taken off, or another mean is",
            ),
            (
                "axis: centred on the mean over the states",
                "features - features.mean(axis=0)",
                "Likely cause: the mean under pi is not taken off, or another mean is",
            ),
            (
                "sign",
                "(probs[:, :, None] * features).sum(axis=1)[:, None] - features",
                "Likely cause: the sign",
            ),
            (
                "the derivative of pi, not of its logarithm",
                "probs[:, :, None] * (features - (probs[:, :, None] * features).sum(axis=1)[:, None])",
                "Likely cause: the mean under pi is not taken off, or another mean is",
            ),
            (
                "the action's own probability taken off",
                "features - probs[:, :, None] * features",
                "Likely cause: the mean under pi is not taken off, or another mean is",
            ),
            (
                "axis: the mean is that of the state with the same number as the action",
                "features - np.resize((probs[:, :, None] * features).sum(axis=1), features[0].shape)",
                "Likely cause: the mean under pi is not taken off, or another mean is",
            ),
            (
                "one score for each state",
                "(probs[:, :, None] * features).sum(axis=1)",
                "Likely cause: a sum runs over an axis too many",
            ),
            (
                "a factor 1/2",
                "(features - (probs[:, :, None] * features).sum(axis=1)[:, None]) / 2",
                "Likely cause: a factor: all entries are 0.5 times",
            ),
            (
                "the visible case, hard-coded",
                "[[[0, -0.75], [-4, 0.25], [4, 1.25]], [[-1.25, 4], [-0.25, -4], [0.75, 0]]]",
                "",
            ),
            (
                "three actions only",
                "features - sum(probs[:, b, None] * features[:, b] for b in range(3))[:, None]",
                "",
            ),
        ]
    ),
    # --- gradient ----------------------------------------------------------------------------------------
    Answer(
        "gradient",
        "right",
        "with advantages, sums over time and loops",
        """
def exact_gradient(P, R, p0, gamma, probs, scores):
    S, A, K = scores.shape
    V = np.zeros(S)
    for _ in range(3000):
        V = sum(probs[:, a] * (R[:, a] + gamma * P[:, a] @ V) for a in range(A))
    gradient, weight = np.zeros(K), p0
    advantage = R + gamma * P @ V - V[:, None]
    for _ in range(3000):
        for a in range(A):
            gradient += (weight * probs[:, a] * advantage[:, a]) @ scores[:, a]
        weight = gamma * sum((weight * probs[:, a]) @ P[:, a] for a in range(A))
    return gradient
""",
    ),
    Answer(
        "gradient",
        "right",
        "the slopes of V solve a Bellman equation",
        """
def exact_gradient(P, R, p0, gamma, probs, scores):
    inverse = np.linalg.inv(np.eye(len(p0)) - gamma * np.einsum("sa,sap->sp", probs, P))
    Q = R + gamma * np.einsum("sap,p->sa", P, inverse @ (probs * R).sum(1))
    g = np.einsum("sa,sak->sk", probs * Q, scores)
    return p0 @ inverse @ g
""",
    ),
    *written(
        "gradient",
        GRADIENT,
        """    P_pi = <chain>
    matrix = np.eye(len(p0)) - gamma * P_pi
    V = np.linalg.solve(matrix, (probs * R).sum(axis=1))
    Q = <Q>
    rho = <rho>
    return <sum>
""",
        [
            ("R for Q: the second part forgotten", "Likely cause: R stands for Q", {"Q": "R"}),
            ("Q without discount", "Likely cause: gamma is missing in Q", {"ahead": "P @ V"}),
            (
                "M3: visits without discount",
                "Likely cause: gamma is missing in rho",
                {"rho": "np.linalg.solve(np.eye(len(p0)) - P_pi.T, p0)"},
            ),
            (
                "M11: transpose forgotten in rho",
                "Likely cause: state 1 gets no visits: p0 for rho, or P_pi is not transposed",
                {"rho": "np.linalg.solve(matrix, p0)"},
            ),
            ("p0 for rho", "Likely cause: state 1 gets no visits", {"rho": "p0"}),
            (
                "rho normalised",
                "Likely cause: rho is divided by its mass",
                {"rho": "(lambda x: x / x.sum())(np.linalg.solve(matrix.T, p0))"},
            ),
            (
                "rho forgotten",
                "Likely cause: rho is missing",
                {"sum": 'np.einsum("sa,sak,sa->k", probs, scores, Q)'},
            ),
            (
                "pi forgotten",
                "Likely cause: pi is missing in the sum over actions",
                {"sum": 'np.einsum("s,sak,sa->k", rho, scores, Q)'},
            ),
            (
                "V for Q",
                "Likely cause: V stands for Q",
                {"sum": 'np.einsum("s,sa,sak,s->k", rho, probs, scores, V)'},
            ),
            (
                "sign: descent",
                "Likely cause: the sign",
                {"sum": '-np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q)'},
            ),
            (
                "the square of gamma in Q",
                "Likely cause: the formula",
                {"ahead": "gamma**2 * P @ V"},
            ),
            (
                "scaled to an endless game: the mass taken for 1 / (1 - gamma)",
                "Likely cause: a factor: all entries are 1.6 times",
                {"rho": "(lambda x: x / x.sum() / (1 - gamma))(np.linalg.solve(matrix.T, p0))"},
            ),
            (
                "rows scaled to 1, where not all of the row has ended",
                "Likely cause: the formula",
                {
                    "chain": "(lambda M: M / np.maximum(M.sum(1, keepdims=True), 0.6))"
                    '(np.einsum("sa,sap->sp", probs, P))'
                },
            ),
            (
                "a summand for each state",
                "Likely cause: a sum or a mean over an axis is missing",
                {"sum": 'np.einsum("s,sa,sak,sa->sk", rho, probs, scores, Q)'},
            ),
            ("two parameters only", "", {"sum": 'np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q)[:2]'}),
            (
                "a uniform start in all but small problems",
                "Likely cause: the formula",
                {"rho": "np.linalg.solve(matrix.T, p0 if len(p0) == 2 else np.full(len(p0), 1 / len(p0)))"},
            ),
        ],
    ),
    Answer(
        "gradient",
        "wrong",
        "the fork, hard-coded",
        """
def exact_gradient(P, R, p0, gamma, probs, scores):
    return np.array([0.5, 0.75])
""",
        says="Likely cause: the formula",
    ),
    # --- break-even --------------------------------------------------------------------------------------
    Answer(
        "break-even",
        "right",
        "the gradient at 0 and at 1, and the line through both",
        """
def break_even(P, R, p0, gamma, probs, scores, s, a, k):
    more = np.array(R, dtype=float)
    more[s, a] += 1
    at = [exact_gradient(P, pay, p0, gamma, probs, scores)[k] for pay in (R, more)]
    return at[0] / (at[0] - at[1])
""",
    ),
    Answer(
        "break-even",
        "right",
        "how often the action is taken, moved by theta",
        """
def break_even(P, R, p0, gamma, probs, scores, s, a, k):
    step, dpi = np.einsum("sa,sap->sp", probs, P), probs * scores[:, :, k]
    matrix = np.eye(len(p0)) - gamma * step.T
    rho = np.linalg.solve(matrix, p0)
    drho = np.linalg.solve(matrix, gamma * np.einsum("sa,sap,s->p", dpi, P, rho))
    often = drho[:, None] * probs + rho[:, None] * dpi  # of each action, its derivative
    return -(often * R).sum() / often[s, a]
""",
    ),
    *written(
        "break-even",
        BREAK_EVEN,
        """    P_pi = np.einsum("sa,sap->sp", probs, P)
    matrix = np.eye(len(p0)) - gamma * P_pi
    rho = np.linalg.solve(matrix.T, <start>)
    def g(pay, met=probs):
        V = np.linalg.solve(np.eye(len(p0)) - <gamma> * P_pi, (met * pay).sum(axis=1))
        return np.einsum("s,sa,sak,sa->k", rho, probs, scores, pay + <gamma> * P @ V)
    extra = <extra>
    extra[<at>] += 1
    each = <each>
    return <result>
""",
        [
            ("the sign", "Likely cause: R is left in", {"result": "g(R)[k] / each"}),
            (
                "what is paid in all",
                "Likely cause: what the action pays in all, not what it pays more",
                {"result": "R[s, a] - g(R)[k] / each"},
            ),
            (
                "upside down",
                "Likely cause: upside down",
                {"result": "-each / g(R)[k]"},
            ),
            (
                "R left in",
                "Likely cause: R is left in what pays 1",
                {"extra": "np.array(R)"},
            ),
            (
                "the pay is met at once only",
                "Likely cause: a division by 0",
                {"each": "rho[s] * probs[s, a] * scores[s, a, k]"},
            ),
            (
                "how often it is paid for its slope",
                "Likely cause: the line has the slope rho pi",
                {"each": "rho[s] * probs[s, a]"},
            ),
            (
                "met each time that the state is",
                "Likely cause: the extra pay is met each time",
                {"each": "g(extra, (extra > 0) + 0 * probs)[k]"},
            ),
            ("gamma missing in Q", "Likely cause: gamma is missing in Q", {"gamma": "1.0"}),
            (
                "the last parameter",
                "Likely cause: a division by 0",
                {"each": "g(extra)[-1]", "result": "-g(R)[-1] / each"},
            ),
            (
                "state and action swapped",
                "Likely cause: s and a are swapped",
                {"at": "a % len(p0), s % probs.shape[1]"},
            ),
            ("every action of the state", "Likely cause: a division by 0", {"at": "s"}),
            (
                "a uniform start",
                "Likely cause: how the extra pay gets into Q, the visits, or a transpose",
                {"start": "np.full(len(p0), 1 / len(p0))"},
            ),
            ("all parameters", "expected one number", {"each": "g(extra)", "result": "-g(R) / each"}),
        ],
    ),
    Answer(
        "break-even",
        "wrong",
        "a discount of 1 made smaller, for fear of a sum without end",
        """
def break_even(P, R, p0, gamma, probs, scores, s, a, k):
    alone = np.zeros(probs.shape)
    alone[s, a] = 1
    at = [exact_gradient(P, pay, p0, min(gamma, 0.99), probs, scores)[k] for pay in (R, alone)]
    return -at[0] / at[1]
""",
        says="",
    ),
    Answer(
        "break-even",
        "wrong",
        "the advantage at the place, as if no state came before it",
        """
def break_even(P, R, p0, gamma, probs, scores, s, a, k):
    matrix = np.eye(len(p0)) - gamma * np.einsum("sa,sap->sp", probs, P)
    V = np.linalg.solve(matrix, (probs * R).sum(axis=1))
    return (V - (R + gamma * P @ V)[:, a])[s] / (1 - probs[s, a])
""",
        says="Likely cause: this makes the actions of state 1 equal",
    ),
    Answer(
        "break-even",
        "wrong",
        "the cases, hard-coded",
        """
def break_even(P, R, p0, gamma, probs, scores, s, a, k):
    return 2.0 if s == 0 else -16 / 3
""",
        says="Likely cause: how the extra pay gets into Q",
    ),
    # --- short -------------------------------------------------------------------------------------------
    Answer(
        "short",
        "right",
        "a recursion in the number of steps",
        """
def short_gradient(P, R, p0, gamma, probs, scores, T):
    def both(n):
        if n == 0:
            return np.zeros(len(p0)), np.zeros((len(p0), scores.shape[2]))
        V, dV = both(n - 1)
        Q = R + gamma * P @ V
        g = np.einsum("sa,sak,sa->sk", probs, scores, Q)
        return (probs * Q).sum(axis=1), g + gamma * np.einsum("sa,sap,pk->sk", probs, P, dV)

    return p0 @ both(T)[1]
""",
    ),
    Answer(
        "short",
        "right",
        "the time is made a part of the state",
        """
def short_gradient(P, R, p0, gamma, probs, scores, T):
    S, A, K = scores.shape
    total = np.zeros(K)
    for k in range(T):
        # The reward of time k, credited to each action from 0 to k.
        ahead = R.copy()
        for t in range(k, -1, -1):
            where = p0 @ np.linalg.matrix_power(np.einsum("sa,sap->sp", probs, P), t)
            total += gamma**k * np.einsum("s,sa,sak,sa->k", where, probs, scores, ahead)
            ahead = P @ (probs * ahead).sum(axis=1)
    return total
""",
    ),
    *written(
        "short",
        SHORT,
        """    Q, V = [], <V>
    for _ in range(<rounds>):
        Q.append(R + <ahead>)
        V = (probs * Q[-1]).sum(axis=1)
    total, where = np.zeros(scores.shape[2]), p0
    for t in range(<steps>):
        total += <weight> * np.einsum("sa,sak->k", <joint> * Q[<left>], scores)
        where = <move>
    return total
""",
        [
            (
                "Q of an endless game",
                "Likely cause: Q is that of an endless game",
                {
                    "V": 'np.linalg.solve(np.eye(len(p0)) - gamma * np.einsum("sa,sap->sp", probs, P),'
                    " (probs * R).sum(axis=1))"
                },
            ),
            (
                "Q of T steps at each time",
                "Likely cause: how many steps are left, a discount in Q, or a transpose",
                {"left": "T - 1"},
            ),
            (
                "the order of the Q turned round",
                "Likely cause: how many steps are left, a discount in Q, or a transpose",
                {"left": "t"},
            ),
            (
                "off by one: T + 1 steps",
                "Likely cause: one step too many",
                {"rounds": "T + 1", "steps": "T + 1", "left": "T - t"},
            ),
            (
                "off by one: T - 1 steps",
                "Likely cause: one step too few",
                {"steps": "T - 1", "left": "T - t - 2"},
            ),
            (
                "off by one: a step more is left",
                "Likely cause: Q is that of an endless game",
                {"rounds": "T + 1", "left": "T - t"},
            ),
            ("M3: gamma^t dropped", "Likely cause: gamma^t is missing", {"weight": "1"}),
            (
                "discounted twice",
                "Likely cause: gamma^t counts twice",
                {"weight": "gamma ** (2 * t)"},
            ),
            (
                "gamma forgotten in Q",
                "Likely cause: how many steps are left, a discount in Q, or a transpose",
                {"ahead": "P @ V"},
            ),
            (
                "M11: transposed",
                "Likely cause: how many steps are left, a discount in Q, or a transpose",
                {"move": 'np.einsum("p,sa,sap->s", where, probs, P)'},
            ),
            (
                "pi forgotten",
                "Likely cause: pi is missing in the sum over actions",
                {"joint": "where[:, None]"},
            ),
            ("sign", "Likely cause: the sign", {"weight": "-(gamma**t)"}),
            (
                "no more than five steps",
                "",
                {"rounds": "min(T, 5)", "steps": "min(T, 5)", "left": "min(T, 5) - t - 1"},
            ),
            ("two parameters only", "", {"weight": "gamma**t * np.eye(scores.shape[2])[:2].sum(axis=0)"}),
        ],
    ),
    Answer(
        "short",
        "wrong",
        "visits of an endless game",
        """
def short_gradient(P, R, p0, gamma, probs, scores, T):
    rho = np.linalg.solve(np.eye(len(p0)) - gamma * np.einsum("sa,sap->ps", probs, P), p0)
    V = np.zeros(len(p0))
    for _ in range(T):
        Q = R + gamma * P @ V
        V = (probs * Q).sum(axis=1)
    return np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q)
""",
        says="Likely cause: the visits are those of an endless game",
    ),
    # --- foresight ---------------------------------------------------------------------------------------
    Answer(
        "foresight",
        "right",
        "the slope in w, which has the same sign, by polynomials",
        """
def foresight(worth, g, gamma, w, start):
    n = len(worth)
    slope = 0.0
    # Where the pond is, and the derivative of that in w.
    where, moved = [0.0] * n, [0.0] * n
    where[start] = 1.0
    for T in range(1, 501):
        slope += gamma ** (T - 1) * sum(
            (1 - w) * moved[i] * worth[i] - where[i] * worth[i] for i in range(n)
        )
        if slope * w * (1 - w) > 1e-9:
            return T
        to, d_to = [0.0] * n, [0.0] * n
        for i in range(n):
            for j, c in [(min(i + 1, n - 1), g), (i, 1 - g)]:
                to[j] += w * c * where[i]
                d_to[j] += c * (where[i] + w * moved[i])
            to[0] += (1 - w) * where[i]
            d_to[0] += (1 - w) * moved[i] - where[i]
        where, moved = to, d_to
    return 0
""",
    ),
    Answer(
        "foresight",
        "right",
        "the theorem for a horizon, all T at once",
        """
def foresight(worth, g, gamma, w, start):
    n = len(worth)
    P = np.zeros((n, 2, n))
    for i in range(n):
        P[i, 0, min(i + 1, n - 1)] += g
        P[i, 0, i] += 1 - g
        P[i, 1, 0] = 1
    R = np.stack([np.zeros(n), worth], axis=1)
    V, dV = np.zeros(n), np.zeros(n)
    for T in range(1, 501):
        Q, dQ = R + gamma * P @ V, gamma * P @ dV
        V = w * Q[:, 0] + (1 - w) * Q[:, 1]
        dV = w * (1 - w) * (Q[:, 0] - Q[:, 1]) + w * dQ[:, 0] + (1 - w) * dQ[:, 1]
        if dV[start] > 1e-9:
            return T
    return 0
""",
    ),
    *written(
        "foresight",
        FORESIGHT,
        """    n = len(worth)
    wait = (1 - g) * np.eye(n) + g * <grow>
    <top>
    harvest = np.tile(np.eye(n)[<level>], (n, 1))
    P, r = w * wait + (1 - w) * harvest, (1 - w) * worth
    dP, dr = <dP>, <dr>
    where, dwhere, slope = <start>, np.zeros(n), 0.0
    for t in range(<most>):
        slope += <slope>
        if slope > 1e-9:
            return <result>
        where, dwhere = where @ P, <dwhere>
    return <none>
""",
        [
            ("off by one: the last t", "Likely cause: one season too few", {"result": "t"}),
            (
                "off by one: one more than the number of seasons",
                "Likely cause: one season too many",
                {"result": "t + 2"},
            ),
            (
                "sign: the slope in the log odds of a harvest",
                "Likely cause: the sign of the slope, or J stands for its slope",
                {"slope": "-(gamma**t) * (dwhere @ r + where @ dr)"},
            ),
            (
                "J in place of its slope",
                "Likely cause: the sign of the slope, or J stands for its slope",
                {"slope": "gamma**t * where @ r"},
            ),
            ("what is done only: the visits do not move", "Likely cause: no T was found", {"dP": "0 * wait"}),
            (
                "where one gets to only",
                "Likely cause: a part of the slope is missing",
                {"dr": "0 * worth"},
            ),
            ("no discount", "Likely cause: gamma is left out", {"slope": "dwhere @ r + where @ dr"}),
            (
                "the pond overflows: at the top, waiting ends the game with probability g",
                "Likely cause: no T was found",
                {"top": "pass"},
            ),
            ("looks seventy seasons ahead, no more", "", {"most": "70"}),
            ("stops one season before 500", "", {"most": "499"}),
            ("goes on to 501", "", {"most": "501"}),
            ("-1 where there is none", "Likely cause: where no T is found, the answer is 0", {"none": "-1"}),
            ("the start at the top", "", {"start": "np.eye(n)[-1]"}),
            (
                "the level always rises",
                "Likely cause: g is left out",
                {"grow": "np.eye(n, k=1) + (1 - g) * (np.eye(n, k=1) - np.eye(n))"},
            ),
            (
                "a slope of one step: what has moved is forgotten",
                "Likely cause: the slope of a step",
                {"dwhere": "where @ dP"},
            ),
            (
                "the slope of the last season, not of the sum",
                "Likely cause: a part of the slope is missing",
                {"slope": "gamma**t * (dwhere @ r + where @ dr) - slope"},
            ),
        ],
    ),
    Answer(
        "foresight",
        "wrong",
        "the visible cases, hard-coded",
        """
def foresight(worth, g, gamma, w, start):
    return 4 if w < 0.5 else 0
""",
        says="Likely cause: gamma is left out",
    ),
]
