"""Work for the tests of studies: functions of a module of its own, which other processes load quickly."""

from __future__ import annotations

import os
import time

import numpy as np

from pgtlab import rollout
from pgtlab.gallery import two_states


def mean_return(stay, n_episodes, *, rng):
    """Return the mean return of sampled episodes, and one number that was drawn after them."""
    mdp, policy = two_states(stay)
    paths = rollout(mdp, policy, n_episodes=n_episodes, horizon=20, rng=rng)
    return np.array([paths.returns.mean(), rng.random()])


def slow_first(k, *, rng):
    """Return k and a draw; the smaller k is, the longer it takes."""
    time.sleep(0.05 * (3 - k))
    return k, rng.random()


def inverse(n, *, rng):
    """Return 1 / n."""
    return 1 / n


def named_like_the_executors_own(key, workers, fn, task, *, rng):
    """Return its settings, whose names executors use themselves."""
    return key, workers, fn, task


def process(*, rng):
    """Return the number of the process that works."""
    return os.getpid()


def interrupted(n, *, rng):
    """Return n, or behave as if somebody had pressed Ctrl-C while n is 2."""
    if n == 2:
        raise KeyboardInterrupt
    return n


def rejected(n, *, rng):
    """Return n, or raise an error that takes more than a message."""
    if n == 1:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")
    return n


def not_for_sending(*, rng):
    """Return what cannot be pickled."""
    return lambda: None
