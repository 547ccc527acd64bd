"""What the demo needs in a store: a network server, a connection to the receiver, a flow; found again later."""

import secrets
from dataclasses import dataclass
from typing import Any

from longwire.core.configuration import parse_connection
from longwire.core.errors import Conflict
from longwire.core.fields import MASK
from longwire.core.flow import parse_flow
from longwire.core.network_server import parse_network_server
from longwire.demo.fleet import AS_ID, Fleet
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

    async def network_server(self, lrc_url: str) -> StoredNetworkServer:
        """Return the demo's network server, made with a fresh tunnel key at the first run.

        Its downlinks go to this run's LRC.
        """
        for known in self.network_servers.known.values():
            if known.server.name == NETWORK_SERVER:
                changed = replaced_by(_network_server(MASK, lrc_url))
                is_same = known.server.lrc is not None and known.server.lrc.url == lrc_url
                return known if is_same else await self.network_servers.replace(known.id, changed, _accept)
        made = _network_server(secrets.token_hex(16), lrc_url)
        return await self.network_servers.create(parse_network_server(made))

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


def _network_server(as_key: str, lrc_url: str) -> dict[str, Any]:
    configuration = {"asKey": as_key, "asId": AS_ID, "lrcUrl": lrc_url}
    return {"name": NETWORK_SERVER, "type": "thingpark", "configuration": configuration}


async def _accept(_document: object) -> None:
    """Check nothing: the demo's own receiver and LRC are allowed."""
