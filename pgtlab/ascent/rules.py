r"""Owns the ascent rule, and the rules whose direction is a gradient: exact, natural, or by REINFORCE."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from pgtlab import _validate
from pgtlab.estimators import ReturnToGo, fitted_values
from pgtlab.estimators.estimate import mean_gradient
from pgtlab.exact.fisher import natural_policy_gradient
from pgtlab.exact.gradients import policy_gradient
from pgtlab.rollouts import rollout
from pgtlab.rollouts.horizon import checked


class AscentRule(ABC):
    r"""Rule that gives the direction of the next step, :math:`\theta \leftarrow \theta + \alpha d`.

    To bring a rule of your own, derive from this class and write
    ``_direction(self, mdp, policy, memory, *, rng)``, which returns the direction and what the rule wants to
    remember; and set `draws` to True if it takes numbers from `rng`.

    Attributes
    ----------
    draws : bool
        Whether the rule samples, and so needs an `rng`.

    Examples
    --------
    Steps of equal length, uphill:

    >>> class UnitSteps(AscentRule):
    ...     def _direction(self, mdp, policy, memory, *, rng):
    ...         gradient = policy_gradient(mdp, policy)
    ...         return gradient / np.linalg.norm(gradient), memory
    >>> from pgtlab.gallery import now_or_later
    >>> direction, memory = UnitSteps().direction(*now_or_later(), rng=None)
    >>> direction, memory
    (array([1.]), None)
    """

    draws = False

    def direction(self, mdp, policy, memory=None, *, rng):
        """Direction of the next step at the current policy.

        Parameters
        ----------
        mdp : FiniteMDP or LinearQuadraticMDP
        policy : FinitePolicy or LinearGaussianPolicy
            One policy, no batch.
        memory : object, optional
            What the rule returned at the step before: the weights of its critic, for instance. None at the
            first step.
        rng : numpy.random.Generator or None
            None will do for a rule that does not draw.

        Returns
        -------
        direction : ndarray, shape (K,)
        memory : object
            For the next step.

        Raises
        ------
        ValueError
            If the policy does not fit the problem, or the rule finds no direction.
        TypeError
            If the rule draws and `rng` is not a Generator.
        """
        if self.draws:
            _validate.generator(rng)
        found, memory = self._direction(mdp, policy, memory, rng=rng)
        name = f"direction of {type(self).__name__}"
        found = _validate.numbers(name, found)
        _validate.shape(name, found, policy.parameters.shape, "as parameters")
        return found, memory

    @abstractmethod
    def _direction(self, mdp, policy, memory, *, rng):
        """Return the direction, shape (K,), and the memory for the next step."""


def check_rule(rule):
    """Raise TypeError unless `rule` is an AscentRule."""
    if not isinstance(rule, AscentRule):
        got = f"the class {rule.__name__}" if isinstance(rule, type) else type(rule).__name__
        raise TypeError(f"rule must be an AscentRule, such as GradientAscent(), got {got}")


@dataclass(frozen=True)
class GradientAscent(AscentRule):
    r"""Exact gradient, :math:`d = \partial J / \partial \theta`.

    References
    ----------
    S4, S9 (9.1).

    Examples
    --------
    J = 1 + 8 p with p = sigmoid(theta): at p = 1/2 the slope is 8 p (1 - p) = 2.

    >>> from pgtlab.gallery import now_or_later
    >>> GradientAscent().direction(*now_or_later(), rng=None)[0].round(6)
    array([2.])
    """

    def _direction(self, mdp, policy, memory, *, rng):
        return policy_gradient(mdp, policy), memory


@dataclass(frozen=True)
class NaturalGradientAscent(AscentRule):
    r"""Exact natural gradient, :math:`d = \mathrm{FIM}^+ \, \partial J / \partial \theta`.

    Notes
    -----
    For a tabular softmax policy a step of size :math:`\alpha` multiplies each probability by
    :math:`\exp(\alpha A^\pi)` and normalises, in the states that are visited; J never falls, whatever
    :math:`\alpha`. For a linear Gaussian policy with its std held, the step
    :math:`\alpha = 1 / (2 \sigma^2 (r + \gamma b^2 P))` is one step of policy iteration. That holds for a
    single action; with several in a state it does not in general, whatever the step size.

    References
    ----------
    S23 (23.1)-(23.2). A. Agarwal, S. M. Kakade, J. D. Lee and G. Mahajan, "On the theory of policy gradient
    methods: optimality, approximation, and distribution shift", 2021, section 5.3.

    Examples
    --------
    The slope 8 p (1 - p) divided by the Fisher information p (1 - p):

    >>> from pgtlab.gallery import now_or_later
    >>> NaturalGradientAscent().direction(*now_or_later(), rng=None)[0].round(6)
    array([8.])
    """

    def _direction(self, mdp, policy, memory, *, rng):
        return natural_policy_gradient(mdp, policy), memory


@dataclass(frozen=True, kw_only=True)
class SampledRule(AscentRule):
    """Rule that samples a batch of paths of the current policy at each step."""

    n_episodes: int
    horizon: object = None

    draws = True

    def __post_init__(self):
        # One will do: a direction needs no standard error.
        object.__setattr__(self, "n_episodes", _validate.count("n_episodes", self.n_episodes, 1))
        object.__setattr__(self, "horizon", checked(self.horizon))

    def _paths(self, mdp, policy, *, rng):
        return rollout(mdp, policy, n_episodes=self.n_episodes, horizon=self.horizon, rng=rng)


@dataclass(frozen=True, kw_only=True)
class Reinforce(SampledRule):
    r"""REINFORCE: score times return to go, on paths of the current policy.

    .. math::

        d = \frac1N \sum_n \sum_t \gamma^t \, \mathrm{SC}(s_{t,n}, a_{t,n}) \, G_{t,n},
        \qquad G_t = \sum_{t' \ge t} \gamma^{t'-t} r_{t'}

    Parameters
    ----------
    n_episodes : int
        N, at least 1, in each step.
    horizon : int or GeometricHorizon, optional
        As for `rollout`.

    Raises
    ------
    ValueError
        If a count is too small.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    :math:`\theta` moves once a batch. Whoever moves it after each step of a path, along which the later
    actions were already drawn, does not follow the gradient.

    References
    ----------
    S20 (20.1). R. J. Williams, "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning", 1992.

    Examples
    --------
    >>> from pgtlab.gallery import now_or_later
    >>> rule = Reinforce(n_episodes=10_000)
    >>> direction, _ = rule.direction(*now_or_later(), rng=np.random.default_rng(0))
    >>> bool(abs(direction[0] - 2) < 0.15)
    True
    """

    def _direction(self, mdp, policy, memory, *, rng):
        return mean_gradient(self._paths(mdp, policy, rng=rng), ReturnToGo()), None


@dataclass(frozen=True, kw_only=True)
class ReinforceWithBaseline(SampledRule):
    r"""REINFORCE with a baseline: the state values fitted to the batch before.

    .. math::

        d = \frac1N \sum_n \sum_t \gamma^t \, \mathrm{SC}(s_{t,n}, a_{t,n}) \, (G_{t,n} - b(s_{t,n}))

    Parameters
    ----------
    n_episodes : int
        N, at least 1, in each step.
    horizon : int or GeometricHorizon, optional
        As for `rollout`.

    Raises
    ------
    ValueError
        If a count is too small.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    b comes from the paths of the batch before (`fitted_values`), so that it does not depend on the actions
    it is used on: given b the direction is unbiased. The first batch has none.

    References
    ----------
    (20.2)-(20.3). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 13.4.

    Examples
    --------
    In the one state of this problem the return is 10 whatever is done. The first batch sees noise; the
    second takes the 10 off and sees that there is nothing to learn.

    >>> from pgtlab import FiniteMDP, SoftmaxPolicy
    >>> mdp = FiniteMDP([[[0.0], [0.0]]], reward=[[10.0, 10.0]], initial=[1.0], discount=0.9)
    >>> policy, rng = SoftmaxPolicy([[[1.0], [0.0]]], [0.0]), np.random.default_rng(0)
    >>> rule = ReinforceWithBaseline(n_episodes=101)
    >>> first, memory = rule.direction(mdp, policy, rng=rng)
    >>> second, _ = rule.direction(mdp, policy, memory, rng=rng)
    >>> bool(abs(first[0]) > 0.01), second.round(9) + 0.0
    (True, array([0.]))
    """

    def _direction(self, mdp, policy, memory, *, rng):
        paths = self._paths(mdp, policy, rng=rng)
        return mean_gradient(paths, ReturnToGo(baseline=memory)), fitted_values(paths)


@dataclass(frozen=True)
class HoldFixed(AscentRule):
    r"""Another rule, with some of the parameters held where they are.

    Parameters
    ----------
    rule : AscentRule
    held : tuple of int
        Places of the parameters whose direction is set to 0.

    Raises
    ------
    ValueError
        If a place is negative or comes twice, or, on use, beyond the last parameter.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Of a natural gradient this leaves the natural gradient of the smaller family only where the Fisher
    information has no entries between what is held and what is free, as for the linear Gaussian policy. There
    it serves to look for the best gain at a given :math:`\sigma`: the best :math:`\sigma` of all is 0.

    Examples
    --------
    >>> from pgtlab.gallery import linear_quadratic
    >>> rule = HoldFixed(GradientAscent(), held=(1,))
    >>> direction, _ = rule.direction(*linear_quadratic(), rng=None)
    >>> direction[0] < 0, direction[1]
    (np.True_, np.float64(0.0))
    """

    rule: AscentRule
    held: tuple

    def __post_init__(self):
        check_rule(self.rule)
        if np.ndim(self.held) != 1:
            raise TypeError(f"held must be a sequence of places, such as (0,), got {self.held!r}")
        held = tuple(_validate.count(f"held[{i}]", place) for i, place in enumerate(self.held))
        if len(set(held)) != len(held):
            raise ValueError(f"held is {held}; expected each place once")
        object.__setattr__(self, "held", held)

    @property
    def draws(self):
        """Whether the other rule samples."""
        return self.rule.draws

    def _direction(self, mdp, policy, memory, *, rng):
        found, memory = self.rule.direction(mdp, policy, memory, rng=rng)
        if self.held and max(self.held) >= found.size:
            raise ValueError(f"held is {self.held}; expected places from 0 to {found.size - 1}")
        found = found.copy()
        found[list(self.held)] = 0.0
        return found, memory
