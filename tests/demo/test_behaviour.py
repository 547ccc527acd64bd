"""The receiver misbehaves as it is told, and goes on being told while it does."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio
from tests.demo.raw_client import ask, get, post, talk_to

from longwire.core.errors import InvalidInput
from longwire.demo.behaviour import Answer, Behaviour, Hangup, Mode, Silence, decide, parse_behaviour
from longwire.demo.received import Received
from longwire.demo.receiver import Receiver, ReceiverOptions

T0 = datetime(2026, 11, 24, 8, tzinfo=UTC)
S = timedelta(seconds=1)


class HandSetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = T0

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> HandSetClock:
    return HandSetClock()


@pytest.fixture
def arrived() -> asyncio.Event:
    return asyncio.Event()


@pytest_asyncio.fixture
async def receiver(clock: HandSetClock, arrived: asyncio.Event) -> AsyncIterator[Receiver]:
    def note(_: Received) -> None:
        arrived.set()

    async with Receiver(ReceiverOptions(), clock.now, note) as running:
        yield running


async def test_fail_answers_with_the_status_it_was_given(receiver: Receiver) -> None:
    reply = await ask(receiver.url, post("/_mode", b'{"mode":"fail","status":503}'))
    assert reply.status == 200
    assert msgspec.json.decode(reply.body) == {
        "mode": "fail",
        "status": 503,
        "periodSeconds": 10.0,
        "delaySeconds": 5.0,
    }
    assert (await ask(receiver.url, post("/x", b""))).status == 503
    assert (await ask(receiver.url, get("/"))).status == 200


@pytest.mark.parametrize("status", [204, 205, 304, 299])
async def test_a_status_without_a_body_leaves_the_connection_usable(receiver: Receiver, status: int) -> None:
    receiver.behave(Behaviour(mode=Mode.FAIL, status=status))
    async with talk_to(receiver.url) as talk:
        for _ in range(2):
            talk.send(post("/x", b"y"))
            assert (await talk.read_reply()).status == status


async def test_flap_alternates_by_its_period(receiver: Receiver, clock: HandSetClock) -> None:
    receiver.behave(Behaviour(mode=Mode.FLAP, period_seconds=10, status=502))
    statuses = []
    for seconds in (0, 9.9, 10, 19.9, 20, 30):
        clock.time = T0 + seconds * S
        statuses.append((await ask(receiver.url, post("/x", b""))).status)
    assert statuses == [200, 200, 502, 502, 200, 502]


async def test_hang_takes_the_request_and_says_nothing(receiver: Receiver, arrived: asyncio.Event) -> None:
    receiver.behave(Behaviour(mode=Mode.HANG))
    async with talk_to(receiver.url) as talk, asyncio.timeout(5):
        talk.send(post("/x", b"y"))
        await arrived.wait()
        # Another connection's page shows that the receiver has gone on; this one is still open and silent.
        assert b"/x" in (await ask(receiver.url, get("/"))).body
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await talk.reader.read()
        await receiver.stop()
        assert await talk.is_closed()


async def test_a_hanging_connection_ends_when_its_client_does(
    receiver: Receiver, arrived: asyncio.Event
) -> None:
    receiver.behave(Behaviour(mode=Mode.HANG))
    async with talk_to(receiver.url) as talk, asyncio.timeout(5):
        talk.send(post("/x", b"y"))
        await arrived.wait()
        talk.writer.write_eof()
        assert await talk.is_closed()


async def test_slow_answers_after_its_delay(receiver: Receiver) -> None:
    receiver.behave(Behaviour(mode=Mode.SLOW, delay_seconds=0.05))
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert (await ask(receiver.url, post("/x", b""))).status == 200
    assert loop.time() - started >= 0.045


async def test_close_takes_the_request_and_closes(receiver: Receiver, arrived: asyncio.Event) -> None:
    receiver.behave(Behaviour(mode=Mode.CLOSE))
    async with talk_to(receiver.url) as talk:
        talk.send(post("/x", b"y"))
        assert await talk.is_closed()
    assert arrived.is_set()


async def test_a_behaviour_that_is_none_is_refused_and_changes_nothing(receiver: Receiver) -> None:
    reply = await ask(receiver.url, post("/_mode", b'{"mode":"explode"}'))
    assert reply.status == 400
    assert b"explode" in reply.body
    assert (await ask(receiver.url, post("/x", b""))).status == 200


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"mode":"\xff"}',
        b'{"mode":1}',
        b'{"colour":"red"}',
        b'{"status":99}',
        b'{"status":600}',
        b'{"mode":"flap","periodSeconds":0}',
        b'{"mode":"slow","delaySeconds":1e9}',
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_what_is_no_behaviour(text: bytes) -> None:
    with pytest.raises(InvalidInput, match="mode"):
        parse_behaviour(text)


@pytest.mark.parametrize(
    ("mode", "decision"),
    [
        (Mode.OK, Answer(200)),
        (Mode.FAIL, Answer(500)),
        (Mode.FLAP, Answer(200)),
        (Mode.SLOW, Answer(200, 5 * S)),
        (Mode.HANG, Silence()),
        (Mode.CLOSE, Hangup()),
    ],
)
def test_what_each_mode_does_at_first(mode: Mode, decision: Answer | Silence | Hangup) -> None:
    assert decide(parse_behaviour(b'{"mode":"%s"}' % mode.value.encode()), T0, T0) == decision
