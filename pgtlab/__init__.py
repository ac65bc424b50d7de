"""Exact and sampled policy gradients, small enough to read: the companion package of the book."""

import importlib

from pgtlab import _moved
from pgtlab.exact import (
    action_values,
    advantages,
    average_reward,
    average_reward_gradient,
    chain,
    differential_action_values,
    differential_values,
    expected_return,
    fisher_information,
    kl_divergence,
    natural_policy_gradient,
    policy_gradient,
    policy_gradient_by_differences,
    state_values,
    state_visitation,
    state_visitation_distribution,
    stationary_distribution,
    transition_probabilities,
)
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP
from pgtlab.policies import FinitePolicy, LinearGaussianPolicy, SoftmaxPolicy

#: Names that are looked up when they are first asked for, by room: most readers need few of them at a time.
_LATER = {
    "arrays": (
        "discounted_returns",
        "discounted_visits",
        "gae",
        "importance_ratios",
        "lambda_returns",
        "td_errors",
    ),
    "ascent": (
        "AdvantageActorCritic",
        "AscentRule",
        "EligibilityTraces",
        "ExactNaturalActorCritic",
        "GradientAscent",
        "HoldFixed",
        "IncrementalNaturalActorCritic",
        "NaturalActorCritic",
        "NaturalGradientAscent",
        "QActorCritic",
        "Reinforce",
        "ReinforceWithBaseline",
        "Run",
        "TDErrorActorCritic",
        "ascend",
    ),
    "critics": (
        "LSTDQ",
        "TD",
        "CorrectedEpisodicNAC",
        "Critic",
        "EpisodicNAC",
        "Learner",
        "LiteralUpdate",
        "MonteCarlo",
        "ValueAndScore",
        "compatibility_error",
        "compatible_gradient",
        "compatible_values",
        "compatible_weights",
        "minimisers",
    ),
    "estimators": (
        "GAE",
        "ActionValues",
        "Advantages",
        "NStepReturn",
        "ReturnToGo",
        "Signal",
        "TDErrors",
        "WholeReturn",
        "best_baseline",
        "estimate_gradient",
        "fitted_values",
        "reinforce",
        "return_estimate",
    ),
    "language": ("audit",),
    "rollouts": (
        "GeometricHorizon",
        "rollout",
    ),
    "studies": ("study",),
}

__all__ = [
    "GAE",
    "LSTDQ",
    "TD",
    "ActionValues",
    "AdvantageActorCritic",
    "Advantages",
    "AscentRule",
    "CorrectedEpisodicNAC",
    "Critic",
    "EligibilityTraces",
    "EpisodicNAC",
    "ExactNaturalActorCritic",
    "FiniteMDP",
    "FinitePolicy",
    "GeometricHorizon",
    "GradientAscent",
    "HoldFixed",
    "IncrementalNaturalActorCritic",
    "Learner",
    "LinearGaussianPolicy",
    "LinearQuadraticMDP",
    "LiteralUpdate",
    "MonteCarlo",
    "NStepReturn",
    "NaturalActorCritic",
    "NaturalGradientAscent",
    "QActorCritic",
    "Reinforce",
    "ReinforceWithBaseline",
    "ReturnToGo",
    "Run",
    "Signal",
    "SoftmaxPolicy",
    "TDErrorActorCritic",
    "TDErrors",
    "ValueAndScore",
    "WholeReturn",
    "action_values",
    "advantages",
    "ascend",
    "average_reward",
    "average_reward_gradient",
    "best_baseline",
    "chain",
    "compatibility_error",
    "compatible_gradient",
    "compatible_values",
    "compatible_weights",
    "differential_action_values",
    "differential_values",
    "discounted_returns",
    "discounted_visits",
    "estimate_gradient",
    "expected_return",
    "fisher_information",
    "fitted_values",
    "gae",
    "importance_ratios",
    "kl_divergence",
    "lambda_returns",
    "minimisers",
    "natural_policy_gradient",
    "policy_gradient",
    "policy_gradient_by_differences",
    "reinforce",
    "return_estimate",
    "rollout",
    "state_values",
    "state_visitation",
    "state_visitation_distribution",
    "stationary_distribution",
    "study",
    "td_errors",
    "transition_probabilities",
]

#: Rooms whose names are not taken in above; some of them need more than NumPy.
_ROOMS = (
    "arrays",
    "ascent",
    "checks",
    "critics",
    "estimators",
    "exact",
    "gallery",
    "language",
    "letters",
    "plots",
    "slides",
    "widgets",
)

_HOME = {name: room for room, names in _LATER.items() for name in names}


def __getattr__(name):
    # `pgtlab.gallery` works after `import pgtlab` alone, and costs nothing before it is asked for.
    if name in _ROOMS:
        return importlib.import_module(f"pgtlab.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(f"pgtlab.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    moved = name in _moved.ROOMS
    raise AttributeError(_moved.where(name) if moved else f"module 'pgtlab' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__, *_ROOMS})
