"""What an LRC does with a downlink: its Token, its device, its counter; nothing here listens or sends.

Source: ThingPark Wireless "LRC-AS Tunnel Interface", downlink frame; the causes of a refusal are the public ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import unquote

import msgspec

from longwire.demo import lrc_request
from longwire.demo.fleet import AS_ID, CUSTOMER_ID

PATH = "/thingpark/lrc/rest/downlink"
NO_FAILURE = "00"

_HIGHEST_PORT = 224
_SPELLING = {
    "time": "Time",
    "dev_eui": "DevEUI",
    "f_port": "FPort",
    "f_cnt_dn": "FCntDn",
    "lrc_id": "Lrcid",
    "delivery_status": "DeliveryStatus",
    "cause_1": "DeliveryFailedCause1",
    "cause_2": "DeliveryFailedCause2",
    "correlation_id": "CorrelationID",
    "customer_id": "CustomerID",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A downlink that the LRC has queued, with the counter it goes out with."""

    dev_eui: str
    f_port: int
    payload_hex: str
    f_cnt_dn: int
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A downlink that the LRC will not send, and why."""

    cause: str


class Desk:
    """Takes downlinks for the devices it knows; `key` is the tunnel key, None for a server that asks for no Token."""

    def __init__(self, dev_euis: Iterable[str], key: str | None) -> None:
        """Expect counter 0 of each device."""
        self._expected = dict.fromkeys(dev_euis, 0)
        self._key = key

    def take(self, query: str) -> Taken | Refused:
        """Return what becomes of a request with that query, as it came over the wire."""
        signed, _, token = query.partition("&Token=")
        if self._key is not None and not _is_signed(unquote(signed), token, self._key):
            return Refused("Security check failed: wrong Token")
        given = {
            name: unquote(value) for name, _, value in (each.partition("=") for each in signed.split("&"))
        }
        dev_eui, f_port, counter = given.get("DevEUI", ""), given.get("FPort", ""), given.get("FCntDn", "")
        if dev_eui not in self._expected:
            return Refused("Unknown DevEUI")
        if not f_port.isdecimal() or not 1 <= int(f_port) <= _HIGHEST_PORT:
            return Refused("Invalid FPort")
        expected = self._expected[dev_eui]
        if counter and (not counter.isdecimal() or int(counter) < expected):
            return Refused(f"Downlink counter value already used. Expected={expected}")
        used = int(counter) if counter else expected
        self._expected[dev_eui] = used + 1
        return Taken(dev_eui, int(f_port), given.get("Payload", ""), used, given.get("CorrelationID", ""))


def _is_signed(query: str, token: str, key: str) -> bool:
    return compare_digest(token.encode(), sha256(f"{query}{key}".encode()).hexdigest().encode())


class _Sent(msgspec.Struct, frozen=True, kw_only=True, rename=_SPELLING):
    """The content of `DevEUI_downlink_Sent`."""

    time: str
    dev_eui: str
    f_port: int
    f_cnt_dn: int
    lrc_id: str = "00000233"
    delivery_status: int = 1
    cause_1: str = NO_FAILURE
    cause_2: str = NO_FAILURE
    correlation_id: str
    customer_id: str = CUSTOMER_ID


def sent_report(downlink: Taken, now: datetime, key: str | None) -> tuple[str, bytes]:
    """Return query and body of the POST that reports a downlink as sent by a gateway."""
    time = lrc_request.format_lrc_time(now)
    sent = _Sent(
        time=time,
        dev_eui=downlink.dev_eui,
        f_port=downlink.f_port,
        f_cnt_dn=downlink.f_cnt_dn,
        correlation_id=downlink.correlation_id,
    )
    parameters = (
        ("LrnDevEui", downlink.dev_eui),
        ("LrnFPort", str(downlink.f_port)),
        ("LrnInfos", f"{AS_ID}-1-{downlink.f_cnt_dn:08d}"),
        ("AS_ID", AS_ID),
        ("Time", time),
    )
    covered = f"{CUSTOMER_ID}{downlink.dev_eui}{downlink.f_port}{downlink.f_cnt_dn}"
    return lrc_request.write_query(parameters, covered, key), msgspec.json.encode(
        {"DevEUI_downlink_Sent": sent}
    )
