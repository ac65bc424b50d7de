"""What is too large for its powers to be floats is refused where it comes in."""

from __future__ import annotations

import math

import pytest

from pgtlab import LinearGaussianPolicy, LinearQuadraticMDP, expected_return
from tests.extremes.problems import LinearQuadratic
from tests.problems import exactly

TOO_LARGE = "expected at most {} in size, or its powers are beyond the numbers of a computer"


@pytest.mark.parametrize(("log_std", "shown"), [(-171.0, "-171"), (400, "400")])
def test_a_std_beyond_the_floats_is_refused(log_std, shown):
    with pytest.raises(ValueError, match=exactly(f"log_std is {shown}; {TOO_LARGE.format(170)}")):
        LinearGaussianPolicy(0.0, log_std)


def test_the_place_in_a_batch_is_named():
    with pytest.raises(ValueError, match=exactly(f"gain[1] is -1e+76; {TOO_LARGE.format('1e+75')}")):
        LinearGaussianPolicy([0.0, -1e76], 0.0)


@pytest.mark.parametrize(
    ("name", "value", "largest"),
    [
        ("drift", -1e76, "1e+75"),
        ("noise_std", 1e76, "1e+75"),
        ("initial_mean", 1e200, "1e+75"),
        ("state_cost", 1e151, "1e+150"),
    ],
)
def test_a_problem_beyond_the_floats_is_refused(name, value, largest):
    problem = LinearQuadratic("").problem | {name: value}
    with pytest.raises(ValueError, match=exactly(f"{name} is {value:g}; {TOO_LARGE.format(largest)}")):
        LinearQuadraticMDP(**problem)


def test_at_the_limits_the_return_is_a_number():
    row = LinearQuadratic("", log_std=170.0, changes={"initial_mean": 1e75, "state_cost": 1e150})
    assert math.isfinite(expected_return(row.mdp, row.policy))
