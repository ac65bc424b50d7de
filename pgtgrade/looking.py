"""Owns the commands that look at a class: how it did, who wrote alike, what is to be looked at again."""

from __future__ import annotations

from pgtgrade import desk
from pgtgrade.results import write

DONE = 0


def statistics(options):
    """Write the page and the tables of how a class did."""
    from pgtgrade import statistics as rooms

    chosen, course = desk.opened(options)
    results = desk.results(chosen, course)
    table, scores = desk.table_and_scores(chosen, course, desk.roster(options, course))
    found, folder = rooms.by_question(chosen, results, scores, course), course.folder / "statistics"
    page = folder / f"{chosen.name}.html"
    write(page, rooms.statistics_html(chosen, found, table))
    write(folder / f"{chosen.name}.csv", "\ufeff" + rooms.statistics_csv(found))
    write(folder / f"{chosen.name}-causes.csv", "\ufeff" + rooms.causes_csv(found))
    print(f"{page}: how the class did, question by question; nobody is named.")
    print(f"{folder / chosen.name}.csv and {chosen.name}-causes.csv: the same as tables.")
    return DONE


def similar(options):
    """Write the page of submissions that are suspiciously alike."""
    from pgtgrade import pairs as rooms

    chosen, course = desk.opened(options)
    desk.results(chosen, course)  # refused before the lock makes a folder of a mistyped name
    with course.locked():  # while a class is graded, its results and notebooks are of two gradings
        results = desk.results(chosen, course)
        theirs, known, pairs = rooms.pairs_of(chosen, results, course)
    folder = course.folder / "similar"
    page = folder / f"{chosen.name}.html"
    write(page, rooms.pairs_html(chosen, results, theirs, known, pairs))
    write(folder / f"{chosen.name}.csv", "\ufeff" + rooms.pairs_csv(pairs, results))
    print(
        f"{page}: {desk.count(len(pairs), 'pair')} of {desk.count(len(theirs), 'submission')} "
        f"{'is' if len(pairs) == 1 else 'are'} suspiciously alike."
    )
    print("It is a hint and never a verdict: read what they share.")
    return DONE


def regrade(options):
    """Enter a request to look at a question again, or what was decided; without either, list them."""
    from pgtgrade.gradebook import gradebook
    from pgtgrade.regrades import history, path_of

    chosen, course = desk.opened(options)
    results = desk.results(chosen, course)
    if options.asked is not None and options.decide is not None:
        raise ValueError("--asked and --decide are two steps; expected one of them")
    with gradebook(course, chosen) as book:
        events = history(course, chosen.name)
        if options.asked is not None:
            _ask(options, chosen, course, results, events)
        elif options.decide is not None:
            _decide(options, chosen, course, results, events, book)
    _list(history(course, chosen.name))
    if path_of(course, chosen.name).exists():
        print(f"{path_of(course, chosen.name)}: all that was asked and decided.")
    return DONE


def _ask(options, chosen, course, results, events):
    from pgtgrade.names import meant
    from pgtgrade.regrades import ASKED, Event, add, now
    from pgtgrade.results import GRADED
    from pgtgrade.tables import keys

    if not (options.student and options.question):
        raise ValueError("--asked needs --student and --question: who asked, and about what")
    graded = [each.student for each in results.values() if each.status == GRADED]
    key = keys(graded, desk.roster(options, course)).find(options.student)
    if key is None:
        raise ValueError(f"no graded submission of {options.student!r}{meant(options.student, graded)}")
    names = [each.name for each in chosen.questions]
    if options.question not in names:
        raise ValueError(f"no question {options.question!r}; expected one of {', '.join(names)}")
    number = max((each.number for each in events), default=0) + 1
    asked = Event(
        number, now(), results[key].student, options.question, ASKED, options.asked, by=options.by or ""
    )
    add(course, chosen.name, asked)
    print(f"Request {number} is noted. To decide: pgtgrade regrade {chosen.name} --decide {number}")


def _decide(options, chosen, course, results, events, book):
    from pgtgrade.regrades import DECIDED, Event, add, now
    from pgtgrade.results import key_of

    asked = {each.number: each for each in events}.get(options.decide)
    if asked is None:
        raise ValueError(f"no request {options.decide}; pgtgrade regrade {chosen.name} lists those there are")
    if options.because is None:
        raise ValueError("--decide needs --because: the reason, which the student reads")
    (question,) = (each for each in chosen.questions if each.name == asked.question)
    key = key_of(asked.student)
    score = book.scores().get(key, {}).get(question.name)
    if score is None:
        raise ValueError(f"no graded submission of {asked.student!r}")
    after = score.points
    if options.points is not None:
        if not 0 <= options.points <= question.points:
            raise ValueError(f"--points {options.points:g}; expected points from 0 to {question.points:g}")
        after = options.points
        if after != score.points:
            book.give([(key, question.name, after, score.comment)])
            desk.say_older(chosen, course)
    add(
        course,
        chosen.name,
        Event(
            asked.number, now(), asked.student, question.name, DECIDED, options.because, score.points, after,
            options.by or "",
        ),
    )  # fmt: skip


def _list(events):
    from pgtgrade.regrades import ASKED, still_open

    waiting = still_open(events)
    for each in events:
        mark = "WAITS  " if each.what == ASKED and each.number in waiting else ""
        points = ""
        if each.what != ASKED:
            points = f" ({desk.points(each.before)} before, {desk.points(each.after)} after)"
        print(
            f"{mark}{each.number}  {each.when}  {desk.shown(each.student)}, {each.question}, "
            f"{each.what}{points}: {desk.shown(each.words)}"
        )
    if not events:
        print("Nobody has asked to look at anything again.")
