"""The exercises that are tried in a chapter: right answers pass, slips are told one likely cause.

An exercise is a cell tagged `try` and, right below it, one tagged `try-check`. Answers are in attempts.py.
"""

import ast
import contextlib
import functools
import io
import re
import symtable
import textwrap
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from pgtlab import checks
from tests.attempts import RIGHT, WRONG

BOOK = Path(__file__).parents[1] / "book"


@functools.cache
def cells_of(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


EXERCISES = {
    cell.id: (path, index)
    for path in sorted(BOOK.glob("*.ipynb"))
    for index, cell in enumerate(cells_of(path))
    if "try" in tags(cell)
}
each_exercise = pytest.mark.parametrize("exercise", EXERCISES)


def tables(source):
    """The scopes of a cell: its margin first, then its functions."""
    found = [symtable.symtable(source, "cell", "exec")]
    for table in found:
        found += table.get_children()
    return found


@functools.cache
def bound(source):
    """The names that a cell binds at its margin."""
    margin = tables(source)[0].get_symbols()
    return {each.get_name() for each in margin if each.is_assigned() or each.is_imported()}


@functools.cache
def read(source):
    """The names that a cell reads at its margin, or its functions from there."""
    margin, *inner = tables(source)
    found = {each.get_name() for each in margin.get_symbols() if each.is_referenced()}
    return found.union(
        *({each.get_name() for each in table.get_symbols() if each.is_global()} for table in inner)
    )


def needed(cells, sources):
    """What has to run before some code: each cell above it that binds a name it uses."""
    used = set().union(*map(read, sources)).difference(*map(bound, sources))
    found = []
    for cell in reversed(cells):
        if "piplite" not in cell.source and bound(cell.source) & used:
            found.append(cell)
            used = (used - bound(cell.source)) | read(cell.source)
    return found[::-1]


@functools.cache
def before(exercise):
    """What stands in the chapter before an exercise, of which an answer or the check uses something."""
    path, index = EXERCISES[exercise]
    cells, space = cells_of(path), {"__name__": "__main__"}
    answers = [*right(exercise), *(textwrap.dedent(each) for each in WRONG[exercise].values() if each)]
    with (
        np.printoptions(),
        contextlib.redirect_stdout(io.StringIO()),
    ):  # a chapter sets its own way of printing
        for cell in needed(cells[:index], [*answers, cells[index + 1].source]):
            exec(cell.source, space)
    return space


def checked(exercise, answer=None, **given):
    """What the check says of an answer, in one line; None is the cell as the book has it."""
    path, index = EXERCISES[exercise]
    tried, check = cells_of(path)[index : index + 2]
    space, said = {**before(exercise)}, io.StringIO()
    exec(tried.source if answer is None else textwrap.dedent(answer), space)
    with contextlib.redirect_stdout(said):
        exec(check.source, space | given)
    return re.sub(r"\s+", " ", said.getvalue()).strip()


def solution(exercise):
    """The function in the solution of an exercise that has the name of the one to write, if it has one."""
    path, index = EXERCISES[exercise]
    cells = cells_of(path)
    wanted = {node.name for node in ast.parse(cells[index].source).body if isinstance(node, ast.FunctionDef)}
    for cell in cells[index + 2 :]:
        for node in ast.parse(cell.source).body:
            if getattr(node, "name", None) in wanted and "try" not in tags(cell):
                return ast.get_source_segment(cell.source, node)
    return None


def right(exercise):
    """Right answers: the book's solution, if it is code, and those that stand in attempts.py."""
    return [textwrap.dedent(each) for each in (solution(exercise), *RIGHT.get(exercise, ())) if each]


CHAPTERS = ("problem", "climbing", "visitation", "theorem", "compatible", "natural", "language")


def test_there_are_exercises_in_the_chapters():
    found = [path.stem for path, _ in EXERCISES.values()]
    assert set(found) >= {*CHAPTERS, "average", "own"}
    assert min(found.count(chapter) for chapter in CHAPTERS) >= 2
    assert set(WRONG) == set(EXERCISES), "each exercise has its wrong answers in attempts.py"
    assert set(RIGHT) <= set(EXERCISES)


@each_exercise
def test_a_check_stands_behind_each_cell_to_try(exercise):
    path, index = EXERCISES[exercise]
    assert tags(cells_of(path)[index + 1]) == {"try-check"}
    assert cells_of(path)[index + 1].id == f"{exercise.removesuffix('-try')}-check"
    assert sum("try-check" in tags(cell) for cell in cells_of(path)) == sum(
        p == path for p, _ in EXERCISES.values()
    )


@each_exercise
def test_no_cell_below_reads_what_an_answer_or_its_check_binds(exercise):
    """Otherwise a reader's answer that does not run would break the solution too."""
    path, index = EXERCISES[exercise]
    cells = cells_of(path)
    tried, own = (bound(cell.source) for cell in cells[index : index + 2])
    for cell in cells[1:index]:
        assert not tried & bound(cell.source), f"{path.name}: {exercise} has a name of {cell.id}: never empty"
    for cell in cells[index + 2 :]:
        tried = tried - bound(cell.source)  # the solution has a function of that name
        taken = read(cell.source) & (own | tried)
        assert not taken, f"{path.name}: {cell.id} reads {taken}, which {exercise} or its check binds"


@each_exercise
def test_an_empty_cell_is_told(exercise):
    assert "not written yet" in checked(exercise)
    gone = checked(exercise, "")
    assert re.search(
        r"Not right yet\. \w+: expected an answer of this name in the cell above, got none", gone
    )
    assert " Right." not in checked(exercise) + gone


@each_exercise
def test_a_right_answer_is_right(exercise):
    assert right(exercise), f"{exercise}: a right answer in attempts.py, as the solution is no code"
    for answer in right(exercise):
        said = checked(exercise, answer)
        assert said.endswith(" Right."), f"{answer}\n{said}"


@each_exercise
def test_a_wrong_answer_is_told_one_likely_cause(exercise):
    assert len(WRONG[exercise]) >= 2
    for words, answer in WRONG[exercise].items():
        said = checked(exercise, answer)
        assert "Not right yet. " in said, words
        assert words in said, f"expected {words!r}; said {said!r}"
        assert not said.endswith("Right.")
        assert said.count("Likely cause: ") <= 1


@each_exercise
def test_each_mistake_that_a_check_knows_is_told_by_its_words(exercise):
    """No two have the same answer, and none is right."""
    asked = []
    given = SimpleNamespace(
        attempt=contextlib.nullcontext,
        answer=lambda *_, **expected: asked.append({"within": 1e-8, **expected}),
        entered=lambda **expected: asked.append(expected),
        sampled_answer=lambda *_, mean, **expected: asked.append({**expected, "known": mean}),
    )
    checked(exercise, right(exercise)[0], checks=given)
    known = 0
    for expected in asked:
        mistakes = expected.get("mistakes", {})
        known += len(mistakes)
        for words, wrong in mistakes.items():
            named = {key: expected[key] for key in ("known", "within", "mistakes") if key in expected}
            with pytest.raises(checks.WrongAnswer, match=re.escape(f"Likely cause: {words}") + "$"):
                checks.entered(it=wrong, **named)
    assert known >= 2 or "structure" in asked[0], "a check tells two slips apart"
