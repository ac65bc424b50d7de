"""The table of expected outcomes: what each method reaches on each problem, derived beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from pgtlab import gallery
from pgtlab.ascent import (
    AdvantageActorCritic,
    AscentRule,
    EligibilityTraces,
    ExactNaturalActorCritic,
    GradientAscent,
    HoldFixed,
    IncrementalNaturalActorCritic,
    NaturalActorCritic,
    NaturalGradientAscent,
    QActorCritic,
    Reinforce,
    ReinforceWithBaseline,
    TDErrorActorCritic,
    ascend,
)
from pgtlab.ascent.run import described
from pgtlab.critics import (
    LSTDQ,
    TD,
    CorrectedEpisodicNAC,
    EpisodicNAC,
    LiteralUpdate,
    MonteCarlo,
    ValueAndScore,
)
from pgtlab.exact.values import expected_return

#: What may be expected of a run.
BEST = "reaches 95 % of J*"
BEST_OF_TWO = "learns the best policy"
PLATEAU = "sits on the plateau"
WORST = "learns the worst policy"
BIASED = "ends at a derived bias"
STILL = "does not move"


@dataclass(frozen=True, eq=False, repr=False)
class Outcome:
    r"""What a method is expected to reach on a problem, and why.

    Attributes
    ----------
    problem : str
        Name of the problem, with what is special about its start.
    start : callable
        Returns the problem and the policy to start from.
    rule : AscentRule
    step_size : float
    n_steps : int
    expected : str
        One of "reaches 95 % of J*", "learns the best policy" (where J* is 0), "learns the worst policy",
        "sits on the plateau", "ends at a derived bias", "does not move".
    level : float
        The J that the run is expected to end at.
    within : float
        How far from it J may be at the end: 5 % of :math:`|J^*|`, or of the way from the worst J to the best
        where that is finite. 20 % for sampled runs with one knob: the nearer they come to a deterministic
        policy, the rarer is what they learn from.
    because : str
        The derivation, in a line or two.
    """

    problem: str
    start: object
    rule: AscentRule
    step_size: float
    n_steps: int
    expected: str
    level: float
    within: float
    because: str

    @property
    def method(self):
        """Name of the rule, with that of the rule or the critic inside it."""
        return _named(described(self.rule))

    def run(self, *, rng):
        """Make the run; an exact rule draws nothing from `rng`."""
        mdp, policy = self.start()
        return ascend(mdp, policy, rule=self.rule, step_size=self.step_size, n_steps=self.n_steps, rng=rng)

    def holds(self, run):
        """Whether a run ended as expected; one that was stopped did not."""
        return run.stopped is None and bool(abs(run.returns[-1] - self.level) <= self.within)

    def __repr__(self):
        return f"Outcome({self.problem}, {self.method}: {self.expected})"


def _named(settings):
    inside = settings.get("rule") or settings.get("critic")
    name = settings["name"]
    if "lam" in settings:
        name += f"({settings['lam']:g})"
    return f"{name}({_named(inside)})" if inside else name


# --- the short corridor ----------------------------------------------------------------------------

# J = -2 (2 - p) / (p (1 - p)) has its only stationary point between 0 and 1 at p = 2 - sqrt 2.
_CORRIDOR = {"level": -(6 + 4 * math.sqrt(2)), "within": 0.05 * (6 + 4 * math.sqrt(2)), "expected": BEST}
_CORRIDOR_EXACT = {
    "problem": "short corridor",
    "start": partial(gallery.short_corridor, 0.05),
    **_CORRIDOR,
}
_CORRIDOR_SAMPLED = {
    "problem": "short corridor",
    "start": partial(gallery.short_corridor, 0.8),
    **_CORRIDOR,
}
_STATIONARY = "J has one stationary point between p = 0 and 1, its maximum at 2 - sqrt 2"
_FOLLOWS = "in the mean the direction is the gradient, of which J has one stationary point, its maximum"
_TRACKED = "a tabular critic that keeps up with the policy gives the gradient in the mean"

# --- now or later ----------------------------------------------------------------------------------
# The sampled critics stop short of the policies under which a batch may hold one action only: the score of
# that is next to 0, and the fit to it as good as infinite.

# J = 1 + 8 p, from 1 to 9.
_LATER = {"problem": "now or later", "start": gallery.now_or_later}
_LATER_BEST = {**_LATER, "expected": BEST, "level": 9.0, "within": 0.4}
_LATER_WORST = {**_LATER, "expected": WORST, "level": 1.0, "within": 0.4}
_MYOPIC = (
    "the critic's fixed point is -1, the slope of the immediate reward 1 - p in the log odds of p, over FIM"
)

# --- linear-quadratic ------------------------------------------------------------------------------


def _best_gain(discount):
    """Return the best gain of `gallery.linear_quadratic`, by its Riccati equation."""
    # P = 1 + g P / (1 + g P)  <=>  g P^2 + (1 - 2 g) P - 1 = 0,  and  k = -g P / (1 + g P)
    half = (1 - 2 * discount) / 2
    gP = -half + math.sqrt(half**2 + discount)
    return -gP / (1 + gP)


def _regulator(gain, words):
    J_best, J = (expected_return(*gallery.linear_quadratic(k)) for k in (_best_gain(0.9), gain))
    return {
        "problem": "linear-quadratic, std held",
        "start": partial(gallery.linear_quadratic, -0.1),
        "expected": words,
        "level": J,
        "within": 0.05 * abs(J_best),
    }


_REGULATOR_BEST = _regulator(_best_gain(0.9), BEST)
_ONE_MINIMUM = "in k alone the one stationary point is k*, by the Riccati equation"


def _held(rule):
    return HoldFixed(rule, held=(1,))


# --- two states ------------------------------------------------------------------------------------

_TWO_STATES = {"problem": "two states", "start": gallery.two_states, "within": 0.9}
# From the start (0.8, 0.2): V* = (18, 20).
_TWO_STATES_SPREAD = {
    "problem": "two states, start (0.8, 0.2)",
    "start": partial(gallery.two_states, initial=(0.8, 0.2)),
    "expected": BEST,
    "level": 0.8 * 18 + 0.2 * 20,
    "within": 0.05 * (0.8 * 18 + 0.2 * 20),
}

# --- one knob --------------------------------------------------------------------------------------

# J = p (1 - 0.9 c) with c = 1.15, from -0.035 to 0.
_KNOB = {"problem": "one knob, cost 1.15", "start": partial(gallery.one_knob, 1.15)}
_KNOB_BEST = {**_KNOB, "expected": BEST_OF_TWO, "level": 0.0}
_KNOB_WORST = {**_KNOB, "expected": WORST, "level": 1 - 0.9 * 1.15}
_NEAR, _NEAR_ENOUGH = {"within": 0.05 * 0.035}, {"within": 0.2 * 0.035}
_TWICE = (
    "visits weigh gamma^(2t): the fixed point is (1 - 0.81 c) / 1.81, above 0, where the gradient is below"
)
_ONCE = "the fixed point is the natural gradient (1 - 0.9 c) / 1.9, below 0"

#: The table: method by problem. Exact runs first, then sampled ones.
OUTCOMES = (
    Outcome(**_CORRIDOR_EXACT, rule=GradientAscent(), step_size=0.05, n_steps=100, because=_STATIONARY),
    Outcome(
        **_CORRIDOR_EXACT, rule=NaturalGradientAscent(), step_size=0.05, n_steps=100, because=_STATIONARY
    ),
    Outcome(
        **{**_CORRIDOR_EXACT, "expected": STILL, "level": -2 * 1.95 / (0.05 * 0.95)},
        rule=ExactNaturalActorCritic(LiteralUpdate()),
        step_size=0.05,
        n_steps=100,
        because="the immediate reward is -1 whatever is done, and its gradient 0",
    ),
    Outcome(**_LATER_BEST, rule=GradientAscent(), step_size=0.2, n_steps=20, because="dJ/dp = 8 everywhere"),
    Outcome(
        **_LATER_BEST,
        rule=NaturalGradientAscent(),
        step_size=0.02,
        n_steps=20,
        because="it is 8 everywhere: after 20 steps the log odds of p are 3.2, and p is above 0.95",
    ),
    Outcome(
        **_LATER_WORST,
        rule=ExactNaturalActorCritic(LiteralUpdate()),
        step_size=0.2,
        n_steps=20,
        because=_MYOPIC,
    ),
    Outcome(
        **_LATER_WORST,
        rule=ExactNaturalActorCritic(TD(0.05)),
        step_size=0.4,
        n_steps=20,
        because="at discount gamma lambda later is worth 9 lambda, and 9 lambda - 1 is below 0",
    ),
    Outcome(
        **_LATER_BEST,
        rule=ExactNaturalActorCritic(TD(0.5)),
        step_size=0.1,
        n_steps=20,
        because="at discount gamma lambda later is worth 9 lambda, and 9 lambda - 1 is above 0",
    ),
    *(
        Outcome(
            **_LATER_BEST,
            rule=ExactNaturalActorCritic(critic),
            step_size=0.02,
            n_steps=20,
            because="the fixed point is the natural gradient, 8 everywhere",
        )
        for critic in (MonteCarlo(), ValueAndScore(), LSTDQ(0.5), EpisodicNAC(), CorrectedEpisodicNAC())
    ),
    Outcome(
        **_REGULATOR_BEST, rule=_held(GradientAscent()), step_size=0.01, n_steps=60, because=_ONE_MINIMUM
    ),
    Outcome(
        **_REGULATOR_BEST,
        rule=_held(NaturalGradientAscent()),
        step_size=1.0,
        n_steps=20,
        because=_ONE_MINIMUM,
    ),
    Outcome(
        **_regulator(0.0, BIASED),
        rule=_held(ExactNaturalActorCritic(LiteralUpdate())),
        step_size=1.0,
        n_steps=40,
        because="the critic's fixed point is -2 r k s^2, which leads to k = 0",
    ),
    Outcome(
        **_regulator(_best_gain(0.45), BIASED),
        rule=_held(ExactNaturalActorCritic(TD(0.5))),
        step_size=1.0,
        n_steps=40,
        because="the critic sees Q at discount gamma lambda, so k settles at the best gain of that discount",
    ),
    *(
        Outcome(
            **_REGULATOR_BEST,
            rule=_held(ExactNaturalActorCritic(critic)),
            step_size=1.0,
            n_steps=20,
            because="the fixed point is the natural gradient",
        )
        for critic in (MonteCarlo(), ValueAndScore(), LSTDQ(0.5), CorrectedEpisodicNAC())
    ),
    Outcome(
        **_TWO_STATES,
        rule=GradientAscent(),
        step_size=1.0,
        n_steps=2000,
        expected=PLATEAU,
        level=10.0,
        because="it learns to stay in the first state, for 1 / (1 - 0.9) = 10; then the second is hardly "
        "visited, and its part of the gradient is multiplied by the visits: 5.4e5 units of flow time to "
        "95 % of J*",
    ),
    Outcome(
        **_TWO_STATES,
        rule=NaturalGradientAscent(),
        step_size=0.05,
        n_steps=70,
        expected=BEST,
        level=18.0,
        because="visits cancel against the Fisher information: 3.14 units of flow time to 95 % of J*",
    ),
    Outcome(
        **_TWO_STATES,
        rule=ExactNaturalActorCritic(LiteralUpdate()),
        step_size=0.1,
        n_steps=80,
        expected=BIASED,
        level=10.0,
        because="the immediate reward is for staying, in both states: 1 / (1 - 0.9) = 10, for ever",
    ),
    Outcome(
        **_TWO_STATES_SPREAD,
        rule=GradientAscent(),
        step_size=1.0,
        n_steps=45,
        because="the second state is visited from the start: 40 units of flow time to 95 % of J*",
    ),
    Outcome(
        **_TWO_STATES_SPREAD,
        rule=NaturalGradientAscent(),
        step_size=0.05,
        n_steps=70,
        because="as from the first state alone",
    ),
    Outcome(
        **_KNOB_WORST,
        **_NEAR,
        rule=ExactNaturalActorCritic(EpisodicNAC()),
        step_size=5.0,
        n_steps=40,
        because=_TWICE,
    ),
    Outcome(
        **_KNOB_BEST,
        **_NEAR,
        rule=ExactNaturalActorCritic(CorrectedEpisodicNAC()),
        step_size=5.0,
        n_steps=40,
        because=_ONCE,
    ),
    Outcome(**_KNOB_BEST, **_NEAR, rule=NaturalGradientAscent(), step_size=5.0, n_steps=40, because=_ONCE),
    # Sampled.
    Outcome(
        **_CORRIDOR_SAMPLED, rule=Reinforce(n_episodes=200), step_size=0.02, n_steps=40, because=_FOLLOWS
    ),
    Outcome(
        **_CORRIDOR_SAMPLED,
        rule=ReinforceWithBaseline(n_episodes=100),
        step_size=0.02,
        n_steps=40,
        because=_FOLLOWS,
    ),
    Outcome(
        **_CORRIDOR_SAMPLED,
        rule=QActorCritic(pair_features="tabular", critic_step_size=0.15, n_episodes=100),
        step_size=0.02,
        n_steps=60,
        because=_TRACKED,
    ),
    Outcome(
        **_CORRIDOR_SAMPLED,
        rule=AdvantageActorCritic(
            pair_features="tabular", state_features="tabular", critic_step_size=0.15, n_episodes=50
        ),
        step_size=0.02,
        n_steps=60,
        because=_TRACKED,
    ),
    Outcome(
        **_CORRIDOR_SAMPLED,
        rule=TDErrorActorCritic(state_features="tabular", critic_step_size=0.15, n_episodes=50),
        step_size=0.02,
        n_steps=60,
        because=_TRACKED,
    ),
    Outcome(
        **_CORRIDOR_SAMPLED,
        rule=NaturalActorCritic(critic=MonteCarlo(), n_episodes=200),
        step_size=0.05,
        n_steps=40,
        because="the fixed point is the natural gradient",
    ),
    *(
        Outcome(**_LATER_BEST, rule=rule, step_size=0.5, n_steps=30, because=because)
        for rule, because in (
            (Reinforce(n_episodes=100), _FOLLOWS),
            (ReinforceWithBaseline(n_episodes=100), _FOLLOWS),
            (QActorCritic(pair_features="tabular", critic_step_size=0.5, n_episodes=100), _TRACKED),
            (TDErrorActorCritic(state_features="tabular", critic_step_size=0.5, n_episodes=100), _TRACKED),
        )
    ),
    Outcome(
        **_LATER_BEST,
        rule=EligibilityTraces(lam_actor=1, lam_critic=1, state_features="tabular", critic_step_size=0.1),
        step_size=0.05,
        n_steps=600,
        because="with lambda = 1 the mean over an episode is the gradient, up to the step size",
    ),
    Outcome(
        **_LATER_BEST,
        rule=IncrementalNaturalActorCritic(
            state_features="tabular", critic_step_size=0.5, n_episodes=50, slowing=40.0
        ),
        step_size=0.05,
        n_steps=60,
        because="the critic is faster than the policy and settles at the natural gradient, 8 everywhere",
    ),
    Outcome(
        **_LATER_WORST,
        rule=NaturalActorCritic(critic=LiteralUpdate(), n_episodes=1000),
        step_size=0.25,
        n_steps=15,
        because=_MYOPIC,
    ),
    Outcome(
        **_LATER_WORST,
        rule=NaturalActorCritic(critic=TD(0.05), n_episodes=1000),
        step_size=0.4,
        n_steps=17,
        because="at discount gamma lambda later is worth 9 lambda, and 9 lambda - 1 is below 0",
    ),
    *(
        Outcome(
            **_LATER_BEST,
            rule=NaturalActorCritic(critic=critic, n_episodes=1000),
            step_size=0.03,
            n_steps=15,
            because="the fixed point is the natural gradient, 8 everywhere",
        )
        for critic in (MonteCarlo(), ValueAndScore(), LSTDQ(0.5), EpisodicNAC(), CorrectedEpisodicNAC())
    ),
    Outcome(
        **_REGULATOR_BEST,
        rule=_held(Reinforce(n_episodes=500, horizon=40)),
        step_size=0.004,
        n_steps=50,
        because="40 steps leave out 0.9^40 = 0.015 of the weight; of the rest k* is the stationary point",
    ),
    Outcome(
        **_REGULATOR_BEST,
        rule=_held(TDErrorActorCritic(critic_step_size=0.02, n_episodes=200, horizon=40)),
        step_size=0.005,
        n_steps=60,
        because="x^2 and 1 span V: a critic that keeps up gives the gradient in the mean",
    ),
    Outcome(
        **_REGULATOR_BEST,
        rule=_held(NaturalActorCritic(critic=LSTDQ(0.0), n_episodes=100, horizon=40)),
        step_size=0.8,
        n_steps=12,
        because="x^2 and 1 span V, so the fixed point is the natural gradient",
    ),
    Outcome(
        **_regulator(_best_gain(0.45), BIASED),
        rule=_held(NaturalActorCritic(critic=TD(0.5), n_episodes=1000, horizon=30)),
        step_size=0.4,
        n_steps=20,
        because="the critic sees Q at discount gamma lambda, so k settles at the best gain of that discount",
    ),
    Outcome(
        **_KNOB_BEST,
        **_NEAR_ENOUGH,
        rule=Reinforce(n_episodes=4000),
        step_size=50.0,
        n_steps=50,
        because=_FOLLOWS,
    ),
    Outcome(
        **_KNOB_WORST,
        **_NEAR_ENOUGH,
        rule=NaturalActorCritic(critic=EpisodicNAC(), n_episodes=10_000),
        step_size=5.0,
        n_steps=35,
        because=_TWICE,
    ),
    Outcome(
        **_KNOB_BEST,
        **_NEAR_ENOUGH,
        rule=NaturalActorCritic(critic=CorrectedEpisodicNAC(), n_episodes=10_000),
        step_size=5.0,
        n_steps=35,
        because=_ONCE,
    ),
)
