"""Connections as stored: documents with their secrets sealed, each revision kept for the log."""

import asyncio
import dataclasses
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.access import Author, Right
from longwire.core.change import Change, differences
from longwire.core.configuration import Connection, Run, map_secrets, mask, parse_connection, to_document
from longwire.core.connection_state import Status
from longwire.core.errors import Conflict, NotFound
from longwire.core.event import Kind, Occurrence
from longwire.core.kept_secrets import check_kept_secrets
from longwire.storage import devices, downlinks, flows, queue_sql, waiting
from longwire.storage.audit import record
from longwire.storage.connection_search import (
    STATE_COLUMNS,
    ConnectionFilter,
    all_newest,
    count_states,
    find_connections,
)
from longwire.storage.database import Database
from longwire.storage.edit import Edit, check_revision
from longwire.storage.micros import MICROSECOND, from_micros, to_micros
from longwire.storage.page import Page
from longwire.storage.schema import connection as table
from longwire.storage.schema import connection_revision, connection_state
from longwire.storage.secrets import Sealer

MAX_CONNECTIONS = 10_000
DEBUG_FOR = timedelta(days=2)
_DEBUG = DEBUG_FOR // MICROSECOND


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """A connection and what Longwire adds to it; `downlink_uuid` is a capability: whoever has it may send."""

    id: int
    revision: int
    connection: Connection
    downlink_uuid: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A connection as the API shows it: the document with its secrets masked, and the lane's state."""

    id: int
    revision: int
    document: Mapping[str, Any]
    active: bool
    downlink_uuid: str
    created_at: datetime
    updated_at: datetime
    debug_until: datetime | None
    state: Mapping[str, Any]


class Configurations:
    """Reads and saves connections.

    Once a change is durable, `announce` is called with the connection's id, `tell` with what the operator shall know of
    it, and `forget` with the id of a connection that is gone: what is still led to it is DISCARDED.
    """

    def __init__(self, database: Database, sealer: Sealer, now: Callable[[], datetime]) -> None:
        """Announce to nobody until `announce` is set."""
        self._database = database
        self._sealer = sealer
        self._now = now
        self._editing = asyncio.Lock()
        # How old a message may be that arrives for a connection; for those that say so.
        self.validities: dict[int, timedelta] = {}
        self.announce: Callable[[int], None] = lambda _connection_id: None
        self.forget: Callable[[int], None] = lambda _connection_id: None
        self.tell: Callable[[Occurrence], None] = lambda _occurrence: None

    async def load_validities(self) -> None:
        """Read how old messages may be: at the start; every change keeps it up to date."""
        rows = await self._database.read(lambda sql: sql.execute(all_newest()).all())
        for row in rows:
            if "uplinkTimeValidity" in row.document:
                self._remember(row.id, parse_connection(self._opened(row.id, row.document)))

    async def create(self, connection: Connection, by: Author | None = None) -> int:
        """Return the id of the new connection; raises Conflict at the limit of 10,000."""
        downlink_uuid = str(uuid.uuid4())
        connection_id = await self._database.write(
            lambda sql: self._insert(sql, connection, downlink_uuid, by)
        )
        self._remember(connection_id, connection)
        self._tell(Kind.CONNECTION_CREATED, connection_id)
        self.announce(connection_id)
        return connection_id

    async def replace(
        self,
        connection_id: int,
        edit: Edit,
        check: Callable[[Connection], Awaitable[None]],
        expected: Collection[int] | None = None,
        by: Author | None = None,
    ) -> None:
        """Save what `edit` makes of the stored document as the next revision; masked secrets keep their value.

        `check` may still refuse it by raising. Raises NotFound, Stale when the revision is none of those expected,
        and what parse_connection and, for who is no Owner, check_kept_secrets raise.
        """
        async with self._editing:
            stored = await self.load(connection_id)
            check_revision(stored.revision, expected)
            document = edit(mask(to_document(stored.connection)))
            connection = parse_connection(document, stored.connection)
            if by is not None and not by.identity.may(Right.OWN):
                check_kept_secrets(document, stored.connection, connection)
            await check(connection)
            await self._database.write(lambda sql: self._update(sql, stored, connection, by))
            self._remember(connection_id, connection)
        self._tell(_change(stored.connection, connection), connection_id)
        self.announce(connection_id)

    async def delete(
        self,
        connection_id: int,
        expected: Collection[int] | None = None,
        by: Author | None = None,
        *,
        keep_backlog: bool,
    ) -> None:
        """Delete a connection: its backlog becomes DISCARDED, flows forget it.

        Raises NotFound; Stale as `replace`; or Conflict when the backlog is to be kept and there is one.
        """
        async with self._editing:
            stored = await self.load(connection_id)
            check_revision(stored.revision, expected)
            await self._database.write(lambda sql: self._delete(sql, stored, by, keep_backlog=keep_backlog))
            self.validities.pop(connection_id, None)
            self.forget(connection_id)
        self.announce(connection_id)
        discarded = await queue_sql.discard_backlog(self._database, connection_id, self._now)
        self._tell(Kind.CONNECTION_DELETED, connection_id, discarded=discarded)

    async def load(self, connection_id: int) -> StoredConnection:
        """Return a connection with its secrets opened; raises NotFound."""
        row = await self._database.read(lambda sql: sql.execute(_newest(connection_id)).first())
        if row is None:
            raise NotFound("there is no such connection")
        document = self._opened(connection_id, row.document)
        return StoredConnection(
            connection_id, row.revision, parse_connection(document), self._open_uuid(connection_id, row)
        )

    async def load_to_run(self, connection_id: int) -> StoredConnection:
        """Return a connection whose lane begins now: from here on its revision may have messages in flight.

        That is durable when this returns (storage/recovery reads it). Raises NotFound.
        """
        while True:
            stored = await self.load(connection_id)
            is_newest = (table.c.id == connection_id) & (table.c.revision == stored.revision)
            note = sa.update(table).where(is_newest).values(running=stored.revision)
            if await self._database.write(lambda sql, note=note: sql.execute(note).rowcount):  # type: ignore[misc]
                return stored

    async def load_revision(self, connection_id: int, revision: int) -> Connection | None:
        """Return a connection as it was, its secrets opened; None when it is no longer kept."""
        query = sa.select(connection_revision.c.document).where(
            connection_revision.c.connection_id == connection_id, connection_revision.c.revision == revision
        )
        text = await self._database.read(lambda sql: sql.scalar(query))
        return None if text is None else parse_connection(self._opened(connection_id, text))

    async def search(self, wanted: ConnectionFilter, page: Page) -> tuple[int, list[Listed]]:
        """Return how many connections match, and a page of them, newest first."""
        total, rows = await self._database.read(lambda sql: find_connections(sql, wanted, page))
        return total, [self._listed(row) for row in rows]

    async def count_states(self) -> dict[Status, int]:
        """Return how many connections are in each state that any is in."""
        return await self._database.read(count_states)

    async def list(self, connection_ids: Iterable[int] | None = None) -> list[Listed]:
        """Return connections as the API shows them, newest first: all of them, or those with the given ids."""
        query = all_newest()
        if connection_ids is not None:
            query = query.where(table.c.id.in_(list(connection_ids)))
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        return [self._listed(row) for row in rows]

    async def restart(self, connection_id: int, by: Author | None = None) -> None:
        """Record that a connection shall reconnect at once; raises NotFound."""
        await self._database.write(lambda sql: _command(sql, connection_id, "restart", by))
        self._tell(Kind.CONNECTION_RESTARTED, connection_id)
        self.announce(connection_id)

    async def rotate_downlink(self, connection_id: int, by: Author | None = None) -> None:
        """Give a connection another downlink address, which its messages carry from now on; raises NotFound."""
        downlink_uuid = str(uuid.uuid4())
        sealed = self._sealer.seal(downlink_uuid, _place(connection_id, "downlink_uuid"))
        values = {"downlink_uuid": sealed, "downlink_uuid_hash": _hash(downlink_uuid)}
        await self._database.write(
            lambda sql: _command(sql, connection_id, "rotateDownlinkUrl", by, **values)
        )
        self.announce(connection_id)

    async def end_debug(self) -> None:
        """Turn debug off where it has been on for 2 days."""
        query = sa.select(table.c.id).where(table.c.debug_until <= to_micros(self._now()))
        for connection_id in await self._database.read(lambda sql: sql.scalars(query).all()):
            async with self._editing:
                try:
                    stored = await self.load(connection_id)
                except NotFound:
                    continue
                quiet = dataclasses.replace(stored.connection, debug=False)
                await self._database.write(lambda sql, s=stored, q=quiet: self._update(sql, s, q, None))  # type: ignore[misc]
            self._tell(Kind.DEBUG_ENDED, connection_id)
            self.announce(connection_id)

    async def active_runs(self, connection_ids: Collection[int] | None = None) -> dict[int, Run]:
        """Return what shall run of every active connection, or of those of them that are named."""
        query = sa.select(table.c.id, table.c.revision, table.c.restarts).where(table.c.active)
        if connection_ids is not None:
            query = query.where(table.c.id.in_(connection_ids))
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        return {row.id: Run(row.revision, row.restarts) for row in rows}

    async def open_downlink(self, downlink_uuid: str) -> int:
        """Return the id of the connection a downlink address belongs to; raises NotFound."""
        query = sa.select(table.c.id).where(table.c.downlink_uuid_hash == _hash(downlink_uuid))
        connection_id: int | None = await self._database.read(lambda sql: sql.scalar(query))
        if connection_id is None:
            raise NotFound("there is no such downlink address")
        return connection_id

    def _delete(self, sql: Sql, stored: StoredConnection, by: Author | None, *, keep_backlog: bool) -> None:
        _delete_rows(sql, stored, by, keep_backlog=keep_backlog)
        downlinks.end_for_connection(sql, stored.id, to_micros(self._now()))

    def _tell(self, kind: Kind, connection_id: int, **facts: int) -> None:
        self.tell(Occurrence(kind, self._now(), connection_id, facts=facts))

    def _remember(self, connection_id: int, connection: Connection) -> None:
        validity = connection.configuration.uplink_time_validity
        if validity is None:
            self.validities.pop(connection_id, None)
        else:
            self.validities[connection_id] = validity.age

    def _insert(self, sql: Sql, connection: Connection, downlink_uuid: str, by: Author | None) -> int:
        if (sql.scalar(sa.select(sa.func.count()).select_from(table)) or 0) >= MAX_CONNECTIONS:
            raise Conflict(f"there are {MAX_CONNECTIONS} connections already, which is the limit")
        now = to_micros(self._now())
        values = {
            "revision": 1,
            "active": connection.active,
            "debug_until": now + _DEBUG if connection.debug else None,
            "downlink_uuid": "",
            "downlink_uuid_hash": _hash(downlink_uuid),
            "created_at": now,
            "updated_at": now,
        }
        key = sql.execute(sa.insert(table).values(values)).inserted_primary_key
        connection_id: int = key[0] if key else 0
        sealed = self._sealer.seal(downlink_uuid, _place(connection_id, "downlink_uuid"))
        sql.execute(sa.update(table).where(table.c.id == connection_id).values(downlink_uuid=sealed))
        self._insert_revision(sql, connection_id, 1, connection)
        made = differences({}, to_document(connection), mask)
        record(sql, by, Change("create", _RESOURCE, str(connection_id), made))
        return connection_id

    def _update(self, sql: Sql, stored: StoredConnection, connection: Connection, by: Author | None) -> None:
        revision = stored.revision + 1
        values: dict[str, int | None] = {
            "revision": revision,
            "active": connection.active,
            "updated_at": to_micros(self._now()),
        }
        if stored.connection.debug != connection.debug:
            values["debug_until"] = to_micros(self._now()) + _DEBUG if connection.debug else None
        if sql.execute(sa.update(table).where(table.c.id == stored.id).values(values)).rowcount == 0:
            raise NotFound("there is no such connection")
        self._insert_revision(sql, stored.id, revision, connection)
        changed = differences(to_document(stored.connection), to_document(connection), mask)
        record(sql, by, Change("update", _RESOURCE, str(stored.id), changed))

    def _insert_revision(self, sql: Sql, connection_id: int, revision: int, connection: Connection) -> None:
        sealed = map_secrets(
            to_document(connection),
            lambda path, value: self._sealer.seal(value, _place(connection_id, path)),
        )
        sql.execute(
            sa.insert(connection_revision).values(
                connection_id=connection_id, revision=revision, document=msgspec.json.encode(sealed).decode()
            )
        )

    def _opened(self, connection_id: int, document: str) -> dict[str, Any]:
        return map_secrets(
            msgspec.json.decode(document),
            lambda path, value: self._sealer.open(value, _place(connection_id, path)),
        )

    def _open_uuid(self, connection_id: int, row: Row[Any]) -> str:
        return self._sealer.open(row.downlink_uuid, _place(connection_id, "downlink_uuid"))

    def _listed(self, row: Row[Any]) -> Listed:
        return Listed(
            id=row.id,
            revision=row.revision,
            document=mask(msgspec.json.decode(row.document)),
            active=row.active,
            downlink_uuid=self._open_uuid(row.id, row),
            created_at=from_micros(row.created_at),
            updated_at=from_micros(row.updated_at),
            debug_until=from_micros(row.debug_until),
            state={name: getattr(row, name) for name in STATE_COLUMNS},
        )


_RESOURCE = "connections"


def _change(before: Connection, after: Connection) -> Kind:
    """Return what the operator is told of a change."""
    if before.active == after.active:
        return Kind.CONNECTION_UPDATED
    return Kind.CONNECTION_ACTIVATED if after.active else Kind.CONNECTION_DEACTIVATED


def _newest(connection_id: int) -> sa.Select[Any]:
    return all_newest().where(table.c.id == connection_id)


def _command(sql: Sql, connection_id: int, action: str, by: Author | None, **values: Any) -> None:
    """Let the lane begin anew, with these values."""
    change = sa.update(table).where(table.c.id == connection_id)
    if sql.execute(change.values(**values, restarts=table.c.restarts + 1)).rowcount == 0:
        raise NotFound("there is no such connection")
    record(sql, by, Change(action, _RESOURCE, str(connection_id)))


def _delete_rows(sql: Sql, stored: StoredConnection, by: Author | None, *, keep_backlog: bool) -> None:
    connection_id = stored.id
    if keep_backlog and waiting.count_waiting(sql, [connection_id]):
        raise Conflict("messages wait on this connection; without backlog=keep they would be discarded")
    if sql.execute(sa.delete(table).where(table.c.id == connection_id)).rowcount == 0:
        raise NotFound("there is no such connection")
    sql.execute(sa.delete(connection_state).where(connection_state.c.connection_id == connection_id))
    flows.detach_connection(sql, connection_id)
    devices.detach_connection(sql, connection_id)
    gone = differences(to_document(stored.connection), {}, mask)
    record(sql, by, Change("delete", _RESOURCE, str(connection_id), gone))


def _place(connection_id: int, path: str) -> str:
    return f"connection/{connection_id}/{path}"


def _hash(downlink_uuid: str) -> bytes:
    return hashlib.sha256(downlink_uuid.encode()).digest()
