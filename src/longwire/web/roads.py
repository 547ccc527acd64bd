"""Where an accepted message goes: by its device, by the flows, and by how old it may become (specification, 10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from longwire.core.delivery import is_expired
from longwire.core.message import DevEui, Message
from longwire.core.network_server import NetworkServer
from longwire.core.routing import Route, Router
from longwire.core.sighting import NOTHING_LEARNED, learn
from longwire.storage.devices import Devices
from longwire.storage.queue_sql import NOT_REGISTERED, Accepted, Put


@dataclass(frozen=True, slots=True)
class Roads:
    """What routing asks; `validities` says how old a message may be on a connection, for those that limit it."""

    router: Router
    devices: Devices
    validities: Mapping[int, timedelta]

    async def lead(self, message: Message, server: NetworkServer) -> Put:
        """Return the message with where it goes; what comes from an unregistered device may go nowhere."""
        dev_eui, router = message.dev_eui, self.router
        if not (server.auto_register_devices or await self.devices.is_registered(dev_eui)):
            return Put(message, (), unrouted=NOT_REGISTERED)
        said = learn(message.sighting) if router.asks_for else NOTHING_LEARNED
        traits = await self.devices.traits_of(dev_eui, said, router.asks_for)
        routes = router.route(dev_eui, traits, self.devices.own_connections(dev_eui))
        connection_ids = tuple([each.connection_id for each in routes])
        limited = [each for each in routes if each.validity or each.connection_id in self.validities]
        if not limited:
            return Put(message, connection_ids)
        return Put(
            message,
            connection_ids,
            frozenset(each.connection_id for each in limited if self._is_too_old(message, each)),
            {each.connection_id: message.aged_from + each.validity for each in limited if each.validity},
        )

    async def connections_of(self, dev_eui: DevEui) -> tuple[int, ...]:
        """Return the connections that a device's messages go to."""
        traits = await self.devices.traits_of(dev_eui, NOTHING_LEARNED, self.router.asks_for)
        routes = self.router.route(dev_eui, traits, self.devices.own_connections(dev_eui))
        return tuple(each.connection_id for each in routes)

    def note(self, put: Put, accepted: Accepted, server: NetworkServer) -> None:
        """Take in what a durable message tells of its device."""
        if not accepted.is_repeat:
            registers = server.auto_register_devices
            self.devices.sightings.note(put.message, accepted.message_id, registers=registers)

    def _is_too_old(self, message: Message, route: Route) -> bool:
        """Return whether it is too old on arrival: for the connection, or for the flows that lead there."""
        return any(
            validity is not None and is_expired(message.aged_from, validity, message.received_at)
            for validity in (self.validities.get(route.connection_id), route.validity)
        )
