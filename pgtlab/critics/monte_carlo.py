"""Owns the critic that is fitted to sampled returns."""

from __future__ import annotations

from dataclasses import dataclass

from pgtlab.critics.critic import Learner
from pgtlab.critics.least_squares import compatible_weights


@dataclass(frozen=True, eq=False)
class MonteCarlo(Learner):
    r"""Compatible critic with sampled returns to go as targets, (17.2) with samples for integrals.

    .. math:: \sum_t \gamma^t \big( G_t - \mathrm{SC}_t \cdot w \big)^2 \to \min,
        \qquad G_t = \sum_{j \ge t} \gamma^{j-t} r_j

    **Condition.** None: its limit is the natural gradient, for every problem and every discount. Nothing is
    gained by it for the gradient: on the paths that it was fitted to, (20.1) with this critic in the place
    of Q is REINFORCE, number for number. Step by step it learns by

    .. math:: w \mathrel{+}= \alpha \, \gamma^t \, (G_t - \mathrm{SC}_t \cdot w) \, \mathrm{SC}_t

    References
    ----------
    S17 (17.2), S23 (23.2), points 1 and 5 of "what the slides leave out".

    Examples
    --------
    On "now or later" the slides' own update has the limit -1, this one the natural gradient.

    >>> import numpy as np
    >>> from pgtlab.gallery import now_or_later
    >>> from pgtlab.rollouts import rollout
    >>> mdp, policy = now_or_later()
    >>> MonteCarlo().fixed_point(mdp, policy).round(6)
    array([8.])
    >>> paths = rollout(mdp, policy, n_episodes=100_000, rng=np.random.default_rng(0))
    >>> abs(MonteCarlo().fit(paths) - 8) < 0.2
    array([ True])
    """

    def _fixed_point(self, mdp, policy):
        return compatible_weights(mdp, policy)

    def _targets(self, reader):
        return reader.returns_to_go()

    def _step(self, reader, t, episodes):
        x = reader.scores(t, episodes)
        return x, reader.weights[t] * x
