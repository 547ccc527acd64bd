"""The destination: nginx where it is installed, else our own; answers 200 at once and counts.

`python -m bench.sink PORT TLS_PORT CERTIFICATE` is our own; `GET /count` tells how many requests it got.
"""

import asyncio
import shutil
import ssl
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httptools
import trustme
import uvloop

from bench.processes import Measured, free_port, wait_for_port

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
PATIENCE_S = 60
SINK = "nginx" if NGINX else "our own sink"
_NGINX_CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid;
events {{ worker_connections 20000; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  keepalive_requests 1000000000; keepalive_timeout 1h;
  server {{
    listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.1:{tls_port} ssl backlog=4096;
    ssl_certificate {folder}/sink.pem; ssl_certificate_key {folder}/sink.pem;
    location = /count {{ stub_status; }}
    location / {{ return 200; }}
  }}
}}
"""


@dataclass(frozen=True)
class Address:
    """Where a destination listens, over HTTP and over TLS, and who vouches for it."""

    port: int
    tls_port: int = 0
    ca_file: Path = Path()

    def url(self, *, tls: bool = False) -> str:
        """Return where to post to."""
        return (
            f"https://127.0.0.1:{self.tls_port}/uplinks" if tls else f"http://127.0.0.1:{self.port}/uplinks"
        )


@dataclass
class Sink:
    """A running destination; `start` it in a folder."""

    running: Measured
    address: Address
    is_nginx: bool
    _polls: int = field(default=0)

    @classmethod
    def start(cls, folder: Path, port: int = 0, *, own: bool = NGINX is None) -> "Sink":
        """Return one that listens, on a free port when none is named; its certificate is for 127.0.0.1.

        `own` asks for our own.
        """
        port, tls_port, ca_file = port or free_port(), free_port(), folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(ca_file))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            str(folder / "sink.pem")
        )
        configuration = folder / "nginx.conf"
        configuration.write_text(_NGINX_CONFIGURATION.format(folder=folder, port=port, tls_port=tls_port))
        ours = (sys.executable, "-m", "bench.sink", str(port), str(tls_port), str(folder / "sink.pem"))
        command = ours if own else (str(NGINX), "-e", str(folder / "sink.log"), "-c", str(configuration))
        running = Measured.start(*command, log=folder / "sink.log")
        wait_for_port(port)
        return cls(running, Address(port, tls_port, ca_file), not own)

    def count(self) -> int:
        """Return how many requests it got, these questions left out."""
        self._polls += 1
        with urllib.request.urlopen(f"http://127.0.0.1:{self.address.port}/count", timeout=10) as response:
            text = response.read()
        return int(text.split()[9]) - self._polls if self.is_nginx else int(text)

    def wait_for(self, count: int) -> None:
        """Return when it has got so many; nothing at all for a minute is the end."""
        got, begin = 0, time.monotonic()
        while (now := self.count()) < count:
            if now > got:
                got, begin = now, time.monotonic()
            if time.monotonic() - begin > PATIENCE_S:
                sys.exit(f"only {got} of {count} arrived")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        self.running.stop()


class Exchange(asyncio.Protocol):
    """One socket of our own sink."""

    received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_message_complete(self) -> None:
        if self.url == b"/count":
            text = str(Exchange.received).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
        else:
            Exchange.received += 1
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


async def main() -> None:
    port, tls_port, certificate = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Exchange, "127.0.0.1", int(port))
    secure = await loop.create_server(Exchange, "127.0.0.1", int(tls_port), ssl=context)
    await asyncio.gather(server.serve_forever(), secure.serve_forever())


if __name__ == "__main__":
    uvloop.run(main())
