"""Owns the draw: many episodes side by side, step by step."""

from __future__ import annotations

import itertools
import warnings
from functools import lru_cache

import numpy as np

from pgtlab import _validate
from pgtlab._progress import progress
from pgtlab.exact.chains import chain
from pgtlab.exact.endings import endless_state
from pgtlab.mdp import FiniteMDP
from pgtlab.rollouts.alias import AliasTables
from pgtlab.rollouts.horizon import GeometricHorizon, checked
from pgtlab.rollouts.paths import FinitePaths, LinearQuadraticPaths

#: Episodes drawn side by side: few enough for the processor's cache, enough to hide what calling NumPy costs.
_BATCH = 8192

#: Episodes up to which plain numbers are quicker than arrays.
_FEW = 8

#: Steps for which room is made at first where episodes may end sooner.
_FIRST_STEPS = 64

#: Steps without a horizon after which an episode is taken to go on for ever in practice.
_MOST_STEPS = 10**6


def rollout(mdp, policy, *, n_episodes, horizon=None, rng):
    r"""Sample paths :math:`s_0, a_0, r_0, s_1, a_1, r_1, \dots` of a policy.

    :math:`s_0 \sim p_0`, :math:`a_t \sim \pi(s_t, \cdot; \theta)`, :math:`s_{t+1} \sim P^{a_t}_{s_t, \cdot}`
    and :math:`r_t = R^{a_t}_{s_t}`.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        One policy, no batch.
    n_episodes : int
        N, at least 1.
    horizon : int or GeometricHorizon, optional
        An integer follows each episode for at most that many steps. A `GeometricHorizon` draws the number of
        steps for each. Without either, episodes are followed to their end, which must be certain.
    rng : numpy.random.Generator

    Returns
    -------
    FinitePaths or LinearQuadraticPaths
        States, actions, rewards and weights, with the axes (time, episode).

    Raises
    ------
    ValueError
        If `n_episodes` or `horizon` is below 1, the paths would take more than 16 GiB, the policy is a batch
        or does not fit the problem, or no horizon is given and an episode need not end, or has not ended
        after a million steps.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Cutting off at step T leaves out rewards: of J at most :math:`\gamma^T \max|R| / (1 - \gamma)`. The
    expectations of the estimators take the same horizon, so that the two can be compared. With a geometric
    horizon nothing is left out on average.

    The reward of a step is its mean given state and action; what a problem adds to it at random is not drawn.

    Two uniforms a step, for the action and for the next state, each through an alias table. Interrupted from
    the keyboard, it returns the episodes that are complete, with a RuntimeWarning that says how many; a
    progress bar shows on a terminal after 2 seconds where tqdm is installed.

    References
    ----------
    S20.

    Examples
    --------
    In the only state "stop" pays 1 and ends the episode, "go on" pays 0 and stays: every episode earns 1.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=1.0)
    >>> policy = SoftmaxPolicy.tabular([[0.0, 0.0]])
    >>> paths = rollout(mdp, policy, n_episodes=5, rng=np.random.default_rng(0))
    >>> paths.returns
    array([1., 1., 1., 1., 1.])
    """
    process = chain(mdp, policy)
    _validate.generator(rng)
    n_episodes, horizon = _validate.count("n_episodes", n_episodes, 1), checked(horizon)
    process.check_single()
    draw = _finite if isinstance(mdp, FiniteMDP) else _linear_quadratic
    return draw(process, policy, n_episodes, horizon, rng=rng)


def _finite(process, policy, n_episodes, horizon, *, rng):
    mdp, probs = process.mdp, process.probs
    if horizon is None:
        stuck = endless_state(mdp, probs > 0)
        if stuck is not None:
            raise ValueError(
                f"horizon is missing and the episode need not end: the start reaches state {stuck}, from "
                "which this policy leads to no end. Give one, such as horizon=100 or "
                "horizon=GeometricHorizon(0.99)"
            )
    S, A = probs.shape
    start, following = _world(mdp)
    choice = AliasTables(probs, np.arange(S * A).reshape(S, A))
    steps = _Steps(n_episodes, horizon, bool((mdp.ending > 0).any()), rng=rng)
    states, pairs = steps.table(np.int32, S, extra=1), steps.table(np.int32, S * A)

    def batch(lo, hi):
        s = start.draw(np.zeros(hi - lo, dtype=np.int32), rng.random(hi - lo))
        states.room(0)[lo:hi] = s
        going = np.arange(lo, hi)
        times = steps.times()
        for t in times:
            if going.size <= _FEW:
                few(going.tolist(), s.tolist(), itertools.chain([t], times))
                break
            # A slice where all go on: it is written to without a list of places.
            at = slice(lo, hi) if going.size == hi - lo else going
            pair = choice.draw(s, rng.random(s.size))
            s = following.draw(pair, rng.random(s.size))
            pairs.room(t)[at] = pair
            states.room(t + 1)[at] = s
            if steps.may_stop:
                on = (s < S) & steps.continues(going, t + 1)
                if not on.all():
                    going, s = going[on], s[on]
                if not going.size:
                    break

    def few(going, s, times):
        """Walk the few episodes that go on, in plain numbers: the draws are those of `batch`."""
        for t in times:
            pair = [choice.draw_one(*each) for each in zip(s, rng.random(len(s)).tolist(), strict=True)]
            s = [following.draw_one(*each) for each in zip(pair, rng.random(len(s)).tolist(), strict=True)]
            pairs_now, states_next = pairs.room(t), states.room(t + 1)
            for episode, chosen, state in zip(going, pair, s, strict=True):
                pairs_now[episode], states_next[episode] = chosen, state
            if steps.may_stop:
                on = [i for i, state in enumerate(s) if state < S and steps.continues(going[i], t + 1)]
                if not on:
                    break
                if len(on) < len(s):
                    going, s = [going[i] for i in on], [s[i] for i in on]

    done, T = steps.run(batch)
    return FinitePaths(mdp, policy, horizon, states.cut(T + 1, done), pairs.cut(T, done))


def _linear_quadratic(process, policy, n_episodes, horizon, *, rng):
    mdp = process.mdp
    if horizon is None:
        raise ValueError(
            "horizon is missing, and episodes of this problem never end. Give one, such as horizon=100 or "
            f"horizon=GeometricHorizon({mdp.discount:g})"
        )
    gain, std = float(policy.gain), float(policy.std)
    steps = _Steps(n_episodes, horizon, False, rng=rng)
    states, actions = steps.table(np.float64, 0.0, extra=1), steps.table(np.float64, 0.0)

    def batch(lo, hi):
        x = mdp.initial_mean + mdp.initial_std * rng.standard_normal(hi - lo)
        states.room(0)[lo:hi] = x
        going = np.arange(lo, hi)
        for t in steps.times():
            at = slice(lo, hi) if going.size == hi - lo else going
            # u = k x + s z
            u = rng.standard_normal(x.size)
            u *= std
            u += gain * x
            # x' = a x + b u + e
            following = rng.standard_normal(x.size)
            following *= mdp.noise_std
            x = x * mdp.drift
            following += x
            following += mdp.control * u
            x = following
            actions.room(t)[at] = u
            states.room(t + 1)[at] = x
            if steps.may_stop:
                on = steps.continues(going, t + 1)
                if not on.all():
                    going, x = going[on], x[on]
                if not going.size:
                    break

    done, T = steps.run(batch)
    alive = np.broadcast_to(np.arange(T)[:, None] < steps.lengths(done), (T, done))
    return LinearQuadraticPaths(mdp, policy, horizon, states.cut(T + 1, done), actions.cut(T, done), alive)


@lru_cache(maxsize=4)
def _world(mdp):
    """Return the tables of a start and of a next state; the same for all policies, so they are kept."""
    S = mdp.n_states
    # The outcome S is the end of the episode.
    probs, outcomes = _sparse_rows(mdp) if mdp.is_sparse else _dense_rows(mdp)
    start = AliasTables(mdp.initial[None], np.arange(S)[None])
    return start, AliasTables(probs, outcomes)


def _dense_rows(mdp):
    """Return the outcomes of each pair that are possible, and their probabilities, (S*A, K) each."""
    S = mdp.n_states
    probs = np.concatenate([mdp.transition.reshape(-1, S), mdp.ending.reshape(-1, 1)], axis=1)
    K = int((probs > 0).sum(1).max())
    outcomes = np.argsort(probs == 0, axis=1, kind="stable")[:, :K]
    return np.take_along_axis(probs, outcomes, 1), outcomes


def _sparse_rows(mdp):
    rows, S = mdp.transition, mdp.n_states
    n = np.diff(rows.indptr)
    probs, outcomes = np.zeros((n.size, n.max() + 1)), np.full((n.size, n.max() + 1), S)
    row = np.repeat(np.arange(n.size), n)
    column = np.arange(rows.data.size) - np.repeat(rows.indptr[:-1], n)
    probs[row, column], outcomes[row, column] = rows.data, rows.indices
    probs[:, -1] = mdp.ending.ravel()
    return probs, outcomes


class _Steps:
    """How far each episode goes, and the tables that fill up as they go."""

    def __init__(self, n_episodes, horizon, may_end, *, rng):
        _validate.room(f"a number for each of {n_episodes} episodes", 8 * n_episodes)
        self._n_episodes = n_episodes
        self._lengths = None
        if isinstance(horizon, GeometricHorizon):
            self._lengths = horizon.sample(n_episodes, rng=rng)
            horizon = int(self._lengths.max())
        self._limit = horizon
        self.may_stop = may_end or self._lengths is not None
        self._made = 0

    def times(self):
        """Yield t = 0, 1, ... up to the horizon."""
        t = 0
        while t != self._limit:
            if self._limit is None and t == _MOST_STEPS:
                raise ValueError(
                    f"horizon is missing and an episode has made {t} steps without an end, which this policy "
                    "reaches too rarely. Give one, such as horizon=1000 or horizon=GeometricHorizon(0.999)"
                )
            self._made = t + 1
            yield t
            t += 1

    def continues(self, episodes, t):
        """Return whether the horizon lets each of the episodes make step t."""
        return True if self._lengths is None else self._lengths[episodes] > t

    def lengths(self, done):
        """Return how many steps the horizon gives each of the first `done` episodes, (done,) or a number."""
        return self._limit if self._lengths is None else self._lengths[:done]

    def table(self, dtype, empty, extra=0):
        """Return a table with a row for each time, and `extra` rows."""
        known = self._limit is not None and (self._lengths is not None or not self.may_stop)
        rows = self._limit if known else _FIRST_STEPS
        return _Table(rows + extra, self._n_episodes, dtype, empty if self.may_stop else None)

    def run(self, batch):
        """Draw batch by batch; return how many episodes are done, and the steps of the longest."""
        N, done, longest = self._n_episodes, 0, 0
        starts = range(0, N, _BATCH)
        try:
            for lo in progress(starts, len(starts), f"batches of {min(N, _BATCH)} episodes"):
                batch(lo, min(lo + _BATCH, N))
                done, longest = min(lo + _BATCH, N), max(longest, self._made)
        except KeyboardInterrupt:
            if not done:
                raise
            warnings.warn(
                f"interrupted after {done} of {N} episodes; the paths hold those",
                RuntimeWarning,
                stacklevel=4,
            )
        return done, longest


class _Table:
    """Array (time, episode) that gets more rows when a path is longer than all before it."""

    def __init__(self, rows, columns, dtype, empty):
        self._empty = empty
        self._values = self._new(rows, columns, dtype)

    def _new(self, rows, columns, dtype):
        _validate.room(f"{rows} steps of {columns} episodes", rows * columns * np.dtype(dtype).itemsize)
        if self._empty is None:
            return np.empty((rows, columns), dtype)
        return np.full((rows, columns), self._empty, dtype)

    def room(self, t):
        """Return the row of time t."""
        if t >= len(self._values):
            old = self._values
            self._values = self._new(2 * len(old), old.shape[1], old.dtype)
            self._values[: len(old)] = old
        return self._values[t]

    def cut(self, rows, columns):
        """Return what was filled, read-only."""
        return _validate.read_only(self._values[:rows, :columns])
