"""Owns the students' version of a problem set: the source without its solutions and hidden tests."""

import copy
import re

#: What stands in the place of a solution: nbgrader's words, which tell that a cell is as it was released.
STUBS = {"code": ("# YOUR CODE HERE", "raise NotImplementedError()"), "markdown": ("YOUR ANSWER HERE",)}


def released(notebook):
    """Return the notebook that students get.

    The same as nbgrader's `generate_assignment` makes, without its checksums; but nbgrader is not needed.

    Parameters
    ----------
    notebook : dict
        The source of a problem set in nbgrader's format, as `json.load` or `nbformat.read` gives it. It is
        left as it is.

    Returns
    -------
    dict
        Of the same class. A stub stands for each solution, hidden tests are empty cells, nothing has been
        run.

    Raises
    ------
    ValueError
        If the source could give a solution away: a region that does not end, or in a cell of another kind.

    Examples
    --------
    >>> cell = {
    ...     "cell_type": "code", "metadata": {"nbgrader": {"grade_id": "half", "solution": True}},
    ...     "source": "def half(x):\\n    ### BEGIN SOLUTION\\n    return x / 2\\n    ### END SOLUTION",
    ... }
    >>> print(released({"cells": [cell], "metadata": {}})["cells"][0]["source"])
    def half(x):
        # YOUR CODE HERE
        raise NotImplementedError()
    """
    notebook, seen = copy.deepcopy(notebook), set()
    for index, cell in enumerate(notebook["cells"]):
        kind = cell["metadata"].get("nbgrader", {})
        name = kind.get("grade_id")
        where = f"cell {index}" + (f" ({name})" if name else "")
        if name in seen:
            raise ValueError(f"{where}: the grade_id is taken by a cell above; expected one of its own")
        seen |= {name} - {None}
        cell["source"] = _released_source(where, cell, kind)
        if kind.get("solution") or kind.get("grade") or kind.get("locked"):
            cell["metadata"]["deletable"] = False
            if not kind.get("solution"):
                cell["metadata"]["editable"] = False
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


#: The first line of the cell that installs pgtlab on Colab. The grader knows the cell by it.
FIRST = "# On Google Colab, run this cell first. Elsewhere it does nothing."


def with_install(notebook, site):
    """Return a students' version whose first cell installs pgtlab where it is run on Colab.

    Parameters
    ----------
    notebook : dict
        As `released` gives it. It is left as it is.
    site : str
        The address of the published book, which has the wheel of pgtlab.

    Returns
    -------
    dict
        Of the same class.

    Examples
    --------
    >>> made = with_install({"cells": [], "metadata": {}}, "https://example.org/book/")
    >>> print(made["cells"][0]["source"])  # doctest: +ELLIPSIS
    # On Google Colab, run this cell first. Elsewhere it does nothing.
    import sys
    <BLANKLINE>
    if "google.colab" in sys.modules:
        %pip install --quiet https://example.org/book/lite/pypi/pgtlab-...-py3-none-any.whl
    """
    from importlib.metadata import version

    if not re.fullmatch(r"https?://[^\s'\"\\\\]+", site):
        raise ValueError(f"the book is at {site!r}; expected its address, such as https://example.org/book")
    wheel = f"{site.rstrip('/')}/lite/pypi/pgtlab-{version('pgtlab')}-py3-none-any.whl"
    text = f'{FIRST}\nimport sys\n\nif "google.colab" in sys.modules:\n    %pip install --quiet {wheel}'
    cell = {"cell_type": "code", "execution_count": None, "id": "install", "metadata": {}, "outputs": []}
    made = copy.deepcopy(notebook)
    made["cells"].insert(0, type(made)({**cell, "source": text}))
    return made


def installs(text):
    """Say whether the text of a cell is the one that installs pgtlab."""
    return text.startswith(FIRST)


def _released_source(where, cell, kind):
    source = "".join(cell["source"])  # a file may hold it as a list of lines
    stub = STUBS.get(cell["cell_type"], ())
    shown, cut = _without(where, source, "SOLUTION", stub)
    if cut and not kind.get("solution"):
        raise ValueError(f"{where}: BEGIN SOLUTION; expected it in cells with nbgrader's solution: true only")
    if kind.get("solution") and not cut:
        shown = "\n".join(stub)
    shown, cut = _without(where, shown, "HIDDEN TESTS", ())
    if cut and not kind.get("grade"):
        raise ValueError(
            f"{where}: BEGIN HIDDEN TESTS; expected it in cells with nbgrader's grade: true only"
        )
    return shown


def _without(where, source, region, stub):
    """Return a source with a stub for each region of this name, and whether there was one."""
    lines, inside, cut = [], False, False
    for line in source.split("\n"):
        if f"BEGIN {region}" in line:
            if inside:
                raise ValueError(f"{where}: BEGIN {region} inside another; expected END {region} before it")
            indent = re.match(r"\s*", line)[0]
            lines += [indent + each for each in stub]
            inside = cut = True
        elif f"END {region}" in line:
            if not inside:
                raise ValueError(f"{where}: END {region}; expected BEGIN {region} before it")
            inside = False
        elif not inside:
            lines.append(line)
    if inside:
        raise ValueError(f"{where}: BEGIN {region}; expected END {region} after it")
    return "\n".join(lines), cut
