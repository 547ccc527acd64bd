"""Redirects are shown and never followed (security cases RD, and SS-11)."""

import json
from contextlib import ExitStack

import pytest
from tests.e2e.api_client import Api, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import OK, Reply, Sink, answer_in_turn
from tests.e2e.test_hostile_bystander import attempts_of, check_product_is_up, more_devices

NO_TARGETS = {
    "304": Reply(304),
    "300 without Location": Reply(300),
    "302 with an empty Location": Reply(302, (("Location", ""),)),
    "399": Reply(399),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_rd_01_a_redirect_is_not_followed(api: Api, sink: Sink, dev_euis: list[str], status: int) -> None:
    with Sink() as elsewhere:
        location = elsewhere.url("/else")
        sink.answer = answer_in_turn(Reply(status, (("Location", location),)), OK)
        road = build_road(api, connection_document(sink.url()), dev_euis[:1])
        road.send(uplink(dev_euis[0], 1), uplink(dev_euis[0], 2))
        lost, _ = road.wait_for_outcomes("LOST", "DELIVERED")
        (attempt,) = road.details(lost)["attempts"]
        assert (attempt["status"], attempt["cause"]) == (status, None)
        assert attempt["responseHeaders"]["Location"] == location
        assert (elsewhere.connections, len(sink.requests)) == (0, 2)
        assert road.state == "OPENED"
    check_product_is_up(api, dev_euis[1])


def test_rd_01_in_strict_mode_the_same_address_is_asked_again(api: Api, sink: Sink, dev_eui: str) -> None:
    with Sink() as elsewhere:
        sink.answer = answer_in_turn(Reply(307, (("Location", elsewhere.url()),)), OK)
        road = build_road(api, connection_document(sink.url(), strictMode=True), [dev_eui])
        road.send(uplink(dev_eui, 1))
        (delivered,) = road.wait_for_outcomes("DELIVERED")
        assert delivered["attemptCount"] == 2
        assert [each.target for each in sink.requests] == ["/hook", "/hook"]
        assert elsewhere.connections == 0


@pytest.mark.parametrize("way", ["other origin", "same origin", "protocol-relative", "to https"])
def test_rd_03_secret_headers_go_to_no_other_place(api: Api, sink: Sink, dev_eui: str, way: str) -> None:
    with Sink() as elsewhere:
        host = f"127.0.0.1:{elsewhere.address[1]}"
        location = {
            "other origin": f"http://{host}/",
            "same origin": sink.url("/else"),
            "protocol-relative": f"//{host}/",
            "to https": f"https://{host}/",
        }[way]
        sink.answer = lambda _: Reply(308, (("Location", location), ("Refresh", f"0; url={location}")))
        headers = {"Authorization": "Bearer eg89a53sx", "X-Api-Key": "n7c2m1p0"}
        road = build_road(api, connection_document(sink.url(), headers=headers), [dev_eui])
        road.send(uplink(dev_eui, 1))
        (lost,) = road.wait_for_outcomes("LOST")
        assert elsewhere.connections == 0
        assert [each.target for each in sink.requests] == ["/hook"]
        shown = json.dumps(road.details(lost))
        assert "eg89a53sx" not in shown
        assert "n7c2m1p0" not in shown


@pytest.mark.parametrize("case", NO_TARGETS)
def test_rd_05_a_3xx_that_leads_nowhere_is_no_success(api: Api, sink: Sink, dev_eui: str, case: str) -> None:
    sink.answer = lambda _: NO_TARGETS[case]
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (lost,) = road.wait_for_outcomes("LOST")
    assert (lost["lastStatus"], lost["attemptCount"]) == (NO_TARGETS[case].status, 1)
    assert len(sink.requests) == 1


def test_rd_05_in_strict_mode_a_3xx_that_leads_nowhere_is_rejected(api: Api, dev_eui: str) -> None:
    with ExitStack() as stack:
        roads = []
        for reply, device in zip(NO_TARGETS.values(), more_devices(dev_eui), strict=False):
            sink = stack.enter_context(Sink())
            sink.answer = answer_in_turn(reply)
            road = build_road(api, connection_document(sink.url(), strictMode=True), [device])
            road.send(uplink(device, 1))
            roads.append((road, sink))
        for road, sink in roads:
            road.wait_for_outcomes("REJECTED", timeout_s=15)
            assert len(attempts_of(road)) == len(sink.requests) == 4


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "unix:/run/x",
        "ftp://127.0.0.1/",
        "javascript:alert(1)",
    ],
)
def test_ss_11_a_redirect_to_another_scheme_is_only_shown(
    api: Api, sink: Sink, dev_eui: str, location: str
) -> None:
    sink.answer = lambda _: Reply(302, (("Location", location),), b"moved")
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (lost,) = road.wait_for_outcomes("LOST")
    (attempt,) = road.details(lost)["attempts"]
    assert (attempt["status"], attempt["responseBody"]) == (302, "moved")
    assert attempt["responseHeaders"]["Location"] == location
    assert "root:" not in json.dumps(road.details(lost))
