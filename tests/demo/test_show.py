"""The terminal line of a request: readable for an uplink, harmless for anything."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwire.demo.fleet import AS_ID, Fleet, uplink_request
from longwire.demo.received import Received
from longwire.demo.show import describe

T0 = datetime(2026, 3, 14, 10, 26, 53, tzinfo=UTC)
UPLINK = (
    b'{"DevEUI_uplink":{"DevEUI":"A81758FFFE06F23E","FPort":5,"FCntUp":390,'
    b'"payload_hex":"0100e7023204002805000601a2070e53","CustomerData":{"name":"Fridge 12"}}}'
)
MEMBERS = {
    "DevEUI": "A81758FFFE06F23E",
    "FPort": "5",
    "FCntUp": "390",
    "payload_hex": "0100",
    "CustomerData": {"name": "Fridge 12"},
}


def received(body: bytes, headers: tuple[tuple[str, str], ...] = (), path: str = "/in") -> Received:
    return Received(1, T0, "POST", path, headers, body)


def test_an_uplink_with_the_configured_headers() -> None:
    headers = (
        ("Host", "posthere.io"),
        ("Content-Type", "application/json"),
        ("webhook-id", "msg_1"),
        ("X-Thing", "A81758FFFE06F23E"),
        ("X-Name", "Fridge 12"),
        ("Longwire-Attempt", "1"),
    )
    assert describe(received(UPLINK, headers)) == (
        "10:26:53 A81758FFFE06F23E  Fridge 12         FCnt 390  port 5  0100e70232040028…"
        "  X-Thing=A81758FFFE06F23E X-Name=Fridge 12  attempt 1"
    )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (msgspec.json.encode(MEMBERS), "A81758FFFE06F23E  Fridge 12         FCnt 390  port 5  0100"),
        (
            b'{"DevEUI_notification":{"DevEUI":"A81758FFFE06F23E","Type":"join"}}',
            "A81758FFFE06F23E                    DevEUI_notification",
        ),
        (b'{"temperature":21.5}', 'POST /in  20 bytes  {"temperature":21.5}'),
        (b"", "POST /in  0 bytes"),
        (b"\x1b[2J\x07\xff\r\n\xe2\x80\xae!", "POST /in  12 bytes  [2J�  !"),
        (
            b'{"DevEUI_uplink":{"DevEUI":"a\\u001b]0;x\\u0007\\u202e","FCntUp":[1],"FPort":null}}',
            "a]0;x                               FCnt …  port",
        ),
    ],
    ids=["top level", "another root", "decoded only", "empty", "control characters", "wild members"],
)
def test_other_bodies(body: bytes, line: str) -> None:
    assert describe(received(body)) == f"10:26:53 {line}"


def test_secrets_are_masked_and_many_headers_counted() -> None:
    headers = (("Authorization", "Bearer x"), ("X-API-Key", "k"), ("A", "1"), ("B", "2"), ("C", "3"))
    line = describe(received(b"{}", headers))
    assert line.endswith("Authorization=*** X-API-Key=*** A=1 B=2 and 1 more")


def test_the_fleet_speaks_so_that_a_line_shows_it() -> None:
    device = Fleet(1, 2).devices[1]
    _, body = uplink_request(device, 12, T0, None, AS_ID)
    line = describe(received(body))
    assert device.dev_eui in line
    assert "Meeting room 1" in line
    assert "FCnt 12  port 5" in line


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KNOWN = st.sampled_from(("DevEUI", "FPort", "FCntUp", "payload_hex", "CustomerData", "name", "x"))
MESSAGES = st.dictionaries(
    st.sampled_from(("DevEUI_uplink", "DevEUI")) | KNOWN,
    st.dictionaries(KNOWN, JSON | st.text()) | JSON,
)
BODIES = (
    st.binary()
    | MESSAGES.map(msgspec.json.encode)
    | st.just(b"[" * 100_000)
    | st.just(b'{"DevEUI":"x","FCntUp":' + b"9" * 4000 + b"}")
    | st.just(b'{"DevEUI":"x","FPort":' + b"[" * 900 + b"]" * 900 + b"}")
)
HEADERS = st.lists(st.tuples(st.text(), st.text()), max_size=8).map(tuple)


@given(body=BODIES, headers=HEADERS, path=st.text())
def test_no_request_can_break_the_line(body: bytes, headers: tuple[tuple[str, str], ...], path: str) -> None:
    line = describe(received(body, headers, path))
    assert line.isprintable()
    assert len(line) <= 220
