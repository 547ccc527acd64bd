"""The roads from Longwire to its destination on which it is killed: plain, by TLS, and through real proxies."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import trustme
from tests.e2e.sink import Sink
from tests.net import proxies
from tests.net.certificates import CA, GOOD, asking_for_a_certificate, chain_of, key_of, pem_of, serving
from tests.net.proxies import PASSWORD, USER, RunningProxy

CLIENTS = trustme.CA()
CLIENT = CLIENTS.issue_cert("longwire@company.test")
TRUSTED = {"caCertificate": pem_of(CA)}
MUTUAL = TRUSTED | {"clientCertificate": chain_of(CLIENT), "clientKey": key_of(CLIENT)}

MakeProxy = Callable[[], AbstractAsyncContextManager[RunningProxy]]


@dataclass(frozen=True, slots=True)
class Way:
    """How the destination is reached: its TLS, what the configuration says about it, and the proxy before it."""

    serving: Callable[[], ssl.SSLContext] | None = None
    configuration: Mapping[str, Any] | None = None
    proxy: MakeProxy | None = None
    scheme: str = "http"


WAYS = {
    "http": Way(),
    "https with a client certificate": Way(lambda: asking_for_a_certificate(GOOD, CLIENTS), {"tls": MUTUAL}),
    "CONNECT through Squid with Basic login, https": Way(
        lambda: serving(GOOD), {"tls": TRUSTED}, lambda: proxies.squid(asks_for_login=True)
    ),
    "absolute form through tinyproxy with Basic login, http": Way(
        proxy=lambda: proxies.tinyproxy(asks_for_login=True)
    ),
    "SOCKS5 through pproxy with login, https": Way(
        lambda: serving(GOOD), {"tls": TRUSTED}, lambda: proxies.pproxy(asks_for_login=True), "socks5"
    ),
}


@dataclass(frozen=True, slots=True)
class OpenWay:
    """A destination, what a connection to it must say, and the ports that its requests pass."""

    sink: Sink
    configuration: Mapping[str, Any]
    ports: tuple[int, ...]


@contextlib.contextmanager
def open_way(name: str) -> Iterator[OpenWay]:
    """Give a way that is open: its sink, and its proxy as a process."""
    way = WAYS[name]
    configuration = dict(way.configuration or {})
    with Sink(tls=way.serving() if way.serving else None) as sink, _running(way) as proxy:
        ports = [sink.address[1]]
        if proxy is not None:
            hostname = f"{way.scheme}://127.0.0.1:{proxy.port}"
            configuration["proxy"] = {"hostname": hostname, "username": USER, "password": PASSWORD}
            ports.append(proxy.port)
        yield OpenWay(sink, configuration, tuple(ports))
        assert sink.problems == []


@contextlib.contextmanager
def _running(way: Way) -> Iterator[RunningProxy | None]:
    if way.proxy is None:
        yield None
        return
    with asyncio.Runner() as runner:
        context = way.proxy()
        proxy = runner.run(_enter(context))
        try:
            yield proxy
        finally:
            runner.run(_leave(context))


async def _enter(context: AbstractAsyncContextManager[RunningProxy]) -> RunningProxy:
    return await context.__aenter__()


async def _leave(context: AbstractAsyncContextManager[RunningProxy]) -> None:
    await context.__aexit__(None, None, None)
