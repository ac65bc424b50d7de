"""The values of a finite problem to many digits, by routes that share nothing with `pgtlab`.

A problem is read off its floats, which are exact numbers. What is added to them is one rule: a row of
probabilities that misses 1 by at most 1e-10 was rounded, and its largest entry makes up for it. So a state
that is left with probability 1e-17 is kept with probability 1 - 1e-17, though its row reads (1.0, 1e-17).

Arrays are NumPy arrays of mpmath numbers, which come first in products: a number on the left asks for the
text of the array. NaN stands for what does not exist.
"""

from __future__ import annotations

from functools import cached_property, wraps

import mpmath
import numpy as np
from mpmath import mpf

NAN = mpf("nan")

exact = np.frompyfunc(mpf, 1, 1)
exp, log, sqrt = (np.frompyfunc(f, 1, 1) for f in (mpmath.exp, mpmath.log, mpmath.sqrt))


class DoesNotExist(Exception):
    """A quantity that has no value on a problem."""


def precisely(method):
    """Return a property that is worked out once, to as many digits as the problem needs."""

    @wraps(method)
    def worked_out(self):
        with mpmath.workdps(self.digits):
            return method(self)

    return cached_property(worked_out)


def solve(matrix, right):
    """Return the solution of a regular linear system, by Gauss' elimination with pivots from the column."""
    M, x = matrix.copy(), right.copy()
    n = len(M)
    for i in range(n):
        best = i + max(range(n - i), key=lambda j: abs(M[i + j, i]))
        M[[i, best]], x[[i, best]] = M[[best, i]], x[[best, i]]
        for j in range(i + 1, n):
            if M[j, i]:
                share = M[j, i] / M[i, i]
                M[j, i:] -= M[i, i:] * share
                x[j] -= x[i] * share
    for i in reversed(range(n)):
        x[i] = (x[i] - M[i, i + 1 :] @ x[i + 1 :]) / M[i, i]
    return x


def factor(gram, tolerance):
    """Return L of full column rank with L L^T = `gram`, by Cholesky's method with the largest pivot first."""
    rest, columns = gram.copy(), []
    largest = max(np.diag(rest), default=mpf(0))
    for _ in range(len(gram)):
        i = max(range(len(gram)), key=lambda j: rest[j, j])
        if rest[i, i] <= tolerance * largest:
            break
        column = rest[:, i] / mpmath.sqrt(rest[i, i])
        rest = rest - np.outer(column, column)
        columns.append(column)
    return np.array(columns, dtype=object).reshape(len(columns), len(gram)).T


def least_norm(L, right):
    """Return the solution of least norm of L L^T w = right, which must have one."""
    # The pseudo-inverse of L L^T is L (L^T L)^-1 (L^T L)^-1 L^T.
    if not L.size:
        return exact(np.zeros(len(L)))
    small = L.T @ L
    return L @ solve(small, solve(small, L.T @ right))


def reached(edges, start):
    """Return which states are reached from `start` along edges (S, S), itself included."""
    found = np.array(start, dtype=bool)
    for _ in range(len(found)):
        found = found | (found @ edges)
    return found


def made_up(row, whole):
    """Return probabilities whose largest entry makes up for the rounding of their sum, if that is it."""
    row = exact(row)
    missing = 1 - row.sum()
    if whole or abs(missing) <= mpf("1e-10"):
        row[int(np.argmax(row))] += missing
    return row


class Exact:
    """A finite problem with a softmax policy, and everything that follows from the two.

    Parameters
    ----------
    transition, reward, initial, discount : array_like
        As for `FiniteMDP`.
    features, parameters, other : array_like, shapes (S, A, K), (K,), (K,)
        The policy, and the parameters of another one.
    """

    def __init__(self, transition, reward, initial, discount, features, parameters, other):
        self.raw = transition, reward, initial, discount, features, parameters, other
        gap = max(np.ptp(np.asarray(features) @ each, axis=-1).max() for each in (parameters, other))
        tiny = min(np.min(p[p > 0], initial=1.0) for p in map(np.asarray, (transition, initial)))
        # Products of a few probabilities must stand out from the rounding of numbers near 1.
        self.digits = int(80 + 3 * gap / np.log(10) - 4 * np.log10(tiny))

    # --- the problem ---------------------------------------------------------------------------------

    @precisely
    def P(self):
        rows = np.asarray(self.raw[0], dtype=float)
        S, A, _ = rows.shape
        return np.array([[made_up(rows[s, a], False) for a in range(A)] for s in range(S)])

    @precisely
    def R(self):
        return exact(np.asarray(self.raw[1], dtype=float))

    @precisely
    def initial(self):
        return made_up(np.asarray(self.raw[2], dtype=float), True)

    @precisely
    def gamma(self):
        return mpf(float(self.raw[3]))

    @precisely
    def features(self):
        return exact(np.asarray(self.raw[4], dtype=float))

    @precisely
    def ending(self):
        return 1 - self.P.sum(-1)

    # --- the policy ----------------------------------------------------------------------------------

    def _logs(self, parameters):
        logits = self.features @ exact(np.asarray(parameters, dtype=float))
        return logits - log(exp(logits).sum(-1, keepdims=True))

    @precisely
    def log_pi(self):
        return self._logs(self.raw[5])

    @precisely
    def pi(self):
        return exp(self.log_pi)

    @precisely
    def scores(self):
        return self.features - np.einsum("sa,sak->sk", self.pi, self.features)[:, None]

    # --- the chain -----------------------------------------------------------------------------------

    @precisely
    def chain(self):
        return np.einsum("sa,sap->sp", self.pi, self.P)

    @precisely
    def r(self):
        return (self.pi * self.R).sum(-1)

    @precisely
    def ends(self):
        """Where values exist: at discount 1, where the episode is sure to end."""
        edges = self.chain > 0
        if self.gamma < 1:
            return np.ones(len(edges), dtype=bool)
        can_end = reached(edges.T, ((self.pi * self.ending).sum(-1) > 0))
        ends = ~reached(edges.T, ~can_end)
        if not ends[self.initial > 0].all():
            raise DoesNotExist("the episode need not end")
        return ends

    def solved(self, discount, right, transposed=False):
        """Return the solution of (I - discount P_pi) x = right, NaN where it does not exist."""
        within = np.flatnonzero(self.ends)
        M = exact(np.eye(len(within))) - self.chain[np.ix_(within, within)] * discount
        x = np.full(len(self.r), mpf(0) if transposed else NAN)
        x[within] = solve(M.T if transposed else M, right[within])
        return x

    def ahead(self, values):
        """Return the mean of a function of the next state, (S, A); NaN where it may have no value."""
        known = np.array([v == v for v in values])
        total = self.P @ np.where(known, values, mpf(0))
        return np.where((self.P[..., ~known] > 0).any(-1), NAN, total)

    @precisely
    def V(self):
        return self.solved(self.gamma, self.r)

    @precisely
    def Q(self):
        Q = self.R + self.ahead(self.V) * self.gamma
        return np.where(self.ends[:, None], Q, NAN)

    @precisely
    def A(self):
        return self.Q - self.V[:, None]

    @precisely
    def J(self):
        start = self.initial > 0
        return self.initial[start] @ self.V[start]

    @precisely
    def rho(self):
        return self.visits(self.gamma)

    def visits(self, discount):
        return self.solved(discount, self.initial, transposed=True)

    @precisely
    def lifetime(self):
        """The most (discounted) steps that are expected from any state: the condition of the two systems."""
        return max(self.solved(self.gamma, exact(np.ones(len(self.r))))[self.ends])

    def after(self, t):
        """Return the probabilities of going from state to state in t steps."""
        with mpmath.workdps(self.digits):
            total = exact(np.eye(len(self.r)))
            for _ in range(t):
                total = total @ self.chain
            return total

    # --- what is made of scores ----------------------------------------------------------------------

    def mean(self, rho, f):
        """Return the sum over visits and actions of f (S, A, ...), 0 where nobody gets to."""
        weights = rho[:, None] * self.pi
        taken = weights > 0
        return np.tensordot(weights[taken], f[taken], 1)

    def slope(self, rho, f):
        """Return the same of f times the score."""
        return self.mean(rho, self.scores * f[..., None])

    def gram(self, rho):
        return self.mean(rho, np.einsum("sak,sal->sakl", self.scores, self.scores))

    def direction(self, rho, f):
        """Return the weights of least norm that fit f on the score."""
        L = self.root if rho is self.rho else factor(self.gram(rho), self.tolerance)
        return least_norm(L, self.slope(rho, f))

    @precisely
    def gradient(self):
        return self.slope(self.rho, self.A)

    @precisely
    def fisher(self):
        return self.gram(self.rho)

    @precisely
    def natural(self):
        return self.direction(self.rho, self.A)

    @precisely
    def tolerance(self):
        """Share of the largest pivot that is 0 but for rounding."""
        return mpf(10) ** (-self.digits * 2 // 3)

    @precisely
    def root(self):
        """L of full column rank with L L^T the Fisher information."""
        return factor(self.fisher, self.tolerance)

    @property
    def rank(self):
        return self.root.shape[1]

    @precisely
    def kl(self):
        log_ratio = self.log_pi - self._logs(self.raw[6])
        return self.mean(self.rho, log_ratio)

    def error(self, w):
        """Return the mean squared error of the compatible critic with weights w."""
        with mpmath.workdps(self.digits):
            return self.mean(self.rho, (self.Q - self.scores @ exact(w)) ** 2)

    def near_sighted(self, lam):
        """Return action values at the discount gamma lambda, of the same policy."""
        discount = self.gamma * lam
        return self.R + self.ahead(self.solved(discount, self.r)) * discount

    def critic_values(self, phi, lam):
        """Return the values that LSTD(lambda) with state features (S, d) settles at, and U of `lstdq`."""
        beta, within = self.gamma * lam, self.ends
        one_step = np.where(within[:, None], phi - self.chain @ phi * self.gamma, mpf(0))
        U = np.stack([self.solved(beta, each) for each in one_step.T], axis=-1)
        known = self.solved(beta, self.r)
        weighted = (self.rho[:, None] * phi)[within].T
        v = solve(weighted @ U[within], weighted @ known[within])
        return phi @ v, U @ v

    def lstdq(self, lam):
        """Return the weights that LSTD-Q(lambda) settles at, with one constant for all states.

        FIM w = E[SC (Q^(beta) + gamma P V_v - beta P U)] with beta = gamma lambda and
        U = (I - beta P_pi)^-1 (I - gamma P_pi) V_v.
        """
        with mpmath.workdps(self.digits):
            values, U = self.critic_values(exact(np.ones((len(self.r), 1))), mpf(lam))
            beta = self.gamma * lam
            target = self.near_sighted(mpf(lam)) + self.ahead(values) * self.gamma - self.ahead(U) * beta
            return self.direction(self.rho, target)

    def td(self, lam):
        with mpmath.workdps(self.digits):
            return self.direction(self.rho, self.near_sighted(mpf(lam)))

    def gae(self, lam):
        """Return the mean of the estimate with TD errors of the values 0."""
        with mpmath.workdps(self.digits):
            return self.slope(self.rho, self.near_sighted(mpf(lam)))

    @precisely
    def episodic(self):
        return self.direction(self.visits(self.gamma**2), self.A)

    def truncated(self, T):
        """Return the gradient of the return of the first T steps."""
        with mpmath.workdps(self.digits):
            onward, steps = exact(np.zeros(len(self.r))), []
            for _ in range(T):
                Q = self.R + self.P @ onward * self.gamma
                onward = (self.pi * Q).sum(-1)
                steps.append(Q - onward[:, None])
            total, law = exact(np.zeros(self.features.shape[-1])), self.initial
            for Q in reversed(steps):
                total = total + self.slope(law, Q)
                law = law @ self.chain * self.gamma
            return total

    @precisely
    def baseline(self):
        """The best baseline of one step, V where all scores are 0."""
        weights = self.pi * (self.scores**2).sum(-1)
        total = weights.sum(-1)
        excess = (weights * np.where(weights > 0, self.A, mpf(0))).sum(-1)
        return self.V + np.array([e / t if t else mpf(0) for e, t in zip(excess, total, strict=True)])

    # --- the long run --------------------------------------------------------------------------------

    @precisely
    def stationary(self):
        """The long run of the states that the start reaches: one closed class, or it does not exist."""
        edges = self.chain > 0
        here = reached(edges, self.initial > 0)
        if (self.pi * self.ending)[here].max() > 0:
            raise DoesNotExist("an episode may end")
        ways = np.array([reached(edges, row) for row in np.eye(len(edges), dtype=bool)])
        # A state is in a closed class if all it reaches leads back to it.
        closed = [s for s in np.flatnonzero(here) if all(ways[p, s] for p in np.flatnonzero(ways[s]))]
        if not all(ways[closed[0], s] for s in closed):
            raise DoesNotExist("the long run depends on the start")
        M = (exact(np.eye(len(closed))) - self.chain[np.ix_(closed, closed)]).T
        # One equation is redundant: that all shares add up to 1 takes its place.
        M[0] = mpf(1)
        d = exact(np.zeros(len(edges)))
        d[closed] = solve(M, exact(np.eye(len(closed))[0]))
        return d

    @precisely
    def eta(self):
        return self.stationary @ self.r

    @precisely
    def h(self):
        """Solution of h = r - eta + P_pi h, d h = 0; NaN where the chain need not come to the one class."""
        edges, class_ = self.chain > 0, np.flatnonzero(self.stationary > 0)
        comes = reached(edges.T, self.stationary > 0)
        lost = ~comes | ((self.pi * self.ending).sum(-1) > 0)
        settled = np.flatnonzero(~reached(edges.T, lost))
        M = exact(np.eye(len(settled))) - self.chain[np.ix_(settled, settled)]
        right = self.r[settled] - self.eta
        # Within the class one equation is redundant: d h = 0 takes its place.
        first = int(np.searchsorted(settled, class_[0]))
        M[first], right[first] = self.stationary[settled], mpf(0)
        h = np.full(len(self.r), NAN)
        h[settled] = solve(M, right)
        return h

    @precisely
    def Qh(self):
        unknown = np.array([h != h for h in self.h])
        return np.where(unknown[:, None], NAN, self.R - self.eta + self.ahead(self.h))

    @precisely
    def long_run_gradient(self):
        return self.slope(self.stationary, self.Qh - self.h[:, None])


class Given(Exact):
    """The same for action probabilities (S, A) that are told, as floats, in the place of a softmax.

    A row of transitions that rounding made miss its total is filled up by staying, which an elimination does
    not read; one of probabilities by the likeliest action.
    """

    def __init__(self, mdp, probs):
        self.mdp, self.probs = mdp, np.asarray(probs)
        self.raw = mdp.transition, mdp.reward, mdp.initial, mdp.discount
        tiny = min(np.min(p[p > 0]) for p in (mdp.transition, mdp.initial, self.probs))
        self.digits = int(80 - 4 * np.log10(tiny))

    @precisely
    def P(self):
        rows = exact(self.mdp.transition)
        states = np.arange(len(rows))
        rows[states, :, states] += 1 - exact(self.mdp.ending) - rows.sum(-1)
        return rows

    @precisely
    def initial(self):
        return exact(self.mdp.initial)

    @precisely
    def pi(self):
        return np.array([made_up(row, True) for row in self.probs])

    @precisely
    def gradient_in_logits(self):
        """The gradient of a tabular softmax, (S, A)."""
        return self.rho[:, None] * self.pi * self.A

    @precisely
    def long_run_gradient_in_logits(self):
        return self.stationary[:, None] * self.pi * (self.Qh - self.h[:, None])


def floats(values):
    """Return an array of exact numbers, rounded."""
    return np.asarray(values, dtype=object).astype(float)
