"""The exercises that are tried in a chapter: the book's own solution passes, slips are told one likely cause.

An exercise is a cell tagged `try` and, right below it, one tagged `try-check`. Here stand answers that are
wrong in one thing each, with the words that the reader is told.
"""

import ast
import contextlib
import io
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

BOOK = Path(__file__).parents[1] / "book"

# For each exercise, by the id of its cell: answers that are wrong in one thing, each with what is said of it.
WRONG = {
    "avg-difference-try": {
        "h(s) is not taken off": """
            def difference(mdp, one, two):
                d = pgtlab.stationary_distribution(mdp, two)
                return d @ (two.probs() * pgtlab.differential_action_values(mdp, one)).sum(1)
            """,
        "the visits are those of π": """
            def difference(mdp, one, two):
                A = pgtlab.differential_action_values(mdp, one)
                A = A - pgtlab.differential_values(mdp, one)[:, None]
                return pgtlab.stationary_distribution(mdp, one) @ (two.probs() * A).sum(1)
            """,
        "a sum or a mean over an axis is missing": """
            def difference(mdp, one, two):
                A = pgtlab.differential_action_values(mdp, one)
                A = A - pgtlab.differential_values(mdp, one)[:, None]
                return pgtlab.stationary_distribution(mdp, two) @ (two.probs() * A)
            """,
        "not written yet": None,
    },
    "avg-compatible-try": {
        "the squares are not weighted by d π": """
            def natural(mdp, policy):
                rows = policy.scores().reshape(-1, policy.scores().shape[-1])
                target = pgtlab.differential_action_values(mdp, policy)
                return np.linalg.lstsq(rows, target.ravel(), rcond=None)[0]
            """,
        "take its root": """
            def natural(mdp, policy):
                weight = pgtlab.stationary_distribution(mdp, policy)[:, None] * policy.probs()
                rows = (weight[..., None] * policy.scores()).reshape(weight.size, -1)
                target = weight * pgtlab.differential_action_values(mdp, policy)
                return np.linalg.lstsq(rows, target.ravel(), rcond=None)[0]
            """,
        "this is the gradient itself": """
            def natural(mdp, policy):
                return pgtlab.average_reward_gradient(mdp, policy)
            """,
    },
    "own-ends-try": {
        "days are counted without the discount": """
            def days_by_hand(leave, discount):
                return sum(1 / chance for chance in leave)
            """,
        "the day on which a level is left is not discounted": """
            def days_by_hand(leave, discount):
                total, entered = 0.0, 1.0
                for chance in leave:
                    days = entered / (1 - discount * (1 - chance))
                    total, entered = total + days, days * chance
                return total
            """,
        "the function has no `return`": """
            def days_by_hand(leave, discount):
                total = 1 / (1 - discount)
            """,
        "expected an answer, got NameError: name 'gamma' is not defined": """
            def days_by_hand(leave, discount):
                return 1 / (1 - gamma)
            """,
    },
    "own-floor-try": {
        "divided by the old probability": """
            def floor_score(probs, scores):
                return 0.9 * probs[..., None] * scores / probs[..., None]
            """,
        "not of its logarithm": """
            def floor_score(probs, scores):
                return 0.9 * probs[..., None] * scores
            """,
        "it is ε/2": """
            def floor_score(probs, scores):
                return 0.9 * probs[..., None] * scores / (0.1 + 0.9 * probs)[..., None]
            """,
    },
}


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


def names(node, *kinds):
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, kinds)}


def bound(tree):
    """The names that a cell binds at its margin."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        else:
            found |= names(node, ast.Store)
    return found


def needed(cells, *wanted):
    """What has to run before some cells: each cell above them that binds a name they use, last first."""
    trees = [ast.parse(cell.source) for cell in wanted]
    used = set().union(*(names(tree, ast.Load) for tree in trees)).difference(*map(bound, trees))
    found = []
    for cell in reversed(cells):
        tree = ast.parse(cell.source) if "piplite" not in cell.source else ast.Module([], [])
        if bound(tree) & used:
            found.append(cell)
            used = (used - bound(tree)) | names(tree, ast.Load)
    return found[::-1]


def checked(exercise, answer=None):
    """What the check says of an answer, in one line; None is the cell as the book has it."""
    path, index = EXERCISES[exercise]
    cells = cells_of(path)
    space, said = {"__name__": "__main__"}, io.StringIO()
    with np.printoptions():  # a chapter sets its own
        for cell in needed(cells[:index], cells[index], cells[index + 1]):
            exec(cell.source, space)
        exec(cells[index].source if answer is None else answer, space)
        with contextlib.redirect_stdout(said):
            exec(cells[index + 1].source, space)
    return re.sub(r"\s+", " ", said.getvalue()).strip()


def solution(exercise):
    """The function in the solution of an exercise that has the name of the one to write."""
    path, index = EXERCISES[exercise]
    cells = cells_of(path)
    (wanted,) = (node for node in ast.parse(cells[index].source).body if isinstance(node, ast.FunctionDef))
    for cell in cells[index + 2 :]:
        for node in ast.parse(cell.source).body:
            if getattr(node, "name", None) == wanted.name:
                return ast.get_source_segment(cell.source, node)
    raise AssertionError(f"{path.name}: no solution below {exercise} has a function {wanted.name}")


def test_there_are_exercises_in_the_chapters():
    assert {path.name for path, _ in EXERCISES.values()} >= {"average.ipynb", "own.ipynb"}
    assert set(WRONG) == set(EXERCISES), "each exercise has its wrong answers here"


@each_exercise
def test_a_check_stands_behind_each_cell_to_try(exercise):
    path, index = EXERCISES[exercise]
    assert tags(cells_of(path)[index + 1]) == {"try-check"}
    assert sum("try-check" in tags(cell) for cell in cells_of(path)) == sum(
        p == path for p, _ in EXERCISES.values()
    )


@each_exercise
def test_no_cell_below_reads_what_a_check_binds(exercise):
    """Otherwise a reader's answer that does not run would break the solution too."""
    path, index = EXERCISES[exercise]
    cells = cells_of(path)
    own = bound(ast.parse(cells[index + 1].source))
    for cell in cells[index + 2 :]:
        read = names(ast.parse(cell.source), ast.Load) & own
        assert not read, f"{path.name}: {cell.id} reads {read}, which the check of {exercise} binds"


@each_exercise
def test_the_solution_of_the_book_is_right(exercise):
    assert checked(exercise, solution(exercise)).endswith(" Right.")


@each_exercise
def test_a_wrong_answer_is_told_one_likely_cause(exercise):
    assert len(WRONG.get(exercise, ())) >= 2
    for words, answer in WRONG[exercise].items():
        said = checked(exercise, answer and re.sub(r"^ {12}", "", answer, flags=re.MULTILINE))
        assert "Not right yet. " in said, words
        assert words in said, f"expected {words!r}; said {said!r}"
        assert "Right." not in said
        assert said.count("Likely cause: ") <= 1
