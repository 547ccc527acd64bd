"""One readable terminal line for a request that the receiver got, whatever is in it."""

from collections.abc import Mapping

import msgspec

from longwire.demo.received import Received

_MAX_LINE = 220
_MAX_VALUE = 24
_MAX_HEADERS = 4
_MAX_PAYLOAD = 17
_MAX_PREVIEW = 60
_MAX_READ_BYTES = 400
_MAX_NUMBER = 2**64

_USUAL_HEADERS = frozenset(
    (
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-length",
        "content-type",
        "host",
        "longwire-attempt",
        "transfer-encoding",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    )
)
"""What every delivery carries, or what only moves the bytes: not worth the space of a line."""

_SECRET_WORDS = ("auth", "key", "token", "secret", "password", "cookie", "signature")


def describe(received: Received) -> str:
    """Return the line; it never raises, holds no control characters and is at most 220 characters long.

    The time is shown in the zone of `received_at`. Values of headers that sound like secrets are masked.
    """
    found = _find_members(received.body)
    what = _describe_request(received) if found is None else _describe_message(*found)
    time = received.received_at.strftime("%H:%M:%S")
    parts = (f"{time} {what}", _describe_headers(received), _describe_attempt(received))
    return _clip("  ".join(part for part in parts if part), _MAX_LINE)


def _find_members(body: bytes) -> tuple[str, Mapping[str, object]] | None:
    """Return the root's name and members, "" when they are at top level; None when there is no DevEUI."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    for name, content in (*document.items(), ("", document)):
        if isinstance(content, dict) and isinstance(content.get("DevEUI"), str):
            return name, content
    return None


def _describe_message(root: str, members: Mapping[str, object]) -> str:
    customer = members.get("CustomerData")
    name = customer.get("name") if isinstance(customer, dict) else ""
    parts = [_clip(members["DevEUI"], 16).ljust(16), _clip(name, 16).ljust(16)]
    if root not in {"", "DevEUI_uplink"}:
        parts.append(_clip(root, _MAX_VALUE))
    labels = (("FCntUp", "FCnt"), ("FPort", "port"))
    parts += [f"{label} {_clip(members[member], 10)}" for member, label in labels if member in members]
    if "payload_hex" in members:
        parts.append(_clip(members["payload_hex"], _MAX_PAYLOAD))
    return "  ".join(parts).rstrip()


def _describe_request(received: Received) -> str:
    preview = received.body[:_MAX_READ_BYTES].decode("utf-8", "replace")
    request = f"{_clip(received.method, _MAX_VALUE)} {_clip(received.path, _MAX_PREVIEW)}"
    return f"{request}  {len(received.body)} bytes  {_clip(preview, _MAX_PREVIEW)}".rstrip()


def _describe_headers(received: Received) -> str:
    configured = [pair for pair in received.headers if pair[0].lower() not in _USUAL_HEADERS]
    shown = [f"{_clip(name, _MAX_VALUE)}={_mask(name, value)}" for name, value in configured[:_MAX_HEADERS]]
    hidden = len(configured) - len(shown)
    return " ".join([*shown, f"and {hidden} more"] if hidden else shown)


def _mask(name: str, value: str) -> str:
    is_secret = any(word in name.lower() for word in _SECRET_WORDS)
    return "***" if is_secret else _clip(value, _MAX_VALUE)


def _describe_attempt(received: Received) -> str:
    attempt = received.header("longwire-attempt")
    return "" if attempt is None else f"attempt {_clip(attempt, 6)}"


def _clip(value: object, length: int) -> str:
    """Return a JSON scalar as printable text of at most `length` characters; others as an ellipsis."""
    if value is None:
        return ""
    text = "".join(map(_printable, value)) if isinstance(value, str) else _spell(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _spell(value: object) -> str:
    # Spelling a deep list or a number of thousands of digits can raise.
    is_short = isinstance(value, float) or (isinstance(value, int) and abs(value) < _MAX_NUMBER)
    return str(value) if is_short else "…"


def _printable(sign: str) -> str:
    """Drop a character that moves the cursor or turns the writing direction; white space becomes a space."""
    if sign.isprintable():
        return sign
    return " " if sign.isspace() else ""
