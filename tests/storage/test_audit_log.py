"""The audit log in the store: with its change or not at all, newest first, for its retention."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from tests.storage.uplinks import T0

from longwire.core.access import Author, Identity, Role
from longwire.core.change import Change
from longwire.core.errors import Conflict
from longwire.storage.audit import list_changes, record
from longwire.storage.database import Database
from longwire.storage.page import Page
from longwire.storage.purge import Retention, purge
from longwire.storage.schema import setting

DAY = timedelta(days=1)
OWNER = Identity("1", "ann", Role.OWNER)
ALL = Page(1, 100)


def restarted(number: int) -> Change:
    return Change("restart", "connections", str(number))


async def ids(database: Database, page: Page = ALL) -> tuple[int, list[Any]]:
    total, rows = await list_changes(database, page)
    return total, [row.resource_id for row in rows]


async def test_changes_are_listed_newest_first_in_pages(database: Database) -> None:
    for number in range(5):
        author = Author(OWNER, T0)
        await database.write(lambda sql, n=number, by=author: record(sql, by, restarted(n)))  # type: ignore[misc]

    assert await ids(database, Page(1, 2)) == (5, ["4", "3"])
    assert await ids(database, Page(3, 2)) == (5, ["0"])


async def test_a_change_that_fails_leaves_no_row(database: Database) -> None:
    def change(sql: Sql) -> None:
        sql.execute(sa.insert(setting).values(name="x", value="y"))
        record(sql, Author(OWNER, T0), restarted(1))
        raise Conflict("no")

    with pytest.raises(Conflict):
        await database.write(change)
    assert await ids(database) == (0, [])


async def test_what_nobody_asked_for_is_not_told(database: Database) -> None:
    await database.write(lambda sql: record(sql, None, restarted(1)))
    assert await ids(database) == (0, [])


async def test_changes_go_after_their_retention(database: Database) -> None:
    for number, age in enumerate((3 * DAY, 1 * DAY)):
        author = Author(OWNER, T0 - age)
        await database.write(lambda sql, n=number, by=author: record(sql, by, restarted(n)))  # type: ignore[misc]

    await purge(database, Retention(audit=2 * DAY), T0)

    assert await ids(database) == (1, ["1"])
