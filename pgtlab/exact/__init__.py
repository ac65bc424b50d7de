"""Owns what is exact: the chain that a policy makes of a problem, and its values, visits and gradients."""

from pgtlab.exact.chains import chain
from pgtlab.exact.finite_chain import FiniteChain
from pgtlab.exact.fisher import fisher_information, kl_divergence, natural_policy_gradient
from pgtlab.exact.gaussian_chain import LinearGaussianChain
from pgtlab.exact.gradients import policy_gradient, policy_gradient_by_differences
from pgtlab.exact.on_the_line import GaussianKernel, GaussianVisitation
from pgtlab.exact.stationary import (
    average_reward,
    average_reward_gradient,
    differential_action_values,
    differential_values,
    stationary_distribution,
)
from pgtlab.exact.values import action_values, advantages, expected_return, state_values
from pgtlab.exact.visits import (
    state_visitation,
    state_visitation_distribution,
    transition_probabilities,
)
from pgtlab.quadratic import Quadratic

__all__ = [
    "FiniteChain",
    "GaussianKernel",
    "GaussianVisitation",
    "LinearGaussianChain",
    "Quadratic",
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
