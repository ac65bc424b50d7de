"""Owns the problem on which a mistake shows, unless a formula names another."""

from __future__ import annotations

import numpy as np

from pgtlab.language import TokenTree
from pgtlab.mdp import FiniteMDP
from pgtlab.policies import SoftmaxPolicy


def specimen():
    """Return a problem without symmetries: three states, two actions, two features, and some ways to end.

    The features do not span the advantages, no two states are alike, and no transition matrix is symmetric:
    so a step that is forgotten or turned round changes a number.
    """
    mdp = FiniteMDP(
        transition=[
            [[0.1, 0.7, 0.2], [0.0, 0.2, 0.6]],
            [[0.3, 0.1, 0.6], [0.5, 0.0, 0.3]],
            [[0.8, 0.1, 0.1], [0.2, 0.3, 0.0]],
        ],
        reward=[[1.0, -1.0], [0.0, 3.0], [2.0, 0.5]],
        initial=[0.6, 0.3, 0.1],
        discount=0.9,
    )
    features = [[[1.0, 0.5], [0.0, 0.0]], [[-0.5, 1.0], [0.5, 0.0]], [[1.0, -1.0], [0.0, 1.5]]]
    return mdp, SoftmaxPolicy(features, [0.4, -0.6])


def leak():
    """Return a problem in which a small change of the policy moves nearly all visits there are to move.

    State 0 leads to itself with probability 0.99 and else to state 1, where one stays for ever.
    """
    mdp = FiniteMDP(
        transition=[[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]],
        reward=[[1.0, 0.0], [0.0, 0.0]],
        initial=[1.0, 0.0],
        discount=0.9,
    )
    return mdp, SoftmaxPolicy([[[1.0], [0.0]], [[0.0], [0.0]]], [4.59512])


def spoken():
    """Return a token tree without symmetries: two questions, two tokens and an end, rewards 0 and 1.

    Right and wrong answers have several lengths, prefixes share parameters, and no pass rate is 1/2.
    """
    right = {"a.", "ba"}, {"ab", "b."}
    rewards = [lambda answer, of=each: "".join(answer) in of for each in right]
    tree = TokenTree("ab.", 2, rewards, end=".", weights=[0.3, 0.7])
    n = np.arange(1, tree.n_states * tree.n_tokens * 4 + 1)
    features = np.cos(1.3 * n**1.2).reshape(tree.n_states, tree.n_tokens, 4)
    return tree, SoftmaxPolicy(features, [0.8, -0.6, 0.5, 0.9])
