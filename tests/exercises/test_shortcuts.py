"""No function of pgtlab is an answer: all of them are tried, alone and as a class with its methods."""

from __future__ import annotations

import ast
import importlib
import io
from contextlib import redirect_stdout, suppress
from pathlib import Path

import numpy as np
import pytest

import pgtlab
from pgtgrade import source as sources
from pgtgrade.needed import only
from tests.exercises.problem_sets import functions, problem_sets, quiet

SETS = problem_sets()


def public():
    """Return the module and the name of everything public in the files of pgtlab."""
    folder = Path(pgtlab.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield module, node.name
    yield from (("pgtlab", name) for name in pgtlab.__all__)


def instances(problem_set):
    """Return the arguments of the first hidden call of each question, and the right answer to it."""
    source, found = sources.read(problem_set.notebook), {}
    for question in problem_set.questions:
        namespace = {"__name__": "__main__"}
        for name in source.order:
            code = {**source.given, **source.solutions}.get(name)
            if code is not None:
                sources.run(name, code, namespace)
        (name,) = functions(problem_set.solution(question))
        right = namespace[name]

        def seen(*arguments, question=question, right=right):
            value = right(*arguments)
            found.setdefault(question, (arguments, np.asarray(value)))
            return value

        sources.run("hidden", source.hidden[f"test-{question}"][0], namespace | {name: seen})
    return found


def earns(function, arguments, right):
    """Say whether a function, or an object that it makes with one of its methods, gives the right answer."""

    def same(value):
        with suppress(Exception):
            value = np.asarray(value, dtype=np.float64)
            return value.shape == right.shape and np.allclose(value, right, rtol=1e-6, atol=1e-9)
        return False

    def tries():
        for k in range(len(arguments), 0, -1):
            try:
                made = function(*arguments[:k])
            except Exception:
                continue
            yield made
            if type(made).__module__.startswith("pgtlab"):
                for name in dir(made):
                    with suppress(Exception):
                        part = getattr(made, name) if not name.startswith("_") else None
                        yield part
                        yield part(*arguments[k:])
                        yield part()

    with quiet(), redirect_stdout(io.StringIO()):
        return any(same(value) for value in tries())


@pytest.fixture(scope="module")
def asked():
    with quiet(), redirect_stdout(io.StringIO()):
        return {(each.name, name): case for each in SETS for name, case in instances(each).items()}


def test_no_public_function_earns_a_point(asked):
    names, found = set(public()), []
    assert len(names) > 200
    with only():
        for module, name in sorted(names):
            try:
                function = getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError):
                continue
            found += [(name, question) for question, case in asked.items() if earns(function, *case)]
    assert found == []
    assert all(each.notebook.metadata["pgtgrade"]["needs"] == ["checks"] for each in SETS)


def test_the_search_finds_what_would_earn_points_if_it_were_there(asked):
    case = asked["ps2", "softmax"]
    assert earns(pgtlab.SoftmaxPolicy, *case)
    with only():
        thin = importlib.import_module("pgtlab")
        assert not earns(thin.SoftmaxPolicy, *case)
    assert importlib.import_module("pgtlab").SoftmaxPolicy is pgtlab.SoftmaxPolicy
