"""The measuring of the benchmarks on work whose time is known: ratios, aims, table, JSON, picture."""

from __future__ import annotations

import importlib
import itertools
import json
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import harness
from benchmarks.harness import Case


@pytest.fixture(autouse=True)
def _no_collecting(monkeypatch):
    # Before each run of a case the harness collects what is left: here that would take all the time.
    monkeypatch.setattr(harness.gc, "collect", lambda: None)


@pytest.fixture
def output(tmp_path, monkeypatch):
    """Let the figures go to a folder of the test."""
    monkeypatch.setattr(harness, "OUTPUT", tmp_path / "bench")
    return tmp_path / "bench"


def toy(title="a toy", aims=(("at most", 3.0), ("at least", 3.0)), drift=(1.0,)):
    """Measure a base and two cases of 2 and 5 times its time; all drift together from round to round."""
    drifts = {}

    def takes(seconds):
        # The first call of each case warms up.
        times = drifts.setdefault(seconds, itertools.cycle(drift))
        return lambda: seconds * next(times)

    cases = [
        Case("base", takes(1e-3), seconds=True),
        Case("double", takes(2e-3), seconds=True, aim=aims[0]),
        Case("five times", takes(5e-3), seconds=True, aim=aims[1]),
        Case("no aim", takes(0.5e-3), seconds=True),
    ]
    return harness.measure(title, cases, rounds=15)


# --- measuring -------------------------------------------------------------------------------------


def test_a_ratio_is_the_median_over_rounds_of_the_ratios_in_one_round():
    # The machine is up to 7 times as slow in some rounds; the ratios do not see it.
    rows = toy(drift=(1.0, 1.0, 7.0, 3.0))["cases"]
    assert [row["ratio"] for row in rows] == [[1.0] * 3, [2.0] * 3, [5.0] * 3, [0.5] * 3]
    assert rows[0]["seconds"][0] < rows[0]["seconds"][2]


def test_the_quartiles_are_those_of_the_rounds():
    # The warm-up takes the first of 16 times; the 15 rounds take 2, ..., 16, with quartiles 5.5, 9, 12.5.
    rows = toy(drift=range(1, 17))["cases"]
    np.testing.assert_allclose(rows[0]["seconds"], [5.5e-3, 9e-3, 12.5e-3], rtol=1e-3)


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (("at most", 2.0), True),
        (("at most", 1.99), False),
        (("at least", 2.0), True),
        (("at least", 2.01), False),
    ],
)
def test_an_aim_is_met_up_to_its_bound(aim, met, capsys):
    row = toy(aims=(aim, None))["cases"][1]
    assert row["met"] is met
    assert row["aim"] == f"{aim[0]} {aim[1]:g}"
    assert f"{row['aim']}: {'met' if met else 'missed'}" in capsys.readouterr().out


def test_a_case_is_timed_without_the_making_of_its_arguments():
    def fresh():
        time.sleep(0.02)
        return (1,)

    case = Case("quick", lambda number: number, fresh)
    assert case.time(3) < 0.01
    assert Case("slow", lambda: time.sleep(0.02)).time(1) >= 0.02


def test_a_case_runs_in_its_setting_and_the_order_turns_in_odd_rounds():
    inside, order = [], []

    @contextmanager
    def setting():
        inside.append(True)
        yield
        inside.pop()

    def run(name):
        order.append((name, bool(inside)))
        return 1.0

    cases = [
        Case("a", lambda: run("a"), seconds=True),
        Case("b", lambda: run("b"), setting=setting, seconds=True),
    ]
    harness.measure("order", cases, rounds=15)
    assert [name for name, _ in order[:8]] == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert all(in_setting == (name == "b") for name, in_setting in order)


def test_too_few_rounds_are_refused():
    with pytest.raises(ValueError, match="^rounds is 14; expected at least 15$"):
        harness.measure("short", [Case("base", int)], rounds=14)


def test_values_that_differ_stop_the_measuring():
    harness.agree("V", [1.0, 2.0], [1.0, 2.0 + 1e-12])
    with pytest.raises(AssertionError, match="V differs"):
        harness.agree("V", [1.0, 2.0], [1.0, 2.001])


# --- table, JSON, picture --------------------------------------------------------------------------


def test_the_table_has_a_line_for_each_case(capsys):
    toy("a toy of 4 cases")
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].startswith("a toy of 4 cases (15 rounds of 1, load ")
    assert [line.split("  ")[1] for line in lines[2:]] == ["base", "double", "five times", "no aim"]
    assert lines[2].split()[1:3] == ["1", "ms"]
    assert lines[5].split()[2:4] == ["500", "us"]


def test_what_is_stored_is_read_again(output):
    table = toy()
    # As `sparse` does: something that is no table of ratios.
    harness.report("toys", [table, {"states": 9}])
    assert harness.stored() == {"toys": [table]}
    content = json.loads((output / "toys.json").read_text(encoding="utf-8"))
    assert content["environment"]["numpy"] == np.__version__
    assert content["tables"][1] == {"states": 9}


def test_the_picture_shows_every_ratio_beside_its_aim(output):
    harness.report("first", [toy("one")])
    harness.report("second", [toy("two", aims=(("at most", 1.5), None))])
    svg, png = harness.picture()
    words = svg.read_text(encoding="utf-8")
    for said in (
        "one",
        "two",
        "five times",
        "2, at most 3: met",
        "2, at most 1.5: missed",
        "1 = 1 ms",
        "0.5",
    ):
        assert f">{said}<" in words, said
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.parent == svg.parent == output


def test_the_picture_has_a_point_for_each_ratio_and_a_mark_for_each_aim():
    axes = harness._draw([toy()]).axes[0]
    drawn = {(tuple(each.get_xdata()), each.get_marker()) for each in axes.lines}
    # A line of quartiles and a point for each case but the base; aims at 3.
    assert {((2.0,), "o"), ((5.0,), "o"), ((0.5,), "o"), ((3.0,), "|"), ((2.0, 2.0), "None")} <= drawn
    missed = harness._draw([toy(aims=(("at most", 1.5), None))]).axes[0]
    assert ((2.0,), "X") in {(tuple(each.get_xdata()), each.get_marker()) for each in missed.lines}


def test_there_is_no_picture_of_nothing(output, capsys):
    assert harness.picture() == []
    assert "no picture: nothing is stored in" in capsys.readouterr().out


def test_without_matplotlib_the_tables_are_all_there_is(output, capsys, monkeypatch):
    harness.report("toys", [toy()])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert harness.picture() == []
    assert "no picture: matplotlib is not installed" in capsys.readouterr().out


# --- the command -----------------------------------------------------------------------------------


def test_the_command_measures_what_is_named_and_draws_it(output, monkeypatch, capsys):
    measured = []

    class Toys:
        @staticmethod
        def main(options):
            measured.append(options.rounds)
            return [toy()]

    monkeypatch.setitem(sys.modules, "benchmarks.exact", Toys)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "exact", "--rounds", "17"])
    command.main()
    assert measured == [17]
    assert (output / "exact.json").exists()
    assert (output / "ratios.png").exists()
    (output / "ratios.png").unlink()
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--picture"])
    command.main()
    assert measured == [17]
    assert (output / "ratios.png").exists()
    assert "the picture of all ratios: " in capsys.readouterr().out


def test_a_name_that_is_no_benchmark_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "exakt"])
    with pytest.raises(SystemExit):
        command.main()
    assert "no benchmark is called exakt; expected one of exact, " in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in command.NAMES if name != "autodiff"])
def test_every_name_is_a_module_with_a_main(name):
    assert callable(importlib.import_module(f"benchmarks.{name}").main)


def test_the_rival_from_outside_is_a_module_with_a_main():
    pytest.importorskip("jax", reason="JAX is not installed: autodiff has no rival")
    assert callable(importlib.import_module("benchmarks.autodiff").main)


def test_the_readme_names_every_benchmark():
    readme = (harness.OUTPUT.parents[1] / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [name for name in command.NAMES if f"`{name}`" not in readme] == []
