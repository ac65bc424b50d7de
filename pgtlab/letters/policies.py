"""Owns the policies with letters: the softmax, and the policy of which nothing is known but that it moves."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp


@dataclass(frozen=True)
class SymbolicPolicy:
    r"""Policy over finitely many states and actions whose probabilities are expressions in its parameters.

    Attributes
    ----------
    parameters : tuple of sympy.Symbol, length K
        :math:`\theta`.
    probs : sympy.Matrix, shape (S, A)
        :math:`\pi(s, a; \theta)`.
    """

    parameters: tuple
    probs: sp.Matrix

    @property
    def derivatives(self):
        r"""Derivatives :math:`\partial \pi(s, a; \theta) / \partial \theta_k`, K matrices (S, A)."""
        return tuple(self.probs.diff(each) for each in self.parameters)

    @property
    def scores(self):
        r"""Scores :math:`\partial \log \pi(s, a; \theta) / \partial \theta_k`, K matrices (S, A)."""
        return tuple(
            sp.Matrix(*self.probs.shape, lambda s, a, dpi=dpi: dpi[s, a] / self.probs[s, a])
            for dpi in self.derivatives
        )


def softmax(features=None, *, n_states=2, n_actions=2):
    r"""Softmax of linear preferences, :math:`\pi(s, a; \theta) \propto \exp(\phi(s, a) \cdot \theta)`.

    Parameters
    ----------
    features : nested sequence, shape (S, A, K), optional
        :math:`\phi(s, a)`, numbers or expressions. Without them the policy is tabular: a parameter
        :math:`\theta_{sa}` for each state and action.
    n_states, n_actions : int
        S and A of the tabular policy.

    Returns
    -------
    SymbolicPolicy

    Raises
    ------
    ValueError
        If the features are not all of one length.

    Examples
    --------
    >>> policy = softmax([[[1], [0]]])
    >>> policy.probs
    Matrix([[exp(theta_0)/(exp(theta_0) + 1), 1/(exp(theta_0) + 1)]])
    >>> policy.scores[0].subs(policy.parameters[0], 0)
    Matrix([[1/2, -1/2]])
    """
    if features is None:
        theta = sp.symbols([f"theta_{s}{a}" for s in range(n_states) for a in range(n_actions)])
        logits = sp.Matrix(n_states, n_actions, theta)
    else:
        K = len(features[0][0])
        for s, row in enumerate(features):
            for a, phi in enumerate(row):
                if len(phi) != K:
                    raise ValueError(
                        f"features[{s}][{a}] has {len(phi)} entries; expected {K}, as features[0][0]"
                    )
        theta = sp.symbols([f"theta_{k}" for k in range(K)])
        logits = sp.Matrix(
            [[sum(f * each for f, each in zip(phi, theta, strict=True)) for phi in row] for row in features]
        )
    weight = logits.applyfunc(sp.exp)
    return SymbolicPolicy(
        tuple(theta), sp.Matrix(*weight.shape, lambda s, a: weight[s, a] / sum(weight[s, :]))
    )


def any_policy(n_parameters=1, *, n_states=2, n_actions=2):
    r"""Policy of which nothing is known: every probability is a function of the parameters.

    The last action of each state has what the others leave of 1, so the derivatives sum to 0 over the
    actions. What SymPy proves for it holds for every policy that can be differentiated.

    Parameters
    ----------
    n_parameters : int
    n_states, n_actions : int

    Returns
    -------
    SymbolicPolicy

    Examples
    --------
    >>> any_policy(n_states=1).derivatives[0]
    Matrix([[Derivative(pi_00(theta), theta), -Derivative(pi_00(theta), theta)]])
    """
    theta = (sp.Symbol("theta"),) if n_parameters == 1 else tuple(sp.symbols(f"theta_:{n_parameters}"))
    rows = [[sp.Function(f"pi_{s}{a}")(*theta) for a in range(n_actions - 1)] for s in range(n_states)]
    return SymbolicPolicy(theta, sp.Matrix([[*row, 1 - sum(row)] for row in rows]))
