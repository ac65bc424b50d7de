"""Owns the checks that the book, the exercises and the tests assert with."""

from pgtlab.checks.agreement import agree, caught
from pgtlab.checks.answers import WrongAnswer, answer, entered, sampled_answer
from pgtlab.checks.attempts import attempt
from pgtlab.checks.estimates import consistent
from pgtlab.checks.policies import sound_policy
from pgtlab.checks.sampling import sound_sampling

__all__ = [
    "WrongAnswer",
    "agree",
    "answer",
    "attempt",
    "caught",
    "consistent",
    "entered",
    "sampled_answer",
    "sound_policy",
    "sound_sampling",
]
