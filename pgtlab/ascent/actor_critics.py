r"""Owns the actor-critics of S20: a critic learned by temporal differences beside the policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgtlab import _validate
from pgtlab.ascent.rules import SampledRule
from pgtlab.estimators import ActionValues, Advantages, TDErrors
from pgtlab.estimators.estimate import mean_gradient
from pgtlab.features.given import kept_features
from pgtlab.features.linear import of_pairs, of_states


@dataclass(frozen=True, kw_only=True)
class _ActorCritic(SampledRule):
    """What the three actor-critics share: the step size of the critic."""

    critic_step_size: float

    def __post_init__(self):
        super().__post_init__()
        size = _validate.number("critic_step_size", self.critic_step_size)
        if size <= 0:
            raise ValueError(f"critic_step_size is {size:g}; expected a number above 0")
        object.__setattr__(self, "critic_step_size", size)

    def _keep(self, name, axes):
        object.__setattr__(self, name, kept_features(name, getattr(self, name), axes))

    def _moved(self, weights, phi, paths, errors):
        # The mean over episodes of  sum_t gamma^t delta_t phi_t
        return weights + self.critic_step_size * phi.total(paths, errors) / paths.n_episodes

    def _q_errors(self, phi, policy, paths, Q):
        # With V(s) = sum_a pi(s, a) Q(s, a) the error r + gamma V(s') - Q(s, a) is the TD error of V, less
        # Q - V.
        V = phi.mean_over_actions(policy, Q)
        return TDErrors(V).weights(paths) - Advantages(_less(Q, V)).weights(paths)


@dataclass(frozen=True, kw_only=True, eq=False)
class QActorCritic(_ActorCritic):
    r"""Actor-critic with action values: score times :math:`Q(s, a; w)`.

    .. math::

        d &= \frac1N \sum_n \sum_t \gamma^t \, \mathrm{SC}_t \, Q(s_t, a_t; w), \\
        w &\leftarrow w + \frac{\beta}{N} \sum_n \sum_t \gamma^t \, \delta_t \, \phi(s_t, a_t), \\
        \delta_t &= r_t + \gamma \sum_a \pi(s_{t+1}, a) \, Q(s_{t+1}, a; w) - Q(s_t, a_t; w)

    with :math:`Q(s, a; w) = \phi(s, a) \cdot w`; w starts at 0 and is kept from step to step.

    Parameters
    ----------
    pair_features : "tabular", array_like of shape (S, A, L), or callable, optional
        :math:`\phi(s, a)`. For the linear-quadratic problem a function of x and u that returns (..., L). Left
        out, features that span :math:`Q^\pi`: "tabular", one for each state and action, or :math:`x^2, x u,
        u^2` and 1 on the real line.
    critic_step_size : float
        :math:`\beta`, above 0.
    n_episodes : int
        N, at least 1, in each step.
    horizon : int or GeometricHorizon, optional
        As for `rollout`.

    Raises
    ------
    ValueError
        If a number is out of its range, or features are not finite or of another shape than the problem.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    The critic lags behind the policy: :math:`\beta` must be large enough for it to follow, and small enough
    for its own update to be stable. With features of all states and actions, or compatible ones that bring
    Q near its least squares fit, the direction is near the gradient; in general it is biased.

    The mean of the next Q over actions is taken exactly (for Gaussian actions by a quadrature that is exact
    for polynomials of degree up to 15).

    References
    ----------
    S4, S16, S20 (20.1). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 6.6, for
    the critic.

    Examples
    --------
    With :math:`\beta = 1` and a single state, visited once, the critic moves by the share of the episodes
    that took an action, times its reward.

    >>> import numpy as np
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [0.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> policy, rng = SoftmaxPolicy([[[1.0], [0.0]]], [0.0]), np.random.default_rng(0)
    >>> rule = QActorCritic(pair_features="tabular", critic_step_size=1.0, n_episodes=1000)
    >>> direction, w = rule.direction(mdp, policy, rng=rng)
    >>> direction, bool(abs(w[0] - 0.5) < 0.1), w[1]
    (array([0.]), True, np.float64(0.0))
    """

    pair_features: object = None

    def __post_init__(self):
        super().__post_init__()
        self._keep("pair_features", "(S, A, L)")

    def _direction(self, mdp, policy, memory, *, rng):
        phi = of_pairs(mdp, "pair_features", self.pair_features)
        w = np.zeros(phi.size) if memory is None else memory
        paths, Q = self._paths(mdp, policy, rng=rng), phi.values(w)
        found = mean_gradient(paths, ActionValues(Q))
        return found, self._moved(w, phi, paths, self._q_errors(phi, policy, paths, Q))


@dataclass(frozen=True, kw_only=True, eq=False)
class AdvantageActorCritic(_ActorCritic):
    r"""Actor-critic with advantages: score times :math:`Q(s, a; w) - V(s; v)`.

    .. math::

        d = \frac1N \sum_n \sum_t \gamma^t \, \mathrm{SC}_t \, \big( Q(s_t, a_t; w) - V(s_t; v) \big)

    w is learned as in `QActorCritic`, v as in `TDErrorActorCritic`.

    Parameters
    ----------
    pair_features : "tabular", array_like of shape (S, A, L), or callable, optional
        Of Q, as for `QActorCritic`.
    state_features : "tabular", array_like of shape (S, M), or callable, optional
        Of V, as for `TDErrorActorCritic`.
    critic_step_size : float
        :math:`\beta` of both, above 0.
    n_episodes : int
        N, at least 1, in each step.
    horizon : int or GeometricHorizon, optional
        As for `rollout`.

    Raises
    ------
    ValueError
        If a number is out of its range, or features are not finite or of another shape than the problem.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    V takes noise away and adds no bias, (20.3): that of Q remains.

    References
    ----------
    S20 (20.2)-(20.3).

    Examples
    --------
    >>> import numpy as np
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [0.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> policy, rng = SoftmaxPolicy([[[1.0], [0.0]]], [0.0]), np.random.default_rng(0)
    >>> rule = AdvantageActorCritic(pair_features="tabular", state_features="tabular",
    ...                             critic_step_size=1.0, n_episodes=1000)
    >>> _, memory = rule.direction(mdp, policy, rng=rng)
    >>> w, v = memory
    >>> bool(abs(w[0] - 0.5) < 0.1), bool(v[0] == w[0])
    (True, True)
    """

    pair_features: object = None
    state_features: object = None

    def __post_init__(self):
        super().__post_init__()
        self._keep("pair_features", "(S, A, L)")
        self._keep("state_features", "(S, M)")

    def _direction(self, mdp, policy, memory, *, rng):
        phi = of_pairs(mdp, "pair_features", self.pair_features)
        psi = of_states(mdp, "state_features", self.state_features)
        w, v = (np.zeros(phi.size), np.zeros(psi.size)) if memory is None else memory
        paths, Q, V = self._paths(mdp, policy, rng=rng), phi.values(w), psi.values(v)
        found = mean_gradient(paths, Advantages(_less(Q, V)))
        w = self._moved(w, phi, paths, self._q_errors(phi, policy, paths, Q))
        return found, (w, self._moved(v, psi, paths, TDErrors(V).weights(paths)))


@dataclass(frozen=True, kw_only=True, eq=False)
class TDErrorActorCritic(_ActorCritic):
    r"""Actor-critic with TD errors: score times :math:`\delta_t = r_t + \gamma V(s_{t+1}; v) - V(s_t; v)`.

    .. math::

        d = \frac1N \sum_n \sum_t \gamma^t \, \mathrm{SC}_t \, \delta_t, \qquad
        v \leftarrow v + \frac{\beta}{N} \sum_n \sum_t \gamma^t \, \delta_t \, \psi(s_t)

    with :math:`V(s; v) = \psi(s) \cdot v`; v starts at 0 and is kept from step to step.

    Parameters
    ----------
    state_features : "tabular", array_like of shape (S, M), or callable, optional
        :math:`\psi(s)`. For the linear-quadratic problem a function of x that returns (..., M). Left out,
        features that span :math:`V^\pi`: "tabular", one for each state, or :math:`x^2` and 1 on the real
        line.
    critic_step_size : float
        :math:`\beta`, above 0.
    n_episodes : int
        N, at least 1, in each step.
    horizon : int or GeometricHorizon, optional
        As for `rollout`.

    Raises
    ------
    ValueError
        If a number is out of its range, or features are not finite or of another shape than the problem.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Visits count :math:`\gamma^t` in the critic too. As :math:`\rho \ge \gamma P_\pi^\top \rho`, its expected
    update contracts to a fixed point for every choice of features, if :math:`\beta` is small enough. A critic
    that cannot tell states apart can turn the direction round: with one constant feature the fixed point
    is V = J everywhere, and what is left of the TD error is the reward and the chance of the end.

    References
    ----------
    S20 (20.2). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 13.5.

    Examples
    --------
    The critic starts at 0, so the first TD error is the reward alone: slope p (1 - p) (0 - 1) = -1/4, though
    the gradient is +2.

    >>> import numpy as np
    >>> from pgtlab.gallery import now_or_later
    >>> rule = TDErrorActorCritic(state_features="tabular", critic_step_size=1.0, n_episodes=10_000)
    >>> direction, _ = rule.direction(*now_or_later(), rng=np.random.default_rng(0))
    >>> bool(abs(direction[0] + 0.25) < 0.02)
    True
    """

    state_features: object = None

    def __post_init__(self):
        super().__post_init__()
        self._keep("state_features", "(S, M)")

    def _direction(self, mdp, policy, memory, *, rng):
        psi = of_states(mdp, "state_features", self.state_features)
        v = np.zeros(psi.size) if memory is None else memory
        paths, signal = self._paths(mdp, policy, rng=rng), TDErrors(psi.values(v))
        found = mean_gradient(paths, signal)
        return found, self._moved(v, psi, paths, signal.weights(paths))


def _less(Q, V):
    """Return Q - V, as a table or as a function of x and u."""
    return (lambda x, u: Q(x, u) - V(x)) if callable(Q) else Q - V[:, None]
