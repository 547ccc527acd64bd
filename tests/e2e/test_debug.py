"""`debug`: the log keeps whole requests and answers."""

import json
from datetime import datetime, timedelta

from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import Reply, Sink

LONG = b"x" * 5000 + b" Bearer of-the-tests"


def debugged(api: Api, sink: Sink, dev_eui: str, *, debug: bool) -> Road:
    document = connection_document(sink.url(), headers={"Authorization": "Bearer of-the-tests"})
    return build_road(api, {**document, "debug": debug}, [dev_eui])


def only_attempt(road: Road, outcome: str) -> Json:
    (delivery,) = road.wait_for_outcomes(outcome)
    (attempt,) = road.details(delivery)["attempts"]
    found: Json = attempt
    return found


def test_debug_keeps_the_request_body_and_the_answer_of_a_delivered_message(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(200, (("X-Said", "yes"),), LONG)
    road = debugged(api, sink, dev_eui, debug=True)
    assert road.connection["debug"] is True
    road.send(uplink(dev_eui, 1))

    attempt = only_attempt(road, "DELIVERED")

    assert json.loads(attempt["requestBody"])["DevEUI_uplink"]["DevEUI"] == dev_eui
    assert attempt["requestBody"].encode() == sink.requests[0].body
    assert attempt["requestHeaders"]["Authorization"] == "*****"
    assert attempt["responseHeaders"]["X-Said"] == "yes"
    assert attempt["responseBody"] == "x" * 5000 + " *****"


def test_without_debug_no_body_and_no_answer_that_accepted_is_kept(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(200, (), LONG)
    road = debugged(api, sink, dev_eui, debug=False)
    road.send(uplink(dev_eui, 1))

    attempt = only_attempt(road, "DELIVERED")

    assert "requestBody" not in attempt
    assert (attempt["responseHeaders"], attempt["responseBody"]) == (None, None)


def test_debug_is_switched_by_a_patch_and_holds_for_what_is_sent_from_then_on(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(500, (), LONG)
    road = debugged(api, sink, dev_eui, debug=False)
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("LOST")
    patch = {"Content-Type": "application/merge-patch+json"}
    switched = api.send("PATCH", f"/connections/{road.connection_id}", b'{"debug":true}', patch)
    assert switched.status == 200
    until = datetime.fromisoformat(switched.json()["debugUntil"])
    assert until == datetime.fromisoformat(switched.json()["updatedAt"]) + timedelta(days=2)

    road.send(uplink(dev_eui, 2))

    first, second = (road.details(each)["attempts"][0] for each in road.wait_for_outcomes("LOST", "LOST"))
    assert ("requestBody" in first, len(first["responseBody"])) == (False, 4096)
    assert ("requestBody" in second, len(second["responseBody"])) == (True, 5006)
