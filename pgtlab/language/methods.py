"""Owns the list of methods that the chapter on language models audits, each as an update."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgtlab.language.auditing import audit, standard_reference, standard_tree
from pgtlab.language.objective import Objective
from pgtlab.language.updates import (
    DiscountedUpdate,
    GroupUpdate,
    KLUpdate,
    PreferenceUpdate,
    Update,
    best_of,
    group_mean,
    leave_one_out,
    raw,
    sigmoid,
    standardised,
)


@dataclass(frozen=True)
class Method:
    r"""A method of training, with its update.

    Attributes
    ----------
    name : str
    formula : str
        What multiplies the score of a token, in TeX; a distance is what is taken off.
    used : str
        Where it comes from or is used.
    update : Update
    group_size : int
        G with which it is audited.
    also : tuple of Objective
        With which it is compared beside those of `objectives`.
    collected : bool
        Whether the answers were collected before, from the reference, and not drawn from the policy.

    Examples
    --------
    >>> method = METHODS[0]
    >>> method.name, method.audit().objective
    ('REINFORCE', 'mean reward')
    """

    name: str
    formula: str
    used: str
    update: Update
    group_size: int = 4
    also: tuple = ()
    collected: bool = False

    def audit(self):
        """Audit of its update on the standard tree."""
        old = standard_reference(standard_tree()) if self.collected else None
        return audit(self.update, group_size=self.group_size, also=self.also, old=old)


_CLIP, _DISCOUNT = (0.2, 0.2), 0.9


def _discounted(law, at=None):
    return _DISCOUNT ** (law.tree.lengths - 1) * law.tree.rewards


_DISCOUNTED_REWARD = Objective(
    "discounted reward",
    r"\mathbb E\, \gamma^{|y| - 1} r",
    lambda law, at: law.mean(_discounted(law)),
    _discounted,
)

_BETA = 0.5


def _pairs(law):
    """Chance of each pair under the reference, what a judge says of it, and beta times its log-ratios."""
    chance = law.ref_probs[:, :, None] * law.ref_probs[:, None, :]
    r, l = law.tree.rewards, law.l
    return chance, sigmoid(r[:, :, None] - r[:, None, :]), _BETA * (l[:, :, None] - l[:, None, :])


def _likelihood(law, at):
    chance, judged, gap = _pairs(law)
    said = judged * np.log(sigmoid(gap)) + (1 - judged) * np.log(sigmoid(-gap))
    return float(law.tree.weights @ (chance * said).sum((1, 2)))


def _likelihood_weights(law):
    # A score is pulled as the first of a pair and as the second, by the same amount.
    chance, judged, gap = _pairs(law)
    return 2 * _BETA * (chance * (judged - sigmoid(gap))).sum(2) / law.probs


_JUDGEMENTS = Objective(
    "log-likelihood of the judgements",
    r"\mathbb E \log \sigma(\beta (l - l'))",
    _likelihood,
    _likelihood_weights,
)

#: The methods of the table "What does your loss climb?".
METHODS = (
    Method("REINFORCE", "r_i", "Williams 1992", GroupUpdate(raw), 1),
    Method(
        "REINFORCE with a baseline",
        r"r_i - b",
        "Williams 1992",
        GroupUpdate(lambda rewards: rewards - 0.3),
        1,
    ),
    Method(
        "actor-critic, with γ to the t",
        r"\gamma^t (\gamma^{\lvert y_i \rvert - 1 - t} r_i - b)",
        "the theorem",
        DiscountedUpdate(_DISCOUNT, 0.3),
        1,
        (_DISCOUNTED_REWARD,),
    ),
    Method(
        "actor-critic, without γ to the t",
        r"\gamma^{\lvert y_i \rvert - 1 - t} r_i - b",
        "most programs with γ < 1",
        DiscountedUpdate(_DISCOUNT, 0.3, with_power=False),
        1,
        (_DISCOUNTED_REWARD,),
    ),
    Method(
        "PPO clip, leave-one-out, sums",
        r"r_i - \bar r_{-i}",
        "Schulman 2017",
        GroupUpdate(leave_one_out, clip=_CLIP),
    ),
    Method("RLOO", r"r_i - \bar r_{-i}", "Kool 2019, Ahmadian 2024", GroupUpdate(leave_one_out)),
    Method(
        "GRPO",
        r"(r_i - \bar r) / (\mathrm{std} \; \lvert y_i \rvert)",
        "Shao 2024",
        GroupUpdate(standardised, "answer", clip=_CLIP),
    ),
    Method(
        "GRPO with sums over tokens",
        r"(r_i - \bar r) / \mathrm{std}",
        "an option of most programs",
        GroupUpdate(standardised, clip=_CLIP),
    ),
    Method("Dr. GRPO", r"(r_i - \bar r) / L", "Liu 2025", GroupUpdate(group_mean, "constant", clip=_CLIP)),
    Method(
        "DAPO",
        r"(r_i - \bar r) / (\mathrm{std} \sum_j \lvert y_j \rvert)",
        "Yu 2025",
        GroupUpdate(standardised, "token", clip=(0.2, 0.28), filtered=True),
    ),
    Method(
        "GSPO",
        r"(r_i - \bar r) / (\mathrm{std} \; \lvert y_i \rvert)",
        "Zheng 2025",
        GroupUpdate(standardised, ratio="answer", clip=(3e-4, 4e-4)),
    ),
    Method("best of 2", r"\text{mean of } \max(r_i, r_j)", "Walder 2025", GroupUpdate(best_of(2))),
    Method("k1 as a loss", "1", "once in several programs", KLUpdate("k1"), 1),
    Method("k2 as a loss", "l", "Liu, KL, 2025", KLUpdate("k2"), 1),
    Method("k2 as a loss, by token", "l_t", "programs with k2", KLUpdate("k2", "token"), 1),
    Method("k3 as a loss", "1 - e^{-l}", "Shao 2024, for one token", KLUpdate("k3"), 1),
    Method("k3 as a loss, by token", "1 - e^{-l_t}", "Shao 2024", KLUpdate("k3", "token"), 1),
    Method("k1 in the reward", "l", "Ahmadian 2024", KLUpdate("k1", where="reward"), 1),
    Method(
        "k1 in the reward, to go by token",
        r"\textstyle \sum_{\tau \ge t} l_\tau",
        "PPO as most write it",
        KLUpdate("k1", "token", where="reward"),
        1,
    ),
    Method(
        "k3 in the reward",
        "e^{-l} - 1 + l",
        "PPOTrainer of TRL until 1.12, as an option",
        KLUpdate("k3", where="reward"),
        1,
    ),
    Method(
        "k3 with the ratio, by answer",
        r"u\,l",
        "worked out here",
        KLUpdate("k3", ratio="answer"),
        1,
    ),
    Method(
        "k3 with the ratio, by token",
        r"u_t\,l_t",
        "DeepSeek 2025; TRL from 1.10 on",
        KLUpdate("k3", "token", ratio="token"),
        1,
    ),
    Method("k3 upside down", "e^{l} - 1", "rlhf-book, code of 2026", KLUpdate("k3 upside down"), 1),
    Method(
        "DPO on collected pairs",
        r"\beta (j - \sigma(\beta (l - l')))",
        "Rafailov 2023",
        PreferenceUpdate(_BETA),
        2,
        (_JUDGEMENTS,),
        collected=True,
    ),
    Method(
        "DPO on pairs of its own",
        r"\beta (j - \sigma(\beta (l - l')))",
        "online variants",
        PreferenceUpdate(_BETA),
        2,
    ),
)
