"""Owns the SymPy derivations: the lines of the book's arguments as expressions, each step proved.

It imports no numeric room, and no numeric room imports it. `PROOFS` has a proof for every numbered formula of
the slides, for the lettered ones of the chapters beyond them, and for every point that the slides leave out;
`GALLERY_PROOFS` and `FURTHER_PROOFS` have what else is claimed with letters.
"""

import importlib
import pkgutil
import re

from pgtlab.letters.equality import equal
from pgtlab.letters.finite import (
    SymbolicProblem,
    action_values,
    chain,
    expected_return,
    next_values,
    over_actions,
    path_mean,
    paths,
    policy_gradient,
    problem,
    state_values,
    state_visitation,
    values,
    visitation,
)
from pgtlab.letters.gaussian import (
    SymbolicLinearQuadratic,
    gaussian_mean,
    gaussian_step_ratio,
    linear_quadratic,
    log_normal,
    normal,
)
from pgtlab.letters.named import FURTHER_PROOFS, GALLERY_PROOFS
from pgtlab.letters.policies import SymbolicPolicy, any_policy, softmax
from pgtlab.letters.proof import Line, Proof, stated


def _topics():
    """Return the files of proofs, which have the names of those in `slides`, in the same order."""
    names = [each.name for each in pkgutil.iter_modules(__path__)]
    numbered = [each for each in names if re.match(r"[a-z]\d", each)]
    points = [each for each in names if each.startswith("points")]
    in_order = sorted(numbered, key=lambda each: (each[0] != "s", each)) + sorted(points)
    return [importlib.import_module(f"pgtlab.letters.{each}") for each in in_order]


#: Proofs by the label of a formula, or of the point that the slides leave out.
PROOFS = stated(_topics())

__all__ = [
    "FURTHER_PROOFS",
    "GALLERY_PROOFS",
    "PROOFS",
    "Line",
    "Proof",
    "SymbolicLinearQuadratic",
    "SymbolicPolicy",
    "SymbolicProblem",
    "action_values",
    "any_policy",
    "chain",
    "equal",
    "expected_return",
    "gaussian_mean",
    "gaussian_step_ratio",
    "linear_quadratic",
    "log_normal",
    "next_values",
    "normal",
    "over_actions",
    "path_mean",
    "paths",
    "policy_gradient",
    "problem",
    "softmax",
    "state_values",
    "state_visitation",
    "values",
    "visitation",
]
