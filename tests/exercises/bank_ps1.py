"""Right and wrong answers to problem set 1."""

from tests.exercises.problem_sets import Answer

BANK = [
    # --- greedy ------------------------------------------------------------------------------------------
    Answer(
        "greedy",
        "right",
        "loops, and a dictionary of values",
        """
def greedy_improvement(P, R, gamma, V):
    S, A, _ = P.shape
    table = np.zeros((S, A))
    for s in range(S):
        worth = {}
        for a in range(A):
            worth[a] = R[s, a] + gamma * sum(P[s, a, p] * V[p] for p in range(S))
        best = [a for a in worth if worth[a] >= max(worth.values()) - 1e-9]
        for a in best:
            table[s, a] = 1 / len(best)
    return table
""",
    ),
    Answer(
        "greedy",
        "right",
        "isclose, and a list of lists",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * np.tensordot(P, V, axes=(2, 0))
    table = []
    for row in Q:
        best = np.isclose(row, row.max(), rtol=0, atol=1e-9)
        table.append(list(best / best.sum()))
    return table
""",
    ),
    Answer(
        "greedy",
        "wrong",
        "gamma forgotten",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + P @ V
    best = Q.max(axis=1, keepdims=True) - Q < 1e-9
    return best / best.sum(axis=1, keepdims=True)
""",
        says="Likely cause: V is not discounted",
    ),
    Answer(
        "greedy",
        "wrong",
        "myopic: the argmax of the rewards",
        """
def greedy_improvement(P, R, gamma, V):
    best = R.max(axis=1, keepdims=True) - R < 1e-9
    return best / best.sum(axis=1, keepdims=True)
""",
        says="Likely cause: V is left out",
    ),
    Answer(
        "greedy",
        "wrong",
        "the first of the best takes all",
        """
def greedy_improvement(P, R, gamma, V):
    return np.eye(R.shape[1])[(R + gamma * P @ V).argmax(axis=1)]
""",
        says="Likely cause: in a tie one action takes all",
    ),
    Answer(
        "greedy",
        "wrong",
        "ties by ==, which rounding breaks",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * P @ V
    best = Q == Q.max(axis=1, keepdims=True)
    return best / best.sum(axis=1, keepdims=True)
""",
    ),
    Answer(
        "greedy",
        "wrong",
        "sign: the worst action",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * P @ V
    best = Q - Q.min(axis=1, keepdims=True) < 1e-9
    return best / best.sum(axis=1, keepdims=True)
""",
        says="Likely cause: the worst action is taken",
    ),
    Answer(
        "greedy",
        "wrong",
        "P transposed: summed over where one comes from",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * np.einsum("pas,p->sa", P, V)
    best = Q.max(axis=1, keepdims=True) - Q < 1e-9
    return best / best.sum(axis=1, keepdims=True)
""",
        says="Likely cause: P is summed over s, not over s'",
    ),
    Answer(
        "greedy",
        "wrong",
        "axis: the best state for each action",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * P @ V
    best = Q.max(axis=0, keepdims=True) - Q < 1e-9
    return best / best.sum(axis=0, keepdims=True)
""",
        says="it should be that each row sums to 1",
    ),
    Answer(
        "greedy",
        "wrong",
        "ties each take 1",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * P @ V
    return (Q.max(axis=1, keepdims=True) - Q < 1e-9) * 1.0
""",
        says="Likely cause: ties do not share the probability",
    ),
    Answer(
        "greedy",
        "wrong",
        "the numbers of the actions, not a table",
        """
def greedy_improvement(P, R, gamma, V):
    return (R + gamma * P @ V).argmax(axis=1)
""",
        says="Likely cause: these are actions, not their probabilities",
    ),
    Answer(
        "greedy",
        "wrong",
        "the visible case, hard-coded",
        """
def greedy_improvement(P, R, gamma, V):
    return np.array([[1, 0], [1, 0], [0.5, 0.5]])
""",
    ),
    Answer(
        "greedy",
        "wrong",
        "two actions only",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * P @ V
    first = np.where(abs(Q[:, 0] - Q[:, 1]) < 1e-9, 0.5, Q[:, 0] > Q[:, 1])
    return np.stack([first, 1 - first], axis=1)
""",
    ),
    Answer(
        "greedy",
        "wrong",
        "no return",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * P @ V
    best = Q.max(axis=1, keepdims=True) - Q < 1e-9
    table = best / best.sum(axis=1, keepdims=True)
""",
        says="the function has no `return`",
    ),
    # --- step-matrix -------------------------------------------------------------------------------------
    Answer(
        "step-matrix",
        "right",
        "a loop of products",
        """
def step_matrix(P, probs, t):
    P_pi = (probs[:, :, None] * P).sum(axis=1)
    result = np.eye(len(P))
    for _ in range(t):
        result = result @ P_pi
    return result
""",
    ),
    Answer(
        "step-matrix",
        "right",
        "recursion that halves t",
        """
def step_matrix(P, probs, t):
    if t == 0:
        return np.eye(P.shape[0])
    half = step_matrix(P, probs, t // 2)
    if t % 2 == 0:
        return half @ half
    one = np.array([probs[s] @ P[s] for s in range(P.shape[0])])
    return one @ half @ half
""",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "entries are raised to the power, not the matrix",
        """
def step_matrix(P, probs, t):
    return np.einsum("sa,sap->sp", probs, P) ** t
""",
        says="Likely cause: entries are squared, not the matrix",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "off by one: t + 1 steps",
        """
def step_matrix(P, probs, t):
    return np.linalg.matrix_power(np.einsum("sa,sap->sp", probs, P), t + 1)
""",
        says="Likely cause: a step too many",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "off by one: t - 1 steps",
        """
def step_matrix(P, probs, t):
    P_pi = np.einsum("sa,sap->sp", probs, P)
    return np.linalg.matrix_power(P_pi, max(t - 1, 0))
""",
        says="Likely cause: a step too few",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "no step is taken for one",
        """
def step_matrix(P, probs, t):
    P_pi = np.einsum("sa,sap->sp", probs, P)
    result = P_pi
    for _ in range(t - 1):
        result = result @ P_pi
    return result
""",
        says="Likely cause: after no step one is where one was",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "transposed",
        """
def step_matrix(P, probs, t):
    return np.linalg.matrix_power(np.einsum("sa,sap->ps", probs, P), t)
""",
        says="Likely cause: rows and columns are swapped",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "a plain mean over the actions",
        """
def step_matrix(P, probs, t):
    return np.linalg.matrix_power(P.mean(axis=1), t)
""",
        says="Likely cause: all actions count alike",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "a sum over the actions, without probabilities",
        """
def step_matrix(P, probs, t):
    return np.linalg.matrix_power(P.sum(axis=1), t)
""",
        says="Likely cause: the actions are added up without their probabilities",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "rows scaled to 1, as if no episode ended",
        """
def step_matrix(P, probs, t):
    P_pi = np.einsum("sa,sap->sp", probs, P)
    P_pi = P_pi / P_pi.sum(axis=1, keepdims=True)
    return np.linalg.matrix_power(P_pi, t)
""",
        says="Likely cause: rows are scaled to 1, though episodes end",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "axis: the probabilities are of the next state's actions",
        """
def step_matrix(P, probs, t):
    P_pi = np.einsum("pa,sap->sp", probs, P)
    return np.linalg.matrix_power(P_pi, t)
""",
        says="Likely cause: the probability of an action is taken in s', not in s",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "two steps, whatever t",
        """
def step_matrix(P, probs, t):
    P_pi = np.einsum("sa,sap->sp", probs, P)
    return P_pi @ P_pi if t else np.eye(len(P))
""",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "the visible case, hard-coded",
        """
def step_matrix(P, probs, t):
    if t == 0:
        return np.eye(len(P))
    return np.array([[0.25, 0.25, 0.125], [0.25, 0, 0], [0.5, 0.5, 0]])
""",
    ),
    Answer(
        "step-matrix",
        "wrong",
        "a probability for each action is kept",
        """
def step_matrix(P, probs, t):
    return probs[:, :, None] * P
""",
        says="Likely cause: a sum or a mean over an axis is missing",
    ),
    # --- visits ------------------------------------------------------------------------------------------
    Answer(
        "visits",
        "right",
        "the sum, stopped when nothing is left",
        """
def visits(P_pi, p0, gamma):
    rho, term = np.zeros(len(p0)), np.array(p0, dtype=float)
    while term.sum() > 1e-15:
        rho = rho + term
        term = gamma * term @ P_pi
    return rho
""",
    ),
    Answer(
        "visits",
        "right",
        "the inverse, from the left",
        """
def visits(P_pi, p0, gamma):
    S = P_pi.shape[0]
    return (p0[None, :] @ np.linalg.inv(np.identity(S) - gamma * P_pi))[0]
""",
    ),
    Answer(
        "visits",
        "right",
        "the argument is written over, which harms nobody",
        """
def visits(P_pi, p0, gamma):
    P_pi *= -gamma
    P_pi += np.eye(len(p0))
    return np.linalg.solve(P_pi.T, p0)
""",
    ),
    Answer(
        "visits",
        "wrong",
        "M11: transpose forgotten",
        """
def visits(P_pi, p0, gamma):
    return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi, p0)
""",
        says="Likely cause: P_pi is not transposed",
    ),
    Answer(
        "visits",
        "wrong",
        "gamma forgotten, which does not show at gamma = 1",
        """
def visits(P_pi, p0, gamma):
    matrix = np.eye(len(p0)) - P_pi.T
    return np.linalg.lstsq(matrix, p0, rcond=None)[0]
""",
        says="Likely cause: gamma is missing",
    ),
    Answer(
        "visits",
        "wrong",
        "gamma at the start instead of at the step",
        """
def visits(P_pi, p0, gamma):
    rho = np.zeros(len(p0))
    where = p0
    for _ in range(5000):
        rho = rho + gamma * where
        where = gamma * where @ P_pi
    return rho
""",
        says="Likely cause: the visit at t = 0 is discounted already",
    ),
    Answer(
        "visits",
        "wrong",
        "the start is not counted",
        """
def visits(P_pi, p0, gamma):
    return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0) - p0
""",
        says="Likely cause: the visit at t = 0 is left out",
    ),
    Answer(
        "visits",
        "wrong",
        "normalised",
        """
def visits(P_pi, p0, gamma):
    rho = np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0)
    return rho / rho.sum()
""",
        says="Likely cause: divided by the mass",
    ),
    Answer(
        "visits",
        "wrong",
        "normalised by 1 - gamma",
        """
def visits(P_pi, p0, gamma):
    rho = np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0)
    return rho if gamma == 1 else (1 - gamma) * rho
""",
        says="Likely cause: divided by the mass",
    ),
    Answer(
        "visits",
        "wrong",
        "a sum of a thousand terms",
        """
def visits(P_pi, p0, gamma):
    rho, term = 0.0, p0
    for _ in range(1000):
        rho, term = rho + term, gamma * P_pi.T @ term
    return rho
""",
    ),
    Answer(
        "visits",
        "wrong",
        "one turn of the equation",
        """
def visits(P_pi, p0, gamma):
    return p0 + gamma * P_pi.T @ p0
""",
        says="Likely cause: the sum stops after t = 1",
    ),
    Answer(
        "visits",
        "wrong",
        "starts in state 0, whatever p0",
        """
def visits(P_pi, p0, gamma):
    start = np.eye(len(p0))[0]
    return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, start)
""",
    ),
    Answer(
        "visits",
        "wrong",
        "in place: the sum and the term are one array",
        """
def visits(P_pi, p0, gamma):
    rho = term = p0
    for _ in range(50):
        term = gamma * term @ P_pi
        rho += term
        term = rho
    return rho
""",
        says="Likely cause: the formula",
    ),
    Answer(
        "visits",
        "wrong",
        "the visible cases, hard-coded",
        """
def visits(P_pi, p0, gamma):
    return np.array([2.0, 4, 1]) if len(p0) == 3 else np.array([16 / 7, 12 / 7])
""",
    ),
    # --- by-time -----------------------------------------------------------------------------------------
    Answer(
        "by-time",
        "right",
        "powers of the matrix",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    return [gamma**t * (p0 @ np.linalg.matrix_power(P_pi, t) @ r_pi) for t in range(T)]
""",
    ),
    Answer(
        "by-time",
        "right",
        "from the reward backwards",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, ahead = [], np.array(r_pi)
    while len(terms) < T:
        terms.append(np.dot(p0, ahead))
        ahead = gamma * np.dot(P_pi, ahead)
    return np.array(terms)
""",
    ),
    Answer(
        "by-time",
        "wrong",
        "M3: gamma^t dropped",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, where = np.zeros(T), p0
    for t in range(T):
        terms[t] = where @ r_pi
        where = where @ P_pi
    return terms
""",
        says="Likely cause: gamma^t is missing",
    ),
    Answer(
        "by-time",
        "wrong",
        "off by one: gamma^(t + 1)",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, where = np.zeros(T), p0
    for t in range(T):
        terms[t] = gamma ** (t + 1) * where @ r_pi
        where = where @ P_pi
    return terms
""",
        says="Likely cause: the reward at t = 0 is discounted already",
    ),
    Answer(
        "by-time",
        "wrong",
        "M5: the step comes before the reward",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, where = np.zeros(T), p0
    for t in range(T):
        where = where @ P_pi
        terms[t] = gamma**t * where @ r_pi
    return terms
""",
        says="Likely cause: the first step is made before the first reward",
    ),
    Answer(
        "by-time",
        "wrong",
        "M11: transposed",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, where = np.zeros(T), p0
    for t in range(T):
        terms[t] = gamma**t * where @ r_pi
        where = P_pi @ where
    return terms
""",
        says="Likely cause: P_pi is transposed",
    ),
    Answer(
        "by-time",
        "wrong",
        "sums up to t in place of terms",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, where = np.zeros(T), p0
    for t in range(T):
        terms[t] = gamma**t * where @ r_pi
        where = where @ P_pi
    return terms.cumsum()
""",
        says="Likely cause: these are sums up to t",
    ),
    Answer(
        "by-time",
        "wrong",
        "a mean over episodes that still go on",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, where = np.zeros(T), p0
    for t in range(T):
        terms[t] = gamma**t * where @ r_pi / where.sum()
        where = where @ P_pi
    return terms
""",
        says="Likely cause: episodes that have ended are left out of the mean",
    ),
    Answer(
        "by-time",
        "wrong",
        "discounted twice",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, where = np.zeros(T), p0
    for t in range(T):
        terms[t] = gamma**t * where @ r_pi
        where = gamma * where @ P_pi
    return terms
""",
        says="Likely cause: each step is discounted twice",
    ),
    Answer(
        "by-time",
        "wrong",
        "a term too many",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, where = [], p0
    for t in range(T + 1):
        terms.append(gamma**t * where @ r_pi)
        where = where @ P_pi
    return terms
""",
        says="Likely cause: an entry too many",
    ),
    Answer(
        "by-time",
        "wrong",
        "the start in state 0, whatever p0",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    powers = [np.linalg.matrix_power(P_pi, t) for t in range(T)]
    return [gamma**t * powers[t][0] @ r_pi for t in range(T)]
""",
    ),
    Answer(
        "by-time",
        "wrong",
        "by state, not summed",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    terms, where = [], p0
    for t in range(T):
        terms.append(gamma**t * where * r_pi)
        where = where @ P_pi
    return terms
""",
        says="Likely cause: a sum or a mean over an axis is missing",
    ),
    Answer(
        "by-time",
        "wrong",
        "the visible case, hard-coded",
        """
def by_time(P_pi, r_pi, p0, gamma, T):
    return np.array([4, 1, 0.5])
""",
    ),
    # --- by-place ----------------------------------------------------------------------------------------
    Answer(
        "by-place",
        "right",
        "the sum over time, kept by state",
        """
def by_place(P_pi, r_pi, p0, gamma):
    total, weight = np.zeros_like(r_pi), p0.copy()
    for _ in range(4000):
        total += weight * r_pi
        weight = gamma * weight @ P_pi
    return total
""",
    ),
    Answer(
        "by-place",
        "right",
        "a value for each reward alone",
        """
def by_place(P_pi, r_pi, p0, gamma):
    S = len(r_pi)
    values = np.linalg.solve(np.eye(S) - gamma * P_pi, np.diag(r_pi))
    return list(p0 @ values)
""",
    ),
    Answer(
        "by-place",
        "wrong",
        "a start in state 0, whatever p0 is",
        """
def by_place(P_pi, r_pi, p0, gamma):
    first = np.eye(len(p0))[0]
    return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, first) * r_pi
""",
    ),
    Answer(
        "by-place",
        "wrong",
        "sorted by where one starts: the same total",
        """
def by_place(P_pi, r_pi, p0, gamma):
    return p0 * np.linalg.solve(np.eye(len(p0)) - gamma * P_pi, r_pi)
""",
        says="Likely cause: sorted by where one starts, p0 V",
    ),
    Answer(
        "by-place",
        "wrong",
        "the values",
        """
def by_place(P_pi, r_pi, p0, gamma):
    return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi, r_pi)
""",
        says="Likely cause: these are the values V, not contributions",
    ),
    Answer(
        "by-place",
        "wrong",
        "M11: transpose forgotten in rho",
        """
def by_place(P_pi, r_pi, p0, gamma):
    return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi, p0) * r_pi
""",
        says="Likely cause: P_pi is not transposed in rho",
    ),
    Answer(
        "by-place",
        "wrong",
        "visits without rewards",
        """
def by_place(P_pi, r_pi, p0, gamma):
    return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0)
""",
        says="Likely cause: these are visits; the reward is missing",
    ),
    Answer(
        "by-place",
        "wrong",
        "rho normalised",
        """
def by_place(P_pi, r_pi, p0, gamma):
    rho = np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0)
    return rho / rho.sum() * r_pi
""",
        says="Likely cause: rho is divided by its mass",
    ),
    Answer(
        "by-place",
        "wrong",
        "gamma forgotten, which does not show at gamma = 1",
        """
def by_place(P_pi, r_pi, p0, gamma):
    rho = np.linalg.lstsq(np.eye(len(p0)) - P_pi.T, p0, rcond=None)[0]
    return rho * r_pi
""",
        says="Likely cause: gamma, or the visits",
    ),
    Answer(
        "by-place",
        "wrong",
        "the total",
        """
def by_place(P_pi, r_pi, p0, gamma):
    return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0) @ r_pi
""",
        says="Likely cause: this is the total, J",
    ),
    Answer(
        "by-place",
        "wrong",
        "sign: costs in place of rewards",
        """
def by_place(P_pi, r_pi, p0, gamma):
    return -np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0) * r_pi
""",
        says="Likely cause: the sign",
    ),
    Answer(
        "by-place",
        "wrong",
        "shares of the total",
        """
def by_place(P_pi, r_pi, p0, gamma):
    each = np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0) * r_pi
    return each / each.sum()
""",
        says="Likely cause: a factor: all entries are 0.125 times what they should be",
    ),
    Answer(
        "by-place",
        "wrong",
        "discounted once more",
        """
def by_place(P_pi, r_pi, p0, gamma):
    rho = np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0)
    return gamma * rho * r_pi
""",
        says="all entries are 0.75 times",
    ),
    Answer(
        "by-place",
        "wrong",
        "the visible case, hard-coded",
        """
def by_place(P_pi, r_pi, p0, gamma):
    return np.array([6.0, 4.0, -2.0])
""",
        says="expected shape (2,)",
    ),
    # --- small-step --------------------------------------------------------------------------------------
    Answer(
        "small-step",
        "right",
        "the equation of the proof",
        """
def small_step(P, p0, gamma, probs, probs_new):
    S = len(p0)
    old = np.einsum("sa,sap->sp", probs, P)
    new = np.einsum("sa,sap->sp", probs_new, P)
    rho = np.linalg.solve(np.eye(S) - gamma * old.T, p0)
    moved = np.linalg.solve(np.eye(S) - gamma * new.T, gamma * (new - old).T @ rho)
    delta = np.abs(probs_new - probs).sum(axis=1).max()
    return np.array([np.abs(moved).sum(), delta * gamma / (1 - gamma) ** 2])
""",
    ),
    Answer(
        "small-step",
        "right",
        "sums over time, norms by name",
        """
def small_step(P, p0, gamma, probs, probs_new):
    def rho(pi):
        total, term = 0, p0
        step = sum(pi[:, a, None] * P[:, a] for a in range(pi.shape[1]))
        for _ in range(1000):
            total, term = total + term, gamma * step.T @ term
        return total

    # The largest sum over a row is the operator norm that belongs to the maximum.
    delta = np.linalg.norm(probs_new - probs, ord=np.inf)
    change = np.linalg.norm(rho(probs_new) - rho(probs), ord=1)
    return change, delta * gamma / (1 - gamma) / (1 - gamma)
""",
    ),
    *(
        Answer(
            "small-step",
            "wrong",
            mistake,
            f"""
def small_step(P, p0, gamma, probs, probs_new):
    def rho(pi):
        return np.linalg.solve(np.eye(len(p0)) - gamma * np.einsum("sa,sap->ps", pi, P), p0)

    moved = rho(probs_new) - rho(probs)
    by_action = abs(probs_new - probs)
    return {change}, {bound}
""",
            says=says,
            # each side earns a point
            earns=(change == "abs(moved).sum()")
            + (bound == "gamma / (1 - gamma) ** 2 * by_action.sum(axis=1).max()"),
        )
        for mistake, change, bound, says in [
            (
                "one factor 1 / (1 - gamma) forgotten",
                "abs(moved).sum()",
                "gamma / (1 - gamma) * by_action.sum(axis=1).max()",
                "Likely cause: a factor 1 / (1 - gamma) of the bound is missing",
            ),
            (
                "gamma forgotten in the bound",
                "abs(moved).sum()",
                "by_action.sum(axis=1).max() / (1 - gamma) ** 2",
                "Likely cause: gamma is missing in the bound",
            ),
            (
                "total variation: half the sum over the actions",
                "abs(moved).sum()",
                "gamma / (1 - gamma) ** 2 * by_action.sum(axis=1).max() / 2",
                "Likely cause: delta is half of what it should be",
            ),
            (
                "axis: the largest entry in place of the sum over the actions",
                "abs(moved).sum()",
                "gamma / (1 - gamma) ** 2 * by_action.max()",
                "Likely cause: delta is half of what it should be",
            ),
            (
                "axis: the largest sum over the states",
                "abs(moved).sum()",
                "gamma / (1 - gamma) ** 2 * by_action.sum(axis=0).max()",
                "Likely cause: delta is a mean over the states, or its axes are swapped",
            ),
            (
                "a mean over the states",
                "abs(moved).sum()",
                "gamma / (1 - gamma) ** 2 * by_action.sum(axis=1).mean()",
                "Likely cause: delta is a mean over the states, or its axes are swapped",
            ),
            (
                "a sum over the states",
                "abs(moved).sum()",
                "gamma / (1 - gamma) ** 2 * by_action.sum()",
                "Likely cause: delta is a sum over the states, not the largest",
            ),
            (
                "Euclidean norm",
                "np.linalg.norm(moved)",
                "gamma / (1 - gamma) ** 2 * by_action.sum(axis=1).max()",
                "Likely cause: a Euclidean norm; absolute values are summed",
            ),
            (
                "the largest change of a state",
                "abs(moved).max()",
                "gamma / (1 - gamma) ** 2 * by_action.sum(axis=1).max()",
                "Likely cause: one state's change only; all are summed",
            ),
            (
                "no absolute values",
                "moved.sum()",
                "gamma / (1 - gamma) ** 2 * by_action.sum(axis=1).max()",
                "Likely cause: the changes cancel: no absolute values",
            ),
            (
                "visits normalised",
                "abs(rho(probs_new) / rho(probs_new).sum() - rho(probs) / rho(probs).sum()).sum()",
                "gamma / (1 - gamma) ** 2 * by_action.sum(axis=1).max()",
                "Likely cause: the visits are divided by their mass",
            ),
            (
                "two actions only: twice the move of the first",
                "abs(moved).sum()",
                "gamma / (1 - gamma) ** 2 * 2 * by_action[:, 0].max()",
                "",
            ),
            (
                "the visible case, hard-coded",
                "3.6",
                "12.0",
                "",
            ),
        ]
    ),
    Answer(
        "small-step",
        "wrong",
        "M11: transpose forgotten",
        """
def small_step(P, p0, gamma, probs, probs_new):
    def rho(pi):
        return np.linalg.solve(np.eye(len(p0)) - gamma * np.einsum("sa,sap->sp", pi, P), p0)

    delta = abs(probs_new - probs).sum(axis=1).max()
    return abs(rho(probs_new) - rho(probs)).sum(), gamma / (1 - gamma) ** 2 * delta
""",
        says="Likely cause: P_pi is not transposed in rho",
        earns=1,
    ),
    # --- casino ------------------------------------------------------------------------------------------
    Answer(
        "casino",
        "right",
        "all amounts from 0 to n, the ends absorbing",
        """
def casino(n, p, q):
    M = np.eye(n + 1)
    for i in range(1, n):
        bold = min(i, n - i)
        M[i, i + 1] -= (1 - q) * p
        M[i, i - 1] -= (1 - q) * (1 - p)
        M[i, i + bold] -= q * p
        M[i, i - bold] -= q * (1 - p)
    home, one = np.zeros(n + 1), np.ones(n + 1)
    home[n], one[0], one[n] = 1, 0, 0
    return np.stack([np.linalg.solve(M, home), np.linalg.solve(M, one)], axis=1)[1:-1]
""",
    ),
    Answer(
        "casino",
        "right",
        "values repeated until they stand still",
        """
def casino(n, p, q):
    V, N = np.zeros(n + 1), np.zeros(n + 1)
    V[n] = 1
    i = np.arange(1, n)
    k = np.minimum(i, n - i)
    for _ in range(3000):
        V_new, N_new = V.copy(), N.copy()
        for new, old, pay in [(V_new, V, 0), (N_new, N, 1)]:
            timid = p * old[i + 1] + (1 - p) * old[i - 1]
            bold = p * old[i + k] + (1 - p) * old[i - k]
            new[i] = pay + (1 - q) * timid + q * bold
        V, N = V_new, N_new
    return np.array([V[1:-1], N[1:-1]]).T
""",
    ),
    *(
        Answer(
            "casino",
            "wrong",
            mistake,
            f"""
def casino(n, p, q):
    P, wins = np.zeros((n - 1, n - 1)), np.zeros(n - 1)
    for i in range(1, n):
        for stake, weight in [(1, {timid}), ({stake}, {bold})]:
            if i + stake >= n:
                wins[i - 1] += weight * {win}
            else:
                P[i - 1, i + stake - 1] += weight * {win}
            if i > stake:
                P[i - 1, i - stake - 1] += weight * (1 - {win})
    right = np.stack([wins, {tosses}], axis=1)
    return {result}
""",
            says=says,
            # the chances earn 2, the tosses 1
            earns={
                "the last toss not counted": 2,
                "the chance of ruin in place of that of success": 1,
            }.get(mistake, 0),
        )
        for mistake, timid, stake, bold, win, tosses, result, says in [
            (
                "p taken for the chance to lose",
                "1 - q",
                "min(i, n - i)",
                "q",
                "(1 - p)",
                "np.ones(n - 1)",
                "np.linalg.solve(np.eye(n - 1) - P, right)",
                "Likely cause: p is the chance to win, not to lose",
            ),
            (
                "q taken for the chance of timid play",
                "q",
                "min(i, n - i)",
                "1 - q",
                "p",
                "np.ones(n - 1)",
                "np.linalg.solve(np.eye(n - 1) - P, right)",
                "Likely cause: q is the chance of bold play, not of timid",
            ),
            (
                "the last toss not counted",
                "1 - q",
                "min(i, n - i)",
                "q",
                "p",
                "P.sum(axis=1)",
                "np.linalg.solve(np.eye(n - 1) - P, right)",
                "Likely cause: the last toss is not counted",
            ),
            (
                "M11: transposed",
                "1 - q",
                "min(i, n - i)",
                "q",
                "p",
                "np.ones(n - 1)",
                "np.linalg.solve(np.eye(n - 1) - P.T, right)",
                "Likely cause: the matrix is transposed",
            ),
            (
                "bold stakes all there is, beyond what is needed",
                "1 - q",
                "i",
                "q",
                "p",
                "np.ones(n - 1)",
                "np.linalg.solve(np.eye(n - 1) - P, right)",
                "Likely cause: bold play stakes more than is needed",
            ),
            (
                "the policy is bold or timid for good, by which is likelier",
                "q < 0.5",
                "min(i, n - i)",
                "q >= 0.5",
                "p",
                "np.ones(n - 1)",
                "np.linalg.solve(np.eye(n - 1) - P, right)",
                "",
            ),
            (
                "a column for each start",
                "1 - q",
                "min(i, n - i)",
                "q",
                "p",
                "np.ones(n - 1)",
                "np.linalg.solve(np.eye(n - 1) - P, right).T",
                "Likely cause: two axes are swapped",
            ),
            (
                "the columns swapped",
                "1 - q",
                "min(i, n - i)",
                "q",
                "p",
                "np.ones(n - 1)",
                "np.linalg.solve(np.eye(n - 1) - P, right)[:, ::-1]",
                "it should be that a chance is between 0 and 1",
            ),
            (
                "the chance of ruin in place of that of success",
                "1 - q",
                "min(i, n - i)",
                "q",
                "p",
                "np.ones(n - 1)",
                "np.abs(np.linalg.solve(np.eye(n - 1) - P, right) - [1, 0])",
                "Likely cause: this is the chance to lose all",
            ),
        ]
    ),
    Answer(
        "casino",
        "wrong",
        "the player makes up his mind at the start: a mean of two games",
        """
def casino(n, p, q):
    mixed = 0
    for weight, bold in [(1 - q, False), (q, True)]:
        P, wins = np.zeros((n - 1, n - 1)), np.zeros(n - 1)
        for i in range(1, n):
            stake = min(i, n - i) if bold else 1
            if i + stake == n:
                wins[i - 1] = p
            else:
                P[i - 1, i + stake - 1] = p
            if i > stake:
                P[i - 1, i - stake - 1] = 1 - p
        right = np.stack([wins, np.ones(n - 1)], axis=1)
        mixed = mixed + weight * np.linalg.solve(np.eye(n - 1) - P, right)
    return mixed
""",
    ),
    Answer(
        "casino",
        "wrong",
        "four coins only",
        """
def casino(n, p, q):
    timid = np.array([[0, p, 0], [1 - p, 0, p], [0, 1 - p, 0]])
    bold = np.array([[0, p, 0], [0, 0, 0], [0, 1 - p, 0]])
    P = (1 - q) * timid + q * bold
    right = np.array([[0, 1], [q * p, 1], [p, 1]])
    return np.linalg.solve(np.eye(3) - P, right)
""",
    ),
    Answer(
        "casino",
        "wrong",
        "two hundred games of chance in place of a solution",
        """
def casino(n, p, q):
    rng = np.random.default_rng(0)
    result = np.zeros((n - 1, 2))
    for start in range(1, n):
        for _ in range(200):
            i = start
            while 0 < i < n:
                stake = min(i, n - i) if rng.random() < q else 1
                i += stake if rng.random() < p else -stake
                result[start - 1, 1] += 1 / 200
            result[start - 1, 0] += (i == n) / 200
    return result
""",
        says="Likely cause: the formula",
    ),
    Answer(
        "greedy",
        "wrong",
        "values within 1e-6 count as equal",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * P @ V
    best = Q.max(axis=1, keepdims=True) - Q < 1e-6
    return best / best.sum(axis=1, keepdims=True)
""",
    ),
    Answer(
        "greedy",
        "wrong",
        "isclose as it is, which allows more than 1e-9",
        """
def greedy_improvement(P, R, gamma, V):
    Q = R + gamma * P @ V
    best = np.isclose(Q, Q.max(axis=1, keepdims=True))
    return best / best.sum(axis=1, keepdims=True)
""",
    ),
    Answer(
        "visits",
        "wrong",
        "single precision",
        """
def visits(P_pi, p0, gamma):
    return np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0).astype(np.float32)
""",
        says="expected double precision (float64), got float32",
    ),
    Answer(
        "visits",
        "wrong",
        "single precision on the way",
        """
def visits(P_pi, p0, gamma):
    matrix = np.eye(len(p0), dtype=np.float32) - np.float32(gamma) * P_pi.T.astype(np.float32)
    return np.linalg.solve(matrix, p0.astype(np.float32)).astype(float)
""",
        says="Likely cause: single precision",
    ),
]
