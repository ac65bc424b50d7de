"""Exact means of updates on a token tree, and sampled ones against a rollout that is written out in NumPy.

The tree has three tokens and answers of at most four: 31 of them. The base of the exact means is what no
enumeration can do without, two passes over the weights of all tokens of all groups. That of the sampled ones
is a rollout as one writes it for this tree: a token after the other for all answers at once, leave-one-out,
and the scores of a softmax added up.
"""

from __future__ import annotations

import itertools
import math
import time

import numpy as np

import pgtlab
from benchmarks import harness
from benchmarks.harness import Case
from pgtlab.language import (
    GroupUpdate,
    TokenTree,
    difficulty_weight,
    leave_one_out,
    mean_advantages,
    mean_update,
    sampled_update,
    standardised,
    token_scores,
)

TOKENS, LENGTH, END = "ab.", 4, 2

#: Groups that are sampled, and answers in each.
GROUPS, SIZE = 4096, 4

#: Seconds that a page may take for an exact mean: groups of up to four one by one, larger ones by counts.
AIM = 2.0


def problem(rng):
    """Return the tree, with one question, and a table of logits."""
    tree = TokenTree(TOKENS, LENGTH, [lambda answer: float(answer[0] == "a")], end=TOKENS[END])
    return tree, pgtlab.SoftmaxPolicy.tabular(rng.standard_normal((tree.n_states, len(TOKENS))))


# --- exact means -----------------------------------------------------------------------------------------


def multisets(G):
    """Return how many groups of G of the 31 answers there are, order aside."""
    return math.comb(31 + G - 1, G)


def two_passes(weights, chances):
    """Multiply the weights of all tokens by the chances of their groups, and add them up."""
    return (weights * chances).sum()


def one_by_one(tree, policy, G):
    """The mean of GRPO's step, with each group of G in order weighed by itself, in plain NumPy."""
    P = pgtlab.language.answer_probs(tree, policy)[0]
    S, r = token_scores(tree, policy)[0].sum(1), tree.rewards[0]
    total = np.zeros(S.shape[-1])
    for group in itertools.product(range(tree.n_answers), repeat=G):
        at = list(group)
        spread = r[at].std()
        if spread:
            total += P[at].prod() * ((r[at] - r[at].mean()) / spread) @ S[at] / G
    return total


def exact_table(G, rounds, rng):
    """Check the mean over groups of G against the theorem, and for G = 2 against a loop; then measure."""
    tree, policy = problem(rng)
    update = GroupUpdate(standardised)
    found = mean_update(tree, policy, update, group_size=G)
    weight = difficulty_weight(pgtlab.language.expected_reward(tree, policy), G)
    by_theorem = pgtlab.language.answer_gradient(tree, policy, weight[:, None] * tree.rewards)
    harness.agree(f"groups of {G}", found, by_theorem)
    if G == 2:
        harness.agree("groups of 2 one by one", found, one_by_one(tree, policy, G))
    cells = rng.random((multisets(G), G, LENGTH)), rng.random((multisets(G), 1, 1))

    def weighed():
        return mean_update(tree, policy, update, group_size=G)

    return harness.measure(
        f"Exact mean: all {multisets(G)} groups of {G} of 31 answers",
        [
            Case("two passes over the weights", two_passes, lambda: cells),
            Case(f"mean_update, G={G}", weighed),
        ],
        rounds=rounds,
        number=3,
    )


def counts_table(G, rounds, rng):
    """Check the mean of a large group by counts against the theorem; then measure, beside the sum itself."""
    tree, policy = problem(rng)
    p = float(pgtlab.language.expected_reward(tree, policy)[0])
    right, wrong = mean_advantages([1.0, 0.0], [p, 1 - p], standardised, G)
    # The mean step is f(1) dp - f(0) dp.
    harness.agree(f"counts of {G}", right - wrong, difficulty_weight(p, G))

    def by_counts():
        return mean_advantages([1.0, 0.0], [p, 1 - p], standardised, G)

    return harness.measure(
        f"Exact mean: counts of {G} answers",
        [Case("difficulty_weight", lambda: difficulty_weight(p, G)), Case("mean_advantages", by_counts)],
        rounds=rounds,
        number=3,
    )


def seconds(rng):
    """Return how long each exact mean takes when it is asked for once, as a page asks."""
    tree, policy = problem(rng)
    found = {}
    for G in (2, 3, 4):
        start = time.perf_counter()
        mean_update(tree, policy, GroupUpdate(standardised), group_size=G)
        found[f"G={G}, all groups"] = time.perf_counter() - start
    for G in (64, 1024):
        start = time.perf_counter()
        mean_advantages([1.0, 0.0], [0.3, 0.7], standardised, G)
        found[f"G={G}, by counts"] = time.perf_counter() - start
    told = ", ".join(f"{name} {took:.2g} s" for name, took in found.items())
    said = "met" if max(found.values()) <= AIM else "missed"
    print(f"\nExact means, once each ({harness.load()}): {told}; at most {AIM:g} s: {said}", flush=True)
    return {"seconds_once": {name: float(f"{took:.3g}") for name, took in found.items()}}


# --- sampled ones ----------------------------------------------------------------------------------------


def rollout(children, probs, n_groups, rng):
    """The mean step of leave-one-out over groups that are drawn, with its standard error, in plain NumPy."""
    below = probs.cumsum(1)
    P, V = probs.shape
    state, alive = np.zeros((n_groups, SIZE), int), np.ones((n_groups, SIZE), bool)
    said, at = [], []
    for _ in range(LENGTH):
        u = rng.random((n_groups, SIZE))
        token = (u[..., None] > below[state]).sum(-1)
        said.append(np.where(alive, token, -1))
        at.append(state)
        alive = alive & (token != END)
        state = np.where(alive, children[state, token], state)
    rewards = (said[0] == 0) * 1.0
    advantage = (rewards - (rewards.sum(1, keepdims=True) - rewards) / (SIZE - 1)) / SIZE
    batch = np.broadcast_to((np.arange(n_groups) % 256)[:, None], (n_groups, SIZE))
    sums = np.zeros((256, P, V))
    for token, state in zip(said, at, strict=True):
        on = token >= 0
        pushed = np.bincount((batch[on] * P + state[on]) * V + token[on], advantage[on], 256 * P * V)
        sums += pushed.reshape(256, P, V)
    # The score of a token is its indicator, less the probabilities of all.
    sums -= sums.sum(-1, keepdims=True) * probs
    means = sums.reshape(256, -1) / (n_groups / 256)
    return means.mean(0), means.std(0, ddof=1) / 16


def successors(tree):
    """Return the number of the prefix that each token leads to, (P, V); 0 where none is left to say."""
    at = {prefix: i for i, prefix in enumerate(tree.prefixes)}
    return np.array([[at.get((*prefix, token), 0) for token in tree.tokens] for prefix in tree.prefixes])


def sampled_table(rounds, rng):
    """Check both against the exact mean, within their own errors; then measure."""
    tree, policy = problem(rng)
    update, children = GroupUpdate(leave_one_out), successors(tree)
    exact = mean_update(tree, policy, update, group_size=2)
    estimate = sampled_update(tree, policy, update, group_size=SIZE, n_groups=GROUPS, rng=rng)
    for mean, error in (
        (estimate.mean, estimate.standard_error),
        rollout(children, policy.probs(), GROUPS, rng),
    ):
        if (np.abs(mean - exact) > 6 * error + 1e-12).any():
            raise AssertionError("a sampled mean is more than 6 standard errors off the exact one")
    return harness.measure(
        f"Sampled mean and its error: {GROUPS} groups of {SIZE} answers",
        [
            Case("rollout written out in NumPy", lambda: rollout(children, policy.probs(), GROUPS, rng)),
            Case(
                "sampled_update",
                lambda: sampled_update(tree, policy, update, group_size=SIZE, n_groups=GROUPS, rng=rng),
                aim=("at most", 1.0),
            ),
        ],
        rounds=rounds,
    )


def main(options):
    """Measure exact means by groups and by counts, and sampled ones."""
    rng = np.random.default_rng(6)
    tables = [exact_table(G, options.rounds, rng) for G in (2, 3, 4)]
    tables += [counts_table(64, options.rounds, rng), seconds(rng)]
    return [*tables, sampled_table(options.rounds, rng)]
