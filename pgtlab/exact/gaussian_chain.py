"""Owns the Gaussian chain, what a linear-quadratic problem becomes under a policy: x' = c x + noise."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pgtlab import _validate
from pgtlab.exact.on_the_line import BestBaseline, GaussianKernel, GaussianVisitation, Moments
from pgtlab.exact.process import Process
from pgtlab.mdp import LinearQuadraticMDP
from pgtlab.policies import LinearGaussianPolicy
from pgtlab.quadratic import Quadratic, spread


@dataclass(frozen=True, eq=False)
class LinearGaussianChain(Process):
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
    policies = LinearGaussianPolicy

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
        return self._cost() / self._decay()

    @property
    def second_moment(self):
        r"""Discounted second moment :math:`\Sigma = \sum_t \gamma^t E[x_t^2]`, shape (...)."""
        # E x_{t+1}^2 = c^2 E x_t^2 + w;  sum with weights gamma^(t+1), and add the term of t = 0:
        # Sigma - E x_0^2 = gamma c^2 Sigma + gamma w / (1 - gamma)
        gamma = self.mdp.discount
        return (self.mdp.start_second_moment + gamma * self.noise_variance / (1 - gamma)) / self._decay()

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

    # --- whether it exists ---------------------------------------------------------------------------

    @property
    def batch(self):
        return self.drift.shape

    def check_values(self):
        self._decay()

    def check_slope(self):
        # The closed loop is stable for all gains nearby, and the return is smooth there.
        pass

    def known(self, values, visits):
        return values

    # --- values --------------------------------------------------------------------------------------

    def state_values(self):
        gamma, P = self.mdp.discount, self.curvature
        # V(x) = -P x^2 - d  with  d = r s^2 + gamma (P w + d),  w the variance of x' given x
        d = (self.mdp.action_cost * self.policy.std**2 + gamma * P * self.noise_variance) / (1 - gamma)
        return Quadratic(-spread(P, 2), -d)

    def action_values(self):
        # Q(x, u) = -q x^2 - r u^2 + gamma E V(a x + b u + e)
        return self.mdp.reward + self.mdp.discount * self.mdp.next_values(self.state_values())

    def advantages(self):
        return self._less_mean(self.action_values())

    def _less_mean(self, Q):
        k, Q_xu, Q_uu = self.policy.gain, Q.matrix[..., 0, 1], Q.matrix[..., 1, 1]
        # Less their mean over u = k x + s z, z ~ N(0, 1): Q_uu (u^2 - k^2 x^2 - s^2) + 2 Q_xu x (u - k x).
        matrix = np.empty((*Q_uu.shape, 2, 2))
        matrix[..., 0, 0] = -(Q_uu * k + 2 * Q_xu) * k
        matrix[..., 0, 1] = matrix[..., 1, 0] = Q_xu
        matrix[..., 1, 1] = Q_uu
        return Quadratic(matrix, -Q_uu * self.policy.std**2)

    def summed(self, values, decay):
        self.check_values()
        decay = self.mdp.discount * decay
        # p = (curvature of f along u = k x) + gamma kappa c^2 p
        p = self.mean_over_actions(values).matrix[..., 0, 0] / self.margin(decay)
        return values + decay * self.mdp.next_values(Quadratic(spread(p, 2), 0.0))

    def best_baseline(self, policy):
        variance = float(policy.std) ** 2
        curvature = float(self.action_values().matrix[1, 1])
        return BestBaseline(self.state_values(), variance, variance * curvature)

    # --- where it goes -------------------------------------------------------------------------------

    def steps(self, t):
        return GaussianKernel(self.drift**t, np.sqrt(self.state_variance(0.0, t)))

    def visits(self):
        return GaussianVisitation(self, mass=1 / (1 - self.mdp.discount))

    def visit_distribution(self):
        return GaussianVisitation(self, mass=1.0)

    def visits_by_time(self, T):
        # E x_{t+1}^2 = c^2 E x_t^2 + w
        gamma, moments = self.mdp.discount, [self.mdp.start_second_moment]
        for _ in range(T - 1):
            moments.append(self.drift**2 * moments[-1] + self.noise_variance)
        return [Moments(gamma**t, gamma**t * each) for t, each in enumerate(moments)]

    # --- means ---------------------------------------------------------------------------------------

    def mean_over_visits(self, values):
        rho = self.visits()
        return values.matrix[..., 0, 0] * rho.second_moment + values.constant * rho.mass

    def mean_over_actions(self, values):
        # f = alone x^2 + mixed x z + across z^2 + c at u = k x + s z, with E z = 0 and E z^2 = 1
        alone, _, across = self.policy.in_noise(values)
        return Quadratic(spread(alone, 2), values.constant + across)

    def mean_square(self, policy, values, w):
        rho, (alone, mixed, across) = self.visits(), policy.in_noise(values)
        # The critic is w_1 z x / s + w_2 (z^2 - 1); as a function of x and u its terms in x^2 would cancel.
        mixed, across = mixed - w[..., 0] / policy.std, across - w[..., 1]
        c, fourth = values.constant + w[..., 1], self._fourth_moment()
        # The square of alone x^2 + mixed x z + across z^2 + c, with E z^2 = 1, E z^4 = 3 and no odd moments.
        total = np.where(alone == 0, 0.0, alone**2 * np.where(alone == 0, 0.0, fourth))
        total = total + (mixed**2 + 2 * alone * (across + c)) * rho.second_moment
        return total + (3 * across**2 + 2 * across * c + c**2) * rho.mass

    def score_mean(self, policy, values, visits=None):
        rho, (_, mixed, across) = self.visits() if visits is None else visits, policy.in_noise(values)
        # With u = k x + s z the scores are z x / s and z^2 - 1:
        #   E_z[(z x / s) mixed x z] = mixed x^2 / s, and the integral of x^2 over rho is its second moment;
        #   E_z[(z^2 - 1) across z^2] = 2 across, as E z^4 - E z^2 = 2, and the integral of 1 is the mass.
        return np.stack([mixed / policy.std * rho.second_moment, 2 * across * rho.mass], axis=-1)

    def score_fit(self, policy, values, *, squared=False):
        # Only to refuse a mean over visits that does not exist.
        _ = self.visits().second_moment
        _, mixed, across = policy.in_noise(values)
        # The scores are z x / s and z^2 - 1: mixed x z is s mixed times the first, and across (z^2 - 1) is
        # across times the second. What depends on x alone is orthogonal to both. Where x is 0 for ever the
        # first weight of least norm is 0.
        in_gain = policy.std * mixed * (not self.mdp.stays_at_zero)
        return np.stack([in_gain, across + np.zeros_like(in_gain)], axis=-1)

    def fisher_information(self, policy):
        rho = self.visits()
        # The scores are z x / s and z^2 - 1: E[(z x / s)^2] = x^2 / s^2, E[(z^2 - 1)^2] = 2, and the product
        # of both has the odd moments E z^3 - E z = 0.
        fim = np.zeros((*policy.std.shape, 2, 2))
        fim[..., 0, 0] = rho.second_moment / policy.std**2
        fim[..., 1, 1] = 2 * rho.mass
        return fim

    def flat_directions(self, policy):
        # Of the scores z x / s and z^2 - 1 only the first may vanish, where x is 0 for ever.
        return np.eye(2)[:1] if self.mdp.stays_at_zero else np.zeros((0, 2))

    def _fourth_moment(self):
        """Return the integral of x^4 over the visits; infinite if it does not exist."""
        mdp, c, w = self.mdp, self.drift, self.noise_variance
        gamma, mean, variance = mdp.discount, mdp.initial_mean, mdp.initial_std**2
        start = mean**4 + 6 * mean**2 * variance + 3 * variance**2
        # E x_{t+1}^4 = c^4 E x_t^4 + 6 c^2 w E x_t^2 + 3 w^2; sum with weights gamma^(t+1), add the start.
        first = start + gamma * (6 * c**2 * w * self.second_moment + 3 * w**2 / (1 - gamma))
        decay = 1 - gamma * c**4
        return np.where(decay > 0, first / np.where(decay > 0, decay, 1.0), np.inf)

    # --- for ever ------------------------------------------------------------------------------------

    @property
    def long_run(self):
        return _LongRun(self)

    def _cost(self):
        """What x^2 costs on average, q + r k^2."""
        return self.mdp.state_cost + self.mdp.action_cost * self.policy.gain**2

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


class _LongRun:
    """Long run of a closed loop: a Gaussian of mean 0."""

    def __init__(self, process):
        self._process = process
        margin = process.margin(1.0)
        if not (margin > 0).all():
            at = _validate.first(~(margin > 0))
            raise ValueError(
                f"gain{_validate.subscript(at)} is {process.policy.gain[at]:g}: the closed loop has drift "
                f"a + b k = {process.drift[at]:g}; expected one between -1 and 1, or the state has no long "
                "run"
            )
        # v = c^2 v + w
        self.distribution = process.noise_variance / margin
        # h(x) = -P (x^2 - v) with P = q + r k^2 + c^2 P
        P = process._cost() / margin
        self.values = Quadratic(-spread(P, 2), P * self.distribution)

    @property
    def average(self):
        # In state x the policy earns -((q + r k^2) x^2 + r s^2) on average.
        process = self._process
        noise = process.mdp.action_cost * process.policy.std**2
        return -(process._cost() * self.distribution + noise)

    @property
    def action_values(self):
        # -q x^2 - r u^2 - eta + E h(a x + b u + e)
        mdp = self._process.mdp
        Q = mdp.reward + mdp.next_values(self.values)
        return Quadratic(Q.matrix, Q.constant - self.average)

    @property
    def advantages(self):
        return self._process._less_mean(self.action_values)

    @property
    def visits(self):
        return Moments(1.0, self.distribution)
