"""Owns the geometry of policies: Fisher information, Kullback-Leibler divergence, the natural gradient."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from pgtlab import _validate
from pgtlab.chain import chain
from pgtlab.chain.finite import lapack
from pgtlab.evaluation import advantages
from pgtlab.gradients import policy_gradient
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP, not_a_problem
from pgtlab.policies import LinearGaussianPolicy, SoftmaxPolicy
from pgtlab.visitation import state_visitation

#: Singular values of the weighted scores below this share of the largest one count as zero.
RANK_TOLERANCE = 1e-12

#: Condition number of the Fisher information, in the 1-norm, up to which the normal equations are solved.
WELL_CONDITIONED = 1e8


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
    X = _scaled_scores(policy, state_visitation(mdp, policy)[..., None] * policy.probs())
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
        If the policy does not fit the problem, or the expected return does not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    It solves the least squares problem :math:`\sqrt{\rho \pi} \, (\mathrm{SC} \cdot w - A) \to \min`. Where
    the condition number of the Fisher information, in the 1-norm, is at most 1e8, by its Cholesky factor and
    one step of refinement on the residual: the relative error is about 1e-16 times that condition number, as
    with singular values. Else, and so wherever it is singular, by the singular values of
    :math:`\sqrt{\rho \pi} \, \mathrm{SC}`: those below 1e-12 of the largest count as zero. Nothing is ever
    added to the Fisher information. With many parameters the cost is about twice that of forming it, or six
    times by the singular values. A tabular policy needs neither.

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
    rho, A = state_visitation(mdp, policy), advantages(mdp, policy)
    # What is never visited has no say; at discount 1 its A need not exist.
    weights = rho[..., None] * policy.probs()
    A = np.where(weights > 0, A, 0.0)
    if getattr(policy, "is_tabular", False):
        return _tabular(weights, A)
    # grad J = X^T y and FIM = X^T X with X = sqrt(rho pi) SC and y = sqrt(rho pi) A: the solution of least
    # norm of X^T X w = X^T y is that of the least squares problem X w = y.
    X, y = _scaled_scores(policy, weights), _pairs(np.sqrt(weights) * A)
    return _least_norm(X, y)


@natural_policy_gradient.register
def _(mdp: LinearQuadraticMDP, policy):
    # The Fisher information is diagonal. For a state that is 0 for ever the gain has none, and no gradient.
    gradient = policy_gradient(mdp, policy)
    information = np.einsum("...kk->...k", fisher_information(mdp, policy))
    return np.divide(gradient, information, where=information > 0, out=np.zeros_like(gradient))


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
    Exact.

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
    rho, probs = state_visitation(mdp, policy), policy.probs()
    others = chain(mdp, other).probs
    # Where pi is 0 the limit of pi log pi is 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(probs > 0, np.log(probs) - np.log(others), 0.0)
    nats = (probs * ratio).sum(-1)
    total = np.where(rho > 0, rho * nats, 0.0).sum(-1)
    return total if total.ndim else float(total)


@kl_divergence.register
def _(mdp: LinearQuadraticMDP, policy, other):
    rho = state_visitation(mdp, policy)
    _validate.instance("other", other, LinearGaussianPolicy)
    # KL(N(kx, s^2), N(k'x, s'^2)) = log s'/s + (s^2 + (k - k')^2 x^2) / (2 s'^2) - 1/2
    per_visit = other.log_std - policy.log_std + 0.5 * (policy.std / other.std) ** 2 - 0.5
    per_square = 0.5 * ((policy.gain - other.gain) / other.std) ** 2
    total = per_visit * rho.mass + per_square * rho.second_moment
    return total if np.ndim(total) else float(total)


def _scaled_scores(policy, weights):
    """Return sqrt(rho pi) SC as a matrix of shape (..., S*A, K)."""
    scores = policy.scores()
    # A softmax policy makes them afresh at each call; a reader's own may hand out an array that it keeps.
    own = type(policy) is SoftmaxPolicy
    X = np.multiply(np.sqrt(weights)[..., None], scores, out=scores if own else None)
    return X.reshape(*X.shape[:-3], -1, X.shape[-1])


def _pairs(values):
    """Return (..., S, A) as (..., S*A)."""
    return values.reshape(*values.shape[:-2], -1)


def _tabular(weights, A):
    """Return the solution of least norm for a tabular softmax policy."""
    # The score of (s, a) is e_sa - sum_b pi(s, b) e_sb: w = A solves the least squares problem, and so does
    # A plus any function of the state. The norm is least if w sums to 0 over the actions that are taken.
    taken = weights > 0
    mean = A.sum(-1, keepdims=True) / np.maximum(taken.sum(-1, keepdims=True), 1)
    return _pairs(np.where(taken, A - mean, 0.0))


def _least_norm(X, y):
    """Return the least squares solution of least norm of X w = y, for one problem or a stack of them."""
    if X.ndim == 2:
        try:
            return _by_lapack(X, y)
        except ImportError:
            pass
    with np.errstate(over="ignore", invalid="ignore"):
        F = np.swapaxes(X, -1, -2) @ X
    good = np.linalg.cond(F, 1) <= WELL_CONDITIONED
    w = np.empty((*X.shape[:-2], X.shape[-1]))
    if good.any():
        w[good] = _refined(X[good], y[good], lambda right: np.linalg.solve(F[good], right[..., None])[..., 0])
    if not good.all():
        w[~good] = _by_singular_values(X[~good], y[~good])
    return w


def _by_lapack(X, y):
    """Return the same for one problem; ImportError without SciPy."""
    routines = lapack()
    with np.errstate(over="ignore", invalid="ignore"):
        F = X.T @ X
        norm = np.abs(F).sum(0).max()
    # F is symmetric, so F.T is F in Fortran order: nothing is copied.
    factor, failed = routines.dpotrf(F.T, clean=0, overwrite_a=1)
    # The reciprocal of the condition number, NaN if something else is.
    share = 0.0 if failed else routines.dpocon(factor, norm)[0]
    if share * WELL_CONDITIONED >= 1:
        return _refined(X, y, lambda right: routines.dpotrs(factor, right)[0])
    return _by_singular_values(X, y)


def _refined(X, y, solve):
    """Return the solution of X^T X w = X^T y by `solve`, improved once on the residual of X w = y."""
    w = solve(_rows_times(y, X))
    residual = y - (X @ w[..., None])[..., 0]
    return w + solve(_rows_times(residual, X))


def _by_singular_values(X, y):
    w = np.empty((*X.shape[:-2], X.shape[-1]))
    for at in np.ndindex(X.shape[:-2]):
        w[at] = np.linalg.lstsq(X[at], y[at], rcond=RANK_TOLERANCE)[0]
    return w


def _rows_times(row, matrix):
    """Return the product of a row vector (..., n) and a matrix (..., n, m)."""
    return (row[..., None, :] @ matrix)[..., 0, :]
