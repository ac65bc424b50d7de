"""Owns the sampled paths: a policy followed through a problem, many times at once."""

from pgtlab.rollouts.horizon import GeometricHorizon
from pgtlab.rollouts.paths import FinitePaths, LinearQuadraticPaths
from pgtlab.rollouts.sampling import rollout

__all__ = ["FinitePaths", "GeometricHorizon", "LinearQuadraticPaths", "rollout"]
