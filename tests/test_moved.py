"""Names of rooms that the package had before: an old import says where its room went."""

import subprocess
import sys

import pytest

import pgtlab
from pgtlab import _moved


@pytest.mark.parametrize("old", sorted(set(_moved.ROOMS) - {"chain"}))
@pytest.mark.parametrize(
    "line", ["import pgtlab.{}", "from pgtlab import {}", "from pgtlab.{} import x", "import pgtlab.{}.x"]
)
def test_an_old_import_says_where_the_room_went(old, line):
    with pytest.raises(
        ImportError, match=rf"^pgtlab\.{old} is pgtlab\.{_moved.ROOMS[old]} since version 0\.4"
    ):
        exec(line.format(old), {})


@pytest.mark.parametrize("line", ["import pgtlab.chain.finite", "from pgtlab.chain import FiniteChain"])
def test_the_room_of_chains_is_another_and_its_function_stays(line):
    with pytest.raises(ImportError, match=r"^pgtlab\.chain is pgtlab\.exact since"):
        exec(line, {})
    assert callable(pgtlab.chain)


@pytest.mark.parametrize("old", sorted(set(_moved.ROOMS) - {"chain"}))
def test_an_old_attribute_says_where_the_room_went(old):
    with pytest.raises(AttributeError, match=rf"^pgtlab\.{old} is pgtlab\.{_moved.ROOMS[old]} since"):
        getattr(pgtlab, old)


@pytest.mark.parametrize("new", sorted(set(_moved.ROOMS.values())))
def test_the_rooms_are_there_by_their_path(new):
    run = "import importlib; m = importlib.import_module('pgtlab.{0}'); assert m.__name__ == 'pgtlab.{0}'"
    subprocess.run([sys.executable, "-c", run.format(new)], check=True)
