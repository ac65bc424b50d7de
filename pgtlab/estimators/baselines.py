"""Owns the baselines: what is best taken off the return before it meets the score."""

from __future__ import annotations

from pgtlab.estimators.signals import rewards_to_go
from pgtlab.exact.chains import chain
from pgtlab.rollouts.paths import checked


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

    >>> import numpy as np
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy, rollout
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=1.0)
    >>> policy = SoftmaxPolicy.tabular([[0.0, 0.0]])
    >>> fitted_values(rollout(mdp, policy, n_episodes=10, rng=np.random.default_rng(0)))
    array([1.])
    """
    checked(paths)
    return paths.fitted(rewards_to_go(paths))


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

    >>> import numpy as np
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [0.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> best_baseline(mdp, SoftmaxPolicy([[[1.0], [0.0]]], [np.log(3.0)])).round(6)
    array([0.25])
    """
    process = chain(mdp, policy)
    process.check_single()
    return process.best_baseline(policy)
