r"""Owns the incremental natural actor-critic: a critic that learns fast beside a policy that moves slowly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgtlab import _validate
from pgtlab.ascent.actor_critics import _ActorCritic
from pgtlab.critics import compatible_values
from pgtlab.estimators import ActionValues, TDErrors
from pgtlab.estimators.estimate import mean_gradient
from pgtlab.features.linear import of_states


@dataclass(frozen=True, kw_only=True, eq=False)
class IncrementalNaturalActorCritic(_ActorCritic):
    r"""Incremental natural actor-critic on two time scales: TD errors, regressed on the scores as they come.

    With :math:`\delta_t = r_t + \gamma V(s_{t+1}; v) - V(s_t; v)` and :math:`V(s; v) = \psi(s) \cdot v`, step
    n of the ascent is, with sums over N episodes,

    .. math::

        w &\leftarrow w + \frac{\beta_n}{N} \sum \sum_t \gamma^t
        \big( \delta_t - \mathrm{SC}_t \cdot w \big) \, \mathrm{SC}_t, \\
        v &\leftarrow v + \frac{\beta_n}{N} \sum \sum_t \gamma^t \, \delta_t \, \psi(s_t), \\
        \theta &\leftarrow \theta + \alpha_n w,
        \qquad \alpha_n = \frac{\alpha}{1 + n / K}, \quad \beta_n = \frac{\beta}{(1 + n / K)^{2/3}} .

    Here :math:`\alpha` is the step size of `ascend`; w and v start at 0 and are kept from step to step.

    **Condition.** The critic must be fast and the policy slow, :math:`\alpha_n / \beta_n \to 0`, as with a
    finite K. Seen from the critic the policy then stands still, and w settles at the fixed point of
    `ValueAndScore`; seen from the policy the critic has settled. That point is the natural gradient if
    :math:`V^\pi` is in the span of the state features; else :math:`\theta` ends as far off as V is wrong.

    Parameters
    ----------
    state_features : "tabular", array_like of shape (S, M), or callable, optional
        :math:`\psi(s)`. For the linear-quadratic problem a function of x that returns (..., M). Left out,
        features that span :math:`V^\pi`: "tabular", one for each state, or :math:`x^2` and 1 on the real
        line.
    critic_step_size : float
        :math:`\beta`, above 0. It must be small enough for both updates to be stable.
    n_episodes : int
        N, at least 1, in each step.
    slowing : float, optional
        K, above 0: after so many steps those of the policy are half as long. Without it all steps stay as
        long as the first, and :math:`\theta` comes near its goal and wanders about it.
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
    Given the state a score has mean 0, so the mean of :math:`\gamma^t \delta_t \mathrm{SC}_t` is the gradient
    with V in the place of :math:`V^\pi`, and the mean update of w is that, less :math:`\mathrm{FIM} \cdot w`.
    It pulls w to :math:`\mathrm{FIM}^+` times that gradient; where FIM is 0 nothing moves.

    The published form moves after each step of one endless path, for the average reward, where no
    :math:`\gamma^t` is needed. Its theorem asks for finitely many states and actions, a chain that is
    irreducible and aperiodic for every :math:`\theta`, probabilities that are continuously differentiable,
    independent state features of which no combination is constant, steps with
    :math:`\sum \alpha_n = \sum \beta_n = \infty` and :math:`\sum (\alpha_n^2 + \beta_n^2) < \infty`, and a
    projection that keeps :math:`\theta` in a compact set. Then :math:`\theta` converges with probability 1 to
    a neighbourhood of the local maxima, the smaller the less V is wrong. Here batches of episodes
    and :math:`\gamma^t` stand for the discounted problem, and nothing is projected.

    References
    ----------
    S. Bhatnagar, R. S. Sutton, M. Ghavamzadeh and M. Lee, "Natural actor-critic algorithms", *Automatica* 45,
    2009, algorithm 3. For :math:`\gamma^t`: P. S. Thomas, "Bias in natural actor-critic algorithms", 2014.

    Examples
    --------
    In one state where action 0 pays 1 and action 1 nothing, both with probability 1/2, scores are 1/2 and
    -1/2. At w = v = 0 the first step is :math:`\beta` times the mean of reward times score, 1/4.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [0.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> policy, rng = SoftmaxPolicy([[[1.0], [0.0]]], [0.0]), np.random.default_rng(0)
    >>> rule = IncrementalNaturalActorCritic(
    ...     state_features="tabular", critic_step_size=2.0, n_episodes=10_000
    ... )
    >>> w, memory = rule.direction(mdp, policy, rng=rng)
    >>> bool(abs(w[0] - 2 / 4) < 0.02)
    True
    """

    state_features: object = None
    slowing: float | None = None

    def __post_init__(self):
        super().__post_init__()
        self._keep("state_features", "(S, M)")
        if self.slowing is None:
            return
        steps = _validate.number("slowing", self.slowing)
        if steps <= 0:
            raise ValueError(f"slowing is {steps:g}; expected a number above 0")
        object.__setattr__(self, "slowing", steps)

    def _direction(self, mdp, policy, memory, *, rng):
        psi = of_states(mdp, "state_features", self.state_features)
        start = 0, np.zeros(psi.size), np.zeros(policy.parameters.size)
        n, v, w = start if memory is None else memory
        slower = 1.0 if self.slowing is None else 1 + n / self.slowing
        beta = self.critic_step_size / slower ** (2 / 3)
        paths, errors = self._paths(mdp, policy, rng=rng), TDErrors(psi.values(v))
        along_errors = mean_gradient(paths, errors)
        along_w = mean_gradient(paths, ActionValues(compatible_values(policy, w)))
        w = w + beta * (along_errors - along_w)
        v = v + beta * psi.total(paths, errors.weights(paths)) / paths.n_episodes
        # alpha_n = alpha / (1 + n / K): the first factor is the step size of the ascent.
        return w / slower, (n + 1, v, w)
