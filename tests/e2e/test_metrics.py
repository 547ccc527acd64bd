"""What a connection carried, as `/connections/metrics` shows it; correct over restarts and kills."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import CLOSE, OK, Reply, Sink, answer_in_turn
from tests.e2e.waiting import wait_until

WORDS = ("uplinks", "downlinks")
LOST = Reply(500)


def metrics(road: Road) -> Json:
    found: Json = road.api.get(f"/connections/{road.connection_id}/metrics")
    return found


def shown(road: Road, window: str = "1h") -> tuple[int, ...]:
    """Return active things, uplinks, Failed and Lost of the window."""
    found = metrics(road)
    names = (f"activeThingsLast{window}", *(f"uplinksLast{window}{end}" for end in ("", "Failed", "Lost")))
    return tuple(found[name] for name in names)


def wait_for_counts(road: Road, expected: tuple[int, ...]) -> None:
    """A message is counted just after its outcome can be seen."""
    seen: list[object] = []

    def look() -> bool:
        seen[:] = [shown(road, "1h"), shown(road, "24h")]
        return seen == [expected, expected]

    wait_until(f"counts {expected}", look)


def test_metrics_have_every_member_of_the_contract_and_begin_with_nothing(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])

    (found,) = road.api.get(f"/connections/metrics?connectionId={road.connection_id}")

    counted = {
        f"{what}Last{window}{end}"
        for what in WORDS
        for window in ("1h", "24h")
        for end in ("", "Failed", "Lost")
    }
    assert found.keys() == {"connectionId", "lag", "activeThingsLast1h", "activeThingsLast24h", *counted}
    assert found.pop("connectionId") == int(road.connection_id)
    assert set(found.values()) == {0}


def test_what_ended_is_counted_by_how_it_ended(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    sink.answer = answer_in_turn(OK, LOST, OK)
    document = connection_document(sink.url(), uplinkTimeValidity="1h", maxInFlight=1)
    road = build_road(api, document, dev_euis)
    road.send(*(uplink(dev_eui, 1, Time="2999-01-01T00:00:00.000Z") for dev_eui in dev_euis))
    road.send(uplink(dev_euis[0], 2, Time="2020-01-01T00:00:00.000Z"))  # EXPIRED on arrival
    road.wait_for_outcomes("DELIVERED", "LOST", "DELIVERED", "EXPIRED")

    wait_for_counts(road, (3, 4, 1, 1))
    listed = api.get("/connections/metrics")
    assert any(each.items() <= metrics(road).items() for each in listed)


def test_what_waits_is_the_lag_and_nothing_else(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: CLOSE
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_state("CLOSED")

    assert metrics(road)["lag"] == 2
    assert shown(road) == (0, 0, 0, 0)


def test_the_counts_are_the_same_after_a_restart_and_after_a_kill(
    longwire: Callable[..., Longwire], sink: Sink, dev_euis: list[str]
) -> None:
    server = longwire().start()
    sink.answer = answer_in_turn(LOST, OK)
    road = build_road(server.api, connection_document(sink.url(), maxInFlight=1), dev_euis)
    road.send(*(uplink(dev_eui, 1) for dev_eui in dev_euis))
    road.wait_for_outcomes("LOST", "DELIVERED", "DELIVERED")
    server.terminate()
    server.start()
    wait_for_counts(road, (3, 3, 0, 1))

    road.send(*(uplink(dev_euis[0], f_cnt) for f_cnt in range(2, 6)))
    road.wait_for_outcomes("LOST", *["DELIVERED"] * 6)
    server.kill()
    server.start()

    wait_for_counts(road, (3, 7, 0, 1))


def test_the_series_shows_what_waited_and_ends_with_what_waits_now(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.close()
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    path = f"/connections/{road.connection_id}/metrics/series"
    assert {each["lag"] for each in api.get(path)} == {0}
    road.send(*(uplink(dev_eui, number) for number in range(1, 4)))
    road.wait_for_state("CLOSED")

    for window in ("1h", "24h"):
        *before, now = (each["lag"] for each in api.get(f"{path}?window={window}"))
        assert now == 3
        assert set(before[:-1]) == {0}  # the minute may have changed meanwhile
    sink.open()
    api.call("POST", f"/connections/{road.connection_id}/restart")
    road.wait_for_outcomes(*["DELIVERED"] * 3)
    assert api.get(path)[-1]["lag"] == 0


@pytest.mark.parametrize("case", [("1h", 60, 1), ("24h", 288, 5)])
def test_the_series_has_every_step_of_the_window_and_all_that_ended(
    api: Api, sink: Sink, dev_euis: list[str], case: tuple[str, int, int]
) -> None:
    window, steps, minutes = case
    sink.answer = answer_in_turn(LOST, OK)
    road = build_road(api, connection_document(sink.url(), maxInFlight=1), dev_euis)
    road.send(*(uplink(dev_eui, 1) for dev_eui in dev_euis))
    wait_for_counts(road, (3, 3, 0, 1))

    series = api.get(f"/connections/{road.connection_id}/metrics/series?window={window}")

    assert len(series) == steps
    assert [sum(each[name] for each in series) for name in ("uplinks", "uplinksFailed", "uplinksLost")] == [
        3,
        0,
        1,
    ]
    times = [datetime.fromisoformat(each["time"]) for each in series]
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(minutes=minutes)}


def test_a_window_that_is_none_is_refused_by_name(api: Api) -> None:
    answer = api.call("GET", "/connections/1/metrics/series?window=2h")
    assert (answer.status, answer.json()["data"]["field"]) == (400, "window")


def test_a_test_is_not_counted(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    wait_for_counts(road, (1, 1, 0, 0))
    assert api.call("POST", f"/connections/{road.connection_id}/test", {}).status == 200

    assert len(sink.requests) == 2
    wait_for_counts(road, (1, 1, 0, 0))


def test_metrics_of_a_connection_that_is_not_there_are_not_found(api: Api) -> None:
    assert api.call("GET", "/connections/999999/metrics").status == 404
    assert api.call("GET", "/connections/x/metrics").status == 404
    assert api.call("GET", "/connections/999999/metrics/series").status == 404
    assert api.with_key(None).call("GET", "/connections/metrics").status == 401


def test_a_connection_tells_how_long_requests_take_and_since_when_the_next_one_waits(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    names = ("oldestWaitingAt", "requestMsP50", "requestMsP95")
    assert [metrics(road)[name] for name in names] == [None, None, None]
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")
    assert 0 < metrics(road)["requestMsP50"] <= metrics(road)["requestMsP95"]

    sink.close()
    road.send(uplink(dev_eui, 2), uplink(dev_eui, 3))
    road.wait_for_outcomes("DELIVERED", "QUEUED", "QUEUED")

    assert metrics(road)["oldestWaitingAt"] == road.deliveries()[1]["receivedAt"]
