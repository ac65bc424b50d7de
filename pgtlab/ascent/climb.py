"""Owns the ascent itself: step after step along the direction of a rule."""

from __future__ import annotations

import math
import warnings

import numpy as np

from pgtlab import _validate
from pgtlab._progress import progress
from pgtlab.ascent.rules import check_rule
from pgtlab.ascent.run import ROUNDING_OF_J, Run, described, plain
from pgtlab.exact.chains import chain
from pgtlab.exact.fisher import natural_policy_gradient
from pgtlab.exact.gradients import policy_gradient
from pgtlab.exact.values import expected_return
from pgtlab.policies import SoftmaxPolicy

#: The longest way that a parameter goes in one step: beyond, no digit of the next one is of use.
_LONGEST_MOVE = 1e8


def ascend(mdp, policy, *, rule, step_size, n_steps, rng=None):
    r"""Climb the expected return: :math:`\theta \leftarrow \theta + \alpha d`, n times.

    Parameters
    ----------
    mdp : FiniteMDP or LinearQuadraticMDP
    policy : FinitePolicy or LinearGaussianPolicy
        Where to start; one policy, no batch.
    rule : AscentRule
        What gives the direction d: `GradientAscent()`, for instance.
    step_size : float
        :math:`\alpha`, above 0.
    n_steps : int
        At least 0.
    rng : numpy.random.Generator, optional
        Required by the rules that draw.

    Returns
    -------
    Run
        Parameters, exact J and length of the exact gradient, at the start and after each step.

    Raises
    ------
    ValueError
        If a number is out of its range, the policy is a batch or does not fit the problem, J does not exist
        at the start (see `chain`), or the rule finds no direction there.
    TypeError
        If an argument is of the wrong type, or `rng` is missing for a rule that draws.

    Notes
    -----
    A run that diverges (parameters or J that are not finite, a step that moves a parameter by more than 1e8,
    or a policy for which J does not exist) or is interrupted from the keyboard stops there. So does one along
    the natural gradient of a tabular policy if J falls by more than 1e-9 of the largest J so far, which a
    step of any size cannot do: then J has lost its digits. The run returns all steps that were complete,
    says in ``run.stopped`` why there are no more, and gives a RuntimeWarning with the same words.

    Along other directions J may fall: a step along the gradient may be too long, a critic biased, and a
    sampled direction points anywhere. These steps are in the record: see ``run.falls``.

    A progress bar shows on a terminal after 2 seconds where tqdm is installed.

    References
    ----------
    S4, S20, S23.

    Examples
    --------
    The corridor's best probability of going right is 2 - sqrt 2 = 0.5858.

    >>> from pgtlab.ascent import GradientAscent
    >>> from pgtlab.gallery import short_corridor
    >>> mdp, policy = short_corridor(probability_right=0.2)
    >>> run = ascend(mdp, policy, rule=GradientAscent(), step_size=0.2, n_steps=100)
    >>> policy.with_parameters(run.parameters[-1]).probs()[0].round(4)
    array([0.5858, 0.4142])
    """
    theta, step_size, n_steps = _checked(mdp, policy, rule, step_size, n_steps)
    if rule.draws or rng is not None:
        _validate.generator(rng)
    generator_state = plain(rng.bit_generator.state) if rule.draws else None
    parameters, measured = np.empty((n_steps + 1, theta.size)), np.empty((n_steps + 1, 2))
    parameters[0], measured[0] = theta, _measured(mdp, policy)
    done, memory, stopped = 0, None, None
    try:
        for _ in progress(range(n_steps), n_steps, "steps"):
            # Whatever overflows is seen below, as a number that is not finite.
            with np.errstate(all="ignore"):
                try:
                    d, memory = rule.direction(mdp, policy, memory, rng=rng)
                except (ValueError, ArithmeticError) as error:
                    if not done:
                        raise
                    stopped = f"no direction after {done} of {n_steps} steps: {error}"
                    break
                before, theta = policy, theta + step_size * d
                try:
                    _check_move(parameters[done], theta)
                    policy = policy.with_parameters(theta)
                    measured[done + 1] = _measured(mdp, policy)
                except (ValueError, ArithmeticError) as error:
                    stopped = f"diverged after {done} of {n_steps} steps, the next of which fails: {error}"
                    break
                J, fallen = measured[: done + 2, 0], measured[done, 0] - measured[done + 1, 0]
                if fallen > ROUNDING_OF_J * np.abs(J).max() and _cannot_fall(mdp, before, d):
                    stopped = (
                        f"J falls after {done} of {n_steps} steps, in the next from {J[-2]:.12g} to "
                        f"{J[-1]:.12g}, though no natural step of a tabular policy lowers it: its digits are "
                        "lost"
                    )
                    break
                parameters[done + 1] = theta
            # Last of all, so that an interruption leaves no row half-written.
            done += 1
    except KeyboardInterrupt:
        stopped = f"interrupted after {done} of {n_steps} steps"
    if stopped:
        warnings.warn(f"{stopped}. The run holds what was done", RuntimeWarning, stacklevel=2)
    return Run(
        parameters=parameters[: done + 1],
        returns=measured[: done + 1, 0],
        gradient_norms=measured[: done + 1, 1],
        rule=described(rule),
        step_size=step_size,
        n_steps=n_steps,
        problem=f"{_in_words(mdp)}, {_in_words(policy)}",
        generator_state=generator_state,
        stopped=stopped,
    )


def _checked(mdp, policy, rule, step_size, n_steps):
    # The two go together, before the policy is asked for its parameters.
    chain(mdp, policy)
    theta = np.array(policy.parameters, dtype=np.float64)
    if theta.ndim != 1:
        raise ValueError(f"policy is a batch of shape {theta.shape[:-1]}; expected one policy")
    check_rule(rule)
    step_size = _validate.number("step_size", step_size)
    if step_size <= 0:
        raise ValueError(f"step_size is {step_size:g}; expected a number above 0")
    n_steps = _validate.count("n_steps", n_steps)
    _validate.room(f"{n_steps} steps of {theta.size} parameters", 8 * (n_steps + 1) * theta.size)
    return theta, step_size, n_steps


def _check_move(before, theta):
    """Raise ValueError where a parameter leaves the numbers in one step; what is not finite is seen later."""
    move = np.abs(theta - before)
    far = move > _LONGEST_MOVE
    if np.isfinite(theta).all() and far.any():
        k = int(np.flatnonzero(far)[0])
        raise ValueError(
            f"parameters[{k}] moves from {before[k]:g} to {theta[k]:g}; expected a move of at most "
            f"{_LONGEST_MOVE:g} in one step"
        )


def _cannot_fall(mdp, policy, d):
    """Whether J cannot fall along d, whatever the step size."""
    # The natural step of a tabular softmax multiplies pi by exp(alpha A) and normalises, so that the mean of
    # A under the new policy is at least 0 in every state; J grows by that mean, under the new visits.
    if not (isinstance(policy, SoftmaxPolicy) and policy.is_tabular):
        return False
    natural = natural_policy_gradient(mdp, policy)
    return bool(np.abs(d - natural).max() <= 1e-6 * np.abs(natural).max())


def _measured(mdp, policy):
    """Return J and the length of its gradient; raise ValueError unless they exist and are finite."""
    J, gradient = expected_return(mdp, policy), policy_gradient(mdp, policy)
    norm = math.hypot(*gradient)
    for name, value in (("J", J), ("the length of the gradient", norm)):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}; expected a finite number")
    return J, norm


def _in_words(thing):
    # An object without words of its own would give its address.
    plain_repr = type(thing).__repr__ is object.__repr__
    return type(thing).__name__ if plain_repr else repr(thing)
