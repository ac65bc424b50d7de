"""Owns the critics that regress the return of an episode on the sum of its scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pgtlab.critics import sampled
from pgtlab.critics.critic import Critic
from pgtlab.critics.least_squares import compatible_weights, least_norm
from pgtlab.exact.chains import chain
from pgtlab.exact.values import advantages
from pgtlab.rollouts import GeometricHorizon


@dataclass(frozen=True, eq=False)
class EpisodicNAC(Critic):
    r"""Episodic natural actor-critic as published: one least squares line through the episodes.

    .. math::

        \sum_n \Big( \sum_t \gamma^t r_t - w \cdot \sum_t \gamma^t \mathrm{SC}_t - c \Big)^2 \to \min

    **Condition.** The limit is the natural gradient for :math:`\gamma = 1`, or if :math:`A^\pi` lies in the
    span of the score, as in the linear-quadratic problem or for a tabular policy; else it is that of a
    problem in which a visit at time t counts :math:`\gamma^{2t}`. That the method is biased was found by
    Thomas (2014), with the first versions that are not; `CorrectedEpisodicNAC` is a remedy.

    Notes
    -----
    `fit` takes paths to the end or to a fixed horizon. With a random one the products of two sums would need
    weights that a regression does not have, and a ValueError says so. There are other solutions if episodes
    are fewer than parameters. The sums over an episode lose a direction of the parameters that has less than
    1e-16 of the weight of another one with which it shares parameters.

    The sum of scores times itself has the terms
    :math:`\gamma^t \gamma^j \, \mathrm{SC}_t \mathrm{SC}_j^\top`. Given the past a score has mean 0: only t
    = j is left, at :math:`\gamma^{2t}`. In the same way the product with the return keeps
    :math:`\gamma^t \, \mathrm{SC}_t` times :math:`\gamma^t Q^\pi`, and that with the constant nothing. So

    .. math::

        w = \Big( \sum_t \gamma^{2t} E[\mathrm{SC}_t \mathrm{SC}_t^\top] \Big)^+
        \sum_t \gamma^{2t} E[\mathrm{SC}_t \, Q^\pi(s_t, a_t)]

    References
    ----------
    S23, point 1 of "what the slides leave out". J. Peters and S. Schaal, "Natural actor-critic",
    *Neurocomputing* 71, 2008, section 4.2. P. S. Thomas, "Bias in natural actor-critic algorithms", *ICML*,
    2014, for the bias.

    Examples
    --------
    On the "one knob" of cost 1.15, one action pays 1 and then -1.15: the natural gradient is
    (1 - 0.9 * 1.15) / 1.9. With 0.81 in the place of 0.9 the sign is another.

    >>> from pgtlab.gallery import one_knob
    >>> mdp, policy = one_knob(1.15)
    >>> [nac.fixed_point(mdp, policy).round(6).item() for nac in (EpisodicNAC(), CorrectedEpisodicNAC())]
    [0.037845, -0.018421]
    """

    def _fixed_point(self, mdp, policy):
        # The values are those of the problem, the visits those at the discount gamma^2.
        A = advantages(mdp, policy)
        # Where that underflows it is next to nothing: 0 would say that nobody gets beyond the first state.
        squared = max(mdp.discount**2, np.finfo(np.float64).tiny) if mdp.discount else 0.0
        return chain(replace(mdp, discount=squared), policy).score_fit(policy, A)

    def _fit(self, paths):
        _, discounted, returns = _sums(paths)
        if isinstance(paths.horizon, GeometricHorizon):
            raise ValueError(
                "paths have a random horizon; expected paths to the end or to a fixed horizon, or "
                "CorrectedEpisodicNAC, which takes both"
            )
        return _slopes(discounted, discounted, returns)


@dataclass(frozen=True, eq=False)
class CorrectedEpisodicNAC(Critic):
    r"""Episodic natural actor-critic with the sum of the undiscounted scores as instrument.

    .. math::

        \sum_n \begin{pmatrix} \sum_t \mathrm{SC}_t \\ 1 \end{pmatrix}
        \Big( \sum_t \gamma^t r_t - w \cdot \sum_t \gamma^t \mathrm{SC}_t - c \Big) = 0

    **Condition.** None: the limit is the natural gradient, for every problem and every discount, since

    .. math::

        E\Big[ \sum_t \mathrm{SC}_t \sum_j \gamma^j \mathrm{SC}_j^\top \Big] = \mathrm{FIM}, \qquad
        E\Big[ \sum_t \mathrm{SC}_t \sum_j \gamma^j r_j \Big] = \frac{\partial J}{\partial \theta}.

    Notes
    -----
    Given the past, a score has mean 0. Of the first product only t = j is left; in the second, what was
    earned before t drops out, and :math:`\sum_{j \ge t} \gamma^j r_j` has the mean
    :math:`\gamma^t Q^\pi(s_t, a_t)`. Of rare directions the same is true as for `EpisodicNAC`.

    References
    ----------
    Point 1 of "what the slides leave out". P. S. Thomas, "Bias in natural actor-critic algorithms", *ICML*,
    2014, for the first unbiased natural actor-critics of the discounted return.

    Examples
    --------
    >>> from pgtlab.gallery import one_knob
    >>> from pgtlab.rollouts import rollout
    >>> mdp, policy = one_knob(1.15)
    >>> paths = rollout(mdp, policy, n_episodes=100_000, rng=np.random.default_rng(0))
    >>> CorrectedEpisodicNAC().fit(paths) < 0 < EpisodicNAC().fit(paths)
    array([ True])
    """

    def _fixed_point(self, mdp, policy):
        return compatible_weights(mdp, policy)

    def _fit(self, paths):
        return _slopes(*_sums(paths))


def _sums(paths):
    """Return, for each episode, the sum of its scores, that of its weighted scores, and its return."""
    reader, everyone = sampled.Reader(paths), slice(None)
    plain = discounted = 0.0
    for t in range(paths.n_steps):
        x = reader.scores(t, everyone)
        plain = plain + x
        # A weight at the later of two times is unbiased for their product: with the score at t and the reward
        # or the score at j > t it is that of j. The products with j < t have mean 0 under any weight.
        discounted = discounted + reader.weights[t] * x
    return plain, discounted, reader.rewards.sum(0)


def _slopes(instruments, regressors, targets):
    """Return the slopes of the line through the targets, whose residuals the instruments do not see."""
    one = np.ones((len(targets), 1))
    Z, X = np.concatenate([instruments, one], axis=1), np.concatenate([regressors, one], axis=1)
    # Columns of the same size: products of late and rare scores would underflow.
    Z, X = (each / np.where(each.any(0), np.abs(each).max(0), 1.0) for each in (Z, X))
    unit = np.where(regressors.any(0), np.abs(regressors).max(0), 1.0)
    return least_norm(Z.T @ X, Z.T @ targets, np.diag(1 / np.append(unit, 1.0)))[:-1]
