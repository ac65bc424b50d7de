"""Sampled paths and gradients, against the random numbers they need, and against Gymnasium.

What a step cannot do without are two uniforms, one for the action and one for the next state; in the
linear-quadratic problem two normals. They are drawn in rows of as many episodes as `rollout` takes at a time.
"""

from __future__ import annotations

import bisect
import time
from functools import partial

import gymnasium
import numpy as np
from gymnasium.envs.toy_text.utils import categorical_sample
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import pgtlab
from benchmarks import harness
from benchmarks.harness import Case
from pgtlab import gallery
from pgtlab.estimators import ReturnToGo, reinforce, return_estimate
from pgtlab.rollouts import rollout

EPISODES = 8192
STEPS = 100
ACTIONS = 4
BRANCHING = 4
DISCOUNT = 0.95

#: Copies of the environment that Gymnasium steps through, and the steps of one run.
COPIES, COPIES_STEPS = 64, 100

#: A sampled mean may be off by so many standard errors.
STANDARD_ERRORS = 6


def two_uniforms(rng):
    """The base of a finite rollout."""
    for _ in range(2 * STEPS):
        rng.random(EPISODES)


def two_normals(rng):
    """The base of a linear-quadratic rollout."""
    for _ in range(2 * STEPS):
        rng.standard_normal(EPISODES)


def paths(mdp, policy, rng):
    """The paths alone."""
    return rollout(mdp, policy, n_episodes=EPISODES, horizon=STEPS, rng=rng)


def gradient(mdp, policy, rng):
    """The paths, and the gradient by the return to go with its standard error."""
    return reinforce(mdp, policy, n_episodes=EPISODES, horizon=STEPS, rng=rng)


class TableEnvironment(gymnasium.Env):
    """The same finite problem, written as Gymnasium's own tables are: lists of outcomes, drawn its way."""

    def __init__(self, mdp):
        S, A = mdp.reward.shape
        self.observation_space = gymnasium.spaces.Discrete(S)
        self.action_space = gymnasium.spaces.Discrete(A)
        self._initial = mdp.initial
        self._table = {
            (s, a): [
                (mdp.transition[s, a, p], int(p), float(mdp.reward[s, a]))
                for p in np.flatnonzero(mdp.transition[s, a])
            ]
            for s in range(S)
            for a in range(A)
        }

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._state = int(categorical_sample(self._initial, self.np_random))
        return self._state, {}

    def step(self, action):
        outcomes = self._table[self._state, int(action)]
        chosen = categorical_sample([probability for probability, _, _ in outcomes], self.np_random)
        _, self._state, reward = outcomes[chosen]
        return self._state, reward, False, False, {}


class SummedEnvironment(TableEnvironment):
    """The same in the fastest way known to us: sums of each row made beforehand, one look-up a step."""

    def __init__(self, mdp):
        super().__init__(mdp)
        self._rewards = mdp.reward.tolist()
        # The last sum may be rounded to less than a uniform number.
        self._sums = [[row[:-1] for row in rows] for rows in mdp.transition.cumsum(-1).tolist()]

    def step(self, action):
        s, a = self._state, int(action)
        self._state = bisect.bisect_right(self._sums[s][a], self.np_random.random())
        return self._state, self._rewards[s][a], False, False, {}


def through_gymnasium(environments, policy, rng):
    """Step all copies along and return seconds a step, and the discounted return of each copy."""
    start = time.perf_counter()
    states, _ = environments.reset(seed=int(rng.integers(2**31)))
    returns, weight = np.zeros(COPIES), 1.0
    for _ in range(COPIES_STEPS):
        states, rewards, _, _, _ = environments.step(policy.sample(states, rng=rng))
        returns += weight * rewards
        weight *= DISCOUNT
    return (time.perf_counter() - start) / (COPIES * COPIES_STEPS), returns


def seconds_in_gymnasium(environments, policy, rng):
    """Return the seconds that one step in Gymnasium takes."""
    return through_gymnasium(environments, policy, rng)[0]


def seconds_a_step(mdp, policy, rng):
    """Return the seconds that one step of `paths` takes."""
    start = time.perf_counter()
    paths(mdp, policy, rng)
    return (time.perf_counter() - start) / (EPISODES * STEPS)


def check(mdp, policy, rng):
    """Raise AssertionError unless sampled returns and gradients have their exact means."""
    sampled = return_estimate(paths(mdp, policy, rng))
    within("returns", sampled.mean, sampled.standard_error, truncated_return(mdp, policy))
    sampled = gradient(mdp, policy, rng)
    exact = ReturnToGo().expectation(mdp, policy, STEPS)
    within("gradient", sampled.mean, sampled.standard_error, exact)


def truncated_return(mdp, policy):
    """Return J less what follows after the horizon: the value of the state there, discounted."""
    if isinstance(mdp, pgtlab.FiniteMDP):
        later = mdp.initial @ pgtlab.transition_probabilities(mdp, policy, STEPS)
        rest = later @ pgtlab.state_values(mdp, policy)
    else:
        process, V = pgtlab.chain(mdp, policy), pgtlab.state_values(mdp, policy)
        mean = process.drift**STEPS * mdp.initial_mean
        variance = process.state_variance(mdp.initial_std**2, STEPS)
        # V is linear in x^2.
        rest = V(np.sqrt(mean**2 + variance))
    return pgtlab.expected_return(mdp, policy) - mdp.discount**STEPS * rest


def within(name, mean, error, exact):
    """Raise AssertionError unless a sampled mean is close to the exact one."""
    gap = np.abs(mean - exact)
    if not (gap < STANDARD_ERRORS * error).all():
        raise AssertionError(f"{name}: {mean} is {np.max(gap / error):.2g} standard errors from {exact}")


def finite_tables(S, rounds, rng):
    """Check and measure paths, and paths with their gradient, for S states."""
    mdp, policy = gallery.garnet(S, ACTIONS, BRANCHING, discount=DISCOUNT, rng=rng)
    check(mdp, policy, rng)
    size = f"S={S}, A={ACTIONS}, {EPISODES} episodes of {STEPS} steps"

    def fresh():
        return mdp, policy, rng

    return [
        harness.measure(
            f"Paths: {size}",
            [
                Case("two uniforms a step", two_uniforms, lambda: (rng,)),
                Case("rollout", paths, fresh, aim=("at most", 5)),
            ],
            rounds=rounds,
        ),
        harness.measure(
            f"Gradient with standard error: {size}",
            [
                Case("rollout", paths, fresh),
                Case("reinforce", gradient, fresh, aim=("at most", 2.5)),
            ],
            rounds=rounds,
        ),
    ]


def linear_quadratic_table(rounds, rng):
    """Check and measure the linear-quadratic problem."""
    mdp, policy = gallery.linear_quadratic(discount=DISCOUNT)
    check(mdp, policy, rng)

    def fresh():
        return mdp, policy, rng

    return harness.measure(
        f"Linear-quadratic problem: {EPISODES} episodes of {STEPS} steps",
        [
            Case("two normals a step", two_normals, lambda: (rng,)),
            Case("rollout", paths, fresh, aim=("at most", 1.7)),
            Case("reinforce", gradient, fresh, aim=("at most", 2.2)),
        ],
        rounds=rounds,
    )


def gymnasium_table(S, rounds, rng):
    """Check and measure one step of Gymnasium's vector of environments against one of ours."""
    mdp, policy = gallery.garnet(S, ACTIONS, BRANCHING, discount=DISCOUNT, rng=rng)
    check(mdp, policy, rng)
    cases = [Case("rollout", seconds_a_step, lambda: (mdp, policy, rng), seconds=True)]
    rivals = {
        "SyncVectorEnv, environment with a table": (TableEnvironment, ("at least", 300)),
        "SyncVectorEnv, environment with sums": (SummedEnvironment, None),
    }
    for name, (kind, aim) in rivals.items():
        environments = SyncVectorEnv([partial(kind, mdp)] * COPIES, autoreset_mode=AutoresetMode.DISABLED)
        returns = np.concatenate([through_gymnasium(environments, policy, rng)[1] for _ in range(10)])
        error = returns.std(ddof=1) / np.sqrt(returns.size)
        within(f"returns in {kind.__name__}", returns.mean(), error, truncated_return(mdp, policy))
        run = partial(seconds_in_gymnasium, environments, policy, rng)
        cases.append(Case(name, run, seconds=True, aim=aim))
    title = f"One step: S={S}, A={ACTIONS}; Gymnasium {gymnasium.__version__}, {COPIES} copies"
    return harness.measure(title, cases, rounds=rounds, number=3)


def main(options):
    """Measure paths and gradients of both problems, and Gymnasium on the finite one."""
    rng = np.random.default_rng(4)
    tables = [table for S in (16, 100) for table in finite_tables(S, options.rounds, rng)]
    tables.append(linear_quadratic_table(options.rounds, rng))
    tables.append(gymnasium_table(16, options.rounds, rng))
    return tables
