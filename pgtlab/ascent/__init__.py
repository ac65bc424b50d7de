"""Owns the ways up: parameter paths under an ascent rule."""

from pgtlab.ascent.actor_critics import AdvantageActorCritic, QActorCritic, TDErrorActorCritic
from pgtlab.ascent.climb import ascend
from pgtlab.ascent.natural import ExactNaturalActorCritic, NaturalActorCritic
from pgtlab.ascent.rules import (
    AscentRule,
    GradientAscent,
    HoldFixed,
    NaturalGradientAscent,
    Reinforce,
    ReinforceWithBaseline,
)
from pgtlab.ascent.run import Run
from pgtlab.ascent.traces import EligibilityTraces
from pgtlab.ascent.two_time_scale import IncrementalNaturalActorCritic

__all__ = [
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
]
