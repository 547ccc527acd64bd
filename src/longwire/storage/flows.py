"""Flows as stored, and the routes they make together."""

import asyncio
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.access import Author
from longwire.core.change import Change, differences
from longwire.core.errors import Conflict, InvalidInput, NotFound
from longwire.core.flow import Flow, parse_flow, to_document
from longwire.core.routing import Router
from longwire.storage.audit import record
from longwire.storage.database import Database
from longwire.storage.edit import Edit, check_revision
from longwire.storage.page import Page
from longwire.storage.schema import connection
from longwire.storage.schema import flow as table

_RESOURCE = "flows"


@dataclass(frozen=True, slots=True)
class StoredFlow:
    """A flow's document, and how often it was saved."""

    id: int
    revision: int
    document: Mapping[str, Any]


class Flows:
    """Reads and saves flows; `router` always knows the saved ones."""

    def __init__(self, database: Database) -> None:
        """Route nothing until `load`."""
        self._database = database
        self._editing = asyncio.Lock()
        self.router = Router()

    async def load(self) -> None:
        """Tell the router of every flow: at the start."""
        rows = await self._database.read(lambda sql: sql.execute(sa.select(table)).all())
        for row in rows:
            self.router.put(row.id, parse_flow(msgspec.json.decode(row.document)))

    async def create(self, flow: Flow, by: Author | None = None) -> int:
        """Return the id of the new flow.

        Raises InvalidInput for a connection that does not exist, Conflict when a flow names the same devices.
        """
        flow_id = await self._database.write(lambda sql: _insert(sql, flow, by))
        self.router.put(flow_id, flow)
        return flow_id

    async def replace(
        self, flow_id: int, edit: Edit, expected: Collection[int] | None = None, by: Author | None = None
    ) -> None:
        """Save what `edit` makes of the stored document as the next revision.

        Raises NotFound, Stale when the revision is none of those expected, and what `create` and parse_flow raise.
        """
        async with self._editing:
            stored = await self.get(flow_id)
            check_revision(stored.revision, expected)
            flow = parse_flow(edit(stored.document))
            await self._database.write(lambda sql: _update(sql, stored, flow, by))
            self.router.put(flow_id, flow)

    async def delete(
        self, flow_id: int, expected: Collection[int] | None = None, by: Author | None = None
    ) -> None:
        """Delete a flow; raises NotFound, and Stale as `replace`."""
        async with self._editing:
            stored = await self.get(flow_id)
            check_revision(stored.revision, expected)
            await self._database.write(lambda sql: _delete(sql, stored, by))
            self.router.remove(flow_id)

    async def get(self, flow_id: int) -> StoredFlow:
        """Return a flow; raises NotFound."""
        query = sa.select(table).where(table.c.id == flow_id)
        row = await self._database.read(lambda sql: sql.execute(query).first())
        if row is None:
            raise NotFound("there is no such flow")
        return _stored(row)

    async def list(self, page: Page) -> tuple[int, list[StoredFlow]]:
        """Return how many flows there are, and a page of them, newest first."""
        count = sa.select(sa.func.count()).select_from(table)
        query = sa.select(table).order_by(table.c.id.desc()).limit(page.size).offset(page.offset)
        total, rows = await self._database.read(
            lambda sql: (sql.scalar(count) or 0, sql.execute(query).all())
        )
        return total, [_stored(row) for row in rows]


def _stored(row: Row[Any]) -> StoredFlow:
    return StoredFlow(row.id, row.revision, msgspec.json.decode(row.document))


def _insert(sql: Sql, flow: Flow, by: Author | None) -> int:
    _check(sql, flow)
    document = to_document(flow)
    values = {"definition": _definition(flow), "document": _encode(document), "revision": 1}
    key = sql.execute(sa.insert(table).values(values)).inserted_primary_key
    flow_id = int(key[0]) if key else 0
    record(sql, by, Change("create", _RESOURCE, str(flow_id), differences({}, document)))
    return flow_id


def _update(sql: Sql, stored: StoredFlow, flow: Flow, by: Author | None) -> None:
    _check(sql, flow, stored.id)
    document = to_document(flow)
    values = {
        "definition": _definition(flow),
        "document": _encode(document),
        "revision": stored.revision + 1,
    }
    if sql.execute(sa.update(table).where(table.c.id == stored.id).values(values)).rowcount == 0:
        raise NotFound("there is no such flow")
    changed = differences(stored.document, document)
    record(sql, by, Change("update", _RESOURCE, str(stored.id), changed))


def _check(sql: Sql, flow: Flow, own_id: int | None = None) -> None:
    """Refuse a connection that does not exist, and devices that another flow names in the same way."""
    known = set(sql.scalars(sa.select(connection.c.id).where(connection.c.id.in_(flow.connection_ids))))
    for number, connection_id in enumerate(flow.connection_ids):
        if connection_id not in known:
            raise InvalidInput(f"connectors[{number}].connectionId", "there is no such connection")
    same = sql.scalar(sa.select(table.c.id).where(table.c.definition == _definition(flow)))
    if same not in {None, own_id}:
        raise Conflict(f"matchers: flow {same} names the same devices", field="matchers")


def _delete(sql: Sql, stored: StoredFlow, by: Author | None) -> None:
    if sql.execute(sa.delete(table).where(table.c.id == stored.id)).rowcount == 0:
        raise NotFound("there is no such flow")
    gone = differences(stored.document, {})
    record(sql, by, Change("delete", _RESOURCE, str(stored.id), gone))


def detach_connection(sql: Sql, connection_id: int) -> None:
    """Remove a connection from every flow, inside the caller's transaction."""
    may_name = table.c.document.contains(f'"{connection_id}"')
    for row in sql.execute(sa.select(table).where(may_name)).all():
        flow = parse_flow(msgspec.json.decode(row.document))
        if connection_id in flow.connection_ids:
            changed = _encode(to_document(flow.without(connection_id)))
            where = table.c.id == row.id
            sql.execute(sa.update(table).where(where).values(document=changed, revision=row.revision + 1))


def _definition(flow: Flow) -> str:
    return hashlib.sha256(flow.definition.encode()).hexdigest()


def _encode(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document).decode()
