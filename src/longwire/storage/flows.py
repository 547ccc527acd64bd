"""Flows as stored, and the routes they make together."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.errors import Conflict, InvalidInput, NotFound
from longwire.core.flow import Flow, Routes, make_routes, parse_flow, to_document
from longwire.storage.database import Database
from longwire.storage.schema import connection
from longwire.storage.schema import flow as table


class Flows:
    """Reads and saves flows; `routes` always holds what the saved ones make together."""

    def __init__(self, database: Database) -> None:
        """Route nothing until `load`."""
        self._database = database
        self.routes = Routes({}, ())

    async def load(self) -> None:
        """Make the routes anew: at the start, and after every change of a flow."""
        self.routes = make_routes(parse_flow(document) for _, document in await self.list())

    async def create(self, flow: Flow) -> int:
        """Return the id of the new flow.

        Raises InvalidInput for a connection that does not exist, Conflict when a flow names the same devices.
        """
        flow_id = await self._database.write(lambda sql: _insert(sql, flow))
        await self.load()
        return flow_id

    async def delete(self, flow_id: int) -> None:
        """Delete a flow; raises NotFound."""
        await self._database.write(lambda sql: _delete(sql, flow_id))
        await self.load()

    async def get(self, flow_id: int) -> Mapping[str, Any]:
        """Return the document of a flow; raises NotFound."""
        query = sa.select(table.c.document).where(table.c.id == flow_id)
        text = await self._database.read(lambda sql: sql.scalar(query))
        if text is None:
            raise NotFound("there is no such flow")
        document: Mapping[str, Any] = msgspec.json.decode(text)
        return document

    async def list(self) -> list[tuple[int, Mapping[str, Any]]]:
        """Return id and document of every flow, oldest first."""
        query = sa.select(table.c.id, table.c.document).order_by(table.c.id)
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        return [(row.id, msgspec.json.decode(row.document)) for row in rows]


def _insert(sql: Sql, flow: Flow) -> int:
    known = set(sql.scalars(sa.select(connection.c.id).where(connection.c.id.in_(flow.connection_ids))))
    for number, connection_id in enumerate(flow.connection_ids):
        if connection_id not in known:
            raise InvalidInput(f"connectors[{number}].connectionId", "there is no such connection")
    definition = _definition(flow)
    same = sql.scalar(sa.select(table.c.id).where(table.c.definition == definition))
    if same is not None:
        raise Conflict(f"matchers: flow {same} names the same devices", field="matchers")
    values = {"definition": definition, "document": _encode(to_document(flow))}
    key = sql.execute(sa.insert(table).values(values)).inserted_primary_key
    return int(key[0]) if key else 0


def _delete(sql: Sql, flow_id: int) -> None:
    if sql.execute(sa.delete(table).where(table.c.id == flow_id)).rowcount == 0:
        raise NotFound("there is no such flow")


def detach_connection(sql: Sql, connection_id: int) -> None:
    """Remove a connection from every flow, inside the caller's transaction."""
    for row in sql.execute(sa.select(table.c.id, table.c.document)).all():
        document = msgspec.json.decode(row.document)
        kept = [each for each in document["connectors"] if each["connectionId"] != str(connection_id)]
        if len(kept) < len(document["connectors"]):
            changed = _encode({**document, "connectors": kept})
            sql.execute(sa.update(table).where(table.c.id == row.id).values(document=changed))


def _definition(flow: Flow) -> str:
    return hashlib.sha256(",".join(sorted(flow.definition)).encode()).hexdigest()


def _encode(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document).decode()
