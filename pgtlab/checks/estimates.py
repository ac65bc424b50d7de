"""Owns the check of a sampled estimate against the exact value."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from pgtlab import _validate
from pgtlab.checks.agreement import because, show


def consistent(*, estimate, exact, false_alarm=1e-6, cause=None):
    r"""Print a sampled estimate beside the exact value and check that chance explains the difference.

    Parameters
    ----------
    estimate : Estimate
        Or anything else with `mean` and `standard_error`, of one shape, and `degrees_of_freedom`.
    exact : array_like
        The exact value, of the shape of ``estimate.mean``.
    false_alarm : float
        Chance that the check fails although the estimate is unbiased, in (0, 0.5).
    cause : str, optional
        A likely cause, to be said if the check fails.

    Raises
    ------
    AssertionError
        If a component is further from `exact` than chance would have it: with the place, both values, their
        distance in standard errors and the likely cause.
    ValueError
        If `false_alarm` is out of range.
    TypeError
        If `estimate` is not an estimate.

    Notes
    -----
    The bound is the quantile of Student's distribution with the estimate's degrees of freedom, the false
    alarm being shared out evenly over both sides of all components (Bonferroni). It supposes that means are
    close to normal: a few hundred episodes, or more if returns have heavy tails. A bias of twice the bound is
    missed with at most the same chance.

    References
    ----------
    G. Casella and R. L. Berger, *Statistical Inference*, 2nd edition, sections 5.3 and 11.2.

    Examples
    --------
    Four tosses of a coin with the values 1 and 0 show three times 1. The mean is 3/4, its standard error
    sqrt(3/16 / 3) = 1/4, so the fair value 1/2 is one standard error away.

    >>> from types import SimpleNamespace
    >>> tosses = SimpleNamespace(mean=0.75, standard_error=0.25, degrees_of_freedom=3)
    >>> consistent(estimate=tosses, exact=0.5, false_alarm=0.01)
    estimate        0.75
    standard error  0.25
    exact           0.5
    within 5.84 standard errors, as chance has it in all but 0.01 of such checks
    """
    if not 0 < _validate.number("false_alarm", false_alarm) < 0.5:
        raise ValueError(f"false_alarm is {false_alarm:g}; expected a number above 0 and below 0.5")
    mean, error, dof = _parts(estimate)
    exact = np.asarray(exact, dtype=np.float64)
    for name, value in (("standard_error", error), ("exact", exact)):
        if value.shape != mean.shape:
            raise AssertionError(
                f"estimate.mean has shape {mean.shape} but {name} has shape {value.shape}{because(cause)}"
            )
    bound = student_quantile(false_alarm / (2 * max(mean.size, 1)), dof)
    # Without any spread only rounding is allowed for.
    allowed = bound * error + 1e-12 * np.abs(exact)
    gap = np.abs(mean - exact)
    # Also true for NaN.
    wrong = ~(gap <= allowed)
    if wrong.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.where(wrong, gap / error, 0.0)
        at = np.unravel_index(np.argmax(np.where(np.isnan(distance), np.inf, distance)), mean.shape)
        place = _validate.subscript(tuple(map(int, at)))
        raise AssertionError(
            f"estimate{place} is {mean[at]:.4g} but exact{place} is {exact[at]:.4g}: they are "
            f"{distance[at]:.3g} standard errors of {error[at]:.3g} apart, and chance explains "
            f"{bound:.3g}{because(cause)}"
        )
    show({"estimate": mean, "standard error": error, "exact": exact}, digits=4)
    print(f"within {bound:.3g} standard errors, as chance has it in all but {false_alarm:g} of such checks")


def _parts(estimate):
    try:
        mean, error = estimate.mean, estimate.standard_error
        dof = float(estimate.degrees_of_freedom)
        mean, error = np.asarray(mean, dtype=np.float64), np.asarray(error, dtype=np.float64)
    except (AttributeError, TypeError, ValueError):
        raise TypeError(
            "estimate must have mean, standard_error and degrees_of_freedom, all numbers; "
            f"got {type(estimate).__name__}"
        ) from None
    if not dof > 0:
        raise ValueError(f"estimate.degrees_of_freedom is {dof:g}; expected a number above 0")
    return mean, error, dof


@lru_cache(maxsize=64)
def student_quantile(tail, dof):
    """Return the t beyond which Student's distribution has the mass `tail`, below 1/2."""
    low, high = 0.0, 1.0
    while _student_tail(high, dof) > tail:
        low, high = high, 2 * high
    # Halving 60 times leaves less than rounding.
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_tail(middle, dof) > tail else (low, middle)
    return high


def _student_tail(t, dof):
    """Return the mass of Student's distribution beyond t, to about 1e-9 of it."""
    # The integral of the density over x = t + exp(pi/2 sinh(y)), y real, by the trapezoidal rule.
    y, step = np.linspace(-4.0, 4.0, 801, retstep=True)
    beyond = np.exp(np.pi / 2 * np.sinh(y))
    x, slope = t + beyond, np.pi / 2 * np.cosh(y) * beyond
    if math.isinf(dof):
        log_density = -(x**2) / 2 - math.log(2 * math.pi) / 2
    else:
        # Gamma((n + 1) / 2) / (sqrt(n pi) Gamma(n / 2)) (1 + x^2 / n)^(-(n + 1) / 2)
        constant = math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2) - math.log(dof * math.pi) / 2
        log_density = constant - (dof + 1) / 2 * np.log1p(x**2 / dof)
    return float(step * (slope * np.exp(log_density)).sum())
