"""Owns the linear-quadratic problem: one continuous state, one continuous action."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pgtlab import _validate

#: Largest size of what is multiplied with itself, up to the fourth power, and of the costs.
_LARGEST, _LARGEST_COST = 1e75, 1e150


@dataclass(frozen=True)
class LinearQuadraticMDP:
    r"""Markov decision process on the real line with linear drift, quadratic cost and Gaussian noise.

    .. math::

        x' = a x + b u + e, \quad e \sim N(0, \sigma_e^2), \qquad
        R^u_x = -(q x^2 + r u^2), \qquad x_0 \sim N(\mu_0, \sigma_0^2).

    Here the sums of the finite case are integrals, and every one of them has a closed form.

    Parameters
    ----------
    drift : float
        a, how much of the state carries over.
    control : float
        b, what one unit of action does.
    state_cost, action_cost : float
        q and r, at least 0.
    noise_std : float
        :math:`\sigma_e`, at least 0.
    initial_mean, initial_std : float
        :math:`\mu_0` and :math:`\sigma_0` of the start; a std of 0 starts every episode in one point.
    discount : float
        :math:`\gamma` in [0, 1). A stochastic policy makes noise in every step for ever, so with
        discount 1 the expected return would be minus infinity.

    Raises
    ------
    ValueError
        If a number is not finite or outside its range, a cost above 1e150, or another number above 1e75 in
        size: squares and fourth powers of the state would not be numbers any more.
    TypeError
        If an argument is not a number.

    References
    ----------
    S6 of the slides. D. P. Bertsekas, *Dynamic Programming and Optimal Control*, volume I, section 4.1.

    Examples
    --------
    >>> LinearQuadraticMDP(drift=1, control=1, state_cost=1, action_cost=1, noise_std=0.5,
    ...                    initial_mean=0, initial_std=1, discount=0.9).discount
    0.9
    """

    drift: float
    control: float
    state_cost: float
    action_cost: float
    noise_std: float
    initial_mean: float
    initial_std: float
    discount: float

    def __post_init__(self):
        for each in fields(self):
            signed = each.name in ("drift", "control", "initial_mean")
            check = _validate.number if signed else _validate.at_least_zero
            value = check(each.name, getattr(self, each.name))
            largest = _LARGEST_COST if each.name in ("state_cost", "action_cost") else _LARGEST
            _validate.at_most(each.name, np.float64(value), largest)
            object.__setattr__(self, each.name, value)
        _validate.discount(self.discount)
        if self.discount == 1:
            raise ValueError(
                "discount is 1; expected below 1: with noise in every step, if only the policy's own, "
                "the costs never stop and the expected return does not exist"
            )
