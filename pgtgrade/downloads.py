"""Owns what was handed in as files: whose each is, in a folder or an archive of people or platforms.

Canvas names a file `lovelaceada_123_456_ps1.ipynb`, for the student, her number and the file's number, with
`LATE` after the name if it was; Moodle makes a folder `Ada Lovelace_123_assignsubmission_file_` of each.
Every file has its row, and no name in an archive is ever a path to be written.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from pgtgrade.names import folded, normal, text_of, told_apart
from pgtgrade.reading import LARGEST, read_notebook
from pgtgrade.roster import Roster

#: Of an archive: members, archives in archives, and bytes that are taken out for one name at the top.
MEMBERS, DEPTH, BYTES = 20_000, 3, 1 << 30

_LITTER = {"__MACOSX", ".DS_Store", ".ipynb_checkpoints", "Thumbs.db", "desktop.ini"}
_NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)
_PHOTO = re.compile(r"\.(png|jpe?g)$", re.IGNORECASE)
_MOODLE = re.compile(r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<rest>.*))?")
_CANVAS = re.compile(
    r"(?P<name>.+?)_(?:(?P<late>LATE)_)?(?P<number>\d+)_(?:(?P<file>\d+)_(?P<rest>.+)|(?P<text>(?:text|link)\.html))",
    re.IGNORECASE,
)


#: What an archive that is broken, encrypted or packed in another way raises.
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError)

#: Canvas, where it hides the names.
_HIDDEN = re.compile(
    r"(?:(?P<late>LATE)_)?(?P<name>anon_[A-Za-z0-9]+)(?P<number>(?!))?_(?P<file>\d+)_(?P<rest>.+)"
)


@dataclass
class Submission:
    """What a student handed in, or why it cannot be graded.

    Attributes
    ----------
    student : str
        As the roster, the file or the folder says.
    paths : list of path
        The notebooks, the last one handed in at the end.
    names : list of str
        What they are called in the downloads.
    fault : str or None
        Why it cannot be graded.
    notes : list of str
    late : bool
        Whether the platform marked it so.
    handle : str or None
        How the platform names what goes back to the student.
    photos : dict of str to path
        Pictures beside the notebook, by their names.
    """

    student: str
    paths: list = field(default_factory=list)
    names: list = field(default_factory=list)
    fault: str | None = None
    notes: list = field(default_factory=list)
    late: bool = False
    handle: str | None = None
    photos: dict = field(default_factory=dict)

    @property
    def time(self):
        """When the last of the notebooks was written, in seconds since 1970, None if nobody knows."""
        return (_time(self.paths[-1]) or None) if self.paths else None

    def read(self, path):
        """Return one of the notebooks without its outputs, or None and set `fault` if it is not to be had."""
        try:
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                self.fault = "a symbolic link; expected the file itself"
            elif not stat.S_ISREG(status.st_mode):
                self.fault = "not a file"
            else:
                data = read_notebook(path)
                if data is not None:
                    return data
                self.fault = (
                    f"{status.st_size / 1e6:.1f} MB, and without its outputs still more than the "
                    f"{LARGEST / 1e6:.0f} MB that are read"
                )
        except OSError as error:
            self.fault = f"cannot be read: {error.strerror}"
        return None


@dataclass(frozen=True)
class Entry:
    """A file: where it lies below the downloads, and where it can be read, or what is wrong with it."""

    parts: tuple
    path: Path | None = None
    fault: str | None = None


@dataclass
class _Pile:
    """What is one student's."""

    name: str
    number: str | None = None
    entries: list = field(default_factory=list)
    late: bool = False
    handle: str | None = None
    order: dict = field(default_factory=dict)


def find(downloads, set_name, *, unpacked=None, roster=None, attempts=None, leave_out=()):
    """Return the submissions, and what is none.

    Parameters
    ----------
    downloads : path
        A folder or an archive: `<student>.ipynb` files, `<student>/` folders and archives, or what Canvas or
        Moodle hands out.
    set_name : str
        Such as "ps1".
    unpacked : path, optional
        A folder of our own for what comes out of archives; without it they are not opened.
    roster : Roster, optional
    attempts : str, optional
        Which of several notebooks of a student counts, "last" or "best"; without it there should be one, but
        where the platform numbers them the last counts.
    leave_out : iterable of path
        Folders that hold no submissions.

    Returns
    -------
    list of Submission, list of str
    """
    roster, top = roster or Roster(), Path(downloads)
    leave_out = {Path(each).resolve() for each in leave_out}
    entries = _opened(list(_entries(top, leave_out, unpacked, {})))
    piles, ignored = {}, []
    for entry in entries:
        if len(entry.parts) == 1 and entry.parts[0].lower().endswith(".csv"):
            ignored.append(text_of(entry.parts[0]))
            continue
        _put(entry, piles, roster)
    called = [folded(each.name) for each in piles.values()]
    found = []
    for pile in piles.values():
        person = roster.find(pile.name, pile.number)
        name = person.name if person else pile.name
        if person is None and pile.number and called.count(folded(name)) > 1:
            name = f"{name} ({pile.number})"
        found.append(_submission(name, pile, attempts))
    _look_at_names(found, set_name)
    return sorted(found, key=lambda each: os.fsencode(each.student)), ignored


def _entries(top, leave_out, unpacked, left, before=()):
    """Yield every file below a folder, and what is in its archives."""
    if top.is_file():
        if not zipfile.is_zipfile(top):
            raise ValueError(f"{top}: expected a folder, or a zip archive, with the downloads")
        yield from _out_of(top, (), unpacked, left)
        return
    try:
        inside = sorted(top.iterdir(), key=lambda each: os.fsencode(each.name))
    except OSError as error:
        if not before:
            raise
        yield Entry(before, fault=f"the folder cannot be read: {error.strerror}")
        return
    kept = False
    for path in inside:
        parts = (*before, path.name)
        if _is_litter(path.name) or (
            path.name.startswith(".") and not before and not _NOTEBOOK.search(path.name)
        ):
            continue
        kept = True
        if path.is_symlink():
            yield Entry(parts, fault="a symbolic link; expected the file itself")
        elif not path.is_dir():
            if path.suffix.lower() == ".zip" and unpacked and path.is_file():
                yield from _out_of(path, parts, unpacked, left)
            else:
                yield Entry(parts, path)
        elif path.resolve() not in leave_out and not (path / "gradebook.db").exists():
            yield from _entries(path, leave_out, unpacked, left, parts)
    if before and not kept:
        yield Entry(before, fault="no notebook in the folder")


def _out_of(path, before, unpacked, left, depth=1):
    """Yield what is in an archive. What we need of it is written, under names of our own."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if len(members) > MEMBERS:
                raise ValueError(f"{len(members)} files in it; expected at most {MEMBERS}")
            nothing = True
            for member in members:
                inner = re.split(r"[/\\]", _name_of(member))
                inner = [each for each in inner if each not in ("", ".", "..")]
                parts = (*before, *inner)
                if not inner or any(map(_is_litter, inner)):
                    continue
                nothing = False
                is_archive = inner[-1].lower().endswith(".zip")
                if not (is_archive or _NOTEBOOK.search(inner[-1]) or _PHOTO.search(inner[-1])):
                    yield Entry(parts)
                    continue
                left.setdefault(parts[0], BYTES)
                try:
                    target = _write_out(archive, member, unpacked, parts[0], left)
                except _BROKEN as error:
                    yield Entry(parts, fault=f"{inner[-1]} {_cannot(error)}")
                    continue
                if is_archive and depth < DEPTH:
                    yield from _out_of(target, parts, unpacked, left, depth + 1)
                else:
                    yield Entry(parts, None if is_archive else target)
            if nothing and before:
                yield Entry(before, fault=f"no file in {text_of(before[-1])}")
    except _BROKEN as error:
        if not before:
            raise ValueError(f"{path} {_cannot(error)}") from None
        yield Entry(before, fault=f"{text_of(before[-1])} {_cannot(error)}")


def _cannot(error):
    return f"cannot be unpacked: {' '.join(str(error).split())[:80]}"


def _name_of(member):
    """Return the name of a member; who writes no Unicode flag mostly means UTF-8 all the same."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.orig_filename.encode("cp437").decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return member.filename


def _write_out(archive, member, folder, whose, left):
    """Write a member and return where it is; what its header says of its size is not trusted."""
    handle, target = tempfile.mkstemp(dir=folder, suffix=PurePosixPath(member.filename).suffix[:8])
    with open(handle, "wb") as file, archive.open(member) as source:
        while chunk := source.read(1 << 20):
            left[whose] -= len(chunk)
            if left[whose] < 0:
                file.truncate(0)
                raise ValueError(f"more than {BYTES >> 20} MB of {whose}")
            file.write(chunk)
    written = datetime(*member.date_time).timestamp() if member.date_time > (1980, 1, 1, 0, 0, 0) else 0
    os.utime(target, (written, written))
    return Path(target)


def _opened(entries):
    """Return the entries without the one folder or archive that holds the whole class, if there is one."""
    inside = [each for each in entries if not each.parts[0].lower().endswith(".csv")]
    tops = {each.parts[0] for each in inside}
    if (
        len(tops) == 1
        and not _platform(*tops)
        and all(len(each.parts) > 1 and _platform(each.parts[1]) for each in inside)
    ):
        return [Entry(each.parts[1:], each.path, each.fault) if each in inside else each for each in entries]
    return entries


def _platform(name):
    """Return what a name of a platform's says, None for a name of another kind."""
    forms = (_MOODLE, _HIDDEN, _CANVAS)
    return next(filter(None, (form.fullmatch(name) for form in forms)), None)


def _put(entry, piles, roster):
    """Put a file with what is the same student's: one person, one number, one folder, or one name."""
    first, match = entry.parts[0], _platform(entry.parts[0])
    if match:
        known, name, number = match.groupdict(), match["name"], match["number"]
    else:
        known, number = {}, None
        is_file = len(entry.parts) == 1 and (entry.path or _NOTEBOOK.search(first))
        name = _stem(first) if is_file else first
        name = name[: -len(".zip")] if name.lower().endswith(".zip") else name
    person = roster.find(name, number)
    key = person.name if person else (normal(name), number)
    pile = piles.setdefault(key, _Pile(normal(name) or "no name", number))
    pile.entries.append(entry)
    pile.late |= bool(known.get("late"))
    if match and not known.get("text"):
        file = known.get("file")
        handle = (
            first[: match.end("file")] if file else first[: match.end("number")] + "_assignsubmission_file_"
        )
        # what goes back is attached to the file that was handed in last
        if pile.handle is None or int(file or 0) >= pile.order.get("handle", 0):
            pile.handle, pile.order["handle"] = handle, int(file or 0)
    pile.order[entry] = int(known.get("file") or 0)


def _stem(name):
    return _NOTEBOOK.sub("", name) if _NOTEBOOK.search(name) else PurePosixPath(name).stem or name


def _submission(name, pile, attempts):
    """Return what one student handed in."""
    submission = Submission(name, late=pile.late, handle=pile.handle)
    notebooks = [each for each in pile.entries if each.path and _NOTEBOOK.search(each.parts[-1])]
    others = [each for each in pile.entries if each not in notebooks and each.fault is None]
    faults = [each.fault for each in pile.entries if each.fault]
    submission.photos = {
        each.parts[-1]: each.path for each in others if each.path and _PHOTO.search(each.parts[-1])
    }
    odd = [text_of(each.parts[-1]) for each in notebooks if not each.parts[-1].lower().endswith(".ipynb")]
    shown = told_apart(["/".join(each.parts) for each in notebooks])
    if notebooks:
        rest = [*_in_words(others), *faults]
        submission.notes += [f"ignored: {_some(rest)}"] if rest else []
        submission.notes += [f"taken for a notebook: {_some(odd)}"] if odd else []
    elif faults:
        submission.fault = "; ".join(faults)
    elif others:
        submission.fault = f"not a notebook: {_some(_in_words(others))}; expected a file .ipynb"
    if pile.late:
        submission.notes.append("marked late by the learning platform")
    numbers = [pile.order[each] for each in notebooks]
    are_in_order = all(numbers) and len(set(numbers)) == len(numbers)
    turns = sorted(notebooks, key=lambda each: (pile.order[each], _time(each.path)))
    submission.paths = [each.path for each in turns]
    submission.names = [shown[notebooks.index(each)] for each in turns]
    if len(notebooks) > 1 and attempts is None and not are_in_order:
        submission.fault = f"{len(notebooks)} notebooks: {_some(shown)}; expected one"
    return submission


def _in_words(entries):
    return [text_of("/".join(each.parts[1:]) or each.parts[0]) for each in entries]


def _time(path):
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _look_at_names(submissions, set_name):
    alike = {}
    for each in submissions:
        alike.setdefault(folded(each.student), []).append(each)
        if each.student.split(" ")[0].split("(")[0].casefold() == set_name.casefold():
            each.notes.append("named after the set, not after a student")
    for group in alike.values():
        for each in group if len(group) > 1 else ():
            others = ", ".join(repr(other.student) for other in group if other is not each)
            each.notes.append(f"another name differs in case only: {others}")


def _is_litter(name):
    """Say whether a file or folder is what systems leave behind and nobody wrote."""
    return name in _LITTER or name.startswith("._")


def _some(names):
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
