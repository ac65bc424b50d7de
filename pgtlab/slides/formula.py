"""Owns what a formula of the book is once it can be checked: two sides, a mistake, a result."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pgtlab import _validate
from pgtlab.language import TokenTree
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP
from pgtlab.policies import FinitePolicy, LinearGaussianPolicy
from pgtlab.slides.finite_routes import FiniteRoutes
from pgtlab.slides.gaussian_routes import GaussianRoutes
from pgtlab.slides.places import shown
from pgtlab.slides.reach import check_finite, check_gaussian, check_tree
from pgtlab.slides.rooms import FiniteRooms, GaussianRooms, TreeRooms
from pgtlab.slides.specimen import specimen
from pgtlab.slides.tree_routes import TreeRoutes

#: Residuals allowed: between two sums, and where one side is a difference quotient.
SUMS, DIFFERENCES = 1e-10, 1e-8

_last = None


def routes(mdp, policy):
    """Return the second routes for a problem and a policy; those of the last pair are kept."""
    global _last
    kept = _last
    if kept is None or kept.mdp is not mdp or kept.policy is not policy:
        kept = _last = _routes(mdp, policy)
    return kept


def _routes(mdp, policy):
    kind, rooms, check_reach = _kind(mdp, policy)
    batch = np.shape(policy.parameters)[:-1]
    if batch:
        raise ValueError(f"policy is a batch of shape {batch}; expected one policy at a time")
    rooms.refuse(mdp, policy)
    found = kind(mdp, policy)
    found.rooms = rooms(found)
    check_reach(found)
    return found


def _kind(mdp, policy):
    """Return second routes, rooms and reach for a problem: the one place of the slides that asks its kind."""
    if isinstance(mdp, LinearQuadraticMDP):
        _validate.instance("policy", policy, LinearGaussianPolicy)
        return GaussianRoutes, GaussianRooms, check_gaussian
    if isinstance(mdp, FiniteMDP):
        _validate.instance("policy", policy, FinitePolicy)
        return FiniteRoutes, FiniteRooms, check_finite
    if isinstance(mdp, TokenTree):
        _validate.instance("policy", policy, FinitePolicy)
        return TreeRoutes, TreeRooms, check_tree
    expected = "a FiniteMDP, a LinearQuadraticMDP or a TokenTree"
    raise TypeError(f"mdp must be {expected}, got {type(mdp).__name__}")


def along(side):
    """Return a side that is written in terms of `Routes` as one of problem and policy, under its own name."""

    @functools.wraps(side)
    def of_the_problem(mdp, policy):
        return side(routes(mdp, policy))

    return of_the_problem


def everywhere(mdp, policy):
    """Return no obstacle: the formula applies to every problem."""
    return ""


def unless(obstacle):
    """Return an obstacle that is written in terms of `Routes` as one of problem and policy.

    It is asked before anything is: also where the return does not exist, or the routes do not reach.
    """
    return lambda mdp, policy: obstacle(_kind(mdp, policy)[0](mdp, policy))


def finite_only(because):
    """Return the obstacle of a formula that needs states that can be counted."""
    return unless(lambda R: "" if R.countable else because)


#: For what another kind of problem than the one that a formula is about is refused.
_ABOUT = {
    "decision process": "it is about a decision process; `to_mdp` of a token tree makes one",
    "token tree": "it is about a token tree and what models say",
}


def _only(about, obstacle):
    """Return an obstacle to all problems but those of a kind, and to those that `obstacle` names."""

    def of_the_problem(mdp, policy):
        return "" if _kind(mdp, policy)[0].about == about else _ABOUT[about]

    return lambda mdp, policy: of_the_problem(mdp, policy) or obstacle(mdp, policy)


def stated(id, title, statement, sides, *, slide="", about="decision process", obstacle=everywhere, **rest):
    """Return a formula whose sides are functions of `Routes`, or of `TreeRoutes`.

    Parameters
    ----------
    id, title, statement : str
    sides : tuple of three callables of (Routes,)
        Left, right and mistaken; the docstring of each says in a phrase how it is found.
    slide : str
        By default that of the label.
    about : str
        ``"decision process"`` or ``"token tree"``: the kind of problem whose routes the sides take.
    obstacle : callable of (mdp, policy)
        Why the formula does not apply to a problem of that kind, or an empty string.
    **rest
        As in `Formula`.

    Returns
    -------
    Formula
    """
    slide = slide or f"S{id.split('.')[0]}"
    return Formula(id, slide, title, statement, *map(along, sides), obstacle=_only(about, obstacle), **rest)


@dataclass(frozen=True, eq=False)
class Formula:
    r"""Formula of the slides, or of a chapter beyond them, as an executable statement.

    As the last line of a cell it shows itself: statement, both sides and the mistake with their source, and
    its proof with letters, where SymPy is installed.

    Parameters
    ----------
    id : str
        The slides' label, such as ``"9.1"``, or ``"point 4"`` of what they leave out, or a chapter's own,
        such as ``"L.3"``.
    slide : str
        Such as ``"S9"``, or the chapter, such as ``"chapter 6"``.
    title : str
    statement : str
        In LaTeX, without its conditions; they stand in the book, at the formula's label.
    left, right : callable of (mdp, policy)
        An array, or a tuple of arrays: the parts of the statement. The docstring says how the side is found.
    mistaken : callable of (mdp, policy)
        What the right side is with a plausible mistake, which the docstring names; None for a part that it
        leaves alone.
    kind : {"identity", "definition", "condition", "algorithm", "bound"}
        An identity has two routes. A definition is a closed form against what it abbreviates. A condition
        holds for the object that was built to meet it, and the mistake is one that was not. An algorithm
        stands for its exact mean or its fixed point. For a bound the left side is at most the right one.
    sizes : tuple of str
        For each part the kind of quantity, by which its residual is measured (see `Routes.size`).
    within : float
        Largest residual that counts as agreement.
    obstacle : callable of (mdp, policy)
        Why the formula does not apply, or an empty string.
    shows_on : callable
        Without arguments; returns a problem and a policy on which the mistake shows.

    Examples
    --------
    >>> from pgtlab.slides import FORMULAS
    >>> from pgtlab.gallery import now_or_later
    >>> print(FORMULAS["9.1"].check(*now_or_later()))
    (9.1) the left side [2.0] and the right side [2.0] agree within 1e-08
    >>> print(FORMULAS["9.1"].check_mistake(*now_or_later()))
    (9.1) the left side [2.0] and the right side [1.37931] differ by 0.124, more than 1e-08
    """

    id: str
    slide: str
    title: str
    statement: str
    left: Callable
    right: Callable
    mistaken: Callable
    kind: str = "identity"
    sizes: tuple = ("gradient",)
    within: float = SUMS
    obstacle: Callable = everywhere
    shows_on: Callable = specimen

    @property
    def left_route(self):
        """How the left side is found."""
        return self.left.__doc__

    @property
    def right_route(self):
        """How the right side is found."""
        return self.right.__doc__

    @property
    def mutation(self):
        """A plausible mistake, in words."""
        return self.mistaken.__doc__

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Return how the formula is shown, as text and as a page."""
        return shown(self)

    def applies(self, mdp, policy):
        """Say whether the formula can be put to a problem.

        Parameters
        ----------
        mdp : FiniteMDP, LinearQuadraticMDP or TokenTree
        policy : FinitePolicy or LinearGaussianPolicy

        Returns
        -------
        bool
        """
        return not self.obstacle(mdp, policy)

    def check(self, mdp, policy):
        """Work out both sides.

        Parameters
        ----------
        mdp : FiniteMDP, LinearQuadraticMDP or TokenTree
        policy : FinitePolicy or LinearGaussianPolicy
            One policy, no batch.

        Returns
        -------
        Check

        Raises
        ------
        ValueError
            If the formula does not apply, the policy is a batch or does not fit the problem, what the
            formula is about does not exist (see `chain`), or the problem is so near an edge that the second
            routes, plain sums and difference quotients, have not the digits.
        TypeError
            If an argument is of the wrong type.
        """
        left, right = self._sides(mdp, policy)
        return self._compared(routes(mdp, policy), left, right)

    def check_mistake(self, mdp=None, policy=None):
        """Put the mistaken side in place of the right one.

        Parameters
        ----------
        mdp : FiniteMDP, LinearQuadraticMDP or TokenTree, optional
        policy : FinitePolicy or LinearGaussianPolicy, optional
            By default those of `shows_on`. On other problems the mistake need not show.

        Returns
        -------
        Check
            Which does not agree, where the mistake shows.

        Raises
        ------
        ValueError, TypeError
            As `check`.
        """
        if mdp is None:
            mdp, policy = self.shows_on()
        left, right = self._sides(mdp, policy)
        mistaken = _parts(self.mistaken(mdp, policy))
        wrong = tuple(r if m is None else m for r, m in zip(right, mistaken, strict=True))
        return self._compared(routes(mdp, policy), left, wrong)

    def _sides(self, mdp, policy):
        routes(mdp, policy)
        reason = self.obstacle(mdp, policy)
        if reason:
            raise ValueError(f"({self.id}) does not apply: {reason}")
        return _parts(self.left(mdp, policy)), _parts(self.right(mdp, policy))

    def _compared(self, R, left, right):
        residual = 0.0
        for one, other, size in zip(left, right, self.sizes, strict=True):
            residual = max(residual, _residual(one, other, R.size(size), self.kind == "bound"))
        return Check(self, left, right, residual)


@dataclass(frozen=True, eq=False)
class Check:
    r"""Both sides of a formula on one problem.

    Attributes
    ----------
    formula : Formula
    left, right : tuple of ndarray
        The parts of each side.
    residual : float
        Largest difference between the sides, as a share of the size of what is compared: the larger side, or
        what quantities of its kind amount to on this problem, whichever is more. For a bound, what the left
        side is above the right one. Where both sides are NaN, because the value does not exist, they agree.

    Examples
    --------
    >>> from pgtlab.slides import check
    >>> from pgtlab.gallery import now_or_later
    >>> result = check("10.1", *now_or_later())
    >>> result.agrees, result.within, result.slide
    (True, 1e-10, 'S10')
    """

    formula: Formula
    left: tuple
    right: tuple
    residual: float

    @property
    def id(self):
        """Label of the formula."""
        return self.formula.id

    @property
    def slide(self):
        """Slide of the formula."""
        return self.formula.slide

    @property
    def kind(self):
        """Kind of the formula."""
        return self.formula.kind

    @property
    def statement(self):
        """The formula in LaTeX."""
        return self.formula.statement

    @property
    def within(self):
        """Largest residual that counts as agreement."""
        return self.formula.within

    @property
    def agrees(self):
        """Whether the residual is at most `within`."""
        return self.residual <= self.within

    @property
    def verdict(self):
        """The outcome in a word, with `within` if the sides agree and else with the residual."""
        if self.agrees:
            return f"{'hold' if self.kind == 'bound' else 'agree'} {self.within:.0e}"
        return f"DIFFER {self.residual:.0e}"

    def __str__(self):
        agree = f"agree within {self.within:.3g}"
        differ = f"differ by {self.residual:.3g}, more than {self.within:.3g}"
        return (
            f"({self.id}) the left side {_shown(self.left)} and the right side {_shown(self.right)} "
            f"{agree if self.agrees else differ}"
        )


def _parts(side):
    parts = side if isinstance(side, tuple) else (side,)
    return tuple(part if part is None else np.atleast_1d(np.asarray(part, dtype=float)) for part in parts)


def _residual(left, right, size, bound):
    if left.shape != right.shape:
        return np.inf
    missing = np.isnan(left)
    if (missing != np.isnan(right)).any():
        return np.inf
    left, right = left[~missing], right[~missing]
    gap = np.maximum(left - right, 0.0) if bound else np.abs(left - right)
    largest = gap.max(initial=0.0)
    return float(largest and largest / max(size, np.abs(left).max(), np.abs(right).max()))


def _shown(parts):
    """Return the first numbers of a side, rounded."""
    numbers = np.concatenate([part.ravel() for part in parts])
    text = ", ".join(str(float(f"{x:.6g}") + 0.0) for x in numbers[:3])
    return f"[{text}{', ...' if len(numbers) > 3 else ''}]"
