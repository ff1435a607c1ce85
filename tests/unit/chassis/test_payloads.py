"""Strict JSON: what it takes is JSON for everybody, what it refuses never gets in."""

import contextlib
import json
import math
import time

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libs.chassis.payloads import JsonLimits, parse_json
from libs.kernel import InvalidError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_json_can_say_is_taken(value, ascii_only):
    """Any value within the limits comes back as it was."""
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert parse_json(text) == value


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example(b'{"a":1}x')
@example(b"\x00")
def test_any_bytes_are_taken_or_refused(raw):
    """Nothing but `InvalidError` comes out; what is taken another parser takes too."""
    try:
        value = parse_json(raw)
    except InvalidError:
        return
    assert orjson.loads(raw) == value


@given(st.text(alphabet='[]{}",:\\0123456789eE+-.truefalsnINy\u20ac', max_size=80))
def test_almost_json_is_taken_only_if_others_take_it(text):
    """Texts near to JSON are where parsers differ."""
    try:
        value = parse_json(text.encode())
    except InvalidError:
        return
    assert orjson.loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "[NaN]",
        "1e400",
        "-1e400",
        "9223372036854775808",
        "-9223372036854775809",
        "1" * 5000,
        "01",
        "1.",
        ".5",
        "+1",
        "0x10",
        "'a'",
        "{a:1}",
        "[1,]",
        '{"a":1,}',
        "[1] [2]",
        "//x\n1",
        '"\t"',
        '"\\x41"',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '{"\\ud800":1}',
        '[{"a":["\\udfff"]}]',
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":2}}',
        '{"a":1,"\\u0061":2}',
        "",
        " ",
        "nul",
    ],
)
def test_what_readers_do_not_agree_on_is_refused(text):
    """NI-3, and RFC 7493's list."""
    with pytest.raises(InvalidError) as caught:
        parse_json(text.encode())
    assert caught.value.code == "json_invalid"


def test_a_surrogate_pair_is_one_character():
    """Only halves are refused."""
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(
    "raw", [b"\xff", b'"\xc3\x28"', b'"\xed\xa0\x80"', b"\xfe\xff"]
)
def test_bytes_that_are_no_utf8_are_refused(raw):
    """Neither other encodings nor encoded surrogates."""
    with pytest.raises(InvalidError):
        parse_json(raw)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_counted_exactly(opening, closing):
    """32 is taken, 33 is not."""
    parse_json((opening * 32 + "1" + closing * 32).encode())
    with pytest.raises(InvalidError):
        parse_json((opening * 33 + "1" + closing * 33).encode())


def test_many_brackets_in_texts_or_side_by_side_are_no_depth():
    """Only nesting counts."""
    parse_json(json.dumps(["[" * 100, '"{\\"[' * 50, "\\" * 3]).encode())
    parse_json(json.dumps([[] for _ in range(5000)]).encode())


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_absurd_depth_is_refused_cheaply(depth):
    """No recursion limit is met."""
    with pytest.raises(InvalidError):
        parse_json(b"[" * depth)


def test_names_of_an_object_are_bounded():
    """10^5 names are 4xx, 1,000 are not."""
    parse_json(json.dumps({str(i): i for i in range(1000)}).encode())
    with pytest.raises(InvalidError):
        parse_json(json.dumps({str(i): i for i in range(1001)}).encode())
    limits = JsonLimits(names=2)
    with pytest.raises(InvalidError):
        parse_json(b'[{"a":1,"b":1,"c":1}]', limits)


@pytest.mark.parametrize(
    "hostile",
    [
        '"' + '\\"' * 400_000 + "[" * 40,
        '"' + '\\"' * 400_000 + "[]" * 20_000,
        '["' + "[" * 900_000,
        '"' * 900_000 + "[" * 40,
        "[" * 40 + "\\" * 900_000,
        "[" + "1," * 450_000 + "[]" * 40,
        "[" + "[]," * 300_000 + "1]",
        "[" * 40 + "]" * 40 + "x" * 900_000,
        "[" + '"\\u0041",' * 100_000 + "1]",
    ],
)
def test_hostile_texts_cost_linear_time(hostile):
    """A mebibyte of anything is done within a second: no quadratic pattern."""
    start = time.thread_time()
    with contextlib.suppress(InvalidError):
        parse_json(hostile.encode())
    assert time.thread_time() - start < 1


def test_numbers_keep_their_value():
    """The limits are inclusive and floats are floats."""
    assert parse_json(b"[9223372036854775807,-9223372036854775808]") == [
        2**63 - 1,
        -(2**63),
    ]
    assert math.isclose(parse_json(b"1.5e300"), 1.5e300)
