"""The states of a connection as an operator sees them; nothing is lost or out of order."""

import json
from datetime import datetime
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import CLOSE, HANG, OK, RESET, Reply, Sink
from tests.e2e.waiting import holds_for, wait_until
from tests.net.dns_server import DnsServer


def counters(sink: Sink) -> list[int]:
    return [json.loads(each.body)["DevEUI_uplink"]["FCntUp"] for each in sink.requests]


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def to_the_dead(api: Api, dev_eui: str, **configuration: Any) -> tuple[Road, Sink]:
    """Return a road to a sink that is not listening."""
    sink = Sink(opened=False)
    return build_road(api, connection_document(sink.url(), **configuration), [dev_eui]), sink


def test_a_connection_opens_by_itself_without_sending_a_request(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    opened = road.wait_for_state("OPENED")
    assert opened["stateSince"]
    assert sink.requests == []


def test_an_unreachable_destination_closes_keeps_all_and_reopens_in_order(api: Api, dev_eui: str) -> None:
    road, sink = to_the_dead(api, dev_eui)
    road.send(*(uplink(dev_eui, number) for number in range(1, 21)))
    closed = road.wait_for_state("CLOSED")
    assert closed["stateReason"]
    assert closed["nextReconnectTime"]
    assert [each["outcome"] for each in road.deliveries()] == ["QUEUED"] * 20

    with sink:
        sink.open()
        road.wait_for_state("OPENED", timeout_s=25)
        sink.wait_for(20)

    assert counters(sink) == list(range(1, 21))
    road.wait_for_outcomes(*["DELIVERED"] * 20)


def test_an_outage_in_between_loses_nothing_and_keeps_the_order(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    sink.wait_for(1)
    sink.close()
    road.send(uplink(dev_eui, 2), uplink(dev_eui, 3))
    road.wait_for_state("CLOSED")

    sink.open()

    sink.wait_for(3, timeout_s=25)
    assert counters(sink) == [1, 2, 3]
    delivered = road.wait_for_outcomes(*["DELIVERED"] * 3)
    assert len({each["messageId"] for each in delivered}) == 3


CAUSES: dict[str, tuple[Reply, str]] = {
    "closes": (CLOSE, "reset"),
    "resets": (RESET, "reset"),
    "hangs": (HANG, "timeout"),
    "babbles": (Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "malformed-response"),
}


@pytest.mark.parametrize("trouble", CAUSES)
@pytest.mark.parametrize("strict", [False, True])
def test_a_destination_that_gives_no_response_is_not_reachable(
    api: Api, sink: Sink, dev_eui: str, trouble: str, *, strict: bool
) -> None:
    reply, cause = CAUSES[trouble]
    sink.answer = lambda _: reply
    document = connection_document(sink.url(), requestTimeout="1s", strictMode=strict)
    road = build_road(api, document, [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_state("CLOSED")
    kept, _ = road.wait_for_outcomes("QUEUED", "QUEUED")
    assert (kept["lastStatus"], kept["lastCause"]) == (None, cause)
    sink.answer = lambda _: OK
    first, second = road.wait_for_outcomes("DELIVERED", "DELIVERED", timeout_s=25)
    assert second["attemptCount"] == 1
    attempts = road.details(first)["attempts"]
    assert [each["number"] for each in attempts] == list(range(1, first["attemptCount"] + 1))
    assert len(attempts) + 1 == len(sink.requests), "each request has its row"
    assert attempts[0]["cause"] == cause
    assert attempts[-1]["trigger"] == "reconnect"
    ids = [each.message_id for each in sink.requests]
    assert len(set(ids)) == 2
    assert [each.attempt for each in sink.requests if each.message_id == ids[0]] == list(range(1, len(ids)))


def test_a_name_that_does_not_resolve_is_accepted_and_closes_the_connection(
    api: Api, sink: Sink, name_server: DnsServer, dev_eui: str
) -> None:
    name = f"later-{dev_eui.lower()}.example"
    road = build_road(api, connection_document(f"http://{name}:{sink.address[1]}/"), [dev_eui])
    road.send(uplink(dev_eui, 1))
    closed = road.wait_for_state("CLOSED")
    assert "dns" in closed["stateReason"].lower() or name in closed["stateReason"]
    name_server.names[name] = ["127.0.0.1"]
    sink.wait_for(1, timeout_s=25)
    road.wait_for_outcomes("DELIVERED")


def test_the_fast_phase_reconnects_after_1_3_and_7_seconds(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: RESET
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.wait_for_state("OPENED")
    road.send(uplink(dev_eui, 1))
    closing = sink.wait_for(1)[0].at
    wait_until("the third reconnect", lambda: sink.requests[-1].at > closing + 6.0, timeout_s=9)
    # Within the first half second the rule of the fresh socket may have sent it once more.
    offsets = [each.at - closing for each in sink.requests if each.at > closing + 0.5]
    assert offsets == [pytest.approx(1, abs=0.4), pytest.approx(3, abs=0.6), pytest.approx(7, abs=1.0)]


def test_without_a_fast_phase_the_normal_strategy_waits_5_minutes(api: Api, dev_eui: str) -> None:
    road, _ = to_the_dead(api, dev_eui, blamePeriod=0)
    road.send(uplink(dev_eui, 1))
    closed = road.wait_for_state("CLOSED")
    wait_s = seconds_between(closed["stateSince"], closed["nextReconnectTime"])
    assert wait_s == pytest.approx(300, abs=31)


def in_a_long_wait(api: Api, dev_eui: str) -> tuple[Road, Sink, Json]:
    road, sink = to_the_dead(api, dev_eui, blamePeriod=0)
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_state("CLOSED")
    return road, sink, road.connection


def test_a_put_reconnects_at_once(api: Api, dev_eui: str) -> None:
    road, sink, document = in_a_long_wait(api, dev_eui)
    with sink:
        sink.open()
        assert road.put(document).status == 200
        sink.wait_for(2)
    assert counters(sink) == [1, 2]


def test_a_patch_reconnects_at_once(api: Api, dev_eui: str) -> None:
    road, sink, _ = in_a_long_wait(api, dev_eui)
    with sink:
        sink.open()
        assert api.patch(f"/connections/{road.connection_id}", {"name": "again"}).status == 200
        sink.wait_for(2)
    assert counters(sink) == [1, 2]


def test_traffic_does_not_move_the_schedule(api: Api, dev_eui: str) -> None:
    road, sink, document = in_a_long_wait(api, dev_eui)
    with sink:
        sink.open()
        road.send(uplink(dev_eui, 3))
        holds_for("the schedule", lambda: sink.connections == 0, seconds=1)
    assert road.connection["nextReconnectTime"] == document["nextReconnectTime"]


def test_a_changed_destination_applies_to_the_backlog(api: Api, sink: Sink, dev_eui: str) -> None:
    road, _, document = in_a_long_wait(api, dev_eui)
    document["configuration"] |= {"destinationURL": sink.url("/new"), "headers": {"X-New": "{FCntUp}"}}
    assert road.put(document).status == 200
    sink.wait_for(2)
    assert [(each.target, each.header("X-New")) for each in sink.requests] == [("/new", "1"), ("/new", "2")]


def test_a_dead_destination_does_not_hold_up_another(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    dead, _ = to_the_dead(api, dev_euis[0])
    alive = build_road(api, connection_document(sink.url()), dev_euis[1:])
    dead.send(uplink(dev_euis[0], 1))
    dead.wait_for_state("CLOSED")
    alive.send(uplink(dev_euis[1], 1))
    alive.wait_for_outcomes("DELIVERED", timeout_s=3)


def test_a_deactivated_connection_keeps_its_messages_until_it_is_active_again(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.wait_for_state("OPENED")
    document = road.connection
    assert road.put(document | {"active": False}).status == 200
    road.wait_for_state("DEACTIVATED", timeout_s=60)
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    holds_for("nothing is sent", lambda: sink.requests == [], seconds=0.5)
    road.wait_for_outcomes("QUEUED", "QUEUED")

    assert road.put(document | {"active": True}).status == 200

    road.wait_for_state("OPENED")
    sink.wait_for(2)
    assert counters(sink) == [1, 2]


def test_an_idle_socket_that_the_destination_closed_is_no_outage(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")
    sink.close()
    sink.open()
    road.send(uplink(dev_eui, 2))
    road.wait_for_outcomes("DELIVERED", "DELIVERED", timeout_s=3)
    assert road.state == "OPENED"


def test_one_device_is_sent_one_message_at_a_time_and_devices_go_in_parallel(
    api: Api, sink: Sink, dev_euis: list[str]
) -> None:
    road = build_road(api, connection_document(sink.url(), requestTimeout="30s"), dev_euis)
    prime(road, sink, dev_euis[0])
    sink.answer = lambda _: HANG
    road.send(*(uplink(dev_eui, number) for dev_eui in dev_euis for number in (2, 3)))
    sink.wait_for(1 + len(dev_euis))
    holds_for("one of each device", lambda: len(sink.requests) == 1 + len(dev_euis), seconds=0.5)
    assert counters(sink)[1:] == [2] * len(dev_euis)


def prime(road: Road, sink: Sink, dev_eui: str) -> None:
    """Get one message through: the connection ramps up only after a complete response."""
    sink.answer = lambda _: OK
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")


def test_max_in_flight_bounds_what_is_sent_at_once(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    document = connection_document(sink.url(), maxInFlight=2, requestTimeout="30s")
    road = build_road(api, document, dev_euis)
    prime(road, sink, dev_euis[0])
    sink.answer = lambda _: HANG
    road.send(*(uplink(dev_eui, 2) for dev_eui in dev_euis))
    sink.wait_for(3)
    holds_for("two in flight", lambda: len(sink.requests) == 3, seconds=0.5)
