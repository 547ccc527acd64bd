"""A tiny client for Longwire's API over the standard library, and helpers that build a road through it."""

import http.client
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.lrc import Uplink
from tests.e2e.waiting import NotInTimeError, wait_until

API = "/iot-flow/v1"
CONNECTOR = "actility-http-iot"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.body[:2000].decode(errors='replace')}"


class Api:
    """The API of one Longwire, as the holder of one key sees it."""

    def __init__(self, port: int, key: str | None, extra: Mapping[str, str] | None = None) -> None:
        self.port = port
        self.key = key
        self._extra = dict(extra or {})

    def with_key(self, key: str | None) -> "Api":
        return Api(self.port, key)

    def with_if_match(self, tag: str) -> "Api":
        return Api(self.port, self.key, {"If-Match": tag})

    def raw(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send exactly this to the server; nothing is added but Host and Content-Length."""
        peer = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            try:
                peer.request(method, path, body=body, headers=dict(headers or {}))
            except (BrokenPipeError, ConnectionResetError):  # an early answer to a body that is too large
                if peer.sock is None:
                    raise
                answer = http.client.HTTPResponse(peer.sock, method=method)
                answer.begin()
            else:
                answer = peer.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, fields, answer.read())
        finally:
            peer.close()

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send to a path below the API with the key, as JSON unless `headers` say otherwise."""
        fields = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        if body is not None:
            fields["Content-Type"] = "application/json"
        return self.raw(method, API + path, body, fields | self._extra | dict(headers or {}))

    def call(self, method: str, path: str, document: Any = None) -> Answer:
        """Send a document as JSON; None means no body."""
        return self.send(method, path, None if document is None else json.dumps(document).encode())

    def patch(self, path: str, patch: Any) -> Answer:
        """Send a JSON Merge Patch."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self.send("PATCH", path, json.dumps(patch).encode(), headers)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status == 200, f"GET {path}: {answer}"
        return answer.json()

    def create(self, path: str, document: Any) -> Json:
        answer = self.call("POST", path, document)
        assert answer.status == 201, f"POST {path}: {answer}"
        created: Json = answer.json()
        return created

    def ids(self, path: str) -> list[str]:
        return sorted(str(each["id"]) for each in self.get(path))


def connection_document(url: str, *, name: str = "test", active: bool = True, **configuration: Any) -> Json:
    return {
        "connectorId": CONNECTOR,
        "name": name,
        "active": active,
        "configuration": {"destinationURL": url, **configuration},
    }


def key_matchers(dev_euis: Iterable[str]) -> list[Json]:
    return [{"type": "key", "key": f"lora:{dev_eui}"} for dev_eui in dev_euis]


@dataclass(frozen=True, slots=True)
class Road:
    """A network server, a connection and a flow between them."""

    api: Api
    network_server_id: str
    uplink_path: str
    connection_id: str
    flow_id: str

    @property
    def connection(self) -> Json:
        found: Json = self.api.get(f"/connections/{self.connection_id}")
        return found

    @property
    def state(self) -> str:
        return str(self.connection["state"])

    def wait_for_state(self, *states: str, timeout_s: float = 10.0) -> Json:
        def look() -> Json | None:
            found = self.connection
            seen.append(found["state"])
            return found if found["state"] in states else None

        seen: list[str] = []
        try:
            return wait_until(f"state {' or '.join(states)}", look, timeout_s=timeout_s)
        except NotInTimeError as late:
            raise NotInTimeError(f"{late}: {seen[-1]}") from None

    def put(self, document: Json) -> Answer:
        return self.api.call("PUT", f"/connections/{self.connection_id}", document)

    def ingest(self, query: str, body: bytes, content_type: str = "application/json") -> Answer:
        target = f"{self.uplink_path}?{query}" if query else self.uplink_path
        return self.api.raw("POST", target, body, {"Content-Type": content_type})

    def send(self, *uplinks: Uplink) -> None:
        """Send uplinks as an LRC would; each must be accepted."""
        for sent in uplinks:
            answer = self.ingest(sent.query, sent.body)
            assert answer.status == 200, f"uplink {sent.f_cnt} of {sent.dev_eui}: {answer}"

    def deliveries(self) -> list[Json]:
        """Return this connection's deliveries, oldest first."""
        found: list[Json] = self.api.get(f"/connections/{self.connection_id}/deliveries?perPage=5000")
        return found[::-1]

    def wait_for_outcomes(self, *outcomes: str, timeout_s: float = 10.0) -> list[Json]:
        """Return the deliveries, oldest first, once their outcomes are exactly these."""

        def look() -> list[Json] | None:
            found = self.deliveries()
            seen.append([each["outcome"] for each in found])
            return found if seen[-1] == list(outcomes) else None

        seen: list[list[str]] = []
        try:
            return wait_until(f"outcomes {outcomes}", look, timeout_s=timeout_s)
        except NotInTimeError as late:
            raise NotInTimeError(f"{late}: {seen[-1]}") from None

    def details(self, delivery: Json) -> Json:
        found: Json = self.api.get(f"/deliveries/{delivery['id']}")
        return found


def create_network_server(api: Api, as_key: str | None = None) -> Json:
    configuration = {} if as_key is None else {"asKey": as_key}
    return api.create("/networkServers", {"name": "LRC", "type": "thingpark", "configuration": configuration})


def build_road(api: Api, connection: Json, dev_euis: Sequence[str] | None, as_key: str | None = None) -> Road:
    """Create a road for these devices; None means a flow without matchers, for every device."""
    server = create_network_server(api, as_key)
    created = api.create("/connections", connection)
    matchers = [] if dev_euis is None else key_matchers(dev_euis)
    flow = api.create(
        "/flows", {"name": "road", "matchers": matchers, "connectors": [{"connectionId": created["id"]}]}
    )
    return Road(api, server["id"], urlsplit(server["uplinkUrl"]).path, created["id"], flow["id"])
