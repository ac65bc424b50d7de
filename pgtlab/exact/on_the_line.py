"""Owns what the Gaussian chain returns: kernels and measures on the real line, and a baseline there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pgtlab.quadratic import Quadratic, scalar, spread

#: Largest error of the density of a visitation measure, as a share of the measure's mass.
_DENSITY_ERROR = 1e-13

#: Terms of a density, one a step, up to which the sum over time is done.
_MOST_TERMS = 1e6


class Moments(NamedTuple):
    """What the integrals over a measure need to know of it."""

    mass: float
    second_moment: float


@dataclass(frozen=True, eq=False)
class GaussianKernel:
    r"""Transition kernel :math:`x \mapsto N(\text{drift} \cdot x, \text{std}^2)` of t steps.

    Parameters
    ----------
    drift : ndarray, shape (...)
        :math:`c^t`.
    std : ndarray, shape (...)
        0 for t = 0.

    Examples
    --------
    >>> GaussianKernel(np.array(0.5), np.array(1.0)).density(2.0, 1.0).round(6)
    np.float64(0.398942)
    """

    drift: np.ndarray
    std: np.ndarray

    def density(self, state, next_state):
        r"""Density :math:`p(x \to x', t, \pi)`.

        Parameters
        ----------
        state, next_state : float or ndarray, shapes that broadcast to (N,)

        Returns
        -------
        ndarray, shape (..., N)

        Raises
        ------
        ValueError
            If the std is 0: no step was made, or no noise, and all the probability sits in one point.
        """
        x, y = np.broadcast_arrays(np.asarray(state, float), np.asarray(next_state, float))
        return _normal(y - spread(self.drift, x.ndim) * x, spread(self.std, x.ndim), "after this many steps")


@dataclass(frozen=True, eq=False)
class GaussianVisitation:
    r"""Visitation measure of the linear-quadratic problem, a weighted sum of Gaussians.

    .. math::

        \rho^\pi(x) = \text{mass} \cdot (1 - \gamma) \sum_{t \ge 0} \gamma^t \, N(x; \, c^t \mu_0, \, v_t)

    with :math:`v_0 = \sigma_0^2` and :math:`v_{t+1} = c^2 v_t + w`.

    Parameters
    ----------
    process : LinearGaussianChain
    mass : float
        Total of the measure: :math:`1/(1-\gamma)` as in the slides, or 1 once normalised.

    Examples
    --------
    >>> from pgtlab import LinearGaussianPolicy, LinearQuadraticMDP
    >>> mdp = LinearQuadraticMDP(drift=1, control=1, state_cost=1, action_cost=1, noise_std=0,
    ...                          initial_mean=0, initial_std=1, discount=0.5)
    >>> from pgtlab import state_visitation
    >>> rho = state_visitation(mdp, LinearGaussianPolicy(gain=-1.0, log_std=0.0))
    >>> rho.mass, rho.second_moment
    (2.0, 2.0)
    """

    process: object
    mass: float

    @property
    def second_moment(self):
        r"""Integral of :math:`x^2` over the measure, float or shape (...)."""
        share = self.mass * (1 - self.process.mdp.discount)
        return scalar(share * self.process.second_moment)

    def density(self, state):
        r"""Density of the measure.

        Parameters
        ----------
        state : float or ndarray, shape (N,)

        Returns
        -------
        ndarray, shape (..., N)
            In visits per unit of state. The sum over t stops where what is left out is below 1e-13 of the
            mass, divided by :math:`\sqrt{2\pi}` times the smallest standard deviation of a term.

        Raises
        ------
        ValueError
            If the std of the start is 0: the measure then has an atom, and no density there. If the sum over
            t has more than a million terms, with a discount above 0.99997.
        """
        mdp, x = self.process.mdp, np.asarray(state, dtype=np.float64)
        c, w = spread(self.process.drift, x.ndim), spread(self.process.noise_variance, x.ndim)
        mean, variance = np.full_like(c, mdp.initial_mean), np.full_like(c, mdp.initial_std**2)
        total, weight = 0.0, self.mass * (1 - mdp.discount)
        if mdp.discount > 0 and np.log(_DENSITY_ERROR) / np.log(mdp.discount) > _MOST_TERMS:
            raise ValueError(
                f"discount is {mdp.discount:.12g}: the density has more than {_MOST_TERMS:g} terms, one a "
                "step; expected a smaller discount. `second_moment` needs no such sum"
            )
        # The terms from t on weigh gamma^t of the mass.
        left, when = 1.0, "at the start"
        while left > _DENSITY_ERROR:
            total = total + weight * left * _normal(x - mean, np.sqrt(variance), when)
            mean, variance = c * mean, c**2 * variance + w
            left, when = left * mdp.discount, "after the start"
        return total


def _normal(deviation, std, when):
    if not (std > 0).all():
        raise ValueError(f"the state has std 0 {when}; expected a std above 0, as a density needs")
    return np.exp(-0.5 * (deviation / std) ** 2) / (std * np.sqrt(2 * np.pi))


@dataclass(frozen=True, eq=False)
class BestBaseline:
    r"""Best baseline of the linear-quadratic problem, a function of the state that is not quadratic.

    With :math:`u = k x + \sigma z` the squared score is :math:`z^2 x^2 / \sigma^2 + (z^2 - 1)^2`, with mean
    :math:`x^2 / \sigma^2 + 2`; times :math:`z^2` its mean is :math:`3 x^2 / \sigma^2 + 10`, times z it is 0.
    Of Q, as a polynomial in z, only the term :math:`\sigma^2 Q_{uu} z^2` is weighted anew: its factor is no
    longer :math:`E z^2 = 1`. Hence

    .. math::

        b^*(x) = V(x) + \sigma^2 Q_{uu} \Big( \frac{3 x^2 + 10 \sigma^2}{x^2 + 2 \sigma^2} - 1 \Big).

    Parameters
    ----------
    state_values : Quadratic
        V.
    variance : float
        :math:`\sigma^2` of the action.
    curvature : float
        :math:`\sigma^2 Q_{uu}`.

    Examples
    --------
    Far from 0 the excess over V is twice the curvature, at 0 four times.

    >>> b = BestBaseline(Quadratic(np.zeros((1, 1)), np.array(0.0)), variance=1.0, curvature=-1.0)
    >>> b(0.0), round(b(1e6), 6)
    (-4.0, -2.0)
    """

    state_values: Quadratic
    variance: float
    curvature: float

    def __call__(self, state):
        """Value of the baseline.

        Parameters
        ----------
        state : float or ndarray, shape (N,)

        Returns
        -------
        float, or ndarray of shape (N,)
        """
        square = np.square(state, dtype=np.float64)
        # (3 x^2 + 10 s^2) / (x^2 + 2 s^2) - 1 = 2 + 4 s^2 / (x^2 + 2 s^2)
        excess = self.curvature * (2 + 4 * self.variance / (square + 2 * self.variance))
        return scalar(self.state_values(state) + excess)
