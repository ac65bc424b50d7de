"""Owns the formulas of a page: MathJax reads their TeX, and the browser itself draws them, from MathML.

A page is one file that a learning platform attaches. MathJax' own fonts would be nine tenths of it, so it
comes without its drawing, compressed, and the page unpacks it.
"""

from __future__ import annotations

import base64
import gzip
import importlib.util
from functools import cache
from pathlib import Path

#: What of TeX there is: what a notebook knows, without what reaches out of a formula (`html`, `require`).
PACKAGES = (
    "base", "ams", "amscd", "boldsymbol", "braket", "centernot", "color", "enclose", "cancel", "newcommand",
    "extpfeil", "gensymb", "noundefined", "textcomp", "upgreek", "verb",
)  # fmt: skip

#: The parts of MathJax, in the order in which they run: some packages build on one before them.
_PARTS = (
    "startup.js",
    "core.js",
    "input/tex-base.js",
    "input/tex/extensions/textmacros.js",
    *(f"input/tex/extensions/{each}.js" for each in PACKAGES[1:]),
    "ui/safe.js",
)

# Macros, environments, labels and colours belong to a reader of TeX: everybody whose text is on the page has
# one of their own. What is drawn has no name, link, class or style that could touch the rest of the page.
_READ = """
window.MathJax = {
  loader: {load: []},
  tex: {
    inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]], packages: PACKAGES,
    useLabelIds: false, ignoreDuplicateLabels: true, maxMacros: 1000
  },
  options: {
    processHtmlClass: "text", ignoreHtmlClass: "plain|page",
    renderActions: {typeset: [150, all => { for (const each of all.math) draw(each); }, draw]}
  },
  startup: {
    pageReady() {
      const startup = MathJax.startup, texts = new Map();
      for (const each of document.querySelectorAll(".text")) {
        const author = each.dataset.of || "";
        texts.set(author, [...(texts.get(author) || []), each]);
      }
      MathJax.config.options.safeOptions = {
        allow: {URLs: "none", classes: "none", cssIDs: "none", styles: "none"}
      };
      startup.getComponents();
      for (const elements of texts.values()) {
        startup.input = startup.getInputJax();
        startup.document = startup.getDocument();
        startup.document.options.elements = elements;
        startup.document.render();
      }
      document.documentElement.dataset.typeset = "done";
    }
  }
};
""".replace("PACKAGES", str(list(PACKAGES)))

# Browsers draw the core of MathML. What MathJax writes beyond it is said in that core: letters in a style are
# characters of their own, a number beside a formula is a cell, columns have their side and their distance.
_DRAW = """
const STYLES = ["bold", "italic", "bold-italic", "script", "bold-script", "fraktur", "double-struck",
  "bold-fraktur", "sans-serif", "bold-sans-serif", "sans-serif-italic", "sans-serif-bold-italic",
  "monospace"];
const DIGITS = ["bold", "double-struck", "sans-serif", "bold-sans-serif", "monospace"];
const GREEK = ["bold", "italic", "bold-italic", "bold-sans-serif", "sans-serif-bold-italic"];
// First and last letter, where it stands in the first style, how far the next style is, and the styles.
const RANGES = [
  ["A", "Z", 0x1D400, 52, STYLES], ["a", "z", 0x1D41A, 52, STYLES], ["0", "9", 0x1D7CE, 10, DIGITS],
  ["\u0391", "\u03a9", 0x1D6A8, 58, GREEK], ["\u03b1", "\u03c9", 0x1D6C2, 58, GREEK]
];
// Letters that are older than these ranges, each with what stands for it.
const OLDER = {
  "italic": "h\u210e",
  "script": "B\u212cE\u2130F\u2131H\u210bI\u2110L\u2112M\u2133R\u211be\u212fg\u210ao\u2134",
  "fraktur": "C\u212dH\u210cI\u2111R\u211cZ\u2128",
  "double-struck": "C\u2102H\u210dN\u2115P\u2119Q\u211aR\u211dZ\u2124"
};

// What is drawn round or through a formula by the style sheet.
const LINES = ["box", "updiagonalstrike", "downdiagonalstrike"];

function styled(letter, style) {
  const older = (OLDER[style] || "").indexOf(letter);
  if (older >= 0) return OLDER[style][older + 1];
  for (const [first, last, start, size, styles] of RANGES) {
    if (letter >= first && letter <= last && styles.includes(style)) {
      const place = letter.codePointAt(0) - first.codePointAt(0);
      return String.fromCodePoint(start + size * styles.indexOf(style) + place);
    }
  }
  return letter;
}

function draw(math) {
  const visitor = new MathJax._.core.MmlTree.SerializedMmlVisitor.SerializedMmlVisitor();
  const drawn = math.typesetRoot = document.createElement("mjx-container");
  drawn.innerHTML = visitor.visitTree(math.root);
  if (math.display) drawn.setAttribute("display", "true");
  for (const each of drawn.querySelectorAll("[mathvariant]:not([mathvariant=normal])")) {
    const style = each.getAttribute("mathvariant").replace(/^-tex-(bold-)?.*/, "$1script");
    const single = each.localName !== "mi" || [...each.textContent].length === 1;
    // a word in italics, as Re in a name, is one of letters; a single letter is in italics by itself
    if (!each.children.length && !(style === "italic" && single && each.localName === "mi")) {
      const was = each.textContent;
      each.textContent = [...was].map(letter => styled(letter, style)).join("");
      if (was === each.textContent) each.dataset.style = style;
    }
    each.removeAttribute("mathvariant");
    if (single && each.localName === "mi" && style !== "italic") each.setAttribute("mathvariant", "normal");
  }
  const like = (each, name) => document.createElementNS(each.namespaceURI, name);
  for (const each of drawn.querySelectorAll("menclose")) {
    const lines = each.getAttribute("notation");
    if (lines.split(" ").some(line => !LINES.includes(line))) continue;
    const row = like(each, "mrow");  // some browsers draw the lines of menclose, and some do not
    row.append(...each.childNodes);
    row.dataset.lines = lines;
    each.replaceWith(row);
  }
  for (const each of drawn.querySelectorAll("mlabeledtr")) {
    const row = like(each, "mtr");
    row.append(...[...each.children].slice(1), each.children[0]);
    row.lastElementChild.dataset.tag = "";
    each.replaceWith(row);
  }
  for (const table of drawn.querySelectorAll("mtable")) {
    const listed = (name) => (table.getAttribute(name) || "").split(" ").filter(Boolean);
    const [sides, gaps] = [listed("columnalign"), listed("columnspacing")];
    const at = (list, k) => list[Math.min(k, list.length - 1)];
    for (const row of table.children) {
      [...row.children].forEach((cell, k) => {
        if ("tag" in cell.dataset) return;
        const style = cell.style, isLast = k + 1 === row.children.length;
        // what stands in a cell is a box, which not every browser moves with its text
        if (sides.length) for (const how of ["", "-webkit-"]) style.textAlign = how + at(sides, k);
        if (gaps.length && k) style.paddingInlineStart = `calc(${at(gaps, k - 1)} / 2)`;
        if (gaps.length && !isLast) style.paddingInlineEnd = `calc(${at(gaps, k)} / 2)`;
      });
    }
  }
}
"""

# Where a browser cannot unpack it, formulas stand there as they were written.
_UNPACK = """
(async () => {
  if (!window.DecompressionStream) return;
  const text = atob(document.getElementById("mathjax").textContent);
  const packed = new Blob([Uint8Array.from(text, each => each.charCodeAt(0))]).stream();
  const script = document.createElement("script");
  script.textContent = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(script);
})();
"""

_STYLE = """
math { font-size: 1.1em; } mjx-container[display] { display: block; margin: 1rem 0; text-align: center; }
math[display=block] { overflow-x: auto; } [data-style|=bold] { font-weight: bold; }
[data-tag] { padding-inline-start: 2em; }
[data-lines] { padding: .2em; } [data-lines~=box] { border: 1px solid; }
[data-lines] { --line: transparent calc(50% - .6px), currentcolor 0 calc(50% + .6px), transparent 0;
  --up: linear-gradient(to bottom right, var(--line)); --down: linear-gradient(to top right, var(--line)); }
[data-lines~=updiagonalstrike] { background: var(--up); }
[data-lines~=downdiagonalstrike] { background: var(--down); }
[data-lines~=updiagonalstrike][data-lines~=downdiagonalstrike] { background: var(--up), var(--down); }
"""


@cache
def scripts():
    """Return what draws formulas: the HTML for the head, and the scripts that run, for the page's policy.

    Returns
    -------
    (str, list of str)
    """
    program = f"{_DRAW}{_READ}{_UNPACK}"
    mathjax = _mathjax()
    packed = base64.b64encode(gzip.compress(mathjax.encode(), 9, mtime=0)).decode()
    head = f'<style>{_STYLE}</style>\n<script type="text/plain" id="mathjax">{packed}</script>\n'
    return f"{head}<script>{program}</script>\n", [program, mathjax]


def _mathjax():
    found = importlib.util.find_spec("sphinx-mathjax-offline")  # found without importing it, or Sphinx
    if found is None:
        raise ModuleNotFoundError(
            "No module named 'sphinx-mathjax-offline', which brings MathJax: install it with `make grading` "
            "or pip install 'pgtlab[grading]'"
        )
    folder = Path(*found.submodule_search_locations, "static", "mathjax")
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in _PARTS)
