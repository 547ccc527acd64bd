"""The command line. Exit codes: 0 done, 1 refused or failed, 2 misconfigured; `replay` and `apply` have more."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longwire import __version__
from longwire.cli.apply import apply, export
from longwire.cli.deliveries import deliveries, tail
from longwire.cli.keys import keys
from longwire.cli.replay import replay
from longwire.core.errors import LongwireError, Misconfigured

if TYPE_CHECKING:
    from longwire.demo.fleet import Fleet
    from longwire.demo.fleet_run import FleetOptions, UplinkResult
    from longwire.demo.lrc import LrcOptions
    from longwire.opened import Running
    from longwire.settings import Settings

EXIT_FAILED = 1
EXIT_MISCONFIGURED = 2
DEMO_SENSORS = 20
DEMO_RATE_PER_SECOND = 2.0

cli = typer.Typer(
    help="LoRaWAN uplinks to HTTP: durable, ordered, observed.", no_args_is_help=True, add_completion=False
)
cli.add_typer(keys, name="keys")
for command in (apply, export, deliveries, replay, tail):
    cli.command()(command)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file with settings.")]


def main() -> None:
    """Run the command line; what must be changed goes to standard error."""
    try:
        cli()
    except LongwireError as error:
        print(f"longwire: {error}", file=sys.stderr)
        sys.exit(EXIT_MISCONFIGURED if isinstance(error, Misconfigured) else EXIT_FAILED)


@cli.command()
def serve(config: ConfigFile = None) -> None:
    """Serve until SIGTERM or Ctrl-C. Settings: LONGWIRE_* in the environment (see the README)."""
    from longwire import app

    _run(app.serve(_settings(config), _announce))


@cli.command()
def demo(config: ConfigFile = None) -> None:
    """Serve, with 20 simulated sensors and a receiver that prints a line for each delivered uplink."""
    from longwire import app

    settings = _settings(config)
    entries = [entry for entry in settings.allow_destinations.split(",") if entry.strip()]
    # The receiver of the demo listens on this machine.
    settings = replace(settings, allow_destinations=",".join({*entries, "loopback"}))
    _run(app.serve(settings, _perform))


@cli.command()
def simulate(  # noqa: PLR0913, PLR0917 - each option of the command is an argument
    url: Annotated[str, typer.Argument(help="The network server's uplinkUrl.")],
    devices: Annotated[int, typer.Option(help="How many sensors.", min=1, max=100_000)] = 20,
    rate: Annotated[float, typer.Option(help="Uplinks per second, of all sensors together.")] = 2.0,
    count: Annotated[int | None, typer.Option(help="Stop after so many uplinks.", min=1)] = None,
    key: Annotated[str | None, typer.Option(help="Sign with this tunnel key (asKey).")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sensors.")] = 1,
    downlinks: Annotated[
        int | None,
        typer.Option(help="Take downlinks on this port too, until Ctrl-C; 0: a free one.", min=0, max=65535),
    ] = None,
) -> None:
    """Send uplinks as a ThingPark LRC would, in order per device, repeated until they are acknowledged."""
    from longwire.demo.fleet import Fleet
    from longwire.demo.fleet_run import FleetOptions

    options = FleetOptions(rate_per_second=rate, count=count, key=key)
    _run(_simulate(Fleet(seed, devices), url, options, downlinks))


@cli.command()
def receiver(
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8081,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    mode: Annotated[str, typer.Option(help="ok, fail, hang, flap, slow or close.")] = "ok",
    status: Annotated[int, typer.Option(help="What fail and flap answer.", min=200, max=599)] = 500,
    *,
    allow_remote: Annotated[bool, typer.Option(help="Listen on an address others reach.")] = False,
) -> None:
    """Receive requests as posthere.io does: a line for each here, a page at / ; can fail, hang or flap."""
    from longwire.demo.behaviour import parse_behaviour
    from longwire.demo.receiver import ReceiverOptions

    behaviour = parse_behaviour(f'{{"mode":"{mode}","status":{status}}}'.encode())
    _run(_receive(ReceiverOptions(host, port, allow_remote, behaviour=behaviour)))


def _settings(config: Path | None) -> "Settings":
    from longwire import log
    from longwire.settings import load_settings

    settings = load_settings(config)
    log.configure(settings.log_format)
    return settings


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; an error of ours leaves its task groups as itself; Ctrl-C is a normal end."""
    import uvloop

    try:
        uvloop.run(work)
    except KeyboardInterrupt:
        return
    except BaseExceptionGroup as group:
        ours, others = group.split(LongwireError)
        if ours is None or others is not None:
            raise
        raise _first(ours) from None


def _first(group: BaseExceptionGroup[LongwireError]) -> LongwireError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _announce(running: "Running") -> None:
    """Say where the server is and what is worth knowing once; print an owner key that was just made."""
    settings, made = running.settings, running.store.new_owner_key
    print(f"Longwire {__version__} listens on {running.address}")
    if settings.public_url is None:
        print(f"LONGWIRE_PUBLIC_URL is not set: uplink and downlink addresses begin with {settings.base_url}")
    if not settings.allow_destinations:
        print(
            "Only destinations on the public internet are allowed; "
            "for others set LONGWIRE_ALLOW_DESTINATIONS, for example to 10.0.0.0/8, private or loopback."
        )
    if made:
        print(f"Owner key (shown once; also in {settings.data / 'owner.key'}): {made}")
    sys.stdout.flush()


async def _perform(running: "Running") -> None:
    """Run the receiver and the fleet beside the server."""
    from longwire.clock import SystemClock
    from longwire.demo.fleet import Fleet
    from longwire.demo.fleet_run import FleetOptions, run_fleet
    from longwire.demo.lrc import LrcOptions, lrc_url
    from longwire.demo.receiver import Receiver, ReceiverOptions
    from longwire.demo.show import describe
    from longwire.demo.stage import Stage

    now, store = SystemClock().now, running.store
    options = ReceiverOptions(port=running.settings.port + 1)
    async with Receiver(options, now, lambda got: _say(describe(got))) as bin_:
        fleet = Fleet(seed=1, count=DEMO_SENSORS)
        stage = Stage(store.configurations, store.flows, store.network_servers)
        port = running.settings.port + 2
        server = await stage.network_server(lrc_url(port))
        await stage.flow(fleet, await stage.connection(bin_.url))
        await _announce(running)
        _tell_demo(running, bin_.url)
        ingest_url, key = f"{running.address}/ingest/{server.id}", server.server.as_key
        fleet_options = FleetOptions(rate_per_second=DEMO_RATE_PER_SECOND, key=key)
        async with asyncio.TaskGroup() as group:
            group.create_task(_take_downlinks(fleet, LrcOptions(ingest_url, key, port), _say, _keep_quiet))
            await run_fleet(fleet, ingest_url, fleet_options, now, lambda _result: None)


def _tell_demo(running: "Running", receiver_url: str) -> None:
    from longwire.core.access import Role

    key_file = running.settings.data / "owner.key"
    if running.store.new_owner_key is None and running.settings.owner_key is None and key_file.exists():
        print(f"Owner key (from {key_file}): {key_file.read_text().strip()}")
    owner = next((key for key in running.store.accounts.list() if key.identity.role is Role.OWNER), None)
    if owner is not None:
        ticket = running.store.sessions.make_ticket(owner.identity)
        print(f"Open the pages, signed in (the link works once): {running.address}/ui/signIn?ticket={ticket}")
    print(f"{DEMO_SENSORS} simulated sensors send through Longwire to the receiver at {receiver_url} ;")
    print(
        "each line below is an uplink that arrived there. Ctrl-C ends it; the next run goes on.", flush=True
    )


async def _simulate(fleet: "Fleet", url: str, options: "FleetOptions", port: int | None) -> None:
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    from longwire.clock import SystemClock
    from longwire.demo.fleet_run import FleetCounts, run_fleet
    from longwire.demo.lrc import LrcOptions

    counts = FleetCounts()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("uplinks", total=options.count)

        def show(result: "UplinkResult") -> None:
            nonlocal counts
            counts = counts.after(result)
            words = f"{counts.refused} refused, {counts.repeated} repeated"
            progress.update(bar, completed=counts.acknowledged, description=f"uplinks ({words})")

        def tell_url(lrc_url: str) -> None:
            progress.print(f"Downlinks are taken at {lrc_url} : the lrcUrl of your network server.")

        async with asyncio.TaskGroup() as group:
            group.create_task(run_fleet(fleet, url, options, SystemClock().now, show))
            if port is not None:
                lrc = LrcOptions(url, options.key, port)
                group.create_task(_take_downlinks(fleet, lrc, progress.print, tell_url))
    if counts.refused:
        raise LongwireError(f"{counts.refused} uplinks were refused")


async def _take_downlinks(
    fleet: "Fleet", options: "LrcOptions", say: Callable[[str], None], started: Callable[[str], None]
) -> None:
    """Take downlinks for the fleet's devices as an LRC, until cancelled."""
    from longwire.clock import SystemClock
    from longwire.demo.downlink_desk import Desk
    from longwire.demo.lrc import Lrc, describe

    desk = Desk((device.dev_eui for device in fleet.devices), options.key)
    await Lrc(options, desk, SystemClock().now, lambda downlink: say(describe(downlink))).serve(started)


async def _receive(options: Any) -> None:
    from longwire.clock import SystemClock
    from longwire.demo.receiver import Receiver
    from longwire.demo.show import describe

    async with Receiver(options, SystemClock().now, lambda got: _say(describe(got))) as bin_:
        print(f"The receiver is at {bin_.url} ; open it in a browser, or POST anything to it.", flush=True)
        await asyncio.Event().wait()


def _say(line: str) -> None:
    print(line, flush=True)


def _keep_quiet(_line: str) -> None:
    """Say nothing."""
