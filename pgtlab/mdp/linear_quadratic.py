"""Owns the linear-quadratic problem: one continuous state, one continuous action."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pgtlab import _validate
from pgtlab.mdp.problem import Problem
from pgtlab.quadratic import Quadratic

#: Largest size of what is multiplied with itself, up to the fourth power, and of the costs.
_LARGEST, _LARGEST_COST = 1e75, 1e150


@dataclass(frozen=True)
class LinearQuadraticMDP(Problem):
    r"""Markov decision process on the real line with linear drift, quadratic cost and Gaussian noise.

    .. math::

        x' = a x + b u + e, \quad e \sim N(0, \sigma_e^2), \quad
        R^u_x = -(q x^2 + r u^2), \quad x_0 \sim N(\mu_0, \sigma_0^2).

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

    @property
    def reward(self):
        r"""Reward :math:`R^u_x = -(q x^2 + r u^2)`, a `Quadratic` of state and action."""
        return Quadratic(-np.diag([self.state_cost, self.action_cost]), np.array(0.0))

    def next_values(self, values):
        # v(x') = H x'^2 + c, and E x'^2 = (a x + b u)^2 + s_e^2
        H = values.matrix[..., 0, 0]
        step = np.array([self.drift, self.control])
        return Quadratic(values.matrix * np.outer(step, step), values.constant + H * self.noise_std**2)

    def td_errors(self, values):
        return self.reward + self.discount * self.next_values(values) - values.of_pairs()

    def start_mean(self, values):
        return values.matrix[..., 0, 0] * self.start_second_moment + values.constant

    @property
    def start_second_moment(self):
        r"""Second moment of the start, :math:`E x_0^2 = \mu_0^2 + \sigma_0^2`."""
        return self.initial_mean**2 + self.initial_std**2

    def checked_states(self, name, values):
        return _quadratic(name, values, 1)

    def checked_pairs(self, name, values):
        return _quadratic(name, values, 2)

    def draw_start(self, *, rng):
        return self.initial_mean + self.initial_std * rng.standard_normal()

    def draw_step(self, state, action, *, rng):
        reward = -(self.state_cost * state**2 + self.action_cost * action**2)
        noise = self.noise_std * rng.standard_normal()
        return reward, self.drift * state + self.control * action + noise

    @property
    def stays_at_zero(self):
        """Whether the state is 0 for ever, so that a gain has no say."""
        moves = self.discount > 0 and (self.control != 0 or self.noise_std > 0)
        return self.initial_mean == 0 and self.initial_std == 0 and not moves


def _quadratic(name, values, n):
    _validate.instance(name, values, Quadratic)
    _validate.shape(f"{name}.matrix", values.matrix, (n, n), "for a linear-quadratic problem")
    return values
