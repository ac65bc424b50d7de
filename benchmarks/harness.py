"""Owns the measuring: rounds of interleaved cases, their ratios to a base, the report and its picture.

On a shared machine a time drifts, and all cases drift together. So every case runs once a round, in
reversed order in odd rounds, and what is reported is the median over rounds of t_case / t_base.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

#: Where the figures go, as one JSON file a benchmark.
OUTPUT = Path(__file__).parents[1] / "_build" / "bench"

#: Fewer rounds give quartiles that mean little.
LEAST_ROUNDS = 15


@dataclass(frozen=True)
class Case:
    """One way to do the work.

    Parameters
    ----------
    name : str
        As it stands in the table.
    run : callable
        The work that is timed; takes what `fresh` returns.
    fresh : callable
        Makes the arguments of one run, outside the timed part; returns a tuple.
    setting : callable
        Makes a context in which the case is prepared and run.
    aim : (str, float), optional
        "at most" or "at least", and a ratio: how t_case / t_base should compare.
    seconds : bool
        Whether `run` returns the seconds itself, because the work is done in another process.
    """

    name: str
    run: Callable
    fresh: Callable[[], tuple] = tuple
    setting: Callable[[], AbstractContextManager] = nullcontext
    aim: tuple[str, float] | None = None
    seconds: bool = False

    def time(self, number):
        """Return the median seconds of `number` runs, each on arguments made just before it."""
        with self.setting():
            gc.collect()
            gc.disable()
            try:
                return statistics.median(self._once() for _ in range(number))
            finally:
                gc.enable()

    def _once(self):
        arguments = self.fresh()
        start = time.perf_counter()
        result = self.run(*arguments)
        return result if self.seconds else time.perf_counter() - start


def measure(title, cases, *, rounds, number=1):
    """Time all cases, the first of which is the base, and print their table.

    Parameters
    ----------
    title : str
        What is done, and its sizes.
    cases : list of Case
    rounds : int
        At least 15; a round before them warms up.
    number : int
        Runs of a case in each round, for what is short; their median counts.

    Returns
    -------
    dict
        The title, the sizes of the sample and the quartiles of each case, ready for JSON.
    """
    if rounds < LEAST_ROUNDS:
        raise ValueError(f"rounds is {rounds}; expected at least {LEAST_ROUNDS}")
    for case in cases:
        case.time(1)
    seconds = {case.name: [] for case in cases}
    for k in range(rounds):
        for case in cases[:: -1 if k % 2 else 1]:
            seconds[case.name].append(case.time(number))
    base = np.array(seconds[cases[0].name])
    rows = []
    for case in cases:
        times = np.array(seconds[case.name])
        row = {"case": case.name, "seconds": _quartiles(times), "ratio": _quartiles(times / base)}
        if case.aim:
            row["aim"] = f"{case.aim[0]} {case.aim[1]:g}"
            row["met"] = bool(_meets(case.aim, row["ratio"][1]))
        rows.append(row)
    table = {"title": title, "rounds": rounds, "runs_a_round": number, "cases": rows}
    _print(table)
    return table


def report(name, tables):
    """Write the tables of one benchmark, with where they were measured, as JSON below `_build/bench`."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    content = {"benchmark": name, "environment": environment(), "tables": tables}
    (OUTPUT / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def stored():
    """Return the tables of ratios that `report` has written below `_build/bench`, by benchmark."""
    found = {}
    for path in sorted(OUTPUT.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found[content["benchmark"]] = [table for table in content["tables"] if "cases" in table]
    return found


def picture():
    """Draw the ratios of all stored tables beside their aims, as `ratios.svg` and `ratios.png`.

    Returns
    -------
    list of pathlib.Path
        The two files; none if nothing is stored or matplotlib is not installed.
    """
    tables = [table for each in stored().values() for table in each]
    if not tables:
        print(f"\nno picture: nothing is stored in {OUTPUT}")
        return []
    try:
        from matplotlib import rc_context
    except ImportError:
        print("\nno picture: matplotlib is not installed")
        return []
    files = [OUTPUT / "ratios.svg", OUTPUT / "ratios.png"]
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "ratios"}):
        figure = _draw(tables)
        for path in files:
            metadata = {"Date": None} if path.suffix == ".svg" else {}
            figure.savefig(path, dpi=150, metadata=metadata)
    print(f"\nthe picture of all ratios: {', '.join(map(str, files))}")
    return files


def environment():
    """Return when and on what the measuring is done: versions, processor, load."""
    found = {"date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "python": platform.python_version()}
    for package in ("numpy", "scipy", "pgtlab"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    found["blas"] = f"{blas['name']} {blas['version']}, one thread"
    found["processor"] = f"{_processor()}, {os.cpu_count()} cores"
    found["load"] = [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else None
    return found


def show_environment():
    """Print what `environment` returns, in two lines."""
    found = environment()
    packages = ", ".join(f"{each} {found[each]}" for each in ("python", "numpy", "scipy", "pgtlab"))
    print(f"{found['date']}; {packages}; {found['blas']}")
    print(f"{found['processor']}; load {found['load']}")


def load():
    """Return the load of the last minute in words."""
    return f"load {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "load unknown"


def agree(name, actual, expected, *, rtol=1e-9, atol=1e-12):
    """Raise AssertionError unless two ways to do the work have the same result."""
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol, err_msg=f"{name} differs")


def _print(table):
    print(f"\n{table['title']} ({table['rounds']} rounds of {table['runs_a_round']}, {load()})")
    rows = table["cases"]
    width = max(len(row["case"]) for row in rows)
    print(f"  {'':{width}}  {'time':>9}  {'quartiles':>19}  {'ratio':>6}  {'quartiles':>13}  aim")
    for row in rows:
        low, middle, high = (_duration(each) for each in row["seconds"])
        first, ratio, third = row["ratio"]
        aim = f"{row['aim']}: {'met' if row['met'] else 'missed'}" if "aim" in row else ""
        line = (
            f"  {row['case']:{width}}  {middle:>9}  {low:>9} {high:>9}  "
            f"{ratio:6.3g}  {first:6.3g} {third:6.3g}  {aim}"
        )
        print(line.rstrip())
    sys.stdout.flush()


#: Colour and marker of a ratio: that an aim is missed shows in black and white too.
_MARKS = {True: ("#0072b2", "o"), False: ("#d55e00", "X"), None: ("0.45", "o")}


def _draw(tables):
    """Return a figure with a line for each case, under the title of its table, from the top down."""
    from matplotlib.figure import Figure

    n_lines = sum(len(table["cases"]) + 2 for table in tables)
    height = 0.19 * n_lines + 1.0
    figure = Figure(figsize=(10.0, height))
    axes = figure.add_axes((0.36, 0.62 / height, 0.46, 1 - 0.9 / height))
    line = 0
    for table in tables:
        _write(axes, -0.76, line, table["title"], weight="bold", bbox={"color": "white", "pad": 1})
        for row in table["cases"]:
            line += 1
            _draw_case(axes, line, row, is_base=row is table["cases"][0])
        axes.axhline(line + 0.9, color="0.9", linewidth=0.6)
        line += 2
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set(xscale="log", ylim=(line - 1, -1), yticks=[])
    axes.set_xlabel("time of a case / time of the first of its table (median, quartiles)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.spines[["left", "right", "top"]].set_visible(False)
    _draw_key(figure)
    return figure


def _draw_case(axes, line, row, *, is_base):
    low, ratio, high = row["ratio"]
    colour, marker = _MARKS[row.get("met")]
    words = f"1 = {_duration(row['seconds'][1])}" if is_base else f"{ratio:.3g}"
    if not is_base:
        axes.plot([low, high], [line, line], color=colour, linewidth=1.5, solid_capstyle="butt")
        axes.plot(ratio, line, marker, color=colour, markersize=5)
    if "aim" in row:
        axes.plot(float(row["aim"].split()[-1]), line, "|", color="black", markersize=10)
        words += f", {row['aim']}: {'met' if row['met'] else 'missed'}"
    _write(axes, -0.02, line, row["case"], ha="right")
    _write(axes, 1.02, line, words, color=colour)


def _write(axes, x, line, words, **style):
    """Write beside the axes; `x` is a share of their width."""
    axes.text(x, line, words, va="center", fontsize=8, transform=axes.get_yaxis_transform(), **style)


def _draw_key(figure):
    from matplotlib.lines import Line2D

    names = {True: "aim met", False: "aim missed", None: "no aim"}
    entries = [
        Line2D([], [], color=colour, marker=marker, linestyle="", markersize=5, label=names[met])
        for met, (colour, marker) in _MARKS.items()
    ]
    entries.append(Line2D([], [], color="black", marker="|", linestyle="", markersize=10, label="aim"))
    figure.legend(
        handles=entries, loc="upper center", ncols=4, fontsize=8, frameon=False, bbox_to_anchor=(0.59, 1.0)
    )


def _quartiles(values):
    return [float(f"{each:.4g}") for each in np.quantile(values, [0.25, 0.5, 0.75])]


def _meets(aim, ratio):
    return {"at most": ratio <= aim[1], "at least": ratio >= aim[1]}[aim[0]]


def _duration(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )
