"""Devices as stored, and what routing needs of them in memory: those with connections or tags of their own."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.access import Author
from longwire.core.change import Change, differences
from longwire.core.device import Device, parse_device, to_document
from longwire.core.errors import Conflict, InvalidInput, NotFound, StorageUnavailable
from longwire.core.message import DevEui
from longwire.core.sighting import (
    NO_TRAITS,
    NOTHING_LEARNED,
    DriverRef,
    Learned,
    Sighting,
    Traits,
    fold_tags,
    learn,
)
from longwire.storage.audit import record
from longwire.storage.database import Database
from longwire.storage.edit import Edit, check_revision
from longwire.storage.micros import to_micros
from longwire.storage.page import Page
from longwire.storage.schema import connection, device_connection, network_server
from longwire.storage.schema import device as table
from longwire.storage.sightings import MAX_DEVICES, Sightings

T = TypeVar("T")

_MOST_REMEMBERED = 50_000
_RESOURCE = "devices"
_GONE = "there is no such device"


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """A device: what is set by hand, what was learned of it, and its row, which says when and how it was seen."""

    device: Device
    learned: Learned
    row: Row[Any]


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """Which devices are asked for; `text` is found in the name and the DevEUI, in any case.

    `configured_only`: those that were set up or changed by hand.
    """

    text: str | None = None
    tag: str | None = None
    network_server_id: str | None = None
    connection_id: int | None = None
    configured_only: bool = False


class Devices:
    """Reads and saves devices, and tells routing of them."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Know none until `load`."""
        self._database = database
        self._now = now
        self._editing = asyncio.Lock()
        self._own_connections: dict[str, tuple[int, ...]] = {}
        self._own_tags: dict[str, tuple[str, ...]] = {}
        self._registered: dict[str, None] = {}
        self._remembered: dict[str, Learned] = {}
        self.sightings = Sightings(database)

    async def load(self, registers: Callable[[str], bool]) -> None:
        """Read what routing needs: at the start; `registers` says which network servers register devices."""
        await self.sightings.open(registers)
        tagged = sa.select(table.c.dev_eui, table.c.tags).where(table.c.tags.is_not(None))
        attached = sa.select(device_connection).order_by(*device_connection.c)
        tags, connections = await self._database.read(
            lambda sql: (sql.execute(tagged).all(), sql.execute(attached).all())
        )
        self._own_tags = {row.dev_eui: tuple(msgspec.json.decode(row.tags)) for row in tags}
        for row in connections:
            self._own_connections[row.dev_eui] = (*self.own_connections(row.dev_eui), row.connection_id)

    def own_connections(self, dev_eui: str | None) -> tuple[int, ...]:
        """Return the connections a device has besides those of its flows."""
        return self._own_connections.get(dev_eui, ()) if dev_eui is not None else ()

    def forget_connection(self, connection_id: int) -> None:
        """Take a connection that was deleted from every device."""
        for dev_eui, ids in list(self._own_connections.items()):
            if connection_id in ids:
                self._keep_connections(dev_eui, tuple(each for each in ids if each != connection_id))

    async def is_registered(self, dev_eui: DevEui | None) -> bool:
        """Return whether a device is known; what has no device is."""
        if dev_eui is None or dev_eui in self._registered or self.sightings.network_server_of(dev_eui):
            return True
        query = sa.select(table.c.dev_eui).where(table.c.dev_eui == dev_eui)
        if await self._database.read(lambda sql: sql.scalar(query)) is None:
            return False
        _remember(self._registered, dev_eui, None)
        return True

    async def network_server_of(self, dev_eui: DevEui) -> str | None:
        """Return the network server of a device, or None when there is none yet."""
        query = sa.select(table.c.network_server_id).where(table.c.dev_eui == dev_eui)
        found: str | None = await self._database.read(lambda sql: sql.scalar(query))
        return found or self.sightings.network_server_of(dev_eui)

    async def traits_of(self, dev_eui: DevEui | None, said: Learned, wanted: Collection[str]) -> Traits:
        """Return those traits of a device that flows match by.

        What its message does not say (reports say little) is taken from earlier ones.
        """
        if not wanted:
            # Nobody keeps it up to date any more.
            self._remembered.clear()
        if dev_eui is None or not wanted:
            return NO_TRAITS
        if any(getattr(said, name) is None for name in wanted):
            earlier = self._remembered.get(dev_eui) or await self._recall(dev_eui) or NOTHING_LEARNED
            said = earlier.then(self.sightings.learned(dev_eui)).then(said)
        if (remembered := self._remembered.get(dev_eui)) is not None:
            self._remembered[dev_eui] = remembered.then(said)
        tags = self._own_tags.get(dev_eui, said.tags or ())
        return Traits(fold_tags(tags), said.model or DriverRef(), said.application or DriverRef())

    async def _recall(self, dev_eui: str) -> Learned | None:
        """Return what was learned of a device that is registered, and remember it."""
        query = sa.select(table).where(table.c.dev_eui == dev_eui)
        row = await self._database.read(lambda sql: sql.execute(query).first())
        if row is None:
            return None
        learned = _learned(row)
        _remember(self._remembered, dev_eui, learned)
        return learned

    async def create(self, device: Device, by: Author | None = None) -> StoredDevice:
        """Return the new device.

        Raises Conflict when it exists or there are 1,000,000, InvalidInput for a connection or network server that
        does not exist.
        """
        async with self._editing:
            await self.sightings.write()
            if self.sightings.count >= MAX_DEVICES:
                raise Conflict(f"there are {MAX_DEVICES} devices already, which is the limit")
            created_at = to_micros(self._now())
            await self._database.write(lambda sql: _insert(sql, device, created_at, by))
            self.sightings.count += 1
            self._keep(device)
        return await self.get(device.dev_eui)

    async def replace(
        self, dev_eui: DevEui, edit: Edit, expected: Collection[int] | None = None, by: Author | None = None
    ) -> StoredDevice:
        """Save what `edit` makes of the stored document, and return it.

        Raises NotFound, Stale when the revision is none of those expected, and what `create` and parse_device raise.
        """
        async with self._editing:
            stored = await self.get(dev_eui)
            check_revision(stored.row.revision, expected)
            body = edit(to_document(stored.device, stored.learned))
            device = parse_device(body, dev_eui, stored.learned)
            await self._database.write(lambda sql: _update(sql, stored.device, device, by))
            self._keep(device)
        return await self.get(dev_eui)

    async def delete(
        self, dev_eui: DevEui, expected: Collection[int] | None = None, by: Author | None = None
    ) -> None:
        """Delete a device; its next uplink may register it again. Raises NotFound, and Stale as `replace`."""
        async with self._editing:
            stored = await self.get(dev_eui)
            check_revision(stored.row.revision, expected)
            self.sightings.forget(dev_eui)
            await self._database.write(lambda sql: _delete(sql, stored.device, by))
            self.sightings.count -= 1
            self._registered.pop(dev_eui, None)
            self._remembered.pop(dev_eui, None)
            self._keep(Device(dev_eui))

    async def get(self, dev_eui: DevEui) -> StoredDevice:
        """Return a device, with everything that was seen of it; raises NotFound."""
        await self._catch_up()
        query = sa.select(table).where(table.c.dev_eui == dev_eui)
        row = await self._database.read(lambda sql: sql.execute(query).first())
        if row is None:
            raise NotFound(_GONE)
        return self._stored(row)

    async def list(self, wanted: DeviceFilter, page: Page) -> tuple[int, list[StoredDevice]]:
        """Return how many devices there are that are wanted, and a page of them, newest first."""
        await self._catch_up()
        where = sa.and_(sa.true(), *_conditions(wanted))
        count = sa.select(sa.func.count()).select_from(table).where(where)
        rows = (
            sa.select(table)
            .where(where)
            .order_by(table.c.created_at.desc(), table.c.dev_eui.desc())
            .limit(page.size)
            .offset((page.number - 1) * page.size)
        )
        total, found = await self._database.read(
            lambda sql: (sql.scalar(count) or 0, sql.execute(rows).all())
        )
        return total, [self._stored(row) for row in found]

    async def _catch_up(self) -> None:
        """Write what was seen just now; while the store cannot be written, what it holds can still be read."""
        with suppress(StorageUnavailable):
            await self.sightings.write()

    def _stored(self, row: Row[Any]) -> StoredDevice:
        tags = None if row.tags is None else tuple(msgspec.json.decode(row.tags))
        own = self.own_connections(row.dev_eui)
        device = Device(DevEui(row.dev_eui), row.name, tags, row.network_server_id, own)
        return StoredDevice(device, _learned(row), row)

    def _keep(self, device: Device) -> None:
        """Keep in memory what routing needs of a device that was saved."""
        self._keep_connections(device.dev_eui, device.connection_ids)
        if device.tags is None:
            self._own_tags.pop(device.dev_eui, None)
        else:
            self._own_tags[device.dev_eui] = device.tags

    def _keep_connections(self, dev_eui: str, connection_ids: tuple[int, ...]) -> None:
        if connection_ids:
            self._own_connections[dev_eui] = connection_ids
        else:
            self._own_connections.pop(dev_eui, None)


def _remember(known: dict[str, T], dev_eui: str, value: T) -> None:
    """Remember a value, and forget the oldest one where there are too many."""
    if len(known) >= _MOST_REMEMBERED:
        known.pop(next(iter(known)))
    known[dev_eui] = value


def _learned(row: Row[Any]) -> Learned:
    tags = None if row.learned_tags is None else tuple(msgspec.json.decode(row.learned_tags))
    driver = learn(Sighting(driver_cfg=(row.learned_driver or "").encode()))
    return Learned(row.learned_name, tags, driver.model, driver.application)


def _conditions(wanted: DeviceFilter) -> Sequence[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.text is not None:
        digits = wanted.text.replace("-", "").replace(":", "")
        name = sa.func.coalesce(table.c.name, table.c.learned_name)
        by_name = name.icontains(wanted.text, autoescape=True)
        found.append(
            sa.or_(by_name, table.c.dev_eui.icontains(digits, autoescape=True)) if digits else by_name
        )
    if wanted.tag is not None:
        tags = sa.func.coalesce(table.c.tags, table.c.learned_tags)
        text = msgspec.json.encode(wanted.tag).decode()
        # A quote that begins an element stands after a bracket or a comma; inside a text it stands after a backslash.
        found.append(sa.or_(*(tags.icontains(before + text, autoescape=True) for before in "[,")))
    if wanted.network_server_id is not None:
        found.append(table.c.network_server_id == wanted.network_server_id)
    if wanted.connection_id is not None:
        attached = sa.select(device_connection.c.dev_eui)
        attached = attached.where(device_connection.c.connection_id == wanted.connection_id)
        found.append(table.c.dev_eui.in_(attached))
    if wanted.configured_only:
        found.append(table.c.revision > 0)
    return found


def _insert(sql: Sql, device: Device, created_at: int, by: Author | None) -> None:
    if sql.scalar(sa.select(table.c.dev_eui).where(table.c.dev_eui == device.dev_eui)) is not None:
        raise Conflict(f"device {device.dev_eui} exists already", field="devEUI")
    sql.execute(sa.insert(table).values(dev_eui=device.dev_eui, created_at=created_at, revision=1))
    _check_network_server(sql, device.network_server_id)
    _write(sql, device)
    record(sql, by, Change("create", _RESOURCE, device.dev_eui, differences({}, to_document(device))))


def _update(sql: Sql, before: Device, after: Device, by: Author | None) -> None:
    where = table.c.dev_eui == after.dev_eui
    if sql.execute(sa.update(table).where(where).values(revision=table.c.revision + 1)).rowcount == 0:
        raise NotFound(_GONE)
    if after.network_server_id != before.network_server_id:
        _check_network_server(sql, after.network_server_id)
    _write(sql, after)
    changed = differences(to_document(before), to_document(after))
    record(sql, by, Change("update", _RESOURCE, after.dev_eui, changed))


def _write(sql: Sql, device: Device) -> None:
    """Write what is set by hand; raises InvalidInput for a connection that does not exist."""
    _check_connections(sql, device.connection_ids)
    values = {
        "name": device.name,
        "tags": None if device.tags is None else msgspec.json.encode(device.tags).decode(),
        "network_server_id": device.network_server_id,
    }
    sql.execute(sa.update(table).where(table.c.dev_eui == device.dev_eui).values(values))
    _detach(sql, device.dev_eui)
    if device.connection_ids:
        rows = [{"dev_eui": device.dev_eui, "connection_id": each} for each in device.connection_ids]
        sql.execute(sa.insert(device_connection), rows)


def _check_network_server(sql: Sql, network_server_id: str | None) -> None:
    query = sa.select(network_server.c.id).where(network_server.c.id == network_server_id)
    if network_server_id is not None and sql.scalar(query) is None:
        raise InvalidInput("networkServerId", "there is no such network server")


def _check_connections(sql: Sql, connection_ids: Sequence[int]) -> None:
    known = set(sql.scalars(sa.select(connection.c.id).where(connection.c.id.in_(connection_ids))))
    for connection_id in connection_ids:
        if connection_id not in known:
            raise InvalidInput("connectionIds", f"there is no connection {connection_id}")


def _delete(sql: Sql, device: Device, by: Author | None) -> None:
    if sql.execute(sa.delete(table).where(table.c.dev_eui == device.dev_eui)).rowcount == 0:
        raise NotFound(_GONE)
    _detach(sql, device.dev_eui)
    record(sql, by, Change("delete", _RESOURCE, device.dev_eui, differences(to_document(device), {})))


def _detach(sql: Sql, dev_eui: str) -> None:
    sql.execute(sa.delete(device_connection).where(device_connection.c.dev_eui == dev_eui))


def detach_connection(sql: Sql, connection_id: int) -> None:
    """Remove a connection from every device, inside the caller's transaction."""
    sql.execute(sa.delete(device_connection).where(device_connection.c.connection_id == connection_id))
