"""Owns the Gaussian case: integrals over the real line, done by SymPy."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import sympy as sp


def normal(x, mean, variance):
    r"""Density of the normal distribution.

    Parameters
    ----------
    x, mean, variance : sympy.Expr

    Returns
    -------
    sympy.Expr

    Examples
    --------
    >>> normal(0, 0, 1)
    sqrt(2)/(2*sqrt(pi))
    """
    return sp.exp(-((x - mean) ** 2) / (2 * variance)) / sp.sqrt(2 * sp.pi * variance)


def gaussian_step_ratio():
    r"""One step of :math:`y = c x + \varepsilon` from a Gaussian: the integral over its closed form.

    .. math:: \int N(x; m, v) \, N(y; c x, w) \, dx \Big/ N(y; c m, c^2 v + w)

    Returns
    -------
    sympy.Expr
        1, once the square in x is complete and SymPy has done the integral that is left.
    """
    x, y, c, m, z = sp.symbols("x y c m z", real=True)
    v, w = sp.symbols("v w", positive=True)
    # The square in x: N(x; m, v) N(y; c x, w) is N(x; mean, std^2), what is known of x once y is, times a
    # factor without x. With x = mean + std z, dx = std dz, it stands before the integral of N(z; 0, 1).
    mean = (w * m + c * v * y) / (c**2 * v + w)
    std = sp.sqrt(v * w / (c**2 * v + w))
    step = (normal(x, m, v) * normal(y, c * x, w)).subs(x, mean + std * z) * std
    factor = sp.powsimp(step / normal(z, 0, 1) / normal(y, c * m, c**2 * v + w))
    # Its exponent vanishes once it is simplified by itself. Were z left in it, the ratio would not be 1.
    return factor.replace(sp.exp, lambda exponent: sp.exp(sp.simplify(exponent))) * _moment(0)


def log_normal(x, mean, variance):
    r"""Logarithm of the density of the normal distribution, written as a sum.

    Parameters
    ----------
    x, mean, variance : sympy.Expr
        Real, and the variance positive, if SymPy is to take the logarithm apart.

    Returns
    -------
    sympy.Expr

    Examples
    --------
    >>> log_normal(0, 0, 1)
    -log(pi)/2 - log(2)/2
    """
    return sp.expand_log(sp.log(normal(x, mean, variance)))


@functools.cache
def _moment(n):
    z = sp.Symbol("z", real=True)
    return sp.integrate(z**n * normal(z, 0, 1), (z, -sp.oo, sp.oo))


def gaussian_mean(f, x, mean, variance):
    r"""Integral of a polynomial against a normal density, :math:`\int N(x; m, v) f(x) \, dx`.

    Parameters
    ----------
    f : sympy.Expr
        Polynomial in x.
    x : sympy.Symbol
    mean, variance : sympy.Expr

    Returns
    -------
    sympy.Expr

    Notes
    -----
    With :math:`x = m + \sqrt v z` what remains are the integrals of the powers of z, which SymPy does.

    Examples
    --------
    >>> x, m = sp.symbols("x m")
    >>> gaussian_mean(x**2, x, m, 4)
    m**2 + 4
    """
    z = sp.Dummy("z", real=True)
    f = f.subs(x, mean + sp.sqrt(variance) * z)
    return sum((factor * _moment(n) for n, factor in _coefficients(f, z)), sp.S.Zero)


def _coefficients(f, x):
    """Yield the powers of x in a polynomial with their factors, which are left as they are written."""
    kept = {}

    def keep(each):
        if each.is_Atom:
            return each
        if each.has(x):
            return each.func(*map(keep, each.args))
        return kept.setdefault(each, sp.Dummy())

    back = sp.Poly(keep(f), x).terms()
    kept = {letter: each for each, letter in kept.items()}
    for (n,), factor in back:
        yield n, factor.xreplace(kept)


@dataclass(frozen=True)
class SymbolicLinearQuadratic:
    r"""Linear-quadratic problem with a Gaussian policy, in which every number is a symbol.

    :math:`x' = a x + b u + e`, :math:`e \sim N(0, \sigma_e^2)`, reward :math:`-(q x^2 + r u^2)`, and
    :math:`u \sim N(k x, \sigma^2)`. The closed forms hold where :math:`\gamma c^2 < 1`; that they solve their
    equations is proved in `PROOFS`.

    Attributes
    ----------
    drift, control, state_cost, action_cost, discount : sympy.Symbol
        a, b, q, r and gamma.
    noise_std, initial_mean, initial_std : sympy.Symbol
    gain, std : sympy.Symbol
        k and sigma.
    state, action, next_state : sympy.Symbol
        x, u and y.
    """

    drift: sp.Symbol
    control: sp.Symbol
    state_cost: sp.Symbol
    action_cost: sp.Symbol
    discount: sp.Symbol
    noise_std: sp.Symbol
    initial_mean: sp.Symbol
    initial_std: sp.Symbol
    gain: sp.Symbol
    std: sp.Symbol
    state: sp.Symbol
    action: sp.Symbol
    next_state: sp.Symbol

    @property
    def closed_loop(self):
        """Drift under the policy, :math:`c = a + b k`."""
        return self.drift + self.control * self.gain

    @property
    def noise_variance(self):
        r"""Variance of the next state given the state, :math:`w = b^2 \sigma^2 + \sigma_e^2`."""
        return self.control**2 * self.std**2 + self.noise_std**2

    @property
    def curvature(self):
        r""":math:`P = (q + r k^2) / (1 - \gamma c^2)`."""
        cost = self.state_cost + self.action_cost * self.gain**2
        return cost / (1 - self.discount * self.closed_loop**2)

    @property
    def reward(self):
        """Reward of a state and an action."""
        return -(self.state_cost * self.state**2 + self.action_cost * self.action**2)

    @property
    def state_values(self):
        r""":math:`V(x) = -P x^2 - (r \sigma^2 + \gamma P w) / (1 - \gamma)`."""
        gamma, P = self.discount, self.curvature
        constant = (self.action_cost * self.std**2 + gamma * P * self.noise_variance) / (1 - gamma)
        return -P * self.state**2 - constant

    @property
    def action_values(self):
        r""":math:`Q(x, u) = R + \gamma \int N(y; a x + b u, \sigma_e^2) V(y) \, dy`, the integral done."""
        return self.reward + self.discount * self.next_mean(
            self.state_values.subs(self.state, self.next_state)
        )

    @property
    def expected_return(self):
        r""":math:`J = \int p_0(x) V(x) \, dx`, the integral done."""
        return gaussian_mean(self.state_values, self.state, self.initial_mean, self.initial_std**2)

    @property
    def log_density(self):
        r""":math:`\log \pi(x, u)`."""
        return log_normal(self.action, self.gain * self.state, self.std**2)

    @property
    def scores(self):
        r"""Derivatives of :math:`\log \pi(x, u)` in k and in :math:`\log \sigma`, a pair."""
        return sp.diff(self.log_density, self.gain), self.std * sp.diff(self.log_density, self.std)

    @property
    def second_moment(self):
        r"""Integral of :math:`x^2` over the visits, :math:`\Sigma`."""
        gamma = self.discount
        start = self.initial_mean**2 + self.initial_std**2
        return (start + gamma * self.noise_variance / (1 - gamma)) / (1 - gamma * self.closed_loop**2)

    def policy_mean(self, f):
        r"""Integral :math:`\int \pi(x, u) f(x, u) \, du`.

        Parameters
        ----------
        f : sympy.Expr
            Polynomial in u.

        Returns
        -------
        sympy.Expr
        """
        return gaussian_mean(f, self.action, self.gain * self.state, self.std**2)

    def next_mean(self, f):
        r"""Integral :math:`\int N(y; a x + b u, \sigma_e^2) f(y) \, dy`.

        Parameters
        ----------
        f : sympy.Expr
            Polynomial in y.

        Returns
        -------
        sympy.Expr
        """
        mean = self.drift * self.state + self.control * self.action
        return gaussian_mean(f, self.next_state, mean, self.noise_std**2)

    def visit_sum(self, f):
        r"""Integral :math:`\int \rho(x) f(x) \, dx` of a function :math:`f(x) = f_2 x^2 + f_0`.

        Parameters
        ----------
        f : sympy.Expr

        Returns
        -------
        sympy.Expr
        """
        over = {2: self.second_moment, 0: 1 / (1 - self.discount)}
        return sum((factor * over[n] for n, factor in _coefficients(f, self.state)), sp.S.Zero)


def linear_quadratic():
    """Build the linear-quadratic problem in which every number is a symbol.

    Returns
    -------
    SymbolicLinearQuadratic

    Examples
    --------
    >>> lq = linear_quadratic()
    >>> lq.policy_mean(lq.scores[0]), sp.factor(lq.policy_mean(lq.scores[0] ** 2))
    (0, x**2/sigma**2)
    """
    real = sp.symbols("a b mu_0 k x u y", real=True)
    positive = sp.symbols("q r gamma sigma_e sigma_0 sigma", positive=True)
    a, b, mu_0, k, x, u, y = real
    q, r, gamma, sigma_e, sigma_0, sigma = positive
    return SymbolicLinearQuadratic(a, b, q, r, gamma, sigma_e, mu_0, sigma_0, k, sigma, x, u, y)
