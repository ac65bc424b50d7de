"""A class as a whole: how it did, who wrote alike, and what is looked at again."""

import csv
import io
import json
import re

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make grading`")

from pgtgrade import figures, pairs, regrades, similarity, statistics
from pgtgrade.__main__ import main
from pgtgrade.gradebook import gradebook
from pgtgrade.results import key_of
from tests.grading import small
from tests.grading.test_batch import RIGHT, Class

#: Long enough to be no coincidence, and the same with other names, numbers and layout.
LONG = """\
def half(x):
    total, weights = np.zeros(len(x)), np.linspace(0.25, 0.25, len(x))
    for place, value in enumerate(x):
        for share in (weights[place], 1 - 3 * weights[place]):
            total[place] += np.multiply(share, value) if value > 0 else share * value
    check = [np.isclose(first, 0.5 * second) for first, second in zip(total, x)]
    return np.where(np.all(check), total, np.divide(x, 2))
"""
RENAMED = """\
def half(x):
    # my own idea
    t, w = np.zeros(len(x)), np.linspace(.25,
                                          .25, len(x))
    for i, v in enumerate(x):
        for s in (w[i], 1 - 3 * w[i]):
            t[i] += np.multiply(s, v) if v > 0 else s * v
    ok = [np.isclose(a, 0.50 * b) for a, b in zip(t, x)]
    return np.where(np.all(ok), t, np.divide(x, 2))
"""


@pytest.fixture
def class_(tmp_path):
    return Class(tmp_path)


def command(class_, name, *rest):
    """Run a command and return its code."""
    where = ["--source", class_.folder / "sets", "--course", class_.course.folder]
    return main([name, "small", *map(str, [*rest, *where])])


def scores(class_):
    with gradebook(class_.course, class_.set) as book:
        return book.scores()


def lines(text):
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))


# --- how the class did -----------------------------------------------------------------------------


def by_question(class_):
    results = class_.course.results("small")
    found = statistics.by_question(class_.set, results, scores(class_), class_.course)
    return {each.question.name: each for each in found}


def test_how_many_were_right_and_what_went_wrong(class_):
    class_.hand_in("ada", **RIGHT)
    class_.hand_in("ben", **{**RIGHT, "half": "def half(x):\n    return 2 * x"})
    class_.hand_in(
        "cleo", **{**RIGHT, "half": "def half(x):\n    return 2 * x", "mass": "def mass(rho):\n    rho[9]"}
    )
    class_.hand_in("dan")
    class_.grade()
    class_.give("ada", 2)
    class_.give("ben", 0.5)
    found = by_question(class_)
    # by hand: of half one is right and three are not, two of these doubled; of the derivation 2 and 0.5 of 2
    assert (found["half"].right, found["half"].partly, found["half"].none) == (1, 0, 3)
    assert found["half"].causes == {"x is doubled": 2, "not written yet": 1}
    assert found["mass"].causes == {"raises IndexError": 1, "not written yet": 1}
    why = found["derive-why"]
    assert (why.right, why.partly, why.none, why.waiting, why.mean) == (1, 1, 1, 1, 2.5 / 3)
    table = lines(statistics.statistics_csv(found.values()))
    assert [table[0][each] for each in ("submissions", "right", "none", "mean")] == ["4", "1", "3", "0.25"]
    assert lines(statistics.causes_csv(found.values()))[0]["what went wrong"] == "x is doubled"


def test_the_visible_check_knows_more_than_the_hidden_one_may_tell(class_):
    class_.hand_in("ada", **{**RIGHT, "half": "def half(x):\n    return x"})
    class_.grade()
    path = class_.course.autograded("small", key_of("ada"))
    notebook = json.loads(path.read_text())
    small.cell(notebook, "check-half")["outputs"] = [
        {
            "output_type": "error",
            "ename": "_WrongAnswer",
            "evalue": "half: so. Likely cause: <b>x</b> is kept",
        }
    ]
    path.write_text(json.dumps(notebook))
    assert by_question(class_)["half"].causes == {"<b>x</b> is kept": 1}
    assert command(class_, "statistics") == 0
    page = (class_.course.folder / "statistics" / "small.html").read_text()
    assert "&lt;b&gt;x&lt;/b&gt; is kept" in page
    assert "<b>x" not in page


def test_the_page_of_the_class_names_nobody_and_asks_for_nothing(class_, capsys):
    for name in ("Ada Lovelace", "Ben"):
        class_.hand_in(name, **{**RIGHT, "half": "def half(x):\n    return 2 * x"})
    class_.grade()
    (class_.course.folder / "roster.csv").write_text("student\nAda Lovelace\nBen\nCleo\n")
    assert command(class_, "statistics") == 0
    page = (class_.course.folder / "statistics" / "small.html").read_text()
    assert "2 submissions; 1 handed in nothing" in page
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"Lovelace|Ben|Cleo|https?://(?!www\.w3\.org)|src=|@import", page)
    # two of two failed half: the bar is all of one colour
    assert '<rect class="none" x="0" width="100" height="10"/>' in page
    # 0 + 3 of 6 for both, rounded down
    assert "The mean is 3, the median 3." in page


def test_figures_are_drawn_to_scale():
    drawn = figures.histogram([("0", 1), ("1", 4), ("2", 0)], "points", "", "so <many>")
    heights = [float(each) for each in re.findall(r'<rect class="right"[^>]* height="([\d.]+)"', drawn)]
    assert heights[1] == pytest.approx(4 * heights[0], rel=0.01)
    assert heights[2] == 0
    assert 'aria-label="so &lt;many&gt;"' in drawn
    drawn = figures.bar([("right", 1), ("part", 1), ("none", 2)], 4, "x")
    assert re.findall(r'x="([\d.]+)" width="([\d.]+)"', drawn) == [("0", "25"), ("25", "25"), ("50", "50")]
    assert "<rect" not in figures.bar([("right", 0)], 0, "nobody")
    assert figures.histogram([], "points", "", "nobody").startswith("<svg")


def test_what_the_class_did_reaches_no_page_of_a_student(class_):
    """Of what went wrong a student reads her own, and nobody else's."""
    class_.hand_in("ada", **RIGHT)
    class_.hand_in("ben", **{**RIGHT, "half": "def half(x):\n    return 2 * x"})
    class_.grade()
    assert command(class_, "statistics") == 0
    assert command(class_, "feedback") == 0
    page = (class_.course.folder / "statistics" / "small.html").read_text(encoding="utf-8")
    assert statistics.FOR_LECTURERS in page
    assert "x is doubled" in page
    folder = class_.course.folder / "feedback"
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    whose = {line["student"]: line["file"] for line in lines(files["index.csv"])}
    assert set(files) == {"index.csv", whose["ada"], whose["ben"]}
    # the page of who made the mistake says it, so that the question can fail
    assert [name for name, text in files.items() if "x is doubled" in text] == [whose["ben"]]
    for words in ("how the class did", "with all points", "For lecturers", "median"):
        assert words in page
        assert not [name for name, text in files.items() if words in text]


# --- who wrote alike -------------------------------------------------------------------------------


def test_who_changes_the_names_is_seen_and_who_wrote_alone_is_not(class_):
    class_.hand_in("ada", **{**RIGHT, "half": LONG})
    class_.hand_in("ben", **{**RIGHT, "half": RENAMED})
    class_.hand_in("cleo", **RIGHT)
    class_.hand_in("dan", **{**RIGHT, "half": "def half(x):\n    return np.divide(x, 2)"})
    class_.grade()
    results = class_.course.results("small")
    theirs, known, found = pairs.pairs_of(class_.set, results, class_.course)
    (pair,) = found
    assert {pair.one, pair.other} == {key_of("ada"), key_of("ben")}
    assert (pair.share, pair.places) == (1, [("half", "half")])
    page = pairs.pairs_html(class_.set, results, theirs, known, found)
    assert "hint and no verdict" in page
    assert page.count("<mark>") == 2
    assert '"ada","ben"' in pairs.pairs_csv(found, results)


def test_what_everybody_has_makes_no_pair():
    alone = {"half": (LONG, True)}
    other = {"half": (RENAMED, True)}
    assert len(similarity.alike({"a": alone, "b": other}, [])) == 1
    # handed out, or the book's solution
    assert similarity.alike({"a": alone, "b": other}, [(LONG, True)]) == []
    # five of twenty: what anybody writes; four of forty may have been together
    apart = {f"x{k}": {"half": (f"def f{k}(x):\n    return x.a{k}(x, {k})", True)} for k in range(36)}
    five = {f"s{k}": alone for k in range(5)}
    assert similarity.alike(five | dict(list(apart.items())[:15]), []) == []
    four = {f"s{k}": alone for k in range(4)}
    assert len(similarity.alike(four | apart, [])) == 6


def test_prose_and_broken_code_are_compared_too():
    prose = "Since the distances shrink by a factor of gamma at each step we may sum the series. " * 8
    assert (
        len(similarity.alike({"a": {"why": (prose, False)}, "b": {"why": (prose.upper(), False)}}, [])) == 0
    )
    long = " ".join(f"word{k}" for k in range(90))
    assert len(similarity.alike({"a": {"why": (long, False)}, "b": {"why": (long.upper(), False)}}, [])) == 1
    broken = LONG + "\n\ndef (:\n" + '"""'
    assert len(similarity.alike({"a": {"x": (broken, True)}, "b": {"y": (broken, True)}}, [])) == 1
    mine, theirs = similarity.shared_spans((LONG, True), (RENAMED, True), [])
    assert LONG[mine[0][0] :].startswith("def")
    assert RENAMED[slice(*theirs[-1])].endswith(")")


# --- looked at again -------------------------------------------------------------------------------


def test_a_request_keeps_its_history_and_reaches_the_student(class_, capsys):
    class_.hand_in("Ada", **{**RIGHT, "half": "def half(x):\n    return x"})
    class_.grade()
    asked = ("--student", " ada", "--question", "half", "--asked", "=1+1 is *right*")
    assert command(class_, "regrade", *asked, "--by", "Eva") == 0
    assert "WAITS  1" in capsys.readouterr().out
    assert "regrade 1 of half is not decided" in _note(class_)
    decide = ("--decide", "1", "--points", "0.5", "--because", "The idea is right.")
    assert command(class_, "regrade", *decide) == 0
    assert "half, decided (0 before, 0.5 after)" in capsys.readouterr().out
    assert scores(class_)[key_of("Ada")]["half"].points == 0.5
    # once more, and the points stay
    assert command(class_, "regrade", "--decide", "1", "--because", "Still.") == 0
    events = regrades.history(class_.course, "small")
    assert [(each.number, each.what, each.before, each.after, each.by) for each in events] == [
        (1, "asked", None, None, "Eva"),
        (1, "decided", 0, 0.5, ""),
        (1, "decided", 0.5, 0.5, ""),
    ]
    assert events[0].words == "=1+1 is *right*"
    class_.grade(again=True)
    assert scores(class_)[key_of("Ada")]["half"].points == 0.5
    assert command(class_, "feedback") == 0
    (page,) = (class_.course.folder / "feedback" / "small").glob("*.html")
    text = page.read_text()
    for part in ("you asked to look at it again", "<em>right</em>", "0 points became 0.5", "the points stay"):
        assert part in text
    assert "not decided" not in _note(class_)


CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section
"Lovelace, Ada",123,S-1,ada@uni.edu,Tue
"Lee, Sam",126,S-4,sam,Tue
"Lee, Sam",127,S-5,sam2,Wed
"""


def dated(class_, *names):
    """Write exceptions into the rules of the course, a day late each."""
    lines = [f'"{each}" = 2026-11-21T12:00:00' for each in names]
    rules = ["[small]", "due = 2026-11-20T23:00:00", "percent_per_day = 10", "[small.handed_in]", *lines]
    (class_.course.folder / "course.toml").write_text("\n".join(rules), encoding="utf-8")


@pytest.mark.parametrize("name", ["Ada Lovelace", "lovelace,  ada", "123", "ada@uni.edu", "S-1"])
def test_a_student_is_named_in_either_order_by_number_or_login(class_, name, capsys):
    """In the rules, in a request and in the table of points, as one roster would have it otherwise."""
    class_.course.make()
    (class_.course.folder / "roster.csv").write_text(CANVAS, encoding="utf-8")
    class_.hand_in("Lovelace, Ada", **RIGHT)
    class_.grade()
    dated(class_, name)
    table = class_.course.folder / "filled.csv"
    table.write_text(f'student,question,points\n"{name}",derive-why,2\n', encoding="utf-8")
    assert command(class_, "derivations", "--read", str(table)) == 0
    assert command(class_, "regrade", "--student", name, "--question", "half", "--asked", "x") == 0
    assert command(class_, "export") == 0
    assert "NOT APPLIED" not in capsys.readouterr().err
    text = (class_.course.folder / "grades-small.csv").read_text(encoding="utf-8-sig")
    assert '"Lovelace, Ada","graded","5.4","6","1","3","2"' in text
    # the roster may also have come later, with the names in another order
    assert '"Lovelace, Ada","123","S-1","ada@uni.edu","Tue","5.4"' in _for_canvas(class_)


def _for_canvas(class_):
    return (class_.course.folder / "for-canvas-small.csv").read_text(encoding="utf-8")


def test_a_roster_in_another_order_is_the_same_people(class_):
    class_.hand_in("Ada Lovelace", **RIGHT)
    class_.grade()
    class_.give("Ada Lovelace", 2)
    (class_.course.folder / "roster.csv").write_text(CANVAS, encoding="utf-8")
    assert command(class_, "export") == 0
    assert '"Lovelace, Ada","123","S-1","ada@uni.edu","Tue","6"' in _for_canvas(class_)
    text = (class_.course.folder / "grades-small.csv").read_text(encoding="utf-8-sig")
    assert "not on the roster" not in text
    assert text.count("no submission") == 2


def test_a_name_that_is_nobody_s_is_said_with_the_one_that_was_meant(class_, capsys):
    class_.course.make()
    (class_.course.folder / "roster.csv").write_text(CANVAS, encoding="utf-8")
    class_.hand_in("Lovelace, Ada", **RIGHT)
    class_.grade()
    dated(class_, "Ada Lovelave", "Sam Lee", "Zoe")
    options = (str(class_.downloads), "--unsafe-without-isolation")
    # all else is done, and the table is there
    assert command(class_, "grade", *options) == 1
    told = capsys.readouterr()
    assert "3 rows: 1 by hand, 2 no submission" in told.out
    start = "NOT APPLIED  course.toml names "
    assert [each for each in told.err.splitlines() if each.startswith(start)] == [
        start + "Ada Lovelave, and nobody is called so; did you mean 'Lovelace, Ada'?",
        start + "Sam Lee, and nobody is called so; did you mean 'Lee, Sam (127)' or 'Lee, Sam (126)'?",
        start + "Zoe, and nobody is called so",
    ]
    dated(class_)
    assert command(class_, "grade", *options) == 0
    table = class_.course.folder / "filled.csv"
    table.write_text("student,question,points\nAda Lovelaec,derive-why,2\n", encoding="utf-8")
    assert command(class_, "derivations", "--read", str(table)) == 1
    meant = "no graded submission of 'Ada Lovelaec'; did you mean 'Lovelace, Ada'?"
    assert f"line 2: {meant}" in capsys.readouterr().err
    assert command(class_, "regrade", "--student", "Ada Lovelaec", "--question", "half", "--asked", "x") == 2
    assert meant in capsys.readouterr().err
    dated(class_, "Ada Lovelace", "lovelace, ada")
    assert command(class_, "export") == 0
    (class_.course.folder / "course.toml").write_text(
        '[small.handed_in]\n"Ada Lovelace" = 2026-11-21T12:00:00\n"123" = 2026-11-22T12:00:00\n'
    )
    assert command(class_, "export") == 2
    assert "[small] handed_in has two times for 'Lovelace, Ada'" in capsys.readouterr().err


def test_a_course_keeps_to_one_secret(class_, capsys, monkeypatch):
    """Without a word all would be graded on other instances: with a public one if the option is left out."""
    monkeypatch.delenv("PGTGRADE_SECRET", raising=False)
    for name in ("mine", "other"):
        (class_.folder / name).write_text(f"the {name} secret\n")
    mine, other = (("--secret-file", str(class_.folder / name)) for name in ("mine", "other"))

    def grade(*rest):
        code = command(class_, "grade", str(class_.downloads), "--unsafe-without-isolation", *rest)
        return code, capsys.readouterr().err

    # what graded nobody holds to nothing
    assert grade(*other)[0] == 2
    class_.hand_in("ada", **RIGHT)
    assert grade(*mine)[0] == 0
    (before,) = class_.course.results("small").values()
    code, said = grade()
    assert code == 2
    assert (
        "small was graded with a secret, and now there is none; name the same as before (--secret-file"
        in said
    )
    assert "with --again" in said
    code, said = grade(*other)
    assert code == 2
    assert "small was graded with another secret, and this is not it" in said
    assert list(class_.course.results("small").values()) == [before]
    assert grade(*mine)[0] == 0
    # the rules may name the file, from their own folder on
    (class_.course.folder / "course.toml").write_text('secret_file = "../mine"\n')
    code, said = grade()
    assert (code, "No secret" in said) == (0, False)
    monkeypatch.setenv("PGTGRADE_SECRET", "the other secret")
    assert grade()[0] == 2
    assert grade("--again")[0] == 0
    assert next(iter(class_.course.results("small").values())).fingerprint != before.fingerprint
    assert grade()[0] == 0
    # the course knows the secret when it sees it, and does not tell it
    files = [path.read_bytes() for path in class_.course.folder.rglob("*") if path.is_file()]
    assert not [each for each in files if b"the mine secret" in each or b"the other secret" in each]


def test_another_set_is_graded_with_the_secret_of_the_last(class_):
    from pgtgrade.secret import keep_to_one

    class_.hand_in("ada", **RIGHT)
    keep_to_one(class_.course, "small", None)
    class_.grade()
    with pytest.raises(ValueError, match="small was graded without a secret, and now there is one; name the"):
        keep_to_one(class_.course, "ps2", "mine")
    keep_to_one(class_.course, "ps2", "mine", again=True)
    keep_to_one(class_.course, "small", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("secret_file = 3", "secret_file is 3; expected a path in quotes"),
        ("[small]\nsecret_file = 'x'", r"has secret_file; .* and secret_file above all sets"),
        ("days = 3", r"days is 3; expected \[days\] and its rules"),
    ],
)
def test_the_place_of_a_rule_matters(class_, text, message):
    from pgtgrade.rules import read_rules

    class_.course.make()
    (class_.course.folder / "course.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_rules(class_.course, "small")


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (
            "def half(x):\n    y = 1 \N{EN DASH} 0.5\n    return x * y",
            "line 2: '\N{EN DASH}' (U+2013) is not Python: opened in a word processor?",
        ),
        (
            "%matplotlib inline\ndef half(x):\n    return\N{NO-BREAK SPACE}x / 2",
            "line 3: no-break space (U+00A0) is not Python: opened in a word processor?",
        ),
        (
            "def half(x):\n    return \N{LEFT DOUBLE QUOTATION MARK}x\N{RIGHT DOUBLE QUOTATION MARK}",
            "line 2: '\N{LEFT DOUBLE QUOTATION MARK}' (U+201C) is not Python: opened in a word processor?",
        ),
        ("def half(x)\n    return x / 2", "line 1: expected ':'"),
        ("def half(x):\n    return (x / 2", "line 2: '(' was never closed"),
        ("def half(x):\n    return x\0", "it cannot be read"),
    ],
)
def test_a_cell_that_python_cannot_read_has_that_as_its_cause(class_, code, fault):
    """What follows, that no cell defines the function, helps nobody who sees the definition."""
    from pgtgrade.statistics import causes

    class_.hand_in("ada", **{**RIGHT, "half": code})
    class_.grade()
    (result,) = class_.course.results("small").values()
    assert result.points == {"half": 0, "mass": 3, "derive-why": None}
    said = f"half: expected an answer, got SyntaxError. Likely cause: {fault}"
    assert result.messages["half"] == said
    assert result.notes == [f"half is no Python, {fault}"]
    assert causes(said) == ["raises SyntaxError"]
    path = class_.course.autograded("small", key_of("ada"))
    assert said in json.loads(path.read_text(encoding="utf-8"))["cells"][5]["outputs"][0]["text"]
    # what is read, and defines something else, is told as before
    class_.hand_in("ada", **{**RIGHT, "half": "def halve(x):\n    return x / 2"})
    class_.grade()
    (result,) = class_.course.results("small").values()
    assert result.messages["half"] == "half: expected an answer, got NameError: no cell defines half"


def _note(class_):
    assert command(class_, "export") == 0
    return (class_.course.folder / "grades-small.csv").read_text()


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (("--asked", "x"), "--asked needs --student and --question"),
        (("--asked", "x", "--student", "zoe", "--question", "half"), "no graded submission of 'zoe'"),
        (
            ("--asked", "x", "--student", "ada", "--question", "nil"),
            "no question 'nil'; expected one of half",
        ),
        (("--decide", "7", "--because", "x"), "no request 7"),
        (("--decide", "1"), "--decide needs --because"),
        (("--decide", "1", "--because", "x", "--points", "9"), "--points 9; expected points from 0 to 1"),
        (("--decide", "1", "--asked", "x"), "expected one of them"),
    ],
)
def test_what_is_no_request_is_refused(class_, capsys, rest, message):
    class_.hand_in("ada", **RIGHT)
    class_.grade()
    command(class_, "regrade", "--student", "ada", "--question", "half", "--asked", "x")
    assert command(class_, "regrade", *rest) == 2
    assert message in capsys.readouterr().err
    assert len(regrades.history(class_.course, "small")) == 1
