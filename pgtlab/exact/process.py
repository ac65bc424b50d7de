"""Owns what can be asked of a problem under a fixed policy, whatever its states and actions are."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Process(ABC):
    r"""Markov process with rewards, which a problem becomes under a fixed policy.

    A function f of the state is a table (..., S), and a `Quadratic` on the real line; one of state and action
    is a table (..., S, A), or a `Quadratic` of both. Visits :math:`\rho` are a table (..., S), or a measure
    on the line with `mass` and `second_moment`. What needs the scores is handed the policy: one process
    serves all policies that do the same.

    Attributes
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    batch : tuple
        Leading axes of a batch of policies.
    policies : type
        The policies that go with the problem.
    """

    # --- whether it exists ---------------------------------------------------------------------------

    def check_single(self):
        """Raise ValueError for a batch of policies."""
        if self.batch:
            raise ValueError(f"policy is a batch of shape {self.batch}; expected one policy")

    @abstractmethod
    def check_values(self):
        """Raise ValueError where the expected return does not exist."""

    @abstractmethod
    def check_slope(self):
        """Raise ValueError where the return need not have the slope of the policy gradient theorem."""

    @abstractmethod
    def known(self, values, visits):
        """Return f (S, A) with 0 for NaN; raise ValueError for a NaN that is met under a list of visits."""

    # --- values --------------------------------------------------------------------------------------

    @abstractmethod
    def state_values(self):
        r"""State values :math:`V^\pi`."""

    @abstractmethod
    def action_values(self):
        r"""Action values :math:`Q^\pi`."""

    @abstractmethod
    def advantages(self):
        r"""Advantages :math:`A^\pi = Q^\pi - V^\pi`."""

    @abstractmethod
    def summed(self, values, decay):
        r"""The x with :math:`x = f + \gamma \kappa P \pi x`, f of pairs, up to a function of the state."""

    @abstractmethod
    def best_baseline(self, policy):
        r"""Baseline :math:`E[\,|\mathrm{SC}|^2 Q \mid s\,] / E[\,|\mathrm{SC}|^2 \mid s\,]`."""

    # --- where it goes -------------------------------------------------------------------------------

    @abstractmethod
    def steps(self, t):
        """Transition kernel of t steps."""

    @abstractmethod
    def visits(self):
        r"""Discounted visits :math:`\rho^\pi`, not normalised."""

    @abstractmethod
    def visit_distribution(self):
        r"""Discounted visits, divided by their mass."""

    @abstractmethod
    def visits_by_time(self, T):
        r"""Laws of the states of steps 0 to T - 1, each times :math:`\gamma^t`, as a list."""

    # --- means ---------------------------------------------------------------------------------------

    @abstractmethod
    def mean_over_visits(self, values):
        r"""Sum :math:`\sum_s \rho^\pi(s) f(s)`, shape (...)."""

    @abstractmethod
    def mean_over_actions(self, values):
        r"""Function of the state :math:`\sum_a \pi(s, a) f(s, a)`; probability 0 counts 0."""

    @abstractmethod
    def mean_square(self, policy, values, w):
        r"""Sum :math:`\sum \rho^\pi(s) \pi(s, a) \, (f(s, a) - \mathrm{SC}(s, a) \cdot w)^2`, shape (...)."""

    @abstractmethod
    def score_mean(self, policy, values, visits=None):
        r"""Sum :math:`\sum \rho(s) \pi(s, a) \, \mathrm{SC}(s, a) f(s, a)`, shape (..., K).

        Without `visits` :math:`\rho` is :math:`\rho^\pi`. Where the policy never is, f may be NaN.
        """

    @abstractmethod
    def score_fit(self, policy, values, *, squared=False):
        r"""The w of least norm with the least `mean_square`, :math:`\mathrm{FIM}^+ E[\mathrm{SC} f]`.

        With `squared` by the normal equations, where the weights are of the same order.
        """

    @abstractmethod
    def fisher_information(self, policy):
        r"""Sum :math:`\sum \rho^\pi(s) \pi(s, a) \, \mathrm{SC} \, \mathrm{SC}^\top`, shape (..., K, K)."""

    @abstractmethod
    def flat_directions(self, policy):
        """Orthonormal basis (m, K) of the null space of the Fisher information."""

    # --- for ever ------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def long_run(self):
        """The same for ever, `distribution`, `average`, `values`, `action_values`, `advantages`, `visits`."""
