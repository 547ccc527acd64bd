"""Real proxies as processes of the test: Squid and tinyproxy from Debian, pproxy from PyPI."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from longwire.core.http import Proxy

SQUID = "/usr/sbin/squid"
SQUID_AUTH = "/usr/lib/squid/basic_ncsa_auth"
TINYPROXY = "/usr/bin/tinyproxy"

USER, PASSWORD = "gateway", "s3cret-Pa55"
# `openssl passwd -apr1 -salt abcdefgh s3cret-Pa55`
_USERS_LINE = f"{USER}:$apr1$abcdefgh$XajRXDvKwlQzisfA8U5aP.\n"

_SQUID_CONFIGURATION = """\
http_port 127.0.0.1:{port}
https_port 127.0.0.1:{tls_port} tls-cert={folder}/server.pem tls-key={folder}/server.key
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
access_log stdio:{folder}/access.log
logfile_rotate 0
coredump_dir {folder}
cache deny all
cache_mem 8 MB
max_filedescriptors 1024
dns_nameservers 127.0.0.1
pinger_enable off
shutdown_lifetime 0 seconds
connect_timeout 1 second
forward_timeout 1 second
connect_retries 0
{login}
http_access deny all
"""
_SQUID_LOGIN = """\
auth_param basic program {helper} {folder}/users
acl known proxy_auth REQUIRED
http_access allow known"""
_TINYPROXY_CONFIGURATION = """\
Port {port}
Listen 127.0.0.1
Timeout 20
LogFile "{folder}/access.log"
LogLevel Connect
MaxClients 50
{login}
"""
# pproxy asks for the loop of the main thread, which newer Pythons do not make by themselves.
_PPROXY = """\
import asyncio, sys
sys.modules["uvloop"] = None
asyncio.set_event_loop(asyncio.new_event_loop())
from pproxy.server import main
main(["--auth", "-1", "-l", sys.argv[1]])
"""


@dataclass(frozen=True, slots=True)
class RunningProxy:
    """A proxy that answers on `port`, and with TLS on `tls_port` where it can; `log` names who went through."""

    port: int
    tls_port: int
    log: Path
    authority: trustme.CA

    def proxy(self, scheme: str = "http", password: str | None = None) -> Proxy:
        """Return how to reach it; with a password, as the known user."""
        user = None if password is None else USER
        port = self.tls_port if scheme == "https" else self.port
        return Proxy(scheme, "localhost", port, user, password)

    async def logged(self, text: str) -> bool:
        """Return whether the log shows the text, soon."""
        for _ in range(40):
            if self.log.exists() and text in self.log.read_text():
                return True
            await asyncio.sleep(0.05)
        return False


@contextlib.asynccontextmanager
async def squid(*, asks_for_login: bool) -> AsyncIterator[RunningProxy]:
    """Run a Squid, with TLS on a second port."""
    _skip_without("squid", SQUID, SQUID_AUTH)
    with _folder() as folder:
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost")
        (folder / "server.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        (folder / "server.key").write_bytes(leaf.private_key_pem.bytes())
        (folder / "users").write_text(_USERS_LINE)
        login = (
            _SQUID_LOGIN.format(helper=SQUID_AUTH, folder=folder)
            if asks_for_login
            else "http_access allow all"
        )

        def command(port: int, tls_port: int) -> Sequence[str]:
            text = _SQUID_CONFIGURATION.format(port=port, tls_port=tls_port, folder=folder, login=login)
            (folder / "squid.conf").write_text(text)
            return [SQUID, "-N", "-f", str(folder / "squid.conf")]

        async with _running(command, folder, authority) as proxy:
            yield proxy


@contextlib.asynccontextmanager
async def tinyproxy(*, asks_for_login: bool) -> AsyncIterator[RunningProxy]:
    """Run a tinyproxy."""
    _skip_without("tinyproxy", TINYPROXY)
    with _folder() as folder:
        login = f"BasicAuth {USER} {PASSWORD}" if asks_for_login else ""

        def command(port: int, _: int) -> Sequence[str]:
            text = _TINYPROXY_CONFIGURATION.format(port=port, folder=folder, login=login)
            (folder / "tinyproxy.conf").write_text(text)
            return [TINYPROXY, "-d", "-c", str(folder / "tinyproxy.conf")]

        async with _running(command, folder, None) as proxy:
            yield proxy


@contextlib.asynccontextmanager
async def pproxy(*, asks_for_login: bool) -> AsyncIterator[RunningProxy]:
    """Run pproxy as a SOCKS5 server."""
    if importlib.util.find_spec("pproxy") is None:
        pytest.skip("pproxy is not installed (requirements-dev.in)")
    login = f"#{USER}:{PASSWORD}" if asks_for_login else ""
    with _folder() as folder:

        def command(port: int, _: int) -> Sequence[str]:
            where = f"socks5://127.0.0.1:{port}/{login}"
            return [sys.executable, "-W", "ignore", "-c", _PPROXY, where]

        async with _running(command, folder, None) as proxy:
            yield proxy


def _skip_without(package: str, *programs: str) -> None:
    missing = [program for program in programs if not Path(program).exists()]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found; on Debian: apt install {package}")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder that a proxy may write into after it has given up being root (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="longwire-proxy-"))
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def _running(
    command: Callable[[int, int], Sequence[str]], folder: Path, authority: trustme.CA | None
) -> AsyncIterator[RunningProxy]:
    port, tls_port = _free_ports()
    output = (folder / "output").open("wb")
    process = await asyncio.create_subprocess_exec(
        *command(port, tls_port), stdout=output, stderr=output, env={**os.environ, "PYTHONPATH": ""}
    )
    try:
        await _wait_until_open(port, process, folder)
        yield RunningProxy(port, tls_port, folder / "access.log", authority or trustme.CA())
    finally:
        if process.returncode is None:
            process.kill()  # Squid takes two seconds to end by itself; its helpers end with their pipe
        await process.wait()
        output.close()


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]


async def _wait_until_open(port: int, process: asyncio.subprocess.Process, folder: Path) -> None:
    for _ in range(200):
        if process.returncode is not None:
            break
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"the proxy did not start: {(folder / 'output').read_text()[-2000:]}")
