"""Owns the values of a policy: V, Q, A and J."""

from __future__ import annotations

from pgtlab.exact.chains import chain
from pgtlab.quadratic import Quadratic as Quadratic  # it was here up to version 0.4
from pgtlab.quadratic import scalar


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
    ValueError, TypeError
        As `chain`.

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
    return chain(mdp, policy).state_values()


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
    ValueError, TypeError
        As `chain`.

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
    # Q(s, a) = R(s, a) + gamma sum_p P(s, a, p) V(p)
    return chain(mdp, policy).action_values()


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
    ValueError, TypeError
        As `chain`.

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
    # A(s, a) = Q(s, a) - V(s)
    return chain(mdp, policy).advantages()


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
    ValueError, TypeError
        As `chain`.

    References
    ----------
    S7 (7.1), S10 (10.1).

    Examples
    --------
    >>> import numpy as np
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> policy = SoftmaxPolicy.tabular([[0.0, 0.0]])
    >>> round(expected_return(mdp, policy), 6)
    0.909091
    >>> expected_return(mdp, policy.with_parameters([[0.0, 0.0], [np.log(9.0), 0.0]])).round(6)
    array([0.909091, 0.989011])
    """
    V = state_values(mdp, policy)
    # J = sum_s p_0(s) V(s)
    return scalar(mdp.start_mean(V))
