"""Deleting a connection: nothing is led to it any more from the commit on, whatever becomes of its backlog."""

from pathlib import Path

import pytest
from tests.storage.uplinks import T0, connection

from longwire.clock import SimulatedClock
from longwire.core.device import Device
from longwire.core.errors import StorageUnavailable
from longwire.core.flow import Flow, FlowConnector
from longwire.core.message import DevEui
from longwire.opened import open_store
from longwire.settings import Settings
from longwire.storage import queue_sql
from longwire.web.roads import Roads

DEVICE, OTHER = DevEui("A" * 16), DevEui("B" * 16)


async def test_a_connection_whose_backlog_cannot_be_discarded_yet_gets_no_message_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(Settings(data=tmp_path), SimulatedClock(T0)) as store:
        gone, stays = [await store.configurations.create(connection()) for _ in range(2)]
        await store.flows.create(Flow(None, None, (), (FlowConnector(gone), FlowConnector(stays))))
        await store.devices.create(Device(DEVICE, connection_ids=(gone,)))
        roads = Roads(store.flows.router, store.devices, store.configurations.validities)
        assert set(await roads.connections_of(DEVICE)) == {gone, stays}

        async def refuse(*_: object) -> int:
            raise StorageUnavailable("the disk is full")

        monkeypatch.setattr(queue_sql, "discard_backlog", refuse)
        with pytest.raises(StorageUnavailable):
            await store.configurations.delete(gone, keep_backlog=False)

        assert await roads.connections_of(DEVICE) == (stays,)
        assert await roads.connections_of(OTHER) == (stays,)
