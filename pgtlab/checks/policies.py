"""Owns the check of a policy class: what the theorem takes for granted of probabilities and scores."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.checks import fold
from pgtlab.checks.agreement import because, columns
from pgtlab.checks.looking import equal, look, parameters, require

#: Step of the difference quotients, and how far a score may be from one, in shares of it or of 1.
_STEP, _NEAR = 1e-4, 1e-6

#: How the second policy that is looked at is called.
_ELSEWHERE = "with_parameters(p)."


def sound_policy(policy, *, states=None):
    r"""Check that a policy is what the policy gradient theorem takes it for, and show what was checked.

    Probabilities are at least 0 and sum to 1 in each state; scores are the slopes of the logarithms of the
    probabilities, and have mean 0 in each state,

    .. math::

        \mathrm{SC}(s, a) = \frac{\partial \log \pi(s, a; \theta)}{\partial \theta}, \qquad
        \sum_a \pi(s, a; \theta) \, \mathrm{SC}(s, a) = 0;

    `log_prob`, `score`, `score_sum` and `density`, where the policy has them, say the same; and
    `with_parameters` gives the policy at other parameters and leaves the first as it is, for one vector and,
    if the class takes them, for a batch.

    Parameters
    ----------
    policy : object
        With finitely many states and actions: `parameters` (K,), `probs`, `scores` and `with_parameters`, as
        a `FinitePolicy` has them. On the real line: `parameters` (K,), `log_prob`, `score` and
        `with_parameters`, as a `LinearGaussianPolicy` has them.
    states : array_like, shape (N,), optional
        For a policy on the real line, the states in which it is looked at.

    Raises
    ------
    AssertionError
        If one of these does not hold: with the place, what was found, what was expected and a likely cause.
    TypeError
        If an attribute is missing.
    ValueError
        If the policy is a batch, `states` is not an array of finite numbers, or a parameter is above 4e5 in
        size.

    Notes
    -----
    Everything is looked at twice, at the policy's own parameters and at others near by. Slopes are
    differences of fourth order with step 1e-4 and must be met within 1e-6; an action of probability 0 has
    none. A density is integrated by the trapezoidal rule on a scale that is fitted to its peak: it should
    have one peak and no jumps, and totals are met within 1e-4. Cost: 8 K evaluations of the policy.

    References
    ----------
    S8, S9 (9.2). R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, section 13.1.

    Examples
    --------
    >>> from pgtlab import SoftmaxPolicy
    >>> sound_policy(SoftmaxPolicy([[[1.0], [0.0]]], [0.5]))
    parameters       1
    probabilities    at least 0, and 1 in sum in each state (of 1)
    scores           the slopes of the logarithms, and 0 on average in each state
    with_parameters  gives a new policy and leaves the old one as it was
    batches          say the same as their policies one by one

    The score of a softmax is the feature *minus its mean*. Without that:

    >>> from pgtlab.checks import caught
    >>> class NotCentred(SoftmaxPolicy):
    ...     def scores(self):
    ...         return self.features
    >>> with caught():
    ...     sound_policy(NotCentred([[[1.0], [0.0]]], [0.0]))
    caught: the mean of scores()[0, :, 0] under the policy is 0.5; expected 0.
    Likely cause: the score is not centred: its mean over the actions, weighted
    by the policy, is to be taken off in each state
    """
    theta = parameters(policy)
    view = look(policy, states)
    view.check_type(policy)
    # A shift of another size for each parameter, so that no two can stand in for each other unseen.
    elsewhere = theta + 0.2 * np.cos(np.arange(len(theta)))
    other = _moved(view, policy, elsewhere)
    n_states = _check_probabilities(view, policy, "")
    first = _check_scores(view, policy, theta, "")
    view.check_methods(policy, "")
    there = look(other, states)
    _check_probabilities(there, other, _ELSEWHERE)
    _check_scores(there, other, elsewhere, _ELSEWHERE, stale=first)
    there.check_methods(other, _ELSEWHERE)
    batches = _batches(view, policy, (theta, elsewhere))
    rows = {
        "parameters": f"{len(theta)}",
        "probabilities": f"{view.sums} in each state (of {n_states})",
        "scores": "the slopes of the logarithms, and 0 on average in each state",
        "with_parameters": "gives a new policy and leaves the old one as it was",
        "batches": batches,
    }
    fold.show(f"a sound policy: {fold.listed(rows)} are what they should be", columns(rows))


def _moved(view, policy, values):
    """Return the policy at other parameters; raise unless it is one, and the old one is as it was."""
    theta, before = parameters(policy), view.probabilities(policy)
    given = values.copy()
    other = policy.with_parameters(given)
    require(other, ("parameters",))
    told = _validate.numbers("with_parameters(p).parameters", other.parameters)
    if not np.array_equal(told, values):
        cause = "it returns the policy itself" if other is policy else "it does not keep what it is given"
        raise AssertionError(f"with_parameters(p).parameters is {told} but p is {values}{because(cause)}")
    if not (np.array_equal(policy.parameters, theta) and _same(view.probabilities(policy), before)):
        raise AssertionError(
            "with_parameters changed the policy that it was called on; expected a new policy, and the old "
            "one as it was. Likely cause: it writes to self, or to an array that both policies share"
        )
    before = view.probabilities(other, _ELSEWHERE)
    # What the caller does to the array afterwards is no business of the policy.
    given += 1.0
    if not (np.array_equal(other.parameters, values) and _same(view.probabilities(other), before)):
        raise AssertionError(
            "with_parameters(p) changes when p is written to afterwards; expected a policy that never "
            "changes. Likely cause: it keeps the array of the caller; take np.array(p), which is a copy"
        )
    return other


def _check_probabilities(view, policy, where):
    """Raise unless there is a distribution in each state; return the number of states."""
    probs = view.probabilities(policy, where)
    at = _validate.first(~(probs >= 0))
    if at:
        raise AssertionError(
            f"{view.name(where, *at)} is {probs[at]:.6g}; expected at least 0. Likely cause: weights that "
            "were never made positive, or 1 minus something above 1"
        )
    totals = probs.sum(-1)
    at = _validate.first(~(np.abs(totals - 1) <= view.within))
    if at:
        raise AssertionError(
            f"{view.name(where, *at, ':')} has the total {totals[at]:.12g}; expected 1 within "
            f"{view.within:g}. Likely cause: not divided by the total over the actions of the state"
        )
    return len(probs)


def _check_scores(view, policy, theta, where, stale=None):
    """Raise unless the scores are the slopes; return them. `stale` are those at other parameters."""
    probs, scores = view.probabilities(policy, where), view.scores(policy)
    expected = (*probs.shape, len(theta))
    if scores.shape != expected:
        raise AssertionError(
            f"{where}scores have shape {scores.shape}; expected {expected}: for each state and action a "
            "number for each parameter"
        )
    at = _validate.first(np.spacing(np.abs(theta)) > _NEAR * _STEP)
    if at:
        raise ValueError(
            f"{where}parameters{_validate.subscript(at)} is {theta[at]:g}: beside it the steps of {_STEP:g}, "
            "by which slopes are measured, are lost in rounding; expected at most 4e5 in size"
        )
    slopes = np.stack([_slope(view, policy, theta, each) for each in np.eye(len(theta))], axis=-1)
    # Actions that are never taken have no slope; far out in the tails only rounding is left of one.
    counted = (probs > 1e-12 * probs.max()) & np.isfinite(slopes).all(-1)
    weights = np.where(counted, probs, 0.0)
    scores, slopes = (np.where(counted[..., None], each, 0.0) for each in (scores, slopes))
    cause = _cause(scores, slopes, weights, stale)
    mean = np.einsum("sa,sak->sk", weights, scores)
    spread = np.sqrt(np.einsum("sa,sak->sk", weights, scores**2))
    at = _validate.first(~(np.abs(mean) <= view.within * np.maximum(1.0, spread)))
    if at:
        s, k = at
        raise AssertionError(
            f"the mean of {view.score_name(where, s, ':', k)} under the policy is {mean[at]:.6g}; expected 0"
            f"{because(cause)}"
        )
    at = _validate.first(~(np.abs(scores - slopes) <= _NEAR * np.maximum(1.0, np.abs(slopes))))
    if at:
        raise AssertionError(
            f"{view.score_name(where, *at)} is {scores[at]:.6g} but the slope of the logarithm in "
            f"parameters[{at[-1]}] is {slopes[at]:.6g}{because(cause)}"
        )
    return scores


def _slope(view, policy, theta, direction):
    def logs(steps):
        return view.logs(policy.with_parameters(theta + steps * _STEP * direction))

    # An action of probability 0 has the slope infinity minus infinity, NaN.
    with np.errstate(invalid="ignore"):
        return (8 * (logs(1) - logs(-1)) - (logs(2) - logs(-2))) / (12 * _STEP)


def _cause(scores, slopes, probs, stale):
    """Return the first of the usual mistakes that would have given these scores."""

    def alike(left, right):
        return bool(np.all(np.abs(left - right) <= 1e-5 * np.maximum(1.0, np.abs(slopes))))

    taken = (probs > 0)[..., None]
    excess = np.einsum("sa,sak->sk", probs, scores - slopes)[:, None, :]
    squares = (slopes * slopes).sum()
    factor = (scores * slopes).sum() / squares if squares else 0.0
    if alike(slopes, 0.0):
        return (
            "the probabilities do not follow the parameters: with_parameters keeps what was computed before"
        )
    if alike(scores, 0.0):
        return "the scores are 0 everywhere"
    if stale is not None and stale.shape == scores.shape and alike(scores, stale):
        return "the scores do not follow the parameters: with_parameters keeps what was computed before"
    if alike(scores, probs[..., None] * slopes):
        return "this is the slope of the probability, not of its logarithm: divide by the probability"
    if alike(scores, slopes + np.where(taken, excess, 0.0)):
        return (
            "the score is not centred: its mean over the actions, weighted by the policy, is to be taken off "
            "in each state"
        )
    if alike(scores, factor * slopes):
        return f"a factor of {factor:.3g} too much, such as a sign or a temperature"
    return "a slip in the derivative, or scores at other parameters than the probabilities"


def _batches(view, policy, vectors):
    """Raise unless a batch, if the class takes one, says the same as its policies; return what was found."""
    none = "are not taken: one policy at a time"
    try:
        together = view.read(policy.with_parameters(np.stack(vectors)))
    # A class that does not take batches may do with one what it likes.
    except Exception:
        return none
    alone = np.stack([view.read(policy.with_parameters(each)) for each in vectors])
    if together.shape != alone.shape:
        return none
    equal("what a batch says", together, "what its policies say one by one", alone)
    return "say the same as their policies one by one"


def _same(left, right):
    return left.shape == right.shape and np.array_equal(left, right, equal_nan=True)
