"""Right and wrong answers to problem set 5."""

from tests.exercises.problem_sets import Answer, wrong

FISHER = """
def fisher(rho, probs, scores):
    return np.einsum("s,sa,sak,sal->kl", rho, probs, scores, scores)
"""
NATURAL = """
def natural_step(fim, g):
    return np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ g
"""
KL = """
def divergence(rho, probs, probs_new):
    there = probs > 0
    ratio = np.where(there, probs, 1.0) / np.where(there, probs_new, 1.0)
    return rho @ (probs * np.log(ratio)).sum(axis=1)
"""
LITERAL = """
def literal_limit(P, R, p0, gamma, probs, scores):
    P_pi = np.einsum("sa,sap->sp", probs, P)
    rho = np.linalg.solve(np.eye(len(p0)) - gamma * P_pi.T, p0)
    fim = np.einsum("s,sa,sak,sal->kl", rho, probs, scores, scores)
    right = np.einsum("s,sa,sak,sa->k", rho, probs, scores, R)
    return np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ right
"""
TRACES = """
def trace_limit(P, R, p0, gamma, lam, probs, scores):
    one, P_pi = np.eye(len(p0)), np.einsum("sa,sap->sp", probs, P)
    rho = np.linalg.solve(one - gamma * P_pi.T, p0)
    short = gamma * lam
    V = np.linalg.solve(one - short * P_pi, (probs * R).sum(axis=1))
    fim = np.einsum("s,sa,sak,sal->kl", rho, probs, scores, scores)
    Q = R + short * P @ V
    right = np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q)
    return np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ right
"""
REPAIR = """
def repaired(scores, rewards, gamma):
    N, T, K = scores.shape
    G, ahead = np.zeros((N, T)), np.zeros(N)
    for t in reversed(range(T)):
        ahead = rewards[:, t] + gamma * ahead
        G[:, t] = ahead
    weight = gamma ** np.arange(T)
    fim = np.einsum("t,ntk,ntl->kl", weight, scores, scores)
    right = np.einsum("t,ntk,nt->k", weight, scores, G)
    return np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ right
"""
CLIMBS = """
def two_climbs(P, R, p0, gamma, features, alpha, n_steps):
    S, _, K = features.shape
    one, J = np.eye(S), np.zeros((n_steps + 1, 2))
    for column, short in enumerate([0.0, gamma]):
        theta = np.zeros(K)
        for step in range(n_steps + 1):
            odds = np.exp(features @ theta)
            probs = odds / odds.sum(axis=1, keepdims=True)
            mean = np.einsum("sa,sak->sk", probs, features)
            scores = features - mean[:, None, :]
            P_pi = np.einsum("sa,sap->sp", probs, P)
            r_pi = (probs * R).sum(axis=1)
            J[step, column] = p0 @ np.linalg.solve(one - gamma * P_pi, r_pi)
            rho = np.linalg.solve(one - gamma * P_pi.T, p0)
            Q = R + short * P @ np.linalg.solve(one - short * P_pi, r_pi)
            fim = np.einsum("s,sa,sak,sal->kl", rho, probs, scores, scores)
            g = np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q)
            w = np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ g
            theta = theta + alpha * w
    return J
"""

BANK = [
    # --- fisher ------------------------------------------------------------------------------------------
    Answer(
        "fisher",
        "right",
        "a loop over states and actions",
        """
def fisher(rho, probs, scores):
    S, A, K = scores.shape
    total = np.zeros((K, K))
    for s in range(S):
        for a in range(A):
            total += rho[s] * probs[s, a] * np.outer(scores[s, a], scores[s, a])
    return total
""",
    ),
    Answer(
        "fisher",
        "right",
        "a product of two matrices, as a nested list",
        """
def fisher(rho, probs, scores):
    rows = scores.reshape(-1, scores.shape[-1])
    weight = (rho[:, None] * probs).reshape(-1)
    return (rows.T @ (weight[:, None] * rows)).tolist()
""",
    ),
    *wrong(
        "fisher",
        FISHER,
        (
            "M8: divided by the mass",
            "scores, scores)",
            "scores, scores) / rho.sum()",
            "divided by the mass of rho",
        ),
        ("rho left out", '"s,sa,sak,sal->kl", rho,', '"sa,sak,sal->kl",', "rho is missing"),
        ("pi left out", '"s,sa,sak,sal->kl", rho, probs,', '"s,sak,sal->kl", rho,', "pi is missing"),
        (
            "all actions alike",
            "probs, scores,",
            "np.full_like(probs, 1 / probs.shape[1]), scores,",
            "all actions count alike",
        ),
        (
            "squares of the entries, no outer product",
            "return np",
            "return np.eye(scores.shape[2]) * np",
            "take the outer product",
        ),
        (
            "a vector of squares",
            '"s,sa,sak,sal->kl"',
            '"s,sa,sak,sak->k"',
            "a sum runs over an axis too many",
        ),
        ("pi squared", "rho, probs, scores, scores", "rho, probs**2, scores, scores", "pi is squared"),
        ("rho squared", "rho, probs, scores, scores", "rho**2, probs, scores, scores", "rho is squared"),
        ("the sign", "return np", "return -np", "a weight is missing, or a product is no outer product"),
        (
            "the score of a state is averaged first",
            '"s,sa,sak,sal->kl", rho, probs, scores, scores',
            '"s,sk,sl->kl", rho, *2 * [(probs[:, :, None] * scores).sum(axis=1)]',
            "the formula; work out this entry by hand",
        ),
        ("two actions only", "probs, scores, scores", "probs[:, :2], scores[:, :2], scores[:, :2]", ""),
        ("no return", "return ", "", "the function has no `return`"),
    ),
    Answer(
        "fisher",
        "wrong",
        "the visible answer, whatever is asked",
        """
def fisher(rho, probs, scores):
    return [[0.5, 0.5], [0.5, 0.6875]]
""",
    ),
    # --- natural -----------------------------------------------------------------------------------------
    Answer(
        "natural",
        "right",
        "eigenvalues",
        """
def natural_step(fim, g):
    values, vectors = np.linalg.eigh(fim)
    kept = values > 1e-10 * values.max()
    vectors = vectors[:, kept]
    return vectors @ ((vectors.T @ g) / values[kept])
""",
    ),
    Answer(
        "natural",
        "right",
        "least squares, which take the shortest",
        """
def natural_step(fim, g):
    w, *_ = np.linalg.lstsq(fim, g, rcond=1e-10)
    return w
""",
    ),
    *wrong(
        "natural",
        NATURAL,
        ("multiplied by FIM", "np.linalg.pinv(fim, rcond=1e-10, hermitian=True)", "fim", "multiplied by FIM"),
        ("the cut-off of pinv itself", "rcond=1e-10, ", "", ""),
        ("a larger cut-off", "rcond=1e-10", "rcond=1e-8", ""),
        ("the plain gradient", "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ ", "", "this is g itself"),
        (
            "inverted entry by entry",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True)",
            "1 / fim",
            "FIM is inverted entry by entry",
        ),
        (
            "the diagonal only",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ g",
            "g / np.diag(fim)",
            "only the diagonal of FIM is used",
        ),
        (
            "solve, which needs full rank",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ g",
            "np.linalg.solve(fim, g)",
            "Singular matrix",
        ),
        (
            "a ridge",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ g",
            "np.linalg.solve(fim + 1e-4 * np.eye(len(g)), g)",
            "its accuracy",
        ),
        (
            "a tiny ridge",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ g",
            "np.linalg.solve(fim + 1e-10 * np.eye(len(g)), g)",
            "",
        ),
        ("large eigenvalues only", "rcond=1e-10", "rcond=0.2", "the formula; work out this entry by hand"),
        ("the sign", "return ", "return -", "the sign"),
        ("for two parameters only", "return ", "fim, g = fim[:2, :2], g[:2]\n    return ", ""),
    ),
    Answer(
        "natural",
        "wrong",
        "a solution, but not the shortest",
        """
def natural_step(fim, g):
    free = [0]
    for k in range(1, len(g)):
        if np.linalg.matrix_rank(fim[np.ix_([*free, k], [*free, k])], tol=1e-8) > len(free):
            free.append(k)
    w = np.zeros(len(g))
    w[free] = np.linalg.solve(fim[np.ix_(free, free)], g[free])
    return w
""",
        says="a solution, but not the shortest",
    ),
    Answer(
        "natural",
        "wrong",
        "the visible answer, whatever is asked",
        """
def natural_step(fim, g):
    return np.ones(len(g))
""",
    ),
    # --- kl ----------------------------------------------------------------------------------------------
    Answer(
        "kl",
        "right",
        "a loop that skips what is 0",
        """
def divergence(rho, probs, probs_new):
    total = 0.0
    for s in range(len(rho)):
        for p, q in zip(probs[s], probs_new[s]):
            if p > 0:
                total += rho[s] * p * (np.log(p) - np.log(q))
    return total
""",
    ),
    Answer(
        "kl",
        "right",
        "cross entropy less entropy, of the pairs that occur",
        """
def divergence(rho, probs, probs_new):
    weight = rho[:, None] * probs
    on = weight > 0
    entropy = -(weight[on] * np.log(probs[on])).sum()
    cross = -(weight[on] * np.log(probs_new[on])).sum()
    return np.array(cross - entropy)
""",
    ),
    *wrong(
        "kl",
        KL,
        (
            "a small number inside the logarithm",
            "np.log(ratio)",
            "np.log((probs + 1e-12) / (probs_new + 1e-12))",
            "",
        ),
        (
            "policies swapped",
            "there =",
            "probs, probs_new = probs_new, probs\n    there =",
            "the two policies are swapped",
        ),
        ("base 2", "np.log(", "np.log2(", "a logarithm to base 2"),
        (
            "rho left out",
            "rho @ (probs * np.log(ratio)).sum(axis=1)",
            "(probs * np.log(ratio)).sum()",
            "rho is missing",
        ),
        ("pi left out", "probs * np.log", "np.log", "pi is missing"),
        ("one number a state", "rho @ ", "rho * ", "a sum or a mean over an axis is missing"),
        (
            "squares",
            "(probs * np.log(ratio))",
            "((probs - probs_new) ** 2)",
            "squares of differences are no divergence",
        ),
        ("the sign", "return rho", "return -rho", "a divergence is not negative"),
        ("divided by the mass", "return rho", "return rho / rho.sum()", "rho is missing"),
        (
            "both ways, added",
            ".sum(axis=1)",
            ".sum(axis=1) + rho @ (probs_new * np.log(1 / ratio)).sum(axis=1)",
            "the formula; work out this entry by hand",
        ),
        (
            "zeros filled up",
            "there = probs > 0",
            "probs = probs + 1e-6\n    there = probs > 0",
            "its accuracy",
        ),
        (
            "for two actions only",
            "there = ",
            "probs, probs_new = probs[:, :2], probs_new[:, :2]\n    there = ",
            "",
        ),
        (
            "for visited states as often as the first",
            "return rho",
            "return rho[0] * np.array([1.0, 0.5, *np.zeros(len(rho))])[: len(rho)]",
            "",
        ),
    ),
    Answer(
        "kl",
        "wrong",
        "0 log 0 is not a number",
        """
def divergence(rho, probs, probs_new):
    with np.errstate(all="ignore"):
        return rho @ (probs * np.log(probs / probs_new)).sum(axis=1)
""",
        says="a division by 0, the logarithm of 0",
    ),
    # --- literal -----------------------------------------------------------------------------------------
    Answer(
        "literal",
        "right",
        "the expected update as it stands, bootstrap term and all",
        """
def literal_limit(P, R, p0, gamma, probs, scores):
    S, A, K = scores.shape
    rho = np.linalg.solve(np.eye(S) - gamma * np.einsum("sa,sap->ps", probs, P), p0)
    matrix, right = np.zeros((K, K)), np.zeros(K)
    mean = np.einsum("pb,pbk->pk", probs, scores)
    for s in range(S):
        for a in range(A):
            weight = rho[s] * probs[s, a]
            matrix += weight * np.outer(scores[s, a], scores[s, a] - gamma * P[s, a] @ mean)
            right += weight * R[s, a] * scores[s, a]
    return np.linalg.lstsq(matrix, right, rcond=1e-10)[0]
""",
    ),
    Answer(
        "literal",
        "right",
        "a regression of rewards on scores",
        """
def literal_limit(P, R, p0, gamma, probs, scores):
    P_pi = (probs[:, :, None] * P).sum(axis=1)
    rho = np.linalg.inv(np.eye(len(p0)) - gamma * P_pi).T @ p0
    root = np.sqrt(rho[:, None] * probs)
    rows = (root[:, :, None] * scores).reshape(-1, scores.shape[2])
    return np.linalg.lstsq(rows, (root * R).ravel(), rcond=1e-6)[0]
""",
    ),
    *wrong(
        "literal",
        LITERAL,
        (
            "M7 undone: Q in the place of r",
            "    right =",
            "    V = np.linalg.solve(np.eye(len(p0)) - gamma * P_pi, (probs * R).sum(axis=1))\n"
            "    R = R + gamma * P @ V\n    right =",
            "this is the natural gradient",
        ),
        (
            "the expected update, not where it is 0",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ ",
            "",
            "this is the expected update",
        ),
        ("the sign", "return ", "return -", "the sign"),
        ("M11: not transposed", "P_pi.T", "P_pi", "P_pi is not transposed in rho"),
        (
            "rho divided by its mass on one side",
            "    right =",
            "    fim = fim / rho.sum()\n    right =",
            "or a weight is wrong",
        ),
        (
            "rho left out",
            "    fim =",
            "    rho = np.ones_like(rho)\n    fim =",
            "Likely cause: rho, or a weight",
        ),
        ("visits without discount", "gamma * P_pi.T", "0.5 * P_pi.T", ""),
        (
            "a reward too late",
            "probs, scores, R)",
            "probs, scores, gamma * P @ (probs * R).sum(axis=1))",
            "the next reward is used",
        ),
        (
            "next score not averaged: bootstraps on the same action",
            "probs, scores, scores)",
            "probs, scores, scores - gamma * np.einsum('sap,pak->sak', P, scores))",
            "Likely cause: rho, or a weight",
        ),
        (
            "solve, which needs full rank",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ right",
            "np.linalg.solve(fim, right)",
            "",
        ),
    ),
    Answer(
        "literal",
        "wrong",
        "the visible answer, whatever is asked",
        """
def literal_limit(P, R, p0, gamma, probs, scores):
    return -np.ones(scores.shape[2])
""",
        says="P_pi is not transposed in rho",
    ),
    # --- traces ------------------------------------------------------------------------------------------
    Answer(
        "traces",
        "right",
        "a sum over the steps ahead",
        """
def trace_limit(P, R, p0, gamma, lam, probs, scores):
    S = len(p0)
    P_pi = (probs[:, :, None] * P).sum(axis=1)
    r_pi = (probs * R).sum(axis=1)
    rho = np.linalg.inv(np.eye(S) - gamma * P_pi).T @ p0
    Q, ahead = R.copy(), r_pi
    for n in range(1, 3000):
        Q = Q + (gamma * lam) ** n * P @ ahead
        ahead = P_pi @ ahead
    root = np.sqrt(rho[:, None] * probs)
    rows = (root[:, :, None] * scores).reshape(-1, scores.shape[2])
    return np.linalg.lstsq(rows, (root * Q).ravel(), rcond=1e-6)[0]
""",
    ),
    Answer(
        "traces",
        "right",
        "advantages, which have the same inner products",
        TRACES.replace("    right =", "    Q = Q - V[:, None]\n    right ="),
    ),
    *wrong(
        "traces",
        TRACES,
        ("lambda forgotten", "short = gamma * lam", "short = gamma", "lambda does nothing"),
        ("no future", "Q = R + short * P @ V", "Q = R", "Q has no future"),
        (
            "gamma squared: the second trap",
            "short = gamma * lam",
            "short = gamma**2 * lam",
            "the trap of gamma^t on the update",
        ),
        ("lambda alone", "short = gamma * lam", "short = lam", "the discount of Q is lambda alone"),
        ("FIM left out", "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ ", "", "FIM is missing"),
        (
            "rho at gamma lambda as well",
            "one - gamma * P_pi.T",
            "one - gamma * lam * P_pi.T",
            "rho is at the discount gamma lambda",
        ),
        ("M11: not transposed", "P_pi.T", "P_pi", "P_pi is not transposed in rho"),
        ("the discount of the next state is gamma", "R + short * P", "R + gamma * P", "lambda does nothing"),
        ("the sign", "return ", "return -", "the sign"),
        (
            "lambda to the wrong end",
            "short = gamma * lam",
            "short = gamma * (1 - lam)",
            "at lambda = 0 nothing but the present",
        ),
        breaks=("traces", "two-climbs"),  # which calls it
    ),
    *wrong(
        "traces",
        TRACES,
        ("V at gamma, one step at gamma lambda", "one - short * P_pi,", "one - gamma * P_pi,", ""),
    ),
    # --- repair ------------------------------------------------------------------------------------------
    Answer(
        "repair",
        "right",
        "least squares over all steps",
        """
def repaired(scores, rewards, gamma):
    N, T, K = scores.shape
    discount = gamma ** np.arange(T)
    G = np.zeros((N, T))
    for t in range(T):
        G[:, t] = (discount[: T - t] * rewards[:, t:]).sum(axis=1)
    root = np.sqrt(discount)
    rows = (root[:, None] * scores).reshape(N * T, K)
    return np.linalg.lstsq(rows, (root * G).ravel(), rcond=1e-8)[0]
""",
    ),
    Answer(
        "repair",
        "right",
        "a loop over paths and steps",
        """
def repaired(scores, rewards, gamma):
    K = scores.shape[2]
    matrix, right = np.zeros((K, K)), np.zeros(K)
    for path, paid in zip(scores, rewards):
        for t, score in enumerate(path):
            G = sum(gamma**k * r for k, r in enumerate(paid[t:]))
            matrix += gamma**t * np.outer(score, score)
            right += gamma**t * G * score
    return np.linalg.pinv(matrix, rcond=1e-10) @ right
""",
    ),
    *wrong(
        "repair",
        REPAIR,
        ("M7: immediate rewards", "G[:, t] = ahead", "G[:, t] = rewards[:, t]", "this is the literal update"),
        (
            "M2: the whole return at every step",
            "    weight =",
            "    G[:] = G[:, :1]\n    weight =",
            "the return of the whole path",
        ),
        (
            "M3: gamma^t dropped in both sums",
            "gamma ** np.arange(T)",
            "np.ones(T)",
            "gamma^t is missing in both sums",
        ),
        (
            "gamma^t beside the squares only",
            '"t,ntk,nt->k", weight, scores',
            '"ntk,nt->k", scores',
            "gamma^t is missing on one side",
        ),
        (
            "gamma^t beside the returns only",
            '"t,ntk,ntl->kl", weight, scores',
            '"ntk,ntl->kl", scores',
            "gamma^t is missing beside the squared scores",
        ),
        (
            "returns without discount",
            "rewards[:, t] + gamma * ahead",
            "rewards[:, t] + ahead",
            "returns are not discounted",
        ),
        ("gamma^(2t)", "gamma ** np.arange(T)", "gamma ** (2 * np.arange(T))", "the weight counts twice"),
        ("not divided", "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ ", "", "the sum is not divided"),
        (
            "M5: rewards shifted",
            "        ahead = rewards[:, t] + gamma * ahead\n        G[:, t] = ahead",
            "        G[:, t] = gamma * ahead\n        ahead = rewards[:, t] + gamma * ahead",
            "the formula; work out",
        ),
        (
            "M1: the next score",
            "    fim =",
            "    scores = np.roll(scores, -1, axis=1)\n    fim =",
            "the formula; work out",
        ),
        (
            "M6: returns standardised",
            "    weight =",
            "    G = (G - G.mean()) / G.std()\n    weight =",
            "the formula; work out",
        ),
        (
            "M10: a mean taken off after the end too",
            "    weight =",
            "    G = G - G.mean(axis=0)\n    weight =",
            "the formula; work out",
        ),
        (
            "solve, which needs full rank",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ right",
            "np.linalg.solve(fim, right)",
            "",
        ),
        (
            "paths of two steps only",
            "N, T, K = scores.shape",
            "scores, rewards = scores[:, :2], rewards[:, :2]\n    N, T, K = scores.shape",
            "",
        ),
    ),
    Answer(
        "repair",
        "wrong",
        "the episodic regression as published: whole paths, and gamma^(2t)",
        """
def repaired(scores, rewards, gamma):
    N, T, K = scores.shape
    discount = gamma ** np.arange(T)
    rows = (discount[:, None] * scores).sum(axis=1)
    rows = np.concatenate([rows, np.ones((N, 1))], axis=1)
    return np.linalg.lstsq(rows, rewards @ discount, rcond=1e-8)[0][:K]
""",
        says="the formula; work out",
    ),
    # --- two climbs --------------------------------------------------------------------------------------
    Answer(
        "two-climbs",
        "right",
        "smaller functions, and probabilities that cannot overflow",
        """
def two_climbs(P, R, p0, gamma, features, alpha, n_steps):
    def at(theta):
        logits = features @ theta
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs = odds / odds.sum(axis=1, keepdims=True)
        scores = features - (probs[:, :, None] * features).sum(axis=1, keepdims=True)
        matrix = np.eye(len(p0)) - gamma * (probs[:, :, None] * P).sum(axis=1)
        V = np.linalg.solve(matrix, (probs * R).sum(axis=1))
        return probs, scores, V, np.linalg.solve(matrix.T, p0)

    def climb(bootstrap):
        theta, J = np.zeros(features.shape[2]), []
        for _ in range(n_steps + 1):
            probs, scores, V, rho = at(theta)
            J.append(p0 @ V)
            Q = R + (gamma * P @ V if bootstrap else 0.0)
            root = np.sqrt(rho[:, None] * probs)
            rows = (root[:, :, None] * scores).reshape(-1, len(theta))
            w = np.linalg.lstsq(rows, (root * Q).ravel(), rcond=1e-6)[0]
            theta = theta + alpha * w
        return J

    return list(zip(climb(False), climb(True)))
""",
    ),
    Answer(
        "two-climbs",
        "right",
        "J as a sum over places",
        CLIMBS.replace(
            "            J[step, column] = p0 @ np.linalg.solve(one - gamma * P_pi, r_pi)\n"
            "            rho = np.linalg.solve(one - gamma * P_pi.T, p0)\n",
            "            rho = np.linalg.solve(one - gamma * P_pi.T, p0)\n"
            "            J[step, column] = (rho[:, None] * probs * R).sum()\n",
        ),
    ),
    *wrong(
        "two-climbs",
        CLIMBS,
        ("columns swapped", "enumerate([0.0, gamma])", "enumerate([gamma, 0.0])", "the columns are swapped"),
        ("both literal", "[0.0, gamma]", "[0.0, 0.0]", "both climbs are literal"),
        ("both natural", "[0.0, gamma]", "[gamma, gamma]", "both climbs are natural"),
        ("downhill", "theta + alpha", "theta - alpha", "the steps go downhill"),
        (
            "plain gradients",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ g",
            "g",
            "the gradient is not divided by FIM",
        ),
        (
            "theta not set back",
            "        theta = np.zeros(K)\n",
            "        theta = np.zeros(K) if column == 0 else theta\n",
            "before any step",
        ),
        (
            "M12: features, not scores",
            "scores = features - mean[:, None, :]",
            "scores = features",
            "the formula; work out",
        ),
        ("M11: not transposed", "P_pi.T", "P_pi", ""),
        (
            "the first J is left out",
            "            theta = theta + alpha * w\n    return J",
            "            theta = theta + alpha * w\n    return J[1:]",
            "an entry too few",
        ),
        (
            "J after the step, not before",
            "range(n_steps + 1):\n            odds",
            "[0, *range(n_steps)]:\n            odds",
            "before any step",
        ),
        (
            "the start forgotten: J is the first state's value",
            "J[step, column] = p0 @ np.linalg.solve(one - gamma * P_pi, r_pi)",
            "J[step, column] = np.linalg.solve(one - gamma * P_pi, r_pi)[0]",
            "",
        ),
        (
            "the softmax over states",
            "odds / odds.sum(axis=1, keepdims=True)",
            "odds / odds.sum(axis=0, keepdims=True)",
            "the formula; work out",
        ),
        (
            "M8: Fisher divided by the mass",
            "            g =",
            "            fim = fim / rho.sum()\n            g =",
            "the formula; work out",
        ),
        (
            "solve, which needs full rank",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ g",
            "np.linalg.solve(fim, g)",
            "",
        ),
    ),
]
