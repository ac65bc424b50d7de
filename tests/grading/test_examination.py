"""What becomes of a submission: each question has its own points, and each that cannot be graded a reason."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from pgtgrade import drawn, released
from pgtgrade.examination import Limits, examine, examine_here
from pgtgrade.instances import instances_of
from pgtgrade.isolation import unsafe
from pgtgrade.walls import SLACK
from tests.grading import small
from tests.grading.submissions import FULL, LIMITS, examined, isolation, printed, submission


def loses(found, question, said):
    """Say that a submission is graded and loses this question, and no other."""
    assert (found.status, found.reason) == ("graded", None)
    points, message = found.hidden[f"test-{question}"]
    assert points == 0
    assert said in message
    rest = {name: each for name, each in found.hidden.items() if name != f"test-{question}"}
    assert rest == {name: each for name, each in FULL.items() if name != f"test-{question}"}


def test_a_right_submission_gets_all_points_and_no_notes():
    found = examined("import numpy\nprint('here')\nnumpy.arange(3)", "%%time\n!echo from a shell")
    assert (found.status, found.reason, found.notes) == ("graded", None, [])
    assert found.hidden == FULL
    first, second = (found.outputs[k] for k in (3, 4))
    assert first[0] == {"output_type": "stream", "name": "stdout", "text": "here\n"}
    assert first[1]["data"] == {"text/plain": "array([0, 1, 2])"}
    assert (first[1]["output_type"], first[1]["execution_count"]) == ("execute_result", 2)
    assert "from a shell" in printed(second)
    assert "Wall time" in printed(second)
    # It is plain data: it survives JSON.
    assert json.loads(json.dumps(dataclasses.asdict(found)))["notes"] == []


def test_an_untouched_submission_is_graded_and_gets_no_points():
    cells = released(small.source())["cells"]
    found = examine(cells, small.source(), limits=LIMITS, isolation=isolation(), secret=None)
    assert found.status == "graded"
    assert [points for points, _ in found.hidden.values()] == [0, 0]
    assert "not written yet" in found.hidden["test-half"][1]
    assert "YOUR CODE HERE" not in str(found.notes)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def half(x):\n    return 2 * x", "Likely cause: x is doubled"),
        (
            "def half(x):\n    y = x\n    return y[7]",
            "expected an answer, got IndexError. Likely cause: line 3",
        ),
        ("raise RuntimeError('at the top')", "NameError: no cell defines half"),
        ("def half(x):\n    return x / 2\nhalf.__call__ = half = None", "got TypeError"),
    ],
)
def test_a_wrong_answer_costs_its_own_question(code, said):
    loses(examined(half=code), "half", said)


def test_the_message_names_the_line_of_the_students_cell():
    code = "def half(x):\n    a = [1]\n    return a[2]"
    message = examined(half=code).hidden["test-half"][1]
    assert "Likely cause: line 3 of the cell or file, `return a[2]`" in message
    assert "pgtgrade" not in message


NOTEBOOKS_DO = {
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nprint('on')": "on",
    "plt.plot([1, 2])\nplt.show()": "",
    "import asyncio\nawait asyncio.sleep(0.01)\n'awaited'": "awaited",
    "%%writefile mine.py\na = 'mine'": "Writing",
    "import mine\nmine.a": "mine",
    "from multiprocessing import Pool\nwith Pool(2) as pool: print(pool.map(abs, [-1, -2]))": "[1, 2]",
    "from IPython.display import HTML, display\ndisplay(HTML('<b>'))": "HTML object",
    "import warnings\nwarnings.warn('careful')": "careful",
    "import scipy.linalg, pgtlab\npgtlab.checks.agree(a=1, b=1)": "agree within",
    "try:\n    input('a word ')\nexcept EOFError:\n    print('nobody')": "nobody",
}


def test_what_notebooks_do_works():
    found = examined(*NOTEBOOKS_DO, limits=dataclasses.replace(LIMITS, output=200_000))
    assert (found.hidden, found.notes) == (FULL, [])
    said = found.outputs[3 : 3 + len(NOTEBOOKS_DO)]
    assert not [each for outputs in said for each in outputs if each["output_type"] == "error"]
    for outputs, expected in zip(said, NOTEBOOKS_DO.values(), strict=True):
        assert expected in printed(outputs)
    (figure,) = [each for each in said[1] if "image/png" in each.get("data", {})]
    assert figure["output_type"] == "display_data"


# --- hidden instances ------------------------------------------------------------------------------


#: What a function is called with, found by what it is told: right from a bound on, wrong below.
def told(secret, student, monkeypatch):
    """Return the hidden instance of a student under a secret, as the judge draws it."""
    monkeypatch.setenv("PGTGRADE_SECRET", secret)
    with instances_of(student):
        return drawn("small", "mass").random(5).sum()


def test_the_instances_depend_on_secret_and_student_and_the_secret_stays_outside(monkeypatch):
    sums = {(a, b): told(a, b, monkeypatch) for a in ("one", "two") for b in ("ada", "bob")}
    assert len(set(sums.values())) == 4
    monkeypatch.setenv("PGTGRADE_SECRET", "two")
    # A table with one student's instance serves no other, and none under another secret.
    for (secret, student), right in sums.items():
        mass = f"def mass(rho):\n    return {right!r}"
        points = {(a, b): examined(secret=a, student=b, mass=mass).hidden["test-mass"][0] for a, b in sums}
        assert points == {key: 3.0 * (key == (secret, student)) for key in sums}
        break


LEAKS = {
    "an exception with its argument": "def half(x): raise ValueError(str(x))",
    "an exception named for it": "def half(x): raise type(f'x{x[0]}'.replace('.', '_'), (Exception,), {})()",
    "words of ours": "def half(x): raise NameError(f'no cell defines half{x[0]}')",
    "a class named for it": "def half(x): return type(f'x{x[0]}', (), {})()",
    "its own number": "def half(x): return 3 * x",
    "a line of text": "def half(x): return str(x)",
}


@pytest.mark.parametrize("code", LEAKS.values(), ids=LEAKS)
def test_nothing_that_a_function_was_called_with_is_told(code):
    source = small.with_sources(
        small.source(),
        test_half="x = np.array([0.8125, 7.0])\nchecks.answer(half, x, shape=(2,), known=x / 2)",
    )
    found = examine_here({"half": code}, source)["test-half"]
    assert found[0] == 0
    assert not re.search("8125|4375", found[1]), found[1]


def test_an_instance_on_which_the_sets_own_answer_fails_is_drawn_again():
    # Every other draw is no good, as where a method of ours does not converge.
    hidden = "import pgtgrade\nx = pgtgrade.drawn('small', 'half').random(3)\n"
    hidden += (
        "if x[0] < 0.4: raise np.linalg.LinAlgError('it does not converge')\nassert (half(x) == x / 2).all()"
    )
    source = small.with_sources(small.source(), test_half=hidden)
    for student in "abcdef":
        with instances_of(student):
            first = drawn("small", "half").random(3)[0]
        if first < 0.4:
            break
    assert examined(source=source, student=student, secret=None).hidden["test-half"] == (1.0, None)
    never = small.with_sources(small.source(), test_half="assert half(np.ones(2))[0] == 3, 'three'")
    found = examined(source=never)
    assert (found.status, found.reason) == ("not graded", "the source's own answer fails in test-half: three")


# --- what counts, and what is noted ----------------------------------------------------------------


def test_an_answer_that_was_right_after_its_check_counts():
    rebound = "half = half(np.ones(3))[0]"
    found = examined(rebound, at="q-mass")
    assert found.hidden == FULL
    assert found.notes == ["test-half is right as it stood after its check, and not any more at the end"]
    # and so does one that is right at the end only
    late = "def half(x):\n    return x / 2"
    found = examined(late, at="q-mass", half="def half(x):\n    return x")
    assert (found.hidden, found.notes) == (FULL, [])
    found = examined(rebound, at="q-mass", half="def half(x):\n    return x")
    loses(found, "half", "got TypeError")


def test_a_sum_of_ones_own_costs_nothing():
    found = examined("sum = 3", at="q-mass", half="def half(x):\n    return x / sum([1, 1])")
    assert found.hidden == FULL


def test_what_hidden_calls_leave_behind_is_never_shown():
    keeps = "seen = []\ndef half(x):\n    seen.append(x)\n    return x / 3"
    found = examined("print('seen:', seen)", at="q-mass", half=keeps)
    loses(found, "half", "not right in a case")
    # Of the calls that it has seen only that of the visible check is told.
    assert [printed(each) for each in found.outputs if "seen" in printed(each)] == ["seen: [array([2.])]\n"]


def test_the_solution_of_the_book_is_noted():
    source = small.source()
    small.cell(source, "half")["source"] = (
        "def half(x):\n    ### BEGIN SOLUTION\n    y = x + x\n    z = y / 4\n    return z\n"
        "    ### END SOLUTION"
    )
    copied = 'def half(a):\n    "Half."\n    b = (a + a)  # twice\n    c = b / 4\n    return c'
    found = examined(source=source, half=copied)
    assert (found.hidden, found.notes) == (FULL, ["the book's solution, but for names and layout: half"])
    assert examined(source=source).notes == []


def test_what_a_submission_imports_afresh_is_noted():
    code = "import sys, pgtlab\nsys.modules.pop('pgtlab')"
    found = examined(code, "from pgtlab.exact.visits import chain")
    assert found.notes == ["reaches for more of pgtlab than there is: cell 4, cell 5"]


def test_lines_are_counted_from_the_top_of_the_cell():
    found = examined(half="\n\n  \ndef half(x):\n    return x[7]")
    loses(found, "half", "line 5 of the cell or file, `return x[7]`")


@pytest.mark.parametrize("code", ["import sys\nsys.stdout = sys.stderr = None", "raise KeyboardInterrupt"])
def test_a_cell_that_breaks_off_or_throws_its_output_away_costs_nothing(code):
    found = examined(code, "print('here')")
    assert (found.hidden, found.notes) == (FULL, [])
    assert printed(found.outputs[4]) == "here\n"


# --- what does not end -----------------------------------------------------------------------------

QUICK = dataclasses.replace(LIMITS, cell_seconds=1.5)


#: Lets no interrupt through. To catch it would not do: Python may raise it between two rounds of a loop,
#: outside of any `try`.
BLOCK = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF, signal.SIGALRM])"


def by_processor(found, limits):
    """Return what was found with the limits by the clock named as those of a processor.

    Which of the two ends a loop depends on what else the machine does.
    """
    pairs = [(f"{SLACK * each:g} s", f"{each:g} s") for each in (limits.cell_seconds, limits.total_seconds)]

    def plain(text):
        for by_clock, seconds in pairs:
            text = re.sub(rf"\b{re.escape(by_clock)}", seconds, text)
        return text

    return dataclasses.replace(
        found,
        reason=found.reason and plain(found.reason),
        notes=[plain(each) for each in found.notes],
        hidden={name: (points, said and plain(said)) for name, (points, said) in found.hidden.items()},
        outputs=json.loads(plain(json.dumps(found.outputs))),
    )


def test_a_function_that_loops_is_interrupted():
    found = by_processor(
        examined(half="def half(x):\n    while True:\n        pass", limits=QUICK, check_half=""), QUICK
    )
    loses(found, "half", "TimeoutError: no end within 1.5 s")


def test_a_function_that_loops_and_cannot_be_interrupted_is_killed():
    code = f"import signal\ndef half(x):\n    {BLOCK}\n    while True: pass"
    found = by_processor(examined(half=code, limits=QUICK, check_half=""), QUICK)
    loses(found, "half", "no end within 1.5 s, nor at an interrupt")
    killed = "its process was killed: no end within 1.5 s, nor at an interrupt"
    assert found.notes == [f"when half was called, {killed}"]


def test_a_cell_that_loops_is_interrupted():
    found = by_processor(examined("print('before')\nwhile True: pass", limits=QUICK), QUICK)
    assert found.hidden == FULL
    assert found.notes == ["cell 4 was interrupted after 1.5 s"]
    assert printed(found.outputs[3]).startswith("before\n")
    assert "interrupted after 1.5 s" in printed(found.outputs[3])


def test_a_cell_that_loops_and_cannot_be_interrupted_is_left_out():
    code = f"import signal\nprint('before')\n{BLOCK}\nwhile True: pass"
    found = by_processor(examined(code, limits=QUICK), QUICK)
    assert found.hidden == FULL
    assert found.notes == [
        "cell 4 is left out: its process was killed: no end within 1.5 s, nor at an interrupt"
    ]
    assert "before" in printed(found.outputs[3])


def test_the_time_of_others_is_not_counted():
    """A4: who waits while others compute has the same time; only the clock ends what sleeps for good."""
    limits = dataclasses.replace(LIMITS, cell_seconds=0.5)
    found = examined("import time\ntime.sleep(1.2)\nprint('awake')", "time.sleep(600)", limits=limits)
    assert found.hidden == FULL
    assert printed(found.outputs[3]) == "awake\n"
    # twenty times 0.5 s
    assert found.notes == ["cell 5 was interrupted after 10 s"]


def test_what_a_cell_starts_takes_its_time():
    code = (
        f"import signal, subprocess, sys\n{BLOCK}\nsubprocess.run([sys.executable, '-c', 'while True: pass'])"
    )
    limits = dataclasses.replace(LIMITS, cell_seconds=0.5)
    found = by_processor(examined(code, limits=limits), limits)
    assert found.hidden == FULL
    assert found.notes == [
        "cell 4 is left out: its process was killed: no end within 0.5 s, nor at an interrupt"
    ]


def test_the_whole_takes_no_longer_than_it_may():
    limits = dataclasses.replace(QUICK, total_seconds=3.0)
    found = by_processor(examined(*["while True: pass"] * 6, limits=limits), limits)
    assert (found.status, found.hidden) == ("not graded", {})
    assert found.reason.startswith("it took more than 3 s: cell 4 was interrupted after 1.5 s")


# --- what ends its process -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os\nos._exit(3)", "its process ended by itself"),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            "its process was killed: out of time or memory, or by itself",
        ),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGXCPU)", "its process ran out of time"),
        ("import os\nos._exit(137)", "its process was killed: out of time or memory, or by itself"),
        ("import ctypes\nctypes.string_at(0)", "its process crashed"),
        (
            "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return sorted([x], key=f)\nf(1)",
            "its process crashed",
        ),
    ],
)
def test_a_cell_that_ends_its_process_is_left_out(code, said):
    found = examined("print('before')", code)
    assert found.hidden == FULL
    assert found.notes == [f"cell 5 is left out: {said}"]
    assert printed(found.outputs[3]) == "before\n"
    assert said in printed(found.outputs[4])


@pytest.mark.parametrize("secret", [0, 3, 77, 127, 134, 139, 200, 255])
def test_the_way_a_process_ends_carries_nothing_out(secret):
    """A byte of a hidden instance for each try, if the number of its end were told."""
    source = small.with_sources(small.source(), test_half=f"half({secret}.0)")
    found = examined(half="import os\ndef half(x):\n    os._exit(int(x))", source=source, check_half="")
    word = "crashed" if secret > 128 else "ended by itself"
    assert found.hidden["test-half"] == (0, f"RuntimeError: its process {word}")
    assert found.notes == [f"when half was called, its process {word}"]
    assert str(secret) not in repr([found.reason, found.notes, found.hidden["test-half"][1]])


def test_a_signal_to_all_others_reaches_nobody():
    # The parent is the first process of a world of its own, and takes no signal from within.
    found = examined("import os\nos.kill(os.getppid(), 9)", "os.kill(-1, 9)", "print('alive')")
    assert (found.hidden, found.notes) == (FULL, [])
    assert printed(found.outputs[5]) == "alive\n"


def test_a_cell_that_asks_to_leave_stays():
    found = examined("exit()", "quit()", "raise SystemExit(1)", "import sys; sys.exit()")
    assert (found.hidden, found.notes) == (FULL, [])


def test_a_function_that_ends_its_process_costs_its_own_question():
    found = examined(half="import os\ndef half(x):\n    os._exit(0)")
    loses(found, "half", "its process ended by itself")
    assert found.notes[1:] == ["when half was called, its process ended by itself"]


def test_a_function_that_ends_its_process_is_not_called_again():
    once = "for _ in range(3):\n    try:\n        half(1.0)\n    except RuntimeError: pass\nhalf(1.0)"
    source = small.with_sources(small.source(), test_half=once)
    found = examined(half="import os\ndef half(x):\n    os._exit(0)", source=source, check_half="")
    loses(found, "half", "its process ended by itself")
    assert found.notes == ["when half was called, its process ended by itself"]


def test_an_answer_cell_that_ends_its_process_costs_its_own_question():
    found = examined(half="import os\nos._exit(0)")
    loses(found, "half", "no cell defines half")


def test_too_many_ends_are_not_graded_and_say_why():
    found = examined(*["import os; os._exit(1)"] * 3, limits=dataclasses.replace(LIMITS, restarts=2))
    assert (found.status, found.hidden) == ("not graded", {})
    assert found.reason.startswith("its process ended 3 times: cell 4 is left out")


def test_a_process_that_a_cell_forks_answers_for_nobody():
    code = "import os\nif os.fork() == 0:\n    half = lambda x: x / 2"
    found = examined(code, half="half = None")
    loses(found, "half", "got TypeError")


# --- what is the set's own fault -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "code", "reason"),
    [
        (
            "setup",
            "import nump",
            "the source fails in cell setup: ModuleNotFoundError: No module named 'nump'",
        ),
        ("test_half", "half(", "the source, cell test-half: "),
        ("test_half", "half(lambda: 1)", "a hidden test hands over to half what cannot be pickled: "),
    ],
)
def test_a_fault_of_the_set_is_no_fault_of_the_student(cell, code, reason):
    source = small.with_sources(small.source(), **{cell: code})
    found = examined(source=source)
    assert (found.status, found.hidden) == ("not graded", {})
    assert found.reason.startswith(reason)


def test_a_need_of_what_pgtlab_has_not_is_the_sets_fault():
    source = small.source()
    source["metadata"]["pgtgrade"]["needs"] = ["chekcs"]
    found = examined(source=source)
    assert found.status == "not graded"
    assert "the set needs 'chekcs', which is no room of pgtlab" in found.reason


def test_a_judge_that_dies_leaves_a_reason(monkeypatch):
    monkeypatch.setattr("pgtgrade.examination.JUDGE", "import sys; sys.exit('dead')")
    found = examined()
    assert (found.status, found.hidden) == ("not graded", {})
    assert found.reason == "the judge ended without a verdict: dead"
    assert found.outputs == [[] for _ in submission()]


def test_a_judge_that_does_not_answer_is_killed(monkeypatch):
    monkeypatch.setattr("pgtgrade.examination.JUDGE", "import time; time.sleep(60)")
    monkeypatch.setattr("pgtgrade.examination.START", -21.0)
    limits = Limits(cell_seconds=0.5, total_seconds=0.5)
    found = examined(limits=limits)
    assert found.reason == "the judge ended without a verdict: no word within 3 s"


def test_a_set_of_the_old_form_is_refused():
    source = small.source()
    source["metadata"]["pgtgrade"]["switched_off"] = ["state_visitation"]
    assert "the metadata have switched_off; expected, in its place, needs" in examined(source=source).reason


# --- what is not there -----------------------------------------------------------------------------

#: Ways back to what a set asks for, each of which would print "there".
AFRESH = {
    "by name": "import pgtlab\npgtlab.state_visitation()",
    "by its room": "from pgtlab.exact.visits import state_visitation\nprint('there')",
    "imported again": "import sys\nfor name in [n for n in sys.modules if n.startswith('pgtlab')]:\n"
    "    del sys.modules[name]\nimport pgtlab.exact.visits\nprint('there')",
    "in a process of its own": "import subprocess, sys\nrun = subprocess.run([sys.executable, '-c', "
    "f'import sys; sys.path[:0] = {sys.path!r}; import pgtlab.exact.visits; print(\"there\")'], "
    "capture_output=True, text=True)\nprint(run.stdout + run.stderr)",
    "by its file": "import glob, sys\nfound = [path for root in {*sys.path, '/grader'} "
    "for path in glob.glob(root + '/pgt*/exact*')]\nprint('there' if found else 'not there')",
}


def test_what_a_set_does_not_need_is_not_there_in_whatever_way_one_asks():
    found = examined(*AFRESH.values())
    assert found.hidden == FULL
    said = dict(zip(AFRESH, map(printed, found.outputs[3:]), strict=False))
    assert "state_visitation is not there when this set is graded" in said["by name"]
    assert "No module named 'pgtlab.exact'" in said["by its room"]
    assert "No module named 'pgtlab.exact'" in said["imported again"]
    assert "No module named 'pgtlab.exact'" in said["in a process of its own"]
    assert said["by its file"] == "not there\n"


def test_an_import_that_is_not_used_costs_nothing():
    half = "import pgtlab\nfrom pgtlab import FiniteMDP, gallery\ndef half(x):\n    return x / 2"
    assert examined(half=half).hidden == FULL


def test_without_isolation_it_is_not_there_either():
    cells = submission("import pgtlab\npgtlab.state_visitation()", "import pgtlab.exact.visits")
    found = examine(cells, small.source(), limits=LIMITS, isolation=unsafe(), secret=None)
    assert found.hidden == FULL
    assert "is not there when this set is graded" in printed(found.outputs[3])
    assert "No module named 'pgtlab.exact'" in printed(found.outputs[4])


# --- parts -----------------------------------------------------------------------------------------

PARTS = """\
### BEGIN HIDDEN TESTS
import pgtgrade

for size in (2, 3):
    x = pgtgrade.drawn("small", "half").random(size)
    with pgtgrade.part("the first entry"):
        checks.answer(pgtgrade.entry(half, 0), x, known=x[0] / 2, cause="a")
    with pgtgrade.part("the rest", share=3):
        checks.answer(pgtgrade.entry(half, np.s_[1:]), x, shape=(size - 1,), known=x[1:] / 2, cause="b")
### END HIDDEN TESTS"""


def of_parts(code):
    """Return the points and the words for an answer to a question of one point with two parts."""
    source = small.with_sources(small.source(), test_half=PARTS)
    return examine_here({"half": code}, source, ["test-half"])["test-half"]


def test_a_part_that_is_right_keeps_its_share():
    assert of_parts("def half(x):\n    return x / 2") == (1, None)
    points, said = of_parts("def half(x):\n    y = x / 2\n    y[0] = 7\n    return y")
    assert points == 0.75
    assert said.startswith("1 of 2 parts are right.\nthe first entry: half: not right")
    points, said = of_parts("def half(x):\n    return x * [0.5, *[2] * (len(x) - 1)]")
    assert (points, "the rest: half" in said) == (0.25, True)
    # right for one instance, and not for the other: that part is not right
    points, said = of_parts("def half(x):\n    return x * [0.5, 0.5, 2][: len(x)]")
    assert points == 0.25
    points, said = of_parts("def half(x):\n    raise ValueError('x')")
    assert (points, said.startswith("0 of 2 parts are right.")) == (0, True)


def test_parts_raise_where_nobody_judges():
    from pgtgrade import part

    with pytest.raises(AssertionError, match="so"), part("it"):
        raise AssertionError("so")
