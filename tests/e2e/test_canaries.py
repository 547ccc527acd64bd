"""Secrets never come out: in no answer, log line, metric or file, nor in what the system shows (AP-05)."""

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import trustme
from tests.e2e.api_client import Answer, Api, Json, connection_document, key_matchers
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_ID, query_for, signed, uplink
from tests.e2e.operations import read_operations
from tests.e2e.sink import Received, Reply, Sink
from tests.e2e.visitor import visit_everything
from tests.e2e.waiting import wait_until

from longwire.core.connector import CONNECTION
from longwire.core.document import Object
from longwire.core.network_server import NETWORK_SERVER

OWNER, SECRET_KEY = "canary-owner-key-1f0d8e7c", "canary-secret-key-2a9b3c4d"
CERTIFICATE = trustme.CA().issue_cert("client.example")
CLIENT_KEY = CERTIFICATE.private_key_pem.bytes().decode()
# Where the declared secrets are planted: by their paths, so that a new one must be planted here too.
PLANTED: Mapping[str, str] = {
    "configuration.proxy.password": "canary-proxy-5e6f7a8b",
    "configuration.tls.clientKey": CLIENT_KEY,
    "configuration.signingSecret": f"whsec_{base64.b64encode(b'canary-signing-9c0d1e2f3a').decode()}",
    "configuration.downlinkAsKey": "ca0a12d0c0ffee0000000000000000d1",
    "configuration.tunnelInterfaceAuthenticationKey": "ca0a1277c0ffee000000000000000077",
    "configuration.asKey": "ca0a12a5c0ffee0000000000000000a5",
}
HEADERS = {
    "Authorization": "Bearer canary-bearer-0b1c2d3e",
    "X-Api-Key": "canary-apikey-4f5a6b7c",
    "Cookie": "session=canary-cookie-8d9e0f1a",
}
BODY_KEY = "ca0a12b0c0ffee0000000000000000b0"
PATCH = {"Content-Type": "application/merge-patch+json"}


class Recorder(Api):
    """The API of the owner, who keeps every answer but those that show a secret for the only time."""

    answers: dict[str, bytes]

    def raw(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        answer = super().raw(method, path, body, headers)
        if not (method == "POST" and path.endswith(("/apiKeys", "/oauth/token"))):
            self.answers[f"{len(self.answers)} {method} {path}"] = answer.body + str(answer.headers).encode()
        return answer


@pytest.fixture
def server(longwire: Callable[..., Longwire]) -> Longwire:
    settings = {"LONGWIRE_OWNER_KEY": OWNER, "LONGWIRE_SECRET_KEY": SECRET_KEY, "LONGWIRE_LOG_FORMAT": "json"}
    server: Longwire = longwire(settings)
    recorder = Recorder(server.port, OWNER)
    recorder.answers = {}
    server.api = recorder
    return server.start()


def secret_paths(shape: Object, path: str = "") -> set[str]:
    """Return the paths of the members that are declared as secrets."""
    found = {f"{path}{name}" for name, member in shape.members.items() if member.secret}
    for name, member in shape.members.items():
        if isinstance(member.kind, Object):
            found |= secret_paths(member.kind, f"{path}{name}.")
    return found


def test_every_declared_secret_is_planted_here() -> None:
    assert secret_paths(CONNECTION) | secret_paths(NETWORK_SERVER) == set(PLANTED)


def echo(got: Received) -> Reply:
    """Answer as a careless endpoint would: refuse, and say back everything that was sent."""
    said = {"line": f"{got.method} {got.target}", "headers": got.headers, "body": got.body.decode()}
    headers = tuple((f"X-Echo-{name}", value) for name, value in got.headers)
    return Reply(500, headers=headers, body=json.dumps(said).encode())


def test_secrets_come_out_nowhere(server: Longwire, sink: Sink, dev_eui: str, tmp_path: Path) -> None:
    sink.answer = echo
    api = server.api
    made = plant(api, sink, dev_eui)
    tokens = use_keys(api)
    exercise(api, made, dev_eui)
    spoil(api, made)
    read_everything(api, made, dev_eui, tmp_path)
    system = what_the_system_shows(server)
    while_it_ran = files_of(server)
    assert server.terminate()[0] == 0

    places = {
        **api.answers,  # type: ignore[attr-defined]
        **system,
        "output": server.said.encode(),
        **while_it_ran,
        **{f"{name} after the end": text for name, text in files_of(server).items()},
    }
    found = {
        f"{name} in {place}"
        for name, secret in forms_of_secrets(tokens)
        for place, text in places.items()
        if secret in text
    }
    assert found == set()
    assert "longwire.db-wal" in while_it_ran
    assert_secrets_were_sent(sink)


def assert_secrets_were_sent(sink: Sink) -> None:
    """Check that the careless endpoint had something to say back."""
    headers = [header for each in sink.requests for header in each.headers]
    assert ("Authorization", HEADERS["Authorization"]) in headers
    assert any(name == "Proxy-Authorization" for name, _ in headers)
    assert any(each.target.startswith("/thingpark/lrc/") for each in sink.requests)


def forms_of_secrets(tokens: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Return what must not be found: each secret, its words, and how HTTP writes a login."""
    login = base64.b64encode(f"ann:{PLANTED['configuration.proxy.password']}".encode())
    yield "proxy login", login
    secrets = {
        **PLANTED,
        **HEADERS,
        **tokens,
        "AS_KEY": BODY_KEY,
        "owner key": OWNER,
        "secret key": SECRET_KEY,
    }
    for name, secret in secrets.items():
        # Of a PEM text one line in its middle, of others each word: nothing but a secret is that long.
        words = secret.splitlines()[5:6] if "\n" in secret else [*secret.split(), secret.rpartition("=")[2]]
        for word in words:
            if len(word) >= 12:
                yield name, word.encode()
                yield f"{name} in a URL", quote(word, safe="").encode()


@dataclass(frozen=True, slots=True)
class Made:
    """What holds the secrets."""

    network_server: Json
    connections: tuple[Json, ...]
    flow: Json


def plant(api: Api, sink: Sink, dev_eui: str) -> Made:
    """Create a network server, connections with and without a proxy, and a flow, with every secret there is."""
    as_key = PLANTED["configuration.asKey"]
    lrc = {"asKey": as_key, "asId": AS_ID, "lrcUrl": sink.url("/thingpark/lrc/rest/downlink")}
    server = api.create("/networkServers", {"name": "LRC", "type": "thingpark", "configuration": lrc})
    password = PLANTED["configuration.proxy.password"]
    proxy = {"hostname": sink.url(""), "username": "ann", "password": password}
    certificate = b"".join(pem.bytes() for pem in CERTIFICATE.cert_chain_pems).decode()
    secret: dict[str, Any] = {
        "headers": HEADERS | {"X-Thing": "{DevEUI}"},
        "signingSecret": PLANTED["configuration.signingSecret"],
        "downlinkAsKey": PLANTED["configuration.downlinkAsKey"],
        "lrcCompliance": True,
        "tunnelInterfaceAuthenticationKey": PLANTED["configuration.tunnelInterfaceAuthenticationKey"],
        "tls": {"clientCertificate": certificate, "clientKey": CLIENT_KEY},
    }
    direct = api.create("/connections", connection_document(sink.url(), **secret))
    document = connection_document(sink.url(), **secret, proxy=proxy) | {"debug": True}
    proxied = api.create("/connections", document)
    connectors = [{"connectionId": each["id"]} for each in (direct, proxied)]
    flow = {"name": "both", "matchers": key_matchers([dev_eui]), "connectors": connectors}
    return Made(server, (direct, proxied), api.create("/flows", flow))


def use_keys(api: Api) -> dict[str, str]:
    """Make, use, list and delete keys and tokens, right and wrong ones; return them."""
    key = api.create("/apiKeys", {"name": "canary", "role": "Reader"})
    form = {"grant_type": "client_credentials", "client_id": key["id"], "client_secret": key["key"]}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = api.with_key(None).send("POST", "/oauth/token", urlencode(form).encode(), kind)
    assert answer.status == 200, answer
    token = answer.json()["access_token"]
    for used in (key["key"], token, key["key"] + "x"):
        api.send("POST", "/flows", b"{}", {"Authorization": f"Bearer {used}"})
    return {"API key": key["key"], "access token": token}


def exercise(api: Api, made: Made, dev_eui: str) -> None:
    """Send uplinks and downlinks, change, replay and restart."""
    path = urlsplit(made.network_server["uplinkUrl"]).path
    sent = uplink(dev_eui, 1)
    query = signed(query_for(dev_eui), sent.document, PLANTED["configuration.asKey"])
    kind = {"Content-Type": "application/json"}
    assert api.raw("POST", f"{path}?{query}", sent.body, kind).status == 200
    assert api.raw("POST", f"{path}?{query}x", sent.body, kind).status == 403
    wait_until("both are settled", lambda: sum(is_settled(each) for each in api.get("/deliveries")) == 2)
    for connection in made.connections:
        assert api.call("POST", f"/connections/{connection['id']}/restart").status == 202
        assert api.call("POST", f"/connections/{connection['id']}/test").status == 200
        assert api.call("POST", "/connections/preview", {"connectionId": connection["id"]}).status == 200
        for content in ({"AS_KEY": BODY_KEY, "AS_ID": AS_ID}, {}):
            downlink = {"DevEUI": dev_eui, "FPort": 1, "payload_hex": "00ff", **content}
            target = urlsplit(connection["downlinkUrl"]).path
            api.raw("POST", target, json.dumps({"DevEUI_downlink": downlink}).encode(), kind)
    wait_until("the downlinks were refused", lambda: api.get("/downlinks"))


def is_settled(delivery: Json) -> bool:
    return delivery["outcome"] not in {"QUEUED", "FILTERED"}


def spoil(api: Api, made: Made) -> None:
    """Send what must be refused, with a secret in it: the refusal must not repeat it."""
    path = f"/connections/{made.connections[0]['id']}"
    proxy_password = PLANTED["configuration.proxy.password"]
    for change in (
        {"signingSecret": PLANTED["configuration.signingSecret"] + "!"},
        {"tls": {"clientKey": CLIENT_KEY[:200]}},
        {"downlinkAsKey": PLANTED["configuration.downlinkAsKey"] + "0"},
        {"tunnelInterfaceAuthenticationKey": PLANTED["configuration.tunnelInterfaceAuthenticationKey"] + "0"},
        {"proxy": {"hostname": "http://127.0.0.1:9", "username": None, "password": proxy_password}},
        {"proxy": {"hostname": f"http://ann:{proxy_password}@127.0.0.1:9"}},
        {"headers": {"Authorization": HEADERS["Authorization"] + "\r\n"}},
        {"headers": {"Authorization": "{" + HEADERS["Authorization"]}},
        {"headers": {"Authorization": [HEADERS["Authorization"]]}},
        {"destinationURL": f"http://ann:{proxy_password}@127.0.0.1:9/"},
    ):
        answer = api.send("PATCH", path, json.dumps({"configuration": change}).encode(), PATCH)
        assert answer.status == 400, (change, answer)
    server = f"/networkServers/{made.network_server['id']}"
    key = {"configuration": {"asKey": PLANTED["configuration.asKey"] + "0"}}
    assert api.send("PATCH", server, json.dumps(key).encode(), PATCH).status == 400


def read_everything(api: Api, made: Made, dev_eui: str, folder: Path) -> None:
    """Ask for every resource there is, by every path that reads one."""
    ids = {
        "connection_id": [each["id"] for each in made.connections],
        "flow_id": [made.flow["id"]],
        "network_server_id": [made.network_server["id"]],
        "delivery_id": [each["id"] for each in api.get("/deliveries")],
        "dev_eui": [dev_eui],
    }
    for operation in read_operations(folder):
        if operation.method == "GET":
            for path in filled(operation.route, ids):
                api.call("GET", path)
    api.raw("GET", "/metrics", headers={"Authorization": f"Bearer {OWNER}"})
    assert len(visit_everything(api)) > 10


def filled(route: str, ids: Mapping[str, list[str]]) -> list[str]:
    """Return the paths of a route, with each id of the resource it names."""
    for name, values in ids.items():
        if f"{{{name}}}" in route:
            return [route.replace(f"{{{name}}}", value) for value in values]
    return [route.replace("{", "").replace("}", "")]


def what_the_system_shows(server: Longwire) -> dict[str, bytes]:
    """Return the command line and the environment of the process, but what the operator has set there."""
    process = Path(f"/proc/{server.process.pid}")
    environment = process.joinpath("environ").read_bytes().split(b"\0")
    own = [each for each in environment if not each.startswith(b"LONGWIRE_")]
    return {"command line": process.joinpath("cmdline").read_bytes(), "environment": b"\0".join(own)}


def files_of(server: Longwire) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for folder, _, names in os.walk(server.data):
        found |= {name: Path(folder, name).read_bytes() for name in names}
    return found
