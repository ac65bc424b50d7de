"""`book/_ext/predictions.py`: what joins a question to its reason, and what is refused."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document
from sphinx.errors import ExtensionError

EXTENSION = Path(__file__).resolve().parents[1] / "book" / "_ext" / "predictions.py"
spec = importlib.util.spec_from_file_location("predictions", EXTENSION)
predictions = importlib.util.module_from_spec(spec)
sys.modules["predictions"] = predictions
spec.loader.exec_module(predictions)


def box(title, classes, *texts, choices=0):
    admonition = nodes.admonition(classes=[*classes])
    admonition += nodes.title(title, title)
    admonition += [nodes.paragraph(text, text) for text in texts]
    if choices:
        items = [nodes.list_item("", nodes.paragraph("", f"choice {i}")) for i in range(choices)]
        admonition += nodes.bullet_list("", *items)
    return admonition


def question(*classes, choices=3):
    return box("Predict", ["predict", *classes], "Which?", choices=choices)


def reason(right="right-2"):
    return box("What happens", ["reason", right, "dropdown"], "The second.")


def page(*parts):
    """A page of one section with these parts and a subsection, after the transform."""
    document = new_document("page", get_default_settings())
    document.settings.env = SimpleNamespace(docname="page")
    within = nodes.section("", nodes.title("", "Within"))
    document += nodes.section("", nodes.title("", "Title"), *parts, nodes.paragraph("", "more"), within)
    predictions.Predictions(document).apply()
    return document


def test_a_reason_stands_where_its_section_ends_and_leaves_its_place():
    document = page(question(), nodes.paragraph("", "a figure"), reason())
    (section,) = document.children
    kinds = [type(child).__name__ for child in section]
    assert kinds == ["title", "admonition", "paragraph", "raw", "paragraph", "admonition", "section"]
    asked, place, told = section[1], section[3], section[5]
    assert asked["ids"] == ["prediction-1"]
    assert told["ids"] == ["reason-1"]
    assert told["classes"] == ["pgt-reason"]  # no dropdown: the script keeps it closed
    assert place.astext() == '<div class="pgt-reason-place" data-of="1"></div>'
    assert 'data-right="2"' in asked[-1].astext()
    assert asked[-2]["classes"] == ["pgt-predict-choices"]


def test_a_number_needs_no_choices():
    document = page(question("predict-number", choices=0), reason("right--0.5"))
    assert 'data-right="-0.5"' in document.astext()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([question()], "page: 1 predictions and 0 reasons"),
        ([reason(), question()], "page: 1 predictions and 1 reasons; expected a reason behind each"),
        ([question(), question(), reason(), reason()], "page: 2 predictions and 2 reasons; expected a"),
        ([question(), reason("right-4")], "page: prediction 1 has no choice 4"),
        ([question(), reason("right")], "page: prediction 1 needs choices or a number"),
        ([question(choices=0), reason()], "page: prediction 1 needs choices or a number"),
    ],
    ids=["no reason", "reason first", "nested", "no such choice", "no right one", "no choices"],
)
def test_what_does_not_fit_is_refused(parts, message):
    with pytest.raises(ExtensionError, match=message):
        page(*parts)
