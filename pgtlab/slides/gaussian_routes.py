"""Owns the second routes of the linear-quadratic problem, by quadrature after Gauss and Hermite."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from pgtlab.slides.routes import LEAST_TERMS, MOST_TERMS, TAIL, Routes, total

#: Exact for polynomials of degree up to 7; those of the formulas have degree 4 in state or action.
_NODES, _WEIGHTS = hermegauss(4)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


class GaussianRoutes(Routes):
    """The routes for the linear-quadratic problem."""

    countable = False

    #: Nodes of the standard normal distribution.
    standard_nodes = _NODES

    def __init__(self, mdp, policy):
        super().__init__(mdp, policy)
        self._gain, self._std = float(policy.gain), float(policy.std)
        self._drift = mdp.drift + mdp.control * self._gain
        self._noise = (mdp.control * self._std) ** 2 + mdp.noise_std**2
        self.start = mdp.initial_mean + mdp.initial_std * _NODES, _WEIGHTS

    @cached_property
    def n_terms(self):
        """Number of terms of a sum over time."""
        # Moments of order four grow like c^4, if their sum exists; else those of order two count.
        rate = self.discount * max(1.0, self._drift**4)
        if rate >= 1:
            rate = self.discount * max(1.0, self._drift**2)
        # rate^T = TAIL
        terms = np.log(TAIL) / np.log(rate) if rate > 0 else 0.0
        if terms > MOST_TERMS:
            raise ValueError(
                f"the sum over time has more than {MOST_TERMS} terms: discount is {self.discount:g} and the "
                f"closed loop has drift {self._drift:g}; expected discount * drift^2 further below 1"
            )
        return max(LEAST_TERMS, int(np.ceil(terms)))

    def _moments(self, variance):
        """Return c^t and the variance of x_t for t < T, where that of x_0 is given."""
        drift, variances = 1.0, []
        drifts = []
        for _ in range(self.n_terms):
            drifts.append(drift)
            variances.append(variance)
            drift, variance = self._drift * drift, self._drift**2 * variance + self._noise
        return np.array(drifts), np.array(variances)

    @cached_property
    def _law(self):
        drift, variance = self._moments(self.mdp.initial_std**2)
        mean = drift * self.mdp.initial_mean
        nodes = mean[:, None] + np.sqrt(variance)[:, None] * _NODES
        return nodes, np.broadcast_to(_WEIGHTS, nodes.shape)

    @cached_property
    def visits(self):
        nodes, weights = self._law
        discounted = self.discount ** np.arange(len(nodes))[:, None] * weights
        return nodes.ravel(), discounted.ravel()

    @cached_property
    def _return(self):
        # x_t = c^t x + noise of variance v_t, and the mean reward at x_t is -(q + r k^2) x_t^2 - r s^2.
        drift, variance = self._moments(0.0)
        weights = self.discount ** np.arange(len(drift))
        cost = self.mdp.state_cost + self.mdp.action_cost * self._gain**2
        constant = cost * (weights @ variance) + self.mdp.action_cost * self._std**2 * weights.sum()
        return -cost * (weights @ drift**2), -constant

    @cached_property
    def states(self):
        spread = np.sqrt(self.mdp.initial_mean**2 + self.mdp.initial_std**2 + self._noise)
        return spread * np.array([-2.0, -0.5, 0.0, 1.0, 1.5])

    @cached_property
    def pairs(self):
        s = np.repeat(self.states, 3)
        return s, self._gain * s + self._std * np.tile([-1.0, 0.5, 2.0], len(self.states))

    @property
    def everywhere(self):
        return self.states, self.pairs

    def actions(self, s):
        nodes = self._gain * s[..., None] + self._std * _NODES
        return nodes, np.broadcast_to(_WEIGHTS, nodes.shape)

    def followers(self, s, a):
        mean = self.mdp.drift * s + self.mdp.control * a
        nodes = mean[..., None] + self.mdp.noise_std * _NODES
        return nodes, np.broadcast_to(_WEIGHTS, nodes.shape)

    def likeliest(self, s):
        return self._gain * s

    def first(self, s):
        return np.zeros_like(s)

    def prob(self, s, a):
        return self.policy.density(s, a)

    def probe(self, s):
        return np.stack([s, s**2], axis=-1)

    def marks(self, s):
        return np.stack([np.ones_like(s), s**2], axis=-1)

    def growth(self, n):
        return self.discount * abs(self._drift) ** n

    def backward_visits(self):
        # There is no transpose to forget; with the measure of the steps after the start it is off as well.
        nodes, weights = self.start
        return np.array([self.mass - 1.0, self.over_visits(np.square) - weights @ nodes**2])

    def reward(self, s, a):
        return -(self.mdp.state_cost * s**2 + self.mdp.action_cost * a**2)

    def score(self, s, a):
        return self.policy.score(s, a)

    def slope_of_prob(self, s, a):
        return self.slope(lambda moved: moved._density(s, a))

    def _density(self, s, a):
        # Written out once more, so that the policy's own, in `prob`, has something to be held against.
        z = (a - self._gain * s) / self._std
        return np.exp(-(z**2) / 2) / (self._std * np.sqrt(2 * np.pi))

    def slope_of_log(self, s, a):
        return self.slope(lambda moved: moved.policy.log_prob(s, a))

    def V(self, s):
        square, constant = self._return
        return square * s**2 + constant

    def Q(self, s, a):
        return self.backed_up(self.V)(s, a)

    def function(self, value):
        return value

    def tabulated(self, v):
        # What one asks for is 1, s or s^2 on average, or a sum of these: three places tell it.
        reach = np.abs(self.states).max()
        below, here, above = v(reach * np.array([-1.0, 0.0, 1.0]))
        slope, curvature = (above - below) / 2, (above + below) / 2 - here

        def quadratic(s):
            s = s.reshape(s.shape + (1,) * np.ndim(here)) / reach
            return here + slope * s + curvature * s**2

        return quadratic

    def by_time(self, f):
        nodes, weights = self._law
        return total(weights, f(nodes))

    def at(self, t, v):
        nodes, weights = self._law
        return total(weights[t], v(nodes[t]))
