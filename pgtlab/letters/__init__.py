"""Owns the SymPy derivations: the lines of the slides' arguments as expressions, each step proved.

It imports no numeric room, and no numeric room imports it. `PROOFS` has a proof for every numbered formula of
the slides and for every point that they leave out; `GALLERY_PROOFS` and `FURTHER_PROOFS` have what else is
claimed with letters.
"""

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
from pgtlab.letters.points import OMISSIONS
from pgtlab.letters.policies import SymbolicPolicy, any_policy, softmax
from pgtlab.letters.proof import Line, Proof
from pgtlab.letters.s07_s08 import RETURNS
from pgtlab.letters.s09_s15 import THEOREM
from pgtlab.letters.s17_s21 import CRITICS
from pgtlab.letters.s22_s23 import NATURAL

#: Proofs by the label of the slides' formula, or of the point that they leave out.
PROOFS = RETURNS | THEOREM | CRITICS | NATURAL | OMISSIONS

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
