"""A test: one message sent by a connection's own client, proxy and TLS, past its state, its queue and its limits."""

from dataclasses import dataclass, replace

import msgspec

from longwire.clock import Clock
from longwire.core.access import Author
from longwire.core.delivery import Outcome, Waiting
from longwire.core.message import Message
from longwire.core.request import Target
from longwire.engine.sender import Sender
from longwire.net.client import Client
from longwire.storage.configurations import Configurations
from longwire.storage.queue_sql import Queue
from longwire.storage.trials import begin_trial


@dataclass(frozen=True, slots=True)
class Trials:
    """What tests are sent with; `base_url` is how others reach this server."""

    configurations: Configurations
    queue: Queue
    client: Client
    clock: Clock
    base_url: str

    async def send(self, connection_id: int, tested: Message, by: Author | None = None) -> int:
        """Send a message once and return the id of its delivery, its result recorded; raises NotFound.

        Neither the connection's state nor its metrics learn of it. It is sent once more only when an idle socket was
        closed under it; whatever comes back is final.
        """
        stored = await self.configurations.load(connection_id)
        once = replace(stored.connection.configuration, strict_mode=False, uplink_time_validity=None)
        url = f"{self.base_url}/iot-flow/downlinkMessages/{stored.downlink_uuid}"
        target = Target(once, url, stored.connection.debug)
        sender = Sender(target, stored.revision, self.client, self.clock, self.queue.webhook_id)
        delivery_id = await begin_trial(self.queue, connection_id, tested, by)
        at = tested.received_at
        visit = await sender.visit(
            Waiting(delivery_id, delivery_id, tested.order_key, at, at, is_test=True), tested.body
        )
        result = visit.settlement
        if result.outcome is Outcome.QUEUED:
            result = msgspec.structs.replace(result, outcome=Outcome.LOST)
        await self.queue.settle(result)
        return delivery_id
