"""The rooms and their floors, what an import costs, and what every public name says of itself."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pgtgrade
import pgtlab

PACKAGE = Path(pgtlab.__file__).parent
GRADING = Path(pgtgrade.__file__).parent

#: A room imports rooms on lower floors only, and `_validate` from everywhere.
FLOORS = {
    "_validate": 0,
    "_moved": 0,
    "_progress": 0,
    "checks": 0,
    "quadratic": 0,
    "mdp": 1,
    "policies": 1,
    "studies": 1,
    "features": 2,
    "gallery": 2,
    "exact": 3,
    "arrays": 4,
    "rollouts": 4,
    "estimators": 5,
    "critics": 6,
    "ascent": 7,
    "language": 7,
    "slides": 8,
    "plots": 9,
    "widgets": 9,
}

#: And inside the room of what is exact a file imports files on lower floors only.
FLOORS_OF_EXACT = {
    "digits": 0,
    "elimination": 0,
    "endings": 0,
    "on_the_line": 0,
    "process": 0,
    "contrasts": 1,
    "finite_long_run": 1,
    "linear_systems": 1,
    "regression": 2,
    "finite_chain": 3,
    "gaussian_chain": 3,
    "chains": 4,
    "values": 5,
    "visits": 5,
    "gradients": 6,
    "fisher": 7,
    "stationary": 7,
    "__init__": 8,
}

#: What a reader of the finite case never meets.
ON_THE_LINE = {
    "pgtlab.exact.gaussian_chain",
    "pgtlab.exact.on_the_line",
    "pgtlab.mdp.linear_quadratic",
    "pgtlab.policies.linear_gaussian",
    "pgtlab.quadratic",
}

#: The room of the derivations stands apart; a formula of the slides shows its proof, and takes nothing else.
APART = "letters"
SHOWS = "slides"

#: What a room returns, but nobody builds by name.
RESULTS = {
    "Estimate",
    "FiniteChain",
    "FinitePaths",
    "GaussianKernel",
    "GaussianVisitation",
    "LinearGaussianChain",
    "LinearQuadraticPaths",
    "Quadratic",
    "StudyError",
}

#: What only the display of a notebook calls: a line for each method is enough.
DISPLAYED = {"Explorer"}

SOURCES = sorted(path for path in PACKAGE.rglob("*.py"))
ROOMS = sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in SOURCES} - {"__init__"})


@functools.cache
def trees(room=None):
    """Return the syntax tree of every file of the package, or of a room, by path."""
    chosen = [path for path in SOURCES if room in (None, room_of(path))]
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in chosen}


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree):
    """Yield the full name of everything that is imported anywhere in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def misplaced(room, tree):
    """Return the imports of a file in `room` that its floor does not allow."""
    wrong = []
    for name in imports(tree):
        if name.startswith("."):
            wrong.append(f"{name} (relative)")
        if name.split(".")[0] != "pgtlab":
            continue
        other = name.split(".")[1] if "." in name else ""
        allowed = (
            other == room
            or (other == "_validate" and room != APART)
            or (room == SHOWS and name == f"pgtlab.{APART}.PROOFS")
            or (room in FLOORS and FLOORS.get(other, 99) < FLOORS[room])
        )
        if not allowed:
            wrong.append(name)
    return wrong


def calls_global_randomness(tree):
    """Return the names of global randomness or of seeds that a file uses."""
    names = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    wrong = [name for name in names if re.match(r"(np|numpy)\.random\.(?!Generator\b)", name)]
    return wrong + [name for name in imports(tree) if re.match(r"random\b|numpy\.random\b", name)]


# --- floors ----------------------------------------------------------------------------------------


def test_every_room_has_a_floor():
    assert set(ROOMS) <= {*FLOORS, APART}
    assert len(ROOMS) >= 8


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_rooms_on_lower_floors_only(room):
    assert {path: misplaced(room, tree) for path, tree in trees(room).items() if misplaced(room, tree)} == {}


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("exact", "from pgtlab.rollouts import rollout"),
        ("exact", "from pgtlab import critics"),
        ("rollouts", "from pgtlab.estimators import reinforce"),
        ("mdp", "import pgtlab.exact.chains"),
        ("plots", "from pgtlab import state_values"),
        ("exact", "from .chains import chain"),
        ("letters", "from pgtlab import _validate"),
        ("plots", "from pgtlab.letters import PROOFS"),
        ("slides", "from pgtlab.letters import equal"),
        ("mdp", "def f():\n    from pgtlab.exact.chains import chain"),
    ],
)
def test_an_import_from_above_would_be_seen(room, line):
    assert misplaced(room, ast.parse(line))


def misplaced_in_exact(file, tree):
    """Return the files of `exact` that one of them imports and its floor does not allow."""
    names = [name.split(".") for name in imports(tree)]
    others = {
        parts[2] if len(parts) > 2 else "__init__" for parts in names if parts[:2] == ["pgtlab", "exact"]
    }
    return sorted(each for each in others if FLOORS_OF_EXACT.get(each, 99) >= FLOORS_OF_EXACT[file])


@pytest.mark.parametrize("path", trees("exact"))
def test_a_file_of_what_is_exact_imports_files_on_lower_floors_only(path):
    assert misplaced_in_exact(Path(path).stem, trees()[path]) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("values", "from pgtlab.exact.gradients import policy_gradient"),
        ("visits", "from pgtlab.exact.values import state_values"),
        ("gradients", "from pgtlab.exact import fisher_information"),
        ("finite_chain", "from pgtlab.exact.chains import chain"),
        ("finite_chain", "import pgtlab.exact.gaussian_chain"),
    ],
)
def test_an_import_from_above_in_what_is_exact_would_be_seen(file, line):
    assert misplaced_in_exact(file, ast.parse(line))


def read_along(module):
    """Return the modules of the package that a reader of one meets who follows its imports by name."""
    found, ahead = set(), [module]
    while ahead:
        name = ahead.pop()
        path = PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
        if name not in found and path.exists():
            found.add(name)
            ahead += [each.rsplit(".", 1)[0] for each in imports(ast.parse(path.read_text(encoding="utf-8")))]
    return found


def test_a_reader_of_the_finite_chain_never_meets_a_gaussian():
    assert read_along("pgtlab.exact.finite_chain") & ON_THE_LINE == set()
    assert len(read_along("pgtlab.exact.finite_chain")) >= 8
    # And one would be seen:
    assert read_along("pgtlab.exact.chains") & ON_THE_LINE


@pytest.mark.parametrize("room", [room for room in ROOMS if FLOORS.get(room, 99) <= 8])
def test_no_room_below_the_pictures_loads_more_than_numpy(room):
    assert loaded(f"import pgtlab.{room}") == []


def loaded(statement):
    """Return which of the large packages a fresh interpreter has loaded after a statement."""
    script = f"{statement}\nimport sys\nprint(*[name for name in {LARGE} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return run.stdout.split()


LARGE = [
    "IPython",
    "ipywidgets",
    "matplotlib",
    "nbconvert",
    "nbformat",
    "nbgrader",
    "pandas",
    "scipy",
    "sympy",
]


def test_import_pgtlab_loads_numpy_and_nothing_heavier():
    assert loaded("import pgtlab") == []
    # And the probe would see it:
    assert loaded("import pgtlab, scipy") == ["scipy"]


# --- the grader ------------------------------------------------------------------------------------


GRADER = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in GRADING.rglob("*.py")}


def test_the_package_knows_nothing_of_the_grader():
    assert not [
        path for path, tree in trees().items() for name in imports(tree) if re.match("pgtgrade", name)
    ]


def test_import_pgtgrade_loads_nothing_of_weight(monkeypatch):
    """The hidden tests draw from it, wherever they run; and a word of help takes no second."""
    monkeypatch.setattr(f"{__name__}.LARGE", [*LARGE, "numpy", "pgtlab", "sqlalchemy"])
    assert loaded("import pgtgrade") == []
    asks = "import contextlib, io, pgtgrade.__main__\nwith contextlib.suppress(SystemExit), "
    asks += "contextlib.redirect_stdout(io.StringIO()):\n    pgtgrade.__main__.main({})"
    for command in (["--help"], ["export", "--help"], ["grade", "--help"]):
        assert loaded(asks.format(command)) == []
    # And the probe would see it:
    assert loaded("import pgtgrade.walls") == ["numpy", "pgtlab"]


def test_one_room_of_the_grader_needs_nbgrader():
    using = {path for path, tree in GRADER.items() for name in imports(tree) if re.match("nbgrader", name)}
    assert using == {"gradebook.py"}


@pytest.mark.parametrize("path", GRADER)
def test_every_file_of_the_grader_says_what_it_owns(path):
    assert (ast.get_docstring(GRADER[path]) or "").splitlines()[0].endswith((".", ":"))


# --- names -----------------------------------------------------------------------------------------


def public(path, tree):
    """Return the nodes of the classes and functions that a file offers to readers."""
    exported = package_names(path)
    return [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        and (node.name in exported if exported is not None else not node.name.startswith("_"))
    ]


def package_names(path):
    """Return `__all__` of the folder that a file is in, or of the file; None for one that has none."""
    folder = (PACKAGE / path).parent
    own = folder == PACKAGE
    return set(dunder_all(PACKAGE / path if own else folder / "__init__.py")) or None


def dunder_all(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


PUBLIC = {
    f"{path}:{node.name}": node
    for path, tree in trees().items()
    if not path.startswith("_") and path != "__init__.py"
    for node in public(path, tree)
}


#: Rooms whose names stand in the room alone: `gallery.corridor`, `language.TokenTree`.
APART_BY_NAME = ("gallery", "language")


def test_the_package_exports_floors_1_to_7():
    assert len(set(pgtlab.__all__)) == len(pgtlab.__all__)
    rooms = [room for room in ROOMS if 1 <= FLOORS.get(room, 99) <= 7 and room not in APART_BY_NAME]
    names = {
        name.split(":")[1]
        for name in PUBLIC
        if re.split(r"[/\\:.]", name)[0] in rooms and name.split(":")[1] not in RESULTS
    }
    constants = {name for name in pgtlab.__all__ if isinstance(getattr(pgtlab, name), tuple | list | dict)}
    assert set(pgtlab.__all__) - constants == names
    assert all(hasattr(pgtlab, name) for name in pgtlab.__all__)


@pytest.mark.parametrize("room", ["", *[f".{room}" for room in ROOMS if not room.startswith("_")]])
def test_every_name_that_is_exported_is_there(room):
    names = {}
    exec(f"from pgtlab{room} import *", names)
    assert [name for name in getattr(sys.modules[f"pgtlab{room}"], "__all__", []) if name not in names] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_name_hides_the_file_of_a_room(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    name = ".".join(parts).removesuffix(".__init__")
    found = {}
    # Looked up name by name, as a reader does it, and not in `sys.modules` at once.
    exec(f"import {name} as file", found)
    assert found["file"] is sys.modules[name]


def test_no_file_name_stands_twice_on_a_floor():
    """A room of one file has its name; beside it `__init__` says what a room exports."""
    for floor in set(FLOORS.values()):
        names = [p.stem for p in SOURCES if FLOORS.get(room_of(p)) == floor and p.stem != "__init__"]
        assert sorted(names) == sorted(set(names)), floor


def test_every_folder_says_what_it_exports():
    """Their order is ruff's."""
    for path in PACKAGE.glob("*/__init__.py"):
        assert dunder_all(path), path
        assert len(set(dunder_all(path))) == len(dunder_all(path)), path


# --- code ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", trees())
def test_the_package_asserts_nothing(path):
    assert not [node.lineno for node in ast.walk(trees()[path]) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("path", trees())
def test_the_package_knows_no_global_randomness_and_no_seed(path):
    assert calls_global_randomness(trees()[path]) == []


@pytest.mark.parametrize(
    "line",
    ["np.random.seed(0)", "x = np.random.default_rng(1)", "import random", "from numpy.random import rand"],
)
def test_global_randomness_would_be_seen(line):
    assert calls_global_randomness(ast.parse(line))
    assert not calls_global_randomness(ast.parse("isinstance(rng, np.random.Generator)"))


def test_randomness_comes_in_as_a_keyword_that_is_last_and_has_no_default():
    found = 0
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or node.name == "generator":
                continue
            names = [argument.arg for argument in node.args.args + node.args.kwonlyargs]
            if "rng" in names:
                found += 1
                assert names[-1] == "rng", f"{path}: {node.name}"
                assert node.args.kwonlyargs[-1].arg == "rng", f"{path}: {node.name}"
                # Only who follows a rule that may be exact can do without.
                assert node.args.kw_defaults[-1] is None or node.name == "ascend", f"{path}: {node.name}"
    assert found >= 3


@pytest.mark.parametrize("name", ["FiniteMDP", "LinearQuadraticMDP", "SoftmaxPolicy", "LinearGaussianPolicy"])
def test_the_classes_are_frozen(name):
    assert getattr(pgtlab, name).__dataclass_params__.frozen


#: Rooms that may tell the kinds of problem apart: each class there owns what depends on its kind.
OWNERS = {"mdp", "policies", "exact", "rollouts"}

#: And in how many places the others do.
MOST_PLACES = 20

KINDS = {
    "FiniteChain",
    "FiniteMDP",
    "FinitePaths",
    "FinitePolicy",
    "LinearGaussianChain",
    "LinearGaussianPolicy",
    "LinearQuadraticMDP",
    "LinearQuadraticPaths",
    "Quadratic",
    "SoftmaxPolicy",
}


def tells_apart(tree):
    """Return where a file asks of what kind something is."""
    found = []
    for node in ast.walk(tree):
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        called = ast.unparse(node.func).split(".")[-1] if isinstance(node, ast.Call) else ""
        asks = called in ("isinstance", "instance") or ast.unparse(node).startswith("type(")
        if isinstance(node, ast.Call | ast.Compare) and asks and names & KINDS:
            found.append(ast.unparse(node))
        if called == "getattr" and "'is_tabular'" in ast.unparse(node):
            found.append(ast.unparse(node))
        if isinstance(node, ast.FunctionDef) and "register" in decorators(node):
            found.append(f"@register {node.name}")
    return found


def test_few_rooms_tell_the_kinds_of_problem_apart():
    rooms = [room for room in ROOMS if room not in OWNERS]
    found = {path: tells_apart(tree) for room in rooms for path, tree in trees(room).items()}
    assert sum(map(len, found.values())) <= MOST_PLACES, {path: each for path, each in found.items() if each}


@pytest.mark.parametrize(
    ("code", "places"),
    [
        ("isinstance(mdp, FiniteMDP)", 1),
        ("_validate.instance('policy', policy, LinearGaussianPolicy)", 1),
        ("type(policy) is SoftmaxPolicy", 1),
        ("getattr(policy, 'is_tabular', False)", 1),
        ("@f.register\ndef _(mdp: FiniteMDP): pass", 1),
        ("isinstance(rng, np.random.Generator) and policy.is_tabular", 0),
    ],
)
def test_a_place_that_tells_them_apart_would_be_seen(code, places):
    assert len(tells_apart(ast.parse(code))) == places


def hints(node):
    """Say for each parameter of a function, and for what it returns, whether its type is written down."""
    args = node.args
    every = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    given = [each.annotation for each in every if each is not None and each.arg not in ("self", "cls")]
    return [each is not None for each in [*given, node.returns]]


@pytest.mark.parametrize("path", trees())
def test_type_hints_stand_in_no_function(path):
    functions = [node for node in ast.walk(trees()[path]) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if not node.name.startswith("_") and any(hints(node))] == []


def test_a_type_hint_would_be_seen():
    for line in ("def f(x: int): pass", "def f(*x: int): pass", "def f(x) -> int: pass"):
        assert any(hints(ast.parse(line).body[0])), line
    assert not any(hints(ast.parse("def f(x, *y, z=1): pass").body[0]))


# --- docstrings ------------------------------------------------------------------------------------


def sections(doc):
    """Return the sections of a numpydoc docstring by title."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", doc, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented(section):
    """Return the names that a section of parameters describes."""
    heads = re.findall(r"^([*\w][*\w, ]*?)(?: : .*)?$", section, flags=re.MULTILINE)
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def parameters(node):
    """Return the names of the parameters of a function, without self and cls."""
    args = node.args
    every = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    return {each.arg for each in every if each is not None} - {"self", "cls"}


def returns(node):
    """Say whether a function gives something back."""
    return any(isinstance(each, ast.Return) and each.value is not None for each in ast.walk(node))


def decorators(node):
    return {ast.unparse(each).split("(")[0].split(".")[-1] for each in node.decorator_list}


def lacks(node):
    """Return what the docstring of a function, class or method does not have."""
    doc = ast.get_docstring(node) or ""
    found, missing = sections(doc), []
    if not doc.split("\n\n")[0].endswith((".", ":")):
        missing.append("a summary that ends with a full stop")
    if isinstance(node, ast.FunctionDef):
        if parameters(node) != documented(found.get("Parameters", "")):
            missing.append(f"Parameters {sorted(parameters(node))}")
        # What has no parameters, or is `with_...`, says in its first line what it returns.
        plain = not parameters(node) or node.name.startswith("with_")
        if returns(node) and not plain and "Returns" not in found:
            missing.append("Returns")
    return missing


@pytest.mark.parametrize("path", trees())
def test_every_file_says_what_it_owns(path):
    doc = ast.get_docstring(trees()[path])
    assert doc
    assert doc.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring_with_its_sections(name):
    node = PUBLIC[name]
    doc = ast.get_docstring(node) or ""
    missing = {node.name: lacks(node)}
    pictures = name.split("/")[0].split(".")[0] in ("letters", "plots")
    if not pictures and node.name not in DISPLAYED and "Examples" not in sections(doc):
        missing[node.name].append("Examples")
    for method in node.body if isinstance(node, ast.ClassDef) else []:
        if not isinstance(method, ast.FunctionDef) or method.name.startswith("_"):
            continue
        short = decorators(method) & {"property", "cached_property", "abstractmethod"}
        if not short and node.name not in DISPLAYED:
            # What the base says of a method stands for those in its place.
            silent = not ast.get_docstring(method) and inherited(node, method.name)
            missing[method.name] = [] if silent else lacks(method)
        elif not documents(node, method):
            missing[method.name] = ["a docstring, or a line under Attributes of the class"]
    assert {each: what for each, what in missing.items() if what} == {}


CLASSES = {
    node.name: node for tree in trees().values() for node in tree.body if isinstance(node, ast.ClassDef)
}


def bases(node):
    """Return the classes of the package that a class is derived from, the nearest first."""
    direct = [CLASSES[each.id] for each in node.bases if getattr(each, "id", None) in CLASSES]
    return direct + [far for each in direct for far in bases(each)]


def inherited(node, name):
    """Return the docstring of the method of this name in the nearest base of a class that has one."""
    methods = [each for base in bases(node) for each in base.body if getattr(each, "name", None) == name]
    return next(filter(None, map(ast.get_docstring, methods)), None)


def documents(node, method):
    """Say whether a property, here or in a base, has a docstring or is among the Attributes of its class."""
    if ast.get_docstring(method) or inherited(node, method.name):
        return True
    lines = [sections(ast.get_docstring(each) or "").get("Attributes", "") for each in (node, *bases(node))]
    return any(method.name in documented(each) for each in lines)


def test_the_constructors_arguments_are_the_parameters_of_the_class():
    for name in ("FiniteMDP", "LinearQuadraticMDP", "SoftmaxPolicy", "LinearGaussianPolicy"):
        kind = getattr(pgtlab, name)
        fields = {each.name for each in kind.__dataclass_fields__.values() if each.init}
        assert documented(sections(ast.get_docstring(PUBLIC_CLASSES[name]))["Parameters"]) == fields


PUBLIC_CLASSES = {name.split(":")[1]: node for name, node in PUBLIC.items() if isinstance(node, ast.ClassDef)}


def test_a_docstring_without_its_sections_would_be_seen():
    good = "\n".join(
        [
            "def f(x):",
            '    """Square of x.',
            "",
            "    Parameters",
            "    ----------",
            "    x : float",
            "",
            "    Returns",
            "    -------",
            "    float",
            '    """',
            "    return x * x",
        ]
    )
    assert lacks(ast.parse(good).body[0]) == []
    assert lacks(ast.parse(good.replace("x : float", "y : float")).body[0]) == ["Parameters ['x']"]
    assert lacks(ast.parse(good.replace("Returns\n    -------", "Notes\n    -----")).body[0]) == ["Returns"]


@pytest.mark.parametrize(
    "room",
    ["ascent", "checks", "critics", "exact", "gallery", "language", "letters", "plots", "slides", "widgets"],
)
def test_a_room_is_there_after_import_pgtlab_alone(room):
    look_up = f"import pgtlab; assert pgtlab.{room}.__name__ == 'pgtlab.{room}'"
    subprocess.run([sys.executable, "-c", look_up], check=True)


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(AttributeError, match="^module 'pgtlab' has no attribute 'galery'$"):
        _ = pgtlab.galery
