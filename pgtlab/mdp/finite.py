"""Owns the finite Markov decision process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pgtlab import _validate


@dataclass(frozen=True, eq=False, repr=False)
class FiniteMDP:
    r"""Markov decision process with finitely many states and actions.

    From state :math:`s`, action :math:`a` pays :math:`R^a_s` on average and leads to
    :math:`s'` with probability :math:`P^a_{s,s'}`. A row of `transition` may sum to less than 1:
    the rest is the probability that the episode ends. A state in which nothing happens any more
    has rows of total 0.

    Parameters
    ----------
    transition : array_like, shape (S, A, S)
        ``transition[s, a, p]`` is the probability of going from s to p under action a. For large
        problems a SciPy sparse matrix of shape (S*A, S) with row ``s*A + a``, or a list of A sparse
        matrices of shape (S, S), one for each action.
    reward : array_like, shape (S, A)
        Expected reward of action a in state s. A reward that depends on the next state enters by its
        mean, ``(transition * reward_of_next).sum(-1)``.
    initial : array_like, shape (S,)
        Start distribution :math:`p_0`; sums to 1.
    discount : float
        :math:`\gamma` in [0, 1]. With 1 every episode must be sure to end.

    Attributes
    ----------
    ending : ndarray, shape (S, A)
        Probability that the episode ends after action a in state s. A row total that misses 1 by at
        most 1e-10 counts as 1.

    Raises
    ------
    ValueError
        If a shape does not fit, an entry is not finite, a probability is negative, a row sums to more
        than 1, `initial` does not sum to 1, or `discount` is outside [0, 1].
    TypeError
        If an argument is not made of numbers.

    Notes
    -----
    The arrays are copied and write-protected. Sparse transitions are kept as one CSR array of shape
    (S*A, S).

    References
    ----------
    S6 of the slides. R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, chapter 3.

    Examples
    --------
    One state; "stop" pays 1 and ends the episode, "go on" pays 0 and stays.

    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> mdp
    FiniteMDP(n_states=1, n_actions=2, discount=0.9)
    >>> mdp.ending
    array([[1., 0.]])
    """

    transition: np.ndarray
    reward: np.ndarray
    initial: np.ndarray
    discount: float
    ending: np.ndarray = field(init=False)

    def __post_init__(self):
        reward = _reward(self.reward)
        S, A = reward.shape
        if _is_sparse(self.transition) or _is_list_of_sparse(self.transition):
            transition = _stacked(self.transition, S, A)
            _validate.finite("transition.data", transition.data)
            _validate.not_negative("transition.data", transition.data)
            totals = (transition @ np.ones(S)).reshape(S, A)
        else:
            transition = _validate.array("transition", self.transition, "(S, A, S)")
            _validate.shape("transition", transition, (S, A, S), f"to go with reward of shape {(S, A)}")
            _validate.not_negative("transition", transition)
            totals = transition @ np.ones(S)
        initial = _validate.array("initial", self.initial, "(S,)")
        _validate.shape("initial", initial, (S,), f"to go with reward of shape {(S, A)}")
        _validate.distribution("initial", initial)
        put = object.__setattr__
        put(self, "transition", transition)
        put(self, "reward", reward)
        put(self, "initial", initial)
        put(self, "discount", _validate.discount(self.discount))
        put(self, "ending", _validate.rows("transition", totals))

    @classmethod
    def from_gymnasium(cls, table, initial, discount):
        r"""Build the problem from the transition table of a Gymnasium toy environment.

        Parameters
        ----------
        table : mapping
            ``env.unwrapped.P`` of FrozenLake, CliffWalking or Taxi: ``table[state][action]`` is a list
            of (probability, next state, reward, terminated).
        initial : array_like, shape (S,)
            Start distribution, ``env.unwrapped.initial_state_distrib`` in Gymnasium.
        discount : float
            :math:`\gamma` in [0, 1].

        Returns
        -------
        FiniteMDP
            A transition that is marked as terminated ends the episode; its reward is counted.

        Raises
        ------
        TypeError
            If `table` is not a mapping, such as the environment itself.
        ValueError
            If states or actions are not numbered 0, 1, 2, ..., if an outcome is not of that form, or if the
            probabilities of a state and action do not sum to 1.

        Examples
        --------
        >>> table = {0: {0: [(0.5, 0, 0.0, False), (0.5, 1, 1.0, True)]}, 1: {0: [(1.0, 1, 0.0, True)]}}
        >>> mdp = FiniteMDP.from_gymnasium(table, initial=[1.0, 0.0], discount=0.9)
        >>> mdp.transition[:, 0, :]
        array([[0.5, 0. ],
               [0. , 0. ]])
        >>> mdp.reward
        array([[0.5],
               [0. ]])
        """
        if not isinstance(table, Mapping):
            raise TypeError(
                f"table must be a dict such as env.unwrapped.P of a Gymnasium toy environment, "
                f"got {type(table).__name__}"
            )
        S, A = len(table), len(table[0]) if 0 in table else 0
        transition, reward = np.zeros((S, A, S)), np.zeros((S, A))
        for s in range(S):
            if s not in table or sorted(table[s]) != list(range(A)):
                actions = f" and the actions of each 0 to {A - 1}" if A else ""
                raise ValueError(
                    f"table must number its states 0 to {S - 1}{actions}; "
                    f"state {s} {'has actions ' + str(sorted(table[s])) if s in table else 'is missing'}"
                )
            for a in range(A):
                total = 0.0
                for outcome in table[s][a]:
                    probability, following, pay, terminated = _outcome(outcome, s, a, S)
                    total += probability
                    reward[s, a] += probability * pay
                    transition[s, a, following] += 0.0 if terminated else probability
                if abs(total - 1.0) > _validate.ROUNDING:
                    raise ValueError(
                        f"the probabilities of table[{s}][{a}] sum to {total:.12g}; "
                        f"expected 1 within {_validate.ROUNDING}. What ends the episode is an outcome too, "
                        f"marked as terminated"
                    )
        return cls(transition, reward, initial, discount)

    @property
    def n_states(self):
        """Number of states S."""
        return self.reward.shape[0]

    @property
    def n_actions(self):
        """Number of actions A."""
        return self.reward.shape[1]

    @property
    def is_sparse(self):
        """Whether `transition` is a SciPy sparse array of shape (S*A, S)."""
        return not isinstance(self.transition, np.ndarray)

    def next_values(self, values):
        r"""Mean of a function of the next state, :math:`\sum_{s'} P^a_{s,s'} v(s')`.

        Parameters
        ----------
        values : ndarray, shape (..., S)
            A number for each state. After the end of an episode it is 0.

        Returns
        -------
        ndarray, shape (..., S, A)

        Examples
        --------
        >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
        >>> mdp.next_values(np.array([7.0]))
        array([[0., 7.]])
        """
        # As one matrix of shape (S*A, S), for one product.
        rows = self.transition if self.is_sparse else self.transition.reshape(-1, self.n_states)
        flat = values.reshape(-1, self.n_states) if values.ndim > 1 else values
        return (rows @ flat.T).T.reshape(*values.shape[:-1], *self.reward.shape)

    def mixed_transition(self, probs):
        r"""Transition matrix when actions are drawn, :math:`\sum_a \pi(s, a) P^a_{s,s'}`.

        Parameters
        ----------
        probs : ndarray, shape (..., S, A)
            Probability of each action in each state. Sparse transitions take no leading axes.

        Returns
        -------
        ndarray, shape (..., S, S), or CSR array of shape (S, S)

        Examples
        --------
        >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
        >>> mdp.mixed_transition(np.array([[0.25, 0.75]]))
        array([[0.75]])
        """
        S, A = self.reward.shape
        if not self.is_sparse:
            return (probs[..., None, :] @ self.transition)[..., 0, :]
        from scipy.sparse import csr_array

        # Row s of `mix` has pi(s, .) in the columns s*A, ..., s*A + A - 1 and zeros elsewhere.
        mix = csr_array((probs.ravel(), np.arange(S * A), np.arange(0, S * A + 1, A)), shape=(S, S * A))
        return mix @ self.transition

    def __reduce__(self):
        # Through the constructor: a bare copy of the arrays would not be write-protected.
        return FiniteMDP, (self.transition, self.reward, self.initial, self.discount)

    def __repr__(self):
        sparse = ", sparse" if self.is_sparse else ""
        return (
            f"FiniteMDP(n_states={self.n_states}, n_actions={self.n_actions}, "
            f"discount={self.discount:g}{sparse})"
        )


def _reward(value):
    try:
        return _validate.array("reward", value, "(S, A)")
    except ValueError as error:
        if np.ndim(value) == 3:
            raise ValueError(
                f"{error}. A reward that depends on the next state enters by its mean, "
                "(transition * reward).sum(-1)"
            ) from None
        raise


def _is_sparse(value):
    # Whoever holds a sparse matrix has imported scipy.sparse already.
    module = sys.modules.get("scipy.sparse")
    return module is not None and module.issparse(value)


def _is_list_of_sparse(value):
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(_is_sparse, value))


def _stacked(value, S, A):
    """Return sparse transitions as one read-only CSR array of shape (S*A, S) with row s*A + a."""
    from scipy.sparse import csr_array, vstack

    if _is_sparse(value):
        _validate.shape("transition", value, (S * A, S), f"(S*A, S) to go with reward of shape {(S, A)}")
        rows = csr_array(value, dtype=np.float64, copy=True)
    else:
        if len(value) != A:
            raise ValueError(f"transition has {len(value)} matrices; expected {A}, one for each action")
        for a, matrix in enumerate(value):
            _validate.shape(f"transition[{a}]", matrix, (S, S), f"to go with reward of shape {(S, A)}")
        # Stacked action by action, row a*S + s; then put into the order s*A + a.
        rows = csr_array(vstack(value, format="csr"), dtype=np.float64)
        rows = rows[np.arange(A * S).reshape(A, S).T.ravel()]
    rows.sum_duplicates()
    for part in (rows.data, rows.indices, rows.indptr):
        part.flags.writeable = False
    return rows


def _outcome(outcome, s, a, S):
    try:
        probability, following, pay, terminated = outcome
        following = _validate.count("next state", following)
    except (TypeError, ValueError):
        following = S
    if following >= S:
        raise ValueError(
            f"table[{s}][{a}] has the outcome {outcome!r}; "
            f"expected (probability, next state from 0 to {S - 1}, reward, terminated)"
        )
    return float(probability), following, float(pay), bool(terminated)
