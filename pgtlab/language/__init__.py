"""Owns policy gradients on language models: a tree of tokens on which each method's mean is exact."""

from pgtlab.language.adapters import AutodiffLoss, NumpyLoss, from_jax, from_torch
from pgtlab.language.auditing import Audit, antisymmetry, audit, standard_reference, standard_tree
from pgtlab.language.means import (
    difficulty_weight,
    mean_advantages,
    mean_update,
    mean_weights,
    sampled_update,
)
from pgtlab.language.methods import METHODS, Method
from pgtlab.language.objective import Objective, objectives
from pgtlab.language.tree import (
    TokenTree,
    answer_gradient,
    answer_probs,
    expected_reward,
    token_log_probs,
    token_scores,
)
from pgtlab.language.updates import (
    DiscountedUpdate,
    GroupUpdate,
    KLUpdate,
    PreferenceUpdate,
    Update,
    best_of,
    group_mean,
    leave_one_out,
    raw,
    standardised,
)

__all__ = [
    "METHODS",
    "Audit",
    "AutodiffLoss",
    "DiscountedUpdate",
    "GroupUpdate",
    "KLUpdate",
    "Method",
    "NumpyLoss",
    "Objective",
    "PreferenceUpdate",
    "TokenTree",
    "Update",
    "answer_gradient",
    "answer_probs",
    "antisymmetry",
    "audit",
    "best_of",
    "difficulty_weight",
    "expected_reward",
    "from_jax",
    "from_torch",
    "group_mean",
    "leave_one_out",
    "mean_advantages",
    "mean_update",
    "mean_weights",
    "objectives",
    "raw",
    "sampled_update",
    "standard_reference",
    "standard_tree",
    "standardised",
    "token_log_probs",
    "token_scores",
]
