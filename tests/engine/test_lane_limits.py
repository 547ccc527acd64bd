"""The limits a connection sets: the age of a message, the rate; and its signature."""

import itertools
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from standardwebhooks import Webhook
from tests.engine.scripted_server import Reaction, Received, ScriptedServer
from tests.engine.stage import T0, S, Stage

from longwire.core.rate import CATCH_UP
from longwire.storage.purge import Retention, purge

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def spans(times: list[datetime]) -> Iterator[tuple[int, tuple[datetime, datetime]]]:
    """Return how many requests came after each one, up to each later one."""
    for (i, first), (j, last) in itertools.combinations(enumerate(times), 2):
        yield j - i, (first, last)


async def test_a_message_that_grew_too_old_is_not_sent_and_a_younger_one_is(
    stage: Stage, server: ScriptedServer
) -> None:
    await server.close()
    connection = await stage.connect(server.url, uplinkTimeValidity="20s")
    await stage.run_lane(connection)
    await stage.put(connection, "A1")
    await stage.pass_time(10 * S)
    await stage.put(connection, "B1", "A2")
    await stage.pass_time(15 * S)
    await server.open()
    await stage.pass_time(5 * S)  # 30 s after the closing

    assert server.names == ["B1", "A2"]  # exactly 20 s old
    expired = (await stage.log())["A1"]
    assert (expired.outcome, expired.attempts) == ("EXPIRED", ())
    assert expired.reason == "older than uplinkTimeValidity (20s)"


@pytest.mark.parametrize("handed_over", [True, False])
async def test_a_message_that_grew_too_old_for_the_flow_that_led_here_is_not_sent(
    stage: Stage, server: ScriptedServer, *, handed_over: bool
) -> None:
    await server.close()
    connection = await stage.connect(server.url, uplinkTimeValidity="1h")
    if handed_over:
        await stage.run_lane(connection)
    for name, age in (("A1", 20 * S), ("B1", 40 * S)):
        put = stage.message(connection, name)
        await stage.queue.put(replace(put, expires_at={connection: stage.clock.now() + age}))
    if not handed_over:
        await stage.run_lane(connection)
    await stage.pass_time(25 * S)
    await server.open()
    await stage.pass_time(5 * S)  # 30 s after the closing

    assert server.names == ["B1"]
    expired = (await stage.log())["A1"]
    assert (expired.outcome, expired.attempts) == ("EXPIRED", ())
    assert expired.reason == "older than uplinkTimeValidity of its flow"


async def test_a_message_that_grows_too_old_between_its_resends_expires(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda request: 503 if request.name == "A1" else 200
    connection = await stage.connect(server.url, uplinkTimeValidity="3s", strictMode=True)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(3 * S)
    await stage.put(connection, "A2")
    await stage.pass_time(1 * S)

    assert server.names == ["A1", "A1", "A2"]
    expired = (await stage.log())["A1"]
    assert (expired.outcome, expired.attempts) == ("EXPIRED", (("first", 503), ("resend", 503)))


async def test_a_message_that_expires_on_trial_does_not_end_the_outage(
    stage: Stage, server: ScriptedServer
) -> None:
    await server.close()
    connection = await stage.connect(server.url, uplinkTimeValidity="1s")
    await stage.put(connection, "A1", "B1")
    await stage.run_lane(connection)
    await stage.pass_time(1.5 * S)
    await server.open()
    await stage.pass_time(1.5 * S)
    assert await stage.outcomes() == {"A1": "EXPIRED", "B1": "EXPIRED"}
    assert (await stage.state(connection)).on_trial

    await stage.put(connection, "A2")
    await stage.settle()
    assert (await stage.state(connection)).outage is None


async def test_what_expires_uses_up_nothing_of_the_rate(stage: Stage, server: ScriptedServer) -> None:
    await server.close()
    connection = await stage.connect(server.url, uplinkTimeValidity="1s", maxRequestsPerSecond=0.1)
    await stage.put(connection, *(f"A{number}" for number in range(1, 20)))
    await stage.run_lane(connection)
    await stage.pass_time(2 * S)
    await server.open()
    await stage.put(connection, "A20")
    await stage.pass_time(1 * S)

    assert server.names == ["A20"]


async def test_what_left_the_queue_while_the_lane_was_closed_is_not_sent(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda _: Reaction.CLOSE
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2", "B1")
    await stage.run_lane(connection)
    await stage.pass_time(3600 * S)
    await stage.put(connection, "A3")
    server.script = lambda _: 200
    server.requests.clear()
    retention = Retention(backlog=timedelta(minutes=30))
    await purge(stage.database, retention, stage.clock.now())
    await stage.pass_time(3600 * S)

    assert server.names == ["A3"]
    assert await stage.outcomes() == {"A1": "EXPIRED", "A2": "EXPIRED", "B1": "EXPIRED", "A3": "DELIVERED"}


@pytest.mark.parametrize("per_second", [0.5, 2, 4])
async def test_the_rate_holds_for_a_backlog(stage: Stage, server: ScriptedServer, per_second: float) -> None:
    connection = await stage.connect(server.url, maxRequestsPerSecond=per_second)
    await stage.put(connection, *(f"{device}{n}" for n in (1, 2) for device in "ABCDE"))
    await stage.run_lane(connection)
    await stage.pass_time(60 * S)

    assert [request.at - T0 for request in server.requests] == [n / per_second * S for n in range(10)]


async def test_the_rate_holds_whatever_is_refused_sent_again_or_new(
    stage: Stage, server: ScriptedServer
) -> None:
    chance = random.Random(5)
    answers: list[int | Reaction] = [200, 503, Reaction.CLOSE]
    server.script = lambda _: chance.choice(answers)
    connection = await stage.connect(server.url, strictMode=True, maxRequestsPerSecond=2)
    await stage.run_lane(connection)
    for number in range(1, 6):
        await stage.put(connection, *(f"{device}{number}" for device in "ABCD"))
        await stage.pass_time(1 * S)
    await stage.pass_time(3600 * S)

    # The repeat on a fresh socket is part of the same visit, and has no pace of its own.
    log = await stage.log()
    times = [r.at for r in server.requests if log[r.name].attempts[r.attempt - 1][0] != "fresh-socket"]
    for sent, (first, last) in spans(times):
        assert sent * S / 2 <= last - first + CATCH_UP
    assert {logged.outcome for logged in log.values()} <= {"DELIVERED", "REJECTED"}


async def test_each_attempt_is_signed_with_its_own_time_and_the_same_id(
    stage: Stage, server: ScriptedServer
) -> None:
    def answer(request: Received) -> int:
        return 503 if request.attempt < 3 else 200

    server.script = answer
    connection = await stage.connect(server.url, strictMode=True, signingSecret=SECRET)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(5 * S)

    webhook = Webhook(SECRET)
    digests = [request.headers["webhook-signature"] for request in server.requests]
    for request, digest in zip(server.requests, digests, strict=True):
        # The package reads the machine's clock, so it is asked for the signature of that attempt's time.
        assert webhook.sign(request.headers["webhook-id"], request.at, request.body.decode()) == digest
        assert int(request.headers["webhook-timestamp"]) == int(request.at.timestamp())
    assert [request.at - T0 for request in server.requests] == [0 * S, 2 * S, 4 * S]
    assert len(set(digests)) == 3
    assert len({request.headers["webhook-id"] for request in server.requests}) == 1
