"""Owns the step from sampled paths to an estimate with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from pgtlab import _validate
from pgtlab.estimators.signals import ReturnToGo, Signal
from pgtlab.rollouts import rollout
from pgtlab.rollouts.paths import checked


@dataclass(frozen=True, eq=False)
class Estimate:
    r"""Mean over sampled episodes, with its standard error.

    Attributes
    ----------
    mean : ndarray of shape (K,), or float
    standard_error : ndarray of shape (K,), or float
        Estimated standard deviation of `mean`.
    n_episodes : int
        N.
    degrees_of_freedom : int
        Of `standard_error`: the number of groups of episodes between which it was measured, less 1.
    event_size : ndarray of shape (K,), or float
        What one of the events that make the sample skew adds to `mean`: its third cumulant over its second.
        It is b / N if rare events add b each and all else adds nothing, and near 0 where the sample is
        symmetric. Where there were fewer than 16 such events, or none, it is a bound on what one more episode
        could have added.

    Notes
    -----
    (`mean` - truth) / `standard_error` follows about Student's t distribution with `degrees_of_freedom`; the
    approximation is that of the central limit theorem, for the sums of N / (`degrees_of_freedom` + 1)
    episodes. Where the mean rests on a few rare events it is poor, and `event_size` says how poor (see
    `checks.consistent`).

    Examples
    --------
    In the only state "stop" pays 1 and ends, "go on" pays 0 and stays: without discount all returns are 1.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy, rollout
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=1.0)
    >>> policy = SoftmaxPolicy.tabular([[0.0, 0.0]])
    >>> return_estimate(rollout(mdp, policy, n_episodes=100, rng=np.random.default_rng(0)))
    Estimate(mean=1.0, standard_error=0.0, n_episodes=100, degrees_of_freedom=99)
    """

    mean: np.ndarray
    standard_error: np.ndarray
    n_episodes: int
    degrees_of_freedom: int
    event_size: np.ndarray = field(default=0.0, repr=False)


def estimate_gradient(paths, signal):
    r"""Estimate the policy gradient from sampled paths.

    .. math:: \frac1N \sum_n \sum_t \mathrm{SC}(s_{t,n}, a_{t,n}) \, g_{t,n}

    Parameters
    ----------
    paths : FinitePaths or LinearQuadraticPaths
        From `rollout`, with the policy whose score is taken.
    signal : Signal
        What gives the factors g: `WholeReturn`, `ReturnToGo`, `ActionValues`, `Advantages`, `TDErrors`,
        `NStepReturn`, `GAE`.

    Returns
    -------
    Estimate
        Mean and standard error of shape (K,), in units of reward per unit of parameter. What the mean
        estimates, and with which bias, is ``signal.expectation(mdp, policy, horizon)``.

    Raises
    ------
    ValueError
        If there are fewer than 2 episodes, from which no standard error can be told, or the values that the
        signal holds do not fit the problem; at discount 1, for paths without a number of steps, if an action
        of probability 0 may lead to a state from which the end is not sure (see `policy_gradient`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    For a finite problem the episodes are put into at most 256 groups. A group's factors are first added up
    for each pair of state and action, then multiplied by the scores, so that the cost is one pass over the
    steps. With sums :math:`S_g` over groups of :math:`n_g` episodes and the mean m, the variance of the mean
    is estimated, without bias, by :math:`\sum_g n_g (S_g / n_g - m)^2 / ((G - 1) N)`. For the
    linear-quadratic problem every episode is a group.

    References
    ----------
    S20 (20.1), with the division by the number of paths that it forgets.

    Examples
    --------
    With discount 1/2 the gradient is 2/9 (see `WholeReturn`).

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy, rollout
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> paths = rollout(mdp, policy, n_episodes=10_000, rng=np.random.default_rng(0))
    >>> found = estimate_gradient(paths, ReturnToGo())
    >>> bool(abs(found.mean[0] - 2 / 9) < 5 * found.standard_error[0])
    True
    """
    checked(paths)
    _validate.instance("signal", signal, Signal)
    _at_least_two(paths)
    # A pivot near the mean keeps the sums of powers free of cancellation, and a unit those of large numbers
    # free of overflow.
    total, spread, cubes, pivot, n_groups = 0.0, 0.0, 0.0, None, 0
    for sums, sizes in _score_sums(paths, signal):
        if pivot is None:
            pivot, unit = sums.sum(0) / sizes.sum(), _unit(sums)
        total = total + sums.sum(0)
        n, off = sizes[:, None], (sums / sizes[:, None] - pivot) / unit
        spread = spread + (n * off**2).sum(0)
        cubes = cubes + np.array([(n * n * off**j).sum(0) for j in range(4)])
        n_groups += len(sizes)
    N = paths.n_episodes
    mean = total / N
    shift = (mean - pivot) / unit
    # sum_g n_g (m_g - m)^2 = sum_g n_g (m_g - pivot)^2 - N (m - pivot)^2
    spread = np.maximum(spread - N * shift**2, 0.0)
    # The same for sum_g n_g^2 (m_g - m)^3, which is to that sum as the third cumulant to the second.
    third = cubes[3] - 3 * shift * cubes[2] + 3 * shift**2 * cubes[1] - shift**3 * cubes[0]
    size = np.divide(third, spread, where=spread > 0, out=np.zeros_like(mean))
    few = _few_events(size, spread * (N / n_groups), mean / unit, N)
    size *= unit
    if few.any() and paths.has_rare_events:
        size = np.where(few, _reach(paths, signal) + np.abs(mean), size)
    error = unit * np.sqrt(spread / ((n_groups - 1) * N))
    return Estimate(mean, error, N, n_groups - 1, size / N)


def mean_gradient(paths, signal):
    """Return the mean of `estimate_gradient` alone, shape (K,), for which one episode will do."""
    return sum(sums.sum(0) for sums, _ in _score_sums(paths, signal)) / paths.n_episodes


def reinforce(mdp, policy, *, n_episodes, horizon=None, rng):
    r"""Estimate the policy gradient by REINFORCE: sample paths, then score times return to go.

    .. math:: \frac1N \sum_n \sum_t \gamma^t \, \mathrm{SC}(s_{t,n}, a_{t,n}) \, G_{t,n},
        \qquad G_t = \sum_{t' \ge t} \gamma^{t'-t} r_{t'}

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        One policy, no batch.
    n_episodes : int
        N, at least 2.
    horizon : int or GeometricHorizon, optional
        As for `rollout`: without it episodes are followed to their end, which must be certain.
    rng : numpy.random.Generator

    Returns
    -------
    Estimate
        Mean and standard error of shape (K,), in units of reward per unit of parameter.

    Raises
    ------
    ValueError
        If a count is too small, the policy is a batch or does not fit the problem, or no horizon is given
        and an episode need not end.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Unbiased without a horizon and with a `GeometricHorizon`. With an integer horizon T the mean is the
    gradient of the truncated J, and misses
    :math:`\sum_{t \ge T} \gamma^t E[r_t \sum_{t' \le t} \mathrm{SC}_{t'}]`. Scores have mean 0 given the
    past, so their sum over t + 1 steps has at most the second moment :math:`(t + 1) B^2`, where :math:`B^2`
    bounds :math:`E[|\mathrm{SC}|^2 \mid s]`; and
    :math:`\sqrt{T + 1 + j} \le \sqrt{T + 1} + j / (2 \sqrt{T + 1})`. Hence, with :math:`|R^a_s| \le r`,

    .. math::

        |\text{bias}| \le r B \, \gamma^T
        \Big[ \frac{\sqrt{T + 1}}{1 - \gamma} + \frac{\gamma}{2 \sqrt{T + 1} \, (1 - \gamma)^2} \Big].

    Exactly, it is the difference of two values of ``ReturnToGo().expectation``, with the horizon and without.

    References
    ----------
    S20 (20.1). R. J. Williams, "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning", 1992.

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> found = reinforce(mdp, policy, n_episodes=10_000, rng=np.random.default_rng(0))
    >>> bool(abs(found.mean[0] - 2 / 9) < 5 * found.standard_error[0])
    True
    """
    n_episodes = _validate.count("n_episodes", n_episodes, 2)
    paths = rollout(mdp, policy, n_episodes=n_episodes, horizon=horizon, rng=rng)
    return estimate_gradient(paths, ReturnToGo())


def return_estimate(paths):
    r"""Estimate the expected return from sampled paths, :math:`\frac1N \sum_n \sum_t \gamma^t r_{t,n}`.

    Parameters
    ----------
    paths : FinitePaths or LinearQuadraticPaths

    Returns
    -------
    Estimate
        Mean and standard error as floats, in units of reward. Under an integer horizon T it estimates the
        truncated J, which differs from J by at most :math:`\gamma^T \max|R| / (1 - \gamma)`.

    Raises
    ------
    ValueError
        If there are fewer than 2 episodes, from which no standard error can be told.
    TypeError
        If `paths` is not what `rollout` returns.

    References
    ----------
    S7 (7.1).

    Examples
    --------
    In the only state "stop" pays 1 and ends, "go on" pays 0 and stays: without discount all returns are 1.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy, rollout
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=1.0)
    >>> policy = SoftmaxPolicy.tabular([[0.0, 0.0]])
    >>> return_estimate(rollout(mdp, policy, n_episodes=100, rng=np.random.default_rng(0))).mean
    1.0
    """
    checked(paths)
    _at_least_two(paths)
    N, returns = paths.n_episodes, paths.returns
    mean = returns.mean()
    unit = _unit(returns)
    off = (returns - mean) / unit
    spread = np.vdot(off, off)
    size = np.vdot(off * off, off) / spread if spread else 0.0
    few = _few_events(size, spread, mean / unit, N)
    size *= unit
    if few and paths.has_rare_events:
        size = np.abs(paths.mdp.reward).max() * paths.weights.sum() + abs(mean)
    return Estimate(float(mean), float(unit * np.sqrt(spread / (N - 1) / N)), N, N - 1, float(size / N))


def _at_least_two(paths):
    if paths.n_episodes < 2:
        raise ValueError(
            f"paths holds {paths.n_episodes} episode; expected at least 2, or there is no standard error"
        )


def _score_sums(paths, signal):
    """Return an iterator over sums of score times factor, (G, K), and numbers of episodes in them, (G,)."""
    paths.check_slope()
    return paths.score_sums(signal.weights(paths))


def _unit(values):
    """Return the power of 2 below the largest of the numbers in size, in which they lose no digit."""
    return math.ldexp(0.5, math.frexp(np.abs(values).max())[1])


def _few_events(size, spread, mean, N):
    """Return where N episodes of this sum of squares rest on fewer than 16 events of this size."""
    # k events of size b have the sum of squares k b^2. What is left of equal numbers by rounding is no event.
    return (spread <= N * (1e-13 * mean) ** 2) | (spread < 16 * size**2)


def _reach(paths, signal):
    """Return the most that an episode as long as the longest could add to the sum of score times factor."""
    tables = [each for each in vars(signal).values() if isinstance(each, np.ndarray)]
    size = np.abs(paths.mdp.reward).max() + 2 * max((np.nanmax(np.abs(each)) for each in tables), default=0.0)
    # A factor g_t is at most this times the weights from t on, so that the weight of t counts t + 1 times.
    size *= paths.weights @ np.arange(1.0, paths.n_steps + 1)
    # A score of a tabular policy has entries up to 1.
    policy = paths.policy
    return size * (1.0 if policy.is_tabular else np.abs(policy.sound_scores()).max((0, 1)))
