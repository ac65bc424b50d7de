"""Owns the proofs of L.1 to L.10: answers, groups of them, and divisors."""

from __future__ import annotations

import sympy as sp

from pgtlab.letters.answers import (
    THETA,
    branching,
    group_mean,
    leave_one_out,
    pushed,
    right_and_wrong,
    spread_weight,
    standardised,
    three_answers,
)
from pgtlab.letters.proof import Line


def lines_L_1():
    s, _, tree = branching()
    yield Line(
        'the answers ".", "a." and "aa" are all there are',
        sum(tree.P),
        sp.S.One,
        r"(1 - s) + s (1 - u) + s u = 1",
    )
    yield Line(
        "those that begin with a have the probability of that prefix",
        tree.P[1] + tree.P[2],
        s,
        r"P(a.) + P(aa) = \rho(a)",
    )


def lines_L_2():
    s, u, tree = branching()
    log_slope = [sp.log(each).diff(THETA) for each in (1 - s, s, 1 - u, u)]
    scores = [log_slope[0], log_slope[1] + log_slope[2], log_slope[1] + log_slope[3]]
    yield Line(
        "the score of an answer is the sum over its tokens",
        sp.Matrix(tree.S),
        sp.Matrix(scores),
        r"\d{\log P(y)} = \sum_t S_t",
    )
    by_scores = tree.mean([r * S for r, S in zip(tree.r, scores, strict=True)])
    yield Line("so dJ is the mean of r S", tree.J.diff(THETA), by_scores, r"\d{J} = E[r(y) \, S(y)]")
    _, r2, r3 = tree.r
    onward = (1 - u) * r2 + u * r3
    by_prefixes = s.diff(THETA) * (onward - tree.r[0]) + s * u.diff(THETA) * (r3 - r2)
    yield Line(
        "sorted by prefix: the theorem, with rho of the prefix a equal to s",
        by_scores,
        by_prefixes,
        r"E[r \, S] = \sum_s \rho(s) \sum_a \d{\pi(s,a)} \, Q(s,a)",
    )


def lines_L_3():
    some = three_answers()
    for G in (2, 3):
        yield Line(
            f"all groups of {G} of three answers",
            some.over_groups(G, lambda group: pushed(some, group, leave_one_out)),
            some.J.diff(THETA),
            rf"G = {G}: \; E\Big[\frac{{1}}{{G}} \sum_i A_i \, S(y_i)\Big] = \d{{J}}",
        )
    yield Line(
        "the baseline is made of others: its mean with the score is a product of means",
        some.over_groups(2, lambda group: some.r[group[1]] * some.S[group[0]]),
        some.J * some.mean(some.S),
        r"E[r_2 \, S(y_1)] = J \; E[S]",
    )
    yield Line("and the score has the mean 0", some.mean(some.S), sp.S.Zero, r"E[S] = 0")


def lines_L_4():
    some = three_answers()
    for G in (2, 3):
        yield Line(
            f"all groups of {G} of three answers",
            some.over_groups(G, lambda group: pushed(some, group, group_mean)),
            sp.Rational(G - 1, G) * some.J.diff(THETA),
            rf"G = {G}: \; E\Big[\frac{{1}}{{G}} \sum_i (r_i - \bar r) \, S(y_i)\Big]"
            rf" = \frac{{{G - 1}}}{{{G}}} \, \d{{J}}",
        )
    rewards = sp.symbols("r_1:5")
    yield Line(
        "and group for group it is leave-one-out, times (G - 1) / G, here for four",
        sp.Matrix(group_mean(rewards)),
        sp.Rational(3, 4) * sp.Matrix(leave_one_out(rewards)),
        r"r_i - \bar r = \frac{G - 1}{G} \Big(r_i - \frac{1}{G - 1} \sum_{j \ne i} r_j\Big)",
    )


def lines_L_5():
    both = right_and_wrong()
    p = both.P[0]
    for G in (2, 3, 4):
        yield Line(
            f"all groups of {G}",
            both.over_groups(G, lambda group: pushed(both, group, standardised)),
            spread_weight(G, p) * p.diff(THETA),
            rf"G = {G}: \; E\Big[\frac{{1}}{{G}} \sum_i \frac{{r_i - \bar r}}{{\mathrm{{std}}}}"
            r" \, S(y_i)\Big] = c_G(p) \, \d{p}",
        )


def lines_L_6():
    p, root = sp.Symbol("p"), sp.sqrt(3)
    for G, found, says in (
        (2, sp.S.One, "1"),
        (3, sp.sqrt(2), r"\sqrt 2"),
        (4, root - (2 * root - 3) * p * (1 - p), r"\sqrt 3 - (2 \sqrt 3 - 3) \, p (1 - p)"),
    ):
        yield Line(f"the sum for {G} answers", spread_weight(G, p), found, f"c_{G}(p) = {says}")


def lines_L_7():
    p, k, G = sp.symbols("p k G", positive=True)
    yield Line(
        "of numbers from 1 to G - 1 the ends have the least k (G - k)",
        k * (G - k) - (G - 1),
        (k - 1) * (G - 1 - k),
        r"k (G - k) - (G - 1) = (k - 1)(G - 1 - k) \ge 0",
    )
    for n in (2, 3, 4, 8):
        pairs = sum(sp.binomial(n, j) * p**j * (1 - p) ** (n - j) * j * (n - j) for j in range(n + 1))
        yield Line(
            f"the mean of k (G - k), for G = {n}",
            pairs,
            n * (n - 1) * p * (1 - p),
            rf"G = {n}: \; E[k (G - k)] = G (G - 1) \, p (1 - p)",
        )
    for n in (4, 8):
        polynomial = sp.cancel(spread_weight(n, p))
        ends = [polynomial.subs(p, end) for end in (0, 1)]
        yield Line(
            f"at both ends the bound is reached, for G = {n}",
            sp.Matrix(ends),
            sp.sqrt(n - 1) * sp.ones(2, 1),
            rf"G = {n}: \; \lim_{{p \to 0}} c_G(p) = \lim_{{p \to 1}} c_G(p) = \sqrt{{G - 1}}",
        )
    t, s = sp.symbols("t s", positive=True)
    yield Line(
        "a root lies below its tangent, by less than the square of the step over 2 s^3",
        s + (t**2 - s**2) / (2 * s) - t,
        (t**2 - s**2) ** 2 / (2 * s * (t + s) ** 2),
        r"s + \frac{t^2 - s^2}{2 s} - t = \frac{(t^2 - s^2)^2}{2 s (t + s)^2}"
        r" \le \frac{(t^2 - s^2)^2}{2 s^3}",
    )
    mean = sp.Symbol("x")
    yield Line(
        "with x = k / G: x (1 - x) is p (1 - p) and a step of at most |x - p|",
        mean * (1 - mean) - p * (1 - p),
        (mean - p) * (1 - p - mean),
        r"x (1 - x) - p (1 - p) = (x - p)(1 - p - x)",
    )
    yield Line(
        "so c_G tends to the derivative of the arcsine",
        (2 * sp.asin(sp.sqrt(p))).diff(p),
        1 / sp.sqrt(p * (1 - p)),
        r"\frac{d}{dp} \, 2 \arcsin \sqrt p = \frac{1}{\sqrt{p (1 - p)}}",
    )


def lines_L_8():
    both = right_and_wrong()
    p = both.P[0]
    for G in (2, 3, 4):
        kept = both.over_groups(G, lambda group: sp.Integer(len(set(group)) > 1))
        yield Line(
            f"the share of groups of {G} that are kept",
            kept,
            1 - p**G - (1 - p) ** G,
            rf"G = {G}: \; \Pr(\text{{kept}}) = 1 - p^G - (1 - p)^G",
        )
    again = spread_weight(2, p) * p.diff(THETA) / (1 - p**2 - (1 - p) ** 2)
    odds = (sp.log(p) - sp.log(1 - p)).diff(THETA)
    yield Line(
        "two answers: half the log-odds",
        again,
        odds / 2,
        r"\frac{c_2(p) \, \d{p}}{1 - p^2 - (1 - p)^2} = \frac{1}{2} \, \d{\log \frac{p}{1 - p}}",
    )
    x = sp.Symbol("x", positive=True)
    for G in (2, 4):
        weight = sp.cancel(x * spread_weight(G, x) / (1 - x**G - (1 - x) ** G))
        yield Line(
            f"hard questions weigh without a bound, like 1 / p, for G = {G}",
            weight.subs(x, 0),
            sp.sqrt(G - 1) / G,
            rf"G = {G}: \; \lim_{{p \to 0}} \frac{{p \, c_G(p)}}{{1 - p^G - (1 - p)^G}}"
            r" = \frac{\sqrt{G - 1}}{G}",
        )


def lines_L_9():
    some = three_answers()
    frozen = some.mean([(r - some.J) / n * S for r, n, S in zip(some.r, some.n, some.S, strict=True)])
    yield Line(
        "all groups of two of three answers, each push over its length",
        some.over_groups(2, lambda group: pushed(some, group, leave_one_out, lambda g, i: some.n[i])),
        frozen,
        r"E\Big[\frac{1}{G} \sum_i \frac{A_i}{|y_i|} S(y_i)\Big] = E\Big[\frac{r - J}{|y|} S\Big]",
    )
    per_token = some.mean([r / n for r, n in zip(some.r, some.n, strict=True)])
    once = some.mean([1 / n for n in some.n])
    yield Line(
        "the baseline does not drop out",
        frozen,
        per_token.diff(THETA) - some.J * once.diff(THETA),
        r"E\Big[\frac{r - J}{|y|} S\Big] = \d{E[r / |y|]} - J \, \d{E[1 / |y|]}",
    )
    yield from _lines_curl()


def length_normalised_field():
    """Return log-odds x and y of s and u, and the field of one over the length in these two parameters."""
    x, y = sp.symbols("x y", real=True)
    s, u = (sp.Function(name)(z) for name, z in (("s", x), ("u", y)))
    r = sp.symbols("r_1:4")
    P = (1 - s, s * (1 - u), s * u)
    J = sum(p * each for p, each in zip(P, r, strict=True))
    field = [
        sum((each - J) / n * p.diff(z) for p, each, n in zip(P, r, (1, 2, 2), strict=True)) for z in (x, y)
    ]
    return (x, y), (s, u), field


def _lines_curl():
    (x, y), (s, u), (first, second) = length_normalised_field()
    slopes = {s.diff(x): s * (1 - s), u.diff(y): u * (1 - u)}
    _, r2, r3 = sp.symbols("r_1:4")
    yield Line(
        'answers ".", "a." and "aa": the derivatives across are not the same, so there is no objective',
        (first.diff(y) - second.diff(x)).subs(slopes),
        s**2 * (1 - s) * u * (1 - u) * (r3 - r2) / 2,
        r"\pd{f_x}{y} - \pd{f_y}{x} = \frac{1}{2} s^2 (1 - s) \, u (1 - u) (r_3 - r_2)",
    )


def lines_L_10():
    some, most = three_answers(), sp.Symbol("L", positive=True)
    yield Line(
        "over the most tokens L: a factor",
        some.over_groups(2, lambda group: pushed(some, group, leave_one_out, lambda g, i: most)),
        some.J.diff(THETA) / most,
        r"E\Big[\frac{1}{G L} \sum_i A_i \, S(y_i)\Big] = \frac{1}{L} \, \d{J}",
    )

    def by_all(group, i):
        return sum(some.n[j] for j in group) / sp.Integer(len(group))

    pairs = some.over_groups(
        2,
        lambda group: (
            2
            * (some.r[group[0]] - some.r[group[1]])
            * some.S[group[0]]
            / (some.n[group[0]] + some.n[group[1]])
        ),
    )
    by_token = some.over_groups(2, lambda group: pushed(some, group, leave_one_out, by_all))
    yield Line(
        "over the tokens of the group: what a push counts depends on the other's length",
        by_token,
        pairs,
        r"E\Big[\frac{A_1 S_1 + A_2 S_2}{|y_1| + |y_2|}\Big]"
        r" = E\Big[\frac{2 (r_1 - r_2) \, S_1}{|y_1| + |y_2|}\Big]",
    )
    n = some.n[0]
    yield Line(
        "which is the gradient where all answers have one length",
        by_token.subs(dict.fromkeys(some.n[1:], n)),
        some.J.diff(THETA) / n,
        r"|y| = n: \; E\Big[\frac{A_1 S_1 + A_2 S_2}{2 n}\Big] = \frac{1}{n} \, \d{J}",
    )
