"""Owns the token tree: every answer that a language model can give to a few questions, with its reward."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pgtlab import _validate
from pgtlab.mdp import FiniteMDP
from pgtlab.policies import FinitePolicy

#: Answers that a tree may have: a table of groups of two has this number squared.
_MOST_ANSWERS = 4096


@dataclass(frozen=True, eq=False, repr=False)
class TokenTree:
    r"""Every answer of a language model to a few questions, and what each is worth.

    A state is a question with the tokens that were said so far (a prefix), an action is the next token, and
    what follows is certain. An answer is complete when `end` was said, or after `length` tokens. Its reward
    comes then, for the whole answer.

    Parameters
    ----------
    tokens : sequence of str
        The V tokens, each another.
    length : int
        L, the most tokens of an answer.
    rewards : sequence
        For each of the Q questions, a function that takes an answer (a tuple of tokens) and returns a number;
        or an array of shape (N,), in the order of `answers`.
    end : str, optional
        The token that ends an answer. Without it all answers have L tokens.
    weights : array_like, shape (Q,), optional
        How often each question is asked; sums to 1. All alike if it is left out.

    Attributes
    ----------
    answers : tuple of tuple of str
        The N answers, each a tuple of tokens, the same for every question.
    prefixes : tuple of tuple of str
        The P prefixes after which a token is chosen, short ones first; the first is empty.
    lengths : ndarray of int, shape (N,)
        Number of tokens :math:`|y|`.
    mask : ndarray, shape (N, L)
        1 where an answer has a token, 0 behind its end.
    pairs : ndarray of int, shape (N, L)
        ``prefix * V + token`` of each token of each answer; 0 behind its end.

    Raises
    ------
    ValueError
        If tokens repeat, `end` is no token, there are too many answers, or a number or shape does not fit.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    A policy for this tree has Q P states, ``question * P + prefix``, and V actions: a
    `SoftmaxPolicy.tabular` with logits of shape (Q P, V), one with features that prefixes share, or any
    other `FinitePolicy` of that shape.

    Examples
    --------
    One question, tokens "a" and ".", answers of at most two tokens; to begin with "a" is right.

    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> tree
    TokenTree(n_questions=1, n_answers=3, n_prefixes=2, n_tokens=2)
    >>> ["".join(answer) for answer in tree.answers], tree.rewards
    (['aa', 'a.', '.'], array([[1., 1., 0.]]))
    """

    tokens: Sequence
    length: int
    rewards: Sequence
    end: str | None = None
    weights: np.ndarray | None = None
    answers: tuple = field(init=False)
    prefixes: tuple = field(init=False)
    lengths: np.ndarray = field(init=False)
    mask: np.ndarray = field(init=False)
    pairs: np.ndarray = field(init=False)

    def __post_init__(self):
        tokens, put = tuple(self.tokens), lambda name, value: object.__setattr__(self, name, value)
        if len(tokens) < 2 or len(set(tokens)) < len(tokens):
            raise ValueError(f"tokens is {tokens}; expected at least 2 tokens, each another")
        if self.end is not None and self.end not in tokens:
            raise ValueError(f"end is {self.end!r}; expected one of the tokens {tokens}, or None")
        L = _validate.count("length", self.length, 1)
        answers, prefixes = _grown(tokens, L, self.end)
        at = {prefix: i for i, prefix in enumerate(prefixes)}
        V, lengths = len(tokens), np.array([len(answer) for answer in answers])
        pairs = np.zeros((len(answers), L), int)
        for n, answer in enumerate(answers):
            for t, token in enumerate(answer):
                pairs[n, t] = at[answer[:t]] * V + tokens.index(token)
        put("tokens", tokens)
        put("length", L)
        put("answers", answers)
        put("prefixes", prefixes)
        put("lengths", _validate.read_only(lengths))
        put("mask", _validate.read_only((np.arange(L) < lengths[:, None]) * 1.0))
        put("pairs", _validate.read_only(pairs))
        put("rewards", _rewards(self.rewards, answers))
        Q = len(self.rewards)
        weights = np.full(Q, 1 / Q) if self.weights is None else self.weights
        weights = _validate.array("weights", weights, "(Q,)")
        _validate.shape("weights", weights, (Q,), "to go with as many rewards")
        put("weights", _validate.distribution("weights", weights))

    @property
    def n_questions(self):
        """Number of questions Q."""
        return len(self.rewards)

    @property
    def n_answers(self):
        """Number of answers N to each question."""
        return len(self.answers)

    @property
    def n_prefixes(self):
        """Number of prefixes P of each question."""
        return len(self.prefixes)

    @property
    def n_tokens(self):
        """Number of tokens V."""
        return len(self.tokens)

    @property
    def n_states(self):
        """Number of states Q P of the tree as a decision process."""
        return self.n_questions * self.n_prefixes

    def to_mdp(self):
        r"""Finite Markov decision process with the same answers, at discount 1.

        State ``question * P + prefix``, action token. The reward of a whole answer is that of its last token.
        """
        Q, P, V = self.n_questions, self.n_prefixes, self.n_tokens
        at = {prefix: i for i, prefix in enumerate(self.prefixes)}
        worth = {answer: self.rewards[:, n] for n, answer in enumerate(self.answers)}
        transition, reward = np.zeros((Q, P, V, Q, P)), np.zeros((Q, P, V))
        for (i, prefix), (v, token) in itertools.product(enumerate(self.prefixes), enumerate(self.tokens)):
            said = (*prefix, token)
            if said in worth:
                reward[:, i, v] = worth[said]
            else:
                transition[range(Q), i, v, range(Q), at[said]] = 1.0
        initial = np.zeros((Q, P))
        initial[:, 0] = self.weights
        S = self.n_states
        return FiniteMDP(transition.reshape(S, V, S), reward.reshape(S, V), initial.ravel(), 1.0)

    def __repr__(self):
        return (
            f"TokenTree(n_questions={self.n_questions}, n_answers={self.n_answers}, "
            f"n_prefixes={self.n_prefixes}, n_tokens={self.n_tokens})"
        )


def _grown(tokens, length, end):
    """Return the answers, in the order of the tokens, and the prefixes, short ones first."""
    answers, prefixes, growing = [], [], [()]
    for t in range(1, length + 1):
        prefixes += growing
        said = [(*prefix, token) for prefix in growing for token in tokens]
        done = [each for each in said if t == length or each[-1] == end]
        answers += done
        growing = [each for each in said if t < length and each[-1] != end]
        if len(answers) + len(growing) > _MOST_ANSWERS:
            raise ValueError(
                f"the tree has more than {_MOST_ANSWERS} answers; expected fewer tokens or length"
            )
    order = {token: v for v, token in enumerate(tokens)}
    return tuple(sorted(answers, key=lambda answer: [order[token] for token in answer])), tuple(prefixes)


def _rewards(rewards, answers):
    if not isinstance(rewards, np.ndarray | list | tuple) or len(rewards) == 0:
        raise TypeError("rewards must be a list with a function or an array for each question")
    rows = [[each(answer) for answer in answers] if callable(each) else each for each in rewards]
    table = _validate.array("rewards", np.array(rows, float), "(Q, N)")
    _validate.shape("rewards", table, (len(rewards), len(answers)), "for the answers of the tree")
    return table


def checked(tree, policy):
    """Raise an error in words unless this is a tree and a policy for it."""
    _validate.instance("tree", tree, TokenTree)
    _validate.instance("policy", policy, FinitePolicy)
    found, wanted = np.shape(policy.probs()), (tree.n_states, tree.n_tokens)
    if found != wanted:
        raise ValueError(
            f"policy.probs() has shape {found}; expected {wanted}: a state for each of "
            f"{tree.n_questions} questions and {tree.n_prefixes} prefixes, an action for each token"
        )


def token_log_probs(tree, policy):
    r"""Log-probability of each token of each answer, :math:`\log \pi(y_t \mid y_{<t})`.

    Parameters
    ----------
    tree : TokenTree
    policy : FinitePolicy
        One policy with Q P states and V actions.

    Returns
    -------
    ndarray, shape (Q, N, L)
        0 behind the end of an answer, where programs have padding.

    Raises
    ------
    ValueError
        If the policy does not fit the tree.
    TypeError
        If an argument is of the wrong type.

    References
    ----------
    L.1 of the book.

    Examples
    --------
    >>> from pgtlab import SoftmaxPolicy
    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> coin = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    >>> np.exp(token_log_probs(tree, coin))
    array([[[0.5, 0.5],
            [0.5, 0.5],
            [0.5, 1. ]]])
    """
    checked(tree, policy)
    by_pair = np.asarray(policy.log_probs()).reshape(tree.n_questions, -1)
    return np.where(tree.mask > 0, by_pair[:, tree.pairs], 0.0)


def answer_probs(tree, policy):
    r"""Probability of each answer, :math:`P(y) = \prod_t \pi(y_t \mid y_{<t})`.

    Parameters
    ----------
    tree : TokenTree
    policy : FinitePolicy

    Returns
    -------
    ndarray, shape (Q, N)
        Sums to 1 for each question.

    Raises
    ------
    ValueError, TypeError
        As for `token_log_probs`.

    References
    ----------
    L.1 of the book.

    Examples
    --------
    >>> from pgtlab import SoftmaxPolicy
    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> answer_probs(tree, SoftmaxPolicy.tabular(np.zeros((2, 2))))
    array([[0.25, 0.25, 0.5 ]])
    """
    return np.exp(token_log_probs(tree, policy).sum(-1))


def token_scores(tree, policy):
    r"""Scores of tokens of each answer, :math:`S_t = \partial \log \pi(y_t \mid y_{<t}) / \partial \theta`.

    Parameters
    ----------
    tree : TokenTree
    policy : FinitePolicy

    Returns
    -------
    ndarray, shape (Q, N, L, K)
        0 behind the end of an answer. The sum over L is the score of the whole answer.

    Raises
    ------
    ValueError, TypeError
        As for `token_log_probs`.

    References
    ----------
    L.2 of the book.

    Examples
    --------
    >>> from pgtlab import SoftmaxPolicy
    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> scores = token_scores(tree, SoftmaxPolicy.tabular(np.zeros((2, 2))))
    >>> scores[0, 1]  # of "a.": in the first prefix "a", in the second "."
    array([[ 0.5, -0.5,  0. ,  0. ],
           [ 0. ,  0. , -0.5,  0.5]])
    """
    checked(tree, policy)
    scores = np.asarray(policy.scores())
    by_pair = scores.reshape(tree.n_questions, -1, scores.shape[-1])
    return by_pair[:, tree.pairs] * tree.mask[:, :, None]


def push(tree, policy, weights):
    """Sum of token scores times weights (..., Q, N, L), as one vector (..., K)."""
    Q, P, V = tree.n_questions, tree.n_prefixes, tree.n_tokens
    by_pair = np.zeros((*weights.shape[:-2], P * V))
    np.add.at(by_pair, (..., tree.pairs), weights * tree.mask)
    return policy.score_sum(by_pair.reshape(*weights.shape[:-3], Q * P, V))


def expected_reward(tree, policy):
    r"""Expected reward of each question, :math:`\sum_y P(y) \, r(y)`: the pass rate, if rewards are 0 and 1.

    Parameters
    ----------
    tree : TokenTree
    policy : FinitePolicy

    Returns
    -------
    ndarray, shape (Q,)
        `tree.weights` times this is J.

    Raises
    ------
    ValueError, TypeError
        As for `token_log_probs`.

    Examples
    --------
    >>> from pgtlab import SoftmaxPolicy
    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> expected_reward(tree, SoftmaxPolicy.tabular(np.zeros((2, 2))))
    array([0.5])
    """
    return (answer_probs(tree, policy) * tree.rewards).sum(-1)


def answer_gradient(tree, policy, values=None):
    r"""Gradient of the mean of a number for each answer, :math:`\sum_q w_q \sum_y P(y) \, f(y) \, S(y)`.

    Parameters
    ----------
    tree : TokenTree
    policy : FinitePolicy
    values : array_like, shape (Q, N), optional
        f, which is held fixed; the rewards if it is left out.

    Returns
    -------
    ndarray, shape (K,)

    Raises
    ------
    ValueError, TypeError
        As for `token_log_probs`.

    Notes
    -----
    Exact: the sum goes over all answers. For the rewards it equals `policy_gradient` of ``tree.to_mdp()``,
    which comes to it by visits and values.

    References
    ----------
    L.2 of the book.

    Examples
    --------
    >>> from pgtlab import SoftmaxPolicy, policy_gradient
    >>> tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    >>> coin = SoftmaxPolicy.tabular(np.zeros((2, 2)))
    >>> answer_gradient(tree, coin)
    array([ 0.25, -0.25,  0.  ,  0.  ])
    >>> policy_gradient(tree.to_mdp(), coin)
    array([ 0.25, -0.25,  0.  ,  0.  ])
    """
    probs = answer_probs(tree, policy)
    values = tree.rewards if values is None else _validate.array("values", values, "(Q, N)")
    _validate.shape("values", values, probs.shape, "a number for each question and answer")
    return push(tree, policy, (tree.weights[:, None] * probs * values)[..., None] * tree.mask)
