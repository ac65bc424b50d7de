"""Owns names: the one normal form in which they are kept, and the one place where two are compared."""

from __future__ import annotations

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


class Names:
    """What belongs to each name, whichever way the name is written.

    Parameters
    ----------
    found : dict of str to object
    """

    def __init__(self, found):
        self._exact, self._folded = {}, {}
        for name, value in found.items():
            self._exact.setdefault(normal(name), value)
            self._folded.setdefault(folded(name), {})[normal(name)] = value

    def find(self, name):
        """Return what belongs to a name, None if there is no such name or several that differ in case only.

        >>> Names({"Ada": 1, "ben": 2, "Ben": 3}).find(" ada"), Names({"ben": 2, "Ben": 3}).find("BEN")
        (1, None)
        """
        if normal(name) in self._exact:
            return self._exact[normal(name)]
        alike = self._folded.get(folded(name), {})
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
