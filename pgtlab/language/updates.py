"""Owns the updates of language models as programs make them: what multiplies the score of each token."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np

from pgtlab import _validate


class Update(ABC):
    r"""A rule that gives each token of a group of answers a weight; the weighted sum of scores is the step.

    If a loss is differentiated, the weight is minus its derivative by the token's log-probability. To bring
    an update of your own, derive from this class and write `weights`.

    Examples
    --------
    REINFORCE in one line: each token of an answer is weighted by the reward of the answer.

    >>> class Mine(Update):
    ...     def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
    ...         return rewards[..., None] * mask / rewards.shape[-1]
    >>> group = np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3))
    >>> Mine().weights(*group, np.array([1.0, 0.0]), np.array([[1.0, 1, 0], [1, 1, 1]]))
    array([[0.5, 0.5, 0. ],
           [0. , 0. , 0. ]])
    """

    @abstractmethod
    def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
        """Weights of the tokens of groups of G answers.

        Parameters
        ----------
        log_probs, old_log_probs, ref_log_probs : ndarray, shape (..., G, L)
            Of each token: under the policy that learns, the one that answered, and the reference.
        rewards : ndarray, shape (..., G)
        mask : ndarray, shape (..., G, L)
            1 where there is a token.

        Returns
        -------
        ndarray, shape (..., G, L)
        """

    def keeps(self, rewards):
        """Say which groups are used; the others are replaced by new ones.

        Parameters
        ----------
        rewards : ndarray, shape (..., G)

        Returns
        -------
        ndarray of bool, shape (...)
        """
        return np.ones(rewards.shape[:-1], bool)


# --- advantages: what is made of the rewards of a group ---------------------------------------------------


def raw(rewards):
    r"""Advantage that is the reward itself, :math:`A_i = r_i`.

    Parameters
    ----------
    rewards : ndarray, shape (..., G)

    Returns
    -------
    ndarray, shape (..., G)

    Examples
    --------
    >>> raw(np.array([1.0, 0.0]))
    array([1., 0.])
    """
    return rewards


def group_mean(rewards):
    r"""Advantage over the mean of the group, :math:`A_i = r_i - \bar r`.

    Parameters
    ----------
    rewards : ndarray, shape (..., G)

    Returns
    -------
    ndarray, shape (..., G)

    References
    ----------
    L.4 of the book; Z. Liu et al., "Understanding R1-Zero-like training", 2025.

    Examples
    --------
    >>> group_mean(np.array([1.0, 0.0, 0.0, 0.0]))
    array([ 0.75, -0.25, -0.25, -0.25])
    """
    return rewards - rewards.mean(-1, keepdims=True)


def leave_one_out(rewards):
    r"""Advantage over the mean of the *other* answers, :math:`A_i = r_i - \frac{1}{G-1} \sum_{j \ne i} r_j`.

    Parameters
    ----------
    rewards : ndarray, shape (..., G)
        With G at least 2.

    Returns
    -------
    ndarray, shape (..., G)

    Raises
    ------
    ValueError
        If there is one answer only, which has no others.

    References
    ----------
    L.3 of the book; W. Kool, H. van Hoof and M. Welling, "Buy 4 REINFORCE samples, get a baseline for
    free!", 2019.

    Examples
    --------
    >>> leave_one_out(np.array([1.0, 0.0, 0.0, 1.0])).round(3)
    array([ 0.667, -0.667, -0.667,  0.667])
    """
    G = rewards.shape[-1]
    if G < 2:
        raise ValueError("a group of 1 answer has no others to compare with; expected groups of at least 2")
    return rewards - (rewards.sum(-1, keepdims=True) - rewards) / (G - 1)


def standardised(rewards, ddof=0):
    r"""Advantage in standard deviations of the group, :math:`A_i = (r_i - \bar r) / \mathrm{std}(r)`.

    Parameters
    ----------
    rewards : ndarray, shape (..., G)
    ddof : int
        The standard deviation divides by G - ddof: 0 as in NumPy, 1 as in PyTorch.

    Returns
    -------
    ndarray, shape (..., G)
        0 where all rewards are the same.

    Notes
    -----
    Programs add a small number to the standard deviation, such as 1e-4, instead of asking whether it is 0.
    For rewards 0 and 1 and groups of up to 100 that changes the result by less than 0.2 per cent.

    References
    ----------
    L.5 of the book; Z. Shao et al., "DeepSeekMath", 2024.

    Examples
    --------
    >>> standardised(np.array([1.0, 0.0, 0.0, 1.0]))
    array([ 1., -1., -1.,  1.])
    """
    off = group_mean(rewards)
    spread = np.sqrt((off**2).sum(-1, keepdims=True) / max(rewards.shape[-1] - ddof, 1))
    alike = rewards.max(-1, keepdims=True) == rewards.min(-1, keepdims=True)
    return np.where(alike, 0.0, off / np.where(alike, 1.0, spread))


def best_of(k):
    r"""Make the advantage whose mean update climbs the best of k, :math:`\mathbb E \max(r_1, \dots, r_k)`.

    Parameters
    ----------
    k : int
        With rewards 0 and 1 this is pass@k, :math:`1 - (1 - p)^k`.

    Returns
    -------
    callable
        From rewards (..., G), with G at least k, to advantages (..., G): G times the mean over all k of the G
        answers of their largest reward, for those that contain answer i.

    Raises
    ------
    ValueError
        If k is below 1 or, later, above G.

    Notes
    -----
    Exact, and unbiased for every :math:`G \ge k`: every choice of k is a sample for the product rule
    :math:`\partial \mathbb E \max = \mathbb E [\max \cdot \sum_{i \le k} S_i]`.

    References
    ----------
    M. Chen et al., "Evaluating large language models trained on code", 2021, for the estimate of pass@k.

    Examples
    --------
    Two of four answers are wrong; a pair misses if it takes both.

    >>> best_of(2)(np.array([1.0, 1.0, 0.0, 0.0])).round(3)
    array([2.   , 2.   , 1.333, 1.333])
    """
    k = _validate.count("k", k, 1)

    def advantage(rewards):
        G = rewards.shape[-1]
        if k > G:
            raise ValueError(f"k is {k} but a group has {G} answers; expected at most as many")
        total = np.zeros(rewards.shape)
        for chosen in itertools.combinations(range(G), k):
            total[..., chosen] += rewards[..., chosen].max(-1, keepdims=True)
        return total * G / comb(G, k)

    return advantage


# --- groups ---------------------------------------------------------------------------------------------


#: What the sum over tokens is divided by, from the mask (..., G, L): the mean over answers of ...
AVERAGES = {
    "sum": lambda mask: mask.shape[-2] * np.ones((1, 1)),
    "constant": lambda mask: mask.shape[-2] * mask.shape[-1] * np.ones((1, 1)),
    "answer": lambda mask: mask.shape[-2] * mask.sum(-1, keepdims=True),
    "token": lambda mask: mask.sum((-2, -1), keepdims=True),
}


@dataclass(frozen=True)
class GroupUpdate(Update):
    r"""Update from groups of answers to one question: RLOO, GRPO, Dr. GRPO, DAPO, GSPO and their kin.

    .. math:: \sum_i \sum_t \frac{u_{i,t} A_i}{N_i} S_{i,t}, \qquad u = \frac{\pi}{\pi_{\text{old}}}

    with an advantage A, a divisor N, and a ratio u that no longer pulls once it is clipped.

    Parameters
    ----------
    advantage : callable
        From rewards (..., G) to advantages (..., G), such as `leave_one_out`.
    average : str
        What divides: ``"sum"``, N = G; ``"constant"``, G L; ``"answer"``, :math:`G |y_i|`; ``"token"``,
        :math:`\sum_j |y_j|`.
    ratio : str
        ``"token"``, each token has its own u; ``"answer"``, all have
        :math:`(\pi(y) / \pi_{\text{old}}(y))^{1/|y|}`, and it is this that is averaged (GSPO).
    clip : tuple of two floats, optional
        :math:`(\varepsilon_{\text{low}}, \varepsilon_{\text{high}})` of
        :math:`\min(u A, \mathrm{clip}(u, 1 - \varepsilon_{\text{low}}, 1 + \varepsilon_{\text{high}}) A)`.
    filtered : bool
        Whether groups whose rewards are all the same are dropped and others drawn (dynamic sampling).

    Raises
    ------
    ValueError
        If a word is unknown.

    References
    ----------
    L.3 to L.10 and L.16 of the book.

    Examples
    --------
    Two answers, of one and of two tokens; the first is right.

    >>> rewards, mask = np.array([1.0, 0.0]), np.array([[1.0, 0.0], [1.0, 1.0]])
    >>> zeros = np.zeros((3, 2, 2))
    >>> GroupUpdate(leave_one_out, "answer").weights(*zeros, rewards, mask)
    array([[ 0.5 ,  0.  ],
           [-0.25, -0.25]])
    >>> GroupUpdate(leave_one_out, "constant").weights(*zeros, rewards, mask)
    array([[ 0.25,  0.  ],
           [-0.25, -0.25]])
    """

    advantage: Callable = leave_one_out
    average: str = "sum"
    ratio: str = "token"
    clip: tuple | None = None
    filtered: bool = False

    def __post_init__(self):
        _one_of("average", self.average, AVERAGES)
        _one_of("ratio", self.ratio, ("token", "answer"))

    def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
        """Weights u A / N where the ratio pulls, and 0 where it is clipped.

        Parameters
        ----------
        log_probs, old_log_probs, ref_log_probs : ndarray, shape (..., G, L)
        rewards : ndarray, shape (..., G)
        mask : ndarray, shape (..., G, L)

        Returns
        -------
        ndarray, shape (..., G, L)
        """
        A, length = self.advantage(rewards)[..., None], mask.sum(-1, keepdims=True)
        log_u, divisor = (log_probs - old_log_probs) * mask, AVERAGES[self.average](mask)
        if self.ratio == "answer":
            # u = exp(mean of log_u), so that each token has the derivative u / |y|.
            log_u, divisor = log_u.sum(-1, keepdims=True) / length, mask.shape[-2] * length
        u = np.exp(log_u)
        pulls = 1.0
        if self.clip is not None:
            # min(u A, clip(u) A) is flat above the upper end if A > 0, and below the lower end if A < 0.
            pulls = np.where(A > 0, u <= 1 + self.clip[1], u >= 1 - self.clip[0])
        return u * A * pulls / divisor * mask

    def keeps(self, rewards):
        """Say which groups are used: with `filtered`, those whose rewards differ.

        Parameters
        ----------
        rewards : ndarray, shape (..., G)

        Returns
        -------
        ndarray of bool, shape (...)
        """
        return (rewards.max(-1) > rewards.min(-1)) if self.filtered else super().keeps(rewards)


@dataclass(frozen=True)
class DiscountedUpdate(Update):
    r"""REINFORCE with a discount for each token, and with or without the factor :math:`\gamma^t`.

    .. math:: \frac1G \sum_i \sum_t [\gamma^t] \; (\gamma^{|y_i| - 1 - t} r_i - b) \, S_{i,t}

    Parameters
    ----------
    discount : float
        :math:`\gamma` in [0, 1].
    baseline : float
        b, a critic that says the same of every prefix. A better critic has the same mean.
    with_power : bool
        Whether :math:`\gamma^t` is there, as the theorem has it.

    Examples
    --------
    >>> mask = np.ones((1, 3))
    >>> DiscountedUpdate(0.5).weights(*np.zeros((3, 1, 3)), np.array([8.0]), mask)
    array([[2., 2., 2.]])
    >>> DiscountedUpdate(0.5, with_power=False).weights(*np.zeros((3, 1, 3)), np.array([8.0]), mask)
    array([[2., 4., 8.]])
    """

    discount: float
    baseline: float = 0.0
    with_power: bool = True

    def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
        """Weights of the return to go, at every token.

        Parameters
        ----------
        log_probs, old_log_probs, ref_log_probs : ndarray, shape (..., G, L)
        rewards : ndarray, shape (..., G)
        mask : ndarray, shape (..., G, L)

        Returns
        -------
        ndarray, shape (..., G, L)
        """
        t, last = np.arange(mask.shape[-1]), mask.sum(-1, keepdims=True) - 1
        to_go = self.discount ** np.maximum(last - t, 0) * rewards[..., None] - self.baseline
        power = self.discount**t if self.with_power else 1.0
        return power * to_go * mask / mask.shape[-2]


# --- distance from a reference --------------------------------------------------------------------------


#: Estimators k of a divergence as functions of l = log(pi / ref), each with its derivative.
ESTIMATORS = {
    "k1": (lambda l: l, lambda l: np.ones_like(l)),
    "k2": (lambda l: l**2 / 2, lambda l: l),
    "k3": (lambda l: np.expm1(-l) + l, lambda l: -np.expm1(-l)),
    "k3 upside down": (lambda l: np.expm1(l) - l, lambda l: np.expm1(l)),
}


@dataclass(frozen=True)
class KLUpdate(Update):
    r"""Update that is to keep a policy near a reference, from an estimator of the divergence between them.

    With :math:`l = \log(\pi / \pi_{\text{ref}})`: k1 = l, k2 = l²/2, k3 = e⁻ˡ − 1 + l. The update goes
    downhill: it is minus the derivative of the loss, or the reward minus k.

    Parameters
    ----------
    estimator : str
        ``"k1"``, ``"k2"``, ``"k3"``, or ``"k3 upside down"``, which is eˡ − 1 − l.
    by : str
        ``"answer"``: l is that of the whole answer. ``"token"``: k is taken at each token, and summed.
    where : str
        ``"loss"``: k is differentiated. ``"reward"``: k is taken off the reward, and multiplies the score; by
        token, each score by the k from there to the end.
    ratio : str, optional
        What multiplies k in the loss: None, ``"answer"`` or, if k is by token, ``"token"``:
        :math:`\pi / \pi_{\text{old}}`.
    detached : bool
        Whether the ratio is held fixed when the loss is differentiated.

    Raises
    ------
    ValueError
        If a word is unknown, or there is a ratio in the reward.

    References
    ----------
    L.11 to L.15 and L.17 of the book; J. Schulman, "Approximating KL divergence", 2020, for k1 to k3.

    Examples
    --------
    One answer of one token that the policy says twice as often as the reference.

    >>> l = np.log([[2.0]])
    >>> [KLUpdate(k).weights(l, l, 0 * l, np.ones(1), np.ones((1, 1))).item() for k in ("k1", "k3")]
    [-1.0, -0.5]
    >>> KLUpdate("k1", where="reward").weights(l, l, 0 * l, np.ones(1), np.ones((1, 1))).round(4)
    array([[-0.6931]])
    """

    estimator: str
    by: str = "answer"
    where: str = "loss"
    ratio: str | None = None
    detached: bool = False

    def __post_init__(self):
        _one_of("estimator", self.estimator, ESTIMATORS)
        _one_of("by", self.by, ("answer", "token"))
        _one_of("where", self.where, ("loss", "reward"))
        ratios = (None, "answer", "token") if self.by == "token" else (None, "answer")
        _one_of("ratio", self.ratio, ratios if self.where == "loss" else (None,))

    def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
        """Minus the derivative of the loss, or minus k, at every token.

        Parameters
        ----------
        log_probs, old_log_probs, ref_log_probs : ndarray, shape (..., G, L)
        rewards : ndarray, shape (..., G)
        mask : ndarray, shape (..., G, L)

        Returns
        -------
        ndarray, shape (..., G, L)
        """
        k, slope = ESTIMATORS[self.estimator]
        gathered = _over_answer if self.by == "answer" else lambda x: x
        if self.where == "reward":
            distance = k(gathered((old_log_probs - ref_log_probs) * mask))
            weight = distance if self.by == "answer" else _to_go(distance * mask)
            return -weight * mask / mask.shape[-2]
        l, log_u = gathered((log_probs - ref_log_probs) * mask), (log_probs - old_log_probs) * mask
        if self.ratio is None:
            return -slope(l) * mask / mask.shape[-2]
        u = np.exp(_over_answer(log_u) if self.ratio == "answer" else log_u)
        # d(u k) = u dk + u k d log u; the ratio of a whole answer moves with each of its tokens.
        pull = 0.0 if self.detached else u * k(l) * np.ones_like(mask)
        if self.ratio == "answer" and self.by == "token":
            pull = _over_answer(pull * mask)
        return -(u * slope(l) + pull) * mask / mask.shape[-2]


@dataclass(frozen=True)
class PreferenceUpdate(Update):
    r"""Direct preference optimisation from pairs of answers, with the mean over what a judge says.

    .. math:: -\sum_{(w, l)} P(w \succ l) \log \sigma \big( \beta (l_w - l_l) \big), \qquad
        P(w \succ l) = \sigma(r_w - r_l)

    with :math:`l_y = \log (\pi(y) / \pi_{\text{ref}}(y))` and the judge of Bradley and Terry.

    Parameters
    ----------
    beta : float
        :math:`\beta`, above 0.

    References
    ----------
    R. Rafailov et al., "Direct preference optimization", 2023.

    Examples
    --------
    At the reference the judge's preference of 0.73 against a half is all that pulls.

    >>> l, mask = np.zeros((2, 1)), np.ones((2, 1))
    >>> PreferenceUpdate(1.0).weights(l, l, l, np.array([1.0, 0.0]), mask).round(3)
    array([[ 0.231],
           [-0.231]])
    """

    beta: float

    def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
        """Minus the derivative of the loss of the pair, at every token; it takes groups of 2.

        Parameters
        ----------
        log_probs, old_log_probs, ref_log_probs : ndarray, shape (..., 2, L)
        rewards : ndarray, shape (..., 2)
        mask : ndarray, shape (..., 2, L)

        Returns
        -------
        ndarray, shape (..., 2, L)
        """
        if rewards.shape[-1] != 2:
            raise ValueError(f"a preference is between 2 answers, got groups of {rewards.shape[-1]}")
        l = ((log_probs - ref_log_probs) * mask).sum(-1)
        gap = self.beta * (l[..., 0] - l[..., 1])
        # -d/dgap of -[s log sigma(gap) + (1 - s) log sigma(-gap)] is s - sigma(gap).
        pull = self.beta * (sigmoid(rewards[..., 0] - rewards[..., 1]) - sigmoid(gap))
        return np.stack([pull, -pull], axis=-1)[..., None] * mask


def _over_answer(x):
    return x.sum(-1, keepdims=True)


def _to_go(x):
    """Return the sums from each token to the end."""
    return x[..., ::-1].cumsum(-1)[..., ::-1]


def sigmoid(x):
    return 0.5 * (1 + np.tanh(x / 2))


def _one_of(name, value, known):
    if value not in tuple(known):
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, known))}")
