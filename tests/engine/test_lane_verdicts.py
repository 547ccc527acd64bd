"""A lane and a destination that answers: delivered, lost, sent again, rejected; and every attempt in the log."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import pytest
from tests.engine.scripted_server import Reaction, Received, Script, ScriptedServer
from tests.engine.stage import T0, S, Stage

from longwire.core.connection_state import Event, Status


def times(server: ScriptedServer, name: str) -> list[datetime]:
    return [request.at for request in server.requests if request.name == name]


def by_chance(seed: int, answers: list[int | Reaction]) -> Script:
    chance = random.Random(seed)
    return lambda _: chance.choice(answers)


async def test_strict_mode_sends_again_three_times_two_seconds_apart_then_rejects(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda request: 503 if request.name == "A1" else 200
    connection = await stage.connect(server.url, strictMode=True)
    await stage.put(connection, "A1", "B1", "A2", "B2")
    await stage.run_lane(connection)
    await stage.settle()
    assert await stage.outcomes() == {"A1": "QUEUED", "B1": "DELIVERED", "A2": "QUEUED", "B2": "DELIVERED"}

    await stage.pass_time(5.9 * S)
    assert "A2" not in server.names  # later messages of the device wait
    await stage.pass_time(0.1 * S)

    assert times(server, "A1") == [T0, T0 + 2 * S, T0 + 4 * S, T0 + 6 * S]
    assert server.names[-1] == "A2"
    rejected = (await stage.log())["A1"]
    assert (rejected.outcome, rejected.resends) == ("REJECTED", 3)
    assert rejected.reason == "the destination answered 503 after 3 resends"
    assert rejected.attempts == (("first", 503), *[("resend", 503)] * 3)


async def test_other_devices_go_on_while_one_waits_for_its_resend(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda request: 500 if request.name == "A1" else 200
    connection = await stage.connect(server.url, strictMode=True, maxInFlight=1)
    await stage.put(connection, "A1", "A2")
    await stage.run_lane(connection)
    await stage.settle()
    for number in range(1, 6):
        await stage.put(connection, f"B{number}")
        await stage.settle()

    assert server.names == ["A1", "B1", "B2", "B3", "B4", "B5"]


@pytest.mark.parametrize("accepted_attempt", [2, 3, 4])
async def test_a_resend_that_is_accepted_delivers(
    stage: Stage, server: ScriptedServer, accepted_attempt: int
) -> None:
    server.script = lambda request: 200 if request.attempt == accepted_attempt else 404
    connection = await stage.connect(server.url, strictMode=True)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(60 * S)

    assert (await stage.log())["A1"].outcome == "DELIVERED"
    assert [request.attempt for request in server.requests] == list(range(1, accepted_attempt + 1))
    assert len({request.headers["webhook-id"] for request in server.requests}) == 1


@pytest.mark.parametrize("begin", [Event.RESUME, Event.CONNECT])
async def test_the_count_of_resends_survives_a_restart_of_the_lane(
    stage: Stage, server: ScriptedServer, begin: Event
) -> None:
    server.script = lambda _: 503
    connection = await stage.connect(server.url, strictMode=True)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    for _ in range(3):
        await stage.pass_time(1 * S)
        await stage.stop_lane(connection)
        await stage.run_lane(connection, begin)
        await stage.pass_time(1 * S)

    assert times(server, "A1") == [T0, T0 + 2 * S, T0 + 4 * S, T0 + 6 * S]
    assert (await stage.outcomes()) == {"A1": "REJECTED"}


async def test_the_count_of_resends_survives_an_outage_and_reconnects_do_not_count(
    stage: Stage, server: ScriptedServer
) -> None:
    answers: Iterator[int | Reaction] = iter([503, Reaction.CLOSE, Reaction.CLOSE, 503, 503, 503])
    server.script = lambda _: next(answers)
    connection = await stage.connect(server.url, strictMode=True)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(60 * S)

    logged = (await stage.log())["A1"]
    assert [trigger for trigger, _ in logged.attempts] == [
        "first",
        "resend",
        "fresh-socket",
        "reconnect",
        "resend",
        "resend",
    ]
    assert (logged.outcome, logged.resends) == ("REJECTED", 3)


@pytest.mark.parametrize("status", [101, 301, 404, 429, 503])
async def test_without_strict_mode_what_is_refused_is_lost_and_the_next_one_sent(
    stage: Stage, server: ScriptedServer, status: int
) -> None:
    server.script = lambda request: status if request.name == "A1" else 200
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2")
    await stage.run_lane(connection)
    await stage.pass_time(60 * S)

    assert server.names == ["A1", "A2"]
    log = await stage.log()
    assert (log["A1"].outcome, log["A2"].outcome) == ("LOST", "DELIVERED")
    assert log["A1"].attempts == (("first", status),)
    assert log["A1"].reason == f"the destination answered {status}, strictMode is off"
    assert await stage.status(connection) is Status.OPENED


# DL-09: what the log says is what happened


@pytest.mark.parametrize("strict", [False, True])
async def test_the_log_has_a_row_for_each_request_the_destination_saw(
    stage: Stage, server: ScriptedServer, *, strict: bool
) -> None:
    server.script = by_chance(7, [200, 200, 404, 503, Reaction.CLOSE])
    connection = await stage.connect(server.url, strictMode=strict, maxInFlight=4)
    await stage.put(connection, *(f"{device}{n}" for n in range(1, 9) for device in "ABCD"))
    await stage.run_lane(connection)
    await stage.pass_time(3600 * S)

    seen = Counter(server.names)
    log = await stage.log()
    assert {name: len(logged.attempts) for name, logged in log.items()} == seen
    assert all(logged.outcome in {"DELIVERED", "LOST", "REJECTED"} for logged in log.values())
    for name in log:
        attempts = [request.attempt for request in server.requests if request.name == name]
        assert attempts == list(range(1, len(attempts) + 1))


async def test_each_device_is_delivered_in_order_whatever_is_refused(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = by_chance(11, [200, 503, Reaction.CLOSE])
    connection = await stage.connect(server.url, strictMode=True, maxInFlight=3)
    await stage.put(connection, *(f"{device}{n}" for n in range(1, 7) for device in "ABCDE"))
    await stage.run_lane(connection)
    await stage.pass_time(3600 * S)

    for device in "ABCDE":
        numbers = [int(name[1:]) for name in server.names if name[0] == device]
        assert numbers == sorted(numbers)
        assert set(numbers) == set(range(1, 7))


async def test_an_idle_socket_closed_at_the_next_request_costs_a_second_row_not_an_outage(
    stage: Stage, server: ScriptedServer
) -> None:
    def answer(request: Received) -> int | Reaction:
        return 200 if request.number_on_socket == 1 else Reaction.CLOSE

    server.script = answer
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2")
    await stage.run_lane(connection)
    await stage.settle()

    assert [(each.name, each.socket_number, each.attempt) for each in server.requests] == [
        ("A1", 1, 1),
        ("A2", 1, 1),
        ("A2", 2, 2),
    ]
    assert (await stage.log())["A2"].attempts == (("first", "reset"), ("fresh-socket", 200))
    assert (await stage.state(connection)).since == T0
    assert await stage.status(connection) is Status.OPENED


async def test_a_fresh_socket_that_is_closed_too_is_an_outage(stage: Stage, server: ScriptedServer) -> None:
    server.script = lambda request: 200 if request.name == "A1" else Reaction.CLOSE
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2")
    await stage.run_lane(connection)
    await stage.settle()

    assert await stage.status(connection) is Status.CLOSED
    assert (await stage.log())["A2"].attempts == (("first", "reset"), ("fresh-socket", "reset"))


async def test_a_message_that_cannot_be_rendered_fails_and_the_others_go_on(
    stage: Stage, server: ScriptedServer
) -> None:
    connection = await stage.connect(server.url.replace("/in", "/{Place}/x"))
    await stage.put(connection, "A1", Place="..")
    await stage.put(connection, "A2", "B1", Place="Paris")
    await stage.run_lane(connection)
    await stage.settle()

    assert {request.path for request in server.requests} == {"/Paris/x"}
    log = await stage.log()
    assert (log["A1"].outcome, log["A1"].attempts) == ("FAILED", ())
    assert log["A1"].reason.startswith("destinationURL: ")
    assert (log["A2"].outcome, log["B1"].outcome) == ("DELIVERED", "DELIVERED")
