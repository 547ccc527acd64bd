"""The filters of the delivery log, one by one and together, through the API."""

import re
from urllib.parse import quote

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import Received, Reply, Sink


def by_path(request: Received) -> Reply:
    return Reply(int(request.target[1:4]))


@pytest.fixture
def log(api: Api, sink: Sink, dev_euis: list[str]) -> dict[str, Road]:
    """Give three roads: one delivers, one loses, one is not active; each had two messages."""
    sink.answer = by_path
    urls = {"200": sink.url("/200"), "404": sink.url("/404"), "none": sink.url("/500")}
    roads: dict[str, Road] = {}
    for (name, url), dev_eui in zip(urls.items(), dev_euis, strict=True):
        roads[name] = build_road(api, connection_document(url, active=name != "none"), [dev_eui])
        roads[name].send(uplink(dev_eui, 1, mark=f"Straße {name}"), uplink(dev_eui, 2))
    roads["200"].wait_for_outcomes("DELIVERED", "DELIVERED")
    roads["404"].wait_for_outcomes("LOST", "LOST")
    roads["none"].wait_for_outcomes("QUEUED", "QUEUED")
    return roads


def found(road: Road, query: str) -> list[Json]:
    """Return what the filter finds of all deliveries, those of other tests left out."""
    answer: list[Json] = road.api.get(f"/deliveries?perPage=5000&{query}")
    return [each for each in answer if each["connectionId"] == road.connection_id]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("outcome=DELIVERED", {"200": 2}),
        ("outcome=LOST", {"404": 2}),
        ("outcome=QUEUED", {"none": 2}),
        ("outcome=LOST,QUEUED", {"404": 2, "none": 2}),
        ("outcome=LOST&outcome=DELIVERED", {"200": 2, "404": 2}),
        ("outcome=REJECTED", {}),
        ("status=2xx", {"200": 2}),
        ("status=3xx", {}),
        ("status=4xx", {"404": 2}),
        ("status=none", {"none": 2}),
        ("status=4xx&outcome=QUEUED", {}),
        (f"q={quote('Straße')}", {"200": 1, "404": 1, "none": 1}),
        ("q=STRA", {"200": 1, "404": 1, "none": 1}),
        ("q=%25", {}),
        ("q=mark&outcome=LOST,QUEUED", {"404": 1, "none": 1}),
        ("q=", {"200": 2, "404": 2, "none": 2}),
        ("startTime=2020-01-01T00:00:00Z&endTime=2020-01-02", {}),
        ("startTime=2020-01-01T00:00:00%2B01:00", {"200": 2, "404": 2, "none": 2}),
        ("nonsense=1", {"200": 2, "404": 2, "none": 2}),
    ],
)
def test_a_filter_finds_what_matches_and_nothing_else(
    log: dict[str, Road], query: str, expected: dict[str, int]
) -> None:
    assert {name: n for name, road in log.items() if (n := len(found(road, query)))} == expected


def test_a_device_and_a_connection_are_found(log: dict[str, Road], dev_euis: list[str]) -> None:
    road = log["404"]
    of_device = road.api.get(f"/deliveries?devEUI={dev_euis[1].lower()}")
    of_connection = road.api.get(f"/deliveries?connectionId={road.connection_id}")
    assert [each["fCnt"] for each in of_device] == [2, 1]
    assert of_device == of_connection == road.deliveries()[::-1]
    both = f"/connections/{road.connection_id}/deliveries?devEUI="
    assert [each["fCnt"] for each in road.api.get(f"{both}{dev_euis[1]}&q=mark")] == [1]
    assert road.api.get(f"{both}{dev_euis[0]}") == []


def test_start_is_inclusive_and_end_exclusive(log: dict[str, Road]) -> None:
    road = log["200"]
    first, second = road.deliveries()
    assert first["receivedAt"] < second["receivedAt"]
    begin, end = quote(first["receivedAt"]), quote(second["receivedAt"])
    # The times that are shown have lost their microseconds.
    assert first["id"] in [each["id"] for each in found(road, f"startTime={begin}")]
    assert [each["id"] for each in found(road, f"startTime={begin}&endTime={end}")] == [first["id"]]


def test_a_filtered_list_is_paged_and_its_links_keep_the_filter(log: dict[str, Road]) -> None:
    road = log["404"]
    path = f"/connections/{road.connection_id}/deliveries?outcome=LOST&outcome=EXPIRED&q=devEUI&perPage=1"
    answer = road.api.call("GET", path)
    assert [each["fCnt"] for each in answer.json()] == [2]
    assert (answer.headers["x-total"], answer.headers["x-next-page"]) == ("2", "2")
    (link,) = [each for each in answer.headers["link"].split(", ") if 'rel="next"' in each]
    assert {"outcome=LOST", "outcome=EXPIRED", "q=devEUI", "page=2"} < set(re.split(r"[?&>]", link))
    assert "x-looked-until" not in answer.headers


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("connectionId=abc", "connectionId"),
        ("devEUI=12", "devEUI"),
        ("outcome=lost", "outcome"),
        ("outcome=LOST,", "outcome"),
        ("status=6xx", "status"),
        ("status=404", "status"),
        ("startTime=yesterday", "startTime"),
        ("endTime=2026-13-01", "endTime"),
        (f"q={'x' * 201}", "q"),
        ("q=%00", "q"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_by_name(api: Api, query: str, field: str) -> None:
    for path in ("/deliveries", "/connections/1/deliveries"):
        answer = api.call("GET", f"{path}?{query}")
        assert answer.status == 400, answer
        assert answer.json()["data"]["field"].partition("[")[0] == field
        assert field in answer.json()["message"]
