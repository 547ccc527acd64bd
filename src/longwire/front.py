"""What answers every request, put together from a running server's parts."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from litestar.handlers import HTTPRouteHandler

from longwire.clock import SystemClock
from longwire.core.access import Author
from longwire.core.allowance import Allowance
from longwire.core.configuration import Connection
from longwire.core.http import Endpoint
from longwire.core.message import Message
from longwire.engine.downlink_lane import DownlinkLane
from longwire.engine.trial import Trials
from longwire.net.judge import find_blocked
from longwire.net.tls import check_tls
from longwire.opened import Running, Store
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
from longwire.web.api_trials import TrialsApi
from longwire.web.downlink_door import DownlinkDoor
from longwire.web.identity import Authentication
from longwire.web.ingest import Ingest
from longwire.web.limits import Limits
from longwire.web.metrics_page import MetricsPage
from longwire.web.roads import Roads
from longwire.web.server import Front, make_api, public_paths
from longwire.web.ui.pages import Ground, make_site

CHECK_TIMEOUT = timedelta(seconds=3)


def make_front(running: Running, downlinks: DownlinkLane) -> Front:
    """Return what answers every request."""
    store, now = running.store, SystemClock().now
    authentication = _authentication(running)
    parts = _parts(running, authentication)
    api = make_api([*(each for part in parts for each in part.routes()), *planned_routes()])
    roads = Roads(store.flows.router, store.devices, store.configurations.validities)
    door = _downlink_door(store, roads, downlinks)
    ground = Ground(
        api=api,
        downlinks=door,
        authentication=authentication,
        sessions=store.sessions,
        base_url=running.settings.base_url,
        commits=lambda: store.database.commits,
        now=now,
    )
    return Front(
        ingest=_ingest(store, roads),
        downlinks=door,
        authentication=authentication,
        api=api,
        site=make_site(ground),
        public_paths=public_paths(api),
        metrics_page=MetricsPage(store.witness, store.database, running.settings.metrics_public),
        is_ready=store.can_write,
        now=now,
        downlinks_need_key=running.settings.downlink_needs_key,
    )


def _downlink_door(store: Store, roads: Roads, downlinks: DownlinkLane) -> DownlinkDoor:
    return DownlinkDoor(
        configurations=store.configurations,
        network_servers=store.network_servers,
        downlinks=store.downlinks,
        roads=roads,
        hand_over=downlinks.add,
        count_waiting=downlinks.count,
        now=SystemClock().now,
    )


def _ingest(store: Store, roads: Roads) -> Ingest:
    return Ingest(
        store.network_servers,
        roads,
        store.queue,
        store.witness.saw_put,
        store.downlinks.note_report,
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

    connections = ConnectionsApi(store.configurations, store.activity, refuses, base_url)
    return (
        ConnectorsApi(base_url),
        connections,
        DownlinksApi(store.downlinks, store.configurations, connections.show),
        FlowsApi(store.flows),
        NetworkServersApi(store.network_servers, refuses, base_url, store.devices.sightings),
        DevicesApi(store.devices, SystemClock().now),
        *_log_parts(running, connections.check_destination),
        EventsApi(store.witness.events),
        MetricsApi(store.witness.traffic, store.activity, store.downlinks),
        AuditApi(store.database),
        KeysApi(store.accounts, SystemClock().now),
        OAuthApi(store.accounts, authentication),
    )


def _log_parts(
    running: Running, check_destination: Callable[[Connection], Awaitable[None]]
) -> tuple[_Part, ...]:
    """Return the delivery log, and what sends messages again or as a test."""
    store, base_url, clock = running.store, running.settings.base_url, SystemClock()

    async def send_test(connection_id: int, tested: Message, by: Author) -> int:
        trials = Trials(store.configurations, store.queue, running.network.client, clock, base_url)
        return await trials.send(connection_id, tested, by)

    deliveries = DeliveriesApi(store.activity, store.configurations, store.queue, clock.now)
    return (
        deliveries,
        ReplaysApi(store.replays),
        TrialsApi(store.configurations, deliveries, check_destination, send_test, base_url, clock.now),
    )


def _authentication(running: Running) -> Authentication:
    settings = running.settings
    limits = Limits(
        Allowance(settings.max_requests_per_minute), Allowance(settings.max_failed_logins_per_minute)
    )
    return Authentication(running.store.accounts, limits, SystemClock().now)
