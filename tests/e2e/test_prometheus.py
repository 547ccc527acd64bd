"""`/metrics`, read by Prometheus's own parser: its numbers are what was sent."""

from collections.abc import Callable, Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.api_client import Api, build_road, connection_document
from tests.e2e.longwire_process import OWNER_KEY, Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import CLOSE, OK, Reply, Sink, answer_in_turn
from tests.e2e.waiting import wait_until

Labels = Mapping[str, str]


class Page:
    """One reading of `/metrics`."""

    def __init__(self, api: Api) -> None:
        answer = api.raw("GET", "/metrics", headers={"Authorization": f"Bearer {api.key}"})
        assert answer.status == 200, answer
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        self.samples = [
            sample for each in text_string_to_metric_families(answer.body.decode()) for sample in each.samples
        ]

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples with this name and these labels."""
        return sum(
            each.value for each in self.samples if each.name == name and labels.items() <= each.labels.items()
        )

    def names(self) -> set[str]:
        return {each.name for each in self.samples}


def test_the_counters_are_what_was_sent(
    longwire: Callable[..., Longwire], sink: Sink, dev_euis: list[str]
) -> None:
    server = longwire().start()
    sink.answer = answer_in_turn(OK, Reply(404), Reply(503), CLOSE, OK)
    road = build_road(server.api, connection_document(sink.url(), maxInFlight=1), dev_euis[:2])
    sent = [uplink(dev_euis[number % 2], number) for number in range(1, 7)]
    road.send(*sent, sent[0], uplink(dev_euis[2], 1))
    road.wait_for_outcomes("DELIVERED", "LOST", "LOST", *["DELIVERED"] * 3)
    number = road.connection_id

    def ended() -> float:
        return Page(server.api).value("longwire_messages_ended_total", connection=number)

    wait_until("six messages ended", lambda: ended() == 6)
    page = Page(server.api)
    assert page.value("longwire_messages_received_total") == 7
    assert (
        page.value("longwire_messages_repeated_total") == page.value("longwire_messages_unrouted_total") == 1
    )
    assert page.value("longwire_messages_ended_total", connection=number, outcome="DELIVERED") == 4
    assert page.value("longwire_messages_ended_total", connection=number, outcome="LOST") == 2
    assert page.value("longwire_requests_total") == len(sink.requests) == 7
    assert [page.value("longwire_requests_total", result=f"{n}xx") for n in (2, 4, 5)] == [4, 1, 1]
    assert page.value("longwire_request_seconds_count") == 7
    assert page.value("longwire_delivered_seconds_bucket", le="+Inf") == 4


def test_how_things_stand_is_shown(longwire: Callable[..., Longwire], sink: Sink, dev_eui: str) -> None:
    server = longwire().start()
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    road.wait_for_state("OPENED")
    page = Page(server.api)

    assert page.value("longwire_connections", state="OPENED") == 1
    assert page.value("longwire_connection_state", connection=road.connection_id, state="OPENED") == 1
    assert page.value("longwire_commit_seconds_count") > 0
    assert page.value("longwire_database_bytes") > 0
    assert {"longwire_info", "longwire_wal_bytes", "process_cpu_seconds_total"} <= page.names()


def test_what_waits_is_counted_with_the_age_of_the_oldest(
    longwire: Callable[..., Longwire], sink: Sink, dev_eui: str
) -> None:
    server = longwire().start()
    sink.answer = lambda _: CLOSE
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_state("CLOSED")
    page = Page(server.api)

    assert page.value("longwire_messages_waiting", connection=road.connection_id) == 2
    assert 0 < page.value("longwire_oldest_waiting_seconds", connection=road.connection_id) < 60


def test_the_page_needs_a_key_unless_the_operator_made_it_public(longwire: Callable[..., Longwire]) -> None:
    private, public = longwire(), longwire({"LONGWIRE_METRICS_PUBLIC": "true"})

    assert private.start().api.raw("GET", "/metrics").status == 401
    refused = private.api.raw("POST", "/metrics", headers={"Authorization": f"Bearer {OWNER_KEY}"})
    assert refused.status == 405
    assert public.start().api.raw("GET", "/metrics").status == 200


@pytest.mark.parametrize("word", ["yes", "1", ""])
def test_a_setting_that_is_not_true_or_false_is_refused_at_start(
    longwire: Callable[..., Longwire], word: str
) -> None:
    server = longwire({"LONGWIRE_METRICS_PUBLIC": word})
    server.spawn()
    assert server.wait_for_end() != 0
    assert "LONGWIRE_METRICS_PUBLIC: expected true or false" in server.said
