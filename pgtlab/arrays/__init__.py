"""Owns functions on plain arrays, for loops of your own: returns, advantages, ratios and visits.

The first axis is time; others, such as that of the episode, may follow. ``terminated[t]`` says that the
episode ended with step t: nothing comes after it, and its value is 0. ``truncated[t]`` says that it was cut
off there, and so does the end of the arrays: what would have come is put in by the value of the state that
was reached, ``next_values[t]``. Where both are said, it ended. Whatever numbers come in, such as float32, are
taken up in float64, and float64 comes back.
"""

from pgtlab.arrays.ratios import importance_ratios
from pgtlab.arrays.returns import discounted_returns, gae, lambda_returns, td_errors
from pgtlab.arrays.visits import discounted_visits

__all__ = [
    "discounted_returns",
    "discounted_visits",
    "gae",
    "importance_ratios",
    "lambda_returns",
    "td_errors",
]
