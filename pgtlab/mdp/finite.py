"""Owns the finite Markov decision process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pgtlab import _validate
from pgtlab.mdp.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class FiniteMDP(Problem):
    r"""Markov decision process with finitely many states and actions.

    From state :math:`s`, action :math:`a` pays :math:`R^a_s` on average and leads to
    :math:`s'` with probability :math:`P^a_{s,s'}`. A row of `transition` may sum to less than 1:
    the rest is the probability that the episode ends. A state in which nothing happens any more
    has rows of total 0.

    Parameters
    ----------
    transition : array_like, shape (S, A, S)
        ``transition[s, a, p]`` is the probability of going from s to p under action a: the first axis is the
        state that is left. A matrix for each action, shape (A, S, S), as other toolboxes have it, goes into
        `from_matrices`; where A = S the two cannot be told apart by their shape. For large problems a SciPy
        sparse matrix of shape (S*A, S) with row ``s*A + a``.
    reward : array_like, shape (S, A)
        Expected reward of action a in state s. A reward that depends on the next state enters by its
        mean, ``(transition * reward_of_next).sum(-1)``. An action that is not allowed in a state repeats
        the row and the reward of one that is; minus infinity is refused.
    initial : array_like, shape (S,)
        Start distribution :math:`p_0`; sums to 1.
    discount : float
        :math:`\gamma` in [0, 1]. With 1 every episode must be sure to end.
    smallest_ending : float
        The smallest probability of an end that is meant, in [0, 1]. A row that misses 1 by less, but by more
        than rounding, is refused.

    Attributes
    ----------
    ending : ndarray, shape (S, A)
        Probability that the episode ends after action a in state s: what the row misses of 1.

    Raises
    ------
    ValueError
        If a shape does not fit, an entry is not finite, a probability is negative, a row sums to more
        than 1 or misses it by less than `smallest_ending`, `initial` does not sum to 1, or `discount` is
        outside [0, 1].
    TypeError
        If an argument is not made of numbers: text, complex numbers and dates are none.

    Notes
    -----
    What is 1 but for rounding is 1: a row whose sum misses 1 by at most 1e-10, or by at most 8 units in the
    last place of the type that it came in (9.5e-7 for float32, 7.8e-3 for float16), is divided by it. So is
    `initial`. What a row misses beyond that is an end. But 0.333 three times misses 1 by 0.001, as does an
    episode that ends once in a thousand steps: below `smallest_ending` you are asked which is meant.

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
    smallest_ending: float = 0.002
    ending: np.ndarray = field(init=False)

    def __post_init__(self):
        reward = _reward(self.reward)
        S, A = reward.shape
        transition = (
            _stacked(self.transition, S, A) if _is_sparse(self.transition) else _dense(self.transition)
        )
        within = _validate.rounding(self.transition)
        if isinstance(transition, np.ndarray):
            _validate.shape("transition", transition, (S, A, S), f"to go with reward of shape {(S, A)}")
        totals = (transition @ np.ones(S)).reshape(S, A)
        smallest = _validate.in_unit_interval("smallest_ending", self.smallest_ending)
        ending = _validate.endings("transition", totals, within, smallest)
        initial = _validate.array("initial", self.initial, "(S,)")
        _validate.shape("initial", initial, (S,), f"to go with reward of shape {(S, A)}")
        initial = _validate.distribution("initial", initial, _validate.rounding(self.initial))
        put = object.__setattr__
        put(self, "transition", _sure(transition, np.where(ending > 0, 1.0, totals)))
        put(self, "reward", reward)
        put(self, "initial", initial)
        put(self, "discount", _validate.discount(self.discount))
        put(self, "smallest_ending", smallest)
        put(self, "ending", _validate.read_only(ending))

    @classmethod
    def from_matrices(cls, matrices, reward, initial, discount, *, smallest_ending=0.002):
        r"""Build the problem from a transition matrix for each action, as other toolboxes have it.

        Parameters
        ----------
        matrices : array_like, shape (A, S, S), or list of A matrices of shape (S, S)
            ``matrices[a][s, p]`` is the probability of going from s to p under action a. SciPy sparse
            matrices stay sparse.
        reward : array_like, shape (S, A)
            As for `FiniteMDP`, a row for each state.
        initial : array_like, shape (S,)
            Start distribution :math:`p_0`.
        discount : float
            :math:`\gamma` in [0, 1].
        smallest_ending : float
            As for `FiniteMDP`.

        Returns
        -------
        FiniteMDP

        Raises
        ------
        ValueError, TypeError
            As for `FiniteMDP`.

        Examples
        --------
        Two states and two actions, of which the second switches. As a row for each state the same numbers
        would be another problem.

        >>> stay, switch = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]
        >>> mdp = FiniteMDP.from_matrices([stay, switch], [[1.0, 0.0], [2.0, 0.0]], [1.0, 0.0], 0.9)
        >>> mdp.transition[0]
        array([[1., 0.],
               [0., 1.]])
        """
        if isinstance(matrices, list | tuple) and len(matrices) and all(map(_is_sparse, matrices)):
            transition = _by_state(matrices, np.shape(reward))
        else:
            try:
                _validate.array("matrices", matrices, "(A, S, S)")
            except ValueError as error:
                raise _with_other_convention(
                    error, np.shape(matrices), 0, "(S, A, S), a row for each state, goes into FiniteMDP(...)"
                ) from None
            transition = np.swapaxes(matrices, 0, 1)
        return cls(transition, reward, initial, discount, smallest_ending)

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
                outcomes = [_outcome(outcome, s, a, S) for outcome in table[s][a]]
                total = sum(outcome[0] for outcome in outcomes)
                within = _validate.rounding([outcome[0] for outcome in table[s][a]])
                if abs(total - 1.0) > within:
                    raise ValueError(
                        f"the probabilities of table[{s}][{a}] sum to {total:.12g}; "
                        f"expected 1 within {within:.2g}. What ends the episode is an outcome too, "
                        f"marked as terminated"
                    )
                for probability, following, pay, terminated in outcomes:
                    share = probability / total
                    reward[s, a] += share * pay
                    transition[s, a, following] += 0.0 if terminated else share
        # Here an end is always meant.
        return cls(transition, reward, initial, discount, smallest_ending=0.0)

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
        # As one matrix of shape (S*A, S), for one product.
        rows = self.transition if self.is_sparse else self.transition.reshape(-1, self.n_states)
        flat = values.reshape(-1, self.n_states) if values.ndim > 1 else values
        return (rows @ flat.T).T.reshape(*values.shape[:-1], *self.reward.shape)

    def td_errors(self, values):
        missing = np.isnan(values)
        known = np.where(missing, 0.0, values)
        delta = self.reward + self.discount * self.next_values(known) - known[:, None]
        lost = missing[:, None] | (self.next_values(missing.astype(float)) > 0)
        return np.where(lost, np.nan, delta)

    def start_mean(self, values):
        # Where no episode starts a value need not exist.
        return np.where(self.initial > 0, values, 0.0) @ self.initial

    def checked_states(self, name, values):
        return _table(name, values, (self.n_states,))

    def checked_pairs(self, name, values):
        return _table(name, values, self.reward.shape)

    def draw_start(self, *, rng):
        return _drawn(self.initial, rng=rng)

    def draw_step(self, state, action, *, rng):
        reward, ends = self.reward[state, action], rng.random() < self.ending[state, action]
        return reward, None if ends else _drawn(self.next_law(state, action), rng=rng)

    def next_law(self, state, action):
        """Probabilities of the next states, :math:`P^a_{s, \\cdot}`.

        Parameters
        ----------
        state, action : int

        Returns
        -------
        ndarray, shape (S,)
        """
        if self.is_sparse:
            return self.transition[[state * self.n_actions + action]].toarray()[0]
        return self.transition[state, action]

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
        parts = (self.transition, self.reward, self.initial, self.discount, self.smallest_ending)
        return type(self), parts

    def __repr__(self):
        sparse = ", sparse" if self.is_sparse else ""
        return (
            f"FiniteMDP(n_states={self.n_states}, n_actions={self.n_actions}, "
            f"discount={_validate.shown(self.discount)}{sparse})"
        )


def _table(name, values, shape):
    if callable(values):
        raise TypeError(f"{name} is a function; expected an array of shape {shape} for a finite problem")
    _validate.shape(name, values, shape, "as in mdp")
    return values


def _drawn(weights, *, rng):
    """Return an index, drawn in proportion to the weights."""
    up_to = weights.cumsum()
    # The product may be rounded up to the total; an index of weight 0 is never drawn.
    at = np.searchsorted(up_to, rng.random() * up_to[-1], side="right")
    return int(min(at, np.flatnonzero(weights)[-1]))


def _reward(value):
    try:
        return _validate.array("reward", value, "(S, A)")
    except ValueError as error:
        if np.ndim(value) == 3:
            raise ValueError(
                f"{error}. A reward that depends on the next state enters by its mean, "
                "(transition * reward).sum(-1)"
            ) from None
        if "is -inf" in str(error):
            raise ValueError(
                f"{error}. An action that is not allowed in a state repeats the row and the reward of one "
                "that is"
            ) from None
        raise


def _dense(value):
    """Return transitions as a read-only array of probabilities (S, A, S)."""
    if isinstance(value, list | tuple) and any(map(_is_sparse, value)):
        raise TypeError(
            "transition is a list of sparse matrices; expected one of shape (S*A, S). A list of matrices "
            "(S, S), one for each action, goes into FiniteMDP.from_matrices"
        )
    try:
        transition = _validate.array("transition", value, "(S, A, S)")
    except ValueError as error:
        raise _with_other_convention(
            error,
            np.shape(value),
            1,
            "(A, S, S), a matrix for each action, goes into FiniteMDP.from_matrices",
        ) from None
    _validate.not_negative("transition", transition)
    return transition


def _with_other_convention(error, shape, axis, words):
    """Return the error, with words on the other order of axes if `shape` has S at `axis` and last."""
    seems = len(shape) == 3 and shape[axis] == shape[2] != shape[1 - axis]
    return ValueError(f"{error}. {words}") if seems else error


def _sure(transition, totals):
    """Return transitions divided by their row totals, where those are 1 but for rounding."""
    totals = np.where(_validate.was_rounded(totals, totals.shape[0]), totals, 1.0)
    if (totals == 1.0).all():
        return transition
    if isinstance(transition, np.ndarray):
        return _validate.read_only(transition / totals[..., None])
    return _frozen(transition.multiply(1 / totals.reshape(-1, 1)).tocsr())


def _is_sparse(value):
    # Whoever holds a sparse matrix has imported scipy.sparse already.
    module = sys.modules.get("scipy.sparse")
    return module is not None and module.issparse(value)


def _stacked(value, S, A):
    """Return sparse transitions as a read-only CSR array of shape (S*A, S) with row s*A + a."""
    from scipy.sparse import csr_array

    _validate.shape("transition", value, (S * A, S), f"(S*A, S) to go with reward of shape {(S, A)}")
    if value.dtype.kind not in "buif":
        raise TypeError(f"transition must be made of numbers, got {value.dtype}")
    rows = csr_array(value, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    _validate.finite("transition.data", rows.data)
    _validate.not_negative("transition.data", rows.data)
    return _frozen(rows)


def _frozen(rows):
    for part in (rows.data, rows.indices, rows.indptr):
        part.flags.writeable = False
    return rows


def _by_state(matrices, shape):
    """Return sparse matrices, one for each action, as one of shape (S*A, S) with row s*A + a."""
    from scipy.sparse import vstack

    A, S = len(matrices), shape[0] if shape else 0
    if shape != (S, A):
        raise ValueError(
            f"there are {A} matrices, one for each action, but reward has shape {shape}; expected (S, {A})"
        )
    for a, matrix in enumerate(matrices):
        _validate.shape(f"matrices[{a}]", matrix, (S, S), f"to go with reward of shape {shape}")
    # Stacked action by action, row a*S + s; then put into the order s*A + a.
    rows = vstack(matrices, format="csr")
    return rows[np.arange(A * S).reshape(A, S).T.ravel()]


def _outcome(outcome, s, a, S):
    try:
        probability, following, pay, terminated = outcome
        following = _validate.count("next state", following)
        probability, pay, terminated = (_validate.number("", each) for each in (probability, pay, terminated))
    except (TypeError, ValueError):
        following = S
    if following >= S:
        raise ValueError(
            f"table[{s}][{a}] has the outcome {outcome!r}; "
            f"expected (probability, next state from 0 to {S - 1}, reward, terminated)"
        )
    return probability, following, pay, terminated != 0
