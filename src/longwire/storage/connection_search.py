"""Finding connections: each as it is now with its lane's state, how many match, how many are in which state."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.connection_state import Status
from longwire.storage.page import Page
from longwire.storage.schema import connection as table
from longwire.storage.schema import connection_revision, connection_state

STATE_COLUMNS = ("status", "since", "reason", "startup_time", "down_since", "retry_at")

_NOT_RUN = sa.case((table.c.active, Status.OPENING.value), else_=Status.DEACTIVATED.value)
_STATUS = sa.func.coalesce(connection_state.c.status, _NOT_RUN)
_SEARCHED = ("$.name", "$.configuration.destinationURL", "$.configuration.description")


@dataclass(frozen=True, slots=True)
class ConnectionFilter:
    """Which connections to list: `text` stands in name, URL or description; None: all."""

    ids: Collection[int] | None = None
    text: str | None = None
    statuses: Collection[Status] | None = None


def all_newest() -> sa.Select[Any]:
    """Return the query of every connection as it is now, newest first."""
    states = (connection_state.c[name] for name in STATE_COLUMNS)
    return (
        sa.select(table, connection_revision.c.document, *states)
        .select_from(_with_states(_with_documents(table)))
        .order_by(table.c.id.desc())
    )


def find_connections(sql: Sql, wanted: ConnectionFilter, page: Page) -> tuple[int, Sequence[Row[Any]]]:
    """Return how many connections match, and the rows of a page of them, newest first."""
    source: sa.FromClause = table
    # To count all of 10,000 connections no document need be read.
    if wanted.text is not None:
        source = _with_documents(source)
    if wanted.statuses is not None:
        source = _with_states(source)
    where = _conditions(wanted)
    count = sa.select(sa.func.count()).select_from(source).where(*where)
    rows = all_newest().where(*where).offset(page.offset).limit(page.size)
    return sql.scalar(count) or 0, sql.execute(rows).all()


def count_states(sql: Sql) -> dict[Status, int]:
    """Return how many connections are in each state that any is in."""
    query = sa.select(_STATUS, sa.func.count()).select_from(_with_states(table)).group_by(_STATUS)
    return {Status(status): number for status, number in sql.execute(query)}


def _with_documents(source: sa.FromClause) -> sa.FromClause:
    revision = connection_revision.c
    newest = (revision.connection_id == table.c.id) & (revision.revision == table.c.revision)
    return source.join(connection_revision, newest)


def _with_states(source: sa.FromClause) -> sa.FromClause:
    return source.outerjoin(connection_state, connection_state.c.connection_id == table.c.id)


def _conditions(wanted: ConnectionFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.ids is not None:
        found.append(table.c.id.in_(wanted.ids))
    if wanted.text is not None:
        texts = [sa.func.json_extract(connection_revision.c.document, member) for member in _SEARCHED]
        found.append(sa.or_(*(text.icontains(wanted.text, autoescape=True) for text in texts)))
    if wanted.statuses is not None:
        found.append(_STATUS.in_([each.value for each in wanted.statuses]))
    return found
