"""The derivations with letters: every line is proved, a wrong one is seen, the numbers agree with pgtlab."""

import dataclasses
import functools
import hashlib
import html
import os
import re
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy as sp
from numpy.testing import assert_allclose
from sympy.core.function import AppliedUndef

import pgtlab
from pgtlab import gallery, letters
from pgtlab.letters import FURTHER_PROOFS, GALLERY_PROOFS, PROOFS, Line, Proof, equal, over_actions, typeset
from pgtlab.letters.equality import reduction
from pgtlab.letters.fractions import Fractions, NotAFractionError
from tests.problems import exactly, random_problem

#: How many numbered formulas each slide has.
SLIDES = {7: 5, 8: 5, 9: 2, 10: 2, 11: 2, 12: 2, 13: 2, 14: 2, 15: 2}
SLIDES |= {17: 3, 18: 3, 19: 2, 20: 3, 21: 2, 22: 3, 23: 4}
FORMULAS = [f"{slide}.{number}" for slide, last in SLIDES.items() for number in range(1, last + 1)]
#: Those of the chapter on language models.
LETTERED = [f"L.{number}" for number in range(1, 19)]
#: What the slides leave out or get wrong.
POINTS = [f"point {number}" for number in range(1, 11)]

ALL_PROOFS = PROOFS | GALLERY_PROOFS | FURTHER_PROOFS


@functools.cache
def lines(id):
    return list(ALL_PROOFS[id].lines())


@functools.cache
def all_that_a_proof_depends_on():
    """The fingerprint of every file of the derivations, of this one, and of what they run on."""
    files = sorted([*Path(letters.__file__).parent.glob("*.py"), Path(__file__)])
    versions = f"{sys.version} {sp.__version__} {mpmath.__version__}"
    return hashlib.sha256(b"".join(file.read_bytes() for file in files) + versions.encode()).hexdigest()


@pytest.fixture
def proved(request):
    """Skips a test that has passed with the same files before; called at its end, says that it has passed."""
    cache = getattr(request.config, "cache", None)
    if cache is None or os.environ.get("CI"):
        return lambda: None
    key = f"pgtlab/proved/{hashlib.sha256(request.node.name.encode()).hexdigest()}"
    if cache.get(key, None) == all_that_a_proof_depends_on():
        pytest.skip("proved before, with the same files")
    return lambda: cache.set(key, all_that_a_proof_depends_on())


# --- the proofs ------------------------------------------------------------------------------------


def test_every_formula_and_every_point_has_a_proof_in_the_order_of_the_slides():
    assert list(PROOFS) == FORMULAS + LETTERED + POINTS
    assert all(proof.id == id for id, proof in ALL_PROOFS.items())


def test_the_proofs_of_the_gallery_are_of_problems_that_it_has():
    assert set(GALLERY_PROOFS) <= {name for name in dir(gallery) if callable(getattr(gallery, name))}


@pytest.mark.parametrize("id", ALL_PROOFS)
def test_every_line_of_the_proof_holds(id, capsys, proved):
    Proof(id, lambda: lines(id)).check()
    wrapped = capsys.readouterr().out
    assert max(map(len, wrapped.splitlines())) <= 76
    # What was too long for a line goes on, indented, in the next.
    printed = wrapped.replace("\n    ", " ").splitlines()
    assert len(printed) == len(lines(id)) >= 1
    for number, (line, told) in enumerate(zip(lines(id), printed, strict=True), start=1):
        assert told == f"({id}) {number}. {line.reason}: proved"
    proved()


@pytest.mark.parametrize("id", ALL_PROOFS)
def test_no_line_of_the_proof_is_empty(id, proved):
    """A line with a symbol added to its left side must not be provable any more."""
    extra = sp.Symbol("extra")
    for line in lines(id):
        plus = extra * sp.ones(*line.left.shape) if hasattr(line.left, "shape") else extra
        assert not equal(line.left + plus, line.right), line.reason
    proved()


def test_a_proof_makes_its_lines_anew_each_time():
    assert PROOFS["8.4"].lines() is not PROOFS["8.4"].lines()
    assert next(PROOFS["8.4"].lines()) == lines("8.4")[0]


def test_a_wrong_line_is_named_with_both_sides():
    P, _, p0, gamma = letters.chain()
    rho = letters.visitation(P, p0, gamma)
    mistaken = Proof("8.5", lambda: [Line("the transpose left out", rho, p0 + gamma * P * rho)])
    with pytest.raises(AssertionError, match=r"\(8\.5\), line 1, the transpose left out: .* is not "):
        mistaken.check()


# --- proofs that show themselves -------------------------------------------------------------------

SHOWN = ["7.2", "7.4", "8.5", "13.1", "21.1", "20.2", "point 6", "point 9", "two_states"]


def shown(id):
    return Proof(id, lambda: lines(id))._repr_mimebundle_()


@pytest.mark.parametrize("id", SHOWN)
def test_a_proof_shows_each_line_with_its_reason_and_the_difference_that_becomes_0(id, capsys):
    bundle = shown(id)
    Proof(id, lambda: lines(id)).check()
    assert bundle["text/plain"] + "\n" == capsys.readouterr().out
    page = bundle["text/html"]
    steps = page.split("<li>")[1:]
    assert len(steps) == len(lines(id))
    for line, step in zip(lines(id), steps, strict=True):
        assert html.escape(line.reason) in step
        assert step.count("<details>") == step.count("</details>") == 1
        assert r'<dd><div class="math">\[0\]</div></dd></dl>' in step
    # Whatever a formula holds, the page's tags are those that are meant.
    assert set(re.findall(r"<(\w+)", page)) <= {
        "div",
        "p",
        "ol",
        "li",
        "details",
        "summary",
        "dl",
        "dt",
        "dd",
    }
    formulas = re.findall(r"\\\[(.*?)\\\]", page, flags=re.DOTALL)
    assert all(each.count("{") == each.count("}") for each in formulas)
    assert max(map(len, formulas)) < 1200


def test_a_proof_can_be_shown_without_what_its_lines_fold_out():
    proof = Proof("7.4", lambda: lines("7.4"))
    assert proof.page() == shown("7.4")["text/html"]
    brief = proof.page(folds=False)
    assert brief.count("<li>") == len(lines("7.4"))
    assert "<details" not in brief


def test_a_definition_is_checked_and_a_claim_is_proved():
    titles = {id: re.search(r'"pgt-proof-title">(.+?)</p>', shown(id)["text/html"])[1] for id in SHOWN}
    defined = {id for id in SHOWN if titles[id] == f"Check of definition ({id})"}
    assert defined == {"7.2", "7.4", "8.5"}
    assert all(titles[id].startswith("Proof of ") for id in set(SHOWN) - defined)


def test_a_proof_is_shown_alike_by_another_process():
    code = "from pgtlab.letters import PROOFS; print(PROOFS['22.3']._repr_mimebundle_()['text/html'])"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    again = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert again.stdout.strip() == shown("22.3")["text/html"]


def test_a_proof_that_does_not_hold_is_not_shown():
    x = sp.Symbol("x")
    with pytest.raises(AssertionError, match=r"\(0\.0\), line 2, x is one more: x is not x \+ 1"):
        Proof("0.0", lambda: [Line("x is x", x, x), Line("x is one more", x, x + 1)])._repr_mimebundle_()


def test_the_object_carried_along_is_boxed_and_a_long_equation_has_two_rows():
    assert typeset.statement(r"«V» = \d{V} + \pd{J}{w} + \FIM") == (
        r"\boxed{V} = \frac{\partial V}{\partial \theta} + \frac{\partial J}{\partial w} + \mathrm{FIM}"
    )
    long = typeset.statement(
        r"a + b + c + d + e = f + g + h + i + j + k + l + m + n + o + p + q + r + s + t + u + v + w"
    )
    assert long.startswith(r"\begin{aligned} & a + b + c + d + e \\ & \quad = f")


def test_what_is_cut_says_how_much_is_left_out():
    x, y, a, b = sp.symbols("x y a b")
    terms = sp.symbols("t_:9")
    assert typeset.cut(sum(terms), 9) == " + ".join(f"t_{{{i}}}" for i in range(9))
    # One term for six letters of room.
    assert typeset.cut(sum(terms), 8) == r"t_{0} + \cdots_{8}"
    assert typeset.cut(sum(terms), 2) == r"\cdots"
    assert typeset.cut(-x * sum(terms), 8) == r"- x \left(t_{0} + \cdots_{8}\right)"
    assert typeset.cut((x + y) / sum(terms), 6) == r"\frac{x + y}{t_{0} + \cdots_{8}}"
    assert typeset.cut(sp.exp(sum(terms)), 6) == r"e^{t_{0} + \cdots_{8}}"
    assert typeset.cut(sp.log(sum(terms)), 6) == r"\log\left(t_{0} + \cdots_{8}\right)"
    assert typeset.cut(sum(terms) ** 2, 7) == r"\left(t_{0} + \cdots_{8}\right)^{2}"
    assert typeset.cut(x * y * a * b * sp.Symbol("c"), 3) == r"a \cdots"


def test_letters_look_as_on_the_slides():
    theta, primed = sp.symbols("theta_0 theta_1"), sp.Symbol("sigma'")
    pi = sp.Function("pi_00")(*theta)
    assert typeset.cut(pi.diff(theta[0]), 9) == r"\frac{\partial \pi_{00}}{\partial \theta_{0}}"
    assert typeset.cut(pi.diff(theta[0], 2), 9) == r"\frac{\partial^2 \pi_{00}}{\partial \theta_{0}^2}"
    assert typeset.cut(pi**2, 9) == r"{\pi_{00}}^{2}"
    assert typeset.cut(primed * sp.Symbol("P'_01"), 9) == r"{P'}_{01} {\sigma'}"


def test_a_difference_over_one_denominator_has_the_same_terms_on_both_sides():
    x, y = sp.symbols("x y")
    # (x + 1)^2 / y = (x^2 + 2 x + 1) / y, three terms over y
    found = reduction((x + 1) ** 2 / y, x**2 / y + (2 * x + 1) / y)
    assert found.left == found.right
    assert (len(found.left), len(found.below)) == (3, 1)
    assert reduction(sp.sqrt(x), sp.sqrt(x)) is None


def test_a_series_that_sympy_sums_under_another_condition_is_refused(monkeypatch):
    x = sp.Symbol("x")
    monkeypatch.setattr(sp, "summation", lambda *_: sp.Piecewise((1 / (1 - x), x < 1), (sp.oo, True)))
    with pytest.raises(
        ArithmeticError, match=r"^SymPy sums .* where .*x < 1.*; expected it where Abs\(.*\) < 1$"
    ):
        PROOFS["14.2"].check()


# --- mistakes that people make, each refused -------------------------------------------------------


def named(expression, name):
    return [symbol for symbol in expression.free_symbols if symbol.name == name]


def put(expression, **values):
    """Return the expression with numbers for the symbols of these names."""
    return expression.xreplace(
        {symbol: sp.Integer(value) for name, value in values.items() for symbol in named(expression, name)}
    )


def swapped(expression, *pairs):
    """Return the expression with the symbols of each pair of names exchanged."""
    swaps = {}
    for one, other in pairs:
        swaps |= {sp.Symbol(one): sp.Symbol(other), sp.Symbol(other): sp.Symbol(one)}
    return expression.xreplace(swaps)


def no_gamma(id, number):
    line = lines(id)[number - 1]
    return line.left, put(line.right, gamma=1)


def transposed(id, number):
    """Where one comes from and where one goes exchanged."""
    line = lines(id)[number - 1]
    return line.left, swapped(line.right, ("P_01", "P_10"), ("P^0_01", "P^0_10"), ("P^1_01", "P^1_10"))


def no_rho(id, number):
    line = lines(id)[number - 1]
    return line.left, put(line.right, rho_0=1, rho_1=1, rho_2=1)


def no_critic(id, number):
    line = lines(id)[number - 1]
    return line.left, put(line.right, w_0=0, w_1=0)


def other_action(id, number):
    """The probabilities of the two actions of state 0 exchanged."""
    line = lines(id)[number - 1]
    swaps = {each: 1 - each for each in line.right.atoms(AppliedUndef) if each.func.__name__ == "pi_00"}
    return line.left, line.right.subs(swaps).doit()


def moving():
    policy = letters.any_policy()
    return letters.problem().with_policy(policy), policy


def next_action():
    """M1: the score of the next action at the current state."""
    mdp, policy = moving()
    (score,), (dpi,), Q = policy.scores, policy.derivatives, sp.Matrix(2, 2, sp.symbols("Q_:4"))
    along = letters.path_mean(
        mdp, 2, lambda x: score[x[0][0], x[1][1]] * Q[x[0]] if len(x) > 1 else score[x[0]] * Q[x[0]]
    )
    return along, mdp.initial.dot(over_actions(dpi, Q))


def discount_twice():
    """M2: gamma^t SC_t G_0 in place of the return to go."""
    mdp, policy = moving()
    (score,), gamma = policy.scores, mdp.discount

    def sampled(steps):
        whole = sum(gamma**t * mdp.reward[x] for t, x in enumerate(steps))
        return sum(gamma**t * score[x] * whole for t, x in enumerate(steps))

    return letters.path_mean(mdp, 2, sampled), lines("point 4")[1].right


def no_gamma_on_the_paths():
    """M3: gamma^t dropped from the sampled gradient."""
    mdp, policy = moving()
    (score,) = policy.scores

    def to_go(steps, t):
        return sum(mdp.discount ** (i - t) * mdp.reward[x] for i, x in enumerate(steps) if i >= t)

    along = letters.path_mean(
        mdp, 2, lambda steps: sum(score[x] * to_go(steps, t) for t, x in enumerate(steps))
    )
    return along, lines("point 4")[1].right


def no_drho():
    """The product rule on (8.4) with the visits held still."""
    mdp, policy = moving()
    theta = policy.parameters[0]
    rho, r = letters.state_visitation(mdp), mdp.mixed_reward
    return letters.expected_return(mdp).diff(theta), rho.dot(r.diff(theta))


def no_gamma_in_remainder():
    """One turn of the unrolling without its gamma."""
    P, g, _, gamma = letters.chain()
    dV = letters.values(P, g, gamma)
    return dV, g + P * dV


def crossed(one, other):
    """The left side of a line against the right one of another."""
    return left_of(*one), lines(other[0])[other[1] - 1].right


def motion(name):
    """A function of the parameter, as the answers of a model have it."""
    return sp.Function(name)(sp.Symbol("theta"))


def first_token_only():
    """The pushes on the second token left out."""
    line = lines("L.2")[2]
    return line.left, line.right.subs(motion("u").diff(), 0)


def baseline_dropped():
    """The gradient of the mean of r / |y|."""
    some = letters.answers.three_answers()
    per_token = some.mean([r / n for r, n in zip(some.r, some.n, strict=True)])
    return left_of("L.9", 1), per_token.diff(sp.Symbol("theta"))


def other_way():
    """KL(reference | policy) for KL(policy | reference)."""
    line = lines("L.11")[0]
    a, b = sp.symbols("a b", positive=True)
    P = [motion("p"), motion("q"), 1 - motion("p") - motion("q")]
    return line.left, letters.l11_l18.kl((a, b, 1 - a - b), P)


def lengths_kept():
    """v = g - d: what g gains along it is |g|^2 - |g| |d| cos."""
    a, b = sp.symbols("a b", positive=True)
    return a**2 - a * b * sp.cos(sp.Symbol("phi", real=True)), lines("L.18")[0].right


def features_as_score():
    """M12: the features themselves, not less their mean."""
    policy = letters.softmax([[sp.symbols(f"phi_{s}{a}_:2") for a in range(2)] for s in range(2)])
    phi = sp.Matrix(2, 2, lambda s, a: sp.Symbol(f"phi_{s}{a}_0"))
    return policy, phi, policy.probs.applyfunc(sp.log).diff(policy.parameters[0])


def action_in_baseline():
    """M10: a baseline that depends on the action."""
    mdp, policy = moving()
    (score,), b = policy.scores, sp.Matrix(2, 2, sp.symbols("b_:4"))
    return letters.path_mean(mdp, 1, lambda steps: score[steps[0]] * b[steps[0]]), sp.S.Zero


def of_the_critic():
    """Return policy, visits and Q in the letters of the proofs of S17 to S22."""
    Q = sp.Matrix(3, 2, lambda s, a: sp.Symbol(f"Q_{s}{a}"))
    return letters.any_policy(2, n_states=3), sp.Matrix(sp.symbols("rho_:3")), Q


def critic_values(w):
    """Return SC.w for every state and action."""
    return w[0] * of_the_critic()[0].scores[0] + w[1] * of_the_critic()[0].scores[1]


def pi_twice(f):
    """The sum of rho pi dpi f."""
    policy, rho, _ = of_the_critic()
    doubled = [policy.probs.multiply_elementwise(dpi) for dpi in policy.derivatives]
    return sp.Matrix([rho.dot(over_actions(each, f)) for each in doubled])


def unweighted_fit():
    """The w of a least squares fit in which every state counts the same."""
    policy, rho, Q = of_the_critic()
    pairs = [sp.Matrix(each) for each in zip(*policy.scores, strict=True)]
    fisher = sum((p * x * x.T for p, x in zip(policy.probs, pairs, strict=True)), sp.zeros(2, 2))
    target = sum((p * x * q for p, x, q in zip(policy.probs, pairs, Q, strict=True)), sp.zeros(2, 1))
    (a, b, c, d), (e, f) = fisher, target
    w = [(d * e - b * f) / (a * d - b * c), (a * f - c * e) / (a * d - b * c)]
    slope = sp.Matrix([rho.dot(over_actions(dpi, critic_values(w))) for dpi in policy.derivatives])
    return slope, lines("17.3")[1].right


def value_as_best_baseline():
    """V taken for the baseline that leaves no variance in a step with two actions."""
    pi, *Q = sp.symbols("pi Q_0 Q_1")
    V = pi * Q[0] + (1 - pi) * Q[1]
    return (Q[0] - V) / pi, -(Q[1] - V) / (1 - pi)


def advantage_as_least_norm():
    """A, less its mean under pi and not its plain mean, has a part along what changes no probability."""
    pi, Q = letters.softmax().probs, sp.Matrix(2, 2, sp.symbols("Q_00 Q_01 Q_10 Q_11"))
    V = over_actions(pi, Q)
    return over_actions(sp.ones(2, 2), Q - sp.Matrix.hstack(V, V)), sp.zeros(2, 1)


def bootstrapped():
    """M7: the belief that the literal update's target is the reward and what comes after it."""
    line = lines("23.3")[2]
    after = {
        sp.Symbol(f"R^{a}_{s}"): sp.Symbol(f"R^{a}_{s}")
        + sp.Symbol("gamma") * sum(sp.Symbol(f"P^{a}_{s}{p}") * sp.Symbol(f"V_{p}") for p in range(2))
        for s in range(2)
        for a in range(2)
    }
    return line.left, line.right.subs(after, simultaneous=True)


def scaled(id, number, factor):
    line = lines(id)[number - 1]
    return line.left, factor * line.right


def left_of(id, number):
    return lines(id)[number - 1].left


#: For each proof, what is wrong and a function that returns the two sides of the wrong line.
MISTAKES = {
    "7.1": ("gamma dropped", lambda: no_gamma("7.1", 2)),
    "7.2": ("gamma dropped", lambda: no_gamma("7.2", 1)),
    "7.3": ("gamma dropped", lambda: no_gamma("7.3", 1)),
    "7.4": (
        "Q in place of A",
        lambda: (
            over_actions(letters.problem().policy, sp.Matrix(2, 2, sp.symbols("Q_:4"))),
            sp.zeros(2, 1),
        ),
    ),
    "7.5": ("transpose", lambda: transposed("7.5", 3)),
    "8.1": ("gamma dropped", lambda: no_gamma("8.1", 1)),
    "8.2": ("transpose", lambda: transposed("8.2", 2)),
    "8.3": ("transpose", lambda: transposed("8.3", 2)),
    "8.4": ("transpose", lambda: transposed("8.4", 1)),
    "8.5": ("transpose", lambda: transposed("8.5", 1)),
    "9.1": ("d rho ignored", no_drho),
    "9.2": ("score of the next action", next_action),
    "10.1": ("the other action's probability", lambda: other_action("10.1", 3)),
    "10.2": (
        "dQ forgotten",
        lambda: (
            left_of("10.2", 1),
            lines("10.2")[0].right.subs(
                {each: 0 for each in left_of("10.2", 1).atoms(sp.Derivative) if "Q" in str(each)}
            ),
        ),
    ),
    "11.1": ("gamma dropped", lambda: no_gamma("11.1", 1)),
    "11.2": ("gamma dropped", lambda: no_gamma("11.2", 2)),
    "12.1": ("gamma dropped", lambda: no_gamma("12.1", 1)),
    "12.2": ("transpose", lambda: transposed("12.2", 1)),
    "13.1": ("transpose", lambda: transposed("13.1", 1)),
    "13.2": ("gamma dropped", lambda: no_gamma("13.2", 2)),
    "14.1": ("gamma dropped from the remainder", no_gamma_in_remainder),
    "14.1 b": ("transpose", lambda: transposed("14.1", 3)),
    "14.2": ("gamma^t dropped", lambda: no_gamma("14.2", 2)),
    "15.1": ("gamma^t dropped", lambda: no_gamma("15.1", 2)),
    "15.2": ("transpose", lambda: transposed("15.2", 1)),
    "17.1": ("features not centred", lambda: features_as_score()[1:]),
    "17.2": ("rho forgotten", lambda: no_rho("17.2", 2)),
    "17.3": ("w fitted without rho", unweighted_fit),
    "18.1": ("factor 2 dropped", lambda: scaled("18.1", 1, sp.S.Half)),
    "18.2": ("the critic dropped from the residual", lambda: no_critic("18.2", 1)),
    "18.3": ("the critic dropped from the residual", lambda: no_critic("18.3", 1)),
    "19.1": (
        "pi counted twice",
        lambda: (left_of("19.1", 3), pi_twice(of_the_critic()[2])),
    ),
    "19.2": (
        "pi counted twice",
        lambda: (left_of("19.2", 1), pi_twice(critic_values(sp.symbols("w_0 w_1")))),
    ),
    "20.1": ("gamma^t dropped", lambda: no_gamma("20.1", 2)),
    "20.2": ("V for the best baseline", value_as_best_baseline),
    "20.3": ("baseline that depends on the action", action_in_baseline),
    "21.1": (
        "scores not centred",
        lambda: (left_of("21.1", 3), sp.Matrix(2, 2, sp.symbols("w_00 w_01 w_10 w_11"))),
    ),
    "21.2": (
        "features not centred",
        lambda: (over_actions(features_as_score()[0].probs, features_as_score()[1]), sp.zeros(2, 1)),
    ),
    "22.1": (
        "pi counted twice",
        lambda: (pi_twice(critic_values(sp.symbols("w_0 w_1"))), lines("22.1")[0].right),
    ),
    "22.2": (
        "parameters exchanged",
        lambda: (left_of("22.2", 1), swapped(lines("22.2")[0].right, ("w_0", "w_1"))),
    ),
    "22.3": ("rho forgotten", lambda: no_rho("22.3", 1)),
    "23.1": ("half the second derivative", lambda: scaled("23.1", 2, sp.S.Half)),
    "23.2": (
        "Fisher normalised, gradient not",
        lambda: (left_of("23.2", 1) / sum(sp.symbols("rho_:3")), lines("23.2")[0].right),
    ),
    "23.3": ("the bootstrap term is thought to work", bootstrapped),
    "23.4": ("the Euclidean length", lambda: (left_of("23.4", 2), sum(w**2 for w in sp.symbols("w_0 w_1")))),
    "L.1": ("the end not counted as a token", lambda: (1 + 2 * motion("s"), lines("L.1")[0].right)),
    "L.2": ("the first token only", first_token_only),
    "L.3": ("the answer's own reward kept in the baseline", lambda: crossed(("L.4", 1), ("L.3", 1))),
    "L.4": ("taken for unbiased", lambda: crossed(("L.4", 2), ("L.3", 2))),
    "L.5": (
        "the weight of large groups",
        lambda: (left_of("L.5", 3), motion("p").diff() / sp.sqrt(motion("p") * (1 - motion("p")))),
    ),
    "L.6": ("G for G - 1", lambda: (left_of("L.6", 2), sp.sqrt(3))),
    "L.7": ("G^2 for G (G - 1)", lambda: scaled("L.7", 4, sp.Rational(4, 3))),
    "L.8": ("nothing made of dropped groups", lambda: (left_of("L.8", 4), motion("p").diff())),
    "L.9": ("the baseline thought to drop out", baseline_dropped),
    "L.9 b": ("thought to be a gradient", lambda: (left_of("L.9", 3), sp.S.Zero)),
    "L.10": ("an answer's own length", lambda: crossed(("L.10", 2), ("L.9", 1))),
    "L.11": ("the divergence the other way", other_way),
    "L.12": ("the gradient of the mean", lambda: crossed(("L.12", 3), ("L.12", 2))),
    "L.13": ("one unbiased number as good as another", lambda: crossed(("L.13", 3), ("L.13", 1))),
    "L.14": ("through the ratio or not", lambda: crossed(("L.14", 2), ("L.14", 1))),
    "L.15": ("visits that move", lambda: crossed(("L.15", 2), ("L.15", 1))),
    "L.16": ("the root forgotten", lambda: crossed(("L.16", 2), ("L.3", 1))),
    "L.17": ("taken for k_3", lambda: crossed(("L.17", 1), ("L.11", 1))),
    "L.18": ("lengths not divided out", lengths_kept),
    "point 1": (
        "gamma^t on the update taken for gamma^t on the trace",
        lambda: (left_of("point 1", 3), lines("point 1")[4].right),
    ),
    "point 2": ("A itself as the w of least norm", advantage_as_least_norm),
    "point 3": (
        "the mass taken to cancel",
        lambda: (left_of("point 3", 6), put(lines("point 3")[5].right, m=1)),
    ),
    "point 4": ("gamma^t dropped", no_gamma_on_the_paths),
    "point 4 b": ("discounted twice", discount_twice),
    "point 5": (
        "unweighted fit",
        lambda: (left_of("point 5", 2), put(lines("point 5")[1].right, gamma_0=1, gamma_1=1, gamma_2=1)),
    ),
    "point 6": ("one power of x too many", lambda: scaled("point 6", 1, sp.Symbol("x"))),
    "point 6 b": ("the right side of (9.1) at t = 0", lambda: (left_of("point 6", 6), sp.zeros(3, 1))),
    "point 6 c": ("a bump that only moves", lambda: (left_of("point 6", 7), sp.S.Zero)),
    "point 7": (
        "the fair coin taken for the best",
        lambda: (lines("point 7")[3].left.diff(sp.Symbol("p")).subs(sp.Symbol("p"), sp.S.Half), sp.S.Zero),
    ),
    "point 8": ("gamma dropped", lambda: no_gamma("point 8", 1)),
    "point 9": ("transpose", lambda: transposed("point 9", 1)),
    "point 10": ("any offset taken to leave w", lambda: (left_of("point 10", 5), sp.zeros(2, 1))),
}


def test_each_proof_has_a_mistake():
    assert {re.sub(" [b-z]$", "", name) for name in MISTAKES} == set(PROOFS)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_plausible_mistake_is_refused(name):
    what, sides = MISTAKES[name]
    left, right = sides()
    shapes = [getattr(side, "shape", ()) for side in (left, right)]
    assert shapes[0] == shapes[1], "a mistake must not be refused for its shape"
    assert not equal(left, right), what


# --- equality --------------------------------------------------------------------------------------


def test_equality_sees_shapes_and_terms_that_only_simplify_away():
    x = sp.Symbol("x")
    assert equal(sp.sin(x) ** 2 + sp.cos(x) ** 2, 1)
    assert not equal(sp.sin(x) ** 2 + sp.cos(x) ** 2, 2)
    assert not equal(sp.Matrix([x, x]), sp.Matrix([[x, x]]))


def test_equality_of_numbers_roots_and_powers_with_letters():
    x, n = sp.Symbol("x"), sp.Symbol("n", integer=True)
    assert equal(sp.sqrt(8), 2 * sp.sqrt(2))
    assert not equal(sp.sqrt(8), 2)
    assert equal(sp.Rational(1, 3), sp.Rational(2, 6))
    assert not equal(sp.Rational(1, 3), sp.Rational(1, 4))
    assert equal(x ** (n + 1), x * x**n)
    assert not equal(x ** (n + 1), x**n)


def test_equality_of_fractions_of_fractions():
    x, y = sp.symbols("x y")
    assert equal(1 / (1 / x + 1 / y), x * y / (x + y))
    assert not equal(1 / (1 / x + 1 / y), x * y / (x - y))
    assert equal((1 / x - 1 / y) ** -2, x**2 * y**2 / (x - y) ** 2)
    assert equal(1 / (x - y) + 1 / (y - x), 0)
    assert not equal(1 / (x - y) ** 2 + 1 / (y - x) ** 2, 0)
    assert equal(sp.Rational(1, 2) / (2 * x - 2), 1 / (4 * (x - 1)))


def test_roots_exponentials_and_powers_are_taken_apart():
    x, y, n = sp.Symbol("x"), sp.Symbol("y"), sp.Symbol("n")
    assert equal(sp.exp(2 * x + y) / sp.exp(x), sp.exp(x) * sp.exp(y))
    assert equal(1 / (1 + sp.exp(-x)), sp.exp(x) / (1 + sp.exp(x)))
    assert equal((x + y) ** (2 * n + 3), (x + y) ** n * (x + y) ** (n + 1) * (x + y) ** 2)
    assert equal(sp.log(x) ** 2 - 1, (sp.log(x) - 1) * (sp.log(x) + 1))
    assert equal(sp.sqrt(x) ** 3 / x, sp.sqrt(x))
    assert not equal(sp.exp(2 * x), sp.exp(x))
    assert not equal(x ** (n / 2), x**n)


def test_a_side_without_a_value_equals_nothing():
    x, y = sp.symbols("x y")
    nothing = 1 / ((x + 1) ** 2 - x**2 - 2 * x - 1)
    assert not equal(x + nothing, nothing)
    assert not equal(nothing, 0)
    for each in (sp.nan, sp.zoo, sp.oo):
        assert not equal(each + y, 1 + each + y)
    assert not equal(sp.nan, sp.nan)


def test_numbers_with_a_point_and_high_powers_are_left_to_sympy():
    x = sp.Symbol("x")
    assert equal(0.5 * x, x / 2)
    assert not equal(0.5 * x, x / 3)
    assert equal(x**1001 * x, x**1002)
    assert not equal(x**1001 * x, x**1003)
    assert reduction((x + 1) ** 1001, x) is None
    with pytest.raises(NotAFractionError):
        Fractions([x])(sp.Symbol("y"))


def test_what_comes_to_a_number_once_multiplied_out_is_divided_by():
    x = sp.Symbol("x")
    minus_two = (x + 1) ** 2 - x**2 - 2 * x - 3
    assert equal(1 / minus_two, sp.Rational(-1, 2))
    assert equal(x / minus_two**3, -x / 8)
    assert not equal(1 / minus_two, sp.Rational(1, 2))


@pytest.mark.parametrize("seed", range(40))
def test_fractions_are_those_that_sympy_works_out(seed):
    rng = np.random.default_rng(seed)
    letters_ = sp.symbols("x y z")

    def drawn(depth):
        kind = rng.integers(5) if depth else 0
        if kind == 0:
            return [*letters_, sp.Rational(int(rng.integers(-4, 5)), int(rng.integers(1, 4)))][
                rng.integers(4)
            ]
        one, other = drawn(depth - 1), drawn(depth - 1)
        return [None, one + other, one * other, one - 2 * other, (1 + one) ** int(rng.integers(-2, 3))][kind]

    one = sp.zoo
    while one.has(sp.zoo, sp.nan):
        one = drawn(4)
    found = reduction(one, sp.together(one))
    assert found.left == found.right
    # and its value at a point is that of the expression
    at = dict(zip(letters_, (sp.Rational(3, 7), sp.Rational(5, 11), sp.Rational(-2, 13)), strict=True))

    def value(terms):
        return sum(x * sp.prod([at[each] ** n for each, n in powers.items()]) for powers, x in terms)

    below = sp.prod([value(terms) ** n for terms, n in found.below])
    assert value(found.left) == one.subs(at) * below


def test_equality_holds_for_functions_if_it_holds_for_letters():
    theta = sp.Symbol("theta")
    f, g = sp.Function("f")(theta), sp.Function("g")(theta)
    assert equal((f * g).diff(theta), f.diff(theta) * g + f * g.diff(theta))
    assert not equal((f * g).diff(theta), f.diff(theta) * g.diff(theta))


# --- policies, problems, paths ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy", [letters.softmax(), letters.any_policy(2), letters.any_policy(n_actions=3)]
)
def test_the_derivatives_of_a_policy_sum_to_zero_and_are_pi_times_the_score(policy):
    for dpi, score in zip(policy.derivatives, policy.scores, strict=True):
        assert equal(over_actions(dpi, sp.ones(*dpi.shape)), sp.zeros(dpi.rows, 1))
        assert equal(policy.probs.multiply_elementwise(score), dpi)


def test_a_policy_has_as_many_parameters_as_asked_for():
    assert [str(each) for each in letters.any_policy().parameters] == ["theta"]
    assert len(letters.any_policy(3).parameters) == 3
    assert letters.any_policy(n_states=3).probs.shape == (3, 2)
    assert len(letters.softmax(n_states=2, n_actions=3).parameters) == 6


def test_the_probabilities_of_all_paths_sum_to_one():
    mdp = letters.problem()
    for n in (1, 2):
        assert sp.expand(sum(probability for probability, _ in letters.paths(mdp, n))) == 1


def test_the_mean_over_paths_of_a_matrix_is_entry_by_entry():
    mdp = letters.problem()
    both = letters.path_mean(mdp, 2, lambda steps: sp.Matrix([1, len(steps)]))
    assert equal(both[0], 1)
    assert equal(both[1], letters.path_mean(mdp, 2, len))


def test_paths_of_no_steps_are_refused():
    with pytest.raises(ValueError, match=exactly("n is 0; expected at least 1 step")):
        next(letters.paths(letters.problem(), 0))


def test_a_policy_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=exactly("policy has shape (2, 3); expected (2, 2), as reward")):
        letters.problem().with_policy(letters.any_policy(n_actions=3))


def test_features_of_unequal_length_are_refused():
    with pytest.raises(
        ValueError, match=exactly("features[0][1] has 1 entries; expected 2, as features[0][0]")
    ):
        letters.softmax([[[1, 0], [0]]])


def test_only_polynomials_are_integrated_against_a_gaussian():
    x = sp.Symbol("x")
    assert letters.gaussian_mean(sp.S(3), x, 0, 1) == 3
    with pytest.raises(sp.PolynomialError):
        letters.gaussian_mean(1 / x, x, 0, 1)


# --- the bridge to the numbers ---------------------------------------------------------------------

FEATURES = [[[1, 0], [-1, 2]], [[0, 1], [2, 1]]]


def numbers(policy=None, *, ends=True):
    """Return a random problem and the values of the symbols of `letters.problem` that stand for it."""
    rng = np.random.default_rng(11)
    transition = rng.dirichlet(np.ones(3), size=(2, 2))[..., :2]
    if not ends:
        transition /= transition.sum(-1, keepdims=True)
    reward, initial = rng.standard_normal((2, 2)), rng.dirichlet(np.ones(2))
    if policy is None:
        policy = pgtlab.SoftmaxPolicy.tabular(rng.standard_normal((2, 2)))
    mdp = pgtlab.FiniteMDP(transition, reward, initial, 0.7)
    values = {"gamma": 0.7, "p_0": initial[0]}
    for s in range(2):
        values[f"pi_{s}0"] = policy.probs()[s, 0]
        for a in range(2):
            values[f"R^{a}_{s}"] = reward[s, a]
            values |= {f"P^{a}_{s}{p}": transition[s, a, p] for p in range(2)}
    return mdp, policy, {sp.Symbol(name): value for name, value in values.items()}


def array(matrix, values):
    """Return a matrix with numbers for its symbols, functions and their derivatives; a column as a vector."""
    point = {each: sp.Float(value) for each, value in values.items()}
    result = np.array(sp.Matrix(matrix).xreplace(point), dtype=float)
    return result[:, 0] if result.shape[1] == 1 else result


def test_values_and_visits_with_letters_are_those_of_the_numeric_rooms():
    mdp, policy, values = numbers()
    spelled = letters.problem()
    P, r = spelled.mixed_transition.subs(values), spelled.mixed_reward.subs(values)
    V = np.array(letters.values(P, r, 0.7), dtype=float).ravel()
    rho = np.array(letters.visitation(P, spelled.initial.subs(values), 0.7), dtype=float).ravel()
    assert_allclose(V, pgtlab.state_values(mdp, policy), rtol=1e-12, atol=1e-12)
    assert_allclose(rho, pgtlab.state_visitation(mdp, policy), rtol=1e-12, atol=1e-12)


def test_all_quantities_of_a_softmax_policy_are_those_of_the_numeric_rooms():
    theta = [0.3, -0.8]
    numeric = pgtlab.SoftmaxPolicy(np.array(FEATURES, dtype=float), theta)
    mdp, _, values = numbers(numeric)
    policy, spelled = letters.softmax(FEATURES), letters.problem()
    # Numbers for the problem, letters for the parameters.
    half = dataclasses.replace(
        spelled,
        transition=tuple(each.subs(values) for each in spelled.transition),
        reward=spelled.reward.subs(values),
        initial=spelled.initial.subs(values),
        discount=0.7,
    )
    under, at = half.with_policy(policy), dict(zip(policy.parameters, theta, strict=True))
    close = functools.partial(assert_allclose, rtol=1e-11, atol=1e-12)
    close(array(policy.probs, at), numeric.probs())
    close([array(each, at) for each in policy.scores], np.moveaxis(numeric.scores(), -1, 0))
    close(array(letters.state_values(under), at), pgtlab.state_values(mdp, numeric))
    close(array(letters.action_values(under), at), pgtlab.action_values(mdp, numeric))
    close(array(letters.state_visitation(under), at), pgtlab.state_visitation(mdp, numeric))
    J = letters.expected_return(under)
    close(float(J.subs(at)), pgtlab.expected_return(mdp, numeric))
    # The derivative of J as SymPy takes it, and the theorem's right-hand side.
    gradient = pgtlab.policy_gradient(mdp, numeric)
    close(array([J.diff(each) for each in policy.parameters], at), gradient)
    close(array(letters.policy_gradient(half, policy), at), gradient)


def test_fisher_information_and_natural_gradient_with_letters_are_those_of_the_numeric_rooms():
    mdp, numeric = random_problem(np.random.default_rng(5), n_states=3, n_actions=2, features="linear")
    rho, probs, Q = pgtlab.state_visitation(mdp, numeric), numeric.probs(), pgtlab.action_values(mdp, numeric)
    dpi = probs[..., None] * numeric.scores()
    # The functions and symbols of the proofs, with their numbers.
    policy, S = letters.any_policy(2, n_states=3), range(3)
    values = {policy.probs[s, 0].diff(policy.parameters[k]): dpi[s, 0, k] for s in S for k in range(2)}
    values |= {policy.probs[s, 0]: probs[s, 0] for s in S}
    values |= {sp.Symbol(f"rho_{s}"): rho[s] for s in S}
    values |= {sp.Symbol(f"Q_{s}{a}"): Q[s, a] for s in S for a in range(2)}
    close = functools.partial(assert_allclose, rtol=1e-10, atol=1e-12)
    # FIM of (22.3) from its columns: FIM w at w = (1, 0) and at w = (0, 1).
    times_w = lines("22.3")[0].right
    columns = [array(times_w, values | {sp.Symbol("w_0"): 1 - k, sp.Symbol("w_1"): k}) for k in range(2)]
    fisher = np.stack(columns, axis=-1)
    close(fisher, pgtlab.fisher_information(mdp, numeric))
    # FIM w of (23.2), at the w of (17.2), is the gradient.
    gradient = array(lines("23.2")[0].left, values)
    close(gradient, pgtlab.policy_gradient(mdp, numeric))
    close(np.linalg.solve(fisher, gradient), pgtlab.natural_policy_gradient(mdp, numeric))


def test_the_derivative_of_any_policy_and_of_its_average_reward_are_those_of_the_numeric_rooms():
    for id, number, ends, gradient in (
        ("9.1", 1, True, pgtlab.policy_gradient),
        ("average reward", 3, False, pgtlab.average_reward_gradient),
    ):
        mdp, numeric, values = numbers(ends=ends)
        policy = letters.any_policy()
        exact = gradient(mdp, numeric)
        for k in range(4):
            dpi = numeric.probs() * numeric.scores()[..., k]
            moves = {policy.probs[s, 0].diff(policy.parameters[0]): dpi[s, 0] for s in range(2)}
            stays = {policy.probs[s, 0]: numeric.probs()[s, 0] for s in range(2)}
            line = lines(id)[number - 1]
            sides = array([line.left, line.right], values | moves | stays)
            assert_allclose(sides, exact[k], rtol=1e-11, atol=1e-12)


def test_the_linear_quadratic_closed_forms_are_those_of_the_numeric_rooms():
    mdp = pgtlab.LinearQuadraticMDP(
        drift=0.9,
        control=-0.7,
        state_cost=1.3,
        action_cost=0.4,
        noise_std=0.5,
        initial_mean=0.8,
        initial_std=0.3,
        discount=0.85,
    )
    numeric = pgtlab.LinearGaussianPolicy(0.6, -0.4)
    lq = letters.linear_quadratic()
    values = {
        lq.drift: 0.9,
        lq.control: -0.7,
        lq.state_cost: 1.3,
        lq.action_cost: 0.4,
        lq.noise_std: 0.5,
        lq.initial_mean: 0.8,
        lq.initial_std: 0.3,
        lq.discount: 0.85,
        lq.gain: 0.6,
        lq.std: np.exp(-0.4),
        lq.state: 1.7,
        lq.action: -0.3,
    }
    close = functools.partial(assert_allclose, rtol=1e-12, atol=1e-12)
    J = lq.expected_return
    close(float(J.subs(values)), pgtlab.expected_return(mdp, numeric))
    close(float(lq.state_values.subs(values)), pgtlab.state_values(mdp, numeric)(1.7))
    close(float(lq.action_values.subs(values)), pgtlab.action_values(mdp, numeric)(1.7, -0.3))
    close([float(each.subs(values)) for each in lq.scores], numeric.score(1.7, -0.3))
    close(float(lq.log_density.subs(values)), numeric.log_prob(1.7, -0.3))
    close(float(lq.second_moment.subs(values)), pgtlab.state_visitation(mdp, numeric).second_moment)
    slopes = [J.diff(lq.gain), lq.std * J.diff(lq.std)]
    close([float(each.subs(values)) for each in slopes], pgtlab.policy_gradient(mdp, numeric))
    natural = [float(line.right.subs(values)) for line in lines("23.2")[2:4]]
    close(natural, pgtlab.natural_policy_gradient(mdp, numeric))


def test_the_return_over_all_paths_is_that_of_the_numeric_chain():
    mdp, policy, values = numbers()
    spelled = letters.problem()
    by_paths = letters.path_mean(
        spelled,
        3,
        lambda steps: sum(spelled.discount**t * spelled.reward[step] for t, step in enumerate(steps)),
    ).subs(values)
    process = pgtlab.chain(mdp, policy)
    where, by_chain = mdp.initial, 0.0
    for t in range(3):
        by_chain += 0.7**t * where @ process.reward
        where = where @ process.transition
    assert_allclose(float(by_paths), by_chain, rtol=1e-12)


def test_the_named_problems_with_letters_are_those_of_the_gallery():
    p, q, gamma = sp.symbols("p q gamma")
    corridor = lines("short_corridor")[0].right
    assert_allclose(
        float(corridor.subs(p, 0.3)), pgtlab.expected_return(*gallery.short_corridor(0.3)), rtol=1e-12
    )
    two = lines("two_states")[0].right.subs({p: 0.8, q: 0.1, gamma: 0.9})
    assert_allclose(float(two), pgtlab.expected_return(*gallery.two_states()), rtol=1e-12)
    knob = {sp.Symbol("theta_0"): 0, sp.Symbol("c"): 1.15, gamma: 0.9}
    one = [float(line.right.subs(knob)) for line in lines("one_knob")]
    problem = gallery.one_knob(cost=1.15)
    assert_allclose([one[0]], pgtlab.policy_gradient(*problem), rtol=1e-12)
    assert_allclose([one[2]], pgtlab.natural_policy_gradient(*problem), rtol=1e-12)
    later = [float(line.right.subs({"N": 1, "L": 10, "gamma": 0.9})) for line in lines("now_or_later")]
    assert_allclose([later[0]], pgtlab.natural_policy_gradient(*gallery.now_or_later()), rtol=1e-12)
    assert later[1] == -1


def test_no_statement_keeps_an_abbreviation():
    from pgtlab.letters.typeset import statement

    written = [statement(line.says) for id in ALL_PROOFS for line in lines(id) if line.says]
    assert len(written) > 100
    assert [each for each in written if re.search(r"\\(SC|FIM|all|slope|nat|pd|d)(?![a-zA-Z])", each)] == []
    assert statement(r"\d{K_{\mathrm{a}}}") == r"\frac{\partial K_{\mathrm{a}}}{\partial \theta}"
    assert statement(r"\SC_t \, \all_0") == r"\mathrm{SC}_t \, \sum_{s,a} \rho \, \pi \,_0"


def test_a_line_that_says_nothing_shows_its_sides():
    from pgtlab.letters.proof import Line
    from pgtlab.letters.typeset import _step

    x = sp.Symbol("x")
    assert r"(x + 1)^2 = x^2 + 2 x + 1" in re.sub(
        r"[{}]|\\left|\\right", "", _step(Line("multiply", (x + 1) ** 2, x**2 + 2 * x + 1))
    )


def test_a_power_of_a_power_has_one_exponent_at_a_time():
    from pgtlab.letters.typeset import _factor, cut

    x = sp.Symbol("x")
    assert [_factor([({x: 2}, 1)], n) for n in (1, 2)] == ["x^{2}", r"\left(x^{2}\right)^{2}"]
    assert [_factor([({x: 1}, 1)], n) for n in (1, 2)] == ["x", "x^{2}"]
    few = _factor([({x: 1}, 1), ({}, 1)], 2)
    assert few == r"\left(x + \cdots_{1}\right)^{2}"  # for which there is little room
    slope = sp.Derivative(sp.Function("f")(sp.Symbol("x")), sp.Symbol("x"))
    written = cut(sp.Pow(slope**2, 2, evaluate=False), 40)
    assert written == r"\left(\left(\frac{\partial f}{\partial x}\right)^{2}\right)^{2}"
    wrapped = sp.Pow(sp.Mul(slope**2, evaluate=False), 2, evaluate=False)
    assert cut(wrapped, 40) == written
