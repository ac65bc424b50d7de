"""Owns the search for submissions that are suspiciously alike: pieces that two share and few others have.

A piece is a run of tokens. Names, numbers and layout do not count, so that renaming hides nothing. What was
handed out does not count, nor the book's own solution, nor what many of a class write. What is left is a
hint, and never a verdict: two who learn together write alike, too.
"""

from __future__ import annotations

import io
import itertools
import keyword
import re
import tokenize
from collections import Counter, defaultdict
from dataclasses import dataclass

#: Tokens of a piece; how many pieces two must share, and which share of the one who has fewer.
LENGTH, FEWEST, SHARE = 16, 60, 0.5

#: A piece that more students have than this, and than this share of a class, is what anybody writes.
MANY, OF_CLASS = 4, 0.1

#: Cells of a student that are compared, in characters.
MOST = 40_000


@dataclass(frozen=True)
class Pair:
    """Two submissions that share pieces.

    Attributes
    ----------
    one, other : str
        Keys of the students.
    shared : int
        Pieces that both have, and hardly anybody else.
    share : float
        What part they are of all such pieces of the one who has fewer.
    places : list of (str, str)
        The cells that share pieces, by their names, those with most first.
    """

    one: str
    other: str
    shared: int
    share: float
    places: list


def tokens(text, is_code=True):
    """Return the tokens of a text as they are compared, each with where it begins and ends.

    Parameters
    ----------
    text : str
    is_code : bool
        Else it is prose, whose tokens are words.

    Returns
    -------
    list of (str, int, int)

    Examples
    --------
    >>> [each for each, *_ in tokens("x = f.dot(y)  # why")]
    ['name', '=', 'name', '.', 'dot', '(', 'name', ')']
    >>> tokens("Since $a$, so", is_code=False)[0]
    ('since', 0, 5)
    """
    if is_code:
        try:
            return _of_python(text)
        except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
            pass  # what is no Python is compared as prose
    return [(found[0].casefold(), *found.span()) for found in re.finditer(r"\w+|[^\w\s]", text)]


def _of_python(text):
    starts = [0, *itertools.accumulate(len(line) for line in text.splitlines(keepends=True)), len(text)]
    left_out = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    left_out |= {tokenize.ENDMARKER, tokenize.ENCODING}
    found = []
    for each in tokenize.generate_tokens(io.StringIO(text).readline):
        if each.type in left_out:
            continue
        word = each.string
        if each.type == tokenize.NUMBER:
            word = "number"
        elif each.type == tokenize.STRING:
            if not found or each.line.lstrip().startswith(word[:3]):
                continue  # a docstring
            word = "text"
        elif each.type == tokenize.NAME and not keyword.iskeyword(word):
            word = word if found and found[-1][0] == "." else "name"
        begin, end = (starts[row - 1] + column for row, column in (each.start, each.end))
        found.append((word, begin, end))
    return found


def pieces(text, is_code=True):
    """Return the pieces of a text: where each begins and ends, by its tokens.

    Parameters
    ----------
    text : str
    is_code : bool

    Returns
    -------
    dict of tuple to list of (int, int)
    """
    found, here = defaultdict(list), tokens(text[:MOST], is_code)
    for start in range(len(here) - LENGTH + 1):
        run = here[start : start + LENGTH]
        found[tuple(word for word, *_ in run)].append((run[0][1], run[-1][2]))
    return dict(found)


def alike(submissions, known):
    """Return the pairs that are suspiciously alike, those that share most first.

    Parameters
    ----------
    submissions : dict of str to dict of str to (str, bool)
        By the key of the student the cells: by name the text, and whether it is code.
    known : iterable of (str, bool)
        What everybody has: the cells as they were handed out, and the solutions of the book.

    Returns
    -------
    list of Pair
    """
    everybody = set().union(*(pieces(*each) for each in known))
    theirs = {
        key: {name: set(pieces(*cell)) - everybody for name, cell in cells.items()}
        for key, cells in submissions.items()
    }
    of = {key: set().union(*cells.values()) for key, cells in theirs.items()}
    owners = defaultdict(list)
    for key, mine in of.items():
        for piece in mine:
            owners[piece].append(key)
    most = max(MANY, OF_CLASS * len(of))
    rare = {piece for piece, who in owners.items() if len(who) <= most}
    together = Counter(pair for piece in rare for pair in itertools.combinations(sorted(owners[piece]), 2))
    found = []
    for (one, other), shared in together.items():
        share = shared / min(len(of[one] & rare), len(of[other] & rare))
        if shared >= FEWEST and share >= SHARE:
            found.append(Pair(one, other, shared, share, _places(theirs[one], theirs[other], rare)))
    return sorted(found, key=lambda pair: (-pair.shared, pair.one, pair.other))


def _places(one, other, rare):
    """Return the cells in which two share rare pieces: each with the one of the other that shares most."""
    found = []
    for name, mine in one.items():
        counts = {each: len(mine & theirs & rare) for each, theirs in other.items()}
        best = max(counts, key=counts.get, default=None)
        if best is not None and counts[best]:
            found.append((counts[best], name, best))
    return [(name, best) for _, name, best in sorted(found, key=lambda each: -each[0])]


def shared_spans(one, other, known):
    """Return which parts of two texts are the same, but for names, numbers and layout.

    Parameters
    ----------
    one, other : (str, bool)
        A text, and whether it is code.
    known : iterable of (str, bool)
        What everybody has.

    Returns
    -------
    list of (int, int), list of (int, int)
        Where each part begins and ends, in order.
    """
    mine, theirs = pieces(*one), pieces(*other)
    both = set(mine) & set(theirs) - set().union(*(pieces(*each) for each in known))
    return _joined(mine, both), _joined(theirs, both)


def _joined(found, wanted):
    spans = []
    for begin, end in sorted(span for piece in wanted for span in found[piece]):
        if spans and begin <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((begin, end))
    return spans
