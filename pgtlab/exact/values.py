"""Owns the values of a policy: V, Q, A and J."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from pgtlab.exact.chains import chain
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP, not_a_problem
from pgtlab.policies.linear_gaussian import spread


@singledispatch
def state_values(mdp, policy):
    r"""State values, the expected discounted return from each state on.

    .. math:: V^\pi(s) = E\Big[\sum_{t \ge k} \gamma^{t-k} r_t \,\Big|\, s_k = s, \pi\Big]

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S), or Quadratic
        In units of reward. For the linear-quadratic problem a function of the state,
        :math:`V(x) = -P x^2 - d`. At discount 1, NaN in states that the start does not reach and
        from which the episode need not end.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, or the values do not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact: one linear solve. The relative error is about 1e-16 / (1 - discount) up to a discount of 0.99999
    and at most 1e-8 beyond, of the largest value or reward; else the result is refused (see `FiniteChain`).

    References
    ----------
    S7 (7.2). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 3.5.

    Examples
    --------
    In the only state "stop" pays 1 and ends, "go on" pays 0 and stays; both have probability 1/2:
    V = 1/2 + 0.9 V / 2, so V = 1 / 1.1.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> state_values(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]])).round(6)
    array([0.909091])
    """
    raise not_a_problem(mdp)


@state_values.register
def _(mdp: FiniteMDP, policy):
    process = chain(mdp, policy)
    # V = r_pi + gamma P_pi V  <=>  (I - gamma P_pi) V = r_pi
    return process.solve(process.reward)


@state_values.register
def _(mdp: LinearQuadraticMDP, policy):
    process = chain(mdp, policy)
    gamma, P = mdp.discount, process.curvature
    # V(x) = -P x^2 - d  with  d = r s^2 + gamma (P w + d),  w the variance of x' given x
    d = (mdp.action_cost * policy.std**2 + gamma * P * process.noise_variance) / (1 - gamma)
    return Quadratic(-P[..., None, None], -d)


@singledispatch
def action_values(mdp, policy):
    r"""Action values, the expected discounted return after an action in a state.

    .. math:: Q^\pi(s, a) = R^a_s + \gamma \sum_{s'} P^a_{s,s'} V^\pi(s')

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S, A), or Quadratic
        In units of reward. For the linear-quadratic problem a function of state and action.
        NaN where `state_values` is, and for an action, never taken, that may lead to such a state. In every
        sum over the actions such an action counts 0, as 0 times a number that does not exist is taken to
        be 0.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, or the values do not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact: one linear solve and one pass over the transitions.

    References
    ----------
    S7 (7.3), S11 (11.1).

    Examples
    --------
    Stopping gives 1 at once; going on gives 0 and 0.9 times the value 1 / 1.1 of being there again.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> action_values(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]])).round(6)
    array([[1.      , 0.818182]])
    """
    raise not_a_problem(mdp)


@action_values.register
def _(mdp: FiniteMDP, policy):
    # Q(s, a) = R(s, a) + gamma sum_p P(s, a, p) V(p)
    return chain(mdp, policy).action_values.copy()


@action_values.register
def _(mdp: LinearQuadraticMDP, policy):
    V = state_values(mdp, policy)
    gamma, a, b = mdp.discount, mdp.drift, mdp.control
    # Q(x, u) = -q x^2 - r u^2 + gamma E V(a x + b u + e)
    H = gamma * V.matrix * np.outer([a, b], [a, b]) - np.diag([mdp.state_cost, mdp.action_cost])
    return Quadratic(H, gamma * (V.constant + V.matrix[..., 0, 0] * mdp.noise_std**2))


@singledispatch
def advantages(mdp, policy):
    r"""Advantages, how much better an action is than what the policy does on average.

    .. math:: A^\pi(s, a) = Q^\pi(s, a) - V^\pi(s)

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S, A), or Quadratic
        In units of reward; the mean over the policy's actions is 0 in every state. NaN where `action_values`
        is.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, or the values do not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact, and more than the difference of the two results: with a discount near 1 both have a large part in
    common, which is left out before they are rounded. Beyond a discount of 0.99999 each advantage is right
    to 1e-8 of itself or of the largest reward, or it is refused.

    References
    ----------
    S7 (7.4).

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> advantages(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]])).round(6)
    array([[ 0.090909, -0.090909]])
    """
    raise not_a_problem(mdp)


@advantages.register
def _(mdp: FiniteMDP, policy):
    process = chain(mdp, policy)
    return process.less_mean(process.relative_action_values)


@advantages.register
def _(mdp: LinearQuadraticMDP, policy):
    Q, k = action_values(mdp, policy), policy.gain
    (_, Q_xu), (_, Q_uu) = np.moveaxis(Q.matrix, (-2, -1), (0, 1))
    # Less their mean over u = k x + s z, z ~ N(0, 1): Q_uu (u^2 - k^2 x^2 - s^2) + 2 Q_xu x (u - k x).
    A_xx = -(Q_uu * k + 2 * Q_xu) * k
    matrix = np.moveaxis(np.array([[A_xx, Q_xu], [Q_xu, Q_uu]]), (0, 1), (-2, -1))
    return Quadratic(matrix, -Q_uu * policy.std**2)


@singledispatch
def expected_return(mdp, policy):
    r"""Expected discounted return from the start, the objective that policy gradients climb.

    .. math:: J(\theta) = E\Big[\sum_t \gamma^t r_t \,\Big|\, \pi\Big] = \sum_s p_0(s) V^\pi(s)

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    float, or ndarray of shape (...) for a batch
        In units of reward.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, or the expected return does not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    References
    ----------
    S7 (7.1), S10 (10.1).

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> policy = SoftmaxPolicy.tabular([[0.0, 0.0]])
    >>> round(expected_return(mdp, policy), 6)
    0.909091
    >>> expected_return(mdp, policy.with_parameters([[0.0, 0.0], [np.log(9.0), 0.0]])).round(6)
    array([0.909091, 0.989011])
    """
    raise not_a_problem(mdp)


@expected_return.register
def _(mdp: FiniteMDP, policy):
    V = state_values(mdp, policy)
    # Where no episode starts V need not exist.
    return _scalar(np.where(mdp.initial > 0, V, 0.0) @ mdp.initial)


@expected_return.register
def _(mdp: LinearQuadraticMDP, policy):
    V = state_values(mdp, policy)
    # E V(x_0) = -P E x_0^2 - d
    return _scalar(V.matrix[..., 0, 0] * (mdp.initial_mean**2 + mdp.initial_std**2) + V.constant)


@dataclass(frozen=True, eq=False)
class Quadratic:
    r"""Quadratic function :math:`f(z) = z^\top H z + c` of one or two real variables.

    Parameters
    ----------
    matrix : ndarray, shape (..., n, n)
        H, symmetric.
    constant : ndarray, shape (...)
        c.

    Examples
    --------
    >>> f = Quadratic(np.array([[1.0, 0.5], [0.5, 0.0]]), np.array(2.0))
    >>> f(3.0, 1.0)
    14.0
    """

    matrix: np.ndarray
    constant: np.ndarray

    def __call__(self, *variables):
        """Value of the function.

        Parameters
        ----------
        *variables : float or ndarray
            The state, or state and action; shapes that broadcast to (N,).

        Returns
        -------
        float, or ndarray of shape (..., N)
        """
        n = self.matrix.shape[-1]
        if len(variables) != n:
            raise TypeError(f"this function takes {n} variable{'s'[: n > 1]}, got {len(variables)}")
        z = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in variables))
        total = spread(self.constant, z[0].ndim)
        for i in range(n):
            for j in range(n):
                total = total + spread(self.matrix[..., i, j], z[0].ndim) * z[i] * z[j]
        return _scalar(total)


def _scalar(values):
    return values if np.ndim(values) else float(values)
