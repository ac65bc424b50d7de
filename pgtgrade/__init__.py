"""Grades the problem sets of the book: hidden instances drawn afresh, submissions in isolation, every one with a row."""

from pgtgrade.instances import drawn

__all__ = ["drawn"]
