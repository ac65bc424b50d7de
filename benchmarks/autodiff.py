"""The exact gradient by the theorem, against automatic differentiation of the expected return by JAX.

JAX is given J as one writes it down, with one linear solve: compiled, in double precision, on one thread as
NumPy is, with the problem in its own memory. Compiling is timed by itself, once for each size.
At S=10 neither computes for long: what is compared is two dozen calls of NumPy with one of XLA.
"""

from __future__ import annotations

import os
import time

# Read when JAX makes its first array: one thread, and no search for other devices.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import jax
import numpy as np
from jax import numpy as jnp

import pgtlab
from benchmarks import harness
from benchmarks.exact import ACTIONS, DISCOUNT, problem
from benchmarks.harness import Case

jax.config.update("jax_enable_x64", True)

#: Number of states, runs a round.
SIZES = ((1000, 1), (100, 10), (10, 50))


def expected_return(logits, transition, reward, initial):
    """Return J of a tabular policy, in JAX."""
    pi = jax.nn.softmax(logits)
    P = jnp.einsum("sa,sap->sp", pi, transition)
    return initial @ jnp.linalg.solve(jnp.eye(len(P)) - DISCOUNT * P, (pi * reward).sum(1))


def compiled(*arguments):
    """Return the gradient of J as one function, compiled for arguments of these shapes."""
    function = jax.jit(jax.grad(expected_return))
    jax.block_until_ready(function(*arguments))
    return function


def through_pgtlab(mdp, logits):
    """The gradient at new parameters, through the public functions."""
    return pgtlab.policy_gradient(mdp, pgtlab.SoftmaxPolicy.tabular(logits))


def through_jax(function, arguments, logits):
    """The gradient at new parameters, back in NumPy."""
    return np.asarray(function(logits, *arguments))


def table(S, number, rounds, rng):
    """Check the values at one size, then measure."""
    transition, reward, initial, logits = problem(S, ACTIONS, rng)
    arguments = jax.block_until_ready([jnp.asarray(each) for each in (transition, reward, initial)])
    start = time.perf_counter()
    function = compiled(logits, *arguments)
    compiling = time.perf_counter() - start
    mdp = pgtlab.FiniteMDP(transition, reward, initial, DISCOUNT)
    by_jax = through_jax(function, arguments, logits)
    harness.agree(f"gradient at S={S}", through_pgtlab(mdp, logits), by_jax.ravel())

    def new():
        # Other parameters each time, so that no chain is remembered.
        return rng.standard_normal((S, ACTIONS))

    found = harness.measure(
        f"gradient: S={S}, A={ACTIONS}, dense",
        [
            Case("jax.jit(jax.grad(J))", through_jax, lambda: (function, arguments, new())),
            Case("pgtlab", through_pgtlab, lambda: (mdp, new()), aim=("at most", 1.0)),
        ],
        rounds=rounds,
        number=number,
    )
    print(f"  compiling for JAX, once for each size: {compiling:.3g} s", flush=True)
    return {**found, "compile_seconds": float(f"{compiling:.3g}")}


def main(options):
    """Measure at each size."""
    rng = np.random.default_rng(4)
    return [table(S, number, options.rounds, rng) for S, number in SIZES]
