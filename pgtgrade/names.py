"""Owns names: the one normal form in which they are kept, and the one place where two are compared."""

from __future__ import annotations

import difflib
import re
import unicodedata

#: Characters without a picture of their own that change the letters beside them, in Persian or in Hindi.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


def text_of(name):
    """Return a file's name as text that can be stored: one form of each letter, no stray bytes."""
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return unicodedata.normalize("NFC", name)


def normal(name):
    """Return a name in its normal form: composed letters, single spaces, nothing that cannot be seen.

    >>> normal("  Ada\N{NO-BREAK SPACE} Lovelace\N{ZERO WIDTH SPACE} ")
    'Ada Lovelace'
    """
    kept = []
    for each in text_of(name):
        kind = unicodedata.category(each)
        if kind == "Cc":
            kept.append(" ")
        elif kind != "Cf" or each in _JOINERS:
            kept.append(each)
    return " ".join("".join(kept).split())


def folded(name):
    """Return what is equal for two names that differ in case or in what cannot be seen only."""
    shown = (each for each in normal(name).casefold() if unicodedata.category(each) != "Cf")
    return unicodedata.normalize("NFC", "".join(shown))


def turned(name):
    """Return a name with the given name first, as most people write it; lists put the family name first.

    >>> turned("Lovelace, Ada"), turned("Lee, Sam (126)"), turned("Ada Lovelace")
    ('Ada Lovelace', 'Sam Lee (126)', 'Ada Lovelace')
    """
    return re.sub(r"^([^,]+), *([^,(]+?)( \([^()]*\))?$", r"\2 \1\3", normal(name))


def meant(name, among):
    """Return in words which names may have been meant by one that is not among them, "" if none is like it.

    >>> meant("Ada Lovelave", ["Lovelace, Ada", "Ben"]), meant("zoe", ["Ben"])
    ("; did you mean 'Lovelace, Ada'?", '')
    """
    known = {}
    for each in among:
        known.setdefault(folded(turned(each)), each)
    close = difflib.get_close_matches(folded(turned(name)), known, cutoff=0.7)
    return f"; did you mean {' or '.join(repr(known[each]) for each in close)}?" if close else ""


class Names:
    """What belongs to each name, whichever way the name is written, and in whichever order.

    Parameters
    ----------
    found : dict of str to object
    """

    def __init__(self, found):
        self._exact, self._folded, self._turned = {}, {}, {}
        for name, value in found.items():
            self._exact.setdefault(normal(name), value)
            self._folded.setdefault(folded(name), {})[normal(name)] = value
            self._turned.setdefault(folded(turned(name)), {})[normal(name)] = value

    def find(self, name):
        """Return what belongs to a name, None if there is no such name or several are as much like it.

        >>> Names({"Ada": 1, "ben": 2, "Ben": 3}).find(" ada"), Names({"ben": 2, "Ben": 3}).find("BEN")
        (1, None)
        >>> Names({"Lovelace, Ada": 1}).find("ada lovelace")
        1
        """
        if normal(name) in self._exact:
            return self._exact[normal(name)]
        alike = self._folded.get(folded(name)) or self._turned.get(folded(turned(name)), {})
        return next(iter(alike.values())) if len(alike) == 1 else None

    def __contains__(self, name):
        return self.find(name) is not None


def told_apart(names):
    """Return names as they are shown; those that look the same are written so that one sees the difference.

    >>> told_apart(["e\N{COMBINING ACUTE ACCENT}", "\N{LATIN SMALL LETTER E WITH ACUTE}", "ada"])
    ["'e\\\\u0301'", "'\\\\xe9'", 'ada']
    """
    shown = [normal(each) for each in names]
    return [
        ascii(name) if shown.count(each) > 1 else text_of(name)
        for name, each in zip(names, shown, strict=True)
    ]
