"""ThingPark's XML: the same message as its JSON, and nothing that XML could smuggle in (specification, section 8)."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.samples.effort import examples
from tests.samples.files import read_lines
from tests.samples.lrc_xml import NAMESPACE, as_untyped, as_xml
from tests.sources.lrc_requests import DEV_EUI, KEY, OPEN, SIGNING, content, parse, sign, signed

from longwire.core.errors import Forbidden, InvalidInput, LongwireError, TooLarge, UnsupportedMediaType
from longwire.core.message import MAX_MESSAGE_BYTES, ROOTS, Message, with_downlink_url
from longwire.core.network_server import NetworkServer
from longwire.core.sighting import Sighting, learn, number_of
from longwire.sources.thingpark_xml import MAX_ELEMENTS, to_json

EVENTS = [event for event in read_lines("lrc_events.jsonl") if event["direction"] == "LRC->AS"]
XML = "application/xml"


def parse_xml(body: bytes, query: str = "", server: NetworkServer = OPEN) -> Message:
    return parse(body, query, server, XML)


def wrapped(inner: str, root: str = "DevEUI_uplink") -> bytes:
    return f'<{root} xmlns="{NAMESPACE}"><DevEUI>{DEV_EUI}</DevEUI>{inner}</{root}>'.encode()


def members_of(inner: str) -> dict[str, Any]:
    """Return what a message's other members become."""
    ((_, members),) = json.loads(to_json(wrapped(inner))).items()
    del members["DevEUI"]
    return dict(members)


def equal_but_for_spelling(xml: Message, other: Message) -> bool:
    """Return whether two messages are the same in all but how their numbers are written."""
    as_spelled = replace(xml, body=other.body, fingerprint=other.fingerprint, sighting=other.sighting)
    same = as_spelled == other and what_it_tells(xml.sighting) == what_it_tells(other.sighting)
    return same and json.loads(xml.body) == as_untyped(json.loads(other.body))


def what_it_tells(sighting: Sighting) -> tuple[Any, ...]:
    return learn(sighting), number_of(sighting.rssi), number_of(sighting.snr)


# The same message in each form


@pytest.mark.parametrize("event", EVENTS, ids=[event["id"] for event in EVENTS])
@pytest.mark.parametrize("form", ["typed", "untyped", "xml"])
def test_every_recorded_event_is_the_same_message_in_each_form(event: dict[str, Any], form: str) -> None:
    server = NetworkServer("LRC", event.get("key", KEY), accept_unsigned_reports=True)
    query = event["query"] + (f"&Token={event['token']}" if event["token"] else "")
    typed = parse(json.dumps(event["body"]).encode(), query, server)
    if form == "xml":
        message = parse_xml(as_xml(event["body"]), query, server)
        assert equal_but_for_spelling(message, typed)
    elif form == "untyped":
        message = parse(json.dumps(as_untyped(event["body"])).encode(), query, server)
        assert equal_but_for_spelling(message, typed)
    assert typed.root == next(iter(event["body"]))


REPORT = {
    "Time": "2026-03-14T10:27:00.000+01:00",
    "DevEUI": DEV_EUI,
    "FCntDn": 24,
    "Lrrid": "100022AD",
    "LrrRSSI": -97.0,
    "Lrrs": {"Lrr": [{"Lrrid": "100022AD", "LrrSNR": 7.25}]},
    "CustomerID": "100002164",
    "CustomerData": {"loc": None, "tags": ["a<b"], "name": "Fridge & 12"},
    "Var1": "",
}
JOIN = {name: value for name, value in REPORT.items() if name != "FCntDn"} | {"rawJoinRequest": "0001"}


@pytest.mark.parametrize("document", [*({root: REPORT} for root in sorted(ROOTS)), {"DevEUI_uplink": JOIN}])
def test_every_root_is_the_same_message_in_each_form(document: dict[str, Any]) -> None:
    typed = parse(json.dumps(document).encode())

    assert equal_but_for_spelling(parse(json.dumps(as_untyped(document)).encode()), typed)
    assert equal_but_for_spelling(parse_xml(as_xml(document)), typed)


def test_an_uplink_becomes_json_in_its_own_order() -> None:
    document = {"DevEUI_uplink": content(LrrSNR="-7.250000", Lrrs={"Lrr": [{"Lrrid": "1"}]}, Var1="")}

    assert parse_xml(as_xml(document)).body == (
        b'{"DevEUI_uplink":{"Time":"2026-03-14T10:26:53.589+01:00","DevEUI":"A81758FFFE06F23E","FPort":"5",'
        b'"FCntUp":"390","FCntDn":"24","payload_hex":"0100e702","CustomerID":"100002164","LrrSNR":"-7.250000",'
        b'"Lrrs":{"Lrr":[{"Lrrid":"1"}]},"Var1":""}}'
    )


@pytest.mark.parametrize(
    ("inner", "members"),
    [
        ("<FPort>5</FPort>", {"FPort": "5"}),
        ("<Var1/><Var2></Var2>", {"Var1": "", "Var2": ""}),
        ("\n  <a>\n    <b>1</b>\n  </a>\n", {"a": {"b": "1"}}),
        ("<a> x </a>", {"a": " x "}),
        ("<a>&lt;&amp;&gt;&quot;&apos;&#233;&#x1F600;</a>", {"a": "<&>\"'é😀"}),
        ("<a><![CDATA[<b>&amp;</b>]]></a>", {"a": "<b>&amp;</b>"}),
        ("<a>x<!-- y -->z<?pi w?></a>", {"a": "xz"}),
        ('<a xsi:nil="true" xmlns:xsi="http://x" b="c">1</a>', {"a": "1"}),
        ("<Lrrs><Lrr><Lrrid>1</Lrrid></Lrr></Lrrs>", {"Lrrs": {"Lrr": [{"Lrrid": "1"}]}}),
        (
            "<Lrrs><Lrr><Lrrid>1</Lrrid></Lrr><Lrr><Lrrid>2</Lrrid></Lrr></Lrrs>",
            {"Lrrs": {"Lrr": [{"Lrrid": "1"}, {"Lrrid": "2"}]}},
        ),
        ("<Lrrs><Lrr/></Lrrs>", {"Lrrs": {"Lrr": [""]}}),
        ("<Lrrs/>", {"Lrrs": ""}),
        ("<dom>a</dom><x/><dom>b</dom>", {"dom": ["a", "b"], "x": ""}),
        ('<CustomerData>{"a": 1.50,\n"b":null}</CustomerData>', {"CustomerData": {"a": 1.5, "b": None}}),
        ("<CustomerData>{&quot;a&quot;:[]}</CustomerData>", {"CustomerData": {"a": []}}),
        ('<DriverCfg>{"mod":{"ver":"1"}}</DriverCfg>', {"DriverCfg": {"mod": {"ver": "1"}}}),
        ('<BaseStationData> {"name":"x"} </BaseStationData>', {"BaseStationData": {"name": "x"}}),
        ("<BaseStationData><name>x</name></BaseStationData>", {"BaseStationData": {"name": "x"}}),
        ("<CustomerData>hello</CustomerData>", {"CustomerData": "hello"}),
        ("<CustomerData>{broken</CustomerData>", {"CustomerData": "{broken"}),
        ("<CustomerData>[1]</CustomerData>", {"CustomerData": "[1]"}),
        ("<CustomerData/>", {"CustomerData": ""}),
        ('<Other>{"a":1}</Other>', {"Other": '{"a":1}'}),
        ("<payload_hex>00</payload_hex>", {"payload_hex": "00"}),
    ],
)
def test_elements_become_members(inner: str, members: dict[str, Any]) -> None:
    assert members_of(inner) == members


def test_json_inside_keeps_its_spelling() -> None:
    assert b'"CustomerData":{"n": 1.50}' in to_json(wrapped('<CustomerData>{"n": 1.50}</CustomerData>'))


@pytest.mark.parametrize(
    "body",
    [
        f'<DevEUI_uplink xmlns="{NAMESPACE}"><DevEUI>{DEV_EUI}</DevEUI></DevEUI_uplink>',
        f"<DevEUI_uplink><DevEUI>{DEV_EUI}</DevEUI></DevEUI_uplink>",
        f'<l:DevEUI_uplink xmlns:l="{NAMESPACE}"><l:DevEUI>{DEV_EUI}</l:DevEUI></l:DevEUI_uplink>',
        f'\ufeff<?xml version="1.0" encoding="utf-8"?><DevEUI_uplink><DevEUI>{DEV_EUI}</DevEUI></DevEUI_uplink>\n',
    ],
)
def test_the_namespace_may_be_written_in_any_way_or_be_left_out(body: str) -> None:
    assert parse_xml(body.encode()).body == b'{"DevEUI_uplink":{"DevEUI":"A81758FFFE06F23E"}}'


@pytest.mark.parametrize(
    "media_type", ["application/xml", "text/xml", "Application/XML", 'text/xml; charset="UTF-8"']
)
def test_xml_is_known_by_its_media_type(media_type: str) -> None:
    assert parse(wrapped(""), media_type=media_type).dev_eui == DEV_EUI


@pytest.mark.parametrize(
    "media_type", ["application/xml; charset=latin-1", "text/xml;charset=utf-16", "text/xmlx"]
)
def test_xml_in_another_encoding_is_refused(media_type: str) -> None:  # IN-05
    with pytest.raises(UnsupportedMediaType, match="expected application/json or application/xml in UTF-8"):
        parse(wrapped(""), media_type=media_type)


def test_the_same_report_in_xml_and_json_is_a_repeat() -> None:
    document = {"DevEUI_uplink": content()}

    assert parse_xml(as_xml(document)).fingerprint == parse(json.dumps(document).encode()).fingerprint


# The Token


def test_the_token_covers_the_elements_of_xml_too() -> None:
    body = as_xml({"DevEUI_uplink": content()})

    assert parse_xml(body, signed(), SIGNING).f_cnt == 390
    with pytest.raises(Forbidden, match="Token"):
        parse_xml(body.replace(b"0100e702", b"0100e703"), signed(), SIGNING)
    with pytest.raises(Forbidden, match="Token"):
        parse_xml(body, signed()[:-1], SIGNING)
    with pytest.raises(Forbidden, match="Token"):
        parse_xml(body, "", SIGNING)


def test_an_element_that_stands_twice_is_signed_as_nothing() -> None:  # IN-03
    body = wrapped("<FCntUp>1</FCntUp><FCntUp>2</FCntUp><payload_hex>00</payload_hex>")

    for counter in ("1", "2"):
        with pytest.raises(Forbidden, match="Token"):
            parse_xml(body, sign("a=b", f"{DEV_EUI}0{counter}00"), SIGNING)


# What is refused


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not well-formed XML"),
        (b"null", "not well-formed XML"),
        (b'{"DevEUI_uplink":{}}', "not well-formed XML"),
        (b"<a>", "not well-formed XML"),
        (b"<a></b>", "not well-formed XML"),
        (b"<a><c/></a><b/>", "not well-formed XML"),
        (b"<a>&nbsp;</a>", "not well-formed XML"),
        (b"<a>&#0;</a>", "not well-formed XML"),
        (b"<a>\x01</a>", "not well-formed XML"),
        (b"<a>\xe9</a>", "not UTF-8 (byte 3)"),
        (b"<a>\xed\xa0\x80</a>", "not UTF-8"),
        ("<a/>".encode("utf-16"), "not UTF-8"),
        ("<a/>".encode("utf-16-le"), "not UTF-8"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "expected XML in UTF-8, got 'ISO-8859-1'"),
        (b'<?xml version="1.0" encoding="utf-16"?><a/>', "UTF-8"),
        (b"<!DOCTYPE a><a/>", "a DOCTYPE is not read"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>', "a DOCTYPE is not read"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "a DOCTYPE is not read"),
        (b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><a>&z;</a>', "a DOCTYPE is not read"),
        (b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///dev/random"> %p;]><a/>', "a DOCTYPE is not read"),
        (b"<DevEUI_uplink/>", "expected elements in the root element 'DevEUI_uplink'"),
        (b"<DevEUI_uplink>x</DevEUI_uplink>", "expected elements in the root element"),
        (b"<unknown><a>1</a></unknown>", "unknown root member 'unknown'"),
        (b"<DevEUI_uplink><a>1</a></DevEUI_uplink>", "DevEUI_uplink.DevEUI: required"),
        (wrapped("<a>x<b/></a>"), "element 'a' holds text beside its elements"),
        (wrapped("<DevEUI>0000000000000001</DevEUI>"), "DevEUI_uplink.DevEUI: expected a string"),
        (wrapped('<x:a xmlns:x="http://other">1</x:a>'), "element 'a' is not of the namespace"),
        (b'<DevEUI_uplink xmlns="http://other"><a/></DevEUI_uplink>', "is not of the namespace"),
        (wrapped("<a>" * 64 + "</a>" * 64), "nested deeper than 64"),
        (wrapped("<a>" * 20_000 + "</a>" * 20_000), "nested deeper than 64"),
        (wrapped("<a/>" * MAX_ELEMENTS), "more than 5000 elements"),
        (
            wrapped("<CustomerData>" + '{"a":' * 70 + "1" + "}" * 70 + "</CustomerData>"),
            "nested deeper than 64",
        ),
    ],
)
def test_xml_that_is_no_message_is_refused_with_the_reason(body: bytes, words: str) -> None:  # IN-05
    with pytest.raises(InvalidInput, match=r"^(body|DevEUI)") as error:
        parse_xml(body)

    assert words in str(error.value)
    assert len(str(error.value)) < 400


def test_a_depth_of_64_is_read() -> None:
    assert parse_xml(wrapped("<a>" * 63 + "</a>" * 63)).dev_eui == DEV_EUI


def test_a_message_in_xml_has_at_most_256_kib_before_and_after() -> None:
    filled = MAX_MESSAGE_BYTES - len(wrapped("<x></x>"))

    assert parse_xml(wrapped(f"<x>{'x' * filled}</x>")).dev_eui == DEV_EUI
    with pytest.raises(TooLarge, match="this one has 262145"):
        parse_xml(wrapped(f"<x>{'x' * (filled + 1)}</x>"))
    with pytest.raises(TooLarge, match="a message may have 262144 bytes"):
        parse_xml(wrapped(f"<x>{chr(92) * filled}</x>"))  # a backslash is two bytes in JSON


@pytest.mark.parametrize(
    "inner",
    [
        "<a/>" * 60_000,
        "<Lrr><b/></Lrr>" * 2400,
        "<a>" + "&#65;" * 50_000 + "</a>",
        "<a>" + "x<!---->" * 30_000 + "</a>",
        "<a " + " ".join(f'b{n}="c"' for n in range(20_000)) + "/>",
        "<a " + " ".join(f'xmlns:b{n}="c"' for n in range(12_000)) + "/>",
        "<CustomerData>{" + '"a":[' * 40_000 + "</CustomerData>",
    ],
    ids=lambda inner: inner[:12],
)
def test_xml_made_to_cost_much_does_not(inner: str) -> None:
    before = time.process_time()
    with suppress(LongwireError):
        parse_xml(wrapped(inner))
    assert time.process_time() - before < 0.5


# Laws

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True).filter(lambda name: name != "Lrr")
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r"),
    max_size=12,
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = TEXTS | NUMBERS


def _contents(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, inner, min_size=1, max_size=4)


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        _contents(inner)
        | st.lists(_contents(inner), min_size=1, max_size=3).map(lambda lrrs: {"Lrr": lrrs})
        | st.lists(inner, min_size=2, max_size=3).map(lambda each: {"again": each})
    ),
    max_leaves=8,
)
JSON_TEXTS = st.dictionaries(TEXTS, SCALARS | st.none() | st.lists(TEXTS, max_size=2), max_size=3)
CONTENTS = st.builds(
    lambda members, data: content() | members | {"CustomerData": data},
    st.dictionaries(NAMES, VALUES, max_size=5),
    JSON_TEXTS,
)


@given(CONTENTS, st.sampled_from(sorted(ROOTS)))
@examples(150)
def test_xml_and_json_of_the_same_message_are_the_same_message(members: dict[str, Any], root: str) -> None:
    document = {root: members | {"DevEUI": DEV_EUI}}

    assert equal_but_for_spelling(parse_xml(as_xml(document)), parse(json.dumps(document).encode()))


@given(CONTENTS)
@examples(60)
def test_what_is_spliced_in_changes_no_other_byte(members: dict[str, Any]) -> None:
    body = parse_xml(as_xml({"DevEUI_uplink": members | {"DevEUI": DEV_EUI}})).body

    sent = with_downlink_url(body, "http://x/1")

    assert sent == body[:-2] + b',"downlinkUrl":"http://x/1","downlinkURL":"http://x/1"}}'


@given(st.binary(max_size=60) | st.text("<>/a&;!?['\"= DOCTYPE]-x:#1", max_size=60).map(str.encode))
@examples(300)
def test_whatever_comes_it_is_read_or_refused(body: bytes) -> None:
    for text in (body, wrapped("").replace(b"</DevEUI>", b"</DevEUI>" + body)):
        try:
            json.loads(to_json(text))
        except LongwireError:
            continue
