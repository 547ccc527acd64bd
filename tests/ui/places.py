"""Every page, and a server that shows something on each of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.e2e.api_client import Api, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import OK, Reply, Sink

DEVICE = "000DB5310000A1B2"


@dataclass(frozen=True, slots=True)
class Shown:
    """The pages of a server by name, each with its path."""

    paths: Mapping[str, str]


def furnish(api: Api, sink: Sink) -> Shown:
    """Make connections that work, lose and fail, with a device; return every page."""
    lost = {2, 5}
    sink.answer = lambda request: Reply(503, body=b"busy") if _counter(request.body) in lost else OK
    headers = {"Authorization": "Bearer hidden", "X-Device": "{DevEUI}"}
    document = connection_document(sink.url("/lora"), name="Cold rooms Lyon", headers=headers)
    road = build_road(api, document, [DEVICE])
    road.send(*(uplink(DEVICE, number) for number in range(1, 9)))
    outcomes = road.wait_for_outcomes(
        *("LOST" if number in lost else "DELIVERED" for number in range(1, 9)), timeout_s=30
    )
    with Sink() as gone:
        url = gone.url("/metering/ingest/v2")
    closed = build_road(api, connection_document(url, name="Water meters"), ["000DB5310000A1B3"])
    closed.send(uplink("000DB5310000A1B3", 1), uplink("000DB5310000A1B3", 2))
    closed.wait_for_state("CLOSED")
    api.create("/connections", connection_document(sink.url(), name="Parked for now", active=False))
    delivery = next(each for each in outcomes if each["outcome"] == "LOST")
    return Shown(_paths(road.connection_id, closed.connection_id, delivery["id"]))


def _paths(connection: str, closed: str, delivery: str) -> dict[str, str]:
    return {
        "dashboard": "",
        "connections": "connections",
        "create": "connections/create",
        "create http": "connections/create/http",
        "connection": f"connections/{connection}",
        "connection closed": f"connections/{closed}",
        "editing": f"connections/{connection}?edit=destinationURL",
        "editing headers": f"connections/{connection}?edit=headers",
        "asking": f"connections/{connection}/delete",
        "delivery": f"deliveries/{delivery}",
        "devices": "devices",
        "device": f"devices/{DEVICE}?add",
        "flows": "flows",
        "network servers": "networkServers",
        "events": "events",
        "dead letters": "deadLetters",
        "keys": "apiKeys",
        "settings": "settings",
        "problem": "connections/999999",
    }


def _counter(body: bytes) -> int:
    return int(json.loads(body)["DevEUI_uplink"]["FCntUp"])
