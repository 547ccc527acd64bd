"""A connection, an LRC that takes downlinks, and a device between them, through the public doors."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.e2e.api_client import Answer, Api, Json, connection_document, key_matchers
from tests.e2e.lrc import AS_ID, AS_KEY, CUSTOMER, compact, query_for, signed, uplink
from tests.e2e.sink import Received, Sink
from tests.e2e.waiting import wait_until


@dataclass(frozen=True, slots=True)
class World:
    """A connection to a receiver, and an LRC that takes downlinks; a device is routed to the connection."""

    api: Api
    receiver: Sink
    lrc: Sink
    connection_id: str
    network_server_id: str
    dev_eui: str

    def send_uplink(self, f_cnt: int = 1) -> dict[str, Any]:
        """Send an uplink, and return what the receiver got of it."""
        message = uplink(self.dev_eui, f_cnt)
        before = len(self.receiver.requests)
        target = f"/ingest/{self.network_server_id}?{message.query}"
        self.api.raw("POST", target, message.body, {"Content-Type": "application/json"})
        wait_until("the uplink at the receiver", lambda: len(self.receiver.requests) > before)
        content: dict[str, Any] = json.loads(self.receiver.requests[-1].body)["DevEUI_uplink"]
        return content

    def post(self, url: str, body: bytes, content_type: str = "application/json") -> Answer:
        return self.api.raw("POST", urlsplit(url).path, body, {"Content-Type": content_type})

    def send(self, url: str, **members: Any) -> Answer:
        content = {"DevEUI": self.dev_eui, "FPort": 1, "payload_hex": "00ff", **members}
        return self.post(url, json.dumps({"DevEUI_downlink": content}).encode())

    def report(self, root: str, **members: Any) -> None:
        """Send a signed report of the LRC."""
        content = {"Time": "2026-03-14T10:27:00.000+01:00", "DevEUI": self.dev_eui, "CustomerID": CUSTOMER}
        document = {root: content | members}
        target = f"/ingest/{self.network_server_id}?{signed(query_for(self.dev_eui), document)}"
        answer = self.api.raw("POST", target, compact(document), {"Content-Type": "application/json"})
        assert answer.status == 200, answer

    def wait_for_status(self, correlation_id: str, status: str) -> Json:
        def look() -> Json | None:
            found = self.api.get(f"/downlinks?devEUI={self.dev_eui}")
            match = [each for each in found if each["correlationId"] == correlation_id]
            return match[0] if match and match[0]["status"] == status else None

        return wait_until(f"downlink {correlation_id} to be {status}", look)

    def wait_for_root(self, root: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            bodies = [json.loads(each.body) for each in self.receiver.requests]
            return next((body[root] for body in bodies if root in body), None)

        return wait_until(f"{root} at the receiver", look)

    @property
    def url(self) -> str:
        return str(self.api.get(f"/connections/{self.connection_id}")["downlinkUrl"])


def build_world(api: Api, dev_eui: str, sinks: list[Sink], **configuration: Any) -> World:
    """Return a world in that server; its sinks are added to `sinks`, for the caller to close."""
    receiver, lrc = Sink(), Sink()
    sinks.extend((receiver, lrc))
    configured = {"asKey": AS_KEY, "asId": AS_ID, "lrcUrl": lrc.url("/thingpark/lrc/rest/downlink")}
    network_server = api.create(
        "/networkServers", {"name": "LRC", "type": "thingpark", "configuration": configured}
    )
    connection = api.create("/connections", connection_document(receiver.url(), **configuration))
    flow = {"matchers": key_matchers([dev_eui]), "connectors": [{"connectionId": connection["id"]}]}
    api.create("/flows", flow)
    return World(api, receiver, lrc, connection["id"], network_server["id"], dev_eui)


def query_of(request: Received) -> dict[str, str]:
    """Return the parameters of a downlink at the LRC, after checking its Token."""
    query = request.target.partition("?")[2]
    before, _, token = query.rpartition("&Token=")
    assert token == hashlib.sha256((unquote(before) + AS_KEY).encode()).hexdigest()
    return {name: values[0] for name, values in parse_qs(before, keep_blank_values=True).items()}
