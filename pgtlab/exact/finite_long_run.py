"""Owns the long run of a finite chain: where it stays, what that pays, and what a start is worth."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from pgtlab import _validate
from pgtlab.exact.digits import changes, check_digits, in_range, mean_over_moves
from pgtlab.exact.elimination import Elimination
from pgtlab.exact.endings import reached, reached_by_any_actions


class FiniteLongRun:
    """Long run of a chain, or of each chain of a batch.

    Parameters
    ----------
    process : FiniteChain

    Raises
    ------
    ValueError
        As `stationary_distribution`.
    """

    def __init__(self, process):
        mdp, self._process = process.mdp, process
        if mdp.is_sparse:
            raise ValueError(
                "transitions are sparse; expected a dense array (S, A, S) for the average reward"
            )
        met = reached_by_any_actions(mdp)
        here = (process.probs * mdp.ending).sum(-1)
        for ending, how in ((here, ""), (mdp.ending.max(-1), ", by an action of probability 0")):
            at = _validate.first((ending > 0) & met)
            if at is not None:
                raise ValueError(
                    f"an episode may end in state {at[-1]}, with probability {ending[at]:.3g}{how}; expected "
                    "transitions whose rows sum to 1: the average reward is that of a process that goes on "
                    "for ever"
                )
        P = process.transition.reshape(-1, mdp.n_states, mdp.n_states)
        ends = (here > 0).reshape(len(P), -1)
        # Which states come together depends on which actions are possible, not on how probable they are.
        known, self._each = {}, []
        for one, end, reward in zip(P, ends, process.reward.reshape(len(P), -1), strict=True):
            support = (one > 0).tobytes() + end.tobytes()
            if support not in known:
                known[support] = _settled(one > 0, end, met)
            self._each.append(_One(mdp, one, reward, known[support]))

    @property
    def distribution(self):
        """Share of time in each state, shape (..., S)."""
        return self._stacked("distribution")

    @property
    def average(self):
        """Average reward, shape (...)."""
        return self._stacked("average")

    @property
    def values(self):
        """Differential values h, shape (..., S)."""
        return self._stacked("values")

    @property
    def action_values(self):
        """Differential action values, shape (..., S, A)."""
        # Q(s, a) = h(s) + [R(s, a) - eta + sum_p P(s, a, p) (h(p) - h(s))]
        return self.values[..., None] + self._stacked("gains")

    @property
    def advantages(self):
        """Differential action values less h, shape (..., S, A)."""
        return self._process.less_mean(self._stacked("gains"))

    @property
    def visits(self):
        """Visits in a unit of time, the distribution."""
        return self.distribution

    def _stacked(self, name):
        results = np.array([getattr(run, name) for run in self._each])
        return results.reshape(self._process.batch + results.shape[1:])


def _settled(edges, ends, met):
    """Return the states (S,) whose long run is that of the start; raise unless all those of `met` are such.

    `edges` (S, S) lead from state to state, `ends` (S,) says where the chain may end; those of `met` lead to
    one another only.
    """
    sources, targets = edges.nonzero()
    states = np.arange(len(edges))
    home = np.flatnonzero(met)[0]
    while True:
        # A state that is reached from `home` and does not lead back lies closer to the end of all ways.
        ahead = reached(sources, targets, states == home)
        behind = reached(targets, sources, states == home)
        onwards = np.flatnonzero(ahead & ~behind)
        if not onwards.size:
            break
        home = onwards[0]
    if not behind[met].all():
        raise ValueError(
            f"the long run depends on the start: state {home} is in a closed class that state "
            f"{np.flatnonzero(met & ~behind)[0]} never reaches; expected one closed class of states"
        )
    return ~reached(targets, sources, ~behind | ends)


class _One:
    """The same for one policy, on the `settled` states; the others lead elsewhere."""

    def __init__(self, mdp, P, reward, settled):
        self._mdp, self._settled = mdp, settled
        self._reward = reward[settled]
        self._elimination = Elimination(P[np.ix_(settled, settled)], np.zeros(settled.sum()))

    @cached_property
    def distribution(self):
        return self._everywhere(self._elimination.stationary(), 0.0)

    @cached_property
    def average(self):
        return self.distribution[self._settled] @ self._reward

    @cached_property
    def _values(self):
        """h up to a constant, and the sizes of what was added up."""
        # (I - P) h = r - eta
        r, eta = self._reward, self.average
        earned = r - eta, np.abs(r) + abs(eta)
        return tuple(in_range(self._elimination.solve_up_to_last(each), r) for each in earned)

    @cached_property
    def values(self):
        h, sizes = self._values
        check_digits("the differential value of a state", h, sizes, self._reward, largest=True)
        return self._everywhere(h - self.distribution[self._settled] @ h, np.nan)

    @cached_property
    def gains(self):
        # R(s, a) - eta + sum_p P(s, a, p) (h(p) - h(s)), what an action brings beyond h
        mdp = self._mdp
        change, sizes = changes(*(self._everywhere(each, 0.0) for each in self._values))
        gains = mdp.reward - self.average + mean_over_moves(mdp, change)
        sizes = np.abs(mdp.reward) + abs(self.average) + mean_over_moves(mdp, sizes)
        unknown = ~self._settled
        gains[unknown[:, None] | (mdp.next_values(unknown.astype(float)) > 0)] = np.nan
        check_digits("the differential advantage of an action", gains, sizes, mdp.reward)
        return gains

    def _everywhere(self, values, elsewhere):
        result = np.full(len(self._settled), elsewhere)
        result[self._settled] = values
        return result
