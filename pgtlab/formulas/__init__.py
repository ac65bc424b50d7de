"""Owns the slides as executable statements: each numbered formula by two routes, and a mistake."""

from pgtlab.formulas.formula import Check, Formula
from pgtlab.formulas.ledger import FORMULAS, check, check_all, ledger

__all__ = ["FORMULAS", "Check", "Formula", "check", "check_all", "ledger"]
