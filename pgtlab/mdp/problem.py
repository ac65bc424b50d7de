"""Owns what every problem can be asked, whatever its states and actions are."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Problem(ABC):
    r"""Markov decision process: what the world does, and what it pays.

    A function of the state is a table (S,) for finitely many states, and a `Quadratic` on the real line. One
    of state and action is a table (S, A), or a `Quadratic` of both. So :math:`Q = R + \gamma \, E \, V(s')`
    is ``mdp.reward + mdp.discount * mdp.next_values(V)``, whatever the problem.

    Attributes
    ----------
    reward : ndarray, shape (S, A), or Quadratic
        :math:`R^a_s`, the expected reward of an action in a state.
    discount : float
        :math:`\gamma`.
    """

    @abstractmethod
    def next_values(self, values):
        r"""Mean of a function of the next state, :math:`\sum_{s'} P^a_{s,s'} v(s')`.

        Parameters
        ----------
        values : ndarray, shape (..., S), or Quadratic
            A number for each state. After the end of an episode it is 0.

        Returns
        -------
        ndarray, shape (..., S, A), or Quadratic

        Examples
        --------
        >>> import numpy as np
        >>> from pgtlab import FiniteMDP
        >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.9)
        >>> mdp.next_values(np.array([7.0]))
        array([[0., 7.]])
        """

    @abstractmethod
    def td_errors(self, values):
        r"""Mean of the TD error, :math:`R^a_s + \gamma \sum_{s'} P^a_{s,s'} v(s') - v(s)`.

        Parameters
        ----------
        values : ndarray, shape (S,), or Quadratic
            v; NaN where it has no value.

        Returns
        -------
        ndarray, shape (S, A), or Quadratic
            NaN in a state without value, and for an action that may lead to one.
        """

    @abstractmethod
    def start_mean(self, values):
        r"""Mean of a function of the state over the start, :math:`\sum_s p_0(s) v(s)`.

        Parameters
        ----------
        values : ndarray, shape (..., S), or Quadratic
            v; where no episode starts it may be NaN.

        Returns
        -------
        ndarray, shape (...)
        """

    @abstractmethod
    def checked_states(self, name, values):
        """Return what a caller gave as a function of the state; raise unless it is one of this problem.

        Parameters
        ----------
        name : str
            The caller's word for it, for the text of the error.
        values : object

        Returns
        -------
        ndarray, shape (S,), or Quadratic
        """

    @abstractmethod
    def checked_pairs(self, name, values):
        """Return what a caller gave as a function of state and action; raise unless it is one here.

        Parameters
        ----------
        name : str
            The caller's word for it, for the text of the error.
        values : object

        Returns
        -------
        ndarray, shape (S, A), or Quadratic
        """

    @abstractmethod
    def draw_start(self, *, rng):
        """Draw a first state.

        Parameters
        ----------
        rng : numpy.random.Generator

        Returns
        -------
        int or float
        """

    @abstractmethod
    def draw_step(self, state, action, *, rng):
        """Draw one step.

        Parameters
        ----------
        state, action : int or float
        rng : numpy.random.Generator

        Returns
        -------
        reward : float
        next_state : int or float, or None
            None if the episode has ended.
        """


def checked(mdp):
    """Return `mdp`; raise TypeError unless it is a problem."""
    if not isinstance(mdp, Problem):
        raise not_a_problem(mdp)
    return mdp


def not_a_problem(value):
    """Return the TypeError for a value that is neither of the two problems."""
    return TypeError(f"mdp must be a FiniteMDP or a LinearQuadraticMDP, got {type(value).__name__}")
