"""The seed's example request, byte for byte, and one uplink through it to `posthere.io`."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import trustme
from tests.e2e.api_client import Api, Road, connection_document, create_network_server, key_matchers
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_KEY, uplink
from tests.e2e.sink import OK, Received, Reply, Sink, answer_in_turn
from tests.e2e.waiting import wait_until
from tests.net.dns_server import DnsServer

import longwire

SECRET = "Bearer eg89a53sx!="
EXAMPLE = b"""{
  "connectorId": "actility-http-iot",
  "name": "Test HTTP Connection",
  "configuration": {
    "headers": {
      "Authorization": "Bearer eg89a53sx!=",
      "X-Thing": "{DevEUI}",
      "X-Site": "BuildingA"
    },
    "destinationURL": "https://posthere.io/4b29-45f6-94tc"
  }
}
"""


@dataclass(frozen=True, slots=True)
class World:
    """A Longwire that trusts one CA, the names it sees, and the receiver behind `posthere.io`."""

    longwire: Longwire
    names: DnsServer
    receiver: Sink
    authority: trustme.CA


def tls_for(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def open_receiver(authority: trustme.CA) -> Sink:
    """Return a TLS receiver on port 443 of an address of our own in 127.0.0.0/8."""
    for last in range(10, 100):
        try:
            return Sink((f"127.0.0.{last}", 443), tls=tls_for(authority, "posthere.io"))
        except PermissionError:
            pytest.skip("port 443 needs root or a lower net.ipv4.ip_unprivileged_port_start")
        except OSError:
            continue
    raise AssertionError("no free address for port 443")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("first-road")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    with open_receiver(authority) as receiver, DnsServer(ttl_s=0) as names:
        names.names["posthere.io"] = [receiver.address[0]]
        settings = {"LONGWIRE_RESOLVER": names.address, "SSL_CERT_FILE": str(folder / "ca.pem")}
        with Longwire(folder, settings).start() as started:
            yield World(started, names, receiver, authority)
        assert receiver.problems == []


@pytest.fixture
def road(world: World, dev_eui: str) -> Road:
    """The example's connection, and the way of one device to it."""
    api = world.longwire.api
    answer = api.send("POST", "/connections", EXAMPLE)
    assert answer.status == 201, answer
    return lead_to(api, answer.json()["id"], dev_eui)


def lead_to(api: Api, connection_id: str, dev_eui: str) -> Road:
    server = create_network_server(api, AS_KEY)
    flow = api.create(
        "/flows",
        {"name": "one", "matchers": key_matchers([dev_eui]), "connectors": [{"connectionId": connection_id}]},
    )
    return Road(api, server["id"], f"/ingest/{server['id']}", connection_id, flow["id"])


def received(world: World, dev_eui: str) -> Received:
    """Return the one request that the receiver got for this device."""
    (request,) = [each for each in world.receiver.requests if each.all("X-Thing") == [dev_eui]]
    return request


def test_the_example_request_is_accepted_byte_for_byte(world: World) -> None:
    answer = world.longwire.api.send("POST", "/connections", EXAMPLE)
    created = answer.json()
    assert answer.status == 201
    assert created["id"].isdecimal()
    assert answer.headers["location"].endswith(f"/iot-flow/v1/connections/{created['id']}")
    assert created["connectorId"] == "actility-http-iot"
    assert created["name"] == "Test HTTP Connection"
    assert created["active"] is True
    assert created["configuration"]["destinationURL"] == "https://posthere.io/4b29-45f6-94tc"


def test_the_secret_header_reads_back_as_stars_and_the_others_as_written(world: World) -> None:
    api = world.longwire.api
    created = api.send("POST", "/connections", EXAMPLE).json()
    listed = next(each for each in api.get("/connections") if each["id"] == created["id"])
    for shown in (created, listed, api.get(f"/connections/{created['id']}")):
        assert shown["configuration"]["headers"] == {
            "Authorization": "*****",
            "X-Thing": "{DevEUI}",
            "X-Site": "BuildingA",
        }


def test_an_uplink_arrives_at_the_destination_with_the_rendered_headers(
    road: Road, world: World, dev_eui: str
) -> None:
    road.send(uplink(dev_eui, 1))

    (delivery,) = road.wait_for_outcomes("DELIVERED")

    got = received(world, dev_eui)
    assert (got.method, got.target) == ("POST", "/4b29-45f6-94tc")
    assert got.header("Host") == "posthere.io"
    assert got.header("Authorization") == SECRET
    assert got.header("X-Site") == "BuildingA"
    assert got.header("Content-Type") == "application/json"
    assert got.header("User-Agent") == f"Longwire/{longwire.__version__}"
    assert got.header("Longwire-Attempt") == "1"
    assert got.message_id == delivery["messageId"]
    assert got.header("webhook-timestamp").isdecimal()
    assert got.all("webhook-signature") == []


def test_the_body_is_what_was_sent_with_the_downlink_url_twice_at_its_end(
    road: Road, world: World, dev_eui: str
) -> None:
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")

    url = road.connection["downlinkUrl"]
    got = received(world, dev_eui)
    added = f',"downlinkUrl":"{url}","downlinkURL":"{url}"}}}}'
    assert got.body == uplink(dev_eui, 1).body[:-2] + added.encode()
    assert url.startswith(f"http://127.0.0.1:{world.longwire.port}/iot-flow/downlinkMessages/")
    assert list(json.loads(got.body)["DevEUI_uplink"])[-2:] == ["downlinkUrl", "downlinkURL"]


def test_a_put_that_sends_the_stars_back_keeps_the_secret(road: Road, world: World, dev_eui: str) -> None:
    document = road.connection
    document["name"] = "renamed"
    assert document["configuration"]["headers"]["Authorization"] == "*****"

    answer = road.put(document)

    assert answer.status == 200, answer
    assert road.connection["name"] == "renamed"
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")
    got = received(world, dev_eui)
    assert got.header("Authorization") == SECRET


def test_the_secret_stands_in_no_file_of_the_data_folder_and_not_in_the_output(
    road: Road, world: World, dev_eui: str
) -> None:
    world.receiver.answer = answer_in_turn(OK, Reply(500), OK)
    road.send(*(uplink(dev_eui, number) for number in (1, 2, 3)))
    road.wait_for_outcomes("DELIVERED", "LOST", "DELIVERED")
    files = [path for path in world.longwire.data.rglob("*") if path.is_file()]
    assert any(dev_eui.encode() in path.read_bytes() for path in files), "what is in clear is found"
    for secret in (SECRET, "eg89a53sx!=", AS_KEY):
        assert [path for path in files if secret.encode() in path.read_bytes()] == []
        assert secret not in world.longwire.said


def test_the_delivery_log_masks_the_secret(road: Road, dev_eui: str) -> None:
    road.send(uplink(dev_eui, 1))
    (delivery,) = road.wait_for_outcomes("DELIVERED")

    details = road.details(delivery)

    (attempt,) = details["attempts"]
    assert attempt["url"] == "https://posthere.io/4b29-45f6-94tc"
    assert "eg89a53sx" not in json.dumps(details)
    assert "*****" in json.dumps(attempt["requestHeaders"])
    assert dev_eui in json.dumps(attempt["requestHeaders"])


@pytest.mark.parametrize("flaw", ["unknown-ca", "wrong-name"])
def test_a_receiver_that_cannot_prove_its_name_gets_no_request(world: World, dev_eui: str, flaw: str) -> None:
    api, name = world.longwire.api, f"{flaw}.example"
    tls = tls_for(trustme.CA(), name) if flaw == "unknown-ca" else tls_for(world.authority, "posthere.io")
    world.names.names[name] = ["127.0.0.1"]
    with Sink(tls=tls) as impostor:
        document = connection_document(f"https://{name}:{impostor.address[1]}/")
        road = lead_to(api, api.create("/connections", document)["id"], dev_eui)

        road.send(uplink(dev_eui, 1))

        assert road.wait_for_state("CLOSED")["stateReason"]
        wait_until("a handshake was tried", lambda: impostor.connections > 0)
        road.wait_for_outcomes("QUEUED")
        assert impostor.requests == []
