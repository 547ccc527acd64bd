"""`longwire deliveries` and `longwire tail`: what becomes of messages, looked up and live."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from longwire.cli.api import Api, make_api
from longwire.cli.options import (
    AsJson,
    ConfigFile,
    Connection,
    Containing,
    Device,
    Key,
    Outcomes,
    Since,
    Status,
    Until,
    Url,
    given,
    moment,
    with_query,
)
from longwire.cli.table import print_table
from longwire.clock import SystemClock
from longwire.settings import load_settings

_PAGE = 5000
_TAIL_PAGE = 1000
_LOOK_EVERY_S = 1.0
_COLUMNS = ("id", "received", "outcome", "connection", "device", "fCnt", "attempts", "last", "reason")


def deliveries(  # noqa: PLR0913, PLR0917 - each option of the command is an argument
    connection: Connection = None,
    device: Device = None,
    outcome: Outcomes = None,
    status: Status = None,
    since: Since = None,
    until: Until = None,
    text: Containing = None,
    limit: Annotated[int, typer.Option(help="How many to print at most.", min=1)] = 50,
    as_json: AsJson = False,  # noqa: FBT002
    url: Url = None,
    key: Key = None,
    config: ConfigFile = None,
) -> None:
    """Print deliveries, newest first: what became of each message on each connection.

    Exit codes: 0 printed (also when none matches), 1 the server refused or does not answer, 2 misconfigured.
    """
    now = SystemClock().now()
    wanted = given(
        connectionId=connection,
        devEUI=device,
        outcome=outcome,
        status=status,
        startTime=moment(since, "--since", now),
        endTime=moment(until, "--until", now),
        q=text,
    )
    found, looked_until = _find(make_api(load_settings(config), url, key), wanted, limit)
    if as_json:
        print(json.dumps(found))
    else:
        print_table(_COLUMNS, (_row(each) for each in found))
    if looked_until is not None and len(found) < limit:
        print(f"older ones were not looked at; go on with --until {looked_until}", file=sys.stderr)


def _find(api: Api, wanted: dict[str, Any], limit: int) -> tuple[list[Any], str | None]:
    """Return the newest deliveries, and how far the server has looked where it has not looked at all."""
    found: list[Any] = []
    number = 1
    while True:
        page = {"page": number, "perPage": min(limit, _PAGE)}
        answer = api.exchange("GET", with_query("/deliveries", {**wanted, **page}))
        found += answer.document
        if len(found) >= limit or not answer.headers.get("x-next-page"):
            return found[:limit], answer.headers.get("x-looked-until")
        number += 1


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    return (
        each["id"],
        each["receivedAt"],
        each["outcome"] + (" (test)" if each["test"] else ""),
        each["connectionId"],
        each["devEUI"],
        each["fCnt"],
        each["attemptCount"],
        each["lastStatus"] or each["lastCause"],
        each["reason"],
    )


def tail(  # noqa: PLR0913, PLR0917 - each option of the command is an argument
    connection: Connection = None,
    device: Device = None,
    outcome: Outcomes = None,
    status: Status = None,
    text: Containing = None,
    count: Annotated[int | None, typer.Option(help="End after so many lines.", min=1)] = None,
    as_json: AsJson = False,  # noqa: FBT002
    url: Url = None,
    key: Key = None,
    config: ConfigFile = None,
) -> None:
    """Print what happens to messages that arrive from now on, a line for each change, until Ctrl-C.

    Exit codes: 0 ended by Ctrl-C or --count, 1 the server refused or does not answer, 2 misconfigured.
    """
    wanted = given(connectionId=connection, devEUI=device, outcome=outcome, status=status, q=text)
    lines = _changes(make_api(load_settings(config), url, key), wanted)
    try:
        for number, each in enumerate(lines, 1):
            print(json.dumps(each) if as_json else _line(each), flush=True)
            if number == count:
                return
    except KeyboardInterrupt:
        return


def _changes(api: Api, wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give each delivery when it was tried or settled, and again whenever that changes; looks every second.

    At most the newest 1,000 since the beginning are looked at; when there are more, a note on standard error says so.
    """
    begin = SystemClock().now().isoformat()
    seen: dict[str, tuple[object, ...]] = {}
    while True:
        asked = {**wanted, "startTime": begin, "perPage": _TAIL_PAGE}
        answer = api.exchange("GET", with_query("/deliveries", asked))
        for each in reversed(answer.document):
            state = (each["outcome"], each["attemptCount"])
            if state not in {("QUEUED", 0), seen.get(each["id"])}:
                seen[each["id"]] = state
                yield each
        if int(answer.headers["x-total"]) > _TAIL_PAGE:
            begin = answer.document[0]["receivedAt"]
            print(f"more than {_TAIL_PAGE} at once: some are not shown", file=sys.stderr)
        time.sleep(_LOOK_EVERY_S)


def _line(each: dict[str, Any]) -> str:
    parts = (
        each["settledAt"] or each["receivedAt"],
        f"{each['outcome']:<9}",
        f"{each['lastStatus'] or each['lastCause'] or '-'!s:<9}",
        f"connection {each['connectionId'] or '-'}",
        f"device {each['devEUI'] or '-'}",
        f"fCnt {'-' if each['fCnt'] is None else each['fCnt']}",
        f"attempt {each['attemptCount']}",
    )
    return "  ".join(parts)
