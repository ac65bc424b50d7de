"""Owns the formulas of the book as executable statements: each by two routes, with a mistake.

They are those of the slides, the points that the slides leave out, and the lettered ones of the chapters
beyond them. One list holds all, `FORMULAS`.
"""

from pgtlab.slides.formula import Check, Formula
from pgtlab.slides.statements import FORMULAS, check, check_all, ledger, where

__all__ = ["FORMULAS", "Check", "Formula", "check", "check_all", "ledger", "where"]
