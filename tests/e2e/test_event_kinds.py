"""Each kind of event, made to happen: by a destination that fails, flaps and hangs, by changes, faults and kills."""

import json
from collections.abc import Callable

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document, create_network_server
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import CLOSE, HANG, OK, Reply, Sink, answer_in_turn
from tests.e2e.waiting import wait_until
from tests.net.dns_server import DnsServer

NO_HTTP = Reply(raw=b"220 mail.example ESMTP\r\n")


def events_of(api: Api, query: str = "") -> list[Json]:
    """Return events, oldest first."""
    found: list[Json] = api.get(f"/events?perPage=5000{query}")
    return found[::-1]


def wait_for(api: Api, code: str, query: str = "", *, count: int | None = None) -> Json:
    """Return the newest event with this code, once it counts so much."""

    def look() -> Json | None:
        found = [each for each in events_of(api, query) if each["code"] == code]
        return found[-1] if found and count in {None, found[-1]["data"].get("count")} else None

    return wait_until(f"event {code} with count {count}", look)


def of(road: Road) -> str:
    return f"&q_connectionId={road.connection_id}"


def codes(road: Road) -> list[str]:
    return [each["code"] for each in events_of(road.api, of(road))]


def test_lost_messages_are_one_event_that_counts_them_by_cause(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = answer_in_turn(Reply(404), Reply(500))
    road = build_road(api, connection_document(sink.url(), name="Silo"), [dev_eui])
    road.send(*(uplink(dev_eui, f_cnt) for f_cnt in range(1, 6)))

    event = wait_for(api, "dlv-2001", of(road), count=5)

    assert event["level"] == "warn"
    assert event["message"] == (
        f"Message lost: On connection Silo with id {road.connection_id} messages were lost 5 times: "
        "the destination answered 500, strictMode is off (4 times), "
        "the destination answered 404, strictMode is off (1 time). "
        "Correct the destination and replay them from the log, or set strictMode to have them sent again."
    )
    assert codes(road).count("dlv-2001") == 1


def test_a_rejected_message_is_an_error(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: Reply(422)
    road = build_road(api, connection_document(sink.url(), strictMode=True), [dev_eui])
    road.send(uplink(dev_eui, 1))

    event = wait_for(api, "dlv-2002", of(road), count=1)
    assert (event["level"], event["data"]["cause"]) == (
        "error",
        "the destination answered 422 after 3 resends",
    )


def test_messages_that_are_too_old_are_counted_on_arrival(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url(), uplinkTimeValidity="1m"), [dev_eui])
    road.send(*(uplink(dev_eui, f_cnt, Time="2020-01-01T00:00:00Z") for f_cnt in (1, 2)))

    assert wait_for(api, "dlv-2003", of(road), count=2)["level"] == "warn"


def test_messages_without_a_route_are_counted_by_device(
    longwire: Callable[..., Longwire], dev_euis: list[str]
) -> None:
    api = longwire().start().api
    path = create_network_server(api)["uplinkUrl"].partition(str(api.port))[2]
    for f_cnt, dev_eui in enumerate([dev_euis[0], *dev_euis[:2]]):
        sent = uplink(dev_eui, f_cnt)
        api.raw("POST", f"{path}?{sent.query}", sent.body, {"Content-Type": "application/json"})

    event = wait_for(api, "ing-3001", count=3)
    assert event["data"]["cause"] == f"device {dev_euis[0]} (2 times), device {dev_euis[1]} (1 time)"
    assert "connectionId" not in event["data"]


def test_every_change_of_a_connection_is_told(api: Api, sink: Sink) -> None:
    document = connection_document(sink.url(), name="Mill")
    road = build_road(api, document, ["0059ACFF000000FF"])
    path = f"/connections/{road.connection_id}"
    for body in (document | {"name": "Wheel"}, document | {"active": False}, document):
        assert api.call("PUT", path, body).status == 200
    api.call("POST", f"{path}/restart")
    assert api.call("DELETE", path).status == 204

    wait_for(api, "con-1010", of(road))
    assert codes(road) == ["con-1005", "con-1006", "con-1008", "con-1007", "con-1009", "con-1010"]
    assert "Connection Mill with id" in events_of(api, of(road))[-1]["message"]


def test_a_deleted_connection_says_how_many_messages_it_discarded(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: CLOSE
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_state("CLOSED")
    api.call("DELETE", f"/connections/{road.connection_id}")

    assert wait_for(api, "con-1010", of(road))["data"]["discarded"] == 2


ADVICE = [
    (CLOSE, "reset: ", "destination's log"),
    (HANG, "timeout: ", "requestTimeout"),
    (NO_HTTP, "malf", "HTTP/1.1"),
]


@pytest.mark.parametrize("case", ADVICE, ids=lambda case: case[1])
def test_the_advice_fits_the_cause(api: Api, sink: Sink, dev_eui: str, case: tuple[Reply, str, str]) -> None:
    failure, cause, advice = case
    sink.answer = lambda _: failure
    road = build_road(api, connection_document(sink.url(), requestTimeout="1s"), [dev_eui])
    road.send(uplink(dev_eui, 1))

    event = wait_for(api, "con-1002", of(road))
    assert event["data"]["cause"].startswith(cause)
    assert advice in event["message"]


def test_a_destination_that_flaps_makes_one_pair_a_minute(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = answer_in_turn(*[NO_HTTP, OK] * 4)
    document = connection_document(sink.url(), reconnectStrategy="EXPONENTIAL")
    road = build_road(api, document, [dev_eui])
    for f_cnt in range(1, 5):
        road.send(uplink(dev_eui, f_cnt))
        road.wait_for_outcomes(*["DELIVERED"] * f_cnt)

    wait_for(api, "con-1001", of(road))
    told = [code for code in codes(road) if code in {"con-1001", "con-1002"}]
    assert told == ["con-1002", "con-1001"]


def test_a_kill_is_told_after_the_next_start(
    longwire: Callable[..., Longwire], sink: Sink, dev_eui: str
) -> None:
    server = longwire().start()
    sink.answer = lambda _: HANG
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    sink.wait_for(1)
    server.kill()
    server.start()

    event = wait_for(server.api, "sto-4002")
    assert (event["level"], event["data"]["marked"]) == ("warn", 1)


def test_a_clean_end_keeps_every_event(longwire: Callable[..., Longwire], sink: Sink, dev_eui: str) -> None:
    server = longwire().start()
    sink.answer = lambda _: Reply(500)
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    road.send(*(uplink(dev_eui, f_cnt) for f_cnt in range(1, 21)))
    road.wait_for_outcomes(*["LOST"] * 20)
    server.terminate()
    server.start()

    found = [each for each in events_of(server.api, of(road)) if each["code"] == "dlv-2001"]
    assert sum(each["data"]["count"] for each in found) == 20
    assert "sto-4002" not in [each["code"] for each in events_of(server.api)]


def test_no_secret_gets_into_an_event_whatever_the_destination_echoes(
    longwire: Callable[..., Longwire], sink: Sink, dev_eui: str
) -> None:
    secret = "s3cr3t-canary-0123456789"
    server = longwire().start()
    echo = f"HTTP/1.1 500 {secret}\r\nX-{secret}: {secret}\r\nContent-Length: 24\r\n\r\n{secret}"
    broken = f"HTTP/1.1 {secret} {secret}\r\n{secret}\r\n\r\n"
    sink.answer = answer_in_turn(Reply(raw=echo.encode()), Reply(raw=broken.encode()))
    headers = {"Authorization": f"Bearer {secret}"}
    document = connection_document(sink.url(), headers=headers, signingSecret="whsec_" + "QUJD" * 8)
    road = build_road(server.api, document, [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    wait_for(server.api, "dlv-2001", of(road), count=1)
    wait_for(server.api, "con-1002", of(road))

    shown = (
        json.dumps([events_of(server.api), *map(road.details, road.deliveries()), road.connection])
        + server.said
    )
    assert secret[:10] not in shown.replace(road.connection["downlinkUrl"], "")
    assert "QUJDQUJD" not in shown


def test_a_destination_that_moves_to_a_blocked_address_is_told_with_the_setting(
    longwire: Callable[..., Longwire], sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(headers=(("Connection", "close"),))
    with DnsServer({"moving.example": ["127.0.0.1"]}, ttl_s=0) as names:
        server = longwire({"LONGWIRE_RESOLVER": names.address}).start()
        url = f"http://moving.example:{sink.address[1]}/"
        road = build_road(server.api, connection_document(url), [dev_eui])
        road.send(uplink(dev_eui, 1))
        road.wait_for_outcomes("DELIVERED")
        names.names["moving.example"] = ["10.1.2.3"]
        road.send(uplink(dev_eui, 2))
        event = wait_for(server.api, "con-1002", of(road))

    assert event["data"]["cause"].startswith("blocked-address: ")
    assert "LONGWIRE_ALLOW_DESTINATIONS=loopback,10.1.2.3/32" in event["message"]


def test_a_proxy_that_refuses_the_credentials_is_told_without_them(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(407, (("Proxy-Authenticate", 'Basic realm="x"'),))
    proxy = {"hostname": sink.url("").rstrip("/"), "username": "ann", "password": "pass-canary-0123"}
    road = build_road(api, connection_document("http://destination.example/", proxy=proxy), [dev_eui])
    road.send(uplink(dev_eui, 1))

    event = wait_for(api, "con-1003", of(road))
    assert event["level"] == "error"
    assert "configuration.proxy.username and password" in event["message"]
    assert "pass-canary" not in json.dumps(events_of(api))
