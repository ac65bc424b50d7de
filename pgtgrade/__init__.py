"""Grades the problem sets of the book: every submission in isolation, and with a row of its own."""

from pgtgrade.instances import drawn
from pgtgrade.parts import entry, part
from pgtgrade.release import released

__all__ = ["drawn", "entry", "part", "released"]
