"""The columns of the table: every public function, its value by the exact reference, and how near it must be.

Tolerances, as a share of the size of what is compared:

- values and visits: 1e-9;
- advantages: 1e-8, and the rounding of the values;
- gradients: 1e-8 of the sum of what they add up, visits times advantage times score;
- directions (natural gradient, weights of critics): 1e-8 of the direction or of the largest advantage, and
  1e-15 of it times the condition of the features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import mpmath
import numpy as np
from mpmath import mpf

import pgtlab
from pgtlab import critics
from pgtlab.exact.values import Quadratic

ROUNDING = 2.0**-52
WITHIN = 1e-8


def largest(values):
    """Return the largest absolute value, NaN left out."""
    return max((abs(x) for x in np.ravel(values) if x == x), default=mpf(0))


@dataclass(frozen=True)
class Column:
    """A public function on every problem of a kind.

    `call` takes a row, `expected` the exact reference; `allowed` takes both the reference and the expected
    value, and gives the largest difference.
    """

    name: str
    call: Callable
    expected: Callable
    allowed: Callable

    def __str__(self):
        return self.name


# --- tolerances, finite ----------------------------------------------------------------------------------


def values(e, right):
    return mpf(1e-9) * largest(right)


def close(e, right):
    return mpf(1e-10) * largest(right)


def differences(e, right):
    return WITHIN * largest(right) + 8 * ROUNDING * largest(e.V)


def gradients(e, right):
    return of_gradients(e)


@cache
def of_gradients(e):
    visits, score = sum(e.rho), largest(e.scores)
    size = (e.rho * np.array([largest(row) for row in e.A])).sum() * score
    # Where nothing is better than anything else, advantages are rounding.
    return WITHIN * size or 8 * ROUNDING * largest(e.V) * visits * score


@cache
def condition(e):
    """Return how nearly the features are dependent, whatever the visits: the condition of every fit."""
    features = np.asarray(e.raw[4], dtype=float)
    rows = (features - features[:, :1]).reshape(-1, features.shape[-1])
    size = np.abs(rows).max(0)
    singular = np.linalg.svd(rows / np.where(size > 0, size, 1.0), compute_uv=False)
    return singular[0] / min(singular[singular > 1e-14 * singular[0]], default=1.0)


def told_gradients(e, right):
    """Of an estimate that is told values: these were rounded, however large a part they have in common."""
    return gradients(e, right) + 8 * ROUNDING * largest(e.V) * sum(e.rho) * largest(e.scores)


def directions(e, right):
    within = WITHIN + mpf(1e-15) * condition(e)
    return within * max(largest(right), largest(e.A)) or 8 * ROUNDING * largest(e.V)


def by_differences(e, right):
    # Of fourth order in steps of 2e-4, on returns whose rounding it divides by that.
    scale = sum(e.rho) * largest(e.A) * max(1, largest(e.features)) ** 5
    return mpf(1e-8) * scale + 4 * values(e, e.J) / mpf(2e-4)


def products(e, right):
    return mpf(1e-9) * largest(right)


def relative_values(e, right):
    """Differential values are what is left of rewards that cancel."""
    return mpf(1e-10) * largest(right) + 8 * ROUNDING * largest(e.R)


def long_run(e, right):
    return WITHIN * largest(e.Qh - e.h[:, None]) * largest(e.scores) or 8 * ROUNDING * largest(e.h)


# --- the columns, finite ---------------------------------------------------------------------------------

CONSTANT = "one constant for all states"
W = 0.75


def weights(row):
    """Return some weights for a critic."""
    return W * np.cos(np.arange(row.policy.parameters.size))


def one(row):
    return np.ones((row.mdp.n_states, 1))


def told(signal):
    """Return the mean of an estimate whose signal is told the exact values, rounded."""
    return lambda row: signal(row.exact).expectation(row.mdp, row.policy)


def rounded(numbers):
    """Return mpmath numbers as floats."""
    return np.array([float(x) for x in np.ravel(numbers)]).reshape(np.shape(numbers))


def column(name, expected, allowed, call=None):
    """Return a column; without `call` it is the function of that name of problem and policy."""
    if call is None:
        function = getattr(pgtlab, name)

        def call(row):
            return function(row.mdp, row.policy)

    return Column(name, call, expected, allowed)


def critic(name, make, expected, allowed=directions, method="fixed_point"):
    return Column(
        f"{name}.{method}", lambda row: getattr(make(row), method)(row.mdp, row.policy), expected, allowed
    )


def mean_scores(e):
    return np.array([largest(e.scores)])


FINITE = [
    column("SoftmaxPolicy.probs", lambda e: e.pi, close, lambda row: row.policy.probs()),
    column(
        "SoftmaxPolicy.log_prob",
        lambda e: e.log_pi,
        lambda e, right: mpf(1e-13) * max(1, largest(e.features @ np.ravel(e.raw[5]))),
        lambda row: row.policy.log_prob(*np.indices(row.mdp.reward.shape)),
    ),
    column("SoftmaxPolicy.scores", lambda e: e.scores, close, lambda row: row.policy.scores()),
    column(
        "SoftmaxPolicy.score",
        lambda e: e.scores,
        close,
        lambda row: row.policy.score(*np.indices(row.mdp.reward.shape)),
    ),
    column(
        "SoftmaxPolicy.score_sum",
        lambda e: e.scores.sum((0, 1)),
        lambda e, right: mpf(1e-12) * largest(e.scores) * e.R.size,
        lambda row: row.policy.score_sum(np.ones(row.mdp.reward.shape)),
    ),
    column("chain", lambda e: e.chain, close, lambda row: pgtlab.chain(row.mdp, row.policy).transition),
    column(
        "transition_probabilities",
        lambda e: e.after(5),
        close,
        lambda row: pgtlab.transition_probabilities(row.mdp, row.policy, 5),
    ),
    column("state_values", lambda e: e.V, values),
    column("action_values", lambda e: e.Q, lambda e, right: values(e, e.V) + mpf(1e-12) * largest(right)),
    column("advantages", lambda e: e.A, differences),
    column("expected_return", lambda e: e.J, lambda e, right: values(e, e.V)),
    column("state_visitation", lambda e: e.rho, values),
    column("state_visitation_distribution", lambda e: e.rho / e.rho.sum(), values),
    column("policy_gradient", lambda e: e.gradient, gradients),
    column("policy_gradient_by_differences", lambda e: e.gradient, by_differences),
    column("fisher_information", lambda e: e.fisher, products),
    column("natural_policy_gradient", lambda e: e.natural, directions),
    column(
        "kl_divergence",
        lambda e: e.kl,
        lambda e, right: products(e, right) + mpf(1e-14) * sum(e.rho),
        lambda row: pgtlab.kl_divergence(row.mdp, row.policy, row.other),
    ),
    # critics
    column("compatible_weights", lambda e: e.natural, directions),
    column(
        "compatible_values",
        lambda e: e.scores @ (W * np.cos(np.arange(e.features.shape[-1]))),
        close,
        lambda row: critics.compatible_values(row.policy, weights(row)),
    ),
    column(
        "compatible_gradient",
        lambda e: e.fisher @ (W * np.cos(np.arange(e.features.shape[-1]))),
        products,
        lambda row: critics.compatible_gradient(row.mdp, row.policy, weights(row)),
    ),
    column(
        "compatibility_error",
        lambda e: e.error(W * np.cos(np.arange(e.features.shape[-1]))),
        lambda e, right: 4 * products(e, right),
        lambda row: critics.compatibility_error(row.mdp, row.policy, weights(row)),
    ),
    column(
        "minimisers",
        lambda e: np.append(e.natural, e.features.shape[-1] - e.rank),
        directions,
        lambda row: (lambda w, flat: np.append(w, len(flat)))(*critics.minimisers(row.mdp, row.policy)),
    ),
    critic("MonteCarlo", lambda row: critics.MonteCarlo(), lambda e: e.natural),
    critic("CorrectedEpisodicNAC", lambda row: critics.CorrectedEpisodicNAC(), lambda e: e.natural),
    critic("EpisodicNAC", lambda row: critics.EpisodicNAC(), lambda e: e.episodic),
    critic("LiteralUpdate", lambda row: critics.LiteralUpdate(), lambda e: e.td(0.0)),
    critic("TD", lambda row: critics.TD(0.5), lambda e: e.td(0.5)),
    critic("ValueAndScore", lambda row: critics.ValueAndScore(), lambda e: e.natural),
    critic("LSTDQ", lambda row: critics.LSTDQ(0.5), lambda e: e.natural),
    Column(
        f"ValueAndScore.fixed_point, {CONSTANT}",
        lambda row: critics.ValueAndScore(one(row)).fixed_point(row.mdp, row.policy),
        lambda e: e.lstdq(0.0),
        directions,
    ),
    Column(
        f"LSTDQ.fixed_point, {CONSTANT}",
        lambda row: critics.LSTDQ(0.5, one(row)).fixed_point(row.mdp, row.policy),
        lambda e: e.lstdq(0.5),
        directions,
    ),
    # estimators: the exact means
    column("WholeReturn", lambda e: e.gradient, gradients, told(lambda e: pgtlab.WholeReturn())),
    column("ReturnToGo", lambda e: e.gradient, gradients, told(lambda e: pgtlab.ReturnToGo())),
    column(
        "ActionValues",
        lambda e: e.gradient,
        told_gradients,
        told(lambda e: pgtlab.ActionValues(rounded(e.Q))),
    ),
    column("Advantages", lambda e: e.gradient, gradients, told(lambda e: pgtlab.Advantages(rounded(e.A)))),
    column("TDErrors", lambda e: e.gradient, told_gradients, told(lambda e: pgtlab.TDErrors(rounded(e.V)))),
    column(
        "NStepReturn",
        lambda e: e.gradient,
        told_gradients,
        told(lambda e: pgtlab.NStepReturn(rounded(e.V), 3)),
    ),
    column("GAE", lambda e: e.gradient, told_gradients, told(lambda e: pgtlab.GAE(rounded(e.V), 0.5))),
    column(
        "GAE, no values",
        lambda e: e.gae(0.5),
        gradients,
        lambda row: pgtlab.GAE(np.zeros(row.mdp.n_states), 0.5).expectation(row.mdp, row.policy),
    ),
    column(
        "ReturnToGo, 4 steps",
        lambda e: e.truncated(4),
        lambda e, right: WITHIN * max(largest(right), largest(e.R) * largest(e.scores)),
        lambda row: pgtlab.ReturnToGo().expectation(row.mdp, row.policy, 4),
    ),
    column("best_baseline", lambda e: e.baseline, lambda e, right: values(e, e.V) + close(e, right)),
    # the long run
    column("stationary_distribution", lambda e: e.stationary, close),
    column("average_reward", lambda e: e.eta, lambda e, right: mpf(1e-12) * largest(e.r)),
    column("differential_values", lambda e: e.h, relative_values),
    column("differential_action_values", lambda e: e.Qh, relative_values),
    column("average_reward_gradient", lambda e: e.long_run_gradient, long_run),
]


# --- the columns, linear-quadratic -----------------------------------------------------------------------


def relative(e, right):
    """Each entry for itself would ask too much where one is 0 by cancellation."""
    return (mpf(1e-11) + mpf(1e-14) * e.mass) * largest(right)


def entries(f):
    """Return the coefficients of a Quadratic in the order of the reference."""
    H = f.matrix
    if H.shape[-1] == 1:
        return np.array([H[0, 0], f.constant])
    return np.array([H[0, 0], 2 * H[0, 1], H[1, 1], f.constant])


def of_function(name):
    function = getattr(pgtlab, name)
    return lambda row: entries(function(row.mdp, row.policy))


def quadratic(coefficients):
    """Return coefficients of the reference as a Quadratic of floats."""
    c = rounded(coefficients)
    if len(c) == 2:
        return Quadratic(np.array([[c[0]]]), np.array(c[1]))
    return Quadratic(np.array([[c[0], c[1] / 2], [c[1] / 2, c[2]]]), np.array(c[3]))


def near_threshold(e, right):
    """1 - gamma c^2 has as many digits as it is large."""
    condition = 1 / abs(1 - e.gamma * e.c**2) if e.gamma * e.c**2 != 1 else mpf(1)
    return (mpf(1e-11) + mpf(1e-14) * (e.mass + condition)) * largest(right)


def near_instability(e, right):
    condition = 1 / abs(1 - e.c**2) if e.c**2 != 1 else mpf(1)
    return (mpf(1e-11) + mpf(1e-14) * condition) * largest(right)


def kurtosis(e, right):
    condition = 1 / abs(1 - e.gamma * e.c**4) if e.gamma * e.c**4 != 1 else mpf(1)
    return near_threshold(e, right) + (mpf(1e-9) + mpf(1e-14) * condition) * right


def each(tolerance):
    """Return the same tolerance for each entry by itself."""
    return lambda e, right: np.array([tolerance(e, x) for x in np.ravel(right)]).reshape(np.shape(right))


def lq_critic(name, make, expected):
    return Column(
        f"{name}.fixed_point",
        lambda row: make().fixed_point(row.mdp, row.policy),
        expected,
        each(near_threshold),
    )


LQ_W = np.array([0.3, -0.2])


def visits(row):
    return pgtlab.state_visitation(row.mdp, row.policy)


def score_gradient(e):
    return e.fisher @ LQ_W


LINEAR_QUADRATIC = [
    column("chain", lambda e: np.array([e.c, e.w]), each(relative), lambda row: drift_and_noise(row)),
    column(
        "transition_probabilities",
        lambda e: e.kernel(5),
        each(relative),
        lambda row: (lambda g: np.array([g.drift, g.std]))(
            pgtlab.transition_probabilities(row.mdp, row.policy, 5)
        ),
    ),
    column("state_values", lambda e: e.V, each(near_threshold), of_function("state_values")),
    column("action_values", lambda e: e.Q, each(near_threshold), of_function("action_values")),
    column(
        "advantages",
        lambda e: e.A,
        lambda e, right: near_threshold(e, e.Q) * np.array([1, 1, 1, 1]),
        of_function("advantages"),
    ),
    column("expected_return", lambda e: e.J, near_threshold),
    column(
        "state_visitation",
        lambda e: np.array([e.mass, e.second_moment]),
        each(near_threshold),
        lambda row: np.array([visits(row).mass, visits(row).second_moment]),
    ),
    column(
        "state_visitation_distribution",
        lambda e: np.array([mpf(1), e.second_moment / e.mass]),
        each(near_threshold),
        lambda row: (lambda d: np.array([d.mass, d.second_moment]))(
            pgtlab.state_visitation_distribution(row.mdp, row.policy)
        ),
    ),
    column(
        "policy_gradient",
        lambda e: e.gradient,
        lambda e, right: near_threshold(e, mpf(1)) * gradient_terms(e),
    ),
    column(
        "policy_gradient_by_differences",
        lambda e: e.gradient,
        lambda e, right: mpf(1e-6) * abs(right) + 1e4 * near_threshold(e, e.J),
    ),
    column("fisher_information", lambda e: e.fisher, each(near_threshold)),
    column("natural_policy_gradient", lambda e: e.natural, lambda e, right: natural_terms(e)),
    column(
        "kl_divergence",
        lambda e: e.kl,
        lambda e, right: near_threshold(e, mpf(1)) * (e.mass * max(1, abs(e.other[1] - e.log_s)) + right),
        lambda row: pgtlab.kl_divergence(row.mdp, row.policy, row.other),
    ),
    column("compatible_weights", lambda e: e.natural, lambda e, right: natural_terms(e)),
    column(
        "compatible_values",
        lambda e: critic_coefficients(e),
        lambda e, right: mpf(1e-11) * critic_terms(e),
        lambda row: entries(critics.compatible_values(row.policy, LQ_W)),
    ),
    column(
        "compatible_gradient",
        score_gradient,
        each(near_threshold),
        lambda row: critics.compatible_gradient(row.mdp, row.policy, LQ_W),
    ),
    column(
        "compatibility_error",
        lambda e: e.error(LQ_W),
        kurtosis,
        lambda row: critics.compatibility_error(row.mdp, row.policy, LQ_W),
    ),
    column(
        "minimisers",
        lambda e: np.append(e.natural, mpf(0 if e.second_moment else 1)),
        lambda e, right: np.append(natural_terms(e), 0),
        lambda row: (lambda w, flat: np.append(w, len(flat)))(*critics.minimisers(row.mdp, row.policy)),
    ),
    *(
        Column(
            f"{name}.fixed_point",
            lambda row, make=make: make().fixed_point(row.mdp, row.policy),
            expected,
            lambda e, right: natural_terms(e),
        )
        for name, make, expected in (
            ("MonteCarlo", critics.MonteCarlo, lambda e: e.natural),
            ("CorrectedEpisodicNAC", critics.CorrectedEpisodicNAC, lambda e: e.natural),
            ("EpisodicNAC", critics.EpisodicNAC, lambda e: e.natural),
            ("ValueAndScore", critics.ValueAndScore, lambda e: e.natural),
            ("LSTDQ", lambda: critics.LSTDQ(0.5), lambda e: e.natural),
            ("LiteralUpdate", critics.LiteralUpdate, lambda e: e.td(0.0)),
            ("TD", lambda: critics.TD(0.5), lambda e: e.td(0.5)),
        )
    ),
    *(
        Column(
            name,
            lambda row, signal=signal: signal(row.exact).expectation(row.mdp, row.policy),
            lambda e: e.gradient,
            lambda e, right: 10 * near_threshold(e, mpf(1)) * gradient_terms(e),
        )
        for name, signal in (
            ("WholeReturn", lambda e: pgtlab.WholeReturn()),
            ("ReturnToGo", lambda e: pgtlab.ReturnToGo()),
            ("ActionValues", lambda e: pgtlab.ActionValues(quadratic(e.Q))),
            ("Advantages", lambda e: pgtlab.Advantages(quadratic(e.A))),
            ("TDErrors", lambda e: pgtlab.TDErrors(quadratic(e.V))),
            ("NStepReturn", lambda e: pgtlab.NStepReturn(quadratic(e.V), 3)),
            ("GAE", lambda e: pgtlab.GAE(quadratic(e.V), 0.5)),
        )
    ),
    column(
        "ReturnToGo, 4 steps",
        lambda e: e.truncated(4),
        lambda e, right: mpf(1e-9) * max(largest(right), mpf("1e-280")),
        lambda row: pgtlab.ReturnToGo().expectation(row.mdp, row.policy, 4),
    ),
    column(
        "best_baseline",
        lambda e: e.baseline(1.5),
        lambda e, right: near_threshold(e, right) * 10,
        lambda row: pgtlab.best_baseline(row.mdp, row.policy)(1.5),
    ),
    column("stationary_distribution", lambda e: e.stationary, near_instability),
    column("average_reward", lambda e: e.eta, near_instability),
    column("differential_values", lambda e: e.h, each(near_instability), of_function("differential_values")),
    column(
        "differential_action_values",
        lambda e: e.Qh,
        lambda e, right: near_instability(e, right),
        of_function("differential_action_values"),
    ),
    column(
        "average_reward_gradient",
        lambda e: e.long_run_gradient,
        lambda e, right: near_instability(e, mpf(1)) * long_run_terms(e),
    ),
]


def drift_and_noise(row):
    process = pgtlab.chain(row.mdp, row.policy)
    return np.array([process.drift, process.noise_variance])


def gradient_terms(e):
    """Return what the two parts of the gradient add up, without signs."""
    with mpmath.workdps(e.digits):
        _, xu, uu, _ = map(abs, e.Q)
        return np.array([(xu + 2 * uu * abs(e.k)) * e.second_moment, 2 * e.s2 * uu * e.mass])


def natural_terms(e):
    with mpmath.workdps(e.digits):
        _, xu, uu, _ = map(abs, e.Q)
        return 10 * near_threshold(e, mpf(1)) * np.array([(xu + 2 * uu * abs(e.k)) * e.s2, uu * e.s2])


def long_run_terms(e):
    with mpmath.workdps(e.digits):
        _, xu, uu, _ = map(abs, e.Qh)
        return np.array([(xu + 2 * uu * abs(e.k)) * e.stationary, 2 * e.s2 * uu])


def critic_coefficients(e):
    """Return w_1 z x / s + w_2 (z^2 - 1) with z = (u - k x) / s, as coefficients."""
    with mpmath.workdps(e.digits):
        along, across = mpf(LQ_W[0]) / e.s2, mpf(LQ_W[1]) / e.s2
        return np.array([-along * e.k + across * e.k**2, along - 2 * across * e.k, across, -mpf(LQ_W[1])])


def critic_terms(e):
    with mpmath.workdps(e.digits):
        along, across = abs(mpf(LQ_W[0])) / e.s2, abs(mpf(LQ_W[1])) / e.s2
        return np.array(
            [along * abs(e.k) + across * e.k**2, along + 2 * across * abs(e.k), across, abs(mpf(LQ_W[1]))]
        )
