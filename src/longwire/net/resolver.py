"""Names to addresses, by c-ares: /etc/hosts and DNS, asked anew each time a socket is opened."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import aiodns
import pycares

from longwire.core.address_policy import Address
from longwire.core.errors import Misconfigured
from longwire.net.slots import Limits, Slots

# Each lookup may cost a thread of c-ares. One that takes longer than that waits for a server that does not answer,
# and must not keep the names of others waiting.
_PARALLEL_LOOKUPS = 32
_PATIENCE_S = 0.5
_WAITING_LOOKUPS = 96
# Names that were not resolved the last time are asked after those of others; remembered as long as they are few.
_DOUBTFUL_KEPT = 10_000
_ONE_TRY_S = 2.0
_TRIES = 2
_WHOLE_LOOKUP_S = 5.0


class ResolutionFailed(Exception):
    """The name has no address, or nobody answered; `detail` is a sentence for the delivery log."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


_Lookup = asyncio.Task[tuple[Address, ...] | ResolutionFailed]


class Resolver:
    """Looks names up, each name once at a time, a bounded number at once, nothing kept.

    `server` is `host:port` of the DNS server to ask; without it the system's configuration is followed, as it
    stands at the moment of the lookup. Errors: Misconfigured when `server` cannot be read.
    """

    def __init__(self, server: str | None = None) -> None:
        self._server = None if server is None else _parse_server(server)
        self._slots = Slots(Limits(_PARALLEL_LOOKUPS, _WAITING_LOOKUPS, _PATIENCE_S))
        self._doubtful: set[str] = set()
        self._running: dict[str, _Lookup] = {}

    async def resolve(self, host: str) -> tuple[Address, ...]:
        """Return the addresses of a name, both families, in the order to try them; never none.

        Callers who ask for the same name at the same time share one lookup, which goes on when one of them is
        cancelled. Errors: ResolutionFailed.
        """
        lookup = self._running.get(host)
        if lookup is None:
            lookup = asyncio.get_running_loop().create_task(self._look_up(host), name=f"lookup {host}")
            self._running[host] = lookup
            lookup.add_done_callback(lambda _: self._running.pop(host, None))
        found = await self._wait_for(lookup, host)
        if isinstance(found, ResolutionFailed):
            raise found
        return found

    async def close(self) -> None:
        """End the lookups that still run; their callers see ResolutionFailed."""
        lookups = list(self._running.values())
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)

    async def _wait_for(self, lookup: _Lookup, host: str) -> tuple[Address, ...] | ResolutionFailed:
        try:
            return await asyncio.shield(lookup)
        except asyncio.CancelledError:
            if lookup.cancelled():  # by close, not the caller by its owner
                return ResolutionFailed(f"the lookup of {host} was given up: Longwire is stopping")
            raise

    async def _look_up(self, host: str) -> tuple[Address, ...] | ResolutionFailed:
        async with self._slots.turn(None, is_doubtful=host in self._doubtful):
            try:
                async with asyncio.timeout(_WHOLE_LOOKUP_S):
                    found = await self._ask(host)
            except TimeoutError:
                found = ResolutionFailed(
                    f"the DNS server did not answer for {host} within {_WHOLE_LOOKUP_S:.0f} s"
                )
        if isinstance(found, ResolutionFailed):
            self._doubt(host)
        else:
            self._doubtful.discard(host)
        return found

    def _doubt(self, host: str) -> None:
        if len(self._doubtful) >= _DOUBTFUL_KEPT:
            self._doubtful.clear()
        self._doubtful.add(host)

    async def _ask(self, host: str) -> tuple[Address, ...] | ResolutionFailed:
        try:
            async with self._channel() as channel:
                answer = await channel.getaddrinfo(host, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM)
        except (aiodns.error.DNSError, pycares.AresError) as error:
            return ResolutionFailed(f"cannot resolve {host}: {_reason(error)}")
        addresses = tuple(dict.fromkeys(ip_address(node.addr[0].decode("ascii")) for node in answer.nodes))
        return addresses or ResolutionFailed(f"cannot resolve {host}: the name has no address")

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[aiodns.DNSResolver]:
        # A channel keeps answers for their TTL, and nothing here switches that off; so it lives for one
        # lookup. Measured: 0.7 ms, next to a TCP and a TLS handshake.
        servers = None if self._server is None else [self._server]
        channel = aiodns.DNSResolver(servers, timeout=_ONE_TRY_S, tries=_TRIES)
        try:
            yield channel
        finally:
            await channel.close()


def _parse_server(text: str) -> str:
    host, _, port = text.rpartition(":")
    try:
        address = ip_address(host.strip("[]"))
        number = int(port)
    except ValueError:
        raise Misconfigured(
            f"LONGWIRE_RESOLVER: expected address:port of a DNS server, got {text!r}"
        ) from None
    return f"[{address}]:{number}" if address.version == 6 else f"{address}:{number}"  # noqa: PLR2004


def _reason(error: aiodns.error.DNSError | pycares.AresError) -> str:
    known = {
        aiodns.error.ARES_ENOTFOUND: "no such name",
        aiodns.error.ARES_ENODATA: "the name has no address",
        aiodns.error.ARES_ETIMEOUT: "the DNS server did not answer",
        aiodns.error.ARES_ECONNREFUSED: "the DNS server refused the connection",
        aiodns.error.ARES_ESERVFAIL: "the DNS server reported a failure",
        aiodns.error.ARES_EREFUSED: "the DNS server refused the question",
    }
    number = error.args[0] if error.args else None
    return known.get(number, str(error.args[-1]) if error.args else "unknown reason")
