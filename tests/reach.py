"""What a test file can reach by its imports, so that the tests nearest to a change run first."""

import ast
import functools
import hashlib
import inspect
from pathlib import Path

import pgtlab

ROOT = Path(__file__).parents[1]


@functools.cache
def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def named(tree):
    """Yield the full names that a file imports, and those that it looks up in `pgtlab`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pgtlab"
        ):
            yield f"pgtlab.{node.attr}"


def home(name):
    """The file of the project that holds a name, or None."""
    package, _, rest = name.partition(".")
    found = getattr(pgtlab, rest, None) if package == "pgtlab" and "." not in rest else None
    if inspect.ismodule(found) or inspect.isclass(found) or inspect.isfunction(inspect.unwrap(found)):
        return Path(inspect.getsourcefile(inspect.unwrap(found)))
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


@functools.cache
def neighbours(path):
    """The files of the project from which a file imports."""
    found = {home(name) for name in named(ast.parse(path.read_text(encoding="utf-8")))}
    return {each for each in found if each is not None and each.is_relative_to(ROOT)} - {path}


@functools.cache
def reached(path):
    """Every file of the project that a file can reach, with the number of imports on the way."""
    steps, edge = {path: 0}, [path]
    while edge:
        found = {each for file in edge for each in neighbours(file)} - set(steps)
        steps |= dict.fromkeys(found, steps[edge[0]] + 1)
        edge = sorted(found)
    return steps


def state(path):
    """The fingerprint of each file that a test file can reach: what it has passed with."""
    return {file.relative_to(ROOT).as_posix(): digest(file) for file in reached(path)}


def nearness(path, passed_with):
    """How many imports lie between a test file and the nearest file that changed since it passed.

    Infinite where nothing changed, or where it is not known with what the tests passed.
    """
    if passed_with is None:
        return float("inf")
    changed = (
        steps
        for file, steps in reached(path).items()
        if passed_with.get(file.relative_to(ROOT).as_posix()) != digest(file)
    )
    return min(changed, default=float("inf"))


def sort(items, passed_with):
    """Put first, in place, the tests that are nearest to a change; the others stay in their order."""
    files = {item.path for item in items if item.path.suffix == ".py"}
    near = {path: nearness(path, passed_with.get(path.relative_to(ROOT).as_posix())) for path in files}
    items.sort(key=lambda item: near.get(item.path, float("inf")))
