"""Owns how the checks look at a policy: in every state and action, or along the real line."""

from __future__ import annotations

import math

import numpy as np

from pgtlab import _validate

#: How far a number may be from itself by another way, in shares of it or of 1.
ROUNDING = 1e-8

#: Where policies on the real line are looked at unless the caller says otherwise.
_STATES = (-2.0, -0.5, 0.0, 1.5)

_FINITE = ("parameters", "probs", "scores", "with_parameters")
_CONTINUOUS = ("parameters", "log_prob", "score", "with_parameters")


def look(policy, states):
    """Return the way to look at `policy`; raise TypeError where it lacks what a policy has."""
    if hasattr(policy, "probs"):
        require(policy, _FINITE)
        return Finite()
    require(policy, _CONTINUOUS)
    parameters(policy)
    return Continuous(policy, _validate.array("states", _STATES if states is None else states, "(N,)"))


def require(policy, names):
    """Raise TypeError at the first of `names` that `policy` does not have."""
    for name in names:
        if not hasattr(policy, name):
            raise TypeError(
                f"{type(policy).__name__} has no {name}; expected a policy with {', '.join(names)}"
            )


def parameters(policy):
    """Return a copy of the parameters (K,)."""
    theta = _validate.numbers("parameters", policy.parameters)
    if theta.ndim > 1:
        raise ValueError(
            f"policy is a batch of shape {theta.shape[:-1]}; expected one policy, such as "
            "policy.with_parameters(policy.parameters[0])"
        )
    if theta.ndim == 0 or not np.isfinite(theta).all():
        raise AssertionError(
            f"parameters is {theta} of shape {theta.shape}; expected a vector (K,) of finite numbers"
        )
    return theta


class Finite:
    """How to look at a policy over finitely many states and actions.

    Attributes
    ----------
    sums : str
        What is true of the probabilities of a sound policy.
    within : float
        How far a sum over the actions may be off.
    """

    sums = "at least 0, and 1 in sum"
    within = ROUNDING

    def read(self, policy):
        """Return the probabilities, shape (..., S, A), as they come."""
        return _validate.numbers("probs()", policy.probs())

    def check_type(self, policy):
        """Raise AssertionError where probabilities have too few digits for sums and slopes."""
        _check_type("probs()", policy.probs())

    def probabilities(self, policy, where=""):
        """Return the probability of each action, shape (S, A)."""
        probs = self.read(policy)
        if probs.ndim != 2:
            raise AssertionError(
                f"{where}probs() has shape {probs.shape}; expected (S, A), a row for each state"
            )
        return probs

    def logs(self, policy):
        """Return the logarithms of the probabilities, shape (S, A); minus infinity where one is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(self.probabilities(policy))

    def scores(self, policy):
        """Return the scores, shape (S, A, K)."""
        return _validate.numbers("scores()", policy.scores())

    def name(self, where, s, a):
        """Return what the probability of an action is called; of all actions, with ":" for `a`."""
        return f"{where}probs()[{s}, {a}]"

    def score_name(self, where, s, a, k):
        """Return what a score is called; that of all actions, with ":" for `a`."""
        return f"{where}scores()[{s}, {a}, {k}]"

    def check_methods(self, policy, where):
        """Raise AssertionError unless the methods for single actions, where there are any, say the same."""
        probs, scores = self.probabilities(policy, where), self.scores(policy)
        states, actions = np.indices(probs.shape)
        # Of the numbers below the smallest normal one digits are lost, and in their logarithms.
        possible = probs >= np.finfo(np.float64).tiny
        if hasattr(policy, "log_prob"):
            with np.errstate(divide="ignore", invalid="ignore"):
                told = _validate.numbers("log_prob", policy.log_prob(states, actions))
            logs = np.log(probs, where=possible, out=np.zeros_like(probs))
            if told.shape == probs.shape:
                told[~possible] = 0.0
            equal(f"{where}log_prob(s, a)", told, "log probs()[s, a]", logs)
        if hasattr(policy, "score"):
            equal(f"{where}score(s, a)", policy.score(states, actions), "scores()[s, a]", scores)
        if hasattr(policy, "score_sum"):
            weights = np.cos(np.arange(probs.size)).reshape(probs.shape)
            summed = np.einsum("sa,sak->k", weights, scores)
            equal(f"{where}score_sum(w)", policy.score_sum(weights), "the sum of w scores()", summed)


class Continuous:
    """How to look at a policy on the real line: at actions that each stand for a stretch of it.

    Parameters
    ----------
    policy : object
        Whose density says where to look.
    states : ndarray, shape (S,)

    Attributes
    ----------
    sums, within
        As for `Finite`; a kink of the density costs the integral some digits.
    """

    sums = "1 in integral"
    within = 1e-4

    def __init__(self, policy, states):
        grids = [_grid(policy, x) for x in states]
        self.states = np.repeat(states[:, None], len(grids[0][0]), axis=1)
        self.actions = np.array([actions for actions, _ in grids])
        self.widths = np.array([widths for _, widths in grids])

    def read(self, policy):
        """Return the logarithms of the density, shape (..., S, N), as they come."""
        return _validate.numbers("log_prob", policy.log_prob(self.states, self.actions))

    def check_type(self, policy):
        """Raise AssertionError where logarithms have too few digits for sums and slopes."""
        _check_type("log_prob", policy.log_prob(self.states, self.actions))

    def probabilities(self, policy, where=""):
        """Return the probability of each stretch, shape (S, N)."""
        logs = self.read(policy)
        if logs.shape != self.actions.shape:
            raise AssertionError(
                f"{where}log_prob has shape {logs.shape} for states and actions of shape "
                f"{self.actions.shape}; expected the same"
            )
        return np.exp(logs) * self.widths

    def logs(self, policy):
        """Return the logarithms of the density, shape (S, N)."""
        return self.read(policy)

    def scores(self, policy):
        """Return the scores, shape (S, N, K)."""
        return _validate.numbers("score", policy.score(self.states, self.actions))

    def name(self, where, s, a):
        """Return what the probability of a stretch is called; of all of them, with ":" for `a`."""
        return f"exp({where}log_prob({self.states[s, 0]:g}, {self._action(s, a)}))"

    def score_name(self, where, s, a, k):
        """Return what a score is called; that of all actions, with ":" for `a`."""
        return f"{where}score({self.states[s, 0]:g}, {self._action(s, a)})[{k}]"

    def check_methods(self, policy, where):
        """Raise AssertionError unless the density, where there is one, says the same as its logarithm."""
        if hasattr(policy, "density"):
            told = policy.density(self.states, self.actions)
            equal(f"{where}density(x, u)", told, "exp(log_prob(x, u))", np.exp(self.logs(policy)))

    def _action(self, s, a):
        return a if a == ":" else f"{self.actions[s, a]:.6g}"


def _check_type(name, values):
    dtype = np.asarray(values).dtype
    if dtype.kind == "f" and dtype.itemsize < 8:
        raise AssertionError(
            f"{name} has dtype {dtype}, of about {np.finfo(dtype).precision} digits; expected float64. "
            f"Likely cause: parameters or features are {dtype}; make them np.asarray(..., dtype=np.float64)"
        )


def equal(name, told, other_name, expected):
    """Raise AssertionError unless two ways to ask for the same have the same answer, but for rounding."""
    told = _validate.numbers(name, told)
    if told.shape != expected.shape:
        raise AssertionError(f"{name} has shape {told.shape} but {other_name} has shape {expected.shape}")
    at = _validate.first(~(np.abs(told - expected) <= ROUNDING * np.maximum(1.0, np.abs(expected))))
    if at:
        place = _validate.subscript(at)
        raise AssertionError(
            f"{name} is {told[at]:.6g} but {other_name} is {expected[at]:.6g}, at {place}. Likely cause: the "
            "two are computed in two places, of which one has a slip or keeps old parameters"
        )


def _grid(policy, x):
    """Return actions (M,) about the peak of the density in state x, and the stretch each stands for."""
    # u = c + w sinh(pi/2 sinh(y)), y evenly spaced: dense at the peak c, and out to 1e12 widths w.
    y, step = np.linspace(-3.6, 3.6, 1001, retstep=True)
    out, slope = np.sinh(np.pi / 2 * np.sinh(y)), np.pi / 2 * np.cosh(y) * np.cosh(np.pi / 2 * np.sinh(y))
    centre, width = 0.0, 1.0
    for _ in range(40):
        actions = centre + width * out
        logs = _validate.numbers("log_prob", policy.log_prob(np.full(actions.shape, x), actions))
        i = min(max(int(np.argmax(logs)), 1), len(actions) - 2)
        centre = actions[i]
        if logs[i] - min(logs[i - 1], logs[i + 1]) < 1:
            # The peak is resolved: a normal density of this height has this width.
            width = math.exp(min(-logs[i], 700.0)) / math.sqrt(2 * math.pi)
        else:
            width = 10 * (actions[i + 1] - actions[i])
    return centre + width * out, width * slope * step
