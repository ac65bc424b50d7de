"""Owns the formulas of S7 and S8: the objective, the values, and where a policy goes."""

from __future__ import annotations

import numpy as np

from pgtlab.exact.values import action_values, advantages, expected_return, state_values
from pgtlab.slides.formula import stated

#: Numbers of steps at which t-step probabilities are compared.
_STEPS = (0, 1, 2, 3)


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


def left_7_1(R):
    """one linear solve, or closed form"""
    return expected_return(R.mdp, R.policy)


def right_7_1(R):
    """all paths of two steps, then a sum over time"""
    return _return_by_paths(R)


def mistaken_7_1(R):
    """the first reward discounted already: gamma^(t+1)"""
    return _return_by_paths(R, R.discount)


formula_7_1 = stated(
    "7.1",
    "the objective is the expected discounted return",
    r"J(\pi_\theta) = E\Big[\sum_{t \ge 0} \gamma^t r_t \,\Big|\, \pi\Big]",
    (left_7_1, right_7_1, mistaken_7_1),
    kind="definition",
    sizes=("return",),
)


def left_7_2(R):
    """one linear solve, or closed form"""
    return R.function(state_values(R.mdp, R.policy))(R.everywhere[0])


def right_7_2(R):
    """sum over time"""
    return R.V(R.everywhere[0])


def mistaken_7_2(R):
    """gamma^t in place of gamma^(t-k), at k = 2"""
    return R.discount**2 * R.V(R.everywhere[0])


formula_7_2 = stated(
    "7.2",
    "the value of a state",
    r"V^\pi(s) = E\Big[\sum_{t \ge k} \gamma^{t-k} r_t \,\Big|\, s_k = s, \pi\Big]",
    (left_7_2, right_7_2, mistaken_7_2),
    kind="definition",
    sizes=("return",),
)


def left_7_3(R):
    """one linear solve, one step back"""
    return R.function(action_values(R.mdp, R.policy))(*R.everywhere[1])


def right_7_3(R):
    """sum over time from each pair"""
    return R.Q(*R.everywhere[1])


def mistaken_7_3(R):
    """what follows not discounted: R + E[V(s')]"""
    return R.reward(*R.everywhere[1]) + R.over_next(R.V)(*R.everywhere[1]) + 0.0 * R.Q(*R.everywhere[1])


formula_7_3 = stated(
    "7.3",
    "the value of an action",
    r"Q^\pi(s, a) = E\Big[\sum_{t \ge k} \gamma^{t-k} r_t \,\Big|\, s_k = s, a_k = a, \pi\Big]",
    (left_7_3, right_7_3, mistaken_7_3),
    kind="definition",
    sizes=("return",),
)


def left_7_4(R):
    """one linear solve"""
    return R.function(advantages(R.mdp, R.policy))(*R.everywhere[1])


def right_7_4(R):
    """difference of two sums over time"""
    return R.Q(*R.everywhere[1]) - R.V(R.everywhere[1][0])


def mistaken_7_4(R):
    """the next state's value taken off"""
    return R.Q(*R.everywhere[1]) - R.over_next(R.V)(*R.everywhere[1])


formula_7_4 = stated(
    "7.4",
    "the advantage of an action",
    r"A^\pi(s, a) = Q^\pi(s, a) - V^\pi(s)",
    (left_7_4, right_7_4, mistaken_7_4),
    kind="definition",
    sizes=("return",),
)


def left_7_5(R):
    """power of a matrix, or closed form"""
    return np.array([R.rooms.kernel(t) for t in _STEPS])


def right_7_5(R):
    """one step after another"""
    return np.array([R.after(R.probe, t)(R.everywhere[0]) for t in _STEPS])


def mistaken_7_5(R):
    """one step too many"""
    return np.array([R.after(R.probe, t + 1)(R.everywhere[0]) for t in _STEPS])


formula_7_5 = stated(
    "7.5",
    "the probability of going from s to s' in t steps",
    r"p(s \to s', t, \pi) = \Pr(s_t = s' \mid s_0 = s, \pi)",
    (left_7_5, right_7_5, mistaken_7_5),
    kind="definition",
    sizes=("one",),
)


def left_8_1(R):
    """one linear solve, or closed form"""
    return expected_return(R.mdp, R.policy)


def right_8_1(R):
    """mean reward of each step, added up"""
    return _first_rewards(R)[1]


def mistaken_8_1(R):
    """gamma^t dropped"""
    return R.by_time(_pay(R)).sum()


formula_8_1 = stated(
    "8.1",
    "the mean of a sum is the sum of the means",
    r"J = \sum_{t \ge 0} \gamma^t \, E[r_t \mid \pi]",
    (left_8_1, right_8_1, mistaken_8_1),
    sizes=("return",),
)


def left_8_2(R):
    """paths and nested integrals; a solve"""
    return (_terms_by_paths(R), expected_return(R.mdp, R.policy))


def right_8_2(R):
    """law of each step's state"""
    return _first_rewards(R)


def mistaken_8_2(R):
    """rewards shifted by one step"""
    return _first_rewards(R, shift=1)


formula_8_2 = stated(
    "8.2",
    "the mean reward of a step, sorted by where the path is",
    r"""\sum_t \gamma^t E[r_t \mid \pi] = \sum_t \gamma^t \int_S \Big( \int_S p_0(s_0) \,
p(s_0 \to s, t, \pi) \, ds_0 \Big) \int_A \pi(s, a; \theta) R^a_s \, da \, ds""",
    (left_8_2, right_8_2, mistaken_8_2),
    sizes=("return", "return"),
)


def left_8_3(R):
    """places first, then time"""
    return R.over_time(_pay(R))


def right_8_3(R):
    """time first, then places"""
    return R.over_visits(_pay(R))


def mistaken_8_3(R):
    """the sum begins at t = 1"""
    return R.over_visits(_pay(R)) - R.over_start(_pay(R))


formula_8_3 = stated(
    "8.3",
    "the sum over time goes inside",
    r"""\sum_t \gamma^t \int_S \Big( \int_S p_0 \, p(s_0 \to s, t, \pi) \, ds_0 \Big)
\int_A \pi R^a_s = \int_S \Big( \int_S \sum_t \gamma^t p_0 \, p(s_0 \to s, t, \pi) \, ds_0 \Big)
\int_A \pi R^a_s""",
    (left_8_3, right_8_3, mistaken_8_3),
    sizes=("return",),
)


def left_8_4(R):
    """one linear solve for V"""
    return expected_return(R.mdp, R.policy)


def right_8_4(R):
    """visits by a sum over time"""
    return R.over_visits(_pay(R))


def mistaken_8_4(R):
    """rho normalised"""
    return R.over_visits(_pay(R)) / R.mass


formula_8_4 = stated(
    "8.4",
    "the objective as a sum over places",
    r"J = \int_S \rho^\pi(s) \int_A \pi(s, a; \theta) \, R^a_s \, da \, ds",
    (left_8_4, right_8_4, mistaken_8_4),
    sizes=("return",),
)


def left_8_5(R):
    """one transposed linear solve"""
    return R.rooms.visits


def right_8_5(R):
    """laws of each step's state, added up"""
    return R.over_time(R.marks)


def mistaken_8_5(R):
    """transpose forgotten: rho = p_0 + gamma P rho"""
    return R.backward_visits()


formula_8_5 = stated(
    "8.5",
    "the discounted state-visitation measure",
    r"\rho^\pi(s) = \int_S \sum_{t \ge 0} \gamma^t \, p_0(s_0) \, p(s_0 \to s, t, \pi) \, ds_0",
    (left_8_5, right_8_5, mistaken_8_5),
    kind="definition",
    sizes=("visits",),
)
