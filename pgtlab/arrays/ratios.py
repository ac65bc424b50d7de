"""Owns importance ratios on plain arrays: how much likelier one policy makes what another one did."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.arrays.recursions import flags, summed


def importance_ratios(log_probs, behaviour_log_probs, *, ends=None):
    r"""Importance ratios of the actions taken so far, :math:`\prod_{j \le t} \pi(a_j | s_j) / b(a_j | s_j)`.

    The product begins anew with each episode. Of a single step the ratio is
    ``np.exp(log_probs - behaviour_log_probs)``.

    Parameters
    ----------
    log_probs : array_like, shape (T,) or (T, N)
        Logarithms of the probabilities, or densities, that the policy :math:`\pi` gives to the actions taken;
        minus infinity for what it never does. Further axes may follow.
    behaviour_log_probs : array_like
        Of the same shape: of the policy b that took them.
    ends : array_like of bool, optional
        Of the same shape: True at the last step of an episode. Without it each column is one episode.

    Returns
    -------
    ndarray
        Of the same shape, in float64. The mean under b of the ratio times :math:`r_t` is that of
        :math:`r_t` under :math:`\pi`.

    Raises
    ------
    ValueError
        If shapes differ, a logarithm is NaN or plus infinity, b did what it never does, or a ratio is too
        large for a float.
    TypeError
        If an argument is of the wrong type.

    References
    ----------
    R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, sections 5.5 and 5.9.

    Examples
    --------
    Twice what the other did half of the time is done always:

    >>> importance_ratios(np.log([1.0, 1.0]), np.log([0.5, 0.5])).round(9)
    array([2., 4.])
    """
    logs, behaviour = (
        _validate.numbers(name, values, "an array of numbers, time first")
        for name, values in (("log_probs", log_probs), ("behaviour_log_probs", behaviour_log_probs))
    )
    if not logs.ndim:
        raise ValueError(f"log_probs has shape {logs.shape}; expected (T, ...), time first")
    _validate.shape("behaviour_log_probs", behaviour, logs.shape, "as log_probs")
    _validate.finite("log_probs", np.where(logs == -np.inf, 0.0, logs))
    _validate.finite("behaviour_log_probs", behaviour)
    ends = flags("ends", ends, logs.shape)
    # Backwards in time each sum ends at the first step of an episode, the one after the end of another.
    starts = np.concatenate([np.zeros_like(ends[:1]), ends[:-1]])[::-1]
    with np.errstate(over="ignore"):
        ratios = np.exp(summed((logs - behaviour)[::-1].copy(), 1.0, starts)[::-1])
    _validate.finite("the importance ratio at time and episode ", ratios)
    return ratios
