"""Every public function on problems at the edge: right to a stated tolerance, or a clear error.

The rows are in `problems`, the columns in `functions`, the right values in `exact` and
`exact_linear_quadratic`.
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from pathlib import Path

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import pgtlab
from pgtlab.slides import check_all
from tests.extremes import functions, problems
from tests.extremes.exact import DoesNotExist

PACKAGE = Path(pgtlab.__file__).parent

#: Below 1e-300 floats lose their digits and everything counts as 0; what overflows has no value.
SMALLEST, LARGEST, INFINITE = mpf("1e-300"), mpf(2) ** 1024, mpf("inf")


def expectation(row, column):
    """Return the exact value and the difference allowed, or None and the reason why there is no value."""
    with mpmath.workdps(row.exact.digits):
        try:
            right = np.asarray(column.expected(row.exact), dtype=object)
            allowed = np.broadcast_to(column.allowed(row.exact, right), right.shape)
        except DoesNotExist as reason:
            return None, str(reason)
        if any(LARGEST <= abs(x) < INFINITE for x in right.ravel()):
            return None, "it is beyond the floats"
        return right, allowed


def refused(error):
    """Whether an error is a clear one, raised in words by the package and not by what it calls."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return type(error) is ValueError and Path(frame.f_code.co_filename).is_relative_to(PACKAGE)


def verdict(row, column):
    """Return 'right', 'refused', 'no value' (and refused), or what is wrong; None if it cannot be asked."""
    right, allowed = expectation(row, column)
    try:
        found = np.asarray(column.call(row), dtype=float)
    except DoesNotExist:
        return None
    except Exception as error:
        if refused(error):
            return "no value" if right is None else "refused"
        return f"unclear: {type(error).__name__}: {error}"
    if right is None:
        return f"wrong: {short(found)}, but there is no value: {allowed}"
    if found.shape != right.shape:
        return f"wrong: shape {found.shape}, expected {right.shape}"
    with mpmath.workdps(row.exact.digits):
        for x, truth, within in zip(found.ravel(), right.ravel(), allowed.ravel(), strict=True):
            same = x == truth or (truth != truth and np.isnan(x))
            if not (same or abs(mpf(x) - truth) <= within + SMALLEST):
                return f"wrong: {short(found)}, but right is {short(right)} within {short(allowed)}"
    return "right"


def short(numbers):
    return "[" + ", ".join(mpmath.nstr(mpf(x), 7) for x in np.ravel(numbers)[:8]) + "]"


def all_right_or_refused(row, columns):
    found = {column.name: verdict(row, column) for column in columns}
    wrong = {name: words for name, words in found.items() if words and words.startswith(("wrong", "unclear"))}
    assert not wrong, "\n".join(f"{name}: {words}" for name, words in wrong.items())


@pytest.mark.parametrize("row", problems.FINITE, ids=str)
def test_finite(row):
    all_right_or_refused(row, functions.FINITE)


@pytest.mark.parametrize("row", problems.LINEAR_QUADRATIC, ids=str)
def test_linear_quadratic(row):
    all_right_or_refused(row, functions.LINEAR_QUADRATIC)


# --- the ledger ------------------------------------------------------------------------------------------


def ledger_verdict(row):
    """Return what differs on a row, or its unclear error; nothing if it is refused in words."""
    try:
        results = check_all(row.mdp, row.policy)
    except Exception as error:
        return [] if refused(error) else [f"unclear: {type(error).__name__}: {error}"]
    return [str(each) for each in results if not each.agrees]


#: Refused like their neighbours in the table, but only after 50,000 terms.
LONG_SUMS = {
    "discount 1, 3e4 steps",
    "discount 1, 3e11 steps",
    "discount 1 - 1e-9",
    "discount 1 - 1e-12",
    "discount 1 - 1e-12, features",
    "discount 1 - 1e-12, ends",
}

LEDGER = [row for row in problems.FINITE + problems.LINEAR_QUADRATIC if row.name not in LONG_SUMS]


@pytest.mark.parametrize("row", LEDGER, ids=str)
def test_the_ledger(row):
    assert ledger_verdict(row) == []


# --- the table is whole ----------------------------------------------------------------------------------

#: Public names that have no column, and why.
WITHOUT_COLUMN = {
    "what it gives is drawn; what it settles at has a column": {
        "AdvantageActorCritic",
        "EligibilityTraces",
        "IncrementalNaturalActorCritic",
        "NaturalActorCritic",
        "QActorCritic",
        "Reinforce",
        "ReinforceWithBaseline",
        "TDErrorActorCritic",
    },
    "it holds or names what others compute": {
        "AscentRule",
        "Check",
        "Critic",
        "Estimate",
        "FORMULAS",
        "FinitePolicy",
        "Formula",
        "Learner",
        "Run",
        "Signal",
        "WrongAnswer",
        "ledger",
        "where",
        "study",
    },
    "the rows are problems of their own": {
        "cells",
        "garnet",
        "gridworld",
        "linear_quadratic",
        "now_or_later",
        "one_knob",
        "short_corridor",
        "two_states",
        "wind_turbine",
    },
    "it works on arrays that are handed in, whose extremes are in test_arrays": {
        "discounted_returns",
        "discounted_visits",
        "gae",
        "importance_ratios",
        "lambda_returns",
        "td_errors",
    },
    "it judges answers, whose extremes are in test_checks_answers": {
        "answer",
        "attempt",
        "caught",
        "entered",
        "sampled_answer",
    },
}

#: What has tests of its own in this folder.
OWN_TESTS = {
    "ExactNaturalActorCritic",
    "FiniteMDP",
    "GeometricHorizon",
    "GradientAscent",
    "HoldFixed",
    "LinearGaussianPolicy",
    "LinearQuadraticMDP",
    "NaturalGradientAscent",
    "SoftmaxPolicy",
    "agree",
    "ascend",
    "check",
    "check_all",
    "consistent",
    "estimate_gradient",
    "fitted_values",
    "reinforce",
    "return_estimate",
    "rollout",
    "sound_policy",
    "sound_sampling",
}

#: Rooms whose names are public; the others draw, or derive with letters and without floats.
ROOMS = ("ascent", "checks", "critics", "estimators", "gallery", "slides")


def public_names():
    names = set(pgtlab.__all__)
    for room in ROOMS:
        module = importlib.import_module(f"pgtlab.{room}")
        # The gallery has no list of its names: they are those of its functions.
        made_here = {name for name, each in vars(module).items() if inspect.isfunction(each)}
        names |= set(getattr(module, "__all__", {name for name in made_here if name[0] != "_"}))
    return names


def test_every_public_function_has_a_column_or_a_reason():
    every = functions.FINITE + functions.LINEAR_QUADRATIC
    columns = {column.name.split(",")[0].split(".")[0] for column in every}
    reasons = set().union(*WITHOUT_COLUMN.values())
    assert public_names() - columns - OWN_TESTS - reasons == set()
    assert (columns | OWN_TESTS) & reasons == set()
