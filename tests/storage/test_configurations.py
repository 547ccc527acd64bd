"""Connections, their states, flows, network servers and keys as they are stored."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.storage.uplinks import HOUR, SECOND, T0, connection, count, outcomes, uplink

from longwire.core.access import Role
from longwire.core.configuration import Connection, mask, to_document
from longwire.core.connection_state import Outage, State, Status
from longwire.core.errors import Conflict, InvalidInput, NotFound, Unauthorized
from longwire.core.fields import MASK
from longwire.core.flow import Flow, FlowConnector, KeyMatcher
from longwire.core.message import DevEui
from longwire.core.network_server import NetworkServer
from longwire.core.routing import Route
from longwire.storage.accounts import Accounts
from longwire.storage.configurations import MAX_CONNECTIONS, Configurations, StoredConnection
from longwire.storage.database import Database
from longwire.storage.edit import replaced_by
from longwire.storage.flows import Flows
from longwire.storage.lane_states import LaneStates
from longwire.storage.network_servers import NetworkServers
from longwire.storage.page import Page
from longwire.storage.queue_sql import Queue
from longwire.storage.schema import connection as connection_table
from longwire.storage.schema import connection_state, device
from longwire.storage.secrets import Sealer

SEALER = Sealer("secret")
SECRET = connection({"Authorization": "Bearer x", "X-A": "{DevEUI}"})
A, B = DevEui("A" * 16), DevEui("B" * 16)
BOTH = (KeyMatcher(A), KeyMatcher(B))


@pytest.fixture
def configurations(database: Database) -> Configurations:
    times: Iterator[int] = iter(range(1000))
    return Configurations(database, SEALER, lambda: T0 + next(times) * SECOND)


async def accept(_connection: Connection) -> None:
    """Let every change pass."""


# Connections


async def test_a_connection_is_stored_with_its_secrets_and_announced(configurations: Configurations) -> None:
    announced: list[int] = []
    configurations.announce = announced.append

    connection_id = await configurations.create(SECRET)

    stored = await configurations.load(connection_id)
    assert (stored.connection, stored.revision, announced) == (SECRET, 1, [connection_id])
    assert await configurations.open_downlink(stored.downlink_uuid) == connection_id
    with pytest.raises(NotFound):
        await configurations.open_downlink(stored.downlink_uuid.upper())


async def test_a_masked_secret_survives_a_change_and_both_revisions_stay(
    configurations: Configurations,
) -> None:
    connection_id = await configurations.create(SECRET)
    masked = mask(to_document(SECRET))
    assert masked["configuration"]["headers"]["Authorization"] == MASK

    await configurations.replace(connection_id, replaced_by({**masked, "name": "new"}), accept)

    stored = await configurations.load(connection_id)
    assert (stored.connection, stored.revision) == (replace(SECRET, name="new"), 2)
    assert await configurations.load_revision(connection_id, 1) == SECRET
    assert await configurations.load_revision(connection_id, 2) == stored.connection
    assert await configurations.load_revision(connection_id, 3) is None


async def test_a_change_that_is_refused_changes_nothing(configurations: Configurations) -> None:
    connection_id = await configurations.create(SECRET)

    async def refuse(_connection: Connection) -> None:
        raise InvalidInput("configuration.destinationURL", "blocked")

    with pytest.raises(InvalidInput, match="blocked"):
        await configurations.replace(connection_id, replaced_by(to_document(connection())), refuse)
    with pytest.raises(InvalidInput, match="connectorId"):
        await configurations.replace(connection_id, replaced_by({}), accept)
    assert (await configurations.load(connection_id)).revision == 1


async def test_the_list_is_newest_first_and_masked(configurations: Configurations) -> None:
    first, second = [await configurations.create(SECRET) for _ in range(2)]

    listed = await configurations.list()

    assert [each.id for each in listed] == [second, first]
    assert listed[0].document == mask(to_document(SECRET))
    assert [each.id for each in await configurations.list([first, 99])] == [first]


async def test_a_deleted_connection_leaves_its_backlog_discarded_and_flows_forget_it(
    configurations: Configurations, database: Database
) -> None:
    gone, other = [await configurations.create(connection()) for _ in range(2)]
    flows = Flows(database)
    await flows.create(Flow(None, None, (), (FlowConnector(gone), FlowConnector(other))))
    await LaneStates(database).save(gone, State(Status.OPENED, T0))
    queue = Queue(database, "store")
    await queue.open()
    await queue.put(uplink("a", gone, other))

    with pytest.raises(Conflict, match="messages wait"):
        await configurations.delete(gone, keep_backlog=True)
    await configurations.delete(gone, keep_backlog=False)

    assert sorted(each.value for each in (await outcomes(database)).values()) == ["DISCARDED", "QUEUED"]
    await flows.load()
    assert flows.router.route(A) == (Route(other),)
    assert await count(database, connection_state) == 0
    for missing in (configurations.load(gone), configurations.delete(gone, keep_backlog=False)):
        with pytest.raises(NotFound, match="no such connection"):
            await missing


async def test_an_id_is_not_given_again_when_the_newest_connection_was_deleted(
    configurations: Configurations,
) -> None:
    gone = await configurations.create(connection())
    await configurations.delete(gone, keep_backlog=False)

    assert await configurations.create(connection()) > gone


async def test_there_are_at_most_10_000_connections(
    configurations: Configurations, database: Database
) -> None:
    rows = [
        {"id": n, "revision": 1, "active": False, "downlink_uuid": "", "downlink_uuid_hash": str(n).encode()}
        | {"created_at": 0, "updated_at": 0}
        for n in range(1, MAX_CONNECTIONS)
    ]
    await database.write(lambda sql: sql.execute(sa.insert(connection_table), rows).rowcount)
    assert await configurations.create(connection()) == MAX_CONNECTIONS == 10_000

    with pytest.raises(Conflict, match="10000 connections"):
        await configurations.create(connection())


# States


@pytest.mark.parametrize(
    "state",
    [
        State(Status.OPENED, T0, "because"),
        State(Status.CLOSED, T0, "é", Outage(T0 - HOUR, 5 * SECOND, T0 + SECOND)),
        State(Status.CLOSED, T0, "given up", Outage(T0 - HOUR, 5 * SECOND, None)),
        State(Status.DEACTIVATED, T0),
    ],
)
async def test_a_state_is_read_back_as_saved(
    configurations: Configurations, database: Database, state: State
) -> None:
    connection_id = await configurations.create(connection())
    states = LaneStates(database)
    assert await states.load(connection_id) is None

    await states.save(connection_id, State(Status.OPENING, T0))
    await states.save(connection_id, state)
    await states.save(99, state)

    assert await states.load(connection_id) == state
    assert await states.load(99) is None


async def test_at_the_start_only_inactive_connections_are_shown_as_deactivated(
    configurations: Configurations, database: Database
) -> None:
    states = LaneStates(database)
    active = await configurations.create(connection())
    idle = [await configurations.create(replace(connection(), active=False)) for _ in range(2)]
    await states.save(active, State(Status.OPENED, T0))
    await states.save(idle[0], State(Status.OPENED, T0))

    await states.deactivate_idle(T0 + HOUR)

    assert await states.load(active) == State(Status.OPENED, T0)
    assert [await states.load(each) for each in idle] == [State(Status.DEACTIVATED, T0 + HOUR)] * 2


# Flows


async def test_routes_follow_every_change_of_a_flow(
    configurations: Configurations, database: Database
) -> None:
    one, two = [await configurations.create(connection()) for _ in range(2)]
    flows = Flows(database)
    keyed = await flows.create(Flow("x", None, BOTH, (FlowConnector(one, "own"),)))
    await flows.create(Flow(None, None, (), (FlowConnector(two),)))
    assert [flows.router.route(each) for each in (A, B, None)] == [
        (Route(one),),
        (Route(one),),
        (Route(two),),
    ]
    await flows.replace(keyed, lambda stored: {**stored, "matchers": stored["matchers"][:1]})
    assert [flows.router.route(each) for each in (A, B)] == [(Route(one),), (Route(two),)]

    await flows.delete(keyed)

    assert [flows.router.route(each) for each in (A, B, None)] == [(Route(two),)] * 3
    again = Flows(database)
    await again.load()
    assert again.router.route(A) == (Route(two),)
    for missing in (flows.get(keyed), flows.delete(keyed)):
        with pytest.raises(NotFound):
            await missing


async def test_a_flow_that_names_the_same_devices_or_no_connection_is_refused(
    configurations: Configurations, database: Database
) -> None:
    one = await configurations.create(connection())
    flows = Flows(database)
    await flows.create(Flow("x", None, BOTH, (FlowConnector(one),)))

    with pytest.raises(Conflict, match="names the same devices"):
        await flows.create(Flow("y", None, BOTH[::-1], ()))
    with pytest.raises(InvalidInput, match=r"connectors\[1\]\.connectionId: there is no such connection"):
        await flows.create(Flow("y", None, BOTH[:1], (FlowConnector(one), FlowConnector(99))))
    assert (await flows.list(Page(1, 10)))[0] == 1


# Network servers and keys


async def test_a_network_server_is_read_back_and_kept_while_devices_use_it(database: Database) -> None:
    servers = NetworkServers(database, SEALER, lambda: T0)
    server = NetworkServer("LRC", "46ab678cd45df4a4a7e4b375eacd096a", timedelta(minutes=5))
    created = await servers.create(server)
    values = {"dev_eui": A, "network_server_id": created.id, "created_at": 0}
    await database.write(lambda sql: sql.execute(sa.insert(device).values(values)).rowcount)

    again = NetworkServers(database, SEALER, lambda: T0)
    await again.load()
    assert again.get(created.id) == created
    assert created.server == server
    with pytest.raises(Conflict, match="1 devices use this network server"):
        await again.delete(created.id, force=False)
    await again.delete(created.id, force=True)
    query = sa.select(device.c.network_server_id)
    assert await database.read(lambda sql: sql.scalars(query).all()) == [None]
    with pytest.raises(NotFound):
        again.get(created.id)


async def test_the_first_start_makes_one_owner_key_for_its_owner_only(
    database: Database, tmp_path: Path
) -> None:
    accounts = Accounts(database, SEALER, lambda: T0)

    made = await accounts.load(None, tmp_path)

    assert made is not None
    assert accounts.identify(made).role is Role.OWNER
    assert (tmp_path / "owner.key").stat().st_mode & 0o777 == 0o600
    assert await accounts.load(None, tmp_path) is None
    for wrong in ("", made + " ", made.upper()):
        with pytest.raises(Unauthorized):
            accounts.identify(wrong)


async def test_a_configured_key_is_the_owners_as_long_as_it_is_configured(
    database: Database, tmp_path: Path
) -> None:
    accounts = Accounts(database, SEALER, lambda: T0)
    assert await accounts.load("configured", tmp_path) is None
    assert accounts.identify("configured").role is Role.OWNER

    made = await accounts.load(None, tmp_path)

    assert made is not None
    with pytest.raises(Unauthorized):
        accounts.identify("configured")


async def test_what_runs_is_the_newest_revision_at_the_moment_it_is_noted(
    configurations: Configurations, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await configurations.create(connection())
    load = configurations.load
    saved: list[int] = []

    async def load_while_another_saves(connection_id: int) -> StoredConnection:
        stored = await load(connection_id)
        if not saved:
            saved.append(stored.revision)
            await configurations.replace(connection_id, replaced_by(to_document(stored.connection)), accept)
        return stored

    monkeypatch.setattr(configurations, "load", load_while_another_saves)
    assert (await configurations.load_to_run(number)).revision == 2
