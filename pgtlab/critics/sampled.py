"""Owns what the critics do with sampled paths: read them step by step, solve for a fixed point, or learn."""

from __future__ import annotations

import math
import warnings

import numpy as np

from pgtlab import _validate
from pgtlab.arrays.recursions import summed
from pgtlab.critics.least_squares import least_norm
from pgtlab.exact.contrasts import FEWEST_VISITS
from pgtlab.exact.regression import Directions
from pgtlab.features.linear import of_states
from pgtlab.rollouts.paths import checked


class Reader:
    """Sampled paths, of which one step of many episodes is read at a time.

    Attributes
    ----------
    weights : ndarray, shape (T + 1,)
        Those of the paths, and 0 for the step after the last, which nobody makes.
    rewards : ndarray, shape (T, N)
        Each times the weight of its time.
    alive : ndarray of bool, shape (T, N)
        Whether each step was made.
    pairs : ndarray of int, shape (T, N), or None
        The number of state and action of each step of a finite problem.
    """

    def __init__(self, paths):
        checked(paths).check_slope()
        self._paths = paths
        self.weights = np.append(paths.weights, 0.0)
        self.rewards = paths.weights[:, None] * paths.rewards
        self.alive = paths.alive
        self.pairs = getattr(paths, "pairs", None)

    def returns_to_go(self):
        """Return the sum of the weighted rewards from each step on, shape (T, N)."""
        return summed(self.rewards.copy(), 1.0)

    def scores(self, t, episodes):
        """Return the scores of step t, shape (n, K); 0 where it was not made."""
        if t == self._paths.n_steps:
            return np.zeros_like(self.scores(t - 1, episodes))
        return self._paths.scores_at(t, episodes)


class JointReader(Reader):
    """The same with features of the states."""

    def __init__(self, paths, features):
        super().__init__(paths)
        self._phi = of_states(paths.mdp, "state_features", features)

    def step(self, t, episodes):
        """Return the features of the states before step t and, discounted, after it, (n, M) each."""
        made, (here, following) = self.alive[t, episodes, None], self._paths.states[t : t + 2, episodes]
        # Where the horizon cut an episode off, its last state is one after a step, but not one before a step.
        return self._phi.at(here) * made, self._paths.mdp.discount * self._phi.at(following) * made


def fixed_point(reader, step, targets, lam):
    r"""Return the weights at which the updates of all the paths together add up to zero.

    Parameters
    ----------
    reader : Reader
    step : callable
        ``step(reader, t, episodes)`` returns the features x (n, D) of the critic at time t and the
        differences d (n, D): the prediction is off by the target minus d times the weights. In a finite
        problem x hangs on state and action alone.
    targets : ndarray, shape (T, N)
    lam : float
        Decay of the trace, besides the discount.

    Returns
    -------
    ndarray, shape (D,)
        The solution of least norm.

    Raises
    ------
    ValueError
        If rounding leaves open whether features are dependent.

    Notes
    -----
    In a finite problem every state and action of the paths is an equation that keeps its digits, however
    little it weighs; below 1e-300 in all it counts as not seen. What the scores can tell apart is what they
    tell apart without their weights.
    """
    solution = _by_steps if reader.pairs is None else _by_pairs
    return solution(reader, step, targets, lam)


def _by_steps(reader, step, targets, lam):
    matrix, right, trace = 0.0, 0.0, 0.0
    for t in range(len(targets)):
        x, difference = step(reader, t, slice(None))
        # sum_j gamma^j (gamma lambda)^(t-j) x_j = gamma^t e_t with e_t = lambda e_{t-1} + x_t; the weight of
        # time t, gamma^t, is in the differences and in the targets.
        trace = lam * trace + x
        matrix = matrix + trace.T @ difference
        right = right + trace.T @ targets[t]
    return least_norm(matrix, right)


def _by_pairs(reader, step, targets, lam):
    # sum_t e_t d_t^T = sum_t x_t D_t^T with D_t = d_t + lambda D_{t+1}, and so for the targets: added up
    # for each pair of state and action, X^T (D w - b) = 0.
    rows = ahead = None
    weight = np.zeros(reader.pairs.max() + 1)
    for t in reversed(range(len(targets))):
        x, difference = step(reader, t, slice(None))
        both = np.concatenate([difference, targets[t][:, None]], axis=1)
        ahead = both if ahead is None else both + lam * ahead
        if rows is None:
            rows, sums = np.zeros((len(weight), x.shape[1])), np.zeros((len(weight), both.shape[1]))
        order = np.argsort(reader.pairs[t], kind="stable")
        pairs = reader.pairs[t][order]
        starts = np.flatnonzero(np.diff(pairs, prepend=-1))
        at = pairs[starts]
        rows[at] = x[order[starts]]
        sums[at] += np.add.reduceat(ahead[order], starts, axis=0)
        weight[at] += reader.weights[t] * np.diff(starts, append=len(pairs))
    seen = (weight >= FEWEST_VISITS) & rows.any(1)
    if not seen.any():
        return np.zeros(rows.shape[1])
    rows, sums, weight = rows[seen], sums[seen], weight[seen]
    # Scores were subtracted from one another: they are known to a share of the largest.
    directions = Directions(rows, shortest=1.0)
    size = np.full(len(rows), np.abs(rows @ directions.basis).max())
    matrix, right, back = directions.solved(rows, sums / weight[:, None], np.log(weight), size)
    return least_norm(matrix, right, back, directions.unseen)


def learning(reader, step, targets, lam, step_size, start, batch_size):
    r"""Return the weights before the first and after each batch of episodes, learned step by step.

    Parameters
    ----------
    reader, step, targets, lam
        As for `fixed_point`.
    step_size : float or array_like, shape (n,)
        :math:`\alpha`, for all batches or for each.
    start : ndarray, shape (D,)
    batch_size : int
        Episodes that take each step together; the update is their mean.

    Returns
    -------
    ndarray, shape (n + 1, D)
        Fewer rows if the weights overflow: what was learned till then, with a RuntimeWarning.
    """
    lengths = reader.alive.sum(0)
    N = len(lengths)
    batch_size = _validate.count("batch_size", batch_size, 1)
    n_batches = math.ceil(N / batch_size)
    sizes = _step_sizes(step_size, n_batches)
    trajectory = np.empty((n_batches + 1, len(start)))
    trajectory[0] = w = start
    for i in range(n_batches):
        episodes = slice(i * batch_size, min((i + 1) * batch_size, N))
        share, trace = sizes[i] / (episodes.stop - episodes.start), 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for t in range(lengths[episodes].max()):
                x, difference = step(reader, t, episodes)
                trace = lam * trace + x
                w = w + share * ((targets[t, episodes] - difference @ w) @ trace)
        if not np.isfinite(w).all():
            warnings.warn(
                f"the weights overflow in batch {i} of {n_batches} at step_size {sizes[i]:g}: the run "
                "diverges and stops there, with what was learned before; expected a smaller step_size",
                RuntimeWarning,
                stacklevel=3,
            )
            return trajectory[: i + 1]
        trajectory[i + 1] = w
    return trajectory


def _step_sizes(value, n_batches):
    sizes = _validate.array("step_size", value, "(...,)")
    if sizes.shape not in ((), (n_batches,)):
        raise ValueError(
            f"step_size has shape {sizes.shape}; expected a number, or ({n_batches},) with one for each batch"
        )
    if sizes.min() <= 0:
        at = _validate.first(sizes <= 0)
        raise ValueError(f"step_size{_validate.subscript(at)} is {sizes[at]:g}; expected a number above 0")
    return np.broadcast_to(sizes, (n_batches,))
