"""The destination URL: a fixed origin, a path and query that may hold patterns (specification, sections 3, 7)."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from longwire.core import pattern
from longwire.core.address_policy import parse_host
from longwire.core.errors import InvalidInput
from longwire.core.http import Endpoint
from longwire.core.pattern import Literal, Pattern, Placeholder, Rendered
from longwire.core.reading import Reading

MAX_URL_BYTES = 8 * 1024

_SCHEME = re.compile(r"(https?)://", re.IGNORECASE)
_ORIGIN_END = re.compile(r"[/?#]|$")
_PORT = re.compile(r":([0-9]{1,5})$")
_LEGAL_IN_TARGET = "/?:@!$&'()*+,;=-._~%[]"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Destination:
    """Whom to dial, and the compiled path and query; `url` is the text as configured."""

    url: str
    endpoint: Endpoint
    target: Pattern


def parse_destination(url: str, field: str) -> Destination:
    """Return the destination; raises InvalidInput with `field` for what could be misread or is not http(s)."""
    if len(url.encode()) > MAX_URL_BYTES:
        raise InvalidInput(field, f"longer than {MAX_URL_BYTES} bytes")
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise InvalidInput(field, "must begin with http:// or https://")
    after = url[scheme.end() :]
    authority = after[: _ORIGIN_END.search(after).start()]  # type: ignore[union-attr]
    endpoint = _endpoint(scheme[1].lower(), authority, field)
    return Destination(url, endpoint, _target(url, scheme.end() + len(authority), field))


def _endpoint(scheme: str, authority: str, field: str) -> Endpoint:
    if "{" in authority or "}" in authority:
        raise InvalidInput(field, "host and port cannot hold patterns")
    if "@" in authority:
        raise InvalidInput(field, "no user name or password here; use an Authorization header")
    port = _PORT.search(authority)
    host = authority[: port.start()] if port else authority
    number = int(port[1]) if port else _DEFAULT_PORTS[scheme]
    if not host:
        raise InvalidInput(field, "the host is missing")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise InvalidInput(
            field,
            f"cannot tell host and port apart in {authority[:60]!r}; an IPv6 address stands in brackets",
        )
    if not 1 <= number <= 65535:  # noqa: PLR2004
        raise InvalidInput(field, f"the port must be 1..65535, got {number}")
    return Endpoint(scheme, parse_host(host, field), number)


def _target(url: str, start: int, field: str) -> Pattern:
    """Return the path and query as a pattern whose literal parts are ready for the wire."""
    compiled = pattern.compile_pattern(url[start:], field)
    literal = "".join(part.text for part in compiled.parts if isinstance(part, Literal))
    if "#" in literal:
        raise InvalidInput(field, "a fragment ('#...') is never sent; leave it out")
    if "\\" in literal or any(ord(character) < 0x20 or character == "\x7f" for character in literal):  # noqa: PLR2004
        raise InvalidInput(field, "backslashes and control characters are not allowed; percent-encode them")
    parts: list[Literal | Placeholder] = [
        Literal(quote(part.text, safe=_LEGAL_IN_TARGET)) if isinstance(part, Literal) else part
        for part in compiled.parts
    ]
    begin = [] if url[start : start + 1] == "/" else [Literal("/")]
    return pattern.make_pattern(compiled.source, [*begin, *parts])


def render_target(destination: Destination, reading: Reading) -> Rendered | None:
    """Return path and query for a message; None when a value would change the depth of the path.

    Each value is percent-encoded as one segment or query value. A segment that becomes `.` or `..` is refused: some
    servers resolve it even when it is percent-encoded.
    """
    rendered = pattern.render(destination.target, reading, _encode)
    if not destination.target.is_literal and _dot_segments(rendered.text) > _literal_dot_segments(
        destination
    ):
        return None
    return rendered


def _encode(value: str) -> str:
    return quote(value, safe="")


def _literal_dot_segments(destination: Destination) -> int:
    text = "".join(p.text if isinstance(p, Literal) else "x" for p in destination.target.parts)
    return _dot_segments(text)


def _dot_segments(target: str) -> int:
    # Some servers cut a segment at `;` before they resolve it.
    segments = (segment.partition(";")[0] for segment in target.partition("?")[0].split("/"))
    return sum(unquote(segment) in {".", ".."} for segment in segments)
