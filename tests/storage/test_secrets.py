"""Secrets at rest: sealed for one place, useless with another key, and nowhere in the files in clear."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples
from tests.storage.uplinks import T0, connection

from longwire.core.errors import Misconfigured
from longwire.core.network_server import NetworkServer
from longwire.storage.accounts import Accounts
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.network_servers import NetworkServers
from longwire.storage.schema import connection as connection_table
from longwire.storage.schema import connection_revision
from longwire.storage.secrets import Sealer, load_secret_key

SEALER = Sealer("a key")
PLACE = "connection/7/configuration.headers.authorization"
CANARY = "canary-in-a-coal-mine"
AS_KEY = "46ab678cd45df4a4a7e4b375eacd096a"


@given(st.text(), st.text())
@examples(50)
def test_a_sealed_text_opens_in_its_place_and_shows_nothing(text: str, place: str) -> None:
    sealed = SEALER.seal(text, place)

    assert SEALER.open(sealed, place) == text
    assert len(text) < 4 or text not in sealed


def test_a_text_is_sealed_differently_each_time() -> None:
    assert len({SEALER.seal("text", PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "place", ["", "connection/8/configuration.headers.authorization", PLACE + " ", PLACE.upper()]
)
def test_a_sealed_text_does_not_open_in_another_place(place: str) -> None:
    with pytest.raises(Misconfigured, match="sealed with another key"):
        SEALER.open(SEALER.seal("text", PLACE), place)


@pytest.mark.parametrize("key", ["", "a  key", "A key", "a key\n"])
def test_another_key_is_the_operators_to_put_right(key: str) -> None:
    with pytest.raises(Misconfigured, match="LONGWIRE_SECRET_KEY"):
        Sealer(key).open(SEALER.seal("text", PLACE), PLACE)


@given(st.data())
@examples(60)
def test_a_sealed_text_that_was_changed_does_not_open(data: st.DataObject) -> None:
    content = bytearray(base64.b64decode(SEALER.seal("text", PLACE)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(Misconfigured):
        SEALER.open(base64.b64encode(content).decode(), PLACE)


@pytest.mark.parametrize("text", ["", "x", "Bearer x", "QUJD", "é", base64.b64encode(bytes(12)).decode()])
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(Misconfigured):
        SEALER.open(text, PLACE)


def test_the_key_is_the_configured_one_or_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    assert load_secret_key(tmp_path, "configured") == "configured"
    assert list(tmp_path.iterdir()) == []

    made = load_secret_key(tmp_path, None)

    assert len(base64.b64decode(made)) == 32
    assert load_secret_key(tmp_path, None) == made
    assert load_secret_key(tmp_path, "configured") == "configured"
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_an_empty_key_file_is_not_taken_for_a_key(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("\n")

    with pytest.raises(Misconfigured, match=r"secret\.key"):
        load_secret_key(tmp_path, None)


# In the store


async def test_no_secret_stands_in_the_files_in_clear(database: Database, tmp_path: Path) -> None:  # AP-05
    configurations = Configurations(database, SEALER, lambda: T0)
    connection_id = await configurations.create(connection({"Authorization": CANARY, "X-Open": "open-text"}))
    await NetworkServers(database, SEALER, lambda: T0).create(NetworkServer("LRC", AS_KEY))
    await Accounts(database, SEALER, lambda: T0).load(f"lw_{CANARY}", tmp_path)
    stored = await configurations.load(connection_id)

    written = everything_in(tmp_path)

    assert b"open-text" in written
    for secret in (CANARY, AS_KEY, stored.downlink_uuid):
        assert secret.encode() not in written
        assert base64.b64encode(secret.encode()).rstrip(b"=")[:-1] not in written


async def test_a_secret_copied_to_another_connection_does_not_open(database: Database) -> None:
    configurations = Configurations(database, SEALER, lambda: T0)
    rich = await configurations.create(connection({"Authorization": CANARY}))
    poor = await configurations.create(connection({"Authorization": "x"}))
    assert (await configurations.load(rich)).connection == connection({"Authorization": CANARY})

    await copy_column(database, connection_revision, "document", rich, poor)

    with pytest.raises(Misconfigured):
        await configurations.load(poor)


async def test_a_secret_moved_to_another_header_does_not_open(database: Database) -> None:
    configurations = Configurations(database, SEALER, lambda: T0)
    connection_id = await configurations.create(connection({"Authorization": CANARY, "X-Key": "x"}))
    document = json.loads((await read_column(database, connection_revision, "document"))[connection_id])
    headers = document["configuration"]["headers"]
    headers["X-Key"] = headers["Authorization"]

    change = sa.update(connection_revision).values(document=json.dumps(document))
    await database.write(lambda sql: sql.execute(change).rowcount)

    with pytest.raises(Misconfigured):
        await configurations.load(connection_id)


async def test_a_downlink_address_copied_to_another_connection_does_not_open(database: Database) -> None:
    configurations = Configurations(database, SEALER, lambda: T0)
    one, other = [await configurations.create(connection()) for _ in range(2)]

    await copy_column(database, connection_table, "downlink_uuid", one, other)

    with pytest.raises(Misconfigured):
        await configurations.load(other)


async def test_with_another_key_the_store_says_so(database: Database) -> None:
    connection_id = await Configurations(database, SEALER, lambda: T0).create(
        connection({"Authorization": CANARY})
    )
    await NetworkServers(database, SEALER, lambda: T0).create(NetworkServer("LRC", AS_KEY))

    with pytest.raises(Misconfigured, match=r"put back the file secret\.key"):
        await Configurations(database, Sealer("other"), lambda: T0).load(connection_id)
    with pytest.raises(Misconfigured):
        await NetworkServers(database, Sealer("other"), lambda: T0).load()


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def read_column(database: Database, table: sa.Table, column: str) -> Mapping[int, Any]:
    """Return a column by the connection's id, which is the first column."""
    query = sa.select(next(iter(table.c)), table.c[column])
    rows = await database.read(lambda sql: sql.execute(query).all())
    return {row[0]: row[1] for row in rows}


async def copy_column(database: Database, table: sa.Table, column: str, source: int, target: int) -> None:
    value = (await read_column(database, table, column))[source]
    change = sa.update(table).where(next(iter(table.c)) == target).values({column: value})
    await database.write(lambda sql: sql.execute(change).rowcount)
