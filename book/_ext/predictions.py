"""Predictions that are played, and checks that fold: what the chapters' pages ask of Sphinx.

A prediction is an admonition of the class `predict` that ends in a list of choices, or has the class
`predict-number` and ends in none. Further down an admonition of the class `reason` tells what happens and
why; its class `right-2` says that the second choice is right, `right-471` which number. Both are plain
admonitions, so that JupyterLab shows them, too; there the class `dropdown` keeps the reason closed.

On the page the script `predict.js` plays them: it covers what would tell, until the reader has answered.
Without scripts and on paper the reason stands at the end of its section.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform

RIGHT = re.compile(r"right-(-?\d+(?:\.\d+)?)")


def pieces(document: nodes.document, name: str) -> list[nodes.Element]:
    return [node for node in document.findall(nodes.admonition) if name in node["classes"]]


def last_list(question: nodes.Element) -> nodes.bullet_list | None:
    last = question.children[-1]
    return last if isinstance(last, nodes.bullet_list) else None


def raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def end_of_section(node: nodes.Element) -> tuple[nodes.Element, int]:
    """Where the section of a node ends: before its first section within, or behind all."""
    section = node.parent
    while not isinstance(section, nodes.section):
        section = section.parent
    inner = [i for i, child in enumerate(section) if isinstance(child, nodes.section)]
    behind = section.index(next(each for each in ancestry(node) if each.parent is section))
    return section, next((i for i in inner if i > behind), len(section))


def ancestry(node: nodes.Element):
    while node is not None:
        yield node
        node = node.parent


class Predictions(SphinxTransform):
    """Join each question to its reason, and let the reason stand where the section ends."""

    default_priority = 950  # equations have their numbers by then, in the order in which they are written

    def apply(self, **kwargs) -> None:
        questions, reasons = pieces(self.document, "predict"), pieces(self.document, "reason")
        order = [node for node in self.document.findall(nodes.admonition) if node in questions + reasons]
        if order != [node for pair in zip(questions, reasons, strict=False) for node in pair]:
            raise ExtensionError(
                f"{self.env.docname}: {len(questions)} predictions and {len(reasons)} reasons; expected a "
                "reason behind each prediction, before the next one"
            )
        for n, (question, reason) in enumerate(zip(questions, reasons, strict=True), start=1):
            self.join(n, question, reason)

    def join(self, n: int, question: nodes.Element, reason: nodes.Element) -> None:
        right = next((found[1] for each in reason["classes"] if (found := RIGHT.fullmatch(each))), None)
        choices = last_list(question)
        if right is None or (choices is None) != ("predict-number" in question["classes"]):
            raise ExtensionError(
                f"{self.env.docname}: prediction {n} needs choices or a number, and right-..."
            )
        if choices is not None:
            if not 1 <= int(right) <= len(choices):
                raise ExtensionError(f"{self.env.docname}: prediction {n} has no choice {right}")
            choices["classes"].append("pgt-predict-choices")
        question["classes"] = ["pgt-predict"]
        reason["classes"] = ["pgt-reason"]
        question["ids"].append(f"prediction-{n}")
        reason["ids"].append(f"reason-{n}")
        retitle(question, f"Prediction {n}")
        retitle(reason, f"What came of prediction {n}")
        question += raw(
            f'<p class="pgt-predict-where" data-right="{right}">The answer is '
            f'<a href="#reason-{n}">at the end of the section</a>.</p>'
        )
        section, end = end_of_section(reason)
        reason.parent.replace(reason, raw(f'<div class="pgt-reason-place" data-of="{n}"></div>'))
        section.insert(end, reason)


def retitle(node: nodes.Element, words: str) -> None:
    title = node.next_node(nodes.title)
    title.clear()
    title += nodes.Text(words)


def setup(app: Sphinx) -> dict:
    app.add_transform(Predictions)
    app.add_css_file("predict.css")
    app.add_css_file("fold.css")
    app.add_js_file("fold.js", loading_method="defer")
    app.add_js_file("predict.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
