"""The Token of the tests' own LRC agrees with the specification's vectors: a wrong oracle proves nothing."""

import json
from pathlib import Path

import pytest
from tests.e2e.lrc import body_elements, query_for, token, uplink

KEY = "c6f5e3b263092120b8766b9aed9c41b4"
QUERY = (
    "LrnDevEui=0059AC0000000001&LrnFPort=1&LrnInfos=TWA_100000001.999.AS-1-12345678"
    "&AS_ID=TWA_100000001.999&Time=2018-01-12T10:00:00.000+01:00"
)
UPLINK = {
    "CustomerID": "100000001",
    "DevEUI": "0059AC0000000001",
    "FPort": "1",
    "FCntUp": "1",
    "payload_hex": "000102030405",
}
SENT = {"CustomerID": "100000001", "DevEUI": "0059AC0000000001", "FPort": "1", "FCntDn": "1"}
EVENTS = [json.loads(line) for line in (Path(__file__).parent / "lrc_events.jsonl").read_text().splitlines()]
SIGNED = [event for event in EVENTS if event["direction"] == "LRC->AS" and event["token"]]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"DevEUI_uplink": UPLINK}, "5b7ec8b0b2c250fc792c76348de3b16ff04e27050baf8a37c891dcc85e88b0d4"),
        ({"DevEUI_downlink_Sent": SENT}, "345dc204c72a9769441c4700cd0a0fb76c5b356e3931540e891fc7e68f236c98"),
    ],
)
def test_the_token_is_that_of_the_specification(document: dict[str, dict[str, str]], expected: str) -> None:
    assert token(body_elements(document), QUERY, KEY) == expected
    assert token(body_elements(document), QUERY.replace("+", "%2B"), KEY) == expected


@pytest.mark.parametrize("event", SIGNED, ids=[event["id"] for event in SIGNED])
def test_the_token_is_that_of_the_recorded_messages(event: dict[str, str]) -> None:
    body = event["body"]
    assert isinstance(body, dict)
    assert body_elements(body) == event["body_elements"]
    assert token(event["body_elements"], event["query"], event["key"]) == event["token"]


def test_an_absent_fport_counts_as_0() -> None:
    members = {name: value for name, value in UPLINK.items() if name != "FPort"}
    assert body_elements({"DevEUI_uplink": members}) == "1000000010059AC000000000101000102030405"


def test_an_uplink_of_the_simulated_devices_is_signed_and_of_usual_size() -> None:
    sent = uplink("0059AC0000000001", 7)
    assert 700 < len(sent.body) < 1200
    assert sent.query.startswith(query_for("0059AC0000000001") + "&Token=")
