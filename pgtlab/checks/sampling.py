"""Owns the check that a policy draws its actions as it says."""

from __future__ import annotations

import math

import numpy as np

from pgtlab import _validate
from pgtlab.checks import fold
from pgtlab.checks.looking import Finite, look, parameters, require


def sound_sampling(policy, *, states=None, n_draws=100_000, false_alarm=1e-6, rng):
    r"""Check that a policy draws its actions with the probabilities that it states.

    Parameters
    ----------
    policy : object
        As for `sound_policy`, with ``sample(state, *, rng)``.
    states : array_like, shape (N,), optional
        For a policy on the real line, the states in which it is looked at.
    n_draws : int
        Number of actions drawn in each state.
    false_alarm : float
        Chance that the check fails although the policy is sound, in (0, 0.5).
    rng : numpy.random.Generator

    Raises
    ------
    AssertionError
        If frequencies are further from the probabilities than chance explains, or an action is no action.
    TypeError
        If an attribute is missing or `rng` is not a generator.
    ValueError
        If `n_draws` or `false_alarm` is out of range.

    Notes
    -----
    Bernstein's inequality for each finite action, the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart
    for the distribution function of a continuous one; the false alarm is shared out evenly. With the default
    number of draws, a probability near 1/2 that is off by 0.02 is seen, but for a chance of less than 1e-6.

    References
    ----------
    S. Boucheron, G. Lugosi and P. Massart, *Concentration Inequalities*, 2013, section 2.7.

    Examples
    --------
    >>> from pgtlab import SoftmaxPolicy
    >>> sound_sampling(SoftmaxPolicy.tabular([[0.0, 1.0]]), rng=np.random.default_rng(0))
    draws  100000 in each state (of 1), as often as the probabilities say
    """
    _validate.generator(rng)
    n_draws = _validate.count("n_draws", n_draws, 1, 10**9)
    false_alarm = _validate.chance("false_alarm", false_alarm)
    require(policy, ("sample",))
    parameters(policy)
    view = look(policy, states)
    check = _check_finite if isinstance(view, Finite) else _check_continuous
    n_states = check(view, policy, n_draws, false_alarm, rng=rng)
    draws = f"{n_draws} in each state (of {n_states}), as often as the probabilities say"
    fold.show(f"sound draws: {draws}", f"draws  {draws}")


def _check_finite(view, policy, n_draws, false_alarm, *, rng):
    probs = view.probabilities(policy)
    S, A = probs.shape
    tail = math.log(2 * S * A / false_alarm) / n_draws
    for s in range(S):
        drawn = np.asarray(policy.sample(np.full(n_draws, s), rng=rng))
        if drawn.shape != (n_draws,) or drawn.dtype.kind not in "iu":
            raise AssertionError(
                f"sample of {n_draws} states has shape {drawn.shape} and dtype {drawn.dtype}; expected "
                f"({n_draws},) and integers, an action for each state"
            )
        if drawn.min() < 0 or drawn.max() >= A:
            raise AssertionError(
                f"in state {s} actions from {drawn.min()} to {drawn.max()} are drawn; expected 0 to {A - 1}"
            )
        share = np.bincount(drawn, minlength=A) / n_draws
        # Bernstein: Pr(|share - p| > e) <= 2 exp(-n e^2 / (2 p (1 - p) + 2 e / 3))
        allowed = tail / 3 + np.sqrt(tail**2 / 9 + 2 * probs[s] * (1 - probs[s]) * tail)
        # What has probability 0 is never drawn.
        allowed[probs[s] == 0] = 0.0
        gap = np.abs(share - probs[s])
        a = int(np.argmax(gap - allowed))
        if not gap[a] <= allowed[a]:
            raise AssertionError(
                f"in state {s} action {a} is drawn with frequency {share[a]:.4g} but has probability "
                f"{probs[s, a]:.4g}: they differ by {gap[a]:.3g}, and chance explains {allowed[a]:.3g}. "
                "Likely cause: the probabilities of another state, or the action beside"
            )
    return S


def _check_continuous(view, policy, n_draws, false_alarm, *, rng):
    weights = view.probabilities(policy)
    # Massart: Pr(sup |share - F| > e) <= 2 exp(-2 n e^2)
    allowed = math.sqrt(math.log(2 * len(weights) / false_alarm) / (2 * n_draws))
    for x, actions, weight in zip(view.states[:, 0], view.actions, weights, strict=True):
        drawn = _validate.numbers("sample", policy.sample(np.full(n_draws, x), rng=rng))
        if drawn.shape != (n_draws,) or not np.isfinite(drawn).all():
            raise AssertionError(
                f"sample of {n_draws} states has shape {drawn.shape}; expected ({n_draws},), a finite action "
                "for each state"
            )
        share = np.searchsorted(np.sort(drawn), actions) / n_draws
        # Half of the stretch that an action stands for lies below it.
        stated = weight.cumsum() - weight / 2
        gap = np.abs(share - stated)
        i = int(np.argmax(gap))
        if not gap[i] <= allowed:
            raise AssertionError(
                f"in state {x:g} an action below {actions[i]:.4g} is drawn with frequency {share[i]:.4g} but "
                f"has probability {stated[i]:.4g}: they differ by {gap[i]:.3g}, and chance explains "
                f"{allowed:.3g}. Likely cause: another mean, or the variance for the standard deviation"
            )
    return len(weights)
