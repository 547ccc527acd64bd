"""A message of the network: its DevEUI, its envelope, and what is spliced into its body."""

import hashlib
import re
from datetime import datetime
from typing import NewType

import msgspec

from longwire.core import json_text
from longwire.core.errors import InvalidInput
from longwire.core.sighting import Sighting

DevEui = NewType("DevEui", str)

MAX_MESSAGE_BYTES = 256 * 1024

ROOTS = frozenset(
    {
        "DevEUI_uplink",
        "DevEUI_downlink_Sent",
        "DevEUI_downlink_Rejected",
        "DevEUI_location",
        "DevEUI_notification",
        "DevEUI_multicast_summary",
        "DevEUI_alarm",
        "BS_alarm",
    }
)

OWN_LINK_MEMBERS = ("downlinkUrl", "downlinkURL")

_HEX16 = re.compile(r"[0-9A-F]{16}")


def parse_dev_eui(text: str, field: str = "DevEUI") -> DevEui:
    """Return the canonical DevEUI; accepts `70-B3-D5-...`, `70:b3:d5:...` and plain hex of any case."""
    if _HEX16.fullmatch(text):
        return DevEui(text)
    digits = text.replace("-", "").replace(":", "").upper()
    if not _HEX16.fullmatch(digits):
        raise InvalidInput(field, f"expected 16 hexadecimal digits, got {text[:40]!r}")
    return DevEui(digits)


class Message(msgspec.Struct, frozen=True):
    """One message as the queue keeps it.

    `body` is the text as received, one root object; `order_key` names whose messages stay in order: the DevEUI, or
    the gateway for `BS_alarm`; `fingerprint` says which messages are repeats of each other (16 bytes); its age
    counts from `aged_from`, the earlier of its `Time` and its receipt. `sighting` is what it says of its device.
    """

    network_server_id: str
    root: str
    dev_eui: DevEui | None
    order_key: str
    f_cnt: int | None
    body: bytes
    fingerprint: bytes
    received_at: datetime
    aged_from: datetime
    sighting: Sighting = Sighting()


def fingerprint(*parts: str | bytes) -> bytes:
    """Return 16 bytes that are equal for equal parts only."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(4, "big"))
        digest.update(content)
    return digest.digest()


def with_downlink_url(body: bytes, url: str) -> bytes:
    """Return the body with `downlinkUrl` and `downlinkURL` at the end of its root object.

    Both spellings, same value: the seed's page says `downlinkURL`, live platforms send `downlinkUrl`.
    """
    value = json_text.quote(url)
    return json_text.append_members(body, b'"downlinkUrl":' + value + b',"downlinkURL":' + value)
