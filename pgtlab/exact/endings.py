"""Owns the graph of a finite chain: what is reached from where, and from where an end is sure."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate

_last = None


def sure_ends(mdp, support, possible=None):
    """Return, at discount 1, the states from which the episode is sure to end; raise if the start is not.

    `support` (S, A) says which actions have a probability above 0, by which an end is reached; `possible`
    which may lead away from it, where these are more: also those whose probability underflows. The last
    answer is kept: a policy that climbs takes the same actions, with other probabilities, again and again.
    """
    global _last
    actions = support.tobytes(), None if possible is None else possible.tobytes()
    known = _last
    if known is None or known[0] is not mdp or known[1] != actions:
        known = _last = mdp, actions, _validate.read_only(_sure_ends(mdp, support, possible))
    return known[2]


def _sure_ends(mdp, support, possible):
    can_end = _can_end(mdp, support)
    sources, targets = _edges(mdp, support if possible is None else possible)
    stuck = _first(reached(sources, targets, mdp.initial > 0) & ~can_end)
    if stuck is not None:
        how = "" if possible is None else " by actions whose probability is above 0 but underflows"
        raise ValueError(
            f"discount is 1 and the episode need not end: the start reaches state {stuck}{how}, from which "
            "this policy leads to no end; expected an end with certainty. Give an absorbing state rows of "
            "total 0 to end the episode there, or take a discount below 1"
        )
    # A state is sure to end unless it leads to one that cannot.
    return ~reached(targets, sources, ~can_end)


def endless_state(mdp, support):
    """Return a state that the start reaches and from which the policy leads to no end, or None.

    `support` (S, A) says which actions are possible.
    """
    return _first(reached(*_edges(mdp, support), mdp.initial > 0) & ~_can_end(mdp, support))


def _can_end(mdp, support):
    """Return the states (S,) from which an end can be reached."""
    sources, targets = _edges(mdp, support)
    return reached(targets, sources, ((mdp.ending > 0) & support).any(-1))


def _edges(mdp, support):
    # An edge s -> p is there if some action that the policy may take leads from s to p.
    return mdp.mixed_transition(support.astype(float)).nonzero()


def _first(states):
    return int(states.argmax()) if states.any() else None


def reached(sources, targets, start):
    """Return the states that can be reached from `start` (bool, (S,)) along the edges, itself included."""
    order = np.argsort(sources, kind="stable")
    targets = targets[order]
    begin = np.searchsorted(sources[order], np.arange(len(start) + 1))
    found, front = start.copy(), np.flatnonzero(start)
    while front.size:
        degree = begin[front + 1] - begin[front]
        # The edges of the front, one run after the other.
        skipped = begin[front] - np.cumsum(degree) + degree
        near = targets[np.repeat(skipped, degree) + np.arange(degree.sum())]
        front = np.unique(near[~found[near]])
        found[front] = True
    return found


def reached_by_any_actions(mdp):
    """Return the states (S,) that the start reaches by some actions, whatever the policy."""
    return reached(*_edges(mdp, np.ones(mdp.reward.shape)), mdp.initial > 0)
