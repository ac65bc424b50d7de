"""Owns how far the second routes reach: plain sums and difference quotients, in double precision."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.exact.contrasts import visited
from pgtlab.exact.visits import state_visitation

#: Least share of the commonest action's visits that a sum still sees.
_SELDOM = 1e-8

#: Largest score, for the steps of a difference quotient.
_STEEP = 100.0

#: Least share of what the parameters change most by which some direction of them may change the scores.
_FLAT = 1e-6

#: Answers of a tree, of which groups of four are enumerated.
_MOST_ANSWERS = 64

#: Mean square of the state of the linear-quadratic problem whose fourth power is a number, above and below.
_FAR = 1e60


def check_finite(routes):
    """Raise ValueError where the second routes of a finite problem have not the digits asked for."""
    mdp, policy = routes.mdp, routes.policy
    rho = state_visitation(mdp, policy)
    counted = visited(mdp, policy, rho)[:, None] & np.isfinite(policy.log_probs())
    weights = rho[:, None] * policy.probs()
    seldom = _validate.first(counted & (weights < _SELDOM * weights.max()))
    if seldom is not None:
        s, a = seldom
        raise ValueError(
            f"action {a} in state {s} is taken {weights[seldom]:.2g} times, another {weights.max():.2g} "
            f"times: plain sums do not see the first. Expected a share of at least {_SELDOM:g}"
        )
    _check_steepness(np.abs(policy.scores()[counted]).max(initial=0.0))
    X, _ = routes.regression(routes.reward)
    singular = np.linalg.svd(np.linalg.qr(X, mode="r"), compute_uv=False)
    share = singular / singular.max(initial=np.finfo(float).tiny)
    flat = share[(share > 1e-14) & (share < _FLAT)]
    if flat.size:
        raise ValueError(
            f"a direction of the parameters changes the policy {flat[0]:.2g} times as much as another: a fit "
            f"by plain least squares has too few digits. Expected a share of at least {_FLAT:g}, or of 0"
        )


def check_gaussian(routes):
    """Raise the same for the linear-quadratic problem."""
    rho = state_visitation(routes.mdp, routes.policy)
    mean_square = rho.second_moment / rho.mass
    if not 1 / _FAR < mean_square < _FAR:
        raise ValueError(
            f"the mean square of the state is {mean_square:.2g}; expected one from {1 / _FAR:g} to {_FAR:g}, "
            "or its higher powers are no numbers"
        )
    _check_steepness(np.sqrt(mean_square) / float(routes.policy.std))


def check_tree(routes):
    """Raise the same for a token tree."""
    if len(routes.lengths) > _MOST_ANSWERS:
        raise ValueError(
            f"the tree has {len(routes.lengths)} answers: groups of four are too many to weigh one by one. "
            f"Expected at most {_MOST_ANSWERS}"
        )
    q, n = np.unravel_index(routes.P.argmin(), routes.P.shape)
    if routes.P[q, n] < _SELDOM:
        said = " ".join(map(str, routes.tree.answers[n]))
        raise ValueError(
            f"the answer '{said}' to question {q} has the probability {routes.P[q, n]:.2g}: plain sums and "
            f"ratios do not see it. Expected at least {_SELDOM:g}"
        )
    _check_steepness(np.abs(routes.policy.scores()).max())


def _check_steepness(score):
    if score > _STEEP:
        raise ValueError(
            f"a score is {score:.2g}: the steps of the difference quotients are too long for it. Expected at "
            f"most {_STEEP:g}; features in other units, or a larger standard deviation, would do"
        )
