"""Build the site in which the notebooks of the book run in the reader's browser.

    python tools/lite.py                      the notebooks that the pages of the built book hand out
    python tools/lite.py x.ipynb ...          the notebooks named
    python tools/lite.py --output FOLDER      elsewhere than _build/html/lite
    python tools/lite.py --pyodide ADDRESS    of another pyodide.js, or a folder to be taken into the site
    python tools/lite.py --fetch FOLDER       build nothing, but fetch such a folder from the address
    python tools/lite.py --check              build nothing, but see whether the address answers

The site is JupyterLite with the Pyodide kernel. The book build makes it, and fetches nothing: the wheels that
it offers are packed from what is installed beside this Python, so that a browser runs what built the book.
"""

import argparse
import base64
import hashlib
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from importlib import metadata
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "_build" / "html"
STATUS = Path(__file__).with_suffix(".js")
VERSION = "0.27"  # of Pyodide; the kernel works with no other
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
CORE = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip")
# No lock file has the sums of the core. These are of the package on npm of that name and version. In the
# compiled distribution Python's library is another file, and only an archive's own marks can be checked.
SUMS = {
    "0.27.7": {
        "pyodide.js": "b4cb23a53aba19c221659b9fb40a2f18281d685691dc06647fb0afd0681baf98",
        "pyodide.asm.js": "6b4c90de5b7172873f04f21884d0e9d2274e305fe32116558fe3e4fbe3618d51",
        "pyodide.asm.wasm": "a50dd1843f805a0b7c45b61037ee0d7b26dfe85efe0e18ef95a34ad24e401f5f",
    }
}
APPS = ("notebooks", "tree", "edit")
# What the site takes from the environment: extensions of JupyterLab, and packages for Python in the browser.
EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager",
    "@jupyterlite/pyodide-kernel-extension",
    "jupyterlab-myst",
)
WHEELS = ("pgtlab", "comm", "ipywidgets", "jupyterlab-widgets")
# Fetched while Pyodide itself starts, instead of one after the other later.
PRELOADED = ("micropip", "ssl", "sqlite3", "ipython", "jedi", "numpy", "matplotlib", "sympy")
# Fetched when a cell imports it.
LATER = ("scipy",)
# Of JupyterLab. Every cell is in the page, so that the browser finds any word and prints all.
SETTINGS = {
    "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},
    "@jupyterlab/notebook-extension:tracker": {
        "windowingMode": "none"
    },  # so that the browser's search sees all
}
REMEDY = "run `pip install -r requirements.txt -e .`"


class LiteError(Exception):
    """The site cannot be built; the message says why, and what helps."""


def stage_notebooks(paths: list[Path], root: Path, folder: Path) -> None:
    """Copy notebooks with everything but their outputs: those in the browser are to be the reader's own."""
    for path in paths:
        notebook = nbformat.read(path, nbformat.NO_CONVERT)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.update(execution_count=None, outputs=[])
        target = folder / path.resolve().relative_to(root.resolve())
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)


def package_files(distribution: metadata.Distribution) -> dict[str, Path]:
    """The files of a package by their names in a wheel: no scripts, no shared data."""
    if distribution.metadata["Name"] == "pgtlab":  # installed in place
        files = (
            path
            for path in (ROOT / "pgtlab").rglob("*.*")
            if path.suffix in {".py", ".js", ".css", ".mplstyle"}
        )
        return {path.relative_to(ROOT).as_posix(): path for path in files}
    inside = (file for file in distribution.files if file.parts[0] != ".." and file.suffix != ".pyc")
    return {file.as_posix(): file.locate() for file in inside if ".dist-info" not in file.parts[0]}


def stem(name: str) -> str:
    """What the name of the wheel of an installed package begins with, and of the folder in it."""
    return f"{name.replace('-', '_')}-{metadata.version(name)}"


def wheel(name: str) -> str:
    """The name of the wheel of an installed package."""
    return f"{stem(name)}-py3-none-any.whl"


def write_wheel(name: str, folder: Path) -> None:
    """Pack an installed package in pure Python as a wheel; the same files give the same bytes."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise LiteError(f"the package {name} is not installed: {REMEDY}") from None
    about = f"{stem(name)}.dist-info"
    tag = "Wheel-Version: 1.0\nGenerator: pgtlab\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {inside: path.read_bytes() for inside, path in sorted(package_files(distribution).items())}
    # What `pip install --editable` leaves beside the package has it under its older name.
    described = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO")
    files[f"{about}/METADATA"] = described.encode()
    files[f"{about}/WHEEL"] = tag.encode()
    lines = [f"{inside},sha256={digest(data)},{len(data)}" for inside, data in files.items()]
    record = f"{about}/RECORD"
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / wheel(name), "w") as archive:
        for inside, data in files.items():
            archive.writestr(zipfile.ZipInfo(inside), data, zipfile.ZIP_DEFLATED, 9)


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def needed(lock: dict, source: str) -> tuple[dict, list[str]]:
    """What the notebooks need of a distribution of Pyodide: its lock file without the rest, and its files."""
    version = lock["info"]["version"]
    if not version.startswith(f"{VERSION}."):
        raise LiteError(f"{source} is Pyodide {version}; expected {VERSION}.x")
    packages, wanted = {}, [*PRELOADED, *LATER]
    while wanted:
        name = wanted.pop()
        if name not in lock["packages"]:
            raise LiteError(f"{source} lacks the package {name}; expected the full distribution of Pyodide")
        if name not in packages:
            packages[name] = lock["packages"][name]
            # a dependency may be spelt with _ for -
            wanted += [each.replace("_", "-") for each in packages[name]["depends"]]
    return {**lock, "packages": packages}, [*CORE, *(each["file_name"] for each in packages.values())]


def copy_pyodide(source: Path, folder: Path) -> None:
    """Copy of a distribution of Pyodide what the notebooks need, and let its lock file name no more."""
    lock_file = source / "pyodide-lock.json"
    if not lock_file.is_file():
        raise LiteError(f"{source} holds no pyodide-lock.json; expected the unpacked distribution of Pyodide")
    lock, files = needed(json.loads(lock_file.read_text(encoding="utf-8")), str(source))
    folder.mkdir(parents=True)
    for name in files:
        if not (source / name).is_file():
            raise LiteError(f"{source} lacks {name}; expected the full distribution of Pyodide")
        shutil.copyfile(source / name, folder / name)
    (folder / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")


def is_address(pyodide: str) -> bool:
    """Tell an address from a folder, the two that the setting may be."""
    return pyodide.startswith(("http://", "https://"))


def get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read()
    except (OSError, http.client.HTTPException) as error:  # the second where the answer breaks off
        raise LiteError(f"{url} could not be fetched: {error}") from None


def published(address: str) -> tuple[str, dict, list[str]]:
    """The place to which a pyodide.js belongs, its lock file and files as far as the notebooks need them."""
    if not is_address(address):
        raise LiteError(f"{address!r} is no address to fetch from; expected one of a pyodide.js (--pyodide)")
    source = address.rpartition("/")[0]
    try:
        return source, *needed(json.loads(get(f"{source}/pyodide-lock.json")), source)
    except json.JSONDecodeError as error:
        raise LiteError(f"{source}/pyodide-lock.json is no lock file of Pyodide: {error}") from None


def check_pyodide(address: str) -> None:
    """See whether a reader's browser would get Python from the setting."""
    if not is_address(address):
        print(f"{address}: a folder, which the build of the site looks through")
        return
    get(address)
    source, _, files = published(address)
    print(f"{source} answers, and lists the {len(files)} files that the notebooks need")


def is_whole(archive: Path) -> bool:
    """See whether each file in an archive is what the archive itself says."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.testzip() is None
    except zipfile.BadZipFile:
        return False


def fetch_pyodide(address: str, folder: Path) -> None:
    """Fetch into a new folder what the notebooks need of the distribution to which a pyodide.js belongs."""
    if folder.exists():
        raise LiteError(f"{folder} is there already; name a new folder, or remove it")
    source, lock, files = published(address)
    version = lock["info"]["version"]
    listed = {package["file_name"]: package["sha256"] for package in lock["packages"].values()}
    stated = SUMS.get(version, {})
    for name in CORE:
        if name not in stated:
            print(f"{name}: no sum of it is stated for Pyodide {version}, so it is taken as it is")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: a folder that lacks a file would be noticed by a reader only.
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary, "pyodide")
        made.mkdir()
        for name in files:
            data = get(f"{source}/{name}")
            print(f"{name}: {len(data) / 1e6:.1f} MB", flush=True)
            found = hashlib.sha256(data).hexdigest()
            if found != listed.get(name, found):
                raise LiteError(f"{source}/{name} is not what its lock file says: another sha256; try again")
            if found != stated.get(name, found):
                raise LiteError(
                    f"{source}/{name} is not that of Pyodide {version} on npm: another sha256; try again"
                )
            (made / name).write_bytes(data)
            if name.endswith(".zip") and not is_whole(made / name):
                raise LiteError(f"{source}/{name} is no whole archive; try again")
        (made / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")
        made.rename(folder)


def kernel_settings(pyodide: str, stage: Path) -> dict:
    settings = {"loadPyodideOptions": {"packages": PRELOADED}}
    if is_address(pyodide):
        return {**settings, "pyodideUrl": pyodide}
    copy_pyodide(ROOT / pyodide, stage / "static" / "pyodide")
    return {**settings, "disablePyPIFallback": True}


def configured() -> str:
    """The setting of the book."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]["pyodide"]


def add_status(page: Path) -> None:
    """Let the notebook page say how far Python has come, and what went wrong."""
    shutil.copyfile(STATUS, page.with_name("status.js"))
    text = page.read_text(encoding="utf-8")
    if "<head>" not in text:
        raise LiteError(f"{page} has no <head>; expected the page of jupyterlite-core 0.6")
    page.write_text(
        text.replace("<head>", '<head>\n    <script src="status.js"></script>', 1), encoding="utf-8"
    )


def build(paths: list[Path], root: Path, output: Path, pyodide: str) -> None:
    """Build the site afresh from notebooks, which keep their paths relative to `root`."""
    labextensions = Path(sys.prefix, "share", "jupyter", "labextensions")
    for name in EXTENSIONS:
        if not (labextensions / name / "package.json").is_file():
            raise LiteError(f"the extension {name} is not in {labextensions}: {REMEDY}")
    # A folder of its own each time: a record of an earlier build hides changes.
    with tempfile.TemporaryDirectory() as temporary:
        stage, contents = Path(temporary, "site"), Path(temporary, "contents")
        contents.mkdir()
        stage_notebooks(paths, root, contents)
        for name in WHEELS:
            write_wheel(name, stage / "pypi")
        config = {
            "appName": "The Policy Gradient Theorem",
            "appUrl": "./tree",  # to which the root of the site leads
            "faviconUrl": "./tree/favicon.ico",
            "exposeAppInBrowser": True,
            "litePluginSettings": {KERNEL: kernel_settings(pyodide, stage)},
        }
        lite = {"jupyter-lite-schema-version": 0, "jupyter-config-data": config}
        (stage / "jupyter-lite.json").write_text(json.dumps(lite), encoding="utf-8")
        (stage / "overrides.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
        shutil.rmtree(output, ignore_errors=True)
        command = [
            *(sys.executable, "-m", "jupyterlite_core", "build"),
            *("--lite-dir", stage, "--output-dir", output, "--contents", contents),
            *("--no-sourcemaps", "--no-unused-shared-packages", "--ignore-sys-prefix"),
            *(f"--apps={name}" for name in APPS),
            *(f"--LiteBuildConfig.federated_extensions={labextensions / name}" for name in EXTENSIONS),
        ]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=stage)
        if done.returncode:
            raise LiteError(f"jupyter lite build ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    add_status(output / "notebooks" / "index.html")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the site in which the notebooks run in the browser.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: those of the built book")
    parser.add_argument("--root", type=Path, default=BOOK / "_sources", help="the folder they lie in")
    parser.add_argument("--output", type=Path, default=BOOK / "lite")
    parser.add_argument(
        "--pyodide", help="the address of a pyodide.js, or a folder; default: as _config.yml says"
    )
    parser.add_argument("--fetch", metavar="FOLDER", type=Path, help="fetch Pyodide into a new folder")
    parser.add_argument("--check", action="store_true", help="see whether readers can fetch Pyodide")
    options = parser.parse_args(arguments)
    pyodide = options.pyodide or configured()
    paths = options.notebooks or sorted(options.root.rglob("*.ipynb"))
    try:
        if options.check:
            check_pyodide(pyodide)
        elif options.fetch:
            fetch_pyodide(pyodide, options.fetch)
        elif not paths:
            raise LiteError(f"there is no notebook in {options.root}: run `make book`, or name some")
        else:
            build(paths, options.root, options.output.resolve(), pyodide)
    except LiteError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
