"""Run the notebooks of the book afresh and store them in one normal form.

    python tools/notebooks.py                run every notebook under book/ and store it
    python tools/notebooks.py book/x.ipynb   the same for the notebooks named
    python tools/notebooks.py --no-run       store in normal form what is there, without running it
    python tools/notebooks.py --check        change nothing; exit 1 and say why where the form is not normal

The normal form keeps a difference between two versions readable and lets nbval compare every number: outputs
as text without images and widget state, execution counts 1 to n, no metadata beyond what the book reads.
"""

import argparse
import hashlib
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

BOOK = Path(__file__).resolve().parents[1] / "book"
sys.path.insert(0, str(BOOK / "_ext"))
from kernels import AsyncManager, side_by_side  # noqa: E402

SECONDS_PER_CELL = 180
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_METADATA = {"pgtgrade"}  # what a problem set says of itself
CELL_METADATA = {"tags", "mystnb", "nbgrader"}
DROPPED = ("image/", "application/vnd.jupyter.widget")
# Pages of checks and of proofs, whose text is stored: it says what holds, and fails where it does not.
SHOWN = ('<details class="pgt-check', '<div class="pgt-proof ')
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class NotebookError(Exception):
    """A notebook that cannot be run or stored; the message names it and the cell."""


def notebooks() -> list[Path]:
    return sorted(path for path in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def read(path: Path) -> dict:
    try:
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (OSError, UnicodeDecodeError, nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise NotebookError(f"{path}: not a notebook that can be read: {error}") from None


def dumps(notebook: dict) -> str:
    return nbformat.writes(nbformat.from_dict(notebook), version=nbformat.NO_CONVERT).rstrip("\n") + "\n"


def kept_data(data: dict) -> dict:
    """What is stored of the forms of an output: no images, and of a check or a proof the text alone."""
    kept = {kind: form for kind, form in data.items() if not kind.startswith(DROPPED)}
    if "".join(kept.get("text/html", "")).startswith(SHOWN):
        del kept["text/html"]
    return kept


def normal_output(output: dict, count: int | None) -> dict:
    output = dict(output)
    if "data" in output:
        output["data"] = kept_data(output["data"])
        output["metadata"] = {}
    if "execution_count" in output:
        output["execution_count"] = count
    return output


def merged_streams(outputs: list[dict]) -> list[dict]:
    """Outputs with neighbouring pieces of one stream joined: where they were cut is chance."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else {}
        if output["output_type"] == "stream" == last.get("output_type") and output["name"] == last["name"]:
            merged[-1] = {**last, "text": last["text"] + output["text"]}
        else:
            merged.append(output)
    return merged


def normal_form(notebook: dict) -> dict:
    """The notebook in the form in which the book stores it."""
    cells, taken, count = [], set(), 0
    for index, cell in enumerate(notebook["cells"]):
        source = cell["source"].rstrip("\n")
        identity = cell.get("id", "")
        if not CELL_ID.fullmatch(identity) or identity in taken:
            identity = hashlib.sha256(f"{index}\0{source}".encode()).hexdigest()[:8]
        taken.add(identity)
        metadata = {key: value for key, value in cell["metadata"].items() if key in CELL_METADATA and value}
        normal = {"cell_type": cell["cell_type"], "id": identity, "metadata": metadata, "source": source}
        if cell["cell_type"] == "code":
            run = cell["execution_count"] is not None and bool(source.strip())
            count += run
            normal["execution_count"] = count if run else None
            outputs = [normal_output(output, normal["execution_count"]) for output in cell["outputs"]]
            normal["outputs"] = merged_streams(outputs)
        cells.append(normal)
    kept = {key: value for key, value in notebook["metadata"].items() if key in KEPT_METADATA}
    metadata = dict(sorted({**NOTEBOOK_METADATA, **kept}.items()))
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def faults(path: Path) -> list[str]:
    """What keeps a stored notebook from the normal form, each fault with its place."""
    text = path.read_text(encoding="utf-8")
    notebook = read(path)
    normal = normal_form(notebook)
    found = []
    for index, (cell, form) in enumerate(zip(notebook["cells"], normal["cells"], strict=True)):
        where = f"cell {index}"
        extra = sorted(set(cell["metadata"]) - set(form["metadata"]))
        if extra:
            found.append(f"{where} carries the metadata {', '.join(extra)}")
        if cell.get("id") != form["id"]:
            found.append(f"{where} has no id of its own")
        if cell["cell_type"] != "code":
            continue
        if cell["execution_count"] is None:
            found.append(f"{where} has not been run")
        elif cell["execution_count"] != form["execution_count"]:
            found.append(f"{where} has the count {cell['execution_count']}, not {form['execution_count']}")
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                found.append(f"{where} ends in {output['ename']}: {output['evalue']}")
            if output.get("name") == "stderr":
                found.append(f"{where} writes to stderr: {output['text'].strip().splitlines()[-1]}")
            found += [f"{where} stores {kind}" for kind in output.get("data", {}) if kind.startswith(DROPPED)]
    extra = sorted(set(notebook["metadata"]) - set(normal["metadata"]))
    if extra:
        found.append(f"the notebook carries the metadata {', '.join(extra)}")
    if not found and text != dumps(normal):
        found.append("is laid out otherwise than `make notebooks` would")
    return found


def run(notebook: dict, path: Path) -> None:
    """Run all cells in a new kernel, in the notebook's own folder."""
    client = NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        kernel_manager_class=AsyncManager,
        resources={"metadata": {"path": str(path.parent)}},
    )
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(execution_count=None, outputs=[])
    reason = None
    try:
        client.execute()
    except CellExecutionError:
        pass  # the cell holds the error, and its traceback is told below
    except CellTimeoutError:
        reason = f"no end after {SECONDS_PER_CELL} s"
    except DeadKernelError:
        reason = "the kernel died"
    except RuntimeError as error:
        reason = str(error)
    code = [(index, cell) for index, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    for index, cell in code:
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                told = "\n".join(output["traceback"])
            elif output.get("name") == "stderr":
                told = "It writes to stderr:\n" + output["text"]
            else:
                continue
            raise NotebookError(f"{path}: cell {index} failed:\n\n{cell['source']}\n\n{ANSI.sub('', told)}")
    if reason:
        begun = [index for index, cell in code if cell["execution_count"] is not None]
        raise NotebookError(f"{path}: {f'cell {begun[-1]}' if begun else 'before its first cell'}: {reason}")


def store(notebook: dict, path: Path) -> bool:
    """Write the normal form in one step, so that a failure leaves the old file; True if it changed."""
    text = dumps(normal_form(notebook))
    if text == path.read_text(encoding="utf-8"):
        return False
    written = path.with_suffix(".ipynb.tmp")
    written.write_text(text, encoding="utf-8")
    os.replace(written, path)
    return True


def handle(path: Path, *, check: bool, no_run: bool) -> bool:
    """Check, or run and store, one notebook; say what came of it, and return whether it was well."""
    start = time.perf_counter()
    try:
        if check:
            found = faults(path)
            for fault in found:
                print(f"{path}: {fault}", file=sys.stderr)
            return not found
        notebook = read(path)
        if not no_run:
            run(notebook, path)
        changed = store(notebook, path)
    except NotebookError as error:
        print(error, file=sys.stderr)
        return False
    print(f"{path}: {'stored' if changed else 'as it was'}, {time.perf_counter() - start:.1f} s", flush=True)
    return True


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the book's notebooks and store them in normal form.")
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks; all under book/ if none is named")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="change nothing; exit 1 if a form is not normal")
    mode.add_argument("--no-run", action="store_true", help="store in normal form without running")
    options = parser.parse_args(arguments)
    os.environ.pop("PGTLAB_EXPLORE", None)  # the book build alone draws its figures beforehand
    with ThreadPoolExecutor(side_by_side()) as pool:
        how = {"check": options.check, "no_run": options.no_run}
        well = list(pool.map(lambda path: handle(path, **how), options.paths or notebooks()))
    if not all(well) and options.check:
        print("Run `make notebooks` and look at what changes.", file=sys.stderr)
    return int(not all(well))


if __name__ == "__main__":
    sys.exit(main())
