"""The values of the linear-quadratic problem to many digits, from its moments and from J alone.

The gradient is a difference quotient of J to 100 digits, so it shares nothing with the theorem.
"""

from __future__ import annotations

import mpmath
import numpy as np
from mpmath import mpf

from tests.extremes.exact import DoesNotExist, precisely


class ExactLinearQuadratic:
    """x' = a x + b u + e, reward -(q x^2 + r u^2), action u ~ N(k x, s^2).

    Parameters
    ----------
    problem : dict
        As for `LinearQuadraticMDP`.
    gain, log_std, other : float, float, (float, float)
        The policy, and the parameters of another one.
    """

    digits = 260

    def __init__(self, problem, gain, log_std, other):
        with mpmath.workdps(self.digits):
            names = "drift control state_cost action_cost noise_std initial_mean initial_std discount"
            self.a, self.b, self.q, self.r, e, m, s0, self.gamma = (mpf(problem[n]) for n in names.split())
            self.k, self.log_s = mpf(gain), mpf(log_std)
            self.other = tuple(map(mpf, other))
            self.e2, self.m, self.v0 = e**2, m, s0**2
            self.s2 = mpmath.exp(2 * self.log_s)
            self.c = self.a + self.b * self.k
            self.w = self.b**2 * self.s2 + self.e2
            self.mass = 1 / (1 - self.gamma)
            self.x2 = m**2 + s0**2

    def _decay(self):
        decay = 1 - self.gamma * self.c**2
        if decay <= 0:
            raise DoesNotExist("discount * drift^2 is at least 1")
        return decay

    def curvature(self, k):
        # P = q + r k^2 + gamma (a + b k)^2 P
        decay = 1 - self.gamma * (self.a + self.b * k) ** 2
        if decay <= 0:
            raise DoesNotExist("discount * drift^2 is at least 1")
        return (self.q + self.r * k**2) / decay

    def level(self, k, log_s):
        # d = r s^2 + gamma (P w + d)
        s2 = mpmath.exp(2 * log_s)
        return (self.r * s2 + self.gamma * self.curvature(k) * (self.b**2 * s2 + self.e2)) * self.mass

    def J_at(self, k, log_s):
        return -(self.curvature(k) * self.x2 + self.level(k, log_s))

    @precisely
    def J(self):
        return self.J_at(self.k, self.log_s)

    @precisely
    def V(self):
        """Coefficients of x^2 and 1."""
        return np.array([-self.curvature(self.k), -self.level(self.k, self.log_s)])

    @precisely
    def Q(self):
        """Coefficients of x^2, x u, u^2 and 1."""
        P, d = -self.V
        # -q x^2 - r u^2 - gamma (P ((a x + b u)^2 + e^2) + d)
        g, a, b = self.gamma, self.a, self.b
        return -np.array(
            [self.q + g * P * a**2, 2 * g * P * a * b, self.r + g * P * b**2, g * (P * self.e2 + d)]
        )

    @precisely
    def A(self):
        return self.Q - np.array([self.V[0], mpf(0), mpf(0), self.V[1]])

    @precisely
    def second_moment(self):
        # S = sum_t gamma^t E x_t^2:  S = x2 + gamma (c^2 S + w mass)
        return (self.x2 + self.gamma * self.w * self.mass) / self._decay()

    @precisely
    def fourth_moment(self):
        # F = sum_t gamma^t E x_t^4:  F = x4 + gamma (c^4 F + 6 c^2 w S + 3 w^2 mass)
        x4 = self.m**4 + 6 * self.m**2 * self.v0 + 3 * self.v0**2
        new = 6 * self.c**2 * self.w * self.second_moment + 3 * self.w**2 * self.mass
        decay = 1 - self.gamma * self.c**4
        return (x4 + self.gamma * new) / decay if decay > 0 else mpf("inf")

    def slopes(self, f):
        """Return the slopes of f(k, log s), by central differences to a quarter of the digits."""
        step, k, s = mpf(10) ** (-self.digits // 4), self.k, self.log_s
        in_gain, in_log_std = f(k + step, s) - f(k - step, s), f(k, s + step) - f(k, s - step)
        return np.array([in_gain, in_log_std]) / (2 * step)

    @precisely
    def gradient(self):
        self._decay()
        return self.slopes(self.J_at)

    @precisely
    def fisher(self):
        return np.array([[self.second_moment / self.s2, mpf(0)], [mpf(0), 2 * self.mass]])

    @precisely
    def natural(self):
        F = self.fisher
        return np.array([self.gradient[0] / F[0, 0] if F[0, 0] else mpf(0), self.gradient[1] / F[1, 1]])

    @precisely
    def kl(self):
        k, log_s = self.other
        s2 = mpmath.exp(2 * log_s)
        per_visit = log_s - self.log_s + self.s2 / (2 * s2) - mpf(1) / 2
        return per_visit * self.mass + (self.k - k) ** 2 / (2 * s2) * self.second_moment

    def td(self, lam):
        """The weights that TD(lambda) settles at: those of Q at the discount gamma lambda."""
        with mpmath.workdps(self.digits):
            # With beta = gamma lam: p = q + r k^2 + beta c^2 p, Q_xu = -beta p a b, Q_uu = -(r + beta p b^2).
            beta = self.gamma * mpf(lam)
            p = (self.q + self.r * self.k**2) / (1 - beta * self.c**2)
            # With u = k x + s z: 2 s (Q_xu + k Q_uu) x z is 2 s^2 (...) times the score z x / s.
            in_gain = -2 * self.s2 * (beta * p * self.a * self.b + self.k * (self.r + beta * p * self.b**2))
            if not self.second_moment:
                in_gain = mpf(0)
            return np.array([in_gain, -self.s2 * (self.r + beta * p * self.b**2)])

    def error(self, w):
        """The mean squared error of the compatible critic with weights w."""
        with mpmath.workdps(self.digits):
            xx, xu, uu, one = self.Q
            s = mpmath.sqrt(self.s2)
            # At u = k x + s z the difference is alone x^2 + mixed x z + across z^2 + c.
            alone = xx + self.k * xu + self.k**2 * uu
            mixed = s * (xu + 2 * self.k * uu) - mpf(w[0]) / s
            across, c = self.s2 * uu - mpf(w[1]), one + mpf(w[1])
            total = (mixed**2 + 2 * alone * (across + c)) * self.second_moment
            total += (3 * across**2 + 2 * across * c + c**2) * self.mass
            return total + (alone**2 * self.fourth_moment if alone else 0)

    def baseline(self, x):
        """Best baseline of one step in state x: E[|SC|^2 Q] / E[|SC|^2], by moments of z."""
        with mpmath.workdps(self.digits):
            x = mpf(x)
            xx, xu, uu, one = self.Q
            # |SC|^2 = z^2 x^2 / s^2 + (z^2 - 1)^2, E of it and of it times z^2; E of it times z is 0.
            plain, square = x**2 / self.s2 + 2, 3 * x**2 / self.s2 + 10
            level = xx * x**2 + xu * self.k * x**2 + uu * self.k**2 * x**2 + one
            return level + self.s2 * uu * square / plain

    def kernel(self, t):
        """Drift and std of t steps."""
        with mpmath.workdps(self.digits):
            return np.array(
                [self.c**t, mpmath.sqrt(self.w * sum((self.c ** (2 * j) for j in range(t)), mpf(0)))]
            )

    def density(self, x):
        """Density of the visitation measure, summed until a weight is below 1e-20."""
        with mpmath.workdps(60):
            mean, variance, weight, total = self.m, self.v0, mpf(1), mpf(0)
            while weight > mpf("1e-20"):
                total += weight * mpmath.npdf(mpf(x), mean, mpmath.sqrt(variance))
                mean, variance = self.c * mean, self.c**2 * variance + self.w
                weight *= self.gamma
            return total

    # --- the long run --------------------------------------------------------------------------------

    def _stable(self):
        if abs(self.c) >= 1:
            raise DoesNotExist("the closed loop is not stable")
        return 1 - self.c**2

    @precisely
    def stationary(self):
        return self.w / self._stable()

    def eta_at(self, k, log_s):
        s2, c = mpmath.exp(2 * log_s), self.a + self.b * k
        v = (self.b**2 * s2 + self.e2) / (1 - c**2)
        return -((self.q + self.r * k**2) * v + self.r * s2)

    @precisely
    def eta(self):
        self._stable()
        return self.eta_at(self.k, self.log_s)

    @precisely
    def h(self):
        P = (self.q + self.r * self.k**2) / self._stable()
        return np.array([-P, P * self.stationary])

    @precisely
    def Qh(self):
        p, one = -self.h[0], self.h[1]
        a, b = self.a, self.b
        return np.array(
            [-self.q - p * a**2, -2 * p * a * b, -self.r - p * b**2, one - p * self.e2 - self.eta]
        )

    @precisely
    def long_run_gradient(self):
        self._stable()
        return self.slopes(self.eta_at)

    def truncated(self, T):
        """Gradient of the return of the first T steps, by differences of it."""

        def J(k, log_s):
            s2, c = mpmath.exp(2 * log_s), self.a + self.b * k
            x2, total, weight = self.x2, mpf(0), mpf(1)
            for _ in range(T):
                total -= weight * ((self.q + self.r * k**2) * x2 + self.r * s2)
                x2, weight = c**2 * x2 + self.b**2 * s2 + self.e2, weight * self.gamma
            return total

        with mpmath.workdps(self.digits):
            return self.slopes(J)
