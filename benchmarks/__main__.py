"""Run the benchmarks: all of them, or those that are named."""

from __future__ import annotations

import argparse
import importlib

from benchmarks import harness

NAMES = ("exact", "autodiff", "batched", "grading", "imports", "language", "natural", "sampling", "sparse")


def main():
    """Read the command line, run, print the tables, store them and draw them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; without any, all")
    parser.add_argument("--rounds", type=int, default=21, help="at least 15 (default: %(default)s)")
    parser.add_argument(
        "--large", action="store_true", help="sparse: a million states too; grading: 300 students"
    )
    parser.add_argument("--picture", action="store_true", help="measure nothing, draw what is stored")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark is called {unknown[0]}; expected one of {', '.join(NAMES)}")
    if not options.picture:
        harness.show_environment()
        for name in options.names or NAMES:
            harness.report(name, importlib.import_module(f"benchmarks.{name}").main(options))
    harness.picture()


if __name__ == "__main__":
    main()
