"""Owns the ways up: parameter paths under an ascent rule, and what each rule is expected to reach."""

from pgtlab.ascent.actor_critics import AdvantageActorCritic, QActorCritic, TDErrorActorCritic
from pgtlab.ascent.climb import ascend
from pgtlab.ascent.natural import ExactNaturalActorCritic, NaturalActorCritic
from pgtlab.ascent.outcomes import OUTCOMES, Outcome
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
    "OUTCOMES",
    "AdvantageActorCritic",
    "AscentRule",
    "EligibilityTraces",
    "ExactNaturalActorCritic",
    "GradientAscent",
    "HoldFixed",
    "IncrementalNaturalActorCritic",
    "NaturalActorCritic",
    "NaturalGradientAscent",
    "Outcome",
    "QActorCritic",
    "Reinforce",
    "ReinforceWithBaseline",
    "Run",
    "TDErrorActorCritic",
    "ascend",
]
