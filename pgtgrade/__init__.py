"""Grades the problem sets of the book: every submission in isolation, and with a row of its own."""

from pgtgrade.instances import drawn

__all__ = ["drawn"]
