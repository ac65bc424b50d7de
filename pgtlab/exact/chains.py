"""Owns the step from a decision process to a plain one: a fixed policy turns an MDP into a Markov chain.

On the chain nothing is decided any more. Values and visits are two linear systems with one matrix,
:math:`I - \\gamma P_\\pi` and its transpose, so one factorisation serves both.
"""

from __future__ import annotations

from pgtlab import _validate
from pgtlab.exact.finite_chain import FiniteChain
from pgtlab.exact.gaussian_chain import LinearGaussianChain
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP, not_a_problem

__all__ = ["chain"]

_last = None


def chain(mdp, policy):
    r"""Markov chain that an MDP becomes under a fixed policy.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    FiniteChain or LinearGaussianChain

    Raises
    ------
    ValueError
        If the policy is for a problem of another shape, if `discount` is 1 and the episode need not end, be
        it by a probability that underflows (see `FiniteChain`), if rounding would leave fewer than 8 digits,
        or if the feedback gain is one for which the expected return does not exist.
    TypeError
        If `mdp` or `policy` is of no type known here, or the two do not go together.

    Notes
    -----
    The last chain is kept, so that quantities asked for in turn share its factorisation. It is used again
    only for the same `mdp` object and equal action probabilities; at discount 1, where one of these is 0,
    only for the same `policy` object too.

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> process = chain(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]]))
    >>> process.transition, process.reward
    (array([[0.5]]), array([0.5]))
    """
    global _last
    if not isinstance(mdp, FiniteMDP):
        if not isinstance(mdp, LinearQuadraticMDP):
            raise not_a_problem(mdp)
        _validate.instance("policy", policy, LinearGaussianChain.policies)
        return LinearGaussianChain(mdp, policy)
    _validate.instance("policy", policy, FiniteChain.policies)
    probs = policy.sound_probs()
    kept = _last
    if kept is None or not kept.serves(mdp, probs, policy):
        kept = _last = FiniteChain(mdp, probs, policy)
    return kept
