"""Owns the large study: one task, many settings, many runs of each, on as many workers as there are."""

from __future__ import annotations

import warnings
from concurrent.futures import BrokenExecutor, as_completed
from functools import partial

from pgtlab import _validate
from pgtlab._progress import progress


class StudyError(RuntimeError):
    """Error of one run of a study.

    Attributes
    ----------
    results : list of list
        What the finished runs returned, as `study` would have; None for the others.

    Examples
    --------
    >>> import numpy as np
    >>> def inverse(n, rng):
    ...     return 1 / n
    >>> try:
    ...     study(inverse, [{"n": 2}, {"n": 0}], n_runs=1, rng=np.random.default_rng(0))
    ... except StudyError as error:
    ...     print(error, error.results)
    run 0 of settings[1] = {'n': 0} raised ZeroDivisionError: division by zero [[0.5], [None]]
    """

    def __init__(self, message, results):
        super().__init__(message)
        self.results = results

    def __reduce__(self):
        return StudyError, (str(self), self.results)


def study(task, settings, *, n_runs, executor=None, rng):
    r"""Run a task for each setting several times, each time with a random generator of its own.

    Parameters
    ----------
    task : callable
        Called as ``task(**setting, rng=generator)``. With an executor that works in other processes it must
        be a function of a module, and its settings and result must be picklable.
    settings : sequence of mapping
        Keyword arguments of the task, a mapping for each setting.
    n_runs : int
        Runs of each setting, at least 1.
    executor : concurrent.futures.Executor, optional
        Where the runs are made: processes of this machine, or an executor of Dask or MPI. Without one they
        are made here, one after the other.
    rng : numpy.random.Generator
        Spawns the generator of each run.

    Returns
    -------
    list of list
        ``result[i][j]`` is what the task returned for ``settings[i]`` in run j; None for what an interruption
        left undone.

    Raises
    ------
    StudyError
        If a task raises: names the setting and the run, has the task's own error as its cause, and keeps the
        results of the runs that were finished. Runs that had not begun are cancelled.
    ValueError
        If there are no settings or `n_runs` is below 1.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    Run j of setting i gets the same generator whatever the executor and however many workers it has, so that
    the results are the same bit for bit. Interrupted from the keyboard, the study returns what is done, with
    a RuntimeWarning that says how much.

    References
    ----------
    NumPy, "Parallel random number generation", on `Generator.spawn`.

    Examples
    --------
    >>> import numpy as np
    >>> def mean(n, rng):
    ...     return rng.random(n).mean().round(1).item()
    >>> study(mean, [{"n": 10_000}, {"n": 20_000}], n_runs=3, rng=np.random.default_rng(0))
    [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    """
    _validate.generator(rng)
    if not callable(task):
        raise TypeError(f"task must be a function, got {type(task).__name__}")
    if executor is not None and (
        isinstance(executor, type) or not callable(getattr(executor, "submit", None))
    ):
        got = f"the class {executor.__name__}" if isinstance(executor, type) else type(executor).__name__
        raise TypeError(
            "executor must have a method submit, as a concurrent.futures.ProcessPoolExecutor() has, "
            f"got {got}"
        )
    settings = [_setting(i, each) for i, each in enumerate(settings)]
    if not settings:
        raise ValueError("settings is empty; expected at least one mapping of keyword arguments")
    n_runs = _validate.count("n_runs", n_runs, 1, 10**6)
    generators = rng.spawn(len(settings) * n_runs)
    jobs = [(i, j, generators[i * n_runs + j]) for i in range(len(settings)) for j in range(n_runs)]
    futures, finished, place = {}, {}, None
    if executor is None:
        made = _here(task, settings, jobs)
    else:
        made = _elsewhere(task, settings, jobs, executor, futures)
    try:
        for place, result in progress(made, len(jobs), "runs"):
            finished[place] = result()
    except KeyboardInterrupt:
        finished |= _stop(futures)
        warnings.warn(
            f"interrupted after {len(finished)} of {len(jobs)} runs; the others are None",
            RuntimeWarning,
            stacklevel=2,
        )
    except Exception as error:
        finished |= _stop(futures)
        # Before the first run only the executor can have failed.
        if place is None:
            raise
        i, j = place
        raise StudyError(
            f"run {j} of settings[{i}] = {settings[i]!r} raised {type(error).__name__}: {error}"
            f"{_why_broken(task, error)}",
            _in_order(finished, len(settings), n_runs),
        ) from error
    return _in_order(finished, len(settings), n_runs)


def _why_broken(task, error):
    """Return the likely cause in words, if a process ended because it could not import the task."""
    if isinstance(error, BrokenExecutor) and getattr(task, "__module__", None) == "__main__":
        return (
            f" Likely cause: {task.__name__} is defined in the notebook or script that runs, which a new "
            "process cannot import. Put it into a module of its own, a file beside it, and import that"
        )
    return ""


def _setting(i, setting):
    try:
        setting = dict(setting)
    except (TypeError, ValueError):
        raise TypeError(
            f"settings[{i}] must be a mapping of keyword arguments, got {type(setting).__name__}"
        ) from None
    if "rng" in setting:
        raise ValueError(f"settings[{i}] has an rng; expected none, for the study gives each run its own")
    return setting


def _here(task, settings, jobs):
    """Yield the place of each run, and a function that gives its result."""
    for i, j, generator in jobs:
        yield (i, j), partial(task, **settings[i], rng=generator)


def _elsewhere(task, settings, jobs, executor, futures):
    """Yield the same in the order in which the runs are finished; note the place of each future."""
    for i, j, generator in jobs:
        # The settings as one argument: an executor has keyword arguments of its own.
        futures[executor.submit(_run, task, settings[i], generator)] = i, j
    for future in as_completed(futures):
        yield futures[future], future.result


def _run(task, setting, generator):
    return task(**setting, rng=generator)


def _stop(futures):
    """Cancel what has not begun, and return the results of what is finished by place."""
    for future in futures:
        future.cancel()
    return {
        place: future.result()
        for future, place in futures.items()
        if future.done() and not future.cancelled() and future.exception() is None
    }


def _in_order(finished, n_settings, n_runs):
    return [[finished.get((i, j)) for j in range(n_runs)] for i in range(n_settings)]
