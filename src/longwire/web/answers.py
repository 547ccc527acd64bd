"""What answers hold that no request sends: declared for the OpenAPI document (specification, sections 13, 14, 18)."""

from collections.abc import Iterable

from longwire.core.connection_state import Status
from longwire.core.delivery import Outcome, Trigger
from longwire.core.document import Member, Object
from longwire.core.event import Level
from longwire.core.kinds import (
    TIME,
    Anything,
    Boolean,
    Choice,
    Integer,
    Kind,
    ListOf,
    MapOf,
    Nullable,
    Number,
    Text,
)

_COUNT = Integer(0, 2**53)
_TEXT = Text(longest=1024 * 1024)
_MILLISECONDS = Nullable(Number(0, 1e9))
_HEADERS = MapOf(Text(), _TEXT, 1000)


def always(kind: Kind, description: str) -> Member:
    """Return a member that every answer has."""
    return Member(kind=kind, description=description, required=True)


def _names(values: Iterable[Outcome | Trigger | Level]) -> Choice:
    return Choice(tuple(each.value for each in values))


UPLINK = Object(
    name="Uplink",
    members={
        "fPort": always(Nullable(Integer(0, 255)), "The port."),
        "rssi": always(Nullable(Number(-1e308, 1e308)), "How strong the best gateway heard it, in dBm."),
        "snr": always(Nullable(Number(-1e308, 1e308)), "How far above the noise, in dB."),
        "payloadHex": always(_TEXT, "What it carried, in hexadecimal digits."),
        "decoded": always(Nullable(_TEXT), "That decoded, as JSON text; null: the message has it not."),
    },
)
DELIVERY = Object(
    name="Delivery",
    members={
        "id": always(Text(), "The id."),
        "messageId": always(Text(), "The `webhook-id` it is sent with."),
        "connectionId": always(Nullable(Text()), "The connection; null: the message had no route."),
        "devEUI": always(Nullable(Text()), "The device; null where a message has none."),
        "kind": always(Text(), "The message's root, `DevEUI_uplink` for one."),
        "fCnt": always(Nullable(Integer(0, 2**32)), "The frame counter."),
        "receivedAt": always(TIME, "When the message came."),
        "outcome": always(_names(Outcome), "What became of it."),
        "reason": always(Nullable(_TEXT), "Why, in words."),
        "advice": always(Nullable(_TEXT), "What to do about it; null: nothing."),
        "attemptCount": always(_COUNT, "How many attempts there were."),
        "lastStatus": always(Nullable(Integer(100, 999)), "The HTTP status of the last one."),
        "lastCause": always(Nullable(Text()), "Why the last one had no answer."),
        "settledAt": always(Nullable(TIME), "When its outcome was final."),
        "nextAttemptAt": always(Nullable(TIME), "When it is sent again."),
        "test": always(Boolean(), "It is a test's, not a device's."),
        "uplink": Member(
            kind=Nullable(UPLINK),
            description="What it carried; only where `include=uplink` asks for it, null for what is no uplink.",
        ),
    },
)
ATTEMPT = Object(
    name="Attempt",
    members={
        "number": always(_COUNT, "`Longwire-Attempt`."),
        "at": always(TIME, "When it began."),
        "trigger": always(_names(Trigger), "What made it."),
        "durationMs": always(Number(0, 2**53), "How long it took, in milliseconds."),
        "status": always(Nullable(Integer(100, 999)), "The HTTP status of the answer."),
        "cause": always(Nullable(Text()), "Why there was no answer, in a word."),
        "detail": always(Nullable(_TEXT), "And in a sentence."),
        "advice": always(Nullable(_TEXT), "What to do about it; null: nothing."),
        "remoteAddress": always(Nullable(Text()), "Whom it was sent to."),
        "url": always(Nullable(_TEXT), "The address, patterns filled in."),
        "requestHeaders": always(Nullable(_HEADERS), "The headers sent, secrets masked."),
        "responseHeaders": always(Nullable(_HEADERS), "The headers of the answer."),
        "responseBody": always(
            Nullable(_TEXT), "The first 4 KiB of the answer's body; with `debug` up to 64 KiB."
        ),
        "truncated": always(Boolean(), "The answer's body was longer, or broke off."),
        "requestBody": Member(kind=_TEXT, description="The body sent; only where `debug` was on."),
    },
)
DELIVERY_DETAILS = Object(
    name="DeliveryDetails",
    members={
        **DELIVERY.members,
        "message": always(Anything(), "The message as it was received."),
        "attempts": always(ListOf(ATTEMPT), "Every attempt, oldest first."),
    },
)
EVENT = Object(
    name="Event",
    members={
        "eventTime": always(TIME, "When it happened."),
        "level": always(_names(Level), "How much it matters."),
        "code": always(Text(), "`module-number`."),
        "message": always(_TEXT, "What happened, why, and what to do."),
        "data": always(Anything(), "More about it, by its code."),
    },
)


def _window_metrics(window: str, words: str) -> dict[str, Member]:
    ended = "that ended on the connection"
    return {
        f"activeThingsLast{window}": always(_COUNT, f"Devices with a message {ended} in the last {words}."),
        f"uplinksLast{window}": always(_COUNT, f"Messages {ended} in the last {words}, however they did."),
        f"uplinksLast{window}Failed": always(_COUNT, "Of these: REJECTED, EXPIRED or FAILED."),
        f"uplinksLast{window}Lost": always(_COUNT, "Of these: LOST."),
        f"downlinksLast{window}": always(_COUNT, f"Downlinks the application asked for in the last {words}."),
        f"downlinksLast{window}Failed": always(_COUNT, "Of these: REJECTED."),
        f"downlinksLast{window}Lost": always(_COUNT, "Of these: EXPIRED."),
    }


CONNECTION_STATES = Object(
    name="ConnectionStates",
    members={each.value: always(_COUNT, f"How many are {each.value}.") for each in Status},
)
METRICS = Object(
    name="Metrics",
    members={
        "connectionId": always(_COUNT, "The connection; a number here, as in the original."),
        **_window_metrics("1h", "hour"),
        **_window_metrics("24h", "24 hours"),
        "lag": always(_COUNT, "How many messages wait."),
    },
)
CONNECTION_METRICS = Object(
    name="ConnectionMetrics",
    members={
        **METRICS.members,
        "oldestWaitingAt": always(Nullable(TIME), "When the message that is next came; null: none waits."),
        "requestMsP50": always(
            _MILLISECONDS, "What half of the newest requests took at most; null: none yet."
        ),
        "requestMsP95": always(_MILLISECONDS, "What 95 % of them took at most."),
        "requestMs": always(ListOf(Number(0, 1e9)), "What the newest ones took, oldest first."),
    },
)
TOTAL_METRICS_STEP = Object(
    name="TotalMetricsStep",
    members={
        "time": always(TIME, "When the step begins."),
        "uplinks": always(_COUNT, "Messages that ended in it, however they did."),
        "uplinksFailed": always(_COUNT, "Of these: REJECTED, EXPIRED or FAILED."),
        "uplinksLost": always(_COUNT, "Of these: LOST."),
    },
)
METRICS_STEP = Object(
    name="MetricsStep",
    members={
        **TOTAL_METRICS_STEP.members,
        "lag": always(
            _COUNT,
            "How many messages waited when its minute ended: of 5 minutes the most, in the current one now.",
        ),
    },
)
