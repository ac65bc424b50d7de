"""Owns the digits that are left of a sum: how large what was added up is beside what came out."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate

#: Rounding of an elimination, as a share of the sum of the sizes of what is added up.
_ROUNDED = 8 * np.finfo(float).eps

#: Error that is allowed, as a share of the result or of the largest reward: else the result is refused.
_ALLOWED = 1e-8

#: Values of this size or more would make sums of them overflow.
_LARGEST = 1e306


def changes(values, sizes):
    """Return v(p) - v(s) from state to state, (..., S, S), and the sizes of what was added up for it."""
    lost = sizes[..., None, :] + sizes[..., :, None]
    # From a state to itself nothing changes, and nothing is lost.
    np.einsum("...ss->...s", lost)[...] = 0.0
    return values[..., None, :] - values[..., :, None], lost


def mean_over_moves(mdp, moves):
    """Return sum_p P(s, a, p) m(s, p), (..., S, A), for numbers m (..., S, S) from state to state."""
    S, A = mdp.reward.shape
    rows = mdp.transition.toarray().reshape(S, A, S) if mdp.is_sparse else mdp.transition
    return (rows @ moves[..., None])[..., 0]


def in_range(values, reward):
    """Return `values`; raise ValueError where they come near the end of double precision."""
    # Where the sum of the squares is a number, too, nothing comes near: one pass instead of two.
    if not (np.vdot(values, values) < _LARGEST or np.abs(values).max() < _LARGEST):
        raise ValueError(
            f"values reach {_LARGEST:g} or more, from rewards of up to {np.abs(reward).max():.3g}: "
            "expected rewards whose sums stay far within double precision"
        )
    return values


def check_digits(what, values, sizes, reward, *, largest=False):
    """Raise ValueError where rounding may spoil more than 1e-8 of `values`, or of the largest reward.

    `sizes` are the sums of the sizes of what was added up. With `largest` the largest value is the measure.
    """
    scale = np.abs(values)
    scale = np.maximum(scale.max() if largest else scale, np.abs(reward).max())
    # Nothing is known of a NaN.
    lost = _ROUNDED * sizes > _ALLOWED * scale
    if lost.any():
        at = _validate.first(lost)
        raise ValueError(
            f"{what} is {values[at]:.3g}, from sums of size {sizes[at]:.3g} that cancel: fewer than 8 digits "
            f"are left, at index {_validate.subscript(at)}. Expected a smaller discount, or a policy under "
            "which the chain forgets its start sooner"
        )
