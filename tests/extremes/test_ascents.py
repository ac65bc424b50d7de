"""Ascents from and to the edge: J never falls along an exact natural direction, and is what it says."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from mpmath import mpf

from pgtlab import (
    ExactNaturalActorCritic,
    GradientAscent,
    HoldFixed,
    MonteCarlo,
    NaturalGradientAscent,
    ascend,
)
from tests.extremes import problems
from tests.extremes.exact import Exact

NATURAL = {
    "natural gradient": NaturalGradientAscent(),
    "critic": ExactNaturalActorCritic(MonteCarlo()),
}


def climbed(row, rule, step_size, n_steps):
    """Return the run, and whether it says in words why it ended; a warning without words is an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*The run holds what was done", category=RuntimeWarning)
        return ascend(row.mdp, row.policy, rule=rule, step_size=step_size, n_steps=n_steps)


def assert_exact(row, run, within):
    """Hold the last J of a run against the exact one at its parameters."""
    parameters = run.parameters[-1]
    assert np.abs(parameters).max() < 1e4, run
    right = Exact(*row.exact.raw[:5], parameters, parameters).J
    assert abs(mpf(float(run.returns[-1])) - right) <= within * max(abs(right), mpf(1e-300)), run


def falls(run):
    """Return by how much J falls in the worst step, as a share of the range it has gone through."""
    span = np.ptp(run.returns) or 1.0
    return max(0.0, -np.diff(run.returns).min(initial=0.0) / span)


def start(name, **changes):
    problem = {
        "plateau": problems.plateau(name, np.zeros((2, 2))),
        "frozen": problems.frozen(name, np.zeros((2, 2))),
        "odds": problems.plateau(name, np.zeros(2), problems.ODDS),
    }
    return problem[name]


#: The start, the size of a step, the number of steps, and the best return by hand: switch once and stay for
#: ever, .9 * 2 / (1 - .9) = 18; go once and stay for ever, .9 / (1 - .9) = 9.
CLIMBS = [
    ("plateau", 1.0, 60, 18),
    ("plateau", 500.0, 20, 18),
    ("odds", 1.0, 60, 18),
    ("frozen", 1000.0, 20, 9),
    ("frozen", 5000.0, 20, 9),
    ("frozen", 1e4, 20, 9),
]


@pytest.mark.parametrize("rule", NATURAL)
@pytest.mark.parametrize(("name", "step_size", "n_steps", "best"), CLIMBS)
def test_a_natural_ascent_reaches_the_best_and_never_falls(rule, name, step_size, n_steps, best):
    run = climbed(start(name), NATURAL[rule], step_size, n_steps)
    assert falls(run) <= 1e-9
    assert run.stopped or run.returns[-1] == pytest.approx(best, rel=1e-9), run


#: Of other policies the return may fall; values near discount 1 have too few digits to tell.
TABULAR = [row for row in problems.FINITE if row.features is None and row.discount < 1 - 1e-7]


@pytest.mark.parametrize("rule", NATURAL)
@pytest.mark.parametrize("row", TABULAR, ids=str)
def test_from_the_edge_a_natural_step_of_a_tabular_policy_does_not_fall(row, rule):
    run = climbed(row, NATURAL[rule], 1.0, 5)
    assert falls(run) <= 1e-9, run.returns
    assert_exact(row, run, mpf(1e-9))


@pytest.mark.parametrize("step_size", [1e-3, 1.0, 100.0])
def test_a_gradient_ascent_says_what_it_is_at(step_size):
    row = start("plateau")
    run = climbed(row, GradientAscent(), step_size, 20)
    assert_exact(row, run, mpf(1e-12))
    held = climbed(row, HoldFixed(GradientAscent(), held=(0, 1)), step_size, 20)
    np.testing.assert_array_equal(held.parameters[:, :2], 0.0)
