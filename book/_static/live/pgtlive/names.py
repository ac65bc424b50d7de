"""What the code of a cell binds and reads, and which objects of the cells above it changes."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

BUILTINS = frozenset(dir(builtins)) | {"display", "get_ipython"}
#: Methods after which an object is another than before, whatever becomes of what they return.
CHANGING = re.compile(
    "add|append(left)?|clear|discard|extend(left)?|fill|insert|insort|partition|pop(item|left)?|put|remove|resize"
    "|reverse|rotate|setdefault|setflags|sort|update|write(lines)?"
)
#: What gives an object that every use changes: generators of random numbers, iterators, open files.
STREAMS = frozenset(
    {"default_rng", "Generator", "RandomState", "Random", "spawn", "iter", "open", "cycle", "count"}
)
STREAM_NAME = re.compile(r"(?:.*_)?rngs?\d*")
#: Functions of a module that change a setting for all cells below.
SETTING = re.compile(r"set_.*|seterr|seed|rc|rcdefaults|use|simplefilter|filterwarnings|init_printing")


@dataclass
class Uses:
    """The names of the page that a piece of code reads, binds, and whose objects it changes.

    What is called on a name is in `acts`, and a change unless the name was imported, as `np` in `np.sort(x)`.
    """

    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    acts: set[str] = field(default_factory=set)

    def take(self, other: Uses) -> None:
        for name, names in vars(other).items():
            getattr(self, name).update(names)


@dataclass
class Cell:
    """A cell and what its code says about names; `error` is set, and nothing else, where it is no Python."""

    id: str
    source: str
    aside: bool = False
    tree: ast.Module | None = None
    error: SyntaxError | None = None
    uses: Uses = field(default_factory=Uses)
    #: by its name, what happens when a function or a method of a class of this cell is called
    functions: dict[str, Uses] = field(default_factory=dict)
    streams: set[str] = field(default_factory=set)
    #: the import statements at the left margin: what each binds, and the statement for that name alone
    imports: dict[str, list[ast.stmt]] = field(default_factory=dict)
    stars: bool = False
    #: modules of which a statement at the left margin changes a setting, for all cells below
    sets: set[str] = field(default_factory=set)

    @property
    def filename(self) -> str:
        return f"<cell {self.id}>"

    @cached_property
    def inner(self) -> set[str]:
        """Names that the statements other than imports read, here or when called."""
        return self.uses.reads.union(*(each.reads for each in self.functions.values())) | self._own

    _own: set[str] = field(default_factory=set)


def plain_python(source: str) -> str:
    """The source without what only IPython reads: a line of setting up for figures means nothing here."""
    return re.sub(r"(?m)^%(?:matplotlib|config)\b.*$", "pass", source)


def read(id: str, source: str, aside: bool = False) -> Cell:
    """Read the code of one cell."""
    cell = Cell(id, source, aside)
    try:
        cell.tree = ast.parse(plain_python(source), cell.filename)
    except SyntaxError as error:
        cell.error = error
        return cell
    except ValueError as error:  # a null byte
        cell.error = SyntaxError(str(error))
        return cell
    _Reader(cell).read()
    return cell


def is_import(node: ast.AST) -> bool:
    """Whether it imports a module: `from __future__` does not."""
    return isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") != "__future__"


def bound_in(body: Iterable[ast.AST]) -> set[str]:
    """The names that a scope binds: not those of the scopes in it, but for `:=` in a comprehension."""
    found, outside = set(), set()

    def look(node: ast.AST, inner: bool) -> None:
        if isinstance(node, ast.NamedExpr):
            found.add(node.target.id)
        if isinstance(node, ast.Global | ast.Nonlocal):
            outside.update(node.names)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and not inner:
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            return
        elif isinstance(node, ast.Lambda):
            return
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update(bound_by(alias) for alias in node.names if alias.name != "*")
        elif (isinstance(node, ast.ExceptHandler) and node.name) or (
            isinstance(node, ast.MatchAs | ast.MatchStar) and node.name
        ):
            found.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.add(node.rest)
        inner |= isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
        for child in ast.iter_child_nodes(node):
            look(child, inner)

    for node in body:
        look(node, False)
    return found - outside


def bound_by(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def base(node: ast.AST) -> str | None:
    """The name at the bottom of `name.a[0].b`, or None."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


class _Reader(ast.NodeVisitor):
    """Walks the statements of a cell in their order, so that what the cell has bound before is its own."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.scopes: list[set[str]] = []  # names that are local where we are
        self.bound: set[str] = set()  # names that the cell surely has bound by now
        self.into = cell.uses
        self.deferred = False

    def read(self) -> None:
        cell = self.cell
        for node in cell.tree.body:
            if is_import(node):
                for alias in node.names:
                    if alias.name == "*":
                        cell.stars = True
                    else:
                        cell.imports.setdefault(bound_by(alias), []).append(alone(node, alias))
            self.visit(node)
            cell.sets |= _sets(node)
        # What a function reads has to be there when it is called: here, where its name stands once more.
        for name, uses in cell.functions.items():
            if name.isidentifier() and name not in cell._own:
                continue
            for kind in ("reads", "changes", "acts"):
                getattr(cell.uses, kind).update(getattr(uses, kind) - cell.uses.binds)

    # --- names ---

    def local(self, name: str) -> bool:
        return any(name in scope for scope in self.scopes)

    def use(self, name: str) -> None:
        if self.local(name):
            return
        self.cell._own.add(name)
        if self.deferred or name not in self.bound:
            self.into.reads.add(name)
            if STREAM_NAME.fullmatch(name):
                self.change(name)

    def bind(self, name: str) -> None:
        if not self.scopes:
            self.into.binds.add(name)
            self.bound.add(name)
        elif not self.local(name):  # declared global
            self.into.binds.add(name)

    def change(self, name: str | None, kind: str = "changes") -> None:
        if name is None or self.local(name) or name in BUILTINS:
            return
        if self.deferred or name not in self.bound:
            self.into.reads.add(name)
            getattr(self.into, kind).add(name)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.use(node.id)
        else:
            self.bind(node.id)

    def target(self, node: ast.AST) -> None:
        """What an assignment, a deletion or a loop puts something into."""
        if isinstance(node, ast.Tuple | ast.List):
            for each in node.elts:
                self.target(each)
        elif isinstance(node, ast.Starred):
            self.target(node.value)
        else:
            if isinstance(node, ast.Attribute | ast.Subscript):
                self.change(base(node))
            self.visit(node)

    # --- statements that bind ---

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.target(target)
            if isinstance(target, ast.Name) and not self.scopes:
                self.name_function(target.id, node.value)
        self.note_streams(node.targets, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.target(node.target)
            self.note_streams([node.target], node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        name = base(node.target)
        if name is not None:
            self.use(name)
            self.change(name)  # a list or an array is changed in place
        self.target(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.bind(node.target.id)

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.use(target.id)
            self.target(target)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name != "*":
                self.bind(bound_by(alias))

    visit_ImportFrom = visit_Import

    def note_streams(self, targets: list[ast.AST], value: ast.AST) -> None:
        if self.scopes:
            return
        made = {
            getattr(call.func, "attr", getattr(call.func, "id", ""))
            for call in ast.walk(value)
            if isinstance(call, ast.Call)
        }
        if made & STREAMS or isinstance(value, ast.GeneratorExp):
            names = {name.id for each in targets for name in ast.walk(each) if isinstance(name, ast.Name)}
            self.cell.streams |= names

    def name_function(self, name: str, value: ast.AST) -> None:
        if isinstance(value, ast.Lambda):
            self.cell.functions[name] = self.cell.functions.pop(_anonymous(value), Uses())

    # --- statements with a body ---

    def branches(self, *bodies: list[ast.stmt], after: bool = True) -> None:
        """Bodies of which any may run: what all of them bind is bound after them."""
        before, ends = set(self.bound), []
        for body in bodies:
            self.bound = set(before)
            for node in body:
                self.visit(node)
            ends.append(self.bound)
        self.bound = set.intersection(*ends) if after else before

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self.branches(node.body, node.orelse)

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        always = isinstance(node.test, ast.Constant) and bool(node.test.value)
        self.branches(node.body, *([] if always else [[]]))
        for each in node.orelse:
            self.visit(each)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        before = set(self.bound)
        self.target(node.target)
        for each in node.body:
            self.visit(each)
        if not _surely_some(node.iter):
            self.bound = before
        for each in node.orelse:
            self.visit(each)

    visit_AsyncFor = visit_For

    def visit_Try(self, node: ast.Try) -> None:
        handlers = [[each] for each in node.handlers]
        self.branches([*node.body, *node.orelse], *handlers)
        for each in node.finalbody:
            self.visit(each)

    visit_TryStar = visit_Try

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type:
            self.visit(node.type)
        if node.name:
            self.bind(node.name)
        for each in node.body:
            self.visit(each)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.target(item.optional_vars)
        for each in node.body:
            self.visit(each)

    visit_AsyncWith = visit_With

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before, ends = set(self.bound), [set(self.bound)]
        for case in node.cases:
            self.bound = set(before)
            self.generic_visit(case)
            ends.append(self.bound)
        self.bound = set.intersection(*ends)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.bind(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.bind(node.rest)
        self.generic_visit(node)

    # --- calls ---

    def visit_Expr(self, node: ast.Expr) -> None:
        # A call whose value nobody takes is made for its effect: x.append(1), np.fill_diagonal(x, 0).
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and base(call.func) not in BUILTINS - {"setattr", "delattr"}:
            if isinstance(call.func, ast.Attribute):
                self.change(base(call.func), "acts")
            self.change(next((each.id for each in call.args[:1] if isinstance(each, ast.Name)), None), "acts")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = base(node.func)
        if isinstance(node.func, ast.Attribute) and CHANGING.fullmatch(node.func.attr):
            self.change(name, "acts")
        if name == "next" and node.args:
            self.change(base(node.args[0]))
        for keyword in node.keywords:
            if keyword.arg == "out":
                self.change(base(keyword.value))
        self.generic_visit(node)

    # --- scopes ---

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for each in node.decorator_list:
            self.visit(each)
        self.function(node, node.name)
        self.bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.function(node, _anonymous(node))

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, name: str) -> None:
        arguments = node.args
        for each in [*arguments.defaults, *filter(None, arguments.kw_defaults)]:
            self.visit(each)
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        named += filter(None, [arguments.vararg, arguments.kwarg])
        for each in filter(None, [*(each.annotation for each in named), getattr(node, "returns", None)]):
            self.visit(each)
        body = node.body if isinstance(node.body, list) else [node.body]
        self.later(name, body, {each.arg for each in named} | bound_in(body))

    def later(self, name: str, body: list[ast.AST], local: set[str]) -> None:
        """Read what runs when it is called; the outermost function or class of the cell has the use of it."""
        into, deferred = self.into, self.deferred
        if not self.deferred:
            self.into, self.deferred = Uses(), True
        self.scopes.append(local)
        for each in body:
            self.visit(each)
        self.scopes.pop()
        if not deferred:
            self.cell.functions.setdefault(name, Uses()).take(self.into)
        self.into, self.deferred = into, deferred

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for each in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(each)
        # The methods cannot see the names of the class, and what they read belongs to the class.
        methods = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        self.scopes.append(bound_in(node.body))
        for each in node.body:
            if each not in methods:
                self.visit(each)
        own = self.scopes.pop()
        for each in methods:
            for decorator in each.decorator_list:
                self.scopes.append(own)
                self.visit(decorator)
                self.scopes.pop()
            self.function(each, node.name)
        self.cell.functions.setdefault(node.name, Uses())
        self.bind(node.name)

    def comprehension(self, node: ast.AST) -> None:
        self.visit(node.generators[0].iter)
        self.scopes.append(set().union(*(bound_in([each.target]) for each in node.generators)))
        for i, each in enumerate(node.generators):
            if i:
                self.visit(each.iter)
            for condition in each.ifs:
                self.visit(condition)
        for part in ("elt", "key", "value"):
            if hasattr(node, part):
                self.visit(getattr(node, part))
        self.scopes.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = comprehension


def alone(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    made = type(node)(**{**dict(ast.iter_fields(node)), "names": [alias]})
    return ast.copy_location(made, node)


def _sets(node: ast.stmt) -> set[str]:
    """The names whose settings a statement changes, if they are modules: `np.set_printoptions(...)`."""
    function = getattr(node.value, "func", None) if isinstance(node, ast.Expr) else None
    if isinstance(function, ast.Attribute) and (
        SETTING.fullmatch(function.attr) or "rcParams" in ast.unparse(function)
    ):
        return {base(function)} - {None}
    if isinstance(node, ast.Assign):
        return {base(each) for each in node.targets if not isinstance(each, ast.Name)} - {None}
    return set()


def _anonymous(node: ast.Lambda) -> str:
    return f"lambda {node.lineno}:{node.col_offset}"


def _surely_some(node: ast.AST) -> bool:
    """Whether a loop over it surely runs once: a display of values, or range(n) of a number."""
    if isinstance(node, ast.Tuple | ast.List):
        return bool(node.elts)
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("range", "enumerate") and node.args:
        first = node.args[0]
        if isinstance(first, ast.Constant):
            return len(node.args) == 1 and bool(first.value)
        return _surely_some(first)
    return False
