"""Asks a SOCKS5 proxy for a tunnel; the proxy resolves the names.

Our own, because it is short: of the libraries that live, none gives the protocol without also opening the socket,
and the socket must be the one whose address was judged. Source: RFC 1928, RFC 1929
"""

from ipaddress import IPv4Address

from longwire.core.address_policy import literal_address
from longwire.core.http import Cause, Endpoint, Proxy, host_and_port
from longwire.net.leg import Leg, ProxyRefused
from longwire.net.route import named

_VERSION = 5
_LOGIN_VERSION = 1
_CONNECT = 1
_NO_LOGIN, _LOGIN, _NONE_ACCEPTED = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_ADDRESS_BYTES = {_IPV4: 4, _IPV6: 16}
_PORT_BYTES = 2
_REPLIES = {
    1: "a general failure",
    2: "its rules do not allow that",
    3: "network unreachable",
    4: "host unreachable, or its name cannot be resolved",
    5: "the destination refused the connection",
    6: "the destination did not answer (TTL expired)",
    7: "it does not support CONNECT",
    8: "it does not support this type of address",
}


async def ask(leg: Leg, endpoint: Endpoint, proxy: Proxy) -> None:
    """Ask for a tunnel to the endpoint; afterwards the bytes are the destination's. Errors: ProxyRefused, OSError."""
    offered = bytes([_NO_LOGIN] if proxy.username is None else [_NO_LOGIN, _LOGIN])
    await leg.send(bytes([_VERSION, len(offered)]) + offered)
    version, method = await _exactly(leg, 2, proxy)
    _check_version(version, proxy)
    if method == _NONE_ACCEPTED:
        raise ProxyRefused(Cause.PROXY_407, _login_wanted(proxy))
    if method not in offered:
        raise ProxyRefused(Cause.PROXY, f"{named(proxy)} chose a way of logging in that was not offered")
    if method == _LOGIN:
        await _log_in(leg, proxy)
    await leg.send(bytes([_VERSION, _CONNECT, 0]) + _address(endpoint))
    await _read_reply(leg, endpoint, proxy)


async def _log_in(leg: Leg, proxy: Proxy) -> None:
    username, password = (proxy.username or "").encode(), (proxy.password or "").encode()
    await leg.send(bytes([_LOGIN_VERSION, len(username)]) + username + bytes([len(password)]) + password)
    try:
        status: int | None = (await _exactly(leg, 2, proxy))[1]
    except (ProxyRefused, ConnectionError):  # some close instead of answering
        status = None
    if status != 0:
        raise ProxyRefused(Cause.PROXY_407, f"{named(proxy)} refused the user name or the password")


async def _read_reply(leg: Leg, endpoint: Endpoint, proxy: Proxy) -> None:
    # A refusal is often cut short, so it is decided before the rest is read.
    version, reply = await _exactly(leg, 2, proxy)
    _check_version(version, proxy)
    if reply != 0:
        reason = _REPLIES.get(reply, f"reply {reply}")
        target = host_and_port(endpoint.host, endpoint.port)
        raise ProxyRefused(Cause.PROXY, f"{named(proxy)} opens no tunnel to {target}: {reason}")
    _, kind = await _exactly(leg, 2, proxy)
    size = (await _exactly(leg, 1, proxy))[0] if kind == _NAME else _ADDRESS_BYTES.get(kind)
    if size is None:
        raise ProxyRefused(Cause.PROXY, f"{named(proxy)} answered with an unknown type of address")
    await _exactly(leg, size + _PORT_BYTES, proxy)


def _address(endpoint: Endpoint) -> bytes:
    literal = literal_address(endpoint.host)
    port = endpoint.port.to_bytes(_PORT_BYTES, "big")
    if literal is None:
        name = endpoint.host.encode("ascii")
        return bytes([_NAME, len(name)]) + name + port
    return bytes([_IPV4 if isinstance(literal, IPv4Address) else _IPV6]) + literal.packed + port


def _check_version(version: int, proxy: Proxy) -> None:
    if version != _VERSION:
        raise ProxyRefused(Cause.PROXY, f"{named(proxy)} does not speak SOCKS5 on this port")


def _login_wanted(proxy: Proxy) -> str:
    if proxy.username is None:
        return f"{named(proxy)} asks for a user name and a password"
    return f"{named(proxy)} takes no user name and password, but another way of logging in"


async def _exactly(leg: Leg, size: int, proxy: Proxy) -> bytes:
    """Return that many bytes and leave the others where they are: they are the destination's."""
    raw = b""
    while len(raw) < size:
        piece = await leg.receive(size - len(raw))
        if not piece:
            raise ProxyRefused(Cause.PROXY, f"{named(proxy)} closed the connection before it had answered")
        raw += piece
    return raw
