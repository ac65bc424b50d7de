r"""Owns the exact means of the estimates.

Every signal is, given :math:`s_t` and :math:`a_t`, on average :math:`\gamma^t x(s_t, a_t)` with

.. math:: x(s, a) = b(s, a) + \gamma \kappa \sum_{s'} P^a_{s,s'} \sum_{a'} \pi(s', a') x(s', a')

for some base b and some decay :math:`\kappa` in [0, 1], up to a function of the state, which the mean of the
score takes away (20.3). Under a horizon of T steps x depends on how many of them are left.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

import numpy as np

from pgtlab import _validate
from pgtlab.exact.chains import chain
from pgtlab.exact.values import Quadratic, advantages
from pgtlab.exact.visits import state_visitation
from pgtlab.features.domains import pairs, states
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP, not_a_problem
from pgtlab.rollouts.horizon import checked


@singledispatch
def rewards(mdp):
    """Return the rewards R(s, a): an array (S, A), or the matrix of a quadratic form in (x, u)."""
    raise not_a_problem(mdp)


@rewards.register
def _(mdp: FiniteMDP):
    return mdp.reward


@rewards.register
def _(mdp: LinearQuadraticMDP):
    return -np.diag([mdp.state_cost, mdp.action_cost])


@singledispatch
def values_of_pairs(mdp, name, values):
    """Return action values in the form of `rewards`."""
    raise not_a_problem(mdp)


@values_of_pairs.register
def _(mdp: FiniteMDP, name, values):
    return pairs(mdp).table(name, values)


@values_of_pairs.register
def _(mdp: LinearQuadraticMDP, name, values):
    return _matrix(name, values, 2)


@singledispatch
def td_errors(mdp, name, values):
    """Return the mean TD error R(s, a) + gamma E V(s') - V(s) in the form of `rewards`."""
    raise not_a_problem(mdp)


@td_errors.register
def _(mdp: FiniteMDP, name, values):
    V = states(mdp).table(name, values)
    missing = np.isnan(V)
    known = np.where(missing, 0.0, V)
    delta = mdp.reward + mdp.discount * mdp.next_values(known) - known[:, None]
    # No value here, or after some next state.
    lost = missing[:, None] | (mdp.next_values(missing.astype(float)) > 0)
    return np.where(lost, np.nan, delta)


@td_errors.register
def _(mdp: LinearQuadraticMDP, name, values):
    curvature = _matrix(name, values, 1)[0, 0]
    # gamma p (a x + b u)^2 - p x^2, and constants that the mean of the score takes away
    return rewards(mdp) + curvature * (mdp.discount * _next_square(mdp) - np.diag([1.0, 0.0]))


@singledispatch
def mean_of_estimate(mdp, policy, base, decay, horizon):
    """Return the mean of the sum over t of gamma^t SC_t x(s_t, a_t), shape (K,)."""
    raise not_a_problem(mdp)


@mean_of_estimate.register
def _(mdp: FiniteMDP, policy, base, decay, horizon):
    process, T = chain(mdp, policy), _steps(horizon)
    probs = process.probs
    if probs.ndim > 2:
        raise ValueError(f"policy is a batch of shape {probs.shape[:-2]}; expected one policy")
    if T is None:
        process.check_slope()
    visits = [state_visitation(mdp, policy)] if T is None else _visits(process, T)
    _check_known(base, probs, visits)
    base = np.where(np.isnan(base), 0.0, base)
    if decay == 0:
        return policy.score_sum(sum(visits)[:, None] * probs * base)
    if T is None:
        # x but for what depends on the state alone, which the scores do not see
        x = advantages(replace(mdp, reward=base, discount=mdp.discount * decay), policy)
        taken = visits[0][:, None] * probs
        # What is never done has no say; at discount 1 its x need not exist.
        return policy.score_sum(taken * np.where(taken > 0, x, 0.0))
    total, onward = np.zeros_like(base), np.zeros(mdp.n_states)
    for visit in reversed(visits):
        x = base + mdp.discount * decay * mdp.next_values(onward)
        onward = (probs * x).sum(-1)
        total += visit[:, None] * probs * x
    return policy.score_sum(total)


@mean_of_estimate.register
def _(mdp: LinearQuadraticMDP, policy, base, decay, horizon):
    process, T = chain(mdp, policy), _steps(horizon)
    if process.drift.ndim:
        raise ValueError(f"policy is a batch of shape {process.drift.shape}; expected one policy")
    gamma, c, k, variance = mdp.discount, process.drift, policy.gain, policy.std**2
    # The mean of a form in (x, u) over u ~ N(k x, s^2) has the curvature H_xx + 2 k H_xu + k^2 H_uu in x.
    along = np.array([1.0, k])

    def of_one_step(H, second_moment, mass):
        # With u = k x + s z: E[(z x / s) form] = 2 (H_xu + k H_uu) x^2 and E[(z^2 - 1) form] = 2 s^2 H_uu.
        return np.array([2 * (H[0, 1] + k * H[1, 1]) * second_moment, 2 * variance * H[1, 1] * mass])

    if T is None:
        rho = state_visitation(mdp, policy)
        second_moment = rho.second_moment
        # p = (curvature of the base) + gamma kappa c^2 p
        p = along @ base @ along / (1 - gamma * decay * c**2)
        return of_one_step(base + gamma * decay * p * _next_square(mdp), second_moment, rho.mass)
    moments = [mdp.initial_mean**2 + mdp.initial_std**2]
    for _ in range(T - 1):
        moments.append(c**2 * moments[-1] + process.noise_variance)
    total, p = np.zeros(2), 0.0
    for t in reversed(range(T)):
        H = base + gamma * decay * p * _next_square(mdp)
        p = along @ H @ along
        total += gamma**t * of_one_step(H, moments[t], 1.0)
    return total


def _steps(horizon):
    """Return the number of steps of every path, or None if nothing is left out on average."""
    horizon = checked(horizon)
    return horizon if isinstance(horizon, int) else None


def _visits(process, T):
    """Return the state distributions of steps 0 to T - 1, each times gamma^t."""
    step, visits = process.transition, [process.mdp.initial]
    for _ in range(T - 1):
        visits.append(process.mdp.discount * (visits[-1] @ step))
    return visits


def _check_known(base, probs, visits):
    if np.isnan(base).any():
        at = _validate.first(np.isnan(base) & (probs > 0) & (sum(visits) > 0)[:, None])
        if at is not None:
            raise ValueError(
                f"the signal is NaN for action {at[1]} in state {at[0]}, which the policy reaches; "
                "expected a number"
            )


def _next_square(mdp):
    """Return the matrix of (a x + b u)^2."""
    return np.outer([mdp.drift, mdp.control], [mdp.drift, mdp.control])


def _matrix(name, values, n):
    """Return the matrix (n, n) of a quadratic function; raise for anything else."""
    _validate.instance(name, values, Quadratic)
    _validate.shape(f"{name}.matrix", values.matrix, (n, n), "for a linear-quadratic problem")
    return values.matrix
