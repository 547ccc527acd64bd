"""The audit log: who changed what, written in the transaction of the change (specification, section 15)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.access import Author
from longwire.core.change import Change
from longwire.storage.database import Database
from longwire.storage.micros import to_micros
from longwire.storage.page import Page
from longwire.storage.schema import audit as table


def record(sql: Sql, by: Author | None, change: Change) -> None:
    """Note a change, inside the caller's transaction; None: nobody asked for it, the program does it itself."""
    if by is None:
        return
    values = {
        "at": to_micros(by.at),
        "key_id": by.identity.key_id,
        "key_name": by.identity.name,
        "role": by.identity.role.value,
        "action": change.action,
        "resource": change.resource,
        "resource_id": change.resource_id,
        "changes": msgspec.json.encode(change.differences).decode(),
    }
    sql.execute(sa.insert(table).values(values))


async def list_changes(database: Database, page: Page) -> tuple[int, Sequence[Row[Any]]]:
    """Return how many changes are kept, and a page of them, newest first."""
    count = sa.select(sa.func.count()).select_from(table)
    rows = sa.select(table).order_by(table.c.id.desc()).limit(page.size).offset(page.offset)
    return await database.read(lambda sql: (sql.scalar(count) or 0, sql.execute(rows).all()))


def forget_changes(before: datetime) -> sa.Delete:
    """Return what deletes the changes from before a time."""
    return sa.delete(table).where(table.c.at < to_micros(before))
