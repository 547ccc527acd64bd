"""What a running server holds: its store, opened and recovered, and its outgoing side."""

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from longwire.clock import Clock
from longwire.core.address_policy import AddressPolicy, parse_allow_list
from longwire.core.errors import StorageUnavailable
from longwire.core.meters import Meters
from longwire.net.client import Client
from longwire.net.interfaces import local_addresses
from longwire.net.resolver import Resolver
from longwire.settings import Settings
from longwire.storage.accounts import Accounts
from longwire.storage.activity import Activity
from longwire.storage.configurations import Configurations
from longwire.storage.data_folder import open_data_folder
from longwire.storage.database import Database
from longwire.storage.devices import Devices
from longwire.storage.downlinks import Downlinks
from longwire.storage.events import Events
from longwire.storage.flows import Flows
from longwire.storage.lane_states import LaneStates
from longwire.storage.network_servers import NetworkServers
from longwire.storage.queue_sql import Queue
from longwire.storage.recovery import begin_run, end_run
from longwire.storage.replay_jobs import ReplayJobs
from longwire.storage.schema import setting
from longwire.storage.secrets import Sealer, load_secret_key
from longwire.storage.traffic import Traffic
from longwire.storage.witness import Witness
from longwire.web.ui.sessions import Sessions

READY_TIMEOUT_S = 2.0


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
    sessions: Sessions
    new_owner_key: str | None

    def forget_connection(self, connection_id: int) -> None:
        """Lead no message to a connection any more."""
        self.flows.router.forget_connection(connection_id)
        self.devices.forget_connection(connection_id)

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
            store.configurations.forget = store.forget_connection
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
            if store.queue.is_settled:
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
        sessions=Sessions(accounts, clock.now, settings.base_url),
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


@asynccontextmanager
async def open_network(settings: Settings, listener: socket.socket) -> AsyncIterator[Network]:
    """Give the outgoing side, which never reaches our own listener; its sockets are closed at the end."""
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
