"""Each test of this folder runs on both event loops: uvloop, which Longwire uses, and the one of Python."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import pytest_asyncio
import uvloop

from longwire.core.address_policy import parse_allow_list
from longwire.net.client import Client
from longwire.net.resolver import Resolver
from longwire.net.tls import default_context

# Loading the system's authorities takes longer than a test.
CONTEXT = default_context()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    # Older loops of Python cannot do TLS within TLS; Longwire itself always runs on uvloop.
    own = {"asyncio": asyncio.new_event_loop} if sys.version_info >= (3, 11, 7) else {}
    return {**own, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def trust() -> ssl.SSLContext:
    """Whom the client trusts; a module may say otherwise."""
    return CONTEXT


@pytest_asyncio.fixture
async def client(trust: ssl.SSLContext) -> AsyncIterator[Client]:
    """A client that may dial loopback."""
    resolver = Resolver()
    client = Client(resolver, parse_allow_list("loopback"), tls=trust)
    yield client
    await client.close()
    await resolver.close()
