"""Owns what may come back from a student's function: numbers, text and arrays, and lists, tuples and dicts.

`encode` works in the student's process and is kind: what NumPy would take for numbers becomes numbers.
`decode` works in the judge's and is strict: it takes nothing but a tree of plain data and the bytes of arrays
in a row, within limits, and runs no code for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

#: Arrays of these types come back; others are turned into one of them or refused.
DTYPES = ("|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16")

#: Bytes of all arrays of an answer, parts of it, levels, keys of its dicts, bits of a whole number.
MOST_BYTES, MOST_PARTS, MOST_LEVELS, MOST_KEYS, MOST_BITS = 64 << 20, 100_000, 32, 10_000, 1024

#: Characters of text, and digits of numbers beyond those of a float.
MOST_TEXT = 200_000


class Refused(TypeError):
    """Say why a value cannot come back."""


class Malformed(ValueError):
    """Say what is wrong with a tree that `encode` has not made."""


def encode(value):
    """Return a tree for JSON and the bytes of the arrays in it.

    Parameters
    ----------
    value : object
        What a function returned.

    Returns
    -------
    (object, bytes)

    Raises
    ------
    Refused
        If it is none of numbers, text, arrays, lists, tuples and dicts of those, or too large.

    Examples
    --------
    >>> tree, blob = encode((1, np.array([0.5])))
    >>> tree, len(blob)
    ({'tuple': [1, {'array': ['<f8', [1]]}]}, 8)
    >>> decode(tree, blob)
    (1, array([0.5]))
    """
    encoder = _Encoder()
    tree = encoder.encode(value, 0)
    return tree, b"".join(encoder.chunks)


class _Encoder:
    def __init__(self):
        self.chunks, self.bytes, self.parts, self.keys, self.characters = [], 0, 0, 0, 0

    def encode(self, value, level):
        self.parts += 1
        if self.parts > MOST_PARTS or level > MOST_LEVELS:
            raise Refused(f"more than {MOST_PARTS} parts or {MOST_LEVELS} levels; expected an array")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, np.generic | np.ndarray):
            return self._array(np.asarray(value), level)
        if isinstance(value, int):
            if value.bit_length() > MOST_BITS:
                raise Refused(f"a whole number of {value.bit_length()} bits; at most {MOST_BITS} come back")
            self._count(value.bit_length() // 64)
            return int(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, complex):
            return self._array(np.asarray(value), level)
        if isinstance(value, str):
            self._count(len(value))
            return str(value)
        if isinstance(value, Mapping):
            self.keys += len(value)
            if self.keys > MOST_KEYS:
                raise Refused(f"dicts with more than {MOST_KEYS} keys")
            items = [[self.encode(each, level + 1) for each in item] for item in value.items()]
            return {"dict": items}
        if isinstance(value, tuple):
            return {"tuple": [self.encode(each, level + 1) for each in value]}
        if hasattr(value, "__array__"):
            return self._array(np.asarray(value), level)
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
            return [self.encode(each, level + 1) for each in value]
        if hasattr(value, "__float__"):
            return float(value)
        raise Refused(
            f"{type(value).__name__}; expected numbers or arrays, or lists, tuples or dicts of those"
        )

    def _array(self, array, level):
        kind = array.dtype.kind
        if kind in "OU":
            return self.encode(array.tolist(), level + 1)
        if kind not in "biufc":
            raise Refused(f"an array of dtype {array.dtype}; expected numbers")
        # Of a view that is large on paper only, no copy must be made.
        self.bytes += array.nbytes
        if self.bytes > MOST_BYTES:
            raise Refused(f"arrays of more than {MOST_BYTES >> 20} MB")
        if array.dtype.str.lstrip("<>=|") in ("f16", "c32"):
            array = array.astype(np.float64 if kind == "f" else np.complex128)
        array = array.astype(array.dtype.newbyteorder("<"))
        self.chunks.append(array.tobytes())
        return {"array": [array.dtype.str, list(array.shape)]}

    def _count(self, characters):
        self.characters += characters
        if self.characters > MOST_TEXT:
            raise Refused(f"text of more than {MOST_TEXT} characters")


def decode(tree, blob):
    """Return the value that a tree and the bytes of its arrays stand for.

    Parameters
    ----------
    tree : object
        From JSON, and not to be trusted.
    blob : bytes

    Returns
    -------
    object
        Of plain Python and NumPy types only; arrays are copies. An array without axes is a number.

    Raises
    ------
    Malformed
        If the tree is not one that `encode` makes.
    """
    decoder = _Decoder(memoryview(blob))
    value = decoder.decode(tree, 0)
    if decoder.at != len(blob):
        raise Malformed(f"{len(blob)} bytes of arrays, but the tree tells of {decoder.at}")
    return value


class _Decoder:
    def __init__(self, blob):
        self.blob, self.at, self.parts, self.keys = blob, 0, 0, 0

    def decode(self, tree, level):
        self.parts += 1
        if self.parts > MOST_PARTS or level > MOST_LEVELS:
            raise Malformed(f"more than {MOST_PARTS} parts or {MOST_LEVELS} levels")
        if tree is None or type(tree) in (bool, float, str):
            return tree
        if type(tree) is int:
            if tree.bit_length() > MOST_BITS:
                raise Malformed(f"a whole number of {tree.bit_length()} bits")
            return tree
        if type(tree) is list:
            return [self.decode(each, level + 1) for each in tree]
        if type(tree) is not dict or len(tree) != 1:
            raise Malformed("a node that is no single word with its content")
        ((word, content),) = tree.items()
        if type(content) is not list:
            raise Malformed(f"{word[:20]!r} without a list")
        if word == "tuple":
            return tuple(self.decode(each, level + 1) for each in content)
        if word == "dict":
            return self._dict(content, level)
        if word == "array":
            return self._array(content)
        raise Malformed(f"the word {word[:20]!r}")

    def _dict(self, items, level):
        self.keys += len(items)
        if self.keys > MOST_KEYS:
            raise Malformed(f"dicts with more than {MOST_KEYS} keys")
        decoded = {}
        for item in items:
            if type(item) is not list or len(item) != 2:
                raise Malformed("a dict whose items are no pairs")
            key = self.decode(item[0], level + 1)
            try:
                decoded[key] = self.decode(item[1], level + 1)
            except TypeError:
                raise Malformed(f"a dict with a {type(key).__name__} for a key") from None
        return decoded

    def _array(self, content):
        if len(content) != 2 or content[0] not in DTYPES or type(content[1]) is not list:
            raise Malformed("an array without a known dtype and a shape")
        dtype, shape = np.dtype(content[0]), content[1]
        if len(shape) > MOST_LEVELS or not all(type(n) is int and 0 <= n <= MOST_BYTES for n in shape):
            raise Malformed("an array of an impossible shape")
        size = math.prod(shape) * dtype.itemsize
        if size > len(self.blob) - self.at:
            raise Malformed("an array that is larger than what came")
        chunk = self.blob[self.at : self.at + size]
        self.at += size
        if dtype.kind == "b":
            # A byte of a bool is 0 or 1, whatever came.
            array = np.frombuffer(chunk, dtype=np.uint8) != 0
        else:
            array = np.frombuffer(chunk, dtype=dtype).copy()
        try:
            return array.reshape(shape)[()]
        except ValueError:
            raise Malformed("an array of an impossible shape") from None
