"""The options that the commands which work through the API share."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

Url = Annotated[str | None, typer.Option("--url", help="The server; else LONGWIRE_URL, else this machine.")]
Key = Annotated[
    str | None,
    typer.Option("--key", help="An API key; better LONGWIRE_KEY: others see a command's options."),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file with settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

Connection = Annotated[str | None, typer.Option("--connection", help="Of this connection: its id.")]
Device = Annotated[str | None, typer.Option("--device", help="Of this device: its DevEUI.")]
Outcomes = Annotated[
    list[str] | None, typer.Option("--outcome", help="With this outcome, LOST for one; several are possible.")
]
Status = Annotated[str | None, typer.Option("--status", help="By the last status: 2xx, 3xx, 4xx, 5xx, none.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Received from then on: a time, or 30m, 12h, 2d ago.")
]
Until = Annotated[str | None, typer.Option("--until", help="Received before: a time, or 30m, 12h, 2d ago.")]
Containing = Annotated[str | None, typer.Option("--text", help="With this text in the message.")]

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str | None, option: str, now: datetime) -> str | None:
    """Return a time for the API: an ISO time as given, or so long ago (`2h`); an error of usage otherwise."""
    if text is None:
        return None
    if (ago := _AGO.fullmatch(text)) is not None:
        return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).isoformat()
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        problem = f"expected a time like 2026-03-14T10:00:00Z, or 30m, 12h, 2d, got {text[:40]!r}"
        raise typer.BadParameter(problem, param_hint=option) from error
    return text


def given(**members: Any) -> dict[str, Any]:
    """Return the members that were given."""
    return {name: value for name, value in members.items() if value}


def with_query(path: str, members: dict[str, Any]) -> str:
    """Return a path with its parameters; a list gives its parameter several times."""
    return f"{path}?{urlencode(members, doseq=True)}"
