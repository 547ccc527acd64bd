"""What messages tell of their devices: noted in memory, written every few seconds, rebuilt from the log.

Noting costs a message next to nothing: one entry a device, decoded only when it is written. Devices are written in
slices, so that the writer stays free for others; each row says up to which message it counts, and at the end the whole
does: so a start after a kill counts the rest from the log, each message once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire import log
from longwire.core import json_text
from longwire.core.errors import StorageUnavailable
from longwire.core.hourly import add_counts, sum_of_day
from longwire.core.message import Message
from longwire.core.sighting import Learned, Sighting, learn, learn_words, number_of, sighting_of
from longwire.storage.database import Database
from longwire.storage.micros import to_micros
from longwire.storage.rows import find_rows, write_rows
from longwire.storage.schema import device, network_server, setting
from longwire.storage.schema import message as message_table
from longwire.storage.slices import slices

MAX_DEVICES = 1_000_000
MANY = 1000
UPLINK = "DevEUI_uplink"
_COUNTED_UP_TO = "sightings_counted_up_to"
_SLICE = 32  # a millisecond: what somebody who puts a message may wait
_LOGGED_SLICE = 1000
_HOUR_MICROS = 3_600_000_000
_LONGEST_DRIVER = 1024

_FIND_KNOWN = "SELECT dev_eui, hourly, last_seen_at FROM device WHERE dev_eui IN ({values})"
_WRITE = (
    "INSERT INTO device (dev_eui, revision, network_server_id, created_at, learned_name, learned_tags, learned_driver,"
    " counted_up_to, last_seen_at, f_cnt_up, last_rssi, last_snr, hourly) VALUES {rows}"
    " ON CONFLICT (dev_eui) DO UPDATE SET counted_up_to=excluded.counted_up_to,"
    " last_seen_at=excluded.last_seen_at, hourly=excluded.hourly,"
    " network_server_id=COALESCE(device.network_server_id, excluded.network_server_id),"
    " learned_name=COALESCE(excluded.learned_name, device.learned_name),"
    " learned_tags=COALESCE(excluded.learned_tags, device.learned_tags),"
    " learned_driver=COALESCE(excluded.learned_driver, device.learned_driver),"
    " f_cnt_up=COALESCE(excluded.f_cnt_up, device.f_cnt_up),"
    " last_rssi=COALESCE(excluded.last_rssi, device.last_rssi),"
    " last_snr=COALESCE(excluded.last_snr, device.last_snr)"
)


class Seen:
    """What was seen of one device since the last write; `registers`: it is registered where it is not known."""

    __slots__ = ("at", "counts", "f_cnt", "message_id", "network_server_id", "registers", "sighting")

    def __init__(self, network_server_id: str, *, registers: bool) -> None:
        """Nothing was seen yet."""
        self.network_server_id = network_server_id
        self.registers = registers
        self.message_id = 0
        self.at = 0
        self.f_cnt: int | None = None
        self.sighting = Sighting()
        self.counts: dict[int, int] = {}

    def take(self, message_id: int, at: int, f_cnt: int | None, sighting: Sighting) -> None:
        """Take in one uplink, received at so many microseconds since 1970."""
        self.message_id = max(self.message_id, message_id)
        self.at = at
        self.f_cnt = self.f_cnt if f_cnt is None else f_cnt
        self.sighting = sighting.after(self.sighting)
        hour = at // _HOUR_MICROS
        self.counts[hour] = self.counts.get(hour, 0) + 1

    def take_all(self, later: "Seen") -> None:
        """Take in what was seen of the same device after this."""
        self.message_id = later.message_id
        self.at, self.f_cnt = later.at, self.f_cnt if later.f_cnt is None else later.f_cnt
        self.sighting = later.sighting.after(self.sighting)
        self.registers = later.registers
        for hour, count in later.counts.items():
            self.counts[hour] = self.counts.get(hour, 0) + count


@dataclass(frozen=True, slots=True)
class _Progress:
    """Up to which message everything is written, and when each network server sent an uplink last."""

    up_to: int
    last_uplinks: Mapping[str, int]


class Sightings:
    """Notes the uplinks of devices, and writes what is known of them."""

    def __init__(self, database: Database) -> None:
        """Nothing may be noted before `open`."""
        self._database = database
        self._seen: dict[str, Seen] = {}
        self._writing: Mapping[str, Seen] = {}
        self._last_uplinks: dict[str, int] = {}
        self._up_to = self._written_up_to = 0
        self._lock = asyncio.Lock()
        self.count = 0
        self.is_due = asyncio.Event()

    async def open(self, registers: Callable[[str], bool]) -> None:
        """Take in from the log what was not written before the last end.

        `registers` says which network servers register devices.
        """
        self.count = await self._database.read(_count_devices)
        self._last_uplinks = await self._database.read(_last_uplinks)
        self._up_to = self._written_up_to = await self._database.read(_counted_up_to)
        while rows := await self._database.read(lambda sql: sql.execute(_after(self._up_to)).all()):
            for row in rows:
                self._take_logged(row, registers=registers(row.network_server_id))
            await self.write()

    def note(self, message: Message, message_id: int, *, registers: bool) -> None:
        """Take in a message that is durable; never waits. Only uplinks tell of their device."""
        self._up_to = max(self._up_to, message_id)
        if message.dev_eui is None or message.root != UPLINK:
            return
        at = to_micros(message.received_at)
        self._last_uplinks[message.network_server_id] = at
        entry = self._entry(message.dev_eui, message.network_server_id, registers=registers)
        entry.take(message_id, at, message.f_cnt, message.sighting)
        if len(self._seen) >= MANY:
            self.is_due.set()

    def last_uplink_at(self, network_server_id: str) -> int | None:
        """Return when a network server sent an uplink last."""
        return self._last_uplinks.get(network_server_id)

    def learned(self, dev_eui: str) -> Learned:
        """Return what was learned of a device and is not written yet."""
        seen = (each.get(dev_eui) for each in (self._writing, self._seen))
        writing, noted = (learn(each.sighting) if each else Learned() for each in seen)
        return writing.then(noted)

    def network_server_of(self, dev_eui: str) -> str | None:
        """Return the network server of a device that is about to be registered."""
        seen = self._seen.get(dev_eui) or self._writing.get(dev_eui)
        return seen.network_server_id if seen is not None and seen.registers else None

    def forget(self, dev_eui: str) -> None:
        """Drop what was noted of a device that is being deleted."""
        self._seen.pop(dev_eui, None)

    async def write(self) -> None:
        """Write what was noted; raises StorageUnavailable, then it is kept for the next write."""
        async with self._lock:
            self.is_due.clear()
            if self._up_to == self._written_up_to:
                return
            progress = _Progress(self._up_to, dict(self._last_uplinks))
            # In their order neighbours share pages of the table.
            for dev_euis in slices(sorted(self._seen), _SLICE):
                await self._write_slice(dev_euis)
            await self._database.write(lambda sql: _write_progress(sql, progress))
            self._written_up_to = progress.up_to

    async def _write_slice(self, dev_euis: Sequence[str]) -> None:
        taken = {each: self._seen.pop(each) for each in dev_euis if each in self._seen}
        self._writing, room = taken, MAX_DEVICES - self.count
        try:
            new, left_out = await self._database.write(lambda sql: _write(sql, taken, room))
            self.count += new
            if left_out:
                log.warning(log.STORAGE_DEVICES_LEFT_OUT, limit=MAX_DEVICES, left_out=left_out)
        except StorageUnavailable:
            self._put_back(taken)
            raise
        finally:
            self._writing = {}

    def _entry(self, dev_eui: str, network_server_id: str, *, registers: bool) -> Seen:
        entry = self._seen.get(dev_eui)
        if entry is None:
            entry = self._seen[dev_eui] = Seen(network_server_id, registers=registers)
        return entry

    def _take_logged(self, row: Row[Any], *, registers: bool) -> None:
        _, members = json_text.read_kept_root(row.body)
        entry = self._entry(row.dev_eui, row.network_server_id, registers=registers)
        entry.take(row.id, row.received_at, row.f_cnt, sighting_of(members))
        self._last_uplinks[row.network_server_id] = row.received_at
        self._up_to = row.id

    def _put_back(self, taken: Mapping[str, Seen]) -> None:
        for dev_eui, seen in taken.items():
            if (later := self._seen.get(dev_eui)) is not None:
                seen.take_all(later)
            self._seen[dev_eui] = seen


def _count_devices(sql: Sql) -> int:
    return sql.scalar(sa.select(sa.func.count()).select_from(device)) or 0


def _counted_up_to(sql: Sql) -> int:
    return int(sql.scalar(sa.select(setting.c.value).where(setting.c.name == _COUNTED_UP_TO)) or 0)


def _last_uplinks(sql: Sql) -> dict[str, int]:
    column = network_server.c
    query = sa.select(column.id, column.last_uplink_at).where(column.last_uplink_at.is_not(None))
    return {row.id: row.last_uplink_at for row in sql.execute(query)}


def _after(message_id: int) -> sa.Select[Any]:
    column = message_table.c
    return (
        sa.select(
            column.id, column.network_server_id, column.dev_eui, column.f_cnt, column.received_at, column.body
        )
        .outerjoin(device, device.c.dev_eui == column.dev_eui)
        .where(column.id > message_id, column.root == UPLINK)
        .where(column.id > sa.func.coalesce(device.c.counted_up_to, 0))
        .order_by(column.id)
        .limit(_LOGGED_SLICE)
    )


def _write(sql: Sql, taken: Mapping[str, Seen], room: int) -> tuple[int, int]:
    """Write what was seen, registering at most `room` devices; return how many, and how many were left out.

    Runs in the writer.
    """
    rows, new, left_out = [], 0, 0
    known = {row[0]: row for row in find_rows(sql, _FIND_KNOWN, list(taken))}
    for dev_eui, seen in taken.items():
        before = known.get(dev_eui)
        if before is None and not (seen.registers and new < room):
            left_out += seen.registers
            continue
        new += before is None
        rows.append(_row(dev_eui, seen, before))
    write_rows(sql, _WRITE, rows)
    return new, left_out


def _write_progress(sql: Sql, progress: _Progress) -> None:
    for network_server_id, at in progress.last_uplinks.items():
        where = network_server.c.id == network_server_id
        sql.execute(sa.update(network_server).where(where).values(last_uplink_at=at))
    sql.execute(sa.delete(setting).where(setting.c.name == _COUNTED_UP_TO))
    sql.execute(sa.insert(setting).values(name=_COUNTED_UP_TO, value=str(progress.up_to)))


def count_of_day(row: Row[Any], now: datetime) -> int:
    """Return how many uplinks a device's row counts in this hour and the 23 before it."""
    counts = msgspec.json.decode(row.hourly) if row.hourly else ()
    return sum_of_day(counts, (row.last_seen_at or 0) // _HOUR_MICROS, to_micros(now) // _HOUR_MICROS)


def _row(dev_eui: str, seen: Seen, before: Any) -> tuple[Any, ...]:
    name, tags = learn_words(seen.sighting)
    driver = bytes(seen.sighting.driver_cfg)
    hourly: Sequence[int] = ()
    newest = 0
    if before is not None and before.hourly:
        hourly, newest = msgspec.json.decode(before.hourly), before.last_seen_at // _HOUR_MICROS
    hourly = add_counts(hourly, newest, seen.counts, seen.at // _HOUR_MICROS)
    return (
        dev_eui,
        0,
        seen.network_server_id,
        seen.at,
        name,
        None if tags is None else msgspec.json.encode(tags).decode(),
        driver.decode() if 0 < len(driver) <= _LONGEST_DRIVER else None,
        seen.message_id,
        seen.at,
        seen.f_cnt,
        number_of(seen.sighting.rssi),
        number_of(seen.sighting.snr),
        msgspec.json.encode(hourly),
    )
