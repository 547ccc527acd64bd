"""What is seen of devices is written, and after any end counted again from the log: each uplink once."""

import json
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.storage.uplinks import HOUR, T0

from longwire.core import json_text
from longwire.core.errors import StorageUnavailable
from longwire.core.message import DevEui, Message, fingerprint
from longwire.core.sighting import sighting_of
from longwire.storage.database import Database
from longwire.storage.devices import Devices
from longwire.storage.queue_sql import Put, Queue
from longwire.storage.sightings import MAX_DEVICES, Sightings, count_of_day

A, B, C = (DevEui(digit * 16) for digit in "ABC")


class Network:
    """Puts uplinks into a store and notes them, as the ingest door does."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.queue = Queue(database, "store")
        self.devices = Devices(database, lambda: T0)
        self.numbers = 0

    async def open(self) -> "Network":
        await self.queue.open()
        await self.devices.load(lambda network_server_id: network_server_id != "strict")
        return self

    async def put(self, dev_eui: DevEui, f_cnt: int, at: datetime = T0, server: str = "ns") -> None:
        self.numbers += 1
        body = json.dumps(
            {"DevEUI_uplink": {"DevEUI": dev_eui, "CustomerData": {"name": f"at {f_cnt}"}}}
        ).encode()
        root, members = json_text.read_kept_root(body)
        print_ = fingerprint(str(self.numbers), dev_eui)
        sighting = sighting_of(members)
        message = Message(server, root, dev_eui, dev_eui, f_cnt, body, print_, at, at, sighting)
        accepted = await self.queue.put(Put(message, ()))
        self.devices.sightings.note(message, accepted.message_id, registers=server != "strict")

    async def count(self, dev_eui: DevEui, now: datetime = T0) -> int:
        return count_of_day((await self.devices.get(dev_eui)).row, now)


@pytest.fixture
async def network(database: Database) -> Network:
    return await Network(database).open()


async def test_uplinks_of_the_last_day_are_counted_by_the_hour(network: Network) -> None:
    for hours in (0, 1, 1, 23, 25):
        await network.put(A, hours, T0 + hours * HOUR)
        await network.devices.sightings.write()

    found = [await network.count(A, T0 + hours * HOUR) for hours in (25, 46, 47, 48, 49)]
    assert found == [2, 2, 1, 1, 0]


async def test_a_write_that_was_cut_short_is_made_up_for_from_the_log(
    database: Database, network: Network
) -> None:
    for f_cnt in range(3):
        await network.put(A, f_cnt)
        await network.put(B, f_cnt)
    await network.devices.sightings._write_slice([A])  # and here the process is killed

    again = await Network(database).open()

    assert [await again.count(each) for each in (A, B)] == [3, 3]
    assert (await again.devices.get(A)).learned.name == "at 2"
    third = await Network(database).open()
    assert [await third.count(each) for each in (A, B)] == [3, 3]


async def test_what_cannot_be_written_is_kept_for_the_next_write(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    await network.put(A, 1)
    with monkeypatch.context() as fault:

        async def refuse(_change: object) -> None:
            await network.put(A, 2)  # meanwhile the next one comes
            raise StorageUnavailable("disk full")

        put = network.queue._database
        stand_in = type("Full", (), {"write": staticmethod(refuse), "read": put.read})()
        fault.setattr(network.devices.sightings, "_database", stand_in)
        with pytest.raises(StorageUnavailable):
            await network.devices.sightings.write()

    assert await network.count(A) == 2
    assert (await network.devices.get(A)).row.f_cnt_up == 2


async def test_what_is_stored_can_be_read_while_nothing_can_be_written(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    await network.put(A, 1)
    assert await network.count(A) == 1
    await network.put(A, 2)

    async def refuse() -> None:
        raise StorageUnavailable("disk full")

    monkeypatch.setattr(network.devices.sightings, "write", refuse)
    assert await network.count(A) == 1


async def test_there_are_never_more_devices_than_the_limit(network: Network) -> None:
    network.devices.sightings.count = MAX_DEVICES - 1
    for dev_eui in (A, B, C):
        await network.put(dev_eui, 1)

    await network.devices.sightings.write()

    assert await network.database.read(_count) == 1
    assert network.devices.sightings.count == MAX_DEVICES


async def test_a_network_server_that_registers_nothing_registers_nothing_from_the_log_either(
    database: Database, network: Network
) -> None:
    await network.put(A, 1, server="strict")
    again = await Network(database).open()
    assert await database.read(_count) == 0
    assert again.devices.sightings.count == 0


async def test_many_devices_are_written_in_slices_and_counted_once(database: Database) -> None:
    network = await Network(database).open()
    many = [DevEui(f"{number:016X}") for number in range(600)]
    for number, dev_eui in enumerate(many):
        await network.put(dev_eui, number)
    assert not network.devices.sightings.is_due.is_set()

    await network.devices.sightings.write()

    assert await database.read(_count) == len(many) == network.devices.sightings.count
    sightings = Sightings(database)
    await sightings.open(lambda _: True)
    assert sightings.count == len(many)


async def test_the_clock_may_be_put_back(network: Network) -> None:
    await network.put(A, 1, T0 + timedelta(days=300))
    await network.devices.sightings.write()
    await network.put(A, 2, T0)

    assert await network.count(A, T0) == 1


def _count(sql: sa.Connection) -> int:
    return sql.scalar(sa.text("SELECT count(*) FROM device")) or 0
