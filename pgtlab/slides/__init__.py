"""Owns the slides as executable statements: each numbered formula by two routes, and a mistake."""

from pgtlab.slides.formula import Check, Formula
from pgtlab.slides.statements import FORMULAS, check, check_all, ledger, where

__all__ = ["FORMULAS", "Check", "Formula", "check", "check_all", "ledger", "where"]
