"""Owns the records of sampled paths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pgtlab import _validate
from pgtlab.exact.chains import chain
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP
from pgtlab.policies import FinitePolicy, LinearGaussianPolicy
from pgtlab.rollouts.horizon import GeometricHorizon


class Paths:
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


def checked(paths):
    """Raise TypeError unless `paths` is what `rollout` returns."""
    if not isinstance(paths, Paths):
        raise TypeError(f"paths must be what rollout returns, got {type(paths).__name__}")


def check_slope(paths):
    """Raise ValueError where scores on whole paths do not tell the slope of J (see `FiniteChain`)."""
    # The return of a given number of steps is a finite sum, whose slope they always tell.
    if isinstance(paths, FinitePaths) and not isinstance(paths.horizon, int):
        chain(paths.mdp, paths.policy).check_slope()


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

    def __repr__(self):
        return f"LinearQuadraticPaths(n_episodes={self.n_episodes}, n_steps={self.n_steps})"
