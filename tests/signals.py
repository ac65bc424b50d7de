"""One signal of each kind, and the factors of each by the formula of its docstring."""

from __future__ import annotations

import numpy as np

from pgtlab import FiniteMDP
from pgtlab.estimators import (
    GAE,
    ActionValues,
    Advantages,
    NStepReturn,
    ReturnToGo,
    TDErrors,
    WholeReturn,
)
from pgtlab.exact.values import Quadratic
from pgtlab.gallery import one_knob


def by_definition(signal, paths):
    """Return the factors of a signal by the formula of its docstring, with loops over time."""
    gamma, w, r = paths.mdp.discount, paths.weights, paths.rewards
    T, N = r.shape
    states, actions, lengths = paths.states, paths.actions, paths.alive.sum(0)
    factors = np.zeros((T, N))

    def value(V, t, n):
        s = states[t, n]
        if callable(V):
            return V(s)
        return 0.0 if s == len(V) else V[s]

    for n in range(N):
        L = int(lengths[n])
        for t in range(L):
            if isinstance(signal, WholeReturn):
                g = sum(w[i] * r[i, n] for i in range(L))
            elif isinstance(signal, ReturnToGo):
                g = sum(w[i] * r[i, n] for i in range(t, L))
                if signal.baseline is not None:
                    g -= w[t] * value(signal.baseline, t, n)
            elif isinstance(signal, ActionValues | Advantages):
                table = signal.Q if isinstance(signal, ActionValues) else signal.A
                place = states[t, n], actions[t, n]
                g = w[t] * (table(*place) if callable(table) else table[place])
            else:
                lam = {GAE: getattr(signal, "lam", None), NStepReturn: 1.0}.get(type(signal), 0.0)
                last = min(L, t + getattr(signal, "n", L))
                delta = [
                    r[i, n] + gamma * value(signal.V, i + 1, n) - value(signal.V, i, n) for i in range(L)
                ]
                g = sum(lam ** (i - t) * w[i] * delta[i] for i in range(t, last))
            factors[t, n] = g
    return factors


def some_signals(rng, mdp):
    """Return one signal of each kind, with values that are right in nothing."""
    if isinstance(mdp, FiniteMDP):
        Q, V = rng.normal(size=mdp.reward.shape), rng.normal(size=mdp.n_states)
    else:
        H = rng.normal(size=(2, 2))
        Q = Quadratic(H + H.T, np.array(rng.normal()))
        V = Quadratic(rng.normal(size=(1, 1)), np.array(rng.normal()))
    return {
        "whole return": WholeReturn(),
        "return to go": ReturnToGo(),
        "with baseline": ReturnToGo(baseline=V),
        "action values": ActionValues(Q),
        "advantages": Advantages(Q),
        "TD errors": TDErrors(V),
        "one step": NStepReturn(V, 1),
        "two steps": NStepReturn(V, 2),
        "many steps": NStepReturn(V, 7),
        "GAE 0": GAE(V, 0.0),
        "GAE 0.6": GAE(V, 0.6),
        "GAE 1": GAE(V, 1.0),
    }


#: Their names.
KINDS = list(some_signals(np.random.default_rng(0), one_knob()[0]))
