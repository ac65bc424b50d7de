"""Owns the audit of a loss: what its mean step climbs, told exactly on a tree of tokens."""

from __future__ import annotations

import dataclasses
import itertools
import textwrap
from dataclasses import dataclass

import numpy as np

from pgtlab import _validate
from pgtlab.language.adapters import NumpyLoss
from pgtlab.language.means import mean_update
from pgtlab.language.objective import Law, objectives
from pgtlab.language.tree import TokenTree
from pgtlab.language.updates import Update
from pgtlab.policies import SoftmaxPolicy

#: Characters in a printed line; a page of the book shows as many without scrolling.
_LINE = 76

#: Two directions are one if they differ by less than this share of their length.
_SAME = 1e-6

#: And a mean step is none below this share of the mean length of its terms.
_NONE = 1e-9

#: Step of the derivatives of the field, and the share of their length below which an antisymmetric part is 0.
_STEP, _CURL = 1e-4, 1e-5

#: The nearest objective is named if the step is not farther from it than this share of its length.
_NEAR = 0.05

#: Policies at which the audit looks, each with the size of its logits.
_LOOKS = (0.7, 1.2, 1.8)


@dataclass(frozen=True, eq=False)
class Audit:
    r"""What an audit found.

    Attributes
    ----------
    direction : ndarray, shape (K,)
        The exact mean step at the first policy, downhill in the loss.
    objective : str or None
        What it climbs: the name of an objective, or of two with their factors; None if there is none in the
        list.
    factors : ndarray, shape (policies, 1 or 2)
        By how much the step is longer than the gradient, at each policy.
    frozen : bool
        Whether a part of `objective` is held fixed at the policy of the moment.
    nearest : str or None
        Without an objective: that which the step nearly climbs, as where a program adds 0.0001 to a divisor.
    gap : float
        How far the step is from that, as a share of its length; 0 where there is an objective, infinite where
        none is within 5 per cent, nor two together within 0.05.
    goal : str
        What one would want to climb: the mean reward, or, if the loss does not look at the rewards, minus
        the KL.
    cosines : ndarray, shape (policies,)
        Of the angle between the mean step and the gradient of `goal`.
    asymmetry : float
        The antisymmetric part of the Jacobian of the mean step, as a share of its size: 0 for a gradient.
    is_gradient : bool
        Whether the mean step is the gradient of anything at all, by its Jacobian.
    family : ndarray, shape (K,)
        A direction of length 1 in which the parameters may be tied to one knob, and the mean step goes down
        where `goal` goes up; zeros if the two are parallel.
    slopes : tuple of two floats
        Along `family`: of `goal`, and of the mean step.
    words : str
        All this in sentences.

    Examples
    --------
    >>> from pgtlab.language import audit
    >>> def reinforce(log_probs, old_log_probs, ref_log_probs, rewards, mask):
    ...     return -(rewards * log_probs.sum(-1)).mean()
    >>> found = audit(reinforce)
    >>> found.objective, found.is_gradient
    ('mean reward', True)
    """

    direction: np.ndarray
    objective: str | None
    factors: np.ndarray
    frozen: bool
    nearest: str | None
    gap: float
    goal: str
    cosines: np.ndarray
    asymmetry: float
    is_gradient: bool
    family: np.ndarray
    slopes: tuple
    words: str

    def __str__(self):
        return "\n".join(textwrap.fill(line, _LINE) for line in self.words.splitlines())

    __repr__ = __str__


def standard_tree():
    r"""Tree on which losses are audited: two questions, one token and an end, at most three tokens.

    Returns
    -------
    TokenTree
        With rewards 0 and 1. Right are "a." and "aaa" in the first question, "." and "aaa" in the second:
        right and wrong answers are there of several lengths, and so few that all groups of four can be
        weighed at once.

    Examples
    --------
    >>> standard_tree()
    TokenTree(n_questions=2, n_answers=4, n_prefixes=3, n_tokens=2)
    """
    right = {"a.", "aaa"}, {".", "aaa"}
    return TokenTree("a.", 3, [lambda answer, of=each: "".join(answer) in of for each in right], end=".")


def audit(loss, *, tree=None, group_size=4, policies=None, old=None, reference=None, also=()):
    r"""Say what a loss for language models climbs, exactly, on a small tree of tokens.

    Every group of answers that could be drawn is weighed with its probability, the loss is differentiated
    by the log-probabilities of the tokens, and the mean step is compared with the gradients of the
    `objectives`.

    Parameters
    ----------
    loss : callable or Update
        ``loss(log_probs, old_log_probs, ref_log_probs, rewards, mask)`` for one group: arrays of shape (G,
        L), rewards of shape (G,), and a number as the result, which is to be made small. The mask is 1
        where there is a token. On policy `old_log_probs` are the same numbers as `log_probs`, and stand for
        what your program detaches. For losses of PyTorch and JAX see `from_torch` and `from_jax`.
    tree : TokenTree, optional
        `standard_tree` if it is left out. One question alone cannot show what is done between questions.
    group_size : int
        G, at least 1. With 2 or 3 a division by the standard deviation does not show (L.6).
    policies : sequence of FinitePolicy, optional
        Where to look, at least one; tables of logits of four sizes if it is left out.
    old : FinitePolicy, optional
        The policy that answers, which stays as it is. Left out, the policy that learns answers itself: then
        ratios are 1, and a clip plays no part.
    reference : FinitePolicy, optional
        `standard_reference` if it is left out.
    also : sequence of Objective
        Objectives of your own, with which the step is compared as well.

    Returns
    -------
    Audit
        Print it to read it.

    Raises
    ------
    ValueError
        If the loss returns no single finite number, depends on chance, or has a kink where the policy did
        answer.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    The mean step is exact but for rounding; the loss is differentiated by differences of fourth order, with
    an error of about 1e-11. A factor that is the same at all policies within 1e-6 counts as constant. The
    Jacobian is asked along two directions: if its antisymmetric part is not 0 there, the step is no
    gradient; if it is 0, it is 0 altogether but for a coincidence. "None in the list" is no proof that
    there is none, unless the Jacobian says so.

    References
    ----------
    L.18 of the book.

    Examples
    --------
    The loss of GRPO, without clipping, which plays no part on policy:

    >>> def grpo(log_probs, old_log_probs, ref_log_probs, rewards, mask):
    ...     advantage = (rewards - rewards.mean()) / (rewards.std() + 1e-12)
    ...     ratio = np.exp(log_probs - old_log_probs)
    ...     return -(ratio * advantage[:, None] * mask).sum(-1).dot(1 / mask.sum(-1)) / len(rewards)
    >>> print(audit(grpo))
    The mean step is 1 times the gradient of: reward per token with the baseline
    frozen, times c_4. A part of that is held fixed at the policy of the moment,
    and moves along with it.
    It is the gradient of nothing: the antisymmetric part of its Jacobian is
    0.0029 of its size.
    Its cosine with the gradient of the mean reward is 0.924 at the least of 3
    policies. Tie the parameters to one knob, and it may go the wrong way: there
    is one along which the mean reward has the slope +0.032 and the step -0.036.
    """
    tree = standard_tree() if tree is None else _validate.instance("tree", tree, TokenTree) or tree
    update = loss if isinstance(loss, Update) else NumpyLoss(loss)
    G = _validate.count("group_size", group_size, 1)
    policies = _tables(tree) if policies is None else list(policies)
    reference = standard_reference(tree) if reference is None else reference
    seen = _Mean(update, G)

    def field(policy):
        return mean_update(tree, policy, seen, group_size=G, old=old, reference=reference)

    steps = [field(each) for each in policies]
    if all(np.linalg.norm(step) <= _NONE * seen.size for step in steps):
        return _nothing(steps[0], len(policies))
    laws = [Law(tree, each, reference) for each in policies]
    rewards, distances = objectives(tree, G)
    rewards = [*rewards, *also]
    explained = _explained(steps, laws, rewards, distances)
    # What is the same for other rewards is there for the distance, which is to be made small.
    other = dataclasses.replace(tree, rewards=tree.rewards[:, ::-1] * 0.3 + 0.1)
    elsewhere = mean_update(other, policies[0], seen, group_size=G, old=old, reference=reference)
    blind = np.allclose(elsewhere, steps[0])
    goal = ("minus KL(policy | reference)", -1, distances[0]) if blind else ("mean reward", 1, rewards[0])
    true = [goal[1] * goal[2].gradient(law) for law in laws]
    cosines = np.array([_cosine(step, g) for step, g in zip(steps, true, strict=True)])
    asymmetry = antisymmetry(field, policies[0])
    family, slopes = _wrong_way(steps[int(cosines.argmin())], true[int(cosines.argmin())])
    found = (*explained, goal[0], cosines, asymmetry, asymmetry < _CURL, family, slopes)
    return Audit(steps[0], *found, _in_words(*found))


def standard_reference(tree):
    r"""Reference policy with which losses are audited: a table of logits without a pattern.

    Parameters
    ----------
    tree : TokenTree

    Returns
    -------
    SoftmaxPolicy

    Examples
    --------
    >>> standard_reference(standard_tree()).probs().round(3)[0]
    array([0.234, 0.766])
    """
    return _table(tree, 2.3, 0.8)


def antisymmetry(field, policy):
    r"""Share of the Jacobian of a field of directions that is antisymmetric: 0 for a gradient.

    .. math:: \frac{|u \cdot D v - v \cdot D u|}{|D u| + |D v|}, \qquad D = \partial f / \partial \theta

    Parameters
    ----------
    field : callable
        From a policy to a direction (K,), such as a mean update.
    policy : FinitePolicy
        Where the derivatives are taken.

    Returns
    -------
    float
        In [0, 1], for two fixed orthogonal directions u, v without a pattern.

    Notes
    -----
    A field with continuous derivatives is the gradient of something near a point if and only if its
    Jacobian is symmetric there (Schwarz, Poincaré). Derivatives are central differences.

    Examples
    --------
    The field (y, -x) turns, (x, y) does not.

    >>> from types import SimpleNamespace
    >>> def at(theta):
    ...     return SimpleNamespace(parameters=np.array(theta), with_parameters=at)
    >>> round(antisymmetry(lambda p: np.array([p.parameters[1], -p.parameters[0]]), at([1.0, 2.0])), 3)
    1.0
    >>> round(antisymmetry(lambda p: p.parameters, at([1.0, 2.0])), 6)
    0.0
    """
    theta = policy.parameters
    if theta.size == 1:  # on a line every field is a gradient
        return 0.0
    n = np.arange(1, theta.size + 1) ** 1.5
    # Two orthogonal directions of length 1: the columns of Q.
    u, v = np.linalg.qr(np.cos([1.7 * n, 2.3 * n + 1]).T)[0].T

    def derivative(u):
        ends = [field(policy.with_parameters(theta + sign * _STEP * u)) for sign in (1, -1)]
        return (ends[0] - ends[1]) / (2 * _STEP)

    Du, Dv = derivative(u), derivative(v)
    size = np.linalg.norm(Du) + np.linalg.norm(Dv)
    return float(abs(u @ Dv - v @ Du) / size) if size else 0.0


class _Mean(Update):
    """The same update, remembering how large its weights were."""

    def __init__(self, update, group_size):
        self.update, self.size = update, 0.0

    def weights(self, *seen):
        found = np.asarray(self.update.weights(*seen))
        with np.errstate(invalid="ignore"):
            self.size = max(self.size, float(np.abs(found).max(initial=0.0)))
        return found

    def keeps(self, rewards):
        return self.update.keeps(rewards)


def _table(tree, pace, size):
    """A table of logits without a pattern."""
    n = np.arange(1, tree.n_states * tree.n_tokens + 1)
    return SoftmaxPolicy.tabular((size * np.cos(pace * n**1.3)).reshape(tree.n_states, tree.n_tokens))


def _tables(tree):
    return [_table(tree, 1.1 + 0.37 * i, size) for i, size in enumerate(_LOOKS)]


def _cosine(a, b):
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300))


def _explained(steps, laws, rewards, distances):
    """Return the objective or objectives, the factors, whether frozen, and what is near.

    What is near is a name and a distance, for where no objective is found.
    """
    single = [(each,) for each in (*rewards, *distances)]
    # Two together: a reward and a distance, as in rewards less beta times KL, or two distances.
    pairs = [*itertools.product(rewards, distances), *itertools.combinations(distances, 2)]
    sizes = [max(np.linalg.norm(step), 1e-300) for step in steps]
    near = _NEAR, np.inf, None
    for several in (*single, *pairs):
        gradients = [np.stack([each.gradient(law) for each in several], -1) for law in laws]
        factors = np.array(
            [np.linalg.lstsq(g, s, rcond=None)[0] for g, s in zip(gradients, steps, strict=True)]
        )
        left = [np.linalg.norm(s - g @ c) for s, g, c in zip(steps, gradients, factors, strict=True)]
        gap = max(a / b for a, b in zip(left, sizes, strict=True))
        name = " and ".join(each.name for each in several)
        spread = np.ptp(factors, axis=0).max() / np.abs(factors).max()
        if gap <= _SAME and (len(several) == 1 or spread <= 1e-5):
            return name, factors, any(each.frozen for each in several), None, 0.0
        # One is a case of two: two must come closer by far to be named.
        counted = gap * 100 ** (len(several) - 1)
        if counted < near[0] and (len(several) == 1 or spread <= _NEAR):
            near = counted, gap, name
    return None, np.zeros((len(steps), 0)), False, near[2], near[1]


def _wrong_way(step, true):
    """Return a direction along which the mean reward rises and the step falls, and both slopes."""
    a, b = np.linalg.norm(step), np.linalg.norm(true)
    # v = g/|g| - d/|d|:  g.v = |g| (1 - cos) > 0 and d.v = |d| (cos - 1) < 0
    v = true / max(b, 1e-300) - step / max(a, 1e-300)
    length = np.linalg.norm(v)
    if length <= _SAME:
        return np.zeros_like(step), (0.0, 0.0)
    v /= length
    return v, (float(true @ v), float(step @ v))


def _nothing(step, n):
    words = f"The mean step is 0 at all {n} policies: the loss adds noise, and climbs nothing."
    return Audit(
        direction=0 * step,
        objective=None,
        factors=np.zeros((n, 0)),
        frozen=False,
        nearest=None,
        gap=np.inf,
        goal="nothing",
        cosines=np.zeros(n),
        asymmetry=0.0,
        is_gradient=True,
        family=0 * step,
        slopes=(0.0, 0.0),
        words=words,
    )


def _in_words(
    objective, factors, frozen, nearest, gap, goal, cosines, asymmetry, is_gradient, family, slopes
):
    lines = [_climbs(objective, factors)]
    if nearest:
        lines[0] += f" The nearest is: {nearest}, within {100 * gap:.2g} % of the step's length."
    if frozen:
        lines[0] += " A part of that is held fixed at the policy of the moment, and moves along with it."
    if not is_gradient:
        words = f"the antisymmetric part of its Jacobian is {asymmetry:.2g} of its size"
        lines.append(f"It is the gradient of nothing: {words}.")
    elif objective is None or frozen:
        lines.append("Its Jacobian is symmetric, so that it is the gradient of something.")
    if family.any():
        least = f"Its cosine with the gradient of the {goal} is {cosines.min():.3g} at the least"
        least += f" of {len(cosines)} policies."
        if cosines.min() < 0:
            least += f" There a small step lowers the {goal}."
        else:
            least += " Tie the parameters to one knob, and it may go the wrong way: there is one along which"
            least += f" the {goal} has the slope {slopes[0]:+.2g} and the step {slopes[1]:+.2g}."
        lines.append(least.replace("the minus", "minus the"))
    return "\n".join(lines)


def _climbs(objective, factors):
    if objective is None:
        return "The mean step is a multiple of the gradient of none of the objectives in the list."
    low, high = factors.min(0), factors.max(0)
    said = []
    for name, a, b in zip(objective.split(" and "), low, high, strict=True):
        constant = b - a <= 1e-5 * max(abs(a), abs(b))
        times = f"{(a + b) / 2:.4g}" if constant else f"{a:.3g} to {b:.3g}, with the policy,"
        said.append(f"{times} times the gradient of: {name}")
    return f"The mean step is {', and '.join(said)}."
