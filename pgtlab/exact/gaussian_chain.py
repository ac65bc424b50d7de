"""Owns the Gaussian chain on the real line, x' = c x + noise, and the moments of its states."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pgtlab import _validate
from pgtlab.mdp import LinearQuadraticMDP
from pgtlab.policies import LinearGaussianPolicy


@dataclass(frozen=True, eq=False)
class LinearGaussianChain:
    r"""Markov chain :math:`x' = c x + \varepsilon` that a linear-quadratic MDP becomes under a linear policy.

    Putting :math:`u = k x + \sigma z` into :math:`x' = a x + b u + e` gives the drift
    :math:`c = a + b k` and the noise variance :math:`b^2 \sigma^2 + \sigma_e^2`.

    Parameters
    ----------
    mdp : LinearQuadraticMDP
    policy : LinearGaussianPolicy

    Raises
    ------
    ValueError
        On use of `curvature` or `second_moment`, if :math:`\gamma c^2 \ge 1`: the discounted second
        moments then have no finite sum, and the expected return does not exist.

    References
    ----------
    Point 6 of "what the slides leave out".

    Examples
    --------
    With a = b = 1 the gain -1/2 halves the state in each step. The action's variance is 1, the system's 0.25.

    >>> from pgtlab.gallery import linear_quadratic
    >>> process = LinearGaussianChain(*linear_quadratic(gain=-0.5, log_std=0.0))
    >>> print(process.drift, process.noise_variance)
    0.5 1.25
    """

    mdp: LinearQuadraticMDP
    policy: LinearGaussianPolicy

    @property
    def drift(self):
        """Drift c = a + b k of the closed loop, shape (...)."""
        return self.mdp.drift + self.mdp.control * self.policy.gain

    @property
    def noise_variance(self):
        """Variance of the noise of one step, from the action and from the system, shape (...)."""
        return (self.mdp.control * self.policy.std) ** 2 + self.mdp.noise_std**2

    @property
    def curvature(self):
        r"""P in :math:`V(x) = -(P x^2 + \text{constant})`, shape (...)."""
        # P = q + r k^2 + gamma c^2 P
        step = self.mdp.state_cost + self.mdp.action_cost * self.policy.gain**2
        return step / self._decay()

    @property
    def second_moment(self):
        r"""Discounted second moment :math:`\Sigma = \sum_t \gamma^t E[x_t^2]`, shape (...)."""
        # E x_{t+1}^2 = c^2 E x_t^2 + w;  sum with weights gamma^(t+1), and add the term of t = 0:
        # Sigma - E x_0^2 = gamma c^2 Sigma + gamma w / (1 - gamma)
        gamma = self.mdp.discount
        start = self.mdp.initial_mean**2 + self.mdp.initial_std**2
        return (start + gamma * self.noise_variance / (1 - gamma)) / self._decay()

    def state_variance(self, start, t):
        r"""Variance of :math:`x_t` when that of :math:`x_0` is `start`, shape (...).

        Parameters
        ----------
        start : float
        t : int

        Returns
        -------
        ndarray, shape (...)
        """
        # var_{t+1} = c^2 var_t + w  =>  var_t = c^{2t} var_0 + w (1 + c^2 + ... + c^{2(t-1)})
        c2 = self.drift**2
        return c2**t * start + self.noise_variance * (c2[..., None] ** np.arange(t)).sum(-1)

    def margin(self, discount):
        r"""How far the closed loop is from the edge, :math:`1 - \gamma c^2`, shape (...).

        Parameters
        ----------
        discount : float
            1 for the margin of stability.

        Returns
        -------
        ndarray, shape (...)
            Right to the last digit, however small.
        """
        with np.errstate(over="ignore"):
            margin = np.asarray(1 - discount * self.drift**2)
        # Where the difference cancels, from a, b and k as fractions: c itself is rounded already.
        close = np.abs(margin) < 0.1
        if close.any():
            a, b, gamma = (Fraction(each) for each in (self.mdp.drift, self.mdp.control, discount))
            gains = self.policy.gain[close].tolist()
            margin[close] = [float(1 - gamma * (a + b * Fraction(k)) ** 2) for k in gains]
        return margin

    def _decay(self):
        decay = self.margin(self.mdp.discount)
        if not (decay > 0).all():
            at = _validate.first(~(decay > 0))
            raise ValueError(
                f"gain{_validate.subscript(at)} is {self.policy.gain[at]:g}: the closed loop has drift "
                f"a + b k = {self.drift[at]:g}, and discount * drift^2 = {1 - decay[at]:g}; "
                "expected below 1, or the expected return does not exist"
            )
        return decay
