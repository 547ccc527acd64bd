"""The ingest door: authenticate and parse by the source, route, put, answer. 200 only once it is durable."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from longwire.core.delivery import is_expired
from longwire.core.downlink import Report, read_report
from longwire.core.flow import route
from longwire.core.message import DevEui, Message
from longwire.sources import thingpark
from longwire.sources.ingest_request import IngestRequest
from longwire.storage.flows import Flows
from longwire.storage.network_servers import NetworkServers
from longwire.storage.queue_sql import Accepted, Put, Queue


@dataclass(frozen=True, slots=True)
class Ingest:
    """Accepts the requests of network servers; `validities` by connection.

    `witness` sees what was put, and what came of it, once it is durable; `reported` takes in what the network reports
    of a downlink.
    """

    network_servers: NetworkServers
    flows: Flows
    validities: Mapping[int, timedelta]
    queue: Queue
    witness: Callable[[Put, Accepted], None]
    reported: Callable[[DevEui, Report], Awaitable[None]]

    async def accept(self, request: IngestRequest) -> None:
        """Return when the message is durable, or known from within the last hour.

        Raises NotFound for an unknown network server, what its source raises, and StorageUnavailable.
        """
        stored = self.network_servers.get(request.network_server_id)
        message = thingpark.parse(request, stored.server)
        connection_ids = route(self.flows.routes, message.dev_eui)
        put = Put(message, connection_ids, self._expired(message, connection_ids))
        self.witness(put, await self.queue.put(put))
        # Also of a repeat: the first one may have failed between the two.
        if message.dev_eui is not None and (report := read_report(message)) is not None:
            await self.reported(message.dev_eui, report)

    def _expired(self, message: Message, connection_ids: tuple[int, ...]) -> frozenset[int]:
        """Return for which connections the message is too old on arrival."""
        return frozenset(
            connection_id
            for connection_id in connection_ids
            if (validity := self.validities.get(connection_id)) is not None
            and is_expired(message.aged_from, validity, message.received_at)
        )
