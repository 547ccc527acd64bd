"""Names, and which of their addresses are dialled (cases SS at the level of the client)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_address

import pytest
import pytest_asyncio
from tests.net.conftest import CONTEXT
from tests.net.destination import OK, Destination, answering
from tests.net.dns_server import AAAA, REFUSED, SERVER_FAILURE, DnsServer

from longwire.core.address_policy import parse_allow_list
from longwire.core.errors import Misconfigured
from longwire.core.http import Cause, Endpoint, HttpResponse, TransportFailure
from longwire.net.client import Client
from longwire.net.judge import find_blocked
from longwire.net.resolver import ResolutionFailed, Resolver

SOON = timedelta(seconds=0.3)
LATER = timedelta(seconds=20)


@pytest_asyncio.fixture
async def dns() -> AsyncIterator[DnsServer]:
    with DnsServer() as server:
        yield server


@pytest_asyncio.fixture
async def resolver(dns: DnsServer) -> AsyncIterator[Resolver]:
    resolver = Resolver(dns.address)
    yield resolver
    await resolver.close()


async def test_both_families_are_found(dns: DnsServer, resolver: Resolver) -> None:
    dns.names["two.test"] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]

    assert set(await resolver.resolve("two.test")) == {
        ip_address(text) for text in ("192.0.2.1", "192.0.2.2", "2001:db8::1")
    }


async def test_localhost_is_known_without_asking(dns: DnsServer, resolver: Resolver) -> None:
    assert ip_address("127.0.0.1") in await resolver.resolve("localhost")
    assert dns.questions == []


async def test_the_system_s_resolver_knows_localhost_too() -> None:
    resolver = Resolver()

    assert ip_address("127.0.0.1") in await resolver.resolve("localhost")


async def test_nothing_is_kept_whatever_the_ttl(dns: DnsServer, resolver: Resolver) -> None:
    for address in ("192.0.2.1", "192.0.2.2"):
        dns.names["moving.test"] = [address]
        assert await resolver.resolve("moving.test") == (ip_address(address),)


@pytest.mark.parametrize(
    ("code", "detail"),
    [(None, "no such name"), (SERVER_FAILURE, "reported a failure"), (REFUSED, "refused the question")],
)
async def test_a_failure_says_why(dns: DnsServer, resolver: Resolver, code: int | None, detail: str) -> None:
    if code is not None:
        dns.codes["broken.test"] = code

    with pytest.raises(ResolutionFailed) as failure:
        await resolver.resolve("broken.test")
    assert "broken.test" in failure.value.detail
    assert detail in failure.value.detail


async def test_a_name_without_address_says_so(dns: DnsServer, resolver: Resolver) -> None:
    dns.names["empty.test"] = []

    with pytest.raises(ResolutionFailed, match="the name has no address"):
        await resolver.resolve("empty.test")


async def test_a_missing_answer_for_one_family_does_not_hide_the_other(
    dns: DnsServer, resolver: Resolver
) -> None:
    dns.names["half.test"] = ["192.0.2.1"]
    dns.silent.add(("half.test", AAAA))

    assert await resolver.resolve("half.test") == (ip_address("192.0.2.1"),)


async def test_a_server_that_never_answers_is_given_up(
    dns: DnsServer, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwire.net.resolver._WHOLE_LOOKUP_S", 0.2)
    dns.silent.add("silent.test")

    with pytest.raises(ResolutionFailed, match="did not answer"):
        await resolver.resolve("silent.test")


async def test_callers_at_the_same_time_share_one_lookup(dns: DnsServer, resolver: Resolver) -> None:
    dns.names["shared.test"] = ["192.0.2.1"]
    answers = await asyncio.gather(*(resolver.resolve("shared.test") for _ in range(20)))

    assert set(answers) == {(ip_address("192.0.2.1"),)}
    assert dns.asked("shared.test") == 1


async def test_a_cancelled_caller_does_not_cancel_the_others(dns: DnsServer, resolver: Resolver) -> None:
    dns.names["shared.test"] = ["192.0.2.1"]
    callers = [asyncio.create_task(resolver.resolve("shared.test")) for _ in range(3)]
    await asyncio.sleep(0)
    callers[0].cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)

    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [(ip_address("192.0.2.1"),)] * 2


async def test_many_names_at_once_are_all_found(dns: DnsServer, resolver: Resolver) -> None:
    names = [f"n{number}.test" for number in range(100)]
    dns.names.update({name: ["192.0.2.1"] for name in names})

    assert len(await asyncio.gather(*(resolver.resolve(name) for name in names))) == 100


async def test_closing_ends_a_lookup_with_a_failure(dns: DnsServer, resolver: Resolver) -> None:
    dns.silent.add("silent.test")
    caller = asyncio.create_task(resolver.resolve("silent.test"))
    await asyncio.sleep(0.05)
    await resolver.close()

    with pytest.raises(ResolutionFailed, match="stopping"):
        await caller


@pytest.mark.parametrize("server", ["dns.test:53", "127.0.0.1", "127.0.0.1:domain", ""])
def test_a_server_that_is_no_address_is_a_misconfiguration(server: str) -> None:
    with pytest.raises(Misconfigured, match="LONGWIRE_RESOLVER"):
        Resolver(server)


# What the client makes of it


async def send(
    resolver: Resolver, allowed: str, there: Destination, host: str
) -> HttpResponse | TransportFailure:
    client = Client(resolver, parse_allow_list(allowed), tls=CONTEXT)
    result = await client.send(there.request(host=host), LATER)
    await client.close()
    return result


async def test_a_name_that_does_not_exist_is_a_dns_failure(resolver: Resolver) -> None:
    failure = await send(resolver, "loopback", Destination(answering(OK)), "missing.test")

    assert failure == TransportFailure(Cause.DNS, "cannot resolve missing.test: no such name")


async def test_a_dns_server_that_never_answers_is_a_dns_failure_in_time(
    dns: DnsServer, resolver: Resolver
) -> None:
    dns.silent.add("silent.test")
    client = Client(resolver, parse_allow_list("loopback"), tls=CONTEXT)
    failure = await client.send(Destination(answering(OK)).request(host="silent.test"), SOON)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.DNS


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "loop.test"])
async def test_loopback_is_never_dialled_by_default(dns: DnsServer, resolver: Resolver, host: str) -> None:
    dns.names["loop.test"] = ["127.0.0.1"]  # SS-01, SS-07
    async with Destination(answering(OK)) as canary:
        failure = await send(resolver, "", canary, host)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.BLOCKED_ADDRESS
        assert "LONGWIRE_ALLOW_DESTINATIONS=" in failure.detail
        assert canary.peers == []


async def test_of_several_addresses_only_allowed_ones_are_dialled(dns: DnsServer, resolver: Resolver) -> None:
    dns.names["mixed.test"] = ["::1", "10.0.0.1", "127.0.0.1", "169.254.169.254"]  # SS-09
    async with Destination(answering(OK)) as there:
        async with Destination(answering(OK), host="::1", port=there.port) as canary:
            response = await send(resolver, "127.0.0.1", there, "mixed.test")

        assert isinstance(response, HttpResponse)
        assert response.remote_address == f"127.0.0.1:{there.port}"
        assert canary.peers == []


@pytest.mark.parametrize("listening", ["127.0.0.1", "::1"])
async def test_addresses_are_tried_in_turn(dns: DnsServer, resolver: Resolver, listening: str) -> None:
    dns.names["both.test"] = ["127.0.0.1", "::1"]
    async with Destination(answering(OK), host=listening) as there:
        response = await send(resolver, "loopback", there, "both.test")

        assert isinstance(response, HttpResponse)
        assert len(there.peers) == 1


async def test_a_name_that_moves_to_a_blocked_address_is_blocked(dns: DnsServer, resolver: Resolver) -> None:
    dns.names["moving.test"] = ["127.0.0.1"]
    client = Client(resolver, parse_allow_list("127.0.0.1"), tls=CONTEXT)
    async with Destination(answering(OK)) as there:
        first = await client.send(there.request(host="moving.test"), LATER)
        dns.names["moving.test"] = ["127.0.0.2"]
        second = await client.send(there.request(host="moving.test"), LATER, fresh=True)
        await client.close()

        assert isinstance(first, HttpResponse)
        assert isinstance(second, TransportFailure)
        assert second.cause is Cause.BLOCKED_ADDRESS
        assert len(there.peers) == 1


async def test_our_own_api_is_refused_even_where_loopback_is_allowed(resolver: Resolver) -> None:
    async with Destination(answering(OK)) as own_api:  # SS-17
        listener = (ip_address("0.0.0.0"), own_api.port)
        client = Client(resolver, parse_allow_list("loopback", own_listeners=(listener,)), tls=CONTEXT)
        for host in ("127.0.0.1", "localhost", "127.0.0.2"):
            failure = await client.send(own_api.request(host=host), LATER)
            assert isinstance(failure, TransportFailure)
            assert failure.cause is Cause.BLOCKED_ADDRESS
        assert await client.probe(own_api.endpoint, LATER) is not None

        assert own_api.peers == []


@pytest.mark.parametrize(
    ("addresses", "is_blocked"),
    [(["10.0.0.1", "127.0.0.1"], False), (["10.0.0.1", "::1"], True), ([], False), (None, False)],
)
async def test_saving_is_refused_only_for_a_name_whose_addresses_are_all_blocked(
    dns: DnsServer, resolver: Resolver, addresses: list[str] | None, is_blocked: object
) -> None:
    if addresses is not None:
        dns.names["saved.test"] = addresses
    blocked = await find_blocked(
        resolver, parse_allow_list("127.0.0.1"), Endpoint("https", "saved.test", 443), LATER
    )

    assert (blocked is not None) is is_blocked
    assert blocked is None or "LONGWIRE_ALLOW_DESTINATIONS=127.0.0.1," in blocked.reason
