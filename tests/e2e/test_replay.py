"""Replaying one delivery: the same message once more, behind what waits; or a new delivery to another connection."""

from collections.abc import Callable

from tests.e2e.api_client import Answer, Api, Json, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import CLOSE, OK, Reply, Sink, answer_in_turn
from tests.e2e.waiting import wait_until

LOSE = Reply(500)


def replay(api: Api, delivery: Json, target: str | None = None) -> Answer:
    document = None if target is None else {"connectionId": target}
    return api.call("POST", f"/deliveries/{delivery['id']}/replay", document)


def test_a_lost_message_is_sent_again_under_its_id_with_the_next_attempt(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = answer_in_turn(LOSE, OK)
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (lost,) = road.wait_for_outcomes("LOST")

    answer = replay(api, lost)

    assert (answer.status, answer.json()) == (202, {"id": lost["id"]})
    (delivered,) = road.wait_for_outcomes("DELIVERED")
    first, second = sink.requests
    assert (first.message_id, first.attempt) == (second.message_id, 1)
    assert second.attempt == 2
    assert second.body == first.body
    assert (delivered["id"], delivered["attemptCount"], delivered["lastStatus"]) == (lost["id"], 2, 200)
    attempts = road.details(delivered)["attempts"]
    assert [(each["number"], each["trigger"], each["status"]) for each in attempts] == [
        (1, "first", 500),
        (2, "replay", 200),
    ]


def test_a_replayed_message_stands_behind_what_waits(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = answer_in_turn(LOSE)
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (lost,) = road.wait_for_outcomes("LOST")
    assert road.put(connection_document(sink.url(), active=False)).status == 200
    road.wait_for_state("DEACTIVATED")
    sink.answer = lambda _: OK
    road.send(uplink(dev_eui, 2), uplink(dev_eui, 3))

    assert replay(api, lost).status == 202
    road.send(uplink(dev_eui, 4))
    assert road.put(connection_document(sink.url())).status == 200

    road.wait_for_outcomes(*["DELIVERED"] * 4)
    sent = [each.body for each in sink.requests[1:]]
    assert [body[: len(uplink(dev_eui, n).body) - 2] for body, n in zip(sent, (2, 3, 1, 4), strict=True)] == [
        uplink(dev_eui, n).body[:-2] for n in (2, 3, 1, 4)
    ]


def test_strict_mode_counts_three_resends_again_after_a_replay(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: Reply(503)
    road = build_road(api, connection_document(sink.url(), strictMode=True), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (rejected,) = road.wait_for_outcomes("REJECTED", timeout_s=20)

    assert replay(api, rejected).status == 202

    sink.wait_for(8, timeout_s=20)
    road.wait_for_outcomes("REJECTED", timeout_s=20)
    triggers = [each["trigger"] for each in road.details(rejected)["attempts"]]
    assert triggers == ["first", "resend", "resend", "resend", "replay", "resend", "resend", "resend"]


def test_a_message_that_is_too_old_is_replayed_all_the_same(api: Api, sink: Sink, dev_eui: str) -> None:
    """The uplinks of these tests have their time in the past; a replay is somebody's wish to send it now."""
    road = build_road(api, connection_document(sink.url(), uplinkTimeValidity="1h"), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (expired,) = road.wait_for_outcomes("EXPIRED")

    assert replay(api, expired).status == 202

    road.wait_for_outcomes("DELIVERED")


def test_a_delivery_that_waits_is_not_replayed(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: CLOSE
    road = build_road(api, connection_document(sink.url(), blamePeriod=0), [dev_eui])
    road.send(uplink(dev_eui, 1))
    road.wait_for_state("CLOSED")

    answer = replay(api, road.deliveries()[0])

    assert answer.status == 409
    assert "waits already" in answer.json()["message"]


def discarded(api: Api, sink: Sink, dev_eui: str) -> tuple[Road, Json]:
    """Return a road whose connection was deleted while one message waited, and that message."""
    road = build_road(api, connection_document(sink.url(), active=False), [dev_eui])
    road.send(uplink(dev_eui, 1))
    assert api.call("DELETE", f"/connections/{road.connection_id}").status == 204
    (delivery,) = road.wait_for_outcomes("DISCARDED")
    return road, delivery


def test_what_a_deleted_connection_left_goes_to_another_one_as_a_new_delivery(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    _, left = discarded(api, sink, dev_eui)
    other = api.create("/connections", connection_document(sink.url("/other")))["id"]

    alone = replay(api, left)
    assert alone.status == 409
    assert "was deleted; name another one as connectionId" in alone.json()["message"]
    answer = replay(api, left, other)

    made = answer.json()["id"]
    assert answer.status == 202
    assert made != left["id"]
    (request,) = sink.wait_for(1)
    assert (request.target, request.attempt) == ("/other", 1)
    details = wait_until("it is delivered", lambda: delivered(api, made))
    assert (details["messageId"], details["connectionId"]) == (request.message_id, other)
    assert [each["trigger"] for each in details["attempts"]] == ["replay"]
    assert details["receivedAt"] == left["receivedAt"]
    assert api.get(f"/deliveries/{left['id']}")["outcome"] == "DISCARDED"


def delivered(api: Api, delivery_id: str) -> Json | None:
    found: Json = api.get(f"/deliveries/{delivery_id}")
    return found if found["outcome"] == "DELIVERED" else None


def test_a_target_that_does_not_exist_is_refused_by_name(api: Api, sink: Sink, dev_eui: str) -> None:
    _, left = discarded(api, sink, dev_eui)
    for target in ("999999", "x"):
        answer = replay(api, left, target)
        assert (answer.status, answer.json()["data"]["field"]) == (400, "connectionId")
    unknown = api.call("POST", f"/deliveries/{left['id']}/replay", {"connection": "1"})
    assert (unknown.status, unknown.json()["data"]["field"]) == (400, "connection")


def test_a_delivery_that_is_not_in_the_log_is_a_404(api: Api) -> None:
    assert replay(api, {"id": "999999999"}).status == 404
    assert replay(api, {"id": "x"}).status == 404


def test_a_replay_survives_a_kill(longwire: Callable[..., Longwire], sink: Sink, dev_eui: str) -> None:
    server = longwire().start()
    sink.answer = answer_in_turn(LOSE)
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (lost,) = road.wait_for_outcomes("LOST")
    assert road.put(connection_document(sink.url(), active=False)).status == 200
    road.wait_for_state("DEACTIVATED")

    assert replay(server.api, lost).status == 202
    server.kill()
    server.start()
    sink.answer = lambda _: OK
    assert road.put(connection_document(sink.url())).status == 200

    road.wait_for_outcomes("DELIVERED")
    assert [each.attempt for each in sink.requests] == [1, 2]
