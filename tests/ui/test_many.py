"""Pages with 10,000 connections and 100,000 deliveries: few statements, and no page longer for it."""

import asyncio
from pathlib import Path

import pytest
from bench.filled_log import fill_log
from tests.e2e.api_client import connection_document
from tests.ui.front import OWNER, Reads, look, opened

from longwire.core.configuration import parse_connection
from longwire.core.device import parse_device
from longwire.opened import Store

CONNECTIONS, DELIVERIES = 10_000, 100_000
MOST_STATEMENTS = 30
MOST_BYTES = 100_000


async def fill(store: Store) -> None:
    made = [
        parse_connection(connection_document("http://192.0.2.1/", name=f"app {number}", active=False))
        for number in range(CONNECTIONS)
    ]
    for begin in range(0, CONNECTIONS, 1000):
        await asyncio.gather(*(store.configurations.create(each) for each in made[begin : begin + 1000]))
    await store.devices.create(parse_device({"devEUI": "0059AC0000000001", "connectionIds": ["1"]}))
    await store.database.write(lambda sql: fill_log(sql, 0, DELIVERIES - 1))


@pytest.mark.timeout(300)
async def test_no_page_grows_with_10_000_connections_and_100_000_deliveries(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, front):
        await fill(store)
        cookie = store.sessions.open(store.accounts.identify(OWNER)).partition(";")[0]
        reads = Reads(store.database)
        for path, expected in (
            ("/ui/", "10000 DEACTIVATED"),
            ("/ui/connections", "10,000 connections"),
            ("/ui/connections?q=app+77&state=DEACTIVATED", "app 77"),
            ("/ui/connections/1", "10,000 in the log"),
            ("/ui/devices", "Devices"),
            ("/ui/devices/0059AC0000000001?add", "50 of 10,000"),
            ("/ui/flows", "50 of 10,000"),
            ("/ui/events", "events in 30 days"),
            ("/ui/deadLetters", "7,000 in the log"),
        ):
            reads.statements = 0
            status, text = await look(front, path, cookie)
            assert (status, expected in text) == (200, True), (path, status)
            print(f"{path}: {reads.statements} statements, {len(text):,} characters")
            assert reads.statements <= MOST_STATEMENTS, (path, reads.statements)
            assert len(text) <= MOST_BYTES, (path, len(text))
