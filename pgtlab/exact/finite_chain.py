"""Owns the finite chain: what a finite problem becomes under a policy, and all that can be asked of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from pgtlab import _validate
from pgtlab.exact.contrasts import contrasts
from pgtlab.exact.digits import changes, check_digits, in_range, mean_over_moves
from pgtlab.exact.endings import reached_by_any_actions, sure_ends
from pgtlab.exact.finite_long_run import FiniteLongRun
from pgtlab.exact.linear_systems import eliminates, factors
from pgtlab.exact.process import Process
from pgtlab.exact.regression import Directions, least_squares_on_score
from pgtlab.policies.softmax import FinitePolicy


class FiniteChain(Process):
    r"""Markov chain with rewards that a finite MDP becomes under fixed action probabilities.

    Parameters
    ----------
    mdp : FiniteMDP
    probs : ndarray, shape (S, A) or (..., S, A)
        Action probabilities, as `FinitePolicy.sound_probs` gives them.
    policy : FinitePolicy, optional
        What the probabilities are from. At discount 1 its `log_probs` tell those that underflow from those
        that are 0; without it all that are 0 count as 0.

    Attributes
    ----------
    transition : ndarray, shape (..., S, S), or CSR array of shape (S, S)
        :math:`P_\pi(s, s') = \sum_a \pi(s, a) P^a_{s,s'}`, (13.1).
    reward : ndarray, shape (..., S)
        :math:`r_\pi(s) = \sum_a \pi(s, a) R^a_s`.
    ends : ndarray of bool, shape (..., S)
        The states from which values exist: all of them when the discount is below 1; at discount 1
        those from which the episode is sure to end.
    all_end : bool
        Whether values exist from every state.
    stops : ndarray, shape (..., S)
        :math:`1 - \gamma \sum_{s'} P_\pi(s, s')`, and 1 outside `ends`.

    Raises
    ------
    ValueError
        If `probs` does not fit the MDP; if the discount is 1 and a state that the start reaches need not
        lead to an end, be it reached by a probability that underflows; for a batch of policies on sparse
        transitions; if rounding would leave fewer than 8 digits.

    Notes
    -----
    Dense and single: one LU factorisation by LAPACK through SciPy, where SciPy is installed, else a solve
    with NumPy for each right-hand side. A batch: stacked solves with NumPy. Sparse: SuperLU.
    Cost S^3 / 1.5 operations dense; the result has a relative error of about 1e-16 times the expected
    discounted steps to the end, 1 / (1 - discount) at most. From 100,000 steps on an `Elimination` takes
    over, for up to 1,000 states if the transitions are sparse: then visits have a relative error of about
    1e-16 S however long it goes on, and values one of 1e-8 at most, of the largest value or reward, or they
    are refused. With more states and sparse transitions the limit is 1e8 steps.

    An action of probability 0 counts as never taken. Where that is an underflow, as it always is for a
    softmax, values and visits change by no more than rounding, but for one case: at discount 1, an action
    that may lead to a state from which the end is not sure. There the logarithm of the probability decides.
    If it is finite, the end is not sure from where the action may be taken either; if it is minus infinity,
    as for every 0 of a policy without a `log_prob` of its own, the action is never taken.

    Examples
    --------
    Each step earns 1/2 and ends the episode with probability 1/2: with discount 1/2 the value is
    1/2 + 1/4 of itself.

    >>> from pgtlab import FiniteMDP
    >>> mdp = FiniteMDP([[[0.0], [1.0]]], reward=[[1.0, 0.0]], initial=[1.0], discount=0.5)
    >>> process = FiniteChain(mdp, np.array([[0.5, 0.5]]))
    >>> process.solve(process.reward).round(6)
    array([0.666667])
    """

    policies = FinitePolicy

    def __init__(self, mdp, probs, policy=None):
        _check(mdp, probs)
        self.mdp = mdp
        # Kept only where it makes a difference whether a probability of 0 is an underflow.
        self._policy = policy if mdp.discount == 1 and not probs.all() else None
        # A reader's own policy may hand out an array that it later writes to.
        self.probs = _validate.read_only(probs.copy()) if probs.flags.writeable else probs
        self.reward = _validate.read_only(np.vecdot(self.probs, mdp.reward))

    def serves(self, mdp, probs, policy):
        """Whether this is the chain of `mdp` under the action probabilities `probs` of `policy`.

        Parameters
        ----------
        mdp : FiniteMDP
        probs : ndarray, shape (..., S, A)
        policy : FinitePolicy
            Looked at only where a probability of 0 may be an underflow or not, at discount 1.

        Returns
        -------
        bool
        """
        if mdp is not self.mdp or (self._policy is not None and policy is not self._policy):
            return False
        # Numbers are compared as they lie in memory, which for a small table takes no time at all.
        return probs is self.probs or (
            probs.shape == self.probs.shape
            and probs.dtype == self.probs.dtype
            and probs.tobytes() == self.probs.tobytes()
        )

    @property
    def batch(self):
        return self.probs.shape[:-2]

    @property
    def transition(self):
        return self.mdp.mixed_transition(self.probs)

    @cached_property
    def ends(self):
        if self.mdp.discount < 1:
            return np.ones(self.reward.shape, dtype=bool)
        support = self.probs > 0
        ends = self._sure_ends(support)
        if self._policy is None or ends.all():
            return ends
        possible = support | self._policy.possible()
        # What underflows may lead astray; as a way to the end it is lost.
        return self._sure_ends(support, possible)

    def _sure_ends(self, *actions):
        if self.probs.ndim == 2:
            return sure_ends(self.mdp, *actions)
        # Which states end depends on which actions are possible, not on how probable they are.
        flat = np.stack(actions, axis=-3).reshape(-1, len(actions), *self.mdp.reward.shape)
        flat, which = np.unique(flat, axis=0, return_inverse=True)
        ends = np.array([sure_ends(self.mdp, *each) for each in flat])
        return ends[which].reshape(self.reward.shape)

    @property
    def all_end(self):
        return self.mdp.discount < 1 or bool(self.ends.all())

    # --- whether it exists ---------------------------------------------------------------------------

    def check_values(self):
        _ = self.ends

    def check_slope(self):
        # At discount 1 an action of probability 0, and no underflow, may lead to a state from which the end
        # is not sure. If policies nearby take it, their return may differ from what the values of this one
        # say, however small the step, and even where the derivative of the probability is 0 too.
        if self.all_end:
            return
        mdp, ends = self.mdp, self.ends
        leads_out = (reached_by_any_actions(mdp) & ends)[..., None] & (mdp.next_values(1.0 - ends) > 0)
        at = _validate.first(leads_out)
        if at is not None:
            *one, s, a = at
            p = np.flatnonzero((mdp.next_law(s, a) > 0) & ~ends[tuple(one)])[0]
            raise ValueError(
                f"discount is 1 and action {a} in state {s}, which has probability 0 here, may lead to state "
                f"{p}, from which the end is not sure: the return of policies nearby may have another slope "
                "than the theorem says. Expected an end with certainty from every state that the start "
                "reaches by any actions. If no parameters ever give the action a probability, give it the "
                "row of another action; or take a discount below 1"
            )

    # --- values --------------------------------------------------------------------------------------

    def state_values(self):
        # V = r_pi + gamma P_pi V  <=>  (I - gamma P_pi) V = r_pi
        return self.solve(self.reward)

    def action_values(self):
        return self._action_values.copy()

    @cached_property
    def _action_values(self):
        # A state without value (NaN) must not spoil the products 0 * V(p) of the others.
        V = self._values if self.all_end else np.where(self.ends, self._values, 0.0)
        # Q(s, a) = R(s, a) + sum_p P(s, a, p) gamma V(p)
        return self._where_known(self.mdp.reward + self.mdp.next_values(self.mdp.discount * V))

    def advantages(self):
        # A = Q - V, and sum_a pi A = 0: any function of the state may be left out of Q before.
        return self.less_mean(self._relative_action_values if self._eliminates else self._action_values)

    def less_mean(self, values):
        r"""What actions are worth, less the mean over the policy's actions; probability 0 counts 0.

        Parameters
        ----------
        values : ndarray, shape (..., S, A)
            Up to a number for each state.

        Returns
        -------
        ndarray, shape (..., S, A)
        """
        # Twice: where an action is all but sure, its own advantage is all but 0, less than what is rounded at
        # first, and then a sum over the others that does not cancel.
        for _ in range(2):
            values = values - self.mean_over_actions(values)[..., None]
        return values

    @cached_property
    def _takes_all(self):
        return self.probs.all()

    @cached_property
    def _relative_action_values(self):
        # Q(s, a) - V(s) = R(s, a) - k(s, a) V(s) + gamma sum_p P(s, a, p) (V(p) - V(s))
        # with k = 1 - gamma sum_p P(p). If all values are large, V(p) - V(s) loses its digits. Then V = level
        # + h, where h is 0 in the last state of the elimination and earns the rest:
        #   (I - gamma P) h = r - level k(s),  and  h(p) - h(s) = V(p) - V(s).
        mdp, factors, r = self.mdp, self._factors, np.where(self.ends, self.reward, 0.0)
        V, V_sizes = (in_range(factors.solve(each), r) for each in (r, np.abs(r)))
        price = self.stops * np.take_along_axis(V, np.asarray(factors.last)[..., None], -1)
        earned = r - price, np.abs(r) + np.abs(price)
        h, h_sizes = (in_range(factors.solve_up_to_last(each), r) for each in earned)
        (change, sizes), (other, other_sizes) = changes(V, V_sizes), changes(h, h_sizes)
        change = np.where(other_sizes < sizes, other, change)
        sizes = np.minimum(sizes, other_sizes)
        k = 1 - mdp.discount + mdp.discount * mdp.ending
        gain = mdp.reward - k * V[..., None] + mdp.discount * mean_over_moves(mdp, change)
        sizes = np.abs(mdp.reward) + k * V_sizes[..., None] + mdp.discount * mean_over_moves(mdp, sizes)
        gain, sizes = self._where_known(gain), self._where_known(sizes)
        check_digits("the advantage of an action", gain, sizes, mdp.reward)
        return gain

    def _where_known(self, Q):
        if self.all_end:
            return Q
        # An action that may lead to a state without value has no value either.
        return np.where(self.ends[..., None] & (self.mdp.next_values(1.0 - self.ends) == 0), Q, np.nan)

    def summed(self, values, decay):
        near = replace(self.mdp, reward=values, discount=self.mdp.discount * decay)
        return FiniteChain(near, self.probs, self._policy).advantages()

    def best_baseline(self, policy):
        V, A = self.state_values(), self.advantages()
        # Of E[|SC|^2 A] / E[|SC|^2] only the ratios of the weights count: they are taken by their logarithms,
        # for near a deterministic policy all are tiny.
        with np.errstate(divide="ignore"):
            logs = policy.log_probs() + np.log(policy.squared_scores())
        largest = logs.max(-1, keepdims=True)
        weight = np.exp(logs - np.where(np.isfinite(largest), largest, 0.0))
        # b = V + E[|SC|^2 A] / E[|SC|^2]; what is never done has the weight 0, and need have no Q.
        total = weight.sum(-1)
        excess = np.where(weight > 0, weight * A, 0.0).sum(-1)
        return V + np.divide(excess, total, where=total > 0, out=np.zeros_like(total))

    # --- where it goes -------------------------------------------------------------------------------

    def steps(self, t):
        if self.mdp.is_sparse:
            from scipy.sparse.linalg import matrix_power

            return matrix_power(self.transition, t)
        return np.linalg.matrix_power(self.transition, t)

    def visits(self):
        # rho = p_0 + gamma P_pi^T rho  <=>  (I - gamma P_pi)^T rho = p_0
        return self.solve_transposed(self.mdp.initial)

    def visit_distribution(self):
        return self._visits / self._visits.sum(-1, keepdims=True)

    def visits_by_time(self, T):
        # p_{t+1} = P_pi^T p_t
        step, visits = self.transition, [self.mdp.initial]
        for _ in range(T - 1):
            visits.append(self.mdp.discount * (visits[-1] @ step))
        return visits

    def known(self, values, visits):
        missing = np.isnan(values)
        if not missing.any():
            return values
        at = _validate.first(missing & (self.probs > 0) & (sum(visits) > 0)[:, None])
        if at is not None:
            raise ValueError(
                f"the signal is NaN for action {at[1]} in state {at[0]}, which the policy reaches; "
                "expected a number"
            )
        return np.where(missing, 0.0, values)

    # --- means ---------------------------------------------------------------------------------------

    def mean_over_visits(self, values):
        rho = self._visits
        return np.where(rho > 0, rho * values, 0.0).sum(-1)

    def mean_over_actions(self, values):
        # What is never done has no say; its value need not exist.
        return np.vecdot(self.probs, values if self._takes_all else np.where(self.probs > 0, values, 0.0))

    def mean_square(self, policy, values, w):
        weights = self._visits[..., None] * self.probs
        missed = values - policy.scores_along(w)
        return (weights * np.where(weights > 0, missed, 0.0) ** 2).sum((-2, -1))

    def score_mean(self, policy, values, visits=None):
        weights = (self._visits if visits is None else visits)[..., None] * self.probs
        done = weights > 0
        # What is never done has no say; its value need not exist.
        return policy.score_sum(weights * (values if done.all() else np.where(done, values, 0.0)))

    def score_fit(self, policy, values, *, squared=False):
        # E[SC f] = X^T y and FIM = X^T X with X = sqrt(rho pi) SC and y = sqrt(rho pi) f: the solution of
        # least norm of X^T X w = X^T y is that of the least squares problem X w = y.
        self.check_slope()
        return least_squares_on_score(self.mdp, policy, self._visits, values, squared=squared)

    def fisher_information(self, policy):
        # The sum over the actions of a state is the covariance of the scores, whose mean is 0.
        equations = contrasts(self.mdp, policy, self._visits)
        X = np.exp(equations.log_weights / 2)[..., None] * equations.rows
        return np.swapaxes(X, -1, -2) @ X

    def flat_directions(self, policy):
        return Directions(contrasts(self.mdp, policy, self._visits).rows).unseen

    # --- for ever ------------------------------------------------------------------------------------

    @cached_property
    def long_run(self):
        return FiniteLongRun(self)

    # --- the two systems -----------------------------------------------------------------------------

    def solve(self, right):
        r"""Solve :math:`(I - \gamma P_\pi) x = b`: what is earned, discounted, from each state on.

        Parameters
        ----------
        right : ndarray, shape (..., S)
            b, earned at each visit.

        Returns
        -------
        ndarray, shape (..., S)
            NaN in the states outside `ends`, where the sum of what is earned need not exist.

        Notes
        -----
        The solution for `reward` is remembered: V, Q, A, J and the gradient all ask for it.
        """
        return self._values.copy() if right is self.reward else self._solution(right)

    def solve_transposed(self, right):
        r"""Solve :math:`(I - \gamma P_\pi)^T x = b`: discounted visits to each state.

        Parameters
        ----------
        right : ndarray, shape (S,)
            b, where the visits start; 0 outside `ends`.

        Returns
        -------
        ndarray, shape (..., S)
            0 in the states outside `ends`: the start does not reach them.

        Notes
        -----
        The solution for ``mdp.initial`` is remembered.
        """
        return self._visits.copy() if right is self.mdp.initial else self._factors.solve_transposed(right)

    @cached_property
    def _values(self):
        return self._solution(self.reward)

    @cached_property
    def _visits(self):
        return self._factors.solve_transposed(self.mdp.initial)

    def _solution(self, right):
        # The states of `ends` lead to one another only: their equations stand alone.
        right = right if self.all_end else np.where(self.ends, right, 0.0)
        x = in_range(self._factors.solve(right), right)
        if self._eliminates:
            sizes = self._factors.solve(np.abs(right))
            check_digits("the value of a state", x, sizes, right, largest=True)
        return x if self.all_end else np.where(self.ends, x, np.nan)

    @cached_property
    def stops(self):
        # States outside `ends` stand apart, each with the equation x = 0.
        discount = self.mdp.discount
        stops = (1 - discount) + discount * np.vecdot(self.probs, self.mdp.ending)
        return stops if self.all_end else np.where(self.ends, stops, 1.0)

    @property
    def _eliminates(self):
        return eliminates(self._factors)

    @cached_property
    def _factors(self):
        return factors(self)


def _check(mdp, probs):
    S, A = mdp.reward.shape
    if probs.shape[-2:] != (S, A):
        raise ValueError(
            f"policy is for {probs.shape[-2]} states and {probs.shape[-1]} actions; "
            f"expected {S} states and {A} actions, as in mdp"
        )
    if mdp.is_sparse and probs.ndim > 2:
        raise ValueError(
            f"policy is a batch of shape {probs.shape[:-2]}; "
            "expected one policy at a time with sparse transitions"
        )
