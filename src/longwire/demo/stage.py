"""What the demo needs in a store: a network server, a connection to the receiver, a flow; found again later."""

import secrets
from dataclasses import dataclass

from longwire.core.configuration import parse_connection
from longwire.core.errors import Conflict
from longwire.core.flow import parse_flow
from longwire.core.network_server import NetworkServer
from longwire.demo.fleet import Fleet
from longwire.storage.configurations import Configurations
from longwire.storage.edit import replaced_by
from longwire.storage.flows import Flows
from longwire.storage.network_servers import NetworkServers, StoredNetworkServer

NETWORK_SERVER = "Demo network server"
CONNECTION = "Demo receiver"
FLOW = "Demo sensors"
HEADERS = {"X-Thing": "{DevEUI}", "X-Name": "{CustomerData.name|DevEUI}", "X-Site": "BuildingA"}


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo is set up."""

    configurations: Configurations
    flows: Flows
    network_servers: NetworkServers

    async def network_server(self) -> StoredNetworkServer:
        """Return the demo's network server, made with a fresh tunnel key at the first run."""
        for known in self.network_servers.known.values():
            if known.server.name == NETWORK_SERVER:
                return known
        return await self.network_servers.create(NetworkServer(NETWORK_SERVER, as_key=secrets.token_hex(16)))

    async def connection(self, receiver_url: str) -> int:
        """Return the id of the demo's connection, made at the first run; it leads to this run's receiver."""
        url = f"{receiver_url}/uplinks/{{DevEUI}}"
        document = {
            "connectorId": "actility-http-iot",
            "name": CONNECTION,
            "configuration": {"destinationURL": url, "headers": HEADERS},
        }
        for listed in await self.configurations.list():
            if listed.document.get("name") == CONNECTION:
                if listed.document["configuration"]["destinationURL"] != url:
                    await self.configurations.replace(listed.id, replaced_by(document), _accept)
                return listed.id
        return await self.configurations.create(parse_connection(document))

    async def flow(self, fleet: Fleet, connection_id: int) -> None:
        """Route the fleet's devices to the connection, unless a flow does already."""
        matchers = [{"type": "key", "key": f"lora:{device.dev_eui}"} for device in fleet.devices]
        connectors = [{"connectionId": str(connection_id)}]
        try:
            await self.flows.create(
                parse_flow({"name": FLOW, "matchers": matchers, "connectors": connectors})
            )
        except Conflict:
            return


async def _accept(_connection: object) -> None:
    """Check nothing: the demo's own receiver is allowed."""
