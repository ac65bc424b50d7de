"""Owns the proofs of L.11 to L.18: distances from a reference, ratios, and why a cosine does not protect."""

from __future__ import annotations

import sympy as sp

from pgtlab.letters.answers import THETA, Answers, branching, leave_one_out, three_answers
from pgtlab.letters.proof import Line


def _with_reference():
    """Return three answers, their probabilities under a reference, which sum to 1, and l of each."""
    some, (a, b) = three_answers(), sp.symbols("a b", positive=True)
    reference = (a, b, 1 - a - b)
    return some, reference, tuple(sp.log(P / R) for P, R in zip(some.P, reference, strict=True))


def kl(P, R):
    """Return KL(P | R)."""
    return sum(p * sp.log(p / r) for p, r in zip(P, R, strict=True))


def chi2(P, R):
    """Return chi2(P | R)."""
    return sum(p**2 / r for p, r in zip(P, R, strict=True)) - 1


def k3(l):
    """Return the third estimator."""
    return sp.exp(-l) - 1 + l


def upside_down(l):
    """Return its twin."""
    return sp.exp(l) - 1 - l


def _times_score(some, weights):
    """Return the mean of weight times score."""
    return some.mean([w * S for w, S in zip(weights, some.S, strict=True)])


def lines_L_11():
    some, reference, l = _with_reference()
    yield Line(
        "the mean of k_1 is the divergence, by its definition",
        some.mean(l),
        kl(some.P, reference),
        r"E[k_1] = \mathrm{KL}(\pi \mid \pi_{\mathrm{ref}})",
    )
    yield Line(
        "the reference sums to 1, so k_3 has the same mean",
        some.mean([k3(each) - each for each in l]),
        sp.S.Zero,
        r"E[k_3 - k_1] = E[e^{-l}] - 1 = 0",
    )
    x = sp.Symbol("x", real=True)
    flat = [k3(x).subs(x, 0), k3(x).diff(x).subs(x, 0), k3(x).diff(x, 2)]
    yield Line(
        "k_3 is 0 and flat at l = 0, and curved upwards everywhere: never negative",
        sp.Matrix(flat),
        sp.Matrix([0, 0, sp.exp(-x)]),
        r"k_3(0) = 0, \; k_3'(0) = 0, \; k_3''(l) = e^{-l} > 0",
    )
    s, u, tree = branching()
    root, later = sp.symbols("l_.  l_a"), sp.symbols("l_a. l_aa")
    answers = (root[0], root[1] + later[0], root[1] + later[1])
    by_prefix = (1 - s) * root[0] + s * root[1] + s * ((1 - u) * later[0] + u * later[1])
    yield Line(
        "l of an answer is a sum over its tokens: visits times what the next token adds",
        tree.mean(answers),
        by_prefix,
        r"E[l] = \sum_s \rho(s) \sum_a \pi(s,a) \, l(s,a)",
    )


def lines_L_12():
    some, reference, l = _with_reference()
    yield Line(
        "dl is the score, whose mean is 0",
        some.mean([each.diff(THETA) for each in l]),
        sp.S.Zero,
        r"E[\d{k_1}] = E[S] = 0",
    )
    yield Line(
        "dk_2 is l S",
        some.mean([(each**2 / 2).diff(THETA) for each in l]),
        kl(some.P, reference).diff(THETA),
        r"E[\d{k_2}] = E[l \, S] = \d{\mathrm{KL}(\pi \mid \pi_{\mathrm{ref}})}",
    )
    yield Line(
        "dk_3 is (1 - exp(-l)) S",
        some.mean([k3(each).diff(THETA) for each in l]),
        kl(reference, some.P).diff(THETA),
        r"E[\d{k_3}] = E[(1 - e^{-l}) \, S] = \d{\mathrm{KL}(\pi_{\mathrm{ref}} \mid \pi)}",
    )


def lines_L_13():
    some, reference, l = _with_reference()
    there, back = kl(some.P, reference).diff(THETA), kl(reference, some.P).diff(THETA)
    yield Line(
        "k_1 times the score",
        _times_score(some, l),
        there,
        r"E[k_1 S] = \d{\mathrm{KL}(\pi \mid \pi_{\mathrm{ref}})}",
    )
    yield Line(
        "exp(-l) times the score is minus the gradient the other way",
        _times_score(some, [sp.exp(-each) for each in l]),
        -back,
        r"E[e^{-l} S] = -\d{\mathrm{KL}(\pi_{\mathrm{ref}} \mid \pi)}",
    )
    yield Line(
        "together: k_3 times the score",
        _times_score(some, [k3(each) for each in l]),
        there - back,
        r"E[k_3 S] = \d{\mathrm{KL}(\pi \mid \pi_{\mathrm{ref}})}"
        r" - \d{\mathrm{KL}(\pi_{\mathrm{ref}} \mid \pi)}",
    )


def lines_L_14():
    some, reference, l = _with_reference()
    c, d = sp.symbols("c d", positive=True)
    old = Answers((c, d, 1 - c - d), some.r, some.n)
    ratio = [P / Q for P, Q in zip(some.P, old.P, strict=True)]
    yield Line(
        "through the ratio: its slope and that of k_3 leave l S",
        old.mean([(u * k3(each)).diff(THETA) for u, each in zip(ratio, l, strict=True)]),
        kl(some.P, reference).diff(THETA),
        r"E_{\mathrm{old}}[\d{(u \, k_3)}] = \d{\mathrm{KL}(\pi \mid \pi_{\mathrm{ref}})}",
    )
    yield Line(
        "with the ratio held fixed",
        old.mean([u * k3(each).diff(THETA) for u, each in zip(ratio, l, strict=True)]),
        kl(reference, some.P).diff(THETA),
        r"E_{\mathrm{old}}[u \, \d{k_3}] = \d{\mathrm{KL}(\pi_{\mathrm{ref}} \mid \pi)}",
    )


def token_by_token():
    """Return rho of the prefix a, the KL at the root and there, the tree, and l and score of each token."""
    s, u, tree = branching()
    first, second = sp.symbols("a b", positive=True)
    l = [sp.log(each) for each in ((1 - s) / (1 - first), s / first, (1 - u) / (1 - second), u / second)]
    S = [each.diff(THETA) for each in l]
    tokens = [(0,), (1, 2), (1, 3)]
    divergence = kl((1 - s, s), (1 - first, first)), kl((1 - u, u), (1 - second, second))
    return s, divergence, tree, [[(l[i], S[i]) for i in each] for each in tokens]


def lines_L_15():
    s, (root, later), tree, answers = token_by_token()
    to_go = [sum(S * sum(l for l, _ in each[t:]) for t, (_, S) in enumerate(each)) for each in answers]
    alone = [sum(l * S for l, S in each) for each in answers]
    yield Line(
        "with what is to come: the gradient of the whole",
        tree.mean(to_go),
        (root + s * later).diff(THETA),
        r"E\Big[\sum_t \sum_{u \ge t} l_u \, S_t\Big] = \d{\mathrm{KL}}",
    )
    yield Line(
        "token by token: the visits are not differentiated",
        tree.mean(alone),
        root.diff(THETA) + s * later.diff(THETA),
        r"E\Big[\sum_t l_t \, S_t\Big] = \sum_s \rho(s) \, \d{\mathrm{KL}_s}",
    )
    yield Line(
        "what is missing: that the first token leads to where the KL is",
        tree.mean(to_go) - tree.mean(alone),
        s.diff(THETA) * later,
        r"E\Big[\sum_t \sum_{u > t} l_u \, S_t\Big] = \d{\rho(a)} \, \mathrm{KL}_a",
    )


def lines_L_16():
    some = three_answers()
    now = sp.symbols("o_1:4", positive=True)
    slopes = [
        sp.exp((sp.log(P) - sp.log(old)) / n).diff(THETA).subs(old, P)
        for P, old, n in zip(some.P, now, some.n, strict=True)
    ]
    yield Line(
        "the slope of the ratio, where the old policy is the new one",
        sp.Matrix(slopes),
        sp.Matrix([S / n for S, n in zip(some.S, some.n, strict=True)]),
        r"\d{u} = \frac{S(y)}{|y|}",
    )

    def step(group):
        A = leave_one_out([some.r[i] for i in group])
        return sum(each * some.S[i] / some.n[i] for each, i in zip(A, group, strict=True)) / len(group)

    yield Line(
        "so the mean over groups, here of two, is that of L.9",
        some.over_groups(2, step),
        some.mean([(r - some.J) / n * S for r, n, S in zip(some.r, some.n, some.S, strict=True)]),
        r"E\Big[\frac{1}{G} \sum_i A_i \, \d{u_i}\Big] = E\Big[\frac{r - J}{|y|} S\Big]",
    )


def lines_L_17():
    some, reference, l = _with_reference()
    yield Line(
        "the mean of the twin",
        some.mean([upside_down(each) for each in l]),
        chi2(some.P, reference) - kl(some.P, reference),
        r"E[e^l - 1 - l] = \chi^2 - \mathrm{KL}",
    )
    yield Line(
        "as a loss: half of chi2",
        some.mean([upside_down(each).diff(THETA) for each in l]),
        chi2(some.P, reference).diff(THETA) / 2,
        r"E[\d{(e^l - 1 - l)}] = \frac{1}{2} \, \d{\chi^2}",
    )
    x = sp.Symbol("x")
    twins = [[f(x).diff(x, n).subs(x, 0) for n in range(3)] for f in (k3, upside_down)]
    yield Line(
        "near 0 the two cannot be told apart: value, slope and curvature are the same",
        sp.Matrix(twins[0]),
        sp.Matrix(twins[1]),
        r"\{k_3, k_3', k_3''\}(0) = \{0, 0, 1\}",
    )


def lines_L_18():
    a, b = sp.symbols("a b", positive=True)
    phi, half = sp.symbols("phi h", real=True)
    # In the plane that both span, with the first axis along g.
    along_g, along_d = sp.Matrix([1, 0]), sp.Matrix([sp.cos(phi), sp.sin(phi)])
    v = along_g - along_d
    yield Line(
        "g has the length a, and goes up along v",
        (a * along_g).dot(v),
        a * (1 - sp.cos(phi)),
        r"g \cdot v = |g| (1 - \cos \varphi)",
    )
    yield Line(
        "d has the length b, and goes down",
        (b * along_d).dot(v),
        -b * (1 - sp.cos(phi)),
        r"d \cdot v = -|d| (1 - \cos \varphi)",
    )
    yield Line(
        "the length of v",
        v.dot(v),
        2 * (1 - sp.cos(phi)),
        r"|v|^2 = 2 (1 - \cos \varphi)",
    )
    yield Line(
        "1 - cos is a square, so that over the length of v a sine is left",
        1 - sp.cos(2 * half),
        2 * sp.sin(half) ** 2,
        r"1 - \cos \varphi = 2 \sin^2 \frac{\varphi}{2}",
    )
