r"""Owns the natural actor-critics of S23: :math:`\theta` moves in the direction of the critic's weights."""

from __future__ import annotations

from dataclasses import dataclass

from pgtlab.ascent.rules import AscentRule, SampledRule


@dataclass(frozen=True)
class ExactNaturalActorCritic(AscentRule):
    r"""Natural actor-critic with the fixed point of its critic, :math:`d = w`.

    What the critic would settle at, if :math:`\theta` stood still for as long as it takes. So it shows what a
    critic is worth, apart from all noise.

    Parameters
    ----------
    critic : object
        One of `pgtlab.critics`, or whatever has a method ``fixed_point(mdp, policy)`` that returns (K,).

    Raises
    ------
    TypeError
        If `critic` has no such method.

    References
    ----------
    S23 (23.2)-(23.4).

    Examples
    --------
    The update of the slides settles at the natural gradient of the immediate reward, -1 where the natural
    gradient is +8; Monte Carlo returns give the latter.

    >>> from pgtlab.critics import LiteralUpdate, MonteCarlo
    >>> from pgtlab.gallery import now_or_later
    >>> ExactNaturalActorCritic(LiteralUpdate()).direction(*now_or_later(), rng=None)[0].round(6)
    array([-1.])
    >>> ExactNaturalActorCritic(MonteCarlo()).direction(*now_or_later(), rng=None)[0].round(6)
    array([8.])
    """

    critic: object

    def __post_init__(self):
        _has(self.critic, "fixed_point")

    def _direction(self, mdp, policy, memory, *, rng):
        return self.critic.fixed_point(mdp, policy), None


@dataclass(frozen=True, kw_only=True)
class NaturalActorCritic(SampledRule):
    r"""Natural actor-critic with a critic fitted to sampled paths, :math:`d = w`.

    Parameters
    ----------
    critic : object
        One of `pgtlab.critics`, or whatever has a method ``fit(paths)`` that returns (K,). It is fitted
        anew to the paths of each step.
    n_episodes : int
        N, at least 1, in each step.
    horizon : int or GeometricHorizon, optional
        As for `rollout`.

    Raises
    ------
    ValueError
        If a count is too small.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    The fit estimates the critic's fixed point, consistently but not without bias: it divides by a Fisher
    information that is estimated too. Near a deterministic policy a batch may hold one action only, whose
    score is small; the fit to it alone is large, and so is the step.

    References
    ----------
    S23 (23.3)-(23.4). J. Peters and S. Schaal, "Natural actor-critic", *Neurocomputing* 71, 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from pgtlab.critics import MonteCarlo
    >>> from pgtlab.gallery import now_or_later
    >>> rule = NaturalActorCritic(critic=MonteCarlo(), n_episodes=10_000)
    >>> direction, _ = rule.direction(*now_or_later(), rng=np.random.default_rng(0))
    >>> bool(abs(direction[0] - 8) < 0.6)
    True
    """

    critic: object

    def __post_init__(self):
        super().__post_init__()
        _has(self.critic, "fit")

    def _direction(self, mdp, policy, memory, *, rng):
        return self.critic.fit(self._paths(mdp, policy, rng=rng)), None


def _has(critic, method):
    # A class has the method too, but nothing to call it on.
    if isinstance(critic, type) or not callable(getattr(critic, method, None)):
        got = f"the class {critic.__name__}" if isinstance(critic, type) else type(critic).__name__
        raise TypeError(f"critic must have a method {method}, as MonteCarlo() has, got {got}")
