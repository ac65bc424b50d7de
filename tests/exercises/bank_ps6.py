"""Right and wrong answers to problem set 6."""

from tests.exercises.problem_sets import Answer, wrong

TREE = """
def tree_gradient(logits, prefix, token, mask, rewards):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    pi = odds / odds.sum(axis=1, keepdims=True)
    on = mask > 0
    P = np.where(on, pi[prefix, token], 1.0).prod(axis=1)
    gradient = np.zeros(logits.shape)
    for n, t in np.argwhere(on):
        S = -pi[prefix[n, t]]
        S[token[n, t]] += 1
        gradient[prefix[n, t]] += P[n] * rewards[n] * S
    return gradient
"""
GROUPS = """
def three_means(probs, scores, rewards, G):
    import itertools

    total = np.zeros((3, scores.shape[1]))
    for group in itertools.product(range(len(probs)), repeat=G):
        group = list(group)
        r = rewards[group]
        first = r - (r.sum() - r) / (G - 1)
        second = r - r.mean()
        third = np.zeros(G) if (r == r[0]).all() else second / r.std()
        update = np.array([first, second, third]) @ scores[group] / G
        total += probs[group].prod() * update
    return total
"""
COUNTS = """
def question_weights(p, G):
    from math import comb

    k = np.arange(1, G)
    ways = np.array([float(comb(G, int(j))) for j in k])
    chance = ways * p[:, None] ** k * (1 - p[:, None]) ** (G - k)
    spread = np.sqrt(k / G * (1 - k / G))
    c = chance @ spread / (p * (1 - p))
    left = chance.sum(axis=1)
    return np.array([c, c / left])
"""
TWIST = """
def twist(logits, prefix, token, mask, rewards):
    on = mask > 0
    length = on.sum(axis=1)

    def step(theta):
        theta = theta.reshape(logits.shape)
        odds = np.exp(theta - theta.max(axis=1, keepdims=True))
        pi = odds / odds.sum(axis=1, keepdims=True)
        P = np.where(on, pi[prefix, token], 1.0).prod(axis=1)
        J = P @ rewards
        f = tree_gradient(theta, prefix, token, mask, (rewards - J) / length)
        return f.ravel()

    K, h = logits.size, 1e-5
    D = np.zeros((K, K))
    for j in range(K):
        e = h * np.eye(K)[j]
        D[:, j] = (step(logits.ravel() + e) - step(logits.ravel() - e)) / (2 * h)
    return D - D.T
"""
PULLS = """
def pulls(log_pi, log_ref, scores, mask):
    l = (log_pi - log_ref) * mask
    P = np.exp((log_pi * mask).sum(axis=1))
    S = scores * mask[:, :, None]
    k1 = np.einsum("n,ntk->k", P, S)
    k2 = np.einsum("n,nt,ntk->k", P, l, S)
    k3 = np.einsum("n,nt,ntk->k", P, 1 - np.exp(-l), S)
    kl = np.einsum("n,nt,ntk->k", P, l.sum(axis=1, keepdims=True) + 0 * l, S)
    return np.array([k1, k2, k3, kl])
"""
PREFERENCES = """
def preferences(probs, ref, rewards, beta, law):
    def sigma(x):
        return 1 / (1 + np.exp(-x)) if x > -700 else 0.0

    z = rewards / beta
    weight = ref * np.exp(z - z.max())
    l = np.log(probs) - np.log(ref)
    gradient = np.zeros(len(ref))
    for y in range(len(ref)):
        for v in range(len(ref)):
            judge = sigma(rewards[y] - rewards[v])
            model = sigma(beta * (l[y] - l[v]))
            pull = law[y, v] * beta * (judge - model)
            gradient[y] += pull
            gradient[v] -= pull
    return np.array([weight / weight.sum(), gradient])
"""
MEND = """
def mended(log_pi, log_old, log_ref, rewards, mask, beta=0.1):
    G = rewards.shape[-1]
    k = ((log_old - log_ref) * mask).sum(axis=-1)
    shaped = rewards - beta * k
    advantage = (shaped - shaped.mean(axis=-1, keepdims=True)) * G / (G - 1)
    said = (log_pi * mask).sum(axis=-1)
    return -(advantage * said).mean(axis=-1)
"""
#: A loss for rewards and another for the distance, into which slips in the latter are put.
APART = """
def mended(log_pi, log_old, log_ref, rewards, mask, beta=0.1):
    G = rewards.shape[-1]
    others = (rewards.sum(axis=-1, keepdims=True) - rewards) / (G - 1)
    said = (log_pi * mask).sum(axis=-1)
    l = ((log_pi - log_ref) * mask).sum(axis=-1)
    apart = l**2 / 2
    return (beta * apart - (rewards - others) * said).mean(axis=-1)
"""

BANK = [
    # --- tree --------------------------------------------------------------------------------------------
    Answer(
        "tree",
        "right",
        "by visits: what a token is worth above the average at its prefix",
        """
def tree_gradient(logits, prefix, token, mask, rewards):
    logs = logits - logits.max(axis=1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
    pi, on = np.exp(logs), mask > 0
    P = np.exp(np.where(on, logs[prefix, token], 0.0).sum(axis=1))
    through = np.zeros(logits.shape)
    np.add.at(through, (prefix[on], token[on]), ((P * rewards)[:, None] * on)[on])
    return through - pi * through.sum(axis=1, keepdims=True)
""",
    ),
    Answer(
        "tree",
        "right",
        "with a baseline, which changes nothing",
        TREE.replace("P[n] * rewards[n]", "P[n] * (rewards[n] - P @ rewards)"),
    ),
    *wrong(
        "tree",
        TREE,
        (
            "the exponential of 1000",
            "logits - logits.max(axis=1, keepdims=True)",
            "logits",
            "an exponential that is too large",
        ),
        (
            "one largest logit for all rows",
            "logits.max(axis=1, keepdims=True)",
            "logits.max()",
            "a division by 0",
        ),
        ("uphill in what it should go down", "+= P[n]", "-= P[n]", "the sign"),
        breaks=("tree",),
    ),
    *wrong(
        "tree",
        TREE,
        ("no mask", "on = mask > 0", "on = mask > -1", "what stands behind the end counts"),
        ("P left out", "P[n] * rewards[n]", "rewards[n]", "P is missing"),
        ("by the length", "rewards[n] * S", "rewards[n] * S / on[n].sum()", "is divided by its length"),
        ("no -pi", "S = -pi", "S = 0 * pi", "the score is 1 at the token that is said"),
        (
            "the probability of the token alone",
            "P[n] * rewards",
            "pi[prefix[n, t], token[n, t]] * rewards",
            "each token has its own pi",
        ),
        (
            "the last token",
            "np.argwhere(on)",
            "enumerate(on.sum(axis=1) - 1)",
            "only the last token of an answer counts",
        ),
        (
            "the first token",
            "np.argwhere(on)",
            "[(n, 0) for n in range(len(on))]",
            "only the first token of an answer counts",
        ),
        (
            "the end is known by what stands behind it",
            "on = mask > 0",
            "on = (prefix > 0) | (np.arange(mask.shape[1]) == 0)",
            "",
        ),
        ("two tokens", "return gradient", "gradient[:, 1] = -gradient[:, 0]\n    return gradient", ""),
        breaks=("tree", "twist"),  # which calls it
    ),
    # --- groups ------------------------------------------------------------------------------------------
    Answer(
        "groups",
        "right",
        "two rows by the theorems, the third by all groups",
        """
def three_means(probs, scores, rewards, G):
    gradient = (probs * (rewards - probs @ rewards)) @ scores
    groups = np.array(np.meshgrid(*[range(len(probs))] * G)).reshape(G, -1)
    r, chance = rewards[groups], probs[groups].prod(axis=0)
    mixed = r.max(axis=0) > r.min(axis=0)
    r, chance, groups = r[:, mixed], chance[mixed], groups[:, mixed]
    A = (r - r.mean(axis=0)) / r.std(axis=0)
    third = np.einsum("ig,igk->k", A * chance, scores[groups]) / G
    return [gradient, gradient * (G - 1) / G, third]
""",
    ),
    Answer(
        "groups",
        "right",
        "the first answer stands for all",
        """
def three_means(probs, scores, rewards, G):
    total = np.zeros((3, scores.shape[1]))
    groups = np.indices((len(probs),) * G).reshape(G, -1).T
    for group in groups:
        r = rewards[group]
        A = r[0] - r[1:].mean(), r[0] - r.mean(), 0.0
        if len(set(r.tolist())) > 1:
            A = *A[:2], (r[0] - r.mean()) / np.sqrt(((r - r.mean()) ** 2).mean())
        total += probs[group].prod() * np.outer(A, scores[group[0]])
    return total
""",
    ),
    *wrong(
        "groups",
        GROUPS,
        ("a sum over the group", "scores[group] / G", "scores[group]", "is not divided by G"),
        (
            "the other standard deviation",
            "r.std()",
            "r.std(ddof=1)",
            "the standard deviation divides by G - 1",
            2,
        ),
        ("the variance", "r.std()", "r.var()", "divided by the variance", 2),
        ("all groups alike", "probs[group].prod()", "len(probs) ** -float(G)", "not weighed by their"),
        (
            "the answer is one of the others",
            "(r.sum() - r) / (G - 1)",
            "r.mean()",
            "the answer itself is among the others",
            2,
        ),
        (
            "sets in the place of groups",
            "product(range(len(probs)), repeat=G)",
            "combinations_with_replacement(range(len(probs)), G)",
            "each group counts once",
        ),
        (
            "0 over 0",
            "np.zeros(G) if (r == r[0]).all() else second / r.std()",
            "second / r.std()",
            "a division by 0",
        ),
        ("rows swapped", "[first, second,", "[second, first,", "the first two rows are swapped", 1),
        ("a small number below", "r.std()", "(r.std() + 1e-9)", "", 2),
        ("a residue taken for a spread", "(r == r[0]).all()", "r.std() == 0", "", 2),
        ("what is close taken for equal", "(r == r[0]).all()", "np.allclose(r, r[0])", "", 2),
        ("the mean of two", "r.mean()", "r.sum() / 2", "", 1),
    ),
    # --- counts ------------------------------------------------------------------------------------------
    Answer(
        "counts",
        "right",
        "a loop over counts, and the groups that are left by a formula",
        """
def question_weights(p, G):
    from math import comb

    c = np.zeros(len(p))
    for k in range(1, G):
        s = (k * (G - k)) ** 0.5 / G
        c += comb(G, k) * s * p ** (k - 1) * (1 - p) ** (G - k - 1)
    return [c, c / (1 - p**G - (1 - p) ** G)]
""",
    ),
    Answer(
        "counts",
        "right",
        "the law of the count by adding one answer after the other",
        """
def question_weights(p, G):
    law = np.zeros((len(p), G + 1))
    law[:, 0] = 1
    for _ in range(G):
        law[:, 1:], law[:, 0] = (
            law[:, 1:] * (1 - p[:, None]) + law[:, :-1] * p[:, None],
            law[:, 0] * (1 - p),
        )
    share = np.arange(G + 1) / G
    c = law @ np.sqrt(share * (1 - share)) / (p * (1 - p))
    return np.array([c, c / law[:, 1:-1].sum(axis=1)])
""",
    ),
    *wrong(
        "counts",
        COUNTS,
        ("nothing below", " / (p * (1 - p))", "", "p (1 - p) is missing below"),
        (
            "the other standard deviation",
            "c = chance",
            "c = np.sqrt((G - 1) / G) * chance",
            "the standard deviation divides by G - 1",
        ),
        (
            "the limit",
            "c = chance @ spread / (p * (1 - p))",
            "c = 1 / np.sqrt(p * (1 - p))",
            "this is the limit of large groups",
        ),
        ("what is dropped", "left = chance", "left = 1 - chance", "the groups that are dropped", 1),
        (
            "dropped if all are wrong",
            "left = chance.sum(axis=1)",
            "left = 1 - (1 - p) ** G",
            "only the groups that are all wrong",
            1,
        ),
        ("times what is left", "c / left", "c * left", "multiplied by the share", 1),
        ("an order of the answers", "chance = ways * ", "chance = ", "the number of ways"),
        (
            "the bound",
            "c = chance @ spread / (p * (1 - p))",
            "c = np.sqrt(G - 1) * np.ones(len(p))",
            "the bound, not the weight",
        ),
        (
            "the mean under the root",
            "c = chance @ spread",
            "c = np.sqrt(chance @ spread**2)",
            "the root of the mean",
        ),
        (
            "factorials that wrap round",
            "float(comb(G, int(j)))",
            "np.prod(np.arange(1, G + 1)) / np.prod(np.arange(1, j + 1)) / np.prod(np.arange(1, G - j + 1))",
            "",
        ),
        ("counts up to 20", "np.arange(1, G)", "np.arange(1, min(G, 20))", ""),
        (
            "another question in the place of a dropped group",
            "c / left",
            "c / left.mean()",
            "the formula; work out this entry by hand",
            1,
        ),
    ),
    # --- twist -------------------------------------------------------------------------------------------
    Answer("twist", "right", "by differences", TWIST),
    Answer(
        "twist",
        "right",
        "in letters, without the gradient of question 1",
        """
def twist(logits, prefix, token, mask, rewards):
    (N, L), K, V = mask.shape, logits.size, logits.shape[1]
    pi = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    S, P = np.zeros((N, K)), np.ones(N)
    for n in range(N):
        for t in range(L):
            if mask[n, t]:
                row = prefix[n, t] * V
                S[n, row + token[n, t]] += 1
                S[n, row : row + V] -= pi[prefix[n, t]]
                P[n] *= pi[prefix[n, t], token[n, t]]
    g, m = (P * rewards) @ S, (P / mask.sum(axis=1)) @ S
    return g[:, None] * m - m[:, None] * g
""",
    ),
    *wrong(
        "twist",
        TWIST,
        ("a baseline that never moves", "J = P @ rewards", "J = rewards.mean()", "J does not move"),
        ("no length", " / length", "", "or the length is missing"),
        ("times the length", " / length", " * length", "multiplied by the length"),
        ("the other way round", "D - D.T", "D.T - D", "the transpose less D"),
        ("half of it", "return D - D.T", "return (D - D.T) / 2", "half of what is asked for"),
        ("the Jacobian", "return D - D.T", "return D", "this is D itself"),
        ("its symmetric part", "return D - D.T", "return (D + D.T) / 2", "or its symmetric part"),
        ("steps too wide", "1e-5", "0.3", "a factor: all entries are 1.009 times"),
        (
            "the reward of one answer more in J",
            "J = P @ rewards",
            "J = P @ rewards + P[0]",
            "a factor: all entries are 1.25 times",
        ),
        ("lengths up to 2", "length = on.sum(axis=1)", "length = np.minimum(on.sum(axis=1), 2)", ""),
        (
            "the end is known by what stands behind it",
            "on = mask > 0",
            "on = (prefix > 0) | (np.arange(mask.shape[1]) == 0)",
            "",
        ),
    ),
    # --- pulls -------------------------------------------------------------------------------------------
    Answer(
        "pulls",
        "right",
        "a loop over answers and tokens, with the l to go",
        """
def pulls(log_pi, log_ref, scores, mask):
    found = np.zeros((4, scores.shape[2]))
    for n in range(len(mask)):
        T = int(mask[n].sum())
        P, l = np.exp(log_pi[n, :T].sum()), (log_pi - log_ref)[n, :T]
        for t in range(T):
            slopes = 1, l[t], 1 - np.exp(-l[t]), l[t:].sum()
            found += P * np.outer(slopes, scores[n, t])
    return found
""",
    ),
    Answer(
        "pulls",
        "right",
        "the first row is 0, and the KL has l of the whole answer",
        PULLS.replace('np.einsum("n,ntk->k", P, S)', "np.zeros(S.shape[2])"),
    ),
    *wrong(
        "pulls",
        PULLS,
        (
            "the KL by token",
            "l.sum(axis=1, keepdims=True) + 0 * l",
            "l",
            "the gradient of the KL has l of one token",
            1.5,
        ),
        (
            "k2 of the answer",
            'k2 = np.einsum("n,nt,ntk->k", P, l,',
            'k2 = np.einsum("n,nt,ntk->k", P, l.sum(axis=1, keepdims=True) + 0 * l,',
            "k2 has l of the whole answer",
            1.5,
        ),
        ("upside down", "1 - np.exp(-l)", "np.exp(l) - 1", "the ratio upside down", 1.5),
        ("k3 the wrong way", "1 - np.exp(-l)", "np.exp(-l) - 1", "its sign the wrong way", 1.5),
        ("downhill", "return np.array(", "return -np.array(", "downhill", 0.5),
        ("twice l", "P, l, S)", "P, 2 * l, S)", "k2 has the slope 2 l", 1.5),
        ("P without the mask", "(log_pi * mask)", "(log_pi)", "P is not that of the whole answer"),
        ("scores without the mask", "scores * mask[:, :, None]", "scores", "stands behind the end counts", 1),
        ("P left out", "np.exp((log_pi * mask).sum(axis=1))", "np.ones(len(mask))", "P is not that of"),
        ("P of the first token", "(log_pi * mask).sum(axis=1)", "log_pi[:, 0]", "P is not that of"),
        (
            "the l of two tokens",
            "l.sum(axis=1, keepdims=True) + 0 * l",
            "l + np.pad(l[:, 1:], ((0, 0), (0, 1)))",
            "",
            1.5,
        ),
    ),
    # --- preferences -------------------------------------------------------------------------------------
    Answer(
        "preferences",
        "right",
        "with logarithms, and the slope from 1 - sigma",
        """
def preferences(probs, ref, rewards, beta, law):
    log_best = np.log(ref) + rewards / beta
    log_best -= np.logaddexp.reduce(log_best)
    r = rewards[:, None] - rewards
    l = np.log(probs / ref)
    gap = beta * (l[:, None] - l)
    wins, loses = np.exp(-np.logaddexp(0, -r)), np.exp(-np.logaddexp(0, r))
    sure, unsure = np.exp(-np.logaddexp(0, -gap)), np.exp(-np.logaddexp(0, gap))
    pull = law * beta * (wins * unsure - loses * sure)
    return [np.exp(log_best), pull.sum(axis=1) - pull.sum(axis=0)]
""",
    ),
    Answer("preferences", "right", "a loop over pairs", PREFERENCES),
    *(
        Answer("preferences", "wrong", *rest, earns=1)
        for rest in [
            (mistake, PREFERENCES.replace(old, new), says)
            for mistake, old, new, says in [
                ("r times beta", "rewards / beta", "rewards * beta", "r is multiplied by beta"),
                ("no beta", "rewards / beta", "rewards", "beta is missing in the optimum"),
                ("no reference", "ref * np.exp", "np.exp", "the reference is missing"),
                ("no slope", "law[y, v] * beta", "law[y, v]", "the slope of the gap"),
                (
                    "the ratio upside down",
                    "np.log(probs) - np.log(ref)",
                    "np.log(ref) - np.log(probs)",
                    "l is turned upside down",
                ),
                (
                    "no doubt",
                    "judge = sigma(rewards[y] - rewards[v])",
                    "judge = (1 + np.sign(rewards[y] - rewards[v])) / 2",
                    "the judge is sure",
                ),
                ("downhill", "judge - model", "model - judge", "downhill"),
                ("one of two", "gradient[v] -= pull", "pass", "moves the other down"),
                ("all pairs alike", "law[y, v]", "1 / law.size", "work out this entry by hand"),
                (
                    "no reference in the gaps",
                    "np.log(probs) - np.log(ref)",
                    "np.log(probs)",
                    "work out this entry by hand",
                ),
                ("the exponential of 1000", "z - z.max()", "z", ""),
            ]
        ]
    ),
    # --- mend --------------------------------------------------------------------------------------------
    Answer("mend", "right", "three lines of the library's changed", MEND),
    Answer("mend", "right", "k2 of whole answers as a loss", APART),
    Answer(
        "mend",
        "right",
        "k3 of whole answers, differentiated through the ratio",
        APART.replace("l**2 / 2", "np.exp(said - (log_old * mask).sum(axis=-1)) * (np.exp(-l) - 1 + l)"),
    ),
    Answer(
        "mend",
        "right",
        "k1 to go at each token, no baseline",
        """
def mended(log_pi, log_old, log_ref, rewards, mask, beta=0.1):
    l = (log_old - log_ref) * mask
    to_go = l[..., ::-1].cumsum(axis=-1)[..., ::-1]
    weight = (rewards[..., None] - beta * to_go) * mask
    return -(weight * log_pi).sum(axis=(-2, -1)) / rewards.shape[-1]
""",
    ),
    Answer(
        "mend",
        "wrong",
        "as it was",
        """
def mended(log_pi, log_old, log_ref, rewards, mask, beta=0.1):
    return library_loss(log_pi, log_old, log_ref, rewards, mask, beta)
""",
        "it climbs as the library's does",
    ),
    *wrong(
        "mend",
        MEND,
        (
            "by the length",
            "(log_pi * mask).sum(axis=-1)",
            "(log_pi * mask).sum(axis=-1) / mask.sum(axis=-1)",
            "each answer is divided by its length",
        ),
        ("the own share", " * G / (G - 1)", "", "the baseline contains the answer itself"),
        ("k3 stays", "beta * k", "beta * (np.exp(-k) - 1 + k)", "k3 is in the reward", 1),
        ("beta of 0.1", "beta * k", "0.1 * k", "beta is 0 here"),
        ("the distance is rewarded", "rewards - beta", "rewards + beta", "the sign", 1),
        ("all that can move is detached", "(log_pi * mask)", "(log_old * mask)", "nothing depends on log_pi"),
        ("one mean of all", "said).mean(axis=-1)", "said).mean()", "a sum runs over an axis too many"),
        ("half of it", "(advantage * said)", "(advantage * said / 2)", "a factor"),
        ("the largest of a group", ".mean(axis=-1)\n", ".max(axis=-1)\n", "what the baseline or a divisor"),
    ),
    *wrong(
        "mend",
        APART,
        (
            "k2 by token",
            "l**2 / 2",
            "((log_pi - log_ref) ** 2 * mask).sum(axis=-1) / 2",
            "l is that of the token",
            1,
        ),
        ("k3 as a loss", "l**2 / 2", "np.exp(-l) - 1 + l", "the KL the other way", 1),
        (
            "k3 by token",
            "apart = l**2 / 2",
            "l = (log_pi - log_ref) * mask\n    apart = (np.exp(-l) - 1 + l).sum(axis=-1)",
            "k3 as a loss, token by token",
            1,
        ),
        ("k1 as a loss", "l**2 / 2", "l", "the distance does not pull", 1),
        (
            "l of two tokens to go",
            "apart = l**2 / 2",
            "l = (log_old - log_ref) * mask\n"
            "    l = l + np.append(l[..., 1:], 0 * l[..., :1], axis=-1)\n"
            "    apart = (l * log_pi * mask).sum(axis=-1)",
            "",
            1,
        ),
    ),
]
