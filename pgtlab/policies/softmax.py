"""Owns the policies over finitely many states and actions."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from pgtlab import _validate
from pgtlab.policies.divergence import above_tangent
from pgtlab.policies.policy import Policy

#: Share of the largest score of its state by which the scores of a policy of one's own may miss their mean 0.
_MEAN_ZERO = 1e-6

#: And share of the largest score of all states, or of 1.
_ROUNDED_ZERO = 1e-9


class FinitePolicy(Policy):
    r"""Stochastic policy :math:`\pi(s, a; \theta)` over finitely many states and actions.

    To bring a policy of your own, derive from this class, keep `parameters` (K,) as an attribute that
    never changes, and write `probs`, `scores` and `with_parameters`. All else follows from them.

    Examples
    --------
    A policy that tosses the same coin in each of three states:

    >>> class Coin(FinitePolicy):
    ...     def __init__(self, parameters):
    ...         self.parameters = np.array(parameters)
    ...     def probs(self):
    ...         p = 1 / (1 + np.exp(-self.parameters[0]))
    ...         return np.tile([p, 1 - p], (3, 1))
    ...     def scores(self):
    ...         p = self.probs()[0, 0]
    ...         return np.tile([[1 - p], [-p]], (3, 1, 1))
    ...     def with_parameters(self, parameters):
    ...         return Coin(parameters)
    >>> coin = Coin([0.0])
    >>> coin.score(2, 1)
    array([-0.5])
    >>> coin.score_sum(np.ones((3, 2)))
    array([0.])
    """

    parameters: np.ndarray

    @abstractmethod
    def probs(self):
        r"""Probabilities :math:`\pi(s, a; \theta)`, shape (S, A)."""

    @abstractmethod
    def scores(self):
        r"""Scores :math:`\partial \log \pi(s, a; \theta) / \partial \theta`, shape (S, A, K)."""

    def score(self, state, action):
        state, action = self._indices(state, action)
        return self.sound_scores()[..., state, action, :]

    def log_prob(self, state, action):
        # Minus infinity where the probability is 0.
        state, action = self._indices(state, action)
        with np.errstate(divide="ignore"):
            return np.log(np.asarray(self.probs())[..., state, action])

    def log_probs(self):
        r"""Logarithms of all the probabilities, :math:`\log \pi(s, a; \theta)`, shape (..., S, A).

        By `log_prob`: whoever writes that without taking the logarithm of a probability that underflows has
        done enough. Minus infinity says that the action is never taken; a finite number, that it is, even
        if its probability underflows to 0.
        """
        S, A = np.shape(self.probs())[-2:]
        flat = self.log_prob(np.repeat(np.arange(S), A), np.tile(np.arange(A), S))
        return flat.reshape(*flat.shape[:-1], S, A)

    def sample(self, state, *, rng):
        _validate.generator(rng)
        state = _validate.indices("state", state, self.probs().shape[-2])
        # The action is the number of steps of the distribution function that lie below a uniform.
        below = self.probs()[..., state, :].cumsum(-1)[..., :-1]
        return (rng.random(below.shape[:-1])[..., None] >= below).sum(-1)

    def score_sum(self, weights):
        r"""Weighted sum of the scores, :math:`\sum_{s,a} w(s, a) \, \partial \log \pi(s, a; \theta)`.

        Parameters
        ----------
        weights : ndarray, shape (..., S, A)

        Returns
        -------
        ndarray, shape (..., K)
        """
        return np.einsum("...sa,...sak->...k", weights, self.sound_scores())

    # --- what the exact rooms ask ----------------------------------------------------------------------

    #: Whether `probs` and `scores` are those of this package, and need not be looked at.
    _is_ours = False

    def sound_probs(self):
        """Probabilities (..., S, A), as floats of the type that they have."""
        probs = self.probs()
        if self._is_ours:
            return probs
        numbers = _validate.numbers("policy.probs()", probs)
        probs = np.asarray(probs)
        probs = probs if probs.dtype.kind == "f" else numbers
        if probs.ndim < 2:
            raise ValueError(f"policy.probs() has shape {probs.shape}; expected (..., S, A)")
        missing = np.abs(probs @ np.ones(probs.shape[-1]) - 1)
        # Also false for NaN.
        if not (probs.min() >= 0 and missing.max() <= _validate.ROUNDING):
            at = _validate.first(~((probs >= 0).all(-1) & (missing <= _validate.ROUNDING)))
            digits = f". Compute them in float64, not in {probs.dtype}" if probs.dtype.itemsize < 8 else ""
            raise ValueError(
                f"policy.probs(){_validate.subscript(at)} is {probs[at]}; "
                f"expected probabilities of at least 0 that sum to 1 within {_validate.ROUNDING:g}{digits}"
            )
        return probs

    def sound_scores(self):
        """Scores (..., S, A, K), 0 in place of NaN where an action is never taken.

        Raises ValueError for what no score can be: another shape, a number that is not finite, or a mean
        under the policy, in some state, that is not 0 within a millionth of the largest score there.
        """
        if self._is_ours:
            return self.scores()
        probs, scores = self.probs(), _validate.numbers("policy.scores()", self.scores())
        expected = (*probs.shape, np.shape(self.parameters)[-1])
        _validate.shape(
            "policy.scores()", scores, expected, "for each state and action a number for each parameter"
        )
        scores = np.where(np.isnan(scores) & (probs == 0)[..., None], 0.0, scores)
        _validate.finite("policy.scores()", scores)
        mean = (probs[..., None, :] @ scores)[..., 0, :]
        largest = np.abs(scores).max(-2)
        # Where a parameter changes nothing, its scores are what rounding left of 0.
        rounded = _ROUNDED_ZERO * np.maximum(1.0, largest.max(-2, keepdims=True))
        at = _validate.first(np.abs(mean) > _MEAN_ZERO * largest + rounded)
        if at is not None:
            *state, k = at
            raise ValueError(
                f"the mean of policy.scores(){_validate.subscript((*state, ':', k))} under the policy is "
                f"{mean[at]:.6g}; expected 0. checks.sound_policy(policy) looks for the cause"
            )
        return scores

    def score_differences(self):
        """What differs from action to action as the scores do, (..., S, A, K) or (S, A, K)."""
        return self.sound_scores()

    def scores_along(self, w):
        return (self.sound_scores() @ w[..., None, :, None])[..., 0]

    def squared_scores(self):
        r"""Squares of the scores, :math:`|\mathrm{SC}(s, a)|^2`, shape (S, A), of one policy."""
        probs, scores = self.sound_probs(), self.sound_scores()
        # The mean of the scores is 0, so that of an action is its mean distance from the others, which keeps
        # the digits of an action that is nearly sure.
        apart = scores[:, :, None, :] - scores[:, None, :, :]
        return np.square(np.einsum("sab,sabk->sak", _of_others(probs), apart)).sum(-1)

    def possible(self):
        """Whether an action may be taken, be it with a probability that underflows: (..., S, A) or (S, A)."""
        return self.log_probs() > -np.inf

    def divergence_from(self, other):
        p, q, log_p = self.sound_probs(), other.sound_probs(), self.log_probs()
        with np.errstate(invalid="ignore"):
            x = other.log_probs() - log_p
        # The probabilities sum to 1, so sum p log(p/q) = sum (q - p - p x) with x = log(q/p). Each term is at
        # least 0, and nothing cancels; where x is small it is p (e^x - 1 - x), and where p is 0 it is q.
        near = np.abs(x) < 1
        with np.errstate(invalid="ignore"):
            terms = np.where(np.isneginf(log_p), q, q - p - p * x)
        terms[near] = (p * above_tangent(np.where(near, x, 0.0)))[near]
        return np.maximum(terms, 0.0).sum(-1)

    def _indices(self, state, action):
        S, A = np.shape(self.probs())[-2:]
        return _validate.indices("state", state, S), _validate.indices("action", action, A)


@dataclass(frozen=True, eq=False, repr=False)
class SoftmaxPolicy(FinitePolicy):
    r"""Softmax of linear preferences, :math:`\pi(s, a; \theta) \propto \exp(\phi(s, a) \cdot \theta)`.

    The score is the feature minus its mean under the policy,
    :math:`\phi(s, a) - \sum_{a'} \pi(s, a'; \theta) \phi(s, a')`.
    Two states with the same features are aliased: the policy cannot tell them apart.

    Parameters
    ----------
    features : array_like, shape (S, A, K)
        :math:`\phi(s, a)`.
    parameters : array_like, shape (K,) or (..., K)
        :math:`\theta`. Leading axes make a batch of policies; every result then has them too.

    Raises
    ------
    ValueError
        If a shape does not fit or an entry is not finite.
    TypeError
        If an argument is not made of numbers.

    References
    ----------
    R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 13.1.

    Examples
    --------
    >>> SoftmaxPolicy.tabular([[0.0, np.log(3.0)]]).probs()
    array([[0.25, 0.75]])
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> policy.scores()
    array([[[ 0.5],
            [-0.5]]])
    >>> policy.with_parameters([[0.0], [np.log(4.0)]]).probs()
    array([[[0.5, 0.5]],
    <BLANKLINE>
           [[0.8, 0.2]]])
    """

    features: np.ndarray
    parameters: np.ndarray
    _one_hot: bool = field(default=False, init=False)

    def __post_init__(self):
        features = _validate.array("features", self.features, "(S, A, K)")
        parameters = _validate.array("parameters", self.parameters, "(..., K)")
        _fits(parameters, features.shape)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "parameters", parameters)

    @classmethod
    def tabular(cls, logits):
        r"""Softmax policy with a parameter of its own for each state and action.

        Parameters
        ----------
        logits : array_like, shape (S, A) or (..., S, A)
            Preferences; ``parameters[s*A + a]`` is ``logits[s, a]``.

        Returns
        -------
        SoftmaxPolicy
            Its `features` (S, A, S*A) are the rows of an identity matrix, seen through a view that takes
            S*A numbers of memory.
        """
        logits = _validate.array("logits", logits, "(..., S, A)")
        S, A = logits.shape[-2:]
        parameters = logits.reshape(*logits.shape[:-2], S * A)
        return cls._unchecked(_one_hot_features(S, A), _validate.read_only(parameters), True)

    @classmethod
    def _unchecked(cls, features, parameters, one_hot):
        self = object.__new__(cls)
        for name, value in (("features", features), ("parameters", parameters), ("_one_hot", one_hot)):
            object.__setattr__(self, name, value)
        return self

    def with_parameters(self, parameters):
        parameters = _validate.array("parameters", parameters, "(..., K)")
        _fits(parameters, self.features.shape)
        return self._unchecked(self.features, parameters, self._one_hot)

    @property
    def is_tabular(self):
        return self._one_hot

    @property
    def _is_ours(self):
        # A class that is derived from this one may have scores of its own.
        return type(self) is SoftmaxPolicy

    def score_differences(self):
        # SC(s, a) = phi(s, a) - sum_b pi(s, b) phi(s, b)
        return self.features if self._is_ours else self.sound_scores()

    def scores_along(self, w):
        if not self._is_ours:
            return super().scores_along(w)
        # (phi(s, a) - mean of phi) . w, without a table of the scores
        preference = self.with_parameters(w).logits()
        return preference - (self.probs() * preference).sum(-1, keepdims=True)

    def squared_scores(self):
        if not self.is_tabular:
            return super().squared_scores()
        # The score of (s, a) is e_sa - sum_b pi(s, b) e_sb: 1 - pi(s, a) there, and pi(s, b) beside.
        others = _of_others(self.probs())
        return others.sum(-1) ** 2 + np.square(others).sum(-1)

    def possible(self):
        # A softmax takes every action, be the logarithm of its probability beyond the floats.
        return np.ones(self.features.shape[:2], bool)

    def logits(self):
        r"""Preferences :math:`\phi(s, a) \cdot \theta`, shape (..., S, A)."""
        S, A, K = self.features.shape
        theta = self.parameters
        flat = theta if self._one_hot else theta @ self.features.reshape(S * A, K).T
        return flat.reshape(*theta.shape[:-1], S, A)

    def probs(self):
        return self._probs

    @cached_property
    def _probs(self):
        logits = self._quiet_logits()
        # Where all preferences are within 600 of 0 no exponential overflows.
        small = np.vdot(logits, logits) < 600**2
        weight = np.exp(logits if small else self._below_largest())
        return _validate.read_only(weight / _sum_over_actions(weight))

    def log_prob(self, state, action):
        # Finite even if the probability underflows.
        state, action = self._indices(state, action)
        return self.log_probs()[..., state, action]

    def log_probs(self):
        below = self._below_largest()
        at = _validate.first(below == -np.inf)
        if at is not None:
            raise ValueError(
                f"the preference of [state, action] = {list(at[-2:])} is so far below the largest of its "
                "state that the logarithm of its probability is no float; expected smaller features or "
                "parameters"
            )
        others = np.exp(below)
        np.put_along_axis(others, below.argmax(-1, keepdims=True), 0.0, axis=-1)
        # log sum_b exp(l_b) = l_max + log(1 + sum of the others, each of at most 1)
        return below - np.log1p(others.sum(-1, keepdims=True))

    def _quiet_logits(self):
        if self._one_hot:
            return self.logits()
        with np.errstate(over="ignore", invalid="ignore"):
            return self.logits()

    def _below_largest(self):
        """Return the preferences less the largest of each state, (..., S, A)."""
        logits = self._quiet_logits()
        with np.errstate(over="ignore", invalid="ignore"):
            largest = logits.max(-1, keepdims=True)
            below = logits - largest
        if not np.isfinite(largest).all():
            at = _validate.first(~np.isfinite(logits))
            raise ValueError(
                f"the preference of [state, action] = {list(at[-2:])} is {logits[at]}; expected a finite "
                "number: features and parameters are too large"
            )
        return below

    def scores(self):
        # phi(s, a) - sum_b pi(s, b) phi(s, b)
        return self._centred(self.features, self.probs())

    def score(self, state, action):
        state, action = np.broadcast_arrays(*self._indices(state, action))
        centred = self._centred(self.features[state], self.probs()[..., state, :])
        at = np.broadcast_to(action, centred.shape[:-2])[..., None, None]
        return np.take_along_axis(centred, at, axis=-2)[..., 0, :]

    def _centred(self, features, probs):
        """Return features (..., A, K) less their mean; what they have in common is taken off before."""
        likeliest = probs.argmax(-1)[..., None, None]
        features = np.broadcast_to(features, (*probs.shape[:-1], *features.shape[-2:]))
        features = features - np.take_along_axis(features, likeliest, axis=-2)
        return features - probs[..., None, :] @ features

    def score_sum(self, weights):
        # sum_a w(a) (phi(a) - sum_b pi(b) phi(b)) = sum_a (w(a) - pi(a) sum_b w(b)) phi(a)
        centred = weights - self.probs() * _sum_over_actions(weights)
        S, A, K = self.features.shape
        flat = centred.reshape(*centred.shape[:-2], S * A)
        return flat if self._one_hot else flat @ self.features.reshape(S * A, K)

    def __reduce__(self):
        # The one-hot view would be written out in full, (S*A)^2 numbers.
        if self._one_hot:
            return type(self).tabular, (self.logits(),)
        return type(self), (self.features, self.parameters)

    def __repr__(self):
        S, A, K = self.features.shape
        batch = f", batch={self.parameters.shape[:-1]}" if self.parameters.ndim > 1 else ""
        return f"SoftmaxPolicy(n_states={S}, n_actions={A}, n_parameters={K}{batch})"


def _sum_over_actions(table):
    """Return the sums of the rows of a table (..., S, A), (..., S, 1); as a product it is twice as fast."""
    return table.dot(_ones(table.shape[-1]))[..., None]


@lru_cache(maxsize=16)
def _ones(n):
    return np.ones(n)


def _of_others(probs):
    """Return the probabilities of the other actions, (S, A, A): row a has 0 at a."""
    return np.where(np.eye(probs.shape[1], dtype=bool), 0.0, probs[:, None, :])


def _fits(parameters, features_shape):
    if parameters.shape[-1] != features_shape[-1]:
        raise ValueError(
            f"parameters has shape {parameters.shape}; expected (..., {features_shape[-1]}) "
            f"to go with features of shape {features_shape}"
        )


@lru_cache(maxsize=16)
def _one_hot_features(S, A):
    """Return the identity matrix of size S*A as a read-only (S, A, S*A) view of 2*S*A - 1 numbers."""
    K = S * A
    line = np.zeros(2 * K - 1)
    line[K - 1] = 1.0
    # Row i of the identity starts i places before the 1: entry (i, k) is line[K - 1 - i + k].
    step = line.itemsize
    return np.lib.stride_tricks.as_strided(
        line[K - 1 :], shape=(S, A, K), strides=(-A * step, -step, step), writeable=False
    )
