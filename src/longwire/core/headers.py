"""The configured headers: which names and values are allowed, which values are secrets (specification, section 3)."""

import re
from collections.abc import Mapping

from longwire.core import pattern
from longwire.core.errors import InvalidInput, LongwireError
from longwire.core.fields import MASK, Fields
from longwire.core.pattern import MAX_RENDERED_BYTES, Pattern

MAX_HEADERS = 100

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
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


def parse_headers(fields: Fields, stored: Headers) -> Headers:
    """Return the headers of a configuration; a masked secret keeps its value in `stored`.

    What is wrong is noted in `fields`.
    """
    known = {name.lower(): value for name, value in stored}
    headers: dict[str, tuple[str, Pattern]] = {}
    if len(fields.members) > MAX_HEADERS:
        fields.wrong("", f"more than {MAX_HEADERS} headers")
    for name in list(fields.members)[:MAX_HEADERS]:
        try:
            _check_header_name(name, fields.at(name), taken=name.lower() in headers)
            value = fields.text(name, "")
            headers[name.lower()] = name, _header_value(name, value or "", fields.at(name), known)
        except LongwireError as problem:
            fields.note(problem)
    return tuple(headers.values())


def _check_header_name(name: str, field: str, *, taken: bool) -> None:
    if not _TOKEN.fullmatch(name):
        raise InvalidInput(field[:200], "not a header name (letters, digits and !#$%&'*+-.^_`|~)")
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
