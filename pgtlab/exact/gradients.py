"""Owns the gradient of the expected return: by the theorem, and by differences as its reference."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.exact.chains import chain
from pgtlab.exact.values import expected_return


def policy_gradient(mdp, policy):
    r"""Gradient of the expected return, by the policy gradient theorem.

    .. math::

        \frac{\partial J}{\partial \theta}
        = \sum_s \rho^\pi(s) \sum_a \frac{\partial \pi(s, a; \theta)}{\partial \theta} \, Q^\pi(s, a)

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., K)
        In units of reward per unit of parameter.

    Raises
    ------
    ValueError, TypeError
        As `chain`. At discount 1 ValueError also if an action of probability 0 may lead, from a state that
        the start reaches by whatever actions, to a state from which the end is not sure: the theorem does
        not cover that.

    Notes
    -----
    Exact: two linear solves with one factorisation, and one pass over the transitions. The sum is taken with
    the advantages, as :math:`\sum_a \partial \pi(s, a) / \partial \theta = 0`: with a discount near 1,
    or a policy that is nearly deterministic, Q would cancel.

    An action of probability 0 counts 0, whatever its Q. That is right if its probability is an underflow, or
    0 for all parameters. If it is neither, the theorem at discount 1 needs an end that is sure, at these
    parameters, from every state that is reached under some parameters nearby; which those are the package
    cannot see, so it asks it of every state that some actions lead to.

    References
    ----------
    S9 (9.1). R. S. Sutton, D. McAllester, S. Singh and Y. Mansour, "Policy gradient methods for
    reinforcement learning with function approximation", 2000, theorem 1.

    Examples
    --------
    In the only state "stop" (probability p) pays 1 and ends, "go on" pays 0 and stays. So
    J = p + (1 - p) J / 2 and dJ/dp = 2 / (1 + p)^2. At p = 1/2, where dp/dtheta = 1/4 for the preference
    of stopping, that is 2/9.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy_gradient(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]])).round(6)
    array([ 0.222222, -0.222222])
    """
    process = chain(mdp, policy)
    process.check_slope()
    # sum_s rho(s) sum_a d pi(s, a) Q(s, a), with d pi = pi SC; and sum_a d pi Q = sum_a d pi A
    return process.score_mean(policy, process.advantages())


def policy_gradient_by_differences(mdp, policy, *, step=2e-4):
    r"""Gradient of the expected return, by central differences; the reference for `policy_gradient`.

    .. math::

        \frac{\partial J}{\partial \theta_k} \approx
        \frac{8 [J(\theta + h e_k) - J(\theta - h e_k)] - [J(\theta + 2 h e_k) - J(\theta - 2 h e_k)]}{12 h}

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.
    step : float
        h, above 0.

    Returns
    -------
    ndarray, shape (..., K)
        In units of reward per unit of parameter.

    Raises
    ------
    ValueError, TypeError
        As `chain`, or if `step` is no number above 0.

    Notes
    -----
    The error has two parts: h^4 / 30 times the fifth derivative of J, and about 1e-16 :math:`|J|` / h of
    rounding. It knows nothing of the theorem: four expected returns for each parameter.

    References
    ----------
    M. Abramowitz and I. Stegun, *Handbook of Mathematical Functions*, formula 25.3.6.

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy_gradient_by_differences(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]])).round(6)
    array([ 0.222222, -0.222222])
    """
    step = _validate.number("step", step)
    if step <= 0:
        raise ValueError(f"step is {step:g}; expected a number above 0")
    # Only to check that the two go together, before the policy is asked for its parameters.
    chain(mdp, policy)
    theta = policy.parameters

    def J(shift):
        return expected_return(mdp, policy.with_parameters(theta + shift))

    def slope(direction):
        near, far = step * direction, 2 * step * direction
        return (8 * (J(near) - J(-near)) - (J(far) - J(-far))) / (12 * step)

    return np.stack([slope(each) for each in np.eye(theta.shape[-1])], axis=-1)
