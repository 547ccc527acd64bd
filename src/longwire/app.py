"""The composition root: settings become a database, a queue, lanes and a listener. Knows every concrete class."""

import asyncio
import ipaddress
import random
import resource
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from litestar.handlers import HTTPRouteHandler

from longwire import __version__, log
from longwire.clock import Clock, SystemClock
from longwire.core.address_policy import AddressPolicy, parse_allow_list
from longwire.core.allowance import Allowance
from longwire.core.downlink import Downlink, rejection
from longwire.core.errors import StorageUnavailable
from longwire.core.event import Kind, Occurrence
from longwire.core.http import Endpoint
from longwire.core.meters import Meters
from longwire.engine import housekeeping
from longwire.engine.downlink_lane import DownlinkLane, DownlinkTools
from longwire.engine.lane import Tools
from longwire.engine.replayer import run_replays
from longwire.engine.supervisor import Supervisor
from longwire.net.client import Client
from longwire.net.interfaces import local_addresses
from longwire.net.judge import find_blocked
from longwire.net.resolver import Resolver
from longwire.net.tls import check_tls
from longwire.settings import Settings
from longwire.sources.thingpark_downlink import Lrc
from longwire.storage.accounts import Accounts
from longwire.storage.activity import Activity
from longwire.storage.configurations import Configurations
from longwire.storage.data_folder import open_data_folder
from longwire.storage.database import Database
from longwire.storage.devices import Devices
from longwire.storage.downlinks import Downlinks, Ticket
from longwire.storage.events import Events
from longwire.storage.flows import Flows
from longwire.storage.lane_states import LaneStates
from longwire.storage.network_servers import NetworkServers
from longwire.storage.purge import Retention
from longwire.storage.queue_sql import Put, Queue
from longwire.storage.recovery import begin_run, end_run
from longwire.storage.replay_jobs import ReplayJobs
from longwire.storage.schema import setting
from longwire.storage.secrets import Sealer, load_secret_key
from longwire.storage.traffic import Traffic
from longwire.storage.witness import Witness
from longwire.web.api import planned_routes
from longwire.web.api_audit import AuditApi
from longwire.web.api_connections import ConnectionsApi
from longwire.web.api_connectors import ConnectorsApi
from longwire.web.api_deliveries import DeliveriesApi
from longwire.web.api_devices import DevicesApi
from longwire.web.api_downlinks import DownlinksApi
from longwire.web.api_events import EventsApi
from longwire.web.api_keys import KeysApi
from longwire.web.api_metrics import MetricsApi
from longwire.web.api_oauth import OAuthApi
from longwire.web.api_replays import ReplaysApi
from longwire.web.api_routing import FlowsApi, NetworkServersApi
from longwire.web.downlink_door import DownlinkDoor
from longwire.web.identity import Authentication
from longwire.web.ingest import Ingest
from longwire.web.limits import Limits
from longwire.web.listener import listen, make_server, stopped_by_signals
from longwire.web.metrics_page import MetricsPage
from longwire.web.roads import Roads
from longwire.web.server import Front, make_api, public_paths

READY_TIMEOUT_S = 2.0
CHECK_TIMEOUT = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Store:
    """Everything that survives, opened."""

    database: Database
    queue: Queue
    accounts: Accounts
    configurations: Configurations
    flows: Flows
    devices: Devices
    network_servers: NetworkServers
    activity: Activity
    replays: ReplayJobs
    witness: Witness
    states: LaneStates
    downlinks: Downlinks
    new_owner_key: str | None

    async def can_write(self) -> bool:
        """Return whether the writer commits within 2 s."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self.database.write(lambda sql: sql.execute(sa.select(1)).first())
        except (StorageUnavailable, TimeoutError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Network:
    """The outgoing side: names, judgement, requests."""

    resolver: Resolver
    policy: AddressPolicy
    client: Client


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts requests."""

    settings: Settings
    store: Store
    network: Network
    listener: socket.socket

    @property
    def address(self) -> str:
        """Return what a browser on this machine opens."""
        host, port = self.listener.getsockname()[:2]
        shown = "localhost" if host in {"127.0.0.1", "0.0.0.0", "::", "::1"} else host  # noqa: S104
        return f"http://{shown}:{port}"


@asynccontextmanager
async def open_store(settings: Settings, clock: Clock) -> AsyncIterator[Store]:
    """Give the store, locked for this process, after its recovery; note at the end that it ended cleanly."""
    with open_data_folder(settings.data):
        database = Database(settings.data / "longwire.db")
        database.start()
        try:
            store = await _open_parts(settings, database, clock)
            marked = await begin_run(database, clock.now())
            if marked is not None:
                store.witness.saw_unclean_end(marked)
            await store.witness.traffic.open(recount=marked is not None)
            await store.states.deactivate_idle(clock.now())
            yield store
            await store.witness.events.flush()
            await store.witness.traffic.flush()
            await store.accounts.save_last_use()
            await store.devices.sightings.write()
            await end_run(database)
        finally:
            await database.close()


async def _open_parts(settings: Settings, database: Database, clock: Clock) -> Store:
    meters = Meters()
    sealer = Sealer(load_secret_key(settings.data, settings.secret_key))
    store_id = await _identity(database, sealer)
    accounts = Accounts(database, sealer, clock.now)
    queue = Queue(database, store_id)
    store = Store(
        database=database,
        queue=queue,
        accounts=accounts,
        configurations=Configurations(database, sealer, clock.now),
        flows=Flows(database),
        devices=Devices(database, clock.now),
        network_servers=NetworkServers(database, sealer, clock.now),
        activity=Activity(database),
        replays=ReplayJobs(database, queue, clock.now),
        witness=Witness(Events(database, clock.now), Traffic(database, clock.now, meters), meters, clock.now),
        states=LaneStates(database),
        downlinks=Downlinks(database, sealer, clock.now),
        new_owner_key=await accounts.load(settings.owner_key, settings.data),
    )
    await store.queue.open()
    await store.witness.events.open()
    store.configurations.tell = store.witness.events.tell
    database.on_commit = store.witness.saw_commit
    await store.flows.load()
    await store.configurations.load_validities()
    await store.network_servers.load()
    await store.devices.load(store.network_servers.registers_devices)
    return store


async def _identity(database: Database, sealer: Sealer) -> str:
    """Return the store's id, made at the first start; raises Misconfigured when the secret key is another one."""
    rows = await database.read(lambda sql: sql.execute(sa.select(setting)).all())
    known = {row.name: row.value for row in rows}
    if "store_id" in known:
        sealer.open(known["secret_key_proof"], "setting/secret_key_proof")
        return str(known["store_id"])
    store_id = secrets.token_hex(4)
    proof = sealer.seal(store_id, "setting/secret_key_proof")
    values = [{"name": "store_id", "value": store_id}, {"name": "secret_key_proof", "value": proof}]
    await database.write(lambda sql: sql.execute(sa.insert(setting), values))
    return store_id


async def serve(settings: Settings, beside: Callable[[Running], Awaitable[None]] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `beside` runs from the start of the listener to the end.

    On the way down: stop accepting, then let the lanes end, then close the store.
    """
    _raise_file_limit()
    with listen(settings) as listener:
        async with open_store(settings, SystemClock()) as store, _open_network(settings, listener) as network:
            await _run(Running(settings, store, network, listener), beside)


async def _run(running: Running, beside: Callable[[Running], Awaitable[None]] | None) -> None:
    store = running.store
    supervisor = Supervisor(store.configurations, _tools(running), running.settings.base_url)
    store.configurations.announce = supervisor.notice
    downlinks = DownlinkLane(_downlink_tools(running))
    await downlinks.load()
    server = make_server(make_front(running, downlinks))
    async with asyncio.TaskGroup() as group:
        lanes = group.create_task(supervisor.run(), name="supervisor")
        lane = group.create_task(downlinks.run(), name="downlinks")
        company = [group.create_task(work) for work in _company(running)]
        if beside is not None:
            company.append(group.create_task(_as_task(beside(running)), name="beside"))
        log.info(log.SERVER_STARTED, address=running.address, version=__version__)
        with stopped_by_signals(server):
            await server.serve(sockets=[running.listener])
        for task in company:
            task.cancel()
        supervisor.stop()
        downlinks.stop()
        await asyncio.wait([lanes, lane])
    log.info(log.SERVER_STOPPED)


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
        message = rejection(downlink, cause, route.network_server_id, now)
        await store.queue.put(Put(message, (route.connection_id,)))
        store.witness.events.tell(Occurrence(Kind.DOWNLINK_REJECTED, now, route.connection_id, cause=cause))

    return DownlinkTools(store.downlinks, running.network.client, clock, lrc_of, tell_rejected)


def _company(running: Running) -> Iterator[Coroutine[Any, Any, None]]:
    """Return what runs beside the lanes."""
    store, clock = running.store, SystemClock()
    yield run_replays(store.replays, clock)
    yield housekeeping.keep_house(
        store.database, store.queue, store.witness, _retention(running.settings), clock
    )
    yield housekeeping.write_down(store.witness.events.flush, housekeeping.EVENTS_EVERY, clock)
    yield housekeeping.write_down(store.witness.traffic.flush, housekeeping.TRAFFIC_EVERY, clock)
    yield housekeeping.write_down(store.accounts.save_last_use, housekeeping.LAST_USE_EVERY, clock)
    yield housekeeping.write_sightings(store.devices.sightings, clock)


async def _as_task(work: Awaitable[None]) -> None:
    await work


@asynccontextmanager
async def _open_network(settings: Settings, listener: socket.socket) -> AsyncIterator[Network]:
    host, port = listener.getsockname()[:2]
    policy = parse_allow_list(
        settings.allow_destinations,
        own_listeners=((ipaddress.ip_address(host), port),),
        local_addresses=local_addresses(),
    )
    resolver = Resolver(settings.resolver)
    client = Client(resolver, policy)
    yield Network(resolver, policy, client)
    await client.close()
    await resolver.close()


def make_front(running: Running, downlinks: DownlinkLane) -> Front:
    """Return what answers every request."""
    store = running.store
    authentication = _authentication(running)
    parts = _parts(running, authentication)
    api = make_api([*(each for part in parts for each in part.routes()), *planned_routes()])
    roads = Roads(store.flows.router, store.devices, store.configurations.validities)
    door = DownlinkDoor(
        configurations=store.configurations,
        network_servers=store.network_servers,
        downlinks=store.downlinks,
        roads=roads,
        hand_over=downlinks.add,
        count_waiting=downlinks.count,
        now=SystemClock().now,
    )
    ingest = Ingest(
        store.network_servers,
        roads,
        store.queue,
        store.witness.saw_put,
        store.downlinks.note_report,
    )
    page = MetricsPage(store.witness, store.database, running.settings.metrics_public)
    return Front(
        ingest, door, authentication, api, public_paths(api), page, store.can_write, SystemClock().now
    )


class _Part(Protocol):
    """One part of the API."""

    def routes(self) -> list[HTTPRouteHandler]:
        """Return its handlers."""


def _parts(running: Running, authentication: Authentication) -> tuple[_Part, ...]:
    store, base_url = running.store, running.settings.base_url

    async def refuses(endpoint: Endpoint) -> tuple[str, str] | None:
        if (problem := check_tls(endpoint.tls, SystemClock().now())) is not None:
            return "tls", problem
        network = running.network
        blocked = await find_blocked(network.resolver, network.policy, endpoint, CHECK_TIMEOUT)
        return (blocked.party.value, blocked.reason) if blocked else None

    connections = ConnectionsApi(
        store.configurations, store.flows, store.devices, store.activity, refuses, base_url
    )
    return (
        ConnectorsApi(base_url),
        connections,
        DownlinksApi(store.downlinks, store.configurations, connections.show),
        FlowsApi(store.flows),
        NetworkServersApi(store.network_servers, refuses, base_url, store.devices.sightings),
        DevicesApi(store.devices, SystemClock().now),
        DeliveriesApi(store.activity, store.configurations, store.queue, SystemClock().now),
        ReplaysApi(store.replays),
        EventsApi(store.witness.events),
        MetricsApi(store.witness.traffic, store.activity),
        AuditApi(store.database),
        KeysApi(store.accounts, SystemClock().now),
        OAuthApi(store.accounts, authentication),
    )


def _authentication(running: Running) -> Authentication:
    settings = running.settings
    limits = Limits(
        Allowance(settings.max_requests_per_minute), Allowance(settings.max_failed_logins_per_minute)
    )
    return Authentication(running.store.accounts, limits, SystemClock().now)


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
