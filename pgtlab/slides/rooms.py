"""Owns what the other rooms hand out, in the form in which it is compared: a class for each kind of problem.

These and the second routes are the two places of the slides that know which kind of problem they are for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pgtlab.critics import compatible_values
from pgtlab.exact.chains import chain
from pgtlab.exact.gradients import policy_gradient
from pgtlab.exact.visits import state_visitation, transition_probabilities
from pgtlab.language import mean_update
from pgtlab.language.tree import checked
from pgtlab.policies import LinearGaussianPolicy, SoftmaxPolicy
from pgtlab.quadratic import Quadratic


class FiniteRooms:
    """What the rooms hand out for a finite problem."""

    @staticmethod
    def refuse(mdp, policy):
        """Raise, in the words of `chain`, what does not go together or has no value."""
        _ = chain(mdp, policy).ends

    def __init__(self, routes):
        self.routes, self.mdp, self.policy = routes, routes.mdp, routes.policy

    def kernel(self, t):
        """Return `transition_probabilities` from each state, (S, S)."""
        law = transition_probabilities(self.mdp, self.policy, t)
        return law.toarray() if self.mdp.is_sparse else law

    @property
    def visits(self):
        """Rho, (S,)."""
        return state_visitation(self.mdp, self.policy)

    @property
    def mass(self):
        """Mass of rho."""
        return self.visits.sum()

    @property
    def gradient_of_values(self):
        """The function of the state dV/dtheta, by the theorem for episodes that start there."""
        table = np.full((self.mdp.n_states, len(self.policy.parameters)), np.nan)
        for s in self.routes.states:
            at_s = replace(self.mdp, initial=np.eye(self.mdp.n_states)[s])
            table[s] = policy_gradient(at_s, self.policy)
        return self.routes.function(table)

    @property
    def after_one_step(self):
        """Nodes and weights of s_1."""
        nodes, weights = self.routes.start
        return nodes, weights @ self.kernel(1)

    @property
    def poor_values(self):
        """Some function of the state, as an estimate of V: what the policy earns in one step."""
        return self.routes.function((self.policy.probs() * self.mdp.reward).sum(-1))

    def poor_advantages(self, w):
        """Return Q_w less that estimate, in the form that `estimators` takes."""
        states = np.arange(self.mdp.n_states)
        return compatible_values(self.policy, w) - self.poor_values(states)[:, None]

    @property
    def offsets(self):
        """A fixed part of a critic that depends on the action, and one that does not."""
        reward = self.mdp.reward
        return reward, np.repeat(reward.mean(-1, keepdims=True), self.mdp.n_actions, axis=1)

    #: What value iteration begins with.
    nothing = 0.0

    def one_step_earlier(self, V):
        """Return the best values when V follows."""
        return (self.mdp.reward + self.mdp.discount * self.mdp.next_values(self._table(V))).max(-1)

    def _table(self, V):
        return np.broadcast_to(V, self.mdp.n_states)

    def greedy(self, V):
        """Return the deterministic policy that is best for one step, when V follows."""
        best = (self.mdp.reward + self.mdp.discount * self.mdp.next_values(self._table(V))).argmax(-1)
        # The exponential of such a difference is 0: one action is taken, and no other.
        return SoftmaxPolicy.tabular(1e4 * np.eye(self.mdp.n_actions)[best])

    def from_start(self, V):
        """Return what the best values come to at the start."""
        return self.mdp.initial @ V


class GaussianRooms:
    """What the rooms hand out for the linear-quadratic problem."""

    @staticmethod
    def refuse(mdp, policy):
        """Raise the same for this problem."""
        _ = chain(mdp, policy).curvature

    def __init__(self, routes):
        self.routes, self.mdp, self.policy = routes, routes.mdp, routes.policy

    def kernel(self, t):
        """Return the first two moments of `transition_probabilities` from some states, (n, 2)."""
        law, (s, _) = transition_probabilities(self.mdp, self.policy, t), self.routes.everywhere
        return np.stack([law.drift * s, (law.drift * s) ** 2 + law.std**2], axis=-1)

    @property
    def visits(self):
        """Mass and second moment of rho."""
        rho = state_visitation(self.mdp, self.policy)
        return np.array([rho.mass, rho.second_moment])

    @property
    def mass(self):
        """Mass of rho."""
        return self.visits[0]

    @property
    def gradient_of_values(self):
        """The function of the state dV/dtheta, by the theorem for episodes that start there."""
        # V is a square and a constant, and so are its derivatives.
        at = [replace(self.mdp, initial_mean=x, initial_std=0.0) for x in (0.0, 1.0)]
        constant, sum_of_both = (policy_gradient(each, self.policy) for each in at)
        return lambda s: constant + s[..., None] ** 2 * (sum_of_both - constant)

    @property
    def after_one_step(self):
        """Nodes and weights of s_1."""
        _, weights = self.routes.start
        law = transition_probabilities(self.mdp, self.policy, 1)
        std = np.hypot(law.drift * self.mdp.initial_std, law.std)
        # The nodes of the start are its mean and multiples of its std; these are the same for s_1.
        return law.drift * self.mdp.initial_mean + std * self.routes.standard_nodes, weights

    @property
    def poor_values(self):
        """Some function of the state, as an estimate of V: what the policy earns in one step."""
        curvature = self.mdp.state_cost + self.mdp.action_cost * np.asarray(self.policy.gain) ** 2
        return Quadratic(-np.reshape(curvature, (1, 1)), np.array(0.0))

    def poor_advantages(self, w):
        """Return Q_w less that estimate, in the form that `estimators` takes."""
        Q, v = compatible_values(self.policy, w), self.poor_values
        return Quadratic(Q.matrix + np.diag([-v.matrix[0, 0], 0.0]), Q.constant - v.constant)

    @property
    def offsets(self):
        """A fixed part of a critic that depends on the action, and one that does not."""
        q, r, none = self.mdp.state_cost, self.mdp.action_cost, np.array(0.0)
        return Quadratic(-np.diag([q, r]), none), Quadratic(-np.diag([q, 0.0]), none)

    #: What the Riccati recursion begins with: V is -P x^2 and a constant, and P is 0.
    nothing = 0.0

    def one_step_earlier(self, P):
        """Return the best P when one follows: that of q x^2 + r u^2 + gamma P (a x + b u)^2 over u = k x."""
        mdp, k = self.mdp, self._best_gain(P)
        return mdp.state_cost + mdp.action_cost * k**2 + mdp.discount * P * (mdp.drift + mdp.control * k) ** 2

    def _best_gain(self, P):
        mdp = self.mdp
        denominator = mdp.action_cost + mdp.discount * mdp.control**2 * P
        return -mdp.discount * mdp.drift * mdp.control * P / denominator if denominator else 0.0

    def greedy(self, P):
        """Return the deterministic policy that is best for one step, when -P x^2 follows."""
        # Noise of one part in 10^17: none, in double precision.
        return LinearGaussianPolicy(self._best_gain(P), -40.0)

    def from_start(self, P):
        """Return what the best values come to at the start."""
        start = self.mdp.initial_mean**2 + self.mdp.initial_std**2
        return -P * (start + self.mdp.discount * self.mdp.noise_std**2 / (1 - self.mdp.discount))


class TreeRooms:
    """What the room of language models hands out for a token tree."""

    def __init__(self, routes):
        self.routes, self.tree, self.policy = routes, routes.tree, routes.policy

    @staticmethod
    def refuse(tree, policy):
        """Raise, in the words of `language`, what does not go together."""
        checked(tree, policy)

    def step(self, update, G=1, **which):
        """Return the exact mean of an update from groups of G, beside the reference of the routes."""
        reference = self.routes.reference.policy
        return mean_update(self.tree, self.policy, update, group_size=G, reference=reference, **which)
