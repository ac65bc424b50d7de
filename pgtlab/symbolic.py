"""Owns the SymPy derivations: the lines of the slides' arguments as expressions, each step proved.

It imports no numeric room, and no numeric room imports it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

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
        return sp.Matrix([self.policy[s, :].dot(self.reward[s, :]) for s in range(self.n_states)])


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

    Examples
    --------
    >>> values(sp.Matrix([[1]]), sp.Matrix([1]), sp.Symbol("gamma"))
    Matrix([[1/(1 - gamma)]])
    """
    return (sp.eye(P.rows) - gamma * P).LUsolve(r)


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

    Examples
    --------
    >>> sum(probability for probability, _ in paths(problem(), 1)).expand()
    1
    """
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


def normal(x, mean, variance):
    r"""Density of the normal distribution.

    Parameters
    ----------
    x, mean, variance : sympy.Expr

    Returns
    -------
    sympy.Expr

    Examples
    --------
    >>> normal(0, 0, 1)
    sqrt(2)/(2*sqrt(pi))
    """
    return sp.exp(-((x - mean) ** 2) / (2 * variance)) / sp.sqrt(2 * sp.pi * variance)


def gaussian_step_ratio():
    r"""One step of :math:`y = c x + \varepsilon` from a Gaussian: the integral over its closed form.

    .. math:: \int N(x; m, v) \, N(y; c x, w) \, dx \Big/ N(y; c m, c^2 v + w)

    Returns
    -------
    sympy.Expr
        1, once SymPy has done the integral and simplified.
    """
    x, y, c, m = sp.symbols("x y c m", real=True)
    v, w = sp.symbols("v w", positive=True)
    step = normal(x, m, v) * normal(y, c * x, w)
    integral = sp.integrate(step, (x, -sp.oo, sp.oo), conds="none")
    ratio = sp.simplify(integral / normal(y, c * m, c**2 * v + w))
    # What is left is one exponential, whose exponent vanishes once it is simplified by itself.
    return ratio.replace(sp.exp, lambda exponent: sp.exp(sp.simplify(exponent)))


def equal(left, right):
    """Whether two expressions, or two matrices, are equal for all values of their symbols.

    Parameters
    ----------
    left, right : sympy.Expr or sympy.Matrix

    Returns
    -------
    bool
        True only if SymPy reduces every difference to 0.

    Examples
    --------
    >>> x = sp.Symbol("x")
    >>> equal((x**2 - 1) / (x - 1), x + 1), equal(x, x + 1)
    (True, False)
    """
    left, right = (sp.Matrix([side]) if not hasattr(side, "shape") else side for side in (left, right))
    return left.shape == right.shape and all(_vanishes(each) for each in left - right)


def _vanishes(difference):
    numerator, _ = sp.fraction(sp.together(difference))
    return sp.expand(numerator) == 0 or sp.simplify(difference) == 0


@dataclass(frozen=True)
class Line:
    """One step of an argument: a reason in words, and two sides that it makes equal."""

    reason: str
    left: object
    right: object


@dataclass(frozen=True)
class Proof:
    """Lines that together prove a numbered formula of the slides.

    Attributes
    ----------
    id : str
        The label of the formula, such as ``"8.4"``.
    lines : callable
        Without arguments; returns a list of `Line`.
    """

    id: str
    lines: Callable

    def check(self):
        """Prove every line; print its reason, and raise AssertionError at one that does not hold.

        Raises
        ------
        AssertionError
            With the formula, the reason and both sides.
        """
        for number, line in enumerate(self.lines(), start=1):
            if not equal(line.left, line.right):
                raise AssertionError(
                    f"({self.id}), line {number}, {line.reason}: {line.left} is not {line.right}"
                )
            print(f"({self.id}) {number}. {line.reason}: proved")


def _return_by_paths(mdp, n):
    """Expected return of the first n steps, from whole paths."""
    return sum(
        probability * sum(mdp.discount**t * mdp.reward[s, a] for t, (s, a) in enumerate(steps))
        for probability, steps in paths(mdp, n)
    )


def _reward_by_paths(mdp, t):
    """Expected reward at time t, from the paths that last that long."""
    return sum(
        probability * mdp.reward[steps[t]] for probability, steps in paths(mdp, t + 1) if len(steps) > t
    )


def _where_after(mdp, t):
    """Distribution of the state at time t, as a row, from all sequences of states and actions."""
    S, A = range(mdp.n_states), range(mdp.n_actions)
    row = sp.zeros(1, mdp.n_states)
    for states in itertools.product(S, repeat=t + 1):
        for actions in itertools.product(A, repeat=t):
            weight = mdp.initial[states[0]]
            for s, a, p in zip(states[:-1], actions, states[1:], strict=True):
                weight *= mdp.policy[s, a] * mdp.transition[a][s, p]
            row[states[-1]] += weight
    return row


def _lines_return():
    mdp = problem()
    P, r, p0 = mdp.mixed_transition, mdp.mixed_reward, mdp.initial
    for n in (1, 2, 3):
        total = sum((mdp.discount**t * (p0.T * P**t * r)[0] for t in range(n)), sp.S.Zero)
        yield Line(f"the first {n} rewards, over all paths", _return_by_paths(mdp, n), total)


def _lines_state_values():
    P, r, _, gamma = chain()
    V = values(P, r, gamma)
    yield Line("one step, then the value of where it leads", V, r + gamma * P * V)
    for n in (1, 2, 3):
        head = sum(((gamma * P) ** t * r for t in range(n)), sp.zeros(P.rows, 1))
        yield Line(f"n = {n} rewards and the value of the rest", V, head + (gamma * P) ** n * V)


def _action_values(mdp, V):
    return sp.Matrix(
        mdp.n_states,
        mdp.n_actions,
        lambda s, a: mdp.reward[s, a] + mdp.discount * mdp.transition[a][s, :].dot(V),
    )


def _lines_action_values():
    mdp = problem()
    # V as two symbols: the equality must hold whatever V is on the right-hand side of Bellman's equation.
    V = sp.Matrix(sp.symbols("V_0 V_1"))
    Q = _action_values(mdp, V)
    mean = sp.Matrix([mdp.policy[s, :].dot(Q[s, :]) for s in range(2)])
    right = mdp.mixed_reward + mdp.discount * mdp.mixed_transition * V
    yield Line("the mean of Q over the actions is Bellman's right-hand side", mean, right)


def _lines_advantages():
    mdp = problem()
    Q = sp.Matrix(2, 2, sp.symbols("Q_00 Q_01 Q_10 Q_11"))
    V = sp.Matrix([mdp.policy[s, :].dot(Q[s, :]) for s in range(2)])
    A = sp.Matrix(2, 2, lambda s, a: Q[s, a] - V[s])
    mean = sp.Matrix([mdp.policy[s, :].dot(A[s, :]) for s in range(2)])
    yield Line("the mean of A over the actions is 0", mean, sp.zeros(2, 1))


def _lines_transition_probabilities():
    mdp = problem()
    P = mdp.mixed_transition
    for t in (0, 1, 2):
        yield Line(f"over all ways of {t} steps, the power P^{t}", _where_after(mdp, t), mdp.initial.T * P**t)
    free = chain()[0]
    yield Line("two steps and one are one step and two", free**2 * free, free * free**2)
    yield Line("one Gaussian step from a Gaussian, as a ratio of densities", gaussian_step_ratio(), sp.S.One)


def _lines_linearity():
    mdp = problem()
    n = 3
    by_time = sum((mdp.discount**t * _reward_by_paths(mdp, t) for t in range(n)), sp.S.Zero)
    yield Line(f"n = {n}: the mean of a sum is the sum of the means", _return_by_paths(mdp, n), by_time)


def _lines_reward_at_t():
    mdp = problem()
    P, r, p0 = mdp.mixed_transition, mdp.mixed_reward, mdp.initial
    for t in (0, 1, 2):
        by_place = (p0.T * P**t * r)[0]
        yield Line(f"E[r_{t}], sorted by where the path is at t = {t}", _reward_by_paths(mdp, t), by_place)


def _lines_exchange():
    P, r, p0, gamma = chain()
    for n in (1, 2, 3):
        outside = sum((gamma**t * (p0.T * P**t * r)[0] for t in range(n)), sp.S.Zero)
        inside = sum((gamma**t * P.T**t * p0 for t in range(n)), sp.zeros(P.rows, 1))
        yield Line(f"{n} terms: the sum over t goes inside the sum over s", outside, inside.dot(r))


def _lines_objective():
    P, r, p0, gamma = chain()
    left = p0.dot(values(P, r, gamma))
    yield Line("all terms: p0 . V is rho . r", left, visitation(P, p0, gamma).dot(r))


def _lines_visitation():
    P, _, p0, gamma = chain()
    rho = visitation(P, p0, gamma)
    yield Line("a visit is a start or comes from a visit", rho, p0 + gamma * P.T * rho)
    for n in (1, 2, 3):
        head = sum((gamma**t * P.T**t * p0 for t in range(n)), sp.zeros(P.rows, 1))
        yield Line(f"n = {n} terms and the remainder", rho, head + gamma**n * P.T**n * rho)
    never_ends = {P[s, 1]: 1 - P[s, 0] for s in range(2)} | {p0[1]: 1 - p0[0]}
    yield Line("its mass, when nothing ends", sum(rho.subs(never_ends)), 1 / (1 - gamma))


#: Proofs by the label of the slides' formula.
PROOFS = {
    id: Proof(id, lines)
    for id, lines in {
        "7.1": _lines_return,
        "7.2": _lines_state_values,
        "7.3": _lines_action_values,
        "7.4": _lines_advantages,
        "7.5": _lines_transition_probabilities,
        "8.1": _lines_linearity,
        "8.2": _lines_reward_at_t,
        "8.3": _lines_exchange,
        "8.4": _lines_objective,
        "8.5": _lines_visitation,
    }.items()
}
