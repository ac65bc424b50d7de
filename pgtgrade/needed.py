"""Owns the pgtlab that a submission finds: the rooms that its set needs, and nothing else."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from pgtgrade.runner import thin

#: What a set needs that says nothing else.
CHECKS = ("checks",)

#: The folder of pgtlab, found without importing it: most commands need nothing of it.
FOLDER = Path(importlib.util.find_spec("pgtlab").origin).resolve().parent


def rooms(needs=CHECKS):
    """Return the files and folders of pgtlab that are there when a set is graded.

    Parameters
    ----------
    needs : iterable of str
        Rooms of pgtlab, such as "checks".

    Returns
    -------
    dict of str to Path
        Of each room that is needed and each that these import, by its name.

    Raises
    ------
    ValueError
        If there is no such room.

    Examples
    --------
    >>> sorted(rooms(["checks"]))
    ['_validate', 'checks']
    """
    return dict(_closure(tuple(needs)))


@lru_cache(maxsize=8)
def _closure(needs):
    found, rest = {}, list(needs)
    while rest:
        room = rest.pop()
        if room in found:
            continue
        found[room] = _place(room)
        path = found[room]
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            rest += _imported(ast.parse(file.read_text(encoding="utf-8")))
    return found


def _place(room):
    # A room is named by one word: a path would lead elsewhere.
    for path in (FOLDER / room, FOLDER / f"{room}.py") if str(room).isidentifier() else ():
        if path.exists():
            return path
    raise ValueError(f"the set needs {room!r}, which is no room of pgtlab; expected such as checks")


def _imported(tree):
    """Return the rooms of pgtlab that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "pgtlab":
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            modules = (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names]
            )
            yield from (each.split(".")[1] for each in modules if each.startswith("pgtlab."))


class Closed:
    """Lets nobody else be asked for a room of pgtlab: an installation for work on it would know the way."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Say that there is no such module, if it is one of pgtlab."""
        if name.startswith("pgtlab."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def reduce(needs=CHECKS):
    """Put the reduced pgtlab in the place of the whole one in this process, and return what was there.

    A process in isolation finds nothing else on its disk; this is for where there is no isolation.
    """
    there = rooms(needs)
    for room in there:
        importlib.import_module(f"pgtlab.{room}")
    whole = {name: sys.modules.pop(name) for name in _present()}
    spec, code = _thin()
    sys.modules["pgtlab"] = module = importlib.util.module_from_spec(spec)
    exec(code, module.__dict__)
    for name, each in whole.items():
        if name.partition(".")[2].partition(".")[0] in there:
            sys.modules[name] = each
    sys.meta_path.insert(0, Closed)
    return whole


def _present():
    """Return the names under which this process has pgtlab and its rooms."""
    return [name for name in sys.modules if name == "pgtlab" or name.startswith("pgtlab.")]


@lru_cache(maxsize=1)
def _thin():
    spec = importlib.util.spec_from_file_location("pgtlab", thin.__file__, submodule_search_locations=[])
    return spec, spec.loader.get_code("pgtlab")


@contextmanager
def only(needs=CHECKS):
    """Let there be the reduced pgtlab for a while."""
    whole = reduce(needs)
    try:
        yield
    finally:
        sys.meta_path.remove(Closed)
        for name in _present():
            del sys.modules[name]
        sys.modules.update(whole)
