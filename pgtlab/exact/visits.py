"""Owns where a policy goes: t-step probabilities and the discounted state-visitation measure."""

from __future__ import annotations

from pgtlab import _validate
from pgtlab.exact.chains import chain


def transition_probabilities(mdp, policy, t):
    r"""Probabilities :math:`p(s \to s', t, \pi)` of going from one state to another in t steps.

    .. math:: p(\cdot \to \cdot, t, \pi) = P_\pi^t, \qquad P_\pi(s, s') = \sum_a \pi(s, a) P^a_{s,s'}

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.
    t : int
        Number of steps, at least 0. No step leads nowhere: t = 0 gives the identity.

    Returns
    -------
    ndarray, shape (..., S, S), or GaussianKernel
        From state (first of the two axes) to state (second). A row sums to the probability that the
        episode still goes on after t steps. A CSR array of shape (S, S) for sparse transitions.

    Raises
    ------
    ValueError, TypeError
        As `chain`, or if t is no integer of at least 0.

    Notes
    -----
    Exact; about 2 log2(t) products of (S, S) matrices. Sparse matrices fill in as t grows.

    References
    ----------
    S7 (7.5), S13 (13.1) for one step.

    Examples
    --------
    Each step ends the episode with probability 1/2.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> transition_probabilities(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]]), 3)
    array([[0.125]])
    """
    t = _validate.count("t", t)
    # P_pi^t
    return chain(mdp, policy).steps(t)


def state_visitation(mdp, policy):
    r"""Discounted state-visitation measure :math:`\rho^\pi`, unnormalised as in the slides.

    .. math:: \rho^\pi(s) = \sum_{s_0} \sum_{t \ge 0} \gamma^t \, p_0(s_0) \, p(s_0 \to s, t, \pi)

    The expected number of visits to s, where a visit at time t counts :math:`\gamma^t`.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S), or GaussianVisitation
        In (discounted) visits. Its mass is the expected discounted length of an episode:
        :math:`1 / (1 - \gamma)` when nothing ends, less otherwise.

    Raises
    ------
    ValueError, TypeError
        As `chain`.

    Notes
    -----
    Exact: one linear solve with the transpose of the matrix of `state_values`. The relative error is about
    1e-16 / (1 - discount) up to a discount of 0.99999, and about 1e-16 S beyond (see `FiniteChain`).

    References
    ----------
    S8 (8.5). R. S. Sutton, D. McAllester, S. Singh and Y. Mansour, "Policy gradient methods for
    reinforcement learning with function approximation", 2000, where it is called :math:`d^\pi`.

    Examples
    --------
    The visits are 1 + 0.45 + 0.45^2 + ... = 1 / 0.55.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> state_visitation(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]])).round(6)
    array([1.818182])
    """
    # rho = p_0 + gamma P_pi^T rho
    return chain(mdp, policy).visits()


def state_visitation_distribution(mdp, policy):
    r"""Discounted state-visitation measure divided by its mass.

    .. math:: \rho^\pi(s) \Big/ \sum_{s'} \rho^\pi(s')

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S), or GaussianVisitation
        Sums to 1. Only with this may one write :math:`E_{s \sim \rho}`.

    Raises
    ------
    ValueError, TypeError
        As `chain`.

    References
    ----------
    Point 3 of "what the slides leave out", and S22.

    Examples
    --------
    From the first of two states one always moves to the second and stays there.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0, 1.0]], [[0.0, 1.0]]], [[0.0], [1.0]], initial=[1.0, 0.0], discount=0.75)
    >>> state_visitation_distribution(mdp, SoftmaxPolicy.tabular([[0.0], [0.0]]))
    array([0.25, 0.75])
    """
    return chain(mdp, policy).visit_distribution()
