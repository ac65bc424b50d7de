"""Owns the Fisher information, the natural gradient and the divergence of a policy on a problem."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from pgtlab import _validate
from pgtlab.exact.chains import chain
from pgtlab.exact.contrasts import contrasts
from pgtlab.exact.regression import least_squares_on_score
from pgtlab.exact.values import action_values, advantages
from pgtlab.exact.visits import state_visitation
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP, not_a_problem
from pgtlab.policies import LinearGaussianPolicy


@singledispatch
def fisher_information(mdp, policy):
    r"""Fisher information of the policy under the unnormalised visitation measure.

    .. math::

        \mathrm{FIM}(\theta) = \sum_s \rho^\pi(s) \sum_a \pi(s, a; \theta) \,
        \mathrm{SC}(s, a) \, \mathrm{SC}(s, a)^\top,
        \qquad \mathrm{SC} = \frac{\partial \log \pi}{\partial \theta}

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., K, K)
        Symmetric, with eigenvalues of at least 0. An expectation only once divided by the mass of
        `state_visitation`.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, or the visitation measure is infinite (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact. Singular wherever a direction of :math:`\theta` changes no visited action probability: a tabular
    softmax policy has one such direction in every state.

    References
    ----------
    S22 (22.1)-(22.3). S. Kakade, "A natural policy gradient", 2002.

    Examples
    --------
    "Stop" (probability 1/2) ends, "go on" stays: rho = 1 / (1 - 0.9 / 2), and the score is +-1/2.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> fisher_information(mdp, SoftmaxPolicy([[[1.0], [0.0]]], [0.0])).round(6)
    array([[0.454545]])
    """
    raise not_a_problem(mdp)


@fisher_information.register
def _(mdp: FiniteMDP, policy):
    # The sum over the actions of a state is the covariance of the scores, whose mean is 0.
    rho = state_visitation(mdp, policy)
    equations = contrasts(mdp, policy, rho)
    X = np.exp(equations.log_weights / 2)[..., None] * equations.rows
    return np.swapaxes(X, -1, -2) @ X


@fisher_information.register
def _(mdp: LinearQuadraticMDP, policy):
    rho = state_visitation(mdp, policy)
    # With u = k x + s z the scores are z x / s and z^2 - 1: E[(z x / s)^2] = x^2 / s^2, E[(z^2 - 1)^2] = 2,
    # and the product of both has the odd moments E z^3 - E z = 0.
    fim = np.zeros((*policy.std.shape, 2, 2))
    fim[..., 0, 0] = rho.second_moment / policy.std**2
    fim[..., 1, 1] = 2 * rho.mass
    return fim


@singledispatch
def natural_policy_gradient(mdp, policy):
    r"""Natural gradient of the expected return, :math:`\mathrm{FIM}^+ \, \partial J / \partial \theta`.

    The direction in which J rises fastest per unit of change of the policy, where change is measured by the
    Kullback-Leibler divergence in the states that are visited, and not by the length of the step in
    :math:`\theta`. Where the Fisher information is singular, the solution of least norm.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., K)
        In units of reward times units of parameter.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, the expected return does not exist (see `chain`), the theorem
        does not hold (see `policy_gradient`), the solution hangs on visits below 1e-300, or rounding leaves
        open whether features are dependent.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    It solves the least squares problem :math:`\sqrt{\rho \pi} \, (\mathrm{SC} \cdot w - A) \to \min`, written
    with the differences between actions, so that nothing cancels near a deterministic policy; probabilities
    enter by their logarithms and need not be above 1e-308. For a tabular softmax policy the solution is the
    advantage minus its plain mean over the actions, in the states that the policy visits, be it ever so
    seldom: neither visits nor probabilities count.

    Else, where the condition number of the Fisher information, in the 1-norm, is at most 1e8, by its Cholesky
    factor and one step of refinement on the residual: the relative error is about 1e-16 times that condition
    number. Otherwise what the scores can tell apart is found from the scores without their weights, where
    singular values below 1e-14 of the largest count as zero and those between that and 1e-12 are refused, and
    the rest is solved row by row, for weights that may differ by any factor. Nothing is ever added to the
    Fisher information. Visits below 1e-300 are taken for few but unknown: where the solution hangs on their
    ratios, it is refused. With many parameters the cost is about twice that of forming the Fisher
    information, or eleven times where it is singular.

    References
    ----------
    S23 (23.1)-(23.2). S. Kakade, "A natural policy gradient", 2002.

    Examples
    --------
    The advantage of stopping over going on is 2/11; per unit of log odds the policy gains just that.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> natural_policy_gradient(mdp, SoftmaxPolicy([[[1.0], [0.0]]], [0.0])).round(6)
    array([0.181818])
    """
    raise not_a_problem(mdp)


@natural_policy_gradient.register
def _(mdp: FiniteMDP, policy):
    # grad J = X^T y and FIM = X^T X with X = sqrt(rho pi) SC and y = sqrt(rho pi) A: the solution of least
    # norm of X^T X w = X^T y is that of the least squares problem X w = y.
    rho, A = state_visitation(mdp, policy), advantages(mdp, policy)
    return least_squares_on_score(mdp, policy, rho, A, squared=True)


@natural_policy_gradient.register
def _(mdp: LinearQuadraticMDP, policy):
    Q = action_values(mdp, policy)
    # The gradient is 2 (Q_xu + Q_uu k) Sigma in k and 2 s^2 Q_uu mass in log s, the Fisher information is
    # diagonal with Sigma / s^2 and 2 mass, so that Sigma and mass cancel, however small.
    variance, Q_uu = policy.std**2, Q.matrix[..., 1, 1]
    in_gain = 2 * variance * (Q.matrix[..., 0, 1] + Q_uu * policy.gain)
    return np.stack([in_gain * (not stays_at_zero(mdp)), variance * Q_uu], axis=-1)


def stays_at_zero(mdp):
    """Whether the state of a linear-quadratic problem is 0 for ever, so that the gain has no say."""
    moves = mdp.discount > 0 and (mdp.control != 0 or mdp.noise_std > 0)
    return mdp.initial_mean == 0 and mdp.initial_std == 0 and not moves


@singledispatch
def kl_divergence(mdp, policy, other):
    r"""Kullback-Leibler divergence of one policy from another, in the states that the first one visits.

    .. math::

        \mathrm{KL}(\pi, \pi') = \sum_s \rho^\pi(s) \sum_a \pi(s, a) \log \frac{\pi(s, a)}{\pi'(s, a)}
        = \tfrac12 \, d^\top \mathrm{FIM}(\theta) \, d + O(|d|^3), \qquad d = \theta' - \theta

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy, other : FinitePolicy or LinearGaussianPolicy
        :math:`\pi` and :math:`\pi'`; or batches whose leading axes broadcast.

    Returns
    -------
    float, or ndarray of shape (...) for a batch
        At least 0, in nats times visits: like :math:`\rho^\pi` it is not normalised. Infinite if `other`
        never does what `policy` does.

    Raises
    ------
    ValueError
        If a policy does not fit the problem, or the visitation measure is infinite (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact, from the logarithms of the probabilities: right also where a probability underflows, and to nearly
    all digits for two policies that are close.

    References
    ----------
    S23. S. Kakade, "A natural policy gradient", 2002, section 2.

    Examples
    --------
    One state in which every action ends the episode, so that it is visited once.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [0.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> fair, biased = SoftmaxPolicy.tabular([[0.0, 0.0]]), SoftmaxPolicy.tabular([[0.0, np.log(3.0)]])
    >>> round(kl_divergence(mdp, fair, biased), 6), round(np.log(2 / 3**0.5).item(), 6)
    (0.143841, 0.143841)
    """
    raise not_a_problem(mdp)


@kl_divergence.register
def _(mdp: FiniteMDP, policy, other):
    rho, p = state_visitation(mdp, policy), policy.probs()
    q, log_p = chain(mdp, other).probs, policy.log_probs()
    with np.errstate(invalid="ignore"):
        x = other.log_probs() - log_p
    # The probabilities sum to 1, so sum p log(p/q) = sum (q - p - p x) with x = log(q/p). Each term is at
    # least 0, and nothing cancels; where x is small it is p (e^x - 1 - x), and where p is 0 it is q.
    near = np.abs(x) < 1
    with np.errstate(invalid="ignore"):
        terms = np.where(np.isneginf(log_p), q, q - p - p * x)
    terms[near] = (p * _above_tangent(np.where(near, x, 0.0)))[near]
    nats = np.maximum(terms, 0.0).sum(-1)
    total = np.where(rho > 0, rho * nats, 0.0).sum(-1)
    return total if total.ndim else float(total)


@kl_divergence.register
def _(mdp: LinearQuadraticMDP, policy, other):
    rho = state_visitation(mdp, policy)
    _validate.instance("other", other, LinearGaussianPolicy)
    # KL(N(kx, s^2), N(k'x, s'^2)) = (e^d - 1 - d) / 2 + (k - k')^2 x^2 / (2 s'^2) with d = 2 log(s/s')
    per_visit = 0.5 * _above_tangent(2 * (policy.log_std - other.log_std))
    per_square = 0.5 * ((policy.gain - other.gain) / other.std) ** 2
    total = per_visit * rho.mass + per_square * rho.second_moment
    return total if np.ndim(total) else float(total)


def _above_tangent(x):
    """Return e^x - 1 - x."""
    # Near 0 by its series, whose next term is x^6 / 720: below, the difference would keep few digits.
    series = x**2 / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5)))
    with np.errstate(over="ignore"):
        return np.where(np.abs(x) < 1e-3, series, np.expm1(x) - x)
