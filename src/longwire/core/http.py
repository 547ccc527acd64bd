"""The two values of the outgoing boundary: an HttpRequest goes in, an HttpResponse or a TransportFailure comes back."""

from dataclasses import dataclass
from enum import Enum


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
class Endpoint:
    """Whom to dial: `host` is a name or an address literal (IPv6 without brackets), never a pattern."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Return `host[:port]` as the Host header wants it: brackets for IPv6, no default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, complete but for `Host` and `Content-Length`, which the client writes itself.

    `target` is path and query as they go on the wire (ASCII, begins with `/`); header values are the bytes to send.
    """

    endpoint: Endpoint
    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The final status line with its complete header block; `body` is at most 64 KiB of what followed.

    `truncated` says that the body did not end properly, or not within the limits; it never changes the verdict
    (specification, section 4: "The response").
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool
    remote_address: str


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """No response: the cause in one word, the detail in a sentence, whom we reached, if anybody.

    `on_reused_socket` is true when an idle socket of an earlier exchange was closed or reset before the first
    byte of an answer: a keep-alive race, after which the request may go once more on a fresh socket.
    """

    cause: Cause
    detail: str
    remote_address: str | None = None
    on_reused_socket: bool = False
