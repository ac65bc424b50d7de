"""The cells of a page in their order, and what each needs of those above it.

A cell that changes an object in place counts as one that binds its name again, with the object as it was
before for its source: the last cell above that binds a name is then the one that has it as it stands there.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator

from pgtlive.names import BUILTINS, Cell, Uses, alone, bound_by, is_import

#: Rooms of the library that bring a package with them.
BRINGS = {"pgtlab.letters": "sympy", "pgtlab.plots": "matplotlib", "pgtlab.widgets": "matplotlib"}


class Page:
    """The cells of a page in their order, and what each needs of those above it."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self.cells = list(cells)
        self.place = {cell.id: i for i, cell in enumerate(self.cells)}
        self.streams = set().union(*(cell.streams for cell in self.cells))
        self.imported_names = set().union(*(cell.imports for cell in self.cells))
        self._needs: dict[str, dict[str, Cell]] = {}
        self._changes: dict[str, set[str]] = {}
        self._keys: dict[str, str] = {}

    def __getitem__(self, id: str) -> Cell:
        return self.cells[self.place[id]]

    def above(self, cell: Cell) -> Iterator[Cell]:
        """The cells that it can use, the nearest first."""
        for other in reversed(self.cells[: self.place[cell.id]]):
            if not other.aside or cell.id.startswith(f"{other.id}/"):  # code that is run behind that cell
                yield other

    def provider(self, name: str, cell: Cell) -> Cell | None:
        """The cell above that has bound the name last."""
        for other in self.above(cell):
            if name in other.uses.binds or (name in self.changes(other)):
                return other
        if name in BUILTINS:
            return None
        return next((other for other in self.above(cell) if other.stars), None)

    def changes(self, cell: Cell) -> set[str]:
        """The names of cells above whose objects the cell changes, itself or by functions that it calls."""
        if cell.id not in self._changes:
            self._changes[cell.id] = set()  # a function that calls itself
            found = self._changed(cell.uses)
            for name in cell.uses.reads:
                found |= self._effects(name, cell, set())
            self._changes[cell.id] = found
        return self._changes[cell.id]

    def _changed(self, uses: Uses) -> set[str]:
        modules = self.imported_names
        return uses.changes | (uses.acts - modules) | (uses.reads & self.streams)

    def _effects(self, name: str, cell: Cell, seen: set) -> set[str]:
        """What a call of a name changes, as the cell sees it."""
        other = next((each for each in self.above(cell) if name in each.uses.binds), None)
        if other is None or name not in other.functions or (other.id, name) in seen:
            return set()
        seen.add((other.id, name))
        uses = other.functions[name]
        found = self._changed(uses) | uses.binds
        for each in uses.reads:
            found |= self._effects(each, cell, seen)
        return found

    def needs(self, cell: Cell) -> dict[str, Cell]:
        """By each name that has to stand when the cell runs, the cell above that has it.

        The functions of cells above see at a call what the name is here, so what they read stands too.
        """
        if cell.id not in self._needs:
            found: dict[str, Cell] = {}
            wanted = [*cell.uses.reads, *self.changes(cell)]
            seen = set()
            while wanted:
                name = wanted.pop()
                if name in found:
                    continue
                other = self.provider(name, cell)
                if other is None:
                    continue
                found[name] = other
                wanted += self._carried(name, other, seen)
            self._needs[cell.id] = found
        return self._needs[cell.id]

    def _carried(self, name: str, cell: Cell, seen: set) -> set[str]:
        """The names that may be read when something is called that this cell bound to a name."""
        if (cell.id, name) in seen:
            return set()
        seen.add((cell.id, name))
        if name in cell.functions:
            return set(cell.functions[name].reads)
        if name in cell.imports:
            return set()
        found = set().union(*(uses.reads for uses in cell.functions.values()))
        for each in cell.uses.reads:  # of these it may hold something that is called later
            other = self.provider(each, cell)
            if other is not None:
                found |= self._carried(each, other, seen)
        return found

    def imported(self, name: str, cell: Cell) -> list[tuple[Cell, ast.stmt]]:
        """The import statements that give a name, where the cell above binds it by nothing else."""
        other = self.needs(cell).get(name)
        if other is None or not self.only_imported(name, other):
            return []
        earlier = [each for each in self.above(cell) if name in each.imports and each is not other]
        return [(each, node) for each in [*reversed(earlier), other] for node in each.imports[name]]

    def only_imported(self, name: str, cell: Cell) -> bool:
        return name in cell.imports and name not in self.changes(cell)

    def sources(self, cell: Cell) -> list[Cell]:
        """The cells that have to have run, in their order: not those of which it uses imports only."""
        needs = self.needs(cell)
        found = {other.id for name, other in needs.items() if not self.only_imported(name, other)}
        found |= {other.id for other in self.above(cell) if other.sets & self.imported_names}
        return [other for other in self.cells if other.id in found]

    def order(self, cell: Cell) -> list[Cell]:
        """All cells that have to run before this one, each once, in the order of the page."""
        found: set[str] = set()
        wanted = [cell]
        while wanted:
            for other in self.sources(wanted.pop()):
                if other.id not in found:
                    found.add(other.id)
                    wanted.append(other)
        return [other for other in self.cells if other.id in found]

    def key(self, cell: Cell) -> str:
        """A mark of everything from which the cell computes: the same code again has the same."""
        if cell.id not in self._keys:
            parts = [cell.id, cell.source]
            for name, other in sorted(self.needs(cell).items()):
                if self.only_imported(name, other):
                    parts += [ast.unparse(node) for _, node in self.imported(name, cell)]
            parts += [self.key(other) for other in self.sources(cell)]
            self._keys[cell.id] = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
        return self._keys[cell.id]

    def statements(self, cell: Cell, whole: bool) -> list[ast.stmt]:
        """What to run of a cell: as a source for others without the imports that only others use."""
        return (
            cell.tree.body if whole else [kept for node in cell.tree.body for kept in self._used(node, cell)]
        )

    def _used(self, node: ast.stmt, cell: Cell) -> list[ast.stmt]:
        if not is_import(node):
            return [node]
        return [
            alone(node, alias) for alias in node.names if alias.name == "*" or bound_by(alias) in cell.inner
        ]

    def modules(self, cell: Cell) -> set[str]:
        """The modules that are imported when the cell runs, with what it needs."""
        found = _modules(cell.tree.body if cell.tree else [])
        for each in [*self.order(cell), cell]:
            if each.tree is None:
                continue
            found |= _modules(self.statements(each, each is cell))
            for name in self.needs(each):
                found |= _modules([node for _, node in self.imported(name, each)])
        return found | {BRINGS[name] for name in found if name in BRINGS}


def _modules(nodes: Iterable[ast.AST]) -> set[str]:
    found = set()
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found
