"""Owns the made-up class: who takes the course, and what each of them handed in, as Canvas packs it."""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
from dataclasses import dataclass

from pgtgrade.demo.answers import DERIVATIONS, ODD, RENAMED, RIGHT, SLIPS, TOGETHER
from pgtgrade.problem_sets import grade_id, kind, source


@dataclass(frozen=True)
class Person:
    """Somebody who takes the made-up course.

    Attributes
    ----------
    name : str
        As Canvas writes it.
    wrong : tuple of str
        What went wrong, by the names in `SLIPS` and `ODD`.
    derivation : str
        By the names in `DERIVATIONS`; "" for none.
    how : str
        How it was handed in, if it was in an odd way.
    """

    name: str
    wrong: tuple = ()
    derivation: str = "good"
    how: str = ""


#: The class. Nobody of these is anybody.
CLASS = (
    Person("Adeyemi, Folasade"),
    Person("Åberg, Östen", ("normalised",), "unrolled"),
    Person("Bakker, Jan-Willem van der", ("late",), "good", "late"),
    Person("Čapek, Jiří", ("one takes all", "half"), "no reason"),
    Person("Castillo Núñez, María José", (), "unrolled", "again"),
    Person("D'Angelo, Rosa", ("swapped",), "good", "odd name"),
    Person("Eriksen, Bjørn", ("a loop",), "unrolled"),
    Person("Fofanah, Ibrahim", ("not transposed", "by start", "one factor"), "no reason"),
    Person("Grigoryan, Anahit", ("an exception",), "good"),
    Person("Haddad, Layla", (), "macros"),
    Person("Ito, Haruka", ("loose ties",), "good", "stripped"),
    Person("Jóhannsdóttir, Sigríður", ("undiscounted", "too bold"), "old visits"),
    Person("Kowalski, Zoë", ("normalised, too", "a step too many"), "unrolled"),
    Person("Lee, Sam", ("late", "one factor, too"), "no reason"),
    Person("Lee, Sam", (), "good", "zip"),
    Person("Łukasiewicz, Ewa", (), "", "pasted"),
    Person("MacNeil, Fionn", ("no discount", "a name that is not there", "swapped"), ""),
    Person("Nguyễn, Thị Hà", ("entrywise",), "good", "excused"),
    Person("O'Brien, Caoimhe", ("late",), "no reason", "together"),
    Person("Pereira, Tomás", ("late",), "unrolled", "together, renamed"),
    Person("Quispe, Luz", (), "", "blank"),
    Person("Rahman, Md. Arif", ("prints", "normalised"), "good", "late, nobody knows how much"),
    Person("Šimić, Dražen", ("total", "no tosses"), "unrolled"),
    Person("Tamm, Kärt", ("a syntax error",), "good", "text"),
    Person("Usman, Ngozi", ("no discount",), "unrolled", "photo"),
    Person("Vargas, =SUM(A1)", ("by start",), "no reason"),
    Person("Wójcik, Hanna", (), "", "pdf"),
    Person("Xu, 明", ("one factor",), "good"),
    Person("Yılmaz, Deniz", (), "", "nothing"),
    Person("Zhou, Li", (), "", "nothing"),
)

#: The numbers that Canvas gives to the first of them, to the first file, and to the assignment.
FIRST, FILE, ASSIGNMENT = 40100, 991000, 5512


def roster(problem_set):
    """Return the table that Canvas exports from its gradebook."""
    title = f"{problem_set.title} ({ASSIGNMENT})"
    lines = [
        f"Student,ID,SIS User ID,SIS Login ID,Section,{title}",
        f"    Points Possible,,,,,{problem_set.points:g}",
    ]
    for number, person in enumerate(CLASS):
        lines.append(f'"{person.name}",{FIRST + number},S{1000 + number},s{1000 + number},Tuesday,')
    lines.append('"Student, Test",49999,,t,Tuesday,')
    return "\n".join(lines) + "\n"


def rules(problem_set):
    """Return the file of the course's rules."""
    due_for = {"Nguyễn, Thị Hà": "2026-11-27T23:59:00"}
    handed_in = {"Bakker, Jan-Willem van der": "2026-11-22T09:30:00", "Nguyễn, Thị Hà": "2026-11-24T20:00:00"}
    here = {person.name for person in CLASS}
    lines = [f"[{problem_set.name}]", "due = 2026-11-20T23:59:00", "grace_minutes = 15"]
    lines += ["percent_per_day = 10", "days = 5"]
    for table, times in (("due_for", due_for), ("handed_in", handed_in)):
        lines += ["", f"[{problem_set.name}.{table}]"]
        lines += [f'"{name}" = {time}' for name, time in times.items() if name in here]
    return "\n".join(lines) + "\n"


def write_downloads(path, problem_set):
    """Write the archive that Canvas hands out.

    Parameters
    ----------
    path : path
    problem_set : ProblemSet
        Set 1 of the book.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, person in enumerate(CLASS):
            for name, data in _files(number, person, problem_set):
                archive.writestr(zipfile.ZipInfo(name, (2026, 11, 20, 18, 0, 0)), data)


def _files(number, person, problem_set):
    """Yield the names and contents of what somebody handed in."""
    plain = "".join(each for each in person.name.casefold() if each.isalnum())
    before, file = f"{plain}_{FIRST + number}", FILE + 10 * number
    is_late = person.how.startswith("late") or person.how == "excused"
    before = before.replace("_", "_LATE_", 1) if is_late else before
    notebook = _notebook(number, person, problem_set)
    text = json.dumps(notebook, ensure_ascii=False)
    name = problem_set.name
    match person.how:
        case "nothing":
            return
        case "again":
            first = json.dumps(_notebook(number, Person(person.name, ("no tosses",), ""), problem_set))
            yield f"{before}_{file}_{name}.ipynb", first
            yield f"{before}_{file + 1}_{name}-1.ipynb", text
        case "odd name":
            yield f"{before}_{file}_Problem set 1 FINAL (really) (2).ipynb", text
        case "text":
            yield f"{before}_{file}_{name}.ipynb.txt", text
        case "zip":
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as packed:
                packed.writestr(f"homework/{name}.ipynb", text)
                packed.writestr("homework/.DS_Store", b"")
            yield f"{before}_{file}_homework.zip", inner.getvalue()
        case "pdf":
            yield f"{before}_{file}_{name}.pdf", b"%PDF-1.7"
        case "photo":
            yield f"{before}_{file}_{name}.ipynb", text
        case _:
            yield f"{before}_{file}_{name}.ipynb", text


def _notebook(number, person, problem_set):
    """Return the notebook of somebody: the released one, filled in."""
    notebook = copy.deepcopy(problem_set.release)
    if person.how == "blank":
        return notebook
    written = _answers(number, person, problem_set)
    for cell in notebook["cells"]:
        name = grade_id(cell)
        if name in written:
            cell["source"] = written[name]
        elif kind(cell).get("solution") and person.derivation:
            cell["source"] = DERIVATIONS[person.derivation][0]
            if person.how == "photo":
                cell["source"] += "\n![my notes](IMG_2041.heic)\n"
    if person.how == "stripped":  # as some editors save it
        for cell in notebook["cells"]:
            cell["metadata"] = {}
            cell.pop("id", None)
    return notebook


def _answers(number, person, problem_set):
    """Return the code of each question: a style for each, and in it what went wrong."""
    if person.how == "pasted":
        solved = {grade_id(cell): source(cell) for cell in problem_set.notebook["cells"]}
        without = re.compile(r"^.*(BEGIN|END) SOLUTION.*\n?", re.MULTILINE)
        return {name: without.sub("", solved[name]) for name in RIGHT}
    written = {name: styles[(number + 2 * k) % 3] for k, (name, styles) in enumerate(RIGHT.items())}
    if person.how.startswith("together"):
        together = dict(TOGETHER)
        if person.how.endswith("renamed"):
            for old, new in RENAMED:
                together = {
                    name: re.sub(rf"\b{re.escape(old)}", new, code) for name, code in together.items()
                }
        written |= together
    for wrong in person.wrong:
        if wrong in SLIPS:
            name, style, old, new = SLIPS[wrong]
            code = written[name] if person.how.startswith("together") else RIGHT[name][style]
            written[name] = code.replace(old, new)
        else:
            (name,) = (each for each in RIGHT if f"def {each.replace('-', '_')}" in _names(ODD[wrong]))
            written[name] = ODD[wrong]
    return written


def _renamed(code):
    for old, new in RENAMED:
        code = re.sub(rf"\b{re.escape(old)}", new, code)
    return code


def _names(code):
    return code.replace("greedy_improvement", "greedy")
