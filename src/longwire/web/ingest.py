"""The ingest door: authenticate and parse by the source, route, put, answer. 200 only once it is durable."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from longwire import log
from longwire.core.delivery import is_expired
from longwire.core.flow import route
from longwire.core.message import Message
from longwire.sources import thingpark
from longwire.sources.ingest_request import IngestRequest
from longwire.storage.flows import Flows
from longwire.storage.network_servers import NetworkServers
from longwire.storage.queue_sql import Put, Queue


class Ingest:
    """Accepts the requests of network servers."""

    def __init__(
        self,
        network_servers: NetworkServers,
        flows: Flows,
        validities: Mapping[int, timedelta],
        queue: Queue,
    ) -> None:
        """Keep what a request is checked against, and where it goes; `validities` by connection."""
        self._network_servers = network_servers
        self._flows = flows
        self._validities = validities
        self._queue = queue
        self._unrouted_since_log = 0
        self._unrouted_logged_at: datetime | None = None

    async def accept(self, request: IngestRequest) -> None:
        """Return when the message is durable, or known from within the last hour.

        Raises NotFound for an unknown network server, what its source raises, and StorageUnavailable.
        """
        stored = self._network_servers.get(request.network_server_id)
        message = thingpark.parse(request, stored.server)
        connection_ids = route(self._flows.routes, message.dev_eui)
        await self._queue.put(Put(message, connection_ids, self._expired(message, connection_ids)))
        if not connection_ids:
            self._warn_unrouted(message.dev_eui, request.received_at)

    def _expired(self, message: Message, connection_ids: tuple[int, ...]) -> frozenset[int]:
        """Return for which connections the message is too old on arrival."""
        return frozenset(
            connection_id
            for connection_id in connection_ids
            if (validity := self._validities.get(connection_id)) is not None
            and is_expired(message.aged_from, validity, message.received_at)
        )

    def _warn_unrouted(self, dev_eui: str | None, now: datetime) -> None:
        """Log at most one warning a minute, with the count since the last."""
        self._unrouted_since_log += 1
        last = self._unrouted_logged_at
        if last is not None and (now - last).total_seconds() < 60:  # noqa: PLR2004
            return
        log.warning(log.INGEST_UPLINK_UNROUTED, dev_eui=dev_eui, count=self._unrouted_since_log)
        self._unrouted_since_log = 0
        self._unrouted_logged_at = now
