"""Which addresses may be dialled for an endpoint: asked when it is dialled, and already when it is saved.

Through a proxy the proxy is dialled and the destination's name is resolved there; so the proxy's addresses are
judged, and the destination where its host alone tells the address: a literal, or `localhost` (specification,
section 15).
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from longwire.core.address_policy import Address, AddressPolicy, literal_address
from longwire.core.http import Cause, Endpoint, Proxy, TransportFailure
from longwire.net.resolver import ResolutionFailed, Resolver
from longwire.net.route import named


class Party(Enum):
    """Of whom a judgement speaks; the value is the member of the configuration that names him."""

    DESTINATION = "destinationURL"
    PROXY = "proxy.hostname"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Who may not be dialled, and why, with what to change."""

    party: Party
    reason: str


async def allowed_addresses(
    resolver: Resolver, policy: AddressPolicy, endpoint: Endpoint, deadline: float
) -> tuple[Address, ...] | TransportFailure:
    """Return the addresses that may be dialled, never none; `deadline` is a time of the loop."""
    if endpoint.proxy is None:
        return await _allowed(resolver, policy, endpoint, deadline)
    if (reason := policy.judge_spelled(endpoint.host, endpoint.port)) is not None:
        return TransportFailure(Cause.BLOCKED_ADDRESS, reason)
    found = await _allowed(resolver, policy, endpoint.proxy, deadline)
    return _of_the_proxy(found, endpoint.proxy) if isinstance(found, TransportFailure) else found


async def find_blocked(
    resolver: Resolver, policy: AddressPolicy, endpoint: Endpoint, within: timedelta
) -> Blocked | None:
    """Return who of proxy and destination may not be dialled; None when nobody, or when nothing resolves now."""
    deadline = asyncio.get_running_loop().time() + within.total_seconds()
    found = await allowed_addresses(resolver, policy, endpoint, deadline)
    if not isinstance(found, TransportFailure) or found.cause is not Cause.BLOCKED_ADDRESS:
        return None
    spelled = policy.judge_spelled(endpoint.host, endpoint.port)
    is_destination = endpoint.proxy is None or spelled is not None
    return Blocked(Party.DESTINATION if is_destination else Party.PROXY, found.detail)


async def _allowed(
    resolver: Resolver, policy: AddressPolicy, dialled: Endpoint | Proxy, deadline: float
) -> tuple[Address, ...] | TransportFailure:
    literal = literal_address(dialled.host)
    try:
        async with asyncio.timeout_at(deadline):
            addresses = (literal,) if literal else await resolver.resolve(dialled.host)
    except ResolutionFailed as error:
        return TransportFailure(Cause.DNS, error.detail)
    except TimeoutError:
        return TransportFailure(Cause.DNS, f"the DNS server did not answer for {dialled.host} in time")
    reasons = [policy.judge(address, dialled.port) for address in addresses]
    allowed = tuple(address for address, reason in zip(addresses, reasons, strict=True) if reason is None)
    return allowed or TransportFailure(Cause.BLOCKED_ADDRESS, reasons[0] or "")


def _of_the_proxy(failure: TransportFailure, proxy: Proxy) -> TransportFailure:
    cause = failure.cause if failure.cause is Cause.BLOCKED_ADDRESS else Cause.PROXY
    return TransportFailure(cause, f"{named(proxy)}: {failure.detail}")
