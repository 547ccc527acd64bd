"""The configured headers: which names and values are allowed, which values are secrets (specification, section 3)."""

from collections.abc import Mapping

from longwire.core import pattern
from longwire.core.document import Document
from longwire.core.errors import InvalidInput, LongwireError
from longwire.core.fields import MASK
from longwire.core.kinds import MapOf, Text
from longwire.core.pattern import MAX_RENDERED_BYTES, Pattern

MAX_HEADERS = 100

_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SECRET_WORDS = ("authorization", "cookie", "key", "token", "secret", "password", "signature")
_OURS_OR_FRAMING = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "content-encoding",
    }
)
_REFUSED_PREFIXES = ("proxy-", "webhook-", "longwire-")


Headers = tuple[tuple[str, Pattern], ...]


HEADERS = MapOf(
    names=Text(pattern=_HEADER_NAME, says="not a header name (letters, digits and !#$%&'*+-.^_`|~)"),
    value=Text(longest=MAX_RENDERED_BYTES, format="longwire-pattern"),
    most=MAX_HEADERS,
)


def parse_headers(document: Document, stored: Headers) -> Headers:
    """Return the headers of a configuration; a masked secret keeps its value in `stored`.

    What is wrong is noted in the document.
    """
    known = {name.lower(): value for name, value in stored}
    headers: dict[str, tuple[str, Pattern]] = {}
    for name, value in document.map("headers").items():
        field = document.place.inside("headers").inside(name).path
        try:
            _check_header_name(name, field, taken=name.lower() in headers)
            headers[name.lower()] = name, _header_value(name, value, field, known)
        except LongwireError as problem:
            document.note(problem)
    return tuple(headers.values())


def _check_header_name(name: str, field: str, *, taken: bool) -> None:
    # Many servers (CGI, WSGI) take `_` for `-`.
    plain = name.lower().replace("_", "-")
    if plain in _OURS_OR_FRAMING or plain.startswith(_REFUSED_PREFIXES):
        raise InvalidInput(
            field, "this header is written by Longwire or frames the request; it cannot be set"
        )
    if taken:
        raise InvalidInput(field, "this header stands twice (names do not depend on case)")


def _header_value(name: str, value: str, field: str, known: Mapping[str, Pattern]) -> Pattern:
    if value == MASK and is_secret_header(name):
        if name.lower() not in known:
            raise InvalidInput(field, f"{MASK} keeps a stored value, and there is none")
        return known[name.lower()]
    if any(character in value for character in "\r\n\0"):
        raise InvalidInput(field, "a header value cannot hold CR, LF or NUL")
    if len(value.encode()) > MAX_RENDERED_BYTES:
        raise InvalidInput(field, f"longer than {MAX_RENDERED_BYTES} bytes")
    return pattern.compile_pattern(value, field)


def is_secret_header(name: str) -> bool:
    """Return whether a header's value is a secret: its name says so (specification, section 3)."""
    return any(word in name.lower() for word in _SECRET_WORDS)
