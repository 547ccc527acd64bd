"""Each test of this folder runs on both event loops: uvloop, which Longwire uses, and the one of Python."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest_asyncio
import uvloop

from longwire.core.address_policy import parse_allow_list
from longwire.net.client import Client
from longwire.net.resolver import Resolver
from longwire.net.tls import default_context

# Loading the system's authorities takes longer than a test.
CONTEXT = default_context()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    """A client that may dial loopback."""
    resolver = Resolver()
    client = Client(resolver, parse_allow_list("loopback"), tls=CONTEXT)
    yield client
    await client.close()
    await resolver.close()
