"""Where Longwire may go: refused with the setting named, judged again at each dial, never at its own listener."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.e2e.api_client import Api, Json, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import Sink
from tests.e2e.waiting import holds_for, wait_until
from tests.net.dns_server import DnsServer

SETTING = "LONGWIRE_ALLOW_DESTINATIONS"


@dataclass(frozen=True, slots=True)
class World:
    """A Longwire with the default policy, the names it sees, and what must never be contacted."""

    longwire: Longwire
    names: DnsServer
    canary: Sink


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with DnsServer(ttl_s=0) as names, Sink() as canary:
        settings = {SETTING: None, "LONGWIRE_RESOLVER": names.address}
        with Longwire(tmp_path_factory.mktemp("policy"), settings).start() as started:
            yield World(started, names, canary)
        assert canary.connections == 0


def refuse(api: Api, url: str) -> Json:
    """Check that a destination is refused at save, and nothing stored; return the error."""
    before = api.ids("/connections")
    answer = api.call("POST", "/connections", connection_document(url))
    assert answer.status == 400, f"{url}: {answer}"
    error: Json = answer.json()
    assert error["data"]["field"] == "configuration.destinationURL"
    assert api.ids("/connections") == before
    return error


@pytest.mark.parametrize(
    ("host", "allow"),
    [
        ("127.0.0.1", "127.0.0.1/32"),
        ("127.9.9.9", "127.9.9.9/32"),
        ("[::1]", "::1/128"),
        ("[::ffff:127.0.0.1]", ""),
        ("10.1.2.3", "10.1.2.3/32"),
        ("172.16.0.1", "172.16.0.1/32"),
        ("192.168.1.1", "192.168.1.1/32"),
        ("[fd00::1]", "fd00::1/128"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("[fe80::1]", "fe80::1/128"),
        ("[fd00:ec2::254]", "fd00:ec2::254/128"),
        ("100.100.100.200", "100.100.100.200/32"),
        ("100.64.0.1", "100.64.0.1/32"),
        ("[64:ff9b::7f00:1]", ""),
    ],
)
def test_an_address_that_is_not_global_is_refused_with_the_exact_setting(
    world: World, host: str, allow: str
) -> None:
    message = refuse(world.longwire.api, f"http://{host}:{world.canary.address[1]}/")["message"]
    assert f"{SETTING}={allow}" in message


def test_the_setting_that_a_refusal_names_lifts_it(longwire: Callable[..., Longwire], world: World) -> None:
    message = refuse(world.longwire.api, "http://127.0.0.1:9/")["message"]
    named = re.search(rf"{SETTING}=(\S+)", message)
    assert named
    api = longwire({SETTING: named[1]}).start().api
    api.create("/connections", connection_document("http://127.0.0.1:9/", active=False))


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "224.0.0.1", "255.255.255.255", "[ff02::1]"])
def test_an_address_that_is_not_of_one_host_is_never_a_destination(world: World, host: str) -> None:
    refuse(world.longwire.api, f"http://{host}/")


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"], ["192.168.0.1", "10.0.0.1"]])
def test_a_name_that_resolves_to_a_blocked_address_is_refused_at_save(
    world: World, addresses: list[str]
) -> None:
    world.names.names["inside.example"] = addresses
    assert (
        SETTING in refuse(world.longwire.api, f"http://inside.example:{world.canary.address[1]}/")["message"]
    )


LOOPBACK = ["localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.0.0.1.", "[::1]"]


@pytest.mark.parametrize("host", [*LOOPBACK, "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7f000001"])
def test_loopback_is_refused_through_a_proxy_too_however_it_is_written(world: World, host: str) -> None:
    proxy = {"hostname": "http://8.8.8.8:3128"}
    document = connection_document(f"http://{host}:{world.canary.address[1]}/", proxy=proxy)
    answer = world.longwire.api.call("POST", "/connections", document)
    assert answer.status == 400, answer
    assert answer.json()["data"]["field"] == "configuration.destinationURL"


def test_another_name_is_left_to_the_proxy(world: World) -> None:
    proxy = {"hostname": "http://nowhere.example:3128"}
    document = connection_document("http://inside.example/", proxy=proxy, active=False)
    world.longwire.api.create("/connections", document | {"active": False})


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1."])
def test_localhost_is_loopback_however_it_is_written(world: World, host: str) -> None:
    world.names.names["localhost"] = ["127.0.0.1"]
    refuse(world.longwire.api, f"http://{host}:{world.canary.address[1]}/")


def test_a_name_is_judged_again_at_each_dial(world: World, dev_eui: str) -> None:
    api, name = world.longwire.api, "moving.example"
    world.names.names.pop(name, None)
    road = build_road(api, connection_document(f"http://{name}:{world.canary.address[1]}/"), [dev_eui])
    road.wait_for_state("CLOSED")
    world.names.names[name] = ["127.0.0.1"]
    assert road.api.call("PUT", f"/connections/{road.connection_id}", road.connection).status == 400

    road.send(uplink(dev_eui, 1))

    holds_for("the canary is left alone", lambda: world.canary.connections == 0, seconds=4)
    shown = road.wait_for_state("CLOSED", "OPENING")
    assert "blocked" in shown["stateReason"]
    road.wait_for_outcomes("QUEUED")


def test_names_with_one_blocked_address_are_never_dialled_there(world: World, dev_eui: str) -> None:
    api, name = world.longwire.api, "double.example"
    world.names.names.pop(name, None)
    road = build_road(api, connection_document(f"http://{name}:{world.canary.address[1]}/"), [dev_eui])
    world.names.names[name] = ["::1", "127.0.0.1", "192.0.2.1"]
    road.send(uplink(dev_eui, 1))
    holds_for("the canary is left alone", lambda: world.canary.connections == 0, seconds=4)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "192.168.1.1", "[fe80::1]"]
)
def test_allowing_loopback_allows_nothing_else(api: Api, host: str) -> None:
    assert SETTING in refuse(api, f"http://{host}/")["message"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "own.example", "[::ffff:127.0.0.1]", "[::1]", "127.0.0.2", "localhost"]
)
@pytest.mark.parametrize("path", ["/", "/ingest/x", "/iot-flow/v1/connections"])
def test_our_own_listener_is_never_a_destination(
    shared: Longwire, name_server: DnsServer, host: str, path: str
) -> None:
    name_server.names["own.example"] = ["127.0.0.1"]
    assert "own" in refuse(shared.api, f"http://{host}:{shared.port}{path}")["message"]


def test_a_name_that_comes_to_lead_to_our_own_listener_is_not_dialled_there(
    shared: Longwire, name_server: DnsServer, dev_eui: str
) -> None:
    name_server.names.pop("mixed.example", None)
    road = build_road(shared.api, connection_document(f"http://mixed.example:{shared.port}/x"), [dev_eui])
    road.wait_for_state("CLOSED")
    name_server.names["mixed.example"] = ["127.0.0.1", "::1"]
    shared.api.call("POST", f"/connections/{road.connection_id}/restart")
    road.send(uplink(dev_eui, 1))
    wait_until("refused as our own", lambda: "own API" in road.connection.get("stateReason", ""))
    road.wait_for_outcomes("QUEUED")


def test_allowing_private_addresses_does_not_allow_metadata(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = {SETTING: "private,loopback"}
    with Longwire(tmp_path_factory.mktemp("private"), settings).start() as started:
        for host in ("169.254.169.254", "[fd00:ec2::254]"):
            refuse(started.api, f"http://{host}/")
        document = connection_document("http://10.255.255.1:9/", active=False)
        assert started.api.call("POST", "/connections", document).status == 201


def test_a_refused_destination_is_refused_in_a_put_too(world: World) -> None:
    api = world.longwire.api
    created = api.create("/connections", connection_document("http://nowhere.example/", active=False))
    document = created | {"configuration": {"destinationURL": world.canary.url()}}
    answer = api.call("PUT", f"/connections/{created['id']}", document)
    assert answer.status == 400
    assert SETTING in answer.json()["message"]
    shown = api.get(f"/connections/{created['id']}")
    assert shown["configuration"]["destinationURL"] == "http://nowhere.example/"
