"""Owns the critic that is fitted to sampled returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgtlab.critics import sampled
from pgtlab.critics.least_squares import compatible_weights, weights_for


@dataclass(frozen=True, eq=False)
class MonteCarlo:
    r"""Compatible critic with sampled returns to go as targets, (17.2) with samples for integrals.

    .. math:: \sum_t \gamma^t \big( G_t - \mathrm{SC}_t \cdot w \big)^2 \to \min,
        \qquad G_t = \sum_{j \ge t} \gamma^{j-t} r_j

    **Condition.** None: its limit is the natural gradient, for every problem and every discount. Nothing is
    gained by it for the gradient: on the paths that it was fitted to, (20.1) with this critic in the place
    of Q is REINFORCE, number for number.

    References
    ----------
    S17 (17.2), S23 (23.2), points 1 and 5 of "what the slides leave out".

    Examples
    --------
    On "now or later" the slides' own update has the limit -1, this one the natural gradient.

    >>> from pgtlab.gallery import now_or_later
    >>> from pgtlab.rollouts import rollout
    >>> mdp, policy = now_or_later()
    >>> MonteCarlo().fixed_point(mdp, policy).round(6)
    array([8.])
    >>> paths = rollout(mdp, policy, n_episodes=100_000, rng=np.random.default_rng(0))
    >>> abs(MonteCarlo().fit(paths) - 8) < 0.2
    array([ True])
    """

    def fixed_point(self, mdp, policy):
        r"""Weights in the limit of many paths, :math:`\mathrm{FIM}^+ \, \partial J / \partial \theta`.

        Parameters
        ----------
        mdp : FiniteMDP or LinearQuadraticMDP
        policy : FinitePolicy or LinearGaussianPolicy
            Or a batch of policies.

        Returns
        -------
        ndarray, shape (..., K)
            The solution of least norm.
        """
        return compatible_weights(mdp, policy)

    def fit(self, paths):
        """Weights by least squares on the returns of sampled paths.

        Parameters
        ----------
        paths : FinitePaths or LinearQuadraticPaths
            Cut off at a random horizon, they give the same limit without truncation bias.

        Returns
        -------
        ndarray, shape (K,)
            The solution of least norm.
        """
        reader = sampled.Reader(paths)
        return sampled.fixed_point(reader, _step, reader.returns_to_go(), 0.0)

    def learn(self, paths, step_size, start=None, *, batch_size=1):
        r"""Weights learned step by step along the paths, one episode after the other.

        .. math:: w \mathrel{+}= \alpha \, \gamma^t \, (G_t - \mathrm{SC}_t \cdot w) \, \mathrm{SC}_t

        Parameters
        ----------
        paths : FinitePaths or LinearQuadraticPaths
        step_size : float or array_like, shape (n,)
            :math:`\alpha`, above 0; one for all batches of episodes, or one for each.
        start : array_like, shape (K,), optional
            Weights to begin with; 0 without.
        batch_size : int
            Episodes that take each step together; the update is their mean.

        Returns
        -------
        ndarray, shape (n + 1, K)
            The weights before the first and after each of the n batches. If they overflow, those till then,
            with a RuntimeWarning.
        """
        reader = sampled.Reader(paths)
        start = first_weights(paths.policy, start)
        return sampled.learning(reader, _step, reader.returns_to_go(), 0.0, step_size, start, batch_size)


def _step(reader, t, episodes):
    x = reader.scores(t, episodes)
    return x, reader.weights[t] * x


def first_weights(policy, start):
    """Return the weights (K,) to begin with."""
    if start is None:
        return np.zeros(policy.parameters.shape[-1])
    start = weights_for(policy, start, "start")
    if start.ndim > 1:
        raise ValueError(f"start has shape {start.shape}; expected ({start.shape[-1]},)")
    return start
