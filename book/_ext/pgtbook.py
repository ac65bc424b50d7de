"""What the book asks of Sphinx beyond `_config.yml`: offline mathematics, the slides' numbers, downloads.

Jupyter Book loads this extension for every build, so a plain `jupyter-book build .` and `make book` give the
same pages.
"""

import hashlib
import importlib.util
import os
import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

import exercisepage

MATHJAX = "mathjax/tex-svg.js"  # one file, fonts included; it loads nothing further
SLIDE_EQUATION = re.compile(r"eq-(\d+|[A-Z])-(\d+)")  # of a slide, or of a chapter with a letter


def package_folder(name: str, remedy: str) -> Path:
    """Folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ExtensionError(f"the package {name} is not installed in this environment: run `{remedy}`")
    return Path(next(iter(spec.submodule_search_locations)))


def digest(folder: Path) -> str:
    """Fingerprint of the files of a package that decide what it does."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".js", ".css", ".mplstyle"})
    total = hashlib.sha256()
    for path in files:
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def configure(app: Sphinx, config: Config) -> None:
    # A change of pgtlab changes this value, and Sphinx then runs every notebook again.
    config.pgtlab_digest = digest(package_folder("pgtlab", "pip install -e ."))
    config.mathjax_path = MATHJAX
    options = config.html_theme_options
    url = options.get("repository_url", "")
    if url and "/OWNER/" not in url:
        options["use_repository_button"] = options["use_issues_button"] = True


def copy_mathjax(app: Sphinx) -> None:
    if app.builder.format != "html":
        return
    package = package_folder("sphinx-mathjax-offline", "pip install -r requirements.txt")
    target = Path(app.outdir, "_static", MATHJAX)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(package / "static" / MATHJAX, target)


CHAPTER = re.compile(r"- file: (\S+)\n\s+title: \"(\d+) ·")


def page_mark(toc: str, page: str) -> str:
    """What the numbers of a page's own equations begin with: its chapter, or the first letter of its name."""
    return dict(CHAPTER.findall(toc)).get(page) or page.rpartition("/")[2][0].upper()


def lettered(n: int) -> str:
    """The letters of the n-th: a to z, then aa to az, and so on."""
    return (lettered((n - 1) // 26) if n > 26 else "") + "abcdefghijklmnopqrstuvwxyz"[(n - 1) % 26]


class EquationNumbers(SphinxTransform):
    """Number `eq-8-5` as the slides do, (8.5), `eq-L-3` by its letter, and chapter 3's own (3a), (3b), ..."""

    default_priority = 900

    def apply(self, **kwargs) -> None:
        equations = self.env.get_domain("math").equations
        own, toc = 0, Path(self.env.srcdir, "_toc.yml").read_text(encoding="utf-8")
        mark = page_mark(toc, self.env.docname)
        for node in list(self.document.findall(nodes.math_block)):
            label = node.get("label")
            if not label or node["nowrap"]:  # no label; or an amsmath environment, shown without a number
                continue
            slide = SLIDE_EQUATION.fullmatch(label)
            own += slide is None
            node["number"] = ".".join(slide.groups()) if slide else mark + lettered(own)
            equations[label] = (self.env.docname, node["number"])
            if slide:  # the index has it by its number, and so the search finds it
                entry = ("single", f"({node['number']})", nodes.make_id(f"equation-{label}"), "", None)
                node.parent.insert(node.parent.index(node), addnodes.index(entries=[entry]))


class LinkTargets(SphinxTransform):
    """Let links to `page.ipynb#equation-eq-8-5` and `page.ipynb#sec-mass` lead there, from an output too."""

    default_priority = 901

    def apply(self, **kwargs) -> None:
        names = [name for name, explicit in self.document.nametypes.items() if explicit]
        targets = {name: self.document.nameids[name] for name in names}
        for node in self.document.findall(nodes.math_block):
            if node.get("label"):
                place = nodes.make_id(f"equation-{node['label']}")
                targets[place] = place
        slugs = self.env.metadata[self.env.docname].setdefault("myst_slugs", {})
        slugs.update({name: (0, place, name) for name, place in targets.items() if place})


class InlineBreaks(SphinxTransform):
    """Let a long formula in a sentence break behind a relation, as TeX does; MathJax makes it one box."""

    default_priority = 900

    def apply(self, **kwargs) -> None:
        for node in list(self.document.findall(nodes.math)):
            parts = breakable_parts(node.astext())
            if len(parts) > 1 and not isinstance(node.parent, nodes.title):
                node.parent.replace(node, [nodes.math(part, part, **node.attributes) for part in parts])


TOKEN = re.compile(r"\\[a-zA-Z]+\s*|\\.|\s+|.", re.DOTALL)
RELATIONS = {"=", "<", ">", r"\le", r"\ge", r"\approx", r"\to", r"\iff"}
OPENING = {"{", "(", "[", r"\{", r"\left"}
CLOSING = {"}", ")", "]", r"\}", r"\right"}
LONG = 16  # symbols of a formula that may break


def symbols(tex: str) -> int:
    """How many symbols a formula shows, about."""
    unseen = r"\\[,;!: ]|\\(left|right|big|Big|mathrm|mathcal|mathbb|text|displaystyle|tfrac|frac)\b|[{}^_\s]"
    return len(re.findall(r"\\[a-zA-Z]+|\S", re.sub(unseen, " ", tex)))


def breakable_parts(tex: str) -> list[str]:
    """A long formula cut behind its outer relations, each with the space that it has in the whole."""
    if symbols(tex) < LONG:
        return [tex]
    parts, depth = [""], 0
    tokens = TOKEN.findall(tex)
    for i, token in enumerate(tokens):
        name = token.strip()
        depth += (name in OPENING) - (name in CLOSING)
        parts[-1] += token
        rest = "".join(tokens[i + 1 :])
        if depth == 0 and name in RELATIONS and symbols(parts[-1]) > 3 <= symbols(rest):
            parts[-1] += "{}"
            parts.append(r"\displaystyle" if tex.startswith(r"\displaystyle") else "")
    # Without a space a letter that follows would become a part of the command.
    return [re.sub(r"^\\displaystyle\s*", r"\\displaystyle ", part) for part in parts]


class FigureAlternatives(SphinxPostTransform):
    """Let a figure's caption stand for an image whose cell gives no `mystnb: image: alt`."""

    default_priority = 900  # references in the caption have their text by then

    def run(self, **kwargs) -> None:
        for figure in self.document.findall(nodes.figure):
            for caption in figure.findall(nodes.caption):
                for image in figure.findall(nodes.image):
                    image.setdefault("alt", caption.astext())


def publish_notebook(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Offer a chapter's notebook as it is stored, and a problem set as its students get it."""
    source = Path(app.env.doc2path(pagename)) if pagename in app.env.found_docs else None
    offered = source is not None and source.suffix == ".ipynb"
    if offered:
        target = Path(app.outdir, "_sources", pagename + ".ipynb")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(
            exercisepage.handed_out(source.read_text(encoding="utf-8"), app.config.html_baseurl),
            encoding="utf-8",
        )
        url = context["pathto"](f"_sources/{pagename}.ipynb", resource=True)
    for group in context.get("header_buttons", []):
        if group.get("label") != "download-buttons":
            continue
        group["buttons"] = [
            {**button, "url": url, "tooltip": "Download this notebook"}
            if button.get("label") == "download-source-button"
            else button
            for button in group["buttons"]
            if offered or button.get("label") != "download-source-button"
        ]


# What the extensions write wrongly into every article, as a pattern, and what the page has instead.
MENDED = {
    r'role="doc-biblioentry"': 'role="listitem"',  # withdrawn from ARIA, and no child of role="list"
    r'<summary aria-label="Toggle hidden content">': "<summary>",  # its visible words are the better name
    r' id="(proof|(proof|exercise|solution)-content)"': "",  # the same on every theorem and exercise
    r'Solution to(<a class="reference internal" href="[^"]+">) ': r"Solution to \1",  # no underlined space
    # Chromium would begin a line with the full stop behind a formula.
    r'(<span class="math [\w ]+">[^<]*</span>)([.,;:!?)]+)': r'<span class="unbroken">\1\2</span>',
}


def mend_body(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    for pattern, mended in MENDED.items():
        if "body" in context:
            context["body"] = re.sub(pattern, mended, context["body"])


def setup(app: Sphinx) -> dict:
    # Kernels inherit the environment of the build: pgtlab.widgets.explore then draws every frame beforehand.
    os.environ["PGTLAB_EXPLORE"] = "static"
    app.add_config_value("pgtlab_digest", "", "env", [str])
    app.add_transform(EquationNumbers)
    app.add_transform(LinkTargets)
    app.add_transform(InlineBreaks)
    app.add_post_transform(FigureAlternatives)
    app.connect("config-inited", configure)
    app.connect("builder-inited", copy_mathjax)
    app.connect("html-page-context", publish_notebook, priority=900)  # after the theme made its buttons
    app.connect("html-page-context", mend_body)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
