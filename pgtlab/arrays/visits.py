"""Owns the discounted visits of a chain that is given as a plain matrix."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.exact.visits import state_visitation
from pgtlab.mdp import FiniteMDP
from pgtlab.policies import SoftmaxPolicy


def discounted_visits(P, initial, discount):
    r"""Discounted visits of a Markov chain, :math:`\rho = \sum_t \gamma^t (P^\top)^t p_0`.

    Parameters
    ----------
    P : array_like, shape (S, S)
        Probability of each next state, a row for each state. What a row lacks to 1 is the probability that
        the episode ends.
    initial : array_like, shape (S,)
        :math:`p_0`, the probability of each first state.
    discount : float
        :math:`\gamma` in [0, 1].

    Returns
    -------
    ndarray, shape (S,)
        Expected visits, of which one at time t counts :math:`\gamma^t`; with the mass
        :math:`1 / (1 - \gamma)` if nothing ends.

    Raises
    ------
    ValueError
        If P or `initial` are no probabilities of these shapes, or the discount is 1 and the episode need not
        end.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    One linear solve, :math:`(I - \gamma P)^\top \rho = p_0`, as for `state_visitation`, of which this is the
    case of one action.

    References
    ----------
    S8 (8.5).

    Examples
    --------
    From the first state one moves to the second, from which the episode ends with probability 1/2: there one
    is 0.9 (1 + 0.45 + ...) = 0.9 / 0.55 times.

    >>> discounted_visits([[0.0, 1.0], [0.0, 0.5]], [1.0, 0.0], 0.9).round(6)
    array([1.      , 1.636364])
    """
    P, discount = _validate.array("P", P, "(S, S)"), _validate.discount(discount)
    initial = _validate.array("initial", initial, "(S,)")
    _validate.shape("initial", initial, P.shape[:1], "as P has states")
    _validate.not_negative("P", P)
    _validate.endings("P", P.sum(1))
    mdp = FiniteMDP(P[:, None], np.zeros((len(P), 1)), initial, discount)
    return state_visitation(mdp, SoftmaxPolicy.tabular(np.zeros((len(P), 1))))
