"""Owns the long run of a policy: stationary distribution, average reward, and the gradient of the latter."""

from __future__ import annotations

from pgtlab.exact.chains import chain
from pgtlab.quadratic import scalar


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
    return chain(mdp, policy).long_run.distribution


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
    return scalar(chain(mdp, policy).long_run.average)


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
    return chain(mdp, policy).long_run.values


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
    # Q_h(s, a) = R(s, a) - eta + sum_p P(s, a, p) h(p)
    return chain(mdp, policy).long_run.action_values


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
    process = chain(mdp, policy)
    # sum_s d(s) sum_a d pi(s, a) Q_h(s, a), with d pi = pi SC; and sum_a d pi Q_h = sum_a d pi A
    return process.score_mean(policy, process.long_run.advantages, process.long_run.visits)
