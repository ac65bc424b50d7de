"""Owns the critics that bootstrap on the score features alone: the slides' update, and TD(lambda)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pgtlab import _validate
from pgtlab.critics import sampled
from pgtlab.critics.least_squares import score_weights
from pgtlab.critics.monte_carlo import first_weights
from pgtlab.exact.chains import chain
from pgtlab.exact.values import advantages


@dataclass(frozen=True, eq=False)
class TD:
    r"""Temporal differences with an eligibility trace, on the score features alone.

    .. math::

        z_t = \gamma \lambda z_{t-1} + \gamma^t \mathrm{SC}_t, \qquad
        w \mathrel{+}=
        \alpha \, \big( r_t + \gamma \, \mathrm{SC}_{t+1} \cdot w - \mathrm{SC}_t \cdot w \big) \, z_t

    with :math:`z_{-1} = 0`, :math:`a_{t+1}` the action that is taken next, and a score of 0 after the end.

    **Condition.** The limit is the natural gradient for :math:`\lambda = 1`, or if
    :math:`E_{\rho, \pi}[\mathrm{SC} \, (Q^\pi - Q^{(\gamma \lambda)})] = 0`; else it is near-sighted, since
    it sees what comes later with the discount :math:`\gamma \lambda` in the place of :math:`\gamma`.

    Parameters
    ----------
    lam : float
        :math:`\lambda` in [0, 1].

    Raises
    ------
    ValueError
        If `lam` is outside [0, 1].
    TypeError
        If `lam` is not a number.

    Notes
    -----
    The updates of a path add up to
    :math:`\sum_t \gamma^t e_t \, (r_t + \gamma \, \mathrm{SC}_{t+1} \cdot w - \mathrm{SC}_t \cdot w)` with
    :math:`e_t = \sum_{j \le t} \lambda^{t-j} \mathrm{SC}_j`. Given the past, a score has mean 0, so the
    bootstrap term vanishes, of the products with :math:`\mathrm{SC}_t` only that with itself is left, and

    .. math::

        \mathrm{FIM} \cdot w
        = \sum_j \gamma^j E\Big[ \mathrm{SC}_j \sum_{t \ge j} (\gamma \lambda)^{t-j} r_t \Big]
        = E_{\rho, \pi}\big[ \mathrm{SC} \, Q^{(\gamma \lambda)} \big] :

    Fisher information and visits at the discount :math:`\gamma`, only Q at :math:`\gamma \lambda`. With
    :math:`\gamma^t` on the update in the place of the trace, Q would be that at :math:`\gamma^2 \lambda`.

    References
    ----------
    S23 (23.3), point 1 of "what the slides leave out".

    Examples
    --------
    On "now or later" the reward 10 counts :math:`10 \cdot 0.9 \lambda`, and now pays 1.

    >>> from pgtlab.gallery import now_or_later
    >>> [TD(lam).fixed_point(*now_or_later()).round(6).item() for lam in (0.0, 0.5, 1.0)]
    [-1.0, 3.5, 8.0]
    """

    lam: float

    def __post_init__(self):
        object.__setattr__(self, "lam", _validate.in_unit_interval("lam", self.lam))

    def fixed_point(self, mdp, policy):
        r"""Weights at which the expected update is 0.

        .. math:: w_\lambda = \mathrm{FIM}^+ \, E_{\rho, \pi}\big[ \mathrm{SC} \, Q^{(\gamma \lambda)} \big]

        Parameters
        ----------
        mdp : FiniteMDP or LinearQuadraticMDP
        policy : FinitePolicy or LinearGaussianPolicy
            Or a batch of policies.

        Returns
        -------
        ndarray, shape (..., K)
            The solution of least norm.
        """
        return bootstrapped(mdp, policy, self.lam)

    def fit(self, paths):
        """Weights at which the updates of all sampled paths add up to 0.

        Parameters
        ----------
        paths : FinitePaths or LinearQuadraticPaths
            At the last step before the horizon there is no next action, and none is drawn: the bootstrap
            term, of mean 0, is left out. Cut off at a random horizon, the paths give the same limit without
            truncation bias.

        Returns
        -------
        ndarray, shape (K,)
            The solution of least norm.
        """
        reader = sampled.Reader(paths)
        return sampled.fixed_point(reader, score_step, reader.rewards, self.lam)

    def learn(self, paths, step_size, start=None, *, batch_size=1):
        """Weights learned step by step along the paths, one episode after the other.

        Parameters
        ----------
        paths : FinitePaths or LinearQuadraticPaths
        step_size : float or array_like, shape (n,)
            :math:`\\alpha`, above 0; one for all batches of episodes, or one for each.
        start : array_like, shape (K,), optional
            Weights to begin with; 0 without.
        batch_size : int
            Episodes that take each step together; the update is their mean. With 1 it is the loop above.

        Returns
        -------
        ndarray, shape (n + 1, K)
            The weights before the first and after each of the n batches. If they overflow, those till then,
            with a RuntimeWarning.
        """
        reader, start = sampled.Reader(paths), first_weights(paths.policy, start)
        return sampled.learning(reader, score_step, reader.rewards, self.lam, step_size, start, batch_size)


@dataclass(frozen=True, eq=False)
class LiteralUpdate:
    r"""Critic update of the slides, taken at its word.

    .. math::

        w \mathrel{-}= \alpha \, \gamma^t \,
        \big( \mathrm{SC}_t \cdot w - r_t - \gamma \, \mathrm{SC}_{t+1} \cdot w \big) \, \mathrm{SC}_t

    with :math:`a_{t+1}` the action that is taken next, and a score of 0 after the end.

    **Condition.** The limit is the natural gradient only if
    :math:`E_{\rho, \pi}[\mathrm{SC} \, \gamma P V^\pi] = 0`, when what comes later does not depend on the
    action; always for :math:`\gamma = 0`. In general it is
    :math:`\mathrm{FIM}^+ E_{\rho, \pi}[\mathrm{SC} \, R]`, the natural gradient of the immediate reward:
    the score of the next action has mean 0, so bootstrapping on it brings no news of what comes later.
    `MonteCarlo`, `ValueAndScore`, `LSTDQ` and `CorrectedEpisodicNAC` are the remedies.

    Notes
    -----
    It is `TD` with :math:`\lambda = 0`.

    References
    ----------
    S23 (23.3), point 1 of "what the slides leave out". J. Peters and S. Schaal, "Natural actor-critic",
    *Neurocomputing* 71, 2008, section 2.3.

    Examples
    --------
    Ten later is worth 9, now pays 1, and the natural gradient is 8. To this update later pays nothing:

    >>> from pgtlab.gallery import now_or_later
    >>> LiteralUpdate().fixed_point(*now_or_later()).round(6)
    array([-1.])
    """

    def fixed_point(self, mdp, policy):
        r"""Weights at which the expected update is 0, :math:`\mathrm{FIM}^+ E_{\rho, \pi}[\mathrm{SC} \, R]`.

        Parameters
        ----------
        mdp : FiniteMDP or LinearQuadraticMDP
        policy : FinitePolicy or LinearGaussianPolicy
            Or a batch of policies.

        Returns
        -------
        ndarray, shape (..., K)
            The solution of least norm.
        """
        return bootstrapped(mdp, policy, 0.0)

    def fit(self, paths):
        """Weights at which the updates of all sampled paths add up to 0.

        Parameters
        ----------
        paths : FinitePaths or LinearQuadraticPaths
            As for `TD`.

        Returns
        -------
        ndarray, shape (K,)
            The solution of least norm.
        """
        return TD(0.0).fit(paths)

    def learn(self, paths, step_size, start=None, *, batch_size=1):
        """Weights learned step by step along the paths, one episode after the other.

        Parameters
        ----------
        paths : FinitePaths or LinearQuadraticPaths
        step_size : float or array_like, shape (n,)
            :math:`\\alpha`, above 0; one for all batches of episodes, or one for each.
        start : array_like, shape (K,), optional
            Weights to begin with; 0 without.
        batch_size : int
            Episodes that take each step together; the update is their mean. With 1 it is the slides' loop.

        Returns
        -------
        ndarray, shape (n + 1, K)
            The weights before the first and after each of the n batches. If they overflow, those till then,
            with a RuntimeWarning.
        """
        reader, start = sampled.Reader(paths), first_weights(paths.policy, start)
        return sampled.learning(reader, score_step, reader.rewards, 0.0, step_size, start, batch_size)


def bootstrapped(mdp, policy, lam):
    """Return the fixed point of TD(lam)."""
    # Whether the two go together.
    chain(mdp, policy)
    return score_weights(mdp, policy, advantages(replace(mdp, discount=mdp.discount * lam), policy))


def score_step(reader, t, episodes):
    """Return the scores, and their differences to the discounted scores of the next action, both weighted."""
    x = reader.scores(t, episodes)
    # Of the next action one hears only if the step is made: its weight is that of its own time.
    return x, reader.weights[t] * x - reader.weights[t + 1] * reader.scores(t + 1, episodes)
