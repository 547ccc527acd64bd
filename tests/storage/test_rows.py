"""Many rows with few statements: whatever their number, each is written once, in order."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.storage.database import Database
from longwire.storage.micros import from_micros, to_micros
from longwire.storage.rows import LARGEST, find_any, write_rows
from longwire.storage.schema import setting

INSERT = "INSERT INTO setting (name, value) VALUES {rows}"
FIND = "SELECT name FROM setting WHERE name IN ({values}) AND value <> ?"
COUNTS = [0, 1, 2, 3, LARGEST - 1, LARGEST, LARGEST + 1, 3 * LARGEST + 5]


@pytest.mark.parametrize("count", COUNTS)
async def test_every_row_is_written_once_in_order(database: Database, count: int) -> None:
    rows = [(f"{number:05}", f"value {number}") for number in range(count)]
    await database.write(lambda sql: write_rows(sql, INSERT, rows))

    query = sa.select(setting.c.name, setting.c.value).order_by(sa.text("rowid"))
    found = await database.read(lambda sql: sql.execute(query).all())

    assert [tuple(row) for row in found] == rows


@pytest.mark.parametrize("count", COUNTS)
async def test_whatever_is_there_is_found(database: Database, count: int) -> None:
    there = [(f"{number:05}", "x") for number in range(0, 500, 2)]
    await database.write(lambda sql: write_rows(sql, INSERT, there))
    wanted = [f"{number:05}" for number in range(count)]

    found = await database.read(lambda sql: find_any(sql, FIND, wanted, "y"))

    assert found == {name for name in wanted if int(name) % 2 == 0}
    assert await database.read(lambda sql: find_any(sql, FIND, wanted, "x")) == set()


@given(st.datetimes(timezones=st.just(UTC)))
@examples(50)
def test_a_time_is_kept_to_the_microsecond(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment


def test_a_time_is_microseconds_since_1970() -> None:
    assert to_micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005
    assert to_micros(datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)) == -1
    assert (to_micros(None), from_micros(None)) == (None, None)
