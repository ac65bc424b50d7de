"""Owns the baselines: what is best taken off the return before it meets the score."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from pgtlab.estimators.signals import rewards_to_go
from pgtlab.exact.chains import chain
from pgtlab.exact.values import Quadratic, action_values, advantages, state_values
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP, not_a_problem
from pgtlab.policies.softmax import sound_scores
from pgtlab.rollouts.paths import FinitePaths, LinearQuadraticPaths


@singledispatch
def fitted_values(paths):
    r"""State values fitted to sampled paths, a baseline for other paths of the same policy.

    Least squares on the return from each visit on, a visit at time t counting as its weight
    :math:`w_t` (:math:`\gamma^t`, or 1 under ``GeometricHorizon(gamma)``). For a finite problem the fit is
    the weighted mean over all visits to a state, every-visit Monte Carlo. For the linear-quadratic problem
    it is :math:`p x^2 + d`.

    Parameters
    ----------
    paths : FinitePaths or LinearQuadraticPaths

    Returns
    -------
    ndarray of shape (S,), or Quadratic
        In units of reward; 0 in a state that no visit with a weight above 0 tells of.

    Raises
    ------
    TypeError
        If `paths` is not what `rollout` returns.

    Notes
    -----
    A baseline that was fitted on the very paths it is used on depends on their actions, and biases the
    gradient: with one path a state it takes the whole return away. Draw other paths for it.

    With a horizon of T steps a visit at time t sees the next T - t rewards only.

    References
    ----------
    (20.2). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, sections 5.1 and 13.4.

    Examples
    --------
    In the only state "stop" pays 1 and ends, "go on" pays 0 and stays. Without discount every visit is
    followed by the return 1.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy, rollout
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=1.0)
    >>> policy = SoftmaxPolicy.tabular([[0.0, 0.0]])
    >>> fitted_values(rollout(mdp, policy, n_episodes=10, rng=np.random.default_rng(0)))
    array([1.])
    """
    raise TypeError(f"paths must be what rollout returns, got {type(paths).__name__}")


@fitted_values.register
def _(paths: FinitePaths):
    (S, A), pairs = paths.mdp.reward.shape, paths.pairs.ravel()
    weight = np.broadcast_to(paths.weights[:, None], paths.pairs.shape).ravel()
    # The weighted mean of G_t is sum w_t G_t / sum w_t, and w_t G_t is the weighted reward to go.
    earned, seen = (
        np.bincount(pairs, each, S * A + 1)[:-1].reshape(S, A).sum(1)
        for each in (rewards_to_go(paths).ravel(), weight)
    )
    return np.divide(earned, seen, where=seen > 0, out=np.zeros(S))


@fitted_values.register
def _(paths: LinearQuadraticPaths):
    weight = np.where(paths.alive, paths.weights[:, None], 0.0)
    square, weighted_return = paths.states[:-1] ** 2, rewards_to_go(paths)
    mass = weight.sum()
    mean, level = (weight * square).sum() / mass, weighted_return.sum() / mass
    # Regression on one variable: slope = covariance / variance; both in weighted visits.
    square -= mean
    variance = (weight * square**2).sum()
    covariance = (weighted_return * square).sum()
    slope = covariance / variance if variance > 0 else 0.0
    return Quadratic(np.array([[slope]]), level - slope * mean)


@singledispatch
def best_baseline(mdp, policy):
    r"""Baseline with which the estimate of one step varies least.

    .. math:: b^*(s) = \frac{E[\,|\mathrm{SC}|^2 \, Q^\pi \mid s\,]}{E[\,|\mathrm{SC}|^2 \mid s\,]}

    Among all functions of the state it minimises the trace of the covariance of
    :math:`\mathrm{SC} \, (Q^\pi - b)`, and of :math:`\mathrm{SC} \, (G - b)` for a sampled return G. In
    general it is not :math:`V^\pi`, and not the best for the sum over a path, whose terms are correlated.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        One policy, no batch.

    Returns
    -------
    ndarray of shape (S,), or BestBaseline
        In units of reward. Where all scores are 0 any baseline will do, and this is :math:`V^\pi`. NaN where
        `state_values` is.

    Raises
    ------
    ValueError
        If the policy is a batch or does not fit the problem, or the values do not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact. The derivative of :math:`E[|\mathrm{SC}|^2 (Q - b)^2 \mid s]` in b is 0 there.

    References
    ----------
    (20.2). E. Greensmith, P. L. Bartlett and J. Baxter, "Variance reduction techniques for gradient estimates
    in reinforcement learning", *Journal of Machine Learning Research* 5, 2004.

    Examples
    --------
    One step, p = P(first action) = 3/4, which pays 1: the scores are 1 - p and -p, so
    b = p (1 - p)^2 / (p (1 - p)^2 + (1 - p) p^2) = 1 - p = 1/4, while V = 3/4.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [0.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> best_baseline(mdp, SoftmaxPolicy([[[1.0], [0.0]]], [np.log(3.0)])).round(6)
    array([0.25])
    """
    raise not_a_problem(mdp)


@best_baseline.register
def _(mdp: FiniteMDP, policy):
    probs = chain(mdp, policy).probs
    if probs.ndim > 2:
        raise ValueError(f"policy is a batch of shape {probs.shape[:-2]}; expected one policy")
    V, A = state_values(mdp, policy), advantages(mdp, policy)
    # Of E[|SC|^2 A] / E[|SC|^2] only the ratios of the weights count: they are taken by their logarithms, for
    # near a deterministic policy all are tiny.
    with np.errstate(divide="ignore"):
        logs = policy.log_probs() + np.log(_squared_scores(policy, probs))
    largest = logs.max(-1, keepdims=True)
    weight = np.exp(logs - np.where(np.isfinite(largest), largest, 0.0))
    # b = V + E[|SC|^2 A] / E[|SC|^2]; what is never done has the weight 0, and need have no Q.
    total = weight.sum(-1)
    excess = np.where(weight > 0, weight * A, 0.0).sum(-1)
    return V + np.divide(excess, total, where=total > 0, out=np.zeros_like(total))


@best_baseline.register
def _(mdp: LinearQuadraticMDP, policy):
    process = chain(mdp, policy)
    if process.drift.ndim:
        raise ValueError(f"policy is a batch of shape {process.drift.shape}; expected one policy")
    variance = float(policy.std) ** 2
    action_curvature = float(action_values(mdp, policy).matrix[1, 1])
    return BestBaseline(state_values(mdp, policy), variance, variance * action_curvature)


@dataclass(frozen=True, eq=False)
class BestBaseline:
    r"""Best baseline of the linear-quadratic problem, a function of the state that is not quadratic.

    With :math:`u = k x + \sigma z` the squared score is :math:`z^2 x^2 / \sigma^2 + (z^2 - 1)^2`, with mean
    :math:`x^2 / \sigma^2 + 2`; times :math:`z^2` its mean is :math:`3 x^2 / \sigma^2 + 10`, times z it is 0.
    Of Q, as a polynomial in z, only the term :math:`\sigma^2 Q_{uu} z^2` is weighted anew: its factor is no
    longer :math:`E z^2 = 1`. Hence

    .. math::

        b^*(x) = V(x) + \sigma^2 Q_{uu} \Big( \frac{3 x^2 + 10 \sigma^2}{x^2 + 2 \sigma^2} - 1 \Big).

    Parameters
    ----------
    state_values : Quadratic
        V.
    variance : float
        :math:`\sigma^2` of the action.
    curvature : float
        :math:`\sigma^2 Q_{uu}`.

    Examples
    --------
    Far from 0 the excess over V is twice the curvature, at 0 four times.

    >>> b = BestBaseline(Quadratic(np.zeros((1, 1)), np.array(0.0)), variance=1.0, curvature=-1.0)
    >>> b(0.0), round(b(1e6), 6)
    (-4.0, -2.0)
    """

    state_values: Quadratic
    variance: float
    curvature: float

    def __call__(self, state):
        """Value of the baseline.

        Parameters
        ----------
        state : float or ndarray, shape (N,)

        Returns
        -------
        float, or ndarray of shape (N,)
        """
        square = np.square(state, dtype=np.float64)
        # (3 x^2 + 10 s^2) / (x^2 + 2 s^2) - 1 = 2 + 4 s^2 / (x^2 + 2 s^2)
        excess = self.curvature * (2 + 4 * self.variance / (square + 2 * self.variance))
        total = self.state_values(state) + excess
        return total if np.ndim(total) else float(total)


def _squared_scores(policy, probs):
    """Return |SC(s, a)|^2, shape (S, A)."""
    A = probs.shape[1]
    others = np.where(np.eye(A, dtype=bool), 0.0, probs[:, None, :])
    if getattr(policy, "is_tabular", False):
        # The score of (s, a) is e_sa - sum_b pi(s, b) e_sb: 1 - pi(s, a) there, and pi(s, b) beside.
        return others.sum(-1) ** 2 + np.square(others).sum(-1)
    scores = sound_scores(policy)
    # The mean of the scores is 0, so that of an action is its mean distance from the others, which keeps the
    # digits of an action that is nearly sure.
    apart = scores[:, :, None, :] - scores[:, None, :, :]
    return np.square(np.einsum("sab,sabk->sak", others, apart)).sum(-1)
