"""The queue: messages and their deliveries, put, read ahead in order, and settled; every write durable.

The contract, for every implementation: `put` returns when the message is on disk; positions on one connection grow
in the order of durable commits; a delivery leaves the queue only with its outcome and its attempts, in one commit.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.delivery import (
    Outcome,
    Settlement,
    Waiting,
)
from longwire.core.message import Message
from longwire.core.window import ReadDevice, ReadPage
from longwire.storage.database import Database
from longwire.storage.micros import MICROSECOND, to_micros
from longwire.storage.rows import find_any, write_rows
from longwire.storage.schema import delivery, message, setting
from longwire.storage.settling import settle_batch
from longwire.storage.waiting import as_waiting, load_bodies, waiting_in_order

DEDUPE_FOR = timedelta(hours=1)
_HOUR = timedelta(hours=1) // MICROSECOND
# The longest visit, with two attempts of 60 s and a wait for the store: what was taken out of the queue may be in it.
MAY_BE_IN_FLIGHT_FOR = timedelta(seconds=150)
_SLICE = 1000
LAST_ID = "last_id"
TOO_OLD = "older than uplinkTimeValidity of the connection or its flow"
NO_ROUTE = "no flow routes this device to a connection"
NOT_REGISTERED = "the device is not registered, and its network server has autoRegisterDevices: false"
CONNECTION_DELETED = "the connection was deleted"

_INSERT_MESSAGE = (
    "INSERT INTO message (id, network_server_id, root, dev_eui, f_cnt, received_at, body) VALUES {rows}"
)
_INSERT_DELIVERY = (
    "INSERT INTO delivery (id, message_id, connection_id, order_key, position, received_at, aged_from, expires_at,"
    " outcome, reason, settled_at, attempt_count, resends) VALUES {rows}"
)
_FIND_SEEN = "SELECT fingerprint FROM seen WHERE fingerprint IN ({values}) AND hour IN (?,?) AND at > ?"
_FIND_CONNECTIONS = "SELECT id FROM connection WHERE id IN ({values})"
_INSERT_SEEN = "INSERT OR REPLACE INTO seen (hour, fingerprint, at) VALUES {rows}"

_QUEUED = (Outcome.QUEUED.value, "", None)

_AHEAD = (
    waiting_in_order(sa.bindparam("connection_id"))
    .where(delivery.c.position > sa.bindparam("behind"))
    .limit(sa.bindparam("most"))
)
_AHEAD_OF_DEVICE = _AHEAD.where(
    delivery.c.order_key == sa.bindparam("order_key"), delivery.c.position <= sa.bindparam("up_to")
)


class Put(msgspec.Struct, frozen=True):
    """A message and the connections it goes to; none: it is kept in the log as FILTERED, `unrouted` says why.

    For the connections in `expired` it is too old already: EXPIRED. `expires_at` says for which connections it will
    be, and when, because of the flow that leads there.
    """

    message: Message
    connection_ids: tuple[int, ...]
    expired: frozenset[int] = frozenset()
    expires_at: Mapping[int, datetime] = msgspec.field(default_factory=dict)
    unrouted: str = NO_ROUTE


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is durable: its id, and which connections got it; a repeat has no id and went nowhere again."""

    connection_ids: tuple[int, ...]
    is_repeat: bool = False
    message_id: int = field(default=0, compare=False)


class Placed(msgspec.Struct, frozen=True):
    """A delivery that has become durable: as its lane sees it, its body, and the position put before it there.

    `after` is 0 for the first one of a run.
    """

    waiting: Waiting
    body: bytes
    after: int


class _Written(msgspec.Struct, frozen=True):
    """What a put has led to: the answer, and what the lanes are handed."""

    accepted: Accepted
    placed: Sequence[tuple[int, Placed]] = ()


@dataclass(frozen=True, slots=True)
class Requeued:
    """Stored deliveries wait again, behind what waits: which, and on which connections."""

    delivery_ids: tuple[int, ...]
    connection_ids: frozenset[int]


TakePosition = Callable[[], int]
Requeue = Callable[[Sql, TakePosition], Requeued]


class Queue:
    """The queue in the database's tables; `open` gives it the ids that are free."""

    def __init__(self, database: Database, store_id: str) -> None:
        """Nothing can be put before `open`."""
        self._database = database
        self._store_id = store_id
        self._next_id = 1
        self._last_positions: dict[int, int] = {}
        self._unsettled: set[int] = set()
        self._listeners: dict[int, Callable[[Placed | None], None]] = {}

    async def open(self) -> None:
        """Find the first free id: ids are never given twice, even when the newest rows were purged."""
        self._next_id = 1 + await self._database.read(highest_id)

    def webhook_id(self, delivery_id: int) -> str:
        """Return the id every attempt of a delivery carries: stable, and unique among all stores."""
        return f"msg_{self._store_id}_{delivery_id}"

    def listen(self, connection_id: int, callback: Callable[[Placed | None], None]) -> None:
        """Hand over, in the event loop and in the order of positions, what is put for the connection.

        None: what waits was changed on disk and has to be read.
        """
        self._listeners[connection_id] = callback

    def unlisten(self, connection_id: int) -> None:
        """Stop calling back."""
        self._listeners.pop(connection_id, None)

    async def put(self, item: Put) -> Accepted:
        """Return when the message is on disk. Raises StorageUnavailable: then nothing was kept.

        The lanes are handed it even when the caller has gone meanwhile.
        """
        written: _Written = await self._database.submit(self._put_batch, item, self._hand_over)
        return written.accepted

    async def requeue(self, change: Requeue) -> Requeued:
        """Return when a change that lets stored deliveries wait again is on disk; their lanes read them from there.

        The change runs in the writer, perhaps twice; it gives each delivery a position it takes, so that nothing
        overtakes. Raises what the change raises, and StorageUnavailable.
        """
        requeued: Requeued = await self._database.submit(
            self._requeue_batch, change, lambda each: self.reread(each.connection_ids)
        )
        return requeued

    async def settle(self, settlement: Settlement) -> None:
        """Return when outcome and attempts are on disk, together; raises StorageUnavailable."""
        self._unsettled.add(settlement.delivery_id)
        # Nobody outside waits for a record; the device and the slot that do can wait a little.
        await self._database.submit(settle_batch, settlement, is_patient=True)
        self._unsettled.discard(settlement.delivery_id)

    @property
    def is_settled(self) -> bool:
        """Return whether everything that was to be settled is on disk."""
        return not self._unsettled

    async def read_ahead(self, connection_id: int, read: ReadPage | ReadDevice) -> list[Waiting]:
        """Return what waits on a connection, in order, as far as the read asks."""
        given: dict[str, Any] = {"connection_id": connection_id, "behind": read.after, "most": read.limit}
        query = _AHEAD
        if isinstance(read, ReadDevice):
            query = _AHEAD_OF_DEVICE
            given |= {"order_key": read.order_key, "up_to": read.up_to}
        rows = await self._database.read(lambda sql: sql.execute(query, given).all())
        return [as_waiting(row) for row in rows]

    async def load_bodies(self, places: Mapping[int, int], max_bytes: int) -> dict[int, bytes | None]:
        """Return the bodies of the first of those deliveries, up to `max_bytes` together, but one at least.

        `places` maps a delivery to its position. None for one that does not wait there any more.
        """
        return await self._database.read(lambda sql: load_bodies(sql, places, max_bytes))

    def reread(self, connection_ids: Iterable[int]) -> None:
        """Tell the lanes that what waits was changed on disk: something was placed behind it, or taken out."""
        for connection_id in connection_ids:
            if callback := self._listeners.get(connection_id):
                callback(None)

    def _requeue_batch(self, sql: Sql, changes: Sequence[Requeue]) -> list[Requeued]:
        """Run the changes in the writer; a lane sees by the link of the next put that it has missed them."""
        requeued = [change(sql, self._take_id) for change in changes]
        for each in requeued:
            self._last_positions |= dict.fromkeys(each.connection_ids, self._next_id - 1)
        return requeued

    def _hand_over(self, written: _Written) -> None:
        for connection_id, placed in written.placed:
            if callback := self._listeners.get(connection_id):
                callback(placed)

    def _put_batch(self, sql: Sql, puts: Sequence[Put]) -> list[_Written]:
        """Write messages, their deliveries and fingerprints; runs in the writer."""
        known = _seen_fingerprints(sql, puts)
        live = _live_connections(sql, puts)
        rows = _Rows()
        written: list[_Written] = []
        for put in puts:
            if put.message.fingerprint in known:
                written.append(_Written(Accepted((), is_repeat=True)))
                continue
            known.add(put.message.fingerprint)
            message_id = self._take_id()
            placed = self._add_rows(rows, put, live, message_id)
            written.append(_Written(Accepted(put.connection_ids, message_id=message_id), placed))
        rows.write(sql)
        return written

    def _add_rows(self, rows: "_Rows", put: Put, live: set[int], message_id: int) -> list[tuple[int, Placed]]:
        """Add a message's rows; return what its lanes are to be handed."""
        each = put.message
        at, aged_from = to_micros(each.received_at), to_micros(each.aged_from)
        rows.messages.append(
            (message_id, each.network_server_id, each.root, each.dev_eui, each.f_cnt, at, each.body)
        )
        rows.seen.append((at // _HOUR, each.fingerprint, at))
        placed: list[tuple[int, Placed]] = []
        for connection_id in put.connection_ids or (None,):
            state = _first_state(connection_id, put, live, at)
            delivery_id = self._take_id()
            place = (delivery_id, message_id, connection_id, each.order_key, delivery_id)
            expires_at = put.expires_at.get(connection_id) if connection_id is not None else None
            rows.deliveries.append((*place, at, aged_from, to_micros(expires_at), *state, 0, 0))
            if connection_id is not None and state == _QUEUED:
                waiting = Waiting(
                    delivery_id,
                    delivery_id,
                    each.order_key,
                    each.aged_from,
                    each.received_at,
                    expires_at=expires_at,
                )
                placed.append((connection_id, self._place(connection_id, waiting, each.body)))
        return placed

    def _place(self, connection_id: int, waiting: Waiting, body: bytes) -> Placed:
        """Return a delivery linked to the one before it: a lane sees by that whether it has missed something."""
        after = self._last_positions.get(connection_id, 0)
        self._last_positions[connection_id] = waiting.position
        return Placed(waiting, body, after)

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


class _Rows:
    """The rows of one batch, table by table."""

    def __init__(self) -> None:
        self.messages: list[tuple[Any, ...]] = []
        self.deliveries: list[tuple[Any, ...]] = []
        self.seen: list[tuple[Any, ...]] = []

    def write(self, sql: Sql) -> None:
        for statement, rows in (
            (_INSERT_MESSAGE, self.messages),
            (_INSERT_DELIVERY, self.deliveries),
            (_INSERT_SEEN, self.seen),
        ):
            write_rows(sql, statement, rows)


def _first_state(connection_id: int | None, put: Put, live: set[int], at: int) -> tuple[str, str, int | None]:
    """Return outcome, reason and settling time of a new delivery."""
    if connection_id in put.expired:
        return Outcome.EXPIRED.value, TOO_OLD, at
    if connection_id is None:
        return Outcome.FILTERED.value, put.unrouted, at
    if connection_id not in live:
        return Outcome.DISCARDED.value, CONNECTION_DELETED, at
    return _QUEUED


def _seen_fingerprints(sql: Sql, puts: Sequence[Put]) -> set[bytes]:
    """Return which fingerprints of the batch were put within the last hour."""
    newest = max(to_micros(put.message.received_at) for put in puts)
    hour = newest // _HOUR
    fingerprints = {put.message.fingerprint for put in puts}
    return find_any(sql, _FIND_SEEN, fingerprints, hour, hour - 1, newest - DEDUPE_FOR // MICROSECOND)


def _live_connections(sql: Sql, puts: Sequence[Put]) -> set[int]:
    wanted = {connection_id for put in puts for connection_id in put.connection_ids}
    return find_any(sql, _FIND_CONNECTIONS, wanted)


def highest_id(sql: Sql) -> int:
    """Return the highest id that was ever given to a message or a delivery."""
    floor = sql.scalar(sa.select(setting.c.value).where(setting.c.name == LAST_ID))
    highest = (sa.func.max(message.c.id), sa.func.max(delivery.c.id))
    found = [sql.scalar(sa.select(each)) or 0 for each in highest]
    waiting = (
        sql.scalar(sa.select(sa.func.max(delivery.c.position)).where(sa.text("outcome = 'QUEUED'"))) or 0
    )
    return max(int(floor or 0), waiting, *found)


async def discard_backlog(database: Database, connection_id: int, now: Callable[[], datetime]) -> int:
    """Make what waits on a deleted connection DISCARDED; return how many messages that were.

    In slices, so that the writer stays free for others.
    """
    discarded = 0
    changed = _SLICE
    while changed == _SLICE:
        changed = await database.write(lambda sql: _discard_slice(sql, connection_id, to_micros(now())))
        discarded += changed
    return discarded


def _discard_slice(sql: Sql, connection_id: int, at: int) -> int:
    ids = sql.scalars(waiting_in_order(connection_id).limit(_SLICE)).all()
    values = {"outcome": Outcome.DISCARDED.value, "reason": CONNECTION_DELETED, "settled_at": at}
    sql.execute(sa.update(delivery).where(delivery.c.id.in_(ids)).values(values))
    return len(ids)
