"""The chain that a policy makes of a problem: its two systems, what is remembered, what is refused."""

from __future__ import annotations

import gc
import sys
import weakref
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg.lapack
import scipy.sparse.linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from pgtlab import (
    FiniteMDP,
    LinearGaussianPolicy,
    LinearQuadraticMDP,
    SoftmaxPolicy,
    action_values,
    advantages,
    chain,
    expected_return,
    policy_gradient,
    state_values,
    state_visitation,
)
from pgtlab.exact import FiniteChain, LinearGaussianChain, linear_systems
from pgtlab.exact.elimination import Elimination, Eliminations
from tests import routes
from tests.extremes.exact import Given, floats, solve
from tests.problems import (
    BATCHES,
    TablePolicy,
    exactly,
    garden,
    linear_quadratic_problems,
    problems,
    random_linear_quadratic,
    random_problem,
    seeds,
)

# One action; from each state to the next and back to the first. Ends from the last with probability 0.5.
RING = FiniteMDP([[[0, 1, 0]], [[0, 0, 1]], [[0.5, 0, 0]]], [[1], [2], [3]], [1, 0, 0], 0.5)
ONLY = TablePolicy(np.ones((3, 1)))


def without_scipy(monkeypatch):
    """Make every import of SciPy's LAPACK fail, as where SciPy is not installed."""
    monkeypatch.setitem(sys.modules, "scipy.linalg.lapack", None)


def as_sparse(mdp):
    """Return the same problem with sparse transitions."""
    rows = sparse.csr_array(mdp.transition.reshape(-1, mdp.n_states))
    return FiniteMDP(rows, mdp.reward, mdp.initial, mdp.discount)


def test_an_absent_scipy_is_looked_for_once_and_found_when_it_comes(monkeypatch):
    searched = []

    def absent(name):
        searched.append(name)
        raise ModuleNotFoundError("No module named 'scipy'", name="scipy")

    with monkeypatch.context() as without:
        without.setattr(linear_systems, "_scipy_absent", False)
        without.setattr(linear_systems, "import_module", absent)
        without.delitem(sys.modules, "scipy")
        without.delitem(sys.modules, "scipy.linalg.lapack")
        for discount in (0.5, 0.6):
            process = chain(FiniteMDP(RING.transition, RING.reward, RING.initial, discount), ONLY)
            values = process.solve(process.reward)
            assert_allclose(values, process.reward + discount * process.transition @ values)
        assert searched == ["scipy.linalg.lapack"]
        without.undo()
        linear_systems._scipy_absent = True
        assert linear_systems.lapack().dgetrf
    linear_systems._scipy_absent = False


# --- the two systems -------------------------------------------------------------------------------


@pytest.mark.parametrize("mdp", [RING, as_sparse(RING)], ids=["dense", "sparse"])
def test_the_ring_by_hand(mdp):
    process = chain(mdp, ONLY)
    assert_array_equal(process.reward, [1, 2, 3])
    # V0 = 1 + V1/2, V1 = 2 + V2/2, V2 = 3 + V0/4: V0 = 1 + 1 + 3/4 + V0/16 = 44/15.
    assert_allclose(process.solve(process.reward), [44 / 15, 58 / 15, 56 / 15], rtol=1e-14)
    # From state 0: rho0 = 1 + rho2/4, rho1 = rho0/2, rho2 = rho1/2: rho0 = 16/15.
    assert_allclose(process.solve_transposed(mdp.initial), [16 / 15, 8 / 15, 4 / 15], rtol=1e-14)
    # M11: the transpose makes a difference here.
    assert np.abs(process.solve(mdp.initial) - process.solve_transposed(mdp.initial)).max() > 0.1


@given(problems(discounts=(0.0, 0.5, 0.99)), seeds)
def test_both_solutions_solve_their_equations(problem, seed):
    mdp, policy = problem
    b = np.random.default_rng(seed).normal(size=mdp.n_states)
    P, r = routes.mixed(mdp, policy.probs())
    process = chain(mdp, policy)
    assert_allclose(process.transition, P, rtol=1e-12, atol=1e-14)
    assert_allclose(process.reward, r, rtol=1e-12, atol=1e-14)
    x, y = process.solve(b), process.solve_transposed(b)
    assert_allclose(x, b + mdp.discount * P @ x, rtol=1e-10, atol=1e-11)
    assert_allclose(y, b + mdp.discount * P.T @ y, rtol=1e-10, atol=1e-11)


@given(problems(), seeds)
def test_numpy_alone_and_sparse_lu_solve_as_scipys_lapack_does(problem, seed):
    mdp, policy = problem
    b = np.random.default_rng(seed).normal(size=mdp.n_states)
    process = FiniteChain(mdp, policy.probs())
    start = np.where(process.ends, b, 0.0)
    x, y = process.solve(b), process.solve_transposed(start)
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_scipy(monkeypatch)
        plain = FiniteChain(mdp, policy.probs())
        assert_allclose(plain.solve(b), x, rtol=1e-10, atol=1e-11)
        assert_allclose(plain.solve_transposed(start), y, rtol=1e-10, atol=1e-11)
    thin = FiniteChain(as_sparse(mdp), policy.probs())
    assert_allclose(thin.transition.toarray(), process.transition, rtol=1e-13, atol=1e-15)
    assert_array_equal(thin.ends, process.ends)
    assert_allclose(thin.solve(b), x, rtol=1e-10, atol=1e-11)
    assert_allclose(thin.solve_transposed(start), y, rtol=1e-10, atol=1e-11)


@given(problems(batches=BATCHES), seeds)
def test_a_batch_equals_a_loop(problem, seed):
    mdp, policy = problem
    batch = policy.parameters.shape[:-1]
    b = np.random.default_rng(seed).normal(size=mdp.n_states)
    process = FiniteChain(mdp, policy.probs())
    start = np.where(process.ends.reshape(-1, mdp.n_states)[0], b, 0.0)
    assert process.ends.shape == process.reward.shape == (*batch, mdp.n_states)
    for n in np.ndindex(batch):
        one = FiniteChain(mdp, policy.probs()[n])
        assert_array_equal(process.ends[n], one.ends)
        for name, right in (("solve", b), ("solve_transposed", start)):
            x, y = getattr(process, name)(right), getattr(one, name)(right)
            assert_allclose(x[n], y, rtol=1e-9, atol=1e-10)


def test_one_factorisation_serves_every_quantity(monkeypatch):
    calls = []
    dgetrf = scipy.linalg.lapack.dgetrf

    def counted(*args, **kwargs):
        calls.append(args)
        return dgetrf(*args, **kwargs)

    monkeypatch.setattr(scipy.linalg.lapack, "dgetrf", counted)
    mdp, policy = random_problem(np.random.default_rng(0))
    for quantity in (
        state_values,
        action_values,
        advantages,
        expected_return,
        state_visitation,
        policy_gradient,
    ):
        quantity(mdp, policy)
    assert len(calls) == 1


def test_one_sparse_factorisation_serves_every_quantity(monkeypatch):
    calls = []
    splu = scipy.sparse.linalg.splu

    def counted(*args, **kwargs):
        calls.append(kwargs)
        return splu(*args, **kwargs)

    monkeypatch.setattr(scipy.sparse.linalg, "splu", counted)
    mdp = garden(5)
    policy = SoftmaxPolicy.tabular(np.zeros((25, 4)))
    for quantity in (state_values, action_values, state_visitation, policy_gradient):
        quantity(mdp, policy)
    assert len(calls) == 1


def test_a_sparse_grid_is_solved_with_little_fill_in():
    # Row by row, 40 x 40 cells would fill a band of 40 in each of the two factors: 2 * 1600 * 40 entries.
    # A good order takes less than half of that.
    mdp = garden(40, discount=0.99)
    process = chain(mdp, SoftmaxPolicy.tabular(np.zeros((1600, 4))))
    process.solve(process.reward)
    lu = process._factors._lu
    assert lu.L.nnz + lu.U.nnz < 1600 * 40
    assert sparse.issparse(process.transition)


# --- what is remembered ----------------------------------------------------------------------------


def test_the_last_chain_is_kept_and_only_the_last():
    mdp, policy = random_problem(np.random.default_rng(1))
    other, _ = random_problem(np.random.default_rng(1))
    first = chain(mdp, policy)
    assert chain(mdp, policy) is first
    assert chain(mdp, policy.with_parameters(policy.parameters)) is first
    # Equal numbers, but another object: not trusted to be the same problem.
    second = chain(other, policy)
    assert second is not first
    assert chain(other, policy) is second
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None


def test_other_parameters_make_another_chain():
    mdp, policy = random_problem(np.random.default_rng(2))
    first = chain(mdp, policy)
    assert chain(mdp, policy.with_parameters(policy.parameters + np.eye(12)[0])) is not first


def test_a_batch_and_its_single_member_are_not_mixed_up():
    mdp, policy = random_problem(np.random.default_rng(3))
    batch = policy.with_parameters(policy.parameters[None])
    assert state_values(mdp, policy).shape == (4,)
    assert state_values(mdp, batch).shape == (1, 4)
    assert state_values(mdp, policy).shape == (4,)


def test_a_table_that_its_owner_writes_to_gives_no_stale_result():
    mdp, _ = random_problem(np.random.default_rng(4), n_actions=2)
    policy = TablePolicy(np.tile([0.5, 0.5], (4, 1)))
    before = chain(mdp, policy)
    half = state_values(mdp, policy)
    policy.table[:] = [1.0, 0.0]
    assert_allclose(state_values(mdp, policy), routes.values(mdp, policy.table), rtol=1e-11, atol=1e-12)
    # The chain of before has kept its own probabilities.
    assert_array_equal(before.probs, np.full((4, 2), 0.5))
    assert_allclose(before.solve(before.reward), half, rtol=1e-14)


def test_what_a_reader_does_to_a_result_does_not_come_back():
    mdp, policy = random_problem(np.random.default_rng(5))
    for quantity in (state_values, action_values, advantages, state_visitation, policy_gradient):
        first = quantity(mdp, policy)
        kept = first.copy()
        first[...] = 0.0
        assert_array_equal(quantity(mdp, policy), kept)


def test_a_refused_chain_is_not_remembered():
    mdp, policy = random_problem(np.random.default_rng(5))
    first = chain(mdp, policy)
    with pytest.raises(ValueError, match="policy is for 3 states"):
        chain(mdp, ONLY)
    assert chain(mdp, policy) is first


def test_probabilities_may_come_as_a_list():
    mdp, policy = random_problem(np.random.default_rng(6))
    listed = TablePolicy(policy.probs().tolist())
    assert_allclose(state_values(mdp, listed), state_values(mdp, policy), rtol=1e-14)


# --- discount 1 ------------------------------------------------------------------------------------


def closed(P):
    """Return which states lead to which, by Warshall's rule."""
    S = len(P)
    leads = (P > 0) | np.eye(S, dtype=bool)
    for k in range(S):
        for i in range(S):
            for j in range(S):
                leads[i, j] |= leads[i, k] and leads[k, j]
    return leads


@given(seeds, st.integers(1, 7), st.booleans())
def test_at_discount_1_the_states_that_end_are_those_that_lead_only_to_states_that_can(seed, S, thin):
    rng = np.random.default_rng(seed)
    # Few edges, few ends: all cases come up.
    transition = rng.random((S, 2, S)) * (rng.random((S, 2, S)) < 1.2 / S)
    total = transition.sum(-1, keepdims=True)
    transition = transition / np.where(total > 0, total, 1)
    transition[rng.random(S) < 0.2] *= 0.5
    start = rng.integers(S)
    mdp = FiniteMDP(transition, np.ones((S, 2)), np.eye(S)[start], 1.0)
    probs = np.where(rng.random((S, 1)) < 0.5, [[1.0, 0.0]], [[0.5, 0.5]])
    P, _ = routes.mixed(mdp, probs)
    leads = closed(P)
    ending = ((1 - mdp.transition.sum(-1)) * probs).sum(-1) > 1e-9
    can_end = (leads & ending).any(-1)
    sure = ~(leads & ~can_end).any(-1)
    process = FiniteChain(as_sparse(mdp) if thin else mdp, probs)
    if sure[start]:
        assert_array_equal(process.ends, sure)
        assert process.all_end == sure.all()
        # The states left aside get NaN, the others the expected number of steps to the end.
        inside = np.flatnonzero(sure)
        steps = np.linalg.solve(np.eye(len(inside)) - P[np.ix_(inside, inside)], np.ones(len(inside)))
        assert_allclose(process.solve(np.ones(S))[inside], steps, rtol=1e-9)
        assert np.isnan(process.solve(np.ones(S))[~sure]).all()
        visits = process.solve_transposed(mdp.initial)
        assert_allclose(visits.sum(), steps[inside == start][0], rtol=1e-9)
        assert_array_equal(visits[~sure], 0)
    else:
        with pytest.raises(ValueError, match="discount is 1 and the episode need not end: the start reaches"):
            _ = process.ends


def test_the_members_of_a_batch_may_differ_in_what_ends():
    # State 0 goes on to 1 or ends; state 1 stays (action 0) or ends (action 1). Only 0 is started from.
    transition = [[[0, 0], [0, 0]], [[0, 1], [0, 0]]]
    mdp = FiniteMDP(transition, [[1, 1], [1, 1]], [1, 0], 1.0)
    stays, leaves = [[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]
    process = FiniteChain(mdp, np.array([stays, leaves, stays]))
    assert_array_equal(process.ends, [[True, False], [True, True], [True, False]])
    assert not process.all_end
    assert_array_equal(process.solve(process.reward), [[1, np.nan], [1, 1], [1, np.nan]])
    assert_array_equal(process.solve_transposed(mdp.initial), [[1, 0]] * 3)


# --- discount 1 and probabilities that underflow -----------------------------------------------------


class Logarithms(TablePolicy):
    """Policy of a reader who writes the logarithms of the probabilities down, and they may underflow."""

    def __init__(self, logs):
        super().__init__(np.exp(logs))
        self.logs = np.array(logs)

    def log_prob(self, state, action):
        return self.logs[..., state, action]


def trap():
    """Return a problem of three states: 0 ends (action 0) or goes to 1, 1 stays, 2 goes to 0 or to 1."""
    transition = [[[0, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 1, 0]], [[1, 0, 0], [0, 1, 0]]]
    return FiniteMDP(transition, [[1, 0], [2, 0], [5, 5]], [1, 0, 0], 1.0)


UNDERFLOWS = exactly(
    "discount is 1 and the episode need not end: the start reaches state 1 by actions whose probability is "
    "above 0 but underflows, from which this policy leads to no end; expected an end with certainty. Give an "
    "absorbing state rows of total 0 to end the episode there, or take a discount below 1"
)

#: The probability of going is e^-800, or less than the logarithm can say.
UNDERFLOWING = {
    "softmax": SoftmaxPolicy.tabular([[800.0, 0.0]] * 3),
    "beyond logarithms": SoftmaxPolicy.tabular([[1e308, -1e308]] * 3),
    "features": SoftmaxPolicy([[[1.0], [0.0]]] * 3, [800.0]),
    "its own": Logarithms([[0.0, -800.0]] * 3),
    "batch": SoftmaxPolicy.tabular([[[800.0, 0.0]] * 3] * 2),
}


@pytest.mark.parametrize("name", UNDERFLOWING)
@pytest.mark.parametrize("quantity", [state_values, action_values, state_visitation, expected_return])
def test_at_discount_1_no_end_by_a_probability_that_underflows_is_refused(quantity, name):
    mdp, policy = trap(), UNDERFLOWING[name]
    # Under the rounded policy the values exist; that its chain is remembered changes nothing.
    rounded = TablePolicy(np.array(policy.probs()))
    for each in (rounded, policy, rounded, policy):
        if each is policy:
            with pytest.raises(ValueError, match=UNDERFLOWS):
                quantity(mdp, each)
        else:
            assert np.nanmax(quantity(mdp, each)) > 0
    with pytest.raises(ValueError, match="the start reaches state 1"):
        chain(mdp, SoftmaxPolicy.tabular([[40.0, 0.0]] * 3)).solve(np.ones(3))


def test_with_sparse_transitions_too():
    with pytest.raises(ValueError, match=UNDERFLOWS):
        expected_return(as_sparse(trap()), UNDERFLOWING["softmax"])


def test_where_only_other_states_need_not_end_these_have_no_value():
    # The start is sure to end: from 0 one never goes. From 2 one goes to 1, by a probability that underflows.
    never = [0.0, -np.inf]
    logs = np.array([never, never, [0.0, -800.0]])
    for batch in (False, True):
        policy = Logarithms([logs, np.tile(never, (3, 1))] if batch else logs)
        expected = [[1, np.nan, np.nan], [1, np.nan, 6]]
        assert_array_equal(state_values(trap(), policy), expected if batch else expected[0])
        assert_array_equal(state_visitation(trap(), policy), [[1, 0, 0]] * 2 if batch else [1, 0, 0])
        assert_array_equal(expected_return(trap(), policy), [1, 1] if batch else 1)


def test_a_way_to_the_end_that_underflows_is_none():
    # From 1 one may leave with e^-800: the return is 1 + 2 e^-800 / e^-800 = 3, and not 1.
    mdp = FiniteMDP([[[0, 0], [0, 1]], [[0, 1], [0, 0]]], [[1, 0], [2, 0]], [1, 0], 1.0)
    with pytest.raises(ValueError, match=UNDERFLOWS):
        expected_return(mdp, SoftmaxPolicy.tabular([[800.0, 0.0]] * 2))


def test_probabilities_of_0_that_are_listed_are_never_taken():
    policy = TablePolicy([[1.0, 0.0]] * 3)
    assert_array_equal(state_values(trap(), policy), [1, np.nan, 6])


def test_where_all_ends_or_the_discount_is_below_1_no_logarithm_is_asked_for():
    class Rounded(TablePolicy):
        def log_prob(self, state, action):
            raise AssertionError

    policy = Rounded(np.array([[1.0, 0.0]] * 3))
    ending = FiniteMDP(trap().transition * [[[1.0]], [[0.5]], [[1.0]]], trap().reward, trap().initial, 1.0)
    assert chain(ending, policy).all_end
    assert chain(replace(trap(), discount=0.9), policy).all_end


# --- discount 1, else ------------------------------------------------------------------------------


def test_a_discount_below_1_needs_no_end():
    mdp = FiniteMDP([[[1.0]]], [[1.0]], [1.0], 0.75)
    process = chain(mdp, TablePolicy(np.ones((1, 1))))
    assert process.all_end
    assert process.ends.dtype == bool
    assert_array_equal(process.ends, [True])
    assert_allclose(process.solve(process.reward), [4.0], rtol=1e-15)


@pytest.mark.parametrize("sparse_form", [False, True])
@pytest.mark.parametrize("quantity", [state_values, state_visitation, expected_return, policy_gradient])
def test_at_discount_1_an_episode_that_need_not_end_is_refused(quantity, sparse_form):
    # 0 leads to the end or to 1, and 1 to itself for ever.
    mdp = FiniteMDP([[[0, 0.5]], [[0, 1]]], [[0], [1]], [1, 0], 1.0)
    mdp = as_sparse(mdp) if sparse_form else mdp
    words = (
        "discount is 1 and the episode need not end: the start reaches state 1, from which this policy leads "
        "to no end; expected an end with certainty. Give an absorbing state rows of total 0 to end the "
        "episode there, or take a discount below 1"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        quantity(mdp, SoftmaxPolicy.tabular(np.zeros((2, 1))))


def test_the_remedy_that_the_error_names_is_one():
    mdp = FiniteMDP([[[0, 1]], [[0, 0]]], [[0], [1]], [1, 0], 1.0)
    assert_array_equal(state_values(mdp, SoftmaxPolicy.tabular(np.zeros((2, 1)))), [1, 1])


def drunkard(n_states, forwards, discount=1.0):
    """Return a walk on a line that starts at 0 and ends beyond the last state."""
    P = np.diag(np.full(n_states - 1, forwards), 1) + np.diag(np.full(n_states - 1, 1 - forwards), -1)
    P[0, 0] = 1 - forwards
    return FiniteMDP(P[:, None, :], np.ones((n_states, 1)), np.eye(n_states)[0], discount)


def expected_steps(n_states, forwards):
    """Return the steps that the walk takes: from s to s + 1 in m_s = (1 + (1 - f)(m_{s-1})) / f each."""
    m, total = 1 / forwards, 1 / forwards
    for _ in range(n_states - 1):
        m = (1 + (1 - forwards) * m) / forwards
        total += m
    return total


@pytest.mark.parametrize("form", ["lapack", "numpy", "sparse"])
@pytest.mark.parametrize("n_states", [1, 2, 15, 60])
def test_a_long_walk_takes_the_steps_that_its_recursion_says(n_states, form, monkeypatch):
    # Four times as long with each state, up to 1e36. No term of the recursion cancels, and none of ours.
    mdp = drunkard(n_states, 0.2)
    if form == "numpy":
        without_scipy(monkeypatch)
    if form == "sparse":
        mdp = as_sparse(mdp)
    J = expected_return(mdp, TablePolicy(np.ones((n_states, 1))))
    assert_allclose(J, expected_steps(n_states, 0.2), rtol=1e-9 if n_states < 10 else 1e-12)


@pytest.mark.parametrize(("n_states", "discount"), [(17, 1.0), (1, 1 - 1e-9)])
def test_many_sparse_states_with_an_end_too_far_off_are_refused(n_states, discount, monkeypatch):
    # They are too many to be made dense, and a factorisation would lose more than 8 digits.
    monkeypatch.setattr(linear_systems, "_FEW_STATES", 0)
    assert expected_steps(n_states, 0.2) > 1e8 or discount < 1
    mdp = as_sparse(drunkard(n_states, 0.2, discount))
    if discount < 1:
        mdp = FiniteMDP(sparse.csr_array([[1.0]]), [[1.0]], [1.0], discount)
    words = (
        "the expected number of steps to the end, discounted, exceeds 1e+08: values lose their digits. "
        "Expected a policy under which the episode ends sooner, or a smaller discount"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        state_values(mdp, TablePolicy(np.ones((n_states, 1))))


def test_many_sparse_states_with_a_long_way_to_the_end_keep_eight_digits(monkeypatch):
    monkeypatch.setattr(linear_systems, "_FEW_STATES", 0)
    steps = expected_steps(12, 0.2)
    assert 1e7 < steps < 1e8
    mdp = as_sparse(drunkard(12, 0.2))
    assert_allclose(expected_return(mdp, TablePolicy(np.ones((12, 1)))), steps, rtol=1e-8)


def leaving(*probabilities):
    """Return states that earn 1 a step, each left for the next, and at last the end, as rarely as it says."""
    S = len(probabilities)
    transition = np.zeros((S, 2, S))
    transition[:, 0] = np.eye(S)
    transition[:-1, 1] = np.eye(S)[1:]
    table = np.array([[1.0 - p, p] for p in probabilities])
    return FiniteMDP(transition, np.ones((S, 2)), np.eye(S)[0], 1.0), TablePolicy(table)


def test_probabilities_as_small_as_double_precision_has_them():
    mdp, policy = leaving(1e-299, 0.5, 2e-300)
    assert_allclose(state_values(mdp, policy), [6e299, 5e299 + 2, 5e299], rtol=1e-13)
    assert_allclose(state_visitation(mdp, policy), [1e299, 2.0, 5e299], rtol=1e-13)
    mdp, policy = leaving(1e-305)
    with pytest.raises(ValueError, match=r"^the expected number of steps to the end, discounted, exceeds 1e"):
        state_values(mdp, policy)
    mdp, policy = leaving(1e-305, 1e-304)
    words = (
        "the chain falls apart: it leaves state 1 with a probability of 1e-304 a step, and others as rarely; "
        "expected at least 1e-300, as smaller probabilities are lost to rounding"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        state_values(mdp, policy)


# --- a discount near 1 -----------------------------------------------------------------------------


def scattered(seed, discount, *, batch=()):
    """Return a small problem whose probabilities are spread over 13 powers of ten, and a policy likewise."""
    rng = np.random.default_rng(seed)
    S, A = rng.integers(1, 5), rng.integers(2, 4)
    transition = np.exp(rng.uniform(-30, 0, size=(S, A, S))) * (rng.random((S, A, S)) < 0.7)
    transition[:, :, 0] += 1e-6
    transition /= transition.sum(-1, keepdims=True)
    # Some actions end the episode, mostly rare ones.
    transition[rng.random((S, A)) < 0.15] = 0.0
    mdp = FiniteMDP(transition, rng.normal(size=(S, A)), np.eye(S)[0], discount)
    return mdp, SoftmaxPolicy.tabular(rng.normal(size=(*batch, S, A)) * 10)


@pytest.mark.parametrize("discount", [1 - 1e-6, 1 - 1e-9, 1 - 1e-12, np.nextafter(1, 0)])
@pytest.mark.parametrize("seed", range(5))
def test_values_visits_and_gradient_near_discount_1_to_many_digits(seed, discount):
    mdp, policy = scattered(seed, discount)
    exact = Given(mdp, policy.probs())
    R = np.abs(mdp.reward).max()
    V, A, gradient = floats(exact.V), floats(exact.A), floats(exact.gradient_in_logits)
    for each in (mdp, as_sparse(mdp)):
        assert_allclose(state_visitation(each, policy), floats(exact.rho), rtol=1e-10)
        assert_allclose(state_values(each, policy), V, rtol=0, atol=1e-8 * np.abs(V).max())
        assert_allclose(advantages(each, policy), A, rtol=1e-8, atol=1e-9 * R)
        assert_allclose(
            policy_gradient(each, policy), gradient.ravel(), rtol=0, atol=1e-9 * np.abs(gradient).max()
        )


def test_a_batch_near_discount_1_equals_a_loop():
    mdp, policies = scattered(3, 1 - 1e-10, batch=(2, 3))
    assert isinstance(chain(mdp, policies)._factors, Eliminations)
    for quantity in (state_values, state_visitation, action_values, advantages, policy_gradient):
        whole = quantity(mdp, policies)
        for at in np.ndindex(2, 3):
            one = policies.with_parameters(policies.parameters[at])
            assert_allclose(whole[at], quantity(mdp, one), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("form", ["lapack", "numpy", "sparse"])
def test_a_system_that_rounding_would_make_singular(form, monkeypatch):
    # The row total is 1 to within rounding, and times gamma, just below 1, it is rounded to 1. The value is
    # 1 / (1 - gamma).
    mdp = FiniteMDP([[[np.nextafter(1, 2)]]], [[1]], [1], np.nextafter(1, 0))
    mdp = as_sparse(mdp) if form == "sparse" else mdp
    if form == "numpy":
        without_scipy(monkeypatch)
    assert_allclose(state_values(mdp, TablePolicy(np.ones((1, 1)))), [2.0**53], rtol=1e-15)


def test_a_row_total_that_is_rounded_counts_as_1():
    # Two states that change places but for a slip of 9e-11. Were that lost in each step, at 1 - 1e-12 all
    # but a ninetieth of the value.
    miss = 9e-11
    for discount in (0.5, 1 - 1e-12):
        mdp = FiniteMDP([[[0, 1 - miss]], [[1 - miss, 0]]], np.ones((2, 1)), [1, 0], discount)
        expected = 1 / (1 - Fraction(discount))
        assert_allclose(state_values(mdp, TablePolicy(np.ones((2, 1)))), float(expected), rtol=1e-9)


@pytest.mark.parametrize("mdp_form", [np.asarray, as_sparse])
def test_values_that_cancel_near_discount_1_are_refused_and_the_advantages_are_not(mdp_form):
    # Two states in turn, +1 and -1: V = 1 / (1 + gamma) and its negative, the difference of sums of 1e12.
    discount = 1 - 1e-12
    mdp = FiniteMDP([[[0, 1.0]] * 2, [[1.0, 0]] * 2], [[1.0, 3.0], [-1.0, -1.0]], [1, 0], discount)
    mdp = as_sparse(mdp) if mdp_form is as_sparse else mdp
    table = TablePolicy(np.array([[1.0, 0.0], [0.5, 0.5]]))
    with pytest.raises(
        ValueError, match=r"^the value of a state is .*, from sums of size .* that cancel: fewer"
    ):
        state_values(mdp, table)
    assert_allclose(advantages(mdp, table), [[0, 2], [0, 0]], atol=1e-12)


def test_an_advantage_that_cancels_is_refused():
    # Two pairs of states that exchange places, almost never left: within a pair the digits are lost.
    S, e = 4, 1e-14
    transition = np.zeros((S, 2, S))
    for s, mate in enumerate([1, 0, 3, 2]):
        transition[s, 0, mate] = 1 - e
        transition[s, 0, (s + 2) % 4] = e
        transition[s, 1, s] = 1.0
    mdp = FiniteMDP(transition, [[1, 0], [2, 0], [5, 0], [7, 0]], np.eye(S)[0], 1 - 1e-15)
    words = (
        r"^the advantage of an action is .*, from sums of size .* that cancel: fewer than 8 digits are left"
    )
    with pytest.raises(ValueError, match=words):
        policy_gradient(mdp, TablePolicy(np.full((S, 2), 0.5)))


def test_rewards_that_leave_double_precision_are_refused():
    huge = FiniteMDP([[[1.0]]], [[1e305]], [1.0], 0.99)
    words = (
        "values reach 1e+306 or more, from rewards of up to 1e+305: expected rewards whose sums stay far "
        "within double precision"
    )
    only = TablePolicy(np.ones((1, 1)))
    with pytest.raises(ValueError, match=exactly(words)):
        state_values(huge, only)
    assert_allclose(state_values(replace(huge, discount=0.5), only), [2e305], rtol=1e-14)
    tiny = FiniteMDP([[[1.0]]], [[1e-300]], [1.0], 0.99)
    assert_allclose(state_values(tiny, only), [1e-298], rtol=1e-13)


# --- the elimination -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_elimination_against_fractions(seed):
    rng = np.random.default_rng(seed)
    S = 5
    rates = 10.0 ** rng.uniform(-40, 0, size=(S, S)) * (rng.random((S, S)) < 0.8)
    rates[0, 1:] = rates[1:, 0] = 1e-25
    stops = np.where(rng.random(S) < 0.5, 1e-20, 0.0) + 1e-35
    factors = Elimination(rates, stops)
    q = [[Fraction(rates[i, j]) if i != j else Fraction(0) for j in range(S)] for i in range(S)]
    M = [[(Fraction(stops[i]) + sum(q[i]) if i == j else 0) - q[i][j] for j in range(S)] for i in range(S)]
    # In fractions: no rounding at all.
    M, b = np.array(M, dtype=object), rng.random(S)
    right = np.array([Fraction(each) for each in b], dtype=object)
    assert_allclose(factors.solve(b), floats(solve(M, right)), rtol=1e-13)
    assert_allclose(factors.solve_transposed(b), floats(solve(M.T, right)), rtol=1e-13)
    # With x = 0 in the last state its equation goes, and so does its column.
    others = [i for i in range(S) if i != factors.last]
    x = floats(solve(M[np.ix_(others, others)], right[others]))
    assert_allclose(factors.solve_up_to_last(b)[others], x, rtol=1e-13)
    assert factors.solve_up_to_last(b)[factors.last] == 0


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", [chain, state_values, state_visitation, policy_gradient])
def test_what_is_no_problem_and_what_is_no_policy_is_a_type_error(quantity):
    _, policy = random_problem(np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"^mdp must be a FiniteMDP or a LinearQuadraticMDP, got ndarray$"):
        quantity(np.eye(2), policy)
    with pytest.raises(TypeError, match=r"^policy must be a FinitePolicy, got ndarray$"):
        quantity(RING, np.ones((3, 1)))
    with pytest.raises(TypeError, match=r"^policy must be a FinitePolicy, got LinearGaussianPolicy$"):
        quantity(RING, LinearGaussianPolicy(0.0, 0.0))
    mdp, _ = random_linear_quadratic(np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"^policy must be a LinearGaussianPolicy, got SoftmaxPolicy$"):
        quantity(mdp, policy)


def test_a_policy_for_another_problem_is_refused():
    words = "policy is for 4 states and 3 actions; expected 3 states and 1 actions, as in mdp"
    with pytest.raises(ValueError, match=exactly(words)):
        chain(RING, random_problem(np.random.default_rng(0))[1])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([[1.0], [0.5], [1.0]], "policy.probs()[1] is [0.5]; "),
        ([[1.0], [1.0], [np.nan]], "policy.probs()[2] is [nan]; "),
        ([[[1.0], [1.0], [1.0]], [[1.0], [1.0], [1 + 2e-10]]], "policy.probs()[1, 2] is [1.]; "),
    ],
)
def test_probabilities_that_are_none_are_refused(table, words):
    words += "expected probabilities of at least 0 that sum to 1 within 1e-10"
    with pytest.raises(ValueError, match=exactly(words)):
        chain(RING, TablePolicy(np.array(table)))


def test_a_policy_in_float32_is_refused_by_the_name_of_its_type():
    # A third in float32 three times is 1 + 3.0e-8.
    mdp = FiniteMDP(np.zeros((1, 3, 1)), np.zeros((1, 3)), [1.0], 0.9)
    with pytest.raises(ValueError, match=r"sum to 1 within 1e-10\. Compute them in float64, not in float32$"):
        chain(mdp, TablePolicy(np.full((1, 3), 1 / 3, np.float32)))


def test_the_first_wrong_row_of_a_batch_is_named():
    mdp, _ = random_problem(np.random.default_rng(0), n_states=3, n_actions=2, branching=1)
    table = np.array([[[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]], [[0.0, 1.0], [1.5, -0.5], [2.0, 2.0]]])
    with pytest.raises(ValueError, match=r"^policy\.probs\(\)\[1, 1\] is \[ 1\.5 -0\.5\]; expected"):
        chain(mdp, TablePolicy(table))


def test_a_negative_probability_is_refused_and_a_rounded_sum_is_not():
    mdp, _ = random_problem(np.random.default_rng(0), n_states=1, n_actions=2, branching=1)
    with pytest.raises(ValueError, match=r"^policy\.probs\(\)\[0\] is \[ 1\.5 -0\.5\]; expected"):
        chain(mdp, TablePolicy(np.array([[1.5, -0.5]])))
    chain(mdp, TablePolicy(np.array([[0.5, 0.5 - 0.9e-10]])))


def test_probabilities_of_one_axis_are_refused():
    with pytest.raises(ValueError, match=r"^policy\.probs\(\) has shape \(3,\); expected \(\.\.\., S, A\)"):
        chain(RING, TablePolicy(np.ones(3)))


@pytest.mark.parametrize("batch", [(3,), (2, 3)])
def test_a_batch_on_sparse_transitions_is_refused(batch):
    mdp, policy = random_problem(np.random.default_rng(0), batch=batch)
    words = f"policy is a batch of shape {batch}; expected one policy at a time with sparse transitions"
    with pytest.raises(ValueError, match=exactly(words)):
        chain(as_sparse(mdp), policy)


# --- the Gaussian chain ----------------------------------------------------------------------------


def test_the_gaussian_chain_by_hand():
    mdp, _ = random_linear_quadratic(np.random.default_rng(0))
    process = chain(mdp, LinearGaussianPolicy(0.0, 0.0))
    assert isinstance(process, LinearGaussianChain)
    assert_allclose(process.drift, mdp.drift, rtol=1e-15)
    assert_allclose(process.noise_variance, mdp.control**2 + mdp.noise_std**2, rtol=1e-15)


@given(linear_quadratic_problems())
def test_the_moments_of_the_gaussian_chain_are_the_sums_of_their_recursion(problem):
    mdp, policy = problem
    process = chain(mdp, policy)
    k, s = float(policy.gain), float(np.exp(policy.log_std))
    c, w = mdp.drift + mdp.control * k, (mdp.control * s) ** 2 + mdp.noise_std**2
    moment, weight, total = mdp.initial_mean**2 + mdp.initial_std**2, 1.0, 0.0
    unit, curvature = 1.0, 0.0
    for _ in range(600):
        total += weight * moment
        # What a start in x = 1 without noise costs.
        curvature += weight * (mdp.state_cost + mdp.action_cost * k**2) * unit
        moment, unit, weight = c**2 * moment + w, c**2 * unit, weight * mdp.discount
    assert_allclose(process.second_moment, total, rtol=1e-11)
    assert_allclose(process.curvature, curvature, rtol=1e-11)
    variance = 0.7
    for t in range(6):
        assert_allclose(process.state_variance(0.7, t), variance, rtol=1e-12)
        variance = c**2 * variance + w


@pytest.mark.parametrize("batch", BATCHES)
def test_a_batch_of_gaussian_chains_equals_a_loop(batch):
    mdp, policy = random_linear_quadratic(np.random.default_rng(1), batch=batch)
    process = chain(mdp, policy)
    for name in ("drift", "noise_variance", "curvature", "second_moment"):
        assert np.shape(getattr(process, name)) == batch
    assert process.state_variance(0.5, 3).shape == batch
    for n in np.ndindex(batch):
        one = chain(mdp, policy.with_parameters(policy.parameters[n]))
        for name in ("drift", "noise_variance", "curvature", "second_moment"):
            assert_allclose(getattr(process, name)[n], getattr(one, name), rtol=1e-14)
        assert_allclose(process.state_variance(0.5, 3)[n], one.state_variance(0.5, 3), rtol=1e-14)


@pytest.mark.parametrize("name", ["curvature", "second_moment"])
def test_a_gain_without_an_expected_return_is_refused(name):
    # gamma c^2 = 0.64 * 1.3^2 = 1.0816.
    mdp, _ = random_linear_quadratic(np.random.default_rng(2), discount=0.64)
    gains = (np.array([0.5, 1.3, -1.5]) - mdp.drift) / mdp.control
    words = (
        f"gain[1] is {gains[1]:g}: the closed loop has drift a + b k = 1.3, and discount * drift^2 = 1.0816; "
        "expected below 1, or the expected return does not exist"
    )
    with pytest.raises(ValueError, match=exactly(words)):
        getattr(chain(mdp, LinearGaussianPolicy(gains, 0.0)), name)
    with pytest.raises(ValueError, match=r"^gain is .*: the closed loop has drift a \+ b k = -1\.5, and "):
        getattr(chain(mdp, LinearGaussianPolicy(gains[2], 0.0)), name)
    assert np.isfinite(getattr(chain(mdp, LinearGaussianPolicy(gains[0], 0.0)), name))


@pytest.mark.parametrize("name", ["curvature", "second_moment"])
def test_a_gain_at_the_edge_has_no_expected_return(name):
    # gamma c^2 = 0.25 * 2^2 = 1.
    mdp = LinearQuadraticMDP(2, 1, 1, 1, 0.5, 0, 1, 0.25)
    with pytest.raises(ValueError, match=r"^gain is 0: .* discount \* drift\^2 = 1; expected below 1"):
        getattr(chain(mdp, LinearGaussianPolicy(0.0, 0.0)), name)


@pytest.mark.parametrize("gain", [-1e-20, -1e-15, 1e-13, -2 + 1e-15])
def test_the_distance_from_the_edge_is_right_to_the_last_digit(gain):
    # a = b = 1: c = 1 + k is rounded, to 1 for the first gain; 1 - c^2 = -k (2 + k) is not.
    mdp = LinearQuadraticMDP(1, 1, 1, 1, 0.5, 0, 1, 1 - 1e-12)
    process = chain(mdp, LinearGaussianPolicy([gain, 0.0, 1e70], 0.0))
    k, gamma = Fraction(gain), Fraction(mdp.discount)
    assert_allclose(process.margin(1.0)[0], float(-k * (2 + k)), rtol=1e-15)
    margin = process.margin(mdp.discount)
    assert_allclose(margin[:2], [float(1 - gamma * (1 + k) ** 2), float(1 - gamma)], rtol=1e-15)
    assert_allclose(margin[2], -1e140, rtol=1e-11)
    one = chain(mdp, LinearGaussianPolicy(gain, 0.0))
    assert_allclose(one.margin(mdp.discount), margin[0], rtol=1e-15)
    assert_allclose(one.curvature, float((1 + k * k) / Fraction(margin[0])), rtol=1e-14)


def test_whether_the_values_exist_can_be_asked_before_they_are_needed():
    chain(RING, ONLY).check_values()
    endless = FiniteMDP(np.ones((1, 1, 1)), [[1.0]], [1.0], 1.0)
    with pytest.raises(ValueError, match="discount is 1 and the episode need not end"):
        chain(endless, SoftmaxPolicy.tabular([[0.0]])).check_values()
    mdp, policy = random_linear_quadratic(np.random.default_rng(8))
    chain(mdp, policy).check_values()
    with pytest.raises(ValueError, match="or the expected return does not exist"):
        chain(mdp, LinearGaussianPolicy(1e6, 0.0)).check_values()
