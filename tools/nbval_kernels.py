"""Lets nbval run notebooks side by side, each kernel with sockets of its own (`-p tools.nbval_kernels`).

What is compared of an output are the forms in which the book stores it.
"""

import sys
from pathlib import Path

import nbval.kernel
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "tools")]
from kernels import BlockingManager  # noqa: E402
from notebooks import kept_data  # noqa: E402

nbval.kernel.KernelManager = BlockingManager
compare_all = IPyNbCell.compare_outputs


def compare_stored(self, test, ref, skip_compare=None):
    """Compare what a cell shows with what is stored, without the forms that are not stored."""
    shown = [NotebookNode(each, data=kept_data(each.data)) if "data" in each else each for each in test]
    return compare_all(self, shown, ref, skip_compare)


IPyNbCell.compare_outputs = compare_stored
