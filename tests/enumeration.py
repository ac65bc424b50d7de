"""All paths in place of a sample: what an estimate is on average, and how much it varies, without chance."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.testing import assert_allclose
from scipy.special import stdtrit

from pgtlab.mdp import FiniteMDP
from pgtlab.rollouts import FinitePaths, LinearQuadraticPaths
from tests import routes

#: A mean that is off by this many standard errors is missed with a chance below 1e-6: it is found if the
#: error is beyond the quantile of 1e-6, about 5.1 of them; a deviation of the other 4.9 has a chance of 5e-7.
SEEN = 10.0


def quantile(estimated):
    """Return how many standard errors all components stay within, but for a chance of FALSE_ALARM."""
    components = np.size(estimated.mean)
    return stdtrit(estimated.degrees_of_freedom, 1 - routes.FALSE_ALARM / (2 * components))


def off(estimated, expected):
    """Return the largest error of an estimate, as a share of what it may be."""
    return (np.abs(estimated.mean - expected) / estimated.standard_error).max() / quantile(estimated)


def record(mdp, policy, paths, horizon):
    """Return the record of given paths, each a list of (state, action) and the state after, or None."""
    S, A = mdp.reward.shape
    T = max(len(path) for path, _ in paths)
    states, pairs = np.full((T + 1, len(paths)), S, np.int32), np.full((T, len(paths)), S * A, np.int32)
    for n, (path, after) in enumerate(paths):
        for t, (s, a) in enumerate(path):
            states[t, n], pairs[t, n] = s, s * A + a
        states[len(path), n] = S if after is None else after
    return FinitePaths(mdp, policy, horizon, states, pairs)


def all_paths(mdp, probs, T):
    """Yield (probability, (path, state after or None)) of every path of at most T steps."""
    A = mdp.n_actions
    ending = np.array(mdp.ending)

    def onwards(probability, before, s):
        for a in range(A):
            path, here = [*before, (s, a)], probability * probs[s, a]
            if ending[s, a] > 0:
                yield here * ending[s, a], (path, None)
            for p in np.flatnonzero(mdp.transition[s, a]):
                on = here * mdp.transition[s, a, p]
                if len(path) == T:
                    yield on, (path, int(p))
                else:
                    yield from onwards(on, path, int(p))

    for s in np.flatnonzero(mdp.initial):
        yield from onwards(mdp.initial[s], [], int(s))


def cut_at_random(mdp, probs, T, q):
    """Yield (probability, (path, state after or None)) of every path that a geometric horizon may leave.

    The problem must end within T steps.
    """
    for length in range(1, T + 1):
        # Pr(H = h) = (1 - q) q^(h - 1): a path that is still going after h steps is cut there.
        for probability, (path, after) in all_paths(mdp, probs, length):
            if len(path) == length:
                cut = 1 - q if after is not None else 1.0
                yield probability * q ** (length - 1) * cut, (path, after)


def gathered(mdp, policy, weighted_paths, horizon):
    """Return probabilities (N,) and the record of the paths."""
    probabilities, paths = zip(*weighted_paths, strict=True)
    assert_allclose(math.fsum(probabilities), 1, rtol=1e-12)
    return np.array(probabilities), record(mdp, policy, paths, horizon)


def score_sums(paths, factors):
    """Return the sum of score times factor for each episode, (N, K), by loops."""
    sums = np.zeros((paths.n_episodes, paths.policy.parameters.size))
    states, actions, alive = paths.states, paths.actions, paths.alive
    scores = paths.policy.scores() if isinstance(paths, FinitePaths) else None
    for t in range(paths.n_steps):
        for n in np.flatnonzero(alive[t]):
            s, a = states[t, n], actions[t, n]
            sums[n] += factors[t, n] * (paths.policy.score(s, a) if scores is None else scores[s, a])
    return sums


def gaussian_paths(mdp, policy, T, n_nodes=4):
    """Return weights (N,) and paths that replace all Gaussians by quadrature nodes.

    Exact for polynomials of degree 2 n_nodes - 1 in the start and in each of the 2 T noises.
    """
    nodes, masses = hermegauss(n_nodes)
    masses = masses / math.sqrt(2 * math.pi)
    noise = np.array(list(itertools.product(nodes, repeat=2 * T + 1))).T
    weights = np.prod(list(itertools.product(masses, repeat=2 * T + 1)), axis=1)
    states, actions = np.empty((T + 1, len(weights))), np.empty((T, len(weights)))
    states[0] = mdp.initial_mean + mdp.initial_std * noise[0]
    for t in range(T):
        actions[t] = policy.gain * states[t] + policy.std * noise[2 * t + 1]
        states[t + 1] = mdp.drift * states[t] + mdp.control * actions[t] + mdp.noise_std * noise[2 * t + 2]
    alive = np.ones(actions.shape, dtype=bool)
    return weights, LinearQuadraticPaths(mdp, policy, T, states, actions, alive)


def truncated_return(mdp, policy, T):
    """Return J cut off after T steps: sum_t gamma^t E r_t."""
    if isinstance(mdp, FiniteMDP):
        P, r = routes.mixed(mdp, policy.probs())
        here, total = np.array(mdp.initial), 0.0
        for t in range(T):
            total += mdp.discount**t * here @ r
            here = here @ P
        return total
    k, s = float(policy.gain), float(policy.std)
    c, w = mdp.drift + mdp.control * k, (mdp.control * s) ** 2 + mdp.noise_std**2
    moment, total = mdp.initial_mean**2 + mdp.initial_std**2, 0.0
    for t in range(T):
        total -= mdp.discount**t * (
            (mdp.state_cost + mdp.action_cost * k**2) * moment + mdp.action_cost * s**2
        )
        moment = c**2 * moment + w
    return total


def moments(chances, sums):
    """Return mean and standard deviation of the sum over a path."""
    mean = chances @ sums
    return mean, np.sqrt(chances @ (sums - mean) ** 2)
