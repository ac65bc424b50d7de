"""Owns how long a path is followed, and the weights that go with it."""

from __future__ import annotations

from dataclasses import dataclass

from pgtlab import _validate


@dataclass(frozen=True)
class GeometricHorizon:
    r"""Random number of steps H for each episode, with :math:`\Pr(H > t) = q^t`.

    A path that is cut off at a fixed step misses what comes later. A path cut off at random misses nothing on
    average, if what is earned at time t is divided by the chance of getting there: it then weighs
    :math:`\gamma^t / q^t`. With :math:`q = \gamma` the weight is 1.

    Parameters
    ----------
    continuation : float
        q, above 0 and below 1: the chance to go on after each step.

    Raises
    ------
    ValueError
        If `continuation` is not above 0 and below 1.
    TypeError
        If it is not a number.

    Notes
    -----
    The variance grows as q falls. In the linear-quadratic problem with closed-loop drift c that of a return
    is infinite once :math:`\gamma^2 \max(1, c^4) \ge q`, and that of REINFORCE in the gain, where each score
    grows with the state, once :math:`\gamma^2 \max(1, c^6) \ge q`.

    References
    ----------
    Point 6 of "what the slides leave out". C.-H. Rhee and P. W. Glynn, "Unbiased estimation with square root
    convergence for SDE models", *Operations Research* 63, 2015.

    Examples
    --------
    On average an episode has 1 / (1 - q) steps.

    >>> import numpy as np
    >>> lengths = GeometricHorizon(0.75).sample(100_000, rng=np.random.default_rng(0))
    >>> lengths.min(), lengths.mean().round(1)
    (np.int64(1), np.float64(4.0))
    """

    continuation: float

    def __post_init__(self):
        q = _validate.number("continuation", self.continuation)
        if not 0 < q < 1:
            raise ValueError(f"continuation is {_validate.shown(q)}; expected a number above 0 and below 1")
        object.__setattr__(self, "continuation", q)

    def sample(self, n_episodes, *, rng):
        """Draw the number of steps of each episode, at least 1.

        Parameters
        ----------
        n_episodes : int
        rng : numpy.random.Generator

        Returns
        -------
        ndarray of int, shape (n_episodes,)
        """
        n_episodes = _validate.count("n_episodes", n_episodes)
        _validate.room(f"a number for each of {n_episodes} episodes", 8 * n_episodes)
        return rng.geometric(1 - self.continuation, size=n_episodes)


def checked(horizon):
    """Return `horizon` as None, an int of at least 1 or a GeometricHorizon; raise for anything else."""
    if horizon is None or isinstance(horizon, GeometricHorizon):
        return horizon
    try:
        return _validate.count("horizon", horizon, 1)
    except TypeError:
        raise TypeError(
            "horizon must be an integer, a GeometricHorizon, or None to follow each episode to its end; "
            f"got {type(horizon).__name__}"
        ) from None
