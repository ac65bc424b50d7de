"""Owns the exact side of compatible critics: the least squares of (17.2), its loss and its gradient."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.exact.chains import chain
from pgtlab.exact.regression import RANK_TOLERANCE
from pgtlab.exact.values import action_values, advantages
from pgtlab.mdp import LinearQuadraticMDP
from pgtlab.policies import FinitePolicy, LinearGaussianPolicy
from pgtlab.quadratic import Quadratic, scalar


def compatible_weights(mdp, policy, *, offset=None):
    r"""Weights of the compatible critic that is closest to the action values.

    .. math::

        w = \arg\min_w \; \sum_s \rho^\pi(s) \sum_a \pi(s, a; \theta) \,
        \big( Q^\pi(s, a) - b(s, a) - \mathrm{SC}(s, a) \cdot w \big)^2

    Without an offset b this is the natural gradient.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.
    offset : array_like, shape (S, A) or (..., S, A), or Quadratic, optional
        b, a part of the critic that has no parameters; for the linear-quadratic problem a Quadratic of state
        and action. The critic :math:`\mathrm{SC} \cdot w + b` still meets (17.1), and its gradient (17.3) is
        exact whatever b is; but w falls short of the natural gradient by
        :math:`\mathrm{FIM}^+ E_{\rho, \pi}[\mathrm{SC} \, b]`, which is 0 if b depends on the state alone.

    Returns
    -------
    ndarray, shape (..., K)
        The minimiser of least norm, in units of reward.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, the expected return does not exist (see `chain`), the
        offset has the wrong shape, the theorem does not hold (see `policy_gradient`), the weights hang on
        visits below 1e-300, or rounding leaves open whether features are dependent.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact, by least squares on :math:`A^\pi`, which differs from :math:`Q^\pi` by what no score sees. The
    equations are those of `natural_policy_gradient`, action against action; the solver is another where the
    visits are of the same order, singular values in place of the Fisher information. What the scores can tell
    apart does not hang on how often it is visited: without their weights, singular values below 1e-14 of the
    largest count as zero, and between that and 1e-12 they are refused.

    References
    ----------
    S17 (17.2), S23 (23.2), point 10 of "what the slides leave out". R. S. Sutton, D. McAllester, S. Singh and
    Y. Mansour, "Policy gradient methods for reinforcement learning with function approximation", 2000,
    theorem 2. S. Kakade, "A natural policy gradient", 2002, theorem 1.

    Examples
    --------
    "Later" is worth 9 by the discount, "now" pays 1; their scores are 1/2 and -1/2. The line through both
    values has the slope 8.

    >>> from pgtlab.gallery import now_or_later
    >>> compatible_weights(*now_or_later()).round(6)
    array([8.])
    """
    # Q less the state value, which is orthogonal to the score in every state
    values = advantages(mdp, policy)
    if offset is not None:
        values = values - _offset(mdp, offset)
    return chain(mdp, policy).score_fit(policy, values)


def compatible_values(policy, w):
    r"""Critic that is linear in the score, :math:`Q(s, a; w) = \mathrm{SC}(s, a; \theta) \cdot w`.

    Its gradient in w is the score, as (17.1) asks, and its mean over the policy's actions is 0 in every
    state: it approximates the advantage.

    Parameters
    ----------
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.
    w : array_like, shape (K,) or (..., K)

    Returns
    -------
    ndarray, shape (..., S, A), or Quadratic
        In the units of `w`. For a Gaussian policy a function of state and action,
        :math:`w_1 z x / \sigma + w_2 (z^2 - 1)` with :math:`z = (u - k x) / \sigma`.

    Raises
    ------
    ValueError
        If w does not have one entry for each parameter of the policy, or is not finite.
    TypeError
        If an argument is of the wrong type.

    References
    ----------
    S21 (21.1)-(21.2).

    Examples
    --------
    >>> from pgtlab.gallery import now_or_later
    >>> _, policy = now_or_later(probability_later=0.5)
    >>> compatible_values(policy, [8.0])
    array([[ 4., -4.],
           [ 0.,  0.]])
    """
    if not isinstance(policy, LinearGaussianPolicy):
        _validate.instance("policy", policy, FinitePolicy)
    return policy.scores_along(weights_for(policy, w))


def compatible_gradient(mdp, policy, w, *, offset=None):
    r"""Policy gradient with a compatible critic in the place of the action values.

    .. math::

        \sum_s \rho^\pi(s) \sum_a \frac{\partial \pi(s, a; \theta)}{\partial \theta} \,
        \big( \mathrm{SC}(s, a) \cdot w + b(s, a) \big) = \mathrm{FIM} \cdot w + \text{part of } b

    With `compatible_weights`, or any other minimiser of the same loss, it is the policy gradient, exactly.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.
    w : array_like, shape (K,) or (..., K)
    offset : array_like, shape (S, A) or (..., S, A), or Quadratic, optional
        b, as for `compatible_weights`.

    Returns
    -------
    ndarray, shape (..., K)
        In units of reward per unit of parameter.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, the visitation measure is infinite, or w or the offset has the
        wrong shape.
    TypeError
        If an argument is of the wrong type.

    References
    ----------
    S17 (17.3), S22 (22.1).

    Examples
    --------
    >>> from pgtlab.gallery import now_or_later
    >>> compatible_gradient(*now_or_later(), [8.0]).round(6)
    array([2.])
    """
    process = chain(mdp, policy)
    gradient = process.score_mean(policy, compatible_values(policy, w))
    return gradient if offset is None else gradient + process.score_mean(policy, _offset(mdp, offset))


def compatibility_error(mdp, policy, w, *, offset=None):
    r"""Loss of a compatible critic, the mean squared distance from the action values.

    .. math::

        \epsilon(w) = \sum_s \rho^\pi(s) \sum_a \pi(s, a; \theta) \,
        \big( Q^\pi(s, a) - b(s, a) - \mathrm{SC}(s, a) \cdot w \big)^2

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.
    w : array_like, shape (K,) or (..., K)
    offset : array_like, shape (S, A) or (..., S, A), or Quadratic, optional
        b, as for `compatible_weights`.

    Returns
    -------
    float, or ndarray of shape (...) for a batch
        In units of reward squared times visits. At its least it is still as large as what of
        :math:`Q^\pi` depends on the state alone: a compatible critic approximates the advantage.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, the expected return does not exist (see `chain`), or w or the
        offset has the wrong shape.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact. In the linear-quadratic problem it is infinite once :math:`\gamma c^4 \ge 1` for the closed-loop
    drift c, though the expected return exists as long as :math:`\gamma c^2 < 1`.

    References
    ----------
    S17 (17.2).

    Examples
    --------
    Q is (9, 1) in the first state, visited once, and 10 in the second, visited 0.45 times: with w = 8 the
    critic misses it by the state values 5 and 10.

    >>> from pgtlab.gallery import now_or_later
    >>> round(compatibility_error(*now_or_later(), [8.0]), 6)
    70.0
    """
    missed = action_values(mdp, policy)
    if offset is not None:
        missed = missed - _offset(mdp, offset)
    return scalar(chain(mdp, policy).mean_square(policy, missed, weights_for(policy, w)))


def minimisers(mdp, policy):
    r"""All the minimisers of (17.2): one of them, and the directions in which the loss is flat.

    Every minimiser is :math:`w + \sum_i c_i d_i`. The critic is the same for all of them wherever the policy
    goes, and so is the gradient (17.3).

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        One policy, no batch.

    Returns
    -------
    w : ndarray, shape (K,)
        The minimiser of least norm, `compatible_weights`.
    directions : ndarray, shape (m, K)
        The :math:`d_i`, an orthonormal basis of the null space of the Fisher information; m may be 0.

    Raises
    ------
    ValueError
        If the policy is a batch or does not fit the problem, or the expected return does not exist.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Singular values of the scores below 1e-14 of the largest count as zero, however often they are visited;
    between that and 1e-12 they are refused. A tabular softmax policy has one direction for each state, all
    preferences of which rise together, and one more for each further action of a state that is not visited.

    References
    ----------
    Point 2 of "what the slides leave out".

    Examples
    --------
    In each of the two states, preferences that rise together change nothing.

    >>> from pgtlab import SoftmaxPolicy
    >>> from pgtlab.gallery import now_or_later
    >>> mdp, _ = now_or_later()
    >>> w, directions = minimisers(mdp, SoftmaxPolicy.tabular([[0.0, 0.0], [0.0, 0.0]]))
    >>> w.round(6)[:2], directions.shape
    (array([ 4., -4.]), (2, 4))
    """
    w = compatible_weights(mdp, policy)
    if w.ndim > 1:
        raise ValueError(f"policy is a batch of shape {w.shape[:-1]}; expected one policy")
    return w, chain(mdp, policy).flat_directions(policy)


# --- for the other files of this room ----------------------------------------------------------------


def least_norm(matrix, right, back=None, unseen=None):
    """Return the least squares solution of least norm, each row and each column in its own units.

    Parameters
    ----------
    matrix : ndarray, shape (r, r)
    right : ndarray, shape (r,)
    back : ndarray, shape (K, r), optional
        Takes a solution to the parameters, in which it is least.
    unseen : ndarray, shape (m, K), optional
        Directions of the parameters in which it is 0.

    Returns
    -------
    ndarray, shape (K,) or (r,)
    """
    r = len(right)
    back = np.eye(r) if back is None else back
    unseen = np.zeros((0, len(back))) if unseen is None else unseen
    for axis in (1, 0):
        unit = np.abs(matrix).max(axis, keepdims=True)
        unit = np.where(unit > 0, unit, 1.0)
        matrix = matrix / unit
        if axis:
            right = right / unit[:, 0]
        else:
            back = back / unit
    U, singular, Vt = np.linalg.svd(matrix)
    rank = int((singular > RANK_TOLERANCE * singular[0]).sum())
    w = back @ (Vt[:rank].T @ (U[:, :rank].T @ right / singular[:rank]))
    flat = np.linalg.qr(np.concatenate([unseen.T, back @ Vt[rank:].T], axis=1))[0]
    return w - flat @ (flat.T @ w)


def weights_for(policy, w, name="w"):
    """Return `w` as an array with one entry for each parameter of the policy."""
    w = _validate.array(name, w, "(..., K)")
    K = policy.parameters.shape[-1]
    if w.shape[-1] != K:
        raise ValueError(
            f"{name} has shape {w.shape}; expected (..., {K}), one for each parameter of the policy"
        )
    return w


def _offset(mdp, offset):
    """Return the fixed part of a critic: a table (..., S, A), or a Quadratic of state and action."""
    if isinstance(mdp, LinearQuadraticMDP):
        _validate.instance("offset", offset, Quadratic)
        if offset.matrix.shape[-1] != 2:
            raise ValueError("offset is a Quadratic of 1 variable; expected one of state and action")
        return offset
    offset = _validate.array("offset", offset, "(..., S, A)")
    S, A = mdp.reward.shape
    if offset.shape[-2:] != (S, A):
        raise ValueError(f"offset has shape {offset.shape}; expected (..., S, A) = (..., {S}, {A})")
    return offset
