"""Owns the finite problem with letters: every entry is a symbol, and V, Q, rho and J are expressions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp


@dataclass(frozen=True)
class SymbolicProblem:
    r"""Finite problem with a fixed policy, in which every entry is a symbol.

    Nothing is assumed of the rows of the transitions: what they lack to 1 ends the episode.

    Attributes
    ----------
    transition : tuple of sympy.Matrix, one (S, S) for each action
    reward : sympy.Matrix, shape (S, A)
    policy : sympy.Matrix, shape (S, A)
        The last action of each state has what the others leave of 1.
    initial : sympy.Matrix, shape (S, 1)
        The last state has what the others leave of 1.
    discount : sympy.Symbol
    """

    transition: tuple
    reward: sp.Matrix
    policy: sp.Matrix
    initial: sp.Matrix
    discount: sp.Symbol

    @property
    def n_states(self):
        """Number of states."""
        return self.reward.rows

    @property
    def n_actions(self):
        """Number of actions."""
        return self.reward.cols

    @property
    def mixed_transition(self):
        r"""Transition matrix of the chain, :math:`P_\pi(s, s') = \sum_a \pi(s, a) P^a_{s,s'}`."""
        return sp.Matrix(
            self.n_states,
            self.n_states,
            lambda s, p: sum(self.policy[s, a] * self.transition[a][s, p] for a in range(self.n_actions)),
        )

    @property
    def mixed_reward(self):
        r"""Reward of the chain, :math:`r_\pi(s) = \sum_a \pi(s, a) R^a_s`, as a column."""
        return over_actions(self.policy, self.reward)

    def with_policy(self, policy):
        """Return the same problem under another policy.

        Parameters
        ----------
        policy : SymbolicPolicy

        Returns
        -------
        SymbolicProblem

        Raises
        ------
        ValueError
            If the policy is for another number of states or actions.
        """
        if policy.probs.shape != self.reward.shape:
            raise ValueError(
                f"policy has shape {policy.probs.shape}; expected {self.reward.shape}, as reward"
            )
        return replace(self, policy=policy.probs)


def over_actions(weights, table):
    r"""Sum over the actions in each state, :math:`\sum_a w(s, a) f(s, a)`.

    Parameters
    ----------
    weights, table : sympy.Matrix, shape (S, A)

    Returns
    -------
    sympy.Matrix, shape (S, 1)

    Examples
    --------
    >>> over_actions(sp.Matrix([[1, 2]]), sp.Matrix([sp.symbols("f_0 f_1")]))
    Matrix([[f_0 + 2*f_1]])
    """
    return sp.Matrix([weights[s, :].dot(table[s, :]) for s in range(weights.rows)])


def problem(n_states=2, n_actions=2):
    """Build a problem in which every entry is a symbol.

    Parameters
    ----------
    n_states, n_actions : int

    Returns
    -------
    SymbolicProblem

    Examples
    --------
    >>> problem().mixed_transition[0, 1]
    P^0_01*pi_00 + P^1_01*(1 - pi_00)
    """
    S, A = range(n_states), range(n_actions)
    transition = tuple(sp.Matrix([[sp.Symbol(f"P^{a}_{s}{p}") for p in S] for s in S]) for a in A)
    reward = sp.Matrix([[sp.Symbol(f"R^{a}_{s}") for a in A] for s in S])
    free = [[sp.Symbol(f"pi_{s}{a}") for a in A[:-1]] for s in S]
    policy = sp.Matrix([[*row, 1 - sum(row)] for row in free])
    start = [sp.Symbol(f"p_{s}") for s in S[:-1]]
    initial = sp.Matrix([*start, 1 - sum(start)])
    return SymbolicProblem(transition, reward, policy, initial, sp.Symbol("gamma"))


def chain(n_states=2):
    r"""Transition matrix, reward, start and discount of a chain, every entry a symbol.

    Parameters
    ----------
    n_states : int

    Returns
    -------
    P : sympy.Matrix, shape (S, S)
    r, p0 : sympy.Matrix, shape (S, 1)
    gamma : sympy.Symbol

    Examples
    --------
    >>> P, r, p0, gamma = chain()
    >>> P * r
    Matrix([
    [P_00*r_0 + P_01*r_1],
    [P_10*r_0 + P_11*r_1]])
    """
    S = range(n_states)
    P = sp.Matrix([[sp.Symbol(f"P_{s}{p}") for p in S] for s in S])
    r = sp.Matrix([sp.Symbol(f"r_{s}") for s in S])
    p0 = sp.Matrix([sp.Symbol(f"p_{s}") for s in S])
    return P, r, p0, sp.Symbol("gamma")


def values(P, r, gamma):
    r"""State values, :math:`V = (I - \gamma P)^{-1} r`.

    Parameters
    ----------
    P : sympy.Matrix, shape (S, S)
    r : sympy.Matrix, shape (S, 1)
    gamma : sympy.Expr

    Returns
    -------
    sympy.Matrix, shape (S, 1)

    Notes
    -----
    A fraction wherever :math:`I - \gamma P` has an inverse. It is the sum over time for numbers with which
    that sum converges: gamma below 1, or gamma = 1 and an end that is sure from every state.

    Examples
    --------
    >>> values(sp.Matrix([[1]]), sp.Matrix([1]), sp.Symbol("gamma"))
    Matrix([[1/(1 - gamma)]])
    """
    # Cramer's rule gives every entry the same denominator, which keeps the proofs short.
    M = sp.eye(P.rows) - gamma * P
    return M.adjugate() * r / M.det()


def visitation(P, p0, gamma):
    r"""Discounted state visitation, :math:`\rho = (I - \gamma P^\top)^{-1} p_0`.

    Parameters
    ----------
    P : sympy.Matrix, shape (S, S)
    p0 : sympy.Matrix, shape (S, 1)
    gamma : sympy.Expr

    Returns
    -------
    sympy.Matrix, shape (S, 1)

    Examples
    --------
    >>> visitation(sp.Matrix([[1]]), sp.Matrix([1]), sp.Symbol("gamma"))
    Matrix([[1/(1 - gamma)]])
    """
    return values(P.T, p0, gamma)


def state_values(mdp):
    r"""State values :math:`V^\pi = (I - \gamma P_\pi)^{-1} r_\pi` of a problem under its policy.

    Parameters
    ----------
    mdp : SymbolicProblem

    Returns
    -------
    sympy.Matrix, shape (S, 1)

    Examples
    --------
    >>> state_values(problem(1, 1))
    Matrix([[R^0_0/(-P^0_00*gamma + 1)]])
    """
    return values(mdp.mixed_transition, mdp.mixed_reward, mdp.discount)


def action_values(mdp, V=None):
    r"""Action values, :math:`Q(s, a) = R^a_s + \gamma \sum_{s'} P^a_{s,s'} V(s')`.

    Parameters
    ----------
    mdp : SymbolicProblem
    V : sympy.Matrix, shape (S, 1), optional
        What follows a step; if left out, the state values of the policy.

    Returns
    -------
    sympy.Matrix, shape (S, A)

    Examples
    --------
    >>> action_values(problem(1, 2), sp.Matrix([sp.Symbol("V")]))
    Matrix([[P^0_00*V*gamma + R^0_0, P^1_00*V*gamma + R^1_0]])
    """
    V = state_values(mdp) if V is None else V
    return mdp.reward + mdp.discount * next_values(mdp, V)


def next_values(mdp, V):
    r"""Expected value of the next state, :math:`\sum_{s'} P^a_{s,s'} V(s')`.

    Parameters
    ----------
    mdp : SymbolicProblem
    V : sympy.Matrix, shape (S, 1)

    Returns
    -------
    sympy.Matrix, shape (S, A)

    Examples
    --------
    >>> next_values(problem(1, 2), sp.Matrix([sp.Symbol("V")]))
    Matrix([[P^0_00*V, P^1_00*V]])
    """
    return sp.Matrix(mdp.n_states, mdp.n_actions, lambda s, a: mdp.transition[a][s, :].dot(V))


def state_visitation(mdp):
    r"""Discounted state visitation :math:`\rho^\pi` of a problem under its policy.

    Parameters
    ----------
    mdp : SymbolicProblem

    Returns
    -------
    sympy.Matrix, shape (S, 1)

    Examples
    --------
    >>> state_visitation(problem(1, 1))
    Matrix([[1/(-P^0_00*gamma + 1)]])
    """
    return visitation(mdp.mixed_transition, mdp.initial, mdp.discount)


def expected_return(mdp):
    r"""Expected discounted return, :math:`J = \sum_s p_0(s) V^\pi(s)`.

    Parameters
    ----------
    mdp : SymbolicProblem

    Returns
    -------
    sympy.Expr

    Examples
    --------
    >>> expected_return(problem(1, 1))
    R^0_0/(-P^0_00*gamma + 1)
    """
    return mdp.initial.dot(state_values(mdp))


def policy_gradient(mdp, policy):
    r"""Right-hand side of the theorem, :math:`\sum_s \rho^\pi(s) \sum_a \partial_k \pi(s, a) Q^\pi(s, a)`.

    Parameters
    ----------
    mdp : SymbolicProblem
        Its own policy is not used.
    policy : SymbolicPolicy

    Returns
    -------
    sympy.Matrix, shape (K, 1)

    Notes
    -----
    It is the derivative of `expected_return` wherever both are fractions without a zero below. For gamma = 1
    that is so if, at the parameters put in, the end is sure from every state, whether the start reaches it
    or not; proof "point 6" has an example where it is not, and the derivative is another.

    Examples
    --------
    In the only state "stop" pays 1 and ends, "go on" pays 0 and stays; theta is the log odds of stopping.

    >>> mdp = SymbolicProblem((sp.zeros(1, 1), sp.ones(1, 1)), sp.Matrix([[1, 0]]), None, sp.ones(1, 1), 0.5)
    >>> from pgtlab.letters.policies import softmax
    >>> policy = softmax([[[1], [0]]])
    >>> policy_gradient(mdp, policy)[0].subs(policy.parameters[0], 0).round(6)
    0.222222
    """
    mdp = mdp.with_policy(policy)
    rho, Q = state_visitation(mdp), action_values(mdp)
    return sp.Matrix([rho.dot(over_actions(each, Q)) for each in policy.derivatives])


def paths(mdp, n):
    r"""Paths of n steps, or fewer where the episode ends, with their probabilities.

    Parameters
    ----------
    mdp : SymbolicProblem
    n : int
        At least 1.

    Yields
    ------
    probability : sympy.Expr
        :math:`p_0(s_0) \pi(s_0, a_0) P^{a_0}_{s_0,s_1} \pi(s_1, a_1) \cdots`
    steps : tuple of (int, int)
        The pairs (s_t, a_t).

    Raises
    ------
    ValueError
        If n is below 1.

    Examples
    --------
    >>> sum(probability for probability, _ in paths(problem(), 1)).expand()
    1
    """
    if n < 1:
        raise ValueError(f"n is {n}; expected at least 1 step")
    for s in range(mdp.n_states):
        yield from _continued(mdp, mdp.initial[s], s, n)


def _continued(mdp, probability, s, n):
    for a in range(mdp.n_actions):
        weight = probability * mdp.policy[s, a]
        if n == 1:
            yield weight, ((s, a),)
            continue
        row = mdp.transition[a][s, :]
        for p in range(mdp.n_states):
            for whole, steps in _continued(mdp, weight * row[p], p, n - 1):
                yield whole, ((s, a), *steps)
        # What the row lacks to 1 ends the episode here.
        yield weight * (1 - sum(row)), ((s, a),)


def path_mean(mdp, n, f):
    r"""Expectation over all paths of n steps, each written out with its probability.

    Parameters
    ----------
    mdp : SymbolicProblem
    n : int
        At least 1.
    f : callable
        Takes the pairs (s_t, a_t) of a path and returns an expression or a matrix.

    Returns
    -------
    sympy.Expr or sympy.Matrix

    Examples
    --------
    The expected number of steps, of two at most:

    >>> path_mean(problem(1, 1), 2, len).expand()
    P^0_00 + 1
    """
    terms = [probability * f(steps) for probability, steps in paths(mdp, n)]
    return sum(terms[1:], terms[0])
