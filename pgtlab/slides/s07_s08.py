"""Owns the formulas of S7 and S8: the objective, the values, and where a policy goes."""

from __future__ import annotations

import numpy as np

from pgtlab.exact.values import action_values, advantages, expected_return, state_values
from pgtlab.exact.visits import state_visitation, transition_probabilities
from pgtlab.mdp import FiniteMDP
from pgtlab.slides.formula import Formula, along

#: Numbers of steps at which t-step probabilities are compared.
_STEPS = (0, 1, 2, 3)


def kernel(R, t):
    """Return `transition_probabilities` from each state, (S, S), or its first two moments, (n, 2)."""
    law = transition_probabilities(R.mdp, R.policy, t)
    s, _ = R.everywhere
    if isinstance(R.mdp, FiniteMDP):
        return law.toarray() if R.mdp.is_sparse else law
    return np.stack([law.drift * s, (law.drift * s) ** 2 + law.std**2], axis=-1)


def _return_by_paths(R, first_weight=1.0):
    """Return the mean of what each path of two steps has earned and will earn from then on."""
    s, a, weights = R.paths(2)
    gamma = R.discount
    earned = R.reward(s[0], a[0]) + gamma * R.reward(s[1], a[1]) + gamma**2 * R.V(s[2])
    return first_weight * (weights @ earned)


def _pay(R):
    """The function of the state, mean reward of one step."""
    return R.over_actions(R.reward)


def _first_rewards(R, shift=0):
    """Return gamma^t E[r_{t + shift}] for t = 0, ..., 3, and the sum over all t."""
    pay = R.after(_pay(R), shift)
    terms = R.by_time(pay)
    discounts = R.discount ** np.arange(len(terms))
    return discounts[:4] * terms[:4], discounts @ terms


def _terms_by_paths(R):
    """Return gamma^t E[r_t] for t = 0, 1 over all paths of two steps, then by nested integrals."""
    s, a, weights = R.paths(2)
    firsts = [weights @ R.reward(s[t], a[t]) for t in (0, 1)]
    firsts += [R.over_start(R.after(_pay(R), t)) for t in (2, 3)]
    return R.discount ** np.arange(4) * np.array(firsts)


def _room_visits(mdp, policy):
    rho = state_visitation(mdp, policy)
    return rho if isinstance(mdp, FiniteMDP) else np.array([rho.mass, rho.second_moment])


def _visits_by_time(R, mass=1.0):
    """Return the discounted sum of the laws of each step's state."""
    if isinstance(R.mdp, FiniteMDP):
        return R.over_time(lambda s: np.eye(R.mdp.n_states)[s]) / mass
    return R.over_time(lambda s: np.stack([np.ones_like(s), s**2], axis=-1)) / mass


FORMULAS = [
    Formula(
        id="7.1",
        slide="S7",
        title="the objective is the expected discounted return",
        kind="definition",
        statement=r"J(\pi_\theta) = E\Big[\sum_{t \ge 0} \gamma^t r_t \,\Big|\, \pi\Big]",
        left_route="one linear solve, or closed form",
        right_route="all paths of two steps, then a sum over time",
        left=expected_return,
        right=along(_return_by_paths),
        sizes=("return",),
        mutation="the first reward discounted already: gamma^(t+1)",
        mistaken=along(lambda R: _return_by_paths(R, R.discount)),
    ),
    Formula(
        id="7.2",
        slide="S7",
        title="the value of a state",
        kind="definition",
        statement=r"V^\pi(s) = E\Big[\sum_{t \ge k} \gamma^{t-k} r_t \,\Big|\, s_k = s, \pi\Big]",
        left_route="one linear solve, or closed form",
        right_route="sum over time",
        left=along(lambda R: R.function(state_values(R.mdp, R.policy))(R.everywhere[0])),
        right=along(lambda R: R.V(R.everywhere[0])),
        sizes=("return",),
        mutation="gamma^t in place of gamma^(t-k), at k = 2",
        mistaken=along(lambda R: R.discount**2 * R.V(R.everywhere[0])),
    ),
    Formula(
        id="7.3",
        slide="S7",
        title="the value of an action",
        kind="definition",
        statement=r"Q^\pi(s, a) = E\Big[\sum_{t \ge k} \gamma^{t-k} r_t \,\Big|\, s_k = s, a_k = a, \pi\Big]",
        left_route="one linear solve, one step back",
        right_route="sum over time from each pair",
        left=along(lambda R: R.function(action_values(R.mdp, R.policy))(*R.everywhere[1])),
        right=along(lambda R: R.Q(*R.everywhere[1])),
        sizes=("return",),
        mutation="what follows not discounted: R + E[V(s')]",
        mistaken=along(
            lambda R: (
                R.reward(*R.everywhere[1]) + R.over_next(R.V)(*R.everywhere[1]) + 0.0 * R.Q(*R.everywhere[1])
            )
        ),
    ),
    Formula(
        id="7.4",
        slide="S7",
        title="the advantage of an action",
        kind="definition",
        statement=r"A^\pi(s, a) = Q^\pi(s, a) - V^\pi(s)",
        left_route="one linear solve",
        right_route="difference of two sums over time",
        left=along(lambda R: R.function(advantages(R.mdp, R.policy))(*R.everywhere[1])),
        right=along(lambda R: R.Q(*R.everywhere[1]) - R.V(R.everywhere[1][0])),
        sizes=("return",),
        mutation="the next state's value taken off",
        mistaken=along(lambda R: R.Q(*R.everywhere[1]) - R.over_next(R.V)(*R.everywhere[1])),
    ),
    Formula(
        id="7.5",
        slide="S7",
        title="the probability of going from s to s' in t steps",
        kind="definition",
        statement=r"p(s \to s', t, \pi) = \Pr(s_t = s' \mid s_0 = s, \pi)",
        left_route="power of a matrix, or closed form",
        right_route="one step after another",
        left=along(lambda R: np.array([kernel(R, t) for t in _STEPS])),
        right=along(lambda R: np.array([R.after(R.probe, t)(R.everywhere[0]) for t in _STEPS])),
        sizes=("one",),
        mutation="one step too many",
        mistaken=along(lambda R: np.array([R.after(R.probe, t + 1)(R.everywhere[0]) for t in _STEPS])),
    ),
    Formula(
        id="8.1",
        slide="S8",
        title="the mean of a sum is the sum of the means",
        kind="identity",
        statement=r"J = \sum_{t \ge 0} \gamma^t \, E[r_t \mid \pi]",
        left_route="one linear solve, or closed form",
        right_route="mean reward of each step, added up",
        left=expected_return,
        right=along(lambda R: _first_rewards(R)[1]),
        sizes=("return",),
        mutation="gamma^t dropped",
        mistaken=along(lambda R: R.by_time(_pay(R)).sum()),
    ),
    Formula(
        id="8.2",
        slide="S8",
        title="the mean reward of a step, sorted by where the path is",
        kind="identity",
        statement=r"""\sum_t \gamma^t E[r_t \mid \pi] = \sum_t \gamma^t \int_S \Big( \int_S p_0(s_0) \,
p(s_0 \to s, t, \pi) \, ds_0 \Big) \int_A \pi(s, a; \theta) R^a_s \, da \, ds""",
        left_route="paths and nested integrals; a solve",
        right_route="law of each step's state",
        left=along(lambda R: (_terms_by_paths(R), expected_return(R.mdp, R.policy))),
        right=along(_first_rewards),
        sizes=("return", "return"),
        mutation="rewards shifted by one step",
        mistaken=along(lambda R: _first_rewards(R, shift=1)),
    ),
    Formula(
        id="8.3",
        slide="S8",
        title="the sum over time goes inside",
        kind="identity",
        statement=r"""\sum_t \gamma^t \int_S \Big( \int_S p_0 \, p(s_0 \to s, t, \pi) \, ds_0 \Big)
\int_A \pi R^a_s = \int_S \Big( \int_S \sum_t \gamma^t p_0 \, p(s_0 \to s, t, \pi) \, ds_0 \Big)
\int_A \pi R^a_s""",
        left_route="places first, then time",
        right_route="time first, then places",
        left=along(lambda R: R.over_time(_pay(R))),
        right=along(lambda R: R.over_visits(_pay(R))),
        sizes=("return",),
        mutation="the sum begins at t = 1",
        mistaken=along(lambda R: R.over_visits(_pay(R)) - R.over_start(_pay(R))),
    ),
    Formula(
        id="8.4",
        slide="S8",
        title="the objective as a sum over places",
        kind="identity",
        statement=r"J = \int_S \rho^\pi(s) \int_A \pi(s, a; \theta) \, R^a_s \, da \, ds",
        left_route="one linear solve for V",
        right_route="visits by a sum over time",
        left=expected_return,
        right=along(lambda R: R.over_visits(_pay(R))),
        sizes=("return",),
        mutation="rho normalised",
        mistaken=along(lambda R: R.over_visits(_pay(R)) / R.mass),
    ),
    Formula(
        id="8.5",
        slide="S8",
        title="the discounted state-visitation measure",
        kind="definition",
        statement=r"\rho^\pi(s) = \int_S \sum_{t \ge 0} \gamma^t \, p_0(s_0) \, p(s_0 \to s, t, \pi) \, ds_0",
        left_route="one transposed linear solve",
        right_route="laws of each step's state, added up",
        left=_room_visits,
        right=along(_visits_by_time),
        sizes=("visits",),
        mutation="transpose forgotten: rho = p_0 + gamma P rho",
        mistaken=along(lambda R: R.backward_visits()),
    ),
]
