"""A downlink: what an application asks for, and what follows from what came back for it (specification, section 9).

An actuator must not act twice. So a request that may have reached the network server is only repeated when the
downlink names its frame counter: a network server refuses a counter that was used.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import msgspec

from longwire.core import json_text
from longwire.core.document import Document, Member, Object, read_body
from longwire.core.errors import TooLarge
from longwire.core.http import HttpResponse, TransportFailure
from longwire.core.json_text import MAX_BODY_BYTES
from longwire.core.kinds import DEV_EUI, Describe, Place, Schema, Text, Whole, whole_number
from longwire.core.message import DevEui, Message, fingerprint, parse_dev_eui

ROOT = "DevEUI_downlink"
SENT_ROOT = "DevEUI_downlink_Sent"
REJECTED_ROOT = "DevEUI_downlink_Rejected"
MAX_PAYLOAD_BYTES = 242
DEFAULT_VALIDITY = timedelta(hours=1)
LONGEST_VALIDITY = timedelta(days=7)
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(seconds=60)
_DOUBT = "may have been sent"
MAY_HAVE_BEEN_SENT = f"no answer; {_DOUBT}"
HIGHEST_PORT = 224

AS_ID = Text(pattern="[!-%'-~]{1,255}", says="expected printable characters without '&' and spaces")
PORT = Whole(1, HIGHEST_PORT)

_MAX_COUNTER = 2**32 - 1
_REFUSED = 350
"""`DeliveryStatus` of a downlink that the network never queued."""
# ThingPark names an application server after its customer: TWA_<CustomerID>.<number>.AS
_CUSTOMER = re.compile(r"TWA_(\d+)\.")
_FAILURES = ("DeliveryFailedCause1", "DeliveryFailedCause2", "DeliveryFailedCause3")
_TIMED_OUT, _TOO_MANY, _FIRST_SERVER_ERROR = 408, 429, 500


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no, as `1` and `0`, as booleans, or as strings of them."""

    def read(self, value: Any, place: Place) -> bool | None:
        """Return the boolean."""
        known = {"0": False, "1": True, "false": False, "true": True}
        text = value if isinstance(value, str) else str(value).lower() if isinstance(value, int) else ""
        if text not in known:
            place.wrong("expected 0 or 1")
        return known.get(text)

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        number, text = [0, 1], ["0", "1", "false", "true"]
        return {
            "anyOf": [
                {"type": "boolean"},
                {"type": "integer", "enum": number},
                {"type": "string", "enum": text},
            ]
        }


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in ISO 8601, UTC where it names no zone; or, `or_seconds`, a number of seconds. Read as it was given."""

    or_seconds: bool = False

    def read(self, value: Any, place: Place) -> str | int | None:
        """Return the text or the number."""
        seconds = whole_number(value) if self.or_seconds else None
        if seconds is not None:
            return seconds
        if isinstance(value, str) and _parse_time(value) is not None:
            return value
        place.wrong(f"expected an ISO 8601 time{' or a number of seconds' if self.or_seconds else ''}")
        return None

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        text: Schema = {"type": "string", "format": "longwire-moment"}
        return {"anyOf": [text, {"type": "integer", "minimum": 0}]} if self.or_seconds else text


_CONTENT = Object(
    name="DownlinkContent",
    members={
        "DevEUI": Member(kind=DEV_EUI, description="The device.", required=True),
        "FPort": Member(kind=PORT, description="Absent: the connection's downlinkPort."),
        "payload_hex": Member(
            kind=Text(
                longest=MAX_BODY_BYTES,
                pattern="(?:[0-9A-Fa-f]{2})*",
                says="expected pairs of hexadecimal digits",
            ),
            description=f"The payload, at most {MAX_PAYLOAD_BYTES} bytes.",
            required=True,
        ),
        "Time": Member(kind=Moment(), description="Signed with the request; absent: when it is sent."),
        "Confirmed": Member(kind=Flag(), description="The device shall acknowledge it."),
        "FCntDn": Member(
            kind=Whole(0, _MAX_COUNTER), description="The frame counter: no downlink goes out twice."
        ),
        "AFCntDn": Member(kind=Whole(0, _MAX_COUNTER), description="The application's frame counter."),
        "ValidityTime": Member(
            kind=Moment(or_seconds=True),
            description="How long, or until when, it may be sent: at most 7 days.",
        ),
        "FlushDownlinkQueue": Member(
            kind=Flag(), description="The network forgets what waits for the device."
        ),
        "AS_ID": Member(
            kind=AS_ID,
            description="Who asks; absent: as configured.",
        ),
        "AS_KEY": Member(
            kind=Text(pattern="[0-9A-Fa-f]{32}", says="expected 32 hexadecimal digits"),
            description="What the request is signed with; absent: as configured.",
            secret=True,
        ),
        "CorrelationID": Member(
            kind=Text(pattern="[0-9A-Fa-f]{16}", says="expected 16 hexadecimal digits"),
            description="Comes back in reports; absent: one of ours.",
        ),
        "RetryIneligibleGateways": Member(kind=Flag(), description="Passed on to the network."),
        # It signs a request that is ours to write, at a time that is ours to choose: we make our own.
        "Token": Member(
            kind=Text(), description="Ignored: Longwire signs the request itself.", read_only=True
        ),
    },
    planned=frozenset({"payload", "DriverCfg"}),
)
DOWNLINK = Object(
    name="Downlink",
    members={ROOT: Member(kind=_CONTENT, description="What is sent to the device.", required=True)},
)


class Status(Enum):
    """Where a downlink is: ACCEPTED by the network server, SENT by a gateway."""

    QUEUED = "QUEUED"
    ACCEPTED = "ACCEPTED"
    SENT = "SENT"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are for the network server; what is None is filled from the next one that knows. Its repr shows no key."""

    as_id: str | None = None
    as_key: str | None = field(default=None, repr=False)

    def or_else(self, other: "Credentials") -> "Credentials":
        """Return these, completed from others."""
        return Credentials(self.as_id or other.as_id, self.as_key or other.as_key)


@dataclass(frozen=True, slots=True)
class Downlink:
    """One downlink as its application gave it.

    Members that were not given are None, and stay out of what the network server gets. `time` is the text given.
    """

    dev_eui: DevEui
    f_port: int
    payload_hex: str
    correlation_id: str
    expires_at: datetime
    credentials: Credentials = Credentials()
    is_validity_given: bool = False
    time: str | None = None
    confirmed: bool | None = None
    f_cnt_dn: int | None = None
    af_cnt_dn: int | None = None
    flush: bool | None = None
    retry_ineligible_gateways: bool | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The network server has taken the downlink."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The downlink will never be sent, or must not be tried again."""

    cause: str


@dataclass(frozen=True, slots=True)
class Again:
    """The network server did not get it or could not take it now."""

    cause: str


Verdict = Accepted | Rejected | Again


@dataclass(frozen=True, slots=True)
class Report:
    """What a network server reports of a downlink; `status` None: a try was in vain, and others may follow."""

    network_server_id: str
    dev_eui: DevEui
    correlation_id: str
    status: Status | None
    cause: str | None = None


def parse_downlink(
    body: Any, now: datetime, *, default_port: int | None, new_correlation_id: str
) -> Downlink:
    """Return the downlink of a request body.

    `default_port` is the connection's `downlinkPort`. Raises InvalidDocument, or TooLarge for a payload of more than
    242 bytes.
    """
    document = read_body(DOWNLINK, body)
    content = document.inner(ROOT)
    expires_at = _expires_at(content, now)
    downlink = Downlink(
        dev_eui=_dev_eui(content),
        f_port=_f_port(content, default_port),
        payload_hex=content.required_text("payload_hex"),
        correlation_id=content.text("CorrelationID") or new_correlation_id,
        expires_at=expires_at or now + DEFAULT_VALIDITY,
        credentials=Credentials(content.text("AS_ID"), content.text("AS_KEY")),
        is_validity_given=expires_at is not None,
        time=content.text("Time"),
        confirmed=content.values.get("Confirmed"),
        f_cnt_dn=content.values.get("FCntDn"),
        af_cnt_dn=content.values.get("AFCntDn"),
        flush=content.values.get("FlushDownlinkQueue"),
        retry_ineligible_gateways=content.values.get("RetryIneligibleGateways"),
    )
    document.finish()
    if len(downlink.payload_hex) > 2 * MAX_PAYLOAD_BYTES:
        raise TooLarge(f"{ROOT}.payload_hex: a downlink carries at most {MAX_PAYLOAD_BYTES} bytes")
    return downlink


@dataclass(frozen=True, slots=True)
class Refusal:
    """A downlink that was refused: which (the number is unique for ever), by which network server, why."""

    number: int
    downlink: Downlink
    network_server_id: str
    cause: str


def rejection(refusal: Refusal, now: datetime) -> Message:
    """Return the message that tells the application of a refusal: a `DevEUI_downlink_Rejected`."""
    downlink, network_server_id = refusal.downlink, refusal.network_server_id
    customer = _CUSTOMER.match(downlink.credentials.as_id or "")
    content = {
        "Time": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        "DevEUI": downlink.dev_eui,
        "FPort": downlink.f_port,
        "DeliveryStatus": _REFUSED,
        "DownlinkRejectionCause": refusal.cause,
        **({"CustomerID": customer[1]} if customer else {}),
        "CorrelationID": downlink.correlation_id,
    }
    return Message(
        network_server_id=network_server_id,
        root=REJECTED_ROOT,
        dev_eui=downlink.dev_eui,
        order_key=downlink.dev_eui,
        f_cnt=downlink.f_cnt_dn,
        body=msgspec.json.encode({REJECTED_ROOT: content}),
        # Told twice after a kill, it is known for a repeat; another downlink may have the same CorrelationID.
        fingerprint=fingerprint(network_server_id, REJECTED_ROOT, downlink.dev_eui, str(refusal.number)),
        received_at=now,
        aged_from=now,
    )


def read_report(message: Message) -> Report | None:
    """Return what a message of the network says of a downlink; None for one that names none."""
    if message.dev_eui is None or message.root not in {SENT_ROOT, REJECTED_ROOT}:
        return None
    _, members = json_text.read_kept_root(message.body)
    text = {name: json_text.scalar_text(bytes(raw)) or "" for name, raw in members.items()}
    correlation_id = text.get("CorrelationID", "")
    if not correlation_id:
        return None
    named = (message.network_server_id, message.dev_eui, correlation_id)
    if message.root == REJECTED_ROOT:
        return Report(*named, Status.REJECTED, text.get("DownlinkRejectionCause") or None)
    if text.get("DeliveryStatus") == "1":
        return Report(*named, Status.SENT)
    causes = [text[name] for name in _FAILURES if text.get(name, "00") != "00"]
    return Report(*named, None, f"the gateways could not send it: {', '.join(causes) or 'no cause given'}")


def judge_common(result: HttpResponse | TransportFailure, downlink: Downlink) -> Verdict | None:
    """Return what follows from a result whatever the network server's kind; None: its answer has to be read."""
    if isinstance(result, TransportFailure):
        return _judge_failure(result, downlink)
    if result.status in {_TIMED_OUT, _TOO_MANY} or result.status >= _FIRST_SERVER_ERROR:
        return Again(f"the network server answered {result.status}")
    return None


def wait_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: 1 s, doubling to 60 s."""
    return min(FIRST_WAIT * (1 << min(attempts - 1, 6)), LONGEST_WAIT)


def _judge_failure(failure: TransportFailure, downlink: Downlink) -> Verdict:
    cause = f"{failure.cause.value}: {failure.detail}"
    if not failure.request_written:
        return Again(cause)
    return Rejected(MAY_HAVE_BEEN_SENT) if downlink.f_cnt_dn is None else Again(f"{cause}; {_DOUBT}")


def is_doubtful(cause: str | None) -> bool:
    """Return whether a try with this cause may have reached the network server."""
    return cause is not None and _DOUBT in cause


def with_doubt(verdict: Verdict) -> Verdict:
    """Return the verdict on a try after a doubtful one: that its counter was used may be the doubtful one's doing."""
    if isinstance(verdict, Accepted) or is_doubtful(verdict.cause):
        return verdict
    return replace(verdict, cause=f"{verdict.cause}; an earlier try {_DOUBT}")


def _dev_eui(content: Document) -> DevEui:
    text = content.text("DevEUI")
    return parse_dev_eui(text) if text is not None else DevEui("")


def _f_port(content: Document, default: int | None) -> int:
    if default is None and "FPort" not in content.written:
        content.wrong("FPort", "required: the connection has no downlinkPort")
    port: int = content.values.get("FPort", default or 1)
    return port


def _expires_at(content: Document, now: datetime) -> datetime | None:
    """Return the end of the validity; None when it is not given."""
    given = content.values.get("ValidityTime")
    if given is None:
        return None
    # More seconds than a date can hold are too many in any case.
    seconds = (
        timedelta(seconds=min(given, 2 * LONGEST_VALIDITY.total_seconds()))
        if isinstance(given, int)
        else None
    )
    end = now + seconds if seconds is not None else _parse_time(given)
    if end is None or not now < end <= now + LONGEST_VALIDITY:
        content.wrong("ValidityTime", f"expected a moment within the next {LONGEST_VALIDITY.days} days")
        return None
    return end


def _parse_time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
