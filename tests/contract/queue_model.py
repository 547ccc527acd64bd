"""The queue as a few dictionaries: what every implementation must agree with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from longwire.core.delivery import DEAD_LETTERS, Attempt, Outcome, Settlement, Trigger, Waiting
from longwire.core.message import Message
from longwire.storage.queue_sql import Put

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Served:
    """A connection: how many messages it may have in flight, and whether it was sending."""

    max_in_flight: int
    opened: bool


@dataclass(slots=True)
class Expected:
    """One message on one connection; `step` says in which step of the test it was put, or replayed.

    Its backlog's retention counts `waits_since` then.
    """

    waiting: Waiting
    connection_id: int | None
    body: bytes
    waits_since: datetime
    step: int
    is_replayed: bool = False
    outcome: Outcome = Outcome.QUEUED
    settled_at: datetime | None = None
    attempts: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class QueueModel:
    """What was put and what became of it, by delivery id."""

    deliveries: dict[int, Expected] = field(default_factory=dict)
    served: dict[int, Served] = field(default_factory=dict)
    seen: dict[bytes, datetime] = field(default_factory=dict)

    def is_repeat(self, message: Message) -> bool:
        seen_at = self.seen.get(message.fingerprint)
        return seen_at is not None and message.received_at - seen_at < HOUR

    def add(self, put: Put, waiting: Waiting, connection_id: int | None, step: int) -> None:
        """Take in what was put, under the id the queue gave it."""
        each = put.message
        expected = Expected(waiting, connection_id, each.body, each.received_at, step)
        self.deliveries[waiting.delivery_id] = expected
        self.seen[each.fingerprint] = each.received_at
        if connection_id is None:
            self._end(expected, Outcome.FILTERED, each.received_at)
        elif connection_id in put.expired:
            self._end(expected, Outcome.EXPIRED, each.received_at)
        elif connection_id not in self.served:
            self._end(expected, Outcome.DISCARDED, each.received_at)

    def of(self, *outcomes: Outcome) -> list[int]:
        """Return the ids of the deliveries with one of the outcomes."""
        return [i for i, each in self.deliveries.items() if each.outcome in outcomes]

    def waiting_on(self, connection_id: int) -> list[Waiting]:
        """Return what waits on a connection, oldest first."""
        found = [
            each.waiting
            for each in self.deliveries.values()
            if each.outcome is Outcome.QUEUED and each.connection_id == connection_id
        ]
        return sorted(found, key=lambda waiting: waiting.position)

    def settle(self, settlement: Settlement) -> None:
        """Every attempt counts; an outcome is final unless what came late knows better."""
        expected = self.deliveries[settlement.delivery_id]
        for attempt in settlement.attempts:
            self._count(expected, attempt)
        expected.waiting = replace(expected.waiting, resends=settlement.resends)
        if settlement.outcome is not Outcome.QUEUED:
            self._end(expected, settlement.outcome, settlement.at)
        elif expected.outcome is Outcome.QUEUED:
            expected.waiting = replace(expected.waiting, not_before=settlement.not_before)

    def replay(self, delivery_id: int, position: int, step: int, now: datetime) -> None:
        """It waits again, as if it had just come, at a place behind everything."""
        expected = self.deliveries[delivery_id]
        expected.outcome, expected.settled_at = Outcome.QUEUED, None
        expected.waits_since, expected.step, expected.is_replayed = now, step, True
        expected.waiting = replace(
            expected.waiting,
            position=position,
            aged_from=now,
            resends=0,
            not_before=None,
            replayed_after=expected.waiting.attempt_count,
        )

    def delete_connection(self, connection_id: int, now: datetime) -> None:
        del self.served[connection_id]
        for waiting in self.waiting_on(connection_id):
            self._end(self.deliveries[waiting.delivery_id], Outcome.DISCARDED, now)

    def purge(self, now: datetime) -> None:
        """Forget what is past its retention, expire what waited for more than seven days."""
        kept_for = dict.fromkeys((*DEAD_LETTERS, Outcome.FILTERED), 30 * 24 * HOUR)
        kept_for[Outcome.DELIVERED] = 24 * HOUR
        for delivery_id, expected in list(self.deliveries.items()):
            if expected.settled_at is None:
                if now - expected.waits_since > 7 * 24 * HOUR:
                    self._end(expected, Outcome.EXPIRED, now)
            elif now - expected.settled_at > kept_for[expected.outcome]:
                del self.deliveries[delivery_id]

    def mark_possibly_sent(self, now: datetime) -> int:
        """Add the `unknown` attempts of a recovery; return how many."""
        marked = [waiting for each in self.served for waiting in self._possibly_sent(each, now)]
        for waiting in marked:
            expected = self.deliveries[waiting.delivery_id]
            number = waiting.attempt_count + 1
            self._count(expected, Attempt(number, now, Trigger.UNKNOWN, timedelta(0), 1))
        return len(marked)

    def _possibly_sent(self, connection_id: int, now: datetime) -> Iterator[Waiting]:
        """Yield the first of each device, up to the last that may have been in flight."""
        served = self.served[connection_id]
        if not served.opened:
            return
        heads: dict[str, Waiting] = {}
        for waiting in self.waiting_on(connection_id):
            heads.setdefault(waiting.order_key, waiting)
        sendable = [each.position for each in heads.values() if each.not_before is None]
        last = sendable[: served.max_in_flight][-1] if len(sendable) >= served.max_in_flight else None
        for waiting in heads.values():
            is_due = waiting.not_before is None or waiting.not_before <= now
            if is_due and (last is None or waiting.position <= last):
                yield waiting

    @staticmethod
    def _count(expected: Expected, attempt: Attempt) -> None:
        expected.attempts += ((attempt.number, attempt.trigger.value),)
        expected.waiting = replace(
            expected.waiting,
            attempt_count=expected.waiting.attempt_count + 1,
        )

    @staticmethod
    def _end(expected: Expected, outcome: Outcome, at: datetime) -> None:
        expected.outcome = outcome
        expected.settled_at = at
