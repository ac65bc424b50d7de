"""The problem sets: their form, their points, and what right and wrong answers are told and earn."""

import ast
import re

import pytest

import pgtlab
from tests.exercises.problem_sets import assigned, bank, functions, names_in, problem_sets

# Which lines are reached is measured by other tests; here it would only make 2,000 judgements take longer.
pytestmark = pytest.mark.no_cover

SETS = problem_sets()
QUESTIONS = [(each, question) for each in SETS for question in each.questions]
ANSWERS = [(each, answer) for each in SETS for answer in bank(each)]

each_set = pytest.mark.parametrize("problem_set", SETS, ids=lambda each: each.name)
each_question = pytest.mark.parametrize(
    ("problem_set", "question"), QUESTIONS, ids=[f"{each.name}-{question}" for each, question in QUESTIONS]
)
each_answer = pytest.mark.parametrize(
    ("problem_set", "answer"),
    ANSWERS,
    ids=[f"{each.name}-{answer.question}-{answer.mistake}" for each, answer in ANSWERS],
)


def role(cell):
    """The metadata of a cell, without its name and points."""
    data = cell.metadata.nbgrader
    return data.locked, data.grade, data.solution


# --- form ------------------------------------------------------------------------------------------------


@each_set
def test_points_add_up_to_20(problem_set):
    coding, by_hand = sum(problem_set.questions.values()), sum(problem_set.derivations.values())
    assert coding + by_hand == 20
    assert 14 <= coding <= 16
    assert len(problem_set.derivations) == 1
    assert 5 <= len(problem_set.questions) <= 7  # four to six, and one on a problem that is new


@each_set
def test_cells_have_the_parts_that_they_are_named_for(problem_set):
    roles = {
        "setup": ("code", (True, False, False), ["given", "hide-cell"]),
        "intro": ("markdown", (True, False, False), []),
        "q": ("markdown", (True, False, False), []),
        "about": ("markdown", (True, False, False), []),
        "do": ("markdown", (True, False, False), []),
        "data": ("code", (True, False, False), ["given"]),
        "check": ("code", (True, False, False), []),
        "test": ("code", (True, True, False), ["remove-cell"]),
        "derive": ("markdown", (False, True, True), []),
        None: ("code", (False, False, True), []),
    }
    for name, cell in problem_set.cells.items():
        assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name), name
        assert cell.metadata.nbgrader.schema_version == 3
        kind = None if name in problem_set.questions else name.split("-")[0]
        assert (cell.cell_type, role(cell), cell.metadata.get("tags", [])) == roles[kind], name
        assert ("points" in cell.metadata.nbgrader) == cell.metadata.nbgrader.grade, name


@each_question
def test_a_question_has_text_answer_checks_and_hidden_tests(problem_set, question):
    order = list(problem_set.cells)
    parts = [f"q-{question}", question, f"check-{question}", f"test-{question}"]
    assert [order.index(part) for part in parts] == sorted(order.index(part) for part in parts)
    (name,) = functions(problem_set.solution(question))
    said = [cell.source for part, cell in problem_set.cells.items() if part in {parts[0], f"do-{question}"}]
    assert f"`{name}`" in "".join(said)
    for name, region in [(question, "SOLUTION"), (f"test-{question}", "HIDDEN TESTS")]:
        source = problem_set.cells[name].source
        assert source.count(f"### BEGIN {region}") == source.count(f"### END {region}") == 1
    test = problem_set.cells[f"test-{question}"].source
    assert test.startswith("### BEGIN HIDDEN TESTS\n")
    assert test.endswith("\n### END HIDDEN TESTS")
    assert f'drawn("{problem_set.name}", "{question}")' in test


@each_set
def test_headings_state_the_points(problem_set):
    heads = [
        (name.removeprefix("q-"), cell.source.splitlines()[0])
        for name, cell in problem_set.cells.items()
        if name.startswith("q-")
    ]
    points = {**problem_set.questions}
    points |= {name.removeprefix("derive-"): n for name, n in problem_set.derivations.items()}
    assert {name for name, _ in heads} == set(points)
    for number, (name, head) in enumerate(heads, 1):
        assert re.fullmatch(rf"## {number}\. .+ \({points[name]} points\)", head), head


@each_set
def test_the_start_names_points_and_what_of_pgtlab_is_there(problem_set):
    said = problem_set.cells["intro"].source
    data = problem_set.notebook.metadata["pgtgrade"]
    assert data["set"] == problem_set.name
    assert data["title"].lower() in said.splitlines()[0].lower()
    assert "**20 points**" in said
    assert data["needs"] == ["checks"]
    assert "When the set is graded, `pgtlab` has `checks` and nothing else" in said


@each_question
def test_visible_checks_are_calls_that_need_nothing_but_checks(problem_set, question):
    check = problem_set.cells[f"check-{question}"].source
    for line in ast.parse(check).body:
        assert ast.unparse(line).startswith(("checks.answer(", "checks.sampled_answer(")), ast.unparse(line)
    data = [cell.source for name, cell in problem_set.cells.items() if name.startswith("data-")]
    used = set().union(*map(names_in, [check, *data, problem_set.solution(question)]))
    assert not used & {"pgtlab", *pgtlab.__all__}
    setup = problem_set.cells["setup"].source
    assert [line for line in setup.splitlines() if "import" in line and "pgtlab" in line] == [
        "from pgtlab import checks"
    ]


@each_question
def test_a_hidden_test_asks_for_its_own_answer_only(problem_set, question):
    own = functions(problem_set.solution(question))
    others = set().union(*(functions(problem_set.solution(each)) for each in problem_set.questions)) - own
    used = names_in(problem_set.cells[f"test-{question}"].source)
    assert own & used
    assert not others & used


@each_set
def test_hidden_tests_leave_alone_what_the_checks_read(problem_set):
    given, hidden, read = set(), set(), set()
    for name, cell in problem_set.cells.items():
        if "given" in cell.metadata.get("tags", []):
            given |= assigned(cell.source)
            bodies = [node for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef)]
            read |= set().union(*(names_in(ast.unparse(body)) for body in bodies))
        elif name.startswith("check-"):
            read |= names_in(cell.source)
        elif name.startswith("test-"):
            hidden |= assigned(cell.source)
    assert given & read
    assert not given & read & hidden, "in a notebook all cells share their names"


@each_set
def test_the_rubric_adds_up(problem_set):
    for name, points in problem_set.derivations.items():
        answer, rubric = problem_set.cells[name].source.split("**Rubric.**")
        assert "**Answer.**" in answer
        lines = re.findall(r"^- (\d+) points?: \S", rubric, re.MULTILINE)
        assert len(lines) >= 3
        assert sum(map(int, lines)) == points


# --- the bank --------------------------------------------------------------------------------------------


@each_question
def test_the_bank_is_large_enough(problem_set, question):
    kinds = [answer.kind for answer in bank(problem_set) if answer.question == question]
    assert kinds.count("wrong") >= 8
    assert kinds.count("right") >= 2


@each_set
def test_the_bank_knows_the_questions_and_needs_hidden_tests(problem_set):
    answers = bank(problem_set)
    assert {answer.question for answer in answers} == set(problem_set.questions)
    for answer in answers:
        assert functions(answer.code) == functions(problem_set.solution(answer.question)), answer.mistake
    named = [(answer.question, answer.mistake) for answer in answers]
    assert len(named) == len(set(named))
    unseen = {answer.question for answer in answers if answer.kind == "wrong" and not answer.visible}
    assert unseen == set(problem_set.questions)


@each_set
def test_the_instructors_answers_earn_all(problem_set):
    assert problem_set.judge({}) == {name: (points, None) for name, points in problem_set.questions.items()}


def check_points(problem_set, answer):
    found = problem_set.judge({answer.question: answer.code})
    lost = {name for name, points in problem_set.questions.items() if found[name][0] != points}
    assert lost == set(answer.breaks), found
    for name in lost:
        points, message = found[name]
        assert points == (answer.earns if name == answer.question else 0), found
        assert message
        assert not numbers_in(message, problem_set.cells[f"test-{name}"].source), message


def numbers_in(message, test):
    """The numbers that a student is told of an instance: all but those of the author, parts and lines."""
    message = re.sub(r"^\d+ of \d+ parts are right|line \d+ of the cell or file, `.*`", "", message)
    texts = [
        node.value
        for node in ast.walk(ast.parse(test))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for text in sorted(texts, key=len, reverse=True):
        message = message.replace(text, "") if len(text) > 1 else message
    return re.findall(r"(?<!\w)\d[\d.e+-]*", message)


@each_answer
def test_an_answer_earns_what_it_should(problem_set, answer):
    check_points(problem_set, answer)


@pytest.mark.parametrize("secret", ["of a lecturer", "of another"])
@each_set
def test_answers_that_look_right_earn_what_they_should_whatever_the_secret(problem_set, secret, monkeypatch):
    monkeypatch.setenv("PGTGRADE_SECRET", secret)
    for answer in bank(problem_set):
        if not answer.visible:
            check_points(problem_set, answer)


@each_answer
def test_an_answer_is_told_what_it_should(problem_set, answer):
    message = problem_set.look(answer.question, answer.code)
    if answer.says:
        assert message is not None, "the visible checks do not see it"
        assert answer.says in message
    else:
        assert message is None


@each_question
def test_what_is_not_written_yet_earns_nothing_and_says_so(problem_set, question):
    name = next(iter(functions(problem_set.solution(question))))
    code = f"def {name}(*arguments):\n    raise NotImplementedError()"
    assert problem_set.judge({question: code})[question][0] == 0
    assert "not written yet" in problem_set.look(question, code)
