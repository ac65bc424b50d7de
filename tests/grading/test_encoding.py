"""What comes back from a student's function: numbers survive the way, and nothing else does."""

from __future__ import annotations

import json
import math
import time
from collections import OrderedDict, namedtuple
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from pgtgrade.outputs import Outputs
from pgtgrade.runner import encoding
from pgtgrade.runner.encoding import DTYPES, Malformed, Refused, decode, encode


def there_and_back(value):
    tree, blob = encode(value)
    return decode(json.loads(json.dumps(tree)), blob)


def same(one, other):
    """Say that two values are of the same kinds and equal, NaN to NaN."""
    assert type(one) is type(other)
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        for each, its in zip(one, other, strict=True):
            same(each, its)
    elif isinstance(one, dict):
        same(list(one), list(other))
        same(list(one.values()), list(other.values()))
    elif isinstance(one, np.ndarray | np.generic):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert_array_equal(one, other)
    else:
        assert one == other or (one != one and other != other)


arrays = hnp.arrays(
    st.sampled_from(DTYPES).map(np.dtype), hnp.array_shapes(min_dims=1, min_side=0, max_side=4)
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
keys = st.none() | st.integers() | texts | st.tuples(st.integers(), st.integers())
values = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_plain_data_survives_the_way(value):
    same(there_and_back(value), value)


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), np.float64(0.5)),
        (np.array(0.5), np.float64(0.5)),
        (1 + 2j, np.complex128(1 + 2j)),
        (np.longdouble(0.5), np.float64(0.5)),
        (np.array([1, 2], dtype=">i4"), np.array([1, 2], dtype="<i4")),
        (np.array([0.5, 1], dtype=object), [0.5, 1]),
        (np.ones((1, 2)).view(type("A", (np.ndarray,), {})), np.ones((1, 2))),
        (np.ma.array([1.0, 2.0], mask=[True, False]), np.array([1.0, 2.0])),
        (np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(6.0).reshape(2, 3)),
        (np.arange(6.0)[::-2], np.array([5.0, 3.0, 1.0])),
        (Fraction(1, 4), 0.25),
        (range(3), [0, 1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (Pair(1, 2), (1, 2)),
        (True, True),
        (np.bool_(True), np.bool_(True)),
    ],
)
def test_what_numpy_takes_for_numbers_comes_back_as_numbers(value, expected):
    same(there_and_back(value), expected)


def test_what_comes_back_is_a_copy_that_one_may_write_into():
    array = there_and_back(np.zeros(3))
    array += 1
    assert array.flags.owndata or array.base.flags.writeable


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1}, "set; expected numbers or arrays"),
        (object(), "object; expected"),
        (b"bytes", "bytes; expected"),
        (print, "builtin_function_or_method; expected"),
        (np.zeros(2, dtype="datetime64[s]"), "an array of dtype datetime64"),
        (np.zeros(2, dtype="f8,f8"), "an array of dtype"),
        (np.array([{1}]), "set; expected"),
        (1 << 2000, "a whole number of 2001 bits; at most 1024"),
        ([[0.0] * 400] * 400, "more than 100000 parts"),
        (dict.fromkeys(range(20_000)), "dicts with more than 10000 keys"),
        (np.zeros(9 << 20), "arrays of more than 64 MB"),
        (np.broadcast_to(0.0, (1 << 40,)), "arrays of more than 64 MB"),
        ("x" * 200_001, "text of more than 200000 characters"),
        ([1 << 1023] * 20_000, "text of more than 200000 characters"),
    ],
)
def test_the_rest_is_refused_in_words(value, words):
    with pytest.raises(Refused) as error:
        encode(value)
    assert str(error.value).startswith(words)


def test_what_holds_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(Refused, match="more than 100000 parts or 32 levels"):
        encode(value)


# --- what nobody has encoded -----------------------------------------------------------------------

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["array", "tuple", "dict", "list", "x"]), inner, max_size=2)
        | st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(-2, 1 << 70), max_size=3)).map(
            lambda pair: {"array": list(pair)}
        )
    ),
    max_leaves=20,
)


@given(trees, st.binary(max_size=64))
def test_any_tree_is_decoded_or_found_malformed(tree, blob):
    try:
        decode(tree, blob)
    except Malformed:
        return
    assert len(blob) == 0 or "array" in json.dumps(tree)


@pytest.mark.parametrize(
    ("tree", "blob", "words"),
    [
        ({"array": ["|O", [1]]}, b"x" * 8, "an array without a known dtype"),
        ({"array": ["<f8", [2]]}, b"x" * 8, "an array that is larger than what came"),
        ({"array": ["<f8", [1]]}, b"x" * 16, "16 bytes of arrays, but the tree tells of 8"),
        ({"array": ["<f8", [-1]]}, b"x" * 8, "an array of an impossible shape"),
        ({"array": ["<f8", [True]]}, b"x" * 8, "an array of an impossible shape"),
        ({"array": ["<f8", [1] * 40]}, b"x" * 8, "an array of an impossible shape"),
        ({"array": ["<f8", [0, *[1 << 26] * 20]]}, b"", "an array of an impossible shape"),
        ({"array": [["<f8"], [1]]}, b"x" * 8, "an array without a known dtype"),
        ({"array": ["<f8", [1]], "tuple": []}, b"x" * 8, "a node that is no single word"),
        ({}, b"", "a node that is no single word"),
        ({"tuple": 3}, b"", "'tuple' without a list"),
        ({"dict": [[1]]}, b"", "a dict whose items are no pairs"),
        ({"dict": [[[1], 2]]}, b"", "a dict with a list for a key"),
        ({"dict": [[{"tuple": [[1]]}, 2]]}, b"", "a dict with a tuple for a key"),
        ({"__reduce__": []}, b"", "the word '__reduce__'"),
        (1 << 1025, b"", "a whole number of 1026 bits"),
        ([0] * 100_001, b"", "more than 100000 parts"),
    ],
)
def test_what_is_malformed_is_said_in_words(tree, blob, words):
    with pytest.raises(Malformed) as error:
        decode(tree, blob)
    assert str(error.value).startswith(words)


def test_a_bool_is_0_or_1_whatever_came():
    array = decode({"array": ["|b1", [3]]}, b"\x00\x01\x07")
    assert_array_equal(array.view(np.uint8), [0, 1, 1])


def test_keys_that_are_made_to_collide_take_no_time():
    """All these numbers have the hash 0."""
    prime = (1 << 61) - 1
    items = [[k * prime, 0] for k in range(encoding.MOST_KEYS)]
    start = time.perf_counter()
    assert len(decode({"dict": items}, b"")) == encoding.MOST_KEYS
    assert time.perf_counter() - start < 10


# --- outputs ---------------------------------------------------------------------------------------


def kept(*outputs, most=100):
    room = Outputs(most)
    for each in outputs:
        room.add(each, 7)
    return room.cut()


def test_only_text_and_pictures_are_kept():
    data = {
        "text/plain": "plain",
        "text/html": "<script>alert(1)</script>",
        "image/svg+xml": "<svg onload='alert(1)'/>",
        "application/javascript": "alert(1)",
        "text/latex": "\\href{javascript:alert(1)}",
        "image/png": "aGVsbG8=",
        "image/jpeg": '"><script>',
    }
    assert kept({"output_type": "execute_result", "data": data, "metadata": {"x": 1}}) == [
        {
            "output_type": "execute_result",
            "data": {"text/plain": "plain", "image/png": "aGVsbG8="},
            "metadata": {},
            "execution_count": 7,
        }
    ]


def test_text_is_joined_cut_and_cleaned():
    one = {"output_type": "stream", "name": "stdout", "text": "a\x00b\ud800\x1b[31m\r\n"}
    assert kept(one, one)[0]["text"] == "a\ufffdb\ufffd\x1b[31m\r\n" * 2
    long = {"output_type": "stream", "name": "stderr", "text": "x" * 80}
    cut = "[the rest is cut: a cell keeps 100 characters]\n"
    assert [each["text"] for each in kept(long, long)] == ["x" * 100, cut]


@pytest.mark.parametrize(
    "output",
    [
        None,
        [],
        {},
        {"output_type": "stream"},
        {"output_type": "stream", "text": 3, "name": []},
        {"output_type": "display_data", "data": []},
        {"output_type": "display_data", "data": {"text/plain": None}},
        {"output_type": ["stream"]},
        {"output_type": "update_display_data", "data": {"text/plain": "x"}},
    ],
)
def test_what_is_no_output_is_not_kept(output):
    assert kept(output) == []


@given(st.dictionaries(st.sampled_from(["output_type", "name", "text", "data", "ename", "traceback"]), trees))
def test_any_output_becomes_one_that_can_be_stored(output):
    for kind in ("stream", "error", "display_data", "execute_result"):
        assert json.dumps(kept({**output, "output_type": kind})).encode()
        assert len(str(kept({**output, "output_type": kind}))) < 2_000


def test_a_float_of_many_digits_is_read_in_no_time():
    start = time.perf_counter()
    assert math.isinf(json.loads("[" + "1" * (4 << 20) + ".0]")[0])
    assert time.perf_counter() - start < 10


def test_what_comes_back_as_no_message_tells_nothing_of_itself():
    from pgtgrade.judging import proxy

    forged = {"value": {"0.1234567": []}}, b""
    with pytest.raises(TypeError, match="^no answer came back, but a message that is none$"):
        proxy("visits", lambda name, arguments: forged)(1.0)
