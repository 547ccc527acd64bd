"""What becomes of a message by what the destination answers, with and without strict mode."""

import json
from itertools import pairwise

import pytest
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import OK, Received, Reply, Sink, answer_in_turn
from tests.e2e.waiting import wait_until

BROKEN = Reply(500, body=b"no room")


def strict_road(api: Api, sink: Sink, dev_euis: list[str]) -> Road:
    return build_road(api, connection_document(sink.url(), strictMode=True), dev_euis)


def of(sink: Sink, dev_eui: str) -> list[tuple[int, int]]:
    """Return (FCntUp, Longwire-Attempt) of what the sink got from this device, in order."""
    contents = [(each, json.loads(each.body)["DevEUI_uplink"]) for each in sink.requests]
    return [(content["FCntUp"], each.attempt) for each, content in contents if content["DevEUI"] == dev_eui]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_delivered(api: Api, sink: Sink, dev_eui: str, status: int) -> None:
    sink.answer = lambda _: Reply(raw=f"HTTP/1.1 {status} Fine\r\nContent-Length: 0\r\n\r\n".encode())
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (delivery,) = road.wait_for_outcomes("DELIVERED")
    assert delivery["lastStatus"] == status
    assert len(sink.requests) == 1


@pytest.mark.parametrize("status", [300, 304, 400, 404, 429, 500, 503])
def test_without_strict_mode_anything_else_is_lost_and_not_sent_again(
    api: Api, sink: Sink, dev_eui: str, status: int
) -> None:
    sink.answer = answer_in_turn(Reply(status, (("Retry-After", "3600"),)), OK)
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))

    lost, delivered = road.wait_for_outcomes("LOST", "DELIVERED")

    assert lost["lastStatus"] == status
    assert lost["attemptCount"] == delivered["attemptCount"] == 1
    assert of(sink, dev_eui) == [(1, 1), (2, 1)]
    assert road.state == "OPENED"


def test_switching_protocols_is_not_an_acceptance(api: Api, sink: Sink, dev_eui: str) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    sink.answer = answer_in_turn(Reply(raw=switch), OK)
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_outcomes("LOST", "DELIVERED")
    assert of(sink, dev_eui) == [(1, 1), (2, 1)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(api: Api, sink: Sink, dev_eui: str, status: int) -> None:
    with Sink() as elsewhere:
        sink.answer = lambda _: Reply(status, (("Location", elsewhere.url()),))
        road = build_road(api, connection_document(sink.url()), [dev_eui])
        road.send(uplink(dev_eui, 1))
        (lost,) = road.wait_for_outcomes("LOST")
        assert (lost["lastStatus"], elsewhere.connections) == (status, 0)


def test_strict_mode_resends_three_times_two_seconds_apart_then_rejects(
    api: Api, sink: Sink, dev_euis: list[str]
) -> None:
    stubborn, other, _ = dev_euis
    sink.answer = lambda request: BROKEN if is_first_of(request, stubborn) else OK
    road = strict_road(api, sink, dev_euis)
    road.send(uplink(stubborn, 1), uplink(stubborn, 2), uplink(other, 1))

    rejected, behind, free = road.wait_for_outcomes("REJECTED", "DELIVERED", "DELIVERED", timeout_s=20)

    assert of(sink, stubborn) == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1)]
    tries = [each for each in sink.requests if is_first_of(each, stubborn)]
    assert len({each.message_id for each in tries}) == 1
    for earlier, later in pairwise(tries):
        assert 1.95 < later.at - earlier.at < 3.0
    assert [each["trigger"] for each in road.details(rejected)["attempts"]] == ["first", *["resend"] * 3]
    assert (rejected["attemptCount"], rejected["lastStatus"]) == (4, 500)
    assert free["settledAt"] < rejected["settledAt"] <= behind["settledAt"]
    assert road.state == "OPENED"


def is_first_of(request: Received, dev_eui: str) -> bool:
    content = json.loads(request.body)["DevEUI_uplink"]
    return bool(content["DevEUI"] == dev_eui and content["FCntUp"] == 1)


def test_strict_mode_delivers_when_a_resend_is_accepted(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = answer_in_turn(BROKEN, Reply(302), OK)
    road = strict_road(api, sink, [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    first, second = road.wait_for_outcomes("DELIVERED", "DELIVERED", timeout_s=15)
    assert (first["attemptCount"], second["attemptCount"]) == (3, 1)
    assert of(sink, dev_eui) == [(1, 1), (1, 2), (1, 3), (2, 1)]


def test_a_waiting_resend_shows_when_it_is_due(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: BROKEN
    road = strict_road(api, sink, [dev_eui])
    road.send(uplink(dev_eui, 1))
    due = wait_until("the resend is due", lambda: road.deliveries()[0]["nextAttemptAt"], timeout_s=1.5)
    (waiting,) = road.deliveries()
    assert (waiting["outcome"], waiting["nextAttemptAt"], waiting["lastStatus"]) == ("QUEUED", due, 500)


def test_strict_mode_counts_an_endless_refusal_for_each_device_alone(
    api: Api, sink: Sink, dev_euis: list[str]
) -> None:
    sink.answer = lambda _: BROKEN
    road = strict_road(api, sink, dev_euis)
    road.send(*(uplink(dev_eui, 1) for dev_eui in dev_euis))
    road.wait_for_outcomes("REJECTED", "REJECTED", "REJECTED", timeout_s=12)
    for dev_eui in dev_euis:
        assert of(sink, dev_eui) == [(1, 1), (1, 2), (1, 3), (1, 4)]


def test_every_request_has_its_attempt_row_with_what_was_answered(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: Reply(500, (("X-Why", "full"),), b"no room" + b"!" * 10_000)
    headers = {"Authorization": "Bearer eg89a53sx!=", "X-Thing": "{DevEUI}"}
    road = build_road(api, connection_document(sink.url("/a?b=c"), headers=headers), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (lost,) = road.wait_for_outcomes("LOST")

    details = road.details(lost)

    (attempt,) = details["attempts"]
    assert (attempt["number"], attempt["trigger"], attempt["status"]) == (1, "first", 500)
    assert attempt["cause"] is None
    assert attempt["durationMs"] >= 0
    assert attempt["url"] == sink.url("/a?b=c")
    assert "127.0.0.1" in attempt["remoteAddress"]
    assert attempt["at"].endswith("Z")
    assert attempt["responseBody"] == "no room" + "!" * (4096 - 7)
    assert "full" in json.dumps(attempt["responseHeaders"])
    shown = json.dumps(attempt["requestHeaders"])
    assert dev_eui in shown
    assert "*****" in shown
    assert "eg89a53sx" not in json.dumps(details)


def test_a_delivery_shows_its_message_as_it_was_received(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    sent = uplink(dev_eui, 9)
    road.send(sent)
    (delivery,) = road.wait_for_outcomes("DELIVERED")
    assert delivery["connectionId"] == road.connection_id
    assert (delivery["devEUI"], delivery["kind"], delivery["fCnt"]) == (dev_eui, "DevEUI_uplink", 9)
    assert delivery["messageId"] == sink.requests[0].message_id
    assert (delivery["attemptCount"], delivery["lastStatus"], delivery["lastCause"]) == (1, 200, None)
    assert delivery["receivedAt"] <= delivery["settledAt"]
    assert not delivery["test"]
    message = road.details(delivery)["message"]
    assert (json.loads(message) if isinstance(message, str) else message) == sent.document


def test_the_log_is_paged_and_shows_the_newest_first(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(*(uplink(dev_eui, number) for number in range(1, 6)))
    road.wait_for_outcomes(*["DELIVERED"] * 5)
    path = f"/connections/{road.connection_id}/deliveries"

    page = api.call("GET", f"{path}?page=2&perPage=2")

    assert [each["fCnt"] for each in page.json()] == [3, 2]
    expected = {"x-total": "5", "x-total-pages": "3", "x-per-page": "2", "x-page": "2"}
    assert {name: page.headers.get(name) for name in expected} == expected
    assert (page.headers["x-next-page"], page.headers["x-prev-page"]) == ("3", "1")
    assert 'rel="next"' in page.headers["link"]
