"""V and rho of a large gridworld with sparse transitions, against one factorisation by SuperLU.

`--large` adds a million states, once. Memory is measured in processes of their own:
`python -m benchmarks.sparse 1000` or, for the factorisation alone, `python -m benchmarks.sparse 1000 splu`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy.sparse import eye_array
from scipy.sparse.linalg import splu

import pgtlab
from benchmarks import harness
from benchmarks.harness import Case
from pgtlab import gallery

SIDE, LARGE_SIDE = 300, 1000
ACTIONS = 4
DISCOUNT = 0.9999
SLIP = 0.1

#: A residual of a system with right-hand side b and solution x is rounding below this share of |b| + |x|.
ROUNDING = 1e-12


def grid(n):
    """Return transition (S*A, S), reward (S, A) and initial (S,) of a free n x n grid with slip.

    The start is the first cell; a step into the last one pays 1 and ends the episode. With
    probability SLIP a move goes to one of its two sides.
    """
    layout = ["S" + "." * (n - 1), *["." * n] * (n - 2), "." * (n - 1) + "G"]
    mdp, _ = gallery.gridworld(layout, slip=SLIP, discount=DISCOUNT)
    return mdp.transition, mdp.reward, mdp.initial


def preferences(n):
    """Return logits (S, A) that lean to the right and down, more in some cells than in others."""
    lean = np.array([0.0, 1.0, 1.0, 0.0])
    return lean + np.random.default_rng(3).standard_normal((n * n, ACTIONS))


def system(transition, probs):
    """Return I - gamma P_pi as CSC, by sums over the actions."""
    S, A = probs.shape
    mixed = sum(transition[a::A].multiply(probs[:, a, None]) for a in range(A))
    return (eye_array(S) - DISCOUNT * mixed).tocsc()


def one_splu(matrix):
    """The base: the factorisation alone."""
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def through_pgtlab(mdp, policy):
    """V and rho through the public functions."""
    return pgtlab.state_values(mdp, policy), pgtlab.state_visitation(mdp, policy)


def residuals(matrix, V, earned, rho, initial):
    """Return the largest residuals of both systems, relative to right-hand side and solution."""
    left = matrix @ V - earned, matrix.T @ rho - initial
    scales = np.abs(earned).max() + np.abs(V).max(), np.abs(initial).max() + np.abs(rho).max()
    return [float(f"{np.abs(each).max() / scale:.2g}") for each, scale in zip(left, scales, strict=True)]


def once(n):
    """Solve one grid and return seconds, memory in MB and residuals.

    The residuals are formed with a matrix that pgtlab has no part in.
    """
    transition, reward, initial = grid(n)
    policy = pgtlab.SoftmaxPolicy.tabular(preferences(n))
    start = time.perf_counter()
    mdp = pgtlab.FiniteMDP(transition, reward, initial, DISCOUNT)
    built = time.perf_counter()
    V = pgtlab.state_values(mdp, policy)
    valued = time.perf_counter()
    rho = pgtlab.state_visitation(mdp, policy)
    done = time.perf_counter()
    peak = _peak_memory()
    probs = policy.probs()
    left = residuals(system(transition, probs), V, (probs * reward).sum(1), rho, initial)
    if not max(left) < ROUNDING:
        raise AssertionError(f"residuals of V and rho are {left}; expected less than {ROUNDING:g}")
    return {
        "states": n * n,
        "seconds": {"FiniteMDP": built - start, "V": valued - built, "rho": done - valued},
        "peak_memory_MB": peak,
        "residuals": {"V": left[0], "rho": left[1]},
        "J": [float(initial @ V), float(rho @ (probs * reward).sum(1))],
    }


def factorise_once(n):
    """Factorise the matrix of one grid and return seconds and memory in MB."""
    transition, _, _ = grid(n)
    matrix = system(transition, pgtlab.SoftmaxPolicy.tabular(preferences(n)).probs())
    del transition
    start = time.perf_counter()
    one_splu(matrix)
    return {"seconds": time.perf_counter() - start, "peak_memory_MB": _peak_memory()}


def in_new_processes(n):
    """Return what `once` and `factorise_once` do, each with the memory of a process of its own; print it."""
    found, alone = _in_new_process(n), _in_new_process(n, "splu")
    found["one splu"] = alone
    seconds = ", ".join(f"{name} {took:.3g} s" for name, took in found["seconds"].items())
    left = ", ".join(f"{name} {each:.2g}" for name, each in found["residuals"].items())
    print(f"\nV and rho once: {found['states']} states ({harness.load()})")
    print(f"  {seconds}; peak memory {found['peak_memory_MB']} MB")
    print(f"  relative residuals: {left}; J by V and by rho: {found['J'][0]:.6g}, {found['J'][1]:.6g}")
    print(f"  one splu: {alone['seconds']:.3g} s, peak memory {alone['peak_memory_MB']} MB")
    return found


def main(options):
    """Check the values, measure the middle size, and on demand the large one once."""
    transition, reward, initial = grid(SIDE)
    logits = preferences(SIDE)

    def fresh():
        mdp = pgtlab.FiniteMDP(transition, reward, initial, DISCOUNT)
        return mdp, pgtlab.SoftmaxPolicy.tabular(logits)

    probs = pgtlab.SoftmaxPolicy.tabular(logits).probs()
    matrix, earned = system(transition, probs), (probs * reward).sum(1)
    factors = one_splu(matrix)
    V, rho = through_pgtlab(*fresh())
    harness.agree("V", V, factors.solve(earned), atol=1e-13)
    harness.agree("rho", rho, factors.solve(initial, trans="T"), atol=1e-13)
    measured = harness.measure(
        f"V, rho: {SIDE} x {SIDE} grid, S={SIDE * SIDE}, A={ACTIONS}, sparse",
        [
            Case("one splu", one_splu, lambda: (matrix,)),
            Case("pgtlab", through_pgtlab, fresh, aim=("at most", 1.6)),
        ],
        rounds=options.rounds,
    )
    sides = (SIDE, LARGE_SIDE) if options.large else (SIDE,)
    return [measured, *(in_new_processes(n) for n in sides)]


def _in_new_process(*arguments):
    command = [sys.executable, "-m", "benchmarks.sparse", *map(str, arguments)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root)
    return json.loads(done.stdout)


def _peak_memory():
    """Return the most memory this process has held, in MB; None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    print(json.dumps((factorise_once if "splu" in sys.argv else once)(int(sys.argv[1]))))
