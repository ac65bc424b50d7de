"""What a stage costs is recorded, printed, and held to its share."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_book import load

ROOT = Path(__file__).parents[1]
times = load(ROOT / "tools" / "times.py")
setup_time = load(ROOT / "tools" / "setup_time.py")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(times, "KEPT", tmp_path)
    monkeypatch.setattr(times, "yardstick", lambda: times.YARDSTICK)
    return tmp_path


def test_a_command_is_recorded_with_its_seconds_and_its_status(kept):
    wait = [sys.executable, "-c", "import os, time; time.sleep(0.2); print(os.environ['PGT_STAGE'])"]
    assert times.main(["--stage", "lint", *wait]) == 0
    recorded = times.recorded()["lint"]
    assert recorded["seconds"] > 0.2
    assert recorded["cpu"] > 0
    assert times.main(["--stage", "lint", sys.executable, "-c", "raise SystemExit(3)"]) == 3
    assert times.recorded()["lint"]["status"] == 3
    assert times.main(["--clear"]) == 0
    assert times.recorded() == {}


def test_every_process_that_tests_tells_of_its_tests(kept):
    (kept / "test_two.py").write_text("def test_a(): pass\n\ndef test_b(): pass\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tools.times", "-n", "2", "-p", "no:cacheprovider"]
    environment = os.environ | {"PGT_STAGE": "lint", "PGT_TIMES": str(kept)}
    where = ["--rootdir", str(kept), "--confcutdir", str(kept), "-c", os.devnull, str(kept)]
    subprocess.run([*command, *where], cwd=ROOT, env=environment, check=True, capture_output=True)
    names = {name.rpartition("::")[2] for name in json.loads((kept / "lint.json").read_text())["tests"]}
    assert names == {"test_a", "test_b"}


def test_the_table_has_every_stage_and_the_slowest_tests_first(kept, capsys):
    times.record("lint", seconds=9.0, cpu=8.0, yardstick=times.YARDSTICK)
    times.record("unit tests", seconds=100.0, cpu=180.0, yardstick=times.YARDSTICK)
    times.record("unit tests", tests={"quick": 0.1, "slow": 7.0})
    assert times.main(["--slowest", "1"]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[1:4]] == ["lint", "unit", "all"]
    assert "109" in printed.splitlines()[3]
    assert printed.splitlines()[-1].split() == ["7.0", "s", "slow"]
    assert "quick" not in printed


def test_with_nothing_recorded_the_table_says_so(kept, capsys):
    assert times.main([]) == 0
    assert capsys.readouterr().out.startswith("Nothing is recorded yet")


def test_a_stage_that_outgrows_its_share_is_named(kept, capsys):
    share = times.allowed("book", times.YARDSTICK)
    times.record("book", seconds=0.99 * times.ROOM * share, cpu=1.0, yardstick=times.YARDSTICK)
    assert times.main(["--check"]) == 0
    times.record("book", seconds=1.01 * times.ROOM * share)
    assert times.main(["--check"]) == 1
    assert "book: " in capsys.readouterr().err
    # On a machine on which the yardstick takes twice as long it has not.
    times.record("book", yardstick=2 * times.YARDSTICK)
    assert times.main(["--check"]) == 0


def test_a_page_more_costs_what_the_shares_say(monkeypatch):
    before = {stage: times.allowed(stage, times.YARDSTICK) for stage in times.SHARES}
    pages = times.pages()
    monkeypatch.setattr(times, "pages", lambda: pages + 1)
    more = {stage: times.allowed(stage, times.YARDSTICK) - before[stage] for stage in times.SHARES}
    assert more == pytest.approx({stage: each for stage, (_, each) in times.SHARES.items()})
    assert sum(more.values()) <= 80


def test_every_stage_of_the_whole_check_has_a_share():
    stages = (ROOT / "Makefile").read_text(encoding="utf-8") + (ROOT / ".ci" / "run").read_text("utf-8")
    for stage in times.SHARES:
        assert stage in stages, stage


def test_a_package_weighs_what_its_files_do(tmp_path):
    place = tmp_path / "lib" / "python3.11" / "site-packages"
    (place / "heavy").mkdir(parents=True)
    (place / "heavy" / "data.bin").write_bytes(bytes(3_000_000))
    (place / "heavy-1.0.dist-info").mkdir()
    (place / "heavy-1.0.dist-info" / "METADATA").write_text("Name: heavy\nVersion: 1.0\n", encoding="utf-8")
    (place / "heavy-1.0.dist-info" / "RECORD").write_text("heavy/data.bin,,\n", encoding="utf-8")
    assert setup_time.packages(tmp_path) == {"heavy": 3.0}
