"""The ingest door: authenticate and parse by the source, route, put, answer. 200 only once it is durable."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from longwire.core.downlink import Report, read_report
from longwire.sources import thingpark
from longwire.sources.ingest_request import IngestRequest
from longwire.storage.network_servers import NetworkServers
from longwire.storage.queue_sql import Accepted, Put, Queue
from longwire.web.roads import Roads


@dataclass(frozen=True, slots=True)
class Ingest:
    """Accepts the requests of network servers.

    `witness` sees what was put, and what came of it, once it is durable; `reported` takes in what the network reports
    of a downlink.
    """

    network_servers: NetworkServers
    roads: Roads
    queue: Queue
    witness: Callable[[Put, Accepted], None]
    reported: Callable[[Report], Awaitable[None]]

    async def accept(self, request: IngestRequest) -> None:
        """Return when the message is durable, or known from within the last hour.

        Raises NotFound for an unknown network server, what its source raises, and StorageUnavailable.
        """
        stored = self.network_servers.get(request.network_server_id)
        message = thingpark.parse(request, stored.server)
        put = await self.roads.lead(message, stored.server)
        accepted = await self.queue.put(put)
        self.roads.note(put, accepted, stored.server)
        self.witness(put, accepted)
        # Also of a repeat: the first one may have failed between the two.
        if (report := read_report(message)) is not None:
            await self.reported(report)
