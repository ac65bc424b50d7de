"""From the archive that Canvas or Moodle hands out to the table that it imports, by their own names."""

import csv
import io
import os
import zipfile
from datetime import datetime

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make grading`")

from pgtgrade import downloads, platforms
from pgtgrade.downloads import find
from pgtgrade.gradebook import gradebook
from pgtgrade.names import Names
from pgtgrade.results import NOT_GRADED, Result, key_of
from pgtgrade.roster import CANVAS, MOODLE, PLAIN, Roster, read_roster
from pgtgrade.rules import Rules, read_rules
from pgtgrade.tables import rows
from tests.grading import small
from tests.grading.test_batch import RIGHT, Class

WRONG = {**RIGHT, "half": "def half(x):\n    return x"}

#: As Canvas exports its gradebook: the name with the family name first, and a student for trying things out.
FOR_CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Quiz (11),A small set (12),Current Score
    Points Possible,,,,,10,6,(read only)
"Lovelace, Ada",123,S-1,ada@uni.edu,Tue,9,,90
"Müller, Åsa",124,S-2,asa,Tue,8,,80
"O'Neil, Ben",125,S-3,ben,Wed,,,
"Lee, Sam",126,S-4,sam,Tue,,,
"Lee, Sam",127,S-5,sam2,Wed,,,
"Student, Test",999,,x,Tue,,,
"""
#: As Moodle exports its worksheet for grading.
FOR_MOODLE = """\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,\
Last modified (submission),Last modified (grade),Feedback comments
Participant 1234567,Ada Lovelace,ada@uni.edu,Submitted,,6.00,Yes,"Friday, 20 November 2026, 11:58 PM",-,
Participant 1234568,Åsa Müller,asa@uni.edu,Submitted,,6.00,Yes,"Sunday, 22 November 2026, 12:01 AM",-,
Participant 1234569,Ben O'Neil,ben@uni.edu,No submission,,6.00,Yes,-,-,
"""


def notebook(class_, **answers):
    return small.text(small.with_sources(class_.set.release, **answers))


def packed(path, files):
    """Write an archive of files, given as name and content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def class_(tmp_path):
    return Class(tmp_path)


def roster_of(class_, text, encoding="utf-8-sig"):
    path = class_.folder / "roster.csv"
    path.write_text(text, encoding=encoding)
    return read_roster(path)


def table(class_, roster, rules=None):
    with gradebook(class_.course, class_.set) as book:
        lines = {each.name: each.line for each in roster.people}
        return {
            row.student: row
            for row in rows(
                class_.set, class_.course.results("small"), book.scores(), roster.names, rules, lines
            )
        }


def read(text):
    return list(csv.reader(io.StringIO(text)))


# --- the roster ------------------------------------------------------------------------------------


def test_rosters_as_platforms_and_people_write_them(class_):
    canvas = roster_of(class_, FOR_CANVAS)
    assert canvas.kind == CANVAS
    assert canvas.names == ["Lovelace, Ada", "Müller, Åsa", "O'Neil, Ben", "Lee, Sam (126)", "Lee, Sam (127)"]
    assert canvas.find("whoever", "127").name == "Lee, Sam (127)"
    assert canvas.find("ASA").name == "Müller, Åsa"
    assert canvas.find("Lee, Sam") is None
    moodle = roster_of(class_, FOR_MOODLE.replace(",", "\t").replace('"', ""), "utf-16")
    assert moodle.kind == MOODLE
    assert moodle.find("x", "1234568").name == "Åsa Müller"
    people = roster_of(class_, "First name,Last name,ID number,Email address\nAda,Lovelace,7,ada@uni.edu\n")
    assert people.names == ["Ada Lovelace"]
    assert people.find("ada@UNI.edu").name == "Ada Lovelace"
    plain = roster_of(class_, "Student;ID\n Ada  Lovelace;7\nBen;8\n")
    assert (plain.kind, plain.names) == (PLAIN, ["Ada Lovelace", "Ben"])
    assert plain.find("x", "8").name == "Ben"
    with pytest.raises(ValueError, match="no column student; expected one with the names of the files, or a"):
        roster_of(class_, "name,mail\nAda,a@x\n")
    assert Roster().find("ada") is None


# --- Canvas ----------------------------------------------------------------------------------------


def test_from_an_archive_of_canvas_to_its_gradebook(class_):
    """Two attempts, a late mark, a text in place of a file, two of one name, one that nobody knows."""
    roster = roster_of(class_, FOR_CANVAS)
    archive = packed(
        class_.folder / "submissions.zip",
        {
            "lovelaceada_123_456_ps1.ipynb": notebook(class_, **WRONG),
            "lovelaceada_123_460_ps1-1.ipynb": notebook(class_, **RIGHT),
            "müllerasa_LATE_124_457_small.ipynb": notebook(class_, **WRONG),
            "oneilben_125_text.html": "<p>I could not upload it</p>",
            "leesam_126_458_x_1_2_y.ipynb": notebook(class_, **RIGHT),
            "leesam_127_459_ps1.ipynb": notebook(class_),
            "nobodyknown_321_461_ps1.ipynb": notebook(class_, **RIGHT),
            "__MACOSX/._lovelaceada_123_456_ps1.ipynb": "x",
        },
    )
    class_.downloads = archive
    batch = class_.grade(roster=roster)
    assert batch.not_graded == {
        "O'Neil, Ben": "not a notebook: oneilben_125_text.html; expected a file .ipynb"
    }
    for student in ("Lovelace, Ada", "Müller, Åsa"):
        class_.give(student, 2)
    found = table(class_, roster)
    assert {name: row.total for name, row in found.items()} == {
        "Lee, Sam (126)": None,
        "Lee, Sam (127)": 0,
        "Lovelace, Ada": 6,
        "Müller, Åsa": 5,
        "nobodyknown": None,
        "O'Neil, Ben": None,
    }
    assert found["Lovelace, Ada"].notes == [
        "2 notebooks, of which the last counts: lovelaceada_123_456_ps1.ipynb, "
        "lovelaceada_123_460_ps1-1.ipynb"
    ]
    assert found["Müller, Åsa"].notes == ["marked late by the learning platform"]
    assert found["nobodyknown"].notes == ["not on the roster"]
    # only what has a total goes back, under Canvas' numbers and in its own column
    text, column = platforms.import_csv(roster, class_.set, found.values())
    assert column == "A small set (12)"
    assert read(text) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "A small set (12)"],
        ["    Points Possible", "", "", "", "", "6"],
        ["Lovelace, Ada", "123", "S-1", "ada@uni.edu", "Tue", "6"],
        ["Müller, Åsa", "124", "S-2", "asa", "Tue", "5"],
        ["Lee, Sam", "127", "S-5", "sam2", "Wed", "0"],
    ]
    assert read(platforms.import_csv(roster, class_.set, [], "11")[0])[0][-1] == "Quiz (11)"
    with pytest.raises(ValueError, match="no column 'Final' in the roster; expected one of "):
        platforms.import_csv(roster, class_.set, [], "Final")
    # feedback carries the numbers by which Canvas attaches it: of the file that was handed in last
    handles = {name: each.handle for name, each in by_name(class_).items()}
    assert handles["Lovelace, Ada"] == "lovelaceada_123_460"
    assert handles["Müller, Åsa"] == "müllerasa_LATE_124_457"
    pages = [(handle, "<p>") for handle in handles.values()]
    assert platforms.feedback_zip(class_.folder / "f.zip", pages) == 5
    with zipfile.ZipFile(class_.folder / "f.zip") as packed_again:
        assert "lovelaceada_123_460_feedback.html" in packed_again.namelist()


@pytest.mark.parametrize(
    "column", ["Problem Set 0:  a small set (12)", "problem set 0 (12)", "A Small Set (12)", "Small (12)"]
)
def test_the_column_is_found_however_a_lecturer_called_the_assignment(class_, column):
    """As the set is headed, by a half of that, by its title or its name; case and signs do not count."""
    class_.set.notebook["cells"][0]["source"] = "# Problem set 0: a small set\n\nTwo questions."
    roster = roster_of(class_, FOR_CANVAS.replace("A small set (12)", column))
    assert platforms.import_csv(roster, class_.set, [])[1] == column


def test_a_column_that_is_not_found_is_no_new_one(class_):
    other = roster_of(class_, FOR_CANVAS.replace("A small set (12)", "Homework (12)"))
    with pytest.raises(
        ValueError,
        match=r"no column of small in the roster; expected one of Quiz \(11\), Homework \(12\): name",
    ):
        platforms.import_csv(other, class_.set, [])
    both = roster_of(class_, FOR_CANVAS.replace("Quiz (11)", "small (11)"))
    with pytest.raises(
        ValueError, match=r"more than one column of small .* small \(11\), A small set \(12\): name it"
    ):
        platforms.import_csv(both, class_.set, [])
    # a gradebook without any assignment yet gets one
    none = roster_of(class_, FOR_CANVAS.replace("Quiz (11),A small set (12)", "Sum,More"))
    assert platforms.import_csv(none, class_.set, [])[1] == "A small set"


def by_name(class_):
    return {each.student: each for each in class_.course.results("small").values()}


def test_canvas_may_hide_the_names(tmp_path):
    for file in ("LATE_anon_x7Yz2_12_ps1.ipynb", "LATE_anon_x7Yz2_15_ps1-1.ipynb", "anon_a1B2c_13_ps1.ipynb"):
        (tmp_path / file).write_text(file)
    found, _ = find(tmp_path, "ps1")
    assert [(each.student, each.late, each.handle) for each in found] == [
        ("anon_a1B2c", False, "anon_a1B2c_13"),
        ("anon_x7Yz2", True, "LATE_anon_x7Yz2_15"),
    ]
    assert found[1].read(found[1].paths[-1]) == b"LATE_anon_x7Yz2_15_ps1-1.ipynb"


# --- Moodle ----------------------------------------------------------------------------------------


def test_from_an_archive_of_moodle_to_its_worksheet(class_):
    """With folders as it makes them today and before, files without folders, and text beside the file."""
    roster = roster_of(class_, FOR_MOODLE)
    inside = {
        "Ada Lovelace_1234567_assignsubmission_file_/ps1.ipynb": notebook(class_, **RIGHT),
        "Ada Lovelace_1234567_assignsubmission_onlinetext_/onlinetext.html": "See the file.",
        "Asa Mueller_1234568_assignsubmission_file/my work/ps1 (1).ipynb": notebook(class_, **WRONG),
        "Eve_1234570_assignsubmission_file_ps1.ipynb": notebook(class_, **RIGHT),
    }
    packed(class_.downloads / "Course-Set 1-99.zip", inside)
    class_.grade(roster=roster)
    class_.give("Ada Lovelace", 2)
    class_.give("Åsa Müller", 2)
    assert by_name(class_)["Ada Lovelace"].notes == ["ignored: onlinetext.html"]
    assert by_name(class_)["Åsa Müller"].handle == "Asa Mueller_1234568_assignsubmission_file_"
    rules = Rules(due=datetime(2026, 11, 20, 23, 59), percent_per_day=10, days=3)
    found = table(class_, roster, rules)
    assert found["Eve"].notes == ["not on the roster", "when it was handed in is not known"]
    # Sunday, one minute past midnight, is two days after Friday, one minute to it: the second has begun
    assert found["Åsa Müller"].notes == ["2 days late: 20 % taken off"]
    assert found["Åsa Müller"].total == pytest.approx(5 * 0.8, rel=1e-12)
    assert found["Ada Lovelace"].total == 6
    lines = read(platforms.import_csv(roster, class_.set, found.values())[0])
    heads = read(FOR_MOODLE)[0]
    assert lines[0] == heads
    sheet = {line[0]: dict(zip(heads, line, strict=True)) for line in lines[1:]}
    assert {each: line["Grade"] for each, line in sheet.items()} == {
        "Participant 1234567": "6",
        "Participant 1234568": "4",
    }
    assert sheet["Participant 1234568"]["Feedback comments"] == (
        "1. Half (1 point): 0 of 1; 2. Mass (3 points): 3 of 3; 3. Why (2 points): 2 of 2; "
        "2 days late: 20 % taken off"
    )
    assert sheet["Participant 1234567"]["Last modified (grade)"] == "-"
    platforms.feedback_zip(class_.folder / "f.zip", [(by_name(class_)["Ada Lovelace"].handle, "<p>")])
    with zipfile.ZipFile(class_.folder / "f.zip") as archive:
        assert archive.namelist() == ["Ada Lovelace_1234567_assignsubmission_file_/feedback.html"]
    assert platforms.feedback_zip(class_.folder / "f.zip", [(None, "<p>")]) == 0
    assert not (class_.folder / "f.zip").exists()
    hundred = roster_of(class_, FOR_MOODLE.replace("6.00", "100,00").replace("100,00", '"100,00"'))
    with pytest.raises(ValueError, match=r"Maximum Grade in the roster is 100\.00, and small has 6 points"):
        platforms.import_csv(hundred, class_.set, found.values())
    assert platforms.import_csv(Roster(), class_.set, found.values()) == (None, None)


def test_two_of_one_name_are_two_without_a_roster(tmp_path):
    for number in (7, 8):
        folder = tmp_path / f"Ada Lovelace_{number}_assignsubmission_file_"
        folder.mkdir()
        (folder / "ps1.ipynb").write_text(str(number))
    (tmp_path / "Ben_9_assignsubmission_file_").mkdir()
    found, _ = find(tmp_path, "ps1")
    assert [each.student for each in found] == ["Ada Lovelace (7)", "Ada Lovelace (8)", "Ben"]
    assert found[2].fault == "no notebook in the folder"


# --- archives --------------------------------------------------------------------------------------


def unpacked(tmp_path, **options):
    (tmp_path / "unpacked").mkdir(exist_ok=True)
    top = options.pop("top", tmp_path / "downloads")
    found, _ = find(top, "ps1", unpacked=tmp_path / "unpacked", **options)
    return {each.student: each for each in found}


def test_archives_are_taken_apart_and_nothing_else_happens(tmp_path):
    """No name in them is a path, no size is believed, and a neighbour's name opens nothing."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    inner = io.BytesIO()
    packed(inner, {"deep/ps1.ipynb": "inner"})
    packed(folder / "ada.zip", {"a/work.zip": inner.getvalue(), "a/notes.txt": "x" * 99})
    packed(
        folder / "ben.zip", {"../../evil.ipynb": "evil", "..\\..\\evil.txt": "", "/etc/evil.zip": "no zip"}
    )
    packed(
        folder / "cleo.zip", {"ada_1_2_ps1.ipynb": "not hers", "Ada_3_assignsubmission_file_/x.ipynb": "y"}
    )
    packed(folder / "dan.zip", {})
    (folder / "eve.zip").write_bytes(b"PK\x03\x04 and no more")
    (folder / "fay").mkdir()
    packed(folder / "fay" / "ps1.zip", {"ps1.ipynb": "fay"})
    found = unpacked(tmp_path)
    assert sorted(found) == ["ada", "ben", "cleo", "dan", "eve", "fay"]
    content = {name: [each.read(path) for path in each.paths] for name, each in found.items()}
    assert content == {
        "ada": [b"inner"],
        "ben": [b"evil"],
        "cleo": [b"not hers", b"y"],
        "dan": [],
        "eve": [],
        "fay": [b"fay"],
    }
    assert found["ada"].notes == ["ignored: a/notes.txt"]
    assert found["ben"].notes == ["ignored: evil.txt, evil.zip cannot be unpacked: File is not a zip file"]
    assert found["cleo"].fault == (
        "2 notebooks: cleo.zip/ada_1_2_ps1.ipynb, cleo.zip/Ada_3_assignsubmission_file_/x.ipynb; expected one"
    )
    assert found["dan"].fault == "no file in dan.zip"
    assert found["eve"].fault == "eve.zip cannot be unpacked: File is not a zip file"
    assert {each.name for each in tmp_path.iterdir()} == {"downloads", "unpacked"}
    assert {path.parent for each in found.values() for path in each.paths} == {tmp_path / "unpacked"}


def test_a_bomb_costs_its_own_row(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "BYTES", 1000)
    monkeypatch.setattr(downloads, "MEMBERS", 9)
    folder = tmp_path / "downloads"
    folder.mkdir()
    packed(folder / "ada.zip", {"ps1.ipynb": "0" * 100_000})
    packed(folder / "ben.zip", {f"{number}.txt": "" for number in range(10)})
    packed(folder / "cleo.zip", {"ps1.ipynb": "c"})
    found = unpacked(tmp_path)
    assert found["ada"].fault == "ps1.ipynb cannot be unpacked: more than 0 MB of ada.zip"
    assert found["ben"].fault == "ben.zip cannot be unpacked: 10 files in it; expected at most 9"
    assert found["cleo"].fault is None
    assert sum(path.stat().st_size for path in (tmp_path / "unpacked").iterdir()) < 1000


def test_an_archive_of_archives_of_archives_ends(tmp_path):
    data = b"no zip"
    for _ in range(5):
        buffer = io.BytesIO()
        packed(buffer, {"in.zip": data})
        data = buffer.getvalue()
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "ada.zip").write_bytes(data)
    assert unpacked(tmp_path)["ada"].fault == "not a notebook: in.zip/in.zip/in.zip; expected a file .ipynb"


def test_what_is_no_archive_is_said(tmp_path):
    (tmp_path / "all.zip").write_text("x")
    with pytest.raises(
        ValueError, match=r"all\.zip: expected a folder, or a zip archive, with the downloads"
    ):
        unpacked(tmp_path, top=tmp_path / "all.zip")


def test_names_in_archives_are_read_as_they_were_meant(tmp_path):
    """A program that says nothing of the letters mostly means UTF-8."""
    path = tmp_path / "all.zip"
    packed(path, {"Åsa.ipynb": "a"})
    data = path.read_bytes()
    # the flag that says UTF-8, in both places where it stands
    name = "Åsa.ipynb".encode()
    for at in (data.index(name) - 24, data.rindex(name) - 38):
        assert data[at + 1] & 0x08
        data = data[: at + 1] + bytes([data[at + 1] & ~0x08]) + data[at + 2 :]
    path.write_bytes(data)
    assert list(unpacked(tmp_path, top=path)) == ["Åsa"]


# --- due dates -------------------------------------------------------------------------------------


def test_rules_of_the_course(class_):
    class_.course.make()
    path = class_.course.folder / "course.toml"
    assert read_rules(class_.course, "small").late("ada", Result("ada", NOT_GRADED)).note is None
    path.write_text(
        """\
[small]
due = 2026-11-20T23:59:00
percent_per_day = 10
days = 5
grace_minutes = 15
attempts = "best"
[small.due_for]
"Ada  Lovelace" = 2026-11-27T23:59:00
[small.handed_in]
"ben" = 2026-11-21T00:10:00
"Ada Lovelace" = 2026-11-28T00:20:00
"cleo" = 2026-11-21T00:20:00
"dan" = 2026-11-26T00:20:00
""",
        encoding="utf-8",
    )
    rules = read_rules(class_.course, "small")
    assert rules.attempts == "best"
    late = {
        name: rules.late(name, Result(name, NOT_GRADED))
        for name in ("Ada Lovelace", "Ben", "cleo", "dan", "eve")
    }
    assert {name: (each.days, each.share) for name, each in late.items()} == {
        "Ada Lovelace": (1, 0.1),
        "Ben": (0, 0),
        "cleo": (1, 0.1),
        "dan": (6, 1),
        "eve": (0, 0),
    }
    assert late["cleo"].note == "1 day late: 10 % taken off"
    assert late["dan"].note == "6 days late; after 5 days nothing is accepted"
    assert late["eve"].note == "when it was handed in is not known"
    # what a platform marks, or does not
    marked = rules.late("x", Result("x", NOT_GRADED, late=True, handle="x_LATE_1_2"))
    assert marked.share == 0
    assert marked.note.startswith("late, by how much is not known: nothing is taken off")
    assert rules.late("x", Result("x", NOT_GRADED, handle="x_1_2")).note is None
    assert read_rules(class_.course, "ps2").due is None


def test_the_time_of_the_file_counts_if_the_course_says_so(class_):
    class_.hand_in("ada", **RIGHT)
    time = datetime(2026, 11, 21, 12, 0).timestamp()
    os.utime(class_.downloads / "ada.ipynb", (time, time))
    class_.grade()
    (result,) = class_.course.results("small").values()
    due = datetime(2026, 11, 20, 12, 0)
    assert Rules(due=due, percent_per_day=50, times="files").late("ada", result).share == 0.5
    assert Rules(due=due, percent_per_day=50).late("ada", result).share == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("due = 'soon'", r"\[small\] due is 'soon'; expected a time such as 2026-11-20T23:59:00"),
        ("dew = 1", r"\[small\] has dew; expected some of due, percent_per_day"),
        ("percent_per_day = 101", "percent_per_day is 101; expected a number from 0 to 100"),
        ("percent_per_day = nan", "percent_per_day is nan; expected a number from 0 to 100"),
        ("days = -1", "days is -1; expected a number of days from 0 on"),
        ("days = true", "days is True; expected a number of days from 0 on"),
        ("attempts = 'first'", 'attempts is \'first\'; expected "last" or "best"'),
        ("due_for = {Ada = 3}", "due_for is .*; expected names and times"),
        ("due = ", "course.toml: Invalid value"),
    ],
)
def test_rules_that_are_not_understood(class_, text, message):
    class_.course.make()
    (class_.course.folder / "course.toml").write_text(f"[small]\n{text}\n")
    with pytest.raises(ValueError, match=message):
        read_rules(class_.course, "small")


def test_feedback_says_what_lateness_costs(class_):
    from pgtgrade.feedback import feedback_html
    from pgtgrade.rules import Late

    class_.hand_in("ada", **RIGHT)
    class_.grade()
    class_.give("ada", 2)
    (result,) = class_.course.results("small").values()
    with gradebook(class_.course, class_.set) as book:
        score = book.scores()[key_of("ada")]
    text = feedback_html(class_.set, result, score, class_.course, Late(1, 0.5, "1 day late: 50 % taken off"))
    assert "<strong>3 of 6 points (1 day late: 50 % taken off)</strong>" in text


def test_a_mark_of_canvas_counts_as_many_days_as_the_rules_say():
    marked = Result("Ada", "graded", late=True, handle="ada_LATE_1_2")
    due = datetime(2026, 11, 20, 23, 59)
    asked = Rules(due=due, percent_per_day=10, late_mark_days=2)
    late = asked.late("Ada", marked)
    assert (late.days, late.share) == (2, 0.2)
    assert late.note == "the time is not known, taken for 2 days late: 20 % taken off"
    # who has a date of their own may be on time, and a time that is known counts more than the mark
    own = Rules(due=due, percent_per_day=10, late_mark_days=2, due_for=Names({"Ada": due}))
    assert (own.late("Ada", marked).share, own.late("Ben", marked).share) == (0, 0.2)
    known = Rules(due=due, percent_per_day=10, late_mark_days=2, handed_in=Names({"Ada": due}))
    assert known.late("Ada", marked).days == 0
    assert Rules(due=due, percent_per_day=10).late("Ada", marked).share == 0
    assert Rules(due=due, percent_per_day=10, late_mark_days=9, days=5).late("Ada", marked).share == 1
    assert Rules(due=due, percent_per_day=10, late_mark_days=0).late("Ada", marked).note is None
