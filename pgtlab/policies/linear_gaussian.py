"""Owns the Gaussian policy with linear mean, for the linear-quadratic problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgtlab import _validate
from pgtlab.policies.divergence import above_tangent
from pgtlab.policies.policy import Policy
from pgtlab.quadratic import Quadratic, spread

#: Largest gain, and largest size of the logarithm of the std: fourth powers of both sides stay floats.
_LARGEST_GAIN, _LARGEST_LOG_STD = 1e75, 170.0


@dataclass(frozen=True, eq=False, repr=False)
class LinearGaussianPolicy(Policy):
    r"""Gaussian action around a linear feedback, :math:`u \sim N(k x, \sigma^2)`.

    The parameters are :math:`\theta = (k, \log \sigma)`, in that order. With
    :math:`z = (u - k x) / \sigma` the score is :math:`(z x / \sigma, \; z^2 - 1)`.

    Parameters
    ----------
    gain : float or array_like, shape (...)
        Feedback gain k, at most 1e75 in size.
    log_std : float or array_like, shape (...)
        Logarithm of the standard deviation :math:`\sigma` of the action, from -170 to 170, so that
        :math:`\sigma` is from 1e-74 to 1e74 and its fourth power is a number still.

    Raises
    ------
    ValueError
        If an entry is not finite or out of its range, or the shapes do not broadcast.
    TypeError
        If an argument is not made of numbers.

    Examples
    --------
    >>> policy = LinearGaussianPolicy(gain=-0.5, log_std=0.0)
    >>> policy
    LinearGaussianPolicy(gain=-0.5, log_std=0)
    >>> policy.score(2.0, 0.0)
    array([2., 0.])
    """

    gain: np.ndarray
    log_std: np.ndarray

    def __post_init__(self):
        gain = _validate.array("gain", self.gain, "(...,)")
        log_std = _validate.array("log_std", self.log_std, "(...,)")
        _validate.at_most("gain", gain, _LARGEST_GAIN)
        _validate.at_most("log_std", log_std, _LARGEST_LOG_STD)
        try:
            gain, log_std = np.broadcast_arrays(gain, log_std)
        except ValueError:
            raise ValueError(
                f"gain has shape {gain.shape} and log_std {log_std.shape}; expected shapes that broadcast"
            ) from None
        object.__setattr__(self, "gain", gain)
        object.__setattr__(self, "log_std", log_std)

    @property
    def parameters(self):
        r"""Parameters :math:`\theta = (k, \log \sigma)`, shape (..., 2)."""
        return _validate.read_only(np.stack([self.gain, self.log_std], axis=-1))

    def with_parameters(self, parameters):
        parameters = _validate.array("parameters", parameters, "(..., K)")
        if parameters.shape[-1] != 2:
            raise ValueError(f"parameters has shape {parameters.shape}; expected (..., 2), gain and log_std")
        return LinearGaussianPolicy(parameters[..., 0], parameters[..., 1])

    @property
    def std(self):
        r"""Standard deviation :math:`\sigma` of the action, shape (...)."""
        return np.exp(self.log_std)

    def density(self, state, action):
        r"""Density :math:`\pi(x, u; \theta)` of an action.

        Parameters
        ----------
        state, action : float or ndarray, shapes that broadcast to (N,)

        Returns
        -------
        ndarray, shape (..., N)
        """
        return np.exp(self.log_prob(state, action))

    def log_prob(self, state, action):
        z, _, _, log_std = self._standardised(state, action)
        return -0.5 * z**2 - log_std - 0.5 * np.log(2 * np.pi)

    def score(self, state, action):
        z, state, std, _ = self._standardised(state, action)
        return np.stack(np.broadcast_arrays(z * state / std, z**2 - 1), axis=-1)

    def sample(self, state, *, rng):
        _validate.generator(rng)
        state = np.asarray(state, dtype=np.float64)
        gain, std = spread(self.gain, state.ndim), spread(self.std, state.ndim)
        mean = gain * state
        return mean + std * rng.standard_normal(mean.shape)

    # --- what the exact rooms ask ----------------------------------------------------------------------

    def in_noise(self, values):
        r"""Coefficients of :math:`x^2`, :math:`x z` and :math:`z^2` of a function of state and action.

        Parameters
        ----------
        values : Quadratic
            A function of x and u, read at :math:`u = k x + \sigma z`.

        Returns
        -------
        tuple of three ndarrays, shape (...)
        """
        k, s, H = self.gain, self.std, values.matrix
        xx, xu, uu = H[..., 0, 0], H[..., 0, 1], H[..., 1, 1]
        return xx + 2 * k * xu + k**2 * uu, 2 * s * (xu + k * uu), s**2 * uu

    def scores_along(self, w):
        k, variance = self.gain, self.std**2
        # z x / s = (u - k x) x / s^2,  z^2 = (u - k x)^2 / s^2
        along, across = w[..., 0] / variance, w[..., 1] / variance
        H = np.empty((*np.broadcast_shapes(along.shape, k.shape), 2, 2))
        H[..., 0, 0] = -along * k + across * k**2
        H[..., 0, 1] = H[..., 1, 0] = along / 2 - across * k
        H[..., 1, 1] = across
        return Quadratic(H, -w[..., 1] + np.zeros(H.shape[:-2]))

    def divergence_from(self, other):
        # KL(N(kx, s^2), N(k'x, s'^2)) = (e^d - 1 - d) / 2 + (k - k')^2 x^2 / (2 s'^2) with d = 2 log(s/s')
        square = 0.5 * ((self.gain - other.gain) / other.std) ** 2
        return Quadratic(spread(square, 2), 0.5 * above_tangent(2 * (self.log_std - other.log_std)))

    def _standardised(self, state, action):
        state, action = np.broadcast_arrays(
            np.asarray(state, dtype=np.float64), np.asarray(action, dtype=np.float64)
        )
        gain, log_std = spread(self.gain, state.ndim), spread(self.log_std, state.ndim)
        std = np.exp(log_std)
        return (action - gain * state) / std, state, std, log_std

    def __reduce__(self):
        # Through the constructor: a bare copy of the arrays would not be write-protected.
        return type(self), (self.gain, self.log_std)

    def __repr__(self):
        if self.gain.ndim:
            return f"LinearGaussianPolicy(batch={self.gain.shape})"
        return f"LinearGaussianPolicy(gain={self.gain:g}, log_std={self.log_std:g})"
