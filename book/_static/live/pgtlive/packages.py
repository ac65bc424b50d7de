"""Mends, when a package of Pyodide has come, what makes it slow to start."""

import dis
import importlib.util
import itertools
import json
import pathlib
import sys
import types


def loaded() -> None:
    if "matplotlib" not in sys.modules and importlib.util.find_spec("matplotlib") is not None:
        number_fonts()


def number_fonts() -> None:
    """Give the list of matplotlib's fonts the number that this matplotlib expects.

    It has that of another version, and matplotlib would read all its fonts, for seconds. The number stands in
    the class FontManager, which is read as code: a distribution need not hold the source.
    """
    spec = importlib.util.find_spec("matplotlib.font_manager")
    fonts = pathlib.Path(spec.origin).with_name("fontlist.json")
    if not fonts.exists():
        return
    code = spec.loader.get_code(spec.name)
    (code,) = (c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == "FontManager")
    steps = list(dis.get_instructions(code))
    (number,) = (
        a.argval
        for a, b in itertools.pairwise(steps)
        if b.opname == "STORE_NAME" and b.argval == "__version__"
    )
    fonts.write_text(json.dumps({**json.loads(fonts.read_text()), "_version": number}))
