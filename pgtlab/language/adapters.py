"""Owns what turns a loss into an update: the derivative by the log-probabilities of the tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgtlab import _validate
from pgtlab.language.updates import Update

#: Step of the differences, in units of log-probability.
_STEP = 1e-3

#: A jump of the derivative that is taken for a kink.
_KINK = 1e-5


@dataclass(frozen=True)
class NumpyLoss(Update):
    r"""Update that goes downhill in a loss written with NumPy, which is differentiated by differences.

    Parameters
    ----------
    loss : callable
        ``loss(log_probs, old_log_probs, ref_log_probs, rewards, mask)``, as for `audit`.

    Notes
    -----
    The derivative is :math:`(8 (f_1 - f_{-1}) - (f_2 - f_{-2})) / 12 h`, whose error is of fourth order.
    Where the second differences do not shrink with h there is a kink, and the loss is refused.

    Examples
    --------
    >>> def loss(log_probs, old_log_probs, ref_log_probs, rewards, mask):
    ...     return -(rewards[:, None] * log_probs * mask).sum()
    >>> group = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))
    >>> NumpyLoss(loss).weights(*group, np.array([3.0, 0.0]), np.ones((2, 2))).round(6)
    array([[3., 3.],
           [0., 0.]])
    """

    loss: object

    def __post_init__(self):
        if not callable(self.loss):
            raise TypeError(f"loss must be a function or an Update, got {type(self.loss).__name__}")

    def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
        """Minus the derivative of the loss by each log-probability.

        Parameters
        ----------
        log_probs, old_log_probs, ref_log_probs : ndarray, shape (..., G, L)
        rewards : ndarray, shape (..., G)
        mask : ndarray, shape (..., G, L)

        Returns
        -------
        ndarray, shape (..., G, L)
        """
        found = np.zeros(log_probs.shape)
        known = [_validate.read_only(each) for each in (old_log_probs, ref_log_probs, rewards, mask)]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for number, at in enumerate(np.ndindex(rewards.shape[:-1])):
                others = [each[at] for each in known]
                if number == 0:
                    self._same_again(log_probs[at], others)
                found[at] = 0.0 - self._derivative(log_probs[at], others)
        return found

    def _same_again(self, log_probs, others):
        first, second = self._value(log_probs, others), self._value(log_probs, others)
        if first != second:
            raise ValueError(
                f"the loss returned {first:.6g} and then {second:.6g} for the same group: it depends on "
                "chance, or remembers; expected a function of its arguments"
            )

    def _derivative(self, log_probs, others):
        def f(cell, h):
            moved = log_probs.copy()
            moved[cell] += h
            return self._value(moved, others)

        centre = self._value(log_probs, others)
        slopes = np.zeros(log_probs.shape)
        for cell in map(tuple, np.argwhere(others[-1]).tolist()):
            up, down, further, back = (f(cell, h * _STEP) for h in (1, -1, 2, -2))
            # (f_1 - 2 f_0 + f_-1) / h shrinks with h, unless the slope jumps: then it is the jump.
            near, far = (up - 2 * centre + down) / _STEP, (further - 2 * centre + back) / (2 * _STEP)
            if abs(2 * near - far) > _KINK * (1 + abs(up - down) / _STEP):
                raise ValueError(
                    f"the loss has a kink at the log-probability of token {cell[1]} of answer {cell[0]}, for "
                    f"the rewards {others[2].tolist()}: its slope jumps by {2 * near - far:.3g}; expected a "
                    "loss that is smooth where the policy itself has answered"
                )
            slopes[cell] = (8 * (up - down) - (further - back)) / (12 * _STEP)
        return slopes

    def _value(self, log_probs, others):
        value = np.asarray(self.loss(log_probs, *others))
        if value.shape != ():
            raise ValueError(
                f"the loss returned an array of shape {value.shape}; expected one number for a group, "
                "such as its mean"
            )
        if not np.isfinite(value):
            raise ValueError(
                f"the loss is {value} for rewards {others[2].tolist()} and lengths "
                f"{others[3].sum(-1).astype(int).tolist()}; expected a finite number: is something divided "
                "by a standard deviation of 0, or a logarithm taken of 0?"
            )
        return float(value)


@dataclass(frozen=True)
class AutodiffLoss(Update):
    r"""Update that goes downhill in a loss which its own library differentiates.

    Parameters
    ----------
    gradient : callable
        As `from_jax` and `from_torch` make it: from the arguments of the loss for n groups, NumPy arrays with
        a first axis of length n, to its derivative for each of them, shape (n, G, L).

    Examples
    --------
    >>> constant = AutodiffLoss(lambda log_probs, *others: np.ones_like(log_probs))
    >>> constant.weights(*np.zeros((3, 1, 2, 1)), np.zeros((1, 2)), np.ones((1, 2, 1))).ravel()
    array([-1., -1.])
    """

    gradient: object

    def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
        """Minus the derivative of the loss by each log-probability.

        Parameters
        ----------
        log_probs, old_log_probs, ref_log_probs : ndarray, shape (..., G, L)
        rewards : ndarray, shape (..., G)
        mask : ndarray, shape (..., G, L)

        Returns
        -------
        ndarray, shape (..., G, L)
        """
        G, L = mask.shape[-2:]
        seen = [each.reshape(-1, G, L) for each in (log_probs, old_log_probs, ref_log_probs)]
        found = self.gradient(*seen, rewards.reshape(-1, G), mask.reshape(-1, G, L))
        return -np.asarray(found).reshape(mask.shape) * mask


def from_jax(loss):
    r"""Make an update of a loss that is written with JAX, which differentiates it.

    Parameters
    ----------
    loss : callable
        As for `audit`, of JAX arrays, returning one number.

    Returns
    -------
    AutodiffLoss

    Raises
    ------
    ModuleNotFoundError
        If JAX is not installed.

    Notes
    -----
    With float64, whatever JAX is set to elsewhere, and compiled. Here a loss may detach what it likes, by
    ``jax.lax.stop_gradient``.

    Examples
    --------
    >>> import jax.numpy as jnp  # doctest: +SKIP
    >>> audit(from_jax(lambda l, old, ref, r, mask: -jnp.mean(r * jnp.sum(l, -1))))  # doctest: +SKIP
    """
    import jax

    slopes = jax.jit(jax.vmap(jax.grad(loss)))

    def gradient(*groups):
        with jax.enable_x64(True):
            return np.asarray(slopes(*groups))

    return AutodiffLoss(gradient)


def from_torch(loss):
    r"""Make an update of a loss that is written with PyTorch, which differentiates it.

    Parameters
    ----------
    loss : callable
        As for `audit`, of tensors of float64, returning one number.

    Returns
    -------
    AutodiffLoss

    Raises
    ------
    ModuleNotFoundError
        If PyTorch is not installed.

    Notes
    -----
    Here a loss may detach what it likes.

    Examples
    --------
    >>> audit(from_torch(lambda l, old, ref, r, mask: -(r * l.sum(-1)).mean()))  # doctest: +SKIP
    """
    import torch

    def gradient(*groups):
        return np.array([of_one(*group) for group in zip(*groups, strict=True)])

    def of_one(log_probs, *others):
        l = torch.tensor(log_probs, dtype=torch.float64, requires_grad=True)
        rest = (torch.tensor(each, dtype=torch.float64) for each in others)
        return torch.autograd.grad(loss(l, *rest), l)[0].numpy()

    return AutodiffLoss(gradient)
