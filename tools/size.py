"""Count the lines of the package, room by room: code, docstrings, comments.

    python tools/size.py            # pgtlab
    python tools/size.py pgtgrade

A line counts once: as part of a docstring, as a comment if nothing else stands on it, or as code. Empty lines
do not count.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("code", "docstring", "comment")


def lines(path):
    """Return how many lines of a file are of each kind."""
    text, said = path.read_text(encoding="utf-8"), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            said.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    found = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            comment = "comment" if line.lstrip().startswith("#") else "code"
            found["docstring" if number in said else comment] += 1
    return found


def rooms(package):
    """Return the lines of each kind by room, a folder or a file of the package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        found.setdefault(room, Counter()).update(lines(path))
    return found


def main():
    """Print the table."""
    found = rooms(ROOT / (sys.argv[1] if len(sys.argv) > 1 else "pgtlab"))
    found["all"] = sum(found.values(), Counter())
    print(f"{'':14}" + "".join(f"{kind:>11}" for kind in KINDS))
    for room, counts in found.items():
        print(f"{room:14}" + "".join(f"{counts[kind]:>11,}" for kind in KINDS))


if __name__ == "__main__":
    main()
