"""What an uplink carried, and how it was heard by the best gateway."""

from dataclasses import dataclass

from longwire.core import json_text
from longwire.core.sighting import number_of

_LONGEST_PAYLOAD = 4096
_HIGHEST_PORT = 255


@dataclass(frozen=True, slots=True)
class Heard:
    """Port and signal (dBm, dB) of an uplink, its payload, and that decoded as JSON text; None: it does not say."""

    f_port: int | None
    rssi: float | None
    snr: float | None
    payload_hex: str
    decoded: str | None


def heard(body: bytes) -> Heard | None:
    """Return what a stored message tells when it is an uplink; None for every other root."""
    root, members = json_text.read_kept_root(body)
    if root != "DevEUI_uplink":
        return None
    port, decoded = number_of(members.get("FPort", b"")), members.get("payload")
    return Heard(
        int(port) if port is not None and 0 <= port <= _HIGHEST_PORT else None,
        number_of(members.get("LrrRSSI", b"")),
        number_of(members.get("LrrSNR", b"")),
        json_text.member_text(members, "payload_hex")[:_LONGEST_PAYLOAD],
        None if decoded is None else bytes(decoded).decode()[:_LONGEST_PAYLOAD],
    )
