"""The import of pgtlab against the import of NumPy, each in a process of its own.

Both are compiled beforehand, as they are on a reader's machine from the second import on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial

from benchmarks import harness
from benchmarks.harness import Case

#: What `import pgtlab` must not load.
HEAVY = ("scipy", "matplotlib", "sympy", "ipywidgets", "IPython")

STOPWATCH = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
LOADED = "import pgtlab, sys; print(*(set({}) & set(sys.modules)))"


def import_seconds(module, compiled):
    """Return the seconds that the import takes in a new process, its start not counted."""
    return float(_python(STOPWATCH.format(module), compiled))


def main(options):
    """Check that nothing heavy is loaded, then measure."""
    with tempfile.TemporaryDirectory() as compiled:
        loaded = _python(LOADED.format(HEAVY), compiled).split()
        if loaded:
            raise AssertionError(
                f"import pgtlab loads {', '.join(loaded)}; expected NumPy and nothing heavier"
            )
        cases = [
            Case("import numpy", partial(import_seconds, "numpy", compiled), seconds=True),
            Case(
                "import pgtlab",
                partial(import_seconds, "pgtlab", compiled),
                seconds=True,
                aim=("at most", 1.15),
            ),
        ]
        return [harness.measure("Import in a new process", cases, rounds=3 * options.rounds)]


def _python(code, compiled):
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return done.stdout
