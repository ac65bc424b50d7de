"""How long the exact quantities take, measured against the least work they need: `python -m benchmarks`."""

import os

# Read by the BLAS libraries when they are loaded, so before anybody imports NumPy.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_name] = "1"
