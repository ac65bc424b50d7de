"""Owns the long run of a policy: stationary distribution, average reward, and the gradient of the latter."""

from __future__ import annotations

from functools import lru_cache, singledispatch

import numpy as np

from pgtlab import _validate
from pgtlab.chain import chain
from pgtlab.chain.finite import reached
from pgtlab.evaluation import Quadratic
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP, not_a_problem


@singledispatch
def stationary_distribution(mdp, policy):
    r"""Distribution of the state in the long run, :math:`d = P_\pi^\top d`.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
        The discount plays no part.
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S), or for the linear-quadratic problem the variance, shape (...)
        The distribution sums to 1. In the linear-quadratic case it is Gaussian with mean 0, and its variance
        is what is returned.

    Raises
    ------
    ValueError
        If an episode may end; if the long run depends on the start, because the chain has more than one
        closed class; if the transitions are sparse; if the closed loop of the linear-quadratic problem is not
        stable.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact: one linear solve. The chain may be periodic; d is then the share of time in each state.

    References
    ----------
    S6, where the slides leave the average-reward case out. M. L. Puterman, *Markov Decision Processes*, 1994,
    section 8.2.

    Examples
    --------
    From state 0 one leaves half of the time, from state 1 always: two thirds of the time are spent in 0.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.5, 0.5]], [[1.0, 0.0]]], [[0.0], [3.0]], initial=[1.0, 0.0], discount=0.9)
    >>> stationary_distribution(mdp, SoftmaxPolicy.tabular([[0.0], [0.0]])).round(6)
    array([0.666667, 0.333333])
    """
    raise not_a_problem(mdp)


@stationary_distribution.register
def _(mdp: FiniteMDP, policy):
    d, _ = _long_run(chain(mdp, policy))
    return d.copy()


@stationary_distribution.register
def _(mdp: LinearQuadraticMDP, policy):
    # v = c^2 v + w
    process = chain(mdp, policy)
    return process.noise_variance / _stability(process)


@singledispatch
def average_reward(mdp, policy):
    r"""Average reward a step in the long run.

    .. math::

        \eta(\theta) = \lim_{n \to \infty} \frac1n \, E\Big[\sum_{t < n} r_t \,\Big|\, \pi\Big]
        = \sum_s d(s) \sum_a \pi(s, a; \theta) R^a_s

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
        The discount plays no part.
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    float, or ndarray of shape (...) for a batch
        In units of reward.

    Raises
    ------
    ValueError, TypeError
        As `stationary_distribution`.

    References
    ----------
    R. S. Sutton, D. McAllester, S. Singh and Y. Mansour, "Policy gradient methods for reinforcement learning
    with function approximation", 2000, section 1.

    Examples
    --------
    A third of the time is spent in state 1, which pays 3.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.5, 0.5]], [[1.0, 0.0]]], [[0.0], [3.0]], initial=[1.0, 0.0], discount=0.9)
    >>> round(average_reward(mdp, SoftmaxPolicy.tabular([[0.0], [0.0]])), 6)
    1.0
    """
    raise not_a_problem(mdp)


@average_reward.register
def _(mdp: FiniteMDP, policy):
    eta = np.vecdot(stationary_distribution(mdp, policy), chain(mdp, policy).reward)
    return eta if eta.ndim else float(eta)


@average_reward.register
def _(mdp: LinearQuadraticMDP, policy):
    variance = stationary_distribution(mdp, policy)
    # In state x the policy earns -((q + r k^2) x^2 + r s^2) on average.
    eta = -((mdp.state_cost + mdp.action_cost * policy.gain**2) * variance + mdp.action_cost * policy.std**2)
    return eta if np.ndim(eta) else float(eta)


@singledispatch
def differential_values(mdp, policy):
    r"""Differential state values, what the start is worth beside the average for ever after.

    .. math:: h(s) = r_\pi(s) - \eta + \sum_{s'} P_\pi(s, s') h(s'), \qquad \sum_s d(s) h(s) = 0

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
        The discount plays no part.
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S), or Quadratic
        In units of reward.

    Raises
    ------
    ValueError, TypeError
        As `stationary_distribution`.

    References
    ----------
    M. L. Puterman, *Markov Decision Processes*, 1994, section 8.2, where h is called the bias.

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.5, 0.5]], [[1.0, 0.0]]], [[0.0], [3.0]], initial=[1.0, 0.0], discount=0.9)
    >>> differential_values(mdp, SoftmaxPolicy.tabular([[0.0], [0.0]])).round(6)
    array([-0.666667,  1.333333])
    """
    raise not_a_problem(mdp)


@differential_values.register
def _(mdp: FiniteMDP, policy):
    _, h = _long_run(chain(mdp, policy))
    return h.copy()


@differential_values.register
def _(mdp: LinearQuadraticMDP, policy):
    process = chain(mdp, policy)
    # h(x) = -P (x^2 - v) with P = q + r k^2 + c^2 P
    P = (mdp.state_cost + mdp.action_cost * policy.gain**2) / _stability(process)
    return Quadratic(-P[..., None, None], P * stationary_distribution(mdp, policy))


@singledispatch
def differential_action_values(mdp, policy):
    r"""Differential action values, :math:`R^a_s - \eta + \sum_{s'} P^a_{s,s'} h(s')`.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
        The discount plays no part.
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S, A), or Quadratic
        In units of reward.

    Raises
    ------
    ValueError, TypeError
        As `stationary_distribution`.

    References
    ----------
    R. S. Sutton, D. McAllester, S. Singh and Y. Mansour, "Policy gradient methods for reinforcement learning
    with function approximation", 2000, section 1.

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.5, 0.5]], [[1.0, 0.0]]], [[0.0], [3.0]], initial=[1.0, 0.0], discount=0.9)
    >>> differential_action_values(mdp, SoftmaxPolicy.tabular([[0.0], [0.0]])).round(6)
    array([[-0.666667],
           [ 1.333333]])
    """
    raise not_a_problem(mdp)


@differential_action_values.register
def _(mdp: FiniteMDP, policy):
    h, eta = differential_values(mdp, policy), np.asarray(average_reward(mdp, policy))
    return mdp.reward - eta[..., None, None] + mdp.next_values(h)


@differential_action_values.register
def _(mdp: LinearQuadraticMDP, policy):
    h, a, b = differential_values(mdp, policy), mdp.drift, mdp.control
    # -q x^2 - r u^2 - eta + E h(a x + b u + e)
    H = h.matrix * np.outer([a, b], [a, b]) - np.diag([mdp.state_cost, mdp.action_cost])
    return Quadratic(H, h.constant + h.matrix[..., 0, 0] * mdp.noise_std**2 - average_reward(mdp, policy))


@singledispatch
def average_reward_gradient(mdp, policy):
    r"""Gradient of the average reward, by the policy gradient theorem for the long run.

    .. math::

        \frac{\partial \eta}{\partial \theta}
        = \sum_s d(s) \sum_a \frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q_h(s, a)

    with the differential action values :math:`Q_h`. As in the discounted case, no derivative of d appears.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
        The discount plays no part.
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., K)
        In units of reward per unit of parameter.

    Raises
    ------
    ValueError, TypeError
        As `stationary_distribution`.

    References
    ----------
    R. S. Sutton, D. McAllester, S. Singh and Y. Mansour, "Policy gradient methods for reinforcement learning
    with function approximation", 2000, theorem 1.

    Examples
    --------
    In the only state one action pays 1 and the other 0: the average is p, and dp/dtheta = 1/4 at p = 1/2.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[1.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> average_reward_gradient(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]]))
    array([ 0.25, -0.25])
    """
    raise not_a_problem(mdp)


@average_reward_gradient.register
def _(mdp: FiniteMDP, policy):
    d, Q = stationary_distribution(mdp, policy), differential_action_values(mdp, policy)
    # d pi = pi d log pi
    return policy.score_sum(d[..., None] * policy.probs() * Q)


@average_reward_gradient.register
def _(mdp: LinearQuadraticMDP, policy):
    variance, Q = stationary_distribution(mdp, policy), differential_action_values(mdp, policy)
    (_, Q_xu), (_, Q_uu) = np.moveaxis(Q.matrix, (-2, -1), (0, 1))
    # The integrals over the action are those of `policy_gradient`; x^2 has the mean v, and the mass is 1.
    in_gain = 2 * (Q_xu + Q_uu * policy.gain) * variance
    return np.stack([in_gain, 2 * policy.std**2 * Q_uu], axis=-1)


@lru_cache(maxsize=1)
def _long_run(process):
    """Return d and h of a finite chain, remembered for the last one; raise where they do not exist."""
    mdp = process.mdp
    if mdp.is_sparse:
        raise ValueError("transitions are sparse; expected a dense array (S, A, S) for the average reward")
    ending = (process.probs * mdp.ending).sum(-1)
    if ending.max() > 0:
        at = _validate.first(ending > 0)
        raise ValueError(
            f"an episode may end in state {at[-1]}, with probability {ending[at]:.3g}; expected transitions "
            "whose rows sum to 1: the average reward is that of a process that goes on for ever"
        )
    P = process.transition
    for support in np.unique(P.reshape(-1, *P.shape[-2:]) > 0, axis=0):
        _check_one_class(support)
    M = np.eye(mdp.n_states) - P
    M[..., 0] += 1.0
    # With M = I - P + 1 e_0^T and d P = d, d 1 = 1:  d M = e_0, that is, M^T d = e_0.
    d = np.linalg.solve(np.swapaxes(M, -1, -2), np.eye(mdp.n_states)[0][:, None])[..., 0]
    # M x = r reads (I - P) x + x(0) 1 = r. Times d: x(0) = eta. So x is h up to a constant.
    x = np.linalg.solve(M, process.reward[..., None])[..., 0]
    return d, x - np.vecdot(d, x)[..., None]


def _check_one_class(edges):
    """Raise ValueError unless some state is reached from every state, along edges (S, S)."""
    sources, targets = edges.nonzero()
    states = np.arange(len(edges))
    home = 0
    while True:
        # A state that is reached from `home` and does not lead back lies closer to the end of all ways.
        ahead = reached(sources, targets, states == home)
        behind = reached(targets, sources, states == home)
        onwards = np.flatnonzero(ahead & ~behind)
        if not onwards.size:
            break
        home = onwards[0]
    if not behind.all():
        raise ValueError(
            f"the long run depends on the start: state {home} is in a closed class that state "
            f"{np.flatnonzero(~behind)[0]} never reaches; expected one closed class of states"
        )


def _stability(process):
    """Return 1 - c^2; raise where the closed loop is not stable."""
    margin = 1 - process.drift**2
    if not (margin > 0).all():
        at = _validate.first(~(margin > 0))
        raise ValueError(
            f"gain{_validate.subscript(at)} is {process.policy.gain[at]:g}: the closed loop has drift "
            f"a + b k = {process.drift[at]:g}; expected one between -1 and 1, or the state has no long run"
        )
    return margin
