"""Owns where a formula is: its sides and its mistake here, its proof in `letters`, and how all are shown."""

from __future__ import annotations

import html
import importlib.util
import inspect
import textwrap

_SIDES = {"left": "left side", "right": "right side", "mistaken": "mistake"}


def functions(formula):
    """Return the functions of a formula by their names: sides, mistake, and the lines of its proof."""
    found = [each for _, each in _said(formula)]
    proof = _proof(formula)
    return {each.__name__: each for each in [*found, *([proof.lines] if proof else [])]}


def places(formula):
    """Return where each of them begins, such as ``pgtlab/slides/s09_s15.py:50``, by its name."""
    return {
        name: f"{_file(each)}:{inspect.getsourcelines(each)[1]}" for name, each in functions(formula).items()
    }


def sources(formula):
    """Return both sides of a formula and its mistake as a page: each says what it is, and folds out."""
    pairs = [(html.escape(said), html.escape(inspect.getsource(each))) for said, each in _said(formula)]
    return "\n".join(f"<details><summary>{said}</summary><pre>{code}</pre></details>" for said, code in pairs)


def shown(formula):
    """Return a formula as text and as a page whose formulas MathJax typesets, by the name of the format."""
    name = f"({formula.id}) {formula.title}"
    text = [name, formula.statement, *(f"{said} ({each.__name__})" for said, each in _said(formula))]
    text = [textwrap.fill(each, 76, subsequent_indent="    ", break_on_hyphens=False) for each in text]
    page = [
        # The page's own text is not searched for formulas; what has these classes is.
        '<div class="pgt-formula tex2jax_process mathjax_process">',
        f'<p class="pgt-proof-title">{html.escape(name)}</p>',
        f'<div class="math">\\[{html.escape(formula.statement)}\\]</div>',
        sources(formula),
    ]
    proof = _proof(formula)
    if proof:
        proved = proof._repr_mimebundle_()
        text.append(proved["text/plain"])
        page.append(f"<details><summary>proof with letters</summary>{proved['text/html']}</details>")
    return {"text/plain": "\n".join(text), "text/html": "\n".join([*page, "</div>"])}


def _said(formula):
    for side, words in _SIDES.items():
        function = inspect.unwrap(getattr(formula, side))
        yield f"{words}: {function.__doc__}", function


def _file(function):
    return function.__module__.replace(".", "/") + ".py"


def _proof(formula):
    """Return the proof of a formula, or None where there is no SymPy, which proofs are made of."""
    if importlib.util.find_spec("sympy") is None:
        return None
    from pgtlab.letters import PROOFS

    return PROOFS.get(formula.id)
