"""Owns the check of a sampled estimate against the exact value."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from pgtlab import _validate
from pgtlab.checks import fold
from pgtlab.checks.agreement import because, columns, written

#: Components of an estimate that still stand in the one line on a page.
_FEW = 3


def consistent(*, estimate, exact, false_alarm=1e-6, cause=None):
    r"""Check that chance explains the difference of a sampled estimate and the exact value; show both.

    Parameters
    ----------
    estimate : Estimate
        Or anything else with `mean` and `standard_error`, of one shape, and `degrees_of_freedom`; and with
        `event_size`, if what it rests on is rare.
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
        If `false_alarm` is out of range, or a standard error is infinite.
    TypeError
        If `estimate` is not an estimate.

    Notes
    -----
    The false alarm is shared out evenly over both sides of all components (Bonferroni), a tail
    :math:`\delta` for each. The bound is

    .. math:: t_\delta \, \mathrm{se} + \ln(1 / \delta) \, |b|

    with the quantile of Student's distribution for the estimate's degrees of freedom and, where the estimate
    has one, its `event_size` b. The first term is right for means that are close to normal. The second holds
    where they rest on a few rare events. Let an event add b to the mean and their number be Poisson with mean
    :math:`\lambda`. With k of them seen the estimate is k b and its standard error :math:`\sqrt k \, b`. The
    largest :math:`\lambda` under which so few are seen with a chance of :math:`\delta` is
    :math:`\ln(1 / \delta)` for k = 0, as :math:`e^{-\lambda} = \delta`, and below
    :math:`k + z_\delta \sqrt k + \ln(1 / \delta)` for every k. Where more events are seen than expected the
    standard error is larger than expected too, and the first term is enough. In a sample that is not skew b
    is near 0.

    Where fewer than 16 events were seen, b is the most that an episode could have given (see `Estimate`).
    Where every episode gave the same, a difference within :math:`\ln(1 / \delta) \, |b|` gets no verdict: it
    may come from what was too rare to be seen. What is that rare beside many other events that were seen
    cannot be told from a sample.

    A bias of twice the bound is missed with at most the same chance.

    References
    ----------
    G. Casella and R. L. Berger, *Statistical Inference*, 2nd edition, sections 5.3 and 11.2. F. Garwood,
    "Fiducial limits for the Poisson distribution", *Biometrika* 28, 1936.

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
    false_alarm = _validate.chance("false_alarm", false_alarm)
    mean, error, dof, size = _parts(estimate)
    exact = _validate.numbers("exact", exact)
    for name, value in (("standard_error", error), ("exact", exact)):
        if value.shape != mean.shape:
            raise AssertionError(
                f"estimate.mean has shape {mean.shape} but {name} has shape {value.shape}{because(cause)}"
            )
    tail = false_alarm / (2 * max(mean.size, 1))
    bound, events = student_quantile(tail, dof), -math.log(tail)
    # Without any spread only rounding is allowed for: in units of the largest exact number, and of 1 where
    # one of the two is 0 and nothing else tells what is small.
    still = error <= 1e-12 * np.abs(mean)
    unit = np.maximum(np.abs(exact).max(initial=0.0), (mean == 0) | (exact == 0))
    rounding = 1e-12 * np.where(still, unit, np.abs(exact))
    ordinary, rare = bound * error + rounding, events * np.broadcast_to(np.abs(size), mean.shape)
    gap = np.abs(mean - exact)
    # Also true for NaN.
    wrong = ~(gap <= ordinary + rare)
    if wrong.any():
        at = np.unravel_index(np.argmax(np.where(wrong, gap / (ordinary + rare), 0.0)), mean.shape)
        place = _validate.subscript(tuple(map(int, at)))
        raise AssertionError(
            f"estimate{place} is {mean[at]:.4g} but exact{place} is {exact[at]:.4g}: "
            f"{_too_far(gap[at], error[at], bound, rare[at])}{because(cause)}"
        )
    texts = written({"estimate": mean, "standard error": error, "exact": exact}, digits=4)
    verdicts, brief = [], []
    beyond = gap > ordinary
    unseen = np.count_nonzero(beyond & still)
    if unseen:
        where = f"for {unseen} of {mean.size} components" if mean.ndim else "here"
        verdicts.append(f"every episode gave the same {where}, so that what is rare was not seen: no verdict")
        brief.append(f"no verdict {where}")
    if unseen < max(mean.size, 1):
        of_events = f" and {events:.3g} rare events" if (beyond & ~still).any() else ""
        within = f"within {bound:.3g} standard errors{of_events}"
        verdicts.append(f"{within}, as chance has it in all but {false_alarm:g} of such checks")
        farthest = (gap[~still] / error[~still]).max(initial=0.0)
        off = f"{'at most ' if mean.size > 1 else ''}{farthest:.1f} standard errors from the exact value"
        brief.append(f"{off}, {bound:.3g}{of_events} allowed")
    shown = f" {texts['estimate']}" if mean.size <= _FEW else f" ({mean.size} numbers)"
    fold.show(f"estimate{shown}: {'; '.join(brief)}", "\n".join([columns(texts), *verdicts]))


def _too_far(gap, error, bound, rare):
    """Return in words that chance does not explain a gap."""
    if error == 0:
        return f"every episode gave the same, and chance explains a difference of {rare:.3g}"
    events = f" and a difference of {rare:.3g} by rare events" if rare > bound * error else ""
    return (
        f"they are {gap / error:.3g} standard errors of {error:.3g} apart, and chance explains "
        f"{bound:.3g}{events}"
    )


def _parts(estimate):
    try:
        mean, error = (
            _validate.numbers(name, getattr(estimate, name)) for name in ("mean", "standard_error")
        )
        size = _validate.numbers("event_size", getattr(estimate, "event_size", 0.0))
        dof = float(estimate.degrees_of_freedom)
    except (AttributeError, TypeError, ValueError):
        raise TypeError(
            "estimate must have mean, standard_error and degrees_of_freedom, all numbers; "
            f"got {type(estimate).__name__}"
        ) from None
    if not dof > 0:
        raise ValueError(f"estimate.degrees_of_freedom is {dof:g}; expected a number above 0")
    # An error without bound would agree with anything; NaN agrees with nothing.
    for name, value in (("standard_error", error), ("event_size", size)):
        at = _validate.first(np.isinf(value))
        if at is not None:
            raise ValueError(f"estimate.{name}{_validate.subscript(at)} is inf; expected a finite number")
    return mean, error, dof, size


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
