"""The two values of the outgoing boundary: an HttpRequest goes in, an HttpResponse or a TransportFailure comes back."""

from dataclasses import dataclass, field
from enum import Enum

import msgspec


class Cause(Enum):
    """Why there was no complete response, in the words of the delivery log (specification, section 14)."""

    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    BLOCKED_ADDRESS = "blocked-address"
    PROXY = "proxy"
    PROXY_407 = "proxy-407"
    MALFORMED_RESPONSE = "malformed-response"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Proxy:
    """Whom to go through; `scheme` is `http`, `https` (TLS to the proxy itself) or `socks5`.

    `host` as in Endpoint. A password never comes without a user name. Its repr shows no password.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Return `host:port`, with brackets for IPv6: the name of the proxy in every message."""
        return host_and_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How one connection speaks TLS with its destination; all texts are PEM. Its repr shows no PEM.

    `ca_certificate` is trusted instead of the system's authorities. `client_certificate` (with the chain that
    leads to its authority, if any) and `client_key` come together. `verify=False` checks neither chain nor host.
    """

    ca_certificate: str | None = field(default=None, repr=False)
    client_certificate: str | None = field(default=None, repr=False)
    client_key: str | None = field(default=None, repr=False)
    verify: bool = True


_DEFAULT_TLS = TlsSettings()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom to reach, through which proxy, with which TLS settings; equal endpoints share their sockets.

    `host` is a name or an address literal (IPv6 without brackets), never a pattern.
    """

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None
    tls: TlsSettings = _DEFAULT_TLS

    @property
    def authority(self) -> str:
        """Return `host[:port]` as the Host header wants it: brackets for IPv6, no default port."""
        default = 443 if self.scheme == "https" else 80
        whole = host_and_port(self.host, self.port)
        return whole.removesuffix(f":{default}") if self.port == default else whole


def host_and_port(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HttpRequest(msgspec.Struct, frozen=True):
    """One request, complete but for `Host` and `Content-Length`, which the client writes itself.

    `target` is path and query as they go on the wire (ASCII, begins with `/`); header values are the bytes to send.
    """

    endpoint: Endpoint
    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


class HttpResponse(msgspec.Struct, frozen=True):
    """The final status line with its complete header block; `body` is at most 64 KiB of what followed.

    `truncated` says that the body did not end properly, or not within the limits; it never changes the verdict
    (specification, section 4: "The response").
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool
    remote_address: str


class TransportFailure(msgspec.Struct, frozen=True):
    """No response: the cause in one word, the detail in a sentence, whom we reached, if anybody.

    `request_written` is true when a part of the request may have reached the destination.
    `on_reused_socket` is true when an idle socket of an earlier exchange was closed or reset before the first
    byte of an answer: a keep-alive race, after which the request may go once more on a fresh socket.
    """

    cause: Cause
    detail: str
    remote_address: str | None = None
    on_reused_socket: bool = False
    request_written: bool = False
