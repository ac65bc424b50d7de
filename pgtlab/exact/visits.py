"""Owns where a policy goes: t-step probabilities and the discounted state-visitation measure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from pgtlab import _validate
from pgtlab.exact.chains import chain
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP, not_a_problem
from pgtlab.policies.linear_gaussian import spread

#: Largest error of the density of a visitation measure, as a share of the measure's mass.
_DENSITY_ERROR = 1e-13

#: Terms of a density, one a step, up to which the sum over time is done.
_MOST_TERMS = 1e6


@singledispatch
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
    ValueError
        If t is negative, or the policy does not fit the problem.
    TypeError
        If t is no integer, or another argument is of the wrong type.

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
    raise not_a_problem(mdp)


@transition_probabilities.register
def _(mdp: FiniteMDP, policy, t):
    t = _validate.count("t", t)
    step = chain(mdp, policy).transition
    if mdp.is_sparse:
        from scipy.sparse.linalg import matrix_power

        return matrix_power(step, t)
    return np.linalg.matrix_power(step, t)


@transition_probabilities.register
def _(mdp: LinearQuadraticMDP, policy, t):
    t = _validate.count("t", t)
    process = chain(mdp, policy)
    return GaussianKernel(process.drift**t, np.sqrt(process.state_variance(0.0, t)))


@singledispatch
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
    ValueError
        If the policy does not fit the problem, or the measure is infinite (see `chain`).
    TypeError
        If an argument is of the wrong type.

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
    raise not_a_problem(mdp)


@state_visitation.register
def _(mdp: FiniteMDP, policy):
    # rho = p_0 + gamma P_pi^T rho  <=>  (I - gamma P_pi)^T rho = p_0
    return chain(mdp, policy).solve_transposed(mdp.initial)


@state_visitation.register
def _(mdp: LinearQuadraticMDP, policy):
    return GaussianVisitation(chain(mdp, policy), mass=1 / (1 - mdp.discount))


@singledispatch
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
    ValueError
        If the policy does not fit the problem, or the measure is infinite (see `chain`).
    TypeError
        If an argument is of the wrong type.

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
    raise not_a_problem(mdp)


@state_visitation_distribution.register
def _(mdp: FiniteMDP, policy):
    rho = state_visitation(mdp, policy)
    return rho / rho.sum(-1, keepdims=True)


@state_visitation_distribution.register
def _(mdp: LinearQuadraticMDP, policy):
    return GaussianVisitation(chain(mdp, policy), mass=1.0)


@dataclass(frozen=True, eq=False)
class GaussianKernel:
    r"""Transition kernel :math:`x \mapsto N(\text{drift} \cdot x, \text{std}^2)` of t steps.

    Parameters
    ----------
    drift : ndarray, shape (...)
        :math:`c^t`.
    std : ndarray, shape (...)
        0 for t = 0.

    Examples
    --------
    >>> GaussianKernel(np.array(0.5), np.array(1.0)).density(2.0, 1.0).round(6)
    np.float64(0.398942)
    """

    drift: np.ndarray
    std: np.ndarray

    def density(self, state, next_state):
        r"""Density :math:`p(x \to x', t, \pi)`.

        Parameters
        ----------
        state, next_state : float or ndarray, shapes that broadcast to (N,)

        Returns
        -------
        ndarray, shape (..., N)

        Raises
        ------
        ValueError
            If the std is 0: no step was made, or no noise, and all the probability sits in one point.
        """
        x, y = np.broadcast_arrays(np.asarray(state, float), np.asarray(next_state, float))
        return _normal(y - spread(self.drift, x.ndim) * x, spread(self.std, x.ndim), "after this many steps")


@dataclass(frozen=True, eq=False)
class GaussianVisitation:
    r"""Visitation measure of the linear-quadratic problem, a weighted sum of Gaussians.

    .. math::

        \rho^\pi(x) = \text{mass} \cdot (1 - \gamma) \sum_{t \ge 0} \gamma^t \, N(x; \, c^t \mu_0, \, v_t)

    with :math:`v_0 = \sigma_0^2` and :math:`v_{t+1} = c^2 v_t + w`.

    Parameters
    ----------
    process : LinearGaussianChain
    mass : float
        Total of the measure: :math:`1/(1-\gamma)` as in the slides, or 1 once normalised.

    Examples
    --------
    >>> from pgtlab import LinearGaussianPolicy, LinearQuadraticMDP
    >>> mdp = LinearQuadraticMDP(drift=1, control=1, state_cost=1, action_cost=1, noise_std=0,
    ...                          initial_mean=0, initial_std=1, discount=0.5)
    >>> rho = state_visitation(mdp, LinearGaussianPolicy(gain=-1.0, log_std=0.0))
    >>> rho.mass, rho.second_moment
    (2.0, 2.0)
    """

    process: object
    mass: float

    @property
    def second_moment(self):
        r"""Integral of :math:`x^2` over the measure, float or shape (...)."""
        share = self.mass * (1 - self.process.mdp.discount)
        moment = share * self.process.second_moment
        return moment if np.ndim(moment) else float(moment)

    def density(self, state):
        r"""Density of the measure.

        Parameters
        ----------
        state : float or ndarray, shape (N,)

        Returns
        -------
        ndarray, shape (..., N)
            In visits per unit of state. The sum over t stops where what is left out is below 1e-13 of the
            mass, divided by :math:`\sqrt{2\pi}` times the smallest standard deviation of a term.

        Raises
        ------
        ValueError
            If the std of the start is 0: the measure then has an atom, and no density there. If the sum over
            t has more than a million terms, with a discount above 0.99997.
        """
        mdp, x = self.process.mdp, np.asarray(state, dtype=np.float64)
        c, w = spread(self.process.drift, x.ndim), spread(self.process.noise_variance, x.ndim)
        mean, variance = np.full_like(c, mdp.initial_mean), np.full_like(c, mdp.initial_std**2)
        total, weight = 0.0, self.mass * (1 - mdp.discount)
        if mdp.discount > 0 and np.log(_DENSITY_ERROR) / np.log(mdp.discount) > _MOST_TERMS:
            raise ValueError(
                f"discount is {mdp.discount:.12g}: the density has more than {_MOST_TERMS:g} terms, one a "
                "step; expected a smaller discount. `second_moment` needs no such sum"
            )
        # The terms from t on weigh gamma^t of the mass.
        left, when = 1.0, "at the start"
        while left > _DENSITY_ERROR:
            total = total + weight * left * _normal(x - mean, np.sqrt(variance), when)
            mean, variance = c * mean, c**2 * variance + w
            left, when = left * mdp.discount, "after the start"
        return total


def _normal(deviation, std, when):
    if not (std > 0).all():
        raise ValueError(f"the state has std 0 {when}; expected a std above 0, as a density needs")
    return np.exp(-0.5 * (deviation / std) ** 2) / (std * np.sqrt(2 * np.pi))
