"""What the tests of the grader hand in, and the isolation they hand it in with."""

import os

import pytest
from nbformat.v4 import new_code_cell

from pgtgrade import released
from pgtgrade.examination import Limits, examine
from pgtgrade.isolation import IsolationError, isolated
from tests.grading import small

#: Short, but not so short that a busy machine fails a good answer.
LIMITS = Limits(cell_seconds=15.0, total_seconds=120.0, memory=1 << 30, output=20_000)

#: Of the small set, when all is right.
FULL = {"test-half": (1.0, None), "test-mass": (3.0, None)}

RIGHT = {"half": "def half(x):\n    return x / 2", "mass": "def mass(rho):\n    return rho.sum()"}


def isolation(hidden=()):
    """Return the isolation of this machine; without it a test is skipped, but fails on the machine of CI."""
    try:
        return isolated(hidden)
    except IsolationError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def submission(*extra, at=None, **sources):
    """Return the cells of a submission of the small set: right, but for the cells that are named here.

    Extra cells stand before the first answer, or before the cell of id `at`.
    """
    notebook = small.with_sources(released(small.source()), **{**RIGHT, **sources})
    cells = notebook["cells"]
    place = [each["id"] for each in cells].index(at or "half")
    cells[place:place] = [new_code_cell(each) for each in extra]
    return cells


def examined(
    *extra, at=None, limits=LIMITS, hidden=(), source=None, secret="a secret", student="", **sources
):
    """Return what the examination of such a submission finds."""
    cells = submission(*extra, at=at, **sources)
    way = isolation(hidden)
    return examine(
        cells, source or small.source(), limits=limits, isolation=way, secret=secret, student=student
    )


def many(codes, *extra):
    """Examine a submission with a question for each of these codes, which define `half`, and a right one.

    All are in one process: one harms the others if it harms any.
    """
    source = small.source()
    kind = {"grade": False, "locked": False, "solution": True, "schema_version": 3}
    mine, cells = [new_code_cell(each) for each in extra], [small.cell(source, "setup")]
    for k, (name, code) in enumerate(codes.items()):
        answer = new_code_cell(code.replace("half", f"half{k}"))
        right = new_code_cell(f"def half{k}(x):\n    return x / 2")
        answer["metadata"]["nbgrader"] = right["metadata"]["nbgrader"] = {**kind, "grade_id": name}
        check = f"checks.answer(half{k}, x, shape=(3,), known=x / 2)"
        test = new_code_cell(f"x = np.array([1.0, 2.0, 3.0])\n{check}")
        test["metadata"]["nbgrader"] = {**kind, "grade": True, "solution": False, "points": 1}
        test["metadata"]["nbgrader"]["grade_id"] = f"test-{name}"
        cells += [right, test]
        mine.append(answer)
    mine = [cells[0], *mine, small.cell(source, "mass")]
    source["cells"] = [*cells, *(small.cell(source, each) for each in ("mass", "test-mass"))]
    return examine(mine, source, limits=LIMITS, isolation=isolation(), secret=None)


def printed(outputs):
    """Return the text of the outputs of a cell: what it printed, showed and raised."""
    return "".join(
        each.get("text", "") + each.get("data", {}).get("text/plain", "") + each.get("evalue", "")
        for each in outputs
    )
