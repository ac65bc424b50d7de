"""Owns the finite Markov chain with rewards, and the solutions of its two linear systems."""

from __future__ import annotations

import sys
from functools import cached_property
from importlib import import_module

import numpy as np

from pgtlab import _validate
from pgtlab.exact.elimination import SMALLEST_RATE, Elimination, Eliminations
from pgtlab.policies import SoftmaxPolicy

#: Expected (discounted) steps to the end up to which a factorisation keeps eleven digits, and eight.
_LONG, _LONGEST = 1e5, 1e8

#: Sparse transitions of at most so many states are made dense where the end is farther off than `_LONG`.
_FEW_STATES = 1000

#: Rounding of an elimination, as a share of the sum of the sizes of what is added up.
_ROUNDED = 8 * np.finfo(float).eps

#: Error that is allowed, as a share of the result or of the largest reward: else the result is refused.
_ALLOWED = 1e-8

#: Values of this size or more would make sums of them overflow.
_LARGEST = 1e306


class FiniteChain:
    r"""Markov chain with rewards that a finite MDP becomes under fixed action probabilities.

    Parameters
    ----------
    mdp : FiniteMDP
    probs : ndarray, shape (S, A) or (..., S, A)
        Action probabilities.
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
    action_values : ndarray, shape (..., S, A)
        :math:`Q^\pi(s, a)`; NaN outside `ends`, and for an action that may lead there.
    relative_action_values : ndarray, shape (..., S, A)
        The same less a number for each state, one that keeps the digits in which the actions of a state
        differ.

    Raises
    ------
    ValueError
        If `probs` does not fit the MDP or is no distribution in some state; if the discount is 1 and a
        state that the start reaches need not lead to an end, be it reached by a probability that underflows;
        for a batch of policies on sparse transitions; if rounding would leave fewer than 8 digits.

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
        same = mdp is self.mdp and (probs is self.probs or np.array_equal(probs, self.probs))
        return same and (self._policy is None or policy is self._policy)

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
        # A softmax takes every action, be the logarithm of its probability beyond the floats.
        softmax = isinstance(self._policy, SoftmaxPolicy)
        possible = np.ones_like(support) if softmax else support | (self._policy.log_probs() > -np.inf)
        # What underflows may lead astray; as a way to the end it is lost.
        return self._sure_ends(support, possible)

    def _sure_ends(self, *actions):
        if self.probs.ndim == 2:
            return _sure_ends(self.mdp, *actions)
        # Which states end depends on which actions are possible, not on how probable they are.
        flat = np.stack(actions, axis=-3).reshape(-1, len(actions), *self.mdp.reward.shape)
        flat, which = np.unique(flat, axis=0, return_inverse=True)
        ends = np.array([_sure_ends(self.mdp, *each) for each in flat])
        return ends[which].reshape(self.reward.shape)

    @cached_property
    def all_end(self):
        return self.mdp.discount < 1 or bool(self.ends.all())

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

    def check_slope(self):
        r"""Raise ValueError where the return need not have the slope of the policy gradient theorem.

        At discount 1 an action of probability 0, and no underflow, may lead to a state from which the end is
        not sure. If policies nearby take it, their return may differ from what the values of this one say,
        however small the step, and even where the derivative of the probability is 0 too.

        Raises
        ------
        ValueError
            If the discount is 1 and the start reaches, by whatever actions, a state outside `ends`.
        """
        if self.all_end:
            return
        mdp, ends = self.mdp, self.ends
        leads_out = (reached_by_any_actions(mdp) & ends)[..., None] & (mdp.next_values(1.0 - ends) > 0)
        at = _validate.first(leads_out)
        if at is not None:
            *one, s, a = at
            p = np.flatnonzero((next_law(mdp, s, a) > 0) & ~ends[tuple(one)])[0]
            raise ValueError(
                f"discount is 1 and action {a} in state {s}, which has probability 0 here, may lead to state "
                f"{p}, from which the end is not sure: the return of policies nearby may have another slope "
                "than the theorem says. Expected an end with certainty from every state that the start "
                "reaches by any actions. If no parameters ever give the action a probability, give it the "
                "row of another action; or take a discount below 1"
            )

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
            known = values if self.all_end else np.where(self.probs > 0, values, 0.0)
            values = values - np.vecdot(self.probs, known)[..., None]
        return values

    @cached_property
    def action_values(self):
        # Q(s, a) = R(s, a) + gamma sum_p P(s, a, p) V(p)
        mdp, V = self.mdp, self._values
        if not self.all_end:
            # A state without value (NaN) must not spoil the products 0 * V(p) of the others.
            V = np.where(self.ends, V, 0.0)
        return self._where_known(mdp.reward + mdp.discount * mdp.next_values(V))

    @property
    def relative_action_values(self):
        return self._relative_action_values if self._eliminates else self.action_values

    @cached_property
    def _relative_action_values(self):
        # Q(s, a) - V(s) = R(s, a) - k(s, a) V(s) + gamma sum_p P(s, a, p) (V(p) - V(s))
        # with k = 1 - gamma sum_p P(p). If all values are large, V(p) - V(s) loses its digits. Then V = level
        # + h, where h is 0 in the last state of the elimination and earns the rest:
        #   (I - gamma P) h = r - level k(s),  and  h(p) - h(s) = V(p) - V(s).
        mdp, factors, r = self.mdp, self._factors, np.where(self.ends, self.reward, 0.0)
        V, V_sizes = (in_range(factors.solve(each), r) for each in (r, np.abs(r)))
        price = self._stops * np.take_along_axis(V, np.asarray(factors.last)[..., None], -1)
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
    def _stops(self):
        # 1 - gamma sum_p P_pi(s, p); states outside `ends` stand apart, each with the equation x = 0.
        discount = self.mdp.discount
        stops = (1 - discount) + discount * np.vecdot(self.probs, self.mdp.ending)
        return stops if self.all_end else np.where(self.ends, stops, 1.0)

    @property
    def _eliminates(self):
        return isinstance(self._factors, Elimination | Eliminations)

    @cached_property
    def _factors(self):
        mdp = self.mdp
        near_1 = 1 - mdp.discount < 1 / _LONG
        if mdp.is_sparse:
            # gamma P_pi
            rates = self.transition * mdp.discount
            if not self.all_end:
                rates = rates.multiply(self.ends[:, None]).tocsr()
            factors = _SparseLU(rates)
        else:
            # -gamma P_pi, in one pass
            matrix = mdp.mixed_transition(-mdp.discount * self.probs)
            if not self.all_end:
                matrix *= self.ends[..., None]
            rates = -matrix if near_1 else None
            diagonal = np.einsum("...ss->...s", matrix)  # a view
            diagonal += 1.0
            factors = _StackedSolve(matrix) if matrix.ndim > 2 else _dense(matrix)
        if not near_1:
            return factors
        steps = _longest(factors, self.ends)
        if steps <= _LONG:
            return factors
        if mdp.is_sparse and mdp.n_states > _FEW_STATES:
            if steps <= _LONGEST:
                return factors
            raise ValueError(_too_long(_LONGEST))
        rates = rates.toarray() if mdp.is_sparse else rates
        factors = (Eliminations if rates.ndim > 2 else Elimination)(rates, self._stops)
        if not _longest(factors, self.ends) <= 1 / SMALLEST_RATE:
            raise ValueError(_too_long(1 / SMALLEST_RATE))
        return factors


_scipy_absent = False


def lapack():
    """Return `scipy.linalg.lapack`; raise ImportError without SciPy.

    That SciPy is absent is remembered: to search for it anew before each solution takes longer than a small
    solution. In a browser, gradient ascent on a few states took twenty times as long with the search.
    """
    global _scipy_absent
    if _scipy_absent and "scipy" not in sys.modules:
        raise ImportError("SciPy was not found before")
    try:
        return import_module("scipy.linalg.lapack")
    except ModuleNotFoundError as error:
        _scipy_absent = error.name in ("scipy", None)  # a browser's Python gives no name
        raise


class _DenseLU:
    """One LU factorisation of a matrix, through LAPACK."""

    def __init__(self, matrix):
        routines = lapack()
        # The rows of C order are the columns of Fortran order: the transpose is factorised, without a copy.
        self._lu, self._pivots, self._zero_pivot = routines.dgetrf(matrix.T, overwrite_a=1)
        self._dgetrs = routines.dgetrs

    def solve(self, right):
        return self._solve(right, 1)

    def solve_transposed(self, right):
        return self._solve(right, 0)

    def _solve(self, right, transposed):
        if self._zero_pivot:
            raise np.linalg.LinAlgError("singular matrix")
        return self._dgetrs(self._lu, self._pivots, right, trans=transposed)[0]


class _StackedSolve:
    """Solutions with a matrix, or a stack of them, by NumPy alone."""

    def __init__(self, matrix):
        self._matrix = matrix

    def solve(self, right):
        return np.linalg.solve(self._matrix, right[..., None])[..., 0]

    def solve_transposed(self, right):
        return np.linalg.solve(np.swapaxes(self._matrix, -1, -2), right[..., None])[..., 0]


class _SparseLU:
    """One sparse LU factorisation of I - rates, through SuperLU."""

    def __init__(self, rates):
        from scipy.sparse import eye_array
        from scipy.sparse.linalg import splu

        matrix = eye_array(rates.shape[0]) - rates
        # Rows are diagonally dominant, so the diagonal is a good pivot; then the order may be chosen for
        # little fill-in, and for a symmetric pattern, which most transition graphs nearly have.
        try:
            self._lu = splu(
                matrix.tocsc(),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError:
            # Exactly singular: an error of the solutions, as with LAPACK.
            self._lu = None

    def solve(self, right):
        return self._solve(right, "N")

    def solve_transposed(self, right):
        return self._solve(right, "T")

    def _solve(self, right, transposed):
        if self._lu is None:
            raise np.linalg.LinAlgError("singular matrix")
        return self._lu.solve(right, trans=transposed)


def _dense(matrix):
    try:
        return _DenseLU(matrix)
    except ImportError:
        return _StackedSolve(matrix)


def _check(mdp, probs):
    S, A = mdp.reward.shape
    if probs.ndim < 2:
        raise ValueError(f"policy.probs() has shape {probs.shape}; expected (..., S, A) = (..., {S}, {A})")
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
    missing = np.abs(probs @ np.ones(A) - 1)
    # Also false for NaN.
    if not (probs.min() >= 0 and missing.max() <= _validate.ROUNDING):
        wrong = ~((probs >= 0).all(-1) & (missing <= _validate.ROUNDING))
        at = _validate.first(wrong)
        digits = f". Compute them in float64, not in {probs.dtype}" if probs.dtype.itemsize < 8 else ""
        raise ValueError(
            f"policy.probs(){_validate.subscript(at)} is {probs[at]}; "
            f"expected probabilities of at least 0 that sum to 1 within {_validate.ROUNDING:g}{digits}"
        )


def _sure_ends(mdp, support, possible=None):
    """Return, at discount 1, the states from which the episode is sure to end; raise if the start is not.

    `support` (S, A) says which actions have a probability above 0, by which an end is reached; `possible`
    which may lead away from it, where these are more: also those whose probability underflows.
    """
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


def next_law(mdp, s, a):
    """Return the row (S,) of state s and action a."""
    return mdp.transition[[s * mdp.n_actions + a]].toarray()[0] if mdp.is_sparse else mdp.transition[s, a]


def changes(values, sizes):
    """Return v(p) - v(s) from state to state, (..., S, S), and the sizes of what was added up for it."""
    lost = sizes[..., None, :] + sizes[..., :, None]
    # From a state to itself nothing changes, and nothing is lost.
    np.einsum("...ss->...s", lost)[...] = 0.0
    return values[..., None, :] - values[..., :, None], lost


def mean_over_moves(mdp, moves):
    """Return sum_p P(s, a, p) m(s, p), (..., S, A), for numbers m (..., S, S) from state to state."""
    S, A = mdp.reward.shape
    rows = mdp.transition.toarray().reshape(S, A, S) if mdp.is_sparse else mdp.transition
    return (rows @ moves[..., None])[..., 0]


def in_range(values, reward):
    """Return `values`; raise ValueError where they come near the end of double precision."""
    if not np.abs(values).max() < _LARGEST:
        raise ValueError(
            f"values reach {_LARGEST:g} or more, from rewards of up to {np.abs(reward).max():.3g}: "
            "expected rewards whose sums stay far within double precision"
        )
    return values


def check_digits(what, values, sizes, reward, *, largest=False):
    """Raise ValueError where rounding may spoil more than 1e-8 of `values`, or of the largest reward.

    `sizes` are the sums of the sizes of what was added up. With `largest` the largest value is the measure.
    """
    scale = np.abs(values)
    scale = np.maximum(scale.max() if largest else scale, np.abs(reward).max())
    # Nothing is known of a NaN.
    lost = _ROUNDED * sizes > _ALLOWED * scale
    if lost.any():
        at = _validate.first(lost)
        raise ValueError(
            f"{what} is {values[at]:.3g}, from sums of size {sizes[at]:.3g} that cancel: fewer than 8 digits "
            f"are left, at index {_validate.subscript(at)}. Expected a smaller discount, or a policy under "
            "which the chain forgets its start sooner"
        )


def _longest(factors, ends):
    """Return the largest expected number of (discounted) steps to the end; infinite if out of range."""
    try:
        steps = factors.solve(ends.astype(float))
    except np.linalg.LinAlgError:
        return np.inf
    # Without rounding errors every state of `ends` has at least one step to go.
    return steps.max() if steps[ends].min() > 0.5 else np.inf


def _too_long(limit):
    return (
        f"the expected number of steps to the end, discounted, exceeds {limit:g}: values lose their digits. "
        "Expected a policy under which the episode ends sooner, or a smaller discount"
    )
