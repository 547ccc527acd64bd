"""Sees what becomes of every message, and keeps of it what the operator shall know; never waits, never fails."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from longwire.core.delivery import Outcome, Settlement, Waiting
from longwire.core.event import Kind, Occurrence, of_outcome
from longwire.storage.events import Events
from longwire.storage.purge import OVERDUE
from longwire.storage.queue_sql import TOO_OLD, Accepted, Put
from longwire.storage.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Witness:
    """Where what was seen is kept."""

    events: Events
    traffic: Traffic
    now: Callable[[], datetime]

    def saw_put(self, put: Put, accepted: Accepted) -> None:
        """See a message that arrived and is durable."""
        message = put.message
        if accepted.is_repeat:
            return
        if not put.connection_ids:
            sender = (
                f"gateway {message.order_key}" if message.dev_eui is None else f"device {message.dev_eui}"
            )
            self.events.tell(Occurrence(Kind.MESSAGE_UNROUTED, message.received_at, cause=sender))
        for connection_id in put.expired:
            self._saw_outcome(connection_id, Outcome.EXPIRED, TOO_OLD, message.received_at)
            self.traffic.saw(connection_id, message.order_key, message.received_at)

    def saw_settled(self, connection_id: int, waiting: Waiting, settlement: Settlement) -> None:
        """See what a visit did to a message, once that is durable."""
        if settlement.outcome is not Outcome.QUEUED:
            self._saw_outcome(connection_id, settlement.outcome, settlement.reason, settlement.at)
            self.traffic.saw(connection_id, waiting.order_key, settlement.at)

    def saw_expired(self, expired: Mapping[int, int]) -> None:
        """See how many messages of which connections had waited too long."""
        now = self.now()
        for connection_id, count in expired.items():
            self.events.tell(Occurrence(Kind.MESSAGE_EXPIRED, now, connection_id, OVERDUE, count=count))
            self.traffic.count(connection_id, Outcome.EXPIRED, now, count)

    def saw_unclean_end(self, marked: int) -> None:
        """See that Longwire was killed, and how many messages may have been sent without a record."""
        self.events.tell(Occurrence(Kind.UNCLEAN_END, self.now(), facts={"marked": marked}))

    def saw_trouble(self, cause: str) -> None:
        """See that the store could not be written."""
        self.events.tell(Occurrence(Kind.STORAGE_FAILED, self.now(), cause=cause))

    def _saw_outcome(self, connection_id: int, outcome: Outcome, reason: str, at: datetime) -> None:
        self.traffic.count(connection_id, outcome, at)
        occurrence = of_outcome(connection_id, outcome, reason, at)
        if occurrence is not None:
            self.events.tell(occurrence)
