"""Turns: how many work at once, who goes on without a slot, who comes first; and dark destinations beside healthy."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.net.conftest import CONTEXT
from tests.net.destination import OK, Destination, answering
from tests.net.dns_server import DnsServer

from longwire.core.address_policy import parse_allow_list
from longwire.core.http import Cause, Endpoint, HttpResponse, TransportFailure
from longwire.net.client import Client
from longwire.net.resolver import Resolver
from longwire.net.slots import Limits, Slots

LATER = timedelta(seconds=20)
NEVER_S = 3600.0


class Crowd:
    """Tasks that each hold a slot until they are let go."""

    def __init__(self, slots: Slots) -> None:
        self.working: list[str] = []
        self._slots = slots
        self._doors: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def add(self, name: str, *, is_doubtful: bool = False, wait_s: float = 20) -> None:
        self._doors[name] = asyncio.Event()
        work = self._work(name, is_doubtful, asyncio.get_running_loop().time() + wait_s)
        self._tasks[name] = asyncio.create_task(work)
        await asyncio.sleep(0.01)

    async def _work(self, name: str, is_doubtful: bool, deadline: float) -> None:  # noqa: FBT001
        async with self._slots.turn(deadline, is_doubtful=is_doubtful):
            self.working.append(name)
            await self._doors[name].wait()

    async def let_go(self, name: str) -> None:
        self._doors[name].set()
        await self._tasks[name]
        await asyncio.sleep(0.01)

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.gather(self._tasks[name], return_exceptions=True)
        await asyncio.sleep(0.01)

    async def end(self) -> None:
        for door in self._doors.values():
            door.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def slots(at_once: int, waiting_at_once: int = 0, patience_s: float = NEVER_S) -> Slots:
    return Slots(Limits(at_once, waiting_at_once, patience_s))


async def test_no_more_work_at_once_than_allowed_and_in_the_order_of_coming() -> None:
    crowd = Crowd(slots(2))
    for name in ("a", "b", "c", "d"):
        await crowd.add(name)
    assert crowd.working == ["a", "b"]
    await crowd.let_go("b")
    assert crowd.working == ["a", "b", "c"]
    await crowd.let_go("a")

    assert crowd.working == ["a", "b", "c", "d"]
    await crowd.end()


async def test_the_doubtful_come_after_the_hopeful() -> None:
    crowd = Crowd(slots(1))
    await crowd.add("first")
    for name in ("dark1", "dark2"):
        await crowd.add(name, is_doubtful=True)
    await crowd.add("healthy")
    for name in ("first", "healthy", "dark1"):
        await crowd.let_go(name)

    assert crowd.working == ["first", "healthy", "dark1", "dark2"]
    await crowd.end()


async def test_who_takes_long_goes_on_without_a_slot_and_makes_room() -> None:
    crowd = Crowd(slots(1, waiting_at_once=2, patience_s=0.05))
    for name in ("slow1", "slow2", "slow3", "late"):
        await crowd.add(name)
    await asyncio.sleep(0.3)

    assert crowd.working == ["slow1", "slow2", "slow3"]  # two without a slot, the third keeps his
    await crowd.let_go("slow1")
    await asyncio.sleep(0.15)
    assert crowd.working == ["slow1", "slow2", "slow3", "late"]
    await crowd.end()


async def test_who_waits_too_long_or_is_cancelled_takes_no_slot_with_him() -> None:
    crowd = Crowd(slots(1))
    await crowd.add("first")
    await crowd.add("impatient", wait_s=0.05)
    await crowd.add("cancelled")
    await asyncio.sleep(0.1)
    await crowd.cancel("cancelled")
    await crowd.add("next")
    await crowd.let_go("first")

    assert crowd.working == ["first", "next"]
    await crowd.end()


async def test_a_slot_that_comes_at_the_moment_of_cancelling_is_passed_on() -> None:
    taken = slots(1)
    crowd = Crowd(taken)
    await crowd.add("first")
    await crowd.add("cancelled")
    await crowd.add("next")
    taken.give_back()  # as if "first" had ended
    await crowd.cancel("cancelled")

    assert crowd.working == ["first", "next"]
    await crowd.end()


async def test_after_any_crowd_every_slot_is_free_again() -> None:
    used = slots(3, waiting_at_once=2, patience_s=0.02)
    crowd = Crowd(used)
    for number in range(12):
        await crowd.add(str(number), is_doubtful=number % 2 == 0, wait_s=0.05 * number)
        if number % 3 == 0:
            await crowd.cancel(str(number))
    await asyncio.sleep(0.5)
    await crowd.end()

    again = Crowd(used)
    for name in ("a", "b", "c", "d"):
        await again.add(name)
    assert again.working[:3] == ["a", "b", "c"]
    await again.end()


@contextlib.contextmanager
def dark(number: int) -> Iterator[list[Endpoint]]:
    """Give destinations that never answer a SYN: their queues of connections are full."""
    with contextlib.ExitStack() as stack:
        endpoints = []
        for _ in range(number):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            for _ in range(8):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            endpoints.append(Endpoint("http", "127.0.0.1", listener.getsockname()[1]))
        yield endpoints


async def probing(client: Client, endpoint: Endpoint, timeout_s: float) -> TransportFailure | None:
    return await client.probe(endpoint, timedelta(seconds=timeout_s))


async def test_one_dark_destination_has_its_own_share_only(client: Client) -> None:
    with dark(1) as (endpoint,):
        probes = [asyncio.create_task(probing(client, endpoint, 1.0)) for _ in range(100)]
        await asyncio.sleep(0.2)
        assert client._dialler._slots._busy == 32
        failures = await asyncio.gather(*probes)

    assert {failure.cause for failure in failures if failure} == {Cause.TIMEOUT}
    assert client._dialler._slots._busy == 0


async def test_many_dark_destinations_keep_a_healthy_one_waiting_a_moment_only(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client._dialler._slots, "_limits", Limits(256, 1024, 0.2))
    with dark(12) as endpoints:
        async with Destination(answering(OK)) as there:
            probes = [
                asyncio.create_task(probing(client, endpoint, 3.0))
                for endpoint in endpoints
                for _ in range(32)
            ]
            await asyncio.sleep(0.05)
            begun = time.monotonic()
            response = await client.send(there.request(), LATER)
            took_s = time.monotonic() - begun
            await asyncio.gather(*probes)

    assert isinstance(response, HttpResponse)
    assert took_s < 2.5  # the dark ones hold their slots for 3 s


async def test_dark_destinations_that_are_tried_again_come_after_healthy_ones(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client._dialler._slots, "_limits", Limits(8, 0, NEVER_S))
    with dark(4) as endpoints:
        async with Destination(answering(OK)) as there:
            await asyncio.gather(*(probing(client, endpoint, 0.1) for endpoint in endpoints))
            probes = [
                asyncio.create_task(probing(client, endpoint, 0.5 + number / 20))
                for number in range(16)
                for endpoint in endpoints
            ]
            await asyncio.sleep(0.05)
            begun = time.monotonic()
            response = await client.send(there.request(), LATER)
            took_s = time.monotonic() - begun
            await asyncio.gather(*probes)

    assert isinstance(response, HttpResponse)
    assert took_s < 1  # the first slot that is free; behind the queue of the dark it would be the last


async def test_names_that_are_not_answered_keep_a_healthy_one_waiting_a_moment_only() -> None:
    with DnsServer({"healthy.test": ["127.0.0.1"]}) as dns:
        dns.silent |= {f"silent{number}.test" for number in range(100)}
        resolver = Resolver(dns.address)
        client = Client(resolver, parse_allow_list("loopback"), tls=CONTEXT)
        async with Destination(answering(OK)) as there:
            probes = [
                asyncio.create_task(probing(client, Endpoint("http", name, 80), 3.0))
                for name in sorted(set(map(str, dns.silent)))
            ]
            await asyncio.sleep(0.05)
            begun = time.monotonic()
            response = await client.send(there.request(host="healthy.test"), LATER)
            took_s = time.monotonic() - begun
        await asyncio.gather(*probes)
        await client.close()
        await resolver.close()

    assert isinstance(response, HttpResponse)
    assert took_s < 2.5  # three waves of 32 at half a second; it was two whole lookups of five seconds
