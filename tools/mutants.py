"""Change the package in one small place at a time and see whether a test notices.

    python tools/mutants.py                        # exact
    python tools/mutants.py estimators             # one room, any that has tests of its own
    python tools/mutants.py exact --show           # list the changes, run nothing
    python tools/mutants.py exact --every 10       # a sample: every tenth change

A change that no test notices is a survivor: a test is missing, or the change makes no difference. All of it
happens in a copy, so that the project may be worked on meanwhile, and each change in a forked process of its
own: this runs on Linux and macOS only.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ["exact"]

#: Beside the files of its own, the tests that may notice a change in a room; those of the core, each other's.
TESTS = {room: ROOMS for room in ROOMS} | {
    "critics": ["mistakes"],
    "estimators": ["mistakes"],
    "ascent": ["outcomes"],
}

SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: Path
    line: int
    before: str
    after: str
    tree: ast.Module

    def __str__(self):
        return f"{self.path}:{self.line}: {self.before}  ->  {self.after}"


def mutants(path):
    """Yield every mutant of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for number, node, new in spots(tree):
        yield Mutant(path, node.lineno, text(node), text(new), mutated(tree, number, new))


def spots(tree, lines=None):
    """Yield what may be changed, everywhere or in some lines: number in `ast.walk`, node, and the new one."""
    idle = skipped(tree)
    for number, node in enumerate(ast.walk(tree)):
        if number in idle or (lines is not None and getattr(node, "lineno", None) not in lines):
            continue
        for new in changes(node):
            if ast.dump(new) != ast.dump(node):
                yield number, node, new


def mutated(tree, number, new):
    """Return the tree with another node in the place of one."""
    changed = copy.deepcopy(tree)
    old = next(each for i, each in enumerate(ast.walk(changed)) if i == number)
    return ast.fix_missing_locations(Replace(old, new).visit(changed))


def skipped(tree):
    """Return the numbers of the nodes in which nothing is changed: imports, annotations, texts of errors."""
    numbers = {id(node): i for i, node in enumerate(ast.walk(tree))}
    idle = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
            idle.append(node)
        if isinstance(node, ast.Raise):
            idle += [node.exc, node.cause]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            idle += node.decorator_list
        if isinstance(node, ast.FunctionDef):
            idle += [argument.annotation for argument in node.args.args]
    idle = [node for node in idle if node is not None]
    return {numbers[id(each)] for node in idle for each in ast.walk(node)}


def changes(node):
    """Yield what a node may be replaced by."""
    match node:
        case ast.BinOp(left, op, right):
            if type(op) in SWAPS:
                yield ast.BinOp(left, SWAPS[type(op)](), right)
            if isinstance(op, ast.Sub | ast.Div | ast.Pow | ast.MatMult):
                yield ast.BinOp(right, op, left)
        case ast.Compare(left, ops, others):
            for i, op in enumerate(ops):
                if type(op) in SWAPS:
                    yield ast.Compare(left, [*ops[:i], SWAPS[type(op)](), *ops[i + 1 :]], others)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(SWAPS[type(op)](), values)
        case ast.UnaryOp(_, operand):
            yield operand
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
            if value not in (0, 1):
                yield ast.Constant(2 * value)
        case ast.Attribute(value, "T", ast.Load()):
            yield value
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.If(test, body, orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Call(func, args, keywords):
            yield from call_changes(func, args, keywords)
        case ast.Raise() | ast.AugAssign() | ast.Expr(ast.Call()):
            yield ast.Pass()


def call_changes(func, args, keywords):
    """Yield what a call may be replaced by: other arguments, or an argument alone."""
    starred = any(isinstance(each, ast.Starred) for each in args)
    if len(args) > 1 and not starred:
        yield ast.Call(func, [args[1], args[0], *args[2:]], keywords)
    for i in range(len(keywords)):
        yield ast.Call(func, args, keywords[:i] + keywords[i + 1 :])
    if isinstance(func, ast.Attribute):
        owner = ast.unparse(func.value)
        if owner == "np" and args and not starred:
            yield args[0]
            if func.attr == "where":
                yield args[1]
                yield args[2]
        elif owner != "_validate" and not args:
            # x.copy(), x.sum(), ...
            yield func.value


class Replace(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old, new):
        self.old, self.new = old, copy.deepcopy(new)

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def text(node):
    """Return the code of a node in one line."""
    line = " ".join(ast.unparse(node).split())
    return line if len(line) <= 70 else line[:67] + "..."


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from a changed tree."""

    def __init__(self, name, path, tree):
        super().__init__(name, str(path))
        self.tree = tree

    def get_code(self, fullname):
        return compile(self.tree, self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    """Finds the one module that is changed."""

    def __init__(self, mutant):
        parts = list(mutant.path.with_suffix("").parts)
        self.folder = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.folder else parts)
        self.loader = Loader(self.name, mutant.path.resolve(), mutant.tree)

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        where = [str(Path(self.loader.path).parent)] if self.folder else None
        return importlib.util.spec_from_file_location(
            fullname, self.loader.path, loader=self.loader, submodule_search_locations=where
        )


class Brief:
    """Makes Hypothesis draw the same few examples for every mutant, and not look for smaller failures."""

    def pytest_collection(self):
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutants",
            deadline=None,
            max_examples=25,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
        )
        settings.load_profile("mutants")


def noticed(mutant, tests, seconds):
    """Say how the tests notice a mutant, in a process of its own: 'failed', 'hung', or None."""
    child = os.fork()
    if child == 0:
        # Whatever happens here, the process must not go on with the loop of its parent.
        try:
            code = run_tests(mutant, tests, seconds)
        except BaseException:
            code = 1
        os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "hung"
    return "failed" if os.WEXITSTATUS(status) else None


def run_tests(mutant, tests, seconds):
    import pytest

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    if mutant is not None:
        sys.meta_path.insert(0, Finder(mutant))
    # Hypothesis is loaded before pytest could rewrite its assertions, which is as well.
    options = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*options, *tests], plugins=[Brief()]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("rooms", nargs="*", default=ROOMS, help=f"default: {' '.join(ROOMS)}")
    parser.add_argument("--show", action="store_true", help="list the changes and run nothing")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth change only")
    parser.add_argument("--line", type=int, help="take the changes of this line only")
    parser.add_argument("--seconds", type=int, default=60, help="after which a mutant counts as noticed")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        for name in ("pgtlab", "tests"):
            shutil.copytree(ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        os.chdir(folder)
        sys.path.insert(0, folder)
        try:
            run(arguments, parser)
        finally:
            os.chdir(ROOT)


def run(arguments, parser):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"

    survivors, total, start = [], 0, time.monotonic()
    for room in arguments.rooms:
        paths = sorted(Path().glob(f"pgtlab/{room}.py")) + sorted(Path().glob(f"pgtlab/{room}/*.py"))
        if not paths:
            parser.error(f"there is no room {room!r} in pgtlab")
        found = [mutant for path in paths for mutant in mutants(path)]
        every = sorted(found, key=lambda mutant: (mutant.path, mutant.line))[:: arguments.every]
        chosen = [mutant for mutant in every if arguments.line in (None, mutant.line)]
        if arguments.show:
            print(*chosen, sep="\n")
            continue
        # What every child needs and none changes is loaded once.
        import gymnasium.envs.toy_text  # noqa: F401
        import hypothesis.extra.numpy  # noqa: F401
        import pytest  # noqa: F401
        import scipy.linalg.lapack
        import scipy.sparse.linalg  # noqa: F401

        own = [str(path) for path in sorted(Path("tests").glob(f"test_{room}*.py"))]
        tests = list(dict.fromkeys([*own, *(f"tests/test_{each}.py" for each in TESTS.get(room, []))]))
        if noticed(None, tests, 10 * arguments.seconds):
            sys.exit(f"The tests of {room} fail without any change.")
        alive = []
        for i, mutant in enumerate(chosen, start=1):
            if noticed(mutant, tests, arguments.seconds) is None:
                alive.append(mutant)
                print(f"survives: {mutant}", flush=True)
            if i % 50 == 0:
                print(f"{room}: {i} of {len(chosen)}, {time.monotonic() - start:.0f} s", flush=True)
        print(f"{room}: {len(chosen) - len(alive)} of {len(chosen)} noticed")
        survivors += alive
        total += len(chosen)
    if total:
        score = 100 * (total - len(survivors)) / total
        print(f"\nMutation score {score:.1f} %: {total - len(survivors)} of {total} changes noticed.")
        print(*survivors, sep="\n")


if __name__ == "__main__":
    main()
