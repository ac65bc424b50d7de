r"""Owns the least squares on the score: what its equations are, action against action, and which are seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgtlab.exact.endings import reached

#: Visits below this many are known to be few, and no more: double precision ends near 1e-308.
FEWEST_VISITS = 1e-300


@dataclass(frozen=True, eq=False)
class Contrasts:
    r"""Weighted least squares of a function on the score, as one equation for each action but the first.

    With :math:`x_a = f(s, a) - \mathrm{SC}(s, a) \cdot w` and the weights :math:`\pi_a` of a state, the loss
    :math:`\sum_a \pi_a (x_a - \bar x)^2` is that of the differences of each action from the mean of those
    before it, that is of the likelier ones,

    .. math:: \sum_{k \ge 1} \frac{\pi_k W_{k-1}}{W_k} (x_k - m_{k-1})^2, \qquad
        W_k = \sum_{j \le k} \pi_j, \quad m_k = \frac{1}{W_k} \sum_{j \le k} \pi_j x_j

    so that nothing of f that depends on the state alone, and nothing of the score of an action of probability
    near 1, is subtracted from itself.

    Attributes
    ----------
    rows : ndarray, shape (..., n, K)
        Differences of the scores; 0 where the policy never is, or never takes one of the two.
    targets : ndarray, shape (..., n)
        Differences of f.
    log_weights : ndarray, shape (..., n)
        Logarithms of the weights; minus infinity where the row is 0 or the visits are below 1e-300.
    seen : ndarray of bool, shape (..., n)
        The equations that count, be it ever so little.
    """

    rows: np.ndarray
    targets: np.ndarray
    log_weights: np.ndarray
    seen: np.ndarray


def contrasts(mdp, policy, rho, values=None):
    """Return the equations of the least squares of `values` (..., S, A) on the score under visits `rho`.

    Without values their targets are 0. The actions of a state are in the order of their probabilities. Raise
    ValueError where the scores are none (see `sound_scores`).
    """
    logs = policy.log_probs()
    taken = np.isfinite(logs)
    here = visited(mdp, policy, rho)
    # What the policy never does has no say; at discount 1 its value need not exist.
    values = np.zeros(logs.shape) if values is None else np.where(here[..., None] & taken, values, 0.0)
    # The likeliest action first: from it and its like the others are told without loss.
    order = np.argsort(-logs, axis=-1, kind="stable")
    logs, values = (np.take_along_axis(each, order, axis=-1) for each in (logs, values))
    phi = policy.score_differences()
    phi = np.broadcast_to(phi, (*order.shape[:-2], *phi.shape[-3:]))
    rows = np.take_along_axis(phi, order[..., 1:, None], axis=-2)
    rows -= np.take_along_axis(phi, order[..., :1, None], axis=-2)
    targets = values[..., 1:] - values[..., :1]
    taken = np.isfinite(logs)
    *batch, S, A, K = phi.shape
    log_total = np.logaddexp.accumulate(logs, axis=-1)
    share = np.exp(logs - log_total)
    # Of the mean of those before, less the first of all.
    mean, mean_value = np.zeros((*batch, S, K)), np.zeros((*batch, S))
    for k in range(A - 1):
        rows[..., k, :] -= mean
        targets[..., k] -= mean_value
        # W_k m_k = W_{k-1} m_{k-1} + pi_k x_k
        mean += share[..., k + 1, None] * rows[..., k, :]
        mean_value += share[..., k + 1] * targets[..., k]
    log_weights = logs[..., 1:] + log_total[..., :-1] - log_total[..., 1:]
    seen = here[..., None] & taken[..., 1:]
    known = seen & (rho >= FEWEST_VISITS)[..., None]
    log_rho = np.log(np.where(rho >= FEWEST_VISITS, rho, 1.0))[..., None]
    log_weights = np.where(known, log_rho + log_weights, -np.inf)
    rows[~seen] = 0.0
    return Contrasts(
        rows.reshape(*batch, -1, K),
        np.where(seen, targets, 0.0).reshape(*batch, -1),
        log_weights.reshape(*batch, -1),
        seen.reshape(*batch, -1),
    )


def visited(mdp, policy, rho):
    """Return the states that the policy visits, (..., S), be it with a probability that underflows."""
    found = rho >= FEWEST_VISITS
    if mdp.discount == 0:
        return np.broadcast_to(mdp.initial > 0, found.shape)
    if found.all():
        return found
    support = policy.possible()
    ways = np.empty((*support.shape[:-2], mdp.n_states), bool)
    for at in np.ndindex(support.shape[:-2]):
        sources, targets = mdp.mixed_transition(support[at].astype(float)).nonzero()
        ways[at] = reached(sources, targets, mdp.initial > 0)
    return np.broadcast_to(ways, found.shape)
