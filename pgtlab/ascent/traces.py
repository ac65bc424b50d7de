r"""Owns the actor-critic with eligibility traces, which learns within the episode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgtlab import _validate
from pgtlab.ascent.rules import AscentRule
from pgtlab.features.given import kept_features
from pgtlab.features.linear import of_states
from pgtlab.rollouts.horizon import GeometricHorizon, checked


@dataclass(frozen=True, kw_only=True, eq=False)
class EligibilityTraces(AscentRule):
    r"""Actor-critic with eligibility traces, online: each step of ascent is one step of an episode.

    At time t of an episode, with :math:`\delta_t = r_t + \gamma V(s_{t+1}; v) - V(s_t; v)` and
    :math:`V(s; v) = \psi(s) \cdot v`,

    .. math::

        z_t &= \gamma \lambda \, z_{t-1} + \gamma^t \, \mathrm{SC}(s_t, a_t), & d &= \delta_t z_t, \\
        y_t &= \gamma \lambda' \, y_{t-1} + \psi(s_t), & v &\leftarrow v + \beta \, \delta_t y_t .

    Both traces are 0 at the start of an episode, and only there.

    Parameters
    ----------
    lam_actor, lam_critic : float
        :math:`\lambda` and :math:`\lambda'` in [0, 1].
    state_features : "tabular", array_like of shape (S, M), or callable, optional
        :math:`\psi(s)`. For the linear-quadratic problem a function of x that returns (..., M). Left out,
        features that span :math:`V^\pi`: "tabular", one for each state, or :math:`x^2` and 1 on the real
        line.
    critic_step_size : float
        :math:`\beta`, above 0.
    horizon : int or GeometricHorizon, optional
        After how many steps an episode is broken off and a new one begun. Without it episodes run to their
        end; where that does not come, :math:`\gamma^t` fades, and so does the learning.

    Raises
    ------
    ValueError
        If a number is out of its range, or features are not finite or of another shape than the problem.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    This is the textbook's form: :math:`\theta` moves after every step, and the next action is drawn from the
    policy that it moved to. So each score is taken at the parameters its action was drawn with. What must not
    be done is to move :math:`\theta` along a path that was drawn before.

    With :math:`\theta` and v held still, the sum of d over an episode has the mean of `GAE` with V and
    :math:`\lambda`: the gradient if :math:`\lambda = 1` or :math:`V = V^\pi`. For small step sizes the path
    follows that mean.

    Under a `GeometricHorizon` with continuation q what happens at time t is seen with the chance
    :math:`q^t`, so :math:`\gamma / q` stands in place of :math:`\gamma` in both traces and in
    :math:`\gamma^t`; in :math:`\delta_t` it stays.

    References
    ----------
    S20. R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 13.5, actor-critic with
    eligibility traces (episodic).

    Examples
    --------
    In state 0, "later" pays 0 and leads to state 1, where 10 is paid and the episode ends; "now" pays 1 and
    ends. The critic is still 0, so what counts is the reward. For "later" the first direction is 0, and the
    trace brings the 10 of the second step back to the action of the first:
    :math:`\delta_1 z_1 = 10 \cdot 0.9 \cdot 1/2`.

    >>> from pgtlab.gallery import now_or_later
    >>> mdp, policy = now_or_later()
    >>> rule = EligibilityTraces(lam_actor=1, lam_critic=1, state_features="tabular", critic_step_size=0.1)
    >>> rng = np.random.default_rng(0)
    >>> first, memory = rule.direction(mdp, policy, rng=rng)
    >>> second, memory = rule.direction(mdp, policy, memory, rng=rng)
    >>> first, second
    (array([0.]), array([4.5]))
    """

    lam_actor: float
    lam_critic: float
    state_features: object = None
    critic_step_size: float
    horizon: object = None

    draws = True

    def __post_init__(self):
        put = object.__setattr__
        for name in ("lam_actor", "lam_critic"):
            put(self, name, _validate.in_unit_interval(name, getattr(self, name)))
        put(self, "state_features", kept_features("state_features", self.state_features, "(S, M)"))
        size = _validate.number("critic_step_size", self.critic_step_size)
        if size <= 0:
            raise ValueError(f"critic_step_size is {size:g}; expected a number above 0")
        put(self, "critic_step_size", size)
        put(self, "horizon", checked(self.horizon))

    def _direction(self, mdp, policy, memory, *, rng):
        psi = of_states(mdp, "state_features", self.state_features)
        v = np.zeros(psi.size) if memory is None else memory.v
        walk = memory.walk if memory is not None else None
        if walk is None:
            walk = _Walk(mdp.draw_start(rng=rng), 0, 1.0, np.zeros(policy.parameters.size), np.zeros(v.size))
        s = walk.state
        a = policy.sample(s, rng=rng)
        reward, following = mdp.draw_step(s, a, rng=rng)
        # gamma, over the chance to be let on
        discount = mdp.discount
        if isinstance(self.horizon, GeometricHorizon):
            discount /= self.horizon.continuation
        z = discount * self.lam_actor * walk.actor_trace + walk.weight * policy.score(s, a)
        y = discount * self.lam_critic * walk.critic_trace + psi.at(s)
        ahead = 0.0 if following is None else psi.at(following) @ v
        delta = reward + mdp.discount * ahead - psi.at(s) @ v
        on = following is not None and self._goes_on(walk.time + 1, rng=rng)
        after = _Walk(following, walk.time + 1, discount * walk.weight, z, y) if on else None
        return delta * z, _Memory(v + self.critic_step_size * delta * y, after)

    def _goes_on(self, time, *, rng):
        if isinstance(self.horizon, GeometricHorizon):
            return rng.random() < self.horizon.continuation
        return self.horizon is None or time < self.horizon


@dataclass(frozen=True, eq=False)
class _Walk:
    """Where an episode stands: state, time, gamma^t and the traces up to the step before."""

    state: object
    time: int
    weight: float
    actor_trace: np.ndarray
    critic_trace: np.ndarray


@dataclass(frozen=True, eq=False)
class _Memory:
    """Weights of the critic, and the episode under way, if one is."""

    v: np.ndarray
    walk: _Walk | None
