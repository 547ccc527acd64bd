"""Reading JSON text: what no decoder may see, which of equal members counts, and that bytes stay as received."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples
from tests.samples.json_texts import SPACE, VALUE, RootText, root_texts

from longwire.core import json_text
from longwire.core.errors import InvalidInput, LongwireError, TooLarge
from longwire.core.json_text import MAX_BODY_BYTES, MAX_DEPTH


def nested(depth: int, inside: str = "") -> bytes:
    """Return one root with arrays inside, `depth` levels in all."""
    return b'{"r":{"a":' + b"[" * (depth - 2) + inside.encode() + b"]" * (depth - 2) + b"}}"


def members(body: bytes) -> dict[str, bytes]:
    return {name: bytes(raw) for name, raw in json_text.read_roots(body)[2].items()}


def kept(body: bytes) -> bytes:
    return json_text.read_roots(body)[0]


# What no decoder may see


@pytest.mark.parametrize(
    "body",
    [
        nested(MAX_DEPTH),
        nested(MAX_DEPTH, '"[[[[{{{{"'),
        nested(MAX_DEPTH, '"\\"[[[["'),
        b'{"r":{"a":"' + b"[" * 500 + b'"}}',
        b'{"r":{"' + b"{" * 500 + b'":1}}',
        b'{"r":{"a":[' + b",".join([b"{}"] * 500) + b"]}}",
    ],
)
def test_64_levels_are_read_whatever_stands_in_strings(body: bytes) -> None:
    assert kept(body) == body
    assert json_text.read_document(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        nested(MAX_DEPTH + 1),
        nested(MAX_DEPTH, '"\\\\",["]"]'),
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"r":{"a":"\\"' + b'",[' + b"[" * 70,
    ],
)
def test_65_levels_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="nested deeper than 64"):
        json_text.read_roots(body)
    with pytest.raises(InvalidInput, match="nested deeper than 64"):
        json_text.read_document(body)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("filling", [b'\\"', b'"', b"\\", b'\\\\"', b'a"', b'\\"['])
def test_a_text_that_never_ends_is_refused_in_one_pass(filling: bytes) -> None:
    body = b"[" * 65 + b'"' + filling * (1_000_000 // len(filling))

    with pytest.raises(InvalidInput):
        json_text.read_roots(body)


@pytest.mark.parametrize(
    ("text", "byte"),
    [
        (b'{"r":{"a":"\xff"}}', 11),
        (b'{"r":{"a":"\xc3"}}', 11),
        (b'{"r":{"a":"\xc0\xaf"}}', 11),  # overlong
        (b'{"r":{"a":"\xed\xa0\x80"}}', 11),  # a surrogate
        (b'{"r":{"a":"\xf4\x90\x80\x80"}}', 11),  # behind the last code point
        ('{"r":{"a":"é"}}'.encode("latin-1"), 11),
        ('{"r":{}}'.encode("utf-16"), 0),
    ],
)
def test_what_is_not_strict_utf_8_is_refused_with_the_byte(text: bytes, byte: int) -> None:  # IN-05
    with pytest.raises(InvalidInput, match=rf"not UTF-8 \(byte {byte}\)"):
        json_text.read_roots(text)


def test_a_body_has_at_most_1_mib() -> None:
    frame = len(b'{"r":{"a":""}}')
    largest = b'{"r":{"a":"' + b"x" * (MAX_BODY_BYTES - frame) + b'"}}'

    assert kept(largest) == largest
    with pytest.raises(TooLarge, match="1048576 bytes"):
        json_text.read_roots(b" " + largest)
    with pytest.raises(TooLarge, match="10 bytes"):
        json_text.check_json_bytes(b" " * 11, max_bytes=10)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"x"',
        b"1",
        b"{}",
        b'{"a":null}',
        b'{"a":[]}',
        b'{"a":1}',
        b'{"a":{}}{}',
        b'{"a":{}},',
        b'{"a":{"b":1}',
        b'{"a":{"b":1,}}',
        b"{'a':{}}",
        b'{a:{"b":1}}',
        b'{"a":{"b":NaN}}',
        b'{"a":{"b":Infinity}}',
        b'{"a":{"b":01}}',
        b'{"a":{"b":.5}}',
        b'{"a":{"b":"\t"}}',
        b'{"a":{"b":"\\q"}}',
        b'{"a":{"b":"\\u00"}}',
        b'{"a":{"b":"\\ud800"}}',
        b'{"a":{"b":"\\udc00\\ud800"}}',
        b'{"a":{"\\ud800":1}}',
        b'{"\\ud800":{}}',
        b'{"a":{"b":{"\\ud800":1}}}',
        b"\xef\xbb\xbf" + b'{"a":{}}',
        b"<xml/>",
        b"a=1&b=2",
    ],
)
def test_what_is_not_one_root_object_is_refused(body: bytes) -> None:  # IN-05
    with pytest.raises(InvalidInput, match=r"^body: "):
        json_text.read_roots(body)


def test_different_roots_together_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="expected one root member, got DevEUI_location, DevEUI_uplink"):
        json_text.read_roots(b'{"DevEUI_uplink":{},"DevEUI_location":{}}')


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
@examples(200)
def test_rubbish_raises_nothing_but_our_own_errors(body: bytes) -> None:
    for read in (json_text.read_roots, json_text.read_document):
        try:
            read(body)
        except LongwireError as error:
            assert error.field == "body"  # noqa: PT017 - most rubbish is refused, some is JSON


@given(root_texts(), st.data())
@examples(100)
def test_a_damaged_text_is_refused_or_readable_to_its_last_byte(
    sample: RootText, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(sample.body)))
    damage = data.draw(st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b"}", b"{", b",", b"\\u"]))
    body = sample.body[:at] + damage + sample.body[at + data.draw(st.integers(0, 3)) :]
    try:
        text, root, found = json_text.read_roots(body)
    except LongwireError:
        return
    again, root_again, found_again = json_text.read_roots(text)
    assert (again, root_again, dict(found_again)) == (text, root, dict(found))
    for raw in map(bytes, found.values()):
        json_text.scalar_text(raw)
        json_text.object_members(raw)
        json_text.array_elements(raw)
        json.loads(json_text.compact(raw), parse_int=str, parse_float=str)


# Which of equal members counts


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"r":{"a":1,"a":2}}', b'{"r":{"a":2}}'),
        (b'{"r":{"a":1,"b":3,"a":2}}', b'{"r":{"a":2,"b":3}}'),
        (b'{"r":{"DevEUI":1,"\\u0044evEUI":2}}', b'{"r":{"DevEUI":2}}'),
        (b'{"r":{"\\u0044evEUI":1,"DevEUI":2}}', b'{"r":{"DevEUI":2}}'),
        (b'{"r":{"a":1},"r":{"b":2}}', b'{"r":{"b":2}}'),
        (b'{"r":{"a":1},"\\u0072":{"b":2}}', b'{"r":{"b":2}}'),
        (b'{ "r" : { "a" : 1 , "a" : 2 } }', b'{"r":{"a":2}}'),
        ('{"r":{"é":1,"\\u00e9":2}}'.encode(), '{"r":{"é":2}}'.encode()),
        (b'{"r":{"":1,"":2}}', b'{"r":{"":2}}'),
    ],
)
def test_of_equal_members_the_last_wins_in_what_is_kept_too(body: bytes, expected: bytes) -> None:  # IN-03
    assert kept(body) == expected
    assert kept(expected) == expected


@pytest.mark.parametrize(
    "body",
    [
        b'{"r":{"a":{"b":1,"b":2}}}',
        b'{"r":{"a":{"b":1,"\\u0062":2}}}',
        b'{"r":{"a":[{"b":1,"b":2}]}}',
        b'{ "r" : { "a" : { "b":1, "b":2 } } }',
    ],
)
def test_equal_members_deeper_down_stay_as_received_and_are_read_by_the_same_rule(body: bytes) -> None:
    assert kept(body) == body
    inner = members(body)["a"]
    elements = json_text.array_elements(inner)
    found = json_text.object_members(bytes(elements[0]) if elements else inner)
    assert found is not None
    assert bytes(found["b"]) == b"2"


@given(root_texts())
@examples(100)
def test_a_text_is_kept_as_received_unless_a_member_stands_twice(sample: RootText) -> None:
    text, root, found = json_text.read_roots(sample.body)

    last = {json.loads(name): value.encode() for name, value in sample.members}
    assert root == sample.root
    assert {name: bytes(raw) for name, raw in found.items()} == last
    if len(last) == len(sample.members):
        assert text == sample.body
    else:
        assert text == json_text.join_root(root, found)
    _, kept_members = json_text.read_kept_root(text)
    assert {name: bytes(raw) for name, raw in kept_members.items()} == last


# Bytes stay as received


@given(root_texts(), st.sampled_from(["z", "downlinkUrl", "é", 'a"b']))
@examples(100)
def test_what_is_spliced_in_stands_last_and_every_other_byte_stays(sample: RootText, name: str) -> None:
    text, root, _ = json_text.read_roots(sample.body)
    added = json_text.quote(name) + b":1"

    spliced = json_text.append_members(text, added)

    at = spliced.rindex(added)
    comma = b"" if spliced[:at].rstrip().endswith(b"{") else b","
    assert spliced == spliced[: at - len(comma)] + comma + added + spliced[at + len(added) :]
    assert spliced[: at - len(comma)] + spliced[at + len(added) :] == text
    assert spliced[at + len(added) :].split() in ([b"}}"], [b"}", b"}"])
    decoded = json.loads(spliced)[root]
    assert decoded == json.loads(text)[root] | {name: 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"r":{}}', b'{"r":{"z":1}}'),
        (b'{"r":{ }}', b'{"r":{ "z":1}}'),
        (b'{"r":{"a":{}}}', b'{"r":{"a":{},"z":1}}'),
        (b'{"r":{"a":"{"} }\n', b'{"r":{"a":"{","z":1} }\n'),
        (b'{"r":{"a":"}}"}}', b'{"r":{"a":"}}","z":1}}'),
        (b'{"r":{"a":1.50e+3}}', b'{"r":{"a":1.50e+3,"z":1}}'),
    ],
)
def test_members_are_spliced_in_at_the_end_of_the_root(text: bytes, expected: bytes) -> None:
    assert json_text.append_members(text, b'"z":1') == expected


@given(SPACE, VALUE, SPACE)
@examples(80)
def test_compact_changes_white_space_only(before: str, value: str, after: str) -> None:
    body = f'{{"r":{{"a":{before}{value}{after}}}}}'.encode()
    raw = members(body)["a"]

    text = json_text.compact(raw)

    assert raw.decode() == value
    assert json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=list) == json.loads(
        value, parse_int=str, parse_float=str, object_pairs_hook=list
    )
    assert json_text.compact(text.encode()) == text
    assert len(text) <= len(value)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'"caf\\u00e9"', "café"),
        ('"東京"'.encode(), "東京"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'""', ""),
        (b"17", "17"),
        (b"-97.50", "-97.50"),
        (b"5e-06", "5e-06"),
        (b"1e400", "1e400"),
        (b"1" * 5000, "1" * 5000),
        (b"true", "true"),
        (b"false", "false"),
        (b"null", None),
        (b"{}", None),
        (b"[1]", None),
    ],
)
def test_a_scalar_is_given_as_written(raw: bytes, text: str | None) -> None:  # HI-11
    assert json_text.scalar_text(raw) == text


@pytest.mark.parametrize("raw", [b'"{}"', b"1", b"null", b"true"])
def test_what_is_no_object_has_no_members(raw: bytes) -> None:
    assert json_text.object_members(raw) is None
    assert json_text.array_elements(raw) is None
    assert json_text.object_members(b"[]") is None
    assert json_text.array_elements(b"{}") is None


@given(st.text())
@examples(100)
def test_a_quoted_text_reads_back(text: str) -> None:
    assert json.loads(json_text.quote(text)) == text


# API bodies


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"18446744073709551616", 18446744073709551616),
        (b"[1.5, true]", [1.5, True]),
    ],
)
def test_a_document_is_decoded(body: bytes, value: object) -> None:
    assert json_text.read_document(body) == value


@pytest.mark.parametrize("body", [b"", b"{", b"1e400", b"9" * 5000, b'"\\ud800"', b"[1 2]", b"{}{}", b"NaN"])
def test_a_document_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^body: not JSON: "):
        json_text.read_document(body)


def test_raw_members_are_bytes_without_the_white_space_around_them() -> None:
    _, _, found = json_text.read_roots(b'{ "r" : { "a" :\n 1 ,\t"b": "x" } }')

    assert found == {"a": msgspec.Raw(b"1"), "b": msgspec.Raw(b'"x"')}
