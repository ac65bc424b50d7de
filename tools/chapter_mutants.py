"""Change what a notebook of the book uses, in one place at a time, and see whether the notebook notices.

    python tools/chapter_mutants.py                              # every notebook under book/
    python tools/chapter_mutants.py book/theorem.ipynb           # one of them
    python tools/chapter_mutants.py --every 10                   # besides results, a tenth of the code
    python tools/chapter_mutants.py --show                       # list the changes, run nothing more
    python tools/chapter_mutants.py --weak                       # name also what only a stored output notices

The notebook is run once and watched: what its cells call of pgtlab is what it uses, and so is what the
formulas of the ledger call for it. Each such function is then wrong in one way: it returns its numbers with
another sign, 0.1 % too large, with one entry moved or transposed; with --every, its code or a default is
changed too. So are the functions that the chapter defines itself. The cells that the change can reach run in
a forked process (Linux and macOS only), and end in one of these ways:

    check      a check of the notebook fails: AssertionError
    error      something else is raised, mostly because a function refuses what it gets
    output     no cell fails, but one prints something else than before: nbval sees it, a reader does not
    idle       there was no number to change: a matrix of one entry transposed, a zero with another sign
    survives   nothing is seen

Survivors that make no difference to a claim stand with the reason in tools/chapter_survivors.toml. The script
exits 1 if one is missing there, or, after a whole run, if a line there no longer names a survivor.

What draws, checks, proves or refuses is left alone, and so is what only a figure with sliders calls: the
tests of these rooms see to it, and a figure is no check.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import contextlib
import copy
import dataclasses
import dis
import gc
import importlib
import io
import os
import pickle
import pkgutil
import re
import signal
import sys
import time
import tomllib
import types
import warnings
from collections import Counter
from pathlib import Path

import nbformat
import numpy as np
from mutants import mutated, spots, text
from notebooks import BOOK

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pgtlab"
SURVIVORS = Path(__file__).with_name("chapter_survivors.toml")

#: Rooms whose functions stay as they are; what `slides` calls counts as called by the notebook.
LEFT_ALONE = {"_moved", "_progress", "_validate", "checks", "letters", "plots", "slides", "widgets"}

ENDS = {0: "survives", 1: "check", 2: "error", 3: "output", 4: "idle", 5: "hung"}


class Chapter:
    """A notebook whose code cells run in this process."""

    def __init__(self, path):
        self.path, self.name = path, path.stem
        cells = enumerate(nbformat.read(path, 4).cells)
        self.cells = {i: cell for i, cell in cells if cell.cell_type == "code"}
        self.trees = {i: ast.parse(cell.source, self.file(i)) for i, cell in self.cells.items()}
        # A dataclass looks for its module.
        self.module = types.ModuleType(f"notebook {path.stem}")
        sys.modules[self.module.__name__] = self.module
        self.shown = []

    def file(self, i):
        """Return the name under which a cell is compiled."""
        return f"<{self.name}, cell {i}>"

    def run(self, i, tree=None):
        """Run a cell, or what stands in its place; return what it prints and displays."""
        body = list((tree or self.trees[i]).body)
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        space, printed = self.module.__dict__, io.StringIO()
        space["__builtins__"] = __builtins__
        import IPython.display

        # One for all cells, as a notebook imports it once.
        self.shown, IPython.display.display = [], self.display
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            execute(ast.Module(body, []), self.file(i), "exec", space)
            if last is not None:
                self.shown.append(repr(execute(ast.Expression(last.value), self.file(i), "eval", space)))
        return printed.getvalue(), self.shown

    def display(self, *objects):
        """Take note of what a cell displays."""
        self.shown.extend(getattr(each, "data", repr(each)) for each in objects)

    def stored(self, i):
        """Return what a cell printed when the notebook was stored."""
        outputs = self.cells[i].outputs
        return "".join(each.text for each in outputs if each.output_type == "stream")


def execute(tree, file, mode, space):
    """Run code that may await something, as the first cell of a chapter does in a browser."""
    answer = eval(compile(tree, file, mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), space)
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


#: What a proof has printed, by proof: no number of the package goes into one, so that one run is enough.
PROVED = {}


def prepare():
    """Load what the notebooks load, keep figures from being shown, and proofs from being worked out twice."""
    os.environ["MPLBACKEND"] = "Agg"
    import matplotlib.pyplot as plt
    import scipy.integrate  # noqa: F401
    import sympy  # noqa: F401

    import pgtlab

    # A room is loaded when it is first asked for, and what is not there cannot be changed.
    for room in pkgutil.walk_packages(pgtlab.__path__, "pgtlab."):
        importlib.import_module(room.name)

    pgtlab.widgets.explore = lambda draw, /, **_: f"explore({draw.__name__})"
    plt.show = lambda: plt.close("all")
    prove = pgtlab.letters.proof.Proof.check

    def check(proof):
        if id(proof) not in PROVED:
            trace = sys.gettrace()
            sys.settrace(None)
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                prove(proof)
            sys.settrace(trace)
            PROVED[id(proof)] = printed.getvalue()
        print(PROVED[id(proof)], end="")

    pgtlab.letters.proof.Proof.check = check


# --- what a notebook uses --------------------------------------------------------------------------------


class Uses:
    """Which functions are called while cells run: where first, by whom, and what they return."""

    def __init__(self, chapter):
        self.cells = {chapter.file(i) for i in chapter.cells}
        self.first, self.called, self.results, self.kinds = {}, {}, {}, {}
        self.names = {}
        self.cell = None

    def kind(self, code):
        """Return 'cell', 'claim' (of the ledger), 'room', 'alone', or None for other people's code."""
        name = code.co_filename
        if name not in self.kinds:
            kind = "cell" if name in self.cells else None
            if name.startswith(f"{PACKAGE}{os.sep}"):
                room = Path(name).relative_to(PACKAGE).parts[0].removesuffix(".py")
                kind = "claim" if room == "slides" else "alone" if room in LEFT_ALONE else "room"
            self.kinds[name] = kind
        return self.kinds[name]

    def __call__(self, frame, event, _):
        """Take note of a call, as `sys.settrace` asks; return what is to be told of its end."""
        code = frame.f_code
        kind = self.kind(code)
        if kind not in ("cell", "room") or code.co_name.startswith("<"):
            return None
        self.first.setdefault(key_of(code), self.cell)
        self.called.setdefault(key_of(code), set()).add(self.cell)
        if kind == "room" and not self.calls(frame.f_back):
            return None
        frame.f_trace_lines = False
        return self.returned

    def returned(self, frame, event, value):
        if event == "return":
            places = self.results.setdefault(key_of(frame.f_code), {})
            for place, hows in leaves(value):
                places.setdefault(place, hows)
        return self.returned

    def calls(self, frame):
        """Say whether the nearest caller that is ours is a cell or a formula."""
        while frame is not None and self.kind(frame.f_code) is None:
            frame = frame.f_back
        return frame is not None and self.kind(frame.f_code) in ("cell", "claim")


def key_of(code):
    return code.co_filename, code.co_qualname, code.co_firstlineno


def leaves(value, depth=2):
    """Yield the places in a result at which there are numbers, and how these may be changed."""
    if isinstance(value, float | np.floating):
        yield "", ["x 1.001", "sign"]
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and value.size:
            square = value.ndim > 1 and value.shape[-1] == value.shape[-2] > 1
            last = ["first entry moved"] * (value.size > 1) + ["transposed"] * square
            yield "", ["x 1.001", "sign", *last]
    elif isinstance(value, tuple | list) and depth:
        for i, each in enumerate(value[:3]):
            yield from ((f"[{i}]{place}", hows) for place, hows in leaves(each, depth - 1))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type) and depth:
        for field in (each for each in dataclasses.fields(value) if each.init):
            found = leaves(getattr(value, field.name, None), depth - 1)
            yield from ((f".{field.name}{place}", hows) for place, hows in found)


class Names:
    """The names that a cell reads and binds, and those of which it may change the object."""

    def __init__(self, tree, space):
        waiting, self.reads, self.binds = (
            [compile(tree, "", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)],
            set(),
            set(),
        )
        stores = False
        while waiting:
            code = waiting.pop()
            for each in dis.get_instructions(code):
                stores |= each.opname == "STORE_SUBSCR"
                if each.opname in ("STORE_NAME", "STORE_GLOBAL"):
                    self.binds.add(each.argval)
                elif each.opname in ("LOAD_NAME", "LOAD_GLOBAL") and each.argval not in self.binds:
                    self.reads.add(each.argval)
            waiting += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        # A function of the notebook reads what it names, when it is called.
        reads = list(self.reads)
        while reads:
            function = space.get(reads.pop())
            if isinstance(function, types.FunctionType) and function.__code__.co_filename.startswith("<"):
                new = {n for n in names_in(function.__code__) if n in space} - self.reads
                self.reads |= new
                reads += new
        values = {name: space[name] for name in self.reads if name in space}
        rooms = (types.ModuleType, types.FunctionType, type)
        self.objects = {name for name, value in values.items() if not isinstance(value, rooms)}
        self.changes = {name for name in self.objects if not stays(values[name], stores)}


def names_in(code):
    """Return the names in a function and in those inside it."""
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*map(names_in, inner))


def stays(value, stores):
    """Say whether an object is sure to stay as it is, in a cell that stores into one or does not."""
    if dataclasses.is_dataclass(value):
        return value.__dataclass_params__.frozen
    if isinstance(value, tuple):
        return all(stays(each, stores) for each in value)
    return isinstance(value, int | float | str | np.generic) or (isinstance(value, np.ndarray) and not stores)


def needed(change, uses):
    """Return the cells that a change can reach, with those that give them what they read."""
    cells = [i for i in uses.names if i >= change.cell]
    reached, touched = set(), set()
    for i in cells:
        names = uses.names[i]
        if i == change.cell or i in uses.called[change.key] or names.reads & touched:
            reached.add(i)
            touched |= names.binds | names.objects
    wanted = set()
    for i in reversed(cells):
        names = uses.names[i]
        if i in reached or (names.binds | names.changes) & wanted:
            reached.add(i)
            wanted |= names.reads
    return reached


def watched(chapter):
    """Run a notebook in a process of its own; return its uses, its outputs and what its proofs print."""

    def work():
        uses, outputs = Uses(chapter), {}
        for i in chapter.cells:
            uses.cell = i
            sys.settrace(uses)
            try:
                outputs[i] = chapter.run(i)
            finally:
                sys.settrace(None)
            uses.names[i] = Names(chapter.trees[i], chapter.module.__dict__)
        return uses, outputs, PROVED

    return in_fork(work)


def in_fork(work):
    """Return what a function returns in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            answer = pickle.dumps(work())
        except BaseException as error:
            answer = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pickle.loads(pipe.read() or pickle.dumps(RuntimeError("the process died")))
    os.waitpid(child, 0)
    if isinstance(answer, RuntimeError):
        raise answer
    return answer


# --- changes ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Change:
    """One change of a function: either of its code, a node, or of its results, how at which place."""

    function: str
    what: str
    cell: int
    key: tuple
    tree: ast.Module
    node: tuple | None = None
    place: str = ""
    how: str = ""

    def __str__(self):
        return f"{self.function}: {self.what}"

    def changed(self):
        """Return the changed module or cell."""
        if self.node:
            return mutated(self.tree, *self.node)
        return with_altered_returns(self.tree, self.key[2])


def moved(x):
    """Return numbers of which the first is another."""
    x = np.array(x)
    x.flat[0] += 0.01 * (1 + abs(x.flat[0]))
    return x


HOWS = {
    "x 1.001": lambda x: x * 1.001,
    "sign": lambda x: -x,
    "first entry moved": moved,
    "transposed": lambda x: np.swapaxes(x, -1, -2),
}


class Alter:
    """Changes the numbers at one place of a result, and remembers whether there were any to change."""

    def __init__(self, place, how):
        self.place, self.how, self.touched = place, HOWS[how], False

    def __call__(self, value):
        return self.at(self.place, value)

    def at(self, place, value):
        if place == "":
            return self.numbers(value)
        if place.startswith("["):
            index, rest = int(place[1]), place[3:]
            if not isinstance(value, tuple | list) or index >= len(value):
                return value
            items = [self.at(rest, each) if i == index else each for i, each in enumerate(value)]
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
        name, rest = re.fullmatch(r"\.(\w+)(.*)", place).groups()
        if not dataclasses.is_dataclass(value) or not hasattr(value, name):
            return value
        return dataclasses.replace(value, **{name: self.at(rest, getattr(value, name))})

    def numbers(self, value):
        if not isinstance(value, float | np.floating | np.ndarray) or np.asarray(value).dtype.kind != "f":
            return value
        new = self.how(value) if np.size(value) else value
        self.touched |= not np.array_equal(new, value, equal_nan=True)
        if isinstance(value, np.ndarray):
            # A copy first: what a view changes is no business of its base.
            new = np.array(new)
            new.flags.writeable = value.flags.writeable
        return new


class Returns(ast.NodeTransformer):
    """Puts what a function returns through another function; inner functions stay as they are."""

    def __init__(self, name):
        self.name = name

    def visit_Return(self, node):
        if node.value is None:
            return node
        return ast.Return(ast.Call(ast.Name(self.name, ast.Load()), [node.value], []))

    def skip(self, node):
        return node

    visit_FunctionDef = visit_Lambda = visit_ClassDef = skip


ALTERED = "_altered_by_a_mutant"


def with_altered_returns(tree, line):
    """Return the tree with the results of the function in a line put through the function named ALTERED."""
    changed = copy.deepcopy(tree)
    node = definition_at(changed, line)
    node.body = [Returns(ALTERED).visit(each) for each in node.body]
    return ast.fix_missing_locations(changed)


def first_line(definition):
    return min([definition.lineno, *(each.lineno for each in definition.decorator_list)])


def changes_of(chapter, uses, trees, every):
    """Return the changes of everything that a chapter uses."""
    found, number = [], 0
    for key, places in uses.results.items():
        file, qualname, line = key
        own = file.startswith("<")
        if own:
            cell = next(i for i in chapter.cells if chapter.file(i) == file)
            tree, source, start = chapter.trees[cell], chapter.cells[cell].source.splitlines(), cell
            name = f"{chapter.name}, {qualname}"
        else:
            (tree, source), start = trees[file], uses.first[key]
            room = Path(file).relative_to(PACKAGE).with_suffix("").parts
            name = ".".join([*(each for each in room if each != "__init__"), qualname])
        definition = definition_at(tree, line)
        if definition is None or "__" in definition.name:
            continue
        if "<locals>" in qualname and not own:
            # Made afresh whenever the function around it runs, and changed with that one's code.
            continue
        if not own:
            name = f"{chapter.name}, {name}"
        for place, hows in places.items():
            for how in hows:
                # A problem with a sign changed is mostly none, and refused.
                if how != "sign" or ", gallery." not in name:
                    what = f"result{place} {how}"
                    found.append(Change(name, what, start, key, tree, place=place, how=how))
        lines = set(range(first_line(definition), definition.end_lineno + 1)) - refusals(definition)
        for at, node, new in sorted(spots(tree, lines), key=lambda spot: spot[1].lineno):
            number += 1
            if every and number % every == 0:
                what = f"{text(node)}  ->  {text(new)}"
                if len(text(node)) < 20:
                    what += f"  in  {source[node.lineno - 1].strip()}"
                found.append(Change(name, what, start, key, tree, node=(at, new)))
    return sorted(found, key=lambda change: change.cell)


def refusals(definition):
    """Return the lines that refuse wrong input: an `if` that ends in `raise`, and `raise` itself."""
    lines = set()
    for node in ast.walk(definition):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise)):
            end = node.body[-1].end_lineno if isinstance(node, ast.If) else node.end_lineno
            lines |= set(range(node.lineno, end + 1))
    return lines


_functions = {}


def functions(key):
    """Return the function objects that have the code of a key."""
    if key not in _functions:
        _functions.clear()
        for each in gc.get_objects():
            if isinstance(each, types.FunctionType) and each.__code__.co_filename.startswith(str(PACKAGE)):
                _functions.setdefault(key_of(each.__code__), []).append(each)
    return _functions.get(key, [])


def code_of(tree, key):
    """Return the code of a function, found in the compiled module."""
    file, qualname, line = key
    waiting = [compile(tree, file, "exec")]
    while waiting:
        code = waiting.pop()
        if code.co_qualname == qualname and code.co_firstlineno == line:
            return code
        waiting += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    raise LookupError(f"{qualname} is not in {file}")


def apply(change, alter):
    """Make a change of a function of the package in this process, for ever."""
    tree = change.changed()
    definition, new = definition_at(tree, change.key[2]), code_of(tree, change.key)
    for function in functions(change.key):
        function.__code__ = new
        space = function.__globals__
        space[ALTERED] = alter
        if change.node:
            given = definition.args
            function.__defaults__ = tuple(value_of(each, space) for each in given.defaults) or None
            pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
            function.__kwdefaults__ = {k.arg: value_of(v, space) for k, v in pairs if v is not None} or None


def value_of(expression, space):
    return eval(compile(ast.Expression(expression), "<default>", "eval"), space)


def definition_at(tree, line):
    """Return the function that starts at a line, decorators counted; None if there is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and first_line(node) == line:
            return node
    return None


# --- running ---------------------------------------------------------------------------------------------


def outcome(chapter, change, cells, before, seconds):
    """Say how a chapter ends with a change made, and in which cell."""
    if not change.key[0].startswith("<") and not functions(change.key):
        raise LookupError(f"{change}: no such function is loaded")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Whatever happens here, the process must not go on with the loop of its parent.
        end, place = 2, "-"
        try:
            # Seconds of work, not of the clock: a busy machine must not make a survivor look hung.
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            end, place = run_changed(chapter, change, cells, before)
        except BaseException as error:
            place = f"{type(error).__name__}: {error}"[:200]
        os.write(writer, str(place).encode())
        os._exit(end)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        place = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return (ENDS[5], "") if os.WIFSIGNALED(status) else (ENDS[os.WEXITSTATUS(status)], place)


def run_changed(chapter, change, cells, before):
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    alter = Alter(change.place, change.how) if change.how else None
    own = change.key[0].startswith("<")
    if own:
        chapter.module.__dict__[ALTERED] = alter
    else:
        apply(change, alter)
    differs = None
    for i in sorted(cells):
        try:
            output = chapter.run(i, change.changed() if own and i == change.cell else None)
        except AssertionError:
            return 1, i
        except Exception as error:
            return 2, f"{i}, {type(error).__name__}: {error}"[:200]
        if output != before[i] and differs is None:
            differs = i
    if differs is not None:
        return 3, differs
    return (0 if alter is None or alter.touched else 4), "-"


def run_chapter(path, arguments, trees):
    """Run every change of a chapter; return what each is and how it ends."""
    os.chdir(path.parent)
    chapter = Chapter(path)
    uses, before, proved = watched(chapter)
    PROVED.update(proved)
    changes = changes_of(chapter, uses, trees, arguments.every)
    if arguments.only:
        changes = [change for change in changes if any(each in str(change) for each in arguments.only)]
    if arguments.show:
        print(*changes, sep="\n")
        return []
    for i, (printed, _) in before.items():
        if printed != chapter.stored(i):
            sys.exit(f"{path.name}: cell {i} prints something else than is stored; run `make notebooks`.")
    ends, start = [], time.monotonic()
    for i in chapter.cells:
        for change in (each for each in changes if each.cell == i):
            cells = needed(change, uses)
            end, place = outcome(chapter, change, cells, before, arguments.seconds)
            ends.append((change, end))
            if end == "survives" or (arguments.weak and end == "output"):
                print(f"{end}{f' (cell {place})' if end == 'output' else ''}: {change}", flush=True)
            elif arguments.verbose:
                print(f"{end} ({place}): {change}", flush=True)
            if len(ends) % 100 == 0:
                print(f"{chapter.name}: {len(ends)} of {len(changes)}, {time.monotonic() - start:.0f} s")
        chapter.run(i)
    counts = Counter(end for _, end in ends)
    n = len({change.function for change, _ in ends})
    said = ", ".join(f"{name} {counts[name]}" for name in ENDS.values() if counts[name])
    print(f"{chapter.name}: {n} functions, {len(ends)} changes: {said} ({time.monotonic() - start:.0f} s)")
    return [(str(change), end) for change, end in ends]


def compare(ends, known, whole, code):
    """Return survivors that are not listed, and lines of the list that name none.

    Of chapters that were run whole every line is held to what was found, or those of results, without `code`.
    """
    alive = [change for change, end in ends if end == "survives"]
    listed = [line for reason in known for line in reason["changes"]]
    missing = [each for each in alive if not any(names(line, each) for line in listed)]
    stale = []
    for line in listed:
        if any(names(line, each) for each in alive):
            continue
        done = line.split(",")[0] in whole and (code or ": result" in line)
        if done or ("*" not in line and any(names(line, each) for each, _ in ends)):
            stale.append(line)
    return missing, stale


def names(line, change):
    """Say whether a line of the list names a change; a star stands for any text."""
    return re.fullmatch(".*".join(map(re.escape, line.split("*"))), change) is not None


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks; all under book/ if none is named")
    parser.add_argument(
        "--every", type=int, default=0, metavar="N", help="change the code too, at every Nth place"
    )
    only = "take only changes whose description has this in it; may be given more than once"
    parser.add_argument("--only", action="append", metavar="TEXT", help=only)
    parser.add_argument("--show", action="store_true", help="list the changes and run no more than needed")
    parser.add_argument("--weak", action="store_true", help="name also what only a stored output notices")
    parser.add_argument("--verbose", action="store_true", help="name every change and how it ends")
    parser.add_argument(
        "--seconds", type=int, default=120, help="of work, after which a change counts as noticed"
    )
    parser.add_argument("--survivors", type=Path, default=SURVIVORS, help=argparse.SUPPRESS)
    arguments = parser.parse_args(arguments)
    known = tomllib.loads(arguments.survivors.read_text(encoding="utf-8"))["survivors"]
    chapters = sorted(BOOK.glob("*.ipynb"))
    every_path = [path.resolve() for path in arguments.paths or chapters]

    sys.path.insert(0, str(ROOT))
    texts = {str(path): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    trees = {path: (ast.parse(text), text.splitlines()) for path, text in texts.items()}
    prepare()
    ends = []
    for path in every_path:
        # Each in a process of its own, so that none sees what another has left behind.
        try:
            ends += in_fork(lambda path=path: run_chapter(path, arguments, trees))
        except RuntimeError as error:
            sys.exit(str(error))
    if arguments.show:
        return 0
    whole = set() if arguments.only else {path.stem for path in every_path}
    if whole >= {path.stem for path in chapters}:
        whole.add("*")
    missing, stale = compare(ends, known, whole, arguments.every == 1)
    for each in missing:
        print(f"survives, and {arguments.survivors.name} does not say why: {each}")
    for each in stale:
        print(f"listed in {arguments.survivors.name}, but does not survive: {each}")
    return int(bool(missing or stale))


if __name__ == "__main__":
    sys.exit(main())
