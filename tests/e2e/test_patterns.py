"""Patterns as the operator meets them: what found nothing is told."""

from tests.e2e.api_client import Api, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import Sink
from tests.e2e.test_events import wait_for_event


def test_a_pattern_that_finds_nothing_becomes_empty_and_is_told_once_with_a_count(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    headers = {"X-Site": "{$..site}", "X-Name": "{CustomerData.nick|DevEUI}"}
    road = build_road(api, connection_document(sink.url(), name="Rooms", headers=headers), [dev_eui])
    for number in (1, 2, 3):
        road.send(uplink(dev_eui, number))
    received = sink.wait_for(3)

    event = wait_for_event(road, "dlv-2005", count=3)

    assert event["level"] == "warn"
    assert "headers.X-Site: {$..site}" in event["message"]
    assert "Correct the pattern" in event["message"]
    assert "X-Name" not in event["message"]
    assert [got.header("X-Site") for got in received] == [""] * 3
    assert [got.header("X-Name") for got in received] == [dev_eui] * 3
