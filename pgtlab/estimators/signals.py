r"""Owns the signals: what multiplies the score at each step of a sampled path.

Every estimate here is a mean over paths of :math:`\sum_t \mathrm{SC}_t \, g_t`, where :math:`\mathrm{SC}_t`
is the score of the action taken at time t. Only the factor :math:`g_t` differs. The discount
:math:`\gamma^t` is part of it, (20.1); under a random horizon it is
:math:`\gamma^t / \Pr(\text{horizon} > t)`, the weight :math:`w_t` of the paths.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from pgtlab import _validate
from pgtlab.arrays.recursions import one_step_errors, summed
from pgtlab.estimators.expectations import mean_of_estimate
from pgtlab.features.given import kept_values
from pgtlab.mdp import problem
from pgtlab.rollouts.paths import checked


class Signal(ABC):
    r"""Factor :math:`g_t` of the score at each step of a path.

    Examples
    --------
    In the only state "stop" pays 1 and ends the episode, "go on" pays 0 and stays: every episode has the
    return 1, and each of its scores is multiplied by it.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy, rollout
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=1.0)
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> paths = rollout(mdp, policy, n_episodes=1000, rng=np.random.default_rng(0))
    >>> factors = WholeReturn().weights(paths)
    >>> np.array_equal(factors, paths.alive)
    True
    """

    def weights(self, paths):
        r"""Factors :math:`g_t` along sampled paths.

        Parameters
        ----------
        paths : FinitePaths or LinearQuadraticPaths

        Returns
        -------
        ndarray, shape (T, N)
            In units of reward, discount included; 0 where no step was made.

        Raises
        ------
        ValueError
            If the signal holds values of another shape than the problem's, or a NaN where the paths go.
        TypeError
            If `paths` is not what `rollout` returns, or the signal holds an array where the problem needs a
            function, or the other way round.
        """
        checked(paths)
        return self._along(paths)

    def expectation(self, mdp, policy, horizon=None):
        r"""Exact mean of the estimate, :math:`E[\sum_t \mathrm{SC}_t \, g_t]`.

        Parameters
        ----------
        mdp : FiniteMDP or LinearQuadraticMDP
        policy : FinitePolicy or LinearGaussianPolicy
            One policy, no batch.
        horizon : int or GeometricHorizon, optional
            As given to `rollout`. With an integer the mean over paths of at most so many steps; else the mean
            without truncation, which a geometric horizon leaves as it is.

        Returns
        -------
        ndarray, shape (K,)
            In units of reward per unit of parameter.

        Raises
        ------
        ValueError
            If the policy is a batch or does not fit the problem, the signal holds values of another shape
            or a NaN where the policy goes, or the mean does not exist (see `chain`).
        TypeError
            If an argument is of the wrong type. In the linear-quadratic problem the signal's values must be
            quadratic functions, such as `state_values` and `action_values` return.

        Notes
        -----
        Exact. Without truncation one linear solve, with an integer horizon one pass over the transitions
        for each step.
        """
        recursion = self._recursion(problem.checked(mdp))
        return mean_of_estimate(mdp, policy, *recursion, horizon, self._n_terms)

    @abstractmethod
    def _along(self, paths):
        """Return the factors, shape (T, N)."""

    @abstractmethod
    def _recursion(self, mdp):
        """Return base and decay of the mean of the signal (see `expectations`)."""

    #: How many terms the mean has, if not all.
    _n_terms = None


@dataclass(frozen=True, eq=False)
class WholeReturn(Signal):
    r"""Return of the whole path, the same at every step.

    .. math:: g_t = \sum_{t'} w_{t'} r_{t'}

    Unbiased: what was earned before time t does not depend on the action taken then, and the mean score is 0.
    So these terms add nothing but variance. There is no factor :math:`\gamma^t` in front: the return is
    discounted from the start.

    Notes
    -----
    With an integer horizon the mean is the gradient of the truncated J.

    References
    ----------
    S20, (9.2). R. J. Williams, "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning", 1992.

    Examples
    --------
    "Stop" pays 1 and ends, "go on" pays 0 and stays. With p = P(stop) and discount 1/2,
    J = p + (1 - p) J / 2 = 2 p / (1 + p); at p = 1/2 dJ/dtheta = 2 p (1 - p) / (1 + p)^2 = 2/9.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> WholeReturn().expectation(mdp, SoftmaxPolicy([[[1.0], [0.0]]], [0.0])).round(6)
    array([0.222222])
    """

    def _along(self, paths):
        return np.where(paths.alive, paths.returns, 0.0)

    def _recursion(self, mdp):
        return mdp.reward, 1.0


@dataclass(frozen=True, eq=False)
class ReturnToGo(Signal):
    r"""Return from each step on, less a baseline that depends on the state only.

    .. math:: g_t = \sum_{t' \ge t} w_{t'} r_{t'} - w_t \, b(s_t)

    Unbiased for every baseline that is fixed before the paths are drawn, (20.3). One that is fitted on the
    same paths depends on their actions, and biases. Without discount and random horizon :math:`w_t = 1`;
    with the discount :math:`g_t` is :math:`\gamma^t (G_t - b(s_t))`.

    Parameters
    ----------
    baseline : array_like of shape (S,), or callable, optional
        b(s). For the linear-quadratic problem a function of the state.

    Raises
    ------
    ValueError
        If `baseline` has another number of axes or an infinite entry. A baseline (S, A) that depends on the
        action would bias the estimate.
    TypeError
        If it is not made of numbers.

    Notes
    -----
    With an integer horizon the mean is the gradient of the truncated J.

    In the linear-quadratic problem with :math:`\gamma c^2 < 1 \le \gamma |c|^3`, c the drift of the closed
    loop, the sum over all steps has no mean in the gain. `expectation` is then what the means up to a fixed
    time tend to, which is the gradient.

    References
    ----------
    (20.2)-(20.3). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, sections 13.3-13.4.

    Examples
    --------
    Cut off after one step, J is the first reward alone: p, with slope p (1 - p) = 1/4.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> ReturnToGo().expectation(mdp, policy).round(6)
    array([0.222222])
    >>> ReturnToGo(baseline=[7.0]).expectation(mdp, policy, horizon=1)
    array([0.25])
    """

    baseline: object = None

    def __post_init__(self):
        if self.baseline is not None:
            object.__setattr__(self, "baseline", kept_values("baseline", self.baseline, "(S,)"))

    def _along(self, paths):
        factors = rewards_to_go(paths)
        if self.baseline is not None:
            b = paths.of_states("baseline", self.baseline)[:-1]
            factors -= np.where(paths.alive, paths.weights[:, None] * b, 0.0)
        return factors

    def _recursion(self, mdp):
        # (20.3): the baseline takes nothing from the mean.
        return mdp.reward, 1.0


@dataclass(frozen=True, eq=False)
class ActionValues(Signal):
    r"""Value of each action, from a table or a critic.

    .. math:: g_t = w_t \, Q(s_t, a_t)

    The mean is :math:`\sum_s \rho^\pi(s) \sum_a \pi(s, a) \, \mathrm{SC}(s, a) \, Q(s, a)`. It is the
    gradient if Q is :math:`Q^\pi`, if Q is the compatible approximation of the second theorem, (17.3), and
    in general if and only if
    :math:`\sum_s \rho^\pi(s) \sum_a \pi(s, a) \, \mathrm{SC}(s, a) \, (Q^\pi - Q)(s, a) = 0`.

    Parameters
    ----------
    Q : array_like of shape (S, A), or callable
        Q(s, a). For the linear-quadratic problem a function of state and action. NaN where there is no value.

    Raises
    ------
    ValueError
        If `Q` has another number of axes or an infinite entry.
    TypeError
        If it is not made of numbers.

    Notes
    -----
    With an integer horizon T the mean is the sum of the terms t < T of (14.2). That is not the gradient of
    the truncated J, whose values would end with the horizon too.

    References
    ----------
    (9.2), (20.1).

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy, action_values
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> ActionValues(action_values(mdp, policy)).expectation(mdp, policy).round(6)
    array([0.222222])

    A critic that sees the next reward only: rho = 1 / (1 - 1/4) = 4/3, times p (1 - p) (1 - 0).

    >>> ActionValues([[1.0, 0.0]]).expectation(mdp, policy).round(6)
    array([0.333333])
    """

    Q: object

    def __post_init__(self):
        object.__setattr__(self, "Q", kept_values("Q", self.Q, "(S, A)"))

    def _along(self, paths):
        return _weighted(paths, paths.of_pairs("Q", self.Q))

    def _recursion(self, mdp):
        return mdp.checked_pairs("Q", self.Q), 0.0


@dataclass(frozen=True, eq=False)
class Advantages(Signal):
    r"""Advantage of each action, from a table or a critic.

    .. math:: g_t = w_t \, A(s_t, a_t)

    A differs from Q by a function of the state, so the mean is that of `ActionValues`, (20.3), and the
    variance is lower where that function is most of Q. It is the gradient if and only if
    :math:`\sum_s \rho^\pi(s) \sum_a \pi(s, a) \, \mathrm{SC}(s, a) \, (A^\pi - A)(s, a) = 0`.

    Parameters
    ----------
    A : array_like of shape (S, A), or callable
        A(s, a). For the linear-quadratic problem a function of state and action. NaN where there is no value.

    Raises
    ------
    ValueError
        If `A` has another number of axes or an infinite entry.
    TypeError
        If it is not made of numbers.

    References
    ----------
    (20.2)-(20.3).

    Examples
    --------
    >>> from pgtlab import FiniteMDP, SoftmaxPolicy, advantages
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> Advantages(advantages(mdp, policy)).expectation(mdp, policy).round(6)
    array([0.222222])
    """

    A: object

    def __post_init__(self):
        object.__setattr__(self, "A", kept_values("A", self.A, "(S, A)"))

    def _along(self, paths):
        return _weighted(paths, paths.of_pairs("A", self.A))

    def _recursion(self, mdp):
        return mdp.checked_pairs("A", self.A), 0.0


@dataclass(frozen=True, eq=False)
class TDErrors(Signal):
    r"""Temporal-difference error of state values.

    .. math:: g_t = w_t \, \delta_t, \qquad \delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)

    Given state and action, the mean of :math:`\delta_t` is the advantage if :math:`V = V^\pi`; the estimate
    is then unbiased. In general its bias is
    :math:`\gamma \sum_s \rho^\pi(s) \sum_a \pi(s, a) \, \mathrm{SC}(s, a) \sum_{s'} P^a_{s,s'} (V -
    V^\pi)(s')`.

    Parameters
    ----------
    V : array_like of shape (S,), or callable
        V(s). For the linear-quadratic problem a function of the state. NaN where there is no value.

    Raises
    ------
    ValueError
        If `V` has another number of axes or an infinite entry.
    TypeError
        If it is not made of numbers.

    Notes
    -----
    After the end of an episode V is 0; after a horizon it is V of the state that was reached.

    References
    ----------
    (20.2). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 13.5.

    Examples
    --------
    With V = 0 it sees the next reward only: rho = 4/3, times p (1 - p) (1 - 0) = 1/4.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy, state_values
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> TDErrors([0.0]).expectation(mdp, policy).round(6)
    array([0.333333])
    >>> TDErrors(state_values(mdp, policy)).expectation(mdp, policy).round(6)
    array([0.222222])
    """

    V: object

    def __post_init__(self):
        object.__setattr__(self, "V", kept_values("V", self.V, "(S,)"))

    def _along(self, paths):
        return _weighted_td_errors(paths, self.V)

    def _recursion(self, mdp):
        return mdp.td_errors(mdp.checked_states("V", self.V)), 0.0


@dataclass(frozen=True, eq=False)
class NStepReturn(Signal):
    r"""Return of the next n steps, with V for what comes later, less V.

    .. math:: g_t = \sum_{t' = t}^{t + n - 1} w_{t'} \, \delta_{t'}

    With the discount alone this is
    :math:`\gamma^t \big( r_t + \dots + \gamma^{n-1} r_{t+n-1} + \gamma^n V(s_{t+n}) - V(s_t) \big)`: for
    n = 1 the `TDErrors`, for n beyond the end the `ReturnToGo` with the baseline V. Its bias is

    .. math::

        \gamma \sum_s \rho^\pi(s) \sum_a \pi(s, a) \, \mathrm{SC}(s, a)
        \sum_{s'} P^a_{s,s'} \big[ (\gamma P_\pi)^{n-1} (V - V^\pi) \big](s'),

    so it is unbiased if :math:`V = V^\pi`, and the less biased the larger n.

    Parameters
    ----------
    V : array_like of shape (S,), or callable
        V(s). For the linear-quadratic problem a function of the state. NaN where there is no value.
    n : int
        At least 1.

    Raises
    ------
    ValueError
        If `V` has another number of axes or an infinite entry, or `n` is below 1.
    TypeError
        If they are not made of numbers.

    Notes
    -----
    After the end of an episode V is 0; after a horizon it is V of the state that was reached.

    References
    ----------
    (20.2). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 7.1.

    Examples
    --------
    With V = 0 it sees the next n rewards. V - V^pi = -2/3, and each step to come costs a factor
    1/2 * 1/2: for n = 2 the bias is (1/2) (4/3) (-1/4) (1/4) (-2/3) = 1/36.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> (NStepReturn([0.0], n=2).expectation(mdp, policy) - 2 / 9).round(6), round(1 / 36, 6)
    (array([0.027778]), 0.027778)
    """

    V: object
    n: int

    def __post_init__(self):
        object.__setattr__(self, "V", kept_values("V", self.V, "(S,)"))
        object.__setattr__(self, "n", _validate.count("n", self.n, 1))

    def _along(self, paths):
        return summed(_weighted_td_errors(paths, self.V), 1.0, most=self.n)

    def _recursion(self, mdp):
        return mdp.td_errors(mdp.checked_states("V", self.V)), 1.0

    @property
    def _n_terms(self):
        return self.n


@dataclass(frozen=True, eq=False)
class GAE(Signal):
    r"""Generalised advantage estimate, a sum of TD errors that fades with :math:`\lambda`.

    .. math:: g_t = \sum_{t' \ge t} \lambda^{t'-t} \, w_{t'} \, \delta_{t'}

    With the discount alone this is :math:`\gamma^t \sum_l (\gamma \lambda)^l \delta_{t+l}`: for
    :math:`\lambda = 0` the `TDErrors`, for :math:`\lambda = 1` the `ReturnToGo` with the baseline V. Its
    bias is

    .. math::

        (1 - \lambda) \gamma \sum_s \rho^\pi(s) \sum_a \pi(s, a) \, \mathrm{SC}(s, a)
        \sum_{s'} P^a_{s,s'} \big[ (I - \gamma \lambda P_\pi)^{-1} (V - V^\pi) \big](s'),

    so it is unbiased if :math:`V = V^\pi` or :math:`\lambda = 1`.

    Parameters
    ----------
    V : array_like of shape (S,), or callable
        V(s). For the linear-quadratic problem a function of the state. NaN where there is no value.
    lam : float
        :math:`\lambda` in [0, 1].

    Raises
    ------
    ValueError
        If `V` has another number of axes or an infinite entry, or `lam` is outside [0, 1].
    TypeError
        If they are not made of numbers.

    Notes
    -----
    After the end of an episode V is 0; after a horizon it is V of the state that was reached. So under a
    horizon of T steps the sum for :math:`\lambda = 1` ends with :math:`\gamma^T V(s_T)`, which the return to
    go lacks.

    References
    ----------
    (20.2). J. Schulman, P. Moritz, S. Levine, M. Jordan and P. Abbeel, "High-dimensional continuous control
    using generalized advantage estimation", 2016; there without :math:`\gamma^t`.

    Examples
    --------
    V^pi is 2/3. With V = 0 and lambda = 1/2 the bias is that of V - V^pi = -2/3: the inverse is
    1 / (1 - 1/8), the score sum -p (1 - p) = -1/4, rho 4/3, so (1/2) (1/2) (4/3) (-1/4) (8/7) (-2/3) = 4/63.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.0])
    >>> (GAE([0.0], lam=0.5).expectation(mdp, policy) - 2 / 9).round(6), round(4 / 63, 6)
    (array([0.063492]), 0.063492)
    """

    V: object
    lam: float

    def __post_init__(self):
        object.__setattr__(self, "V", kept_values("V", self.V, "(S,)"))
        object.__setattr__(self, "lam", _validate.in_unit_interval("lam", self.lam))

    def _along(self, paths):
        return summed(_weighted_td_errors(paths, self.V), self.lam)

    def _recursion(self, mdp):
        return mdp.td_errors(mdp.checked_states("V", self.V)), self.lam


def rewards_to_go(paths):
    """Return the weighted rewards from each step on, shape (T, N)."""
    # Without a step there is no reward.
    return summed(paths.weights[:, None] * paths.rewards, 1.0)


def _weighted(paths, values):
    """Return values (T, N) times the weights of the paths; 0 where no step was made."""
    return np.where(paths.alive, paths.weights[:, None] * values, 0.0)


def _weighted_td_errors(paths, values):
    V = paths.of_states("V", values)
    return _weighted(paths, one_step_errors(paths.rewards, V[:-1], V[1:], paths.mdp.discount))
