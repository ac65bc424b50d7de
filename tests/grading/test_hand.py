"""Derivations are read on a page and graded in a table; feedback says what counts, and runs nothing."""

import json
import re

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make grading`")

from pgtgrade import derivations, formulas, pages
from pgtgrade.feedback import feedback_html
from pgtgrade.gradebook import gradebook
from pgtgrade.results import key_of
from tests.grading import small
from tests.grading.test_batch import RIGHT, Class

HOSTILE = """\
<script>alert(1)</script> <img src="x" onerror="alert(1)"> [link](javascript:alert(1))

$x < y$ and </div></article>"""


@pytest.fixture
def class_(tmp_path):
    return Class(tmp_path)


def graded(class_, **students):
    for student, answers in students.items():
        class_.hand_in(student, **{**RIGHT, **answers})
    class_.grade()
    return class_.course.results("small")


def scores(class_):
    with gradebook(class_.course, class_.set) as book:
        return book.scores()


def page_of(class_, anonymous=False):
    results = class_.course.results("small")
    called = derivations.to_grade(results, class_.course, anonymous)
    return derivations.derivations_html(class_.set, called, scores(class_), class_.course, "small.csv")


def table_of(class_, anonymous=False):
    called = derivations.to_grade(class_.course.results("small"), class_.course, anonymous)
    return derivations.derivations_csv(class_.set, called, scores(class_))


def read(class_, *lines, head="student,question,points,out of,comment"):
    text = "\n".join([head, *lines])
    return derivations.read_points(text, class_.set, class_.course.results("small"), class_.course)


# --- the page --------------------------------------------------------------------------------------


def test_the_page_has_rubric_question_and_answers(class_):
    graded(class_, ada={}, ben={"derive_why": "It is *plain*."})
    class_.give("ada", 1.5, "Well done & so on.")
    text = page_of(class_)
    for part in (
        "Rubric: 1 point for the sum",
        "Why do the distances shrink?",
        "Because $0 &lt; \\gamma &lt; 1$.",
        "It is <em>plain</em>.",
        '<h3>ada</h3><span class="good">1.5 of 2</span>',
        "<p>Well done &amp; so on.</p>",
        '<h3>ben</h3><span class="quiet">not graded yet</span>',
        "2 points; 1 of 2 graded.",
    ):
        assert part in text
    assert "BEGIN SOLUTION" not in text


def test_without_names(class_):
    graded(class_, ada={}, ben={})
    text, table = page_of(class_, anonymous=True), table_of(class_, anonymous=True)
    assert not re.search(r"\b(ada|ben)\b", text[text.index("<body") :] + table)
    number = derivations.number_of(key_of("ada"), class_.course)
    assert f"<h3>{number}</h3>" in text
    assert read(class_, f"{number},derive-why,2,2,") == ([(key_of("ada"), "derive-why", 2.0, "")], [])
    # who knows the names of the class cannot compute whose number it is
    other = Class(class_.folder / "other")
    assert derivations.number_of(key_of("ada"), other.course) != number


def test_what_is_missing_or_elsewhere_is_said(class_):
    notebook = small.with_sources(class_.set.release, half=RIGHT["half"])
    notebook["cells"][-1:] = [{"cell_type": "markdown", "id": "x", "metadata": {}, "source": "Here it is."}]
    (class_.downloads / "ada.ipynb").write_text(json.dumps(notebook))
    graded(class_, ben={"derive_why": "YOUR ANSWER HERE"})
    text = page_of(class_)
    assert "The answer cell is missing." in text
    assert "Here it is." in text
    assert "The answer cell is as it was released." in text


def test_an_answer_that_changed_is_marked(class_):
    graded(class_, ada={})
    class_.give("ada", 1)
    graded(class_, ada={"derive_why": "Otherwise."})
    assert "The answer changed since it was graded." in page_of(class_)


def test_nothing_of_a_submission_runs(class_):
    graded(class_, ada={"derive_why": HOSTILE, "half": "# </pre><script>alert(1)</script>"})
    results = class_.course.results("small")
    (key,) = results
    for text in (
        page_of(class_),
        feedback_html(class_.set, results[key], scores(class_)[key], class_.course),
    ):
        body = text[text.index("<body") :]
        assert not re.search(r"<(script|img)|href=|onerror=\"", body)
        assert body.count("</article>") == body.count("<article")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body
        assert "default-src 'none'; img-src data:;" in text


def test_a_page_without_formulas_needs_no_script():
    for body in ("<p>plain</p>", "<pre>$HOME</pre>"):
        assert "<script" not in pages.page("a < b", body)
    assert "<title>a &lt; b</title>" in pages.page("a < b", "<p>plain</p>")
    whole = pages.page("t", "<p>$x$</p>")
    assert whole.count("<script>") == 1
    # what a page needs is inside, for who reads it without the network
    assert not re.search(r"(src|href)=.?https?:", whole[: whole.index("<script>")])
    assert re.findall(r"script-src ([^\"]*)", whole)[0].count("'sha256-") == 2


def test_links_lead_somewhere_or_are_none():
    """G13: a chapter beside the notebook is not beside the page."""
    text = pages.rendered("[chapter](../chain.ipynb) and [page](https://example.org/a)")
    assert "<p>chapter and <a href=" in text
    assert "ipynb" not in text


def test_what_is_too_long_is_not_typeset(class_):
    """A6: 40,000 environments took two minutes."""
    long = "\\begin{a}" * 4_000
    assert "36000 characters: shown as they were written." in pages.rendered(long)
    assert "data-of" not in pages.rendered(long)
    cells = [{"source": f"$x_{{{number}}}$ " * 400} for number in range(9)]
    assert 4 <= pages.all_rendered(cells, "ada").count("data-of") < 9
    assert pages.all_rendered(cells, "ada").count('class="text"') == 9


def test_pictures_of_an_answer_are_shown_or_announced():
    """S8: a photo that is only linked, one in a form that browsers do not show, one inside the text."""
    picture = {"a b.png": {"image/png": "aGk="}}
    shown = '<img src="data:image/png;base64,aGk="'
    for text in (
        "![](attachment:a%20b.png)",
        "![what](<a b.png>)",
        "![](images/a%20b.png)",
        "<img width=3 src='a%20b.png'>",
        "![][i]\n\n[i]: <data:image/png;base64,aGk=>",
        "![](data:image/png;base64,aGk=)",
    ):
        html = pages.rendered(text, picture)
        assert shown in html, text
        assert "Not in the notebook" not in html
    for text, name in (
        ("![](attachment:b.png) <b>", "attachment:b.png"),
        ("See ![](IMG_1.HEIC)", "IMG_1.HEIC"),
        ("![][i]\n\n[i]: photo.jpg", "photo.jpg"),
        ('<img src="https://example.org/a.png">', "https://example.org/a.png"),
    ):
        assert f'<p class="note">Not in the notebook: {name}</p>' in pages.rendered(text)
        assert "<img" not in pages.rendered(text)


def test_a_photo_beside_the_notebook_is_shown(class_):
    folder = class_.downloads / "ada"
    folder.mkdir()
    text = "![](photo.jpg) ![](scan.heic) ![](fake.png)"
    notebook = small.with_sources(class_.set.release, **{**RIGHT, "derive_why": text})
    small.cell(notebook, "derive-why")["attachments"] = {"x.heic": {"image/heic": "aGk="}}
    (folder / "ps1.ipynb").write_text(small.text(notebook), encoding="utf-8")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xffhi")
    (folder / "fake.png").write_bytes(b"<script>")
    class_.grade()
    assert '<img src="data:image/jpeg;base64,/9j/aGk="' in page_of(class_)
    lost = "scan.heic, fake.png"
    assert f"Not in the notebook: {lost}" in page_of(class_)
    note = f"pictures that are not in the notebook, or that no page can show: x.heic, {lost}"
    assert note in class_.rows()["ada"].notes


def test_texts_are_marked_by_their_author(class_):
    """What TeX defines holds for its author: `tests/browser/test_grading_pages.py` looks in a browser."""
    graded(class_, ada={}, ben={})
    class_.give("ada", 1, "Well.")
    authors = re.findall(r'data-of="([^"]*)"', page_of(class_))
    assert authors == ["", "", "ada", "", "ben"]
    results = class_.course.results("small")
    text = feedback_html(class_.set, results[key_of("ada")], scores(class_)[key_of("ada")], class_.course)
    assert re.findall(r'data-of="([^"]*)"', text) == ["", "student"]


def test_the_page_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    formulas.scripts.cache_clear()
    with pytest.raises(ModuleNotFoundError, match="which brings MathJax: install it with `make grading`"):
        pages.page("t", "$x$")


# --- the table -------------------------------------------------------------------------------------


def test_the_table_goes_out_and_comes_back(class_):
    graded(class_, ada={}, ben={}, **{"=eve": {}})
    assert table_of(class_).replace('"', "") == (
        "student,question,items,points,out of,comment\n"
        "'=eve,derive-why,,,2,\nada,derive-why,,,2,\nben,derive-why,,,2,\n"
    )
    entries, _ = read(class_, "'=eve,derive-why,1.5,2,'=so", "ada,derive-why,0,2,", "ben,derive-why,,2,")
    assert entries == [
        (key_of("=eve"), "derive-why", 1.5, "=so"),
        (key_of("ada"), "derive-why", 0.0, ""),
    ]
    with gradebook(class_.course, class_.set) as book:
        book.give(entries)
    written = table_of(class_).replace('"', "")
    assert "'=eve,derive-why,,1.5,2,'=so\nada,derive-why,,0,2,\nben,derive-why,,,2,\n" in written
    # what is left blank stays as it is
    with gradebook(class_.course, class_.set) as book:
        book.give(read(class_, "ada,derive-why,,2,Only a comment.")[0])
    score = scores(class_)[key_of("ada")]["derive-why"]
    assert (score.points, score.comment) == (0, "Only a comment.")


def test_what_comes_back_as_it_was_is_not_by_hand(class_):
    graded(class_, ada={"derive_why": "YOUR ANSWER HERE"})
    entries, _ = read(class_, "ada,derive-why,0,2,")
    with gradebook(class_.course, class_.set) as book:
        book.give(entries)
    assert scores(class_)[key_of("ada")]["derive-why"].manual is None
    assert class_.rows()["ada"].notes == ["derive-why was left as released"]
    class_.give("ada", 1)
    assert scores(class_)[key_of("ada")]["derive-why"].manual == 1
    class_.grade(again=True)
    assert class_.rows()["ada"].notes == ["derive-why was left as released"]


def test_a_spreadsheet_may_save_it_in_its_own_way(class_):
    graded(class_, ada={})
    entry = [(key_of("ada"), "derive-why", 1.5, "so, so")], []
    assert read(class_, 'ada,derive-why,"1,5",2,"so, so"') == entry
    head = "\ufeffStudent;question;Points;out of;comment"
    assert read(class_, "ada;derive-why;1,5;2;so, so", ";;;;", head=head) == entry
    assert read(class_, "so, so\tada\t1.5\tderive-why", head="comment\tstudent\tpoints\tquestion") == entry


def test_each_line_of_a_table_stands_for_itself(class_):
    """G1: one name that was not found cost the points of the whole class."""
    graded(class_, ada={}, ben={}, **{"Cleo Q": {}})
    entries, faults = read(
        class_,
        "ada,derive-why,1,2,",
        "zoe,derive-why,1,2,",
        "ben,half,0.5,1,the tests are too strict",
        "ben,derive-why,3,2,",
        "ben,derive-why,-1,2,",
        "ben,derive-why,nan,2,",
        "ben,derive-why,good,2,",
        "ada,derive-why,2,2,",
        "ben",
        " cleo  q ,derive-why,2,2,",
    )
    assert entries == [
        (key_of("ada"), "derive-why", 1, ""),
        (key_of("ben"), "half", 0.5, "the tests are too strict"),
        (key_of("Cleo Q"), "derive-why", 2, ""),
    ]
    assert faults == [
        "line 3: no graded submission of 'zoe'",
        "line 5: '3' for ben; expected points from 0 to 2",
        "line 6: '-1' for ben; expected points from 0 to 2",
        "line 7: 'nan' for ben; expected points from 0 to 2",
        "line 8: 'good' for ben; expected points from 0 to 2",
        "line 9: ada has derive-why in line 2 already, which counts",
        "line 10: no question ''; expected one of half, mass, derive-why",
    ]
    message = "line 1: no column question, points; expected student, question, items, points"
    with pytest.raises(ValueError, match=message):
        read(class_, head="student")
    with pytest.raises(ValueError, match="line 1: no column student, question, points"):
        derivations.read_points("", class_.set, {}, class_.course)


def test_points_are_stored_all_or_none(class_):
    graded(class_, ada={})
    with gradebook(class_.course, class_.set) as book:
        with pytest.raises(ValueError, match="No such grade"):
            book.give([(key_of("ada"), "derive-why", 2.0, ""), ("nobody", "derive-why", 1.0, "")])
        assert book.scores()[key_of("ada")]["derive-why"].points is None


# --- feedback --------------------------------------------------------------------------------------


def feedback(class_, student):
    result = class_.course.results("small")[key_of(student)]
    return feedback_html(class_.set, result, scores(class_)[key_of(student)], class_.course)


def test_feedback_says_points_and_why(class_):
    graded(class_, ada={"half": "def half(x):\n    return 2 * x"})
    text = feedback(class_, "ada")
    assert "<strong>3 of 6 points so far</strong>" in text
    assert "Likely cause: x is doubled" in text
    assert "return 2 * x" in text
    assert text.count("not graded yet") == 2
    class_.give("ada", 2, "Short & right.")
    text = feedback(class_, "ada")
    assert "<strong>5 of 6 points</strong>" in text
    assert "not graded yet" not in text
    assert "<p>Short &amp; right.</p>" in text


def test_feedback_holds_no_hidden_test_and_no_solution(class_):
    graded(class_, ada={"mass": ""})
    text = feedback(class_, "ada")
    for secret in ("drawn(", "rho.sum", "np.sum", "Rubric", "HIDDEN"):
        assert secret not in text


def test_feedback_shows_what_came_out(class_):
    graded(class_, ada={})
    path = class_.course.autograded("small", key_of("ada"))
    notebook = json.loads(path.read_text())
    small.cell(notebook, "half")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "\x1b[31mred\x1b[0m\n" * 100},
        {"output_type": "error", "ename": "E", "evalue": "<v>", "traceback": []},
        {"output_type": "display_data", "data": {"text/html": "<script>", "text/plain": ["[1]"]}},
        {"output_type": "display_data", "data": {"image/png": "aG\nk=", "text/plain": "a figure"}},
        {"output_type": "display_data", "data": {"text/html": "<script>"}},
    ]
    del notebook["cells"][-1]  # the derivation
    path.write_text(json.dumps(notebook))
    text = feedback(class_, "ada")
    assert "\nred\n... 70 lines left out ...\nred\n" in text
    assert '<pre class="wrong">E: &lt;v&gt;</pre>' in text
    assert '<pre class="out">[1]</pre>' in text
    assert 'src="data:image/png;base64,aGk="' in text
    assert "3. Why (2 points)</h2>" in text
