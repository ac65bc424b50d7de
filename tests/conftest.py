"""What all tests share: a back end without a window, Hypothesis without a clock, and what runs first."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import settings

from tests import reach

# A shared machine is slow at random, so no deadline. A desk draws few examples, new ones on each run; CI
# draws many, the same each time.
settings.register_profile("desk", deadline=None, print_blob=True, max_examples=30)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

PASSED_WITH = (
    "pgtlab/passed-with"  # in pytest's cache: for each test file, what it could reach when it passed
)
outcomes = {}


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "cache"):
        reach.sort(items, config.cache.get(PASSED_WITH, {}))


def pytest_runtest_logreport(report):
    file = report.nodeid.partition("::")[0]
    outcomes[file] = outcomes.get(file, True) and report.outcome != "failed"


def pytest_sessionfinish(session):
    config = session.config
    if hasattr(config, "workerinput") or not hasattr(config, "cache"):  # one process writes for all
        return
    passed = [file for file, good in outcomes.items() if good and file.endswith(".py")]
    states = {file: reach.state(reach.ROOT / file) for file in passed}
    config.cache.set(PASSED_WITH, config.cache.get(PASSED_WITH, {}) | states)
