"""The composition root: settings become a database, a queue, lanes and a listener. Knows every concrete class."""

import asyncio
import gc
import random
import resource
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial

from longwire import __version__, log
from longwire.clock import SystemClock
from longwire.core.downlink import Downlink, Refusal, rejection
from longwire.core.event import Kind, Occurrence
from longwire.engine import housekeeping
from longwire.engine.downlink_lane import DownlinkLane, DownlinkTools
from longwire.engine.lane import Tools
from longwire.engine.replayer import run_replays
from longwire.engine.supervisor import Supervisor
from longwire.front import make_front
from longwire.opened import Running, open_network, open_store
from longwire.settings import Settings
from longwire.sources.thingpark_downlink import Lrc
from longwire.storage.downlinks import Ticket
from longwire.storage.purge import Retention
from longwire.storage.queue_sql import Put
from longwire.web.listener import listen, make_server, stopped_by_signals


async def serve(settings: Settings, beside: Callable[[Running], Awaitable[None]] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `beside` runs from the start of the listener to the end.

    On the way down: stop accepting while the lanes end, within 10 s together; then close the store. What is accepted
    meanwhile waits on disk for the next start.
    """
    _raise_file_limit()
    with listen(settings) as listener:
        async with open_store(settings, SystemClock()) as store, open_network(settings, listener) as network:
            await _run(Running(settings, store, network, listener), beside)


async def _run(running: Running, beside: Callable[[Running], Awaitable[None]] | None) -> None:
    store = running.store
    supervisor = Supervisor(store.configurations, _tools(running), running.settings.base_url)
    store.configurations.announce = supervisor.notice
    downlinks = DownlinkLane(_downlink_tools(running))
    await downlinks.load()
    server = make_server(make_front(running, downlinks))

    def stop() -> None:
        server.should_exit = True
        supervisor.stop()
        downlinks.stop()

    async with asyncio.TaskGroup() as group:
        lanes = group.create_task(supervisor.run(), name="supervisor")
        lane = group.create_task(downlinks.run(), name="downlinks")
        company = [
            group.create_task(housekeeping.keep_on(name, work, SystemClock()), name=name)
            for name, work in _company(running)
        ]
        if beside is not None:
            company.append(group.create_task(_as_task(beside(running)), name="beside"))
        _let_the_collector_rest()
        log.info(log.SERVER_STARTED, address=running.address, version=__version__)
        with stopped_by_signals(stop):
            await server.serve(sockets=[running.listener])
        for task in company:
            task.cancel()
        await asyncio.wait([lanes, lane])
    log.info(log.SERVER_STOPPED)


def _let_the_collector_rest() -> None:
    """Look for garbage in cycles seldom, and never in what was made at the start.

    A message leaves none, but its values would have everything that lives searched many times a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _tools(running: Running) -> Tools:
    store = running.store
    return Tools(
        queue=store.queue,
        states=store.states,
        client=running.network.client,
        clock=SystemClock(),
        jitter=lambda: random.uniform(-1, 1),  # noqa: S311
        tell=store.witness.events.tell,
        settled=store.witness.saw_settled,
    )


def _downlink_tools(running: Running) -> DownlinkTools:
    store, clock = running.store, SystemClock()

    def lrc_of(network_server_id: str) -> Lrc | None:
        stored = store.network_servers.known.get(network_server_id)
        lrc = stored.server.lrc if stored else None
        return Lrc(lrc.endpoint, lrc.target.source) if lrc else None

    async def tell_rejected(ticket: Ticket, downlink: Downlink, cause: str) -> None:
        now, route = clock.now(), ticket.route
        message = rejection(Refusal(ticket.id, downlink, route.network_server_id, cause), now)
        await store.queue.put(Put(message, (route.connection_id,)))
        store.witness.events.tell(Occurrence(Kind.DOWNLINK_REJECTED, now, route.connection_id, cause=cause))

    return DownlinkTools(store.downlinks, running.network.client, clock, lrc_of, tell_rejected)


def _company(running: Running) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """Return what runs beside the lanes, by name."""
    store, clock, retention = running.store, SystemClock(), _retention(running.settings)
    write_down, witness = housekeeping.write_down, store.witness
    yield "replays", partial(run_replays, store.replays, clock)
    yield "downlinks", partial(housekeeping.purge_downlinks, store.downlinks, retention.dead_letters, clock)
    yield (
        "retention",
        partial(housekeeping.keep_house, store.database, store.queue, witness, retention, clock),
    )
    yield "events", partial(write_down, witness.events.flush, housekeeping.EVENTS_EVERY, clock)
    yield "traffic", partial(write_down, witness.traffic.flush, housekeeping.TRAFFIC_EVERY, clock)
    yield "last use", partial(write_down, store.accounts.save_last_use, housekeeping.LAST_USE_EVERY, clock)
    yield "debug", partial(housekeeping.end_debug, store.configurations, clock)
    yield "sightings", partial(housekeeping.write_sightings, store.devices.sightings, clock)


async def _as_task(work: Awaitable[None]) -> None:
    await work


def _retention(settings: Settings) -> Retention:
    return Retention(
        timedelta(hours=settings.keep_delivered_hours),
        timedelta(days=settings.keep_dead_letters_days),
        timedelta(days=settings.keep_backlog_days),
        timedelta(days=settings.keep_audit_days),
    )


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each destination holds sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
