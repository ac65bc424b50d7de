"""Owns the check of a reader's own answer, a function or numbers: from the coarsest fault to the finest."""

from __future__ import annotations

import textwrap
import traceback

import numpy as np

from pgtlab import _validate
from pgtlab.checks.agreement import because
from pgtlab.checks.estimates import student_quantile

#: Numbers that are worked out by hand are right within half a unit of the third significant digit.
_THREE_DIGITS = 0.005

#: What is said of a case that must not be told, in the place of its numbers.
_UNSEEN = "in a case that you do not see"

#: A slope is a difference of fourth order with this step, and is met within this share of it or of 1.
_STEP, _NEAR = 1e-3, 1e-6


class WrongAnswer(AssertionError):
    """Say what is wrong with an answer; a notebook shows the sentence alone, not how the check found out.

    Parameters
    ----------
    said : str
    unseen : str, optional
        The same without a number, for a case that must not be told: whatever was computed, and what it was
        computed from, may give the case away.

    Examples
    --------
    >>> WrongAnswer("f(2) is 3; expected 4", unseen="f misses a case").unseen
    'f misses a case'
    """

    def __init__(self, said, unseen=None):
        super().__init__(said)
        self.unseen = unseen or said

    def _render_traceback_(self):
        return textwrap.wrap(f"Not right yet. {self}", 76)


def answer(
    function,
    *arguments,
    shape=(),
    axes=None,
    structure=None,
    known=None,
    within=1e-8,
    slope_of=None,
    at=None,
    mistakes=None,
    cause=None,
):
    r"""Call a function of one's own and check what it returns, and print what was found in order.

    The steps are, in this order: it returns something; numbers, of the right shape; the structure that any
    right answer has; a case whose answer is known; slopes by differences. The first step that fails ends the
    check. No message shows the right answer.

    Parameters
    ----------
    function : callable
        The function; its name stands in every message.
    *arguments : object
        What it is called with. Arrays are handed over as copies, so that nothing is lost if it writes
        into them.
    shape : tuple of int
        The shape that is expected; () for a number.
    axes : str, optional
        What the axes are, in words: "a row for each state".
    structure : dict of str to callable or (callable, str), optional
        What is true of every right answer, as a sentence ("no visit is negative"), with a function of the
        answer that tells whether it holds; and a likely cause, if it does not.
    known : array_like, optional
        The right answer, of that shape, all finite.
    within : float
        How far an entry may be from the known one, at least 0.
    slope_of : callable, optional
        A function of a vector (K,). The answer must be its gradient at `at`; its shape is (K,) then.
    at : array_like, shape (K,), optional
        Where the gradient is taken.
    mistakes : dict of str to array_like, optional
        Answers that are wrong in a known way, each under its likely cause in words. They may have another
        shape than the right one.
    cause : str, optional
        The likely cause where none of these is recognised.

    Raises
    ------
    AssertionError
        At the first step that fails: with what was expected, what came, and one likely
        cause.
    TypeError, ValueError
        If the check itself is called wrongly.

    Notes
    -----
    Slopes are differences of fourth order with step 1e-3, and are met within 1e-6 of their size or of 1.

    References
    ----------
    S8 to S23: what the problem sets ask for.

    Examples
    --------
    >>> def visits(P, gamma):
    ...     return np.linalg.solve(np.eye(2) - gamma * P, [1.0, 0.0])
    >>> P = np.array([[0.5, 0.5], [0.0, 0.0]])
    >>> right, transposed = [2.0, 1.0], [2.0, 0.0]
    >>> answer(visits, P.T, 1.0, shape=(2,), structure={"no visit is negative": lambda rho: (rho >= 0).all()},
    ...        known=right)
    visits: shape (2,)
    visits: no visit is negative
    visits: right where the answer is known
    >>> from pgtlab.checks import caught
    >>> with caught():
    ...     answer(visits, P, 1.0, shape=(2,), known=right, mistakes={"P is not transposed": transposed})
    visits: shape (2,)
    caught: visits: entry [1] is 0, which is not right within 1e-08. Likely cause:
    P is not transposed
    """
    name = _name(function)
    if (slope_of is None) != (at is None):
        raise TypeError("slope_of and at go together: a function, and where its slope is taken")
    within = _validate.at_least_zero("within", within)
    known = None if known is None else _of_shape("known", known, tuple(shape))
    value = _called(name, function, arguments)
    value = _numbers(name, value, tuple(shape), axes, mistakes or {})
    print(f"{name}: {_words(tuple(shape), axes)}")
    for words, test in (structure or {}).items():
        holds, likely = test if isinstance(test, tuple) else (test, cause)
        if not np.all(holds(value.copy())):
            should = f"{name}: it should be that {words}"
            raise WrongAnswer(f"{should}; got {_short(value)}{because(likely)}", f"{should}{because(likely)}")
        print(f"{name}: {words}")
    if known is not None:
        _close(name, value, known, within, mistakes or {}, cause)
        print(f"{name}: right where the answer is known")
    if slope_of is not None:
        _close(name, value, *_slopes(slope_of, at, value.shape), mistakes or {}, cause)
        print(f"{name}: the slope, by differences")


def entered(*, known, within=None, mistakes=None, cause=None, **named):
    r"""Check numbers that a reader worked out and wrote down, and print that they are right.

    No message shows the right answer.

    Parameters
    ----------
    known : array_like
        The right answer, all finite; its shape is the one that is expected.
    within : float, optional
        How far an entry may be from the known one, at least 0. Left out: three significant digits are enough.
    mistakes : dict of str to array_like, optional
        Answers that are wrong in a known way, each under its likely cause in words. They may have another
        shape than the right one.
    cause : str, optional
        The likely cause where none of these is recognised.
    **named : object
        The answer, under the name that the reader gave it: a number, or numbers in lists or an array. ``...``
        stands for what is not written yet.

    Raises
    ------
    AssertionError
        If something is missing, is no number, has another shape or is wrong: with what was expected, what
        came, and one likely cause.
    TypeError, ValueError
        If the check itself is called wrongly.

    References
    ----------
    S8 to S23: what the exercises of the chapters ask for.

    Examples
    --------
    The circumference of a circle of radius 1 is :math:`2 \pi`.

    >>> entered(around=6.28, known=2 * np.pi)
    around: right
    >>> from pgtlab.checks import caught
    >>> with caught():
    ...     entered(around=3.14, known=2 * np.pi, mistakes={"only half of the circle": np.pi})
    caught: around: the answer is 3.14, which is not right to three digits. Likely
    cause: only half of the circle
    """
    if len(named) != 1:
        raise TypeError(
            f"entered takes one answer by its name, got {len(named)}; write entered(J=J, known=6.0)"
        )
    ((name, value),) = named.items()
    known = _validate.numbers("known", known)
    _validate.finite("known", known)
    if _unwritten(value):
        raise WrongAnswer(f"{name}: not written yet. Put your answer in the place of `...`")
    if value is None:
        raise WrongAnswer(
            f"{name}: expected an answer, got None. Likely cause: what `print` gives, or a function "
            "without `return`"
        )
    value = _numbers(name, value, known.shape, None, mistakes or {})
    words = None if within is not None else "to three digits"
    within = None if words else _validate.at_least_zero("within", within)

    # A wrong answer, too, may be rounded.
    wrong = {likely: np.asarray(each, dtype=np.float64) for likely, each in (mistakes or {}).items()}
    seen = {
        likely: value
        for likely, each in wrong.items()
        if _seen_before(value, _near(each, within), {likely: each})
    }
    _close(name, value, known, _near(known, within), seen, cause, words)
    print(f"{name}: right")


def _near(number, within):
    """Return how far from a number still counts as it: `within`, or three digits if that is None."""
    return _THREE_DIGITS * np.abs(number) + 1e-8 if within is None else within


def _unwritten(value):
    return value is ... or (isinstance(value, list | tuple) and any(map(_unwritten, value)))


def sampled_answer(
    function,
    *arguments,
    mean,
    n_samples=400,
    false_alarm=1e-6,
    mistakes=None,
    cause=None,
    rng,
):
    r"""Call a function of one's own that samples, many times, and check the mean of what it returns.

    Parameters
    ----------
    function : callable
        The function. Beside the arguments it gets one more, a generator, as the last.
    *arguments : object
        What it is called with.
    mean : array_like
        The right mean; each sample has its shape.
    n_samples : int
        Number of calls, at least 2.
    false_alarm : float
        Chance that the check fails although the function is right, in (0, 0.5).
    mistakes : dict of str to array_like, optional
        Means that are wrong in a known way, each under its likely cause in words.
    cause : str, optional
        The likely cause where none of these is recognised.
    rng : numpy.random.Generator
        Each call gets a child of it.

    Raises
    ------
    AssertionError
        If a sample has another shape than the mean, or the mean of the samples is further
        from `mean` than chance explains.
    ValueError, TypeError
        If the check itself is called wrongly.

    Notes
    -----
    The bound is a quantile of Student's distribution, the false alarm shared out over all entries.

    References
    ----------
    G. Casella and R. L. Berger, *Statistical Inference*, 2nd edition, section 11.2.

    Examples
    --------
    A fair die shows 3.5 on average.

    >>> def die(sides, rng):
    ...     return rng.integers(1, sides + 1)
    >>> sampled_answer(die, 6, mean=3.5, rng=np.random.default_rng(0))
    die: right on average over 400 samples
    """
    _validate.generator(rng)
    n_samples = _validate.count("n_samples", n_samples, 2, 10**6)
    false_alarm = _validate.chance("false_alarm", false_alarm)
    name, right = _name(function), _validate.numbers("mean", mean)
    _validate.finite("mean", right)
    samples = []
    for draw in rng.spawn(n_samples):
        value = _called(name, function, (*arguments, draw))
        samples.append(_numbers(name, value, right.shape, None, {}))
    _central(name, np.array(samples), right, false_alarm, mistakes or {}, cause)
    print(f"{name}: right on average over {n_samples} samples")


def _name(function):
    if not callable(function):
        raise TypeError(f"function must be a function, got {type(function).__name__}")
    return getattr(function, "__name__", type(function).__name__)


def _called(name, function, arguments):
    handed = [each.copy() if isinstance(each, np.ndarray) else each for each in arguments]
    try:
        value = function(*handed)
    except NotImplementedError:
        raise WrongAnswer(
            f"{name}: not written yet. Put your code in the place of `raise NotImplementedError()`"
        ) from None
    except Exception as error:
        kind, line = type(error).__name__, because(_line(error))
        said = f"{kind}: {error}".removesuffix(": ")
        # A text that nobody has passed on may hold the sizes of an instance.
        unseen = said if getattr(error, "passed_on", False) else kind
        raise WrongAnswer(
            f"{name}: expected an answer, got {said}{line}", f"{name}: expected an answer, got {unseen}{line}"
        ) from error
    if value is None:
        raise WrongAnswer(f"{name}: expected an answer, got None. Likely cause: the function has no `return`")
    return value


def _line(error):
    """Return in words the line in which an error arose outside this file, the innermost that can be shown."""
    shown = [
        line
        for line, (frame, _) in zip(
            traceback.extract_tb(error.__traceback__), traceback.walk_tb(error.__traceback__), strict=True
        )
        if line.line and line.filename != __file__ and "site-packages" not in line.filename
        if not frame.f_locals.get("__tracebackhide__")
    ]
    return f"line {shown[-1].lineno} of the cell or file, `{shown[-1].line}`" if shown else None


def _words(shape, axes):
    return f"shape {shape}" + (f", {axes}" if axes else "") if shape else "one number"


def _numbers(name, value, shape, axes, mistakes):
    words = _words(shape, axes)
    try:
        array = _validate.numbers(name, value)
    except (TypeError, ValueError):
        got = f"got {type(value).__name__}. Likely cause: "
        got += "something other than the result is given, rows of different lengths, or complex numbers"
        raise WrongAnswer(
            f"{name}: expected numbers of {words}, {got}", f"{name}: expected numbers, {got}"
        ) from None
    if array.shape != shape:
        likely = _seen_before(array, 1e-8, mistakes) or _cause_of_shape(array.shape, shape)
        raise WrongAnswer(
            f"{name}: expected {words}, got {_words(array.shape, None)}{because(likely)}",
            f"{name}: expected {axes or 'another shape'}, got something else {_UNSEEN}{because(likely)}",
        )
    kind = np.asarray(value).dtype
    if kind.kind == "f" and kind.itemsize < 8:
        raise WrongAnswer(
            f"{name}: expected double precision (float64), got {kind}, of about {np.finfo(kind).precision} "
            "digits. Likely cause: an array was made with this dtype",
            f"{name}: expected double precision, got less. Likely cause: the dtype of an array",
        )
    if not np.isfinite(array).all():
        at = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        likely = because("a division by {0}, the logarithm of {0}, or an exponential that is too large")
        raise WrongAnswer(
            f"{name}: expected finite numbers, got {array[at]} at {_validate.subscript(at) or 'the answer'}"
            f"{likely.format(0)}",
            f"{name}: expected finite numbers, got others {_UNSEEN}{likely.format('zero')}",
        )
    return array


def _cause_of_shape(got, expected):
    if len(got) > len(expected):
        return "a sum or a mean over an axis is missing"
    if len(got) < len(expected):
        return "a sum runs over an axis too many, or over the wrong one"
    if sorted(got) == sorted(expected):
        return "two axes are swapped"
    if sum(abs(n - m) for n, m in zip(got, expected, strict=True)) == 1:
        return f"an entry too {'many' if sum(got) > sum(expected) else 'few'}, or a sum over the wrong axis"
    return "a sum runs over the wrong axis, or a size is fixed in the code"


def _of_shape(name, right, shape):
    right = _validate.numbers(name, right)
    if right.shape != shape:
        raise ValueError(f"{name} has shape {right.shape}; expected {shape}, the shape that is asked for")
    # NaN is at no distance from anything: the check could not fail.
    _validate.finite(name, right)
    return right


def _close(name, value, right, within, mistakes, cause, near=None):
    wrong = ~(np.abs(value - right) <= within)
    if wrong.any():
        at = tuple(map(int, np.argwhere(wrong)[0]))
        likely, told = _recognised(value, right, within, mistakes)
        where = f"entry {_validate.subscript(at)}" if at else "the answer"
        got = value[at] if abs(value[at]) > np.max(within) else 0.0
        wrong, unseen = f"not right {near or f'within {np.max(within):.3g}'}", "not right"
        digits = _digits(value, right)
        if digits:
            wrong += f" (about {digits} digits are)"
            unseen += " (the first digits are)"
            cause = (
                cause
                or "its accuracy: a sum that stops early, too coarse a step, or what is added for safety"
            )
        raise WrongAnswer(
            f"{name}: {where} is {_told_apart(got, right[at])}, which is {wrong}"
            f"{because(likely or cause or 'the formula; work out this entry by hand')}",
            f"{name}: {unseen} {_UNSEEN}{because(told or cause or 'the formula')}",
        )


def _told_apart(got, right):
    """Return a number with as many digits as tell it from another, at least 6."""
    digits = next((n for n in range(6, 17) if f"{got:.{n}g}" != f"{right:.{n}g}"), 17)
    return f"{got:.{digits}g}"


#: Answers within this share of their largest entry are right but for their accuracy.
_CLOSE = 1e-3


def _digits(value, right):
    """Return how many digits of an answer are right, of those of its largest entry; 0 for fewer than 3."""
    scale, off = np.abs(right).max(), np.abs(value - right).max()
    return int(np.log10(scale / off)) if off <= _CLOSE * scale else 0


def _recognised(value, right, within, mistakes):
    """Return in words how a wrong answer came about, if that can be seen from its value; and without numbers.

    A factor may be 1 - gamma, and so tell what the case is.
    """

    def equals(other):
        return other.shape == value.shape and (np.abs(value - other) <= within).all()

    if likely := _seen_before(value, within, mistakes):
        return likely, likely
    if _digits(value, right) >= 5 and (value == value.astype(np.float32)).all():
        return "single precision, of about 7 digits; work in float64", "single precision; work in double"
    if equals(-right):
        return "the sign", "the sign"
    if right.ndim == 2 and equals(right.T):
        return ("rows and columns are swapped",) * 2
    # value = c right for one number c, by least squares.
    size = (right * right).sum()
    factor = (value * right).sum() / size if size else 0.0
    if value.size > 1 and abs(factor) > _CLOSE and abs(factor - 1) > _CLOSE and equals(factor * right):
        return (
            f"a factor: all entries are {factor:.4g} times what they should be",
            "a factor: all entries are the same multiple of what they should be",
        )
    return None, None


def _seen_before(value, within, mistakes):
    """Return the words of a mistake that gives this value."""
    for words, mistaken in mistakes.items():
        mistaken = np.asarray(mistaken, dtype=np.float64)
        if mistaken.shape == value.shape and (np.abs(value - mistaken) <= within).all():
            return words
    return None


def _slopes(function, at, shape):
    at = _of_shape("at", at, shape)
    steps = _STEP * np.eye(at.size)
    # f'(x) = (8 (f(x + h) - f(x - h)) - (f(x + 2 h) - f(x - 2 h))) / (12 h), off by h^4
    once = [function(at + step) - function(at - step) for step in steps]
    twice = [function(at + 2 * step) - function(at - 2 * step) for step in steps]
    slopes = (8 * np.array(once) - np.array(twice)) / (12 * _STEP)
    _validate.finite("the slope of slope_of at ", slopes)
    return slopes, _NEAR * np.maximum(1.0, np.abs(slopes))


def _central(name, samples, right, false_alarm, mistakes, cause):
    n = len(samples)
    mean, error = samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(n)
    bound = student_quantile(false_alarm / (2 * max(right.size, 1)), n - 1)
    allowed = bound * error + 1e-12 * np.maximum(1.0, np.abs(right))
    wrong = ~(np.abs(mean - right) <= allowed)
    if wrong.any():
        at = tuple(map(int, np.argwhere(wrong)[0]))
        likely = next(
            (
                words
                for words, other in mistakes.items()
                if (np.abs(mean - np.asarray(other)) <= allowed).all()
            ),
            cause,
        )
        where = f"entry {_validate.subscript(at)}" if at else "the answer"
        cause = because(likely or "a weight or a time index")
        raise WrongAnswer(
            f"{name}: the mean of {n} samples of {where} is {mean[at]:.4g} with standard error "
            f"{error[at]:.2g}, further from the right mean than the {bound:.3g} of them that chance explains"
            f"{cause}",
            f"{name}: not right on average {_UNSEEN}{cause}",
        )


def _short(value):
    return np.array2string(value, precision=4, threshold=12, edgeitems=2, separator=", ").replace("\n", "")
