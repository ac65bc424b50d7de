"""Functions on the real line: arithmetic as for tables, held to the values at points."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pgtlab.quadratic import Quadratic

X, U = np.array([-1.5, 0.0, 2.0]), np.array([0.5, -1.0, 3.0])


def random(rng, n, batch=()):
    """Return a random function of n variables."""
    H = rng.normal(size=(*batch, n, n))
    return Quadratic(H + np.swapaxes(H, -1, -2), rng.normal(size=batch))


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_sums_differences_and_multiples_are_those_of_the_values(batch):
    rng = np.random.default_rng(0)
    f, g = random(rng, 2, batch), random(rng, 2, batch)
    assert_allclose((f + g)(X, U), f(X, U) + g(X, U), rtol=1e-12, atol=1e-12)
    assert_allclose((f - g)(X, U), f(X, U) - g(X, U), rtol=1e-12, atol=1e-12)
    # From both sides, and by a number of NumPy's, which must not make an array of functions of it.
    for factor in (2.5, np.float64(2.5)):
        for product in (factor * f, f * factor):
            assert_allclose(product(X, U), 2.5 * f(X, U), rtol=1e-12, atol=1e-12)
    each = rng.normal(size=batch)
    assert_allclose((each * f)(X, U), each[..., None] * f(X, U), rtol=1e-12, atol=1e-12)


def test_a_function_of_the_state_is_one_of_pairs_on_which_the_action_has_no_bearing():
    v = random(np.random.default_rng(1), 1, (2,))
    assert_allclose(v.of_pairs()(X, U), v(X), rtol=1e-15)
