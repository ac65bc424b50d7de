"""The reference of pgtlab, made from its docstrings by autodoc and napoleon.

A page asks for a room with `automodule`; what the room offers, and so what the page shows, is decided in the
room itself.
"""

import re

from sphinx.application import Sphinx
from sphinx.config import Config

SETTINGS = {
    "add_module_names": False,
    # What a base says stands for all that are derived from it; but not what Python says of its own.
    "autodoc_default_options": {"members": True, "inherited-members": "BaseException, tuple, dict"},
    "autodoc_member_order": "bysource",
    "autodoc_typehints": "none",  # the docstrings say more: shapes, units
    "napoleon_google_docstring": False,
    # A type is a phrase such as "array_like, shape (S,)", and no reference to a class of that name.
    "napoleon_use_ivar": True,
    "napoleon_use_param": False,
    "napoleon_use_rtype": False,
}
ATTRIBUTE = re.compile(r"^:(ivar|vartype) ([\w, ]+): ?(.*)$")


def list_attributes(app: Sphinx, what: str, name: str, thing, options, lines: list[str]) -> None:
    """Make one list of the attributes of a class, in the form of the list of parameters."""
    found = [ATTRIBUTE.match(line) for line in lines]
    types = {each[2]: each[3] for each in found if each and each[1] == "vartype"}
    kept, inside = [], False
    for line, each in zip(lines, found, strict=True):
        if each is None:
            # The further lines of a description are indented.
            inside = inside and line.startswith(" ")
            kept.append(f"      {line.strip()}" if inside else line)
        elif each[1] == "ivar":
            if not any(line.startswith(":Attributes:") for line in kept):
                kept.append(":Attributes:")
            phrase = f" (*{types[each[2]]}*)" if each[2] in types else ""
            kept.append(f"    * **{each[2]}**{phrase}" + (f" -- {each[3]}" if each[3] else ""))
            inside = True
    lines[:] = kept


def whole_sentences(app: Sphinx, what: str, name: str, thing, options, lines: list[str]) -> None:
    """Put back what napoleon took for a type: what stands before a colon in the comment on a constant."""
    for line in lines:
        if what == "data" and line.startswith(":type: "):
            lines.remove(line)
            lines[0] = f"{line.removeprefix(':type: ')}: {lines[0]}"
            return


def configure(app: Sphinx, config: Config) -> None:
    for name, value in SETTINGS.items():
        setattr(config, name, value)


def setup(app: Sphinx) -> dict:
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_css_file("apireference.css")
    app.connect("config-inited", configure, priority=100)
    app.connect("autodoc-process-docstring", list_attributes, priority=900)  # after napoleon
    app.connect("autodoc-process-docstring", whole_sentences, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
