"""Exact and sampled policy gradients, small enough to read: the companion package of the book."""

import importlib

from pgtlab.chain import chain
from pgtlab.evaluation import action_values, advantages, expected_return, state_values
from pgtlab.fisher import fisher_information, kl_divergence, natural_policy_gradient
from pgtlab.gradients import policy_gradient, policy_gradient_by_differences
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP
from pgtlab.policies import FinitePolicy, LinearGaussianPolicy, SoftmaxPolicy
from pgtlab.stationary import (
    average_reward,
    average_reward_gradient,
    differential_action_values,
    differential_values,
    stationary_distribution,
)
from pgtlab.visitation import (
    state_visitation,
    state_visitation_distribution,
    transition_probabilities,
)

__all__ = [
    "FiniteMDP",
    "FinitePolicy",
    "LinearGaussianPolicy",
    "LinearQuadraticMDP",
    "SoftmaxPolicy",
    "action_values",
    "advantages",
    "average_reward",
    "average_reward_gradient",
    "chain",
    "differential_action_values",
    "differential_values",
    "expected_return",
    "fisher_information",
    "kl_divergence",
    "natural_policy_gradient",
    "policy_gradient",
    "policy_gradient_by_differences",
    "state_values",
    "state_visitation",
    "state_visitation_distribution",
    "stationary_distribution",
    "transition_probabilities",
]

#: Rooms whose names are not taken in above; some of them need more than NumPy.
_ROOMS = ("checks", "gallery", "plots", "symbolic", "widgets")


def __getattr__(name):
    # `pgtlab.gallery` works after `import pgtlab` alone, and costs nothing before it is asked for.
    if name in _ROOMS:
        return importlib.import_module(f"pgtlab.{name}")
    raise AttributeError(f"module 'pgtlab' has no attribute {name!r}")
