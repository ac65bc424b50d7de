r"""Owns the second routes: sums over time, nested integrals, differences, written as the slides define them.

Nothing here comes from the rooms that compute the same by linear solves and closed forms. One vocabulary
serves both kinds of problem, because every integral is a sum over weighted nodes. For a finite problem the
nodes are the states or actions themselves; for the linear-quadratic one they are those of Gauss and Hermite,
at which the integral of a polynomial against a normal density is exact.

A function of the state is written `v(s)`, one of the pair `f(s, a)`; both take arrays of places and may
return more axes than those. After the end of an episode every function is 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np

#: Step h of the differences in the parameters. Their error is about h^4 times the fifth derivative, and
#: 1e-16 / h of what they are taken of: small, unless theta is within a few hundredths of where J
#: ceases to exist.
STEP = 2e-4

#: A sum over time stops where what is left weighs less than this.
TAIL = 1e-17

#: Least number of terms of a sum over time that is written out term by term, so that a few can be looked at.
LEAST_TERMS = 6

#: Most terms of a sum over time that is written out term by term.
MOST_TERMS = 50_000

#: Singular values of the weighted scores below this share of the largest one count as zero.
UNSEEN = 1e-12


def total(weights, values):
    """Return the sum over n of weights (..., n) times values (..., n, *rest); what weighs 0 has no say."""
    axis = weights.ndim - 1
    weights = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
    return np.where(weights > 0, weights * values, 0.0).sum(axis)


def product(f, g):
    """Return the function f g, where f is a number and g may be a vector."""
    return lambda *place: f(*place)[..., None] * g(*place)


class Differences:
    """A problem and a policy, and derivatives in its parameters by central differences."""

    def __init__(self, mdp, policy):
        self.mdp, self.policy = mdp, policy

    def shifted(self, shift):
        """Return the routes of the same problem with the parameters moved."""
        moved = self.policy.with_parameters(np.asarray(self.policy.parameters) + shift)
        return type(self)(self.mdp, moved)

    @cached_property
    def _neighbours(self):
        directions = STEP * np.eye(len(self.policy.parameters))
        return [tuple(self.shifted(m * each) for m in (1, -1, 2, -2)) for each in directions]

    def slope(self, quantity):
        """Return the derivative of `quantity(routes)` in each parameter, last axis."""
        return np.stack([_slope(quantity, near) for near in self._neighbours], axis=-1)

    def slope_along(self, direction, quantity):
        """Return the derivative of `quantity(routes)` along a direction of the parameters."""
        return _slope(quantity, [self.shifted(m * STEP * direction) for m in (1, -1, 2, -2)])


class Routes(Differences, ABC):
    """Sums, integrals and differences for one problem and one policy."""

    #: What it is about, in words.
    about = "decision process"

    def __init__(self, mdp, policy):
        super().__init__(mdp, policy)
        self.discount = mdp.discount

    # --- what the two kinds of problem know ----------------------------------------------------

    countable: bool  #: Whether the states are.
    rooms: object  #: What the other rooms hand out for the same problem and policy (see `formula.routes`).
    start: tuple  #: Nodes (n,) of the start and their weights.
    visits: tuple  #: Nodes (n,) of rho and their weights, the sum over time done.
    states: np.ndarray  #: States from which values exist, or for the linear-quadratic problem some states.
    pairs: tuple  #: States and actions, at such places, that the policy may take.
    everywhere: tuple  #: All states (or some), and all pairs (or some), as in `pairs`.

    @abstractmethod
    def actions(self, s):
        """Return the nodes (..., n) of the policy at states (...), and their weights."""

    @abstractmethod
    def followers(self, s, a):
        """Return the nodes (..., n) of the next state, and their weights."""

    @abstractmethod
    def reward(self, s, a):
        """Return the expected reward."""

    @abstractmethod
    def score(self, s, a):
        """Return the policy's own score, (..., K)."""

    @abstractmethod
    def prob(self, s, a):
        """Return the probability, or density, of an action."""

    @abstractmethod
    def likeliest(self, s):
        """Return the action that the policy takes most often."""

    @abstractmethod
    def first(self, s):
        """Return the first action, or the action 0."""

    @abstractmethod
    def probe(self, s):
        """Return functions of the state (..., n) whose means tell one law from another."""

    @abstractmethod
    def marks(self, s):
        """Return functions of the state (..., n) whose integrals under rho are what is compared of it."""

    def growth(self, n):
        """Return discount * |drift|^n: below 1, or the n-th power of a state has no mean."""
        return 0.0

    @abstractmethod
    def backward_visits(self):
        """Return rho with the transpose forgotten, or what comes nearest to it."""

    @abstractmethod
    def V(self, s):
        """Return the value of a state: the rewards of each step, discounted and added up."""

    @abstractmethod
    def Q(self, s, a):
        """Return the value of an action, by a sum over time."""

    @abstractmethod
    def function(self, value):
        """Return what a room hands out, array or callable, as a function of places."""

    @abstractmethod
    def by_time(self, f):
        """Return E f(s_t) for t = 0, 1, 2, ..., shape (T, ...), from the law of each step's state."""

    @abstractmethod
    def tabulated(self, v):
        """Return the same function of the state, with its values worked out once where that is possible."""

    # --- integrals -----------------------------------------------------------------------------

    def over_start(self, v):
        """Integral of v under p_0."""
        nodes, weights = self.start
        return total(weights, v(nodes))

    def over_actions(self, f):
        """The function of the state s, integral of f(s, a) under the policy."""

        def mean(s):
            nodes, weights = self.actions(s)
            return total(weights, f(s[..., None], nodes))

        return mean

    def over_next(self, v):
        """The function of the pair, integral of v under the next state's law."""

        def mean(s, a):
            nodes, weights = self.followers(s, a)
            return total(weights, v(nodes))

        return mean

    def over_visits(self, v):
        """Integral of v under rho: the sum over time first, then over places."""
        nodes, weights = self.visits
        return total(weights, v(nodes))

    def over_time(self, v):
        """The same integral in the other order: E v(s_t) at each time, then the discounted sum over time."""
        return np.tensordot(self.discount ** np.arange(len(self._law[1])), self.by_time(v), 1)

    @abstractmethod
    def at(self, t, v):
        """Return E v(s_t) for one small t."""

    def after(self, v, t):
        """The function of the state s, mean of v after t steps from s, one step at a time."""
        for _ in range(t):
            v = self.tabulated(self.over_actions(self.over_next(v)))
        return v

    @property
    def mass(self):
        """Mass of rho."""
        return self.visits[1].sum()

    @cached_property
    def fisher(self):
        """Integral of SC SC^T under rho and the policy."""
        return self.over_visits(self.over_actions(self.outer))

    def outer(self, s, a):
        """The matrix SC SC^T."""
        score = self.score(s, a)
        return score[..., :, None] * score[..., None, :]

    # --- values of a few steps, and paths ------------------------------------------------------

    def values_to_go(self, n):
        """Return V of the next n steps, as a function of the state."""
        V = _nothing
        for _ in range(n):
            V = self.tabulated(self.over_actions(self.backed_up(V)))
        return V

    def backed_up(self, V):
        """Return the reward of the pair and, discounted, V where it leads."""
        onward = self.over_next(V)
        return lambda s, a: self.reward(s, a) + self.discount * onward(s, a)

    def paths(self, n):
        """Return all paths of n steps: states (n+1, N), actions (n, N) and their weights (N,)."""
        s, weights = self.start
        states, actions = s[weights > 0][None], np.empty((0, (weights > 0).sum()), dtype=s.dtype)
        weights = weights[weights > 0]
        for _ in range(n):
            a, share = self.actions(states[-1])
            states, actions, weights, a = _branched(states, actions, weights, a, share)
            actions = np.concatenate([actions, a[None]])
            p, share = self.followers(states[-1], a)
            states, actions, weights, p = _branched(states, actions, weights, p, share)
            states = np.concatenate([states, p[None]])
        return states, actions, weights

    # --- differences ---------------------------------------------------------------------------

    @cached_property
    def slope_of_return(self):
        """Return dJ/dtheta: the differences of J."""
        return self.slope(lambda moved: moved.over_start(moved.V))

    def slope_of_V(self, s):
        """Return dV(s)/dtheta by differences."""
        return self.slope(lambda moved: moved.V(s))

    def slope_of_Q(self, s, a):
        """Return dQ(s, a)/dtheta by differences."""
        return self.slope(lambda moved: moved.Q(s, a))

    @abstractmethod
    def slope_of_prob(self, s, a):
        """Return d pi(s, a)/dtheta by differences."""

    @abstractmethod
    def slope_of_log(self, s, a):
        """Return d log pi(s, a)/dtheta by differences."""

    def slope_of_score(self, s, a):
        """Return the derivative of the score by differences, (..., K, K)."""
        return self.slope(lambda moved: moved.score(s, a))

    # --- least squares -------------------------------------------------------------------------

    def fit(self, target, *, weights=None):
        """Return the w of least norm for which SC.w is closest to target(s, a), weighted by rho and pi.

        `weights`, (n,), takes the place of rho.
        """
        X, y = self.regression(target, weights)
        return np.linalg.lstsq(X, y, rcond=UNSEEN)[0]

    def regression(self, target, weights=None):
        """Return the scores and the target, each times the root of its weight, as a matrix and a column."""
        s, rho = self.visits
        a, share = self.actions(s)
        root = np.sqrt((rho if weights is None else weights)[:, None] * share)
        SC, y = self.score(s[:, None], a), np.where(root > 0, target(s[:, None], a), 0.0)
        return (root[..., None] * SC).reshape(-1, SC.shape[-1]), (root * y).ravel()

    @cached_property
    def unseen(self):
        """Projection on the directions of theta that change no visited action probability."""
        X, _ = self.regression(self.reward)
        # The matrix and the triangle of its QR factorisation have the same right singular vectors.
        _, singular, Vt = np.linalg.svd(np.linalg.qr(X, mode="r"), full_matrices=True)
        singular = np.pad(singular, (0, len(Vt) - len(singular)))
        N = Vt[singular <= UNSEEN * max(singular[0], np.finfo(float).tiny)]
        return N.T @ N

    def error(self, w):
        """Return the weighted squared error of the critic SC.w, (17.2)."""
        return self.over_visits(self.over_actions(lambda s, a: (self.Q(s, a) - self.score(s, a) @ w) ** 2))

    # --- sizes, against which a residual is measured -------------------------------------------

    def size(self, kind):
        """Return what quantities of a kind amount to on this problem."""
        return self._sizes[kind]()

    @property
    def _sizes(self):
        return {
            "one": lambda: 1.0,
            "visits": lambda: float(self.mass),
            "return": lambda: self._earned,
            "score": lambda: self._length,
            "gradient": lambda: self._earned * self._length,
            "slope": lambda: max(self._earned, self.largest_value) * self._length,
            "weights": lambda: self.largest_value / self._length,
            "square": lambda: self.mass * self.largest_value**2,
            "fisher": lambda: self.mass * self._length**2,
        }

    @cached_property
    def _earned(self):
        return float(self.over_visits(self.over_actions(lambda s, a: np.abs(self.reward(s, a)))))

    @cached_property
    def _length(self):
        # The length of a score, in the mean of squares; the step of the differences supposes about 1.
        return max(1.0, float(np.sqrt(np.trace(self.fisher) / self.mass)))

    @cached_property
    def largest_value(self):
        """Largest |Q|, among the pairs."""
        return float(np.abs(self.Q(*self.pairs)).max())


def _slope(quantity, near):
    up, down, far_up, far_down = (quantity(each) for each in near)
    return (8 * (up - down) - (far_up - far_down)) / (12 * STEP)


def _nothing(s):
    return np.zeros(np.shape(s))


def _branched(states, actions, weights, nodes, shares):
    """Return the paths once for each node of positive weight, and the nodes in their order."""
    path, node = np.nonzero(shares > 0)
    return states[:, path], actions[:, path], weights[path] * shares[path, node], nodes[path, node]
