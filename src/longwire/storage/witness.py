"""Sees what becomes of every message, and keeps of it what the operator shall know; never waits, never fails."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from longwire.core.delivery import Outcome, Settlement, Waiting
from longwire.core.event import Kind, Occurrence, of_outcome
from longwire.core.meters import Meters
from longwire.storage.events import Events
from longwire.storage.purge import OVERDUE
from longwire.storage.queue_sql import NOT_REGISTERED, TOO_OLD, Accepted, Put
from longwire.storage.traffic import Traffic

_QUEUED, _DELIVERED = Outcome.QUEUED, Outcome.DELIVERED


@dataclass(frozen=True, slots=True)
class Witness:
    """Where what was seen is kept."""

    events: Events
    traffic: Traffic
    meters: Meters
    now: Callable[[], datetime]

    def saw_put(self, put: Put, accepted: Accepted) -> None:
        """See a message that arrived and is durable."""
        message = put.message
        if accepted.is_repeat:
            self.meters.repeated += 1
            return
        self.meters.received += 1
        if not put.connection_ids:
            self.meters.unrouted += 1
            sender = (
                f"gateway {message.order_key}" if message.dev_eui is None else f"device {message.dev_eui}"
            )
            is_known = put.unrouted != NOT_REGISTERED
            kind = Kind.MESSAGE_UNROUTED if is_known else Kind.DEVICE_UNREGISTERED
            self.events.tell(Occurrence(kind, message.received_at, cause=sender))
        for connection_id in put.expired:
            self._saw_end(connection_id, message.order_key, Outcome.EXPIRED, message.received_at)
            self._tell(connection_id, Outcome.EXPIRED, TOO_OLD, message.received_at)

    def saw_settled(self, connection_id: int, waiting: Waiting, settlement: Settlement) -> None:
        """See what a visit did to a message, once that is durable."""
        for attempt in settlement.attempts:
            self.meters.count_attempt(attempt)
        outcome, at = settlement.outcome, settlement.at
        if outcome is _QUEUED:
            return
        self._saw_end(connection_id, waiting.order_key, outcome, at)
        if outcome is not _DELIVERED:
            self._tell(connection_id, outcome, settlement.reason, at)
        elif waiting.replayed_after is None:
            # What is replayed was on the way for as long as somebody thought about it.
            self.meters.delivered_seconds.observe((at - waiting.received_at).total_seconds())

    def saw_expired(self, expired: Mapping[int, int]) -> None:
        """See how many messages of which connections had waited too long."""
        now = self.now()
        for connection_id, count in expired.items():
            self.events.tell(Occurrence(Kind.MESSAGE_EXPIRED, now, connection_id, OVERDUE, count=count))
            self.traffic.tally(connection_id, now).add(Outcome.EXPIRED, count)

    def saw_unclean_end(self, marked: int) -> None:
        """See that Longwire was killed, and how many messages may have been sent without a record."""
        self.events.tell(Occurrence(Kind.UNCLEAN_END, self.now(), facts={"marked": marked}))

    def saw_commit(self, seconds: float, cause: str | None) -> None:
        """See that a batch was written, or why it could not be."""
        if cause is None:
            self.meters.commit_seconds.observe(seconds)
        else:
            self.meters.failed_commits += 1
            self.events.tell(Occurrence(Kind.STORAGE_FAILED, self.now(), cause=cause))

    def _saw_end(self, connection_id: int, order_key: str, outcome: Outcome, at: datetime) -> None:
        tally = self.traffic.tally(connection_id, at)
        tally.add(outcome)
        tally.senders.add(order_key)

    def _tell(self, connection_id: int, outcome: Outcome, reason: str, at: datetime) -> None:
        occurrence = of_outcome(connection_id, outcome, reason, at)
        if occurrence is not None:
            self.events.tell(occurrence)
