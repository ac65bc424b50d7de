"""Whose each file is: in a folder or an archive, as people and learning platforms make them."""

import io
import json
import os

import pytest

from pgtgrade import downloads, reading
from pgtgrade.downloads import find


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
        "Eve\x01Q",
    ):
        (tmp_path / f"{each}.ipynb").write_text(each)
    found, _ = find(tmp_path, "ps1")
    assert {each.student for each in found} == {
        *("Ada Lovelace", "Ben", "Cleo Q", "Dan", "tab and line", "Eve Q")
    }
    (tmp_path / "Ada Lovelace.ipynb").write_text("")
    found, _ = find(tmp_path, "ps1")
    assert len(found) == 6
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


# --- large notebooks -------------------------------------------------------------------------------


def heavy(text):
    """Return a notebook with large outputs of every form, and what is kept of it."""
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": [text, 'a "quoted" \\\\ {[ line\\n'] * 3},
        {"output_type": "display_data", "data": {"image/png": text, "outputs": [1, {"a": "]"}]}},
    ]
    code = {"cell_type": "code", "metadata": {"outputs": 3}, "outputs": outputs, "source": 'x = "outputs": ['}
    plain = {"cell_type": "markdown", "source": ["outputs", "\\", '"'], "attachments": {"a": {"outputs": []}}}
    notebook = {"metadata": {"widgets": {"state": text}}, "cells": [code, plain, code], "nbformat": 4}
    kept = {**notebook, "metadata": {"widgets": {}}, "cells": [code | {"outputs": []}, plain] * 2}
    return notebook, {**kept, "cells": kept["cells"][:3]}


def test_outputs_are_passed_over_while_a_file_is_read(tmp_path, monkeypatch):
    """G12: a right notebook with 50 MB of output was thrown away, though its outputs are never used."""
    notebook, kept = heavy("\N{GREEK SMALL LETTER PI}x" * 200_000)
    for indent in (None, 1):
        path = tmp_path / "ada.ipynb"
        path.write_text(json.dumps(notebook, indent=indent, ensure_ascii=False), encoding="utf-8")
        assert path.stat().st_size > 3 << 20
        data = reading.read_notebook(path, 10_000)
        assert json.loads(data) == kept
        assert reading.read_notebook(path) == path.read_bytes()
    assert reading.read_notebook(path, 400) is None
    monkeypatch.setattr(reading, "LOOKED_AT", 2 << 20)
    assert reading.read_notebook(path, 10_000) is None


def test_wherever_the_pieces_end_the_same_is_kept(tmp_path):
    notebook, kept = heavy("ab")
    text = json.dumps(notebook).encode()

    class Pieces(io.BytesIO):
        size = 1

        def read(self, most=-1):
            return super().read(self.size)

    for size in (1, 2, 3, 5, 7, 64):
        pieces = Pieces(text)
        pieces.size = size
        assert json.loads(reading._stripped(pieces, 10_000)) == kept
    # what is no notebook goes through as it is
    for text in (b"", b"{", b'"a', b"]]}}{", b'{"cells": [{"outputs": [1', b"\\", b"\xff\xfe\x00"):
        assert reading._stripped(io.BytesIO(text), 10_000) == text.replace(b"[1", b"[]")
