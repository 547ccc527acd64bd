"""Network servers as stored, and in memory for the ingest door."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.access import Author
from longwire.core.change import Change, differences
from longwire.core.errors import Conflict, NotFound
from longwire.core.network_server import NetworkServer, map_secrets, mask, parse_network_server, to_document
from longwire.storage.audit import record
from longwire.storage.database import Database
from longwire.storage.edit import Edit, check_revision
from longwire.storage.micros import from_micros, to_micros
from longwire.storage.schema import device
from longwire.storage.schema import network_server as table
from longwire.storage.secrets import Sealer

_RESOURCE = "networkServers"


@dataclass(frozen=True, slots=True)
class StoredNetworkServer:
    """A network server with its secrets in clear, how often it was saved, and when it was created."""

    id: str
    revision: int
    server: NetworkServer
    created_at: datetime


class NetworkServers:
    """Reads and saves network servers; `known` always holds every saved one, by id."""

    def __init__(self, database: Database, sealer: Sealer, now: Callable[[], datetime]) -> None:
        """Know none until `load`."""
        self._database = database
        self._sealer = sealer
        self._now = now
        self._editing = asyncio.Lock()
        self.known: Mapping[str, StoredNetworkServer] = {}

    async def load(self) -> None:
        """Read all of them: at the start, and after every change."""
        rows = await self._database.read(
            lambda sql: sql.execute(sa.select(table).order_by(table.c.created_at)).all()
        )
        self.known = {
            row.id: StoredNetworkServer(
                row.id,
                row.revision,
                parse_network_server(self._opened(row.id, row.document)),
                from_micros(row.created_at),
            )
            for row in rows
        }

    async def create(self, server: NetworkServer, by: Author | None = None) -> StoredNetworkServer:
        """Return the new network server with its id."""
        network_server_id = str(uuid.uuid4())
        await self._database.write(lambda sql: self._insert(sql, network_server_id, server, by))
        await self.load()
        return self.get(network_server_id)

    def get(self, network_server_id: str) -> StoredNetworkServer:
        """Return a network server; raises NotFound."""
        found = self.known.get(network_server_id)
        if found is None:
            raise NotFound("there is no such network server")
        return found

    def registers_devices(self, network_server_id: str) -> bool:
        """Return whether a network server is there and registers the devices it first sends for."""
        found = self.known.get(network_server_id)
        return found is not None and found.server.auto_register_devices

    async def replace(
        self,
        network_server_id: str,
        edit: Edit,
        check: Callable[[NetworkServer], Awaitable[None]],
        expected: Collection[int] | None = None,
        by: Author | None = None,
    ) -> StoredNetworkServer:
        """Save what `edit` makes of the stored document, and return it; a masked key keeps its value.

        `check` may still refuse it by raising. Raises NotFound, Stale when the revision is none of those expected,
        and what parse_network_server raises.
        """
        async with self._editing:
            stored = self.get(network_server_id)
            check_revision(stored.revision, expected)
            server = parse_network_server(edit(mask(to_document(stored.server))), stored.server)
            await check(server)
            await self._database.write(lambda sql: self._update(sql, stored, server, by))
            await self.load()
            return self.get(network_server_id)

    async def delete(
        self,
        network_server_id: str,
        expected: Collection[int] | None = None,
        by: Author | None = None,
        *,
        force: bool,
    ) -> None:
        """Delete a network server; its devices stay.

        Raises NotFound, Stale as `replace`, or Conflict while devices use it, unless forced.
        """
        async with self._editing:
            stored = self.get(network_server_id)
            check_revision(stored.revision, expected)
            await self._database.write(lambda sql: _delete(sql, stored, by, force=force))
            await self.load()

    def _insert(self, sql: Sql, network_server_id: str, server: NetworkServer, by: Author | None) -> None:
        values = {
            "id": network_server_id,
            "revision": 1,
            "document": self._sealed(network_server_id, server),
            "created_at": to_micros(self._now()),
        }
        sql.execute(sa.insert(table).values(values))
        made = differences({}, to_document(server), mask)
        record(sql, by, Change("create", _RESOURCE, network_server_id, made))

    def _update(
        self, sql: Sql, stored: StoredNetworkServer, server: NetworkServer, by: Author | None
    ) -> None:
        values = {"revision": stored.revision + 1, "document": self._sealed(stored.id, server)}
        if sql.execute(sa.update(table).where(table.c.id == stored.id).values(values)).rowcount == 0:
            raise NotFound("there is no such network server")
        changed = differences(to_document(stored.server), to_document(server), mask)
        record(sql, by, Change("update", _RESOURCE, stored.id, changed))

    def _sealed(self, network_server_id: str, server: NetworkServer) -> str:
        sealed = map_secrets(
            to_document(server),
            lambda path, value: self._sealer.seal(value, _place(network_server_id, path)),
        )
        return msgspec.json.encode(sealed).decode()

    def _opened(self, network_server_id: str, document: str) -> dict[str, Any]:
        return map_secrets(
            msgspec.json.decode(document),
            lambda path, value: self._sealer.open(value, _place(network_server_id, path)),
        )


def _delete(sql: Sql, stored: StoredNetworkServer, by: Author | None, *, force: bool) -> None:
    used_by = device.c.network_server_id == stored.id
    devices = sql.scalar(sa.select(sa.func.count()).select_from(device).where(used_by)) or 0
    if devices and not force:
        raise Conflict(
            f"{devices} devices use this network server; add ?force=true to delete it all the same"
        )
    if sql.execute(sa.delete(table).where(table.c.id == stored.id)).rowcount == 0:
        raise NotFound("there is no such network server")
    sql.execute(sa.update(device).where(used_by).values(network_server_id=None))
    gone = differences(to_document(stored.server), {}, mask)
    record(sql, by, Change("delete", _RESOURCE, stored.id, gone))


def _place(network_server_id: str, path: str) -> str:
    return f"network_server/{network_server_id}/{path}"
