"""Requests of a ThingPark LRC, made by hand: the Token here is the oracle, written after section 8 and not shared."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from longwire.core.message import Message
from longwire.core.network_server import NetworkServer
from longwire.sources import thingpark
from longwire.sources.ingest_request import IngestRequest

NOW = datetime(2026, 3, 14, 9, 26, 54, tzinfo=UTC)
KEY = "46ab678cd45df4a4a7e4b375eacd096a"
SIGNING = NetworkServer("LRC", KEY)
OPEN = NetworkServer("LRC")
DEV_EUI = "A81758FFFE06F23E"
TIME = "2026-03-14T10:26:53.700+01:00"
QUERY = f"LrnDevEui={DEV_EUI}&LrnFPort=5&LrnInfos=TWA_1.1-AS-1-8402463&AS_ID=TWA_1.1.AS&Time={TIME}"


def content(**members: Any) -> dict[str, Any]:
    """Return the members of an uplink, with some changed; None leaves one out."""
    usual = {
        "Time": "2026-03-14T10:26:53.589+01:00",
        "DevEUI": DEV_EUI,
        "FPort": 5,
        "FCntUp": 390,
        "FCntDn": 24,
        "payload_hex": "0100e702",
        "CustomerID": "100002164",
    }
    return {name: value for name, value in (usual | members).items() if value is not None}


def body_of(root: str, members: dict[str, Any]) -> bytes:
    return json.dumps({root: members}, separators=(",", ":"), ensure_ascii=False).encode()


def uplink(**members: Any) -> bytes:
    return body_of("DevEUI_uplink", content(**members))


def report(root: str, **members: Any) -> bytes:
    """Return a report: the members of an uplink without its payload."""
    return body_of(root, content(payload_hex=None, FCntUp=None, **members))


def sign(query: str, elements: str, key: str = KEY) -> str:
    return f"{query}&Token={hashlib.sha256((elements + unquote(query) + key).encode()).hexdigest()}"


def signed(query: str = QUERY, elements: str = f"100002164{DEV_EUI}53900100e702") -> str:
    """Return the query of the usual uplink with its Token."""
    return sign(query, elements)


def parse(
    body: bytes, query: str = "", server: NetworkServer = OPEN, media_type: str = "application/json"
) -> Message:
    return thingpark.parse(IngestRequest("ns-1", query, media_type, body, NOW), server)
