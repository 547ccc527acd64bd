"""Which messages of ThingPark are repeats of each other (specification, section 8)."""

import json
from typing import Any

import pytest
from tests.samples.files import read_lines
from tests.sources.lrc_requests import NOW, OPEN, body_of, content, parse, report, uplink

from longwire.core.message import ROOTS
from longwire.sources import thingpark
from longwire.sources.ingest_request import IngestRequest

COUNTED = ["DevEUI_downlink_Sent", "DevEUI_downlink_Rejected", "DevEUI_multicast_summary"]
UNCOUNTED = ["DevEUI_location", "DevEUI_notification", "DevEUI_alarm", "BS_alarm"]
EVENTS = {event["id"]: event for event in read_lines("lrc_events.jsonl")}


def mark(body: bytes, network_server_id: str = "ns-1") -> bytes:
    request = IngestRequest(network_server_id, "", "application/json", body, NOW)
    return thingpark.parse(request, OPEN).fingerprint


def test_typed_and_untyped_of_one_uplink_are_repeats() -> None:
    typed, untyped = (
        json.dumps(EVENTS[name]["body"]).encode() for name in ("lrc-uplink", "lrc-uplink-untyped")
    )

    assert typed != untyped
    assert mark(typed) == mark(untyped)


@pytest.mark.parametrize(
    "members",
    [
        {"FCntUp": "390"},
        {"DevEUI": "a8-17-58-ff-fe-06-f2-3e"},
        {"LrrRSSI": -110, "Lrrid": "10002379"},  # the same uplink by another gateway
        {"payload_hex": "ff"},
        {"FCntDn": 25},
        {"FPort": 6},
    ],
)
def test_an_uplink_is_the_same_by_device_counter_and_time(members: dict[str, Any]) -> None:
    assert mark(uplink(**members)) == mark(uplink())


@pytest.mark.parametrize(
    "members",
    [
        {"FCntUp": 391},
        {"FCntUp": 39, "Time": "02026-03-14T10:26:53.589+01:00"},
        {"Time": "2026-03-14T10:26:53.590+01:00"},
        {"DevEUI": "A81758FFFE06F23F"},
        {"FCntUp": None},
        {"Time": None},
        {"Time": ""},
    ],
)
def test_another_device_counter_or_time_is_another_uplink(members: dict[str, Any]) -> None:
    assert mark(uplink(**members)) != mark(uplink())


def test_another_network_server_has_its_own_messages() -> None:
    assert mark(uplink(), "ns-2") != mark(uplink())
    assert mark(report("BS_alarm"), "ns-2") != mark(report("BS_alarm"))


@pytest.mark.parametrize("root", COUNTED)
def test_a_counted_report_is_the_same_by_its_downlink_counter_and_time(root: str) -> None:
    assert mark(report(root, FCntDn="24", x=1)) == mark(report(root))
    assert mark(report(root, FCntDn=25)) != mark(report(root))
    assert mark(report(root, Time="x")) != mark(report(root))


@pytest.mark.parametrize("root", UNCOUNTED)
def test_a_report_without_a_counter_is_the_same_by_its_whole_body(root: str) -> None:
    assert mark(report(root)) == mark(report(root))
    assert mark(report(root, x=1)) != mark(report(root))
    assert mark(report(root) + b" ") != mark(report(root))


def test_two_notifications_that_differ_in_their_type_only_are_not_repeats() -> None:
    joined = EVENTS["lrc-notification-join-x"]["body"]
    was_reset = EVENTS["lrc-notification-reset-admin_reset"]["body"]
    inside, other = joined["DevEUI_notification"], was_reset["DevEUI_notification"]

    assert (inside["Time"], inside["FCntDn"]) == (other["Time"], other["FCntDn"])
    assert mark(json.dumps(joined).encode()) != mark(json.dumps(was_reset).encode())


def test_two_joins_are_repeats_only_when_nothing_in_them_differs() -> None:
    join = content(FCntUp=None, payload_hex=None, rawJoinRequest="0001")

    assert mark(body_of("DevEUI_uplink", join)) == mark(body_of("DevEUI_uplink", join))
    assert mark(body_of("DevEUI_uplink", join | {"rawJoinRequest": "0002"})) != mark(
        body_of("DevEUI_uplink", join)
    )


def test_other_roots_are_other_messages() -> None:
    marks = {mark(body_of(root, content())) for root in ROOTS}

    assert len(marks) == len(ROOTS)


def test_a_senders_own_downlink_address_makes_no_other_uplink() -> None:
    with_address = uplink(downlinkUrl="http://x/")

    assert mark(with_address) == mark(uplink())
    assert parse(with_address).body == uplink()
