"""ThingPark: the request that hands a downlink to the LRC, and the LRC's answer (specification, section 9).

Source: ThingPark Wireless "LRC-AS Tunnel Interface", downlink frame; public causes of refusal: section 9.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import quote

from longwire.core.downlink import Accepted, Again, Downlink, Rejected, Verdict, judge_common
from longwire.core.http import Endpoint, HttpRequest, HttpResponse, TransportFailure

_TAG = re.compile(r"<[^>]*>")
_REFUSAL = re.compile(r"(?:HTTP\s+)?(\d{3})\b[\s:.-]*(.*)", re.DOTALL)
_LONGEST_CAUSE = 500
# An LRC's answer is a line; searching a long hostile one for tags would take time in its square.
_LONGEST_READ = 4096
_SECOND = timedelta(seconds=1)
_OK = 200
# What the LRC's own examples leave as it is in a query on the wire.
_UNENCODED = ":."


@dataclass(frozen=True, slots=True)
class Lrc:
    """Where an LRC takes downlinks: `target` is the path of its URL."""

    endpoint: Endpoint
    target: str


def build_downlink(downlink: Downlink, lrc: Lrc, now: datetime) -> HttpRequest:
    """Return the request: everything in the query, an empty body; the Token last, where there is a key."""
    parameters = list(_parameters(downlink, now))
    as_key = downlink.credentials.as_key
    signed = "&".join(f"{name}={value}" for name, value in parameters)
    on_wire = "&".join(f"{name}={quote(value, safe=_UNENCODED)}" for name, value in parameters)
    if as_key is not None:
        on_wire += f"&Token={hashlib.sha256(f'{signed}{as_key}'.encode()).hexdigest()}"
    return HttpRequest(
        endpoint=lrc.endpoint,
        method="POST",
        target=f"{lrc.target}?{on_wire}",
        headers=(("Content-Type", b"application/x-www-form-urlencoded"),),
        body=b"",
    )


def read_downlink_answer(result: HttpResponse | TransportFailure, downlink: Downlink) -> Verdict:
    """Return what an LRC's answer means: it says no by the status, or by a code and a cause in the body of a 200."""
    if (common := judge_common(result, downlink)) is not None:
        return common
    if not isinstance(result, HttpResponse):  # judged above
        return Again("no answer")
    text = _plain(result.body)
    refusal = _REFUSAL.fullmatch(text)
    if result.status == _OK:
        return Rejected(refusal[2] or text) if refusal and int(refusal[1]) != _OK else Accepted()
    return Rejected((refusal[2] if refusal else text) or f"the network server answered {result.status}")


def _parameters(downlink: Downlink, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield the parameters in the order of the LRC's documentation; those that were not given stay out."""
    yield "DevEUI", downlink.dev_eui
    yield "FPort", str(downlink.f_port)
    yield "Payload", downlink.payload_hex
    optional = {
        "FCntDn": downlink.f_cnt_dn,
        "AFCntDn": downlink.af_cnt_dn,
        "Confirmed": downlink.confirmed,
        "FlushDownlinkQueue": downlink.flush,
        "ValidityTime": _seconds_left(downlink, now),
    }
    yield from ((name, str(int(value))) for name, value in optional.items() if value is not None)
    yield "CorrelationID", downlink.correlation_id
    if downlink.retry_ineligible_gateways is not None:
        yield "RetryIneligibleGateways", str(int(downlink.retry_ineligible_gateways))
    if downlink.credentials.as_id is not None:
        yield "AS_ID", downlink.credentials.as_id
    yield "Time", downlink.time or now.astimezone(UTC).isoformat(timespec="milliseconds")


def _seconds_left(downlink: Downlink, now: datetime) -> int | None:
    """Return the validity that is left, so that a downlink that waited here does not live longer for it."""
    return -((now - downlink.expires_at) // _SECOND) if downlink.is_validity_given else None


def _plain(body: bytes) -> str:
    """Return the text of an answer: LRCs answer with a line of HTML."""
    return " ".join(unescape(_TAG.sub(" ", body[:_LONGEST_READ].decode(errors="replace"))).split())[
        :_LONGEST_CAUSE
    ]
