"""Owns the critics that bootstrap on the score features alone: the slides' update, and TD(lambda)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pgtlab import _validate
from pgtlab.critics.critic import Learner
from pgtlab.exact.chains import chain
from pgtlab.exact.values import advantages


class _OnScores(Learner):
    """What the two have in common: the score of the next action stands for what comes later."""

    def _fixed_point(self, mdp, policy):
        # FIM w = E[SC Q] with Q at the discount gamma lambda
        near = replace(mdp, discount=mdp.discount * self._decay)
        return chain(mdp, policy).score_fit(policy, advantages(near, policy))

    def _step(self, reader, t, episodes):
        x = reader.scores(t, episodes)
        # Of the next action one hears only if the step is made: its weight is that of its own time.
        return x, reader.weights[t] * x - reader.weights[t + 1] * reader.scores(t + 1, episodes)


@dataclass(frozen=True, eq=False)
class TD(_OnScores):
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

    @property
    def _decay(self):
        return self.lam


@dataclass(frozen=True, eq=False)
class LiteralUpdate(_OnScores):
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
