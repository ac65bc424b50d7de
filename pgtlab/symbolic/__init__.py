"""Owns the SymPy derivations: the lines of the slides' arguments as expressions, each step proved.

It imports no numeric room, and no numeric room imports it. `PROOFS` has a proof for every numbered formula of
the slides and for every point that they leave out; `GALLERY_PROOFS` and `FURTHER_PROOFS` have what else is
claimed with letters.
"""

from pgtlab.symbolic.critics import CRITICS
from pgtlab.symbolic.finite import (
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
from pgtlab.symbolic.gaussian import (
    SymbolicLinearQuadratic,
    gaussian_mean,
    gaussian_step_ratio,
    linear_quadratic,
    log_normal,
    normal,
)
from pgtlab.symbolic.named import FURTHER_PROOFS, GALLERY_PROOFS
from pgtlab.symbolic.natural import NATURAL
from pgtlab.symbolic.omissions import OMISSIONS
from pgtlab.symbolic.policies import SymbolicPolicy, any_policy, softmax
from pgtlab.symbolic.proof import Line, Proof, equal
from pgtlab.symbolic.returns import RETURNS
from pgtlab.symbolic.theorem import THEOREM

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
