"""What all tests share: a drawing back end without a window, and Hypothesis without a clock."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import settings

# A shared machine is slow at random, so no deadline; CI draws the same examples on each run, a desk new ones.
settings.register_profile("desk", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
