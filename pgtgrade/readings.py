"""Owns what each reader of a derivation found: items of the rubric and points, and where two readers differ.

The gradebook holds the points that count: those of the first reader, and where two differed and that is
settled, those on which they agreed. What another reader found stays here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from pgtgrade.results import write

#: What the two readings are called that may come to count.
FIRST, SETTLED = "first", "settled"


@dataclass(frozen=True)
class Reading:
    """What a reader found of one derivation.

    Attributes
    ----------
    items : tuple of str
        Of the rubric.
    points : float or None
        Beside the items, or alone.
    comment : str
    """

    items: tuple = ()
    points: float | None = None
    comment: str = ""

    @property
    def is_blank(self):
        """Whether it gives no points."""
        return not self.items and self.points is None

    def total(self, items):
        """Return the points by the items of the question's rubric, at least 0, None for a blank."""
        if self.is_blank:
            return None
        if not self.items:
            return self.points
        by_items = sum(items[each].points for each in self.items if each in items)
        return max(by_items + (self.points or 0.0), 0.0)

    @property
    def verdict(self):
        """What two readings agree in if they agree."""
        return [sorted(self.items), self.points or 0.0]


@dataclass
class Readings:
    """All readings of a set.

    Attributes
    ----------
    readers : dict of str to dict
        By the name of the reader the readings, by the key of the student and the name of the question.
    given : dict
        The points that came from here into the gradebook, by the same.
    settles : dict
        The verdicts that a settlement was about, by the same: of others it says nothing.
    """

    readers: dict = field(default_factory=dict)
    given: dict = field(default_factory=dict)
    settles: dict = field(default_factory=dict)

    def of(self, reader):
        """Return the readings of one reader."""
        return self.readers.setdefault(reader, {})

    @property
    def others(self):
        """The names of the readers beside the first."""
        return sorted(set(self.readers) - {FIRST, SETTLED})

    def of_derivation(self, place):
        """Return what each reader found of a derivation, the first reader's first."""
        named = {name: self.readers.get(name, {}).get(place) for name in (FIRST, *self.others)}
        return {name: each for name, each in named.items() if each and not each.is_blank}

    def is_settled(self, place):
        """Say whether what the readers differ in has been settled, as they say it now."""
        verdicts = {name: each.verdict for name, each in self.of_derivation(place).items()}
        return place in self.of(SETTLED) and self.settles.get(place) == verdicts

    def counts(self, place):
        """Return the reading of a derivation that counts, None if there is none."""
        return self.of(SETTLED)[place] if self.is_settled(place) else self.of(FIRST).get(place)

    def differences(self, rubric):
        """Return where two readers give other points and nothing is settled yet, in order.

        Parameters
        ----------
        rubric : dict of str to dict of str to Item
        """
        places = sorted({place for reader in self.others for place in self.of(reader)})
        return [
            place
            for place in places
            if not self.is_settled(place)
            and len({each.total(rubric.get(place[1], {})) for each in self.of_derivation(place).values()}) > 1
        ]

    def used(self, question):
        """Return how often each item of a question counts."""
        counted = {}
        for place in {*self.of(FIRST), *self.of(SETTLED)}:
            reading = self.counts(place)
            for name in reading.items if reading and place[1] == question else ():
                counted[name] = counted.get(name, 0) + 1
        return counted


def path_of(course, set_name):
    """Return the file with the readings."""
    return course.folder / "readings" / f"{set_name}.json"


def read_readings(course, set_name):
    """Return the readings of a set, none if there is no file."""
    path = path_of(course, set_name)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        readers = {
            reader: {
                (key, question): Reading(tuple(each["items"]), each["points"], each["comment"])
                for key, question, each in lines
            }
            for reader, lines in found["readers"].items()
        }
        given, settles = (
            {(key, question): value for key, question, value in found[name]} for name in ("given", "settles")
        )
    except FileNotFoundError:
        return Readings()
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error!r}; expected the file as it was written") from None
    return Readings(readers, given, settles)


def keep_readings(course, set_name, readings):
    """Write the readings of a set."""

    def lines(found):
        return [[*place, value] for place, value in sorted(found.items())]

    text = {
        "readers": {
            reader: lines({place: asdict(each) for place, each in found.items()})
            for reader, found in readings.readers.items()
        },
        "given": lines(readings.given),
        "settles": lines(readings.settles),
    }
    write(path_of(course, set_name), json.dumps(text, ensure_ascii=False, indent=1))


def follow(readings, rubric, book, problem_set):
    """Let the gradebook follow the rubric: what was given for items is what they are worth now.

    Points that a person gave in another way since stay as they are.

    Parameters
    ----------
    readings : Readings
    rubric : dict of str to dict of str to Item
    book : Gradebook
    problem_set : ProblemSet

    Returns
    -------
    list of (str, str), list of (str, str)
        The derivations whose points changed, and those that were left since somebody else gave points.
    """
    scores, entries, left = book.scores(), [], []
    most = {each.name: each.points for each in problem_set.questions}
    for place in sorted({*readings.of(FIRST), *readings.of(SETTLED)}):
        key, question = place
        reading, score = readings.counts(place), scores.get(key, {}).get(question)
        if reading is None or not reading.items or score is None:
            continue
        total = min(reading.total(rubric.get(question, {})), most[question])
        if total == readings.given.get(place):
            continue
        if score.manual is not None and score.manual == readings.given.get(place):
            entries.append((key, question, total, score.comment))
        else:
            left.append(place)
        readings.given[place] = total
    if entries:
        book.give(entries, keep_marks=True)
    return [each[:2] for each in entries], left
