"""Attacks on the grader: points without right answers, a look over the wall, and the end of the machine."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest

from pgtgrade.judging import NotGraded
from pgtgrade.outputs import Outputs
from pgtgrade.process import Ended, Process
from pgtgrade.walls import roots
from tests.grading.submissions import FULL, LIMITS, examined, isolation, many, printed
from tests.grading.test_examination import loses


@pytest.fixture
def run(request):
    """Run a cell in a process in isolation and return its outputs as text; "ended: ..." if it ended."""
    process = None

    def run(code, limits=LIMITS, hidden=()):
        nonlocal process
        process = process or Process(isolation(hidden), limits)
        outputs = Outputs(limits.output)
        try:
            process.ask({"cell": code, "index": 0}, outputs=outputs)
        except Ended as error:
            return f"{printed(outputs.cut())}ended: {error}"
        return printed(outputs.cut())

    run.close = lambda: process and process.close()
    yield run
    run.close()


# --- points without right answers ------------------------------------------------------------------

#: Each would give all points if it ran where the hidden tests do.
PATCHES = [
    "import numpy as np\nnp.allclose = np.array_equal = lambda *a, **k: True",
    "import numpy as np\nnp.abs = np.absolute = lambda x: np.zeros(1)\nnp.testing.assert_allclose = print",
    "from pgtlab import checks\nchecks.answer = lambda *a, **k: None",
    "import pgtlab.checks.answers as a\na._close = a._numbers = lambda *b: None",
    "import builtins\nbuiltins.AssertionError = builtins.ValueError = KeyError",
    "import sys\nsys.modules['pgtgrade'] = sys.modules['numpy.testing'] = None",
    "import numpy as np\nclass Array(np.ndarray):\n    def __sub__(self, other): return np.zeros(self.shape)",
    "import os\nos.environ['PGTGRADE_SECRET'] = 'mine'",
]


def test_what_a_submission_patches_counts_for_nothing_outside():
    found = examined(*PATCHES, half="def half(x):\n    return 3 * x.view(Array)")
    loses(found, "half", "half: ")


def test_a_patched_solver_spoils_ones_own_answers_only():
    mass = "def mass(rho):\n    return np.linalg.solve(np.eye(5), rho).sum()"
    found = examined("import numpy as np\nnp.linalg.solve = lambda a, b: 0 * b", mass=mass)
    loses(found, "mass", "a mean in place of a sum")


TRICKS = {
    "an array of a class of its own": "import numpy as np\nclass A(np.ndarray):\n"
    "    def __array__(self, *a, **k): raise SystemExit\n    def __eq__(self, o): return True\n"
    "def half(x): return np.ones(3).view(A)",
    "an object that is equal to all": "class A:\n    def __eq__(self, o): return True\n"
    "    def __rsub__(self, o): return 0\n    __sub__ = __abs__ = __rsub__\ndef half(x): return A()",
    "an object that unpickles to more": "class A:\n    def __reduce__(self): return (print, ('x',))\n"
    "def half(x): return A()",
    "a number that is no number": "def half(x): return [float('nan')] * 3",
    "an infinite number": "def half(x): return x + float('inf')",
    "a whole number without end": "def half(x): return [1 << 5_000_000] * 3",
    "an array that is too large": "def half(x): return np.zeros(10**8, dtype=np.int8)",
    "an array that is large on paper": "def half(x): return np.broadcast_to(1.0, (10**9, 10**9))",
    "an array of many axes": "def half(x): return np.ones((1,) * 64)",
    "lists in lists": "def half(x):\n    x = []\n    for _ in range(10**5): x = [x]\n    return x",
    "a list in itself": "def half(x):\n    x = []\n    x.append(x)\n    return x",
    "a dict of many keys": "def half(x): return {(i, 2 * i): i for i in range(10**6)}",
    "a list without end": "def half(x): return [0.0] * 10**7",
    "an array of objects": "def half(x): return np.array([half] * 3)",
    "an array of dates": "def half(x): return np.zeros(3, dtype='datetime64[s]')",
    "an array with fields": "def half(x): return np.zeros(3, dtype='f8,f8')",
    "half of a character": "def half(x): return '\\ud800'",
    "itself": "def half(x): return half",
    "a generator": "def half(x): return (each for each in iter(int, 1))",
    "an exception of another name": "class A(Exception):\n    def __str__(self): return 'a' * 10**8\n"
    "def half(x): raise A()",
    "an exception that cannot be shown": "class A(Exception):\n    def __str__(self): raise self\n"
    "def half(x): raise A()",
    "an exception that is no Exception": "def half(x): raise KeyboardInterrupt('x')",
    "a name for an exception that is none": "def half(x): raise type('a b\\ud800' * 10**6, (Exception,), {})",
}


def test_what_a_function_returns_or_raises_gets_no_points_and_harms_nobody():
    found = many(TRICKS)
    assert (found.status, found.reason) == ("graded", None)
    assert {trick for trick in TRICKS if found.hidden[f"test-{trick}"][0]} == set()
    said = [found.hidden[f"test-{trick}"][1] for trick in TRICKS]
    assert all(message.startswith("half") and len(message) < 3_000 for message in said)
    assert found.hidden["test-mass"] == FULL["test-mass"]
    # What is told of them can be written into a file.
    assert str(found).encode()


FORGED = """
import json, os, struct
def message(head, blob=b"", lengths=None):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<IQ", *(lengths or (len(text), len(blob)))) + text + blob
def number():
    # Who looks through the frames finds the number of the request.
    import sys
    frame = sys._getframe()
    while not isinstance(frame.f_locals.get("message"), tuple):
        frame = frame.f_back
    return frame.f_locals["message"][0]["number"]
def forge(data):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, data)
        except OSError:
            pass
"""


#: What a function writes into every pipe that is open, and so before its own answer.
MESSAGES = [
    "b'no message at all, but long enough to be taken for one'",
    "message({}, lengths=(4 << 30 - 1, 0))",
    "message({}, lengths=(2, 1 << 60))",
    "message(b'[]')",
    "message(b'{')",
    "message(b'[' * 100000)",
    "message(b'9' * 1000000)",
    "message({'value': {'array': ['<f8', [1 << 50]]}, 'to': number()})",
    "message({'value': [1, {'x': 1}], 'to': number()})",
    "message({'value': [{'array': ['<f8', [3]]}, {'dict': [['0', 1]]}], 'to': number()}, bytes(24))",
    "message({'done': None, 'raised': 7, 'to': number()})",
    "message({'raised': {'type': 'exit', 'text': 3, 'line': [0, 1e9]}, 'to': number()})",
    "message({'raised': {'type': 'A', 'text': 'x', 'line': [10**9, -1]}, 'to': number()})",
    "message({'points': 1, 'hidden': {'test-half': [1.0, None]}, 'to': number()})",
    "message({'output': {'output_type': 'stream', 'text': 'x' * 1000000}}) * 20",
]


def test_a_forged_message_gives_no_points_and_costs_the_question_that_forges():
    forging = "def half(x):\n    forge({})\n    return 2 * x"
    found = many({f"forged-{k}": forging.format(each) for k, each in enumerate(MESSAGES)}, FORGED)
    assert found.status == "graded"
    assert {name: points for name, (points, _) in found.hidden.items() if points} == {"test-mass": 3.0}


def test_a_forged_answer_is_worth_what_the_function_is_worth():
    """Who can forge an answer could return it: it is judged like any other."""
    forged = "message({'value': [{'array': ['<f8', [3]]}, {'dict': []}], 'to': number()}, x.tobytes())"
    found = examined(half=f"{FORGED}\ndef half(x):\n    forge({forged})")
    assert found.hidden["test-half"][0] == 0
    assert "not right in a case" in found.hidden["test-half"][1]


def test_messages_sent_beforehand_shift_nothing_into_another_question():
    """Answers that a cell writes in advance must not stand for those of functions that are called later."""
    forged = "message({'value': [{'array': ['<f8', []]}, {'dict': []}]}, struct.pack('<d', 1.0))"
    found = examined(f"{FORGED}\nforge({forged} * 50)")
    assert found.status == "graded"
    assert (found.hidden, found.notes) == (FULL, [])


# --- over the wall ---------------------------------------------------------------------------------


def test_nothing_of_the_lecturers_is_in_sight(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PGTGRADE_SECRET", "seen by the judge alone")
    gradebook = f"gradebook-{os.getpid()}.db"  # nbgrader has a gradebook.db among its own files
    for name in ("source.ipynb", "other.ipynb", gradebook):
        (tmp_path / name).write_text("seen by the lecturer alone")
    system = [Path.home() / ".profile", Path(__file__), Path("/etc/passwd")]
    for path in (tmp_path, *tmp_path.iterdir(), *system):
        assert "No such file" in run(f"open({str(path)!r}).read()"), path
    search = f"find / -path /proc -prune -o -path /usr -prune -o -name {gradebook} -print"
    assert run(f"!{search} 2>/dev/null; echo done") == "done\r\n"
    assert "alone" not in run("import os, glob\nprint(os.environ)\n!cat /proc/*/environ /proc/*/cmdline")
    # A folder on the way to this Python is seen, if it lies below /tmp.
    below = [Path(each) for each in roots() if Path(each).is_relative_to("/tmp")]
    way = {each.relative_to("/tmp").parts[0] for each in below}
    assert run("print(sorted(os.listdir('/tmp')))") == f"{sorted({'.ipython'} | way)}\n"
    assert "pgtgrade" not in run("import sys\nprint([each for each in sys.modules if 'grade' in each])")


def test_the_source_of_the_judge_is_not_in_sight(run):
    assert "No module named 'pgtgrade'" in run("import pgtgrade")
    assert run("import pgtlab, os\nprint(sorted(os.listdir('/grader')))") == "['pgtlab', 'runner']\n"


def test_nothing_can_be_written_but_in_tmp(run):
    refused = "import pgtlab\nopen(pgtlab.__file__, 'a')"
    assert "Read-only file system" in run(refused) or "Permission denied" in run(refused)
    for folder in ("/", "/grader", "/usr", "/dev", "/etc", os.path.dirname(os.__file__)):
        said = run(f"open({folder + '/mine'!r}, 'w')")
        assert "Read-only file system" in said or "Permission denied" in said, folder
    assert run("open('/tmp/mine', 'w').write('x')") == "1"


def test_there_is_no_network(run):
    connect = "import socket\nsocket.create_connection(({!r}, {}), timeout=2)"
    for host, port in (("127.0.0.1", 22), ("1.1.1.1", 53), ("10.0.0.1", 80)):
        said = run(connect.format(host, port))
        assert "refused" in said or "unreachable" in said, said
    assert "Name or service" in run(connect.format("example.org", 80)) or "name resolution" in run(
        connect.format("example.org", 80)
    )
    assert run("print(sorted(name for _, name in socket.if_nameindex()))") == "['lo']\n"


def test_no_rights_are_to_be_had(run):
    assert run("import os\nprint(os.getuid() == 0, os.geteuid() == 0)") == "False False\n"
    assert run("os.setuid(0)") in ("[Errno 1] Operation not permitted", "[Errno 22] Invalid argument")
    assert "not permitted" in run("!unshare --user --map-root-user true")
    assert "not permitted" in run("!mount -t tmpfs none /tmp") or "must be superuser" in run(
        "!mount -t tmpfs none /tmp"
    )
    assert "Operation not permitted" in run("os.memfd_create('more')")
    for name in ("AS", "NPROC", "FSIZE", "CPU"):
        raised = f"import resource\nresource.setrlimit(resource.RLIMIT_{name}, (-1, -1))"
        assert "not allowed to raise" in run(raised), name


# --- the machine -----------------------------------------------------------------------------------


def test_output_without_end_is_cut_and_costs_nothing(run):
    for code in (
        "for k in range(10**4): print(k)",
        "print('x' * 10**7)",
        "import os\nfor _ in range(1000): os.write(1, b'x' * 10**4)",
        "!yes | head -c 5000000",
        "'x' * 10**6",
        "from IPython.display import display\nfor k in range(9000): display(k)",
        "raise ValueError('x' * 10**6)",
    ):
        said = run(code)
        assert len(said) < LIMITS.output + 200, code
        assert "cut" in said or "left out" in said or "ValueError" in code, code


#: Each of these processes stays below the limit.
MANY = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = b'x' * (250 << 20)
        time.sleep(60)
time.sleep(60)
"""


def test_memory_has_a_limit(run):
    few = dataclasses.replace(LIMITS, memory=600 << 20)
    assert "Unable to allocate" in run("import numpy as np\nnp.ones(10**8)", limits=few)
    assert run("try:\n    bytearray(1 << 30)\nexcept MemoryError:\n    print('none')") == "none\n"
    assert "out of memory, more than" in run(MANY)


def test_files_have_a_limit(run):
    assert "File too large" in run("open('/tmp/large', 'wb').truncate(100 << 20)")
    many = "for k in range(9):\n    with open(f'/{}/{{k}}', 'wb') as file: file.write(bytes(30 << 20))"
    assert "No space left" in run(many.format("tmp"))
    assert "No space left" in run(many.format("dev/shm"))


def test_empty_files_have_a_limit(monkeypatch):
    """A9: each is memory of the kernel's that no other limit counts."""
    monkeypatch.setattr("pgtgrade.process.FILES", 300)
    started = Process(isolation(), LIMITS)
    try:
        few = "for k in range(200): open(f'/tmp/{k}', 'w').close()\nimport time; time.sleep(0.6)"
        started.ask({"cell": few, "index": 0}, outputs=Outputs(99))
        many = few.replace("200", "400").replace("/tmp/", "/dev/shm/").replace("0.6", "9")
        with pytest.raises(Ended, match="they had made more than 300 files"):
            started.ask({"cell": many, "index": 1}, outputs=Outputs(99))
    finally:
        started.close()


def test_a_fork_bomb_is_bounded_and_nothing_of_it_is_left(run):
    token = f"bomb{os.getpid()}"
    # It doubles eleven times and no more: where nothing bounds it, the test fails and the machine lives.
    doubling = "for _ in range(11):\n    try: os.fork()\n    except OSError: time.sleep(0.01)\n"
    bomb = f"import os, time\n{doubling}time.sleep(60)"
    code = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {bomb!r}, {token!r}])\n"
    run(code + "time.sleep(1)")
    assert LIMITS.processes - 3 <= len(left(token)) <= LIMITS.processes
    # What is asked next is answered all the same, and at the end all of it goes.
    assert run("1 + 1") == "2"
    run.close()
    wait_for(lambda: left(token) == [])


def test_more_processes_than_the_limit_allows_are_killed_from_outside_too(run, monkeypatch):
    """Where the kernel does not count them, the one who waits does."""
    monkeypatch.setattr("pgtgrade.process.SPARE", 4 - LIMITS.processes)
    said = run("import os, time\nfor _ in range(4):\n    if os.fork() == 0: time.sleep(60)\ntime.sleep(60)")
    assert "ended: its processes were killed: more than " in said


def left(token):
    """Return the processes of this machine in whose command line a token stands."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                line = (each / "cmdline").read_bytes() + (each / "comm").read_bytes()
            except OSError:
                continue
            found += [each.name] if token.encode() in line else []
    return found


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_no_process_is_left_behind():
    seconds = f"98{os.getpid()}"
    code = f"""
import subprocess
subprocess.Popen(["setsid", "sleep", "{seconds}"], start_new_session=True)
import os
print(os.popen("ps ax | grep -c '[s]leep {seconds}'").read())
"""
    found = examined(code)
    assert (found.hidden, found.notes) == (FULL, [])
    assert printed(found.outputs[3]).strip() in ("1", "2")
    wait_for(lambda: left(seconds) == [])


def test_a_machine_without_memory_grades_nobody(monkeypatch):
    monkeypatch.setattr("pgtgrade.process.is_scarce", lambda: True)
    process = Process(isolation(), LIMITS)
    with pytest.raises(NotGraded, match="^the machine has hardly any memory left: "):
        process.ask({"cell": "import time\ntime.sleep(5)", "index": 0}, outputs=Outputs(0))
    process.close()


def test_output_of_many_cells_is_cut_as_a_whole():
    limits = dataclasses.replace(LIMITS, output=1000)
    found = examined(*["print('x' * 990)"] * 60, limits=limits)
    assert found.hidden == FULL
    assert 10_000 < len(str(found.outputs)) < 30_000
    assert "the rest is cut" in printed(found.outputs[60])


def test_a_cell_that_is_no_text_is_an_error_like_another():
    found = examined("x = '\ud800'", "x = 'a\x00b'", "y = 'é'")
    assert (found.hidden, found.notes) == (FULL, [])
    assert "surrogates not allowed" in printed(found.outputs[3])
    assert "null bytes" in printed(found.outputs[4])
