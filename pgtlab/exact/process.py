"""Owns what can be asked of a problem under a fixed policy, whatever its states and actions are."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Process(ABC):
    r"""Markov process with rewards, which a problem becomes under a fixed policy.

    The kind of problem is told apart here and nowhere else: a function of states or of pairs is a table or a
    `Quadratic` (see `Problem`), visits are a table or a measure on the line with its `mass` and
    `second_moment`. The public functions are in `values`, `visits`, `gradients`, `fisher` and `stationary`.

    Whatever needs the scores is handed the policy: one chain serves all policies that do the same.

    Attributes
    ----------
    mdp : Problem
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
        """Values of pairs with 0 in place of NaN; raise ValueError for one that the policy comes to.

        Parameters
        ----------
        values : ndarray, shape (S, A), or Quadratic
        visits : list of ndarray, shape (S,), or of measures

        Returns
        -------
        ndarray, shape (S, A), or Quadratic
        """

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
        r"""The function x with :math:`x = f + \gamma \kappa P \pi x`, up to a function of the state.

        Parameters
        ----------
        values : ndarray, shape (S, A), or Quadratic
            f, earned at each step.
        decay : float
            :math:`\kappa` in [0, 1].

        Returns
        -------
        ndarray, shape (S, A), or Quadratic
        """

    @abstractmethod
    def best_baseline(self, policy):
        r"""Baseline :math:`E[\,|\mathrm{SC}|^2 Q \mid s\,] / E[\,|\mathrm{SC}|^2 \mid s\,]`.

        Parameters
        ----------
        policy : FinitePolicy or LinearGaussianPolicy

        Returns
        -------
        ndarray, shape (S,), or BestBaseline
        """

    # --- where it goes -------------------------------------------------------------------------------

    @abstractmethod
    def steps(self, t):
        """Transition kernel of t steps.

        Parameters
        ----------
        t : int

        Returns
        -------
        ndarray, shape (..., S, S), or GaussianKernel
        """

    @abstractmethod
    def visits(self):
        r"""Discounted visits :math:`\rho^\pi`, not normalised."""

    @abstractmethod
    def visit_distribution(self):
        r"""Discounted visits, divided by their mass."""

    @abstractmethod
    def visits_by_time(self, T):
        r"""Laws of the states of steps 0 to T - 1, each times :math:`\gamma^t`.

        Parameters
        ----------
        T : int

        Returns
        -------
        list of ndarray, shape (S,), or of measures
        """

    # --- means ---------------------------------------------------------------------------------------

    @abstractmethod
    def mean_over_visits(self, values):
        r"""Sum over the visits, :math:`\sum_s \rho^\pi(s) f(s)`.

        Parameters
        ----------
        values : ndarray, shape (..., S), or Quadratic

        Returns
        -------
        ndarray, shape (...)
        """

    @abstractmethod
    def mean_over_actions(self, values):
        r"""Mean over the actions, :math:`\sum_a \pi(s, a) f(s, a)`.

        Parameters
        ----------
        values : ndarray, shape (..., S, A), or Quadratic

        Returns
        -------
        ndarray, shape (..., S), or Quadratic
        """

    @abstractmethod
    def mean_square(self, policy, values, w):
        r"""Sum :math:`\sum_s \rho^\pi(s) \sum_a \pi(s, a) \, (f(s, a) - \mathrm{SC}(s, a) \cdot w)^2`.

        Parameters
        ----------
        policy : FinitePolicy or LinearGaussianPolicy
        values : ndarray, shape (..., S, A), or Quadratic
        w : ndarray, shape (..., K)

        Returns
        -------
        ndarray, shape (...)
        """

    @abstractmethod
    def score_mean(self, policy, values, visits=None):
        r"""Sum :math:`\sum_s \rho(s) \sum_a \pi(s, a) \, \mathrm{SC}(s, a) f(s, a)`.

        Parameters
        ----------
        policy : FinitePolicy or LinearGaussianPolicy
        values : ndarray, shape (..., S, A), or Quadratic
            f; where the policy never is, it may be NaN.
        visits : ndarray, shape (..., S), or a measure, optional
            :math:`\rho`; those of the policy without.

        Returns
        -------
        ndarray, shape (..., K)
        """

    @abstractmethod
    def score_fit(self, policy, values, *, squared=False):
        r"""The w of least norm with the least `mean_square`, :math:`\mathrm{FIM}^+ E[\mathrm{SC} f]`.

        Parameters
        ----------
        policy : FinitePolicy or LinearGaussianPolicy
        values : ndarray, shape (..., S, A), or Quadratic
            f; where the policy never is, it may be NaN.
        squared : bool
            Whether the normal equations will do where the weights are of the same order.

        Returns
        -------
        ndarray, shape (..., K)
        """

    @abstractmethod
    def fisher_information(self, policy):
        r"""Fisher information :math:`\sum_s \rho^\pi(s) \sum_a \pi(s, a) \, \mathrm{SC} \, \mathrm{SC}^\top`.

        Parameters
        ----------
        policy : FinitePolicy or LinearGaussianPolicy

        Returns
        -------
        ndarray, shape (..., K, K)
        """

    @abstractmethod
    def flat_directions(self, policy):
        """Orthonormal basis of the null space of the Fisher information.

        Parameters
        ----------
        policy : FinitePolicy or LinearGaussianPolicy

        Returns
        -------
        ndarray, shape (m, K)
        """

    # --- for ever ------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def long_run(self):
        """The long run: `distribution`, `average`, `values`, `action_values`, `advantages` and `visits`."""
