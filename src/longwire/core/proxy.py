"""The configuration's `proxy`: one spelling goes in, one Proxy comes out (specification, section 3)."""

import re
from base64 import b64encode

from longwire.core.address_policy import parse_host
from longwire.core.errors import InvalidInput
from longwire.core.http import Proxy

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PORT = re.compile(r":([0-9]{1,5})$")
_AUTHORITY_END = re.compile(r"[/?#\\]|$")
_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080}
# Where Squid listens, and what most companies call "the proxy port".
_BARE_PORT = 3128
_HIGHEST_PORT = 65535
# Source: RFC 1929, section 2
_SOCKS_LIMIT_BYTES = 255
# Far above what any proxy takes; keeps the header of a request small.
_BASIC_LIMIT_BYTES = 1024


def parse_proxy(hostname: str, username: str | None, password: str | None, field: str) -> Proxy:
    """Return the proxy that `hostname` names; an empty user name or password counts as none.

    `hostname` is `http://host[:port]`, `https://...`, `socks5://...` or bare `host[:port]`, which means http.
    Errors: InvalidInput for the member of `field` that is wrong (`<field>.hostname`, `.username`, `.password`).
    """
    username, password = username or None, password or None
    scheme, authority = _split(hostname, f"{field}.hostname")
    host, port = _host_and_port(authority, f"{field}.hostname")
    if username is None and password is not None:
        raise InvalidInput(f"{field}.username", "missing: a password needs a user name")
    if username is not None:
        _check_credential(username, scheme, f"{field}.username")
        if ":" in username and scheme != "socks5":
            raise InvalidInput(
                f"{field}.username", "may hold no ':': Basic authentication ends the name there"
            )
    if password is not None:
        _check_credential(password, scheme, f"{field}.password")
    default = _DEFAULT_PORTS[scheme] if "://" in hostname else _BARE_PORT
    return Proxy(scheme, host, default if port is None else port, username, password)


def basic_credentials(proxy: Proxy) -> bytes | None:
    """Return the value of `Proxy-Authorization`, or None without a user name.

    Source: RFC 7617, section 2; in UTF-8, section 2.1
    """
    if proxy.username is None:
        return None
    return b"Basic " + b64encode(f"{proxy.username}:{proxy.password or ''}".encode())


def _split(hostname: str, field: str) -> tuple[str, str]:
    """Return scheme and authority of the text; nothing but one `/` may follow them."""
    match = _SCHEME.match(hostname)
    scheme = match[1].lower() if match else "http"
    if scheme == "socks5h":
        raise InvalidInput(field, "write socks5://; the proxy resolves the names in any case")
    if scheme not in _DEFAULT_PORTS:
        raise InvalidInput(
            field, f"a proxy begins with http://, https:// or socks5://, or has no scheme, got {scheme}://"
        )
    after = hostname[match.end() :] if match else hostname
    end = _AUTHORITY_END.search(after)
    authority = after[: end.start()] if end else after
    if "@" in after:
        raise InvalidInput(field, "no user name or password here; use username and password of the proxy")
    if after[len(authority) :] not in {"", "/"}:
        raise InvalidInput(field, "a proxy has no path: nothing may follow the port but one '/'")
    return scheme, authority


def _host_and_port(authority: str, field: str) -> tuple[str, int | None]:
    match = _PORT.search(authority)
    host = authority[: match.start()] if match else authority
    port = int(match[1]) if match else None
    if not host:
        raise InvalidInput(field, "the host is missing")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise InvalidInput(
            field,
            f"cannot tell host and port apart in {authority[:60]!r}; an IPv6 address stands in brackets",
        )
    if port is not None and not 1 <= port <= _HIGHEST_PORT:
        raise InvalidInput(field, f"the port must be 1..{_HIGHEST_PORT}, got {port}")
    return parse_host(host, field), port


def _check_credential(text: str, scheme: str, field: str) -> None:
    """Refuse what would end a header line, or does not fit; the message never shows the text."""
    if any(character < " " or character == "\x7f" for character in text):
        raise InvalidInput(field, "may hold no control characters")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput(field, "holds half a character (a lone surrogate)") from None
    limit = _SOCKS_LIMIT_BYTES if scheme == "socks5" else _BASIC_LIMIT_BYTES
    if size > limit:
        raise InvalidInput(field, f"at most {limit} bytes, got {size}")
