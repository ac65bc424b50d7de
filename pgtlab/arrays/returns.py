"""Owns returns and advantages on plain arrays: discounted, by lambda, by temporal differences."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.arrays.recursions import along_time, flags, like, one_step_errors, summed


def discounted_returns(rewards, discount, *, ends=None):
    r"""Returns from each step on, :math:`G_t = r_t + \gamma G_{t+1}`.

    Parameters
    ----------
    rewards : array_like, shape (T,) or (T, N)
        :math:`r_t`; further axes may follow.
    discount : float
        :math:`\gamma` in [0, 1].
    ends : array_like of bool, optional
        Of the shape of `rewards`: True at the last step of an episode, however it ended. Without it each
        column is one episode.

    Returns
    -------
    ndarray
        Of the shape of `rewards`, in float64. Nothing is put in for what a cut-off episode would have earned:
        `lambda_returns` at :math:`\lambda = 1` does that.

    Raises
    ------
    ValueError
        If a number is out of its range or not finite, or shapes differ.
    TypeError
        If an argument is of the wrong type.

    References
    ----------
    S20 (20.1). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 3.3.

    Examples
    --------
    >>> discounted_returns([1.0, 2.0, 4.0], 0.5)
    array([3., 4., 4.])

    Two episodes one after the other:

    >>> discounted_returns([1.0, 2.0, 4.0], 0.5, ends=[False, True, False])
    array([2., 2., 4.])
    """
    rewards, gamma = _rewards(rewards), _validate.discount(discount)
    return _sums("the return", rewards, gamma, flags("ends", ends, rewards.shape))


def td_errors(rewards, values, next_values, discount, *, terminated=None):
    r"""Temporal-difference errors, :math:`\delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)`.

    Parameters
    ----------
    rewards : array_like, shape (T,) or (T, N)
        :math:`r_t`; further axes may follow.
    values, next_values : array_like
        Of the shape of `rewards`: :math:`V(s_t)`, and V of the state to which step t led, before any new
        episode begins. For one episode in each column they are ``V[:-1]`` and ``V[1:]``.
    discount : float
        :math:`\gamma` in [0, 1].
    terminated : array_like of bool, optional
        Of the shape of `rewards`: where the episode ended, so that the next value counts 0. Where it was only
        cut off the next value counts.

    Returns
    -------
    ndarray
        Of the shape of `rewards`, in float64.

    Raises
    ------
    ValueError
        If a number is out of its range or not finite, or shapes differ.
    TypeError
        If an argument is of the wrong type.

    References
    ----------
    (20.2). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 6.1.

    Examples
    --------
    The second step ends the episode; what a table holds for the state after it does not count.

    >>> td_errors([0.0, 10.0], [5.0, 9.0], [9.0, 7.0], 0.9, terminated=[False, True]).round(9)
    array([3.1, 1. ])
    """
    rewards, gamma = _rewards(rewards), _validate.discount(discount)
    values, following = _values(rewards, values), _following(rewards, next_values, terminated)
    return one_step_errors(rewards, values, following, gamma)


def gae(rewards, values, next_values, discount, lam, *, terminated=None, truncated=None):
    r"""Generalised advantage estimates, :math:`A_t = \delta_t + \gamma \lambda A_{t+1}`.

    Parameters
    ----------
    rewards : array_like, shape (T,) or (T, N)
        :math:`r_t`; further axes may follow.
    values, next_values : array_like
        Of the shape of `rewards`: :math:`V(s_t)`, and V of the state to which step t led, before any new
        episode begins.
    discount, lam : float
        :math:`\gamma` and :math:`\lambda` in [0, 1].
    terminated, truncated : array_like of bool, optional
        Of the shape of `rewards`: where the episode ended, and where it was cut off. The sum stops at both.
        At the end the next value counts 0; where it was cut off, and at the last row, it stands for what is
        to come.

    Returns
    -------
    ndarray
        Of the shape of `rewards`, in float64.

    Raises
    ------
    ValueError
        If a number is out of its range or not finite, or shapes differ.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    The factor :math:`\gamma^t` of (20.1) is not in it, as usual in practice; the signal `GAE` has it.

    References
    ----------
    (20.2). J. Schulman, P. Moritz, S. Levine, M. Jordan and P. Abbeel, "High-dimensional continuous control
    using generalized advantage estimation", 2016.

    Examples
    --------
    The errors are 3.1 and 1, and 3.1 + 0.9 * 0.5 * 1 is 3.55.

    >>> gae([0.0, 10.0], [5.0, 9.0], [9.0, 7.0], 0.9, 0.5, terminated=[False, True]).round(9)
    array([3.55, 1.  ])
    """
    rewards, gamma, lam = _rewards(rewards), _validate.discount(discount), _lam(lam)
    values, following = _values(rewards, values), _following(rewards, next_values, terminated)
    errors = one_step_errors(rewards, values, following, gamma)
    return _sums("the advantage", errors, gamma * lam, _stops(rewards, terminated, truncated))


def lambda_returns(rewards, next_values, discount, lam, *, terminated=None, truncated=None):
    r"""Returns that trust the next value by :math:`1 - \lambda`, and what was seen later by :math:`\lambda`.

    .. math:: G_t = r_t + \gamma \big( (1 - \lambda) V(s_{t+1}) + \lambda G_{t+1} \big)

    Parameters
    ----------
    rewards : array_like, shape (T,) or (T, N)
        :math:`r_t`; further axes may follow.
    next_values : array_like
        Of the shape of `rewards`: V of the state to which step t led, before any new episode begins.
    discount, lam : float
        :math:`\gamma` and :math:`\lambda` in [0, 1].
    terminated, truncated : array_like of bool, optional
        Of the shape of `rewards`: where the episode ended, and where it was cut off. Nothing comes after the
        end. Where it was cut off, and at the last row, :math:`G_{t+1}` is the next value.

    Returns
    -------
    ndarray
        Of the shape of `rewards`, in float64. With :math:`\lambda = 0` targets of one step, with
        :math:`\lambda = 1` returns to go, and the next value where they are cut off.

    Raises
    ------
    ValueError
        If a number is out of its range or not finite, or shapes differ.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Less :math:`V(s_t)` they are the advantages of `gae`, if the next value is that of the next row while an
    episode goes on.

    References
    ----------
    R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 12.1.

    Examples
    --------
    Cut off after two steps, the second return is 10 + 0.9 * 7, and the first 0.9 (9 + 16.3) / 2.

    >>> lambda_returns([0.0, 10.0], [9.0, 7.0], 0.9, 0.5).round(9)
    array([11.385, 16.3  ])
    """
    rewards, gamma, lam = _rewards(rewards), _validate.discount(discount), _lam(lam)
    following, stops = _following(rewards, next_values, terminated), _stops(rewards, terminated, truncated)
    # Where the sum stops the next value stands for all that is to come, and else for 1 - lambda of it.
    share = np.where(stops, 1.0, 1 - lam)
    return _sums("the return", rewards + gamma * share * following, gamma * lam, stops)


def _sums(name, terms, decay, ends):
    """Return the sums along time; raise ValueError for one that is too large for a float."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = summed(terms, decay, ends)
    _validate.finite(f"{name} at time and episode ", found)
    return found


def _rewards(rewards):
    return along_time("rewards", rewards)


def _values(rewards, values):
    return like("values", values, rewards)


def _following(rewards, next_values, terminated):
    """Return what the next values count."""
    return np.where(
        flags("terminated", terminated, rewards.shape), 0.0, like("next_values", next_values, rewards)
    )


def _stops(rewards, terminated, truncated):
    """Return where nothing of the next row belongs to a sum: the last row has none."""
    stops = flags("terminated", terminated, rewards.shape) | flags("truncated", truncated, rewards.shape)
    stops[-1:] = True
    return stops


def _lam(lam):
    return _validate.in_unit_interval("lam", lam)
