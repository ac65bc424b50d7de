"""Owns the second routes of the finite problem, where every integral is a sum over states or actions."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from pgtlab.slides.routes import LEAST_TERMS, MOST_TERMS, TAIL, Routes, total

#: Doublings of a sum over time: 2^60 terms are more than any sum that converges needs.
_MOST_DOUBLINGS = 60


class FiniteRoutes(Routes):
    """The routes for a finite problem; the end is one more state, number S, where nothing is paid."""

    countable = True

    def __init__(self, mdp, policy):
        super().__init__(mdp, policy)
        S, A = mdp.reward.shape
        rows = mdp.transition.toarray().reshape(S, A, S) if mdp.is_sparse else mdp.transition
        self._rows = rows
        # What a row lacks to 1 leads to the end, and the end to itself.
        self._transition = np.zeros((S + 1, A, S + 1))
        self._transition[:S, :, :S], self._transition[:S, :, S] = rows, mdp.ending
        self._transition[S, :, S] = 1.0
        self._probs = np.vstack([policy.probs(), np.eye(A)[0]])
        self.start = np.arange(S), mdp.initial

    @cached_property
    def _step(self):
        # P_pi(s, p) = sum_a pi(s, a) P(s, a, p)
        return np.einsum("sa,sap->sp", self._probs[:-1], self._rows)

    @cached_property
    def _pair_step(self):
        # From the pair (s, a) to the pair (p, b): P(s, a, p) pi(p, b).
        S, A = self.mdp.reward.shape
        return np.einsum("sap,pb->sapb", self._rows, self._probs[:-1]).reshape(S * A, S * A)

    @cached_property
    def ends(self):
        """Whether values exist from each state: with discount 1, whether the episode is sure to end."""
        if self.discount < 1:
            return np.ones(len(self._step), dtype=bool)
        return ~_lasting(self._step)

    @cached_property
    def pairs_end(self):
        """Whether the value of each pair exists, (S, A)."""
        ends = np.repeat(self.ends, self.mdp.n_actions)
        if self.discount == 1:
            ends = ends & ~_lasting(self._pair_step)
        return ends.reshape(self.mdp.reward.shape)

    @cached_property
    def values(self):
        """V as a table (S,), NaN where it does not exist."""
        r = (self._probs[:-1] * self.mdp.reward).sum(-1)
        # Where values exist one stays among such states.
        M = self.discount * self._step * self.ends[:, None]
        return np.where(self.ends, series(M, r), np.nan)

    @cached_property
    def action_values(self):
        """Q as a table (S, A): what is earned in each step of the chain of pairs, added up."""
        M = self.discount * self._pair_step * self.pairs_end.reshape(-1, 1)
        Q = series(M, self.mdp.reward.ravel()).reshape(self.mdp.reward.shape)
        return np.where(self.pairs_end, Q, np.nan)

    @cached_property
    def visits(self):
        M = self.discount * self._step * self.ends[:, None]
        return np.arange(len(M)), series(M.T, self.mdp.initial)

    @cached_property
    def _law(self):
        law, rows, weight = self.mdp.initial, [], 1.0
        while weight * law.sum() > TAIL or len(rows) < LEAST_TERMS:
            rows.append(law)
            law, weight = law @ self._step, weight * self.discount
            if len(rows) > MOST_TERMS:
                raise ValueError(
                    f"the sum over time has more than {MOST_TERMS} terms; expected a smaller discount, or "
                    "episodes that end sooner"
                )
        return np.arange(self.mdp.n_states), np.array(rows)

    @cached_property
    def states(self):
        return np.flatnonzero(self.ends)

    @cached_property
    def pairs(self):
        return np.nonzero(self.pairs_end & (self._probs[:-1] > 0))

    @cached_property
    def everywhere(self):
        S, A = self.mdp.reward.shape
        return np.arange(S), np.divmod(np.arange(S * A), A)

    def actions(self, s):
        weights = self._probs[s]
        return np.broadcast_to(np.arange(self.mdp.n_actions), weights.shape), weights

    def followers(self, s, a):
        weights = self._transition[s, a]
        return np.broadcast_to(np.arange(self.mdp.n_states + 1), weights.shape), weights

    def likeliest(self, s):
        return self._probs[s].argmax(-1)

    def first(self, s):
        return np.zeros_like(s)

    def prob(self, s, a):
        return self._probs[s, a]

    def probe(self, s):
        # One function for each state, 1 there and 0 elsewhere; after the end all are 0.
        return np.eye(self.mdp.n_states + 1)[:, :-1][s]

    marks = probe

    def backward_visits(self):
        return series(self.discount * self._step * self.ends[:, None], self.mdp.initial)

    @cached_property
    def reward(self):
        return self.function(self.mdp.reward)

    @cached_property
    def score(self):
        return self.function(self.policy.scores())

    @cached_property
    def V(self):
        return self.function(self.values)

    @cached_property
    def Q(self):
        return self.function(self.action_values)

    @cached_property
    def slope_of_V(self):
        return self.function(self.slope(lambda moved: moved.values))

    @cached_property
    def slope_of_Q(self):
        return self.function(self.slope(lambda moved: moved.action_values))

    @cached_property
    def slope_of_prob(self):
        return self.function(self.slope(lambda moved: moved.policy.probs()))

    @cached_property
    def slope_of_log(self):
        # d log pi = d pi / pi; where pi is 0 it is not asked for
        probs = self._probs[:-1, :, None]
        slope = self.slope(lambda moved: moved.policy.probs())
        return self.function(np.divide(slope, probs, where=probs > 0, out=np.zeros_like(slope)))

    @cached_property
    def slope_of_score(self):
        return self.function(self.slope(lambda moved: moved.policy.scores()))

    def function(self, value):
        # By state, or by state and action; a row of zeros for the end.
        table = np.concatenate([value, np.zeros((1, *np.shape(value)[1:]))])
        return lambda *place: table[place]

    def tabulated(self, v):
        return self.function(v(np.arange(self.mdp.n_states)))

    def by_time(self, f):
        nodes, laws = self._law
        values = f(nodes)
        seen = laws.max(0).reshape(-1, *(1,) * (values.ndim - 1)) > 0
        return np.tensordot(laws, np.where(seen, values, 0.0), 1)

    def at(self, t, v):
        nodes, laws = self._law
        return total(laws[t], v(nodes))

    @property
    def laws(self):
        """Law of the state at each time, (T, S)."""
        return self._law[1]

    def traced(self, first, share):
        """Return the sum over n of share^n times what `first` (S, A, ...) has become n steps on."""
        S, A = self.mdp.reward.shape
        M = share * self._pair_step * self.pairs_end.reshape(-1, 1)
        flat = np.where(self.pairs_end.reshape(-1, 1), first.reshape(S * A, -1), 0.0)
        return series(M.T, flat).reshape(first.shape)


def series(matrix, first):
    """Return first + M first + M^2 first + ..., each turn with twice as many terms as the one before."""
    result, M = np.array(first), matrix
    for _ in range(_MOST_DOUBLINGS):
        if np.abs(M).max() <= TAIL:
            return result
        # The sum of 2 n terms is that of n terms, and n steps on the same again.
        result, M = result + M @ result, M @ M
    raise ValueError(
        "the sum over time does not converge; expected a discount below 1, or episodes sure to end"
    )


def _lasting(step):
    """Return the states from which the episode goes on with some probability after 2^40 steps."""
    for _ in range(40):
        step = step @ step
    return step.sum(-1) > 1e-9
