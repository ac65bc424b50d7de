"""Owns what a caller hands in as a function of states and actions: values, and features of linear critics."""

from pgtlab.features.given import TABULAR

__all__ = ["TABULAR"]
