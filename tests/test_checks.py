"""`checks`: what passes, what does not, and the words in which it is said."""

import html
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from gymnasium.envs.toy_text import FrozenLakeEnv
from numpy.testing import assert_allclose
from scipy.special import chdtri, ndtri, stdtrit
from scipy.stats import binom

from pgtlab import (
    FiniteMDP,
    FinitePolicy,
    LinearGaussianPolicy,
    SoftmaxPolicy,
    checks,
    policy_gradient,
    reinforce,
    rollout,
)
from pgtlab.checks import estimates
from pgtlab.estimators import ActionValues, Estimate, WholeReturn, estimate_gradient, return_estimate
from tests import routes
from tests.problems import FEATURES, random_policy


def test_sides_that_agree_are_printed_with_the_bound(capsys):
    checks.agree(by_hand=1.0, by_solving=1.0 + 1e-12, within=1e-10)
    assert capsys.readouterr().out == "by hand     1\nby solving  1\nagree within 1e-10\n"


def test_a_difference_is_reported_with_place_values_and_cause():
    with pytest.raises(AssertionError) as failure:
        checks.agree(left=[[1.0, 2.0]], right=[[1.0, 2.5]], cause="a transpose")
    assert str(failure.value) == (
        "left[0, 1] is 2 but right[0, 1] is 2.5: they differ by 0.5, more than 1e-10. "
        "Likely cause: a transpose"
    )


@pytest.mark.parametrize("gap", [1.01e-10, -1.01e-10, np.nan, np.inf, -np.inf])
def test_anything_beyond_the_bound_fails(gap):
    with pytest.raises(AssertionError, match=r"^left is 0 but right is"):
        checks.agree(left=0.0, right=gap, within=1e-10)


def test_the_bound_itself_passes(capsys):
    checks.agree(left=0.0, right=0.5, within=0.5)
    assert "agree within 0.5" in capsys.readouterr().out


def test_the_third_side_is_compared_too():
    with pytest.raises(AssertionError, match="a is 1 but c is 2"):
        checks.agree(a=1.0, b=1.0, c=2.0)


def test_the_largest_difference_is_the_one_that_is_reported():
    with pytest.raises(AssertionError, match=r"^a\[2\] is 0 but b\[2\] is -3: they differ by 3, more than"):
        checks.agree(a=[0.0, 0.0, 0.0], b=[0.0, 1.0, -3.0])


def test_shapes_must_be_the_same():
    with pytest.raises(AssertionError, match=r"a has shape \(2,\) but b has shape \(2, 1\)"):
        checks.agree(a=[1.0, 1.0], b=[[1.0], [1.0]])


def test_nan_agrees_with_nan_and_infinity_with_infinity(capsys):
    checks.agree(a=[np.nan, np.inf], b=[np.nan, np.inf])
    assert "agree" in capsys.readouterr().out


def test_rounding_errors_and_the_sign_of_zero_do_not_show(capsys):
    checks.agree(a=[-1e-17, 0.1 + 0.2], b=[1e-17, 0.3])
    assert capsys.readouterr().out == "a  [0, 0.3]\nb  [0, 0.3]\nagree within 1e-10\n"


def test_a_coarse_bound_still_shows_the_digits_it_rests_on(capsys):
    checks.agree(played=-12.36, exact=-12.0, within=1.0786)
    assert capsys.readouterr().out == "played  -12.4\nexact   -12\nagree within 1.08\n"


@pytest.mark.parametrize("within", [0.0, -1.0])
def test_a_bound_must_be_above_zero(within):
    with pytest.raises(ValueError, match="within is .*; expected a number above 0"):
        checks.agree(a=1.0, b=1.0, within=within)


def test_a_bound_that_is_no_number_is_refused():
    for within in (np.nan, np.inf):
        with pytest.raises(ValueError, match=f"^within is {within}; expected a finite number$"):
            checks.agree(a=1.0, b=2.0, within=within)


def test_sides_are_real_numbers_all_of_them():
    with pytest.raises(TypeError, match="^b must be made of numbers: got complex numbers$"):
        checks.agree(a=[1.0], b=np.array([1.0 + 1j]))
    with pytest.raises(ValueError, match=r"^b\[1\] is masked; expected a number$"):
        checks.agree(a=[1.0, 2.0], b=np.ma.array([1.0, 3.0], mask=[False, True]))
    with pytest.raises(TypeError, match="^b must be made of numbers: got text$"):
        checks.agree(a=1.0, b="1.0")


def test_one_side_is_no_claim():
    with pytest.raises(ValueError, match="agree takes two sides or more, got 1"):
        checks.agree(a=1.0)


def test_a_check_that_must_fail_is_caught_and_printed(capsys):
    with checks.caught():
        checks.agree(a=1.0, b=2.0)
    assert capsys.readouterr().out == "caught: a is 1 but b is 2: they differ by 1, more than 1e-10\n"


def test_a_check_that_should_have_failed_but_passed_is_an_error():
    with pytest.raises(AssertionError, match="the check passed; expected it to fail"), checks.caught():
        checks.agree(a=1.0, b=1.0)


def test_other_errors_are_not_caught():
    with pytest.raises(ZeroDivisionError), checks.caught():
        raise ZeroDivisionError


# --- a policy of a reader --------------------------------------------------------------------------


class Ready(SoftmaxPolicy):
    """Softmax over two features in three states: sound, and the base of the broken ones below."""


def softmax(kind=Ready):
    phi = np.random.default_rng(21).normal(size=(3, 4, 2))
    return kind(phi, [0.3, -0.8])


def gaussian(kind=LinearGaussianPolicy):
    return kind(0.4, -0.5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", FEATURES)
def test_the_policies_of_the_package_are_sound(kind, seed, capsys):
    checks.sound_policy(random_policy(np.random.default_rng(seed), 3, 3, kind))
    assert capsys.readouterr().out.endswith("batches          say the same as their policies one by one\n")


@pytest.mark.parametrize("gain", [-300.0, 0.0, 0.5])
@pytest.mark.parametrize("log_std", [-8.0, 0.0, 5.0])
def test_the_gaussian_policy_is_sound_wherever_its_density_lies(gain, log_std, capsys):
    checks.sound_policy(LinearGaussianPolicy(gain, log_std), states=[-3.0, 0.0, 10.0])
    assert "1 in integral in each state (of 3)" in capsys.readouterr().out


def test_what_was_checked_is_printed(capsys):
    checks.sound_policy(softmax())
    assert capsys.readouterr().out == (
        "parameters       2\n"
        "probabilities    at least 0, and 1 in sum in each state (of 3)\n"
        "scores           the slopes of the logarithms, and 0 on average in each state\n"
        "with_parameters  gives a new policy and leaves the old one as it was\n"
        "batches          say the same as their policies one by one\n"
    )


class Hyperbolic(FinitePolicy):
    """One parameter a state, pi(s, 0) = (1 + tanh theta_s) / 2; one policy at a time."""

    def __init__(self, parameters):
        self.parameters = np.array(parameters, dtype=float)

    def probs(self):
        p = (1 + np.tanh(self.parameters)) / 2
        return np.array([p, 1 - p]).T

    def scores(self):
        # d log p / d theta = 1 - tanh, and d log(1 - p) / d theta = -(1 + tanh).
        t = np.tanh(self.parameters)
        return np.array([np.diag(1 - t), np.diag(-1 - t)]).transpose(1, 0, 2)

    def with_parameters(self, parameters):
        return type(self)(parameters)


def test_a_policy_that_takes_no_batches_is_sound_and_told_so(capsys):
    checks.sound_policy(Hyperbolic([0.2, -1.0, 0.7]))
    assert capsys.readouterr().out.endswith("batches          are not taken: one policy at a time\n")


class Alone:
    """The four things that are asked for, and nothing of `FinitePolicy`."""

    def __init__(self, parameters):
        self.parameters = np.array(parameters, dtype=float)

    probs, scores, with_parameters = Hyperbolic.probs, Hyperbolic.scores, Hyperbolic.with_parameters


def test_a_class_of_its_own_is_looked_at_for_what_it_has(capsys):
    checks.sound_policy(Alone([0.2, -1.0, 0.7]))
    assert "1 in sum in each state (of 3)" in capsys.readouterr().out


def test_a_policy_that_raises_on_a_batch_is_sound_too(capsys):
    class Strict(Hyperbolic):
        def __init__(self, parameters):
            super().__init__(parameters)
            if self.parameters.ndim != 1:
                raise LookupError("one vector, please")

    checks.sound_policy(Strict([0.2]))
    assert capsys.readouterr().out.endswith("batches          are not taken: one policy at a time\n")


class Never(FinitePolicy):
    """Three actions, of which the last is never taken."""

    def __init__(self, parameters):
        self.parameters = np.array(parameters, dtype=float)

    def probs(self):
        p = 1 / (1 + np.exp(-self.parameters[0]))
        return np.array([[p, 1 - p, 0.0]])

    def scores(self):
        p = self.probs()[0, 0]
        # Of what is never done a score may say anything.
        return np.array([[[1 - p], [-p], [5.0]]])

    def with_parameters(self, parameters):
        return Never(parameters)


def test_an_action_of_probability_0_has_no_score_to_be_checked(capsys):
    checks.sound_policy(Never([0.4]))
    checks.sound_sampling(Never([0.4]), n_draws=1000, rng=np.random.default_rng(0))
    assert "1 in sum" in capsys.readouterr().out


def test_a_probability_that_has_lost_its_digits_has_no_logarithm_to_be_compared(capsys):
    # e^-740 is 4e-322, which has two digits, and log 4e-322 is -739.997.
    checks.sound_policy(SoftmaxPolicy.tabular([[740.0, 0.0]]))
    assert "1 in sum" in capsys.readouterr().out


class Laplace:
    """A density with a kink and only what is asked for: parameters, log_prob, score, with_parameters."""

    def __init__(self, parameters):
        self.parameters = np.array(parameters, dtype=float)

    def log_prob(self, state, action):
        width = np.exp(self.parameters[0])
        return -np.abs(action) / width - np.log(2 * width)

    def score(self, state, action):
        return (np.abs(action) / np.exp(self.parameters[0]) - 1)[..., None]

    def with_parameters(self, parameters):
        return Laplace(parameters)


def test_a_density_with_a_kink_and_no_more_than_is_asked_for_is_sound(capsys):
    checks.sound_policy(Laplace([0.3]))
    assert "1 in integral in each state (of 4)" in capsys.readouterr().out


# Each of these is one mistake; with it goes what must be said.


class NotCentred(Ready):
    def scores(self):
        return self.features


class SlopeOfTheProbability(Ready):
    def scores(self):
        return self.probs()[..., None] * super().scores()


class Descent(Ready):
    def scores(self):
        return -super().scores()


class Tempered(Ready):
    def scores(self):
        return 2 * super().scores()


class NoScore(Ready):
    def scores(self):
        return 0 * super().scores()


class NextAction(Ready):
    """M1: the score of the action beside."""

    def scores(self):
        return np.roll(super().scores(), 1, axis=1)


class Transposed(Ready):
    def scores(self):
        return super().scores().transpose(0, 2, 1)


class Weights(Ready):
    def probs(self):
        return np.exp(self.logits())


class Single(Ready):
    def probs(self):
        return super().probs().astype(np.float32)


class Signed(Ready):
    def probs(self):
        return np.sin(np.arange(12)).reshape(3, 4)


class OneState(Ready):
    def probs(self):
        return super().probs()[0]


class NotANumber(Ready):
    def probs(self):
        return np.where(np.arange(4) == 2, np.nan, super().probs())


class Stays(Ready):
    def with_parameters(self, parameters):
        return self


class Forgets(Ready):
    def with_parameters(self, parameters):
        return type(self)(self.features, np.round(parameters, 1))


class Overwrites(Ready):
    def with_parameters(self, parameters):
        object.__setattr__(self, "parameters", np.array(parameters))
        self.__dict__.pop("_probs", None)
        return self


class Borrows(Hyperbolic):
    def with_parameters(self, parameters):
        other = type(self)(parameters)
        other.parameters = parameters
        return other


class OldProbabilities(Ready):
    def with_parameters(self, parameters):
        other = super().with_parameters(parameters)
        other.__dict__["_probs"] = self.probs()
        return other


class OldScores(Hyperbolic):
    def scores(self):
        return self.kept if hasattr(self, "kept") else super().scores()

    def with_parameters(self, parameters):
        other = type(self)(parameters)
        other.kept = self.scores()
        return other


class OtherLogarithm(Ready):
    def log_prob(self, state, action):
        return super().log_prob(state, action) / np.log(2)


class OtherScore(Ready):
    def score(self, state, action):
        return super().score(state, (action + 1) % 4)


class OtherSum(Ready):
    def score_sum(self, weights):
        return np.einsum("sa,sak->k", weights, self.features)


class ScoreWithoutAxis(Ready):
    def score(self, state, action):
        return super().score(state, action)[..., 0]


class FlatLogarithms(Ready):
    def log_prob(self, state, action):
        return super().log_prob(state, action).ravel()


class MixedBatch(Ready):
    def probs(self):
        # The axis of the batch is turned round.
        return super().probs()[::-1] if self.parameters.ndim > 1 else super().probs()


WRONG_POLICIES = [
    (NotCentred, r"^the mean of scores\(\)\[0, :, 0\] under the policy is .*: the score is not centred: "),
    (SlopeOfTheProbability, "the slope of the probability, not of its logarithm: divide by the probability$"),
    (
        Descent,
        r"^scores\(\)\[0, 0, 0\] is .* but the slope .* in parameters\[0\] is .* a factor of -1 too much",
    ),
    (Tempered, r"a factor of 2 too much, such as a sign or a temperature$"),
    (NoScore, "the scores are 0 everywhere$"),
    (NextAction, "a slip in the derivative, or scores at other parameters"),
    (Transposed, r"^scores have shape \(3, 2, 4\); expected \(3, 4, 2\): for each state and action a number"),
    (Weights, r"^probs\(\)\[0, :\] has the total .*; expected 1 within 1e-08\. .*: not divided by the total"),
    (
        Single,
        r"^probs\(\) has dtype float32, of about 6 digits; expected float64\. Likely cause: parameters or "
        r"features are float32; make them np\.asarray\(\.\.\., dtype=np\.float64\)$",
    ),
    (Signed, r"^probs\(\)\[1, 0\] is -0\.756802; expected at least 0"),
    (OneState, r"^probs\(\) has shape \(4,\); expected \(S, A\), a row for each state$"),
    (NotANumber, r"^probs\(\)\[0, 2\] is nan; expected at least 0"),
    (
        Stays,
        r"^with_parameters\(p\)\.parameters is \[.*\] but p is \[.*\]\. .*: it returns the policy itself$",
    ),
    (Forgets, "it does not keep what it is given$"),
    (Overwrites, "^with_parameters changed the policy that it was called on"),
    (OldProbabilities, "the probabilities do not follow the parameters"),
    (
        OtherLogarithm,
        r"^log_prob\(s, a\) is .* but log probs\(\)\[s, a\] is .*, at \[0, 0\]\. Likely cause: the two",
    ),
    (OtherScore, r"^score\(s, a\) is .* but scores\(\)\[s, a\] is"),
    (OtherSum, r"^score_sum\(w\) is .* but the sum of w scores\(\) is"),
    (ScoreWithoutAxis, r"^score\(s, a\) has shape \(3, 4\) but scores\(\)\[s, a\] has shape \(3, 4, 2\)$"),
    (FlatLogarithms, r"^log_prob\(s, a\) has shape \(12,\) but log probs\(\)\[s, a\] has shape \(3, 4\)$"),
    (MixedBatch, r"^what a batch says is .* but what its policies say one by one is"),
]


@pytest.mark.parametrize(("kind", "words"), WRONG_POLICIES, ids=[kind.__name__ for kind, _ in WRONG_POLICIES])
def test_a_mistake_in_a_policy_is_caught_and_named(kind, words, capsys):
    with pytest.raises(AssertionError, match=words):
        checks.sound_policy(softmax(kind))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Borrows, "^with_parameters\\(p\\) changes when p is written to afterwards"),
        (OldScores, r"^the mean of with_parameters\(p\)\.scores\(\)\[0, :, 0\] .*: the scores do not follow"),
    ],
)
def test_a_mistake_that_softmax_policy_rules_out_is_caught_too(kind, words):
    with pytest.raises(AssertionError, match=words):
        checks.sound_policy(kind([0.2, -1.0, 0.7]))


class NoMinusOne(LinearGaussianPolicy):
    """M12 for the Gaussian: z^2 in place of z^2 - 1."""

    def score(self, state, action):
        return super().score(state, action) + np.array([0.0, 1.0])

    def with_parameters(self, parameters):
        return type(self)(*np.asarray(parameters).T)


class PerVariance(NoMinusOne):
    def score(self, state, action):
        return LinearGaussianPolicy.score(self, state, action) / [1.0, 2.0]


class Unscaled(NoMinusOne):
    def log_prob(self, state, action):
        return super().log_prob(state, action) + self.log_std

    def score(self, state, action):
        return LinearGaussianPolicy.score(self, state, action)


class OtherDensity(NoMinusOne):
    def density(self, state, action):
        return 2 * super().density(state, action)

    def score(self, state, action):
        return LinearGaussianPolicy.score(self, state, action)


class SingleLogarithm(NoMinusOne):
    def log_prob(self, state, action):
        return super().log_prob(state, action).astype(np.float32)


class FlatLogarithm(NoMinusOne):
    def log_prob(self, state, action):
        return super().log_prob(state, action).ravel()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (NoMinusOne, r"^the mean of score\(-2, :\)\[1\] under the policy is 1; expected 0\. .* not centred"),
        (PerVariance, r"^score\(-2, .*\)\[1\] is .* but the slope of the logarithm in parameters\[1\] is"),
        (Unscaled, r"^exp\(log_prob\(-2, :\)\) has the total 0\.606530\d*; expected 1 within"),
        (
            SingleLogarithm,
            r"^log_prob has dtype float32, of about 6 digits; expected float64\. Likely cause: ",
        ),
        (OtherDensity, r"^density\(x, u\) is .* but exp\(log_prob\(x, u\)\) is"),
        (
            FlatLogarithm,
            r"^log_prob has shape \(4004,\) for states and actions of shape \(4, 1001\); expected the",
        ),
    ],
)
def test_a_mistake_in_a_gaussian_policy_is_caught_and_named(kind, words):
    with pytest.raises(AssertionError, match=words):
        checks.sound_policy(gaussian(kind))


class Bare:
    parameters = np.zeros(2)


def test_what_is_no_policy_is_refused_in_words():
    with pytest.raises(
        TypeError, match="^Bare has no log_prob; expected a policy with parameters, log_prob, score"
    ):
        checks.sound_policy(Bare())
    with pytest.raises(TypeError, match="^Laplace has no sample; expected a policy with sample$"):
        checks.sound_sampling(Laplace([0.0]), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"^policy is a batch of shape \(3,\); expected one policy, such as"):
        checks.sound_policy(SoftmaxPolicy.tabular(np.zeros((3, 2, 2))))
    with pytest.raises(AssertionError, match=r"^parameters is 0\.5 of shape \(\); expected a vector"):
        checks.sound_policy(Hyperbolic(0.5))
    with pytest.raises(AssertionError, match=r"^parameters is \[nan\] of shape \(1,\); expected a vector"):
        checks.sound_policy(Hyperbolic([np.nan]))
    with pytest.raises(ValueError, match=r"^states has shape \(\); expected \(N,\)$"):
        checks.sound_policy(gaussian(), states=0.0)


# --- its samples -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [softmax(), gaussian(), Hyperbolic([0.2, -1.0])])
def test_the_policies_of_the_package_draw_as_they_say(policy, capsys):
    # False alarm 1e-6.
    checks.sound_sampling(policy, rng=np.random.default_rng(22))
    assert capsys.readouterr().out.startswith("draws  100000 in each state (of ")


class NextState(Ready):
    def sample(self, state, *, rng):
        return super().sample((state + 1) % 3, rng=rng)


class OffByTwoPercent(Hyperbolic):
    def sample(self, state, *, rng):
        return (rng.random(np.shape(state)) >= self.probs()[state, 0] + 0.02).astype(int)


class NeverIsDrawn(Never):
    def sample(self, state, *, rng):
        # Once.
        return np.where(np.arange(np.size(state)) == 7, 2, super().sample(state, rng=rng))


class FromOne(Hyperbolic):
    def sample(self, state, *, rng):
        return super().sample(state, rng=rng) + 1


class Rounded(Hyperbolic):
    def sample(self, state, *, rng):
        return super().sample(state, rng=rng).astype(float)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (
            softmax(NextState),
            r"^in state 0 action \d is drawn with frequency .* and chance explains 0\.0\d+\. ",
        ),
        (OffByTwoPercent([0.1]), r"^in state 0 action 0 is drawn with frequency .* they differ by 0\.0"),
        (NeverIsDrawn([0.1]), r"^in state 0 action 2 is drawn with frequency 1e-05 but has probability 0:"),
        (FromOne([0.1]), "^in state 0 actions from 1 to 2 are drawn; expected 0 to 1$"),
        (
            Rounded([0.1]),
            r"^sample of 100000 states has shape \(100000,\) and dtype float64; expected \(100000,\) a",
        ),
    ],
)
def test_wrong_draws_are_caught(policy, words):
    # A difference of 0.02 is missed with a chance of less than 1e-6: the bound is 0.0092 at most.
    with pytest.raises(AssertionError, match=words):
        checks.sound_sampling(policy, rng=np.random.default_rng(23))


class VarianceForDeviation(NoMinusOne):
    def sample(self, state, *, rng):
        return self.gain * state + self.std**2 * rng.standard_normal(np.shape(state))


class OneDraw(NoMinusOne):
    def sample(self, state, *, rng):
        return super().sample(state[:1], rng=rng)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            VarianceForDeviation,
            r"^in state -2 an action below .* or the variance for the standard deviation$",
        ),
        (
            OneDraw,
            r"^sample of 100000 states has shape \(1,\); expected \(100000,\), a finite action for each",
        ),
    ],
)
def test_wrong_draws_on_the_real_line_are_caught(kind, words):
    with pytest.raises(AssertionError, match=words):
        checks.sound_sampling(gaussian(kind), rng=np.random.default_rng(24))


def test_the_chance_of_a_false_alarm_is_at_most_what_it_is_said_to_be():
    # 400 sound policies with a false alarm of 0.1 each: Bernstein and Massart are bounds, so at most 40 are
    # expected, and 74 or more of 400 with a chance of 1e-6 at most, by Hoeffding.
    rng, alarms = np.random.default_rng(25), 0
    for policy in (Hyperbolic([0.2]), gaussian()):
        for _ in range(200):
            try:
                checks.sound_sampling(policy, states=[1.0], n_draws=200, false_alarm=0.1, rng=rng)
            except AssertionError:
                alarms += 1
    assert alarms <= 40 + 400 * routes.hoeffding(1.0, 400)


def test_bad_input_of_the_sampling_check_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match="^rng must be a numpy.random.Generator, got int;"):
        checks.sound_sampling(softmax(), rng=0)
    with pytest.raises(ValueError, match="^n_draws is 0; expected an integer of at least 1$"):
        checks.sound_sampling(softmax(), n_draws=0, rng=rng)
    words = "^n_draws is 1000000000000000; expected an integer of at most 1000000000$"
    with pytest.raises(ValueError, match=words):
        checks.sound_sampling(softmax(), n_draws=10**15, rng=rng)
    for alarm in (-1, 0.0, 0.5):
        with pytest.raises(
            ValueError, match="^false_alarm is .*; expected a number above 1e-100 and below 0.5$"
        ):
            checks.sound_sampling(softmax(), false_alarm=alarm, rng=rng)


# --- estimates -------------------------------------------------------------------------------------


def estimate(mean, standard_error, degrees_of_freedom=999):
    return SimpleNamespace(
        mean=np.asarray(mean),
        standard_error=np.asarray(standard_error),
        degrees_of_freedom=degrees_of_freedom,
    )


def test_an_estimate_within_its_error_is_printed_beside_the_exact_value(capsys):
    checks.consistent(estimate=estimate([1.23456, -0.0], [0.01, 0.02], np.inf), exact=[1.25, 0.01])
    # Two components and two sides: 1e-6 / 4 beyond each end of the normal distribution.
    assert f"{-ndtri(0.25e-6):.3g}" == "5.03"
    assert capsys.readouterr().out == (
        "estimate        [1.235, 0]\n"
        "standard error  [0.01, 0.02]\n"
        "exact           [1.25, 0.01]\n"
        "within 5.03 standard errors, as chance has it in all but 1e-06 of such checks\n"
    )


def test_an_estimate_beyond_its_error_is_reported_with_its_place_and_distance():
    with pytest.raises(AssertionError) as failure:
        checks.consistent(
            estimate=estimate([[1.0, 2.0]], [[0.1, 0.01]], np.inf),
            exact=[[1.1, 2.1]],
            cause="gamma^t dropped",
        )
    assert str(failure.value) == (
        "estimate[0, 1] is 2 but exact[0, 1] is 2.1: they are 10 standard errors of 0.01 apart, and chance "
        "explains 5.03. Likely cause: gamma^t dropped"
    )


@pytest.mark.parametrize("dof", [1, 1.5, 2, 9, 999, 1e6, np.inf])
@pytest.mark.parametrize("tail", [0.25, 1e-2, 5e-7, 1e-9])
def test_the_bound_is_the_quantile_of_students_distribution(dof, tail, capsys):
    # SciPy's is the reference; 2 tail is the false alarm of a single number.
    quantile = -stdtrit(dof, tail) if np.isfinite(dof) else -ndtri(tail)
    just_inside, outside = quantile * (1 - 1e-6), quantile * (1 + 1e-6)
    if tail < 0.25:
        checks.consistent(estimate=estimate(just_inside, 1.0, dof), exact=0.0, false_alarm=2 * tail)
        with pytest.raises(AssertionError, match="standard errors of 1 apart"):
            checks.consistent(estimate=estimate(outside, 1.0, dof), exact=0.0, false_alarm=2 * tail)
    assert_allclose(estimates.student_quantile(tail, dof), quantile, rtol=1e-7)


@pytest.mark.parametrize("n_episodes", [4, 200])
def test_a_true_mean_raises_the_alarm_as_often_as_is_said_and_a_wrong_one_surely(n_episodes, capsys):
    # 2000 estimates of two normal means each, false alarm 0.1 in all (Bonferroni: at most, and for
    # independent components 1 - 0.95^2 = 0.0975). Hoeffding's width for 2000 trials at 1e-6 is 0.06.
    rng, alarms = np.random.default_rng(26), {0.0: 0, 40.0: 0}
    for _ in range(2000):
        draws = rng.normal(size=(n_episodes, 2))
        error = draws.std(0, ddof=1) / n_episodes**0.5
        for bias in alarms:
            found = estimate(draws.mean(0), error, n_episodes - 1)
            try:
                checks.consistent(estimate=found, exact=[0.0, bias], false_alarm=0.1)
            except AssertionError:
                alarms[bias] += 1
    assert abs(alarms[0.0] / 2000 - 0.0975) < routes.hoeffding(1.0, 2000)
    # With the bias 40 the mean of 4 draws is missed only if their spread is 25 and not 1.
    assert alarms[40.0] == 2000


def test_without_spread_only_rounding_is_allowed_for(capsys):
    checks.consistent(estimate=estimate([2.0, 0.0], [0.0, 0.0]), exact=[2.0 + 1e-13, 0.0])
    with pytest.raises(
        AssertionError,
        match=r"^estimate\[0\] is 2 but exact\[0\] is 2: every episode gave the same, and chance explains a "
        "difference of 0$",
    ):
        checks.consistent(estimate=estimate([2.0, 0.0], [0.0, 0.0]), exact=[2.0 + 1e-9, 0.0])


def test_what_is_0_but_for_rounding_agrees_with_0(capsys):
    checks.consistent(estimate=estimate([0.0, 1.0], [0.0, 0.1]), exact=[-1e-19, 1.0])
    checks.consistent(estimate=estimate(0.0, 0.0), exact=-1e-19)
    assert "no verdict" not in capsys.readouterr().out


@pytest.mark.parametrize("size", [1e-150, 1e150])
def test_without_spread_tiny_and_huge_numbers_are_told_apart(size, capsys):
    checks.consistent(estimate=estimate(size, 0.0), exact=size * (1 + 1e-15))
    with pytest.raises(AssertionError, match="every episode gave the same"):
        checks.consistent(estimate=estimate(size, 0.0), exact=1.1 * size)


# --- rare events -----------------------------------------------------------------------------------

FALSE_ALARM = 1e-6


def bandit(probability):
    """One step: the first of two arms pays 1; its score is 1 - p. The other pays nothing."""
    mdp = FiniteMDP(np.zeros((1, 2, 1)), [[1.0, 0.0]], [1.0], 0.9)
    return mdp, SoftmaxPolicy([[[1.0], [0.0]]], [np.log(probability) - np.log1p(-probability)])


def counted(k, n_episodes, b):
    """The estimate that k events of size b give, as `estimate_gradient` and `return_estimate` make it."""
    share = k / n_episodes
    error = b * (share * (1 - share) / (n_episodes - 1)) ** 0.5
    # Of a coin the third cumulant is 1 - 2 p times the second; of few events the size is a bound.
    size = b + share * b if k * (1 - share) < 16 * (1 - 2 * share) ** 2 else b * abs(1 - 2 * share)
    return Estimate(share * b, error, n_episodes, n_episodes - 1, size / n_episodes)


@pytest.mark.parametrize("n_episodes", [1000, 10_000])
@pytest.mark.parametrize("expected", [0.1, 1, 3, 10, 16, 20, 50, 200])
def test_the_false_alarm_is_kept_however_rare_the_events_are(n_episodes, expected, capsys):
    # The exact chance of an alarm: binomial chances of all counts at which the check fails.
    k = np.arange(4 * int(expected) + 60)
    chances = binom.pmf(k, n_episodes, expected / n_episodes)
    alarm = 0.0
    for count, chance in zip(k, chances, strict=True):
        try:
            checks.consistent(estimate=counted(count, n_episodes, 2.0), exact=2.0 * expected / n_episodes)
        except AssertionError:
            alarm += chance
    assert alarm + binom.sf(k[-1], n_episodes, expected / n_episodes) <= FALSE_ALARM


@pytest.mark.parametrize("tail", [0.1, 1e-3, 5e-7, 1e-9])
def test_a_count_plus_z_deviations_plus_ln_events_is_above_the_exact_limit(tail):
    # Garwood: the largest Poisson mean under which k or fewer are seen with the chance `tail` is half a
    # quantile of chi-square with 2 k + 2 degrees of freedom. For k = 0 it is ln(1 / tail).
    k = np.arange(3000)
    exact = chdtri(2 * k + 2, tail) / 2
    assert_allclose(exact[0], -np.log(tail), rtol=1e-12)
    assert (exact <= k - ndtri(tail) * np.sqrt(k) - np.log(tail) + 1e-9).all()


@pytest.mark.parametrize(("probability", "n_episodes"), [(1e-4, 10_000), (1e-3, 1000)])
def test_an_unbiased_estimate_of_rare_events_raises_no_alarm(probability, n_episodes, capsys):
    # Of 100 each of two checks with a false alarm of 1e-6; before, 78 and 67 of 200 failed. The number of
    # events is about Poisson with mean 1: in 37 of 100 samples there is none, and the check says so.
    mdp, policy = bandit(probability)
    rng, exact = np.random.default_rng(31), policy_gradient(mdp, policy)
    assert_allclose(exact, [probability * (1 - probability)], rtol=1e-12)
    for _ in range(100):
        paths = rollout(mdp, policy, n_episodes=n_episodes, rng=rng)
        checks.consistent(estimate=estimate_gradient(paths, WholeReturn()), exact=exact)
        checks.consistent(estimate=return_estimate(paths), exact=probability)
    unseen = capsys.readouterr().out.count("was not seen: no verdict\n")
    assert abs(unseen / 200 - np.exp(-1)) < routes.hoeffding(1.0, 100)


def test_frozen_lake_raises_no_alarm(capsys):
    # 256 components, most of which rest on a handful of the episodes that reach the goal, or on none.
    environment = FrozenLakeEnv(map_name="8x8")
    mdp = FiniteMDP.from_gymnasium(environment.P, environment.initial_state_distrib, 0.99)
    policy, rng = SoftmaxPolicy.tabular(np.zeros((64, 4))), np.random.default_rng(35)
    exact = policy_gradient(mdp, policy)
    for _ in range(2):
        found = reinforce(mdp, policy, n_episodes=10_000, rng=rng)
        checks.consistent(estimate=found, exact=exact)
        assert " of 256 components, so that what is rare was not seen: no verdict" in capsys.readouterr().out
        # The same with the opposite sign is seen all the same.
        with pytest.raises(AssertionError, match="and chance explains"):
            checks.consistent(estimate=found, exact=-100 * exact)


def test_an_estimate_in_which_nothing_was_seen_gets_no_verdict(capsys):
    mdp, policy = bandit(1e-9)
    paths = rollout(mdp, policy, n_episodes=50, rng=np.random.default_rng(32))
    found = estimate_gradient(paths, WholeReturn())
    checks.consistent(estimate=found, exact=[1e-9])
    assert capsys.readouterr().out == (
        "estimate        [0]\nstandard error  [0]\nexact           [1e-09]\n"
        "every episode gave the same for 1 of 1 components, so that what is rare was not seen: no verdict\n"
    )
    checks.consistent(estimate=return_estimate(paths), exact=1e-9)
    assert "every episode gave the same here, so that what is rare" in capsys.readouterr().out
    # An episode gives at most 1: a mean of more than ln(2e6) / 50 = 0.29 would have been seen.
    with pytest.raises(AssertionError, match=r"every episode gave the same, and chance explains .* 0\.29$"):
        checks.consistent(estimate=found, exact=[0.3])


def test_a_score_of_what_is_never_done_does_not_spoil_the_bound(capsys):
    # Nothing is paid, so nothing is seen; the third action is never taken, and its score is NaN.
    class Nameless(Never):
        def scores(self):
            p = self.probs()[0, 0]
            return np.array([[[1 - p], [-p], [np.nan]]])

    mdp = FiniteMDP(np.zeros((1, 3, 1)), [[0.0, 0.0, 1.0]], [1.0], 0.9)
    paths = rollout(mdp, Nameless([0.0]), n_episodes=100, rng=np.random.default_rng(36))
    found = estimate_gradient(paths, WholeReturn())
    # Scores of 1/2 in size, and rewards up to 1.
    assert_allclose(found.event_size, [0.5 / 100], rtol=1e-12)
    checks.consistent(estimate=found, exact=[0.0])
    assert "no verdict" not in capsys.readouterr().out


def test_a_bias_in_rare_events_is_seen_when_there_are_enough_of_them():
    # 800 events are expected. Half of that passes with at most 400 + 4.9 sqrt(k) + 14.5 events, that is up to
    # k = 528 of them: 9 deviations sqrt(800) below what is expected.
    mdp, policy = bandit(0.04)
    paths = rollout(mdp, policy, n_episodes=20_000, rng=np.random.default_rng(33))
    found, exact = estimate_gradient(paths, WholeReturn()), policy_gradient(mdp, policy)
    checks.consistent(estimate=found, exact=exact)
    for wrong in (exact / 2, exact * 2, -exact, 0 * exact):
        with pytest.raises(AssertionError, match="standard errors of"):
            checks.consistent(estimate=found, exact=wrong)


def test_an_estimator_that_forgets_everything_is_seen():
    # The sum of scores times 0 in place of the return: 0 in every episode, which at p = 1/2 is no chance.
    mdp, policy = bandit(0.5)
    paths = rollout(mdp, policy, n_episodes=1000, rng=np.random.default_rng(34))
    found = estimate_gradient(paths, ActionValues(np.zeros((1, 2))))
    with pytest.raises(AssertionError, match="every episode gave the same, and chance explains a difference"):
        checks.consistent(estimate=found, exact=policy_gradient(mdp, policy))


def test_where_few_events_were_seen_the_bound_says_so(capsys):
    # 1 event where 12 are expected: 11 times the standard error, and within one error and 14.5 events.
    checks.consistent(estimate=counted(1, 10_000, 1.0), exact=12e-4)
    assert capsys.readouterr().out.endswith(
        "within 4.89 standard errors and 14.5 rare events, as chance has it in all but 1e-06 of such checks\n"
    )
    with pytest.raises(
        AssertionError, match=r"and chance explains 4\.89 and a difference of 0\.00145 by rare ev"
    ):
        checks.consistent(estimate=counted(1, 10_000, 1.0), exact=25e-4)


def test_an_error_without_bound_is_refused():
    for name, found in (
        ("standard_error", estimate([0.0, 1.0], [0.1, np.inf])),
        ("event_size", Estimate(np.zeros(2), np.ones(2), 9, 8, np.array([0.0, np.inf]))),
    ):
        words = rf"^estimate\.{name}\[1\] is inf; expected a finite number$"
        with pytest.raises(ValueError, match=words):
            checks.consistent(estimate=found, exact=[0.0, 0.0])


@pytest.mark.parametrize(("mean", "error"), [(np.nan, 1.0), (0.0, np.nan), (np.inf, 1.0)])
def test_a_number_that_is_none_is_never_consistent(mean, error):
    with pytest.raises(AssertionError, match="standard errors of"):
        checks.consistent(estimate=estimate(mean, error), exact=0.0)


def test_shapes_of_an_estimate_must_be_the_same():
    with pytest.raises(AssertionError, match=r"^estimate.mean has shape \(2,\) but exact has shape \(\)"):
        checks.consistent(estimate=estimate([1.0, 2.0], [1.0, 1.0]), exact=0.0)
    with pytest.raises(
        AssertionError, match=r"^estimate.mean has shape \(2,\) but standard_error has shape \(\)"
    ):
        checks.consistent(estimate=estimate([1.0, 2.0], 1.0), exact=[0.0, 0.0])


def test_what_is_no_estimate_is_refused():
    with pytest.raises(TypeError, match="^estimate must have mean, standard_error and .*; got ndarray$"):
        checks.consistent(estimate=np.zeros(2), exact=np.zeros(2))
    with pytest.raises(ValueError, match="^estimate.degrees_of_freedom is 0; expected a number above 0$"):
        checks.consistent(estimate=estimate(0.0, 1.0, 0), exact=0.0)
    with pytest.raises(ValueError, match="^false_alarm is 1; expected a number above 1e-100 and below 0.5$"):
        checks.consistent(estimate=estimate(0.0, 1.0), exact=0.0, false_alarm=1)


def test_parameters_beside_which_a_step_is_lost_are_refused():
    # Floats are 1.2e-10 apart from 5.2e5 on, a millionth of a step of 1e-4; by 1e308 no step is left.
    for large in (6e5, -1e308):
        with pytest.raises(ValueError, match=r"^parameters\[1\] is .*: beside it the steps of 0\.0001"):
            checks.sound_policy(SoftmaxPolicy.tabular([[0.0, large]]))


# --- one line in a notebook ------------------------------------------------------------------------------


@pytest.fixture
def displayed(monkeypatch):
    """What is displayed, as if a notebook ran."""
    shown = []
    notebook = SimpleNamespace(get_ipython=object)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=shown.append))
    return shown


def line_of(fold):
    """What a fold shows before it is opened."""
    page = fold._repr_html_()
    opened = re.fullmatch(
        r'<details class="pgt-check"><summary>(.*)</summary><pre>(.*)</pre></details>', page, re.DOTALL
    )
    assert html.unescape(opened[2]) == repr(fold)
    return html.unescape(opened[1])


@pytest.mark.parametrize(
    ("sides", "line"),
    [
        ({"a": 1.5, "b_c": 1.5}, "a and b c agree within 1e-10: 1.5"),
        ({"a": [1, 2], "b": [1, 2], "c": [1, 2]}, "a, b and c agree within 1e-10: [1, 2]"),
        ({"a": 1.0, "b": 1.25, "within": 0.5}, "a 1 and b 1.25 agree within 0.5"),
        ({"a": np.arange(20), "b": np.arange(20)}, "a and b agree within 1e-10 (20 numbers each)"),
        ({"a": np.eye(2), "b": np.eye(2)}, "a and b agree within 1e-10 (4 numbers each)"),
    ],
    ids=["number", "few", "apart", "many", "matrix"],
)
def test_in_a_notebook_an_agreement_is_one_line_that_unfolds(sides, line, displayed, capsys):
    checks.agree(**sides)
    assert capsys.readouterr().out == ""
    (fold,) = displayed
    assert line_of(fold) == line
    displayed.clear()
    sys.modules["IPython"].get_ipython = lambda: None  # loaded, but no notebook runs
    checks.agree(**sides)
    assert displayed == []
    assert capsys.readouterr().out == f"{fold!r}\n"


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        ("counted twice", "caught: a[1] is 2 but b[1] is 4. Likely cause: counted twice"),
        (None, "caught: a[1] is 2 but b[1] is 4"),
    ],
)
def test_in_a_notebook_a_mistake_that_is_caught_is_one_line_too(cause, line, displayed):
    with checks.caught():
        checks.agree(a=[1.0, 2.0], b=[1.0, 4.0], cause=cause)
    (fold,) = displayed
    page = fold._repr_html_()
    assert f'<details class="pgt-check pgt-caught"><summary>{line}</summary>' in page
    whole = " ".join(repr(fold).split())
    assert whole.startswith("caught: a[1] is 2 but b[1] is 4: they differ by 2, more than 1e-10")
    assert html.escape(repr(fold)) in page


def test_in_a_notebook_what_is_wrong_still_fails(displayed):
    with pytest.raises(AssertionError, match="a is 1 but b is 2"):
        checks.agree(a=1.0, b=2.0)
    assert displayed == []


@pytest.mark.parametrize(
    ("mean", "error", "exact", "line"),
    [
        (0.75, 0.25, 0.5, "estimate 0.75: 1.0 standard errors from the exact value, 12.9 allowed"),
        (np.ones(4), np.ones(4), [1, 1, 1, 3.5], "estimate (4 numbers): at most 2.5 standard errors from"),
        (
            [0.0, 0.5],
            [0.0, 1.0],
            [0.1, 0.5],
            "estimate [0, 0.5]: no verdict for 1 of 2 components; at most 0.0 ",
        ),
    ],
    ids=["number", "many", "unseen"],
)
def test_in_a_notebook_an_estimate_is_one_line_that_unfolds(mean, error, exact, line, displayed):
    degrees = (
        {"degrees_of_freedom": 3, "event_size": 0.1} if line.count("verdict") else {"degrees_of_freedom": 3}
    )
    tosses = SimpleNamespace(mean=np.array(mean), standard_error=np.array(error), **degrees)
    # Student's t for three degrees of freedom has 0.0005 of its mass beyond 12.92.
    checks.consistent(estimate=tosses, exact=exact, false_alarm=1e-3)
    (fold,) = displayed
    assert line_of(fold).startswith(line)
    assert "such checks" in repr(fold)


def test_in_a_notebook_a_policy_and_its_draws_are_a_line_each(displayed):
    policy = SoftmaxPolicy([[[1.0], [0.0]]], [0.5])
    checks.sound_policy(policy)
    checks.sound_sampling(policy, rng=np.random.default_rng(1))
    lines = [line_of(fold) for fold in displayed]
    assert lines[0].startswith(
        "a sound policy: parameters, probabilities, scores, with_parameters and batches"
    )
    assert lines[1].startswith("sound draws: ")
