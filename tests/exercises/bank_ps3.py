"""Right and wrong answers to problem set 3."""

from tests.exercises.problem_sets import Answer


def written(question, template, right, kinds):
    """Answers that differ in a few places: each kind is (mistake, what the checks say, the places)."""
    for mistake, says, places in kinds:
        code = template
        for name, usual in right.items():
            code = code.replace(f"<{name}>", places.get(name, usual))
        yield Answer(question, "wrong", mistake, code, says=says)


BANK = [
    # --- to-go -------------------------------------------------------------------------------------------
    Answer(
        "to-go",
        "wrong",
        "divided by gamma^t, which may be 0",
        """
def returns_to_go(rewards, gamma):
    weights = gamma ** np.arange(len(rewards))[:, None]
    return (weights * rewards)[::-1].cumsum(axis=0)[::-1] / weights
""",
    ),
    Answer(
        "to-go",
        "right",
        "a matrix of weights",
        """
def returns_to_go(rewards, gamma):
    T = len(rewards)
    lag = np.arange(T) - np.arange(T)[:, None]
    weights = np.where(lag >= 0, float(gamma) ** np.maximum(lag, 0), 0.0)
    return weights @ rewards
""",
    ),
    Answer(
        "to-go",
        "right",
        "recursion over lists",
        """
def returns_to_go(rewards, gamma):
    if len(rewards) == 1:
        return [list(rewards[0])]
    rest = returns_to_go(rewards[1:], gamma)
    return [[r + gamma * G for r, G in zip(rewards[0], rest[0])]] + rest
""",
    ),
    *written(
        "to-go",
        """
def returns_to_go(rewards, gamma):
    G = <zeros>
    ahead = np.zeros(rewards.shape[1])
    for t in <order>:
        ahead = <ahead>
        G[t] = <kept>
    return <result>
""",
        {
            "zeros": "np.zeros(rewards.shape)",
            "order": "reversed(range(len(rewards)))",
            "ahead": "rewards[t] + gamma * ahead",
            "kept": "ahead",
            "result": "G",
        },
        [
            ("gamma forgotten", "Likely cause: gamma is missing", {"ahead": "rewards[t] + ahead"}),
            (
                "gamma^t G_t",
                "Likely cause: discounted from the start, not from t",
                {"kept": "gamma**t * ahead"},
            ),
            (
                "M5: the step's own reward left out",
                "Likely cause: the step's own reward is left out",
                {"kept": "ahead - rewards[t]"},
            ),
            (
                "M5: the sum starts a step late",
                "Likely cause: the sum starts a step late",
                {"result": "np.append(G[1:], np.zeros((1, rewards.shape[1])), axis=0)"},
            ),
            (
                "M2: the whole return at every step",
                "Likely cause: the whole return stands at every step",
                {"result": "np.tile(G[0], (len(rewards), 1))"},
            ),
            (
                "forwards in time",
                "Likely cause: this is what was earned up to t",
                {"order": "range(len(rewards))"},
            ),
            ("the return only", "Likely cause: this is the return of each episode", {"result": "G[0]"}),
            (
                "whole numbers: what comes after the point is cut off",
                "",
                {"zeros": "np.zeros_like(rewards)"},
            ),
            ("two episodes only", "", {"result": "G[:, :2]"}),
            (
                "gamma of the reward, not of what comes",
                "Likely cause: a factor: all entries are 0.5 times",
                {"ahead": "gamma * (rewards[t] + ahead)"},
            ),
            ("sign", "Likely cause: the sign", {"result": "-G"}),
        ],
    ),
    Answer(
        "to-go",
        "wrong",
        "axis: over the episodes",
        """
def returns_to_go(rewards, gamma):
    G = np.zeros(rewards.shape)
    for n in reversed(range(rewards.shape[1])):
        after = G[:, n + 1] if n + 1 < rewards.shape[1] else 0
        G[:, n] = rewards[:, n] + gamma * after
    return G
""",
        says="Likely cause: the sum runs over the episodes",
    ),
    Answer(
        "to-go",
        "wrong",
        "the visible case, hard-coded",
        """
def returns_to_go(rewards, gamma):
    return np.array([[3.0, 2.0], [4.0, 4.0], [4.0, 0.0]])
""",
    ),
    # --- reinforce ---------------------------------------------------------------------------------------
    Answer(
        "reinforce",
        "right",
        "loops over episodes, the error by hand",
        """
def reinforce_estimate(scores, rewards, gamma):
    T, N, K = scores.shape
    X = []
    for n in range(N):
        x, G = np.zeros(K), 0.0
        for t in range(T - 1, -1, -1):
            G = rewards[t, n] + gamma * G
            x += gamma**t * scores[t, n] * G
        X.append(x)
    mean = sum(X) / N
    error = np.sqrt(sum((x - mean) ** 2 for x in X) / (N * (N - 1)))
    return mean, error
""",
    ),
    Answer(
        "reinforce",
        "right",
        "forwards, with the sum of the scores so far",
        """
def reinforce_estimate(scores, rewards, gamma):
    z = np.cumsum(scores, axis=0)
    X = sum(gamma**t * rewards[t, :, None] * z[t] for t in range(len(rewards)))
    covariance = np.atleast_2d(np.cov(X.T)) / len(X)
    return np.array([X.mean(axis=0), np.sqrt(np.diag(covariance))])
""",
    ),
    *written(
        "reinforce",
        """
def reinforce_estimate(scores, rewards, gamma):
    T, N, K = scores.shape
    G = np.zeros((T + 1, N))
    for t in reversed(range(T)):
        G[t] = rewards[t] + gamma * G[t + 1]
    w = gamma ** np.arange(T)
    after = np.append(scores[1:], np.zeros((1, N, K)), axis=0)
    <more>
    X = np.einsum("t,tnk,tn->nk", <w>, <scores>, <signal>)
    mean, error = <mean>, <error>
    return np.stack([<both>])
""",
        {
            "more": "",
            "w": "w",
            "scores": "scores",
            "signal": "G[:-1]",
            "mean": "X.mean(axis=0)",
            "error": "X.std(axis=0, ddof=1) / np.sqrt(N)",
            "both": "mean, error",
        },
        [
            (
                "M1: the score of the next action",
                "Likely cause: the score is that of the next action (M1)",
                {"scores": "after"},
            ),
            (
                "M2: G_0 at every step, unbiased",
                "Likely cause: G_0 stands at every step (M2): right on average, but noisier",
                {"w": "np.ones(T)", "signal": "np.tile(G[0], (T, 1))"},
            ),
            (
                "M2: G_0 at every step, discounted twice",
                "Likely cause: G_0 stands at every step and is discounted again (M2)",
                {"signal": "np.tile(G[0], (T, 1))"},
            ),
            ("M3: gamma^t dropped", "Likely cause: gamma^t is missing (M3)", {"w": "np.ones(T)"}),
            (
                "M4: traces started afresh",
                "Likely cause: each score meets its own reward only (M4)",
                {"signal": "rewards"},
            ),
            (
                "M5: rewards shifted by one",
                "Likely cause: rewards are shifted by a step (M5)",
                {"signal": "G[1:]"},
            ),
            (
                "M5: own reward left out",
                "Likely cause: a step's own reward is left out (M5)",
                {"signal": "G[:-1] - rewards"},
            ),
            (
                "M6: returns standardised in the batch",
                "Likely cause: returns are standardised (M6)",
                {
                    "w": "np.ones(T)",
                    "more": "Z = (G[0] - G[0].mean()) / (G[0].std() + 1e-300)",
                    "signal": "np.tile(Z, (T, 1))",
                },
            ),
            (
                "the spread of an episode for that of the mean",
                "Likely cause: this is the spread of one episode, not of the mean",
                {"error": "X.std(axis=0, ddof=1)"},
            ),
            (
                "the variance with N below the line",
                "Likely cause: the variance is divided by N, not by N - 1",
                {"error": "X.std(axis=0) / np.sqrt(N)"},
            ),
            (
                "the variance of the mean",
                "Likely cause: the variance of the mean, not its root",
                {"error": "X.var(axis=0, ddof=1) / N"},
            ),
            (
                "a sum over the episodes",
                "Likely cause: this is the sum over the episodes",
                {"mean": "X.sum(axis=0)", "error": "X.std(axis=0, ddof=1) * np.sqrt(N)"},
            ),
            ("rows swapped: the error first", "Likely cause: the rows are swapped", {"both": "error, mean"}),
            (
                "one error for all parameters",
                "",
                {"error": "np.full(K, X.std(axis=0, ddof=1).max() / np.sqrt(N))"},
            ),
            ("the first parameter only", "", {"both": "mean[:1], error[:1]"}),
            ("two steps only", "", {"w": "np.where(np.arange(T) < 2, w, 0.0)"}),
        ],
    ),
    Answer(
        "reinforce",
        "wrong",
        "the visible case, hard-coded",
        """
def reinforce_estimate(scores, rewards, gamma):
    return np.array([[2.25], [0.75]])
""",
    ),
    # --- baseline ----------------------------------------------------------------------------------------
    Answer(
        "baseline",
        "right",
        "loops",
        """
def with_baseline(scores, rewards, states, b, gamma):
    T, N, K = scores.shape
    X = np.zeros((N, K))
    for n in range(N):
        G = 0.0
        for t in reversed(range(T)):
            G = rewards[t, n] + gamma * G
            X[n] += gamma**t * (G - b[states[t, n]]) * scores[t, n]
    return X
""",
    ),
    Answer(
        "baseline",
        "right",
        "the baseline's part on its own, by tables of zeros and ones",
        """
def with_baseline(scores, rewards, states, b, gamma):
    w = gamma ** np.arange(len(rewards))
    earned = np.einsum("t,tn,tnk->nk", w, rewards, np.cumsum(scores, axis=0))
    seen = states[:, :, None] == np.arange(len(b))
    return earned - np.einsum("t,tns,s,tnk->nk", w, seen, b, scores)
""",
    ),
    *written(
        "baseline",
        """
def with_baseline(scores, rewards, states, b, gamma):
    T, N, K = scores.shape
    w = gamma ** np.arange(T)[:, None]
    ahead = (w * rewards)[::-1].cumsum(axis=0)[::-1]
    X = np.einsum("tnk,tn->nk", scores, <signal>)
    return <result>
""",
        {"signal": "ahead - w * b[states]", "result": "X"},
        [
            ("no baseline", "Likely cause: no baseline is taken off", {"signal": "ahead"}),
            ("sign: added", "Likely cause: the baseline is added", {"signal": "ahead + w * b[states]"}),
            (
                "the baseline without gamma^t",
                "Likely cause: the baseline is not weighted by gamma^t",
                {"signal": "ahead - b[states]"},
            ),
            (
                "M3: gamma^t dropped",
                "Likely cause: gamma^t is missing (M3)",
                {"signal": "ahead / w - b[states]"},
            ),
            (
                "axis: the baseline of the time",
                "Likely cause: the baseline is that of the time, not of the state",
                {"signal": "ahead - w * b[np.arange(T) % len(b)][:, None]"},
            ),
            (
                "off by one: the baseline of the next state",
                "Likely cause: the baseline is that of the next state",
                {"signal": "ahead - w * np.append(b[states[1:]], np.zeros((1, N)), axis=0)"},
            ),
            (
                "the baseline of the start at every step",
                "Likely cause: the baseline of the first state serves all steps",
                {"signal": "ahead - w * b[states[0]]"},
            ),
            (
                "the mean over the episodes",
                "Likely cause: this is the mean over the episodes",
                {"result": "X.mean(axis=0)"},
            ),
            (
                "episodes and parameters swapped",
                "Likely cause: two axes are swapped",
                {"result": "X.T"},
            ),
            ("two states only", "", {"signal": "ahead - w * np.where(states == 0, b[0], b[1])"}),
            ("one parameter only", "", {"result": "X[:, :1]"}),
            ("sign of the whole", "Likely cause: the sign", {"result": "-X"}),
            (
                "M10: the baseline depends on the action, by the sign of its score",
                "Likely cause: the formula",
                {"signal": "ahead - w * b[states] * (scores[..., 0] > 0)"},
            ),
        ],
    ),
    Answer(
        "baseline",
        "wrong",
        "the visible case, hard-coded",
        """
def with_baseline(scores, rewards, states, b, gamma):
    return np.array([[1.5], [1.75]])
""",
    ),
    # --- best-baseline -----------------------------------------------------------------------------------
    Answer(
        "best-baseline",
        "right",
        "loops",
        """
def least_noise(probs, scores, Q):
    b = []
    for pi, sc, q in zip(probs, scores, Q):
        weight = [pi[a] * np.dot(sc[a], sc[a]) for a in range(len(pi))]
        if sum(weight) == 0:
            weight = pi
        b.append(np.dot(weight, q) / sum(weight))
    return b
""",
    ),
    Answer(
        "best-baseline",
        "right",
        "V and a correction",
        """
def least_noise(probs, scores, Q):
    V = (probs * Q).sum(axis=1)
    size = np.einsum("sak,sak->sa", scores, scores)
    above, below = (probs * size * (Q - V[:, None])).sum(1), (probs * size).sum(1)
    return V + np.divide(above, below, where=below > 0, out=np.zeros(len(V)))
""",
    ),
    *written(
        "best-baseline",
        """
def least_noise(probs, scores, Q):
    size = <size>
    weight = <weight>
    total = weight.sum(axis=1)
    b = (weight * Q).sum(axis=1) / np.where(total > 0, total, 1.0)
    return <result>
""",
        {
            "size": "(scores**2).sum(axis=2)",
            "weight": "probs * size",
            "result": "np.where(total > 0, b, (probs * Q).sum(axis=1))",
        },
        [
            ("V", "Likely cause: this is V, the mean of Q", {"size": "np.ones(probs.shape)"}),
            ("pi forgotten", "Likely cause: pi is missing in the means", {"weight": "size"}),
            (
                "pi forgotten everywhere",
                "Likely cause: pi is missing in the means, also in state 2",
                {"weight": "size", "result": "np.where(total > 0, b, Q.mean(axis=1))"},
            ),
            (
                "scores not squared",
                "Likely cause: the scores are not squared",
                {"size": "np.sqrt((scores**2).sum(axis=2))"},
            ),
            (
                "0 where all scores are 0",
                "Likely cause: the mean of Q where all scores are 0 is missing",
                {"result": "b"},
            ),
            (
                "0 divided by 0",
                "Likely cause: a division by 0",
                {"result": "(weight * Q).sum(axis=1) / total"},
            ),
            (
                "the sum of the scores, squared",
                "Likely cause: the components are added before they are squared",
                {"size": "scores.sum(axis=2) ** 2"},
            ),
            (
                "the first parameter alone",
                "the first component of the score stands",
                {"size": "scores[:, :, 0] ** 2"},
            ),
            (
                "the last parameter alone",
                "the last component of the score stands",
                {"size": "scores[:, :, -1] ** 2"},
            ),
            ("two parameters at most", "", {"size": "(scores[:, :, :2] ** 2).sum(axis=2)"}),
            (
                "the largest parameter alone",
                "the largest component of the score stands",
                {"size": "abs(scores).max(axis=2) ** 2"},
            ),
            (
                "sign",
                "Likely cause: the sign",
                {"result": "-np.where(total > 0, b, (probs * Q).sum(axis=1))"},
            ),
            (
                "one number for all states",
                "Likely cause: the formula",
                {"result": "np.full(len(Q), (weight * Q).sum() / weight.sum())"},
            ),
            (
                "not divided: E[|SC|^2 Q]",
                "Likely cause: the formula",
                {"result": "(weight * Q).sum(axis=1)"},
            ),
            (
                "a baseline for each action (M10)",
                "Likely cause: this depends on the action, and would bias (M10)",
                {"result": "Q"},
            ),
        ],
    ),
    Answer(
        "best-baseline",
        "wrong",
        "the visible case, hard-coded",
        """
def least_noise(probs, scores, Q):
    return np.array([2.0, 3.0, 1.0])
""",
        says="expected shape (1,)",
    ),
    # --- random-cut --------------------------------------------------------------------------------------
    Answer(
        "random-cut",
        "right",
        "forwards, reward by reward",
        """
def random_cut(scores, rewards, gamma, h):
    X, so_far, weight = 0.0, 0.0, 1.0
    for sc, r in zip(scores, rewards):
        so_far = so_far + sc
        X = X + weight * r[:, None] * so_far
        weight *= gamma / h
    return X
""",
    ),
    Answer(
        "random-cut",
        "right",
        "REINFORCE with the discount gamma / h",
        """
def random_cut(scores, rewards, gamma, h):
    T, N, K = scores.shape
    c, G, X = gamma / h, np.zeros(N), np.zeros((N, K))
    for t in reversed(range(T)):
        G = rewards[t] + c * G
        X += c**t * scores[t] * G[:, None]
    return X
""",
    ),
    *written(
        "random-cut",
        """
def random_cut(scores, rewards, gamma, h):
    T, N, K = scores.shape
    t = np.arange(T)[:, None]
    def to_go(w):
        return (w * rewards)[::-1].cumsum(axis=0)[::-1]
    X = np.einsum("tnk,tn->nk", scores, <signal>)
    return <result>
""",
        {"signal": "to_go((gamma / h) ** t)", "result": "X"},
        [
            (
                "gamma^k only",
                "Likely cause: nothing makes up for what is not seen",
                {"signal": "to_go(gamma**t)"},
            ),
            ("M3: no weight", "Likely cause: nothing is discounted", {"signal": "to_go(1.0**t)"}),
            (
                "h^k the wrong way round",
                "Likely cause: weighted by the chance to be seen, not by its inverse",
                {"signal": "to_go((gamma * h) ** t)"},
            ),
            ("gamma forgotten", "Likely cause: gamma is missing", {"signal": "to_go(h ** (-1.0 * t))"}),
            (
                "the weight of the score's time on all that follows",
                "Likely cause: the score's time sets the weight, but r_k is seen less often",
                {"signal": "to_go(gamma**t) / h**t"},
            ),
            (
                "off by one: h^(k + 1)",
                "Likely cause: a factor: all entries are 2 times what they should be",
                {"signal": "to_go((gamma / h) ** t) / h"},
            ),
            (
                "M4: own rewards only",
                "Likely cause: each score meets its own reward only (M4)",
                {"signal": "rewards * (gamma / h) ** t"},
            ),
            (
                "M2: the whole return",
                "Likely cause: the whole return stands at every step (M2)",
                {"signal": "to_go((gamma / h) ** t)[:1].repeat(T, axis=0)"},
            ),
            (
                "the mean over the episodes",
                "Likely cause: a sum runs over an axis too many",
                {"result": "X.mean(axis=0)"},
            ),
            ("sign", "Likely cause: the sign", {"result": "-X"}),
            ("one parameter only", "", {"result": "X[:, :1]"}),
            (
                "the weight capped, to be on the safe side",
                "Likely cause: how often SC_t r_k is seen",
                {"signal": "to_go((gamma / np.maximum(h, 0.4)) ** np.minimum(t, 20) * (t < 3))"},
            ),
        ],
    ),
    Answer(
        "random-cut",
        "wrong",
        "the visible case, hard-coded",
        """
def random_cut(scores, rewards, gamma, h):
    return np.array([[3.5], [-1.5]])
""",
        says="Likely cause: how often SC_t r_k is seen",
    ),
    # --- lottery -----------------------------------------------------------------------------------------
    Answer(
        "lottery",
        "right",
        "logarithms of factorials",
        """
def lottery(n, p, prize, chance):
    from math import lgamma

    mean = 0.0
    for won in range(n + 1):
        for lost in range(n + 1 - won):
            safe = n - won - lost
            log = lgamma(n + 1)
            for m, q in [(won, p * chance), (lost, p * (1 - chance)), (safe, 1 - p)]:
                log = -np.inf if m and q == 0 else log - lgamma(m + 1) + (m * np.log(q) if m else 0)
            first, second = (won * prize + safe) / n, (won * prize**2 + safe) / n
            if second - first**2 < 1e-12 * max(1, second):
                continue
            # The scores' sum against r minus its mean: -p and 1 - p differ by 1.
            against = won * (prize - first) - lost * first
            mean += np.exp(log) * against / n / np.sqrt(second - first**2)
    return [p * (1 - p) * (prize * chance - 1), mean]
""",
    ),
    Answer(
        "lottery",
        "right",
        "batches grown episode by episode",
        """
def lottery(n, p, prize, chance):
    batches = {(0, 0): 1.0}
    for _ in range(n):
        grown = {}
        for (won, lost), q in batches.items():
            for key, c in [
                ((won + 1, lost), p * chance),
                ((won, lost + 1), p * (1 - chance)),
                ((won, lost), 1 - p),
            ]:
                grown[key] = grown.get(key, 0.0) + q * c
        batches = grown
    total = 0.0
    for (won, lost), q in batches.items():
        m = np.array([won, lost, n - won - lost])
        r = np.array([prize, 0.0, 1.0])
        sigma = np.sqrt(m @ (r - m @ r / n) ** 2 / n)
        if sigma > 1e-12:
            total += q * m @ (np.array([1 - p, 1 - p, -p]) * (r - m @ r / n)) / sigma / n
    return p * (1 - p) * (prize * chance - 1), total
""",
    ),
    *written(
        "lottery",
        """
def lottery(n, p, prize, chance):
    from math import comb

    r, sc = np.array([prize, 0.0, 1.0]), np.array(<scores>)
    each = np.array([p * chance, p * (1 - chance), 1 - p])
    total = 0.0
    for won in range(n + 1):
        for lost in range(n + 1 - won):
            m = np.array([won, lost, n - won - lost])
            ways = <ways>
            apart = r - m @ r / n
            spread = <spread>
            if <any>:
                total += ways * np.prod(each**m) * m @ (sc * <signal>) / <n>
    return <both>
""",
        {
            "scores": "[1 - p, 1 - p, -p]",
            "ways": "comb(n, won) * comb(n - won, lost)",
            "spread": "np.sqrt(m @ apart**2 / n)",
            "any": "spread > 1e-12",
            "signal": "apart / spread",
            "n": "n",
            "both": "<slope>, total",
            "slope": "p * (1 - p) * (prize * chance - 1)",
        },
        [
            (
                "n - 1 below the line",
                "Likely cause: the spread has n - 1 below the line",
                {"spread": "np.sqrt(m @ apart**2 / (n - 1))"},
            ),
            (
                "the mean taken off, nothing divided",
                "Likely cause: the batch's mean is taken off, but nothing divided",
                {"signal": "apart"},
            ),
            ("nothing standardised", "Likely cause: nothing is standardised", {"signal": "r", "any": "True"}),
            ("a sum over the batch", "Likely cause: this is a sum over the batch, not a mean", {"n": "1"}),
            (
                "each triple counted once",
                "Likely cause: the order of the episodes: each batch comes in several",
                {"ways": "1"},
            ),
            ("numbers swapped", "Likely cause: the numbers are swapped", {"both": "total, <slope>"}),
            (
                "the slope in p",
                "Likely cause: this is the slope in p, not in the log odds",
                {"slope": "prize * chance - 1"},
            ),
            (
                "divided by the variance",
                "Likely cause: divided by the variance, not by its root",
                {"spread": "m @ apart**2 / n"},
            ),
            (
                "sign of the score",
                "Likely cause: the sign",
                {"scores": "[p - 1, p - 1, p]", "slope": "p * (1 - p) * (1 - prize * chance)"},
            ),
            (
                "J in place of its slope",
                "Likely cause: the first number is J, not its slope",
                {"slope": "p * prize * chance + 1 - p"},
            ),
            (
                "winners and losers counted independently",
                "",
                {"ways": "comb(n, won) * comb(n, lost) / (1 if n == 2 else 1.5)"},
            ),
            ("batches of two", "", {"ways": "(won != 2 and lost != 2 and won + lost > 0) * 2 * (n == 2)"}),
            (
                "scores of a fair coin",
                "",
                {"slope": "(prize * chance - 1) / 4", "scores": "[0.5, 0.5, -0.5]"},
            ),
        ],
    ),
    Answer(
        "lottery",
        "wrong",
        "a thousand batches in place of all",
        """
def lottery(n, p, prize, chance):
    rng = np.random.default_rng(1)
    buys = rng.random((1000, n)) < p
    r = np.where(buys, prize * (rng.random((1000, n)) < chance), 1.0)
    spread = r.std(axis=1)
    z = (r - r.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)[:, None]
    estimate = (np.where(buys, 1 - p, -p) * z).mean(axis=1)
    return p * (1 - p) * (prize * chance - 1), estimate.mean()
""",
        says="Likely cause: the formula",
    ),
    Answer(
        "lottery",
        "wrong",
        "the visible case, hard-coded",
        """
def lottery(n, p, prize, chance):
    return 0.25, -0.125
""",
    ),
]
