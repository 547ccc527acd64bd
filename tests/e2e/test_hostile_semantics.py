"""What becomes of messages when destinations misbehave (security cases DL).

DL-04, the schedules over weeks, runs on a simulated clock: tests/core/test_schedule.py and
tests/core/test_connection_state_outage.py.
"""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from standardwebhooks import Webhook
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import HANG, OK, RESET, Received, Reply, Sink, answer_in_turn
from tests.e2e.test_hostile_bystander import attempts_of, check_product_is_up
from tests.e2e.waiting import wait_until
from tests.net.certificates import CA, pem_of, self_signed
from tests.net.dns_server import DnsServer

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def sent_of(sink: Sink, dev_eui: str) -> list[int]:
    """Return the FCntUp of what the sink got from a device, in order."""
    contents = [json.loads(each.body)["DevEUI_uplink"] for each in sink.requests]
    return [content["FCntUp"] for content in contents if content["DevEUI"] == dev_eui]


@pytest.mark.parametrize("status", [404, 500])
def test_dl_01_without_strict_mode_a_refusal_loses_one_message_and_says_so(
    api: Api, sink: Sink, dev_eui: str, status: int
) -> None:
    sink.answer = answer_in_turn(Reply(status), OK)
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    lost, _ = road.wait_for_outcomes("LOST", "DELIVERED")
    assert (lost["lastStatus"], lost["attemptCount"]) == (status, 1)
    assert sent_of(sink, dev_eui) == [1, 2]
    assert road.state == "OPENED"


@contextmanager
def refused(_: DnsServer) -> Iterator[tuple[Sink, str, Callable[[], None]]]:
    with Sink() as sink:
        sink.close()
        yield sink, sink.url(), sink.open


@contextmanager
def hanging(_: DnsServer) -> Iterator[tuple[Sink, str, Callable[[], None]]]:
    with Sink() as sink:
        sink.answer = lambda _: HANG

        def heal() -> None:
            sink.answer = lambda _: OK

        yield sink, sink.url(), heal


@contextmanager
def without_name(names: DnsServer) -> Iterator[tuple[Sink, str, Callable[[], None]]]:
    name = "comes-later.example"
    names.names.pop(name, None)
    with Sink() as sink:
        url = sink.url().replace("127.0.0.1", name)
        yield sink, url, lambda: names.names.update({name: ["127.0.0.1"]})


@contextmanager
def with_bad_certificate(_: DnsServer) -> Iterator[tuple[Sink, str, Callable[[], None]]]:
    context: ssl.SSLContext = self_signed()
    with Sink(tls=context) as sink:
        yield sink, sink.url(), lambda: CA.issue_cert("127.0.0.1").configure_cert(context)


TROUBLES = {"refused": refused, "timeout": hanging, "dns": without_name, "tls": with_bad_certificate}


@pytest.mark.parametrize("cause", TROUBLES)
def test_dl_02_what_cannot_be_reached_closes_the_connection_and_keeps_the_messages(
    api: Api, name_server: DnsServer, dev_euis: list[str], cause: str
) -> None:
    dev_eui = dev_euis[0]
    with TROUBLES[cause](name_server) as (sink, url, heal):
        document = connection_document(url, requestTimeout="1s", tls={"caCertificate": pem_of(CA)})
        road = build_road(api, document, [dev_eui])
        road.send(*(uplink(dev_eui, number) for number in range(1, 6)))
        closed = wait_until("it is closed for it", lambda: _closed_for(road, cause))
        assert closed["nextReconnectTime"] > closed["stateSince"]
        assert {each["outcome"] for each in road.deliveries()} == {"QUEUED"}
        check_product_is_up(api, dev_euis[1])
        heal()
        sink.epoch = 1
        road.wait_for_outcomes(*["DELIVERED"] * 5, timeout_s=20)
        after = [json.loads(each.body)["DevEUI_uplink"]["FCntUp"] for each in sink.requests if each.epoch]
        assert after == [1, 2, 3, 4, 5]
        assert len(attempts_of(road)) == len(sink.requests)


def _closed_for(road: Road, cause: str) -> dict[str, str] | None:
    shown = road.connection
    is_so = shown["state"] == "CLOSED" and shown.get("stateReason", "").startswith(f"{cause}: ")
    return shown if is_so else None


def test_dl_03_in_strict_mode_a_device_waits_for_its_rejected_message_and_others_do_not(
    api: Api, sink: Sink, dev_euis: list[str]
) -> None:
    stubborn, other, _ = dev_euis
    sink.answer = lambda got: Reply(400) if _is(got, stubborn, 1) else OK
    road = build_road(api, connection_document(sink.url(), strictMode=True), dev_euis)
    road.send(*(uplink(stubborn, number) for number in (1, 2, 3)))
    road.send(*(uplink(other, number) for number in (1, 2, 3)))
    road.wait_for_outcomes("REJECTED", *["DELIVERED"] * 5, timeout_s=15)
    assert sent_of(sink, stubborn) == [1, 1, 1, 1, 2, 3]
    tries = [each.at for each in sink.requests if _is(each, stubborn, 1)]
    assert all(1.95 < later - earlier < 3.0 for earlier, later in pairwise(tries))
    assert sent_of(sink, other) == [1, 2, 3]
    others = [each.at for each in sink.requests if json.loads(each.body)["DevEUI_uplink"]["DevEUI"] == other]
    assert max(others) < tries[1]


def _is(got: Received, dev_eui: str, f_cnt: int) -> bool:
    content = json.loads(got.body)["DevEUI_uplink"]
    return bool(content["DevEUI"] == dev_eui and content["FCntUp"] == f_cnt)


def test_dl_05_what_grew_too_old_while_closed_is_never_sent(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.close()
    road = build_road(api, connection_document(sink.url(), uplinkTimeValidity="2s"), [dev_eui])
    road.wait_for_state("CLOSED")
    road.send(*(uplink(dev_eui, number, Time=datetime.now(UTC).isoformat()) for number in (1, 2)))
    last = datetime.fromisoformat(road.deliveries()[-1]["receivedAt"]) + timedelta(seconds=2.1)
    wait_until("they are too old", lambda: datetime.now(UTC) > last)
    road.send(uplink(dev_eui, 3, Time=(datetime.now(UTC) + timedelta(seconds=30)).isoformat()))
    sink.open()
    assert api.call("POST", f"/connections/{road.connection_id}/restart").status == 202
    expired, _, _ = road.wait_for_outcomes("EXPIRED", "EXPIRED", "DELIVERED")
    assert expired["attemptCount"] == 0
    assert "uplinkTimeValidity" in expired["reason"]
    assert sent_of(sink, dev_eui) == [3]


def test_dl_06_after_an_outage_the_backlog_is_ramped_within_the_rate_and_in_order(
    api: Api, sink: Sink, dev_euis: list[str]
) -> None:
    counting = _Counting()
    sink.close()
    sink.answer = counting
    document = connection_document(sink.url(), maxRequestsPerSecond=40, maxInFlight=8)
    road = build_road(api, document, dev_euis)
    road.wait_for_state("CLOSED")
    road.send(*(uplink(dev_eui, number) for number in range(1, 41) for dev_eui in dev_euis))
    sink.open()
    requests = sink.wait_for(1)
    road.send(uplink(dev_euis[0], 41))
    requests = sink.wait_for(121, timeout_s=20)
    for dev_eui in dev_euis:
        numbers = sent_of(sink, dev_eui)
        assert numbers == sorted(numbers)
    times = [each.at for each in requests]
    assert all(later - earlier > 0.8 for earlier, later in zip(times, times[41:], strict=False))
    assert counting.at_once[0] == 1
    assert max(counting.at_once) <= 8
    assert len({each.message_id for each in requests}) == 121


class _Counting:
    """Answers 200 a moment later, and notes how many requests were under way."""

    def __init__(self) -> None:
        self.at_once: list[int] = []
        self._lock = threading.Lock()
        self._now = 0

    def __call__(self, _: Received) -> Reply:
        with self._lock:
            self._now += 1
            self.at_once.append(self._now)
        return Reply(delay_s=0.0, then=self._end)

    def _end(self) -> None:
        with self._lock:
            self._now -= 1


def test_dl_07_a_backlog_goes_to_the_new_destination_with_the_new_headers(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    with Sink() as old:
        old.close()
        document = connection_document(old.url(), headers={"X-Which": "old"})
        road = build_road(api, document, [dev_eui])
        road.send(*(uplink(dev_eui, number) for number in (1, 2, 3)))
        road.wait_for_state("CLOSED")
        old.open()
        changed = connection_document(sink.url("/new"), headers={"X-Which": "new"})
        before = len(old.requests)
        assert road.put(changed).status == 200
        road.wait_for_outcomes(*["DELIVERED"] * 3)
        assert sent_of(sink, dev_eui) == [1, 2, 3]
        assert {(each.target, each.header("X-Which")) for each in sink.requests} == {("/new", "new")}
        assert len(old.requests) == before == 0


def test_dl_07_what_is_in_flight_ends_where_it_began(api: Api, sink: Sink, dev_eui: str) -> None:
    with Sink() as old:
        release = threading.Event()

        def hold(_: Received) -> Reply:
            release.wait(10)
            return OK

        old.answer = hold
        road = build_road(api, connection_document(old.url()), [dev_eui])
        road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
        old.wait_for(1)
        assert road.put(connection_document(sink.url())).status == 200
        release.set()
        road.wait_for_outcomes("DELIVERED", "DELIVERED")
        assert (sent_of(old, dev_eui), sent_of(sink, dev_eui)) == ([1], [2])


def test_dl_09_every_request_has_its_row_the_instant_repeats_too(api: Api, sink: Sink, dev_eui: str) -> None:
    seen: dict[int, int] = {}

    def reset_on_reuse(got: Received) -> Reply:
        seen[got.connection] = seen.get(got.connection, 0) + 1
        return OK if seen[got.connection] == 1 else RESET

    sink.answer = reset_on_reuse
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(*(uplink(dev_eui, number) for number in range(1, 5)))
    road.wait_for_outcomes(*["DELIVERED"] * 4)
    rows = attempts_of(road)
    assert len(rows) == len(sink.requests) == 7
    assert {"first", "fresh socket"} >= {str(each["trigger"]).replace("-", " ") for each in rows}
    by_id: dict[str, list[int]] = {}
    for each in sink.requests:
        by_id.setdefault(each.message_id, []).append(each.attempt)
    assert [each["attemptCount"] for each in road.deliveries()] == [len(each) for each in by_id.values()]
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_id.values())
    assert road.state == "OPENED"


def test_dl_11_all_attempts_of_a_message_carry_one_id_and_a_signature_each(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = answer_in_turn(Reply(500), RESET, Reply(429), OK)
    document = connection_document(sink.url(), strictMode=True, signingSecret=SECRET)
    road = build_road(api, document, [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    first, second = road.wait_for_outcomes("DELIVERED", "DELIVERED", timeout_s=20)
    ids = [each.message_id for each in sink.requests]
    assert ids == [first["messageId"]] * 4 + [second["messageId"]]
    assert [each.attempt for each in sink.requests] == [1, 2, 3, 4, 1]
    tries = sink.requests[:4]
    assert len({each.header("webhook-signature") for each in tries}) >= 3
    stamps = [int(each.header("webhook-timestamp")) for each in tries]
    assert stamps == sorted(stamps)
    assert stamps[-1] - stamps[0] >= 3
    for each in sink.requests:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        Webhook(SECRET).verify(each.body, {name: each.header(name) for name in names})
