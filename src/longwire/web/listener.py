"""The listener: its socket, and uvicorn as it serves the front, ended by our signals."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from longwire.core.errors import Misconfigured
from longwire.settings import Settings
from longwire.web.protocol import LongwireProtocol
from longwire.web.server import Front


class _Server(uvicorn.Server):
    """uvicorn, but the signals are ours: after its clean end the lanes still have to end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(settings: Settings) -> socket.socket:
    """Return the listening socket; raises Misconfigured when the address cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; "
            "stop what uses it, or set LONGWIRE_PORT"
        ) from error


def make_server(front: Front) -> uvicorn.Server:
    """Return the server of the front."""
    return _Server(
        uvicorn.Config(
            front,
            http=LongwireProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
    )


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT call what ends the server."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    yield
