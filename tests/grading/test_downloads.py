"""Whose each file is: in a folder or an archive, as people and learning platforms make them."""

import io
import json
import os
import zipfile

import pytest

from pgtgrade import downloads, reading
from pgtgrade.downloads import find
from pgtgrade.roster import read_roster


def given(found):
    """Return what was handed in, by student."""
    return {each.student: [each.read(path) for path in each.paths] for each in found}


# --- the folder ------------------------------------------------------------------------------------


def test_files_and_folders_of_any_name(tmp_path):
    (tmp_path / "ada.ipynb").write_text("a")
    (tmp_path / "BEN.IPYNB").write_text("b")
    for folder, file in [("cleo", "ps1 (1).ipynb"), ("dan/deep/down", "whatever.ipynb")]:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / file).write_text(folder)
    found, ignored = find(tmp_path, "ps1")
    assert given(found) == {"ada": [b"a"], "BEN": [b"b"], "cleo": [b"cleo"], "dan": [b"dan/deep/down"]}
    assert not any(each.notes or each.fault for each in found)
    assert ignored == []


def test_every_file_has_its_row(tmp_path):
    """C12: a file that is no notebook is a submission all the same, and one with a further ending is one."""
    for file in ("readme.txt", "cleo.pdf", "dan.zip", "grades.csv", ".DS_Store"):
        (tmp_path / file).write_text("x")
    for file in ("ada.ipynb.txt", "eve.ipynb", "eve.pdf"):
        (tmp_path / file).write_text("n")
    (tmp_path / "ben" / ".ipynb_checkpoints").mkdir(parents=True)
    for file in ("ps1.ipynb", ".ipynb_checkpoints/ps1-checkpoint.ipynb", "._ps1.ipynb", "scan.pdf"):
        (tmp_path / "ben" / file).write_text("b")
    (tmp_path / "__MACOSX" / "ben").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "ben" / "ps1.ipynb").write_text("")
    (tmp_path / "unpacked").mkdir()
    found, ignored = find(tmp_path, "ps1", unpacked=tmp_path / "unpacked", leave_out=[tmp_path / "unpacked"])
    assert given(found) == {"ada": [b"n"], "ben": [b"b"], "cleo": [], "dan": [], "eve": [b"n"], "readme": []}
    assert {each.student: each.fault for each in found if each.fault} == {
        "cleo": "not a notebook: cleo.pdf; expected a file .ipynb",
        "dan": "dan.zip cannot be unpacked: File is not a zip file",
        "readme": "not a notebook: readme.txt; expected a file .ipynb",
    }
    assert {each.student: each.notes for each in found if each.notes} == {
        "ada": ["taken for a notebook: ada.ipynb.txt"],
        "ben": ["ignored: scan.pdf"],
        "eve": ["ignored: eve.pdf"],
    }
    assert ignored == ["grades.csv"]


def test_two_notebooks_and_none(tmp_path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ben").mkdir()
    for file in ("ada/ps1.ipynb", "ada/ps1 (1).ipynb", "cleo.ipynb"):
        (tmp_path / file).write_text("")
    (tmp_path / "cleo").mkdir()
    (tmp_path / "cleo" / "ps1.ipynb").write_text("")
    found, _ = find(tmp_path, "ps1")
    assert {each.student: each.fault for each in found} == {
        "ada": "2 notebooks: ada/ps1 (1).ipynb, ada/ps1.ipynb; expected one",
        "ben": "no notebook in the folder",
        "cleo": "2 notebooks: cleo/ps1.ipynb, cleo.ipynb; expected one",
    }


def test_odd_names_are_kept_as_they_are(tmp_path):
    odd = ["a b", 'O\'Neil "Q"', "=1+1", "-rf", "Åsa", "李", "..", "n" * 200, "ps1 (1)"]
    for each in odd:
        (tmp_path / f"{each}.ipynb").write_text(each)
    found, _ = find(tmp_path, "ps1")
    assert {each.student for each in found} == set(odd)
    noted = {each.student: each.notes for each in found if each.notes}
    assert noted == {"ps1 (1)": ["named after the set, not after a student"]}


def test_one_name_in_two_forms_of_unicode_is_one_student(tmp_path):
    (tmp_path / "e\N{COMBINING ACUTE ACCENT}.ipynb").write_text("")
    (tmp_path / "\N{LATIN SMALL LETTER E WITH ACUTE}.ipynb").write_text("")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system does not tell the two forms apart")
    (found,), _ = find(tmp_path, "ps1")
    assert found.student == "\N{LATIN SMALL LETTER E WITH ACUTE}"
    # both look the same: it is said what they are made of
    assert found.fault == r"2 notebooks: 'e\u0301.ipynb', '\xe9.ipynb'; expected one"


def test_spaces_make_no_other_student(tmp_path):
    """G1: a space before the dot, in front, two in the middle, one that does not break."""
    for each in (
        "Ada Lovelace ",
        " Ben",
        "Cleo  \N{NO-BREAK SPACE}Q",
        "Dan\N{ZERO WIDTH SPACE}",
        "tab\tand\nline",
    ):
        (tmp_path / f"{each}.ipynb").write_text(each)
    found, _ = find(tmp_path, "ps1")
    assert {each.student for each in found} == {"Ada Lovelace", "Ben", "Cleo Q", "Dan", "tab and line"}
    (tmp_path / "Ada Lovelace.ipynb").write_text("")
    found, _ = find(tmp_path, "ps1")
    assert len(found) == 5
    assert found[0].fault == "2 notebooks: Ada Lovelace .ipynb, Ada Lovelace.ipynb; expected one"


def test_names_that_differ_in_case_only_are_two_students(tmp_path):
    for each in ("Ada", "ada"):
        (tmp_path / f"{each}.ipynb").write_text(each)
    found, _ = find(tmp_path, "ps1")
    if len(found) == 1:
        pytest.skip("this file system does not tell capitals from small letters")
    assert [each.notes for each in found] == [
        ["another name differs in case only: 'ada'"],
        ["another name differs in case only: 'Ada'"],
    ]


def test_a_name_that_is_no_text(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.ipynb")).write_text("x")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    (found,), _ = find(tmp_path, "ps1")
    assert found.student == "caf\N{REPLACEMENT CHARACTER}"
    assert given([found]) == {"caf\N{REPLACEMENT CHARACTER}": [b"x"]}


def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "ps1.ipynb").write_text("secret")
    downloads = tmp_path / "downloads"
    (downloads / "cleo").mkdir(parents=True)
    (downloads / "ada.ipynb").symlink_to(tmp_path / "secret" / "ps1.ipynb")
    (downloads / "ben").symlink_to(tmp_path / "secret")
    (downloads / "cleo" / "ps1.ipynb").symlink_to(tmp_path / "secret" / "ps1.ipynb")
    (downloads / "dan.ipynb").symlink_to("dan.ipynb")
    found, _ = find(downloads, "ps1")
    assert [each.student for each in found] == ["ada", "ben", "cleo", "dan"]
    assert list(given(found).values()) == [[]] * 4
    assert {each.fault for each in found} == {"a symbolic link; expected the file itself"}


def test_what_cannot_be_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "ada.ipynb")
    (tmp_path / "ben.ipynb").write_text("x" * 100)
    (tmp_path / "cleo.ipynb").write_text("x")
    (ada, ben, cleo), _ = find(tmp_path, "ps1")
    (tmp_path / "cleo.ipynb").unlink()
    monkeypatch.setattr(reading, "LARGEST", 99)
    monkeypatch.setattr(downloads, "LARGEST", 99)
    assert list(given([ada, ben, cleo]).values()) == [[None]] * 3
    assert ada.fault == "not a file"
    assert ben.fault == "0.0 MB, and without its outputs still more than the 0 MB that are read"
    assert cleo.fault == "cannot be read: No such file or directory"


def test_a_folder_that_cannot_be_read_is_not_one_without_a_notebook(tmp_path, monkeypatch):
    (tmp_path / "ada").mkdir()
    whole = downloads.Path.iterdir

    def iterdir(path):
        if path.name == "ada":
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(downloads.Path, "iterdir", iterdir)
    ((ada,), _) = find(tmp_path, "ps1")
    assert ada.fault == "the folder cannot be read: Permission denied"


def test_the_course_in_the_downloads_is_no_submission(tmp_path):
    """A13: `grade ps1 .` twice."""
    (tmp_path / "ada.ipynb").write_text("")
    for folder in ("course", "other"):
        (tmp_path / folder / "autograded").mkdir(parents=True)
        (tmp_path / folder / "autograded" / "ps1.ipynb").write_text("")
    (tmp_path / "other" / "gradebook.db").write_text("")
    found, _ = find(tmp_path, "ps1", leave_out=[tmp_path / "course"])
    assert [each.student for each in found] == ["ada"]
