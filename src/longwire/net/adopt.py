"""Handing a connected socket to the event loop, which closes it from then on."""

import asyncio
import socket
import ssl
from collections.abc import Callable


async def adopt(
    plain: socket.socket,
    factory: Callable[[], asyncio.BaseProtocol],
    context: ssl.SSLContext | None,
    host: str | None,
) -> None:
    """Give the socket to a protocol, through TLS with `host` if there is a context. Errors: OSError.

    uvloop closes the descriptor of a transport that ends before `create_connection` returns, but forgets to take
    it away from the socket object; when that is collected it would close the same number again, which may belong
    to another connection by then. So it is taken away here. (Python's own loop knows the descriptor by the socket
    object alone.)
    """
    loop = asyncio.get_running_loop()
    has_ended = True
    try:
        transport, _ = await loop.create_connection(factory, sock=plain, ssl=context, server_hostname=host)
        has_ended = transport.is_closing()
    finally:
        if has_ended and not isinstance(loop, asyncio.BaseEventLoop):
            plain.detach()
