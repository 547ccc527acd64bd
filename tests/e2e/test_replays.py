"""Replays of many: counted first, then a job; each message once, in its order, whatever happens in between."""

import re
from collections.abc import Callable

import pytest
from tests.e2e.api_client import Answer, Api, Json, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import OK, Reply, Sink
from tests.e2e.waiting import wait_until

LOSE = Reply(500)


def lose(api: Api, sink: Sink, dev_eui: str, count: int = 3) -> Road:
    """Return a road that has lost its messages, and delivers from now on."""
    sink.answer = lambda _: LOSE
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(*(uplink(dev_eui, number) for number in range(1, count + 1)))
    road.wait_for_outcomes(*["LOST"] * count, timeout_s=30)
    sink.answer = lambda _: OK
    return road


def begin(road: Road, *, filter_: Json | None = None, **members: object) -> Answer:
    wanted = {"connectionId": road.connection_id, **(filter_ or {})}
    return road.api.call("POST", "/replays", {"filter": wanted, **members})


def wait_for_end(api: Api, job: str, state: str = "done", timeout_s: float = 20) -> Json:
    def look() -> Json | None:
        found: Json = api.get(f"/replays/{job}")
        return found if found["state"] == state else None

    return wait_until(f"replay {job} is {state}", look, timeout_s=timeout_s)


def counters(sink: Sink, begin_at: int = 0) -> list[int]:
    """Return the frame counters of the uplinks that came, in order."""
    bodies = [each.body.decode() for each in sink.requests[begin_at:]]
    return [int(body.split('"FCntUp":')[1].split(",")[0]) for body in bodies]


def test_a_dry_run_counts_and_sends_nothing(api: Api, sink: Sink, dev_eui: str) -> None:
    road = lose(api, sink, dev_eui)

    answer = begin(road, dryRun=True)

    assert (answer.status, answer.json()) == (200, {"count": 3})
    assert len(sink.requests) == 3
    assert [each["outcome"] for each in road.deliveries()] == ["LOST"] * 3


def test_what_the_filter_finds_is_sent_again_in_order_under_the_same_ids(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = lose(api, sink, dev_eui)

    answer = begin(road)

    assert answer.status == 202, answer
    job = answer.json()
    assert job["count"] == 3
    assert wait_for_end(api, job["id"]) == {**job, "done": 3, "failed": 0, "state": "done"}
    road.wait_for_outcomes(*["DELIVERED"] * 3)
    first, second = sink.requests[:3], sink.requests[3:]
    assert [each.message_id for each in second] == [each.message_id for each in first]
    assert [each.attempt for each in second] == [2, 2, 2]


def test_the_filter_chooses(api: Api, sink: Sink, dev_eui: str) -> None:
    road = lose(api, sink, dev_eui)

    job = begin(road, filter_={"q": '"FCntUp": 2,'.replace(" ", ""), "outcome": ["LOST", "EXPIRED"]}).json()

    assert job["count"] == 1
    wait_for_end(api, job["id"])
    assert counters(sink, 3) == [2]
    assert begin(road, filter_={"outcome": ["REJECTED"]}, dryRun=True).json() == {"count": 0}
    assert begin(road, filter_={"status": "4xx"}, dryRun=True).json() == {"count": 0}
    assert begin(road, filter_={"endTime": "2020-01-01T00:00:00Z"}, dryRun=True).json() == {"count": 0}
    assert begin(road, filter_={"devEUI": dev_eui}, dryRun=True).json() == {"count": 2}


def test_what_was_delivered_is_repeated_only_on_request(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_outcomes("DELIVERED", "DELIVERED")

    assert begin(road, dryRun=True).json() == {"count": 0}
    refused = begin(road, filter_={"outcome": ["DELIVERED"]})
    assert (refused.status, refused.json()["data"]["field"]) == (400, "filter.outcome")
    job = begin(road, includeDelivered=True).json()

    assert wait_for_end(api, job["id"])["done"] == 2
    assert counters(sink) == [1, 2, 1, 2]


def test_what_is_lost_again_has_failed_and_is_not_replayed_for_ever(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = lose(api, sink, dev_eui)
    sink.answer = lambda _: LOSE

    job = begin(road).json()

    ended = wait_for_end(api, job["id"])
    assert (ended["done"], ended["failed"]) == (0, 3)
    assert len(sink.requests) == 6
    assert api.call("DELETE", f"/replays/{job['id']}").status == 409


def test_a_cancelled_replay_takes_back_what_was_not_sent(api: Api, sink: Sink, dev_eui: str) -> None:
    road = lose(api, sink, dev_eui)
    before = road.deliveries()
    assert road.put(connection_document(sink.url(), active=False)).status == 200
    road.wait_for_state("DEACTIVATED")
    job = begin(road).json()
    road.wait_for_outcomes(*["QUEUED"] * 3)

    assert api.call("DELETE", f"/replays/{job['id']}").status == 204

    road.wait_for_outcomes(*["LOST"] * 3)
    assert [each["reason"] for each in road.deliveries()] == [each["reason"] for each in before]
    ended = api.get(f"/replays/{job['id']}")
    assert (ended["state"], ended["done"], ended["failed"]) == ("cancelled", 0, 0)
    assert road.put(connection_document(sink.url())).status == 200
    road.wait_for_state("OPENED")
    road.send(uplink(dev_eui, 4))
    road.wait_for_outcomes("LOST", "LOST", "LOST", "DELIVERED")
    assert counters(sink, 3) == [4]


def test_one_replay_at_a_time_runs_on_a_connection(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    road, other = (lose(api, sink, dev_eui) for dev_eui in dev_euis[:2])
    assert road.put(connection_document(sink.url(), active=False)).status == 200
    road.wait_for_state("DEACTIVATED")
    job = begin(road).json()

    for conflict in (begin(road), api.call("POST", "/replays", {"filter": {"devEUI": dev_euis[2]}})):
        assert conflict.status == 409
        # On a server that others use too, a filter of every connection may meet a replay of theirs first.
        assert re.search(r"replay \d+ runs on this connection", conflict.json()["message"])
    second = begin(other)
    assert second.status == 202
    wait_for_end(api, second.json()["id"])

    assert api.call("DELETE", f"/replays/{job['id']}").status == 204
    road.wait_for_outcomes(*["LOST"] * 3)
    assert begin(road, dryRun=True).json() == {"count": 0}, "what was taken back may be in flight for a while"


def test_the_backlog_of_a_deleted_connection_goes_to_another_one(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url(), active=False), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    assert api.call("DELETE", f"/connections/{road.connection_id}").status == 204
    road.wait_for_outcomes("DISCARDED", "DISCARDED")
    other = api.create("/connections", connection_document(sink.url("/other")))["id"]

    assert begin(road, dryRun=True).json() == {"count": 0}
    unknown = begin(road, connectionId="999999")
    assert (unknown.status, unknown.json()["data"]["field"]) == (400, "connectionId")
    job = begin(road, connectionId=other).json()

    assert wait_for_end(api, job["id"])["done"] == 2
    assert [(each.target, each.attempt) for each in sink.requests] == [("/other", 1)] * 2
    assert counters(sink) == [1, 2]
    assert [each["outcome"] for each in road.deliveries()] == ["DISCARDED"] * 2


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "filter"),
        ({"filter": {"outcome": ["QUEUED"]}}, "filter.outcome"),
        ({"filter": {"outcome": "LOST"}}, "filter.outcome"),
        ({"filter": {"devEUI": "1"}}, "filter.devEUI"),
        ({"filter": {"startTime": "x"}}, "filter.startTime"),
        ({"filter": {"connectionID": "1"}}, "filter.connectionID"),
        ({"filter": {}, "dryrun": True}, "dryrun"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_by_name(api: Api, document: Json, field: str) -> None:
    answer = api.call("POST", "/replays", document)
    assert (answer.status, answer.json()["data"]["field"]) == (400, field)


def test_a_replay_that_is_not_there_is_a_404(api: Api) -> None:
    assert api.call("GET", "/replays/999999").status == 404
    assert api.call("DELETE", "/replays/999999").status == 404


def test_a_job_goes_on_after_kills_and_sends_each_message_once(
    longwire: Callable[..., Longwire], sink: Sink, dev_eui: str
) -> None:
    server = longwire().start()
    road = lose(server.api, sink, dev_eui, 600)
    assert road.put(connection_document(sink.url(), active=False)).status == 200
    road.wait_for_state("DEACTIVATED")
    sink.epoch = 1
    job = begin(road).json()
    server.kill()
    server.start()
    wait_until("everything waits", lambda: road.connection["lag"] == 600, timeout_s=20)
    server.kill()
    server.start()
    assert road.put(connection_document(sink.url())).status == 200

    assert wait_for_end(server.api, job["id"], timeout_s=30) == {
        **job,
        "done": 600,
        "failed": 0,
        "state": "done",
    }
    assert counters(sink, 600) == list(range(1, 601))
