"""Owns the geometry of policies: Fisher information, Kullback-Leibler divergence, the natural gradient."""

from pgtlab.fisher.geometry import fisher_information, kl_divergence, natural_policy_gradient

__all__ = ["fisher_information", "kl_divergence", "natural_policy_gradient"]
