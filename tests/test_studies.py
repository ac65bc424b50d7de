"""Studies: the same numbers on every executor, and nothing lost when a run fails or somebody interrupts."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pgtlab import study
from pgtlab.studies import StudyError
from tests import tasks
from tests.problems import exactly

SETTINGS = [{"stay": 0.3, "n_episodes": 40}, {"stay": 0.8, "n_episodes": 25}]


def by_hand():
    """The study of `SETTINGS` as it is defined: a loop over the generators in turn."""
    generators = np.random.default_rng(31).spawn(6)
    return [
        [tasks.mean_return(**setting, rng=generators[3 * i + j]) for j in range(3)]
        for i, setting in enumerate(SETTINGS)
    ]


@contextmanager
def here():
    yield None


@contextmanager
def processes(n_workers):
    # Not forked: other tests leave threads behind, which a fork does not carry over.
    with ProcessPoolExecutor(n_workers, multiprocessing.get_context("spawn")) as executor:
        yield executor


@contextmanager
def dask(n_workers, *, in_processes):
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    cluster = distributed.LocalCluster(
        n_workers=n_workers, threads_per_worker=1, processes=in_processes, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client.get_executor()


EXECUTORS = {
    "here": here,
    "1 process": lambda: processes(1),
    "2 processes": lambda: processes(2),
    "3 threads": lambda: ThreadPoolExecutor(3),
    "dask, 1 worker": lambda: dask(1, in_processes=False),
    "dask, 2 workers": lambda: dask(2, in_processes=False),
    "dask, 2 processes": lambda: dask(2, in_processes=True),
}


# --- the same numbers everywhere -------------------------------------------------------------------


@pytest.mark.parametrize("place", EXECUTORS)
def test_the_numbers_are_the_same_bit_for_bit_wherever_they_are_made(place):
    with EXECUTORS[place]() as executor:
        results = study(
            tasks.mean_return, SETTINGS, n_runs=3, executor=executor, rng=np.random.default_rng(31)
        )
    assert_array_equal(results, by_hand(), strict=True)


def test_two_processes_do_work_beside_this_one():
    with processes(2) as executor:
        found = study(tasks.process, [{}], n_runs=4, executor=executor, rng=np.random.default_rng(0))
    assert os.getpid() not in found[0]


def test_results_are_in_the_order_of_the_settings_and_not_of_their_finish():
    with ThreadPoolExecutor(8) as executor:
        settings = [{"k": k} for k in range(4)]
        results = study(tasks.slow_first, settings, n_runs=2, executor=executor, rng=np.random.default_rng(1))
    draws = [each.random() for each in np.random.default_rng(1).spawn(8)]
    assert results == [[(k, draws[2 * k]), (k, draws[2 * k + 1])] for k in range(4)]


def test_more_runs_and_settings_leave_the_first_runs_as_they_were():
    def first(settings, n_runs):
        results = study(tasks.mean_return, settings, n_runs=n_runs, rng=np.random.default_rng(2))
        return results[0][:2]

    assert_array_equal(first(SETTINGS, 2), first(SETTINGS[:1], 5))


def test_a_second_study_with_the_same_generator_has_other_numbers():
    rng = np.random.default_rng(3)
    one, two = (study(tasks.mean_return, SETTINGS, n_runs=1, rng=rng) for _ in range(2))
    assert (np.array(one) != np.array(two)).all()


@pytest.mark.parametrize("place", ["here", "3 threads", "dask, 1 worker"])
def test_settings_may_be_named_as_executors_name_their_own(place):
    setting = {"key": 1, "workers": 2, "fn": 3, "task": 4}
    with EXECUTORS[place]() as executor:
        results = study(
            tasks.named_like_the_executors_own,
            [setting],
            n_runs=1,
            executor=executor,
            rng=np.random.default_rng(0),
        )
    assert results == [[(1, 2, 3, 4)]]


def test_settings_may_be_any_mappings_in_any_iterable():
    settings = (MappingProxyType({"n": n}) for n in (1, 2))
    assert study(tasks.inverse, settings, n_runs=1, rng=np.random.default_rng(0)) == [[1.0], [0.5]]


# --- a run that fails ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["here", "1 process", "dask, 1 worker"])
def test_a_run_that_raises_is_named_and_the_others_are_kept(place):
    settings = [{"n": 4}, {"n": 0}, {"n": 2}]
    with EXECUTORS[place]() as executor, pytest.raises(StudyError) as failure:
        study(tasks.inverse, settings, n_runs=1, executor=executor, rng=np.random.default_rng(0))
    error = failure.value
    assert str(error) == "run 0 of settings[1] = {'n': 0} raised ZeroDivisionError: division by zero"
    assert isinstance(error.__cause__, ZeroDivisionError)
    # What was finished before is there; of what came after, what was finished or nothing. Dask tells of its
    # runs in messages of their own, and the failure's may come first.
    assert error.results[0] == [0.25] or (place.startswith("dask") and error.results[0] == [None])
    assert error.results[1] == [None]
    assert error.results[2] in ([None], [0.5])


def test_the_error_of_a_study_survives_pickling():
    with pytest.raises(StudyError) as failure:
        study(tasks.inverse, [{"n": 2}, {"n": 0}], n_runs=1, rng=np.random.default_rng(0))
    again = pickle.loads(pickle.dumps(failure.value))
    assert isinstance(again, StudyError)
    assert str(again) == str(failure.value)
    assert again.results == [[0.5], [None]]


def test_an_error_with_arguments_of_its_own_is_named_too():
    with pytest.raises(
        StudyError, match=r"^run 0 of settings\[1\] = .* raised UnicodeDecodeError: 'utf-8' codec"
    ):
        study(tasks.rejected, [{"n": 0}, {"n": 1}], n_runs=2, rng=np.random.default_rng(0))


def test_a_result_that_cannot_come_back_is_named():
    with (
        processes(1) as executor,
        pytest.raises(StudyError, match=r"^run 0 of settings\[0\] = \{\} raised .*pickle"),
    ):
        study(tasks.not_for_sending, [{}], n_runs=1, executor=executor, rng=np.random.default_rng(0))


def test_a_task_that_cannot_be_sent_is_named():
    with (
        processes(1) as executor,
        pytest.raises(StudyError, match=r"^run 0 of settings\[0\] = \{\} raised .*pickle"),
    ):
        study(lambda rng: 0, [{}], n_runs=1, executor=executor, rng=np.random.default_rng(0))


def test_a_task_of_the_notebook_itself_is_named_when_new_processes_cannot_import_it(monkeypatch):
    # As in a notebook under "spawn": the function is in this __main__, and not in that of the new process.
    def of_the_notebook(*, rng):
        return 0

    main = sys.modules["__main__"]
    monkeypatch.setattr(of_the_notebook, "__module__", "__main__", raising=False)
    monkeypatch.setattr(of_the_notebook, "__qualname__", "of_the_notebook")
    monkeypatch.setattr(main, "of_the_notebook", of_the_notebook, raising=False)
    with processes(1) as executor, pytest.raises(StudyError) as failure:
        study(of_the_notebook, [{}], n_runs=1, executor=executor, rng=np.random.default_rng(0))
    assert str(failure.value).startswith("run 0 of settings[0] = {} raised BrokenProcessPool: ")
    assert str(failure.value).endswith(
        " Likely cause: of_the_notebook is defined in the notebook or script that runs, which a new process "
        "cannot import. Put it into a module of its own, a file beside it, and import that"
    )


def test_a_setting_that_the_task_does_not_know_is_named():
    with pytest.raises(
        StudyError, match=r"^run 0 of settings\[0\] = \{'m': 1\} raised TypeError: inverse\(\) got an"
    ):
        study(tasks.inverse, [{"m": 1}], n_runs=1, rng=np.random.default_rng(0))


def test_an_executor_that_is_shut_down_is_an_error_of_its_own():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        study(tasks.inverse, [{"n": 1}], n_runs=1, executor=executor, rng=np.random.default_rng(0))


# --- an interruption -------------------------------------------------------------------------------


def test_what_was_done_before_an_interruption_is_returned_with_a_warning():
    settings = [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 3}]
    with pytest.warns(
        RuntimeWarning, match=exactly("interrupted after 4 of 8 runs; the others are None")
    ) as seen:
        results = study(tasks.interrupted, settings, n_runs=2, rng=np.random.default_rng(0))
    assert results == [[0, 0], [1, 1], [None, None], [None, None]]
    # It points here, not into the package.
    assert seen[0].filename == __file__


class Stopped(Executor):
    """Runs some at once; the next one ends in an error, and the others never begin."""

    def __init__(self, n_done, error):
        self.n_done, self.error, self.futures = n_done, error, []

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        if len(self.futures) < self.n_done:
            future.set_result(fn(*args, **kwargs))
        elif len(self.futures) == self.n_done:
            future.set_exception(self.error)
        self.futures.append(future)
        return future


def stopped(error):
    """Return the study of four runs of which two are finished, and the executor."""
    executor = Stopped(2, error)
    settings, rng = [{"n": 1}, {"n": 2}], np.random.default_rng(0)
    return executor, lambda: study(tasks.inverse, settings, n_runs=2, executor=executor, rng=rng)


def test_an_interruption_while_workers_are_awaited_keeps_what_is_done_and_cancels_the_rest():
    executor, run = stopped(KeyboardInterrupt())
    with pytest.warns(RuntimeWarning, match=exactly("interrupted after 2 of 4 runs; the others are None")):
        results = run()
    assert results == [[1.0, 1.0], [None, None]]
    assert executor.futures[3].cancelled()


def test_an_error_while_workers_are_awaited_keeps_what_is_done_and_cancels_the_rest():
    executor, run = stopped(OSError("no more room"))
    with pytest.raises(
        StudyError, match=r"^run 0 of settings\[1\] = .* raised OSError: no more room$"
    ) as failure:
        run()
    assert failure.value.results == [[1.0, 1.0], [None, None]]
    assert executor.futures[3].cancelled()


def test_a_study_that_is_interrupted_in_a_process_keeps_what_is_done():
    settings = [{"n": 0}, {"n": 1}, {"n": 2}]
    with (
        processes(1) as executor,
        pytest.warns(RuntimeWarning, match="^interrupted after [0-2] of 3 runs; the oth"),
    ):
        results = study(
            tasks.interrupted, settings, n_runs=1, executor=executor, rng=np.random.default_rng(0)
        )
    assert results[2] == [None]


# --- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        (
            {"rng": 0},
            TypeError,
            "rng must be a numpy.random.Generator, got int; write rng=np.random.default_rng(seed)",
        ),
        (
            {"rng": None},
            TypeError,
            "rng must be a numpy.random.Generator, got None; write rng=np.random.default_rng(seed)",
        ),
        (
            {"executor": "x"},
            TypeError,
            "executor must have a method submit, as a concurrent.futures.ProcessPoolExecutor() has, got str",
        ),
        (
            {"n_runs": 10**15},
            ValueError,
            "n_runs is 1000000000000000; expected an integer of at most 1000000",
        ),
        ({"n_runs": 0}, ValueError, "n_runs is 0; expected an integer of at least 1"),
        ({"n_runs": 1.5}, TypeError, "n_runs must be an integer, got float"),
        (
            {"settings": []},
            ValueError,
            "settings is empty; expected at least one mapping of keyword arguments",
        ),
        (
            {"settings": [{"n": 1}, 3]},
            TypeError,
            "settings[1] must be a mapping of keyword arguments, got int",
        ),
        (
            {"settings": [{"n": 1, "rng": 0}]},
            ValueError,
            "settings[0] has an rng; expected none, for the study gives each run its own",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_run(changed, error, words):
    arguments = {"settings": [{"n": 1}], "n_runs": 1, "rng": np.random.default_rng(0), **changed}
    with pytest.raises(error, match=exactly(words)):
        study(tasks.inverse, arguments.pop("settings"), **arguments)


def test_a_task_is_a_function():
    with pytest.raises(TypeError, match=exactly("task must be a function, got float")):
        study(0.5, [{"n": 1}], n_runs=1, rng=np.random.default_rng(0))


def test_the_generator_must_be_there():
    with pytest.raises(TypeError, match="rng"):
        study(tasks.inverse, [{"n": 1}], n_runs=1)


def test_a_refused_study_leaves_the_generator_as_it_was():
    rng = np.random.default_rng(5)
    with pytest.raises(ValueError):
        study(tasks.inverse, [], n_runs=1, rng=rng)
    assert rng.bit_generator.seed_seq.n_children_spawned == 0


def test_a_class_of_executors_is_none():
    words = (
        "executor must have a method submit, as a concurrent.futures.ProcessPoolExecutor() has, got the class"
    )
    with pytest.raises(TypeError, match=exactly(f"{words} ProcessPoolExecutor")):
        study(
            tasks.inverse,
            [{"n": 1}],
            n_runs=1,
            executor=ProcessPoolExecutor,
            rng=np.random.default_rng(0),
        )
