"""What the operator is told, read through the API as somebody on duty would."""

import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import CLOSE, OK, Sink, answer_in_turn
from tests.e2e.waiting import NotInTimeError, wait_until

CLOSING, OPENED = "con-1002", "con-1001"


def events(road: Road, query: str = "") -> list[Json]:
    """Return the events of the road's connection, oldest first."""
    path = f"/events?perPage=5000&q_connectionId={road.connection_id}{query}"
    found: list[Json] = road.api.get(path)
    return found[::-1]


def wait_for_event(road: Road, code: str, **members: Any) -> Json:
    """Return the event with this code once its data has these members."""

    def look() -> Json | None:
        seen[:] = events(road)
        fitting = (each for each in seen if each["code"] == code and members.items() <= each["data"].items())
        return next(fitting, None)

    seen: list[Json] = []
    try:
        return wait_until(f"event {code} {members}", look)
    except NotInTimeError as late:
        raise NotInTimeError(f"{late}: {seen}") from None


def test_a_connection_that_closes_and_opens_again_is_told_with_the_cause_and_what_to_do(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = answer_in_turn(CLOSE, OK)
    road = build_road(api, connection_document(sink.url(), name="Room sensors"), [dev_eui])
    road.send(uplink(dev_eui, 1))

    closing = wait_for_event(road, CLOSING)
    opened = wait_for_event(road, OPENED)

    number = road.connection_id
    begins = f"Connection closing: Closing connection Room sensors with id {number}: reset: "
    assert closing["message"].startswith(begins)
    assert "Look into the destination's log" in closing["message"]
    assert closing["level"] == "error"
    assert closing["data"]["connectionId"] == number
    assert closing["data"]["connectionName"] == "Room sensors"
    assert opened["level"] == "info"
    assert opened["message"].startswith(
        f"Connection opened: Connection Room sensors with id {number} is open"
    )
    assert closing["eventTime"] <= opened["eventTime"]


def two_events(api: Api, sink: Sink, dev_eui: str) -> tuple[Road, list[Json]]:
    sink.answer = answer_in_turn(CLOSE, OK)
    road = build_road(api, connection_document(sink.url(), name="50%_off"), [dev_eui])
    road.send(uplink(dev_eui, 1))
    closing, opened = wait_for_event(road, CLOSING), wait_for_event(road, OPENED)
    return road, [each for each in events(road) if each in (closing, opened)]


def test_events_come_newest_first_in_pages_whose_links_keep_the_filter(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road, told = two_events(api, sink, dev_eui)
    path = f"/events?q_connectionId={road.connection_id}&q=with+id&perPage=1"
    first = api.call("GET", path)
    last = api.call("GET", f"{path}&page={first.headers['x-total']}")

    assert int(first.headers["x-total"]) == int(first.headers["x-total-pages"]) >= 2
    links = {
        name: parse_qs(query) for query, name in re.findall(r'\?([^>]*)>; rel="(\w+)"', first.headers["link"])
    }
    kept = {"q_connectionId": [road.connection_id], "q": ["with id"], "perPage": ["1"]}
    assert links["next"] == kept | {"page": ["2"]}
    assert first.json()[0]["eventTime"] >= last.json()[0]["eventTime"]
    assert told == sorted(told, key=lambda each: str(each["eventTime"]))


def test_the_start_is_inclusive_and_the_end_exclusive(api: Api, sink: Sink, dev_eui: str) -> None:
    road, (closing, opened) = two_events(api, sink, dev_eui)
    after_closing = f"{closing['eventTime'][:-1]}999Z"

    assert closing in events(road, f"&startTime={closing['eventTime']}")
    assert opened in events(road, f"&startTime={opened['eventTime']}&endTime=2999-01-01T00:00:00%2B02:00")
    assert closing not in events(road, f"&endTime={closing['eventTime']}")
    assert closing in events(road, f"&endTime={after_closing}")
    assert closing not in events(road, f"&startTime={after_closing}")


def test_a_text_is_found_in_any_case_and_its_signs_mean_themselves(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road, told = two_events(api, sink, dev_eui)

    assert [each for each in events(road, "&q=50%25_OFF") if each in told] == told
    assert events(road, "&q=50%25%25") == []
    assert events(road, "&q=5__") == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("startTime=yesterday", "startTime"),
        ("endTime=2026-13-01T00:00:00Z", "endTime"),
        ("startTime=", "startTime"),
        ("q_connectionId=x", "q_connectionId"),
        ("q_connectionId=", "q_connectionId"),
        ("page=0", "page"),
        ("perPage=5001", "perPage"),
        (f"q={'x' * 201}", "q"),
    ],
)
def test_a_filter_that_does_not_parse_is_refused_by_name(api: Api, query: str, parameter: str) -> None:
    answer = api.call("GET", f"/events?{query}")

    assert answer.status == 400
    assert answer.json()["data"]["field"] == parameter
    assert parameter in answer.json()["message"]


def test_events_need_a_key(api: Api) -> None:
    assert api.with_key(None).call("GET", "/events").status == 401
