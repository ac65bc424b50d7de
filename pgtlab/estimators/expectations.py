r"""Owns the exact means of the estimates.

Every signal is, given :math:`s_t` and :math:`a_t`, on average :math:`\gamma^t x(s_t, a_t)` with

.. math:: x(s, a) = b(s, a) + \gamma \kappa \sum_{s'} P^a_{s,s'} \sum_{a'} \pi(s', a') x(s', a')

for some base b and some decay :math:`\kappa` in [0, 1], up to a function of the state, which the mean of the
score takes away (20.3). Put into itself again and again, x is the sum of b over all steps to come. A signal
may have the first n of its terms only, and under a horizon it has as many as steps are left.
"""

from __future__ import annotations

from pgtlab.exact.chains import chain
from pgtlab.rollouts.horizon import checked


def mean_of_estimate(mdp, policy, base, decay, horizon, n_terms=None):
    """Return the mean of the sum over t of gamma^t SC_t x(s_t, a_t), shape (K,).

    Without `n_terms` x has all its terms.
    """
    process, T = chain(mdp, policy), checked(horizon)
    process.check_single()

    def further(x):
        return base + mdp.discount * decay * mdp.next_values(process.mean_over_actions(x))

    if not isinstance(T, int):
        # A geometric horizon leaves nothing out on average.
        process.check_slope()
        base = x = process.known(base, [process.visits()])
        if n_terms is None:
            return process.score_mean(policy, process.summed(base, decay))
        for _ in range(n_terms - 1):
            x = further(x)
        return process.score_mean(policy, x)
    visits = process.visits_by_time(T)
    base = x = process.known(base, visits)
    total = 0.0
    for n, rho_t in enumerate(reversed(visits), 1):
        # With n steps left x has n terms, if it has so many.
        total = total + process.score_mean(policy, x, rho_t)
        if n_terms is None or n < n_terms:
            x = further(x)
    return total
