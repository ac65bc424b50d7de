"""Owns the compatible critics: what stands for Q in the gradient, exactly or learned from paths."""

from pgtlab.critics.bootstrapping import TD, LiteralUpdate
from pgtlab.critics.critic import Critic, Learner
from pgtlab.critics.episodic import CorrectedEpisodicNAC, EpisodicNAC
from pgtlab.critics.least_squares import (
    compatibility_error,
    compatible_gradient,
    compatible_values,
    compatible_weights,
    minimisers,
)
from pgtlab.critics.monte_carlo import MonteCarlo
from pgtlab.critics.with_state_values import LSTDQ, ValueAndScore

__all__ = [
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
]
