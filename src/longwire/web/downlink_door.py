"""The door for downlinks: an application POSTs to its connection's address, which alone authorizes it (section 9)."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from longwire.core.downlink import Credentials, parse_downlink
from longwire.core.errors import Forbidden, InvalidInput, TooManyRequests
from longwire.core.message import DevEui
from longwire.storage.configurations import Configurations
from longwire.storage.downlinks import Downlinks, Route, Ticket
from longwire.storage.network_servers import NetworkServers
from longwire.web.body import parse_json_body
from longwire.web.roads import Roads

MOST_WAITING = 100
"""Downlinks of one device that wait or are under way."""


@dataclass(frozen=True, slots=True)
class DownlinkDoor:
    """Accepts downlinks.

    `roads` knows where a device's messages go; `hand_over` gives a durable downlink to its lane,
    `count_waiting` says how many a device has there.
    """

    configurations: Configurations
    network_servers: NetworkServers
    downlinks: Downlinks
    roads: Roads
    hand_over: Callable[[Ticket], None]
    count_waiting: Callable[[DevEui, str], int]
    now: Callable[[], datetime]
    entering: Counter[tuple[DevEui, str]] = field(default_factory=Counter)
    """How many of a device are on their way to the lane."""

    async def accept(self, downlink_uuid: str, content_type: str, body: bytes) -> bytes:
        """Return the answer's body once the downlink is durable.

        Raises NotFound for an unknown address, Forbidden when the connection takes no downlinks or the device is not
        routed to it, InvalidInput, TooLarge, UnsupportedMediaType, TooManyRequests, StorageUnavailable.
        """
        connection_id = await self.configurations.open_downlink(downlink_uuid)
        configuration = (await self.configurations.load(connection_id)).connection.configuration
        document = parse_json_body(content_type, body)
        if not configuration.downlink_enabled:
            raise Forbidden("downlinkEnabled is false for this connection")
        downlink = parse_downlink(
            document,
            self.now(),
            default_port=configuration.downlink_port,
            new_correlation_id=secrets.token_hex(8).upper(),
        )
        route, known = await self._route(downlink.dev_eui, connection_id)
        who = downlink.credentials.or_else(configuration.downlink_as).or_else(known)
        downlink = replace(downlink, credentials=who)
        with self._place(downlink.dev_eui, route.network_server_id):
            self.hand_over(await self.downlinks.put(downlink, route))
        return msgspec.json.encode({"correlationId": downlink.correlation_id, "status": "QUEUED"})

    async def _route(self, dev_eui: DevEui, connection_id: int) -> tuple[Route, Credentials]:
        """Return where a device's downlink goes, and as whom its network server knows us."""
        if connection_id not in await self.roads.connections_of(dev_eui):
            raise Forbidden(f"DevEUI_downlink.DevEUI: {dev_eui} is not routed to this connection")
        server_id = await self.roads.devices.network_server_of(dev_eui)
        stored = self.network_servers.known.get(server_id or "")
        if stored is None:
            raise Forbidden(f"DevEUI_downlink.DevEUI: nothing was received from {dev_eui} yet")
        if stored.server.lrc is None:
            field = "DevEUI_downlink.DevEUI"
            raise InvalidInput(
                field, f"its network server {stored.server.name!r} has no configuration.lrcUrl"
            )
        return Route(connection_id, stored.id), Credentials(stored.server.as_id, stored.server.as_key)

    @contextmanager
    def _place(self, dev_eui: DevEui, network_server_id: str) -> Iterator[None]:
        """Hold one of a device's places until its lane counts the downlink; raises TooManyRequests."""
        device = (dev_eui, network_server_id)
        if self.count_waiting(*device) + self.entering[device] >= MOST_WAITING:
            raise TooManyRequests(f"{MOST_WAITING} downlinks of {dev_eui} wait already")
        self.entering[device] += 1
        try:
            yield
        finally:
            self.entering[device] -= 1
            if not self.entering[device]:
                del self.entering[device]
