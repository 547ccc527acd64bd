"""The requests of the simulated fleet are those of a live LRC: members, types, Token."""

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl

import msgspec
import pytest

from longwire.demo.fleet import AS_ID, CUSTOMER_ID, Fleet, uplink_request
from longwire.demo.lrc_request import token, write_query

T0 = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)
KEY = "46ab678cd45df4a4a7e4b375eacd096a"
SPEC_KEY = "c6f5e3b263092120b8766b9aed9c41b4"
SPEC_QUERY = (
    "LrnDevEui=0059AC0000000001&LrnFPort=1&LrnInfos=TWA_100000001.999.AS-1-12345678"
    "&AS_ID=TWA_100000001.999&Time=2018-01-12T10:00:00.000+01:00"
)
SAMPLE_QUERY = (
    "LrnDevEui=A81758FFFE06F23E&LrnFPort={port}&LrnInfos=TWA_100002164.1105.AS-1-8402463"
    "&AS_ID=TWA_100002164.1105.AS&Time=2026-03-14T10:26:53.700+01:00"
)
# The members of the uplink in messages/lrc_events.jsonl, in their order, without those the fleet leaves out.
SAMPLE_MEMBERS = """
    Time DevEUI FPort FCntUp LostUplinksAS ADRbit MType FCntDn payload_hex mic_hex Lrcid LrrRSSI LrrSNR
    LrrESP SpFact SubBand Channel Lrrid Late LrrLAT LrrLON Lrrs DevLrrCnt CustomerID CustomerData
    BaseStationData ModelCfg DriverCfg InstantPER MeanPER DevAddr AckRequested rawMacCommands TxPower
    NbTrans Frequency DynamicClass
"""


@pytest.mark.parametrize(
    ("key", "elements", "query", "expected"),
    [
        (
            SPEC_KEY,
            "100000001" + "0059AC0000000001" + "1" + "1" + "000102030405",
            SPEC_QUERY,
            "5b7ec8b0b2c250fc792c76348de3b16ff04e27050baf8a37c891dcc85e88b0d4",
        ),
        (
            SPEC_KEY,
            "100000001" + "0059AC0000000001" + "1" + "1",
            SPEC_QUERY,
            "345dc204c72a9769441c4700cd0a0fb76c5b356e3931540e891fc7e68f236c98",
        ),
        (
            KEY,
            "100002164A81758FFFE06F23E53900100e7023204002805000601a2070e53",
            SAMPLE_QUERY.format(port=5),
            "a0c2e9630219ed61fa94a42550b2d39e4390909a521dd8b9dea5eaed4269f30a",
        ),
        (
            KEY,
            "100002164A81758FFFE06F23E125",
            SAMPLE_QUERY.format(port=1),
            "3e24bc9de86504594dcc0d8e8f26e0515438fec5859b6fca118d61d1e8b53681",
        ),
    ],
    ids=["specification: uplink", "specification: sent report", "sample: uplink", "sample: sent report"],
)
def test_the_token_is_the_published_one(key: str, elements: str, query: str, expected: str) -> None:
    assert token(elements, query, key) == expected


def test_the_plus_of_a_time_zone_is_encoded_on_the_wire_and_plain_in_the_hash() -> None:
    parameters = [tuple(pair.split("=", 1)) for pair in SAMPLE_QUERY.format(port=5).split("&")]
    elements = "100002164A81758FFFE06F23E53900100e7023204002805000601a2070e53"

    query = write_query([(name, value) for name, value in parameters], elements, KEY)

    assert "Time=2026-03-14T10:26:53.700%2B01:00&Token=a0c2e963" in query


def test_a_request_is_signed_over_its_own_members() -> None:
    device = Fleet(seed=4, count=3).devices[2]

    query, body = uplink_request(device, 390, T0, KEY, "TWA_1.2 & co.AS")

    uplink = msgspec.json.decode(body)["DevEUI_uplink"]
    *parameters, (last, sent_token) = parse_qsl(query, strict_parsing=True)
    members = ("CustomerID", "DevEUI", "FPort", "FCntUp", "payload_hex")
    elements = "".join(str(uplink[member]) for member in members)
    assert last == "Token"
    assert sent_token == token(elements, "&".join(f"{name}={value}" for name, value in parameters), KEY)
    assert [name for name, _ in parameters] == ["LrnDevEui", "LrnFPort", "LrnInfos", "AS_ID", "Time"]
    assert dict(parameters)["LrnDevEui"] == device.dev_eui == uplink["DevEUI"]
    assert dict(parameters)["AS_ID"] == "TWA_1.2 & co.AS"


def test_without_a_key_there_is_no_token() -> None:
    query, _ = uplink_request(Fleet(1, 1).devices[0], 1, T0, None, AS_ID)
    assert "Token" not in query


def test_the_body_has_the_members_of_a_live_uplink_with_typed_numbers() -> None:
    for device in Fleet(seed=4, count=12).devices:
        _, body = uplink_request(device, 390, T0, None, AS_ID)
        uplink = msgspec.json.decode(body)["DevEUI_uplink"]
        assert list(uplink) == SAMPLE_MEMBERS.split()
        assert 900 <= len(body) <= 1030
        assert uplink["FCntUp"] == 390
        assert uplink["Time"] == "2026-03-14T09:26:53.589+00:00"
        assert uplink["CustomerID"] == CUSTOMER_ID
        assert list(uplink["CustomerData"]) == ["loc", "alr", "tags", "name"]
        assert uplink["CustomerData"]["name"] == device.name
        assert isinstance(uplink["FPort"], int)
        assert isinstance(uplink["LrrRSSI"], float)
        assert 7 <= uplink["SpFact"] <= 12
        assert -140 < uplink["LrrESP"] <= uplink["LrrRSSI"]
        assert uplink["Lrrs"]["Lrr"][0]["Lrrid"] == uplink["Lrrid"]


def test_times_keep_the_zone_they_are_given_in() -> None:
    paris = timezone(timedelta(hours=1))
    query, body = uplink_request(Fleet(1, 1).devices[0], 1, T0.astimezone(paris), None, AS_ID)
    assert b'"Time":"2026-03-14T10:26:53.589+01:00"' in body
    assert query.endswith("Time=2026-03-14T10:26:53.700%2B01:00")


def test_a_fleet_is_repeatable_and_no_dev_eui_comes_twice() -> None:
    fleet = Fleet(seed=9, count=2000)
    assert fleet.devices[:5] == Fleet(seed=9, count=5).devices
    assert fleet.devices[:5] != Fleet(seed=10, count=5).devices
    assert len({device.dev_eui for device in fleet.devices}) == 2000
    assert all(len(device.dev_eui) == 16 for device in fleet.devices)
    first = uplink_request(fleet.devices[7], 12, T0, KEY, AS_ID)
    assert first == uplink_request(Fleet(9, 8).devices[7], 12, T0, KEY, AS_ID)


@pytest.mark.parametrize("count", [0, 1_000_001])
def test_a_fleet_has_a_sensible_size(count: int) -> None:
    with pytest.raises(ValueError, match="devices"):
        Fleet(seed=1, count=count)


def test_a_counter_over_32_bits_goes_on_from_zero() -> None:
    _, body = uplink_request(Fleet(1, 1).devices[0], 2**32 + 5, T0, None, AS_ID)
    assert msgspec.json.decode(body)["DevEUI_uplink"]["FCntUp"] == 5
