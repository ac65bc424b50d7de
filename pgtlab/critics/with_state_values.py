"""Owns the critics that learn state values beside the score: V + SC . w by TD(0), and LSTD-Q(lambda)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pgtlab import _validate
from pgtlab.critics import sampled
from pgtlab.critics.critic import Learner, OfSteps
from pgtlab.critics.least_squares import compatible_weights
from pgtlab.exact.chains import chain
from pgtlab.exact.contrasts import FEWEST_VISITS, visited
from pgtlab.exact.regression import Directions
from pgtlab.exact.values import advantages, state_values
from pgtlab.exact.visits import state_visitation
from pgtlab.features.given import kept_features
from pgtlab.features.linear import TableFeatures, of_states
from pgtlab.quadratic import Quadratic

#: Condition number, in the 1-norm, up to which the equations of the state values are solved.
_WELL_POSED = 1e10


class WithStateValues(OfSteps):
    r"""Critic with state values :math:`V_v = \phi \cdot v` beside the score."""

    def state_values(self, mdp, policy):
        r"""State values :math:`V_v` in the limit of many paths.

        Parameters
        ----------
        mdp : FiniteMDP or LinearQuadraticMDP
        policy : FinitePolicy or LinearGaussianPolicy
            Or a batch of policies.

        Returns
        -------
        ndarray, shape (..., S), or Quadratic
            In units of reward.

        Raises
        ------
        ValueError
            As for `fixed_point`.
        TypeError
            If an argument is of the wrong type.
        """
        return _fixed_values(mdp, policy, self.state_features, self._decay)

    def bias(self, mdp, policy):
        r"""What the state features cost, the expectation in the condition above.

        Parameters
        ----------
        mdp : FiniteMDP or LinearQuadraticMDP
        policy : FinitePolicy or LinearGaussianPolicy
            Or a batch of policies.

        Returns
        -------
        ndarray, shape (..., K)
            :math:`\mathrm{FIM} \cdot w - \partial J / \partial \theta` at the fixed point w, which is the
            natural gradient if and only if this is 0.

        Raises
        ------
        ValueError
            As for `fixed_point`.
        TypeError
            If an argument is of the wrong type.
        """
        return _bias(mdp, policy, self.state_features, self._decay)

    def __post_init__(self):
        kept = kept_features("state_features", self.state_features, "(S, M)")
        object.__setattr__(self, "state_features", kept)

    def _fixed_point(self, mdp, policy):
        return _fixed_weights(mdp, policy, self.state_features, self._decay)

    def _reader(self, paths):
        return sampled.JointReader(paths, self.state_features)

    def _step(self, reader, t, episodes):
        (phi, following), scores = reader.step(t, episodes), reader.scores(t, episodes)
        x = np.concatenate([phi, scores], axis=1)
        # The state that follows is known once the step is made, and has the weight of the step.
        return x, reader.weights[t] * np.concatenate([phi - following, scores], axis=1)


@dataclass(frozen=True, eq=False)
class ValueAndScore(WithStateValues, Learner):
    r"""Critic :math:`V(s; v) + \mathrm{SC}(s, a) \cdot w`, learned by TD(0) on the joint features.

    .. math::

        \delta_t &= r_t + \gamma \big( \phi_{t+1} \cdot v + \mathrm{SC}_{t+1} \cdot w \big)
        - \phi_t \cdot v - \mathrm{SC}_t \cdot w, \\
        v &\mathrel{+}= \alpha \gamma^t \delta_t \phi_t, \qquad
        w \mathrel{+}= \alpha \gamma^t \delta_t \mathrm{SC}_t

    with :math:`\phi_t = \phi(s_t)`, and features and scores of 0 after the end. It is still compatible:
    the derivative in w is the score.

    **Condition.** The limit is the natural gradient if and only if
    :math:`E_{\rho, \pi}[\mathrm{SC} \, \gamma P (V_v - V^\pi)] = 0` at the fixed point v, see `bias`; so
    whenever :math:`V^\pi` is in the span of the state features.

    Parameters
    ----------
    state_features : "tabular", array_like of shape (S, M), or callable, optional
        :math:`\phi`. For the linear-quadratic problem a function of x that returns (..., M). Left out,
        features that span :math:`V^\pi`: "tabular", one for each state, or :math:`x^2` and 1 on the real
        line.

    Raises
    ------
    ValueError
        If the features are another word, no table (S, M), or not finite.
    TypeError
        If they are neither numbers nor a function.

    Notes
    -----
    Given the state, a score has mean 0, so the equations come apart:
    :math:`E_\rho[\phi (\phi - \gamma P_\pi \phi)^\top] v = E_\rho[\phi \, r_\pi]`, the fixed point of TD(0)
    for V alone, and then :math:`\mathrm{FIM} \cdot w = E_{\rho, \pi}[\mathrm{SC} \, (R + \gamma P V_v)]`.

    References
    ----------
    S20 (20.2), S23 (23.3), points 1 and 10 of "what the slides leave out".

    Examples
    --------
    On "now or later" the state that pays 10 has to be told from the other.

    >>> from pgtlab.gallery import now_or_later
    >>> mdp, policy = now_or_later()
    >>> ValueAndScore().fixed_point(mdp, policy).round(6)
    array([8.])

    With one constant for both, v solves (1.45 - 0.45) v = 0.5 + 4.5, so later is worth 0.9 * 5 against 1 now.

    >>> coarse = ValueAndScore(state_features=[[1.0], [1.0]])
    >>> coarse.fixed_point(mdp, policy).round(6), coarse.bias(mdp, policy).round(6)
    (array([3.5]), array([-1.125]))
    """

    state_features: object = None

    def _step(self, reader, t, episodes):
        x, difference = super()._step(reader, t, episodes)
        later = reader.weights[t + 1] * reader.scores(t + 1, episodes)
        difference[:, -later.shape[-1] :] -= later
        return x, difference


@dataclass(frozen=True, eq=False)
class LSTDQ(WithStateValues):
    r"""LSTD-Q(:math:`\lambda`): least squares temporal differences on state features and score together.

    With :math:`x_t = (\phi(s_t), \mathrm{SC}_t)` and :math:`\tilde x_t = (\phi(s_{t+1}), 0)`, 0 after the
    end,

    .. math::

        z_t = \gamma \lambda z_{t-1} + \gamma^t x_t, \qquad
        \sum_t z_t \, (x_t - \gamma \tilde x_t)^\top \begin{pmatrix} v \\ w \end{pmatrix} = \sum_t z_t r_t

    **Condition.** The limit is the natural gradient if and only if `bias` is 0,

    .. math::

        \gamma (1 - \lambda) \, E_{\rho, \pi}\big[
        \mathrm{SC} \, P (I - \gamma \lambda P_\pi)^{-1} (V_v - V^\pi) \big] = 0 :

    always for :math:`\lambda = 1`, and for every :math:`\lambda` if :math:`V^\pi` is in the span of the state
    features. This is the form with :math:`\gamma^t` at each visit; the published one has none, see the notes.

    Parameters
    ----------
    lam : float
        :math:`\lambda` in [0, 1].
    state_features : "tabular", array_like of shape (S, M), or callable, optional
        As for `ValueAndScore`.

    Raises
    ------
    ValueError
        If `lam` is outside [0, 1], or the features are another word, no table (S, M), or not finite.
    TypeError
        If `lam` is not a number, or the features are neither numbers nor a function.

    Notes
    -----
    With :math:`\beta = \gamma \lambda` and :math:`U_v = (I - \beta P_\pi)^{-1} (I - \gamma P_\pi) V_v`, the
    equations are :math:`E_\rho[\phi \, (U_v - V^{(\beta)})] = 0`, LSTD(:math:`\lambda`) for V alone, and
    :math:`\mathrm{FIM} \cdot w = E_{\rho, \pi}[\mathrm{SC} \, (Q^{(\beta)} + \gamma P V_v - \beta P U_v)]`.
    For :math:`V_v = V^\pi` the bracket is :math:`R + \gamma P V^\pi = Q^\pi`.

    As published, every visit counts the same, without :math:`\gamma^t`. Then the limit is another, even with
    :math:`V^\pi` in the span, and whatever :math:`\lambda`: with exact state values the errors have mean 0
    given the past, so that of the trace only :math:`x_t` is left, and w solves
    :math:`\sum_t E[\mathrm{SC}_t \, (A^\pi - \mathrm{SC}_t \cdot w)] = 0`. On the "one knob" of cost c that
    is (1 - c)/2 in the place of (1 - 0.9 c)/1.9: for c = 1.05 the sign is wrong.

    References
    ----------
    S23, point 1 of "what the slides leave out". J. Peters and S. Schaal, "Natural actor-critic",
    *Neurocomputing* 71, 2008, section 4.1. P. S. Thomas, "Bias in natural actor-critic algorithms", *ICML*,
    2014, for the missing :math:`\gamma^t` and the first unbiased versions.

    Examples
    --------
    One constant for both states of "now or later": the larger :math:`\lambda`, the less does it matter. At
    1/2 the constant solves (0.775 + 0.45) v = 2.75 + 4.5, and later is worth 0.45 * 10 + 0.45 v.

    >>> from pgtlab.gallery import now_or_later
    >>> critics = [LSTDQ(lam, state_features=[[1.0], [1.0]]) for lam in (0.0, 0.5, 1.0)]
    >>> [critic.fixed_point(*now_or_later()).round(6).item() for critic in critics]
    [3.5, 6.163265, 8.0]
    """

    lam: float
    state_features: object = None

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "lam", _validate.in_unit_interval("lam", self.lam))

    @property
    def _decay(self):
        return self.lam


# --- exact -------------------------------------------------------------------------------------------


def _fixed_weights(mdp, policy, features, lam):
    if _features(mdp, features).is_complete or lam == 1:
        # V_v = V, or U_v = V_v: what is left is R + gamma P V = Q.
        return compatible_weights(mdp, policy)
    near = replace(mdp, discount=mdp.discount * lam)
    V_v = _fixed_values(mdp, policy, features, lam)
    U_v = _summed(near, policy, _step_ahead(mdp, policy, V_v))
    # Q at beta + gamma P V_v - beta P U_v, but for what depends on the state alone.
    values = advantages(near, policy) + _change(mdp, V_v) - _change(near, U_v)
    return chain(mdp, policy).score_fit(policy, values)


def _fixed_values(mdp, policy, features, lam):
    V, phi = state_values(mdp, policy), _features(mdp, features)
    if isinstance(V, Quadratic):
        return V
    rho = state_visitation(mdp, policy)
    if phi.is_complete:
        # V itself solves the equations, and what is not visited has none.
        return np.where(rho > 0, V, 0.0)
    phi, near = phi.matrix, replace(mdp, discount=mdp.discount * lam)
    U = [_summed(near, policy, _step_ahead(mdp, policy, np.broadcast_to(each, V.shape))) for each in phi.T]
    right = np.stack([*U, _summed(near, policy, chain(mdp, policy).reward)], axis=-1)
    here, V_v = visited(mdp, policy, rho), np.empty(V.shape)
    for at in np.ndindex(V.shape[:-1]):
        V_v[at] = phi @ _projected(phi, right[at], rho[at], here[at])
    return V_v


def _projected(phi, right, rho, here):
    """Return v (d,) of least norm with E_rho[phi (U v - V)] = 0; `right` (S, d + 1) is U with V beside it."""
    phi, right, rho = phi[here], right[here], rho[here]
    directions = Directions(phi)
    if not directions.basis.shape[1]:
        return np.zeros(phi.shape[1])
    known = rho >= FEWEST_VISITS
    logs = np.where(known, np.log(np.where(known, rho, 1.0)), -np.inf)
    matrix, right, back = directions.solved(phi, right, logs)
    condition = np.linalg.cond(matrix, 1)
    if not condition <= _WELL_POSED:
        raise ValueError(
            f"the equations of the state values have the condition number {condition:.2g}, and their "
            "solution few digits; expected state features of which none is nearly a combination of the others"
        )
    return directions.least(back @ np.linalg.solve(matrix, right))


def _bias(mdp, policy, features, lam):
    # Whether the two go together.
    chain(mdp, policy)
    if _features(mdp, features).is_complete:
        return np.zeros(policy.parameters.shape)
    rho = state_visitation(mdp, policy)
    error = _fixed_values(mdp, policy, features, lam) - state_values(mdp, policy)
    near = replace(mdp, discount=mdp.discount * lam)
    error = _summed(near, policy, np.where(rho > 0, error, 0.0))
    return chain(mdp, policy).score_mean(policy, mdp.discount * (1 - lam) * mdp.next_values(error))


def _change(mdp, values):
    r"""Return :math:`\gamma P v - v`, (..., S, A), as a sum of differences, in which no constant cancels."""
    S, A = mdp.reward.shape
    here = values[..., None]
    if mdp.is_sparse:
        rows = mdp.transition
        pair = np.repeat(np.arange(S * A), np.diff(rows.indptr))
        changes = rows.data * (values[rows.indices] - values[pair // A])
        inside = np.bincount(pair, changes, minlength=S * A).reshape(S, A)
    else:
        inside = (mdp.transition @ (values[..., None, :] - here)[..., None])[..., 0]
    return mdp.discount * (inside - mdp.ending * here) - (1 - mdp.discount) * here


def _step_ahead(mdp, policy, values):
    """Return (I - gamma P_pi) v, shape (..., S)."""
    return -np.vecdot(policy.probs(), _change(mdp, values))


def _summed(near, policy, values):
    """Return (I - discount P_pi)^-1 v; 0 where it does not exist, and nobody gets to."""
    summed = chain(near, policy).solve(values)
    return np.where(np.isnan(summed), 0.0, summed)


def _features(mdp, features):
    """Return features whose span is known: all, or that of a table."""
    phi = of_states(mdp, "state_features", features)
    if not (phi.is_complete or isinstance(phi, TableFeatures)):
        raise ValueError(
            "state_features is a function; for the linear-quadratic problem the fixed point has a closed "
            "form without it only, that is with x^2 and 1"
        )
    return phi
