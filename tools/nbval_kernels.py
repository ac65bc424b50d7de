"""Lets nbval run notebooks side by side, each kernel with sockets of its own (`-p tools.nbval_kernels`)."""

import sys
from pathlib import Path

import nbval.kernel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book" / "_ext"))
from kernels import BlockingManager

nbval.kernel.KernelManager = BlockingManager
