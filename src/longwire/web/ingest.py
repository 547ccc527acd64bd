"""The ingest door: authenticate and parse by the source, route, put, answer. 200 only once it is durable."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from longwire.core.delivery import is_expired
from longwire.core.flow import route
from longwire.core.message import Message
from longwire.sources import thingpark
from longwire.sources.ingest_request import IngestRequest
from longwire.storage.flows import Flows
from longwire.storage.network_servers import NetworkServers
from longwire.storage.queue_sql import Accepted, Put, Queue


class Ingest:
    """Accepts the requests of network servers."""

    def __init__(
        self,
        network_servers: NetworkServers,
        flows: Flows,
        validities: Mapping[int, timedelta],
        queue: Queue,
        witness: Callable[[Put, Accepted], None],
    ) -> None:
        """Keep what a request is checked against, and where it goes; `validities` by connection.

        `witness` sees what was put, and what came of it, once it is durable.
        """
        self._network_servers = network_servers
        self._flows = flows
        self._validities = validities
        self._queue = queue
        self._witness = witness

    async def accept(self, request: IngestRequest) -> None:
        """Return when the message is durable, or known from within the last hour.

        Raises NotFound for an unknown network server, what its source raises, and StorageUnavailable.
        """
        stored = self._network_servers.get(request.network_server_id)
        message = thingpark.parse(request, stored.server)
        connection_ids = route(self._flows.routes, message.dev_eui)
        put = Put(message, connection_ids, self._expired(message, connection_ids))
        self._witness(put, await self._queue.put(put))

    def _expired(self, message: Message, connection_ids: tuple[int, ...]) -> frozenset[int]:
        """Return for which connections the message is too old on arrival."""
        return frozenset(
            connection_id
            for connection_id in connection_ids
            if (validity := self._validities.get(connection_id)) is not None
            and is_expired(message.aged_from, validity, message.received_at)
        )
