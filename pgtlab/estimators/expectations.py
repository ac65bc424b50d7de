r"""Owns the exact means of the estimates.

Every signal is, given :math:`s_t` and :math:`a_t`, on average :math:`\gamma^t x(s_t, a_t)` with

.. math:: x(s, a) = b(s, a) + \gamma \kappa \sum_{s'} P^a_{s,s'} \sum_{a'} \pi(s', a') x(s', a')

for some base b and some decay :math:`\kappa` in [0, 1], up to a function of the state, which the mean of the
score takes away (20.3). Under a horizon of T steps x depends on how many of them are left.
"""

from __future__ import annotations

from pgtlab.exact.chains import chain
from pgtlab.rollouts.horizon import checked


def mean_of_estimate(mdp, policy, base, decay, horizon):
    """Return the mean of the sum over t of gamma^t SC_t x(s_t, a_t), shape (K,)."""
    process, T = chain(mdp, policy), checked(horizon)
    process.check_single()
    if not isinstance(T, int):
        # A geometric horizon leaves nothing out on average.
        process.check_slope()
        base = process.known(base, [process.visits()])
        return process.score_mean(policy, process.summed(base, decay))
    visits = process.visits_by_time(T)
    base = x = process.known(base, visits)
    total = 0.0
    for rho_t in reversed(visits):
        total = total + process.score_mean(policy, x, rho_t)
        x = base + mdp.discount * decay * mdp.next_values(process.mean_over_actions(x))
    return total
