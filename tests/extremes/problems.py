"""The rows of the table: problems at the edge, each with what is extreme about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pgtlab import FiniteMDP, LinearGaussianPolicy, LinearQuadraticMDP, SoftmaxPolicy
from tests.extremes.exact import Exact
from tests.extremes.exact_linear_quadratic import ExactLinearQuadratic


@dataclass(frozen=True, eq=False)
class Finite:
    """A finite problem, its policy (tabular without features), and another policy to compare with."""

    name: str
    transition: object
    reward: object
    initial: object
    discount: float
    parameters: object
    features: object = None
    shift: float = 0.5

    def __str__(self):
        return self.name

    @cached_property
    def mdp(self):
        return FiniteMDP(self.transition, self.reward, self.initial, self.discount)

    @cached_property
    def policy(self):
        return self._policy(np.asarray(self.parameters, dtype=float))

    @cached_property
    def other(self):
        return self._policy(self._elsewhere())

    def _elsewhere(self):
        parameters = np.asarray(self.parameters, dtype=float)
        # Each parameter is moved by another amount, or nothing may change.
        return parameters + self.shift * np.cos(np.arange(parameters.size)).reshape(parameters.shape)

    def _policy(self, parameters):
        if self.features is None:
            return SoftmaxPolicy.tabular(parameters)
        return SoftmaxPolicy(self.features, parameters)

    @cached_property
    def exact(self):
        S, A = np.shape(self.reward)
        features = np.eye(S * A).reshape(S, A, S * A) if self.features is None else self.features
        flat = [np.ravel(each) for each in (self.parameters, self._elsewhere())]
        return Exact(self.transition, self.reward, self.initial, self.discount, features, *flat)


@dataclass(frozen=True, eq=False)
class LinearQuadratic:
    """A linear-quadratic problem, its policy, and another one to compare with."""

    name: str
    gain: float = -0.5
    log_std: float = -1.0
    other_parameters: tuple = (-0.25, -0.5)
    changes: dict = field(default_factory=dict)

    def __str__(self):
        return self.name

    @property
    def problem(self):
        usual = {
            "drift": 1.0,
            "control": 1.0,
            "state_cost": 1.0,
            "action_cost": 1.0,
            "noise_std": 0.5,
            "initial_mean": 1.0,
            "initial_std": 0.5,
            "discount": 0.9,
        }
        return usual | self.changes

    @cached_property
    def mdp(self):
        return LinearQuadraticMDP(**self.problem)

    @cached_property
    def policy(self):
        return LinearGaussianPolicy(self.gain, self.log_std)

    @cached_property
    def other(self):
        return LinearGaussianPolicy(*self.other_parameters)

    @cached_property
    def exact(self):
        return ExactLinearQuadratic(self.problem, self.gain, self.log_std, self.other_parameters)


def stay_or_switch():
    """Return transitions (2, 2, 2): action 0 stays, action 1 switches."""
    return np.stack([np.eye(2), np.eye(2)[::-1]], axis=1)


def leaving(first, second, factor=1.0):
    """Return transitions (2, 2, 2): state 0 is left with `first`, state 1 with `second`; action 1 faster."""
    rows = [[[1 - p * f, p * f] for f in (1.0, factor)] for p in (first, second)]
    rows[1] = [row[::-1] for row in rows[1]]
    return np.array(rows)


def to(*targets, n_states):
    """Return rows that lead to the given states with certainty; None ends the episode."""
    rows = np.zeros((len(targets), n_states))
    for row, target in zip(rows, targets, strict=True):
        if target is not None:
            row[target] = 1.0
    return rows


#: One parameter for each state: the log odds of action 0.
ODDS = np.zeros((2, 2, 2))
ODDS[[0, 1], 0, [0, 1]] = 1.0

#: One parameter for both states.
SHARED = np.zeros((2, 2, 1))
SHARED[:, 0, 0] = 1.0

#: Staying pays 1 in state 0 and 2 in state 1.
STAY_PAYS = [[1.0, 0.0], [2.0, 0.0]]


def plateau(name, logits, features=None, reward=STAY_PAYS, discount=0.9, **more):
    """Return the two states of the gallery: the best is to switch once and then to stay."""
    return Finite(name, stay_or_switch(), reward, [1.0, 0.0], discount, logits, features, **more)


def lottery(name, parameters, features=None, reward=(5.0, 1.0, 0.0), **more):
    """Return one state with three actions, each of which ends the episode."""
    features = np.eye(3)[None] if features is None else features
    return Finite(name, np.zeros((1, 3, 1)), [reward], [1.0], 0.9, parameters, features, **more)


def frozen(name, logits, discount=0.9, features=None):
    """Return the problem on which natural ascent froze: "go" costs now, and state 1 pays for staying."""
    transition = np.stack([to(None, 1, n_states=2), to(None, 1, n_states=2)])
    return Finite(name, transition, [[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0], discount, logits, features)


def rare(name, chance, features=None, parameters=((0.3, -0.2), (0.1, 0.4))):
    """Return a start that leads to state 1 with a tiny chance, and else ends the episode."""
    transition = np.zeros((2, 2, 2))
    transition[0, :, 1] = chance
    return Finite(name, transition, [[1.0, 0.0], [5.0, 2.0]], [1.0, 0.0], 0.9, parameters, features)


def corridor(name, n, down, discount=1.0):
    """Return n states in a row: right with probability 1 - down, else back to the start; the last ends."""
    transition = np.zeros((n, 2, n))
    for s in range(n):
        if s + 1 < n:
            transition[s, 0, s + 1] = 1.0
        transition[s, 1, 0] = 1.0
    features = np.zeros((n, 2, 1))
    features[:, 0, 0] = 1.0
    odds = np.log(1 - down) - np.log(down)
    return Finite(name, transition, -np.ones((n, 2)), np.eye(n)[0], discount, [odds], features)


def blocks(name, coupling):
    """Return two pairs of states, within which one goes about, and between which one hardly does."""
    pair = np.array([[0.25, 0.75], [0.5, 0.5]])
    whole = np.zeros((4, 2, 4))
    for a, factor in enumerate((1.0, 3.0)):
        P = np.zeros((4, 4))
        P[:2, :2] = P[2:, 2:] = pair
        P[1, 2], P[2, 1] = factor * coupling, 2 * coupling
        P[1, 1] -= factor * coupling
        P[2, 2] -= 2 * coupling
        whole[:, a] = P
    reward = [[1.0, 0.5], [0.0, 1.0], [3.0, 2.0], [2.0, 3.0]]
    return Finite(name, whole, reward, [1.0, 0.0, 0.0, 0.0], 0.9, [[0.25, 0.0]] * 4)


cycle = np.stack([to(1, 1, n_states=3), to(2, 2, n_states=3), to(0, 0, n_states=3)])
branching = np.array(
    [
        [[0.1, 0.7, 0.2], [0.0, 0.2, 0.6]],
        [[0.3, 0.1, 0.6], [0.5, 0.0, 0.3]],
        [[0.8, 0.1, 0.1], [0.2, 0.3, 0.0]],
    ]
)
branching_reward = np.array([[1.0, -1.0], [0.0, 3.0], [2.0, 0.5]])
branching_features = np.array(
    [[[1.0, 0.5], [0.0, 0.0]], [[-0.5, 1.0], [0.5, 0.0]], [[1.0, -1.0], [0.0, 1.5]]]
)


def specimen(name, features=branching_features, parameters=(0.4, -0.6), *, reward=branching_reward, **more):
    """Return a problem without symmetries, whose features do not span the advantages."""
    discount = more.pop("discount", 0.9)
    return Finite(name, branching, reward, [0.6, 0.3, 0.1], discount, parameters, features, **more)


FINITE = [
    # --- few states, few actions -----------------------------------------------------------------
    Finite("one state, one action", [[[1.0]]], [[2.0]], [1.0], 0.9, [[0.0]]),
    Finite("one state, one action, ends", [[[0.0]]], [[2.0]], [1.0], 1.0, [[0.0]]),
    Finite("one action", branching[:, :1], [[1.0], [0.0], [2.0]], [0.6, 0.3, 0.1], 0.9, np.zeros((3, 1))),
    lottery("one state, least norm", [0.2, -0.1, 0.5]),
    # --- the ends of the discount ----------------------------------------------------------------
    plateau("discount 0", [[0.3, -0.2], [0.1, 0.4]], discount=0.0),
    specimen("discount 1", discount=1.0),
    corridor("discount 1, 3e4 steps", 10, 0.65),
    corridor("discount 1, 3e11 steps", 11, 0.91),
    corridor("discount 1, 1e15 steps", 15, 0.9),
    plateau("discount 1 - 1e-6", [[0.3, -0.2], [0.1, 0.4]], discount=1 - 1e-6),
    plateau("discount 1 - 1e-9", [[0.3, -0.2], [0.1, 0.4]], discount=1 - 1e-9),
    plateau("discount 1 - 1e-12", [[0.3, -0.2], [0.1, 0.4]], discount=1 - 1e-12),
    plateau("discount 1 - 1e-12, features", [0.3, -0.2], ODDS, discount=1 - 1e-12),
    specimen("discount 1 - 1e-12, ends", discount=1 - 1e-12),
    # --- near determinism ------------------------------------------------------------------------
    plateau("log odds 20", [20.0, -1.0], ODDS),
    plateau("log odds 35", [35.0, -1.0], ODDS),
    plateau("log odds 37", [37.0, -1.0], ODDS),
    plateau("log odds 37 in both", [37.0, 37.0], ODDS),
    plateau("log odds 37, one knob", [37.0], SHARED),
    plateau("log odds -37, one knob", [-37.0], SHARED),
    plateau("logits 36", [[36.0, 0.0], [0.0, 0.0]]),
    plateau("logits 700", [[700.0, 0.0], [0.0, 0.0]]),
    plateau("logits 746", [[746.0, 0.0], [0.0, 0.0]]),
    plateau("logits 800, best", [[0.0, 800.0], [800.0, 0.0]]),
    plateau("logits 1000 to -1000", [[1e3, -1e3], [-1e3, 1e3]]),
    plateau("log odds 80 and -80", [80.0, -80.0], ODDS),
    plateau("log odds 746", [746.0, -1.0], ODDS),
    plateau("log odds 800, best", [-800.0, 800.0], ODDS),
    plateau("log odds 800, one knob", [800.0], SHARED),
    Finite(
        "now or later, 1 - 1e-15",
        np.stack([to(1, None, n_states=2), to(None, None, n_states=2)]),
        [[0.0, 1.0], [10.0, 10.0]],
        [1.0, 0.0],
        0.9,
        [float(np.log(1 - 1e-15) - np.log(1e-15))],
        SHARED * np.array([1.0, 0.0])[:, None, None],
    ),
    lottery("lottery 30", [-30.0, -27.0, 0.0]),
    lottery("lottery 50", [-50.0, -45.0, 0.0]),
    lottery("lottery 700", [-700.0, -630.0, 0.0]),
    lottery("lottery 800", [-800.0, -720.0, 0.0]),
    lottery("lottery 50, two features", [-50.0, -45.0], np.eye(3)[None, :, :2]),
    lottery("lottery 700, two features", [-700.0, -630.0], np.eye(3)[None, :, :2]),
    plateau("far from the other policy", [[0.0, 0.0], [0.0, 0.0]], shift=800.0),
    # --- underflow, and states that are hardly or not reached -------------------------------------
    frozen("frozen, logits 40", [[40.0, 0.0], [0.0, 0.0]]),
    frozen("frozen, logits 740", [[740.0, 0.0], [0.0, 0.0]]),
    frozen("frozen, logits 1000", [[1000.0, 0.0], [0.0, 0.0]]),
    frozen("endless but for 1e-16", [[0.0, 37.0], [0.0, 37.0]], discount=1.0),
    frozen("endless but for e^-800", [[0.0, 800.0], [0.0, 800.0]], discount=1.0),
    Finite(
        "an endless state at e^-800",
        np.stack([to(None, 1, n_states=2), to(1, 1, n_states=2)]),
        [[1.0, 0.0], [2.0, 0.0]],
        [1.0, 0.0],
        1.0,
        [[800.0, 0.0], [0.3, 0.1]],
    ),
    rare("visited 1e-20", 1e-20),
    rare("visited 1e-20, features", 1e-20, ODDS, [0.5, -0.3]),
    rare("visited 1e-100, features", 1e-100, ODDS, [0.5, -0.3]),
    rare("visited 1e-300", 1e-300),
    rare("visited 1e-300, features", 1e-300, ODDS, [0.5, -0.3]),
    rare("visited 1e-300, one knob", 1e-300, SHARED, [0.5]),
    Finite(
        "start 1e-300",
        stay_or_switch() * 0.5,
        STAY_PAYS,
        [1.0, 1e-300],
        0.9,
        [[0.3, -0.2], [0.1, 0.4]],
    ),
    Finite(
        "a state out of reach",
        np.stack([to(0, None, n_states=2), to(0, 1, n_states=2)]),
        STAY_PAYS,
        [1.0, 0.0],
        0.9,
        [[0.3, -0.2], [0.1, 0.4]],
    ),
    Finite(
        "a state out of reach, endless",
        np.stack([to(0, None, n_states=2), to(1, 1, n_states=2)]),
        STAY_PAYS,
        [1.0, 0.0],
        1.0,
        [[0.3, -0.2], [0.1, 0.4]],
    ),
    Finite(
        "a second closed class out of reach",
        np.stack([to(0, 1, n_states=3), to(1, 0, n_states=3), to(2, 2, n_states=3)]),
        [[1.0, 0.0], [2.0, 0.0], [7.0, 7.0]],
        [1.0, 0.0, 0.0],
        0.9,
        [[0.3, -0.2], [0.1, 0.4], [0.0, 0.0]],
    ),
    Finite(
        "two closed classes",
        np.stack([to(1, 2, n_states=3), to(1, 1, n_states=3), to(2, 2, n_states=3)]),
        [[0.0, 0.0], [2.0, 2.0], [7.0, 7.0]],
        [1.0, 0.0, 0.0],
        0.9,
        [[0.3, -0.2], [0.1, 0.4], [0.0, 0.0]],
    ),
    Finite(
        "a transient start",
        np.stack([to(1, 2, n_states=3), to(2, 2, n_states=3), to(1, 2, n_states=3)]),
        [[5.0, 0.0], [2.0, 2.0], [7.0, 1.0]],
        [1.0, 0.0, 0.0],
        0.9,
        [[0.3, -0.2], [0.1, 0.4], [0.0, 0.5]],
    ),
    # --- nearly decomposable, periodic ------------------------------------------------------------
    Finite("decomposable 1e-6", leaving(1e-6, 2e-6, 0.5), STAY_PAYS, [1.0, 0.0], 0.9, [[0.0, 0.5]] * 2),
    Finite("decomposable 1e-14", leaving(1e-14, 2e-14, 0.5), STAY_PAYS, [1.0, 0.0], 0.9, [[0.0, 0.5]] * 2),
    Finite("decomposable 1e-17", leaving(1e-17, 2e-17, 0.5), STAY_PAYS, [1.0, 0.0], 0.9, [[0.0, 0.5]] * 2),
    Finite("decomposable 1e-300", leaving(1e-300, 2e-300, 0.5), STAY_PAYS, [1.0, 0.0], 0.9, [[0.0, 0.5]] * 2),
    plateau("decomposable by the policy 1e-16", [37.0, 36.0], ODDS),
    plateau("decomposable by the policy e^-800", [800.0, 799.0], ODDS),
    blocks("blocks 1e-8", 1e-8),
    blocks("blocks 1e-15", 1e-15),
    blocks("blocks 1e-25", 1e-25),
    Finite("a cycle", cycle, [[1.0, 0.0], [0.0, 3.0], [2.0, 2.0]], [1.0, 0.0, 0.0], 0.9, [[0.5, 0.0]] * 3),
    plateau("a cycle but for 1e-16", [-37.0, -37.0], ODDS),
    # --- huge and tiny numbers --------------------------------------------------------------------
    specimen("rewards 1e150", reward=1e150 * branching_reward),
    specimen("rewards 1e-150", reward=1e-150 * branching_reward),
    specimen("rewards 1e4 and a little", reward=1e4 + branching_reward),
    specimen("features 1e-8 and 1e8", branching_features * [1e-8, 1e8], (1e7, 1e-9), shift=1e-9),
    specimen(
        "redundant features",
        branching_features[..., [0, 1, 0, 1]] * [1.0, 1.0, 2.0, 0.0],
        (0.4, -0.6, 0.1, 0.7),
    ),
    specimen(
        "features parallel to 1e-5",
        np.stack([branching_features[..., 0], branching_features @ [1.0, 1e-5]], axis=-1),
        (0.4, -0.6),
    ),
    specimen(
        "features parallel to 1e-9",
        np.stack([branching_features[..., 0], branching_features @ [1.0, 1e-9]], axis=-1),
        (0.4, -0.6),
    ),
    specimen(
        "features parallel to 1e-13",
        np.stack([branching_features[..., 0], branching_features @ [1.0, 1e-13]], axis=-1),
        (0.4, -0.6),
    ),
    # --- probabilities that were rounded ----------------------------------------------------------
    Finite(
        "thirds, rounded to 15 digits",
        np.full((3, 2, 3), 0.333333333333333),
        branching_reward,
        [1.0, 0.0, 0.0],
        0.9,
        [[0.5, 0.0]] * 3,
    ),
]

# At discount d the thresholds of drift^n are at d^(-1/n); with drift 2 and d = 2^-n all is exact.
BELOW, AT, ABOVE = 1 - 2.0**-40, 1.0, 1 + 2.0**-40


def threshold(power, place, words):
    """Return a problem whose discount times |drift|^power is just below 1, 1 or just above."""
    return LinearQuadratic(
        f"discount |drift|^{power} {words} 1",
        gain=-1.0,
        changes={"drift": 3.0, "discount": 2.0**-power * place, "state_cost": 1.0},
    )


LINEAR_QUADRATIC = [
    LinearQuadratic("plain"),
    LinearQuadratic("discount 0", changes={"discount": 0.0}),
    LinearQuadratic("discount 1 - 1e-12", changes={"discount": 1 - 1e-12}),
    *(
        threshold(power, place, words)
        for power in (2, 3, 4, 6)
        for place, words in ((BELOW, "just below"), (AT, "at"), (ABOVE, "just above"))
    ),
    LinearQuadratic("drift 1 - 1e-12", gain=-1e-12),
    LinearQuadratic("drift 1", gain=0.0),
    LinearQuadratic("drift -1 + 1e-12", gain=-2.0 + 1e-12),
    LinearQuadratic("drift 0", gain=-1.0),
    LinearQuadratic("std e^-20", gain=-0.3, log_std=-20.0, other_parameters=(-0.25, -20.5)),
    LinearQuadratic("std e^-100", gain=-0.3, log_std=-100.0, other_parameters=(-0.5, -100.5)),
    LinearQuadratic("std e^-170", gain=-0.3, log_std=-170.0, other_parameters=(-0.5, -169.5)),
    LinearQuadratic("std e^-800", log_std=-800.0, other_parameters=(-0.5, -800.5)),
    LinearQuadratic("std e^170", log_std=170.0, other_parameters=(-0.5, 169.5)),
    LinearQuadratic("the other policy nearly deterministic", other_parameters=(-0.25, -170.0)),
    LinearQuadratic("no control", changes={"control": 0.0, "drift": 0.5}),
    LinearQuadratic(
        "nothing moves",
        changes={"control": 0.0, "noise_std": 0.0, "initial_mean": 0.0, "initial_std": 0.0},
    ),
    LinearQuadratic("no noise but the action's", changes={"noise_std": 0.0, "initial_std": 0.0}),
    LinearQuadratic("nothing costs", changes={"state_cost": 0.0, "action_cost": 0.0}),
    LinearQuadratic("costs 1e150", changes={"state_cost": 1e150, "action_cost": 1e150}),
    LinearQuadratic("costs 1e-150", changes={"state_cost": 1e-150, "action_cost": 2e-150}),
    LinearQuadratic("start at 1e70", changes={"initial_mean": 1e70}),
    LinearQuadratic("start at 1e200", changes={"initial_mean": 1e200}),
    LinearQuadratic("control 1e-160", changes={"control": 1e-160, "drift": 0.5}),
]
