"""Through Squid, tinyproxy and pproxy as they are: every form, with and without login, right and wrong."""

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
import trustme
from tests.net import proxies
from tests.net.certificates import (
    CA,
    GOOD,
    asking_for_a_certificate,
    chain_of,
    key_of,
    serving,
    trusting_only,
)
from tests.net.destination import OK, Destination, answering, echo, through
from tests.net.proxies import PASSWORD

from longwire.core.http import Cause, HttpRequest, HttpResponse, Proxy, TlsSettings, TransportFailure
from longwire.net.client import Client

LATER = timedelta(seconds=20)
KINDS = {"squid": proxies.squid, "tinyproxy": proxies.tinyproxy, "pproxy": proxies.pproxy}
# What each proxy speaks: its own scheme, and that of the destination.
WAYS = [
    ("squid", "http", "http"),
    ("squid", "http", "https"),
    ("squid", "https", "http"),
    ("squid", "https", "https"),  # TLS in TLS
    ("tinyproxy", "http", "http"),
    ("tinyproxy", "http", "https"),
    ("pproxy", "socks5", "http"),
    ("pproxy", "socks5", "https"),
]


@contextlib.asynccontextmanager
async def destination(scheme: str) -> AsyncIterator[Destination]:
    async with Destination(echo, tls=serving(GOOD) if scheme == "https" else None) as there:
        yield there


async def send_like_a_lane(client: Client, request: HttpRequest) -> HttpResponse | TransportFailure:
    """Send; once more on a fresh socket when an idle one was closed under it (specification, section 4).

    tinyproxy closes after each answer without having said so: whether the next request meets an open socket is chance.
    """
    result = await client.send(request, LATER)
    if isinstance(result, TransportFailure) and result.on_reused_socket:
        return await client.send(request, LATER, fresh=True)
    return result


@pytest.mark.parametrize("asks_for_login", [False, True], ids=["open", "login"])
@pytest.mark.parametrize(("kind", "scheme", "to"), WAYS, ids=["-".join(way) for way in WAYS])
async def test_messages_arrive_through_a_real_proxy(
    client: Client, kind: str, scheme: str, to: str, *, asks_for_login: bool
) -> None:
    async with KINDS[kind](asks_for_login=asks_for_login) as running, destination(to) as there:
        proxy = running.proxy(scheme, PASSWORD if asks_for_login else None)
        tls = trusting_only(CA, running.authority)
        request = through(there.request(b"one", host="localhost"), proxy, tls)

        assert await client.probe(request.endpoint, LATER) is None
        assert there.requests == []
        for body in (b"one", b"two", b"x" * 300_000):
            response = await send_like_a_lane(client, msgspec.structs.replace(request, body=body))
            assert isinstance(response, HttpResponse), response
            assert (response.status, response.body) == (200, body[: 64 * 1024])
            assert response.remote_address.endswith(f":{proxy.port}")

        assert [request.split(b" ")[1] for request in there.requests] == [b"/in?a=1"] * 3
        assert not any(b"proxy-authorization" in request.lower() for request in there.requests)
        assert kind == "pproxy" or await running.logged("localhost" if to == "http" else "CONNECT")


# tinyproxy answers 401 to a wrong password (below); pproxy hangs up without a word when nobody logs in.
LOGINS = [
    (*way, password)
    for way in WAYS
    for password in (None, "wrong")
    if (way[0], password) not in {("tinyproxy", "wrong"), ("pproxy", None)}
]


@pytest.mark.parametrize(
    ("kind", "scheme", "to", "password"), LOGINS, ids=["-".join(map(str, login)) for login in LOGINS]
)
async def test_a_login_that_is_refused_is_proxy_407(
    client: Client, kind: str, scheme: str, to: str, password: str | None
) -> None:
    async with KINDS[kind](asks_for_login=True) as running, destination(to) as there:
        tls = trusting_only(CA, running.authority)
        request = through(there.request(host="localhost"), running.proxy(scheme, password), tls)
        failure = await client.send(request, LATER)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.PROXY_407
        assert f"localhost:{running.proxy(scheme).port}" in failure.detail
        assert "wrong" not in failure.detail
        assert there.peers == []


CANNOT_REACH = [way for way in WAYS[:6] if way != ("tinyproxy", "http", "http")]


@pytest.mark.parametrize(("kind", "scheme", "to"), CANNOT_REACH, ids=["-".join(way) for way in CANNOT_REACH])
async def test_a_destination_that_the_proxy_cannot_reach_is_a_proxy_failure(
    client: Client, kind: str, scheme: str, to: str
) -> None:
    async with destination(to) as there:
        pass
    async with KINDS[kind](asks_for_login=False) as running:
        request = through(
            there.request(host="localhost"), running.proxy(scheme), trusting_only(CA, running.authority)
        )
        failure = await client.send(request, LATER)

    assert isinstance(failure, TransportFailure), failure
    assert failure.cause is Cause.PROXY
    assert "answered" in failure.detail


async def test_tinyproxys_own_errors_in_absolute_form_are_the_proxys(client: Client) -> None:
    """It says 500 where others say 503, and 401 to a wrong password; but it names itself as who says it."""
    async with destination("http") as there:
        pass
    async with proxies.tinyproxy(asks_for_login=True) as running:
        request = there.request(host="localhost")
        unreachable = await client.send(
            through(request, running.proxy("http", PASSWORD), TlsSettings()), LATER
        )
        wrong = await client.send(through(request, running.proxy("http", "wrong"), TlsSettings()), LATER)

    assert isinstance(unreachable, TransportFailure)
    assert isinstance(wrong, TransportFailure)
    assert (unreachable.cause, wrong.cause) == (Cause.PROXY, Cause.PROXY_407)


async def test_tinyproxys_401_to_connect_is_a_proxy_failure(client: Client) -> None:
    async with proxies.tinyproxy(asks_for_login=True) as running, destination("https") as there:
        request = through(there.request(), running.proxy("http", "wrong"), trusting_only(CA))
        failure = await client.send(request, LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.PROXY
    assert "with 401" in failure.detail


@pytest.mark.parametrize(("kind", "scheme", "to"), [way for way in WAYS if way[2] == "https"])
async def test_the_destination_inside_the_tunnel_is_checked_as_ever(
    client: Client, kind: str, scheme: str, to: str
) -> None:
    async with KINDS[kind](asks_for_login=False) as running, destination(to) as there:
        stranger = trusting_only(trustme.CA(), running.authority)
        request = through(there.request(host="localhost"), running.proxy(scheme), stranger)
        failure = await client.send(request, LATER)
        probed = await client.probe(request.endpoint, LATER)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.TLS
        assert "issued by an unknown authority" in failure.detail
        assert probed == failure
        assert there.requests == []


@pytest.mark.parametrize(("kind", "scheme"), [way[:2] for way in WAYS if way[2] == "https"])
async def test_a_client_certificate_reaches_the_destination_inside_the_tunnel(
    client: Client, kind: str, scheme: str
) -> None:
    clients = trustme.CA()
    leaf = clients.issue_cert("gateway@company.test")
    asking = asking_for_a_certificate(GOOD, clients)
    async with KINDS[kind](asks_for_login=False) as running, Destination(echo, tls=asking) as there:
        tls = replace(
            trusting_only(CA, running.authority), client_certificate=chain_of(leaf), client_key=key_of(leaf)
        )
        response = await client.send(
            through(there.request(host="localhost"), running.proxy(scheme), tls), LATER
        )

        assert isinstance(response, HttpResponse), response
        assert ("email", "gateway@company.test") in there.peers[0].certificate()["subjectAltName"]


async def test_a_proxy_that_is_not_there_is_named(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        proxy = Proxy("http", "127.0.0.1", free.getsockname()[1])
    async with Destination(answering(OK)) as there:
        failure = await client.send(through(there.request(), proxy, TlsSettings()), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.PROXY
    assert failure.detail.startswith(f"the proxy {proxy.authority}: ")
    assert "refused the connection" in failure.detail


async def test_an_https_proxy_with_a_certificate_of_nobody_is_refused_by_name(client: Client) -> None:
    async with proxies.squid(asks_for_login=True) as running, Destination(answering(OK)) as there:
        for tls in (TlsSettings(), trusting_only(CA)):
            proxy = running.proxy("https", PASSWORD)
            for scheme in ("http", "https"):
                request = through(there.request(), proxy, tls)
                request = msgspec.structs.replace(request, endpoint=replace(request.endpoint, scheme=scheme))
                failure = await client.send(request, LATER)

                assert isinstance(failure, TransportFailure)
                assert failure.cause is Cause.PROXY
                assert failure.detail.startswith(f"the proxy {proxy.authority}: the certificate")
        assert there.peers == []
