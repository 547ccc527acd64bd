"""Settling: the outcome of a delivery and its attempts, written together."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection as Sql

from longwire.core.delivery import MAX_LOGGED_BODY_BYTES, Attempt, Outcome, Settlement
from longwire.storage.micros import MICROSECOND, to_micros
from longwire.storage.rows import write_rows

# Nearly every attempt is a delivered one: it binds only what it has. The driver's binding of a None costs most.
_INSERT_PLAIN = (
    'INSERT INTO attempt (delivery_id, number, at, "trigger", duration, revision, status, remote_address)'
    " VALUES {rows}"
)
_INSERT_FULL = (
    'INSERT INTO attempt (delivery_id, number, at, "trigger", duration, revision, status, remote_address,'
    " cause, detail, response_headers, response_body, truncated, request_body) VALUES {rows}"
)
# An outcome without an attempt (expired, cannot be rendered) leaves what came last.
_PROGRESS = (
    "attempt_count=attempt_count+v.column3, resends=v.column4,"
    " last_status=CASE v.column3 WHEN 0 THEN last_status ELSE v.column5 END,"
    " last_cause=CASE v.column3 WHEN 0 THEN last_cause ELSE v.column6 END"
)
_OF_ROWS = "FROM (VALUES {rows}) AS v WHERE delivery.id=v.column1"
_SETTLE = (
    f"UPDATE delivery SET {_PROGRESS}, reason=v.column2, outcome=v.column7, settled_at=v.column8, not_before=NULL"  # noqa: S608
    f" {_OF_ROWS}"
)
# What was discarded or has expired meanwhile stays so: only its attempt is counted.
_KEEP = (
    f"UPDATE delivery SET {_PROGRESS}, reason=CASE outcome WHEN 'QUEUED' THEN v.column2 ELSE reason END,"  # noqa: S608
    f" not_before=CASE outcome WHEN 'QUEUED' THEN v.column7 END {_OF_ROWS}"
)


def settle_batch(sql: Sql, settlements: Sequence[Settlement]) -> list[None]:
    """Write attempts and outcomes; runs in the writer."""
    attempts = [(each.delivery_id, row) for each in settlements for row in each.attempts]
    write_rows(sql, _INSERT_PLAIN, [_plain_row(*each) for each in attempts if _is_plain(each[1])])
    write_rows(sql, _INSERT_FULL, [_full_row(*each) for each in attempts if not _is_plain(each[1])])
    settled = [each for each in settlements if each.outcome is not Outcome.QUEUED]
    kept = [each for each in settlements if each.outcome is Outcome.QUEUED]
    write_rows(sql, _SETTLE, [(*_progress(each), each.outcome.value, to_micros(each.at)) for each in settled])
    write_rows(sql, _KEEP, [(*_progress(each), to_micros(each.not_before)) for each in kept])
    return [None] * len(settlements)


def _progress(each: Settlement) -> tuple[Any, ...]:
    last = each.attempts[-1] if each.attempts else None
    return (
        each.delivery_id,
        each.reason,
        len(each.attempts),
        each.resends,
        last.status if last else None,
        last.cause if last else None,
    )


def _is_plain(row: Attempt) -> bool:
    return row.response is None and row.cause is None and not row.detail


def _plain_row(delivery_id: int, row: Attempt) -> tuple[Any, ...]:
    return (
        delivery_id,
        row.number,
        to_micros(row.at),
        row.trigger.value,
        row.duration // MICROSECOND,
        row.revision,
        row.status,
        row.remote_address,
    )


def _full_row(delivery_id: int, row: Attempt) -> tuple[Any, ...]:
    response = row.response
    return (
        *_plain_row(delivery_id, row),
        row.cause,
        row.detail or None,
        json.dumps(response.headers) if response else None,
        _logged_body(response.body, row) if response else None,
        response.truncated if response else None,
        row.request_body,
    )


def _logged_body(body: bytes, row: Attempt) -> bytes:
    """Return what is kept of an answer's body: with debug, all that was read."""
    return body if row.request_body is not None else body[:MAX_LOGGED_BODY_BYTES]
