"""Owns what a student handed in: putting its cells in order before they are run.

Nothing here trusts a submission, and none can end a batch: what is wrong with it is a sentence in its row.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from dataclasses import dataclass, field

from pgtgrade import pictures
from pgtgrade.problem_sets import grade_id, kind, source
from pgtgrade.release import installs

#: Cells of a set that others have too: they do not tell which set a notebook is.
COMMON = {"intro", "setup"}
#: Bytes of a photo beside the notebook that is shown.
PHOTO = 8 << 20


@dataclass
class Prepared:
    """The cells of a submission as they are run.

    Attributes
    ----------
    cells : list of dict
        Notebook format 4; the cells of the set carry its metadata.
    answers : dict of str to (str or None)
        What the student wrote, by the name of the question; None where the cell is missing.
    released : set of str
        The questions whose answer is as it was released.
    own_text : bool
        Whether there is text in cells of the student's own.
    fault : str or None
        Why it cannot be graded.
    notes : list of str
    """

    cells: list = field(default_factory=list)
    answers: dict = field(default_factory=dict)
    released: set = field(default_factory=set)
    own_text: bool = False
    fault: str | None = None
    notes: list = field(default_factory=list)


# --- the notebook ----------------------------------------------------------------------------------


def prepare(data, problem_set, photos=None):
    """Return the cells of a submission, the locked ones as they were released; a fault is told, not raised.

    Parameters
    ----------
    data : bytes
        The file.
    problem_set : ProblemSet
    photos : dict of str to path, optional
        Pictures that lie beside the notebook, by their names.

    Returns
    -------
    Prepared
    """
    prepared = Prepared()
    try:
        notebook = _notebook(data)
        about = notebook["metadata"].get("pgtgrade")
        named = about.get("set") if isinstance(about, dict) else None
        own = problem_set.notebook["metadata"].get("pgtgrade", {}).get("set", problem_set.name)
        if isinstance(named, str) and named != own:
            raise _FaultError(f"another set: {_short(named)}; expected {own}")
        cells = _plain_cells(notebook["cells"], prepared.notes, photos or {})
        placed = _recognised(cells, problem_set, prepared.notes)
        if not set(placed) - COMMON:
            raise _FaultError("another notebook: no cell of this set is in it")
    except _FaultError as fault:
        prepared.fault = str(fault)
        return prepared
    _look_at_answers(prepared, cells, placed, problem_set)
    prepared.cells = _in_order(prepared, cells, placed, problem_set)
    return prepared


class _FaultError(Exception):
    """Why a submission cannot be graded."""


def _notebook(data):
    if not data.strip():
        raise _FaultError("an empty file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        reason = _WORD_PROCESSOR if _CURLY.search(data.decode("cp1252", "replace")) else "no text in UTF-8"
        raise _FaultError(f"not a notebook: {reason}") from None
    try:
        notebook = json.loads(text)
    except json.JSONDecodeError as error:
        if text[error.pos :].lstrip()[:1] in _QUOTES:
            raise _FaultError(f"not a notebook: {_WORD_PROCESSOR}") from None
        cut = text.lstrip().startswith("{") and error.pos >= len(text.rstrip()) - 1
        reason = "it ends in the middle" if cut or error.msg.startswith("Unterminated") else error.msg
        raise _FaultError(
            f"not a notebook: {reason} (line {error.lineno}); it begins with {_short(text.lstrip()[:16])!r}"
        ) from None
    except (RecursionError, ValueError) as error:
        raise _FaultError(f"not a notebook: {type(error).__name__}") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("nbformat"), int):
        raise _FaultError("not a notebook: JSON of another kind")
    if notebook["nbformat"] != 4:
        raise _FaultError(
            f"notebook format {notebook['nbformat']}; expected 4: open and save it in a newer Jupyter"
        )
    if not isinstance(notebook.get("cells"), list):
        raise _FaultError("not a notebook: it has no list of cells")
    if not isinstance(notebook.get("metadata"), dict):
        notebook["metadata"] = {}
    return notebook


#: Quotation marks that a word processor puts in the place of straight ones, and where a file begins with one.
_QUOTES = tuple("\u201c\u201d\u201e\xab\xbb")
_CURLY = re.compile(rf"\s*\{{\s*[{''.join(_QUOTES)}]")
_WORD_PROCESSOR = "typographic quotes: it was opened in a word processor; ask for the file again"


def _short(text):
    return "".join(each if each.isprintable() else " " for each in str(text)[:40])


def _plain_cells(cells, notes, photos):
    """Return what is used of each cell: type, id, text, pictures, and the name that it claims."""
    plain, lost = [], []
    for index, cell in enumerate(cells):
        text = cell.get("source") if isinstance(cell, dict) else None
        if isinstance(text, list) and all(isinstance(each, str) for each in text):
            text = "".join(text)
        kinds = ("code", "markdown", "raw")
        if not isinstance(text, str) or cell.get("cell_type") not in kinds:
            notes.append(f"cell {index} of the file cannot be read and was left out")
            continue
        meta = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
        meta = meta["nbgrader"] if isinstance(meta.get("nbgrader"), dict) else {}
        # no half of a surrogate pair: it could not be written to a file
        text = text.replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")
        attached, others = pictures.bundles(cell.get("attachments"))
        if cell["cell_type"] != "code":
            attached |= pictures.beside(text, photos, PHOTO)
            lost += others + [each for each in pictures.settled(text, attached)[2] if each not in others]
        plain.append(
            {
                "cell_type": cell["cell_type"],
                "id": _id_of(cell),
                "source": text,
                "attachments": attached,
                "claims": meta,
            }
        )
    if lost:
        lost = [each.removeprefix("attachment:") for each in lost]
        notes.append(f"pictures that are not in the notebook, or that no page can show: {_some(lost)}")
    return plain


def _id_of(cell):
    """Return the id of a cell; Colab keeps it among the metadata."""
    meta = cell.get("metadata")
    named = (cell.get("id"), meta.get("id") if isinstance(meta, dict) else None)
    return next((each for each in named if isinstance(each, str)), None)


def _recognised(cells, problem_set, notes):
    """Return the index of each cell of the set that is there, by its grade_id."""
    names = problem_set.cells
    by_id = {cell.get("id"): name for name, cell in names.items() if cell.get("id")}
    claimed, stripped = {}, []
    for index, cell in enumerate(cells):
        name = cell["claims"].get("grade_id")
        if not isinstance(name, str) or name not in names:
            name = by_id.get(cell["id"]) if cell["id"] else None
            stripped += [name] if name else []
        if name:
            claimed.setdefault(name, []).append(index)
    taken = {index for indices in claimed.values() for index in indices}
    for name, functions in problem_set.functions.items():
        # the last definition is the one that counts when the notebook runs
        defining = [
            index
            for index, cell in enumerate(cells)
            if index not in taken and cell["cell_type"] == "code" and functions & _defined(cell["source"])
        ]
        if name not in claimed and defining:
            claimed[name] = defining[-1:]
            stripped.append(name)
    taken = {index for indices in claimed.values() for index in indices}
    texts = {_one_line(cell["source"]): index for index, cell in enumerate(cells) if index not in taken}
    for name, cell in names.items():
        # What is locked is known by its text too: some notebooks keep neither metadata nor ids.
        text = _one_line(source(cell))
        if name not in claimed and text and text in texts:
            claimed[name] = [texts.pop(text)]
            stripped.append(name)
    # Where a question was known by its text alone, the derivation is the text below it.
    taken = {index for indices in claimed.values() for index in indices}
    for above, name in itertools.pairwise(names):
        cell = names[name]
        if name in claimed or above not in stripped or cell["cell_type"] != "markdown":
            continue
        index = claimed[above][-1] + 1
        if index < len(cells) and index not in taken and cells[index]["cell_type"] == "markdown":
            claimed[name] = [index]
            stripped.append(name)
    if stripped:
        notes.append(f"metadata missing, recognised all the same: {_some(stripped)}")
    placed = {}
    for name, indices in claimed.items():
        released_id = names[name].get("id")
        placed[name] = next((index for index in indices if cells[index]["id"] == released_id), indices[0])
        if len(indices) > 1:
            notes.append(f"{name} is there {len(indices)} times; the others were kept as plain cells")
    return placed


def _one_line(text):
    """Return a text with each run of white space as one space."""
    return " ".join(text.split())


def _defined(text):
    """Return the names that follow `def` at the start of a line."""
    heads = (line[4:].split("(")[0].strip() for line in text.splitlines() if line.startswith("def "))
    return set(heads)


def _some(names):
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _look_at_answers(prepared, cells, placed, problem_set):
    """Fill in what the student wrote, and note what was changed that should not be."""
    edited, points, missing = [], False, []
    for name, cell in problem_set.cells.items():
        if name not in placed:
            missing.append(name)
            continue
        theirs = cells[placed[name]]
        locked = not kind(cell).get("solution")
        if locked and theirs["source"].rstrip() != cell["source"].rstrip():
            edited.append(name)
        if theirs["cell_type"] != cell["cell_type"]:
            prepared.notes.append(f"{name} was a {theirs['cell_type']} cell; taken as {cell['cell_type']}")
        claims = theirs["claims"]
        points |= any(key in claims and claims[key] != kind(cell).get(key) for key in ("points", "grade"))
    if edited:
        prepared.notes.append(f"edited, and put back as released: {_some(edited)}")
    if points:
        prepared.notes.append("points or grading metadata were edited; those of the source count")
    locked = [name for name in missing if not kind(problem_set.cells[name]).get("solution")]
    # Of an empty cell that lost its metadata nobody can say whether it is there.
    if deleted := [name for name in locked if source(problem_set.cells[name]).strip()]:
        prepared.notes.append(f"deleted, and put back: {_some(deleted)}")
    for name in missing:
        if name not in locked:
            prepared.notes.append(f"the answer cell {name} is missing")
    own = [cell for index, cell in enumerate(cells) if index not in placed.values()]
    own = [cell for cell in own if not installs(cell["source"])]
    prepared.own_text = any(cell["cell_type"] != "code" and cell["source"].strip() for cell in own)
    for question in problem_set.questions:
        if question.answer not in placed:
            prepared.answers[question.name] = None
            continue
        text = cells[placed[question.answer]]["source"]
        prepared.answers[question.name] = text
        if text.strip() == problem_set.cells[question.answer]["source"].strip():
            prepared.released.add(question.name)
    if len(prepared.released) == len(problem_set.questions) and not any(
        cell["source"].strip() for cell in own
    ):
        prepared.notes.append("as released: nothing was filled in")


def _in_order(prepared, cells, placed, problem_set):
    """Return the student's cells, those of the set with its metadata, and deleted locked ones in place."""
    names = {index: name for name, index in placed.items()}
    order = list(problem_set.cells)
    ordered = []
    for index, cell in enumerate(cells):
        if index in names:
            ordered.append(_cell_of_set(names[index], cell["source"], cell["attachments"], problem_set))
            added = _added_imports(cell["source"], problem_set.cells[names[index]])
            if added:
                ordered.append(_cell("code", added, {}))
        else:
            ordered.append(_cell(cell["cell_type"], cell["source"], cell["attachments"]))
    for position, name in enumerate(order):
        if name in placed or kind(problem_set.cells[name]).get("solution"):
            continue
        there = [grade_id(cell) for cell in ordered]
        before = [each for each in order[:position] if each in there]
        at = there.index(before[-1]) + 1 if before else 0
        ordered.insert(at, _cell_of_set(name, None, {}, problem_set))
    for index, cell in enumerate(ordered):
        cell["id"] = grade_id(cell) or f"own-{index}"
    return ordered


def _added_imports(text, released):
    """Return the imports that a student has added to a locked cell, which run after it."""
    if released["cell_type"] != "code" or kind(released).get("solution"):
        return ""
    known = {line.strip() for line in source(released).splitlines()}
    lines = (line.strip() for line in text.splitlines() if not line[:1].isspace())
    return "\n".join(line for line in lines if _IMPORT.fullmatch(line) and line not in known)


#: A line that imports and does nothing else.
_IMPORT = re.compile(r"(import [\w.]+( as \w+)?(, [\w.]+( as \w+)?)*|from [\w.]+ import [\w, ]+)( *#.*)?")


def _cell_of_set(name, text, attachments, problem_set):
    cell = problem_set.cells[name]
    solution = kind(cell).get("solution")
    text = text if solution else source(cell)
    attachments = attachments if solution else cell.get("attachments", {})
    return _cell(cell["cell_type"], text, attachments, copy.deepcopy(cell["metadata"]))


def _cell(cell_type, text, attachments, metadata=None):
    cell = {"cell_type": cell_type, "metadata": metadata or {}, "source": text}
    if cell_type == "code":
        cell |= {"outputs": [], "execution_count": None}
    elif attachments:
        cell["attachments"] = attachments
    return cell
