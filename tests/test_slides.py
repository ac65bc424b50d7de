"""The slides as executable statements: each holds on every problem, and each sees a plausible mistake."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

from pgtlab import (
    FiniteMDP,
    LinearGaussianPolicy,
    SoftmaxPolicy,
    expected_return,
    fisher_information,
    natural_policy_gradient,
    policy_gradient,
    state_visitation,
)
from pgtlab.critics import compatible_values, compatible_weights
from pgtlab.estimators import ActionValues, ReturnToGo, estimate_gradient, return_estimate
from pgtlab.exact.values import action_values
from pgtlab.gallery import (
    garnet,
    gridworld,
    linear_quadratic,
    now_or_later,
    one_knob,
    short_corridor,
    two_states,
)
from pgtlab.rollouts import GeometricHorizon, rollout
from pgtlab.slides import FORMULAS, Check, Formula, check, check_all, finite_routes, ledger, where
from pgtlab.slides.finite_routes import series
from pgtlab.slides.formula import routes as second_routes
from pgtlab.slides.specimen import leak, specimen
from tests import routes
from tests.enumeration import SEEN, all_paths, gathered, moments, off, score_sums
from tests.problems import (
    FEATURES,
    TablePolicy,
    exactly,
    garden,
    layered_problem,
    linear_quadratic_problems,
    problems,
    random_linear_quadratic,
    random_policy,
    random_problem,
)

#: Every numbered formula of the slides, written out.
BY_SLIDE = [
    ["7.1", "7.2", "7.3", "7.4", "7.5"],
    ["8.1", "8.2", "8.3", "8.4", "8.5"],
    ["9.1", "9.2"],
    ["10.1", "10.2"],
    ["11.1", "11.2"],
    ["12.1", "12.2"],
    ["13.1", "13.2"],
    ["14.1", "14.2"],
    ["15.1", "15.2"],
    ["17.1", "17.2", "17.3"],
    ["18.1", "18.2", "18.3"],
    ["19.1", "19.2"],
    ["20.1", "20.2", "20.3"],
    ["21.1", "21.2"],
    ["22.1", "22.2", "22.3"],
    ["23.1", "23.2", "23.3", "23.4"],
]
NUMBERED = [id for slide in BY_SLIDE for id in slide]

#: The points that they leave out.
POINTS = [f"point {number}" for number in range(1, 11)]

#: All that is about decision processes, the slides' own.
SLIDES = [*NUMBERED, *POINTS]

#: The formulas of the chapter on language models, which are about token trees (see test_slides_language).
LETTERED = [f"L.{number}" for number in range(1, 19)]

#: What cannot be put to the linear-quadratic problem.
FINITE_ONLY = {"point 1", "point 4", "point 9"}

#: What needs a discount below 1.
DISCOUNTED = {"point 7", "point 9"}

#: Mistakes that a random problem need not show: where the Fisher information is regular (2), where what pays
#: most at once is also best (7), and where the bound is not nearly met (9).
HIDDEN = {"point 2", "point 7", "point 9"}

#: Mistakes that change nothing in the linear-quadratic problem: the advantage is in the span of the score, so
#: that every fit is exact and gives the same weights, and every state looks alike to the policy.
INVISIBLE_TO_GAUSSIANS = {"17.2", "17.3", "point 2"}


def disagreeing(results):
    return [str(each) for each in results if not each.agrees]


# --- what is there ---------------------------------------------------------------------------------


def test_every_formula_and_every_point_is_there_in_order():
    assert list(FORMULAS) == NUMBERED + LETTERED + POINTS
    assert all(id == formula.id for id, formula in FORMULAS.items())


def test_the_proofs_are_of_the_same_formulas():
    letters = pytest.importorskip("pgtlab.letters")
    assert list(letters.PROOFS) == list(FORMULAS)


@pytest.mark.parametrize("id", FORMULAS)
def test_a_formula_says_what_it_states_and_how(id):
    formula = FORMULAS[id]
    where = {"L": "chapter 6", "p": r"S\d+"}.get(id[0], f"S{id.split('.')[0]}")
    assert re.fullmatch(where, formula.slide)
    assert formula.kind in {"identity", "definition", "condition", "algorithm", "bound"}
    for words in (formula.title, formula.left_route, formula.right_route, formula.mutation):
        assert words == words.strip() != ""
        # A sentence without its full stop, that no line break or mark-up interrupts.
        assert not set(words) & set("\n\\$*`")
    assert formula.left_route != formula.right_route
    assert 0 < formula.within <= 1e-8


@pytest.mark.parametrize("id", FORMULAS)
def test_the_statement_is_balanced_latex(id):
    statement = FORMULAS[id].statement
    assert re.search(r"=|\\le|\\leftarrow", statement)
    bare = re.sub(r"\\[{}]", "", statement)
    assert bare.count("{") == bare.count("}")
    depth = np.cumsum([(c == "{") - (c == "}") for c in bare])
    assert depth.min() >= 0
    # No letter of a command was eaten by an escape of Python.
    assert not re.search(r"[\t\r\x07\x08\x0b\x0c]", statement)
    for size in ("big", "Big"):
        opened = re.findall(rf"\\{size}[(\[]", statement)
        assert len(opened) == len(re.findall(rf"\\{size}[)\]]", statement))
    assert "$" not in statement


def test_the_titles_and_mistakes_differ_enough_to_be_told_apart():
    pairs = {(formula.title, formula.statement) for formula in FORMULAS.values()}
    assert len(pairs) == len(FORMULAS)
    assert len({formula.mutation for formula in FORMULAS.values()}) > 35


# --- where they are --------------------------------------------------------------------------------


@pytest.mark.parametrize("id", FORMULAS)
def test_a_label_leads_to_both_sides_the_mistake_and_the_proof_in_files_of_one_name(id):
    pytest.importorskip("pgtlab.letters")
    label = re.sub(r"[. ]", "_", id)
    found = where(id)
    assert list(found) == [f"{each}_{label}" for each in ("left", "right", "mistaken", "lines")]
    root = Path(inspect.getfile(Formula)).parents[2]
    for name, place in found.items():
        path, line = place.split(":")
        assert (
            (root / path).read_text(encoding="utf-8").splitlines()[int(line) - 1].startswith(f"def {name}(")
        )
    assert len({Path(place.split(":")[0]).name for place in found.values()}) == 1


def test_a_side_says_how_it_is_found_and_can_be_called_by_its_name():
    theorem = FORMULAS["9.1"]
    assert theorem.left.__name__ == "left_9_1"
    assert theorem.left.__doc__ == theorem.left_route == "differences of J, itself a sum over time"
    assert_allclose(theorem.right(*now_or_later()), policy_gradient(*now_or_later()))
    assert "def mistaken_9_1(R):" in inspect.getsource(theorem.mistaken)


def test_a_formula_shows_its_statement_its_sources_and_its_proof():
    pytest.importorskip("pgtlab.letters")
    bundle = FORMULAS["13.1"]._repr_mimebundle_()
    lines = bundle["text/plain"].splitlines()
    assert lines[0] == "(13.1) the one-step probability"
    assert "left side: the chain's matrix, or closed form (left_13_1)" in lines
    assert "(13.1) 1. over all ways of one step from each state: proved" in lines
    assert max(map(len, lines)) <= 76
    page = bundle["text/html"]
    for name in ("left_13_1", "right_13_1", "mistaken_13_1"):
        assert f"<pre>def {name}(R):" in page
    assert page.count("Proof of (13.1)") == 1
    assert "p(s_0 \\to s_1, 1, \\pi)" in page


def test_without_sympy_a_formula_is_shown_without_its_proof(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert list(where("9.1")) == ["left_9_1", "right_9_1", "mistaken_9_1"]
    assert "proved" not in FORMULAS["9.1"]._repr_mimebundle_()["text/plain"]


def test_one_place_asks_which_kind_of_problem_it_is():
    asking = {
        f"{path.name}:{node.name}"
        for path in Path(inspect.getfile(Formula)).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and "isinstance(mdp" in ast.unparse(node)
    }
    assert asking == {"formula.py:_kind"}


# --- they hold -------------------------------------------------------------------------------------


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("id", SLIDES)
def test_each_formula_holds_at_each_discount(id, discount):
    checked = 0
    for features in FEATURES:
        mdp, policy = random_problem(
            np.random.default_rng(7), n_states=5, discount=discount, n_shut=1, features=features
        )
        if FORMULAS[id].applies(mdp, policy):
            checked += 1
            result = check(id, mdp, policy)
            assert result.agrees, str(result)
    assert checked == (0 if discount == 1 and id in DISCOUNTED else len(FEATURES))


@settings(max_examples=40)
@given(problems())
def test_all_hold_on_every_finite_problem(problem):
    results = check_all(*problem)
    left_out = DISCOUNTED if problem[0].discount == 1 else set()
    assert [each.id for each in results] == [id for id in SLIDES if id not in left_out]
    assert disagreeing(results) == []


@settings(max_examples=12)
@given(linear_quadratic_problems())
def test_all_hold_on_every_linear_quadratic_problem(problem):
    results = check_all(*problem)
    assert [each.id for each in results] == [id for id in SLIDES if id not in FINITE_ONLY]
    assert disagreeing(results) == []


def small_room():
    return gridworld(["S..", ".#G"], slip=0.2)


@pytest.mark.parametrize(
    "build",
    [short_corridor, now_or_later, one_knob, two_states, small_room, linear_quadratic, specimen, leak],
)
def test_all_hold_on_the_named_problems(build):
    assert disagreeing(check_all(*build())) == []


def test_all_hold_where_moments_of_order_four_do_not_exist():
    # gamma c^2 = .5 * 1.2^2 = .72 < 1, but gamma c^4 = 1.0368: J exists, the mean squared error does not.
    mdp, policy = linear_quadratic(gain=0.2, discount=0.5)
    results = check_all(mdp, policy)
    assert {each.id for each in results} == set(SLIDES) - FINITE_ONLY - {"17.2", "18.1"}
    assert disagreeing(results) == []
    message = (
        "(17.2) does not apply: discount * drift^4 is 1.0368; expected below 1, or the mean squared error "
        "of every critic is infinite"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        check("17.2", mdp, policy)


def test_all_hold_with_sparse_transitions():
    assert disagreeing(check_all(*garden_with_policy(discount=0.9))) == []


def garden_with_policy(discount):
    mdp = garden(3, discount=discount)
    return mdp, random_policy(np.random.default_rng(3), 9, 4, "linear")


def test_all_hold_for_a_readers_own_policy_that_never_moves():
    mdp, _ = random_problem(np.random.default_rng(4), n_states=3, n_actions=2)
    policy = TablePolicy(np.array([[0.2, 0.8], [1.0, 0.0], [0.5, 0.5]]))
    assert disagreeing(check_all(mdp, policy)) == []


def test_all_hold_where_nothing_is_paid_and_nothing_is_to_be_chosen():
    still = FiniteMDP([[[0.5]]], [[0.0]], [1.0], 0.9)
    results = check_all(still, SoftmaxPolicy.tabular([[0.0]]))
    assert disagreeing(results) == []
    assert {each.residual for each in results if each.formula.sizes == ("return",)} == {0.0}


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_reward_makes_no_difference(unit):
    mdp, policy = specimen()
    rescaled = replace(mdp, reward=unit * mdp.reward)
    assert disagreeing(check_all(rescaled, policy)) == []
    for id, formula in FORMULAS.items():
        if formula.shows_on is specimen:
            one, other = formula.check_mistake(), formula.check_mistake(rescaled, policy)
            assert other.residual == pytest.approx(one.residual, rel=1e-4), id


# --- they see mistakes -----------------------------------------------------------------------------


@pytest.mark.parametrize("id", FORMULAS)
def test_the_mistake_is_caught_where_the_formula_says_it_shows(id):
    formula = FORMULAS[id]
    assert formula.check(*formula.shows_on()).agrees
    assert formula.check_mistake().residual >= 100 * formula.within


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("id", [id for id in SLIDES if id not in HIDDEN])
def test_the_mistake_is_caught_on_random_problems(id, seed):
    mdp, policy = random_problem(
        np.random.default_rng(seed), n_states=5, n_actions=3, features="linear", discount=0.9
    )
    formula = FORMULAS[id]
    assert formula.check(mdp, policy).agrees
    assert formula.check_mistake(mdp, policy).residual >= 100 * formula.within


@pytest.mark.parametrize("id", [id for id in SLIDES if id not in FINITE_ONLY | INVISIBLE_TO_GAUSSIANS])
def test_the_mistake_is_caught_on_the_linear_quadratic_problem(id):
    mdp, policy = linear_quadratic()
    formula = FORMULAS[id]
    assert formula.check(mdp, policy).agrees
    assert formula.check_mistake(mdp, policy).residual >= 100 * formula.within


def test_where_the_score_spans_the_advantage_every_fit_is_right():
    for id in INVISIBLE_TO_GAUSSIANS:
        assert FORMULAS[id].check_mistake(*linear_quadratic()).agrees


def test_a_dropped_discount_turns_the_gradient_round():
    # K9 with c = 1.05: (1 - .9 c) / 4 with gamma^t, (1 - c) / 4 without.
    result = FORMULAS["point 4"].check_mistake(*one_knob(1.05))
    assert_allclose(result.left[0], [(1 - 0.9 * 1.05) / 4], rtol=1e-12)
    assert_allclose(result.right[0], [(1 - 1.05) / 4], rtol=1e-12)
    assert not result.agrees


def test_the_literal_update_does_not_come_to_rest_at_the_natural_gradient():
    # K2 at p = 1/2: FIM = 1/4, it rests at -1, and at 8 the mean update is 1/4 (8 - -1).
    result = FORMULAS["23.3"].check_mistake(*now_or_later())
    assert_allclose(result.left[0], [0.0], atol=1e-14)
    assert_allclose(result.right[0], [-2.25], rtol=1e-12)


def test_td_with_a_misplaced_discount_learns_a_third_thing():
    # K2: the score of the first state meets the reward there, 1/2 (-1) of SC R, and the 10 of the next state
    # that "later" leads to, 1/2 (1/2) 10 times what is left of the trace: gamma lambda or gamma^2 lambda.
    result = FORMULAS["point 1"].check_mistake(*now_or_later())
    for i, lam in enumerate([0.0, 0.5, 1.0]):
        assert_allclose(result.left[0][i], -0.25 + 2.5 * 0.9 * lam, rtol=1e-12, atol=1e-14)
        assert_allclose(result.right[0][i], -0.25 + 2.5 * 0.81 * lam, rtol=1e-12, atol=1e-14)


def test_normalised_visits_divide_the_return_of_the_corridor_by_its_length():
    # K1 at p = 1/2: rho = (6, 4, 2), so J = -12 becomes -1, the reward of a step.
    result = FORMULAS["8.4"].check_mistake(*short_corridor())
    assert_allclose([result.left[0], result.right[0]], [[-12.0], [-1.0]], rtol=1e-12)


def test_the_bound_on_the_change_of_visits_is_nearly_met_and_fails_with_one_factor_less():
    # One stays with p = sigmoid(theta): rho(0) = 1 / (1 - gamma p), and what state 0 loses state 1 gains.
    mdp, policy = leak()
    gamma, stay = 0.9, policy.probs()[0, 0]
    after = policy.with_parameters(policy.parameters + 0.3).probs()[0, 0]
    moved = 2 * abs(1 / (1 - gamma * after) - 1 / (1 - gamma * stay))
    result = check("point 9", mdp, policy)
    assert_allclose(result.left[0], [moved], rtol=1e-11)
    assert_allclose(result.right[0], [0.9 / 0.01 * 2 * (after - stay)], rtol=1e-11)
    assert moved > result.right[0] / 2 > result.right[0] * 0.1
    assert result.agrees
    assert not FORMULAS["point 9"].check_mistake().agrees


def test_a_perturbed_critic_is_not_compatible():
    # (17.1) and (17.2) hold for the critic that was built to meet them, and fail for one a little beside it.
    mdp, policy = specimen()
    R, w = second_routes(mdp, policy), natural_policy_gradient(mdp, policy)
    best = R.error(w)
    for step in 1e-3 * np.vstack([np.eye(2), -np.eye(2)]):
        assert R.error(w + step) > best
    slope = R.slope_along(np.array([1.0, 0.0]), lambda moved: moved.error(w))
    assert abs(slope) > 1e-3  # in theta it is not stationary, only in w


# --- points beyond one problem ---------------------------------------------------------------------


def test_the_partial_derivatives_converge_like_the_discount():
    # Point 6: what is left after n terms is at most max|R| max|SC| sum_{t >= n} (t + 1) gamma^t.
    mdp, policy = random_problem(np.random.default_rng(2), discount=0.5, features="linear")
    R = second_routes(mdp, policy)
    reward, score = np.abs(mdp.reward).max(), np.linalg.norm(policy.scores(), axis=-1).max()
    gradient = policy_gradient(mdp, policy)
    for n in (1, 4, 8, 12):
        cut = R.slope(lambda moved, n=n: moved.over_start(moved.values_to_go(n)))
        tail = 0.5**n * ((n + 1) / 0.5 + 0.5 / 0.25)
        assert np.linalg.norm(gradient - cut) <= reward * score * tail + 1e-9


def test_where_the_return_need_not_exist_every_formula_says_so():
    # Point 6 too: a loop without end at discount 1, and a closed loop that grows.
    endless = FiniteMDP([[[1.0], [0.0]]], [[1.0, 0.0]], [1.0], 1.0)
    never = TablePolicy(np.array([[1.0, 0.0]]))
    growing = linear_quadratic(gain=0.5)
    for id, formula in FORMULAS.items():
        if formula.applies(endless, never):
            with pytest.raises(ValueError, match="^discount is 1 and the episode need not end"):
                check(id, endless, never)
        if formula.applies(*growing):
            with pytest.raises(ValueError, match="or the expected return does not exist$"):
                check(id, *growing)


def test_the_best_policy_of_a_class_may_be_stochastic_where_states_are_aliased():
    # Point 7 and K1: of the aliased policies the best has p = 2 - sqrt 2 and J = -(6 + 4 sqrt 2); among all
    # policies a deterministic one does it in three steps. (Discounted by next to nothing, so that all exist.)
    mdp, policy = short_corridor(2 - math.sqrt(2))
    mdp = replace(mdp, discount=1 - 1e-9)
    result = check("point 7", mdp, policy)
    assert_allclose(result.left[0], [-3.0], rtol=1e-8)
    aliased = expected_return(mdp, policy)
    assert aliased == pytest.approx(-(6 + 4 * math.sqrt(2)), rel=1e-7)
    for p in (0.01, 0.3, 0.99):
        assert expected_return(mdp, short_corridor(p)[1]) < aliased < -3


def test_the_best_linear_feedback_is_that_of_riccati():
    # K3: P* = 1.5884033490 at a = b = q = r = 1 and gamma = .9.
    result = check("point 7", *linear_quadratic())
    P = 1.5884033490
    assert_allclose(result.right[0], [-P * (1 + 0.25 + 0.9 * 0.25 / 0.1)], rtol=1e-9)


def test_without_effect_and_without_cost_any_feedback_is_best():
    mdp, policy = linear_quadratic()
    idle = replace(mdp, control=0.0, action_cost=0.0, drift=0.5)
    assert check("point 7", idle, policy).agrees


# --- the second routes, against those of the tests -------------------------------------------------


@given(problems(discounts=(0.0, 0.5, 1.0)))
def test_the_sums_over_time_are_those_of_the_definitions(problem):
    mdp, policy = problem
    R, probs = second_routes(mdp, policy), policy.probs()
    inside = routes.reachable(mdp, probs)
    P, r = routes.mixed(mdp, probs)
    within = np.ix_(inside, inside)
    V = routes.series(r[inside], lambda term: P[within] @ term, mdp.discount)
    assert_allclose(R.values[inside], V, rtol=1e-12, atol=1e-12)
    rho = routes.series(np.array(mdp.initial), lambda term: term @ P, mdp.discount)
    assert_allclose(R.visits[1], rho, rtol=1e-12, atol=1e-12)
    Q = routes.action_values_at(mdp, probs, mdp.discount)
    assert_allclose(R.action_values[inside], Q[inside], rtol=1e-12, atol=1e-12)
    # What need not exist is missing, and nothing else.
    expected = action_values(mdp, policy)
    np.testing.assert_array_equal(np.isnan(R.action_values), np.isnan(expected))


def test_the_paths_are_all_paths_with_their_probabilities():
    mdp, policy = layered_problem(np.random.default_rng(1), n_states=3)
    s, a, weights = second_routes(mdp, policy).paths(3)
    assert weights.sum() == pytest.approx(1.0, rel=1e-12)
    found = {}
    for n, weight in enumerate(weights):
        # After the end, state S = 3, the walk stands still.
        path = tuple((int(s[t, n]), int(a[t, n])) for t in range(3) if s[t, n] < 3)
        found[path] = found.get(path, 0.0) + weight
    expected = {}
    for probability, path in routes.paths(mdp, policy.probs()):
        expected[tuple(path)] = expected.get(tuple(path), 0.0) + probability
    assert set(found) == set(expected)
    for path, probability in expected.items():
        assert found[path] == pytest.approx(probability, rel=1e-12)


def test_the_nodes_integrate_polynomials_of_the_gaussian_exactly():
    mdp, policy = random_linear_quadratic(np.random.default_rng(6))
    R, x = second_routes(mdp, policy), np.array([0.7, -1.2])
    for n in (2, 4, 6, 7):
        mean, std = mdp.initial_mean, mdp.initial_std
        assert R.over_start(lambda s, n=n: s**n) == pytest.approx(
            routes.gauss(lambda s, n=n: s**n, mean, std)
        )
        over_u = [routes.gauss(lambda u, n=n: u**n, policy.gain * each, policy.std) for each in x]
        assert_allclose(R.over_actions(lambda s, u, n=n: u**n)(x), over_u, rtol=1e-12)
    # The law of each step's state, from simulated moments in closed form: m' = c m, v' = c^2 v + w.
    c = mdp.drift + mdp.control * policy.gain
    second = [R.at(t, np.square) for t in range(3)]
    v, m = mdp.initial_std**2, mdp.initial_mean
    for t in range(3):
        assert second[t] == pytest.approx(m**2 + v, rel=1e-12)
        m, v = c * m, c**2 * v + (mdp.control * policy.std) ** 2 + mdp.noise_std**2


def test_a_quadratic_function_of_the_state_is_known_from_three_places():
    R = second_routes(*linear_quadratic())
    x = np.array([[-1.0, 0.3], [0.9, 2.0]])
    expected = np.stack([3 + x - 0.5 * x**2, x], axis=-1)
    tabulated = R.tabulated(lambda s: np.stack([3 + s - 0.5 * s**2, s], axis=-1))
    assert_allclose(tabulated(x), expected, rtol=1e-10, atol=1e-11)


def test_the_differences_are_of_fourth_order():
    mdp, policy = specimen()
    R, direction = second_routes(mdp, policy), np.array([0.6, -0.8])

    def J(theta):
        probs = policy.with_parameters(theta).probs()
        return mdp.initial @ routes.values(mdp, probs)

    expected = routes.differences(J, policy.parameters, direction)
    assert R.slope_of_return @ direction == pytest.approx(expected, rel=1e-9)
    assert R.slope_along(direction, lambda moved: moved.over_start(moved.V)) == pytest.approx(
        expected, rel=1e-9
    )


def test_the_routes_of_the_last_pair_are_kept():
    mdp, policy = specimen()
    R = second_routes(mdp, policy)
    assert second_routes(mdp, policy) is R
    assert second_routes(mdp, policy.with_parameters([0.0, 0.0])) is not R
    other, _ = specimen()
    assert second_routes(other, policy) is not R


# --- sampled versions ------------------------------------------------------------------------------


def test_sampled_paths_have_the_mean_that_the_algorithm_promises():
    # (7.1), (9.2), (20.1): each false alarm has a chance of 1e-6.
    mdp, policy = specimen()
    rng = np.random.default_rng(31)
    paths = rollout(mdp, policy, n_episodes=20_000, horizon=GeometricHorizon(0.9), rng=rng)
    assert off(return_estimate(paths), check("7.1", mdp, policy).right[0][0]) < 1
    exact_Q = ActionValues(action_values(mdp, policy))
    assert off(estimate_gradient(paths, exact_Q), check("9.2", mdp, policy).right[0]) < 1
    critic = ActionValues(compatible_values(policy, compatible_weights(mdp, policy)))
    assert off(estimate_gradient(paths, critic), check("20.1", mdp, policy).right[0]) < 1


def test_a_sample_shows_that_the_dropped_discount_is_not_the_gradient():
    # Point 4, on K9 with c = 1.05. The undiscounted factor is the return to go over gamma^t: with enough
    # episodes for its bias to be SEEN exact standard errors it is missed with a chance of 1e-6.
    mdp, policy = one_knob(1.05)
    point = FORMULAS["point 4"].check_mistake(mdp, policy)
    chances, exact = gathered(mdp, policy, all_paths(mdp, policy.probs(), 2), None)
    factors = ReturnToGo().weights(exact) / exact.weights[:, None]
    mean, deviation = moments(chances, score_sums(exact, factors))
    assert_allclose(mean, point.right[0], rtol=1e-12)
    N = math.ceil((SEEN * deviation / (mean - point.left[0])).item() ** 2)
    paths = rollout(mdp, policy, n_episodes=N, rng=np.random.default_rng(32))
    sums = score_sums(paths, ReturnToGo().weights(paths) / paths.weights[:, None])[:, 0]
    error = sums.std(ddof=1) / math.sqrt(N)
    five = 4.9  # the quantile of 1e-6 on two sides
    assert abs(sums.mean() - mean[0]) < five * error
    assert abs(sums.mean() - point.left[0][0]) > five * error
    assert off(estimate_gradient(paths, ReturnToGo()), point.left[0]) < 1


def test_a_critic_fitted_on_the_same_sample_is_reinforce_path_for_path():
    # Point 5, on sampled paths: the same number, not only the same mean; and another one on other paths.
    mdp, policy = specimen()
    rng = np.random.default_rng(33)
    paths, others = (rollout(mdp, policy, n_episodes=50, horizon=8, rng=rng) for _ in range(2))
    reinforce = estimate_gradient(paths, ReturnToGo()).mean

    def fitted(sample):
        scores = np.append(policy.scores().reshape(-1, 2), np.zeros((1, 2)), axis=0)[sample.pairs]
        weights = np.broadcast_to(sample.weights[:, None], sample.pairs.shape) * sample.alive
        to_go = ReturnToGo().weights(sample) / sample.weights[:, None]
        root = np.sqrt(weights)
        X, y = (root[..., None] * scores).reshape(-1, 2), (root * to_go).ravel()
        return np.linalg.lstsq(X, y, rcond=None)[0]

    def gradient(w):
        return estimate_gradient(paths, ActionValues(policy.scores() @ w)).mean

    assert_allclose(gradient(fitted(paths)), reinforce, rtol=1e-11)
    assert np.abs(gradient(fitted(others)) - reinforce).max() > 1e-3


# --- results and the ledger ------------------------------------------------------------------------


def test_a_result_has_both_sides_and_says_whether_they_agree():
    mdp, policy = specimen()
    result = check("22.3", mdp, policy)
    assert isinstance(result, Check)
    assert isinstance(result.formula, Formula)
    assert (result.id, result.slide, result.kind) == ("22.3", "S22", "identity")
    assert (result.statement, result.within, result.agrees) == (FORMULAS["22.3"].statement, 1e-8, True)
    assert_allclose(result.left[0], fisher_information(mdp, policy))
    assert 0 <= result.residual <= result.within
    assert result.verdict == "agree 1e-08"
    assert re.fullmatch(
        r"\(22\.3\) the left side \[(\S+, ){3}\.\.\.\] and the right side \[(\S+, ){3}\.\.\.\] "
        r"agree within 1e-08",
        str(result),
    )
    for change in ("residual", "left"):
        with pytest.raises(AttributeError):
            setattr(result, change, 0.0)
    with pytest.raises(AttributeError):
        result.formula.id = "22.4"


def test_a_side_that_is_missing_or_of_another_shape_never_agrees():
    formula = replace(FORMULAS["8.4"], right=lambda mdp, policy: [1.0, 2.0])
    assert formula.check(*specimen()).residual == math.inf
    formula = replace(FORMULAS["8.4"], right=lambda mdp, policy: math.nan)
    assert formula.check(*specimen()).residual == math.inf
    formula = replace(formula, left=lambda mdp, policy: math.nan)
    assert formula.check(*specimen()).residual == 0.0


def test_a_bound_is_broken_on_one_side_only():
    formula = replace(FORMULAS["point 9"], left=lambda mdp, policy: 1.0, right=lambda mdp, policy: 5.0)
    assert formula.check(*specimen()).residual == 0.0
    assert formula.check(*specimen()).verdict == "hold 1e-10"
    broken = replace(formula, right=lambda mdp, policy: 0.5)
    # The mass of rho is more than both.
    mass = state_visitation(*specimen()).sum()
    assert broken.check(*specimen()).residual == pytest.approx(0.5 / mass, rel=1e-12)


def test_the_residual_is_a_share_of_the_size_of_what_is_compared():
    # J of the corridor is -12, earned in 12 steps of -1; two that differ by 0.12 differ by a hundredth.
    formula = replace(FORMULAS["8.4"], right=lambda mdp, policy: -11.88)
    assert formula.check(*short_corridor()).residual == pytest.approx(0.01, rel=1e-12)
    # Zero against zero agrees, whatever the size.
    still = FiniteMDP([[[0.5]]], [[0.0]], [1.0], 0.9)
    assert check("8.4", still, SoftmaxPolicy.tabular([[0.0]])).residual == 0.0


@pytest.mark.parametrize("build", [two_states, linear_quadratic])
def test_the_ledger_has_a_row_for_each_result_in_76_columns(build):
    results = check_all(*build())
    lines = ledger(results).splitlines()
    assert max(map(len, lines)) <= 76
    assert all(line == line.rstrip() for line in lines)
    assert lines[0].split() == ["formula", "left", "side", "right", "side", "verdict"]
    assert lines[-1] == f"{len(results)} of {len(results)} hold"
    labels = [line[:8].strip() for line in lines[1:-1]]
    assert [label for label in labels if label] == [each.id for each in results]
    # What is cut into cells is all there.
    columns = [" ".join(line[a:b].strip() for line in lines[1:-1]) for a, b in ((9, 35), (36, 62))]
    for words, side in zip(columns, ("left_route", "right_route"), strict=True):
        told = " ".join(getattr(each.formula, side) for each in results)
        assert words.split() == told.split()
    verdicts = {line[63:] for line in lines[1:-1]} - {""}
    assert verdicts <= {"agree 1e-10", "agree 1e-08", "hold 1e-10"}


def test_the_ledger_shows_what_differs():
    results = [check("9.1", *two_states()), FORMULAS["point 9"].check_mistake()]
    lines = ledger(iter(results)).splitlines()
    assert lines[-1] == "1 of 2 hold"
    assert any(re.search(r"^point 9 .* DIFFER \de-\d\d$", line) for line in lines)
    assert ledger([]).splitlines()[1:] == ["0 of 0 hold"]


# --- refusals --------------------------------------------------------------------------------------


def test_an_unknown_formula_is_named():
    with pytest.raises(KeyError, match="there is no formula '7.9'; expected one of 7.1, 7.2, .*, point 10"):
        check("7.9", *two_states())


@pytest.mark.parametrize("id", sorted(FINITE_ONLY | DISCOUNTED))
def test_a_formula_that_does_not_apply_says_why(id):
    problem = linear_quadratic() if id in FINITE_ONLY else short_corridor()
    formula = FORMULAS[id]
    assert not formula.applies(*problem)
    for put in (formula.check, formula.check_mistake):
        with pytest.raises(ValueError, match=rf"^\({id}\) does not apply: .{{30,}}"):
            put(*problem)


def test_one_policy_at_a_time():
    mdp, policy = two_states()
    batch = policy.with_parameters(np.zeros((3, 2)))
    message = "policy is a batch of shape (3,); expected one policy at a time"
    for put in (check_all, FORMULAS["9.1"].check):
        with pytest.raises(ValueError, match=exactly(message)):
            put(mdp, batch)
    lq, _ = linear_quadratic()
    with pytest.raises(ValueError, match=exactly(message)):
        check_all(lq, LinearGaussianPolicy([0.0, 0.1, 0.2], -1.0))


def test_what_is_no_problem_or_no_policy_for_it_is_refused():
    mdp, policy = two_states()
    with pytest.raises(
        TypeError, match="^mdp must be a FiniteMDP, a LinearQuadraticMDP or a TokenTree, got int$"
    ):
        check_all(3, policy)
    with pytest.raises(TypeError, match="^policy must be a FinitePolicy, got NoneType|^policy must be"):
        check_all(mdp, None)
    with pytest.raises(TypeError, match="^policy must be a LinearGaussianPolicy, got SoftmaxPolicy$"):
        check_all(linear_quadratic()[0], policy)
    with pytest.raises(ValueError, match="^policy is for 3 states and 2 actions; expected 2 states"):
        check_all(mdp, short_corridor()[1])


def test_a_sum_over_time_that_is_too_long_is_refused():
    mdp, policy = garnet(2, 2, 2, discount=1 - 1e-6, rng=np.random.default_rng(0))
    message = (
        "the sum over time has more than 50000 terms; expected a smaller discount, "
        "or episodes that end sooner"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        check("8.1", mdp, policy)
    mdp, policy = linear_quadratic(discount=1 - 1e-6, gain=-0.5)
    message = (
        "the sum over time has more than 50000 terms: discount is 0.999999 and the closed loop has drift "
        "0.5; expected discount * drift^2 further below 1"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        check("8.1", mdp, policy)


def test_an_optimum_that_is_too_far_off_is_refused():
    mdp, policy = garnet(2, 2, 2, discount=1 - 1e-6, rng=np.random.default_rng(0))
    message = "the best values are not reached in 50000 steps; expected a smaller discount"
    with pytest.raises(ValueError, match=exactly(message)):
        check("point 7", mdp, policy)


def test_a_sum_without_a_limit_is_refused():
    message = "the sum over time does not converge; expected a discount below 1, or episodes sure to end"
    with pytest.raises(ValueError, match=exactly(message)):
        series(np.eye(2), np.ones(2))


def test_the_end_is_a_state_in_which_nothing_happens():
    R = second_routes(*specimen())
    assert isinstance(R, finite_routes.FiniteRoutes)
    end, action = np.array([3]), np.array([1])
    for f in (R.reward, R.Q):
        assert f(end, action) == [0.0]
    assert R.V(end) == [0.0]
    assert_allclose(R.over_next(lambda s: (s == 3) * 1.0)(end, action), [1.0])
    assert_allclose(R.score(end, action), [[0.0, 0.0]])
