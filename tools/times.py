"""What each stage of the whole check costs, and its slowest tests.

    python tools/times.py                      print the table of the last run of each stage
    python tools/times.py --slowest 50         with the slowest fifty tests
    python tools/times.py --check              exit 1 if a stage has outgrown its share
    python tools/times.py --clear              forget all
    python tools/times.py --stage NAME COMMAND ...    run a command and record it as a stage
    python tools/times.py --took NAME SECONDS         record a stage that something else has timed

As a plugin of pytest (`-p tools.times`) it records what each test costs. Everything lies in .venv/times.

A stage may take a fixed number of seconds and so many more for each page of the book, both for two quiet
cores of the machine on which they were measured. How fast another machine is, and how busy, a yardstick says
that runs just before and after the stage, on every core: where it takes twice as long, so may the stage.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEPT = Path(os.environ.get("PGT_TIMES", ROOT / ".venv" / "times"))

#: Seconds that a stage may take: so many, and so many more for each page of the book. Measured beside
#: other work and leave room; what a quiet machine needs is less.
SHARES = {
    "install": (240, 0),
    "lint": (15, 0),
    "unit tests": (550, 2),
    "libraries": (120, 0),
    "notebooks": (20, 6),
    "notebooks, as on another processor": (20, 6),
    "book": (60, 8),
    "book in a browser": (150, 24),
    "pages that run": (150, 9),
    "notebooks in a browser": (150, 25),
}
YARDSTICK = 0.77  # seconds of `yardstick` on that machine
ROOM = 2  # times its share: from then on a stage has outgrown it, whatever the noise


def pages() -> int:
    """How many pages the table of contents names."""
    import yaml

    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return 1 + sum(len(part["chapters"]) for part in contents["parts"])


def allowed(stage: str, yardstick: float) -> float:
    fixed, for_each_page = SHARES[stage]
    return (fixed + for_each_page * pages()) * max(1, yardstick / YARDSTICK)


def work(_) -> int:
    total = 0
    for i in range(6_000_000):
        total += i * i % 7
    return total


def yardstick() -> float:
    """Seconds of a fixed piece of work, done on each core at once."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    start = time.monotonic()
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(work, range(cores)))
    return time.monotonic() - start


def file_of(stage: str) -> Path:
    return KEPT / f"{stage.replace(' ', '-')}.json"


def record(stage: str, **found) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    file = file_of(stage)
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(json.dumps(known | found), encoding="utf-8")


def run(stage: str, command: list[str]) -> int:
    """Run a command as a stage, and return its exit status."""
    file_of(stage).unlink(missing_ok=True)
    before = yardstick()
    start = time.monotonic()
    status = subprocess.run(command, env={**os.environ, "PGT_STAGE": stage}).returncode
    seconds = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    slowness = (before + yardstick()) / 2
    record(stage, seconds=seconds, cpu=used.ru_utime + used.ru_stime, yardstick=slowness, status=status)
    return status


def recorded() -> dict[str, dict]:
    """What was recorded, by stage."""
    found = {stage: file_of(stage) for stage in SHARES}
    return {
        stage: json.loads(file.read_text(encoding="utf-8")) for stage, file in found.items() if file.exists()
    }


def outgrown(stages: dict[str, dict]) -> list[str]:
    """The stages that took more than their share has room for, each with its figures."""
    return [
        f"{stage}: {each['seconds']:.0f} s; its share is {allowed(stage, each['yardstick']):.0f} s here, "
        f"and {ROOM} times that has no noise in it: make it quicker, or say in SHARES why it must grow"
        for stage, each in stages.items()
        if each["seconds"] > ROOM * allowed(stage, each["yardstick"])
    ]


def table(stages: dict[str, dict], slowest: int) -> str:
    lines = [f"{'stage':36}{'seconds':>9}{'CPU':>8}{'tests':>7}{'share':>8}{'used':>7}"]
    for stage, each in stages.items():
        seconds, share = each["seconds"], allowed(stage, each["yardstick"])
        cpu = f"{each['cpu']:.0f}" if "cpu" in each else ""
        tests = len(each.get("tests", ())) or ""
        lines.append(f"{stage:36}{seconds:9.0f}{cpu:>8}{tests:>7}{share:8.0f}{seconds / share:7.0%}")
    lines.append(f"{'all':36}{sum(each['seconds'] for each in stages.values()):9.0f}")
    lines.append(
        f"share: on two quiet cores, for {pages()} pages, times how slow this machine was by the yardstick"
    )
    tests = [each for stage in stages.values() for each in stage.get("tests", {}).items()]
    if slowest and tests:
        lines += ["", f"the slowest {min(slowest, len(tests))} of {len(tests)} tests, with what they set up"]
        tests.sort(key=lambda each: -each[1])
        lines += [f"{seconds:8.1f} s  {name}" for name, seconds in tests[:slowest]]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What each stage of the whole check costs.")
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="print the slowest N tests too")
    parser.add_argument("--check", action="store_true", help="exit 1 if a stage has outgrown its share")
    parser.add_argument("--clear", action="store_true", help="forget what was recorded")
    parser.add_argument(
        "--took", nargs=2, metavar=("NAME", "SECONDS"), help="record what something else timed"
    )
    parser.add_argument("--stage", choices=SHARES, help="record the command that follows as this stage")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if options.stage:
        return run(options.stage, options.command)
    if options.took:
        stage, seconds = options.took
        record(stage, seconds=float(seconds), yardstick=yardstick())
        return 0
    if options.clear:
        for stage in SHARES:
            file_of(stage).unlink(missing_ok=True)
        return 0
    stages = recorded()
    if not stages:
        print("Nothing is recorded yet: `make test`, `make book` and the others do it.")
        return 0
    print(table(stages, options.slowest))
    too_long = outgrown(stages) if options.check else []
    for line in too_long:
        print(line, file=sys.stderr)
    return int(bool(too_long))


# --- as a plugin of pytest --------------------------------------------------------------------------

tests: dict[str, float] = {}


def pytest_runtest_logreport(report) -> None:
    tests[report.nodeid] = tests.get(report.nodeid, 0) + report.duration


def pytest_sessionfinish(session) -> None:
    stage = os.environ.get("PGT_STAGE")
    if stage and tests and not hasattr(session.config, "workerinput"):  # one process writes for all
        record(stage, tests={name: round(seconds, 2) for name, seconds in tests.items()})


if __name__ == "__main__":
    sys.exit(main())
