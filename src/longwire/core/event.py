"""What the operator is told: the catalogue of events, and one event as the API shows it (specification, section 13).

The theory. Something that happens is an `Occurrence` of a `Kind`. A kind either makes an event each time, or is
*counted*: what happens again to the same connection within `COUNTED_FOR` becomes part of the same event, whose count
grows. So an outage that loses a million messages makes a few events, and no count is lost.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from longwire.core.connection_state import WAITING, Report, State, Status
from longwire.core.delivery import Outcome

COUNTED_FOR = timedelta(minutes=10)
MAX_CAUSES = 8
MAX_TEXT = 1000
_OTHER = "other causes"


class Level(Enum):
    """How much an event matters."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue.

    `text` may name `{connection}` (its name and id), `{cause}`, `{times}` and the facts of its occurrences; `advice`
    says what to do; empty where the cause itself says it, or nothing has to be done.
    """

    code: str
    level: Level
    title: str
    text: str
    advice: str = ""
    is_counted: bool = False


class Kind(Enum):
    """The catalogue: every event there is. docs/events.md is made from it."""

    CONNECTION_OPENED = Entry(
        "con-1001", Level.INFO, "Connection opened", "Connection {connection} is open again: {cause}"
    )
    CONNECTION_CLOSING = Entry(
        "con-1002", Level.ERROR, "Connection closing", "Closing connection {connection}: {cause}"
    )
    CONNECTION_AUTHENTICATION_FAILED = Entry(
        "con-1003",
        Level.ERROR,
        "Proxy authentication failed",
        "The proxy of connection {connection} refused the credentials: {cause}",
        "Correct configuration.proxy.username and password; messages wait meanwhile",
    )
    CONNECTION_GAVE_UP = Entry(
        "con-1004",
        Level.ERROR,
        "Connection closed for good",
        "Connection {connection} is not tried any more, as its reconnectStrategy says: {cause}",
        "Restart or update it when the destination answers again; messages wait until their retention ends",
    )
    CONNECTION_CREATED = Entry(
        "con-1005", Level.INFO, "Connection created", "Connection {connection} was created"
    )
    CONNECTION_UPDATED = Entry(
        "con-1006", Level.INFO, "Connection updated", "Connection {connection} was updated and starts again"
    )
    CONNECTION_ACTIVATED = Entry(
        "con-1007", Level.INFO, "Connection activated", "Connection {connection} was activated"
    )
    CONNECTION_DEACTIVATED = Entry(
        "con-1008",
        Level.WARN,
        "Connection deactivated",
        "Connection {connection} was deactivated: nothing is sent",
        "Activate it again before the backlog's retention ends; messages wait meanwhile",
    )
    CONNECTION_RESTARTED = Entry(
        "con-1009", Level.INFO, "Connection restarted", "Connection {connection} was restarted by command"
    )
    CONNECTION_DELETED = Entry(
        "con-1010",
        Level.WARN,
        "Connection deleted",
        "Connection {connection} was deleted; messages that waited and are DISCARDED now: {discarded}",
        "What was discarded stays in the log and can be replayed to another connection",
    )
    CONNECTION_CRASHED = Entry(
        "con-1012",
        Level.ERROR,
        "Internal error",
        "Connection {connection} was stopped by an error in Longwire and started again {times}: {cause}",
        "Messages are kept; please report it with the lines of the program's log that tell the error",
        is_counted=True,
    )
    DEBUG_ENDED = Entry(
        "con-1011",
        Level.INFO,
        "Debug ended",
        "debug of connection {connection} turned itself off after 2 days",
        "Set debug to true again if whole requests shall be kept longer",
    )
    MESSAGE_LOST = Entry(
        "dlv-2001",
        Level.WARN,
        "Message lost",
        "On connection {connection} messages were lost {times}: {cause}",
        "Correct the destination and replay them from the log, or set strictMode to have them sent again",
        is_counted=True,
    )
    MESSAGE_REJECTED = Entry(
        "dlv-2002",
        Level.ERROR,
        "Message rejected",
        "On connection {connection} messages were rejected {times}: {cause}",
        "They are dead letters; correct the destination and replay them from the log",
        is_counted=True,
    )
    MESSAGE_EXPIRED = Entry(
        "dlv-2003",
        Level.WARN,
        "Message expired",
        "On connection {connection} messages became too old to be sent {times}: {cause}",
        "If they are of use, replay them from the log, or raise uplinkTimeValidity or the backlog's retention",
        is_counted=True,
    )
    MESSAGE_FAILED = Entry(
        "dlv-2004",
        Level.ERROR,
        "Message failed",
        "On connection {connection} messages could not be rendered {times}: {cause}",
        "Correct the member of the configuration that is named and replay them from the log",
        is_counted=True,
    )
    PATTERN_EMPTY = Entry(
        "dlv-2005",
        Level.WARN,
        "Pattern without a value",
        "On connection {connection} patterns found nothing in a message and became empty {times}: {cause}",
        "Correct the pattern, or give it an alternative: {CustomerData.name|DevEUI|'none'}",
        is_counted=True,
    )
    MESSAGE_UNROUTED = Entry(
        "ing-3001",
        Level.WARN,
        "Message without a route",
        "Messages that no flow routes to a connection arrived {times}: {cause}",
        "Add the device to a flow, or make a flow without matchers for every device",
        is_counted=True,
    )
    DEVICE_UNREGISTERED = Entry(
        "ing-3002",
        Level.WARN,
        "Message of an unregistered device",
        "Messages of devices that are not registered arrived {times}: {cause}",
        "Register the device (POST /devices), or set autoRegisterDevices of its network server",
        is_counted=True,
    )
    DOWNLINK_REJECTED = Entry(
        "dwn-5001",
        Level.WARN,
        "Downlink rejected",
        "Downlinks of connection {connection} were rejected {times}: {cause}",
        "The application got a DevEUI_downlink_Rejected; /downlinks has each of them",
        is_counted=True,
    )
    STORAGE_FAILED = Entry(
        "sto-4001",
        Level.ERROR,
        "Storage trouble",
        "The store could not be written {times}: {cause}",
        "Free disk space and check the disk of the data folder; senders get 503 and send again meanwhile",
        is_counted=True,
    )
    UNCLEAN_END = Entry(
        "sto-4002",
        Level.WARN,
        "Unclean end found",
        "Longwire did not end in an orderly way; messages that may have been sent without a record: {marked}",
        "They are sent again with Longwire-Attempt >= 2; receivers tell repeats by their webhook-id",
    )
    EVENTS_UNRECORDED = Entry(
        "sto-4003",
        Level.WARN,
        "Events not recorded",
        "While the store could not be written so many events were not kept: {unrecorded}",
        "The program's own log on standard error has more",
    )

    @property
    def code(self) -> str:
        """Return the stable code, `module-number`."""
        return self.value.code

    @property
    def level(self) -> Level:
        """Return the level."""
        return self.value.level

    @property
    def is_counted(self) -> bool:
        """Return whether what happens again soon is counted instead of told."""
        return self.value.is_counted


# What to do when there was no answer, by the first word of the cause.
ADVICE: Mapping[str, str] = {
    "refused": "Check that the destination is running and listens on this port; Longwire tries again by itself",
    "reset": "Look into the destination's log; Longwire tries again by itself",
    "timeout": "Check the destination's load and the firewalls between, or raise configuration.requestTimeout",
    "dns": "Correct the host in configuration.destinationURL, or the DNS server (LONGWIRE_RESOLVER)",
    "tls": "Renew the destination's certificate, or give its authority in configuration.tls.caCertificate",
    "blocked-address": "",
    "proxy": "Check configuration.proxy.hostname, and that the proxy may reach the destination",
    "malformed-response": "The destination, or something before it, does not speak HTTP/1.1; check the address",
}
_LOOK = "Look into the destination's log; the message stays, and Longwire tries again by itself"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened: `count` times, to a connection or to Longwire itself; `facts` fill the kind's text."""

    kind: Kind
    at: datetime
    connection_id: int | None = None
    cause: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1


@dataclass(slots=True)
class Event:
    """One event while it grows: its first occurrence, and what came to it since."""

    number: int
    first: Occurrence
    last_at: datetime
    count: int = 0
    causes: Counter[str] = field(default_factory=Counter)

    def add(self, occurrence: Occurrence) -> None:
        """Count one more occurrence; at most `MAX_CAUSES` different causes are told apart."""
        self.count += occurrence.count
        self.last_at = max(self.last_at, occurrence.at)
        cause = occurrence.cause[:MAX_TEXT]
        is_known = cause in self.causes or len(self.causes) < MAX_CAUSES
        self.causes[cause if is_known else _OTHER] += occurrence.count

    def message(self, name: str | None) -> str:
        """Return the text: what happened, why, and what to do; `name` is the connection's."""
        entry: Entry = self.first.kind.value
        text = entry.text.format_map(
            {
                **self.first.facts,
                "connection": f"{name or 'without a name'} with id {self.first.connection_id}",
                "cause": self._causes_in_words(),
                "times": _times(self.count),
            }
        )
        advice = entry.advice or advise(self.first)
        return f"{entry.title}: {text}" + (f". {advice}." if advice else ".")

    def data(self, name: str | None) -> dict[str, Any]:
        """Return what the message says, as members."""
        of_connection = {"connectionId": str(self.first.connection_id), "connectionName": name}
        return {
            **(of_connection if self.first.connection_id is not None else {}),
            **self.first.facts,
            **({"cause": self._causes_in_words()} if any(self.causes) else {}),
            **({"count": self.count, "lastTime": _iso(self.last_at)} if self.first.kind.is_counted else {}),
        }

    def _causes_in_words(self) -> str:
        if len(self.causes) == 1:
            return next(iter(self.causes))
        return ", ".join(f"{cause} ({_times(count)})" for cause, count in self.causes.most_common())


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _times(count: int) -> str:
    return "1 time" if count == 1 else f"{count} times"


def advise(occurrence: Occurrence) -> str:
    """Return what to do about a connection that closes, by the cause's first word."""
    if occurrence.kind is not Kind.CONNECTION_CLOSING:
        return ""
    return ADVICE.get(occurrence.cause.partition(":")[0], _LOOK)


_OUTCOMES: Mapping[Outcome, Kind] = {
    Outcome.LOST: Kind.MESSAGE_LOST,
    Outcome.REJECTED: Kind.MESSAGE_REJECTED,
    Outcome.EXPIRED: Kind.MESSAGE_EXPIRED,
    Outcome.FAILED: Kind.MESSAGE_FAILED,
}


def of_outcome(connection_id: int, outcome: Outcome, reason: str, at: datetime) -> Occurrence | None:
    """Return what the operator is told of a message's outcome; None where that is nothing."""
    kind = _OUTCOMES.get(outcome)
    return None if kind is None else Occurrence(kind, at, connection_id, reason)


def of_report(connection_id: int, report: Report, state: State, at: datetime) -> Occurrence:
    """Return what the operator is told of a connection's state."""
    if report.status is Status.OPENED:
        kind = Kind.CONNECTION_OPENED
    elif state.status in WAITING and state.retry_at is None:
        kind = Kind.CONNECTION_GAVE_UP
    elif report.status is Status.AUTHENTICATION_FAILED:
        kind = Kind.CONNECTION_AUTHENTICATION_FAILED
    else:
        kind = Kind.CONNECTION_CLOSING
    return Occurrence(kind, at, connection_id, report.reason)
