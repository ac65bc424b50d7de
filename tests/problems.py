"""Problems for the tests: random ones from a generator, and the Hypothesis strategies that draw them."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import strategies as st

from pgtlab import FiniteMDP, FinitePolicy, LinearGaussianPolicy, LinearQuadraticMDP, SoftmaxPolicy

#: Leading axes of batches of policies.
BATCHES = [(), (3,), (2, 3)]

FEATURES = ["tabular", "linear", "aliased", "redundant"]


def random_problem(
    rng,
    *,
    n_states=4,
    n_actions=3,
    branching=3,
    discount=0.9,
    n_shut=0,
    features="tabular",
    batch=(),
):
    """Return a random problem and policy (or batch of policies).

    About half of the rows end the episode with some probability; at discount 1 all of them do. The last
    `n_shut` states are out of reach of the start and of the others, and no episode ends from there.
    """
    S, A = n_states, n_actions
    transition = np.zeros((S, A, S))
    for s in range(S):
        inside = np.arange(S - n_shut, S) if s >= S - n_shut else np.arange(S - n_shut)
        for a in range(A):
            targets = rng.choice(inside, size=min(branching, len(inside)), replace=False)
            row = rng.dirichlet(np.ones(len(targets)))
            if s < S - n_shut and (discount == 1 or rng.random() < 0.5):
                row = row * rng.uniform(0.3, 0.9)
            transition[s, a, targets] = row
    initial = np.zeros(S)
    initial[: S - n_shut] = rng.dirichlet(np.ones(S - n_shut))
    mdp = FiniteMDP(transition, rng.normal(size=(S, A)), initial, discount)
    return mdp, random_policy(rng, S, A, features, batch)


def random_policy(rng, n_states, n_actions, features="tabular", batch=()):
    """Return a random softmax policy whose features are of one of the kinds in `FEATURES`."""
    S, A = n_states, n_actions
    if features == "tabular":
        return SoftmaxPolicy.tabular(rng.normal(size=(*batch, S, A)))
    phi = rng.normal(size=(S, A, 2))
    if features == "aliased":
        phi = phi[rng.integers(0, (S + 1) // 2, size=S)]
    if features == "redundant":
        phi = np.concatenate([phi, phi.sum(-1, keepdims=True), np.zeros((S, A, 1))], axis=-1)
    return SoftmaxPolicy(phi, rng.normal(size=(*batch, phi.shape[-1])))


def layered_problem(rng, *, n_states=4, n_actions=2, discount=0.9, features="linear"):
    """Return a random problem that moves to higher states only, so that it has finitely many paths."""
    S, A = n_states, n_actions
    raw = rng.random((S, A, S)) * np.triu(np.ones((S, S)), 1)[:, None, :]
    transition = 0.8 * raw / np.maximum(raw.sum(-1, keepdims=True), 0.1)
    mdp = FiniteMDP(transition, rng.normal(size=(S, A)), rng.dirichlet(np.ones(S)), discount)
    return mdp, random_policy(rng, S, A, features)


def random_linear_quadratic(rng, *, discount=0.9, batch=()):
    """Return a random linear-quadratic problem and a policy under which its expected return exists."""
    control = rng.choice([-1, 1]) * rng.uniform(0.4, 1.2)
    drift = rng.uniform(-1.2, 1.2)
    mdp = LinearQuadraticMDP(
        drift=drift,
        control=control,
        state_cost=rng.uniform(0.1, 2),
        action_cost=rng.uniform(0.1, 2),
        noise_std=rng.uniform(0.1, 0.8),
        initial_mean=rng.normal(),
        initial_std=rng.uniform(0.2, 1),
        discount=discount,
    )
    # The closed loop drift a + b k is between -0.8 and 0.8.
    gain = (rng.uniform(-0.8, 0.8, size=batch) - drift) / control
    return mdp, LinearGaussianPolicy(gain, rng.uniform(-1.5, 0.3, size=batch))


def garden(size, *, slip=0.2, discount=0.99):
    """Return a size x size gridworld with sparse transitions, start in one corner and goal in the other."""
    from scipy.sparse import coo_array

    S = size * size
    row, column = np.divmod(np.arange(S), size)
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    matrices, reward = [], np.zeros((S, 4))
    for a in range(4):
        parts = []
        for turn, share in ((0, 1 - slip), (1, slip / 2), (-1, slip / 2)):
            down, right = moves[(a + turn) % 4]
            target = np.clip(row + down, 0, size - 1) * size + np.clip(column + right, 0, size - 1)
            open_cells = np.arange(S) < S - 1
            reward[open_cells & (target == S - 1), a] += share
            go = open_cells & (target < S - 1)
            parts.append((np.full(go.sum(), share), (np.flatnonzero(go), target[go])))
        data = np.concatenate([part[0] for part in parts])
        at = tuple(np.concatenate([part[1][i] for part in parts]) for i in (0, 1))
        matrices.append(coo_array((data, at), shape=(S, S)))
    return FiniteMDP.from_matrices(matrices, reward, np.eye(S)[0], discount)


def exactly(words):
    """Return the pattern that matches these words and nothing else, for `pytest.raises(match=...)`."""
    return f"^{re.escape(words)}$"


class TablePolicy(FinitePolicy):
    """Policy of a reader who writes the probabilities down; it has no parameters to move."""

    def __init__(self, table):
        self.table = table
        self.parameters = np.zeros(1)

    def probs(self):
        return self.table

    def scores(self):
        return np.zeros((*np.shape(self.table), 1))

    def with_parameters(self, parameters):
        return self


seeds = st.integers(0, 2**32 - 1)


@st.composite
def problems(draw, discounts=(0.0, 0.5, 0.99, 1.0), batches=((),)):
    """Draw a finite problem with a policy: sizes, branching, discount, shut states, kinds of features."""
    S = draw(st.integers(1, 6))
    return random_problem(
        np.random.default_rng(draw(seeds)),
        n_states=S,
        n_actions=draw(st.integers(1, 4)),
        branching=draw(st.integers(1, S)),
        discount=draw(st.sampled_from(discounts)),
        n_shut=draw(st.integers(0, S - 1)),
        features=draw(st.sampled_from(FEATURES)),
        batch=draw(st.sampled_from(batches)),
    )


@st.composite
def linear_quadratic_problems(draw):
    """Draw a linear-quadratic problem with a policy."""
    rng = np.random.default_rng(draw(seeds))
    return random_linear_quadratic(rng, discount=draw(st.sampled_from([0.0, 0.5, 0.9])))
