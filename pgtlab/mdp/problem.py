"""Owns what every problem can be asked, whatever its states and actions are."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Problem(ABC):
    r"""Markov decision process: what the world does, and what it pays.

    A function v of the state is a table (..., S), and a `Quadratic` on the real line; one of state and action
    is a table (..., S, A), or a `Quadratic` of both. So :math:`Q = R + \gamma \, E \, V(s')` is
    ``mdp.reward + mdp.discount * mdp.next_values(V)``, whatever the problem.
    """

    @abstractmethod
    def next_values(self, values):
        r"""Mean over the next state, :math:`\sum_{s'} P^a_{s,s'} v(s')`; after the end v is 0."""

    @abstractmethod
    def td_errors(self, values):
        r"""Mean of the TD error, :math:`R^a_s + \gamma \sum_{s'} P^a_{s,s'} v(s') - v(s)`.

        NaN in a state where v is NaN, and for an action that may lead to one.
        """

    @abstractmethod
    def start_mean(self, values):
        r"""Mean over the start, :math:`\sum_s p_0(s) v(s)`; where no episode starts v may be NaN."""

    @abstractmethod
    def checked_states(self, name, values):
        """Return what a caller gave as `name` if it is a function of the state; else raise."""

    @abstractmethod
    def checked_pairs(self, name, values):
        """Return what a caller gave as `name` if it is a function of state and action; else raise."""

    @abstractmethod
    def draw_start(self, *, rng):
        """Draw a first state."""

    @abstractmethod
    def draw_step(self, state, action, *, rng):
        """Draw one step: its reward and the next state, None if the episode has ended."""


def checked(mdp):
    """Return `mdp`; raise TypeError unless it is a problem."""
    if not isinstance(mdp, Problem):
        raise not_a_problem(mdp)
    return mdp


def not_a_problem(value):
    """Return the TypeError for a value that is neither of the two problems."""
    return TypeError(f"mdp must be a FiniteMDP or a LinearQuadraticMDP, got {type(value).__name__}")
