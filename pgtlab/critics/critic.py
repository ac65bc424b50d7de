"""Owns what the critics share: their limit, their fit to sampled paths, and how they learn step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from pgtlab.critics import sampled
from pgtlab.critics.least_squares import weights_for
from pgtlab.exact.chains import chain


class Critic(ABC):
    r"""Critic that is linear in the score, :math:`\mathrm{SC}(s, a) \cdot w`.

    Each has a limit, exactly, and a fit to sampled paths that tends to it. To bring one of your own, derive
    from this class and write ``_fixed_point(self, mdp, policy)`` and ``_fit(self, paths)``; or derive from
    `Learner`, if the sums over all steps are enough.

    Examples
    --------
    A critic that sees the first step only. On "now or later" `LiteralUpdate` sees no more, as nothing is
    chosen later.

    >>> class FirstStep(Critic):
    ...     def _fixed_point(self, mdp, policy):
    ...         return LiteralUpdate().fixed_point(mdp, policy)
    ...     def _fit(self, paths):
    ...         x = policy.score(paths.states[0], paths.actions[0])
    ...         return np.linalg.lstsq(x, paths.rewards[0])[0]
    >>> from pgtlab.critics import LiteralUpdate
    >>> from pgtlab.gallery import now_or_later
    >>> from pgtlab.rollouts import rollout
    >>> mdp, policy = now_or_later()
    >>> paths = rollout(mdp, policy, n_episodes=100_000, rng=np.random.default_rng(0))
    >>> abs(FirstStep().fit(paths) - FirstStep().fixed_point(mdp, policy)) < 0.1
    array([ True])
    """

    def fixed_point(self, mdp, policy):
        r"""Weights that the critic has in the limit of many paths.

        Parameters
        ----------
        mdp : FiniteMDP or LinearQuadraticMDP
        policy : FinitePolicy or LinearGaussianPolicy
            Or a batch of policies.

        Returns
        -------
        ndarray, shape (..., K)
            The solution of least norm, in units of reward.

        Raises
        ------
        ValueError
            If the policy does not fit the problem, the expected return does not exist (see `chain`), the
            state features of the critic do not fit the problem, or, for the linear-quadratic problem, any
            are given.
        TypeError
            If an argument is of the wrong type.
        """
        # Whether the two go together.
        chain(mdp, policy)
        return self._fixed_point(mdp, policy)

    def fit(self, paths):
        """Weights at which the equations of all sampled paths are met together.

        Parameters
        ----------
        paths : FinitePaths or LinearQuadraticPaths
            At the last step before the horizon there is no next action, and none is drawn: its score, of mean
            0, is left out. A state in which a path is cut off still has its value. Cut off at a random
            horizon, the paths give the same limit without truncation bias; `EpisodicNAC` takes none such.

        Returns
        -------
        ndarray, shape (K,)
            The solution of least norm.

        Raises
        ------
        ValueError
            If the state features of the critic do not fit the problem, or rounding leaves open whether
            features are dependent.
        TypeError
            If `paths` is not what `rollout` returns.
        """
        return self._fit(paths)

    @abstractmethod
    def _fixed_point(self, mdp, policy):
        """Return the limit, shape (..., K)."""

    @abstractmethod
    def _fit(self, paths):
        """Return the weights (K,) that fit the paths."""


class OfSteps(Critic):
    """Critic whose equations are sums over the steps of the paths, with a trace of what came before."""

    #: What the trace keeps from step to step, besides the discount.
    _decay = 0.0

    def _fit(self, paths):
        reader = self._reader(paths)
        both = sampled.fixed_point(reader, self._step, self._targets(reader), self._decay)
        return both[-paths.policy.parameters.shape[-1] :]

    def _reader(self, paths):
        """Return the paths, to be read step by step."""
        return sampled.Reader(paths)

    def _targets(self, reader):
        """Return what is to be predicted at each step, times its weight, shape (T, N)."""
        return reader.rewards

    @abstractmethod
    def _step(self, reader, t, episodes):
        """Return features and differences of step t, (n, D) each (see `sampled.fixed_point`)."""


class Learner(OfSteps):
    r"""Critic that also learns step by step, along the paths.

    To bring one of your own, derive from this class and write ``_fixed_point(self, mdp, policy)`` and
    ``_step(self, reader, t, episodes)``. The latter returns the features of the critic at time t, (n, D), and
    the differences (n, D) whose product with the weights should be the weighted reward.

    Examples
    --------
    Least squares on the next reward: the score is both.

    >>> class Myopic(Learner):
    ...     def _fixed_point(self, mdp, policy):
    ...         return LiteralUpdate().fixed_point(mdp, policy)
    ...     def _step(self, reader, t, episodes):
    ...         x = reader.scores(t, episodes)
    ...         return x, reader.weights[t] * x
    >>> from pgtlab.critics import LiteralUpdate
    >>> from pgtlab.gallery import now_or_later
    >>> from pgtlab.rollouts import rollout
    >>> mdp, policy = now_or_later()
    >>> paths = rollout(mdp, policy, n_episodes=10_000, rng=np.random.default_rng(0))
    >>> learned = Myopic().learn(paths, step_size=0.1, batch_size=100)
    >>> abs(Myopic().fit(paths) + 1) < 0.1, abs(learned[-1] + 1) < 0.2
    (array([ True]), array([ True]))
    """

    def learn(self, paths, step_size, start=None, *, batch_size=1):
        r"""Weights learned step by step along the paths, one episode after the other.

        Parameters
        ----------
        paths : FinitePaths or LinearQuadraticPaths
        step_size : float or array_like, shape (n,)
            :math:`\alpha`, above 0; one for all batches of episodes, or one for each.
        start : array_like, shape (K,), optional
            Weights to begin with; 0 without. The weights of state features begin at 0.
        batch_size : int
            Episodes that take each step together; the update is their mean. With 1 it is the loop above.

        Returns
        -------
        ndarray, shape (n + 1, K)
            The weights before the first and after each of the n batches. If they overflow, those till then,
            with a RuntimeWarning.

        Raises
        ------
        ValueError
            If a setting is out of its range or of the wrong shape, or the state features of the critic do not
            fit the problem.
        TypeError
            If an argument is of the wrong type.
        """
        reader, w = self._reader(paths), _first_weights(paths.policy, start)
        # What stands before the weights of the score are those of state features.
        n_others = self._step(reader, 0, slice(1))[0].shape[-1] - len(w)
        both = np.concatenate([np.zeros(n_others), w])
        run = sampled.learning(
            reader, self._step, self._targets(reader), self._decay, step_size, both, batch_size
        )
        return run[:, n_others:]


def _first_weights(policy, start):
    """Return the weights (K,) to begin with."""
    if start is None:
        return np.zeros(policy.parameters.shape[-1])
    start = weights_for(policy, start, "start")
    if start.ndim > 1:
        raise ValueError(f"start has shape {start.shape}; expected ({start.shape[-1]},)")
    return start
