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

from longwire.core.connection_state import Report, State, Status

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
_ADVICE: Mapping[str, str] = {
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
                "times": "once" if self.count == 1 else f"{self.count} times",
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
            **({"count": self.count} if self.first.kind.is_counted else {}),
        }

    def _causes_in_words(self) -> str:
        if len(self.causes) == 1:
            return next(iter(self.causes))
        return ", ".join(f"{cause} ({count} times)" for cause, count in self.causes.most_common())


def advise(occurrence: Occurrence) -> str:
    """Return what to do about a connection that closes, by the cause's first word."""
    if occurrence.kind is not Kind.CONNECTION_CLOSING:
        return ""
    return _ADVICE.get(occurrence.cause.partition(":")[0], _LOOK)


def of_report(connection_id: int, report: Report, state: State, at: datetime) -> Occurrence:
    """Return what the operator is told of a connection's state."""
    if report.status is Status.OPENED:
        kind = Kind.CONNECTION_OPENED
    elif report.status is Status.AUTHENTICATION_FAILED:
        kind = Kind.CONNECTION_AUTHENTICATION_FAILED
    elif state.status is Status.CLOSED and state.retry_at is None:
        kind = Kind.CONNECTION_GAVE_UP
    else:
        kind = Kind.CONNECTION_CLOSING
    return Occurrence(kind, at, connection_id, report.reason)
