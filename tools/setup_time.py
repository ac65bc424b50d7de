"""Measure a first `make book` on a bare machine: its seconds, its megabytes, and what weighs most.

    python tools/setup_time.py               in a copy of what git knows, which is removed afterwards
    python tools/setup_time.py --no-build    the installation alone

What pip and uv have fetched before is not fetched again; set PIP_NO_CACHE_DIR=1 and UV_NO_CACHE=1 to measure
that too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 25


def megabytes(paths) -> float:
    return sum(path.stat().st_size for path in paths if path.is_file() and not path.is_symlink()) / 1e6


def packages(folder: Path) -> dict[str, float]:
    """What each installed package weighs, in megabytes, by its name; what is compiled on use is left out."""
    found = metadata.distributions(path=[str(path) for path in folder.glob("lib/python*/site-packages")])
    return {
        each.metadata["Name"]: megabytes(map(Path, map(each.locate_file, each.files or []))) for each in found
    }


def timed(command: list[str], where: Path) -> float:
    start = time.monotonic()
    done = subprocess.run(
        command, cwd=where, capture_output=True, text=True, env={**os.environ, "MAKEFLAGS": ""}
    )
    if done.returncode:
        sys.exit(f"`{' '.join(command)}` failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a first `make book` on a bare machine.")
    parser.add_argument("--no-build", action="store_true", help="measure the installation alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, "book")
        timed(["git", "clone", "--quiet", str(ROOT), str(copy)], ROOT)
        print(f"install: {timed(['make', '.venv/.book-installed'], copy):.0f} s")
        found = packages(copy / ".venv")
        print(f"installed: {len(found)} packages, {megabytes((copy / '.venv').rglob('*')):.0f} MB in all")
        if not options.no_build:
            seconds = timed(["make", "book"], copy)
            print(f"build: {seconds:.0f} s, {megabytes((copy / '_build').rglob('*')):.0f} MB")
        for name, weight in sorted(found.items(), key=lambda each: -each[1])[:SHOWN]:
            print(f"{weight:8.1f} MB  {name}")


if __name__ == "__main__":
    main()
