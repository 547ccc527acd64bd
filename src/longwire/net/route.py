"""How a destination is reached: whom to dial, what to say there, and whose fault a failure is."""

import ssl
from dataclasses import dataclass
from enum import Enum

from msgspec.structs import replace

from longwire.core.http import Cause, Endpoint, HttpResponse, Proxy, TransportFailure
from longwire.core.proxy import basic_credentials
from longwire.net.tls import Contexts

AUTHENTICATION_REQUIRED = 407
# Bad gateway, service unavailable, gateway timeout: what a proxy says when it cannot reach the destination.
# Source: specification, section 4
_FIRST_ERROR = 400
_UNAUTHORIZED = 401
_UNREACHABLE = frozenset({502, 503, 504})
# A shorter password would mask every other word.
_SHORTEST_SECRET = 4
_MASK = "*****"
# On a socket that ends at the proxy these can only come from the proxy.
_OF_THE_SOCKET = frozenset({Cause.RESET, Cause.TLS})


class Form(Enum):
    """The three ways to speak with a destination."""

    DIRECT = "direct"
    ABSOLUTE = "absolute"  # http through an http(s) proxy: the proxy reads the requests and passes them on
    TUNNEL = "tunnel"  # the proxy only passes bytes on: CONNECT or SOCKS5


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one endpoint, and what every request on it begins with.

    `host` and `port` are dialled. `peer` names, in messages, who is at the other end of the socket. A request begins
    with the method, `target_prefix`, the target, ` HTTP/1.1` and `header_lines`.
    """

    form: Form
    host: str
    port: int
    peer: str
    target_prefix: str
    header_lines: bytes

    def cause(self, cause: Cause) -> Cause:
        """Return whose fault a failure during an exchange is."""
        return Cause.PROXY if self.form is Form.ABSOLUTE and cause in _OF_THE_SOCKET else cause


def route_to(endpoint: Endpoint) -> Route:
    """Return the way to an endpoint."""
    host_line = f"Host: {endpoint.authority}\r\n".encode("ascii")
    proxy = endpoint.proxy
    if proxy is None:
        return Route(Form.DIRECT, endpoint.host, endpoint.port, "the destination", "", host_line)
    if proxy.scheme == "socks5" or endpoint.scheme == "https":
        return Route(Form.TUNNEL, proxy.host, proxy.port, "the destination", "", host_line)
    return Route(
        Form.ABSOLUTE,
        proxy.host,
        proxy.port,
        named(proxy),
        f"http://{endpoint.authority}",
        host_line + authorization_line(proxy),
    )


def last_tls(endpoint: Endpoint, form: Form, contexts: Contexts) -> tuple[ssl.SSLContext | None, str]:
    """Return the context for the socket of the exchange (None: plain), and the host its certificate must name.

    In absolute form that is the proxy, else the destination. Errors: ssl.SSLError when the settings cannot be used.
    """
    if form is Form.ABSOLUTE and endpoint.proxy is not None:
        is_tls = endpoint.proxy.scheme == "https"
        return (contexts.for_proxy(endpoint.tls) if is_tls else None), endpoint.proxy.host
    return (contexts.for_destination(endpoint.tls) if endpoint.scheme == "https" else None), endpoint.host


def named(proxy: Proxy) -> str:
    """Return how messages name a proxy."""
    return f"the proxy {proxy.authority}"


def authorization_line(proxy: Proxy) -> bytes:
    """Return the header line that logs in at an http proxy; nothing without credentials."""
    credentials = basic_credentials(proxy)
    return b"" if credentials is None else b"Proxy-Authorization: " + credentials + b"\r\n"


def read_proxied(
    result: HttpResponse | TransportFailure, proxy: Proxy | None
) -> HttpResponse | TransportFailure:
    """Return what came through a proxy in absolute form: the proxy's own answers are failures.

    Without our credentials, should somebody have sent them back: they are in no header of the request that the
    rest of Longwire knows, so nobody else would mask them.
    """
    if proxy is None:
        return result
    result = _masked(result, proxy)
    if isinstance(result, TransportFailure):
        return result
    is_own = _is_own_error(result)
    if result.status == AUTHENTICATION_REQUIRED or (is_own and result.status == _UNAUTHORIZED):
        return TransportFailure(Cause.PROXY_407, login_refused(proxy, result.headers), result.remote_address)
    if result.status in _UNREACHABLE or is_own:
        detail = f"{named(proxy)} answered {result.status}"
        return TransportFailure(Cause.PROXY, detail, result.remote_address, request_written=True)
    return result


def _is_own_error(result: HttpResponse) -> bool:
    """Return whether an error names a proxy as who says it: its message must not be lost for it.

    tinyproxy answers 500 where others say 502 to 504, and 401 to a wrong password; Squid marks what it says itself.
    (docs/decisions/0003)
    """
    if result.status < _FIRST_ERROR:
        return False
    headers = {name.lower(): value for name, value in result.headers}
    return "x-squid-error" in headers or headers.get("server", "").lower().startswith("tinyproxy")


def _masked(result: HttpResponse | TransportFailure, proxy: Proxy) -> HttpResponse | TransportFailure:
    credentials = basic_credentials(proxy)
    if credentials is None:
        return result
    secrets = [credentials.partition(b" ")[2].decode("ascii")]
    if proxy.password is not None and len(proxy.password) >= _SHORTEST_SECRET:
        secrets.append(proxy.password)
    for secret in secrets:
        if isinstance(result, TransportFailure):
            result = replace(result, detail=result.detail.replace(secret, _MASK))
            continue
        headers = tuple((name, value.replace(secret, _MASK)) for name, value in result.headers)
        body = result.body.replace(secret.encode(), _MASK.encode())
        result = replace(result, headers=headers, body=body)
    return result


def login_refused(proxy: Proxy, headers: tuple[tuple[str, str], ...]) -> str:
    """Return what to change after a 407: credentials, or the way of logging in."""
    schemes = [value.split(" ")[0].lower() for name, value in headers if name.lower() == "proxy-authenticate"]
    if schemes and "basic" not in schemes:
        return f"{named(proxy)} does not offer Basic authentication, the only one that Longwire knows (407)"
    if proxy.username is None:
        return f"{named(proxy)} asks for a user name and a password (407)"
    return f"{named(proxy)} refused the user name or the password (407)"
