"""The states of a connection that goes through a proxy (specification, section 4)."""

import socket
import threading

import pytest
from tests.e2e.api_client import Api, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import OK, Reply, Sink, answer_in_turn
from tests.e2e.test_hostile_bystander import RawDestination, attempts_of
from tests.e2e.waiting import wait_until

LOGIN = {"username": "gateway", "password": "s3cret-Pa55"}
DESTINATION = "http://only-the-proxy-knows.example/hook"


def test_authenticating_lasts_while_a_proxy_with_credentials_is_tried(api: Api, dev_eui: str) -> None:
    may_answer = threading.Event()

    def slow_to_connect(peer: socket.socket) -> None:
        peer.recv(65536)
        may_answer.wait(30)
        peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        peer.recv(65536)

    with RawDestination(slow_to_connect) as proxy:
        login = {"hostname": f"http://127.0.0.1:{proxy.port}", **LOGIN}
        url = DESTINATION.replace("http:", "https:")
        road = build_road(api, connection_document(url, proxy=login, requestTimeout="60s"), [dev_eui])
        road.wait_for_state("AUTHENTICATING")
        without = {"hostname": login["hostname"]}
        other = build_road(
            api, connection_document(url, proxy=without, requestTimeout="60s"), ["0059ACFE00000001"]
        )
        wait_until("both are tried", lambda: proxy.accepted == 2)
        assert (other.state, road.state) == ("OPENING", "AUTHENTICATING")
        may_answer.set()
        assert road.wait_for_state("CLOSED")["stateReason"].startswith(("tls: ", "reset: ", "proxy: "))


def test_in_absolute_form_the_first_waiting_message_is_the_probe(api: Api, sink: Sink, dev_eui: str) -> None:
    document = connection_document(DESTINATION, proxy={"hostname": sink.url("")})
    road = build_road(api, document, [dev_eui])
    road.wait_for_state("OPENED")
    assert sink.requests == []
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")
    assert sink.requests[0].target == DESTINATION


@pytest.mark.parametrize("status", [502, 503, 504])
def test_in_absolute_form_what_the_proxy_cannot_reach_is_kept(
    api: Api, sink: Sink, dev_eui: str, status: int
) -> None:
    sink.answer = answer_in_turn(Reply(status), OK)
    document = connection_document(DESTINATION, proxy={"hostname": sink.url("")})
    road = build_road(api, document, [dev_eui])
    road.wait_for_state("OPENED")
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_outcomes("DELIVERED", "DELIVERED")
    assert [each["cause"] for each in attempts_of(road)] == ["proxy", None, None]
    ids = [each.message_id for each in sink.requests]
    assert ids == [ids[0], ids[0], ids[2]]


def test_in_absolute_form_a_407_is_no_answer_of_the_destination(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: Reply(407, (("Proxy-Authenticate", 'Basic realm="x"'),))
    document = connection_document(DESTINATION, proxy={"hostname": sink.url(""), **LOGIN})
    road = build_road(api, document, [dev_eui])
    road.send(uplink(dev_eui, 1))
    shown = road.wait_for_state("AUTHENTICATION_FAILED")
    assert "407" in shown["stateReason"]
    assert shown["nextReconnectTime"] > shown["stateSince"]
    road.wait_for_outcomes("QUEUED")
    sink.answer = lambda _: OK
    road.wait_for_outcomes("DELIVERED")
