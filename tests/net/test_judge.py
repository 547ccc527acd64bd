"""Who is judged when there is a proxy: the proxy, and a destination that is an address (specification, section 15)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

import pytest
import pytest_asyncio
from tests.net.conftest import CONTEXT
from tests.net.destination import OK, Destination, Peer, answering, through
from tests.net.dns_server import DnsServer

from longwire.core.address_policy import AddressPolicy, parse_allow_list
from longwire.core.http import Cause, Endpoint, HttpRequest, HttpResponse, Proxy, TransportFailure
from longwire.net.client import Client
from longwire.net.judge import Blocked, Party, find_blocked
from longwire.net.resolver import Resolver

SOON = timedelta(seconds=1)
LATER = timedelta(seconds=20)
METADATA = "169.254.169.254"


@dataclass(frozen=True)
class World:
    dns: DnsServer
    resolver: Resolver
    policy: AddressPolicy
    client: Client


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    """A world in which loopback may be dialled, and names mean what the test says."""
    with DnsServer() as dns:
        resolver = Resolver(dns.address)
        policy = parse_allow_list("loopback", own_listeners=((ip_address("127.0.0.1"), 9999),))
        client = Client(resolver, policy, tls=CONTEXT)
        yield World(dns, resolver, policy, client)
        await client.close()
        await resolver.close()


def request_to(host: str, scheme: str = "http", port: int = 80) -> HttpRequest:
    return HttpRequest(Endpoint(scheme, host, port), "POST", "/", (), b"payload")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("proxy_host", ["10.0.0.1", "squid.test"])
async def test_a_blocked_proxy_is_refused_by_name(world: World, proxy_host: str, scheme: str) -> None:
    world.dns.names["squid.test"] = ["10.0.0.1"]
    proxy = Proxy(scheme, proxy_host, 3128)
    request = through(request_to("sink.test"), proxy)
    failure = await world.client.send(request, LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.BLOCKED_ADDRESS
    assert failure.detail.startswith(f"the proxy {proxy_host}:3128: 10.0.0.1 is not a public address")
    assert "LONGWIRE_ALLOW_DESTINATIONS=loopback,10.0.0.1/32" in failure.detail
    assert await world.client.probe(request.endpoint, LATER) == failure
    found = await find_blocked(world.resolver, world.policy, request.endpoint, SOON)
    assert found == Blocked(Party.PROXY, failure.detail)
    assert found.party.value == "proxy.hostname"
    assert world.dns.asked("sink.test") == 0


@pytest.mark.parametrize(("scheme", "to"), [("http", "http"), ("http", "https"), ("socks5", "http")])
@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("10.0.0.1", 80),
        (METADATA, 80),
        ("fe80::1", 80),
        ("127.0.0.1", 9999),
        ("::1", 9999),
        ("localhost", 9999),
        ("a.localhost", 9999),
    ],
)
async def test_a_literal_destination_is_judged_before_the_proxy_is_dialled(
    world: World, scheme: str, to: str, host: str, port: int
) -> None:
    async with Destination(answering(OK)) as running:
        request = through(request_to(host, to, port), Proxy(scheme, "127.0.0.1", running.port))
        failure = await world.client.send(request, LATER)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.BLOCKED_ADDRESS
        assert failure.detail.startswith(host)
        found = await find_blocked(world.resolver, world.policy, request.endpoint, SOON)
        assert found == Blocked(Party.DESTINATION, failure.detail)
        assert running.peers == []


async def test_the_name_of_a_destination_is_left_to_the_proxy(world: World) -> None:
    world.dns.names |= {"squid.test": ["127.0.0.1"], "inside.test": ["10.0.0.1"]}
    async with Destination(answering(OK)) as running:
        request = through(request_to("inside.test"), Proxy("http", "squid.test", running.port))

        assert isinstance(await world.client.send(request, LATER), HttpResponse)
        assert await find_blocked(world.resolver, world.policy, request.endpoint, SOON) is None
    assert world.dns.asked("inside.test") == 0
    assert world.dns.asked("squid.test") == 2


async def test_the_proxy_is_judged_again_at_each_dial(world: World) -> None:
    world.dns.names["squid.test"] = ["127.0.0.1"]
    async with Destination(answering(OK)) as running:
        request = through(request_to("sink.test"), Proxy("http", "squid.test", running.port))
        assert isinstance(await world.client.send(request, LATER, fresh=True), HttpResponse)
        world.dns.names["squid.test"] = [METADATA]
        failure = await world.client.send(request, LATER, fresh=True)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.BLOCKED_ADDRESS


async def test_our_own_listener_is_no_proxy(world: World) -> None:
    request = through(request_to("sink.test"), Proxy("http", "127.0.0.1", 9999))
    failure = await world.client.send(request, LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.BLOCKED_ADDRESS
    assert "Longwire's own API" in failure.detail


async def test_a_proxy_whose_name_does_not_resolve_is_a_proxy_failure_and_not_blocked(world: World) -> None:
    request = through(request_to("sink.test"), Proxy("http", "nowhere.test", 3128))
    failure = await world.client.send(request, LATER)

    assert failure == TransportFailure(
        Cause.PROXY, "the proxy nowhere.test:3128: cannot resolve nowhere.test: no such name"
    )
    assert await find_blocked(world.resolver, world.policy, request.endpoint, SOON) is None


async def test_without_a_proxy_the_destination_is_judged(world: World) -> None:
    world.dns.names["inside.test"] = ["10.0.0.1"]
    found = await find_blocked(world.resolver, world.policy, Endpoint("http", "inside.test", 80), SOON)

    assert found is not None
    assert found.party is Party.DESTINATION


async def test_every_address_of_a_proxy_is_tried(world: World) -> None:
    world.dns.names["squid.test"] = ["10.0.0.1", "::1", "127.0.0.1"]
    async with Destination(answering(OK)) as running:
        request = through(request_to("sink.test"), Proxy("http", "squid.test", running.port))
        response = await world.client.send(request, LATER)

    assert isinstance(response, HttpResponse)
    assert response.remote_address == f"127.0.0.1:{running.port}"


@pytest.mark.parametrize(("status", "asked"), [(407, 1), (503, 2)])
async def test_a_refused_login_is_not_tried_at_the_other_addresses(
    world: World, status: int, asked: int
) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 %d No\r\n\r\n" % status)

    world.dns.names["squid.test"] = ["127.0.0.1", "127.0.0.2"]
    async with Destination(refuse, host="0.0.0.0") as running:
        proxy = Proxy("http", "squid.test", running.port, "user", "wrong")
        await world.client.send(through(request_to("sink.test", "https", 443), proxy), LATER)

        assert len(running.requests) == asked
