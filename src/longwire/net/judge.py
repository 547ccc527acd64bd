"""Which addresses of a destination may be dialled: asked when it is dialled, and already when it is saved."""

import asyncio
from datetime import timedelta

from longwire.core.address_policy import Address, AddressPolicy, literal_address
from longwire.core.http import Cause, Endpoint, TransportFailure
from longwire.net.resolver import ResolutionFailed, Resolver


async def allowed_addresses(
    resolver: Resolver, policy: AddressPolicy, endpoint: Endpoint, deadline: float
) -> tuple[Address, ...] | TransportFailure:
    """Return the addresses that may be dialled, never none; `deadline` is a time of the loop."""
    literal = literal_address(endpoint.host)
    try:
        async with asyncio.timeout_at(deadline):
            addresses = (literal,) if literal else await resolver.resolve(endpoint.host)
    except ResolutionFailed as error:
        return TransportFailure(Cause.DNS, error.detail)
    except TimeoutError:
        return TransportFailure(Cause.DNS, f"the DNS server did not answer for {endpoint.host} in time")
    reasons = [policy.judge(address, endpoint.port) for address in addresses]
    allowed = tuple(address for address, reason in zip(addresses, reasons, strict=True) if reason is None)
    return allowed or TransportFailure(Cause.BLOCKED_ADDRESS, reasons[0] or "")


async def why_blocked(
    resolver: Resolver, policy: AddressPolicy, endpoint: Endpoint, within: timedelta
) -> str | None:
    """Return why no address of a destination may be dialled; None when one may, or when nothing resolves now."""
    deadline = asyncio.get_running_loop().time() + within.total_seconds()
    found = await allowed_addresses(resolver, policy, endpoint, deadline)
    if isinstance(found, TransportFailure) and found.cause is Cause.BLOCKED_ADDRESS:
        return found.detail
    return None
