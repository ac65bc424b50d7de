"""Owns what every policy can be asked, whatever its states and actions are."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Policy(ABC):
    r"""Stochastic policy :math:`\pi(s, a; \theta)`.

    States and actions are integers for finitely many of them, and real numbers on the line. A batch of
    policies has leading axes; every result then has them too.

    Attributes
    ----------
    parameters : ndarray, shape (K,) or (..., K)
        :math:`\theta`.
    """

    @abstractmethod
    def with_parameters(self, parameters):
        """Return the same policy at other parameters (K,) or (..., K)."""

    @abstractmethod
    def log_prob(self, state, action):
        r"""Logarithm :math:`\log \pi(s, a; \theta)`, (..., N), of states and actions (N,)."""

    @abstractmethod
    def score(self, state, action):
        r"""Score :math:`\partial \log \pi(s, a; \theta) / \partial \theta`, (..., N, K), as `log_prob`."""

    @abstractmethod
    def sample(self, state, *, rng):
        r"""Draw an action :math:`a \sim \pi(s, \cdot; \theta)` for each of the states (N,): (..., N)."""

    @abstractmethod
    def scores_along(self, w):
        r"""Slope along w, :math:`\mathrm{SC}(s, a) \cdot w`: a table (..., S, A), or a `Quadratic`."""

    @abstractmethod
    def divergence_from(self, other):
        r"""Divergence :math:`\sum_a \pi \log (\pi / \pi')` in each state, (..., S) or a `Quadratic`."""

    @property
    def is_tabular(self):
        """Whether each state and action has a parameter of its own, as `SoftmaxPolicy.tabular` makes it."""
        return False
