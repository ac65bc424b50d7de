"""Owns the record of a run, and the file it is saved in."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import io
import json
import math
import os
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pgtlab import _validate

#: Number of the file format; another one is refused.
_FORMAT = 1

_ARRAYS = ("parameters", "returns", "gradient_norms")
_SETTINGS = ("rule", "step_size", "n_steps", "problem", "generator_state", "stopped")

#: The types of the settings that are not numbers, and what they are called.
_KINDS = {"rule": dict, "problem": str, "generator_state": (dict, type(None)), "stopped": (str, type(None))}
_IN_WORDS = {
    dict: "a dict",
    str: "a str",
    (dict, type(None)): "a dict or None",
    (str, type(None)): "a str or None",
}

#: Seconds after which the half file of a save that was killed is removed by the next one.
_LEFT_BEHIND = 3600.0

#: The bit generators of NumPy, whose states a file may hold.
_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")

#: Share of the largest J of a run up to which a fall is taken for rounding.
ROUNDING_OF_J = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    r"""Record of an ascent: parameters, exact J and length of the exact gradient at every step, and settings.

    Made by `ascend`. With n steps made there are n + 1 rows, of which the first is the start.

    Parameters
    ----------
    parameters : array_like, shape (n + 1, K)
        :math:`\theta`.
    returns : array_like, shape (n + 1,)
        J, exactly, in units of reward.
    gradient_norms : array_like, shape (n + 1,)
        Euclidean length of :math:`\partial J / \partial \theta`, exactly.
    rule : dict
        Name and settings of the rule, as plain data.
    step_size : float
    n_steps : int
        Steps that were asked for.
    problem : str
        The problem and the policy in words, to tell runs apart.
    generator_state : dict or None
        State of the generator at the start, as plain data; None if the rule does not draw.
    stopped : str or None
        Why the run ended before its time; None if it did not.

    Raises
    ------
    ValueError
        If the shapes do not go together, an entry is not finite, `rule` has no name, or there are more rows
        than `n_steps` makes.
    TypeError
        If an argument is of the wrong type.

    Notes
    -----
    The problem, the policy's features, and what the rule remembered at the end (its critic, its traces) are
    not in the record. With problem and policy at hand, ``policy.with_parameters(run.parameters)`` is the
    batch of all policies of the run, and the run is repeated, bit for bit, by
    ``ascend(mdp, policy.with_parameters(run.parameters[0]), rule=..., rng=run.generator())`` with the rule,
    the step size and the number of steps that the record names. A run that goes on from
    ``run.parameters[-1]`` starts with an empty memory.

    Examples
    --------
    J = 1 + 8 p: ten steps of size 0.1 along the natural gradient 8 bring the log odds of p to 8.

    >>> from pgtlab.ascent import NaturalGradientAscent, ascend
    >>> from pgtlab.gallery import now_or_later
    >>> mdp, policy = now_or_later()
    >>> run = ascend(mdp, policy, rule=NaturalGradientAscent(), step_size=0.1, n_steps=10)
    >>> run
    Run(NaturalGradientAscent, 10 steps, J from 5 to 8.99732)
    >>> run.parameters[-1].round(6), run.rule, run.stopped
    (array([8.]), {'name': 'NaturalGradientAscent'}, None)
    """

    parameters: np.ndarray
    returns: np.ndarray
    gradient_norms: np.ndarray
    rule: dict
    step_size: float
    n_steps: int
    problem: str
    generator_state: dict | None
    stopped: str | None

    def __post_init__(self):
        parameters = _validate.array("parameters", self.parameters, "(n, K)")
        object.__setattr__(self, "parameters", parameters)
        for name in ("returns", "gradient_norms"):
            values = _validate.array(name, getattr(self, name), "(n,)")
            _validate.shape(name, values, parameters.shape[:1], "to go with parameters")
            object.__setattr__(self, name, values)
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kinds):
                raise TypeError(f"{name} must be {_IN_WORDS[kinds]}, got {type(value).__name__}")
        if not isinstance(self.rule.get("name"), str):
            raise ValueError(f"rule is {self.rule}; expected its name in 'name'")
        object.__setattr__(self, "step_size", _validate.number("step_size", self.step_size))
        # A step more than was asked for nobody makes.
        object.__setattr__(self, "n_steps", _validate.count("n_steps", self.n_steps, len(parameters) - 1))

    @property
    def falls(self):
        """Steps that lowered J by more than rounding, 1e-9 of the largest J of the run; ndarray of int.

        Step i leads from row i to row i + 1.
        """
        allowed = ROUNDING_OF_J * np.abs(self.returns).max()
        return np.flatnonzero(np.diff(self.returns) < -allowed)

    def generator(self):
        """Generator in the state it had at the start of the run.

        Raises
        ------
        ValueError
            If the run drew no random numbers, or with a bit generator that is not NumPy's own.

        Notes
        -----
        It draws the same numbers; what it would spawn is not the same.
        """
        if self.generator_state is None:
            raise ValueError("this run drew no random numbers; expected one of a rule that draws")
        name = self.generator_state.get("bit_generator")
        if name not in _BIT_GENERATORS:
            raise ValueError(f"bit generator is {name!r}; expected one of {', '.join(_BIT_GENERATORS)}")
        bits = getattr(np.random, name)()
        try:
            bits.state = self.generator_state
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"generator_state is no state of {name}: {error!r}") from None
        return np.random.Generator(bits)

    def save(self, path):
        """Save the run, without loss, for `load`.

        The file is written under another name in the same folder and then moved: at no time is there half a
        file, and an old one stays whole until the new one is. What a save that was killed has left behind, a
        hidden file beside it, is removed by the next one of the same name, an hour later or more.

        Parameters
        ----------
        path : str or path-like
            Used as it is: no ending is added. The file is a NumPy archive, so ``.npz`` is the usual one.

        Raises
        ------
        OSError
            If the file cannot be written.
        TypeError
            If `path` is no path.
        """
        path = _path(path)
        settings = {name: getattr(self, name) for name in _SETTINGS}
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        _remove_left_behind(path)
        part = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
        try:
            with open(part, "xb") as file:
                np.savez(file, format=np.array(_FORMAT), settings=np.array(json.dumps(settings)), **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path):
        """Load a run from a file that `save` wrote.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        Run
            Equal to the one that was saved, bit for bit.

        Raises
        ------
        ValueError
            If the file is cut short or damaged, is of another format, or holds no run.
        OSError
            If the file cannot be read.
        TypeError
            If `path` is no path.

        Notes
        -----
        Nothing in the file is run, and no more is read than the file is long: `save` does not compress, and
        what is compressed is refused.
        """
        with open(_path(path), "rb") as file:
            content = _content(file, path)
        if "format" not in content or content["format"].dtype.kind not in "iu":
            raise ValueError(f"{path} is a NumPy file but holds no run; expected what Run.save writes")
        if content["format"] != _FORMAT:
            raise ValueError(
                f"{path} is a run of format {content['format']}; expected format {_FORMAT}, "
                "which this version of pgtlab reads"
            )
        try:
            settings = json.loads(str(content["settings"]))
            return cls(
                **{name: content[name] for name in _ARRAYS}, **{name: settings[name] for name in _SETTINGS}
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"{path} holds a run with a part missing or changed ({error}); expected what Run.save writes"
            ) from None

    def __reduce__(self):
        # Through the constructor: a bare copy of the arrays would not be write-protected.
        return Run, tuple(getattr(self, each.name) for each in dataclasses.fields(self))

    def __repr__(self):
        first, last = self.returns[0], self.returns[-1]
        stopped = ", stopped" if self.stopped else ""
        steps, falls = len(self.returns) - 1, self.falls.size
        # Sampled directions lower J now and then; an exact one does so for a reason.
        fallen = f", J falls in {falls}" if falls and self.generator_state is None else ""
        return f"Run({self.rule['name']}, {steps} steps, J from {first:.6g} to {last:.6g}{fallen}{stopped})"


def _path(path):
    # A number would be the descriptor of an open file.
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a str or a path, got {type(path).__name__}")
    return Path(path)


def _remove_left_behind(path):
    """Remove the half files of saves to `path` that were killed; younger ones may still be written to."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _LEFT_BEHIND:
                part.unlink()


def _content(file, path):
    """Return all arrays of a NumPy archive by name, which together are no larger than the file."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            # What a compressed part comes to is known only once it is there, whatever the file says.
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                raise ValueError("its parts are compressed")
            if sum(part.file_size for part in parts) > os.fstat(file.fileno()).st_size:
                raise ValueError("its parts are larger than the file")
            return {part.filename.removesuffix(".npy"): _array(archive.read(part)) for part in parts}
    except (ValueError, EOFError, OSError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is cut short, damaged or no NumPy archive ({error}); expected what Run.save writes"
        ) from None


def _array(data):
    """Return the array that the bytes of a file of NumPy's format hold; it is not larger than they are."""
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array in another version of NumPy's format")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    flat = np.frombuffer(data, dtype, count=math.prod(shape), offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran_order else "C")


def described(thing):
    """Return name and settings of an object, such as a rule, as plain data."""
    settings = dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ()
    return {
        "name": type(thing).__name__,
        **{each.name: plain(getattr(thing, each.name)) for each in settings},
    }


def plain(value):
    """Return settings as plain data that JSON can hold: dict, list, str, numbers, None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return described(value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    # A function by its name; of anything else its kind, for an address would differ from run to run.
    return getattr(value, "__qualname__", None) or type(value).__name__
