"""A destination that answers 200 at once; `GET /count` tells how many requests it got. `python -m bench.sink PORT`."""

import asyncio
import sys
from typing import cast

import httptools
import uvloop


class Sink(asyncio.Protocol):
    """One connection."""

    received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self.transport = cast("asyncio.Transport", transport)
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Keep the target."""
        self.url = url

    def on_message_complete(self) -> None:
        """Answer."""
        if self.url == b"/count":
            text = str(Sink.received).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
        else:
            Sink.received += 1
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.url = b""


async def main() -> None:
    """Listen until ended."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
