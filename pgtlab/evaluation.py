"""Owns the values of a policy: V, Q, A and J."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from pgtlab.chain import chain
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP, not_a_problem
from pgtlab.policies.linear_gaussian import spread

#: Share of the largest reward by which the mean advantage of a policy may miss 0.
_DIGITS = 1e-10


@singledispatch
def state_values(mdp, policy):
    r"""State values, the expected discounted return from each state on.

    .. math:: V^\pi(s) = E\Big[\sum_{t \ge k} \gamma^{t-k} r_t \,\Big|\, s_k = s, \pi\Big]

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S), or Quadratic
        In units of reward. For the linear-quadratic problem a function of the state,
        :math:`V(x) = -P x^2 - d`. At discount 1, NaN in states that the start does not reach and
        from which the episode need not end.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, or the values do not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact: one linear solve, relative error about 1e-16 / (1 - discount).

    References
    ----------
    S7 (7.2). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 3.5.

    Examples
    --------
    In the only state "stop" pays 1 and ends, "go on" pays 0 and stays; both have probability 1/2:
    V = 1/2 + 0.9 V / 2, so V = 1 / 1.1.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> state_values(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]])).round(6)
    array([0.909091])
    """
    raise not_a_problem(mdp)


@state_values.register
def _(mdp: FiniteMDP, policy):
    process = chain(mdp, policy)
    # V = r_pi + gamma P_pi V  <=>  (I - gamma P_pi) V = r_pi
    return process.solve(process.reward)


@state_values.register
def _(mdp: LinearQuadraticMDP, policy):
    process = chain(mdp, policy)
    gamma, P = mdp.discount, process.curvature
    # V(x) = -P x^2 - d  with  d = r s^2 + gamma (P w + d),  w the variance of x' given x
    d = (mdp.action_cost * policy.std**2 + gamma * P * process.noise_variance) / (1 - gamma)
    return Quadratic(-P[..., None, None], -d)


@singledispatch
def action_values(mdp, policy):
    r"""Action values, the expected discounted return after an action in a state.

    .. math:: Q^\pi(s, a) = R^a_s + \gamma \sum_{s'} P^a_{s,s'} V^\pi(s')

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S, A), or Quadratic
        In units of reward. For the linear-quadratic problem a function of state and action.
        NaN where `state_values` is, and for an action, never taken, that may lead to such a state.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, or the values do not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact: one linear solve and one pass over the transitions.

    References
    ----------
    S7 (7.3), S11 (11.1).

    Examples
    --------
    Stopping gives 1 at once; going on gives 0 and 0.9 times the value 1 / 1.1 of being there again.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> action_values(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]])).round(6)
    array([[1.      , 0.818182]])
    """
    raise not_a_problem(mdp)


@action_values.register
def _(mdp: FiniteMDP, policy):
    return _backed_up(mdp, state_values(mdp, policy), chain(mdp, policy))


@action_values.register
def _(mdp: LinearQuadraticMDP, policy):
    V = state_values(mdp, policy)
    gamma, a, b = mdp.discount, mdp.drift, mdp.control
    # Q(x, u) = -q x^2 - r u^2 + gamma E V(a x + b u + e)
    H = gamma * V.matrix * np.outer([a, b], [a, b]) - np.diag([mdp.state_cost, mdp.action_cost])
    return Quadratic(H, gamma * (V.constant + V.matrix[..., 0, 0] * mdp.noise_std**2))


@singledispatch
def advantages(mdp, policy):
    r"""Advantages, how much better an action is than what the policy does on average.

    .. math:: A^\pi(s, a) = Q^\pi(s, a) - V^\pi(s)

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    ndarray, shape (..., S, A), or Quadratic
        In units of reward; the mean over the policy's actions is 0 in every state.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, the values do not exist (see `chain`), or they lose all their
        digits, as they may within 1e-13 of discount 1.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Exact, from :math:`R + \gamma \sum_{s'} P^a_{s,s'} (V(s') - V(s)) - (1 - \gamma) V(s)`: the constant that
    the values have in common, as large as :math:`1 / (1 - \gamma)`, is never subtracted from itself. What the
    mean over the actions misses of 0 is the residual of V, and corrects it, until that is down to rounding.

    References
    ----------
    S7 (7.4).

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> advantages(mdp, SoftmaxPolicy.tabular([[0.0, 0.0]])).round(6)
    array([[ 0.090909, -0.090909]])
    """
    raise not_a_problem(mdp)


@advantages.register
def _(mdp: FiniteMDP, policy):
    process = chain(mdp, policy)
    exists, scale = process.ends, np.abs(mdp.reward).max()
    # V as the sum of two parts, of which the second holds the digits that the first has no room for.
    V, rest, before = np.where(exists, process.solve(process.reward), 0.0), None, np.inf
    while True:
        A = mdp.reward + _change(mdp, V)
        if rest is not None:
            A = A + _change(mdp, rest)
        missed = np.where(exists, np.vecdot(process.probs, A), 0.0)
        largest = np.abs(missed).max()
        if largest <= 1e-15 * scale or not largest <= before / 2:
            break
        rest = np.where(exists, process.solve(missed), 0.0) + (0.0 if rest is None else rest)
        total = V + rest
        V, rest, before = total, rest - (total - V), largest
    if not largest <= _DIGITS * scale:
        raise ValueError(
            f"the advantages lose their digits: their mean over the policy's actions, 0, comes out as "
            f"{largest:.2g} at rewards of up to {scale:g} and discount {mdp.discount:.17g}; expected a "
            "discount further from 1, or an episode that ends sooner"
        )
    if process.all_end:
        return A
    # What may lead to a state without value has none either.
    return np.where(exists[..., None] & (mdp.next_values(1.0 - exists) == 0), A, np.nan)


@advantages.register
def _(mdp: LinearQuadraticMDP, policy):
    Q, V = action_values(mdp, policy), state_values(mdp, policy)
    return Quadratic(Q.matrix - V.matrix * np.diag([1.0, 0.0]), Q.constant - V.constant)


@singledispatch
def expected_return(mdp, policy):
    r"""Expected discounted return from the start, the objective that policy gradients climb.

    .. math:: J(\theta) = E\Big[\sum_t \gamma^t r_t \,\Big|\, \pi\Big] = \sum_s p_0(s) V^\pi(s)

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Or a batch of policies.

    Returns
    -------
    float, or ndarray of shape (...) for a batch
        In units of reward.

    Raises
    ------
    ValueError
        If the policy does not fit the problem, or the expected return does not exist (see `chain`).
    TypeError
        If an argument is of the wrong type.

    References
    ----------
    S7 (7.1), S10 (10.1).

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
    >>> policy = SoftmaxPolicy.tabular([[0.0, 0.0]])
    >>> round(expected_return(mdp, policy), 6)
    0.909091
    >>> expected_return(mdp, policy.with_parameters([[0.0, 0.0], [np.log(9.0), 0.0]])).round(6)
    array([0.909091, 0.989011])
    """
    raise not_a_problem(mdp)


@expected_return.register
def _(mdp: FiniteMDP, policy):
    V = state_values(mdp, policy)
    # Where no episode starts V need not exist.
    return _scalar(np.where(mdp.initial > 0, V, 0.0) @ mdp.initial)


@expected_return.register
def _(mdp: LinearQuadraticMDP, policy):
    V = state_values(mdp, policy)
    # E V(x_0) = -P E x_0^2 - d
    return _scalar(V.matrix[..., 0, 0] * (mdp.initial_mean**2 + mdp.initial_std**2) + V.constant)


@dataclass(frozen=True, eq=False)
class Quadratic:
    r"""Quadratic function :math:`f(z) = z^\top H z + c` of one or two real variables.

    Parameters
    ----------
    matrix : ndarray, shape (..., n, n)
        H, symmetric.
    constant : ndarray, shape (...)
        c.

    Examples
    --------
    >>> f = Quadratic(np.array([[1.0, 0.5], [0.5, 0.0]]), np.array(2.0))
    >>> f(3.0, 1.0)
    14.0
    """

    matrix: np.ndarray
    constant: np.ndarray

    def __call__(self, *variables):
        """Value of the function.

        Parameters
        ----------
        *variables : float or ndarray
            The state, or state and action; shapes that broadcast to (N,).

        Returns
        -------
        float, or ndarray of shape (..., N)
        """
        n = self.matrix.shape[-1]
        if len(variables) != n:
            raise TypeError(f"this function takes {n} variable{'s'[: n > 1]}, got {len(variables)}")
        z = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in variables))
        total = spread(self.constant, z[0].ndim)
        for i in range(n):
            for j in range(n):
                total = total + spread(self.matrix[..., i, j], z[0].ndim) * z[i] * z[j]
        return _scalar(total)


def _change(mdp, values):
    r"""Return :math:`\gamma P v - v`, (..., S, A), as a sum of differences, in which no constant cancels."""
    # gamma (sum_p P(s, a, p) (v(p) - v(s)) - e(s, a) v(s)) - (1 - gamma) v(s), with the probability e of the end
    S, A = mdp.reward.shape
    if mdp.is_sparse:
        rows = mdp.transition
        pair = np.repeat(np.arange(S * A), np.diff(rows.indptr))
        weighted = rows.data * (values[rows.indices] - values[pair // A])
        inside = np.bincount(pair, weighted, minlength=S * A).reshape(S, A)
    else:
        change = values[..., None, :] - values[..., :, None]
        inside = (mdp.transition @ change[..., None])[..., 0]
    here = values[..., None]
    return mdp.discount * (inside - mdp.ending * here) - (1 - mdp.discount) * here


def _backed_up(mdp, V, process):
    # Q(s, a) = R(s, a) + gamma sum_p P(s, a, p) V(p)
    if process.all_end:
        return mdp.reward + mdp.discount * mdp.next_values(V)
    # A state without value (NaN) must not spoil the products 0 * V(p) of the others, but an action that
    # may lead there has no value either.
    ends = process.ends
    Q = mdp.reward + mdp.discount * mdp.next_values(np.where(ends, V, 0.0))
    return np.where(ends[..., None] & (mdp.next_values(1.0 - ends) == 0), Q, np.nan)


def _scalar(values):
    return values if np.ndim(values) else float(values)
