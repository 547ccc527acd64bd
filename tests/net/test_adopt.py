"""A descriptor is closed once: its number may belong to somebody else right after."""

import asyncio
import gc
import os
import socket
from datetime import timedelta

from longwire.core.http import Endpoint
from longwire.net.client import Client

# More than the pool keeps idle for one endpoint: the sockets above that end in the moment they are opened.
PROBES = 300


def sentinels(count: int) -> list[socket.socket]:
    """Return sockets that take the numbers which have just become free."""
    return [socket.socket() for _ in range(count)]


async def test_the_number_of_a_socket_that_ended_early_is_not_closed_again(client: Client) -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    endpoint = Endpoint("http", "127.0.0.1", server.sockets[0].getsockname()[1])
    watched: list[socket.socket] = []
    for _ in range(PROBES):
        assert await client.probe(endpoint, timedelta(seconds=10)) is None
        watched += sentinels(1)
    gc.collect()
    for each in watched:
        os.fstat(each.fileno())  # raises where somebody has closed it
        each.close()
    client.forget(endpoint)
    server.close()
    await server.wait_closed()
