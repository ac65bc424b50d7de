"""Owns the command for derivations: one who reads, another who reads too, and a way to settle differences."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pgtgrade import desk
from pgtgrade.results import write

DONE, SOME_NOT_STORED = 0, 1


def derivations(options):
    """Write the page and the table for grading by hand, or read the table."""
    from pgtgrade import by_hand
    from pgtgrade import derivations as rooms
    from pgtgrade.gradebook import gradebook
    from pgtgrade.readings import FIRST, SETTLED, read_readings
    from pgtgrade.rubric import keep_rubric, read_rubric

    chosen, course = desk.opened(options)
    results = desk.results(chosen, course)
    if not rooms.by_hand(chosen):
        raise ValueError(f"{chosen.name} has no question that is graded by hand")
    reader = options.reader or FIRST
    if not re.fullmatch(r"[\w.-]+", reader) or reader in (SETTLED, "differences") or options.reader == FIRST:
        raise ValueError(f"{options.reader!r} is no name of a second reader; expected one word, such as ben")
    if options.settle and options.reader:
        raise ValueError("--settle is about all readers; expected no --reader beside it")
    with gradebook(course, chosen) as book:
        if options.restore:
            book.restore(by_hand.read_copy(Path(options.restore), chosen, results))
            print(f"What was given by hand is what {options.restore} says.")
            return DONE
        keep_rubric(course, chosen)
        desk_of = _Desk(chosen, course, results, book, read_rubric(course, chosen))
        desk_of.roster = desk.roster(options, course)
        desk_of.readings = read_readings(course, chosen.name)
        desk.follow_rubric(chosen, course, results, book)
        desk_of.readings = read_readings(course, chosen.name)
        if options.settle:
            return desk_of.settle(options.settle)
        if options.read:
            return desk_of.read(options.read, reader)
        return desk_of.write(reader, options)


class _Desk:
    """A set whose derivations are read, with all that is known of them."""

    def __init__(self, chosen, course, results, book, rubric):
        self.set, self.course, self.results, self.book, self.rubric = chosen, course, results, book, rubric
        self.folder, self.readings, self.roster = course.folder / "derivations", None, None

    def files(self, reader):
        """Return the table and the page of a reader."""
        from pgtgrade.readings import FIRST

        name = self.set.name if reader == FIRST else f"{self.set.name}-{reader}"
        return self.folder / f"{name}.csv", self.folder / f"{name}.html"

    def keep(self):
        """Store what the readers found."""
        from pgtgrade.readings import keep_readings

        keep_readings(self.course, self.set.name, self.readings)

    def found(self, path):
        """Return what a table says, and what of it cannot be stored."""
        from pgtgrade.tables import read_text

        try:
            return self._read(read_text(path))
        except ValueError as error:
            said = str(error).removeprefix(f"{path}: ")
            raise ValueError(f"{path}: nothing of it was stored: {said}") from None

    def give(self, found):
        """Enter readings into the gradebook."""
        from pgtgrade.derivations import entries_of

        entries = entries_of(found, self.rubric, self.set)
        self.book.give(entries)
        for key, question, points, _ in entries:
            if points is not None:
                self.readings.given[key, question] = points

    def read(self, named, reader):
        """Take what a reader filled in."""
        from pgtgrade.readings import FIRST

        table, _ = self.files(reader)
        path = desk.table_to_read(named, self.folder, table)
        found, faults = self.found(path)
        given = sum(not each.is_blank for each in found.values())
        if reader == FIRST:
            # what is settled stays settled while the first reader says what was said before
            same = {
                place
                for place, each in found.items()
                if self.readings.is_settled(place) and self.readings.of(FIRST).get(place) == each
            }
            self.give({place: each for place, each in found.items() if place not in same})
            by_hand = {each.name for each in self.set.questions if each.by_hand}
            mine = {place: each for place, each in found.items() if place[1] in by_hand}
            kept = {place: each for place, each in mine.items() if not each.is_blank}
            self.readings.of(FIRST).update(kept)
            print(f"{path}: points in {desk.count(given, 'line')} are in the gradebook.")
            desk.say_older(self.set, self.course)
        else:
            self.readings.of(reader).update(
                {place: each for place, each in found.items() if not each.is_blank}
            )
            print(f"{path}: what {reader} found in {given} derivations is kept beside.")
        self.keep()
        self.say_differences()
        return _told(faults)

    def say_differences(self):
        """Write the page and the table of what the readers differ in, and say how much that is."""
        from pgtgrade.differences import differences_csv, differences_html

        if not self.readings.others:
            return
        places = self.readings.differences(self.rubric)
        both = sum(len(self.readings.of_derivation(place)) > 1 for place in self._places())
        print(f"Read by two or more: {both}; they differ in {len(places)} that are not settled.")
        table, page = self.files("differences")
        if not places:
            table.unlink(missing_ok=True)
            page.unlink(missing_ok=True)
            return
        about = (self.set, self.results, self.course, self.rubric, self.readings, places)
        write(page, differences_html(*about))
        write(table, "\ufeff" + differences_csv(*about))
        print(f"{page}: see them side by side.")
        print(f"{table}: fill in what counts, then: pgtgrade derivations {self.set.name} --settle")

    def _places(self):
        return {place for found in self.readings.readers.values() for place in found}

    def settle(self, named):
        """Take what the readers agreed on."""
        from pgtgrade.readings import SETTLED

        table, _ = self.files("differences")
        path = desk.table_to_read(named, self.folder, table)
        if not path.exists():
            raise ValueError(f"{path}: no such file; there is one as long as two readers differ")
        found, faults = self.found(path)
        found = {place: each for place, each in found.items() if not each.is_blank}
        self.give(found)
        for place, each in found.items():
            self.readings.of(SETTLED)[place] = each
            verdicts = self.readings.of_derivation(place)
            self.readings.settles[place] = {name: reading.verdict for name, reading in verdicts.items()}
        self.keep()
        print(f"{path}: {len(found)} are settled; their points are in the gradebook.")
        self.say_differences()
        return _told(faults)

    def write(self, reader, options):
        """Write the page and the table of a reader."""
        from pgtgrade import derivations as rooms
        from pgtgrade.readings import FIRST
        from pgtgrade.rubric import path_of

        table, page = self.files(reader)
        scores = self.book.scores()
        called = rooms.to_grade(self.results, self.course, options.anonymous)
        if reader == FIRST:
            shown = rooms.shown_to_first(self.readings, scores)
            text = rooms.derivations_csv(self.set, called, scores, shown)
        else:
            text = rooms.derivations_csv(self.set, called, {}, self.readings.of(reader))
        if table.exists() and not options.overwrite:
            desk.refuse_to_lose(table, text, self._pairs)
        html = rooms.derivations_html(
            self.set, called, scores, self.course, str(table), self.rubric, self.readings, reader
        )
        write(page, html)
        write(table, "\ufeff" + text)
        graded = sum(
            scores[key][each.name].points is not None for each in rooms.by_hand(self.set) for key in called
        )
        if reader == FIRST:
            print(f"{page}: {len(called)} submissions; derivations graded: {graded}.")
            print(f"{path_of(self.course, self.set)}: the items of the rubric; add your own.")
        else:
            read = sum(not each.is_blank for each in self.readings.of(reader).values())
            print(f"{page}: {len(called)} submissions; read by {reader}: {read}.")
        more = "" if reader == FIRST else f" --reader {reader}"
        print(f"{table}: fill in items or points, then: pgtgrade derivations {self.set.name}{more} --read")
        return DONE

    def _pairs(self, text):
        found, faults = self._read(text)
        return list(found.items()), faults

    def _read(self, text):
        from pgtgrade.derivations import read_table

        return read_table(text, self.set, self.results, self.course, self.rubric, self.roster)


def _told(faults):
    for fault in faults:
        print(f"NOT STORED  {fault}", file=sys.stderr)
    return SOME_NOT_STORED if faults else DONE
