"""Owns the records of sampled paths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pgtlab import _validate
from pgtlab.exact.chains import chain
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP
from pgtlab.policies import FinitePolicy, LinearGaussianPolicy
from pgtlab.quadratic import Quadratic
from pgtlab.rollouts.horizon import GeometricHorizon

#: Groups of episodes, between which the standard error of a finite problem is measured.
_GROUPS = 256

#: Entries of the tables that are filled at a time.
_MOST_ENTRIES = 2**22

#: Steps that are counted into them at a time: few enough for the processor's cache.
_STEPS_AT_ONCE = 2**17

#: Episodes of the linear-quadratic problem that are added up at a time, for the same reason.
_EPISODES_AT_ONCE = 2**13


class Paths(ABC):
    """Sampled paths of one policy in one problem; all arrays have the axes (time, episode)."""

    @property
    def n_steps(self):
        """Number of steps T of the longest path."""
        return self.states.shape[0] - 1

    @property
    def n_episodes(self):
        """Number of episodes N."""
        return self.states.shape[1]

    @property
    def lengths(self):
        """Number of steps of each episode, shape (N,)."""
        return self.alive.sum(0)

    @cached_property
    def weights(self):
        r"""Weights :math:`\gamma^t / \Pr(\text{horizon} > t)` of what is earned at time t, shape (T,)."""
        weights = self.mdp.discount ** np.arange(self.n_steps, dtype=np.float64)
        if isinstance(self.horizon, GeometricHorizon):
            weights = (self.mdp.discount / self.horizon.continuation) ** np.arange(self.n_steps)
        return _validate.read_only(weights)

    @property
    def returns(self):
        r"""Return of each episode, the sum over t of ``weights[t]`` times :math:`r_t`, shape (N,)."""
        return self.weights @ self.rewards

    def check_slope(self):
        """Raise ValueError where scores on whole paths do not tell the slope of J (see `FiniteChain`)."""
        # The return of a given number of steps is a finite sum, whose slope they always tell.
        if not isinstance(self.horizon, int):
            chain(self.mdp, self.policy).check_slope()

    #: Whether what counts may be so rare that a sample does not show its spread.
    has_rare_events = True

    @abstractmethod
    def score_sums(self, factors):
        """Sums of score times factor over groups of episodes, a part of the groups at a time.

        Parameters
        ----------
        factors : ndarray, shape (T, N)
            0 where no step was made.

        Yields
        ------
        sums : ndarray, shape (G, K)
        sizes : ndarray, shape (G,)
            Number of episodes in each group.
        """

    @abstractmethod
    def fitted(self, sums):
        """Function of the state nearest to weighted sums (T, N), by least squares; 0 if never seen."""

    @abstractmethod
    def scores_at(self, t, episodes):
        """Scores (n, K) of the steps at time t of n episodes; 0 where no step was made."""

    @abstractmethod
    def of_states(self, name, values):
        """Function of the state along the paths, (T + 1, N); 0 after the end. `name` is for errors."""

    @abstractmethod
    def of_pairs(self, name, values):
        """Function of state and action along the paths, (T, N). `name` is for errors."""


def checked(paths):
    """Return `paths`; raise TypeError unless they are what `rollout` returns."""
    if not isinstance(paths, Paths):
        raise TypeError(f"paths must be what rollout returns, got {type(paths).__name__}")
    return paths


@dataclass(frozen=True, eq=False, repr=False)
class FinitePaths(Paths):
    """Sampled paths of a finite problem.

    Attributes
    ----------
    mdp : FiniteMDP
    policy : FinitePolicy
    horizon : int, GeometricHorizon or None
        As given to `rollout`.
    states : ndarray of int32, shape (T + 1, N)
        ``states[t, n]`` is :math:`s_t` in episode n, and `n_states` once the episode is over. If the horizon
        cut it off, the state after the last step is still there.
    pairs : ndarray of int32, shape (T, N)
        Number ``s * n_actions + a`` of the state and action of each step, and ``n_states * n_actions`` where
        no step was made: an index into a table of shape (S, A), flattened, with one entry added.

    Examples
    --------
    In the first state one action leads to the second, where one action pays 1 and ends the episode.

    >>> from pgtlab import SoftmaxPolicy
    >>> from pgtlab.rollouts import rollout
    >>> mdp = FiniteMDP([[[0.0, 1.0]], [[0.0, 0.0]]], [[0.0], [1.0]], initial=[1.0, 0.0], discount=0.5)
    >>> policy = SoftmaxPolicy.tabular([[0.0], [0.0]])
    >>> paths = rollout(mdp, policy, n_episodes=1, horizon=9, rng=np.random.default_rng(0))
    >>> paths.states.ravel(), paths.rewards.ravel(), paths.returns
    (array([0, 1, 2], dtype=int32), array([0., 1.]), array([0.5]))
    """

    mdp: FiniteMDP
    policy: FinitePolicy
    horizon: object
    states: np.ndarray
    pairs: np.ndarray

    @property
    def actions(self):
        """Actions, int32, shape (T, N); `n_actions` where no step was made."""
        A = self.mdp.n_actions
        return np.where(self.alive, self.pairs % A, np.int32(A))

    @property
    def alive(self):
        """Whether each step was made, bool, shape (T, N)."""
        return self.pairs < self.mdp.reward.size

    @cached_property
    def rewards(self):
        r"""Rewards :math:`r_t`, shape (T, N); 0 where no step was made."""
        # A number for each pair, and 0 after the end.
        return _validate.read_only(np.append(self.mdp.reward.ravel(), 0.0)[self.pairs])

    def score_sums(self, factors):
        (S, A), N = self.mdp.reward.shape, self.n_episodes
        # One entry more for the steps that were not made.
        width = S * A + 1
        G = min(N, _GROUPS)
        edges = np.arange(G + 1) * N // G
        at_once = min(
            _MOST_ENTRIES // max(width, self.policy.parameters.size), _STEPS_AT_ONCE * G // factors.size
        )
        at_once = max(at_once, 1)
        for g in range(0, G, at_once):
            bounds = edges[g : g + at_once + 1]
            lo, hi, n = bounds[0], bounds[-1], len(bounds) - 1
            sizes = np.diff(bounds)
            table = np.repeat(np.arange(n) * width, sizes)
            bins = np.add(self.pairs[:, lo:hi], table, dtype=np.intp)
            counted = np.bincount(bins.ravel(), factors[:, lo:hi].ravel(), n * width)
            by_pair = counted.reshape(n, width)[:, :-1].reshape(n, S, A)
            yield self.policy.score_sum(by_pair), sizes

    def fitted(self, sums):
        (S, A), pairs = self.mdp.reward.shape, self.pairs.ravel()
        weight = np.broadcast_to(self.weights[:, None], self.pairs.shape).ravel()
        # The weighted mean of G_t is sum w_t G_t / sum w_t, and w_t G_t is the weighted sum.
        earned, seen = (
            np.bincount(pairs, each, S * A + 1)[:-1].reshape(S, A).sum(1) for each in (sums.ravel(), weight)
        )
        return np.divide(earned, seen, where=seen > 0, out=np.zeros(S))

    @cached_property
    def _scores(self):
        scores = self.policy.sound_scores()
        # A row for each pair, and zeros where no step was made.
        return np.append(scores.reshape(-1, scores.shape[-1]), np.zeros_like(scores[0, :1]), axis=0)

    def scores_at(self, t, episodes):
        return self._scores[self.pairs[t, episodes]]

    def of_states(self, name, values):
        return _looked_up(name, self.mdp.checked_states(name, values), self.states)

    def of_pairs(self, name, values):
        return _looked_up(name, self.mdp.checked_pairs(name, values), self.pairs)

    def __repr__(self):
        return f"FinitePaths(n_episodes={self.n_episodes}, n_steps={self.n_steps})"


@dataclass(frozen=True, eq=False, repr=False)
class LinearQuadraticPaths(Paths):
    """Sampled paths of a linear-quadratic problem.

    Attributes
    ----------
    mdp : LinearQuadraticMDP
    policy : LinearGaussianPolicy
    horizon : int or GeometricHorizon
        As given to `rollout`.
    states : ndarray, shape (T + 1, N)
        ``states[t, n]`` is :math:`x_t` in episode n; 0 beyond the state after its last step.
    actions : ndarray, shape (T, N)
        :math:`u_t`; 0 where no step was made.
    alive : ndarray of bool, shape (T, N)
        Whether each step was made.

    Examples
    --------
    >>> from pgtlab.gallery import linear_quadratic
    >>> from pgtlab.rollouts import rollout
    >>> paths = rollout(*linear_quadratic(), n_episodes=3, horizon=5, rng=np.random.default_rng(0))
    >>> paths.states.shape, paths.actions.shape, paths.lengths
    ((6, 3), (5, 3), array([5, 5, 5]))
    """

    mdp: LinearQuadraticMDP
    policy: LinearGaussianPolicy
    horizon: object
    states: np.ndarray
    actions: np.ndarray
    alive: np.ndarray

    @cached_property
    def rewards(self):
        r"""Rewards :math:`r_t = -(q x_t^2 + r u_t^2)`, shape (T, N); 0 where no step was made."""
        rewards = np.empty(self.actions.shape)
        # Row by row, so that what one row needs stays in the processor's cache.
        for row, x, u in zip(rewards, self.states, self.actions, strict=False):
            np.multiply(x, x, out=row)
            row *= -self.mdp.state_cost
            row -= self.mdp.action_cost * u**2
        if isinstance(self.horizon, GeometricHorizon):
            # The state after the last step earns nothing.
            rewards[~self.alive] = 0.0
        return _validate.read_only(rewards)

    #: What is normal shows its spread at once.
    has_rare_events = False

    def score_sums(self, factors):
        gain, variance = float(self.policy.gain), float(self.policy.std) ** 2
        sums = np.zeros((2, self.n_episodes))
        for lo in range(0, self.n_episodes, _EPISODES_AT_ONCE):
            at = slice(lo, lo + _EPISODES_AT_ONCE)
            in_gain, in_log_std = sums[:, at]
            for x, u, g in zip(self.states[:-1, at], self.actions[:, at], factors[:, at], strict=True):
                # With y = u - k x the scores are y x / s^2 and (y^2 - s^2) / s^2.
                y = gain * x
                np.subtract(u, y, out=y)
                gy = g * y
                y *= gy
                in_log_std += y
                gy *= x
                in_gain += gy
        sums[1] -= variance * factors.sum(0)
        sums /= variance
        yield sums.T, np.ones(self.n_episodes)

    def fitted(self, sums):
        weight = np.where(self.alive, self.weights[:, None], 0.0)
        square = self.states[:-1] ** 2
        mass = weight.sum()
        mean, level = (weight * square).sum() / mass, sums.sum() / mass
        # Regression on one variable: slope = covariance / variance; both in weighted visits.
        square -= mean
        variance = (weight * square**2).sum()
        covariance = (sums * square).sum()
        slope = covariance / variance if variance > 0 else 0.0
        return Quadratic(np.array([[slope]]), level - slope * mean)

    def scores_at(self, t, episodes):
        scores = self.policy.score(self.states[t, episodes], self.actions[t, episodes])
        return scores * self.alive[t, episodes, None]

    def of_states(self, name, values):
        return _computed(name, values, self.states)

    def of_pairs(self, name, values):
        return _computed(name, values, self.states[:-1], self.actions)

    def __repr__(self):
        return f"LinearQuadraticPaths(n_episodes={self.n_episodes}, n_steps={self.n_steps})"


def _looked_up(name, values, numbers):
    # One entry more, for what is over.
    found = np.append(values.ravel(), 0.0).take(numbers)
    if np.isnan(values).any():
        _validate.finite(f"{name} along the paths, at time and episode ", found)
    return found


def _computed(name, function, *points):
    variables = ("x", "u")[: len(points)]
    if not callable(function):
        raise TypeError(
            f"{name} is an array; expected a function of {' and '.join(variables)} "
            "for a linear-quadratic problem"
        )
    call = f"{name}({', '.join(variables)})"
    found = _validate.numbers(call, function(*points))
    _validate.shape(call, found, points[0].shape, "as the paths have it")
    _validate.finite(f"{call} along the paths, at time and episode ", found)
    return found
