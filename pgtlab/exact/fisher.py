"""Owns the Fisher information, the natural gradient and the divergence of a policy on a problem."""

from __future__ import annotations

from pgtlab import _validate
from pgtlab.exact.chains import chain
from pgtlab.quadratic import scalar


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
    ValueError, TypeError
        As `chain`.

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
    return chain(mdp, policy).fisher_information(policy)


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
    ValueError, TypeError
        As `policy_gradient`. ValueError also if the solution hangs on visits below 1e-300, or if rounding
        leaves open whether features are dependent.

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
    process = chain(mdp, policy)
    # FIM^+ E[SC A], the w with which SC w comes nearest to A
    return process.score_fit(policy, process.advantages(), squared=True)


def kl_divergence(mdp, policy, other):
    r"""Kullback-Leibler divergence of one policy from another, in the states that the first one visits.

    .. math::

        \mathrm{KL}(\pi, \pi') &= \sum_s \rho^\pi(s) \sum_a \pi(s, a) \log \frac{\pi(s, a)}{\pi'(s, a)} \\
        &= \tfrac12 \, d^\top \mathrm{FIM}(\theta) \, d + O(|d|^3), \qquad d = \theta' - \theta

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
    ValueError, TypeError
        As `chain`.

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

    >>> import numpy as np
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [0.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> fair, biased = SoftmaxPolicy.tabular([[0.0, 0.0]]), SoftmaxPolicy.tabular([[0.0, np.log(3.0)]])
    >>> round(kl_divergence(mdp, fair, biased), 6), round(np.log(2 / 3**0.5).item(), 6)
    (0.143841, 0.143841)
    """
    process = chain(mdp, policy)
    _validate.instance("other", other, process.policies)
    # Only to refuse what does not fit the problem.
    chain(mdp, other)
    # sum_s rho(s) sum_a pi(s, a) log(pi(s, a) / pi'(s, a))
    return scalar(process.mean_over_visits(policy.divergence_from(other)))
