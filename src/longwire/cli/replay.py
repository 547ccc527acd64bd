"""`longwire replay`: sends one message again, or every message a filter finds."""

import json
import signal
import sys
import threading
from typing import Annotated, Any
from urllib.parse import quote

import typer

from longwire.cli.api import Api, Refused, make_api
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
)
from longwire.clock import SystemClock
from longwire.settings import load_settings

EXIT_SOME_FAILED = 3
EXIT_CANCELLED = 130

_LOOK_EVERY_S = 0.5

Job = dict[str, Any]


def replay(  # noqa: PLR0913, PLR0917 - each option of the command is an argument
    delivery: Annotated[str | None, typer.Argument(help="The id of one delivery; else the filter.")] = None,
    to: Annotated[str | None, typer.Option(help="Send to this connection, as new deliveries.")] = None,
    connection: Connection = None,
    device: Device = None,
    outcome: Outcomes = None,
    status: Status = None,
    since: Since = None,
    until: Until = None,
    text: Containing = None,
    every: Annotated[bool, typer.Option("--all", help="Every dead letter there is.")] = False,  # noqa: FBT002
    include_delivered: Annotated[bool, typer.Option(help="Delivered ones, too.")] = False,  # noqa: FBT002
    dry_run: Annotated[bool, typer.Option(help="Only count them.")] = False,  # noqa: FBT002
    detach: Annotated[bool, typer.Option(help="Begin, and do not wait.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
    url: Url = None,
    key: Key = None,
    config: ConfigFile = None,
) -> None:
    """Send messages again: one by its id, or all that a filter finds; without --outcome every dead letter.

    Ctrl-C takes back what has not been sent.

    Exit codes: 0 all delivered (or counted, or begun with --detach, or the one message waits), 1 the server refused or
    does not answer, 2 misconfigured, 3 some were not delivered, 130 cancelled.
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
    _check_asked(delivery, wanted, every=every)
    api = make_api(load_settings(config), url, key)
    if delivery is not None:
        _replay_one(api, delivery, given(connectionId=to), as_json=as_json)
        return
    order = {"filter": wanted, **given(includeDelivered=include_delivered, dryRun=dry_run, connectionId=to)}
    interrupted = _interruption()
    begun: Job = api.call("POST", "/replays", order)
    if dry_run or detach:
        words = f"{begun['count']} would be sent again" if dry_run else f"replay {begun['id']} has begun"
        print(json.dumps(begun) if as_json else words)
        return
    _finish(_watch(api, begun, interrupted, quiet=as_json), as_json=as_json)


def _check_asked(delivery: str | None, wanted: dict[str, Any], *, every: bool) -> None:
    if delivery is not None and (wanted or every):
        raise typer.BadParameter("give one delivery's id or a filter, not both")
    if delivery is None and not wanted and not every:
        raise typer.BadParameter("give a delivery's id, a filter, or --all")


def _replay_one(api: Api, delivery: str, target: dict[str, str], *, as_json: bool) -> None:
    replayed = api.call("POST", f"/deliveries/{quote(delivery, safe='')}/replay", target)
    print(json.dumps(replayed) if as_json else f"delivery {replayed['id']} waits to be sent")


def _interruption() -> threading.Event:
    """Return what Ctrl-C sets: a job that has just begun must not be left alone; a second one ends the command."""
    interrupted = threading.Event()

    def note(_number: int, _frame: object) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    signal.signal(signal.SIGINT, note)
    return interrupted


def _watch(api: Api, begun: Job, interrupted: threading.Event, *, quiet: bool) -> Job:
    """Return the job when it has ended; Ctrl-C cancels it."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        bar = progress.add_task("sent again", total=begun["count"])

        def show(job: Job) -> None:
            words = f"sent again ({job['failed']} not delivered)"
            progress.update(bar, completed=job["done"] + job["failed"], description=words)

        while True:
            job: Job = api.call("GET", f"/replays/{begun['id']}")
            show(job)
            if job["state"] != "running":
                return job
            if interrupted.wait(_LOOK_EVERY_S):
                return _cancel(api, begun["id"])


def _cancel(api: Api, job_id: str) -> Job:
    try:
        api.call("DELETE", f"/replays/{job_id}")
    except Refused as refusal:
        print(f"longwire: {refusal}", file=sys.stderr)
    job: Job = api.call("GET", f"/replays/{job_id}")
    return job


def _finish(job: Job, *, as_json: bool) -> None:
    words = f"{job['state']}: {job['done']} of {job['count']} delivered, {job['failed']} not"
    print(json.dumps(job) if as_json else words)
    if job["state"] == "cancelled":
        raise typer.Exit(EXIT_CANCELLED)
    if job["failed"]:
        raise typer.Exit(EXIT_SOME_FAILED)
