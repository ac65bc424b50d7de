"""What a submission finds as `pgtlab`: the rooms that its set needs; of all else a name that nothing can use.

An import that is not used costs nothing, and one that is used says what is the matter.
"""

import importlib


class Absent:
    """Stands for what is not there, and says so to whoever uses it."""

    def __init__(self, name):
        self.__name__ = name

    def _say(self, *_, **__):
        raise RuntimeError(
            f"pgtlab's {self.__name__} is not there when this set is graded: write it yourself, or with NumPy"
        )

    __call__ = __getattr__ = __getitem__ = __iter__ = __len__ = __mro_entries__ = _say


def __getattr__(name):
    # What Python or pytest asks a module for is no name of the package.
    if name.startswith(("__", "pytest")):
        raise AttributeError(f"module 'pgtlab' has no attribute {name!r}")
    try:
        return importlib.import_module(f"pgtlab.{name}")
    except ModuleNotFoundError:
        return Absent(name)
