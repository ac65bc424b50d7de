"""Owns what became of the names of rooms before version 0.4: an old import says where its room went."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

#: Rooms up to version 0.3, and where to find now what they held.
ROOMS = {
    "chain": "exact",
    "compatible": "critics",
    "evaluation": "exact.values",
    "fisher": "exact.fisher",
    "formulas": "slides",
    "gradients": "exact.gradients",
    "stationary": "exact.stationary",
    "symbolic": "letters",
    "visitation": "exact.visits",
}


def where(old):
    """Say in a sentence where a room is now."""
    return f"pgtlab.{old} is pgtlab.{ROOMS[old]} since version 0.4; names such as pgtlab.policy_gradient stay"


class _OldRooms(MetaPathFinder):
    """Asked first: a folder of old compiled files would count as a package."""

    def find_spec(self, fullname, path=None, target=None):
        package, _, room = fullname.partition(".")
        room = room.partition(".")[0]
        if package == "pgtlab" and room in ROOMS:
            raise ImportError(where(room), name=fullname)


sys.meta_path.insert(0, _OldRooms())
