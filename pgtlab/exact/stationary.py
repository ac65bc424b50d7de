"""Owns the long run of a policy: stationary distribution, average reward, and the gradient of the latter."""

from __future__ import annotations

from functools import cached_property, lru_cache, singledispatch

import numpy as np

from pgtlab import _validate
from pgtlab.exact.chains import chain
from pgtlab.exact.elimination import Elimination
from pgtlab.exact.finite_chain import (
    changes,
    check_digits,
    in_range,
    mean_over_moves,
    reached,
    reached_by_any_actions,
)
from pgtlab.exact.values import Quadratic
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
        If, among the states that the start reaches by whatever actions, an episode may end, or the long run
        depends on the start because there is more than one closed class; if what leads from one part of the
        chain to another has a probability below 1e-300; if the transitions are sparse; if the closed loop of
        the linear-quadratic problem is not stable.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact: an elimination without subtractions (see `Elimination`), with a relative error of about 1e-16 S in
    every entry, however rarely the chain goes from one part to another. Cost S^3 / 3 multiplications in S
    steps. The chain may be periodic; d is then the share of time in each state.

    "By whatever actions": also by those to which the policy gives probability 0. A softmax never means it,
    and a policy nearby may take them. What no actions lead to has no share, and may do what it likes.

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
    return _long_run(chain(mdp, policy), "distribution")


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
    eta = _long_run(chain(mdp, policy), "average")
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
        In units of reward. NaN in a state that no actions lead to and from which the chain may end, or stay
        in a closed class of its own.

    Raises
    ------
    ValueError, TypeError
        As `stationary_distribution`. ValueError also if rounding may spoil more than 1e-8 of the largest
        value or reward, where rewards cancel over a long time.

    Notes
    -----
    Exact, by the same elimination: h is what is earned beyond the average until the chain comes to the state
    that is taken out last.

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
    return _long_run(chain(mdp, policy), "values")


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
        In units of reward. NaN where `differential_values` is, and for an action that may lead there.

    Raises
    ------
    ValueError, TypeError
        As `differential_values`.

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
    # Q(s, a) = h(s) + [R(s, a) - eta + sum_p P(s, a, p) (h(p) - h(s))]
    process = chain(mdp, policy)
    return _long_run(process, "values")[..., None] + _long_run(process, "gains")


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
        As `stationary_distribution`. ValueError also if rounding may spoil more than 1e-8 of an advantage and
        of the largest reward.

    Notes
    -----
    Exact. The sum is taken with the advantages :math:`Q_h - h`, from the differences of h along the moves of
    an action: where the chain hardly goes from one part to another, h is large and they are not. That the
    states that some actions lead to have one closed class is true of all policies nearby if it is true of
    one: the gradient needs no condition beyond those of the average.

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
    process = chain(mdp, policy)
    d, A = _long_run(process, "distribution"), process.less_mean(_long_run(process, "gains"))
    visits = d[..., None] * process.probs
    # d pi = pi d log pi, and sum_a d pi Q_h = sum_a d pi A. What is never done has no say.
    return policy.score_sum(visits * np.where(visits > 0, A, 0.0))


@average_reward_gradient.register
def _(mdp: LinearQuadraticMDP, policy):
    variance, Q = stationary_distribution(mdp, policy), differential_action_values(mdp, policy)
    (_, Q_xu), (_, Q_uu) = np.moveaxis(Q.matrix, (-2, -1), (0, 1))
    # The integrals over the action are those of `policy_gradient`; x^2 has the mean v, and the mass is 1.
    in_gain = 2 * (Q_xu + Q_uu * policy.gain) * variance
    return np.stack([in_gain, 2 * policy.std**2 * Q_uu], axis=-1)


def _long_run(process, name):
    """Return the attribute `name` of the long run, stacked for a batch of policies."""
    results = np.array([getattr(run, name) for run in _long_runs(process)])
    return results.reshape(process.probs.shape[:-2] + results.shape[1:])


@lru_cache(maxsize=1)
def _long_runs(process):
    """Return the long run of each policy of a chain, remembered for the last one."""
    mdp = process.mdp
    if mdp.is_sparse:
        raise ValueError("transitions are sparse; expected a dense array (S, A, S) for the average reward")
    met = reached_by_any_actions(mdp)
    here = (process.probs * mdp.ending).sum(-1)
    for ending, how in ((here, ""), (mdp.ending.max(-1), ", by an action of probability 0")):
        at = _validate.first((ending > 0) & met)
        if at is not None:
            raise ValueError(
                f"an episode may end in state {at[-1]}, with probability {ending[at]:.3g}{how}; expected "
                "transitions whose rows sum to 1: the average reward is that of a process that goes on for "
                "ever"
            )
    P = process.transition.reshape(-1, mdp.n_states, mdp.n_states)
    ends = (here > 0).reshape(len(P), -1)
    # Which states come together depends on which actions are possible, not on how probable they are.
    known, runs = {}, []
    for one, end, reward in zip(P, ends, process.reward.reshape(len(P), -1), strict=True):
        support = (one > 0).tobytes() + end.tobytes()
        if support not in known:
            known[support] = _settled(one > 0, end, met)
        runs.append(_LongRun(mdp, one, reward, known[support]))
    return runs


def _settled(edges, ends, met):
    """Return the states (S,) whose long run is that of the start; raise unless all those of `met` are such.

    `edges` (S, S) lead from state to state, `ends` (S,) says where the chain may end; those of `met` lead to
    one another only.
    """
    sources, targets = edges.nonzero()
    states = np.arange(len(edges))
    home = np.flatnonzero(met)[0]
    while True:
        # A state that is reached from `home` and does not lead back lies closer to the end of all ways.
        ahead = reached(sources, targets, states == home)
        behind = reached(targets, sources, states == home)
        onwards = np.flatnonzero(ahead & ~behind)
        if not onwards.size:
            break
        home = onwards[0]
    if not behind[met].all():
        raise ValueError(
            f"the long run depends on the start: state {home} is in a closed class that state "
            f"{np.flatnonzero(met & ~behind)[0]} never reaches; expected one closed class of states"
        )
    return ~reached(targets, sources, ~behind | ends)


class _LongRun:
    """Long run of one policy, on the `settled` states; the others lead elsewhere."""

    def __init__(self, mdp, P, reward, settled):
        self._mdp, self._settled = mdp, settled
        self._reward = reward[settled]
        self._elimination = Elimination(P[np.ix_(settled, settled)], np.zeros(settled.sum()))

    @cached_property
    def distribution(self):
        return self._everywhere(self._elimination.stationary(), 0.0)

    @cached_property
    def average(self):
        return self.distribution[self._settled] @ self._reward

    @cached_property
    def _values(self):
        """h up to a constant, and the sizes of what was added up."""
        # (I - P) h = r - eta
        r, eta = self._reward, self.average
        earned = r - eta, np.abs(r) + abs(eta)
        return tuple(in_range(self._elimination.solve_up_to_last(each), r) for each in earned)

    @cached_property
    def values(self):
        h, sizes = self._values
        check_digits("the differential value of a state", h, sizes, self._reward, largest=True)
        return self._everywhere(h - self.distribution[self._settled] @ h, np.nan)

    @cached_property
    def gains(self):
        # R(s, a) - eta + sum_p P(s, a, p) (h(p) - h(s)), what an action brings beyond h
        mdp = self._mdp
        change, sizes = changes(*(self._everywhere(each, 0.0) for each in self._values))
        gains = mdp.reward - self.average + mean_over_moves(mdp, change)
        sizes = np.abs(mdp.reward) + abs(self.average) + mean_over_moves(mdp, sizes)
        unknown = ~self._settled
        gains[unknown[:, None] | (mdp.next_values(unknown.astype(float)) > 0)] = np.nan
        check_digits("the differential advantage of an action", gains, sizes, mdp.reward)
        return gains

    def _everywhere(self, values, elsewhere):
        result = np.full(len(self._settled), elsewhere)
        result[self._settled] = values
        return result


def _stability(process):
    """Return 1 - c^2; raise where the closed loop is not stable."""
    margin = process.margin(1.0)
    if not (margin > 0).all():
        at = _validate.first(~(margin > 0))
        raise ValueError(
            f"gain{_validate.subscript(at)} is {process.policy.gain[at]:g}: the closed loop has drift "
            f"a + b k = {process.drift[at]:g}; expected one between -1 and 1, or the state has no long run"
        )
    return margin
