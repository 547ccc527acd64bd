"""The command line: serve, demo, simulate, receiver."""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from longwire import __version__
from longwire.core.errors import LongwireError, Misconfigured

EXIT_MISCONFIGURED = 2

cli = typer.Typer(
    help="LoRaWAN uplinks to HTTP: durable, ordered, observed.", no_args_is_help=True, add_completion=False
)


def main() -> None:
    """Run the command line; what the operator must change goes to standard error, exit code 2."""
    try:
        cli()
    except Misconfigured as error:
        print(f"longwire: {error}", file=sys.stderr)
        sys.exit(EXIT_MISCONFIGURED)


def _run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop

    try:
        uvloop.run(work)
    except* LongwireError as group:
        raise group.exceptions[0] from None


@cli.command()
def serve(
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings.")] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Settings: LONGWIRE_* in the environment (see the README)."""
    from longwire import app, log
    from longwire.settings import load_settings

    settings = load_settings(config)
    log.configure(settings.log_format)
    _run(app.serve(settings, _announce))


async def _announce(running: Any) -> None:
    """Say where the server is; print an owner key that was just made, once."""
    settings, made = running.settings, running.store.new_owner_key
    print(f"Longwire {__version__} listens on {running.address}")
    if settings.public_url is None:
        print(f"LONGWIRE_PUBLIC_URL is not set: uplink and downlink addresses begin with {settings.base_url}")
    if not settings.allow_destinations:
        print(
            "Only destinations on the public internet are allowed. For others set LONGWIRE_ALLOW_DESTINATIONS, "
            "for example to 10.0.0.0/8, private or loopback."
        )
    if made:
        print(f"Owner key (shown once; also in {settings.data / 'owner.key'}): {made}")
    sys.stdout.flush()


@cli.callback()
def _root() -> None:
    """Hold the commands together, also while there is only one."""
