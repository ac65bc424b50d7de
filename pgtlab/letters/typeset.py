"""Owns how a proof looks on a page: its lines as mathematics, and under each what SymPy was given and did."""

from __future__ import annotations

import html
import re

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter

from pgtlab.letters.equality import reduction

#: Letters that a formula shows before it is cut: a side of a line, and one where it folds out.
_SIDE, _WHOLE = 14, 40

#: A sum that occurs more than once and has more letters gets a name, where it folds out; at most so many do.
_LONG, _NAMES = 5, 3

_DOTS = r"\cdots"

#: Formulas that only give a name: of these there is nothing to prove, but that the name means what is used.
_DEFINITIONS = ("7.1", "7.2", "7.3", "7.4", "7.5", "8.5")

#: One argument in braces, which may hold braces, and these braces again.
_ARGUMENT = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"

#: What the statements of lines abbreviate.
_SHORT = (
    (rf"\\d{_ARGUMENT}", r"\\pd{\1}{\\theta}"),
    (rf"\\pd{_ARGUMENT}{_ARGUMENT}", r"\\frac{\\partial \1}{\\partial \2}"),
    (r"\\all(?![a-zA-Z])", r"\\sum_{s,a} \\rho \\, \\pi \\,"),
    (r"\\slope(?![a-zA-Z])", r"\\sum_{s,a} \\rho \\, \\frac{\\partial \\pi}{\\partial \\theta} \\,"),
    (r"\\nat(?![a-zA-Z])", r"\\nabla^{\\mathrm{nat}}"),
    (r"\\(SC|FIM)(?![a-zA-Z])", r"\\mathrm{\1}"),
    ("«", r"\\boxed{"),
    ("»", "}"),
)


def statement(text):
    r"""Return the statement of a line as LaTeX, its abbreviations written out.

    Parameters
    ----------
    text : str
        ``\pd{f}{x}`` is the derivative of f in x and ``\d{f}`` that in theta; ``\all f`` and ``\slope f`` are
        the sums of rho pi f and of rho dpi f; « and » stand round what the argument carries along.

    Returns
    -------
    str
        In two rows where a phone's screen would be too narrow for one.
    """
    for short, long in _SHORT:
        text = re.sub(short, long, text)
    return _rows(text)


def _rows(tex):
    """Return an equation, cut before its first = if it is long and so is what stands there."""
    left, _, right = tex.partition(" = ")
    if _width(tex) <= 22 or _width(left) <= 4:
        return tex
    return rf"\begin{{aligned}} & {left} \\ & \quad = {right} \end{{aligned}}"


def _width(tex):
    """Return how many signs LaTeX shows, about."""
    return len(re.findall(r"\\[a-zA-Z]{3,}|[a-zA-Z]", tex))


class _Printer(LatexPrinter):
    """Writes functions without their arguments, derivatives as the slides do, and a prime as one."""

    def _print_Symbol(self, expr, style="plain"):
        if "'" in expr.name:
            name, index = expr.name.split("'")
            return f"{{{self._print(sp.Symbol(name))}'}}" + (f"_{{{index.strip('_')}}}" if index else "")
        return super()._print_Symbol(expr, style)

    def _print_AppliedUndef(self, expr, exp=None):
        name = self._print(sp.Symbol(expr.func.__name__))
        return name if exp is None else f"{{{name}}}^{{{exp}}}"

    def _print_Pow(self, expr):
        base = self._print(expr.base)
        if expr.exp.is_Integer and expr.exp > 1 and re.search(r"\^\{[^{}]*\}$", base):
            return rf"\left({base}\right)^{{{expr.exp}}}"  # one exponent at a time
        return super()._print_Pow(expr)

    def _print_Derivative(self, expr):
        order = sum(int(n) for _, n in expr.variable_count)
        above = rf"\partial{f'^{order}' if order > 1 else ''} {self._print(expr.expr)}"
        below = (rf"\partial {self._print(x)}" + (f"^{n}" if n > 1 else "") for x, n in expr.variable_count)
        return rf"\frac{{{above}}}{{{' '.join(below)}}}"


_PRINTER = _Printer()


def _size(expression):
    """Return how many letters an expression shows."""
    if isinstance(expression, sp.Derivative):
        return 2
    if expression.is_Atom or isinstance(expression, AppliedUndef):
        return 1
    return sum(map(_size, expression.args))


def cut(expression, room):
    """Return an expression as LaTeX of about so many letters, with dots where something is left out.

    Parameters
    ----------
    expression : sympy.Expr
    room : int

    Returns
    -------
    str
    """
    if _size(expression) <= max(room, 2):
        return _PRINTER.doprint(expression)
    if expression.is_Add:
        return _sum(_PRINTER._as_ordered_terms(expression), room) if room > 2 else r"\cdots"
    if expression.is_Mul and expression.could_extract_minus_sign():
        return f"- {cut(-expression, room)}"
    above, below = sp.fraction(expression)
    if below != 1:
        return rf"\frac{{{cut(above, room // 2)}}}{{{cut(below, room // 2)}}}"
    if expression.is_Mul:
        return _product(expression.as_ordered_factors(), room)
    if isinstance(expression, sp.exp):
        return f"e^{{{cut(expression.args[0], room)}}}"
    if isinstance(expression, sp.log):
        return rf"\log\left({cut(expression.args[0], room)}\right)"
    base, power = expression.as_base_exp()
    return rf"\left({cut(base, room - 1)}\right)^{{{_PRINTER.doprint(power)}}}"


def _sum(terms, room, whole=None):
    """Return the first terms of a sum that there is room for, and how many more it has."""
    n = max(1, min(len(terms), room // 6))
    shown = " + ".join(cut(each, room // n) for each in terms[:n]).replace("+ -", "-")
    left_out = (whole or len(terms)) - n
    return shown + (rf" + \cdots_{{{left_out}}}" if left_out else "")


def _product(factors, room):
    """Return the first factors of a product that there is room for, long ones cut."""
    n = max(1, min(len(factors), room // 3))
    shown = [
        rf"\left({cut(each, room // n)}\right)" if each.is_Add else cut(each, room // n)
        for each in factors[:n]
    ]
    return " ".join(shown) + (r" \cdots" if len(factors) > n else "")


def _named(*sides):
    """Return sides whose long sums have names where they occur more than once, and what these stand for."""
    unknown = sorted(sp.Tuple(*sides).atoms(AppliedUndef, sp.Derivative), key=sp.default_sort_key)
    letters = {each: sp.Symbol(f"_{i:03}") for i, each in enumerate(unknown)}
    back = {letter: each for each, letter in letters.items()}
    found, sides = sp.cse([each.xreplace(letters) for each in sides], order="canonical")
    sums = [
        (sum(side.count(x) for side in (*sides, *(other for _, other in found))) * _size(each), x)
        for x, each in found
        if each.is_Add and _size(each) > _LONG
    ]
    kept = {x for _, x in sorted(sums, key=lambda pair: pair[0], reverse=True)[:_NAMES]}
    known, names = dict(back), []
    for x, each in found:
        if x in kept:
            known[x] = sp.Symbol(f"X_{len(names) + 1}")
            names.append((known[x], each.xreplace(known)))
        else:
            known[x] = each.xreplace(known)
    return [side.xreplace(known) for side in sides], names


def page(id, lines, folds=True):
    """Return the lines of a proof as HTML, whose formulas MathJax typesets.

    Parameters
    ----------
    id : str
    lines : iterable of Line
        Each of which holds.
    folds : bool
        Whether each folds out what SymPy was given, and the difference that becomes 0.

    Returns
    -------
    str
    """
    steps = "\n".join(f"<li>{_step(each)}{_fold(each) if folds else ''}</li>" for each in lines)
    name = f"({id})" if "." in id else f"{id} of the errata"
    title = f"Check of definition {name}" if id in _DEFINITIONS else f"Proof of {name}"
    # The page's own text is not searched for formulas; what has these classes is.
    return (
        '<div class="pgt-proof tex2jax_process mathjax_process">\n'
        f'<p class="pgt-proof-title">{html.escape(title)}</p>\n<ol>\n{steps}\n</ol>\n</div>'
    )


def _step(line):
    left, right, more = _entry(line)
    shown = _formula(statement(line.says)) if line.says else _formula(_rows(_sides(left, right))) + more
    return f'<div class="pgt-step"><p>{html.escape(line.reason)}</p>{shown}</div>'


def _sides(left, right):
    return f"{cut(left, _SIDE)} = {cut(right, _SIDE)}"


def _fold(line):
    left, right, more = _entry(line)
    rows = []
    if left != right and (line.says or _DOTS in _sides(left, right)):
        (one, other), names = _named(left, right)
        rows += [("left side", cut(one, _WHOLE)), ("right side", cut(other, _WHOLE))]
        rows += [("where", f"{_PRINTER.doprint(name)} = {cut(each, _WHOLE)}") for name, each in names]
    rows += _difference(left, right)
    if any(_DOTS in tex for _, tex in rows):
        more += '<p class="pgt-more">dots with a number stand for so many more terms</p>'
    folded = "".join(f"<dt>{name}</dt><dd>{_formula(tex)}</dd>" for name, tex in rows)
    return f"<details><summary>with letters</summary>{more}<dl>{folded}</dl></details>"


def _formula(tex):
    return rf'<div class="math">\[{html.escape(tex)}\]</div>'


def _entry(line):
    """Return the first entry of both sides that says something, and what is said of the others."""
    if not hasattr(line.left, "shape"):
        return line.left, line.right, ""
    pairs = list(zip(line.left, line.right, strict=True))
    left, right = max(pairs, key=lambda pair: (pair[0] != pair[1], pair[0] not in (0, 1)))
    return left, right, f'<p class="pgt-more">one entry of {len(pairs)}; the others have this form</p>'


def _difference(left, right):
    """Return what the difference is before and after it is simplified, with what is said of each."""
    if left == right:
        return [("both sides are worked out to", cut(left, _WHOLE)), ("difference", "0")]
    found = reduction(left, right)
    if found is None:
        tex = f"{cut(left, _SIDE)} - {_bracketed(cut(right, _SIDE))}"
        return [("difference", tex), ("simplified by the rules for powers, exponentials and logarithms", "0")]
    if not found.left:
        return [("difference", cut(left - right, _SIDE)), ("multiplied out, its terms cancel", "0")]
    tex = f"{_polynomial(found.left)} - {_bracketed(_polynomial(found.right))}"
    below = [_factor(each, n) for each, n in found.below]
    if below:
        dots = r" \cdots" if len(below) > 3 else ""
        tex = rf"\frac{{{tex}}}{{{' '.join(below[:3])}{dots}}}"
    n = len(found.left)
    return [
        (f"difference, {'over one denominator and ' * bool(below)}multiplied out", tex),
        (f"simplified: {n} term{'s' * (n != 1)} on each side, the same", "0"),
    ]


def _bracketed(tex):
    return rf"\left({tex}\right)" if re.search(r"[+-]", tex) else tex


def _polynomial(terms, room=_SIDE):
    """Return the first terms of a polynomial as LaTeX."""
    first = [sp.Mul(factor, *(x**n for x, n in powers.items())) for powers, factor in terms[:room]]
    return _sum(first, room, len(terms))


def _factor(terms, n):
    tex = _polynomial(terms, _SIDE // 2)
    if n == 1:
        return _bracketed(tex)
    return rf"\left({tex}\right)^{{{n}}}" if re.search(r"[+^-]", tex) else f"{tex}^{{{n}}}"
