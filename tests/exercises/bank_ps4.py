"""Right and wrong answers to problem set 4."""

from tests.exercises.problem_sets import Answer, wrong

BIAS = """
def gradient_bias(rho, probs, scores, Q, Q_hat):
    return np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q_hat - Q)
"""
WEIGHTS = """
def critic_weights(rho, probs, scores, Q):
    fim = np.einsum("s,sa,sak,sal->kl", rho, probs, scores, scores)
    right = np.einsum("s,sa,sak,sa->k", rho, probs, scores, Q)
    return np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ right
"""
WORST = """
def worst_error(rho, probs, scores, u):
    along = scores @ u
    size = np.einsum("s,sa,sa->", rho, probs, along**2)
    return along / np.sqrt(size)
"""
ESTIMATE = """
def critic_estimate(scores, w, v, gamma):
    N, T, _ = scores.shape
    advantage = gamma ** np.arange(T) * (scores @ w - v)
    each = (scores * advantage[:, :, None]).sum(axis=1)
    return np.stack([each.mean(axis=0), each.std(axis=0, ddof=1) / N**0.5])
"""
FITTED = """
def fitted_estimate(fit_scores, fit_rewards, scores, gamma):
    G, ahead = np.zeros_like(fit_rewards), 0.0
    for t in reversed(range(fit_rewards.shape[1])):
        G[:, t] = ahead = fit_rewards[:, t] + gamma * ahead
    weight = gamma ** np.arange(G.shape[1])
    fim = np.einsum("t,ntk,ntl->kl", weight, fit_scores, fit_scores)
    right = np.einsum("t,ntk,nt->k", weight, fit_scores, G)
    w = np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ right
    weight = gamma ** np.arange(scores.shape[1])
    used = np.einsum("t,ntk,ntl->kl", weight, scores, scores)
    return used @ w / len(scores)
"""
BOOTSTRAP = """
def td_weights(P_pi, r_pi, rho, gamma, features):
    weighted = features.T * rho
    ahead = features - gamma * P_pi @ features
    return np.linalg.solve(weighted @ ahead, weighted @ r_pi)
"""
QUEUE = """
def class_critic(P, R, p0, gamma, probs, scores, classes):
    one, P_pi = np.eye(len(p0)), np.einsum("sa,sap->sp", probs, P)
    V = np.linalg.solve(one - gamma * P_pi, (probs * R).sum(axis=1))
    rho = np.linalg.solve(one - gamma * P_pi.T, p0)
    member = np.eye(max(classes) + 1)[np.asarray(classes)]
    V_hat = member @ ((rho * V) @ member / (rho @ member))
    rows = [
        np.einsum("s,sa,sak,sa->k", rho, probs, scores, R + gamma * P @ each)
        for each in (V, V_hat)
    ]
    return np.stack(rows)
"""

BANK = [
    # --- bias --------------------------------------------------------------------------------------------
    Answer(
        "bias",
        "right",
        "two gradients and their difference",
        """
def gradient_bias(rho, probs, scores, Q, Q_hat):
    def gradient(values):
        slopes = probs[:, :, None] * scores
        return rho @ (slopes * values[:, :, None]).sum(axis=1)

    return gradient(Q_hat) - gradient(Q)
""",
    ),
    Answer(
        "bias",
        "right",
        "a loop",
        """
def gradient_bias(rho, probs, scores, Q, Q_hat):
    total = np.zeros(scores.shape[2])
    for s in range(len(rho)):
        for a in range(probs.shape[1]):
            total += rho[s] * probs[s, a] * (Q_hat[s, a] - Q[s, a]) * scores[s, a]
    return list(total)
""",
    ),
    *wrong(
        "bias",
        BIAS,
        ("the critic's gradient alone", "Q_hat - Q)", "Q_hat)", "this is the critic's gradient"),
        ("the difference the other way round", "Q_hat - Q)", "Q - Q_hat)", "the true gradient less that"),
        ("pi left out", '"s,sa,sak,sa->k", rho, probs,', '"s,sak,sa->k", rho,', "pi is missing"),
        ("rho left out", '"s,sa,sak,sa->k", rho,', '"sa,sak,sa->k",', "rho is missing"),
        ("rho divided by its mass", "return np", "return 1 / rho.sum() * np", "rho is divided by its mass"),
        (
            "no score",
            '"s,sa,sak,sa->k", rho, probs, scores',
            '"s,sa,sa->s", rho, probs',
            "a sum over the wrong axis",
        ),
        ("absolute errors", "Q_hat - Q)", "abs(Q_hat - Q))", ""),
        (
            "probabilities squared",
            "rho, probs, scores, Q_hat",
            "rho, probs**2, scores, Q_hat",
            "the formula; work out",
        ),
        (
            "for two actions only",
            '"s,sa,sak,sa->k", rho, probs, scores, Q_hat - Q',
            '"s,sa,sak,sa->k", rho, probs[:, :2], scores[:, :2], (Q_hat - Q)[:, :2]',
            "",
        ),
        ("one number for all parameters", "->k", "->", "a sum runs over an axis too many"),
    ),
    # --- weights -----------------------------------------------------------------------------------------
    Answer(
        "weights",
        "right",
        "least squares of scaled rows",
        """
def critic_weights(rho, probs, scores, Q):
    root = np.sqrt(rho[:, None] * probs)
    rows = (root[:, :, None] * scores).reshape(-1, scores.shape[2])
    return np.linalg.lstsq(rows, (root * Q).ravel(), rcond=1e-5)[0]
""",
    ),
    Answer(
        "weights",
        "right",
        "eigenvalues, and advantages in the place of values",
        """
def critic_weights(rho, probs, scores, Q):
    A = Q - (probs * Q).sum(axis=1, keepdims=True)
    fim = np.zeros((scores.shape[2], scores.shape[2]))
    right = np.zeros(scores.shape[2])
    for s, a in np.ndindex(*Q.shape):
        fim += rho[s] * probs[s, a] * np.outer(scores[s, a], scores[s, a])
        right += rho[s] * probs[s, a] * scores[s, a] * A[s, a]
    values, vectors = np.linalg.eigh(fim)
    kept = values > 1e-10 * values[-1]
    return vectors[:, kept] @ (vectors[:, kept].T @ right / values[kept])
""",
    ),
    *wrong(
        "weights",
        WEIGHTS,
        ("the cut-off of pinv itself", "rcond=1e-10, ", "", ""),
        (
            "every pair alike",
            "    fim =",
            "    rho, probs = np.ones_like(rho), np.ones_like(probs)\n    fim =",
            "every pair counts once",
        ),
        ("rho left out", "    fim =", "    rho = np.ones_like(rho)\n    fim =", "rho is missing"),
        ("pi left out", "    fim =", "    probs = np.ones_like(probs)\n    fim =", "pi is missing"),
        (
            "not divided by FIM",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ ",
            "",
            "it is not divided by FIM",
        ),
        (
            "M8: FIM divided by the mass, the gradient not",
            "    right =",
            "    fim = fim / rho.sum()\n    right =",
            "rho is normalised on one side only",
        ),
        ("multiplied by FIM", "np.linalg.pinv(fim, rcond=1e-10, hermitian=True)", "fim", "multiplied by FIM"),
        (
            "solve, which needs full rank",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ right",
            "np.linalg.solve(fim, right)",
            "Singular matrix",
        ),
        ("a ridge", "fim, rcond", "fim + 1e-4 * np.eye(len(fim)), rcond", "its accuracy"),
        ("the sign", "return ", "return -", "the sign"),
        (
            "the diagonal of FIM only",
            "np.linalg.pinv(fim, rcond=1e-10, hermitian=True) @ right",
            "right / np.diag(fim)",
            "a factor: all entries are 2 times",
        ),
        (
            "a tiny ridge",
            "fim, rcond=1e-10",
            "fim + 1e-9 * np.eye(len(fim)), rcond=0",
            "with two equal columns FIM is singular",
        ),
        (
            "for two actions only",
            "    fim =",
            "    probs, scores, Q = probs[:, :2], scores[:, :2], Q[:, :2]\n    fim =",
            "",
        ),
    ),
    # --- worst -------------------------------------------------------------------------------------------
    Answer(
        "worst",
        "right",
        "loops",
        """
def worst_error(rho, probs, scores, u):
    S, A, K = scores.shape
    f, size = np.zeros((S, A)), 0.0
    for s in range(S):
        for a in range(A):
            f[s, a] = sum(scores[s, a, k] * u[k] for k in range(K))
            size += rho[s] * probs[s, a] * f[s, a] ** 2
    return f / size**0.5
""",
    ),
    Answer(
        "worst",
        "right",
        "by the Fisher information",
        """
def worst_error(rho, probs, scores, u):
    fim = np.einsum("s,sa,sak,sal->kl", rho, probs, scores, scores)
    return np.tensordot(scores, u, axes=1) / np.sqrt(u @ fim @ u)
""",
    ),
    *wrong(
        "worst",
        WORST,
        ("not divided", " / np.sqrt(size)", "", "Likely cause: the size is not 1: nothing is divided"),
        ("no root", "np.sqrt(size)", "size", "Likely cause: divided by the square of the size"),
        (
            "rho forgotten in the size",
            '"s,sa,sa->", rho,',
            '"sa,sa->",',
            "Likely cause: the size without rho",
        ),
        (
            "pi forgotten in the size",
            '"s,sa,sa->", rho, probs',
            '"s,sa->", rho',
            "Likely cause: the size without pi",
        ),
        (
            "neither rho nor pi in the size",
            'np.einsum("s,sa,sa->", rho, probs, along**2)',
            "np.sum(along**2)",
            "Likely cause: the size without rho and pi",
        ),
        ("sign", "along = scores", "along = -scores", "Likely cause: the sign: this one takes most away"),
        (
            "the sign of u lost",
            "along = scores @ u",
            "along = scores @ abs(u)",
            "Likely cause: the sign of u is lost",
        ),
        (
            "rho and pi in the error",
            "return along",
            "return rho[:, None] * probs * along",
            "Likely cause: rho and pi stand in the error, too",
        ),
        ("one parameter only", "scores @ u", "scores[:, :, 0] * u[0]", ""),
        ("the largest entry is 1", "np.sqrt(size)", "abs(along).max()", ""),
    ),
    # --- estimate ----------------------------------------------------------------------------------------
    Answer(
        "estimate",
        "right",
        "a loop over the paths",
        """
def critic_estimate(scores, w, v, gamma):
    sums = []
    for path, guess in zip(scores, v):
        total = 0.0
        for t, (score, each) in enumerate(zip(path, guess)):
            total = total + gamma**t * (score @ w - each) * score
        sums.append(total)
    N = len(sums)
    mean = sum(sums) / N
    spread = sum((each - mean) ** 2 for each in sums) / (N - 1)
    return [mean, (spread / N) ** 0.5]
""",
    ),
    Answer(
        "estimate",
        "right",
        "einsum, and the variance of the mean",
        """
def critic_estimate(scores, w, v, gamma):
    weight = gamma ** np.arange(scores.shape[1])
    sums = np.einsum("t,ntk,nt->nk", weight, scores, np.einsum("ntk,k->nt", scores, w) - v)
    return np.array([sums.mean(axis=0), np.sqrt(sums.var(axis=0, ddof=1) / len(sums))])
""",
    ),
    *wrong(
        "estimate",
        ESTIMATE,
        ("a sum over the paths", "each.mean(axis=0)", "each.sum(axis=0)", "a sum over the paths", 1),
        ("M3: gamma^t dropped", "gamma ** np.arange(T) * ", "", "gamma^t is missing"),
        ("no guesses", " - v)", ")", "the guesses are left out"),
        ("guesses added", " - v)", " + v)", "the guesses are added"),
        ("N in the divisor", "ddof=1", "ddof=0", "N in the divisor", 1),
        ("not over the root of N", " / N**0.5", "", "not of the mean", 1),
        (
            "the variance",
            "each.std(axis=0, ddof=1) / N**0.5",
            "each.var(axis=0, ddof=1) / N",
            "not its root",
            1,
        ),
        (
            "rows swapped",
            "return np.stack([each.mean(axis=0), each.std(axis=0, ddof=1) / N**0.5])",
            "return np.stack([each.std(axis=0, ddof=1) / N**0.5, each.mean(axis=0)])",
            "the two rows are swapped",
        ),
        ("gamma^t counts from 1", "np.arange(T)", "np.arange(1, T + 1)", "a factor"),
        (
            "M1: the score of the next step",
            "    each = (scores",
            "    each = (np.roll(scores, -1, axis=1)",
            "the formula; work out",
        ),
        (
            "M6: advantages standardised",
            "    each =",
            "    advantage = (advantage - advantage.mean()) / advantage.std()\n    each =",
            "the formula; work out",
        ),
        (
            "discounted along the wrong axis",
            "gamma ** np.arange(T) * (",
            "(gamma ** np.arange(N))[:, None] * (",
            "the formula; work out",
        ),
        ("two steps only", "    N, T, _", "    scores, v = scores[:, :2], v[:, :2]\n    N, T, _", ""),
        ("one path in two weighs in", "each.mean(axis=0)", "each[:2].mean(axis=0)", "", 1),
    ),
    # --- fitted ------------------------------------------------------------------------------------------
    Answer(
        "fitted",
        "right",
        "least squares by rows, and a loop over the second paths",
        """
def fitted_estimate(fit_scores, fit_rewards, scores, gamma):
    N, T, K = fit_scores.shape
    discount = gamma ** np.arange(T)
    G = np.stack([(discount[: T - t] * fit_rewards[:, t:]).sum(axis=1) for t in range(T)], axis=1)
    root = np.sqrt(discount)
    w = np.linalg.lstsq((root[:, None] * fit_scores).reshape(-1, K), (root * G).ravel(), rcond=1e-8)[0]
    total = np.zeros(K)
    for path in scores:
        for t, score in enumerate(path):
            total += gamma**t * (score @ w) * score
    return total / len(scores)
""",
    ),
    Answer(
        "fitted",
        "right",
        "means in the place of sums in the fit",
        FITTED.replace("fit_scores, fit_scores)", "fit_scores, fit_scores) / len(G)").replace(
            "fit_scores, G)", "fit_scores, G) / len(G)"
        ),
    ),
    *wrong(
        "fitted",
        FITTED,
        ("a sum over the paths", " / len(scores)", "", "a sum over the paths"),
        (
            "M7: immediate rewards",
            "G[:, t] = ahead =",
            "G[:, t] = fit_rewards[:, t]\n        ahead =",
            "immediate rewards, not returns",
        ),
        (
            "M2: the whole return",
            "    weight = gamma ** np.arange(G",
            "    G[:] = G[:, :1]\n    weight = gamma ** np.arange(G",
            "the return of the whole path",
        ),
        (
            "M3: gamma^t dropped beside the returns",
            '"t,ntk,nt->k", weight, fit_scores',
            '"ntk,nt->k", fit_scores',
            "gamma^t is missing beside the returns",
        ),
        (
            "gamma^t dropped in the fit",
            "gamma ** np.arange(G.shape[1])",
            "np.ones(G.shape[1])",
            "gamma^t is missing in the fit",
        ),
        ("w itself", "return used @ w / len(scores)", "return w", "this is w"),
        (
            "divided by the number of the first paths",
            "len(scores)",
            "len(fit_scores)",
            "divided by the number of the paths of the fit",
        ),
        (
            "gamma^t dropped where the critic is used",
            "gamma ** np.arange(scores.shape[1])",
            "np.ones(scores.shape[1])",
            "the formula; work out",
        ),
        (
            "REINFORCE on the first paths, whatever the second are",
            "return used @ w / len(scores)",
            "return right / len(G)",
            "divided by the number of the paths of the fit",
        ),
        (
            "M5: rewards shifted",
            "G[:, t] = ahead = fit_rewards[:, t] + gamma * ahead",
            "G[:, t] = gamma * ahead\n        ahead = fit_rewards[:, t] + gamma * ahead",
            "the formula; work out",
        ),
        (
            "M6: returns standardised",
            "    weight = gamma ** np.arange(G",
            "    G = (G - G.mean()) / G.std()\n    weight = gamma ** np.arange(G",
            "the formula; work out",
        ),
        (
            "two steps only in the use",
            "    weight = gamma ** np.arange(scores",
            "    scores = scores[:, :2]\n    weight = gamma ** np.arange(scores",
            "",
        ),
        (
            "two steps only in the fit",
            "    G, ahead",
            "    fit_scores, fit_rewards = fit_scores[:, :2], fit_rewards[:, :2]\n    G, ahead",
            "",
        ),
    ),
    # --- bootstrap ---------------------------------------------------------------------------------------
    Answer(
        "bootstrap",
        "right",
        "state by state",
        """
def td_weights(P_pi, r_pi, rho, gamma, features):
    S, K = features.shape
    matrix, side = np.zeros((K, K)), np.zeros(K)
    for s in range(S):
        following = sum(P_pi[s, p] * features[p] for p in range(S))
        matrix += rho[s] * np.outer(features[s], features[s] - gamma * following)
        side += rho[s] * features[s] * r_pi[s]
    return np.linalg.solve(matrix, side)
""",
    ),
    Answer(
        "bootstrap",
        "right",
        "one einsum, and an inverse",
        """
def td_weights(P_pi, r_pi, rho, gamma, features):
    step = np.eye(len(rho)) - gamma * P_pi
    matrix = np.einsum("s,sk,sp,pl->kl", rho, features, step, features)
    return np.linalg.inv(matrix) @ np.einsum("s,sk,s->k", rho, features, r_pi)
""",
    ),
    *wrong(
        "bootstrap",
        BOOTSTRAP,
        (
            "fitted to V",
            "return np.linalg.solve(weighted @ ahead, weighted @ r_pi)",
            "V = np.linalg.solve(np.eye(len(rho)) - gamma * P_pi, r_pi)\n"
            "    return np.linalg.solve(weighted @ features, weighted @ V)",
            "Likely cause: the best fit to V",
        ),
        (
            "the squared surprise",
            "weighted = features.T * rho\n    ahead = features - gamma * P_pi @ features",
            "ahead = features - gamma * P_pi @ features\n    weighted = ahead.T * rho",
            "Likely cause: the squared surprise is minimised",
        ),
        ("rho forgotten", "features.T * rho", "features.T", "Likely cause: rho is missing"),
        ("rho twice", "features.T * rho", "features.T * rho**2", "Likely cause: rho stands twice"),
        ("gamma forgotten", "gamma * P_pi", "P_pi", "Likely cause: the next value is not discounted"),
        ("no next value", " - gamma * P_pi @ features", "", "Likely cause: the next value is left out"),
        ("transposed", "P_pi @", "P_pi.T @", "Likely cause: P_pi is transposed"),
        ("gamma as in the case", "gamma * P_pi", "0.5 * P_pi", ""),
        ("the right side without rho", "weighted @ r_pi", "features.T @ r_pi", "which is not right"),
    ),
    # --- queue -------------------------------------------------------------------------------------------
    Answer(
        "queue",
        "right",
        "a loop over the classes",
        """
def class_critic(P, R, p0, gamma, probs, scores, classes):
    S = len(p0)
    P_pi = (probs[:, :, None] * P).sum(axis=1)
    V = np.linalg.solve(np.eye(S) - gamma * P_pi, (probs * R).sum(axis=1))
    rho = np.linalg.inv(np.eye(S) - gamma * P_pi).T @ p0
    V_hat = np.zeros(S)
    for c in set(np.asarray(classes).tolist()):
        inside = np.asarray(classes) == c
        V_hat[inside] = (rho * V)[inside].sum() / rho[inside].sum()

    def gradient(values):
        Q = R + gamma * P @ values
        return rho @ (probs[:, :, None] * scores * Q[:, :, None]).sum(axis=1)

    return gradient(V), gradient(V_hat)
""",
    ),
    Answer(
        "queue",
        "right",
        "TD errors: the critic's own value of the state taken off",
        QUEUE.replace("R + gamma * P @ each)", "R + gamma * P @ each - each[:, None])"),
    ),
    *wrong(
        "queue",
        QUEUE,
        (
            "unweighted means",
            "(rho * V) @ member / (rho @ member)",
            "V @ member / member.sum(axis=0)",
            "not weighted by the visits",
        ),
        (
            "classes do nothing",
            "V_hat = member @ ((rho * V) @ member / (rho @ member))",
            "V_hat = V",
            "classes do nothing",
        ),
        ("rewards only", "for each in (V, V_hat)", "for each in (V, 0 * V)", "no next state"),
        ("rows swapped", "(V, V_hat)", "(V_hat, V)", "the rows are swapped"),
        (
            "sums over the class, no means",
            "(rho * V) @ member / (rho @ member)",
            "(rho * V) @ member",
            "the formula; work out",
        ),
        (
            "the next value not discounted",
            "R + gamma * P @ each)",
            "R + (gamma if each is V else 1) * P @ each)",
            "not discounted",
        ),
        ("M11: not transposed", "P_pi.T", "P_pi", "rho is not transposed"),
        ("the sign", "return np.stack", "return -np.stack", "the sign"),
        ("pi left out", '"s,sa,sak,sa->k", rho, probs', '"s,sak,sa->k", rho', "a factor"),
        (
            "V smeared over the critic's Q, not over V",
            "R + gamma * P @ each)",
            "R + gamma * P @ V + each[:, None])",
            "classes do nothing",
        ),
        (
            "two classes only",
            "np.eye(max(classes) + 1)[np.asarray(classes)]",
            "np.eye(min(max(classes), 1) + 1)[np.minimum(classes, 1)]",
            "",
        ),
        (
            "the visits are those of the first step",
            "    member",
            "    visits, rho = rho, rho if len(rho) < 4 else p0\n    member",
            "",
        ),
    ),
    Answer(
        "queue",
        "wrong",
        "the mean of V weighted by the start",
        QUEUE.replace(
            "(rho * V) @ member / (rho @ member)", "(p0 * V) @ member / np.maximum(p0 @ member, 1e-300)"
        ),
        says="weighted by the start",
    ),
]
