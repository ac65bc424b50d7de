"""Runs the cells of a page: each in the names that hold where it stands, and says what it shows as it goes.

Every cell that has run keeps what it bound. Before a cell runs, the namespace is put together anew from the
cells above it that it needs; of what it changes in place it gets a copy. So a cell gives the same when it
runs again, and a cell further up is not touched by one further down.
"""

from __future__ import annotations

import ast
import contextvars
import copy
import linecache
import sys
import time
import traceback
import types
from collections.abc import Callable

from pgtlive import names, shown
from pgtlive.page import Page

AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Within:
    """Awaits a coroutine in one context, where settings such as NumPy's for printing stay."""

    def __init__(self, context: contextvars.Context, coroutine) -> None:
        self.context = context
        self.coroutine = coroutine

    def __await__(self):
        step, value = self.coroutine.send, None
        while True:
            try:
                waiting = self.context.run(step, value)
            except StopIteration as end:
                return end.value
            try:
                step, value = self.coroutine.send, (yield waiting)
            except BaseException as error:
                step, value = self.coroutine.throw, error


class Ran:
    """What a cell left: the values of the names that it bound, under the mark of what it computed from."""

    def __init__(self, key: str, values: dict) -> None:
        self.key = key
        self.values = values
        self.figure = None  # what `explore` gave, for the sliders


class Notebook:
    """The cells of one page and the Python in which they run.

    `emit(kind, **what)` is called while a cell runs: "stream" with name and text, "display" with data.
    """

    def __init__(self, emit: Callable) -> None:
        self.module = types.ModuleType("__main__")
        self.space = self.module.__dict__
        self.ran: dict[str, Ran] = {}
        self.page = Page([])
        self.context = contextvars.copy_context()
        self.emit = emit
        shown.display = self.display

    # --- what the page says ---

    def read(self, cells: list[dict] | None) -> None:
        """Take the cells as they now are; None where they are as before."""
        if cells is None:
            return
        known = {cell.id: cell for cell in self.page.cells}
        made = []
        for each in cells:
            cell = known.get(each["id"])
            if cell is None or cell.source != each["source"]:
                cell = names.read(each["id"], each["source"], each.get("aside", False))
            made.append(cell)
        if made != self.page.cells:
            self.page = Page(made)

    def keys(self, ids: list[str]) -> dict[str, str]:
        """The marks of what these cells would compute from: another one means another result."""
        return {id: self.page.key(self.page[id]) for id in ids}

    def behind(self, id: str, source: str) -> str:
        """Put code behind a cell, where no other cell sees it, and return the id that it has."""
        hidden = f"{id}/behind"
        cells = [cell for cell in self.page.cells if cell.id != hidden]
        at = next(i for i, cell in enumerate(cells) if cell.id == id) + 1
        cells.insert(at, names.read(hidden, source, aside=True))
        self.page = Page(cells)
        self.ran.pop(hidden, None)
        return hidden

    def plan(self, id: str) -> dict[str, list[str]]:
        """The cells that have to run now for one, which is the last, and what is imported and not here yet.

        IPython is here, as a small one of ours: the whole of it would be 5 MB more.
        """
        cell = self.page[id]
        now = [each.id for each in self.page.order(cell) if not self.fresh(each)]
        modules = [name for name in self.page.modules(cell) if name.partition(".")[0] not in sys.modules]
        return {"order": [*now, id], "modules": sorted(modules)}

    def fresh(self, cell: names.Cell) -> bool:
        return cell.id in self.ran and self.ran[cell.id].key == self.page.key(cell)

    # --- running ---

    def stand(self, cell: names.Cell) -> None:
        """Let the namespace hold what holds where a cell begins."""
        self.space.clear()
        self.space.update(
            __name__="__main__",
            __builtins__=__builtins__,
            display=self.display,
            get_ipython=lambda: shown.SHELL,
        )
        changes, own, memo = self.page.changes(cell), {}, {}
        for name, other in self.page.needs(cell).items():
            statements = self.page.imported(name, cell)
            for source, statement in statements:
                code = ast.Module([statement], [])
                exec(compile(code, source.filename, "exec", dont_inherit=True), self.space)
            if not statements and other.id in self.ran and name in (held := self.ran[other.id].values):
                (own if name in changes else self.space)[name] = held[name]
        for name, value in own.items():  # with one memo, so that what was one object stays one
            try:
                self.space[name] = copy.deepcopy(value, memo)
            except Exception:  # what cannot be copied is shared, as in any notebook
                self.space[name] = value

    def display(self, *objects, **_) -> None:
        sys.stdout.flush()  # what was printed before stands before
        sys.stderr.flush()
        for each in objects:
            self.emit("display", data=shown.bundle(each))

    async def run(self, id: str, whole: bool = True) -> dict:
        """Run one cell, whose needs have run; `whole` with all its imports, as when it is asked for."""
        return await Within(self.context, self._run(id, whole))

    async def _run(self, id: str, whole: bool) -> dict:
        cell = self.page[id]
        began = time.monotonic()
        answer = {"cell": id, "key": self.page.key(cell), "ok": True, "error": None, "missing": None}
        answer["needs"] = [each.id for each in self.page.order(cell)]
        # a file of its own for each run, so that the lines in an error are those that ran
        lines = names.plain_python(cell.source).splitlines(keepends=True)
        linecache.cache[cell.filename] = (len(cell.source), None, lines, cell.filename)
        sys.modules["__main__"] = self.module
        result = None
        try:
            with shown.streams(self.emit):
                try:
                    if cell.error is not None:
                        raise cell.error
                    self.stand(cell)
                    result = await self.execute(cell, whole)
                    if result is not None:
                        self.display(result)
                    shown.figures(self.display)
                finally:
                    shown.close_figures()
        except BaseException as error:  # SystemExit too is an answer to the reader, not an end of Python
            answer |= {"ok": False, "error": self.error(error, cell), "missing": missing(error)}
            self.ran.pop(id, None)
        else:
            bound = cell.uses.binds | self.page.changes(cell)
            held = self.space if cell.stars else bound
            ran = Ran(answer["key"], {name: self.space[name] for name in held if name in self.space})
            ran.figure = shown.explorer(result)
            self.ran[id] = ran
        return answer | {"seconds": time.monotonic() - began}

    async def execute(self, cell: names.Cell, whole: bool):
        """Run the statements of a cell; the value of the last is shown, unless a semicolon ends it."""
        body = list(self.page.statements(cell, whole))
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        flags = AWAIT
        for node in body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                flags |= sum(
                    getattr(__import__("__future__"), each.name).compiler_flag for each in node.names
                )
        code = compile(ast.Module(body, []), cell.filename, "exec", flags, dont_inherit=True)
        await self.evaluated(code)
        if last is None:
            return None
        code = compile(ast.Expression(last.value), cell.filename, "eval", flags, dont_inherit=True)
        value = await self.evaluated(code)
        return None if silenced(cell.source, last) else value

    async def evaluated(self, code: types.CodeType):
        value = eval(code, self.space)
        return await value if code.co_flags & 0x80 else value  # CO_COROUTINE: it awaits something

    # --- figures with sliders ---

    def frame(self, id: str, values: dict) -> dict:
        """Draw the figure of a cell at other values of its sliders."""
        return self.context.run(self._frame, self.page[id], self.ran[id], values)

    def _frame(self, cell: names.Cell, ran: Ran, values: dict) -> dict:
        try:
            with shown.streams(lambda *_, **__: None):
                self.stand(cell)
                self.space.update(ran.values)
                return shown.frame(ran.figure, values)
        except BaseException as error:
            return {"error": self.error(error, cell)}

    # --- errors ---

    def error(self, error: BaseException, cell: names.Cell) -> dict:
        """What went wrong and in which lines of the page: nothing of what lies between."""
        frames = []
        cells = {each.filename: each.id for each in self.page.cells}
        if isinstance(error, SyntaxError) and error.filename in cells:
            frames.append(place(cells[error.filename], error.lineno or 1, (error.text or "").rstrip("\n")))
            message = error.msg
        else:
            message = str(error)
            cause = error
            while cause is not None and not frames:
                for frame in traceback.extract_tb(cause.__traceback__):
                    if frame.filename in cells:
                        frames.append(place(cells[frame.filename], frame.lineno, frame.line or ""))
                cause = cause.__cause__
        if isinstance(error, SyntaxError) and cell.error is error and error.lineno is None:
            frames = [place(cell.id, 1, "")]
        here = [frame for frame in frames if frame["cell"] == cell.id]
        return {
            "cell": cell.id,
            "name": type(error).__name__,
            "message": message[:5000],
            "hint": self.hint(error, cell),
            "line": here[-1]["line"] if here else None,
            "frames": frames[:1] + frames[1:][-4:],
        }

    def hint(self, error: BaseException, cell: names.Cell) -> str:
        """What helps with errors that a page has and a file has not."""
        if isinstance(error, SyntaxError) and (error.text or "").lstrip().startswith(("%", "!")):
            return "Lines that begin with % or ! are no Python, and do not work in a page."
        if isinstance(error, NameError) and error.name:
            below = self.page.cells[self.page.place[cell.id] + 1 :]
            if any(error.name in other.uses.binds and not other.aside for other in below):
                return f"A cell further down binds {error.name}: a cell sees only what stands above it."
        if isinstance(error, MemoryError):
            return "In a page Python has at most about two gigabytes. It starts afresh with the next cell."
        if isinstance(error, ModuleNotFoundError):
            return "A page has the packages that the book uses, and those that Pyodide brings, but no others."
        if isinstance(error, EOFError | OSError) and "read" in str(error):
            return "Nobody can type an answer to input() here: write the value into the cell."
        return ""


def place(cell: str, line: int, code: str) -> dict:
    return {"cell": cell, "line": line, "code": code.strip()}


def silenced(source: str, last: ast.Expr) -> bool:
    """Whether a semicolon stands behind the last expression."""
    lines = names.plain_python(source).splitlines()
    rest = lines[last.end_lineno - 1].encode()[last.end_col_offset :].decode()
    return rest.lstrip(" )").startswith(";")


def missing(error: BaseException) -> str | None:
    """The package for want of which an import failed."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name.partition(".")[0]
        error = error.__cause__
    return None
