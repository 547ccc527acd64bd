"""Finding deliveries in the log: how many match a filter, and a page of them, newest first.

The theory. A list never looks at more than `LOOKED_AT` deliveries, and for a text at no more than `TEXTS_READ` bodies,
however long the log is. Candidates come from an index, newest first: those of the connection or of all, or, where the
filter leaves out what was delivered, from the small indexes of dead letters and of what waits. The rest of the filter
is judged on the candidates. When there were more candidates, `looked_until` tells how far the search came: the same
filter ending there finds the older ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from longwire.core.delivery import Outcome
from longwire.core.message import DevEui
from longwire.storage.database import Database
from longwire.storage.micros import from_micros, to_micros
from longwire.storage.page import Page
from longwire.storage.schema import delivery, message

LOOKED_AT = 100_000
TEXTS_READ = 20_000
READ_AT_ONCE = 1000
SUCCESS = 2

# Written as in the schema: only so does SQLite know that the partial index holds what is asked for.
_IS_DEAD = sa.text("outcome NOT IN ('QUEUED', 'DELIVERED')")
_IS_QUEUED = sa.text("outcome = 'QUEUED'")


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are asked for: those that match every member that is given.

    `status` is the first digit of the last status, 0 for those without one; `begin` is inclusive, `end` exclusive,
    both on the time of receipt; `text` is found in the message as received, in any case of ASCII letters.
    """

    connection_id: int | None = None
    dev_eui: DevEui | None = None
    outcomes: frozenset[Outcome] = frozenset()
    status: int | None = None
    begin: datetime | None = None
    end: datetime | None = None
    text: str | None = None

    @property
    def may_be_delivered(self) -> bool:
        """Return whether a delivered message can match."""
        if self.outcomes:
            return Outcome.DELIVERED in self.outcomes
        return self.status in {None, SUCCESS}


@dataclass(frozen=True, slots=True)
class Found:
    """How many deliveries matched among those looked at, and the rows of one page.

    `looked_until`: from there on all were looked at, and none that is older; None when all were.
    """

    total: int
    rows: Sequence[Row[Any]]
    looked_until: datetime | None = None


async def find_deliveries(database: Database, wanted: DeliveryFilter, page: Page) -> Found:
    """Return a page of the deliveries that match, newest first."""
    if wanted.text is not None:
        return await _find_text(database, wanted, wanted.text, page)
    candidates = _candidates(wanted)
    matches = sa.and_(sa.true(), *_rest(wanted, candidates.c))
    ids = (
        sa.select(candidates.c.id)
        .where(matches)
        .order_by(candidates.c.received_at.desc(), candidates.c.id.desc())
        .limit(page.size)
        .offset(page.offset)
    )
    counts, rows = await database.read(
        lambda sql: (sql.execute(_counts(wanted, candidates, matches)).all(), sql.execute(_rows(ids)).all())
    )
    return Found(sum(each.matching for each in counts), rows, from_micros(_cut_at(counts)))


async def _find_text(database: Database, wanted: DeliveryFilter, text: str, page: Page) -> Found:
    """Read the bodies of the newest candidates, some at a time: each read is short."""
    candidates = _candidates(wanted)
    query = (
        sa.select(candidates.c.id, candidates.c.received_at)
        .where(*_rest(wanted, candidates.c))
        .order_by(candidates.c.received_at.desc(), candidates.c.id.desc())
        .limit(TEXTS_READ)
    )
    rows, counts = await database.read(
        lambda sql: (sql.execute(query).all(), sql.execute(_counts(wanted, candidates, sa.true())).all())
    )
    found: list[int] = []
    for begin in range(0, len(rows), READ_AT_ONCE):
        ids = [row.id for row in rows[begin : begin + READ_AT_ONCE]]
        found += await with_text(database, ids, text)
    shown = await database.read(
        lambda sql: sql.execute(_rows(found[page.offset : page.offset + page.size])).all()
    )
    read_until = rows[-1].received_at + 1 if len(rows) == TEXTS_READ else 0
    return Found(len(found), shown, from_micros(max(read_until, _cut_at(counts) or 0) or None))


async def with_text(database: Database, ids: Sequence[int], text: str) -> list[int]:
    """Return those of the deliveries whose message holds the text, in the order given."""
    body = sa.cast(message.c.body, sa.Text)
    query = (
        sa.select(delivery.c.id)
        .join(message, message.c.id == delivery.c.message_id)
        .where(delivery.c.id.in_(ids), body.contains(text, autoescape=True))
    )
    found = await database.read(lambda sql: set(sql.scalars(query)))
    return [each for each in ids if each in found]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the log, read from the oldest delivery on: the time of receipt and the id of the last one read."""

    received_at: int
    id: int


BEGIN = Mark(0, 0)


async def scan(
    database: Database, wanted: DeliveryFilter, after: Mark, where: Sequence[sa.ColumnElement[bool]]
) -> tuple[list[Mark], Mark | None]:
    """Return which of the next settled deliveries match, oldest first, and where to go on; None at the end.

    One call reads at most `READ_AT_ONCE` of them; `where` are more conditions on each.
    """
    column = delivery.c
    matches = sa.and_(sa.true(), *_rest(wanted, column), *where)
    place = (column.received_at, column.id)
    query = (
        sa.select(*place, matches.label("matches"))
        .where(*_indexed(wanted), sa.tuple_(*place) > sa.tuple_(after.received_at, after.id))
        .order_by(*place)
        .limit(READ_AT_ONCE)
    )
    if not wanted.may_be_delivered:
        query = _from_dead(query)
    rows = await database.read(lambda sql: sql.execute(query).all())
    found = [Mark(row.received_at, row.id) for row in rows if row.matches]
    if wanted.text is not None:
        holding = set(await with_text(database, [each.id for each in found], wanted.text))
        found = [each for each in found if each.id in holding]
    return found, Mark(rows[-1].received_at, rows[-1].id) if len(rows) == READ_AT_ONCE else None


def _counts(
    wanted: DeliveryFilter, candidates: sa.Subquery, matches: sa.ColumnElement[bool]
) -> sa.Select[int, int, Any]:
    """Return how many candidates each index gave, how many of them match, and the oldest."""
    query = sa.select(
        sa.func.count().label("looked_at"),
        sa.func.count(sa.case((matches, 1))).label("matching"),
        sa.func.min(candidates.c.received_at).label("oldest"),
    )
    # Grouping is sorting: only where there can be several.
    return query if wanted.may_be_delivered else query.group_by(candidates.c.part)


def _cut_at(counts: Sequence[Row[Any]]) -> int | None:
    """Return from when on every index was looked at, where one of them had more to give."""
    return max((each.oldest + 1 for each in counts if each.looked_at >= LOOKED_AT), default=None)


def _candidates(wanted: DeliveryFilter) -> sa.Subquery:
    """Return what each index finds, newest first, at most `LOOKED_AT`; `part` names the index."""
    if wanted.may_be_delivered:
        return sa.select(_newest(wanted).subquery(), sa.literal(0).label("part")).subquery()
    parts = []
    if wanted.outcomes != {Outcome.QUEUED}:
        parts.append(_from_dead(_newest(wanted)))
    if not wanted.outcomes or Outcome.QUEUED in wanted.outcomes:
        parts.append(_newest_waiting(wanted))
    selects = (sa.select(part.subquery(), sa.literal(i).label("part")) for i, part in enumerate(parts))
    return sa.union_all(*selects).subquery()


def _from_dead(query: sa.Select[Any]) -> sa.Select[Any]:
    """Read the query from the index of dead letters: without statistics SQLite would read the whole log."""
    return query.where(_IS_DEAD).with_hint(delivery, "INDEXED BY delivery_dead", "sqlite")


def _newest(wanted: DeliveryFilter) -> sa.Select[Any]:
    """Return the newest deliveries by the conditions that an index knows, with the columns that the rest needs."""
    return (
        sa.select(delivery.c.id, delivery.c.received_at, *_judged(wanted))
        .where(*_indexed(wanted))
        .order_by(delivery.c.received_at.desc(), delivery.c.id.desc())
        .limit(LOOKED_AT)
    )


def _newest_waiting(wanted: DeliveryFilter) -> sa.Select[Any]:
    """Return what was queued last: the index knows the place in the queue, not the time."""
    queued = sa.select(delivery.c.id).where(_IS_QUEUED)
    if wanted.connection_id is not None:
        queued = queued.where(delivery.c.connection_id == wanted.connection_id)
    last = queued.order_by(delivery.c.position.desc()).limit(LOOKED_AT)
    columns = (delivery.c.id, delivery.c.received_at, *_judged(wanted))
    return sa.select(*columns).where(delivery.c.id.in_(last), *_indexed(wanted))


def _indexed(wanted: DeliveryFilter) -> list[sa.ColumnElement[bool]]:
    column = delivery.c
    where: list[sa.ColumnElement[bool]] = []
    if wanted.connection_id is not None:
        where.append(column.connection_id == wanted.connection_id)
    if wanted.begin is not None:
        where.append(column.received_at >= to_micros(wanted.begin))
    if wanted.end is not None:
        where.append(column.received_at < to_micros(wanted.end))
    return where


def _judged(wanted: DeliveryFilter) -> list[sa.Column[Any]]:
    """Return the columns that are judged on each candidate: reading no others keeps the count within the index."""
    column = delivery.c
    asked = (
        (column.order_key, wanted.dev_eui is not None),
        (column.outcome, bool(wanted.outcomes)),
        (column.last_status, wanted.status is not None),
    )
    return [each for each, is_asked in asked if is_asked]


def _rest(wanted: DeliveryFilter, column: Any) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if wanted.dev_eui is not None:
        where.append(column.order_key == wanted.dev_eui)
    if wanted.outcomes:
        where.append(column.outcome.in_([each.value for each in wanted.outcomes]))
    if wanted.status == 0:
        where.append(column.last_status.is_(None))
    elif wanted.status is not None:
        where.append(column.last_status.between(100 * wanted.status, 100 * wanted.status + 99))
    return where


def _rows(ids: sa.Select[Any] | Sequence[int]) -> sa.Select[Any]:
    """Return deliveries with their messages' envelopes, without bodies, newest first."""
    return (
        envelopes()
        .where(delivery.c.id.in_(ids))
        .order_by(delivery.c.received_at.desc(), delivery.c.id.desc())
    )


def envelopes() -> sa.Select[Any]:
    """Return every delivery with its message's envelope, without the body."""
    return sa.select(delivery, message.c.root, message.c.dev_eui, message.c.f_cnt).join(
        message, message.c.id == delivery.c.message_id
    )
